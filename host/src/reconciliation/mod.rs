//! Rights owned against rights used, every day by the clock.
//!
//! Invariants: results are never overwritten; the same inputs on the same day give the same digest and change nothing;
//! each number stands on each organization's last complete run and says how old that is.

pub mod gap;
pub mod model;
pub mod position;
pub mod service;
mod store;

pub use model::{PositionView, ReconciliationView, Savings, Totals};
pub use service::ReconciliationError;
