//! The playbook by its pages, against a practice org, on both databases.

use std::sync::Arc;

use axum::http::StatusCode;
use seatwise::identity::roles::Actor;
use seatwise::kernel::faults::NoFaults;
use seatwise::profiles::service as profiles;
use seatwise_practice_org_salesforce::worked_example;
use seatwise_tests::browser::{Browser, Page};
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::world::{T0_MS, World};

/// Number of the draft that the playbook made; the world's own profile is the first.
const NUMBER: &str = "PRF0001002";

async fn world(database: &Database) -> World {
    World::unpublished(
        database,
        worked_example::org1(T0_MS),
        Arc::new(NoFaults),
        "client-credentials",
    )
    .await
}

fn task(name: &str) -> String {
    format!("/profiles/{NUMBER}/playbook/{name}")
}

/// The form's hidden version, as the page shows it.
fn version(page: &Page) -> String {
    let at = page
        .text
        .find("name=\"version\" value=\"")
        .expect("the form has a version");
    page.text[at + 22..].split('"').next().unwrap().to_owned()
}

/// The token of the hand-over link that a page shows once.
fn link_token(page: &Page) -> String {
    // The page's escaping writes the equals sign as an entity.
    let text = page.text.replace("&#x3D;", "=");
    let at = text.find("/hand-over?token=").expect("the link is shown");
    let rest = text[at + 17..].split('<').next().expect("it ends");
    rest.trim().to_owned()
}

async fn credential(world: &World) -> [(String, String); 3] {
    let app = worked_example::org1(T0_MS).apps[0].clone();
    [
        ("login_url".to_owned(), world.org.base_url().to_owned()),
        ("client_id".to_owned(), app.client_id),
        ("client_secret".to_owned(), app.client_secret),
    ]
}

/// Begins a playbook and answers its first two tasks.
async fn signed_in(world: &World, ana: &Browser, environment: &str) -> Page {
    let begun = ana.post("/connect", &[("connector", "salesforce")]).await;
    assert_eq!(begun.location, format!("/profiles/{NUMBER}/playbook"));
    let named = ana
        .post(
            &task("profile"),
            &[
                ("version", "0"),
                ("name", "CRM Europe"),
                ("owner", world.ana.id.as_str()),
                ("environment", environment),
            ],
        )
        .await;
    assert_eq!(named.status, StatusCode::SEE_OTHER, "{}", named.text);
    let typed = credential(world).await;
    let mut fields: Vec<(&str, &str)> = typed
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.extend([("version", "0"), ("grant", "client-credentials")]);
    ana.post(&task("sign-in"), &fields).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_playbook_leads_from_the_gallery_to_the_first_sync_and_what_it_found() {
    on_both(|database| async move {
        let world = world(&database).await;
        let ana = Browser::of(&world.host, &world.ana).await;
        let gallery = ana.get("/connect").await;
        assert!(
            gallery
                .text
                .contains("name=\"connector\" value=\"salesforce\"")
        );
        let saved = signed_in(&world, &ana, "production").await;
        assert_eq!(saved.location, format!("{}?done=checking", task("checks")));
        // The draft stands in the list; leaving it loses nothing.
        let resumed = ana.get(&format!("/profiles/{NUMBER}/playbook")).await;
        assert_eq!(resumed.status, StatusCode::SEE_OTHER);
        let page = ana.checked(NUMBER).await;
        for said in [
            "The org is the one you mean",
            "Run again",
            "Enterprise Edition",
            "optional",
        ] {
            assert!(page.text.contains(said), "{said} in {}", page.text);
        }
        // The task of work at the vendor is proved by the checks, without a tick.
        let user = ana.get(&task("prepare-user")).await;
        assert!(user.text.contains("What the checks say"), "{}", user.text);
        // Prices are asked for the licences that the org has.
        let prices = ana.get(&task("prices")).await;
        assert!(prices.text.contains("(SFDC), one licence for a year"));
        let wrong = ana
            .post(
                &task("prices"),
                &[("version", "0"), ("currency", "USD"), ("price.0", "a lot")],
            )
            .await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(wrong.text.contains("<title>Error: Prices"));
        assert!(wrong.text.contains("value=\"a lot\"") && wrong.text.contains("aria-invalid"));
        assert!(wrong.text.contains("href=\"#price.0\""), "{}", wrong.text);
        let right = ana
            .post(
                &task("prices"),
                &[
                    ("version", "0"),
                    ("currency", "usd"),
                    ("price.0", "1800"),
                    ("back", "review"),
                ],
            )
            .await;
        assert_eq!(
            right.location,
            format!("{}?done=task-saved", task("review"))
        );
        let review = ana.get(&task("review")).await;
        for said in [
            "CRM Europe",
            "1800",
            "Stored",
            "?back=review",
            "daily requests",
        ] {
            assert!(review.text.contains(said), "{said} in {}", review.text);
        }
        let secret = &credential(&world).await[2].1;
        assert!(!review.text.contains(secret.as_str()));
        let published = ana.post(&task("review/publish"), &[]).await;
        assert_eq!(
            published.location,
            format!("{}?done=published", task("first-sync")),
            "{}",
            published.text
        );
        let live = ana.get(&task("first-sync")).await;
        assert!(live.text.contains("The first sync is running"));
        world.run_due_jobs().await;
        let found = ana.get(&task("first-sync")).await;
        for said in ["What we found", "Proposed rules", "Sales Cloud"] {
            assert!(found.text.contains(said), "{said} in {}", found.text);
        }
        assert!(
            found
                .text
                .contains("Connect another org with these answers")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_save_is_told_who_was_first_and_sees_both_versions() {
    on_both(|database| async move {
        let world = world(&database).await;
        let ana = Browser::of(&world.host, &world.ana).await;
        ana.post("/connect", &[("connector", "salesforce")]).await;
        let both = ana.get(&task("limits")).await;
        let seen = version(&both);
        let first = ana
            .post(
                &task("limits"),
                &[
                    ("version", &seen),
                    ("quota_percent", "50"),
                    ("threshold_days", ""),
                ],
            )
            .await;
        assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.text);
        let second = ana
            .post(
                &task("limits"),
                &[
                    ("version", &seen),
                    ("quota_percent", "60"),
                    ("threshold_days", ""),
                ],
            )
            .await;
        assert_eq!(second.status, StatusCode::CONFLICT);
        assert!(
            second
                .text
                .contains("changed by you in another tab or window at 09:00 UTC"),
            "{}",
            second.text
        );
        assert!(
            second.text.contains("value=\"60\"")
                && second.text.contains("Saved meanwhile: <strong>50")
        );
        // Saving again, having seen both, keeps the later one.
        let again = version(&second);
        let kept = ana
            .post(
                &task("limits"),
                &[
                    ("version", &again),
                    ("quota_percent", "60"),
                    ("threshold_days", ""),
                ],
            )
            .await;
        assert_eq!(kept.status, StatusCode::SEE_OTHER);
        let profile = profiles::get(&world.host, &world.ana, NUMBER)
            .await
            .unwrap();
        assert_eq!(profile.quota_percent, 60);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_org_and_another_kind_of_org_are_told_before_publishing() {
    on_both(|database| async move {
        let mut world = world(&database).await;
        world.publish().await.unwrap();
        let ana = Browser::of(&world.host, &world.ana).await;
        signed_in(&world, &ana, "sandbox").await;
        let page = ana.checked(NUMBER).await;
        assert!(
            page.text
                .contains("is connected already, by PRF0001001 Org"),
            "{}",
            page.text
        );
        profiles::change_state(
            &world.host,
            &world.ana,
            "PRF0001001",
            seatwise::profiles::model::ProfileEvent::Archive,
        )
        .await
        .unwrap();
        let retried = ana
            .post(&task("checks/retry"), &[("check", "right-org")])
            .await;
        assert_eq!(retried.status, StatusCode::SEE_OTHER, "{}", retried.text);
        let page = ana.get(&task("checks")).await;
        assert!(
            page.text.contains("You chose sandbox. Choose production"),
            "{}",
            page.text
        );
        let refused = ana.post(&task("review/publish"), &[]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            refused.text.contains("you chose sandbox")
                || refused.text.contains("You chose sandbox")
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_org_takes_the_answers_over_and_never_address_or_secret() {
    on_both(|database| async move {
        let mut world = world(&database).await;
        world.publish().await.unwrap();
        let ana = Browser::of(&world.host, &world.ana).await;
        let old = "/profiles/PRF0001001/playbook/";
        for (name, fields) in [
            (
                "limits",
                vec![
                    ("quota_percent", "40"),
                    ("threshold_days", "90"),
                    ("tries", "3"),
                ],
            ),
            (
                "schedule",
                vec![
                    ("every", "daily"),
                    ("at", "04:30"),
                    ("zone", "Europe/Berlin"),
                    ("freeze_days", "2026-12-24"),
                ],
            ),
            (
                "settings",
                vec![
                    ("company_names", "acme.com"),
                    ("include_inactive", "false"),
                    ("api_version", "v62.0"),
                    ("leave_out_user_types", ""),
                    ("leave_out_licences", "CSN_User"),
                ],
            ),
        ] {
            let mut fields = fields;
            fields.push(("version", "0"));
            let saved = ana.post(&format!("{old}{name}"), &fields).await;
            assert_eq!(
                saved.status,
                StatusCode::SEE_OTHER,
                "{name}: {}",
                saved.text
            );
        }
        let begun = ana
            .post(
                "/connect",
                &[("connector", "salesforce"), ("from", "PRF0001001")],
            )
            .await;
        assert_eq!(
            begun.location,
            format!("/profiles/{NUMBER}/playbook/profile")
        );
        let child = profiles::get(&world.host, &world.ana, NUMBER)
            .await
            .unwrap();
        assert_eq!(child.parent_alias.as_deref(), Some("Org"));
        assert_eq!(
            (
                child.quota_percent,
                child.schedule.as_str(),
                child.zone.as_str()
            ),
            (40, "30 4 * * *", "Europe/Berlin")
        );
        assert_eq!(child.settings["leave_out_licences"], "CSN_User");
        assert_eq!(child.settings["api_version"], "v62.0");
        assert_eq!(child.login_url, "");
        assert!(child.credential.is_none());
        let limits = ana.get(&task("limits")).await;
        assert!(
            limits.text.contains("40. Taken over from Org."),
            "{}",
            limits.text
        );
        assert!(limits.text.contains("3. Taken over from Org."));
        // A child follows its parent until it sets a value itself.
        let seen = version(&ana.get(&format!("{old}limits")).await);
        ana.post(
            &format!("{old}limits"),
            &[
                ("version", &seen),
                ("quota_percent", "30"),
                ("threshold_days", ""),
            ],
        )
        .await;
        assert_eq!(
            profiles::get(&world.host, &world.ana, NUMBER)
                .await
                .unwrap()
                .quota_percent,
            30
        );
        let seen = version(&ana.get(&task("limits")).await);
        let own = ana
            .post(
                &task("limits"),
                &[
                    ("version", &seen),
                    ("quota_percent", "80"),
                    ("threshold_days", ""),
                ],
            )
            .await;
        assert_eq!(own.status, StatusCode::SEE_OTHER, "{}", own.text);
        let seen = version(&ana.get(&format!("{old}limits")).await);
        ana.post(
            &format!("{old}limits"),
            &[
                ("version", &seen),
                ("quota_percent", "20"),
                ("threshold_days", ""),
            ],
        )
        .await;
        assert_eq!(
            profiles::get(&world.host, &world.ana, NUMBER)
                .await
                .unwrap()
                .quota_percent,
            80
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_over_link_shows_one_task_takes_one_answer_and_gives_nothing_back() {
    on_both(|database| async move {
        let world = world(&database).await;
        let ana = Browser::of(&world.host, &world.ana).await;
        ana.post("/connect", &[("connector", "salesforce")]).await;
        let made = ana
            .post(&task("sign-in/hand-over"), &[("recipient", "Kim <admin>")])
            .await;
        assert_eq!(made.status, StatusCode::OK);
        assert!(made.text.contains("Kim &lt;admin&gt;") && !made.text.contains("Kim <admin>"));
        let token = link_token(&made);
        let waiting = ana.get(&task("sign-in")).await;
        assert!(waiting.text.contains("Waiting for Kim") && !waiting.text.contains(&token));
        let kim = Browser::stranger(&world.host);
        let shown = kim.get(&format!("/hand-over?token={token}")).await;
        assert_eq!(shown.status, StatusCode::OK);
        assert!(shown.text.contains("Consumer secret") && !shown.text.contains("PRF000"));
        let typed = credential(&world).await;
        let mut fields: Vec<(&str, &str)> = typed
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        fields.extend([("token", token.as_str()), ("grant", "client-credentials")]);
        // What cannot be is refused, and the link is still good.
        let wrong = kim
            .post(
                "/hand-over",
                &[
                    ("token", &token),
                    ("login_url", "ftp://x"),
                    ("client_id", "a"),
                    ("client_secret", "hush-hush"),
                ],
            )
            .await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(!wrong.text.contains("hush-hush"));
        let taken = kim.post("/hand-over", &fields).await;
        assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
        assert!(taken.text.contains("Thank you") && !taken.text.contains(&typed[2].1));
        for again in [
            kim.post("/hand-over", &fields).await,
            kim.get(&format!("/hand-over?token={token}")).await,
        ] {
            assert_eq!(again.status, StatusCode::FORBIDDEN);
        }
        // The answer is there for Ana, and the checks run by themselves.
        let page = ana.checked(NUMBER).await;
        assert!(page.text.contains("Enterprise Edition"), "{}", page.text);
        let trail = seatwise::audit::list(&world.host.store, &Actor::system(), None, 50)
            .await
            .unwrap();
        assert!(trail.iter().any(|entry| entry.event == "profile.task_saved"
            && entry.actor_via == "hand-over to Kim <admin>"));
        // A link ends by itself.
        let made = ana
            .post(&task("prepare-app/hand-over"), &[("recipient", "Kim")])
            .await;
        let token = link_token(&made);
        world.advance(31 * 60_000);
        assert_eq!(
            kim.get(&format!("/hand-over?token={token}")).await.status,
            StatusCode::FORBIDDEN
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_obeys_the_rule_and_is_nobody_elses() {
    on_both(|database| async move {
        let world = world(&database).await;
        let ana = Browser::of(&world.host, &world.ana).await;
        ana.post("/connect", &[("connector", "salesforce")]).await;
        let named = async |name: &str| {
            let fields = [
                ("version", "0"),
                ("name", name),
                ("owner", world.ana.id.as_str()),
                ("environment", "production"),
            ];
            ana.post(&task("profile"), &fields).await
        };
        for (name, status, said) in [
            ("Org", 409, "already"),
            ("_org", 422, "letters, digits"),
            ("<b>org</b>", 422, "&lt;b&gt;org&lt;/b&gt;"),
            (&"a".repeat(50_000), 422, "at most 80 characters"),
        ] {
            let page = named(name).await;
            assert_eq!(page.status.as_u16(), status, "{said}");
            assert!(page.text.contains(said) && page.text.contains("id=\"name-wrong\""));
            assert!(!page.text.contains("<b>org"));
        }
        assert_eq!(named("Org 2").await.status, StatusCode::SEE_OTHER);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_a_profile_says_first_what_goes_and_what_stays() {
    on_both(|database| async move {
        let mut world = world(&database).await;
        world.publish().await.unwrap();
        let ana = Browser::of(&world.host, &world.ana).await;
        signed_in(&world, &ana, "production").await;
        ana.checked(NUMBER).await;
        let told = ana.get(&format!("/profiles/{NUMBER}/end")).await;
        for said in ["The sealed secret", "with its answers", "The audit trail"] {
            assert!(told.text.contains(said), "{said} in {}", told.text);
        }
        let secrets = world.count("select count(*) from credentials").await;
        let gone = ana.post(&format!("/profiles/{NUMBER}/delete"), &[]).await;
        assert_eq!(gone.location, "/connect?done=deleted", "{}", gone.text);
        assert_eq!(
            world.count("select count(*) from credentials").await,
            secrets - 1
        );
        for rest in [
            world.count("select count(*) from aliases").await,
            world.count("select count(*) from profiles").await,
        ] {
            assert_eq!(rest, 1);
        }
        assert_eq!(
            ana.get(&task("profile")).await.status,
            StatusCode::NOT_FOUND
        );
        // A published one is archived: its history stays, its secret goes.
        let refused = ana.post("/profiles/PRF0001001/delete", &[]).await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert!(
            refused
                .text
                .contains("Runs, subscriptions and their history")
        );
        ana.post("/profiles/PRF0001001/archive", &[]).await;
        assert_eq!(world.count("select count(*) from credentials").await, 0);
        assert_eq!(world.count("select count(*) from profiles").await, 1);
    })
    .await;
}
