//! Permission-set licences, packages and feature licences; what tells the products apart; API-only users.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind,
    subscriptions::{AccountKind, Assignment, Page},
    testkit::{Bench, ScriptedHttp},
};

use crate::{COLUMNS, bench, count, discovery, error, everything, id, memo, rows, user};

/// An org in which everything can be read; users have these columns besides.
fn full(http: ScriptedHttp, besides: &[&str]) -> Bench {
    let columns: Vec<&str> = COLUMNS.into_iter().chain(besides.iter().copied()).collect();
    Bench::new(http).memo(memo(everything(discovery(&columns))))
}

fn chains(settings: &str) -> Vec<Vec<u8>> {
    let bench = full(ScriptedHttp::new().get_with(&["COUNT()"], count(3)), &[]).settings(settings);
    Salesforce::begin_subscriptions(&bench.call(), None)
        .unwrap()
        .chains
}

fn page(http: ScriptedHttp, chain: usize, settings: &str) -> Page {
    let bench = full(http, &[]).settings(settings);
    Salesforce::download_subscriptions(&bench.call(), &chains("{}")[chain]).unwrap()
}

fn brief(assignments: &[Assignment]) -> Vec<(&str, &str)> {
    assignments
        .iter()
        .map(|a| (a.account.as_str(), a.identifier.as_str()))
        .collect()
}

fn evidence<'a>(assignment: &'a Assignment, name: &str) -> Option<&'a str> {
    let found = assignment.evidence.iter().find(|a| a.name == name)?;
    Some(found.value.as_str())
}

const LICENCES: usize = 2;
const PACKAGES: usize = 3;

fn licence_row(number: u32, holder: u32, name: &str) -> String {
    format!(
        "{{\"Id\":\"2LA00000000000{number}AAA\",\"AssigneeId\":{:?},\"PermissionSetLicenseId\":\"0PL000000000001AAA\",\
         \"PermissionSetLicense\":{{\"DeveloperName\":{name},\"MasterLabel\":\"Sales User\"}}}}",
        id(holder)
    )
}

#[test]
fn each_kind_of_licence_has_its_own_chain_and_can_be_left_alone() {
    assert_eq!(chains("{}").len(), 4);
    assert_eq!(chains("{\"licence_kinds\":[\"packages\"]}").len(), 3);
    assert_eq!(chains("{\"licence_kinds\":[]}").len(), 2);
}

#[test]
fn a_permission_set_licence_is_known_by_its_developer_name_and_keeps_the_vendors_id() {
    let http = ScriptedHttp::new().get_with(
        &[
            "PermissionSetLicense.DeveloperName",
            "FROM PermissionSetLicenseAssign ORDER BY Id",
        ],
        rows(&[
            licence_row(1, 5, "\"SalesUserPsl\""),
            licence_row(2, 6, "null"),
        ]),
    );
    let page = page(http, LICENCES, "{}");
    assert_eq!(
        brief(&page.assignments),
        [
            (id(5).as_str(), "psl:SalesUserPsl"),
            (id(6).as_str(), "psl:0PL000000000001AAA")
        ]
    );
    assert_eq!(
        page.assignments[0].id.as_deref(),
        Some("2LA000000000001AAA")
    );
    assert_eq!(
        evidence(&page.assignments[0], "licence"),
        Some("Sales User")
    );
    assert!(page.accounts.is_empty() && page.next.is_none());
}

#[test]
fn a_package_is_known_by_its_namespace() {
    let seat = |number: u32, holder: u32, package: u32| {
        format!(
            "{{\"Id\":\"05100000000000{number}AAA\",\"UserId\":{:?},\"PackageLicenseId\":\"05000000000000{package}\"}}",
            id(holder)
        )
    };
    let http = ScriptedHttp::new()
        .get_with(
            &["SELECT Id, UserId, PackageLicenseId FROM UserPackageLicense ORDER BY Id"],
            rows(&[seat(1, 5, 1), seat(2, 6, 9)]),
        )
        .get_with(
            &["FROM PackageLicense"],
            rows(&["{\"Id\":\"050000000000001AAA\",\"NamespacePrefix\":\"acme_cpq\"}".to_owned()]),
        );
    let page = page(http, PACKAGES, "{}");
    assert_eq!(
        brief(&page.assignments),
        [
            (id(5).as_str(), "package:acme_cpq"),
            (id(6).as_str(), "package:050000000000009AAA")
        ]
    );
}

#[test]
fn a_filter_leaves_out_what_left_out_people_hold() {
    let holder = |number: u32, user: u32, email: &str| {
        let row = licence_row(number, user, "\"X\"");
        format!(
            "{},\"Assignee\":{{\"IsActive\":true,\"UserType\":\"Standard\",\"Email\":{email},\
             \"Profile\":{{\"UserLicense\":{{\"LicenseDefinitionKey\":\"SFDC\"}}}}}}}}",
            row.strip_suffix('}').unwrap()
        )
    };
    let http = ScriptedHttp::new().get_with(
        &["Assignee.IsActive, Assignee.Profile.UserLicense.LicenseDefinitionKey, Assignee.UserType, Assignee.Email FROM"],
        rows(&[
            holder(1, 5, "\"a@acme.com\""),
            holder(2, 6, "\"b@other.com\""),
            holder(3, 7, "null"),
        ]),
    );
    let page = page(http, LICENCES, "{\"company_names\":\"acme.com\"}");
    assert_eq!(brief(&page.assignments), [(id(5).as_str(), "psl:X")]);
}

#[test]
fn a_right_lost_during_the_run_fails_it_rather_than_ending_everybodys_licence() {
    for chain in [LICENCES, PACKAGES] {
        let http = ScriptedHttp::new().get_with(&["FROM"], error(400, "INVALID_TYPE", "no"));
        let bench = full(http, &[]);
        let failure =
            Salesforce::download_subscriptions(&bench.call(), &chains("{}")[chain]).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Permission);
    }
}

#[test]
fn feature_licences_are_assignments_of_their_own() {
    let features = [
        "UserPermissionsMarketingUser",
        "UserPermissionsKnowledgeUser",
    ];
    let row = user(
        1,
        &[
            "UserPermissionsSupportUser=true",
            "UserPermissionsKnowledgeUser=true",
            "UserPermissionsMarketingUser=false",
        ],
    );
    let http = || {
        ScriptedHttp::new()
            .get_with(
                &["UserPermissionsMarketingUser, UserPermissionsSupportUser, Profile.Name"],
                rows(&[row.clone()]),
            )
            .get_with(&["FROM PermissionSetLicenseAssign WHERE"], rows(&[]))
    };
    let all = full(http(), &features);
    let page = Salesforce::download_subscriptions(&all.call(), &chains("{}")[0]).unwrap();
    assert_eq!(
        brief(&page.assignments),
        [
            (id(1).as_str(), "SFDC"),
            (id(1).as_str(), "feature:KnowledgeUser"),
            (id(1).as_str(), "feature:SupportUser"),
        ]
    );
    // Left alone, the two that tell the clouds apart are read all the same.
    let none =
        full(http(), &features).settings("{\"licence_kinds\":[\"permission-set-licences\"]}");
    let page = Salesforce::download_subscriptions(&none.call(), &chains("{}")[0]).unwrap();
    assert_eq!(brief(&page.assignments), [(id(1).as_str(), "SFDC")]);
    assert!(!none.http.seen_paths()[0].contains("KnowledgeUser"));
}

#[test]
fn sales_and_service_are_told_apart_by_licence_then_flag_then_guess() {
    let holds = |holder: u32, licence: u32| {
        format!(
            "{{\"AssigneeId\":{:?},\"PermissionSetLicenseId\":\"0PL00000000000{licence}AAA\"}}",
            id(holder)
        )
    };
    let http = ScriptedHttp::new()
        .get_with(
            &["FROM User ORDER BY Id"],
            rows(&[
                user(1, &[]),
                user(2, &["UserPermissionsSupportUser=true"]),
                user(3, &["ForecastEnabled=true"]),
                user(4, &["UserPermissionsSupportUser=true"]),
                user(5, &["Profile=null"]),
                user(6, &[]),
            ]),
        )
        .get_with(
            &[
                "WHERE PermissionSetLicenseId IN ('0PL000000000001AAA','0PL000000000002AAA')",
                &format!("AssigneeId >= '{}' AND AssigneeId <= '{}'", id(1), id(6)),
            ],
            rows(&[holds(4, 1), holds(6, 2)]),
        );
    let page = page(http, 0, "{}");
    let of = |number: u32| {
        let seat = page
            .assignments
            .iter()
            .find(|a| a.account == id(number) && a.identifier == "SFDC")
            .unwrap();
        (
            evidence(seat, "product").unwrap(),
            evidence(seat, "product.derived").unwrap(),
        )
    };
    assert_eq!(of(1), ("Salesforce Sales Cloud", "true"));
    assert_eq!(of(2), ("Salesforce Service Cloud", "false"));
    assert_eq!(of(3), ("Salesforce Sales Cloud", "true"));
    assert_eq!(
        of(4),
        (
            "Salesforce Sales Cloud and Salesforce Service Cloud",
            "false"
        )
    );
    assert_eq!(of(6), ("Salesforce Service Cloud", "false"));
    assert!(page.assignments.iter().all(|a| a.account != id(5)));
}

#[test]
fn an_org_without_these_licences_pays_no_second_query() {
    let bench = bench(ScriptedHttp::new().get_with(&["FROM User"], rows(&[user(1, &[])])));
    let chain = crate::downloads::users_chain();
    Salesforce::download_subscriptions(&bench.call(), &chain).unwrap();
    assert_eq!(bench.http.seen().len(), 1);
}

#[test]
fn an_api_only_user_is_a_service_account_with_the_reason() {
    let http = ScriptedHttp::new()
        .get_with(&["FROM User"], rows(&[user(76, &[]), user(77, &[])]))
        .get_with(&["FROM PermissionSetLicenseAssign"], rows(&[]));
    let page = page(http, 0, "{}");
    assert_eq!(page.accounts[0].kind, AccountKind::Person);
    assert_eq!(page.accounts[1].kind, AccountKind::Service);
    let reason = page.accounts[1]
        .attributes
        .iter()
        .find(|a| a.name == "kind.reason")
        .unwrap();
    assert!(reason.value.contains("API Only User"), "{}", reason.value);
}

#[test]
fn a_memo_stays_far_below_its_bound_with_the_most_api_only_users() {
    let assignees: Vec<String> = (0..1000)
        .map(|number| format!("{{\"AssigneeId\":{:?}}}", id(number)))
        .collect();
    let http = discovery(&COLUMNS)
        .get_with(&["FROM PermissionSetLicenseAssign LIMIT 1"], rows(&[]))
        .get_with(&["FROM UserPackageLicense LIMIT 1"], rows(&[]))
        .get_with(&["FROM PermissionSetLicense"], rows(&[]))
        .get_with(
            &["FROM PermissionSetAssignment", "LIMIT 800"],
            rows(&assignees),
        );
    let memo = memo(http);
    assert!(
        (7_000..12_000).contains(&memo.len()),
        "{} bytes",
        memo.len()
    );
}

#[test]
fn a_look_up_knows_everything_that_people_hold() {
    let shows = || {
        ScriptedHttp::new()
            .get_with(&["FROM User WHERE Id IN"], rows(&[user(5, &[])]))
            .get_with(
                &["FROM PermissionSetLicenseAssign WHERE PermissionSetLicenseId IN"],
                rows(&[]),
            )
    };
    let seat = format!(
        "{{\"Id\":\"051000000000001AAA\",\"UserId\":{:?},\"PackageLicenseId\":\"050000000000001\"}}",
        id(5)
    );
    let asked = format!("IN ('{}') ORDER BY Id", id(5));
    let http = shows()
        .get_with(
            &["FROM PermissionSetLicenseAssign WHERE AssigneeId", &asked],
            rows(&[licence_row(1, 5, "\"SalesUserPsl\"")]),
        )
        .get_with(
            &["FROM UserPackageLicense WHERE UserId", &asked],
            rows(&[seat]),
        )
        .get_with(
            &["FROM PackageLicense"],
            rows(&["{\"Id\":\"050000000000001AAA\",\"NamespacePrefix\":\"cpq\"}".to_owned()]),
        )
        .get_with(&["FROM UserLogin"], rows(&[]));
    let page = Salesforce::lookup_accounts(&full(http, &[]).call(), &[id(5)]).unwrap();
    let held: Vec<&str> = page
        .assignments
        .iter()
        .map(|seat| seat.identifier.as_str())
        .collect();
    assert_eq!(held, ["SFDC", "psl:SalesUserPsl", "package:cpq"]);
    // A right that is lost must not look like a licence that is given back.
    let http = shows().get_with(
        &["FROM PermissionSetLicenseAssign WHERE AssigneeId"],
        error(400, "INVALID_TYPE", "no"),
    );
    let failure = Salesforce::lookup_accounts(&full(http, &[]).call(), &[id(5)]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permission);
}
