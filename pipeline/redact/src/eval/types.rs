//! What the types of a labelled set are called here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The type map that ships: names of presidio-research, WNUT, ai4privacy and Presidio itself, as TOML.
pub const SHIPPED_TYPE_MAP: &str = include_str!("types.toml");

/// Maps the type names of labels *and* of predictions to one set of names, by default those of
/// [`PiiKind`](crate::PiiKind). Names are compared without regard to case, `-`, `_` and space.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TypeMap {
    /// Foreign name to ours. A name that is not listed stands for itself if it is one of the values.
    pub types: BTreeMap<String, String>,
    /// Ours to the types that are also right where it was expected: a street address found as a place is found.
    pub also: BTreeMap<String, Vec<String>>,
    /// Types that don't count: where they stand in the labels, a mark is neither right nor wrong; as predictions
    /// they are left out.
    pub neutral: Vec<String>,
}

/// A name as it is compared.
fn key(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect()
}

/// A [`TypeMap`] ready for look-ups.
#[derive(Clone, Debug)]
pub(super) struct Types {
    names: Vec<String>,
    by_key: BTreeMap<String, Option<usize>>,
    also: Vec<Vec<usize>>,
}

/// What a name stands for.
pub(super) enum Meaning {
    Type(usize),
    Neutral,
    Unknown,
}

impl Types {
    pub(super) fn new(map: &TypeMap) -> Self {
        let mut types = Self { names: Vec::new(), by_key: BTreeMap::new(), also: Vec::new() };
        for kind in crate::PiiKind::ALL {
            types.named(kind.as_str());
        }
        for (foreign, ours) in &map.types {
            let index = types.named(ours);
            types.by_key.insert(key(foreign), Some(index));
        }
        for (ours, others) in &map.also {
            let index = types.named(ours);
            for other in others {
                let other = types.named(other);
                types.also[index].push(other);
            }
        }
        for name in &map.neutral {
            types.by_key.insert(key(name), None);
        }
        types
    }

    fn named(&mut self, name: &str) -> usize {
        if let Some(index) = self.names.iter().position(|known| known == name) {
            return index;
        }
        self.names.push(name.to_owned());
        self.also.push(Vec::new());
        let index = self.names.len() - 1;
        self.by_key.insert(key(name), Some(index));
        index
    }

    pub(super) fn meaning(&self, name: &str) -> Meaning {
        match self.by_key.get(&key(name)) {
            Some(Some(index)) => Meaning::Type(*index),
            Some(None) => Meaning::Neutral,
            None => Meaning::Unknown,
        }
    }

    pub(super) fn name(&self, index: usize) -> &str {
        &self.names[index]
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether a prediction of `predicted` is right where `expected` stands.
    pub(super) fn accepts(&self, expected: usize, predicted: usize) -> bool {
        expected == predicted || self.also[expected].contains(&predicted)
    }
}
