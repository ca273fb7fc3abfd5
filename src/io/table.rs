//! Tables as CSV: of spectra, and of anything else with a line of column names.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::Path;

use super::atomic;
use crate::error::{Error, Result};
use crate::stats::PowerSpectrum;

/// One column of power.
#[derive(Debug, Clone, Copy)]
pub struct SpectrumTable<'a> {
    /// Name of the column, such as `21 cm prediction`.
    pub name: &'a str,
    /// Unit of the power, such as `mK² (Mpc/h)³`.
    pub units: &'a str,
    /// The spectrum.
    pub spectrum: &'a PowerSpectrum,
}

/// Write spectra over the same shells to the CSV file at `path`, atomically:
/// comment lines (`#`) with `provenance` and the units, a line of column names,
/// then `k_h_mpc, modes` and one column of power per spectrum.
///
/// # Errors
/// [`Error::Setting`] where there is none or their shells differ;
/// [`Error::Output`] where the file cannot be written.
pub fn write_spectra(path: impl AsRef<Path>, spectra: &[SpectrumTable], provenance: &str) -> Result<()> {
    atomic::write(path, spectra_csv(spectra, provenance)?.as_bytes())
}

/// The text of [`write_spectra`].
///
/// # Errors
/// [`Error::Setting`] where there is no spectrum or their shells differ.
pub fn spectra_csv(spectra: &[SpectrumTable], provenance: &str) -> Result<String> {
    let same = |a: &PowerSpectrum, b: &PowerSpectrum| {
        a.modes == b.modes && a.k.iter().zip(&b.k).all(|(x, y)| (x / y - 1.0).abs() < 1e-4)
    };
    let first = match spectra.first() {
        Some(first) if spectra.iter().all(|s| same(s.spectrum, first.spectrum)) => first.spectrum,
        _ => {
            return Err(Error::setting(
                format!("{} spectra over different shells", spectra.len()),
                "spectra of the same grid and box",
                "Write one table per grid",
            ));
        }
    };
    let mut out = String::new();
    // Writing to a String cannot fail.
    for line in provenance.lines() {
        let _ = writeln!(out, "# {line}");
    }
    let _ =
        writeln!(out, "# k_h_mpc: mean wavenumber of the shell's modes, h/Mpc; modes: independent modes in the shell");
    let _ =
        writeln!(out, "# shells beyond the grid's Nyquist wavenumber, {:.6} h/Mpc, are incomplete", first.k_nyquist);
    let columns: Vec<String> = spectra.iter().map(|s| column(s.name)).collect();
    for (table, column) in spectra.iter().zip(&columns) {
        let _ = writeln!(out, "# {column}: power of {}, {}", table.name, table.units);
    }
    let _ = writeln!(out, "k_h_mpc,modes,{}", columns.join(","));
    for i in 0..first.k.len() {
        let _ = write!(out, "{:.8e},{}", first.k[i], first.modes[i]);
        for table in spectra {
            let _ = write!(out, ",{:.8e}", table.spectrum.power[i]);
        }
        out.push('\n');
    }
    Ok(out)
}

/// A table of `rows` under the column names of `head`, which tell the units; a cell with a comma,
/// a quotation mark or a line's end is quoted.
pub fn csv(head: &[String], rows: &[Vec<String>]) -> String {
    let mut out = String::new();
    for row in std::iter::once(head).chain(rows.iter().map(Vec::as_slice)) {
        let cells: Vec<_> = row.iter().map(|cell| quoted(cell)).collect();
        out.push_str(&cells.join(","));
        out.push('\n');
    }
    out
}

fn quoted(cell: &str) -> Cow<'_, str> {
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")).into(),
        false => cell.into(),
    }
}

/// A name as a column: lower-case letters, digits and underscores.
fn column(name: &str) -> String {
    let mut out = "p".to_owned();
    for word in name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()) {
        out.push('_');
        out.push_str(&word.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spectrum(shells: usize, scale: f64) -> PowerSpectrum {
        PowerSpectrum {
            k: (1..=shells).map(|i| i as f64 * 0.25).collect(),
            power: (1..=shells).map(|i| scale / i as f64).collect(),
            modes: (1..=shells).map(|i| (i * i) as u64).collect(),
            k_nyquist: 2.0,
        }
    }

    #[test]
    fn a_table_reads_back_to_eight_digits() {
        let (a, b) = (spectrum(9, 100.0), spectrum(9, 3.0));
        let tables = [
            SpectrumTable { name: "21 cm prediction", units: "mK² (Mpc/h)³", spectrum: &a },
            SpectrumTable { name: "Halo mass, bin 1", units: "(Mpc/h)³", spectrum: &b },
        ];
        let text = spectra_csv(&tables, "halodi 0.1\nseed 1").unwrap();
        let rows: Vec<&str> = text.lines().filter(|l| !l.starts_with('#')).collect();
        assert!(text.starts_with("# halodi 0.1\n# seed 1\n") && text.contains("mK² (Mpc/h)³"));
        assert_eq!(rows[0], "k_h_mpc,modes,p_21_cm_prediction,p_halo_mass_bin_1");
        for (i, row) in rows[1..].iter().enumerate() {
            let cells: Vec<f64> = row.split(',').map(|c| c.parse().unwrap()).collect();
            assert!((cells[0] / a.k[i] - 1.0).abs() < 1e-8 && cells[1] == a.modes[i] as f64);
            assert!((cells[2] / a.power[i] - 1.0).abs() < 1e-8 && (cells[3] / b.power[i] - 1.0).abs() < 1e-8);
        }
    }

    #[test]
    fn cells_with_commas_and_quotation_marks_are_one_cell_each() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = csv(&row(["field", "mean [mK]"]), &[row(["Halo mass, bin 1", "2.5"]), row(["the \"truth\"", "1"])]);
        assert_eq!(text, "field,mean [mK]\n\"Halo mass, bin 1\",2.5\n\"the \"\"truth\"\"\",1\n");
    }

    #[test]
    fn different_shells_are_refused() {
        let (a, b) = (spectrum(9, 1.0), spectrum(8, 1.0));
        let table = |spectrum| SpectrumTable { name: "a", units: "", spectrum };
        assert!(spectra_csv(&[table(&a), table(&b)], "").is_err() && spectra_csv(&[], "").is_err());
    }
}
