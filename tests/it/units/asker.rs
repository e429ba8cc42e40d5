//! Somebody who asks pages and API in process, with their cookie and their personal token.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use seatwise::identity::roles::Actor;
use seatwise::identity::service::{self as identity, NewToken};
use seatwise::web::routes::Face;
use seatwise_tests::company::Company;
use tower::ServiceExt as _;

/// Somebody's cookie, form token and personal token at the router.
pub(super) struct Asker {
    app: Router,
    pub(super) actor: Actor,
    cookie: String,
    csrf: String,
    bearer: String,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl Asker {
    pub(super) async fn of(company: &Company, id: &seatwise::kernel::PrincipalId) -> Self {
        let host = &company.host;
        let link = identity::mint_signin_link(host, &Actor::system(), id)
            .await
            .unwrap();
        let device = identity::Device::default();
        let signed_in = identity::redeem_signin_link(host, &link.token, &device)
            .await
            .unwrap();
        let identity::SignedIn::Session(session) = signed_in else {
            panic!("a code is asked for")
        };
        let actor = identity::authenticate_session(host, &session.cookie)
            .await
            .unwrap()
            .actor;
        let wanted = NewToken {
            name: "walk".to_owned(),
            days: 300,
            ..NewToken::default()
        };
        let token = identity::mint_token(host, &actor, wanted).await.unwrap();
        Self {
            app: seatwise::web::router(host.clone()),
            actor,
            cookie: format!("seatwise={}", session.cookie),
            csrf: session.csrf_token,
            bearer: format!("Bearer {}", token.secret),
        }
    }

    pub(super) async fn ask(&self, face: Face, method: &Method, path: &str) -> Answer {
        let request = Request::builder().method(method.clone()).uri(path);
        let request = match (face, method == Method::GET) {
            (Face::Api, true) => request
                .header(header::AUTHORIZATION, &self.bearer)
                .body(Body::empty()),
            (Face::Api, false) => request
                .header(header::AUTHORIZATION, &self.bearer)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(json_for(path))),
            (_, true) => request
                .header(header::COOKIE, &self.cookie)
                .body(Body::empty()),
            (_, false) => request
                .header(header::COOKIE, &self.cookie)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin")
                .body(Body::from(format!(
                    "csrf={}&answer=keep&decision=grant&reason=because&seen=x",
                    self.csrf
                ))),
        };
        let answer = self.app.clone().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status();
        // A stream of events goes on for as long as somebody listens.
        let ends = !(path.ends_with("/events") && status == StatusCode::OK);
        let text = if ends {
            let body = tokio::time::timeout(
                Duration::from_secs(60),
                to_bytes(answer.into_body(), 1 << 24),
            );
            let bytes = body.await.expect("the body ends").unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            String::new()
        };
        Answer { status, text }
    }
}

/// A body that the address reads, so that it comes as far as looking for the record.
pub(super) fn json_for(path: &str) -> &'static str {
    match path.rsplit('/').next().unwrap_or_default() {
        "answer" => r#"{"answer":"keep","reason":"because"}"#,
        "decide" => r#"{"is_granted":true}"#,
        "release" | "repair" | "close" | "undo" => r#"{"reason":"because"}"#,
        "approve" => r#"{"seen":"x"}"#,
        _ => "{}",
    }
}
