//! Permission-set licences, packages and feature licences; what tells the products apart; API-only users.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind,
    subscriptions::{AccountKind, Assignment, Page},
    testkit::{Bench, ScriptedHttp},
};

use crate::{COLUMNS, count, cursors::NEXT, discovery_with, error, id, memo_from, rows, user};

/// An org in which users have these columns besides and user 77 may use the API only.
fn full(http: ScriptedHttp, besides: &[&str]) -> Bench {
    let columns: Vec<&str> = COLUMNS.into_iter().chain(besides.iter().copied()).collect();
    Bench::new(http).memo(memo_from(discovery_with(
        &columns,
        rows(&[format!("{{\"AssigneeId\":{:?}}}", id(77))]),
    )))
}

/// What the first page of users is followed by, in an org that has the licences of Sales Cloud and Service Cloud: their ids end
/// in 1 and 2.
fn both_clouds(http: ScriptedHttp) -> ScriptedHttp {
    let licence = |number: u32, name: &str| {
        format!("{{\"Id\":\"0PL00000000000{number}AAA\",\"DeveloperName\":{name:?}}}")
    };
    http.get_with(
        &["FROM PermissionSetLicense WHERE DeveloperName IN ('SalesUserPsl','ServiceUserPsl')"],
        rows(&[licence(1, "SalesUserPsl"), licence(2, "ServiceUserPsl")]),
    )
}

fn chains() -> Vec<Vec<u8>> {
    chains_of("{}")
}

fn chains_of(settings: &str) -> Vec<Vec<u8>> {
    let counted = ScriptedHttp::new().get_with(&["COUNT()"], count(3));
    let bench = full(counted, &[]).settings(settings);
    Salesforce::begin_subscriptions(&bench.call(), None)
        .unwrap()
        .chains
}

fn page(http: ScriptedHttp, chain: usize, settings: &str) -> Page {
    let bench = full(http, &[]).settings(settings);
    Salesforce::download_subscriptions(&bench.call(), &chains()[chain]).unwrap()
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
    assert_eq!(chains().len(), 4);
    assert_eq!(chains_of("{\"licence_kinds\":[\"packages\"]}").len(), 3);
    assert_eq!(chains_of("{\"licence_kinds\":[]}").len(), 2);
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
fn a_kind_that_cannot_be_read_at_all_is_left_out_and_said() {
    for chain in [LICENCES, PACKAGES] {
        let http = ScriptedHttp::new().get_with(&["FROM"], error(400, "INVALID_TYPE", "no"));
        let bench = full(http, &[]);
        let page = Salesforce::download_subscriptions(&bench.call(), &chains()[chain]).unwrap();
        assert!(page.assignments.is_empty() && page.next.is_none());
        assert_eq!(
            bench.log.messages(),
            ["a kind of licence cannot be read; its holders are left out"]
        );
    }
}

#[test]
fn a_right_lost_during_the_run_fails_it_rather_than_ending_everybodys_licence() {
    let http = ScriptedHttp::new().get_with(
        &["FROM PermissionSetLicenseAssign"],
        crate::page(9, Some(NEXT), &[licence_row(1, 5, "\"SalesUserPsl\"")]),
    );
    let next = page(http, LICENCES, "{}").next.unwrap();
    let bench = full(
        ScriptedHttp::new().get(NEXT, error(403, "INSUFFICIENT_ACCESS", "no")),
        &[],
    );
    let failure = Salesforce::download_subscriptions(&bench.call(), &next).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permission);
    // A vendor that is down is no missing right, on the first page either.
    let down = ScriptedHttp::new().get_with(&["FROM"], error(503, "SERVER_UNAVAILABLE", "busy"));
    let failure = Salesforce::download_subscriptions(&full(down, &[]).call(), &chains()[PACKAGES])
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Transient);
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
        let users = ScriptedHttp::new().get_with(
            &["UserPermissionsMarketingUser, UserPermissionsSupportUser, Profile.Name"],
            rows(std::slice::from_ref(&row)),
        );
        both_clouds(users).get_with(&["FROM PermissionSetLicenseAssign WHERE"], rows(&[]))
    };
    let all = full(http(), &features);
    let page = Salesforce::download_subscriptions(&all.call(), &chains()[0]).unwrap();
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
    let page = Salesforce::download_subscriptions(&none.call(), &chains()[0]).unwrap();
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
    let users = ScriptedHttp::new().get_with(
        &["FROM User ORDER BY Id"],
        rows(&[
            user(1, &[]),
            user(2, &["UserPermissionsSupportUser=true"]),
            user(3, &["ForecastEnabled=true"]),
            user(4, &["UserPermissionsSupportUser=true"]),
            user(5, &["Profile=null"]),
            user(6, &[]),
        ]),
    );
    let http = both_clouds(users).get_with(
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
fn an_org_without_these_licences_is_asked_for_them_once_and_not_on_every_page() {
    let http = ScriptedHttp::new()
        .get_with(
            &["FROM User ORDER BY Id"],
            crate::page(2, Some(NEXT), &[user(1, &[])]),
        )
        .get_with(&["FROM PermissionSetLicense WHERE"], rows(&[]));
    let next = page(http, 0, "{}").next.unwrap();
    let bench = full(
        ScriptedHttp::new().get(NEXT, crate::page(2, None, &[user(2, &[])])),
        &[],
    );
    let last = Salesforce::download_subscriptions(&bench.call(), &next).unwrap();
    assert_eq!(last.accounts.len(), 1);
}

#[test]
fn an_api_only_user_is_a_service_account_with_the_reason() {
    let users = ScriptedHttp::new().get_with(&["FROM User"], rows(&[user(76, &[]), user(77, &[])]));
    let http = both_clouds(users).get_with(&["FROM PermissionSetLicenseAssign"], rows(&[]));
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
    let memo = memo_from(discovery_with(&COLUMNS, rows(&assignees)));
    assert!(
        (7_000..12_000).contains(&memo.len()),
        "{} bytes",
        memo.len()
    );
}

#[test]
fn a_look_up_knows_everything_that_people_hold() {
    let seat = format!(
        "{{\"Id\":\"051000000000001AAA\",\"UserId\":{:?},\"PackageLicenseId\":\"050000000000001\"}}",
        id(5)
    );
    let asked = format!("IN ('{}') ORDER BY Id", id(5));
    let http = ScriptedHttp::new()
        .get_with(
            &["FROM PermissionSetLicenseAssign WHERE AssigneeId", &asked],
            rows(&[licence_row(1, 5, "\"ServiceUserPsl\"")]),
        )
        .get_with(
            &["FROM UserPackageLicense WHERE UserId", &asked],
            rows(&[seat]),
        )
        .get_with(
            &["FROM PackageLicense"],
            rows(&["{\"Id\":\"050000000000001AAA\",\"NamespacePrefix\":\"cpq\"}".to_owned()]),
        )
        .get_with(&["FROM User WHERE Id IN"], rows(&[user(5, &[])]))
        .get_with(&["FROM UserLogin"], rows(&[]));
    let page = Salesforce::lookup_accounts(&full(http, &[]).call(), &[id(5)]).unwrap();
    let held: Vec<&str> = page
        .assignments
        .iter()
        .map(|seat| seat.identifier.as_str())
        .collect();
    assert_eq!(held, ["SFDC", "psl:ServiceUserPsl", "package:cpq"]);
    assert_eq!(
        evidence(&page.assignments[0], "product"),
        Some("Salesforce Service Cloud")
    );
    // A vendor that is down is no licence that was given back.
    let http = ScriptedHttp::new().get_with(
        &["FROM PermissionSetLicenseAssign"],
        error(503, "SERVER_UNAVAILABLE", "busy"),
    );
    let failure = Salesforce::lookup_accounts(&full(http, &[]).call(), &[id(5)]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Transient);
}
