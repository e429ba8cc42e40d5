//! Every sealed column, in one list, for what must be done to all of them: count, verify, wrap anew.
//!
//! Invariant: a column whose name ends in `_sealed` is in [`COLUMNS`]; a test holds the list against the migrations.

use sqlx::{AssertSqlSafe, Row as _};

use super::{StoreError, Tx};

/// One sealed column, and how a row of it is named where it is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its table.
    pub table: &'static str,
    /// Its name.
    pub column: &'static str,
    /// SQL of the row's name, as the associated data has it.
    row: &'static str,
}

const fn column(table: &'static str, column: &'static str, row: &'static str) -> Column {
    Column { table, column, row }
}

/// All of them.
pub const COLUMNS: &[Column] = &[
    column("credentials", "client_secret_sealed", "alias_id"),
    column("credentials", "refresh_token_sealed", "alias_id"),
    column("credentials", "access_token_sealed", "alias_id"),
    column("credentials", "private_key_sealed", "alias_id"),
    column("signins", "offer_sealed", "id"),
    column("connections", "proxy_password_sealed", "alias_id"),
    column(
        "run_chains",
        "cursor_sealed",
        "run_id || '/' || process || '/' || cast(chain_no as text)",
    ),
    column("actions", "before_image_sealed", "id"),
    column("mail_servers", "password_sealed", "id"),
    column("webhooks", "secret_sealed", "id"),
    column("vaults", "token_sealed", "id"),
    column("second_factors", "secret_sealed", "principal_id"),
    column("sign_on", "secret_sealed", "id"),
    column("sign_on_attempts", "bound_sealed", "state_hash"),
];

/// Some values behind a row, each with its row's name.
///
/// # Errors
/// The database's own.
pub async fn page(
    tx: &mut Tx,
    column: &Column,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let Column { table, column, row } = column;
    let text = format!(
        "select {row} as row_name, {column} as value from {table} where {column} is not null and {row} > $1 order by {row} limit $2"
    );
    sqlx::query(AssertSqlSafe(text))
        .bind(after)
        .bind(limit)
        .fetch_all(tx.conn())
        .await?
        .iter()
        .map(|found| Ok((found.try_get("row_name")?, found.try_get("value")?)))
        .collect()
}

/// Puts a value in another's place, unless that has changed meanwhile.
///
/// # Errors
/// The database's own.
pub async fn swap(
    tx: &mut Tx,
    column: &Column,
    row_name: &str,
    old: &[u8],
    new: &[u8],
) -> Result<bool, StoreError> {
    let Column { table, column, row } = column;
    let text = format!("update {table} set {column} = $1 where {row} = $2 and {column} = $3");
    let done = sqlx::query(AssertSqlSafe(text))
        .bind(new.to_vec())
        .bind(row_name)
        .bind(old.to_vec())
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

#[cfg(test)]
mod tests {
    use super::COLUMNS;

    #[test]
    fn every_sealed_column_of_the_migrations_is_listed() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/sqlite");
        let mut found = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            let mut table = String::new();
            for line in text
                .lines()
                .filter(|line| !line.trim_start().starts_with("--"))
            {
                for head in ["create table ", "alter table "] {
                    if let Some(rest) = line.strip_prefix(head) {
                        table = rest.split([' ', '(']).next().unwrap_or_default().to_owned();
                    }
                }
                let Some(word) = line
                    .split_whitespace()
                    .find(|word| word.ends_with("_sealed"))
                else {
                    continue;
                };
                found += 1;
                assert!(
                    COLUMNS.iter().any(|c| c.table == table && c.column == word),
                    "{table}.{word} is not in the list of sealed columns"
                );
            }
        }
        assert_eq!(found, COLUMNS.len());
    }
}
