//! Each action on a running practice org, and its undo: what the org holds afterwards is what it held before, but for what
//! the plan names: ids and days of assignments, and the stamps of change.

use std::collections::BTreeMap;

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector,
    reclaim::{Judgement, Plan, State, Target},
};
use seatwise_practice_org_salesforce::{
    Group, Licence, OrgSpec, Package, PermissionSet, PermissionSetGroup, PermissionSetLicence,
    Person, Profile, Role, worked_example::T0_MS,
};
use serde_json::Value;

use crate::link::Link;

/// Somebody who holds a bit of everything.
pub const EVE: &str = "eve@full.example";
/// Eve's manager, and the other administrator's colleague.
pub const ADA: &str = "ada@full.example";

/// An org with every kind of licence, and one free seat of each.
pub fn spec() -> OrgSpec {
    let mut spec = OrgSpec::new("00D7r0000000001EAA", "Full", "full.my.salesforce.com");
    spec.communities = true;
    spec.licences
        .push(Licence::new("PID_CHATTER", "Chatter Only", 5));
    spec.profiles
        .push(Profile::new("Chatter Only User", "PID_CHATTER", "CsnOnly"));
    spec.permission_set_licences = vec![
        PermissionSetLicence::new("SalesUserPsl", "Sales User", 2),
        PermissionSetLicence::new("ServiceUserPsl", "Service User", 2),
    ];
    spec.permission_sets = vec![
        PermissionSet::new("Sales_Extra", "Sales Extra", Some("SalesUserPsl")),
        PermissionSet::new("Service_Extra", "Service Extra", Some("ServiceUserPsl")),
        PermissionSet::new("Plain", "Plain", None),
        PermissionSet::new("Full_Only", "Full Only", Some("SFDC")),
    ];
    spec.permission_set_groups = vec![PermissionSetGroup {
        developer_name: "Sellers".to_owned(),
        label: "Sellers".to_owned(),
        permission_sets: vec!["Sales_Extra".to_owned(), "Plain".to_owned()],
    }];
    spec.packages = vec![Package::new("SBQQ", 2)];
    spec.features = BTreeMap::from([("SupportUser".to_owned(), 2)]);
    spec.groups = vec![Group::queue("Tier 1", &["Case"]), Group::public("Berlin")];
    spec.roles = vec![Role {
        name: "Sales".to_owned(),
        parent: None,
    }];
    spec.people
        .push(Person::new("Ada", "Admin", ADA, "System Administrator"));
    let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    spec.people.push(Person {
        role: Some("Sales".to_owned()),
        manager: Some(ADA.to_owned()),
        features: strings(&["SupportUser"]),
        permission_set_licences: strings(&["SalesUserPsl", "ServiceUserPsl"]),
        permission_sets: strings(&["Service_Extra", "Plain"]),
        permission_set_groups: strings(&["Sellers"]),
        packages: strings(&["SBQQ"]),
        groups: strings(&["Tier 1", "Berlin"]),
        ..Person::new("Eve", "Everything", EVE, "Standard User")
    });
    spec
}

/// Ada, an administrator, stays; the integration user is left out of everything here.
pub fn link(spec: OrgSpec) -> Link {
    Link::to(spec, T0_MS)
}

pub fn target(spec: &OrgSpec, username: &str, action: &str, identifier: &str) -> Target {
    Target {
        account: spec.user_id_of(username).unwrap(),
        identifier: identifier.to_owned(),
        action: action.to_owned(),
        to: None,
    }
}

pub fn plan(link: &Link, target: &Target) -> Plan {
    Salesforce::plan_reclaim(&link.call(), std::slice::from_ref(target))
        .unwrap()
        .remove(0)
        .unwrap()
}

/// Sends every step; each must be done, or so already.
pub fn act(link: &Link, plan: &Plan) -> Vec<Judgement> {
    assert_eq!(plan.blockers, []);
    plan.steps
        .iter()
        .map(|step| {
            let answer = link.act(step);
            let verdict = Salesforce::judge(&link.ctx, step, &answer);
            assert!(
                matches!(verdict.judgement, Judgement::Done | Judgement::AlreadyDone),
                "{}: {verdict:?}",
                step.says
            );
            verdict.judgement
        })
        .collect()
}

pub fn restore(link: &Link, target: &Target, taken: &Plan) -> Plan {
    Salesforce::plan_restore(&link.call(), target, taken.before.as_ref().unwrap()).unwrap()
}

pub fn state(link: &Link, target: &Target) -> State {
    Salesforce::observe(&link.call(), std::slice::from_ref(target))
        .unwrap()
        .remove(0)
        .state
}

/// What is new after any change: who changed a record last, and when.
const STAMPS: [&str; 5] = [
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "CreatedDate",
    "CreatedById",
];

/// Everything the org holds about a person: the user record and the login record whole, each assignment but for its id and
/// day, and the seats used of every pool.
pub fn holds(link: &Link, user: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let without_stamps = |mut row: Value, also: &[&str]| {
        let fields = row.as_object_mut().unwrap();
        fields.retain(|name, _| {
            name != "attributes"
                && !STAMPS.contains(&name.as_str())
                && !also.contains(&name.as_str())
        });
        row
    };
    let user_row = link.get_json(&format!("/services/data/v62.0/sobjects/User/{user}"));
    // The user record was made once: these two never change.
    for column in ["CreatedDate", "CreatedById"] {
        all.insert(column.to_owned(), user_row[column].clone());
    }
    all.insert("User".to_owned(), without_stamps(user_row, &[]));
    for (object, columns, holder) in [
        (
            "UserLogin",
            "Id, UserId, IsFrozen, IsPasswordLocked",
            "UserId",
        ),
        (
            "PermissionSetLicenseAssign",
            "PermissionSetLicenseId",
            "AssigneeId",
        ),
        (
            "PermissionSetAssignment",
            "PermissionSetId, PermissionSetGroupId, ExpirationDate, IsActive",
            "AssigneeId",
        ),
        ("UserPackageLicense", "PackageLicenseId", "UserId"),
        ("GroupMember", "GroupId", "UserOrGroupId"),
    ] {
        let answer = link.query(&format!(
            "SELECT {columns} FROM {object} WHERE {holder} = '{user}'"
        ));
        let mut rows: Vec<String> = answer["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| without_stamps(row.clone(), &[]).to_string())
            .collect();
        rows.sort_unstable();
        all.insert(object.to_owned(), rows.into());
    }
    for (object, columns) in [
        (
            "UserLicense",
            "LicenseDefinitionKey, TotalLicenses, UsedLicenses",
        ),
        (
            "PermissionSetLicense",
            "DeveloperName, TotalLicenses, UsedLicenses",
        ),
        (
            "PackageLicense",
            "NamespacePrefix, AllowedLicenses, UsedLicenses",
        ),
    ] {
        let answer = link.query(&format!("SELECT {columns} FROM {object} ORDER BY Id"));
        all.insert(object.to_owned(), answer["records"].clone());
    }
    all
}

/// The settings that move holders of `SFDC` to a profile.
fn moving_to(link: &mut Link, profile: &str) {
    let answer = link.query(&format!("SELECT Id FROM Profile WHERE Name = '{profile}'"));
    let id = answer["records"][0]["Id"].as_str().unwrap();
    link.ctx.settings = format!("{{\"downgrade_profiles\":\"SFDC={id}\"}}");
}

#[test]
fn b15_undo_after_each_action_gives_back_what_the_org_held_before() {
    for (action, identifier) in [
        ("freeze", "SFDC"),
        ("deactivate", "SFDC"),
        ("downgrade", "SFDC"),
        ("remove-permission-set-licence", "psl:SalesUserPsl"),
        ("remove-permission-set-licence", "psl:ServiceUserPsl"),
        ("free-package-seat", "package:SBQQ"),
        ("feature-off", "feature:SupportUser"),
    ] {
        let spec = spec();
        let mut link = link(spec.clone());
        moving_to(&mut link, "Standard Platform User");
        let eve = target(&spec, EVE, action, identifier);
        let before = holds(&link, &eve.account);
        assert_eq!(
            state(&link, &eve),
            State::Untouched,
            "{action} {identifier}"
        );

        let taken = plan(&link, &eve);
        act(&link, &taken);
        assert_ne!(holds(&link, &eve.account), before, "{action} {identifier}");
        assert_eq!(
            state(&link, &eve),
            State::Reclaimed,
            "{action} {identifier}"
        );
        let again = plan(&link, &eve);
        assert!(
            again.steps.is_empty() || action == "downgrade",
            "{action}: {:?}",
            again.steps
        );

        act(&link, &restore(&link, &eve, &taken));
        assert_eq!(holds(&link, &eve.account), before, "{action} {identifier}");
        assert_eq!(
            state(&link, &eve),
            State::Untouched,
            "{action} {identifier}"
        );
        let nothing = restore(&link, &eve, &taken);
        assert!(
            nothing.steps.is_empty() && nothing.blockers.is_empty(),
            "{action}"
        );
    }
}

#[test]
fn the_seat_that_is_named_is_freed_and_one_person_is_one_request() {
    for (action, identifier, requests) in [
        ("deactivate", "SFDC", 1),
        ("downgrade", "SFDC", 1),
        ("remove-permission-set-licence", "psl:SalesUserPsl", 2),
        ("free-package-seat", "package:SBQQ", 1),
        ("feature-off", "feature:SupportUser", 1),
    ] {
        let spec = spec();
        let mut link = link(spec.clone());
        moving_to(&mut link, "Standard Platform User");
        let eve = target(&spec, EVE, action, identifier);
        let used = link.control().used_licences(identifier).unwrap();
        let taken = plan(&link, &eve);
        assert_eq!(taken.frees, [identifier]);
        let (writes, asked) = (
            link.control().writes().len(),
            link.control().requests("composite"),
        );
        act(&link, &taken);
        assert_eq!(taken.steps.len(), requests, "{action}");
        assert_eq!(
            link.control().used_licences(identifier),
            Some(used - 1),
            "{action}"
        );
        assert!(link.control().writes().len() - writes <= requests);
        assert_eq!(link.control().requests("composite"), asked);
    }
}

#[test]
fn a_licence_that_goes_with_its_last_permission_set_is_already_done() {
    let spec = spec();
    let eve = target(
        &spec,
        EVE,
        "remove-permission-set-licence",
        "psl:SalesUserPsl",
    );
    let goes = link(spec.clone());
    let judged = act(&goes, &plan(&goes, &eve));
    assert_eq!(judged, [Judgement::Done, Judgement::AlreadyDone]);

    let kept = link(OrgSpec {
        keeps_set_licences: true,
        ..spec.clone()
    });
    let judged = act(&kept, &plan(&kept, &eve));
    assert_eq!(judged, [Judgement::Done, Judgement::Done]);
    assert_eq!(state(&kept, &eve), State::Reclaimed);
}

#[test]
fn a_request_sent_twice_changes_nothing_and_says_so() {
    for (action, identifier) in [
        ("remove-permission-set-licence", "psl:ServiceUserPsl"),
        ("free-package-seat", "package:SBQQ"),
    ] {
        let spec = spec();
        let link = link(spec.clone());
        let eve = target(&spec, EVE, action, identifier);
        let taken = plan(&link, &eve);
        act(&link, &taken);
        let (writes, held) = (link.control().writes().len(), holds(&link, &eve.account));
        assert!(
            act(&link, &taken)
                .iter()
                .all(|it| *it == Judgement::AlreadyDone)
        );
        let back = restore(&link, &eve, &taken);
        assert_eq!(
            (link.control().writes().len(), holds(&link, &eve.account)),
            (writes, held)
        );
        act(&link, &back);
        assert!(
            act(&link, &back)
                .iter()
                .all(|it| *it == Judgement::AlreadyDone)
        );
    }
}

#[test]
fn what_others_took_from_an_inactive_person_comes_back_with_the_undo() {
    let spec = spec();
    let link = link(spec.clone());
    let eve = target(&spec, EVE, "deactivate", "SFDC");
    let before = holds(&link, &eve.account);
    let taken = plan(&link, &eve);
    act(&link, &taken);
    // An administrator tidies up after the leaver.
    for (action, identifier) in [
        ("remove-permission-set-licence", "psl:SalesUserPsl"),
        ("remove-permission-set-licence", "psl:ServiceUserPsl"),
        ("free-package-seat", "package:SBQQ"),
        ("feature-off", "feature:SupportUser"),
    ] {
        act(&link, &plan(&link, &target(&spec, EVE, action, identifier)));
    }
    let members = link.query(&format!(
        "SELECT Id FROM GroupMember WHERE UserOrGroupId = '{}'",
        eve.account
    ));
    for row in members["records"].as_array().unwrap() {
        link.delete(&format!(
            "/services/data/v62.0/sobjects/GroupMember/{}",
            row["Id"].as_str().unwrap()
        ));
    }
    link.patch(
        &format!("/services/data/v62.0/sobjects/User/{}", eve.account),
        "{\"UserRoleId\":null,\"ManagerId\":null}",
    );
    let back = restore(&link, &eve, &taken);
    for what in ["role", "manager"] {
        assert!(
            back.consequences
                .iter()
                .any(|it| it.starts_with(&format!("The {what} was changed since")))
        );
    }
    act(&link, &back);
    assert_eq!(holds(&link, &eve.account), before);
}

#[test]
fn half_an_undo_is_planned_to_its_end() {
    let spec = spec();
    let link = link(spec.clone());
    let eve = target(
        &spec,
        EVE,
        "remove-permission-set-licence",
        "psl:SalesUserPsl",
    );
    let before = holds(&link, &eve.account);
    let taken = plan(&link, &eve);
    act(&link, &taken);
    let back = restore(&link, &eve, &taken);
    link.act(&back.steps[0]);
    assert_eq!(state(&link, &eve), State::Partly);
    act(&link, &restore(&link, &eve, &taken));
    assert_eq!(holds(&link, &eve.account), before);
}

#[test]
fn fresh_facts_name_every_licence_a_person_holds() {
    let spec = spec();
    let link = link(spec.clone());
    let eve = spec.user_id_of(EVE).unwrap();
    let page = Salesforce::lookup_accounts(&link.call(), std::slice::from_ref(&eve)).unwrap();
    let mut held: Vec<&str> = page
        .assignments
        .iter()
        .filter(|it| it.account == eve)
        .map(|it| it.identifier.as_str())
        .collect();
    held.sort_unstable();
    assert_eq!(
        held,
        [
            "SFDC",
            "feature:SupportUser",
            "package:SBQQ",
            "psl:SalesUserPsl",
            "psl:ServiceUserPsl"
        ]
    );
    act(
        &link,
        &plan(
            &link,
            &target(&spec, EVE, "free-package-seat", "package:SBQQ"),
        ),
    );
    let page = Salesforce::lookup_accounts(&link.call(), std::slice::from_ref(&eve)).unwrap();
    assert!(
        !page
            .assignments
            .iter()
            .any(|it| it.identifier == "package:SBQQ")
    );
}
