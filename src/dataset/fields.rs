//! What is known of a box: its dark matter, the truth of its 21 cm map, and its haloes.

use std::path::Path;

use crate::error::{Error, Result};
use crate::field::{DarkMatter, Grid, HALO_MASS_BINS, Layer};
use crate::io::{Map, read_map};

/// A box whose truth is known, every field on the same grid.
#[derive(Debug, Clone)]
pub struct Fields {
    /// What is predicted from.
    pub dark_matter: DarkMatter,
    /// Halo mass density per mass bin, (M☉/h)/(Mpc/h)³; `None` where haloes are unknown.
    pub halo_mass: Option<[Grid; HALO_MASS_BINS]>,
    /// 21 cm brightness temperature, mK: one realisation.
    pub brightness_temperature: Grid,
}

impl Fields {
    /// Read the fields of a box of a data set.
    ///
    /// # Errors
    /// [`Error::Input`] where the file lacks the dark matter, the 21 cm map or some of the halo
    /// maps.
    pub fn read(path: &Path) -> Result<Self> {
        let Map { header, mut layers } = read_map(path)?;
        let mut take = |layer: Layer| {
            layers.remove(&layer).ok_or_else(|| {
                Error::input(
                    path,
                    format!("it has no {}", layer.name()),
                    "the fields of a data set's box",
                    "Make it anew",
                )
            })
        };
        let dark_matter =
            DarkMatter { density: take(Layer::DarkMatter)?, redshift: header.redshift, cosmology: header.cosmology };
        let brightness_temperature = take(Layer::Reference)?;
        let haloes = (0..HALO_MASS_BINS).any(|bin| layers.contains_key(&Layer::HaloMass(bin)));
        let mut halo_mass = None;
        if haloes {
            let mut take = |bin| {
                layers.remove(&Layer::HaloMass(bin)).ok_or_else(|| {
                    Error::input(
                        path,
                        format!("it has halo maps, but no {}", Layer::HaloMass(bin).name()),
                        "a map of every mass bin, or none",
                        "Make it anew",
                    )
                })
            };
            let [a, b, c, d] = [0, 1, 2, 3].map(&mut take);
            halo_mass = Some([a?, b?, c?, d?]);
        }
        Ok(Self { dark_matter, halo_mass, brightness_temperature })
    }

    /// Voxels per axis.
    pub fn n(&self) -> usize {
        self.dark_matter.density.n()
    }

    /// Halo maps as fractions of the matter in each voxel, which is what HALO learns; the last
    /// entry is the fraction outside all haloes. `None` where haloes are unknown.
    pub fn halo_fractions(&self) -> Option<[Grid; HALO_MASS_BINS + 1]> {
        let halo_mass = self.halo_mass.as_ref()?;
        let DarkMatter { density, cosmology, .. } = &self.dark_matter;
        let mean = cosmology.mean_matter_density();
        let dark_matter = density.as_slice();
        let fraction = |v: f32, m: f32| {
            let matter = f64::from(m) * mean;
            if matter > 0.0 { (f64::from(v) / matter).clamp(0.0, 1.0) as f32 } else { 0.0 }
        };
        let mut rest = density.map(|_| 1.0);
        let mut of_bin = |bin: usize| {
            let mut grid = halo_mass[bin].clone();
            for ((v, &m), r) in grid.as_slice_mut().iter_mut().zip(dark_matter).zip(rest.as_slice_mut()) {
                *v = fraction(*v, m).min(*r);
                *r -= *v;
            }
            grid
        };
        let [a, b, c, d] = [of_bin(0), of_bin(1), of_bin(2), of_bin(3)];
        Some([a, b, c, d, rest])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Cosmology;

    #[test]
    fn halo_fractions_are_shares_of_the_matter() {
        let cosmology = Cosmology::default();
        let mean = cosmology.mean_matter_density() as f32;
        let grid = |values: [f32; 8]| Grid {
            values: ndarray::Array3::from_shape_vec((2, 2, 2), values.to_vec()).unwrap(),
            box_size: 1.0,
        };
        let empty = grid([0.0; 8]);
        let fields = Fields {
            dark_matter: DarkMatter {
                density: grid([0.0, 1.0, 2.0, 4.0, 0.5, 0.5, 0.0, 0.0]),
                redshift: 1.0,
                cosmology,
            },
            halo_mass: Some([
                grid([0.0, 0.0, mean, mean, 0.0, 0.5 * mean, 0.0, 0.0]),
                empty.clone(),
                grid([0.0, 0.0, 0.0, 3.0 * mean, 0.0, 0.0, 0.0, 0.0]),
                empty.clone(),
            ]),
            brightness_temperature: empty,
        };
        let fractions = fields.halo_fractions().unwrap();
        let close = |bin: usize, voxel: usize, value: f32| {
            assert!((fractions[bin].as_slice()[voxel] - value).abs() < 1e-5, "bin {bin}, voxel {voxel}");
        };
        close(0, 2, 0.5);
        close(0, 3, 0.25);
        close(2, 3, 0.75);
        close(4, 3, 0.0);
        close(0, 5, 1.0);
        close(4, 0, 1.0);
        for voxel in 0..8 {
            let sum: f32 = fractions.iter().map(|f| f.as_slice()[voxel]).sum();
            assert!((sum - 1.0).abs() < 1e-6);
        }
    }
}
