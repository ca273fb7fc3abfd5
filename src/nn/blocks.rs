//! The pieces that HALO and LODI are built from. Every feature map has shape
//! `[batch, channels, x, y, z]`.

use burn::module::Module;
use burn::nn::conv::{Conv3d, Conv3dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Initializer, Linear, LinearConfig, PaddingConfig3d};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor};

use super::cpu::{convolve, norm_silu};

/// Channels that share one group of a group norm.
const CHANNELS_PER_GROUP: usize = 8;

/// A 3³ convolution that keeps the grid, zero beyond its faces: a tile's
/// surroundings are not known to the network, and zero says so, where wrapping
/// the tile on itself would lie.
pub fn conv3(channels: [usize; 2], device: &Device) -> Conv3d {
    Conv3dConfig::new(channels, [3; 3]).with_padding(PaddingConfig3d::Explicit(1, 1, 1)).init(device)
}

/// A 3³ convolution that starts as zero, so that the block it ends starts as
/// the identity.
pub fn conv3_zero(channels: [usize; 2], device: &Device) -> Conv3d {
    Conv3dConfig::new(channels, [3; 3])
        .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// A 1³ convolution: a linear map of the channels.
pub fn conv1(channels: [usize; 2], device: &Device) -> Conv3d {
    Conv3dConfig::new(channels, [1; 3]).init(device)
}

/// Group norm with eight channels a group (or one group of all where that does
/// not divide).
pub fn group_norm(channels: usize, device: &Device) -> GroupNorm {
    let groups = if channels.is_multiple_of(CHANNELS_PER_GROUP) { channels / CHANNELS_PER_GROUP } else { 1 };
    GroupNormConfig::new(groups, channels).init(device)
}

/// Move every `factor³` block of voxels into channels:
/// `[b, c, x, y, z] → [b, c·f³, x/f, y/f, z/f]`. Nothing is lost.
pub fn space_to_depth(x: Tensor<5>, factor: usize) -> Tensor<5> {
    if factor == 1 {
        return x;
    }
    let [b, c, nx, ny, nz] = x.dims();
    let f = factor;
    x.reshape([b, c, nx / f, f, ny / f, f, nz / f, f]).permute([0, 1, 3, 5, 7, 2, 4, 6]).reshape([
        b,
        c * f * f * f,
        nx / f,
        ny / f,
        nz / f,
    ])
}

/// The inverse of [`space_to_depth`].
pub fn depth_to_space(x: Tensor<5>, factor: usize) -> Tensor<5> {
    if factor == 1 {
        return x;
    }
    let [b, c, nx, ny, nz] = x.dims();
    let f = factor;
    let c = c / (f * f * f);
    x.reshape([b, c, f, f, f, nx, ny, nz]).permute([0, 1, 5, 2, 6, 3, 7, 4]).reshape([b, c, nx * f, ny * f, nz * f])
}

/// Repeat every voxel twice along each axis.
pub fn upsample(x: Tensor<5>) -> Tensor<5> {
    let [b, c, nx, ny, nz] = x.dims();
    x.reshape([b * c, nx, 1, ny, 1, nz, 1]).expand([b * c, nx, 2, ny, 2, nz, 2]).reshape([b, c, 2 * nx, 2 * ny, 2 * nz])
}

/// A residual block: norm, SiLU, convolution, twice. An embedding, where the
/// block takes one, scales and shifts the second norm's output (FiLM).
#[derive(Module, Debug)]
pub struct ResBlock {
    norm1: GroupNorm,
    conv1: Conv3d,
    film: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv3d,
    skip: Option<Conv3d>,
}

impl ResBlock {
    /// A block from `channels[0]` to `channels[1]` feature maps.
    pub fn new(channels: [usize; 2], embedding: Option<usize>, device: &Device) -> Self {
        let [input, output] = channels;
        Self {
            norm1: group_norm(input, device),
            conv1: conv3([input, output], device),
            film: embedding
                .map(|width| LinearConfig::new(width, 2 * output).with_initializer(Initializer::Zeros).init(device)),
            norm2: group_norm(output, device),
            conv2: conv3_zero([output, output], device),
            skip: (input != output).then(|| conv1([input, output], device)),
        }
    }

    /// `x`: `[b, in, …]`; `embedding`: `[b, width]`; result: `[b, out, …]`.
    pub fn forward(&self, x: Tensor<5>, embedding: Option<&Tensor<2>>) -> Tensor<5> {
        let h = convolve(&self.conv1, norm_silu(&self.norm1, x.clone(), None));
        let film = self.film.as_ref().zip(embedding).map(|(film, embedding)| film.forward(embedding.clone()));
        let h = convolve(&self.conv2, norm_silu(&self.norm2, h, film));
        match &self.skip {
            Some(skip) => h + skip.forward(x),
            None => h + x,
        }
    }
}

/// Multi-head self-attention over all voxels, with a residual connection.
#[derive(Module, Debug)]
pub struct Attention {
    norm: GroupNorm,
    query_key_value: Conv3d,
    output: Conv3d,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    /// Attention on `channels` feature maps; `heads` divides `channels`.
    pub fn new(channels: usize, heads: usize, device: &Device) -> Self {
        Self {
            norm: group_norm(channels, device),
            query_key_value: conv1([channels, 3 * channels], device),
            output: Conv3dConfig::new([channels, channels], [1; 3]).with_initializer(Initializer::Zeros).init(device),
            heads,
        }
    }

    /// `[b, c, …]` to the same shape.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let [b, c, nx, ny, nz] = x.dims();
        let (tokens, heads) = (nx * ny * nz, self.heads);
        let projected = self.query_key_value.forward(self.norm.forward(x.clone()));
        let part = |i: usize| -> Tensor<4> {
            projected.clone().narrow(1, i * c, c).reshape([b, heads, c / heads, tokens]).swap_dims(2, 3)
        };
        let attended = attention(part(0), part(1), part(2), None, None, AttentionModuleOptions::default());
        x + self.output.forward(attended.swap_dims(2, 3).reshape([b, c, nx, ny, nz]))
    }
}

/// An attention gate on a skip connection (Oktay et al. 2018,
/// arXiv:1804.03999): the decoder says where the encoder's features matter.
#[derive(Module, Debug)]
pub struct AttentionGate {
    skip: Conv3d,
    gate: Conv3d,
    weight: Conv3d,
}

impl AttentionGate {
    /// A gate on `channels` feature maps.
    pub fn new(channels: usize, device: &Device) -> Self {
        let inner = (channels / 2).max(1);
        Self {
            skip: conv1([channels, inner], device),
            gate: conv1([channels, inner], device),
            weight: conv1([inner, 1], device),
        }
    }

    /// `skip` and `gate`: `[b, c, …]`, the same shape; result: the gated skip.
    pub fn forward(&self, skip: Tensor<5>, gate: Tensor<5>) -> Tensor<5> {
        let agreement = relu(self.skip.forward(skip.clone()) + self.gate.forward(gate));
        skip * sigmoid(self.weight.forward(agreement))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(shape: [usize; 5]) -> Tensor<5> {
        let device = Device::flex();
        let count: usize = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|v| v as f32).collect();
        Tensor::<1>::from_floats(values.as_slice(), &device).reshape(shape)
    }

    #[test]
    fn space_to_depth_is_undone_and_gathers_neighbours() {
        let x = ramp([2, 3, 4, 4, 6]);
        let folded = space_to_depth(x.clone(), 2);
        assert_eq!(folded.dims(), [2, 24, 2, 2, 3]);
        // The eight children of the first voxel of the first channel.
        let children = folded.clone().slice([0..1, 0..8, 0..1, 0..1, 0..1]).into_data().try_into_vec::<f32>().unwrap();
        assert_eq!(children, [0.0, 1.0, 6.0, 7.0, 24.0, 25.0, 30.0, 31.0]);
        depth_to_space(folded, 2).into_data().assert_eq(&x.into_data(), true);
    }

    #[test]
    fn upsampling_repeats_voxels() {
        let x = ramp([1, 2, 2, 2, 2]);
        let up = upsample(x.clone());
        assert_eq!(up.dims(), [1, 2, 4, 4, 4]);
        // Every second voxel is the original.
        let values = up.into_data().try_into_vec::<f32>().unwrap();
        let original = x.into_data().try_into_vec::<f32>().unwrap();
        for c in 0..2 {
            for (i, j, k) in (0..4).flat_map(|i| (0..4).flat_map(move |j| (0..4).map(move |k| (i, j, k)))) {
                let fine = values[((c * 4 + i) * 4 + j) * 4 + k];
                let coarse = original[((c * 2 + i / 2) * 2 + j / 2) * 2 + k / 2];
                assert_eq!(fine, coarse);
            }
        }
    }

    #[test]
    fn blocks_start_as_the_identity() {
        let device = Device::flex();
        device.seed(1);
        let x = ramp([1, 8, 2, 2, 2]);
        let block = ResBlock::new([8, 8], None, &device).forward(x.clone(), None);
        block.into_data().assert_eq(&x.clone().into_data(), true);
        let attended = Attention::new(8, 2, &device).forward(x.clone());
        attended.into_data().assert_eq(&x.into_data(), false);
    }
}
