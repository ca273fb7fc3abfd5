//! What a simulation step costs: its parts beside the FFTs, which are the floor
//! of any mesh code. `cargo bench --bench simulate`.
//!
//! 64³ particles on a mesh of 128³ (128³ on 256³ with `HALODI_BENCH_LARGE=1`),
//! evolved from z = 49 to z = 1.

use std::time::Instant;

use divan::{Bencher, black_box};
use halodi::field::{Grid, MassAssignment, RealFft3, assign_mass};
use halodi::sim::nbody::{Checkpoints, Simulation, SimulationConfig};
use halodi::sim::{HaloFinder, find_haloes};

fn main() {
    divan::main();
}

fn per_axis() -> usize {
    if std::env::var_os("HALODI_BENCH_LARGE").is_some() { 128 } else { 64 }
}

/// The box at z = 1, made once: `(positions, box size)`.
fn evolved() -> &'static (halodi::io::Particles, f64) {
    static BOX: std::sync::OnceLock<(halodi::io::Particles, f64)> = std::sync::OnceLock::new();
    BOX.get_or_init(|| {
        let n = per_axis();
        let box_size = 25.0 * n as f64 / 128.0;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let checkpoints = Checkpoints::at(folder.path().join("state"));
        let simulation =
            Simulation::begin(SimulationConfig::new(box_size, n, 1, 1.0), &checkpoints.path).expect("a run");
        let mut particles = None;
        let mass = simulation.particle_mass();
        let record = simulation
            .run(
                &checkpoints,
                |_| true,
                |_, phase| {
                    particles = Some(phase.to_particles(mass));
                    Ok(())
                },
            )
            .expect("it runs");
        let (plan, field) = (RealFft3::new(2 * n), Grid::zeros(2 * n, 1.0).values);
        let began = Instant::now();
        (0..4).for_each(|_| drop(black_box(plan.inverse(plan.forward(&field)))));
        let (ffts, step) = (began.elapsed().as_secs_f64() / 4.0, record.seconds / record.steps as f64);
        eprintln!(
            "{n}³ particles, mesh {}³, z = 49 to 1: {:.1} s, {} steps of the mesh, {:.0} of the mean particle; a step \
             takes {step:.2} s, {:.1} times its two FFTs",
            2 * n,
            record.seconds,
            record.steps,
            record.mean_particle_steps,
            step / ffts
        );
        (particles.expect("an output"), box_size)
    })
}

#[divan::bench(sample_count = 10)]
fn two_ffts_of_the_mesh(bencher: Bencher) {
    let n = 2 * per_axis();
    let plan = RealFft3::new(n);
    let field = Grid::zeros(n, 1.0).values;
    bencher.bench_local(|| black_box(plan.inverse(plan.forward(&field))));
}

#[divan::bench(sample_count = 10)]
fn mass_assignment(bencher: Bencher) {
    let (particles, box_size) = evolved();
    let n = 2 * per_axis();
    bencher.bench_local(|| assign_mass(&particles.positions, |_| 1.0, n, *box_size, MassAssignment::Cic));
}

#[divan::bench(sample_count = 5)]
fn friends_of_friends(bencher: Bencher) {
    let (particles, box_size) = evolved();
    bencher.bench_local(|| find_haloes(particles, *box_size, HaloFinder::default()));
}
