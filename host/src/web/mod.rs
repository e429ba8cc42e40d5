//! The pages: server-rendered, working without JavaScript, under one gate.
//!
//! Invariants: only `/healthz`, `/assets`, and sign-in answer without a session; every POST is same-origin and carries its
//! session's token; a handler calls one service function and renders, nothing else. Must not know tables or the vendor.
pub mod assets;
pub mod chrome;
pub mod error;
pub mod gate;
pub mod routes;
pub mod session;
pub mod subscriptions;
pub mod templates;
pub mod words;

mod access;
mod account;
mod accounts;
mod actions;
mod aliases;
mod audit;
mod batches;
mod candidates;
mod chart;
mod connection;
mod controls;
mod deliveries;
mod design;
mod doctor;
mod entitlements;
mod find;
pub mod grant_form;
mod health;
mod imports;
mod mail;
mod models;
mod notifications;
mod overview;
mod people;
mod rejected;
mod roles;
mod rules;
mod runs;
mod serve;
mod sign_ins;
mod sign_on;
mod signin;
mod sources;
mod tokens;
mod typed_form;
mod units;
mod vaults;
mod webhooks;

mod connect;
mod hand_over;
pub(crate) mod playbook;
pub(crate) mod playbook_fields;
mod playbook_live;
mod playbook_parts;
mod playbook_scope;
pub(crate) mod playbook_sign_in;
mod position;
pub mod profiles;
pub mod proxy;
pub use error::Error;
pub use routes::router;
pub use serve::serve;

#[cfg(test)]
mod documents_tests;
#[cfg(test)]
mod tests;
