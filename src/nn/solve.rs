//! Small systems of linear equations, and where a function is least.

/// The solution of `A x = b` for a symmetric positive `A`, by elimination.
pub(super) fn solve<const N: usize>(mut a: [[f64; N]; N], mut b: [f64; N]) -> [f64; N] {
    for i in 0..N {
        for j in i + 1..N {
            let factor = a[j][i] / a[i][i];
            for k in i..N {
                a[j][k] -= factor * a[i][k];
            }
            b[j] -= factor * b[i];
        }
    }
    let mut x = [0.0; N];
    for i in (0..N).rev() {
        let known: f64 = (i + 1..N).map(|k| a[i][k] * x[k]).sum();
        x[i] = (b[i] - known) / a[i][i];
    }
    x
}

/// Where in `[from, to]` a function with one minimum is least, by golden sections.
pub(super) fn least(f: impl Fn(f64) -> f64, [mut from, mut to]: [f64; 2], fineness: f64) -> f64 {
    let golden = 0.5 * (5f64.sqrt() - 1.0);
    let (mut low, mut high) = (to - golden * (to - from), from + golden * (to - from));
    let (mut at_low, mut at_high) = (f(low), f(high));
    while to - from > fineness {
        if at_low < at_high {
            (to, high, at_high) = (high, low, at_low);
            low = to - golden * (to - from);
            at_low = f(low);
        } else {
            (from, low, at_low) = (low, high, at_high);
            high = from + golden * (to - from);
            at_high = f(high);
        }
    }
    0.5 * (from + to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elimination_solves_what_it_is_given() {
        let a = [[4.0, 1.0, 0.5], [1.0, 3.0, -1.0], [0.5, -1.0, 2.0]];
        let x = [1.0, -2.0, 0.5];
        let b: [f64; 3] = std::array::from_fn(|i| (0..3).map(|k| a[i][k] * x[k]).sum());
        for (found, expected) in solve(a, b).into_iter().zip(x) {
            assert!((found - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn golden_sections_find_a_minimum_within_and_at_the_edges() {
        for (minimum, found) in [(0.87, 0.87), (0.2, 0.5), (3.0, 2.0)] {
            let at = least(|x| (x - minimum).powi(2), [0.5, 2.0], 1e-3);
            assert!((at - found).abs() < 1e-3, "{at} for {minimum}");
        }
    }
}
