//! The page *Proxy and certificates* of a profile's connection. Its parts are one partial, for the playbook to show too.
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::connections::{ProxyUse, SetProxy, WayView};
use crate::identity::roles::Permission;
use crate::kernel::Problem;
use crate::profiles::{ProfileError, service, way};

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/profiles/{number}/proxy",
            Permission::Read,
            "How a profile's requests leave: proxy, trusted authorities, hosts",
            show,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/proxy",
            Permission::ManageProfiles,
            "Sets the proxy; secrets that it would send elsewhere are deleted",
            set_proxy,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/roots",
            Permission::ManageProfiles,
            "Sets the trusted authorities; secrets are deleted",
            set_roots,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/hosts",
            Permission::Administer,
            "Sets the hosts beside the manifest's",
            set_hosts,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct ProxyPage {
    pub number: String,
    pub name: String,
    pub has_credential: bool,
    pub may_administer: bool,
    pub way: WayView,
    pub typed: Typed,
}

/// What the forms show: what was typed where it was refused, else what is stored. Never a password.
#[derive(Serialize)]
pub(super) struct Typed {
    /// Its own proxy is chosen, so that the fields of one can be filled in.
    pub is_own: bool,
    pub is_direct: bool,
    pub is_inherited: bool,
    pub address: String,
    pub user: String,
    pub pem: String,
    pub hosts: String,
}

impl Typed {
    fn of(way: &WayView, chosen: Option<ProxyUse>) -> Self {
        let stored = way
            .proxy
            .as_ref()
            .filter(|_| way.proxy_use == ProxyUse::Own);
        let chosen = chosen.unwrap_or(way.proxy_use);
        Self {
            is_own: chosen == ProxyUse::Own,
            is_direct: chosen == ProxyUse::Direct,
            is_inherited: chosen == ProxyUse::Inherit,
            address: stored.map(|p| p.address.clone()).unwrap_or_default(),
            user: stored.and_then(|p| p.user.clone()).unwrap_or_default(),
            pem: String::new(),
            hosts: way.hosts.join("\n"),
        }
    }
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    frame: Chrome,
    chosen: Option<ProxyUse>,
    change: impl FnOnce(&mut Typed),
) -> Result<Response, Error> {
    let profile = service::get(host, &visitor.actor, number).await?;
    let way = way::way(host, &visitor.actor, number).await?;
    let mut typed = Typed::of(&way, chosen);
    change(&mut typed);
    let body = ProxyPage {
        has_credential: profile.credential.is_some(),
        may_administer: visitor.actor.may(Permission::Administer).is_ok(),
        number: profile.number,
        name: profile.name,
        way,
        typed,
    };
    let frame = frame.titled("Proxy and certificates");
    chrome::page("pages/proxy", &frame, &body)
}

#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "use")]
    chosen: Option<String>,
    done: Option<String>,
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&Done::of(asked.done));
    let chosen = asked.chosen.as_deref().and_then(ProxyUse::parse);
    page(&host, &visitor, &number, frame, chosen, |_| {}).await
}

/// Back to the page, or the form again with what was typed and what is wrong with it.
async fn answer(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    result: Result<WayView, ProfileError>,
    done: &str,
    chosen: Option<ProxyUse>,
    change: impl FnOnce(&mut Typed),
) -> Result<Response, Error> {
    let problem: Problem = match result {
        Ok(_) => return Ok(chrome::done(&format!("/profiles/{number}/proxy"), done)),
        Err(error) => told(&error),
    };
    if problem.status == 404 || problem.status == 403 {
        return Err(problem.into());
    }
    let frame = Chrome::of(host, visitor).troubled(Some(problem));
    page(host, visitor, number, frame, chosen, change).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProxyForm {
    #[serde(rename = "use")]
    chosen: String,
    address: String,
    user: String,
    password: String,
}

async fn set_proxy(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<ProxyForm>,
) -> Result<Response, Error> {
    let proxy_use = ProxyUse::parse(&form.chosen).ok_or_else(|| unknown_use(&form.chosen))?;
    let new = SetProxy {
        proxy_use,
        address: form.address.clone(),
        user: form.user.clone(),
        password: Zeroizing::new(form.password),
    };
    let result = way::set_proxy(&host, &visitor.actor, &number, &new).await;
    let keep = |typed: &mut Typed| {
        typed.address = form.address;
        typed.user = form.user;
    };
    let chosen = Some(proxy_use);
    answer(&host, &visitor, &number, result, "proxy", chosen, keep).await
}

/// A word that says no use of a proxy.
#[must_use]
pub fn unknown_use(word: &str) -> Problem {
    let word: String = word.chars().take(40).collect();
    Problem::new(
        "proxy.use",
        422,
        format!("`{word}` does not say whose proxy to use"),
        "Choose inherit, direct or own",
    )
    .at("use")
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RootsForm {
    pem: String,
}

async fn set_roots(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<RootsForm>,
) -> Result<Response, Error> {
    let result = way::set_roots(&host, &visitor.actor, &number, &form.pem).await;
    // A private key that was pasted by mistake is not written back into the page.
    let keep = |typed: &mut Typed| {
        if !form.pem.contains("PRIVATE KEY") {
            typed.pem = form.pem;
        }
    };
    answer(&host, &visitor, &number, result, "roots", None, keep).await
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HostsForm {
    hosts: String,
}

async fn set_hosts(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<HostsForm>,
) -> Result<Response, Error> {
    let hosts: Vec<String> = form.hosts.lines().map(str::to_owned).collect();
    let result = way::set_hosts(&host, &visitor.actor, &number, &hosts).await;
    let keep = |typed: &mut Typed| typed.hosts = form.hosts;
    answer(&host, &visitor, &number, result, "hosts", None, keep).await
}
