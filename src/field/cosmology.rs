//! Background cosmology and the units it sets.

use serde::{Deserialize, Serialize};

/// Critical density today in (M☉/h)/(Mpc/h)³: `3 (100 h km/s/Mpc)² / 8πG` in
/// units that take `h` out.
pub const RHO_CRITICAL: f64 = 2.775_366_27e11;

/// A ΛCDM cosmology.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosmology {
    /// Matter density today in units of the critical density, `Ωm`.
    pub omega_m: f64,
    /// Cosmological constant, `ΩΛ`.
    pub omega_lambda: f64,
    /// Baryon density, `Ωb`.
    pub omega_b: f64,
    /// `H0` in units of 100 km/s/Mpc.
    pub h: f64,
    /// Spectral index of the primordial spectrum.
    pub n_s: f64,
    /// Rms linear overdensity in spheres of 8 Mpc/h today.
    pub sigma_8: f64,
}

impl Default for Cosmology {
    /// The fiducial CAMELS cosmology with the amplitude of Halodi's own runs.
    fn default() -> Self {
        Self { omega_m: 0.3, omega_lambda: 0.7, omega_b: 0.049, h: 0.6711, n_s: 0.9624, sigma_8: 0.834 }
    }
}

impl Cosmology {
    /// `E(z) = H(z)/H0`, with curvature making up what `Ωm + ΩΛ` leaves.
    pub fn e(&self, redshift: f64) -> f64 {
        let a_inverse = 1.0 + redshift;
        let omega_k = 1.0 - self.omega_m - self.omega_lambda;
        (self.omega_m * a_inverse.powi(3) + omega_k * a_inverse.powi(2) + self.omega_lambda).sqrt()
    }

    /// `H(z)` in km/s/(Mpc/h): 100 E(z), so that `v/H` is in Mpc/h.
    pub fn hubble(&self, redshift: f64) -> f64 {
        100.0 * self.e(redshift)
    }

    /// Linear growth factor `D(a)` of matter in ΛCDM, one today: proportional to
    /// `E(a) ∫₀ᵃ da'/(a'E)³` (Heath 1977; no radiation).
    pub fn growth(&self, redshift: f64) -> f64 {
        let unnormalised = |z: f64| self.e(z) * self.growth_integral(1.0 / (1.0 + z));
        unnormalised(redshift) / unnormalised(0.0)
    }

    /// Linear growth rate `f = d ln D / d ln a`.
    pub fn growth_rate(&self, redshift: f64) -> f64 {
        let a = 1.0 / (1.0 + redshift);
        let e = self.e(redshift);
        let omega_k = 1.0 - self.omega_m - self.omega_lambda;
        let d_ln_e = -(1.5 * self.omega_m / a.powi(3) + omega_k / a.powi(2)) / (e * e);
        d_ln_e + 1.0 / (a * a * e.powi(3) * self.growth_integral(a))
    }

    /// `Ωm(z)`.
    pub fn omega_m_at(&self, redshift: f64) -> f64 {
        self.omega_m * (1.0 + redshift).powi(3) / self.e(redshift).powi(2)
    }

    /// `∫₀ᵃ da'/(a'E(a'))³`. With `a' = a s^(2/5)` the integrand is flat where
    /// matter dominates, and Simpson's rule converges fast.
    fn growth_integral(&self, a: f64) -> f64 {
        const INTERVALS: usize = 256;
        let f = |s: f64| {
            if s == 0.0 {
                // (a'E)³ → Ωm^(3/2) a'^(3/2) as a' → 0.
                return 0.4 * a.powf(2.5) / self.omega_m.powf(1.5);
            }
            let scale = a * s.powf(0.4);
            0.4 * a * s.powf(-0.6) / (scale * self.e(1.0 / scale - 1.0)).powi(3)
        };
        simpson(f, 0.0, 1.0, INTERVALS)
    }

    /// Mean comoving matter density `Ωm ρc` in (M☉/h)/(Mpc/h)³.
    pub fn mean_matter_density(&self) -> f64 {
        self.omega_m * RHO_CRITICAL
    }

    /// Brightness temperature in mK of a comoving HI density of one critical
    /// density today: `189 h (1+z)² / E(z)` (Villaescusa-Navarro et al. 2018,
    /// arXiv:1804.09180, eq. 1; optically thin, spin temperature far above the
    /// CMB's). Multiply by `ρ_HI/ρ_c`.
    pub fn brightness_temperature_scale(&self, redshift: f64) -> f64 {
        189.0 * self.h * (1.0 + redshift).powi(2) / self.e(redshift)
    }
}

/// Simpson's rule for `∫ f` from `from` to `to` in an even number of intervals.
pub(crate) fn simpson(f: impl Fn(f64) -> f64, from: f64, to: f64, intervals: usize) -> f64 {
    let h = (to - from) / intervals as f64;
    let inner: f64 = (1..intervals).map(|i| f(from + h * i as f64) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    (f(from) + inner + f(to)) * h / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_the_scale_factor_without_lambda_and_the_known_suppression_with_it() {
        let einstein_de_sitter = Cosmology { omega_m: 1.0, omega_lambda: 0.0, ..Cosmology::default() };
        for z in [0.0, 1.0, 9.0, 99.0] {
            assert!((einstein_de_sitter.growth(z) * (1.0 + z) - 1.0).abs() < 1e-5);
            assert!((einstein_de_sitter.growth_rate(z) - 1.0).abs() < 1e-5);
        }
        let cosmology = Cosmology::default();
        // g = D/a today relative to early times, against the fit of Carroll,
        // Press & Turner (1992), good to a percent or so.
        let (m, l) = (cosmology.omega_m, cosmology.omega_lambda);
        let fit = 2.5 * m / (m.powf(4.0 / 7.0) - l + (1.0 + m / 2.0) * (1.0 + l / 70.0));
        assert!((1.0 / (cosmology.growth(99.0) * 100.0) / fit - 1.0).abs() < 0.01);
        // f ≈ Ωm(z)^0.55 (Linder 2005), a fit good to better than a percent.
        for z in [0.0, 0.5, 1.0, 3.0] {
            let expected = cosmology.omega_m_at(z).powf(0.55);
            assert!((cosmology.growth_rate(z) / expected - 1.0).abs() < 0.01, "z={z}");
        }
        // The rate is the derivative.
        let (low, high) = (cosmology.growth(1.01), cosmology.growth(0.99));
        let slope = (high / low).ln() / (2.01f64 / 1.99).ln();
        assert!((slope / cosmology.growth_rate(1.0) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn brightness_temperature_scale_matches_published_prefactors() {
        // 189 h H0 (1+z)²/H(z) for Ωm = 0.3, h = 0.6711, worked out by hand.
        let cosmology = Cosmology::default();
        for (z, expected) in [(0.0, 126.8), (0.5, 218.1), (1.0, 288.2), (2.0, 384.8), (3.0, 454.9)] {
            let scale = cosmology.brightness_temperature_scale(z);
            assert!((scale / expected - 1.0).abs() < 1e-3, "z={z}: {scale} against {expected}");
        }
    }
}
