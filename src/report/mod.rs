//! What a finished job leaves behind: the map, the spectra as a table, two
//! figures and a report, all with their provenance.

mod canvas;
mod evaluation;
mod evaluation_table;
mod figure;
mod seams;
mod slices;
mod spectra;
mod stitching;
mod training;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use evaluation::write_evaluation_figures;
pub use evaluation_table::evaluation_table;
pub use figure::FigureFiles;
pub use seams::{SeamsReport, write_seams_figure};
pub use slices::write_slices_figure;
pub use spectra::write_spectrum_figure;
pub use stitching::{stitching_table, write_stitching_figure};
pub use training::write_training_figure;

use crate::error::Result;
use crate::field::{Cosmology, Layer};
use crate::figure::{Format, PROGRAM};
use crate::io::{MapHeader, SpectrumTable, atomic, map, write_map, write_spectra};
use crate::pipeline::{FrameTimes, JobConfig, Outcome, Series, Source};
use crate::predict::Stage;
use crate::stats::PowerSpectrum;

/// Agreement that is asked for: the power within 10 % of the reference's.
const TOLERANCE: f64 = 0.1;

/// `report.json`: what was done, with what, and what came out.
#[derive(Debug, Serialize)]
pub struct Report<'a> {
    /// Name and version of the program.
    pub program: String,
    /// The configuration.
    pub config: &'a JobConfig,
    /// Redshift.
    pub redshift: f64,
    /// Cosmology.
    pub cosmology: Cosmology,
    /// The device that ran the networks.
    pub device: Option<&'a str>,
    /// Why that device was chosen.
    pub device_reason: Option<&'a str>,
    /// What the reference is.
    pub reference: Option<&'a str>,
    /// The weights.
    pub weights: &'a [String],
    /// Seconds per stage.
    pub seconds: &'a [(Stage, f64)],
    /// Times between frames of the window, where there was one.
    pub frame_times_ms: Option<FrameTimes>,
    /// Warnings.
    pub warnings: &'a [String],
    /// The fields, by their names in `map.hdf5`.
    pub fields: BTreeMap<String, FieldSummary>,
    /// The spectra, by name.
    pub spectra: BTreeMap<String, &'a PowerSpectrum>,
    /// Prediction against reference, where there is one.
    pub comparison: Option<Comparison>,
}

/// A field in numbers.
#[derive(Debug, Clone, Serialize)]
pub struct FieldSummary {
    /// Unit of the values.
    pub units: String,
    /// Voxels per axis.
    pub voxels_per_axis: usize,
    /// Comoving side of the box in Mpc/h.
    pub box_size_mpc_h: f64,
    /// Mean over the box.
    pub mean: f64,
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
}

/// The spectrum of the prediction against that of the reference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Mean wavenumber per shell in h/Mpc, up to the Nyquist wavenumber.
    pub k: Vec<f64>,
    /// `P/P_ref` per shell.
    pub power_ratio: Vec<f64>,
    /// Mean of `|P/P_ref − 1|` over the shells.
    pub mean_deviation: f64,
    /// The largest wavenumber up to which every shell is within 10 %; 0 if the
    /// first is not.
    pub within_ten_percent_to_k: f64,
}

impl Comparison {
    /// Compare two spectra over the same shells.
    pub fn new(prediction: &PowerSpectrum, reference: &PowerSpectrum) -> Self {
        let shells = prediction.complete_shells().min(reference.complete_shells());
        let k = prediction.k[..shells].to_vec();
        let power_ratio: Vec<f64> = (0..shells).map(|i| prediction.power[i] / reference.power[i]).collect();
        let mean_deviation = power_ratio.iter().map(|r| (r - 1.0).abs()).sum::<f64>() / shells.max(1) as f64;
        let good = power_ratio.iter().take_while(|r| (**r - 1.0).abs() <= TOLERANCE).count();
        let within_ten_percent_to_k = good.checked_sub(1).map_or(0.0, |last| k[last]);
        Self { k, power_ratio, mean_deviation, within_ten_percent_to_k }
    }
}

impl<'a> Report<'a> {
    /// The report of a finished job.
    pub fn new(outcome: &'a Outcome) -> Self {
        let fields = outcome.fields.iter().map(|(&layer, grid)| {
            let (min, max) = grid.range();
            let summary = FieldSummary {
                units: layer.unit().to_owned(),
                voxels_per_axis: grid.n(),
                box_size_mpc_h: grid.box_size,
                mean: grid.mean(),
                min,
                max,
            };
            (map::dataset_name(layer), summary)
        });
        let spectrum = |series| outcome.spectra.get(&series);
        Self {
            program: PROGRAM.to_owned(),
            config: &outcome.config,
            redshift: outcome.opened.redshift,
            cosmology: outcome.opened.cosmology,
            device: outcome.device.as_ref().map(|device| device.name.as_str()),
            device_reason: outcome.device.as_ref().map(|device| device.reason.as_str()),
            reference: outcome.opened.reference.as_deref(),
            weights: &outcome.weights,
            seconds: &outcome.seconds,
            frame_times_ms: outcome.frame_times,
            warnings: &outcome.warnings,
            fields: fields.collect(),
            spectra: outcome.spectra.iter().map(|(series, spectrum)| (series.name(), spectrum)).collect(),
            comparison: spectrum(Series::Prediction)
                .zip(spectrum(Series::Reference))
                .map(|(prediction, reference)| Comparison::new(prediction, reference)),
        }
    }
}

/// Where a job's result came from, as one line for captions and tables.
pub fn provenance_line(outcome: &Outcome) -> String {
    let source = match &outcome.config.source {
        Source::Demo => "embedded demo".to_owned(),
        Source::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let grid =
        outcome.fields.values().next().map_or(String::new(), |g| format!(", {}³ in {} Mpc/h", g.n(), g.box_size));
    format!(
        "{}: {source}, z = {:.3}{grid}, seed {}, {} steps.",
        PROGRAM, outcome.opened.redshift, outcome.config.settings.seed, outcome.config.settings.steps
    )
}

/// What a job was asked and what it ran with, for programs that read maps and figures.
pub fn details(outcome: &Outcome) -> serde_json::Value {
    serde_json::json!({
        "program": PROGRAM,
        "config": outcome.config,
        "device": outcome.device.as_ref().map(|device| &device.name),
        "weights": outcome.weights,
        "window": outcome.opened.window,
        "reference": { "description": outcome.opened.reference },
    })
}

/// Write everything a job made into `folder` (made if need be): `map.hdf5`, `spectrum.csv`,
/// `report.json`, and the figures `spectrum` and `slices` in `formats`. Each file appears complete or
/// not at all. Returns their paths.
///
/// # Errors
/// [`Error::Output`](crate::Error::Output) where one cannot be written.
pub fn write_outcome(folder: impl AsRef<Path>, outcome: &Outcome, formats: &[Format]) -> Result<Vec<PathBuf>> {
    let folder = folder.as_ref();
    let line = provenance_line(outcome);
    let path = |name: &str| folder.join(name);
    let files = |name| FigureFiles { details: details(outcome), ..FigureFiles::new(path(name), formats, &line) };
    let mut written = Vec::new();
    if !outcome.fields.is_empty() {
        let header = header(outcome);
        let layers: Vec<_> = outcome.fields.iter().map(|(&layer, grid)| (layer, grid.as_ref())).collect();
        write_map(path("map.hdf5"), &header, &layers)?;
        written.push(path("map.hdf5"));
        written.extend(write_slices_figure(&files("slices"), &outcome.fields)?);
        for (index, map) in outcome.realisations.iter().enumerate().skip(1) {
            let path = path(&format!("realisation_{}.hdf5", index + 1));
            write_map(&path, &header, &[(Layer::BrightnessTemperature, map.as_ref())])?;
            written.push(path);
        }
    }
    if !outcome.spectra.is_empty() {
        let names: Vec<String> = outcome.spectra.keys().map(|series| series.name()).collect();
        let tables: Vec<SpectrumTable> = outcome
            .spectra
            .iter()
            .zip(&names)
            .map(|((series, spectrum), name)| SpectrumTable { name, units: power_unit(*series), spectrum })
            .collect();
        write_spectra(path("spectrum.csv"), &tables, &format!("{line}\n{}", outcome.weights.join("\n")))?;
        written.push(path("spectrum.csv"));
        written.extend(write_spectrum_figure(&files("spectrum"), &outcome.spectra)?);
    }
    write_report(&path("report.json"), outcome)?;
    written.push(path("report.json"));
    Ok(written)
}

/// Write the denoising steps that `outcome` kept into `folder`, beside its map, to be played in a
/// talk. Returns their paths.
///
/// # Errors
/// As [`pipeline::write_steps`](crate::pipeline::write_steps).
pub fn write_steps(folder: impl AsRef<Path>, outcome: &Outcome) -> Result<Vec<PathBuf>> {
    crate::pipeline::write_steps(folder.as_ref(), &header(outcome), &outcome.steps)
}

/// What is true of all maps of a job.
fn header(outcome: &Outcome) -> MapHeader {
    MapHeader { redshift: outcome.opened.redshift, cosmology: outcome.opened.cosmology, provenance: details(outcome) }
}

/// Write `report.json` alone.
///
/// # Errors
/// [`Error::Output`](crate::Error::Output) where it cannot be written.
pub fn write_report(path: &Path, outcome: &Outcome) -> Result<()> {
    let json = serde_json::to_vec_pretty(&Report::new(outcome)).map_err(|error| crate::Error::output(path, error))?;
    atomic::write(path, &json)
}

/// Unit of a series' power.
pub fn power_unit(series: Series) -> &'static str {
    match series {
        Series::DarkMatter | Series::HaloMass(_) => "(Mpc/h)³",
        Series::Prediction | Series::Reference => "mK² (Mpc/h)³",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::field::{Grid, Layer};
    use crate::pipeline::{DeviceInfo, Opened};
    use crate::stats::power_spectrum;

    /// An outcome with structure on all scales, and a prediction 5 % too bright.
    fn outcome() -> Outcome {
        let n = 32;
        let field = |scale: f32, power: f32| {
            let values = ndarray::Array3::from_shape_fn((n, n, n), |(x, y, z)| {
                let wave = |a: usize, f: f32| (a as f32 * f * std::f32::consts::TAU / n as f32).sin();
                let sum: f32 =
                    (1..14).map(|i| wave(x, i as f32) * wave(y + i, i as f32 / 2.0) * wave(z, 1.0) / i as f32).sum();
                scale * (power * sum).exp()
            });
            Arc::new(Grid { values, box_size: 12.5 })
        };
        let mut fields = BTreeMap::from([
            (Layer::DarkMatter, field(1.0, 2.0)),
            (Layer::BrightnessTemperature, field(1.05, 3.0)),
            (Layer::Reference, field(1.0, 3.0)),
        ]);
        fields.extend((0..4).map(|bin| (Layer::HaloMass(bin), field(1e10, 3.0 + bin as f32))));
        let spectra = BTreeMap::from([
            (Series::DarkMatter, power_spectrum(&fields[&Layer::DarkMatter].overdensity(), None)),
            (Series::Prediction, power_spectrum(&fields[&Layer::BrightnessTemperature], None)),
            (Series::Reference, power_spectrum(&fields[&Layer::Reference], None)),
        ]);
        Outcome {
            config: JobConfig::default(),
            opened: Opened {
                source: Source::Demo,
                name: "demo".to_owned(),
                redshift: 1.0,
                cosmology: Cosmology::default(),
                n,
                box_size: 12.5,
                window: None,
                reference: Some("a test".to_owned()),
            },
            realisations: vec![fields[&Layer::BrightnessTemperature].clone()],
            fields,
            steps: Vec::new(),
            spectra,
            reference_draws: Arc::new([]),
            device: Some(DeviceInfo { name: "CPU".to_owned(), reason: "It was asked for.".to_owned() }),
            weights: vec!["untrained".to_owned()],
            seconds: vec![(Stage::Field, 0.1)],
            warnings: Vec::new(),
            frame_times: None,
        }
    }

    #[test]
    fn a_job_leaves_a_complete_folder() {
        let folder = tempfile::tempdir().unwrap();
        let formats = [Format::Png, Format::Svg, Format::Pdf];
        let written = write_outcome(folder.path().join("run"), &outcome(), &formats).unwrap();
        assert_eq!(written.len(), 9);
        assert!(written.iter().all(|path| path.is_file()));
        for name in ["spectrum", "slices"] {
            let bytes = |end| std::fs::read(folder.path().join("run").join(format!("{name}.{end}"))).unwrap();
            let image = image::load_from_memory(&bytes("png")).unwrap();
            assert!(image.width() >= 1000);
            let svg = String::from_utf8(bytes("svg")).unwrap();
            let wide = f64::from(image.width()) / 300.0 * 25.4;
            assert!(svg.contains(&format!("width=\"{wide:.3}mm\"")), "{}", &svg[..300]);
            // What it was made from is in every file, for people and for programs.
            for text in [svg, String::from_utf8_lossy(&bytes("png")).into_owned()] {
                assert!(text.contains("embedded demo, z = 1.000, 32³ in 12.5 Mpc/h, seed"));
                assert!(text.contains("untrained"));
            }
            assert!(bytes("pdf").starts_with(b"%PDF"));
        }
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("run/report.json")).unwrap()).unwrap();
        let ratio = report["comparison"]["power_ratio"][3].as_f64().unwrap();
        assert!((ratio - 1.05 * 1.05).abs() < 1e-3, "{ratio}");
        assert_eq!(report["comparison"]["within_ten_percent_to_k"], 0.0);
        assert!(report["fields"]["halo_mass_4"]["mean"].as_f64().unwrap() > 0.0);
    }

    #[test]
    fn agreement_ends_at_the_first_shell_that_is_off() {
        let spectrum = |power: [f64; 4]| PowerSpectrum {
            k: vec![1.0, 2.0, 3.0, 4.0],
            power: power.to_vec(),
            modes: vec![1; 4],
            k_nyquist: 4.0,
        };
        let comparison = Comparison::new(&spectrum([1.05, 0.95, 1.5, 1.0]), &spectrum([1.0; 4]));
        assert_eq!(comparison.within_ten_percent_to_k, 2.0);
        assert!((comparison.mean_deviation - 0.15).abs() < 1e-12);
    }
}
