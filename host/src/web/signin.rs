//! Coming in and going out: by address and password, or by a one-time link that shows a button, whose POST uses the link up; then,
//! where the person has one, the second factor.
//!
//! Mail scanners and previews fetch links; that is why GET changes nothing.
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::chrome::{self, Chrome};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use super::{Error, session};
use crate::app::host::Host;
use crate::identity::IdentityError;
use crate::identity::roles::Permission;
use crate::identity::service::{self, NewSession, SignedIn};
use crate::kernel::Problem;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::open(
            Method::GET,
            "/sign-in",
            "The form to sign in by; with a one-time link's token, a button that changes nothing yet",
            ask,
        ),
        Route::open(
            Method::POST,
            "/sign-in",
            "Signs in by address and password, or uses a one-time link up",
            enter,
        ),
        Route::open(
            Method::POST,
            "/sign-in/code",
            "The second step: a code of the authenticator app, or a recovery code",
            second_step,
        ),
        Route::open(
            Method::GET,
            "/sign-in/sso",
            "Leads to the company's identity provider",
            leave_for_provider,
        ),
        Route::open(
            Method::GET,
            "/sign-in/sso/callback",
            "Where the identity provider sends the browser back to",
            come_back,
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
            && !path.contains(|c: char| c == '\\' || c.is_control())
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
    /// The link's secret, carried into the form; without it the page asks for address and password.
    token: Option<String>,
    next: String,
    email: String,
    has_left: bool,
    /// Single sign-on, where it is on: what the button says, and where it leads.
    sso: Option<Button>,
}

#[derive(Serialize)]
struct Button {
    label: String,
    href: String,
}

/// The page of the sign-in form.
async fn form(
    host: &Host,
    mut body: SignInPage,
    problem: Option<Problem>,
) -> Result<Response, Error> {
    body.sso = service::sign_on_button(host).await?.map(|label| {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("next", &body.next)
            .finish();
        Button {
            label,
            href: format!("/sign-in/sso?{query}"),
        }
    });
    let frame = Chrome::outside(host).titled("Sign in").troubled(problem);
    chrome::page("pages/sign_in", &frame, &body)
}

async fn ask(State(host): State<Host>, Query(asked): Query<Asked>) -> Result<Response, Error> {
    let body = SignInPage {
        token: asked.token,
        next: local(asked.next),
        email: String::new(),
        has_left: asked.left.is_some(),
        sso: None,
    };
    form(&host, body, None).await
}

#[derive(Deserialize)]
struct Enter {
    token: Option<String>,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    next: Option<String>,
}

async fn enter(
    State(host): State<Host>,
    session::From(device): session::From,
    Form(form): Form<Enter>,
) -> Result<Response, Error> {
    let next = local(form.next);
    let signed_in = match &form.token {
        Some(token) => service::redeem_signin_link(&host, token, &device).await,
        None => {
            let password = Zeroizing::new(form.password);
            service::sign_in_with_password(&host, &form.email, password, &device).await
        }
    };
    match signed_in {
        Ok(SignedIn::Session(session)) => Ok(enters(&host, &session, &next)),
        Ok(SignedIn::CodeNeeded { ticket }) => ask_code(&host, ticket, next, None),
        Err(error) => {
            let body = SignInPage {
                token: None,
                next,
                email: form.email,
                has_left: false,
                sso: None,
            };
            self::form(&host, body, Some(told(&error))).await
        }
    }
}

fn enters(host: &Host, session: &NewSession, next: &str) -> Response {
    let mut response = Redirect::to(next).into_response();
    response
        .headers_mut()
        .insert(header::SET_COOKIE, session::hand_over(host, session));
    response
}

#[derive(Serialize)]
struct CodePage {
    ticket: String,
    next: String,
}

fn ask_code(
    host: &Host,
    ticket: String,
    next: String,
    problem: Option<Problem>,
) -> Result<Response, Error> {
    let frame = Chrome::outside(host).titled("Sign in").troubled(problem);
    chrome::page("pages/sign_in_code", &frame, &CodePage { ticket, next })
}

#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    ticket: String,
    #[serde(default)]
    code: String,
    next: Option<String>,
}

async fn second_step(
    State(host): State<Host>,
    session::From(device): session::From,
    Form(form): Form<Code>,
) -> Result<Response, Error> {
    let next = local(form.next);
    match service::sign_in_with_code(&host, &form.ticket, &form.code, &device).await {
        Ok(session) => Ok(enters(&host, &session, &next)),
        Err(error) => ask_code(&host, form.ticket, next, Some(told(&error))),
    }
}

#[derive(Deserialize)]
struct Leaving {
    next: Option<String>,
}

/// A GET, because a form must not lead to another site (`form-action`); it only begins what one browser can finish.
async fn leave_for_provider(
    State(host): State<Host>,
    session::From(device): session::From,
    Query(leaving): Query<Leaving>,
) -> Result<Response, Error> {
    let next = local(leaving.next);
    match service::begin_sign_on(&host, &next, &device).await {
        Ok(begun) => {
            let mut response = Redirect::to(&begun.goes_to).into_response();
            response.headers_mut().insert(
                header::SET_COOKIE,
                session::bind_browser(&host, &begun.browser, begun.lasts_ms),
            );
            Ok(response)
        }
        Err(error) => not_in(&host, next, &error).await,
    }
}

async fn come_back(
    State(host): State<Host>,
    session::From(device): session::From,
    headers: HeaderMap,
    Query(callback): Query<service::Callback>,
) -> Result<Response, Error> {
    let browser = session::bound_browser(&host, &headers).unwrap_or_default();
    match service::sign_on_returned(&host, &callback, &browser, &device).await {
        Ok((session, next)) => {
            let mut response = enters(&host, &session, &next);
            response
                .headers_mut()
                .append(header::SET_COOKIE, session::unbind_browser(&host));
            Ok(response)
        }
        Err(error) => not_in(&host, "/".to_owned(), &error).await,
    }
}

/// The sign-in page with why single sign-on brought nobody in.
async fn not_in(host: &Host, next: String, error: &IdentityError) -> Result<Response, Error> {
    let body = SignInPage {
        token: None,
        next,
        email: String::new(),
        has_left: false,
        sso: None,
    };
    form(host, body, Some(told(error))).await
}

async fn leave(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    service::end_session(&host, &visitor.actor).await?;
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
            ("/\t/evil.example", "/"),
            ("https://evil.example", "/"),
            ("/sign-out", "/"),
            ("", "/"),
        ] {
            assert_eq!(local(Some(given.to_owned())), followed, "{given}");
        }
        assert_eq!(local(None), "/");
    }
}
