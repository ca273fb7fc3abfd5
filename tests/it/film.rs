//! `halodi record`: a talk as a film, without a window.

use std::path::Path;

use crate::program::{halodi, succeed, text};

/// A session with two scenes on the demo: the matter from all sides, and the prediction with its
/// spectra.
fn session(folder: &Path, name: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut session = serde_json::json!({
        "format": 1,
        "program": "halodi",
        "job": { "source": "demo", "grid": 32, "settings": { "steps": 2 } },
        "scenes": [
            { "caption": "Dark matter", "seconds": 1, "transition": 0, "panes": ["Volume"],
              "view": { "layer": "DarkMatter" }, "action": { "orbit": 90 } },
            { "caption": "What was made of it", "seconds": 1, "transition": 0.5,
              "panes": ["Volume", { "Slice": 2 }, "Spectra"],
              "view": { "layer": "BrightnessTemperature" }, "action": { "run": {} } },
        ],
    });
    change(&mut session);
    let path = folder.join(name);
    std::fs::write(&path, session.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A small film, unless `more` says otherwise.
fn record<'a>(session: &'a str, out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let small = [["--size", "320x180"], ["--fps", "4"], ["--device", "cpu"]];
    let small = small.into_iter().filter(|[flag, _]| !more.contains(flag)).flatten();
    let record = ["record", session, "--out", out.to_str().unwrap()];
    record.into_iter().chain(small).chain(more.iter().copied()).collect()
}

/// Share of the pixels in a part of a picture (from left, top to right, bottom) that are bright.
fn bright(picture: &image::RgbImage, [left, top, right, bottom]: [u32; 4]) -> f64 {
    let lit = (left..right).flat_map(|x| (top..bottom).map(move |y| (x, y)));
    let lit = lit.filter(|&(x, y)| picture.get_pixel(x, y).0.into_iter().max() > Some(90)).count();
    lit as f64 / f64::from((right - left) * (bottom - top))
}

#[test]
fn a_talk_becomes_frames_and_films_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let talk = session(folder.path(), "talk.halodi", |_| {});
    let frames = folder.path().join("frames");
    succeed(&record(&talk, &frames, &[]));
    let mut names: Vec<_> = std::fs::read_dir(&frames).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    // Two seconds, four frames each.
    assert_eq!(names.len(), 8);
    let pictures: Vec<_> = names.iter().map(|name| image::open(name).unwrap().to_rgb8()).collect();
    assert!(pictures.iter().all(|p| p.dimensions() == (320, 180)));
    // The box in the middle, and a caption below it at the left.
    assert!(bright(&pictures[0], [90, 30, 200, 120]) > 0.02, "{}", bright(&pictures[0], [90, 30, 200, 120]));
    assert!(bright(&pictures[0], [4, 152, 120, 178]) > 0.01);
    // It turns; and between the scenes it is dark, but not at their ends.
    assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2]);
    let light = |p: &image::RgbImage| bright(p, [0, 0, 320, 148]);
    assert!(light(&pictures[5]) < light(&pictures[4]) && light(&pictures[5]) < light(&pictures[7]));
    // A plot at the right of the last scene.
    assert!(bright(&pictures[7], [250, 20, 318, 140]) > 0.005);

    // The same bytes, in a part of the talk too.
    let again = folder.path().join("again");
    succeed(&record(&talk, &again, &["--from", "0.25", "--to", "0.75"]));
    for (number, frame) in [1, 2].into_iter().enumerate() {
        let part = std::fs::read(again.join(format!("frame_{number:04}.png"))).unwrap();
        assert!(part == std::fs::read(&names[frame]).unwrap(), "frame {frame} is another one");
    }

    let gif = folder.path().join("talk.gif");
    succeed(&record(&talk, &gif, &["--to", "0.75"]));
    let mut reader = gif::DecodeOptions::new().read_info(std::fs::File::open(&gif).unwrap()).unwrap();
    let (mut count, mut hundredths) = (0, 0);
    while let Some(frame) = reader.read_next_frame().unwrap() {
        (count, hundredths) = (count + 1, hundredths + u32::from(frame.delay));
    }
    assert_eq!((reader.width(), reader.height(), count, hundredths), (320, 180, 3, 75));
}

#[cfg(feature = "mp4")]
#[test]
fn a_talk_becomes_an_mp4() {
    let folder = tempfile::tempdir().unwrap();
    let talk = session(folder.path(), "talk.halodi", |session| {
        session["scenes"].as_array_mut().unwrap().truncate(1);
    });
    let path = folder.path().join("talk.mp4");
    succeed(&record(&talk, &path, &[]));
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[4..8], b"ftyp");
    for name in [b"moov", b"avcC", b"stts", b"mdat"] {
        assert!(bytes.windows(4).any(|w| w == name), "{}", String::from_utf8_lossy(name));
    }
    let at = bytes.windows(4).position(|w| w == b"stsz").unwrap();
    assert_eq!(u32::from_be_bytes(bytes[at + 12..at + 16].try_into().unwrap()), 4);
}

#[test]
fn what_cannot_be_recorded_is_told_in_a_sentence_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let talk = session(folder.path(), "talk.halodi", |_| {});
    let empty = session(folder.path(), "empty.halodi", |session| session["scenes"] = serde_json::json!([]));
    let lost = session(folder.path(), "lost.halodi", |session| {
        session["job"]["source"] = serde_json::json!({ "file": "nowhere.hdf5" });
    });
    let out = |name: &str| folder.path().join(name);
    let told = |arguments: &[&str]| {
        let output = halodi(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        text(&output.stderr)
    };
    assert!(told(&record(&talk, &out("a.avi"), &[])).contains("'.avi'"));
    assert!(told(&record(&talk, &out("a.gif"), &["--fps", "60"])).contains("at most 50"));
    assert!(told(&record(&talk, &out("a.gif"), &["--from", "9"])).contains("a part of the talk's 2.0 s"));
    assert!(told(&record(&empty, &out("a.gif"), &[])).contains("without scenes"));
    assert!(told(&record(&lost, &out("a.gif"), &[])).contains("nowhere.hdf5"));
    if cfg!(feature = "mp4") {
        assert!(told(&record(&talk, &out("a.mp4"), &["--size", "161x90"])).contains("even numbers"));
    }
    assert!(!folder.path().join("a.gif").exists());
}
