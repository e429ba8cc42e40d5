//! Quota, concurrency, cursors and time-outs.

use super::*;
use seatwise_practice_org_salesforce::Person;

fn q(soql: &str) -> String {
    let q: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
    format!("/query?q={q}")
}

#[tokio::test]
async fn the_limit_header_comes_in_each_of_its_forms() {
    let client = Client::of(example()).await;
    let plain = client.get("/limits").await;
    assert_eq!(
        plain.header("Sforce-Limit-Info"),
        Some("api-usage=1/100000")
    );
    client.faults("limit_info=per-app");
    let per_app = client.get("/limits").await;
    assert_eq!(
        per_app.header("Sforce-Limit-Info"),
        Some("api-usage=2/100000; per-app-api-usage=2/250(appName=sample-app)")
    );
    client.faults("limit_info=none");
    assert_eq!(
        client.get("/limits").await.header("Sforce-Limit-Info"),
        None
    );
    client.faults("");
    assert_eq!(
        client
            .get("/sobjects/User/Nope")
            .await
            .header("Sforce-Limit-Info"),
        Some("api-usage=4/100000")
    );
    assert_eq!(
        client
            .get("/services/data/")
            .await
            .header("Sforce-Limit-Info"),
        None
    );
}

#[tokio::test]
async fn limits_agree_with_the_header_and_nest_per_app_entries() {
    let client = Client::of(example()).await;
    let told = client.get("/limits").await.json();
    assert_eq!(told["DailyApiRequests"]["Remaining"], 99_999);
    assert!(told["DailyApiRequests"]["sample-app"]["Max"].is_number());
    assert!(told["DataStorageMB"].is_object());
}

#[tokio::test]
async fn requests_leave_the_days_count_24_hours_later() {
    let mut spec = example();
    spec.api_limit = 3;
    spec.session_ms = i64::MAX / 4;
    let client = Client::of(spec).await;
    let start = worked_example::T0_MS + 3_600_000;
    client.control().set_now(Some(start));
    for _ in 0..3 {
        assert_eq!(client.get("/limits").await.status, 200);
    }
    let refused = client.get("/limits").await;
    assert_eq!(
        refused.refusal(),
        (403, "REQUEST_LIMIT_EXCEEDED".to_owned())
    );
    assert_eq!(
        refused.json()[0]["message"],
        "TotalRequests Limit exceeded."
    );
    assert_eq!(refused.header("Sforce-Limit-Info"), Some("api-usage=3/3"));
    assert_eq!(refused.header("Retry-After"), None);
    client.control().set_now(Some(start + 86_400_000 + 60_000));
    assert_eq!(client.get("/limits").await.status, 200);
}

#[tokio::test]
async fn too_many_requests_at_one_time_are_refused_and_soon_taken_again() {
    let client = Client::of(example()).await;
    client.faults("slow_every=1,slow_ms=300,concurrent_limit=2");
    let calls = futures_util::future::join_all((0..4).map(|_| client.get("/limits"))).await;
    let refused: Vec<_> = calls.iter().filter(|reply| reply.status == 403).collect();
    assert!(!refused.is_empty() && refused.len() < 4);
    for reply in refused {
        assert_eq!(reply.refusal().1, "REQUEST_LIMIT_EXCEEDED");
        assert!(reply.text.contains("ConcurrentPerOrgLongTxn"));
    }
    assert_eq!(client.get("/limits").await.status, 200);
}

#[tokio::test]
async fn only_calls_of_twenty_seconds_count_and_a_developer_org_allows_five() {
    let mut spec = example();
    spec.edition = "Developer Edition".to_owned();
    let client = std::sync::Arc::new(Client::of(spec).await);
    client.faults("hang_every=1");
    let hanging: Vec<_> = (0..5)
        .map(|_| {
            let client = std::sync::Arc::clone(&client);
            tokio::spawn(async move { client.get("/limits").await })
        })
        .collect();
    while client.control().call("GET", "calls", &Value::Null).1["calls"] != 5 {
        tokio::task::yield_now().await;
    }
    client.faults("");
    let refused = client.get("/limits").await;
    assert_eq!(
        refused.refusal(),
        (403, "REQUEST_LIMIT_EXCEEDED".to_owned())
    );
    assert!(refused.text.contains("ConcurrentPerOrgLongTxn"));
    for call in hanging {
        call.abort();
    }
    // The connections end with their clients, and their calls with them.
    while client.get("/limits").await.status == 403 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_eleventh_cursor_drops_the_oldest_and_small_answers_open_none() {
    let client = Client::of(crowd(500)).await;
    let open = || async {
        let request = client.call(Method::GET, &q("SELECT Id FROM User"));
        let page = client
            .send(request.header("Sforce-Query-Options", "batchSize=200"))
            .await;
        page.json()["nextRecordsUrl"].as_str().unwrap().to_owned()
    };
    let mut next = Vec::new();
    for _ in 0..10 {
        next.push(open().await);
    }
    for _ in 0..20 {
        assert_eq!(
            client.query("SELECT Id FROM User LIMIT 1").await.status,
            200
        );
    }
    assert_eq!(client.get(&next[0]).await.status, 200);
    next.push(open().await);
    assert_eq!(
        client.get(&next[0]).await.refusal(),
        (400, "INVALID_QUERY_LOCATOR".to_owned())
    );
    assert_eq!(client.get(&next[1]).await.status, 200);
    assert_eq!(client.get(&next[10]).await.status, 200);
}

#[tokio::test]
async fn a_cursor_lives_two_days() {
    let mut spec = crowd(500);
    spec.session_ms = i64::MAX / 4;
    let client = Client::of(spec).await;
    let now = worked_example::T0_MS;
    client.control().set_now(Some(now));
    let request = client.call(Method::GET, &q("SELECT Id FROM User"));
    let page = client
        .send(request.header("Sforce-Query-Options", "batchSize=200"))
        .await
        .json();
    let next = page["nextRecordsUrl"].as_str().unwrap();
    client.control().set_now(Some(now + 2 * 86_400_000 - 1));
    assert_eq!(client.get(next).await.status, 200);
    client.control().set_now(Some(now + 2 * 86_400_000));
    assert_eq!(client.get(next).await.refusal().1, "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn a_query_over_too_wide_a_range_times_out_and_narrower_ones_do_not() {
    let client = Client::of(crowd(500)).await;
    client.faults("timeout_days=7");
    let between = |from: &str, until: &str| {
        format!("SELECT Id FROM User WHERE CreatedDate > {from} AND CreatedDate <= {until}")
    };
    let wide = client
        .query(&between("2024-01-01T00:00:00Z", "2024-01-09T00:00:00Z"))
        .await;
    assert_eq!(wide.refusal(), (400, "QUERY_TIMEOUT".to_owned()));
    assert_eq!(
        client
            .query(&between("2024-01-01T00:00:00Z", "2024-01-08T00:00:00Z"))
            .await
            .status,
        200
    );
    let open = client
        .query("SELECT Id FROM User WHERE CreatedDate <= 2024-01-08T00:00:00Z")
        .await;
    assert_eq!(open.refusal().1, "QUERY_TIMEOUT");
    assert_eq!(
        client
            .query("SELECT Id FROM User WHERE IsActive = true")
            .await
            .status,
        200
    );
    client.faults("timeout_rows=100");
    assert_eq!(
        client.query("SELECT Id FROM User").await.refusal().1,
        "QUERY_TIMEOUT"
    );
    assert_eq!(
        client.query("SELECT Id FROM User LIMIT 100").await.status,
        200
    );
}

#[tokio::test]
async fn an_address_or_its_headers_over_16384_bytes_are_refused() {
    let client = Client::of(example()).await;
    let long = |bytes: usize| {
        q(&format!(
            "SELECT Id FROM User WHERE Name = '{}'",
            "x".repeat(bytes)
        ))
    };
    assert_eq!(client.get(&long(3_900)).await.status, 200);
    assert_eq!(client.get(&long(17_000)).await.status, 414);
    let heavy = client
        .call(Method::GET, &long(3_900))
        .header("X-Long", "y".repeat(13_000));
    assert_eq!(client.send(heavy).await.status, 431);
}

#[tokio::test]
async fn a_cursor_is_of_use_to_its_user_alone() {
    let mut spec = crowd(500);
    let other = Person::new(
        "Somebody",
        "Else",
        "else@example.com",
        "System Administrator",
    );
    spec.people.push(other);
    let client = Client::of(spec).await;
    let request = client.call(Method::GET, &q("SELECT Id FROM User"));
    let page = client
        .send(request.header("Sforce-Query-Options", "batchSize=200"))
        .await
        .json();
    let next = page["nextRecordsUrl"].as_str().unwrap();
    client.control().act_as(Some("else@example.com"));
    assert_eq!(
        client.get(next).await.refusal(),
        (400, "INVALID_QUERY_LOCATOR".to_owned())
    );
    client.control().act_as(None);
    assert_eq!(client.get(next).await.status, 200);
}
