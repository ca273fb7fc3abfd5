//! Files with mistakes, by the million: no panic, no signal, nothing slower than
//! ten seconds and nothing larger than a few gigabytes.
//!
//! ```text
//! cargo bench --bench fuzz -- --inputs 1000000 --keep target/fuzz
//! ```
//!
//! Small real files of every format are mutated (bits, bytes, numbers, blocks,
//! lengths) and opened as the program opens them. Every worker is a process of
//! its own: a crash ends it, is noted with the file, and the next one goes on
//! with the next file. The same seed gives the same files.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use halodi::dataset::{BoxRecord, DatasetConfig, Manifest, Origin, Split};
use halodi::field::{Cosmology, Grid, Layer, MassAssignment};
use halodi::io::{
    Catalogue, GroupRecord, MapHeader, Opened, Particles, Properties, identify, open_source, read_catalogue, read_map,
    write_catalogue, write_map, write_snapshot,
};
use halodi::nn::{Halo, Trained};
use halodi::sim::HydrogenModel;
use halodi::sim::nbody::{Force, GravityConfig, StepConfig};
use halodi::ui::{Arrangement, Layout, Preferences, Scene, Session, Talk};
use ndarray::Array3;

/// Longest time that a file may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Memory that a worker may take beside what it starts with, bytes.
const MEMORY: u64 = 3 << 30;

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    /// Opened as `inspect` and `spectrum` do.
    Source,
    Catalogue,
    Map,
    Manifest,
    Weights,
    Preferences,
    Session,
}

struct Seed {
    name: &'static str,
    target: Target,
    bytes: Vec<u8>,
    /// Part of all inputs.
    share: f64,
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// One input: the seed with a few mistakes.
fn mutate(seed: &[u8], number: u64) -> Vec<u8> {
    let mut random = Random(number);
    let mut bytes = seed.to_vec();
    let numbers = [0u64, 1, 2, 7, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 1 << 31, u32::MAX.into(), 1 << 62, u64::MAX];
    // Headers are where mistakes matter.
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let all = bytes.len();
        let at = if random.below(3) > 0 { random.below(all) } else { random.below(all.min(4096)) };
        match random.below(10) {
            0..=3 => bytes[at] ^= 1 << random.below(8),
            4 | 5 => bytes[at] = random.next() as u8,
            6 => {
                let width = [1, 2, 4, 8][random.below(4)];
                let value = numbers[random.below(numbers.len())].to_le_bytes();
                for (byte, new) in bytes[at..].iter_mut().zip(&value[..width]) {
                    *byte = *new;
                }
            }
            7 => {
                let (from, length) = (random.below(all), 1 + random.below(64));
                let block: Vec<u8> = bytes[from..].iter().take(length).copied().collect();
                for (byte, new) in bytes[at..].iter_mut().zip(block) {
                    *byte = new;
                }
            }
            8 => {
                let fill = [0, 0xff, 0x20][random.below(3)];
                let length = 1 + random.below(32);
                bytes[at..].iter_mut().take(length).for_each(|byte| *byte = fill);
            }
            _ if random.below(4) == 0 => bytes.truncate(at),
            _ => {
                bytes.remove(at);
            }
        }
    }
    bytes
}

/// Open a file as the program does. Errors are what is hoped for.
fn open(target: Target, path: &Path) {
    match target {
        Target::Source => {
            if identify(path).is_err() {
                return;
            }
            match open_source(path) {
                Ok(Opened::Snapshot(reader)) => {
                    let _ = reader.density(8, MassAssignment::Cic);
                    let types = (0..reader.header().counts.len()).filter(|&t| reader.header().counts[t] > 0);
                    if let Ok(reader) = reader.clone().with_species(&types.collect::<Vec<_>>()) {
                        let _ = reader.density(8, MassAssignment::Cic);
                    }
                    let _ = reader.particles(1, Properties { velocities: true, ids: true });
                }
                Ok(Opened::Grid(grid)) => {
                    let _ = (grid.one_plus_delta(), grid.brightness_temperature());
                }
                Err(_) => {}
            }
        }
        Target::Catalogue => drop(read_catalogue(path)),
        Target::Map => drop(read_map(path)),
        Target::Manifest => drop(Manifest::read(path.parent().unwrap_or(Path::new(".")))),
        Target::Preferences => drop(Preferences::read(path).layout.arrangement.and_then(|panels| panels.tree())),
        Target::Session => {
            if let Ok(session) = Session::read(path) {
                let _ = session.missing();
                // Every moment of what is taken for sound can be shown.
                let seconds = session.talk.seconds();
                for moment in 0..=40 {
                    let _ = session.talk.at(seconds * f64::from(moment) / 40.0);
                }
            }
        }
        Target::Weights => drop(Trained::<Halo>::load(path, &burn::tensor::Device::flex())),
    }
}

/// Positions of a few particles and the mass that makes them all of the matter.
fn particles(per_axis: usize, box_size: f64) -> Particles {
    let step = box_size / per_axis as f64;
    let count = per_axis.pow(3);
    let place = |i: usize| [i / per_axis / per_axis, i / per_axis % per_axis, i % per_axis];
    let positions =
        (0..count).map(|i| place(i).map(|c| ((c as f64 + 0.3 * ((7 * i + c) as f64).sin().abs()) * step) as f32));
    Particles {
        positions: positions.collect(),
        uniform_mass: Some(Cosmology::default().mean_matter_density() * box_size.powi(3) / count as f64),
        velocities: (0..count).map(|i| [100.0, -50.0, i as f32]).collect(),
        ids: (1..=count as u64).collect(),
        ..Particles::default()
    }
}

/// A snapshot whose datasets are chunked and filtered in all the ways that are
/// undone, SWIFT's or Gadget's.
fn compressed(path: &Path, swift: bool) -> hdf5::Result<()> {
    let particles = particles(8, 20.0);
    let count = particles.len();
    let c = Cosmology::default();
    let file = hdf5::File::create(path)?;
    let header = file.create_group("Header")?;
    let set = |group: &hdf5::Group, name: &str, value: f64| {
        group.new_attr::<f64>().create(name).and_then(|attribute| attribute.write_scalar(&value))
    };
    let (length, mass) = if swift { (1.0 / c.h, 1e-10 / c.h) } else { (1e3, 1e-10) };
    set(&header, "BoxSize", 20.0 * length)?;
    set(&header, "Redshift", 1.0)?;
    for (name, value) in [("NumPart_ThisFile", [0, count as u32, 0]), ("NumPart_Total", [0, count as u32, 0])] {
        header.new_attr_builder().with_data(&value).create(name)?;
    }
    let cosmology = if swift { file.create_group("Cosmology")? } else { header.clone() };
    let names = if swift { ["Omega_m", "Omega_lambda", "h"] } else { ["Omega0", "OmegaLambda", "HubbleParam"] };
    for (name, value) in names.into_iter().zip([c.omega_m, c.omega_lambda, c.h]) {
        set(&cosmology, name, value)?;
    }
    if swift {
        let units = file.create_group("Units")?;
        set(&units, "Unit length in cgs (U_L)", 3.085_677_58e24)?;
        set(&units, "Unit mass in cgs (U_M)", 1.988_41e43)?;
        set(&units, "Unit time in cgs (U_t)", 3.085_677_58e19)?;
    }
    let group = file.create_group("PartType1")?;
    let scaled: Vec<f32> = particles.positions.as_flattened().iter().map(|x| x * length as f32).collect();
    let rows = ndarray::Array2::from_shape_vec((count, 3), scaled)?;
    let builder = group.new_dataset_builder().chunk((100, 3));
    let builder = if swift { builder.shuffle().deflate(4).fletcher32() } else { builder.blosc_zstd(5, true) };
    builder.with_data(rows.view()).create("Coordinates")?;
    let velocities = ndarray::Array2::from_shape_vec((count, 3), particles.velocities.as_flattened().to_vec())?;
    group.new_dataset_builder().chunk((128, 3)).lzf().with_data(velocities.view()).create("Velocities")?;
    let masses = vec![(particles.uniform_mass.unwrap_or(1.0) * mass) as f32; count];
    group.new_dataset_builder().chunk(64).shuffle().lzf().with_data(&masses).create("Masses")?;
    group.new_dataset_builder().chunk(512).deflate(1).with_data(&particles.ids).create("ParticleIDs")?;
    file.close()
}

/// A binary snapshot of format 1 or 2.
fn binary(format: u8) -> Vec<u8> {
    let particles = particles(6, 20.0);
    let c = Cosmology::default();
    let mut header = Vec::new();
    let counts = [0u32, particles.len() as u32, 0, 0, 0, 0];
    counts.iter().for_each(|v| header.extend(v.to_le_bytes()));
    let mass = particles.uniform_mass.unwrap_or(1.0) / 1e10;
    [0.0, mass, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0].iter().for_each(|v: &f64| header.extend(v.to_le_bytes()));
    header.extend([0u8; 8]);
    counts.iter().for_each(|v| header.extend(v.to_le_bytes()));
    [0u32, 1].iter().for_each(|v| header.extend(v.to_le_bytes()));
    [20e3, c.omega_m, c.omega_lambda, c.h].iter().for_each(|v: &f64| header.extend(v.to_le_bytes()));
    header.resize(256, 0);
    let floats = |rows: &[[f32; 3]], scale: f32| -> Vec<u8> {
        rows.as_flattened().iter().flat_map(|v| (v * scale).to_le_bytes()).collect()
    };
    let ids: Vec<u8> = particles.ids.iter().flat_map(|&id| (id as u32).to_le_bytes()).collect();
    let mut out = Vec::new();
    let blocks = [
        ("HEAD", header),
        ("POS ", floats(&particles.positions, 1e3)),
        ("VEL ", floats(&particles.velocities, 1.0)),
        ("ID  ", ids),
    ];
    for (name, data) in blocks {
        if format == 2 {
            out.extend(8u32.to_le_bytes());
            out.extend(name.bytes());
            out.extend((data.len() as u32 + 8).to_le_bytes());
            out.extend(8u32.to_le_bytes());
        }
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(&data);
        out.extend((data.len() as u32).to_le_bytes());
    }
    out
}

fn npy() -> Vec<u8> {
    let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 6, 6, 6), }";
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{text:<117}\n").bytes());
    (0..432).for_each(|i| bytes.extend((1.0 + (i as f32).sin()).to_le_bytes()));
    bytes
}

fn fits() -> Vec<u8> {
    let cards = [
        "SIMPLE  =                    T",
        "BITPIX  =                  -32",
        "NAXIS   =                    3",
        "NAXIS1  =                    6",
        "NAXIS2  =                    6",
        "NAXIS3  =                    6",
        "BUNIT   = 'mK      '",
        "BOXSIZE =                 25.0",
        "BOXUNIT = 'Mpc/h   '",
        "REDSHIFT=                  1.0",
        "BSCALE  =                1.0D0",
        "END",
    ];
    let mut bytes: Vec<u8> = cards.iter().flat_map(|card| format!("{card:<80}").into_bytes()).collect();
    bytes.resize(2880, b' ');
    (0..216).for_each(|i| bytes.extend((i as f32).to_be_bytes()));
    bytes.resize(5760, 0);
    bytes
}

/// Real files of every format, small.
fn seeds() -> Vec<Seed> {
    let folder = tempfile::tempdir().expect("a folder for the seeds");
    let made = |name: &str, make: &dyn Fn(&Path)| -> Vec<u8> {
        let path = folder.path().join(name);
        make(&path);
        fs::read(&path).expect("the seed was written")
    };
    let c = Cosmology::default();
    let grid = Grid { values: Array3::from_shape_fn((6, 6, 6), |(x, y, z)| (1 + x + y * z) as f32), box_size: 25.0 };
    let map = |path: &Path| {
        let header = MapHeader { redshift: 1.0, cosmology: c, provenance: serde_json::json!({ "seed": 1 }) };
        write_map(path, &header, &[(Layer::DarkMatter, &grid), (Layer::BrightnessTemperature, &grid)]).expect("a map");
    };
    let group = |i: u32| GroupRecord {
        mass: 1e12 / f64::from(i),
        centre: [f64::from(i), 1.0, 2.0],
        velocity: [1.0, 2.0, 3.0],
        particles: 100,
    };
    let catalogue = Catalogue { box_size: 25.0, redshift: 1.0, groups: (1..20).map(group).collect() };
    let plain = |path: &Path| {
        write_snapshot(path, &particles(6, 20.0), 20.0, 1.0, &c, &serde_json::json!({})).expect("a snapshot");
    };
    let gridded = |path: &Path| {
        let file = hdf5::File::create(path).expect("a file");
        file.new_attr::<f64>().create("BoxSize").expect("an attribute").write_scalar(&25.0).expect("a number");
        let builder = file.new_dataset_builder().chunk((3, 3, 6)).shuffle().deflate(3);
        builder.with_data(grid.values.view()).create("density").expect("a dataset");
        file.close().expect("a whole file");
    };
    use Target::{
        Catalogue as Groups, Manifest as Boxes, Map, Preferences as Left, Session as Scenes, Source, Weights,
    };
    let seed = |name, target, share, bytes| Seed { name, target, bytes, share };
    vec![
        seed("snapshot.hdf5", Source, 0.08, made("a", &plain)),
        seed("blosc.hdf5", Source, 0.08, made("b", &|path| compressed(path, false).expect("a snapshot"))),
        seed("swift.hdf5", Source, 0.08, made("c", &|path| compressed(path, true).expect("a snapshot"))),
        seed("grid.hdf5", Source, 0.05, made("d", &gridded)),
        seed("map.hdf5", Map, 0.05, made("e", &map)),
        seed("fof.hdf5", Groups, 0.05, made("f", &|path| write_catalogue(path, &catalogue).expect("a catalogue"))),
        seed("binary1", Source, 0.13, binary(1)),
        seed("binary2", Source, 0.13, binary(2)),
        seed("grid.npy", Source, 0.13, npy()),
        seed("grid.fits", Source, 0.13, fits()),
        seed("manifest.json", Boxes, 0.05, manifest()),
        seed("preferences.json", Left, 0.018, preferences()),
        seed("talk.halodi", Scenes, 0.02, session()),
        seed("halo.safetensors", Weights, 0.002, include_bytes!("../assets/weights/halo.safetensors").to_vec()),
    ]
}

/// The manifest of a data set of one box.
fn manifest() -> Vec<u8> {
    let record = BoxRecord {
        split: Split::Train,
        index: 0,
        redshift: 1.0,
        seed: Some(1),
        pair: None,
        truth: String::new(),
        checksums: [("train/box_000/fields.hdf5".to_owned(), "00ff".repeat(16))].into(),
        haloes: 1000,
        omega_hi: 4e-4,
        mean_brightness_temperature: 0.1,
        seconds: 100.0,
    };
    let config = DatasetConfig {
        box_size: 25.0,
        particles: 128,
        redshifts: vec![1.0],
        start: 49.0,
        cosmology: Cosmology::default(),
        gravity: GravityConfig::new(Force::default(), 256),
        steps: StepConfig::default(),
        hydrogen: HydrogenModel::default(),
        seed: 1,
    };
    let manifest = Manifest {
        program: "halodi 0.1.0".to_owned(),
        config: Origin::Simulated(config),
        boxes: vec![record],
        leakage: None,
    };
    serde_json::to_vec_pretty(&manifest).expect("plain structs serialise")
}

/// A session with a talk of two scenes.
fn session() -> Vec<u8> {
    let scenes = vec![Scene::default(), Scene { caption: "Dark matter".to_owned(), ..Scene::default() }];
    let session = Session { format: Session::FORMAT, talk: Talk { scenes }, ..Session::default() };
    serde_json::to_vec_pretty(&session).expect("plain structs serialise")
}

/// What a restart of the window brings back.
fn preferences() -> Vec<u8> {
    let preferences = Preferences {
        layout: Layout { arrangement: Some(Arrangement::default()), ..Layout::default() },
        recent: vec!["snapshot.hdf5".into()],
        size: Some([1440.0, 900.0]),
        ..Preferences::default()
    };
    serde_json::to_vec_pretty(&preferences).expect("plain structs serialise")
}

/// The input with a number: that of its seed, then a random one of its own.
fn input(seed: &Seed, base: u64, number: u64) -> Vec<u8> {
    let name: u64 = seed.name.bytes().fold(0, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    mutate(&seed.bytes, Random(base ^ name.rotate_left(32) ^ number).next())
}

/// Open the inputs `from..to` of a seed, the number of each written to
/// `progress` first, panics to `panics`.
fn work(seed: &Seed, base: u64, from: u64, to: u64, folder: &Path) {
    limit_memory();
    std::panic::set_hook(Box::new(|_| ()));
    let mut progress = fs::File::create(folder.join("progress")).expect("a file for the progress");
    // A name that the target knows: a manifest has but one.
    let path = folder.join(if seed.target == Target::Manifest { "manifest.json" } else { "input" });
    for number in from..to {
        let bytes = input(seed, base, number);
        fs::write(&path, &bytes).expect("the input is written");
        progress.seek(SeekFrom::Start(0)).and_then(|_| progress.write_all(&number.to_le_bytes())).expect("progress");
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| open(seed.target, &path))) {
            let said = panic.downcast_ref::<String>().cloned();
            let said = said.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default();
            let mut file = fs::File::options().append(true).create(true).open(folder.join("panics")).expect("a file");
            writeln!(file, "{number}\t{}", said.replace('\n', " ")).expect("the panic is noted");
        }
    }
    progress.seek(SeekFrom::Start(0)).and_then(|_| progress.write_all(&to.to_le_bytes())).expect("progress");
}

/// Keep the worker from taking more than [`MEMORY`].
fn limit_memory() {
    #[cfg(target_os = "linux")]
    {
        let pages: u64 = fs::read_to_string("/proc/self/statm")
            .ok()
            .and_then(|text| text.split_whitespace().next()?.parse().ok())
            .unwrap_or(0);
        let most = pages * 4096 + MEMORY;
        let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        // SAFETY: setrlimit only reads the struct it is given.
        unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    }
}

fn reached(folder: &Path) -> Option<u64> {
    let mut bytes = [0u8; 8];
    fs::File::open(folder.join("progress")).ok()?.read_exact(&mut bytes).ok()?;
    Some(u64::from_le_bytes(bytes))
}

fn spawn(seed: usize, base: u64, from: u64, to: u64, folder: &Path) -> Child {
    let arguments = ["--worker".to_owned(), seed.to_string(), base.to_string(), from.to_string(), to.to_string()];
    Command::new(std::env::current_exe().expect("this program"))
        .args(arguments)
        .arg(folder)
        // Files are small: threads would only wait for each other.
        .env("RAYON_NUM_THREADS", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a worker starts")
}

/// What went wrong with the inputs of one seed.
#[derive(Default)]
struct Tally {
    inputs: u64,
    panics: Vec<(u64, String)>,
    signals: Vec<(u64, i32)>,
    slow: Vec<u64>,
}

/// Run `count` inputs of a seed in workers, one after the other as they crash.
fn run(index: usize, base: u64, count: u64) -> Tally {
    let folder = tempfile::tempdir().expect("a folder for a worker");
    let mut tally = Tally { inputs: count, ..Tally::default() };
    let mut from = 0;
    while from < count {
        let _ = fs::remove_file(folder.path().join("progress"));
        let mut child = spawn(index, base, from, count, folder.path());
        let (mut last, mut since) = (None, Instant::now());
        let status = loop {
            if let Some(status) = child.try_wait().expect("a worker can be waited for") {
                break Some(status);
            }
            let now = reached(folder.path());
            if now != last {
                (last, since) = (now, Instant::now());
            } else if since.elapsed() > LIMIT {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let at = reached(folder.path()).unwrap_or(from);
        match status {
            Some(status) if status.success() => break,
            Some(status) => tally.signals.push((at, status.signal().unwrap_or(-1))),
            None => tally.slow.push(at),
        }
        from = at + 1;
    }
    let panics = fs::read_to_string(folder.path().join("panics")).unwrap_or_default();
    tally.panics = panics
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(number, said)| Some((number.parse().ok()?, said.to_owned())))
        .collect();
    tally
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| arguments.iter().position(|a| a == name).and_then(|i| arguments.get(i + 1));
    let number = |name: &str, usual: u64| value(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let seeds = seeds();
    if arguments.first().is_some_and(|first| first == "--worker") {
        let numbers: Vec<u64> = arguments[1..5].iter().filter_map(|text| text.parse().ok()).collect();
        work(&seeds[numbers[0] as usize], numbers[1], numbers[2], numbers[3], Path::new(&arguments[5]));
        return ExitCode::SUCCESS;
    }
    let (inputs, base) = (number("--inputs", 100_000), number("--seed", 1));
    let keep = value("--keep").map(PathBuf::from);
    let only = value("--only");
    let begun = Instant::now();
    let mut bad = 0;
    println!("| file | inputs | panics | signals | over {} s | seconds |", LIMIT.as_secs());
    println!("|---|---|---|---|---|---|");
    for (index, seed) in seeds.iter().enumerate().filter(|(_, s)| only.is_none_or(|only| s.name.contains(only))) {
        let time = Instant::now();
        let count = if only.is_some() { inputs } else { (inputs as f64 * seed.share).round() as u64 };
        let tally = run(index, base, count);
        let (panics, signals, slow) = (tally.panics.len(), tally.signals.len(), tally.slow.len());
        println!(
            "| {} | {} | {panics} | {signals} | {slow} | {:.0} |",
            seed.name,
            tally.inputs,
            time.elapsed().as_secs_f64()
        );
        bad += panics + signals + slow;
        let named = tally.panics.iter().map(|(n, said)| (*n, format!("panic: {said}")));
        let named = named.chain(tally.signals.iter().map(|(n, signal)| (*n, format!("signal {signal}"))));
        let named = named.chain(tally.slow.iter().map(|n| (*n, "too slow".to_owned())));
        for (n, what) in named.take(40) {
            eprintln!("{} {n}: {what}", seed.name);
            if let Some(keep) = &keep {
                fs::create_dir_all(keep).expect("a folder to keep files in");
                fs::write(keep.join(format!("{n}-{}", seed.name)), input(seed, base, n)).expect("a file is kept");
            }
        }
    }
    println!("{inputs} inputs in {:.0} s, {bad} findings", begun.elapsed().as_secs_f64());
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
