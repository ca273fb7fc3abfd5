//! The fields that Halodi reads and makes, by name.

use serde::{Deserialize, Serialize};

/// Number of halo-mass bins of HALO's output.
pub const HALO_MASS_BINS: usize = 4;

/// A field of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Layer {
    /// Dark matter, `1 + δ`.
    DarkMatter,
    /// Halo mass density in one mass bin (0 the lightest), (M☉/h)/(Mpc/h)³.
    HaloMass(usize),
    /// The 21 cm brightness temperature expected given haloes and matter, mK.
    ConditionalMean,
    /// The noisy latent that LODI denoises, shown as the brightness temperature it stands for, mK.
    Latent,
    /// Predicted 21 cm brightness temperature, mK.
    BrightnessTemperature,
    /// By how much the windows disagree that overlap in the prediction, mK.
    Disagreement,
    /// Reference 21 cm brightness temperature, mK.
    Reference,
}

impl Layer {
    /// Every layer, in the order of the data flow.
    pub const ALL: [Self; 10] = [
        Self::DarkMatter,
        Self::HaloMass(0),
        Self::HaloMass(1),
        Self::HaloMass(2),
        Self::HaloMass(3),
        Self::ConditionalMean,
        Self::Latent,
        Self::BrightnessTemperature,
        Self::Disagreement,
        Self::Reference,
    ];

    /// What the layer is called on screen.
    pub fn name(self) -> String {
        match self {
            Self::DarkMatter => "Dark matter".to_owned(),
            Self::HaloMass(bin) => format!("Halo mass, bin {}", bin + 1),
            Self::ConditionalMean => "21 cm conditional mean".to_owned(),
            Self::Latent => "21 cm latent".to_owned(),
            Self::BrightnessTemperature => "21 cm brightness temperature".to_owned(),
            Self::Disagreement => "Disagreement of windows".to_owned(),
            Self::Reference => "21 cm reference".to_owned(),
        }
    }

    /// Unit of the layer's values.
    pub fn unit(self) -> &'static str {
        match self {
            Self::DarkMatter => "1+δ",
            Self::HaloMass(_) => "(Msun/h)/(Mpc/h)³",
            Self::ConditionalMean
            | Self::Latent
            | Self::BrightnessTemperature
            | Self::Disagreement
            | Self::Reference => "mK",
        }
    }
}

/// A cuboid piece of a periodic grid. It may reach over the far faces of the box; voxels are
/// taken modulo the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TileBox {
    /// First voxel, `[x, y, z]`, each below the grid size.
    pub origin: [usize; 3],
    /// Voxels per axis.
    pub size: [usize; 3],
}

impl TileBox {
    /// A cube of `side³` voxels.
    pub fn cube(origin: [usize; 3], side: usize) -> Self {
        Self { origin, size: [side; 3] }
    }

    /// The whole of a grid of `n³` voxels.
    pub fn whole(n: usize) -> Self {
        Self::cube([0; 3], n)
    }

    /// The same with `margin` voxels more on every side, in a periodic box of `n³` voxels.
    pub fn grown(self, margin: usize, n: usize) -> Self {
        Self {
            origin: self.origin.map(|o| (o + n * margin.div_ceil(n) - margin) % n),
            size: self.size.map(|s| s + 2 * margin),
        }
    }
}
