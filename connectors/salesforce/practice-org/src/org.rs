//! The org's records and what has been changed in them since the start.
//!
//! Rows are numbered from 1 for each object. The first ones follow from the spec, the seed and the row's number alone (users written
//! out, users made up, and a fixed number of places for each user's assignments, logins and records), so millions of quiet rows take
//! no memory; edits live in sparse maps, rows that calls created come after. This module and those beneath it know no HTTP and no
//! query.

mod assignments;
mod catalogue;
mod logins;
mod metrics;
mod moves;
mod records;
mod sight;
mod users;
mod write;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::clock::Clock;
use crate::crowd::Frame;
use crate::ids::{Id, Pod};
use crate::schema::{Field, Object};
use crate::spec::{OrgSpec, Person, Refusal, Rights};

pub(crate) use crate::value::Value;
pub(crate) use users::Overlay;

/// Release that a call without a version means.
pub(crate) const DEFAULT_VERSION: u32 = 62;

/// A write that reached a record.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Write {
    /// `create`, `update` or `delete`.
    pub verb: &'static str,
    /// Such as `User/005…`.
    pub record: String,
    /// Fields as they were sent; null for a deletion.
    pub change: serde_json::Value,
    /// The org's clock, milliseconds UTC.
    pub at_ms: i64,
}

/// Fields of a row that a call created, or that calls changed.
type Fields = BTreeMap<&'static str, Value<'static>>;

/// The records. A copy is what an undone request goes back to.
#[derive(Clone)]
pub(crate) struct Org {
    pub(crate) spec: OrgSpec,
    pub(crate) rights: Rights,
    pub(crate) refusals: BTreeMap<String, Refusal>,
    pub(crate) clock: Clock,
    pub(crate) writes: Vec<Write>,
    pub(crate) started_ms: i64,
    /// See [`crate::schema::Seen::absent`].
    pub(crate) absent: u64,
    /// Who asks, where it is not the user of the first app.
    viewer: Option<u64>,
    pod: Pod,
    frame: Frame,
    /// Licence of each profile.
    profile_licences: Vec<Option<usize>>,
    overlays: HashMap<u64, Overlay>,
    /// Users that calls created.
    added: Vec<Person>,
    edits: HashMap<(Object, u64), Fields>,
    made: HashMap<Object, Vec<Fields>>,
    gone: HashSet<(Object, u64)>,
    pools: assignments::Pools,
    metrics: metrics::Kept,
}

impl Org {
    pub(crate) fn new(spec: OrgSpec, clock: Clock) -> Self {
        let now = clock.now_ms();
        let mut end = 0;
        let crowd = spec.crowd.clone();
        let mix = crowd
            .iter()
            .flat_map(|crowd| &crowd.mix)
            .filter_map(|(name, weight)| {
                end += weight;
                Some((
                    end,
                    spec.profiles
                        .iter()
                        .position(|profile| &profile.name == name)?,
                ))
            });
        let frame = Frame {
            mix: mix.collect(),
            users: crowd.as_ref().map_or(0, |crowd| crowd.users),
            seed: crowd.as_ref().map_or(0, |crowd| crowd.seed),
            is_rich: crowd.as_ref().is_some_and(|crowd| crowd.is_rich),
            as_of_ms: crowd.and_then(|crowd| crowd.as_of_ms).unwrap_or(now),
        };
        let licence_of = |profile: &crate::spec::Profile| {
            spec.licences
                .iter()
                .position(|licence| licence.key == profile.licence)
        };
        let mut org = Self {
            rights: spec.rights,
            refusals: spec.refuses_deactivation.clone(),
            pod: spec.pod(),
            profile_licences: spec.profiles.iter().map(licence_of).collect(),
            pools: assignments::Pools::of(&spec),
            spec,
            clock,
            writes: Vec::new(),
            started_ms: now,
            absent: 0,
            viewer: None,
            frame,
            overlays: HashMap::new(),
            added: Vec::new(),
            edits: HashMap::new(),
            made: HashMap::new(),
            gone: HashSet::new(),
            metrics: metrics::Kept::default(),
        };
        org.count_pools();
        org
    }

    /// Users that were there at the start, hidden ones included.
    fn base_users(&self) -> u64 {
        self.spec.people.len() as u64 + self.frame.users
    }

    /// How many users there are, hidden ones included.
    pub(crate) fn users(&self) -> u64 {
        self.base_users() + self.added.len() as u64
    }

    /// Rows before those that calls created. Some are places that hold nothing.
    fn base_rows(&self, object: Object) -> u64 {
        let spec = &self.spec;
        let users = self.base_users();
        let count = |len: usize| len as u64;
        match object {
            Object::User | Object::UserLogin => self.users(),
            Object::Contact => users,
            Object::UserLicense => count(spec.licences.len()),
            Object::Profile => count(spec.profiles.len()),
            Object::Organization | Object::UserPermissionAccess => 1,
            Object::PermissionSetLicense => count(spec.permission_set_licences.len()),
            Object::PermissionSet => count(self.permission_set_rows()),
            Object::PermissionSetGroup => count(spec.permission_set_groups.len()),
            Object::PermissionSetGroupComponent => count(self.components().count()),
            Object::PackageLicense => count(spec.packages.len()),
            Object::TenantUsageEntitlement => count(spec.entitlements.len()),
            Object::Group => count(spec.groups.len()),
            Object::QueueSobject => count(self.queue_objects().count()),
            Object::UserRole => count(spec.roles.len()),
            Object::CronTrigger | Object::CronJobDetail => count(spec.jobs.len()),
            Object::Dashboard => count(spec.dashboards.len()),
            Object::ProcessInstance | Object::ProcessInstanceWorkitem => {
                count(spec.approvals.len())
            }
            Object::ActiveFeatureLicenseMetric
            | Object::ActivePermSetLicenseMetric
            | Object::ActiveProfileMetric => self.metric_rows(object),
            Object::LoginHistory => users * spec.logins_per_user + self.unknown_logins(),
            Object::Account => count(spec.accounts.len()) + users * spec.records_per_user,
            _ => users * self.places(object),
        }
    }

    /// How many places each user has in an object whose rows belong to users; 0 for other objects.
    fn places(&self, object: Object) -> u64 {
        let spec = &self.spec;
        match object {
            Object::PermissionSetLicenseAssign => spec.permission_set_licences.len() as u64,
            Object::PermissionSetAssignment => {
                (1 + spec.permission_sets.len() + spec.permission_set_groups.len()) as u64
            }
            Object::UserPackageLicense => spec.packages.len() as u64,
            Object::GroupMember => spec.groups.len() as u64,
            Object::LoginHistory => spec.logins_per_user,
            Object::Account | Object::Opportunity | Object::Case | Object::Lead | Object::Task => {
                spec.records_per_user
            }
            _ => 0,
        }
    }

    /// The user and the number of the place that a row of such an object stands for.
    fn place_of(&self, object: Object, row: u64) -> Option<(u64, u64)> {
        let places = self.places(object);
        let at = row.checked_sub(1 + self.before_places(object))?;
        (places > 0 && at < self.base_users() * places).then(|| (at / places + 1, at % places))
    }

    /// Rows before the first place.
    fn before_places(&self, object: Object) -> u64 {
        if object == Object::Account {
            self.spec.accounts.len() as u64
        } else {
            0
        }
    }

    /// How many row numbers an object has; not every one holds a row.
    pub(crate) fn rows(&self, object: Object) -> u64 {
        self.base_rows(object) + self.made.get(&object).map_or(0, |made| made.len() as u64)
    }

    fn made(&self, object: Object, row: u64) -> Option<&Fields> {
        let made = self.made.get(&object)?;
        let at = row.checked_sub(self.base_rows(object) + 1)?;
        made.get(usize::try_from(at).ok()?)
    }

    pub(crate) fn id(&self, object: Object, row: u64) -> Id {
        if object == Object::Organization {
            return Id::parse(&self.spec.org_id).unwrap_or_else(|| Id::of(b"00D", self.pod, 1));
        }
        Id::of(object.prefix(), self.pod, row)
    }

    /// The row with this id, if the org has ever had it; a deleted one too.
    pub(crate) fn row_of(&self, object: Object, id: &str) -> Option<u64> {
        self.row_of_id(object, Id::parse(id)?)
    }

    pub(crate) fn row_of_id(&self, object: Object, id: Id) -> Option<u64> {
        if object == Object::Organization {
            return (id == self.id(object, 1)).then_some(1);
        }
        let row = id.seq(self.pod)?;
        ((1..=self.rows(object)).contains(&row) && self.id(object, row) == id).then_some(row)
    }

    /// The row behind a reference field, with its object.
    pub(crate) fn parent(&self, object: Object, row: u64, field: &Field) -> Option<(Object, u64)> {
        match (object, field.name) {
            (Object::User, "ProfileId") => {
                return self
                    .profile_of(row)
                    .map(|profile| (Object::Profile, profile as u64 + 1));
            }
            (Object::Profile, "UserLicenseId") => {
                let licence = self.profile_licences[usize::try_from(row).ok()? - 1]?;
                return Some((Object::UserLicense, licence as u64 + 1));
            }
            _ => {}
        }
        let id = self.value(object, row, field.name).id()?;
        let parent = Object::of_prefix(&id.as_str().as_bytes()[..3])?;
        let row = self.row_of_id(parent, id)?;
        self.exists(parent, row).then_some((parent, row))
    }

    /// Row numbers among which are all rows whose `field` names this user, where that can be told without a scan.
    pub(crate) fn rows_of_user(&self, object: Object, field: &str, user: u64) -> Option<Vec<u64>> {
        let is_key = match object {
            Object::PermissionSetLicenseAssign | Object::PermissionSetAssignment => {
                field == "AssigneeId"
            }
            Object::UserPackageLicense | Object::LoginHistory => field == "UserId",
            Object::UserLogin => {
                return (field == "UserId").then(|| vec![user]);
            }
            Object::GroupMember => field == "UserOrGroupId",
            Object::Account | Object::Opportunity | Object::Case | Object::Lead | Object::Task => {
                field == "OwnerId"
            }
            _ => false,
        };
        if !is_key {
            return None;
        }
        let places = self.places(object);
        let before = self.before_places(object);
        let first = before + (user - 1) * places + 1;
        let mut rows: Vec<u64> = (1..=before).collect();
        if user <= self.base_users() {
            rows.extend(first..first + places);
        }
        rows.extend(self.base_rows(object) + 1..=self.rows(object));
        let edited = self.edits.keys().filter(|(of, _)| *of == object);
        rows.extend(edited.map(|(_, row)| *row));
        rows.sort_unstable();
        rows.dedup();
        Some(rows)
    }

    /// The first row whose `field` can name this user, and before which all rows name users before it; only for objects whose rows
    /// stand in the order of their users.
    pub(crate) fn first_row_of(&self, object: Object, field: &str, user: u64) -> Option<u64> {
        let is_in_order = object == Object::LoginHistory
            && field == "UserId"
            && !self.edits.keys().any(|(of, _)| *of == object);
        let user = user.min(self.base_users() + 1);
        is_in_order.then(|| (user - 1) * self.places(object) + 1)
    }

    /// The user that a row belongs to, where rows stand in the order of their users; `None` for the rows after those.
    pub(crate) fn user_in_order(&self, object: Object, row: u64) -> Option<u64> {
        self.place_of(object, row).map(|(user, _)| user)
    }

    /// The first row that stands in no order: see [`Org::first_row_of`].
    pub(crate) fn first_unordered(&self, object: Object, field: &str) -> u64 {
        self.first_row_of(object, field, u64::MAX).unwrap_or(1)
    }

    /// A field of a row; the caller has checked that the field exists.
    pub(crate) fn value(&self, object: Object, row: u64, field: &'static str) -> Value<'_> {
        if field == "Id" {
            return Value::Id(self.id(object, row));
        }
        if field == "IsDeleted" && self.is_gone(object, row) {
            return Value::Bool(true);
        }
        if !self.edits.is_empty()
            && let Some(edited) = self
                .edits
                .get(&(object, row))
                .and_then(|fields| fields.get(field))
        {
            return edited.clone();
        }
        if !self.made.is_empty()
            && let Some(made) = self.made(object, row)
        {
            return made.get(field).cloned().unwrap_or_else(|| {
                let is_boolean = object
                    .any_field(field)
                    .is_some_and(|field| field.kind == crate::schema::Kind::Boolean);
                if is_boolean {
                    Value::Bool(false)
                } else {
                    Value::Null
                }
            });
        }
        match object {
            Object::User => self.user_value(row, field),
            Object::UserLogin => self.user_login_value(row, field),
            Object::PermissionSetLicenseAssign
            | Object::PermissionSetAssignment
            | Object::UserPackageLicense
            | Object::GroupMember => self.assignment_value(object, row, field),
            Object::LoginHistory => self.login_value(row, field),
            Object::Account
            | Object::Contact
            | Object::Opportunity
            | Object::Case
            | Object::Lead
            | Object::Task => self.record_value(object, row, field),
            Object::ActiveFeatureLicenseMetric
            | Object::ActivePermSetLicenseMetric
            | Object::ActiveProfileMetric => self.metric_value(object, row, field),
            _ => self.catalogue_value(object, row, field),
        }
    }

    /// The id of a row as a value.
    fn reference(&self, object: Object, row: u64) -> Value<'_> {
        Value::Id(self.id(object, row))
    }

    /// The id of the user with this username, or null.
    fn reference_to(&self, username: &str) -> Value<'_> {
        self.user_named(username)
            .map_or(Value::Null, |user| self.reference(Object::User, user))
    }

    /// Who set the org up: the first administrator written out, else the first user.
    fn founder(&self) -> Value<'_> {
        let admin = self.spec.people.iter().position(|person| {
            self.spec
                .profiles
                .iter()
                .any(|profile| profile.admin && person.profile.as_deref() == Some(&profile.name))
        });
        self.reference(Object::User, admin.unwrap_or(0) as u64 + 1)
    }
}

/// `DeveloperName` of a label: blanks and what is no letter or digit become underscores.
fn developer_name(label: &str) -> Value<'static> {
    let name: String = label
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    Value::Text(Cow::Owned(name))
}

#[cfg(test)]
mod tests;
