//! `seatwise demo`: the main job on local practice orgs, then the pages with everything in them; with `--once` headless to the end.

mod reclaim;

use std::collections::BTreeSet;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use seatwise_builtin_connectors::{PracticeError, Scenario, scenario};
use zeroize::Zeroizing;

use super::host::Host;
use super::serve::{self, introduce, person};
use super::start::{self, Start, StartError};
use super::worker;
use crate::cli::{DemoArgs, PracticeOrgArgs};
use crate::entitlements::model::SourceOfRights;
use crate::entitlements::service::{self as entitlements, NewEntitlement};
use crate::entitlements::terms::Period;
use crate::identity::roles::{Actor, Role, Via};
use crate::identity::service as identity;
use crate::kernel::clock::{ShiftedClock, SystemClock};
use crate::kernel::faults::NoFaults;
use crate::kernel::{Clock as _, Day, IntoProblem, PrincipalId};
use crate::people::service as people;
use crate::profiles::service::{self as profiles, NewProfile};
use crate::reclamation::controls::{self, NewExemption};
use crate::reconciliation::ReconciliationView;
use crate::reconciliation::service as reconciliation;
use crate::sync::service as runs;
use crate::sync::{RunProcess, RunState};

/// How often the progress line of a run is drawn anew.
const DRAW: Duration = Duration::from_millis(120);

/// Runs the demo.
///
/// # Errors
/// [`StartError`]; with `--once` also when the vendor's own records disagree.
pub async fn demo(args: DemoArgs) -> Result<(), StartError> {
    let listener = serve::listen(args.listen).await?;
    let address = listener.local_addr().map_err(|source| StartError::Listen {
        address: args.listen,
        source,
    })?;
    let scenario = scenario(SystemClock.now_ms(), args.users, args.seed)
        .await
        .map_err(|error: PracticeError| StartError::Demo(error.to_string()))?;
    let allow: Vec<String> = scenario
        .orgs
        .iter()
        .map(|org| org.org.target.clone())
        .collect();
    let clock = Arc::new(ShiftedClock::default());
    let temporary = std::env::temp_dir().join(format!("seatwise-demo-{}", std::process::id()));
    let data = args.data.clone().unwrap_or_else(|| temporary.clone());
    let host = start::open(Start {
        data: &data,
        database: args.database.as_deref(),
        public_url: format!("http://{address}"),
        allow: &allow,
        mail: None,
        outbound: &[],
        clock: clock.clone(),
        faults: Arc::new(NoFaults),
    })
    .await?;
    let played = play(&host, &scenario).await;
    let ended = match played {
        Ok(people) if args.once => {
            let ended = reclaim::to_the_end(&host, &clock, &scenario, &people).await;
            host.store.close().await;
            ended
        }
        Ok(_) => {
            println!(
                "\nBoth profiles are in dry run: nothing is written to a vendor until Ana goes live with them."
            );
            println!("\nThe pages: http://{address}");
            let everybody = identity::list_principals(&host, &Actor::system()).await?;
            introduce(&host, everybody).await?;
            println!(
                "Ctrl-C ends the demo{}",
                if args.data.is_none() {
                    " and removes its data"
                } else {
                    ""
                }
            );
            serve::run(host, listener).await
        }
        Err(error) => Err(error),
    };
    if args.data.is_none() {
        // What cannot be removed lies in the temporary folder, where it does no harm.
        let _ = tokio::fs::remove_dir_all(&temporary).await;
    }
    ended
}

/// Serves a practice org for a connector author until a signal.
///
/// # Errors
/// [`StartError::Demo`] naming what is wrong.
pub async fn practice_org(args: PracticeOrgArgs) -> Result<(), StartError> {
    let started = seatwise_builtin_connectors::serve(
        &args.connector,
        args.port,
        args.users,
        args.seed,
        args.faults.as_deref(),
    )
    .await;
    let org = started.map_err(|error| StartError::Demo(error.to_string()))?;
    println!("The practice org answers at {}", org.login_url);
    if let (Some(https), Some(ca)) = (&org.https_url, &org.ca_pem) {
        let path =
            std::env::temp_dir().join(format!("seatwise-practice-org-{}.pem", std::process::id()));
        start::write_private(&path, ca).await?;
        println!(
            "  and at {https}, signed by the throw-away authority in {}",
            path.display()
        );
    }
    println!(
        "  grant          {}\n  client id      {}\n  client secret  {}",
        org.grant, org.client_id, org.client_secret
    );
    println!(
        "  control        {}/_practice/… (writes, users, clock, faults)",
        org.login_url
    );
    println!("  for a host     --allow-target {}", org.target);
    println!("Ctrl-C ends it");
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| StartError::Demo(format!("signals cannot be listened for: {error}")))
}

/// Who plays.
struct People {
    /// Connects the orgs, sets prices and exemptions.
    ana: Actor,
    /// Approves.
    ben: Actor,
}

/// Connects, downloads, reconciles, and shows the proposed rule with its numbers.
async fn play(host: &Host, scenario: &Scenario) -> Result<People, StartError> {
    let ana = person(
        host,
        "Ana",
        "ana@example.com",
        &[Role::SamIntegrator, Role::SamAdmin],
    )
    .await?;
    let ben = person(
        host,
        "Ben",
        "ben@example.com",
        &[Role::Approver, Role::SamUser],
    )
    .await?;
    let ana = actor(ana, "Ana", &[Role::SamIntegrator, Role::SamAdmin]);
    let ben = actor(ben, "Ben", &[Role::Approver, Role::SamUser]);
    let imported = people::import_csv(host, &ana, &scenario.people_csv)
        .await
        .map_err(told)?;
    println!("Ana imports the directory: {} people", imported.added);
    for org in &scenario.orgs {
        let new = NewProfile {
            connector: scenario.connector.to_owned(),
            name: org.profile.to_owned(),
            parent: None,
            login_url: org.org.login_url.clone(),
            grant: org.org.grant.to_owned(),
            client_id: org.org.client_id.clone(),
            client_secret: Zeroizing::new(org.org.client_secret.clone()),
            refresh_token: None,
            settings: org
                .settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let draft = profiles::create(host, &ana, new).await.map_err(told)?;
        println!("Ana connects {} as {}", draft.name, draft.number);
        let published = profiles::publish(host, &ana, draft.id.as_str())
            .await
            .map_err(told)?;
        let passed = published
            .checks
            .iter()
            .filter(|check| check.verdict == "pass")
            .count();
        println!(
            "  {} of {} checks passed; published; the first run starts",
            passed,
            published.checks.len()
        );
        follow(host, &ana).await?;
    }
    for right in &scenario.entitlements {
        let today = Day::of_ms(host.now_ms());
        let new = NewEntitlement {
            product: right.product.to_owned(),
            organization: None,
            is_shared: true,
            rights: right.rights,
            unit_price: right.unit_price.to_owned(),
            currency: scenario.currency.to_owned(),
            period: Period::Year,
            starts_on: today.plus_days(right.days.0),
            ends_on: today.plus_days(right.days.1),
            source: SourceOfRights::Contract,
            note: None,
        };
        entitlements::add_entitlement(host, &ana, new)
            .await
            .map_err(told)?;
    }
    println!(
        "Ana enters {} entitlements, shared by contract",
        scenario.entitlements.len()
    );
    for exempt in &scenario.exemptions {
        let new = NewExemption {
            organization: None,
            principal: exempt.principal.to_owned(),
            kind: exempt.kind.to_owned(),
            reason: exempt.reason.to_owned(),
            until: None,
        };
        controls::add_exemption(host, &ana, new)
            .await
            .map_err(told)?;
    }
    println!("Ana exempts {} accounts", scenario.exemptions.len());
    reconciliation::reconcile(host, &ana, "demand")
        .await
        .map_err(told)?;
    worker::run_due(host).await?;
    let position = reconciliation::get_reconciliation(host, &ana, None)
        .await
        .map_err(told)?;
    print_position(&position);
    compare(scenario, &position, 0)?;
    let people = People { ana, ben };
    reclaim::propose(host, &people).await?;
    Ok(people)
}

/// Works through what is due and shows each run while it moves.
async fn follow(host: &Host, ana: &Actor) -> Result<(), StartError> {
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(100)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("  {bar:30} {pos:>3} %  {msg}") {
        bar.set_style(style);
    }
    // A download, and after it the history of activity where the profile asks for one.
    let newest = |process: RunProcess| async move {
        runs::list_runs(host, ana, None, None, 2)
            .await
            .ok()?
            .into_iter()
            .find(|run| run.process == process)
    };
    let before = newest(RunProcess::Activity).await.map(|run| run.id);
    let work = worker::run_due(host);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                done?;
                break;
            }
            () = tokio::time::sleep(DRAW) => {
                if let Some(run) = newest(RunProcess::Subscriptions).await {
                    bar.set_position(u64::try_from(run.percent().unwrap_or(0)).unwrap_or(0));
                    bar.set_message(format!("{} accounts, {} pages", run.accounts, run.pages));
                }
            }
        }
    }
    bar.finish_and_clear();
    let run = newest(RunProcess::Subscriptions)
        .await
        .ok_or_else(|| StartError::Demo("no run was started".to_owned()))?;
    if run.state != RunState::Complete {
        let why = run.problem.map_or_else(
            || "it did not complete".to_owned(),
            |problem| format!("{}; {}", problem.message, problem.fix),
        );
        return Err(StartError::Demo(format!(
            "{} ended {}: {why}",
            run.number,
            run.state.as_str()
        )));
    }
    println!(
        "  {}: {} accounts, {} assignments, {} pools in {} pages",
        run.number, run.accounts, run.assignments, run.pools, run.pages
    );
    let history = newest(RunProcess::Activity).await;
    if let Some(history) = history.filter(|run| Some(&run.id) != before.as_ref()) {
        println!(
            "  {}: {} days of activity read from its login history, {}",
            history.number,
            history.activity,
            history.state.as_str()
        );
    }
    Ok(())
}

fn print_position(view: &ReconciliationView) {
    println!("\nPosition {} of {}", view.number, view.as_of_day);
    println!(
        "{:<22} {:<12} {:>7} {:>7} {:>7} {:>7}  {:<14} {:>14} {:>14} {:>10} {:>14}",
        "product",
        "scope",
        "owned",
        "active",
        "used",
        "needed",
        "status",
        "true-up",
        "over-licensed",
        "candidates",
        "potential"
    );
    let number =
        |value: Option<i64>| value.map_or_else(|| "–".to_owned(), |value| value.to_string());
    let amount = |minor: Option<i64>, currency: &Option<String>| match (
        minor,
        currency.as_deref().and_then(|code| code.parse().ok()),
    ) {
        (Some(minor), Some(currency)) => {
            crate::kernel::money::Money { minor, currency }.to_string()
        }
        _ => "–".to_owned(),
    };
    for p in &view.positions {
        println!(
            "{:<22} {:<12} {:>7} {:>7} {:>7} {:>7}  {:<14} {:>14} {:>14} {:>10} {:>14}",
            p.product,
            p.scope_name,
            number(p.owned),
            p.active,
            p.used,
            p.needed,
            p.status,
            amount(p.true_up_minor, &p.currency),
            amount(p.over_licensed_minor, &p.currency),
            p.candidates,
            amount(p.potential_minor, &p.currency)
        );
    }
    let totals = &view.totals;
    println!(
        "unrecognised identifiers {} ({} subscriptions), unresolved accounts {}, overlaps {}",
        totals.unrecognised_identifiers,
        totals.unrecognised_subscriptions,
        totals.unresolved_accounts,
        totals.overlaps
    );
}

/// The vendor's own count of seats must be what the position stands on, and exactly so many writes may have reached it.
fn compare(
    scenario: &Scenario,
    view: &ReconciliationView,
    expected_writes: usize,
) -> Result<(), StartError> {
    let at_vendor: i64 = scenario
        .identifiers
        .iter()
        .flat_map(|id| {
            scenario
                .orgs
                .iter()
                .filter_map(|org| org.org.seats_used(id))
        })
        .sum();
    let products: BTreeSet<&str> = scenario
        .entitlements
        .iter()
        .filter(|right| right.unit_price != "0")
        .map(|right| right.product)
        .collect();
    let here: i64 = view
        .positions
        .iter()
        .filter(|p| p.scope == "contract" && products.contains(p.product.as_str()))
        .map(|p| p.active)
        .sum();
    let writes: usize = scenario.orgs.iter().map(|org| org.org.writes()).sum();
    if at_vendor == here && writes == expected_writes {
        println!("The vendor's own records agree: {at_vendor} seats in use, {writes} writes");
        Ok(())
    } else {
        Err(StartError::Demo(format!(
            "the vendor counts {at_vendor} seats and {writes} writes; the position has {here} seats and {expected_writes} writes were expected"
        )))
    }
}

fn actor(id: PrincipalId, name: &str, roles: &[Role]) -> Actor {
    Actor {
        id,
        name: name.to_owned(),
        roles: roles.iter().copied().collect(),
        via: Via::Session {
            session: "demo".to_owned(),
        },
        sight: crate::store::Sight::everything(),
    }
}

fn told(error: impl IntoProblem) -> StartError {
    let problem = error.problem();
    StartError::Demo(format!("{}; {}", problem.message, problem.fix.text))
}
