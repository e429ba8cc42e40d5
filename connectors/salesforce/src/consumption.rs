//! What the org owns and uses, as Salesforce counts it: one page for each kind of licence, totals of the whole org whatever the
//! profile's filters are.
//!
//! User licences are mandatory. Each other page is left out, with a word in the log, where a right or the feature is missing;
//! the checks tell which.

use seatwise_connector_sdk::{
    Attribute, Call, Failure, Level, attribute,
    consumption::{Metric, Page, Pool},
    cursor::{Reader, Writer},
    failure,
};
use serde::Deserialize;

use crate::{
    api::Api,
    org::{self, Org},
    pools,
    settings::{LicenceKind, Settings},
    time,
};

/// Format of the cursor.
const CURSOR_VERSION: u8 = 1;

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

/// All user licences, as they are everywhere.
///
/// # Errors
/// What the query fails with; `permission` without View Setup and Configuration.
pub fn licences(api: &Api<'_>) -> Result<Vec<LicenceRow>, Failure> {
    api.rows(&licences_query(""))
}

/// All user licences with their monthly logins, and whether the org has those columns: they need Digital Experiences and View
/// Setup and Configuration, and are a hidden field otherwise.
fn licences_with_logins(api: &Api<'_>) -> Result<(Vec<LicenceRow>, bool), Failure> {
    let with = licences_query(", MonthlyLoginsEntitlement, MonthlyLoginsUsed");
    match api.rows(&with) {
        Err(failure) if failure.code == "INVALID_FIELD" => Ok((licences(api)?, false)),
        read => Ok((read?, true)),
    }
}

fn licences_query(more: &str) -> String {
    format!(
        "SELECT Id, Name, MasterLabel, LicenseDefinitionKey, Status, TotalLicenses, UsedLicenses, \
         UsedLicensesLastUpdated{more} FROM UserLicense ORDER BY Id"
    )
}

/// The pages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    UserLicences,
    PermissionSetLicences,
    Packages,
    Features,
    Entitlements,
}

impl Stage {
    const ALL: [Self; 5] = [
        Self::UserLicences,
        Self::PermissionSetLicences,
        Self::Packages,
        Self::Features,
        Self::Entitlements,
    ];

    fn is_wanted(self, settings: &Settings) -> bool {
        match self {
            Self::UserLicences | Self::Entitlements => true,
            Self::PermissionSetLicences => settings.reads(LicenceKind::PermissionSetLicences),
            Self::Packages => settings.reads(LicenceKind::Packages),
            Self::Features => settings.reads(LicenceKind::Features),
        }
    }

    /// For the log.
    fn object(self) -> &'static str {
        match self {
            Self::UserLicences => "UserLicense",
            Self::PermissionSetLicences => "PermissionSetLicense",
            Self::Packages => "PackageLicense",
            Self::Features => "ActiveFeatureLicenseMetric",
            Self::Entitlements => "TenantUsageEntitlement",
        }
    }

    fn read(resume: Option<&[u8]>) -> Result<usize, Failure> {
        let Some(bytes) = resume else { return Ok(0) };
        let mut reader = Reader::open(bytes, CURSOR_VERSION)?;
        let number = usize::try_from(reader.number()?).unwrap_or(usize::MAX);
        reader.end()?;
        if number < Self::ALL.len() {
            Ok(number)
        } else {
            Err(failure::invalid_input(
                "cursor_damaged",
                "The resume point names no page",
            ))
        }
    }
}

/// One page of pools.
///
/// # Errors
/// As [`licences`]; and what says nothing about rights: the vendor is down, the limit is spent.
pub fn download(call: &Call<'_>, resume: Option<&[u8]>) -> Result<Page, Failure> {
    let number = Stage::read(resume)?;
    let stage = Stage::ALL[number];
    let settings = Settings::of(call.ctx)?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let read = match stage {
        Stage::UserLicences => user_licences(call, &api),
        Stage::PermissionSetLicences => pools::permission_set_licences(&api),
        Stage::Packages => pools::packages(&api),
        Stage::Features => pools::features(&api),
        Stage::Entitlements => pools::entitlements(&api, call.ctx.now),
    };
    let pools = match read {
        Ok(pools) => pools,
        Err(failure) if stage != Stage::UserLicences && org::is_absent(&failure) => {
            call.log(
                Level::Warn,
                "a kind of licence cannot be read; its totals are left out",
                &[("object", stage.object()), ("code", &failure.code)],
            );
            vec![]
        }
        Err(failure) => return Err(failure),
    };
    let next = Stage::ALL
        .iter()
        .enumerate()
        .skip(number + 1)
        .find(|(_, stage)| stage.is_wanted(&settings))
        .map(|(number, _)| Writer::new(CURSOR_VERSION).number(number as u64).finish());
    Ok(Page {
        pools,
        next,
        usage: api.usage(),
    })
}

fn user_licences(call: &Call<'_>, api: &Api<'_>) -> Result<Vec<Pool>, Failure> {
    let mut pools: Vec<Pool> = vec![];
    let (rows, shows_logins) = licences_with_logins(api)?;
    for row in rows {
        let Some(pool) = pool(row, shows_logins, call.ctx.now) else {
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
    Ok(pools)
}

fn pool(row: LicenceRow, shows_logins: bool, now: i64) -> Option<Pool> {
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
    if row.total_licenses.is_some_and(|total| total < 0) {
        attributes.push(attribute("unlimited", "true"));
    }
    // Login licences: the pool is logins a month; the number of members says nothing about what is used up.
    let (metric, owned, used, period) = match row.monthly_logins_entitlement {
        Some(entitlement) => {
            if let Some(members) = row.used_licenses {
                attributes.push(attribute("members", members.to_string()));
            }
            (
                Metric::Logins,
                count(Some(entitlement)),
                count(row.monthly_logins_used),
                time::month(now),
            )
        }
        None => {
            if identifier.ends_with("_Login") && !shows_logins {
                attributes.push(attribute(
                    "monthly_logins",
                    "not shown: needs Digital Experiences and View Setup and Configuration",
                ));
            }
            (
                Metric::Seats,
                count(row.total_licenses),
                count(row.used_licenses),
                None,
            )
        }
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
