//! Small orgs drawn from a number, and what a reader must end up with: an oracle that asks nothing over HTTP.
//!
//! [`Population::drawn`] writes out everybody of an org; person `n` follows from the seed and `n` alone, so a smaller size leaves out the
//! last ones and changes nobody else, which lets a failing case be made smaller. [`Population::something_happens`] changes the org behind
//! a reader's back and the population with it. [`Population::seen`] says what the org's own database shows through rights and a scope, by
//! username. A connector's tests and a host's compare what they stored with that.
//!
//! ```text
//! let population = Population::drawn(7, 20, now_ms);
//! let org = PracticeOrg::start(population.spec.clone(), Listen::loopback()).await?;
//! population.hide(&org.control());
//! // … download and store …
//! assert_eq!(stored, population.seen(Rights::all(), &Scope::everything()));
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::crowd::{Draw, Frame};
use crate::{Control, OrgSpec, Package, PermissionSetLicence, Person, Rights};

const DAY_MS: i64 = 86_400_000;
/// Profiles that people have; those with `true` may hold permission-set licences, packages and features.
const PROFILES: [(&str, bool); 6] = [
    ("Standard User", true),
    ("System Administrator", true),
    ("Standard Platform User", false),
    ("Chatter Free User", false),
    ("Customer Community User", false),
    ("Partner Community User", false),
];
/// Domains of the people's addresses.
pub const DOMAINS: [&str; 3] = ["acme.com", "acme.de", "other.example"];
const LICENCES: [&str; 2] = ["SalesUserPsl", "ServiceUserPsl"];
const PACKAGES: [&str; 2] = ["cpq", "docs"];
const FEATURES: [&str; 3] = ["SupportUser", "MarketingUser", "KnowledgeUser"];
/// Last names beside a plain one.
const NAMES: [&str; 8] = [
    "Øster-Ångström",
    "山田",
    "العربي",
    "O'Neil \"Q\" \\",
    "<b>&amp;</b>",
    "=1+1",
    "e\u{301}\u{202e}x",
    "a\tb",
];

/// An org in which everybody is written out.
#[derive(Debug, Clone)]
pub struct Population {
    /// What the org is started from, kept up to date as things happen. Person 0 is the one who asks.
    pub spec: OrgSpec,
    /// Whom sharing hides, by place in `spec.people`; see [`Population::hide`].
    pub hidden: BTreeSet<usize>,
    seed: u64,
}

/// What a reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// E-mail domains; `None` is everybody.
    pub domains: Option<Vec<String>>,
    /// Whether inactive users are wanted.
    pub include_inactive: bool,
    /// User types whose rows are not wanted.
    pub without_types: Vec<String>,
    /// Keys of user licences whose holders are not wanted.
    pub without_licences: Vec<String>,
    /// Licences beside the user licence: permission-set licences, packages, features.
    pub kinds: [bool; 3],
}

impl Scope {
    /// Everybody and all they hold.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            domains: None,
            include_inactive: true,
            without_types: Vec::new(),
            without_licences: Vec::new(),
            kinds: [true; 3],
        }
    }

    fn wants(&self, person: &Person, user_type: &str, licence: &str) -> bool {
        let domain = person.email.split('@').nth(1).unwrap_or_default();
        (self.include_inactive || person.is_active)
            && self
                .domains
                .as_ref()
                .is_none_or(|domains| domains.iter().any(|wanted| wanted == domain))
            && !self.without_types.iter().any(|it| it == user_type)
            && !self.without_licences.iter().any(|it| it == licence)
    }
}

/// What a reader knows of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Holds a seat.
    pub is_active: bool,
    /// Milliseconds UTC; `None` is never.
    pub last_login_ms: Option<i64>,
    /// First and last name.
    pub name: String,
    /// `None`: the rights do not show it.
    pub frozen: Option<bool>,
    /// Identifiers: the user licence's key, `psl:NAME`, `package:NAMESPACE`, `feature:NAME`.
    pub seats: BTreeSet<String>,
}

impl Population {
    /// `size` people beside the one who asks, with activity that leads up to `now_ms`.
    #[must_use]
    pub fn drawn(seed: u64, size: usize, now_ms: i64) -> Self {
        let mut spec = OrgSpec::new("00D5g0000000003EAA", "Random", "random.my.salesforce.com");
        spec.permission_set_licences = LICENCES
            .map(|name| PermissionSetLicence::new(name, name, 100))
            .to_vec();
        spec.packages = PACKAGES.map(|name| Package::new(name, 100)).to_vec();
        spec.features = FEATURES.map(|name| (name.to_owned(), 100)).into();
        let mut population = Self {
            spec,
            hidden: BTreeSet::new(),
            seed,
        };
        for number in 0..size as u64 {
            let dice = population.dice(number);
            if dice.one_in(10, 1) {
                population.hidden.insert(population.spec.people.len());
            }
            population.spec.people.push(person(&dice, number, now_ms));
        }
        population
    }

    fn dice(&self, number: u64) -> Dice {
        Dice {
            frame: Frame {
                users: 0,
                seed: self.seed,
                as_of_ms: 0,
                is_rich: false,
                mix: Vec::new(),
            },
            number,
        }
    }

    /// Hides in a running org whom sharing hides here.
    ///
    /// # Panics
    /// If the org was started from another spec.
    pub fn hide(&self, control: &Control) {
        for at in &self.hidden {
            self.tell(control, *at, "hidden", &json!({"is_hidden": true}));
        }
    }

    /// Logins, people switched off and on, and people hidden, at a moment. Returns the usernames of those of whom nothing tells that they
    /// changed, because no stamp moved: whoever reads by stamps misses them until everything is read.
    ///
    /// # Panics
    /// As [`Population::hide`].
    pub fn something_happens(
        &mut self,
        control: &Control,
        seed: u64,
        at_ms: i64,
    ) -> BTreeSet<String> {
        let mut unmarked = BTreeSet::new();
        for at in 1..self.spec.people.len() {
            let dice = Dice {
                number: seed.wrapping_add(at as u64),
                ..self.dice(0)
            };
            let username = self.spec.people[at].username.clone();
            match dice.pick(10, 20) {
                0 | 1 => {
                    // Whether a login moves the stamp is not known of the vendor.
                    let keeps_stamp = dice.one_in(2, 21);
                    let change = json!({"at_ms": at_ms, "keeps_stamp": keeps_stamp});
                    self.tell(control, at, "login", &change);
                    self.spec.people[at].last_login_ms = Some(at_ms);
                    if keeps_stamp {
                        unmarked.insert(username);
                    }
                }
                2 | 3 => {
                    let is_active = !self.spec.people[at].is_active;
                    self.tell(control, at, "active", &json!({"is_active": is_active}));
                    self.spec.people[at].is_active = is_active;
                }
                4 => {
                    self.tell(control, at, "hidden", &json!({"is_hidden": true}));
                    self.hidden.insert(at);
                    unmarked.insert(username);
                }
                _ => {}
            }
        }
        unmarked
    }

    fn tell(&self, control: &Control, at: usize, what: &str, change: &serde_json::Value) {
        let id = self.spec.user_id(at as u64 + 1);
        let (status, told) = control.call("POST", &format!("users/{id}/{what}"), change);
        assert_eq!(status, 200, "the org has this user: {told}");
    }

    /// What a reader with these rights must know in the end, by username. Without View Setup and Configuration nothing: no licence can be
    /// told, and a reader fails.
    #[must_use]
    pub fn seen(&self, rights: Rights, scope: &Scope) -> BTreeMap<String, Known> {
        let mut seen = BTreeMap::new();
        for (at, person) in self.spec.people.iter().enumerate() {
            let is_visible = at == 0 || rights.view_all_users && !self.hidden.contains(&at);
            let profile = person.profile.as_ref();
            let profile = self
                .spec
                .profiles
                .iter()
                .find(|known| profile == Some(&known.name));
            let user_type = person
                .user_type
                .as_deref()
                .or(profile.map(|profile| profile.user_type.as_str()));
            let licence = profile.map_or("", |profile| profile.licence.as_str());
            if is_visible && scope.wants(person, user_type.unwrap_or_default(), licence) {
                let known = known(person, licence, rights, scope.kinds);
                seen.insert(person.username.clone(), known);
            }
        }
        seen
    }
}

fn known(person: &Person, licence: &str, rights: Rights, kinds: [bool; 3]) -> Known {
    let mut seats = BTreeSet::new();
    if !licence.is_empty() {
        seats.insert(licence.to_owned());
    }
    let held = [
        ("psl", &person.permission_set_licences),
        ("package", &person.packages),
        ("feature", &person.features),
    ];
    for ((prefix, names), is_wanted) in held.into_iter().zip(kinds) {
        if is_wanted {
            seats.extend(names.iter().map(|name| format!("{prefix}:{name}")));
        }
    }
    let name = format!("{} {}", person.first_name, person.last_name);
    Known {
        is_active: person.is_active,
        last_login_ms: person.last_login_ms,
        name: name.trim().to_owned(),
        // Whoever has no profile has no login row either.
        frozen: rights
            .manage_users
            .then_some(person.is_frozen && person.profile.is_some()),
        seats,
    }
}

/// Independent draws about one person.
struct Dice {
    frame: Frame,
    number: u64,
}

impl Dice {
    fn pick(&self, of: u64, what: u64) -> u64 {
        self.frame.draw_at(self.number, Draw::RecordField, what) % of
    }

    fn one_in(&self, of: u64, what: u64) -> bool {
        self.pick(of, what) == 0
    }

    fn some(&self, names: &[&str], what: u64) -> Vec<String> {
        (what..)
            .zip(names)
            .filter(|(what, _)| self.one_in(2, *what))
            .map(|(_, name)| (*name).to_owned())
            .collect()
    }
}

fn person(dice: &Dice, number: u64, now_ms: i64) -> Person {
    let (profile, is_full) = PROFILES[dice.pick(PROFILES.len() as u64, 2) as usize];
    let domain = DOMAINS[dice.pick(DOMAINS.len() as u64, 3) as usize];
    let last_name = match dice.pick(2 * NAMES.len() as u64, 4) as usize {
        at if at < NAMES.len() => NAMES[at],
        _ => "Plain",
    };
    let mut person = Person {
        email: format!("u{number}@{domain}"),
        is_active: !dice.one_in(5, 5),
        is_frozen: dice.one_in(5, 6),
        last_login_ms: (!dice.one_in(4, 7))
            .then(|| now_ms - dice.pick(400, 8).cast_signed() * DAY_MS),
        ..Person::new("F", last_name, &format!("u{number}@users.example"), profile)
    };
    if is_full {
        person.permission_set_licences = dice.some(&LICENCES, 30);
        person.packages = dice.some(&PACKAGES, 40);
        person.features = dice.some(&FEATURES, 50);
    }
    // The vendor's own users have no profile, and so no licence.
    if dice.one_in(15, 9) {
        person.profile = None;
        person.user_type = Some("AutomatedProcess".to_owned());
        person.permission_set_licences.clear();
        person.packages.clear();
        person.features.clear();
    }
    person
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_population_is_the_beginning_of_a_larger_one() {
        let (few, many) = (Population::drawn(5, 10, 0), Population::drawn(5, 30, 0));
        let people = |of: &Population| format!("{:?}", &of.spec.people[..11]);
        assert_eq!(people(&few), people(&many));
        assert_eq!(
            few.hidden,
            many.hidden.iter().copied().filter(|at| *at < 11).collect()
        );
        let other = Population::drawn(6, 10, 0);
        assert_ne!(people(&few), people(&other));
    }

    #[test]
    fn every_kind_of_person_occurs_and_rights_and_scope_leave_some_out() {
        let all = Population::drawn(1, 300, 0);
        let everybody = all.seen(Rights::all(), &Scope::everything());
        assert_eq!(everybody.len() + all.hidden.len(), all.spec.people.len());
        let has = |what: &dyn Fn(&Known) -> bool| everybody.values().any(what);
        assert!(has(&|known| known.seats.is_empty()));
        assert!(has(&|known| known.seats.len() > 5));
        assert!(has(&|known| known.frozen == Some(true) && !known.is_active));
        assert!(has(&|known| known.last_login_ms.is_none()));
        let alone = Rights {
            view_all_users: false,
            manage_users: false,
            ..Rights::all()
        };
        let own = all.seen(alone, &Scope::everything());
        assert_eq!(own.len(), 1);
        assert!(own.values().all(|known| known.frozen.is_none()));
        for scope in [
            Scope {
                domains: Some(vec![DOMAINS[0].to_owned()]),
                ..Scope::everything()
            },
            Scope {
                include_inactive: false,
                ..Scope::everything()
            },
            Scope {
                without_types: vec!["Standard".to_owned()],
                ..Scope::everything()
            },
            Scope {
                without_licences: vec!["SFDC".to_owned()],
                ..Scope::everything()
            },
        ] {
            let some = all.seen(Rights::all(), &scope).len();
            assert!(some > 0 && some < everybody.len(), "{scope:?}: {some}");
        }
    }
}
