//! An imported file as the source of a run: the same chains, pages and merge as a download.
//!
//! Invariants: one chain, one page a chunk; an account is told with its first line, and again only where a later line knows a later
//! activity; lines that were decided to be left out are left out by number, never by judging anew.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use seatwise_runtime::contract::subscriptions::{Account, AccountFact, Fact, LastActivity};
use seatwise_runtime::contract::types::Usage;
use seatwise_runtime::contract::{activity, connection, consumption, subscriptions};
use tokio::sync::Mutex;

use super::ImportError;
use super::reading::{self, Row};
use super::store::{self, Reads};
use crate::app::host::Host;
use crate::kernel::sheet;
use crate::kernel::{IntoProblem as _, Problem, RunId};
use crate::store::StoreError;
use crate::sync::source::{Checked, Gate, Source, Standing, Trouble};

/// What was told of each account, as far as the pages have come.
#[derive(Default)]
struct Told {
    /// The page that comes next.
    next: i64,
    /// Latest activity by account.
    accounts: HashMap<String, Option<i64>>,
}

/// Reads one file.
pub struct ImportSource {
    host: Host,
    reads: Reads,
    left_out: HashSet<u64>,
    told: Mutex<Told>,
}

impl ImportSource {
    /// The file that a run reads; `None`: the run reads a vendor.
    ///
    /// # Errors
    /// The database's own.
    pub async fn of_run(host: &Host, run: &RunId) -> Result<Option<Self>, StoreError> {
        let mut tx = host.store.read_everything().await?;
        let Some(reads) = store::find_reads(&mut tx, run).await? else {
            return Ok(None);
        };
        Ok(Some(Self {
            host: host.clone(),
            left_out: reads.left_out.iter().copied().collect(),
            reads,
            told: Mutex::new(Told::default()),
        }))
    }

    /// The rows of a chunk; `None` behind the last one.
    async fn rows(&self, number: i64) -> Result<Option<Vec<Row>>, Trouble> {
        let chunk = async {
            let mut tx = self.host.store.read_everything().await?;
            store::find_chunk(&mut tx, &self.reads.file, number).await
        };
        let chunk = chunk.await.map_err(|error| Trouble::of_store(&error))?;
        let Some(chunk) = chunk else { return Ok(None) };
        let first_line = u64::try_from(chunk.first_line).unwrap_or(1);
        let mut rows = Vec::new();
        for record in sheet::records(&chunk.body, self.reads.separator, first_line) {
            if self.left_out.contains(&record.line) {
                continue;
            }
            let row = reading::row(
                &record,
                &self.reads.headings,
                &self.reads.mapping,
                self.host.now_ms(),
            );
            rows.push(row.map_err(|bad| {
                Problem::new(
                    "import.changed",
                    409,
                    format!("line {} can be used no more: {}", bad.line, bad.reason),
                    "Open the file again, look at its lines, and import it anew",
                )
            })?);
        }
        Ok(Some(rows))
    }
}

fn at(activity: LastActivity) -> Option<i64> {
    match activity {
        LastActivity::At(at) => Some(at),
        LastActivity::Never | LastActivity::Unknown => None,
    }
}

/// Accounts that were not told before, and later activity of those that were.
fn news(told: &mut Told, accounts: Vec<Account>) -> (Vec<Account>, Vec<AccountFact>) {
    let (mut new, mut facts) = (Vec::new(), Vec::new());
    for account in accounts {
        let seen = at(account.last_activity);
        match told.accounts.get_mut(&account.id) {
            None => {
                told.accounts.insert(account.id.clone(), seen);
                new.push(account);
            }
            Some(before) if seen > *before => {
                *before = seen;
                facts.push(AccountFact {
                    account: account.id,
                    fact: Fact::LastActivity(account.last_activity),
                });
            }
            Some(_) => {}
        }
    }
    (new, facts)
}

fn number(cursor: &[u8]) -> i64 {
    cursor.try_into().map_or(0, i64::from_be_bytes)
}

#[async_trait]
impl Source for ImportSource {
    async fn digest(&self) -> String {
        self.reads.digest.clone()
    }

    async fn identify(&self) -> Result<connection::Organization, Trouble> {
        Ok(connection::Organization {
            id: self.reads.number.clone(),
            name: self.reads.name.clone(),
            environment: connection::Environment::Production,
            edition: None,
            time_zone: None,
            accounts: u64::try_from(self.reads.accounts).ok(),
            memo: Vec::new(),
        })
    }

    async fn checks(&self) -> Result<Vec<connection::CheckInfo>, Trouble> {
        // There is no vendor whose rights could have changed.
        Ok(Vec::new())
    }

    async fn check(&self, id: &str) -> Result<connection::CheckResult, Trouble> {
        Err(Problem::new(
            "import.no_check",
            404,
            format!("a file has no check `{id}`"),
            "Look at the file's preview instead",
        )
        .into())
    }

    async fn judge(&self, _: Vec<Checked>) -> Result<Standing, Trouble> {
        Ok(Standing::default())
    }

    async fn begin(&self, _: Option<i64>) -> Result<subscriptions::Outline, Trouble> {
        Ok(subscriptions::Outline {
            chains: vec![0_i64.to_be_bytes().to_vec()],
            expected_accounts: u64::try_from(self.reads.accounts).ok(),
            usage: None,
        })
    }

    async fn page(&self, cursor: &[u8]) -> Result<subscriptions::Page, Trouble> {
        let asked = number(cursor);
        let mut told = self.told.lock().await;
        if told.next != asked {
            // Taken up in the middle: what was told before is known again first.
            *told = Told::default();
            for before in 0..asked {
                let (accounts, _) = reading::page(self.rows(before).await?.unwrap_or_default());
                news(&mut told, accounts);
            }
        }
        let rows = self
            .rows(asked)
            .await?
            .ok_or_else(|| ImportError::Dropped.problem())?;
        let (accounts, assignments) = reading::page(rows);
        let (accounts, facts) = news(&mut told, accounts);
        told.next = asked + 1;
        let has_more = {
            let mut tx = self
                .host
                .store
                .read_everything()
                .await
                .map_err(|error| Trouble::of_store(&error))?;
            store::find_chunk(&mut tx, &self.reads.file, asked + 1)
                .await
                .map_err(|error| Trouble::of_store(&error))?
                .is_some()
        };
        Ok(subscriptions::Page {
            accounts,
            assignments,
            facts,
            next: has_more.then(|| (asked + 1).to_be_bytes().to_vec()),
            out_of_scope: 0,
            usage: None,
        })
    }

    async fn pools(&self, _: Option<&[u8]>) -> Result<consumption::Page, Trouble> {
        // A file tells who holds what, not what was bought.
        Ok(consumption::Page {
            pools: Vec::new(),
            next: None,
            usage: None,
        })
    }

    async fn begin_activity(&self, _: i64) -> Result<activity::Outline, Trouble> {
        Ok(activity::Outline {
            chains: Vec::new(),
            complete_from: None,
            usage: None,
        })
    }

    async fn activity(&self, _: &[u8]) -> Result<activity::Page, Trouble> {
        Ok(activity::Page {
            days: Vec::new(),
            next: None,
            usage: None,
        })
    }

    async fn gate(&self, _: Option<Usage>, _: bool) -> Result<Gate, Trouble> {
        Ok(Gate::Go)
    }
}

#[cfg(test)]
mod tests {
    use seatwise_runtime::contract::subscriptions::AccountKind;

    use super::*;

    fn account(id: &str, last_activity: LastActivity) -> Account {
        Account {
            id: id.to_owned(),
            principal: id.to_owned(),
            email: None,
            name: None,
            kind: AccountKind::Person,
            active: true,
            created: None,
            last_activity,
            attributes: Vec::new(),
        }
    }

    #[test]
    fn an_account_is_told_once_and_only_a_later_activity_is_news() {
        let mut told = Told::default();
        let mut tell = |accounts: Vec<Account>| {
            let (new, facts) = news(&mut told, accounts);
            (new.len(), facts.len())
        };
        assert_eq!(
            tell(vec![
                account("a", LastActivity::Unknown),
                account("b", LastActivity::At(5))
            ]),
            (2, 0)
        );
        assert_eq!(
            tell(vec![
                account("a", LastActivity::At(7)),
                account("b", LastActivity::At(4))
            ]),
            (0, 1)
        );
        assert_eq!(
            tell(vec![
                account("a", LastActivity::At(7)),
                account("b", LastActivity::Unknown)
            ]),
            (0, 0)
        );
    }
}
