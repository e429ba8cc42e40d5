//! Who may approve what, and when an approval is of something that is no more.

use std::sync::Arc;

use seatwise::identity::roles::{Actor, Role, Via};
use seatwise::kernel::IntoProblem as _;
use seatwise::kernel::faults::NoFaults;
use seatwise::people::service as people;
use seatwise::reclamation::candidate::State;
use seatwise::reclamation::controls::{self, NewExemption};
use seatwise::reclamation::rule::Edit;
use seatwise::reclamation::{ReclamationError, batches, rules};
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::on_both;

/// Ben by a token that Ana has minted for him.
fn ben_by_anas_token(company: &Company) -> Actor {
    Actor {
        via: Via::Token {
            token: "tok_1".to_owned(),
            minted_by: company.ana.id.clone(),
            scopes: [].into(),
        },
        ..company.ben.clone()
    }
}

/// Ana after somebody made her an approver, too.
fn ana_as_approver(company: &Company) -> Actor {
    let mut ana = company.ana.clone();
    ana.roles.insert(Role::Approver);
    ana
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e19_nobody_approves_the_rule_of_a_profile_they_made_not_even_by_another_door() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let rule = company.rule().await;
        let (host, seen) = (&company.host, rule.digest.as_str());
        for (who, code) in [
            (company.ana.clone(), "identity.denied"),
            (ana_as_approver(&company), "approval.own_work"),
            (ben_by_anas_token(&company), "approval.own_work"),
            (Actor::system(), "identity.denied"),
        ] {
            let refused = rules::approve_rule(host, &who, &rule.number, seen)
                .await
                .unwrap_err();
            assert_eq!(refused.problem().code, code, "{}", who.name);
        }
        assert_eq!(company.count("select count(*) from approvals").await, 0);
        assert_eq!(company.rule().await.in_force_no, None);
        company.approve_rule().await;
        assert_eq!(company.rule().await.in_force_no, Some(2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_approves_the_batch_of_a_profile_they_made_not_even_by_another_door() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        company.approve_rule().await;
        let (host, rule) = (&company.host, company.rule().await);
        let batch = batches::create_batch(host, &company.ana, &rule.number, &[])
            .await
            .unwrap();
        for (who, code) in [
            (company.ana.clone(), "identity.denied"),
            (ana_as_approver(&company), "approval.own_work"),
            (ben_by_anas_token(&company), "approval.own_work"),
            (Actor::system(), "identity.denied"),
        ] {
            let refused = batches::approve_batch(host, &who, &batch.number, &batch.digest).await;
            assert_eq!(refused.unwrap_err().problem().code, code, "{}", who.name);
        }
        assert_eq!(
            company.states(&["cy", "lou"]).await,
            [State::Ready, State::Ready]
        );
        batches::approve_batch(host, &company.ben, &batch.number, &batch.digest)
            .await
            .unwrap();
        assert_eq!(company.states(&["cy"]).await, [State::AwaitingUser]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_made_an_exemption_in_force_approves_nothing() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let mut ben = company.ben.clone();
        ben.roles.insert(Role::SamAdmin);
        let new = NewExemption {
            organization: None,
            principal: "cy@example.com".to_owned(),
            kind: "leave".to_owned(),
            reason: "parental leave".to_owned(),
            until: None,
        };
        controls::add_exemption(&company.host, &ben, new)
            .await
            .unwrap();
        let rule = company.rule().await;
        let refused = rules::approve_rule(&company.host, &ben, &rule.number, &rule.digest).await;
        assert_eq!(refused.unwrap_err().problem().code, "approval.own_work");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_of_a_version_that_was_not_seen_is_stale() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let (host, seen) = (&company.host, company.rule().await);
        let edit = Edit {
            threshold_days: Some(30),
            ..Edit::default()
        };
        rules::edit_rule(host, &company.ana, &seen.number, &edit)
            .await
            .unwrap();
        let refused = rules::approve_rule(host, &company.ben, &seen.number, &seen.digest).await;
        assert_eq!(refused.unwrap_err().problem().code, "rule.stale");
        // Wording is no deciding field: what was seen is what is.
        let seen = company.rule().await;
        let edit = Edit {
            note: Some("for the audit".to_owned()),
            ..Edit::default()
        };
        rules::edit_rule(host, &company.ana, &seen.number, &edit)
            .await
            .unwrap();
        rules::approve_rule(host, &company.ben, &seen.number, &seen.digest)
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_added_person_makes_a_batch_stale_with_the_difference_and_a_dropped_one_does_not() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        company.approve_rule().await;
        let (host, ana, ben) = (&company.host, &company.ana, &company.ben);
        let rule = company.rule().await;
        let batch = batches::create_batch(host, ana, &rule.number, &[]).await.unwrap();
        assert_eq!(batch.people_count, 5);

        // hal becomes known, so his candidate becomes ready: an added person.
        let csv = "external_id,name,email,business_unit,department,cost_centre,status\nH1,hal,hal@example.com,Sales,Field Sales,CC-100,employed\n";
        people::import_csv(host, ana, csv).await.unwrap();
        company.work().await;
        assert_eq!(company.states(&["hal"]).await, [State::Ready]);
        let refused = batches::approve_batch(host, ben, &batch.number, &batch.digest).await.unwrap_err();
        let ReclamationError::Stale { difference, .. } = &refused else { panic!("{refused}") };
        let hal = company.candidate("hal").await;
        assert_eq!(difference.added, [format!("{} hal@example.com", hal.number)]);
        assert_eq!(refused.problem().status, 409);
        assert_eq!(refused.problem().detail["added"][0], difference.added[0]);
        assert_eq!(company.states(&["cy"]).await, [State::Ready], "nothing moved");

        // cy logs in and drops out of the new list: no reason to refuse.
        let batch = batches::create_batch(host, ana, &rule.number, &[]).await.unwrap();
        assert_eq!(batch.people_count, 6);
        company.advance(3_600_000);
        company.login(0, "cy");
        company.collect().await;
        assert_eq!(company.states(&["cy"]).await, [State::ClosedCanceled]);
        batches::approve_batch(host, ben, &batch.number, &batch.digest).await.unwrap();
        assert_eq!(
            company.states(&["cy", "dee", "hal"]).await,
            [State::ClosedCanceled, State::AwaitingUser, State::AwaitingUser]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b11_a_rule_that_changed_after_the_list_was_made_takes_a_new_list() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        company.approve_rule().await;
        let (host, rule) = (&company.host, company.rule().await);
        let batch = batches::create_batch(host, &company.ana, &rule.number, &[])
            .await
            .unwrap();
        let edit = Edit {
            threshold_days: Some(100),
            ..Edit::default()
        };
        rules::edit_rule(host, &company.ana, &rule.number, &edit)
            .await
            .unwrap();
        company.approve_rule().await;
        let refused =
            batches::approve_batch(host, &company.ben, &batch.number, &batch.digest).await;
        let ReclamationError::Stale { difference, .. } = refused.unwrap_err() else {
            panic!("not stale")
        };
        assert_eq!(difference.rule, ["threshold_days"]);
        // The candidates of the version before are closed, those of the new one are its own.
        assert_eq!(
            company.states(&["cy", "ivy", "dee"]).await,
            [State::ClosedSkipped, State::ClosedSkipped, State::Ready]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b7_the_same_approval_delivered_twice_is_one() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let (host, ben, rule) = (&company.host, &company.ben, company.rule().await);
        let approve = || rules::approve_rule(host, ben, &rule.number, &rule.digest);
        let (first, second) = tokio::join!(approve(), approve());
        // A race may make one of them try again; a repeated delivery then finds it done.
        assert!(first.is_ok() || second.is_ok());
        approve().await.unwrap();
        company.work().await;
        let batch = batches::create_batch(host, ben, &rule.number, &[])
            .await
            .unwrap();
        let approve = || batches::approve_batch(host, ben, &batch.number, &batch.digest);
        let (first, second) = tokio::join!(approve(), approve());
        assert!(first.is_ok() || second.is_ok());
        approve().await.unwrap();
        company.work().await;
        assert_eq!(company.count("select count(*) from approvals").await, 2);
        assert_eq!(
            company
                .count("select count(*) from outbox where kind = 'reclaim_notice'")
                .await,
            5,
            "everybody is asked once"
        );
        let begun = "select count(*) from candidate_events where event = 'approved_with_notice'";
        assert_eq!(company.count(begun).await, 5);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_half_of_an_org_takes_two_approvers() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let (host, ana) = (&company.host, &company.ana);
        // At 16 days bo and kim are named, too: five of ten in Org1 with hal unknown, two of three in Org2.
        let edit = Edit {
            threshold_days: Some(16),
            ..Edit::default()
        };
        let rule = rules::edit_rule(host, ana, &company.rule().await.number, &edit)
            .await
            .unwrap();
        company.approve_rule().await;
        let batch = batches::create_batch(host, ana, &rule.number, &[])
            .await
            .unwrap();
        assert_eq!(batch.approvers_needed, 2);
        let once = batches::approve_batch(host, &company.ben, &batch.number, &batch.digest)
            .await
            .unwrap();
        assert_eq!((once.state.as_str(), once.decisions.len()), ("proposed", 1));
        assert_eq!(
            company.states(&["kim"]).await,
            [State::Ready],
            "one approval moves nobody"
        );
        // The same person again is no second person.
        batches::approve_batch(host, &company.ben, &batch.number, &batch.digest)
            .await
            .unwrap();
        assert_eq!(company.states(&["kim"]).await, [State::Ready]);
        let eve = company.approver("Eve").await;
        let twice = batches::approve_batch(host, &eve, &batch.number, &batch.digest)
            .await
            .unwrap();
        assert_eq!(twice.state, "approved");
        assert_eq!(company.states(&["kim"]).await, [State::AwaitingUser]);
    })
    .await;
}
