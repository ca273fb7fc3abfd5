//! Cutting windows out of periodic fields, and putting tiles together again.

use burn::tensor::Tensor;

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

/// The fields `[c, n, n, n]` that tiles `[b, c, side, side, side]` make up: cubes that do not
/// overlap, in raster order, the first of them at `shift`.
pub fn join(tiles: Vec<Tensor<5>>, n: usize, shift: [usize; 3]) -> Tensor<4> {
    let all = Tensor::cat(tiles, 0);
    let [_, c, side, ..] = all.dims();
    let g = n / side;
    let fields = all.reshape([g, g, g, c, side, side, side]).permute([3, 0, 4, 1, 5, 2, 6]).reshape([c, n, n, n]);
    (0..3).filter(|&axis| !shift[axis].is_multiple_of(n)).fold(fields, |fields, axis| {
        let shift = shift[axis] % n;
        let [end, begin] =
            [(n - shift, shift), (0, n - shift)].map(|(from, length)| fields.clone().narrow(axis + 1, from, length));
        Tensor::cat(vec![end, begin], axis + 1)
    })
}

fn one(mut pieces: Vec<Tensor<4>>, axis: usize) -> Tensor<4> {
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
    use crate::stitch::{Lattice, Overlap};

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
            let lattice = Lattice::new(n, 8, 4, overlap).unwrap();
            for shift in lattice.tilings(step) {
                let tiles = lattice.tiles(shift).into_iter().map(|tile| cut(&fields, tile)).collect();
                join(tiles, n, shift).into_data().assert_eq(&fields.clone().into_data(), true);
            }
        }
    }
}
