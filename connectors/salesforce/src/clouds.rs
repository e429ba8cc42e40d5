//! Who holds the permission-set licences that tell Sales Cloud from Service Cloud: one query a page of users, and only in
//! orgs that have these licences (salesforce.md §3.5).

use std::collections::BTreeSet;

use seatwise_connector_sdk::{Call, Failure, Level};
use serde::Deserialize;

use crate::{
    api::Api,
    ids,
    model::{Text, UserRow},
    org,
    probe::CloudLicences,
    products::{self, Clouds},
    soql,
};

/// The holders among one page of users.
#[derive(Debug, Default)]
pub struct Holders {
    sales: BTreeSet<String>,
    service: BTreeSet<String>,
}

impl Holders {
    /// What the licences say about one user; the flags on the user are not looked at here.
    pub fn of(&self, id: &str) -> Clouds {
        Clouds {
            has_sales_licence: self.sales.contains(id),
            has_service_licence: self.service.contains(id),
            ..Clouds::default()
        }
    }
}

impl Holders {
    /// Notes that somebody holds a permission-set licence; only those of the two clouds tell anything.
    pub fn note(&mut self, holder: &str, developer_name: &str) {
        match developer_name {
            products::SALES_LICENCE => self.sales.insert(holder.to_owned()),
            products::SERVICE_LICENCE => self.service.insert(holder.to_owned()),
            _ => false,
        };
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(default)]
    assignee_id: Option<String>,
    #[serde(default)]
    permission_set_license_id: Option<String>,
}

/// The holders among a page of users in the order of their ids. Where the right was lost meanwhile, nobody is found and
/// the products become guesses.
///
/// # Errors
/// What the query fails with.
pub fn of_page(
    call: &Call<'_>,
    api: &Api<'_>,
    licences: Option<&CloudLicences>,
    rows: &[UserRow<'_>],
) -> Result<Holders, Failure> {
    let mut holders = Holders::default();
    let Some(licences) = licences else {
        return Ok(holders);
    };
    let wanted: Vec<&str> = [&licences.sales, &licences.service]
        .into_iter()
        .filter_map(Option::as_deref)
        .collect();
    let mut full = rows
        .iter()
        .filter(|row| row.licence_key() == Some("SFDC"))
        .map(|row| row.id.as_str());
    let Some(first) = full.next().filter(|_| !wanted.is_empty()) else {
        return Ok(holders);
    };
    let last = full.next_back().unwrap_or(first);
    let query = format!(
        "SELECT AssigneeId, PermissionSetLicenseId FROM PermissionSetLicenseAssign \
         WHERE PermissionSetLicenseId IN ({}) AND AssigneeId >= {} AND AssigneeId <= {} ORDER BY Id",
        soql::list(wanted),
        soql::quote(first),
        soql::quote(last)
    );
    let found: Vec<Row> = match api.rows(&query) {
        Ok(found) => found,
        Err(failure) if org::is_absent(&failure) => {
            call.log(
                Level::Warn,
                "permission-set licences cannot be read any more; Sales Cloud is a guess",
                &[("code", &failure.code)],
            );
            return Ok(holders);
        }
        Err(failure) => return Err(failure),
    };
    for row in found {
        let wide = |id: Option<String>| id.as_deref().and_then(ids::widen).map(Into::into);
        let licence: Option<String> = wide(row.permission_set_license_id);
        let Some(holder) = wide(row.assignee_id) else {
            continue;
        };
        if licence == licences.sales {
            holders.sales.insert(holder);
        } else if licence == licences.service {
            holders.service.insert(holder);
        }
    }
    Ok(holders)
}

impl UserRow<'_> {
    /// The key of the user licence, through the profile.
    pub fn licence_key(&self) -> Option<&str> {
        let licence = self.profile.as_ref()?.user_license.as_ref()?;
        licence.license_definition_key.as_ref().map(Text::as_str)
    }
}
