//! What the vendor counts.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind,
    consumption::{Metric, Page},
    testkit::{Bench, ScriptedHttp},
};

use crate::{COLUMNS, bench, describe, error, memo_from, rows, userinfo, versions};

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
    assert!(page.next.is_none());
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
fn monthly_logins_are_asked_for_only_where_described() {
    let columns = [
        "Id",
        "LicenseDefinitionKey",
        "MonthlyLoginsEntitlement",
        "MonthlyLoginsUsed",
    ];
    let memo = memo_from(
        ScriptedHttp::new()
            .get("/services/data/", versions(&["62.0"]))
            .get(
                "/services/data/v62.0/sobjects/User/describe",
                describe(&COLUMNS),
            )
            .get(
                "/services/data/v62.0/sobjects/UserLogin/describe",
                describe(&["Id"]),
            )
            .get(
                "/services/data/v62.0/sobjects/UserLicense/describe",
                describe(&columns),
            )
            .get("/services/oauth2/userinfo", userinfo()),
    );
    let rows = rows(&[
        licence(
            "PID_Customer_Community_Login",
            "CCL",
            ",\"TotalLicenses\":50,\"MonthlyLoginsEntitlement\":1000,\"MonthlyLoginsUsed\":1240",
        ),
        licence(
            "SFDC",
            "S",
            ",\"TotalLicenses\":5,\"UsedLicenses\":2,\"MonthlyLoginsEntitlement\":null",
        ),
    ]);
    let bench1 = Bench::new(ScriptedHttp::new().get_with(
        &["MonthlyLoginsEntitlement, MonthlyLoginsUsed FROM UserLicense"],
        rows,
    ))
    .memo(memo);
    let page = Salesforce::download_consumption(&bench1.call(), None).unwrap();
    let logins = &page.pools[0];
    assert_eq!(
        (logins.metric, logins.owned, logins.used),
        (Metric::Logins, Some(1000), Some(1240))
    );
    assert_eq!(
        logins.period,
        Some(("2026-03-01".to_owned(), "2026-03-31".to_owned()))
    );
    assert_eq!(page.pools[1].metric, Metric::Seats);

    let bench2 = bench(ScriptedHttp::new().get_with(&["FROM UserLicense"], crate::rows(&[])));
    Salesforce::download_consumption(&bench2.call(), None).unwrap();
    assert!(!bench2.http.seen_paths()[0].contains("MonthlyLogins"));
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
