//! What a connector author writes against: bindings, errors, paging, test kit.
//!
//! A connector is one type that implements [`Connector`] and one line, [`export!`]. It **reads and plans; the host acts**:
//! the only way out of the sandbox is [`Call::get`], [`Call::send`] and the log, and the only requests that pass are the
//! read operations of the connector's manifest. What must be remembered between calls travels in a cursor
//! ([`cursor`]) or in the memo, because every call runs in a fresh instance.
//!
//! Invariants:
//! - Connector code sees HTTP through the [`Http`] trait, so that the same code runs in the sandbox and in a native test
//!   against a [`testkit::ScriptedHttp`].
//! - No clock but `ctx.now`, no files, no environment, no randomness: nothing here may pull in more of WASI than the
//!   panic path of the standard library does.
//! - A failure never carries a body, a header or a credential.
//!
//! ```
//! use seatwise_connector_sdk::{Call, Failure, failure, json};
//!
//! #[derive(serde::Deserialize)]
//! struct Org<'a> { #[serde(borrow)] name: std::borrow::Cow<'a, str> }
//!
//! fn org_name(call: &Call<'_>) -> Result<String, Failure> {
//!     let answer = call.get("instance", "/api/org").send()?;
//!     if answer.status() != 200 {
//!         return Err(failure::transient("unexpected_status", "The organization could not be read"));
//!     }
//!     let org: Org<'_> = json::parse(answer.body())?;
//!     Ok(org.name.into_owned())
//! }
//! ```

pub mod bindings;
mod component;
pub mod cursor;
pub mod failure;
mod http;
pub mod json;
#[cfg(not(target_arch = "wasm32"))]
pub mod testkit;

pub use bindings::exports::seatwise::connector::{
    activity, connection, consumption, reclaim, subscriptions,
};
pub use bindings::seatwise::connector::{
    log::Level,
    types::{Attribute, Context, Failure, FailureKind, Process, Usage},
};
pub use component::{Component, Connector};
pub use http::{
    Answer, Call, Http, Log, Method, Request, RequestBuilder, Response, percent_encode,
};

/// One named value, as pages, facts and pools carry them.
pub fn attribute(name: &str, value: impl Into<String>) -> Attribute {
    Attribute {
        name: name.to_owned(),
        value: value.into(),
    }
}

/// Exports a [`Connector`] as the component's world. Does nothing in native builds, where the component model has no
/// meaning and the exported names would not link.
///
/// ```
/// struct Mine;
/// // impl seatwise_connector_sdk::Connector for Mine { … }
/// // seatwise_connector_sdk::export!(Mine);
/// # let _ = Mine;
/// ```
#[macro_export]
macro_rules! export {
    ($connector:ty) => {
        #[cfg(target_arch = "wasm32")]
        mod component_exports {
            #![allow(unsafe_code, missing_docs, reason = "generated; the ABI of the component model is pointers")]
            use super::*;
            type Exported = $crate::Component<$connector>;
            $crate::bindings::export_component!(Exported with_types_in $crate::bindings);
        }
    };
}
