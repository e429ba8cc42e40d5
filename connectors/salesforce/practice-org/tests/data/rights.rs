//! A missing right really hides objects, columns and rows.

use super::*;
use seatwise_practice_org_salesforce::Rights;

async fn with(rights: Rights) -> Client {
    let client = Client::showcase().await;
    client.control().set_rights(rights);
    client
}

#[tokio::test]
async fn without_view_setup_the_licence_objects_are_not_there() {
    let client = with(Rights {
        view_setup: false,
        assign_permission_sets: false,
        ..Rights::all()
    })
    .await;
    for object in [
        "UserLicense",
        "PermissionSetLicense",
        "PermissionSetLicenseAssign",
        "TenantUsageEntitlement",
        "ActiveFeatureLicenseMetric",
        "CronTrigger",
    ] {
        let refusal = client.refusal(&format!("SELECT Id FROM {object}")).await;
        assert_eq!(refusal.0, "INVALID_TYPE", "{object}");
        let described = client
            .send(Method::GET, &format!("/sobjects/{object}/describe"), None)
            .await;
        assert_eq!(described.0, 404, "{object}");
    }
    let through = "SELECT Profile.UserLicense.Name FROM User";
    assert_eq!(client.refusal(through).await.0, "INVALID_FIELD");
    assert!(client.count("SELECT COUNT() FROM User").await > 30);
}

#[tokio::test]
async fn assign_permission_sets_alone_shows_the_assignments() {
    let client = with(Rights {
        view_setup: false,
        ..Rights::all()
    })
    .await;
    assert!(
        client
            .count("SELECT COUNT() FROM PermissionSetLicenseAssign")
            .await
            > 3
    );
}

#[tokio::test]
async fn only_own_logins_without_manage_users_and_monitor_login_history() {
    let none = Rights {
        manage_users: false,
        ..Rights::all()
    };
    let client = with(none).await;
    assert_eq!(client.count("SELECT COUNT() FROM LoginHistory").await, 0);
    assert_eq!(
        client
            .refusal("SELECT LoginGeoId FROM LoginHistory")
            .await
            .0,
        "INVALID_FIELD"
    );
    client.control().set_rights(Rights {
        monitor_login_history: true,
        ..none
    });
    assert!(client.count("SELECT COUNT() FROM LoginHistory").await > 20);
}

#[tokio::test]
async fn only_the_own_row_without_view_all_users_and_own_records_without_view_all_data() {
    let client = with(Rights {
        view_all_users: false,
        view_all_data: false,
        ..Rights::all()
    })
    .await;
    let rows = client.rows("SELECT Username FROM User").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["Username"], showcase::READER);
    assert_eq!(client.count("SELECT COUNT() FROM Case").await, 0);
}

#[tokio::test]
async fn an_org_that_filters_profiles_shows_the_own_one_only() {
    let mut spec = showcase::showcase(NOW);
    spec.filters_profiles = true;
    spec.rights.view_all_profiles = false;
    let client = Client::of(spec).await;
    let rows = client.rows("SELECT Name FROM Profile").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["Name"], "Seatwise Reader");
}

#[tokio::test]
async fn columns_hang_on_communities_rights_and_release() {
    let mut spec = showcase::showcase(NOW);
    spec.communities = false;
    let client = Client::of(spec).await;
    for soql in [
        "SELECT AccountId FROM User",
        "SELECT IsPartner FROM Account",
        "SELECT MonthlyLoginsUsed FROM UserLicense",
        "SELECT PasswordExpirationDate FROM User",
    ] {
        assert_eq!(client.refusal(soql).await.0, "INVALID_FIELD", "{soql}");
    }
    let at = |release: u32, soql: &str| {
        let q: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        format!("/services/data/v{release}.0/query?q={q}")
    };
    client
        .get(&at(63, "SELECT PasswordExpirationDate FROM User"))
        .await;
    let used = "SELECT Id FROM UserLicense WHERE UsedLicenses > 0";
    client.get(&at(63, used)).await;
    let (status, body) = client.send(Method::GET, &at(64, used), None).await;
    assert_eq!(
        (status, body[0]["errorCode"].as_str()),
        (400, Some("INVALID_FIELD"))
    );
}

#[tokio::test]
async fn the_running_users_rights_are_told_alike_everywhere() {
    let client = with(Rights {
        manage_users: false,
        api_only: true,
        ..Rights::all()
    })
    .await;
    let columns = "PermissionsManageUsers, PermissionsViewSetup, PermissionsApiUserOnly, PermissionsModifyAllData";
    let own = &client
        .rows(&format!("SELECT {columns} FROM UserPermissionAccess"))
        .await[0];
    let profile = &client
        .rows(&format!(
            "SELECT {columns} FROM Profile WHERE Name = 'Seatwise Reader'"
        ))
        .await[0];
    let set = &client
        .rows(&format!(
            "SELECT {columns} FROM PermissionSet WHERE Profile.Name = 'Seatwise Reader'"
        ))
        .await[0];
    for column in columns.split(", ") {
        assert_eq!(own[column], profile[column], "{column}");
        assert_eq!(own[column], set[column], "{column}");
    }
    assert_eq!(own["PermissionsManageUsers"], false);
    assert_eq!(own["PermissionsApiUserOnly"], true);
}

#[tokio::test]
async fn another_user_acts_with_their_own_rights() {
    let mut spec = showcase::showcase(NOW);
    let narrow = Rights {
        view_all_users: false,
        ..Rights::all()
    };
    spec.rights_of
        .insert("sales@example.com".to_owned(), narrow);
    let client = Client::of(spec).await;
    client.control().act_as(Some("sales@example.com"));
    let rows = client.rows("SELECT Username FROM User").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["Username"], "sales@example.com");
    client.control().act_as(None);
    assert!(client.count("SELECT COUNT() FROM User").await > 30);
}

#[tokio::test]
async fn narrower_rights_write_their_own_kind_of_user_only() {
    let client = with(Rights {
        manage_users: false,
        manage_internal_users: true,
        ..Rights::all()
    })
    .await;
    let (idle, customer) = (client.user("idle").await, client.user("customer").await);
    let inactive = json!({"IsActive": false});
    assert_eq!(client.update("User", &idle, inactive.clone()).await.0, 204);
    let refused = client.update("User", &customer, inactive.clone()).await;
    assert_eq!(code(&refused), (400, "INSUFFICIENT_ACCESS_OR_READONLY"));
    client.control().set_rights(Rights {
        manage_users: false,
        manage_external_users: true,
        ..Rights::all()
    });
    assert_eq!(client.update("User", &customer, inactive).await.0, 204);
}

#[tokio::test]
async fn who_is_api_only_is_told_by_profile_and_permission_set() {
    let client = Client::showcase().await;
    let by_set = "SELECT Assignee.Username, PermissionSet.IsOwnedByProfile FROM PermissionSetAssignment WHERE PermissionSet.PermissionsApiUserOnly = true ORDER BY Assignee.Username";
    let rows = client.rows(by_set).await;
    let told: Vec<(&str, bool)> = rows
        .iter()
        .map(|row| {
            let name = row["Assignee"]["Username"].as_str().unwrap();
            (
                name,
                row["PermissionSet"]["IsOwnedByProfile"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("erp@example.com", false),
            ("integration@example.com", true)
        ]
    );
    // The set of a group gives what its parts give.
    let group = "SELECT PermissionsApiEnabled, PermissionsViewSetup FROM PermissionSet WHERE Type = 'Group'";
    assert_eq!(client.cell(group, "PermissionsApiEnabled").await, true);
    assert_eq!(client.cell(group, "PermissionsViewSetup").await, false);
}

#[tokio::test]
async fn portal_users_see_no_permission_set_licences_and_no_packages() {
    let client = Client::showcase().await;
    client.control().act_as(Some("partner@example.com"));
    for object in [
        "PermissionSetLicense",
        "PackageLicense",
        "UserPackageLicense",
    ] {
        let refusal = client.refusal(&format!("SELECT Id FROM {object}")).await;
        assert_eq!(refusal.0, "INVALID_TYPE", "{object}");
    }
    client.control().act_as(None);
    assert!(client.count("SELECT COUNT() FROM PackageLicense").await > 3);
}
