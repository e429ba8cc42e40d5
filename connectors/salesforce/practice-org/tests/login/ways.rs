//! How to bring the org to each refusal of the table.

use seatwise_practice_org_salesforce::{Faults, Rights};
use serde_json::{Value, json};

use super::jwt::{approved, claims};
use super::{ANA, CALLBACK, CHALLENGE, KEY, Org, SECRET, VERIFIER, spec, text};

fn faults(org: &Org, spec: &str) {
    org.control().set_faults(Faults::parse(spec).unwrap());
}

fn of_callback(landing: &super::Landing) -> (u16, Value) {
    let body = json!({"error": landing.get("error"), "error_description": landing.get("error_description")});
    (302, body)
}

/// Brings the org into the state of a row, asks, and gives the answer.
pub(crate) async fn token_answer(code: &str, number: usize) -> (u16, Value) {
    let org = Org::of(approved()).await;
    let app = |change: Value| org.set(&format!("apps/{KEY}"), change);
    let pkce = [
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    let password = [
        ("grant_type", "password"),
        ("username", ANA),
        ("password", "x"),
    ];
    match (code, number) {
        ("salesforce.authentication_failure", 0) => org.token(&password).await,
        ("salesforce.authentication_failure", _) => {
            org.set("login", json!({"names_bad_passwords": true}));
            org.token(&password).await
        }
        ("salesforce.refresh_token_dead", _) => org.refresh("5AepNothing").await,
        ("salesforce.authorization_code", 0) => org.redeem("aPrxNothing==", &[]).await,
        ("salesforce.authorization_code", _) => {
            let used = org.code(&[]);
            let _first = org.redeem(&used, &[]).await;
            org.redeem(&used, &[]).await
        }
        ("salesforce.inactive_user", _) => {
            org.set(&format!("users/{ANA}/active"), json!({"is_active": false}));
            org.bearer(&claims()).await
        }
        ("salesforce.ip_restricted", 0) => {
            let range = json!([{"first": "10.0.0.0", "last": "10.0.0.255"}]);
            org.set(
                "login",
                json!({"profiles": {"Standard User": {"ip_ranges": range}}}),
            );
            org.bearer(&claims()).await
        }
        ("salesforce.ip_restricted", _) => {
            app(json!({"ip_restricted": true}));
            org.bearer(&claims()).await
        }
        ("salesforce.password_expired", _) => {
            org.set("login", json!({"people": {ANA: {"password": "expired"}}}));
            org.bearer(&claims()).await
        }
        ("salesforce.challenge_required", _) => {
            org.set("login", json!({"people": {ANA: {"challenged": true}}}));
            org.bearer(&claims()).await
        }
        ("salesforce.wrong_domain", _) => {
            let mut shared = spec();
            shared.shared_login_host = true;
            Org::of(shared).await.client_credentials().await
        }
        ("salesforce.no_run_as_user", _) => {
            app(json!({"run_as": null}));
            org.client_credentials().await
        }
        ("salesforce.not_approved", _) => {
            app(json!({"approved_by": []}));
            org.bearer(&claims()).await
        }
        ("salesforce.refresh_scope", _) => {
            app(json!({"scopes": ["api"]}));
            org.bearer(&claims()).await
        }
        ("salesforce.audience", _) => {
            let mut wrong = claims();
            wrong["aud"] = json!("https://test.salesforce.com");
            org.bearer(&wrong).await
        }
        ("salesforce.verifier_missing", _) => org.redeem(&org.code(&pkce), &[]).await,
        ("salesforce.code_verifier", _) => {
            let wrong = format!("{VERIFIER}x");
            org.redeem(&org.code(&pkce), &[("code_verifier", &wrong)])
                .await
        }
        ("salesforce.assertion", _) => {
            app(json!({"certificate": null}));
            org.bearer(&claims()).await
        }
        ("salesforce.device_code", _) => {
            app(json!({"device": true}));
            org.poll(&json!({"device_code": "nothing"})).await
        }
        ("salesforce.device_denied", _) => {
            app(json!({"device": true}));
            let device = org.device().await;
            org.decide(&device, false);
            org.poll(&device).await
        }
        ("salesforce.authorization_pending", _) => {
            app(json!({"device": true}));
            let device = org.device().await;
            org.poll(&device).await
        }
        ("salesforce.slow_down", _) => {
            app(json!({"device": true}));
            let device = org.device().await;
            let _first = org.poll(&device).await;
            org.poll(&device).await
        }
        ("salesforce.unknown_client", _) => {
            org.bare_token(&[
                ("grant_type", "client_credentials"),
                ("client_id", "x"),
                ("client_secret", SECRET),
            ])
            .await
        }
        ("salesforce.app_not_installed", _) => {
            app(json!({"installed": false}));
            org.client_credentials().await
        }
        ("salesforce.wrong_secret", _) => {
            org.bare_token(&[
                ("grant_type", "client_credentials"),
                ("client_id", KEY),
                ("client_secret", "x"),
            ])
            .await
        }
        ("salesforce.not_admin_approved", _) => {
            app(json!({"permitted": {"admin_approved": ["System Administrator"]}}));
            org.bearer(&claims()).await
        }
        ("salesforce.grant_not_enabled", 0) => org.token(&[("grant_type", "of_my_own")]).await,
        ("salesforce.grant_not_enabled", _) => {
            app(json!({"refresh_tokens": false}));
            org.refresh("5Aep").await
        }
        ("salesforce.scope_sent", _) => {
            org.token(&[
                ("grant_type", "refresh_token"),
                ("refresh_token", "x"),
                ("scope", "api"),
            ])
            .await
        }
        ("salesforce.invalid_request", _) => org.token(&[("grant_type", "refresh_token")]).await,
        ("salesforce.token_retry", _) => {
            faults(&org, "token_retry_every=2");
            assert_eq!(org.client_credentials().await.0, 200);
            org.client_credentials().await
        }
        ("salesforce.redirect_mismatch", _) => {
            let code = org.code(&[]);
            let elsewhere = format!("{CALLBACK}/elsewhere");
            org.token(&[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", &elsewhere),
            ])
            .await
        }
        ("salesforce.inactive_org", _) => {
            org.set("login", json!({"org_is_active": false}));
            org.client_credentials().await
        }
        ("salesforce.token_rate", _) => {
            faults(&org, "token_error=rate_limit");
            org.client_credentials().await
        }
        ("salesforce.token_server_error", _) => {
            faults(&org, "token_503=1");
            org.client_credentials().await
        }
        ("salesforce.app_blocked", _) => {
            app(json!({"blocked": true}));
            org.client_credentials().await
        }
        ("salesforce.login_rate", _) => {
            org.set("login", json!({"logins_per_hour": 1}));
            let _first = org.client_credentials().await;
            org.client_credentials().await
        }
        ("salesforce.access_denied", _) => {
            app(json!({"approved_by": []}));
            of_callback(&org.consent(&org.authorize_url(&[]), false))
        }
        ("salesforce.scope_not_allowed", _) => {
            of_callback(&org.landing(&org.authorize_url(&[("scope", "full")])).await)
        }
        _ => panic!("no way is known to {code}"),
    }
}

/// Ana's token, used once.
pub(crate) async fn called(org: &Org) -> (u16, String, String) {
    let tokens = org.tokens("api").await;
    answered(org.data(text(&tokens, "access_token")).await)
}

fn answered((status, body): (u16, Value)) -> (u16, String, String) {
    let first = &body[0];
    (
        status,
        text(first, "errorCode").to_owned(),
        text(first, "message").to_owned(),
    )
}

/// The first call of the API in the state of a row.
pub(crate) async fn api_answer(code: &str) -> (u16, String, String) {
    let org = Org::of(spec()).await;
    match code {
        "salesforce.session_expired" => answered(org.data("00D!nothing").await),
        "salesforce.session_not_for_api" => {
            let tokens = Org::with(|app| app.scopes = vec!["id".to_owned()]).await;
            let (_, machine) = tokens.client_credentials().await;
            answered(tokens.data(text(&machine, "access_token")).await)
        }
        "salesforce.session_agent" => {
            faults(&org, "session_refused=agent");
            called(&org).await
        }
        "salesforce.session_blacktab" => {
            faults(&org, "session_refused=blacktab");
            called(&org).await
        }
        "salesforce.user_without_api" => {
            org.control().set_rights(Rights {
                api_enabled: false,
                ..Rights::all()
            });
            called(&org).await
        }
        "salesforce.org_without_api" => {
            org.control().set_rights(Rights {
                api_in_edition: false,
                ..Rights::all()
            });
            called(&org).await
        }
        "salesforce.api_switched_off" => {
            org.set("login", json!({"api_is_switched_off": true}));
            called(&org).await
        }
        "salesforce.bad_token" => {
            let url = org.at("/services/oauth2/userinfo");
            let (status, body) = org.get_text(&url, "nothing").await;
            (status, body, String::new())
        }
        _ => panic!("no way is known to {code}"),
    }
}
