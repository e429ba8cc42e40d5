//! One account: what it holds, when the vendor saw it last, its logins by month.
use axum::extract::{Path, State};
use axum::http::Method;
use axum::response::Response;
use serde::Serialize;

use super::Error;
use super::chrome::{self, Chrome};
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::entitlements::accounts::{self, AccountView};
use crate::identity::roles::Permission;
use crate::kernel::OrgId;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![Route::page(
        Method::GET,
        "/accounts/{organization}/{account}",
        Permission::Read,
        "One account, what it holds and when it was used",
        show,
    )]
}

#[derive(Serialize)]
pub(super) struct AccountPage {
    pub account: AccountView,
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path((organization, account)): Path<(String, String)>,
) -> Result<Response, Error> {
    let organization = OrgId::from(organization.as_str());
    let account = accounts::get_account(&host, &visitor.actor, &organization, &account).await?;
    let title = account.principal.clone();
    chrome::page(
        "pages/account",
        &Chrome::of(&host, &visitor).titled(&title),
        &AccountPage { account },
    )
}
