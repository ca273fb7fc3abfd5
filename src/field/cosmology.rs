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

#[cfg(test)]
mod tests {
    use super::*;

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
