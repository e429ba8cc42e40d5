//! What else an org lets us read, tried once per run: the real query with one row. Absence is no failure; it is remembered, and
//! the checks tell which right is missing.

use seatwise_connector_sdk::{Call, Failure, Level};
use serde::{Deserialize, de::IgnoredAny};

use crate::{
    api::Api,
    ids,
    org::{self, Org},
    products,
    settings::{LicenceKind, Settings},
};

/// API-only users that the memo holds: 400 ids are half of what it may have. An org has some dozens.
pub const API_ONLY_KNOWN: usize = 400;

/// One row of everything that the chain of permission-set licences asks for.
pub const PERMISSION_SET_LICENCES: &str = "SELECT Id, AssigneeId, PermissionSetLicense.DeveloperName FROM PermissionSetLicenseAssign LIMIT 1";
/// One row of what the chain of packages asks for.
pub const PACKAGES: &str = "SELECT Id, UserId, PackageLicenseId FROM UserPackageLicense LIMIT 1";

/// Finds out what the settings ask for and the rights allow.
///
/// # Errors
/// Settings that cannot be read, and what says nothing about rights: the vendor is down, the limit is spent.
pub fn fill(call: &Call<'_>, api: &Api<'_>, org: &mut Org) -> Result<(), Failure> {
    let settings = Settings::of(call.ctx)?;
    if settings.reads(LicenceKind::PermissionSetLicences) {
        org.permission_set_licences = is_readable(call, api, PERMISSION_SET_LICENCES)?;
    }
    if settings.reads(LicenceKind::Packages) {
        org.packages = is_readable(call, api, PACKAGES)?;
    }
    if org.permission_set_licences {
        find_cloud_licences(api, org)?;
    }
    org.api_only = api_only(call, api)?;
    Ok(())
}

fn is_readable(call: &Call<'_>, api: &Api<'_>, query: &str) -> Result<bool, Failure> {
    match api.rows::<IgnoredAny>(query) {
        Ok(_) => Ok(true),
        Err(failure) if org::is_absent(&failure) => {
            let object = query.split(" FROM ").nth(1).unwrap_or(query);
            let object = object.split(' ').next().unwrap_or(object);
            call.log(
                Level::Warn,
                "an object cannot be read; its licences are left out",
                &[("object", object), ("code", &failure.code)],
            );
            Ok(false)
        }
        Err(failure) => Err(failure),
    }
}

fn find_cloud_licences(api: &Api<'_>, org: &mut Org) -> Result<(), Failure> {
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
        Err(failure) if org::is_absent(&failure) => return Ok(()),
        Err(failure) => return Err(failure),
    };
    for row in rows {
        let id = ids::widen(&row.id).map(Into::into);
        match row.developer_name.as_deref() {
            Some(products::SALES_LICENCE) => org.sales_licence = id,
            Some(products::SERVICE_LICENCE) => org.service_licence = id,
            _ => {}
        }
    }
    Ok(())
}

/// Who may use the API only, by profile or permission set: each profile owns a permission set that shows up here too.
fn api_only(call: &Call<'_>, api: &Api<'_>) -> Result<Vec<String>, Failure> {
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
                "permission sets cannot be read; API-only users are known by their licence alone",
                &[("code", &failure.code)],
            );
            return Ok(vec![]);
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
    Ok(ids)
}
