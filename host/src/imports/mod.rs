//! Sources without a connector: a person, or a program, brings a table of who holds which licence.
//!
//! Invariants: a file is shown as it will be read before it is imported; a line that cannot be used is named with its number and reason
//! and is left out only when a person says so; what is imported goes through the same run, guard and merge as a download, as a complete
//! snapshot; prices and entitlements are never touched. Nobody can be asked to take seats back at an imported organization.

mod error;
pub mod mapping;
pub mod model;
pub mod reading;
pub mod service;
pub mod sign_ins;
pub mod source;
mod store;

pub use error::ImportError;
