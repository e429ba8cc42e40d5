//! Why a profile could not be made or moved, and what a person does about it.

use serde_json::json;

use super::model::ProfileFault;
use super::schedule::ScheduleError;
use super::store::CheckView;
use crate::connections::ConnectionError;
use crate::connectors::ConnectorError;
use crate::credentials::CredentialError;
use crate::identity::roles::Denied;
use crate::kernel::{IntoProblem, Problem};
use crate::store::StoreError;
use crate::sync::SyncError;

/// Why a profile could not be made or moved.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such profile.
    #[error("there is no profile `{0}`")]
    NotFound(String),
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
    Connector(#[from] ConnectorError),
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
