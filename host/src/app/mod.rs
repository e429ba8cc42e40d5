//! Wiring: knows all, decides nothing.

pub mod host;
pub mod runs;
pub mod worker;
