//! The way back of what is held besides the user licence, and of a whole person.

use crate::{
    id,
    licences::{
        SALES, SERVICE, component, group_id, group_seat, held, licence, licence_seat, licences,
        package, package_seat, psl, requests, restore, says, set_id, set_seat, sets_exist, with,
    },
    login,
    reclaim::codes,
    shelf::Shelf,
    user,
};

#[test]
fn the_licence_comes_back_before_the_sets_that_need_it_and_nothing_else_is_touched() {
    let sets = [
        set_seat(1, "Sales_Extra", Some(SALES)),
        set_seat(3, "Service_User", Some(SERVICE)),
        group_seat(4, "Sellers"),
    ];
    let before = with(&[licence_seat(1, SALES), licence_seat(2, SERVICE)], &sets)
        .with(
            "FROM PermissionSetGroupComponent",
            crate::rows(&[component(4, SALES)]),
        )
        .plan(psl())
        .before
        .unwrap();
    // Everything is gone by now, also what this action did not take.
    let plan = restore(&sets_exist(with(&[], &[])), &psl(), &before);
    assert_eq!(codes(&plan), Vec::<&str>::new());
    assert_eq!(
        requests(&plan),
        [
            format!(
                "POST PermissionSetLicenseAssign {{\"AssigneeId\":{:?},\"PermissionSetLicenseId\":{SALES:?}}}",
                id(1)
            ),
            format!(
                "POST PermissionSetAssignment {{\"AssigneeId\":{:?},\"ExpirationDate\":\"2027-01-01T00:00:00.000+0000\",\"PermissionSetGroupId\":{:?}}}",
                id(1),
                group_id(4)
            ),
            format!(
                "POST PermissionSetAssignment {{\"AssigneeId\":{:?},\"PermissionSetId\":{:?}}}",
                id(1),
                set_id(1)
            ),
        ]
    );
    // Half of it went through: the rest is what is left.
    let half = sets_exist(with(&[licence_seat(1, SALES)], &sets[2..]));
    assert_eq!(requests(&restore(&half, &psl(), &before)).len(), 1);
    let whole = with(
        &[licence_seat(1, SALES)],
        &[sets[0].clone(), sets[2].clone()],
    );
    let plan = restore(&whole, &psl(), &before);
    assert!(plan.steps.is_empty() && plan.blockers.is_empty());
}

#[test]
fn without_a_free_seat_of_the_licence_nothing_is_sent() {
    let before = with(&[licence_seat(1, SALES)], &[])
        .plan(psl())
        .before
        .unwrap();
    let full = with(&[], &[]).with(
        "FROM PermissionSetLicense ",
        crate::rows(&[licence(SALES, "SalesUserPsl", 5, 5)]),
    );
    assert_eq!(codes(&restore(&full, &psl(), &before)), ["no_free_seat"]);
    let gone = with(&[], &[]).holds("FROM PermissionSetLicense ", &[]);
    assert_eq!(codes(&restore(&gone, &psl(), &before)), ["no_such_licence"]);

    let target = held("free-package-seat", "package:SBQQ");
    let package_org = |allowed, used| {
        with(&[], &[]).with(
            "FROM PackageLicense",
            crate::rows(&[package(allowed, used)]),
        )
    };
    let before = package_org(5, 5)
        .with("FROM UserPackageLicense", crate::rows(&[package_seat()]))
        .plan(target.clone())
        .before
        .unwrap();
    assert_eq!(
        codes(&restore(&package_org(5, 5), &target, &before)),
        ["no_free_seat"]
    );
    assert_eq!(
        requests(&restore(&package_org(5, 4), &target, &before)),
        [format!(
            "POST UserPackageLicense {{\"PackageLicenseId\":\"050000000000001AAA\",\"UserId\":{:?}}}",
            id(1)
        )]
    );
}

#[test]
fn a_permission_set_that_is_gone_is_said_and_left_out() {
    let before = with(
        &[licence_seat(1, SALES)],
        &[set_seat(1, "Sales_Extra", Some(SALES))],
    )
    .plan(psl())
    .before
    .unwrap();
    let plan = restore(&with(&[], &[]), &psl(), &before);
    assert_eq!(requests(&plan).len(), 1);
    assert!(says(
        &plan,
        "The org has no permission set Sales_Extra any more"
    ));
}

#[test]
fn a_feature_is_switched_on_again() {
    let target = held("feature-off", "feature:SupportUser");
    let org = |on: bool| {
        Shelf::shows(
            &[user(1, &[&format!("UserPermissionsSupportUser={on}")])],
            &[],
        )
    };
    let before = org(true).plan(target.clone()).before.unwrap();
    let plan = restore(&org(false), &target, &before);
    assert_eq!(
        requests(&plan),
        [format!(
            "PATCH User/{} {{\"UserPermissionsSupportUser\":true}}",
            id(1)
        )]
    );
    assert!(
        plan.unchecked
            .iter()
            .any(|it| it.contains("feature licence is free"))
    );
    assert!(restore(&org(true), &target, &before).steps.is_empty());
}

#[test]
fn a_deactivated_person_gets_everything_back_in_the_vendors_order() {
    let deactivate = held("deactivate", "SFDC");
    let member = format!(
        "{{\"Id\":\"011000000000001AAA\",\"UserOrGroupId\":{:?},\"GroupId\":\"00G000000000001AAA\",\"Group\":{{\"Name\":\"Tier 1\",\"Type\":\"Queue\"}}}}",
        id(1)
    );
    let before = Shelf::shows(
        &[user(1, &["UserPermissionsSupportUser=true"])],
        &[login(1, false)],
    )
    .with("FROM PermissionSetLicense ", crate::rows(&licences()))
    .with(
        "FROM PermissionSetLicenseAssign",
        crate::rows(&[licence_seat(1, SALES), licence_seat(2, SERVICE)]),
    )
    .with(
        "FROM PermissionSetAssignment",
        crate::rows(&[
            set_seat(1, "Sales_Extra", Some(SALES)),
            set_seat(3, "Service_User", Some(SERVICE)),
            set_seat(5, "Plain", None),
        ]),
    )
    .with("FROM PackageLicense", crate::rows(&[package(5, 1)]))
    .with("FROM UserPackageLicense", crate::rows(&[package_seat()]))
    .with("FROM GroupMember", crate::rows(&[member]))
    .plan(deactivate.clone())
    .before
    .unwrap();
    let emptied = sets_exist(
        Shelf::shows(
            &[user(1, &["IsActive=false", "ProfileId=\"00e000000000002AAA\"", "UserPermissionsSupportUser=false"])],
            &[login(1, false)],
        )
        .with("FROM PermissionSetLicense ", crate::rows(&[licence(SALES, "SalesUserPsl", 5, 4), licence(SERVICE, "ServiceUserPsl", 5, 5)]))
        .with("FROM PackageLicense", crate::rows(&[package(5, 1)]))
        .holds("SELECT Id FROM Group ", &["{\"Id\":\"00G000000000001AAA\"}"])
        .holds("FROM UserLicense", &["{\"Id\":\"100000000000001AAA\",\"LicenseDefinitionKey\":\"SFDC\",\"TotalLicenses\":5,\"UsedLicenses\":4}"]),
    );
    let plan = restore(&emptied, &deactivate, &before);
    assert_eq!(codes(&plan), Vec::<&str>::new());
    let short: Vec<String> = requests(&plan)
        .iter()
        .map(|request| {
            request
                .split("{\"Assignee")
                .next()
                .unwrap()
                .replace(&id(1), "ID")
        })
        .collect();
    assert_eq!(
        short,
        [
            "PATCH User/ID {\"IsActive\":true}",
            "PATCH User/ID {\"ProfileId\":\"00e000000000001AAA\"}",
            "POST PermissionSetLicenseAssign ",
            "POST PermissionSetAssignment ",
            "POST PermissionSetAssignment ",
            "POST UserPackageLicense {\"PackageLicenseId\":\"050000000000001AAA\",\"UserId\":\"ID\"}",
            "POST GroupMember {\"GroupId\":\"00G000000000001AAA\",\"UserOrGroupId\":\"ID\"}",
            "PATCH User/ID {\"UserPermissionsSupportUser\":true}",
        ]
    );
    assert!(says(
        &plan,
        "No seat of the permission-set licence ServiceUserPsl is free: it is not given back"
    ));
    assert!(says(
        &plan,
        "The permission set Service_User needs a permission-set licence that is not given back"
    ));
}

#[test]
fn what_is_over_is_said_before_and_does_not_come_back() {
    let status = |row: String, status: &str, day: &str| {
        row.replace(
            "{\"Id\"",
            &format!("{{\"Status\":{status:?},\"ExpirationDate\":{day},\"Id\""),
        )
    };
    let seat = held("free-package-seat", "package:SBQQ");
    let org = |package_status: &str, licence_status: &str, day: &str| {
        with(&[licence_seat(1, SALES)], &[])
            .with(
                "FROM PermissionSetLicense ",
                crate::rows(&[status(
                    licence(SALES, "SalesUserPsl", 5, 1),
                    licence_status,
                    day,
                )]),
            )
            .with(
                "FROM PackageLicense",
                crate::rows(&[status(package(5, 1), package_status, day)]),
            )
    };
    let held_seat =
        |shelf: Shelf| shelf.with("FROM UserPackageLicense", crate::rows(&[package_seat()]));
    for (target, over, active) in [
        (&seat, ("Expired", "Active"), ("Active", "Disabled")),
        (&psl(), ("Active", "Disabled"), ("Expired", "Active")),
    ] {
        let taken = held_seat(org(over.0, over.1, "null")).plan(target.clone());
        assert_eq!(taken.steps.len(), 1);
        assert!(says(&taken, "an undo cannot give it back"));
        let gone =
            org(over.0, over.1, "null").with("FROM PermissionSetLicenseAssign", crate::rows(&[]));
        assert_eq!(
            codes(&restore(&gone, target, taken.before.as_ref().unwrap())),
            ["over"]
        );

        let taken = held_seat(org(active.0, active.1, "\"2026-12-31\"")).plan(target.clone());
        assert!(says(&taken, "ends on 2026-12-31"));
        let gone = org(active.0, active.1, "null")
            .with("FROM PermissionSetLicenseAssign", crate::rows(&[]));
        assert_eq!(
            restore(&gone, target, taken.before.as_ref().unwrap())
                .steps
                .len(),
            1
        );
    }
}
