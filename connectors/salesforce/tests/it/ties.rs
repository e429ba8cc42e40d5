//! What a plan says before somebody is deactivated: what the org leans on the person for, and what stays with them.

use seatwise_connector_sdk::{FailureKind, reclaim::Plan};

use crate::{
    error, id, login,
    reclaim::{codes, target},
    rows,
    shelf::Shelf,
    user,
};

fn one() -> Shelf {
    Shelf::shows(&[user(1, &[])], &[login(1, false)])
}

fn plan(shelf: &Shelf) -> Plan {
    shelf.plan(target(1, "deactivate"))
}

fn grouped(column: &str, count: u64) -> String {
    format!(
        "{{\"attributes\":{{\"type\":\"AggregateResult\"}},{column:?}:{:?},\"expr0\":{count}}}",
        id(1)
    )
}

fn says(plan: &Plan, start: &str) -> String {
    plan.consequences
        .iter()
        .find(|text| text.starts_with(start))
        .unwrap_or_else(|| panic!("{start:?} is not among {:?}", plan.consequences))
        .clone()
}

#[test]
fn somebody_whom_scheduled_jobs_run_as_is_blocked() {
    let job = |name: &str, state: &str| {
        format!(
            "{{\"Id\":\"08e000000000001AAA\",\"OwnerId\":{:?},\"State\":{state:?},\"CronJobDetail\":{{\"Name\":{name:?}}}}}",
            id(1)
        )
    };
    let ended = one().with(
        "FROM CronTrigger",
        rows(&[job("Old", "COMPLETE"), job("Gone", "DELETED")]),
    );
    assert_eq!(codes(&plan(&ended)), Vec::<&str>::new());
    let running = one().with(
        "FROM CronTrigger WHERE OwnerId IN (",
        rows(&[job("Nightly", "WAITING"), job("Old", "COMPLETE")]),
    );
    let plan = plan(&running);
    assert_eq!(codes(&plan), ["scheduled_jobs"]);
    assert!(plan.blockers[0].message.ends_with(": Nightly"));
    assert!(plan.steps.is_empty() && plan.frees.is_empty());
}

#[test]
fn the_owner_of_portal_accounts_with_active_users_is_blocked() {
    let owner = || {
        one().holds(
            "FROM Account WHERE (IsPartner = true OR IsCustomerPortal = true)",
            &[&grouped("OwnerId", 3)],
        )
    };
    let with_users = owner().holds(
        "SELECT Account.OwnerId, COUNT(Id) FROM User",
        &[&grouped("OwnerId", 2)],
    );
    assert_eq!(codes(&plan(&with_users)), ["portal_account_owner"]);
    let without_users = owner();
    assert_eq!(codes(&plan(&without_users)), Vec::<&str>::new());
    // Who owns none is not asked about: without portals the column does not exist.
    let nobody = one();
    plan(&nobody);
    assert!(
        !nobody
            .asked()
            .iter()
            .any(|asked| asked.contains("Account.OwnerId"))
    );
}

#[test]
fn what_waits_for_the_person_is_said_with_round_counts() {
    let shelf = one()
        .holds("FROM ProcessInstanceWorkitem", &[&grouped("ActorId", 3)])
        .holds(
            "FROM User WHERE IsActive = true AND DelegatedApproverId",
            &[&grouped("DelegatedApproverId", 1)],
        )
        .holds(
            "FROM User WHERE IsActive = true AND ManagerId",
            &[&grouped("ManagerId", 12)],
        )
        .holds(
            "FROM Case WHERE IsClosed = false",
            &[&grouped("OwnerId", 57)],
        )
        .holds(
            "FROM Opportunity WHERE IsClosed = false",
            &[&grouped("OwnerId", 2)],
        )
        .holds(
            "FROM Account WHERE OwnerId IN",
            &[&grouped("OwnerId", 1234)],
        )
        .holds(
            "FROM Dashboard",
            &[&format!(
                "{{\"Id\":\"01Z000000000001AAA\",\"RunningUserId\":{:?},\"Title\":\"Pipeline\"}}",
                id(1)
            )],
        );
    let plan = plan(&shelf);
    assert_eq!(codes(&plan), Vec::<&str>::new());
    assert!(says(&plan, "Approval requests wait").ends_with(": 3"));
    assert!(says(&plan, "Active users name this person as delegated approver").ends_with(": 1"));
    assert!(says(&plan, "Active users whose manager this person is").ends_with(": at least 10"));
    assert!(says(&plan, "Dashboards run as this person").ends_with(": Pipeline"));
    assert_eq!(
        says(&plan, "The person owns"),
        "The person owns at least 50 open cases, 2 open opportunities, at least 1000 accounts; somebody must take them over"
    );
}

#[test]
fn a_record_more_or_less_is_still_the_plan_that_was_approved() {
    let with = |cases: u64| {
        plan(&one().holds(
            "FROM Case WHERE IsClosed = false",
            &[&grouped("OwnerId", cases)],
        ))
    };
    assert_eq!(with(57), with(58));
    assert_ne!(with(1), with(0));
}

#[test]
fn what_stays_with_an_inactive_user_is_named() {
    let shelf = Shelf::shows(&[user(1, &["UserPermissionsSupportUser=true"])], &[login(1, false)])
        .holds("FROM PermissionSetLicense ", &["{\"Id\":\"0PL000000000001AAA\",\"DeveloperName\":\"SalesUserPsl\"}"])
        .holds(
            "FROM PermissionSetLicenseAssign",
            &[&format!("{{\"Id\":\"2LA000000000001AAA\",\"AssigneeId\":{:?},\"PermissionSetLicenseId\":\"0PL000000000001AAA\"}}", id(1))],
        )
        .holds("FROM PackageLicense", &["{\"Id\":\"050000000000001AAA\",\"NamespacePrefix\":\"SBQQ\",\"AllowedLicenses\":5,\"UsedLicenses\":1}"])
        .holds(
            "FROM UserPackageLicense",
            &[&format!("{{\"Id\":\"051000000000001AAA\",\"UserId\":{:?},\"PackageLicenseId\":\"050000000000001AAA\"}}", id(1))],
        )
        .holds(
            "FROM GroupMember",
            &[
                &format!("{{\"Id\":\"011000000000001AAA\",\"UserOrGroupId\":{:?},\"GroupId\":\"00G000000000001AAA\",\"Group\":{{\"Name\":\"Tier 1\",\"Type\":\"Queue\"}}}}", id(1)),
                &format!("{{\"Id\":\"011000000000002AAA\",\"UserOrGroupId\":{:?},\"GroupId\":\"00G000000000002AAA\",\"Group\":{{\"Name\":\"Berlin\",\"Type\":\"Regular\"}}}}", id(1)),
            ],
        );
    let plan = plan(&shelf);
    assert_eq!(
        plan.frees,
        ["SFDC"],
        "an inactive user's other licences are not known to be free"
    );
    assert!(says(&plan, "Permission-set licences stay").ends_with(": SalesUserPsl"));
    assert!(says(&plan, "Package seats stay").ends_with(": SBQQ"));
    assert!(says(&plan, "Features stay").ends_with(": SupportUser"));
    assert!(says(&plan, "The person is in these queues").ends_with(": Tier 1"));
    assert!(says(&plan, "The person is in these groups").ends_with(": Berlin"));
}

#[test]
fn what_the_rights_hide_is_said_and_never_taken_for_nothing() {
    let hidden = || error(400, "INVALID_TYPE", "sObject type is not supported.");
    let objects = [
        (
            "FROM CronTrigger",
            "Whether scheduled jobs run as this person",
        ),
        ("FROM Dashboard", "Whether dashboards run as this person"),
        (
            "FROM ProcessInstanceWorkitem",
            "Whether approval requests wait for this person",
        ),
        (
            "AND DelegatedApproverId",
            "Whether others name this person as delegated approver",
        ),
        (
            "AND ManagerId",
            "Whether others name this person as manager",
        ),
        (
            "(IsPartner = true",
            "Whether the person owns accounts with active portal users",
        ),
        ("FROM Case", "How many open cases the person owns"),
        ("FROM Lead", "How many open leads the person owns"),
        (
            "FROM PermissionSetLicenseAssign",
            "Which permission-set licences stay assigned to the person",
        ),
        (
            "FROM UserPackageLicense",
            "Which package seats stay assigned to the person",
        ),
        (
            "FROM GroupMember",
            "Which queues and groups the person is in",
        ),
        (
            "FROM PermissionSetAssignment",
            "Which permission sets the person has; an undo cannot give them back",
        ),
    ];
    for (object, says) in objects {
        let seen = plan(&one());
        assert!(!seen.unchecked.contains(&says.to_owned()), "{says}");
        let unseen = plan(&one().with(object, hidden()));
        assert!(unseen.unchecked.contains(&says.to_owned()), "{says}");
        assert_eq!(unseen.steps.len(), 1, "{object}");
    }
    let two = plan(
        &one()
            .with("FROM Case", hidden())
            .with("FROM Task", hidden()),
    );
    assert!(
        two.unchecked
            .contains(&"How many open cases, open tasks the person owns".to_owned())
    );
}

#[test]
fn a_count_that_may_be_too_low_is_said() {
    let hidden = |shelf: &Shelf| {
        plan(shelf)
            .unchecked
            .iter()
            .any(|it| it.contains("no View All Data"))
    };
    let rights = |has: bool| {
        one().holds(
            "FROM UserPermissionAccess",
            &[&format!("{{\"PermissionsViewAllData\":{has}}}")],
        )
    };
    assert!(!hidden(&rights(true)));
    assert!(hidden(&rights(false)));
    assert!(hidden(&one().with(
        "FROM UserPermissionAccess",
        error(400, "INVALID_FIELD", "No such column")
    )));
}

#[test]
fn what_may_pass_by_itself_gives_no_plan() {
    for (answer, kind) in [
        (
            error(
                400,
                "QUERY_TIMEOUT",
                "Your query request was running for too long.",
            ),
            FailureKind::Transient,
        ),
        (
            error(
                403,
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
            ),
            FailureKind::Quota,
        ),
        (
            error(403, "API_DISABLED_FOR_ORG", "The REST API is not enabled."),
            FailureKind::Permission,
        ),
    ] {
        let shelf = one().with("FROM Case", answer);
        let bench = crate::bench(seatwise_connector_sdk::testkit::ScriptedHttp::new());
        let call = seatwise_connector_sdk::Call::new(&bench.ctx, &shelf, &bench.log);
        let failure = <seatwise_connector_salesforce::Salesforce as seatwise_connector_sdk::Connector>::plan_reclaim(
            &call,
            &[target(1, "deactivate")],
        )
        .unwrap_err();
        assert_eq!(failure.kind, kind);
    }
}

#[test]
fn two_hundred_people_are_looked_at_with_one_query_of_each_kind() {
    let users: Vec<String> = (1..=200).map(|number| user(number, &[])).collect();
    let shelf = Shelf::shows(&users, &[]);
    let targets: Vec<_> = (1..=200)
        .map(|number| target(number, "deactivate"))
        .collect();
    let plans = shelf.plans(&targets);
    assert_eq!(plans.len(), 200);
    assert!(
        plans
            .iter()
            .all(|plan| plan.as_ref().unwrap().steps.len() == 1)
    );
    assert!(shelf.asked().len() <= 25, "{}", shelf.asked().len());
}
