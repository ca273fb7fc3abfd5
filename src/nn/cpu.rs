//! The two operations that a forward pass on the CPU spends most of its time in: 3³
//! convolutions, and group norm with SiLU. burn's own serve training and GPUs; these give the
//! same numbers to rounding.

use burn::nn::conv::Conv3d;
use burn::nn::{GroupNorm, PaddingConfig3d};
use burn::tensor::activation::silu;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rayon::prelude::*;

/// Values that are worked on together: a register of AVX.
const LANES: usize = 8;
/// Output channels, and groups of [`LANES`] voxels, of one block: eight accumulators, enough to
/// hide the latency of their additions, and few enough to stay in registers.
const CHANNELS: usize = 2;
const GROUPS: usize = 4;

/// `conv.forward(x)` for `[b, c, x, y, z]`.
pub(super) fn convolve(conv: &Conv3d, x: Tensor<5>) -> Tensor<5> {
    let padding = match conv.padding {
        PaddingConfig3d::Valid => Some(0),
        PaddingConfig3d::Explicit(1, 1, 1) => Some(1),
        _ => None,
    };
    let plain = conv.kernel_size == [3; 3] && conv.stride == [1; 3] && conv.dilation == [1; 3] && conv.groups == 1;
    match padding {
        Some(padding) if plain && on_cpu(&x) && has_avx2() => convolve_3(conv, x, padding),
        _ => conv.forward(x),
    }
}

/// `silu(norm.forward(x))` for `[b, c, x, y, z]`; with `film`, `[b, 2c]`, the norm's output is
/// scaled by one more than its first half and shifted by the second before (FiLM).
pub(super) fn norm_silu(norm: &GroupNorm, x: Tensor<5>, film: Option<Tensor<2>>) -> Tensor<5> {
    let shape @ [batch, channels, nx, ny, nz] = x.dims();
    let (Some(gamma), Some(beta), true) = (&norm.gamma, &norm.beta, on_cpu(&x)) else {
        let x = norm.forward(x);
        return silu(match film {
            Some(film) => {
                let film = film.reshape([batch, 2 * channels, 1, 1, 1]);
                x * (film.clone().narrow(1, 0, channels) + 1.0) + film.narrow(1, channels, channels)
            }
            None => x,
        });
    };
    let (gamma, beta) = (values(gamma.val()), values(beta.val()));
    let film = film.map_or_else(|| vec![0.0; 2 * channels * batch], values);
    // What each channel is multiplied by and what is added to it, once its group is normalised.
    let affine: Vec<[f32; 2]> = (0..batch * channels)
        .map(|i| {
            let (b, c) = (i / channels, i % channels);
            let [scale, shift] = [0, channels].map(|half| film[2 * channels * b + half + c]);
            [gamma[c] * (1.0 + scale), beta[c] * (1.0 + scale) + shift]
        })
        .collect();
    let (group, voxels) = (channels / norm.num_groups, nx * ny * nz);
    let mut x = values(x);
    let groups = x.par_chunks_mut(group * voxels).zip(affine.par_chunks(group));
    groups.for_each(|(x, affine)| normalise(x, voxels, affine, norm.epsilon));
    Tensor::from_data(TensorData::new(x, shape), &Device::flex())
}

/// `silu(x)` for `[b, c, x, y, z]`.
pub(super) fn silu_5(x: Tensor<5>) -> Tensor<5> {
    if !on_cpu(&x) {
        return silu(x);
    }
    let shape = x.dims();
    let mut x = values(x);
    x.par_chunks_mut(1 << 14).for_each(|x| silu_of(x, 1.0, 0.0));
    Tensor::from_data(TensorData::new(x, shape), &Device::flex())
}

/// Whether a tensor is in the computer's own memory, in single precision, and no gradient is asked for.
fn on_cpu(x: &Tensor<5>) -> bool {
    !x.is_autodiff() && x.device() == Device::flex() && x.dtype() == DType::F32
}

/// Whether the processor has the instructions that the wide versions are compiled for.
fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().expect("tensors on the CPU are there, and of f32")
}

/// Group norm and SiLU of one group of channels of `voxels` values each; `affine` is what each
/// channel is multiplied by and what is added to it in between.
fn normalise(x: &mut [f32], voxels: usize, affine: &[[f32; 2]], epsilon: f64) {
    let count = x.len() as f64;
    let mean = sum(x, |v| v) / count;
    let variance = sum(x, |v| (v - mean as f32) * (v - mean as f32)) / count;
    let deviation = (variance + epsilon).sqrt();
    for (x, [gamma, beta]) in x.chunks_mut(voxels).zip(affine) {
        let scale = f64::from(*gamma) / deviation;
        silu_of(x, scale as f32, (f64::from(*beta) - scale * mean) as f32);
    }
}

/// SiLU of every value times `scale` plus `shift`.
fn silu_of(x: &mut [f32], scale: f32, shift: f32) {
    #[cfg(target_arch = "x86_64")]
    if has_avx2() {
        // SAFETY: the processor has the instructions.
        return unsafe { scale_silu_avx2(x, scale, shift) };
    }
    scale_silu(x, scale, shift);
}

/// The sum of `f` over many values, side by side, and in `f64` where there are a thousand.
fn sum(x: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    let of_part = |part: &[f32]| {
        let (lanes, rest) = part.as_chunks::<LANES>();
        let mut sums = [0f32; LANES];
        for lane in lanes {
            sums.iter_mut().zip(lane).for_each(|(sum, &v)| *sum += f(v));
        }
        f64::from(sums.iter().sum::<f32>() + rest.iter().map(|&v| f(v)).sum::<f32>())
    };
    x.chunks(1024).map(of_part).sum()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn scale_silu_avx2(x: &mut [f32], scale: f32, shift: f32) {
    scale_silu(x, scale, shift);
}

#[inline(always)]
fn scale_silu(x: &mut [f32], scale: f32, shift: f32) {
    for v in x {
        let y = v.mul_add(scale, shift);
        *v = y / (1.0 + exp(-y));
    }
}

/// `eˣ` to 1e-7 of itself, without a branch, so that it is worked out for many values at once:
/// `2ⁿ` from the bits of a float, and the rest by a polynomial (as in Cephes).
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 87.0);
    let n = (x * std::f32::consts::LOG2_E).round_ties_even();
    // ln 2 in two parts, the first exact in a float with room to multiply.
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = r.mul_add(1.987_569_1e-4, 1.398_199_9e-3);
    let p = r.mul_add(p, 8.333_452e-3);
    let p = r.mul_add(p, 4.166_579_6e-2);
    let p = r.mul_add(p, 1.666_666_5e-1);
    let p = r.mul_add(p, 0.5);
    let p = (r * r).mul_add(p, r + 1.0);
    p * f32::from_bits(((n as i32 + 127) << 23) as u32)
}

/// Inputs and weights of a convolution, laid out for `make_plane`.
struct Convolution {
    input: usize,
    output: usize,
    /// Voxels per axis of the output.
    size: [usize; 3],
    /// Of the input with its padding: voxels of a row, of a plane, of a channel.
    row: usize,
    plane: usize,
    channel: usize,
    /// `[output / CHANNELS, input, 27, CHANNELS]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
    /// Where the groups of a plane's outputs begin in the padded plane.
    groups: Vec<usize>,
}

fn convolve_3(conv: &Conv3d, x: Tensor<5>, padding: usize) -> Tensor<5> {
    let [batch, input, dx, dy, dz] = x.dims();
    let [output, ..] = conv.weight.dims();
    let size = [dx, dy, dz].map(|side| side + 2 * padding - 2);
    let padded = size.map(|side| side + 2);
    let (row, plane) = (padded[2], padded[1] * padded[2]);
    let channel = padded[0] * plane;
    // Whole rows where groups fit; otherwise on and on over the padding, whose results are
    // thrown away.
    let groups: Vec<usize> = match size[2].is_multiple_of(LANES) {
        true => (0..size[1]).flat_map(|y| (0..size[2] / LANES).map(move |g| y * row + g * LANES)).collect(),
        false => (0..((size[1] - 1) * row + size[2]).div_ceil(LANES)).map(|g| g * LANES).collect(),
    };
    let weight = values(conv.weight.val());
    let blocks = output.div_ceil(CHANNELS);
    let mut weights = vec![0f32; blocks * input * 27 * CHANNELS];
    for (i, packed) in weights.chunks_mut(CHANNELS).enumerate() {
        let (block, inner) = (i / (input * 27), i % (input * 27));
        for (c, w) in packed.iter_mut().enumerate().filter(|(c, _)| block * CHANNELS + c < output) {
            *w = weight[(block * CHANNELS + c) * input * 27 + inner];
        }
    }
    let mut bias = conv.bias.as_ref().map_or_else(|| vec![0.0; output], |bias| values(bias.val()));
    bias.resize(blocks * CHANNELS, 0.0);
    let convolution = Convolution { input, output, size, row, plane, channel, weights, bias, groups };

    let x = values(x);
    let mut out = vec![0f32; batch * output * size.iter().product::<usize>()];
    // Groups may read beyond the last row.
    let mut around = vec![0f32; input * channel + 4 * LANES];
    for (x, out) in x.chunks(input * dx * dy * dz).zip(out.chunks_mut(output * size.iter().product::<usize>())) {
        for (i, line) in x.chunks(dz).enumerate() {
            let [c, px, py] = [i / dy / dx, i / dy % dx + padding, i % dy + padding];
            let start = c * channel + px * plane + py * row + padding;
            around[start..start + dz].copy_from_slice(line);
        }
        convolution.run(&around, out);
    }
    let [ox, oy, oz] = size;
    Tensor::from_data(TensorData::new(out, [batch, output, ox, oy, oz]), &Device::flex())
}

impl Convolution {
    /// All planes of one item of a batch.
    fn run(&self, around: &[f32], out: &mut [f32]) {
        let [sx, sy, sz] = self.size;
        // A plane of every output channel, as the groups lie.
        let planes: Vec<Vec<f32>> = (0..sx)
            .into_par_iter()
            .map(|x| {
                let mut made = vec![0f32; self.bias.len() * self.stride()];
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the processor has the instructions, or this is not called.
                unsafe {
                    self.make_plane(&around[x * self.plane..], &mut made);
                }
                made
            })
            .collect();
        out.par_chunks_mut(sx * sy * sz).enumerate().for_each(|(c, out)| {
            for (out, made) in out.chunks_mut(sy * sz).zip(&planes) {
                let made = &made[c * self.stride()..];
                for (y, line) in out.chunks_mut(sz).enumerate() {
                    line.copy_from_slice(&made[y * self.row..y * self.row + sz]);
                }
            }
        });
        debug_assert_eq!(out.len(), self.output * sx * sy * sz);
    }

    /// Values of a plane of one output channel, with room for groups that reach beyond it.
    fn stride(&self) -> usize {
        self.plane + 4 * LANES
    }

    /// One plane of every output channel; `around` begins with the plane before it.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn make_plane(&self, around: &[f32], made: &mut [f32]) {
        use std::arch::x86_64::{__m256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_storeu_ps};

        let stride = self.stride();
        let offsets: [usize; 27] = std::array::from_fn(|i| i / 9 * self.plane + i / 3 % 3 * self.row + i % 3);
        let last = self.groups.last().copied().unwrap_or(0);
        assert!(around.len() >= (self.input - 1) * self.channel + last + offsets[26] + LANES);
        assert!(made.len() >= self.bias.len() * stride && stride >= last + LANES);
        for (block, weights) in self.weights.chunks(self.input * 27 * CHANNELS).enumerate() {
            let bias = &self.bias[block * CHANNELS..(block + 1) * CHANNELS];
            for groups in self.groups.chunks(GROUPS) {
                // A short last block does some of its work twice.
                let groups: [usize; GROUPS] = std::array::from_fn(|g| groups[g.min(groups.len() - 1)]);
                let mut sums: [[__m256; GROUPS]; CHANNELS] =
                    std::array::from_fn(|c| std::array::from_fn(|_| _mm256_set1_ps(bias[c])));
                for (c, weights) in weights.chunks(27 * CHANNELS).enumerate() {
                    for (offset, weights) in offsets.iter().zip(weights.as_chunks::<CHANNELS>().0) {
                        let inputs: [__m256; GROUPS] = std::array::from_fn(|g| {
                            // SAFETY: within `around`, by the first assertion.
                            unsafe { _mm256_loadu_ps(around.as_ptr().add(c * self.channel + groups[g] + offset)) }
                        });
                        for (sums, weight) in sums.iter_mut().zip(weights) {
                            let weight = _mm256_set1_ps(*weight);
                            for (sum, input) in sums.iter_mut().zip(&inputs) {
                                *sum = _mm256_fmadd_ps(*input, weight, *sum);
                            }
                        }
                    }
                }
                for (c, sums) in sums.iter().enumerate() {
                    for (sum, group) in sums.iter().zip(groups) {
                        // SAFETY: within `made`, by the second assertion.
                        unsafe {
                            _mm256_storeu_ps(made.as_mut_ptr().add((block * CHANNELS + c) * stride + group), *sum)
                        };
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::GroupNormConfig;
    use burn::nn::conv::Conv3dConfig;
    use burn::tensor::Distribution;

    use super::*;

    fn random(shape: [usize; 5]) -> Tensor<5> {
        Tensor::random(shape, Distribution::Normal(0.3, 1.0), &Device::flex())
    }

    fn close(a: Tensor<5>, b: Tensor<5>, what: &str) {
        assert_eq!(a.dims(), b.dims());
        for (a, b) in values(a).into_iter().zip(values(b)) {
            assert!((a - b).abs() <= 2e-5 * (1.0 + b.abs()), "{what}: {a} against {b}");
        }
    }

    #[test]
    fn convolutions_are_those_of_burn_for_every_shape_and_padding() {
        let device = Device::flex();
        device.seed(3);
        for (shape, output) in
            [([2, 3, 4, 5, 6], 5), ([1, 8, 8, 8, 8], 8), ([1, 5, 3, 4, 12], 4), ([1, 1, 6, 3, 17], 1)]
        {
            for padding in [PaddingConfig3d::Valid, PaddingConfig3d::Explicit(1, 1, 1)] {
                let conv = Conv3dConfig::new([shape[1], output], [3; 3]).with_padding(padding.clone()).init(&device);
                let x = random(shape);
                close(convolve(&conv, x.clone()), conv.forward(x), &format!("{shape:?}, {padding:?}"));
            }
        }
        // What is not a plain 3³ convolution is burn's.
        let strided = Conv3dConfig::new([2, 4], [2; 3]).with_stride([2; 3]).init(&device);
        assert_eq!(convolve(&strided, random([1, 2, 4, 4, 4])).dims(), [1, 4, 2, 2, 2]);
    }

    #[test]
    fn group_norm_with_silu_is_that_of_burn() {
        let device = Device::flex();
        device.seed(4);
        let mut norm = GroupNormConfig::new(2, 6).init(&device);
        norm.gamma = norm.gamma.map(|gamma| gamma.map(|v| v * 1.7));
        norm.beta = norm.beta.map(|beta| beta.map(|v| v - 0.4));
        for shape in [[2, 6, 3, 5, 7], [1, 6, 8, 8, 8]] {
            let x = random(shape) * 3.0;
            close(norm_silu(&norm, x.clone(), None), silu(norm.forward(x.clone())), "group norm");
            let film = Tensor::<2>::random([shape[0], 12], Distribution::Normal(0.0, 1.0), &device);
            let wide = film.clone().reshape([shape[0], 12, 1, 1, 1]);
            let expected = norm.forward(x.clone()) * (wide.clone().narrow(1, 0, 6) + 1.0) + wide.narrow(1, 6, 6);
            close(norm_silu(&norm, x, Some(film)), silu(expected), "group norm with FiLM");
        }
    }

    #[test]
    fn silu_is_that_of_burn() {
        let x = random([2, 3, 4, 5, 67]) * 20.0;
        close(silu_5(x.clone()), silu(x), "silu");
    }

    #[test]
    fn the_exponential_is_right_to_a_ten_millionth() {
        for i in -8700..8700 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 3e-7, "at {x}: {} for {exact}", exp(x));
        }
    }
}
