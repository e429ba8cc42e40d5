//! What must still be right at the vendor before a run or a reclaim begins: the connector's checks for it, made again.
//!
//! Invariants: the stored verdicts are the one source of what stands in the way, for pages, API and the gates of reclaim alike; a check
//! that could not be made (the vendor is down, its budget is spent) is no verdict; somebody is told when something begins to stand in
//! the way and when nothing does any more, once each.

use std::time::Instant;

use seatwise_runtime::CallError;
use seatwise_runtime::contract::connection::{CheckInfo, CheckResult, Verdict};
use serde::Serialize;
use serde_json::json;

use super::connect::{served, verdict};
use super::error::ProfileError;
use super::model::{ProfileState, WriteMode};
use super::playbook::Answers;
use super::service::need;
use super::store::{self, CheckView, ProfileRow};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connectors::link::OrgLink;
use crate::identity::roles::Actor;
use crate::kernel::clock::MINUTE_MS;
use crate::kernel::{Problem, ProfileId};
use crate::notify::{Cause, Facts, Notice, service as notify};
use crate::store::{StoreError, Tx};
use crate::sync::source::{Checked, Class, Standing};

/// Verdicts of so long ago still count: publishing, a first run and a burst of reclaims make one set.
pub const FRESH_MS: i64 = 5 * MINUTE_MS;
/// The word in a profile's list of what needs a person.
pub const CHECK_FAILED: &str = "check_failed";

/// What is about to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A run: what it reads, the history of activity that follows it included.
    Download,
    /// Taking seats back.
    Reclaim,
}

impl Work {
    fn needs(self, process: &str) -> bool {
        match self {
            Self::Download => process != "reclaim",
            Self::Reclaim => process == "reclaim",
        }
    }

    /// Whether a check is one of this work.
    #[must_use]
    pub fn is_checked_by(self, check: &CheckView) -> bool {
        check.serves.iter().any(|process| self.needs(process))
    }

    /// Whether a verdict stands in the way. A download goes on without what is optional; a reclaim wants all that serves it, as going
    /// live does.
    #[must_use]
    pub fn is_stopped_by(self, check: &CheckView) -> bool {
        check.verdict == "fail"
            && self.is_checked_by(check)
            && (check.is_mandatory || self == Self::Reclaim)
    }
}

/// Something that needs a person, with what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The word in the profile's `attention`.
    pub code: &'static str,
    /// What it is about.
    pub title: String,
    /// What was found.
    pub says: String,
    /// What to do.
    pub fix: Option<String>,
    /// What does not go on meanwhile.
    pub stops: &'static str,
}

/// The verdicts that stand in the way of what a profile does by itself: its downloads, and its reclaims while it is live. A draft does
/// nothing yet. Pure.
#[must_use]
pub fn in_the_way(
    state: ProfileState,
    mode: WriteMode,
    checks: &[CheckView],
) -> Vec<(Work, &CheckView)> {
    if !matches!(state, ProfileState::Published | ProfileState::Paused) {
        return Vec::new();
    }
    checks
        .iter()
        .filter_map(|check| {
            if Work::Download.is_stopped_by(check) {
                Some((Work::Download, check))
            } else if mode == WriteMode::Live && Work::Reclaim.is_stopped_by(check) {
                Some((Work::Reclaim, check))
            } else {
                None
            }
        })
        .collect()
}

/// The same as it is shown.
#[must_use]
pub fn needs(state: ProfileState, mode: WriteMode, checks: &[CheckView]) -> Vec<Need> {
    in_the_way(state, mode, checks)
        .into_iter()
        .map(|(work, check)| Need {
            code: CHECK_FAILED,
            title: check.title.clone(),
            says: check.evidence.clone(),
            fix: check.fix.clone(),
            stops: match work {
                Work::Download => "No download begins until it passes",
                Work::Reclaim => {
                    "No seat is taken back until it passes; what is approved stays approved"
                }
            },
        })
        .collect()
}

/// Why work does not begin, for whoever asked for it.
fn problem(work: Work, checks: &[CheckView]) -> Option<Problem> {
    let failed: Vec<&CheckView> = checks
        .iter()
        .filter(|check| work.is_stopped_by(check))
        .collect();
    let first = failed.first()?;
    let more = match failed.len() {
        1 => String::new(),
        n => format!("; {} more did not pass", n - 1),
    };
    let ids: Vec<&str> = failed.iter().map(|check| check.id.as_str()).collect();
    let fix = first
        .fix
        .clone()
        .unwrap_or_else(|| "Look at the profile's checks".to_owned());
    Some(
        Problem::new(
            "profile.check_failed",
            409,
            format!("{}: {}{more}", first.title, first.evidence),
            fix,
        )
        .with(json!({ "checks": ids })),
    )
}

/// What a run is told of optional checks that failed.
fn notes(work: Work, checks: &[CheckView]) -> Vec<String> {
    checks
        .iter()
        .filter(|check| {
            check.verdict == "fail" && work.is_checked_by(check) && !work.is_stopped_by(check)
        })
        .map(|check| {
            let fix = check
                .fix
                .as_deref()
                .map(|fix| format!(". {fix}"))
                .unwrap_or_default();
            format!(
                "Off or incomplete, {}: {} ({}){fix}",
                check.serves.join(", "),
                check.title,
                check.evidence
            )
        })
        .collect()
}

/// The connector's checks that are to be made now; none where all of them were made a moment ago. For a download, what stands in the
/// way is always asked again: somebody who presses *Collect now* has just repaired it.
pub(super) async fn due(
    host: &Host,
    profile: &ProfileId,
    infos: Vec<CheckInfo>,
    work: Work,
) -> Result<Vec<CheckInfo>, StoreError> {
    let wanted: Vec<CheckInfo> = infos
        .into_iter()
        .filter(|info| served(info).iter().any(|process| work.needs(process)))
        .collect();
    let mut tx = host.store.read_everything().await?;
    let at = store::checks::checked_at(&mut tx, profile).await?;
    let stored = store::list_checks(&mut tx, profile).await?;
    let is_stopped = stored.iter().any(|check| work.is_stopped_by(check));
    let oldest = host.now_ms() - FRESH_MS;
    let are_fresh = wanted
        .iter()
        .all(|info| at.get(&info.id).is_some_and(|at| *at > oldest));
    let is_again = is_stopped && work == Work::Download;
    Ok(if are_fresh && !is_again {
        Vec::new()
    } else {
        wanted
    })
}

fn view(checked: Checked) -> CheckView {
    CheckView {
        serves: served(&checked.info),
        id: checked.info.id,
        title: checked.info.title,
        is_mandatory: checked.info.mandatory,
        verdict: verdict(checked.result.verdict).to_owned(),
        evidence: checked.result.evidence,
        fix: checked.result.fix,
        took_ms: checked.took_ms,
    }
}

/// One check. A failure that says something of rights or configuration is a verdict; any other is none.
///
/// # Errors
/// The failure that is no verdict.
pub(super) async fn one(link: &OrgLink, id: &str) -> Result<CheckResult, CallError> {
    let error = match link.check(id).await {
        Ok(result) => return Ok(result),
        Err(error) => error,
    };
    let passes = match &error {
        CallError::Failed(failure) => matches!(
            Class::of(failure.kind, failure.retry_after_ms),
            Class::Passing(_) | Class::Quota
        ),
        CallError::Timeout { .. } | CallError::Host { .. } => true,
        CallError::Limit { .. } | CallError::Trap { .. } => false,
    };
    if passes {
        return Err(error);
    }
    let problem = link.explain(&error);
    Ok(CheckResult {
        verdict: Verdict::Fail,
        evidence: problem.message,
        fix: Some(problem.fix.text),
    })
}

/// Keeps verdicts, and says what they mean for the work.
pub(super) async fn keep(
    host: &Host,
    profile: &ProfileId,
    checked: Vec<Checked>,
    work: Work,
) -> Result<Standing, ProfileError> {
    let views: Vec<CheckView> = checked.into_iter().map(view).collect();
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, profile.as_str()).await?;
    store::checks::merge_checks(&mut tx, profile, &views, host.now_ms()).await?;
    settle(host, &mut tx, &row, &Actor::system()).await?;
    tx.commit().await?;
    Ok(Standing {
        blocked: problem(work, &views),
        notes: notes(work, &views),
    })
}

/// Makes the checks of a reclaim that are due, and keeps them; what then stands in the way is read by the gates. Some: the vendor could
/// not be asked.
///
/// # Errors
/// The database's own.
pub async fn before_reclaim(
    host: &Host,
    link: &OrgLink,
    profile: &ProfileId,
) -> Result<Option<CallError>, ProfileError> {
    let infos = match link.checks().await {
        Ok(infos) => infos,
        Err(error) => return Ok(Some(error)),
    };
    let mut checked = Vec::new();
    for info in due(host, profile, infos, Work::Reclaim).await? {
        let began = Instant::now();
        match one(link, &info.id).await {
            Ok(result) => checked.push(Checked {
                info,
                result,
                took_ms: i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX),
            }),
            Err(error) => return Ok(Some(error)),
        }
    }
    if !checked.is_empty() {
        keep(host, profile, checked, Work::Reclaim).await?;
    }
    Ok(None)
}

/// What stands in the way of taking seats back by a profile, as the last checks say.
pub(super) async fn stops_reclaim(
    tx: &mut Tx,
    row: &ProfileRow,
) -> Result<Option<String>, StoreError> {
    if row.write_mode != WriteMode::Live {
        return Ok(None);
    }
    let checks = store::list_checks(tx, &row.id).await?;
    Ok(problem(Work::Reclaim, &checks).map(|problem| problem.message))
}

/// Compares the stored verdicts with what people were told, in the transaction that changed them. A person who ran the checks sees what
/// they say and is not written to; what waited goes on at once when nothing stands in the way any more.
pub(super) async fn settle(
    host: &Host,
    tx: &mut Tx,
    row: &ProfileRow,
    actor: &Actor,
) -> Result<(), StoreError> {
    let checks = store::list_checks(tx, &row.id).await?;
    let stopped = in_the_way(row.state, row.write_mode, &checks);
    let was_told = row.attention.contains(CHECK_FAILED);
    let is_system = actor.id.as_str() == Actor::SYSTEM_ID;
    let now_ms = host.now_ms();
    match (stopped.first(), was_told) {
        (Some((_, check)), false) if is_system => {
            store::put_attention(tx, &row.id, &json!([CHECK_FAILED]).to_string()).await?;
            let happened = format!("{}: {}", check.title, check.evidence);
            tell(
                host,
                tx,
                row,
                Cause::Attention,
                &happened,
                check.fix.clone(),
            )
            .await?;
            let ids: Vec<&str> = stopped.iter().map(|(_, check)| check.id.as_str()).collect();
            record(
                host,
                tx,
                row,
                "profile.needs_attention",
                &json!({"failed": ids, "at": now_ms}),
            )
            .await?;
        }
        (None, true) => {
            store::put_attention(tx, &row.id, "[]").await?;
            let happened = "every check that something depends on passes again";
            tell(host, tx, row, Cause::AttentionOver, happened, None).await?;
            record(host, tx, row, "profile.recovered", &json!({"at": now_ms})).await?;
        }
        _ => {}
    }
    if stopped.is_empty() && !is_system {
        crate::sync::service::wake_waiting(host, tx, &row.id).await?;
        if let Some(organization) = &row.organization {
            super::acting::wake_reclaim(host, tx, organization).await?;
        }
    }
    Ok(())
}

async fn record(
    host: &Host,
    tx: &mut Tx,
    row: &ProfileRow,
    event: &str,
    detail: &serde_json::Value,
) -> Result<(), StoreError> {
    let entry = Entry {
        event,
        subject_kind: "profile",
        subject_id: row.id.as_str(),
        detail: detail.clone(),
    };
    host.audit(tx, &Actor::system(), entry).await
}

async fn tell(
    host: &Host,
    tx: &mut Tx,
    row: &ProfileRow,
    cause: Cause,
    happened: &str,
    fix: Option<String>,
) -> Result<(), StoreError> {
    let notice = Notice {
        cause,
        key: format!("{}:{}:{}", cause.as_str(), row.id, host.now_ms()),
        subject_kind: "profile",
        subject_id: row.id.to_string(),
        owner: Answers::parse(&row.answers).owner,
        facts: Facts {
            number: row.number.clone(),
            name: row.name.clone(),
            happened: happened.to_owned(),
            fix,
            path: format!("/profiles/{}", row.number),
            counts: Vec::new(),
        },
    };
    notify::tell(host, tx, &notice).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: &str, serves: &[&str], is_mandatory: bool, verdict: &str) -> CheckView {
        CheckView {
            id: id.to_owned(),
            title: format!("Title of {id}"),
            serves: serves.iter().map(|word| (*word).to_owned()).collect(),
            is_mandatory,
            verdict: verdict.to_owned(),
            evidence: "seen".to_owned(),
            fix: Some("do this".to_owned()),
            took_ms: 1,
        }
    }

    fn stopped(state: ProfileState, mode: WriteMode, checks: &[CheckView]) -> Vec<&str> {
        in_the_way(state, mode, checks)
            .into_iter()
            .map(|(_, check)| check.id.as_str())
            .collect()
    }

    #[test]
    fn a_download_is_stopped_by_what_is_mandatory_and_a_reclaim_by_all_that_serves_it() {
        use ProfileState::{Draft, Published};
        let checks = [
            check("users", &["subscriptions", "activity"], true, "fail"),
            check("frozen", &["subscriptions", "reclaim"], false, "fail"),
            check("history", &["activity"], false, "fail"),
            check("right", &["reclaim"], false, "fail"),
            check("wide", &["reclaim"], false, "warn"),
            check("right-org", &[], true, "fail"),
        ];
        assert_eq!(stopped(Published, WriteMode::DryRun, &checks), ["users"]);
        assert_eq!(
            stopped(Published, WriteMode::Live, &checks),
            ["users", "frozen", "right"]
        );
        assert!(stopped(Draft, WriteMode::Live, &checks).is_empty());
        let told = problem(Work::Download, &checks).unwrap();
        assert_eq!(told.message, "Title of users: seen");
        assert_eq!(told.fix.text, "do this");
        assert!(
            problem(Work::Reclaim, &checks)
                .unwrap()
                .message
                .ends_with("; 1 more did not pass")
        );
        assert!(problem(Work::Reclaim, &checks[4..]).is_none());
    }

    #[test]
    fn an_optional_check_that_fails_says_what_is_off() {
        let checks = [
            check("history", &["activity"], false, "fail"),
            check("users", &["subscriptions"], true, "fail"),
        ];
        assert_eq!(
            notes(Work::Download, &checks),
            ["Off or incomplete, activity: Title of history (seen). do this"]
        );
    }
}
