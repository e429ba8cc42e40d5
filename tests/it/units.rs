//! Business units: whoever sees only one of them finds nothing of another at any address, in no list, record, count or export, and what
//! they may not see answers as what there is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use seatwise::entitlements::model::SourceOfRights;
use seatwise::entitlements::service::{self as entitlements, NewEntitlement};
use seatwise::entitlements::subscriptions::{self, Filter};
use seatwise::entitlements::terms::Period;
use seatwise::identity::roles::{Actor, Permission, Role};
use seatwise::identity::service::{self as identity, NewToken};
use seatwise::imports::service::{self as imports, NewText};
use seatwise::imports::sign_ins::service::{self as sign_ins, SignInEvent};
use seatwise::kernel::IntoProblem as _;
use seatwise::kernel::faults::NoFaults;
use seatwise::people::service as people;
use seatwise::reclamation::controls::{self, NewExemption};
use seatwise::reclamation::rule::{Edit, Scope};
use seatwise::reclamation::{actions, batches, candidates, rules};
use seatwise::web::routes::{Face, table};
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::on_both;
use seatwise_tests::world::person;
use sqlx::Row as _;
use tower::ServiceExt as _;

/// Records of one unit, by the first part of an address and the name of its placeholder.
type Keys = BTreeMap<(&'static str, &'static str), String>;

/// What a placeholder stands for when it is nobody's unit: the company's records, or the asker's own.
const OF_NO_UNIT: [(&str, &str); 8] = [
    ("rules", "number"),
    ("reconciliations", "number"),
    ("tokens", "id"),
    ("account", "id"),
    ("connect", "id"),
    ("mail", "cause"),
    ("webhooks", "id"),
    ("deliveries", "id"),
];

/// Somebody's cookie, form token and personal token at the router.
struct Asker {
    app: Router,
    actor: Actor,
    cookie: String,
    csrf: String,
    bearer: String,
}

struct Answer {
    status: StatusCode,
    text: String,
}

impl Asker {
    async fn of(company: &Company, id: &seatwise::kernel::PrincipalId) -> Self {
        let host = &company.host;
        let link = identity::mint_signin_link(host, &Actor::system(), id)
            .await
            .unwrap();
        let device = identity::Device::default();
        let signed_in = identity::redeem_signin_link(host, &link.token, &device)
            .await
            .unwrap();
        let identity::SignedIn::Session(session) = signed_in else {
            panic!("a code is asked for")
        };
        let actor = identity::authenticate_session(host, &session.cookie)
            .await
            .unwrap()
            .actor;
        let wanted = NewToken {
            name: "walk".to_owned(),
            days: 300,
            ..NewToken::default()
        };
        let token = identity::mint_token(host, &actor, wanted).await.unwrap();
        Self {
            app: seatwise::web::router(host.clone()),
            actor,
            cookie: format!("seatwise={}", session.cookie),
            csrf: session.csrf_token,
            bearer: format!("Bearer {}", token.secret),
        }
    }

    async fn ask(&self, face: Face, method: &Method, path: &str) -> Answer {
        let request = Request::builder().method(method.clone()).uri(path);
        let request = match (face, method == Method::GET) {
            (Face::Api, true) => request
                .header(header::AUTHORIZATION, &self.bearer)
                .body(Body::empty()),
            (Face::Api, false) => request
                .header(header::AUTHORIZATION, &self.bearer)
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(json_for(path))),
            (_, true) => request
                .header(header::COOKIE, &self.cookie)
                .body(Body::empty()),
            (_, false) => request
                .header(header::COOKIE, &self.cookie)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header("sec-fetch-site", "same-origin")
                .body(Body::from(format!(
                    "csrf={}&answer=keep&decision=grant&reason=because&seen=x",
                    self.csrf
                ))),
        };
        let answer = self.app.clone().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status();
        // A stream of events goes on for as long as somebody listens.
        let ends = !(path.ends_with("/events") && status == StatusCode::OK);
        let text = if ends {
            let body = tokio::time::timeout(
                Duration::from_secs(60),
                to_bytes(answer.into_body(), 1 << 24),
            );
            let bytes = body.await.expect("the body ends").unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            String::new()
        };
        Answer { status, text }
    }
}

/// A body that the address reads, so that it comes as far as looking for the record.
fn json_for(path: &str) -> &'static str {
    match path.rsplit('/').next().unwrap_or_default() {
        "answer" => r#"{"answer":"keep","reason":"because"}"#,
        "decide" => r#"{"is_granted":true}"#,
        "release" | "repair" | "close" | "undo" => r#"{"reason":"because"}"#,
        "approve" => r#"{"seen":"x"}"#,
        _ => "{}",
    }
}

/// The first part of an address that says what it is about.
fn root(pattern: &str) -> &str {
    let path = pattern.trim_start_matches("/api/v1");
    path.trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default()
}

/// The address with these keys; `None` where a placeholder has none.
fn filled(pattern: &str, keys: &Keys) -> Option<String> {
    let about = root(pattern).to_owned();
    let parts: Option<Vec<String>> = pattern
        .split('/')
        .map(|part| match part.strip_prefix('{') {
            Some(name) => {
                let name = name.trim_end_matches('}');
                keys.iter()
                    .find(|((root, of), _)| *root == about && *of == name)
                    .map(|(_, key)| key.clone())
            }
            None => Some(part.to_owned()),
        })
        .collect();
    Some(parts?.join("/"))
}

async fn texts(company: &Company, statement: &str) -> Vec<String> {
    let mut tx = company.host.store.read_everything().await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()))
        .fetch_all(tx.conn())
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"))
        .iter()
        .filter_map(|row| row.get::<Option<String>, _>(0))
        .filter(|text| text.len() > 3)
        .collect()
}

async fn one(company: &Company, statement: &str) -> String {
    texts(company, statement)
        .await
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("nothing: {statement}"))
}

/// Two units with an org each, and in the East one of everything.
struct Units {
    company: Company,
    /// Sees the West, and holds every role.
    wes: Asker,
    /// Sees everything, and holds every role.
    uma: Asker,
    west: Keys,
    east: Keys,
    /// Texts that only the East has.
    secrets: BTreeSet<String>,
}

impl Units {
    async fn new(company: Company) -> Self {
        let (host, ana) = (&company.host, &company.ana);
        let admin = person(host, "Ada", Role::Admin).await;
        for unit in ["West", "East"] {
            identity::create_unit(host, &admin, unit).await.unwrap();
        }
        let (west, east) = (company.profiles[0].clone(), company.profiles[1].clone());
        for (profile, unit) in [(&west, "West"), (&east, "East")] {
            identity::place_profile(host, &admin, profile, Some(unit))
                .await
                .unwrap();
        }
        let mut ids = Vec::new();
        for name in ["Wes", "Uma"] {
            let new = identity::NewPrincipal {
                kind: identity::PrincipalKind::Person,
                name: name.to_owned(),
                email: Some(format!("{}@company.example", name.to_lowercase())),
                roles: Role::ALL.into(),
            };
            ids.push(
                identity::create_principal(host, &Actor::system(), new)
                    .await
                    .unwrap(),
            );
        }
        identity::set_sight(host, &admin, &ids[0], &["West".to_owned()].into())
            .await
            .unwrap();

        // The directory: whoever is in Org2 alone belongs to the East.
        let mut csv =
            "external_id,name,email,business_unit,department,cost_centre,status\n".to_owned();
        for (id, name) in [
            ("S13", "kim"),
            ("S14", "lou"),
            ("S17", "ola"),
            ("S18", "pat"),
        ] {
            csv.push_str(&format!(
                "{id},{name},{name}@example.com,East,Eastern Sales,CC-East,employed\n"
            ));
        }
        people::import_csv(host, ana, &csv).await.unwrap();
        let org = one(
            &company,
            &format!("select organization_id from profiles where number = '{east}'"),
        )
        .await;

        // What hangs on an organization: a contract of its own, an exemption, sign-ins, and a list that was imported.
        let day = |text: &str| text.parse().unwrap();
        let new = NewEntitlement {
            product: "Platform".to_owned(),
            organization: Some(org.as_str().into()),
            is_shared: false,
            rights: Some(77),
            unit_price: "301".to_owned(),
            currency: "USD".to_owned(),
            period: Period::Year,
            starts_on: day("2025-07-01"),
            ends_on: day("2026-06-30"),
            source: SourceOfRights::Contract,
            note: Some("bought in the far Orient".to_owned()),
        };
        entitlements::add_entitlement(host, ana, new).await.unwrap();
        let new = NewExemption {
            organization: Some(org.as_str().into()),
            principal: "pat@example.com".to_owned(),
            kind: "vip".to_owned(),
            reason: "warden of the Orient".to_owned(),
            until: None,
        };
        controls::add_exemption(host, ana, new).await.unwrap();
        sign_ins::create_source(host, ana, "Orient Directory")
            .await
            .unwrap();
        let events = ["lou@example.com", "ghost@orient.example"].map(|login| SignInEvent {
            login: login.to_owned(),
            application: "Orient CRM".to_owned(),
            at: host.now_ms() - 200 * 86_400_000,
        });
        sign_ins::bring_events(host, ana, "Orient Directory", &events, false)
            .await
            .unwrap();
        let application = sign_ins::list_sources(host, ana).await.unwrap()[0].applications[0]
            .id
            .clone();
        sign_ins::map_application(host, ana, application.as_str(), Some(&org.as_str().into()))
            .await
            .unwrap();
        let source = imports::create_source(host, ana, "Orient Board", "Acme")
            .await
            .unwrap();
        identity::place_profile(host, &admin, &source.number, Some("East"))
            .await
            .unwrap();
        let new = NewText {
            name: "orient-users.csv",
            bytes: b"email,name,licence\nzoe@orient.example,Zoe of the Orient,Pro\n",
            encoding: "",
            separator: "",
        };
        let file = imports::bring_file(host, ana, &source.number, new)
            .await
            .unwrap();
        imports::import_file(host, ana, &source.number, file.id.as_str(), file.version, 0)
            .await
            .unwrap();
        company.work().await;

        // The East's list is approved, and its seat taken back; a list of both stays open for a while, then one of the West.
        company.approve_rule().await;
        company.go_live().await;
        let rule = company.rule().await.number;
        let lou = company.candidate("lou").await.number;
        let both = batches::create_batch(host, ana, &rule, &[]).await.unwrap();
        let far = batches::create_batch(host, ana, &rule, std::slice::from_ref(&lou))
            .await
            .unwrap();
        batches::approve_batch(host, &company.ben, &far.number, &far.digest)
            .await
            .unwrap();
        company.work().await;
        company.silence().await;
        let cy = company.candidate("cy").await.number;
        let near = batches::create_batch(host, ana, &rule, std::slice::from_ref(&cy))
            .await
            .unwrap();
        company.collect().await;

        // A change of the rule waits that names both organizations.
        let orgs = texts(&company, "select id from organizations").await;
        let edit = Edit {
            scope: Some(Scope::Organizations(orgs.into_iter().collect())),
            ..Edit::default()
        };
        rules::edit_rule(host, ana, &rule, &edit).await.unwrap();

        let taken = one(&company, "select number from actions where state = 'done'").await;
        let row = |column: &str, number: &str| {
            format!("select {column} from candidates where number = '{number}'")
        };
        let run = |number: &str| {
            format!(
                "select r.number from runs r join profiles p on p.id = r.profile_id where p.number = '{number}' order by r.number"
            )
        };
        let mut keys = [Keys::new(), Keys::new()];
        for (at, (profile, candidate, batch)) in
            [(&west, &cy, &near.number), (&east, &lou, &far.number)]
                .into_iter()
                .enumerate()
        {
            let organization = one(&company, &row("organization_id", candidate)).await;
            let account = one(&company, &row("account_id", candidate)).await;
            let action = if at == 0 {
                one(
                    &company,
                    &format!("select number from actions where organization_id = '{organization}'"),
                )
                .await
            } else {
                taken.clone()
            };
            keys[at] = Keys::from([
                (("accounts", "organization"), organization.clone()),
                (("accounts", "account"), account),
                (("profiles", "number"), profile.clone()),
                (("profiles", "task"), "review".to_owned()),
                (("candidates", "number"), candidate.clone()),
                (("batches", "number"), batch.clone()),
                (("actions", "number"), action),
                (("runs", "number"), one(&company, &run(profile)).await),
                (("sources", "id"), organization),
            ]);
        }
        let [west, mut east] = keys;
        east.insert(("imports", "number"), source.number.clone());
        east.insert(("imports", "file"), file.id.to_string());
        east.insert(("identity-applications", "id"), application.to_string());
        east.insert(
            ("exemptions", "id"),
            one(
                &company,
                "select id from exemptions where reason like '%Orient'",
            )
            .await,
        );
        east.insert(
            ("entitlements", "number"),
            one(
                &company,
                "select number from entitlements where note like '%Orient'",
            )
            .await,
        );

        let mut secrets = BTreeSet::from([both.number.clone(), both.id.to_string()]);
        let profiles = "select p.id from profiles p join business_units b on b.id = p.business_unit_id where b.name = 'East'";
        let orgs = format!(
            "select organization_id from profiles where id in ({profiles}) and organization_id is not null"
        );
        for statement in [
            format!("select number from profiles where id in ({profiles})"),
            format!("select id from profiles where id in ({profiles})"),
            format!("select name from profiles where id in ({profiles})"),
            format!("select alias_id from profiles where id in ({profiles})"),
            format!("select c.login_url from connections c join profiles p on p.alias_id = c.alias_id where p.id in ({profiles})"),
            format!("select id from organizations where id in ({orgs})"),
            format!("select name from organizations where id in ({orgs})"),
            format!("select vendor_org_id from organizations where id in ({orgs})"),
            format!("select number from runs where profile_id in ({profiles})"),
            format!("select id from runs where profile_id in ({profiles})"),
            format!("select number from candidates where organization_id in ({orgs})"),
            format!("select id from candidates where organization_id in ({orgs})"),
            format!("select number from actions where organization_id in ({orgs})"),
            format!("select id from actions where organization_id in ({orgs})"),
            format!("select number from entitlements where organization_id in ({orgs})"),
            format!("select note from entitlements where organization_id in ({orgs})"),
            format!("select reason from exemptions where organization_id in ({orgs})"),
            format!(
                "select vendor_id from accounts where organization_id in ({orgs}) \
                 and vendor_id not in (select vendor_id from accounts where organization_id not in ({orgs}))"
            ),
            format!(
                "select principal from accounts where organization_id in ({orgs}) \
                 and principal not in (select principal from accounts where organization_id not in ({orgs}))"
            ),
            "select p.id from people p join business_units b on b.id = p.business_unit_id where b.name = 'East'".to_owned(),
            "select p.email from people p join business_units b on b.id = p.business_unit_id where b.name = 'East'".to_owned(),
            "select name from identity_sources".to_owned(),
            "select name from identity_applications".to_owned(),
            "select id from identity_applications".to_owned(),
            "select login from identity_signins where login like 'ghost%'".to_owned(),
            "select name from import_files".to_owned(),
            "select id from import_files".to_owned(),
        ] {
            let found = texts(&company, &statement).await;
            assert!(!found.is_empty(), "the East has none of: {statement}");
            secrets.extend(found);
        }
        secrets.extend([far.number, far.id.to_string(), "Eastern Sales".to_owned()]);
        Self {
            wes: Asker::of(&company, &ids[0]).await,
            uma: Asker::of(&company, &ids[1]).await,
            company,
            west,
            east,
            secrets,
        }
    }

    /// Those of the East's texts that stand in this one.
    fn told<'a>(&'a self, text: &str) -> Vec<&'a str> {
        self.secrets
            .iter()
            .map(String::as_str)
            .filter(|secret| text.contains(secret))
            .collect()
    }
}

/// Every read address of pages and API, with the West's records: nothing of the East is in any answer, and whoever sees everything
/// does find it there.
async fn reads_tell_nothing_of_another_unit(units: &Units) {
    let mut wrong = Vec::new();
    let mut found: BTreeSet<&str> = BTreeSet::new();
    for route in table() {
        if route.face == Face::Open || route.method != Method::GET {
            continue;
        }
        let mut addresses: Vec<String> = filled(route.path, &units.west).into_iter().collect();
        if route.path.contains("/rules/") {
            let rule = units.company.rule().await.number;
            addresses.push(route.path.replace("{number}", &rule));
        }
        if route.path.contains("/reconciliations/") {
            let newest = units.company.reconciliation().await.number;
            addresses.push(route.path.replace("{number}", &newest));
        }
        if route.asks.iter().any(|(name, _)| *name == "limit") {
            addresses.extend(
                addresses
                    .clone()
                    .iter()
                    .map(|address| format!("{address}?limit=200")),
            );
        }
        for address in addresses {
            let answer = units.wes.ask(route.face, &Method::GET, &address).await;
            let told = units.told(&answer.text);
            if !told.is_empty() || answer.status.is_server_error() {
                wrong.push(format!("GET {address}: {} {told:?}", answer.status));
            }
            let company_wide = route.needs.is_some_and(Permission::reaches_the_company);
            if company_wide && answer.status != StatusCode::FORBIDDEN {
                wrong.push(format!("GET {address}: {}, not 403", answer.status));
            }
            if !company_wide && answer.status == StatusCode::FORBIDDEN {
                wrong.push(format!("GET {address}: {}", answer.text));
            }
        }
        if let Some(address) = filled(route.path, &units.east) {
            let all = units.uma.ask(route.face, &Method::GET, &address).await;
            found.extend(units.told(&all.text));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unseen: Vec<&String> = units
        .secrets
        .iter()
        .filter(|secret| !found.contains(secret.as_str()))
        .collect();
    assert!(
        unseen.len() * 5 < units.secrets.len(),
        "the walk would not notice these: {unseen:?}"
    );
}

/// Every address of a record, read or written, with the East's key: the same answer as for a key that there is not.
async fn records_of_another_unit_do_not_exist(units: &Units) {
    let absent: Keys = units
        .east
        .iter()
        .map(|(place, key)| {
            // As long as the other, and of nobody.
            let digit = |c: char| if c.is_ascii_alphanumeric() { '9' } else { c };
            let none = if *place == ("profiles", "task") {
                key.clone()
            } else {
                key.chars()
                    .take(3)
                    .chain(key.chars().skip(3).map(digit))
                    .collect()
            };
            (*place, none)
        })
        .collect();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for route in table() {
        if route.face == Face::Open || !route.path.contains('{') {
            continue;
        }
        let (Some(foreign), Some(none)) =
            (filled(route.path, &units.east), filled(route.path, &absent))
        else {
            let names = route
                .path
                .split('/')
                .filter_map(|part| part.strip_prefix('{'))
                .map(|name| name.trim_end_matches('}'));
            let is_known = names.clone().all(|name| {
                OF_NO_UNIT.contains(&(root(route.path), name))
                    // Refused to whoever does not see the whole company, before anything is looked up.
                    || route.needs.is_some_and(Permission::reaches_the_company)
            });
            if !is_known {
                wrong.push(format!("{} {} is not walked", route.method, route.path));
            }
            continue;
        };
        let strip = |text: &str, keys: &Keys| {
            let mut text = text.to_owned();
            for key in keys.values() {
                text = text.replace(key.as_str(), "KEY");
            }
            text
        };
        let theirs = units.wes.ask(route.face, &route.method, &foreign).await;
        let nobodys = units.wes.ask(route.face, &route.method, &none).await;
        compared += 1;
        if theirs.status != nobodys.status
            || !(theirs.status == StatusCode::NOT_FOUND || theirs.status == StatusCode::FORBIDDEN)
            || strip(&theirs.text, &units.east) != strip(&nobodys.text, &absent)
        {
            wrong.push(format!(
                "{} {foreign}: {} {}\n  and {none}: {} {}",
                route.method,
                theirs.status,
                theirs.text.chars().take(600).collect::<String>(),
                nobodys.status,
                nobodys.text.chars().take(600).collect::<String>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 60, "only {compared} addresses were compared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sees_one_business_unit_finds_nothing_of_another_at_any_address() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let units = Units::new(company).await;
        reads_tell_nothing_of_another_unit(&units).await;
        records_of_another_unit_do_not_exist(&units).await;
        counts_decisions_and_mail_stay_within_the_unit(&units).await;
        a_sight_is_given_and_taken_by_an_administrator_who_sees_everything(&units).await;
    })
    .await;
}

/// Counts and sums are of the unit; what is decided within it is, and nothing beyond.
async fn counts_decisions_and_mail_stay_within_the_unit(units: &Units) {
    let (host, wes, company) = (&units.company.host, &units.wes.actor, &units.company);
    let org = &units.west[&("accounts", "organization")];
    let number = |text: String| text.parse::<i64>().unwrap();
    let counted = candidates::count_candidates(host, wes).await.unwrap();
    let counted: i64 = counted.iter().map(|(_, n)| n).sum();
    let stored = format!(
        "select cast(1000 + count(*) as text) from candidates where organization_id = '{org}'"
    );
    assert_eq!(1_000 + counted, number(one(company, &stored).await));
    let seats = subscriptions::list_subscriptions(host, wes, &Filter::default(), None, 500)
        .await
        .unwrap();
    let stored = format!(
        "select cast(1000 + count(*) as text) from subscriptions where valid_to is null and organization_id = '{org}'"
    );
    assert_eq!(
        1_000 + i64::try_from(seats.rows.len()).unwrap(),
        number(one(company, &stored).await)
    );

    // A rule names people of every unit, and so does the list of all that are ready.
    let rule = company.rule().await;
    for refused in [
        rules::approve_rule(host, wes, &rule.number, &rule.digest)
            .await
            .unwrap_err(),
        rules::refuse_rule(host, wes, &rule.number, &rule.digest, "no")
            .await
            .unwrap_err(),
        batches::create_batch(host, wes, &rule.number, &[])
            .await
            .unwrap_err(),
    ] {
        let problem = refused.problem();
        assert_eq!(
            (problem.status, problem.code.as_str()),
            (403, "identity.beyond_units")
        );
        assert!(
            problem.fix.text.contains("sees all of them"),
            "{}",
            problem.fix.text
        );
    }
    assert_eq!(
        rules::get_rule(host, wes, &rule.number)
            .await
            .unwrap()
            .deciding
            .scope,
        Scope::Organizations([org.clone()].into()),
        "of the organizations that a rule is for, those that are seen"
    );
    // What the East has done is neither undone nor approved from the West.
    let theirs = &units.east[&("actions", "number")];
    let refused = actions::undo(host, wes, theirs, "because")
        .await
        .unwrap_err();
    assert_eq!(refused.problem().status, 404);
    // The West's own list is approved by somebody of the West.
    let near = &units.west[&("batches", "number")];
    let seen = batches::get_batch(host, wes, near).await.unwrap();
    let approved = batches::approve_batch(host, wes, near, &seen.digest)
        .await
        .unwrap();
    assert!(
        approved.state == "approved" || !approved.decisions.is_empty(),
        "{approved:?}"
    );

    // They were told of their own list, and of no other; Ben was told of all.
    let mails = |who: &str| {
        format!(
            "select body from outbox where recipient = '{who}@company.example' and channel = 'mail'"
        )
    };
    let told = texts(company, &mails("wes")).await.join("\n");
    assert!(told.contains(near.as_str()), "{told}");
    assert_eq!(units.told(&told), Vec::<&str>::new());
    let ben = texts(company, &mails("ben")).await.join("\n");
    assert!(
        ben.contains(units.east[&("batches", "number")].as_str()),
        "{ben}"
    );
}

/// Who may say so, that it is audited and ends sessions, and that somebody always sees everything.
async fn a_sight_is_given_and_taken_by_an_administrator_who_sees_everything(units: &Units) {
    let (host, wes) = (&units.company.host, &units.wes.actor);
    let west = BTreeSet::from(["West".to_owned()]);
    let denied = identity::set_sight(host, wes, &wes.id, &BTreeSet::new()).await;
    assert_eq!(
        denied.unwrap_err().problem().status,
        403,
        "nobody widens their own sight"
    );
    let uma = &units.uma.actor;
    let unknown = identity::set_sight(host, uma, &wes.id, &["North".to_owned()].into()).await;
    assert_eq!(unknown.unwrap_err().problem().status, 422);
    let path = format!("/api/v1/access/{}", wes.id);
    let shown = units.uma.ask(Face::Api, &Method::GET, &path).await.text;
    assert!(shown.contains(r#""business_units":["West"]"#), "{shown}");
    let listed = units
        .uma
        .ask(Face::Api, &Method::GET, "/api/v1/business-units")
        .await
        .text;
    assert!(listed.contains(r#""business_unit":"East""#), "{listed}");
    let page = units
        .uma
        .ask(Face::Page, &Method::GET, "/access/business-units")
        .await
        .text;
    assert!(
        page.contains("Orient Board") && page.contains(">East<"),
        "{page}"
    );
    let own = units.wes.ask(Face::Page, &Method::GET, "/").await.text;
    assert!(
        own.contains("You see the business unit"),
        "the page says that it is a part"
    );

    // Ada and Uma are administrators who see everything; the last of them keeps it.
    let ada = one(
        &units.company,
        "select id from principals where name = 'Ada'",
    )
    .await;
    identity::set_sight(host, uma, &ada.as_str().into(), &west)
        .await
        .unwrap();
    let last = identity::set_sight(host, uma, &uma.id, &west)
        .await
        .unwrap_err();
    assert_eq!(last.problem().code, "identity.last_admin");

    identity::set_sight(host, uma, &wes.id, &BTreeSet::new())
        .await
        .unwrap();
    let gone = units.wes.ask(Face::Page, &Method::GET, "/").await;
    assert_eq!(
        gone.status,
        StatusCode::SEE_OTHER,
        "their sessions have ended"
    );
    let all = units
        .wes
        .ask(Face::Api, &Method::GET, "/api/v1/profiles")
        .await
        .text;
    assert!(
        all.contains(units.east[&("profiles", "number")].as_str()),
        "{all}"
    );
    let entries = texts(
        &units.company,
        "select event from audit where event in ('principal.business_units_set', 'business_unit.created', 'profile.business_unit_set')",
    )
    .await;
    let kinds: BTreeSet<&String> = entries.iter().collect();
    assert_eq!(kinds.len(), 3, "{entries:?}");
}
