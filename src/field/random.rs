//! Noise that belongs to voxels.
//!
//! Every voxel's noise at every step is a function of the seed, the step and
//! the voxel's place in the box alone, so a map does not depend on how the box
//! was cut into tiles, in what order they ran, or on how many threads.

use rayon::prelude::*;

/// One of `0..count`, all alike, from a random word.
pub fn below(count: usize, word: u32) -> usize {
    ((u64::from(word) * count as u64) >> 32) as usize
}

/// Philox4x32-10 (Salmon et al. 2011): 128 random bits from a 128-bit counter
/// and a 64-bit key.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    const M0: u64 = 0xD251_1F53;
    const M1: u64 = 0xCD9E_8D57;
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
        }
        let (p0, p1) = (M0 * u64::from(counter[0]), M1 * u64::from(counter[2]));
        counter =
            [(p1 >> 32) as u32 ^ counter[1] ^ key[0], p1 as u32, (p0 >> 32) as u32 ^ counter[3] ^ key[1], p0 as u32];
    }
    counter
}

/// What a stream of noise is for, so that no two uses share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The latent at the start, pure noise.
    Latent,
    /// The noise added at a denoising step.
    Step(u32),
    /// Anything in training, numbered by the caller.
    Training(u32),
    /// The white noise that a simulation's initial conditions grow from.
    InitialConditions,
}

impl Stream {
    fn words(self) -> [u32; 2] {
        match self {
            Self::Latent => [0, 0],
            Self::Step(step) => [1, step],
            Self::Training(use_number) => [2, use_number],
            Self::InitialConditions => [4, 0],
        }
    }
}

/// Two standard normals from two words (Box & Muller 1958).
fn normals(a: u32, b: u32) -> [f32; 2] {
    // In (0, 1], so that the logarithm is finite.
    let u = (f64::from(a) + 1.0) / 4_294_967_296.0;
    let radius = (-2.0 * u.ln()).sqrt();
    let (sin, cos) = (std::f64::consts::TAU * f64::from(b) / 4_294_967_296.0).sin_cos();
    [(radius * cos) as f32, (radius * sin) as f32]
}

/// Fill `out` with standard normals, one per voxel in C order.
pub fn fill_normal(out: &mut [f32], seed: u64, stream: Stream) {
    let key = [seed as u32, (seed >> 32) as u32];
    let [kind, number] = stream.words();
    const CHUNK: usize = 4096;
    out.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, values)| {
        for (i, four) in values.chunks_mut(4).enumerate() {
            let block = (chunk * CHUNK / 4 + i) as u64;
            let words = philox([block as u32, (block >> 32) as u32, kind, number], key);
            let [a, b] = normals(words[0], words[1]);
            let [c, d] = normals(words[2], words[3]);
            four.copy_from_slice(&[a, b, c, d][..four.len()]);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_matches_the_published_vectors() {
        // Known answers distributed with Random123.
        assert_eq!(philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        assert_eq!(
            philox([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0]),
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]
        );
    }

    #[test]
    fn noise_is_normal_and_streams_are_independent() {
        let n = 1 << 18;
        let draw = |seed, stream| {
            let mut values = vec![0.0; n];
            fill_normal(&mut values, seed, stream);
            values
        };
        let a = draw(7, Stream::Latent);
        let moment = |values: &[f32], p: i32| values.iter().map(|&v| f64::from(v).powi(p)).sum::<f64>() / n as f64;
        // Five standard errors of each moment.
        let tolerance = 5.0 / (n as f64).sqrt();
        assert!(moment(&a, 1).abs() < tolerance);
        assert!((moment(&a, 2) - 1.0).abs() < tolerance * 2f64.sqrt());
        assert!((moment(&a, 4) - 3.0).abs() < tolerance * 96f64.sqrt());
        for b in [draw(7, Stream::Step(0)), draw(7, Stream::Step(1)), draw(8, Stream::Latent)] {
            let cross: f64 = a.iter().zip(&b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>() / n as f64;
            assert!(cross.abs() < tolerance);
        }
    }

    #[test]
    fn a_voxel_keeps_its_noise_whatever_the_length_of_the_field() {
        let (mut short, mut long) = (vec![0.0; 5001], vec![0.0; 20_000]);
        fill_normal(&mut short, 3, Stream::Step(4));
        fill_normal(&mut long, 3, Stream::Step(4));
        assert_eq!(short, long[..5001]);
    }
}
