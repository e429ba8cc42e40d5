//! Plans that give a user licence back.

use seatwise_connector_sdk::{
    FailureKind,
    reclaim::{BeforeImage, Plan},
    testkit::Scripted,
};

use crate::{error, id, login, login_id, reclaim::target, rows, shelf::Shelf, user};

/// The image that planning makes of a user.
fn before(over: &[&str], frozen: bool, action: &str) -> BeforeImage {
    shows(&[user(1, over)], &[login(1, frozen)])
        .plan(target(1, action))
        .before
        .unwrap()
}

fn shows(users: &[String], logins: &[String]) -> Shelf {
    Shelf::shows(users, logins)
}

fn seats(total: i64, used: i64) -> Scripted {
    rows(&[format!(
        "{{\"Id\":\"100000000000001AAA\",\"LicenseDefinitionKey\":\"SFDC\",\"TotalLicenses\":{total},\"UsedLicenses\":{used}}}"
    )])
}

fn restore(shelf: Shelf, action: &str, before: &BeforeImage) -> Plan {
    shelf.restore(&target(1, action), before).unwrap()
}

#[test]
fn b15_a_deactivated_user_is_reactivated_while_a_seat_is_free() {
    let before = before(&[], false, "deactivate");
    let http = shows(&[user(1, &["IsActive=false"])], &[login(1, false)])
        .with("FROM UserLicense", seats(5, 4));
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
            .with("FROM UserLicense", seats(total, used));
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
        let http = shows(&[user(1, &["IsActive=false"])], &[]).with("FROM UserLicense", answer);
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
fn what_was_changed_since_is_changed_back_after_the_reactivation_and_said() {
    let before = before(
        &["UserRoleId=\"00E000000000001AAA\"", "ManagerId=null"],
        false,
        "deactivate",
    );
    let changed = user(
        1,
        &[
            "IsActive=false",
            "ProfileId=\"00e000000000002AAA\"",
            "UserRoleId=null",
            "ManagerId=\"005000000000077AAA\"",
        ],
    );
    let http = shows(&[changed], &[]).with("FROM UserLicense", seats(5, 4));
    let plan = restore(http, "deactivate", &before);
    for what in ["profile", "role", "manager"] {
        assert!(
            plan.consequences
                .iter()
                .any(|text| text.starts_with(&format!("The {what} was changed since"))),
            "{what}"
        );
    }
    let bodies: Vec<&str> = plan
        .steps
        .iter()
        .map(|step| std::str::from_utf8(step.body.as_deref().unwrap()).unwrap())
        .collect();
    assert_eq!(
        bodies,
        [
            "{\"IsActive\":true}",
            "{\"ProfileId\":\"00e000000000001AAA\"}",
            "{\"UserRoleId\":\"00E000000000001AAA\"}",
            "{\"ManagerId\":null}",
        ]
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
fn an_image_of_another_format_is_refused_and_one_of_the_first_format_still_works() {
    let mut image = before(&[], false, "deactivate");
    let restore = |image: &BeforeImage| {
        shows(&[user(1, &["IsActive=false"])], &[])
            .with("FROM UserLicense", seats(5, 4))
            .restore(&target(1, "deactivate"), image)
    };
    image.format = "salesforce.user/3".to_owned();
    assert_eq!(restore(&image).unwrap_err().kind, FailureKind::Unsupported);
    image.format = "salesforce.user/1".to_owned();
    image.data = b"{".to_vec();
    assert_eq!(restore(&image).unwrap_err().kind, FailureKind::Malformed);
    image.data = b"{\"IsActive\":true,\"ProfileId\":\"00e000000000001AAA\",\"UserRoleId\":null,\"ManagerId\":null,\
        \"IsFrozen\":false,\"UserLoginId\":null,\"LicenseDefinitionKey\":\"SFDC\"}"
        .to_vec();
    let plan = restore(&image).unwrap();
    assert_eq!(plan.steps.len(), 1);
    assert!(
        plan.unchecked
            .iter()
            .any(|text| text.starts_with("Which permission sets the person had"))
    );
}

#[test]
fn a_frozen_user_stays_frozen_when_reactivated_and_that_is_said() {
    for (was_frozen, says) in [
        (
            true,
            "The user was frozen before and stays frozen until the freeze is undone too",
        ),
        (false, "The user was frozen since and stays frozen"),
    ] {
        let before = before(&[], was_frozen, "deactivate");
        let http = shows(&[user(1, &["IsActive=false"])], &[login(1, true)])
            .with("FROM UserLicense", seats(5, 4));
        let plan = restore(http, "deactivate", &before);
        assert!(
            plan.consequences.contains(&says.to_owned()),
            "{:?}",
            plan.consequences
        );
        assert_eq!(plan.steps.len(), 1);
    }
}
