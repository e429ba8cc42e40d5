//! Plans about what is held besides the user licence: permission-set licences, package seats, features.

use seatwise_connector_sdk::{
    reclaim::{BeforeImage, Judgement, Plan, Target, WriteMethod},
    testkit::{Scripted, ScriptedHttp},
};

use crate::{bench, error, id, login, profile, reclaim::codes, shelf::Shelf, user};

pub const SALES: &str = "0PL000000000001AAA";
pub const SERVICE: &str = "0PL000000000002AAA";

pub fn licence(at: &str, name: &str, total: i64, used: i64) -> String {
    format!(
        "{{\"Id\":{at:?},\"DeveloperName\":{name:?},\"TotalLicenses\":{total},\"UsedLicenses\":{used}}}"
    )
}

pub fn licences() -> [String; 2] {
    [
        licence(SALES, "SalesUserPsl", 5, 4),
        licence(SERVICE, "ServiceUserPsl", 5, 4),
    ]
}

pub fn licence_seat(number: u32, licence: &str) -> String {
    format!(
        "{{\"Id\":\"2LA00000000{number:04}AAA\",\"AssigneeId\":{:?},\"PermissionSetLicenseId\":{licence:?}}}",
        id(1)
    )
}

pub fn set_id(number: u32) -> String {
    format!("0PS00000000{number:04}AAA")
}

pub fn group_id(number: u32) -> String {
    format!("0PG00000000{number:04}AAA")
}

pub fn set_seat(number: u32, name: &str, licence: Option<&str>) -> String {
    format!(
        "{{\"Id\":\"0Pa00000000{number:04}AAA\",\"AssigneeId\":{:?},\"PermissionSetId\":{:?},\"PermissionSetGroupId\":null,\
         \"ExpirationDate\":null,\"PermissionSetGroup\":null,\"PermissionSet\":{{\"Name\":{name:?},\"LicenseId\":{},\
         \"IsOwnedByProfile\":false}}}}",
        id(1),
        set_id(number),
        licence.map_or_else(|| "null".to_owned(), |it| format!("{it:?}"))
    )
}

pub fn group_seat(number: u32, name: &str) -> String {
    format!(
        "{{\"Id\":\"0Pa00000000{number:04}AAA\",\"AssigneeId\":{:?},\"PermissionSetId\":null,\"PermissionSetGroupId\":{:?},\
         \"ExpirationDate\":\"2027-01-01T00:00:00.000+0000\",\"PermissionSetGroup\":{{\"DeveloperName\":{name:?}}},\"PermissionSet\":null}}",
        id(1),
        group_id(number)
    )
}

pub fn component(group: u32, licence: &str) -> String {
    format!(
        "{{\"Id\":\"0PV000000000001AAA\",\"PermissionSetGroupId\":{:?},\"PermissionSet\":{{\"Name\":\"x\",\"LicenseId\":{licence:?}}}}}",
        group_id(group)
    )
}

/// User 1 with these permission-set licences and sets.
pub fn with(licence_seats: &[String], set_seats: &[String]) -> Shelf {
    Shelf::shows(&[user(1, &[])], &[login(1, false)])
        .with("FROM PermissionSetLicense ", crate::rows(&licences()))
        .with(
            "FROM PermissionSetLicenseAssign",
            crate::rows(licence_seats),
        )
        .with("FROM PermissionSetAssignment", crate::rows(set_seats))
}

pub fn held(action: &str, identifier: &str) -> Target {
    Target {
        account: id(1),
        identifier: identifier.to_owned(),
        action: action.to_owned(),
        to: None,
    }
}

pub fn psl() -> Target {
    held("remove-permission-set-licence", "psl:SalesUserPsl")
}

/// Method, last two parts of the path and body of each step.
pub fn requests(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| {
            let method = match step.method {
                WriteMethod::Post => "POST",
                WriteMethod::Put => "PUT",
                WriteMethod::Patch => "PATCH",
                WriteMethod::Delete => "DELETE",
            };
            let path = step
                .path
                .strip_prefix("/services/data/v62.0/sobjects/")
                .unwrap();
            let body = step
                .body
                .as_deref()
                .map_or("", |body| std::str::from_utf8(body).unwrap());
            assert_eq!(step.content_type.is_some(), step.body.is_some());
            format!("{method} {path} {body}").trim_end().to_owned()
        })
        .collect()
}

pub fn says(plan: &Plan, text: &str) -> bool {
    plan.consequences.iter().any(|it| it.contains(text))
}

#[test]
fn the_permission_sets_go_before_the_licence_they_need() {
    let plan = with(
        &[licence_seat(1, SALES), licence_seat(2, SERVICE)],
        &[
            set_seat(1, "Sales_Extra", Some(SALES)),
            // The one set whose licence is not linked.
            set_seat(2, "Sales_User", None),
            set_seat(3, "Service_User", Some(SERVICE)),
            group_seat(4, "Sellers"),
            group_seat(5, "Others"),
        ],
    )
    .with(
        "FROM PermissionSetGroupComponent",
        crate::rows(&[component(4, SALES), component(4, SERVICE)]),
    )
    .plan(psl());
    assert_eq!(codes(&plan), Vec::<&str>::new());
    assert_eq!(
        requests(&plan),
        [
            "DELETE PermissionSetAssignment/0Pa000000000001AAA",
            "DELETE PermissionSetAssignment/0Pa000000000002AAA",
            "DELETE PermissionSetAssignment/0Pa000000000004AAA",
            "DELETE PermissionSetLicenseAssign/2LA000000000001AAA",
        ]
    );
    assert_eq!(plan.frees, ["psl:SalesUserPsl"]);
    assert!(says(&plan, "permission set Sales_Extra"));
    assert!(says(
        &plan,
        "permission-set group Sellers, with every permission set in it"
    ));
    assert!(says(
        &plan,
        "may also take back the permission-set licences ServiceUserPsl"
    ));
    assert!(says(&plan, "An undo assigns again"));
    assert!(!says(&plan, "Service_User"));
}

#[test]
fn a_licence_without_permission_sets_is_one_request() {
    let plan = with(&[licence_seat(1, SALES)], &[]).plan(psl());
    assert_eq!(
        requests(&plan),
        ["DELETE PermissionSetLicenseAssign/2LA000000000001AAA"]
    );
}

#[test]
fn the_profiles_own_permission_set_is_never_taken() {
    let own = set_seat(1, "X00e", Some(SALES))
        .replace("\"IsOwnedByProfile\":false", "\"IsOwnedByProfile\":true");
    let plan = with(&[licence_seat(1, SALES)], &[own]).plan(psl());
    assert_eq!(
        requests(&plan),
        ["DELETE PermissionSetLicenseAssign/2LA000000000001AAA"]
    );
}

#[test]
fn what_is_not_assigned_any_more_needs_nothing() {
    for plan in [
        with(&[licence_seat(2, SERVICE)], &[]).plan(psl()),
        with(&[], &[]).plan(held("remove-permission-set-licence", "psl:NoSuchPsl")),
        with(&[], &[]).plan(held("free-package-seat", "package:SBQQ")),
        Shelf::shows(&[user(1, &["UserPermissionsSupportUser=false"])], &[])
            .plan(held("feature-off", "feature:SupportUser")),
    ] {
        assert!(plan.blockers.is_empty() && plan.steps.is_empty() && plan.frees.is_empty());
        assert!(
            plan.consequences[0].ends_with("nothing will be sent"),
            "{plan:?}"
        );
    }
}

#[test]
fn licences_that_cannot_be_read_are_never_taken_back() {
    let hidden = || error(400, "INVALID_TYPE", "sObject type is not supported.");
    for object in [
        "FROM PermissionSetLicense ",
        "FROM PermissionSetLicenseAssign",
    ] {
        let plan = with(&[licence_seat(1, SALES)], &[])
            .with(object, hidden())
            .plan(psl());
        assert_eq!(codes(&plan), ["licence_unreadable"], "{object}");
    }
    for object in ["FROM PackageLicense", "FROM UserPackageLicense"] {
        let plan = with(&[], &[])
            .with(object, hidden())
            .plan(held("free-package-seat", "package:SBQQ"));
        assert_eq!(codes(&plan), ["packages_unreadable"], "{object}");
    }
    let plan = with(&[], &[]).plan(held("feature-off", "feature:SupportUser"));
    assert_eq!(codes(&plan), ["feature_unreadable"]);
}

#[test]
fn permission_sets_that_cannot_be_read_are_said_and_salesforce_decides() {
    let hidden = || error(400, "INVALID_TYPE", "sObject type is not supported.");
    let plan = with(&[licence_seat(1, SALES)], &[])
        .with("FROM PermissionSetAssignment", hidden())
        .plan(psl());
    assert_eq!(requests(&plan).len(), 1);
    assert!(
        plan.unchecked
            .iter()
            .any(|it| it.starts_with("Which permission sets of the person need"))
    );
    let plan = with(&[licence_seat(1, SALES)], &[group_seat(4, "Sellers")])
        .with("FROM PermissionSetGroupComponent", hidden())
        .plan(psl());
    assert!(
        plan.unchecked
            .iter()
            .any(|it| it.starts_with("Whether a permission-set group of the person needs"))
    );
}

#[test]
fn a_licence_that_a_profile_or_a_directory_needs_is_not_simply_taken() {
    let api_only = format!(
        "Profile={}",
        profile("Salesforce API Only", "SFDC", "Salesforce")
    );
    let psls = [
        licence(SALES, "SalesforceAPIIntegrationPsl", 5, 1),
        licence(SERVICE, "IdentityConnect", 5, 1),
    ];
    let shelf = || {
        Shelf::shows(&[user(1, &[&api_only])], &[])
            .with("FROM PermissionSetLicense ", crate::rows(&psls))
            .with(
                "FROM PermissionSetLicenseAssign",
                crate::rows(&[licence_seat(1, SALES), licence_seat(2, SERVICE)]),
            )
    };
    let plan = shelf().plan(held(
        "remove-permission-set-licence",
        "psl:SalesforceAPIIntegrationPsl",
    ));
    assert_eq!(codes(&plan), ["needed_by_profile"]);
    let plan = shelf().plan(held("remove-permission-set-licence", "psl:IdentityConnect"));
    assert!(
        plan.unchecked
            .iter()
            .any(|it| it.contains("Identity Connect"))
    );
}

#[test]
fn more_permission_sets_than_a_plan_takes_are_blocked() {
    let sets: Vec<String> = (1..=20)
        .map(|number| set_seat(number, "S", Some(SALES)))
        .collect();
    assert_eq!(
        codes(&with(&[licence_seat(1, SALES)], &sets).plan(psl())),
        ["too_many_sets"]
    );
    assert_eq!(
        requests(&with(&[licence_seat(1, SALES)], &sets[1..]).plan(psl())).len(),
        20
    );
}

#[test]
fn each_action_takes_only_its_own_kind_of_licence() {
    for (action, identifier) in [
        ("deactivate", "psl:SalesUserPsl"),
        ("freeze", "package:SBQQ"),
        ("downgrade", "feature:SupportUser"),
        ("remove-permission-set-licence", "SFDC"),
        ("free-package-seat", "psl:SalesUserPsl"),
        ("feature-off", "package:SBQQ"),
    ] {
        let plan = with(&[], &[]).plan(held(action, identifier));
        assert_eq!(codes(&plan), ["wrong_action"], "{action} {identifier}");
        assert!(plan.steps.is_empty());
    }
    assert_eq!(
        codes(&with(&[], &[]).plan(held("feature-off", "feature:ManageUsers"))),
        ["unknown_feature"]
    );
}

pub fn package(allowed: i64, used: i64) -> String {
    format!(
        "{{\"Id\":\"050000000000001AAA\",\"NamespacePrefix\":\"SBQQ\",\"AllowedLicenses\":{allowed},\"UsedLicenses\":{used}}}"
    )
}

pub fn package_seat() -> String {
    format!(
        "{{\"Id\":\"051000000000001AAA\",\"UserId\":{:?},\"PackageLicenseId\":\"050000000000001AAA\"}}",
        id(1)
    )
}

#[test]
fn a_package_seat_is_one_request_and_a_site_licence_is_none() {
    let with_package = |allowed| {
        with(&[], &[])
            .with("FROM PackageLicense", crate::rows(&[package(allowed, 1)]))
            .with("FROM UserPackageLicense", crate::rows(&[package_seat()]))
            .plan(held("free-package-seat", "package:SBQQ"))
    };
    let plan = with_package(5);
    assert_eq!(
        requests(&plan),
        ["DELETE UserPackageLicense/051000000000001AAA"]
    );
    assert_eq!(plan.frees, ["package:SBQQ"]);
    assert_eq!(codes(&with_package(-1)), ["site_licence"]);
}

#[test]
fn a_feature_is_one_literal_switch() {
    let plan = Shelf::shows(&[user(1, &["UserPermissionsSupportUser=true"])], &[])
        .plan(held("feature-off", "feature:SupportUser"));
    assert_eq!(
        requests(&plan),
        [format!(
            "PATCH User/{} {{\"UserPermissionsSupportUser\":false}}",
            id(1)
        )]
    );
    assert_eq!(plan.frees, ["feature:SupportUser"]);
}

#[test]
fn b10_nobody_who_is_protected_loses_a_licence() {
    let own = |action: &str, identifier: &str| Target {
        account: id(999),
        ..held(action, identifier)
    };
    for (action, identifier) in [
        ("remove-permission-set-licence", "psl:SalesUserPsl"),
        ("free-package-seat", "package:SBQQ"),
        ("feature-off", "feature:SupportUser"),
    ] {
        let plan = Shelf::shows(&[user(999, &["UserPermissionsSupportUser=true"])], &[])
            .plan(own(action, identifier));
        assert_eq!(codes(&plan)[0], "self", "{action}");
        let plan = Shelf::shows(&[user(1, &["UserType=\"AutomatedProcess\""])], &[])
            .plan(held(action, identifier));
        assert_eq!(codes(&plan)[0], "service_account", "{action}");
    }
}

#[test]
fn what_is_gone_is_already_done_and_what_is_there_is_given_already() {
    let plan = with(&[licence_seat(1, SALES)], &[set_seat(1, "S", Some(SALES))]).plan(psl());
    let bench = bench(ScriptedHttp::new());
    let judge = |step, answer: Scripted| {
        <seatwise_connector_salesforce::Salesforce as seatwise_connector_sdk::Connector>::judge(
            &bench.ctx,
            step,
            &answer.answer(),
        )
        .judgement
    };
    for step in &plan.steps {
        assert_eq!(judge(step, Scripted::empty(204)), Judgement::Done);
        assert_eq!(
            judge(step, error(404, "NOT_FOUND", "gone")),
            Judgement::AlreadyDone
        );
        assert_eq!(
            judge(step, error(404, "ENTITY_IS_DELETED", "entity is deleted")),
            Judgement::AlreadyDone
        );
        assert_eq!(
            judge(step, error(400, "ENTITY_IS_DELETED", "entity is deleted")),
            Judgement::AlreadyDone
        );
        assert_eq!(
            judge(
                step,
                error(400, "FIELD_INTEGRITY_EXCEPTION", "a set needs it")
            ),
            Judgement::Refused
        );
        // Some gateway's answer: nobody said that the record is gone.
        assert_ne!(judge(step, Scripted::json(404, "")), Judgement::AlreadyDone);
        assert_eq!(
            judge(step, Scripted::with_type(404, "text/html", "<html>")),
            Judgement::Unknown
        );
    }
    let back = restore(&with(&[], &[]), &psl(), &plan.before.unwrap());
    for step in &back.steps {
        assert_eq!(
            judge(
                step,
                Scripted::json(201, "{\"id\":\"x\",\"success\":true,\"errors\":[]}")
            ),
            Judgement::Done
        );
        assert_eq!(
            judge(step, error(400, "DUPLICATE_VALUE", "duplicate value found")),
            Judgement::AlreadyDone
        );
        assert_eq!(
            judge(step, error(400, "LICENSE_LIMIT_EXCEEDED", "no seat")),
            Judgement::Refused
        );
        assert_eq!(
            judge(step, error(404, "NOT_FOUND", "no such resource")),
            Judgement::Refused
        );
    }
}

pub fn restore(shelf: &Shelf, target: &Target, before: &BeforeImage) -> Plan {
    shelf.restore(target, before).unwrap()
}

pub fn sets_exist(shelf: Shelf) -> Shelf {
    let sets: Vec<String> = (1..=9)
        .map(|number| format!("{{\"Id\":{:?}}}", set_id(number)))
        .collect();
    let groups: Vec<String> = (1..=9)
        .map(|number| format!("{{\"Id\":{:?}}}", group_id(number)))
        .collect();
    shelf
        .with("SELECT Id FROM PermissionSet ", crate::rows(&sets))
        .with("SELECT Id FROM PermissionSetGroup ", crate::rows(&groups))
}

#[test]
fn more_than_an_image_can_keep_is_said_and_the_plan_stays_whole() {
    let sets: Vec<String> = (1..=900)
        .map(|number| set_seat(number, "A_permission_set_with_a_long_name", None))
        .collect();
    let plan = with(&[licence_seat(1, SALES)], &sets).plan(held("deactivate", "SFDC"));
    assert!(plan.before.unwrap().data.len() <= 60 * 1024);
    assert_eq!(
        plan.unchecked[0],
        "The person has more permission sets than are kept: an undo cannot give them back"
    );
    assert_eq!(plan.steps.len(), 1);
    let few = with(&[licence_seat(1, SALES)], &sets[..100]).plan(held("deactivate", "SFDC"));
    assert!(!few.unchecked.iter().any(|it| it.contains("than are kept")));
}
