//! A profile's way out over the API: proxy, trusted authorities, further hosts.
use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::Deserialize;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::Error;
use super::body::Body;
use crate::app::host::Host;
use crate::connections::{ProxyUse, SetProxy, WayView};
use crate::identity::roles::Permission;
use crate::profiles::way;
use crate::web::gate::Caller;
use crate::web::proxy::unknown_use;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::api(
            Method::GET,
            "/api/v1/profiles/{number}/proxy",
            Permission::Read,
            "How a profile's requests leave: proxy, trusted authorities, hosts",
            show,
        ),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/proxy",
            Permission::ManageProfiles,
            "Sets the proxy; secrets that it would send elsewhere are deleted",
            set_proxy,
        )
        .taking::<Proxy>(),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/roots",
            Permission::ManageProfiles,
            "Sets the trusted authorities; secrets are deleted",
            set_roots,
        )
        .taking::<Roots>(),
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/hosts",
            Permission::Administer,
            "Sets the hosts beside the manifest's",
            set_hosts,
        )
        .taking::<Hosts>(),
    ]
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
) -> Result<Json<WayView>, Error> {
    Ok(Json(way::way(&host, &actor, &number).await?))
}

/// Which proxy a profile uses.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Proxy {
    /// inherit, direct or own.
    #[serde(rename = "use")]
    chosen: String,
    /// For an own one: `https://NAME:PORT`, `http://NAME:PORT` or `ADDRESS:PORT`.
    #[serde(default)]
    address: String,
    /// Its user name; absent where it wants no login.
    #[serde(default)]
    user: String,
    /// Its password; sealed at rest and never given back. Absent keeps the stored one while address and user stay.
    #[serde(default)]
    password: String,
}

async fn set_proxy(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Proxy>,
) -> Result<Json<WayView>, Error> {
    let new = SetProxy {
        proxy_use: ProxyUse::parse(&body.chosen).ok_or_else(|| unknown_use(&body.chosen))?,
        address: body.address,
        user: body.user,
        password: Zeroizing::new(body.password),
    };
    Ok(Json(way::set_proxy(&host, &actor, &number, &new).await?))
}

/// Authorities that a profile's connection trusts beside the system's.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Roots {
    /// Certificates in PEM form; empty takes the connection's own away.
    pem: String,
}

async fn set_roots(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Roots>,
) -> Result<Json<WayView>, Error> {
    Ok(Json(
        way::set_roots(&host, &actor, &number, &body.pem).await?,
    ))
}

/// Hosts that a profile's connection may reach beside the manifest's.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Hosts {
    /// Such as `api.example.com` or `*.eu.example.com`; all of them, as the list is replaced.
    hosts: Vec<String>,
}

async fn set_hosts(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Hosts>,
) -> Result<Json<WayView>, Error> {
    Ok(Json(
        way::set_hosts(&host, &actor, &number, &body.hosts).await?,
    ))
}
