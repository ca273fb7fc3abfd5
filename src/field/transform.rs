//! The invertible transform between a physical field and what networks and
//! screens see.

use serde::{Deserialize, Serialize};

use super::Grid;

/// `y = (log10(x + floor) − offset) / scale` for a field `x ≥ 0`.
///
/// Densities and temperatures span decades; networks train on, and colour maps
/// show, their logarithm. `floor` (in the unit of `x`) is where empty voxels
/// end, `offset` and `scale` (in dex) centre the training set.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogTransform {
    /// Added before the logarithm, in the unit of the field; positive.
    pub floor: f64,
    /// Subtracted after the logarithm, in dex.
    pub offset: f64,
    /// Divided by at the end, in dex; positive.
    pub scale: f64,
}

impl LogTransform {
    /// The plain logarithm above a floor.
    pub fn above(floor: f64) -> Self {
        Self { floor, offset: 0.0, scale: 1.0 }
    }

    /// The logarithm above a floor with the mean and the deviation of `fields` taken
    /// out.
    pub fn standardised<'a>(fields: impl Iterator<Item = &'a Grid>, floor: f64) -> Self {
        let plain = Self::above(floor);
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for field in fields {
            for &v in field.as_slice() {
                let y = f64::from(plain.forward(v));
                (count, sum, squares) = (count + 1.0, sum + y, squares + y * y);
            }
        }
        let offset = sum / count;
        Self { floor, offset, scale: (squares / count - offset * offset).sqrt().max(1e-3) }
    }

    /// From the physical value to the transformed one.
    pub fn forward(&self, x: f32) -> f32 {
        (((f64::from(x).max(0.0) + self.floor).log10() - self.offset) / self.scale) as f32
    }

    /// From the transformed value back to the physical one, never below zero.
    pub fn inverse(&self, y: f32) -> f32 {
        (10f64.powf(f64::from(y) * self.scale + self.offset) - self.floor).max(0.0) as f32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn inverse_undoes_forward(x in 0f32..1e4, floor in 1e-3f64..1.0, offset in -3f64..3.0, scale in 0.1f64..3.0) {
            let transform = LogTransform { floor, offset, scale };
            let back = transform.inverse(transform.forward(x));
            prop_assert!((back - x).abs() <= 1e-4 * (x + floor as f32), "{x} came back as {back}");
        }
    }
}
