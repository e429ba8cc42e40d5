//! A few users as they are right now, with their login rows: what plans, observations and undo are made from.

use std::collections::BTreeMap;

use seatwise_connector_sdk::{Failure, reclaim::Target, subscriptions::AccountKind};
use serde::Deserialize;

use crate::{
    api::Api,
    ids, kinds,
    model::{FEATURES, UserLoginRow},
    org::{self, Org, feature_column},
    soql, users,
};

/// The standard profile whose last active holder may not go. Salesforce gives its name in English to the API.
pub const ADMIN_PROFILE: &str = "System Administrator";

/// A user as a plan sees it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct User {
    /// Widened after reading.
    pub id: String,
    /// Sign-in name.
    #[serde(default)]
    pub username: Option<String>,
    /// The licence switch.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// Open list.
    #[serde(default)]
    pub user_type: Option<String>,
    /// The licence follows from it.
    #[serde(default)]
    pub profile_id: Option<String>,
    /// Place in the role tree.
    #[serde(default)]
    pub user_role_id: Option<String>,
    /// The person's manager.
    #[serde(default)]
    pub manager_id: Option<String>,
    #[serde(default)]
    profile: Option<Profile>,
    /// The feature switches, by column.
    #[serde(flatten)]
    switches: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Profile {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    user_license_id: Option<String>,
    #[serde(default)]
    user_license: Option<Licence>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Licence {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    license_definition_key: Option<String>,
}

impl User {
    /// The key of the licence the user holds.
    pub fn licence(&self) -> Option<&str> {
        self.profile
            .as_ref()?
            .user_license
            .as_ref()?
            .license_definition_key
            .as_deref()
    }

    /// The name of the licence the user holds.
    pub fn licence_name(&self) -> Option<&str> {
        self.profile
            .as_ref()?
            .user_license
            .as_ref()?
            .name
            .as_deref()
    }

    /// The id of the licence the user holds, 18 characters.
    pub fn licence_id(&self) -> Option<String> {
        let id = self.profile.as_ref()?.user_license_id.as_deref()?;
        ids::widen(id).map(|id| id.into_owned())
    }

    /// The id of the user's profile, 18 characters.
    pub fn profile(&self) -> Option<String> {
        let id = self.profile_id.as_deref()?;
        ids::widen(id).map(|id| id.into_owned())
    }

    /// The name of the user's profile.
    pub fn profile_name(&self) -> Option<&str> {
        self.profile.as_ref()?.name.as_deref()
    }

    /// Whether a feature licence is switched on; `None` where it cannot be read.
    pub fn feature(&self, name: &str) -> Option<bool> {
        self.switches.get(&feature_column(name))?.as_bool()
    }

    /// Whether Salesforce counts a seat for the user.
    pub fn is_active(&self) -> bool {
        self.is_active != Some(false)
    }

    /// Whether the user holds the standard administrator profile.
    pub fn is_admin(&self) -> bool {
        self.profile_name() == Some(ADMIN_PROFILE)
    }

    /// Why this is a system or integration account; `None` for anybody else.
    pub fn service_reason(&self, org: &Org) -> Option<String> {
        let (kind, reason) = kinds::decide(kinds::Facts {
            user_type: self.user_type.as_deref().unwrap_or_default(),
            username: self.username.as_deref().unwrap_or_default(),
            has_profile: self.profile.is_some(),
            licence: self.licence().unwrap_or_default(),
            is_api_only: org.is_api_only(&self.id),
        });
        (kind == AccountKind::Service).then(|| reason.unwrap_or_else(|| "is no person".to_owned()))
    }
}

/// A few users, freshly read, with their login rows.
pub struct Fresh {
    users: Vec<User>,
    /// `None`: not readable with these rights.
    logins: Option<Vec<UserLoginRow>>,
}

impl Fresh {
    /// Reads the users of some targets; ids that are none are left out.
    ///
    /// # Errors
    /// What the queries fail with, but not a hidden `UserLogin`.
    pub fn read<'t>(
        api: &Api<'_>,
        org: &Org,
        targets: impl Iterator<Item = &'t Target>,
    ) -> Result<Self, Failure> {
        let mut wanted: Vec<_> = targets
            .filter_map(|target| ids::widen(&target.account))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            return Ok(Self {
                users: vec![],
                logins: None,
            });
        }
        let list = soql::list(wanted.iter().map(AsRef::as_ref));
        let extra: String = ["UserType", "UserRoleId", "ManagerId"]
            .into_iter()
            .map(str::to_owned)
            .chain(FEATURES.into_iter().map(feature_column))
            .filter(|column| org.has(column))
            .map(|column| format!(", {column}"))
            .collect();
        let mut users: Vec<User> = api.rows(&format!(
            "SELECT Id, Username, IsActive, ProfileId{extra}, Profile.Name, Profile.UserLicenseId, Profile.UserLicense.Name, \
             Profile.UserLicense.LicenseDefinitionKey \
             FROM User WHERE Id IN ({list}) ORDER BY Id"
        ))?;
        for user in &mut users {
            if let Some(wide) = ids::widen(&user.id) {
                user.id = wide.into_owned();
            }
        }
        let logins = if org.frozen {
            match users::user_logins(api, &list) {
                Ok(rows) => Some(rows),
                Err(failure) if org::is_absent(&failure) => None,
                Err(failure) => return Err(failure),
            }
        } else {
            None
        };
        Ok(Self { users, logins })
    }

    /// The user of a target.
    pub fn user(&self, target: &Target) -> Option<&User> {
        let id = ids::widen(&target.account)?;
        self.users.iter().find(|user| user.id == id)
    }

    /// Whether login rows could be read at all.
    pub fn knows_frozen(&self) -> bool {
        self.logins.is_some()
    }

    /// The login row of a user; some users have none.
    pub fn login(&self, user: &User) -> Option<&UserLoginRow> {
        let of_user = |row: &&UserLoginRow| {
            let owner = row.user_id.as_deref().and_then(ids::widen);
            owner.is_some_and(|owner| owner == user.id)
        };
        self.logins.as_ref()?.iter().find(of_user)
    }
}
