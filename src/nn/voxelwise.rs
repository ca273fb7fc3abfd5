//! The network that looks at every voxel and its neighbours alone.

use burn::module::{Initializer, Module};
use burn::nn::conv::{Conv3d, Conv3dConfig};
use burn::tensor::{Device, Tensor};

use super::blocks::conv1;
use super::cpu::{convolve, silu_5};

/// A network of one 3³ convolution and two of a single voxel.
///
/// A U-Net on blocks of voxels ([`super::UNetConfig::patch`]) knows a halo and its
/// surroundings and is vague about each voxel of a block. Here a voxel's own channels and its
/// neighbours' count; what lies farther away is told by [`super::FeatureConfig`]. It learns in
/// minutes, from voxels drawn one by one.
#[derive(Module, Debug)]
pub struct Voxelwise {
    neighbours: Conv3d,
    hidden: Conv3d,
    output: Conv3d,
}

impl Voxelwise {
    /// How far it sees, in voxels.
    pub const REACH: usize = 1;

    /// One that answers nothing but zero, with `[input, width, output]` feature maps.
    pub(super) fn new([input, width, output]: [usize; 3], device: &Device) -> Self {
        let answer = Conv3dConfig::new([width, output], [1; 3]).with_initializer(Initializer::Zeros);
        Self {
            // Without padding: every neighbour is there.
            neighbours: Conv3dConfig::new([input, width], [2 * Self::REACH + 1; 3]).init(device),
            hidden: conv1([width, width], device),
            output: answer.init(device),
        }
    }

    /// `[b, input, x + 2, y + 2, z + 2]` to `[b, output, x, y, z]`.
    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.output.forward(silu_5(self.hidden.forward(silu_5(convolve(&self.neighbours, x)))))
    }
}

/// `[b, c, x, y, z]` without the outermost `margin` voxels.
pub fn inner(output: Tensor<5>, margin: usize) -> Tensor<5> {
    if margin == 0 {
        return output;
    }
    let [b, c, x, y, z] = output.dims();
    let inside = |side: usize| margin..side - margin;
    output.slice([0..b, 0..c, inside(x), inside(y), inside(z)])
}
