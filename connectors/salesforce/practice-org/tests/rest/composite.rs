//! `/composite` and `/composite/batch`.

use super::*;

fn id(username: &str) -> String {
    example().user_id_of(username).unwrap()
}

#[tokio::test]
async fn a_part_refers_to_what_a_part_before_it_found() {
    let client = Client::of(example()).await;
    let body = json!({"compositeRequest": [
        {"method": "GET", "referenceId": "found", "url": "/services/data/v62.0/query?q=SELECT+Id,Username+FROM+User+WHERE+Username='dee@example.com'"},
        {"method": "PATCH", "referenceId": "change", "url": "/services/data/v62.0/sobjects/User/@{found.records[0].Id}", "body": {"Title": "is @{found.records[0].Username}"}},
        {"method": "GET", "referenceId": "bad", "url": "/services/data/v62.0/sobjects/User/@{nothing.Id}"},
    ]});
    let reply = client.with_body(Method::POST, "/composite", body).await;
    let told = reply.json()["compositeResponse"].clone();
    assert_eq!(reply.status, 200);
    let status: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["httpStatusCode"].as_u64().unwrap())
        .collect();
    assert_eq!(status, [200, 204, 400]);
    assert_eq!(
        (told[1]["referenceId"].as_str(), told[1]["body"].is_null()),
        (Some("change"), true)
    );
    assert_eq!(told[2]["body"][0]["errorCode"], "PROCESSING_HALTED");
    let title = client
        .get(&format!(
            "/sobjects/User/{}?fields=Title",
            id("dee@example.com")
        ))
        .await
        .json();
    assert_eq!(title["Title"], "is dee@example.com");
    assert_eq!(client.control().writes().len(), 1);
}

#[tokio::test]
async fn all_or_none_of_a_composite_undoes_every_part() {
    let client = Client::of(example()).await;
    let part = |user: &str, name: &str| json!({"method": "PATCH", "referenceId": name, "url": format!("/services/data/v62.0/sobjects/User/{user}"), "body": {"IsActive": false}});
    let body = json!({"allOrNone": true, "compositeRequest": [part(&id("dee@example.com"), "a"), part(&id("fay@example.com"), "b")]});
    let told = client
        .with_body(Method::POST, "/composite", body)
        .await
        .json()["compositeResponse"]
        .clone();
    assert_eq!(told[0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(told[1]["body"][0]["errorCode"], "FIELD_INTEGRITY_EXCEPTION");
    assert!(client.control().writes().is_empty());
}

#[tokio::test]
async fn a_batch_counts_each_part_and_can_stop_at_the_first_error() {
    let client = Client::of(example()).await;
    let parts = json!([
        {"method": "PATCH", "url": format!("v62.0/sobjects/User/{}", id("dee@example.com")), "richInput": {"Title": "Batch"}},
        {"method": "GET", "url": "v62.0/query?q=SELECT+Nope+FROM+User"},
        {"method": "GET", "url": "v62.0/limits"},
    ]);
    let used = |reply: &Reply| -> u64 {
        let info = reply.header("Sforce-Limit-Info").unwrap();
        info.strip_prefix("api-usage=")
            .unwrap()
            .split('/')
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    let before = used(&client.get("/limits").await);
    let all = client
        .with_body(
            Method::POST,
            "/composite/batch",
            json!({"batchRequests": parts}),
        )
        .await;
    assert_eq!(used(&all) - before, 3);
    let told = all.json();
    let status: Vec<_> = told["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["statusCode"].as_u64().unwrap())
        .collect();
    assert_eq!(
        (told["hasErrors"].as_bool(), status),
        (Some(true), vec![204, 400, 200])
    );
    let halted = client
        .with_body(
            Method::POST,
            "/composite/batch",
            json!({"haltOnError": true, "batchRequests": parts}),
        )
        .await
        .json();
    assert_eq!(halted["results"][2]["statusCode"], 412);
    assert_eq!(
        halted["results"][2]["result"][0]["errorCode"],
        "BATCH_PROCESSING_HALTED"
    );
}

#[tokio::test]
async fn more_parts_than_allowed_are_refused_whole() {
    let client = Client::of(example()).await;
    let part = |n: usize, url: &str| json!({"method": "GET", "referenceId": format!("r{n}"), "url": format!("/services/data/v62.0/{url}")});
    let send = |url: &'static str, count: usize| {
        let parts: Vec<_> = (0..count).map(|n| part(n, url)).collect();
        client.with_body(
            Method::POST,
            "/composite",
            json!({"compositeRequest": parts}),
        )
    };
    assert_eq!(send("limits", 25).await.status, 200);
    assert_eq!(send("limits", 26).await.status, 400);
    assert_eq!(send("query?q=SELECT+Id+FROM+User", 5).await.status, 200);
    assert_eq!(send("query?q=SELECT+Id+FROM+User", 6).await.status, 400);
    let nested = json!({"compositeRequest": [{"method": "POST", "referenceId": "r", "url": "/services/data/v62.0/composite", "body": {}}]});
    let told = client
        .with_body(Method::POST, "/composite", nested)
        .await
        .json();
    assert_eq!(told["compositeResponse"][0]["httpStatusCode"], 400);
}
