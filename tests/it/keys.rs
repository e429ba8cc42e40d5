//! The master keys: a value that was moved, a key that is lost, wrong, or replaced while everything runs.

use std::sync::Arc;

use seatwise::app::keys::{self, KeyError, Source};
use seatwise::app::start::StartError;
use seatwise::audit::{self, Entry};
use seatwise::identity::roles::{Actor, Role};
use seatwise::kernel::chance::SeededChance;
use seatwise::kernel::faults::NoFaults;
use seatwise::kernel::seal::Sealer;
use seatwise_practice_org_salesforce::worked_example;
use seatwise_tests::database::{Database, on_both};
use seatwise_tests::world::{T0_MS, World, person};
use sqlx::Row as _;

/// A host whose key is in its file, as `serve` has it, with a connected org.
async fn world(database: &Database) -> World {
    let spec = worked_example::org1(T0_MS);
    let world = World::unpublished(database, spec, Arc::new(NoFaults), "client-credentials").await;
    let folder = database.folder().join("keys");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("master.key"), "09".repeat(32)).unwrap();
    world
}

async fn opened(world: &World, source: &Source) -> Result<Sealer, StartError> {
    keys::open(source, &world.host.store, &SeededChance::new(5), |_| None).await
}

fn key_file(world: &World) -> std::path::PathBuf {
    world.host.options.data_dir.join("keys/master.key")
}

#[tokio::test(flavor = "multi_thread")]
async fn e22_a_new_key_takes_over_without_downtime_and_the_old_one_is_retired() {
    on_both(|database| async move {
        let mut world = world(&database).await;
        let admin = person(&world.host, "Ada", Role::Admin).await;
        let before = world.host.sealer.key_id();
        let rotated = keys::rotate(&world.host, &admin, true).await.unwrap();
        assert!(rotated.is_new && rotated.rewrapped >= 1, "{rotated:?}");
        assert_eq!(rotated.retired, std::slice::from_ref(&before));
        assert_ne!(rotated.current, before);
        // The credential works on: the org is asked with it.
        world.publish().await.unwrap();
        let all = keys::list(&world.host, &admin).await.unwrap();
        assert!(all[0].is_current && all[0].values >= 2, "{all:?}");
        assert_eq!((all[1].id.as_str(), all[1].values), (before.as_str(), 0));
        let left = keys::retire(&world.host, &admin).await.unwrap();
        assert_eq!(left.len(), 1);
        let verified = keys::verify(&world.host, &admin).await.unwrap();
        assert_eq!(verified.broken_count, 0, "{verified:?}");
        // A restart finds the one key in the file, and nothing else.
        let source = Source::Own(key_file(&world));
        let sealer = opened(&world, &source).await.unwrap();
        assert_eq!(sealer.key_ids(), [rotated.current]);
        let denied = keys::rotate(&world.host, &world.ana, true).await;
        assert!(matches!(denied, Err(KeyError::Denied(_))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e22_a_rotation_that_was_cut_off_is_taken_up_and_the_old_key_stays_until_then() {
    on_both(|database| async move {
        let world = world(&database).await;
        let admin = Actor::system();
        // The new key is on disk and in use, nothing is wrapped yet: where a kill leaves it.
        let (new, old) = ([3u8; 32].into(), [9u8; 32].into());
        world.host.sealer.replace(&new, &[old]);
        let text = format!("{}\n{}\n", "03".repeat(32), "09".repeat(32));
        std::fs::write(key_file(&world), text).unwrap();
        let early = keys::retire(&world.host, &admin).await;
        assert!(matches!(early, Err(KeyError::Needed(1..))), "{early:?}");
        let source = Source::Own(key_file(&world));
        assert_eq!(opened(&world, &source).await.unwrap().key_ids().len(), 2);
        let rotated = keys::rotate(&world.host, &admin, false).await.unwrap();
        assert!(!rotated.is_new && rotated.rewrapped >= 1, "{rotated:?}");
        assert_eq!(keys::retire(&world.host, &admin).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn e22_a_lost_or_foreign_key_is_refused_at_the_start_and_never_made_anew() {
    on_both(|database| async move {
        let world = world(&database).await;
        let path = key_file(&world);
        let source = Source::Own(path.clone());
        std::fs::write(&path, "07".repeat(32)).unwrap();
        let wrong = opened(&world, &source).await.err().unwrap();
        assert!(matches!(wrong, StartError::KeyWrong { .. }), "{wrong}");
        assert!(
            wrong.to_string().contains(&world.host.sealer.key_id()),
            "{wrong}"
        );
        std::fs::remove_file(&path).unwrap();
        let lost = opened(&world, &source).await.err().unwrap();
        assert!(matches!(lost, StartError::KeyMissing(_)), "{lost}");
        assert!(!path.exists());
        std::fs::write(&path, "not a key").unwrap();
        assert!(matches!(
            opened(&world, &source).await,
            Err(StartError::Key(_))
        ));
        // The same keys from the environment open it too, the current one first.
        let text = format!("{},{}", "03".repeat(32), "09".repeat(32));
        let get = |name: &str| (name == "SEATWISE_MASTER_KEY").then(|| text.clone());
        let source = Source::find(database.folder(), get);
        assert_eq!(source, Source::Environment);
        let opened = keys::open(&source, &world.host.store, &SeededChance::new(5), get).await;
        assert_eq!(opened.unwrap().key_ids().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn the_key_of_the_trail_is_never_made_anew_once_a_head_is_signed() {
    on_both(|database| async move {
        let store = database.open().await;
        let folder = database.folder();
        let opened = async || keys::of_trail(folder, &store, &SeededChance::new(6)).await;
        let first = opened().await.unwrap();
        // As long as nothing is signed, a lost key is no loss.
        std::fs::remove_file(folder.join("audit.key")).unwrap();
        assert_eq!(opened().await.unwrap().key_id(), first.key_id());
        let mut tx = store.begin().await.unwrap();
        let entry = Entry {
            event: "test",
            subject_kind: "installation",
            subject_id: "one",
            detail: serde_json::json!({}),
        };
        let chance = SeededChance::new(7);
        audit::record(&mut tx, 1, &chance, &Actor::system(), entry)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        audit::sign_head(&store, 2, &first).await.unwrap().unwrap();
        assert_eq!(opened().await.unwrap().key_id(), first.key_id());
        std::fs::write(folder.join("audit.key"), "05".repeat(32)).unwrap();
        let foreign = opened().await.err().unwrap().to_string();
        assert!(foreign.contains(first.key_id()), "{foreign}");
        std::fs::remove_file(folder.join("audit.key")).unwrap();
        let lost = opened().await.err().unwrap();
        assert!(matches!(lost, StartError::TrailKeyMissing(_)), "{lost}");
        assert!(!folder.join("audit.key").exists());
    })
    .await;
}

#[tokio::test]
async fn e21_a_sealed_value_that_was_moved_to_another_row_or_column_does_not_open() {
    on_both(|database| async move {
        let world = world(&database).await;
        let admin = Actor::system();
        let mut tx = world.host.store.begin().await.unwrap();
        let sealed: Vec<u8> = sqlx::query("select client_secret_sealed from credentials")
            .fetch_one(tx.conn())
            .await
            .unwrap()
            .get(0);
        // Whoever holds the file can write it back elsewhere, but cannot make it open there.
        sqlx::query("update credentials set refresh_token_sealed = $1")
            .bind(sealed.clone())
            .execute(tx.conn())
            .await
            .unwrap();
        sqlx::query("update connections set proxy_password_sealed = $1")
            .bind(sealed)
            .execute(tx.conn())
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let found = keys::verify(&world.host, &admin).await.unwrap();
        assert_eq!((found.opened, found.broken_count), (1, 2), "{found:?}");
        assert!(found.broken[0].starts_with("credentials.refresh_token_sealed alias_"));
    })
    .await;
}
