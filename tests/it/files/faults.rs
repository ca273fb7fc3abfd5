//! Faults while working, real ones: a full disk, a disk that turns read-only, a
//! killed program, a file that changes while it is read, weights that do not fit.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use halodi::io::read_map;

use super::Recipe;
use crate::program::{alone, halodi, start, text};

/// The snapshot that comes with the program.
fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/gadget4_dm64_L12p5_z1.hdf5")
}

/// A file system of a few hundred kilobytes.
struct Disk(tempfile::TempDir);

impl Disk {
    /// Mount one; `None`, with the reason on standard error, where that is not
    /// allowed.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={size}");
        if !run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs"], folder.path()) {
            eprintln!("skipped: no small file system can be mounted here (it needs an administrator)");
            return None;
        }
        Some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &["-l"], self.0.path());
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    let _turn = alone();
    let command = Command::new(program).args(arguments).arg(path).stderr(Stdio::null()).status();
    command.is_ok_and(|status| status.success())
}

/// A reference map of the demo, which takes seconds and megabytes.
fn reference(out: &Path) -> Vec<String> {
    let demo = demo();
    ["reference", demo.to_str().unwrap(), "--out", out.to_str().unwrap()].map(str::to_owned).to_vec()
}

fn output(arguments: &[String]) -> Output {
    halodi(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The one sentence of a failed run.
fn sentence(output: &Output) -> String {
    let said = text(&output.stderr);
    let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("halodi: ")).collect();
    assert!(errors.len() == 1 && !said.contains("panicked"), "{said}");
    errors[0].to_owned()
}

#[test]
fn a_full_disk_costs_one_sentence_and_no_file() {
    let Some(disk) = Disk::mount("300k") else { return };
    let map = disk.path().join("map.hdf5");
    fs::write(&map, "an earlier map").unwrap();
    let result = output(&reference(&map));
    let said = sentence(&result);
    assert!(result.status.code() == Some(1) && said.contains("No space left on device"), "{said}");
    assert!(said.ends_with("Choose another place with --out"), "{said}");
    assert_eq!(fs::read(&map).unwrap(), b"an earlier map");
    assert_eq!(fs::read_dir(disk.path()).unwrap().count(), 1);
}

#[test]
fn a_disk_that_turns_read_only_costs_one_sentence() {
    let Some(disk) = Disk::mount("8m") else { return };
    let folder = disk.path().join("out");
    fs::create_dir(&folder).unwrap();
    let arguments = reference(&folder.join("map.hdf5"));
    let child = start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    std::thread::sleep(Duration::from_millis(30));
    let locked = run("mount", &["-o", "remount,ro"], disk.path());
    let result = child.wait_with_output().unwrap();
    if locked && !result.status.success() {
        let said = sentence(&result);
        assert!(result.status.code() == Some(1) && said.contains("cannot be written"), "{said}");
    }
    assert!(result.status.signal().is_none());
    // From the start.
    if locked {
        let said = sentence(&output(&arguments));
        assert!(said.contains("Read-only file system"), "{said}");
    }
}

#[test]
fn a_killed_program_leaves_a_whole_map_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("map.hdf5");
    for wait in [5, 50, 150, 300, 450, 600, 750, 900, 1100, 1400] {
        let arguments = reference(&map);
        let mut child = start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_millis(wait));
        let _ = child.kill();
        child.wait().unwrap();
        if map.exists() {
            assert!(read_map(&map).unwrap().layers.len() >= 2, "after {wait} ms");
            fs::remove_file(&map).unwrap();
        }
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_told_or_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot.hdf5");
    let whole = fs::read(demo()).unwrap();
    let other = fs::read(Recipe::default().write(folder.path())).unwrap();
    for wait in [0, 4, 8, 12, 16, 20, 25, 30, 40, 60] {
        fs::write(&path, &whole).unwrap();
        let child = start(&["spectrum", path.to_str().unwrap(), "--grid", "32"]);
        std::thread::sleep(Duration::from_millis(wait));
        // Cut in place, then another snapshot in its place.
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_len(whole.len() as u64 / 3).unwrap();
        drop(file);
        std::thread::sleep(Duration::from_millis(2));
        fs::write(&path, &other).unwrap();
        let result = child.wait_with_output().unwrap();
        assert!(result.status.signal().is_none(), "killed by {:?} after {wait} ms", result.status.signal());
        if !result.status.success() {
            assert_eq!(result.status.code(), Some(2), "{}", text(&result.stderr));
            sentence(&result);
        }
    }
}

#[test]
fn weights_that_do_not_fit_cost_one_sentence() {
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/weights");
    let (halo, lodi) = (weights.join("halo.safetensors"), weights.join("lodi.safetensors"));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let cut = fs::read(&halo).unwrap();
    for (name, bytes) in
        [("swapped", fs::read(&lodi).unwrap()), ("cut", cut[..cut.len() / 2].to_vec()), ("empty", vec![])]
    {
        let place = folder.path().join(name);
        fs::create_dir(&place).unwrap();
        fs::write(place.join("halo.safetensors"), bytes).unwrap();
        fs::copy(&lodi, place.join("lodi.safetensors")).unwrap();
        let arguments =
            ["predict", "--demo", "--grid", "32", "--device", "cpu", "--weights", place.to_str().unwrap(), "--out"];
        let result = halodi(&[&arguments[..], &[out.to_str().unwrap()]].concat());
        let said = sentence(&result);
        assert!(result.status.code() == Some(2) && said.contains("halo.safetensors"), "{name}: {said}");
        assert!(!out.join("map.hdf5").exists());
    }
}

#[test]
fn without_a_desktop_session_no_error_is_printed_that_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let turn = alone();
    let child = Command::new(env!("CARGO_BIN_EXE_halodi"))
        .args(["predict", "--demo", "--device", "auto", "--weights", "/nowhere", "--out"])
        .arg(folder.path())
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(turn);
    let result = child.wait_with_output().unwrap();
    let said = text(&result.stderr);
    assert!(!said.lines().any(|line| line.starts_with("error:")), "{said}");
    assert!(sentence(&result).contains("/nowhere"), "{said}");
}
