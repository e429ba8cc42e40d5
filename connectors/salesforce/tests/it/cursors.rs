//! From page to page: what is followed, what never is, and which pages are refused.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind,
    testkit::{Scripted, ScriptedHttp},
};

use crate::{
    bench, count,
    downloads::{download, first, users_chain},
    error, id, page, rows, user,
};

pub const NEXT: &str = "/services/data/v62.0/query/01g000000000001-2000";

const AFTER: &str = "/services/data/v62.0/query/01g000000000001-4000";

/// The cursor after a first page that goes on at [`NEXT`].
fn second() -> Vec<u8> {
    first(page(4, Some(NEXT), &[user(1, &[]), user(2, &[])]))
        .unwrap()
        .next
        .unwrap()
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
