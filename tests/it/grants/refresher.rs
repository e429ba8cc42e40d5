//! One refresher per credential across all hosts: a rotating refresh token is never used twice.

use std::sync::Arc;

use seatwise::app::host::Host;
use seatwise::credentials;
use seatwise::kernel::AliasId;
use seatwise_runtime::GrantPort;
use seatwise_tests::database::on_both;
use sqlx::Row as _;
use tokio::sync::Barrier;

use super::*;

/// Refreshes raced by two hosts, one after another.
const ROUNDS: u64 = 200;
/// Callers that ask at the same moment, half of them on each host.
const AT_ONCE: usize = 200;

async fn alias(world: &World) -> AliasId {
    let mut tx = world.host.store.read_everything().await.unwrap();
    let row = sqlx::query("select alias_id from profiles where number = $1")
        .bind(&world.profile)
        .fetch_one(tx.conn())
        .await
        .unwrap();
    row.get::<String, _>("alias_id").into()
}

fn port(host: &Host, alias: &AliasId, org: &Running) -> Arc<dyn GrantPort> {
    let manifest = host.connectors.manifest("salesforce").unwrap();
    credentials::grants(host, alias, manifest, Url::parse(org.base_url()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_refresh_one_rotating_credential_200_times_and_lose_no_grant() {
    on_both(|database| async move {
        let world = draft(&database, spec()).await;
        let ended = sign_in(&world, credential("authorization-code")).await;
        assert!(ended.problem.is_none(), "{:?}", ended.problem);
        let second = world.second_host().await;
        let alias = alias(&world).await;
        let hosts = [&world.host, &second];

        // 200 callers on two hosts, each with a link of its own, all at the same moment: what they hold is too old for all of them.
        let held = port(&world.host, &alias, &world.org)
            .current()
            .await
            .unwrap();
        let asked = token_calls(&world);
        let start = Arc::new(Barrier::new(AT_ONCE));
        let callers = (0..AT_ONCE).map(|n| {
            let port = port(hosts[n % 2], &alias, &world.org);
            let start = Arc::clone(&start);
            async move {
                start.wait().await;
                port.renew(held.generation)
                    .await
                    .map(|grant| grant.generation)
            }
        });
        let tasks: Vec<_> = callers.map(tokio::spawn).collect();
        for task in tasks {
            let generation = task.await.unwrap().expect("every caller gets a token");
            assert_eq!(generation, held.generation + 1);
        }
        assert_eq!(token_calls(&world) - asked, 1, "one refresh for all");

        // 200 refreshes, each raced by both hosts; one token used twice would cost the whole grant.
        let ports = hosts.map(|host| port(host, &alias, &world.org));
        let mut generation = held.generation + 1;
        for round in 0..ROUNDS {
            let asked = token_calls(&world);
            let (one, other) = tokio::join!(ports[0].renew(generation), ports[1].renew(generation));
            generation += 1;
            assert_eq!(
                one.expect("the first host").generation,
                generation,
                "round {round}"
            );
            assert_eq!(
                other.expect("the second host").generation,
                generation,
                "round {round}"
            );
            assert_eq!(token_calls(&world) - asked, 1, "round {round}");
        }
        let stored = connection(&world).await.credential.unwrap();
        assert_eq!(stored.health, "good");
        assert_eq!(u64::try_from(stored.generation).unwrap(), generation);
    })
    .await;
}
