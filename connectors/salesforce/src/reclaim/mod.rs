//! Plans for taking a licence back, and what became of them.
//!
//! Each plan is about one person. Deactivating, freezing, moving to another licence, a package seat and a feature are one
//! request each; a permission-set licence is its permission sets first, then itself. Several people never share a request:
//! people deactivated together lose their follows of each other for good.
//!
//! A plan is a pure function of what was read: the same facts, the same bytes. Facts that move a little by themselves, such
//! as how many cases somebody owns, are said in round numbers, because an approval ends when a plan's words change.

mod before;
mod blockers;
mod downgrade;
mod give;
pub mod held;
mod holdings;
pub mod judge;
mod look;
mod observe;
mod plans;
pub mod restore;
mod seats;
mod steps;
mod take;
mod ties;

use seatwise_connector_sdk::{
    Call, Failure, failure,
    reclaim::{Blocker, Observation, Plan, Target},
};

use self::{
    blockers::Admins, downgrade::Profiles, held::Held, holdings::Holdings, seats::Seats, ties::Ties,
};
use crate::{api::Api, fresh::Fresh, ids, org::Org, settings::Settings};

/// Most targets of one call, so that one query of each kind reads them all.
const MAX_TARGETS: usize = 200;

/// An action of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `IsActive = false` on the user.
    Deactivate,
    /// `IsFrozen = true` on the user's login row.
    Freeze,
    /// Another profile, and so another user licence.
    Downgrade,
    /// A permission-set licence, after the permission sets that need it.
    RemoveSetLicence,
    /// The seat of a managed package.
    FreePackageSeat,
    /// `UserPermissions… = false` on the user.
    FeatureOff,
}

impl Action {
    const ALL: [(&'static str, Self); 6] = [
        ("deactivate", Self::Deactivate),
        ("freeze", Self::Freeze),
        ("downgrade", Self::Downgrade),
        ("remove-permission-set-licence", Self::RemoveSetLicence),
        ("free-package-seat", Self::FreePackageSeat),
        ("feature-off", Self::FeatureOff),
    ];

    /// Reads an action's id.
    ///
    /// # Errors
    /// `unsupported`, code `unknown_action`.
    pub fn of(target: &Target) -> Result<Self, Failure> {
        Self::ALL
            .into_iter()
            .find(|(word, _)| *word == target.action)
            .map(|(_, action)| action)
            .ok_or_else(|| {
                let known = Self::ALL.map(|(word, _)| word).join(", ");
                failure::unsupported(
                    "unknown_action",
                    format!("This connector knows {known}, not {:?}", target.action),
                )
            })
    }

    /// Whether the action takes this kind of licence.
    fn takes(self, held: Held<'_>) -> bool {
        match self {
            Self::Deactivate | Self::Freeze | Self::Downgrade => {
                matches!(held, Held::UserLicence(_))
            }
            Self::RemoveSetLicence => matches!(held, Held::SetLicence(_)),
            Self::FreePackageSeat => matches!(held, Held::Package(_)),
            Self::FeatureOff => matches!(held, Held::Feature(_) | Held::UnknownFeature(_)),
        }
    }
}

/// What plans are made from, read once for all targets of a call.
struct Facts<'o> {
    org: &'o Org,
    fresh: Fresh,
    admins: Admins,
    /// Empty where no target needs them.
    holdings: Holdings,
    ties: Ties,
    profiles: Profiles,
    seats: Seats,
}

impl<'o> Facts<'o> {
    fn read(
        api: &Api<'_>,
        org: &'o Org,
        settings: &Settings,
        targets: &[Target],
    ) -> Result<Self, Failure> {
        let fresh = Fresh::read(api, org, targets.iter())?;
        let admins = Admins::read(api, &fresh, targets)?;
        let people = |wanted: fn(Action) -> bool| {
            let mut people: Vec<&str> = targets
                .iter()
                .filter(|target| Action::of(target).is_ok_and(wanted))
                .filter_map(|target| Some(fresh.user(target)?.id.as_str()))
                .collect();
            people.sort_unstable();
            people.dedup();
            people
        };
        let holdings = Holdings::read(api, &people(|action| action != Action::Freeze))?;
        let ties = Ties::read(api, &people(|action| action == Action::Deactivate))?;
        let moves = !people(|action| action == Action::Downgrade).is_empty();
        let profiles = if moves {
            Profiles::read(api, settings)?
        } else {
            Profiles::default()
        };
        let seats = if moves {
            Seats::read(api)?
        } else {
            Seats::default()
        };
        Ok(Self {
            org,
            fresh,
            admins,
            holdings,
            ties,
            profiles,
            seats,
        })
    }
}

/// Plans every target of a call.
///
/// # Errors
/// `invalid-input` for too many targets; else what reading fails with.
pub fn plan(call: &Call<'_>, targets: &[Target]) -> Result<Vec<Result<Plan, Failure>>, Failure> {
    at_most(targets)?;
    let settings = Settings::of(call.ctx)?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    let facts = Facts::read(&api, &org, &settings, targets)?;
    Ok(targets
        .iter()
        .map(|target| {
            ids::given(&target.account)?;
            Ok(plans::plan(&facts, Action::of(target)?, target))
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
    let settings = Settings::of(call.ctx)?;
    let org = Org::of(call)?;
    let api = Api::new(call, &org.version);
    observe::observe(&api, &org, &settings, targets)
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

/// A plan that does nothing.
fn empty_plan() -> Plan {
    Plan {
        blockers: vec![],
        unchecked: vec![],
        frees: vec![],
        consequences: vec![],
        steps: vec![],
        before: None,
    }
}

/// A blocker.
fn blocker(code: &str, message: impl Into<String>, fix: Option<&str>) -> Blocker {
    Blocker {
        code: code.to_owned(),
        message: message.into(),
        fix: fix.map(str::to_owned),
    }
}
