//! Colour maps: eight along which lightness grows evenly, three that diverge.

use serde::{Deserialize, Serialize};

/// A map from 0 to 1 to colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum ColorMap {
    /// Black, purple, orange, pale yellow.
    #[default]
    Inferno,
    /// Black, purple, pink, cream.
    Magma,
    /// Blue, magenta, yellow.
    Plasma,
    /// Purple, green, yellow.
    Viridis,
    /// Blue to yellow, alike to colour-blind eyes.
    Cividis,
    /// Black to white by way of green and pink (Green 2011).
    Cubehelix,
    /// Black, blue, white.
    Ice,
    /// Black to white.
    Grey,
    /// Blue, white, red.
    BlueRed,
    /// Purple, white, green.
    PurpleGreen,
    /// Brown, white, teal.
    BrownTeal,
}

impl ColorMap {
    /// Those for values that grow from little to much.
    pub const SEQUENTIAL: [Self; 8] = [
        Self::Inferno,
        Self::Magma,
        Self::Plasma,
        Self::Viridis,
        Self::Cividis,
        Self::Cubehelix,
        Self::Ice,
        Self::Grey,
    ];
    /// Those for values on both sides of zero.
    pub const DIVERGING: [Self; 3] = [Self::BlueRed, Self::PurpleGreen, Self::BrownTeal];

    /// Name for the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inferno => "Inferno",
            Self::Magma => "Magma",
            Self::Plasma => "Plasma",
            Self::Viridis => "Viridis",
            Self::Cividis => "Cividis",
            Self::Cubehelix => "Cubehelix",
            Self::Ice => "Ice",
            Self::Grey => "Grey",
            Self::BlueRed => "Blue to red",
            Self::PurpleGreen => "Purple to green",
            Self::BrownTeal => "Brown to teal",
        }
    }

    /// Whether its middle stands for zero.
    pub fn is_diverging(self) -> bool {
        Self::DIVERGING.contains(&self)
    }

    /// The colour at a place from 0 to 1, sRGB.
    pub fn color(self, place: f32) -> [u8; 3] {
        let t = f64::from(place.clamp(0.0, 1.0));
        let gradient = match self {
            Self::Inferno => colorous::INFERNO,
            Self::Magma => colorous::MAGMA,
            Self::Plasma => colorous::PLASMA,
            Self::Viridis => colorous::VIRIDIS,
            Self::Cividis => colorous::CIVIDIS,
            Self::Cubehelix => colorous::CUBEHELIX,
            Self::Ice => return ice(t),
            Self::Grey => return grey(t),
            Self::BlueRed => return reversed(colorous::RED_BLUE, t),
            Self::PurpleGreen => colorous::PURPLE_GREEN,
            Self::BrownTeal => colorous::BROWN_GREEN,
        };
        let color = gradient.eval_continuous(t);
        [color.r, color.g, color.b]
    }
}

fn reversed(gradient: colorous::Gradient, t: f64) -> [u8; 3] {
    let color = gradient.eval_continuous(1.0 - t);
    [color.r, color.g, color.b]
}

/// Even steps of lightness through blues.
fn ice(t: f64) -> [u8; 3] {
    let chroma = 0.155 * (std::f64::consts::PI * t.powf(0.85)).sin().max(0.0).powf(0.8);
    let hue = (275.0 - 75.0 * t).to_radians();
    oklab(0.10 + 0.89 * t, chroma * hue.cos(), chroma * hue.sin())
}

/// From Oklab (Ottosson 2020) to sRGB, clipped.
fn oklab(l: f64, a: f64, b: f64) -> [u8; 3] {
    let cube = |x: f64| x * x * x;
    let long = cube(l + 0.396_337_777_4 * a + 0.215_803_757_3 * b);
    let medium = cube(l - 0.105_561_345_8 * a - 0.063_854_172_8 * b);
    let short = cube(l - 0.089_484_177_5 * a - 1.291_485_548 * b);
    let linear = [
        4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701 * short,
    ];
    linear.map(encoded)
}

/// Even steps of CIE lightness, from all but black to white.
fn grey(t: f64) -> [u8; 3] {
    let lightness = 2.0 + 97.0 * t;
    let y = if lightness > 8.0 { ((lightness + 16.0) / 116.0).powi(3) } else { lightness / 903.3 };
    [encoded(y); 3]
}

/// A linear component of sRGB as a byte.
fn encoded(linear: f64) -> u8 {
    let c = linear.clamp(0.0, 1.0);
    let encoded = if c <= 0.003_130_8 { 12.92 * c } else { 1.055 * c.powf(1.0 / 2.4) - 0.055 };
    (encoded * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE lightness of an sRGB colour, 0 to 100.
    fn lightness([r, g, b]: [u8; 3]) -> f64 {
        let linear = [r, g, b].map(|c| {
            let c = f64::from(c) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        let y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        if y > 0.008_856 { 116.0 * y.cbrt() - 16.0 } else { 903.3 * y }
    }

    #[test]
    fn lightness_grows_evenly_along_sequential_maps() {
        for map in ColorMap::SEQUENTIAL {
            let l: Vec<f64> = (0..=16).map(|i| lightness(map.color(i as f32 / 16.0))).collect();
            let mean = (l[16] - l[0]) / 16.0;
            assert!(mean > 3.0, "{map:?} spans {:.0} in lightness", 16.0 * mean);
            for pair in l.windows(2) {
                let step = pair[1] - pair[0];
                assert!(
                    (0.2 * mean..2.2 * mean).contains(&step),
                    "{map:?}: a step of {step:.1}, {mean:.1} in the mean"
                );
            }
        }
    }

    #[test]
    fn diverging_maps_are_lightest_in_the_middle_and_alike_at_both_ends() {
        for map in ColorMap::DIVERGING {
            let l = [0.0, 0.25, 0.5, 0.75, 1.0].map(|t| lightness(map.color(t)));
            assert!(l[0] < l[1] && l[1] < l[2] && l[2] > l[3] && l[3] > l[4], "{map:?}: {l:?}");
            assert!((l[0] - l[4]).abs() < 15.0, "{map:?}: {l:?}");
        }
    }
}
