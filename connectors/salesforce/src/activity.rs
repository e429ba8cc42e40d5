//! Activity. In this version the one source is `User.LastLoginDate`, which arrives with each account of a download; there
//! is nothing else to follow, so the outline names no chain.
//!
//! `LastLoginDate` is one moving value and counts logins of machines (API, OAuth, mail plug-ins) like those of people.

use seatwise_connector_sdk::{Failure, activity::Outline, failure};

/// No chains, and no day from which daily activity would be complete.
pub fn begin() -> Outline {
    Outline {
        chains: vec![],
        complete_from: None,
        usage: None,
    }
}

/// The answer to a cursor that [`begin`] never gave.
pub fn no_such_chain() -> Failure {
    failure::unsupported(
        "no_activity_chains",
        "Last activity comes with the accounts of a download; this version reads no login history",
    )
}
