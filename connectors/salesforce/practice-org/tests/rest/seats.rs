//! Records that are made and deleted: seats of permission-set licences, assignments, members.

use super::*;
use seatwise_practice_org_salesforce::{Account, PermissionSet, PermissionSetLicence};

/// The worked example with one permission-set licence of one seat, a set that hangs on it, and an account.
fn org() -> OrgSpec {
    let mut spec = example();
    let licence = PermissionSetLicence::new("SalesUserPsl", "Sales User", 1);
    spec.permission_set_licences = vec![licence];
    let set = PermissionSet::new("Sales_User", "Sales User", Some("SalesUserPsl"));
    spec.permission_sets = vec![set];
    spec.accounts = vec![Account {
        name: "Acme".to_owned(),
        owner: "dee@example.com".to_owned(),
        is_partner: false,
        is_customer: false,
    }];
    spec
}

fn id(username: &str) -> String {
    org().user_id_of(username).unwrap()
}

impl Client {
    /// The one row that a query finds.
    async fn one(&self, soql: &str) -> Value {
        let page = self.query(soql).await;
        assert_eq!(page.json()["totalSize"], 1, "{soql}: {}", page.text);
        page.json()["records"][0].clone()
    }

    async fn licence(&self) -> String {
        let row = self.one("SELECT Id FROM PermissionSetLicense").await;
        row["Id"].as_str().unwrap().to_owned()
    }

    async fn seats_used(&self) -> i64 {
        let row = self
            .one("SELECT UsedLicenses FROM PermissionSetLicense")
            .await;
        row["UsedLicenses"].as_i64().unwrap()
    }

    fn seat(&self, licence: &str, username: &str) -> Value {
        json!({"attributes": {"type": "PermissionSetLicenseAssign"}, "AssigneeId": id(username), "PermissionSetLicenseId": licence})
    }
}

#[tokio::test]
async fn a_seat_is_given_and_taken_back_record_by_record() {
    let client = Client::of(org()).await;
    let licence = client.licence().await;
    let path = "/sobjects/PermissionSetLicenseAssign";
    let seat = client.seat(&licence, "dee@example.com");
    let made = client.with_body(Method::POST, path, seat.clone()).await;
    assert_eq!(
        (made.status, made.json()["success"].as_bool()),
        (201, Some(true)),
        "{}",
        made.text
    );
    let one = format!("{path}/{}", made.json()["id"].as_str().unwrap());
    assert!(made.header("Location").unwrap().ends_with(&one));
    assert_eq!(
        client.get(&one).await.json()["AssigneeId"],
        id("dee@example.com")
    );
    assert_eq!(client.seats_used().await, 1);

    let again = client.with_body(Method::POST, path, seat).await;
    assert_eq!(again.refusal(), (400, "DUPLICATE_VALUE".to_owned()));
    let other = client.seat(&licence, "gus@example.com");
    let full = client.with_body(Method::POST, path, other).await;
    assert_eq!(full.refusal(), (400, "LICENSE_LIMIT_EXCEEDED".to_owned()));
    let changed = client
        .with_body(
            Method::PATCH,
            &one,
            json!({"AssigneeId": id("gus@example.com")}),
        )
        .await;
    assert_eq!(changed.status, 400, "{}", changed.text);

    let delete = || client.send(client.call(Method::DELETE, &one));
    assert_eq!(delete().await.status, 204);
    assert_eq!(client.seats_used().await, 0);
    assert_eq!(
        delete().await.refusal(),
        (404, "ENTITY_IS_DELETED".to_owned())
    );
    assert_eq!(client.control().writes().len(), 2);
}

#[tokio::test]
async fn a_collection_gives_seats_until_none_is_left() {
    let client = Client::of(org()).await;
    let licence = client.licence().await;
    let people = ["dee@example.com", "gus@example.com"];
    let records: Vec<_> = people.map(|name| client.seat(&licence, name)).into();
    let send = |all_or_none: bool| {
        let body = json!({"allOrNone": all_or_none, "records": records});
        client.with_body(Method::POST, "/composite/sobjects", body)
    };
    let told = send(true).await.json();
    assert_eq!(
        told[0]["errors"][0]["statusCode"],
        "ALL_OR_NONE_OPERATION_ROLLED_BACK"
    );
    assert_eq!(told[1]["errors"][0]["statusCode"], "LICENSE_LIMIT_EXCEEDED");
    assert_eq!(
        (client.seats_used().await, client.control().writes().len()),
        (0, 0)
    );
    let told = send(false).await.json();
    assert_eq!(
        (told[0]["success"].as_bool(), told[1]["success"].as_bool()),
        (Some(true), Some(false))
    );
    assert_eq!(client.seats_used().await, 1);

    let made = told[0]["id"].as_str().unwrap();
    let path = format!("/composite/sobjects?ids={made},{made}&allOrNone=false");
    let told = client.send(client.call(Method::DELETE, &path)).await.json();
    assert_eq!(
        (told[0]["success"].as_bool(), told[0]["id"].as_str()),
        (Some(true), Some(made))
    );
    assert_eq!(told[1]["errors"][0]["statusCode"], "ENTITY_IS_DELETED");
    assert_eq!(client.seats_used().await, 0);
}

#[tokio::test]
async fn a_licence_that_a_set_needs_goes_with_the_set() {
    let client = Client::of(org()).await;
    let set = client
        .one("SELECT Id FROM PermissionSet WHERE Name = 'Sales_User'")
        .await;
    let part = |method: &str, name: &str, url: &str, body: Value| json!({"method": method, "referenceId": name, "url": format!("/services/data/v62.0/{url}"), "body": body});
    let assignment = json!({"AssigneeId": id("dee@example.com"), "PermissionSetId": set["Id"]});
    let seats = "query?q=SELECT+Id+FROM+PermissionSetLicenseAssign";
    let body = json!({"compositeRequest": [
        part("POST", "given", "sobjects/PermissionSetAssignment", assignment),
        part("GET", "seat", seats, Value::Null),
        part("DELETE", "refused", "sobjects/PermissionSetLicenseAssign/@{seat.records[0].Id}", Value::Null),
        part("DELETE", "taken", "sobjects/PermissionSetAssignment/@{given.id}", Value::Null),
        part("GET", "none", seats, Value::Null),
    ]});
    let told = client
        .with_body(Method::POST, "/composite", body)
        .await
        .json()["compositeResponse"]
        .clone();
    let status: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["httpStatusCode"].as_u64().unwrap())
        .collect();
    assert_eq!(status, [201, 200, 400, 204, 200], "{told}");
    assert_eq!(told[2]["body"][0]["errorCode"], "FIELD_INTEGRITY_EXCEPTION");
    assert!(
        told[2]["body"][0]["message"]
            .as_str()
            .unwrap()
            .contains("Sales User")
    );
    assert_eq!(told[4]["body"]["totalSize"], 0);
}

#[tokio::test]
async fn setup_objects_and_others_are_not_changed_together() {
    let client = Client::of(org()).await;
    let account = client
        .one("SELECT Id FROM Account WHERE Name = 'Acme'")
        .await;
    let records = json!([
        {"attributes": {"type": "User"}, "id": id("dee@example.com"), "Title": "Setup"},
        {"attributes": {"type": "Account"}, "id": account["Id"], "Name": "Not setup"},
    ]);
    let body = json!({"records": records});
    let told = client
        .with_body(Method::PATCH, "/composite/sobjects", body)
        .await
        .json();
    assert_eq!(told[0]["success"], true);
    assert_eq!(told[1]["errors"][0]["statusCode"], "MIXED_DML_OPERATION");
    assert_eq!(client.control().writes().len(), 1);
}

#[tokio::test]
async fn a_reference_to_nothing_is_refused_with_its_field() {
    let client = Client::of(org()).await;
    let path = format!("/sobjects/User/{}", id("dee@example.com"));
    let nobody = org().user_id(9_999);
    let reply = client
        .with_body(Method::PATCH, &path, json!({"ManagerId": nobody}))
        .await;
    assert_eq!(
        reply.refusal(),
        (400, "INVALID_CROSS_REFERENCE_KEY".to_owned())
    );
    assert_eq!(reply.json()[0]["fields"], json!(["ManagerId"]));
}
