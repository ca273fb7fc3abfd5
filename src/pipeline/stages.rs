//! The stages of a prediction, one function each.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::job::{Run, Told};
use super::source::{self, Loaded};
use super::{Event, HALO_MASS_BINS, Layer, MapPower, Series, Stage, TileBox};
use crate::error::{Error, Result};
use crate::field::{Grid, LogTransform};
use crate::nn::{self, Conditioned, HaloConfig, HaloMaps, LodiConfig};
use crate::stats::power_spectrum;
use crate::stitch::{LatentOverlap, Lattice, TileOrder, gather, scatter};

/// How dark matter is shown where no network says: decades of `1 + δ` above a
/// hundredth of the mean.
const DARK_MATTER_DISPLAY: f64 = 1e-2;
/// How a brightness temperature is shown: decades above a tenth of the mean of a
/// box, in mK.
const TEMPERATURE_DISPLAY: f64 = 0.02;

/// Run a job up to the last stage it asks for.
pub(super) fn run(run: &mut Run) -> Result<()> {
    run.begin(Stage::Field)?;
    let loaded = field(run)?;
    if run.outcome.config.until >= Stage::Halo {
        run.begin(Stage::Halo)?;
        let weights = run.outcome.config.weights.clone();
        let halo = nn::halo_weights(weights.as_deref(), &run.device.burn)?;
        let lodi = nn::lodi_weights(weights.as_deref(), &run.device.burn)?;
        run.outcome.weights = vec![halo.card.sentence("HALO"), lodi.card.sentence("LODI")];
        run.send(Event::Weights(run.outcome.weights.clone()));
        warn_of_extrapolation(run, &loaded, &halo.config, &lodi.config);
        let plan = plan(run, &loaded, &halo.config, &lodi.config)?;
        let halo_mass = halo_maps(run, &loaded, &halo)?;
        if run.outcome.config.until >= Stage::Lodi {
            run.begin(Stage::Expectation)?;
            let (expected, haloes) = expected_map(run, &halo_mass, &lodi, &loaded)?;
            run.begin(Stage::Lodi)?;
            let plan = LatentOverlap { balance: lodi.config.balance(expected.as_slice()), ..plan };
            let told = Told { halo_mass, expected, haloes };
            paint(run, &plan, &told, &lodi, &loaded)?;
            run.outcome.told = Some(Arc::new(told));
        }
    }
    run.end_stage();
    Ok(())
}

/// Read the snapshot (and the reference) and show its dark matter.
fn field(run: &mut Run) -> Result<Loaded> {
    let loaded = source::load(&run.outcome.config)?;
    run.checkpoint()?;
    for note in &loaded.notes {
        run.warn(note.clone());
    }
    let n = loaded.dark_matter.n();
    run.outcome.config.grid = Some(n);
    run.outcome.source = loaded.name.clone();
    run.outcome.redshift = loaded.redshift;
    run.outcome.cosmology = loaded.cosmology;

    run.outcome.reference = loaded.reference.as_ref().map(|(_, what)| what.clone());
    run.send(Event::Opened {
        name: loaded.name.clone(),
        redshift: loaded.redshift,
        cosmology: loaded.cosmology,
        reference: run.outcome.reference.clone(),
    });

    run.show(Layer::DarkMatter, n, LogTransform::above(DARK_MATTER_DISPLAY));
    run.canvas.paint_field(Layer::DarkMatter, &loaded.dark_matter);
    run.keep(Layer::DarkMatter, loaded.dark_matter.clone());
    run.spectrum(Series::DarkMatter, power_spectrum(&loaded.dark_matter, loaded.window));
    run.checkpoint()?;

    if let Some((reference, _)) = &loaded.reference {
        run.show(Layer::Reference, reference.n(), LogTransform::above(source::reference_floor(reference)));
        run.canvas.paint_field(Layer::Reference, reference);
        run.keep(Layer::Reference, reference.clone());
        run.spectrum(Series::Reference, power_spectrum(reference, None));
    }
    Ok(loaded)
}

/// Say so where the networks are asked for what they never saw.
fn warn_of_extrapolation(run: &mut Run, loaded: &Loaded, halo: &HaloConfig, lodi: &LodiConfig) {
    let voxel = loaded.dark_matter.voxel();
    if (voxel / halo.voxel - 1.0).abs() > 0.1 {
        run.warn(format!(
            "The voxels are {voxel:.3} Mpc/h, and the networks were trained at {:.3} Mpc/h: do not trust the map. \
             A grid of {} would match.",
            halo.voxel,
            (loaded.dark_matter.box_size / halo.voxel).round()
        ));
    }
    if (loaded.redshift - lodi.redshift).abs() > 0.1 {
        run.warn(format!(
            "The snapshot is at z = {:.2}, and LODI was trained at z = {:.2}: do not trust the amplitude of the map.",
            loaded.redshift, lodi.redshift
        ));
    }
}

/// Everything about the sampling that can be refused is refused here, before
/// any network runs.
fn plan(run: &mut Run, loaded: &Loaded, halo: &HaloConfig, lodi: &LodiConfig) -> Result<LatentOverlap> {
    let config = &mut run.outcome.config;
    let n = loaded.dark_matter.n();
    if config.steps == 0 {
        return Err(Error::setting("0 denoising steps", "at least one", "Choose --steps 12"));
    }
    let batch = *config.batch.get_or_insert(run.device.batch);
    let plan = LatentOverlap {
        n,
        lattice: Lattice::new(n, lodi.tile, lodi.net.multiple(), config.overlap)?,
        schedule: lodi.schedule,
        colour: lodi.noise,
        balance: Vec::new(),
        sampler: config.sampler,
        steps: config.steps,
        seed: config.seed,
        batch,
        order: TileOrder::Raster,
    };
    let halo_tiles = halo.lattice(n)?.origins(0).len();
    let expectation_tiles = lodi.expectation.lattice(n)?.origins(0).len();
    run.tile_counts =
        [(Stage::Halo, halo_tiles), (Stage::Expectation, expectation_tiles), (Stage::Lodi, plan.windows())].into();
    Ok(plan)
}

/// Run HALO: what it tells LODI, halo mass per bin in (M☉/h)/(Mpc/h)³.
fn halo_maps(run: &mut Run, loaded: &Loaded, halo: &nn::Trained<nn::Halo>) -> Result<[Grid; HALO_MASS_BINS]> {
    let n = loaded.dark_matter.n();
    let config = &halo.config;
    let input = config.input(&loaded.dark_matter, &loaded.cosmology, run.outcome.config.seed);
    for (bin, transform) in config.halo_mass.iter().enumerate() {
        run.show(Layer::HaloMass(bin), n, *transform);
    }
    let layers: [Layer; HALO_MASS_BINS] = std::array::from_fn(Layer::HaloMass);
    let device = run.device.burn.clone();
    let run_tile = |tile| config.run_tile(&halo.network, &input, tile, &device);
    let maps = tile_by_tile(run, &config.lattice(n)?, (n, Stage::Halo), &layers, run_tile, |output| output)?;

    let HaloMaps { halo_mass, condition } = config.maps(maps, loaded.dark_matter.box_size);
    for (bin, map) in halo_mass.into_iter().enumerate() {
        // Below the floor of its decades a map is rounding: it has no haloes, and no spectrum.
        if f64::from(map.range().1) > config.halo_mass[bin].floor {
            run.spectrum(Series::HaloMass(bin), power_spectrum(&map.overdensity(), None));
        }
        run.keep(Layer::HaloMass(bin), map);
    }
    Ok(condition)
}

/// Run LODI's expectation: the expected map, mK, and the haloes in it.
fn expected_map(
    run: &mut Run,
    halo_mass: &[Grid; HALO_MASS_BINS],
    lodi: &nn::Trained<nn::Lodi>,
    loaded: &Loaded,
) -> Result<(Grid, Option<nn::Haloes>)> {
    let n = loaded.dark_matter.n();
    let config = &lodi.config.expectation;
    let when = (&loaded.cosmology, loaded.redshift);
    let input = config.input(&halo_mass.each_ref().map(Grid::as_slice), &loaded.dark_matter, when);
    let layer = Layer::BrightnessTemperature;
    run.show(layer, n, LogTransform::above(TEMPERATURE_DISPLAY));
    let device = run.device.burn.clone();
    let run_tile = |tile| config.run_tile(&lodi.network.expectation, &input, tile, &device);
    let lattice = config.lattice(n)?;
    let mut expected = tile_by_tile(run, &lattice, (n, Stage::Expectation), &[layer], run_tile, decades)?.remove(0);
    input.hold(&mut expected);
    let expected = Grid::from_values(expected, loaded.dark_matter.box_size);
    run.canvas.paint_field(layer, &expected);
    Ok((expected, input.haloes))
}

/// Run a network on every tile of a box of `n³` voxels and return its answers, `n³`
/// values a channel. What `shown` makes of the first of them is shown, one a layer.
fn tile_by_tile(
    run: &mut Run,
    lattice: &Lattice,
    (n, stage): (usize, Stage),
    layers: &[Layer],
    network: impl Fn(nn::Tile) -> Tensor<5> + Sync + Send,
    shown: impl Fn(Tensor<3>) -> Tensor<3>,
) -> Result<Vec<Vec<f32>>> {
    let mut maps = Vec::new();
    let tiles = nn::Tile::all(lattice);
    let device = run.device.burn.clone();
    let mut done = 0;
    for batch in tiles.chunks(run.outcome.config.batch.unwrap_or(1).max(1)) {
        run.checkpoint()?;
        for tile in batch {
            run.send(Event::TileStarted(TileBox { origin: tile.origin, size: [tile.side; 3] }));
        }
        let outputs = nn::side_by_side(batch, &device, |tiles| -> Vec<Tensor<5>> {
            tiles.iter().map(|&tile| network(tile)).collect()
        });
        for (&nn::Tile { origin, side }, output) in batch.iter().zip(outputs.into_iter().flatten()) {
            let tile_box = TileBox { origin, size: [side; 3] };
            for (index, &layer) in layers.iter().enumerate() {
                let block = output.clone().narrow(1, index, 1).reshape([side, side, side]);
                run.canvas.paint_tile(layer, tile_box, shown(block));
                run.send(Event::TileFinished(layer, tile_box));
            }
            maps.resize_with(output.dims()[1], || vec![0f32; n.pow(3)]);
            let values = nn::host(output)?;
            for (map, block) in maps.iter_mut().zip(values.chunks(side.pow(3))) {
                scatter(map, n, origin, side, block);
            }
        }
        done += batch.len();
        run.progress(stage, done, tiles.len(), None);
    }
    Ok(maps)
}

/// A temperature in mK as it is shown.
fn decades(temperature: Tensor<3>) -> Tensor<3> {
    (temperature + TEMPERATURE_DISPLAY).log() * std::f64::consts::LOG10_E
}

/// Run LODI's denoiser: one global latent, denoised window by window.
fn paint(
    run: &mut Run,
    plan: &LatentOverlap,
    told: &Told,
    lodi: &nn::Trained<nn::Lodi>,
    loaded: &Loaded,
) -> Result<()> {
    let n = plan.n;
    // The diffusion paints how the map departs from the expected one.
    let departure = &lodi.config.departure;
    let expected = told.expected.as_slice();
    let condition = lodi.config.condition(n, &told.slices(), loaded.dark_matter.as_slice(), expected);
    let [mean, deviation] = [0, 1].map(|i| expected.iter().map(|&t| departure.spread(t)[i]).collect::<Vec<f32>>());
    let about = nn::Neighbourhood::new(n, expected);
    let anchor = nn::Anchor::new(told.expected.clone());
    let physical = |data: &[f32]| lodi.config.brightness_temperature(data, &anchor);
    let layer = Layer::BrightnessTemperature;
    let total = plan.windows();
    let mut done = 0;
    let device = run.device.burn.clone();
    let run = std::cell::RefCell::new(run);
    let clean = plan.run(
        |batch| {
            let mut run = run.borrow_mut();
            run.checkpoint()?;
            let (count, side) = (batch.origins.len(), batch.side);
            for &origin in batch.origins {
                run.send(Event::TileStarted(TileBox { origin, size: [side; 3] }));
            }
            let estimate = lodi.network.denoise_windows(&batch, &condition, &lodi.config, &device);
            for (i, &origin) in batch.origins.iter().enumerate() {
                let tile_box = TileBox { origin, size: [side; 3] };
                let window = |field: &[f32]| {
                    let mut values = Vec::with_capacity(side.pow(3));
                    gather(field, n, origin, side, &mut values);
                    Tensor::<3>::from_data(TensorData::new(values, [side, side, side]), &device)
                };
                let x = estimate.clone().narrow(0, i, 1).reshape([side, side, side]);
                let temperature = (window(&mean) + x * window(&deviation)).clamp_min(0.0).square();
                run.canvas.paint_tile(layer, tile_box, decades(temperature));
                run.send(Event::TileFinished(layer, tile_box));
            }
            let estimate = nn::host(estimate)?;
            done += count;
            run.progress(Stage::Lodi, done, total, Some((batch.step + 1, plan.steps)));
            Ok(estimate)
        },
        |gamma, clean| {
            lodi.config.correct(gamma, &about, clean);
            run.borrow_mut().spectrum(Series::Prediction, power_spectrum(&physical(clean), None));
        },
    )?;
    let run = run.into_inner();
    run.checkpoint()?;
    let painted = physical(&clean);
    let field = match (&told.haloes, run.outcome.config.power) {
        (Some(haloes), MapPower::Mean) => {
            let wanted = haloes.mean_power(&told.expected);
            let Conditioned { map, change } = Conditioned::new(&painted, haloes, &wanted, || run.checkpoint())?;
            run.outcome.conditioned_by = Some(change);
            map
        }
        _ => painted,
    };
    run.spectrum(Series::Prediction, power_spectrum(&field, None));
    run.canvas.paint_field(layer, &field);
    run.keep(layer, field);
    Ok(())
}
