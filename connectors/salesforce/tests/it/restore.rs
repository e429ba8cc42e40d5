//! Plans that give back.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind,
    reclaim::{BeforeImage, Plan},
    testkit::{Scripted, ScriptedHttp},
};

use crate::{bench, error, id, login, login_id, reclaim::target, rows, user};

/// The image that planning makes of a user.
fn before(over: &[&str], frozen: bool, action: &str) -> BeforeImage {
    let http = ScriptedHttp::new()
        .get_with(&["FROM User WHERE"], rows(&[user(1, over)]))
        .get_with(&["FROM UserLogin"], rows(&[login(1, frozen)]));
    let plans = Salesforce::plan_reclaim(&bench(http).call(), &[target(1, action)]).unwrap();
    plans.into_iter().next().unwrap().unwrap().before.unwrap()
}

fn shows(users: &[String], logins: &[String]) -> ScriptedHttp {
    ScriptedHttp::new()
        .get_with(&["FROM User WHERE"], rows(users))
        .get_with(&["FROM UserLogin"], rows(logins))
}

fn seats(total: i64, used: i64) -> Scripted {
    rows(&[format!(
        "{{\"Id\":\"100000000000001AAA\",\"LicenseDefinitionKey\":\"SFDC\",\"TotalLicenses\":{total},\"UsedLicenses\":{used}}}"
    )])
}

fn restore(http: ScriptedHttp, action: &str, before: &BeforeImage) -> Plan {
    Salesforce::plan_restore(&bench(http).call(), &target(1, action), before).unwrap()
}

#[test]
fn b15_a_deactivated_user_is_reactivated_while_a_seat_is_free() {
    let before = before(&[], false, "deactivate");
    let http = shows(&[user(1, &["IsActive=false"])], &[login(1, false)])
        .get_with(&["UserLicense"], seats(5, 4));
    let plan = restore(http, "deactivate", &before);
    assert!(plan.blockers.is_empty());
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(
        plan.steps[0].path,
        format!("/services/data/v62.0/sobjects/User/{}", id(1))
    );
    assert_eq!(
        plan.steps[0].body.as_deref(),
        Some(&b"{\"IsActive\":true}"[..])
    );
    assert!(
        plan.consequences
            .iter()
            .any(|text| text.contains("does not come back"))
    );
}

#[test]
fn without_a_free_seat_nothing_is_sent() {
    let before = before(&[], false, "deactivate");
    for (total, used) in [(5, 5), (5, 6)] {
        let http = shows(&[user(1, &["IsActive=false"])], &[])
            .get_with(&["UserLicense"], seats(total, used));
        let plan = restore(http, "deactivate", &before);
        assert_eq!(plan.blockers[0].code, "no_free_seat");
        assert!(plan.steps.is_empty());
    }
}

#[test]
fn seats_that_cannot_be_read_or_have_no_bound_go_under_unchecked() {
    let before = before(&[], false, "deactivate");
    for answer in [
        seats(-1, 7),
        error(
            400,
            "INVALID_TYPE",
            "sObject type 'UserLicense' is not supported.",
        ),
    ] {
        let http = shows(&[user(1, &["IsActive=false"])], &[]).get_with(&["UserLicense"], answer);
        let plan = restore(http, "deactivate", &before);
        assert_eq!(plan.unchecked, ["Whether a seat is free for the user"]);
        assert_eq!(plan.steps.len(), 1);
    }
}

#[test]
fn b15_undo_is_idempotent() {
    let image = before(&[], false, "deactivate");
    let plan = restore(
        shows(&[user(1, &[])], &[login(1, false)]),
        "deactivate",
        &image,
    );
    assert!(plan.steps.is_empty() && plan.blockers.is_empty());
    let image = before(&[], false, "freeze");
    let plan = restore(shows(&[user(1, &[])], &[login(1, false)]), "freeze", &image);
    assert!(plan.steps.is_empty() && plan.blockers.is_empty());
}

#[test]
fn what_was_so_before_is_left_so() {
    let image = before(&["IsActive=false"], false, "deactivate");
    assert!(
        restore(
            shows(&[user(1, &["IsActive=false"])], &[]),
            "deactivate",
            &image
        )
        .steps
        .is_empty()
    );
    let image = before(&[], true, "freeze");
    assert!(
        restore(shows(&[user(1, &[])], &[login(1, true)]), "freeze", &image)
            .steps
            .is_empty()
    );
}

#[test]
fn a_profile_changed_since_is_said_and_left_alone() {
    let before = before(&[], false, "deactivate");
    let changed = user(1, &["IsActive=false", "ProfileId=\"00e000000000002AAA\""]);
    let http = shows(&[changed], &[]).get_with(&["UserLicense"], seats(5, 4));
    let plan = restore(http, "deactivate", &before);
    assert_eq!(
        plan.consequences[0],
        "The profile was changed since; it is not changed back"
    );
    assert_eq!(
        plan.steps[0].body.as_deref(),
        Some(&b"{\"IsActive\":true}"[..])
    );
}

#[test]
fn a_frozen_user_is_unfrozen() {
    let before = before(&[], false, "freeze");
    let plan = restore(shows(&[user(1, &[])], &[login(1, true)]), "freeze", &before);
    assert_eq!(
        plan.steps[0].path,
        format!("/services/data/v62.0/sobjects/UserLogin/{}", login_id(1))
    );
    assert_eq!(
        plan.steps[0].body.as_deref(),
        Some(&b"{\"IsFrozen\":false}"[..])
    );
}

#[test]
fn a_user_who_is_gone_cannot_be_restored() {
    let before = before(&[], false, "deactivate");
    assert_eq!(
        restore(shows(&[], &[]), "deactivate", &before).blockers[0].code,
        "not_found"
    );
}

#[test]
fn an_image_of_another_format_is_refused() {
    let mut image = before(&[], false, "deactivate");
    image.format = "salesforce.user/2".to_owned();
    let restore = |image: &BeforeImage| {
        Salesforce::plan_restore(
            &bench(ScriptedHttp::new()).call(),
            &target(1, "deactivate"),
            image,
        )
        .unwrap_err()
    };
    assert_eq!(restore(&image).kind, FailureKind::Unsupported);
    image.format = "salesforce.user/1".to_owned();
    image.data = b"{".to_vec();
    assert_eq!(restore(&image).kind, FailureKind::Malformed);
}
