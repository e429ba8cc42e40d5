//! Failures, one constructor per kind, so that the kind is read where the failure is made.
//!
//! `code` is stable and documented by the connector; where the vendor has an error code, it is that code, verbatim.
//! `message` is one sentence for a person, without a full stop, a secret, a body or a header.

use crate::{Failure, FailureKind};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),* $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(code: impl Into<String>, message: impl Into<String>) -> Failure {
            of(FailureKind::$kind, code, message)
        }
    )*};
}

kinds! {
    /// The credential is not accepted: reconnect the profile.
    auth => Auth,
    /// The credential is good and may not do this: an administrator at the vendor can change that.
    permission => Permission,
    /// The thing asked for does not exist (any more).
    not_found => NotFound,
    /// What the host or the profile's settings gave is not usable: fix the configuration.
    invalid_input => InvalidInput,
    /// Somebody else changed it at the same time: look again.
    conflict => Conflict,
    /// The vendor's budget is spent: stop, keep the cursor, resume in the next window.
    quota => Quota,
    /// Too fast: slow down and go on.
    rate_limited => RateLimited,
    /// Expected to work later, unchanged.
    transient => Transient,
    /// The vendor's own business rule said no.
    refused => Refused,
    /// This connector, or this vendor, does not do that.
    unsupported => Unsupported,
    /// The vendor's answer is not what the vendor documents.
    malformed => Malformed,
    /// A fault of the connector.
    internal => Internal,
}

/// A failure whose kind is a value.
pub fn of(kind: FailureKind, code: impl Into<String>, message: impl Into<String>) -> Failure {
    Failure {
        kind,
        code: code.into(),
        message: message.into(),
        retry_after_ms: None,
    }
}

/// The same failure with the time the vendor asked to wait.
pub fn after(mut failure: Failure, retry_after_ms: Option<u64>) -> Failure {
    failure.retry_after_ms = retry_after_ms;
    failure
}
