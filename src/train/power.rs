//! What a network makes of a validation box, in power: the statistic that the
//! maps are made for, which a loss per voxel does not tell.

use serde::{Deserialize, Serialize};

use crate::field::Grid;
use crate::stats::power_spectrum;

/// Power of a validation box as a network makes it over that of the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PowerRatio {
    /// Which map.
    pub series: String,
    /// Mean wavenumber per shell, h/Mpc; shells in which the truth has power.
    pub k: Vec<f64>,
    /// `P/P_true`.
    pub ratio: Vec<f64>,
}

/// A look at the power after some steps of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PowerPoint {
    /// Optimiser steps taken.
    pub step: usize,
    /// One entry a map.
    pub ratios: Vec<PowerRatio>,
}

impl PowerRatio {
    /// Of `made` over the truth, up to `k_max` h/Mpc.
    pub(super) fn new(series: impl Into<String>, made: &Grid, truth: &Grid, k_max: f64) -> Self {
        let spectrum = power_spectrum(made, None);
        let shells = spectrum.shells_up_to(k_max);
        let truth = power_spectrum(truth, None).power;
        // A truth without power, such as a bin without haloes, has no ratio.
        let pairs =
            spectrum.k[..shells].iter().zip(spectrum.power.iter().zip(&truth)).filter(|(_, (_, truth))| **truth > 0.0);
        let (k, ratio) = pairs.map(|(&k, (made, truth))| (k, made / truth)).unzip();
        Self { series: series.into(), k, ratio }
    }
}

/// The looks of a training as CSV.
pub fn power_csv(points: &[PowerPoint]) -> String {
    let mut text = String::from("step,map,k [h/Mpc],P/P_true\n");
    for PowerPoint { step, ratios } in points {
        for PowerRatio { series, k, ratio } in ratios {
            for (k, ratio) in k.iter().zip(ratio) {
                text += &format!("{step},\"{series}\",{k:.4},{ratio:.4}\n");
            }
        }
    }
    text
}
