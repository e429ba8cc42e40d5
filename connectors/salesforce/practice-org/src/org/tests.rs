//! Rows of the org against what was asked for.

use proptest::prelude::*;
use serde_json::json;

use super::users::FEATURES;
use super::*;
use crate::showcase;
use crate::worked_example::T0_MS;

fn org() -> Org {
    let clock = Clock::real();
    clock.set(Some(T0_MS));
    Org::new(showcase::showcase(T0_MS), clock)
}

/// One write, by numbers that are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Assign(u64, Object, u64),
    Unassign(Object, u64),
    SetActive(u64, bool),
    Move(u64, u64),
    Feature(u64, usize, bool),
    Edit(u64),
}

const ASSIGNMENTS: [(Object, &str, &str, Object); 4] = [
    (
        Object::PermissionSetLicenseAssign,
        "AssigneeId",
        "PermissionSetLicenseId",
        Object::PermissionSetLicense,
    ),
    (
        Object::PermissionSetAssignment,
        "AssigneeId",
        "PermissionSetId",
        Object::PermissionSet,
    ),
    (
        Object::UserPackageLicense,
        "UserId",
        "PackageLicenseId",
        Object::PackageLicense,
    ),
    (
        Object::GroupMember,
        "UserOrGroupId",
        "GroupId",
        Object::Group,
    ),
];

fn step() -> impl Strategy<Value = Step> {
    let object = prop::sample::select(ASSIGNMENTS.map(|(object, ..)| object).to_vec());
    prop_oneof![
        (any::<u64>(), object.clone(), any::<u64>())
            .prop_map(|(user, object, what)| Step::Assign(user, object, what)),
        (object, any::<u64>()).prop_map(|(object, row)| Step::Unassign(object, row)),
        (any::<u64>(), any::<bool>()).prop_map(|(user, on)| Step::SetActive(user, on)),
        (any::<u64>(), any::<u64>()).prop_map(|(user, profile)| Step::Move(user, profile)),
        (any::<u64>(), 0..FEATURES.len(), any::<bool>())
            .prop_map(|(user, at, on)| Step::Feature(user, at, on)),
        any::<u64>().prop_map(Step::Edit),
    ]
}

/// Whether the write was taken.
fn run(org: &mut Org, step: &Step) -> bool {
    let user_of = |org: &Org, n: u64| org.user_id(n % org.users() + 1);
    let change = |org: &mut Org, user: u64, fields: serde_json::Value| {
        let id = user_of(org, user);
        org.update(Object::User, id.as_str(), fields.as_object().unwrap())
            .is_ok()
    };
    match step {
        Step::Assign(user, object, what) => {
            let (_, who, which, target) = ASSIGNMENTS
                .into_iter()
                .find(|(of, ..)| of == object)
                .unwrap();
            let what = org.id(target, what % org.rows(target) + 1);
            let fields = json!({who: user_of(org, *user).as_str(), which: what.as_str()});
            org.create(*object, fields.as_object().unwrap()).is_ok()
        }
        Step::Unassign(object, row) => {
            let there: Vec<u64> = (1..=org.rows(*object))
                .filter(|row| org.exists(*object, *row))
                .collect();
            let Some(row) = there.get((row % there.len().max(1) as u64) as usize) else {
                return false;
            };
            let id = org.id(*object, *row);
            org.delete(*object, id.as_str()).is_ok()
        }
        Step::SetActive(user, on) => change(org, *user, json!({"IsActive": on})),
        Step::Move(user, profile) => {
            let profile = org.id(Object::Profile, profile % org.rows(Object::Profile) + 1);
            change(org, *user, json!({"ProfileId": profile.as_str()}))
        }
        Step::Feature(user, at, on) => change(org, *user, json!({FEATURES[*at]: on})),
        Step::Edit(user) => change(org, *user, json!({"Title": "Edited", "FirstName": null})),
    }
}

/// Seats by looking at every row.
fn counted(org: &Org) -> (Vec<i64>, Vec<i64>, Vec<i64>, Vec<i64>) {
    let active: Vec<u64> = (1..=org.users())
        .filter(|user| org.is_active(*user))
        .collect();
    let count = |holds: &dyn Fn(u64) -> bool| {
        i64::try_from(active.iter().filter(|user| holds(**user)).count()).unwrap()
    };
    let assigned = |object: Object, field: &'static str, target: Object| {
        (1..=org.rows(target))
            .map(|of| {
                let id = org.id(target, of);
                let rows = (1..=org.rows(object)).filter(|row| {
                    org.exists(object, *row) && org.value(object, *row, field).id() == Some(id)
                });
                i64::try_from(rows.count()).unwrap()
            })
            .collect()
    };
    (
        (0..org.spec.licences.len())
            .map(|licence| count(&|user| org.licence_of(user) == Some(licence)))
            .collect(),
        FEATURES
            .iter()
            .map(|column| count(&|user| org.value(Object::User, user, column) == Value::Bool(true)))
            .collect(),
        assigned(
            Object::PermissionSetLicenseAssign,
            "PermissionSetLicenseId",
            Object::PermissionSetLicense,
        ),
        assigned(
            Object::UserPackageLicense,
            "PackageLicenseId",
            Object::PackageLicense,
        ),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn pools_say_what_the_rows_say_after_any_writes(steps in prop::collection::vec(step(), 1..40)) {
        let mut org = org();
        let mut taken = 0;
        for step in &steps {
            let before = org.writes.len();
            let is_taken = run(&mut org, step);
            prop_assert_eq!(org.writes.len() - before, usize::from(is_taken), "{:?}", step);
            taken += usize::from(is_taken);
        }
        let (licences, features, sets, packages) = counted(&org);
        prop_assert_eq!(&org.pools.licence_used, &licences);
        prop_assert_eq!(org.pools.feature_used.to_vec(), features);
        prop_assert_eq!(&org.pools.set_used, &sets);
        prop_assert_eq!(&org.pools.package_used, &packages);
        for (used, total) in licences.iter().zip(&org.pools.licence_totals) {
            prop_assert!(used <= total, "{:?} after {} writes", licences, taken);
        }
        for (used, total) in sets.iter().zip(&org.pools.set_totals) {
            prop_assert!(used <= total, "{:?}", sets);
        }
        prop_assert!(!org.active_admins().is_empty());
    }
}
