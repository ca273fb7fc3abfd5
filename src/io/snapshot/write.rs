//! Writing snapshots in the layout of GADGET-2/3 HDF5, which yt, pynbody,
//! Pylians and nbodykit read.

use std::path::Path;

use hdf5::File;
use hdf5::types::VarLenUnicode;
use ndarray::ArrayView2;

use super::Particles;
use crate::error::{Error, Result};
use crate::field::Cosmology;
use crate::io::{atomic, h5};

/// Particle types that the layout has.
const TYPES: usize = 6;
/// Mpc/h in the snapshot's unit, kpc/h.
const LENGTH: f64 = 1e3;
/// The snapshot's unit of mass in M☉/h.
const MASS: f64 = 1e10;

/// Write dark matter of one mass as the snapshot `path`, atomically: comoving
/// kpc/h, 10¹⁰ M☉/h and velocities in √a km/s, with the cosmology and the units
/// in `Header`, and in `Parameters` as well, where GADGET-4 has them.
/// `provenance` (JSON) says how the particles came to be.
///
/// # Errors
/// [`Error::Output`] where the file cannot be written, [`Error::Setting`] for
/// particles of different masses.
pub fn write_snapshot(
    path: impl AsRef<Path>,
    particles: &Particles,
    box_size: f64,
    redshift: f64,
    cosmology: &Cosmology,
    provenance: &serde_json::Value,
) -> Result<()> {
    let path = path.as_ref();
    let Some(mass) = particles.uniform_mass else {
        return Err(Error::setting("particles of different masses", "one mass for all", "Write them as a map"));
    };
    atomic::write_with(path, |temporary| {
        fill(temporary, particles, mass, box_size, redshift, cosmology, provenance)
            .map_err(|error| Error::output(path, h5::why(&error)))
    })
}

fn fill(
    path: &Path,
    particles: &Particles,
    mass: f64,
    box_size: f64,
    redshift: f64,
    cosmology: &Cosmology,
    provenance: &serde_json::Value,
) -> hdf5::Result<()> {
    let file = File::create(path)?;
    let a = 1.0 / (1.0 + redshift);
    let count = particles.len() as u64;
    let header = file.create_group("Header")?;
    let (low, high) = (count as u32, (count >> 32) as u32);
    let of_type_1 = |value: u32| -> [u32; TYPES] { std::array::from_fn(|t| if t == 1 { value } else { 0 }) };
    header.new_attr::<u32>().shape(TYPES).create("NumPart_ThisFile")?.write(&of_type_1(low))?;
    header.new_attr::<u32>().shape(TYPES).create("NumPart_Total")?.write(&of_type_1(low))?;
    header.new_attr::<u32>().shape(TYPES).create("NumPart_Total_HighWord")?.write(&of_type_1(high))?;
    let masses: [f64; TYPES] = std::array::from_fn(|t| if t == 1 { mass / MASS } else { 0.0 });
    header.new_attr::<f64>().shape(TYPES).create("MassTable")?.write(&masses)?;
    let Cosmology { omega_m, omega_lambda, omega_b, h, n_s, sigma_8 } = *cosmology;
    let parameters = file.create_group("Parameters")?;
    for (name, value) in [
        ("BoxSize", box_size * LENGTH),
        ("Time", a),
        ("Redshift", redshift),
        ("Omega0", omega_m),
        ("OmegaLambda", omega_lambda),
        ("OmegaBaryon", omega_b),
        ("HubbleParam", h),
        ("PrimordialIndex", n_s),
        ("Sigma8", sigma_8),
        ("UnitLength_in_cm", 3.085_678e21),
        ("UnitMass_in_g", 1.989e43),
        ("UnitVelocity_in_cm_per_s", 1e5),
    ] {
        header.new_attr::<f64>().create(name)?.write_scalar(&value)?;
        if !matches!(name, "Time" | "Redshift") {
            parameters.new_attr::<f64>().create(name)?.write_scalar(&value)?;
        }
    }
    for name in ["Flag_Sfr", "Flag_Cooling", "Flag_Feedback", "Flag_StellarAge", "Flag_Metals", "Flag_Entropy_ICs"] {
        header.new_attr::<i32>().create(name)?.write_scalar(&0)?;
    }
    for (name, value) in [("NumFilesPerSnapshot", 1), ("Flag_DoublePrecision", 0)] {
        header.new_attr::<i32>().create(name)?.write_scalar(&value)?;
    }
    let text: VarLenUnicode = provenance.to_string().parse().map_err(|_| hdf5::Error::from("not a text"))?;
    header.new_attr::<VarLenUnicode>().create("provenance")?.write_scalar(&text)?;

    let group = file.create_group("PartType1")?;
    let scaled = |values: &[[f32; 3]], factor: f64| -> Vec<f32> {
        values.as_flattened().iter().map(|&v| (f64::from(v) * factor) as f32).collect()
    };
    let write = |name: &str, values: Vec<f32>| -> hdf5::Result<()> {
        let rows = ArrayView2::from_shape((values.len() / 3, 3), &values)
            .map_err(|error| hdf5::Error::from(error.to_string()))?;
        group.new_dataset_builder().with_data(rows).create(name).map(drop)
    };
    write("Coordinates", scaled(&particles.positions, LENGTH))?;
    if !particles.velocities.is_empty() {
        write("Velocities", scaled(&particles.velocities, a.sqrt().recip()))?;
    }
    let ids = if particles.ids.is_empty() { (1..=count).collect() } else { particles.ids.clone() };
    match ids.iter().all(|&id| id <= u64::from(u32::MAX)) {
        true => {
            let ids: Vec<u32> = ids.iter().map(|&id| id as u32).collect();
            group.new_dataset_builder().with_data(&ids).create("ParticleIDs")?
        }
        false => group.new_dataset_builder().with_data(&ids).create("ParticleIDs")?,
    };
    file.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{Properties, SnapshotReader};

    #[test]
    fn a_snapshot_comes_back_through_the_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot_000.hdf5");
        let cosmology = Cosmology { omega_m: 0.25, omega_lambda: 0.75, ..Cosmology::default() };
        let (n, box_size) = (8usize, 10.0f64);
        let mass = cosmology.mean_matter_density() * box_size.powi(3) / n.pow(3) as f64;
        let particles = Particles {
            positions: (0..n.pow(3)).map(|i| [i / 64, i / 8 % 8, i % 8].map(|c| c as f32 * 1.25)).collect(),
            uniform_mass: Some(mass),
            velocities: (0..n.pow(3)).map(|i| [i as f32, -0.5 * i as f32, 3.0]).collect(),
            ids: (1..=n.pow(3) as u64).rev().collect(),
            ..Particles::default()
        };
        write_snapshot(&path, &particles, box_size, 1.0, &cosmology, &serde_json::json!({ "seed": 1 })).unwrap();
        let reader = SnapshotReader::open(&path).unwrap();
        assert_eq!(reader.header().cosmology, cosmology);
        assert_eq!((reader.header().box_size, reader.header().redshift), (box_size, 1.0));
        let back = reader.particles(1, Properties { velocities: true, ids: true }).unwrap();
        assert_eq!((back.positions, back.ids), (particles.positions, particles.ids));
        assert!((back.uniform_mass.unwrap() / mass - 1.0).abs() < 1e-12);
        for (a, b) in back.velocities.iter().flatten().zip(particles.velocities.iter().flatten()) {
            assert!((a - b).abs() <= 1e-6 * b.abs());
        }
    }
}
