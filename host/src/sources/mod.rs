//! Sources: the organizations that rows come from, and one of them superseding another.
//!
//! Invariants: what a superseded source brought counts nowhere from that moment on, because its current rows are closed like any that
//! ended; it stays visible, with what was closed; taking it back opens those very rows again; a superseded source takes no new rows.

pub mod service;
mod store;

pub use service::{Preview, SourceError, SourceView, Supersession};
