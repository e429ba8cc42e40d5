//! What takes one licence and leaves the login: another user licence, a permission-set licence, a package seat, a feature.
//! From facts that are already read. Pure.

use seatwise_connector_sdk::reclaim::{Plan, Target};
use serde_json::Value;

use super::{
    Facts, blocker,
    downgrade::{self, Licence},
    holdings::{End, SetSeat},
    look::{names, shown},
    plans::BILLED,
    steps,
};
use crate::{fresh::User, org};

const UNCHECKED_DOWNGRADE: [&str; 2] = [
    "Whether Salesforce takes away what the other licence does not carry, such as permission-set licences of the old one",
    "Whether the org's own validation rules or triggers on User refuse the change",
];

/// What an undo of removed assignments is not.
const NEW_RECORDS: &str =
    "An undo assigns again: the records' ids and the days of assignment are new ones";

/// The one permission-set licence that people use without any permission set (salesforce.md §3.6).
const WITHOUT_SETS: &str = "IdentityConnect";

/// Another profile, and so another user licence.
pub fn downgrade(facts: &Facts<'_>, user: &User, target: &Target, plan: &mut Plan) {
    let from = Licence {
        key: &target.identifier,
        name: user.licence_name().unwrap_or_default(),
    };
    let profile = match facts.profiles.target(from.key, target.to.as_deref()) {
        Ok(profile) => profile,
        Err(blocker) => return plan.blockers.push(blocker),
    };
    let Some(to) = profile.licence() else {
        return plan.blockers.push(blocker(
            "profiles_unreadable",
            format!(
                "The licence of the profile {} cannot be read",
                profile.name()
            ),
            Some(
                "A Salesforce administrator gives the connecting user View Setup and Configuration",
            ),
        ));
    };
    if let Err(refused) = downgrade::allowed(from, to) {
        plan.blockers.push(refused);
    }
    match facts.seats.free(to.key) {
        Some(free) if free <= 0 => plan.blockers.push(blocker(
            "no_free_seat",
            format!("All seats of {} are in use", to.key),
            Some("Free a seat of this licence, or buy one, then plan again"),
        )),
        Some(_) => {}
        None => plan
            .unchecked
            .push(format!("Whether a seat of {} is free", to.key)),
    }
    plan.unchecked
        .extend(UNCHECKED_DOWNGRADE.map(str::to_owned));
    plan.consequences.push(format!(
        "The person keeps the login and works with the profile {} from now on; what {} allows beyond it is lost, and a seat of {} is taken",
        profile.name(),
        from.key,
        to.key
    ));
    let id = user.id.as_str();
    match (facts.holdings.set_seats(id), user.licence_id()) {
        (Some(seats), Some(licence)) => {
            let bound: Vec<String> = seats
                .iter()
                .filter(|seat| seat.bound_to().as_ref() == Some(&licence))
                .map(|seat| seat.name())
                .collect();
            if !bound.is_empty() {
                plan.blockers.push(blocker(
                    "sets_of_licence",
                    format!(
                        "Permission sets of the person belong to {} and stop the move: {}",
                        from.key,
                        names(bound)
                    ),
                    Some("A Salesforce administrator takes these permission sets away, then plan again"),
                ));
            }
        }
        _ => plan.unchecked.push(
            "Whether the person has permission sets that belong to the old licence".to_owned(),
        ),
    }
    plan.consequences.push(BILLED.to_owned());
    let mut fields: Vec<(&str, Value)> = vec![("ProfileId", profile.id.as_str().into())];
    let mut says = format!(
        "Sets ProfileId of user {id} to {}, the profile {} of the licence {}",
        profile.id,
        profile.name(),
        to.key
    );
    if !profile.takes_role() && user.user_role_id.is_some() {
        plan.consequences
            .push("The person loses the role, which the other licence cannot have".to_owned());
        fields.push(("UserRoleId", Value::Null));
        says.push_str(", and empties UserRoleId");
    }
    plan.steps
        .push(steps::patch(facts.org, "User", id, &fields, says));
}

/// The permission sets that need the licence, then the licence (salesforce.md §4.5).
pub fn remove_set_licence(facts: &Facts<'_>, user: &User, name: &str, plan: &mut Plan) {
    let (held, id) = (&facts.holdings, user.id.as_str());
    let (Some(seats), Some(_)) = (held.licence_seats(id), &held.licences) else {
        return plan.blockers.push(blocker(
            "licence_unreadable",
            "Permission-set licences or their assignments cannot be read with the connecting user's rights",
            Some("A Salesforce administrator gives the connecting user View Setup and Configuration"),
        ));
    };
    let licence = held.licence(name);
    let seat = licence.and_then(|it| seats.iter().find(|seat| seat.licence() == it.id));
    let (Some(licence), Some(seat)) = (licence, seat) else {
        plan.consequences.push(
            "The permission-set licence is not assigned any more: nothing will be sent".to_owned(),
        );
        return;
    };
    if name == "SalesforceAPIIntegrationPsl" && user.profile_name() == Some("Salesforce API Only") {
        plan.blockers.push(blocker(
            "needed_by_profile",
            "The profile Salesforce API Only needs this permission-set licence",
            Some("Exempt the account from reclaim, or give it another profile first"),
        ));
    }
    if name == WITHOUT_SETS {
        plan.unchecked.push(
            "Whether Identity Connect still looks after this person: it needs the licence without any permission set"
                .to_owned(),
        );
    }
    let sets = held.set_seats(id);
    match &sets {
        None => plan.unchecked.push(
            "Which permission sets of the person need this licence; Salesforce refuses while one does"
                .to_owned(),
        ),
        Some(sets) => {
            if !held.knows_groups() && sets.iter().any(|seat| seat.group().is_some()) {
                plan.unchecked.push(
                    "Whether a permission-set group of the person needs this licence; Salesforce refuses while one does"
                        .to_owned(),
                );
            }
        }
    }
    plan.unchecked.push(
        "Whether a permission set without a licence of its own needs this licence; Salesforce then refuses and names it"
            .to_owned(),
    );
    let needing: Vec<&SetSeat> = sets
        .unwrap_or_default()
        .into_iter()
        .filter(|seat| held.needs(seat).contains(&licence.id))
        .collect();
    if needing.len() >= steps::MOST_STEPS {
        return plan.blockers.push(blocker(
            "too_many_sets",
            format!(
                "{} permission sets need this licence; {} requests are the most of one plan",
                needing.len(),
                steps::MOST_STEPS
            ),
            Some("A Salesforce administrator takes some of the permission sets away first"),
        ));
    }
    for seat in &needing {
        let (what, whole) = match seat.group() {
            Some(_) => ("permission-set group", ", with every permission set in it"),
            None => ("permission set", ""),
        };
        plan.consequences.push(format!(
            "The person loses the {what} {}{whole}",
            seat.name()
        ));
        let others: Vec<String> = held
            .needs(seat)
            .iter()
            .filter(|other| **other != licence.id)
            .map(|other| held.licence_name(other))
            .collect();
        if !others.is_empty() {
            plan.consequences.push(format!(
                "With it Salesforce may also take back the permission-set licences {}",
                names(others)
            ));
        }
        plan.steps.push(steps::delete(
            facts.org,
            "PermissionSetAssignment",
            &seat.id,
            format!("Takes the {what} {} from user {id}", seat.name()),
        ));
    }
    plan.steps.push(steps::delete(
        facts.org,
        "PermissionSetLicenseAssign",
        &seat.id,
        format!(
            "Takes the permission-set licence {} from user {id}; if Salesforce took it back together with the permission sets, this finds nothing left to do",
            shown(name)
        ),
    ));
    undo(licence.end(), plan);
    plan.consequences.push(BILLED.to_owned());
}

/// What an undo gives back, said before.
fn undo(end: Option<End>, plan: &mut Plan) {
    if let Some(end) = &end {
        plan.consequences.push(match end {
            End::Over => "What was bought is over: an undo cannot give it back".to_owned(),
            End::On(day) => {
                format!("What was bought ends on {day}: after it an undo cannot give it back")
            }
        });
    }
    if end != Some(End::Over) {
        plan.consequences.push(NEW_RECORDS.to_owned());
    }
}

/// The seat of a managed package.
pub fn free_package_seat(facts: &Facts<'_>, user: &User, namespace: &str, plan: &mut Plan) {
    let (held, id) = (&facts.holdings, user.id.as_str());
    let (Some(seats), Some(_)) = (held.package_seats(id), &held.packages) else {
        return plan.blockers.push(blocker(
            "packages_unreadable",
            "Package licences or their seats cannot be read with the connecting user's rights",
            Some(
                "A Salesforce administrator gives the connecting user View Setup and Configuration",
            ),
        ));
    };
    let package = held.package(namespace);
    let seat = package.and_then(|it| seats.iter().find(|seat| seat.package() == it.id));
    let (Some(package), Some(seat)) = (package, seat) else {
        plan.consequences.push(
            "The person has no seat of this package any more: nothing will be sent".to_owned(),
        );
        return;
    };
    if package.allowed_licenses.is_some_and(|allowed| allowed < 0) {
        plan.blockers.push(blocker(
            "site_licence",
            format!(
                "The package {} is licensed for the whole org: a seat of it saves nothing",
                shown(namespace)
            ),
            Some("Exclude the package from reclaim"),
        ));
    }
    plan.unchecked.push(
        "Whether permission sets, page layouts or automation of the package still expect the person to have it".to_owned(),
    );
    plan.consequences.push(format!(
        "The person can no longer use the package {}; its records stay",
        shown(namespace)
    ));
    undo(package.end(), plan);
    plan.consequences.push(BILLED.to_owned());
    plan.steps.push(steps::delete(
        facts.org,
        "UserPackageLicense",
        &seat.id,
        format!(
            "Takes the seat of the package {} from user {id}",
            shown(namespace)
        ),
    ));
}

/// One switch of the user.
pub fn feature_off(facts: &Facts<'_>, user: &User, name: &'static str, plan: &mut Plan) {
    match user.feature(name) {
        None => plan.blockers.push(blocker(
            "feature_unreadable",
            format!("The switch of the feature {name} does not exist in this org, or is hidden from the connecting user"),
            Some("A Salesforce administrator makes the field visible to the connecting user"),
        )),
        Some(false) => plan
            .consequences
            .push("The feature is already switched off: nothing will be sent".to_owned()),
        Some(true) => {
            plan.unchecked.push(
                "Whether permission sets or automation of the org need the feature; Salesforce may then refuse".to_owned(),
            );
            plan.consequences
                .push(format!("The person can no longer use the feature {name}"));
            plan.consequences.push(BILLED.to_owned());
            let column = org::feature_column(name);
            plan.steps.push(steps::patch(
                facts.org,
                "User",
                &user.id,
                &[(&column, false.into())],
                format!("Sets {column} to false on user {}", user.id),
            ));
        }
    }
}
