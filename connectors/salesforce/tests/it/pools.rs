//! What the vendor counts.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind,
    consumption::{Metric, Page, Pool},
    testkit::{Scripted, ScriptedHttp},
};

use crate::{bench, error, rows};

fn licence(key: &str, name: &str, rest: &str) -> String {
    format!(
        "{{\"attributes\":{{}},\"Id\":\"100000000000001AAA\",\"Name\":{name:?},\"MasterLabel\":\"{name} label\",\"LicenseDefinitionKey\":{key:?}{rest}}}"
    )
}

fn pools(licences: &[String]) -> Page {
    let bench = bench(ScriptedHttp::new().get_with(&["FROM UserLicense"], rows(licences)));
    Salesforce::download_consumption(&bench.call(), None).unwrap()
}

#[test]
fn a_pool_is_known_by_its_key_with_totals_label_and_stamp() {
    let page = pools(&[licence(
        "SFDC",
        "Salesforce",
        ",\"Status\":\"Active\",\"TotalLicenses\":12,\"UsedLicenses\":10,\"UsedLicensesLastUpdated\":\"2026-03-30T00:00:00.000+0000\"",
    )]);
    let pool = &page.pools[0];
    assert_eq!(
        (pool.identifier.as_str(), pool.label.as_str()),
        ("SFDC", "Salesforce label")
    );
    assert_eq!(
        (pool.metric, pool.owned, pool.used, pool.active),
        (Metric::Seats, Some(12), Some(10), true)
    );
    let attributes: Vec<(&str, &str)> = pool
        .attributes
        .iter()
        .map(|a| (a.name.as_str(), a.value.as_str()))
        .collect();
    assert_eq!(
        attributes,
        [
            ("name", "Salesforce"),
            ("used_as_of", "2026-03-30T00:00:00.000+0000")
        ]
    );
    assert_eq!(page.usage.map(|usage| usage.limit), Some(5000));
}

#[test]
fn disabled_absent_and_unbounded_are_not_zero() {
    let page = pools(&[
        licence(
            "A",
            "a",
            ",\"Status\":\"Disabled\",\"TotalLicenses\":0,\"UsedLicenses\":0",
        ),
        licence(
            "B",
            "b",
            ",\"Status\":\"Active\",\"TotalLicenses\":-1,\"UsedLicenses\":null",
        ),
    ]);
    assert_eq!(
        (page.pools[0].active, page.pools[0].owned),
        (false, Some(0))
    );
    assert_eq!(
        (
            page.pools[1].active,
            page.pools[1].owned,
            page.pools[1].used
        ),
        (true, None, None)
    );
}

#[test]
fn one_key_in_two_rows_is_one_pool() {
    let row = ",\"Status\":\"Active\",\"TotalLicenses\":5,\"UsedLicenses\":2";
    let page = pools(&[
        licence("SFDC", "Salesforce", row),
        licence("SFDC", "Salesforce", row),
    ]);
    assert_eq!(page.pools.len(), 1);
    assert_eq!(
        (page.pools[0].owned, page.pools[0].used),
        (Some(10), Some(4))
    );
}

#[test]
fn one_name_under_two_keys_is_two_pools() {
    let page = pools(&[
        licence("A", "High Volume Customer Portal", ""),
        licence("B", "High Volume Customer Portal", ""),
    ]);
    assert_eq!(page.pools.len(), 2);
}

#[test]
fn monthly_logins_are_a_pool_of_logins_with_its_month() {
    let page = pools(&[
        licence(
            "PID_Customer_Community_Login",
            "CCL",
            ",\"TotalLicenses\":50,\"UsedLicenses\":7,\"MonthlyLoginsEntitlement\":1000,\"MonthlyLoginsUsed\":1240",
        ),
        licence(
            "SFDC",
            "S",
            ",\"TotalLicenses\":5,\"UsedLicenses\":2,\"MonthlyLoginsEntitlement\":null",
        ),
    ]);
    let logins = &page.pools[0];
    assert_eq!(
        (logins.metric, logins.owned, logins.used),
        (Metric::Logins, Some(1000), Some(1240))
    );
    assert_eq!(
        logins.period,
        Some(("2026-03-01".to_owned(), "2026-03-31".to_owned()))
    );
    assert_eq!(said(logins, "members"), Some("7"));
    assert_eq!(page.pools[1].metric, Metric::Seats);
}

#[test]
fn where_monthly_logins_are_hidden_the_rest_is_asked_for_and_the_gap_is_said() {
    let hidden = error(
        400,
        "INVALID_FIELD",
        "No such column 'MonthlyLoginsEntitlement' on entity 'UserLicense'.",
    );
    let rows = rows(&[licence(
        "PID_Customer_Community_Login",
        "CCL",
        ",\"TotalLicenses\":50,\"UsedLicenses\":2",
    )]);
    let bench = bench(
        ScriptedHttp::new()
            .get_with(
                &["MonthlyLoginsEntitlement, MonthlyLoginsUsed FROM UserLicense"],
                hidden,
            )
            .get_with(&["UsedLicensesLastUpdated FROM UserLicense"], rows),
    );
    let page = Salesforce::download_consumption(&bench.call(), None).unwrap();
    assert_eq!(page.pools[0].owned, Some(50));
    assert!(
        said(&page.pools[0], "monthly_logins")
            .unwrap()
            .contains("not shown")
    );
}

#[test]
fn without_view_setup_the_failure_says_permission() {
    let bench = bench(ScriptedHttp::new().get_with(
        &["UserLicense"],
        error(
            400,
            "INVALID_TYPE",
            "sObject type 'UserLicense' is not supported.",
        ),
    ));
    assert_eq!(
        Salesforce::download_consumption(&bench.call(), None)
            .unwrap_err()
            .kind,
        FailureKind::Permission
    );
}

/// All pages after the first, which has no licence here.
fn rest(http: ScriptedHttp, settings: &str) -> Vec<Pool> {
    let bench = bench(http).settings(settings);
    let mut pools = vec![];
    let mut at = Salesforce::download_consumption(&bench.call(), None)
        .unwrap()
        .next;
    while let Some(cursor) = at {
        let page = Salesforce::download_consumption(&bench.call(), Some(&cursor)).unwrap();
        pools.extend(page.pools);
        at = page.next;
    }
    pools
}

fn none() -> ScriptedHttp {
    ScriptedHttp::new().get_with(&["FROM UserLicense"], rows(&[]))
}

fn rows_of(all: &[&str]) -> Scripted {
    rows(&all.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>())
}

fn said<'a>(pool: &'a Pool, name: &str) -> Option<&'a str> {
    let found = pool.attributes.iter().find(|a| a.name == name)?;
    Some(found.value.as_str())
}

#[test]
fn permission_set_licences_packages_features_and_entitlements_are_pools() {
    let http = none()
        .get_with(
            &["FROM PermissionSetLicense ORDER BY Id"],
            rows_of(&[
                "{\"Id\":\"0PL000000000001AAA\",\"DeveloperName\":\"SalesUserPsl\",\"MasterLabel\":\"Sales User\",\"Status\":\"Active\",\"TotalLicenses\":20,\"UsedLicenses\":7,\"ExpirationDate\":\"2027-01-31\"}",
                "{\"Id\":\"0PL000000000002AAA\",\"Status\":\"Disabled\",\"TotalLicenses\":0,\"UsedLicenses\":0,\"ExpirationDate\":null}",
            ]),
        )
        .get_with(
            &["FROM PackageLicense"],
            rows_of(&[
                "{\"Id\":\"050000000000001AAA\",\"NamespacePrefix\":\"cpq\",\"Status\":\"Active\",\"AllowedLicenses\":-1,\"UsedLicenses\":3}",
                "{\"Id\":\"050000000000002AAA\",\"NamespacePrefix\":\"old\",\"Status\":\"Expired\",\"AllowedLicenses\":5,\"UsedLicenses\":5,\"ExpirationDate\":\"2026-01-31T00:00:00.000+0000\"}",
            ]),
        )
        .get_with(
            &["FROM ActiveFeatureLicenseMetric"],
            rows_of(&[
                "{\"FeatureType\":\"SupportUser\",\"TotalLicenseCount\":9,\"AssignedUserCount\":4,\"ActiveUserCount\":2,\"MetricsDate\":\"2026-03-30\"}",
                "{\"FeatureType\":\"SupportUser\",\"TotalLicenseCount\":9,\"AssignedUserCount\":1,\"ActiveUserCount\":1,\"MetricsDate\":\"2026-03-01\"}",
                "{\"FeatureType\":\"MarketingUser\",\"TotalLicenseCount\":null,\"AssignedUserCount\":null}",
            ]),
        )
        .get_with(
            &["FROM TenantUsageEntitlement"],
            rows_of(&[
                "{\"Setting\":\"API Request Limit per Month\",\"CurrentAmountAllowed\":3000000.0,\"AmountUsed\":1200000.4,\"Frequency\":\"Monthly\",\"StartDate\":\"2026-01-01\",\"EndDate\":\"2026-12-31\"}",
                "{\"Setting\":\"API Request Limit per Month\",\"CurrentAmountAllowed\":1.0,\"AmountUsed\":1.0,\"Frequency\":\"Monthly\",\"StartDate\":\"2025-01-01\",\"EndDate\":\"2025-12-31\"}",
                "{\"Setting\":\"Data Streams\",\"CurrentAmountAllowed\":-1,\"AmountUsed\":null,\"Frequency\":\"Yearly\",\"StartDate\":\"2026-01-01\",\"EndDate\":\"2026-12-31\"}",
            ]),
        )
        .get_with(
            &["MonthlyPageViewsEntitlement"],
            rows_of(&["{\"MonthlyPageViewsEntitlement\":500000,\"MonthlyPageViewsUsed\":12}"]),
        );
    let pools = rest(http, "{}");
    let brief: Vec<_> = pools
        .iter()
        .map(|p| (p.identifier.as_str(), p.owned, p.used, p.active))
        .collect();
    assert_eq!(
        brief,
        [
            ("psl:SalesUserPsl", Some(20), Some(7), true),
            ("psl:0PL000000000002AAA", Some(0), Some(0), false),
            ("package:cpq", None, Some(3), true),
            ("package:old", Some(5), Some(5), false),
            ("feature:MarketingUser", None, None, true),
            ("feature:SupportUser", Some(9), Some(4), true),
            (
                "entitlement:API Request Limit per Month",
                Some(3_000_000),
                Some(1_200_000),
                true
            ),
            ("entitlement:Data Streams", None, None, true),
            (
                "entitlement:MonthlyPageViews",
                Some(500_000),
                Some(12),
                true
            ),
        ]
    );
    let month = Some(("2026-03-01".to_owned(), "2026-03-31".to_owned()));
    assert_eq!(pools[0].expires.as_deref(), Some("2027-01-31"));
    assert_eq!(said(&pools[2], "unlimited"), Some("true"));
    assert_eq!(pools[3].expires.as_deref(), Some("2026-01-31"));
    assert_eq!(said(&pools[5], "logged_in_within_30_days"), Some("2"));
    assert_eq!((pools[6].metric, &pools[6].period), (Metric::Units, &month));
    assert_eq!(said(&pools[7], "used"), Some("not reported"));
    assert_eq!(
        pools[7].period,
        Some(("2026-01-01".to_owned(), "2026-12-31".to_owned()))
    );
}

#[test]
fn a_kind_that_cannot_be_read_is_left_out_and_the_rest_goes_on() {
    let absent = || error(400, "INVALID_TYPE", "not supported");
    let http = none()
        .get_with(&["FROM PermissionSetLicense"], absent())
        .get_with(
            &["FROM PackageLicense"],
            rows_of(&["{\"Id\":\"050000000000001AAA\",\"NamespacePrefix\":\"cpq\"}"]),
        )
        .get_with(&["FROM ActiveFeatureLicenseMetric"], absent())
        .get_with(&["FROM TenantUsageEntitlement"], absent());
    let pools = rest(http, "{}");
    assert_eq!(pools.len(), 1);
    assert_eq!(pools[0].identifier, "package:cpq");
    // Left alone by the settings, a kind costs no call.
    let http = none().get_with(&["FROM TenantUsageEntitlement"], absent());
    assert!(rest(http, "{\"licence_kinds\":[]}").is_empty());
}

#[test]
fn a_spent_limit_on_a_later_page_is_no_missing_right() {
    let bench = bench(none().get_with(
        &["FROM PermissionSetLicense"],
        error(
            403,
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
        ),
    ))
    .settings("{}");
    let next = Salesforce::download_consumption(&bench.call(), None)
        .unwrap()
        .next;
    let failure = Salesforce::download_consumption(&bench.call(), next.as_deref()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Quota);
    let failure = Salesforce::download_consumption(&bench.call(), Some(&[1, 9])).unwrap_err();
    assert_eq!(failure.code, "cursor_damaged");
}
