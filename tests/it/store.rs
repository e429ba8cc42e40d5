//! The store's contract, the same on SQLite and PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};

use seatwise::jobs::{self, JobError, JobKind, JobOutcome, NewJob};
use seatwise::kernel::chance::SeededChance;
use seatwise::store::numbers::{self, Series};
use seatwise_tests::database::{Database, Engine, on_both};
use sqlx::Row as _;

fn work(key: &str, due_at: i64) -> NewJob {
    NewJob {
        kind: JobKind::Sync,
        organization: None,
        key: key.to_owned(),
        subject: key.to_owned(),
        due_at,
        payload: serde_json::json!({}),
    }
}

/// `table.column` with its type and whether it can be null; of a view only the names, because SQLite knows no types there.
async fn columns(database: &Database) -> BTreeMap<String, (String, bool)> {
    let store = database.open().await;
    let mut tx = store.read_everything().await.unwrap();
    let rows = sqlx::query(store.dialect().pick(
        "select m.name as t, p.name as c, lower(p.type) as ty, \
           cast(p.\"notnull\" = 0 and p.pk = 0 as integer) as nullable \
         from sqlite_master m join pragma_table_info(m.name) p where m.type = 'table' and m.name not like 'sqlite_%' \
         union all select m.name, p.name, '', 1 from sqlite_master m join pragma_table_info(m.name) p where m.type = 'view'",
        "select c.table_name::text as t, c.column_name::text as c, \
           case t.table_type when 'VIEW' then '' else c.data_type end::text as ty, \
           (t.table_type = 'VIEW' or c.is_nullable = 'YES')::int::bigint as nullable \
         from information_schema.columns c join information_schema.tables t using (table_schema, table_name) \
         where c.table_schema = 'public'",
    ))
    .fetch_all(tx.conn())
    .await
    .unwrap();
    rows.iter()
        .map(|row| {
            let name = format!(
                "{}.{}",
                row.get::<String, _>("t"),
                row.get::<String, _>("c")
            );
            let kind = row.get::<String, _>("ty").replace("blob", "bytea");
            (name, (kind, row.get::<i64, _>("nullable") == 1))
        })
        // The migration library's own table differs by design.
        .filter(|(name, _)| !name.starts_with("_sqlx"))
        .collect()
}

async fn indexes(database: &Database) -> BTreeSet<String> {
    let store = database.open().await;
    let mut tx = store.read_everything().await.unwrap();
    let rows = sqlx::query(store.dialect().pick(
        "select name as n from sqlite_master where type = 'index' and sql is not null",
        "select c.relname::text as n from pg_index i join pg_class c on c.oid = i.indexrelid \
           join pg_namespace s on s.oid = c.relnamespace and s.nspname = 'public' \
         where not exists (select 1 from pg_constraint k where k.conindid = i.indexrelid)",
    ))
    .fetch_all(tx.conn())
    .await
    .unwrap();
    rows.iter().map(|row| row.get("n")).collect()
}

#[tokio::test]
async fn both_databases_get_the_same_tables_columns_and_nullability() {
    let (sqlite, postgres) = (
        Database::new(Engine::Sqlite),
        Database::new(Engine::Postgres),
    );
    let (left, right) = (columns(&sqlite).await, columns(&postgres).await);
    assert!(left.len() > 200, "{} columns found", left.len());
    let differ: Vec<_> = left
        .keys()
        .chain(right.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|name| left.get(*name) != right.get(*name))
        .map(|name| format!("{name}: {:?} / {:?}", left.get(name), right.get(name)))
        .collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert_eq!(indexes(&sqlite).await, indexes(&postgres).await);
}

#[test]
fn every_migration_exists_for_both_databases() {
    let names = |folder: &str| -> BTreeSet<String> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../migrations")
            .join(folder);
        std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let sqlite = names("sqlite");
    assert!(!sqlite.is_empty());
    assert_eq!(sqlite, names("postgres"));
}

/// SQLITE_BUSY_SNAPSHOT: a transaction that reads first and writes later must not be overtaken in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c5_concurrent_writers_never_meet_a_busy_snapshot() {
    on_both(|database| async move {
        // Two stores: two pools on one database, as two processes would have.
        let stores = [database.open().await, database.open().await];
        let mut writers = Vec::new();
        for n in 0..8 {
            let store = stores[n % 2].clone();
            writers.push(tokio::spawn(async move {
                for _ in 0..10 {
                    let mut tx = store.begin().await?;
                    sqlx::query("select next_value from number_series")
                        .fetch_all(tx.conn())
                        .await?;
                    numbers::next(&mut tx, Series::Candidate).await?;
                    tx.commit().await?;
                }
                Ok::<_, seatwise::store::StoreError>(())
            }));
        }
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        let mut tx = stores[0].begin().await.unwrap();
        assert_eq!(
            numbers::next(&mut tx, Series::Candidate).await.unwrap(),
            "CAN0001081"
        );
    })
    .await;
}

/// The rule behind C5: a statement can only write inside a transaction that began as a writing one.
#[tokio::test]
async fn a_reading_transaction_cannot_write() {
    on_both(|database| async move {
        let store = database.open().await;
        let mut tx = store.read_everything().await.unwrap();
        numbers::next(&mut tx, Series::Run)
            .await
            .expect_err("a read must not turn into a write");
    })
    .await;
}

#[tokio::test]
async fn a_job_key_exists_once() {
    on_both(|database| async move {
        let store = database.open().await;
        let chance = SeededChance::new(1);
        let mut tx = store.begin().await.unwrap();
        assert!(
            jobs::enqueue(&mut tx, 0, &chance, &work("daily", 5))
                .await
                .unwrap()
        );
        assert!(
            !jobs::enqueue(&mut tx, 0, &chance, &work("daily", 5))
                .await
                .unwrap()
        );
        tx.commit().await.unwrap();
        assert_eq!(jobs::next_due(&store).await.unwrap(), Some(5));
        assert!(jobs::claim(&store, 4, "host").await.unwrap().is_none());
        assert!(jobs::claim(&store, 5, "host").await.unwrap().is_some());
        assert!(jobs::claim(&store, 5, "host").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_stalled_worker_finds_its_fence_raised() {
    on_both(|database| async move {
        let store = database.open().await;
        let chance = SeededChance::new(1);
        let mut tx = store.begin().await.unwrap();
        jobs::enqueue(&mut tx, 0, &chance, &work("w", 0))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let first = jobs::claim(&store, 0, "first").await.unwrap().unwrap();
        seatwise_tests::database::expire_leases(&store).await;
        let second = jobs::claim(&store, 0, "second").await.unwrap().unwrap();
        assert!(second.fence > first.fence);

        let mut tx = store.begin().await.unwrap();
        assert!(matches!(
            jobs::hold(&mut tx, &first).await,
            Err(JobError::Lost)
        ));
        let late = jobs::settle(&mut tx, 1, &first, &JobOutcome::Done).await;
        assert!(matches!(late, Err(JobError::Lost)));
        jobs::hold(&mut tx, &second).await.unwrap();
        jobs::settle(&mut tx, 1, &second, &JobOutcome::Done)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        assert!(jobs::claim(&store, 10, "third").await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_workers_claim_each_job_once() {
    on_both(|database| async move {
        let store = database.open().await;
        let chance = SeededChance::new(1);
        let mut tx = store.begin().await.unwrap();
        for n in 0..40 {
            jobs::enqueue(&mut tx, 0, &chance, &work(&format!("w{n}"), n))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        let workers: Vec<_> = (0..4)
            .map(|n| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut mine = Vec::new();
                    while let Some(job) = jobs::claim(&store, 100, &format!("host {n}"))
                        .await
                        .unwrap()
                    {
                        mine.push(job.subject);
                    }
                    mine
                })
            })
            .collect();
        let mut all = Vec::new();
        for worker in workers {
            all.extend(worker.await.unwrap());
        }
        assert_eq!(all.len(), 40);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>().len(), 40);
    })
    .await;
}

#[tokio::test]
async fn an_older_program_refuses_a_newer_database() {
    on_both(|database| async move {
        let store = database.open().await;
        let mut tx = store.begin().await.unwrap();
        sqlx::query(store.dialect().pick(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'x', 1, x'00', 0)",
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'x', true, '\\x00', 0)",
        ))
        .execute(tx.conn())
        .await
        .unwrap();
        tx.commit().await.unwrap();
        store.close().await;
        let again = seatwise::store::Store::open(
            &database.url,
            std::sync::Arc::new(seatwise::kernel::faults::NoFaults),
        )
        .await;
        assert!(matches!(again, Err(seatwise::store::StoreError::Migrate(_))));
    })
    .await;
}
