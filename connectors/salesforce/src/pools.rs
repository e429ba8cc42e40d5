//! Pools beside user licences: permission-set licences, managed packages, feature licences, usage entitlements
//! (salesforce.md §3.6–3.8, §6).
//!
//! Invariants: null is *not reported*, never zero. −1 is *no bound*: no number owned, and an attribute that says so.

use std::collections::BTreeMap;

use seatwise_connector_sdk::{
    Attribute, Failure, attribute,
    consumption::{Metric, Pool},
};
use serde::Deserialize;

use crate::{
    api::Api,
    holdings::{PACKAGE, PERMISSION_SET_LICENCE},
    org, time,
};

fn count(value: Option<f64>) -> Option<u64> {
    // Amounts are written as decimals; no amount that is whole loses anything below 2^53.
    value
        .filter(|value| (0.0..9.0e15).contains(value))
        .map(|value| value.round() as u64)
}

fn say(attributes: &mut Vec<Attribute>, name: &str, value: Option<String>) {
    if let Some(value) = value {
        attributes.push(attribute(name, value));
    }
}

fn say_unlimited(attributes: &mut Vec<Attribute>, owned: Option<f64>) {
    if owned.is_some_and(|owned| owned < 0.0) {
        attributes.push(attribute("unlimited", "true"));
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PermissionSetLicence {
    id: String,
    #[serde(default)]
    developer_name: Option<String>,
    #[serde(default)]
    master_label: Option<String>,
    #[serde(default)]
    permission_set_license_key: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    total_licenses: Option<f64>,
    #[serde(default)]
    used_licenses: Option<f64>,
    #[serde(default)]
    expiration_date: Option<String>,
}

/// `PermissionSetLicense`.
///
/// # Errors
/// What the query fails with.
pub fn permission_set_licences(api: &Api<'_>) -> Result<Vec<Pool>, Failure> {
    let rows: Vec<PermissionSetLicence> = api.rows(
        "SELECT Id, DeveloperName, MasterLabel, PermissionSetLicenseKey, Status, TotalLicenses, UsedLicenses, \
         ExpirationDate FROM PermissionSetLicense ORDER BY Id",
    )?;
    let pool = |row: PermissionSetLicence| {
        let key = row.developer_name.unwrap_or(row.id);
        let mut attributes = vec![];
        say(&mut attributes, "key", row.permission_set_license_key);
        say_unlimited(&mut attributes, row.total_licenses);
        Pool {
            label: row.master_label.unwrap_or_else(|| key.clone()),
            identifier: format!("{PERMISSION_SET_LICENCE}{key}"),
            metric: Metric::Seats,
            owned: count(row.total_licenses),
            used: count(row.used_licenses),
            period: None,
            expires: row.expiration_date,
            active: row.status.as_deref() != Some("Disabled"),
            attributes,
        }
    };
    Ok(rows.into_iter().map(pool).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PackageLicence {
    id: String,
    #[serde(default)]
    namespace_prefix: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    allowed_licenses: Option<f64>,
    #[serde(default)]
    used_licenses: Option<f64>,
    #[serde(default)]
    expiration_date: Option<String>,
}

/// `PackageLicense`. −1 licences are a site licence.
///
/// # Errors
/// What the query fails with.
pub fn packages(api: &Api<'_>) -> Result<Vec<Pool>, Failure> {
    let rows: Vec<PackageLicence> = api.rows(
        "SELECT Id, NamespacePrefix, Status, AllowedLicenses, UsedLicenses, ExpirationDate FROM PackageLicense ORDER BY Id",
    )?;
    let pool = |row: PackageLicence| {
        let key = row.namespace_prefix.unwrap_or(row.id);
        let mut attributes = vec![];
        say_unlimited(&mut attributes, row.allowed_licenses);
        let active = row.status.as_deref() != Some("Expired");
        say(&mut attributes, "status", row.status);
        Pool {
            identifier: format!("{PACKAGE}{key}"),
            label: key,
            metric: Metric::Seats,
            owned: count(row.allowed_licenses),
            used: count(row.used_licenses),
            period: None,
            expires: row.expiration_date.as_deref().and_then(day),
            active,
            attributes,
        }
    };
    Ok(rows.into_iter().map(pool).collect())
}

/// The day of a date, or of a moment.
fn day(text: &str) -> Option<String> {
    text.get(..10).map(str::to_owned)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FeatureMetric {
    #[serde(default)]
    feature_type: Option<String>,
    #[serde(default)]
    total_license_count: Option<f64>,
    #[serde(default)]
    assigned_user_count: Option<f64>,
    #[serde(default)]
    active_user_count: Option<f64>,
    #[serde(default)]
    metrics_date: Option<String>,
}

/// `ActiveFeatureLicenseMetric`, of each feature the newest row: the only place that has totals of feature licences.
///
/// # Errors
/// What the query fails with.
pub fn features(api: &Api<'_>) -> Result<Vec<Pool>, Failure> {
    let rows: Vec<FeatureMetric> = api.rows(
        "SELECT FeatureType, TotalLicenseCount, AssignedUserCount, ActiveUserCount, MetricsDate \
         FROM ActiveFeatureLicenseMetric",
    )?;
    let mut newest: BTreeMap<String, FeatureMetric> = BTreeMap::new();
    for mut row in rows {
        let Some(feature) = row.feature_type.take() else {
            continue;
        };
        let is_newer = newest
            .get(&feature)
            .is_none_or(|known| known.metrics_date < row.metrics_date);
        if is_newer {
            newest.insert(feature, row);
        }
    }
    let pool = |(feature, row): (String, FeatureMetric)| {
        let mut attributes = vec![];
        let active = count(row.active_user_count).map(|active| active.to_string());
        say(&mut attributes, "logged_in_within_30_days", active);
        say(&mut attributes, "used_as_of", row.metrics_date);
        say_unlimited(&mut attributes, row.total_license_count);
        Pool {
            identifier: format!("feature:{feature}"),
            label: feature,
            metric: Metric::Seats,
            owned: count(row.total_license_count),
            used: count(row.assigned_user_count),
            period: None,
            expires: None,
            active: true,
            attributes,
        }
    };
    Ok(newest.into_iter().map(pool).collect())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entitlement {
    #[serde(default)]
    setting: Option<String>,
    #[serde(default)]
    resource_group_key: Option<String>,
    #[serde(default)]
    master_label: Option<String>,
    #[serde(default)]
    current_amount_allowed: Option<f64>,
    #[serde(default)]
    amount_used: Option<f64>,
    #[serde(default)]
    frequency: Option<String>,
    #[serde(default)]
    start_date: Option<String>,
    #[serde(default)]
    end_date: Option<String>,
    #[serde(default)]
    usage_date: Option<String>,
}

/// `TenantUsageEntitlement`, and page views of the org. Of several rows of one setting the one whose time it is counts, else
/// the newest.
///
/// # Errors
/// What the query fails with.
pub fn entitlements(api: &Api<'_>, now: i64) -> Result<Vec<Pool>, Failure> {
    let rows: Vec<Entitlement> = api.rows(
        "SELECT Setting, MasterLabel, ResourceGroupKey, CurrentAmountAllowed, AmountUsed, Frequency, StartDate, EndDate, \
         UsageDate FROM TenantUsageEntitlement",
    )?;
    let today = time::day(now);
    let is_current = |row: &Entitlement| {
        today.as_ref().is_some_and(|today| {
            row.start_date.as_ref().is_none_or(|start| start <= today)
                && row.end_date.as_ref().is_none_or(|end| end >= today)
        })
    };
    let mut chosen: BTreeMap<String, Entitlement> = BTreeMap::new();
    for row in rows {
        let Some(setting) = &row.setting else {
            continue;
        };
        let key = match &row.resource_group_key {
            Some(group) if !group.is_empty() => format!("{setting}/{group}"),
            _ => setting.clone(),
        };
        let rank = |row: &Entitlement| (is_current(row), row.start_date.clone());
        let is_better = chosen
            .get(&key)
            .is_none_or(|known| rank(known) < rank(&row));
        if is_better {
            chosen.insert(key, row);
        }
    }
    let mut pools: Vec<Pool> = chosen
        .into_iter()
        .map(|(key, row)| {
            let is_over = row
                .end_date
                .as_ref()
                .zip(today.as_ref())
                .is_some_and(|(end, today)| end < today);
            entitlement(&key, row, !is_over, now)
        })
        .collect();
    pools.extend(page_views(api, now)?);
    Ok(pools)
}

fn entitlement(key: &str, row: Entitlement, active: bool, now: i64) -> Pool {
    let mut attributes = vec![];
    if row.amount_used.is_none() {
        attributes.push(attribute("used", "not reported"));
    }
    say_unlimited(&mut attributes, row.current_amount_allowed);
    let contract = row.start_date.zip(row.end_date.clone());
    // What is counted by the month starts anew with it; anything else is counted over the contract's time.
    let period = match row.frequency.as_deref() {
        Some("Monthly") => time::month(now),
        Some("Daily") => time::day(now).map(|day| (day.clone(), day)),
        _ => contract,
    };
    say(&mut attributes, "frequency", row.frequency);
    say(&mut attributes, "used_as_of", row.usage_date);
    Pool {
        identifier: format!("entitlement:{key}"),
        label: row.master_label.unwrap_or_else(|| key.to_owned()),
        metric: Metric::Units,
        owned: count(row.current_amount_allowed),
        used: count(row.amount_used),
        period,
        expires: row.end_date,
        active,
        attributes,
    }
}

/// `Organization.MonthlyPageViews*`; none where the org has no such columns or no entitlement.
fn page_views(api: &Api<'_>, now: i64) -> Result<Option<Pool>, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Views {
        #[serde(default)]
        monthly_page_views_entitlement: Option<f64>,
        #[serde(default)]
        monthly_page_views_used: Option<f64>,
    }
    let rows: Vec<Views> = match api
        .rows("SELECT MonthlyPageViewsEntitlement, MonthlyPageViewsUsed FROM Organization")
    {
        Ok(rows) => rows,
        Err(failure) if org::is_absent(&failure) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let pool = |row: Views| {
        let owned = row.monthly_page_views_entitlement?;
        Some(Pool {
            identifier: "entitlement:MonthlyPageViews".to_owned(),
            label: "Page views of sites".to_owned(),
            metric: Metric::Units,
            owned: count(Some(owned)),
            used: count(row.monthly_page_views_used),
            period: time::month(now),
            expires: None,
            active: true,
            attributes: vec![],
        })
    };
    Ok(rows.into_iter().next().and_then(pool))
}
