//! A run's source over a link to the org.

use async_trait::async_trait;
use seatwise_runtime::CallError;
use seatwise_runtime::contract::types::{FailureKind, Usage};
use seatwise_runtime::contract::{connection, consumption, subscriptions};
use tokio::sync::{Mutex, RwLock};

use super::source::{Class, Gate, Source, Trouble};
use super::store;
use crate::app::host::Host;
use crate::connectors::link::OrgLink;
use crate::connectors::quota::{self, Decision, Purpose};
use crate::kernel::OrgId;
use crate::store::StoreError;

/// The budget is written down when it moved by this share of the limit, not with every page.
const WORTH_WRITING: u64 = 1_000;

/// Reads one org through its connector and keeps its budget.
pub struct LinkSource {
    host: Host,
    organization: OrgId,
    quota_percent: i64,
    link: RwLock<OrgLink>,
    written: Mutex<Option<u64>>,
}

impl LinkSource {
    /// `quota_percent` is the profile's: at this share of the vendor's limit a run pauses.
    #[must_use]
    pub fn new(host: Host, organization: OrgId, quota_percent: i64, link: OrgLink) -> Self {
        Self {
            host,
            organization,
            quota_percent,
            link: RwLock::new(link),
            written: Mutex::new(None),
        }
    }

    async fn link(&self) -> OrgLink {
        self.link.read().await.clone()
    }

    async fn note(&self, usage: Usage) -> Result<(), StoreError> {
        let mut tx = self.host.store.begin().await?;
        store::put_usage(&mut tx, &self.organization, usage, self.host.now_ms()).await?;
        tx.commit().await
    }
}

/// A failed call as the run understands it.
#[must_use]
pub fn trouble(link: &OrgLink, error: &CallError) -> Trouble {
    let (class, is_too_fast) = match error {
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
        problem: link.explain(error),
    }
}

#[async_trait]
impl Source for LinkSource {
    async fn digest(&self) -> String {
        self.link().await.digest().to_owned()
    }

    async fn identify(&self) -> Result<connection::Organization, Trouble> {
        let link = self.link().await;
        let told = link.identify().await.map_err(|e| trouble(&link, &e))?;
        *self.link.write().await = link.remembering(told.memo.clone());
        Ok(told)
    }

    async fn begin(&self, since: Option<i64>) -> Result<subscriptions::Outline, Trouble> {
        let link = self.link().await;
        link.begin_subscriptions(since)
            .await
            .map_err(|e| trouble(&link, &e))
    }

    async fn page(&self, cursor: &[u8]) -> Result<subscriptions::Page, Trouble> {
        let link = self.link().await;
        link.download_subscriptions(cursor)
            .await
            .map_err(|e| trouble(&link, &e))
    }

    async fn pools(&self, resume: Option<&[u8]>) -> Result<consumption::Page, Trouble> {
        let link = self.link().await;
        link.download_consumption(resume)
            .await
            .map_err(|e| trouble(&link, &e))
    }

    async fn gate(&self, usage: Option<Usage>, was_paused: bool) -> Result<Gate, Trouble> {
        let Some(usage) = usage else {
            return Ok(Gate::Go);
        };
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let decision = quota::decide(
            number(usage.used),
            number(usage.limit),
            self.quota_percent,
            Purpose::Sync,
            was_paused,
        );
        let mut written = self.written.lock().await;
        let is_worth = written.is_none_or(|had| {
            usage.used.abs_diff(had).saturating_mul(WORTH_WRITING) >= usage.limit
        });
        if is_worth || decision == Decision::Pause {
            self.note(usage)
                .await
                .map_err(|error| Trouble::of_store(&error))?;
            *written = Some(usage.used);
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
