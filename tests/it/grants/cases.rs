//! Cases E1 to E4 of the reliability list: what comes back from a vendor's page is nobody's word but the state's.

use seatwise::credentials::model::SigninState;
use seatwise::identity::roles::{Role, Via};
use seatwise_practice_org_salesforce::{Listen, PracticeOrg};
use seatwise_tests::database::on_both;
use seatwise_tests::world::person;

use super::*;

async fn nothing_stored(world: &World, generation: i64) {
    let stored = connection(world).await.credential.unwrap();
    assert_eq!(stored.grant, "client-credentials");
    assert_eq!(stored.generation, generation);
    assert_eq!(stored.connected_as, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e1_a_callback_with_a_wrong_missing_reused_or_foreign_state_is_refused_without_a_token_call()
 {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let ben = person(&world.host, "Bea", Role::SamIntegrator).await;
        let mine = begin(&world, credential("authorization-code")).await;
        let mine = consent(&world.org, page(&mine), true);
        let theirs = begin_as(&world, &ben, credential("authorization-code")).await;
        let theirs = consent(&world.org, page(&theirs), true);
        let asked = token_calls(&world);
        let with_state = |state: Option<&str>| Callback {
            state: state.map(str::to_owned),
            ..mine.clone()
        };
        let long = "x".repeat(50_000);
        for callback in [
            with_state(None),
            with_state(Some("")),
            with_state(Some("wrong")),
            with_state(Some(&long)),
            theirs.clone(),
        ] {
            let problem = problem_of(&world, &callback).await;
            assert_eq!(
                (problem.status, problem.code.as_str()),
                (400, "signin.unusable")
            );
        }
        // The same person in another session.
        let elsewhere = Actor {
            via: Via::Session {
                session: "sess_other".to_owned(),
            },
            ..world.ana.clone()
        };
        let error = signin::returned(&world.host, &elsewhere, &mine)
            .await
            .unwrap_err();
        assert_eq!(error.problem().status, 400);
        assert_eq!(token_calls(&world), asked, "no token call");
        nothing_stored(&world, 0).await;

        let ended = come_back(&world, &mine).await;
        assert_eq!(ended.state, SigninState::Done, "{:?}", ended.problem);
        let asked = token_calls(&world);
        assert_eq!(problem_of(&world, &mine).await.status, 400, "reused");
        assert_eq!(token_calls(&world), asked);

        // Too late is unusable, too.
        let late = begin(&world, credential("authorization-code")).await;
        let late = consent(&world.org, page(&late), true);
        world.advance(10 * 60_000);
        assert_eq!(problem_of(&world, &late).await.status, 400);
        assert_eq!(token_calls(&world), asked);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e2_an_attackers_code_in_a_victims_session_connects_nothing() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let mallory = person(&world.host, "Mallory", Role::SamIntegrator).await;
        let victims = begin(&world, credential("authorization-code")).await;
        let attackers = begin_as(&world, &mallory, credential("authorization-code")).await;
        let attackers = consent(&world.org, page(&attackers), true);
        let asked = token_calls(&world);
        assert_eq!(problem_of(&world, &attackers).await.status, 400);
        assert_eq!(token_calls(&world), asked);

        // With the victim's own state, the code does not fit the victim's verifier.
        let victims = consent(&world.org, page(&victims), true);
        let mixed = Callback {
            code: attackers.code,
            ..victims
        };
        let ended = come_back(&world, &mixed).await;
        assert_eq!(ended.state, SigninState::Refused);
        assert_eq!(ended.problem.unwrap().code, "salesforce.code_verifier");
        nothing_stored(&world, 0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e3_a_code_of_another_my_domain_goes_to_the_host_that_was_asked_and_is_refused() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let other = PracticeOrg::start(spec(), Listen::loopback())
            .await
            .unwrap();
        let mine = begin(&world, credential("authorization-code")).await;
        let elsewhere = page(&mine).replace(world.org.base_url(), other.base_url());
        let foreign = consent(&other, &elsewhere, true);
        let (here, there) = (token_calls(&world), other.control().requests("POST token"));
        let ended = come_back(&world, &foreign).await;
        assert_eq!(ended.problem.unwrap().code, "salesforce.authorization_code");
        assert_eq!(token_calls(&world) - here, 1, "asked where it began");
        assert_eq!(other.control().requests("POST token"), there);

        let named = begin(&world, credential("authorization-code")).await;
        let named = Callback {
            iss: Some(other.base_url().to_owned()),
            ..consent(&world.org, page(&named), true)
        };
        let asked = token_calls(&world);
        assert_eq!(problem_of(&world, &named).await.code, "signin.issuer");
        assert_eq!(token_calls(&world), asked);
        nothing_stored(&world, 0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e4_a_replayed_code_a_missing_verifier_and_an_altered_callback_are_refused_and_nothing_is_stored()
 {
    on_both(|database| async move {
        let mut spec = spec();
        spec.apps[0]
            .redirect_uris
            .push(format!("{CALLBACK}?else=where"));
        let world = draft(&database, spec).await;

        // A code that was exchanged before, brought back under a fresh state.
        let first = begin(&world, credential("authorization-code")).await;
        let second = begin(&world, credential("authorization-code")).await;
        let spent = consent(&world.org, page(&first), true);
        let app = spec_app();
        let exchanged = [
            ("grant_type", "authorization_code"),
            ("client_id", &app.client_id),
            ("client_secret", &app.client_secret),
            ("redirect_uri", CALLBACK),
            ("code", spent.code.as_deref().unwrap()),
        ];
        // Somebody else in this process may have chosen the same provider first; either choice is ring.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let token = format!("{}/services/oauth2/token", world.org.base_url());
        let _refused = reqwest::Client::new()
            .post(token)
            .form(&exchanged)
            .send()
            .await
            .unwrap();
        let replayed = Callback {
            code: spent.code.clone(),
            ..consent(&world.org, page(&second), true)
        };
        let ended = come_back(&world, &replayed).await;
        assert_eq!(ended.problem.unwrap().code, "salesforce.authorization_code");

        // The address was given a challenge that this host knows no verifier of.
        let without = NewCredential {
            without_pkce: true,
            ..credential("authorization-code")
        };
        let begun = begin(&world, without).await;
        let challenged = format!(
            "{}&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256",
            page(&begun)
        );
        let ended = come_back(&world, &consent(&world.org, &challenged, true)).await;
        assert_eq!(ended.problem.unwrap().code, "salesforce.verifier_missing");

        // Another callback of the same app was put into the address.
        let begun = begin(&world, credential("authorization-code")).await;
        let altered = page(&begun).replace(
            "connect%2Fcallback",
            "connect%2Fcallback%3Felse%3Dwhere",
        );
        assert_ne!(altered, page(&begun));
        let ended = come_back(&world, &consent(&world.org, &altered, true)).await;
        let problem = ended.problem.unwrap();
        assert_eq!(problem.code, "salesforce.redirect_mismatch");
        assert_eq!(problem.fix.field.as_deref(), Some("callback_url"));
        nothing_stored(&world, 0).await;
    })
    .await;
}

fn spec_app() -> seatwise_practice_org_salesforce::App {
    spec().apps.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_leaves_no_secret_behind_and_no_state_in_the_database() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let begun = begin(&world, credential("authorization-code")).await;
        let back = consent(&world.org, page(&begun), true);
        let state = back.state.clone().unwrap();
        let kept = "select count(*) from signins where offer_sealed is not null";
        assert_eq!(world.count(kept).await, 1);
        assert_eq!(
            world
                .count("select count(*) from signins where length(state_hash) = 64")
                .await,
            1
        );
        let ended = come_back(&world, &back).await;
        assert_eq!(ended.state, SigninState::Done, "{:?}", ended.problem);
        assert_eq!(world.count(kept).await, 0);
        let told = serde_json::to_string(&ended).unwrap();
        assert!(!told.contains(&state) && !told.contains(&back.code.unwrap()));
    })
    .await;
}
