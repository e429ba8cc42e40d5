//! `kill -9` at every step of a reclaim and of an undo: the process that works dies at the n-th effect point, the next one finishes.
//! And SIGTERM in the middle of a reclaim.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use seatwise::kernel::faults::NoFaults;
use seatwise_practice_org_salesforce::Faults;
use seatwise_tests::company::Company;
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::deed::{Deed, at_every_step, end_state, finish, ready};

const SIGKILL: i32 = 9;
/// Told to stop, it ends within this.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// No wait lasts longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A worker in a process of its own.
fn worker(company: &Company, how: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sweep"));
    command
        .arg(&company.database.url)
        .arg(company.database.folder())
        .arg(company.host.now_ms().to_string())
        .arg(how)
        .args(
            company
                .orgs
                .iter()
                .map(|org| org.address().port().to_string()),
        );
    command
}

/// Works until nothing is due, or dies at effect point `n`; 0: at none.
async fn work(company: &Company, n: u32) -> Output {
    let mut command = worker(company, &n.to_string());
    tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("waiting for a process does not panic")
        .expect("the worker's program starts")
}

/// Kills the worker at every step of a deed; `writes` requests must have reached the vendors in the end.
async fn killed_at_every_step(database: Database, deed: Deed, writes: usize) {
    let before = ready(database.engine, deed).await;
    let undisturbed = before.again(Arc::new(NoFaults)).await;
    let lived = work(&undisturbed, 0).await;
    assert!(
        lived.status.success(),
        "{}",
        String::from_utf8_lossy(&lived.stderr)
    );
    let steps: u32 = String::from_utf8_lossy(&lived.stdout)
        .trim()
        .parse()
        .expect("it prints a number");
    assert!(steps > 15, "{steps} effect points");
    finish(&undisturbed).await;
    let expected = end_state(&undisturbed).await;
    let wrote = |fact: &&String| fact.starts_with("write");
    assert_eq!(
        expected.iter().filter(wrote).count(),
        writes,
        "{expected:#?}"
    );

    at_every_step(before, (database.engine, deed), steps, async |before, n| {
        let company = before.again(Arc::new(NoFaults)).await;
        let killed = work(&company, n).await;
        assert_eq!(
            killed.status.signal(),
            Some(SIGKILL),
            "step {n} of {steps} was not met"
        );
        let company = company.restarted(Arc::new(NoFaults)).await;
        finish(&company).await;
        assert_eq!(end_state(&company).await, expected, "step {n} of {steps}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b2_b3_killed_at_every_step_of_a_reclaim_each_seat_is_written_once() {
    on_both(|database| killed_at_every_step(database, Deed::TakeBack, 2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_step_of_an_undo_the_seat_is_given_back_once() {
    // Two were taken back before, one of them is given back.
    on_both(|database| killed_at_every_step(database, Deed::GiveBack, 3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c11_told_to_stop_during_a_reclaim_it_finishes_one_person_and_the_next_start_goes_on() {
    on_both(|database| async move {
        let before = ready(database.engine, Deed::TakeBack).await;
        let undisturbed = before.again(Arc::new(NoFaults)).await;
        finish(&undisturbed).await;
        let expected = end_state(&undisturbed).await;

        let company = before.again(Arc::new(NoFaults)).await;
        for org in &company.orgs {
            // So slow that a request is certainly under way when the signal comes.
            org.control()
                .set_faults(Faults::parse("slow_every=1,slow_ms=300").expect("known faults"));
        }
        let mut child = worker(&company, "serve")
            .spawn()
            .expect("the worker's program starts");
        let until = Instant::now() + PATIENCE;
        let intended = "select count(*) from actions where state = 'intended'";
        while company.count(intended).await == 0 {
            assert!(Instant::now() < until, "nothing was begun");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let told = Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status()
            .expect("kill is there");
        assert!(told.success());
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("it is our child") {
                break status;
            }
            assert!(asked.elapsed() < STOP_LIMIT, "it does not stop");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(status.success(), "{status}");
        // A safe point: no request without its answer, and no work that a dead process holds.
        assert_eq!(company.count(intended).await, 0);
        let held = "select count(*) from jobs where state = 'running'";
        assert_eq!(company.count(held).await, 0);
        assert!(company.writes() > 0, "the request under way was finished");
        for org in &company.orgs {
            org.control().set_faults(Faults::default());
        }
        let company = company.restarted(Arc::new(NoFaults)).await;
        finish(&company).await;
        assert_eq!(end_state(&company).await, expected);
    })
    .await;
}
