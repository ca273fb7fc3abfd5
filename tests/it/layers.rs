//! The order of the modules: data flows one way, and no module uses one further down.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The modules of the library as ARCHITECTURE.md lists them, upstream first.
fn order() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `src/")).filter_map(|row| row.split('`').next());
    rows.map(|row| row.trim_end_matches(".rs").to_owned()).filter(|row| !row.contains('/')).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

/// The modules of the crate that a source names, outside comments.
fn uses(source: &str) -> Vec<&str> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| {
            rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())).next().unwrap_or("")
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn no_module_uses_one_further_down_the_data_flow() {
    let order = order();
    let place: BTreeMap<&str, usize> = order.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut used = 0;
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let here = *place.get(module).unwrap_or_else(|| panic!("ARCHITECTURE.md does not list src/{module}"));
        let source = std::fs::read_to_string(&file).unwrap();
        for name in uses(&source) {
            if let Some(&there) = place.get(name) {
                used += 1;
                assert!(there <= here, "{}: {module} uses {name}, which lies further down", inside.display());
            }
        }
    }
    assert!(used > 100, "only {used} uses were found");
}
