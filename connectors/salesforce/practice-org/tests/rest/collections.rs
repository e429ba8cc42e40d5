//! sObject Collections.

use super::*;

fn id(username: &str) -> String {
    example().user_id_of(username).unwrap()
}

fn change(user: &str, fields: Value) -> Value {
    let mut record = json!({"attributes": {"type": "User"}, "id": user});
    for (name, value) in fields.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

#[tokio::test]
async fn each_record_is_answered_at_its_place_and_a_failed_one_has_no_id() {
    let client = Client::of(example()).await;
    let (dee, fay) = (id("dee@example.com"), id("fay@example.com"));
    let records = json!([
        change(&dee, json!({"Title": "One"})),
        change(&fay, json!({"IsActive": false})),
        change(&dee, json!({"Title": "Two"})),
        {"attributes": {"type": "Nope"}, "id": dee},
        {"attributes": {"type": "User"}, "Title": "no id"},
    ]);
    let body = json!({"allOrNone": false, "records": records});
    let reply = client
        .with_body(Method::PATCH, "/composite/sobjects", body)
        .await;
    let told = reply.json();
    assert_eq!(reply.status, 200);
    let outcomes: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["success"].as_bool().unwrap())
        .collect();
    assert_eq!(outcomes, [true, false, true, false, false]);
    assert_eq!(told[0]["id"], dee);
    assert!(told[1].get("id").is_none());
    assert_eq!(
        told[1]["errors"][0]["statusCode"],
        "FIELD_INTEGRITY_EXCEPTION"
    );
    assert_eq!(told[3]["errors"][0]["statusCode"], "INVALID_TYPE");
    assert_eq!(told[4]["errors"][0]["statusCode"], "MISSING_ARGUMENT");
    assert_eq!(client.control().write_count(&dee), 2);
    assert_eq!(client.control().write_count(&fay), 0);
}

#[tokio::test]
async fn all_or_none_undoes_what_was_done_and_says_so() {
    let client = Client::of(example()).await;
    let (dee, fay) = (id("dee@example.com"), id("fay@example.com"));
    let used = client.control().used_licences("SFDC");
    let records = json!([
        change(&dee, json!({"IsActive": false})),
        change(&fay, json!({"IsActive": false}))
    ]);
    let body = json!({"allOrNone": true, "records": records});
    let told = client
        .with_body(Method::PATCH, "/composite/sobjects", body)
        .await
        .json();
    assert_eq!(
        told[0]["errors"][0]["statusCode"],
        "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    );
    assert_eq!(
        told[1]["errors"][0]["statusCode"],
        "FIELD_INTEGRITY_EXCEPTION"
    );
    assert!(client.control().writes().is_empty());
    assert_eq!(client.control().used_licences("SFDC"), used);
    assert_eq!(
        client
            .get(&format!("/sobjects/User/{dee}?fields=IsActive"))
            .await
            .json()["IsActive"],
        true
    );
}

#[tokio::test]
async fn two_hundred_records_are_the_most() {
    let client = Client::of(crowd(300)).await;
    let records = |count: u64| -> Value {
        let spec = crowd(300);
        (0..count)
            .map(|n| change(&spec.user_id(n + 2), json!({"Title": "Many"})))
            .collect::<Vec<_>>()
            .into()
    };
    let send = |count| {
        client.with_body(
            Method::PATCH,
            "/composite/sobjects",
            json!({"records": records(count)}),
        )
    };
    let most = send(200).await.json();
    assert!(
        most.as_array()
            .unwrap()
            .iter()
            .all(|item| item["success"] == true)
    );
    assert_eq!(client.control().writes().len(), 200);
    assert_eq!(send(201).await.status, 400);
    assert_eq!(client.control().writes().len(), 200);
}

#[tokio::test]
async fn records_are_read_in_the_order_asked_with_null_for_none() {
    let client = Client::of(example()).await;
    let (dee, fay, nobody) = (
        id("dee@example.com"),
        id("fay@example.com"),
        example().user_id(9_999),
    );
    let path = format!("/composite/sobjects/User?ids={fay},{nobody},{dee}&fields=Username");
    let told = client.get(&path).await.json();
    assert_eq!(
        (told[0]["Username"].as_str(), told[2]["Username"].as_str()),
        (Some("fay@example.com"), Some("dee@example.com"))
    );
    assert!(told[1].is_null());
    let body = json!({"ids": [dee], "fields": ["Username", "Email"]});
    let told = client
        .with_body(Method::POST, "/composite/sobjects/User", body)
        .await
        .json();
    assert_eq!(told[0]["Username"], "dee@example.com");
}

#[tokio::test]
async fn what_cannot_be_made_or_deleted_is_refused_item_by_item() {
    let client = Client::of(example()).await;
    let dee = id("dee@example.com");
    let path = format!("/composite/sobjects?ids={dee},notanid&allOrNone=false");
    let told = client.send(client.call(Method::DELETE, &path)).await.json();
    assert_eq!(
        (told[0]["success"].as_bool(), told[1]["success"].as_bool()),
        (Some(false), Some(false))
    );
    assert_eq!(told[1]["errors"][0]["statusCode"], "MALFORMED_ID");
    let body = json!({"records": [{"attributes": {"type": "UserLicense"}, "Name": "Free seats"}]});
    let told = client
        .with_body(Method::POST, "/composite/sobjects", body)
        .await
        .json();
    assert_eq!(told[0]["success"], false);
    assert!(client.control().writes().is_empty());
}

#[tokio::test]
async fn a_fault_of_writes_hits_items_and_a_lost_reply_only_what_wrote() {
    let client = Client::of(example()).await;
    let dee = id("dee@example.com");
    let body = json!({"records": [change(&dee, json!({"Title": "New"}))]});
    client.faults("write_error=UNABLE_TO_LOCK_ROW");
    let told = client
        .with_body(Method::PATCH, "/composite/sobjects", body.clone())
        .await
        .json();
    assert_eq!(told[0]["errors"][0]["statusCode"], "UNABLE_TO_LOCK_ROW");
    assert!(client.control().writes().is_empty());

    client.faults("lose_write_reply_every=1");
    let job = json!({"operation": "query", "query": "SELECT Id FROM User"});
    let made = client.with_body(Method::POST, "/jobs/query", job).await;
    assert_eq!(made.status, 200, "a query job writes no record");
    let lost = client
        .call(Method::PATCH, "/composite/sobjects")
        .json(&body);
    assert!(lost.send().await.is_err());
    assert_eq!(client.control().write_count(&dee), 1);
}
