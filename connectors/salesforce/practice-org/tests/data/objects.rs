//! Objects: described as they are, and counts of pools that follow from the rows.

use super::*;

#[tokio::test]
async fn every_described_field_can_be_selected_and_has_its_type() {
    let client = Client::showcase().await;
    let listed = client.get("/sobjects").await;
    let objects = listed["sobjects"].as_array().unwrap();
    assert!(objects.len() >= 30, "{} objects", objects.len());
    for object in objects {
        let name = object["name"].as_str().unwrap();
        let described = client.get(&format!("/sobjects/{name}/describe")).await;
        let fields = described["fields"].as_array().unwrap();
        let names: Vec<&str> = fields
            .iter()
            .map(|field| field["name"].as_str().unwrap())
            .collect();
        let soql = format!("SELECT {} FROM {name} LIMIT 40", names.join(", "));
        for row in client.rows(&soql).await {
            let id = row["Id"].as_str().unwrap();
            assert_eq!(&id[..3], object["keyPrefix"].as_str().unwrap(), "{name}");
            for field in fields {
                let (field_name, value) = (
                    field["name"].as_str().unwrap(),
                    &row[field["name"].as_str().unwrap()],
                );
                let is_right = match field["type"].as_str().unwrap() {
                    "boolean" => value.is_boolean(),
                    "int" => value.is_null() || value.is_i64(),
                    "double" | "currency" => value.is_null() || value.is_number(),
                    "datetime" => value.is_null() || value.as_str().unwrap().ends_with("+0000"),
                    "date" => value.is_null() || value.as_str().unwrap().len() == 10,
                    "id" | "reference" => value.is_null() || value.as_str().unwrap().len() == 18,
                    _ => value.is_null() || value.is_string(),
                };
                assert!(is_right, "{name}.{field_name}: {value}");
            }
        }
    }
}

#[tokio::test]
async fn seats_in_use_are_the_rows_that_hold_them() {
    let client = Client::showcase().await;
    for licence in client
        .rows(
            "SELECT Id, LicenseDefinitionKey, UsedLicenses, TotalLicenses, Status FROM UserLicense",
        )
        .await
    {
        let id = licence["Id"].as_str().unwrap();
        let holders = client
            .count(&format!(
                "SELECT COUNT() FROM User WHERE IsActive = true AND Profile.UserLicenseId = '{id}'"
            ))
            .await;
        assert_eq!(licence["UsedLicenses"], holders, "{licence}");
        assert!(licence["TotalLicenses"].as_u64().unwrap() >= holders);
    }
    for licence in client
        .rows("SELECT Id, UsedLicenses FROM PermissionSetLicense")
        .await
    {
        let id = licence["Id"].as_str().unwrap();
        let holders = client
            .count(&format!("SELECT COUNT() FROM PermissionSetLicenseAssign WHERE PermissionSetLicenseId = '{id}'"))
            .await;
        assert_eq!(licence["UsedLicenses"], holders);
    }
    for package in client
        .rows("SELECT Id, NamespacePrefix, UsedLicenses FROM PackageLicense")
        .await
    {
        let id = package["Id"].as_str().unwrap();
        let holders = client
            .count(&format!(
                "SELECT COUNT() FROM UserPackageLicense WHERE PackageLicenseId = '{id}'"
            ))
            .await;
        assert_eq!(package["UsedLicenses"], holders);
    }
}

#[tokio::test]
async fn the_seven_products_and_the_oddities_are_there() {
    let client = Client::showcase().await;
    for key in [
        "SFDC",
        "AUL",
        "CSN_User",
        "PID_Customer_Community",
        "PID_Partner_Community",
        "EMPLOYEE_COMMUNITY",
        "PID_Overage_High Volume Customer Portal",
    ] {
        let soql =
            format!("SELECT UsedLicenses FROM UserLicense WHERE LicenseDefinitionKey = '{key}'");
        assert!(
            client.cell(&soql, "UsedLicenses").await.as_u64().unwrap() > 0,
            "{key}"
        );
    }
    let twice = "SELECT COUNT() FROM UserLicense WHERE Name = 'High Volume Customer Portal'";
    assert_eq!(client.count(twice).await, 2);
    let nobody = "SELECT Id, Profile.Name FROM User WHERE ProfileId = NULL";
    let without = client.rows(nobody).await;
    assert_eq!(without.len(), 2);
    assert!(without.iter().all(|row| row["Profile"].is_null()));
    let login = "SELECT MonthlyLoginsEntitlement, MonthlyLoginsUsed FROM UserLicense WHERE LicenseDefinitionKey = 'PID_Customer_Community_Login'";
    assert_eq!(client.cell(login, "MonthlyLoginsEntitlement").await, 2_000);
    assert!(
        client
            .cell(login, "MonthlyLoginsUsed")
            .await
            .as_u64()
            .unwrap()
            > 0
    );
    let member = "SELECT MonthlyLoginsUsed FROM UserLicense WHERE LicenseDefinitionKey = 'SFDC'";
    assert!(client.cell(member, "MonthlyLoginsUsed").await.is_null());
    let disabled =
        "SELECT COUNT() FROM UserLicense WHERE Status = 'Disabled' AND TotalLicenses = 0";
    assert_eq!(client.count(disabled).await, 2);
    assert_eq!(
        client
            .count("SELECT COUNT() FROM TenantUsageEntitlement WHERE AmountUsed = NULL")
            .await,
        1
    );
}

#[tokio::test]
async fn metrics_count_the_active_and_the_newest_night_is_right() {
    let client = Client::showcase().await;
    let rows = client
        .rows("SELECT AssignedUserCount, ActiveUserCount, TotalLicenseCount, MetricsDate FROM ActiveFeatureLicenseMetric WHERE FeatureType = 'SupportUser' ORDER BY MetricsDate DESC")
        .await;
    assert_eq!(rows.len(), 2);
    let holders =
        "SELECT COUNT() FROM User WHERE IsActive = true AND UserPermissionsSupportUser = true";
    assert_eq!(rows[0]["AssignedUserCount"], client.count(holders).await);
    assert_eq!(rows[0]["ActiveUserCount"], 3);
    assert_eq!(rows[0]["TotalLicenseCount"], 10);
    assert_ne!(rows[1]["AssignedUserCount"], rows[0]["AssignedUserCount"]);
}

#[tokio::test]
async fn what_blocks_a_reclamation_can_be_found() {
    let client = Client::showcase().await;
    let id = |name: &'static str| client.user(name);
    for (soql, count) in [
        (
            format!(
                "SELECT COUNT() FROM CronTrigger WHERE OwnerId = '{}' AND State = 'WAITING'",
                id("jobowner").await
            ),
            1,
        ),
        (
            format!(
                "SELECT COUNT() FROM Dashboard WHERE RunningUserId = '{}'",
                id("dashboard").await
            ),
            1,
        ),
        (
            format!(
                "SELECT COUNT() FROM ProcessInstanceWorkitem WHERE ActorId = '{}'",
                id("approver").await
            ),
            2,
        ),
        (
            format!(
                "SELECT COUNT() FROM Account WHERE OwnerId = '{}' AND IsPartner = true",
                id("portalowner").await
            ),
            1,
        ),
        (
            format!(
                "SELECT COUNT() FROM GroupMember WHERE UserOrGroupId = '{}' AND Group.Type = 'Queue'",
                id("service").await
            ),
            1,
        ),
        (
            format!(
                "SELECT COUNT() FROM User WHERE ManagerId = '{}'",
                id("manager").await
            ),
            2,
        ),
        (
            format!(
                "SELECT COUNT() FROM User WHERE DelegatedApproverId = '{}'",
                id("manager").await
            ),
            1,
        ),
        (
            format!(
                "SELECT COUNT() FROM UserPackageLicense WHERE UserId = '{}'",
                id("packages").await
            ),
            3,
        ),
    ] {
        assert_eq!(client.count(&soql).await, count, "{soql}");
    }
    // Open records by owner: the short way and a look at every row agree.
    let owner = id("sales").await;
    for object in ["Case", "Opportunity", "Task"] {
        let quick =
            format!("SELECT COUNT() FROM {object} WHERE OwnerId = '{owner}' AND IsClosed = false");
        let slow = format!("SELECT OwnerId, IsClosed FROM {object}");
        let rows = client.rows(&slow).await;
        let open = rows
            .iter()
            .filter(|row| row["OwnerId"] == owner.as_str() && row["IsClosed"] == false)
            .count() as u64;
        assert_eq!(client.count(&quick).await, open, "{object}");
    }
    let edits = "SELECT LastModifiedById, COUNT(Id) edits, MAX(LastModifiedDate) newest FROM Opportunity GROUP BY LastModifiedById";
    assert!(client.rows(edits).await.len() > 5);
}

#[tokio::test]
async fn the_readme_names_every_object_and_its_first_query_runs_on_what_is_served() {
    let readme = include_str!("../../README.md");
    let client = Client::of(showcase::served(30, 1)).await;
    let listed = client.get("/sobjects").await;
    for object in listed["sobjects"].as_array().unwrap() {
        let name = object["name"].as_str().unwrap();
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
    let from = readme.find("q=SELECT").unwrap() + 2;
    let soql = readme[from..].split('"').next().unwrap();
    assert_eq!(client.rows(soql).await.len(), 5, "{soql}");
}

#[tokio::test]
async fn describe_tells_what_can_be_filtered_grouped_and_sorted() {
    let client = Client::showcase().await;
    let listed = client.get("/sobjects").await;
    let mut refused = 0;
    for object in listed["sobjects"].as_array().unwrap() {
        let name = object["name"].as_str().unwrap();
        let described = client.get(&format!("/sobjects/{name}/describe")).await;
        for field in described["fields"].as_array().unwrap() {
            let column = field["name"].as_str().unwrap();
            for (property, soql) in [
                (
                    "filterable",
                    format!("SELECT COUNT() FROM {name} WHERE {column} = NULL"),
                ),
                (
                    "groupable",
                    format!("SELECT {column} FROM {name} GROUP BY {column} LIMIT 1"),
                ),
                (
                    "sortable",
                    format!("SELECT Id FROM {name} ORDER BY {column} LIMIT 1"),
                ),
            ] {
                let (status, body) = client.query(&soql).await;
                let may = field[property].as_bool().unwrap();
                assert_eq!(status == 200, may, "{soql}: {body}");
                if !may {
                    assert_eq!(body[0]["errorCode"], "INVALID_FIELD", "{soql}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}
