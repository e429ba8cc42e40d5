//! The set-based verdicts of a preview against the pure decision, subscription by subscription.

use std::collections::BTreeMap;
use std::sync::Arc;

use seatwise::kernel::clock::DAY_MS;
use seatwise::kernel::faults::NoFaults;
use seatwise::reclamation::candidates::{self, Answer};
use seatwise::reclamation::evaluate::{Facts, evaluate};
use seatwise::reclamation::rule::{Conditions, Deciding, Edit, Scope};
use seatwise::reclamation::rules;
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::on_both;
use sqlx::Row as _;

/// What the pure decision says of every subscription of Sales Cloud, from the rows themselves.
async fn decided(company: &Company, rule: &Deciding) -> BTreeMap<(String, String), String> {
    let now_ms = company.host.now_ms();
    let mut tx = company.host.store.read_everything().await.unwrap();
    let exempt: Vec<String> =
        sqlx::query("select principal from exemptions where ended_at is null")
            .fetch_all(tx.conn())
            .await
            .unwrap()
            .iter()
            .map(|row| row.get("principal"))
            .collect();
    let rows =
        sqlx::query("select * from current_subscriptions where product_name = 'Sales Cloud'")
            .fetch_all(tx.conn())
            .await
            .unwrap();
    rows.iter()
        .map(|row| {
            let text = |column: &str| row.get::<String, _>(column);
            let (organization, principal, kind) =
                (text("organization_id"), text("principal"), text("kind"));
            let facts = Facts {
                organization: &organization,
                principal: &principal,
                kind: &kind,
                is_active: row.get::<i64, _>("is_active") == 1,
                is_recognised: true,
                is_free: row.get::<i64, _>("is_free") == 1,
                is_exempt: exempt.contains(&principal.to_lowercase()),
                is_never_active: row.get::<i64, _>("is_never_active") == 1,
                is_imported: text("organization_kind") == "import",
                baseline_ms: row.get("baseline_at"),
                cool_down_until_ms: row.get("cool_down_until"),
            };
            let word = evaluate(rule, &facts, now_ms).word().to_owned();
            ((organization.clone(), text("account_id")), word)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_statement_over_all_subscriptions_decides_as_the_pure_rule_does() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let (host, ana, ben) = (&company.host, &company.ana, &company.ben);
        // Somebody cools down, too.
        company.approve_rule().await;
        company.approve_all().await;
        let cy = company.candidate("cy").await;
        candidates::answer(host, ana, &cy.number, Answer::Keep, "quarter end")
            .await
            .unwrap();
        candidates::decide_keep(host, ben, &cy.number, true, "")
            .await
            .unwrap();
        let number = company.rule().await.number;
        let orgs: Vec<String> = decided(&company, &company.rule().await.deciding)
            .await
            .into_keys()
            .map(|(organization, _)| organization)
            .collect();
        let conditions = |kinds: &[&str], include_never_active| Conditions {
            account_kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            include_never_active,
        };
        let mut seen = std::collections::BTreeSet::new();
        for days_later in [0, 1, 29, 100] {
            company.advance(days_later * DAY_MS);
            for edit in [
                Edit {
                    threshold_days: Some(60),
                    conditions: Some(conditions(&["person"], true)),
                    ..Edit::default()
                },
                Edit {
                    threshold_days: Some(1),
                    ..Edit::default()
                },
                Edit {
                    threshold_days: Some(59),
                    exclusions: Some(["Dee@Example.com".to_owned()].into()),
                    ..Edit::default()
                },
                Edit {
                    conditions: Some(conditions(&["person"], false)),
                    ..Edit::default()
                },
                Edit {
                    conditions: Some(conditions(&["service"], true)),
                    ..Edit::default()
                },
                Edit {
                    scope: Some(Scope::Organizations([orgs[0].clone()].into())),
                    conditions: Some(conditions(&["person"], true)),
                    ..Edit::default()
                },
                Edit {
                    scope: Some(Scope::AllOrganizations),
                    exclusions: Some([].into()),
                    ..Edit::default()
                },
            ] {
                let rule = rules::edit_rule(host, ana, &number, &edit).await.unwrap();
                let expected = decided(&company, &rule.deciding).await;
                let preview = rules::preview_rule(host, ben, &number, 1_000)
                    .await
                    .unwrap();
                let stated: BTreeMap<(String, String), String> = preview
                    .people
                    .into_iter()
                    .map(|row| {
                        (
                            (row.organization_id.to_string(), row.account_id),
                            row.verdict,
                        )
                    })
                    .collect();
                assert_eq!(stated, expected, "{edit:?} {days_later} days later");
                seen.extend(expected.into_values());
            }
        }
        for word in [
            "candidate",
            "in_use",
            "not_active",
            "exempt",
            "excluded",
            "other_kind",
            "out_of_scope",
            "never_active_left_out",
            "cooling_down",
        ] {
            assert!(seen.contains(word), "{word} was met: {seen:?}");
        }
    })
    .await;
}
