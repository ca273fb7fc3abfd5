//! What `make package` packs.

use std::path::Path;
use std::process::Command;

/// The value of a key in the desktop entry.
fn entry<'a>(desktop: &'a str, key: &str) -> &'a str {
    let line = desktop.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_else(|| panic!("the desktop entry has no {key}"))
}

#[test]
fn the_tree_of_the_packages_is_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    // Any program will do for the program.
    let made =
        Command::new(root.join("assets/package/make.sh")).arg("/bin/true").arg(folder.path()).arg("--tree").output();
    let made = made.expect("bash runs the script");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let share = folder.path().join("tree/share");
    let read = |path: &str| std::fs::read_to_string(share.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let desktop = read("applications/halodi.desktop");
    assert!(entry(&desktop, "Exec").starts_with("halodi view %f"));
    for size in ["scalable/apps/halodi.svg", "256x256/apps/halodi.png"] {
        assert!(share.join("icons/hicolor").join(size).is_file());
    }
    assert_eq!(entry(&desktop, "Icon"), "halodi");
    // Every type of file that opens with it is one that the system knows or is told of.
    let types = read("mime/packages/halodi.xml");
    for mime in entry(&desktop, "MimeType").split(';').filter(|mime| !mime.is_empty()) {
        assert!(types.contains(&format!("\"{mime}\"")) || mime == "application/x-hdf", "{mime}");
    }
    assert!(types.contains(&format!("*.{}", halodi::ui::Session::ENDING)));
    for name in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "copyright", "weights.md"] {
        assert!(share.join("doc/halodi").join(name).is_file(), "{name}");
    }
    assert!(share.join("man/man1/halodi.1.gz").is_file());
    assert!(folder.path().join("tree/bin/halodi").is_file());
}
