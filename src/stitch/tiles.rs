//! Cutting tiles out of periodic fields and putting them back.

/// A field of `n³` voxels with `channels` values each, shape
/// `[channels, n, n, n]`, in C order.
#[derive(Debug, Clone)]
pub struct ChannelField {
    /// Voxels per axis.
    pub n: usize,
    /// The values.
    pub values: Vec<f32>,
}

impl ChannelField {
    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.values.len() / self.n.pow(3)
    }

    /// Its channels one by one, `n³` values each.
    pub fn each(&self) -> std::slice::Chunks<'_, f32> {
        self.values.chunks(self.n.pow(3))
    }

    /// Append the window of `side³` voxels at `origin` to `out`, channel by
    /// channel, periodic beyond the faces of the box.
    pub fn gather(&self, origin: [usize; 3], side: usize, out: &mut Vec<f32>) {
        for channel in self.each() {
            gather(channel, self.n, origin, side, out);
        }
    }
}

/// Append the window of `side³` voxels at `origin` of a field to `out`.
pub fn gather(field: &[f32], n: usize, origin: [usize; 3], side: usize, out: &mut Vec<f32>) {
    for_each_run(n, origin, side, |start, length, _| out.extend_from_slice(&field[start..start + length]));
}

/// Write a window of `side³` values at `origin` of a field.
pub fn scatter(field: &mut [f32], n: usize, origin: [usize; 3], side: usize, window: &[f32]) {
    for_each_run(n, origin, side, |start, length, at| {
        field[start..start + length].copy_from_slice(&window[at..at + length]);
    });
}

/// Add a window times the product of `weights` along the axes.
pub fn scatter_weighted(field: &mut [f32], n: usize, origin: [usize; 3], window: &[f32], weights: &[f32]) {
    let side = weights.len();
    for_each_run(n, origin, side, |start, length, at| {
        let (row, column) = (at / side, at % side);
        let w = weights[row / side] * weights[row % side];
        for i in 0..length {
            field[start + i] += w * weights[column + i] * window[at + i];
        }
    });
}

/// Call `f(start in field, length, start in window)` for every contiguous run
/// of a window, in the window's order.
fn for_each_run(n: usize, origin: [usize; 3], side: usize, mut f: impl FnMut(usize, usize, usize)) {
    for i in 0..side {
        let x = (origin[0] + i) % n;
        for j in 0..side {
            let y = (origin[1] + j) % n;
            let mut k = 0;
            while k < side {
                let z = (origin[2] + k) % n;
                let length = (n - z).min(side - k);
                f((x * n + y) * n + z, length, (i * side + j) * side + k);
                k += length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn scatter_puts_back_what_gather_took(n in 2usize..9, side in 1usize..12, o in prop::array::uniform3(0usize..9)) {
            let origin = o.map(|v| v % n);
            let field: Vec<f32> = (0..n * n * n).map(|v| v as f32).collect();
            let mut window = Vec::new();
            gather(&field, n, origin, side, &mut window);
            prop_assert_eq!(window.len(), side.pow(3));
            for (at, &value) in window.iter().enumerate() {
                let [i, j, k] = [at / side / side, at / side % side, at % side];
                let index = ((origin[0] + i) % n * n + (origin[1] + j) % n) * n + (origin[2] + k) % n;
                prop_assert_eq!(value, index as f32);
            }
            let mut back = field.clone();
            scatter(&mut back, n, origin, side, &window);
            prop_assert_eq!(&back, &field);
            let mut once = vec![0.0; field.len()];
            scatter_weighted(&mut once, n, origin, &window, &vec![1.0; side]);
            if side <= n {
                let touched: f64 = once.iter().map(|&v| f64::from(v)).sum();
                let expected: f64 = window.iter().map(|&v| f64::from(v)).sum();
                prop_assert_eq!(touched, expected);
            }
        }
    }
}
