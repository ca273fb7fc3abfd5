//! Histograms of fields.

use rayon::prelude::*;

/// How many voxels lie where along a range.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Voxels per bin; bins are equally wide from 0 to 1 in the places given.
    pub counts: Vec<u64>,
    /// Voxels placed below 0.
    pub below: u64,
    /// Voxels placed above 1.
    pub above: u64,
    /// Voxels without a value (NaN).
    pub missing: u64,
}

impl Histogram {
    /// The histogram of `values` in `bins` bins, each value `place`d along 0 to 1.
    pub fn new(values: &[f32], bins: usize, place: impl Fn(f32) -> f32 + Sync) -> Self {
        let empty = || Self { counts: vec![0; bins], below: 0, above: 0, missing: 0 };
        let chunk = |values: &[f32]| {
            let mut part = empty();
            for &value in values {
                let place = place(value);
                if place.is_nan() {
                    part.missing += 1;
                } else if place < 0.0 {
                    part.below += 1;
                } else if place > 1.0 {
                    part.above += 1;
                } else {
                    part.counts[((place * bins as f32) as usize).min(bins - 1)] += 1;
                }
            }
            part
        };
        values.par_chunks(1 << 16).map(chunk).reduce(empty, |mut a, b| {
            a.counts.iter_mut().zip(&b.counts).for_each(|(a, b)| *a += b);
            (a.below, a.above, a.missing) = (a.below + b.below, a.above + b.above, a.missing + b.missing);
            a
        })
    }

    /// All voxels.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.below + self.above + self.missing
    }

    /// The share of voxels with a value below and above two places.
    pub fn clipped(&self, low: f32, high: f32) -> [f64; 2] {
        let bins = self.counts.len() as f32;
        let at = |place: f32| ((place * bins).round().clamp(0.0, bins)) as usize;
        let all = (self.total() - self.missing).max(1) as f64;
        let below = self.below + self.counts[..at(low)].iter().sum::<u64>();
        let above = self.above + self.counts[at(high)..].iter().sum::<u64>();
        [below as f64 / all, above as f64 / all]
    }

    /// The share of voxels without a value.
    pub fn missing_share(&self) -> f64 {
        self.missing as f64 / self.total().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_voxel_is_counted_where_it_lies() {
        let values: Vec<f32> = (0..100_000).map(|i| (i % 100) as f32).chain([f32::NAN, -5.0, 500.0]).collect();
        let histogram = Histogram::new(&values, 10, |v| v / 100.0);
        assert_eq!(histogram.counts, vec![10_000; 10]);
        assert_eq!((histogram.below, histogram.above, histogram.missing), (1, 1, 1));
        assert_eq!(histogram.total(), values.len() as u64);
        let [below, above] = histogram.clipped(0.2, 0.9);
        assert!((below - 0.2).abs() < 1e-4 && (above - 0.1).abs() < 1e-4, "{below} {above}");
    }
}
