//! Rights bought, what they cost, and the list of subscriptions they are compared with.
//!
//! Invariants: prices carry six decimals and their currency; an entitlement is never deleted, it is retired; of two sources
//! about the same rights the better one counts and the lesser one's rows stay visible.

pub mod accounts;
pub mod model;
pub mod service;
mod store;
pub mod subscriptions;
pub mod terms;

pub use model::{EntitlementView, SubscriptionView};
pub use service::EntitlementError;
