//! How many seats of a user licence are free.

use seatwise_connector_sdk::Failure;

use super::look;
use crate::{
    api::Api,
    consumption::{self, LicenceRow},
};

/// The org's user licences, where they can be read.
#[derive(Default)]
pub struct Seats(Option<Vec<LicenceRow>>);

impl Seats {
    /// Reads them.
    ///
    /// # Errors
    /// What may pass by itself.
    pub fn read(api: &Api<'_>) -> Result<Self, Failure> {
        look::readable(consumption::licences(api)).map(Self)
    }

    /// Seats left of a licence; `None` where it cannot be known or has no bound.
    pub fn free(&self, key: &str) -> Option<i64> {
        let mut free = None;
        for row in self
            .0
            .as_ref()?
            .iter()
            .filter(|row| row.license_definition_key.as_deref() == Some(key))
        {
            match (row.total_licenses, row.used_licenses) {
                (Some(total), Some(used)) if total >= 0 => *free.get_or_insert(0) += total - used,
                _ => return None,
            }
        }
        free
    }
}
