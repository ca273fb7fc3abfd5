//! Short-range gravity by an octree (Barnes & Hut 1986), for what the mesh
//! leaves: the force of a point mass less its part on scales above `r_s`.

use std::ops::Range;

use rayon::prelude::*;

use super::UNIT;

/// Particles of a leaf at most.
const LEAF: usize = 16;
/// Particles at most of a node that walks the tree as one: the walk is shared,
/// and the list of what pulls on them grows little, as long as the node is small
/// beside the reach of the force.
const GROUP: usize = 64;
/// Targets that the inner loop takes at once: one register of AVX2.
const LANES: usize = 8;
/// The split force is followed to this many `r_s`, where 1.6 % of it is left
/// (GADGET's value, Springel 2005).
pub(super) const REACH: f64 = 4.5;
/// Degree of the polynomial for the long-range part of a point mass's force:
/// it is then off by less than 5e-5 of the force.
const DEGREE: usize = 7;
/// Bits of a position, per axis, that make up a Morton key.
const KEY_BITS: u32 = 21;

/// The law of the short-range force.
#[derive(Debug, Clone)]
pub(super) struct Law {
    /// Acceleration of a unit mass (one particle) at unit distance.
    strength: f32,
    /// Plummer softening, squared, (Mpc/h)².
    softening2: f32,
    /// Square of the distance beyond which there is no force, (Mpc/h)².
    reach2: f32,
    /// Distance beyond which there is no force, Mpc/h.
    reach: f32,
    /// Long-range part `L(r²)` of `1/r³` as a polynomial in `2r²/reach² − 1`.
    long: [f32; DEGREE + 1],
}

impl Law {
    /// `source` is `(3/2) Ωm`, `volume` that of the box in (Mpc/h)³ per
    /// particle; `split` is `r_s` and `softening` Plummer's ε, both in Mpc/h.
    pub fn new(source: f64, volume: f64, split: f64, softening: f64) -> Self {
        let reach = REACH * split;
        // Poisson's equation for a point of mass ρ̄ · volume.
        let strength = source * volume / (4.0 * std::f64::consts::PI);
        // With w = (r/2r_s)² the long-range part of 1/r³ is
        // [erf(√w) − 2 √(w/π) e^(−w)] / w^(3/2) / (2r_s)³.
        let scale = (2.0 * split).powi(-3);
        let w_max = (REACH / 2.0).powi(2);
        let coefficients = chebyshev(|t| scale * long_range(w_max * (t + 1.0) / 2.0));
        Self {
            strength: strength as f32,
            softening2: (softening * softening) as f32,
            reach2: (reach * reach) as f32,
            reach: reach as f32,
            long: coefficients.map(|c| c as f32),
        }
    }

    /// Add the pull of `sources` on [`LANES`] targets; both relative to one
    /// origin, in Mpc/h. No fused arithmetic: the result is the same on every
    /// processor.
    fn pull(&self, targets: &[[f32; LANES]; 3], sources: &[Source], sum: &mut [[f32; LANES]; 3]) {
        let to_unit = 2.0 / self.reach2;
        for source in sources {
            for lane in 0..LANES {
                let dx = source.x - targets[0][lane];
                let dy = source.y - targets[1][lane];
                let dz = source.z - targets[2][lane];
                let r2 = dx * dx + dy * dy + dz * dz;
                let soft = r2 + self.softening2;
                let t = r2 * to_unit - 1.0;
                let mut long = self.long[DEGREE];
                for i in (0..DEGREE).rev() {
                    long = long * t + self.long[i];
                }
                let inverse_cube = 1.0 / (soft * soft.sqrt());
                let f = if r2 < self.reach2 { source.mass * (inverse_cube - long) } else { 0.0 };
                sum[0][lane] += f * dx;
                sum[1][lane] += f * dy;
                sum[2][lane] += f * dz;
            }
        }
    }

    /// [`Law::pull`], eight targets in a register. The compiler does not find
    /// this by itself; the operations and their order are the same, and so is
    /// the result.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn pull_avx2(&self, targets: &[[f32; LANES]; 3], sources: &[Source], sum: &mut [[f32; LANES]; 3]) {
        use std::arch::x86_64::*;
        // SAFETY: each array is LANES = 8 contiguous numbers; loads and stores are unaligned.
        let load = |values: &[f32; LANES]| unsafe { _mm256_loadu_ps(values.as_ptr()) };
        let store = |values: &mut [f32; LANES], v| unsafe { _mm256_storeu_ps(values.as_mut_ptr(), v) };
        let [tx, ty, tz] = [load(&targets[0]), load(&targets[1]), load(&targets[2])];
        let [mut sx, mut sy, mut sz] = [load(&sum[0]), load(&sum[1]), load(&sum[2])];
        let to_unit = _mm256_set1_ps(2.0 / self.reach2);
        let (reach2, softening2) = (_mm256_set1_ps(self.reach2), _mm256_set1_ps(self.softening2));
        let one = _mm256_set1_ps(1.0);
        let long = self.long.map(|c| _mm256_set1_ps(c));
        for source in sources {
            let dx = _mm256_sub_ps(_mm256_set1_ps(source.x), tx);
            let dy = _mm256_sub_ps(_mm256_set1_ps(source.y), ty);
            let dz = _mm256_sub_ps(_mm256_set1_ps(source.z), tz);
            let r2 = _mm256_add_ps(_mm256_add_ps(_mm256_mul_ps(dx, dx), _mm256_mul_ps(dy, dy)), _mm256_mul_ps(dz, dz));
            let soft = _mm256_add_ps(r2, softening2);
            let t = _mm256_sub_ps(_mm256_mul_ps(r2, to_unit), one);
            let mut value = long[DEGREE];
            for i in (0..DEGREE).rev() {
                value = _mm256_add_ps(_mm256_mul_ps(value, t), long[i]);
            }
            let inverse_cube = _mm256_div_ps(one, _mm256_mul_ps(soft, _mm256_sqrt_ps(soft)));
            let f = _mm256_mul_ps(_mm256_set1_ps(source.mass), _mm256_sub_ps(inverse_cube, value));
            let f = _mm256_and_ps(f, _mm256_cmp_ps::<_CMP_LT_OQ>(r2, reach2));
            sx = _mm256_add_ps(sx, _mm256_mul_ps(f, dx));
            sy = _mm256_add_ps(sy, _mm256_mul_ps(f, dy));
            sz = _mm256_add_ps(sz, _mm256_mul_ps(f, dz));
        }
        let [x, y, z] = sum;
        store(x, sx);
        store(y, sy);
        store(z, sz);
    }

    fn pull_fast(&self, targets: &[[f32; LANES]; 3], sources: &[Source], sum: &mut [[f32; LANES]; 3]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has just been asked.
            return unsafe { self.pull_avx2(targets, sources, sum) };
        }
        self.pull(targets, sources, sum);
    }
}

/// `[erf(√w) − 2 √(w/π) e^(−w)] / w^(3/2)` by its series
/// `4/(3√π) e^(−w) Σ (2w)^n / (5·7·…(2n+3))`.
fn long_range(w: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (1.0, 1.0, 5.0);
    while term > 1e-17 * sum {
        term *= 2.0 * w / odd;
        sum += term;
        odd += 2.0;
    }
    4.0 / (3.0 * std::f64::consts::PI.sqrt()) * (-w).exp() * sum
}

/// Coefficients, lowest first, of the polynomial that meets `f` at the
/// Chebyshev points of `[−1, 1]`.
fn chebyshev(f: impl Fn(f64) -> f64) -> [f64; DEGREE + 1] {
    const COUNT: usize = DEGREE + 1;
    let angle = |j: usize| std::f64::consts::PI * (j as f64 + 0.5) / COUNT as f64;
    let values: [f64; COUNT] = std::array::from_fn(|j| f(angle(j).cos()));
    let mut out = [0.0; COUNT];
    // T_0 and T_1 as polynomials, and their successors by recurrence.
    let (mut previous, mut current) = ([0.0; COUNT], [0.0; COUNT]);
    previous[0] = 1.0;
    current[1] = 1.0;
    for order in 0..COUNT {
        let coefficient = values.iter().enumerate().map(|(j, v)| v * (order as f64 * angle(j)).cos()).sum::<f64>()
            * if order == 0 { 1.0 } else { 2.0 }
            / COUNT as f64;
        let polynomial = match order {
            0 => previous,
            1 => current,
            _ => {
                let mut next = [0.0; COUNT];
                for i in 0..COUNT {
                    next[i] = if i > 0 { 2.0 * current[i - 1] } else { 0.0 } - previous[i];
                }
                (previous, current) = (current, next);
                next
            }
        };
        for (o, p) in out.iter_mut().zip(polynomial) {
            *o += coefficient * p;
        }
    }
    out
}

/// A mass that pulls, relative to the group it pulls on.
#[derive(Debug, Clone, Copy)]
struct Source {
    x: f32,
    y: f32,
    z: f32,
    mass: f32,
}

/// A cube of the tree.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// Centre of mass.
    centre: [u32; 3],
    /// Lowest corner of the cube.
    corner: [u32; 3],
    /// Particles in it.
    first: u32,
    last: u32,
    /// The node after all of its descendants.
    skip: u32,
    /// Level in the tree; the cube's side is 2⁻ˡᵉᵛᵉˡ of the box.
    level: u32,
    leaf: bool,
    /// Whether its particles walk the tree together.
    group: bool,
}

/// The Morton key of a position.
pub(super) fn morton(position: [u32; 3]) -> u64 {
    let spread = |x: u32| -> u64 {
        let mut v = u64::from(x >> (32 - KEY_BITS));
        v = (v | v << 32) & 0x001f_0000_0000_ffff;
        v = (v | v << 16) & 0x001f_0000_ff00_00ff;
        v = (v | v << 8) & 0x100f_00f0_0f00_f00f;
        v = (v | v << 4) & 0x10c3_0c30_c30c_30c3;
        (v | v << 2) & 0x1249_2492_4924_9249
    };
    spread(position[0]) << 2 | spread(position[1]) << 1 | spread(position[2])
}

/// An octree over particles in Morton order.
pub(super) struct Tree<'a> {
    positions: &'a [[u32; 3]],
    /// Level of the roots: cubes no smaller than the reach of the force.
    root_level: u32,
    /// Nodes of every root, each root's in depth-first order.
    roots: Vec<Vec<Node>>,
    box_size: f64,
    /// A node is taken as one mass where its side is below this times its
    /// distance.
    opening: f32,
}

impl<'a> Tree<'a> {
    /// Build the tree over `positions`, whose `keys` ascend.
    pub fn new(positions: &'a [[u32; 3]], keys: &[u64], box_size: f64, reach: f64, opening: f64) -> Self {
        let root_level = (box_size / reach).log2().floor().clamp(0.0, 7.0) as u32;
        let count = 1u64 << (3 * root_level);
        let shift = 3 * (KEY_BITS - root_level);
        // A group is no wider than three quarters of the reach.
        let group_level = (box_size / (0.75 * reach)).log2().ceil().clamp(0.0, f64::from(KEY_BITS)) as u32;
        let roots = (0..count)
            .into_par_iter()
            .map(|root| {
                let first = keys.partition_point(|&key| key >> shift < root);
                let last = keys.partition_point(|&key| key >> shift <= root);
                let mut nodes = Vec::new();
                if first < last {
                    build(&mut nodes, positions, keys, first..last, root_level, Some(group_level));
                }
                nodes
            })
            .collect();
        Self { positions, root_level, roots, box_size, opening: opening as f32 }
    }

    /// Set the acceleration, in (Mpc/h) H0², of every particle that `active`
    /// says yes to.
    pub fn accelerations(&self, law: &Law, active: &(impl Fn(usize) -> bool + Sync), out: &mut [[f32; 3]]) {
        // Each root owns a range of particles, so their outputs are disjoint.
        let mut slices = Vec::with_capacity(self.roots.len());
        let mut rest = out;
        for nodes in &self.roots {
            let count = nodes.first().map_or(0, |root| (root.last - root.first) as usize);
            let (own, remaining) = rest.split_at_mut(count);
            slices.push(own);
            rest = remaining;
        }
        slices.into_par_iter().enumerate().for_each_init(Vec::new, |sources, (root, own)| {
            let nodes = &self.roots[root];
            let Some(offset) = nodes.first().map(|root| root.first as usize) else { return };
            let neighbours = self.neighbours(root as u64);
            for group in nodes.iter().filter(|node| node.group) {
                let targets: Vec<usize> = (group.first as usize..group.last as usize).filter(|&i| active(i)).collect();
                if targets.is_empty() {
                    continue;
                }
                self.pull_group(law, &targets, &neighbours, sources, |i, g| own[i - offset] = g);
            }
        });
    }

    fn pull_group(
        &self,
        law: &Law,
        targets: &[usize],
        neighbours: &[usize],
        sources: &mut Vec<Source>,
        mut store: impl FnMut(usize, [f32; 3]),
    ) {
        let scale = (UNIT * self.box_size) as f32;
        let origin = self.positions[targets[0]];
        let relative =
            |p: [u32; 3]| -> [f32; 3] { std::array::from_fn(|a| p[a].wrapping_sub(origin[a]) as i32 as f32 * scale) };
        let (mut low, mut high) = ([0f32; 3], [0f32; 3]);
        for &i in targets {
            let p = relative(self.positions[i]);
            for a in 0..3 {
                low[a] = low[a].min(p[a]);
                high[a] = high[a].max(p[a]);
            }
        }
        sources.clear();
        for &root in neighbours {
            self.gather(&self.roots[root], law, &relative, [low, high], sources);
        }
        for chunk in targets.chunks(LANES) {
            // Idle lanes repeat the first target.
            let mut places = [[0f32; LANES]; 3];
            for lane in 0..LANES {
                let p = relative(self.positions[chunk[if lane < chunk.len() { lane } else { 0 }]]);
                for a in 0..3 {
                    places[a][lane] = p[a];
                }
            }
            let mut sum = [[0f32; LANES]; 3];
            law.pull_fast(&places, sources, &mut sum);
            for (lane, &i) in chunk.iter().enumerate() {
                store(i, [0, 1, 2].map(|a| sum[a][lane] * law.strength));
            }
        }
    }

    /// What pulls on a group within `bounds`: nodes far enough to be one mass,
    /// and the particles of leaves that are not.
    fn gather(
        &self,
        nodes: &[Node],
        law: &Law,
        relative: &impl Fn([u32; 3]) -> [f32; 3],
        [low, high]: [[f32; 3]; 2],
        sources: &mut Vec<Source>,
    ) {
        let box_size = self.box_size as f32;
        let mut index = 0;
        while index < nodes.len() {
            let node = &nodes[index];
            let side = box_size / (1u32 << node.level) as f32;
            // Distance between the group's bounds and the cube. A corner may be
            // nearest as another image than the cube's middle.
            let half = 0.5 * side;
            let middle = relative(node.corner.map(|c| c.wrapping_add(1 << (31 - node.level))));
            let mut gap2 = 0.0;
            for a in 0..3 {
                let gap = (middle[a] - half - high[a]).max(low[a] - middle[a] - half).max(0.0);
                gap2 += gap * gap;
            }
            if gap2 > law.reach2 {
                index = node.skip as usize;
                continue;
            }
            let centre = relative(node.centre);
            let mut distance2 = 0.0;
            for a in 0..3 {
                let d = (centre[a] - high[a]).max(low[a] - centre[a]).max(0.0);
                distance2 += d * d;
            }
            if side * side < self.opening * self.opening * distance2 {
                let mass = (node.last - node.first) as f32;
                sources.push(Source { x: centre[0], y: centre[1], z: centre[2], mass });
                index = node.skip as usize;
            } else if node.leaf {
                for i in node.first..node.last {
                    let [x, y, z] = relative(self.positions[i as usize]);
                    sources.push(Source { x, y, z, mass: 1.0 });
                }
                index = node.skip as usize;
            } else {
                index += 1;
            }
        }
    }

    /// The roots within reach of one, itself included.
    fn neighbours(&self, root: u64) -> Vec<usize> {
        let per_axis = 1i64 << self.root_level;
        let axis =
            |shift: u32| -> i64 { (0..self.root_level).map(|b| ((root >> (3 * b + shift)) as i64 & 1) << b).sum() };
        let place = [axis(2), axis(1), axis(0)];
        let mut out = Vec::with_capacity(27);
        for dx in -1..=1 {
            for dy in -1..=1 {
                for dz in -1..=1 {
                    let to = [dx, dy, dz];
                    let corner: [u32; 3] = std::array::from_fn(|a| {
                        let cell = (place[a] + to[a]).rem_euclid(per_axis) as u64;
                        (cell << (32 - self.root_level)) as u32
                    });
                    out.push((morton(corner) >> (3 * (KEY_BITS - self.root_level))) as usize);
                }
            }
        }
        // In a small tree the same neighbour is met on both sides.
        out.sort_unstable();
        out.dedup();
        out
    }
}

/// Append the node of the particles in `range` and its descendants; returns the
/// sum of positions. `group_from` is the first level of groups, `None` below one.
fn build(
    nodes: &mut Vec<Node>,
    positions: &[[u32; 3]],
    keys: &[u64],
    range: Range<usize>,
    level: u32,
    group_from: Option<u32>,
) -> [u64; 3] {
    let index = nodes.len();
    let mask = if level == 0 { 0 } else { u32::MAX << (32 - level) };
    let leaf = range.len() <= LEAF || level == KEY_BITS;
    let group = group_from.is_some_and(|from| leaf || (level >= from && range.len() <= GROUP));
    let group_from = group_from.filter(|_| !group);
    nodes.push(Node {
        centre: [0; 3],
        corner: positions[range.start].map(|x| x & mask),
        first: range.start as u32,
        last: range.end as u32,
        skip: 0,
        level,
        leaf,
        group,
    });
    let mut sum = [0u64; 3];
    let mut add = |part: [u64; 3]| {
        for a in 0..3 {
            sum[a] += part[a];
        }
    };
    if leaf {
        positions[range.clone()].iter().for_each(|p| add(p.map(u64::from)));
    } else {
        let shift = 3 * (KEY_BITS - level - 1);
        let mut begin = range.start;
        while begin < range.end {
            let octant = keys[begin] >> shift;
            let end = begin + keys[begin..range.end].partition_point(|&key| key >> shift == octant);
            add(build(nodes, positions, keys, begin..end, level + 1, group_from));
            begin = end;
        }
    }
    let skip = nodes.len() as u32;
    nodes[index].centre = sum.map(|s| (s / range.len() as u64) as u32);
    nodes[index].skip = skip;
    sum
}

impl Law {
    /// Distance beyond which there is no force, Mpc/h.
    pub fn reach(&self) -> f64 {
        f64::from(self.reach)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_polynomial_is_the_long_range_force() {
        let split = 0.3;
        let law = Law::new(1.0, 4.0 * std::f64::consts::PI, split, 0.0);
        for i in 1..100 {
            let r = law.reach() * f64::from(i) / 100.0;
            let w = (r / (2.0 * split)).powi(2);
            // 1/r³ less erfc(√w) + 2√(w/π) e^(−w), with erfc by its continued
            // fraction or series through the closed form of the test below.
            let t = 2.0 * r * r / (law.reach() * law.reach()) - 1.0;
            let mut value = 0.0;
            for c in law.long.iter().rev() {
                value = value * t + f64::from(*c);
            }
            let exact = long_range(w) / (2.0 * split).powi(3);
            assert!((value / exact - 1.0).abs() < 1e-4 * (1.0 + r.powi(-3) / exact * 1e-2), "r={r}: {value} {exact}");
        }
        // erf(1) = 0.8427007929497149, so the bracket at w = 1 is known.
        let known = 0.842_700_792_949_714_9 - 2.0 / std::f64::consts::PI.sqrt() * (-1f64).exp();
        assert!((long_range(1.0) - known).abs() < 1e-12);
    }

    #[test]
    fn both_inner_loops_give_the_same_bits() {
        let law = Law::new(0.45, 1.0, 0.3, 0.01);
        let at = |i: usize, a: usize| ((i * (7 + 4 * a)) % 31) as f32 * 0.05 - 0.8;
        let sources: Vec<Source> =
            (0..100).map(|i| Source { x: at(i, 0), y: at(i, 1), z: at(i, 2), mass: 1.0 + (i % 3) as f32 }).collect();
        let targets = std::array::from_fn(|a| std::array::from_fn(|lane| at(lane + 200, a)));
        let (mut plain, mut fast) = ([[0.1; LANES]; 3], [[0.1; LANES]; 3]);
        law.pull(&targets, &sources, &mut plain);
        law.pull_fast(&targets, &sources, &mut fast);
        assert_eq!(plain, fast);
        assert!(plain.as_flattened().iter().any(|v| *v != 0.1));
    }

    #[test]
    fn morton_keys_order_octants() {
        assert_eq!(morton([0, 0, 1 << 31]) >> 60, 1);
        assert_eq!(morton([0, 1 << 31, 0]) >> 60, 2);
        assert_eq!(morton([1 << 31, 0, 0]) >> 60, 4);
        assert_eq!(morton([u32::MAX; 3]), (1 << 63) - 1);
    }
}
