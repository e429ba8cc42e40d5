//! What is true now of each kind of licence, and that the manifest knows every action and request.

use seatwise_connector_sdk::reclaim::State;

use crate::{
    error,
    licences::{
        SALES, held, licence_seat, licences, package, package_seat, psl, restore, set_seat,
        sets_exist, with,
    },
    login,
    shelf::Shelf,
    user,
};

#[test]
fn what_is_true_of_each_kind_is_observed() {
    let observe = |shelf: Shelf, target| shelf.observe(target).state;
    assert_eq!(
        observe(with(&[], &[set_seat(1, "S", Some(SALES))]), psl()),
        State::Reclaimed
    );
    assert_eq!(
        observe(
            with(&[licence_seat(1, SALES)], &[set_seat(1, "S", Some(SALES))]),
            psl()
        ),
        State::Untouched
    );
    assert_eq!(
        observe(with(&[licence_seat(1, SALES)], &[]), psl()),
        State::Partly
    );
    let hidden = || error(400, "INVALID_TYPE", "sObject type is not supported.");
    assert_eq!(
        observe(
            with(&[], &[]).with("FROM PermissionSetLicenseAssign", hidden()),
            psl()
        ),
        State::Unknown
    );

    let seat = held("free-package-seat", "package:SBQQ");
    let packages = || with(&[], &[]).with("FROM PackageLicense", crate::rows(&[package(5, 1)]));
    assert_eq!(observe(packages(), seat.clone()), State::Reclaimed);
    assert_eq!(
        observe(
            packages().with("FROM UserPackageLicense", crate::rows(&[package_seat()])),
            seat.clone()
        ),
        State::Untouched
    );
    assert_eq!(
        observe(with(&[], &[]).with("FROM PackageLicense", hidden()), seat),
        State::Unknown
    );

    let feature = held("feature-off", "feature:SupportUser");
    for (over, state) in [
        (&["UserPermissionsSupportUser=false"][..], State::Reclaimed),
        (&["UserPermissionsSupportUser=true"], State::Untouched),
        (&[], State::Unknown),
    ] {
        assert_eq!(
            observe(Shelf::shows(&[user(1, over)], &[]), feature.clone()),
            state
        );
    }
    for target in [psl(), feature] {
        assert_eq!(observe(Shelf::new(), target), State::Gone);
    }
}

#[test]
fn every_request_is_a_write_operation_of_the_manifest_and_every_action_is_listed() {
    let manifest: toml::Table = include_str!("../../connector.toml").parse().unwrap();
    let writes: Vec<(String, regex::Regex)> = manifest["write_operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|operation| {
            let path = format!("^(?:{})$", operation["path"].as_str().unwrap());
            (
                operation["method"].as_str().unwrap().to_owned(),
                regex::Regex::new(&path).unwrap(),
            )
        })
        .collect();
    let org = || {
        sets_exist(
            Shelf::shows(
                &[user(1, &["UserPermissionsSupportUser=true"])],
                &[login(1, false)],
            )
            .with("FROM PermissionSetLicense ", crate::rows(&licences()))
            .with(
                "FROM PermissionSetLicenseAssign",
                crate::rows(&[licence_seat(1, SALES)]),
            )
            .with(
                "FROM PermissionSetAssignment",
                crate::rows(&[set_seat(1, "S", Some(SALES))]),
            )
            .with("FROM PackageLicense", crate::rows(&[package(5, 1)]))
            .with("FROM UserPackageLicense", crate::rows(&[package_seat()]))
            .with("FROM Profile", crate::moves::profiles())
            .settings("{\"downgrade_profiles\":\"SFDC=00e000000000002\"}"),
        )
    };
    let empty = || {
        sets_exist(
            Shelf::shows(
                &[user(
                    1,
                    &["IsActive=false", "UserPermissionsSupportUser=false"],
                )],
                &[login(1, true)],
            )
            .with("FROM PermissionSetLicense ", crate::rows(&licences()))
            .with("FROM PackageLicense", crate::rows(&[package(5, 1)])),
        )
    };
    let listed: Vec<&str> = manifest["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_str().unwrap())
        .collect();
    let mut tried = vec![];
    for (action, identifier) in [
        ("deactivate", "SFDC"),
        ("freeze", "SFDC"),
        ("downgrade", "SFDC"),
        ("remove-permission-set-licence", "psl:SalesUserPsl"),
        ("free-package-seat", "package:SBQQ"),
        ("feature-off", "feature:SupportUser"),
    ] {
        let target = held(action, identifier);
        let plan = org().plan(target.clone());
        let back = restore(&empty(), &target, plan.before.as_ref().unwrap());
        assert!(!plan.steps.is_empty(), "{action}: {:?}", plan.blockers);
        assert!(!back.steps.is_empty(), "{action}: {:?}", back.blockers);
        for step in plan.steps.iter().chain(&back.steps) {
            let method = format!("{:?}", step.method)
                .rsplit("::")
                .next()
                .unwrap()
                .to_uppercase();
            assert!(
                writes.iter().any(
                    |(verb, path)| method.ends_with(verb.as_str()) && path.is_match(&step.path)
                ),
                "{method} {}",
                step.path
            );
            assert!(
                !step.path.contains("composite"),
                "one person, one record per request"
            );
        }
        tried.push(action);
    }
    assert_eq!(listed, tried);
    let proposed = manifest["actions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["frees_seat"].as_bool() == Some(true))
        .unwrap();
    assert_eq!(
        proposed["id"].as_str(),
        Some("deactivate"),
        "what a proposed rule begins with"
    );
}

/// What stops a deactivation and no query shows (salesforce.md §4.2), and what stops the other actions (§4.4, §4.5). The
/// sentences are worded as people report them; which code comes with them is not recorded.
#[test]
fn each_refusal_has_words_of_its_own_and_a_way_out() {
    let manifest: toml::Table = include_str!("../../connector.toml").parse().unwrap();
    let rows = manifest["errors"].as_array().unwrap();
    let row_of = |code: &str, sentence: &str| {
        rows.iter()
            .filter(|row| {
                row["at"].as_str() == Some("api")
                    && row.get("error").and_then(toml::Value::as_str) == Some(code)
            })
            .find(|row| {
                row.get("text").is_none_or(|text| {
                    regex::Regex::new(text.as_str().unwrap())
                        .unwrap()
                        .is_match(sentence)
                })
            })
            .unwrap_or_else(|| panic!("{code}: {sentence}"))
    };
    for (sentence, expected) in [
        (
            "This user is the default case owner and cannot be deactivated",
            "default_owner",
        ),
        ("The user is the automated case owner", "default_owner"),
        (
            "You cannot deactivate the default lead owner",
            "default_owner",
        ),
        ("The user is the default lead creator", "default_owner"),
        ("The user is the default workflow user", "workflow_user"),
        (
            "The user is the sole recipient of a workflow e-mail alert",
            "workflow_user",
        ),
        ("The user is used in an assignment rule", "workflow_user"),
        ("The user is used in an auto-response rule", "workflow_user"),
        ("The user is used in an approval process", "workflow_user"),
        (
            "The user is the customer portal administrator",
            "portal_administrator",
        ),
        (
            "The user is selected in a custom hierarchy field",
            "hierarchy_field",
        ),
        (
            "This user owns an account with active portal users",
            "portal_owner",
        ),
        ("This user is used in a setting", "in_use"),
        (
            "This permission set license can't be removed because the permission set Sales still requires it",
            "licence_needed",
        ),
        (
            "This change in license types is not allowed",
            "move_refused",
        ),
        (
            "You can only reassign this user to a profile of the current license.",
            "move_refused",
        ),
        (
            "It is not permitted to change user type from Standard to CSN Only(db=n,api=CsnOnly)",
            "move_refused",
        ),
    ] {
        let row = row_of("FIELD_INTEGRITY_EXCEPTION", sentence);
        assert_eq!(
            row["code"].as_str().unwrap(),
            format!("salesforce.{expected}"),
            "{sentence}"
        );
        assert!(!row["fix"].as_str().unwrap().is_empty());
    }
}
