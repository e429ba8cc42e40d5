//! Where a run reads from: an organization through its connector, or a script in a test.

use async_trait::async_trait;
use seatwise_runtime::contract::types::{FailureKind, Usage};
use seatwise_runtime::contract::{activity, connection, consumption, subscriptions};

use crate::kernel::{IntoProblem as _, Problem};
use crate::store::StoreError;

/// What a failed call means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// May pass; try again, not before this many milliseconds where the vendor said so.
    Passing(Option<u64>),
    /// The vendor's budget is spent: wait for its window, never repeat at once.
    Quota,
    /// The vendor has no such thing, or not for this user; an optional part goes on without.
    Absent,
    /// Will not pass by itself.
    Final,
}

impl Class {
    /// By the kind that the connector named.
    #[must_use]
    pub fn of(kind: FailureKind, retry_after_ms: Option<u64>) -> Self {
        match kind {
            FailureKind::Transient | FailureKind::RateLimited | FailureKind::Malformed => {
                Self::Passing(retry_after_ms)
            }
            FailureKind::Quota => Self::Quota,
            FailureKind::Permission | FailureKind::Unsupported => Self::Absent,
            FailureKind::Auth
            | FailureKind::NotFound
            | FailureKind::InvalidInput
            | FailureKind::Conflict
            | FailureKind::Refused
            | FailureKind::Internal => Self::Final,
        }
    }
}

/// A call that failed.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// What it means for the run.
    pub class: Class,
    /// True when the vendor said "too fast": fewer chains at once from now on.
    pub is_too_fast: bool,
    /// For a person.
    pub problem: Problem,
}

/// Whether the vendor's budget allows the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Go on.
    Go,
    /// Pause; look again later.
    Pause {
        /// Calls used in the vendor's window.
        used: u64,
        /// Calls allowed.
        limit: u64,
    },
}

/// A check that was made.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Which.
    pub info: connection::CheckInfo,
    /// What it came to.
    pub result: connection::CheckResult,
    /// How long it took, milliseconds.
    pub took_ms: i64,
}

/// What the checks mean for a run.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Why it does not begin, with what to do.
    pub blocked: Option<Problem>,
    /// What a person should know besides: what is off.
    pub notes: Vec<String>,
}

/// The reading side of one organization.
#[async_trait]
pub trait Source: Send + Sync {
    /// Digest of the component that reads, kept with the run.
    async fn digest(&self) -> String;
    /// How often a call is made at most that fails for a moment; at least once.
    fn most_tries(&self) -> u32 {
        super::plan::MAX_TRIES
    }
    /// Which org this is; also renews what the connector remembers of it.
    async fn identify(&self) -> Result<connection::Organization, Trouble>;
    /// The checks that come before a run; none where they were made a moment ago.
    async fn checks(&self) -> Result<Vec<connection::CheckInfo>, Trouble>;
    /// Makes one of them.
    async fn check(&self, id: &str) -> Result<connection::CheckResult, Trouble>;
    /// Keeps what they came to, and says what it means for the run.
    async fn judge(&self, checked: Vec<Checked>) -> Result<Standing, Trouble>;
    /// The chains of a download.
    async fn begin(&self, since: Option<i64>) -> Result<subscriptions::Outline, Trouble>;
    /// One page of a chain.
    async fn page(&self, cursor: &[u8]) -> Result<subscriptions::Page, Trouble>;
    /// One page of what the vendor counts; `None` for the first.
    async fn pools(&self, resume: Option<&[u8]>) -> Result<consumption::Page, Trouble>;
    /// The chains of activity since a time, milliseconds; none where nothing deeper than the last login is read.
    async fn begin_activity(&self, since: i64) -> Result<activity::Outline, Trouble>;
    /// One page of a chain of activity.
    async fn activity(&self, cursor: &[u8]) -> Result<activity::Page, Trouble>;
    /// Stores the budget that a page named, and decides whether to go on. After a pause the way back starts lower.
    async fn gate(&self, usage: Option<Usage>, was_paused: bool) -> Result<Gate, Trouble>;
}

impl From<Problem> for Trouble {
    fn from(problem: Problem) -> Self {
        Self {
            class: Class::Final,
            is_too_fast: false,
            problem,
        }
    }
}

impl Trouble {
    /// Our own database failed inside a source.
    #[must_use]
    pub fn of_store(error: &StoreError) -> Self {
        Self {
            class: Class::Passing(None),
            is_too_fast: false,
            problem: error.problem(),
        }
    }
}
