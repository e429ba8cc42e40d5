//! Rules, removal candidates and the taking back of seats.
//!
//! Invariants: nothing acts before two approvals; a candidate's state moves only through [`candidate::next`]; the pure
//! files decide, `store.rs` remembers, the service carries out one use case per transaction.

pub mod candidate;
pub mod evaluate;
pub mod rule;
