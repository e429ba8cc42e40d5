//! One row of `User` as an account, with its user licence and its feature licences as assignments.
//!
//! Identifiers: the licence key itself (`SFDC`), and `feature:NAME` for a feature licence, where `NAME` is the column without
//! its `UserPermissions` (`feature:SupportUser`), which is also the vendor's word in `ActiveFeatureLicenseMetric`.

use seatwise_connector_sdk::{
    Attribute, Failure, attribute, failure,
    subscriptions::{Account, Assignment, LastActivity, Page},
};

use crate::{
    clouds::Holders,
    ids, kinds,
    model::{Text, UserRow},
    org::Org,
    products::{self, Clouds},
    scope::{Scope, Subject},
    settings::{LicenceKind, Settings},
    time,
};

/// What a row is read with.
pub struct Lens<'a> {
    /// The org, with its API-only users.
    pub org: &'a Org,
    /// The profile's.
    pub settings: &'a Settings,
    /// Who holds which cloud's licence.
    pub holders: &'a Holders,
}

fn text<'a>(value: &'a Option<Text<'_>>) -> &'a str {
    value.as_ref().map_or("", Text::as_str)
}

/// Whether the profile's filters want a row.
pub fn is_wanted(row: &UserRow<'_>, scope: &Scope) -> bool {
    scope.wants(Subject {
        is_active: row.is_active,
        user_type: text(&row.user_type),
        email: row.email.as_ref().map(Text::as_str),
        licence: row.licence_key().unwrap_or_default(),
    })
}

/// Adds the account and what it holds to a page.
///
/// # Errors
/// `malformed`, code `bad_id`.
pub fn push(page: &mut Page, row: UserRow<'_>, lens: &Lens<'_>) -> Result<(), Failure> {
    let id = ids::widen(row.id.as_str())
        .ok_or_else(|| failure::malformed("bad_id", "A user's id is no Salesforce id"))?
        .into_owned();
    let (kind, reason) = kinds::decide(kinds::Facts {
        user_type: text(&row.user_type),
        username: text(&row.username),
        has_profile: row.profile.is_some(),
        licence: row.licence_key().unwrap_or_default(),
        is_api_only: lens.org.is_api_only(&id),
    });
    let features = row.features();
    if let Some(assignment) = user_licence(&row, &id, &features, lens.holders) {
        page.assignments.push(assignment);
    }
    if lens.settings.reads(LicenceKind::Features) {
        page.assignments
            .extend(features.iter().map(|feature| Assignment {
                account: id.clone(),
                identifier: format!("feature:{feature}"),
                id: None,
                assigned: None,
                evidence: vec![attribute("column", crate::org::feature_column(feature))],
            }));
    }
    let is_third_party = row.contact_id.is_some() || row.account_id.is_some();
    let mut attributes: Vec<Attribute> = vec![];
    let mut push = |name: &str, value: Option<Text<'_>>| {
        if let Some(value) = value {
            attributes.push(attribute(name, value.into_string()));
        }
    };
    push("user_type", row.user_type);
    push("department", row.department);
    push("division", row.division);
    push("company", row.company_name);
    push("title", row.title);
    push("city", row.city);
    push("country", row.country);
    push("employee_number", row.employee_number);
    push("federation_id", row.federation_identifier);
    push("customer_account_id", row.account_id);
    if let Some(enabled) = row.forecast_enabled {
        attributes.push(attribute("forecast_enabled", enabled.to_string()));
    }
    if is_third_party {
        attributes.push(attribute("third_party", "true"));
    }
    if let Some(reason) = reason {
        attributes.push(attribute("kind.reason", reason));
    }
    let last_activity = match &row.last_login_date {
        None => LastActivity::Unknown,
        Some(None) => LastActivity::Never,
        // A date that is none must not look like "never", and one before there was a Salesforce not like a seat unused for decades.
        Some(Some(date)) => time::parse(date.as_str())
            .filter(|at| *at > 0)
            .map_or(LastActivity::Unknown, LastActivity::At),
    };
    page.accounts.push(Account {
        principal: row.username.map_or_else(|| id.clone(), Text::into_string),
        id,
        email: row.email.map(Text::into_string),
        name: row.name.map(Text::into_string),
        kind,
        active: row.is_active.unwrap_or(true),
        created: row
            .created_date
            .as_ref()
            .and_then(|date| time::parse(date.as_str())),
        last_activity,
        attributes,
    });
    Ok(())
}

/// The seat itself, with everything that says which product it is.
fn user_licence(
    row: &UserRow<'_>,
    id: &str,
    features: &[&str],
    holders: &Holders,
) -> Option<Assignment> {
    let profile = row.profile.as_ref()?;
    let licence = profile.user_license.as_ref()?;
    let key = licence.license_definition_key.clone()?.into_string();
    let mut evidence = Vec::with_capacity(9);
    let mut push = |name: &str, value: &Option<Text<'_>>| {
        if let Some(value) = value {
            evidence.push(attribute(name, value.clone().into_string()));
        }
    };
    push("licence", &licence.name);
    push("licence_label", &licence.master_label);
    push("profile", &profile.name);
    if text(&licence.status) == "Disabled" {
        push("licence_status", &licence.status);
    }
    evidence.push(attribute("licence_normalised", products::readable(&key)));
    if let Some(description) = products::description(&key) {
        evidence.push(attribute("licence_description", description));
    }
    let is_support_user = features.contains(&"SupportUser");
    if is_support_user {
        evidence.push(attribute("feature", "SupportUser"));
    }
    let clouds = Clouds {
        is_support_user,
        has_forecasts: row.forecast_enabled == Some(true),
        is_marketing_user: features.contains(&"MarketingUser"),
        ..holders.of(id)
    };
    let name = text(&licence.name);
    if let Some(found) = products::recognise(&key, name, text(&row.user_type), clouds) {
        evidence.push(attribute("product", found.product));
        evidence.push(attribute("product.evidence", found.evidence));
        evidence.push(attribute("product.derived", found.is_derived.to_string()));
    }
    Some(Assignment {
        account: id.to_owned(),
        identifier: key,
        id: None,
        assigned: None,
        evidence,
    })
}
