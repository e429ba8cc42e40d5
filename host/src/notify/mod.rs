//! Messages to people: written in the transaction of their cause, delivered by a worker, each once.
//!
//! Invariants: a message that is not in the outbox was never caused; a delivered message is the same file however often the
//! delivery is repeated. Delivery is a pickup directory, `outbox` in the data folder, from which a mail server takes them.
//! Knows nothing of what a message is about.

pub mod message;
pub mod service;
mod store;

pub use message::{Message, NewMessage};

use crate::store::StoreError;

/// Why a message could not be written or delivered.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The recipient is no mail address.
    #[error("`{0}` is not a mail address")]
    Address(String),
    /// The text cannot be put into a mail.
    #[error("the message cannot be made: {0}")]
    Mail(#[from] lettre::error::Error),
    /// The pickup directory.
    #[error("{path} cannot be written: {source}")]
    File {
        /// Which.
        path: std::path::PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}
