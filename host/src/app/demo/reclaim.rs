//! The second half of the demo: the proposed rule, and with `--once` two approvals, silence, reclaim, verification.

use seatwise_builtin_connectors::Scenario;

use super::{People, compare, follow, print_position, told};
use crate::app::host::Host;
use crate::app::start::StartError;
use crate::app::worker;
use crate::kernel::clock::{DAY_MS, HOUR_MS, ShiftedClock};
use crate::kernel::money::Money;
use crate::profiles::model::WriteMode;
use crate::profiles::service as profiles;
use crate::reclamation::candidate::State;
use crate::reclamation::candidates::{self, CandidateFilter};
use crate::reclamation::model::RuleView;
use crate::reclamation::rule::{Edit, Silence};
use crate::reclamation::{actions, batches, rules};
use crate::reconciliation::service as reconciliation;

fn amount(minor: Option<i64>, currency: Option<&str>) -> String {
    match (minor, currency.and_then(|code| code.parse().ok())) {
        (Some(minor), Some(currency)) => Money { minor, currency }.to_string(),
        _ => "no price".to_owned(),
    }
}

/// The rule of the scenario: the one that names somebody.
async fn rule(host: &Host, people: &People) -> Result<Option<RuleView>, StartError> {
    for rule in rules::list_rules(host, &people.ben).await.map_err(told)? {
        let preview = rules::preview_rule(host, &people.ben, &rule.number, 1)
            .await
            .map_err(told)?;
        if preview.people_count > 0 {
            return Ok(Some(rule));
        }
    }
    Ok(None)
}

/// Ana changes the proposed rule, and everybody sees what it would name; nobody is asked, nothing is sent.
pub(super) async fn propose(host: &Host, people: &People) -> Result<(), StartError> {
    let Some(rule) = rule(host, people).await? else {
        return Err(StartError::Demo("no rule names anybody".to_owned()));
    };
    println!("\nSeatwise proposes {}: {}", rule.number, rule.sentence);
    let edit = Edit {
        silence: Some(Silence::Reclaim),
        ..Edit::default()
    };
    let rule = rules::edit_rule(host, &people.ana, &rule.number, &edit)
        .await
        .map_err(told)?;
    println!("Ana changes it: {}", rule.sentence);
    let preview = rules::preview_rule(host, &people.ana, &rule.number, 50)
        .await
        .map_err(told)?;
    println!(
        "It would name {} seats, worth {} a year:",
        preview.people_count,
        amount(preview.saving_minor, preview.currency.as_deref())
    );
    for row in preview.people.iter().take(12) {
        println!(
            "  {:<10} {:<22} {}",
            row.organization_name, row.principal, row.why
        );
    }
    if let Some(why) = rule.may_not_approve {
        println!("{why}");
    }
    Ok(())
}

/// Ben approves rule and list, silence passes on a fast clock, seats are taken back, and the vendor's own records must agree.
pub(super) async fn to_the_end(
    host: &Host,
    clock: &ShiftedClock,
    scenario: &Scenario,
    people: &People,
) -> Result<(), StartError> {
    let (ana, ben) = (&people.ana, &people.ben);
    let Some(rule) = rule(host, people).await? else {
        return Err(StartError::Demo("no rule names anybody".to_owned()));
    };
    rules::approve_rule(host, ben, &rule.number, &rule.digest)
        .await
        .map_err(told)?;
    worker::run_due(host).await?;
    println!(
        "\nBen approves version {} of {}",
        rule.version_no, rule.number
    );
    for profile in profiles::list(host, ana).await.map_err(told)? {
        profiles::set_write_mode(host, ana, &profile.number, WriteMode::Live)
            .await
            .map_err(told)?;
    }
    println!("Ana goes live with both profiles, after the check of the right to reclaim passed");
    let batch = batches::create_batch(host, ben, &rule.number, &[])
        .await
        .map_err(told)?;
    println!(
        "{} lists {} people, worth {} a year, with their literal requests:",
        batch.number,
        batch.people_count,
        amount(batch.saving_minor, batch.currency.as_deref())
    );
    for item in &batch.items {
        for step in &item.plan.steps {
            println!(
                "  {:<22} {} {} {}",
                item.principal,
                step.method,
                step.path,
                step.body.as_deref().unwrap_or("")
            );
        }
    }
    batches::approve_batch(host, ben, &batch.number, &batch.digest)
        .await
        .map_err(told)?;
    worker::run_due(host).await?;
    println!("Ben approves it; the holders are asked by mail");
    clock.advance(15 * DAY_MS);
    println!("Fifteen days pass without an answer");
    follow(host, ana).await?;
    // Only what is read after the requests can confirm them.
    clock.advance(HOUR_MS);
    for profile in profiles::list(host, ana).await.map_err(told)? {
        profiles::collect_now(host, ana, &profile.number)
            .await
            .map_err(told)?;
        follow(host, ana).await?;
    }
    report(host, scenario, people).await
}

async fn report(host: &Host, scenario: &Scenario, people: &People) -> Result<(), StartError> {
    let listed = candidates::list_candidates(host, &people.ben, &CandidateFilter::default(), 100)
        .await
        .map_err(told)?;
    println!("\nCandidates");
    for it in listed.iter().rev().filter(|it| it.batch_number.is_some()) {
        println!(
            "  {} {:<22} {:<20} {}",
            it.number,
            it.principal,
            it.state.as_str(),
            it.reason_text.as_deref().unwrap_or("")
        );
    }
    let taken: Vec<_> = listed
        .iter()
        .filter(|it| it.state == State::ClosedComplete)
        .collect();
    reconciliation::reconcile(host, &people.ana, "demand")
        .await
        .map_err(told)?;
    let position = reconciliation::get_reconciliation(host, &people.ana, None)
        .await
        .map_err(told)?;
    print_position(&position);
    for saved in &position.savings {
        println!(
            "seats returned {}, avoided {}",
            saved.seats_returned,
            amount(Some(saved.avoided_minor), saved.currency.as_deref())
        );
    }
    let sent: Vec<_> = actions::list_actions(host, &people.ben, None, 100)
        .await
        .map_err(told)?
        .into_iter()
        .filter(|action| action.state == "done")
        .collect();
    if taken.is_empty() || sent.len() != taken.len() {
        return Err(StartError::Demo(format!(
            "{} seats are confirmed and {} actions are done",
            taken.len(),
            sent.len()
        )));
    }
    for action in &sent {
        let writes: usize = scenario
            .orgs
            .iter()
            .map(|org| org.org.writes_to(&action.account_id))
            .sum();
        if writes != 1 {
            return Err(StartError::Demo(format!(
                "the vendor counts {writes} writes for {}, not one",
                action.principal
            )));
        }
    }
    compare(scenario, &position, sent.len())
}
