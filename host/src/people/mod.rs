//! The directory of people, and which account belongs to whom.
//!
//! Invariants: matching is set-based and repeatable; a match that a person made is never undone by it; an account that
//! matches nobody is listed as unresolved, never guessed.

pub mod import;
pub mod matching;
pub mod model;
pub mod service;
mod store;

pub use model::{PersonView, UnresolvedView};
pub use service::PeopleError;
