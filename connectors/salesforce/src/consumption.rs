//! Licence pools: what the org owns and uses, by licence key, as Salesforce counts it.

use seatwise_connector_sdk::{
    Attribute, Call, Failure, attribute,
    consumption::{Metric, Page, Pool},
};
use serde::Deserialize;

use crate::{api::Api, org::Org, time};

/// A row of `UserLicense`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LicenceRow {
    /// Display name; may occur twice.
    #[serde(default)]
    pub name: Option<String>,
    /// Label, newer than the name.
    #[serde(default)]
    pub master_label: Option<String>,
    /// The stable key.
    #[serde(default)]
    pub license_definition_key: Option<String>,
    /// `Active` or `Disabled`.
    #[serde(default)]
    pub status: Option<String>,
    /// Bought; negative where there is no bound.
    #[serde(default)]
    pub total_licenses: Option<i64>,
    /// Held by active users, perhaps as of yesterday.
    #[serde(default)]
    pub used_licenses: Option<i64>,
    /// As of when.
    #[serde(default)]
    pub used_licenses_last_updated: Option<String>,
    /// Null: charged per member, not per login.
    #[serde(default)]
    pub monthly_logins_entitlement: Option<i64>,
    /// Null unless the entitlement is set.
    #[serde(default)]
    pub monthly_logins_used: Option<i64>,
}

/// All user licences.
///
/// # Errors
/// What the query fails with; `permission` without View Setup and Configuration.
pub fn licences(api: &Api<'_>, org: &Org) -> Result<Vec<LicenceRow>, Failure> {
    let logins = if org.monthly_logins {
        ", MonthlyLoginsEntitlement, MonthlyLoginsUsed"
    } else {
        ""
    };
    api.rows(&format!(
        "SELECT Id, Name, MasterLabel, LicenseDefinitionKey, Status, TotalLicenses, UsedLicenses, \
         UsedLicensesLastUpdated{logins} FROM UserLicense ORDER BY Id"
    ))
}

/// The one page there is: an org has some dozens of licences.
///
/// # Errors
/// As [`licences`].
pub fn download(call: &Call<'_>, _: Option<&[u8]>) -> Result<Page, Failure> {
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let mut pools: Vec<Pool> = vec![];
    for row in licences(&api, &org)? {
        let Some(pool) = pool(row, call.ctx.now) else {
            continue;
        };
        let same =
            |other: &&mut Pool| other.identifier == pool.identifier && other.metric == pool.metric;
        match pools.iter_mut().find(same) {
            // One key in two rows is one pool with the sum of both.
            Some(first) => {
                first.owned = first.owned.zip(pool.owned).map(|(a, b)| a + b);
                first.used = first.used.zip(pool.used).map(|(a, b)| a + b);
                first.active |= pool.active;
            }
            None => pools.push(pool),
        }
    }
    Ok(Page {
        pools,
        next: None,
        usage: api.usage(),
    })
}

fn pool(row: LicenceRow, now: i64) -> Option<Pool> {
    let identifier = row.license_definition_key?;
    let label = row
        .master_label
        .or_else(|| row.name.clone())
        .unwrap_or_else(|| identifier.clone());
    let count = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    let mut attributes: Vec<Attribute> = vec![];
    if let Some(name) = row.name {
        attributes.push(attribute("name", name));
    }
    if let Some(at) = row.used_licenses_last_updated {
        attributes.push(attribute("used_as_of", at));
    }
    // Login licences: the pool is logins a month; the number of members says nothing about what is used up.
    let (metric, owned, used, period) = match row.monthly_logins_entitlement {
        Some(entitlement) => (
            Metric::Logins,
            count(Some(entitlement)),
            count(row.monthly_logins_used),
            time::month(now),
        ),
        None => (
            Metric::Seats,
            count(row.total_licenses),
            count(row.used_licenses),
            None,
        ),
    };
    Some(Pool {
        identifier,
        label,
        metric,
        owned,
        used,
        period,
        expires: None,
        active: row.status.as_deref() != Some("Disabled"),
        attributes,
    })
}
