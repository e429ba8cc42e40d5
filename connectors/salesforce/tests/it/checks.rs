//! The named checks.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind, Process,
    connection::{CheckResult, Verdict},
    testkit::{Bench, Scripted, ScriptedHttp},
};

use crate::{
    COLUMNS, PLAIN, bench, count, describe, discovery, error, id, memo_of, organization, page,
    profile, rows, user, versions,
};

fn check(http: ScriptedHttp, id: &str) -> CheckResult {
    Salesforce::check(&bench(http).settings("{}").call(), id).unwrap()
}

fn versioned() -> ScriptedHttp {
    ScriptedHttp::new().get("/services/data/", versions(&["59.0", "62.0", "66.0"]))
}

#[test]
fn every_process_has_a_mandatory_check_or_says_that_it_is_optional() {
    let bench = Bench::new(ScriptedHttp::new());
    let checks = Salesforce::checks(&bench.call());
    for process in [
        Process::Subscriptions,
        Process::Activity,
        Process::Consumption,
    ] {
        assert!(
            checks
                .iter()
                .any(|check| check.mandatory && check.serves.contains(&process))
        );
    }
    let of_reclaim: Vec<&str> = checks
        .iter()
        .filter(|check| check.serves == [Process::Reclaim])
        .map(|check| check.id.as_str())
        .collect();
    assert_eq!(of_reclaim, ["reclaim-right"]);
}

#[test]
fn every_listed_check_can_be_run_without_a_write() {
    let bench1 = Bench::new(ScriptedHttp::new());
    for info in Salesforce::checks(&bench1.call()) {
        // Refused at the first request: a check that exists makes one, one that does not fails otherwise.
        let http = ScriptedHttp::new().expect(
            "any",
            |_| Ok(()),
            error(401, "INVALID_SESSION_ID", "Session expired or invalid"),
        );
        let bench = bench(http).settings("{\"activity_source\":\"login_history\"}");
        let result = Salesforce::check(&bench.call(), &info.id).unwrap();
        assert_eq!(result.verdict, Verdict::Fail, "{}", info.id);
        assert!(
            result.evidence.contains("INVALID_SESSION_ID"),
            "{}",
            result.evidence
        );
        assert!(
            result
                .fix
                .is_some_and(|fix| fix.contains("Connect the profile again"))
        );
    }
    let failure = Salesforce::check(&bench1.call(), "nonsense").unwrap_err();
    assert_eq!(failure.code, "unknown_check");
}

#[test]
fn a_vendor_that_is_down_is_no_verdict() {
    for (answer, kind) in [
        (
            error(503, "SERVER_UNAVAILABLE", "busy"),
            FailureKind::Transient,
        ),
        (
            error(
                403,
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
            ),
            FailureKind::Quota,
        ),
        (
            Scripted::with_type(200, "text/html", "<html>"),
            FailureKind::Transient,
        ),
    ] {
        let http = ScriptedHttp::new().get_with(&["FROM User"], answer);
        assert_eq!(
            Salesforce::check(&bench(http).call(), "users")
                .unwrap_err()
                .kind,
            kind
        );
    }
}

#[test]
fn reachable_tells_the_versions_and_the_one_in_use() {
    let http = versioned().get("/services/data/", versions(&["59.0", "62.0", "66.0"]));
    let result = check(http, "api-reachable");
    assert_eq!(result.verdict, Verdict::Pass);
    assert_eq!(
        result.evidence,
        "The org lists versions 59.0 to 66.0; v62.0 is used"
    );
}

#[test]
fn the_org_is_named_with_its_id_and_kind() {
    let http = versioned().get_with(&["FROM Organization"], organization(",\"IsSandbox\":true"));
    let result = check(http, "organization");
    assert_eq!(
        result.evidence,
        "Acme, 00D000000000001EAA, Enterprise Edition, a Salesforce sandbox"
    );
}

#[test]
fn a_user_without_api_right_is_told_who_can_give_it() {
    let http = versioned().get_with(
        &["FROM Organization"],
        error(
            403,
            "FUNCTIONALITY_NOT_ENABLED",
            "This feature is not currently enabled for this user",
        ),
    );
    let result = check(http, "organization");
    assert_eq!(result.verdict, Verdict::Fail);
    assert!(result.fix.unwrap().contains("API Enabled"));
}

#[test]
fn missing_columns_are_named_and_a_hidden_last_login_is_worse() {
    assert_eq!(check(discovery(&COLUMNS), "columns").verdict, Verdict::Pass);
    let without = |gone: &str| {
        COLUMNS
            .into_iter()
            .filter(|column| *column != gone)
            .collect::<Vec<_>>()
    };
    let result = check(discovery(&without("Division")), "columns");
    assert_eq!(
        (result.verdict, result.evidence.as_str()),
        (Verdict::Warn, "Goes on without Division")
    );
    let result = check(discovery(&without("LastLoginDate")), "columns");
    assert_eq!(result.verdict, Verdict::Warn);
    assert!(result.evidence.contains("nobody can become a candidate"));
}

#[test]
fn one_real_page_of_users_is_read_and_an_empty_one_fails() {
    let next = "/services/data/v62.0/query/01g-2000";
    let result = check(
        ScriptedHttp::new().get_with(
            &["FROM User ORDER BY Id"],
            page(9, Some(next), &[user(1, &[])]),
        ),
        "users",
    );
    assert_eq!(
        (result.verdict, result.evidence.as_str()),
        (Verdict::Pass, "1 of 9 users read in one page")
    );
    assert_eq!(
        check(
            ScriptedHttp::new().get_with(&["FROM User"], rows(&[])),
            "users"
        )
        .verdict,
        Verdict::Fail
    );
}

#[test]
fn hidden_licences_name_the_right_that_shows_them() {
    let http = ScriptedHttp::new().get_with(
        &["UserLicense"],
        error(
            400,
            "INVALID_TYPE",
            "sObject type 'UserLicense' is not supported.",
        ),
    );
    let result = check(http, "licences");
    assert_eq!(result.verdict, Verdict::Fail);
    assert!(result.fix.unwrap().contains("View Setup and Configuration"));
}

#[test]
fn hidden_frozen_names_manage_users() {
    let http = versioned().get_with(
        &["UserLogin"],
        error(
            400,
            "INVALID_TYPE",
            "sObject type 'UserLogin' is not supported.",
        ),
    );
    let result = check(http, "frozen");
    assert_eq!(result.verdict, Verdict::Fail);
    assert!(result.fix.unwrap().contains("Manage Users"));
    let result = check(
        versioned().get_with(&["COUNT() FROM UserLogin"], count(3)),
        "frozen",
    );
    assert_eq!(
        (result.verdict, result.evidence.as_str()),
        (Verdict::Pass, "3 users are frozen")
    );
}

/// The rights of the connecting user, as `column=json`.
fn rights(http: ScriptedHttp, rights: &[&str]) -> ScriptedHttp {
    let (names, values): (Vec<&str>, Vec<String>) = rights
        .iter()
        .map(|right| right.split_once('=').unwrap())
        .map(|(name, value)| (name, format!("{name:?}:{value}")))
        .unzip();
    let http = http.get(
        "/services/data/v62.0/sobjects/UserPermissionAccess/describe",
        describe(&names),
    );
    http.get_with(
        &["FROM UserPermissionAccess"],
        rows(&[format!("{{\"attributes\":{{}},{}}}", values.join(","))]),
    )
}

#[test]
fn the_right_to_reclaim_is_read_and_never_tried() {
    for (value, verdict) in [
        ("true", Verdict::Pass),
        ("false", Verdict::Fail),
        ("null", Verdict::Warn),
    ] {
        let right = format!("PermissionsManageUsers={value}");
        let result = check(rights(versioned(), &[&right]), "reclaim-right");
        assert_eq!(result.verdict, verdict, "{value}");
    }
    let http = versioned().get_with(&["UserPermissionAccess"], error(400, "INVALID_TYPE", "no"));
    assert_eq!(check(http, "reclaim-right").verdict, Verdict::Warn);
}

#[test]
fn rights_and_scopes_wider_than_needed_are_a_warning_by_name() {
    let result = check(
        rights(
            versioned(),
            &[
                "PermissionsModifyAllData=true",
                "PermissionsAuthorApex=false",
                "PermissionsManageUsers=true",
            ],
        ),
        "wide-rights",
    );
    assert_eq!(result.verdict, Verdict::Warn);
    assert!(
        result.evidence.ends_with(": Modify All Data"),
        "{}",
        result.evidence
    );
    let modest = || rights(versioned(), &["PermissionsModifyAllData=false"]);
    assert_eq!(check(modest(), "wide-rights").verdict, Verdict::Pass);
    let mut full = bench(modest());
    full.ctx.granted_scopes = vec!["api".to_owned(), "full".to_owned()];
    let result = Salesforce::check(&full.call(), "wide-rights").unwrap();
    assert_eq!(result.verdict, Verdict::Warn);
    assert!(
        result.evidence.contains("the scope full"),
        "{}",
        result.evidence
    );
    let silent = versioned().get_with(&["UserPermissionAccess"], error(400, "INVALID_TYPE", "no"));
    assert_eq!(check(silent, "wide-rights").verdict, Verdict::Warn);
}

#[test]
fn granted_scopes_are_compared_with_the_one_that_is_needed() {
    let of = |granted: &[&str]| {
        let mut bench = bench(versioned().get_with(&["FROM Organization"], organization("")));
        bench.ctx.granted_scopes = granted.iter().map(|scope| (*scope).to_owned()).collect();
        Salesforce::check(&bench.call(), "scopes").unwrap().verdict
    };
    assert_eq!(of(&["api", "refresh_token"]), Verdict::Pass);
    assert_eq!(of(&["full"]), Verdict::Pass);
    assert_eq!(of(&["id", "refresh_token"]), Verdict::Fail);
    assert_eq!(of(&[]), Verdict::Warn);
}

#[test]
fn another_org_than_the_profile_knows_fails_by_id() {
    let other = rows(&["{\"Id\":\"00D000000000002EAA\",\"Name\":\"Other\"}".to_owned()]);
    let result = check(
        versioned().get_with(&["FROM Organization"], other),
        "organization",
    );
    assert_eq!(result.verdict, Verdict::Fail);
    assert!(
        result.evidence.contains("00D000000000002EAA")
            && result.evidence.contains("00D000000000001EAA"),
        "{}",
        result.evidence
    );
}

#[test]
fn the_connecting_user_needs_a_standard_type_and_a_full_licence() {
    let of = |user_type: &str, name: &str, key: &str| {
        let row = user(
            999,
            &[
                &format!("UserType={user_type:?}"),
                &format!("Profile={}", profile(name, key, "x")),
            ],
        );
        let query = format!("FROM User WHERE Id = '{}'", id(999));
        check(
            ScriptedHttp::new().get_with(&[&query], rows(&[row])),
            "run-as-user",
        )
        .verdict
    };
    assert_eq!(of("Standard", "Seatwise", "SFDC"), Verdict::Pass);
    assert_eq!(
        of("PowerPartner", "Partner", "PID_Partner_Community"),
        Verdict::Fail
    );
    assert_eq!(
        of("CsnOnly", "Chatter Free User", "CSN_User"),
        Verdict::Fail
    );
    assert_eq!(
        of("Standard", "Minimum Access - API Only Integrations", "SFDC"),
        Verdict::Warn
    );
    assert_eq!(
        of("Standard", "x", "SALESFORCE_INTEGRATION_USER"),
        Verdict::Warn
    );
    assert_eq!(of("Standard", "Platform", "AUL"), Verdict::Warn);
}

#[test]
fn view_setup_is_read_from_the_rights_or_proved_by_a_licence() {
    for (value, verdict) in [("true", Verdict::Pass), ("false", Verdict::Fail)] {
        let right = format!("PermissionsViewSetup={value}");
        let result = check(rights(ScriptedHttp::new(), &[&right]), "view-setup");
        assert_eq!(result.verdict, verdict, "{value}");
    }
    let unknown =
        || ScriptedHttp::new().get_with(&["UserPermissionAccess"], error(404, "NOT_FOUND", "no"));
    let shown = unknown().get_with(&["COUNT() FROM UserLicense"], count(7));
    assert_eq!(check(shown, "view-setup").verdict, Verdict::Pass);
    let hidden = unknown().get_with(&["UserLicense"], error(400, "INVALID_TYPE", "no"));
    let result = check(hidden, "view-setup");
    assert_eq!(result.verdict, Verdict::Fail);
    assert!(result.fix.unwrap().contains("View Setup and Configuration"));
}

#[test]
fn api_enabled_is_read_from_the_rights() {
    for (right, verdict) in [
        ("PermissionsApiEnabled=true", Verdict::Pass),
        ("PermissionsApiEnabled=false", Verdict::Fail),
        ("PermissionsViewSetup=true", Verdict::Pass),
    ] {
        let result = check(rights(versioned(), &[right]), "api-enabled");
        assert_eq!(result.verdict, verdict, "{right}");
    }
}

#[test]
fn hidden_users_are_found_by_the_orgs_own_count() {
    let of = |visible: u64, used: u64| {
        let licence = format!("{{\"LicenseDefinitionKey\":\"SFDC\",\"UsedLicenses\":{used}}}");
        let http = ScriptedHttp::new()
            .get_with(&["COUNT() FROM User WHERE IsActive = true"], count(visible))
            .get_with(&["FROM UserLicense"], rows(&[licence]));
        check(http, "all-users").verdict
    };
    assert_eq!(of(100, 100), Verdict::Pass);
    assert_eq!(of(120, 100), Verdict::Pass);
    assert_eq!(of(98, 100), Verdict::Warn);
    assert_eq!(of(97, 100), Verdict::Fail);
    let http = ScriptedHttp::new()
        .get_with(&["COUNT()"], count(5))
        .get_with(&["FROM UserLicense"], error(400, "INVALID_TYPE", "no"));
    assert_eq!(check(http, "all-users").verdict, Verdict::Warn);
}

#[test]
fn the_login_history_is_skipped_where_it_is_not_wanted_and_needs_a_right_where_it_is() {
    assert_eq!(
        check(ScriptedHttp::new(), "login-history").verdict,
        Verdict::Skipped
    );
    let of = |http: ScriptedHttp| {
        let bench = bench(http).settings("{\"activity_source\":\"login_history\"}");
        Salesforce::check(&bench.call(), "login-history")
            .unwrap()
            .verdict
    };
    let described = || {
        ScriptedHttp::new().get(
            "/services/data/v62.0/sobjects/LoginHistory/describe",
            describe(&["Id"]),
        )
    };
    for (granted, verdict) in [
        (&["PermissionsManageUsers=true"][..], Verdict::Pass),
        (
            &[
                "PermissionsManageUsers=false",
                "PermissionsMonitorLoginHistory=true",
            ][..],
            Verdict::Pass,
        ),
        (
            &[
                "PermissionsManageUsers=false",
                "PermissionsMonitorLoginHistory=false",
            ][..],
            Verdict::Fail,
        ),
        (&["PermissionsManageUsers=false"][..], Verdict::Warn),
    ] {
        assert_eq!(of(rights(described(), granted)), verdict, "{granted:?}");
    }
    let http = ScriptedHttp::new().get_with(&["LoginHistory"], error(404, "NOT_FOUND", "no"));
    assert_eq!(of(http), Verdict::Fail);
}

#[test]
fn optional_kinds_of_licences_warn_and_what_is_left_alone_is_skipped() {
    for (id, object) in [
        ("permission-set-licences", "PermissionSetLicenseAssign"),
        ("packages", "UserPackageLicense"),
    ] {
        let query = format!("COUNT() FROM {object}");
        let result = check(ScriptedHttp::new().get_with(&[&query], count(3)), id);
        assert_eq!(result.verdict, Verdict::Pass, "{id}");
        let http = ScriptedHttp::new().get_with(&[&query], error(400, "INVALID_TYPE", "no"));
        assert_eq!(check(http, id).verdict, Verdict::Warn, "{id}");
        let bench = bench(ScriptedHttp::new()).settings("{\"licence_kinds\":[]}");
        let result = Salesforce::check(&bench.call(), id).unwrap();
        assert_eq!(result.verdict, Verdict::Skipped, "{id}");
    }
}

/// One list of rights per process: the manifest's is the checks'.
#[test]
fn the_least_privilege_list_of_each_process_is_what_its_checks_need() {
    let manifest: toml::Table = include_str!("../../connector.toml").parse().unwrap();
    for process in manifest["processes"].as_array().unwrap() {
        let id = match process["id"].as_str().unwrap() {
            "subscriptions" => Process::Subscriptions,
            "activity" => Process::Activity,
            "consumption" => Process::Consumption,
            "reclaim" => Process::Reclaim,
            other => panic!("{other}"),
        };
        let listed: Vec<(&str, &str)> = process["rights"]
            .as_array()
            .unwrap()
            .iter()
            .map(|right| {
                (
                    right["name"].as_str().unwrap(),
                    right["why"].as_str().unwrap(),
                )
            })
            .collect();
        let rights = seatwise_connector_salesforce::least_privilege(id);
        let checked: Vec<(&str, &str)> =
            rights.iter().map(|right| (right.name, right.why)).collect();
        assert_eq!(listed, checked, "{id:?}");
    }
}

#[test]
fn the_quota_warns_at_75_percent_and_not_one_call_earlier() {
    for (used, verdict) in [(74_999, Verdict::Pass), (75_000, Verdict::Warn)] {
        let body = "{\"totalSize\":1,\"done\":true,\"records\":[{\"Id\":\"00D000000000001EAA\"}]}";
        let answer = Scripted::json(200, body)
            .header("Sforce-Limit-Info", &format!("api-usage={used}/100000"));
        let result = check(
            versioned().get_with(&["FROM Organization"], answer),
            "quota",
        );
        assert_eq!(result.verdict, verdict, "{used}");
    }
}

#[test]
fn without_the_header_the_limits_resource_is_asked() {
    let silent = || {
        Scripted::json(
            200,
            "{\"totalSize\":1,\"done\":true,\"records\":[{\"Id\":\"00D000000000001EAA\"}]}",
        )
    };
    let limits = Scripted::json(
        200,
        "{\"DailyApiRequests\":{\"Max\":100000,\"Remaining\":20000,\"Some App\":{\"Max\":0,\"Remaining\":0}},\"Other\":{}}",
    );
    let http = versioned()
        .get_with(&["FROM Organization"], silent())
        .get("/services/data/v62.0/limits", limits);
    let result = check(http, "quota");
    assert_eq!(result.verdict, Verdict::Warn);
    assert!(
        result.evidence.starts_with("80000 of 100000"),
        "{}",
        result.evidence
    );
    let http = versioned().get_with(&["FROM Organization"], silent()).get(
        "/services/data/v62.0/limits",
        error(403, "INSUFFICIENT_ACCESS", "no"),
    );
    assert_eq!(check(http, "quota").verdict, Verdict::Warn);
}

#[test]
fn a_check_before_the_first_identify_finds_out_for_itself() {
    let http = discovery(&COLUMNS).get_with(&["FROM User ORDER BY Id"], rows(&[user(1, &[])]));
    let bench = Bench::new(http).settings(PLAIN);
    assert_eq!(
        Salesforce::check(&bench.call(), "users").unwrap().verdict,
        Verdict::Pass
    );
    assert!(!memo_of(&COLUMNS).is_empty());
}
