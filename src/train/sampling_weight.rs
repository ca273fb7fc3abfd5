//! Sampling weights: where crops and voxels are drawn.

use super::data::{Crop, Draws};

/// Below this temperature, in mK, all voxels count alike.
const FAINT: f32 = 0.1;

/// How much each voxel of a box with temperatures in mK counts: three quarters of a power of the
/// temperature to be expected there, one on average. Nine voxels in ten are
/// empty, and a few thousand of two million hold nearly all the power; with this
/// weight every decade of temperature counts about the same. It depends on
/// nothing but the condition, so it moves a network's attention and not its
/// optimum.
pub(super) fn sampling_weights(temperature: &[f32]) -> Vec<f32> {
    let mut weight: Vec<f32> = temperature.iter().map(|&t| (1.0 + t / FAINT).powf(0.75)).collect();
    let mean = (weight.iter().map(|&w| f64::from(w)).sum::<f64>() / weight.len() as f64) as f32;
    weight.iter_mut().for_each(|w| *w /= mean);
    weight
}

/// Where crops of a box are drawn: by the [`sampling_weights`] of their voxels.
pub(super) struct SamplingWeights {
    n: usize,
    /// Of every voxel.
    weight: Vec<f32>,
    by_weight: ByWeight,
}

/// Voxels to be drawn by their weights.
pub(super) struct ByWeight {
    /// Sum of the weights up to and with each voxel.
    cumulative: Vec<f64>,
}

impl ByWeight {
    pub fn new(weights: &[f32]) -> Self {
        let sums = weights.iter().scan(0.0, |sum, &w| {
            *sum += f64::from(w);
            Some(*sum)
        });
        Self { cumulative: sums.collect() }
    }

    /// The voxel that two random words fall on.
    pub fn voxel(&self, [high, low]: [u32; 2]) -> usize {
        let total = self.cumulative.last().copied().unwrap_or_default();
        let part = (f64::from(high) + f64::from(low) / 4_294_967_296.0) / 4_294_967_296.0;
        self.cumulative.partition_point(|&sum| sum <= part * total).min(self.cumulative.len() - 1)
    }
}

/// A crop that was drawn by its sampling weights.
pub(super) struct DrawnCrop {
    pub crop: Crop,
    /// The weight of each of its voxels.
    pub weight: Vec<f32>,
    /// How often it is drawn compared with one placed anywhere: what it counts is
    /// to be divided by that.
    pub sampling_ratio: f32,
}

impl SamplingWeights {
    /// Of a box of `n³` voxels with temperatures in mK.
    pub fn new(n: usize, temperature: &[f32]) -> Self {
        let weight = sampling_weights(temperature);
        Self { n, by_weight: ByWeight::new(&weight), weight }
    }

    /// Place a crop of `side³` voxels: half of them stay where they are, half are
    /// moved to hold a voxel drawn by its weight. A crop is then drawn `(1 + w̄)/2`
    /// times as often as by chance, `w̄` the mean of its weights; counted that much
    /// less, it leaves an objective what it is, and the few crops that hold most of
    /// it are not left to luck.
    pub fn place(&self, mut crop: Crop, side: usize, draws: &mut Draws) -> DrawnCrop {
        let n = self.n;
        let [which, high, low, _] = draws.words();
        if which & 1 == 0 {
            let voxel = self.by_weight.voxel([high, low]);
            crop.hold([voxel / n / n, voxel / n % n, voxel % n], n, side, draws.words());
        }
        let mut weight = Vec::with_capacity(side.pow(3));
        crop.cut(&[&self.weight], n, side, &mut weight);
        let sampling_ratio = 0.5 + 0.5 * weight.iter().sum::<f32>() / weight.len() as f32;
        DrawnCrop { crop, weight, sampling_ratio }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_crops_count_does_not_depend_on_where_they_are_drawn() {
        // The sum of a field over crops, each divided by how often it is drawn, is
        // that over crops placed anywhere.
        let (n, side) = (16, 4);
        let temperature: Vec<f32> = (0..n * n * n).map(|i| if i == 1234 { 50.0 } else { 0.0 }).collect();
        let sampling_weights = SamplingWeights::new(n, &temperature);
        let mut draws = Draws::new(9, 0);
        let (mut bright, mut all, count) = (0.0, 0.0, 20_000);
        for _ in 0..count {
            let crop = draws.crop(1, n);
            let DrawnCrop { crop, sampling_ratio, .. } = sampling_weights.place(crop, side, &mut draws);
            let mut values = Vec::new();
            crop.cut(&[&temperature], n, side, &mut values);
            bright += f64::from(values.iter().sum::<f32>() / sampling_ratio);
            all += f64::from(1.0 / sampling_ratio);
        }
        let expected = 50.0 * (side.pow(3) as f64) / (n.pow(3) as f64);
        assert!((bright / f64::from(count) / expected - 1.0).abs() < 0.05, "{}", bright / f64::from(count) / expected);
        assert!((all / f64::from(count) - 1.0).abs() < 0.05);
    }
}
