//! Rules, removal candidates and the taking back of seats.
//!
//! Invariants: nothing acts before two approvals; a candidate's state moves only through [`candidate::next`]; the pure
//! files decide, `store` remembers, each service function carries out one use case in one transaction; intent is durable
//! before a request leaves, and an unknown outcome is observed before anything is sent again.

pub mod candidate;
pub mod evaluate;
pub mod model;
pub mod rule;
