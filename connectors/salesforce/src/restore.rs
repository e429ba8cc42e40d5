//! The way back: reactivating and unfreezing, from a before-image. Only what the action changed is put back; what else
//! has changed since is said and left alone.

use seatwise_connector_sdk::{
    Call, Failure, failure, json,
    reclaim::{BeforeImage, Plan, Target},
};

use crate::{
    api::Api,
    consumption,
    fresh::{Fresh, User},
    ids,
    org::{self, Org},
    reclaim::{Action, BEFORE_FORMAT, Before, blocker, patch_login, patch_user},
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
    if before.format != BEFORE_FORMAT {
        return Err(failure::unsupported(
            "before_image_format",
            format!(
                "This version restores from {BEFORE_FORMAT}, not from {:?}",
                before.format
            ),
        ));
    }
    let before: Before = json::parse(&before.data)?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let fresh = Fresh::read(&api, &org, std::iter::once(target))?;
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
            None,
        ));
        return Ok(plan);
    };
    match action {
        Action::Deactivate => reactivate(&api, &org, user, &before, &mut plan)?,
        Action::Freeze => unfreeze(&org, &fresh, user, &before, &mut plan),
    }
    Ok(plan)
}

fn reactivate(
    api: &Api<'_>,
    org: &Org,
    user: &User,
    before: &Before,
    plan: &mut Plan,
) -> Result<(), Failure> {
    if !before.is_active {
        plan.consequences
            .push("The user was inactive before: nothing will be sent".to_owned());
        return Ok(());
    }
    if user.is_active() {
        plan.consequences
            .push("The user is active again already: nothing will be sent".to_owned());
        return Ok(());
    }
    if user.profile_id != before.profile_id {
        plan.consequences
            .push("The profile was changed since; it is not changed back".to_owned());
    }
    if user.user_role_id != before.user_role_id {
        plan.consequences
            .push("The role was changed since; it is not changed back".to_owned());
    }
    if user.manager_id != before.manager_id {
        plan.consequences
            .push("The manager was changed since; it is not changed back".to_owned());
    }
    plan.consequences.extend(LOST.map(str::to_owned));
    // The seat that a reactivation takes is that of the profile the user has now.
    match free_seats(api, org, user.licence())? {
        Some(free) if free <= 0 => plan.blockers.push(blocker(
            "no_free_seat",
            &format!(
                "All seats of {} are in use",
                user.licence().unwrap_or("this licence")
            ),
            Some("Free a seat of this licence, or buy one, then undo again"),
        )),
        Some(_) => {}
        None => plan
            .unchecked
            .push("Whether a seat is free for the user".to_owned()),
    }
    if plan.blockers.is_empty() {
        plan.steps.push(patch_user(org, user, true));
    }
    Ok(())
}

fn unfreeze(org: &Org, fresh: &Fresh, user: &User, before: &Before, plan: &mut Plan) {
    if before.is_frozen == Some(true) {
        plan.consequences
            .push("The user was frozen before: nothing will be sent".to_owned());
        return;
    }
    match fresh.login(user) {
        Some(row) if row.is_frozen == Some(false) => {
            plan.consequences
                .push("The user is not frozen any more: nothing will be sent".to_owned());
        }
        Some(row) => plan.steps.push(patch_login(org, user, row, false)),
        None if fresh.knows_frozen() => plan.blockers.push(blocker(
            "no_user_login_row",
            "Salesforce keeps no login row for this user any more",
            None,
        )),
        None => plan.blockers.push(blocker(
            "frozen_unreadable",
            "UserLogin cannot be read with the connecting user's rights",
            Some("A Salesforce administrator gives the connecting user Manage Users"),
        )),
    }
}

/// Seats left of a licence; `None` where it cannot be known or has no bound.
fn free_seats(api: &Api<'_>, org: &Org, key: Option<&str>) -> Result<Option<i64>, Failure> {
    let Some(key) = key else { return Ok(None) };
    let rows = match consumption::licences(api, org) {
        Ok(rows) => rows,
        Err(failure) if org::is_absent(&failure) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let mut free = None;
    for row in rows
        .iter()
        .filter(|row| row.license_definition_key.as_deref() == Some(key))
    {
        match (row.total_licenses, row.used_licenses) {
            (Some(total), Some(used)) if total >= 0 => *free.get_or_insert(0) += total - used,
            _ => return Ok(None),
        }
    }
    Ok(free)
}
