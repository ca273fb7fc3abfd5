//! What of the subject is looked at, and how: everything that undo undoes and a restart
//! brings back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::field::Layer;
use crate::render::{ColorMap, ColorScale, Opacity, OrbitCamera, VolumeMode};

/// Fields that share a colour range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Quantity {
    /// Dark matter, `1 + δ`.
    Matter,
    /// Halo mass, a bin.
    HaloMass(usize),
    /// Brightness temperature, mK: prediction, reference, latent and earlier runs alike.
    Temperature,
    /// Differences of brightness temperatures, mK.
    Difference,
    /// By how much windows disagree, mK.
    Disagreement,
    /// A band of wavenumbers of a brightness temperature, mK.
    Band,
    /// A band of wavenumbers of dark matter.
    MatterBand,
    /// A band of wavenumbers of halo mass, a bin.
    HaloMassBand(usize),
}

impl Quantity {
    /// What a layer holds.
    pub fn of(layer: Layer) -> Self {
        match layer {
            Layer::DarkMatter => Self::Matter,
            Layer::HaloMass(bin) => Self::HaloMass(bin),
            Layer::Disagreement => Self::Disagreement,
            _ => Self::Temperature,
        }
    }

    /// What a band of wavenumbers of it is.
    pub fn band(self) -> Self {
        match self {
            Self::Matter => Self::MatterBand,
            Self::HaloMass(bin) => Self::HaloMassBand(bin),
            Self::Temperature | Self::Difference | Self::Disagreement => Self::Band,
            band => band,
        }
    }

    /// Whether it is a band of wavenumbers.
    pub fn is_band(self) -> bool {
        matches!(self, Self::Band | Self::MatterBand | Self::HaloMassBand(_))
    }

    /// Unit of its values.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Matter => Layer::DarkMatter.unit(),
            // What is left of the density has no mean.
            Self::MatterBand => "δ",
            Self::HaloMass(bin) | Self::HaloMassBand(bin) => Layer::HaloMass(bin).unit(),
            Self::Temperature | Self::Difference | Self::Disagreement | Self::Band => Layer::Reference.unit(),
        }
    }

    /// Its range before anything is known of its values; fixed through a run.
    pub fn default_scale(self) -> ColorScale {
        match self {
            Self::Matter => ColorScale::log(0.1, 300.0, ColorMap::Magma),
            // Cosmic mean matter is 8e10; haloes are two hundred times that and more.
            Self::HaloMass(_) => ColorScale::log(1e10, 1e14, ColorMap::Viridis),
            Self::Temperature => ColorScale::log(0.02, 30.0, ColorMap::Inferno),
            Self::Difference => ColorScale::symmetric(5.0),
            Self::Disagreement => ColorScale::log(0.005, 5.0, ColorMap::Viridis),
            Self::Band | Self::MatterBand => ColorScale::symmetric(1.0),
            Self::HaloMassBand(_) => ColorScale::symmetric(1e11),
        }
    }

    /// How opaque it is before anybody says.
    pub fn default_opacity(self) -> Opacity {
        match self {
            Self::Matter => Opacity { low: 0.34, high: 1.0, gain: 150.0 },
            Self::HaloMass(_) => Opacity { low: 0.05, high: 0.9, gain: 220.0 },
            Self::Temperature | Self::Disagreement => Opacity { low: 0.12, high: 0.95, gain: 160.0 },
            Self::Difference | Self::Band | Self::MatterBand | Self::HaloMassBand(_) => {
                Opacity { low: 0.18, high: 0.9, gain: 220.0 }
            }
        }
    }
}

/// Thinnest part of the box that can be shown, box sides.
pub const THINNEST: f32 = 0.01;

/// How two fields are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Compare {
    /// One field alone.
    #[default]
    Off,
    /// One after the other.
    Blink,
    /// One to the left of a line, the other to the right.
    Swipe,
    /// One beside the other.
    SideBySide,
    /// Their difference.
    Residual,
}

impl Compare {
    /// All ways.
    pub const ALL: [Self; 5] = [Self::Off, Self::Blink, Self::Swipe, Self::SideBySide, Self::Residual];

    /// Name for the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "Single",
            Self::Blink => "Blink",
            Self::Swipe => "Swipe",
            Self::SideBySide => "Side by side",
            Self::Residual => "Residual",
        }
    }

    /// What it does, a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Off => "One field.",
            Self::Blink => "The two fields in turn, in the same colours: what moves differs.",
            Self::Swipe => "The first field to the left of a line, the second to the right; drag the line.",
            Self::SideBySide => "Both fields under one camera.",
            Self::Residual => "The first field less the second, zero in the middle of the colours.",
        }
    }
}

/// What a prediction is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Partner {
    /// The reference.
    #[default]
    Reference,
    /// An earlier run, by its number.
    Run(usize),
    /// Another realisation of the last run.
    Realisation(usize),
}

/// How a flat view is placed over its slice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SliceView {
    /// Middle of the canvas, to the right and up, in box sides.
    pub middle: [f32; 2],
    /// One shows the whole box.
    pub zoom: f32,
}

impl Default for SliceView {
    fn default() -> Self {
        Self { middle: [0.5; 2], zoom: 1.0 }
    }
}

/// What spectra are shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Power {
    /// `P(k)`.
    #[default]
    Spectrum,
    /// `Δ²(k)`.
    Dimensionless,
}

/// What is looked at, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ViewState {
    /// The layer shown.
    pub layer: Layer,
    /// Camera of the volume.
    pub camera: OrbitCamera,
    /// How the volume is looked at.
    pub mode: VolumeMode,
    /// Where the three slices cut, in the unit cube.
    pub crosshair: [f32; 3],
    /// Which planes the volume shows.
    pub planes: [bool; 3],
    /// How opaque they are.
    pub plane_opacity: f32,
    /// The part of the box that is shown.
    pub clip: [[f32; 3]; 2],
    /// Whether the faces of that part have handles.
    pub handles: bool,
    /// Whether the volume shows the crosshair.
    pub cross: bool,
    /// The flat views across x, y and z.
    pub slices: [SliceView; 3],
    /// Voxels in a slice's slab.
    pub thickness: usize,
    /// Its maximum instead of its mean.
    pub maximum: bool,
    /// Slices interpolated between voxels.
    pub smooth: bool,
    /// Colour ranges.
    #[serde(with = "pairs")]
    pub scales: BTreeMap<Quantity, ColorScale>,
    /// Opacities.
    #[serde(with = "pairs")]
    pub opacities: BTreeMap<Quantity, Opacity>,
    /// How fields are compared.
    pub compare: Compare,
    /// With what.
    pub partner: Partner,
    /// Where the swiping line is, 0 to 1.
    pub swipe: f32,
    /// Power or its dimensionless form.
    pub power: Power,
    /// The band of wavenumbers that fields are filtered to, h/Mpc.
    pub band: Option<[f64; 2]>,
    /// Whether tiles are outlined.
    pub tiles: bool,
    /// Whether the faces of tiles are lit.
    pub faces: bool,
    /// Voxels an axis of the tiles that seams are looked for with; `None` for the usual.
    pub seam_tile: Option<usize>,
    /// The noisy latent instead of the clean estimate, while LODI paints.
    pub latent: bool,
    /// Probes that stay, in the unit cube.
    pub pins: Vec<[f32; 3]>,
    /// A box whose statistics are told: its corners in box sides, the upper one beyond a face where it
    /// goes on over it.
    pub region: Option<[[f32; 3]; 2]>,
    /// A line whose profile is told: its ends in box sides, the second one beyond a face where it goes
    /// on over it.
    pub line: Option<[[f32; 3]; 2]>,
}

/// Maps as lists of pairs: keys of JSON are text alone.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}

impl Default for ViewState {
    fn default() -> Self {
        Self {
            layer: Layer::DarkMatter,
            camera: OrbitCamera::default(),
            mode: VolumeMode::Emission,
            crosshair: [0.5; 3],
            planes: [false; 3],
            plane_opacity: 0.85,
            clip: [[0.0; 3], [1.0; 3]],
            handles: false,
            cross: true,
            slices: Default::default(),
            thickness: 1,
            maximum: false,
            smooth: false,
            scales: BTreeMap::new(),
            opacities: BTreeMap::new(),
            compare: Compare::Off,
            partner: Partner::Reference,
            swipe: 0.5,
            power: Power::Spectrum,
            band: None,
            tiles: true,
            faces: false,
            seam_tile: None,
            latent: false,
            pins: Vec::new(),
            region: None,
            line: None,
        }
    }
}

impl ViewState {
    /// The colour range of a quantity.
    pub fn scale(&self, quantity: Quantity) -> ColorScale {
        self.scales.get(&quantity).copied().unwrap_or_else(|| quantity.default_scale())
    }

    /// The opacity of a quantity.
    pub fn opacity(&self, quantity: Quantity) -> Opacity {
        self.opacities.get(&quantity).copied().unwrap_or_else(|| quantity.default_opacity())
    }

    /// Everything about places and values of one box forgotten: another one is open. Colour maps stay.
    pub fn forget_box(&mut self) {
        for (quantity, scale) in &mut self.scales {
            let usual = quantity.default_scale();
            *scale = scale.with_ends(usual.low, usual.high);
        }
        self.pins.clear();
        (self.region, self.line, self.band) = (None, None, None);
        self.partner = Partner::Reference;
        self.compare = Compare::Off;
    }

    /// Whether every number lies where the window can have put it: what was read from a file
    /// may hold any.
    pub fn is_sound(&self) -> bool {
        let in_box = |p: &[f32; 3]| p.iter().all(|v| (0.0..=1.0).contains(v));
        // A line or a region may go on beyond a face of the periodic box.
        let near = |c: &[[f32; 3]; 2]| c.as_flattened().iter().all(|v| v.abs() < 1e3);
        let ordered = |[low, high]: &[[f32; 3]; 2]| low.iter().zip(high).all(|(a, b)| a < b);
        let within_a_box =
            |[low, high]: &[[f32; 3]; 2]| in_box(low) && low.iter().zip(high).all(|(low, high)| high - low <= 1.0);
        let placed =
            |slice: &SliceView| slice.middle.iter().all(|v| v.abs() < 1e3) && (1e-3..1e4).contains(&slice.zoom);
        let band = self.band.is_none_or(|[from, to]| 0.0 <= from && from < to && to.is_finite());
        in_box(&self.crosshair)
            && self.clip.iter().all(in_box)
            && ordered(&self.clip)
            && self.slices.iter().all(placed)
            && (1..=4096).contains(&self.thickness)
            && (0.0..=1.0).contains(&self.plane_opacity)
            && (0.0..=1.0).contains(&self.swipe)
            && self.camera.is_sound()
            && self.scales.values().all(ColorScale::is_sound)
            && self.opacities.values().all(Opacity::is_sound)
            && self.pins.iter().all(in_box)
            && self.line.iter().all(near)
            && self.region.iter().all(|corners| ordered(corners) && within_a_box(corners))
            && band
    }

    /// The voxel of an `n³` grid where the crosshair is.
    pub fn voxel(&self, n: usize) -> [usize; 3] {
        self.crosshair.map(|p| ((p * n as f32) as usize).min(n - 1))
    }

    /// Move a face of the part of the box that is shown, the lower (0) or the upper one (1) across
    /// an axis: within the box, and short of the face opposite.
    pub fn move_face(&mut self, side: usize, axis: usize, to: f32) {
        let [low, high] = [self.clip[0][axis], self.clip[1][axis]];
        // What a file brought may be thinner than the window makes it.
        self.clip[side][axis] = match side {
            0 => to.clamp(0.0, (high - THINNEST).max(0.0)),
            _ => to.clamp((low + THINNEST).min(1.0), 1.0),
        };
    }

    /// Move both faces across an axis by so many box sides, as far as the box reaches.
    pub fn move_slab(&mut self, axis: usize, by: f32) {
        let [low, high] = [self.clip[0][axis], self.clip[1][axis]];
        let by = by.clamp(-low, 1.0 - high);
        (self.clip[0][axis], self.clip[1][axis]) = (low + by, high + by);
    }

    /// Show an eighth of the box along an axis, about the crosshair.
    pub fn slab(&mut self, axis: usize) {
        let at = self.crosshair[axis];
        (self.clip[0][axis], self.clip[1][axis]) = ((at - 1.0 / 16.0).max(0.0), (at + 1.0 / 16.0).min(1.0));
    }

    /// Move the crosshair along an axis by whole voxels, around the periodic box.
    pub fn step(&mut self, axis: usize, voxels: i64, n: usize) {
        let voxel = (self.voxel(n)[axis] as i64 + voxels).rem_euclid(n as i64);
        self.crosshair[axis] = (voxel as f32 + 0.5) / n as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_box_keeps_colour_maps_and_not_their_limits() {
        let mut view = ViewState::default();
        let chosen = ColorScale { map: ColorMap::Viridis, ..Quantity::Matter.default_scale() };
        view.scales.insert(Quantity::Matter, chosen.with_ends(3.0, 7.0));
        view.pins.push([0.5; 3]);
        view.forget_box();
        assert_eq!(view.scale(Quantity::Matter), chosen);
        assert!(view.pins.is_empty());
    }

    #[test]
    fn steps_go_round_the_periodic_box() {
        let mut view = ViewState::default();
        view.step(2, 20, 32);
        assert_eq!(view.voxel(32), [16, 16, 4]);
        view.step(2, -5, 32);
        assert_eq!(view.voxel(32)[2], 31);
    }

    #[test]
    fn faces_of_the_shown_part_stay_apart_and_in_the_box() {
        // As thin as a file may bring it, in the middle and at both faces.
        for [low, high] in [[0.5, 0.501], [0.0, 0.002], [0.998, 1.0]] {
            for (side, to) in [(0, 0.7), (1, 0.3), (0, -1.0), (1, 2.0)] {
                let mut view = ViewState::default();
                (view.clip[0][2], view.clip[1][2]) = (low, high);
                view.move_face(side, 2, to);
                assert!(view.is_sound(), "{low} to {high}, face {side} to {to}: {:?}", view.clip);
            }
        }
        let mut view = ViewState::default();
        view.slab(2);
        view.move_face(0, 2, 0.9);
        assert!((view.clip[1][2] - view.clip[0][2] - THINNEST).abs() < 1e-6);
    }

    #[test]
    fn a_slab_moves_as_it_is_up_to_the_faces_of_the_box() {
        let mut view = ViewState::default();
        view.slab(1);
        for (by, middle) in [(0.2, 0.7), (5.0, 1.0 - 1.0 / 16.0), (-5.0, 1.0 / 16.0)] {
            view.move_slab(1, by);
            let [low, high] = [view.clip[0][1], view.clip[1][1]];
            assert!((0.5 * (low + high) - middle).abs() < 1e-5 && (high - low - 0.125).abs() < 1e-5);
        }
    }

    #[test]
    fn numbers_that_no_window_has_made_are_noticed() {
        assert!(ViewState::default().is_sound());
        let spoil: [fn(&mut ViewState); 8] = [
            |view| view.crosshair[1] = 3.0,
            |view| view.clip = [[1.0; 3], [0.0; 3]],
            |view| view.slices[0].zoom = 0.0,
            |view| view.thickness = usize::MAX,
            |view| view.camera.distance = f32::INFINITY,
            |view| view.camera.pitch = 90.0,
            |view| {
                view.scales.insert(Quantity::Matter, ColorScale { low: 2.0, ..ColorScale::symmetric(1.0) });
            },
            |view| view.band = Some([2.0, 1.0]),
        ];
        for (index, spoil) in spoil.into_iter().enumerate() {
            let mut view = ViewState::default();
            spoil(&mut view);
            assert!(!view.is_sound(), "number {index}");
        }
    }
}
