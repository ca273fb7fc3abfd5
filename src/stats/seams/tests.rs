//! Planted seams are found with the right sign and size, and fields without any raise no more
//! alarms than promised.

use super::*;
use crate::field::{CorrelatedNoise, NoiseCorrelation, Stream, fill_normal};

const N: usize = 64;
const TILE: usize = 16;

/// A Gaussian field of unit variance that is smooth over a few voxels, as maps are.
fn gaussian(seed: u64) -> Grid {
    let noise = CorrelatedNoise::new(NoiseCorrelation { smooth: 0.9, radius: 1.5 }, N);
    Grid::from_values(noise.draw(seed, Stream::Latent), 12.5)
}

/// A lognormal field with structure on large scales too.
fn lognormal(seed: u64) -> Grid {
    let [mut field, large] = [1.0, 6.0].map(|radius| {
        let noise = CorrelatedNoise::new(NoiseCorrelation { smooth: 0.95, radius }, N);
        Grid::from_values(noise.draw(seed + 1000 * radius as u64, Stream::Latent), 12.5)
    });
    field.as_slice_mut().iter_mut().zip(large.as_slice()).for_each(|(a, b)| *a = (*a + b).exp());
    field
}

/// The map with `change` of each voxel's tile and place in it.
fn planted(map: &Grid, change: impl Fn([usize; 3], [usize; 3], f32) -> f32) -> Grid {
    let mut map = map.clone();
    for ((x, y, z), v) in map.values.indexed_iter_mut() {
        *v = change([x / TILE, y / TILE, z / TILE], [x % TILE, y % TILE, z % TILE], *v);
    }
    map
}

/// Every second tile brighter by a factor.
fn checkered(map: &Grid, step: f32) -> Grid {
    planted(map, |tile, _, v| v * (0.5 * step * if tile.iter().sum::<usize>() % 2 == 0 { 1.0 } else { -1.0 }).exp())
}

#[test]
fn a_step_from_tile_to_tile_is_found_with_its_size() {
    let map = lognormal(1);
    let before = Seams::new(&map, TILE).unwrap();
    assert!(!before.verdict(1.0).found, "{}", before.verdict(1.0).sentence);
    let step = 0.15;
    let seams = Seams::new(&checkered(&map, step), TILE).unwrap();
    let verdict = seams.verdict(1.0);
    let figure = seams.figure(Statistic::TileStep).unwrap();
    // A lognormal map of variance two: its logarithm steps by as much as was planted.
    let found = figure.value * seams.deviation.relative.unwrap();
    assert!(verdict.found && figure.z > 4.0, "{} {figure:?}", verdict.sentence);
    assert!((found / f64::from(step) - 1.0).abs() < 0.2, "{found} of {step}: {figure:?}");
    assert!(seams.figure(Statistic::Jump).unwrap().value > 1.0);
    assert_eq!(seams.offset, [0; 3]);
}

#[test]
fn a_step_across_every_face_is_found_with_its_sign() {
    for sign in [1.0, -1.0] {
        // Rising through every tile, and back at its face.
        let ramp = planted(&gaussian(2), |_, place, v| v + sign * 0.2 * (place[0] as f32 / TILE as f32 - 0.5));
        let seams = Seams::new(&ramp, TILE).unwrap();
        let figure = seams.figure(Statistic::Step).unwrap();
        assert!(figure.axes[0] * f64::from(sign) < -4.0, "{figure:?}");
        // Of three axes one steps; the rest of a ramp is that far from a step.
        assert!((figure.value * 3.0 / (-0.2 * f64::from(sign)) - 1.0).abs() < 0.35, "{figure:?}");
        assert!(seams.verdict(1.0).found);
    }
}

#[test]
fn shrunk_variance_near_faces_is_found_with_its_size() {
    let near = |place: [usize; 3]| place.iter().any(|&p| p.min(TILE - 1 - p) < 2);
    let map = gaussian(3);
    let shrunk = planted(&map, |_, place, v| if near(place) { 0.9 * v } else { v });
    let seams = Seams::new(&shrunk, TILE).unwrap();
    let figure = seams.figure(Statistic::Variance).unwrap();
    assert!(figure.z < -4.0, "{figure:?}");
    // Voxels away from the faces of one axis lie near those of others: 0.81 of 0.92 of the rest.
    assert!((figure.value - 0.88).abs() < 0.06, "{figure:?}");
    assert!(seams.verdict(1.0).found && !Seams::new(&map, TILE).unwrap().verdict(1.0).found);
}

#[test]
fn a_shifted_lattice_is_found_where_it_lies() {
    let map = lognormal(4);
    let (n, by) = (N, [5, 0, 11]);
    let stepped = checkered(&map, 0.4);
    let mut moved = stepped.clone();
    for ((x, y, z), v) in stepped.values.indexed_iter() {
        moved.values[[(x + by[0]) % n, (y + by[1]) % n, (z + by[2]) % n]] = *v;
    }
    let seams = Seams::new(&moved, TILE).unwrap();
    assert_eq!(seams.offset, by, "{:?}", seams.search);
    assert!(seams.verdict(1.0).found);
    // And without being told of the tiles.
    let (found, verdict) = Seams::on_any_lattice(&moved).unwrap();
    assert!(verdict.found && found.tile == TILE, "{} {}", found.tile, verdict.sentence);
}

/// Twenty fields of two kinds: z-scores have the scatter that they promise, and none is a seam.
#[test]
fn fields_without_seams_raise_no_alarm() {
    let mut scores: Vec<(Statistic, f64)> = Vec::new();
    let mut combs = Vec::new();
    for seed in 0..20 {
        let map = if seed % 2 == 0 { gaussian(seed) } else { lognormal(seed) };
        let seams = Seams::new(&map, TILE).unwrap();
        assert!(!seams.verdict(1.0).found, "seed {seed}: {}", seams.verdict(1.0).sentence);
        for figure in &seams.figures {
            combs.push(figure.comb);
            if figure.within == 0 {
                scores.extend(figure.axes.map(|z| (figure.statistic, z)));
            }
        }
    }
    for statistic in [Statistic::Jump, Statistic::Step, Statistic::TileStep] {
        let z: Vec<f64> = scores.iter().filter(|(s, _)| *s == statistic).map(|(_, z)| *z).collect();
        let rms = (z.iter().map(|z| z * z).sum::<f64>() / z.len() as f64).sqrt();
        // Sixty of them: their root mean square is known to a tenth.
        assert!((rms - 1.0).abs() < 0.3, "{statistic:?} scatters by {rms}");
        assert!(z.iter().all(|z| z.abs() < 4.0), "{statistic:?}: {z:?}");
    }
    let beyond = combs.iter().filter(|z| **z > 2.0).count();
    assert!(beyond <= 8, "{beyond} of {} combs beyond two deviations", combs.len());
}

#[test]
fn a_map_that_is_not_periodic_has_no_seam_at_its_own_faces() {
    let white = {
        let mut field = Grid::zeros(2 * N, 25.0);
        fill_normal(field.as_slice_mut(), 7, Stream::Latent);
        let noise = CorrelatedNoise::new(NoiseCorrelation { smooth: 1.0 - 1e-6, radius: 2.0 }, 2 * N);
        noise.correlate(field.as_slice().to_vec())
    };
    let at = |x: usize, y: usize, z: usize| white[(x * 2 * N + y) * 2 * N + z];
    let values = ndarray::Array3::from_shape_fn((N, N, N), |(x, y, z)| at(x, y, z));
    let seams = Seams::new(&Grid { values, box_size: 12.5 }, TILE).unwrap();
    assert!(!seams.periodic && !seams.verdict(1.0).found, "{}", seams.verdict(1.0).sentence);
}

#[test]
fn against_another_map_the_residual_grows_near_faces() {
    let (map, noise) = (gaussian(8), gaussian(9));
    let differing = |near_too: f32| {
        let mut other = map.clone();
        for ((x, y, z), v) in other.values.indexed_iter_mut() {
            let near = [x, y, z].iter().any(|p| (p % TILE).min(TILE - 1 - p % TILE) < 2);
            *v += noise.values[[x, y, z]] * if near { near_too } else { 0.1 };
        }
        other
    };
    let same = Against::new(&differing(0.1), &map, TILE, [0; 3]).unwrap();
    assert!(same.residual.z.abs() < 3.0 && same.near_faces.iter().all(|s| s.z.abs() < 3.5), "{same:?}");
    let worse = Against::new(&differing(0.2), &map, TILE, [0; 3]).unwrap();
    let nearest = &worse.near_faces[0];
    assert!(worse.residual.value > 1.5 && worse.residual.z > 5.0, "{:?}", worse.residual);
    assert!(nearest.z > 3.0 && nearest.z_correlation < -3.0 && nearest.residual[10] > 1.2, "{nearest:?}");
    assert!(worse.correlation[3] > 0.9 && worse.correlation[3] < 1.0);
}

#[test]
fn what_is_no_lattice_is_refused_with_those_that_are() {
    let error = Seams::new(&gaussian(1), 24).unwrap_err().to_string();
    assert!(error.contains("4, 8, 16, 32"), "{error}");
    assert!(Seams::new(&gaussian(1), N).is_err());
}

#[test]
fn the_jump_across_one_face_is_that_of_its_square() {
    // One tile brighter than all others.
    let map = planted(&gaussian(5), |tile, _, v| if tile == [1, 1, 1] { v + 3.0 } else { v });
    let across = |place: [usize; 3]| jump_across(&map, (0, TILE), TILE, place);
    let (at_face, elsewhere) = (across([TILE, TILE, TILE]), across([TILE, 0, 0]));
    let middle = TILE / 2;
    assert_eq!((at_face[middle][0], at_face.len()), (0.0, TILE + 1));
    assert!(((at_face[middle][1] - elsewhere[middle][1]) / 9.0 - 1.0).abs() < 0.4, "{:?}", at_face[middle]);
    let others = at_face.iter().filter(|p| p[0] != 0.0).map(|p| p[1]).fold(0.0, f64::max);
    assert!(at_face[middle][1] > 1.5 * others, "{at_face:?}");
}
