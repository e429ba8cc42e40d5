//! Rules, removal candidates and the taking back of seats.
//!
//! Invariants: nothing acts before two approvals; a candidate's state moves only through [`candidate::next`]; the pure
//! files decide, `store` remembers, each service function carries out one use case in one transaction; intent is durable
//! before a request leaves, and an unknown outcome is observed before anything is sent again.

pub mod act;
pub mod actions;
mod authority;
pub mod batches;
pub mod candidate;
pub mod candidates;
pub mod controls;
pub mod evaluate;
pub mod follow;
mod gates;
mod life;
pub mod model;
pub mod naming;
pub mod planning;
pub mod rule;
pub mod rules;
mod savings;
mod store;
mod telling;

use crate::connectors::ConnectorError;
use crate::entitlements::service::EntitlementError;
use crate::identity::roles::Denied;
use crate::jobs::JobError;
use crate::kernel::written::{self, Unfit};
use crate::kernel::{IntoProblem, Problem};
use crate::notify::NotifyError;
use crate::profiles::service::ProfileError;
use crate::store::StoreError;
use candidate::NotAllowed;
use model::Difference;
use rule::FieldError;

/// Why a use case of reclamation was refused or not finished.
#[derive(Debug, thiserror::Error)]
pub enum ReclamationError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such record.
    #[error("there is no {what} {key}")]
    NotFound {
        /// `rule`, `candidate`, `batch`, `action`, `exemption`.
        what: &'static str,
        /// What was asked for.
        key: String,
    },
    /// The approver stands behind what is to be approved.
    #[error("{0}")]
    OwnWork(String),
    /// What was seen is not what is now.
    #[error("what you saw of this {what} has changed")]
    Stale {
        /// `rule` or `batch`.
        what: &'static str,
        /// What differs.
        difference: Difference,
    },
    /// The candidate is in another state.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// A field that cannot be.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A reason is needed, and no longer than people read.
    #[error("the reason {0}")]
    Reason(Unfit),
    /// The record is in another state.
    #[error("{0}")]
    WrongState(String),
    /// Something stands in the way of giving a seat back.
    #[error("this cannot be undone now: {0}")]
    Blocked(String),
    /// The vendor or the connector failed.
    #[error("{}", .0.message)]
    Vendor(Problem),
    /// The profile cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The connector cannot be used.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// A price beyond bounds.
    #[error(transparent)]
    Entitlement(#[from] EntitlementError),
    /// A message could not be written.
    #[error(transparent)]
    Notify(#[from] NotifyError),
    /// What was sealed does not open.
    #[error("a stored before-image does not open with this installation's key")]
    Sealed,
    /// Another worker has the job.
    #[error("another worker has taken over this work")]
    Lost,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<JobError> for ReclamationError {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Lost => Self::Lost,
            JobError::Store(error) => Self::Store(error),
        }
    }
}

impl IntoProblem for ReclamationError {
    fn problem(&self) -> Problem {
        let text = self.to_string();
        match self {
            Self::Denied(inner) => inner.problem(),
            Self::Store(inner) => inner.problem(),
            Self::Profile(inner) => inner.problem(),
            Self::Connector(inner) => inner.problem(),
            Self::Entitlement(inner) => inner.problem(),
            Self::Field(inner) => inner.problem(),
            Self::Vendor(problem) => problem.clone(),
            Self::NotFound { what, .. } => Problem::new(
                &format!("{what}.not_found"),
                404,
                text,
                "List what there is and use one of the numbers",
            ),
            Self::OwnWork(_) => Problem::new(
                "approval.own_work",
                403,
                text,
                "Ask another person with the role approver, who did not make the profile, its prices, its exclusions or this version",
            ),
            Self::Stale { what, difference } => Problem::new(
                &format!("{what}.stale"),
                409,
                text,
                "Look at what changed, and approve what is there now",
            )
            .with(serde_json::json!(difference)),
            Self::NotAllowed(_) => Problem::new(
                "candidate.wrong_state",
                409,
                text,
                "Load the candidate again and look at its state",
            ),
            Self::Reason(_) => Problem::new(
                "reclamation.no_reason",
                422,
                text,
                "Say why; the reason is kept with the record",
            )
            .at("reason"),
            Self::WrongState(_) => Problem::new(
                "reclamation.wrong_state",
                409,
                text,
                "Load it again and look at its state",
            ),
            Self::Blocked(_) => Problem::new(
                "action.blocked",
                409,
                text,
                "Put right what stands in the way, then undo again",
            ),
            Self::Notify(_) | Self::Sealed | Self::Lost => Problem::internal(),
        }
    }
}

/// The text of a reason.
fn reason(text: &str) -> Result<&str, ReclamationError> {
    written::reason(text).map_err(ReclamationError::Reason)
}

fn not_found(what: &'static str, key: &str) -> ReclamationError {
    ReclamationError::NotFound {
        what,
        key: key.chars().take(80).collect(),
    }
}
