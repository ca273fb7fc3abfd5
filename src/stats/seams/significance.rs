//! How unlikely a number is where there is no seam, in standard deviations of a normal.

/// Both tails of a standard normal beyond `z`.
fn both_tails(z: f64) -> f64 {
    libm::erfc(z.abs() / std::f64::consts::SQRT_2)
}

/// The size of `z` that both tails of `p` lie beyond.
fn beyond(p: f64) -> f64 {
    // Newton's method on a tail that is convex there; forty standard deviations are more than
    // a double can tell from none.
    let p = p.clamp(1e-300, 1.0);
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if both_tails(middle) > p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// What is left of a significance that is the largest of `trials` independent ones.
pub fn of_the_largest(z: f64, trials: f64) -> f64 {
    if z.abs() > 30.0 {
        return z;
    }
    let p = -f64::exp_m1(trials * f64::ln_1p(-both_tails(z).min(1.0 - 1e-16)));
    beyond(p).copysign(z)
}

/// A normal deviate as unlikely as `t` of Student's distribution with `freedom` degrees of
/// freedom (Wallace 1959).
pub fn of_student(t: f64, freedom: f64) -> f64 {
    let size = (freedom * (t * t / freedom).ln_1p()).sqrt() * (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0);
    size.copysign(t)
}

/// A normal deviate as unlikely as a χ² of `freedom` degrees of freedom (Wilson & Hilferty
/// 1931), whose scale is known to a relative error of `scale`.
pub fn of_chi_squared(chi_squared: f64, freedom: f64, scale: f64) -> f64 {
    let variance = 2.0 / (9.0 * freedom);
    ((chi_squared / freedom).cbrt() - 1.0 + variance) / (variance + (scale / 3.0).powi(2)).sqrt()
}

/// The standard normal below which a share `p` lies, by halving its tail.
pub fn quantile(p: f64) -> f64 {
    if p < 0.5 { -beyond(2.0 * p) } else { beyond(2.0 * (1.0 - p)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles_and_trials() {
        assert!((quantile(0.975) - 1.959_964).abs() < 1e-5 && (quantile(0.025) + 1.959_964).abs() < 1e-5);
        assert!(quantile(0.5).abs() < 1e-9);
        // One of 370 is three standard deviations; of 370 trials the largest is nothing.
        assert!((of_the_largest(3.0, 1.0) - 3.0).abs() < 1e-6);
        assert!(of_the_largest(3.0, 370.0) < 0.5 && of_the_largest(-8.0, 100.0) < -7.0);
        // Tables: t of 10 degrees of freedom at 0.27 % is 3.96.
        assert!((of_student(3.957, 10.0) - 3.0).abs() < 0.02);
        // χ² of 100 beyond 124.3 in 5 % of one tail.
        assert!((of_chi_squared(124.34, 100.0, 0.0) - 1.645).abs() < 0.01);
    }
}
