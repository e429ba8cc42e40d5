//! What a task's page shows besides fields: work at the vendor, the checks, all answers, the first sync and what it found.
use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::playbook::Shown;
use serde::Serialize;

use super::Error;
use super::gate::Visitor;
use super::playbook_fields::{self as fields};
use super::playbook_sign_in::SignInPart;
use super::runs::RunPage;
use crate::app::host::Host;
use crate::profiles::playbook::Task;
use crate::profiles::{CheckView, PlaybookView};
use crate::reclamation::rules;
use crate::reconciliation::service::{self as reconciliation, ReconciliationError};
use crate::sync::RunState;

/// Rules that the last page previews.
const MOST_RULES: usize = 5;

/// See the module. Which parts are there follows from the task.
#[derive(Default, Serialize)]
pub(super) struct Parts {
    pub prepare: Option<Prepare>,
    pub checks: Option<Checks>,
    pub review: Option<Review>,
    pub first: Option<First>,
    pub sign_in: Option<SignInPart>,
}

/// Work at the vendor.
#[derive(Serialize)]
pub(super) struct Prepare {
    pub about: String,
    pub steps: Vec<String>,
    pub callback_url: Option<String>,
    /// The request came by another host than the callback URL names.
    pub other_host: Option<String>,
    pub scopes: Option<String>,
    pub shows_outbound: bool,
    pub outbound: Vec<String>,
    pub rights: Vec<Rights>,
    /// The checks that prove it, as they last were.
    pub proof: Vec<CheckView>,
    pub will_not_work: Vec<(String, String)>,
}

/// The rights of one process.
#[derive(Serialize)]
pub(super) struct Rights {
    pub process: String,
    pub is_optional: bool,
    /// The right and why it is needed.
    pub rights: Vec<(String, String)>,
}

/// One check as it is shown.
#[derive(Serialize)]
pub(super) struct CheckLine {
    #[serde(flatten)]
    pub check: CheckView,
    /// The processes it serves, in the manifest's words.
    pub processes: Vec<String>,
    /// What is off when an optional check fails.
    pub switches_off: Option<String>,
    /// It has a verdict, so it can be run again.
    pub can_retry: bool,
}

/// The checks, live.
#[derive(Serialize)]
pub(super) struct Checks {
    pub lines: Vec<CheckLine>,
    pub is_running: bool,
    pub passed: usize,
    pub failed: usize,
    pub finished: usize,
    pub total: usize,
    /// There is an address to sign in at.
    pub can_run: bool,
}

impl Checks {
    pub(super) fn of(view: &PlaybookView, manifest: &Manifest) -> Self {
        let title = |id: &String| {
            manifest
                .processes
                .iter()
                .find(|process| process.id.as_str() == id)
                .map_or_else(|| id.clone(), |process| process.title.clone())
        };
        let is_open = |check: &CheckView| matches!(check.verdict.as_str(), "waiting" | "running");
        let all = &view.profile.checks;
        let lines = all
            .iter()
            .map(|check| {
                let processes: Vec<String> = check.serves.iter().map(title).collect();
                let off = !check.is_mandatory && check.verdict == "fail";
                CheckLine {
                    switches_off: (off && !processes.is_empty())
                        .then(|| format!("Off or incomplete without it: {}", processes.join(", "))),
                    can_retry: !is_open(check),
                    processes,
                    check: check.clone(),
                }
            })
            .collect();
        let count = |verdict: &str| all.iter().filter(|c| c.verdict == verdict).count();
        let open = all.iter().filter(|check| is_open(check)).count();
        Self {
            lines,
            is_running: open > 0,
            passed: count("pass"),
            failed: count("fail"),
            finished: all.len() - open,
            total: all.len(),
            can_run: !view.profile.login_url.is_empty(),
        }
    }
}

/// One answer of the review.
#[derive(Serialize)]
pub(super) struct Answer {
    pub task: String,
    pub label: String,
    pub value: String,
    /// For a screen reader behind *Change*.
    pub about: String,
    pub can_change: bool,
}

/// All answers, and what publishing does.
#[derive(Serialize)]
pub(super) struct Review {
    pub answers: Vec<Answer>,
    /// Tasks that publishing waits for: address and title.
    pub missing: Vec<(String, String)>,
    pub is_draft: bool,
    /// What the button says in brackets: people, minutes, calls.
    pub effect: Option<String>,
    pub next_run: Option<i64>,
}

/// The first run, and what it found.
#[derive(Serialize)]
pub(super) struct First {
    pub live: Option<RunPage>,
    pub run: Option<String>,
    pub is_moving: bool,
    pub has_failed: bool,
    /// Complete, but what follows from it is still being worked out.
    pub is_settling: bool,
    pub licences: Vec<Licence>,
    pub unresolved: i64,
    pub unrecognised: i64,
    pub rules: Vec<Proposed>,
    /// Another org can begin from this one.
    pub connector: String,
}

/// One licence of the org after the first run.
#[derive(Serialize)]
pub(super) struct Licence {
    pub product: String,
    pub owned: Option<i64>,
    pub assigned: i64,
    pub unused_tenths: i64,
    pub potential_minor: Option<i64>,
    pub currency: Option<String>,
}

/// A rule that waits for a person.
#[derive(Serialize)]
pub(super) struct Proposed {
    pub number: String,
    pub name: String,
    pub sentence: String,
    pub state: String,
}

/// Hour and minute, UTC, of a moment.
#[must_use]
pub(super) fn clock(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(
        |_| "an unknown time".to_owned(),
        |at| at.strftime("%H:%M UTC").to_string(),
    )
}

/// The work of one preparation, for its page and for a hand-over.
pub(super) fn prepare(
    host: &Host,
    manifest: &Manifest,
    id: &str,
    checks: &[CheckView],
    other_host: Option<String>,
) -> Option<Prepare> {
    let step = manifest.playbook.preparation(id)?;
    let shows = |what| step.shows.contains(&what);
    let base = host.options.public_url.trim_end_matches('/');
    let callback_url = shows(Shown::CallbackUrl).then(|| format!("{base}/connect/callback"));
    let scopes = shows(Shown::Scopes).then(|| {
        let all: std::collections::BTreeSet<&str> = manifest
            .credential
            .grants
            .iter()
            .flat_map(|grant| &grant.scopes)
            .map(String::as_str)
            .collect();
        all.into_iter().collect::<Vec<_>>().join(" ")
    });
    let rights = if shows(Shown::Rights) {
        manifest
            .processes
            .iter()
            .map(|process| Rights {
                process: process.title.clone(),
                is_optional: process.optional,
                rights: process
                    .rights
                    .iter()
                    .map(|right| (right.name.clone(), right.why.clone()))
                    .collect(),
            })
            .collect()
    } else {
        Vec::new()
    };
    Some(Prepare {
        about: step.about.clone(),
        steps: step.steps.clone(),
        other_host: other_host.filter(|_| callback_url.is_some()),
        callback_url,
        scopes,
        shows_outbound: shows(Shown::OutboundAddresses),
        outbound: host.options.outbound.clone(),
        proof: checks
            .iter()
            .filter(|check| step.proven_by.contains(&check.id))
            .cloned()
            .collect(),
        will_not_work: if rights.is_empty() {
            Vec::new()
        } else {
            manifest
                .playbook
                .will_not_work
                .iter()
                .map(|it| (it.what.clone(), it.why.clone()))
                .collect()
        },
        rights,
    })
}

impl Parts {
    /// The parts of a task.
    pub(super) async fn of(
        host: &Host,
        visitor: &Visitor,
        task: &Task,
        view: &PlaybookView,
        manifest: &Manifest,
        other_host: Option<String>,
    ) -> Result<Self, Error> {
        let mut parts = Self::default();
        match task {
            Task::Prepare(id) => {
                parts.prepare = prepare(host, manifest, id, &view.profile.checks, other_host);
            }
            Task::Checks => parts.checks = Some(Checks::of(view, manifest)),
            Task::Review => parts.review = Some(review(host, visitor, view, manifest).await?),
            Task::FirstSync => parts.first = Some(first(host, visitor, view).await?),
            _ => {}
        }
        Ok(parts)
    }
}

async fn review(
    host: &Host,
    visitor: &Visitor,
    view: &PlaybookView,
    manifest: &Manifest,
) -> Result<Review, Error> {
    let people = crate::identity::service::list_principals(host, &visitor.actor).await?;
    let is_draft = view.profile.state == "draft";
    let mut answers = Vec::new();
    for task in crate::profiles::playbook::model::tasks(manifest) {
        let id = task.to_string();
        let of_task = fields::stored(&task, view, manifest, &people, visitor.actor.id.as_str());
        for field in of_task {
            let chosen = field.choices.iter().find(|choice| choice.is_chosen);
            let value = match (&field.stands, chosen) {
                (Some(stands), _) if field.kind == "password" => {
                    stands.split('.').next().unwrap_or_default().to_owned()
                }
                (_, None) if field.kind == "password" => "Not given".to_owned(),
                (_, Some(choice)) => choice.name.clone(),
                (Some(stands), None) if field.value.is_empty() => stands.clone(),
                _ if field.value.is_empty() => "Nothing given".to_owned(),
                _ => field.value.clone(),
            };
            answers.push(Answer {
                can_change: is_draft || task != Task::SignIn,
                about: field.label.to_lowercase(),
                task: id.clone(),
                label: field.label,
                value,
            });
        }
    }
    let effect = view.expected.map(|expected| {
        let quota = view
            .found
            .as_ref()
            .and_then(|found| found.quota)
            .map_or_else(String::new, |(_, limit)| {
                format!(" of {}", super::words::grouped(limit))
            });
        format!(
            "about {} users, about {} {}, {}{quota} daily requests",
            super::words::grouped(expected.accounts),
            super::words::grouped(expected.minutes),
            if expected.minutes == 1 {
                "minute"
            } else {
                "minutes"
            },
            super::words::grouped(expected.calls),
        )
    });
    let next_run =
        crate::profiles::schedule::next_free_run(&view.effective.schedule.value, host.now_ms())
            .ok();
    Ok(Review {
        answers,
        missing: view
            .missing()
            .into_iter()
            .map(|task| (task.id.clone(), task.title.clone()))
            .collect(),
        is_draft,
        effect,
        next_run,
    })
}

async fn first(host: &Host, visitor: &Visitor, view: &PlaybookView) -> Result<First, Error> {
    let mut first = First {
        run: view.run.as_ref().map(|run| run.number.clone()),
        live: None,
        is_moving: false,
        has_failed: false,
        is_settling: false,
        licences: Vec::new(),
        unresolved: 0,
        unrecognised: 0,
        rules: Vec::new(),
        connector: view.profile.connector.clone(),
    };
    let Some(run) = &view.run else {
        return Ok(first);
    };
    first.live = Some(RunPage::of(run.clone(), host.now_ms(), String::new()));
    first.is_moving = matches!(run.state, RunState::Queued | RunState::Running);
    first.has_failed = !first.is_moving && run.state != RunState::Complete;
    if run.state != RunState::Complete {
        return Ok(first);
    }
    let result = match reconciliation::get_reconciliation(host, &visitor.actor, None).await {
        Ok(result) => Some(result),
        Err(ReconciliationError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let own = view
        .profile
        .organization_id
        .as_ref()
        .map_or("", |id| id.as_str());
    let Some(result) = result.filter(|result| {
        result
            .basis
            .iter()
            .any(|basis| basis.organization_id == own)
    }) else {
        first.is_settling = true;
        return Ok(first);
    };
    let here: Vec<_> = result.positions.iter().filter(|p| p.scope == own).collect();
    first.unresolved = result.totals.unresolved_accounts;
    first.unrecognised = result.totals.unrecognised_identifiers;
    for rule in rules::list_rules(host, &visitor.actor).await? {
        if first.rules.len() < MOST_RULES && here.iter().any(|p| p.product_id == rule.product_id) {
            first.rules.push(Proposed {
                number: rule.number,
                name: rule.name,
                sentence: rule.sentence,
                state: rule.state.as_str().to_owned(),
            });
        }
    }
    first.licences = here
        .into_iter()
        .map(|p| Licence {
            product: p.product.clone(),
            owned: p.vendor_owned.or(p.owned),
            assigned: p.active,
            unused_tenths: p.percent_unused_tenths,
            potential_minor: p.potential_minor,
            currency: p.currency.clone(),
        })
        .collect();
    // What a person came for stands first.
    first
        .licences
        .sort_by_key(|it| std::cmp::Reverse((it.potential_minor, it.unused_tenths, it.assigned)));
    Ok(first)
}
