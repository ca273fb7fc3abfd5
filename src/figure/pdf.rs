//! A drawing as PDF.

use std::collections::BTreeMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::LineJoinStyle;
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, TextStr};

use super::drawing::{Drawing, Paint, Path, Segment};
use super::{INCH, PROGRAM, Pixels, Provenance};

/// PDF's unit, millimetres.
const POINT: f64 = INCH / 72.0;

impl Drawing {
    /// The drawing as a PDF file of one page of its size. What it was made from is in its document
    /// information: `Title`, `Creator`, `Subject` and, for programs, `Keywords` (JSON).
    pub fn pdf(&self, provenance: &Provenance) -> Vec<u8> {
        let scale = (self.unit / POINT) as f32;
        let [width, height] = self.size.map(|v| v * scale);
        let [catalog, pages, page_id, content_id, info] = [1, 2, 3, 4, 5].map(Ref::new);
        let mut next = 6;
        let mut fresh = || {
            next += 1;
            Ref::new(next - 1)
        };
        let mut content = Content::new();
        // From the top downwards, in the drawing's own unit.
        content.transform([scale, 0.0, 0.0, -scale, 0.0, height]);
        content.set_line_join(LineJoinStyle::RoundJoin);
        let mut opacities: BTreeMap<u8, Ref> = BTreeMap::new();
        let mut pictures: Vec<(Ref, &Pixels)> = Vec::new();
        for (clip, paint) in &self.paints {
            content.save_state();
            if let Some([left, top, right, bottom]) = *clip {
                content.rect(left, top, right - left, bottom - top).clip_nonzero().end_path();
            }
            if let Paint::Fill { color, .. } | Paint::Stroke { color, .. } = paint {
                opacities.entry(color[3]).or_insert_with(&mut fresh);
                content.set_parameters(Name(format!("A{}", color[3]).as_bytes()));
            }
            let part = |v: u8| f32::from(v) / 255.0;
            match paint {
                Paint::Fill { path, color: [r, g, b, _], .. } => {
                    content.set_fill_rgb(part(*r), part(*g), part(*b));
                    trace(&mut content, path);
                    content.fill_nonzero();
                }
                Paint::Stroke { path, width, color: [r, g, b, _] } => {
                    content.set_stroke_rgb(part(*r), part(*g), part(*b)).set_line_width(*width);
                    trace(&mut content, path);
                    content.stroke();
                }
                Paint::Picture { at: [left, top, width, height], pixels } => {
                    // Pictures stand upright on a unit square that counts upwards.
                    content.transform([*width, 0.0, 0.0, -height, *left, top + height]);
                    content.x_object(Name(format!("P{}", pictures.len()).as_bytes()));
                    pictures.push((fresh(), pixels));
                }
            }
            content.restore_state();
        }
        let mut pdf = Pdf::new();
        pdf.catalog(catalog).pages(pages);
        pdf.pages(pages).kids([page_id]).count(1);
        let mut page = pdf.page(page_id);
        page.media_box(Rect::new(0.0, 0.0, width, height)).parent(pages).contents(content_id);
        let mut resources = page.resources();
        let mut states = resources.ext_g_states();
        for (opacity, id) in &opacities {
            states.pair(Name(format!("A{opacity}").as_bytes()), *id);
        }
        states.finish();
        let mut objects = resources.x_objects();
        for (index, (id, _)) in pictures.iter().enumerate() {
            objects.pair(Name(format!("P{index}").as_bytes()), *id);
        }
        objects.finish();
        resources.finish();
        page.finish();
        for (opacity, id) in opacities {
            let opacity = f32::from(opacity) / 255.0;
            pdf.ext_graphics(id).non_stroking_alpha(opacity).stroking_alpha(opacity);
        }
        for (id, pixels) in pictures {
            let bytes = deflated(&pixels.rgb);
            let mut image = pdf.image_xobject(id, &bytes);
            image.filter(Filter::FlateDecode);
            image.width(pixels.size[0] as i32).height(pixels.size[1] as i32);
            image.color_space().device_rgb();
            image.bits_per_component(8);
        }
        pdf.stream(content_id, &deflated(&content.finish())).filter(Filter::FlateDecode);
        let mut document = pdf.document_info(info);
        document.title(TextStr(&provenance.title)).creator(TextStr(PROGRAM)).subject(TextStr(&provenance.description));
        let details = provenance.details();
        if !details.is_empty() {
            document.keywords(TextStr(&details));
        }
        document.finish();
        pdf.finish()
    }
}

fn trace(content: &mut Content, path: &Path) {
    for segment in &path.0 {
        match *segment {
            Segment::Move([x, y]) => content.move_to(x, y),
            Segment::Line([x, y]) => content.line_to(x, y),
            Segment::Cubic(a, b, to) => content.cubic_to(a[0], a[1], b[0], b[1], to[0], to[1]),
            Segment::Close => content.close_path(),
        };
    }
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory takes what is written to it")
}
