//! Multi-row inserts: many rows a statement, never one statement a row (`performance.md` §2.1: six times faster).

use sqlx::query_builder::Separated;
use sqlx::{Any, QueryBuilder};

use super::{StoreError, Tx};

/// Parameters in one statement: SQLite's limit is 32,766 and PostgreSQL's 65,535.
const MAX_PARAMETERS: usize = 30_000;

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
    mut bind: impl FnMut(&mut Separated<'_, Any, &'static str>, &T),
) -> Result<u64, StoreError> {
    let mut written = 0;
    for chunk in rows.chunks((MAX_PARAMETERS / columns.max(1)).max(1)) {
        let mut query = QueryBuilder::<Any>::new(head);
        query.push_values(chunk, |mut row, value| bind(&mut row, value));
        query.push(" ").push(tail);
        written += query
            .build()
            .persistent(false)
            .execute(tx.conn())
            .await?
            .rows_affected();
    }
    Ok(written)
}
