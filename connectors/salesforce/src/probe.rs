//! What a download needs to know beside the users, asked for once: who may use the API only, and which permission-set licences
//! tell the clouds apart. Absence is no failure.

use seatwise_connector_sdk::{Call, Failure, Level};
use serde::Deserialize;

use crate::{
    api::Api,
    ids, org, products,
    settings::{LicenceKind, Settings},
};

/// API-only users that the memo holds: 400 ids are half of what it may have. An org has some dozens.
pub const API_ONLY_KNOWN: usize = 400;

/// Ids of the permission-set licences of the two clouds, where the org has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudLicences {
    /// Of Sales Cloud.
    pub sales: Option<String>,
    /// Of Service Cloud.
    pub service: Option<String>,
}

/// The licences of the two clouds; none where the settings leave permission-set licences alone, or where they cannot be read.
///
/// # Errors
/// What says nothing about rights: the vendor is down, the limit is spent.
pub fn cloud_licences(api: &Api<'_>, settings: &Settings) -> Result<CloudLicences, Failure> {
    if !settings.reads(LicenceKind::PermissionSetLicences) {
        return Ok(CloudLicences::default());
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        id: String,
        #[serde(default)]
        developer_name: Option<String>,
    }
    let query = format!(
        "SELECT Id, DeveloperName FROM PermissionSetLicense WHERE DeveloperName IN ('{}','{}')",
        products::SALES_LICENCE,
        products::SERVICE_LICENCE
    );
    let rows: Vec<Row> = match api.rows(&query) {
        Ok(rows) => rows,
        Err(failure) if org::is_absent(&failure) => return Ok(CloudLicences::default()),
        Err(failure) => return Err(failure),
    };
    let mut found = CloudLicences::default();
    for row in rows {
        let id = ids::widen(&row.id).map(Into::into);
        match row.developer_name.as_deref() {
            Some(products::SALES_LICENCE) => found.sales = id,
            Some(products::SERVICE_LICENCE) => found.service = id,
            _ => {}
        }
    }
    Ok(found)
}

/// Who may use the API only, by profile or permission set: each profile owns a permission set that shows up here too. `None`
/// where permission sets cannot be read.
///
/// # Errors
/// What says nothing about rights: the vendor is down, the limit is spent.
pub fn api_only(call: &Call<'_>, api: &Api<'_>) -> Result<Option<Vec<String>>, Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Row {
        #[serde(default)]
        assignee_id: Option<String>,
    }
    // Twice as many rows as users: a profile and a permission set may both say it.
    let query = format!(
        "SELECT AssigneeId FROM PermissionSetAssignment WHERE PermissionSet.PermissionsApiUserOnly = true \
         ORDER BY AssigneeId LIMIT {}",
        2 * API_ONLY_KNOWN
    );
    let rows: Vec<Row> = match api.rows(&query) {
        Ok(rows) => rows,
        Err(failure) if org::is_absent(&failure) => {
            call.log(
                Level::Info,
                "permission sets cannot be read; API-only users are those known before, and known by their licence",
                &[("code", &failure.code)],
            );
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    };
    let mut ids: Vec<String> = rows
        .iter()
        .filter_map(|row| ids::widen(row.assignee_id.as_deref()?).map(Into::into))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > API_ONLY_KNOWN {
        call.log(
            Level::Warn,
            "more API-only users than are remembered; the rest are known by their licence alone",
            &[],
        );
        ids.truncate(API_ONLY_KNOWN);
    }
    Ok(Some(ids))
}
