//! Plans that take a user licence back: deactivating and freezing.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Call, Connector, FailureKind,
    reclaim::{Plan, Step, Target, WriteMethod},
    testkit::{Bench, Scripted, ScriptedHttp},
};

use crate::{
    API_ONLY, COLUMNS, bench, count, describe, error, id, login, login_id, memo_from, profile,
    rows, shelf::Shelf, user, versions,
};

pub fn target(number: u32, action: &str) -> Target {
    Target {
        account: id(number),
        identifier: "SFDC".to_owned(),
        action: action.to_owned(),
        to: None,
    }
}

fn shows(users: &[String], logins: &[String]) -> Shelf {
    Shelf::shows(users, logins)
}

fn plan(shelf: Shelf, target: Target) -> Plan {
    shelf.plan(target)
}

pub fn codes(plan: &Plan) -> Vec<&str> {
    plan.blockers
        .iter()
        .map(|blocker| blocker.code.as_str())
        .collect()
}

#[test]
fn deactivating_is_one_literal_request_that_frees_the_licence() {
    let plan = plan(
        shows(
            &[user(
                1,
                &["UserRoleId=\"00E000000000001AAA\"", "ManagerId=null"],
            )],
            &[login(1, false)],
        ),
        target(1, "deactivate"),
    );
    assert_eq!(codes(&plan), Vec::<&str>::new());
    assert_eq!(
        plan.steps,
        [Step {
            method: WriteMethod::Patch,
            origin: "instance".to_owned(),
            path: format!("/services/data/v62.0/sobjects/User/{}", id(1)),
            content_type: Some("application/json".to_owned()),
            // A boolean, not a string.
            body: Some(b"{\"IsActive\":false}".to_vec()),
            says: format!(
                "Sets IsActive to false on user {}: the person can no longer log in and the seat returns to the pool",
                id(1)
            ),
        }]
    );
    assert_eq!(plan.frees, ["SFDC"]);
    assert!(
        plan.unchecked
            .iter()
            .any(|text| text.contains("default or automated case owner"))
    );
    assert!(plan.consequences.iter().any(|text| text.contains("billed")));
    let before = plan.before.unwrap();
    assert_eq!(before.format, "salesforce.user/2");
    assert_eq!(
        String::from_utf8(before.data).unwrap(),
        format!(
            "{{\"IsActive\":true,\"ProfileId\":\"00e000000000001AAA\",\"UserRoleId\":\"00E000000000001AAA\",\"ManagerId\":null,\
             \"IsFrozen\":false,\"UserLoginId\":\"{}\",\"LicenseDefinitionKey\":\"SFDC\",\"Features\":[],\
             \"PermissionSetLicenses\":[],\"PermissionSets\":[],\"Packages\":[],\"Groups\":[]}}",
            login_id(1)
        )
    );
}

#[test]
fn freezing_goes_to_the_login_row_and_frees_nothing() {
    let plan = plan(
        shows(&[user(1, &[])], &[login(1, false)]),
        target(1, "freeze"),
    );
    assert!(plan.frees.is_empty());
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(
        plan.steps[0].path,
        format!("/services/data/v62.0/sobjects/UserLogin/{}", login_id(1))
    );
    assert_eq!(
        plan.steps[0].body.as_deref(),
        Some(&b"{\"IsFrozen\":true}"[..])
    );
}

#[test]
fn the_same_facts_give_the_same_plan_at_any_time() {
    let at = |now: i64, login_date: &str| {
        let shelf = shows(
            &[user(1, &[&format!("LastLoginDate={login_date:?}")])],
            &[login(1, false)],
        );
        let mut bench = bench(ScriptedHttp::new());
        bench.ctx.now = now;
        let call = Call::new(&bench.ctx, &shelf, &bench.log);
        Salesforce::plan_reclaim(&call, &[target(1, "deactivate")])
            .unwrap()
            .remove(0)
            .unwrap()
    };
    assert_eq!(
        at(0, "2025-01-01T00:00:00.000+0000"),
        at(1_900_000_000_000, "2025-06-01T00:00:00.000+0000")
    );
}

#[test]
fn the_order_of_targets_is_the_order_of_plans() {
    let http = shows(&[user(1, &[]), user(2, &[])], &[]);
    let targets = [
        target(2, "deactivate"),
        target(3, "deactivate"),
        target(1, "fly"),
        target(1, "deactivate"),
    ];
    let plans = http.plans(&targets);
    assert!(plans[0].as_ref().unwrap().steps[0].path.ends_with(&id(2)));
    assert_eq!(codes(plans[1].as_ref().unwrap()), ["not_found"]);
    assert_eq!(plans[2].as_ref().unwrap_err().code, "unknown_action");
    assert!(plans[3].as_ref().unwrap().steps[0].path.ends_with(&id(1)));
}

#[test]
fn b10_the_connections_own_user_is_blocked() {
    assert_eq!(
        codes(&plan(
            shows(&[user(999, &[])], &[]),
            target(999, "deactivate")
        )),
        ["self"]
    );
}

#[test]
fn b10_system_and_integration_users_are_blocked() {
    let plan1 = plan(
        shows(&[user(1, &["UserType=\"AutomatedProcess\""])], &[]),
        target(1, "deactivate"),
    );
    assert_eq!(codes(&plan1), ["service_account"]);
    assert!(
        plan1.steps.is_empty() && plan1.frees.is_empty(),
        "nothing may be sent"
    );
    let over = format!(
        "Profile={}",
        profile(
            "Integration",
            "SALESFORCE_INTEGRATION_USER",
            "Salesforce Integration"
        )
    );
    let mut integration = target(1, "deactivate");
    integration.identifier = "SALESFORCE_INTEGRATION_USER".to_owned();
    assert_eq!(
        codes(&plan(shows(&[user(1, &[&over])], &[]), integration)),
        ["service_account"]
    );
}

#[test]
fn b10_the_last_administrator_is_blocked_and_the_last_but_one_is_not() {
    let admin = |number| {
        user(
            number,
            &[&format!(
                "Profile={}",
                profile("System Administrator", "SFDC", "Salesforce")
            )],
        )
    };
    for (active, blocked) in [(2, false), (1, true)] {
        let http = shows(&[admin(1)], &[]).with(
            "SELECT COUNT() FROM User WHERE IsActive = true AND Profile.Name = 'System Administrator'",
            count(active),
        );
        let plan = plan(http, target(1, "deactivate"));
        assert_eq!(codes(&plan) == ["last_admin"], blocked, "{active}");
    }
    // Two of two in one call: neither may go, because the other may.
    let http = shows(&[admin(1), admin(2)], &[]).with("COUNT() FROM User", count(2));
    let plans = http.plans(&[target(1, "deactivate"), target(2, "deactivate")]);
    assert!(
        plans
            .iter()
            .all(|plan| codes(plan.as_ref().unwrap()) == ["last_admin"])
    );
}

#[test]
fn an_administrator_count_that_cannot_be_read_is_said() {
    let admin = user(
        1,
        &[&format!(
            "Profile={}",
            profile("System Administrator", "SFDC", "Salesforce")
        )],
    );
    let http = shows(&[admin], &[]).with(
        "COUNT() FROM User",
        error(
            400,
            "INVALID_FIELD",
            "No such column 'Name' on entity 'Profile'",
        ),
    );
    let plan = plan(http, target(1, "deactivate"));
    assert!(plan.blockers.is_empty());
    assert!(
        plan.unchecked
            .contains(&"Whether this is the last active System Administrator".to_owned())
    );
}

#[test]
fn a_person_who_holds_another_licence_now_is_blocked() {
    let over = format!(
        "Profile={}",
        profile("Platform", "AUL", "Salesforce Platform")
    );
    let plan1 = plan(shows(&[user(1, &[&over])], &[]), target(1, "deactivate"));
    assert_eq!(codes(&plan1), ["licence_changed"]);
    assert!(plan1.blockers[0].message.contains("AUL"));
}

#[test]
fn a_user_who_is_gone_is_blocked() {
    let plan = plan(shows(&[], &[]), target(1, "deactivate"));
    assert_eq!(codes(&plan), ["not_found"]);
    assert!(plan.before.is_none());
}

#[test]
fn an_inactive_user_needs_nothing_and_is_no_blocker() {
    for action in ["deactivate", "freeze"] {
        let plan = plan(
            shows(&[user(1, &["IsActive=false"])], &[login(1, false)]),
            target(1, action),
        );
        assert!(plan.blockers.is_empty() && plan.steps.is_empty() && plan.frees.is_empty());
        assert_eq!(
            plan.consequences,
            ["The user is already inactive: nothing will be sent"]
        );
    }
}

#[test]
fn a_frozen_user_is_deactivated_but_not_frozen_twice() {
    let frozen = || shows(&[user(1, &[])], &[login(1, true)]);
    assert_eq!(plan(frozen(), target(1, "deactivate")).steps.len(), 1);
    let plan = plan(frozen(), target(1, "freeze"));
    assert!(plan.steps.is_empty() && plan.blockers.is_empty());
}

#[test]
fn a_user_without_login_row_cannot_be_frozen() {
    assert_eq!(
        codes(&plan(shows(&[user(1, &[])], &[]), target(1, "freeze"))),
        ["no_user_login_row"]
    );
    assert!(
        plan(shows(&[user(1, &[])], &[]), target(1, "deactivate"))
            .blockers
            .is_empty()
    );
}

#[test]
fn without_user_login_freezing_is_blocked_and_deactivating_says_what_it_does_not_know() {
    let hidden = || {
        shows(&[user(1, &[])], &[]).with(
            "UserLogin",
            error(
                400,
                "INVALID_TYPE",
                "sObject type 'UserLogin' is not supported.",
            ),
        )
    };
    assert_eq!(
        codes(&plan(hidden(), target(1, "freeze"))),
        ["frozen_unreadable"]
    );
    let plan = plan(hidden(), target(1, "deactivate"));
    assert!(plan.blockers.is_empty());
    assert!(
        plan.unchecked
            .contains(&"Whether the user is frozen".to_owned())
    );
}

#[test]
fn who_the_connection_is_goes_under_unchecked_where_it_cannot_be_read() {
    let memo = memo_from(
        ScriptedHttp::new()
            .get("/services/data/", versions(&["62.0"]))
            .get(
                "/services/data/v62.0/sobjects/User/describe",
                describe(&COLUMNS),
            )
            .get(
                "/services/data/v62.0/sobjects/UserLogin/describe",
                describe(&["Id"]),
            )
            .get_with(&API_ONLY, rows(&[]))
            .get(
                "/services/oauth2/userinfo",
                Scripted::with_type(404, "text/plain", ""),
            ),
    );
    let bench = Bench::new(ScriptedHttp::new()).memo(memo);
    let shelf = shows(&[user(1, &[])], &[]);
    let call = Call::new(&bench.ctx, &shelf, &bench.log);
    let plan = Salesforce::plan_reclaim(&call, &[target(1, "deactivate")])
        .unwrap()
        .remove(0)
        .unwrap();
    assert!(
        plan.unchecked
            .contains(&"Whether this is the user that the connection itself uses".to_owned())
    );
}

#[test]
fn a_vendor_that_is_down_gives_no_plan_at_all() {
    let http =
        ScriptedHttp::new().get_with(&["FROM User"], error(503, "SERVER_UNAVAILABLE", "busy"));
    let failure =
        Salesforce::plan_reclaim(&bench(http).call(), &[target(1, "deactivate")]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Transient);
    let many = vec![target(1, "deactivate"); 201];
    assert_eq!(
        Salesforce::plan_reclaim(&bench(ScriptedHttp::new()).call(), &many)
            .unwrap_err()
            .code,
        "too_many_targets"
    );
}

#[test]
fn e16_a_target_that_is_soql_never_reaches_a_query() {
    let mut evil = target(1, "deactivate");
    evil.account = "' OR Name != '".to_owned();
    let plans = Salesforce::plan_reclaim(
        &bench(ScriptedHttp::new()).call(),
        std::slice::from_ref(&evil),
    )
    .unwrap();
    assert_eq!(plans[0].as_ref().unwrap_err().code, "not_an_id");
    assert_eq!(
        Salesforce::observe(&bench(ScriptedHttp::new()).call(), &[evil])
            .unwrap_err()
            .code,
        "not_an_id"
    );
}
