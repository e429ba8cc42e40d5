//! Single records, the list of objects and describe.

use super::*;

#[tokio::test]
async fn a_record_is_read_by_its_id_with_all_or_some_of_its_fields() {
    let client = Client::of(example()).await;
    let dee = example().user_id_of("dee@example.com").unwrap();
    let whole = client.get(&format!("/sobjects/User/{dee}")).await.json();
    assert_eq!(
        (whole["Id"].as_str(), whole["Username"].as_str()),
        (Some(dee.as_str()), Some("dee@example.com"))
    );
    assert_eq!(whole["attributes"]["type"], "User");
    let some = client
        .get(&format!(
            "/sobjects/User/{}?fields=Username,IsActive",
            &dee[..15]
        ))
        .await
        .json();
    assert_eq!(some.as_object().unwrap().len(), 3, "{some}");
    let nobody = example().user_id(9_999);
    assert_eq!(
        client
            .get(&format!("/sobjects/User/{nobody}"))
            .await
            .refusal(),
        (404, "NOT_FOUND".to_owned())
    );
    assert_eq!(
        client
            .get(&format!("/sobjects/Profile/{dee}"))
            .await
            .refusal(),
        (400, "MALFORMED_ID".to_owned())
    );
}

#[tokio::test]
async fn a_key_that_several_records_have_is_a_choice() {
    let mut spec = example();
    let mut twin = spec.people[1].clone();
    twin.username = "twin@example.com".to_owned();
    let email = twin.email.clone();
    spec.people.push(twin);
    let client = Client::of(spec).await;
    let choice = client.get(&format!("/sobjects/User/Email/{email}")).await;
    assert_eq!(
        (choice.status, choice.json().as_array().map(Vec::len)),
        (300, Some(2))
    );
    let one = client.get("/sobjects/User/Username/twin@example.com").await;
    assert_eq!(
        (one.status, one.json()["Username"].as_str()),
        (200, Some("twin@example.com"))
    );
    let not_a_key = client.get("/sobjects/User/Title/Boss").await;
    assert_eq!(not_a_key.refusal(), (404, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn describe_answers_304_to_those_who_have_it() {
    let client = Client::of(example()).await;
    let first = client.get("/sobjects/User/describe").await;
    assert_eq!(first.status, 200);
    let since = first.header("Last-Modified").unwrap().to_owned();
    let ask = |name: &'static str, value: String| {
        client.send(
            client
                .call(Method::GET, "/sobjects/User/describe")
                .header(name, value),
        )
    };
    let again = ask("If-Modified-Since", since).await;
    assert_eq!((again.status, again.text.as_str()), (304, ""));
    let long_ago = "Tue, 01 Jan 2002 00:00:00 GMT".to_owned();
    assert_eq!(ask("If-Modified-Since", long_ago.clone()).await.status, 200);
    assert_eq!(ask("If-Unmodified-Since", long_ago).await.status, 412);
}

#[tokio::test]
async fn what_may_not_be_seen_is_neither_listed_nor_described() {
    let client = Client::of(example()).await;
    let names = |listed: Value| -> Vec<String> {
        let objects = listed["sobjects"].as_array().unwrap().clone();
        objects
            .iter()
            .map(|object| object["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let all = names(client.get("/sobjects").await.json());
    assert!(all.contains(&"UserLogin".to_owned()) && all.contains(&"User".to_owned()));
    let fewer = seatwise_practice_org_salesforce::Rights {
        manage_users: false,
        ..seatwise_practice_org_salesforce::Rights::all()
    };
    client.control().set_rights(fewer);
    let stale = client.call(Method::GET, "/sobjects/User/describe");
    let stale = stale.header("If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT");
    assert_eq!(client.send(stale).await.status, 200, "rights have changed");
    assert!(!names(client.get("/sobjects").await.json()).contains(&"UserLogin".to_owned()));
    assert_eq!(client.get("/sobjects/UserLogin/describe").await.status, 404);
}

#[tokio::test]
async fn a_record_is_changed_once_per_request_and_users_are_never_deleted() {
    let client = Client::of(example()).await;
    let dee = example().user_id_of("dee@example.com").unwrap();
    let path = format!("/sobjects/User/{dee}");
    let changed = client
        .with_body(Method::PATCH, &path, json!({"Title": "New"}))
        .await;
    assert_eq!((changed.status, changed.text.as_str()), (204, ""));
    assert_eq!(client.control().write_count(&dee), 1);
    let deleted = client.send(client.call(Method::DELETE, &path)).await;
    assert_eq!(deleted.status, 400, "{}", deleted.text);
    assert_eq!(client.get(&path).await.json()["Title"], "New");
    assert_eq!(client.control().write_count(&dee), 1);
}

#[tokio::test]
async fn the_root_of_a_version_lists_its_resources() {
    let client = Client::of(example()).await;
    let head = client.send(client.call(Method::HEAD, "/limits")).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    let root = client.get("/services/data/v62.0").await.json();
    for (name, address) in root.as_object().unwrap() {
        assert_eq!(
            address.as_str().unwrap(),
            format!("/services/data/v62.0/{name}")
        );
    }
    assert_eq!(
        client.get(root["limits"].as_str().unwrap()).await.status,
        200
    );
}
