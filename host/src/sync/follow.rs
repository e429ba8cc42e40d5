//! Following a run's chains: each page is stored with the place it leads to.
//!
//! Invariant: pages are fetched ahead of the one being stored, but at most [`plan::PAGES_AHEAD`], so that memory does not grow with the
//! org.

use std::collections::HashMap;
use std::time::Duration;

use seatwise_runtime::contract::types::Usage;
use seatwise_runtime::contract::{activity, subscriptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::download::{Drive, len};
use super::halt::{Halt, endless};
use super::model::{RunProcess, RunState};
use super::plan::{self, Trail};
use super::store::{self, Added, chains, history, staging};
use crate::kernel::OrgId;
use crate::kernel::digest::sha256_hex;

/// How often a waiting run looks whether somebody stopped it.
const LOOK_MS: u64 = 500;
/// Every so many looks the lease is renewed, so that a slow page does not lose it.
const LOOKS_PER_LEASE: u32 = 20;

/// A page of either process.
enum Page {
    Accounts(subscriptions::Page),
    Days(activity::Page),
}

impl Page {
    fn take_next(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Accounts(page) => page.next.take(),
            Self::Days(page) => page.next.take(),
        }
    }

    fn usage(&self) -> Option<Usage> {
        match self {
            Self::Accounts(page) => page.usage,
            Self::Days(page) => page.usage,
        }
    }
}

/// A page on its way from the vendor to the database.
struct Fetched {
    chain: i64,
    page: Page,
    next: Option<Vec<u8>>,
    retries: i64,
}

impl Drive {
    /// All chains of a process to their ends; pages are stored in the order they arrive.
    pub(super) async fn follow_chains(
        &self,
        process: RunProcess,
        organization: &OrgId,
    ) -> Result<(), Halt> {
        let mut tx = self.host.store.read_everything().await?;
        let chains = chains::open_chains(&mut tx, &self.run, process.as_str()).await?;
        drop(tx);
        let (sender, mut pages) = mpsc::channel::<Result<Fetched, Halt>>(plan::PAGES_AHEAD);
        // Dropped with this function, the set stops every fetch.
        let mut fetches = JoinSet::new();
        for chain in chains {
            let sealed = chain.cursor_sealed.unwrap_or_default();
            let cursor = self.open(process.as_str(), chain.number, &sealed)?;
            fetches.spawn(
                self.clone()
                    .fetch_chain(process, chain.number, cursor, sender.clone()),
            );
        }
        drop(sender);
        let mut trails: HashMap<i64, Trail> = HashMap::new();
        let mut looks = tokio::time::interval(Duration::from_millis(LOOK_MS));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut since_lease = 0;
        loop {
            tokio::select! {
                fetched = pages.recv() => {
                    let Some(fetched) = fetched else { break };
                    let fetched = fetched?;
                    let usage = fetched.page.usage();
                    let trail = trails.entry(fetched.chain).or_default();
                    self.keep_page(fetched, organization, trail).await?;
                    since_lease = 0;
                    self.pass_gate(usage, false).await?;
                }
                _ = looks.tick() => {
                    since_lease += 1;
                    self.look(&mut since_lease).await?;
                }
            }
        }
        let mut tx = self.host.store.read_everything().await?;
        if chains::open_chains(&mut tx, &self.run, process.as_str())
            .await?
            .is_empty()
        {
            Ok(())
        } else {
            Err(Halt::Later(
                1_000,
                "a chain was dropped before its end".to_owned(),
            ))
        }
    }

    /// Somebody may have stopped the run; a slow vendor must not cost the lease.
    async fn look(&self, since_lease: &mut u32) -> Result<(), Halt> {
        let mut tx = self.host.store.read_everything().await?;
        if store::get_state(&mut tx, &self.run).await? != Some(RunState::Running) {
            return Err(Halt::Gone);
        }
        drop(tx);
        if *since_lease >= LOOKS_PER_LEASE {
            *since_lease = 0;
            self.begin_tx().await?.commit().await?;
        }
        Ok(())
    }

    async fn fetch_chain(
        self,
        process: RunProcess,
        chain: i64,
        mut cursor: Vec<u8>,
        pages: mpsc::Sender<Result<Fetched, Halt>>,
    ) {
        let mut trail = Trail::default();
        loop {
            if !trail.step(&sha256_hex(&cursor)) {
                let _gone = pages.send(Err(endless("a resume point came twice"))).await;
                return;
            }
            let fetched = {
                let Ok(_permit) = self.permits.acquire().await else {
                    return;
                };
                self.fetch_page(process, &cursor).await
            };
            let (mut page, retries) = match fetched {
                Ok(fetched) => fetched,
                Err(halt) => {
                    let _gone = pages.send(Err(halt)).await;
                    return;
                }
            };
            let next = page.take_next();
            let fetched = Fetched {
                chain,
                page,
                next: next.clone(),
                retries,
            };
            if pages.send(Ok(fetched)).await.is_err() {
                return;
            }
            match next {
                Some(next) => cursor = next,
                None => return,
            }
        }
    }

    async fn fetch_page(&self, process: RunProcess, cursor: &[u8]) -> Result<(Page, i64), Halt> {
        Ok(match process {
            RunProcess::Subscriptions => {
                let (page, retries) = self.call(|| self.source.page(cursor)).await?;
                (Page::Accounts(page), retries)
            }
            RunProcess::Activity => {
                let (page, retries) = self.call(|| self.source.activity(cursor)).await?;
                (Page::Days(page), retries)
            }
        })
    }

    /// Rows, cursor and counts of a page commit together.
    async fn keep_page(
        &self,
        fetched: Fetched,
        organization: &OrgId,
        trail: &mut Trail,
    ) -> Result<(), Halt> {
        let Fetched {
            chain,
            page,
            next,
            retries,
        } = fetched;
        let mut tx = self.begin_tx().await?;
        let (process, brings_new, mut added) = match &page {
            Page::Accounts(page) => {
                let brings_new = staging::brings_new(&mut tx, &self.run, page).await?;
                staging::put_page(&mut tx, &self.run, page).await?;
                let added = Added {
                    accounts: len(page.accounts.len()),
                    assignments: len(page.assignments.len()),
                    facts: len(page.facts.len()),
                    out_of_scope: i64::try_from(page.out_of_scope).unwrap_or(i64::MAX),
                    ..Added::default()
                };
                (RunProcess::Subscriptions, brings_new, added)
            }
            Page::Days(page) => {
                super::history::check_days(&page.days)?;
                history::put_days(&mut tx, &self.run, organization, &page.days).await?;
                let added = Added {
                    activity: len(page.days.len()),
                    ..Added::default()
                };
                // A quiet night is no circle: a repeated resume point tells one.
                (RunProcess::Activity, true, added)
            }
        };
        added.retries = retries;
        let digest = next.as_ref().map(sha256_hex);
        let sealed = next
            .map(|next| self.seal(process.as_str(), chain, &next))
            .transpose()?;
        let pages = chains::move_chain(
            &mut tx,
            &self.run,
            process.as_str(),
            chain,
            sealed,
            digest.as_deref(),
        )
        .await?;
        if !store::add_page(&mut tx, &self.run, added).await? {
            return Err(Halt::Gone);
        }
        if pages > plan::MAX_PAGES || !trail.progress(brings_new) {
            return Err(endless(
                "page after page brought only accounts that were there already",
            ));
        }
        Ok(tx.commit().await?)
    }
}
