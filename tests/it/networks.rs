//! HALO and LODI as a whole: the same numbers on every device and in every
//! batch, learning that learns, and weights that survive the disk.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use halodi::dataset::{BoxRecord, Dataset, DatasetConfig, Manifest, Split};
use halodi::field::{Cosmology, Grid, LogTransform};
use halodi::io::{MapHeader, write_map};
use halodi::nn::{
    CONDITION_CHANNELS, Correction, Decision, Departure, ExpectationConfig, HALO_CLASSES, Halo, HaloConfig,
    HaloRelation, Linking, LocalRelation, Lodi, LodiConfig, ModelCard, NoiseSchedule, RegionTransform, Sampler,
    SurroundingsTransform, Trained, UNetConfig, Weighing,
};
use halodi::pipeline::Layer;
use halodi::render::GpuContext;
use halodi::sim::HydrogenModel;
use halodi::sim::nbody::{Force, GravityConfig, StepConfig};
use halodi::stitch::{
    ChannelField, LatentOverlap, Lattice, NoiseColour, Overlap, Stream, TileOrder, WindowBatch, fill_normal,
};
use halodi::train::{Fit, TrainingBox, train_halo, train_refinement};

fn regions_above(thresholds: Vec<f64>) -> RegionTransform {
    RegionTransform { thresholds, mass: LogTransform::above(1e9), distance: LogTransform::above(0.2) }
}

fn tiny_lodi() -> LodiConfig {
    LodiConfig {
        net: UNetConfig::new(1 + CONDITION_CHANNELS, 1, vec![8, 16]).with_heads(2).with_frequencies(4),
        tile: 8,
        voxel: 0.2,
        redshift: 1.0,
        schedule: NoiseSchedule { gamma_min: -10.0, gamma_max: 5.0 },
        noise: NoiseColour { smooth: 0.5, radius: 1.0 },
        expectation: ExpectationConfig {
            width: 8,
            condition: [LogTransform::above(0.1); CONDITION_CHANNELS],
            regions: regions_above(vec![1.5]),
            surroundings: SurroundingsTransform { radii: vec![2.0], density: LogTransform::above(0.1) },
            relation: LocalRelation { hydrogen_fraction: [0.005; 4] },
            haloes: None,
        },
        departure: Departure::default(),
        correction: Correction::default(),
        data_range: [-10.0, 10.0],
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

fn sample(config: &LodiConfig, device: &Device, batch: usize, order: TileOrder, overlap: Overlap) -> Vec<f32> {
    let n = 16;
    let lodi = filled(config.init(device));
    let mut condition = vec![0f32; CONDITION_CHANNELS * n * n * n];
    fill_normal(&mut condition, 2, Stream::Latent);
    let condition = ChannelField { n, values: condition };
    let plan = LatentOverlap {
        n,
        lattice: Lattice::new(n, config.tile, config.net.multiple(), overlap).unwrap(),
        schedule: config.schedule,
        colour: config.noise,
        balance: Vec::new(),
        sampler: Sampler::Ancestral,
        steps: 6,
        seed: 3,
        batch,
        order,
    };
    let denoise = |windows: WindowBatch| {
        let (count, side) = (windows.origins.len(), windows.side);
        let mut values = Vec::new();
        for &origin in windows.origins {
            condition.gather(origin, side, &mut values);
        }
        let tensor = |values: Vec<f32>, channels: usize| {
            Tensor::<5>::from_data(TensorData::new(values, [count, channels, side, side, side]), device)
        };
        let estimate =
            lodi.denoise(tensor(windows.latents, 1), tensor(values, CONDITION_CHANNELS), config, windows.gamma);
        Ok(estimate.into_data().try_into_vec::<f32>().unwrap())
    };
    plan.run(denoise, |_, _| ()).unwrap()
}

#[test]
fn a_map_is_bit_equal_for_every_batch_size_and_tile_order() {
    let config = tiny_lodi();
    let device = Device::flex();
    for overlap in [Overlap::Shifted, Overlap::Blended] {
        let reference = sample(&config, &device, 1, TileOrder::Raster, overlap);
        let spread = reference.iter().fold(0f32, |m, v| m.max(v.abs()));
        assert!(spread > 0.5, "a map of nothing proves nothing");
        assert_eq!(reference, sample(&config, &device, 3, TileOrder::Raster, overlap));
        assert_eq!(reference, sample(&config, &device, 8, TileOrder::CentreOut, overlap));
    }
}

#[test]
fn the_same_seed_gives_the_same_map_on_cpu_and_wgpu() {
    let config = tiny_lodi();
    let on_cpu = sample(&config, &Device::flex(), 2, TileOrder::Raster, Overlap::Shifted);
    let on_gpu = sample(&config, &GpuContext::shared().unwrap().burn, 2, TileOrder::Raster, Overlap::Shifted);
    let norm = on_cpu.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let difference = on_cpu.iter().zip(&on_gpu).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    assert!(difference <= 1e-4 * norm, "relative difference {:e}", difference / norm);
}

/// Windows, regions, weighed clumps and refinement too: HALO's maps are the same on every
/// device, and in a box that begins elsewhere, by whole tiles, the same elsewhere.
#[test]
fn halo_says_the_same_on_cpu_and_wgpu_and_wherever_a_box_begins() {
    let linking = Linking { threshold: 2.0, edge: 3.0, density: 5.0, width: 0.2 };
    let config = HaloConfig {
        weighing: Weighing { linking, scatter: 0.3 },
        mass_edges: [1e8, 1e9, 5e9, 1.5e10, 1e15],
        ..tiny_halo(&[1.5, 3.0])
    };
    let (cosmology, n) = (Cosmology::default(), 16);
    let mut dark_matter = Grid::zeros(n, 4.0);
    fill_normal(dark_matter.as_slice_mut(), 6, Stream::Latent);
    let dark_matter = dark_matter.map(f32::exp);
    // Fractions of the matter.
    let answer = |dark_matter: &Grid, device: &Device| {
        let input = config.input(dark_matter, &cosmology, 0);
        for wanted in [0.0, 0.5, 1.0] {
            assert!(input.heaviest.iter().any(|p| (p - wanted).abs() < 0.1), "no clump is heaviest with {wanted}");
        }
        let maps = config.run(&filled(config.init(device)), &input, device).unwrap().condition;
        for (i, p) in input.heaviest.iter().enumerate() {
            let [heavy, heaviest] = [2, 3].map(|bin: usize| maps[bin].as_slice()[i]);
            assert!((heaviest - p * (heavy + heaviest)).abs() < 1e-3 * (heavy + heaviest) + 1e6);
        }
        let fraction = |(&mass, &density): (&f32, &f32)| mass / (density * input.mean_density as f32);
        maps.iter().flat_map(|map| map.values.iter().zip(&dark_matter.values).map(fraction)).collect::<Vec<f32>>()
    };
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-3);
    let on_cpu = answer(&dark_matter, &Device::flex());
    assert!(on_cpu[..n.pow(3)].iter().any(|v| (v - 0.2).abs() > 0.02), "the network says nothing");
    assert!(close(&answer(&dark_matter, &GpuContext::shared().unwrap().burn), &on_cpu));

    let moved = |i: usize| {
        let [x, y, z] = [i / (n * n), i / n % n, i % n].map(|c| (c + config.tile) % n);
        (x * n + y) * n + z
    };
    let mut elsewhere = dark_matter.clone();
    (0..n.pow(3)).for_each(|i| elsewhere.as_slice_mut()[moved(i)] = dark_matter.as_slice()[i]);
    let there = answer(&elsewhere, &Device::flex());
    let back: Vec<f32> =
        there.chunks(n.pow(3)).flat_map(|map| (0..n.pow(3)).map(|i| map[moved(i)]).collect::<Vec<_>>()).collect();
    assert!(close(&back, &on_cpu));
}

/// Halo maps in (M☉/h)/(Mpc/h)³ and `1 + δ` on `n³` voxels of a quarter Mpc/h.
fn made_up_maps(n: usize) -> ([Vec<f32>; 4], Grid) {
    let field = |stream: u32| {
        let mut values = vec![0f32; n * n * n];
        fill_normal(&mut values, 5, Stream::Training(stream));
        values.into_iter().map(f32::exp)
    };
    let maps = std::array::from_fn(|bin| field(bin as u32).map(|v| 1e12 * v).collect());
    let mut dark_matter = Grid::zeros(n, 0.25 * n as f64);
    dark_matter.as_slice_mut().iter_mut().zip(field(4)).for_each(|(to, v)| *to = v);
    (maps, dark_matter)
}

#[test]
fn a_fresh_expectation_is_the_local_relation() {
    let config = tiny_lodi().expectation;
    let device = Device::flex();
    let cosmology = Cosmology::default();
    let (maps, dark_matter) = made_up_maps(16);
    let maps = maps.each_ref().map(Vec::as_slice);
    let input = config.input(&maps, &dark_matter, (&cosmology, 1.0));
    let expected = config.run(&config.init(&device), &input, &device).unwrap();
    let scale = cosmology.brightness_temperature_scale(1.0) as f32;
    for (i, (&t, &local)) in expected.iter().zip(&input.local).enumerate() {
        // HI of half a percent of the mass, in mK, and next to nothing more.
        let mass: f32 = maps.iter().map(|map| map[i]).sum();
        assert!((local / (0.005 * mass * scale / 2.775_366e11) - 1.0).abs() < 1e-3);
        assert!(t > local && t - local < 0.011 + 1e-4 * local, "{t} mK where the local relation says {local}");
    }
}

/// No voxel sees how the box is cut into tiles, or where it begins.
#[test]
fn an_expected_map_is_the_same_on_cpu_and_wgpu_and_wherever_a_box_begins() {
    let n = 64;
    let linking = Linking { threshold: 4.0, edge: 5.0, density: 8.0, width: 0.2 };
    let haloes = Some(HaloRelation { linking, range: [1e10, 1e12], log_hydrogen: [22.0, 0.8, 0.0], variance: 0.2 });
    let config = ExpectationConfig { haloes, ..tiny_lodi().expectation };
    let (maps, dark_matter) = made_up_maps(n);
    let run = |maps: &[Vec<f32>; 4], dark_matter: &Grid, device: &Device| {
        let input = config.input(&maps.each_ref().map(Vec::as_slice), dark_matter, (&Cosmology::default(), 1.0));
        config.run(&filled(config.init(device)), &input, device).unwrap()
    };
    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-3 * b.abs());
    let on_cpu = run(&maps, &dark_matter, &Device::flex());
    let local = config.relation.temperature(&maps.each_ref().map(Vec::as_slice), 200.0);
    assert!(!close(&on_cpu, &local), "the network says nothing");
    assert!(close(&run(&maps, &dark_matter, &GpuContext::shared().unwrap().burn), &on_cpu));

    let moved = |field: &[f32]| -> Vec<f32> {
        let from = |i: usize| [i / (n * n) + 5, i / n % n + 17, i % n + 40].map(|c| c % n);
        let values = (0..n.pow(3)).map(from).map(|[x, y, z]| field[(x * n + y) * n + z]);
        values.collect()
    };
    let elsewhere = Grid::from_values(moved(dark_matter.as_slice()), dark_matter.box_size);
    let there = run(&maps.each_ref().map(|map| moved(map)), &elsewhere, &Device::flex());
    assert!(close(&there, &moved(&on_cpu)));
}

#[test]
fn weights_survive_the_disk_and_the_wrong_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lodi.safetensors");
    let device = Device::flex();
    let config = tiny_lodi();
    let card = ModelCard {
        data: "nothing".to_owned(),
        steps: 0,
        hours: 0.0,
        machine: "none".to_owned(),
        seed: 11,
        caveat: "For tests only.".to_owned(),
    };
    let saved = Trained { network: filled(config.init(&device)), config: config.clone(), card: card.clone() };
    saved.save(&path).unwrap();
    let loaded = Trained::<Lodi>::load(&path, &device).unwrap();
    assert_eq!((&loaded.config, &loaded.card), (&config, &card));
    let forward = |lodi: &Lodi| {
        let z = Tensor::<5>::ones([1, 1, 8, 8, 8], &device);
        let condition = Tensor::<5>::ones([1, CONDITION_CHANNELS, 8, 8, 8], &device);
        lodi.denoise(z, condition, &config, 0.5).into_data().try_into_vec::<f32>().unwrap()
    };
    assert_eq!(forward(&saved.network), forward(&loaded.network));

    let error = Trained::<Halo>::load(&path, &device).unwrap_err();
    assert!(error.to_string().contains("weights of 'lodi'") && error.exit_code() == 2, "{error}");
    std::fs::write(&path, b"not weights").unwrap();
    assert!(Trained::<Lodi>::load(&path, &device).unwrap_err().to_string().contains("not safetensors"));
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
        seed: 1,
        checksums: BTreeMap::new(),
        haloes: 0,
        omega_hi: 0.0,
        mean_brightness_temperature: 0.0,
        seconds: 0.0,
    };
    let config = DatasetConfig {
        box_size: 4.0,
        particles: n,
        redshift: 1.0,
        start: 49.0,
        cosmology,
        gravity: GravityConfig::new(Force::Mesh, 32),
        steps: StepConfig::default(),
        hydrogen: HydrogenModel::default(),
        seed: 1,
    };
    Manifest { program: "test".to_owned(), config, boxes: vec![record], leakage: None }.write(folder).unwrap();
    TrainingBox::read(&Dataset::open(folder).unwrap().train()[0]).unwrap()
}

fn tiny_halo(regions: &[f64]) -> HaloConfig {
    HaloConfig {
        net: UNetConfig::new(1 + 2 * regions.len(), HALO_CLASSES, vec![16, 16]).with_heads(2),
        refinement: 8,
        tile: 8,
        context: 4,
        voxel: 0.25,
        dark_matter: LogTransform::above(0.1),
        regions: regions_above(regions.to_vec()),
        weighing: Weighing::FRIENDS_OF_FRIENDS,
        mass_edges: [1e10, 1e11, 1e12, 1e13, 1e15],
        halo_mass: [LogTransform::above(1e9); 4],
        decision: Decision::default(),
        condition: Decision::default(),
        chance: NoiseColour::WHITE,
    }
}

#[test]
fn halo_learns_which_matter_is_in_haloes_and_keeps_its_mass() {
    let folder = tempfile::tempdir().unwrap();
    let boxes = [made_up_box(folder.path())];
    let config = tiny_halo(&[1.4]);
    let device = Device::flex();
    let fit =
        Fit { steps: 450, batch: 2, crop: 24, learning_rate: 2e-3, warmup: 20, ema_decay: 0.95, ..Fit::default() };
    let mut losses = Vec::new();
    let fitted = train_halo((&boxes, &[]), &config, None, &fit, &device, &folder.path().join("state"), |report| {
        losses.push(report.loss);
        true
    })
    .unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let (early, late) = (mean(&losses[..5]), mean(&losses[430..]));
    assert!(late < 0.4 * early, "loss went from {early} to {late}");

    let fields = boxes[0].fields();
    let input = config.input(&fields.dark_matter, &fields.cosmology, 1);
    let maps = config.run(&fitted.network, &input, &device).unwrap().halo_mass;
    for bin in [0, 2] {
        let ratio = maps[bin].sum() / fields.halo_mass[bin].sum();
        assert!((ratio - 1.0).abs() < 0.15, "bin {bin} has {ratio} of its mass");
    }
    // No voxel has more halo mass than mass.
    let matter = fields.cosmology.mean_matter_density();
    for (i, &m) in fields.dark_matter.as_slice().iter().enumerate() {
        let sum: f64 = maps.iter().map(|map| f64::from(map.as_slice()[i])).sum();
        assert!(sum <= f64::from(m) * matter * 1.001 + 1e6);
    }
}

/// The edges of the made-up bins are sharp; a refinement finds them behind a U-Net that
/// says nothing, and leaves it as it is.
#[test]
fn a_refinement_divides_voxels_and_leaves_the_u_net_alone() {
    let folder = tempfile::tempdir().unwrap();
    let boxes = [made_up_box(folder.path())];
    let config = tiny_halo(&[20.0]);
    let device = Device::flex();
    let halo = config.init(&device);
    let fit = Fit { steps: 500, batch: 1, learning_rate: 1e-2, warmup: 10, ema_decay: 0.9, ..Fit::default() };
    let state = folder.path().join("state");
    let fitted =
        train_refinement((&boxes, &[]), (halo.clone(), &config), &fit, &device, &state, |_| true).unwrap().network;

    let fields = boxes[0].fields();
    let input = config.input(&fields.dark_matter, &fields.cosmology, 1);
    let coarse = |halo: &Halo| config.run_coarse(halo, &input.seen, &device).unwrap();
    assert_eq!(coarse(&halo), coarse(&fitted));
    let cross_entropy = |halo: &Halo| {
        let log_probabilities = config.run_log_probabilities(halo, &input.seen, &device).unwrap();
        // The two heaviest bins are one class; the last of the made-up ones is empty.
        let [lightest, light, heavy, heaviest, none] = fields.halo_fractions();
        assert_eq!(heaviest.sum(), 0.0);
        let classes = log_probabilities.iter().zip([lightest, light, heavy, none]);
        let sum: f64 = classes
            .map(|(log, fraction)| {
                let matter = fields.dark_matter.as_slice().iter().zip(fraction.as_slice());
                matter.zip(log).map(|((&m, &f), &log)| -f64::from(m * f * log)).sum::<f64>()
            })
            .sum();
        sum / fields.dark_matter.sum()
    };
    let (before, after) = (cross_entropy(&halo), cross_entropy(&fitted));
    assert!(before > 1.0 && after < 0.25 * before, "from {before} to {after}");
}

#[test]
fn a_stopped_training_goes_on_as_if_it_had_not_been() {
    let folder = tempfile::tempdir().unwrap();
    let boxes = [made_up_box(folder.path())];
    let config = tiny_halo(&[20.0]);
    let device = Device::flex();
    let fit = Fit { steps: 6, batch: 1, crop: 24, warmup: 2, validate_every: 2, ..Fit::default() };
    let train = |state: &str, stop_at: usize, fit: &Fit| {
        train_halo((&boxes, &[]), &config, None, fit, &device, &folder.path().join(state), |r| r.step != stop_at)
    };
    let whole = train("whole", 0, &fit).unwrap();
    let half = train("parts", 3, &fit).unwrap();
    assert_eq!(half.steps, 3);
    let rest = train("parts", 0, &fit).unwrap();
    assert_eq!(rest.steps, 6);
    let output = |network: &Halo| {
        let x = Tensor::<5>::ones([1, config.net.input, 8, 8, 8], &device);
        network.coarse(x).into_data().try_into_vec::<f32>().unwrap()
    };
    assert_eq!(output(&whole.network), output(&rest.network));
    assert_ne!(output(&whole.network), output(&half.network));
    // Another fit does not go on from this one's state.
    let other = train("parts", 0, &Fit { learning_rate: 1e-4, ..fit }).unwrap_err();
    assert!(other.to_string().contains("other settings"), "{other}");
}
