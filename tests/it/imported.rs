//! Sources without a connector: a file is previewed, mapped, imported as a complete snapshot, held when it falls, and undone.

use std::collections::BTreeMap;
use std::sync::Arc;

use seatwise::app::host::Host;
use seatwise::app::worker;
use seatwise::catalog::service::{self as catalog, AssignTo};
use seatwise::identity::roles::{Actor, Role};
use seatwise::identity::service as identity;
use seatwise::imports::model::FileView;
use seatwise::imports::service::{self as imports, NewText, Remap};
use seatwise::kernel::IntoProblem as _;
use seatwise::kernel::clock::{DAY_MS, SetClock};
use seatwise::kernel::faults::NoFaults;
use seatwise::reclamation::rules;
use seatwise::sync::{RunState, RunView, service as runs};
use seatwise_tests::browser::Browser;
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::world::{self, T0_MS, facts, person};
use sqlx::Row as _;

/// A host without any vendor, and two people.
struct Desk {
    host: Host,
    clock: Arc<SetClock>,
    ana: Actor,
    ben: Actor,
    source: String,
}

impl Desk {
    async fn new(database: &Database) -> Self {
        let clock = Arc::new(SetClock::at(T0_MS));
        let store = database.open().await;
        let faults = Arc::new(NoFaults);
        let host = world::host(database.folder(), store, clock.clone(), &[], faults, 1);
        identity::ensure_system(&host).await.unwrap();
        let ana = person(&host, "Ana", Role::SamIntegrator).await;
        let ben = person(&host, "Ben", Role::Approver).await;
        let source = imports::create_source(&host, &ana, "Board", "Acme")
            .await
            .unwrap();
        Self {
            host,
            clock,
            ana,
            ben,
            source: source.number,
        }
    }

    async fn bring(&self, text: &[u8], encoding: &str) -> Result<FileView, imports::ImportError> {
        let new = NewText {
            name: "users.csv",
            bytes: text,
            encoding,
            separator: "",
        };
        imports::bring_file(&self.host, &self.ana, &self.source, new).await
    }

    async fn start(&self, file: &FileView, leave_out: u64) -> Result<String, imports::ImportError> {
        let file_id = file.id.as_str();
        imports::import_file(
            &self.host,
            &self.ana,
            &self.source,
            file_id,
            file.version,
            leave_out,
        )
        .await
        .map(|started| started.run)
    }

    /// A file from its text to the end of its import, a day later than the one before.
    async fn import(&self, text: &str) -> RunView {
        let file = self.bring(text.as_bytes(), "").await.unwrap();
        self.import_again(&file).await
    }

    async fn import_again(&self, file: &FileView) -> RunView {
        self.clock.advance(DAY_MS);
        let run = self.start(file, file.judged.bad).await.unwrap();
        worker::run_due(&self.host).await.unwrap();
        runs::get_run(&self.host, &self.ana, &run).await.unwrap()
    }

    async fn source(&self) -> seatwise::imports::model::SourceView {
        imports::get_source(&self.host, &self.ana, &self.source)
            .await
            .unwrap()
            .0
    }

    async fn count(&self, statement: &'static str) -> i64 {
        let mut tx = self.host.store.read_everything().await.unwrap();
        sqlx::query(statement)
            .fetch_one(tx.conn())
            .await
            .unwrap()
            .get(0)
    }
}

#[track_caller]
fn code<T: std::fmt::Debug>(refused: Result<T, imports::ImportError>) -> String {
    refused.unwrap_err().problem().code
}

/// A heading line that no guess reads, dates of the day first, and one line of each kind of trouble.
const FIRST: &str = "Login;Mitarbeiter;Tarif;Zuletzt;Team\r\n\
     zoe@acme.example;Zoë Müller;Pro;30.03.2026;Nord\r\n\
     bo@acme.example;=HYPERLINK(\"x\");Pro;01.10.2025;\r\n\
     bo@acme.example;=HYPERLINK(\"x\");Whiteboard;01.11.2025;\r\n\
     cy@acme.example;Cy;Pro;;\r\n\
     cy@acme.example;Cy;Pro;;\r\n\
     dee@acme.example;Dee;;03.03.2026;\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_previewed_mapped_and_imported_whole_or_not_at_all_and_undone_by_the_one_before()
{
    on_both(|database| async move {
        let desk = Desk::new(&database).await;
        // Nobody without the right to brings anything.
        let refused = imports::create_source(&desk.host, &desk.ben, "Other", "Acme").await;
        assert_eq!(code(refused), "identity.denied");
        let taken = imports::create_source(&desk.host, &desk.ana, "Board", "Acme").await;
        assert_eq!(code(taken), "profile.name_taken");
        // What only a vendor could answer says what this source is, and leads to where files are brought.
        let ana = Browser::of(&desk.host, &desk.ana).await;
        for page in ["connection", "playbook", "playbook/sign-in", "proxy"] {
            let shown = ana.get(&format!("/profiles/{}/{page}", desk.source)).await;
            assert_eq!(shown.status.as_u16(), 409, "{page}");
            for said in ["an imported source", "href=\"/imports\""] {
                assert!(shown.text.contains(said), "{page}: {said} in {}", shown.text);
            }
        }
        let all = ana.get("/profiles").await.text;
        assert!(all.contains(&format!("href=\"/imports/{}\"", desk.source)), "{all}");

        // Another encoding is named, never guessed.
        let windows: Vec<u8> = FIRST.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let refused = desk.bring(&windows, "").await.unwrap_err().problem();
        assert_eq!(refused.code, "import.encoding");
        assert!(refused.message.contains("line 2") && refused.message.contains("windows-1252"), "{}", refused.message);
        let file = desk.bring(&windows, "windows-1252").await.unwrap();
        assert_eq!((file.lines, file.separator.as_str()), (6, ";"));
        assert!(file.judged.refused.as_deref().unwrap().contains("which licence"), "{:?}", file.judged);
        assert_eq!(code(desk.start(&file, 0).await), "import.mapping");

        // By hand: dates, too, are as a person says they are.
        let columns: BTreeMap<String, String> = [
            ("Login", "email"), ("Mitarbeiter", "name"), ("Tarif", "licence"), ("Zuletzt", "last_activity"), ("Team", "attribute"),
        ]
        .map(|(heading, meaning)| (heading.to_owned(), meaning.to_owned()))
        .into();
        let map = |dates: Option<&str>| Remap {
            columns: Some(columns.clone()),
            dates: dates.map(str::to_owned),
            ..Remap::default()
        };
        let (source, id) = (desk.source.as_str(), file.id.as_str());
        let iso = imports::remap_file(&desk.host, &desk.ana, source, id, map(None)).await.unwrap();
        assert_eq!(iso.judged.bad, 5, "no date of this file is ISO 8601");
        let read = imports::remap_file(&desk.host, &desk.ana, source, id, map(Some("day_month_year"))).await.unwrap();
        assert_eq!((read.judged.good, read.judged.accounts, read.judged.bad), (4, 3, 2));
        let bad: Vec<(u64, &str)> = read.judged.reasons.iter().map(|bad| (bad.line, bad.reason.as_str())).collect();
        assert_eq!(bad, [
            (6, "an earlier line gives the same licence to the same account"),
            (7, "no licence is given"),
        ]);
        assert_eq!(read.judged.shown[0].name.as_deref(), Some("Zoë Müller"));

        // All or nothing, by the preview that was seen, or knowingly without exactly these lines.
        assert_eq!(code(desk.start(&iso, 5).await), "import.stale");
        assert_eq!(code(desk.start(&read, 0).await), "import.bad_lines");
        assert_eq!(code(desk.start(&read, 1).await), "import.bad_lines");
        assert_eq!(desk.count("select count(*) from runs").await, 0);
        let run = desk.start(&read, 2).await.unwrap();
        assert_eq!(code(desk.start(&read, 2).await), "import.busy");
        worker::run_due(&desk.host).await.unwrap();
        let run = runs::get_run(&desk.host, &desk.ana, &run).await.unwrap();
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        assert_eq!((run.accounts, run.assignments, run.trigger.as_str()), (3, 4, "import"));
        let first = facts(&desk.host.store).await;
        assert_eq!(first.iter().filter(|fact| fact.starts_with("subscription")).count(), 4, "{first:#?}");
        assert!(first.iter().any(|fact| fact.contains("account cy@acme.example") && fact.contains("unknown")), "{first:#?}");
        assert_eq!(
            desk.count("select count(*) from accounts where name = '=HYPERLINK(\"x\")' and valid_to is null").await, 1,
            "a formula is its letters"
        );
        let models = catalog::list_models(&desk.host, &desk.ana).await.unwrap();
        let known: Vec<(&str, i64)> = models.iter().map(|m| (m.display_name.as_str(), m.active)).collect();
        assert_eq!(known, [("Acme Pro", 3), ("Acme Whiteboard", 1)]);
        assert_eq!(desk.count("select count(*) from rules").await, 0, "nobody can be asked to take seats back");
        assert_eq!(desk.count("select count(*) from entitlements").await, 0);
        assert_eq!(desk.source().await.unused, 2, "Bo holds two, and of Cy nothing is known");

        // The next file is complete, too: who is not in it holds nothing; the mapping is remembered with the headings.
        let second = "Login;Mitarbeiter;Tarif;Zuletzt;Team\nzoe@acme.example;Zoë Müller;Pro;30.03.2026;Nord\n\
             bo@acme.example;Bo;Pro;01.10.2025;\ncy@acme.example;Cy;Pro;;\n";
        let run = desk.import(second).await;
        assert_eq!(run.state, RunState::Held, "a fall of a quarter of the subscriptions is not believed: {run:?}");
        assert_eq!(facts(&desk.host.store).await, first, "and changes nothing");
        let ada = person(&desk.host, "Ada", Role::SamAdmin).await;
        runs::accept_run(&desk.host, &ada, &run.number, "Whiteboard was given up").await.unwrap();
        worker::run_due(&desk.host).await.unwrap();
        let after = facts(&desk.host.store).await;
        assert!(!after.iter().any(|fact| fact.contains("Whiteboard")), "{after:#?}");

        // Undo: the file before, as it was read then.
        let (_, files) = imports::get_source(&desk.host, &desk.ana, source).await.unwrap();
        let before = files.iter().find(|known| known.id == file.id).unwrap();
        let run = desk.import_again(before).await;
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        assert_eq!(facts(&desk.host.store).await, first);
        assert_eq!(desk.count("select count(*) from import_runs").await, 3);

        // Without the source nothing of it counts, and its history stays.
        imports::delete_source(&desk.host, &desk.ana, source).await.unwrap();
        assert_eq!(desk.count("select count(*) from subscriptions where valid_to is null").await, 0);
        assert_eq!(desk.count("select count(*) from accounts where valid_to is null and is_gone = 0").await, 0);
        assert!(desk.count("select count(*) from subscriptions").await >= 5);
        assert_eq!(desk.count("select count(*) from import_chunks").await, 0, "the text of its files is gone");
        assert_eq!(desk.source().await.state, "archived");
        assert_eq!(code(imports::delete_source(&desk.host, &desk.ana, source).await), "profile.state");
        for event in ["import.brought", "import.mapped", "import.started", "import.deleted"] {
            let mut tx = desk.host.store.read_everything().await.unwrap();
            let row = sqlx::query("select count(*) as n from audit where event = $1").bind(event).fetch_one(tx.conn()).await.unwrap();
            assert!(row.get::<i64, _>("n") > 0, "{event} is in the audit trail");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_file_sorted_by_licence_arrives_whole_with_the_latest_activity_of_each_account() {
    on_both(|database| async move {
        let desk = Desk::new(&database).await;
        let mut text = String::from("account,name,licence,last activity\n");
        // Pages four to eight bring no account that was not there, and only every second a later activity.
        for (licence, day) in [("Basic", 1), ("Pro", 20)] {
            for n in 0..4_000 {
                let day = if n % 2 == 0 { day } else { 1 };
                text.push_str(&format!("u{n},User {n},{licence},2026-02-{day:02}\n"));
            }
        }
        let run = desk.import(&text).await;
        assert_eq!(run.state, RunState::Complete, "{:?}", run.problem);
        assert_eq!(
            (run.pages, run.accounts, run.assignments),
            (9, 4_000, 8_000)
        );
        assert_eq!(
            desk.count(
                "select count(*) from subscriptions where valid_to is null and is_active = 1"
            )
            .await,
            8_000
        );
        let late =
            "select count(*) from accounts where valid_to is null and activity_at = 1771545600000"; // 2026-02-20
        assert_eq!(desk.count(late).await, 2_000);
        // The same again writes nothing.
        let rows = desk.count("select count(*) from accounts").await;
        desk.import(&text).await;
        assert_eq!(desk.count("select count(*) from accounts").await, rows);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unused_seat_of_an_imported_organization_is_told_as_work_by_hand_and_opens_no_candidate()
{
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let (host, ana) = (&company.host, &company.ana);
        let ada = person(host, "Ada", Role::SamAdmin).await;
        let source = imports::create_source(host, ana, "Resold seats", "Reseller").await.unwrap();
        let text = "email,licence,last activity\nidle@example.com,CRM,2025-01-01\nbusy@example.com,CRM,2026-03-30\n";
        let new = NewText { name: "", bytes: text.as_bytes(), encoding: "", separator: "" };
        let file = imports::bring_file(host, ana, &source.number, new).await.unwrap();
        imports::import_file(host, ana, &source.number, file.id.as_str(), file.version, 0).await.unwrap();
        company.work().await;
        // The imported key is the very product that a rule watches.
        let to = AssignTo::Product("Sales Cloud".to_owned());
        catalog::assign_identifier(host, &ada, "import.reseller", "CRM", to).await.unwrap();
        company.approve_rule().await;
        company.work().await;
        let rule = company.rule().await;
        let preview = rules::preview_rule(host, &company.ben, &rule.number, 1_000).await.unwrap();
        let said: BTreeMap<String, String> = preview
            .people
            .iter()
            .filter(|row| row.organization_id == source.organization_id)
            .map(|row| (row.principal.clone(), row.why.clone()))
            .collect();
        assert_eq!(said.len(), 2);
        assert!(said["idle@example.com"].contains("by hand at the vendor"), "{said:?}");
        assert!(said["busy@example.com"].contains('<'), "{said:?}");
        let mut tx = host.store.read_everything().await.unwrap();
        let opened = sqlx::query("select count(*) as n from candidates where organization_id = $1")
            .bind(source.organization_id.as_str())
            .fetch_one(tx.conn())
            .await
            .unwrap();
        assert_eq!(opened.get::<i64, _>("n"), 0);
        drop(tx);
        assert!(company.count("select count(*) from candidates").await > 0, "the connected orgs have theirs");
        // Nothing that only a vendor could answer is asked of it.
        for refused in [
            seatwise::profiles::service::collect_now(host, ana, &source.number).await.map(|_| ()),
            seatwise::profiles::service::check(host, ana, &source.number).await.map(|_| ()),
        ] {
            assert_eq!(refused.unwrap_err().problem().code, "profile.imported");
        }
    })
    .await;
}
