//! The worked example of `sam-domain.md` §10, its variants and its invariants.

use proptest::prelude::*;

use super::*;
use crate::entitlements::terms::Period;

const DOLLAR: i64 = 1_000_000;

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

fn usd(whole: i64) -> UnitPrice {
    UnitPrice {
        micros: whole * DOLLAR,
        currency: "USD".parse().unwrap(),
    }
}

fn right(organization: Option<&str>, is_shared: bool, rights: Option<i64>, price: i64) -> Right {
    Right {
        organization: organization.map(Into::into),
        is_shared,
        rights,
        price: usd(price),
        period: Period::Year,
        ends_on: day("2026-06-30"),
    }
}

fn org(id: &str, active: i64, candidates: i64, vendor_owned: i64) -> OrgUse {
    OrgUse {
        organization: id.into(),
        active,
        candidates,
        stale: candidates,
        vendor_owned: Some(vendor_owned),
        vendor_used: Some(active),
    }
}

/// S01 to S14 at T0: ten active in Org1 (S11 is not), three in Org2; six candidates.
fn sales(rights: Vec<Right>) -> Facts {
    Facts {
        product: "prod_sales".into(),
        metric: Metric::Seats,
        rights,
        organizations: vec![org("org_1", 10, 5, 12), org("org_2", 3, 1, 5)],
        allocations: Allocations::default(),
    }
}

fn cents(money: Option<Money>) -> i64 {
    money.unwrap().minor
}

#[test]
fn the_table_at_t0_sales_cloud() {
    let facts = sales(vec![right(None, true, Some(10), 1_800)]);
    let all = positions(&facts, day("2026-03-31")).unwrap();
    let [p] = all.as_slice() else {
        panic!("one position for the contract")
    };
    assert_eq!(p.scope, Scope::Contract);
    assert_eq!(
        (p.owned, p.active, p.used, p.available, p.needed),
        (Some(10), 13, 10, Some(0), 3)
    );
    assert_eq!(p.status, Status::NotCompliant);
    assert_eq!(cents(p.true_up), 540_000);
    assert_eq!(cents(p.over_licensed), 0);
    assert_eq!((p.candidates, cents(p.potential)), (6, 1_080_000));
    assert_eq!(p.percent_unused_tenths, 462);
    assert_eq!(cents(p.spend), 1_800_000);
    assert_eq!(
        (p.vendor_owned, p.typed_owned, p.records_differ),
        (Some(17), Some(10), true)
    );
    assert_eq!(cents(p.avoidable), 540_000);
    assert_eq!(cents(p.at_renewal), 540_000);
    assert_eq!(
        cents(p.true_up_co_termed),
        134_630,
        "5,400 x 91/365 rounded half-even"
    );
}

#[test]
fn the_table_at_t0_platform() {
    let facts = Facts {
        product: "prod_platform".into(),
        organizations: vec![org("org_1", 2, 0, 3)],
        ..sales(vec![right(None, true, Some(3), 300)])
    };
    let p = &positions(&facts, day("2026-03-31")).unwrap()[0];
    assert_eq!(
        (p.owned, p.active, p.used, p.available, p.needed),
        (Some(3), 2, 2, Some(1), 0)
    );
    assert_eq!(p.status, Status::Compliant);
    assert_eq!((cents(p.true_up), cents(p.over_licensed)), (0, 30_000));
    assert_eq!(cents(p.spend), 90_000);
    assert_eq!(p.percent_unused_tenths, 0);
}

#[test]
fn the_per_organization_variant_a_seat_freed_elsewhere_covers_nothing() {
    let facts = sales(vec![right(None, false, None, 1_800)]);
    let all = positions(&facts, day("2026-03-31")).unwrap();
    let seen: Vec<_> = all
        .iter()
        .map(|p| {
            (
                p.scope.as_str(),
                p.owned,
                p.active,
                p.available,
                p.needed,
                cents(p.true_up),
                cents(p.over_licensed),
                p.candidates,
                cents(p.avoidable),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("org_1", Some(12), 10, Some(2), 0, 0, 360_000, 5, 0),
            ("org_2", Some(5), 3, Some(2), 0, 0, 360_000, 1, 0),
        ]
    );
    assert!(
        all.iter()
            .all(|p| !p.records_differ && p.status == Status::Compliant)
    );
}

#[test]
fn typed_rights_below_the_vendors_total_are_records_that_differ_never_a_shortfall() {
    let facts = sales(vec![right(Some("org_1"), false, Some(8), 1_800)]);
    let all = positions(&facts, day("2026-03-31")).unwrap();
    assert_eq!((all[0].owned, all[0].needed), (Some(12), 0));
    assert!(all[0].records_differ);
    assert!(!all[1].records_differ);
    assert!(
        all[1].price.is_none(),
        "another organization's price says nothing here"
    );
}

#[test]
fn the_allocation_variant_reserves_a_right_for_someone_without_a_subscription() {
    let facts = Facts {
        allocations: Allocations {
            allocated: 1,
            in_use: 0,
        },
        ..sales(vec![right(None, true, Some(10), 1_800)])
    };
    let p = &positions(&facts, day("2026-03-31")).unwrap()[0];
    assert_eq!((p.used, p.available, p.needed), (10, Some(0), 4));
    assert_eq!(cents(p.true_up), 720_000);
}

#[test]
fn consumption_counts_the_current_period_only() {
    let monthly = |used| Facts {
        product: "prod_login".into(),
        metric: Metric::Logins,
        rights: vec![Right {
            period: Period::Month,
            ..right(None, true, Some(1_000), 2)
        }],
        organizations: vec![OrgUse {
            vendor_used: Some(used),
            ..org("org_1", 0, 0, 1_000)
        }],
        allocations: Allocations::default(),
    };
    let over = &positions(&monthly(1_240), day("2026-03-31")).unwrap()[0];
    assert_eq!((over.available, over.needed), (Some(0), 240));
    assert_eq!((cents(over.true_up), cents(over.spend)), (48_000, 200_000));
    let under = &positions(&monthly(640), day("2026-03-31")).unwrap()[0];
    assert_eq!((under.available, under.needed), (Some(360), 0));
    assert_eq!(cents(under.true_up), 0);
}

#[test]
fn the_fifteenth_of_april() {
    // S04 and S14 taken back: eleven active; S06 and S09 open.
    let facts = Facts {
        organizations: vec![org("org_1", 9, 2, 12), org("org_2", 2, 0, 5)],
        ..sales(vec![right(None, true, Some(10), 1_800)])
    };
    let p = &positions(&facts, day("2026-04-15")).unwrap()[0];
    assert_eq!((p.used, p.active, p.needed), (10, 11, 1));
    assert_eq!((cents(p.true_up), cents(p.potential)), (180_000, 360_000));
}

#[test]
fn the_twentieth_of_april_after_one_undo() {
    let facts = Facts {
        organizations: vec![org("org_1", 10, 2, 12), org("org_2", 2, 0, 5)],
        ..sales(vec![right(None, true, Some(10), 1_800)])
    };
    let p = &positions(&facts, day("2026-04-20")).unwrap()[0];
    assert_eq!((p.active, p.needed, cents(p.true_up)), (12, 2, 360_000));
}

#[test]
fn nobody_having_said_what_is_owned_is_not_zero() {
    let facts = Facts {
        organizations: vec![OrgUse {
            vendor_owned: None,
            ..org("org_1", 7, 0, 0)
        }],
        ..sales(vec![])
    };
    let p = &positions(&facts, day("2026-03-31")).unwrap()[0];
    assert_eq!(
        (p.status, p.owned, p.available, p.needed),
        (Status::RightsUnknown, None, None, 0)
    );
    assert!(p.true_up.is_none());
}

#[test]
fn rights_without_limit_are_always_compliant() {
    let facts = sales(vec![right(None, true, None, 0)]);
    let p = &positions(&facts, day("2026-03-31")).unwrap()[0];
    assert_eq!((p.status, p.owned, p.needed), (Status::Compliant, None, 0));
    assert!(p.is_unlimited);
}

#[test]
fn two_currencies_have_no_average() {
    let mut rights = vec![
        right(None, true, Some(5), 1_800),
        right(None, true, Some(5), 1_800),
    ];
    rights[1].price.currency = "EUR".parse().unwrap();
    let p = &positions(&sales(rights), day("2026-03-31")).unwrap()[0];
    assert!(p.price.is_none() && p.true_up.is_none() && p.spend.is_none());
    assert!(p.has_mixed_currencies);
    assert_eq!(p.needed, 3, "rights are counted all the same");
}

#[test]
fn rights_of_which_none_are_owned_still_say_what_one_costs() {
    let facts = Facts {
        organizations: vec![org("org_1", 2, 0, 0)],
        ..sales(vec![right(None, true, Some(0), 1_800)])
    };
    let p = &positions(&facts, day("2026-03-31")).unwrap()[0];
    assert_eq!(p.needed, 2);
    assert_eq!(p.true_up.unwrap().minor, 2 * 180_000);
    assert_eq!(p.potential.unwrap().minor, 0);
}

proptest! {
    #[test]
    fn owned_is_used_and_available_and_a_shortfall_leaves_nothing(
        owned in 0_i64..10_000, uses in prop::collection::vec((0_i64..3_000, 0_i64..3_000), 1..6),
        allocated in 0_i64..12_000, in_use in 0_i64..12_000,
    ) {
        let organizations: Vec<OrgUse> = uses
            .iter()
            .enumerate()
            .map(|(i, (active, stale))| org(&format!("org_{i}"), *active, (*stale).min(*active), 0))
            .collect();
        let total: i64 = organizations.iter().map(|o| o.active).sum();
        let facts = Facts {
            organizations,
            allocations: Allocations { allocated, in_use: in_use.min(allocated) },
            ..sales(vec![right(None, true, Some(owned), 1_800)])
        };
        let p = &positions(&facts, day("2026-03-31")).unwrap()[0];
        prop_assert_eq!(p.active, total, "the sum over organizations is the total");
        prop_assert_eq!(p.owned.unwrap(), p.used + p.available.unwrap());
        prop_assert!(p.needed == 0 || p.available == Some(0));
        prop_assert!(p.used >= 0 && p.needed >= 0 && p.available.unwrap() >= 0);
        prop_assert_eq!(p.potential.unwrap().minor, p.avoidable.unwrap().minor + p.at_renewal.unwrap().minor);
        prop_assert!((0..=1_000).contains(&p.percent_unused_tenths));
    }

    #[test]
    fn per_organization_positions_hold_the_same(actives in prop::collection::vec((0_i64..3_000, 0_i64..3_000), 1..6)) {
        let organizations: Vec<OrgUse> =
            actives.iter().enumerate().map(|(i, (active, owned))| org(&format!("org_{i}"), *active, 0, *owned)).collect();
        let facts = Facts { organizations, ..sales(vec![right(None, false, None, 1_800)]) };
        let all = positions(&facts, day("2026-03-31")).unwrap();
        prop_assert_eq!(all.iter().map(|p| p.active).sum::<i64>(), actives.iter().map(|(a, _)| a).sum::<i64>());
        for p in &all {
            prop_assert_eq!(p.owned.unwrap(), p.used + p.available.unwrap());
            prop_assert!(p.needed == 0 || p.available == Some(0));
        }
    }
}
