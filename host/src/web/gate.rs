//! Who is asking, from where, and may they: before any handler runs.
//!
//! Invariants: an address that is not in the route table's open part needs a session (pages) or a personal token (API),
//! known address or not; each route names the permission it needs and is refused without it before its handler runs; a
//! write of a page, by whatever method, must come from our own origin and carry its session's token. A personal token opens no page and a session
//! opens no API, so a stolen link cannot script the API. Services check authority again, with the subject in hand.
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest as _, FromRequestParts, Multipart, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::chrome::Chrome;
use super::error::Untold;
use super::rejected;
use super::session::{self, Signed};
use super::{error, templates};
use crate::api;
use crate::app::host::Host;
use crate::identity::roles::{Actor, Permission};
use crate::imports::service as imports;
use crate::kernel::Problem;
use crate::reclamation::controls;

/// The largest form a page takes: a pasted people list of some ten thousand lines.
pub const FORM_BYTES: usize = 2 * 1024 * 1024;

/// How much the form of an address may bring when it carries a file; `None` for a form that carries none.
#[must_use]
pub fn most_with_file(path: &str) -> Option<usize> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["imports" | "identity-sources", "file"] => Some(imports::MOST_BYTES + FORM_BYTES),
        // A key to sign with.
        ["profiles", _, "connection"] | ["profiles", _, "playbook", "sign-in"] => Some(FORM_BYTES),
        _ => None,
    }
}

/// The token is the first field of such a form, so no more than this is read before it is compared.
const HEAD_BYTES: usize = 4 * 1024;

/// The signed-in person behind a page request.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Who, with their roles of this moment.
    pub actor: Actor,
    /// The secret that a form of this session must carry.
    pub csrf: String,
    /// The address asked for, for links that return here.
    pub path: String,
    /// Why every reclaim is stopped, while it is.
    pub stopped: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = error::Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| sign_in_first().into())
    }
}

/// The person behind an API request, known by a personal token.
#[derive(Clone, Debug)]
pub struct Caller(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = api::Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| token_first().into())
    }
}

fn sign_in_first() -> Problem {
    Problem::new(
        "identity.not_signed_in",
        401,
        "you are not signed in",
        "Sign in, or ask your administrator for a one-time link",
    )
}

fn token_first() -> Problem {
    Problem::new(
        "identity.no_token",
        401,
        "this address needs a personal token",
        "Send `Authorization: Bearer TOKEN`; make a token on the page Tokens",
    )
}

/// True for addresses that answer without a session: health, sign-in, a handed-over task, and the embedded files its page loads.
fn is_open(path: &str) -> bool {
    matches!(
        path,
        "/healthz"
            | "/sign-in"
            | "/sign-in/code"
            | "/sign-in/sso"
            | "/sign-in/sso/callback"
            | "/hand-over"
    ) || path.starts_with("/assets/")
}

/// Refuses at once a body whose announced length is more than any address takes (`largest`, bytes): nobody waits for the rest of it.
/// One that is not announced ends at its own address's limit, while it is read.
pub async fn refuse_announced(
    State((host, largest)): State<(Host, usize)>,
    request: Request,
    next: Next,
) -> Response {
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_none_or(|length| length <= largest as u64) {
        return next.run(request).await;
    }
    if is_api(request.uri().path()) {
        return api::Error::from(api::error::body_too_large()).into_response();
    }
    let problem = Problem::new(
        "page.too_large",
        413,
        "what was sent is larger than any page takes",
        "Split the file or the list",
    );
    error_page(
        &Chrome::outside(&host),
        problem,
        StatusCode::PAYLOAD_TOO_LARGE,
    )
}

fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// The outermost check of who asks; see the module.
pub async fn admit(State(host): State<Host>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if is_api(&path) {
        return admit_api(&host, request, next).await;
    }
    let mut frame = Chrome::outside(&host);
    let mut response = match admit_page(&host, request, next, &path, &mut frame).await {
        Ok(response) => response,
        Err(problem) => error::Error::from(problem).into_response(),
    };
    if let Some(Untold(problem)) = response.extensions_mut().remove::<Untold>() {
        response = error_page(&frame, problem, response.status());
    } else if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let problem = Problem::new(
            "page.wrong_method",
            405,
            "this address does not take that kind of request",
            "Go back and use the page's own buttons",
        );
        response = error_page(&frame, problem, StatusCode::METHOD_NOT_ALLOWED);
    } else {
        let status = response.status();
        response = match rejected::reworded(response).await {
            Ok(problem) => error_page(&frame, problem, status),
            Err(own) => own,
        };
    }
    // Whatever a signed-in person saw must not come back from a cache after sign-out; embedded files set their own.
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn admit_page(
    host: &Host,
    request: Request,
    next: Next,
    path: &str,
    frame: &mut Chrome,
) -> Result<Response, Problem> {
    if writes(request.method()) {
        same_origin(host, request.headers())?;
    }
    if is_open(path) {
        return Ok(next.run(request).await);
    }
    let Some(signed) = session::of_request(host, request.headers()).await? else {
        if writes(request.method()) {
            return Err(sign_in_first());
        }
        return Ok(to_sign_in(request.uri()));
    };
    let visitor = Visitor {
        actor: signed.actor.clone(),
        csrf: signed.csrf.clone(),
        path: path.to_owned(),
        stopped: controls::stopped(host)
            .await
            .map_err(|error| error::told(&error))?,
    };
    *frame = Chrome::of(host, &visitor);
    if path == "/" && !writes(request.method()) && visitor.actor.may(Permission::Read).is_err() {
        return Ok(Redirect::to("/roles").into_response());
    }
    let mut request = request;
    if writes(request.method()) {
        request = with_checked_token(request, &signed).await?;
    }
    request.extensions_mut().insert(visitor);
    Ok(next.run(request).await)
}

async fn admit_api(host: &Host, mut request: Request, next: Next) -> Response {
    let actor = match bearer(request.headers()) {
        Some(token) => session::of_token(host, token).await,
        None => Err(token_first()),
    };
    let mut response = match actor {
        Ok(actor) => {
            request.extensions_mut().insert(Caller(actor));
            next.run(request).await
        }
        Err(problem) => api::Error::from(problem).into_response(),
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && response.extensions().get::<Untold>().is_none()
    {
        let problem = Problem::new(
            "api.wrong_method",
            405,
            "this address does not take that method",
            "See /api/v1/openapi.json for what it takes",
        );
        response = api::Error::from(problem).into_response();
    }
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// True for methods that may change something (RFC 9110 §9.2.1 calls the others safe).
fn writes(method: &Method) -> bool {
    !(method == Method::GET || method == Method::HEAD || method == Method::OPTIONS)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

fn to_sign_in(uri: &Uri) -> Response {
    // A code of a vendor belongs to the session that asked for it; it is not carried on into the address of a page.
    let next = if uri.path() == crate::credentials::signin::CALLBACK_PATH {
        "/profiles"
    } else {
        uri.path_and_query().map_or("/", |p| p.as_str())
    };
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("next", next)
        .finish();
    Redirect::to(&format!("/sign-in?{query}")).into_response()
}

/// Refuses a write that another site's page sent. Browsers say where a request comes from in `Sec-Fetch-Site`, older ones in
/// `Origin`; a client that says neither still needs the session's token.
fn same_origin(host: &Host, headers: &HeaderMap) -> Result<(), Problem> {
    let refused = || {
        Problem::new(
            "page.cross_site",
            403,
            "this request came from another site",
            "Open Seatwise itself and press the button there",
        )
    };
    if let Some(site) = headers.get("sec-fetch-site")
        && site != "same-origin"
    {
        return Err(refused());
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().map_err(|_| refused())?;
    let asked = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let own = origin == host.options.public_url.trim_end_matches('/');
    let direct = origin
        .split_once("://")
        .is_some_and(|(_, authority)| !authority.is_empty() && authority == asked);
    if own || direct {
        Ok(())
    } else {
        Err(refused())
    }
}

/// Reads the form once, compares its token, and hands the same bytes on to the handler.
async fn with_checked_token(request: Request, signed: &Signed) -> Result<Request, Problem> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value.split(';').next().is_some_and(|t| {
                t.trim()
                    .eq_ignore_ascii_case("application/x-www-form-urlencoded")
            })
        });
    if !is_form && let Some(most) = most_with_file(request.uri().path()) {
        return with_checked_upload(request, signed, most).await;
    }
    if !is_form {
        return Err(Problem::new(
            "page.not_a_form",
            415,
            "a page takes only its own forms",
            "Use the API with a personal token instead",
        ));
    }
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, FORM_BYTES).await.map_err(|_| {
        Problem::new(
            "page.too_large",
            413,
            "the form is larger than 2 MiB",
            "Split the list, or use the CLI",
        )
    })?;
    let given = url::form_urlencoded::parse(&bytes)
        .find(|(name, _)| name == "csrf")
        .map(|(_, value)| value);
    let matches = given.is_some_and(|given| session::same_secret(&given, &signed.csrf));
    if !matches {
        return Err(form_expired());
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

fn form_expired() -> Problem {
    Problem::new(
        "page.form_expired",
        403,
        "this form belongs to another session",
        "Load the page again and repeat what you did",
    )
}

/// The same for a form with a file: its token must be its first field.
async fn with_checked_upload(
    request: Request,
    signed: &Signed,
    most: usize,
) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, most).await.map_err(|_| {
        Problem::new(
            "page.file_too_large",
            413,
            "the file is larger than the form takes: 32 MiB of rows, 2 MiB of a key",
            "Split it into several sources, or leave out columns that are not read",
        )
    })?;
    let head = Request::builder()
        .header(
            header::CONTENT_TYPE,
            parts
                .headers
                .get(header::CONTENT_TYPE)
                .cloned()
                .unwrap_or(HeaderValue::from_static("")),
        )
        .body(Body::from(bytes.slice(..bytes.len().min(HEAD_BYTES))))
        .map_err(|_| form_expired())?;
    let mut form = Multipart::from_request(head, &()).await.map_err(|_| {
        Problem::new(
            "page.not_a_form",
            415,
            "a page takes only its own forms",
            "Use the API with a personal token instead",
        )
    })?;
    let given = match form.next_field().await {
        Ok(Some(field)) if field.name() == Some("csrf") => field.text().await.ok(),
        _ => None,
    };
    if given.is_some_and(|given| session::same_secret(&given, &signed.csrf)) {
        Ok(Request::from_parts(parts, Body::from(bytes)))
    } else {
        Err(form_expired())
    }
}

#[derive(serde::Serialize)]
struct ErrorPage<'a> {
    page: &'a Chrome,
    problem: &'a Problem,
}

fn error_page(frame: &Chrome, problem: Problem, status: StatusCode) -> Response {
    let frame = frame.clone().titled(&format!(
        "Error: {}",
        super::words::sentence(&problem.message)
    ));
    match templates::render(
        "pages/error",
        &ErrorPage {
            page: &frame,
            problem: &problem,
        },
    ) {
        Ok(html) => (
            status,
            [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
            html,
        )
            .into_response(),
        Err(fault) => {
            error::told(&fault);
            (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Seatwise could not render this page.",
            )
                .into_response()
        }
    }
}
