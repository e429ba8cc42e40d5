//! Runs: download page by page, guard, merge.
//!
//! Invariants: the rows of a page, its cursor and the counts commit together, under the job's fence; a run that is not
//! complete changes nothing that others can see; a suspicious run waits for a person; what is merged is merged in one
//! transaction, as intervals, and only where something changed. Knows nothing of reclamation: what follows a complete run
//! is a job of its own.

mod conclude;
pub mod download;
mod follow;
pub mod guard;
mod halt;
mod history;
pub mod model;
pub mod plan;
pub mod service;
pub mod source;
mod store;
mod tell;

pub use model::{RunKind, RunProcess, RunState, RunView, Stage};
pub use service::{StartRun, SyncError};
pub use tell::first_done;
