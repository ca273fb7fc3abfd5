//! The attention residual U-Net under both networks.

use burn::config::Config;
use burn::module::{Module, ModuleMapper, Param};
use burn::nn::conv::{Conv3d, Conv3dConfig};
use burn::nn::{GroupNorm, Linear, LinearConfig};
use burn::tensor::activation::silu;
use burn::tensor::{Device, FloatDType, Tensor};

use super::blocks::{
    Attention, AttentionGate, ResBlock, conv1, conv3, conv3_zero, depth_to_space, group_norm, space_to_depth, upsample,
};
use super::cpu::{convolve, norm_silu};

/// Shape of a [`UNet`].
#[derive(Config, Debug, PartialEq)]
pub struct UNetConfig {
    /// Feature maps in.
    pub input: usize,
    /// Feature maps out.
    pub output: usize,
    /// Voxels per axis folded into channels by the stem. At 2 the network works
    /// on an eighth of the voxels with eight times the channels: width at low
    /// resolution is cheap, thin channels at full resolution are dear.
    #[config(default = 2)]
    pub patch: usize,
    /// Feature maps at each resolution, finest first; each level halves the grid.
    pub channels: Vec<usize>,
    /// Residual blocks per level and direction.
    #[config(default = 1)]
    pub blocks: usize,
    /// Heads of the attention at the coarsest level.
    #[config(default = 4)]
    pub heads: usize,
    /// Whether skip connections pass an attention gate.
    #[config(default = true)]
    pub gated: bool,
    /// Fourier features of the scalar condition; 0 for a network without one.
    #[config(default = 0)]
    pub frequencies: usize,
}

impl UNetConfig {
    /// The grid must be a multiple of this along every axis.
    pub fn multiple(&self) -> usize {
        self.patch << (self.channels.len() - 1)
    }

    /// Width of the scalar condition's embedding, if there is one.
    fn embedding(&self) -> Option<usize> {
        (self.frequencies > 0).then(|| 4 * self.channels[0])
    }

    /// A network with fresh weights.
    pub fn init(&self, device: &Device) -> UNet {
        let embedding = self.embedding();
        let stack = |input: usize, width: usize| -> Vec<ResBlock> {
            (0..self.blocks)
                .map(|i| ResBlock::new([if i == 0 { input } else { width }, width], embedding, device))
                .collect()
        };
        let voxels = self.patch.pow(3);
        let (&finest, &coarsest) =
            (self.channels.first().expect("one level"), self.channels.last().expect("one level"));
        let steps: Vec<[usize; 2]> = self.channels.windows(2).map(|w| [w[0], w[1]]).collect();
        UNet {
            embedding: embedding.map(|width| Embedding::new(self.frequencies, width, device)),
            stem: conv3([self.input * voxels, finest], device),
            encoder: steps
                .iter()
                .map(|&[fine, coarse]| Down {
                    blocks: stack(fine, fine),
                    // A strided 2³ convolution.
                    shrink: Conv3dConfig::new([fine, coarse], [2; 3]).with_stride([2; 3]).init(device),
                })
                .collect(),
            before: stack(coarsest, coarsest),
            attention: Attention::new(coarsest, self.heads, device),
            after: stack(coarsest, coarsest),
            decoder: steps
                .iter()
                .rev()
                .map(|&[fine, coarse]| Up {
                    grow: conv1([coarse, fine], device),
                    gate: self.gated.then(|| AttentionGate::new(fine, device)),
                    blocks: stack(2 * fine, fine),
                })
                .collect(),
            norm: group_norm(finest, device),
            head: conv3_zero([finest, self.output * voxels], device),
            patch: self.patch,
        }
    }
}

/// A 3D residual U-Net with attention at its coarsest level, gated skips and an
/// optional scalar condition.
#[derive(Module, Debug)]
pub struct UNet {
    embedding: Option<Embedding>,
    stem: Conv3d,
    encoder: Vec<Down>,
    before: Vec<ResBlock>,
    attention: Attention,
    after: Vec<ResBlock>,
    decoder: Vec<Up>,
    norm: GroupNorm,
    head: Conv3d,
    #[module(skip)]
    patch: usize,
}

#[derive(Module, Debug)]
struct Down {
    blocks: Vec<ResBlock>,
    shrink: Conv3d,
}

#[derive(Module, Debug)]
struct Up {
    grow: Conv3d,
    gate: Option<AttentionGate>,
    blocks: Vec<ResBlock>,
}

impl UNet {
    /// `x`: `[b, input, nx, ny, nz]`, every side a multiple of
    /// [`UNetConfig::multiple`]; `condition`: `[b]`, about in `[0, 1]`; result:
    /// `[b, output, nx, ny, nz]`. Both ends are of single precision, whatever the network
    /// [computes in](Self::with_precision).
    pub fn forward(&self, x: Tensor<5>, condition: Option<Tensor<1>>) -> Tensor<5> {
        let embedding = match (&self.embedding, condition) {
            (Some(embedding), Some(condition)) => Some(embedding.forward(condition)),
            _ => None,
        };
        let run = |blocks: &[ResBlock], x: Tensor<5>| -> Tensor<5> {
            blocks.iter().fold(x, |x, block| block.forward(x, embedding.as_ref()))
        };
        let precision: FloatDType = self.stem.weight.val().dtype().into();
        let mut x = convolve(&self.stem, space_to_depth(x.cast(precision), self.patch));
        let mut skips = Vec::with_capacity(self.encoder.len());
        for level in &self.encoder {
            x = run(&level.blocks, x);
            skips.push(x.clone());
            x = level.shrink.forward(x);
        }
        x = run(&self.before, x);
        x = self.attention.forward(x);
        x = run(&self.after, x);
        for level in &self.decoder {
            x = upsample(level.grow.forward(x));
            let skip = skips.pop().expect("as many levels up as down");
            let skip = match &level.gate {
                Some(gate) => gate.forward(skip, x.clone()),
                None => skip,
            };
            x = run(&level.blocks, Tensor::cat(vec![x, skip], 1));
        }
        depth_to_space(convolve(&self.head, norm_silu(&self.norm, x, None)), self.patch).cast(FloatDType::F32)
    }

    /// The same network with parameters and feature maps of another precision.
    pub fn with_precision(self, precision: FloatDType) -> Self {
        struct Cast(FloatDType);
        impl ModuleMapper for Cast {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|tensor| tensor.cast(self.0))
            }
        }
        self.map(&mut Cast(precision))
    }
}

/// Fourier features of a scalar and a small perceptron.
#[derive(Module, Debug)]
struct Embedding {
    first: Linear,
    second: Linear,
    #[module(skip)]
    frequencies: usize,
}

impl Embedding {
    fn new(frequencies: usize, width: usize, device: &Device) -> Self {
        Self {
            first: LinearConfig::new(2 * frequencies, width).init(device),
            second: LinearConfig::new(width, width).init(device),
            frequencies,
        }
    }

    /// `[b]` to `[b, width]`: sines and cosines of `2^i π s`, so that the finest
    /// tells apart conditions `2^−frequencies` from each other. Half precision would not tell the
    /// finest phases apart, so they are made in single.
    fn forward(&self, scalar: Tensor<1>) -> Tensor<2> {
        let [b] = scalar.dims();
        let device = scalar.device();
        let scales: Vec<f32> = (0..self.frequencies).map(|i| std::f32::consts::PI * 2f32.powi(i as i32)).collect();
        let scales = Tensor::<1>::from_floats(scales.as_slice(), &device).reshape([1, self.frequencies]);
        let phase = scalar.reshape([b, 1]) * scales;
        let features = Tensor::cat(vec![phase.clone().sin(), phase.cos()], 1);
        let features = features.cast(FloatDType::from(self.first.weight.val().dtype()));
        silu(self.second.forward(silu(self.first.forward(features))))
    }
}
