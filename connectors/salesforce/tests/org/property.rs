//! For random orgs, rights, scopes and settings: what is stored is what the org's own database says is visible, and what changed since
//! plus a sweep is what a full download gives, also where stamps do not move.
//!
//! Orgs and oracle are the practice org's [`population`](seatwise_practice_org_salesforce::population), which a host's tests can use as
//! well; the oracle asks nothing over HTTP.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use seatwise_connector_sdk::{
    FailureKind,
    subscriptions::{AccountKind, Fact, LastActivity},
};
use seatwise_practice_org_salesforce::{
    Rights,
    population::{DOMAINS, Known, Population, Scope},
    worked_example::T0_MS,
};
use serde_json::json;

use crate::link::{Downloaded, Link};

const KINDS: [&str; 3] = ["permission-set-licences", "packages", "features"];

type Store = BTreeMap<String, Known>;

/// A download as a host stores it: rows of unknown accounts are left out; nobody in the frozen chain is *not frozen*.
fn stored(got: &Downloaded, knows_frozen: bool) -> Store {
    let mut names = BTreeMap::new();
    let mut store = Store::new();
    for account in &got.accounts {
        names.insert(account.id.as_str(), account.principal.clone());
        let known = Known {
            is_active: account.active,
            last_login_ms: match account.last_activity {
                LastActivity::At(at) => Some(at),
                LastActivity::Never => None,
                LastActivity::Unknown => panic!("the column is visible"),
            },
            name: account.name.clone().unwrap_or_default().trim().to_owned(),
            frozen: knows_frozen.then_some(false),
            seats: BTreeSet::new(),
        };
        assert!(store.insert(account.principal.clone(), known).is_none());
    }
    let mut each = |id: &str, change: &mut dyn FnMut(&mut Known)| {
        if let Some(known) = names.get(id).and_then(|name| store.get_mut(name)) {
            change(known);
        }
    };
    for fact in &got.facts {
        if let Fact::Frozen(frozen) = fact.fact {
            each(&fact.account, &mut |known| known.frozen = Some(frozen));
        }
    }
    for seat in &got.assignments {
        each(&seat.account, &mut |known| {
            assert!(
                known.seats.insert(seat.identifier.clone()),
                "{seat:?} twice"
            );
        });
    }
    store
}

/// The profile's settings that stand for a scope.
fn settings(scope: &Scope, by_bulk: bool) -> String {
    let kinds: Vec<&str> = KINDS
        .into_iter()
        .zip(scope.kinds)
        .filter(|(_, is_wanted)| *is_wanted)
        .map(|(kind, _)| kind)
        .collect();
    json!({
        "include_inactive": scope.include_inactive,
        "company_names": scope.domains.as_ref().map_or("*".to_owned(), |domains| domains.join("\n")),
        "leave_out_user_types": scope.without_types,
        "leave_out_licences": scope.without_licences.join("\n"),
        "licence_kinds": kinds,
        "read_users_by": if by_bulk { "bulk" } else { "rest" },
    })
    .to_string()
}

fn some_of(names: &[&str]) -> impl Strategy<Value = Vec<String>> + use<> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    prop::sample::subsequence(names.clone(), 0..names.len())
}

fn scope() -> impl Strategy<Value = Scope> {
    let domains = prop::option::of(some_of(&DOMAINS).prop_filter("some", |all| !all.is_empty()));
    (
        domains,
        any::<bool>(),
        some_of(&["CsnOnly", "CspLitePortal", "PowerPartner", "Standard"]),
        some_of(&["SFDC", "CSN_User", "PID_Customer_Community", "FDC_SUB"]),
        any::<[bool; 3]>(),
    )
        .prop_map(
            |(domains, include_inactive, without_types, without_licences, kinds)| Scope {
                domains,
                include_inactive,
                without_types,
                without_licences,
                kinds,
            },
        )
}

fn rights() -> impl Strategy<Value = Rights> {
    let mostly = || prop::bool::weighted(0.8);
    (any::<bool>(), mostly(), mostly(), any::<[bool; 3]>()).prop_map(
        |(manage_users, view_all_users, view_setup, others)| Rights {
            manage_users,
            view_all_users,
            view_setup,
            view_developer_name: others[0],
            assign_permission_sets: others[1],
            view_all_data: others[2],
            ..Rights::all()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_stored_is_what_the_orgs_own_database_says_is_visible(
        seed in any::<u64>(),
        names in prop::collection::vec("[\\PC]{1,20}", 0..25),
        rights in rights(),
        scope in scope(),
        by_bulk in any::<bool>(),
    ) {
        let mut population = Population::drawn(seed, names.len(), T0_MS);
        for (person, name) in population.spec.people[1..].iter_mut().zip(names) {
            person.last_name = name;
        }
        population.spec.rights = rights;
        let mut link = Link::unidentified(population.spec.clone(), T0_MS);
        population.hide(&link.control());
        link.ctx.settings = settings(&scope, by_bulk);
        link.identify();
        let got = link.download(None);
        // Without View Setup no licence can be told: the download fails, rather than bringing people without licences.
        prop_assert_eq!(got.is_ok(), rights.view_setup);
        let got = match got {
            Ok(got) => got,
            Err(failure) => {
                prop_assert_eq!(failure.kind, FailureKind::Permission, "{:?}", failure);
                return Ok(());
            }
        };
        prop_assert_eq!(stored(&got, rights.manage_users), population.seen(rights, &scope));
        prop_assert_eq!(
            got.expected,
            Some(got.accounts.len() as u64 + got.out_of_scope)
        );
        for account in &got.accounts {
            let is_person = account.kind == AccountKind::Person;
            let has_reason = account.attributes.iter().any(|a| a.name == "kind.reason");
            prop_assert_eq!(is_person, !has_reason, "{:?}", account);
        }
    }

    #[test]
    fn changes_since_plus_a_sweep_is_a_full_download_also_where_stamps_do_not_move(
        seed in any::<u64>(),
        size in 1..20_usize,
        changes in prop::collection::vec(any::<u64>(), 1..4),
        scope in scope(),
    ) {
        let mut population = Population::drawn(seed, size, T0_MS);
        let mut link = Link::unidentified(population.spec.clone(), T0_MS);
        link.ctx.settings = settings(&scope, false);
        link.identify();
        population.hide(&link.control());
        let mut store = stored(&link.download(None).unwrap(), true);
        let mut read_at = T0_MS;
        let mut unmarked = BTreeSet::new();
        for change in changes {
            // Ten minutes later things have happened.
            let now = read_at + 600_000;
            link.control().set_now(Some(now));
            link.ctx.now = now;
            unmarked.extend(population.something_happens(&link.control(), change, now));
            let truth = population.seen(Rights::all(), &scope);
            let got = link.download(Some(read_at + 1)).unwrap();
            let changed = stored(&got, true);
            // Adds and updates only: whatever it names is true, and nothing is taken away.
            for (name, known) in &changed {
                prop_assert_eq!(Some(known), truth.get(name));
            }
            store.extend(changed);
            for (name, known) in &truth {
                let is_known = store.get(name) == Some(known);
                prop_assert!(is_known || unmarked.contains(name), "{name}: a change was missed");
            }
            read_at = now;
        }
        // The sweep repairs what no stamp told, and takes away what is not there any more; then both are the same.
        let truth = population.seen(Rights::all(), &scope);
        let full = stored(&link.download(None).unwrap(), true);
        store.retain(|name, _| full.contains_key(name));
        store.extend(full.clone());
        prop_assert_eq!(&store, &full);
        prop_assert_eq!(&store, &truth);
    }
}
