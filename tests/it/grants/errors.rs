//! Every error of OAuth, made on purpose: its own words, its own remedy, at its own field, and nothing stored.

use seatwise::credentials::model::SigninState;
use seatwise::profiles::service as profiles;
use seatwise_practice_org_salesforce::{Faults, PermittedUsers, RefreshPolicy};
use seatwise_tests::database::{Engine, on_both};

use super::*;

/// What the vendor is made to say, our code for it, and the field it is shown at.
const TABLE: &[(&str, &str, Option<&str>)] = &[
    (
        "authentication_failure",
        "salesforce.authentication_failure",
        None,
    ),
    (
        "invalid_password",
        "salesforce.authentication_failure",
        None,
    ),
    (
        "dead_token",
        "salesforce.refresh_token_dead",
        Some("refresh_token"),
    ),
    ("invalid_code", "salesforce.authorization_code", None),
    ("expired_code", "salesforce.authorization_code", None),
    ("missing_verifier", "salesforce.verifier_missing", None),
    ("bad_assertion", "salesforce.assertion", Some("client_id")),
    ("inactive_user", "salesforce.inactive_user", None),
    ("ip_restricted", "salesforce.ip_restricted", None),
    ("ip_or_hours", "salesforce.ip_restricted", None),
    ("password_expired", "salesforce.password_expired", None),
    ("challenge_required", "salesforce.challenge_required", None),
    ("wrong_domain", "salesforce.wrong_domain", Some("login_url")),
    ("no_run_as", "salesforce.no_run_as_user", Some("client_id")),
    ("not_approved", "salesforce.not_approved", None),
    ("audience", "salesforce.audience", Some("login_url")),
    (
        "unknown_client",
        "salesforce.unknown_client",
        Some("client_id"),
    ),
    (
        "wrong_secret",
        "salesforce.wrong_secret",
        Some("client_secret"),
    ),
    (
        "not_installed",
        "salesforce.app_not_installed",
        Some("client_id"),
    ),
    ("not_admin_approved", "salesforce.not_admin_approved", None),
    ("unknown_grant", "salesforce.grant_not_enabled", None),
    ("grant_off", "salesforce.grant_not_enabled", None),
    ("missing_parameter", "salesforce.invalid_request", None),
    ("bad_verifier", "salesforce.code_verifier", None),
    ("challenge_missing", "salesforce.code_verifier", None),
    ("scope_not_supported", "salesforce.scope_sent", None),
    (
        "refresh_scope",
        "salesforce.refresh_scope",
        Some("client_id"),
    ),
    ("device_denied", "salesforce.device_denied", None),
    ("device_unknown", "salesforce.device_code", None),
    (
        "redirect_mismatch",
        "salesforce.redirect_mismatch",
        Some("callback_url"),
    ),
    ("inactive_org", "salesforce.inactive_org", None),
    ("retry", "salesforce.token_retry", None),
    ("server_error", "salesforce.token_server_error", None),
    ("rate_limit", "salesforce.token_rate", None),
    ("login_rate", "salesforce.login_rate", None),
    ("app_blocked", "salesforce.app_blocked", None),
    ("pending", "salesforce.authorization_pending", None),
    ("slow_down", "salesforce.slow_down", None),
    ("access_denied", "salesforce.access_denied", None),
    ("invalid_scope", "salesforce.scope_not_allowed", None),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_oauth_error_made_on_purpose_has_its_own_words_and_remedy_at_its_field() {
    let database = Database::new(Engine::Sqlite);
    let world = draft(&database, spec()).await;
    for (fault, code, field) in TABLE {
        let faults = Faults::parse(&format!("token_error={fault}")).unwrap();
        world.org.control().set_faults(faults);
        let problem = refused(&world, credential("client-credentials")).await;
        assert_eq!(problem.code, *code, "{fault}");
        assert_eq!(problem.fix.field.as_deref(), *field, "{fault}");
        assert!(problem.fix.text.len() > 20, "{fault}: {}", problem.fix.text);
        assert!(!problem.detail["vendor_code"].is_null(), "{fault}");
    }
    world.org.control().set_faults(Faults::parse("").unwrap());
    let stored = connection(&world).await.credential.unwrap();
    assert_eq!((stored.generation, stored.health.as_str()), (0, "untested"));
    connect(&world, credential("client-credentials"))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_credentials_on_a_shared_login_host_are_refused_before_anything_is_sent_or_stored() {
    let database = Database::new(Engine::Sqlite);
    let world = draft(&database, spec()).await;
    for (login_url, code) in [
        ("https://login.salesforce.com", "salesforce.login_host"),
        ("https://test.salesforce.com", "salesforce.login_host"),
        ("https://acme.lightning.force.com", "vendor.invalid_input"),
    ] {
        let app = spec().apps.remove(0);
        let new = profiles::NewProfile {
            connector: "salesforce".to_owned(),
            name: "Shared".to_owned(),
            parent: None,
            login_url: login_url.to_owned(),
            grant: "client-credentials".to_owned(),
            client_id: app.client_id,
            client_secret: app.client_secret.into(),
            refresh_token: None,
            settings: Vec::new(),
        };
        let refused = profiles::create(&world.host, &world.ana, new).await;
        let problem = refused.expect_err(login_url).problem();
        assert_eq!(problem.code, code, "{login_url}");
        assert_eq!(problem.fix.field.as_deref(), Some("login_url"));
    }
    assert_eq!(world.count("select count(*) from profiles").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_tokens_that_expire_immediately_show_themselves_while_the_person_is_still_there() {
    on_both(|database| async move {
        let mut spec = spec();
        spec.apps[0].refresh_policy = RefreshPolicy::Immediately;
        let world = draft(&database, spec).await;
        let ended = sign_in(&world, credential("authorization-code")).await;
        assert_eq!(ended.state, SigninState::Refused);
        let problem = ended.problem.unwrap();
        assert_eq!(problem.code, "salesforce.refresh_policy");
        assert!(problem.fix.text.contains("valid until revoked"));
        let stored = connection(&world).await.credential.unwrap();
        assert_eq!(stored.health, "needs_sign_in");
        app(&world, &json!({"refresh_policy": "until_revoked"}));
        let ended = sign_in(&world, credential("authorization-code")).await;
        assert_eq!(ended.state, SigninState::Done, "{:?}", ended.problem);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_without_a_needed_scope_is_refused_at_once() {
    on_both(|database| async move {
        let mut spec = spec();
        spec.apps[0].scopes = vec!["id".to_owned(), "refresh_token".to_owned()];
        let world = draft(&database, spec).await;
        let problem = refused(&world, credential("client-credentials")).await;
        assert_eq!(problem.code, "credential.scopes_missing");
        assert!(problem.message.contains("api"), "{}", problem.message);
        // At the consent page the vendor itself says no.
        let ended = sign_in(&world, credential("authorization-code")).await;
        assert_eq!(ended.problem.unwrap().code, "salesforce.scope_not_allowed");
        app(&world, &json!({"scopes": ["api", "refresh_token"]}));
        connect(&world, credential("client-credentials"))
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deny_a_new_app_and_a_user_who_is_not_approved_are_told_apart() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let begun = begin(&world, credential("authorization-code")).await;
        app(&world, &json!({"approved_by": []}));
        let ended = come_back(&world, &consent(&world.org, page(&begun), false)).await;
        assert_eq!(ended.problem.unwrap().code, "salesforce.access_denied");

        // Salesforce needs up to ten minutes before it knows a new app.
        let later = world.host.now_ms() + 600_000;
        app(&world, &json!({"known_from_ms": later}));
        let problem = refused(&world, credential("client-credentials")).await;
        assert_eq!(problem.code, "salesforce.unknown_client");
        assert!(problem.fix.text.contains("wait ten minutes"));
        world.advance(600_000);
        connect(&world, credential("client-credentials"))
            .await
            .unwrap();

        let nobody = PermittedUsers::AdminApproved(Vec::new());
        app(&world, &json!({ "permitted": nobody }));
        let problem = refused(&world, credential("jwt-bearer")).await;
        assert_eq!(problem.code, "salesforce.not_admin_approved");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_or_client_that_the_app_does_not_know_is_told_before_the_person_leaves() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let unknown = NewCredential {
            client_id: "3MVGunknown".to_owned(),
            ..credential("authorization-code")
        };
        let problem = refused(&world, unknown).await;
        assert_eq!(problem.code, "salesforce.unknown_client");
        assert_eq!(problem.fix.field.as_deref(), Some("client_id"));

        app(
            &world,
            &json!({"redirect_uris": ["https://elsewhere.example.com/callback"]}),
        );
        let problem = refused(&world, credential("authorization-code")).await;
        assert_eq!(problem.code, "salesforce.redirect_mismatch");
        assert_eq!(problem.fix.field.as_deref(), Some("callback_url"));
        assert_eq!(world.count("select count(*) from signins").await, 0);
        app(&world, &json!({"redirect_uris": [CALLBACK]}));
        let ended = sign_in(&world, credential("authorization-code")).await;
        assert_eq!(ended.state, SigninState::Done, "{:?}", ended.problem);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_made_for_production_and_an_address_that_is_not_let_in_are_told_at_their_field() {
    let database = Database::new(Engine::Sqlite);
    let mut sandbox = spec();
    sandbox.sandbox = true;
    let world = draft(&database, sandbox).await;
    let problem = refused(&world, credential("jwt-bearer")).await;
    assert_eq!(problem.code, "salesforce.audience");
    assert_eq!(problem.fix.field.as_deref(), Some("login_url"));
    assert!(problem.fix.text.contains("sandbox"));
    app(&world, &json!({"ip_restricted": true}));
    let problem = refused(&world, credential("client-credentials")).await;
    assert_eq!(problem.code, "salesforce.ip_restricted");
    assert!(problem.fix.text.contains("this server's public address"));
}
