//! Accounts, assignments and facts.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, Failure, FailureKind,
    subscriptions::{AccountKind, Fact, LastActivity, Page},
    testkit::{Bench, Scripted, ScriptedHttp},
};

use crate::{
    API_ONLY, COLUMNS, PLAIN, bench, count, cursors::NEXT, describe, error, id, login, login_id,
    memo_from, memo_of, page, profile, rows, user, userinfo, versions,
};

/// First page of the users chain, with that answer.
pub fn first(answer: Scripted) -> Result<Page, Failure> {
    download(
        ScriptedHttp::new().get_with(&["FROM User ORDER BY Id"], answer),
        &users_chain(),
    )
}

pub fn download(http: ScriptedHttp, at: &[u8]) -> Result<Page, Failure> {
    Salesforce::download_subscriptions(&bench(http).call(), at)
}

pub fn chains() -> Vec<Vec<u8>> {
    let counted = ScriptedHttp::new().get_with(&["SELECT COUNT() FROM User"], count(3));
    let bench = bench(counted);
    Salesforce::begin_subscriptions(&bench.call(), None)
        .unwrap()
        .chains
}

pub fn users_chain() -> Vec<u8> {
    chains().swap_remove(0)
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
        .get_with(&API_ONLY, rows(&[]))
        .get("/services/oauth2/userinfo", userinfo());
    let bench = Bench::new(ScriptedHttp::new().get_with(&["COUNT()"], count(3)))
        .settings(PLAIN)
        .memo(memo_from(http));
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
    let counted = ScriptedHttp::new().get_with(
        &["SELECT COUNT() FROM User WHERE SystemModstamp >= 2026-03-01T00:00:00Z"],
        count(1),
    );
    let http = counted.get_with(
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
    let bench = Bench::new(http).memo(memo_of(&columns)).settings(PLAIN);
    Salesforce::begin_subscriptions(&bench.call(), Some(1_772_323_200_000)).unwrap();
}

#[test]
fn only_columns_that_exist_are_asked_for_and_in_pages_of_2000() {
    let bench = Bench::new(ScriptedHttp::new().get_with(
        &["SELECT Id, Username, IsActive, Email, Profile.Name, Profile.UserLicense.LicenseDefinitionKey, Profile.UserLicense.Name, Profile.UserLicense.MasterLabel, Profile.UserLicense.Status FROM User ORDER BY Id"],
        rows(&[user(1, &["-LastLoginDate"])]),
    ))
    .memo(memo_of(&["Id", "Username", "IsActive", "ProfileId", "Email"]))
    .settings(PLAIN);
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
            ("licence_normalised", "Salesforce"),
            ("licence_description", "Full CRM"),
            ("feature", "SupportUser"),
            ("product", "Salesforce Service Cloud"),
            (
                "product.evidence",
                "feature licence SupportUser (Service Cloud User)"
            ),
            ("product.derived", "false"),
        ]
    );
    assert!(page.next.is_none() && page.facts.is_empty());
    assert_eq!(page.usage.map(|usage| usage.used), Some(18));
}

#[test]
fn the_metadata_of_people_and_licences_arrives_as_attributes() {
    let nested = "{\"Name\":\"Platform User\",\"UserLicense\":{\"LicenseDefinitionKey\":\"AUL_LIGHT\",\"Name\":\"SP Light\",\
         \"MasterLabel\":\"Light seat\",\"Status\":\"Disabled\"}}";
    let page = first(rows(&[user(
        1,
        &[
            "Department=\"Sales\"",
            "Division=\"North\"",
            "ForecastEnabled=true",
            "CompanyName=\"Acme\"",
            "City=\"Kiel\"",
            "ContactId=\"003000000000001AAA\"",
            "AccountId=\"001000000000001AAA\"",
            &format!("Profile={nested}"),
        ],
    )]))
    .unwrap();
    let of = |all: &[seatwise_connector_sdk::Attribute], name: &str| {
        let found = all.iter().find(|attribute| attribute.name == name);
        found.map(|attribute| attribute.value.clone())
    };
    let account = &page.accounts[0].attributes;
    for (name, value) in [
        ("department", "Sales"),
        ("division", "North"),
        ("forecast_enabled", "true"),
        ("company", "Acme"),
        ("city", "Kiel"),
        ("third_party", "true"),
        ("customer_account_id", "001000000000001AAA"),
        ("user_type", "Standard"),
    ] {
        assert_eq!(of(account, name).as_deref(), Some(value), "{name}");
    }
    let seat = &page.assignments[0].evidence;
    for (name, value) in [
        ("licence", "SP Light"),
        ("licence_label", "Light seat"),
        ("licence_normalised", "Salesforce Platform Light"),
        ("licence_description", "Salesforce Platform Light"),
        ("licence_status", "Disabled"),
        ("product", "Salesforce Platform"),
        ("product.derived", "false"),
    ] {
        assert_eq!(of(seat, name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn domains_leave_out_everybody_else_and_count_them() {
    let answer = || {
        rows(&[
            user(1, &["Email=\"a@acme.com\""]),
            user(2, &["Email=\"b@other.com\""]),
            user(3, &["Email=null"]),
        ])
    };
    let download = |settings: &str| {
        let bench = bench(ScriptedHttp::new().get_with(&["FROM User ORDER BY Id"], answer()))
            .settings(settings);
        let page = Salesforce::download_subscriptions(&bench.call(), &users_chain()).unwrap();
        (
            page.accounts.len(),
            page.assignments.len(),
            page.out_of_scope,
        )
    };
    assert_eq!(
        download("{\"licence_kinds\":[],\"company_names\":\"*\"}"),
        (3, 3, 0)
    );
    assert_eq!(
        download("{\"licence_kinds\":[],\"company_names\":\"acme.com\"}"),
        (1, 1, 2)
    );
    assert_eq!(
        download("{\"licence_kinds\":[],\"leave_out_licences\":\"SFDC\"}"),
        (0, 0, 3)
    );
    let bench = bench(ScriptedHttp::new()).settings("{\"company_names\":\"Acme Inc\"}");
    let failure = Salesforce::download_subscriptions(&bench.call(), &users_chain()).unwrap_err();
    assert_eq!(failure.code, "bad_company_names");
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
        .settings("{\"licence_kinds\":[],\"include_inactive\":false,\"leave_out_user_types\":[\"CspLitePortal\"]}");
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
fn a25_an_absurdly_long_text_is_cut_and_the_page_lives() {
    let long = format!("Department=\"{}\"", "\u{e9}".repeat(5_000_000));
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
    let name = |text: &str| {
        let page = first(rows(&[
            user(1, &[&format!("Name=\"{text}\"")]),
            user(2, &[]),
        ]))
        .unwrap();
        assert_eq!(page.accounts.len(), 2, "{text}");
        page.accounts[0].name.clone().unwrap()
    };
    // Composed and decomposed stay as they are; half a pair is no character, and costs nobody else's row.
    assert_ne!(name("\u{e9}"), name("e\u{301}"));
    assert_eq!(name("e\\u0301"), "e\u{301}");
    for half in ["\\ud83d", "\\ude00", "\\ude00\\ud83d", "\\ud83d\\u0041"] {
        let read = name(&format!("a{half}z"));
        assert!(
            read.starts_with("a\u{fffd}") && read.ends_with('z'),
            "{half}: {read:?}"
        );
    }
    let mut raw = b"{\"totalSize\":1,\"done\":true,\"records\":[{\"Id\":\"x\",\"Name\":\"".to_vec();
    raw.extend([0xff, 0xfe, b'"', b'}', b']', b'}']);
    let refused = first(Scripted::json(200, raw)).unwrap_err();
    assert_eq!(
        refused.code, "malformed_json",
        "what is no UTF-8 is no page"
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
    // Fifteen characters that differ by case only are two people; either form of one is the same.
    let ids = ["005000000000abc", "005000000000ABC", "005000000000Abc"];
    let page = first(rows(&ids.map(|id| user(1, &[&format!("Id={id:?}")])))).unwrap();
    let wide: Vec<&str> = page
        .accounts
        .iter()
        .map(|account| account.id.as_str())
        .collect();
    for (short, wide) in ids.iter().zip(&wide) {
        assert_eq!(&wide[..15], *short, "the case is kept");
        let again = first(rows(&[user(1, &[&format!("Id={wide:?}")])])).unwrap();
        assert_eq!(again.accounts[0].id, *wide);
    }
    assert_eq!(
        wide.iter().collect::<std::collections::BTreeSet<_>>().len(),
        3
    );
    // The frozen are joined to their users whichever form their rows have.
    let frozen = login(1, true).replace(&id(1), &id(1)[..15]);
    let http = ScriptedHttp::new().get_with(&["FROM UserLogin"], rows(&[frozen]));
    let page = download(http, &chains()[1]).unwrap();
    assert_eq!(page.facts[0].account, id(1));
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
fn activity_names_no_chain_because_the_last_login_comes_with_the_account() {
    let bench = bench(ScriptedHttp::new());
    let outline = Salesforce::begin_activity(&bench.call(), 0).unwrap();
    assert!(outline.chains.is_empty() && outline.complete_from.is_none());
    assert_eq!(
        Salesforce::pull_user_activity(&bench.call(), &[])
            .unwrap_err()
            .code,
        "cursor_damaged"
    );
}

#[test]
fn settings_that_cannot_be_read_are_a_failure_and_no_default() {
    let bench = bench(ScriptedHttp::new()).settings("{\"include_inactive\":\"no\"}");
    let failure = Salesforce::download_subscriptions(&bench.call(), &users_chain()).unwrap_err();
    assert_eq!(failure.code, "bad_settings");
}
