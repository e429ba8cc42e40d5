//! A database of its own for each test, on each of the two engines.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use seatwise::kernel::faults::{Faults, NoFaults};
use seatwise::store::Store;
use tempfile::TempDir;

use crate::postgres::Cluster;

/// Which engine a test stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// One file in a temporary folder.
    Sqlite,
    /// A database in this process's own cluster.
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// URL of a database of this process's cluster that has the schema and no rows: copying it takes a tenth of what bringing the schema up
/// takes, and some tests stand on hundreds of databases.
fn migrated() -> &'static str {
    static MIGRATED: OnceLock<String> = OnceLock::new();
    MIGRATED.get_or_init(|| {
        let url = Cluster::of_this_process().create_database();
        let opened = url.clone();
        // A runtime of its own: when it ends, nobody is connected any more, as copying wants.
        let up = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
            runtime.block_on(async {
                let store = Store::open(&opened, Arc::new(NoFaults)).await;
                store.expect("the schema comes up").close().await;
            });
        });
        up.join().expect("the schema comes up");
        url
    })
}

fn folder() -> TempDir {
    tempfile::Builder::new()
        .prefix("seatwise-test-")
        .tempdir()
        .expect("a temporary folder can be made")
}

/// Address of the embedded database in a data folder.
fn in_file(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("seatwise.db").display())
}

/// Copies a data folder: keys, embedded database, outbox.
///
/// # Panics
/// When one of its files cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder can be made");
    for entry in std::fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a folder can be read");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("an entry has a type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// A database without rows that nobody else uses. A folder for the host's other files comes with it; both go when it is dropped.
#[derive(Clone)]
pub struct Database {
    /// Its engine.
    pub engine: Engine,
    /// What the host is given as `--database`.
    pub url: String,
    folder: Arc<TempDir>,
}

impl Database {
    /// A new one.
    ///
    /// # Panics
    /// When there is no room for a temporary folder, or PostgreSQL does not run.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        let folder = folder();
        let url = match engine {
            Engine::Sqlite => in_file(folder.path()),
            Engine::Postgres => Cluster::of_this_process().copy_database(migrated()),
        };
        Self {
            engine,
            url,
            folder: Arc::new(folder),
        }
    }

    /// The host's data folder: keys, outbox.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A copy with the same rows and files. Nobody may have this one open.
    ///
    /// # Panics
    /// When there is no room for it.
    #[must_use]
    pub fn copied(&self) -> Self {
        let folder = folder();
        copy_folder(self.folder(), folder.path());
        let url = match self.engine {
            Engine::Sqlite => in_file(folder.path()),
            Engine::Postgres => Cluster::of_this_process().copy_database(&self.url),
        };
        Self {
            engine: self.engine,
            url,
            folder: Arc::new(folder),
        }
    }

    /// Opens it and brings the schema up, without faults.
    ///
    /// # Panics
    /// When that fails.
    pub async fn open(&self) -> Store {
        self.open_with(Arc::new(NoFaults)).await
    }

    /// Opens it with effect points that may fail.
    ///
    /// # Panics
    /// When it does not open.
    pub async fn open_with(&self, faults: Arc<dyn Faults>) -> Store {
        Store::open(&self.url, faults)
            .await
            .unwrap_or_else(|error| panic!("{}: {error} ({error:?})", self.engine))
    }
}

/// Runs one test on SQLite, then on PostgreSQL, and says which one it failed on.
pub async fn on_both<F, Fut>(test: F)
where
    F: Fn(Database) -> Fut,
    Fut: Future<Output = ()>,
{
    for engine in [Engine::Sqlite, Engine::Postgres] {
        if let Err(panic) = AssertUnwindSafe(test(Database::new(engine)))
            .catch_unwind()
            .await
        {
            eprintln!("failed on {engine}");
            std::panic::resume_unwind(panic);
        }
    }
}

/// One number from a database.
///
/// # Panics
/// When the statement fails.
pub async fn count(store: &Store, statement: &'static str) -> i64 {
    let mut tx = store.read_everything().await.expect("a read begins");
    sqlx::query_scalar(statement)
        .fetch_one(tx.conn())
        .await
        .expect("the statement counts")
}

/// Lets every lease run out: what a restart after a crash would otherwise wait half a minute for.
///
/// # Panics
/// When the database refuses.
pub async fn expire_leases(store: &Store) {
    let mut tx = store.begin().await.expect("a transaction begins");
    for statement in [
        "update jobs set lease_until = 0 where state = 'running'",
        "update credentials set lease_until = 0",
    ] {
        sqlx::query(statement)
            .execute(tx.conn())
            .await
            .expect("leases are columns");
    }
    tx.commit().await.expect("the transaction commits");
}
