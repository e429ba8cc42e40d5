//! Why a profile could not be made or moved, and what a person does about it.

use serde_json::json;

use super::imported::is_imported;
use super::model::ProfileFault;
use super::schedule::ScheduleError;
use super::store::CheckView;
use crate::connections::ConnectionError;
use crate::connectors::ConnectorError;
use crate::credentials::CredentialError;
use crate::identity::IdentityError;
use crate::identity::roles::Denied;
use crate::kernel::{IntoProblem, Problem};
use crate::store::StoreError;
use crate::sync::SyncError;

/// An answer of the playbook that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// Nobody was chosen, or nobody there is.
    #[error("there is no such person to own it")]
    Owner,
    /// No kind of org was chosen.
    #[error("no kind of org is chosen")]
    Environment,
    /// For whom a hand-over is.
    #[error("a hand-over needs a name of 1 to 80 characters")]
    Recipient,
    /// Not a currency.
    #[error("the currency is not one of three letters that is in use")]
    Currency,
    /// Not a price; its row, from 0.
    #[error("`{1}` is not a price")]
    Price(usize, String),
    /// Not a whole number within bounds.
    #[error("the number must lie between {least} and {most}")]
    Number {
        /// The field.
        field: &'static str,
        /// Smallest.
        least: i64,
        /// Largest.
        most: i64,
    },
}

impl IntoProblem for AnswerFault {
    fn problem(&self) -> Problem {
        let message = self.to_string();
        match self {
            Self::Owner => Problem::new(
                "playbook.owner",
                422,
                message,
                "Choose somebody from the list",
            )
            .at("owner"),
            Self::Environment => Problem::new(
                "playbook.environment",
                422,
                message,
                "Choose the kind of org that you connect",
            )
            .at("environment"),
            Self::Recipient => Problem::new(
                "playbook.recipient",
                422,
                message,
                "Say who gets the link, such as the name of the vendor's administrator",
            )
            .at("recipient"),
            Self::Currency => Problem::new(
                "playbook.currency",
                422,
                message,
                "Enter three letters such as EUR or USD",
            )
            .at("currency"),
            Self::Price(at, _) => Problem::new(
                "playbook.price",
                422,
                message,
                "Enter an amount such as 1800 or 0.035, or leave it empty",
            )
            .at(&format!("price.{at}")),
            Self::Number { field, .. } => Problem::new(
                "playbook.number",
                422,
                message,
                "Enter a whole number within the bounds, or leave it empty to take it over",
            )
            .at(field),
        }
    }
}

/// Why a profile could not be made or moved.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such profile.
    #[error("there is no profile `{0}`")]
    NotFound(String),
    /// A source without a connector has nothing to ask.
    #[error("{0} is an imported source: files bring its rows, and there is no vendor to ask")]
    Imported(String),
    /// Another profile or alias has this name.
    #[error("there is a profile or alias named `{0}` already")]
    NameTaken(String),
    /// The parent is not a parent alias of this connector.
    #[error("`{0}` cannot be the parent of this profile's alias")]
    Parent(String),
    /// The org is connected by another profile.
    #[error("this org is connected already, by {number} {name}")]
    SameOrg {
        /// Its number.
        number: String,
        /// Its name.
        name: String,
    },
    /// The credential now belongs to another org than the stored one.
    #[error("the credential belongs to the org {found}, but this profile is for another one")]
    OtherOrg {
        /// The vendor's id of what was found.
        found: String,
    },
    /// A mandatory check failed.
    #[error("{} of the mandatory checks did not pass", .0.len())]
    Checks(Vec<CheckView>),
    /// The org is not of the kind that was chosen.
    #[error("you chose {chosen}, but the org says that it is {found}")]
    Environment {
        /// Chosen.
        chosen: String,
        /// As the org says.
        found: String,
    },
    /// Somebody saved the task since the form was shown.
    #[error("this task was changed by {by} in another tab or window")]
    Stale {
        /// `you`, or a name.
        by: String,
        /// Milliseconds UTC.
        at_ms: i64,
    },
    /// The playbook has no such task, or it cannot be marked so.
    #[error("the playbook has no task `{0}`")]
    NoTask(String),
    /// Sign-in and prices of a published profile are changed elsewhere.
    #[error("the profile is published, so this task is closed")]
    NotDraft,
    /// The connection is another profile's as well, which is live.
    #[error("the connection belongs to {number} {name} as well, which is live")]
    Shared {
        /// Its number.
        number: String,
        /// Its name.
        name: String,
    },
    /// Child aliases take values over from it.
    #[error("other aliases take values over from it: {0}")]
    HasChildren(String),
    /// The profile has ended.
    #[error("the profile has ended")]
    Ended,
    /// A hand-over link that is unknown, over or used.
    #[error("this hand-over link is no longer good")]
    HandOverSpent,
    /// People could not be read.
    #[error(transparent)]
    Identity(IdentityError),
    /// An answer of the playbook is wrong.
    #[error(transparent)]
    Answer(#[from] AnswerFault),
    /// Something typed is wrong.
    #[error(transparent)]
    Fault(#[from] ProfileFault),
    /// The schedule is wrong.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The credential is wrong.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The way out is wrong.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The connector cannot be used.
    #[error(transparent)]
    Connector(ConnectorError),
    /// The vendor or the connector failed.
    #[error("{}", .0.message)]
    Vendor(Problem),
    /// The run could not be started.
    #[error(transparent)]
    Sync(#[from] SyncError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ConnectorError> for ProfileError {
    /// What only a vendor could do is refused alike wherever it is asked of a source without a connector.
    fn from(error: ConnectorError) -> Self {
        match error {
            ConnectorError::Unknown(id) if is_imported(&id) => Self::Imported("this".to_owned()),
            other => Self::Connector(other),
        }
    }
}

impl IntoProblem for ProfileError {
    fn problem(&self) -> Problem {
        let message = self.to_string();
        match self {
            Self::Denied(error) => error.problem(),
            Self::NotFound(_) => Problem::new(
                "profile.not_found",
                404,
                message,
                "List the profiles and use a number, name or id from there",
            ),
            Self::NameTaken(_) => {
                Problem::new("profile.name_taken", 409, message, "Choose another name").at("name")
            }
            Self::Imported(_) => Problem::new(
                "profile.imported",
                409,
                message,
                "Bring a file, or delete the source, on its own page under Imports",
            ),
            Self::Parent(_) => Problem::new(
                "profile.parent",
                422,
                message,
                "Leave it out, or name the connector's parent alias; a child has no children",
            )
            .at("parent"),
            Self::SameOrg { .. } => Problem::new(
                "profile.same_org",
                409,
                message,
                "Use that profile, or archive it first",
            ),
            Self::OtherOrg { .. } => Problem::new(
                "profile.other_org",
                409,
                message,
                "Connect with a credential of the stored org, or create a profile for this one",
            ),
            Self::Checks(failed) => Problem::new(
                "profile.checks",
                422,
                message,
                failed
                    .iter()
                    .find_map(|c| c.fix.clone())
                    .unwrap_or_else(|| "Run the checks and follow their fixes".to_owned()),
            )
            .with(json!({"failed": failed})),
            Self::Environment { .. } => Problem::new(
                "profile.environment",
                422,
                message,
                "Choose the other kind of org, or sign in to the org you mean",
            )
            .at("environment"),
            Self::Stale { .. } => Problem::new(
                "playbook.stale",
                409,
                message,
                "Both versions are shown below; save again to keep yours",
            ),
            Self::NoTask(_) => Problem::new(
                "playbook.no_task",
                404,
                message,
                "Go back to the playbook and choose a task there",
            ),
            Self::NotDraft => Problem::new(
                "playbook.not_draft",
                409,
                message,
                "Change the sign-in on the profile's page, and prices among the entitlements",
            ),
            Self::Shared { .. } => Problem::new(
                "playbook.shared",
                409,
                message,
                "Reconnect it on that profile's page Connection, or end that profile first",
            ),
            Self::HasChildren(_) => Problem::new(
                "profile.has_children",
                409,
                message,
                "Delete or archive those first, or leave this one",
            ),
            Self::Ended => Problem::new(
                "playbook.ended",
                409,
                message,
                "Connect the org anew; the history of this profile stays",
            ),
            Self::HandOverSpent => Problem::new(
                "playbook.hand_over_spent",
                403,
                message,
                "A link takes one answer within 30 minutes; ask whoever sent it for a new one",
            ),
            Self::Identity(error) => error.problem(),
            Self::Answer(error) => error.problem(),
            Self::Fault(error) => error.problem(),
            Self::Schedule(error) => error.problem(),
            Self::Credential(error) => error.problem(),
            Self::Connection(error) => error.problem(),
            Self::Connector(error) => error.problem(),
            Self::Vendor(problem) => problem.clone(),
            Self::Sync(error) => error.problem(),
            Self::Store(error) => error.problem(),
        }
    }
}
