//! Licences of every kind, products, pools and filters of a running org.

use std::collections::{BTreeMap, BTreeSet};

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Attribute, Connector,
    consumption::Metric,
    subscriptions::{AccountKind, Assignment},
};
use seatwise_practice_org_salesforce::{
    Entitlement, Licence, LicenceStatus, OrgSpec, Package, PackageStatus, PermissionSetLicence,
    Person, Profile, worked_example::T0_MS,
};

use crate::link::Link;

fn said<'a>(attributes: &'a [Attribute], name: &str) -> &'a str {
    attributes
        .iter()
        .find(|attribute| attribute.name == name)
        .map_or("", |attribute| attribute.value.as_str())
}

/// One person of each product, and one of each oddity.
fn varied() -> OrgSpec {
    let mut spec = OrgSpec::new("00D5g0000000002EAA", "Varied", "varied.my.salesforce.com");
    spec.communities = true;
    for (key, name, user_type) in [
        ("PID_Unheard_Of", "Company Communities", "Standard"),
        (
            "PID_Overage_High Volume Customer Portal",
            "High Volume Customer Portal",
            "CspLitePortal",
        ),
    ] {
        spec.licences.push(Licence::new(key, name, 10));
        spec.profiles.push(Profile::new(name, key, user_type));
    }
    spec.licences.push(Licence {
        monthly_logins: Some(1_000),
        ..Licence::new(
            "PID_Customer_Community_Login",
            "Customer Community Login",
            50,
        )
    });
    spec.permission_set_licences = vec![
        PermissionSetLicence {
            expires_ms: Some(T0_MS),
            ..PermissionSetLicence::new("SalesUserPsl", "Sales User", 20)
        },
        PermissionSetLicence::new("ServiceUserPsl", "Service User", 20),
        PermissionSetLicence {
            status: LicenceStatus::Disabled,
            ..PermissionSetLicence::new("IdentityConnect", "Identity Connect", 0)
        },
    ];
    spec.packages = vec![
        Package::new("acme_cpq", 5),
        Package {
            status: PackageStatus::Trial,
            ..Package::new("site", -1)
        },
    ];
    spec.features = BTreeMap::from([("SupportUser".to_owned(), 7)]);
    spec.entitlements = vec![Entitlement {
        setting: "force.com/monthly-api-requests".to_owned(),
        label: "API Request Limit per Month".to_owned(),
        allowed: 3_000_000.0,
        used: None,
        frequency: "Monthly".to_owned(),
        start_ms: T0_MS - 30 * 86_400_000,
        end_ms: None,
    }];
    let person = |name: &str, profile: &str| {
        let username = format!("{name}@acme.com");
        Person::new(name, "Smith", &username, profile)
    };
    spec.people.extend([
        Person {
            permission_set_licences: vec!["SalesUserPsl".to_owned()],
            packages: vec!["acme_cpq".to_owned(), "site".to_owned()],
            city: "Kiel".to_owned(),
            company: "Acme".to_owned(),
            department: "Sales".to_owned(),
            division: "North".to_owned(),
            forecast: true,
            ..person("sales", "Standard User")
        },
        Person {
            permission_set_licences: vec!["ServiceUserPsl".to_owned()],
            ..person("service", "Standard User")
        },
        Person {
            features: vec!["SupportUser".to_owned()],
            email: "support@other.com".to_owned(),
            ..person("support", "Standard User")
        },
        person("guess", "Standard User"),
        person("platform", "Standard Platform User"),
        person("chatter", "Chatter Free User"),
        person("customer", "Customer Community User"),
        person("partner", "Partner Community User"),
        person("company", "Company Communities"),
        person("volume", "High Volume Customer Portal"),
        Person {
            profile: None,
            user_type: Some("AutomatedProcess".to_owned()),
            ..person("auto", "Standard User")
        },
    ]);
    spec
}

#[test]
fn all_seven_products_are_recognised_from_data_with_their_evidence() {
    let link = Link::to(varied(), T0_MS);
    let got = link.download(None).unwrap();
    let names: BTreeMap<&str, &str> = got
        .accounts
        .iter()
        .map(|account| (account.id.as_str(), account.principal.as_str()))
        .collect();
    let products: BTreeMap<&str, (&str, &str)> = got
        .assignments
        .iter()
        .filter(|seat| !seat.identifier.contains(':'))
        .map(|seat| {
            (
                names[seat.account.as_str()].split('@').next().unwrap(),
                (
                    said(&seat.evidence, "product"),
                    said(&seat.evidence, "product.derived"),
                ),
            )
        })
        .collect();
    for (who, product, derived) in [
        ("sales", "Salesforce Sales Cloud", "false"),
        ("service", "Salesforce Service Cloud", "false"),
        ("support", "Salesforce Service Cloud", "false"),
        ("guess", "Salesforce Sales Cloud", "true"),
        ("platform", "Salesforce Platform", "false"),
        ("chatter", "Salesforce Chatter", "false"),
        ("customer", "Salesforce Customer Community", "false"),
        ("volume", "Salesforce Customer Community", "false"),
        ("partner", "Salesforce Partner Community", "false"),
        ("company", "Salesforce Company Community", "true"),
    ] {
        assert_eq!(products.get(who), Some(&(product, derived)), "{who}");
    }
    let distinct: BTreeSet<&str> = products.values().map(|(product, _)| *product).collect();
    assert_eq!(
        distinct
            .iter()
            .filter(|product| !product.is_empty())
            .count(),
        7
    );
    let seats = |identifier: &str| {
        let all = got.assignments.iter();
        all.filter(|seat| seat.identifier == identifier).count()
    };
    assert_eq!(seats("SFDC"), 4, "one seat each, whichever cloud");
    assert_eq!(
        [
            seats("psl:SalesUserPsl"),
            seats("psl:ServiceUserPsl"),
            seats("package:acme_cpq"),
            seats("package:site"),
            seats("feature:SupportUser")
        ],
        [1, 1, 1, 1, 1]
    );
}

#[test]
fn the_metadata_of_the_seeds_comes_with_the_account() {
    let link = Link::to(varied(), T0_MS);
    let got = link.download(None).unwrap();
    let of = |name: &str| {
        let principal = format!("{name}@acme.com");
        let found = got.accounts.iter().find(|a| a.principal == principal);
        found.unwrap()
    };
    let sales = &of("sales").attributes;
    for (name, value) in [
        ("department", "Sales"),
        ("division", "North"),
        ("company", "Acme"),
        ("city", "Kiel"),
        ("forecast_enabled", "true"),
        ("user_type", "Standard"),
    ] {
        assert_eq!(said(sales, name), value, "{name}");
    }
    assert_eq!(of("customer").kind, AccountKind::External);
    assert_eq!(
        said(&of("volume").attributes, "kind.reason"),
        "customer of a high-volume portal"
    );
    assert_eq!(of("auto").kind, AccountKind::Service);
    assert!(said(&of("auto").attributes, "kind.reason").contains("automated processes"));
}

#[test]
fn every_pool_is_counted_as_the_vendor_counts_it() {
    let link = Link::to(varied(), T0_MS);
    let pools = link.pools().unwrap();
    let pool = |identifier: &str| {
        let found = pools.iter().find(|pool| pool.identifier == identifier);
        found.unwrap_or_else(|| panic!("no pool {identifier}"))
    };
    let counts = |identifier: &str| (pool(identifier).owned, pool(identifier).used);
    assert_eq!(counts("SFDC").1, Some(4));
    assert_eq!(counts("psl:SalesUserPsl"), (Some(20), Some(1)));
    assert!(pool("psl:SalesUserPsl").expires.is_some());
    assert!(!pool("psl:IdentityConnect").active);
    assert_eq!(counts("package:acme_cpq"), (Some(5), Some(1)));
    assert_eq!(counts("package:site"), (None, Some(1)));
    assert_eq!(said(&pool("package:site").attributes, "unlimited"), "true");
    assert_eq!(counts("feature:SupportUser"), (Some(7), Some(1)));
    let login = pool("PID_Customer_Community_Login");
    assert_eq!((login.metric, login.owned), (Metric::Logins, Some(1_000)));
    assert!(login.period.is_some());
    let requests = pools
        .iter()
        .find(|pool| {
            pool.identifier
                .starts_with("entitlement:force.com/monthly-api")
        })
        .unwrap();
    assert_eq!((requests.owned, requests.used), (Some(3_000_000), None));
}

#[test]
fn company_names_filter_people_and_what_they_hold_but_no_total() {
    let all = Link::to(varied(), T0_MS);
    let some = Link::with(varied(), T0_MS, "{\"company_names\":\"other.com\"}");
    let got = some.download(None).unwrap();
    let names: Vec<&str> = got.accounts.iter().map(|a| a.principal.as_str()).collect();
    assert_eq!(names, ["support@acme.com"]);
    assert!(
        got.assignments
            .iter()
            .all(|seat| seat.account == got.accounts[0].id),
        "{:?}",
        got.assignments
    );
    assert_eq!(
        got.expected,
        Some(got.out_of_scope + got.accounts.len() as u64),
        "the gap is explained"
    );
    assert_eq!(all.pools().unwrap(), some.pools().unwrap());
}

#[test]
fn a_look_up_brings_the_same_as_the_download() {
    let link = Link::to(varied(), T0_MS);
    let got = link.download(None).unwrap();
    let ids: Vec<String> = got.accounts.iter().map(|a| a.id.clone()).collect();
    let fresh = Salesforce::lookup_accounts(&link.call(), &ids).unwrap();
    assert_eq!(fresh.accounts, got.accounts);
    let seats = |seats: &[Assignment]| -> BTreeSet<(String, String)> {
        seats
            .iter()
            .map(|seat| (seat.account.clone(), seat.identifier.clone()))
            .collect()
    };
    assert_eq!(seats(&fresh.assignments), seats(&got.assignments));
}
