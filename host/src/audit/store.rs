//! SQL of the audit trail.

use sqlx::Row as _;

use super::entry::{Entry, GENESIS, Link};
use super::signer::Signer;
use super::{EntryView, Verification};
use crate::identity::roles::Actor;
use crate::kernel::AuditId;
use crate::store::{StoreError, Tx};

/// Entries read at once while verifying: memory stays flat whatever the trail's length.
const VERIFY_CHUNK: i64 = 1_000;

pub(super) async fn append(
    tx: &mut Tx,
    id: &AuditId,
    now_ms: i64,
    actor: &Actor,
    entry: &Entry<'_>,
) -> Result<(), StoreError> {
    // The counter's row lock orders writers on PostgreSQL; SQLite has one writer.
    let seq: i64 = sqlx::query(
        "insert into number_series (series, next_value) values ('audit', 1) \
         on conflict (series) do update set next_value = number_series.next_value + 1 returning next_value",
    )
    .fetch_one(tx.conn())
    .await?
    .try_get("next_value")?;
    let previous = sqlx::query("select digest from audit where seq = $1")
        .bind(seq - 1)
        .fetch_optional(tx.conn())
        .await?;
    let previous: String = previous.map_or(Ok(GENESIS.to_owned()), |row| row.try_get("digest"))?;
    let detail = entry.detail.to_string();
    let via = actor.via_word();
    let link = Link {
        seq,
        id: id.as_str(),
        at: now_ms,
        actor_id: actor.id.as_str(),
        actor_via: &via,
        event: entry.event,
        subject_kind: entry.subject_kind,
        subject_id: entry.subject_id,
        detail: &detail,
    };
    let digest = link.digest(&previous);
    sqlx::query(
        "insert into audit (seq, id, at, actor_id, actor_via, event, subject_kind, subject_id, detail, previous_digest, digest) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(seq)
    .bind(link.id)
    .bind(link.at)
    .bind(link.actor_id)
    .bind(link.actor_via)
    .bind(link.event)
    .bind(link.subject_kind)
    .bind(link.subject_id)
    .bind(&detail)
    .bind(&previous)
    .bind(&digest)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn unsigned_head(tx: &mut Tx) -> Result<Option<(i64, String)>, StoreError> {
    let row = sqlx::query(
        "select seq, digest from audit a where seq = (select max(seq) from audit) \
         and not exists (select 1 from audit_heads h where h.seq = a.seq)",
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(|row| Ok((row.try_get("seq")?, row.try_get("digest")?)))
        .transpose()
}

pub(super) async fn put_head(
    tx: &mut Tx,
    seq: i64,
    digest: &str,
    key_id: &str,
    signature: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into audit_heads (seq, digest, key_id, signature, created_at) values ($1, $2, $3, $4, $5) on conflict (seq) do nothing",
    )
    .bind(seq)
    .bind(digest)
    .bind(key_id)
    .bind(signature)
    .bind(now_ms)
    .execute(tx.conn())
    .await?;
    Ok(())
}

pub(super) async fn newest_key(tx: &mut Tx) -> Result<Option<String>, StoreError> {
    let newest = "select key_id from audit_heads order by seq desc limit 1";
    Ok(sqlx::query_scalar(newest).fetch_optional(tx.conn()).await?)
}

pub(super) async fn list(
    tx: &mut Tx,
    before: i64,
    limit: i64,
) -> Result<Vec<EntryView>, StoreError> {
    let rows = sqlx::query(
        "select seq, at, actor_id, actor_via, event, subject_kind, subject_id, detail, digest from audit \
         where seq < $1 order by seq desc limit $2",
    )
    .bind(before)
    .bind(limit)
    .fetch_all(tx.conn())
    .await?;
    rows.iter()
        .map(|row| {
            let detail: String = row.try_get("detail")?;
            Ok(EntryView {
                seq: row.try_get("seq")?,
                at: row.try_get("at")?,
                actor_id: row.try_get("actor_id")?,
                actor_via: row.try_get("actor_via")?,
                event: row.try_get("event")?,
                subject_kind: row.try_get("subject_kind")?,
                subject_id: row.try_get("subject_id")?,
                detail: serde_json::from_str(&detail).unwrap_or(serde_json::Value::String(detail)),
                digest: row.try_get("digest")?,
            })
        })
        .collect()
}

pub(super) async fn verify(tx: &mut Tx, signer: &Signer) -> Result<Verification, StoreError> {
    let mut found = Verification {
        is_intact: true,
        entries: 0,
        heads: 0,
        broken_at: None,
        head: None,
    };
    let mut previous = GENESIS.to_owned();
    let mut broken: Option<(i64, String)> = None;
    loop {
        let rows = sqlx::query(
            "select a.seq, a.id, a.at, a.actor_id, a.actor_via, a.event, a.subject_kind, a.subject_id, a.detail, \
               a.previous_digest, a.digest, h.digest as head_digest, h.signature \
             from audit a left join audit_heads h on h.seq = a.seq where a.seq > $1 order by a.seq limit $2",
        )
        .bind(found.entries)
        .bind(VERIFY_CHUNK)
        .fetch_all(tx.conn())
        .await?;
        for row in &rows {
            let seq: i64 = row.try_get("seq")?;
            let text = |column: &str| row.try_get::<String, _>(column);
            let (id, actor_id, actor_via, event) = (
                text("id")?,
                text("actor_id")?,
                text("actor_via")?,
                text("event")?,
            );
            let (subject_kind, subject_id, detail, digest) = (
                text("subject_kind")?,
                text("subject_id")?,
                text("detail")?,
                text("digest")?,
            );
            let link = Link {
                seq,
                id: &id,
                at: row.try_get("at")?,
                actor_id: &actor_id,
                actor_via: &actor_via,
                event: &event,
                subject_kind: &subject_kind,
                subject_id: &subject_id,
                detail: &detail,
            };
            let heads: (Option<String>, Option<String>) =
                (row.try_get("head_digest")?, row.try_get("signature")?);
            if seq != found.entries + 1 {
                broken = Some((found.entries + 1, "an entry is missing".to_owned()));
            } else if link.digest(&previous) != digest {
                broken = Some((seq, "the entry was changed after it was written".to_owned()));
            } else if let (Some(head), Some(signature)) = heads {
                if head == digest && signer.verifies(seq, &head, &signature) {
                    found.heads += 1;
                } else {
                    broken = Some((seq, "the signed head does not fit the entry".to_owned()));
                }
            }
            if broken.is_some() {
                break;
            }
            found.entries = seq;
            previous = digest;
        }
        if broken.is_some() || rows.is_empty() {
            break;
        }
    }
    if broken.is_none() {
        // A trail cut at its end: a signed head beyond the last entry.
        let beyond: Option<i64> =
            sqlx::query("select min(seq) as seq from audit_heads where seq > $1")
                .bind(found.entries)
                .fetch_one(tx.conn())
                .await?
                .try_get("seq")?;
        broken = beyond.map(|seq| (seq, "entries up to a signed head are missing".to_owned()));
    }
    found.is_intact = broken.is_none();
    found.broken_at = broken;
    found.head = (found.entries > 0).then_some(previous);
    Ok(found)
}
