//! Connected overdense regions of a field: what a halo finder would see of haloes
//! without the particles.

use super::Grid;

/// The mass of the region that every voxel lies in, in voxels of mean density; 0 outside
/// all of them. A region is a set of voxels of at least `threshold` times the mean
/// (`1 + δ`), connected through their faces, periodic.
///
/// Friends-of-friends groups of a linking length of 0.2 are about the regions above 60
/// to 80 times the mean, so their masses tell which halo mass bin matter belongs to,
/// wherever in a halo it lies.
pub fn region_mass(dark_matter: &Grid, threshold: f64) -> Vec<f32> {
    let (n, values) = (dark_matter.n(), dark_matter.as_slice());
    let inside = |voxel: usize| f64::from(values[voxel]) >= threshold;
    let mut regions = DisjointSets::new(values.len());
    for voxel in (0..values.len()).filter(|&voxel| inside(voxel)) {
        let [x, y, z] = [voxel / (n * n), voxel / n % n, voxel % n];
        let next = [((x + 1) % n * n + y) * n + z, (x * n + (y + 1) % n) * n + z, (x * n + y) * n + (z + 1) % n];
        for neighbour in next.into_iter().filter(|&neighbour| inside(neighbour)) {
            regions.join(voxel as u32, neighbour as u32);
        }
    }
    let mut mass = vec![0f64; values.len()];
    for voxel in (0..values.len()).filter(|&voxel| inside(voxel)) {
        mass[regions.find(voxel as u32) as usize] += f64::from(values[voxel]);
    }
    let of_voxel = |voxel: usize| if inside(voxel) { mass[regions.find(voxel as u32) as usize] as f32 } else { 0.0 };
    (0..values.len()).map(of_voxel).collect()
}

/// Disjoint sets of indices, with path halving; the smallest index is the root.
pub(crate) struct DisjointSets(Vec<u32>);

impl DisjointSets {
    /// `count` sets of one index each.
    pub fn new(count: usize) -> Self {
        Self((0..count as u32).collect())
    }

    /// The root of the set that `i` is in.
    pub fn find(&mut self, mut i: u32) -> u32 {
        while self.0[i as usize] != i {
            self.0[i as usize] = self.0[self.0[i as usize] as usize];
            i = self.0[i as usize];
        }
        i
    }

    /// Make one set of those that `a` and `b` are in.
    pub fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 8;

    fn index([x, y, z]: [usize; 3]) -> usize {
        (x * N + y) * N + z
    }

    fn box_with(dense: &[([usize; 3], f32)]) -> Grid {
        let mut grid = Grid::zeros(N, 1.0).map(|_| 0.5);
        for &(voxel, value) in dense {
            grid.as_slice_mut()[index(voxel)] = value;
        }
        grid
    }

    #[test]
    fn regions_join_through_faces_and_across_the_boundary() {
        let pair = [([0, 3, 3], 100.0), ([7, 3, 3], 60.0)];
        let touching_at_an_edge = ([1, 4, 3], 200.0);
        let too_thin = ([0, 2, 3], 49.0);
        let mass = region_mass(&box_with(&[pair[0], pair[1], touching_at_an_edge, too_thin]), 50.0);
        assert_eq!(mass[index([0, 3, 3])], 160.0);
        assert_eq!(mass[index([7, 3, 3])], 160.0);
        assert_eq!(mass[index([1, 4, 3])], 200.0);
        assert_eq!(mass[index([0, 2, 3])], 0.0);
        assert_eq!(mass.iter().filter(|m| **m > 0.0).count(), 3);
        // A lower threshold joins the thin voxel.
        let lower = region_mass(&box_with(&[pair[0], pair[1], touching_at_an_edge, too_thin]), 10.0);
        assert_eq!(lower[index([0, 2, 3])], 209.0);
    }

    /// What regions hold is what the dense voxels hold, and a shifted box has the same
    /// regions, shifted.
    #[test]
    fn mass_is_kept_and_regions_move_with_the_box() {
        let mut grid = box_with(&[]);
        crate::stitch::fill_normal(grid.as_slice_mut(), 5, crate::stitch::Stream::Latent);
        let (threshold, shift) = (0.7, [3, 5, 6]);
        let mass = region_mass(&grid, threshold);
        let mut shifted = grid.clone();
        let moved =
            |v: usize| index([(v / (N * N) + shift[0]) % N, (v / N % N + shift[1]) % N, (v % N + shift[2]) % N]);
        (0..N.pow(3)).for_each(|v| shifted.as_slice_mut()[moved(v)] = grid.as_slice()[v]);
        let mass_of_shifted = region_mass(&shifted, threshold);
        for v in 0..N.pow(3) {
            assert!((mass_of_shifted[moved(v)] - mass[v]).abs() < 1e-4, "voxel {v}");
        }
        // Every region's mass, once: a voxel's share of it is its own over the region's.
        let dense = || (0..N.pow(3)).filter(|&v| mass[v] > 0.0);
        let regions: f32 = dense().map(|v| grid.as_slice()[v] / mass[v]).sum();
        assert!((regions - regions.round()).abs() < 1e-3 && regions > 1.5, "{regions} regions");
        assert!(dense().all(|v| f64::from(grid.as_slice()[v]) >= threshold));
    }
}
