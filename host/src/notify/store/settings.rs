//! SQL of the mail server and of what people chose.

use std::collections::BTreeMap;

use sqlx::Row as _;

use crate::kernel::PrincipalId;
use crate::store::{StoreError, Tx};

/// The one row's id.
pub(in crate::notify) const SERVER: &str = "mail";

/// The mail server's row.
#[derive(Clone, Debug)]
pub(in crate::notify) struct ServerRow {
    pub host: String,
    pub port: i64,
    pub security: String,
    pub sender: String,
    pub username: Option<String>,
    pub password_sealed: Option<Vec<u8>>,
    pub root_pem: Option<String>,
    pub set_by: String,
    pub set_at: i64,
}

pub(in crate::notify) async fn find_server(tx: &mut Tx) -> Result<Option<ServerRow>, StoreError> {
    let row = sqlx::query("select * from mail_servers where id = $1")
        .bind(SERVER)
        .fetch_optional(tx.conn())
        .await?;
    row.map(|row| {
        Ok(ServerRow {
            host: row.try_get("host")?,
            port: row.try_get("port")?,
            security: row.try_get("security")?,
            sender: row.try_get("sender")?,
            username: row.try_get("username")?,
            password_sealed: row.try_get("password_sealed")?,
            root_pem: row.try_get("root_pem")?,
            set_by: row.try_get("set_by")?,
            set_at: row.try_get("set_at")?,
        })
    })
    .transpose()
}

pub(in crate::notify) async fn put_server(
    tx: &mut Tx,
    row: &ServerRow,
    key_id: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into mail_servers (id, host, port, security, sender, username, password_sealed, key_id, root_pem, set_by, set_at, created_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) \
         on conflict (id) do update set host = excluded.host, port = excluded.port, security = excluded.security, sender = excluded.sender, \
           username = excluded.username, password_sealed = excluded.password_sealed, key_id = excluded.key_id, root_pem = excluded.root_pem, \
           set_by = excluded.set_by, set_at = excluded.set_at, version = mail_servers.version + 1",
    )
    .bind(SERVER)
    .bind(&row.host)
    .bind(row.port)
    .bind(&row.security)
    .bind(&row.sender)
    .bind(row.username.clone())
    .bind(row.password_sealed.clone())
    .bind(row.password_sealed.as_ref().map(|_| key_id.to_owned()))
    .bind(row.root_pem.clone())
    .bind(&row.set_by)
    .bind(row.set_at)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(in crate::notify) async fn remove_server(tx: &mut Tx) -> Result<bool, StoreError> {
    let done = sqlx::query("delete from mail_servers where id = $1")
        .bind(SERVER)
        .execute(tx.conn())
        .await?;
    Ok(done.rows_affected() == 1)
}

/// What one person chose, by cause; where they chose nothing there is no row.
pub(in crate::notify) async fn choices_of(
    tx: &mut Tx,
    principal: &PrincipalId,
) -> Result<BTreeMap<String, bool>, StoreError> {
    let rows = sqlx::query("select cause, is_wanted from notice_choices where principal_id = $1")
        .bind(principal.as_str())
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get("cause")?,
                row.try_get::<i64, _>("is_wanted")? == 1,
            ))
        })
        .collect()
}

/// What everybody chose of one cause.
pub(in crate::notify) async fn choices_for(
    tx: &mut Tx,
    cause: &str,
) -> Result<BTreeMap<String, bool>, StoreError> {
    let rows = sqlx::query("select principal_id, is_wanted from notice_choices where cause = $1")
        .bind(cause)
        .fetch_all(tx.conn())
        .await?;
    rows.iter()
        .map(|row| {
            Ok((
                row.try_get("principal_id")?,
                row.try_get::<i64, _>("is_wanted")? == 1,
            ))
        })
        .collect()
}

pub(in crate::notify) async fn put_choice(
    tx: &mut Tx,
    principal: &PrincipalId,
    cause: &str,
    is_wanted: bool,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into notice_choices (principal_id, cause, is_wanted, created_at) values ($1, $2, $3, $4) \
         on conflict (principal_id, cause) do update set is_wanted = excluded.is_wanted",
    )
    .bind(principal.as_str())
    .bind(cause)
    .bind(i64::from(is_wanted))
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}
