//! A worker that stops for longer than its lease in the worst place: after its intent, before its request.

use std::sync::Arc;

use seatwise::app::worker;
use seatwise::kernel::clock::{DAY_MS, HOUR_MS};
use seatwise::kernel::faults::NoFaults;
use seatwise::reclamation::candidate::State;
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::{expire_leases, on_both};

/// Stops the worker that has just written its intent, until it is let go.
#[derive(Default)]
struct StalledBeforeSending {
    met: std::sync::Mutex<(Option<&'static str>, Stage)>,
    moved: std::sync::Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Off,
    Armed,
    Stalled,
    Over,
}

impl StalledBeforeSending {
    fn set(&self, stage: Stage) {
        self.met.lock().unwrap().1 = stage;
        self.moved.notify_all();
    }

    fn wait_for(&self, stage: Stage) {
        let met = self.met.lock().unwrap();
        let patience = std::time::Duration::from_secs(60);
        let (met, late) = self
            .moved
            .wait_timeout_while(met, patience, |met| met.1 != stage)
            .unwrap();
        drop(met);
        assert!(!late.timed_out(), "the worker did not get so far");
    }
}

impl seatwise::kernel::faults::Faults for StalledBeforeSending {
    fn step(&self, point: &'static str) -> Result<(), seatwise::kernel::faults::Injected> {
        let mut met = self.met.lock().unwrap();
        // Reads go through the component and follow its call; only the act follows a commit.
        let acts = met.0.replace(point) == Some("store.committed") && point == "http.send";
        if acts && met.1 == Stage::Armed {
            met.1 = Stage::Stalled;
            self.moved.notify_all();
            drop(met);
            self.wait_for(Stage::Over);
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b8_a_worker_that_stalls_between_intent_and_request_changes_nothing_that_the_next_one_did_not()
 {
    on_both(|database| async move {
        let stall = Arc::new(StalledBeforeSending::default());
        let company = Company::new(&database, Contract::Shared, stall.clone()).await;
        company.approve_rule().await;
        company.go_live().await;
        company.approve_all().await;
        company.pause_schedules().await;
        company.advance(15 * DAY_MS);
        stall.set(Stage::Armed);
        let host = company.host.clone();
        let late = tokio::spawn(async move { worker::run_due(&host).await });
        let waits = stall.clone();
        tokio::task::spawn_blocking(move || waits.wait_for(Stage::Stalled))
            .await
            .unwrap();
        // Its lease runs out, and another host takes the work over: it finds the intent, looks, and sends.
        let second = company.second_host(Arc::new(NoFaults)).await;
        expire_leases(&second.store).await;
        for _ in 0..3 {
            worker::run_due(&second).await.unwrap();
            company.advance(HOUR_MS);
        }
        assert_eq!(company.writes(), 4);
        stall.set(Stage::Over);
        late.await.unwrap().unwrap();
        worker::run_due(&second).await.unwrap();
        // The late request repeats, at most, what is so already; every person has one receipt and the same end.
        assert!(company.writes() <= 5, "{}", company.writes());
        let receipts = "select count(*) from actions where receipt is not null";
        assert_eq!(company.count(receipts).await, 4);
        assert_eq!(
            company.states(&["cy", "dee", "ivy", "lou"]).await,
            [State::Reclaimed; 4]
        );
    })
    .await;
}
