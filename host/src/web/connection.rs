//! The connection of a profile: which credential it has and how it fares, and connecting it anew.
//!
//! A person leaves for the vendor's page by a link, never by a form: the content policy lets no form lead away from here.
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};

use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::grant_form::{self, GrantForm, Known, Typed};
use super::playbook_sign_in;
use super::routes::Route;
use super::typed_form::Sent;
use super::{Error, templates};
use crate::app::host::Host;
use crate::credentials::model::SigninState;
use crate::credentials::signin::{CALLBACK_PATH, Callback, SigninView};
use crate::identity::roles::Permission;
use crate::kernel::Problem;
use crate::profiles::signin::{self, Connected, ConnectionView};
use crate::vaults::service as vaults;

/// How often a live page looks at its sign-in.
const READ_EVERY: Duration = Duration::from_secs(2);
/// A stream ends after so many readings; the browser opens the next.
const READINGS: u32 = 60;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    const MANAGE: Permission = Permission::ManageProfiles;
    vec![
        Route::page(
            Method::GET,
            "/profiles/{number}/connection",
            Permission::Read,
            "A profile's connection: token, scopes, who connected it",
            show,
        ),
        Route::page(
            Method::POST,
            "/profiles/{number}/connection",
            MANAGE,
            "Connects a profile, or connects it anew",
            connect,
        ),
        Route::page(
            Method::GET,
            CALLBACK_PATH,
            MANAGE,
            "Where a vendor sends the browser back to after a consent",
            callback,
        ),
        Route::page(
            Method::GET,
            "/connect/{id}",
            MANAGE,
            "A sign-in at the vendor's, for the person who began it",
            sign_in,
        ),
        Route::page(
            Method::GET,
            "/connect/{id}/events",
            MANAGE,
            "The same live, as server-sent events",
            events,
        ),
    ]
}

#[derive(Serialize)]
struct ConnectionPage {
    connection: ConnectionView,
    grants: Vec<GrantForm>,
    vendor: String,
    is_connected: bool,
    needs_sign_in: bool,
    is_sandbox: bool,
    /// The address this browser used, where it is not the configured one: the vendor would send people elsewhere.
    other_host: Option<String>,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    frame: Chrome,
    asked: Option<&str>,
    typed: &Typed,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let connection = signin::connection(host, &visitor.actor, number).await?;
    let manifest = host.connectors.manifest(&connection.profile.connector)?;
    let is_manager = visitor.actor.may(Permission::ManageProfiles).is_ok();
    let vaults = if is_manager {
        vaults::list(host, &visitor.actor).await?
    } else {
        Vec::new()
    };
    let grants = grant_form::forms(&Known {
        manifest: &manifest,
        stored: connection.credential.as_ref(),
        asked,
        typed,
        problem: frame.problem.as_ref(),
        callback_url: &connection.callback_url,
        vaults: &vaults,
        now_ms: host.now_ms(),
    });
    let health = connection
        .credential
        .as_ref()
        .map_or("", |credential| credential.health.as_str());
    let title = format!("Connection of {}", connection.profile.name);
    let body = ConnectionPage {
        grants,
        vendor: manifest.connector.name.clone(),
        is_connected: connection
            .credential
            .as_ref()
            .is_some_and(|credential| credential.refreshed_at.is_some()),
        needs_sign_in: health == "needs_sign_in",
        is_sandbox: connection.profile.environment.as_deref() == Some("sandbox"),
        other_host: other_host(host, headers),
        connection,
    };
    chrome::page("pages/connection", &frame.titled(&title), &body)
}

fn other_host(host: &Host, headers: &HeaderMap) -> Option<String> {
    let asked = headers.get(header::HOST)?.to_str().ok()?;
    let public = host.options.public_url.split_once("://")?.1;
    (public.trim_end_matches('/') != asked).then(|| asked.to_owned())
}

#[derive(Deserialize)]
struct Asked {
    grant: Option<String>,
    done: Option<String>,
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&Done::of(asked.done));
    let grant = asked.grant.as_deref();
    page(
        &host,
        &visitor,
        &number,
        frame,
        grant,
        &Typed::new(),
        &headers,
    )
    .await
}

async fn connect(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    headers: HeaderMap,
    Sent(typed): Sent,
) -> Result<Response, Error> {
    let new = grant_form::credential(&typed);
    match signin::connect(&host, &visitor.actor, &number, new).await {
        Ok(Connected::Connected) => Ok(chrome::done(
            &format!("/profiles/{number}/connection"),
            "connected",
        )),
        Ok(Connected::SignIn { id }) => Ok(Redirect::to(&format!("/connect/{id}")).into_response()),
        Err(error) => {
            let problem = told(&error);
            if problem.code == "profile.not_found" {
                return Err(problem.into());
            }
            let frame = Chrome::of(&host, &visitor).troubled(Some(problem));
            page(&host, &visitor, &number, frame, None, &typed, &headers).await
        }
    }
}

/// What a vendor's redirect brings is answered by a redirect: the code does not stay in the address bar, and a reload repeats nothing.
async fn callback(
    State(host): State<Host>,
    visitor: Visitor,
    Query(callback): Query<Callback>,
) -> Result<Response, Error> {
    let id = signin::returned(&host, &visitor.actor, &callback).await?;
    Ok(Redirect::to(&format!("/connect/{id}")).into_response())
}

#[derive(Serialize)]
struct SignInPage {
    signin: SigninView,
    number: String,
    vendor: String,
    profile_name: String,
    is_device: bool,
    is_waiting: bool,
    is_taken: bool,
    is_refused: bool,
    /// A draft is connected in its playbook, and goes on there.
    is_draft: bool,
    now_ms: i64,
}

impl SignInPage {
    async fn of(host: &Host, visitor: &Visitor, id: &str) -> Result<Self, Error> {
        let signin = signin::find(host, &visitor.actor, id).await?;
        let connection = signin::connection(host, &visitor.actor, signin.profile.as_str()).await?;
        let manifest = host.connectors.manifest(&connection.profile.connector)?;
        Ok(Self {
            is_draft: connection.profile.state == "draft",
            number: connection.profile.number,
            profile_name: connection.profile.name,
            vendor: manifest.connector.name.clone(),
            is_device: signin.user_code.is_some() || signin.grant == "device-code",
            is_waiting: signin.state == SigninState::Waiting,
            is_taken: signin.state == SigninState::Taken,
            is_refused: signin.state == SigninState::Refused,
            now_ms: host.now_ms(),
            signin,
        })
    }
}

async fn sign_in(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let body = SignInPage::of(&host, &visitor, &id).await?;
    if body.signin.state == SigninState::Done {
        let page = if body.is_draft {
            "playbook/sign-in"
        } else {
            "connection"
        };
        return Ok(chrome::done(
            &format!("/profiles/{}/{page}", body.number),
            "connected",
        ));
    }
    if body.is_draft && body.is_refused {
        return playbook_sign_in::came_back(&host, &visitor, &body.number, &body.signin).await;
    }
    let problem: Option<Problem> = body.signin.problem.clone();
    let title = format!("Sign in with {}", body.vendor);
    let frame = Chrome::of(&host, &visitor).titled(&title).troubled(problem);
    chrome::page("pages/connection_signin", &frame, &body)
}

/// What a stream remembers between two readings.
struct Watch {
    host: Host,
    visitor: Visitor,
    id: String,
    last: String,
    readings: u32,
    is_over: bool,
}

async fn events(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    // A sign-in that does not exist is told before the stream begins.
    SignInPage::of(&host, &visitor, &id).await?;
    let watch = Watch {
        host,
        visitor,
        id,
        last: String::new(),
        readings: 0,
        is_over: false,
    };
    let events = stream::unfold(watch, |mut watch| async move {
        loop {
            if watch.is_over || watch.readings >= READINGS {
                return None;
            }
            if watch.readings > 0 {
                tokio::time::sleep(READ_EVERY).await;
            }
            watch.readings += 1;
            // A reading that fails ends the stream; the browser reconnects and is told why by the page's own status.
            let page = SignInPage::of(&watch.host, &watch.visitor, &watch.id)
                .await
                .ok()?;
            if !page.is_waiting && !page.is_taken {
                watch.is_over = true;
                let done = Event::default().event("done").data("over");
                return Some((Ok::<_, Infallible>(done), watch));
            }
            let html = templates::render("partials/signin_state", &page).ok()?;
            if html != watch.last {
                watch.last.clone_from(&html);
                return Some((Ok(Event::default().event("fragment").data(html)), watch));
            }
        }
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}
