//! A run as others see it. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kernel::{OrgId, ProfileId, RunId};

/// Full runs find what ended; incremental ones only add and update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// Everything.
    Full,
    /// What changed after a time.
    Incremental,
}

/// What a run reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunProcess {
    /// Accounts, what they hold, and what the vendor counts.
    Subscriptions,
    /// When accounts were used, deeper than their last login; follows a complete run of the other kind.
    Activity,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Due, not begun.
    Queued,
    /// Being downloaded or merged.
    Running,
    /// The vendor's budget is nearly spent; looks again every hour.
    PausedQuota,
    /// Suspicious: waits for `run accept --reason`.
    Held,
    /// Merged.
    Complete,
    /// Stopped by an error; its pages and cursors are kept until the next run ends.
    Failed,
    /// Stopped by a person, or overtaken by a newer run.
    Cancelled,
}

/// What a run is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Not begun.
    Queued,
    /// Following the chains of accounts.
    Subscriptions,
    /// Reading what the vendor counts.
    Consumption,
    /// Following the chains of activity.
    Activity,
    /// Comparing and applying.
    Merge,
    /// Over.
    Done,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $type {
            /// The stored word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Reads the stored word.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words!(RunKind {
    Full = "full",
    Incremental = "incremental"
});
words!(RunProcess {
    Subscriptions = "subscriptions",
    Activity = "activity"
});
words!(RunState {
    Queued = "queued",
    Running = "running",
    PausedQuota = "paused_quota",
    Held = "held",
    Complete = "complete",
    Failed = "failed",
    Cancelled = "cancelled",
});
words!(Stage {
    Queued = "queued",
    Subscriptions = "subscriptions",
    Consumption = "consumption",
    Activity = "activity",
    Merge = "merge",
    Done = "done",
});

impl RunState {
    /// Nothing will happen to it any more by itself, and nobody is asked.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Complete | Self::Failed | Self::Cancelled)
    }
}

/// Why a run stopped, with what to do.
#[derive(Clone, Debug, Serialize)]
pub struct RunProblem {
    /// Stable code.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What to do.
    pub fix: String,
}

/// A run as pages, API and CLI show it.
#[derive(Clone, Debug, Serialize)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// `RUN0001001`.
    pub number: String,
    /// Whose.
    pub profile_id: ProfileId,
    /// The profile's name.
    pub profile_name: String,
    /// The profile's number.
    pub profile_number: String,
    /// The vendor org.
    pub organization_id: Option<OrgId>,
    /// What it reads.
    pub process: RunProcess,
    /// Full or incremental.
    pub kind: RunKind,
    /// `publish`, `schedule`, `collect_now`, …
    pub trigger: String,
    /// Where it stands.
    pub state: RunState,
    /// What it is doing.
    pub stage: Stage,
    /// First claim.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// The vendor's own count of accounts, where known.
    pub expected_accounts: Option<i64>,
    /// Pages stored.
    pub pages: i64,
    /// Account rows received.
    pub accounts: i64,
    /// Assignments received.
    pub assignments: i64,
    /// Pools received.
    pub pools: i64,
    /// Rows of activity received: one per account, day, kind and outcome of a page.
    pub activity: i64,
    /// For a run that reads activity: how far back the vendor could tell, where it said so.
    pub history_from: Option<i64>,
    /// Accounts left out by the profile's scope.
    pub out_of_scope: i64,
    /// Calls that had to be repeated.
    pub retries: i64,
    /// Differences applied, by kind.
    pub changes: Value,
    /// Why it stopped or waits.
    pub problem: Option<RunProblem>,
    /// Who accepted it.
    pub accepted_by: Option<String>,
    /// Why.
    pub accepted_reason: Option<String>,
    /// What a person should know besides.
    pub notes: Vec<String>,
    /// When it was asked for.
    pub created_at: i64,
}

impl RunView {
    /// It has not begun, because something at the vendor stands in the way; it looks again by itself.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.state == RunState::Queued && self.problem.is_some()
    }

    /// Share of the accounts that has arrived, percent, where the total is known.
    #[must_use]
    pub fn percent(&self) -> Option<i64> {
        let expected = self.expected_accounts.filter(|e| *e > 0)?;
        Some(((self.accounts + self.out_of_scope) * 100 / expected).clamp(0, 100))
    }
}
