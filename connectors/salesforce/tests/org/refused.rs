//! What a running practice org refuses, and what a plan makes of it before or after.

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Connector, FailureKind,
    reclaim::{Judgement, Plan, Verdict},
};
use seatwise_practice_org_salesforce::{Person, Refusal, Rights};

use crate::{
    link::Link,
    taking_back::{ADA, EVE, act, holds, link, plan, restore, spec, target},
};

/// Sends the only step.
fn send(link: &Link, plan: &Plan) -> Verdict {
    assert_eq!((plan.blockers.len(), plan.steps.len()), (0, 1), "{plan:?}");
    let answer = link.act(&plan.steps[0]);
    Salesforce::judge(&link.ctx, &plan.steps[0], &answer)
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.blockers.iter().map(|it| it.code.as_str()).collect()
}

#[test]
fn b9_a_setting_that_no_query_shows_is_the_vendors_refusal_word_by_word() {
    let mut spec = spec();
    let refusal = Refusal::default_case_owner();
    spec.refuses_deactivation
        .insert(spec.user_id_of(EVE).unwrap(), refusal.clone());
    let link = link(spec.clone());
    let eve = target(&spec, EVE, "deactivate", "SFDC");
    let held = holds(&link, &eve.account);
    let found = plan(&link, &eve);
    assert!(
        found
            .unchecked
            .iter()
            .any(|it| it.contains("default or automated case owner"))
    );
    let verdict = send(&link, &found);
    assert_eq!(verdict.judgement, Judgement::Refused);
    let detail = verdict.detail.unwrap();
    assert_eq!(
        (detail.kind, detail.code, detail.message),
        (
            FailureKind::Refused,
            refusal.code,
            refusal.message.trim_end_matches('.').to_owned()
        )
    );
    assert_eq!(holds(&link, &eve.account), held);
    // The way out that the plan's fix names works.
    act(&link, &plan(&link, &target(&spec, EVE, "freeze", "SFDC")));
}

#[test]
fn b10_the_connections_user_and_the_last_administrator_are_blocked_before_any_write() {
    let spec = spec();
    let link = link(spec.clone());
    let own = target(
        &spec,
        &spec.people[0].username,
        "deactivate",
        "SALESFORCE_INTEGRATION_USER",
    );
    let found = codes(&plan(&link, &own)).join(" ");
    assert_eq!(found, "self service_account");
    let last = target(&spec, ADA, "deactivate", "SFDC");
    assert_eq!(codes(&plan(&link, &last)), ["last_admin"]);
    assert!(link.control().writes().is_empty());
}

#[test]
fn without_the_right_to_change_users_the_answer_says_permission_and_nothing_happens() {
    let spec = spec();
    let mut link = link(spec.clone());
    let eve = target(&spec, EVE, "deactivate", "SFDC");
    link.control().set_rights(Rights {
        manage_users: false,
        ..Rights::all()
    });
    link.identify();
    let verdict = send(&link, &plan(&link, &eve));
    assert_eq!(verdict.judgement, Judgement::Refused);
    assert_eq!(verdict.detail.unwrap().kind, FailureKind::Permission);
    assert!(link.control().writes().is_empty());
}

#[test]
fn with_few_rights_a_plan_says_what_it_could_not_look_at() {
    let spec = spec();
    let mut link = link(spec.clone());
    link.control().set_rights(Rights {
        view_setup: false,
        assign_permission_sets: false,
        view_developer_name: false,
        view_all_data: false,
        ..Rights::all()
    });
    link.identify();
    // Without View Setup not even the user licence is known: no plan at all.
    let psl = target(
        &spec,
        EVE,
        "remove-permission-set-licence",
        "psl:SalesUserPsl",
    );
    let failure = Salesforce::plan_reclaim(&link.call(), &[psl]).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Permission);
    let mut sees_some = link;
    sees_some.control().set_rights(Rights {
        view_all_data: false,
        ..Rights::all()
    });
    sees_some.identify();
    let found = plan(&sees_some, &target(&spec, EVE, "deactivate", "SFDC"));
    assert!(
        found
            .unchecked
            .iter()
            .any(|it| it.contains("no View All Data"))
    );
}

#[test]
fn a_taken_seat_stops_the_undo_before_any_write() {
    for (action, identifier) in [
        ("deactivate", "SFDC"),
        ("remove-permission-set-licence", "psl:SalesUserPsl"),
        ("free-package-seat", "package:SBQQ"),
    ] {
        let mut spec = spec();
        // Exactly as many seats as people: Ada and Eve; and somebody waits for Eve's.
        spec.licences[0].total = 2;
        spec.permission_set_licences[0].total = 1;
        spec.packages[0].allowed = 1;
        spec.people.push(Person {
            is_active: false,
            ..Person::new("Nia", "Next", "nia@full.example", "Standard User")
        });
        let link = link(spec.clone());
        let eve = target(&spec, EVE, action, identifier);
        let nia = spec.user_id_of("nia@full.example").unwrap();
        let taken = plan(&link, &eve);
        act(&link, &taken);
        let id_of = |object: &str, column: &str, name: &str| {
            let answer = link.query(&format!(
                "SELECT Id FROM {object} WHERE {column} = '{name}'"
            ));
            answer["records"][0]["Id"].as_str().unwrap().to_owned()
        };
        let sobjects = "/services/data/v62.0/sobjects";
        match action {
            "deactivate" => link.patch(&format!("{sobjects}/User/{nia}"), "{\"IsActive\":true}"),
            "free-package-seat" => link.post(
                &format!("{sobjects}/UserPackageLicense"),
                &format!(
                    "{{\"UserId\":{nia:?},\"PackageLicenseId\":{:?}}}",
                    id_of("PackageLicense", "NamespacePrefix", "SBQQ")
                ),
            ),
            _ => link.post(
                &format!("{sobjects}/PermissionSetLicenseAssign"),
                &format!(
                    "{{\"AssigneeId\":{nia:?},\"PermissionSetLicenseId\":{:?}}}",
                    id_of("PermissionSetLicense", "DeveloperName", "SalesUserPsl")
                ),
            ),
        }
        let writes = link.control().writes().len();
        let back = restore(&link, &eve, &taken);
        assert_eq!(codes(&back), ["no_free_seat"], "{action}");
        assert!(back.steps.is_empty());
        assert_eq!(link.control().writes().len(), writes);
    }
}

#[test]
fn each_move_that_the_org_refuses_is_blocked_with_its_reason() {
    let mut spec = spec();
    spec.people.push(Person {
        permission_sets: vec!["Full_Only".to_owned()],
        ..Person::new("Set", "Holder", "set@full.example", "Standard User")
    });
    let mut link = link(spec.clone());
    let profile = |link: &Link, name: &str| {
        let answer = link.query(&format!("SELECT Id FROM Profile WHERE Name = '{name}'"));
        answer["records"][0]["Id"].as_str().unwrap().to_owned()
    };
    for (who, to, code) in [
        (EVE, "Chatter Free User", "move_refused"),
        (EVE, "Customer Community User", "move_not_known"),
        (EVE, "Standard User", "same_licence"),
        (
            "set@full.example",
            "Standard Platform User",
            "sets_of_licence",
        ),
    ] {
        let id = profile(&link, to);
        link.ctx.settings = format!("{{\"downgrade_profiles\":\"SFDC={id}\"}}");
        let wanted = target(&spec, who, "downgrade", "SFDC");
        let found = plan(&link, &wanted);
        assert_eq!(found.blockers[0].code, code, "{who} to {to}");
        assert!(found.steps.is_empty());
        if code != "same_licence" {
            // The org would have refused it indeed.
            let refused = link.patch_status(
                &format!("/services/data/v62.0/sobjects/User/{}", wanted.account),
                &format!("{{\"ProfileId\":{id:?}}}"),
            );
            assert_eq!(refused, 400, "{who} to {to}");
        }
    }
    // To Chatter Only the role goes with the profile, and both come back.
    let id = profile(&link, "Chatter Only User");
    link.ctx.settings = format!("{{\"downgrade_profiles\":\"SFDC={id}\"}}");
    let eve = target(&spec, EVE, "downgrade", "SFDC");
    let before = holds(&link, &eve.account);
    let taken = plan(&link, &eve);
    act(&link, &taken);
    act(&link, &restore(&link, &eve, &taken));
    assert_eq!(holds(&link, &eve.account), before);
}
