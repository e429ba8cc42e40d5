//! The profile's settings, as the manifest's schema allows them.

use seatwise_connector_sdk::{Context, Failure, failure};
use serde::Deserialize;

use crate::ids;

/// Where activity is read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivitySource {
    /// `User.LastLoginDate`, which comes with the accounts.
    #[default]
    LastLogin,
    /// `LoginHistory`: kind and outcome of each login, of six months.
    LoginHistory,
}

/// How all users are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Whatever takes fewer calls.
    #[default]
    Auto,
    /// Pages of a query.
    Rest,
    /// A job of Bulk API 2.0.
    Bulk,
}

/// Licences beside the user licence, each of which can be left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LicenceKind {
    /// `PermissionSetLicense`.
    PermissionSetLicences,
    /// `PackageLicense`.
    Packages,
    /// Feature licences on the user.
    Features,
}

/// All settings; what is not given has its default.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `62.0` or `v62.0`; empty: negotiated.
    pub api_version: String,
    /// Whether inactive users are downloaded. They hold no seat, and show who was deactivated.
    pub include_inactive: bool,
    /// User types whose rows are left out and counted as out of scope.
    pub leave_out_user_types: Vec<String>,
    /// `*`, or e-mail domains, one per row.
    pub company_names: String,
    /// Keys of user licences whose holders are left out, one per row.
    pub leave_out_licences: String,
    /// What is read beside user licences.
    pub licence_kinds: Vec<LicenceKind>,
    /// Where activity comes from.
    pub activity_source: ActivitySource,
    /// Whether edits of records count as activity too.
    pub object_edits: bool,
    /// Rows `LICENCE KEY=PROFILE ID`: to which profile a holder of a user licence is moved.
    pub downgrade_profiles: String,
    /// How all users are read.
    pub read_users_by: Reading,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_version: String::new(),
            include_inactive: true,
            leave_out_user_types: vec![],
            company_names: "*".to_owned(),
            leave_out_licences: String::new(),
            licence_kinds: vec![
                LicenceKind::PermissionSetLicences,
                LicenceKind::Packages,
                LicenceKind::Features,
            ],
            activity_source: ActivitySource::default(),
            object_edits: false,
            downgrade_profiles: String::new(),
            read_users_by: Reading::default(),
        }
    }
}

impl Settings {
    /// Reads the settings of a call.
    ///
    /// # Errors
    /// `invalid-input`, code `bad_settings`.
    pub fn of(ctx: &Context) -> Result<Self, Failure> {
        serde_json::from_str(&ctx.settings).map_err(|error| {
            failure::invalid_input(
                "bad_settings",
                format!(
                    "The profile's settings cannot be read (column {})",
                    error.column()
                ),
            )
        })
    }

    /// The pinned version without its `v`, if any.
    pub fn pinned_version(&self) -> Option<&str> {
        let version = self.api_version.trim();
        let version = version.strip_prefix('v').unwrap_or(version);
        (!version.is_empty()).then_some(version)
    }

    /// Whether a kind of licence is read.
    pub fn reads(&self, kind: LicenceKind) -> bool {
        self.licence_kinds.contains(&kind)
    }

    /// Licence keys with the profiles to move to, 18 characters each. A row that is none is left out: the manifest's pattern
    /// lets none in.
    pub fn downgrade_profiles(&self) -> Vec<(String, String)> {
        rows_of(&self.downgrade_profiles)
            .filter_map(|row| row.split_once('='))
            .filter_map(|(key, profile)| {
                let profile = ids::widen(profile.trim())?.into_owned();
                Some((key.trim().to_owned(), profile))
            })
            .collect()
    }
}

/// The entries of a setting that holds one per row; a comma or a semicolon ends a row as well.
pub fn rows_of(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r', ',', ';'])
        .map(str::trim)
        .filter(|row| !row.is_empty())
}
