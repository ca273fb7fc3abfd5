//! An evaluation as Markdown: the tables of a model card.

use std::fmt::Write;

use crate::evaluate::{Agreement, BoxEvaluation, bootstrap_error, over_boxes};

/// The tables: per box, per shell, per halo mass bin, and the rest of the
/// statistics.
pub fn evaluation_table(boxes: &[BoxEvaluation]) -> String {
    if boxes.is_empty() {
        return String::new();
    }
    [claim(boxes), per_box(boxes), per_shell(boxes), halo_mass(boxes), statistics(boxes)].join("\n")
}

/// The value of the shell that holds `k`.
fn at(b: &BoxEvaluation, values: &[f64], k: f64) -> f64 {
    values.get(b.k.partition_point(|&v| v < k).min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// A percentage; a dash where there is nothing to compare with.
fn percent(value: f64) -> String {
    if value.is_finite() { format!("{:.1} %", 100.0 * value) } else { "–".to_owned() }
}

/// `|P/P_true − 1|` as mean over the shells and largest.
fn deviation(agreement: &Agreement) -> String {
    format!("{}, {}", percent(agreement.mean_deviation), percent(agreement.worst))
}

fn per_box(boxes: &[BoxEvaluation]) -> String {
    let mut out = String::from(
        "`|P/P_true − 1|` for k ≤ 10 h/Mpc, mean over shells and largest. No prediction that does not see the draw itself \
         can be expected nearer to it than the mean of all draws is:\n\n\
         | box | LODI | another draw of the truth | mean of all draws | LODI over the mean of draws | local relation | rescaled dark matter | mean T_b ratio | r at k = 1, 5, 10 | r of the conditional mean | seconds |\n\
         |---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for b in boxes {
        let r = |agreement: &Agreement| {
            [1.0, 5.0, 10.0].map(|k| format!("{:.3}", at(b, &agreement.correlation, k))).join(", ")
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let of_draws: Vec<f64> = b.draws.power_ratio.iter().map(|r| (r - 1.0).abs()).collect();
        let both = |values: &[f64]| format!("{}, {}", percent(mean(values)), percent(largest(values)));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} | {:.3} | {} | {} | {:.0} |",
            b.name,
            deviation(&b.prediction),
            both(&b.draws.another_draw),
            both(&b.draws.mean_of_draws),
            both(&of_draws),
            deviation(&b.local_relation),
            b.rescaled_dark_matter.as_ref().map_or("–".to_owned(), deviation),
            b.prediction.mean_ratio,
            r(&b.prediction),
            r(&b.conditional_mean),
            b.seconds.values().sum::<f64>()
        );
    }
    // The claim: in every shell, the mean over boxes of the deviation.
    let over = |of: &dyn Fn(&BoxEvaluation) -> Vec<f64>| {
        let deviations: Vec<Vec<f64>> = boxes.iter().map(of).collect();
        let (mean, _) = over_boxes(deviations.iter().map(Vec::as_slice));
        let average = mean.iter().sum::<f64>() / mean.len().max(1) as f64;
        format!("{}, {}", percent(average), percent(mean.into_iter().fold(0.0, f64::max)))
    };
    let off = |ratios: &[f64]| ratios.iter().map(|r| (r - 1.0).abs()).collect::<Vec<_>>();
    let rescaled = boxes.iter().all(|b| b.rescaled_dark_matter.is_some());
    let _ = writeln!(
        out,
        "| mean over {} boxes, per shell | {} | {} | {} | {} | {} | {} | | | | |",
        boxes.len(),
        over(&|b| off(&b.prediction.power_ratio)),
        over(&|b| b.draws.another_draw.clone()),
        over(&|b| b.draws.mean_of_draws.clone()),
        over(&|b| off(&b.draws.power_ratio)),
        over(&|b| off(&b.local_relation.power_ratio)),
        if rescaled {
            over(&|b| off(&b.rescaled_dark_matter.as_ref().expect("checked").power_ratio))
        } else {
            "–".to_owned()
        },
    );
    out
}

/// The claim in one line: the mean over boxes and realisations of the power over that of the
/// truth's draws, shell by shell.
fn claim(boxes: &[BoxEvaluation]) -> String {
    let (ours, _) = over_boxes(boxes.iter().map(|b| b.draws.power.as_slice()));
    let (theirs, _) = over_boxes(boxes.iter().map(|b| b.draws.true_power.as_slice()));
    let ratio: Vec<f64> = ours.iter().zip(&theirs).map(|(p, q)| p / q).collect();
    let off: Vec<f64> = ratio.iter().map(|r| (r - 1.0).abs()).collect();
    let (worst, k) = off
        .iter()
        .zip(&boxes[0].k)
        .fold((0.0, 0.0), |(most, at), (&off, &k)| if off > most { (off, k) } else { (most, at) });
    let spreads = |of: &dyn Fn(&BoxEvaluation) -> Option<f64>| {
        let values: Vec<f64> = boxes.iter().filter_map(of).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let spread = spreads(&|b| Some(mean(&b.ensemble.as_ref()?.spread) / mean(&b.draws.spread)));
    format!(
        "As painted, at z = {:.2}: mean power over {} boxes and {} realisations over mean power over the same boxes and {} of the \
         truth ({}): {} off on average over {} shells, {} in the worst (k = {k:.2} h/Mpc); {} of {} shells within 10 %. The power of \
         realisations varies by {} of what that of draws does.\n",
        boxes[0].redshift,
        boxes.len(),
        boxes[0].draws.realisations,
        match boxes[0].draws.count {
            1 => "one map".to_owned(),
            count => format!("{count} draws"),
        },
        boxes[0].truth,
        percent(mean(&off)),
        off.len(),
        percent(worst),
        off.iter().filter(|off| **off <= 0.1).count(),
        off.len(),
        if spread.is_finite() { format!("{spread:.2}") } else { "–".to_owned() },
    )
}

fn per_shell(boxes: &[BoxEvaluation]) -> String {
    let mut out = format!(
        "P/P_draws is the mean power of {} realisations, as painted, over the mean power of {} draws of the truth's \
         scatter of HI about halo mass, averaged over {} boxes; its error is by bootstrap over the boxes. σ is the \
         spread of the power of one map over its mean.\n\n\
         | k [h/Mpc] | P/P_true | spread over boxes | P/P_draws | error | σ of draws | σ of realisations | conditional mean | local relation |\n\
         |---|---|---|---|---|---|---|---|---|\n",
        boxes[0].draws.realisations,
        boxes[0].draws.count,
        boxes.len()
    );
    let (mean, spread) = over_boxes(boxes.iter().map(|b| b.prediction.power_ratio.as_slice()));
    let ratios: Vec<&[f64]> = boxes.iter().map(|b| b.draws.power_ratio.as_slice()).collect();
    let error = bootstrap_error(&ratios);
    let (of_draws, _) = over_boxes(boxes.iter().map(|b| b.draws.power_ratio.as_slice()));
    let (scatter, _) = over_boxes(boxes.iter().map(|b| b.draws.spread.as_slice()));
    let (expected, _) = over_boxes(boxes.iter().map(|b| b.conditional_mean.power_ratio.as_slice()));
    let (local, _) = over_boxes(boxes.iter().map(|b| b.local_relation.power_ratio.as_slice()));
    let (ensemble, _) = over_boxes(boxes.iter().filter_map(|b| Some(b.ensemble.as_ref()?.spread.as_slice())));
    let k = &boxes[0].k;
    for i in 0..mean.len() {
        // One row a step of a fifth in the logarithm of k.
        if i == 0 || (k[i].ln() / 0.2).floor() > (k[i - 1].ln() / 0.2).floor() {
            let number = |v: f64| if v.is_finite() { format!("{v:.3}") } else { "–".to_owned() };
            let row = [mean[i], spread[i], of_draws[i], error[i], scatter[i]].map(number).join(" | ");
            let realisations = ensemble.get(i).map_or("–".to_owned(), |v| format!("{v:.3}"));
            let _ = writeln!(out, "| {:.2} | {row} | {realisations} | {:.3} | {:.3} |", k[i], expected[i], local[i]);
        }
    }
    out
}

fn halo_mass(boxes: &[BoxEvaluation]) -> String {
    let known: Vec<&BoxEvaluation> = boxes.iter().filter(|b| !b.halo_mass.is_empty()).collect();
    let Some(first) = known.first() else { return "The haloes of the truth are unknown.\n".to_owned() };
    let mut out = String::from(
        "| halo mass bin | mass in all boxes | mean mass ratio | mass ratio per box | largest \\|P/P_true − 1\\|, k ≤ 5 | of the mean over boxes | r at k = 1, 5 |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for bin in 0..first.halo_mass.len() {
        let all: Vec<&Agreement> = known.iter().map(|b| &b.halo_mass[bin]).collect();
        let made: f64 = all.iter().map(|a| a.mean).sum();
        // A small box may have no halo so heavy: there is nothing to compare with.
        let with_haloes: Vec<&BoxEvaluation> =
            known.iter().copied().filter(|b| b.halo_mass[bin].true_mean > 0.0).collect();
        if with_haloes.is_empty() {
            let _ = writeln!(out, "| {} | no haloes in the truth | | | | | |", bin + 1);
            continue;
        }
        let mean = |f: &dyn Fn(&BoxEvaluation) -> f64| {
            with_haloes.iter().map(|b| f(b)).sum::<f64>() / with_haloes.len() as f64
        };
        let (power, _) = over_boxes(with_haloes.iter().map(|b| b.halo_mass[bin].power_ratio.as_slice()));
        let ratio = |a: &&Agreement| if a.true_mean > 0.0 { format!("{:.3}", a.mean_ratio) } else { "–".to_owned() };
        let _ = writeln!(
            out,
            "| {} | {:.3} | {:.3} | {} | {} | {} | {:.3}, {:.3} |",
            bin + 1,
            made / all.iter().map(|a| a.true_mean).sum::<f64>(),
            mean(&|b| b.halo_mass[bin].mean_ratio),
            all.iter().map(ratio).collect::<Vec<_>>().join(", "),
            percent(mean(&|b| b.halo_mass[bin].worst)),
            percent(power.iter().map(|r| (r - 1.0).abs()).fold(0.0, f64::max)),
            mean(&|b| at(b, &b.halo_mass[bin].correlation, 1.0)),
            mean(&|b| at(b, &b.halo_mass[bin].correlation, 5.0))
        );
    }
    out
}

fn statistics(boxes: &[BoxEvaluation]) -> String {
    let mut out = String::from(
        "| box | Ω_HI, LODI and truth | bits per voxel (diffusion, prior, reconstruction) |\n|---|---|---|\n",
    );
    for b in boxes {
        let [predicted, truth] = b.omega_hi;
        let _ = writeln!(
            out,
            "| {} | {predicted:.3e}, {truth:.3e} | {:.3} ({:.3}, {:.4}, {:.3}) |",
            b.name, b.bits.total, b.bits.diffusion, b.bits.prior, b.bits.reconstruction
        );
    }
    let bispectra = &boxes[0].bispectra;
    if !bispectra.k.is_empty() {
        let _ = write!(
            out,
            "\nBispectrum over its truth, mean and spread over boxes (squeezed: third side {:.2} h/Mpc):\n\n\
             | k [h/Mpc] | equilateral | squeezed |\n|---|---|---|\n",
            bispectra.k_short
        );
        let (equilateral, equilateral_spread) = over_boxes(boxes.iter().map(|b| b.bispectra.equilateral.as_slice()));
        let (squeezed, squeezed_spread) = over_boxes(boxes.iter().map(|b| b.bispectra.squeezed.as_slice()));
        for (i, k) in bispectra.k.iter().enumerate() {
            let _ = writeln!(
                out,
                "| {k:.1} | {:.2} ± {:.2} | {:.2} ± {:.2} |",
                equilateral[i], equilateral_spread[i], squeezed[i], squeezed_spread[i]
            );
        }
    }
    let ensembles: Vec<_> = boxes.iter().filter_map(|b| b.ensemble.as_ref()).collect();
    if let Some(first) = ensembles.first() {
        let line = |ranks: &dyn Fn(usize) -> u64| {
            let counts: Vec<u64> = (0..=first.count).map(ranks).collect();
            let total = counts.iter().sum::<u64>().max(1) as f64;
            let relative = counts.iter().map(|&n| format!("{:.2}", n as f64 * counts.len() as f64 / total));
            relative.collect::<Vec<_>>().join(" ")
        };
        let _ = write!(
            out,
            "\nRank of the truth among {} realisations, frequency over chance (flat is calibrated):\n\n\
             - voxels brighter than 1 mK: {}\n- power per shell: {}\n",
            first.count,
            line(&|rank| ensembles.iter().map(|e| e.voxel_ranks[rank]).sum()),
            line(&|rank| ensembles.iter().map(|e| e.power_ranks[rank]).sum())
        );
    }
    out
}
