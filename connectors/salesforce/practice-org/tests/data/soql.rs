//! SOQL over the showcase: the same answers as a client that reads everything and filters itself, and the vendor's refusals.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

async fn names(client: &Client, filter: &str) -> Vec<String> {
    let soql = format!("SELECT Username FROM User WHERE {filter} ORDER BY Username");
    let rows = client.rows(&soql).await;
    let name = |row: &Value| {
        row["Username"]
            .as_str()
            .unwrap()
            .split('@')
            .next()
            .unwrap()
            .to_owned()
    };
    rows.iter().map(name).collect()
}

#[tokio::test]
async fn conditions_choose_the_rows_they_say() {
    let client = Client::showcase().await;
    let sales = client.user("sales").await;
    for (filter, wanted) in [
        ("Username LIKE 'twin.%'", vec!["twin.one", "twin.two"]),
        ("Username = 'SALES@EXAMPLE.COM'", vec!["sales"]),
        (
            "Profile.UserLicense.LicenseDefinitionKey = 'FDC_SUB'",
            vec!["appsub"],
        ),
        (
            "Manager.Username = 'manager@example.com' AND NOT Department = 'Sales'",
            vec!["service"],
        ),
        (
            "(Username LIKE 'cust%') AND (Profile.UserType = 'PowerCustomerSuccess' OR Profile.Name LIKE '%Login%')",
            vec!["customerlogin", "customerplus"],
        ),
        (
            "Id IN (SELECT AssigneeId FROM PermissionSetLicenseAssign WHERE PermissionSetLicense.DeveloperName = 'ServiceUserPsl')",
            vec!["bothclouds", "bundle", "service"],
        ),
        (
            "Id IN (SELECT AssigneeId FROM PermissionSetLicenseAssign) AND Id NOT IN (SELECT AssigneeId FROM PermissionSetAssignment WHERE PermissionSet.IsOwnedByProfile = false)",
            vec!["bothclouds", "leaver"],
        ),
        (
            "Id IN (SELECT UserId FROM UserLogin WHERE IsFrozen = true)",
            vec!["frozen"],
        ),
        (
            "UserType IN ('PowerPartner', 'Guest')",
            vec!["partner", "partnerlogin", "site.guest"],
        ),
        (
            "LastLoginDate = YESTERDAY AND IsActive = true",
            vec!["customerlogin", "insights", "manager", "sales"],
        ),
        ("LastLoginDate < LAST_N_DAYS:149", vec!["idle", "leaver"]),
        (
            "LastLoginDate >= 2026-03-31T10:00:00Z",
            vec!["erp", "integration", "root"],
        ),
        ("City = '\\' OR Name != \\''", vec!["hostile"]),
        ("Department LIKE '%\\r\\n%'", vec!["hostile"]),
        ("FirstName = 'محمد'", vec!["rtl"]),
        ("NumberOfFailedLogins >= 10", vec!["frozen"]),
        ("UserPermissionsKnowledgeUser = true", vec!["service"]),
    ] {
        assert_eq!(names(&client, filter).await, wanted, "{filter}");
    }
    let narrow = format!("Id = '{sales}' AND Id != '{sales}'");
    assert!(names(&client, &narrow).await.is_empty());
    assert_eq!(
        names(&client, &format!("Id = '{}'", &sales[..15])).await,
        ["sales"]
    );
}

#[tokio::test]
async fn relative_dates_follow_the_zone_of_the_running_user() {
    // Noon in UTC is midnight twelve hours to the west: what was this morning there was yesterday.
    for (zone, today, yesterday) in [("UTC", 3, 4), ("Etc/GMT+12", 0, 3)] {
        let mut spec = showcase::showcase(NOW);
        spec.time_zone = zone.to_owned();
        let client = Client::of(spec).await;
        for (word, wanted) in [("TODAY", today), ("YESTERDAY", yesterday)] {
            let soql = format!(
                "SELECT COUNT() FROM User WHERE LastLoginDate = {word} AND Username != 'mailbox@example.com'"
            );
            assert_eq!(client.count(&soql).await, wanted, "{zone}, {word}");
        }
        let own = client.user("reader").await;
        let moved = client
            .update("User", &own, json!({"TimeZoneSidKey": "Etc/GMT+12"}))
            .await;
        assert_eq!(moved.0, 204, "{}", moved.1);
        let soql = "SELECT COUNT() FROM User WHERE LastLoginDate = TODAY";
        assert_eq!(client.count(soql).await, 0, "{zone}");
    }
}

#[tokio::test]
async fn rows_come_in_the_order_asked_for() {
    let client = Client::showcase().await;
    let dates = |rows: Vec<Value>| -> Vec<Value> {
        rows.iter()
            .map(|row| row["LastLoginDate"].clone())
            .collect()
    };
    let first = dates(
        client
            .rows("SELECT LastLoginDate FROM User ORDER BY LastLoginDate")
            .await,
    );
    assert!(first[0].is_null());
    let last = dates(
        client
            .rows("SELECT LastLoginDate FROM User ORDER BY LastLoginDate DESC NULLS LAST")
            .await,
    );
    assert!(last.last().unwrap().is_null());
    let known: Vec<&str> = last.iter().filter_map(Value::as_str).collect();
    assert!(known.is_sorted_by(|a, b| a >= b) && known.len() > 30);
    let rows = client.rows("SELECT Profile.Name, Username FROM User WHERE ProfileId != NULL ORDER BY Profile.Name DESC, Username").await;
    let keys: Vec<(String, String)> = rows
        .iter()
        .map(|row| {
            let text = |value: &Value| value.as_str().unwrap().to_lowercase();
            (text(&row["Profile"]["Name"]), text(&row["Username"]))
        })
        .collect();
    assert!(keys.is_sorted_by(|a, b| a.0 > b.0 || (a.0 == b.0 && a.1 <= b.1)));
    let all: Vec<Value> = client.rows("SELECT Id FROM User ORDER BY Id").await;
    let some = client
        .rows("SELECT Id FROM User ORDER BY Id LIMIT 5 OFFSET 3")
        .await;
    assert_eq!(some, all[3..8]);
}

#[tokio::test]
async fn parents_nest_and_children_are_answers_of_their_own() {
    let client = Client::showcase().await;
    let soql = "SELECT Id, Profile.Name, (SELECT PermissionSetLicense.DeveloperName FROM PermissionSetLicenseAssignments ORDER BY PermissionSetLicense.DeveloperName), Profile.UserLicense.Name FROM User WHERE Username IN ('bothclouds@example.com', 'plain@example.com') ORDER BY Username";
    let rows = client.rows(soql).await;
    let licences = &rows[0]["PermissionSetLicenseAssignments"];
    assert_eq!(licences["totalSize"], 2);
    assert_eq!(licences["done"], true);
    assert_eq!(
        licences["records"][1]["PermissionSetLicense"]["DeveloperName"],
        "ServiceUserPsl"
    );
    assert!(rows[1]["PermissionSetLicenseAssignments"].is_null());
    assert_eq!(rows[1]["Profile"]["UserLicense"]["Name"], "Salesforce");
    assert_eq!(rows[1]["Profile"]["attributes"]["type"], "Profile");
    let by_kind = "SELECT COUNT() FROM Case WHERE Owner.Type = ";
    let (people, queues) = (
        client.count(&format!("{by_kind}'User'")).await,
        client.count(&format!("{by_kind}'Queue'")).await,
    );
    assert!(people > queues && queues > 0);
    assert_eq!(
        people + queues,
        client.count("SELECT COUNT() FROM Case").await
    );
    let owners = client
        .rows("SELECT Owner.Name, Owner.Username FROM Case")
        .await;
    assert!(
        owners
            .iter()
            .any(|row| row["Owner"]["Name"] == "Support Tier 1"
                && row["Owner"]["Username"].is_null())
    );
}

#[tokio::test]
async fn groups_are_what_a_client_would_count() {
    let client = Client::showcase().await;
    let mut counted: BTreeMap<String, (u64, Option<String>)> = BTreeMap::new();
    for row in client
        .rows("SELECT Profile.UserLicense.Name, LastLoginDate FROM User WHERE ProfileId != NULL")
        .await
    {
        let name = row["Profile"]["UserLicense"]["Name"]
            .as_str()
            .unwrap()
            .to_owned();
        let entry = counted.entry(name).or_default();
        entry.0 += 1;
        entry.1 = entry
            .1
            .take()
            .max(row["LastLoginDate"].as_str().map(str::to_owned));
    }
    let soql = "SELECT Profile.UserLicense.Name licence, COUNT(Id), MAX(LastLoginDate) newest FROM User WHERE ProfileId != NULL GROUP BY Profile.UserLicense.Name ORDER BY COUNT(Id) DESC";
    let rows = client.rows(soql).await;
    let told: BTreeMap<String, (u64, Option<String>)> = rows
        .iter()
        .map(|row| {
            assert_eq!(row["attributes"], json!({"type": "AggregateResult"}));
            let name = row["licence"].as_str().unwrap().to_owned();
            (
                name,
                (
                    row["expr0"].as_u64().unwrap(),
                    row["newest"].as_str().map(str::to_owned),
                ),
            )
        })
        .collect();
    assert_eq!(told, counted);
    let counts: Vec<u64> = rows
        .iter()
        .map(|row| row["expr0"].as_u64().unwrap())
        .collect();
    assert!(counts.is_sorted_by(|a, b| a >= b));
    let having =
        "SELECT ProfileId FROM User GROUP BY ProfileId HAVING COUNT(Id) > 1 AND ProfileId != NULL";
    let several = client.rows(having).await.len();
    assert_eq!(
        several,
        client
            .rows(
                "SELECT ProfileId, COUNT(Id) n FROM User WHERE ProfileId != NULL GROUP BY ProfileId"
            )
            .await
            .iter()
            .filter(|row| row["n"].as_u64() > Some(1))
            .count()
    );
    let whole = &client.rows("SELECT COUNT(Id), COUNT_DISTINCT(Email) mails, MIN(CreatedDate), SUM(NumberOfFailedLogins) failed, AVG(NumberOfFailedLogins) FROM User").await[0];
    let users = client.count("SELECT COUNT() FROM User").await;
    assert_eq!(whole["expr0"], users);
    assert_eq!(whole["mails"], users - 1);
    assert_eq!(whole["failed"], 10.0);
    assert_eq!(whole["expr2"].as_f64().unwrap(), 10.0 / users as f64);
    let days = client.rows("SELECT DAY_ONLY(LoginTime) day, COUNT(Id) n FROM LoginHistory GROUP BY DAY_ONLY(LoginTime) ORDER BY DAY_ONLY(LoginTime)").await;
    let sum: u64 = days.iter().map(|row| row["n"].as_u64().unwrap()).sum();
    assert_eq!(sum, client.count("SELECT COUNT() FROM LoginHistory").await);
    assert!(
        days.iter()
            .all(|row| row["day"].as_str().unwrap().len() == 10)
    );
}

#[tokio::test]
async fn more_groups_than_an_answer_holds_are_refused() {
    let client = Client::of(showcase::generate(1, 2_300, NOW)).await;
    let groups = "SELECT Id, COUNT(Username) n FROM User GROUP BY Id";
    let (code, message) = client.refusal(groups).await;
    assert_eq!(code, "EXCEEDED_ID_LIMIT");
    assert!(message.contains("Aggregate query does not support queryMore()"));
    let mut seen = BTreeSet::new();
    let mut after = String::from("005000000000000AAA");
    loop {
        let rows = client.rows(&format!("SELECT Id, COUNT(Username) n FROM User WHERE Id > '{after}' GROUP BY Id ORDER BY Id LIMIT 2000")).await;
        let Some(last) = rows.last() else { break };
        after = last["Id"].as_str().unwrap().to_owned();
        seen.extend(
            rows.iter()
                .map(|row| row["Id"].as_str().unwrap().to_owned()),
        );
    }
    assert_eq!(
        seen.len() as u64,
        client.count("SELECT COUNT() FROM User").await
    );
}

#[tokio::test]
async fn wildcards_follow_the_vendors_rule() {
    let client = Client::showcase().await;
    let rows = client
        .rows("SELECT FIELDS(STANDARD) FROM UserLicense")
        .await;
    assert!(rows[0].get("LicenseDefinitionKey").is_some());
    assert!(
        client
            .rows("SELECT FIELDS(ALL) FROM Account LIMIT 200")
            .await
            .len()
            > 2
    );
    for soql in [
        "SELECT FIELDS(ALL) FROM Account",
        "SELECT FIELDS(CUSTOM) FROM Account LIMIT 201",
    ] {
        assert_eq!(client.refusal(soql).await.0, "MALFORMED_QUERY");
    }
}

#[tokio::test]
async fn what_the_vendor_refuses_is_refused_in_its_words() {
    let client = Client::showcase().await;
    for (soql, code, part) in [
        (
            "SELECT Nope FROM User",
            "INVALID_FIELD",
            "No such column 'Nope' on entity 'User'",
        ),
        (
            "SELECT Id FROM Nope",
            "INVALID_TYPE",
            "sObject type 'Nope' is not supported.",
        ),
        (
            "SELECT Nope.Name FROM User",
            "INVALID_FIELD",
            "Didn't understand relationship 'Nope'",
        ),
        (
            "SELECT Id, (SELECT Id FROM Nopes) FROM User",
            "INVALID_TYPE",
            "Didn't understand relationship 'Nopes' in FROM part",
        ),
        (
            "SELECT Id FROM User WHERE",
            "MALFORMED_QUERY",
            "unexpected token",
        ),
        (
            "SELECT Id FROM User WHERE IsActive = true AND Name = 'a' OR Name = 'b'",
            "MALFORMED_QUERY",
            "unexpected token: 'OR'",
        ),
        (
            "SELECT Id FROM User WHERE IsActive = 'true'",
            "INVALID_FIELD",
            "must be of type boolean and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM User WHERE LastLoginDate > 2026-01-01",
            "INVALID_FIELD",
            "must be of type dateTime",
        ),
        (
            "SELECT Id FROM User WHERE Name = 5",
            "INVALID_FIELD",
            "must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM User WHERE Id = 'nonsense'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid ID field: nonsense",
        ),
        (
            "SELECT Id FROM User WHERE Id LIKE '005%'",
            "INVALID_QUERY_FILTER_OPERATOR",
            "invalid operator on id field",
        ),
        (
            "SELECT Id FROM User WHERE UserType INCLUDES ('a')",
            "INVALID_QUERY_FILTER_OPERATOR",
            "multipicklist",
        ),
        (
            "SELECT Id FROM UserLicense WHERE MonthlyLoginsUsed > 1",
            "INVALID_FIELD",
            "field 'MonthlyLoginsUsed' can not be filtered in a query call",
        ),
        (
            "SELECT LastLoginDate, COUNT(Id) FROM User GROUP BY LastLoginDate",
            "INVALID_FIELD",
            "field 'LastLoginDate' can not be grouped in a query call",
        ),
        (
            "SELECT Id, COUNT(Name) FROM User GROUP BY Name",
            "MALFORMED_QUERY",
            "Field must be grouped or aggregated: Id",
        ),
        (
            "SELECT SUM(Name) FROM User",
            "MALFORMED_QUERY",
            "does not support aggregate operator SUM",
        ),
        (
            "SELECT Id FROM User ORDER BY UserPermissionsSupportUser",
            "INVALID_FIELD",
            "can not be sorted in a query call",
        ),
        (
            "SELECT Id FROM User LIMIT 10 OFFSET 2001",
            "NUMBER_OUTSIDE_VALID_RANGE",
            "2000",
        ),
        (
            "SELECT Id, Id FROM User",
            "MALFORMED_QUERY",
            "duplicate field selected: Id",
        ),
        (
            "SELECT Id FROM User WHERE Id IN (SELECT UserId FROM LoginHistory) AND Id IN (SELECT UserId FROM UserLogin) AND Id IN (SELECT AssigneeId FROM PermissionSetAssignment)",
            "MALFORMED_QUERY",
            "Maximum 2 semi join",
        ),
        (
            "SELECT Id FROM User WHERE IsActive = true OR Id IN (SELECT UserId FROM UserLogin)",
            "MALFORMED_QUERY",
            "'OR' operator",
        ),
        (
            "SELECT Manager.Manager.Manager.Manager.Manager.Manager.Name FROM User",
            "MALFORMED_QUERY",
            "5 levels",
        ),
        (
            "SELECT TYPEOF Owner WHEN User THEN Name END FROM Case",
            "MALFORMED_QUERY",
            "TYPEOF",
        ),
    ] {
        let (told, message) = client.refusal(soql).await;
        assert_eq!(told, code, "{soql}: {message}");
        assert!(message.contains(part), "{soql}: {message}");
    }
}
