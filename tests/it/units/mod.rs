//! Business units: whoever sees only one of them finds nothing of another at any address, in no list, record, count or export, and what
//! they may not see answers as what there is not.

mod asker;
mod stage;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::{Method, StatusCode};
use seatwise::entitlements::subscriptions::{self, Filter};
use seatwise::identity::roles::Permission;
use seatwise::identity::service as identity;
use seatwise::kernel::IntoProblem as _;
use seatwise::kernel::faults::NoFaults;
use seatwise::reclamation::rule::Scope;
use seatwise::reclamation::{actions, batches, candidates, rules};
use seatwise::web::routes::{Face, table};
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::on_both;

use stage::{Keys, Units, one, texts};

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
            // Their own records are there; this org just stands instead of no other.
            let is_there = address.ends_with("/supersession")
                || !matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND);
            if !company_wide && !is_there {
                wrong.push(format!("GET {address}: {} {}", answer.status, answer.text));
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
    let proxy = format!("/profiles/{}/proxy", units.west[&("profiles", "number")]);
    let inherited = units.wes.ask(Face::Page, &Method::GET, &proxy).await.text;
    assert!(
        inherited.contains("proxy.company.example")
            && inherited.contains("an alias of another business unit"),
        "what is taken over is shown, not whose it is: {inherited}"
    );
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
