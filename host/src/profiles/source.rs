//! A profile's org as the source of a run.

use async_trait::async_trait;
use seatwise_runtime::CallError;
use seatwise_runtime::contract::types::{FailureKind, Usage};
use seatwise_runtime::contract::{activity, connection, consumption, subscriptions};
use tokio::sync::{Mutex, RwLock};

use super::error::ProfileError;
use super::playbook::service::effective;
use super::preflight::{self, Work};
use super::service;
use crate::app::host::Host;
use crate::connectors::link::OrgLink;
use crate::connectors::quota::{self, Decision, Purpose};
use crate::kernel::{IntoProblem, OrgId, ProfileId};
use crate::sync::source::{Checked, Class, Gate, Source, Standing, Trouble};

/// Reads one profile's org through its connector.
pub struct ProfileSource {
    host: Host,
    profile: ProfileId,
    link: RwLock<OrgLink>,
    digest: String,
    organization: Option<OrgId>,
    percent: i64,
    tries: u32,
    written: Mutex<Option<i64>>,
}

/// The budget is written down when it moved by this share of the limit, not with every page.
const WORTH_WRITING: i64 = 1_000;

impl ProfileSource {
    /// Opens the profile's link. Nothing is sent yet.
    ///
    /// # Errors
    /// A [`Trouble`] for the run when the profile or its connector cannot be used.
    pub async fn open(host: &Host, profile: &ProfileId) -> Result<Self, Trouble> {
        let opened = service::link(host, profile).await;
        let (link, organization, percent) = opened.map_err(|error| Trouble {
            class: Class::Final,
            is_too_fast: false,
            problem: error.problem(),
        })?;
        let digest = link.digest().to_owned();
        let tries = tries(host, profile).await.map_err(|error| Trouble {
            class: Class::Passing(None),
            is_too_fast: false,
            problem: error.problem(),
        })?;
        Ok(Self {
            host: host.clone(),
            profile: profile.clone(),
            link: RwLock::new(link),
            digest,
            organization,
            percent,
            tries,
            written: Mutex::new(None),
        })
    }

    async fn trouble(&self, error: CallError) -> Trouble {
        let problem = self.link.read().await.explain(&error);
        let (class, is_too_fast) = match &error {
            CallError::Failed(failure) => (
                Class::of(failure.kind, failure.retry_after_ms),
                failure.kind == FailureKind::RateLimited,
            ),
            CallError::Timeout { .. } | CallError::Host { .. } => (Class::Passing(None), false),
            CallError::Limit { .. } | CallError::Trap { .. } => (Class::Final, false),
        };
        Trouble {
            class,
            is_too_fast,
            problem,
        }
    }
}

/// How often a call of a profile is made at most, by its alias.
async fn tries(host: &Host, profile: &ProfileId) -> Result<u32, ProfileError> {
    let mut tx = host.store.read_everything().await?;
    let row = service::need(&mut tx, profile.as_str()).await?;
    let holds = effective(&mut tx, &row.alias).await?;
    Ok(u32::try_from(holds.tries.value).unwrap_or(1).max(1))
}

#[async_trait]
impl Source for ProfileSource {
    fn most_tries(&self) -> u32 {
        self.tries
    }

    async fn digest(&self) -> String {
        self.digest.clone()
    }

    async fn identify(&self) -> Result<connection::Organization, Trouble> {
        let link = self.link.read().await.clone();
        match link.identify().await {
            Ok(told) => {
                *self.link.write().await = link.remembering(told.memo.clone());
                Ok(told)
            }
            Err(error) => Err(self.trouble(error).await),
        }
    }

    async fn checks(&self) -> Result<Vec<connection::CheckInfo>, Trouble> {
        let link = self.link.read().await.clone();
        let infos = match link.checks().await {
            Ok(infos) => infos,
            Err(error) => return Err(self.trouble(error).await),
        };
        preflight::due(&self.host, &self.profile, infos, Work::Download)
            .await
            .map_err(|error| Trouble::of_store(&error))
    }

    async fn check(&self, id: &str) -> Result<connection::CheckResult, Trouble> {
        let link = self.link.read().await.clone();
        match preflight::one(&link, id).await {
            Ok(result) => Ok(result),
            Err(error) => Err(self.trouble(error).await),
        }
    }

    async fn judge(&self, checked: Vec<Checked>) -> Result<Standing, Trouble> {
        preflight::keep(&self.host, &self.profile, checked, Work::Download)
            .await
            .map_err(|error| Trouble {
                class: Class::Passing(None),
                is_too_fast: false,
                problem: error.problem(),
            })
    }

    async fn begin(&self, since: Option<i64>) -> Result<subscriptions::Outline, Trouble> {
        let link = self.link.read().await.clone();
        match link.begin_subscriptions(since).await {
            Ok(outline) => Ok(outline),
            Err(error) => Err(self.trouble(error).await),
        }
    }

    async fn page(&self, cursor: &[u8]) -> Result<subscriptions::Page, Trouble> {
        let link = self.link.read().await.clone();
        match link.download_subscriptions(cursor).await {
            Ok(page) => Ok(page),
            Err(error) => Err(self.trouble(error).await),
        }
    }

    async fn pools(&self, resume: Option<&[u8]>) -> Result<consumption::Page, Trouble> {
        let link = self.link.read().await.clone();
        match link.download_consumption(resume).await {
            Ok(page) => Ok(page),
            Err(error) => Err(self.trouble(error).await),
        }
    }

    async fn begin_activity(&self, since: i64) -> Result<activity::Outline, Trouble> {
        let link = self.link.read().await.clone();
        match link.begin_activity(since).await {
            Ok(outline) => Ok(outline),
            Err(error) => Err(self.trouble(error).await),
        }
    }

    async fn activity(&self, cursor: &[u8]) -> Result<activity::Page, Trouble> {
        let link = self.link.read().await.clone();
        match link.pull_user_activity(cursor).await {
            Ok(page) => Ok(page),
            Err(error) => Err(self.trouble(error).await),
        }
    }

    async fn gate(&self, usage: Option<Usage>, was_paused: bool) -> Result<Gate, Trouble> {
        let (Some(usage), Some(organization)) = (usage, &self.organization) else {
            return Ok(Gate::Go);
        };
        let (used, limit) = (
            i64::try_from(usage.used).unwrap_or(i64::MAX),
            i64::try_from(usage.limit).unwrap_or(i64::MAX),
        );
        let decision = quota::decide(used, limit, self.percent, Purpose::Sync, was_paused);
        let mut written = self.written.lock().await;
        let is_worth = written.is_none_or(|had| (used - had).abs() >= limit / WORTH_WRITING);
        if is_worth || decision == Decision::Pause {
            let stored = service::note_usage(&self.host, organization, used, limit).await;
            stored.map_err(|error| Trouble {
                class: Class::Passing(None),
                is_too_fast: false,
                problem: error.problem(),
            })?;
            *written = Some(used);
        }
        Ok(match decision {
            Decision::Go => Gate::Go,
            Decision::Pause => Gate::Pause {
                used: usage.used,
                limit: usage.limit,
            },
        })
    }
}
