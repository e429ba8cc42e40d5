//! Numbers a person can say on the phone: `PRF0001001`.

use sqlx::Row as _;

use super::{StoreError, Tx};

/// A series of record numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// Integration profiles.
    Profile,
    /// Runs.
    Run,
    /// Rules.
    Rule,
    /// Candidates.
    Candidate,
    /// Batches.
    Batch,
    /// Actions.
    Action,
    /// Software models.
    Model,
    /// Entitlements.
    Entitlement,
    /// Reconciliations.
    Reconciliation,
}

impl Series {
    fn prefix(self) -> &'static str {
        match self {
            Self::Profile => "PRF",
            Self::Run => "RUN",
            Self::Rule => "RUL",
            Self::Candidate => "CAN",
            Self::Batch => "BAT",
            Self::Action => "ACT",
            Self::Model => "MOD",
            Self::Entitlement => "ENT",
            Self::Reconciliation => "REC",
        }
    }
}

/// The first number of each series.
const FIRST: i64 = 1001;

/// Takes the next number; the row stays locked until the transaction ends, so numbers have no doubles.
///
/// # Errors
/// The database's own.
pub async fn next(tx: &mut Tx, series: Series) -> Result<String, StoreError> {
    let first = take(tx, series, 1).await?;
    Ok(format!("{}{first:07}", series.prefix()))
}

/// Takes `count` numbers at once, for set-based inserts: the text prefix and the first value.
///
/// # Errors
/// The database's own.
pub async fn next_block(
    tx: &mut Tx,
    series: Series,
    count: i64,
) -> Result<(&'static str, i64), StoreError> {
    Ok((series.prefix(), take(tx, series, count).await?))
}

async fn take(tx: &mut Tx, series: Series, count: i64) -> Result<i64, StoreError> {
    let row = sqlx::query(
        "insert into number_series (series, next_value) values ($1, $2) \
         on conflict (series) do update set next_value = number_series.next_value + $3 returning next_value",
    )
    .bind(series.prefix())
    .bind(FIRST + count)
    .bind(count)
    .fetch_one(tx.conn())
    .await?;
    Ok(row.try_get::<i64, _>("next_value")? - count)
}
