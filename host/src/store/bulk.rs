//! Many rows a statement, never one statement a row (`performance.md` §2.1: six times faster).
//!
//! The texts are built here, because the library's own builder writes `?` for a connection whose database it learns at run time, and
//! PostgreSQL refuses that. SQLite takes `$n` as a name, and looks each name up in a list of all: with thousands of them that
//! costs more than the rows, so it gets `?`.

use std::fmt::Write as _;

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, Arguments as _, AssertSqlSafe, Encode, Type};

use super::{Dialect, StoreError, Tx};

/// Parameters in one statement: SQLite's limit is 32,766 and PostgreSQL's 65,535.
const MAX_PARAMETERS: usize = 30_000;

/// Takes the values of one row after another.
#[derive(Default)]
pub struct Values {
    arguments: AnyArguments,
    failed: Option<sqlx::Error>,
}

impl Values {
    /// The next column's value.
    pub fn push_bind<'t, T: Encode<'t, Any> + Type<Any>>(&mut self, value: T) -> &mut Self {
        if let Err(error) = self.arguments.add(value) {
            self.failed.get_or_insert(sqlx::Error::Encode(error));
        }
        self
    }

    /// Runs a text that was put together from constants and parameter numbers.
    async fn execute(self, tx: &mut Tx, text: String) -> Result<u64, StoreError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        let done = sqlx::query_with(AssertSqlSafe(text), self.arguments)
            .persistent(false)
            .execute(tx.conn())
            .await?;
        Ok(done.rows_affected())
    }

    /// The same, for the rows it answers.
    async fn fetch(self, tx: &mut Tx, text: String) -> Result<Vec<AnyRow>, StoreError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        Ok(sqlx::query_with(AssertSqlSafe(text), self.arguments)
            .persistent(false)
            .fetch_all(tx.conn())
            .await?)
    }
}

/// Inserts `rows` by `head` (`insert into t (a, b) `) and `tail` (`on conflict …`), `columns` values a row.
///
/// # Errors
/// The database's own.
pub async fn insert<T>(
    tx: &mut Tx,
    head: &'static str,
    tail: &'static str,
    columns: usize,
    rows: &[T],
    mut bind: impl FnMut(&mut Values, &T),
) -> Result<u64, StoreError> {
    let dialect = tx.dialect();
    let mut written = 0;
    for chunk in rows.chunks((MAX_PARAMETERS / columns.max(1)).max(1)) {
        let mut values = Values::default();
        let mut text = format!("{head}values ");
        for (at, row) in chunk.iter().enumerate() {
            bind(&mut values, row);
            text.push_str(if at == 0 { "(" } else { ", (" });
            push_parameters(&mut text, dialect, at * columns + 1, columns);
        }
        text.push(' ');
        text.push_str(tail);
        written += values.execute(tx, text).await?;
    }
    Ok(written)
}

/// Runs `head` with `first` as `$1` for every id of a list: `update t set a = $1 where id in `.
///
/// # Errors
/// The database's own.
pub async fn update_listed(
    tx: &mut Tx,
    head: &'static str,
    first: i64,
    ids: &[String],
) -> Result<u64, StoreError> {
    let dialect = tx.dialect();
    let head = match dialect {
        Dialect::Sqlite => head.replacen("$1", "?", 1),
        Dialect::Postgres => head.to_owned(),
    };
    let mut written = 0;
    for chunk in ids.chunks(MAX_PARAMETERS - 1) {
        let mut values = Values::default();
        values.push_bind(first);
        for id in chunk {
            values.push_bind(id.clone());
        }
        let mut text = format!("{head}(");
        push_parameters(&mut text, dialect, 2, chunk.len());
        written += values.execute(tx, text).await?;
    }
    Ok(written)
}

/// Runs `head` for every key of a list: `select a from t where k in `.
///
/// # Errors
/// The database's own.
pub async fn fetch_listed(
    tx: &mut Tx,
    head: &'static str,
    keys: &[String],
) -> Result<Vec<AnyRow>, StoreError> {
    let dialect = tx.dialect();
    let mut rows = Vec::new();
    for chunk in keys.chunks(MAX_PARAMETERS) {
        let mut values = Values::default();
        for key in chunk {
            values.push_bind(key.clone());
        }
        let mut text = format!("{head}(");
        push_parameters(&mut text, dialect, 1, chunk.len());
        rows.extend(values.fetch(tx, text).await?);
    }
    Ok(rows)
}

/// `$5, $6, $7)`, on SQLite `?, ?, ?)`.
fn push_parameters(text: &mut String, dialect: Dialect, from: usize, count: usize) {
    for number in from..from + count {
        if number > from {
            text.push_str(", ");
        }
        // Writing to a String cannot fail.
        let _ = match dialect {
            Dialect::Sqlite => text.write_str("?"),
            Dialect::Postgres => write!(text, "${number}"),
        };
    }
    text.push(')');
}
