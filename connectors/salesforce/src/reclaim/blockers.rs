//! Who is never touched, whatever is to be taken back.

use seatwise_connector_sdk::{
    Failure,
    reclaim::{Blocker, Target},
};

use super::{Action, blocker, held::Held, look};
use crate::{
    api::Api,
    fresh::{ADMIN_PROFILE, Fresh, User},
    org::Org,
    soql,
};

/// Whether an administrator would be left.
pub enum Admins {
    /// No target is one: not asked.
    NotConcerned,
    /// The count could not be read.
    Unknown,
    /// This many active ones stay when all targets of the call are gone.
    Left(u64),
}

/// Whether an action takes an administrator's reach away.
fn unseats(action: Action) -> bool {
    matches!(
        action,
        Action::Deactivate | Action::Freeze | Action::Downgrade
    )
}

impl Admins {
    /// Counts only where an administrator is among the targets.
    ///
    /// # Errors
    /// What may pass by itself.
    pub fn read(api: &Api<'_>, fresh: &Fresh, targets: &[Target]) -> Result<Self, Failure> {
        let mut going: Vec<&str> = targets
            .iter()
            .filter(|target| Action::of(target).is_ok_and(unseats))
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
        Ok(match look::readable(api.count(&soql))? {
            Some(active) => Self::Left(active.saturating_sub(going.len() as u64)),
            None => Self::Unknown,
        })
    }
}

/// What stands in the way because of who the user is, and what of that could not be looked at.
pub fn of(
    org: &Org,
    admins: &Admins,
    action: Action,
    user: &User,
    target: &Target,
) -> (Vec<Blocker>, Vec<String>) {
    let (mut found, mut unchecked) = (vec![], vec![]);
    match org.user_id.as_deref() {
        Some(own) if own == user.id => found.push(blocker(
            "self",
            "This is the user that the connection itself uses",
            Some("Exempt the connecting user from reclaim"),
        )),
        Some(_) => {}
        None => {
            unchecked.push("Whether this is the user that the connection itself uses".to_owned())
        }
    }
    if let Some(reason) = user.service_reason(org) {
        found.push(blocker(
            "service_account",
            format!("This is a system or integration user: {reason}"),
            Some("Exempt the account from reclaim"),
        ));
    }
    let held = Held::of(&target.identifier);
    if !action.takes(held) {
        found.push(blocker(
            "wrong_action",
            format!(
                "The action {} does not take back {}",
                target.action,
                held.says()
            ),
            Some(match held {
                Held::UserLicence(_) => "Use deactivate, downgrade or freeze for a user licence",
                Held::SetLicence(_) => "Use remove-permission-set-licence in the rule",
                Held::Package(_) => "Use free-package-seat in the rule",
                Held::Feature(_) | Held::UnknownFeature(_) => "Use feature-off in the rule",
            }),
        ));
    } else if unseats(action) && user.licence() != Some(target.identifier.as_str()) {
        let holds = user.licence().map_or_else(
            || "no user licence".to_owned(),
            |key| format!("the licence {key}"),
        );
        found.push(blocker(
            "licence_changed",
            format!("The user now holds {holds}, not {}", target.identifier),
            Some("Collect again, so that the candidate is judged by what the person holds now"),
        ));
    }
    if unseats(action) && user.is_admin() {
        match admins {
            Admins::Left(0) => {
                let word = match action {
                    Action::Freeze => "frozen",
                    Action::Downgrade => "moved to another profile",
                    _ => "deactivated",
                };
                found.push(blocker(
                    "last_admin",
                    format!(
                        "No active System Administrator would be left if this user were {word}"
                    ),
                    Some("Make another active user a System Administrator first"),
                ));
            }
            Admins::Unknown => {
                unchecked.push("Whether this is the last active System Administrator".to_owned())
            }
            Admins::Left(_) | Admins::NotConcerned => {}
        }
    }
    (found, unchecked)
}
