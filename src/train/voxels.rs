//! Voxels that are drawn one by one, for networks that look at each alone.
//!
//! Half of the matter lies in two voxels of a hundred, and nearly all HI in a few
//! thousand of two million. A crop shows little of it, and all of that of a few haloes.

use burn::tensor::{Device, Tensor, TensorData};

use super::data::{ChannelField, Crop, Draws};
use super::sampling_weight::ByWeight;
use crate::field::below;
use crate::nn::Voxelwise;

/// Voxels that are drawn and shown together: what [`super::TrainConfig::batch`] counts.
pub(super) const VOXELS: usize = 512;
/// Voxels per axis of what a network sees of one.
const SIDE: usize = 2 * Voxelwise::REACH + 1;

/// A box whose voxels are learned from.
pub(super) struct VoxelBox {
    channels: ChannelField,
    /// What is to be known of each voxel itself.
    targets: ChannelField,
    by_weight: ByWeight,
    /// What each voxel counts: one over how often it is drawn compared with all being drawn alike.
    shares: Vec<f32>,
}

impl VoxelBox {
    /// A box whose voxels are drawn by `weights`.
    pub fn new(channels: ChannelField, targets: ChannelField, weights: &[f32]) -> Self {
        let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / weights.len() as f64;
        let shares = weights.iter().map(|&w| (mean / f64::from(w)) as f32).collect();
        Self { channels, targets, by_weight: ByWeight::new(weights), shares }
    }

    /// The same box, whose voxels count `times` as much.
    pub fn counting(mut self, times: f64) -> Self {
        self.shares.iter_mut().for_each(|share| *share *= times as f32);
        self
    }
}

/// Voxels with their neighbours.
#[derive(Default)]
pub(super) struct Voxels {
    /// `[VOXELS, channels, SIDE, SIDE, SIDE]`.
    channels: Vec<f32>,
    /// `[VOXELS, targets]`.
    targets: Vec<f32>,
    /// What each counts, so that the sum is what it is over voxels drawn anywhere.
    shares: Vec<f32>,
}

impl Voxels {
    /// Draw some from `boxes`, in random orientations.
    pub fn draw(boxes: &[VoxelBox], draws: &mut Draws) -> Self {
        let mut drawn = Self::default();
        for _ in 0..VOXELS {
            let [which, high, low, turned] = draws.words();
            let index = below(boxes.len(), which);
            let from = &boxes[index];
            let (n, voxel) = (from.channels.n, from.by_weight.voxel([high, low]));
            let place = [voxel / n / n, voxel / n % n, voxel % n];
            let channels: Vec<&[f32]> = from.channels.each().collect();
            Crop::around(index, place, n, Voxelwise::REACH, turned).cut(&channels, n, SIDE, &mut drawn.channels);
            drawn.targets.extend(from.targets.values.iter().skip(voxel).step_by(n.pow(3)));
            drawn.shares.push(from.shares[voxel]);
        }
        drawn
    }

    /// Channels `[b, channels, SIDE, SIDE, SIDE]`, targets `[b, targets, 1, 1, 1]` and
    /// shares `[b, 1, 1, 1, 1]` of all `voxels`.
    pub fn tensors(voxels: &[Self], device: &Device) -> [Tensor<5>; 3] {
        let count = voxels.len() * VOXELS;
        let tensor = |field: fn(&Self) -> &[f32], side: usize| {
            let values = voxels.iter().flat_map(|v| field(v).iter().copied()).collect::<Vec<f32>>();
            let channels = values.len() / (count * side.pow(3));
            Tensor::<5>::from_data(TensorData::new(values, [count, channels, side, side, side]), device)
        };
        [tensor(|v| &v.channels, SIDE), tensor(|v| &v.targets, 1), tensor(|v| &v.shares, 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The middle of a voxel's channels is itself, and what voxels count makes up for how
    /// often they are drawn.
    #[test]
    fn voxels_are_drawn_by_weight_with_their_neighbours_and_targets() {
        let n = 8;
        let own: Vec<f32> = (0..n * n * n).map(|i| i as f32).collect();
        let weights: Vec<f32> = (0..n * n * n).map(|i| if i == 77 { 100.0 } else { 1.0 }).collect();
        let targets = own.iter().map(|v| 2.0 * v).chain(own.iter().map(|v| v + 1.0)).collect();
        let from =
            VoxelBox::new(ChannelField { n, values: own.clone() }, ChannelField { n, values: targets }, &weights);
        let mut draws = Draws::new(3, 0);
        let all: Vec<Voxels> = (0..8).map(|_| Voxels::draw(std::slice::from_ref(&from), &mut draws)).collect();
        let drawn: Vec<usize> = all.iter().flat_map(|v| v.channels.chunks(27).map(|c| c[13] as usize)).collect();
        let targets: Vec<&[f32]> = all.iter().flat_map(|v| v.targets.chunks(2)).collect();
        assert_eq!(drawn.len(), 8 * VOXELS);
        for (&voxel, target) in drawn.iter().zip(targets) {
            assert_eq!(target, [2.0 * voxel as f32, voxel as f32 + 1.0]);
        }
        let heavy = drawn.iter().filter(|&&v| v == 77).count() as f64 / drawn.len() as f64;
        assert!((heavy / (100.0 / 611.0) - 1.0).abs() < 0.15, "{heavy}");
        let counted = |all: &[Voxels]| all.iter().flat_map(|v| &v.shares).sum::<f32>() / (all.len() * VOXELS) as f32;
        assert!((counted(&all) - 1.0).abs() < 0.05, "{}", counted(&all));
        let thrice = [from.counting(3.0)];
        let all: Vec<Voxels> = (0..8).map(|_| Voxels::draw(&thrice, &mut draws)).collect();
        assert!((counted(&all) - 3.0).abs() < 0.15, "{}", counted(&all));
    }
}
