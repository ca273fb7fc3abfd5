//! Connected components of an overdense field: what a halo finder would see of haloes
//! without the particles.

use std::f64::consts::TAU;

use super::Grid;

/// What every voxel knows of the component it lies in, `n³` values each.
///
/// A component is a set of voxels of at least a threshold times the mean (`1 + δ`), connected
/// through their faces, periodic. Friends-of-friends groups of a linking length of 0.2 are
/// about the components above 60 to 80 times the mean: their masses tell which halo mass bin
/// matter belongs to, wherever in a halo it lies, and their centres where its HI is densest.
#[derive(Debug, Clone)]
pub struct ConnectedComponents {
    /// Mass of the component, in voxels of mean density; 0 outside all of them.
    pub mass: Vec<f32>,
    /// Distance from the component's centre of mass over the component's rms radius;
    /// [`ConnectedComponents::OUTSIDE`] outside all of them.
    pub distance: Vec<f32>,
}

impl ConnectedComponents {
    /// A distance beyond that of any component's edge.
    pub const OUTSIDE: f32 = 5.0;
    /// Mean square of the distances in a voxel from its centre, so that a component of a
    /// single voxel has a radius.
    const OWN_EXTENT: f64 = 0.25;

    /// The components of `dark_matter` (`1 + δ`) above `threshold`.
    pub fn new(dark_matter: &Grid, threshold: f64) -> Self {
        let (n, values) = (dark_matter.n(), dark_matter.as_slice());
        let place = |voxel: usize| [voxel / (n * n), voxel / n % n, voxel % n];
        let inside: Vec<usize> = (0..values.len()).filter(|&voxel| f64::from(values[voxel]) >= threshold).collect();
        let mut sets = DisjointSets::new(values.len());
        for &voxel in &inside {
            let [x, y, z] = place(voxel);
            let next = [((x + 1) % n * n + y) * n + z, (x * n + (y + 1) % n) * n + z, (x * n + y) * n + (z + 1) % n];
            let neighbours = next.into_iter().filter(|&neighbour| f64::from(values[neighbour]) >= threshold);
            neighbours.for_each(|neighbour| sets.join(voxel as u32, neighbour as u32));
        }
        // ConnectedComponents by the order of their first voxels.
        let mut number = vec![u32::MAX; values.len()];
        let mut components: Vec<Sums> = Vec::new();
        for &voxel in &inside {
            let root = sets.find(voxel as u32) as usize;
            if root == voxel {
                number[root] = components.len() as u32;
                components.push(Sums::default());
            }
            number[voxel] = number[root];
            let sums = &mut components[number[voxel] as usize];
            let mass = f64::from(values[voxel]);
            sums.mass += mass;
            for (circle, x) in sums.circle.iter_mut().zip(place(voxel)) {
                let (sin, cos) = (TAU * x as f64 / n as f64).sin_cos();
                *circle = [circle[0] + mass * sin, circle[1] + mass * cos];
            }
        }
        let squared_distance = |voxel: usize, centre: [f64; 3]| {
            let along = place(voxel).into_iter().zip(centre).map(|(x, c)| {
                let apart = x as f64 - c;
                apart - n as f64 * (apart / n as f64).round()
            });
            along.map(|apart| apart * apart).sum::<f64>()
        };
        let centres: Vec<[f64; 3]> = components.iter().map(|sums| sums.centre(n)).collect();
        for &voxel in &inside {
            let component = number[voxel] as usize;
            components[component].squares += f64::from(values[voxel]) * squared_distance(voxel, centres[component]);
        }
        let mut found = Self { mass: vec![0.0; values.len()], distance: vec![Self::OUTSIDE; values.len()] };
        for &voxel in &inside {
            let component = number[voxel] as usize;
            let sums = &components[component];
            let squared_radius = sums.squares / sums.mass + Self::OWN_EXTENT;
            found.mass[voxel] = sums.mass as f32;
            found.distance[voxel] = (squared_distance(voxel, centres[component]) / squared_radius).sqrt() as f32;
        }
        found
    }
}

/// Sums over the voxels of a component.
#[derive(Default)]
struct Sums {
    mass: f64,
    /// Sines and cosines of the places on each periodic axis, weighted by mass.
    circle: [[f64; 2]; 3],
    /// Squared distances from the centre, weighted by mass.
    squares: f64,
}

impl Sums {
    /// The centre of mass, in voxels, on the circle that a periodic axis is: no voxel of
    /// the component has to be its first.
    fn centre(&self, n: usize) -> [f64; 3] {
        self.circle.map(|[sin, cos]| sin.atan2(cos) * n as f64 / TAU)
    }
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
    fn components_join_through_faces_and_across_the_boundary() {
        let pair = [([0, 3, 3], 100.0), ([7, 3, 3], 60.0)];
        let touching_at_an_edge = ([1, 4, 3], 200.0);
        let too_thin = ([0, 2, 3], 49.0);
        let mass = ConnectedComponents::new(&box_with(&[pair[0], pair[1], touching_at_an_edge, too_thin]), 50.0).mass;
        assert_eq!(mass[index([0, 3, 3])], 160.0);
        assert_eq!(mass[index([7, 3, 3])], 160.0);
        assert_eq!(mass[index([1, 4, 3])], 200.0);
        assert_eq!(mass[index([0, 2, 3])], 0.0);
        assert_eq!(mass.iter().filter(|m| **m > 0.0).count(), 3);
        // A lower threshold joins the thin voxel.
        let lower = ConnectedComponents::new(&box_with(&[pair[0], pair[1], touching_at_an_edge, too_thin]), 10.0).mass;
        assert_eq!(lower[index([0, 2, 3])], 209.0);
    }

    /// What components hold is what the dense voxels hold, and a shifted box has the same
    /// components, shifted.
    #[test]
    fn mass_is_kept_and_components_move_with_the_box() {
        let mut grid = box_with(&[]);
        crate::field::fill_normal(grid.as_slice_mut(), 5, crate::field::Stream::Latent);
        let (threshold, shift) = (0.7, [3, 5, 6]);
        let ConnectedComponents { mass, distance } = ConnectedComponents::new(&grid, threshold);
        let mut shifted = grid.clone();
        let moved =
            |v: usize| index([(v / (N * N) + shift[0]) % N, (v / N % N + shift[1]) % N, (v % N + shift[2]) % N]);
        (0..N.pow(3)).for_each(|v| shifted.as_slice_mut()[moved(v)] = grid.as_slice()[v]);
        let of_shifted = ConnectedComponents::new(&shifted, threshold);
        for v in 0..N.pow(3) {
            assert!((of_shifted.mass[moved(v)] - mass[v]).abs() < 1e-4, "voxel {v}");
            assert!((of_shifted.distance[moved(v)] - distance[v]).abs() < 1e-4, "voxel {v}");
        }
        // Every component's mass, once: a voxel's share of it is its own over the component's.
        let dense = || (0..N.pow(3)).filter(|&v| mass[v] > 0.0);
        let components: f32 = dense().map(|v| grid.as_slice()[v] / mass[v]).sum();
        assert!((components - components.round()).abs() < 1e-3 && components > 1.5, "{components} components");
        assert!(dense().all(|v| f64::from(grid.as_slice()[v]) >= threshold));
    }

    /// A bar of three voxels across the boundary: its middle voxel is its centre, and the
    /// others lie `1/√(2/3 + 1/4)` of its radius away.
    #[test]
    fn distances_are_from_the_centre_of_mass_and_across_the_boundary() {
        let bar = [([7, 2, 2], 100.0), ([0, 2, 2], 100.0), ([1, 2, 2], 100.0)];
        let distance = ConnectedComponents::new(&box_with(&[bar[0], bar[1], bar[2], ([4, 6, 6], 80.0)]), 50.0).distance;
        assert!(distance[index([0, 2, 2])] < 1e-6);
        for end in [[7, 2, 2], [1, 2, 2]] {
            assert!((f64::from(distance[index(end)]) - 1.0 / (2.0 / 3.0 + 0.25f64).sqrt()).abs() < 1e-6);
        }
        // One voxel is its own centre; everything else is outside.
        assert!(distance[index([4, 6, 6])] < 1e-6);
        assert_eq!(distance.iter().filter(|d| **d == ConnectedComponents::OUTSIDE).count(), N.pow(3) - 4);
    }
}
