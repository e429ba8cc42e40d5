//! A download whose process ends in the middle.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use seatwise::kernel::chance::{Chance as _, SeededChance};
use seatwise::kernel::faults::NoFaults;
use seatwise::store::Store;
use seatwise_practice_org_salesforce::{
    App, Control, Crowd, Faults, Listen, OrgSpec, PracticeOrg, Running,
};
use seatwise_tests::database::{Engine, expire_leases};
use seatwise_tests::world::{T0_MS, facts};
use serde_json::Value;
use sqlx::Row as _;

use crate::program::{Installation, Served};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
/// Four pages.
const CROWD: u64 = 7_000;
/// Kills that must meet a run at work, and how many may be tried for them.
const KILLS: usize = 10;
const TRIES: usize = 40;
/// A run on a loaded machine.
const RUN_LIMIT: Duration = Duration::from_secs(180);
/// The promise: a stop takes ten seconds at most.
const STOP_LIMIT: Duration = Duration::from_secs(10);

async fn org() -> (Running, App) {
    let mut spec = OrgSpec::new("00D5g0000000001EAA", "Org", "org.my.salesforce.com");
    spec.crowd = Some(Crowd {
        as_of_ms: Some(T0_MS),
        ..Crowd::new(CROWD, 7)
    });
    let app = spec.apps[0].clone();
    let org = PracticeOrg::start(spec, Listen::loopback())
        .await
        .expect("the practice org listens on loopback");
    (org, app)
}

/// Requests that reached the vendor.
fn requests(control: &Control) -> u64 {
    let (_, counts) = control.call("GET", "requests", &Value::Null);
    let counts = counts.as_object().expect("counts by kind");
    counts.values().filter_map(Value::as_u64).sum()
}

/// When each request of an undisturbed run came, from the start of the process, and when it was complete.
struct Timeline {
    requests: Vec<Duration>,
    whole: Duration,
}

async fn run_of(served: &Served) -> Value {
    let runs = served.get("runs").await;
    let items = runs["items"].as_array().expect("a list of runs").clone();
    assert_eq!(items.len(), 1, "one run was asked for: {runs}");
    items.into_iter().next().expect("there is one")
}

async fn wait_for_the_end(served: &Served) {
    let until = Instant::now() + RUN_LIMIT;
    loop {
        let run = run_of(served).await;
        match run["state"].as_str() {
            Some("complete") => return,
            Some("queued" | "running") => {}
            _ => panic!("the run ended otherwise: {run}"),
        }
        assert!(Instant::now() < until, "the run does not end: {run}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The undisturbed run: what it leaves, and its timeline.
async fn undisturbed(template: &Installation, org: &Running) -> (Vec<String>, Timeline) {
    let control = org.control();
    let installation = template.copy();
    let before = requests(&control);
    let served = installation.serve(org);
    let began = Instant::now();
    let mut timeline = Timeline {
        requests: Vec::new(),
        whole: Duration::ZERO,
    };
    let watched = async {
        loop {
            let seen = usize::try_from(requests(&control) - before).expect("few requests");
            timeline.requests.resize(seen, began.elapsed());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        () = wait_for_the_end(&served) => {}
        () = watched => {}
    }
    timeline.whole = began.elapsed();
    served.kill();
    let store = open(&installation).await;
    let left = facts(&store).await;
    assert!(left.len() as u64 > CROWD);
    (left, timeline)
}

async fn open(installation: &Installation) -> Store {
    Store::open(&installation.url(), Arc::new(NoFaults))
        .await
        .expect("the database opens after a kill")
}

async fn number(store: &Store, statement: &'static str) -> i64 {
    let mut tx = store.read_everything().await.expect("a read begins");
    let row = sqlx::query(statement).fetch_one(tx.conn()).await;
    row.expect("the statement counts").get(0)
}

/// Nothing of the dead process is waited for: its leases run out at once.
async fn let_leases_run_out(installation: &Installation) -> bool {
    let store = open(installation).await;
    expire_leases(&store).await;
    let at_work = number(
        &store,
        "select count(*) from runs where state in ('queued', 'running')",
    )
    .await;
    store.close().await;
    at_work == 1
}

/// The next process finishes the run, and nobody can tell.
async fn assert_finished(installation: &Installation, org: &Running, expected: &[String]) {
    let served = installation.serve(org);
    wait_for_the_end(&served).await;
    let trail = served.get("audit/verification").await;
    assert_eq!(trail["is_intact"], true, "{trail}");
    served.kill();
    let store = open(installation).await;
    assert!(facts(&store).await == expected, "the end state differs");
    for statement in [
        "select count(*) from staged_accounts",
        "select count(*) from staged_subscriptions",
        "select count(*) from run_chains",
        "select count(*) from accounts where valid_to is not null",
        "select count(*) from runs where state <> 'complete'",
    ] {
        assert_eq!(number(&store, statement).await, 0, "{statement}");
    }
    store.close().await;
    assert!(org.control().writes().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c1_killed_at_ten_random_points_of_a_sync_it_ends_like_an_undisturbed_one() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = match std::env::var("SEATWISE_TEST_SEED") {
        Ok(seed) => seed.parse().expect("SEATWISE_TEST_SEED is a number"),
        Err(_) => u64::from(clock.expect("a clock after 1970").subsec_nanos()),
    };
    eprintln!("SEATWISE_TEST_SEED={seed}");
    let chance = SeededChance::new(seed);
    let (org, app) = org().await;
    let control = org.control();
    for engine in ENGINES {
        let template = Installation::with_due_run(engine, &org, app.clone()).await;
        let (expected, timeline) = undisturbed(&template, &org).await;
        let mut met = 0;
        for attempt in 0..TRIES {
            if met == KILLS {
                break;
            }
            let whole = u64::try_from(timeline.whole.as_micros()).expect("a short run");
            let at = Duration::from_micros(chance.below(whole));
            // The same place in the run, not the same moment: so many requests, and so long after the last of them.
            let passed = timeline.requests.iter().filter(|came| **came <= at).count();
            let rest = match passed.checked_sub(1) {
                Some(last) => at.saturating_sub(timeline.requests[last]),
                None => at,
            };
            let installation = template.copy();
            let before = requests(&control);
            let served = installation.serve(&org);
            let until = Instant::now() + RUN_LIMIT;
            while requests(&control) - before < passed as u64 {
                assert!(Instant::now() < until, "{passed} requests never came");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(rest).await;
            served.kill();
            let was_at_work = let_leases_run_out(&installation).await;
            eprintln!(
                "{engine}, try {attempt}: killed after {passed} of {} requests and {rest:?}, {}",
                timeline.requests.len(),
                if was_at_work { "at work" } else { "too late" }
            );
            met += usize::from(was_at_work);
            assert_finished(&installation, &org, &expected).await;
        }
        assert_eq!(met, KILLS, "kills that met a run at work on {engine}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c11_told_to_stop_during_a_sync_it_stops_within_ten_seconds_and_resumes() {
    let (org, app) = org().await;
    let control = org.control();
    for engine in ENGINES {
        let template = Installation::with_due_run(engine, &org, app.clone()).await;
        let (expected, timeline) = undisturbed(&template, &org).await;
        let installation = template.copy();
        // So slow that the run is certainly at work when the signal comes.
        control.set_faults(Faults::parse("slow_every=1,slow_ms=500").expect("known faults"));
        let before = requests(&control);
        let served = installation.serve(&org);
        let until = Instant::now() + RUN_LIMIT;
        while (requests(&control) - before) as usize + 2 < timeline.requests.len() {
            assert!(Instant::now() < until, "the run does not begin");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (status, took) = served.stop(STOP_LIMIT).expect("it stops in time");
        assert!(status.success(), "{engine}: {status}");
        control.set_faults(Faults::default());
        assert!(let_leases_run_out(&installation).await, "{engine}: at work");
        eprintln!("{engine}: stopped in {took:?}");
        assert_finished(&installation, &org, &expected).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c10_a_second_host_on_one_embedded_database_is_refused_and_told_who_holds_it() {
    let (org, app) = org().await;
    let installation = Installation::with_due_run(Engine::Sqlite, &org, app).await;
    let first = installation.serve(&org);
    let second = installation
        .command(&org)
        .output()
        .expect("seatwise starts");
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(
        told.contains(&format!(
            "held by process {} at http://127.0.0.1:",
            first.id()
        )),
        "{told}"
    );
    first.kill();
    // A killed holder holds nothing.
    installation.serve(&org).kill();
}
