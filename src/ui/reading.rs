//! Fields whose values are read: under the cursor, at pins, in a region, along a line.

use super::subject::{FieldId, Source, short_name};
use super::view_state::Quantity;
use crate::stats::{RegionStatistics, profile};

/// A field whose values are in the computer's own memory, or how it differs from another one.
#[derive(Clone)]
pub struct Reading {
    /// The field.
    pub source: Source,
    /// What is subtracted from it, voxel by voxel.
    pub less: Option<Source>,
}

impl Reading {
    /// The field as it is.
    pub fn of(source: Source) -> Self {
        Self { source, less: None }
    }

    /// What it is, for the screen.
    pub fn name(&self) -> String {
        self.less.as_ref().map_or_else(|| self.source.name.clone(), |other| less(&self.source, other))
    }

    /// The same in a word or two.
    pub fn short_name(&self) -> String {
        if self.less.is_some() {
            return "Δ".to_owned();
        }
        match self.source.id {
            FieldId::Layer(layer) => short_name(layer).0,
            FieldId::Run(number) => format!("run {number}"),
            FieldId::Realisation(index) => format!("realisation {}", index + 1),
            FieldId::Ensemble { spread: false } => "mean of all".to_owned(),
            FieldId::Ensemble { spread: true } => "spread of all".to_owned(),
            FieldId::Step { latent: false, .. } => "estimate".to_owned(),
            FieldId::Step { latent: true, .. } => "latent".to_owned(),
            FieldId::Band { compared: false } => "band".to_owned(),
            FieldId::Band { compared: true } => "its band".to_owned(),
            FieldId::Difference | FieldId::Coarser { .. } => self.source.name.clone(),
        }
    }

    /// What its values are.
    pub fn quantity(&self) -> Quantity {
        match (self.source.quantity, &self.less) {
            (Quantity::Temperature, Some(_)) => Quantity::Difference,
            (quantity, _) => quantity,
        }
    }

    /// Unit of its values; empty for a ratio.
    pub fn unit(&self) -> &'static str {
        match self.source.quantity {
            Quantity::Matter | Quantity::MatterBand => "",
            quantity => quantity.unit(),
        }
    }

    /// The fields that it takes, with their versions.
    pub fn stamps(&self) -> impl Iterator<Item = (FieldId, u64)> {
        std::iter::once(&self.source).chain(&self.less).map(|source| (source.id, source.version))
    }

    /// Whether its voxels change no more.
    pub fn is_complete(&self) -> bool {
        self.source.complete && self.less.as_ref().is_none_or(|less| less.complete)
    }

    /// Its value at a place in the unit cube, periodic beyond it.
    pub fn at(&self, place: [f32; 3]) -> f32 {
        let n = self.source.n();
        self.voxel(place.map(|p| ((p.rem_euclid(1.0) * n as f32) as usize).min(n - 1)))
    }

    fn voxel(&self, voxel: [usize; 3]) -> f32 {
        let of = |source: &Source| source.host().map_or(f32::NAN, |grid| grid.values[voxel]);
        of(&self.source) - self.less.as_ref().map_or(0.0, of)
    }

    /// Its statistics between two corners in the unit cube; `None` where no voxel has a value.
    pub fn region(&self, corners: [[f32; 3]; 2]) -> Option<RegionStatistics> {
        let n = self.source.n();
        // It may go on beyond the faces of the periodic box.
        let voxel = |p: f32| (p * n as f32) as usize;
        let origin = corners[0].map(|p| voxel(p).min(n - 1));
        let size = [0, 1, 2].map(|i| (voxel(corners[1][i]).saturating_sub(origin[i]) + 1).min(n));
        RegionStatistics::of(n, |at| self.voxel(at), origin, size)
    }

    /// Its values at `samples` places along a line, ends in the unit cube: distances in Mpc/h, and
    /// values.
    pub fn profile(&self, ends: [[f32; 3]; 2], samples: usize) -> Vec<[f64; 2]> {
        let of = |source: &Source| {
            let grid = source.host()?;
            let [start, end] = ends.map(|end| end.map(|p| f64::from(p) * grid.box_size));
            Some(profile(grid, start, end, samples))
        };
        let mut points = of(&self.source).unwrap_or_default();
        if let Some(less) = self.less.as_ref().and_then(of) {
            points.iter_mut().zip(less).for_each(|(point, other)| point[1] -= other[1]);
        }
        points
    }
}

/// What a field less another one is called.
pub fn less(of: &Source, other: &Source) -> String {
    let mut characters = other.name.chars();
    let first = characters.next().into_iter().flat_map(char::to_lowercase);
    format!("{} less {}", of.name, first.chain(characters).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::field::{Grid, Layer};
    use crate::pipeline::FieldValues;

    #[test]
    fn a_difference_is_read_as_fields_are() {
        let ramp = |slope: f32| {
            let mut grid = Grid::zeros(8, 16.0);
            grid.values.indexed_iter_mut().for_each(|((x, ..), v)| *v = slope * x as f32);
            Arc::new(grid)
        };
        let source = |layer: Layer, slope: f32| Source {
            id: FieldId::Layer(layer),
            version: 3,
            values: FieldValues::Host(ramp(slope)),
            quantity: Quantity::of(layer),
            name: layer.name(),
            complete: true,
        };
        let (map, reference) = (source(Layer::BrightnessTemperature, 3.0), source(Layer::Reference, 1.0));
        let reading = Reading { source: map.clone(), less: Some(reference) };
        assert_eq!(reading.at([0.4, 0.9, 0.1]), 6.0);
        assert_eq!(Reading::of(map).at([0.4 - 2.0, 0.9, 0.1]), 9.0);
        assert_eq!(reading.name(), "21 cm brightness temperature less 21 cm reference");
        assert_eq!((reading.quantity(), reading.unit()), (Quantity::Difference, "mK"));
        let region = reading.region([[0.0; 3], [0.3, 0.3, 0.3]]).unwrap();
        assert_eq!((region.voxels, region.largest), (27, 4.0));
        let line = reading.profile([[0.0; 3], [0.99, 0.0, 0.0]], 5);
        assert_eq!(line.iter().map(|p| p[1]).collect::<Vec<_>>(), [0.0, 2.0, 6.0, 10.0, 14.0]);
    }
}
