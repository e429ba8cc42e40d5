//! What the user may do that an app runs as, and what Salesforce refuses whoever asks.

use serde::Serialize;

/// What the run-as user may do. Salesforce's names in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rights {
    /// API Enabled. Without: 403 `FUNCTIONALITY_NOT_ENABLED` on every call.
    pub api_enabled: bool,
    /// The edition has the API. Without: 403 `API_DISABLED_FOR_ORG`.
    pub api_in_edition: bool,
    /// View Setup and Configuration. Without: no `UserLicense`, no `/limits`.
    pub view_setup: bool,
    /// Manage Users. Without: no `UserLogin`, no writes.
    pub manage_users: bool,
    /// View All Users. Without: only the own row.
    pub view_all_users: bool,
    /// View DeveloperName. Without this and View Setup: no `PermissionSetLicense.DeveloperName`.
    pub view_developer_name: bool,
    /// View All Profiles. Without, where the org filters profiles: only the own one.
    pub view_all_profiles: bool,
    /// Assign Permission Sets: `PermissionSetLicenseAssign` may be read without View Setup.
    pub assign_permission_sets: bool,
    /// Monitor Login History. Without this and Manage Users: only own rows of `LoginHistory`.
    pub monitor_login_history: bool,
    /// Manage Internal Users: users of type `Standard` may be written without Manage Users.
    pub manage_internal_users: bool,
    /// Manage External Users: portal users may be written without Manage Users.
    pub manage_external_users: bool,
    /// View All Data. Without: only own accounts, cases, leads, opportunities and tasks.
    pub view_all_data: bool,
    /// Modify All Data: wider than anything a connector needs.
    pub modify_all_data: bool,
    /// API Only User: cannot log in to pages.
    pub api_only: bool,
    /// The session may use the REST API. Without: 401 "This session is not valid for use with the REST API", which no refresh cures.
    pub session_valid_for_rest: bool,
}

impl Rights {
    /// Every right that reading and reclaiming can need. Off are the narrower ones that Manage Users brings with it, so that taking
    /// that one away takes all of them, and Modify All Data and API Only User, which nothing needs.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            api_enabled: true,
            api_in_edition: true,
            view_setup: true,
            manage_users: true,
            view_all_users: true,
            view_developer_name: true,
            view_all_profiles: true,
            assign_permission_sets: true,
            monitor_login_history: false,
            manage_internal_users: false,
            manage_external_users: false,
            view_all_data: true,
            modify_all_data: false,
            api_only: false,
            session_valid_for_rest: true,
        }
    }
}

impl Rights {
    /// No right at all, in an edition that has the API.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            api_enabled: false,
            api_in_edition: true,
            view_setup: false,
            manage_users: false,
            view_all_users: false,
            view_developer_name: false,
            view_all_profiles: false,
            assign_permission_sets: false,
            monitor_login_history: false,
            manage_internal_users: false,
            manage_external_users: false,
            view_all_data: false,
            modify_all_data: false,
            api_only: false,
            session_valid_for_rest: false,
        }
    }
}

impl Default for Rights {
    fn default() -> Self {
        Self::all()
    }
}

/// Salesforce's refusal of a change: code and sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Refusal {
    /// `errorCode`.
    pub code: String,
    /// `message`.
    pub message: String,
}

impl Refusal {
    /// The refusal for a default case owner, a setting that no query shows.
    #[must_use]
    pub fn default_case_owner() -> Self {
        Self {
            code: "FIELD_INTEGRITY_EXCEPTION".to_owned(),
            message: "This user is the default case owner and cannot be deactivated. Choose another default case owner first.".to_owned(),
        }
    }
}
