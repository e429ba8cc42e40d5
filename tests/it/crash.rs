//! The fail-at-step-n loop over a download: a fault at every effect point, a restart, and the end state of an undisturbed run.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use seatwise::kernel::faults::NoFaults;
use seatwise::sync::{RunState, service};
use seatwise_practice_org_salesforce::worked_example;
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::faults::{FaultAt, Mode};
use seatwise_tests::world::{T0_MS, World};

/// Steps tried at the same time, each on a database of its own.
const AT_ONCE: usize = 6;

async fn world(database: &Database, faults: Arc<FaultAt>) -> World {
    World::new(database, worked_example::org1(T0_MS), faults).await
}

/// Ends whatever became of the run, as a person would: a failed one is continued at its page.
async fn finish(world: &World) {
    world.run_due_jobs().await;
    for _ in 0..10 {
        if let Some(run) = world.runs().await.first()
            && run.state == RunState::Failed
        {
            service::resume_run(&world.host, &world.ana, run.id.as_str())
                .await
                .unwrap();
        }
        world.run_due_jobs().await;
        // What waits for a moment to pass gets its moment.
        world.advance(60_000);
    }
    let runs = world.runs().await;
    assert_eq!(runs.len(), 1, "one run was asked for");
    assert_eq!(runs[0].state, RunState::Complete, "{:?}", runs[0].problem);
}

async fn loop_over_every_step(mode: Mode) {
    on_both(|database| async move {
        let counted = Arc::new(FaultAt::new(0, mode));
        let undisturbed = world(&Database::new(database.engine), counted.clone()).await;
        counted.arm();
        undisturbed.run_due_jobs().await;
        counted.disarm();
        let expected = undisturbed.facts().await;
        assert!(expected.len() > 20);
        let steps = counted.count();
        assert!(steps > 20, "{steps} effect points");

        // Most of a step is waiting for its next try; several wait at once.
        let each = |n| {
            let expected = &expected;
            async move {
                let faults = Arc::new(FaultAt::new(n, mode));
                let world = world(&Database::new(database.engine), faults.clone()).await;
                faults.arm();
                tokio::select! {
                    () = world.run_due_jobs() => {}
                    // Who died does not wait for its next try.
                    () = faults.wait(), if mode == Mode::Dies => {}
                }
                let point = faults.struck_at();
                assert!(point.is_some(), "step {n} of {steps} was not met");
                let world = world.restarted(Arc::new(NoFaults)).await;
                finish(&world).await;
                assert_eq!(
                    world.facts().await,
                    *expected,
                    "step {n} of {steps} ({point:?})"
                );
                assert_eq!(
                    world.count("select count(*) from staged_accounts").await,
                    0,
                    "step {n} leaves nothing staged"
                );
            }
        };
        stream::iter(1..=steps)
            .for_each_concurrent(AT_ONCE, each)
            .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c1_a_host_that_dies_at_any_step_of_a_sync_ends_like_an_undisturbed_one() {
    loop_over_every_step(Mode::Dies).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_at_any_step_of_a_sync_is_survived() {
    loop_over_every_step(Mode::Fails).await;
}
