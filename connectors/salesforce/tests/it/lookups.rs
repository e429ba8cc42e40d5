//! Fresh facts about a few accounts.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{Connector, FailureKind, subscriptions::Fact, testkit::ScriptedHttp};

use crate::{bench, error, id, login, rows, user};

/// An org whose permission-set licences cannot be read, and whose packages nobody holds.
fn nothing_held() -> ScriptedHttp {
    ScriptedHttp::new()
        .get_with(
            &["FROM PermissionSetLicenseAssign WHERE AssigneeId IN ("],
            error(400, "INVALID_TYPE", "not supported"),
        )
        .get_with(&["FROM UserPackageLicense WHERE UserId IN ("], rows(&[]))
}

#[test]
fn fresh_facts_about_a_few_take_four_queries_with_frozen_either_way() {
    let http = nothing_held()
        .get_with(
            &[&format!(
                "FROM User WHERE Id IN ('{}','{}','{}') ORDER BY Id",
                id(1),
                id(2),
                id(3)
            )],
            rows(&[user(1, &[]), user(2, &[])]),
        )
        .get_with(
            &["FROM UserLogin WHERE UserId IN ("],
            rows(&[login(1, true), login(2, false)]),
        );
    let page =
        Salesforce::lookup_accounts(&bench(http).settings("{}").call(), &[id(1), id(2), id(3)])
            .unwrap();
    assert_eq!(page.accounts.len(), 2);
    let facts: Vec<(&str, &Fact)> = page
        .facts
        .iter()
        .map(|fact| (fact.account.as_str(), &fact.fact))
        .collect();
    assert_eq!(
        facts,
        [
            (id(1).as_str(), &Fact::Frozen(true)),
            (id(2).as_str(), &Fact::Frozen(false))
        ]
    );
}

#[test]
fn two_hundred_ids_fit_into_one_request_and_201_are_refused() {
    let ids: Vec<String> = (0..201).map(id).collect();
    let http = nothing_held().expect(
        "a path under 16 KB",
        |request| match request.path_with_query.len() {
            0..16_000 => Ok(()),
            long => Err(format!("{long} bytes")),
        },
        rows(&[]),
    );
    let bench1 = bench(http.get_with(&["UserLogin"], rows(&[]))).settings("{}");
    Salesforce::lookup_accounts(&bench1.call(), &ids[..200]).unwrap();
    let failure =
        Salesforce::lookup_accounts(&bench(ScriptedHttp::new()).call(), &ids).unwrap_err();
    assert_eq!(failure.code, "too_many_ids");
}

#[test]
fn e16_an_id_that_is_soql_is_refused_before_any_request() {
    let failure = Salesforce::lookup_accounts(
        &bench(ScriptedHttp::new()).call(),
        &["') OR Name != ('".to_owned()],
    )
    .unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::InvalidInput, "not_an_id")
    );
}

#[test]
fn nothing_looked_up_is_nothing_asked() {
    let page = Salesforce::lookup_accounts(&bench(ScriptedHttp::new()).call(), &[]).unwrap();
    assert!(page.accounts.is_empty());
}
