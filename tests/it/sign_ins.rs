//! Sign-ins that an identity provider reports, beside the vendor's own activity and counted only where a person says so.

use std::sync::Arc;

use seatwise::entitlements::accounts::get_account;
use seatwise::identity::roles::Role;
use seatwise::imports::sign_ins::service::{self as sign_ins, SignInEvent, SignInFile};
use seatwise::kernel::IntoProblem as _;
use seatwise::kernel::clock::DAY_MS;
use seatwise::kernel::faults::NoFaults;
use seatwise::reclamation::candidate::State;
use seatwise::reclamation::rules;
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::on_both;
use seatwise_tests::world::person;

/// Whom the rule names in an organization today.
async fn named(company: &Company, organization: &str) -> Vec<String> {
    let number = company.rule().await.number;
    let preview = rules::preview_rule(&company.host, &company.ben, &number, 1_000)
        .await
        .unwrap();
    let mut named: Vec<String> = preview
        .people
        .into_iter()
        .filter(|row| row.verdict == "candidate" && row.organization_id.as_str() == organization)
        .map(|row| row.principal)
        .collect();
    named.sort();
    named
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_stand_beside_the_vendors_activity_and_count_only_where_a_person_says_so() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let (host, ana) = (&company.host, &company.ana);
        company.approve_rule().await;
        let cy = company.candidate("cy").await;
        let org = cy.organization_id.clone();
        let profile = seatwise::profiles::service::list(host, ana)
            .await
            .unwrap()
            .into_iter()
            .find(|profile| profile.organization_id.as_ref() == Some(&org))
            .unwrap()
            .number;
        let before = named(&company, org.as_str()).await;
        assert!(before.contains(&cy.principal), "{before:?}");
        let vendor = get_account(host, ana, &org, &cy.account_id).await.unwrap();

        // A file as the provider exports it: everything or nothing, unless lines are left out knowingly.
        let idp = sign_ins::create_source(host, ana, "Directory").await.unwrap();
        let seen = host.now_ms() - 2 * DAY_MS;
        let day = seatwise::kernel::Day::of_ms(seen);
        let text = format!(
            "Date (UTC),Username,Application,Status\n{day},{},CRM,Success\n{day},Ghost@nowhere.example,CRM,Success\n\
             {day},{},CRM,Failure\nlately,x@y.example,CRM,Success\n",
            cy.principal.to_uppercase(),
            cy.principal,
        );
        let file = |leaves_out| SignInFile { bytes: text.as_bytes(), encoding: "", dates: "", leaves_out };
        let refused = sign_ins::bring_file(host, ana, idp.id.as_str(), file(false)).await.unwrap_err().problem();
        assert_eq!(refused.code, "sign_ins.lines");
        assert!(refused.detail.to_string().contains("`lately` is not a date"), "{}", refused.detail);
        assert!(sign_ins::list_sources(host, ana).await.unwrap()[0].applications.is_empty(), "nothing half done");
        let ben = sign_ins::bring_file(host, &company.ben, idp.id.as_str(), file(true)).await;
        assert_eq!(ben.unwrap_err().problem().status, 403);
        let brought = sign_ins::bring_file(host, ana, idp.id.as_str(), file(true)).await.unwrap();
        assert_eq!((brought.good, brought.failed, brought.left_out), (2, 1, 1));
        // A program sends the same; an earlier one moves nothing back.
        let event = |login: &str, at| SignInEvent { login: login.to_owned(), application: "CRM".to_owned(), at };
        let early = [event(&cy.principal, seen - 9 * DAY_MS), event(&cy.principal, day.start_ms() + 3_600_000)];
        sign_ins::bring_events(host, ana, "Directory", &early, false).await.unwrap();

        // Not before a person says which organization it is, is anybody's account known.
        let application = sign_ins::list_sources(host, ana).await.unwrap()[0].applications[0].clone();
        assert_eq!((application.logins, application.strangers), (2, 2));
        let alone = get_account(host, ana, &org, &cy.account_id).await.unwrap();
        assert_eq!(alone.signed_in_at, None);
        sign_ins::map_application(host, ana, application.id.as_str(), Some(&org)).await.unwrap();
        let application = sign_ins::list_sources(host, ana).await.unwrap()[0].applications[0].clone();
        assert_eq!((application.logins, application.strangers), (2, 1));
        let strangers = sign_ins::list_strangers(host, ana, application.id.as_str(), "", 10).await.unwrap();
        assert_eq!(strangers.len(), 1);
        assert_eq!(strangers[0].login, "ghost@nowhere.example");

        // Beside the vendor's own figure, which stays; and it changes nothing yet.
        let beside = get_account(host, ana, &org, &cy.account_id).await.unwrap();
        assert_eq!((beside.activity_at, &beside.activity_state), (vendor.activity_at, &vendor.activity_state));
        assert_eq!(beside.signed_in_at, Some(day.start_ms() + 3_600_000));
        assert_eq!(beside.signed_in_by.as_deref(), Some("Directory: CRM"));
        company.work().await;
        assert_eq!(named(&company, org.as_str()).await, before);
        assert_ne!(company.candidate("cy").await.state, State::ClosedComplete);
        let view = sign_ins::counting(host, ana, &profile).await.unwrap();
        assert!(!view.counts);
        assert_eq!((view.accounts, view.later), (1, 1));
        // The rules of the other products count, too.
        assert!(
            view.candidates_by_later < view.candidates_by_vendor,
            "its effect is told first: {view:?}"
        );

        // Counted, it closes the candidate and names Cy no more; the vendor's figure still stays.
        let on = sign_ins::set_counting(host, ana, &profile, true).await.unwrap();
        assert!(on.counts);
        assert_eq!(on.candidates_by_later, view.candidates_by_later);
        let fewer: Vec<String> = before.iter().filter(|name| **name != cy.principal).cloned().collect();
        assert_eq!(named(&company, org.as_str()).await, fewer);
        let open = "select count(*) from candidates where closed_at is null and account_id in (select account_id from account_signins)";
        assert_eq!(company.count(open).await, 0);
        company.work().await;
        assert_eq!(company.count(open).await, 0, "and it is not opened again");
        assert_eq!(get_account(host, ana, &org, &cy.account_id).await.unwrap().activity_at, vendor.activity_at);
        // A further download keeps it resolved.
        company.collect().await;
        assert_eq!(named(&company, org.as_str()).await, fewer);

        // And back.
        let ada = person(host, "Ada", Role::SamAdmin).await;
        sign_ins::set_counting(host, &ada, &profile, false).await.unwrap();
        assert_eq!(named(&company, org.as_str()).await, before);
        sign_ins::map_application(host, ana, application.id.as_str(), None).await.unwrap();
        assert_eq!(company.count("select count(*) from account_signins").await, 0);
    })
    .await;
}
