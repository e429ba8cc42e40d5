//! Moving a person to a cheaper user licence.

use seatwise_connector_sdk::{
    reclaim::{Plan, State, Target},
    testkit::Scripted,
};

use crate::{
    count, error, id, login, profile,
    reclaim::{codes, target},
    rows,
    shelf::Shelf,
    user,
};

/// Profiles 1 to 5 of the licences SFDC, AUL, FDC_SUB, FDC_SUB and CSN_User.
pub fn profiles() -> Scripted {
    let profile = |number: u32, key: &str, name: &str| {
        format!(
            "{{\"Id\":\"00e00000000000{number}AAA\",\"Name\":\"P{number}\",\"UserLicense\":{{\"LicenseDefinitionKey\":{key:?},\"Name\":{name:?}}}}}"
        )
    };
    rows(&[
        profile(1, "SFDC", "Salesforce"),
        profile(2, "AUL", "Salesforce Platform"),
        profile(3, "FDC_SUB", "Force.com - App Subscription"),
        profile(4, "FDC_SUB", "Force.com - App Subscription"),
        profile(5, "CSN_User", "Chatter Free"),
    ])
}

fn seats(free: i64) -> Scripted {
    let row = |key: &str, used: i64| {
        format!(
            "{{\"Id\":\"100000000000001AAA\",\"LicenseDefinitionKey\":{key:?},\"TotalLicenses\":9,\"UsedLicenses\":{used}}}"
        )
    };
    rows(&[
        row("AUL", 9 - free),
        row("FDC_SUB", 0),
        row("SFDC", 9 - free),
    ])
}

fn org(settings: &str) -> Shelf {
    Shelf::shows(&[user(1, &[])], &[login(1, false)])
        .with("FROM Profile", profiles())
        .with("FROM UserLicense", seats(1))
        .settings(&format!("{{\"downgrade_profiles\":{settings:?}}}"))
}

fn to(licence: &str) -> Target {
    Target {
        to: Some(licence.to_owned()),
        ..target(1, "downgrade")
    }
}

fn only_request(plan: &Plan) -> String {
    assert_eq!(codes(plan), Vec::<&str>::new());
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(
        plan.steps[0].path,
        format!("/services/data/v62.0/sobjects/User/{}", id(1))
    );
    String::from_utf8(plan.steps[0].body.clone().unwrap()).unwrap()
}

#[test]
fn the_chosen_profile_decides_and_the_old_licence_is_freed() {
    for settings in [
        "SFDC=00e000000000002AAA",
        "AUL=00e000000000003, SFDC = 00e000000000002",
    ] {
        let plan = org(settings).plan(target(1, "downgrade"));
        assert_eq!(
            only_request(&plan),
            "{\"ProfileId\":\"00e000000000002AAA\"}"
        );
        assert_eq!(plan.frees, ["SFDC"]);
        assert!(
            plan.consequences
                .iter()
                .any(|it| it.contains("a seat of AUL is taken"))
        );
    }
    // Without a choice, the only profile of the licence that was asked for.
    assert_eq!(
        only_request(&org("").plan(to("AUL"))),
        "{\"ProfileId\":\"00e000000000002AAA\"}"
    );
}

#[test]
fn a_role_goes_in_the_same_request_where_the_new_licence_cannot_have_one() {
    let chatter = "{\"Id\":\"00e000000000007AAA\",\"Name\":\"C\",\"UserType\":\"CsnOnly\",\"UserLicense\":{\"LicenseDefinitionKey\":\"PID_CHATTER\",\"Name\":\"Chatter Only\"}}";
    let org = |over: &[&str]| {
        org("SFDC=00e000000000007")
            .with("FROM User WHERE Id IN (", rows(&[user(1, over)]))
            .holds("FROM Profile", &[chatter])
    };
    let with_role = org(&["UserRoleId=\"00E000000000001AAA\""]).plan(target(1, "downgrade"));
    assert_eq!(
        only_request(&with_role),
        "{\"ProfileId\":\"00e000000000007AAA\",\"UserRoleId\":null}"
    );
    assert!(
        with_role
            .consequences
            .iter()
            .any(|it| it.contains("loses the role"))
    );
    assert_eq!(
        only_request(&org(&[]).plan(target(1, "downgrade"))),
        "{\"ProfileId\":\"00e000000000007AAA\"}"
    );
}

#[test]
fn without_one_clear_profile_nothing_is_sent() {
    for (settings, target, code) in [
        ("", target(1, "downgrade"), "no_target"),
        ("", to("FDC_SUB"), "which_profile"),
        ("", to("PID_CHATTER"), "no_profile_of_licence"),
        (
            "SFDC=00e000000000009",
            target(1, "downgrade"),
            "no_such_profile",
        ),
        ("SFDC=00e000000000002", to("FDC_SUB"), "another_target"),
    ] {
        let plan = org(settings).plan(target);
        assert_eq!(codes(&plan), [code]);
        assert!(plan.steps.is_empty() && plan.frees.is_empty());
    }
    let hidden = org("SFDC=00e000000000002").with(
        "FROM Profile",
        error(400, "INVALID_FIELD", "no such column"),
    );
    assert_eq!(
        codes(&hidden.plan(target(1, "downgrade"))),
        ["profiles_unreadable"]
    );
}

#[test]
fn a_move_that_salesforce_refuses_is_blocked_with_the_reason() {
    let plan = org("SFDC=00e000000000005").plan(target(1, "downgrade"));
    assert_eq!(plan.blockers[0].code, "move_refused");
    assert!(
        plan.blockers[0]
            .fix
            .as_deref()
            .unwrap()
            .contains("creates a new one")
    );
    assert_eq!(
        org("SFDC=00e000000000001")
            .plan(target(1, "downgrade"))
            .blockers[0]
            .code,
        "same_licence"
    );
    let platform = format!("Profile={}", profile("P2", "AUL", "Salesforce Platform"));
    let upgrade = Shelf::shows(&[user(1, &[&platform])], &[])
        .with("FROM Profile", profiles())
        .with("FROM UserLicense", seats(1))
        .settings("{\"downgrade_profiles\":\"AUL=00e000000000001\"}")
        .plan(Target {
            identifier: "AUL".to_owned(),
            ..target(1, "downgrade")
        });
    assert_eq!(codes(&upgrade), ["not_cheaper"]);
}

#[test]
fn without_a_free_seat_of_the_target_nothing_is_sent() {
    let full = org("SFDC=00e000000000002").with("FROM UserLicense", seats(0));
    assert_eq!(codes(&full.plan(target(1, "downgrade"))), ["no_free_seat"]);
    let unknown =
        org("SFDC=00e000000000002").with("FROM UserLicense", error(400, "INVALID_TYPE", "no"));
    let plan = unknown.plan(target(1, "downgrade"));
    assert!(
        plan.unchecked
            .contains(&"Whether a seat of AUL is free".to_owned())
    );
    assert_eq!(plan.steps.len(), 1);
}

#[test]
fn b10_the_last_administrator_is_not_moved() {
    let admin = format!(
        "Profile={}",
        profile("System Administrator", "SFDC", "Salesforce")
    );
    let plan = org("SFDC=00e000000000002")
        .with("FROM User WHERE Id IN (", rows(&[user(1, &[&admin])]))
        .with("SELECT COUNT() FROM User", count(1))
        .plan(target(1, "downgrade"));
    assert_eq!(codes(&plan), ["last_admin"]);
}

#[test]
fn permission_sets_of_the_old_licence_stop_the_move_and_are_named() {
    let mine = format!(
        "Profile={}",
        profile("P1", "SFDC", "Salesforce").replace(
            "\"UserLicense\"",
            "\"UserLicenseId\":\"100000000000001AAA\",\"UserLicense\""
        )
    );
    let seat = |number: u32, name: &str, licence: &str| {
        format!(
            "{{\"Id\":\"0Pa00000000000{number}AAA\",\"AssigneeId\":{:?},\"PermissionSetId\":\"0PS00000000000{number}AAA\",\
             \"PermissionSet\":{{\"Name\":{name:?},\"LicenseId\":{licence},\"IsOwnedByProfile\":false}}}}",
            id(1)
        )
    };
    let plan = org("SFDC=00e000000000002")
        .with("FROM User WHERE Id IN (", rows(&[user(1, &[&mine])]))
        .with(
            "FROM PermissionSetAssignment",
            rows(&[
                seat(1, "Quotes", "\"100000000000001AAA\""),
                seat(2, "Plain", "null"),
            ]),
        )
        .plan(target(1, "downgrade"));
    assert_eq!(codes(&plan), ["sets_of_licence"]);
    assert!(plan.blockers[0].message.ends_with(": Quotes"));
}

#[test]
fn the_way_back_is_the_old_profile_while_a_seat_is_free() {
    let target = target(1, "downgrade");
    let before = org("SFDC=00e000000000002")
        .plan(target.clone())
        .before
        .unwrap();
    let moved = || {
        let over = format!("Profile={}", profile("P2", "AUL", "Salesforce Platform"));
        org("SFDC=00e000000000002").with(
            "FROM User WHERE Id IN (",
            rows(&[user(1, &[&over, "ProfileId=\"00e000000000002AAA\""])]),
        )
    };
    let plan = moved().restore(&target, &before).unwrap();
    assert_eq!(
        only_request(&plan),
        "{\"ProfileId\":\"00e000000000001AAA\"}"
    );
    let plan = moved()
        .with("FROM UserLicense", seats(0))
        .restore(&target, &before)
        .unwrap();
    assert_eq!(codes(&plan), ["no_free_seat"]);
    let plan = org("SFDC=00e000000000002")
        .restore(&target, &before)
        .unwrap();
    assert!(plan.steps.is_empty() && plan.blockers.is_empty());
}

#[test]
fn where_the_person_stands_after_a_move_is_observed() {
    let observe = |settings: &str, over: &[&str], target: Target| {
        org(settings)
            .with("FROM User WHERE Id IN (", rows(&[user(1, over)]))
            .observe(target)
            .state
    };
    let platform = format!("Profile={}", profile("P2", "AUL", "Salesforce Platform"));
    let moved = [platform.as_str(), "ProfileId=\"00e000000000002AAA\""];
    let chosen = "SFDC=00e000000000002";
    assert_eq!(
        observe(chosen, &[], target(1, "downgrade")),
        State::Untouched
    );
    assert_eq!(
        observe(chosen, &moved, target(1, "downgrade")),
        State::Reclaimed
    );
    assert_eq!(observe("", &moved, to("AUL")), State::Reclaimed);
    assert_eq!(
        observe("SFDC=00e000000000003", &moved, target(1, "downgrade")),
        State::Partly
    );
    assert_eq!(
        observe("", &["Profile=null"], target(1, "downgrade")),
        State::Partly
    );
}
