//! The playbook's pure rules, on the manifest of a connector of this build.

use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::playbook::Estimate;

use super::model::*;

fn manifest() -> std::sync::Arc<Manifest> {
    Manifest::parse(seatwise_builtin_connectors::all()[0].manifest)
        .unwrap()
        .into()
}

#[test]
fn every_task_is_found_by_its_address_and_asks_for_five_fields_at_most() {
    let manifest = manifest();
    let all = tasks(&manifest);
    for task in &all {
        assert_eq!(find(&manifest, &task.to_string()).as_ref(), Some(task));
        if let Task::Settings(page) = task {
            let names = settings_of(&manifest, *page);
            assert!((1..=FIELDS).contains(&names.len()), "{task}: {names:?}");
        }
    }
    assert_eq!(find(&manifest, "no-such-task"), None);
    let lanes: Vec<Lane> = Lane::ALL.to_vec();
    let mut seen: Vec<Lane> = all.iter().map(Task::lane).collect();
    seen.dedup();
    assert_eq!(seen, lanes);
}

#[test]
fn a_tick_is_not_a_proof_and_a_failed_check_speaks_against_it() {
    let proven_by = ["api".to_owned()];
    let with = |verdict: &'static str| {
        vec![CheckFact {
            id: "api",
            verdict,
            is_mandatory: true,
        }]
    };
    let task = Task::Prepare("app".to_owned());
    let look = |stored, checks: &[CheckFact<'_>]| {
        state(
            &task,
            &Facts {
                stored,
                checks,
                proven_by: &proven_by,
                ..Facts::default()
            },
        )
    };
    assert_eq!(look(None, &[]), TaskState::ToDo);
    assert_eq!(look(Some("done"), &[]), TaskState::Done);
    assert_eq!(look(None, &with("pass")), TaskState::Done);
    assert_eq!(look(Some("done"), &with("fail")), TaskState::NeedsAttention);
    assert_eq!(look(Some("waiting"), &with("running")), TaskState::Waiting);
}

#[test]
fn only_a_failed_mandatory_check_stands_in_the_way() {
    let fact = |verdict, is_mandatory| CheckFact {
        id: "c",
        verdict,
        is_mandatory,
    };
    for (checks, expected) in [
        (vec![], TaskState::ToDo),
        (
            vec![fact("pass", true), fact("waiting", true)],
            TaskState::InProgress,
        ),
        (
            vec![fact("pass", true), fact("fail", false)],
            TaskState::Done,
        ),
        (vec![fact("fail", true)], TaskState::NeedsAttention),
    ] {
        let facts = Facts {
            checks: &checks,
            ..Facts::default()
        };
        assert_eq!(state(&Task::Checks, &facts), expected, "{checks:?}");
    }
}

#[test]
fn a_pasted_address_is_tidied_and_said_so() {
    let manifest = manifest();
    let kept = |typed: &str| {
        let tidied = tidy(&manifest, typed).unwrap();
        (
            tidied.url.as_str().trim_end_matches('/').to_owned(),
            tidied.note,
        )
    };
    assert_eq!(
        kept("https://acme.my.salesforce.com"),
        ("https://acme.my.salesforce.com".to_owned(), None)
    );
    for (typed, became, why) in [
        (
            " https://acme--dev.sandbox.lightning.force.com/lightning/page/home ",
            "https://acme--dev.sandbox.my.salesforce.com",
            "Lightning",
        ),
        (
            "acme.my.salesforce.com/",
            "https://acme.my.salesforce.com",
            "https was put",
        ),
        (
            "https://acme.my.salesforce.com/?un=a@b.c&pw=x",
            "https://acme.my.salesforce.com",
            "only its host",
        ),
        (
            "https://acme.my.salesforce.com/",
            "https://acme.my.salesforce.com",
            "slash",
        ),
    ] {
        let (url, note) = kept(typed);
        assert_eq!(url, became, "{typed}");
        let note = note.unwrap();
        assert!(note.contains(why) && !note.contains("pw="), "{note}");
    }
    assert!(tidy(&manifest, "https://user:pw@acme.my.salesforce.com").is_err());
}

#[test]
fn the_expectation_grows_with_the_org() {
    let estimate = Estimate {
        accounts_per_call: 2_000,
        fixed_calls: 24,
        accounts_per_minute: 30_000,
    };
    assert_eq!(
        expect(estimate, 4_200),
        Expected {
            accounts: 4_200,
            minutes: 1,
            calls: 27
        }
    );
    assert_eq!(expect(estimate, 1_000_000).minutes, 34);
}

#[test]
fn a_price_is_taken_over_by_licence_and_currency_until_an_org_has_its_own() {
    use super::model::{Answers, Price};
    use crate::aliases::Origin;
    let priced = |currency: Option<&str>, prices: &[(&str, &str)], by: &str| Answers {
        currency: currency.map(str::to_owned),
        prices: prices
            .iter()
            .map(|(identifier, price)| Price {
                identifier: (*identifier).to_owned(),
                price: (*price).to_owned(),
            })
            .collect(),
        priced_by: Some(by.to_owned()),
        ..Answers::default()
    };
    let parent = priced(Some("EUR"), &[("SFDC", "1800"), ("AUL", "300")], "ana");
    let said = |own: &Answers| {
        let held = own.prices_under(Some(&parent));
        let mut all: Vec<String> = held
            .prices
            .iter()
            .map(|held| {
                let whose = if held.origin == Origin::Own {
                    "own"
                } else {
                    "taken"
                };
                format!(
                    "{} {} {whose} {}",
                    held.price.identifier, held.price.price, held.by
                )
            })
            .collect();
        all.sort();
        (
            held.currency.map(|held| held.value).unwrap_or_default(),
            all,
        )
    };
    let (currency, all) = said(&parent.copied("PRF0001001", true));
    assert_eq!(currency, "EUR");
    assert_eq!(all, ["AUL 300 taken ana", "SFDC 1800 taken ana"]);
    let (currency, all) = said(&priced(Some("EUR"), &[("SFDC", "1500")], "ben"));
    assert_eq!(currency, "EUR");
    assert_eq!(all, ["AUL 300 taken ana", "SFDC 1500 own ben"]);
    // An amount without its currency is no price.
    let (currency, all) = said(&priced(Some("USD"), &[("SFDC", "1900")], "ben"));
    assert_eq!(currency, "USD");
    assert_eq!(all, ["SFDC 1900 own ben"]);
    assert_eq!(parent.copied("PRF0001001", false).prices, parent.prices);
}
