//! Sealed secrets and the tokens they buy.
//!
//! Invariants: a secret exists in clear only in memory and never leaves this module but as a header of the egress guard; one refresher
//! per credential across all hosts; a rotated token is durable before it is used; a dead grant asks for a person once and does not loop;
//! a credential that was got at the vendor's is stored once it is known whose it is and what it may do, and not before.

mod consent_page;
mod device;
pub mod grants;
mod jwt;
pub mod model;
pub mod proof;
pub mod service;
pub mod signin;
mod store;
mod telling;
mod token;
mod whose;

pub use grants::grants;
pub use model::NewCredential;
pub use service::{CredentialError, CredentialView, set};
