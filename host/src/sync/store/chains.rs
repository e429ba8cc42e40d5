//! SQL of chains: where each stands, sealed, page by page.

use sqlx::Row as _;

use crate::kernel::RunId;
use crate::store::{StoreError, Tx};

/// A chain as it stands.
#[derive(Clone, Debug)]
pub(in crate::sync) struct Chain {
    pub number: i64,
    pub cursor_sealed: Option<Vec<u8>>,
}

/// A chain at its start; `None`: it begins without a resume point.
pub(in crate::sync) async fn insert_chain(
    tx: &mut Tx,
    run: &RunId,
    process: &str,
    number: i64,
    cursor: Option<Vec<u8>>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into run_chains (run_id, process, chain_no, cursor_sealed) values ($1, $2, $3, $4) \
         on conflict (run_id, process, chain_no) do nothing",
    )
    .bind(run.as_str())
    .bind(process)
    .bind(number)
    .bind(cursor)
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Chains that have not ended.
pub(in crate::sync) async fn open_chains(
    tx: &mut Tx,
    run: &RunId,
    process: &str,
) -> Result<Vec<Chain>, StoreError> {
    let rows = sqlx::query(
        "select chain_no, cursor_sealed from run_chains where run_id = $1 and process = $2 and is_ended = 0 order by chain_no",
    )
    .bind(run.as_str())
    .bind(process)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Chain {
                number: row.try_get("chain_no")?,
                cursor_sealed: row.try_get("cursor_sealed")?,
            })
        })
        .collect()
}

/// Whether a process of the run read to its end (no chain is left open, and it had one).
pub(in crate::sync) async fn is_process_whole(
    tx: &mut Tx,
    run: &RunId,
    process: &str,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "select count(*) as chains, cast(coalesce(sum(is_ended), 0) as bigint) as ended \
         from run_chains where run_id = $1 and process = $2",
    )
    .bind(run.as_str())
    .bind(process)
    .fetch_one(tx.conn())
    .await?;
    let (chains, ended): (i64, i64) = (row.try_get("chains")?, row.try_get("ended")?);
    Ok(chains > 0 && chains == ended)
}

/// Where a chain goes on; `None`: it has ended. Returns its pages so far.
pub(in crate::sync) async fn move_chain(
    tx: &mut Tx,
    run: &RunId,
    process: &str,
    number: i64,
    next: Option<Vec<u8>>,
    digest: Option<&str>,
) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "update run_chains set cursor_sealed = $4, is_ended = $5, last_cursor_digest = $6, pages = pages + 1 \
         where run_id = $1 and process = $2 and chain_no = $3 and is_ended = 0 returning pages",
    )
    .bind(run.as_str())
    .bind(process)
    .bind(number)
    .bind(next.clone())
    .bind(i64::from(next.is_none()))
    .bind(digest)
    .fetch_optional(tx.conn())
    .await?
    .ok_or(StoreError::Conflict)?;
    Ok(row.try_get("pages")?)
}

/// True when the run has no chain of the process, because its staging was dropped.
pub(in crate::sync) async fn is_process_absent(
    tx: &mut Tx,
    run: &RunId,
    process: &str,
) -> Result<bool, StoreError> {
    let row =
        sqlx::query("select count(*) as n from run_chains where run_id = $1 and process = $2")
            .bind(run.as_str())
            .bind(process)
            .fetch_one(tx.conn())
            .await?;
    Ok(row.try_get::<i64, _>("n")? == 0)
}
