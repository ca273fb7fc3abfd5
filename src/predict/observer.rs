//! Who watches a prediction.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::field::{Grid, Layer, TileBox};
use crate::nn::Standardised;

/// Where a prediction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Reading the snapshot and assigning its mass to the grid.
    Field,
    /// HALO: halo mass density maps from dark matter.
    Halo,
    /// The conditional mean of the 21 cm map.
    ConditionalMean,
    /// LODI: denoising the 21 cm map, tile by tile.
    Lodi,
    /// Spectra and comparison with the reference.
    Statistics,
}

impl Stage {
    /// What the stage is called on screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Field => "Dark-matter field",
            Self::Halo => "HALO: halo mass maps",
            Self::ConditionalMean => "LODI: conditional mean",
            Self::Lodi => "LODI: painting 21 cm",
            Self::Statistics => "Spectra",
        }
    }
}

/// What a network made of a tile; values are made only where they are asked for.
pub struct TileMade<'a> {
    /// The tile.
    pub tile: TileBox,
    /// The layers it belongs to.
    pub layers: &'a [Layer],
    pub(super) values: &'a dyn Fn(Layer) -> Tensor<3>,
}

impl TileMade<'_> {
    /// The values of a layer of [`TileMade::layers`], `[x, y, z]`, in the layer's unit.
    pub fn values(&self, layer: Layer) -> Tensor<3> {
        (self.values)(layer)
    }
}

/// What a denoising step made of the whole box.
pub struct StepMade<'a> {
    /// Its number, 0 the first.
    pub index: usize,
    /// Steps in all.
    pub of: usize,
    /// Noise level of the latent.
    pub gamma: f64,
    /// The windows of the step.
    pub tiles: &'a [TileBox],
    pub(super) latent: &'a Tensor<3>,
    pub(super) estimate: &'a Tensor<3>,
    pub(super) disagreement: Option<&'a Tensor<3>>,
    pub(super) standardised: &'a Standardised,
}

impl StepMade<'_> {
    /// The noisy latent that the step began with, as the temperature it stands for, mK.
    pub fn latent(&self) -> Tensor<3> {
        self.standardised.temperature(self.latent.clone())
    }

    /// By how much the estimates of windows that overlap disagree, mK; `None` where none do.
    pub fn disagreement(&self) -> Option<Tensor<3>> {
        let spread = self.disagreement?.clone();
        Some(self.standardised.deviation_of_temperature(self.estimate.clone(), spread))
    }

    /// The step's estimate of the clean map, mK.
    pub fn estimate(&self) -> Tensor<3> {
        self.standardised.temperature(self.estimate.clone())
    }
}

/// Hears of a prediction while it is made, of as much as it cares for. An error that it returns
/// ends the prediction.
pub trait Observer {
    /// A stage begins, in which networks run on `tiles` tiles, `steps` times.
    ///
    /// # Errors
    /// [`Error::Cancelled`](crate::Error::Cancelled), for one.
    fn begin(&mut self, _stage: Stage, _tiles: usize, _steps: usize) -> Result<()> {
        Ok(())
    }

    /// Tiles are about to be worked on.
    ///
    /// # Errors
    /// As [`Observer::begin`].
    fn working_on(&mut self, _tiles: &[TileBox]) -> Result<()> {
        Ok(())
    }

    /// A tile was made.
    ///
    /// # Errors
    /// As [`Observer::begin`].
    fn tile(&mut self, _made: &TileMade) -> Result<()> {
        Ok(())
    }

    /// A denoising step is over.
    ///
    /// # Errors
    /// As [`Observer::begin`].
    fn step(&mut self, _made: &StepMade) -> Result<()> {
        Ok(())
    }

    /// A layer is complete.
    ///
    /// # Errors
    /// As [`Observer::begin`].
    fn field(&mut self, _layer: Layer, _field: &Grid) -> Result<()> {
        Ok(())
    }
}

/// Nobody.
#[derive(Debug, Default, Clone, Copy)]
pub struct NoObserver;

impl Observer for NoObserver {}
