//! The plan of one target, from facts that are already read; here what is about the whole person. Pure.

use seatwise_connector_sdk::reclaim::{Plan, Target};

use super::{
    Action, Facts,
    before::Before,
    blocker, blockers, empty_plan,
    held::Held,
    look::{about, names, shown},
    steps, take,
};
use crate::{fresh::User, model};

/// What no query shows and Salesforce may refuse for. Source: salesforce.md §4.2.
const UNCHECKED_DEACTIVATE: [&str; 8] = [
    "Whether this person is the default or automated case owner",
    "Whether this person is the default lead owner or the creator of web leads",
    "Whether this person is the default workflow user or the only recipient of a workflow e-mail alert",
    "Whether assignment rules, auto-response rules, approval steps or field updates name this person",
    "Whether this person is the customer portal administrator",
    "Whether a custom hierarchy field on User names this person",
    "Whether flows or integrations run as this person",
    "Whether the org's own validation rules or triggers on User refuse the change",
];

const UNCHECKED_FREEZE: [&str; 1] =
    ["Whether integrations or scheduled jobs log in as this person"];

const CONSEQUENCES_DEACTIVATE: [&str; 4] = [
    "The person can no longer log in; records stay owned by the person and opportunities and forecasts still show them",
    "Sharing given to the person by hand or through a team is lost, and is not given back by a reactivation",
    "Permission-set and group assignments stay on the inactive user",
    BILLED,
];

/// Of every action that frees something.
pub const BILLED: &str =
    "What is billed does not change until the contract does: the seat goes back to the org's pool";

const CONSEQUENCES_FREEZE: [&str; 1] =
    ["The person can no longer log in; the seat stays used, because freezing frees nothing"];

/// The plan of one target.
pub fn plan(facts: &Facts<'_>, action: Action, target: &Target) -> Plan {
    let mut plan = empty_plan();
    let Some(user) = facts.fresh.user(target) else {
        plan.blockers.push(blocker(
            "not_found",
            "Salesforce shows no user with this id to the connecting user",
            Some("Check whether the connecting user may see all users (View All Users), or take the candidate off the list"),
        ));
        return plan;
    };
    let holdings = (action != Action::Freeze).then_some(&facts.holdings);
    let mut too_long = vec![];
    plan.before = Some(Before::of(&facts.fresh, holdings, user).image(&mut too_long));
    let is_seat = matches!(
        action,
        Action::Deactivate | Action::Freeze | Action::Downgrade
    );
    if is_seat && !user.is_active() {
        plan.consequences
            .push("The user is already inactive: nothing will be sent".to_owned());
        return plan;
    }
    let (found, unchecked) = blockers::of(facts.org, &facts.admins, action, user, target);
    let fits = found.iter().all(|it| it.code != "wrong_action");
    plan.blockers = found;
    plan.unchecked = too_long;
    plan.unchecked.extend(unchecked);
    match (action, Held::of(&target.identifier)) {
        (Action::Deactivate, _) => deactivate(facts, user, &mut plan),
        (Action::Freeze, _) => freeze(facts, user, &mut plan),
        (Action::Downgrade, _) if fits => take::downgrade(facts, user, target, &mut plan),
        (Action::RemoveSetLicence, Held::SetLicence(name)) => {
            take::remove_set_licence(facts, user, name, &mut plan);
        }
        (Action::FreePackageSeat, Held::Package(namespace)) => {
            take::free_package_seat(facts, user, namespace, &mut plan);
        }
        (Action::FeatureOff, Held::Feature(name)) => {
            take::feature_off(facts, user, name, &mut plan)
        }
        (Action::FeatureOff, Held::UnknownFeature(name)) => plan.blockers.push(blocker(
            "unknown_feature",
            format!("This version knows no feature licence {}", shown(name)),
            Some("Update the connector, or let a Salesforce administrator switch the feature off"),
        )),
        // The wrong action for this licence: its blocker is there.
        _ => {}
    }
    if !plan.steps.is_empty() {
        plan.frees.insert(0, target.identifier.clone());
        if action == Action::Freeze {
            plan.frees.clear();
        }
    }
    if !plan.blockers.is_empty() {
        // What may not be sent is not offered either.
        plan.steps.clear();
        plan.frees.clear();
    }
    plan
}

fn deactivate(facts: &Facts<'_>, user: &User, plan: &mut Plan) {
    if !facts.fresh.knows_frozen() {
        plan.unchecked.push("Whether the user is frozen".to_owned());
    }
    plan.unchecked
        .extend(UNCHECKED_DEACTIVATE.map(str::to_owned));
    plan.consequences
        .extend(CONSEQUENCES_DEACTIVATE.map(str::to_owned));
    ties(facts, user, plan);
    kept(facts, user, plan);
    plan.steps
        .push(steps::switch_user(facts.org, &user.id, false));
}

/// What the org leans on this person for.
fn ties(facts: &Facts<'_>, user: &User, plan: &mut Plan) {
    let (ties, id) = (&facts.ties, user.id.as_str());
    match ties.jobs(id) {
        Some([]) => {}
        Some(jobs) => plan.blockers.push(blocker(
            "scheduled_jobs",
            format!(
                "Scheduled jobs run as this person and would stop: {}",
                names(jobs.iter().cloned())
            ),
            Some("A Salesforce administrator schedules the jobs as another user, then plan again"),
        )),
        None => plan
            .unchecked
            .push("Whether scheduled jobs run as this person".to_owned()),
    }
    match ties.dashboards(id) {
        Some([]) => {}
        Some(dashboards) => plan.consequences.push(format!(
            "Dashboards run as this person and show nothing until another running user is chosen: {}",
            names(dashboards.iter().cloned())
        )),
        None => plan
            .unchecked
            .push("Whether dashboards run as this person".to_owned()),
    }
    match (ties.portal_accounts(id), ties.portal_users(id)) {
        (Some(0), _) | (Some(_), Some(0)) => {}
        (Some(_), Some(users)) => plan.blockers.push(blocker(
            "portal_account_owner",
            format!(
                "The person owns portal accounts with active portal users ({}); Salesforce does not deactivate their owner",
                about(users)
            ),
            Some("A Salesforce administrator gives the accounts another owner, then plan again; or freeze the person instead"),
        )),
        (Some(_), None) | (None, _) => plan
            .unchecked
            .push("Whether the person owns accounts with active portal users".to_owned()),
    }
    let mut counted = |count: Option<u64>, says: &str, unchecked: &str| match count {
        Some(0) => {}
        Some(count) => plan.consequences.push(says.replace("{}", &about(count))),
        None => plan.unchecked.push(unchecked.to_owned()),
    };
    counted(
        ties.approvals(id),
        "Approval requests wait for this person and stay waiting: {}",
        "Whether approval requests wait for this person",
    );
    counted(
        ties.delegations(id),
        "Active users name this person as delegated approver: {}",
        "Whether others name this person as delegated approver",
    );
    counted(
        ties.reports(id),
        "Active users whose manager this person is, also for approvals by the manager: {}",
        "Whether others name this person as manager",
    );
    let (mut owned, mut unknown) = (vec![], vec![]);
    for (kind, count) in ties.records(id) {
        match count {
            Some(0) => {}
            Some(count) => owned.push(format!("{} {kind}", about(count))),
            None => unknown.push(kind),
        }
    }
    if !owned.is_empty() {
        plan.consequences.push(format!(
            "The person owns {}; somebody must take them over",
            owned.join(", ")
        ));
    }
    if !ties.sees_all() {
        plan.unchecked.push(
            "Records, accounts and dashboards that are hidden from the connecting user, which has no View All Data"
                .to_owned(),
        );
    }
    if !unknown.is_empty() {
        plan.unchecked
            .push(format!("How many {} the person owns", unknown.join(", ")));
    }
}

/// What stays with an inactive user.
fn kept(facts: &Facts<'_>, user: &User, plan: &mut Plan) {
    let (held, id) = (&facts.holdings, user.id.as_str());
    match held.licence_seats(id) {
        Some(seats) if seats.is_empty() => {}
        Some(seats) => plan.consequences.push(format!(
            "Permission-set licences stay assigned, and Salesforce may go on counting them until they are taken back by their own action: {}",
            names(seats.iter().map(|seat| held.licence_name(&seat.licence())))
        )),
        None => plan
            .unchecked
            .push("Which permission-set licences stay assigned to the person".to_owned()),
    }
    match held.package_seats(id) {
        Some(seats) if seats.is_empty() => {}
        Some(seats) => plan.consequences.push(format!(
            "Package seats stay assigned until they are taken back by their own action: {}",
            names(seats.iter().map(|seat| held.namespace(&seat.package())))
        )),
        None => plan
            .unchecked
            .push("Which package seats stay assigned to the person".to_owned()),
    }
    let features: Vec<String> = model::FEATURES
        .into_iter()
        .filter(|name| user.feature(name) == Some(true))
        .map(str::to_owned)
        .collect();
    if !features.is_empty() {
        plan.consequences.push(format!(
            "Features stay switched on for the inactive user: {}",
            names(features)
        ));
    }
    match held.memberships(id) {
        Some(memberships) => {
            let queues: Vec<String> = memberships
                .iter()
                .filter(|it| it.kind() == Some("Queue"))
                .map(|it| it.name())
                .collect();
            if !queues.is_empty() {
                plan.consequences.push(format!(
                    "The person is in these queues, whose work somebody else must do: {}",
                    names(queues)
                ));
            }
            let groups: Vec<String> = memberships
                .iter()
                .filter(|it| it.kind() != Some("Queue"))
                .map(|it| it.name())
                .collect();
            if !groups.is_empty() {
                plan.consequences
                    .push(format!("The person is in these groups: {}", names(groups)));
            }
        }
        None => plan
            .unchecked
            .push("Which queues and groups the person is in".to_owned()),
    }
    if held.set_seats(id).is_none() {
        plan.unchecked
            .push("Which permission sets the person has; an undo cannot give them back".to_owned());
    }
}

fn freeze(facts: &Facts<'_>, user: &User, plan: &mut Plan) {
    plan.unchecked.extend(UNCHECKED_FREEZE.map(str::to_owned));
    match facts.fresh.login(user) {
        Some(row) if row.is_frozen == Some(true) => {
            plan.consequences
                .push("The user is already frozen: nothing will be sent".to_owned());
        }
        Some(row) => {
            plan.consequences
                .extend(CONSEQUENCES_FREEZE.map(str::to_owned));
            plan.steps
                .push(steps::switch_login(facts.org, &user.id, &row.id, true));
        }
        None if facts.fresh.knows_frozen() => plan.blockers.push(blocker(
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
