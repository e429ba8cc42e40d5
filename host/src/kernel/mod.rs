//! Words every domain shares: ids, time, chance, money, days, digests, problems.
//!
//! Invariants: nothing here performs I/O except [`clock::SystemClock`] and [`chance::OsChance`], which are handed in as
//! parameters. Knows no domain.

pub mod chance;
pub mod clock;
pub mod day;
pub mod digest;
pub mod faults;
pub mod ids;
pub mod money;
pub mod problem;
pub mod seal;
pub mod sheet;
pub mod written;

pub use clock::Clock;
pub use day::Day;
pub use ids::*;
pub use problem::{Fix, IntoProblem, Problem};
