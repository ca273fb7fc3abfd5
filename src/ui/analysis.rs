//! What the window shows of fields beside their voxels, worked out in the background.

use std::collections::HashMap;
use std::sync::Arc;

use egui::Context;

use super::derived::Derived;
use super::subject::{FieldId, Source, Subject};
use super::view_state::{Compare, Quantity, ViewState};
use crate::field::Layer;
use crate::field::{Grid, band_pass};
use crate::pipeline::{FieldValues, JobId};
use crate::render::{ColorScale, Stretch};
use crate::stats::{
    CrossSpectrum, Histogram, PowerSpectrum, RegionStatistics, Seams, Verdict, cross_spectrum, mean_and_spread,
    normal_scores, power_spectrum, profile,
};

/// Bins of a histogram: more than a screen resolves of a colour bar.
const BINS: usize = 400;
/// Places along a line.
const SAMPLES: usize = 256;

/// A field and its version.
pub type Stamp = (FieldId, u64);

/// How the values of a field are spread.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Histogram over `axis`.
    pub histogram: Histogram,
    /// The range that it spans.
    pub axis: ColorScale,
    /// A range that shows what is there.
    pub suggested: [f32; 2],
}

impl Facts {
    fn new(grid: &Grid, quantity: Quantity, scale: ColorScale) -> Self {
        let (smallest, largest) = grid.range();
        // Matter is everywhere, haloes and hydrogen are not.
        let floor = if quantity == Quantity::Matter { 0.5 } else { 0.1 };
        let (low, high) = (grid.quantile(floor), grid.quantile(0.9995));
        let suggested = match quantity {
            Quantity::Difference | Quantity::Band => {
                let most = grid.quantile(0.0005).abs().max(high.abs()).max(1e-6);
                [-most, most]
            }
            _ => {
                let high = if high > 0.0 { high } else { largest.max(1e-6) };
                [low.clamp(high * 3e-4, high * 0.1), high]
            }
        };
        let bottom = match scale.stretch {
            // Empty voxels lie at minus infinity: five decades below the suggested range
            // are enough to see that they are there.
            Stretch::Log => smallest.max(suggested[0] * 1e-2).min(scale.low),
            _ => smallest.min(scale.low),
        };
        let axis = scale.with_ends(bottom, largest.max(scale.high));
        let histogram = Histogram::new(grid.as_slice(), BINS, |v| axis.place(v));
        Self { histogram, axis, suggested }
    }

    /// The range that leaves `share` of the voxels with a value above its low end, and as
    /// many times more above the high end as suits a field of few bright voxels.
    pub fn clip(&self, share: f64) -> [f32; 2] {
        let counts = &self.histogram.counts;
        let all: u64 = counts.iter().sum::<u64>().max(1);
        let at = |wanted: f64| {
            let mut sum = 0;
            let bin = counts.iter().position(|c| {
                sum += c;
                sum as f64 >= wanted * all as f64
            });
            self.axis.value(bin.unwrap_or(BINS) as f32 / BINS as f32)
        };
        let out = (1.0 - share) / 2.0;
        [at(out), at(1.0 - out)]
    }
}

/// Statistics of a region in the fields on show.
pub type RegionTable = Vec<(String, RegionStatistics)>;
/// Values along a line in the fields on show: name, distance in Mpc/h, value.
pub type ProfileTable = Vec<(String, Vec<[f64; 2]>)>;

/// The seams of a field on a lattice, and the normal scores that they were found in.
pub struct FoundSeams {
    /// The seams.
    pub seams: Seams,
    /// What they come to.
    pub verdict: Verdict,
    /// The scores.
    pub scores: Grid,
}

/// Everything worked out in the background.
#[derive(Default)]
pub struct Analysis {
    facts: Derived<(Stamp, Stretch, [u32; 2]), Facts>,
    opening: Derived<Stamp, Facts>,
    difference: Derived<[Stamp; 2], Grid>,
    bands: [Derived<(Stamp, [u64; 2]), Grid>; 2],
    coarser: [Derived<(Stamp, usize), Grid>; 2],
    cross: Derived<[Stamp; 2], Option<CrossSpectrum>>,
    seams: Derived<(Stamp, usize), crate::Result<FoundSeams>>,
    region: Derived<(Vec<Stamp>, [[u32; 3]; 2]), RegionTable>,
    line: Derived<(Vec<Stamp>, [[u32; 3]; 2]), ProfileTable>,
    copies: HashMap<FieldId, Derived<u64, Option<Arc<Grid>>>>,
    ensemble: Derived<JobId, [Arc<Grid>; 2]>,
    draws: Derived<JobId, Vec<PowerSpectrum>>,
    refit: bool,
    /// Counts what was computed: a version for what follows from a pair of fields.
    stamps: Vec<(Vec<Stamp>, u64)>,
}

impl Analysis {
    /// Another job: nothing of the old one remains.
    pub fn clear(&mut self) {
        *self = Self { stamps: std::mem::take(&mut self.stamps), ..Self::default() };
    }

    /// The user wants the range of the field on show fitted.
    pub fn refit(&mut self) {
        self.refit = true;
        self.opening.clear();
    }

    /// Whether they do.
    pub fn asked_to_fit(&self) -> bool {
        self.refit
    }

    /// That is done.
    pub fn fitted(&mut self) {
        self.refit = false;
    }

    /// Whether anything is being computed.
    pub fn is_pending(&self) -> bool {
        self.facts.is_pending()
            || self.opening.is_pending()
            || self.difference.is_pending()
            || self.bands.iter().any(Derived::is_pending)
            || self.coarser.iter().any(Derived::is_pending)
            || self.cross.is_pending()
            || self.seams.is_pending()
            || self.region.is_pending()
            || self.line.is_pending()
            || self.ensemble.is_pending()
            || self.draws.is_pending()
            || self.copies.values().any(Derived::is_pending)
    }

    /// The values of a field in the computer's own memory; those of a while ago where they
    /// come from the GPU and change.
    pub fn host(&mut self, ctx: &Context, of: &Source) -> Option<Arc<Grid>> {
        if let FieldValues::Host(grid) = &of.values {
            return Some(grid.clone());
        }
        let values = of.values.clone();
        let copy = self.copies.entry(of.id).or_default();
        let (_, grid) = copy.get(ctx, &of.version, move || grid_of(&values))?;
        (**grid).clone()
    }

    /// What `view` shows: one field, and one that it is compared with unless they were
    /// subtracted; filtered to the band that was chosen.
    pub fn shown(&mut self, ctx: &Context, subject: &Subject, view: &ViewState) -> Option<(Source, Option<Source>)> {
        let (mut shown, mut compared) = subject.pair(view)?;
        if let Some(spread) = subject.ensemble
            && view.layer == Layer::BrightnessTemperature
            && subject.step.is_none()
            && let Some(field) = self.ensemble(ctx, subject, spread)
        {
            shown = field;
        }
        if let Some(band) = view.band
            && let Some(filtered) = self.band(ctx, &shown, band, false)
        {
            shown = filtered;
            compared = compared.and_then(|c| self.band(ctx, &c, band, true));
        }
        if subject.comparing(view) == Compare::Residual
            && let Some(other) = &compared
            && let Some(difference) = self.difference(ctx, &shown, other)
        {
            return Some((difference, None));
        }
        Some((shown, compared))
    }

    fn ensemble(&mut self, ctx: &Context, subject: &Subject, spread: bool) -> Option<Source> {
        let maps = subject.outcome.as_ref()?.realisations.clone();
        if maps.len() < 2 {
            return None;
        }
        let (_, fields) = self.ensemble.get(ctx, &subject.job.job, move || {
            mean_and_spread(&maps.iter().map(|m| &**m).collect::<Vec<_>>()).map(Arc::new)
        })?;
        Some(Source {
            id: FieldId::Ensemble { spread },
            version: 1,
            values: FieldValues::Host(fields[usize::from(spread)].clone()),
            quantity: Quantity::Temperature,
            name: format!(
                "21 cm, {} {} realisations",
                if spread { "spread of" } else { "mean of" },
                subject.realisations()
            ),
            complete: true,
        })
    }

    /// The spectra of all realisations, where there are several.
    pub fn realisations(&mut self, ctx: &Context, subject: &Subject) -> Option<Arc<Vec<PowerSpectrum>>> {
        let maps = subject.outcome.as_ref()?.realisations.clone();
        if maps.len() < 2 {
            return None;
        }
        let compute = move || maps.iter().map(|map| power_spectrum(map, None)).collect();
        let (_, spectra) = self.draws.get(ctx, &subject.job.job, compute)?;
        Some(spectra.clone())
    }

    fn stamp(&mut self, of: Vec<Stamp>) -> u64 {
        if let Some((_, stamp)) = self.stamps.iter().find(|(key, _)| *key == of) {
            return *stamp;
        }
        let stamp = self.stamps.last().map_or(1, |(_, s)| s + 1);
        self.stamps.push((of, stamp));
        if self.stamps.len() > 64 {
            self.stamps.drain(..32);
        }
        stamp
    }

    fn difference(&mut self, ctx: &Context, shown: &Source, other: &Source) -> Option<Source> {
        let (a, b) = (self.host(ctx, shown)?, self.host(ctx, other)?);
        let key = [(shown.id, shown.version), (other.id, other.version)];
        let (key, grid) = self.difference.get(ctx, &key, move || a.minus(&b))?;
        let (key, grid) = (key.to_vec(), grid.clone());
        let quantity = if shown.quantity == Quantity::Band { Quantity::Band } else { Quantity::Difference };
        Some(Source {
            id: FieldId::Difference,
            version: self.stamp(key),
            values: FieldValues::Host(grid),
            quantity,
            name: format!("{} less {}", shown.name, lower_first(&other.name)),
            complete: shown.complete && other.complete,
        })
    }

    fn band(&mut self, ctx: &Context, of: &Source, band: [f64; 2], compared: bool) -> Option<Source> {
        let grid = self.host(ctx, of)?;
        let key = ((of.id, of.version), band.map(f64::to_bits));
        let (key, grid) = self.bands[usize::from(compared)].get(ctx, &key, move || band_pass(&grid, band))?;
        let (stamp, bits, grid) = (key.0, key.1, grid.clone());
        // Only what belongs to the band that is chosen: fields of two bands are no pair.
        if bits != band.map(f64::to_bits) {
            return None;
        }
        Some(Source {
            id: FieldId::Band { compared },
            version: self.stamp(vec![stamp, (FieldId::Band { compared }, bits[0] ^ bits[1].rotate_left(1))]),
            values: FieldValues::Host(grid),
            quantity: Quantity::Band,
            name: format!("{}, k = {:.2} to {:.2} h/Mpc", of.name, band[0], band[1]),
            complete: of.complete,
        })
    }

    /// A field on `m³` voxels, fewer than it has; an older version of it while it changes.
    pub fn coarser(&mut self, ctx: &Context, of: &Source, m: usize, compared: bool) -> Option<Source> {
        let grid = self.host(ctx, of)?;
        let n = grid.n();
        let key = ((of.id, of.version), m);
        let (key, grid) = self.coarser[usize::from(compared)].get(ctx, &key, move || grid.coarser(m))?;
        let (stamp, grid) = (key.0, grid.clone());
        if stamp.0 != of.id || grid.n() != m {
            return None;
        }
        Some(Source {
            id: FieldId::Coarser { compared },
            version: self.stamp(vec![stamp, (FieldId::Coarser { compared }, m as u64)]),
            values: FieldValues::Host(grid),
            name: format!("{}, drawn on {m}³ of {n}³ voxels", of.name),
            ..of.clone()
        })
    }

    /// How the values of a field are spread; of an older version of it while it changes.
    pub fn facts(&mut self, ctx: &Context, of: &Source, scale: ColorScale) -> Option<Arc<Facts>> {
        let grid = self.host(ctx, of)?;
        let quantity = of.quantity;
        let key = ((of.id, of.version), scale.stretch, [scale.low, scale.high].map(f32::to_bits));
        let (key, facts) = self.facts.get(ctx, &key, move || Facts::new(&grid, quantity, scale))?;
        (key.0.0 == of.id && key.1 == scale.stretch).then(|| facts.clone())
    }

    /// The range to show `of` in, found once.
    pub fn suggested(&mut self, ctx: &Context, of: &Source, scale: ColorScale) -> Option<[f32; 2]> {
        let grid = self.host(ctx, of)?;
        let quantity = of.quantity;
        let key = (of.id, of.version);
        let (have, facts) = self.opening.get(ctx, &key, move || Facts::new(&grid, quantity, scale))?;
        (*have == key).then_some(facts.suggested)
    }

    /// Prediction against reference: both spectra and the cross-power.
    pub fn cross(&mut self, ctx: &Context, subject: &Subject) -> Option<Arc<Option<CrossSpectrum>>> {
        let prediction = subject.field(FieldId::Layer(Layer::BrightnessTemperature))?;
        let reference = subject.field(FieldId::Layer(Layer::Reference))?;
        let (a, b) = (self.host(ctx, &prediction)?, self.host(ctx, &reference)?);
        let key = [(prediction.id, prediction.version), (reference.id, reference.version)];
        let spectra = self.cross.get(ctx, &key, move || cross_spectrum([&a, &b], [None, None]).ok())?;
        Some(spectra.1.clone())
    }

    /// Seams of a field with tiles of `tile` voxels an axis.
    pub fn seams(&mut self, ctx: &Context, of: &Source, tile: usize) -> Option<Arc<crate::Result<FoundSeams>>> {
        let grid = self.host(ctx, of)?;
        let key = ((of.id, of.version), tile);
        let (have, found) = self.seams.get(ctx, &key, move || {
            let scores = normal_scores(&grid)?;
            let seams = Seams::from_scores(&scores, &grid, tile)?;
            Ok(FoundSeams { verdict: seams.verdict(1.0), seams, scores })
        })?;
        (*have == key).then(|| found.clone())
    }

    /// Statistics of a region, corners in the unit cube, in `fields`.
    pub fn region(&mut self, ctx: &Context, fields: &[Source], corners: [[f32; 3]; 2]) -> Option<Arc<RegionTable>> {
        let grids: Vec<_> = fields.iter().filter_map(|f| Some((f.name.clone(), f.host()?.clone()))).collect();
        let key = (stamps(fields), corners.map(|c| c.map(f32::to_bits)));
        let (_, table) = self.region.get(ctx, &key, move || {
            grids
                .into_iter()
                .filter_map(|(name, grid)| {
                    let n = grid.n();
                    // It may go on beyond the faces of the periodic box.
                    let voxel = |p: f32| (p * n as f32) as usize;
                    let origin = corners[0].map(|p| voxel(p).min(n - 1));
                    let size = [0, 1, 2].map(|i| (voxel(corners[1][i]).saturating_sub(origin[i]) + 1).min(n));
                    Some((name, RegionStatistics::new(&grid, origin, size)?))
                })
                .collect()
        })?;
        Some(table.clone())
    }

    /// Values along a line, ends in the unit cube, in `fields`.
    pub fn profile(&mut self, ctx: &Context, fields: &[Source], ends: [[f32; 3]; 2]) -> Option<Arc<ProfileTable>> {
        let grids: Vec<_> = fields.iter().filter_map(|f| Some((f.name.clone(), f.host()?.clone()))).collect();
        let key = (stamps(fields), ends.map(|c| c.map(f32::to_bits)));
        let (_, table) = self.line.get(ctx, &key, move || {
            grids
                .into_iter()
                .map(|(name, grid)| {
                    let place = |p: [f32; 3]| p.map(|v| f64::from(v) * grid.box_size);
                    (name, profile(&grid, place(ends[0]), place(ends[1]), SAMPLES))
                })
                .collect()
        })?;
        Some(table.clone())
    }
}

/// Values in the computer's own memory; `None` where the device was lost.
pub(super) fn grid_of(values: &FieldValues) -> Option<Arc<Grid>> {
    match values {
        FieldValues::Host(grid) => Some(grid.clone()),
        FieldValues::Device { values, box_size } => {
            let values = crate::device::host(values.clone()).ok()?;
            Some(Arc::new(Grid::from_values(values, *box_size)))
        }
    }
}

fn stamps(fields: &[Source]) -> Vec<Stamp> {
    fields.iter().map(|f| (f.id, f.version)).collect()
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}
