//! What must be true right before a request is sent, read anew each time.

use super::ReclamationError;
use super::authority::WINDOW_MS;
use super::batches;
use super::model::{ControlsView, RuleState};
use super::store::actions::{self, ActionRow};
use super::store::batches as batch_store;
use super::store::candidates::CandidateRow;
use super::store::rules::{self, RuleRow, VersionRow};
use crate::app::host::Host;
use crate::connectors::quota::{self, Decision, Purpose};
use crate::kernel::Day;
use crate::profiles::acting::Acting;
use crate::profiles::model::WriteMode;
use crate::store::Tx;

/// Why nothing may be sent: a stable word, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub code: &'static str,
    pub text: String,
}

fn stop(code: &'static str, text: impl Into<String>) -> Stop {
    Stop {
        code,
        text: text.into(),
    }
}

/// Held by the write mode, which only a person changes.
pub(super) const WRITE_MODE: &str = "write_mode";
/// Held because a check that serves reclaim does not pass.
pub(super) const CHECK_FAILED: &str = "check_failed";
/// Held by the limit of one sweep.
pub(super) const PER_RUN: &str = "limit_per_run";

/// What holds for a whole organization: the switch, freeze days, the profile's state, the vendor's budget, the last checks.
pub(super) fn organization(
    controls: &ControlsView,
    acting: Option<&Acting>,
    purpose: Purpose,
    now_ms: i64,
) -> Option<Stop> {
    if controls.is_stopped {
        let why = controls.stopped_reason.as_deref().unwrap_or("no reason");
        return Some(stop("stopped", format!("every reclaim is stopped: {why}")));
    }
    let today = Day::of_ms(now_ms).to_string();
    if purpose == Purpose::Reclaim && controls.freeze_days.contains(&today) {
        return Some(stop("freeze_day", format!("{today} is a freeze day")));
    }
    let Some(acting) = acting else {
        return Some(stop(
            "no_profile",
            "no published profile speaks for the organization",
        ));
    };
    if !acting.is_published {
        return Some(stop("paused", format!("{} is paused", acting.number)));
    }
    if let Some((used, limit)) = acting.quota
        && quota::decide(used, limit, acting.quota_percent, purpose, false) == Decision::Pause
    {
        return Some(stop(
            "quota",
            format!("{used} of {limit} calls of the vendor's budget are used"),
        ));
    }
    if let Some(text) = acting
        .check_failed
        .as_ref()
        .filter(|_| purpose == Purpose::Reclaim)
    {
        return Some(stop(CHECK_FAILED, text.as_str()));
    }
    None
}

/// The write mode, which in a dry run is asked last: everything but the sending is done.
pub(super) fn write_mode(acting: &Acting) -> Option<Stop> {
    match acting.write_mode {
        WriteMode::Live => None,
        WriteMode::DryRun => Some(stop(
            WRITE_MODE,
            format!(
                "{} is in dry run: everything was looked at, nothing was sent",
                acting.number
            ),
        )),
        WriteMode::Off => Some(stop(
            WRITE_MODE,
            format!("the write mode of {} is off", acting.number),
        )),
    }
}

/// The limits of the rule version for one organization; `taken` is what this sweep has taken already.
pub(super) async fn limits(
    host: &Host,
    tx: &mut Tx,
    rule: &RuleRow,
    version: &VersionRow,
    action: &ActionRow,
    taken: i64,
) -> Result<Option<Stop>, ReclamationError> {
    let limits = version.deciding.limits;
    let now_ms = host.now_ms();
    let organization = &action.organization_id;
    if taken >= limits.per_run {
        return Ok(Some(stop(
            PER_RUN,
            format!("{} seats were taken in this sweep", limits.per_run),
        )));
    }
    let midnight = Day::of_ms(now_ms).start_ms();
    let today =
        actions::seats_taken_since(tx, &rule.id, organization, midnight, &action.id).await?;
    if today >= limits.per_day {
        return Ok(Some(stop(
            "limit_per_day",
            format!("{today} seats were taken today"),
        )));
    }
    let month =
        actions::seats_taken_since(tx, &rule.id, organization, now_ms - WINDOW_MS, &action.id)
            .await?;
    let active = rules::seats_by_organization(tx, &rule.product_id)
        .await?
        .into_iter()
        .find(|(id, _)| id == organization)
        .map_or(0, |(_, n)| n);
    let before =
        active + actions::seats_gone_since(tx, &rule.id, organization, now_ms - WINDOW_MS).await?;
    if (month + 1) * 100 > before * limits.percent_of_org {
        return Ok(Some(stop(
            "limit_percent",
            format!(
                "{} of {before} seats within 30 days are more than {} percent",
                month + 1,
                limits.percent_of_org
            ),
        )));
    }
    Ok(None)
}

/// Whether the version that named the candidate is in force and its batch covers the plans as they are stored.
pub(super) async fn approved(
    tx: &mut Tx,
    rule: &RuleRow,
    row: &CandidateRow,
    action: &ActionRow,
) -> Result<bool, ReclamationError> {
    let Some(version) = rule
        .in_force
        .as_ref()
        .filter(|version| rule.state == RuleState::InForce && version.id == row.rule_version_id)
    else {
        return Ok(false);
    };
    let Some(batch) = &row.batch_id else {
        return Ok(false);
    };
    let covered = batch_store::approved_digest(tx, batch, &row.id, &version.id).await?;
    // The second action of a rule was approved together with the first.
    let is_second = version
        .deciding
        .actions
        .iter()
        .position(|a| *a == action.action)
        == Some(1);
    let now = if is_second {
        batches::second_digest(tx, row, version, action).await?
    } else {
        batches::plans_digest(
            tx,
            version,
            &row.organization_id,
            &row.account_id,
            action.id.as_str(),
        )
        .await?
    };
    Ok(covered.is_some() && covered == now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acting(mode: WriteMode) -> Acting {
        Acting {
            id: "prof_1".into(),
            number: "PRF0001001".to_owned(),
            is_published: true,
            write_mode: mode,
            quota_percent: 75,
            quota: Some((10, 100)),
            check_failed: None,
        }
    }

    #[test]
    fn a_failed_check_holds_reclaims_and_no_undo() {
        let none = ControlsView::default();
        let mut live = acting(WriteMode::Live);
        live.check_failed = Some("the right is gone".to_owned());
        assert_eq!(
            code(&none, Some(&live), Purpose::Reclaim),
            Some(CHECK_FAILED)
        );
        assert_eq!(code(&none, Some(&live), Purpose::Ending), None);
    }

    fn code(
        controls: &ControlsView,
        acting: Option<&Acting>,
        purpose: Purpose,
    ) -> Option<&'static str> {
        organization(controls, acting, purpose, 0).map(|stop| stop.code)
    }

    #[test]
    fn the_switch_stops_everything_and_a_freeze_day_only_reclaims() {
        let live = acting(WriteMode::Live);
        let none = ControlsView::default();
        assert_eq!(code(&none, Some(&live), Purpose::Reclaim), None);
        let stopped = ControlsView {
            is_stopped: true,
            ..ControlsView::default()
        };
        assert_eq!(
            code(&stopped, Some(&live), Purpose::Ending),
            Some("stopped")
        );
        let frozen = ControlsView {
            freeze_days: vec!["1970-01-01".to_owned()],
            ..ControlsView::default()
        };
        assert_eq!(
            code(&frozen, Some(&live), Purpose::Reclaim),
            Some("freeze_day")
        );
        assert_eq!(code(&frozen, Some(&live), Purpose::Ending), None);
    }

    #[test]
    fn undo_may_use_more_of_the_budget_than_reclaim() {
        let none = ControlsView::default();
        let mut busy = acting(WriteMode::Live);
        busy.quota = Some((80, 100));
        assert_eq!(code(&none, Some(&busy), Purpose::Reclaim), Some("quota"));
        assert_eq!(code(&none, Some(&busy), Purpose::Ending), None);
        busy.quota = Some((90, 100));
        assert_eq!(code(&none, Some(&busy), Purpose::Ending), Some("quota"));
    }

    #[test]
    fn only_live_writes() {
        assert!(write_mode(&acting(WriteMode::Live)).is_none());
        assert!(write_mode(&acting(WriteMode::DryRun)).is_some());
        assert!(write_mode(&acting(WriteMode::Off)).is_some());
    }
}
