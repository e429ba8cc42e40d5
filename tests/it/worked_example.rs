//! `sam-domain.md` §10 through the real component and two practice orgs: the table of T0, the variant per org, the timeline.

use std::sync::Arc;

use seatwise::kernel::faults::NoFaults;
use seatwise::people::matching::Transform;
use seatwise::people::service as people;
use seatwise::reclamation::candidate::State;
use seatwise::reclamation::candidates::{self, Answer};
use seatwise::reclamation::{actions, rules};
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::on_both;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_preview_and_position_at_t0_are_those_of_the_table() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let rule = company.rule().await;
        let preview = rules::preview_rule(&company.host, &company.ben, &rule.number, 100)
            .await
            .unwrap();
        assert_eq!(preview.people_count, 6);
        assert_eq!(preview.saving_minor, Some(1_080_000));
        let days = |name: &str| {
            let principal = format!("{name}@example.com");
            let row = preview
                .people
                .iter()
                .find(|row| row.principal == principal && row.organization_name.contains("Org1"));
            row.map(|row| (row.verdict.as_str(), row.inactive_days))
        };
        for (name, verdict, inactive) in [
            ("ana", "in_use", 1),
            ("bo", "in_use", 59),
            ("cy", "candidate", 60),
            ("dee", "candidate", 150),
            ("eli", "in_use", 30),
            ("fay", "candidate", 181),
            ("gus", "exempt", 211),
            ("integ", "exempt", 303),
            ("hal", "candidate", 106),
            ("ivy", "candidate", 85),
            ("jon", "not_active", 334),
        ] {
            assert_eq!(days(name), Some((verdict, Some(inactive))), "{name}");
        }
        let bo = preview
            .people
            .iter()
            .find(|row| row.principal == "bo@example.com");
        assert_eq!(bo.unwrap().why, "59 < 60 days");

        company.collect().await;
        let sales = company.position("Sales Cloud", "contract").await;
        assert_eq!(
            (
                sales.owned,
                sales.active,
                sales.used,
                sales.available,
                sales.needed
            ),
            (Some(10), 13, 10, Some(0), 3)
        );
        assert_eq!(sales.status, "not_compliant");
        assert_eq!(sales.true_up_minor, Some(540_000));
        assert_eq!(sales.over_licensed_minor, Some(0));
        assert_eq!(sales.candidates, 6);
        assert_eq!(sales.potential_minor, Some(1_080_000));
        assert_eq!(sales.percent_unused_tenths, 462);
        assert_eq!(sales.detail["avoidable_minor"], 540_000);
        assert_eq!(sales.detail["at_renewal_minor"], 540_000);
        assert_eq!(sales.detail["true_up_co_termed_minor"], 134_630);
        assert_eq!(
            (sales.typed_owned, sales.vendor_owned),
            (Some(10), Some(17))
        );
        assert_eq!(sales.detail["records_differ"], true);
        let platform = company.position("Platform", "contract").await;
        assert_eq!(
            (
                platform.owned,
                platform.active,
                platform.used,
                platform.available,
                platform.needed
            ),
            (Some(3), 2, 2, Some(1), 0)
        );
        assert_eq!(platform.status, "compliant");
        assert_eq!(platform.true_up_minor, Some(0));
        assert_eq!(platform.over_licensed_minor, Some(30_000));
        assert_eq!(
            (platform.candidates, platform.percent_unused_tenths),
            (0, 0)
        );
        let view = company.reconciliation().await;
        assert_eq!(view.totals.amounts[0].spend_minor, 1_890_000);
        assert_eq!(view.totals.unrecognised_identifiers, 1);
        assert_eq!(view.totals.unrecognised_subscriptions, 1);
        assert_eq!(view.totals.unresolved_accounts, 1);
        assert_eq!(view.totals.overlaps, 1);
        assert_eq!(
            company.writes(),
            0,
            "a preview asks nobody and sends nothing"
        );
        assert_eq!(company.count("select count(*) from candidates").await, 0);
        assert_eq!(
            company
                .count("select count(*) from outbox where kind = 'reclaim_notice'")
                .await,
            0
        );

        // The same inputs on the same day: nothing changes.
        let before = company.reconciliation().await;
        company.collect().await;
        let after = company.reconciliation().await;
        assert_eq!((before.number, before.digest), (after.number, after.digest));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sharing_a_seat_freed_in_one_org_covers_no_other() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::PerOrganization, Arc::new(NoFaults)).await;
        company.collect().await;
        for (org, owned, active, candidates) in [("Org1", 12, 10, 5), ("Org2", 5, 3, 1)] {
            let view = company.reconciliation().await;
            let p = view
                .positions
                .iter()
                .find(|p| p.product == "Sales Cloud" && p.scope_name.contains(org))
                .unwrap();
            assert_eq!(
                (p.owned, p.used, p.available, p.needed),
                (Some(owned), active, Some(2), 0),
                "{org}"
            );
            assert_eq!(p.true_up_minor, Some(0), "{org}");
            assert_eq!(p.over_licensed_minor, Some(360_000), "{org}");
            assert_eq!(p.candidates, candidates, "{org}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeline_ends_in_the_numbers_of_the_example() {
    on_both(|database| async move {
        use State::{
            AttentionRequired, AwaitingApproval, AwaitingUser, ClosedCanceled, ClosedComplete,
            ClosedSkipped, Ready, Undone,
        };
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let (host, ana, ben) = (&company.host, &company.ana, &company.ben);
        company.approve_rule().await;
        assert_eq!(
            company.states(&["cy", "dee", "fay", "ivy", "lou", "hal"]).await,
            [Ready, Ready, Ready, Ready, Ready, AttentionRequired]
        );
        company.go_live().await;
        let batch = company.approve_all().await;
        assert_eq!(batch.people_count, 5);
        assert_eq!(
            company.states(&["cy", "dee", "fay", "ivy", "lou", "hal"]).await,
            [AwaitingUser, AwaitingUser, AwaitingUser, AwaitingUser, AwaitingUser, AttentionRequired]
        );
        assert_eq!(company.count("select count(*) from outbox where kind = 'reclaim_notice' and state = 'sent'").await, 5);
        assert_eq!(company.writes(), 0, "asking sends nothing to the vendor");

        company.on("2026-04-01").await;
        company.login(0, "bo");
        company.login(0, "ned");
        company.collect().await;

        company.on("2026-04-02").await;
        let cy = company.candidate("cy").await;
        candidates::answer(host, ana, &cy.number, Answer::Keep, "quarter end").await.unwrap();
        assert_eq!(company.states(&["cy"]).await, [AwaitingApproval]);
        candidates::decide_keep(host, ben, &cy.number, true, "").await.unwrap();
        assert_eq!(company.states(&["cy"]).await, [ClosedSkipped]);

        company.on("2026-04-03").await;
        let dee = company.candidate("dee").await;
        candidates::answer(host, ana, &dee.number, Answer::NotNeeded, "").await.unwrap();
        company.work().await;
        assert_eq!(company.states(&["dee"]).await, [State::Reclaimed]);
        company.advance(3_600_000);
        company.collect().await;
        assert_eq!(company.states(&["dee"]).await, [ClosedComplete]);
        let saved = |view: &seatwise::reconciliation::ReconciliationView| {
            view.savings
                .iter()
                .find(|s| s.currency.as_deref() == Some("USD"))
                .cloned()
                .unwrap_or_default()
        };
        let view = company.reconciliation().await;
        assert_eq!(company.position("Sales Cloud", "contract").await.needed, 2);
        assert_eq!((saved(&view).seats_returned, saved(&view).avoided_minor), (1, 180_000));

        company.on("2026-04-05").await;
        company.login(0, "ivy");
        company.collect().await;
        assert_eq!(company.states(&["ivy"]).await, [ClosedCanceled]);

        company.on("2026-04-06").await;
        let lou = company.candidate("lou").await;
        candidates::answer(host, ana, &lou.number, Answer::Keep, "maybe").await.unwrap();
        candidates::decide_keep(host, ben, &lou.number, false, "no use seen").await.unwrap();
        company.work().await;
        company.advance(3_600_000);
        company.collect().await;
        assert_eq!(company.states(&["lou"]).await, [ClosedComplete]);
        assert_eq!(saved(&company.reconciliation().await).avoided_minor, 360_000);

        company.on("2026-04-14").await;
        assert_eq!(company.states(&["fay"]).await, [AttentionRequired]);
        let fay = company.candidate("fay").await;
        assert!(
            fay.reason_text.as_deref().unwrap().to_lowercase().contains("default case owner"),
            "the vendor's own words are kept: {:?}",
            fay.reason_text
        );

        company.on("2026-04-15").await;
        people::import_csv(
            host,
            ana,
            "external_id,name,email,business_unit,department,cost_centre,status\nH1,hal,hal@corp.example,Sales,Field Sales,CC-100,employed\n",
        )
        .await
        .unwrap();
        let transform = Transform::ReplaceDomain { from: "example.com".to_owned(), to: "corp.example".to_owned() };
        people::add_resolution_rule(host, ana, "replace domain", transform).await.unwrap();
        company.work().await;
        assert_eq!(company.states(&["hal"]).await, [Ready]);
        company.collect().await;
        let sales = company.position("Sales Cloud", "contract").await;
        assert_eq!((sales.used, sales.active, sales.needed), (10, 11, 1));
        assert_eq!(sales.true_up_minor, Some(180_000));
        assert_eq!((sales.candidates, sales.potential_minor), (2, Some(360_000)));
        let view = company.reconciliation().await;
        assert_eq!(saved(&view).avoided_minor, 360_000);
        assert_eq!(saved(&view).actual_savings_minor, 360_000);

        company.on("2026-04-20").await;
        let dee = company.candidate("dee").await;
        let undone = actions::undo(host, ana, &dee.number, "needed after all").await.unwrap();
        assert_eq!(undone.kind, "restore");
        company.work().await;
        assert_eq!(company.states(&["dee"]).await, [Undone]);
        company.advance(3_600_000);
        company.collect().await;
        let sales = company.position("Sales Cloud", "contract").await;
        assert_eq!((sales.active, sales.needed, sales.true_up_minor), (12, 2, Some(360_000)));
        assert_eq!(saved(&company.reconciliation().await).avoided_minor, 180_000);
        assert_eq!(company.states(&["dee"]).await, [Undone], "a fresh clock: not named again");

        company.on("2026-05-14").await;
        let closed = candidates::get_candidate(host, ben, &fay.number).await.unwrap();
        assert_eq!(closed.state, ClosedCanceled, "an error that nobody repaired for 30 days");

        // One receipt for each closed complete; one write for each seat, and one for the undo.
        let receipts = "select count(*) from candidates c join actions a on a.id = c.action_id \
             where c.state in ('closed_complete', 'undone') and a.receipt is not null";
        assert_eq!(company.count(receipts).await, 2);
        assert_eq!(company.writes_to(0, "dee"), 2);
        assert_eq!(company.writes_to(1, "lou"), 1);
        for name in ["ana", "bo", "cy", "eli", "gus", "integ", "hal", "ivy", "jon", "mia", "ned"] {
            assert_eq!(company.writes_to(0, name), 0, "{name}");
        }
    })
    .await;
}
