//! What is true at Salesforce now, asked after an unknown outcome.

use seatwise_connector_sdk::{
    Failure,
    reclaim::{Observation, State, Target},
};

use super::{Action, held::Held, holdings::Holdings};
use crate::{
    api::Api,
    fresh::{Fresh, User},
    org::Org,
    settings::Settings,
};

/// One observation per target, whose account and action are checked already.
///
/// # Errors
/// What reading fails with.
pub fn observe(
    api: &Api<'_>,
    org: &Org,
    settings: &Settings,
    targets: &[Target],
) -> Result<Vec<Observation>, Failure> {
    let fresh = Fresh::read(api, org, targets.iter())?;
    let mut holders: Vec<&str> = targets
        .iter()
        .filter(|target| {
            matches!(
                Held::of(&target.identifier),
                Held::SetLicence(_) | Held::Package(_)
            )
        })
        .filter_map(|target| Some(fresh.user(target)?.id.as_str()))
        .collect();
    holders.sort_unstable();
    holders.dedup();
    let held = Holdings::read(api, &holders)?;
    targets
        .iter()
        .map(|target| {
            let (state, detail) = match fresh.user(target) {
                Some(user) => see(&fresh, &held, settings, Action::of(target)?, user, target),
                None => (
                    State::Gone,
                    "Salesforce shows no user with this id".to_owned(),
                ),
            };
            Ok(Observation { state, detail })
        })
        .collect()
}

fn see(
    fresh: &Fresh,
    held: &Holdings,
    settings: &Settings,
    action: Action,
    user: &User,
    target: &Target,
) -> (State, String) {
    match (action, Held::of(&target.identifier)) {
        (Action::Deactivate, _) => active(user, target),
        (Action::Freeze, _) => frozen(fresh, user),
        (Action::Downgrade, _) => moved(settings, user, target),
        (Action::RemoveSetLicence, Held::SetLicence(name)) => set_licence(held, user, name),
        (Action::FreePackageSeat, Held::Package(namespace)) => package(held, user, namespace),
        (Action::FeatureOff, Held::Feature(name)) => match user.feature(name) {
            Some(false) => (State::Reclaimed, format!("The feature {name} is off")),
            Some(true) => (State::Untouched, format!("The feature {name} is on")),
            None => (
                State::Unknown,
                "The feature cannot be read with these rights".to_owned(),
            ),
        },
        (_, held) => (
            State::Unknown,
            format!("The action does not take back {}", held.says()),
        ),
    }
}

fn active(user: &User, target: &Target) -> (State, String) {
    if !user.is_active() {
        return (State::Reclaimed, "IsActive is false".to_owned());
    }
    match user.licence() {
        Some(key) if key == target.identifier => (State::Untouched, "IsActive is true".to_owned()),
        Some(key) => (
            State::Partly,
            format!("IsActive is true and the licence is now {key}"),
        ),
        None => (
            State::Partly,
            "IsActive is true and the user holds no licence".to_owned(),
        ),
    }
}

fn frozen(fresh: &Fresh, user: &User) -> (State, String) {
    match fresh.login(user).and_then(|row| row.is_frozen) {
        Some(true) => (State::Reclaimed, "IsFrozen is true".to_owned()),
        _ if !user.is_active() => (
            State::Partly,
            "IsFrozen is not set and IsActive is false".to_owned(),
        ),
        Some(false) => (State::Untouched, "IsFrozen is false".to_owned()),
        None if fresh.knows_frozen() => (State::Unknown, "The user has no login row".to_owned()),
        None => (
            State::Unknown,
            "UserLogin cannot be read with these rights".to_owned(),
        ),
    }
}

fn moved(settings: &Settings, user: &User, target: &Target) -> (State, String) {
    let says = |key: &str| format!("The licence is {key}");
    let chosen = settings
        .downgrade_profiles()
        .into_iter()
        .find(|(key, _)| *key == target.identifier)
        .map(|(_, profile)| profile);
    match user.licence() {
        Some(key) if key == target.identifier => (State::Untouched, says(key)),
        Some(key) if target.to.as_deref() == Some(key) => (State::Reclaimed, says(key)),
        Some(key) if target.to.is_none() && chosen.is_some() && user.profile() == chosen => {
            (State::Reclaimed, says(key))
        }
        Some(key) => (
            State::Partly,
            format!(
                "{}, which is neither the old nor the planned one",
                says(key)
            ),
        ),
        None => (State::Partly, "The user holds no licence".to_owned()),
    }
}

/// *Untouched* only where the licence and something that needs it are there; a licence without any permission set is half
/// of what an undo gives back, and may be all there ever was.
fn set_licence(held: &Holdings, user: &User, name: &str) -> (State, String) {
    let (Some(seats), Some(_)) = (held.licence_seats(&user.id), &held.licences) else {
        return (
            State::Unknown,
            "Permission-set licences cannot be read with these rights".to_owned(),
        );
    };
    let Some(licence) = held
        .licence(name)
        .filter(|it| seats.iter().any(|seat| seat.licence() == it.id))
    else {
        return (
            State::Reclaimed,
            "The permission-set licence is not assigned".to_owned(),
        );
    };
    let needing = held.set_seats(&user.id).map(|sets| {
        sets.iter()
            .filter(|seat| held.needs(seat).contains(&licence.id))
            .count()
    });
    match needing {
        Some(0) => (
            State::Partly,
            "The permission-set licence is assigned, and no permission set needs it".to_owned(),
        ),
        Some(sets) => (
            State::Untouched,
            format!("The permission-set licence is assigned, and permission sets need it: {sets}"),
        ),
        None => (
            State::Unknown,
            "The permission-set licence is assigned; permission sets cannot be read".to_owned(),
        ),
    }
}

fn package(held: &Holdings, user: &User, namespace: &str) -> (State, String) {
    let (Some(seats), Some(_)) = (held.package_seats(&user.id), &held.packages) else {
        return (
            State::Unknown,
            "Package seats cannot be read with these rights".to_owned(),
        );
    };
    let holds = held
        .package(namespace)
        .is_some_and(|it| seats.iter().any(|seat| seat.package() == it.id));
    if holds {
        (State::Untouched, "The package seat is assigned".to_owned())
    } else {
        (
            State::Reclaimed,
            "The package seat is not assigned".to_owned(),
        )
    }
}
