//! The profile's settings, as the manifest's schema allows them.

use seatwise_connector_sdk::{Context, Failure, failure};
use serde::Deserialize;

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
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            api_version: String::new(),
            include_inactive: true,
            leave_out_user_types: vec![],
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
}
