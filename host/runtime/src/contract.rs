//! The connector contract as Rust types, generated from `wit/connector@0.1.0`.
//!
//! Invariant: nothing here is written by hand, so that host and guest cannot drift apart. What a field means stands in
//! the WIT file. All types are `Clone`, `Debug`, `PartialEq` and (de)serialisable, so that a plan can be stored, shown
//! and compared with the one that was approved.
#![expect(
    missing_docs,
    reason = "the WIT file documents every field; the generator does not carry it to all items"
)]

pub(crate) mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit/connector@0.1.0",
        world: "connector",
        imports: { default: async | trappable },
        exports: { default: async },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

pub use generated::exports::seatwise::connector::{
    activity, connection, consumption, reclaim, subscriptions,
};
pub use generated::seatwise::connector::{http, log, types};
