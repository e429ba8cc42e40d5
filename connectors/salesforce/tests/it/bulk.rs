//! Users by a Bulk job: how it is made, waited for and given up.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, Failure, FailureKind, Method, Request,
    subscriptions::{AccountKind, LastActivity, Page},
    testkit::{Bench, Scripted, ScriptedHttp},
};

use crate::{bench, count, error, id, page, rows, user};

const JOB: &str = "/services/data/v62.0/jobs/query/750000000000001AAA";
const BULK: &str = "{\"read_users_by\":\"bulk\",\"licence_kinds\":[\"features\"]}";

fn chain(settings: &str, users: u64) -> (Vec<u8>, Bench) {
    let bench = bench(ScriptedHttp::new().get_with(&["COUNT()"], count(users))).settings(settings);
    let chains = Salesforce::begin_subscriptions(&bench.call(), None)
        .unwrap()
        .chains;
    (chains[0].clone(), bench)
}

fn at(http: ScriptedHttp, cursor: &[u8], later_ms: i64) -> Result<Page, Failure> {
    let mut bench = bench(http).settings(BULK);
    bench.ctx.now += later_ms;
    Salesforce::download_subscriptions(&bench.call(), cursor)
}

fn is_job(request: &Request) -> Result<(), String> {
    let body = String::from_utf8_lossy(request.body.as_deref().unwrap_or_default()).into_owned();
    let wanted = request.method == Method::Post
        && request.path_with_query == "/services/data/v62.0/jobs/query"
        && body.contains("\"operation\":\"query\"")
        && body.contains("FROM User ORDER BY Id\"");
    if wanted {
        Ok(())
    } else {
        Err(format!("{:?} {body}", request.method))
    }
}

fn made() -> Vec<u8> {
    let answer = Scripted::json(
        200,
        "{\"id\":\"750000000000001AAA\",\"operation\":\"query\",\"state\":\"UploadComplete\",\"apiVersion\":62.0}",
    );
    let (chain, _) = chain(BULK, 3);
    let page = at(
        ScriptedHttp::new().expect("a job", is_job, answer),
        &chain,
        0,
    )
    .unwrap();
    assert!(page.accounts.is_empty());
    page.next.unwrap()
}

fn state(state: &str, rows: u64) -> Scripted {
    Scripted::json(
        200,
        format!(
            "{{\"id\":\"750000000000001AAA\",\"state\":{state:?},\"numberRecordsProcessed\":{rows}}}"
        ),
    )
}

fn csv(body: &str, locator: Option<&str>) -> Scripted {
    let answer = Scripted::with_type(200, "text/csv", body);
    match locator {
        Some(locator) => answer.header("Sforce-Locator", locator),
        None => answer,
    }
}

const HEADER: &str = "\"Id\",\"Username\",\"IsActive\",\"Name\",\"UserType\",\"LastLoginDate\",\"Profile.Name\",\"Profile.UserLicense.LicenseDefinitionKey\"\n";

fn line(number: u32, name: &str, login: &str) -> String {
    format!(
        "{:?},\"u{number}@acme.example\",\"true\",{name},\"Standard\",\"{login}\",\"Sales\",\"SFDC\"\n",
        id(number)
    )
}

fn piece_path(locator: &str) -> String {
    format!("{JOB}/results?maxRecords=3000{locator}")
}

#[test]
fn a_job_is_made_waited_for_without_requests_and_read_in_pieces() {
    let made = made();
    // Too early: no request, and the host is told when.
    let early = at(ScriptedHttp::new(), &made, 0).unwrap_err();
    assert_eq!(
        (early.kind, early.code.as_str(), early.retry_after_ms),
        (FailureKind::Transient, "bulk_job_running", Some(1_000))
    );
    // Not ready: the cursor has moved, so this was no failure.
    let waiting = at(
        ScriptedHttp::new().get(JOB, state("InProgress", 0)),
        &made,
        1_000,
    )
    .unwrap();
    let waiting = waiting.next.unwrap();
    assert_ne!(waiting, made);
    let early = at(ScriptedHttp::new(), &waiting, 1_500).unwrap_err();
    assert_eq!(early.retry_after_ms, Some(1_500));
    // Ready: the first piece comes in the same call.
    let body = format!(
        "{HEADER}{}{}",
        line(1, "\"Ana \"\"A\"\", of\nAcme\"", "2026-03-30T08:00:00.000Z"),
        line(2, "\"\"", "")
    );
    let http = ScriptedHttp::new()
        .get(JOB, state("JobComplete", 3))
        .get(&piece_path(""), csv(&body, Some("MTAwMDA")));
    let first = at(http, &waiting, 3_000).unwrap();
    assert_eq!(first.accounts.len(), 2);
    let ana = &first.accounts[0];
    assert_eq!(ana.name.as_deref(), Some("Ana \"A\", of\nAcme"));
    assert_eq!(
        (ana.kind, ana.last_activity),
        (AccountKind::Person, LastActivity::At(1_774_857_600_000))
    );
    assert_eq!(first.accounts[1].last_activity, LastActivity::Never);
    assert_eq!(first.assignments[0].identifier, "SFDC");
    // The end is the word null.
    let body = format!("{HEADER}{}", line(3, "\"Cy\"", ""));
    let last = at(
        ScriptedHttp::new().get(&piece_path("&locator=MTAwMDA"), csv(&body, Some("null"))),
        &first.next.unwrap(),
        4_000,
    )
    .unwrap();
    assert_eq!((last.accounts.len(), last.next), (1, None));
}

fn ready(total: u64, body: &str, locator: Option<&str>) -> Result<Page, Failure> {
    let http = ScriptedHttp::new()
        .get(JOB, state("JobComplete", total))
        .get(&piece_path(""), csv(body, locator));
    at(http, &made(), 1_000)
}

#[test]
fn a_missing_locator_ends_the_result_and_the_count_is_compared() {
    let two = format!("{HEADER}{}{}", line(1, "\"\"", ""), line(2, "\"\"", ""));
    assert!(ready(2, &two, None).unwrap().next.is_none());
    assert_eq!(ready(3, &two, None).unwrap_err().code, "rows_missing");
    assert_eq!(
        ready(3, &two, Some("null")).unwrap_err().code,
        "rows_missing"
    );
    assert_eq!(ready(1, &two, None).unwrap_err().code, "too_many_rows");
    assert_eq!(ready(3, HEADER, Some("x")).unwrap_err().code, "empty_page");
    assert_eq!(
        ready(2, "\"Id\"\n\"a\",\"b\"\n", None).unwrap_err().code,
        "malformed_csv"
    );
}

#[test]
fn an_org_without_users_since_then_ends_at_once() {
    let page = at(
        ScriptedHttp::new().get(JOB, state("JobComplete", 0)),
        &made(),
        1_000,
    )
    .unwrap();
    assert!(page.next.is_none());
}

#[test]
fn where_bulk_is_refused_or_fails_rest_goes_on_after_the_last_row() {
    // Refused when it is made.
    let (chain, _) = chain(BULK, 3);
    for (status, code) in [
        (400, "FeatureNotEnabled"),
        (403, "ExceededQuota"),
        (404, "NOT_FOUND"),
    ] {
        let http = ScriptedHttp::new().expect("a job", is_job, error(status, code, "no"));
        let next = at(http, &chain, 0).unwrap().next.unwrap();
        let http = ScriptedHttp::new().get_with(&["FROM User ORDER BY Id"], rows(&[user(1, &[])]));
        assert_eq!(at(http, &next, 0).unwrap().accounts.len(), 1, "{code}");
    }
    // Failed while it ran.
    let failed = at(
        ScriptedHttp::new().get(JOB, state("Failed", 0)),
        &made(),
        1_000,
    );
    let http = ScriptedHttp::new().get_with(&["FROM User ORDER BY Id"], rows(&[user(1, &[])]));
    at(http, &failed.unwrap().next.unwrap(), 0).unwrap();
    // Its result went away after two rows.
    let body = format!("{HEADER}{}{}", line(1, "\"\"", ""), line(2, "\"\"", ""));
    let first = ready(3, &body, Some("more")).unwrap();
    let gone = ScriptedHttp::new().get(
        &piece_path("&locator=more"),
        error(404, "NOT_FOUND", "The requested resource does not exist"),
    );
    let next = at(gone, &first.next.unwrap(), 2_000).unwrap().next.unwrap();
    let query = format!("FROM User WHERE Id > '{}' ORDER BY Id", id(2));
    let http = ScriptedHttp::new().get_with(&[&query], rows(&[user(3, &[])]));
    assert_eq!(at(http, &next, 2_000).unwrap().accounts[0].id, id(3));
}

#[test]
fn a_job_that_takes_longer_than_half_an_hour_is_left_alone() {
    let page = at(
        ScriptedHttp::new().get(JOB, state("InProgress", 0)),
        &made(),
        31 * 60 * 1000,
    )
    .unwrap();
    let http = ScriptedHttp::new().get_with(&["FROM User ORDER BY Id"], rows(&[user(1, &[])]));
    at(http, &page.next.unwrap(), 0).unwrap();
}

#[test]
fn what_rest_would_meet_too_is_told_and_no_reason_to_change() {
    let (chain, _) = chain(BULK, 3);
    for (answer, kind) in [
        (
            error(
                403,
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
            ),
            FailureKind::Quota,
        ),
        (
            error(401, "INVALID_SESSION_ID", "Session expired or invalid"),
            FailureKind::Auth,
        ),
        (
            error(503, "SERVER_UNAVAILABLE", "busy"),
            FailureKind::Transient,
        ),
    ] {
        let http = ScriptedHttp::new().expect("a job", is_job, answer);
        assert_eq!(at(http, &chain, 0).unwrap_err().kind, kind);
    }
}

#[test]
fn auto_takes_the_way_that_costs_fewer_calls_and_says_both_numbers() {
    for (users, says) in [
        (10_000, "users are read by REST"),
        (1_000_000, "users are read by Bulk API"),
    ] {
        let (chain, bench) = chain(crate::PLAIN, users);
        assert!(bench.log.messages().iter().any(|said| said == says));
        let http = ScriptedHttp::new();
        let http = if users > 50_000 {
            http.expect("a job", is_job, error(503, "SERVER_UNAVAILABLE", "busy"))
        } else {
            http.get_with(&["FROM User ORDER BY Id"], page(1, None, &[user(1, &[])]))
        };
        let bench = crate::bench(http);
        let _page = Salesforce::download_subscriptions(&bench.call(), &chain);
    }
}
