//! `LoginHistory` says the same as `User.LastLoginDate`.

use std::collections::BTreeMap;

use super::*;

/// The newest success of each user, from the history.
async fn newest(client: &Client) -> BTreeMap<String, String> {
    let soql = "SELECT UserId, Status, MAX(LoginTime) newest FROM LoginHistory WHERE UserId != NULL GROUP BY UserId, Status LIMIT 2000";
    let rows = client.rows(soql).await;
    rows.iter()
        .filter(|row| row["Status"] == "Success")
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("UserId"), text("newest"))
        })
        .collect()
}

async fn assert_agrees(client: &Client) {
    let newest = newest(client).await;
    let (mut kept, mut never) = (0, 0);
    // Six months and a day before noon of 2026-03-31.
    let oldest = "2025-09-29T12:00:00.000+0000";
    for user in client.rows("SELECT Id, LastLoginDate FROM User").await {
        let known = newest.get(user["Id"].as_str().unwrap());
        match user["LastLoginDate"].as_str() {
            Some(last) if last >= oldest => {
                assert_eq!(known.map(String::as_str), Some(last), "{user}");
                kept += 1;
            }
            _ => {
                assert_eq!(known, None, "{user}");
                never += 1;
            }
        }
    }
    assert!(kept > 10 && never > 1, "{kept} kept, {never} never");
}

#[tokio::test]
async fn the_newest_success_of_each_user_is_the_last_login_date() {
    let client = Client::of(showcase::generate(11, 600, NOW)).await;
    assert_agrees(&client).await;
}

#[tokio::test]
async fn a_login_since_the_start_is_in_both() {
    let client = Client::showcase().await;
    assert_agrees(&client).await;
    let idle = client.user("idle").await;
    let _ = client
        .control()
        .call("POST", &format!("users/{idle}/login"), &json!({}));
    assert_agrees(&client).await;
    let soql = format!("SELECT LoginTime, LoginType FROM LoginHistory WHERE UserId = '{idle}'");
    assert_eq!(client.rows(&soql).await.len(), 1, "older ones are gone");
    // The stamp stays where the test says so.
    let stamp = format!("SELECT SystemModstamp FROM User WHERE Id = '{idle}'");
    let before = client.cell(&stamp, "SystemModstamp").await;
    client.control().set_now(Some(NOW + 60_000));
    let path = format!("users/{idle}/login");
    let _ = client
        .control()
        .call("POST", &path, &json!({"keeps_stamp": true}));
    assert_eq!(client.cell(&stamp, "SystemModstamp").await, before);
    let _ = client.control().call("POST", &path, &json!({}));
    assert_ne!(client.cell(&stamp, "SystemModstamp").await, before);
    client.control().set_now(Some(NOW));
    // A last login that is set back leaves no later success behind.
    let sales = client.user("sales").await;
    let back = NOW - 20 * 86_400_000;
    let _ = client.control().call(
        "POST",
        &format!("users/{sales}/login"),
        &json!({"at_ms": back}),
    );
    assert_agrees(&client).await;
}

#[tokio::test]
async fn a_window_holds_the_same_rows_as_a_look_at_all() {
    let client = Client::of(showcase::generate(5, 400, NOW)).await;
    let all = client
        .rows("SELECT Id, LoginTime FROM LoginHistory ORDER BY LoginTime")
        .await;
    assert!(all.len() > 1_000, "{}", all.len());
    let times: Vec<&str> = all
        .iter()
        .map(|row| row["LoginTime"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted());
    let mut found = 0;
    for (from, to) in [
        ("2025-09-01T00:00:00Z", "2025-12-01T00:00:00Z"),
        ("2025-12-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("2026-03-01T00:00:00Z", "2026-03-30T00:00:00Z"),
        ("2026-03-30T00:00:00Z", "2026-04-02T00:00:00Z"),
    ] {
        found += client
            .rows(&format!(
                "SELECT Id FROM LoginHistory WHERE LoginTime >= {from} AND LoginTime < {to}"
            ))
            .await
            .len();
    }
    assert_eq!(found, all.len());
}

#[tokio::test]
async fn programs_failures_and_unknown_names_can_be_told_apart() {
    let client = Client::of(showcase::generate(2, 3_000, NOW)).await;
    let kinds = client
        .rows("SELECT LoginType, COUNT(Id) n FROM LoginHistory GROUP BY LoginType")
        .await;
    let kinds: Vec<&str> = kinds
        .iter()
        .map(|row| row["LoginType"].as_str().unwrap())
        .collect();
    for label in [
        "Application",
        "SAML Sfdc Initiated SSO",
        "Remote Access 2.0",
        "Other Apex API",
        "Lightning Login",
        "Chatter Communities External User",
    ] {
        assert!(kinds.contains(&label), "{label}: {kinds:?}");
    }
    let statuses = client
        .rows("SELECT Status, COUNT(Id) n FROM LoginHistory GROUP BY Status")
        .await;
    assert!(
        statuses
            .iter()
            .any(|row| row["Status"] == "Invalid Password")
    );
    let failed: u64 = statuses
        .iter()
        .filter(|row| row["Status"] != "Success")
        .map(|row| row["n"].as_u64().unwrap())
        .sum();
    assert!(failed > 100, "{failed}");
    assert!(
        client
            .count("SELECT COUNT() FROM LoginHistory WHERE UserId = NULL")
            .await
            > 0
    );
    let programs = client
        .rows("SELECT Id FROM User WHERE FirstName = 'Integration' AND LastLoginDate > LAST_N_DAYS:100 AND Profile.UserType = 'Standard' LIMIT 5")
        .await;
    for user in programs {
        let soql = format!(
            "SELECT Application FROM LoginHistory WHERE UserId = '{}'",
            user["Id"].as_str().unwrap()
        );
        assert!(
            client
                .rows(&soql)
                .await
                .iter()
                .all(|row| row["Application"] != "Browser")
        );
    }
}

#[tokio::test]
async fn what_the_vendor_does_not_filter_or_relate_is_refused() {
    let client = Client::showcase().await;
    let (code, message) = client
        .refusal("SELECT Id FROM LoginHistory WHERE Status = 'Success'")
        .await;
    assert_eq!(code, "INVALID_FIELD");
    assert!(message.contains("field 'Status' can not be filtered in a query call"));
    assert_eq!(
        client.refusal("SELECT User.Name FROM LoginHistory").await.0,
        "INVALID_FIELD"
    );
    let (code, message) = client
        .refusal("SELECT LoginTime, COUNT(Id) FROM LoginHistory GROUP BY LoginTime")
        .await;
    assert_eq!(code, "INVALID_FIELD");
    assert!(message.contains("field 'LoginTime' can not be grouped in a query call"));
}

/// Groups are gathered only as far as a page needs them: what comes after the first users, or stands in no order, must not be lost.
#[tokio::test]
async fn groups_in_pages_after_a_user_are_the_groups_of_all_rows() {
    let client = Client::of(showcase::generate(5, 600, NOW)).await;
    let early = client.rows("SELECT Id FROM User ORDER BY Id LIMIT 3").await;
    for user in early {
        let path = format!("users/{}/login", user["Id"].as_str().unwrap());
        let _ = client.control().call("POST", &path, &json!({}));
    }
    let groups = |after: &str, limit: usize| {
        format!(
            "SELECT UserId, LoginType, Status, COUNT(Id), MAX(LoginTime) FROM LoginHistory \
             WHERE LoginTime >= 2025-09-01T00:00:00Z{after} GROUP BY UserId, LoginType, Status ORDER BY UserId LIMIT {limit}"
        )
    };
    let all = client.rows(&groups("", 2_000)).await;
    assert!((400..2_000).contains(&all.len()), "{}", all.len());
    assert_eq!(all[0]["UserId"], Value::Null, "unknown names come first");
    for limit in [1, 7, 50] {
        assert_eq!(client.rows(&groups("", limit)).await, all[..limit]);
        let mut after = all[0]["UserId"].clone();
        let mut seen: Vec<Value> = all
            .iter()
            .filter(|row| row["UserId"].is_null())
            .cloned()
            .collect();
        loop {
            let floor = after.as_str().map_or_else(
                || " AND UserId != NULL".to_owned(),
                |id| format!(" AND UserId > '{id}'"),
            );
            // Whole users only: the last one of a page may be cut.
            let page = client.rows(&groups(&floor, limit + 20)).await;
            let Some(last) = page.last().map(|row| row["UserId"].clone()) else {
                break;
            };
            let is_end = page.len() < limit + 20;
            let whole = page.iter().filter(|row| is_end || row["UserId"] != last);
            seen.extend(whole.cloned());
            after = seen.last().unwrap()["UserId"].clone();
            if is_end {
                break;
            }
        }
        assert_eq!(seen, all, "pages of {}", limit + 20);
    }
}

#[tokio::test]
async fn rows_older_than_six_months_go_as_the_clock_moves() {
    let client = Client::showcase().await;
    let before = client.count("SELECT COUNT() FROM LoginHistory").await;
    client.control().set_now(Some(NOW + 120 * 86_400_000));
    let (_, session) = client.control().call("POST", "session", &Value::Null);
    let client = Client {
        token: session["access_token"].as_str().unwrap().to_owned(),
        ..client
    };
    let after = client.count("SELECT COUNT() FROM LoginHistory").await;
    assert!(after < before && after > 0, "{before}, then {after}");
}
