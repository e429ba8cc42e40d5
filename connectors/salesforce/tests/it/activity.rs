//! Login history and edits of records.

use std::collections::BTreeMap;

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind,
    activity::{ActivityDay, Kind, Outcome, Outline, Page},
    testkit::{Bench, Scripted, ScriptedHttp, decode},
};

use crate::{bench, count, cursors::NEXT, describe, error, id, page, rows};

const LOGINS: &str = "{\"activity_source\":\"login_history\"}";
const EDITS: &str = "{\"object_edits\":true}";
/// Two days before the bench's now, which is 2026-03-31T00:00:00Z.
const SINCE: i64 = 1_774_742_400_000;

fn groupable(names: &[&str]) -> Scripted {
    let fields: Vec<String> = names
        .iter()
        .map(|name| format!("{{\"name\":{name:?},\"filterable\":true,\"groupable\":true}}"))
        .collect();
    Scripted::json(200, format!("{{\"fields\":[{}]}}", fields.join(",")))
}

fn may_see_all(http: ScriptedHttp) -> ScriptedHttp {
    http.get_with(
        &["UserPermissionAccess/describe"],
        describe(&["PermissionsManageUsers"]),
    )
    .get_with(
        &["FROM UserPermissionAccess"],
        rows(&["{\"PermissionsManageUsers\":true}".to_owned()]),
    )
}

fn with_groups() -> ScriptedHttp {
    with_logins_of_a_week(count(7 * 9_000)).get_with(
        &["LoginTime >= 2026-03-30T00:00:00Z AND LoginTime < 2026-03-31T00:00:00Z GROUP BY"],
        sample(1_000, 9),
    )
}

/// So many groups of so many logins each.
fn sample(groups: u32, each: u32) -> Scripted {
    let group = |number| {
        group(
            &quoted(number),
            "Application",
            "Success",
            each,
            "2026-03-30T08:00:00",
        )
    };
    rows(&(0..groups).map(group).collect::<Vec<_>>())
}

fn with_logins_of_a_week(answer: Scripted) -> ScriptedHttp {
    may_see_all(ScriptedHttp::new().get_with(
        &["LoginHistory/describe"],
        groupable(&["UserId", "LoginType", "Status"]),
    ))
    .get_with(
        &["SELECT COUNT() FROM LoginHistory WHERE LoginTime >= 2026-03-24T00:00:00Z"],
        answer,
    )
}

#[test]
fn counting_is_left_to_salesforce_where_it_takes_fewer_calls() {
    let timeout = || {
        error(
            400,
            "QUERY_TIMEOUT",
            "Your query request was running for too long.",
        )
    };
    // Logins a day, what one group of them stands for, the way that is taken.
    for (a_day, sampled, way) in [
        (0, None, "ORDER BY Id"),
        (2_000, None, "ORDER BY Id"),
        // One call for the groups, five for the rows.
        (9_000, Some(sample(1_000, 9)), "GROUP BY"),
        // As many groups as rows: five calls either way, and rows say more.
        (9_000, Some(sample(2_000, 1)), "ORDER BY Id"),
        (9_000, Some(timeout()), "GROUP BY"),
    ] {
        let http = with_logins_of_a_week(count(7 * a_day));
        let http = match sampled {
            Some(sampled) => http.get_with(&["GROUP BY"], sampled),
            None => http,
        };
        let chain = begin(http, LOGINS, SINCE).chains.remove(0);
        pull(ScriptedHttp::new().get_with(&[way], rows(&[])), &chain);
    }
    let chain = begin(with_logins_of_a_week(timeout()), LOGINS, SINCE)
        .chains
        .remove(0);
    pull(
        ScriptedHttp::new().get_with(&["GROUP BY"], rows(&[])),
        &chain,
    );
}

fn with_rows() -> ScriptedHttp {
    may_see_all(ScriptedHttp::new().get_with(&["LoginHistory/describe"], describe(&["UserId"])))
}

fn begin(http: ScriptedHttp, settings: &str, since: i64) -> Outline {
    Salesforce::begin_activity(&bench(http).settings(settings).call(), since).unwrap()
}

fn pull(http: ScriptedHttp, at: &[u8]) -> Page {
    Salesforce::pull_user_activity(&bench(http).call(), at).unwrap()
}

fn group(user: &str, kind: &str, status: &str, count: u32, newest: &str) -> String {
    format!(
        "{{\"attributes\":{{\"type\":\"AggregateResult\"}},\"UserId\":{user},\"LoginType\":{kind:?},\"Status\":{status:?},\
         \"expr0\":{count},\"expr1\":\"{newest}.000+0000\"}}"
    )
}

fn quoted(number: u32) -> String {
    format!("{:?}", id(number))
}

#[test]
fn logins_are_counted_by_salesforce_one_day_a_query() {
    let outline = begin(with_groups(), LOGINS, SINCE);
    assert_eq!(outline.complete_from, Some(SINCE));
    assert_eq!(outline.chains.len(), 1);
    let http = ScriptedHttp::new().get_with(
        &[
            "SELECT UserId, LoginType, Status, COUNT(Id), MAX(LoginTime) FROM LoginHistory \
             WHERE LoginTime >= 2026-03-29T00:00:00Z AND LoginTime < 2026-03-30T00:00:00Z \
             GROUP BY UserId, LoginType, Status ORDER BY UserId LIMIT 2000",
        ],
        rows(&[
            group(
                "null",
                "Application",
                "Invalid Password",
                5,
                "2026-03-29T08:00:00",
            ),
            group(
                &quoted(1),
                "Application",
                "Success",
                3,
                "2026-03-29T17:00:00",
            ),
            group(
                &quoted(1),
                "SAML Idp Initiated SSO",
                "Success",
                1,
                "2026-03-29T18:00:00",
            ),
            group(
                &quoted(1),
                "Application",
                "Invalid Password",
                2,
                "2026-03-29T07:00:00",
            ),
            group(
                &quoted(2),
                "Remote Access 2.0",
                "Success",
                40,
                "2026-03-29T23:59:59",
            ),
        ]),
    );
    let first = pull(http, &outline.chains[0]);
    let brief = |days: &[ActivityDay]| -> Vec<(String, String, Kind, Outcome, u32, i64)> {
        days.iter()
            .map(|d| {
                (
                    d.account.clone(),
                    d.day.clone(),
                    d.kind,
                    d.outcome,
                    d.count,
                    d.last,
                )
            })
            .collect()
    };
    let day = "2026-03-29".to_owned();
    assert_eq!(
        brief(&first.days),
        [
            (
                id(1),
                day.clone(),
                Kind::Interactive,
                Outcome::Success,
                4,
                SINCE + 64_800_000
            ),
            (
                id(1),
                day.clone(),
                Kind::Interactive,
                Outcome::Failed,
                2,
                SINCE + 25_200_000
            ),
            (
                id(2),
                day,
                Kind::Api,
                Outcome::Success,
                40,
                SINCE + 86_399_000
            ),
        ]
    );
    assert!(first.days.iter().all(|day| day.source == "LoginHistory"));
    let second = pull(
        ScriptedHttp::new().get_with(
            &["LoginTime >= 2026-03-30T00:00:00Z AND LoginTime < 2026-03-31T00:00:00Z"],
            rows(&[]),
        ),
        &first.next.unwrap(),
    );
    assert!(second.next.is_none() && second.days.is_empty());
}

#[test]
fn the_account_that_a_full_answer_cuts_is_read_again_whole() {
    let mut groups: Vec<String> = (0..1999)
        .map(|number| {
            group(
                &quoted(number),
                "Application",
                "Success",
                1,
                "2026-03-29T08:00:00",
            )
        })
        .collect();
    // The first of perhaps several groups of this account.
    groups.push(group(
        &quoted(1999),
        "Application",
        "Success",
        1,
        "2026-03-29T08:00:00",
    ));
    let chain = begin(with_groups(), LOGINS, SINCE).chains.remove(0);
    let first = pull(
        ScriptedHttp::new().get_with(&["LoginHistory"], rows(&groups)),
        &chain,
    );
    assert_eq!(first.days.len(), 1999);
    let http = ScriptedHttp::new().get_with(
        &[
            "LoginTime < 2026-03-30T00:00:00Z",
            &format!("AND UserId > '{}' GROUP BY", id(1998)),
        ],
        rows(&[
            group(
                &quoted(1999),
                "Application",
                "Success",
                1,
                "2026-03-29T08:00:00",
            ),
            group(
                &quoted(1999),
                "Remote Access 2.0",
                "Success",
                7,
                "2026-03-29T08:00:00",
            ),
        ]),
    );
    let second = pull(http, &first.next.unwrap());
    assert_eq!(second.days.len(), 2);
}

#[test]
fn where_logins_cannot_be_grouped_rows_are_read_in_windows_of_a_week() {
    let outline = begin(with_rows(), LOGINS, SINCE);
    let login = |number: u32, user: u32, at: &str| {
        format!(
            "{{\"Id\":\"0Ya00000000000{number}AAA\",\"UserId\":{:?},\"LoginTime\":\"{at}.000+0000\",\"LoginType\":\"Application\",\"Status\":\"Success\"}}",
            id(user)
        )
    };
    let http = ScriptedHttp::new().get_with(
        &[
            "SELECT Id, UserId, LoginTime, LoginType, Status FROM LoginHistory",
            "LoginTime >= 2026-03-29T00:00:00Z AND LoginTime < 2026-03-31T00:00:00Z ORDER BY Id",
        ],
        page(
            5,
            Some(NEXT),
            &[
                login(1, 1, "2026-03-29T08:00:00"),
                login(2, 1, "2026-03-29T09:00:00"),
                login(3, 1, "2026-03-30T09:00:00"),
            ],
        ),
    );
    let first = pull(http, &outline.chains[0]);
    let counts: BTreeMap<_, _> = first
        .days
        .iter()
        .map(|d| (d.day.as_str(), d.count))
        .collect();
    assert_eq!(
        counts,
        BTreeMap::from([("2026-03-29", 2), ("2026-03-30", 1)])
    );
    // A cursor that was dropped goes on after the last row, in the same window.
    let http = ScriptedHttp::new()
        .get(
            NEXT,
            error(400, "INVALID_QUERY_LOCATOR", "invalid query locator"),
        )
        .get_with(
            &["LoginTime < 2026-03-31T00:00:00Z AND Id > '0Ya000000000003AAA' ORDER BY Id"],
            rows(&[login(4, 2, "2026-03-29T08:00:00")]),
        );
    let second = pull(http, &first.next.unwrap());
    assert_eq!((second.days.len(), second.next), (1, None));
}

#[test]
fn a_query_that_takes_too_long_is_asked_again_for_half_the_time() {
    let timeout = || {
        error(
            400,
            "QUERY_TIMEOUT",
            "Your query request was running for too long.",
        )
    };
    let chain = begin(with_rows(), LOGINS, SINCE).chains.remove(0);
    let first = pull(
        ScriptedHttp::new().get_with(&["LoginHistory"], timeout()),
        &chain,
    );
    assert!(first.days.is_empty());
    let http = ScriptedHttp::new().get_with(
        &["LoginTime >= 2026-03-29T00:00:00Z AND LoginTime < 2026-03-30T00:00:00Z"],
        rows(&[]),
    );
    let second = pull(http, &first.next.unwrap());
    // The second half is read too.
    let http = ScriptedHttp::new().get_with(
        &["LoginTime >= 2026-03-30T00:00:00Z AND LoginTime < 2026-03-31T00:00:00Z"],
        rows(&[]),
    );
    assert!(pull(http, &second.next.unwrap()).next.is_none());
    // In the middle of a window nothing may be narrowed: it is tried again as it is.
    let begun = pull(
        ScriptedHttp::new().get_with(
            &["LoginHistory"],
            page(
                9,
                Some(NEXT),
                &["{\"Id\":\"0Ya000000000001AAA\"}".to_owned()],
            ),
        ),
        &chain,
    );
    let bench = bench(ScriptedHttp::new().get(NEXT, timeout()));
    let failure = Salesforce::pull_user_activity(&bench.call(), &begun.next.unwrap()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Transient);
}

#[test]
fn six_months_is_the_wall_and_longer_times_are_several_chains() {
    let outline = begin(with_groups(), LOGINS, 0);
    let wall = 1_774_915_200_000 - 180 * 86_400_000;
    assert_eq!(outline.complete_from, Some(wall));
    assert_eq!(outline.chains.len(), 6);
    assert!(outline.chains.iter().all(|chain| chain.len() < 64));
    // Begin of a day, whatever the moment that the host names.
    assert_eq!(
        begin(with_groups(), LOGINS, SINCE + 5_000_000).complete_from,
        Some(SINCE)
    );
}

#[test]
fn a_missing_right_is_said_and_activity_goes_on_without_the_history() {
    let absent = ScriptedHttp::new().get_with(&["LoginHistory"], error(404, "NOT_FOUND", "no"));
    let own_only = ScriptedHttp::new()
        .get_with(&["LoginHistory/describe"], groupable(&["UserId"]))
        .get_with(
            &["UserPermissionAccess/describe"],
            describe(&["PermissionsManageUsers", "PermissionsMonitorLoginHistory"]),
        )
        .get_with(
            &["FROM UserPermissionAccess"],
            rows(&[
                "{\"PermissionsManageUsers\":false,\"PermissionsMonitorLoginHistory\":false}"
                    .to_owned(),
            ]),
        );
    for http in [absent, own_only] {
        let bench: Bench = bench(http).settings(LOGINS);
        let outline = Salesforce::begin_activity(&bench.call(), SINCE).unwrap();
        assert!(outline.chains.is_empty() && outline.complete_from.is_none());
        assert!(
            bench
                .log
                .messages()
                .iter()
                .any(|said| said.contains("going on without")),
            "{:?}",
            bench.log.messages()
        );
    }
}

#[test]
fn edits_are_counted_by_their_editor_and_are_no_logins() {
    let editable = || groupable(&["LastModifiedById", "LastModifiedDate"]);
    let http = ScriptedHttp::new()
        .get_with(&["sobjects/Account/describe"], editable())
        .get_with(&["sobjects/Opportunity/describe"], editable())
        .get_with(&["sobjects/Case/describe"], error(404, "NOT_FOUND", "no"))
        .get_with(&["sobjects/Lead/describe"], describe(&["LastModifiedById"]));
    let outline = begin(http, EDITS, SINCE);
    assert_eq!((outline.chains.len(), outline.complete_from), (2, None));
    let http = ScriptedHttp::new().get_with(
        &[
            "SELECT LastModifiedById, COUNT(Id), MAX(LastModifiedDate) FROM Opportunity WHERE \
             LastModifiedDate >= 2026-03-29T00:00:00Z AND LastModifiedDate < 2026-03-30T00:00:00Z \
             GROUP BY LastModifiedById ORDER BY LastModifiedById LIMIT 2000",
        ],
        rows(&[format!(
            "{{\"LastModifiedById\":{},\"expr0\":12,\"expr1\":\"2026-03-29T10:00:00.000+0000\"}}",
            quoted(3)
        )]),
    );
    let page = pull(http, &outline.chains[1]);
    assert_eq!(page.days.len(), 1);
    let day = &page.days[0];
    assert_eq!(
        (
            day.account.as_str(),
            day.kind,
            day.outcome,
            day.count,
            day.source.as_str()
        ),
        (
            id(3).as_str(),
            Kind::Other,
            Outcome::Success,
            12,
            "edits of Opportunity"
        )
    );
    // A right that is lost on the way ends this chain and no other.
    let bench =
        bench(ScriptedHttp::new().get_with(&["FROM Account"], error(400, "INVALID_TYPE", "no")));
    let page = Salesforce::pull_user_activity(&bench.call(), &outline.chains[0]).unwrap();
    assert!(page.days.is_empty() && page.next.is_none());
}

#[test]
fn only_filterable_columns_of_the_login_history_stand_in_a_where() {
    for begun in [with_groups(), with_rows()] {
        let chain = begin(begun, LOGINS, SINCE).chains.remove(0);
        let bench = bench(ScriptedHttp::new().get_with(&["LoginHistory"], rows(&[])));
        Salesforce::pull_user_activity(&bench.call(), &chain).unwrap();
        let query = decode(&bench.http.seen()[0].path_with_query);
        let filter = query.split(" WHERE ").nth(1).unwrap();
        let filter = filter.split(" GROUP BY ").next().unwrap();
        for column in ["Status", "Application", "Browser", "Platform", "ApiType"] {
            assert!(!filter.contains(column), "{filter}");
        }
    }
}
