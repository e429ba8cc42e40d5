//! Orgs in which everything occurs: a small one written out, where each oddity has a name, and generated ones of any size.
//!
//! Both are deterministic: the same arguments give the same org. [`showcase`] is for tests that need one exact person;
//! [`generate`] is for measurements and for properties that must hold whatever the data.

mod catalogue;
mod people;

use crate::clock::Clock;
use crate::spec::{Account, App, Approval, Crowd, Dashboard, Job, OrgSpec, Person};

/// Username that the apps of these orgs run as: a full licence, no administrator.
pub const READER: &str = "reader@example.com";

/// Username of the only active administrator.
pub const ADMINISTRATOR: &str = "root@example.com";

/// An org with all seven products of ServiceNow's list, every kind of licence, every kind of account, and for each thing that blocks
/// or follows a reclamation one person in whom it occurs. `t0_ms` is the day that activity leads up to.
///
/// Usernames are `NAME@example.com`; the names say what they stand for, see [`showcase_names`].
#[must_use]
pub fn showcase(t0_ms: i64) -> OrgSpec {
    let mut spec = catalogue("00D7i0000000003", "Showcase", t0_ms);
    spec.people.extend(people::showcase(t0_ms));
    spec.records_per_user = 4;
    let user = |name: &str| format!("{name}@example.com");
    spec.jobs = vec![
        Job {
            name: "Nightly territory run".to_owned(),
            owner: user("jobowner"),
            state: "WAITING".to_owned(),
        },
        Job {
            name: "Old import".to_owned(),
            owner: user("plain"),
            state: "DELETED".to_owned(),
        },
    ];
    spec.dashboards = vec![Dashboard {
        title: "Pipeline".to_owned(),
        running_user: user("dashboard"),
    }];
    spec.approvals = vec![
        Approval {
            actor: user("approver"),
            submitter: user("sales"),
        },
        Approval {
            actor: user("approver"),
            submitter: user("service"),
        },
    ];
    spec.accounts = vec![
        Account {
            name: "Resellers Inc.".to_owned(),
            owner: user("portalowner"),
            is_partner: true,
            is_customer: false,
        },
        Account {
            name: "Customers & Sons <Ltd>".to_owned(),
            owner: ADMINISTRATOR.to_owned(),
            is_partner: false,
            is_customer: true,
        },
    ];
    spec
}

/// The part before the `@` of everybody in [`showcase`], with what they stand for.
#[must_use]
pub fn showcase_names() -> Vec<(&'static str, &'static str)> {
    people::NAMES.to_vec()
}

/// An org of about `users` made-up people in all seven products: skewed activity, leavers, frozen users, service accounts, shared
/// addresses, names of many scripts and hostile texts. Memory does not grow with `users`.
#[must_use]
pub fn generate(seed: u64, users: u64, t0_ms: i64) -> OrgSpec {
    let mut spec = catalogue("00D8j0000000004", "Generated", t0_ms);
    let mut crowd = Crowd {
        as_of_ms: Some(t0_ms),
        is_rich: true,
        ..Crowd::new(users, seed)
    };
    let mix = [
        ("Standard User", 34),
        ("Sales Profile", 14),
        ("Service Profile", 14),
        ("Standard Platform User", 12),
        ("Chatter Free User", 8),
        ("Customer Community User", 5),
        ("Customer Community Login User", 4),
        ("Partner Community User", 4),
        ("Partner Community Login User", 2),
        ("Company Communities User", 2),
        ("High Volume Customer Portal", 1),
    ];
    crowd.mix = mix.map(|(name, weight)| (name.to_owned(), weight)).to_vec();
    spec.crowd = Some(crowd);
    spec.people.extend(people::system(t0_ms));
    spec.records_per_user = 4;
    let share = |per_mille: &[(&str, u32)], name: &str| {
        per_mille
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(0, |(_, share)| *share)
    };
    let licences = [
        ("SalesUserPsl", 300),
        ("ServiceUserPsl", 200),
        ("AnalyticsQueryPsl", 40),
    ];
    for licence in &mut spec.permission_set_licences {
        licence.crowd_per_mille = share(&licences, &licence.developer_name);
    }
    let sets = [
        ("Sales_Coach", 600),
        ("Service_Agent", 700),
        ("Api_Access", 50),
    ];
    for set in &mut spec.permission_sets {
        set.crowd_per_mille = share(&sets, &set.name);
    }
    let packages = [("sbqq", 120), ("dlrs", 30), ("trialpkg", 10)];
    for package in &mut spec.packages {
        package.crowd_per_mille = share(&packages, &package.namespace);
    }
    let groups = [
        ("Support Tier 1", 30),
        ("Leads EMEA", 20),
        ("All Managers", 60),
    ];
    for group in &mut spec.groups {
        group.crowd_per_mille = share(&groups, &group.name);
    }
    spec.accounts = (1..=20)
        .map(|n| Account {
            name: format!("Partner {n}"),
            owner: ADMINISTRATOR.to_owned(),
            is_partner: n % 2 == 0,
            is_customer: n % 2 == 1,
        })
        .collect();
    spec.jobs = vec![Job {
        name: "Nightly territory run".to_owned(),
        owner: ADMINISTRATOR.to_owned(),
        state: "WAITING".to_owned(),
    }];
    spec
}

/// What the command line serves: a generated org up to this moment, or without `users` the showcase.
#[must_use]
pub fn served(users: u64, seed: u64) -> OrgSpec {
    let now_ms = Clock::real().now_ms();
    if users == 0 {
        showcase(now_ms)
    } else {
        generate(seed, users, now_ms)
    }
}

/// What was bought and set up, with an administrator and a reader and nobody else.
fn catalogue(org_id: &str, name: &str, t0_ms: i64) -> OrgSpec {
    let id = crate::widen_id(org_id).unwrap_or_else(|| org_id.to_owned());
    let my_domain = format!("{}.my.salesforce.com", name.to_ascii_lowercase());
    let mut spec = OrgSpec::new(&id, name, &my_domain);
    spec.communities = true;
    spec.apps = vec![App::new(
        &format!("3MVG9.{org_id}.seatwise"),
        "a practice secret, not a real one",
        READER,
    )];
    spec.licences = catalogue::licences();
    spec.profiles = catalogue::profiles();
    spec.permission_set_licences = catalogue::permission_set_licences(t0_ms);
    spec.permission_sets = catalogue::permission_sets();
    spec.permission_set_groups = catalogue::permission_set_groups();
    spec.packages = catalogue::packages(t0_ms);
    spec.entitlements = catalogue::entitlements(t0_ms);
    spec.features = catalogue::features();
    spec.groups = catalogue::groups();
    spec.roles = catalogue::roles();
    spec.people = vec![
        Person {
            created_ms: spec.created_ms,
            last_login_ms: Some(t0_ms - 3_600_000),
            ..Person::new("Robin", "Root", ADMINISTRATOR, "System Administrator")
        },
        Person {
            created_ms: spec.created_ms,
            is_machine: true,
            ..Person::new("Seatwise", "Reader", READER, "Seatwise Reader")
        },
    ];
    spec
}
