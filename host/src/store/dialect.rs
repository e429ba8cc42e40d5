//! What differs between SQLite and PostgreSQL, both forms side by side.

/// The database underneath.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// One file, one writer, many readers.
    Sqlite,
    /// Many hosts.
    Postgres,
}

/// The writer keeps every commit through a power loss (`synchronous = full`): approvals and vendor answers are among them.
pub(super) const SQLITE_WRITER_SETUP: &str = "pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 20000; \
     pragma foreign_keys = on; pragma cache_size = -32768; pragma journal_size_limit = 67108864;";
/// Readers cannot write, whatever the statement.
pub(super) const SQLITE_READER_SETUP: &str =
    "pragma busy_timeout = 20000; pragma query_only = on; pragma cache_size = -8192;";
/// Readers of a limited sight are opened read-only; their temporary tables stay in memory.
pub(super) const SQLITE_LIMITED_SETUP: &str =
    "pragma busy_timeout = 20000; pragma temp_store = memory; pragma cache_size = -8192;";

impl Dialect {
    pub(super) fn of_url(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }

    pub(super) fn begin_write(self) -> &'static str {
        match self {
            Self::Sqlite => "begin immediate",
            Self::Postgres => "begin",
        }
    }

    pub(super) fn begin_read(self) -> &'static str {
        match self {
            Self::Sqlite => "begin deferred",
            Self::Postgres => "begin isolation level repeatable read read only",
        }
    }

    /// Asks the database's clock, which leases go by.
    pub(super) fn now_ms(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "select cast((julianday('now') - 2440587.5) * 86400000 as bigint) as now_ms"
            }
            Self::Postgres => {
                "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint) as now_ms"
            }
        }
    }

    /// One text or the other.
    #[must_use]
    pub fn pick(self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgres => postgres,
        }
    }
}
