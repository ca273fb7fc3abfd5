//! From values to colours and opacities.

use serde::{Deserialize, Serialize};

use super::ColorMap;

/// Largest size of the ends of a range: beyond it single precision has no room for a span.
const MOST: f32 = 1e30;

/// How values are spread over a colour range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Stretch {
    /// As they are.
    Linear,
    /// By their logarithm; nothing below zero can be told apart.
    #[default]
    Log,
    /// By their inverse hyperbolic sine: linear about zero, logarithmic beyond.
    Asinh,
}

impl Stretch {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Linear, Self::Log, Self::Asinh];

    /// Name for the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Log => "log",
            Self::Asinh => "asinh",
        }
    }
}

/// A colour range: which values the first and the last colour stand for, and how those
/// between are spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ColorScale {
    /// Value of the first colour, in the field's unit.
    pub low: f32,
    /// Value of the last colour.
    pub high: f32,
    /// How those between are spread.
    pub stretch: Stretch,
    /// The colours.
    pub map: ColorMap,
    /// Whether they run backwards.
    pub reversed: bool,
}

/// The scale as shaders see it (`scale.wgsl`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct ScaleUniform {
    low: f32,
    high: f32,
    softening: f32,
    stretch: u32,
}

/// A labelled place of a colour range.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Where it lies, 0 to 1.
    pub at: f32,
    /// Its value.
    pub label: String,
}

impl ColorScale {
    /// Whether it is a range of finite numbers.
    pub fn is_sound(&self) -> bool {
        self.low < self.high && self.low.is_finite() && self.high.is_finite()
    }

    /// A logarithmic range.
    pub fn log(low: f32, high: f32, map: ColorMap) -> Self {
        Self { low, high, stretch: Stretch::Log, map, reversed: false }
    }

    /// A range symmetric about zero, for differences.
    pub fn symmetric(most: f32) -> Self {
        Self { low: -most, high: most, stretch: Stretch::Asinh, map: ColorMap::BlueRed, reversed: false }
    }

    /// A value as it is spread; what is no number stays none.
    pub fn stretched(&self, value: f32) -> f32 {
        match self.stretch {
            Stretch::Linear => value,
            Stretch::Log if value.is_nan() => value,
            Stretch::Log => value.max(1e-30).log2(),
            Stretch::Asinh => (value / self.softening()).asinh() * std::f32::consts::LOG2_E,
        }
    }

    fn unstretched(&self, y: f32) -> f32 {
        match self.stretch {
            Stretch::Linear => y,
            Stretch::Log => y.exp2(),
            Stretch::Asinh => (y / std::f32::consts::LOG2_E).sinh() * self.softening(),
        }
    }

    /// Where a value lies: 0 at the low end, 1 at the high end, beyond them outside.
    pub fn place(&self, value: f32) -> f32 {
        let [low, high] = self.limits();
        (self.stretched(value) - low) / (high - low)
    }

    /// The value at a place.
    pub fn value(&self, place: f32) -> f32 {
        let [low, high] = self.limits();
        self.unstretched(low + place * (high - low))
    }

    /// The same range with other ends, kept finite, apart and (for a logarithm) above zero.
    pub fn with_ends(self, low: f32, high: f32) -> Self {
        let high = if high.is_nan() { 1.0 } else { high.clamp(-MOST, MOST) };
        let mut new = Self { low: low.clamp(-MOST, MOST), high, ..self };
        if self.stretch == Stretch::Log {
            new.high = new.high.max(2e-12);
            new.low = new.low.max(1e-12).min(new.high * 0.98);
        }
        if new.low.partial_cmp(&new.high) != Some(std::cmp::Ordering::Less) {
            new.low = new.high - new.high.abs().max(1e-6) * 0.02;
        }
        new
    }

    /// The same ends and colours with another stretch.
    pub fn with_stretch(self, stretch: Stretch) -> Self {
        let low = if stretch == Stretch::Log && self.low <= 0.0 { self.high.abs() * 1e-4 } else { self.low };
        Self { stretch, ..self }.with_ends(low, self.high)
    }

    /// Stretched ends.
    pub fn limits(&self) -> [f32; 2] {
        let [low, high] = [self.stretched(self.low), self.stretched(self.high)];
        // A range of no width would divide by zero in shaders.
        [low, if high - low > 1e-6 { high } else { low + 1e-6 }]
    }

    fn softening(&self) -> f32 {
        (self.low.abs().max(self.high.abs()) / 30.0).max(1e-20)
    }

    pub(super) fn uniform(&self) -> ScaleUniform {
        let [low, high] = self.limits();
        let stretch = match self.stretch {
            Stretch::Linear => 0,
            Stretch::Log => 1,
            Stretch::Asinh => 2,
        };
        ScaleUniform { low, high, softening: self.softening(), stretch }
    }

    /// Labelled values inside the range, at most about `most` of them.
    pub fn ticks(&self, most: usize) -> Vec<Tick> {
        let tick = |value: f32| Tick { at: self.place(value), label: short(value) };
        let inside = |t: &Tick| (-1e-4..=1.0001).contains(&t.at);
        match self.stretch {
            Stretch::Linear => linear_ticks(self.low, self.high, most).into_iter().map(tick).filter(inside).collect(),
            Stretch::Log => decades(self.low, self.high, most).into_iter().map(tick).filter(inside).collect(),
            Stretch::Asinh => {
                let top = self.low.abs().max(self.high.abs());
                let one_side = decades(self.softening() * 3.0, top, most.div_ceil(2).max(1));
                let mut values: Vec<f32> = one_side.iter().rev().map(|v| -v).collect();
                values.push(0.0);
                values.extend(one_side);
                values.into_iter().map(tick).filter(inside).collect()
            }
        }
    }
}

/// Round values between two ends.
fn linear_ticks(low: f32, high: f32, most: usize) -> Vec<f32> {
    let rough = (f64::from(high) - f64::from(low)) / most.max(1) as f64;
    if !rough.is_finite() || rough <= 0.0 {
        return Vec::new();
    }
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|s| s * power).into_iter().find(|s| *s >= rough).unwrap_or(10.0 * power);
    let (first, last) = ((f64::from(low) / step).ceil() as i64, (f64::from(high) / step).floor() as i64);
    (first..=last).map(|i| (i as f64 * step) as f32).collect()
}

/// Powers of ten between two positive ends, with 2 and 5 between them where there is
/// room, or every so many where there is not.
fn decades(low: f32, high: f32, most: usize) -> Vec<f32> {
    let (low, high) = (f64::from(low.max(1e-30)), f64::from(high.max(1e-30)));
    let span = (high / low).log10();
    if !span.is_finite() {
        return Vec::new();
    }
    let steps: &[f64] = if span * 3.0 <= most as f64 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = (span / most.max(1) as f64).ceil().max(1.0) as i32;
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    (first..=last)
        .filter(|p| p.rem_euclid(every) == 0)
        .flat_map(|p| steps.iter().map(move |s| (s * 10f64.powi(p)) as f32))
        .filter(|v| (low * 0.999..=high * 1.001).contains(&f64::from(*v)))
        .collect()
}

/// A tick's value in few characters.
fn short(value: f32) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    let text = if (1e-3..1e5).contains(&size) {
        let digits = (2 - size.log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{value:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{value:.1e}").replace(".0e", "e")
    };
    text.replace('-', "−")
}

/// How opaque the volume is: clear up to `low` of the colour range, opaque from `high`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Opacity {
    /// Where it begins, 0 to 1.
    pub low: f32,
    /// Where it is full, 0 to 1.
    pub high: f32,
    /// Optical depth through a box of full opacity, in powers of two.
    pub gain: f32,
}

impl Default for Opacity {
    fn default() -> Self {
        Self { low: 0.15, high: 1.0, gain: 90.0 }
    }
}

impl Opacity {
    /// Whether its numbers are those of handles and a gain.
    pub fn is_sound(&self) -> bool {
        (0.0..=1.0).contains(&self.low) && (0.0..=1.0).contains(&self.high) && (0.0..=1e6).contains(&self.gain)
    }

    /// Share of full opacity at a place of the colour range, 0 to 1; for colours that
    /// diverge, by the distance from their middle.
    pub fn share(&self, place: f32, diverging: bool) -> f32 {
        let strength = if diverging { (2.0 * place - 1.0).abs() } else { place };
        let x = ((strength - self.low) / (self.high - self.low).max(1e-3)).clamp(0.0, 1.0);
        x * x * (1.5 - 0.5 * x)
    }
}

/// 256 colours with their opacities on the GPU. A clone is the same texture.
#[derive(Clone)]
pub struct ColorTable {
    pub(super) view: wgpu::TextureView,
    key: (ColorMap, bool, Opacity),
}

impl ColorTable {
    /// The colours of `scale`, as opaque as `opacity` says.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue, scale: &ColorScale, opacity: Opacity) -> Self {
        let diverging = scale.map.is_diverging();
        let table: Vec<u8> = (0..256)
            .flat_map(|i| {
                let t = i as f32 / 255.0;
                let [r, g, b] = scale.map.color(if scale.reversed { 1.0 - t } else { t });
                [r, g, b, (opacity.share(t, diverging) * 255.0 + 0.5) as u8]
            })
            .collect();
        let texture = wgpu::util::DeviceExt::create_texture_with_data(
            device,
            queue,
            &wgpu::TextureDescriptor {
                label: Some("colours"),
                size: wgpu::Extent3d { width: 256, height: 1, depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::Rgba8Unorm,
                usage: wgpu::TextureUsages::TEXTURE_BINDING,
                view_formats: &[],
            },
            Default::default(),
            &table,
        );
        let key = (scale.map, scale.reversed, opacity);
        Self { view: texture.create_view(&Default::default()), key }
    }

    /// What it was made of: two tables of the same key are alike.
    pub fn key(&self) -> (ColorMap, bool, Opacity) {
        self.key
    }

    /// Whether it still shows `scale` and `opacity`.
    pub fn matches(&self, scale: &ColorScale, opacity: Opacity) -> bool {
        self.key == (scale.map, scale.reversed, opacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_from_their_places_in_every_stretch() {
        for stretch in Stretch::ALL {
            let scale = ColorScale { stretch, ..ColorScale::log(0.02, 300.0, ColorMap::Inferno) };
            assert!(scale.place(0.02).abs() < 1e-5 && (scale.place(300.0) - 1.0).abs() < 1e-5);
            for value in [0.05, 1.0, 42.0, 299.0] {
                assert!((scale.value(scale.place(value)) / value - 1.0).abs() < 1e-3, "{stretch:?} at {value}");
            }
        }
        let residual = ColorScale::symmetric(4.0);
        assert!((residual.place(0.0) - 0.5).abs() < 1e-6);
        assert!((residual.place(1.0) + residual.place(-1.0) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn ticks_are_round_values_where_they_belong() {
        let labels = |scale: ColorScale, most| -> Vec<String> {
            let ticks = scale.ticks(most);
            for tick in &ticks {
                let value: f32 = tick.label.replace('−', "-").parse().unwrap();
                assert!((scale.place(value) - tick.at).abs() < 1e-3, "{tick:?}");
            }
            ticks.into_iter().map(|t| t.label).collect()
        };
        let log = ColorScale::log(0.005, 300.0, ColorMap::Magma);
        assert_eq!(labels(log, 6), ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(labels(ColorScale::log(1e9, 3e13, ColorMap::Magma), 3), ["1e10", "1e12"]);
        let linear = ColorScale { stretch: Stretch::Linear, ..ColorScale::log(0.0, 1.0, ColorMap::Magma) };
        assert_eq!(labels(linear, 5), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert!(labels(ColorScale::symmetric(10.0), 5).contains(&"−10".to_owned()));
    }

    #[test]
    fn ends_stay_apart_and_positive_for_a_logarithm() {
        let scale = ColorScale::log(1.0, 10.0, ColorMap::Inferno);
        let crossed = scale.with_ends(20.0, 10.0);
        assert!(crossed.low < crossed.high);
        assert!(scale.with_ends(-5.0, 10.0).low > 0.0);
        let nothing = ColorScale { stretch: Stretch::Linear, ..scale }.with_ends(f32::NAN, 0.0);
        assert!(nothing.low < nothing.high);
    }

    #[test]
    fn any_ends_make_a_finite_range_with_few_ticks() {
        let numbers = [
            f32::NEG_INFINITY,
            f32::MIN,
            -1e30,
            -3.0,
            -f32::MIN_POSITIVE,
            0.0,
            1e-45,
            1e-12,
            7.0,
            1e30,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
        ];
        for stretch in Stretch::ALL {
            let mut scale = ColorScale { stretch, ..ColorScale::log(0.02, 30.0, ColorMap::Inferno) };
            for (low, high) in numbers.into_iter().flat_map(|low| numbers.map(|high| (low, high))) {
                let new = scale.with_ends(low, high);
                assert!(new.is_sound(), "{stretch:?} from {low} to {high}: {new:?}");
                let [a, b] = new.limits();
                assert!(a < b && b.is_finite() && new.ticks(8).len() <= 40, "{stretch:?} from {low} to {high}");
                // Ends that a file may hold are not those that the window makes.
                assert!(ColorScale { low, high, ..scale }.ticks(8).len() <= 100, "{stretch:?}, {low}, {high}");
            }
            // The upper end dragged to the right, on and on.
            for _ in 0..2000 {
                scale = scale.with_ends(scale.low, scale.value(1.15));
                assert!(scale.is_sound() && scale.ticks(8).len() <= 40, "{scale:?}");
            }
        }
    }

    #[test]
    fn what_is_no_number_has_no_place() {
        for stretch in Stretch::ALL {
            let scale = ColorScale { stretch, ..ColorScale::log(0.02, 300.0, ColorMap::Inferno) };
            assert!(scale.place(f32::NAN).is_nan() && scale.place(0.0) < 0.5, "{stretch:?}");
        }
    }

    #[test]
    fn opacity_is_clear_below_its_first_handle_and_grows_with_strength() {
        let opacity = Opacity { low: 0.3, high: 0.8, gain: 1.0 };
        assert_eq!(opacity.share(0.2, false), 0.0);
        assert_eq!(opacity.share(0.9, false), 1.0);
        assert!(opacity.share(0.5, false) < opacity.share(0.7, false));
        assert_eq!(opacity.share(0.5, true), 0.0);
        assert_eq!(opacity.share(0.0, true), opacity.share(1.0, true));
    }
}
