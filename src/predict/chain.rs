//! The links of the chain.

use burn::tensor::{Device, Tensor, TensorData};

use super::observer::{NoObserver, Observer, Stage, StepMade, TileMade};
use super::{DarkMatter, Models, Prediction, Settings};
use crate::device::{ComputeDevice, host};
use crate::error::Result;
use crate::field::{Grid, HALO_MASS_BINS, Layer, TileBox};
use crate::nn::{Calibrator, ConditionalMean, Halo, Lodi, Standardised, Voxelwise, inner};
use crate::stitch::{Joined, LatentOverlap, Lattice, Overlap, Step, TileRun, cut, over_tiles, put_together};

/// Voxels per axis of a tile of the conditional mean. Any would do, as its network sees no
/// farther than the next voxel.
const MEAN_TILE: usize = 32;

const HALO_LAYERS: [Layer; HALO_MASS_BINS] =
    [Layer::HaloMass(0), Layer::HaloMass(1), Layer::HaloMass(2), Layer::HaloMass(3)];

/// What LODI paints from, on the device: made once a box, and painted from as often as there
/// are realisations.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Halo mass density per mass bin, (M☉/h)/(Mpc/h)³.
    pub halo_mass: [Grid; HALO_MASS_BINS],
    /// The mean brightness temperature given halo maps and dark matter, mK.
    pub mean: Grid,
    /// What the denoiser sees beside the latent, `[CONDITION_CHANNELS, n, n, n]`.
    fields: Tensor<4>,
    standardised: Standardised,
    calibrator: Calibrator,
}

/// Run the whole chain on a box.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) for a grid or settings that cannot work, those of
/// the device, and those of the observer.
pub fn predict(
    dark_matter: &DarkMatter,
    models: &Models,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Prediction> {
    settings.check(dark_matter.density.n(), models)?;
    let condition = condition(dark_matter, models, observer)?;
    let brightness_temperature = paint(&condition, &models.lodi.network, &models.device, settings, observer)?;
    let Condition { halo_mass, mean, .. } = condition;
    Ok(Prediction { halo_mass, conditional_mean: mean, brightness_temperature })
}

/// Run HALO and the conditional mean on a box.
///
/// # Errors
/// As [`predict`].
pub fn condition(dark_matter: &DarkMatter, models: &Models, observer: &mut dyn Observer) -> Result<Condition> {
    let Models { halo, lodi, device, .. } = models;
    let maps = halo_maps(dark_matter, &halo.network, device, observer)?;
    for (&layer, map) in HALO_LAYERS.iter().zip(&grids(maps.clone(), dark_matter.density.box_size)?) {
        observer.field(layer, map)?;
    }
    let mean = expected_temperature(dark_matter, &maps, lodi.network.conditional_mean(), device, observer)?;
    let condition = Condition::new(dark_matter, maps, mean, &lodi.network, device)?;
    observer.field(Layer::ConditionalMean, &condition.mean)?;
    Ok(condition)
}

impl Condition {
    /// From halo maps `[HALO_MASS_BINS, n, n, n]` in (M☉/h)/(Mpc/h)³ and the conditional mean
    /// `[n, n, n]` in mK, on the device.
    ///
    /// # Errors
    /// Those of the device.
    pub fn new(
        dark_matter: &DarkMatter,
        halo_mass: Tensor<4>,
        mean: Tensor<3>,
        lodi: &Lodi,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let config = lodi.config();
        let box_size = dark_matter.density.box_size;
        let fields = lodi.condition(&halo_mass, &on_device(&dark_matter.density, &device.burn), &mean);
        let mean = Grid::from_values(host(mean)?, box_size);
        Ok(Self {
            standardised: config.residual.standardised(&mean, &device.burn),
            calibrator: Calibrator::new(&config.calibration, &config.schedule, &mean, &device.burn),
            halo_mass: grids(halo_mass, box_size)?,
            mean,
            fields,
        })
    }

    /// What the denoiser sees beside the latent, `CONDITION_CHANNELS` fields of `n³` values.
    ///
    /// # Errors
    /// Those of the device.
    pub fn channels(&self) -> Result<Vec<f32>> {
        host(self.fields.clone())
    }

    /// The fused estimate of the clean residual of a whole box at `gamma`, before calibration,
    /// through the windows of a step of `lattice`.
    fn estimate(
        &self,
        latent: &Tensor<3>,
        gamma: f64,
        (lodi, device): (&Lodi, &ComputeDevice),
        (lattice, step): (&Lattice, usize),
        run: &mut dyn TileRun,
    ) -> Result<Joined<3>> {
        let latent: Tensor<4> = latent.clone().unsqueeze_dim(0);
        let beyond = beyond(lattice, lodi);
        let denoise = |tiles: &[TileBox]| {
            let window = |fields| windows(fields, tiles, |tile| tile.grown(beyond, lattice.n()));
            inner(lodi.denoise(window(&latent), window(&self.fields), gamma), beyond)
        };
        Ok(over_tiles(lattice, step, device, denoise, run)?.single())
    }

    /// The estimate of the clean residual from a `latent` `[n, n, n]` at `gamma`, through tiles
    /// that do not overlap, before calibration.
    ///
    /// # Errors
    /// Those of the grid and of the device.
    pub fn denoise(&self, latent: &Tensor<3>, gamma: f64, lodi: &Lodi, device: &ComputeDevice) -> Result<Tensor<3>> {
        let lattice = Settings { overlap: Overlap::Naive, ..Settings::default() }.lattice(self.mean.n(), lodi)?;
        let mut tiles = Tiles { observer: &mut NoObserver, layers: &[], shown: |_, values| values };
        Ok(self.estimate(latent, gamma, (lodi, device), (&lattice, 0), &mut tiles)?.field)
    }

    /// An estimate `[n, n, n]` at `gamma`, calibrated and within the range of the data.
    pub fn calibrated(&self, gamma: f64, estimate: Tensor<3>, lodi: &Lodi) -> Tensor<3> {
        lodi.within_range(self.calibrator.apply(gamma, estimate))
    }
}

/// Voxels around a window that LODI sees beyond it: none around tiles, which are what it has
/// learned from, and a quarter of a tile around the whole box, so that its faces have surroundings.
pub(super) fn beyond(lattice: &Lattice, lodi: &Lodi) -> usize {
    let config = lodi.config();
    let more = (config.tile / 4).next_multiple_of(config.net.multiple());
    if lattice.tile() > config.tile { more } else { 0 }
}

/// Where the tiles of HALO lie in a box of `n³` voxels; they do not overlap, and each is seen
/// with [`Halo::margin`] voxels around it.
pub(super) fn halo_lattice(n: usize, halo: &Halo) -> Result<Lattice> {
    Lattice::new(n, halo.config().tile, halo.config().net.multiple(), Overlap::Naive)
}

/// Run HALO on a box: halo mass density per bin in (M☉/h)/(Mpc/h)³,
/// `[HALO_MASS_BINS, n, n, n]` on the device.
///
/// # Errors
/// As [`predict`].
pub fn halo_maps(
    dark_matter: &DarkMatter,
    halo: &Halo,
    device: &ComputeDevice,
    observer: &mut dyn Observer,
) -> Result<Tensor<4>> {
    let n = dark_matter.density.n();
    let lattice = halo_lattice(n, halo)?;
    observer.begin(Stage::Halo, lattice.windows(0).len(), 1)?;
    let features = halo.config().features.on_device(dark_matter, &device.burn);
    let matter: Tensor<4> = on_device(&dark_matter.density, &device.burn).unsqueeze_dim(0);
    let matter = matter * dark_matter.cosmology.mean_matter_density();
    let network = |tiles: &[TileBox]| {
        let seen = windows(&features, tiles, |tile| tile.grown(halo.margin(), n));
        halo.fractions(seen) * windows(&matter, tiles, |tile| tile)
    };
    let mut tiles = Tiles { observer, layers: &HALO_LAYERS, shown: |_, values| values };
    Ok(over_tiles(&lattice, 0, device, network, &mut tiles)?.field)
}

/// What HALO's U-Net alone says of a box: the logarithms of the classes' fractions,
/// `[HALO_CLASSES, n, n, n]` on the device. It is what the refinement learns from.
///
/// # Errors
/// As [`predict`].
pub fn coarse_halo_fractions(dark_matter: &DarkMatter, halo: &Halo, device: &ComputeDevice) -> Result<Tensor<4>> {
    let n = dark_matter.density.n();
    let lattice = halo_lattice(n, halo)?;
    let features = halo.config().features.on_device(dark_matter, &device.burn);
    let network = |tiles: &[TileBox]| halo.coarse_tiles(windows(&features, tiles, |tile| tile.grown(halo.margin(), n)));
    let mut tiles = Tiles { observer: &mut NoObserver, layers: &[], shown: |_, values| values };
    Ok(over_tiles(&lattice, 0, device, network, &mut tiles)?.field)
}

/// The mean brightness temperature given halo maps `[HALO_MASS_BINS, n, n, n]` in
/// (M☉/h)/(Mpc/h)³ and dark matter, mK: `[n, n, n]` on the device.
///
/// # Errors
/// As [`predict`].
pub fn expected_temperature(
    dark_matter: &DarkMatter,
    halo_mass: &Tensor<4>,
    network: &ConditionalMean,
    device: &ComputeDevice,
    observer: &mut dyn Observer,
) -> Result<Tensor<3>> {
    let n = dark_matter.density.n();
    let lattice = Lattice::new(n, MEAN_TILE, 1, Overlap::Naive)?;
    observer.begin(Stage::ConditionalMean, lattice.windows(0).len(), 1)?;
    let features = network.config().features.on_device(dark_matter, &device.burn);
    let scale = dark_matter.brightness_temperature_scale();
    let temperature = |tiles: &[TileBox]| {
        let seen = |fields| windows(fields, tiles, |tile| tile.grown(Voxelwise::REACH, n));
        network.temperature(seen(halo_mass), seen(&features), scale)
    };
    let mut tiles = Tiles { observer, layers: &[Layer::ConditionalMean], shown: |_, values| values };
    Ok(over_tiles(&lattice, 0, device, temperature, &mut tiles)?.single().field)
}

/// Paint one realisation of the 21 cm map, mK.
///
/// # Errors
/// As [`predict`].
pub fn paint(
    condition: &Condition,
    lodi: &Lodi,
    device: &ComputeDevice,
    settings: &Settings,
    observer: &mut dyn Observer,
) -> Result<Grid> {
    let config = lodi.config();
    let n = condition.mean.n();
    let lattice = settings.lattice(n, lodi)?;
    let parts = lattice.parts();
    // What is painted apart has its steps one part after the other.
    let of = settings.steps * parts.len();
    observer.begin(Stage::Lodi, parts[0].windows(0).len(), of)?;
    let Standardised { mean, deviation } = condition.standardised.clone();
    let standardised: Tensor<4> = Tensor::stack(vec![mean, deviation], 0);
    let shown = |tile: TileBox, x: Tensor<5>| {
        let window = cut(&standardised, tile);
        (window.clone().narrow(1, 0, 1) + x * window.narrow(1, 1, 1)).clamp_min(0.0).square()
    };
    let mut painted = Vec::with_capacity(parts.len());
    for (number, part) in parts.iter().enumerate() {
        let plan = LatentOverlap {
            n,
            schedule: config.schedule,
            noise: config.noise,
            sampler: settings.sampler,
            steps: settings.steps,
            seed: settings.seed,
            own_noise: part.own_noise(),
        };
        painted.push(plan.run(&device.burn, |step: Step| {
            let mut tiles = Tiles { observer: &mut *observer, layers: &[Layer::BrightnessTemperature], shown };
            let fused = condition.estimate(step.latent, step.gamma, (lodi, device), (part, step.index), &mut tiles)?;
            let estimate = condition.calibrated(step.gamma, fused.field, lodi);
            observer.step(&StepMade {
                index: number * settings.steps + step.index,
                of,
                gamma: step.gamma,
                tiles: &part.windows(step.index),
                latent: step.latent,
                estimate: &estimate,
                disagreement: fused.disagreement.as_ref(),
                standardised: &condition.standardised,
            })?;
            Ok(estimate)
        })?);
    }
    let Joined { field: clean, disagreement } = put_together(painted, &lattice, device);
    let box_size = condition.mean.box_size;
    if let Some(disagreement) = disagreement {
        let disagreement = host(condition.standardised.deviation_of_temperature(clean.clone(), disagreement))?;
        observer.field(Layer::Disagreement, &Grid::from_values(disagreement, box_size))?;
    }
    let map = Grid::from_values(host(condition.standardised.temperature(clean))?, box_size);
    observer.field(Layer::BrightnessTemperature, &map)?;
    Ok(map)
}

/// Tells an observer of tiles; `shown` makes the values of its layers of a tile's output.
struct Tiles<'a, F> {
    observer: &'a mut dyn Observer,
    layers: &'a [Layer],
    shown: F,
}

impl<F: Fn(TileBox, Tensor<5>) -> Tensor<5>> TileRun for Tiles<'_, F> {
    fn working_on(&mut self, tiles: &[TileBox]) -> Result<()> {
        self.observer.working_on(tiles)
    }

    fn made(&mut self, tile: TileBox, output: Tensor<5>) -> Result<()> {
        let values = |layer: Layer| {
            let index = self.layers.iter().position(|&l| l == layer).expect("a layer of the tile");
            (self.shown)(tile, output.clone()).narrow(1, index, 1).reshape(tile.size)
        };
        self.observer.tile(&TileMade { tile, layers: self.layers, values: &values })
    }
}

/// The windows that `place` makes of `tiles`, of fields `[c, n, n, n]`: `[tiles, c, …]`.
fn windows(fields: &Tensor<4>, tiles: &[TileBox], place: impl Fn(TileBox) -> TileBox) -> Tensor<5> {
    let mut windows: Vec<Tensor<5>> = tiles.iter().map(|&tile| cut(fields, place(tile))).collect();
    if windows.len() == 1 { windows.remove(0) } else { Tensor::cat(windows, 0) }
}

/// A field on the device, `[n, n, n]`.
fn on_device(field: &Grid, device: &Device) -> Tensor<3> {
    let n = field.n();
    Tensor::from_data(TensorData::new(field.as_slice().to_vec(), [n, n, n]), device)
}

fn grids(maps: Tensor<4>, box_size: f64) -> Result<[Grid; HALO_MASS_BINS]> {
    let n = maps.dims()[1];
    let values = host(maps)?;
    let mut maps = values.chunks(n.pow(3)).map(|map| Grid::from_values(map.to_vec(), box_size));
    Ok(std::array::from_fn(|_| maps.next().expect("a map per bin")))
}
