//! Which org this is.

use seatwise_connector_sdk::{
    Call, Failure,
    connection::{Environment, Organization},
    failure,
};
use serde::Deserialize;

use crate::{api::Api, ids, org::Org, settings::Settings, shown};

/// The one row of `Organization`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct OrganizationRow {
    /// 15 or 18 characters.
    pub id: String,
    /// Company name.
    #[serde(default)]
    pub name: Option<String>,
    /// Edition, as Salesforce words it.
    #[serde(default)]
    pub organization_type: Option<String>,
    /// A Salesforce sandbox.
    #[serde(default)]
    pub is_sandbox: Option<bool>,
    /// Set while the org is a trial.
    #[serde(default)]
    pub trial_expiration_date: Option<String>,
    /// IANA name.
    #[serde(default)]
    pub time_zone_sid_key: Option<String>,
}

/// Reads the one row.
///
/// # Errors
/// `malformed` where there is none or no id; else what the query fails with.
pub fn organization(api: &Api<'_>) -> Result<OrganizationRow, Failure> {
    let mut row = api
        .rows::<OrganizationRow>(
            "SELECT Id, Name, OrganizationType, IsSandbox, TrialExpirationDate, TimeZoneSidKey FROM Organization",
        )?
        .into_iter()
        .next()
        .ok_or_else(|| failure::malformed("no_organization", "Salesforce returned no Organization row"))?;
    row.id = ids::widen(&row.id)
        .ok_or_else(|| failure::malformed("bad_id", "The org's id is no Salesforce id"))?
        .into_owned();
    Ok(row)
}

/// Production, a Salesforce sandbox, or a trial.
pub fn environment(row: &OrganizationRow) -> Environment {
    match (row.is_sandbox, &row.trial_expiration_date) {
        (Some(true), _) => Environment::Sandbox,
        (_, Some(_)) => Environment::Trial,
        (Some(false), None) => Environment::Production,
        (None, None) => Environment::Unknown,
    }
}

/// Finds out everything once.
///
/// # Errors
/// Any failure of the requests; nothing is guessed.
pub fn identify(call: &Call<'_>) -> Result<Organization, Failure> {
    let mut org = Org::discover(call)?;
    let api = Api::new(call, &org.version);
    let row = organization(&api)?;
    let accounts = api.count("SELECT COUNT() FROM User")?;
    // What another org has shown says nothing of this one.
    let before = Org::remembered(call)
        .filter(|before| before.org_id.as_deref() == Some(row.id.as_str()))
        .map_or_else(Vec::new, |before| before.shown);
    org.shown = shown::find_out(&api, &Settings::of(call.ctx)?, &before)?;
    let memo = {
        org.org_id = Some(row.id.clone());
        org.to_memo()
    };
    let environment = environment(&row);
    Ok(Organization {
        name: row.name.unwrap_or_else(|| row.id.clone()),
        id: row.id,
        environment,
        edition: row.organization_type,
        time_zone: row.time_zone_sid_key,
        accounts: Some(accounts),
        memo,
    })
}
