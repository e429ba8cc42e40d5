//! Connection and credential aliases: what a child takes over from its parent, and where each value comes from.
//!
//! Invariants: an alias is at most one level below its parent, of the same connector; a child takes over schedule, quota share,
//! threshold, tries and the settings that its connector marks as inherited, unless it sets them itself; it never takes over a login URL,
//! an org or a secret, which have no place in [`model::Properties`]. Must not know profiles, vendors or pages.

pub mod model;
pub mod service;
mod store;

pub use model::{Effective, Origin, Properties, Valued};
