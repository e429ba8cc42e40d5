//! Mail by a mail server: each message arrives, once under its own id, and what the server refuses is told apart.

use std::sync::Arc;

use seatwise::app::host::Host;
use seatwise::app::worker;
use seatwise::identity::roles::{Actor, Role};
use seatwise::identity::service as identity;
use seatwise::kernel::IntoProblem as _;
use seatwise::kernel::clock::{DAY_MS, HOUR_MS, MINUTE_MS, SetClock};
use seatwise::kernel::faults::{Faults, NoFaults};
use seatwise::notify::desk::{self, DeliveryView};
use seatwise::notify::mail_server::{self, NewMailServer};
use seatwise::notify::{Cause, Facts, NewMessage, Notice, NotifyError, choices, service as notify};
use seatwise_tests::database::{Database, expire_leases, on_both};
use seatwise_tests::faults::{FaultAt, Mode};
use seatwise_tests::smtp::MailBox;
use seatwise_tests::world::{T0_MS, host, person};
use sqlx::Row as _;

struct Office {
    host: Host,
    clock: Arc<SetClock>,
    /// Admin.
    ada: Actor,
    /// Integrator.
    ana: Actor,
}

impl Office {
    async fn new(database: &Database, faults: Arc<dyn Faults>) -> Self {
        let clock = Arc::new(SetClock::at(T0_MS));
        let store = database.open_with(faults.clone()).await;
        let host = host(database.folder(), store, clock.clone(), &[], faults, 1);
        identity::ensure_system(&host).await.unwrap();
        let ada = person(&host, "Ada", Role::Admin).await;
        let ana = person(&host, "Ana", Role::SamIntegrator).await;
        Self {
            host,
            clock,
            ada,
            ana,
        }
    }

    async fn with_server(database: &Database, server: &MailBox, faults: Arc<dyn Faults>) -> Self {
        let office = Self::new(database, faults).await;
        let new = settings(server);
        mail_server::set_mail_server(&office.host, &office.ada, new)
            .await
            .unwrap();
        office.work().await;
        office
    }

    async fn post(&self, key: &str, recipient: &str) {
        let mut tx = self.host.store.begin().await.unwrap();
        let new = NewMessage {
            kind: "test",
            key: key.to_owned(),
            recipient: recipient.to_owned(),
            subject: format!("Subject of {key}"),
            body: "Grüße\n.\nend\n".to_owned(),
            subject_kind: "test",
            subject_id: key.to_owned(),
        };
        assert!(notify::post(&self.host, &mut tx, &new).await.unwrap());
        tx.commit().await.unwrap();
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

    async fn work(&self) {
        worker::run_due(&self.host).await.unwrap();
    }

    async fn later(&self, ms: i64) {
        self.clock.advance(ms);
        self.work().await;
    }

    /// Oldest first.
    async fn deliveries(&self) -> Vec<DeliveryView> {
        let mut all = desk::list_deliveries(&self.host, &self.ada, None, None, None, 200)
            .await
            .unwrap();
        all.reverse();
        all
    }

    async fn states(&self) -> Vec<String> {
        self.deliveries()
            .await
            .into_iter()
            .map(|it| it.state)
            .collect()
    }
}

fn settings(server: &MailBox) -> NewMailServer {
    NewMailServer {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        security: "none".to_owned(),
        sender: "Seatwise <seatwise@company.example>".to_owned(),
        username: "mailer".to_owned(),
        password: "correct horse battery".to_owned().into(),
        root_pem: String::new(),
    }
}

#[tokio::test]
async fn a_mail_reaches_the_server_once_under_the_id_of_its_row() {
    on_both(|database| async move {
        let server = MailBox::start().await;
        let office = Office::with_server(&database, &server, Arc::new(NoFaults)).await;
        for n in 0..3 {
            office
                .post(&format!("m{n}"), &format!("p{n}@company.example"))
                .await;
        }
        office.work().await;
        office.later(DAY_MS).await;
        let taken = server.taken();
        assert_eq!(taken.len(), 3);
        assert_eq!(
            server.connections(),
            1,
            "one conversation for all that is due"
        );
        for (mail, row) in taken.iter().zip(office.deliveries().await) {
            assert_eq!(row.state, "sent");
            assert_eq!(row.answer.as_deref(), Some("250 2.0.0 taken"));
            assert_eq!(mail.to, row.recipient);
            assert_eq!(
                mail.header("Message-ID"),
                Some(format!("<{}@seatwise>", row.id).as_str())
            );
            assert_eq!(
                mail.header("From"),
                Some("Seatwise <seatwise@company.example>")
            );
        }
        let backlog = desk::get_backlog(&office.host, &office.ada).await.unwrap();
        assert_eq!(
            (backlog.due, backlog.failed, backlog.is_late),
            (0, 0, false)
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_that_says_later_is_asked_again_and_one_that_says_no_is_not() {
    on_both(|database| async move {
        let server = MailBox::start().await;
        let office = Office::with_server(&database, &server, Arc::new(NoFaults)).await;
        server.answer_recipients(&["450 4.2.1 mailbox busy", "550 5.1.1 no such user"]);
        office.post("later", "busy@company.example").await;
        office.post("never", "gone@company.example").await;
        office.post("fine", "cy@company.example").await;
        office.work().await;
        assert_eq!(
            office.states().await,
            ["due", "failed", "sent"],
            "one that waits stops no other"
        );
        let rows = office.deliveries().await;
        assert!(
            rows[0]
                .last_error
                .as_deref()
                .unwrap()
                .contains("mailbox busy"),
            "{rows:?}"
        );
        assert!(
            rows[1]
                .last_error
                .as_deref()
                .unwrap()
                .contains("no such user"),
            "{rows:?}"
        );
        assert_eq!(rows[0].due_at, T0_MS + MINUTE_MS);
        office.later(MINUTE_MS).await;
        assert_eq!(office.states().await, ["sent", "failed", "sent"]);
        office.later(DAY_MS).await;
        assert_eq!(
            server.taken().len(),
            2,
            "what was refused for good is left alone"
        );

        // Somebody makes the mailbox and tries again.
        let refused = rows[1].id.to_string();
        desk::retry_message(&office.host, &office.ada, &refused)
            .await
            .unwrap();
        office.work().await;
        assert_eq!(office.states().await, ["sent", "sent", "sent"]);
        let again = desk::retry_message(&office.host, &office.ada, &refused).await;
        assert!(matches!(again, Err(NotifyError::WrongState(_))));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_fails_no_message_and_is_told_without_the_password() {
    on_both(|database| async move {
        let server = MailBox::start().await;
        let office = Office::with_server(&database, &server, Arc::new(NoFaults)).await;
        server.answer_sign_ins(&[
            "535 5.7.8 not correct horse battery, sorry",
            "535 5.7.8 no",
            "535 5.7.8 no",
        ]);
        office.post("first", "cy@company.example").await;
        office.post("second", "dee@company.example").await;
        office.work().await;
        let rows = office.deliveries().await;
        assert_eq!(office.states().await, ["due", "due"]);
        assert_eq!(
            (rows[0].attempts, rows[1].attempts),
            (1, 0),
            "nothing gets through, so nothing more is tried"
        );
        let error = rows[0].last_error.clone().unwrap();
        assert!(
            error.contains("signing in") && error.contains("535"),
            "{error}"
        );
        assert!(!error.contains("correct horse"), "{error}");
        let tested = mail_server::test_mail_server(&office.host, &office.ada)
            .await
            .unwrap_err();
        assert_eq!(tested.problem().code, "notify.not_sent");

        // The clock of a backlog is the host's.
        office.clock.advance(HOUR_MS);
        assert!(
            desk::get_backlog(&office.host, &office.ada)
                .await
                .unwrap()
                .is_late
        );
        office.work().await;
        assert_eq!(
            office.states().await,
            ["due", "due"],
            "the third sign-in was refused too"
        );
        office.later(HOUR_MS).await;
        assert_eq!(office.states().await, ["sent", "sent"]);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_nobody_takes_for_four_days_has_failed_and_is_seen() {
    on_both(|database| async move {
        let server = MailBox::start().await;
        let office = Office::with_server(&database, &server, Arc::new(NoFaults)).await;
        server.answer_recipients(&["450 later"; 100]);
        office.post("never", "busy@company.example").await;
        office.work().await;
        let mut last = 0;
        for _ in 0..200 {
            let row = office.deliveries().await.remove(0);
            if row.state != "due" {
                break;
            }
            assert!(row.due_at > last, "each try is later than the one before");
            assert!(row.due_at - office.host.now_ms() <= 129 * MINUTE_MS);
            last = row.due_at;
            office.later(row.due_at - office.host.now_ms()).await;
        }
        let row = office.deliveries().await.remove(0);
        assert_eq!(row.state, "failed");
        assert!(
            row.last_error
                .unwrap()
                .starts_with("given up after four days")
        );
        assert!(row.attempts > 40 && row.attempts < 70, "{}", row.attempts);
    })
    .await;
}

#[tokio::test]
async fn a_host_that_dies_at_any_step_of_a_delivery_loses_no_mail_and_repeats_it_under_its_id() {
    on_both(|database| async move {
        let run = |n: u32| async move {
            let database = Database::new(database.engine);
            let server = MailBox::start().await;
            let faults = Arc::new(FaultAt::new(n, Mode::Dies));
            let office = Office::with_server(&database, &server, faults.clone()).await;
            office.post("one", "cy@company.example").await;
            office.post("two", "dee@company.example").await;
            faults.arm();
            let _ = worker::run_due(&office.host).await;
            faults.disarm();
            let point = faults.struck_at();
            office.host.store.close().await;

            let store = database.open().await;
            expire_leases(&store).await;
            let office = Office {
                host: host(
                    database.folder(),
                    store,
                    office.clock.clone(),
                    &[],
                    Arc::new(NoFaults),
                    2,
                ),
                ..office
            };
            office.later(HOUR_MS).await;
            assert_eq!(
                office.states().await,
                ["sent", "sent"],
                "step {n} ({point:?})"
            );
            let taken = server.taken();
            let ids: Vec<_> = taken
                .iter()
                .map(|mail| mail.header("Message-ID").unwrap().to_owned())
                .collect();
            for row in office.deliveries().await {
                let copies = ids.iter().filter(|id| id.contains(row.id.as_str())).count();
                let may_repeat =
                    matches!(point, Some("mail.answer" | "store.begin" | "store.commit"));
                assert!(
                    copies == 1 || (copies == 2 && may_repeat),
                    "step {n} ({point:?}): {copies} copies of {}",
                    row.id
                );
            }
            (faults.count(), taken.len())
        };
        let (steps, copies) = run(0).await;
        assert_eq!(copies, 2, "undisturbed, each once");
        assert!(steps > 10, "{steps} effect points");
        let mut repeated = 0;
        for n in 1..=steps {
            repeated += run(n).await.1 - 2;
        }
        assert!(
            repeated > 0,
            "a death between the server's yes and its note is among the steps"
        );
    })
    .await;
}

#[tokio::test]
async fn a_server_that_hangs_up_without_its_yes_is_sent_the_same_mail_again() {
    on_both(|database| async move {
        let server = MailBox::start().await;
        let office = Office::with_server(&database, &server, Arc::new(NoFaults)).await;
        server.hang_up_once();
        office.post("one", "cy@company.example").await;
        office.work().await;
        assert_eq!(office.states().await, ["due"]);
        office.later(MINUTE_MS).await;
        let taken = server.taken();
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[0].header("Message-ID"), taken[1].header("Message-ID"));
        assert_eq!(office.states().await, ["sent"]);
    })
    .await;
}

#[tokio::test]
async fn fifty_failures_make_one_mail_to_each_who_wants_it() {
    on_both(|database| async move {
        let server = MailBox::start().await;
        let office = Office::with_server(&database, &server, Arc::new(NoFaults)).await;
        person(&office.host, "Ben", Role::Approver).await;
        let eve = person(&office.host, "Eve", Role::SamIntegrator).await;
        choices::set_choices(&office.host, &eve, &["token_died".to_owned()])
            .await
            .unwrap();
        for n in 0..50 {
            office
                .tell(Cause::RunFailed, &format!("RUN{n}"), &format!("Org {n}"))
                .await;
            office
                .tell(Cause::RunFailed, &format!("RUN{n}"), &format!("Org {n}"))
                .await;
        }
        office.work().await;
        assert!(server.taken().is_empty(), "a storm is waited out");
        office.later(MINUTE_MS).await;
        let taken = server.taken();
        assert_eq!(
            taken
                .iter()
                .map(|mail| mail.to.as_str())
                .collect::<Vec<_>>(),
            ["ana@company.example"],
            "not Ada, Ben or Eve"
        );
        assert_eq!(taken[0].header("Subject"), Some("50 downloads failed"));

        // The next one within the hour waits for its end, and takes along what happens meanwhile.
        office.tell(Cause::RunFailed, "RUN50", "Org 50").await;
        office.later(30 * MINUTE_MS).await;
        office.tell(Cause::RunFailed, "RUN51", "Org 51").await;
        assert_eq!(server.taken().len(), 1);
        office.later(30 * MINUTE_MS).await;
        let taken = server.taken();
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[1].header("Subject"), Some("2 downloads failed"));
    })
    .await;
}

#[tokio::test]
async fn what_happens_while_a_mail_is_tried_goes_into_the_next_one() {
    on_both(|database| async move {
        let server = MailBox::start().await;
        let office = Office::with_server(&database, &server, Arc::new(NoFaults)).await;
        server.answer_recipients(&["450 later"]);
        office.tell(Cause::RunFailed, "RUN1", "First").await;
        office.later(MINUTE_MS).await;
        office.tell(Cause::RunFailed, "RUN2", "Second").await;
        office.later(2 * HOUR_MS).await;
        let subjects: Vec<_> = server
            .taken()
            .iter()
            .map(|mail| mail.header("Subject").unwrap().to_owned())
            .collect();
        assert_eq!(
            subjects,
            ["First: the download failed", "Second: the download failed"]
        );
    })
    .await;
}

#[tokio::test]
async fn nobody_is_told_of_what_they_may_not_see_whatever_they_chose() {
    on_both(|database| async move {
        let office = Office::new(&database, Arc::new(NoFaults)).await;
        let asked =
            choices::set_choices(&office.host, &office.ana, &["approval_waiting".to_owned()]).await;
        assert!(matches!(asked, Err(NotifyError::NotFound("cause"))));
        let ben = person(&office.host, "Ben", Role::Approver).await;
        choices::set_choices(
            &office.host,
            &ben,
            &["approval_waiting".to_owned(), "run_failed".to_owned()],
        )
        .await
        .unwrap();
        identity::set_roles(&office.host, &office.ada, &ben.id, &[Role::Auditor].into())
            .await
            .unwrap();
        office
            .tell(Cause::ApprovalWaiting, "RUL1", "Sales Cloud")
            .await;
        assert!(office.deliveries().await.is_empty());
        office.tell(Cause::RunFailed, "RUN1", "Org").await;
        let told: Vec<_> = office
            .deliveries()
            .await
            .into_iter()
            .map(|it| it.recipient)
            .collect();
        assert_eq!(told, ["ana@company.example", "ben@company.example"]);
        identity::deactivate(&office.host, &office.ada, &office.ana.id)
            .await
            .unwrap();
        office.tell(Cause::TokenDied, "PRF1", "Org").await;
        assert_eq!(
            office.deliveries().await.len(),
            2,
            "who has left is told nothing"
        );
    })
    .await;
}

#[tokio::test]
async fn a_stored_password_stays_with_its_server_and_is_sealed() {
    on_both(|database| async move {
        let server = MailBox::start().await;
        let office = Office::with_server(&database, &server, Arc::new(NoFaults)).await;
        let keep = |change: fn(&mut NewMailServer)| {
            let mut new = settings(&server);
            new.password = String::new().into();
            change(&mut new);
            new
        };
        let set = |new| mail_server::set_mail_server(&office.host, &office.ada, new);
        for change in [
            (|new| new.host = "localhost".to_owned()) as fn(&mut NewMailServer),
            |new| new.port += 1,
            |new| new.security = "tls".to_owned(),
            |new| new.username = "other".to_owned(),
        ] {
            let refused = set(keep(change)).await;
            assert!(
                matches!(
                    refused,
                    Err(NotifyError::Invalid {
                        field: "password",
                        ..
                    })
                ),
                "{refused:?}"
            );
        }
        let kept = set(keep(|new| {
            new.sender = "Seats <seats@company.example>".to_owned()
        }))
        .await
        .unwrap();
        assert!(kept.has_password);
        let said = mail_server::test_mail_server(&office.host, &office.ada)
            .await
            .unwrap();
        assert_eq!(said, "250 2.0.0 taken");
        assert_eq!(server.taken()[0].to, "ada@company.example");
        assert!(
            !set(keep(|new| new.username = String::new()))
                .await
                .unwrap()
                .has_password
        );

        let mut tx = office.host.store.read_everything().await.unwrap();
        for text in [
            "select coalesce(sum(length(detail)), 0) as n from audit where detail like '%horse%'",
            "select count(*) as n from mail_servers where password_sealed is not null",
        ] {
            let n: i64 = sqlx::query(text)
                .fetch_one(tx.conn())
                .await
                .unwrap()
                .get("n");
            assert_eq!(n, 0, "{text}");
        }
        drop(tx);
        for actor in [
            &office.ana,
            &person(&office.host, "Ben", Role::Approver).await,
        ] {
            let denied = mail_server::get_mail_server(&office.host, actor).await;
            assert!(matches!(denied, Err(NotifyError::Denied(_))));
            let denied = desk::list_deliveries(&office.host, actor, None, None, None, 1).await;
            assert!(matches!(denied, Err(NotifyError::Denied(_))));
        }
    })
    .await;
}

#[tokio::test]
async fn a_withdrawn_message_is_never_sent() {
    on_both(|database| async move {
        let server = MailBox::start().await;
        let office = Office::with_server(&database, &server, Arc::new(NoFaults)).await;
        office.post("one", "cy@company.example").await;
        let id = office.deliveries().await[0].id.to_string();
        desk::withdraw_message(&office.host, &office.ada, &id)
            .await
            .unwrap();
        office.later(DAY_MS).await;
        assert!(server.taken().is_empty());
        assert_eq!(office.states().await, ["withdrawn"]);
        for tried in [
            desk::withdraw_message(&office.host, &office.ada, &id).await,
            desk::retry_message(&office.host, &office.ada, &id).await,
        ] {
            assert!(matches!(tried, Err(NotifyError::WrongState(_))));
        }
    })
    .await;
}
