//! The linear matter power spectrum (Eisenstein & Hu 1998, astro-ph/9709112).

use crate::error::{Error, Result};
use crate::field::{Cosmology, simpson};

/// Temperature of the cosmic microwave background in units of 2.7 K.
const THETA_CMB: f64 = 2.7255 / 2.7;

/// The linear matter power spectrum of a cosmology today, normalised to its σ8.
#[derive(Debug, Clone)]
pub struct LinearPower {
    transfer: Transfer,
    n_s: f64,
    amplitude: f64,
}

impl LinearPower {
    /// The spectrum of `cosmology`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a cosmology outside the range of the fitting
    /// formula or of physics.
    pub fn new(cosmology: &Cosmology) -> Result<Self> {
        check(cosmology)?;
        let mut power = Self { transfer: Transfer::new(cosmology), n_s: cosmology.n_s, amplitude: 1.0 };
        power.amplitude = (cosmology.sigma_8 / power.sigma(8.0)).powi(2);
        Ok(power)
    }

    /// `P(k)` today in (Mpc/h)³, `k` in h/Mpc.
    pub fn power(&self, k: f64) -> f64 {
        self.amplitude * k.powf(self.n_s) * self.transfer.at(k).powi(2)
    }

    /// Rms linear overdensity today in spheres of `radius` Mpc/h.
    pub fn sigma(&self, radius: f64) -> f64 {
        // ∫ Δ²(k) W²(kR) d ln k, over the decades that contribute.
        let integrand = |ln_k: f64| {
            let k: f64 = ln_k.exp();
            let x = k * radius;
            let window = if x < 1e-2 { 1.0 - x * x / 10.0 } else { 3.0 * (x.sin() - x * x.cos()) / x.powi(3) };
            k.powi(3) * self.power(k) * window * window / (2.0 * std::f64::consts::PI.powi(2))
        };
        simpson(integrand, (1e-5 / radius).ln(), (3e2 / radius).ln(), 4096).sqrt()
    }
}

/// Refuse a cosmology that cannot be simulated.
///
/// # Errors
/// [`Error::Setting`], a sentence on the first parameter that is impossible.
pub fn check(cosmology: &Cosmology) -> Result<()> {
    let Cosmology { omega_m, omega_lambda, omega_b, h, n_s, sigma_8 } = *cosmology;
    for (name, value, low, high) in [
        ("Ωm", omega_m, 0.01, 2.0),
        ("ΩΛ", omega_lambda, 0.0, 2.0),
        ("Ωb", omega_b, 1e-4, 0.5),
        ("h", h, 0.2, 2.0),
        ("ns", n_s, 0.3, 2.0),
        ("σ8", sigma_8, 0.05, 3.0),
    ] {
        if !(value >= low && value <= high) {
            return Err(Error::setting(format!("{name} = {value}"), format!("{low} to {high}"), "Check the cosmology"));
        }
    }
    if omega_b >= omega_m {
        return Err(Error::setting(
            format!("Ωb = {omega_b} with Ωm = {omega_m}"),
            "fewer baryons than matter",
            "Check the cosmology",
        ));
    }
    Ok(())
}

/// Eisenstein & Hu's transfer function with acoustic oscillations: their
/// equations 2 to 24, in their notation.
#[derive(Debug, Clone)]
struct Transfer {
    /// `h`, to turn k from h/Mpc to 1/Mpc.
    h: f64,
    baryon_fraction: f64,
    k_equality: f64,
    sound_horizon: f64,
    k_silk: f64,
    alpha_c: f64,
    beta_c: f64,
    alpha_b: f64,
    beta_b: f64,
    beta_node: f64,
}

impl Transfer {
    fn new(cosmology: &Cosmology) -> Self {
        let (m, b) = (cosmology.omega_m * cosmology.h.powi(2), cosmology.omega_b * cosmology.h.powi(2));
        let theta = THETA_CMB;
        let fraction = b / m;
        let z_equality = 2.5e4 * m * theta.powi(-4);
        let k_equality = 7.46e-2 * m * theta.powi(-2);
        let b1 = 0.313 * m.powf(-0.419) * (1.0 + 0.607 * m.powf(0.674));
        let b2 = 0.238 * m.powf(0.223);
        let z_drag = 1291.0 * m.powf(0.251) / (1.0 + 0.659 * m.powf(0.828)) * (1.0 + b1 * b.powf(b2));
        let ratio = |z: f64| 31.5 * b * theta.powi(-4) * (1e3 / z);
        let (r_drag, r_equality) = (ratio(z_drag), ratio(z_equality));
        let sound_horizon = 2.0 / (3.0 * k_equality)
            * (6.0 / r_equality).sqrt()
            * (((1.0 + r_drag).sqrt() + (r_drag + r_equality).sqrt()) / (1.0 + r_equality.sqrt())).ln();
        let k_silk = 1.6 * b.powf(0.52) * m.powf(0.73) * (1.0 + (10.4 * m).powf(-0.95));

        let a1 = (46.9 * m).powf(0.670) * (1.0 + (32.1 * m).powf(-0.532));
        let a2 = (12.0 * m).powf(0.424) * (1.0 + (45.0 * m).powf(-0.582));
        let alpha_c = a1.powf(-fraction) * a2.powf(-fraction.powi(3));
        let b1 = 0.944 / (1.0 + (458.0 * m).powf(-0.708));
        let b2 = (0.395 * m).powf(-0.0266);
        let beta_c = 1.0 / (1.0 + b1 * ((1.0 - fraction).powf(b2) - 1.0));

        let y = (1.0 + z_equality) / (1.0 + z_drag);
        let root = (1.0 + y).sqrt();
        let g = y * (-6.0 * root + (2.0 + 3.0 * y) * ((root + 1.0) / (root - 1.0)).ln());
        let alpha_b = 2.07 * k_equality * sound_horizon * (1.0 + r_drag).powf(-0.75) * g;
        let beta_b = 0.5 + fraction + (3.0 - 2.0 * fraction) * ((17.2 * m).powi(2) + 1.0).sqrt();
        Self {
            h: cosmology.h,
            baryon_fraction: fraction,
            k_equality,
            sound_horizon,
            k_silk,
            alpha_c,
            beta_c,
            alpha_b,
            beta_b,
            beta_node: 8.41 * m.powf(0.435),
        }
    }

    /// `T(k)`, one on large scales; `k` in h/Mpc.
    fn at(&self, k: f64) -> f64 {
        let k = k * self.h;
        let q = k / (13.41 * self.k_equality);
        let ks = k * self.sound_horizon;
        let shape = |alpha: f64, beta: f64| {
            let c = 14.2 / alpha + 386.0 / (1.0 + 69.9 * q.powf(1.08));
            let log = (std::f64::consts::E + 1.8 * beta * q).ln();
            log / (log + c * q * q)
        };
        let f = 1.0 / (1.0 + (ks / 5.4).powi(4));
        let cold = f * shape(1.0, self.beta_c) + (1.0 - f) * shape(self.alpha_c, self.beta_c);
        let effective = self.sound_horizon / (1.0 + (self.beta_node / ks).powi(3)).cbrt();
        let x = k * effective;
        let bessel = if x < 1e-4 { 1.0 } else { x.sin() / x };
        let baryons = bessel
            * (shape(1.0, 1.0) / (1.0 + (ks / 5.2).powi(2))
                + self.alpha_b / (1.0 + (self.beta_b / ks).powi(3)) * (-(k / self.k_silk).powf(1.4)).exp());
        self.baryon_fraction * baryons + (1.0 - self.baryon_fraction) * cold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalisation_slope_and_scales_are_those_of_the_cosmology() {
        let cosmology = Cosmology::default();
        let power = LinearPower::new(&cosmology).unwrap();
        assert!((power.sigma(8.0) / cosmology.sigma_8 - 1.0).abs() < 1e-4);
        // P ∝ k^ns on the largest scales, k^(ns−4) ln² k on the smallest.
        let slope = |k: f64| (power.power(k * 1.01) / power.power(k)).ln() / 1.01f64.ln();
        assert!((slope(1e-5) - cosmology.n_s).abs() < 0.01);
        assert!((-3.1..-2.5).contains(&slope(50.0)), "{}", slope(50.0));
        // The sound horizon at the drag epoch in Mpc (E&H98 eq. 26).
        let (m, b) = (cosmology.omega_m * cosmology.h.powi(2), cosmology.omega_b * cosmology.h.powi(2));
        let fit = 44.5 * (9.83 / m).ln() / (1.0 + 10.0 * b.powf(0.75)).sqrt();
        assert!((power.transfer.sound_horizon / fit - 1.0).abs() < 0.02);
    }

    #[test]
    fn impossible_cosmologies_are_refused() {
        for bad in [
            Cosmology { omega_m: -0.3, ..Cosmology::default() },
            Cosmology { h: f64::NAN, ..Cosmology::default() },
            Cosmology { omega_b: 0.4, ..Cosmology::default() },
        ] {
            assert_eq!(LinearPower::new(&bad).unwrap_err().exit_code(), 2);
        }
    }
}
