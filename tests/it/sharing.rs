//! One alias of more than one profile: its secret is held once and re-used, one org stays one org, and the last one takes it along.

use std::sync::Arc;

use axum::http::StatusCode;
use seatwise::credentials::NewCredential;
use seatwise::kernel::IntoProblem as _;
use seatwise::kernel::faults::NoFaults;
use seatwise::profiles::service as profiles;
use seatwise::profiles::signin;
use seatwise::sync::RunState;
use seatwise_practice_org_salesforce::worked_example;
use seatwise_tests::browser::{Browser, Page};
use seatwise_tests::database::on_both;
use seatwise_tests::world::{T0_MS, World};

/// The first profile, published; and the one that takes over from it.
const FIRST: &str = "PRF0001001";
const SECOND: &str = "PRF0001002";

async fn collects(world: &World, number: &str) -> RunState {
    let run = profiles::collect_now(&world.host, &world.ana, number)
        .await
        .unwrap();
    world.run_due_jobs().await;
    world.run(&run).await.state
}

/// The page of the second one's checks, run anew.
async fn checked_anew(ana: &Browser) -> Page {
    let run = format!("/profiles/{SECOND}/playbook/checks/run");
    ana.post(&run, &[]).await;
    ana.checked(SECOND).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_re_uses_the_secret_of_the_alias_and_the_last_profile_takes_it_along() {
    on_both(|database| async move {
        let spec = worked_example::org1(T0_MS);
        let mut world = World::unpublished(
            &database,
            spec.clone(),
            Arc::new(NoFaults),
            "client-credentials",
        )
        .await;
        world.publish().await.unwrap();
        assert_eq!(world.collect().await.state, RunState::Complete);
        let ana = Browser::of(&world.host, &world.ana).await;
        let secrets = "select count(*) from credentials where client_secret_sealed is not null";

        // The draft beside it has the connection at once, and no secret was typed or copied.
        let begun = ana
            .post("/connect", &[("connector", "salesforce"), ("with", FIRST)])
            .await;
        assert_eq!(
            begun.location,
            format!("/profiles/{SECOND}/playbook/profile"),
            "{}",
            begun.text
        );
        let named = [
            ("version", "0"),
            ("name", "Org anew"),
            ("owner", world.ana.id.as_str()),
            ("environment", "production"),
        ];
        let path = format!("/profiles/{SECOND}/playbook/profile");
        assert_eq!(ana.post(&path, &named).await.status, StatusCode::SEE_OTHER);
        let second = profiles::get(&world.host, &world.ana, SECOND)
            .await
            .unwrap();
        assert_eq!(
            (second.name.as_str(), second.alias.as_str()),
            ("Org anew", "Org")
        );
        assert_eq!(second.login_url.trim_end_matches('/'), world.org.base_url());
        assert!(second.credential.is_some());
        assert_eq!(world.count(secrets).await, 1);
        assert_eq!(world.count("select count(*) from aliases").await, 1);
        let aliases = ana.get("/aliases").await;
        assert!(
            aliases.text.contains("Used by")
                && aliases.text.contains(&format!("{SECOND}</a> (Draft)")),
            "{}",
            aliases.text
        );
        assert!(
            aliases.text.contains("every day at 03:00, UTC"),
            "{}",
            aliases.text
        );

        // While the first is live, the connection is changed on its page alone.
        let task = format!("/profiles/{SECOND}/playbook/sign-in");
        let shown = ana.get(&task).await;
        assert!(
            !shown.text.contains("name=\"client_secret\""),
            "{}",
            shown.text
        );
        assert!(
            shown
                .text
                .contains(&format!("/profiles/{FIRST}/connection"))
        );
        let app = spec.apps[0].clone();
        let typed = [
            ("version", "0"),
            ("grant", "client-credentials"),
            ("login_url", "https://other.my.salesforce.com"),
            ("client_id", &app.client_id),
            ("client_secret", "another secret"),
        ];
        let refused = ana.post(&task, &typed).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert!(refused.text.contains("playbook.shared"), "{}", refused.text);

        // One org is published once.
        let page = checked_anew(&ana).await;
        assert!(
            page.text
                .contains("is connected already, by PRF0001001 Org"),
            "{}",
            page.text
        );
        let error = profiles::publish(&world.host, &world.ana, SECOND)
            .await
            .unwrap_err();
        assert_eq!(error.problem().code, "profile.same_org");
        // A credential of another org is refused for the draft too: the alias is for the org of its first profile.
        let mut other = spec.clone();
        other.org_id = "00D000000000099AAA".to_owned();
        let world = world.moved_to(other).await;
        let new = NewCredential {
            grant_kind: "client-credentials".to_owned(),
            client_id: app.client_id.clone(),
            client_secret: app.client_secret.clone().into(),
            ..NewCredential::default()
        };
        let error = signin::connect(&world.host, &world.ana, SECOND, new)
            .await
            .unwrap_err();
        assert_eq!(error.problem().code, "profile.other_org");
        let world = world.moved_to(spec).await;

        // Ending the first says that the secret stays, and it does; the second is published with it.
        let told = ana.get(&format!("/profiles/{FIRST}/end")).await;
        assert!(
            told.text
                .contains("its secret, which PRF0001002 uses as well"),
            "{}",
            told.text
        );
        assert!(!told.text.contains("The sealed secret and every token"));
        ana.post(&format!("/profiles/{FIRST}/archive"), &[]).await;
        assert_eq!(world.count(secrets).await, 1);
        assert!(
            ana.get(&task).await.text.contains("ends in"),
            "its own to change now"
        );
        profiles::publish(&world.host, &world.ana, SECOND)
            .await
            .unwrap();
        assert_eq!(collects(&world, SECOND).await, RunState::Complete);
        assert_eq!(world.count("select count(*) from organizations").await, 1);

        // A draft that goes leaves what the live one uses; the last one takes the secret along, and its alias keeps the history.
        let third = ana
            .post("/connect", &[("connector", "salesforce"), ("with", SECOND)])
            .await;
        assert_eq!(third.location, "/profiles/PRF0001003/playbook/profile");
        let gone = ana.post("/profiles/PRF0001003/delete", &[]).await;
        assert_eq!(gone.location, "/connect?done=deleted", "{}", gone.text);
        assert_eq!(world.count(secrets).await, 1);
        assert_eq!(collects(&world, SECOND).await, RunState::Complete);
        let told = ana.get(&format!("/profiles/{SECOND}/end")).await;
        assert!(
            told.text.contains("The sealed secret and every token"),
            "{}",
            told.text
        );
        ana.post(&format!("/profiles/{SECOND}/archive"), &[]).await;
        assert_eq!(world.count(secrets).await, 0);
        assert_eq!(world.count("select count(*) from aliases").await, 1);
    })
    .await;
}
