//! `/api/v1`: the same services as the pages, their views verbatim as JSON, failures as problem+json.
//!
//! Only personal tokens open it. Lists are paged by key: an answer's `next` is the `after` of the following request.
mod access;
mod account;
pub mod actions;
pub mod body;
pub mod candidates;
mod catalog;
mod connection;
mod connectors;
mod doctor;
mod entitlements;
pub mod error;
mod imports;
mod keys;
mod messages;
pub mod openapi;
mod people;
mod playbook;
mod runs;
mod sign_ins;
mod sources;
mod vaults;
mod webhooks;

mod position;
mod profiles;
mod proxy;
mod rules;
pub use error::Error;

use crate::web::routes::Route;

/// The addresses of the API.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut all = vec![openapi::route()];
    all.extend(connectors::routes());
    all.extend(runs::routes());
    all.extend(catalog::routes());
    all.extend(entitlements::routes());
    all.extend(people::routes());
    all.extend(imports::routes());
    all.extend(sign_ins::routes());
    all.extend(profiles::routes());
    all.extend(connection::routes());
    all.extend(playbook::routes());
    all.extend(proxy::routes());
    all.extend(position::routes());
    all.extend(rules::routes());
    all.extend(candidates::routes());
    all.extend(actions::routes());
    all.extend(account::routes());
    all.extend(keys::routes());
    all.extend(access::routes());
    all.extend(doctor::routes());
    all.extend(sources::routes());
    all.extend(messages::routes());
    all.extend(webhooks::routes());
    all.extend(vaults::routes());
    all
}
