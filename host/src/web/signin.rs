//! Coming in and going out: a one-time link shows a button, the button's POST uses the link up.
//!
//! Mail scanners and previews fetch links; that is why GET changes nothing.
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::chrome::{self, Chrome};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use super::{Error, session};
use crate::app::host::Host;
use crate::identity;
use crate::identity::roles::Permission;
use crate::kernel::Problem;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::open(
            Method::GET,
            "/sign-in",
            "How to sign in; with a one-time link's token, a button that changes nothing yet",
            ask,
        ),
        Route::open(
            Method::POST,
            "/sign-in",
            "Uses a one-time link up and starts a session",
            enter,
        ),
        Route::page(
            Method::POST,
            "/sign-out",
            Permission::OwnAccount,
            "Ends the session",
            leave,
        ),
    ]
}

/// A path of ours, or the overview: never another site's address (open redirect).
fn local(next: Option<String>) -> String {
    next.filter(|path| {
        path.starts_with('/')
            && !path.starts_with("//")
            && !path.contains(['\\', '\n', '\r'])
            && !path.starts_with("/sign-")
    })
    .unwrap_or_else(|| "/".to_owned())
}

#[derive(Deserialize)]
struct Asked {
    token: Option<String>,
    next: Option<String>,
    left: Option<String>,
}

#[derive(Serialize)]
struct SignInPage {
    /// The link's secret, carried into the form; without it the page says how to come by a link.
    token: Option<String>,
    next: String,
    has_left: bool,
}

async fn ask(State(host): State<Host>, Query(asked): Query<Asked>) -> Result<Response, Error> {
    let body = SignInPage {
        token: asked.token,
        next: local(asked.next),
        has_left: asked.left.is_some(),
    };
    chrome::page(
        "pages/sign_in",
        &Chrome::outside(&host).titled("Sign in"),
        &body,
    )
}

#[derive(Deserialize)]
struct Enter {
    token: String,
    next: Option<String>,
}

async fn enter(State(host): State<Host>, Form(form): Form<Enter>) -> Result<Response, Error> {
    match identity::service::redeem_signin_link(&host, &form.token).await {
        Ok(session) => {
            let lasts_s = (session.expires_at - host.now_ms()).max(0) / 1_000;
            let cookie = session::set_cookie(&host, &session.cookie, lasts_s);
            let mut response = Redirect::to(&local(form.next)).into_response();
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            Ok(response)
        }
        Err(error) => refused(&host, told(&error)),
    }
}

fn refused(host: &Host, problem: Problem) -> Result<Response, Error> {
    chrome::page(
        "pages/sign_in",
        &Chrome::outside(host)
            .titled("Sign in")
            .troubled(Some(problem)),
        &SignInPage {
            token: None,
            next: "/".to_owned(),
            has_left: false,
        },
    )
}

async fn leave(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    identity::service::end_session(&host, &visitor.actor).await?;
    let mut response = Redirect::to("/sign-in?left=1").into_response();
    response
        .headers_mut()
        .insert(header::SET_COOKIE, session::clear_cookie(&host));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_of_ours_is_followed_after_sign_in() {
        for (given, followed) in [
            ("/rules/RUL0001001", "/rules/RUL0001001"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/sign-out", "/"),
            ("", "/"),
        ] {
            assert_eq!(local(Some(given.to_owned())), followed, "{given}");
        }
        assert_eq!(local(None), "/");
    }
}
