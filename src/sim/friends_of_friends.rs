//! A periodic friends-of-friends halo finder (Davis et al. 1985).

use crate::field::DisjointSets;
use crate::io::Particles;

/// Settings of the finder.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HaloFinder {
    /// Linking length in units of the mean interparticle separation.
    pub linking_length: f64,
    /// Fewest particles of a halo.
    pub min_particles: usize,
}

impl Default for HaloFinder {
    /// The usual `b = 0.2` and 20 particles.
    fn default() -> Self {
        Self { linking_length: 0.2, min_particles: 20 }
    }
}

/// A halo.
#[derive(Debug, Clone, PartialEq)]
pub struct Halo {
    /// Friends-of-friends mass in M☉/h.
    pub mass: f64,
    /// Centre of mass in Mpc/h, in `[0, L)`.
    pub centre: [f64; 3],
    /// Mean peculiar velocity in km/s; zero where the particles have none.
    pub velocity: [f64; 3],
    /// Indices of its particles, ascending.
    pub members: Vec<u32>,
}

/// Find the haloes among `particles` in a periodic box of `box_size` Mpc/h,
/// heaviest first (ties by first member, so the order is always the same).
pub fn find_haloes(particles: &Particles, box_size: f64, finder: HaloFinder) -> Vec<Halo> {
    let count = particles.len();
    if count == 0 {
        return Vec::new();
    }
    let link = finder.linking_length * box_size / (count as f64).cbrt();
    let mut sets = DisjointSets::new(count);
    let cells = Cells::new(particles, box_size, link);
    cells.for_each_pair(particles, box_size, link, |a, b| sets.join(a, b));

    // Members of every set that is large enough, in particle order.
    let mut sizes = vec![0u32; count];
    for i in 0..count as u32 {
        sizes[sets.find(i) as usize] += 1;
    }
    let mut index_of = vec![u32::MAX; count];
    let mut members: Vec<Vec<u32>> = Vec::new();
    for i in 0..count as u32 {
        let root = sets.find(i) as usize;
        if (sizes[root] as usize) < finder.min_particles.max(1) {
            continue;
        }
        if index_of[root] == u32::MAX {
            index_of[root] = members.len() as u32;
            members.push(Vec::with_capacity(sizes[root] as usize));
        }
        members[index_of[root] as usize].push(i);
    }
    let mut haloes: Vec<Halo> = members.into_iter().map(|m| summarise(particles, box_size, m)).collect();
    haloes.sort_by(|a, b| b.mass.total_cmp(&a.mass).then(a.members[0].cmp(&b.members[0])));
    haloes
}

/// Mass, centre and velocity of a group, periodic about its first member.
fn summarise(particles: &Particles, box_size: f64, members: Vec<u32>) -> Halo {
    let origin = particles.positions[members[0] as usize];
    let (mut mass, mut offset, mut velocity) = (0.0, [0.0; 3], [0.0; 3]);
    for &i in &members {
        let m = particles.mass(i as usize);
        mass += m;
        for axis in 0..3 {
            let d = f64::from(particles.positions[i as usize][axis]) - f64::from(origin[axis]);
            offset[axis] += m * (d - box_size * (d / box_size).round());
            if let Some(v) = particles.velocities.get(i as usize) {
                velocity[axis] += m * f64::from(v[axis]);
            }
        }
    }
    let centre = [0, 1, 2].map(|axis| (f64::from(origin[axis]) + offset[axis] / mass).rem_euclid(box_size));
    Halo { mass, centre, velocity: velocity.map(|v| v / mass), members }
}

/// Particles sorted into cells no smaller than the linking length.
struct Cells {
    per_axis: usize,
    start: Vec<u32>,
    sorted: Vec<u32>,
}

impl Cells {
    fn new(particles: &Particles, box_size: f64, link: f64) -> Self {
        // Eight cells a particle at the mean density: finer ones cost memory and gain nothing.
        let finest = (particles.len() as f64).cbrt() as usize * 2;
        let per_axis = ((box_size / link) as usize).clamp(1, finest.max(1));
        let scale = per_axis as f64 / box_size;
        let cell = |p: &[f32; 3]| -> usize {
            let c = p.map(|x| ((f64::from(x) * scale) as usize).min(per_axis - 1));
            (c[0] * per_axis + c[1]) * per_axis + c[2]
        };
        let mut start = vec![0u32; per_axis.pow(3) + 1];
        for p in &particles.positions {
            start[cell(p) + 1] += 1;
        }
        for i in 1..start.len() {
            start[i] += start[i - 1];
        }
        let mut cursor = start.clone();
        let mut sorted = vec![0u32; particles.len()];
        for (i, p) in particles.positions.iter().enumerate() {
            let slot = &mut cursor[cell(p)];
            sorted[*slot as usize] = i as u32;
            *slot += 1;
        }
        Self { per_axis, start, sorted }
    }

    fn members(&self, cell: usize) -> &[u32] {
        &self.sorted[self.start[cell] as usize..self.start[cell + 1] as usize]
    }

    /// Call `f` for every pair of particles closer than `link`.
    fn for_each_pair(&self, particles: &Particles, box_size: f64, link: f64, mut f: impl FnMut(u32, u32)) {
        let n = self.per_axis as i64;
        // Half of the 26 neighbours; with fewer than three cells an axis the
        // same neighbour is met twice, which does no harm.
        let half: Vec<[i64; 3]> = (-1..=1)
            .flat_map(|x| (-1..=1).flat_map(move |y| (-1..=1).map(move |z| [x, y, z])))
            .filter(|d| *d > [0, 0, 0])
            .collect();
        let close = |a: u32, b: u32| {
            let (p, q) = (particles.positions[a as usize], particles.positions[b as usize]);
            let mut square = 0.0;
            for axis in 0..3 {
                let d = f64::from(p[axis]) - f64::from(q[axis]);
                let d = d - box_size * (d / box_size).round();
                square += d * d;
            }
            square <= link * link
        };
        for (x, y, z) in (0..n).flat_map(|x| (0..n).flat_map(move |y| (0..n).map(move |z| (x, y, z)))) {
            let own = self.members(((x * n + y) * n + z) as usize);
            if own.is_empty() {
                continue;
            }
            for (i, &a) in own.iter().enumerate() {
                for &b in &own[i + 1..] {
                    if close(a, b) {
                        f(a, b);
                    }
                }
            }
            for [dx, dy, dz] in &half {
                let [u, v, w] = [(x + dx).rem_euclid(n), (y + dy).rem_euclid(n), (z + dz).rem_euclid(n)];
                let other = self.members(((u * n + v) * n + w) as usize);
                for &a in own {
                    for &b in other {
                        if close(a, b) {
                            f(a, b);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clumps of 30 particles, one of them over a corner of the box, and a
    /// sparse background.
    fn clumps() -> Particles {
        let mut positions = Vec::new();
        for centre in [[0.0f32, 0.0, 0.0], [5.0, 5.0, 5.0]] {
            for i in 0..30 {
                let offset = [i % 3, i / 3 % 3, i / 9].map(|v| (v as f32 - 1.0) * 0.05);
                positions.push([0, 1, 2].map(|a| (centre[a] + offset[a]).rem_euclid(10.0)));
            }
        }
        positions.extend((0..40).map(|i| [i as f32 * 0.23 % 10.0, 2.5, 7.5]));
        Particles { positions, uniform_mass: Some(2.0), ..Particles::default() }
    }

    #[test]
    fn a_halo_over_the_corner_is_one_halo() {
        // 100 particles in 10³: the linking length is 0.2 · 10/100^⅓ = 0.43,
        // more than the background's 0.23, so that links as well.
        let haloes = find_haloes(&clumps(), 10.0, HaloFinder { linking_length: 0.05, min_particles: 20 });
        assert_eq!(haloes.len(), 2);
        for halo in &haloes {
            assert_eq!((halo.mass, halo.members.len()), (60.0, 30));
        }
        let corner = &haloes[0];
        assert_eq!(corner.members[0], 0);
        for x in corner.centre {
            assert!(x.min(10.0 - x) < 0.1, "{:?}", corner.centre);
        }
    }

    #[test]
    fn every_pair_within_the_linking_length_is_found() {
        let particles = clumps();
        let link = 0.3;
        let mut found = std::collections::BTreeSet::new();
        Cells::new(&particles, 10.0, link).for_each_pair(&particles, 10.0, link, |a, b| {
            found.insert((a.min(b), a.max(b)));
        });
        let mut expected = std::collections::BTreeSet::new();
        for a in 0..particles.len() {
            for b in a + 1..particles.len() {
                let square: f64 = (0..3)
                    .map(|i| {
                        let d = f64::from(particles.positions[a][i]) - f64::from(particles.positions[b][i]);
                        (d - 10.0 * (d / 10.0).round()).powi(2)
                    })
                    .sum();
                if square <= link * link {
                    expected.insert((a as u32, b as u32));
                }
            }
        }
        assert_eq!(found, expected);
    }
}
