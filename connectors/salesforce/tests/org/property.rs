//! For random orgs, rights and scopes: what is stored is what the org's own database says is visible, and what changed since plus
//! a sweep is what a full download gives, also where stamps do not move.
//!
//! The database is the spec that the org was made from, changed as the test changes the org; the oracle asks nothing over HTTP.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use seatwise_connector_sdk::subscriptions::{AccountKind, Fact, LastActivity};
use seatwise_practice_org_salesforce::{
    OrgSpec, Package, PermissionSetLicence, Person, Profile, Rights, worked_example::T0_MS,
};
use serde_json::json;

use crate::link::{Downloaded, Link};

const DAY_MS: i64 = 86_400_000;
const PROFILES: [&str; 6] = [
    "Standard User",
    "Standard Platform User",
    "Chatter Free User",
    "Customer Community User",
    "Partner Community User",
    "System Administrator",
];
const DOMAINS: [&str; 3] = ["acme.com", "acme.de", "other.example"];
const LICENCES: [&str; 2] = ["SalesUserPsl", "ServiceUserPsl"];
const PACKAGES: [&str; 2] = ["cpq", "docs"];
const FEATURES: [&str; 3] = ["SupportUser", "MarketingUser", "KnowledgeUser"];

/// A user as the test wants it.
#[derive(Clone, Debug)]
struct Wish {
    profile: usize,
    domain: usize,
    is_active: bool,
    is_frozen: bool,
    is_hidden: bool,
    last_login_days: Option<i64>,
    licences: [bool; 2],
    packages: [bool; 2],
    features: [bool; 3],
    name: String,
}

fn wish() -> impl Strategy<Value = Wish> {
    (
        (0..PROFILES.len(), 0..DOMAINS.len()),
        (prop::bool::weighted(0.8), prop::bool::weighted(0.2)),
        prop::bool::weighted(0.1),
        prop::option::of(0_i64..400),
        any::<([bool; 2], [bool; 2], [bool; 3])>(),
        "[\\PC]{1,20}",
    )
        .prop_map(
            |(
                (profile, domain),
                (is_active, is_frozen),
                is_hidden,
                last_login_days,
                held,
                name,
            )| {
                let (licences, packages, features) = held;
                Wish {
                    profile,
                    domain,
                    is_active,
                    is_frozen,
                    is_hidden,
                    last_login_days,
                    licences,
                    packages,
                    features,
                    name,
                }
            },
        )
}

/// Permission-set licences and packages go with full users only, as they do at the vendor.
fn is_full(wish: &Wish) -> bool {
    matches!(wish.profile, 0 | 5)
}

fn chosen<'a>(names: &'a [&'a str], which: &'a [bool]) -> impl Iterator<Item = &'a str> {
    names
        .iter()
        .zip(which)
        .filter(|(_, has)| **has)
        .map(|(name, _)| *name)
}

fn owned<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(str::to_owned).collect()
}

fn person(number: usize, wish: &Wish) -> Person {
    let full = is_full(wish);
    Person {
        email: format!("u{number}@{}", DOMAINS[wish.domain]),
        last_name: wish.name.clone(),
        is_active: wish.is_active,
        is_frozen: wish.is_frozen,
        last_login_ms: wish.last_login_days.map(|days| T0_MS - days * DAY_MS),
        permission_set_licences: owned(chosen(&LICENCES, &wish.licences).filter(|_| full)),
        packages: owned(chosen(&PACKAGES, &wish.packages).filter(|_| full)),
        features: owned(chosen(&FEATURES, &wish.features).filter(|_| full)),
        ..Person::new(
            "F",
            "L",
            &format!("u{number}@users.example"),
            PROFILES[wish.profile],
        )
    }
}

fn spec(wishes: &[Wish], rights: Rights) -> OrgSpec {
    let mut spec = OrgSpec::new("00D5g0000000003EAA", "Random", "random.my.salesforce.com");
    spec.rights = rights;
    spec.permission_set_licences = LICENCES
        .map(|name| PermissionSetLicence::new(name, name, 100))
        .to_vec();
    spec.packages = PACKAGES.map(|name| Package::new(name, 100)).to_vec();
    spec.features = FEATURES.map(|name| (name.to_owned(), 100)).into();
    let people = wishes.iter().enumerate();
    spec.people
        .extend(people.map(|(number, wish)| person(number, wish)));
    spec
}

/// What a host keeps of a download, by account.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    is_active: bool,
    last_login: Option<i64>,
    name: String,
    frozen: Option<bool>,
    seats: BTreeSet<String>,
}

type Store = BTreeMap<String, Kept>;

/// The oracle: what the spec says, seen through rights and scope.
struct Truth<'a> {
    spec: &'a OrgSpec,
    hidden: &'a BTreeSet<usize>,
    rights: Rights,
    domains: Option<&'a [&'a str]>,
    include_inactive: bool,
    kinds: &'a [&'a str],
}

impl Truth<'_> {
    fn store(&self) -> Store {
        let people = self.spec.people.iter().enumerate();
        people
            .filter(|(at, person)| self.is_visible(*at) && self.is_wanted(person))
            .map(|(_, person)| (person.username.clone(), self.kept(person)))
            .collect()
    }

    /// Number 0 is the connecting user.
    fn is_visible(&self, at: usize) -> bool {
        at == 0 || (self.rights.view_all_users && !self.hidden.contains(&at))
    }

    fn is_wanted(&self, person: &Person) -> bool {
        let domain = person.email.split('@').nth(1).unwrap_or_default();
        (self.include_inactive || person.is_active)
            && self.domains.is_none_or(|domains| domains.contains(&domain))
    }

    fn profile(&self, person: &Person) -> Option<&Profile> {
        let name = person.profile.as_ref()?;
        self.spec.profiles.iter().find(|known| known.name == *name)
    }

    fn kept(&self, person: &Person) -> Kept {
        let reads = |kind: &str| self.kinds.contains(&kind);
        let mut seats = BTreeSet::new();
        seats.extend(self.profile(person).map(|profile| profile.licence.clone()));
        let prefixed = |prefix: &'static str, all: &[String]| -> Vec<String> {
            all.iter().map(|name| format!("{prefix}:{name}")).collect()
        };
        if reads("permission-set-licences") {
            seats.extend(prefixed("psl", &person.permission_set_licences));
        }
        if reads("packages") {
            seats.extend(prefixed("package", &person.packages));
        }
        if reads("features") {
            seats.extend(prefixed("feature", &person.features));
        }
        let name = format!("{} {}", person.first_name, person.last_name);
        Kept {
            is_active: person.is_active,
            last_login: person.last_login_ms,
            name: name.trim().to_owned(),
            frozen: self.rights.manage_users.then_some(person.is_frozen),
            seats,
        }
    }
}

/// A download as a host stores it: rows of unknown accounts are left out; nobody in the frozen chain is *not frozen*.
fn stored(got: &Downloaded, knows_frozen: bool) -> Store {
    let mut names = BTreeMap::new();
    let mut store = Store::new();
    for account in &got.accounts {
        names.insert(account.id.as_str(), account.principal.clone());
        let kept = Kept {
            is_active: account.active,
            last_login: match account.last_activity {
                LastActivity::At(at) => Some(at),
                LastActivity::Never => None,
                LastActivity::Unknown => panic!("the column is visible"),
            },
            name: account.name.clone().unwrap_or_default().trim().to_owned(),
            frozen: knows_frozen.then_some(false),
            seats: BTreeSet::new(),
        };
        assert!(store.insert(account.principal.clone(), kept).is_none());
    }
    let mut each = |id: &str, change: &mut dyn FnMut(&mut Kept)| {
        if let Some(kept) = names.get(id).and_then(|name| store.get_mut(name)) {
            change(kept);
        }
    };
    for fact in &got.facts {
        if let Fact::Frozen(frozen) = fact.fact {
            each(&fact.account, &mut |kept| kept.frozen = Some(frozen));
        }
    }
    for seat in &got.assignments {
        each(&seat.account, &mut |kept| {
            assert!(kept.seats.insert(seat.identifier.clone()), "{seat:?} twice");
        });
    }
    store
}

/// Changes the org behind the connector's back.
fn tell(link: &Link, path: &str, body: serde_json::Value) {
    let (status, answer) = link.control().call("POST", path, &body);
    assert_eq!(status, 200, "{path}: {answer}");
}

fn hide(link: &Link, spec: &OrgSpec, at: usize) {
    let id = spec.user_id(at as u64 + 1);
    tell(
        link,
        &format!("users/{id}/hidden"),
        json!({"is_hidden": true}),
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_stored_is_what_the_orgs_own_database_says_is_visible(
        wishes in prop::collection::vec(wish(), 0..25),
        manage_users in any::<bool>(),
        view_all_users in prop::bool::weighted(0.8),
        include_inactive in any::<bool>(),
        domains in prop::option::of(prop::sample::subsequence(DOMAINS.to_vec(), 1..3)),
        kinds in prop::sample::subsequence(vec!["permission-set-licences", "packages", "features"], 0..=3),
        by_bulk in any::<bool>(),
    ) {
        let rights = Rights { manage_users, view_all_users, ..Rights::all() };
        let spec = spec(&wishes, rights);
        let hidden: BTreeSet<usize> = (1..)
            .zip(&wishes)
            .filter(|(_, wish)| wish.is_hidden)
            .map(|(at, _)| at)
            .collect();
        let settings = json!({
            "include_inactive": include_inactive,
            "company_names": domains.as_ref().map_or("*".to_owned(), |domains| domains.join("\n")),
            "licence_kinds": kinds,
            "read_users_by": if by_bulk { "bulk" } else { "rest" },
        });
        let mut link = Link::unidentified(spec.clone(), T0_MS);
        link.ctx.settings = settings.to_string();
        for at in &hidden {
            hide(&link, &spec, *at);
        }
        link.identify();
        let got = link.download(None).unwrap();
        let truth = Truth {
            spec: &spec,
            hidden: &hidden,
            rights,
            domains: domains.as_deref(),
            include_inactive,
            kinds: &kinds,
        };
        prop_assert_eq!(stored(&got, manage_users), truth.store());
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
        wishes in prop::collection::vec(wish(), 1..15),
        logins in prop::collection::vec(0..15_usize, 0..6),
        switched in prop::collection::vec((0..15_usize, any::<bool>()), 0..6),
        hidden in prop::collection::vec(0..15_usize, 0..4),
    ) {
        let mut spec = spec(&wishes, Rights::all());
        let mut link = Link::to(spec.clone(), T0_MS);
        let mut store = stored(&link.download(None).unwrap(), true);
        // An hour later things have happened.
        let later = T0_MS + 3_600_000;
        link.control().set_now(Some(later));
        link.ctx.now = later;
        let user = |at: usize| 1 + at % wishes.len();
        for at in logins.iter().map(|at| user(*at)) {
            let id = spec.user_id(at as u64 + 1);
            tell(&link, &format!("users/{id}/login"), json!({"at_ms": later}));
            spec.people[at].last_login_ms = Some(later);
        }
        for (at, is_active) in switched.iter().map(|(at, on)| (user(*at), *on)) {
            let id = spec.user_id(at as u64 + 1);
            tell(&link, &format!("users/{id}/active"), json!({"is_active": is_active}));
            spec.people[at].is_active = is_active;
        }
        // Hiding moves no stamp: what changed since knows nothing of it.
        let hidden: BTreeSet<usize> = hidden.iter().map(|at| user(*at)).collect();
        for at in &hidden {
            hide(&link, &spec, *at);
        }
        let truth = Truth {
            spec: &spec,
            hidden: &hidden,
            rights: Rights::all(),
            domains: None,
            include_inactive: true,
            kinds: &["permission-set-licences", "packages", "features"],
        }
        .store();
        // Adds and updates only: whatever it names is true, and nothing is taken away.
        let changed = stored(&link.download(Some(T0_MS + 1)).unwrap(), true);
        for (name, kept) in &changed {
            prop_assert_eq!(Some(kept), truth.get(name));
        }
        let before: BTreeSet<String> = store.keys().cloned().collect();
        store.extend(changed);
        prop_assert!(before.iter().all(|name| store.contains_key(name)));
        for (name, kept) in &truth {
            prop_assert_eq!(store.get(name), Some(kept), "a change was missed");
        }
        // The sweep takes away what is not there any more; then both are the same.
        let full = stored(&link.download(None).unwrap(), true);
        store.retain(|name, _| full.contains_key(name));
        prop_assert_eq!(&store, &full);
        prop_assert_eq!(&store, &truth);
    }
}
