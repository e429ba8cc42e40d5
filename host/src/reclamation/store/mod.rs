//! SQL of rules, verdicts, candidates, batches, actions and controls. One text for both databases.

pub(super) mod actions;
pub(super) mod batches;
pub(super) mod candidates;
pub(super) mod controls;
pub(super) mod rules;
pub(super) mod verdicts;

use crate::store::StoreError;

/// A stored word that this version does not know.
fn unknown(what: &str, word: &str) -> StoreError {
    StoreError::Migrate(format!("{what} `{word}` is not known to this version"))
}
