//! Sealed secrets and the tokens they buy.
//!
//! Invariants: a secret exists in clear only in memory and never leaves this module but as a header of the egress guard; one refresher
//! per credential across all hosts; a rotated token is durable before it is used; a dead grant asks for a person once and does not loop.

pub mod service;
mod store;
mod token;

pub use service::{CredentialError, CredentialView, NewCredential, grants, set};
