//! What the window shows of fields beside their voxels, worked out in the background.

use std::collections::HashMap;
use std::sync::Arc;

use egui::Context;

use super::derived::Derived;
use super::reading::{Reading, less};
use super::subject::{FieldId, LAYERS, Source, Subject};
use super::view_state::{Compare, Quantity, ViewState};
use crate::field::Layer;
use crate::field::{Grid, band_pass};
use crate::pipeline::{FieldValues, JobId};
use crate::render::{ColorScale, Stretch};
use crate::stats::{
    CrossSpectrum, Histogram, PowerSpectrum, RegionStatistics, Seams, Verdict, cross_spectrum, mean_and_spread,
    normal_scores, power_spectrum,
};

/// Bins of a histogram: more than a screen resolves of a colour bar.
const BINS: usize = 400;
/// Places along a line.
const SAMPLES: usize = 256;

/// A field and its version.
pub type Stamp = (FieldId, u64);

/// A field, a band of wavenumbers as bits, and the name of the field in the band.
type BandKey = (Stamp, [u64; 2], String);

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
            quantity if quantity == Quantity::Difference || quantity.is_band() => {
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

    /// The range that keeps `share` of the voxels with a value, and leaves as many below as above;
    /// the end of the histogram where they lie beyond it.
    pub fn clip(&self, share: f64) -> [f32; 2] {
        let Histogram { counts, below, above, .. } = &self.histogram;
        let all = (below + above + counts.iter().sum::<u64>()) as f64;
        let out = (1.0 - share) / 2.0 * all;
        // How many bins hold, with what lies beyond them, at most the voxels to leave out.
        let left_out = |beyond: u64, bins: &mut dyn Iterator<Item = &u64>| {
            let mut sum = beyond;
            let fits = |count: &&u64| {
                sum += **count;
                sum as f64 <= out
            };
            bins.take_while(fits).count() as f32 / counts.len() as f32
        };
        let (low, high) = (left_out(*below, &mut counts.iter()), left_out(*above, &mut counts.iter().rev()));
        [self.axis.value(low), self.axis.value(1.0 - high)]
    }
}

/// What was worked out of a field, and what the field is.
pub struct Measured<T> {
    /// Which one; of a difference the first.
    pub id: FieldId,
    /// Its name.
    pub name: String,
    /// Unit of its values.
    pub unit: &'static str,
    /// What was worked out.
    pub found: T,
}

/// Statistics of a region, a field each.
pub type RegionTable = Vec<Measured<RegionStatistics>>;
/// Values along a line, a field each: distances in Mpc/h, and values.
pub type ProfileTable = Vec<Measured<Vec<[f64; 2]>>>;

/// The seams of a field on a lattice, and the normal scores that they were found in.
pub struct FoundSeams {
    /// The seams.
    pub seams: Seams,
    /// What they come to.
    pub verdict: Verdict,
    /// The scores.
    pub scores: Grid,
}

/// A field of the GPU in the computer's own memory.
#[derive(Default)]
struct Copied {
    grid: Derived<u64, Option<Arc<Grid>>>,
    /// The frame in which it was asked for last.
    asked: u64,
}

/// Everything worked out in the background.
#[derive(Default)]
pub struct Analysis {
    facts: Derived<(Stamp, Stretch, [u32; 2]), Facts>,
    opening: Derived<Stamp, Facts>,
    /// With its name, which tells what it is of.
    difference: Derived<([Stamp; 2], String), Grid>,
    bands: [Derived<BandKey, Grid>; 2],
    coarser: [Derived<(Stamp, usize), Grid>; 2],
    cross: Derived<[Stamp; 2], Option<CrossSpectrum>>,
    seams: Derived<(Stamp, usize), crate::Result<FoundSeams>>,
    region: Derived<(Vec<Stamp>, [[u32; 3]; 2]), RegionTable>,
    line: Derived<(Vec<Stamp>, [[u32; 3]; 2]), ProfileTable>,
    copies: HashMap<FieldId, Copied>,
    /// Counts frames, to know which copies are still asked for.
    frame: u64,
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
            || self.copies.values().any(|copied| copied.grid.is_pending())
    }

    /// A field with its values in the computer's own memory; an older version of it where they come
    /// from the GPU and change.
    fn host(&mut self, ctx: &Context, of: &Source) -> Option<(Source, Arc<Grid>)> {
        if let FieldValues::Host(grid) = &of.values {
            return Some((of.clone(), grid.clone()));
        }
        let values = of.values.clone();
        let copied = self.copies.entry(of.id).or_default();
        copied.asked = self.frame;
        let (&version, grid) = copied.grid.get(ctx, &of.version, !of.complete, move || grid_of(&values))?;
        let grid = (**grid).clone()?;
        let complete = of.complete && version == of.version;
        Some((Source { version, values: FieldValues::Host(grid.clone()), complete, ..of.clone() }, grid))
    }

    /// What `view` shows: one field, and one that it is compared with unless they were
    /// subtracted; filtered to the band that was chosen.
    pub fn shown(&mut self, ctx: &Context, subject: &Subject, view: &ViewState) -> Option<(Source, Option<Source>)> {
        self.begin_frame();
        let pair = self.pair(ctx, subject, view)?;
        let (shown, compared) = self.filtered(ctx, pair, view);
        if subject.comparing(view) == Compare::Residual
            && let Some(other) = &compared
            && let Some(difference) = self.difference(ctx, &shown, other)
        {
            return Some((difference, None));
        }
        Some((shown, compared))
    }

    fn begin_frame(&mut self) {
        // Copies that nobody asked for in the last frame are in the way.
        self.copies.retain(|_, copied| copied.asked == self.frame);
        self.frame += 1;
        self.copies.values_mut().for_each(|copied| copied.grid.begin_frame());
        self.facts.begin_frame();
        self.opening.begin_frame();
        self.difference.begin_frame();
        self.bands.iter_mut().for_each(Derived::begin_frame);
        self.coarser.iter_mut().for_each(Derived::begin_frame);
        self.cross.begin_frame();
        self.seams.begin_frame();
        self.region.begin_frame();
        self.line.begin_frame();
        self.ensemble.begin_frame();
        self.draws.begin_frame();
    }

    /// What is read at the probe, at pins, in a region and along a line: what `view` shows, what it
    /// is compared with, their difference, and the other layers. No field twice.
    pub fn readings(&mut self, ctx: &Context, subject: &Subject, view: &ViewState) -> Vec<Reading> {
        let mut readings = Vec::new();
        if let Some(pair) = self.pair(ctx, subject, view) {
            let filtered = view.band.map(|_| self.filtered(ctx, pair.clone(), view));
            let filtered = filtered.filter(|(shown, _)| shown.id != pair.0.id);
            for (shown, compared) in filtered.into_iter().chain([pair]) {
                let shown = self.host(ctx, &shown).map(|(source, _)| source);
                let compared = compared.and_then(|compared| self.host(ctx, &compared)).map(|(source, _)| source);
                readings.extend(shown.iter().chain(&compared).cloned().map(Reading::of));
                readings.extend(shown.zip(compared).map(|(source, less)| Reading { source, less: Some(less) }));
            }
        }
        for layer in LAYERS.into_iter().filter(|layer| *layer != Layer::Latent) {
            let id = FieldId::Layer(layer);
            if readings.iter().any(|reading| reading.source.id == id && reading.less.is_none()) {
                continue;
            }
            let source = subject.field(id).and_then(|source| self.host(ctx, &source));
            readings.extend(source.map(|(source, _)| Reading::of(source)));
        }
        readings
    }

    /// What `view` shows and what it is compared with, neither filtered nor subtracted.
    fn pair(&mut self, ctx: &Context, subject: &Subject, view: &ViewState) -> Option<(Source, Option<Source>)> {
        let (shown, compared) = subject.pair(view)?;
        if let Some(spread) = subject.ensemble
            && view.layer == Layer::BrightnessTemperature
            && subject.step.is_none()
            && let Some(field) = self.ensemble(ctx, subject, spread)
        {
            return Some((field, compared));
        }
        Some((shown, compared))
    }

    /// The same, filtered to the band that was chosen once that is there.
    fn filtered(
        &mut self,
        ctx: &Context,
        (shown, compared): (Source, Option<Source>),
        view: &ViewState,
    ) -> (Source, Option<Source>) {
        if let Some(band) = view.band
            && let Some(filtered) = self.band(ctx, &shown, band, false)
        {
            return (filtered, compared.and_then(|compared| self.band(ctx, &compared, band, true)));
        }
        (shown, compared)
    }

    fn ensemble(&mut self, ctx: &Context, subject: &Subject, spread: bool) -> Option<Source> {
        let maps = subject.outcome.as_ref()?.realisations.clone();
        if maps.len() < 2 {
            return None;
        }
        let (_, fields) = self.ensemble.get(ctx, &subject.job.job, false, move || {
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
        let (_, spectra) = self.draws.get(ctx, &subject.job.job, false, compute)?;
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
        let ((shown, a), (other, b)) = (self.host(ctx, shown)?, self.host(ctx, other)?);
        let complete = shown.complete && other.complete;
        let name = less(&shown, &other);
        let key = ([(shown.id, shown.version), (other.id, other.version)], name.clone());
        let (key, grid) = self.difference.get(ctx, &key, !complete, move || a.minus(&b))?;
        // Of two other fields: nothing to show under the name of these.
        if key.1 != name {
            return None;
        }
        let (key, grid) = (key.0.to_vec(), grid.clone());
        Some(Source {
            id: FieldId::Difference,
            version: self.stamp(key),
            values: FieldValues::Host(grid),
            quantity: if shown.quantity.is_band() { shown.quantity } else { Quantity::Difference },
            name,
            complete,
        })
    }

    fn band(&mut self, ctx: &Context, of: &Source, band: [f64; 2], compared: bool) -> Option<Source> {
        let (of, grid) = self.host(ctx, of)?;
        let name = format!("{}, k = {:.2} to {:.2} h/Mpc", of.name, band[0], band[1]);
        let key = ((of.id, of.version), band.map(f64::to_bits), name.clone());
        let (key, grid) =
            self.bands[usize::from(compared)].get(ctx, &key, !of.complete, move || band_pass(&grid, band))?;
        let (stamp, bits, grid) = (key.0, key.1, grid.clone());
        // Only what belongs to this field and this band: fields of two bands are no pair.
        if bits != band.map(f64::to_bits) || key.2 != name {
            return None;
        }
        Some(Source {
            id: FieldId::Band { compared },
            version: self.stamp(vec![stamp, (FieldId::Band { compared }, bits[0] ^ bits[1].rotate_left(1))]),
            values: FieldValues::Host(grid),
            quantity: of.quantity.band(),
            name,
            complete: of.complete && stamp == (of.id, of.version),
        })
    }

    /// A field on `m³` voxels, fewer than it has; an older version of it while it changes.
    pub fn coarser(&mut self, ctx: &Context, of: &Source, m: usize, compared: bool) -> Option<Source> {
        let (of, grid) = self.host(ctx, of)?;
        let n = grid.n();
        let key = ((of.id, of.version), m);
        let live = !of.complete;
        let (key, grid) = self.coarser[usize::from(compared)].get(ctx, &key, live, move || grid.coarser(m))?;
        let (stamp, grid) = (key.0, grid.clone());
        if stamp.0 != of.id || grid.n() != m {
            return None;
        }
        Some(Source {
            id: FieldId::Coarser { compared },
            version: self.stamp(vec![stamp, (FieldId::Coarser { compared }, m as u64)]),
            values: FieldValues::Host(grid),
            name: format!("{}, drawn on {m}³ of {n}³ voxels", of.name),
            ..of
        })
    }

    /// How the values of a field are spread; of an older version of it while it changes.
    pub fn facts(&mut self, ctx: &Context, of: &Source, scale: ColorScale) -> Option<Arc<Facts>> {
        let (of, grid) = self.host(ctx, of)?;
        let quantity = of.quantity;
        let key = ((of.id, of.version), scale.stretch, [scale.low, scale.high].map(f32::to_bits));
        let compute = move || Facts::new(&grid, quantity, scale);
        let (key, facts) = self.facts.get(ctx, &key, !of.complete, compute)?;
        (key.0.0 == of.id && key.1 == scale.stretch).then(|| facts.clone())
    }

    /// The range to show `of` in, found once.
    pub fn suggested(&mut self, ctx: &Context, of: &Source, scale: ColorScale) -> Option<[f32; 2]> {
        let (of, grid) = self.host(ctx, of)?;
        let quantity = of.quantity;
        let key = (of.id, of.version);
        let compute = move || Facts::new(&grid, quantity, scale);
        let (have, facts) = self.opening.get(ctx, &key, !of.complete, compute)?;
        // A field that is being made may be another one again before it is known.
        (*have == key || (!of.complete && have.0 == of.id)).then_some(facts.suggested)
    }

    /// Two fields whose power is compared: what `view` shows and what it is compared with, or else
    /// prediction and reference; the reference is always the second.
    pub fn against(&mut self, ctx: &Context, subject: &Subject, view: &ViewState) -> Option<[Source; 2]> {
        let [map, reference] = [Layer::BrightnessTemperature, Layer::Reference].map(FieldId::Layer);
        let [first, second] = match self.pair(ctx, subject, view) {
            Some((shown, Some(compared))) => [shown, compared],
            _ => [subject.field(map)?, subject.field(reference)?],
        };
        Some(if first.id == reference { [second, first] } else { [first, second] })
    }

    /// Both spectra of two fields and their cross-power, of older versions while they change.
    pub fn cross(&mut self, ctx: &Context, [first, second]: &[Source; 2]) -> Option<Arc<Option<CrossSpectrum>>> {
        let ((first, a), (second, b)) = (self.host(ctx, first)?, self.host(ctx, second)?);
        let key = [(first.id, first.version), (second.id, second.version)];
        let live = !(first.complete && second.complete);
        let compute = move || cross_spectrum([&a, &b], [None, None]).ok();
        let (have, spectra) = self.cross.get(ctx, &key, live, compute)?;
        (have.map(|(id, _)| id) == [first.id, second.id]).then(|| spectra.clone())
    }

    /// Seams of a field with tiles of `tile` voxels an axis.
    pub fn seams(&mut self, ctx: &Context, of: &Source, tile: usize) -> Option<Arc<crate::Result<FoundSeams>>> {
        let (of, grid) = self.host(ctx, of)?;
        let key = ((of.id, of.version), tile);
        let (have, found) = self.seams.get(ctx, &key, !of.complete, move || {
            let scores = normal_scores(&grid)?;
            let seams = Seams::from_scores(&scores, &grid, tile)?;
            Ok(FoundSeams { verdict: seams.verdict(1.0), seams, scores })
        })?;
        (*have == key).then(|| found.clone())
    }

    /// Statistics of a region, corners in the unit cube, in `readings`.
    pub fn region(&mut self, ctx: &Context, readings: &[Reading], corners: [[f32; 3]; 2]) -> Option<Arc<RegionTable>> {
        let key = (stamps(readings), corners.map(|c| c.map(f32::to_bits)));
        let (live, readings) = (is_live(readings), readings.to_vec());
        let (_, table) = self.region.get(ctx, &key, live, move || {
            readings.iter().filter_map(|reading| Some(measured(reading, reading.region(corners)?))).collect()
        })?;
        Some(table.clone())
    }

    /// Values along a line, ends in the unit cube, in `readings`.
    pub fn profile(&mut self, ctx: &Context, readings: &[Reading], ends: [[f32; 3]; 2]) -> Option<Arc<ProfileTable>> {
        let key = (stamps(readings), ends.map(|c| c.map(f32::to_bits)));
        let (live, readings) = (is_live(readings), readings.to_vec());
        let (_, table) = self.line.get(ctx, &key, live, move || {
            readings.iter().map(|reading| measured(reading, reading.profile(ends, SAMPLES))).collect()
        })?;
        Some(table.clone())
    }
}

fn measured<T>(reading: &Reading, found: T) -> Measured<T> {
    Measured { id: reading.source.id, name: reading.name(), unit: reading.unit(), found }
}

fn is_live(readings: &[Reading]) -> bool {
    readings.iter().any(|reading| !reading.is_complete())
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

fn stamps(readings: &[Reading]) -> Vec<Stamp> {
    readings.iter().flat_map(Reading::stamps).collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::render::ColorMap;

    fn source(layer: Layer, version: u64, values: FieldValues) -> Source {
        let (id, quantity) = (FieldId::Layer(layer), Quantity::of(layer));
        Source { id, version, values, quantity, name: layer.name(), complete: true }
    }

    fn filled(value: f32) -> FieldValues {
        FieldValues::Host(Arc::new(Grid::zeros(8, 10.0).map(|_| value)))
    }

    fn value_of(source: &Source) -> f32 {
        source.host().expect("on the host").values[[0; 3]]
    }

    /// Ask, frame after frame, until there is an answer.
    fn wait<T>(mut ask: impl FnMut() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = ask() {
                return found;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it never comes");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_difference_and_a_band_never_stand_under_the_name_of_other_fields() {
        let (ctx, mut analysis) = (Context::default(), Analysis::default());
        let [map, reference] = [(Layer::BrightnessTemperature, 5.0), (Layer::Reference, 2.0)]
            .map(|(layer, value)| source(layer, 1, filled(value)));
        let mean = source(Layer::ConditionalMean, 1, filled(4.0));
        let first = wait(|| analysis.difference(&ctx, &map, &reference));
        assert_eq!(value_of(&first), 3.0);
        assert!(analysis.difference(&ctx, &mean, &reference).is_none());
        let second = wait(|| analysis.difference(&ctx, &mean, &reference));
        assert_eq!((value_of(&second), second.name.starts_with("21 cm conditional mean less")), (2.0, true));
        assert_ne!(first.version, second.version);

        let band = [0.5, 2.0];
        let filtered = wait(|| analysis.band(&ctx, &map, band, false));
        assert!(filtered.name.starts_with(&map.name) && filtered.quantity.is_band());
        assert!(analysis.band(&ctx, &reference, band, false).is_none());
        assert!(wait(|| analysis.band(&ctx, &reference, band, false)).name.starts_with(&reference.name));
        let matter = source(Layer::DarkMatter, 1, filled(1.0));
        assert_ne!(wait(|| analysis.band(&ctx, &matter, band, false)).quantity, filtered.quantity);
    }

    #[test]
    fn what_follows_from_a_field_is_of_its_newest_version_in_the_end() {
        let (ctx, mut analysis) = (Context::default(), Analysis::default());
        let device = |value: f32| {
            let values = burn::tensor::Tensor::<3>::full([8; 3], value, &Default::default());
            FieldValues::Device { values, box_size: 10.0 }
        };
        let reference = source(Layer::Reference, 1, filled(2.0));
        for (version, value) in [(1, 5.0), (2, 7.0)] {
            let map = source(Layer::BrightnessTemperature, version, device(value));
            let newest = || analysis.difference(&ctx, &map, &reference).filter(|d| value_of(d) == value - 2.0);
            assert!(wait(newest).complete);
        }
        // What nobody asks for is not kept.
        assert_eq!(analysis.copies.len(), 1);
        let (subject, view) = (Subject::default(), ViewState::default());
        (0..2).for_each(|_| _ = analysis.shown(&ctx, &subject, &view));
        assert!(analysis.copies.is_empty());
    }

    #[test]
    fn presets_count_what_lies_beyond_the_histogram() {
        let mut grid = Grid::zeros(10, 1.0);
        // A tenth is empty, beyond any logarithm; the rest lies in even shares of 1 to 10.
        grid.as_slice_mut().iter_mut().enumerate().for_each(|(i, v)| *v = (i % 10) as f32 * (1.0 + i as f32 * 1e-6));
        grid.as_slice_mut()[..5].fill(f32::NAN);
        let scale = ColorScale::log(0.5, 20.0, ColorMap::Inferno);
        let facts = Facts::new(&grid, Quantity::Temperature, scale);
        assert_eq!(facts.histogram.missing, 5);
        for share in [0.5, 0.7] {
            let [low, high] = facts.clip(share);
            let kept = grid.as_slice().iter().filter(|v| (low..=high).contains(*v)).count() as f64 / 995.0;
            assert!((kept - share).abs() < 0.11, "{kept} of {share}: {low} to {high}");
            let below = grid.as_slice().iter().filter(|v| **v < low).count() as f64 / 995.0;
            assert!((below - (1.0 - share) / 2.0).abs() < 0.11, "{below} below {low}");
        }
        // More is empty than is to be left out: everything that has a place is kept.
        assert!(facts.clip(0.95)[0] <= 1.0);
    }
}
