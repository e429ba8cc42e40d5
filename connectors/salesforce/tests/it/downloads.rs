//! Accounts, assignments and facts.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, Failure, FailureKind,
    subscriptions::{AccountKind, Fact, LastActivity, Page},
    testkit::{Bench, Scripted, ScriptedHttp},
};

use crate::{
    COLUMNS, bench, count, describe, error, id, login, login_id, memo_from, memo_of, page, profile,
    rows, user, userinfo, versions,
};

const NEXT: &str = "/services/data/v62.0/query/01g000000000001-2000";
const AFTER: &str = "/services/data/v62.0/query/01g000000000001-4000";

/// First page of the users chain, with that answer.
fn first(answer: Scripted) -> Result<Page, Failure> {
    download(
        ScriptedHttp::new().get_with(&["FROM User ORDER BY Id"], answer),
        &users_chain(),
    )
}

fn download(http: ScriptedHttp, at: &[u8]) -> Result<Page, Failure> {
    Salesforce::download_subscriptions(&bench(http).call(), at)
}

fn chains() -> Vec<Vec<u8>> {
    let bench = bench(ScriptedHttp::new().get_with(&["SELECT COUNT() FROM User"], count(3)));
    Salesforce::begin_subscriptions(&bench.call(), None)
        .unwrap()
        .chains
}

fn users_chain() -> Vec<u8> {
    chains().swap_remove(0)
}

/// The cursor after a first page that goes on at [`NEXT`].
fn second() -> Vec<u8> {
    first(page(4, Some(NEXT), &[user(1, &[]), user(2, &[])]))
        .unwrap()
        .next
        .unwrap()
}

#[test]
fn a_download_has_one_chain_of_users_and_one_of_the_frozen() {
    let bench = bench(ScriptedHttp::new().get(
        "/services/data/v62.0/query?q=SELECT%20COUNT%28%29%20FROM%20User",
        count(3),
    ));
    let outline = Salesforce::begin_subscriptions(&bench.call(), None).unwrap();
    assert_eq!(outline.chains.len(), 2);
    assert_eq!(outline.expected_accounts, Some(3));
    assert_eq!(
        outline.usage.map(|usage| (usage.used, usage.limit)),
        Some((18, 5000))
    );
    assert!(outline.chains.iter().all(|chain| chain.len() < 64));
}

#[test]
fn without_user_login_there_is_no_chain_of_the_frozen() {
    let http = ScriptedHttp::new()
        .get("/services/data/", versions(&["62.0"]))
        .get(
            "/services/data/v62.0/sobjects/User/describe",
            describe(&COLUMNS),
        )
        .get(
            "/services/data/v62.0/sobjects/UserLogin/describe",
            error(
                400,
                "INVALID_TYPE",
                "sObject type 'UserLogin' is not supported.",
            ),
        )
        .get(
            "/services/data/v62.0/sobjects/UserLicense/describe",
            describe(&["Id"]),
        )
        .get("/services/oauth2/userinfo", userinfo());
    let bench =
        Bench::new(ScriptedHttp::new().get_with(&["COUNT()"], count(3))).memo(memo_from(http));
    assert_eq!(
        Salesforce::begin_subscriptions(&bench.call(), None)
            .unwrap()
            .chains
            .len(),
        1
    );
}

#[test]
fn since_asks_only_for_what_changed_and_counts_the_same() {
    let http = ScriptedHttp::new()
        .get_with(
            &["SELECT COUNT() FROM User WHERE SystemModstamp >= 2026-03-01T00:00:00Z"],
            count(1),
        )
        .get_with(
            &["FROM User WHERE SystemModstamp >= 2026-03-01T00:00:00Z ORDER BY Id"],
            rows(&[user(1, &[])]),
        );
    let bench = bench(http);
    let outline = Salesforce::begin_subscriptions(&bench.call(), Some(1_772_323_200_000)).unwrap();
    assert_eq!(
        Salesforce::download_subscriptions(&bench.call(), &outline.chains[0])
            .unwrap()
            .accounts
            .len(),
        1
    );
}

#[test]
fn since_is_everything_where_the_stamp_cannot_be_filtered() {
    let columns: Vec<&str> = COLUMNS
        .into_iter()
        .filter(|column| *column != "SystemModstamp")
        .collect();
    let http = ScriptedHttp::new().get(
        "/services/data/v62.0/query?q=SELECT%20COUNT%28%29%20FROM%20User",
        count(3),
    );
    let bench = Bench::new(http).memo(memo_of(&columns));
    Salesforce::begin_subscriptions(&bench.call(), Some(1_772_323_200_000)).unwrap();
}

#[test]
fn only_columns_that_exist_are_asked_for_and_in_pages_of_2000() {
    let bench = Bench::new(ScriptedHttp::new().get_with(
        &["SELECT Id, Username, IsActive, Email, Profile.Name, Profile.UserLicense.LicenseDefinitionKey, Profile.UserLicense.Name FROM User ORDER BY Id"],
        rows(&[user(1, &["-LastLoginDate"])]),
    ))
    .memo(memo_of(&["Id", "Username", "IsActive", "ProfileId", "Email"]));
    let page = Salesforce::download_subscriptions(&bench.call(), &users_chain()).unwrap();
    // A column that does not exist is not "never".
    assert_eq!(page.accounts[0].last_activity, LastActivity::Unknown);
    let headers = &bench.http.seen()[0].headers;
    assert!(
        headers.iter().any(
            |header| header.name == "Sforce-Query-Options" && header.value == b"batchSize=2000"
        )
    );
}

#[test]
fn a_row_becomes_an_account_and_an_assignment_by_licence_key() {
    let page = first(rows(&[user(
        1,
        &[
            "Department=\"Sales \\u00e9\"",
            "UserPermissionsSupportUser=true",
            "FederationIdentifier=\"f-1\"",
            "Division=null",
        ],
    )]))
    .unwrap();
    let account = &page.accounts[0];
    assert_eq!(
        (account.id.as_str(), account.principal.as_str()),
        (id(1).as_str(), "u1@acme.example")
    );
    assert_eq!((account.kind, account.active), (AccountKind::Person, true));
    assert_eq!(account.last_activity, LastActivity::At(1_774_857_600_000));
    assert_eq!(account.created, Some(1_673_222_400_000));
    let attributes: Vec<(&str, &str)> = account
        .attributes
        .iter()
        .map(|a| (a.name.as_str(), a.value.as_str()))
        .collect();
    assert_eq!(
        attributes,
        [
            ("user_type", "Standard"),
            ("department", "Sales é"),
            ("federation_id", "f-1")
        ]
    );
    let assignment = &page.assignments[0];
    assert_eq!(
        (assignment.account.as_str(), assignment.identifier.as_str()),
        (id(1).as_str(), "SFDC")
    );
    let evidence: Vec<(&str, &str)> = assignment
        .evidence
        .iter()
        .map(|a| (a.name.as_str(), a.value.as_str()))
        .collect();
    assert_eq!(
        evidence,
        [
            ("licence", "Salesforce"),
            ("profile", "Sales User"),
            ("feature", "SupportUser")
        ]
    );
    assert!(page.next.is_none() && page.facts.is_empty());
    assert_eq!(page.usage.map(|usage| usage.used), Some(18));
}

#[test]
fn b13_never_and_cannot_know_are_two_words() {
    let page = first(rows(&[
        user(1, &["LastLoginDate=null"]),
        user(2, &["-LastLoginDate"]),
        user(3, &["LastLoginDate=\"soon\""]),
    ]))
    .unwrap();
    let activity: Vec<LastActivity> = page
        .accounts
        .iter()
        .map(|account| account.last_activity)
        .collect();
    assert_eq!(
        activity,
        [
            LastActivity::Never,
            LastActivity::Unknown,
            LastActivity::Unknown
        ]
    );
}

#[test]
fn inactive_users_come_with_their_assignment_and_the_host_decides() {
    let page = first(rows(&[user(1, &["IsActive=false"])])).unwrap();
    assert!(!page.accounts[0].active);
    assert_eq!(page.assignments.len(), 1);
}

#[test]
fn a_user_without_profile_is_a_system_account_without_assignment() {
    let page = first(rows(&[user(
        1,
        &["Profile=null", "UserType=\"AutomatedProcess\"", "Name=null"],
    )]))
    .unwrap();
    assert_eq!(page.accounts[0].kind, AccountKind::Service);
    assert!(page.assignments.is_empty());
}

#[test]
fn system_external_and_unknown_accounts_are_told_from_persons() {
    for (over, kind) in [
        (
            vec!["UserType=\"CloudIntegrationUser\""],
            AccountKind::Service,
        ),
        (vec!["UserType=\"Guest\""], AccountKind::Service),
        (
            vec![
                "Username=\"chatty.00d1@chatter.salesforce.com\"",
                "UserType=\"CsnOnly\"",
            ],
            AccountKind::Service,
        ),
        (vec!["UserType=\"PowerPartner\""], AccountKind::External),
        (vec!["UserType=\"CspLitePortal\""], AccountKind::External),
        (vec!["UserType=\"CustomerSuccess\""], AccountKind::External),
        (
            vec!["UserType=\"PowerCustomerSuccess\""],
            AccountKind::External,
        ),
        (vec!["UserType=\"SelfService\""], AccountKind::External),
        (vec!["UserType=\"CsnOnly\""], AccountKind::Person),
        (vec!["UserType=\"SomethingNew\""], AccountKind::Unknown),
        (vec!["UserType=null"], AccountKind::Unknown),
    ] {
        assert_eq!(
            first(rows(&[user(1, &over)])).unwrap().accounts[0].kind,
            kind,
            "{over:?}"
        );
    }
    for key in [
        "SALESFORCE_INTEGRATION_USER",
        "PID_XOrg_Proxy_User",
        "PID_DigitalAgentExternal",
    ] {
        let over = format!("Profile={}", profile("Integration", key, "Integration"));
        let page = first(rows(&[user(1, &[&over])])).unwrap();
        assert_eq!(page.accounts[0].kind, AccountKind::Service, "{key}");
        assert_eq!(
            page.assignments[0].identifier, key,
            "the seat is counted all the same"
        );
    }
}

#[test]
fn rows_out_of_scope_are_counted() {
    let rows = rows(&[
        user(1, &[]),
        user(2, &["IsActive=false"]),
        user(3, &["UserType=\"CspLitePortal\""]),
    ]);
    let bench = bench(ScriptedHttp::new().get_with(&["FROM User"], rows))
        .settings("{\"include_inactive\":false,\"leave_out_user_types\":[\"CspLitePortal\"]}");
    let page = Salesforce::download_subscriptions(&bench.call(), &users_chain()).unwrap();
    assert_eq!(
        (
            page.accounts.len(),
            page.assignments.len(),
            page.out_of_scope
        ),
        (1, 1, 2)
    );
}

#[test]
fn the_vendors_cursor_is_followed_verbatim_to_its_end() {
    let next = second();
    let page = download(
        ScriptedHttp::new().get(NEXT, page(4, None, &[user(3, &[]), user(4, &[])])),
        &next,
    )
    .unwrap();
    assert_eq!(page.accounts.len(), 2);
    assert!(page.next.is_none());
}

#[test]
fn a18_an_expired_cursor_goes_on_after_the_last_id_without_doubles() {
    let next = second();
    let http = ScriptedHttp::new()
        .get(
            NEXT,
            error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
        )
        .get_with(
            &[&format!("FROM User WHERE Id > '{}' ORDER BY Id", id(2))],
            page(2, Some(AFTER), &[user(3, &[])]),
        );
    let bench = bench(http);
    let third = Salesforce::download_subscriptions(&bench.call(), &next).unwrap();
    assert_eq!(third.accounts[0].id, id(3));
    // The count starts anew with the query: one of two seen, one to come.
    let last = download(
        ScriptedHttp::new().get(AFTER, page(2, None, &[user(4, &[])])),
        &third.next.unwrap(),
    )
    .unwrap();
    assert_eq!(last.accounts[0].id, id(4));
    assert!(last.next.is_none());
}

#[test]
fn a18_a_restart_keeps_the_filter_of_the_run() {
    let bench1 = bench(
        ScriptedHttp::new()
            .get_with(&["COUNT()"], count(4))
            .get_with(
                &["WHERE SystemModstamp >= 2026-03-01T00:00:00Z ORDER BY Id"],
                page(4, Some(NEXT), &[user(1, &[])]),
            ),
    );
    let outline = Salesforce::begin_subscriptions(&bench1.call(), Some(1_772_323_200_000)).unwrap();
    let next = Salesforce::download_subscriptions(&bench1.call(), &outline.chains[0])
        .unwrap()
        .next
        .unwrap();
    let http = ScriptedHttp::new()
        .get(NEXT, error(400, "INVALID_QUERY_LOCATOR", "x"))
        .get_with(
            &[&format!(
                "WHERE Id > '{}' AND SystemModstamp >= 2026-03-01T00:00:00Z ORDER BY Id",
                id(1)
            )],
            rows(&[user(2, &[])]),
        );
    download(http, &next).unwrap();
}

#[test]
fn a19_a_page_that_points_to_itself_ends_the_chain_with_a_failure() {
    let failure = download(
        ScriptedHttp::new().get(NEXT, page(9, Some(NEXT), &[user(3, &[])])),
        &second(),
    )
    .unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Malformed, "repeated_locator")
    );
}

#[test]
fn a19_more_rows_than_announced_end_the_chain_with_a_failure() {
    let failure = download(
        ScriptedHttp::new().get(
            NEXT,
            page(4, Some(AFTER), &[user(3, &[]), user(4, &[]), user(5, &[])]),
        ),
        &second(),
    )
    .unwrap_err();
    assert_eq!(failure.code, "too_many_rows");
}

#[test]
fn a19_an_empty_page_with_more_to_come_is_a_failure() {
    assert_eq!(
        first(page(4, Some(NEXT), &[])).unwrap_err().code,
        "empty_page"
    );
}

#[test]
fn a20_a_next_page_elsewhere_is_never_followed() {
    for next in [
        "http://169.254.169.254/latest",
        "https://acme.my.salesforce.com/services/data/v62.0/query/01g-2000",
        "//evil.example/services/data/v62.0/query/01g-2000",
        "/services/apexrest/x",
        "/services/data/v62.0/query/../../../x",
    ] {
        let failure = first(page(4, Some(next), &[user(1, &[])])).unwrap_err();
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Malformed, "foreign_locator"),
            "{next}"
        );
        assert!(
            !failure.message.contains("evil") && !failure.message.contains("169."),
            "{}",
            failure.message
        );
    }
}

#[test]
fn a21_fewer_rows_than_announced_are_no_complete_chain() {
    let failure = first(page(9000, None, &[user(1, &[])])).unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Malformed, "rows_missing")
    );
}

#[test]
fn not_done_and_no_locator_is_malformed_and_never_a_silent_end() {
    let answer = Scripted::json(
        200,
        format!(
            "{{\"totalSize\":2,\"done\":false,\"records\":[{}]}}",
            user(1, &[])
        ),
    );
    assert_eq!(first(answer).unwrap_err().code, "missing_locator");
}

#[test]
fn a6_malformed_json_is_refused_with_its_byte_and_without_its_content() {
    for body in [
        format!(
            "{{\"totalSize\":1,\"done\":true,\"records\":[{} oops]}}",
            user(1, &[])
        ),
        format!(
            "{{\"totalSize\":1,\"done\":true,\"records\":[{}",
            user(1, &[])
        ),
        "{\"totalSize\":1,\"done\":true,\"records\":[{\"Id\":17}]}".to_owned(),
    ] {
        let failure = first(Scripted::json(200, body)).unwrap_err();
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Malformed, "malformed_json")
        );
        assert!(failure.message.contains("at byte"), "{}", failure.message);
        assert!(!failure.message.contains("acme"), "{}", failure.message);
    }
}

#[test]
fn a7_a_web_page_with_status_200_is_no_empty_org() {
    let answer = Scripted::with_type(
        200,
        "text/html;charset=UTF-8",
        "<html>Down for maintenance</html>",
    );
    let failure = first(answer).unwrap_err();
    assert_eq!(
        (failure.kind, failure.code.as_str()),
        (FailureKind::Transient, "html_answer")
    );
}

#[test]
fn a25_an_absurdly_long_text_is_cut_and_the_page_lives() {
    let long = format!("Department=\"{}\"", "\u{e9}".repeat(1_000_000));
    let page = first(rows(&[user(1, &[&long]), user(2, &[])])).unwrap();
    assert_eq!(page.accounts.len(), 2);
    let department = page.accounts[0]
        .attributes
        .iter()
        .find(|a| a.name == "department")
        .unwrap();
    assert!((2000..=2048).contains(&department.value.len()));
}

#[test]
fn a27_escapes_of_every_kind_arrive_as_sent_and_nul_is_dropped() {
    let page = first(rows(&[user(
        1,
        &["Name=\"\\u202eA\\u0000na \\ud83d\\ude00 \\\"x\\\"\""],
    )]))
    .unwrap();
    assert_eq!(
        page.accounts[0].name.as_deref(),
        Some("\u{202e}Ana \u{1f600} \"x\"")
    );
}

#[test]
fn a28_the_short_form_of_an_id_is_widened() {
    let page = first(rows(&[user(1, &["Id=\"005000000000001\""])])).unwrap();
    assert_eq!(page.accounts[0].id, "005000000000001AAA");
    assert_eq!(page.assignments[0].account, "005000000000001AAA");
    assert_eq!(
        first(rows(&[user(1, &["Id=\"x\""])])).unwrap_err().code,
        "bad_id"
    );
}

#[test]
fn the_frozen_are_facts_about_their_users() {
    let http = ScriptedHttp::new().get_with(
        &["SELECT Id, UserId, IsFrozen FROM UserLogin WHERE IsFrozen = true ORDER BY Id"],
        page(2, Some(NEXT), &[login(7, true)]),
    );
    let page1 = download(http, &chains()[1]).unwrap();
    assert_eq!(
        (page1.facts[0].account.as_str(), &page1.facts[0].fact),
        (id(7).as_str(), &Fact::Frozen(true))
    );
    let http = ScriptedHttp::new()
        .get(NEXT, error(400, "INVALID_QUERY_LOCATOR", "x"))
        .get_with(
            &[&format!(
                "WHERE IsFrozen = true AND Id > '{}' ORDER BY Id",
                login_id(7)
            )],
            rows(&[login(8, true)]),
        );
    let page2 = download(http, &page1.next.unwrap()).unwrap();
    assert_eq!(page2.facts[0].account, id(8));
    assert!(page2.next.is_none());
}

#[test]
fn a_right_lost_during_the_run_ends_the_frozen_chain_and_says_so() {
    for (status, code) in [(400, "INVALID_TYPE"), (403, "INSUFFICIENT_ACCESS")] {
        let bench = bench(ScriptedHttp::new().get_with(&["UserLogin"], error(status, code, "no")));
        let page = Salesforce::download_subscriptions(&bench.call(), &chains()[1]).unwrap();
        assert!(page.facts.is_empty() && page.next.is_none());
        assert_eq!(
            bench.log.messages(),
            ["UserLogin cannot be read; frozen is unknown"]
        );
    }
}

#[test]
fn a16_the_daily_limit_is_not_a_missing_right() {
    let http = ScriptedHttp::new().get_with(
        &["UserLogin"],
        error(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
        ),
    );
    assert_eq!(
        download(http, &chains()[1]).unwrap_err().kind,
        FailureKind::Quota
    );
}

#[test]
fn a_damaged_cursor_is_refused() {
    let whole = users_chain();
    for at in [
        &[][..],
        &[9, 9][..],
        &whole[..whole.len() - 1],
        &[1, 7, 0, 0, 0, 0][..],
    ] {
        let failure = download(ScriptedHttp::new(), at).unwrap_err();
        assert_eq!(failure.kind, FailureKind::InvalidInput, "{at:?}");
    }
}

#[test]
fn fresh_facts_about_a_few_take_two_queries_with_frozen_either_way() {
    let http = ScriptedHttp::new()
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
    let page = Salesforce::lookup_accounts(&bench(http).call(), &[id(1), id(2), id(3)]).unwrap();
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
    let http = ScriptedHttp::new().expect(
        "a path under 16 KB",
        |request| match request.path_with_query.len() {
            0..16_000 => Ok(()),
            long => Err(format!("{long} bytes")),
        },
        rows(&[]),
    );
    let bench1 = bench(http.get_with(&["UserLogin"], rows(&[])));
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

#[test]
fn activity_names_no_chain_because_the_last_login_comes_with_the_account() {
    let bench = bench(ScriptedHttp::new());
    let outline = Salesforce::begin_activity(&bench.call(), 0).unwrap();
    assert!(outline.chains.is_empty() && outline.complete_from.is_none());
    assert_eq!(
        Salesforce::pull_user_activity(&bench.call(), &[])
            .unwrap_err()
            .kind,
        FailureKind::Unsupported
    );
}

#[test]
fn settings_that_cannot_be_read_are_a_failure_and_no_default() {
    let bench = bench(ScriptedHttp::new()).settings("{\"include_inactive\":\"no\"}");
    let failure = Salesforce::download_subscriptions(&bench.call(), &users_chain()).unwrap_err();
    assert_eq!(failure.code, "bad_settings");
}
