//! A drawing as SVG.

use std::fmt::Write;

use base64::Engine;

use super::drawing::{Drawing, Paint, Path, Rgba, Segment};
use super::{DOTS_PER_INCH, PROGRAM, Pixels, Provenance};

impl Drawing {
    /// The drawing as an SVG file of its size in millimetres. What it was made from is in its
    /// `<title>`, `<desc>` and `<metadata>` (Dublin Core; the details are JSON).
    pub fn svg(&self, provenance: &Provenance) -> String {
        let [width, height] = self.size;
        let [wide, high] = [width, height].map(|v| f64::from(v) * self.unit);
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" \
             width=\"{wide:.3}mm\" height=\"{high:.3}mm\" viewBox=\"0 0 {} {}\">\n<title>{}</title>\n<desc>{}</desc>\n\
             <metadata>\n<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" \
             xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n<rdf:Description rdf:about=\"\">\n\
             <dc:creator>{PROGRAM}</dc:creator>\n<dc:title>{}</dc:title>\n<dc:source>{}</dc:source>\n\
             </rdf:Description>\n</rdf:RDF>\n</metadata>\n",
            number(width),
            number(height),
            escaped(&provenance.title),
            escaped(&provenance.description),
            escaped(&provenance.title),
            escaped(&provenance.details()),
        );
        let _ = writeln!(out, "<rect width=\"{}\" height=\"{}\" fill=\"#fff\"/>", number(width), number(height));
        // What is seen through one opening is in one group.
        let mut clips: Vec<[f32; 4]> = Vec::new();
        let mut open = false;
        let mut last = None;
        for (clip, paint) in &self.paints {
            if *clip != last {
                if std::mem::take(&mut open) {
                    out += "</g>\n";
                }
                if let Some(clip) = clip {
                    let index = clips.iter().position(|c| c == clip).unwrap_or_else(|| {
                        let [left, top, right, bottom] = *clip;
                        let path = data(&Path::rectangle([left, top], [right, bottom]));
                        let _ = writeln!(out, "<clipPath id=\"c{}\"><path d=\"{path}\"/></clipPath>", clips.len());
                        clips.push(*clip);
                        clips.len() - 1
                    });
                    let _ = writeln!(out, "<g clip-path=\"url(#c{index})\">");
                    open = true;
                }
                last = *clip;
            }
            self.paint(&mut out, paint);
        }
        if open {
            out += "</g>\n";
        }
        out + "</svg>\n"
    }

    fn paint(&self, out: &mut String, paint: &Paint) {
        let _ = match paint {
            Paint::Fill { path, color, words } => {
                let label = words.as_ref().map(|w| format!(" aria-label=\"{}\"", escaped(w))).unwrap_or_default();
                writeln!(out, "<path{label} d=\"{}\"{}/>", data(path), ink("fill", *color))
            }
            Paint::Stroke { path, width, color } => writeln!(
                out,
                "<path d=\"{}\" fill=\"none\" stroke-width=\"{}\" stroke-linejoin=\"round\"{}/>",
                data(path),
                number(*width),
                ink("stroke", *color)
            ),
            Paint::Picture { at: [left, top, width, height], pixels } => writeln!(
                out,
                "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" preserveAspectRatio=\"none\" \
                 href=\"data:image/png;base64,{}\"/>",
                number(*left),
                number(*top),
                number(*width),
                number(*height),
                embedded(pixels)
            ),
        };
    }
}

fn embedded(pixels: &Pixels) -> String {
    let png = super::png::encode(pixels, DOTS_PER_INCH, &Provenance::default());
    base64::engine::general_purpose::STANDARD.encode(png)
}

/// A coordinate with two decimals, or as many as it needs.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn data(path: &Path) -> String {
    let mut out = String::new();
    let point = |[x, y]: [f32; 2]| format!("{} {}", number(x), number(y));
    for segment in &path.0 {
        match *segment {
            Segment::Move(to) => out += &format!("M{}", point(to)),
            Segment::Line(to) => out += &format!("L{}", point(to)),
            Segment::Cubic(a, b, to) => out += &format!("C{} {} {}", point(a), point(b), point(to)),
            Segment::Close => out.push('Z'),
        }
    }
    out
}

fn ink(what: &str, [r, g, b, a]: Rgba) -> String {
    let opacity =
        if a == 255 { String::new() } else { format!(" {what}-opacity=\"{}\"", number(f32::from(a) / 255.0)) };
    format!(" {what}=\"#{r:02x}{g:02x}{b:02x}\"{opacity}")
}

/// Text as XML has it; what XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_text_is_escaped() {
        assert_eq!([0.0, -0.001, 1.5, 2.25, -3.0].map(number), ["0", "0", "1.5", "2.25", "-3"]);
        assert_eq!(escaped("a<b & \"c\"\u{1}"), "a&lt;b &amp; &quot;c&quot;");
    }

    #[test]
    fn a_drawing_has_its_size_its_clips_and_its_provenance() {
        let mut drawing = Drawing::new([100.0, 50.0], 0.5);
        let square = || Path::rectangle([1.0, 1.0], [9.0, 9.0]);
        drawing.fill(None, square(), [255, 0, 0, 255]);
        for _ in 0..2 {
            drawing.stroke(Some([0.0, 0.0, 10.0, 10.0]), square(), 1.0, [0, 0, 0, 128]);
        }
        drawing.write(None, square(), [0, 0, 0, 255], "P < 1");
        drawing.paste(None, [0.0, 0.0, 4.0, 4.0], Pixels { size: [1, 1], rgb: vec![1, 2, 3] });
        // What cannot be seen is not there.
        drawing.fill(None, square(), [0, 0, 0, 0]);
        let details = serde_json::json!({ "file": "a&b.hdf5" });
        let svg = drawing.svg(&Provenance { title: "T".into(), description: "D".into(), details });
        assert!(svg.contains("width=\"50.000mm\" height=\"25.000mm\" viewBox=\"0 0 100 50\""));
        assert_eq!(svg.matches("<g clip-path").count(), 1);
        assert_eq!((svg.matches("<g").count(), svg.matches("</g>").count()), (1, 1));
        assert_eq!(svg.matches("<path").count(), 5);
        assert!(svg.contains("aria-label=\"P &lt; 1\"") && svg.contains("a&amp;b.hdf5") && svg.contains(PROGRAM));
        assert!(svg.contains("href=\"data:image/png;base64,iVBOR"));
    }
}
