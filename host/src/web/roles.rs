//! The page *Roles*: which role may do what, as the gate and the services read it.
use axum::extract::State;
use axum::http::Method;
use axum::response::Response;
use serde::Serialize;

use super::Error;
use super::chrome::{self, Chrome};
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::{Permission, Role};
use crate::identity::service;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::page(
        Method::GET,
        "/roles",
        Permission::OwnAccount,
        "Which role may do what",
        show,
    )]
}

#[derive(Serialize)]
pub(super) struct RolesPage {
    pub roles: Vec<RoleRow>,
    pub permissions: Vec<PermissionRow>,
    /// The visitor has no role at all: they are told whom to ask instead of being shown refusals.
    pub has_none: bool,
    /// Who can give a role.
    pub admins: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct RoleRow {
    pub word: &'static str,
    pub says: &'static str,
    /// The visitor's own.
    pub is_mine: bool,
}

#[derive(Serialize)]
pub(super) struct PermissionRow {
    pub word: &'static str,
    pub says: &'static str,
    /// One answer per role, in the order of the roles.
    pub held: Vec<bool>,
}

async fn show(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    let body = RolesPage {
        roles: Role::ALL
            .into_iter()
            .map(|role| RoleRow {
                word: role.as_str(),
                says: role.says(),
                is_mine: visitor.actor.roles.contains(&role),
            })
            .collect(),
        permissions: Permission::ALL
            .into_iter()
            .map(|permission| PermissionRow {
                word: permission.as_str(),
                says: permission.says(),
                held: Role::ALL
                    .iter()
                    .map(|role| permission.granted_to().contains(role))
                    .collect(),
            })
            .collect(),
        has_none: visitor.actor.roles.is_empty(),
        admins: service::administrators(&host, &visitor.actor).await?,
    };
    chrome::page(
        "pages/roles",
        &Chrome::of(&host, &visitor).titled("Roles"),
        &body,
    )
}
