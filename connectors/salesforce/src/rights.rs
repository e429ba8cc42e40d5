//! The connecting user's own rights, read and never tried: `UserPermissionAccess`, in the columns that it has in this org.

use std::collections::BTreeMap;

use seatwise_connector_sdk::{Failure, json};
use serde::Deserialize;
use serde_json::Value;

use crate::{api::Api, model::QueryPage, org};

/// Rights that the checks ask about, in Salesforce's API names without `Permissions` (salesforce.md §3.1).
pub const ASKED: [&str; 10] = [
    "ApiEnabled",
    "ViewSetup",
    "ManageUsers",
    "MonitorLoginHistory",
    "ModifyAllData",
    "ViewAllData",
    "ModifyMetadata",
    "CustomizeApplication",
    "AuthorApex",
    "ManageEncryptionKeys",
];

/// What is known of the connecting user's rights.
#[derive(Debug, Default)]
pub struct Rights(BTreeMap<&'static str, bool>);

impl Rights {
    /// Two calls; nothing is known where the object cannot be read.
    ///
    /// # Errors
    /// What says nothing about rights: the vendor is down, the limit is spent, the token is dead.
    pub fn read(api: &Api<'_>) -> Result<Self, Failure> {
        let Some(fields) = org::describe(api, "UserPermissionAccess")? else {
            return Ok(Self::default());
        };
        let known: Vec<(&'static str, String)> = ASKED
            .into_iter()
            .map(|right| (right, format!("Permissions{right}")))
            .filter(|(_, column)| fields.iter().any(|field| field.name == *column))
            .collect();
        if known.is_empty() {
            return Ok(Self::default());
        }
        let columns: Vec<&str> = known.iter().map(|(_, column)| column.as_str()).collect();
        let query = format!("SELECT {} FROM UserPermissionAccess", columns.join(", "));
        let answer = match api.query(&query) {
            Ok(answer) => answer,
            Err(failure) if org::is_absent(&failure) => return Ok(Self::default()),
            Err(failure) => return Err(failure),
        };
        #[derive(Deserialize)]
        struct Row(BTreeMap<String, Value>);
        let page: QueryPage<'_, Row> = json::parse(answer.body())?;
        let Some(Row(row)) = page.records.into_iter().next() else {
            return Ok(Self::default());
        };
        let told = |(right, column): (&'static str, String)| {
            let told = row.get(&column)?.as_bool()?;
            Some((right, told))
        };
        Ok(Self(known.into_iter().filter_map(told).collect()))
    }

    /// Whether the user has a right; `None` where Salesforce does not say.
    pub fn has(&self, right: &str) -> Option<bool> {
        self.0.get(right).copied()
    }

    /// Whether anything is known at all.
    pub fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether logins of everybody are shown; `None` where it cannot be known.
    pub fn shows_all_logins(&self) -> Option<bool> {
        let either = [self.has("ManageUsers"), self.has("MonitorLoginHistory")];
        if either.contains(&Some(true)) {
            Some(true)
        } else if either.contains(&None) {
            None
        } else {
            Some(false)
        }
    }
}
