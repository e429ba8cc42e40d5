//! The playbook: the guided way from nothing to the first sync, as lanes of tasks that each save by themselves.
//!
//! Invariants: the state of a task is worked out from what is stored, never from what a browser says; a tick for work at the vendor
//! counts as *not verified* until a check proves it; a save that did not see the last one is refused and shows both; a secret goes
//! in and never comes out. The vendor's words come from its connector's manifest. Must not know pages.

pub mod checks;
pub mod handover;
pub mod model;
pub mod repeat;
pub mod save;
pub mod service;
pub mod sign_in;
pub(super) mod store;

pub use model::{Answers, Price, Task, TaskState};
pub use service::PlaybookView;

#[cfg(test)]
mod tests;
