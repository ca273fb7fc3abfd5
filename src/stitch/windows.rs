//! Cutting windows out of periodic fields, and putting tiles together again.

use burn::tensor::Tensor;

use super::lattice::Tiling;
use crate::field::TileBox;

/// The window `tile` of fields `[c, n, n, n]`, periodic beyond the faces of the box:
/// `[1, c, x, y, z]`.
pub fn cut(fields: &Tensor<4>, tile: TileBox) -> Tensor<5> {
    let window = (0..3).fold(fields.clone(), |fields, axis| {
        let n = fields.dims()[axis + 1];
        let pieces: Vec<Tensor<4>> = runs(n, tile.origin[axis], tile.size[axis])
            .map(|(start, length)| match length == n {
                true => fields.clone(),
                false => fields.clone().narrow(axis + 1, start, length),
            })
            .collect();
        one(pieces, axis + 1)
    });
    window.unsqueeze_dim(0)
}

/// The fields `[c, n, n, n]` that the tiles `[b, c, side, side, side]` of a tiling make up, in
/// their order; zero between them.
pub fn join(tiles: Vec<Tensor<5>>, tiling: &Tiling) -> Tensor<4> {
    let (n, starts) = (tiling.n(), tiling.starts());
    let all = one(tiles, 0);
    let [_, c, side, ..] = all.dims();
    let [gx, gy, gz] = starts.each_ref().map(Vec::len);
    let fields = if [gx, gy, gz] == [n / side; 3] {
        all.reshape([gx, gy, gz, c, side, side, side]).permute([3, 0, 4, 1, 5, 2, 6]).reshape([c, n, n, n])
    } else {
        // Along z, then y, then x: each piece with the room behind it up to the next.
        let pieces: Vec<Tensor<4>> = (0..gx * gy * gz).map(|i| all.clone().narrow(0, i, 1).squeeze_dim(0)).collect();
        (0..3).rev().fold(pieces, |pieces, axis| in_rows(pieces, &tiling.pitches(axis), axis + 1)).remove(0)
    };
    (0..3).filter(|&axis| !starts[axis][0].is_multiple_of(n)).fold(fields, |fields, axis| {
        let shift = starts[axis][0] % n;
        let [end, begin] =
            [(n - shift, shift), (0, n - shift)].map(|(from, length)| fields.clone().narrow(axis + 1, from, length));
        Tensor::cat(vec![end, begin], axis + 1)
    })
}

/// Rows of pieces along `axis`, each piece followed by zeros up to its pitch.
fn in_rows(pieces: Vec<Tensor<4>>, pitches: &[usize], axis: usize) -> Vec<Tensor<4>> {
    let row = |pieces: &[Tensor<4>]| {
        let padded = pieces.iter().zip(pitches).flat_map(|(piece, &pitch)| {
            let mut room = piece.dims();
            room[axis] = pitch - room[axis];
            let room = (room[axis] > 0).then(|| Tensor::zeros(room, &piece.device()));
            std::iter::once(piece.clone()).chain(room)
        });
        Tensor::cat(padded.collect(), axis)
    };
    pieces.chunks(pitches.len()).map(row).collect()
}

fn one<const D: usize>(mut pieces: Vec<Tensor<D>>, axis: usize) -> Tensor<D> {
    if pieces.len() == 1 { pieces.remove(0) } else { Tensor::cat(pieces, axis) }
}

/// The contiguous runs `(start, length)` of `length` voxels from `origin` on, along a periodic
/// axis of `n`.
fn runs(n: usize, origin: usize, length: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let start = (origin + done) % n;
        let run = (n - start).min(length - done);
        done += run;
        (run > 0).then_some((start, run))
    })
}

/// Append the window of `side³` voxels at `origin` of a field of `n³` values on the host to
/// `out`, periodic beyond the faces of the box.
pub fn gather(field: &[f32], n: usize, origin: [usize; 3], side: usize, out: &mut Vec<f32>) {
    for x in 0..side {
        for y in 0..side {
            let line = ((origin[0] + x) % n * n + (origin[1] + y) % n) * n;
            for (start, length) in runs(n, origin[2] % n, side) {
                out.extend_from_slice(&field[line + start..line + start + length]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    use super::*;
    use crate::stitch::{Blend, Lattice, Overlap, Shared};

    fn numbered(channels: usize, n: usize) -> Tensor<4> {
        let values: Vec<f32> = (0..channels * n * n * n).map(|v| v as f32).collect();
        Tensor::from_data(TensorData::new(values, [channels, n, n, n]), &Device::flex())
    }

    proptest! {
        #[test]
        fn windows_are_periodic_and_the_same_on_host_and_device(
            n in 2usize..9, side in 1usize..20, o in prop::array::uniform3(0usize..9),
        ) {
            let origin = o.map(|v| v % n);
            let fields = numbered(2, n);
            let window = cut(&fields, TileBox::cube(origin, side));
            prop_assert_eq!(window.dims(), [1, 2, side, side, side]);
            let values = window.into_data().try_into_vec::<f32>().unwrap();
            let all = fields.into_data().try_into_vec::<f32>().unwrap();
            let mut gathered = Vec::new();
            all.chunks(n.pow(3)).for_each(|field| gather(field, n, origin, side, &mut gathered));
            prop_assert_eq!(&values, &gathered);
            for (at, &value) in values.iter().enumerate() {
                let [c, i, j, k] = [at / side.pow(3), at / side / side % side, at / side % side, at % side];
                let index = ((c * n + (origin[0] + i) % n) * n + (origin[1] + j) % n) * n + (origin[2] + k) % n;
                prop_assert_eq!(value, index as f32);
            }
        }

        #[test]
        fn tiles_of_every_lattice_make_up_the_fields_they_were_cut_from(
            n in prop::sample::select(vec![8usize, 16, 24]),
            step in 0usize..20,
            overlap in prop::sample::select(Overlap::ALL.to_vec()),
        ) {
            let fields = numbered(2, n);
            for shared in Shared::ALL {
                let lattice = Lattice::new(n, 8, 4, overlap).unwrap().blended(Blend { shared, ..Blend::default() });
                let mut covered = Tensor::<4>::zeros([2, n, n, n], &Device::flex());
                let mut sum = covered.clone();
                for tiling in lattice.tilings(step) {
                    let tiles = tiling.tiles();
                    let side = lattice.tile();
                    let ones = vec![Tensor::ones([1, 2, side, side, side], &Device::flex()); tiles.len()];
                    covered = covered + join(ones, &tiling);
                    sum = sum + join(tiles.into_iter().map(|tile| cut(&fields, tile)).collect(), &tiling);
                }
                (sum / covered).into_data().assert_approx_eq::<f32>(&fields.clone().into_data(), Default::default());
            }
        }
    }
}
