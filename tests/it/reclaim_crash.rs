//! The fail-at-step-n loop over taking back and giving back: a fault at every effect point, a restart, and the end state of an
//! undisturbed reclaim, with exactly one write a seat at the vendor.

use std::sync::Arc;

use seatwise::audit;
use seatwise::identity::roles::Actor;
use seatwise::kernel::faults::NoFaults;
use seatwise_tests::database::on_both;
use seatwise_tests::deed::{Deed, at_every_step, end_state, finish, ready};
use seatwise_tests::faults::{FaultAt, Mode};

async fn loop_over_every_step(mode: Mode, deed: Deed) {
    on_both(|database| async move {
        let counted = Arc::new(FaultAt::new(0, mode));
        let before = ready(database.engine, deed).await;
        let undisturbed = before.again(counted.clone()).await;
        counted.arm();
        undisturbed.work().await;
        counted.disarm();
        finish(&undisturbed).await;
        let expected = end_state(&undisturbed).await;
        let writes = expected
            .iter()
            .filter(|fact| fact.starts_with("write"))
            .count();
        // dee and lou once each; the undo of lou is one more.
        assert_eq!(
            writes,
            if deed == Deed::TakeBack { 2 } else { 3 },
            "{expected:#?}"
        );
        let steps = counted.count();
        assert!(steps > 15, "{steps} effect points");

        at_every_step(before, (database.engine, deed), steps, async |before, n| {
            let faults = Arc::new(FaultAt::new(n, mode));
            let company = before.again(faults.clone()).await;
            faults.arm();
            tokio::select! {
                () = company.work() => {}
                () = faults.wait(), if mode == Mode::Dies => {}
            }
            let point = faults.struck_at();
            assert!(point.is_some(), "step {n} of {steps} was not met");
            let company = company.restarted(Arc::new(NoFaults)).await;
            finish(&company).await;
            assert_eq!(
                end_state(&company).await,
                expected,
                "step {n} of {steps} ({point:?})"
            );
            let (host, system) = (&company.host, Actor::system());
            let trail = audit::verify(&host.store, &system, &host.signer)
                .await
                .unwrap();
            assert!(trail.is_intact, "step {n}: {:?}", trail.broken_at);
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b1_b2_a_host_that_dies_at_any_step_of_a_reclaim_sends_each_request_once() {
    loop_over_every_step(Mode::Dies, Deed::TakeBack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_at_any_step_of_a_reclaim_is_survived() {
    loop_over_every_step(Mode::Fails, Deed::TakeBack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_dies_at_any_step_of_an_undo_sends_it_once() {
    loop_over_every_step(Mode::Dies, Deed::GiveBack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_at_any_step_of_an_undo_is_survived() {
    loop_over_every_step(Mode::Fails, Deed::GiveBack).await;
}
