//! How much of the company somebody sees: all of it, or some business units.
//!
//! Invariants: every read of the database names a sight ([`super::Store::read`]), or says in its name that it asks for everything; a
//! sight of some units reads through the views of [`super::seen`], whatever the statement. Pure.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// Everything, or what belongs to these business units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight(Option<BTreeMap<String, String>>);

impl Sight {
    /// Sees the whole company.
    #[must_use]
    pub const fn everything() -> Self {
        Self(None)
    }

    /// Sees these business units, id and name; without any, everything.
    #[must_use]
    pub fn of(units: BTreeMap<String, String>) -> Self {
        Self((!units.is_empty()).then_some(units))
    }

    /// Whether nothing is hidden.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.0.is_none()
    }

    /// Names of the units that are seen; none for whoever sees everything.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let units = self.0.iter().flatten();
        let mut names: Vec<&str> = units.map(|(_, name)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// Ids of the units that are seen; none for whoever sees everything.
    pub(super) fn ids(&self) -> Option<impl Iterator<Item = &str>> {
        self.0
            .as_ref()
            .map(|units| units.keys().map(String::as_str))
    }

    /// Whether something that belongs to these units alone may be told: all of them are seen. `None` is what belongs to no unit.
    #[must_use]
    pub fn covers(&self, units: &[Option<String>]) -> bool {
        self.0.as_ref().is_none_or(|seen| {
            !units.is_empty()
                && units
                    .iter()
                    .all(|unit| unit.as_ref().is_some_and(|unit| seen.contains_key(unit)))
        })
    }
}

/// Shown as the names of the units; null: everything.
impl Serialize for Sight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_whole() {
            serializer.serialize_none()
        } else {
            self.names().serialize(serializer)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sight_covers_what_belongs_to_its_units_alone() {
        let west = Sight::of(BTreeMap::from([("bu_w".to_owned(), "West".to_owned())]));
        let unit = |id: &str| Some(id.to_owned());
        assert!(west.covers(&[unit("bu_w")]));
        for other in [
            vec![],
            vec![None],
            vec![unit("bu_e")],
            vec![unit("bu_w"), unit("bu_e")],
            vec![unit("bu_w"), None],
        ] {
            assert!(!west.covers(&other), "{other:?}");
            assert!(Sight::everything().covers(&other));
        }
        assert_eq!(west.names(), ["West"]);
        assert_eq!(Sight::of(BTreeMap::new()), Sight::everything());
    }
}
