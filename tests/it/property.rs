//! For random orgs, rights and scopes, through the host: what is stored is what the practice org's own database says is visible, and
//! what changed since, plus a sweep, is what a full download gives, also where stamps do not move.
//!
//! The database is the spec that the org was made from, changed as the test changes the org. Only the number of logins is asked of the
//! org itself, by an ordinary client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use seatwise::kernel::chance::{Chance as _, SeededChance};
use seatwise::kernel::clock::{DAY_MS, HOUR_MS};
use seatwise::kernel::faults::NoFaults;
use seatwise::sync::{RunKind, RunProcess, RunState, RunView, StartRun, service};
use seatwise_practice_org_salesforce::{
    OrgSpec, Package, PermissionSetLicence, Person, Rights, worked_example,
};
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::world::{T0_MS, World};
use serde_json::json;
use sqlx::Row as _;

/// Each of these draws an org, rights and a scope.
const SEEDS: std::ops::Range<u64> = 1..6;
const PROFILES: [&str; 6] = [
    "Standard User",
    "System Administrator",
    "Standard Platform User",
    "Chatter Free User",
    "Customer Community User",
    "Partner Community User",
];
const DOMAINS: [&str; 3] = ["acme.com", "acme.de", "other.example"];

struct Drawn {
    spec: OrgSpec,
    hidden: BTreeSet<usize>,
    domains: Option<Vec<&'static str>>,
    include_inactive: bool,
    kinds: Vec<&'static str>,
}

fn draw(chance: &SeededChance) -> Drawn {
    let half = || chance.below(2) == 0;
    let mut spec = OrgSpec::new("00D5g0000000004EAA", "Random", "random.my.salesforce.com");
    spec.rights = Rights {
        manage_users: chance.below(4) > 0,
        ..Rights::all()
    };
    spec.permission_set_licences = vec![PermissionSetLicence::new("SalesUserPsl", "Sales", 100)];
    spec.packages = vec![Package::new("cpq", 100)];
    spec.features = [("SupportUser".to_owned(), 100)].into();
    let names = ["Zoë", "O'Neil", "李", "x\u{202e}y", "Ann"];
    // An org without anybody in scope is held, rightly: Ann is always there.
    spec.people
        .push(Person::new("Ann", "L", "ann@acme.com", "Standard User"));
    for number in 0..chance.below(30) {
        let profile = usize::try_from(chance.below(6)).unwrap();
        // Permission-set licences and packages go with full users only, as they do at the vendor.
        let list = |name: &str| -> Vec<String> {
            (profile < 2 && half())
                .then(|| name.to_owned())
                .into_iter()
                .collect()
        };
        let domain = DOMAINS[usize::try_from(chance.below(3)).unwrap()];
        let last = chance.below(400).cast_signed();
        spec.people.push(Person {
            email: format!("u{number}@{domain}"),
            is_active: chance.below(5) > 0,
            is_frozen: chance.below(5) == 0,
            last_login_ms: (last < 350).then(|| worked_example::T0_MS - last * DAY_MS),
            permission_set_licences: list("SalesUserPsl"),
            packages: list("cpq"),
            features: list("SupportUser"),
            ..Person::new(
                names[usize::try_from(chance.below(5)).unwrap()],
                "L",
                &format!("u{number}@users.example"),
                PROFILES[profile],
            )
        });
    }
    let hidden = (2..spec.people.len())
        .filter(|_| chance.below(10) == 0)
        .collect();
    Drawn {
        hidden,
        domains: half().then(|| {
            let many = 1 + usize::try_from(chance.below(2)).unwrap();
            DOMAINS[..many].to_vec()
        }),
        include_inactive: chance.below(3) > 0,
        kinds: ["permission-set-licences", "packages", "features"]
            .into_iter()
            .filter(|_| half())
            .collect(),
        spec,
    }
}

impl Drawn {
    /// What must be stored, seen through rights and scope: a line per account and seat.
    fn truth(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (at, person) in self.spec.people.iter().enumerate() {
            let domain = person.email.split('@').nth(1).unwrap_or_default();
            let is_wanted = (self.include_inactive || person.is_active)
                && self
                    .domains
                    .as_ref()
                    .is_none_or(|domains| domains.contains(&domain));
            if self.hidden.contains(&at) || !is_wanted {
                continue;
            }
            let who = &person.username;
            let active = i64::from(person.is_active);
            let last = person
                .last_login_ms
                .map_or_else(|| "-".to_owned(), |at| at.to_string());
            lines.insert(format!("{who} active {active} last {last}"));
            if self.spec.rights.manage_users && person.is_frozen {
                lines.insert(format!("{who} is frozen"));
            }
            let mut seats = Vec::new();
            let profile = self
                .spec
                .profiles
                .iter()
                .find(|known| Some(&known.name) == person.profile.as_ref());
            seats.extend(profile.map(|profile| profile.licence.clone()));
            let mut add = |kind: &str, prefix: &str, names: &[String]| {
                if self.kinds.contains(&kind) {
                    seats.extend(names.iter().map(|name| format!("{prefix}:{name}")));
                }
            };
            add(
                "permission-set-licences",
                "psl",
                &person.permission_set_licences,
            );
            add("packages", "package", &person.packages);
            add("features", "feature", &person.features);
            lines.extend(
                seats
                    .iter()
                    .map(|seat| format!("{who} holds {seat} active {active}")),
            );
        }
        lines
    }
}

/// What is stored, in the same words.
async fn stored(world: &World) -> BTreeSet<String> {
    let mut tx = world.host.store.read_everything().await.unwrap();
    let mut lines = BTreeSet::new();
    for statement in [
        "select principal || ' active ' || cast(is_active as text) || ' last ' || coalesce(cast(activity_at as text), '-') as line \
         from accounts where valid_to is null and is_gone = 0",
        "select principal || ' is frozen' as line from accounts where valid_to is null and is_gone = 0 and frozen = 'yes'",
        "select a.principal || ' holds ' || s.identifier || ' active ' || cast(s.is_active as text) as line from subscriptions s \
         join accounts a on a.organization_id = s.organization_id and a.vendor_id = s.account_id and a.valid_to is null \
         where s.valid_to is null",
    ] {
        let rows = sqlx::query(statement).fetch_all(tx.conn()).await.unwrap();
        lines.extend(rows.iter().map(|row| row.get::<String, _>("line")));
    }
    lines
}

/// Logins by account that the org tells an ordinary client, of the days that the connector reads.
async fn logins(world: &World) -> BTreeMap<String, i64> {
    let (_, session) = world
        .org
        .control()
        .call("POST", "session", &serde_json::Value::Null);
    let token = session["access_token"].as_str().unwrap();
    let from = world.host.now_ms().div_euclid(DAY_MS) - 180;
    let day = seatwise::kernel::Day::of_ms(from * DAY_MS);
    let mut url = url::Url::parse(world.org.base_url()).unwrap();
    url.set_path("/services/data/v66.0/query");
    url.query_pairs_mut().append_pair(
        "q",
        &format!("SELECT UserId who, COUNT(Id) n FROM LoginHistory WHERE LoginTime >= {day}T00:00:00Z GROUP BY UserId"),
    );
    // The org answers plain http here; the client wants a provider all the same.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let answer: serde_json::Value = reqwest::Client::new()
        .get(url)
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(answer["done"], true, "{answer}");
    let rows = answer["records"].as_array().unwrap();
    rows.iter()
        .map(|row| {
            (
                row["who"].as_str().unwrap().to_owned(),
                row["n"].as_i64().unwrap(),
            )
        })
        .collect()
}

async fn stored_logins(world: &World) -> BTreeMap<String, i64> {
    let mut tx = world.host.store.read_everything().await.unwrap();
    let rows = sqlx::query(
        "select account_id, cast(sum(event_count) as bigint) as n from activity_days where source <> 'last_activity' group by account_id",
    )
    .fetch_all(tx.conn())
    .await
    .unwrap();
    rows.iter()
        .map(|row| (row.get("account_id"), row.get("n")))
        .collect()
}

/// Of these accounts: only those that are stored.
async fn known(world: &World, all: BTreeMap<String, i64>) -> BTreeMap<String, i64> {
    let mut tx = world.host.store.read_everything().await.unwrap();
    let rows = sqlx::query("select distinct vendor_id from accounts")
        .fetch_all(tx.conn())
        .await
        .unwrap();
    let ids: BTreeSet<String> = rows.iter().map(|row| row.get("vendor_id")).collect();
    all.into_iter().filter(|(id, _)| ids.contains(id)).collect()
}

async fn run(world: &World, kind: RunKind) -> RunView {
    let profile = seatwise::profiles::service::get(&world.host, &world.ana, &world.profile)
        .await
        .unwrap();
    let mut tx = world.host.store.begin().await.unwrap();
    let start = StartRun {
        profile: &profile.id,
        kind,
        trigger: "schedule",
    };
    let run = service::start_run(&world.host, &mut tx, &world.ana, start)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    world.run_due_jobs().await;
    let mut run = world.run(&run).await;
    if run.state == RunState::Held {
        // A fall over a fifth of a small org waits for a person.
        let code = &run.problem.as_ref().unwrap().code;
        assert!(code.starts_with("sync.fewer_"), "{code}");
        service::accept_run(&world.host, &world.ana, &run.number, "the test hid them")
            .await
            .unwrap();
        world.run_due_jobs().await;
        run = world.run(&run.id).await;
    }
    assert_eq!(
        (run.state, run.kind),
        (RunState::Complete, kind),
        "{:?}",
        run.problem
    );
    run
}

/// Proves one drawn org; how many logins were stored.
async fn prove(database: &Database, seed: u64) -> i64 {
    let chance = SeededChance::new(seed);
    let mut drawn = draw(&chance);
    let domains = drawn
        .domains
        .as_ref()
        .map_or("*".to_owned(), |domains| domains.join("\n"));
    let settings = [
        ("include_inactive", drawn.include_inactive.to_string()),
        ("company_names", domains),
        ("licence_kinds", json!(drawn.kinds).to_string()),
        ("activity_source", "login_history".to_owned()),
    ];
    let settings: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let mut world = World::set_up(
        database,
        drawn.spec.clone(),
        Arc::new(NoFaults),
        "client-credentials",
        &settings,
    )
    .await;
    let tell = |world: &World, path: &str, body: serde_json::Value| {
        let (status, answer) = world.org.control().call("POST", path, &body);
        assert_eq!(status, 200, "{path}: {answer}");
    };
    let id = |spec: &OrgSpec, at: usize| spec.user_id(at as u64 + 1);
    for at in &drawn.hidden {
        let path = format!("users/{}/hidden", id(&drawn.spec, *at));
        tell(&world, &path, json!({"is_hidden": true}));
    }
    world.publish().await.unwrap();
    world.run_due_jobs().await;
    assert_eq!(stored(&world).await, drawn.truth(), "first");
    let sees_logins = world
        .runs()
        .await
        .iter()
        .any(|run| run.process == RunProcess::Activity);
    if sees_logins {
        assert_eq!(
            stored_logins(&world).await,
            known(&world, logins(&world).await).await
        );
    }
    // Some hours later things have happened; some logins move no stamp.
    world.advance(5 * HOUR_MS);
    let now = world.host.now_ms();
    let people = drawn.spec.people.len();
    if people > 2 {
        let pick = || 2 + usize::try_from(chance.below(people as u64 - 2)).unwrap();
        for _ in 0..chance.below(8) {
            let at = pick();
            if drawn.hidden.contains(&at) {
                continue;
            }
            let path = format!("users/{}/login", id(&drawn.spec, at));
            let keeps_stamp = chance.below(2) == 0;
            tell(
                &world,
                &path,
                json!({"at_ms": now - HOUR_MS, "keeps_stamp": keeps_stamp}),
            );
            drawn.spec.people[at].last_login_ms = Some(now - HOUR_MS);
        }
        for _ in 0..chance.below(5) {
            let (at, is_active) = (pick(), chance.below(2) == 0);
            let path = format!("users/{}/active", id(&drawn.spec, at));
            tell(&world, &path, json!({ "is_active": is_active }));
            drawn.spec.people[at].is_active = is_active;
        }
        for _ in 0..chance.below(3) {
            let at = pick();
            let path = format!("users/{}/hidden", id(&drawn.spec, at));
            tell(&world, &path, json!({"is_hidden": true}));
            drawn.hidden.insert(at);
        }
    }
    let before = stored(&world).await;
    run(&world, RunKind::Incremental).await;
    let after = stored(&world).await;
    let truth = drawn.truth();
    for line in after.difference(&before) {
        assert!(
            truth.contains(line),
            "an update brought what is not so: {line}"
        );
    }
    // The sweep takes away what is not there any more; then all is as the org has it.
    run(&world, RunKind::Full).await;
    assert_eq!(stored(&world).await, truth, "after the sweep");
    if sees_logins {
        assert_eq!(
            stored_logins(&world).await,
            known(&world, logins(&world).await).await
        );
    }
    assert_eq!(
        T0_MS + 5 * HOUR_MS,
        now,
        "the clock moved by nothing else than the test"
    );
    stored_logins(&world).await.values().sum()
}

#[tokio::test]
async fn what_is_stored_is_what_the_org_says_is_visible_and_changes_plus_a_sweep_are_a_full_download()
 {
    let logins = Arc::new(AtomicI64::new(0));
    for seed in SEEDS {
        let logins = Arc::clone(&logins);
        on_both(move |database| {
            let logins = Arc::clone(&logins);
            async move {
                println!("seed {seed}");
                logins.fetch_add(prove(&database, seed).await, Ordering::Relaxed);
            }
        })
        .await;
    }
    assert!(
        logins.load(Ordering::Relaxed) > 0,
        "no drawn org let anybody read its logins"
    );
}
