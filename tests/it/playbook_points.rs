//! Points of the playbook's specification that no other test holds: what is saved is there elsewhere, every answer is in the trail, the
//! review leads back to itself, a first sync that fails keeps what it has.

use std::sync::Arc;

use axum::http::StatusCode;
use seatwise::identity::roles::Actor;
use seatwise::kernel::faults::NoFaults;
use seatwise::sync::service as runs;
use seatwise_practice_org_salesforce::worked_example;
use seatwise_tests::browser::Browser;
use seatwise_tests::database::on_both;
use seatwise_tests::world::{T0_MS, World};
use serde_json::{Value, json};

fn task(name: &str) -> String {
    format!("/profiles/PRF0001001/playbook/{name}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_saved_is_there_elsewhere_and_in_the_trail_and_a_first_sync_that_fails_goes_on() {
    on_both(|database| async move {
        let spec = worked_example::org1(T0_MS);
        let world = World::unpublished(
            &database,
            spec.clone(),
            Arc::new(NoFaults),
            "client-credentials",
        )
        .await;
        let ana = Browser::of(&world.host, &world.ana).await;
        let limits = [
            ("version", "0"),
            ("quota_percent", "55"),
            ("threshold_days", ""),
            ("tries", "1"),
            ("back", "review"),
        ];
        let saved = ana.post(&task("limits"), &limits).await;
        // Change leads from the review to one answer and back to it.
        assert_eq!(
            saved.location,
            format!("{}?done=task-saved", task("review"))
        );
        let review = ana.get(&saved.location).await.text;
        assert!(
            review.contains(&format!("href=\"{}?back=review\"", task("limits"))),
            "{review}"
        );
        assert!(review.contains("How long the first sync takes"), "{review}");

        // Another browser of the same person finds the same value, and the same task waiting.
        let waits = ana.get("/profiles/PRF0001001/playbook").await.location;
        drop(ana);
        let elsewhere = Browser::of(&world.host, &world.ana).await;
        assert_eq!(
            elsewhere
                .get("/profiles/PRF0001001/playbook")
                .await
                .location,
            waits
        );
        for _ in 0..2 {
            let shown = elsewhere.get(&task("limits")).await;
            assert_eq!(shown.status, StatusCode::OK);
            assert!(shown.text.contains("value=\"55\""), "{}", shown.text);
        }

        // Who, when, from which page, old and new; of a secret only that it was set.
        let app = spec.apps[0].clone();
        let typed = [
            ("version", "0"),
            ("grant", "client-credentials"),
            ("login_url", world.org.base_url()),
            ("client_id", &app.client_id),
            ("client_secret", &app.client_secret),
        ];
        let saved = elsewhere.post(&task("sign-in"), &typed).await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text);
        let trail = seatwise::audit::list(&world.host.store, &Actor::system(), None, 50)
            .await
            .unwrap();
        let entry = |name: &str| {
            let found = trail
                .iter()
                .find(|entry| entry.event == "profile.task_saved" && entry.detail["task"] == name);
            let entry = found.expect("it is in the trail");
            assert_eq!(entry.actor_id, world.ana.id.as_str());
            assert_eq!(entry.detail["page"], task(name));
            (entry.detail["from"].clone(), entry.detail["to"].clone())
        };
        let (from, to) = entry("limits");
        assert_eq!(
            (&from["quota_percent"], &to["quota_percent"]),
            (&Value::Null, &json!(55))
        );
        let (_, to) = entry("sign-in");
        assert_eq!(to["secret"], "set");
        let whole = serde_json::to_string(&trail).unwrap();
        assert!(!whole.contains(&app.client_secret));

        // The first sync stops, says so, keeps what it has, and goes on from there.
        let mut world = world;
        world.publish().await.unwrap();
        let path = format!("apps/{}", app.client_id);
        let (status, said) = world
            .org
            .control()
            .call("POST", &path, &json!({"blocked": true}));
        assert_eq!(status, 200, "{said}");
        world.run_due_jobs().await;
        let stopped = elsewhere.get(&task("first-sync")).await.text;
        for said in [
            "The first sync has stopped",
            "What was read is kept",
            "goes on from there",
        ] {
            assert!(stopped.contains(said), "{said} in {stopped}");
        }
        let (status, said) = world
            .org
            .control()
            .call("POST", &path, &json!({"blocked": false}));
        assert_eq!(status, 200, "{said}");
        let run = world.runs().await.pop().expect("the first run is there");
        runs::resume_run(&world.host, &world.ana, &run.number)
            .await
            .unwrap();
        world.run_due_jobs().await;
        let found = elsewhere.get(&task("first-sync")).await.text;
        assert!(found.contains("What we found"), "{found}");
    })
    .await;
}
