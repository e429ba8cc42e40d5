//! Every address of Seatwise with the permission it needs, in one list.
//!
//! The router, the OpenAPI document and the authority test are all made from [`table`]: an address cannot exist without
//! saying who may use it.
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

use super::error::{self, Error};
use super::gate::{self, Caller, FORM_BYTES, Visitor};
use crate::api;
use crate::api::openapi::Shape;
use crate::app::host::Host;
use crate::identity::roles::Permission;

/// How long a request may take until its answer begins. Checks and publishing ask the vendor, which may be slow.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);

/// Which door an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// Answers to anybody.
    Open,
    /// Answers to a session.
    Page,
    /// Answers to a personal token.
    Api,
}

/// One address and method.
pub struct Route {
    /// GET (which also answers HEAD) or POST.
    pub method: Method,
    /// Pattern; `{number}` stands for one part.
    pub path: &'static str,
    /// Its door.
    pub face: Face,
    /// What the asker must hold; none on open addresses only.
    pub needs: Option<Permission>,
    /// One sentence.
    pub says: &'static str,
    /// The form of its JSON body.
    pub takes: Option<Shape>,
    /// Its query parameters, each with a sentence.
    pub asks: &'static [(&'static str, &'static str)],
    /// Bytes of the largest body it takes.
    pub largest: usize,
    handler: MethodRouter<Host>,
}

fn filter(method: &Method) -> MethodFilter {
    if *method == Method::POST {
        MethodFilter::POST
    } else {
        MethodFilter::GET
    }
}

impl Route {
    fn new<H, T>(
        face: Face,
        method: Method,
        path: &'static str,
        needs: Option<Permission>,
        says: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Host>,
        T: 'static,
    {
        let handler = on(filter(&method), handler);
        Self {
            method,
            path,
            face,
            needs,
            says,
            takes: None,
            asks: &[],
            largest: FORM_BYTES,
            handler,
        }
    }

    /// The same, taking this JSON body.
    #[must_use]
    pub fn taking<T: utoipa::ToSchema>(mut self) -> Self {
        self.takes = Some(Shape::of::<T>());
        self
    }

    /// The same, with these query parameters.
    #[must_use]
    pub fn asking(mut self, parameters: &'static [(&'static str, &'static str)]) -> Self {
        self.asks = parameters;
        self
    }

    /// The same, with a body of up to so many bytes where the usual form is too small.
    #[must_use]
    pub fn up_to(mut self, bytes: usize) -> Self {
        self.handler = self.handler.layer(DefaultBodyLimit::max(bytes));
        self.largest = bytes;
        self
    }

    /// An address for anybody.
    pub fn open<H: Handler<T, Host>, T: 'static>(
        method: Method,
        path: &'static str,
        says: &'static str,
        handler: H,
    ) -> Self {
        Self::new(Face::Open, method, path, None, says, handler)
    }

    /// A page or a page's form.
    pub fn page<H: Handler<T, Host>, T: 'static>(
        method: Method,
        path: &'static str,
        needs: Permission,
        says: &'static str,
        handler: H,
    ) -> Self {
        Self::new(Face::Page, method, path, Some(needs), says, handler)
    }

    /// An address of the API.
    pub fn api<H: Handler<T, Host>, T: 'static>(
        method: Method,
        path: &'static str,
        needs: Permission,
        says: &'static str,
        handler: H,
    ) -> Self {
        Self::new(Face::Api, method, path, Some(needs), says, handler)
    }
}

/// All addresses. Order is that of the documents made from it.
#[must_use]
pub fn table() -> Vec<Route> {
    let mut all = vec![
        Route::open(
            Method::GET,
            "/healthz",
            "Is this host able to serve?",
            super::health::healthz,
        ),
        Route::open(
            Method::GET,
            "/assets/{digest}/{name}",
            "An embedded file",
            super::assets::serve,
        ),
    ];
    all.extend(super::signin::routes());
    all.extend(super::overview::routes());
    all.extend(super::find::routes());
    all.extend(super::runs::routes());
    all.extend(super::subscriptions::routes());
    all.extend(super::accounts::routes());
    all.extend(super::models::routes());
    all.extend(super::entitlements::routes());
    all.extend(super::people::routes());
    all.extend(super::connect::routes());
    all.extend(super::imports::routes());
    all.extend(super::sign_ins::routes());
    all.extend(super::profiles::routes());
    all.extend(super::connection::routes());
    all.extend(super::aliases::routes());
    all.extend(super::playbook::routes());
    all.extend(super::hand_over::routes());
    all.extend(super::proxy::routes());
    all.extend(super::position::routes());
    all.extend(super::rules::routes());
    all.extend(super::candidates::routes());
    all.extend(super::batches::routes());
    all.extend(super::actions::routes());
    all.extend(super::controls::routes());
    all.extend(super::audit::routes());
    all.extend(super::notifications::routes());
    all.extend(super::tokens::routes());
    all.extend(super::mail::routes());
    all.extend(super::deliveries::routes());
    all.extend(super::webhooks::routes());
    all.extend(super::vaults::routes());
    all.extend(super::account::routes());
    all.extend(super::access::routes());
    all.extend(super::units::routes());
    all.extend(super::sign_on::routes());
    all.extend(super::roles::routes());
    all.extend(super::doctor::routes());
    all.extend(super::sources::routes());
    all.extend(super::design::routes());
    all.extend(api::routes());
    all
}

/// The whole web application over this host.
pub fn router(host: Host) -> Router {
    let mut router = Router::new();
    let mut largest = FORM_BYTES;
    for route in table() {
        largest = largest.max(route.largest);
        let needs = route.needs;
        let handler =
            route
                .handler
                .layer(middleware::from_fn(move |request: Request, next: Next| {
                    permit(needs, request, next)
                }));
        router = router.route(route.path, handler);
    }
    let secure = host.options.public_url.starts_with("https://");
    let router = router
        .fallback(nothing_here)
        .with_state(host.clone())
        .layer(DefaultBodyLimit::max(FORM_BYTES))
        .layer(middleware::from_fn_with_state(host.clone(), gate::admit))
        .layer(middleware::from_fn_with_state(
            (host, largest),
            gate::refuse_announced,
        ))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            ANSWER_WITHIN,
        ))
        .layer(
            TraceLayer::new_for_http().make_span_with(|request: &Request| {
                // The matched pattern, not the address: sign-in links carry their secret in it.
                tracing::info_span!("http", method = %request.method())
            }),
        );
    fixed_headers()
        .into_iter()
        .chain(secure.then(strict_transport))
        .fold(router, |router, (name, value)| {
            router.layer(SetResponseHeaderLayer::if_not_present(name, value))
        })
}

fn fixed_headers() -> Vec<(HeaderName, HeaderValue)> {
    [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not `no-referrer`: under it browsers send `Origin: null` with our own forms (Fetch standard, §3.2).
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ]
    .into_iter()
    .map(|(name, value)| (name, HeaderValue::from_static(value)))
    .collect()
}

fn strict_transport() -> (HeaderName, HeaderValue) {
    (
        header::STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000"),
    )
}

/// Refuses before the handler runs whoever lacks the address's permission.
async fn permit(needs: Option<Permission>, request: Request, next: Next) -> Response {
    let Some(permission) = needs else {
        return next.run(request).await;
    };
    if let Some(visitor) = request.extensions().get::<Visitor>() {
        return match visitor.actor.may(permission) {
            Ok(()) => next.run(request).await,
            Err(denied) => Error::from(denied).into_response(),
        };
    }
    if let Some(Caller(actor)) = request.extensions().get::<Caller>() {
        return match actor.may(permission) {
            Ok(()) => next.run(request).await,
            Err(denied) => api::Error::from(denied).into_response(),
        };
    }
    // The gate lets nobody unknown this far; if it ever does, nothing is shown.
    StatusCode::UNAUTHORIZED.into_response()
}

async fn nothing_here(request: Request) -> Response {
    if request.extensions().get::<Caller>().is_some() {
        return api::Error::from(api::error::not_found()).into_response();
    }
    Error::from(error::not_found()).into_response()
}
