//! Checks of the connection and of the connecting user.

use seatwise_connector_sdk::{Call, Failure, connection::CheckResult, connection::Environment};
use serde::Deserialize;

use super::{failed, passed, warned};
use crate::{
    api::Api,
    connection, ids,
    org::{self, Org},
    rights::Rights,
    soql,
};

/// Rights that nothing here needs and that do harm in the wrong hands, with Salesforce's words for them. Rights that *Manage
/// Users* brings along by itself are not among them.
const WIDE: [(&str, &str); 6] = [
    ("ModifyAllData", "Modify All Data"),
    ("ViewAllData", "View All Data"),
    ("ModifyMetadata", "Modify Metadata"),
    ("CustomizeApplication", "Customize Application"),
    ("AuthorApex", "Author Apex"),
    ("ManageEncryptionKeys", "Manage Encryption Keys"),
];
/// Scopes that give more than is needed.
const WIDE_SCOPES: [&str; 2] = ["full", "web"];

pub fn api_reachable(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let listed = org::listed_versions(call)?;
    let version = org::negotiate(call)?;
    let (first, last) = (
        listed.first().map_or("?", String::as_str),
        listed.last().map_or("?", String::as_str),
    );
    Ok(passed(format!(
        "The org lists versions {first} to {last}; v{version} is used"
    )))
}

/// Which org, and that it is still the one that was found when the connector last looked.
pub fn organization(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let version = org::negotiate(call)?;
    let row = connection::organization(&Api::new(call, &version))?;
    if let Some(known) = Org::remembered(call).and_then(|org| org.org_id)
        && known != row.id
    {
        return Ok(failed(
            format!(
                "The credential leads to {}, and the profile knows {known}",
                row.id
            ),
            "Check the login URL and the credential; another org needs a profile of its own",
        ));
    }
    let kind = match connection::environment(&row) {
        Environment::Production => "production",
        Environment::Sandbox => "a Salesforce sandbox",
        Environment::Trial => "a trial",
        Environment::Unknown => "of unknown kind",
    };
    let name = row.name.as_deref().unwrap_or("without a name");
    let edition = row
        .organization_type
        .as_deref()
        .unwrap_or("edition not shown");
    Ok(passed(format!("{name}, {}, {edition}, {kind}", row.id)))
}

/// The token is tried, then its scopes are compared.
pub fn scopes(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let version = org::negotiate(call)?;
    connection::organization(&Api::new(call, &version))?;
    let granted = &call.ctx.granted_scopes;
    let has = |scope: &str| granted.iter().any(|granted| granted == scope);
    if granted.is_empty() {
        return Ok(warned(
            "The token is accepted; its answer named no scopes".to_owned(),
            "A Salesforce administrator compares the app's OAuth scopes with the setup guide: Manage user data via APIs (api)",
        ));
    }
    if !has("api") && !has("full") {
        return Ok(failed(
            format!("Granted: {}; needed: api", granted.join(", ")),
            "A Salesforce administrator adds the scope Manage user data via APIs (api) to the app; changes can take ten minutes",
        ));
    }
    Ok(passed(format!(
        "The token is accepted; granted: {}",
        granted.join(", ")
    )))
}

pub fn api_enabled(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let version = org::negotiate(call)?;
    let rights = Rights::read(&Api::new(call, &version))?;
    Ok(match rights.has("ApiEnabled") {
        Some(true) => passed("The connecting user has API Enabled".to_owned()),
        Some(false) => failed(
            "The connecting user does not have API Enabled".to_owned(),
            "A Salesforce administrator gives the connecting user the permission API Enabled, in its profile or a permission set",
        ),
        // A user without the right would not have been answered.
        None => passed("Salesforce answered a request of the API".to_owned()),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RunAs {
    #[serde(default)]
    user_type: Option<String>,
    #[serde(default)]
    profile: Option<Profile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Profile {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    user_license: Option<Licence>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Licence {
    #[serde(default)]
    license_definition_key: Option<String>,
}

/// Seeds 000, 001 and 003: a Salesforce licence, no portal user, neither Minimum Access nor Integration.
pub fn run_as_user(call: &Call<'_>) -> Result<CheckResult, Failure> {
    const FIX: &str = "A Salesforce administrator gives the connecting user a Salesforce licence and a profile with the rights of the setup guide; View Setup and Configuration is among them";
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let Some(me) = org.user_id.as_deref().and_then(ids::widen) else {
        // Says at least whether the token still works.
        api.count("SELECT COUNT() FROM Organization")?;
        return Ok(warned(
            "Salesforce did not say who the connecting user is".to_owned(),
            "A Salesforce administrator adds the scope Access the identity URL service (id) to the app, or checks the user by hand",
        ));
    };
    let rows: Vec<RunAs> = api.rows(&format!(
        "SELECT Id, UserType, Profile.Name, Profile.UserLicense.LicenseDefinitionKey FROM User WHERE Id = {}",
        soql::quote(&me)
    ))?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(warned(
            "The connecting user cannot see its own user record".to_owned(),
            FIX,
        ));
    };
    let user_type = row.user_type.unwrap_or_default();
    let (profile, licence) = row.profile.map_or((None, None), |profile| {
        let licence = profile
            .user_license
            .and_then(|licence| licence.license_definition_key);
        (profile.name, licence)
    });
    let (profile, licence) = (profile.unwrap_or_default(), licence.unwrap_or_default());
    let evidence = format!("User type {user_type}, profile {profile}, licence {licence}");
    if !matches!(user_type.as_str(), "Standard" | "") {
        return Ok(failed(
            format!("{evidence}: portal and Chatter users cannot read what is needed"),
            FIX,
        ));
    }
    if profile.starts_with("Minimum Access") || licence.ends_with("_INTEGRATION_USER") {
        return Ok(warned(
            format!(
                "{evidence}: mostly not enough to read everything; the other checks show what is missing"
            ),
            FIX,
        ));
    }
    if licence != "SFDC" {
        return Ok(warned(
            format!("{evidence}: not a full Salesforce licence"),
            FIX,
        ));
    }
    Ok(passed(evidence))
}

pub fn view_setup(call: &Call<'_>) -> Result<CheckResult, Failure> {
    const FIX: &str =
        "A Salesforce administrator gives the connecting user View Setup and Configuration";
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let rights = Rights::read(&api)?;
    Ok(match rights.has("ViewSetup") {
        Some(true) => passed("The connecting user has View Setup and Configuration".to_owned()),
        Some(false) => failed(
            "The connecting user does not have View Setup and Configuration".to_owned(),
            FIX,
        ),
        None => {
            let licences = api.count("SELECT COUNT() FROM UserLicense")?;
            if licences == 0 {
                failed("Salesforce shows no user licence at all".to_owned(), FIX)
            } else {
                passed(format!("{licences} user licences are shown"))
            }
        }
    })
}

/// The running user's own rights, from `UserPermissionAccess`: read, nothing tried.
pub fn reclaim_right(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let version = org::negotiate(call)?;
    let rights = Rights::read(&Api::new(call, &version))?;
    Ok(match rights.has("ManageUsers") {
        Some(true) => passed(
            "The connecting user has Manage Users; nothing was written to find out".to_owned(),
        ),
        Some(false) => failed(
            "The connecting user does not have Manage Users".to_owned(),
            "A Salesforce administrator gives the connecting user Manage Users",
        ),
        None => warned(
            "Salesforce does not say whether the connecting user has Manage Users".to_owned(),
            "A Salesforce administrator checks that the connecting user has Manage Users",
        ),
    })
}

/// Rights and scopes that nothing here uses.
pub fn wide_rights(call: &Call<'_>) -> Result<CheckResult, Failure> {
    let version = org::negotiate(call)?;
    let rights = Rights::read(&Api::new(call, &version))?;
    let mut wide: Vec<String> = WIDE
        .into_iter()
        .filter(|(right, _)| rights.has(right) == Some(true))
        .map(|(_, says)| says.to_owned())
        .collect();
    let granted = call.ctx.granted_scopes.iter();
    wide.extend(
        granted
            .filter(|scope| WIDE_SCOPES.contains(&scope.as_str()))
            .map(|scope| format!("the scope {scope}")),
    );
    if !wide.is_empty() {
        return Ok(warned(
            format!("Not needed by anything here: {}", wide.join(", ")),
            "A Salesforce administrator takes these away from the connecting user and the app; the setup guide lists what is needed",
        ));
    }
    Ok(if rights.is_known() {
        passed("None of the far-reaching rights that Salesforce shows is granted".to_owned())
    } else {
        warned(
            "The connecting user's own rights cannot be read".to_owned(),
            "A Salesforce administrator compares them with the setup guide",
        )
    })
}
