//! Who is in the showcase, and the vendor's own accounts that every org has.

use crate::clock::DAY_MS;
use crate::spec::{INTEGRATION_PROFILE, Person};

/// Name and what it stands for.
pub(super) const NAMES: &[(&str, &str)] = &[
    (
        "sales",
        "Sales Cloud by permission-set licence, with a role, a manager and records",
    ),
    (
        "service",
        "Service Cloud by permission-set licence and feature flag, in a queue",
    ),
    ("bothclouds", "both permission-set licences"),
    ("support", "Service Cloud by the feature flag alone"),
    (
        "forecaster",
        "hints at Sales Cloud: forecasts and marketing",
    ),
    ("plain", "no evidence of either cloud"),
    ("platform", "Salesforce Platform"),
    ("appsub", "App Subscription"),
    ("chatter", "Chatter Free"),
    ("chatterexternal", "Chatter External"),
    ("customer", "Customer Community, member"),
    ("customerlogin", "Customer Community, login-based"),
    ("customerplus", "Customer Community Plus"),
    ("partner", "Partner Community, member"),
    ("partnerlogin", "Partner Community, login-based"),
    ("company", "Company Communities"),
    ("hvcp", "High Volume Customer Portal"),
    ("newthing", "a licence that no list knows"),
    (
        "manager",
        "manager of others, delegated approver, in a public group",
    ),
    ("jobowner", "a scheduled job runs as this user"),
    ("dashboard", "a dashboard runs as this user"),
    ("approver", "approvals wait for this user"),
    ("portalowner", "owns an account with active portal users"),
    (
        "packages",
        "seats of two managed packages and of one that expired",
    ),
    (
        "bundle",
        "a permission-set group that needs a permission-set licence",
    ),
    ("crmonly", "a permission set tied to the full licence"),
    ("frozen", "frozen, still holding the seat"),
    ("never", "never logged in"),
    ("idle", "last logged in 200 days ago"),
    (
        "leaver",
        "inactive, still holding a permission-set licence and a package",
    ),
    (
        "erp",
        "a program's account with a full licence, API-only by a permission set",
    ),
    ("mailbox", "idle but for a mail plug-in"),
    ("twin.one", "shares its address with twin.two"),
    ("twin.two", "shares its address with twin.one"),
    (
        "hostile",
        "markup, formulas, quotes and a text as long as the field",
    ),
    ("rtl", "written from right to left, with bidi controls"),
    ("nomail", "an address of another company"),
];

fn person(name: &str, profile: &str, t0_ms: i64, days: Option<i64>) -> Person {
    Person {
        created_ms: t0_ms - 900 * DAY_MS,
        last_login_ms: days.map(|days| (t0_ms - days * DAY_MS - 3_600_000) / 1000 * 1000),
        company: "Example".to_owned(),
        ..Person::new(name, "Example", &format!("{name}@example.com"), profile)
    }
}

fn names(listed: &[&str]) -> Vec<String> {
    listed.iter().map(|name| (*name).to_owned()).collect()
}

fn user(name: &str) -> Option<String> {
    Some(format!("{name}@example.com"))
}

/// Everybody of the showcase beside the administrator and the reader.
pub(super) fn showcase(t0_ms: i64) -> Vec<Person> {
    let of = |name, profile, days| person(name, profile, t0_ms, days);
    let mut people = clouds(t0_ms);
    people.extend(licences(t0_ms));
    people.extend([
        Person {
            groups: names(&["All Managers"]),
            role: Some("VP Sales".to_owned()),
            ..of("manager", "Standard User", Some(1))
        },
        of("jobowner", "Standard User", Some(70)),
        of("dashboard", "Standard User", Some(80)),
        of("approver", "Standard User", Some(90)),
        of("portalowner", "Standard User", Some(65)),
        Person {
            packages: names(&["sbqq", "dlrs", "oldpkg"]),
            ..of("packages", "Standard User", Some(75))
        },
        Person {
            permission_set_licences: names(&["ServiceUserPsl"]),
            permission_set_groups: names(&["Service_Bundle"]),
            ..of("bundle", "Service Profile", Some(66))
        },
        Person {
            permission_sets: names(&["Crm_Only"]),
            ..of("crmonly", "Standard User", Some(99))
        },
        Person {
            is_frozen: true,
            failed_logins: 10,
            ..of("frozen", "Standard User", Some(120))
        },
        of("never", "Standard User", None),
        of("idle", "Standard User", Some(200)),
        Person {
            is_active: false,
            permission_set_licences: names(&["SalesUserPsl"]),
            packages: names(&["sbqq"]),
            ..of("leaver", "Standard User", Some(150))
        },
        Person {
            is_machine: true,
            last_name: "ERP Sync".to_owned(),
            permission_sets: names(&["Api_Only"]),
            ..of("erp", "Standard User", Some(0))
        },
        Person {
            is_machine: true,
            last_name: "Mail Plug-in".to_owned(),
            ..of("mailbox", "Standard User", Some(2))
        },
        Person {
            email: "twins@example.com".to_owned(),
            ..of("twin.one", "Standard User", Some(12))
        },
        Person {
            email: "twins@example.com".to_owned(),
            ..of("twin.two", "Standard User", Some(112))
        },
    ]);
    people.extend(awkward(t0_ms));
    people.extend(system(t0_ms));
    people
}

/// Sales and Service, by each kind of evidence.
fn clouds(t0_ms: i64) -> Vec<Person> {
    let of = |name, profile, days| person(name, profile, t0_ms, days);
    vec![
        Person {
            permission_set_licences: names(&["SalesUserPsl"]),
            permission_sets: names(&["Sales_User", "Sales_Coach"]),
            role: Some("Account Executive".to_owned()),
            manager: user("manager"),
            delegated_approver: user("manager"),
            forecast: true,
            city: "München".to_owned(),
            country: "Germany".to_owned(),
            department: "Sales".to_owned(),
            division: "EMEA".to_owned(),
            title: "Account Executive".to_owned(),
            employee_number: "E1001".to_owned(),
            federation_id: "sales@example.com".to_owned(),
            ..of("sales", "Sales Profile", Some(1))
        },
        Person {
            permission_set_licences: names(&["ServiceUserPsl"]),
            permission_sets: names(&["Service_Agent"]),
            features: names(&["SupportUser", "KnowledgeUser"]),
            groups: names(&["Support Tier 1"]),
            role: Some("Agent".to_owned()),
            manager: user("manager"),
            ..of("service", "Service Profile", Some(3))
        },
        Person {
            permission_set_licences: names(&["SalesUserPsl", "ServiceUserPsl"]),
            features: names(&["SupportUser"]),
            ..of("bothclouds", "Standard User", Some(5))
        },
        Person {
            features: names(&["SupportUser"]),
            ..of("support", "Standard User", Some(6))
        },
        Person {
            features: names(&["MarketingUser"]),
            forecast: true,
            ..of("forecaster", "Standard User", Some(9))
        },
        of("plain", "Standard User", Some(61)),
    ]
}

/// One for each other licence.
fn licences(t0_ms: i64) -> Vec<Person> {
    let of = |name, profile, days| person(name, profile, t0_ms, days);
    let portal = |name, profile, days, account: &str| Person {
        account: Some(account.to_owned()),
        company: account.to_owned(),
        ..of(name, profile, days)
    };
    let (partners, customers) = ("Resellers Inc.", "Customers & Sons <Ltd>");
    vec![
        of("platform", "Standard Platform User", Some(10)),
        of("appsub", "App Subscription User", Some(40)),
        of("chatter", "Chatter Free User", Some(20)),
        of("chatterexternal", "Chatter External User", Some(25)),
        portal("customer", "Customer Community User", Some(15), customers),
        portal(
            "customerlogin",
            "Customer Community Login User",
            Some(1),
            customers,
        ),
        portal(
            "customerplus",
            "Customer Community Plus User",
            Some(4),
            customers,
        ),
        portal("partner", "Partner Community User", Some(8), partners),
        portal(
            "partnerlogin",
            "Partner Community Login User",
            Some(2),
            partners,
        ),
        of("company", "Company Communities User", Some(7)),
        portal("hvcp", "High Volume Customer Portal", Some(30), customers),
        of("newthing", "New Thing User", Some(3)),
    ]
}

/// Texts that break what is careless.
fn awkward(t0_ms: i64) -> Vec<Person> {
    vec![
        Person {
            first_name: "<img src=x onerror=alert(1)>".to_owned(),
            last_name: "=HYPERLINK(\"http://example.com\",\"x\")'; --".to_owned(),
            department: "@SUM(1+1)*cmd|' /C calc'!A0, \"quoted\"\r\nsecond line".to_owned(),
            title: "W".repeat(80),
            company: "{{7*7}} ${7*7} %s %n \\ \u{FEFF}".to_owned(),
            city: "' OR Name != '".to_owned(),
            ..person("hostile", "Standard User", t0_ms, Some(77))
        },
        Person {
            first_name: "محمد".to_owned(),
            last_name: "\u{202E}الأحمدي\u{202C} כהן".to_owned(),
            city: "القاهرة".to_owned(),
            ..person("rtl", "Standard User", t0_ms, Some(33))
        },
        Person {
            email: "someone@elsewhere.test".to_owned(),
            ..person("nomail", "Standard User", t0_ms, Some(11))
        },
    ]
}

/// The vendor's own accounts: without a profile, or counted as a seat, and never people (salesforce.md §3.3).
pub(super) fn system(t0_ms: i64) -> Vec<Person> {
    let without_profile = |last_name: &str, user_type: &str| Person {
        first_name: String::new(),
        last_name: last_name.to_owned(),
        email: format!("{}@00d.ext", user_type.to_ascii_lowercase()),
        profile: None,
        user_type: Some(user_type.to_owned()),
        ..Person::new(
            "",
            last_name,
            &format!("{}@00d.ext", user_type.to_ascii_lowercase()),
            "",
        )
    };
    vec![
        without_profile("Automated Process", "AutomatedProcess"),
        without_profile("Platform Integration User", "CloudIntegrationUser"),
        Person {
            last_name: "Chatter Expert".to_owned(),
            first_name: String::new(),
            ..Person::new(
                "",
                "Chatter Expert",
                "chatty.00d.x@chatter.salesforce.com",
                "Chatter Free User",
            )
        },
        Person {
            first_name: String::new(),
            ..Person::new(
                "",
                "Site Guest User",
                "site.guest@example.com",
                "Customer Site Profile",
            )
        },
        person("integration", INTEGRATION_PROFILE, t0_ms, Some(0)),
        person(
            "insights",
            "Analytics Cloud Integration User",
            t0_ms,
            Some(1),
        ),
        person("agent", "Einstein Agent User", t0_ms, None),
        person("xorg", "XOrg Proxy User", t0_ms, None),
    ]
}
