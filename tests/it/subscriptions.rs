//! The list of subscriptions over what a real download has stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use seatwise::entitlements::accounts;
use seatwise::entitlements::subscriptions::{self, AttributeIs, Filter};
use seatwise::kernel::faults::NoFaults;
use seatwise::reconciliation::service as reconciliation;
use seatwise::sync::RunState;
use seatwise_practice_org_salesforce::{Crowd, OrgSpec, worked_example};
use seatwise_tests::browser::Browser;
use seatwise_tests::database::on_both;
use seatwise_tests::world::{T0_MS, World};

fn crowd() -> OrgSpec {
    let mut spec = OrgSpec::new("00D5g0000000001EAA", "Org", "org.my.salesforce.com");
    spec.crowd = Some(Crowd {
        as_of_ms: Some(T0_MS),
        ..Crowd::new(120, 7)
    });
    spec
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_are_found_by_what_the_vendor_tells_of_their_holders() {
    on_both(|database| async move {
        let world = World::new(&database, crowd(), Arc::new(NoFaults)).await;
        assert_eq!(world.collect().await.state, RunState::Complete);
        let list = async |attribute: Option<AttributeIs>| {
            let filter = Filter {
                attribute,
                ..Filter::default()
            };
            subscriptions::list_subscriptions(&world.host, &world.ana, &filter, None, 500)
                .await
                .expect("Ana may read")
                .rows
        };
        let mut expected: BTreeMap<(String, String), BTreeSet<(String, String)>> = BTreeMap::new();
        for row in list(None).await {
            let held = (row.account_id.clone(), row.identifier.clone());
            let org = &row.organization_id;
            let account = accounts::get_account(&world.host, &world.ana, org, &row.account_id)
                .await
                .expect("the account is there");
            let mut told: Vec<(String, String)> = account.attributes.into_iter().collect();
            told.extend(row.label.map(|label| ("licence".to_owned(), label)));
            for one in told {
                expected.entry(one).or_default().insert(held.clone());
            }
        }
        let names = subscriptions::attribute_names(&world.host, &world.ana)
            .await
            .expect("Ana may read");
        for asked in ["company", "department", "user_type", "licence"] {
            assert!(names.iter().any(|name| name == asked), "{names:?}");
            assert!(expected.keys().any(|(name, _)| name == asked), "{asked}");
        }
        for (name, value) in expected.keys() {
            let found = list(AttributeIs::of(name, &value.to_ascii_uppercase())).await;
            let found: BTreeSet<(String, String)> = found
                .into_iter()
                .map(|row| (row.account_id, row.identifier))
                .collect();
            let same_but_for_case: BTreeSet<(String, String)> = expected
                .iter()
                .filter(|((n, v), _)| n == name && v.eq_ignore_ascii_case(value))
                .flat_map(|(_, holders)| holders.clone())
                .collect();
            assert_eq!(found, same_but_for_case, "{name}={value}");
        }
        assert!(
            list(AttributeIs::of("department", "nobody's"))
                .await
                .is_empty()
        );
        assert_eq!(AttributeIs::of("a\"; drop", "x"), None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_leaves_a_gap_to_the_vendors_count_that_the_position_explains() {
    on_both(|database| async move {
        let mut spec = worked_example::org1(T0_MS);
        for person in &mut spec.people {
            if person.username == "dee@example.com" {
                person.email = person.email.replace("example.com", "partner.example");
            }
        }
        let settings = [("company_names", "example.com")];
        let faults = Arc::new(NoFaults);
        let mut world =
            World::set_up(&database, spec, faults, "client-credentials", &settings).await;
        world.publish().await.expect("the profile is published");
        world.run_due_jobs().await;
        let runs = world.runs().await;
        let left_out = runs[0].out_of_scope;
        assert!(left_out >= 1, "{left_out}");
        let result = reconciliation::get_reconciliation(&world.host, &world.ana, None)
            .await
            .expect("a run is followed by a reconciliation");
        assert_eq!(result.basis[0].left_out, left_out);
        let of = |product: &str| {
            let found = result.positions.iter().find(|position| {
                position.product == product && position.scope == result.basis[0].organization_id
            });
            found.unwrap_or_else(|| panic!("no position of {product}"))
        };
        let sales = of("Sales Cloud");
        let gap = sales.gap.as_ref().expect("Dee's seat is not shown");
        assert_eq!(Some(gap.at_vendor), sales.vendor_used);
        assert_eq!(
            (
                gap.at_vendor - gap.shown,
                gap.outside_filters,
                gap.unexplained
            ),
            (1, 1, 0),
            "{gap:?}"
        );
        assert!(
            gap.says.ends_with(": 1 outside the profile's filters"),
            "{gap:?}"
        );
        assert_eq!(of("Platform").gap, None);
        let ana = Browser::of(&world.host, &world.ana).await;
        let page = ana.get("/position").await;
        let says = format!("{} of {} in use by the vendor", gap.shown, gap.at_vendor);
        assert_eq!(page.text.matches(&says).count(), 1, "{}", page.text);
    })
    .await;
}
