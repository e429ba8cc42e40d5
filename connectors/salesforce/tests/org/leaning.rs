//! What a running practice org leans on a person for is found before a deactivation.

use seatwise_practice_org_salesforce::{Account, Approval, Dashboard, Job, Person};

use crate::taking_back::{ADA, EVE, link, plan, spec, target};

#[test]
fn what_the_org_leans_on_a_person_for_is_found() {
    let mut spec = spec();
    spec.dashboards = vec![Dashboard {
        title: "Pipeline".to_owned(),
        running_user: EVE.to_owned(),
    }];
    spec.approvals = vec![Approval {
        actor: EVE.to_owned(),
        submitter: ADA.to_owned(),
    }];
    spec.people.push(Person {
        manager: Some(EVE.to_owned()),
        delegated_approver: Some(EVE.to_owned()),
        ..Person::new("Rob", "Report", "rob@full.example", "Standard User")
    });
    spec.accounts = vec![Account {
        name: "Customer".to_owned(),
        owner: EVE.to_owned(),
        is_partner: true,
        is_customer: false,
    }];
    let link = link(spec.clone());
    let found = plan(&link, &target(&spec, EVE, "deactivate", "SFDC"));
    assert_eq!(found.blockers, []);
    for says in [
        "Dashboards run as this person and show nothing until another running user is chosen: Pipeline",
        "Approval requests wait for this person and stay waiting: 1",
        "Active users name this person as delegated approver: 1",
        "Active users whose manager this person is, also for approvals by the manager: 1",
        "The person owns 1 accounts; somebody must take them over",
        "The person is in these queues, whose work somebody else must do: Tier 1",
        "The person is in these groups: Berlin",
        "Package seats stay assigned until they are taken back by their own action: SBQQ",
        "Features stay switched on for the inactive user: SupportUser",
    ] {
        assert!(
            found.consequences.contains(&says.to_owned()),
            "{says}: {:?}",
            found.consequences
        );
    }
    // Everything that can be looked at was looked at: what is left is what no query shows.
    for hidden in [
        "dashboards",
        "approval requests",
        "portal users",
        "queues",
        "How many",
    ] {
        assert!(
            !found.unchecked.iter().any(|it| it.contains(hidden)),
            "{hidden}: {:?}",
            found.unchecked
        );
    }
}

#[test]
fn a_job_or_a_portal_user_stops_a_deactivation_before_salesforce_does() {
    let mut with_job = spec();
    with_job.jobs = vec![
        Job {
            name: "Nightly".to_owned(),
            owner: EVE.to_owned(),
            state: "WAITING".to_owned(),
        },
        Job {
            name: "Once".to_owned(),
            owner: EVE.to_owned(),
            state: "DELETED".to_owned(),
        },
    ];
    let mut with_portal = spec();
    with_portal.accounts = vec![Account {
        name: "Partner".to_owned(),
        owner: EVE.to_owned(),
        is_partner: true,
        is_customer: false,
    }];
    with_portal.people.push(Person {
        account: Some("Partner".to_owned()),
        ..Person::new(
            "Pat",
            "Partner",
            "pat@partner.example",
            "Partner Community User",
        )
    });
    for (spec, code) in [
        (with_job, "scheduled_jobs"),
        (with_portal, "portal_account_owner"),
    ] {
        let link = link(spec.clone());
        let found = plan(&link, &target(&spec, EVE, "deactivate", "SFDC"));
        let codes: Vec<&str> = found.blockers.iter().map(|it| it.code.as_str()).collect();
        assert_eq!(codes, [code]);
        assert!(found.steps.is_empty());
    }
}
