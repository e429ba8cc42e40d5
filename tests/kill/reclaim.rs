//! `kill -9` at every step of a reclaim: the process that works dies at the n-th effect point, the next one finishes.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use seatwise::kernel::faults::NoFaults;
use seatwise_tests::company::Company;
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::deed::{Deed, end_state, finish, ready};

/// Steps tried at the same time.
const AT_ONCE: usize = 4;
const SIGKILL: i32 = 9;

/// Works in a process of its own, which dies at effect point `n`; 0: at none.
async fn work(company: &Company, database: &Database, n: u32) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sweep"));
    command
        .arg(&database.url)
        .arg(database.folder())
        .arg(company.host.now_ms().to_string())
        .arg(n.to_string())
        .args(
            company
                .orgs
                .iter()
                .map(|org| org.address().port().to_string()),
        );
    tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("waiting for a process does not panic")
        .expect("the worker's program starts")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b2_b3_killed_at_every_step_of_a_reclaim_each_seat_is_written_once() {
    on_both(|database| async move {
        let database = Database::new(database.engine);
        let undisturbed = ready(&database, Arc::new(NoFaults), Deed::TakeBack).await;
        let lived = work(&undisturbed, &database, 0).await;
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
        let writes = expected
            .iter()
            .filter(|fact| fact.starts_with("write"))
            .count();
        assert_eq!(writes, 2, "{expected:#?}");

        let engine = database.engine;
        let each = |n| {
            let expected = &expected;
            async move {
                let database = Database::new(engine);
                let company = ready(&database, Arc::new(NoFaults), Deed::TakeBack).await;
                let killed = work(&company, &database, n).await;
                assert_eq!(
                    killed.status.signal(),
                    Some(SIGKILL),
                    "step {n} of {steps} was not met"
                );
                let company = company.restarted(Arc::new(NoFaults)).await;
                finish(&company).await;
                assert_eq!(end_state(&company).await, *expected, "step {n} of {steps}");
            }
        };
        stream::iter(1..=steps)
            .for_each_concurrent(AT_ONCE, each)
            .await;
    })
    .await;
}
