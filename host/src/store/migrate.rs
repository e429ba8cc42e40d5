//! Migrations, embedded: same numbers and names for both databases, forward only.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, Row as _};

use super::{Dialect, StoreError, Tx};

macro_rules! migrations {
    ($($number:literal $name:literal;)*) => {
        const SQLITE: &[(i64, &str, &str)] = &[$(($number, $name, include_str!(concat!("../../../migrations/sqlite/", $name, ".sql"))),)*];
        const POSTGRES: &[(i64, &str, &str)] = &[$(($number, $name, include_str!(concat!("../../../migrations/postgres/", $name, ".sql"))),)*];
    };
}

migrations! {
    1 "0001_identity";
    2 "0002_connect";
    3 "0003_runs";
    4 "0004_facts";
    5 "0005_catalog_people";
    6 "0006_entitlements";
    7 "0007_reclamation";
    8 "0008_reconciliation";
    9 "0009_outbox";
    10 "0010_current_subscriptions";
    11 "0011_activity";
    12 "0012_grants";
    13 "0013_sign_in";
    14 "0014_messages";
    15 "0015_playbook";
    16 "0016_way_out";
    17 "0017_supersede";
    18 "0018_imports";
    19 "0019_vaults";
    21 "0021_units";
}

/// Number of the newest migration of this program, and of the newest one that the database has.
pub(super) async fn state(tx: &mut Tx) -> Result<(i64, i64), StoreError> {
    let known = SQLITE.iter().map(|(number, ..)| *number).max().unwrap_or(0);
    let row = sqlx::query(
        "select cast(coalesce(max(version), 0) as bigint) as newest from _sqlx_migrations",
    )
    .fetch_one(tx.conn())
    .await?;
    Ok((known, row.try_get("newest")?))
}

/// Applies what is missing. A newer database than this program is refused; several hosts starting at once wait for one.
pub(super) async fn up(pool: &AnyPool, dialect: Dialect) -> Result<(), StoreError> {
    let texts = match dialect {
        Dialect::Sqlite => SQLITE,
        Dialect::Postgres => POSTGRES,
    };
    let migrations: Vec<Migration> = texts
        .iter()
        .map(|(number, name, sql)| {
            Migration::new(
                *number,
                Cow::Borrowed(*name),
                MigrationType::Simple,
                sqlx::SqlStr::from_static(sql),
                false,
            )
        })
        .collect();
    let migrator = Migrator {
        migrations: Cow::Owned(migrations),
        ..Migrator::DEFAULT
    };
    migrator
        .run(pool)
        .await
        .map_err(|error| StoreError::Migrate(error.to_string()))
}
