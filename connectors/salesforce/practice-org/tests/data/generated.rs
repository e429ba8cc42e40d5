//! Generated orgs: the same for the same seed, and as uneven as real ones.

use super::*;

#[tokio::test]
async fn the_same_seed_gives_the_same_org() {
    let soql = "SELECT Id, Name, Email, Title, City, ManagerId, UserRoleId, ProfileId, IsActive, LastLoginDate FROM User";
    let one = Client::of(showcase::generate(9, 300, NOW))
        .await
        .rows(soql)
        .await;
    let two = Client::of(showcase::generate(9, 300, NOW))
        .await
        .rows(soql)
        .await;
    let other = Client::of(showcase::generate(10, 300, NOW))
        .await
        .rows(soql)
        .await;
    assert_eq!(one, two);
    assert_ne!(one, other);
}

#[tokio::test]
async fn a_generated_org_has_every_product_leavers_programs_doubles_and_awkward_texts() {
    let client = Client::of(showcase::generate(4, 6_000, NOW)).await;
    for name in [
        "Salesforce",
        "Salesforce Platform",
        "Chatter Free",
        "Customer Community",
        "Customer Community Login",
        "Partner Community",
        "Company Communities",
    ] {
        let soql = format!("SELECT UsedLicenses FROM UserLicense WHERE Name = '{name}'");
        assert!(
            client.cell(&soql, "UsedLicenses").await.as_u64().unwrap() > 50,
            "{name}"
        );
    }
    for (soql, least) in [
        ("SELECT COUNT() FROM User WHERE IsActive = false", 400),
        ("SELECT COUNT() FROM User WHERE LastLoginDate = NULL", 100),
        (
            "SELECT COUNT() FROM User WHERE FirstName = 'Integration'",
            30,
        ),
        (
            "SELECT COUNT() FROM User WHERE LastName LIKE '%<script>%' OR LastName LIKE '=%' OR LastName LIKE '@%' OR LastName LIKE '%DROP%' OR LastName LIKE '%quoted%' OR LastName LIKE '%OR Name%' OR LastName LIKE '%nimdA%'",
            1,
        ),
        ("SELECT COUNT() FROM User WHERE City = 'القاهرة'", 100),
        ("SELECT COUNT() FROM PermissionSetLicenseAssign", 1_000),
        (
            "SELECT COUNT() FROM PermissionSetAssignment WHERE PermissionSet.IsOwnedByProfile = false",
            500,
        ),
        ("SELECT COUNT() FROM UserPackageLicense", 300),
        ("SELECT COUNT() FROM GroupMember", 300),
        ("SELECT COUNT() FROM Case WHERE IsClosed = false", 1_000),
        ("SELECT COUNT() FROM UserLogin WHERE IsFrozen = true", 5),
        ("SELECT COUNT() FROM Contact", 300),
    ] {
        assert!(
            client.count(soql).await >= least,
            "{soql}: {}",
            client.count(soql).await
        );
    }
    let mails =
        "SELECT Email, COUNT(Id) n FROM User GROUP BY Email HAVING COUNT(Id) > 1 LIMIT 2000";
    assert!(client.rows(mails).await.len() > 3);
    let seats: i64 = client.control().used_licences("psl:SalesUserPsl").unwrap();
    assert!(seats > 500, "{seats}");
    // A set that hangs on a licence is held by its holders only.
    let soql = "SELECT COUNT() FROM PermissionSetAssignment WHERE PermissionSet.Name = 'Sales_Coach' AND AssigneeId NOT IN (SELECT AssigneeId FROM PermissionSetLicenseAssign WHERE PermissionSetLicense.DeveloperName = 'SalesUserPsl')";
    assert_eq!(client.count(soql).await, 0);
}
