//! Which objects and fields exist, for whom and since which version, as `describe` tells it.
//!
//! Pure: a field's existence follows from the table, the release asked and what the running user may see ([`Seen`]). Nothing here
//! reads a record.

mod records;
mod tables;

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::spec::Rights;

/// What decides whether an object or a field exists for a caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) rights: Rights,
    pub(crate) communities: bool,
    /// The caller is no portal user.
    pub(crate) is_internal: bool,
    /// Release number, such as 62.
    pub(crate) version: u32,
    /// Objects that the org does not have, whoever asks: bit n is number n of [`Object::ALL`].
    pub(crate) absent: u64,
}

/// Type of a field, as describe spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    Reference,
    Text,
    Picklist,
    Boolean,
    Int,
    Double,
    Moment,
    Day,
}

/// What may be done with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property {
    Filter = 1,
    Group = 2,
    Sort = 4,
    Nillable = 8,
    Update = 16,
    Create = 32,
}

/// On what a field's existence hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    Communities,
    MonthlyLogins,
    DeveloperName,
    ManageUsers,
}

/// A field of an object.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    type_name: &'static str,
    length: u32,
    properties: u8,
    /// Objects that a reference may point to; empty where this org has none of them.
    pub(crate) targets: Vec<Object>,
    /// Name of the way to the parent, such as `Profile`.
    pub(crate) relationship: Option<&'static str>,
    condition: Option<Condition>,
    since: u32,
    filter_until: u32,
}

impl Field {
    pub(crate) fn may(&self, property: Property) -> bool {
        self.properties & property as u8 != 0
    }

    /// As describe spells it.
    pub(crate) fn type_name(&self) -> &'static str {
        self.type_name
    }

    /// Most characters of a text; 0 for other types.
    pub(crate) fn length(&self) -> u32 {
        self.length
    }

    /// Whether it may stand in a WHERE of this release.
    pub(crate) fn is_filterable(&self, version: u32) -> bool {
        self.may(Property::Filter) || version <= self.filter_until
    }

    fn exists(&self, seen: &Seen) -> bool {
        let rights = &seen.rights;
        seen.version >= self.since
            && match self.condition {
                None => true,
                Some(Condition::Communities) => seen.communities,
                Some(Condition::MonthlyLogins) => seen.communities && rights.view_setup,
                Some(Condition::DeveloperName) => rights.view_developer_name || rights.view_setup,
                Some(Condition::ManageUsers) => rights.manage_users,
            }
    }

    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (name, type_name, properties) = (words.next()?, words.next()?, words.next()?);
        let (type_name, length) = type_name.split_once(':').unwrap_or((type_name, "0"));
        let mut field = Self {
            name,
            kind: match type_name {
                "id" => Kind::Id,
                "reference" => Kind::Reference,
                "picklist" | "combobox" => Kind::Picklist,
                "boolean" => Kind::Boolean,
                "int" => Kind::Int,
                "double" | "currency" => Kind::Double,
                "datetime" => Kind::Moment,
                "date" => Kind::Day,
                _ => Kind::Text,
            },
            type_name,
            length: length.parse().ok()?,
            properties: 0,
            targets: Vec::new(),
            relationship: None,
            condition: None,
            since: 0,
            filter_until: 0,
        };
        for letter in properties.chars() {
            field.properties |= match letter {
                'F' => Property::Filter,
                'G' => Property::Group,
                'S' => Property::Sort,
                'N' => Property::Nillable,
                'U' => Property::Update,
                'C' => Property::Create,
                _ => return None,
            } as u8;
        }
        while let Some(word) = words.next() {
            let value = words.next()?;
            match word {
                "->" => {
                    field.targets = value.split('|').filter_map(Object::parse).collect();
                    let relationship = words.next()?;
                    field.relationship = (relationship != "-").then_some(relationship);
                }
                "if" => {
                    field.condition = Some(match value {
                        "communities" => Condition::Communities,
                        "monthly-logins" => Condition::MonthlyLogins,
                        "developer-name" => Condition::DeveloperName,
                        "manage-users" => Condition::ManageUsers,
                        _ => return None,
                    });
                }
                "since" => field.since = value.parse().ok()?,
                "filter-until" => field.filter_until = value.parse().ok()?,
                _ => return None,
            }
        }
        Some(field)
    }

    fn describe(&self, seen: &Seen) -> Value {
        json!({
            "name": self.name, "label": self.name, "type": self.type_name, "length": self.length, "byteLength": self.length * 3,
            "nillable": self.may(Property::Nillable), "filterable": self.is_filterable(seen.version),
            "groupable": self.may(Property::Group), "sortable": self.may(Property::Sort),
            "aggregatable": self.kind != Kind::Boolean, "updateable": self.may(Property::Update),
            "createable": self.may(Property::Create), "custom": false, "calculated": false, "deprecatedAndHidden": false,
            "defaultedOnCreate": self.kind == Kind::Boolean, "idLookup": matches!(self.name, "Id" | "Username"),
            "nameField": self.name == "Name", "unique": self.name == "Username", "externalId": false, "autoNumber": self.name == "CaseNumber",
            "relationshipName": self.relationship, "polymorphicForeignKey": self.targets.len() > 1,
            "referenceTo": self.targets.iter().map(|target| target.name()).collect::<Vec<_>>(),
            "soapType": self.soap_type(), "precision": 0, "scale": 0, "digits": 0,
            "picklistValues": [], "caseSensitive": false, "compoundFieldName": null,
        })
    }

    fn soap_type(&self) -> &'static str {
        match self.kind {
            Kind::Id | Kind::Reference => "tns:ID",
            Kind::Text | Kind::Picklist => "xsd:string",
            Kind::Boolean => "xsd:boolean",
            Kind::Int => "xsd:int",
            Kind::Double => "xsd:double",
            Kind::Moment => "xsd:dateTime",
            Kind::Day => "xsd:date",
        }
    }
}

macro_rules! objects {
    ($($object:ident $prefix:literal $($table:expr),+;)+) => {
        /// An object of the org.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum Object { $($object),+ }

        impl Object {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$object),+];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$object => stringify!($object)),+ }
            }

            /// The first three characters of its ids.
            pub(crate) fn prefix(self) -> &'static [u8; 3] {
                match self { $(Self::$object => $prefix),+ }
            }

            fn tables(self) -> &'static [&'static str] {
                match self { $(Self::$object => &[$($table),+]),+ }
            }
        }
    };
}

// Key prefixes: salesforce.md §2.2; those of groups, roles, jobs, dashboards, approvals and business records are recalled and carry
// no behaviour.
objects! {
    User b"005" tables::USER;
    UserLogin b"0Yw" tables::USER_LOGIN;
    UserLicense b"100" tables::USER_LICENSE;
    Profile b"00e" tables::PROFILE, tables::PERMISSIONS;
    Organization b"00D" tables::ORGANIZATION;
    UserPermissionAccess b"0Pu" tables::PERMISSIONS;
    PermissionSetLicense b"0PL" tables::PERMISSION_SET_LICENSE;
    PermissionSetLicenseAssign b"2LA" tables::PERMISSION_SET_LICENSE_ASSIGN;
    PermissionSet b"0PS" tables::PERMISSION_SET, tables::PERMISSIONS;
    PermissionSetAssignment b"0Pa" tables::PERMISSION_SET_ASSIGNMENT;
    PermissionSetGroup b"0PG" tables::PERMISSION_SET_GROUP;
    PermissionSetGroupComponent b"0PM" tables::PERMISSION_SET_GROUP_COMPONENT;
    PackageLicense b"050" tables::PACKAGE_LICENSE;
    UserPackageLicense b"051" tables::USER_PACKAGE_LICENSE;
    TenantUsageEntitlement b"0UT" tables::TENANT_USAGE_ENTITLEMENT;
    ActiveFeatureLicenseMetric b"5FL" tables::ACTIVE_FEATURE_LICENSE_METRIC;
    ActivePermSetLicenseMetric b"5PL" tables::ACTIVE_PERM_SET_LICENSE_METRIC;
    ActiveProfileMetric b"5PM" tables::ACTIVE_PROFILE_METRIC;
    LoginHistory b"0Ya" tables::LOGIN_HISTORY;
    Group b"00G" records::GROUP;
    GroupMember b"011" records::GROUP_MEMBER;
    QueueSobject b"03g" records::QUEUE_SOBJECT;
    UserRole b"00E" records::USER_ROLE;
    CronTrigger b"08e" records::CRON_TRIGGER;
    CronJobDetail b"08a" records::CRON_JOB_DETAIL;
    Dashboard b"01Z" records::DASHBOARD;
    ProcessInstance b"04g" records::PROCESS_INSTANCE;
    ProcessInstanceWorkitem b"04i" records::PROCESS_INSTANCE_WORKITEM;
    Account b"001" records::ACCOUNT, records::AUDIT;
    Contact b"003" records::CONTACT, records::AUDIT;
    Opportunity b"006" records::OPPORTUNITY, records::AUDIT;
    Case b"500" records::CASE, records::AUDIT;
    Lead b"00Q" records::LEAD, records::AUDIT;
    Task b"00T" records::TASK, records::AUDIT;
}

static ID: Field = Field {
    name: "Id",
    kind: Kind::Id,
    type_name: "id",
    length: 18,
    properties: Property::Filter as u8 | Property::Group as u8 | Property::Sort as u8,
    targets: Vec::new(),
    relationship: None,
    condition: None,
    since: 0,
    filter_until: 0,
};

static FIELDS: LazyLock<Vec<Vec<Field>>> = LazyLock::new(|| {
    let lines = |object: &Object| {
        object
            .tables()
            .iter()
            .flat_map(|table| table.lines())
            .filter(|line| !line.is_empty())
            .filter_map(Field::parse)
            .collect()
    };
    Object::ALL.iter().map(lines).collect()
});

/// A way from a parent to its children in a sub-query: name, child, the child's field that points back.
type Children = (&'static str, Object, &'static str);

impl Object {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|object| object.name().eq_ignore_ascii_case(name))
    }

    /// The object that an id's prefix names.
    pub(crate) fn of_prefix(prefix: &[u8]) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|object| object.prefix() == prefix)
    }

    /// The object as one of a set of objects, of which there are fewer than 64.
    pub(crate) fn bit(self) -> u64 {
        1 << self as usize
    }

    /// Whether the object exists for this caller (salesforce.md §3.1).
    pub(crate) fn is_seen(self, seen: &Seen) -> bool {
        let rights = &seen.rights;
        if seen.absent & self.bit() != 0 {
            return false;
        }
        match self {
            Self::PermissionSetLicense => rights.view_setup && seen.is_internal,
            Self::PackageLicense | Self::UserPackageLicense => seen.is_internal,
            Self::UserLicense
            | Self::TenantUsageEntitlement
            | Self::ActiveFeatureLicenseMetric
            | Self::ActivePermSetLicenseMetric
            | Self::ActiveProfileMetric
            | Self::CronTrigger
            | Self::CronJobDetail => rights.view_setup,
            Self::PermissionSetLicenseAssign => rights.view_setup || rights.assign_permission_sets,
            Self::UserLogin => rights.manage_users,
            _ => true,
        }
    }

    /// The fields that exist for this caller, `Id` first.
    pub(crate) fn fields(self, seen: &Seen) -> impl Iterator<Item = &'static Field> {
        let seen = *seen;
        let listed = FIELDS[self as usize].iter();
        std::iter::once(&ID).chain(listed.filter(move |field| field.exists(&seen)))
    }

    /// A field by its name, whatever the case; `None` when this caller has no such column.
    pub(crate) fn field(self, seen: &Seen, name: &str) -> Option<&'static Field> {
        self.fields(seen)
            .find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// A field whoever asks.
    pub(crate) fn any_field(self, name: &str) -> Option<&'static Field> {
        let listed = || {
            FIELDS[self as usize]
                .iter()
                .find(|field| field.name == name)
        };
        if name == "Id" { Some(&ID) } else { listed() }
    }

    /// The reference field behind a parent relationship name, such as `Profile` of `User`.
    pub(crate) fn parent(self, seen: &Seen, name: &str) -> Option<&'static Field> {
        self.fields(seen).find(|field| {
            field
                .relationship
                .is_some_and(|listed| listed.eq_ignore_ascii_case(name))
        })
    }

    /// The ways to its children that a sub-query may take.
    pub(crate) fn children(self) -> &'static [Children] {
        match self {
            Self::User => &[
                (
                    "PermissionSetLicenseAssignments",
                    Self::PermissionSetLicenseAssign,
                    "AssigneeId",
                ),
                (
                    "PermissionSetAssignments",
                    Self::PermissionSetAssignment,
                    "AssigneeId",
                ),
            ],
            Self::Profile => &[("Users", Self::User, "ProfileId")],
            Self::PermissionSet => &[(
                "Assignments",
                Self::PermissionSetAssignment,
                "PermissionSetId",
            )],
            Self::Group => &[
                ("GroupMembers", Self::GroupMember, "GroupId"),
                ("QueueSobjects", Self::QueueSobject, "QueueId"),
            ],
            Self::UserRole => &[("Users", Self::User, "UserRoleId")],
            Self::Account => &[
                ("Contacts", Self::Contact, "AccountId"),
                ("Opportunities", Self::Opportunity, "AccountId"),
                ("Cases", Self::Case, "AccountId"),
            ],
            _ => &[],
        }
    }

    /// Rows of the org's set-up, which one call must not mix with others (salesforce.md §2.5).
    pub(crate) fn is_setup(self) -> bool {
        !matches!(
            self,
            Self::Account
                | Self::Contact
                | Self::Opportunity
                | Self::Case
                | Self::Lead
                | Self::Task
        )
    }

    /// Whether rows may be created, updated and deleted by calls.
    pub(crate) fn calls(self) -> (bool, bool, bool) {
        match self {
            Self::User => (true, true, false),
            Self::UserLogin | Self::ProcessInstanceWorkitem => (false, true, false),
            Self::PermissionSetLicenseAssign | Self::UserPackageLicense | Self::GroupMember => {
                (true, false, true)
            }
            Self::PermissionSetAssignment
            | Self::Account
            | Self::Contact
            | Self::Opportunity
            | Self::Case
            | Self::Lead
            | Self::Task => (true, true, true),
            _ => (false, false, false),
        }
    }

    /// What `/sobjects` lists of it.
    pub(crate) fn summary(self) -> Value {
        let (createable, updateable, deletable) = self.calls();
        let prefix: String = self.prefix().iter().copied().map(char::from).collect();
        json!({
            "name": self.name(), "label": self.name(), "labelPlural": format!("{}s", self.name()), "keyPrefix": prefix,
            "queryable": true, "retrieveable": true, "searchable": false, "custom": false, "customSetting": false,
            "deprecatedAndHidden": false, "createable": createable, "updateable": updateable, "deletable": deletable,
            "replicateable": true, "triggerable": false, "undeletable": false, "layoutable": false, "activateable": false,
            "mergeable": false, "feedEnabled": false,
        })
    }

    /// The whole description for this caller. Parent names of child relationships come from [`Object::children`].
    pub(crate) fn describe(self, seen: &Seen) -> Value {
        let mut described = self.summary();
        let children = self.children().iter().map(|(name, child, field)| {
            json!({"childSObject": child.name(), "field": field, "relationshipName": name, "cascadeDelete": false,
                   "deprecatedAndHidden": false, "restrictedDelete": false})
        });
        described["fields"] = self
            .fields(seen)
            .map(|field| field.describe(seen))
            .collect();
        described["childRelationships"] = children.collect();
        described["recordTypeInfos"] = json!([]);
        described["namedLayoutInfos"] = json!([]);
        described["supportedScopes"] = json!([]);
        described
    }
}

#[cfg(test)]
mod tests;
