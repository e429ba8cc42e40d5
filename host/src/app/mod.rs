//! Wiring: knows all, decides nothing.

pub mod demo;
pub mod doctor;
pub mod host;
pub mod keys;
pub mod runs;
pub mod serve;
pub mod start;
pub mod stop;
pub mod worker;
