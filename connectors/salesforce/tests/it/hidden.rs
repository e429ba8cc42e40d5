//! "Cannot see" is not "none": what could be read once and cannot be read now ends nobody's licence.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind,
    connection::Verdict,
    subscriptions::AccountKind,
    testkit::{Bench, Scripted, ScriptedHttp},
};

use crate::{
    API_ONLY, COLUMNS, PLAIN, count, describe, discovery, discovery_with, error, id, memo_from,
    organization, rows, user, userinfo, versions,
};

const LICENCES: &str = "FROM PermissionSetLicenseAssign LIMIT 1";
const PACKAGES: &str = "FROM UserPackageLicense LIMIT 1";

fn org(http: ScriptedHttp) -> ScriptedHttp {
    http.get_with(&["FROM Organization"], organization(""))
        .get_with(&["SELECT COUNT() FROM User"], count(1))
}

fn no() -> Scripted {
    error(400, "INVALID_TYPE", "sObject type is not supported")
}

/// The memo after an `identify` over a script, under settings, after an earlier one.
fn identified(http: ScriptedHttp, settings: &str, before: Vec<u8>) -> Vec<u8> {
    let bench = Bench::new(http).settings(settings).memo(before);
    Salesforce::identify(&bench.call()).unwrap().memo
}

/// An org that has shown permission-set licences and packages.
fn shown() -> Vec<u8> {
    let asked = org(discovery(&COLUMNS))
        .get_with(&[LICENCES], rows(&[]))
        .get_with(&[PACKAGES], rows(&[]));
    identified(asked, "{}", vec![])
}

/// The chains of a download: users, frozen, permission-set licences, packages.
fn chains(memo: &[u8]) -> Vec<Vec<u8>> {
    let bench = Bench::new(ScriptedHttp::new().get_with(&["COUNT()"], count(1)));
    let outline = Salesforce::begin_subscriptions(&bench.memo(memo.to_vec()).call(), None);
    outline.unwrap().chains
}

#[test]
fn a_kind_that_was_shown_before_and_is_hidden_now_fails_its_download() {
    let memo = shown();
    for (chain, word) in [(2, "Permission-set licences"), (3, "managed packages")] {
        let at = &chains(&memo)[chain];
        let http = ScriptedHttp::new().get_with(&["FROM"], no());
        let bench = Bench::new(http).memo(memo.clone());
        let failure = Salesforce::download_subscriptions(&bench.call(), at).unwrap_err();
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Permission, "licence_kind_hidden")
        );
        assert!(failure.message.contains(word), "{}", failure.message);
        assert!(failure.message.contains("INVALID_TYPE"));
    }
}

#[test]
fn fresh_facts_about_a_few_are_not_told_without_a_kind_that_was_shown_before() {
    let http = ScriptedHttp::new().get_with(&["FROM PermissionSetLicenseAssign"], no());
    let bench = Bench::new(http).memo(shown());
    let failure = Salesforce::lookup_accounts(&bench.call(), &[id(5)]).unwrap_err();
    assert_eq!(failure.code, "licence_kind_hidden");
}

#[test]
fn what_was_shown_once_is_remembered_from_run_to_run_and_costs_no_more_calls() {
    // Nothing is asked about the two kinds a second time, and the memo says the same.
    let again = identified(org(discovery(&COLUMNS)), "{}", shown());
    assert_eq!(again, shown());
    let at = &chains(&again)[3];
    let http = ScriptedHttp::new().get_with(&["FROM"], no());
    let bench = Bench::new(http).memo(again);
    let failure = Salesforce::download_subscriptions(&bench.call(), at).unwrap_err();
    assert_eq!(failure.code, "licence_kind_hidden");
}

#[test]
fn a_kind_that_no_right_ever_showed_is_left_out_and_asked_for_anew_each_time() {
    let hidden = || {
        org(discovery(&COLUMNS))
            .get_with(&[LICENCES], no())
            .get_with(&[PACKAGES], error(403, "INSUFFICIENT_ACCESS", "no"))
    };
    let memo = identified(hidden(), "{}", vec![]);
    let memo = identified(hidden(), "{}", memo);
    let at = &chains(&memo)[2];
    let http = ScriptedHttp::new().get_with(&["FROM"], no());
    let bench = Bench::new(http).memo(memo);
    let page = Salesforce::download_subscriptions(&bench.call(), at).unwrap();
    assert!(page.assignments.is_empty() && page.next.is_none());
}

#[test]
fn a_kind_that_the_settings_give_up_is_forgotten_and_taken_back_in_anew() {
    let given_up = identified(org(discovery(&COLUMNS)), PLAIN, shown());
    let taken_in = org(discovery(&COLUMNS))
        .get_with(&[LICENCES], no())
        .get_with(&[PACKAGES], rows(&[]));
    let memo = identified(taken_in, "{}", given_up);
    let download = |chain: usize| {
        let http = ScriptedHttp::new().get_with(&["FROM"], no());
        let bench = Bench::new(http).memo(memo.clone());
        Salesforce::download_subscriptions(&bench.call(), &chains(&memo)[chain]).is_ok()
    };
    assert_eq!((download(2), download(3)), (true, false));
}

#[test]
fn a_vendor_that_is_down_says_nothing_about_what_it_shows() {
    for trouble in [
        error(503, "SERVER_UNAVAILABLE", "busy").header("Retry-After", "1"),
        error(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
        ),
    ] {
        let http = org(discovery(&COLUMNS)).get_with(&[LICENCES], trouble);
        let failure = Salesforce::identify(&Bench::new(http).call()).unwrap_err();
        assert!(
            matches!(failure.kind, FailureKind::Transient | FailureKind::Quota),
            "{failure:?}"
        );
    }
}

#[test]
fn another_orgs_memo_says_nothing_of_this_org() {
    let other = ScriptedHttp::new()
        .get("/services/data/", versions(&["62.0"]))
        .get_with(&["sobjects/User/describe"], describe(&COLUMNS))
        .get_with(&["sobjects/UserLogin/describe"], describe(&["Id"]))
        .get_with(&API_ONLY, rows(&[]))
        .get("/services/oauth2/userinfo", userinfo())
        .get_with(
            &["FROM Organization"],
            rows(&["{\"Id\":\"00D000000000002EAA\",\"Name\":\"Other\"}".to_owned()]),
        )
        .get_with(&["SELECT COUNT() FROM User"], count(1))
        .get_with(&[LICENCES], no())
        .get_with(&[PACKAGES], no());
    identified(other, "{}", shown());
}

#[test]
fn the_check_of_a_kind_fails_where_runs_would_stop_and_warns_where_it_never_was_there() {
    for (memo, verdict) in [
        (shown(), Verdict::Fail),
        (memo_from(discovery(&COLUMNS)), Verdict::Warn),
    ] {
        for check in ["permission-set-licences", "packages"] {
            let http = ScriptedHttp::new().get_with(&["SELECT COUNT()"], no());
            let bench = Bench::new(http).memo(memo.clone());
            let result = Salesforce::check(&bench.call(), check).unwrap();
            assert_eq!(result.verdict, verdict, "{check}: {}", result.evidence);
            assert!(result.fix.is_some());
        }
    }
}

#[test]
fn a_machine_stays_one_when_permission_sets_can_be_read_no_more() {
    let machine = || rows(&[format!("{{\"AssigneeId\":{:?}}}", id(77))]);
    let before = identified(org(discovery_with(&COLUMNS, machine())), PLAIN, vec![]);
    let blind = org(discovery_with(
        &COLUMNS,
        error(403, "INSUFFICIENT_ACCESS", "no"),
    ));
    let memo = identified(blind, PLAIN, before);
    let http = ScriptedHttp::new().get_with(&["FROM User ORDER BY Id"], rows(&[user(77, &[])]));
    let bench = Bench::new(http).memo(memo.clone()).settings(PLAIN);
    let page = Salesforce::download_subscriptions(&bench.call(), &chains(&memo)[0]).unwrap();
    assert_eq!(page.accounts[0].kind, AccountKind::Service);
}

#[test]
fn a_filter_over_a_hidden_column_is_refused_before_anybody_seems_out_of_scope() {
    let columns: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|name| *name != "Email")
        .collect();
    let memo = memo_from(discovery(&columns));
    let settings = "{\"company_names\":\"acme.com\",\"licence_kinds\":[]}";
    let bench = Bench::new(ScriptedHttp::new())
        .memo(memo.clone())
        .settings(settings);
    let failure = Salesforce::begin_subscriptions(&bench.call(), None).unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Permission, "filter_column_hidden")
    );
    // Without the filter the column is not needed.
    let counted = ScriptedHttp::new().get_with(&["COUNT()"], count(1));
    let bench = Bench::new(counted).memo(memo).settings(PLAIN);
    assert!(Salesforce::begin_subscriptions(&bench.call(), None).is_ok());
}
