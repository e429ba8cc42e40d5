//! Identifiers become products become software models.
//!
//! Invariants: one row per vendor key seen; a key without a product waits in the queue of unrecognised identifiers and is
//! in no position; naming its product there settles all of its subscriptions at once; a recognised product has exactly one
//! software model. Definitions come from the connectors' manifests; what a person assigned is never undone by them.

pub mod model;
pub mod recognise;
pub mod service;
mod store;

pub use model::{IdentifierView, ModelView, ProductView};
pub use service::CatalogError;
