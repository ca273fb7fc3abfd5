//! HALO and LODI as a whole: the same numbers on every device and in every
//! batch, learning that learns, and weights that survive the disk.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use halodi::field::{Grid, LogTransform};
use halodi::nn::{
    CONDITION_CHANNELS, HaloConfig, Lodi, LodiConfig, ModelCard, NoiseSchedule, Sampler, Trained, UNetConfig,
};
use halodi::stitch::{ChannelField, LatentOverlap, Lattice, Overlap, Stream, TileOrder, WindowBatch, fill_normal};
use halodi::train::{Fit, TrainingBox, train_halo};

fn tiny_lodi() -> LodiConfig {
    LodiConfig {
        net: UNetConfig::new(1 + CONDITION_CHANNELS, 1, vec![8, 16]).with_heads(2).with_frequencies(4),
        tile: 8,
        voxel: 0.2,
        redshift: 1.0,
        schedule: NoiseSchedule { gamma_min: -10.0, gamma_max: 5.0 },
        brightness_temperature: LogTransform::above(1e-2),
        data_range: [-10.0, 10.0],
    }
}

/// Weights that are not the zeros that a fresh network ends in: every
/// parameter is drawn from the counter-based generator, the same on all devices.
fn filled(config: &LodiConfig, device: &Device) -> Lodi {
    use burn::module::{Module, ModuleMapper, Param};
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
    config.init(device).map(&mut Fill(0))
}

fn sample(config: &LodiConfig, device: &Device, batch: usize, order: TileOrder, overlap: Overlap) -> Vec<f32> {
    let n = 16;
    let lodi = filled(config, device);
    let mut condition = vec![0f32; CONDITION_CHANNELS * n * n * n];
    fill_normal(&mut condition, 2, Stream::Latent);
    let condition = ChannelField { n, values: condition };
    let plan = LatentOverlap {
        n,
        lattice: Lattice::new(n, config.tile, config.net.multiple(), overlap).unwrap(),
        schedule: config.schedule,
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
    let on_gpu = sample(&config, &Device::wgpu(Default::default()), 2, TileOrder::Raster, Overlap::Shifted);
    let norm = on_cpu.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let difference = on_cpu.iter().zip(&on_gpu).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    assert!(difference <= 1e-4 * norm, "relative difference {:e}", difference / norm);
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
    let saved = Trained { network: filled(&config, &device), config: config.clone(), card: card.clone() };
    saved.save(&path).unwrap();
    let loaded = Trained::<Lodi>::load(&path, &device).unwrap();
    assert_eq!((&loaded.config, &loaded.card), (&config, &card));
    let forward = |lodi: &Lodi| {
        let z = Tensor::<5>::ones([1, 1, 8, 8, 8], &device);
        let condition = Tensor::<5>::ones([1, CONDITION_CHANNELS, 8, 8, 8], &device);
        lodi.denoise(z, condition, &config, 0.5).into_data().try_into_vec::<f32>().unwrap()
    };
    assert_eq!(forward(&saved.network), forward(&loaded.network));

    let error = Trained::<halodi::nn::Halo>::load(&path, &device).unwrap_err();
    assert!(error.to_string().contains("weights of 'lodi'") && error.exit_code() == 2, "{error}");
    std::fs::write(&path, b"not weights").unwrap();
    assert!(Trained::<Lodi>::load(&path, &device).unwrap_err().to_string().contains("not safetensors"));
    let missing = Trained::<Lodi>::load(&folder.path().join("gone"), &device).unwrap_err();
    assert!(missing.to_string().contains("gone"));
}

#[test]
fn halo_learns_a_local_relation() {
    // Halo maps that are a known function of the dark matter: after a short
    // training the network must explain most of their variance.
    let n = 16;
    let mut dark_matter = Grid::zeros(n, 4.0);
    fill_normal(dark_matter.as_slice_mut(), 4, Stream::Latent);
    let dark_matter = dark_matter.map(|v| v.exp());
    let identity = LogTransform::above(0.1);
    let halo_mass = [0.5f32, 1.0, 1.5, 2.0].map(|power| dark_matter.map(|v| v.powf(power)));
    let training = TrainingBox { brightness_temperature: Grid::zeros(n, 4.0), halo_mass, dark_matter, redshift: 1.0 };
    let config = HaloConfig {
        net: UNetConfig::new(1, 4, vec![32, 32]).with_heads(2),
        tile: 8,
        context: 4,
        voxel: 0.25,
        dark_matter: identity,
        mass_edges: [1e10, 1e11, 1e12, 1e13, 1e15],
        halo_mass: [identity; 4],
    };
    let fit = Fit { steps: 300, batch: 2, crop: 16, learning_rate: 1e-3, warmup: 20, ..Fit::default() };
    let mut losses = BTreeMap::new();
    train_halo(&[training], &config, &fit, &Device::flex(), |report| {
        losses.insert(report.step, report.loss);
        true
    })
    .unwrap();
    let mean = |range: std::ops::RangeInclusive<usize>| -> f64 {
        let values: Vec<f64> = losses.range(range).map(|(_, &loss)| loss).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let (early, late) = (mean(1..=5), mean(281..=300));
    assert!(late < 0.3 * early, "loss went from {early} to {late}");
}
