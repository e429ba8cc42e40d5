//! Seatwise: finds the SaaS seats a company pays for and nobody uses, and takes them back safely.
//!
//! Directions: `kernel` <- pure files <- `store.rs`, `service.rs` <- `pages.rs`, `api.rs`, `jobs.rs`, `cli` <- `app`.

pub mod aliases;
pub mod api;
pub mod app;
pub mod audit;
pub mod catalog;
pub mod cli;
pub mod connections;
pub mod connectors;
pub mod credentials;
pub mod entitlements;
pub mod identity;
pub mod imports;
pub mod jobs;
pub mod kernel;
pub mod notify;
pub mod people;
pub mod profiles;
pub mod reclamation;
pub mod reconciliation;
pub mod sources;
pub mod store;
pub mod sync;
pub mod vaults;
pub mod web;
