//! Clumps of a field and how they join: what a halo finder would see of haloes that touch.

use super::{DisjointSets, Grid};

/// The clumps of a periodic field: one around every peak that stands above a threshold.
///
/// Every voxel belongs to the clump of the densest of the six voxels around it that are
/// denser (a watershed); a voxel with none is a peak. Lowering a density from the highest
/// peak down, clumps join into groups one after the other, each time at a saddle.
#[derive(Debug, Clone, PartialEq)]
pub struct Clumps {
    /// Which of the clumps a voxel belongs to; [`Clumps::NONE`] below the threshold. Clumps
    /// are numbered from the highest peak down.
    pub clump: Vec<u32>,
    /// Mass of each, of what is at least as dense as the edge, in voxels of mean density.
    pub masses: Vec<f64>,
    /// How they join, from the densest saddle down.
    pub joins: Vec<Join>,
}

/// Two groups of clumps that join.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Join {
    /// `1 + δ` of the saddle between them.
    pub saddle: f64,
    /// The clump with the highest peak of each; that of the first is the higher, and of
    /// both together from then on.
    pub groups: [u32; 2],
    /// Masses of the groups, in voxels of mean density.
    pub masses: [f64; 2],
}

impl Clumps {
    /// The clump of a voxel that belongs to none.
    pub const NONE: u32 = u32::MAX;

    /// The clumps of `dark_matter` (`1 + δ`) above `threshold`. Mass is that of
    /// matter of at least `edge`.
    pub fn new(dark_matter: &Grid, threshold: f64, edge: f64) -> Self {
        let (n, values) = (dark_matter.n(), dark_matter.as_slice());
        let mut downwards: Vec<usize> = (0..values.len()).filter(|&v| f64::from(values[v]) >= threshold).collect();
        downwards.sort_by(|&a, &b| values[b].total_cmp(&values[a]).then(a.cmp(&b)));

        let mut clump = vec![Self::NONE; values.len()];
        let mut groups = DisjointSets::new(downwards.len());
        let (mut masses, mut joins) = (Vec::new(), Vec::new());
        for voxel in downwards {
            let around = faces(voxel, n).map(|v| (clump[v], values[v])).into_iter().filter(|(c, _)| *c != Self::NONE);
            let densest = around.clone().reduce(|a, b| if b.1 > a.1 { b } else { a });
            let own = match densest {
                Some((clump, _)) => clump,
                None => {
                    masses.push(0.0);
                    masses.len() as u32 - 1
                }
            };
            clump[voxel] = own;
            let density = f64::from(values[voxel]);
            if density >= edge {
                masses[own as usize] += density;
            }
            for (other, _) in around {
                let (a, b) = (groups.find(own), groups.find(other));
                if a != b {
                    // The smaller number is the higher peak, and the root of the set.
                    joins.push(Join { saddle: density, groups: [a.min(b), a.max(b)], masses: [0.0; 2] });
                    groups.join(a, b);
                }
            }
        }
        // What is below a saddle counts, too, so masses are known in the end only.
        let mut group_mass = masses.clone();
        for join in &mut joins {
            let [a, b] = join.groups.map(|group| group as usize);
            join.masses = [group_mass[a], group_mass[b]];
            group_mass[a] += group_mass[b];
        }
        Self { clump, masses, joins }
    }

    /// The group of every clump when those that join above `saddle` are joined: the clump with
    /// its highest peak.
    pub fn groups_above(&self, saddle: f64) -> Vec<u32> {
        let mut groups = DisjointSets::new(self.masses.len());
        for join in self.joins.iter().take_while(|join| join.saddle >= saddle) {
            groups.join(join.groups[0], join.groups[1]);
        }
        (0..self.masses.len() as u32).map(|clump| groups.find(clump)).collect()
    }
}

/// The six voxels that share a face with one.
fn faces(voxel: usize, n: usize) -> [usize; 6] {
    let place = [voxel / (n * n), voxel / n % n, voxel % n];
    std::array::from_fn(|face| {
        let mut neighbour = place;
        neighbour[face / 2] = (place[face / 2] + [1, n - 1][face % 2]) % n;
        let [x, y, z] = neighbour;
        (x * n + y) * n + z
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::field::Regions;
    use crate::stitch::{Stream, fill_normal};

    /// A row of densities with nothing around it.
    fn row(densities: &[f32]) -> Grid {
        let mut grid = Grid::zeros(densities.len(), 1.0);
        for (x, &density) in densities.iter().enumerate() {
            grid.values[[x, 2, 3]] = density;
        }
        grid
    }

    #[test]
    fn peaks_join_at_saddles_across_the_boundary() {
        // Three peaks: 90 (at both ends of the row, which meet), 80 and 70.
        let field = row(&[90.0, 40.0, 70.0, 50.0, 60.0, 80.0, 20.0, 45.0]);
        let found = Clumps::new(&field, 30.0, 42.0);
        let own = |x: usize| found.clump[(x * 8 + 2) * 8 + 3];
        assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(own), [0, 0, 2, 2, 1, 1, Clumps::NONE, 0]);
        assert_eq!(found.masses, [135.0, 140.0, 120.0]);
        let joins = [
            Join { saddle: 50.0, groups: [1, 2], masses: [140.0, 120.0] },
            Join { saddle: 40.0, groups: [0, 1], masses: [135.0, 260.0] },
        ];
        assert_eq!(found.joins, joins);
        assert_eq!(found.groups_above(50.0), [0, 1, 1]);
        assert_eq!(found.groups_above(55.0), [0, 1, 2]);
        assert_eq!(found.groups_above(30.0), [0, 0, 0]);
    }

    /// What is joined above a density are the regions above it, and their clumps hold all
    /// mass above the edge.
    #[test]
    fn groups_are_the_connected_regions() {
        let n = 24;
        let mut field = Grid::zeros(n, 1.0);
        fill_normal(field.as_slice_mut(), 3, Stream::Latent);
        let smooth = crate::field::smooth(field.map(|v| (2.0 * v).exp()).as_slice().to_vec(), n);
        let field = Grid::from_values(smooth, 1.0);
        let found = Clumps::new(&field, 12.0, 14.0);
        assert!(found.masses.len() > 20);
        let above: f64 = field.as_slice().iter().map(|&v| f64::from(v)).filter(|&v| v >= 14.0).sum();
        assert!((found.masses.iter().sum::<f64>() / above - 1.0).abs() < 1e-9);
        for density in [12.0, 14.0, 18.0] {
            let groups = found.groups_above(density);
            let regions = Regions::new(&field, density);
            let mut pairs = BTreeSet::new();
            for (voxel, &value) in field.as_slice().iter().enumerate().filter(|(_, v)| f64::from(**v) >= density) {
                let mass = regions.mass[voxel];
                assert!(value > 0.0 && mass > 0.0);
                pairs.insert((groups[found.clump[voxel] as usize], mass.to_bits()));
            }
            let distinct = |of: fn(&(u32, u32)) -> u32| pairs.iter().map(of).collect::<BTreeSet<_>>().len();
            let counts = [pairs.len(), distinct(|pair| pair.0), distinct(|pair| pair.1)];
            assert!(counts == [counts[0]; 3] && counts[0] > 5, "{counts:?} above {density}");
        }
    }
}
