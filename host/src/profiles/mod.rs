//! Integration profiles: one per connected org, from draft to published.
//!
//! Invariants (`sam-domain.md` §2.3): an alias is at most one level below its parent; a child's connector is its parent's; two published
//! profiles share neither alias nor organization; a child never uses its parent's secret; nothing runs before publishing.

pub mod acting;
mod connect;
mod draft;
pub mod ending;
mod error;
pub mod imported;
pub mod model;
pub mod playbook;
pub mod preflight;
pub mod schedule;
pub mod service;
pub mod sharing;
pub mod signin;
mod source;
mod store;
pub mod way;

pub use draft::NewProfile;
pub use error::{AnswerFault, ProfileError};
pub use playbook::PlaybookView;
pub use preflight::Need;
pub use service::ProfileView;
pub use source::ProfileSource;
pub use store::CheckView;
