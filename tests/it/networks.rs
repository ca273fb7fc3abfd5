//! HALO and LODI as a whole: the same maps on every device and in every batch, learning that
//! learns, and weights that survive the disk.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use halodi::dataset::{BoxRecord, Dataset, DatasetConfig, Manifest, Origin, Split};
use halodi::device::{ComputeDevice, GpuContext, host};
use halodi::field::{Cosmology, Grid, HALO_MASS_BINS, Layer, LogTransform, NoiseCorrelation, Stream, fill_normal};
use halodi::io::{MapHeader, write_map};
use halodi::nn::{
    CONDITION_CHANNELS, Calibration, ConditionalMean, ConditionalMeanConfig, FeatureConfig, HALO_CLASSES, Halo,
    HaloConfig, LocalRelation, Lodi, LodiConfig, ModelCard, NoiseSchedule, Residual, Sampler, Trained, TrainingRange,
    UNetConfig,
};
use halodi::predict::{
    DarkMatter, Models, NoObserver, Settings, coarse_halo_fractions, expected_temperature, halo_maps, predict,
};
use halodi::sim::HydrogenModel;
use halodi::sim::nbody::{Force, GravityConfig, StepConfig};
use halodi::stitch::Overlap;
use halodi::train::{TrainConfig, TrainingBox, train_halo, train_refinement};

fn features(thresholds: &[f64], smoothing: &[f64]) -> FeatureConfig {
    FeatureConfig {
        dark_matter: LogTransform::above(0.1),
        thresholds: thresholds.to_vec(),
        mass: LogTransform::above(1e9),
        distance: LogTransform::above(0.2),
        smoothing: smoothing.to_vec(),
        smoothed: LogTransform::above(0.1),
        redshift: false,
    }
}

fn tiny_mean() -> ConditionalMeanConfig {
    ConditionalMeanConfig {
        width: 8,
        halo_mass: LogTransform::above(1e9),
        temperature: LogTransform::above(0.1),
        features: features(&[1.5], &[2.0]),
        relation: LocalRelation { hydrogen_fraction: [0.005; HALO_MASS_BINS] },
    }
}

fn tiny_lodi() -> LodiConfig {
    LodiConfig {
        net: UNetConfig::new(1 + CONDITION_CHANNELS, 1, vec![8, 16]).with_heads(2).with_frequencies(4),
        tile: 8,
        trained_on: TrainingRange { voxel: 0.25, redshift: [0.0, 2.0], omega_m: [0.3; 2], sigma_8: [0.8; 2] },
        schedule: NoiseSchedule { gamma_min: -10.0, gamma_max: 5.0 },
        noise: NoiseCorrelation { smooth: 0.5, radius: 1.0 },
        condition: [LogTransform::above(0.1); CONDITION_CHANNELS],
        conditional_mean: tiny_mean(),
        residual: Residual::default(),
        // Something to be seen at every noise level and temperature.
        calibration: Calibration { levels: vec![vec![[0.01, 0.1, -0.05]; 19], vec![[0.0, 0.2, -0.1]; 19]] },
        data_range: [-10.0, 10.0],
    }
}

fn tiny_halo(thresholds: &[f64]) -> HaloConfig {
    let features = features(thresholds, &[]);
    HaloConfig {
        net: UNetConfig::new(features.channels(), HALO_CLASSES, vec![16, 16]).with_heads(2),
        refinement: 8,
        tile: 8,
        context: 4,
        voxel: 0.25,
        features,
        mass_edges: [1e10, 1e11, 1e12, 1e13, 1e15],
    }
}

/// Weights that are not the zeros that a fresh network ends in: every
/// parameter is drawn from the counter-based generator, the same on all devices.
fn filled<M: Module>(fresh: M) -> M {
    use burn::module::{ModuleMapper, Param};
    struct Fill(u32);
    impl ModuleMapper for Fill {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.0 += 1;
            param.map(|value| {
                let mut noise = vec![0f32; value.shape().num_elements()];
                fill_normal(&mut noise, 11, Stream::Training(self.0));
                let scale = 0.5 / (noise.len() as f32).powf(0.3);
                let shape = value.dims();
                let device = value.device();
                let noise: Vec<f32> = noise.iter().map(|v| v * scale).collect();
                Tensor::<1>::from_floats(noise.as_slice(), &device).reshape(shape)
            })
        }
    }
    fresh.map(&mut Fill(0))
}

/// `1 + δ` on `n³` voxels of a quarter Mpc/h.
fn dark_matter(n: usize) -> DarkMatter {
    let mut density = Grid::zeros(n, 0.25 * n as f64);
    fill_normal(density.as_slice_mut(), 6, Stream::Latent);
    DarkMatter { density: density.map(f32::exp), redshift: 1.0, cosmology: Cosmology::default() }
}

/// The same box with its first voxel elsewhere.
fn moved(field: &Grid, by: [usize; 3]) -> Grid {
    let n = field.n();
    let mut there = field.clone();
    for ((x, y, z), &v) in field.values.indexed_iter() {
        there.values[[(x + by[0]) % n, (y + by[1]) % n, (z + by[2]) % n]] = v;
    }
    there
}

fn card() -> ModelCard {
    ModelCard {
        data: "nothing".to_owned(),
        steps: 0,
        hours: 0.0,
        machine: "none".to_owned(),
        seed: 11,
        caveat: "For tests only.".to_owned(),
    }
}

/// Untrained networks whose every part says something.
fn models(device: ComputeDevice) -> Models {
    let halo = filled(Halo::new(&tiny_halo(&[1.5, 3.0]), &device.burn));
    let lodi = filled(Lodi::new(&tiny_lodi(), &device.burn));
    Models {
        halo: Trained { network: halo, card: card(), checksum: None },
        lodi: Trained { network: lodi, card: card(), checksum: None },
        device,
        precision: None,
    }
}

fn cpu(batch: usize, workers: usize) -> ComputeDevice {
    ComputeDevice { batch, workers, ..ComputeDevice::cpu("") }
}

fn gpu() -> ComputeDevice {
    let burn = GpuContext::shared().expect("a Vulkan device, software or not").burn;
    ComputeDevice { burn, batch: 3, ..cpu(3, 1) }
}

fn map(device: ComputeDevice, overlap: Overlap) -> Vec<f32> {
    let settings = Settings { steps: 6, seed: 3, overlap, sampler: Sampler::Ancestral, ..Settings::default() };
    let made = predict(&dark_matter(16), &models(device), &settings, &mut NoObserver).unwrap();
    made.brightness_temperature.as_slice().to_vec()
}

#[test]
fn a_map_is_bit_equal_for_every_batch_size_and_number_of_threads() {
    for overlap in [Overlap::Shifted, Overlap::Blended, Overlap::Feathered] {
        let reference = map(cpu(1, 1), overlap);
        let (low, high) = reference.iter().fold((f32::MAX, 0f32), |(l, h), &v| (l.min(v), h.max(v)));
        assert!(high > 2.0 * low && high.is_finite(), "a map of nothing proves nothing");
        assert_eq!(reference, map(cpu(1, 3), overlap));
        assert_eq!(reference, map(cpu(2, 2), overlap));
        assert_eq!(reference, map(cpu(8, 1), overlap));
    }
}

#[test]
fn the_same_seed_gives_the_same_map_on_cpu_and_wgpu() {
    let (on_cpu, on_gpu) = (map(cpu(1, 2), Overlap::Shifted), map(gpu(), Overlap::Shifted));
    let norm = on_cpu.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let difference = on_cpu.iter().zip(&on_gpu).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    assert!(difference <= 1e-3 * norm, "relative difference {:e}", difference / norm);
}

/// Windows, features and refinement too: HALO's maps are the same on every device, and in a box
/// that begins elsewhere, by whole tiles, the same elsewhere.
#[test]
fn halo_says_the_same_on_cpu_and_wgpu_and_wherever_a_box_begins() {
    let config = tiny_halo(&[1.5, 3.0]);
    let here = dark_matter(16);
    let fractions = |dark_matter: &DarkMatter, device: &ComputeDevice| -> Vec<Grid> {
        let halo = filled(Halo::new(&config, &device.burn));
        let maps = host(halo_maps(dark_matter, &halo, device, &mut NoObserver).unwrap()).unwrap();
        let mean = dark_matter.cosmology.mean_matter_density() as f32;
        let fraction =
            |map: &[f32]| map.iter().zip(dark_matter.density.as_slice()).map(|(m, d)| m / (d * mean)).collect();
        maps.chunks(16usize.pow(3)).map(|map| Grid::from_values(fraction(map), 4.0)).collect()
    };
    let close = |a: &[Grid], b: &[Grid]| {
        a.iter().zip(b).all(|(a, b)| a.as_slice().iter().zip(b.as_slice()).all(|(a, b)| (a - b).abs() <= 1e-3))
    };
    let on_cpu = fractions(&here, &cpu(1, 2));
    assert!(on_cpu[0].as_slice().iter().any(|v| (v - 0.2).abs() > 0.02), "the network says nothing");
    assert!(close(&fractions(&here, &gpu()), &on_cpu));
    let by = [config.tile; 3];
    let there = DarkMatter { density: moved(&here.density, by), ..here };
    let expected: Vec<Grid> = on_cpu.iter().map(|map| moved(map, by)).collect();
    assert!(close(&fractions(&there, &cpu(1, 2)), &expected));
}

fn halo_mass(dark_matter: &DarkMatter, device: &Device) -> Tensor<4> {
    let n = dark_matter.density.n();
    let mut values = vec![0f32; HALO_MASS_BINS * n.pow(3)];
    fill_normal(&mut values, 5, Stream::Training(0));
    let values: Vec<f32> = values.into_iter().map(|v| 1e12 * v.exp()).collect();
    Tensor::from_data(TensorData::new(values, [HALO_MASS_BINS, n, n, n]), device)
}

#[test]
fn a_fresh_conditional_mean_is_the_local_relation() {
    let device = cpu(1, 2);
    let here = dark_matter(16);
    let maps = halo_mass(&here, &device.burn);
    let mean = ConditionalMean::new(&tiny_mean(), &device.burn);
    let expected = host(expected_temperature(&here, &maps, &mean, &device, &mut NoObserver).unwrap()).unwrap();
    let scale = here.cosmology.brightness_temperature_scale(1.0) as f32;
    let maps = host(maps).unwrap();
    for (i, &t) in expected.iter().enumerate() {
        // HI of half a percent of the mass, in mK, and next to nothing more.
        let mass: f32 = maps.iter().skip(i).step_by(expected.len()).sum();
        let local = 0.005 * mass * scale / 2.775_366e11;
        assert!(t > local * 0.999 && t - local < 0.011 + 1e-3 * local, "{t} mK where the local relation says {local}");
    }
}

/// No voxel sees how the box is cut into tiles, or where it begins.
#[test]
fn a_conditional_mean_is_the_same_on_cpu_and_wgpu_and_wherever_a_box_begins() {
    let n = 64;
    let here = dark_matter(n);
    let run = |dark_matter: &DarkMatter, maps: Tensor<4>, device: &ComputeDevice| -> Grid {
        let mean = filled(ConditionalMean::new(&tiny_mean(), &device.burn));
        let maps = Tensor::from_data(maps.into_data(), &device.burn);
        let map = expected_temperature(dark_matter, &maps, &mean, device, &mut NoObserver).unwrap();
        Grid::from_values(host(map).unwrap(), dark_matter.density.box_size)
    };
    let close =
        |a: &Grid, b: &Grid| a.as_slice().iter().zip(b.as_slice()).all(|(a, b)| (a - b).abs() <= 2e-3 * b.abs());
    let maps = halo_mass(&here, &Device::flex());
    let on_cpu = run(&here, maps.clone(), &cpu(1, 2));
    let (low, high) = on_cpu.range();
    assert!(high > 3.0 * low, "the network says nothing");
    assert!(close(&run(&here, maps.clone(), &gpu()), &on_cpu));
    let by = [5, 17, 40];
    let values = host(maps).unwrap();
    let elsewhere: Vec<f32> = values
        .chunks(n.pow(3))
        .flat_map(|map| moved(&Grid::from_values(map.to_vec(), 1.0), by).as_slice().to_vec())
        .collect();
    let elsewhere = Tensor::from_data(TensorData::new(elsewhere, [HALO_MASS_BINS, n, n, n]), &Device::flex());
    let there = DarkMatter { density: moved(&here.density, by), ..here };
    assert!(close(&run(&there, elsewhere, &cpu(1, 2)), &moved(&on_cpu, by)));
}

#[test]
fn weights_survive_the_disk_and_the_wrong_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lodi.safetensors");
    let device = Device::flex();
    let saved = Trained { network: filled(Lodi::new(&tiny_lodi(), &device)), card: card(), checksum: None };
    saved.save(&path).unwrap();
    let loaded = Trained::<Lodi>::load(&path, &device).unwrap();
    assert_eq!((loaded.config(), &loaded.card), (&tiny_lodi(), &card()));
    let forward = |lodi: &Lodi| {
        let z = Tensor::<5>::ones([1, 1, 8, 8, 8], &device);
        let condition = Tensor::<5>::ones([1, CONDITION_CHANNELS, 8, 8, 8], &device);
        host(lodi.denoise(z, condition, 0.5)).unwrap()
    };
    assert_eq!(forward(&saved.network), forward(&loaded.network));

    let refused = |bytes: &[u8], part: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = Trained::<Lodi>::load(&path, &device).unwrap_err();
        let sentence = error.to_string();
        assert!(
            sentence.contains(part) && sentence.contains("lodi.safetensors") && error.exit_code() == 2,
            "{sentence}"
        );
        assert!(!sentence.contains('\n'), "{sentence}");
    };
    let error = Trained::<Halo>::load(&path, &device).unwrap_err();
    assert!(error.to_string().contains("weights of 'lodi'") && error.exit_code() == 2, "{error}");
    let whole = std::fs::read(&path).unwrap();
    // Cut short anywhere: in the header, between tensors, by the last byte.
    for length in [0, 4, 100, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..length], "no whole safetensors file");
    }
    refused(b"not weights, but something else", "no whole safetensors file");
    // A configuration that another version would write: a field renamed, of the same length.
    let mut other = whole.clone();
    let at = other.windows(8).position(|w| w == b"residual").expect("the configuration");
    other[at..at + 8].copy_from_slice(b"leftover");
    refused(&other, "another version of Halodi");
    let missing = Trained::<Lodi>::load(&folder.path().join("gone"), &device).unwrap_err();
    assert!(missing.to_string().contains("gone"));
}

/// A data set on disk with one small box, whose matter is in haloes by a rule
/// that HALO can learn: none below 0.7 times the mean density, the lightest bin
/// up to 1.4, the third above.
fn made_up_box(folder: &Path) -> TrainingBox {
    // Training opens burn's default device, which the window's tests want to be
    // the one that is shared; so that one is opened first.
    let _ = GpuContext::shared();
    let n = 16;
    let cosmology = Cosmology::default();
    let mut dark_matter = Grid::zeros(n, 4.0);
    fill_normal(dark_matter.as_slice_mut(), 4, Stream::Latent);
    let dark_matter = dark_matter.map(|v| v.exp());
    let mean = cosmology.mean_matter_density() as f32;
    let where_in = |low: f32, high: f32| dark_matter.map(|v| if (low..high).contains(&v) { v * mean } else { 0.0 });
    let (empty, light, heavy) = (Grid::zeros(n, 4.0), where_in(0.7, 1.4), where_in(1.4, f32::MAX));
    let layers = [
        (Layer::DarkMatter, &dark_matter),
        (Layer::HaloMass(0), &light),
        (Layer::HaloMass(1), &empty),
        (Layer::HaloMass(2), &heavy),
        (Layer::HaloMass(3), &empty),
        (Layer::Reference, &empty),
    ];
    let header = MapHeader { redshift: 1.0, cosmology, provenance: serde_json::Value::Null };
    let _turn = crate::program::alone();
    write_map(folder.join("train/box_000/fields.hdf5"), &header, &layers).unwrap();
    let record = BoxRecord {
        split: Split::Train,
        index: 0,
        redshift: 1.0,
        seed: Some(1),
        pair: None,
        truth: String::new(),
        checksums: BTreeMap::new(),
        haloes: 0,
        omega_hi: 0.0,
        mean_brightness_temperature: 0.0,
        seconds: 0.0,
    };
    let config = DatasetConfig {
        box_size: 4.0,
        particles: n,
        redshifts: vec![1.0],
        start: 49.0,
        cosmology,
        gravity: GravityConfig::new(Force::Mesh, 32),
        steps: StepConfig::default(),
        hydrogen: HydrogenModel::default(),
        seed: 1,
    };
    Manifest { program: "test".to_owned(), config: Origin::Simulated(config), boxes: vec![record], leakage: None }
        .write(folder)
        .unwrap();
    TrainingBox::read(&Dataset::open(folder).unwrap().train()[0]).unwrap()
}

#[test]
fn halo_learns_which_matter_is_in_haloes_and_keeps_its_mass() {
    let folder = tempfile::tempdir().unwrap();
    let boxes = [made_up_box(folder.path())];
    let device = cpu(1, 2);
    let settings = TrainConfig {
        steps: 450,
        batch: 2,
        crop: 24,
        learning_rate: 2e-3,
        warmup: 20,
        ema_decay: 0.95,
        ..TrainConfig::default()
    };
    device.burn.seed(1);
    let halo = Halo::new(&tiny_halo(&[1.4]), &device.burn);
    let mut losses = Vec::new();
    let learned = train_halo((&boxes, &[]), halo, &settings, &device, &folder.path().join("state"), |report| {
        losses.push(report.loss);
        true
    })
    .unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (early, late) = (mean(&losses[..5]), mean(&losses[430..]));
    assert!(late < 0.4 * early, "loss went from {early} to {late}");

    let fields = boxes[0].fields();
    let maps = host(halo_maps(&fields.dark_matter, &learned.network, &device, &mut NoObserver).unwrap()).unwrap();
    let maps: Vec<&[f32]> = maps.chunks(fields.n().pow(3)).collect();
    for bin in [0, 2] {
        let ratio = maps[bin].iter().sum::<f32>() as f64 / fields.halo_mass.as_ref().unwrap()[bin].sum();
        assert!((ratio - 1.0).abs() < 0.15, "bin {bin} has {ratio} of its mass");
    }
    // No voxel has more halo mass than mass.
    let matter = fields.dark_matter.cosmology.mean_matter_density();
    for (i, &m) in fields.dark_matter.density.as_slice().iter().enumerate() {
        let sum: f64 = maps.iter().map(|map| f64::from(map[i])).sum();
        assert!(sum <= f64::from(m) * matter * 1.001 + 1e6);
    }
}

/// The edges of the made-up bins are sharp; a refinement finds them behind a U-Net that
/// says nothing, and leaves it as it is.
#[test]
fn a_refinement_divides_voxels_and_leaves_the_u_net_alone() {
    let folder = tempfile::tempdir().unwrap();
    let boxes = [made_up_box(folder.path())];
    let device = cpu(1, 2);
    device.burn.seed(1);
    let halo = Halo::new(&tiny_halo(&[20.0]), &device.burn);
    let settings =
        TrainConfig { steps: 500, batch: 1, learning_rate: 1e-2, warmup: 10, ema_decay: 0.9, ..TrainConfig::default() };
    let state = folder.path().join("state");
    let learned = train_refinement((&boxes, &[]), halo.clone(), &settings, &device, &state, |_| true).unwrap().network;

    let fields = boxes[0].fields();
    let dark_matter = &fields.dark_matter;
    let coarse = |halo: &Halo| host(coarse_halo_fractions(dark_matter, halo, &device).unwrap()).unwrap();
    assert_eq!(coarse(&halo), coarse(&learned));
    let mean = dark_matter.cosmology.mean_matter_density();
    let cross_entropy = |halo: &Halo| {
        let maps = host(halo_maps(dark_matter, halo, &device, &mut NoObserver).unwrap()).unwrap();
        let voxels = dark_matter.density.as_slice();
        let fractions = fields.halo_fractions().unwrap();
        let sum: f64 = (0..voxels.len())
            .map(|i| {
                let matter = f64::from(voxels[i]);
                let of = |bin: usize| f64::from(maps[bin * voxels.len() + i]) / (matter * mean);
                let none = 1.0 - (0..HALO_MASS_BINS).map(of).sum::<f64>();
                let told = (0..HALO_MASS_BINS).map(of).chain([none]);
                told.zip(&fractions).map(|(p, f)| -matter * f64::from(f.as_slice()[i]) * p.max(1e-9).ln()).sum::<f64>()
            })
            .sum();
        sum / dark_matter.density.sum()
    };
    let (before, after) = (cross_entropy(&halo), cross_entropy(&learned));
    assert!(before > 1.0 && after < 0.25 * before, "from {before} to {after}");
}

#[test]
fn a_stopped_training_goes_on_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    let boxes = [made_up_box(folder.path())];
    let device = cpu(1, 2);
    let settings = TrainConfig { steps: 6, batch: 1, crop: 24, warmup: 2, validate_every: 2, ..TrainConfig::default() };
    let train = |state: &str, stop_at: usize, settings: &TrainConfig| {
        device.burn.seed(settings.seed);
        let halo = Halo::new(&tiny_halo(&[20.0]), &device.burn);
        let state = folder.path().join(state);
        train_halo((&boxes, &[]), halo, settings, &device, &state, |r| r.step != stop_at)
    };
    let whole = train("whole", 0, &settings).unwrap();
    let half = train("parts", 3, &settings).unwrap();
    assert_eq!(half.steps, 3);
    let rest = train("parts", 0, &settings).unwrap();
    assert_eq!(rest.steps, 6);
    let output = |halo: &Halo| {
        host(halo.coarse(Tensor::<5>::ones([1, halo.config().net.input, 8, 8, 8], &device.burn))).unwrap()
    };
    assert_eq!(output(&whole.network), output(&rest.network));
    assert_ne!(output(&whole.network), output(&half.network));
    // A training with other settings does not go on from this one's state.
    let other = train("parts", 0, &TrainConfig { learning_rate: 1e-4, ..settings }).unwrap_err();
    assert!(other.to_string().contains("other settings"), "{other}");
}
