//! PNG with its density and its provenance.

use super::{INCH, PROGRAM, Pixels, Provenance};

/// `pixels` as a PNG file of so many dots an inch. What it was made from is in its text chunks
/// `Title`, `Description`, `Software` and, for programs, `Comment` (JSON).
pub fn encode(pixels: &Pixels, dots_per_inch: f64, provenance: &Provenance) -> Vec<u8> {
    let mut file = Vec::new();
    let [width, height] = pixels.size;
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    let a_metre = (dots_per_inch / INCH * 1000.0).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: a_metre, yppu: a_metre, unit: png::Unit::Meter }));
    let details = provenance.details();
    for (name, text) in [
        ("Title", provenance.title.as_str()),
        ("Description", &provenance.description),
        ("Software", PROGRAM),
        ("Comment", &details),
    ] {
        if !text.is_empty() {
            // A null would end the text.
            let added = encoder.add_itxt_chunk(name.to_owned(), text.replace('\0', ""));
            added.expect("the names are fit to be keywords");
        }
    }
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&pixels.rgb)?;
        writer.finish()
    });
    written.expect("a picture of its own size goes into memory");
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn density_and_provenance_can_be_read_from_the_file() {
        let pixels = Pixels { size: [2, 1], rgb: vec![1, 2, 3, 4, 5, 6] };
        let details = serde_json::json!({ "seed": 7 });
        let provenance = Provenance { title: "Δ²".into(), description: "of a test".into(), details };
        let file = encode(&pixels, 300.0, &provenance);
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().unwrap();
        let mut back = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut back).unwrap();
        assert_eq!(back, pixels.rgb);
        let info = reader.info();
        let dims = info.pixel_dims.unwrap();
        assert_eq!((dims.xppu, dims.yppu, dims.unit), (11811, 11811, png::Unit::Meter));
        let texts: Vec<_> = info.utf8_text.iter().map(|t| (t.keyword.as_str(), t.get_text().unwrap())).collect();
        assert!(texts.contains(&("Title", "Δ²".into())) && texts.contains(&("Comment", "{\"seed\":7}".into())));
    }
}
