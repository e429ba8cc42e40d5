//! Which objects and fields exist, as `describe` tells it.

use serde_json::{Value, json};

use crate::spec::OrgSpec;

/// An object of the org.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Object {
    User,
    UserLogin,
    UserLicense,
    Profile,
    Organization,
    UserPermissionAccess,
}

impl Object {
    pub(crate) const ALL: [Self; 6] = [
        Self::User,
        Self::UserLogin,
        Self::UserLicense,
        Self::Profile,
        Self::Organization,
        Self::UserPermissionAccess,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::UserLogin => "UserLogin",
            Self::UserLicense => "UserLicense",
            Self::Profile => "Profile",
            Self::Organization => "Organization",
            Self::UserPermissionAccess => "UserPermissionAccess",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|object| object.name().eq_ignore_ascii_case(name))
    }

    /// Field, type, filterable, updateable.
    fn listed(self) -> &'static [(&'static str, &'static str, bool, bool)] {
        match self {
            Self::User => &[
                ("Id", "id", true, false),
                ("Username", "string", true, true),
                ("LastName", "string", true, true),
                ("FirstName", "string", true, true),
                ("Name", "string", true, false),
                ("Email", "email", true, true),
                ("Alias", "string", true, true),
                ("IsActive", "boolean", true, true),
                ("UserType", "picklist", true, false),
                ("ProfileId", "reference", true, true),
                ("UserRoleId", "reference", true, true),
                ("ManagerId", "reference", true, true),
                ("Title", "string", true, true),
                ("Department", "string", true, true),
                ("Division", "string", true, true),
                ("CompanyName", "string", true, true),
                ("City", "string", true, true),
                ("EmployeeNumber", "string", true, true),
                ("FederationIdentifier", "string", true, true),
                ("ForecastEnabled", "boolean", true, true),
                ("UserPermissionsSupportUser", "boolean", true, true),
                ("UserPermissionsMarketingUser", "boolean", true, true),
                ("LastLoginDate", "datetime", true, false),
                ("CreatedDate", "datetime", true, false),
                ("LastModifiedDate", "datetime", true, false),
                ("SystemModstamp", "datetime", true, false),
                ("ContactId", "reference", true, false),
                ("AccountId", "reference", true, false),
                ("IsPortalEnabled", "boolean", true, true),
            ],
            Self::UserLogin => &[
                ("Id", "id", true, false),
                ("UserId", "reference", true, false),
                ("IsFrozen", "boolean", true, true),
                ("IsPasswordLocked", "boolean", true, true),
            ],
            Self::UserLicense => &[
                ("Id", "id", true, false),
                ("Name", "string", true, false),
                ("MasterLabel", "string", true, false),
                ("LicenseDefinitionKey", "string", true, false),
                ("Status", "picklist", true, false),
                ("TotalLicenses", "int", true, false),
                ("UsedLicenses", "int", false, false),
                ("UsedLicensesLastUpdated", "datetime", true, false),
                ("CreatedDate", "datetime", true, false),
            ],
            Self::Profile => &[
                ("Id", "id", true, false),
                ("Name", "string", true, false),
                ("UserType", "picklist", true, false),
                ("UserLicenseId", "reference", true, false),
            ],
            Self::Organization => &[
                ("Id", "id", true, false),
                ("Name", "string", true, false),
                ("OrganizationType", "picklist", true, false),
                ("IsSandbox", "boolean", true, false),
                ("InstanceName", "string", true, false),
                ("TrialExpirationDate", "datetime", true, false),
                ("TimeZoneSidKey", "picklist", true, false),
                ("CreatedDate", "datetime", true, false),
            ],
            Self::UserPermissionAccess => &[
                ("Id", "id", true, false),
                ("PermissionsApiEnabled", "boolean", true, false),
                ("PermissionsViewSetup", "boolean", true, false),
                ("PermissionsManageUsers", "boolean", true, false),
                ("PermissionsViewAllUsers", "boolean", true, false),
            ],
        }
    }

    /// The field's listed spelling and whether it can be filtered and updated; `None` when the org has no such column.
    pub(crate) fn field(self, spec: &OrgSpec, name: &str) -> Option<(&'static str, bool, bool)> {
        let hidden = !spec.communities
            && ["ContactId", "AccountId", "IsPortalEnabled"]
                .iter()
                .any(|h| h.eq_ignore_ascii_case(name));
        if hidden {
            return None;
        }
        let found = self
            .listed()
            .iter()
            .find(|(listed, ..)| listed.eq_ignore_ascii_case(name))?;
        Some((found.0, found.2, found.3))
    }

    /// Whether a listed field takes true or false only.
    pub(crate) fn is_boolean(self, field: &str) -> bool {
        self.listed()
            .iter()
            .any(|(name, kind, ..)| *name == field && *kind == "boolean")
    }

    /// The object behind a parent relationship name.
    pub(crate) fn parent(self, name: &str) -> Option<Self> {
        match (self, name.to_ascii_lowercase().as_str()) {
            (Self::User, "profile") => Some(Self::Profile),
            (Self::Profile, "userlicense") => Some(Self::UserLicense),
            (Self::UserLogin, "user") => Some(Self::User),
            _ => None,
        }
    }

    pub(crate) fn describe(self, spec: &OrgSpec) -> Value {
        let fields: Vec<Value> = self
            .listed()
            .iter()
            .filter(|(name, ..)| self.field(spec, name).is_some())
            .map(|(name, kind, filterable, updateable)| {
                json!({"name": name, "label": name, "type": kind, "length": if *kind == "string" { 80 } else { 0 }, "nillable": *name != "Id",
                       "filterable": filterable, "sortable": filterable, "groupable": filterable, "updateable": updateable, "createable": false})
            })
            .collect();
        json!({"name": self.name(), "label": self.name(), "queryable": true, "updateable": matches!(self, Self::User | Self::UserLogin),
               "createable": self == Self::User, "deletable": false, "fields": fields, "childRelationships": [], "recordTypeInfos": []})
    }
}
