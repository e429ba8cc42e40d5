//! What `wit-bindgen` makes of `wit/connector@0.1.0`. Everything a connector needs is re-exported, under friendlier
//! names, by the crate root; nothing else should be named from here.
#![expect(missing_docs, reason = "generated; the documentation is the WIT")]
#![allow(
    unsafe_code,
    reason = "generated; the ABI of the component model is pointers"
)]
#![allow(clippy::all, reason = "generated")]

wit_bindgen::generate!({
    world: "connector",
    path: "../../wit/connector@0.1.0",
    pub_export_macro: true,
    export_macro_name: "export_component",
    default_bindings_module: "seatwise_connector_sdk::bindings",
    additional_derives: [PartialEq],
});
