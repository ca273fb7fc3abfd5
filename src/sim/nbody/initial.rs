//! Gaussian initial conditions by second-order Lagrangian perturbation theory.

use ndarray::{Array3, Axis};
use rayon::prelude::*;
use rustfft::num_complex::Complex32;

use super::{Phase, fixed};
use crate::error::Result;
use crate::field::{Cosmology, Grid, RealFft3, fft_frequency};
use crate::field::{Stream, fill_normal};
use crate::sim::LinearPower;

/// The linear overdensity today, `[n, n, n]`, of the realisation `seed`.
///
/// White noise that belongs to voxels (so that it depends on the seed alone) is
/// given the linear spectrum.
///
/// # Errors
/// [`crate::Error::Setting`] for an impossible cosmology.
pub fn linear_density(cosmology: &Cosmology, box_size: f64, n: usize, seed: u64) -> Result<Grid> {
    let power = LinearPower::new(cosmology)?;
    let mut noise = Grid::zeros(n, box_size);
    fill_normal(noise.as_slice_mut(), seed, Stream::InitialConditions);
    let plan = RealFft3::new(n);
    let mut modes = plan.forward(&noise.values);
    let k_fundamental = noise.k_fundamental();
    // ⟨|W|²⟩ = n³ for white noise, and P = V ⟨|δ_k|²⟩ with δ(x) = Σ δ_k e^{ikx}.
    let norm = (box_size * n as f64).powf(-1.5);
    for_modes(&mut modes, n, |[x, y, z], mode| {
        let square = (x * x + y * y + z * z) as f64;
        // The Nyquist planes have no partner of opposite sign.
        let half = n as i64 / 2;
        let keep = square > 0.0 && x.abs() < half && y.abs() < half && z < half;
        let amplitude = if keep { power.power(k_fundamental * square.sqrt()).sqrt() * norm } else { 0.0 };
        *mode *= amplitude as f32;
    });
    Ok(Grid { values: plan.inverse(modes), box_size })
}

/// The particles at `redshift` that `n³` particles on a grid become under
/// second-order Lagrangian perturbation theory (Scoccimarro 1998; the growth of
/// the second order after Bouchet et al. 1995).
///
/// # Errors
/// As [`linear_density`].
pub fn initial_conditions(cosmology: &Cosmology, box_size: f64, n: usize, seed: u64, redshift: f64) -> Result<Phase> {
    let delta = linear_density(cosmology, box_size, n, seed)?;
    let plan = RealFft3::new(n);
    let modes = plan.forward(&delta.values);
    let k_fundamental = delta.k_fundamental();

    // The source of the second order, Σ_{i<j} (φ,ii φ,jj − φ,ij²) with ∇²φ = δ.
    let second_derivative = |a: usize, b: usize| -> Array3<f32> {
        let mut out = modes.clone();
        let norm = 1.0 / (n as f64).powi(3);
        for_modes(&mut out, n, |k, mode| {
            let square: i64 = k.iter().map(|k| k * k).sum();
            // −k_a k_b φ_k with φ_k = −δ_k/k².
            *mode *= if square == 0 { 0.0 } else { ((k[a] * k[b]) as f64 / square as f64 * norm) as f32 };
        });
        plan.inverse(out)
    };
    let (xx, yy, zz) = (second_derivative(0, 0), second_derivative(1, 1), second_derivative(2, 2));
    let mut source = Array3::<f32>::zeros((n, n, n));
    ndarray::Zip::from(&mut source).and(&xx).and(&yy).and(&zz).for_each(|s, x, y, z| *s = x * y + x * z + y * z);
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let off = second_derivative(a, b);
        ndarray::Zip::from(&mut source).and(&off).for_each(|s, o| *s -= o * o);
    }
    let second = plan.forward(&source);

    // Displacements −D1 ∇φ1 + D2 ∇φ2, with D2 = −3/7 D1² Ωm(a)^(−1/143).
    let d1 = cosmology.growth(redshift);
    let omega = cosmology.omega_m_at(redshift);
    let d2 = -3.0 / 7.0 * d1 * d1 * omega.powf(-1.0 / 143.0);
    let (f1, f2) = (cosmology.growth_rate(redshift), 2.0 * omega.powf(6.0 / 11.0));
    let a = 1.0 / (1.0 + redshift);
    // p = a² dx/dt = a² E f × displacement.
    let per_rate = a * a * cosmology.e(redshift);
    let mut positions = vec![[0u32; 3]; n.pow(3)];
    let mut momenta = vec![[0f32; 3]; n.pow(3)];
    for axis in 0..3 {
        let gradient = |source: &Array3<Complex32>| -> Array3<f32> {
            let mut out = source.clone();
            let norm = 1.0 / (n as f64).powi(3);
            for_modes(&mut out, n, |k, mode| {
                let square: i64 = k.iter().map(|k| k * k).sum();
                // i k φ_k = −i k δ_k / k²; the Nyquist mode has no gradient.
                let nyquist = 2 * k[axis].unsigned_abs() as usize == n;
                let factor = if square == 0 || nyquist { 0.0 } else { k[axis] as f64 / square as f64 };
                *mode *= Complex32::new(0.0, (-factor * norm / k_fundamental) as f32);
            });
            plan.inverse(out)
        };
        let (first, second) = (gradient(&modes), gradient(&second));
        let (first, second) = (first.as_slice().expect("standard layout"), second.as_slice().expect("standard layout"));
        positions.par_iter_mut().zip(&mut momenta).enumerate().for_each(|(i, (x, p))| {
            let cell = [i / (n * n), i / n % n, i % n][axis] as f64;
            let (one, two) = (-d1 * f64::from(first[i]), d2 * f64::from(second[i]));
            x[axis] = fixed(cell / n as f64 + (one + two) / box_size);
            p[axis] = (per_rate * (f1 * one + f2 * two)) as f32;
        });
    }
    Ok(Phase { box_size, scale_factor: a, positions, momenta, ids: (1..=n.pow(3) as u32).collect() })
}

/// Call `f` with the integer wavevector and the value of every mode of a
/// half-complex field of an `n³` grid, planes in parallel.
pub(super) fn for_modes(modes: &mut Array3<Complex32>, n: usize, f: impl Fn([i64; 3], &mut Complex32) + Sync + Send) {
    modes.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(ix, mut plane)| {
        let kx = fft_frequency(ix, n);
        for ((iy, iz), mode) in plane.indexed_iter_mut() {
            f([kx, fft_frequency(iy, n), iz as i64], mode);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::MassAssignment;
    use crate::stats::{cross_spectrum, power_spectrum};

    #[test]
    fn the_realisation_has_the_linear_spectrum_and_depends_on_the_seed_alone() {
        let cosmology = Cosmology::default();
        let (n, box_size) = (48, 200.0);
        let linear = LinearPower::new(&cosmology).unwrap();
        let field = linear_density(&cosmology, box_size, n, 5).unwrap();
        let spectrum = power_spectrum(&field, None);
        let mut chi_square = 0.0;
        // The outermost complete shell touches the Nyquist planes left empty.
        let shells = spectrum.complete_shells() - 2;
        for i in 0..shells {
            let sigma = (spectrum.modes[i] as f64).sqrt().recip();
            chi_square += ((spectrum.power[i] / linear.power(spectrum.k[i]) - 1.0) / sigma).powi(2);
        }
        // Within five deviations of a χ² of as many degrees of freedom.
        let deviation = (2.0 * shells as f64).sqrt();
        assert!((chi_square - shells as f64).abs() < 5.0 * deviation, "χ² {chi_square} for {shells}");
        assert_eq!(field, linear_density(&cosmology, box_size, n, 5).unwrap());
        assert_ne!(field, linear_density(&cosmology, box_size, n, 6).unwrap());
    }

    #[test]
    fn early_particles_carry_the_linear_field_scaled_by_growth() {
        let cosmology = Cosmology::default();
        let (n, box_size, redshift) = (32, 400.0, 49.0);
        let phase = initial_conditions(&cosmology, box_size, n, 2, redshift).unwrap();
        let particles = phase.to_particles(1.0);
        let density = crate::field::assign_mass(&particles.positions, |_| 1.0, n, box_size, MassAssignment::Pcs);
        let linear = linear_density(&cosmology, box_size, n, 2).unwrap();
        // A displaced lattice has images of its modes; the widest window keeps
        // them to a tenth of a percent.
        let windows = [Some(MassAssignment::Pcs), None];
        let pair = cross_spectrum([&density.overdensity(), &linear], windows).unwrap();
        for i in 0..4 {
            let ratio = pair.cross[i] / pair.second.power[i] / cosmology.growth(redshift);
            assert!((ratio - 1.0).abs() < 0.01 && pair.correlation()[i] > 0.999, "shell {i}: {ratio}");
        }
    }
}
