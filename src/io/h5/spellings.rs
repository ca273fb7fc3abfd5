//! What codes call the same quantity.
//!
//! One table for all readers: a header is asked for a [`Parameter`], not for a
//! name. Names are compared without case, blanks and punctuation, so that
//! `Omega_Matter`, `OmegaMatter` and `omega matter` are one. "Not given" is
//! `None`; a zero that is given is a zero.

use std::collections::BTreeMap;

use hdf5::{File, Group, Location};

use super::{attribute_names, integers, numbers, text};

/// Groups that are looked through: more are not where a header is.
const MOST_PLACES: usize = 500;

/// A quantity of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::io) enum Parameter {
    /// Side of the box.
    BoxSize,
    /// Redshift.
    Redshift,
    /// Scale factor, under a name that means nothing else.
    ScaleFactor,
    /// "Time": the scale factor in comoving runs of the Gadget family, a time elsewhere.
    Time,
    /// Matter density today.
    OmegaM,
    /// Cosmological constant.
    OmegaLambda,
    /// Baryon density.
    OmegaB,
    /// Hubble constant.
    Hubble,
    /// Spectral index.
    SpectralIndex,
    /// Rms overdensity in spheres of 8 Mpc/h.
    Sigma8,
    /// Whether the run is a comoving (cosmological) one.
    Cosmological,
    /// Length unit in cm, h taken out (kpc/h).
    UnitLength,
    /// Mass unit in g, h taken out.
    UnitMass,
    /// Velocity unit in cm/s.
    UnitVelocity,
    /// Length unit in cm, no h in it (SWIFT).
    PlainUnitLength,
    /// Mass unit in g, no h in it (SWIFT).
    PlainUnitMass,
    /// Time unit in s (SWIFT).
    PlainUnitTime,
    /// Particles per type in this file.
    CountsHere,
    /// Particles per type in the snapshot: all, or the low 32 bits.
    Counts,
    /// The bits of the counts above the 32nd.
    CountsHigh,
    /// Mass of every particle of a type, zero where they differ.
    MassTable,
    /// Files that make up the snapshot.
    Files,
    /// Groups in this file of a catalogue.
    GroupsHere,
    /// Groups in a catalogue.
    Groups,
    /// The unit of the box's side, a text.
    BoxUnit,
    /// Power of h that is multiplied in.
    HubbleScaling,
    /// Power of a that turns the stored value into the physical one.
    ExpansionScaling,
}

impl Parameter {
    /// The names of the quantity, lower case and without punctuation, the most
    /// telling first.
    fn spellings(self) -> &'static [&'static str] {
        match self {
            Self::BoxSize => &["boxsize", "boxlength", "boxlen", "lbox", "boxside", "l"],
            Self::Redshift => &["redshift", "currentredshift", "cosmologycurrentredshift", "z"],
            Self::ScaleFactor => &["scalefactor", "expansionfactor", "aexp", "aexpn", "scalefac", "a"],
            Self::Time => &["time"],
            Self::OmegaM => &[
                "omega0",
                "omegam",
                "omegamatter",
                "omegam0",
                "om0",
                "omm",
                "omegamatternow",
                "cosmologyomegamatternow",
            ],
            Self::OmegaLambda => &[
                "omegalambda",
                "omegal",
                "omegade",
                "omegav",
                "omegalambda0",
                "ode0",
                "oml",
                "omegalambdanow",
                "cosmologyomegalambdanow",
            ],
            Self::OmegaB => &["omegabaryon", "omegab", "omegabaryons", "omegab0", "ob0", "omb"],
            Self::Hubble => &[
                "hubbleparam",
                "hubbleparameter",
                "h",
                "hlittle",
                "littleh",
                "h100",
                "hubble",
                "h0",
                "hubbleconstantnow",
                "cosmologyhubbleconstantnow",
            ],
            Self::SpectralIndex => &["primordialindex", "ns", "powerindex", "spectralindex"],
            Self::Sigma8 => &["sigma8"],
            Self::Cosmological => &["comovingintegrationon", "cosmologicalrun", "comovingcoordinates"],
            Self::UnitLength => &["unitlengthincm", "unitlengthincgs", "unitlength"],
            Self::UnitMass => &["unitmassing", "unitmassincgs", "unitmass"],
            Self::UnitVelocity => &["unitvelocityincmpers", "unitvelocityincgs", "unitvelocity"],
            Self::PlainUnitLength => &["unitlengthincgsul"],
            Self::PlainUnitMass => &["unitmassincgsum"],
            Self::PlainUnitTime => &["unittimeincgsut"],
            Self::CountsHere => &["numpartthisfile", "npartthisfile"],
            Self::Counts => &["numparttotal", "nparttotal"],
            Self::CountsHigh => &["numparttotalhighword", "numparttotalhw", "nparttotalhighword"],
            Self::MassTable => &["masstable"],
            Self::Files => &["numfilespersnapshot", "numfiles", "nfiles"],
            Self::GroupsHere => &["ngroupsthisfile"],
            Self::Groups => &["ngroupstotal"],
            Self::BoxUnit => &["boxsizeunit", "boxsizeunits", "boxunit", "boxunits", "lengthunit", "lengthunits"],
            Self::HubbleScaling => &["hscaling", "hscaleexponent"],
            Self::ExpansionScaling => &["ascaling", "ascaleexponent", "aexpscaleexponent"],
        }
    }
}

/// A name without what codes differ in.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What was found, and where.
#[derive(Debug, Clone)]
pub(in crate::io) struct Found {
    /// Its numbers, one for a scalar.
    pub values: Vec<f64>,
    /// Where, as `Header/Omega0`.
    pub name: String,
}

impl Found {
    /// The first number.
    pub fn first(&self) -> f64 {
        self.values.first().copied().unwrap_or(f64::NAN)
    }
}

struct Place {
    name: String,
    location: Location,
    /// Plain names to the names in the file.
    names: BTreeMap<String, String>,
}

/// Where the attributes of a file are looked for, in order.
pub(in crate::io) struct Places(Vec<Place>);

impl Places {
    /// The groups of `file` (those that exist) and then the file itself.
    pub fn of_file(file: &File, groups: &[&str]) -> Self {
        let opened = groups.iter().filter_map(|name| Some(((*name).to_owned(), file.group(name).ok()?)));
        let mut places: Vec<Place> = opened.map(|(name, group)| Place::new(name, (*group).clone())).collect();
        places.push(Place::new(String::new(), (***file).clone()));
        Self(places)
    }

    /// Every group of a file `depth` levels deep, the outer ones first.
    pub fn everywhere(file: &File, depth: usize) -> Self {
        let mut places = vec![Place::new(String::new(), (***file).clone())];
        let mut level: Vec<(String, Group)> = vec![(String::new(), (**file).clone())];
        for _ in 0..depth {
            let mut next = Vec::new();
            for (path, group) in &level {
                for name in group.member_names().unwrap_or_default() {
                    if places.len() >= MOST_PLACES {
                        break;
                    }
                    if let Ok(inner) = group.group(&name) {
                        let full = if path.is_empty() { name } else { format!("{path}/{name}") };
                        places.push(Place::new(full.clone(), (*inner).clone()));
                        next.push((full, inner));
                    }
                }
            }
            level = next;
        }
        Self(places)
    }

    /// One location.
    pub fn only(name: &str, location: &Location) -> Self {
        Self(vec![Place::new(name.to_owned(), location.clone())])
    }

    /// Put a location before all others.
    pub fn before(mut self, name: &str, location: &Location) -> Self {
        self.0.insert(0, Place::new(name.to_owned(), location.clone()));
        self
    }

    /// Every place that gives `parameter`, in order.
    pub fn all(&self, parameter: Parameter) -> Vec<Found> {
        let named = |place: &Place, name: &String| {
            let values = numbers(&place.location, name).filter(|values| !values.is_empty())?;
            Some(Found { values, name: place.full(name) })
        };
        self.named(parameter).filter_map(|(place, name)| named(place, name)).collect()
    }

    /// The first place that gives `parameter`; `None` where it is not given.
    pub fn find(&self, parameter: Parameter) -> Option<Found> {
        self.all(parameter).into_iter().next()
    }

    /// The first place that gives `parameter` as integers.
    pub fn integers(&self, parameter: Parameter) -> Option<Vec<i128>> {
        self.named(parameter).find_map(|(place, name)| integers(&place.location, name))
    }

    /// The first place that gives `parameter` as a text.
    pub fn text(&self, parameter: Parameter) -> Option<String> {
        self.named(parameter).find_map(|(place, name)| text(&place.location, name))
    }

    /// Whether any place has it.
    pub fn has(&self, parameter: Parameter) -> bool {
        self.named(parameter).next().is_some()
    }

    fn named(&self, parameter: Parameter) -> impl Iterator<Item = (&Place, &String)> {
        self.0.iter().flat_map(move |place| {
            parameter.spellings().iter().filter_map(move |spelling| Some((place, place.names.get(*spelling)?)))
        })
    }
}

impl Place {
    fn new(name: String, location: Location) -> Self {
        let names = attribute_names(&location);
        Self { name, location, names: names.into_iter().map(|name| (plain(&name), name)).collect() }
    }

    fn full(&self, name: &str) -> String {
        if self.name.is_empty() { name.to_owned() } else { format!("{}/{name}", self.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_plain_and_belong_to_one_parameter() {
        use Parameter::*;
        let all = [
            BoxSize,
            Redshift,
            ScaleFactor,
            Time,
            OmegaM,
            OmegaLambda,
            OmegaB,
            Hubble,
            SpectralIndex,
            Sigma8,
            Cosmological,
            UnitLength,
            UnitMass,
            UnitVelocity,
            PlainUnitLength,
            PlainUnitMass,
            PlainUnitTime,
            CountsHere,
            Counts,
            CountsHigh,
            MassTable,
            Files,
            GroupsHere,
            Groups,
            BoxUnit,
            HubbleScaling,
            ExpansionScaling,
        ];
        let mut seen = BTreeMap::new();
        for parameter in all {
            for spelling in parameter.spellings() {
                assert_eq!(*spelling, plain(spelling));
                assert!(seen.insert(*spelling, parameter).is_none(), "{spelling} has two meanings");
            }
        }
        assert_eq!(plain("Unit length in cgs (U_L)"), "unitlengthincgsul");
    }
}
