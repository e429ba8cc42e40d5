//! Who asks, and which rows are there for them.

use super::Org;
use crate::schema::{Object, Seen};
use crate::spec::Rights;

impl Org {
    /// Whether a call deleted the row.
    pub(super) fn is_gone(&self, object: Object, row: u64) -> bool {
        !self.gone.is_empty() && self.gone.contains(&(object, row))
    }

    /// Whether the row number holds a row, whoever asks.
    pub(crate) fn exists(&self, object: Object, row: u64) -> bool {
        !self.is_gone(object, row) && self.was_there(object, row)
    }

    fn was_there(&self, object: Object, row: u64) -> bool {
        if !self.made.is_empty() && self.made(object, row).is_some() {
            return true;
        }
        match object {
            Object::UserLogin => self.profile_of(row).is_some(),
            Object::PermissionSetLicenseAssign
            | Object::PermissionSetAssignment
            | Object::UserPackageLicense
            | Object::GroupMember => self
                .place_of(object, row)
                .is_some_and(|(user, at)| self.is_assigned(object, user, at)),
            Object::LoginHistory => self.login(row).is_some(),
            Object::Account
            | Object::Contact
            | Object::Opportunity
            | Object::Case
            | Object::Lead
            | Object::Task => self.has_record(object, row),
            _ => (1..=self.rows(object)).contains(&row),
        }
    }

    /// Whether the running user sees the row: it is there, and rights and sharing let it through (salesforce.md §3.1).
    pub(crate) fn is_visible(&self, object: Object, row: u64) -> bool {
        self.is_allowed(object, row) && self.exists(object, row)
    }

    /// Whether `queryAll` shows a deleted row: business records stay in the recycle bin, what belongs to the set-up does not.
    pub(crate) fn is_in_bin(&self, object: Object, row: u64) -> bool {
        !object.is_setup()
            && self.is_gone(object, row)
            && self.is_allowed(object, row)
            && self.was_there(object, row)
    }

    fn is_allowed(&self, object: Object, row: u64) -> bool {
        let is_own = |user: Option<u64>| user.is_some() && self.running_user() == user;
        let rights = &self.rights;
        match object {
            Object::User | Object::UserLogin => {
                (self.overlays.is_empty()
                    || !self
                        .overlays
                        .get(&row)
                        .is_some_and(|overlay| overlay.is_hidden))
                    && (rights.view_all_users || is_own(Some(row)))
            }
            Object::Profile => {
                !self.spec.filters_profiles
                    || rights.view_all_profiles
                    || self
                        .running_user()
                        .and_then(|user| self.profile_of(user))
                        .is_some_and(|profile| profile as u64 + 1 == row)
            }
            Object::LoginHistory => {
                rights.manage_users
                    || rights.monitor_login_history
                    || is_own(self.user_behind(object, row, "UserId"))
            }
            Object::Account
            | Object::Contact
            | Object::Opportunity
            | Object::Case
            | Object::Lead
            | Object::Task => {
                rights.view_all_data
                    || rights.modify_all_data
                    || is_own(self.user_behind(object, row, "OwnerId"))
            }
            _ => true,
        }
    }

    pub(super) fn user_behind(&self, object: Object, row: u64, field: &'static str) -> Option<u64> {
        self.row_of_id(Object::User, self.value(object, row, field).id()?)
    }

    /// What decides which objects and fields the running user has in a release.
    pub(crate) fn seen(&self, version: u32) -> Seen {
        Seen {
            rights: self.rights,
            communities: self.spec.communities,
            is_internal: self
                .running_user()
                .is_none_or(|user| matches!(self.user_type(user), "Standard" | "CsnOnly")),
            version,
            absent: self.absent,
        }
    }

    /// The user that asks: whom [`Org::act_as`] named, or whom the first app runs as.
    pub(crate) fn running_user(&self) -> Option<u64> {
        self.viewer
            .or_else(|| self.user_named(self.spec.apps.first()?.run_as.as_deref()?))
    }

    /// From now on calls are made by this user, with the rights that the spec gives them or else the org's; `None` is the first app's
    /// user with the org's rights.
    pub(crate) fn act_as(&mut self, user: Option<u64>) {
        self.viewer = user;
        let username = user
            .and_then(|user| self.person(user))
            .map(|person| person.username.as_str());
        self.rights = username
            .and_then(|name| self.spec.rights_of.get(name))
            .copied()
            .unwrap_or(self.spec.rights);
    }

    /// Who asks now, with which rights: to be given back to [`Org::asked_by`].
    pub(crate) fn asker(&self) -> (Option<u64>, Rights) {
        (self.viewer, self.rights)
    }

    /// Puts back who asked before.
    pub(crate) fn asked_by(&mut self, (viewer, rights): (Option<u64>, Rights)) {
        self.viewer = viewer;
        self.rights = rights;
    }

    /// This call is made by the user of its session, with the rights that the spec gives them or else those in force. The user whom
    /// the first app runs as changes nothing, so that a test may have [`Org::act_as`] decide.
    pub(crate) fn asks(&mut self, user: u64) {
        let app = self.spec.apps.first();
        let run_as = app.and_then(|app| self.user_named(app.run_as.as_deref()?));
        if run_as == Some(user) {
            return;
        }
        self.viewer = Some(user);
        let own = self
            .person(user)
            .and_then(|person| self.spec.rights_of.get(&person.username));
        if let Some(own) = own {
            self.rights = *own;
        }
    }

    /// The zone that the running user's days begin in.
    pub(crate) fn zone(&self) -> String {
        let own = self
            .running_user()
            .map(|user| self.value(Object::User, user, "TimeZoneSidKey"));
        match own {
            Some(super::Value::Text(zone)) => zone.into_owned(),
            _ => self.spec.time_zone.clone(),
        }
    }
}
