//! One source counting instead of another: nothing is counted twice, nothing is lost, and it can be taken back.

use std::sync::Arc;

use seatwise::kernel::OrgId;
use seatwise::kernel::faults::NoFaults;
use seatwise::profiles::model::ProfileEvent;
use seatwise::profiles::service::{self as profiles, NewProfile};
use seatwise::sources::service::{self as sources, SourceError};
use seatwise::sync::{RunState, service as runs};
use seatwise_practice_org_salesforce::worked_example;
use seatwise_tests::company::{Company, Contract};
use seatwise_tests::database::on_both;
use seatwise_tests::world::T0_MS;

async fn ids(company: &Company) -> (OrgId, OrgId) {
    let all = sources::list_sources(&company.host, &company.ana)
        .await
        .unwrap();
    let of = |number: &String| {
        all.iter()
            .find(|source| source.profile.as_ref() == Some(number))
            .expect("the profile has its source")
            .id
            .clone()
    };
    (of(&company.profiles[0]), of(&company.profiles[1]))
}

const CURRENT: &str = "select (select count(*) from accounts where valid_to is null) \
     + (select count(*) from subscriptions where valid_to is null) + (select count(*) from pools where valid_to is null)";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_superseded_source_counts_nowhere_stays_visible_and_can_be_taken_back() {
    on_both(|database| async move {
        let company = Company::new(&database, Contract::Shared, Arc::new(NoFaults)).await;
        let (host, ana) = (&company.host, &company.ana);
        let (older, newer) = ids(&company).await;
        let before = company.position("Sales Cloud", "contract").await;

        let seen = sources::preview(host, ana, &older, &newer).await.unwrap();
        assert!(seen.in_the_way.unwrap().contains("end that profile first"));
        let refused = sources::supersede(host, ana, &older, &newer, "a better source").await;
        assert!(matches!(refused, Err(SourceError::InTheWay(_))));
        profiles::change_state(host, ana, &company.profiles[0], ProfileEvent::Archive)
            .await
            .unwrap();
        company.work().await;
        let ended = company.position("Sales Cloud", "contract").await;
        assert_eq!(
            ended.active, before.active,
            "what an ended profile read still counts"
        );

        let rows = company.count(CURRENT).await;
        let seen = sources::preview(host, ana, &older, &newer).await.unwrap();
        assert_eq!(seen.in_the_way, None);
        assert!(seen.shared_accounts > 0, "gus and others are in both");
        assert_eq!(
            seen.shared_accounts + seen.lost_accounts,
            seen.older.accounts
        );
        assert_eq!(
            company.count(CURRENT).await,
            rows,
            "a preview changes nothing"
        );
        assert!(
            sources::supersede(host, &company.ben, &older, &newer, "x")
                .await
                .is_err()
        );
        assert!(
            sources::supersede(host, ana, &older, &newer, " ")
                .await
                .is_err()
        );

        let done = sources::supersede(host, ana, &older, &newer, "the same people, read better")
            .await
            .unwrap();
        assert!(done.subscriptions >= seen.older.subscriptions && done.accounts > 0);
        company.work().await;
        let after = company.position("Sales Cloud", "contract").await;
        assert!(
            after.active < before.active,
            "{} of {}",
            after.active,
            before.active
        );
        let source = sources::list_sources(host, ana).await.unwrap();
        let gone = source.iter().find(|source| source.id == older).unwrap();
        assert_eq!((gone.accounts, gone.subscriptions), (0, 0));
        assert_eq!(
            gone.superseded.as_ref().unwrap().reason,
            "the same people, read better"
        );

        // Connected anew, what it brings is not taken.
        let spec = worked_example::org1(T0_MS);
        let new = NewProfile {
            connector: "salesforce".to_owned(),
            name: "Org1 again".to_owned(),
            parent: None,
            login_url: company.orgs[0].base_url().to_owned(),
            grant: "client-credentials".to_owned(),
            client_id: spec.apps[0].client_id.clone(),
            client_secret: spec.apps[0].client_secret.clone().into(),
            refresh_token: None,
            settings: Vec::new(),
        };
        let draft = profiles::create(host, ana, new).await.unwrap();
        profiles::publish(host, ana, &draft.number).await.unwrap();
        company.work().await;
        let again = runs::list_runs(host, ana, Some(&draft.id), None, 1)
            .await
            .unwrap()
            .remove(0);
        assert_eq!(again.state, RunState::Failed);
        assert_eq!(again.problem.unwrap().code, "sync.superseded");
        profiles::change_state(host, ana, &draft.number, ProfileEvent::Archive)
            .await
            .unwrap();

        let back = sources::take_back(host, ana, &older, "the other one misses people").await;
        assert!(back.unwrap().ended_at.is_some());
        company.work().await;
        assert_eq!(company.count(CURRENT).await, rows, "the very same rows");
        let restored = company.position("Sales Cloud", "contract").await;
        assert_eq!(
            (restored.active, restored.used, restored.owned),
            (before.active, before.used, before.owned)
        );
        let audited =
            "select count(*) from audit where event in ('source.superseded', 'source.taken_back')";
        assert_eq!(company.count(audited).await, 2);
        assert!(matches!(
            sources::take_back(host, ana, &older, "twice").await,
            Err(SourceError::NotSuperseded)
        ));
    })
    .await;
}
