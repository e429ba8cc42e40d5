//! Activity read deeper than the last login: a run of its own after the download, counted once whatever happens.

use seatwise::entitlements::accounts::get_account;
use seatwise::identity::roles::Actor;
use seatwise::kernel::IntoProblem as _;
use seatwise::kernel::clock::DAY_MS;
use seatwise::sync::source::Class;
use seatwise::sync::{RunKind, RunProcess, RunState, RunView, service};
use seatwise_runtime::contract::activity::{Kind, Outcome};
use seatwise_runtime::contract::subscriptions::LastActivity;
use seatwise_tests::database::{Database, on_both};

use crate::scripted::{Desk, ana, at, crowd, events, page, person, trouble};

const ROWS: &str = "select count(*) from activity_days where source = 'login_history'";
const EVENTS: &str = "select cast(coalesce(sum(event_count), 0) as bigint) from activity_days where source = 'login_history'";

/// Three people; the first one's logins in two chains and three pages, with a failure and a stranger.
async fn desk(database: &Database) -> Desk {
    let desk = Desk::new(database, "2026-04-01").await;
    desk.source.set(|s| {
        s.chains = vec![crowd(3, 3)];
        s.expected = Some(3);
        s.history = vec![
            vec![
                vec![
                    events(
                        "u000000",
                        "2026-03-20",
                        Kind::Interactive,
                        Outcome::Success,
                        2,
                    ),
                    events(
                        "u000000",
                        "2026-03-20",
                        Kind::Interactive,
                        Outcome::Success,
                        1,
                    ),
                    events("u000001", "2026-03-28", Kind::Api, Outcome::Failed, 4),
                ],
                vec![events(
                    "u000000",
                    "2026-03-20",
                    Kind::Interactive,
                    Outcome::Success,
                    5,
                )],
            ],
            vec![vec![
                events("u000002", "2026-03-30", Kind::Api, Outcome::Success, 7),
                events("stranger", "2026-03-30", Kind::Api, Outcome::Success, 9),
            ]],
        ];
    });
    desk
}

async fn runs(desk: &Desk) -> Vec<RunView> {
    service::list_runs(&desk.host, &ana(), None, None, 50)
        .await
        .unwrap()
}

/// The newest run that read activity.
async fn history(desk: &Desk) -> RunView {
    runs(desk)
        .await
        .into_iter()
        .find(|run| run.process == RunProcess::Activity)
        .expect("a run that reads activity")
}

async fn last(desk: &Desk, account: &str) -> i64 {
    desk.count(&format!(
        "select activity_at from accounts where vendor_id = '{account}' and valid_to is null"
    ))
    .await
}

#[tokio::test]
async fn logins_follow_the_download_in_a_run_of_their_own_folded_by_person_and_day() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        let download = desk.collect().await;
        assert_eq!(download.state, RunState::Complete);
        assert_eq!(download.process, RunProcess::Subscriptions);
        let run = history(&desk).await;
        assert_eq!((run.state, run.kind), (RunState::Complete, RunKind::Full));
        assert_eq!((run.activity, run.accounts, run.pages), (6, 0, 3));
        assert_eq!(run.history_from, Some(at("2025-10-01")));
        assert!(run.created_at >= download.ended_at.unwrap());
        assert_eq!(desk.count(ROWS).await, 3, "the stranger's row is not kept");
        assert_eq!(desk.count(EVENTS).await, 8 + 4 + 7);
        assert_eq!(run.changes["activity"]["out_of_scope"], 1);
        assert_eq!(last(&desk, "u000000").await, at("2026-03-20"));
        assert_eq!(last(&desk, "u000002").await, at("2026-03-30"));
        assert_eq!(
            last(&desk, "u000001").await,
            at("2026-03-01"),
            "a failed login is no use"
        );
        assert_eq!(desk.count("select count(*) from staged_activity").await, 0);
        assert_eq!(
            desk.count("select history_from from organizations").await,
            at("2025-10-01")
        );
    })
    .await;
}

#[tokio::test]
async fn a_day_read_again_replaces_what_was_counted_of_it() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.collect().await;
        desk.source.asked();
        desk.clock.advance(DAY_MS);
        desk.source.set(|s| {
            s.history = vec![vec![vec![events(
                "u000002",
                "2026-03-30",
                Kind::Api,
                Outcome::Success,
                8,
            )]]];
        });
        desk.collect().await;
        let since = (at("2026-04-01").div_euclid(DAY_MS) - 1) * DAY_MS;
        assert!(
            desk.source
                .asked()
                .contains(&format!("activity since {since}")),
            "only what is new, and the day before"
        );
        let run = history(&desk).await;
        assert_eq!(
            (run.state, run.kind),
            (RunState::Complete, RunKind::Incremental)
        );
        assert_eq!(desk.count(EVENTS).await, 8 + 4 + 8);
        assert_eq!(
            desk.count("select history_from from organizations").await,
            at("2025-10-01"),
            "without a gap it still reaches back"
        );
        // Settings that were edited ask for everything again.
        desk.execute("update profiles set settings = '{\"object_edits\":true}'")
            .await;
        desk.clock.advance(DAY_MS);
        desk.collect().await;
        assert!(desk.source.asked().contains(&"activity since 0".to_owned()));
        assert_eq!(desk.count(EVENTS).await, 8 + 4 + 8);
    })
    .await;
}

#[tokio::test]
async fn a_history_that_stops_goes_on_at_its_page_and_counts_each_page_once() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source.set(|s| {
            s.failing = vec![("activity 0:1".to_owned(), trouble(Class::Final), true)];
        });
        let download = desk.collect().await;
        assert_eq!(download.state, RunState::Complete, "the download stands");
        let run = history(&desk).await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(run.problem.unwrap().code, "vendor.scripted");
        assert_eq!(
            last(&desk, "u000000").await,
            at("2026-03-01"),
            "nobody moves before the end"
        );
        service::resume_run(&desk.host, &ana(), &run.number)
            .await
            .unwrap();
        desk.source.asked();
        desk.work().await;
        let run = history(&desk).await;
        assert_eq!(run.state, RunState::Complete);
        let asked = desk.source.asked();
        assert!(
            asked.contains(&"activity 0:1".to_owned())
                && !asked.contains(&"activity 0:0".to_owned()),
            "{asked:?}"
        );
        assert_eq!(desk.count(EVENTS).await, 8 + 4 + 7);
        assert_eq!(last(&desk, "u000000").await, at("2026-03-20"));
    })
    .await;
}

#[tokio::test]
async fn a_history_waits_for_the_budget_and_a_download_goes_on_meanwhile() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source.set(|s| s.history_used = Some(80));
        let download = desk.collect().await;
        assert_eq!(download.state, RunState::Complete);
        let waiting = history(&desk).await;
        assert_eq!(waiting.state, RunState::PausedQuota);
        assert_eq!(waiting.pages, 1, "what was read is kept");
        // A download does not wait for a history, and makes no second one beside it.
        desk.source.set(|s| s.history_used = None);
        let second = desk.collect().await;
        assert_ne!(second.id, waiting.id);
        assert_eq!(second.state, RunState::Complete);
        assert_eq!(runs(&desk).await.len(), 3);
        desk.clock.advance(3_600_000);
        desk.work().await;
        let done = desk.view(&waiting.id).await;
        assert_eq!((done.state, done.pages), (RunState::Complete, 3));
        assert_eq!(desk.count(EVENTS).await, 8 + 4 + 7);
    })
    .await;
}

#[tokio::test]
async fn rights_that_are_missing_cost_the_history_and_nothing_else() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source
            .set(|s| s.history_trouble = Some(trouble(Class::Absent)));
        let run = desk.collect().await;
        assert_eq!(run.state, RunState::Complete);
        assert!(
            run.notes
                .iter()
                .any(|note| note.contains("deeper than their last login")),
            "{:?}",
            run.notes
        );
        assert_eq!(runs(&desk).await.len(), 1);
        // Whoever has none of it sees no empty run either.
        desk.clock.advance(DAY_MS);
        desk.source.set(|s| {
            s.history_trouble = None;
            s.history = vec![];
        });
        let run = desk.collect().await;
        assert!(
            !run.notes
                .iter()
                .any(|note| note.contains("deeper than their last login"))
        );
        assert_eq!(runs(&desk).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn who_cannot_be_known_by_the_last_login_is_known_by_the_history() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        let blind = || {
            vec![vec![page(
                (0..3)
                    .map(|n| person(&format!("u{n:06}"), LastActivity::Unknown))
                    .collect(),
                "SFDC",
            )]]
        };
        desk.source.set(|s| s.chains = blind());
        let known =
            "select count(*) from accounts where valid_to is null and activity_state = 'at'";
        for _ in 0..2 {
            desk.collect().await;
            assert_eq!(
                desk.count(known).await,
                2,
                "who only failed to log in stays unknown"
            );
            desk.clock.advance(DAY_MS);
            desk.source.set(|s| {
                s.history = vec![vec![vec![events(
                    "u000001",
                    "2026-04-01",
                    Kind::Api,
                    Outcome::Failed,
                    1,
                )]]];
            });
        }
    })
    .await;
}

#[tokio::test]
async fn a_stopped_history_leaves_the_download_alone_and_a_wrong_day_is_refused() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.source
            .set(|s| s.history[1][0][0].day = "2026-02-30".to_owned());
        desk.collect().await;
        let run = history(&desk).await;
        assert_eq!(run.state, RunState::Failed);
        assert_eq!(run.problem.unwrap().code, "sync.no_day");
        // The next download begins a new one, which overtakes it.
        desk.source
            .set(|s| s.history[1][0][0].day = "2026-03-30".to_owned());
        desk.clock.advance(DAY_MS);
        desk.collect().await;
        assert_eq!(history(&desk).await.state, RunState::Complete);
        assert_eq!(desk.count(EVENTS).await, 8 + 4 + 7);
        assert!(
            service::resume_run(&desk.host, &Actor::system(), &run.number)
                .await
                .is_err()
        );
        desk.clock.advance(DAY_MS);
        desk.source.set(|s| {
            s.failing = vec![(
                "activity 0:0".to_owned(),
                trouble(Class::Passing(Some(60_000))),
                true,
            )];
        });
        desk.collect().await;
        let waiting = history(&desk).await;
        assert_eq!(waiting.state, RunState::Running);
        let stopped = service::cancel_run(&desk.host, &ana(), &waiting.number)
            .await
            .unwrap();
        assert_eq!(stopped.state, RunState::Cancelled);
        assert_eq!(
            desk.count("select count(*) from accounts where valid_to is null")
                .await,
            3
        );
    })
    .await;
}

#[tokio::test]
async fn an_account_shows_what_it_holds_and_its_use_by_month_with_failures_apart() {
    on_both(|database| async move {
        let desk = desk(&database).await;
        desk.collect().await;
        let account = |id: &'static str| {
            let host = desk.host.clone();
            async move { get_account(&host, &ana(), &"org_1".into(), id).await }
        };
        let first = account("u000000").await.unwrap();
        assert_eq!(first.principal, "u000000@acme.com");
        assert_eq!(first.subscriptions.len(), 1, "only its own");
        assert_eq!(first.subscriptions[0].account_id, "u000000");
        assert_eq!(first.history_from, Some(at("2025-10-01")));
        assert_eq!(first.activity_at, Some(at("2026-03-20")));
        let march = &first.months[0];
        assert_eq!(
            (march.month.as_str(), march.interactive, march.days),
            ("2026-03", 8, 1)
        );
        assert_eq!(
            (first.last_seen[0].count, first.last_seen[0].last_at),
            (8, at("2026-03-20"))
        );
        let failed = account("u000001").await.unwrap();
        assert_eq!((failed.months[0].failed, failed.months[0].days), (4, 0));
        let missing = account("stranger").await.unwrap_err();
        assert_eq!(missing.problem().code, "account.not_found");
    })
    .await;
}
