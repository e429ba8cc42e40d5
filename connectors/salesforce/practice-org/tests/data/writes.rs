//! Writes: what Salesforce refuses, what pools and rows say afterwards, and that each write is counted once.

use super::*;

async fn id_of(client: &Client, soql: &str) -> String {
    client.cell(soql, "Id").await.as_str().unwrap().to_owned()
}

async fn profile(client: &Client, name: &str) -> String {
    id_of(
        client,
        &format!("SELECT Id FROM Profile WHERE Name = '{name}'"),
    )
    .await
}

async fn set_licence(client: &Client, user: &str, name: &str) -> Option<String> {
    let soql = format!(
        "SELECT Id FROM PermissionSetLicenseAssign WHERE AssigneeId = '{user}' AND PermissionSetLicense.DeveloperName = '{name}'"
    );
    let rows = client.rows(&soql).await;
    rows.first()
        .map(|row| row["Id"].as_str().unwrap().to_owned())
}

async fn assignment(client: &Client, user: &str, set: &str) -> String {
    id_of(client, &format!("SELECT Id FROM PermissionSetAssignment WHERE AssigneeId = '{user}' AND PermissionSet.Name = '{set}'")).await
}

fn used(client: &Client, identifier: &str) -> i64 {
    client.control().used_licences(identifier).unwrap()
}

#[tokio::test]
async fn a_permission_set_licence_goes_after_the_sets_that_need_it() {
    let client = Client::showcase().await;
    let user = client.user("service").await;
    let before = used(&client, "psl:ServiceUserPsl");
    let licence = set_licence(&client, &user, "ServiceUserPsl").await.unwrap();
    let refused = client.delete("PermissionSetLicenseAssign", &licence).await;
    assert_eq!(code(&refused), (400, "FIELD_INTEGRITY_EXCEPTION"));
    assert!(
        refused.1[0]["message"]
            .as_str()
            .unwrap()
            .contains("Service Agent")
    );
    assert!(client.control().writes().is_empty());

    let set = assignment(&client, &user, "Service_Agent").await;
    assert_eq!(client.delete("PermissionSetAssignment", &set).await.0, 204);
    assert_eq!(set_licence(&client, &user, "ServiceUserPsl").await, None);
    assert_eq!(used(&client, "psl:ServiceUserPsl"), before - 1);
    assert_eq!(client.control().writes().len(), 1);
    assert_eq!(
        code(&client.delete("PermissionSetLicenseAssign", &licence).await),
        (404, "ENTITY_IS_DELETED")
    );
    assert_eq!(
        code(&client.delete("PermissionSetAssignment", &set).await),
        (404, "ENTITY_IS_DELETED")
    );

    // Assigned again, the set takes a seat again.
    let row = id_of(
        &client,
        "SELECT Id FROM PermissionSet WHERE Name = 'Service_Agent'",
    )
    .await;
    let made = client
        .create(
            "PermissionSetAssignment",
            json!({"AssigneeId": user, "PermissionSetId": row}),
        )
        .await;
    assert_eq!(made.0, 201, "{}", made.1);
    assert!(
        set_licence(&client, &user, "ServiceUserPsl")
            .await
            .is_some()
    );
    assert_eq!(used(&client, "psl:ServiceUserPsl"), before);
}

#[tokio::test]
async fn an_org_may_keep_the_licence_when_the_last_set_goes() {
    let mut spec = showcase::showcase(NOW);
    spec.keeps_set_licences = true;
    let client = Client::of(spec).await;
    let user = client.user("service").await;
    let set = assignment(&client, &user, "Service_Agent").await;
    assert_eq!(client.delete("PermissionSetAssignment", &set).await.0, 204);
    let licence = set_licence(&client, &user, "ServiceUserPsl").await.unwrap();
    assert_eq!(
        client
            .delete("PermissionSetLicenseAssign", &licence)
            .await
            .0,
        204
    );
    assert_eq!(set_licence(&client, &user, "ServiceUserPsl").await, None);
}

#[tokio::test]
async fn a_group_of_sets_holds_the_licence_that_one_of_them_needs() {
    let client = Client::showcase().await;
    let user = client.user("bundle").await;
    let licence = set_licence(&client, &user, "ServiceUserPsl").await.unwrap();
    assert_eq!(
        code(&client.delete("PermissionSetLicenseAssign", &licence).await),
        (400, "FIELD_INTEGRITY_EXCEPTION")
    );
    let group = id_of(&client, &format!("SELECT Id FROM PermissionSetAssignment WHERE AssigneeId = '{user}' AND PermissionSetGroupId != NULL")).await;
    assert_eq!(
        client.delete("PermissionSetAssignment", &group).await.0,
        204
    );
    assert_eq!(set_licence(&client, &user, "ServiceUserPsl").await, None);
}

#[tokio::test]
async fn assignments_are_created_once_and_while_seats_last() {
    let client = Client::showcase().await;
    let user = client.user("plain").await;
    let sbqq = id_of(
        &client,
        "SELECT Id FROM PackageLicense WHERE NamespacePrefix = 'sbqq'",
    )
    .await;
    let seat = json!({"UserId": user, "PackageLicenseId": sbqq});
    let made = client.create("UserPackageLicense", seat.clone()).await;
    assert_eq!(made.0, 201);
    assert_eq!(
        code(&client.create("UserPackageLicense", seat.clone()).await),
        (400, "DUPLICATE_VALUE")
    );
    for name in ["idle", "never"] {
        let user = client.user(name).await;
        let made = client
            .create(
                "UserPackageLicense",
                json!({"UserId": user, "PackageLicenseId": sbqq}),
            )
            .await;
        assert_eq!(made.0, 201, "{}", made.1);
    }
    let sales = client.user("sales").await;
    let refused = client
        .create(
            "UserPackageLicense",
            json!({"UserId": sales, "PackageLicenseId": sbqq}),
        )
        .await;
    assert_eq!(code(&refused), (400, "LICENSE_LIMIT_EXCEEDED"));
    let id = made.1["id"].as_str().unwrap();
    assert_eq!(client.delete("UserPackageLicense", id).await.0, 204);
    assert_eq!(used(&client, "package:sbqq"), 4);
    assert_eq!(client.control().write_count(id), 2);

    let expired = id_of(
        &client,
        "SELECT Id FROM PermissionSetLicense WHERE DeveloperName = 'IdentityConnect'",
    )
    .await;
    let refused = client
        .create(
            "PermissionSetLicenseAssign",
            json!({"AssigneeId": sales, "PermissionSetLicenseId": expired}),
        )
        .await;
    assert_eq!(code(&refused), (400, "FIELD_INTEGRITY_EXCEPTION"));
    let queue = id_of(
        &client,
        "SELECT Id FROM Group WHERE DeveloperName = 'Support_Tier_1'",
    )
    .await;
    let member = json!({"GroupId": queue, "UserOrGroupId": sales});
    assert_eq!(client.create("GroupMember", member.clone()).await.0, 201);
    assert_eq!(
        code(&client.create("GroupMember", member).await),
        (400, "DUPLICATE_VALUE")
    );
}

#[tokio::test]
async fn a_move_to_another_profile_swaps_the_seats_or_is_refused() {
    let client = Client::showcase().await;
    let to = |name: &'static str| profile(&client, name);
    let (platform, chatter, community) = (
        to("Standard Platform User").await,
        to("Chatter Free User").await,
        to("Customer Community User").await,
    );
    let plain = client.user("plain").await;
    let (full, cheap) = (used(&client, "SFDC"), used(&client, "AUL"));
    let moved = client
        .update("User", &plain, json!({"ProfileId": platform}))
        .await;
    assert_eq!(moved.0, 204, "{}", moved.1);
    assert_eq!(
        (used(&client, "SFDC"), used(&client, "AUL")),
        (full - 1, cheap + 1)
    );
    let row = &client
        .rows(&format!("SELECT Profile.UserLicense.LicenseDefinitionKey, ProfileId FROM User WHERE Id = '{plain}'"))
        .await[0];
    assert_eq!(row["Profile"]["UserLicense"]["LicenseDefinitionKey"], "AUL");
    assert_eq!(row["ProfileId"], platform.as_str());

    for (user, target, message) in [
        (
            "idle",
            &chatter,
            "It is not permitted to change user type from Standard to CSN Only",
        ),
        (
            "idle",
            &community,
            "This change in license types is not allowed",
        ),
        (
            "customer",
            &platform,
            "This change in license types is not allowed",
        ),
        (
            "integration",
            &chatter,
            "You can only reassign this user to a profile of the current license.",
        ),
        (
            "crmonly",
            &platform,
            "The permission set CRM Only requires the user license SFDC",
        ),
    ] {
        let id = client.user(user).await;
        let refused = client
            .update("User", &id, json!({"ProfileId": target}))
            .await;
        assert_eq!(code(&refused), (400, "FIELD_INTEGRITY_EXCEPTION"), "{user}");
        assert!(
            refused.1[0]["message"].as_str().unwrap().contains(message),
            "{}",
            refused.1
        );
    }
    // Three App Subscription seats, one taken: the third move finds none.
    let appsub = to("App Subscription User").await;
    for name in ["idle", "never"] {
        let id = client.user(name).await;
        assert_eq!(
            client
                .update("User", &id, json!({"ProfileId": appsub}))
                .await
                .0,
            204
        );
    }
    let refused = client
        .update("User", &plain, json!({"ProfileId": appsub}))
        .await;
    assert_eq!(code(&refused), (400, "LICENSE_LIMIT_EXCEEDED"));
    // A role must be empty where the licence has none; sets of the old licence must be gone.
    let only = to("Chatter Only User").await;
    let sales = client.user("sales").await;
    let refused = client
        .update("User", &sales, json!({"ProfileId": only}))
        .await;
    assert_eq!(code(&refused), (400, "FIELD_INTEGRITY_EXCEPTION"));
    assert!(
        refused.1[0]["message"]
            .as_str()
            .unwrap()
            .contains("role must be empty")
    );
    let both = json!({"ProfileId": only, "UserRoleId": null});
    assert_eq!(client.update("User", &sales, both).await.0, 204);
    // The other way is open from Chatter Free.
    let standard = to("Standard User").await;
    let chatty = client.user("chatter").await;
    assert_eq!(
        client
            .update("User", &chatty, json!({"ProfileId": standard}))
            .await
            .0,
        204
    );
}

#[tokio::test]
async fn deactivations_are_refused_for_the_vendors_reasons() {
    let client = Client::showcase().await;
    for (name, refusal) in [
        ("root", "CANNOT_DISABLE_LAST_ADMIN"),
        ("reader", "CANNOT_DISABLE_SELF"),
        ("portalowner", "FIELD_INTEGRITY_EXCEPTION"),
    ] {
        let id = client.user(name).await;
        let refused = client.update("User", &id, json!({"IsActive": false})).await;
        assert_eq!(code(&refused), (400, refusal), "{name}");
    }
    let root = client.user("root").await;
    let standard = profile(&client, "Standard User").await;
    let refused = client
        .update("User", &root, json!({"ProfileId": standard}))
        .await;
    assert_eq!(code(&refused), (400, "CANNOT_DISABLE_LAST_ADMIN"));
    // Given to somebody else, the account no longer holds its owner back.
    let owner = client.user("portalowner").await;
    let account = id_of(
        &client,
        &format!("SELECT Id FROM Account WHERE OwnerId = '{owner}' AND IsPartner = true"),
    )
    .await;
    assert_eq!(
        client
            .update("Account", &account, json!({"OwnerId": root}))
            .await
            .0,
        204
    );
    let full = used(&client, "SFDC");
    assert_eq!(
        client
            .update("User", &owner, json!({"IsActive": false}))
            .await
            .0,
        204
    );
    assert_eq!(used(&client, "SFDC"), full - 1);
    let cell = client
        .cell(
            &format!(
                "SELECT COUNT(Id) n FROM Account WHERE OwnerId = '{root}' AND Id = '{account}'"
            ),
            "n",
        )
        .await;
    assert_eq!(cell, 1);
}

#[tokio::test]
async fn a_seat_is_needed_to_come_back() {
    let client = Client::showcase().await;
    let never = client.user("never").await;
    let appsub = profile(&client, "App Subscription User").await;
    assert_eq!(
        client
            .update("User", &never, json!({"IsActive": false}))
            .await
            .0,
        204
    );
    assert_eq!(
        client
            .update("User", &never, json!({"ProfileId": appsub}))
            .await
            .0,
        204
    );
    for name in ["idle", "plain"] {
        let id = client.user(name).await;
        assert_eq!(
            client
                .update("User", &id, json!({"ProfileId": appsub}))
                .await
                .0,
            204
        );
    }
    let refused = client
        .update("User", &never, json!({"IsActive": true}))
        .await;
    assert_eq!(code(&refused), (400, "LICENSE_LIMIT_EXCEEDED"));
    let frozen = id_of(
        &client,
        &format!("SELECT Id FROM UserLogin WHERE UserId = '{never}'"),
    )
    .await;
    assert_eq!(
        client
            .update("UserLogin", &frozen, json!({"IsFrozen": true}))
            .await
            .0,
        204
    );
    let row = &client
        .rows(&format!(
            "SELECT IsFrozen, UserId FROM UserLogin WHERE Id = '{frozen}'"
        ))
        .await[0];
    assert_eq!(
        (row["IsFrozen"].clone(), row["UserId"].as_str()),
        (json!(true), Some(never.as_str()))
    );
    let refused = client
        .update("UserLogin", &frozen, json!({"IsPasswordLocked": true}))
        .await;
    assert_eq!(code(&refused), (400, "FIELD_INTEGRITY_EXCEPTION"));
}

#[tokio::test]
async fn a_feature_is_switched_off_and_on_while_seats_last() {
    let client = Client::showcase().await;
    let support = client.user("support").await;
    let before = used(&client, "feature:SupportUser");
    let set = |on: bool| json!({"UserPermissionsSupportUser": on});
    assert_eq!(client.update("User", &support, set(false)).await.0, 204);
    assert_eq!(used(&client, "feature:SupportUser"), before - 1);
    assert_eq!(client.update("User", &support, set(true)).await.0, 204);
    assert_eq!(used(&client, "feature:SupportUser"), before);
    for name in ["plain", "idle", "never", "approver"] {
        let id = client.user(name).await;
        assert_eq!(
            client
                .update("User", &id, json!({"UserPermissionsMarketingUser": true}))
                .await
                .0,
            204
        );
    }
    let id = client.user("dashboard").await;
    let refused = client
        .update("User", &id, json!({"UserPermissionsMarketingUser": true}))
        .await;
    assert_eq!(code(&refused), (400, "LICENSE_LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn users_are_created_and_never_deleted() {
    let client = Client::showcase().await;
    let standard = profile(&client, "Standard User").await;
    let full = used(&client, "SFDC");
    let fields = json!({
        "Username": "new@example.com", "LastName": "New", "FirstName": "Nora", "Email": "new@example.com", "Alias": "new",
        "TimeZoneSidKey": "UTC", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US",
        "ProfileId": standard,
    });
    let made = client.create("User", fields.clone()).await;
    assert_eq!(made.0, 201, "{}", made.1);
    assert_eq!(used(&client, "SFDC"), full + 1);
    let id = made.1["id"].as_str().unwrap();
    let row = &client
        .rows(&format!(
            "SELECT Name, IsActive, UserType, LastLoginDate FROM User WHERE Id = '{id}'"
        ))
        .await[0];
    assert_eq!(row["Name"], "Nora New");
    assert_eq!(
        (&row["IsActive"], &row["UserType"]),
        (&json!(true), &json!("Standard"))
    );
    assert_eq!(
        code(&client.create("User", fields).await),
        (400, "DUPLICATE_USERNAME")
    );
    let missing = client.create("User", json!({"LastName": "Alone"})).await;
    assert_eq!(code(&missing), (400, "REQUIRED_FIELD_MISSING"));
    assert_eq!(
        code(&client.delete("User", id).await),
        (400, "INVALID_TYPE_FOR_OPERATION")
    );
}

#[tokio::test]
async fn what_cannot_be_read_or_written_is_named() {
    let client = Client::showcase().await;
    let id = client.user("plain").await;
    for (fields, refusal) in [
        (json!({"Nope": 1}), "INVALID_FIELD"),
        (
            json!({"LastLoginDate": "2026-01-01T00:00:00Z"}),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
        ),
        (json!({"IsActive": "false"}), "JSON_PARSER_ERROR"),
        (json!({"LastName": null}), "REQUIRED_FIELD_MISSING"),
        (json!({"Title": "x".repeat(81)}), "STRING_TOO_LONG"),
        (json!({"ManagerId": "nonsense"}), "MALFORMED_ID"),
        (
            json!({"ManagerId": "005000000000000AAA"}),
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        (json!({"ManagerId": id}), "FIELD_INTEGRITY_EXCEPTION"),
    ] {
        let refused = client.update("User", &id, fields.clone()).await;
        assert_eq!(code(&refused), (400, refusal), "{fields}");
    }
    let licence = set_licence(&client, &client.user("sales").await, "SalesUserPsl")
        .await
        .unwrap();
    let refused = client
        .update(
            "PermissionSetLicenseAssign",
            &licence,
            json!({"AssigneeId": id}),
        )
        .await;
    assert_eq!(code(&refused), (400, "INVALID_TYPE_FOR_OPERATION"));
    let sfdc = id_of(
        &client,
        "SELECT Id FROM UserLicense WHERE LicenseDefinitionKey = 'SFDC'",
    )
    .await;
    assert_eq!(
        code(&client.delete("UserLicense", &sfdc).await),
        (400, "INVALID_TYPE_FOR_OPERATION")
    );
    let own = id_of(&client, &format!("SELECT Id FROM PermissionSetAssignment WHERE AssigneeId = '{id}' AND PermissionSet.IsOwnedByProfile = true")).await;
    assert_eq!(client.delete("PermissionSetAssignment", &own).await.0, 400);
    assert!(client.control().writes().is_empty());
}

#[tokio::test]
async fn a_written_back_record_reads_as_before() {
    let client = Client::showcase().await;
    let id = client.user("sales").await;
    let fields =
        "Title, Department, ManagerId, UserRoleId, ForecastEnabled, UserPermissionsMarketingUser";
    let soql = format!("SELECT {fields} FROM User WHERE Id = '{id}'");
    let before = client.rows(&soql).await;
    let change = json!({"Title": null, "Department": "X", "ManagerId": null, "UserRoleId": null, "ForecastEnabled": false});
    assert_eq!(client.update("User", &id, change).await.0, 204);
    assert_ne!(client.rows(&soql).await, before);
    let mut back = before[0].clone();
    back.as_object_mut().unwrap().remove("attributes");
    assert_eq!(client.update("User", &id, back).await.0, 204);
    assert_eq!(client.rows(&soql).await, before);
}

#[tokio::test]
async fn a_deleted_record_is_in_the_recycle_bin_only() {
    let client = Client::showcase().await;
    let case = id_of(
        &client,
        "SELECT Id FROM Case WHERE IsClosed = false LIMIT 1",
    )
    .await;
    let before = client.count("SELECT COUNT() FROM Case").await;
    assert_eq!(client.delete("Case", &case).await.0, 204);
    assert_eq!(client.count("SELECT COUNT() FROM Case").await, before - 1);
    let all = client
        .get("/queryAll?q=SELECT+Id,+IsDeleted+FROM+Case+WHERE+IsDeleted=true")
        .await;
    assert_eq!(all["totalSize"], 1);
    assert_eq!(all["records"][0]["Id"], case.as_str());
    // What belongs to the set-up is gone for good.
    let user = client.user("packages").await;
    let seat = id_of(
        &client,
        &format!("SELECT Id FROM UserPackageLicense WHERE UserId = '{user}' LIMIT 1"),
    )
    .await;
    assert_eq!(client.delete("UserPackageLicense", &seat).await.0, 204);
    let all = client
        .get(&format!(
            "/queryAll?q=SELECT+Id+FROM+UserPackageLicense+WHERE+UserId='{user}'"
        ))
        .await;
    assert_eq!(all["totalSize"], 2);
}
