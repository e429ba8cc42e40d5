//! Webhooks: signed, through the guard, tried again, switched off when nobody takes them.

use std::sync::Arc;

use seatwise::app::host::Host;
use seatwise::app::worker;
use seatwise::identity::roles::{Actor, Role};
use seatwise::identity::service as identity;
use seatwise::kernel::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SetClock};
use seatwise::kernel::faults::NoFaults;
use seatwise::notify::desk::{self, DeliveryView};
use seatwise::notify::webhooks::{self, Change, Minted, NewWebhook};
use seatwise::notify::{Cause, Facts, Notice, NotifyError, service as notify};
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::receiver::Receiver;
use seatwise_tests::world::{T0_MS, host, person};
use sqlx::Row as _;

struct Office {
    host: Host,
    clock: Arc<SetClock>,
    ada: Actor,
}

impl Office {
    async fn new(database: &Database, ports: &[u16]) -> Self {
        let clock = Arc::new(SetClock::at(T0_MS));
        let host = host(
            database.folder(),
            database.open().await,
            clock.clone(),
            ports,
            Arc::new(NoFaults),
            1,
        );
        identity::ensure_system(&host).await.unwrap();
        let ada = person(&host, "Ada", Role::Admin).await;
        Self { host, clock, ada }
    }

    async fn hook(&self, name: &str, url: &str) -> Result<Minted, NotifyError> {
        let new = NewWebhook {
            name: name.to_owned(),
            url: url.to_owned(),
            causes: vec!["run_failed".to_owned(), "first_run".to_owned()],
        };
        webhooks::create_webhook(&self.host, &self.ada, &new).await
    }

    async fn tell(&self, cause: Cause, key: &str, name: &str) {
        let mut tx = self.host.store.begin().await.unwrap();
        let notice = Notice {
            cause,
            key: key.to_owned(),
            subject_kind: "run",
            subject_id: key.to_owned(),
            owner: None,
            facts: Facts {
                number: key.to_owned(),
                name: name.to_owned(),
                happened: "the vendor does not answer".to_owned(),
                fix: None,
                path: format!("/runs/{key}"),
                counts: Vec::new(),
            },
        };
        notify::tell(&self.host, &mut tx, &notice).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn later(&self, ms: i64) {
        self.clock.advance(ms);
        worker::run_due(&self.host).await.unwrap();
    }

    /// Oldest first, of one webhook.
    async fn deliveries(&self, hook: &Minted) -> Vec<DeliveryView> {
        let id = Some(hook.webhook.id.as_str());
        let mut all = desk::list_deliveries(&self.host, &self.ada, None, id, None, 200)
            .await
            .unwrap();
        all.reverse();
        all
    }

    async fn state(&self, hook: &Minted) -> (String, Option<String>) {
        let now = webhooks::get_webhook(&self.host, &self.ada, hook.webhook.id.as_str())
            .await
            .unwrap();
        (now.state, now.off_reason)
    }
}

#[tokio::test]
async fn an_event_is_sent_once_signed_and_as_plain_json_whatever_its_names_hold() {
    on_both(|database| async move {
        let receiver = Receiver::start().await;
        let office = Office::new(&database, &[receiver.port]).await;
        let hook = office.hook("Tickets", &receiver.url()).await.unwrap();
        assert!(hook.secret.starts_with("whsec_"));
        let hostile = "\"},{{x}}<script>\r\nX: y\u{202e}";
        office.tell(Cause::RunFailed, "RUN1", hostile).await;
        office.tell(Cause::RunFailed, "RUN1", hostile).await;
        office.tell(Cause::Attention, "RUN1", "not asked for").await;
        office.later(0).await;
        office.later(DAY_MS).await;
        let got = receiver.got();
        assert_eq!(got.len(), 1);
        let body: serde_json::Value = serde_json::from_str(&got[0].body).unwrap();
        assert_eq!(body["type"], "run.failed");
        assert_eq!(body["data"]["name"], hostile);
        assert_eq!(body["data"]["url"], "http://127.0.0.1/runs/RUN1");
        assert_eq!(body["timestamp"], "2026-03-31T09:00:00Z");
        let row = office.deliveries(&hook).await.remove(0);
        assert_eq!(
            (row.state.as_str(), row.answer.as_deref()),
            ("sent", Some("HTTP 204"))
        );
        assert_eq!(got[0].header("webhook-id"), row.id.as_str());
        assert_eq!(
            got[0].header("webhook-timestamp"),
            (T0_MS / 1_000).to_string()
        );
        assert!(got[0].header("webhook-signature").starts_with("v1,"));
        assert_eq!(got[0].header("content-type"), "application/json");
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_fails_is_tried_again_with_the_same_id_and_a_new_time() {
    on_both(|database| async move {
        let receiver = Receiver::start().await;
        let office = Office::new(&database, &[receiver.port]).await;
        let hook = office.hook("Tickets", &receiver.url()).await.unwrap();
        receiver.answer(&[503, 429]);
        office.tell(Cause::RunFailed, "RUN1", "Org").await;
        office.later(0).await;
        let row = office.deliveries(&hook).await.remove(0);
        assert_eq!(
            (row.state.as_str(), row.last_error.as_deref()),
            ("due", Some("HTTP 503: not now"))
        );
        office.later(MINUTE_MS).await;
        office.later(2 * MINUTE_MS).await;
        let got = receiver.got();
        assert_eq!(got.len(), 3);
        assert!(
            got.iter()
                .all(|it| it.header("webhook-id") == row.id.as_str() && it.body == got[0].body)
        );
        assert_ne!(
            got[0].header("webhook-timestamp"),
            got[2].header("webhook-timestamp")
        );
        assert_ne!(
            got[0].header("webhook-signature"),
            got[2].header("webhook-signature")
        );
        let after = office.deliveries(&hook).await.remove(0);
        assert_eq!(
            (after.state.as_str(), after.attempts, after.last_error),
            ("sent", 3, None)
        );
        let view = webhooks::get_webhook(&office.host, &office.ada, hook.webhook.id.as_str())
            .await
            .unwrap();
        assert_eq!(view.failing_since, None);
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    on_both(|database| async move {
        let receiver = Receiver::start().await;
        let office = Office::new(&database, &[receiver.port]).await;
        let hook = office.hook("Tickets", &receiver.url()).await.unwrap();
        receiver.answer(&[302]);
        office.tell(Cause::RunFailed, "RUN1", "Org").await;
        office.later(0).await;
        assert!(receiver.got().iter().all(|it| it.path == "/hook"));
        let row = office.deliveries(&hook).await.remove(0);
        assert!(
            row.last_error
                .unwrap()
                .contains("redirects are not followed")
        );
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_takes_nothing_for_three_days_is_switched_off_and_somebody_hears_of_it() {
    on_both(|database| async move {
        let receiver = Receiver::start().await;
        let office = Office::new(&database, &[receiver.port]).await;
        let hook = office.hook("Tickets", &receiver.url()).await.unwrap();
        receiver.always(Some(500));
        office.tell(Cause::RunFailed, "RUN1", "Org").await;
        office.later(0).await;
        for _ in 0..40 {
            office.later(2 * HOUR_MS).await;
        }
        let (state, why) = office.state(&hook).await;
        assert_eq!(state, "off");
        assert_eq!(
            why.as_deref(),
            Some("it took nothing for three days: HTTP 500: not now")
        );
        let calls = receiver.got().len();
        office.tell(Cause::RunFailed, "RUN2", "Org").await;
        office.later(DAY_MS).await;
        assert_eq!(
            receiver.got().len(),
            calls,
            "nothing goes to a webhook that is off"
        );
        assert_eq!(
            office
                .deliveries(&hook)
                .await
                .iter()
                .map(|it| it.state.as_str())
                .collect::<Vec<_>>(),
            ["failed"]
        );
        let told = desk::list_deliveries(&office.host, &office.ada, None, None, None, 50)
            .await
            .unwrap();
        let mail: Vec<_> = told.iter().filter(|it| it.kind == "webhook_off").collect();
        assert_eq!(mail.len(), 1);
        assert_eq!(mail[0].recipient, "ada@company.example");

        receiver.always(None);
        webhooks::change_webhook(
            &office.host,
            &office.ada,
            hook.webhook.id.as_str(),
            &Change::On,
        )
        .await
        .unwrap();
        office.tell(Cause::RunFailed, "RUN3", "Org").await;
        office.later(0).await;
        assert_eq!(receiver.got().len(), calls + 1);
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_switched_off_at_once() {
    on_both(|database| async move {
        let receiver = Receiver::start().await;
        let office = Office::new(&database, &[receiver.port]).await;
        let hook = office.hook("Tickets", &receiver.url()).await.unwrap();
        receiver.answer(&[410]);
        for n in 0..3 {
            office
                .tell(Cause::RunFailed, &format!("RUN{n}"), "Org")
                .await;
        }
        office.later(0).await;
        assert_eq!(office.state(&hook).await.0, "off");
        assert_eq!(receiver.got().len(), 1);
        assert!(
            office
                .deliveries(&hook)
                .await
                .iter()
                .all(|it| it.state == "failed")
        );
    })
    .await;
}

#[tokio::test]
async fn one_receiver_that_hangs_keeps_no_other_from_its_events() {
    on_both(|database| async move {
        let (good, bad) = (Receiver::start().await, Receiver::start().await);
        let office = Office::new(&database, &[good.port, bad.port]).await;
        office.hook("Good", &good.url()).await.unwrap();
        office.hook("Bad", &bad.url()).await.unwrap();
        bad.always(Some(500));
        for n in 0..5 {
            office
                .tell(Cause::RunFailed, &format!("RUN{n}"), "Org")
                .await;
        }
        office.later(0).await;
        assert_eq!(good.got().len(), 5);
        assert_eq!(
            bad.got().len(),
            1,
            "while it takes nothing, one event is enough to see it"
        );
    })
    .await;
}

#[tokio::test]
async fn only_a_public_https_address_or_what_the_operator_named_can_be_a_webhook() {
    on_both(|database| async move {
        let receiver = Receiver::start().await;
        let office = Office::new(&database, &[receiver.port]).await;
        for (url, why) in [
            ("http://hooks.acme.example/x", "https alone"),
            ("https://10.0.0.1/x", "not a number"),
            ("https://169.254.169.254/latest", "not a number"),
            ("https://[::1]/x", "not a number"),
            ("https://0x7f.1/x", "not a number"),
            ("https://localhost/x", "public host"),
            ("https://hooks.acme.example:8443/x", "port 443"),
            ("https://user:pw@hooks.acme.example/x", "no user name"),
            ("https://hooks.acme.example/x#y", "no `#`"),
            ("ftp://hooks.acme.example/x", "https alone"),
            ("file:///etc/passwd", ""),
            ("hooks.acme.example", "no address"),
            ("http://127.0.0.1:1/x", "https alone"),
        ] {
            match office.hook("Tickets", url).await {
                Err(NotifyError::Invalid {
                    field: "url",
                    sentence,
                }) => assert!(sentence.contains(why), "{url}: {sentence}"),
                other => panic!("{url}: {:?}", other.map(|it| it.webhook)),
            }
        }
        office
            .hook("Public", "https://hooks.acme.example/x")
            .await
            .unwrap();
        office.hook("Named", &receiver.url()).await.unwrap();
        let again = office.hook("Named", &receiver.url()).await;
        assert!(matches!(
            again,
            Err(NotifyError::Invalid { field: "name", .. })
        ));
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_shown_once_kept_sealed_and_gone_with_its_webhook() {
    on_both(|database| async move {
        let receiver = Receiver::start().await;
        let office = Office::new(&database, &[receiver.port]).await;
        let hook = office.hook("Tickets", &receiver.url()).await.unwrap();
        let id = hook.webhook.id.as_str();
        assert_eq!(
            webhooks::test_webhook(&office.host, &office.ada, id)
                .await
                .unwrap(),
            "HTTP 204"
        );
        let renewed = webhooks::renew_secret(&office.host, &office.ada, id)
            .await
            .unwrap();
        assert_ne!(renewed.secret, hook.secret);
        webhooks::test_webhook(&office.host, &office.ada, id)
            .await
            .unwrap();
        receiver.answer(&[401]);
        let refused = webhooks::test_webhook(&office.host, &office.ada, id).await;
        assert!(matches!(refused, Err(NotifyError::NotSent(said)) if said == "HTTP 401: not now"));
        let key = renewed.secret.trim_start_matches("whsec_");
        let mut tx = office.host.store.read_everything().await.unwrap();
        for text in [
            "select count(*) as n from audit where detail like '%' || $1 || '%'",
            "select count(*) as n from outbox where body like '%' || $1 || '%'",
        ] {
            let n: i64 = sqlx::query(text)
                .bind(key)
                .fetch_one(tx.conn())
                .await
                .unwrap()
                .get("n");
            assert_eq!(n, 0, "{text}");
        }
        drop(tx);
        receiver.always(Some(500));
        office.tell(Cause::RunFailed, "RUN1", "Org").await;
        office.later(0).await;
        webhooks::remove_webhook(&office.host, &office.ada, id)
            .await
            .unwrap();
        let calls = receiver.got().len();
        office.later(DAY_MS).await;
        assert_eq!(receiver.got().len(), calls);
        assert_eq!(office.deliveries(&hook).await[0].state, "withdrawn");
        assert!(matches!(
            webhooks::get_webhook(&office.host, &office.ada, id).await,
            Err(NotifyError::NotFound("webhook"))
        ));
        let mut tx = office.host.store.read_everything().await.unwrap();
        let left: i64 =
            sqlx::query("select count(*) as n from webhooks where length(secret_sealed) > 0")
                .fetch_one(tx.conn())
                .await
                .unwrap()
                .get("n");
        assert_eq!(left, 0);
        office.hook("Tickets", &receiver.url()).await.unwrap();

        let ana = person(&office.host, "Ana", Role::SamIntegrator).await;
        assert!(matches!(
            webhooks::list_webhooks(&office.host, &ana).await,
            Err(NotifyError::Denied(_))
        ));
    })
    .await;
}
