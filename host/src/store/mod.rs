//! The database: two pools, transactions, migrations, numbers.
//!
//! Invariants: every writing transaction on SQLite is `BEGIN IMMEDIATE` on the one writer connection, so a read can never
//! turn into a write behind another's back (`SQLITE_BUSY_SNAPSHOT` cannot happen); reading connections cannot write. Only
//! this module and files named `store.rs` know sqlx.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Executor as _, Row as _};

use crate::kernel::faults::{Faults, Injected};
use crate::kernel::{IntoProblem, Problem};

mod alone;
pub mod bulk;
pub mod dialect;
mod migrate;
pub mod numbers;
pub mod sealed;
mod seen;
mod sight;

pub use dialect::Dialect;
pub use sight::Sight;

/// How long a writer waits for another before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);
/// Reading connections on SQLite: two cores, short reads.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL of one host.
const POSTGRES_CONNECTIONS: u32 = 12;
/// Connections for those who see only some business units; opened when the first of them asks.
const LIMITED_CONNECTIONS: u32 = 4;

/// The database of one installation.
#[derive(Clone)]
pub struct Store {
    writer: AnyPool,
    reader: AnyPool,
    /// Reads of a limited [`Sight`]; see [`seen`].
    limited: AnyPool,
    dialect: Dialect,
    faults: Arc<dyn Faults>,
    /// Keeps other hosts away from an embedded database; see [`Store::open_alone`].
    lock: Option<Arc<File>>,
}

/// A transaction. Dropped without [`Tx::commit`], it leaves nothing.
pub struct Tx {
    inner: sqlx::Transaction<'static, sqlx::Any>,
    dialect: Dialect,
    faults: Arc<dyn Faults>,
}

/// Why the database did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address names no database we know.
    #[error("`{0}` is not a database address")]
    Address(String),
    /// Another host works on the same embedded database.
    #[error("it is held by {0}; stop that host, or choose another --data folder")]
    Held(String),
    /// The lock beside an embedded database.
    #[error("the lock {path} cannot be used: {1}", path = .0.display())]
    Lock(PathBuf, #[source] std::io::Error),
    /// The schema is newer than this program, or a migration failed.
    #[error("the database schema could not be brought to this version: {0}")]
    Migrate(String),
    /// A named constraint refused the write.
    #[error("the database refused a duplicate or dangling row ({constraint})")]
    Constraint {
        /// The constraint or columns as the database names them.
        constraint: String,
        /// Unique rather than foreign key or check.
        is_unique: bool,
    },
    /// The row was changed by someone else in the meantime.
    #[error("the record was changed in the meantime")]
    Conflict,
    /// A test's fault.
    #[error(transparent)]
    Injected(#[from] Injected),
    /// Anything else.
    #[error("the database failed")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(db) = &error {
            let is_unique = db.is_unique_violation();
            if is_unique || db.is_foreign_key_violation() || db.is_check_violation() {
                let constraint = db
                    .constraint()
                    .map_or_else(|| db.message().to_owned(), str::to_owned);
                return Self::Constraint {
                    constraint,
                    is_unique,
                };
            }
        }
        Self::Database(error)
    }
}

impl StoreError {
    /// True when a unique constraint whose name or columns contain `part` refused the write. SQLite names the columns
    /// (`profiles.name`), PostgreSQL the constraint (`profiles_name_key`).
    #[must_use]
    pub fn is_unique(&self, part: &str) -> bool {
        let loose = |text: &str| text.replace(['.', '_', ',', ' '], "");
        matches!(self, Self::Constraint { constraint, is_unique: true } if loose(constraint).contains(&loose(part)))
    }
}

impl IntoProblem for StoreError {
    fn problem(&self) -> Problem {
        match self {
            Self::Conflict => Problem::new(
                "store.conflict",
                409,
                self.to_string(),
                "Load it again, look at what changed, and repeat your change",
            ),
            Self::Database(sqlx::Error::PoolTimedOut | sqlx::Error::Io(_)) => Problem::new(
                "store.unavailable",
                503,
                "the database is busy or away",
                "Try again in a few seconds",
            ),
            _ => Problem::internal(),
        }
    }
}

impl Store {
    /// Opens `sqlite:PATH` (made when absent) or `postgres://…`, and brings the schema up.
    ///
    /// # Errors
    /// [`StoreError::Address`], [`StoreError::Migrate`], or the database's own.
    pub async fn open(url: &str, faults: Arc<dyn Faults>) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let dialect =
            Dialect::of_url(url).ok_or_else(|| StoreError::Address(without_password(url)))?;
        let (writer, reader, limited) = match dialect {
            Dialect::Sqlite => {
                let url = if url.contains('?') {
                    url.to_owned()
                } else {
                    format!("{url}?mode=rwc")
                };
                let writer = sqlite_pool(1, dialect::SQLITE_WRITER_SETUP)
                    .connect_with(quiet(&url)?)
                    .await?;
                migrate::up(&writer, dialect).await?;
                let reader = sqlite_pool(SQLITE_READERS, dialect::SQLITE_READER_SETUP)
                    .connect_with(quiet(&url)?)
                    .await?;
                // Not by `query_only`, which would hinder temporary tables, too.
                let url = format!("{}?mode=ro", url.split('?').next().unwrap_or(&url));
                let limited = limited_pool(dialect).connect_lazy_with(quiet(&url)?);
                (writer, reader, limited)
            }
            Dialect::Postgres => {
                let pool = AnyPoolOptions::new()
                    .max_connections(POSTGRES_CONNECTIONS)
                    .acquire_timeout(BUSY_TIMEOUT)
                    .connect_with(quiet(url)?)
                    .await?;
                migrate::up(&pool, dialect).await?;
                let limited = limited_pool(dialect).connect_lazy_with(quiet(url)?);
                (pool.clone(), pool, limited)
            }
        };
        Ok(Self {
            writer,
            reader,
            limited,
            dialect,
            faults,
            lock: None,
        })
    }

    /// As [`Store::open`], and keeps every other host away from an embedded database until the last clone is dropped. `who` is what
    /// such a host is told.
    ///
    /// # Errors
    /// [`StoreError::Held`], and as [`Store::open`].
    pub async fn open_alone(
        url: &str,
        faults: Arc<dyn Faults>,
        who: &str,
    ) -> Result<Self, StoreError> {
        let lock = alone::hold(url, who)?.map(Arc::new);
        let store = Self::open(url, faults).await?;
        Ok(Self { lock, ..store })
    }

    /// Whether no other process works on this database, nor can while this one lives.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.lock.is_some()
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A writing transaction.
    ///
    /// # Errors
    /// When no connection can be had in time.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        self.faults.step("store.begin")?;
        let inner = self.writer.begin_with(self.dialect.begin_write()).await?;
        Ok(Tx {
            inner,
            dialect: self.dialect,
            faults: Arc::clone(&self.faults),
        })
    }

    /// A reading transaction of everything, for the host itself and for what concerns no business unit: one snapshot, cannot write.
    ///
    /// # Errors
    /// When no connection can be had in time.
    pub async fn read_everything(&self) -> Result<Tx, StoreError> {
        self.read(&Sight::everything()).await
    }

    /// A reading transaction of somebody who sees this much: every statement finds only that, as if the rest did not exist. One
    /// snapshot, cannot write.
    ///
    /// # Errors
    /// When no connection can be had in time.
    pub async fn read(&self, sight: &Sight) -> Result<Tx, StoreError> {
        let pool = if sight.is_whole() {
            &self.reader
        } else {
            &self.limited
        };
        let inner = pool.begin_with(self.dialect.begin_read()).await?;
        let mut tx = Tx {
            inner,
            dialect: self.dialect,
            faults: Arc::clone(&self.faults),
        };
        if !sight.is_whole() {
            seen::look(&mut tx, sight).await?;
        }
        Ok(tx)
    }

    /// Number of the newest migration of this program, and of the newest one that the database has.
    ///
    /// # Errors
    /// The database's own.
    pub async fn migrations(&self) -> Result<(i64, i64), StoreError> {
        let mut tx = self.read_everything().await?;
        migrate::state(&mut tx).await
    }

    /// The database's clock, milliseconds UTC.
    ///
    /// # Errors
    /// The database's own.
    pub async fn now_ms(&self) -> Result<i64, StoreError> {
        let mut tx = self.read_everything().await?;
        let row = sqlx::query(tx.dialect().now_ms())
            .fetch_one(tx.conn())
            .await?;
        Ok(row.try_get("now_ms")?)
    }

    /// Waits for open transactions and closes all connections.
    pub async fn close(&self) {
        self.limited.close().await;
        self.reader.close().await;
        self.writer.close().await;
    }
}

impl Tx {
    /// The connection, for `store.rs` files.
    pub fn conn(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Makes everything of this transaction durable, or nothing.
    ///
    /// # Errors
    /// The database's own; after a lost connection the outcome is unknown.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.faults.step("store.commit")?;
        self.inner.commit().await?;
        self.faults.step("store.committed")?;
        Ok(())
    }
}

fn sqlite_pool(connections: u32, setup: &'static str) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(BUSY_TIMEOUT)
        .after_connect(move |conn, _| {
            Box::pin(async move {
                conn.execute(setup).await?;
                Ok(())
            })
        })
}

fn limited_pool(dialect: Dialect) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(LIMITED_CONNECTIONS)
        .acquire_timeout(BUSY_TIMEOUT)
        .after_connect(move |conn, _| {
            Box::pin(async move {
                if dialect == Dialect::Sqlite {
                    conn.execute(dialect::SQLITE_LIMITED_SETUP).await?;
                }
                seen::limit(conn, dialect).await
            })
        })
}

/// Statements are not logged: a page of two thousand rows is one statement of a megabyte, and values are personal data.
fn quiet(url: &str) -> Result<AnyConnectOptions, StoreError> {
    let options: AnyConnectOptions = url
        .parse()
        .map_err(|_| StoreError::Address(without_password(url)))?;
    Ok(options.disable_statement_logging())
}

fn without_password(url: &str) -> String {
    url.split_once('@').map_or_else(
        || url.to_owned(),
        |(head, tail)| {
            let scheme = head.split_once("://").map_or("", |(s, _)| s);
            format!("{scheme}://…@{tail}")
        },
    )
}
