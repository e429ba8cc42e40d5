//! Each grant connects: with its own fields, its own dialect, and a token whose owner is known before it is stored.

use seatwise::credentials::model::SigninState;
use seatwise::profiles::service as profiles;
use seatwise::sync::RunState;
use seatwise_practice_org_salesforce::Pkce;
use seatwise_tests::database::on_both;

use super::*;

/// Publishes, and downloads once.
async fn works(world: &World) {
    profiles::publish(&world.host, &world.ana, &world.profile)
        .await
        .unwrap();
    assert_eq!(world.collect().await.state, RunState::Complete);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_with_a_proof_key_connects_and_the_page_names_who_consented() {
    on_both(|database| async move {
        let mut spec = spec();
        spec.apps[0].pkce = Pkce::Required;
        let world = draft(&database, spec).await;
        let begun = begin(&world, credential("authorization-code")).await;
        let asked = Url::parse(page(&begun)).unwrap();
        let pair = |wanted: &str| {
            let found = asked.query_pairs().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.into_owned())
        };
        assert_eq!(asked.path(), "/services/oauth2/authorize");
        assert_eq!(pair("redirect_uri").as_deref(), Some(CALLBACK));
        assert_eq!(pair("response_type").as_deref(), Some("code"));
        assert_eq!(pair("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(pair("prompt").as_deref(), Some("login"));
        assert_eq!(pair("scope").as_deref(), Some("api refresh_token"));

        let ended = come_back(&world, &consent(&world.org, page(&begun), true)).await;
        assert_eq!(ended.state, SigninState::Done, "{:?}", ended.problem);
        assert_eq!(ended.goes_to, None);
        let shown = connection(&world).await;
        let credential = shown.credential.expect("it is stored");
        assert_eq!(credential.grant, "authorization-code");
        assert_eq!(credential.connected_as, Some(run_as()));
        assert_eq!(credential.connected_by.as_deref(), Some("Ana"));
        assert_eq!(credential.granted_scopes, ["api", "refresh_token"]);
        assert_eq!(credential.health, "good");
        assert!(shown.missing_scopes.is_empty());
        works(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_forbids_a_proof_key_is_connected_without_one() {
    on_both(|database| async move {
        let mut spec = spec();
        spec.apps[0].pkce = Pkce::Forbidden;
        let world = draft(&database, spec).await;
        let ended = sign_in(&world, credential("authorization-code")).await;
        assert_eq!(ended.state, SigninState::Refused);
        assert_eq!(ended.problem.unwrap().code, "salesforce.code_verifier");
        let without = NewCredential {
            without_pkce: true,
            ..credential("authorization-code")
        };
        let ended = sign_in(&world, without).await;
        assert_eq!(ended.state, SigninState::Done, "{:?}", ended.problem);
        assert!(!connection(&world).await.credential.unwrap().uses_pkce);
        works(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_assertion_connects_and_only_the_fingerprint_of_its_key_is_shown() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let outcome = connect(&world, credential("jwt-bearer")).await.unwrap();
        assert!(matches!(outcome, Connected::Connected));
        let shown = connection(&world).await;
        let stored = shown.credential.clone().unwrap();
        assert_eq!(stored.username, Some(run_as()));
        assert_eq!(stored.connected_as, Some(run_as()));
        assert_eq!(stored.key_fingerprint.as_ref().map(String::len), Some(16));
        let told = serde_json::to_string(&shown).unwrap();
        assert!(!told.contains("PRIVATE KEY"));
        // The key is kept while client and grant stay the same.
        let without_key = NewCredential {
            private_key: None,
            ..credential("jwt-bearer")
        };
        assert!(connect(&world, without_key).await.is_ok());
        works(&world).await;

        let other = NewCredential {
            private_key: Some(
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"
                    .to_owned()
                    .into(),
            ),
            ..credential("jwt-bearer")
        };
        let problem = refused(&world, other).await;
        assert_eq!(problem.fix.field.as_deref(), Some("private_key"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pasted_refresh_token_connects_and_its_rotated_successor_is_stored() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let (_, made) = world
            .org
            .control()
            .call("POST", "tokens/refresh", &Value::Null);
        let pasted = NewCredential {
            refresh_token: made["refresh_token"].as_str().map(|t| t.to_owned().into()),
            ..credential("refresh-token")
        };
        connect(&world, pasted).await.unwrap();
        let (_, _) = world
            .org
            .control()
            .call("POST", "tokens/expire", &Value::Null);
        works(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_code_in_the_vendors_dialect_connects_once_a_person_has_confirmed_it() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let begun = begin(&world, credential("device-code")).await;
        let user_code = begun.user_code.clone().expect("a code to type");
        assert_eq!(user_code.len(), 8);
        assert!(page(&begun).ends_with("/setup/connect"));
        world.run_due_jobs().await;
        let waiting = signin::find(&world.host, &world.ana, begun.id.as_str())
            .await
            .unwrap();
        assert_eq!(waiting.state, SigninState::Waiting);
        let typed = json!({"user_code": user_code, "username": run_as(), "allow": true});
        let (status, said) = world.org.control().call("POST", "device", &typed);
        assert_eq!(status, 200, "{said}");
        world.advance(10_000);
        world.run_due_jobs().await;
        let ended = signin::find(&world.host, &world.ana, begun.id.as_str())
            .await
            .unwrap();
        assert_eq!(ended.state, SigninState::Done, "{:?}", ended.problem);
        let stored = connection(&world).await.credential.unwrap();
        assert_eq!(stored.connected_as, Some(run_as()));
        assert_eq!(stored.connected_by.as_deref(), Some("Ana"));
        works(&world).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_code_that_is_denied_or_forgotten_ends_with_its_reason() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let before = connection(&world).await.credential.unwrap();
        let denied = begin(&world, credential("device-code")).await;
        let typed = json!({"user_code": denied.user_code, "username": run_as(), "allow": false});
        let _said = world.org.control().call("POST", "device", &typed);
        let forgotten = begin(&world, credential("device-code")).await;
        for _ in 0..70 {
            world.advance(10_000);
            world.run_due_jobs().await;
        }
        for (begun, code) in [
            (denied, "salesforce.device_denied"),
            (forgotten, "signin.timed_out"),
        ] {
            let ended = signin::find(&world.host, &world.ana, begun.id.as_str())
                .await
                .unwrap();
            assert_eq!(ended.state, SigninState::Refused);
            assert_eq!(ended.problem.unwrap().code, code);
        }
        let after = connection(&world).await.credential.unwrap();
        assert_eq!(after.generation, before.generation, "nothing was stored");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_of_another_org_is_refused_by_every_grant_and_the_stored_one_stays() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        works(&world).await;
        let before = connection(&world).await.credential.unwrap();
        let mut other = spec();
        other.org_id = "00D000000000099AAA".to_owned();
        let world = world.moved_to(other).await;
        for grant in ["client-credentials", "jwt-bearer"] {
            let problem = refused(&world, credential(grant)).await;
            assert_eq!(problem.code, "profile.other_org", "{grant}");
        }
        let ended = sign_in(&world, credential("authorization-code")).await;
        assert_eq!(ended.problem.unwrap().code, "profile.other_org");
        let after = connection(&world).await.credential.unwrap();
        assert_eq!(after.generation, before.generation, "nothing was stored");
        assert_eq!(after.grant, before.grant);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_token_asks_for_a_person_and_reconnecting_cures_it() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let ended = sign_in(&world, credential("authorization-code")).await;
        assert_eq!(ended.state, SigninState::Done, "{:?}", ended.problem);
        works(&world).await;
        let _revoked = world
            .org
            .control()
            .call("POST", "tokens/revoke", &Value::Null);
        assert_eq!(world.collect().await.state, RunState::Failed);
        let shown = connection(&world).await;
        assert!(
            shown
                .profile
                .attention
                .iter()
                .any(|word| word == "needs_sign_in"),
            "{:?}",
            shown.profile.attention
        );
        let problem = shown
            .credential
            .unwrap()
            .problem
            .expect("it says what to do");
        assert_eq!(problem.code, "salesforce.refresh_token_dead");
        assert!(problem.fix.text.contains("Connect again"));

        // The secret is kept: the client is the same, and the field is left empty.
        let again = NewCredential {
            client_secret: String::new().into(),
            ..credential("authorization-code")
        };
        let ended = sign_in(&world, again).await;
        assert_eq!(ended.state, SigninState::Done, "{:?}", ended.problem);
        let shown = connection(&world).await;
        assert!(shown.profile.attention.is_empty());
        assert!(shown.credential.unwrap().problem.is_none());
        assert_eq!(world.collect().await.state, RunState::Complete);
    })
    .await;
}
