//! Sign-ins that an identity provider reports, as a further source of use.
//!
//! Invariants: they stand beside the vendor's own last activity and never replace it; whether the later of the two counts for the rules
//! is a setting of each profile, off unless a person says so, and what it would change is shown first; a sign-in that matches no
//! account is counted and listed, never dropped in silence.

pub mod reading;
pub mod service;
mod store;
