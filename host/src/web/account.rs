//! One's own account: password, second factor, open sessions.
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::{Method, header};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use super::{Error, session};
use crate::app::host::Host;
use crate::identity::IdentityError;
use crate::identity::roles::Permission;
use crate::identity::service::{self, AccountView, Enrolment};
use crate::kernel::SessionId;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/account",
            Permission::OwnAccount,
            "One's own password, second factor and sessions",
            show,
        ),
        Route::page(
            Method::POST,
            "/account/password",
            Permission::OwnAccount,
            "Sets one's own password",
            set_password,
        ),
        Route::page(
            Method::POST,
            "/account/second-factor",
            Permission::OwnAccount,
            "Makes the secret of a second factor and shows it",
            begin_factor,
        ),
        Route::page(
            Method::POST,
            "/account/second-factor/confirm",
            Permission::OwnAccount,
            "Switches the second factor on with its first code; shows the recovery codes once",
            confirm_factor,
        ),
        Route::page(
            Method::POST,
            "/account/second-factor/end",
            Permission::OwnAccount,
            "Switches one's own second factor off",
            end_factor,
        ),
        Route::page(
            Method::POST,
            "/account/sessions/end-others",
            Permission::OwnAccount,
            "Ends all of one's own sessions but this one",
            end_others,
        ),
        Route::page(
            Method::POST,
            "/account/sessions/{id}/end",
            Permission::OwnAccount,
            "Ends one of one's own sessions",
            end_session,
        ),
    ]
}

#[derive(Serialize)]
struct AccountPage {
    account: AccountView,
    /// A secret just made, shown until its first code.
    enrolment: Option<Enrolment>,
    /// Recovery codes just made, shown this once.
    recovery_codes: Vec<String>,
    shortest: usize,
}

/// What a form left to be shown.
#[derive(Default)]
struct Left {
    enrolment: Option<Enrolment>,
    recovery_codes: Vec<String>,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    frame: Chrome,
    left: Left,
) -> Result<Response, Error> {
    let body = AccountPage {
        account: service::account(host, &visitor.actor).await?,
        enrolment: left.enrolment,
        recovery_codes: left.recovery_codes,
        shortest: service::SHORTEST_PASSWORD,
    };
    chrome::page("pages/my_account", &frame.titled("My account"), &body)
}

async fn refused(host: &Host, visitor: &Visitor, error: &IdentityError) -> Result<Response, Error> {
    let frame = Chrome::of(host, visitor).troubled(Some(told(error)));
    page(host, visitor, frame, Left::default()).await
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    page(&host, &visitor, frame, Left::default()).await
}

#[derive(Deserialize)]
struct Passwords {
    #[serde(default)]
    old: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    again: String,
}

async fn set_password(
    State(host): State<Host>,
    visitor: Visitor,
    session::From(device): session::From,
    Form(form): Form<Passwords>,
) -> Result<Response, Error> {
    let (old, new) = (Zeroizing::new(form.old), Zeroizing::new(form.password));
    if *new != form.again {
        let error = IdentityError::Invalid {
            field: "again",
            sentence: "the two new passwords are not the same".to_owned(),
        };
        return refused(&host, &visitor, &error).await;
    }
    match service::change_password(&host, &visitor.actor, old, new, &device).await {
        Ok(session) => {
            let mut response = chrome::done("/account", "password-set");
            response
                .headers_mut()
                .insert(header::SET_COOKIE, session::hand_over(&host, &session));
            Ok(response)
        }
        Err(error) => refused(&host, &visitor, &error).await,
    }
}

async fn begin_factor(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    match service::begin_second_factor(&host, &visitor.actor).await {
        Ok(enrolment) => {
            let left = Left {
                enrolment: Some(enrolment),
                ..Left::default()
            };
            page(&host, &visitor, Chrome::of(&host, &visitor), left).await
        }
        Err(error) => refused(&host, &visitor, &error).await,
    }
}

#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    code: String,
}

async fn confirm_factor(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Code>,
) -> Result<Response, Error> {
    match service::confirm_second_factor(&host, &visitor.actor, &form.code).await {
        Ok(recovery_codes) => {
            let left = Left {
                recovery_codes,
                ..Left::default()
            };
            page(&host, &visitor, Chrome::of(&host, &visitor), left).await
        }
        Err(error) => {
            // The secret stays until a code of it is right, so that a typing error does not mean another scan.
            let enrolment = service::pending_second_factor(&host, &visitor.actor).await?;
            let frame = Chrome::of(&host, &visitor).troubled(Some(told(&error)));
            let left = Left {
                enrolment,
                ..Left::default()
            };
            page(&host, &visitor, frame, left).await
        }
    }
}

async fn end_factor(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<Code>,
) -> Result<Response, Error> {
    match service::end_second_factor(&host, &visitor.actor, &form.code).await {
        Ok(()) => Ok(chrome::done("/account", "factor-off")),
        Err(error) => refused(&host, &visitor, &error).await,
    }
}

async fn end_session(
    State(host): State<Host>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    service::end_own_session(&host, &visitor.actor, &SessionId::from(id)).await?;
    Ok(chrome::done("/account", "session-ended"))
}

async fn end_others(State(host): State<Host>, visitor: Visitor) -> Result<Response, Error> {
    service::end_other_sessions(&host, &visitor.actor).await?;
    Ok(chrome::done("/account", "others-ended"))
}
