//! The way back, from a before-image: whatever the action changed or may have changed, and what is missing of it now.
//!
//! Deactivating and moving to another licence put a whole person back; the other actions exactly what they took. The order
//! is the vendor's: a seat first, then the profile, the role, the licences, the permission sets that need them, packages,
//! queues and groups, features. What cannot be put back is said, and never stops what can. Planning again after some of
//! the requests went through gives the rest of them.

use seatwise_connector_sdk::{
    Call, Failure,
    reclaim::{BeforeImage, Plan, Target},
};
use serde_json::Value;

use super::{
    Action, before::Before, blocker, empty_plan, held::Held, holdings::Holdings, seats::Seats,
    steps,
};
use crate::{
    api::Api,
    fresh::{Fresh, User},
    ids, model,
    org::{self, Org},
};

/// What a reactivation does not bring back.
const LOST: [&str; 2] = [
    "Sharing that was given by hand or through a team does not come back",
    "Follows between people deactivated in the same operation do not come back; others do",
];

/// Plans the way back of one action.
///
/// # Errors
/// `unsupported` for an image of another format, `malformed` for one that cannot be read; else what reading fails with.
pub fn plan(call: &Call<'_>, target: &Target, before: &BeforeImage) -> Result<Plan, Failure> {
    ids::given(&target.account)?;
    let action = Action::of(target)?;
    let before = Before::read(before)?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let fresh = Fresh::read(&api, &org, std::iter::once(target))?;
    let mut plan = empty_plan();
    let Some(user) = fresh.user(target) else {
        plan.blockers.push(blocker(
            "not_found",
            "Salesforce shows no user with this id to the connecting user",
            None,
        ));
        return Ok(plan);
    };
    let is_whole = matches!(action, Action::Deactivate | Action::Downgrade);
    let holdings =
        if is_whole || matches!(action, Action::RemoveSetLicence | Action::FreePackageSeat) {
            Holdings::read(&api, &[&user.id])?
        } else {
            Holdings::default()
        };
    let mut back = Back {
        api: &api,
        org: &org,
        user,
        before: &before,
        held: &holdings,
        plan,
        is_whole,
        given: vec![],
    };
    match (action, Held::of(&target.identifier)) {
        (Action::Deactivate, _) if !before.is_active => back
            .plan
            .consequences
            .push("The user was inactive before: nothing will be sent".to_owned()),
        (Action::Deactivate, _) => back.person(&fresh, true)?,
        (Action::Downgrade, _) => back.person(&fresh, false)?,
        (Action::Freeze, _) => back.unfreeze(&fresh),
        (Action::RemoveSetLicence, Held::SetLicence(name)) => {
            back.licences(Some(name));
            back.sets(Some(name))?;
        }
        (Action::FreePackageSeat, Held::Package(namespace)) => back.packages(Some(namespace)),
        (Action::FeatureOff, Held::Feature(name)) => back.feature(name),
        (_, held) => back.plan.blockers.push(blocker(
            "wrong_action",
            format!("The action did not take back {}", held.says()),
            None,
        )),
    }
    Ok(back.done())
}

/// One undo being planned.
pub(super) struct Back<'b> {
    pub(super) api: &'b Api<'b>,
    pub(super) org: &'b Org,
    pub(super) user: &'b User,
    pub(super) before: &'b Before,
    pub(super) held: &'b Holdings,
    pub(super) plan: Plan,
    /// A whole person comes back: one missing seat does not stop the rest.
    is_whole: bool,
    /// Permission-set licences that the person has, or will have by these steps.
    pub(super) given: Vec<String>,
}

impl Back<'_> {
    fn done(mut self) -> Plan {
        if !self.plan.blockers.is_empty() {
            self.plan.steps.clear();
        }
        let beyond = self.plan.steps.len().saturating_sub(steps::MOST_STEPS);
        if beyond > 0 {
            self.plan.steps.truncate(steps::MOST_STEPS);
            self.plan.consequences.push(format!(
                "{beyond} more requests are left out of this plan, which takes {} at most: a Salesforce administrator gives back the rest",
                steps::MOST_STEPS
            ));
        }
        if self.plan.steps.is_empty() && self.plan.blockers.is_empty() {
            let is_said = self
                .plan
                .consequences
                .iter()
                .any(|text| text.ends_with("nothing will be sent"));
            if !is_said {
                self.plan.consequences.push(
                    "Everything that can be given back is there: nothing will be sent".to_owned(),
                );
            }
        }
        self.plan
    }

    pub(super) fn says(&mut self, text: impl Into<String>) {
        self.plan.consequences.push(text.into());
    }

    /// What stands in the way of one part: a blocker where it is the whole of the undo, else only said.
    pub(super) fn missing(&mut self, code: &str, text: String, fix: &str) {
        if self.is_whole {
            self.says(format!("{text}: it is not given back"));
        } else {
            self.plan.blockers.push(blocker(code, text, Some(fix)));
        }
    }

    fn person(&mut self, fresh: &Fresh, was_deactivated: bool) -> Result<(), Failure> {
        let (user, before) = (self.user, self.before);
        let seats = Seats::read(self.api)?;
        if was_deactivated && !user.is_active() {
            for lost in LOST {
                self.says(lost);
            }
            // The seat that a reactivation takes is that of the profile the user has now.
            self.seat(&seats, user.licence());
            self.plan
                .steps
                .push(steps::switch_user(self.org, &user.id, true));
        }
        // Somebody may have frozen the user for a reason of their own: what blocks a login is never lifted on the side.
        match (
            before.is_frozen,
            fresh.login(user).and_then(|row| row.is_frozen),
        ) {
            (Some(true), Some(true)) => {
                self.says(
                    "The user was frozen before and stays frozen until the freeze is undone too",
                );
            }
            (_, Some(true)) => {
                self.says("The user was frozen since and stays frozen");
            }
            _ => {}
        }
        let had = before.license_definition_key.as_deref();
        if user.profile_id.as_deref().and_then(ids::widen)
            != before.profile_id.as_deref().and_then(ids::widen)
            && let Some(profile) = before.profile_id.as_deref().and_then(ids::widen)
        {
            if was_deactivated {
                self.says("The profile was changed since, and is changed back");
            }
            if user.licence() != had {
                self.seat(&seats, had);
            }
            self.put("ProfileId", Some(&profile), "profile");
        }
        for (column, name, was, is) in [
            (
                "UserRoleId",
                "role",
                &before.user_role_id,
                &user.user_role_id,
            ),
            ("ManagerId", "manager", &before.manager_id, &user.manager_id),
        ] {
            if self.org.has(column) && is != was {
                self.says(format!("The {name} was changed since, and is changed back"));
                self.put(column, was.as_deref(), name);
            }
        }
        self.licences(None);
        self.sets(None)?;
        self.packages(None);
        self.groups()?;
        for name in model::FEATURES {
            if before.feature(name) == Some(true) && user.feature(name) == Some(false) {
                self.says(format!(
                    "The feature {name} was switched off since, and is switched on again"
                ));
                self.switch_on(name);
            }
        }
        Ok(())
    }

    /// Says, or stops at, a licence without a free seat.
    fn seat(&mut self, seats: &Seats, key: Option<&str>) {
        match key.and_then(|key| seats.free(key)) {
            Some(free) if free <= 0 => self.plan.blockers.push(blocker(
                "no_free_seat",
                format!("All seats of {} are in use", key.unwrap_or("this licence")),
                Some("Free a seat of this licence, or buy one, then undo again"),
            )),
            Some(_) => {}
            None => self
                .plan
                .unchecked
                .push("Whether a seat is free for the user".to_owned()),
        }
    }

    fn put(&mut self, column: &str, value: Option<&str>, name: &str) {
        let value = value.and_then(ids::widen).map(|id| id.into_owned());
        let says = match &value {
            Some(id) => format!(
                "Sets {column} of user {} back to the {name} {id}",
                self.user.id
            ),
            None => format!("Empties {column} of user {}, as it was", self.user.id),
        };
        let value = value.map_or(Value::Null, Value::from);
        self.plan.steps.push(steps::patch(
            self.org,
            "User",
            &self.user.id,
            &[(column, value)],
            says,
        ));
    }

    fn unfreeze(&mut self, fresh: &Fresh) {
        if self.before.is_frozen == Some(true) {
            return self.says("The user was frozen before: nothing will be sent");
        }
        match fresh.login(self.user) {
            Some(row) if row.is_frozen == Some(false) => {
                self.says("The user is not frozen any more: nothing will be sent");
            }
            Some(row) => {
                let step = steps::switch_login(self.org, &self.user.id, &row.id, false);
                self.plan.steps.push(step);
            }
            None if fresh.knows_frozen() => self.plan.blockers.push(blocker(
                "no_user_login_row",
                "Salesforce keeps no login row for this user any more",
                None,
            )),
            None => self.plan.blockers.push(blocker(
                "frozen_unreadable",
                "UserLogin cannot be read with the connecting user's rights",
                Some("A Salesforce administrator gives the connecting user Manage Users"),
            )),
        }
    }

    fn feature(&mut self, name: &'static str) {
        match (self.before.feature(name), self.user.feature(name)) {
            (Some(false), _) => {
                self.says("The feature was switched off before: nothing will be sent");
            }
            (_, Some(true)) => {
                self.says("The feature is switched on again already: nothing will be sent");
            }
            (_, None) => self.plan.blockers.push(blocker(
                "feature_unreadable",
                format!("The switch of the feature {name} cannot be read any more"),
                Some("A Salesforce administrator makes the field visible to the connecting user"),
            )),
            (_, Some(false)) => {
                self.plan
                    .unchecked
                    .push("Whether a feature licence is free for the user".to_owned());
                self.switch_on(name);
            }
        }
    }

    fn switch_on(&mut self, name: &str) {
        let column = org::feature_column(name);
        self.plan.steps.push(steps::patch(
            self.org,
            "User",
            &self.user.id,
            &[(&column, true.into())],
            format!("Sets {column} to true on user {}", self.user.id),
        ));
    }
}
