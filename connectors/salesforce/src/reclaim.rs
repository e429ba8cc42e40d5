//! Plans for taking a seat back, and what became of them.
//!
//! Two actions, each one request about one person: `deactivate` frees the user licence, `freeze` blocks the login and
//! frees nothing. One person per request, because people deactivated together lose their follows of each other for good.
//!
//! A plan is a pure function of what was read: the same facts, the same bytes.

use seatwise_connector_sdk::{
    Call, Failure, failure,
    reclaim::{BeforeImage, Blocker, Observation, Plan, State, Step, Target, WriteMethod},
    subscriptions::AccountKind,
};
use serde::{Deserialize, Serialize};

use crate::{
    api::{Api, INSTANCE},
    fresh::{ADMIN_PROFILE, Fresh, User},
    ids,
    model::UserLoginRow,
    org::{self, Org},
    soql,
};

/// The format of the before-image this version writes and reads.
pub const BEFORE_FORMAT: &str = "salesforce.user/1";
/// Most targets of one call, so that one query reads them all.
const MAX_TARGETS: usize = 200;

/// An action of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `IsActive = false` on the user.
    Deactivate,
    /// `IsFrozen = true` on the user's login row.
    Freeze,
}

impl Action {
    /// Reads an action's id.
    ///
    /// # Errors
    /// `unsupported`, code `unknown_action`.
    pub fn of(target: &Target) -> Result<Self, Failure> {
        match target.action.as_str() {
            "deactivate" => Ok(Self::Deactivate),
            "freeze" => Ok(Self::Freeze),
            other => Err(failure::unsupported(
                "unknown_action",
                format!("This connector knows deactivate and freeze, not {other:?}"),
            )),
        }
    }
}

/// What must be known to put a user back. Field order is part of the format.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Before {
    /// Before the step.
    pub is_active: bool,
    /// Before the step.
    pub profile_id: Option<String>,
    /// Before the step.
    pub user_role_id: Option<String>,
    /// Before the step.
    pub manager_id: Option<String>,
    /// `None`: could not be read.
    pub is_frozen: Option<bool>,
    /// The row that carries frozen.
    pub user_login_id: Option<String>,
    /// The seat the user held.
    pub license_definition_key: Option<String>,
}

/// Plans every target of a call.
///
/// # Errors
/// `invalid-input` for too many targets; else what reading fails with.
pub fn plan(call: &Call<'_>, targets: &[Target]) -> Result<Vec<Result<Plan, Failure>>, Failure> {
    at_most(targets)?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let fresh = Fresh::read(&api, &org, targets.iter())?;
    let admins = Admins::read(&api, &fresh, targets)?;
    Ok(targets
        .iter()
        .map(|target| {
            ids::given(&target.account)?;
            Ok(plan_one(&org, &fresh, &admins, Action::of(target)?, target))
        })
        .collect())
}

/// What became of targets.
///
/// # Errors
/// `invalid-input` for too many targets; else what reading fails with.
pub fn observe(call: &Call<'_>, targets: &[Target]) -> Result<Vec<Observation>, Failure> {
    at_most(targets)?;
    for target in targets {
        ids::given(&target.account)?;
        Action::of(target)?;
    }
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let fresh = Fresh::read(&api, &org, targets.iter())?;
    targets
        .iter()
        .map(|target| Ok(observe_one(&fresh, Action::of(target)?, target)))
        .collect()
}

fn at_most(targets: &[Target]) -> Result<(), Failure> {
    if targets.len() > MAX_TARGETS {
        return Err(failure::invalid_input(
            "too_many_targets",
            format!("At most {MAX_TARGETS} targets can be planned at once"),
        ));
    }
    Ok(())
}

/// Whether an administrator would be left.
enum Admins {
    /// No target is one: not asked.
    NotConcerned,
    /// The count could not be read.
    Unknown,
    /// This many active ones stay when all targets of the call are gone.
    Left(u64),
}

impl Admins {
    fn read(api: &Api<'_>, fresh: &Fresh, targets: &[Target]) -> Result<Self, Failure> {
        let mut going: Vec<&str> = targets
            .iter()
            .filter(|target| Action::of(target).is_ok())
            .filter_map(|target| fresh.user(target))
            .filter(|user| user.is_active() && user.is_admin())
            .map(|user| user.id.as_str())
            .collect();
        going.sort_unstable();
        going.dedup();
        if going.is_empty() {
            return Ok(Self::NotConcerned);
        }
        let soql = format!(
            "SELECT COUNT() FROM User WHERE IsActive = true AND Profile.Name = {}",
            soql::quote(ADMIN_PROFILE)
        );
        match api.count(&soql) {
            Ok(active) => Ok(Self::Left(active.saturating_sub(going.len() as u64))),
            Err(failure) if org::is_absent(&failure) => Ok(Self::Unknown),
            Err(failure) => Err(failure),
        }
    }
}

/// What no query shows and Salesforce may refuse for.
const UNCHECKED_DEACTIVATE: [&str; 8] = [
    "Whether this person is the default or automated case owner",
    "Whether this person is the default lead owner or the creator of web leads",
    "Whether this person is the default workflow user or the only recipient of a workflow e-mail alert",
    "Whether assignment rules, auto-response rules, approval steps or field updates name this person",
    "Whether this person is the customer portal administrator or owns an account with active portal users",
    "Whether a custom hierarchy field on User names this person",
    "Whether scheduled jobs, flows or dashboards run as this person",
    "Whether the org's own validation rules or triggers on User refuse the change",
];

const UNCHECKED_FREEZE: [&str; 1] =
    ["Whether integrations or scheduled jobs log in as this person"];

const CONSEQUENCES_DEACTIVATE: [&str; 4] = [
    "The person can no longer log in; records stay owned by the person and opportunities and forecasts still show them",
    "Sharing given to the person by hand or through a team is lost, and is not given back by a reactivation",
    "Permission-set and group assignments stay on the inactive user",
    "What is billed does not change until the contract does: the seat goes back to the org's pool",
];

const CONSEQUENCES_FREEZE: [&str; 1] =
    ["The person can no longer log in; the seat stays used, because freezing frees nothing"];

fn plan_one(org: &Org, fresh: &Fresh, admins: &Admins, action: Action, target: &Target) -> Plan {
    let mut plan = Plan {
        blockers: vec![],
        unchecked: vec![],
        frees: vec![],
        consequences: vec![],
        steps: vec![],
        before: None,
    };
    let Some(user) = fresh.user(target) else {
        plan.blockers.push(blocker(
            "not_found",
            "Salesforce shows no user with this id to the connecting user",
            Some("Check whether the connecting user may see all users (View All Users), or take the candidate off the list"),
        ));
        return plan;
    };
    plan.before = Some(before_image(fresh, user));
    if !user.is_active() {
        plan.consequences
            .push("The user is already inactive: nothing will be sent".to_owned());
        return plan;
    }
    plan.blockers = blockers(org, admins, action, user, target);
    match &org.user_id {
        Some(_) => {}
        None => plan
            .unchecked
            .push("Whether this is the user that the connection itself uses".to_owned()),
    }
    if matches!(admins, Admins::Unknown) && user.is_admin() {
        plan.unchecked
            .push("Whether this is the last active System Administrator".to_owned());
    }
    match action {
        Action::Deactivate => {
            if !fresh.knows_frozen() {
                plan.unchecked.push("Whether the user is frozen".to_owned());
            }
            plan.unchecked
                .extend(UNCHECKED_DEACTIVATE.map(str::to_owned));
            plan.consequences
                .extend(CONSEQUENCES_DEACTIVATE.map(str::to_owned));
            plan.frees.extend(user.licence().map(str::to_owned));
            plan.steps.push(patch_user(org, user, false));
        }
        Action::Freeze => {
            plan.unchecked.extend(UNCHECKED_FREEZE.map(str::to_owned));
            match fresh.login(user) {
                Some(row) if row.is_frozen == Some(true) => {
                    plan.consequences
                        .push("The user is already frozen: nothing will be sent".to_owned());
                }
                Some(row) => {
                    plan.consequences
                        .extend(CONSEQUENCES_FREEZE.map(str::to_owned));
                    plan.steps.push(patch_login(org, user, row, true));
                }
                None if fresh.knows_frozen() => plan.blockers.push(blocker(
                    "no_user_login_row",
                    "Salesforce keeps no login row for this user, so there is nothing to freeze",
                    Some("Deactivate the user instead, or freeze the user in Setup"),
                )),
                None => plan.blockers.push(blocker(
                    "frozen_unreadable",
                    "UserLogin cannot be read with the connecting user's rights",
                    Some("A Salesforce administrator gives the connecting user Manage Users"),
                )),
            }
        }
    }
    if !plan.blockers.is_empty() {
        // What may not be sent is not offered either.
        plan.steps.clear();
        plan.frees.clear();
    }
    plan
}

fn blockers(
    org: &Org,
    admins: &Admins,
    action: Action,
    user: &User,
    target: &Target,
) -> Vec<Blocker> {
    let mut found = vec![];
    if org.user_id.as_deref() == Some(user.id.as_str()) {
        found.push(blocker(
            "self",
            "This is the user that the connection itself uses",
            Some("Exempt the connecting user from reclaim"),
        ));
    }
    if user.kind() == AccountKind::Service {
        found.push(blocker(
            "service_account",
            "This is a system or integration user, by its type or its licence",
            Some("Exempt the account from reclaim"),
        ));
    }
    if user.licence() != Some(target.identifier.as_str()) {
        let holds = user.licence().map_or_else(
            || "no user licence".to_owned(),
            |key| format!("the licence {key}"),
        );
        found.push(blocker(
            "licence_changed",
            &format!("The user now holds {holds}, not {}", target.identifier),
            Some("Collect again, so that the candidate is judged by what the person holds now"),
        ));
    }
    if user.is_admin() && matches!(admins, Admins::Left(0)) {
        let word = match action {
            Action::Deactivate => "deactivated",
            Action::Freeze => "frozen",
        };
        found.push(blocker(
            "last_admin",
            &format!("No active System Administrator would be left if this user were {word}"),
            Some("Make another active user a System Administrator first"),
        ));
    }
    found
}

/// A blocker.
pub fn blocker(code: &str, message: &str, fix: Option<&str>) -> Blocker {
    Blocker {
        code: code.to_owned(),
        message: message.to_owned(),
        fix: fix.map(str::to_owned),
    }
}

fn before_image(fresh: &Fresh, user: &User) -> BeforeImage {
    let login = fresh.login(user);
    let before = Before {
        is_active: user.is_active(),
        profile_id: user.profile_id.clone(),
        user_role_id: user.user_role_id.clone(),
        manager_id: user.manager_id.clone(),
        is_frozen: login.and_then(|row| row.is_frozen),
        user_login_id: login.map(|row| row.id.clone()),
        license_definition_key: user.licence().map(str::to_owned),
    };
    BeforeImage {
        format: BEFORE_FORMAT.to_owned(),
        data: serde_json::to_vec(&before)
            .expect("a struct of texts and booleans always serialises"),
    }
}

/// The request that switches a user's licence on or off.
pub fn patch_user(org: &Org, user: &User, active: bool) -> Step {
    let says = if active {
        format!(
            "Sets IsActive to true on user {}: the person can log in again and holds a seat",
            user.id
        )
    } else {
        format!(
            "Sets IsActive to false on user {}: the person can no longer log in and the seat returns to the pool",
            user.id
        )
    };
    step(
        format!("/services/data/v{}/sobjects/User/{}", org.version, user.id),
        &format!("{{\"IsActive\":{active}}}"),
        says,
    )
}

/// The request that blocks or unblocks a user's login.
pub fn patch_login(org: &Org, user: &User, row: &UserLoginRow, frozen: bool) -> Step {
    let says = if frozen {
        format!(
            "Sets IsFrozen to true for user {}: the person can no longer log in, the seat stays used",
            user.id
        )
    } else {
        format!(
            "Sets IsFrozen to false for user {}: the person can log in again",
            user.id
        )
    };
    let id = ids::widen(&row.id).map_or_else(|| row.id.clone(), |id| id.into_owned());
    step(
        format!("/services/data/v{}/sobjects/UserLogin/{id}", org.version),
        &format!("{{\"IsFrozen\":{frozen}}}"),
        says,
    )
}

fn step(path: String, body: &str, says: String) -> Step {
    Step {
        method: WriteMethod::Patch,
        origin: INSTANCE.to_owned(),
        path,
        content_type: Some("application/json".to_owned()),
        body: Some(body.as_bytes().to_vec()),
        says,
    }
}

fn observe_one(fresh: &Fresh, action: Action, target: &Target) -> Observation {
    let observed = |state, detail: String| Observation { state, detail };
    let Some(user) = fresh.user(target) else {
        return observed(
            State::Gone,
            "Salesforce shows no user with this id".to_owned(),
        );
    };
    match action {
        Action::Deactivate if !user.is_active() => {
            observed(State::Reclaimed, "IsActive is false".to_owned())
        }
        Action::Deactivate => match user.licence() {
            Some(key) if key == target.identifier => {
                observed(State::Untouched, "IsActive is true".to_owned())
            }
            Some(key) => observed(
                State::Partly,
                format!("IsActive is true and the licence is now {key}"),
            ),
            None => observed(
                State::Partly,
                "IsActive is true and the user holds no licence".to_owned(),
            ),
        },
        Action::Freeze => match fresh.login(user).and_then(|row| row.is_frozen) {
            Some(true) => observed(State::Reclaimed, "IsFrozen is true".to_owned()),
            _ if !user.is_active() => observed(
                State::Partly,
                "IsFrozen is not set and IsActive is false".to_owned(),
            ),
            Some(false) => observed(State::Untouched, "IsFrozen is false".to_owned()),
            None if fresh.knows_frozen() => {
                observed(State::Unknown, "The user has no login row".to_owned())
            }
            None => observed(
                State::Unknown,
                "UserLogin cannot be read with these rights".to_owned(),
            ),
        },
    }
}
