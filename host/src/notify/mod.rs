//! Messages to people and machines: written in the transaction of their cause, delivered by a worker.
//!
//! Invariants: a message that is not in the outbox was never caused. Its text is fixed before its first delivery begins, and its
//! `Message-ID` (or `webhook-id`) is that of its row. A delivery is never held in a transaction; a host that dies between the delivery
//! and the note of it delivers once more, so each message arrives at least once, and a second copy is recognised by that id. Mail goes to
//! the mail server, or, without one, into a pickup directory, `outbox` in the data folder, from which a mail server takes it.
//! Nothing can be decided from a message: it names a page. Knows nothing of what a message is about.

pub mod cause;
pub mod choices;
mod delivery;
pub mod desk;
pub mod mail_server;
pub mod message;
mod probe;
pub mod service;
mod signature;
mod smtp;
mod store;
pub mod webhooks;
pub mod wording;

pub use cause::{Cause, Count, Facts, Notice};
pub use delivery::{Deliverer, Trouble};
pub use message::{Channel, Message, NewMessage};
pub use probe::probe_mail_server;

use crate::identity::roles::Denied;
use crate::kernel::seal::SealError;
use crate::kernel::{IntoProblem, Problem};
use crate::store::StoreError;

/// Why a message could not be written or delivered, or a setting not be made.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The recipient is no mail address.
    #[error("`{0}` is not a mail address")]
    Address(String),
    /// The text cannot be put into a mail.
    #[error("the message cannot be made: {0}")]
    Mail(#[from] lettre::error::Error),
    /// A template names something that its data lacks: a fault of ours.
    #[error("the text of a message cannot be made")]
    Wording(#[source] Box<handlebars::RenderError>),
    /// A field does not hold.
    #[error("{sentence}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        sentence: String,
    },
    /// No such message, cause or webhook.
    #[error("there is no {0} of that name")]
    NotFound(&'static str),
    /// The message is not in a state for this.
    #[error("the message is {0}")]
    WrongState(String),
    /// The mail server is named where the host is started.
    #[error("the mail server is set by the operator of this host")]
    Operators,
    /// A test did not get through.
    #[error("{0}")]
    NotSent(String),
    /// Whoever asks has no mail address.
    #[error("you have no mail address here, so nothing can be sent to you")]
    NoAddress,
    /// Sealing or opening a secret failed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotifyError {
    pub(crate) fn invalid(field: &'static str, sentence: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            sentence: sentence.into(),
        }
    }
}

impl IntoProblem for NotifyError {
    fn problem(&self) -> Problem {
        let sentence = self.to_string();
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Store(store) => store.problem(),
            Self::Address(_) => Problem::new(
                "notify.address",
                422,
                sentence,
                "Write it as name@company.example",
            )
            .at("sender"),
            Self::Invalid { field, .. } => Problem::new(
                "notify.invalid",
                422,
                sentence,
                "Change the field and send it again",
            )
            .at(field),
            Self::NotFound(what) => Problem::new(
                "notify.not_found",
                404,
                sentence,
                format!("List what there is and pick the {what} from it"),
            ),
            Self::WrongState(_) => Problem::new(
                "notify.wrong_state",
                409,
                sentence,
                "Load the list again: a failed message can be tried again, a due one withdrawn or tried now",
            ),
            Self::Operators => Problem::new(
                "notify.operators",
                409,
                sentence,
                "Ask whoever starts the host to change `--mail-url`, or to leave it out so that it can be set here",
            ),
            Self::NotSent(_) => Problem::new(
                "notify.not_sent",
                422,
                sentence,
                "Read what the other side says, correct the settings, and test again",
            ),
            Self::NoAddress => Problem::new(
                "notify.no_address",
                422,
                sentence,
                "Ask an administrator to enter your mail address",
            ),
            Self::Mail(_) | Self::Wording(_) | Self::Seal(_) => Problem::internal(),
        }
    }
}
