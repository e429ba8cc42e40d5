//! What is taken away between two runs, a right or a feature: nobody's licence ends.

use seatwise_connector_sdk::FailureKind;
use seatwise_practice_org_salesforce::{
    OrgSpec, Package, PermissionSetLicence, Person, worked_example::T0_MS,
};
use serde_json::json;

use crate::link::{Downloaded, Link};

fn spec() -> OrgSpec {
    let mut spec = OrgSpec::new("00D5g0000000004EAA", "Hidden", "hidden.my.salesforce.com");
    spec.permission_set_licences = vec![PermissionSetLicence::new("SalesUserPsl", "Sales", 9)];
    spec.packages = vec![Package::new("cpq", 9)];
    spec.people.push(Person {
        permission_set_licences: vec!["SalesUserPsl".to_owned()],
        packages: vec!["cpq".to_owned()],
        ..Person::new("Ada", "A", "ada@example.com", "Standard User")
    });
    spec
}

fn switch(link: &mut Link, object: &str, is_absent: bool) {
    let (status, told) = link.control().call(
        "POST",
        &format!("objects/{object}"),
        &json!({"is_absent": is_absent}),
    );
    assert_eq!((status, &told["is_seen"]), (200, &json!(!is_absent)));
    link.identify();
}

fn holds(got: &Downloaded, kind: &str) -> bool {
    got.assignments
        .iter()
        .any(|seat| seat.identifier.starts_with(kind))
}

#[test]
fn a_kind_hidden_between_two_runs_fails_the_run_until_it_is_back_or_given_up() {
    for (object, kind, others) in [
        ("PermissionSetLicenseAssign", "psl:", "[\"packages\"]"),
        (
            "UserPackageLicense",
            "package:",
            "[\"permission-set-licences\"]",
        ),
    ] {
        let mut link = Link::to(spec(), T0_MS);
        assert!(holds(&link.download(None).unwrap(), kind));

        switch(&mut link, object, true);
        // However many runs there are in between.
        link.identify();
        let failure = link.download(None).map(|_| ()).unwrap_err();
        assert_eq!(
            (failure.kind, failure.code.as_str()),
            (FailureKind::Permission, "licence_kind_hidden"),
            "{failure:?}"
        );

        switch(&mut link, object, false);
        assert!(holds(&link.download(None).unwrap(), kind));

        switch(&mut link, object, true);
        link.ctx.settings = format!("{{\"licence_kinds\":{others}}}");
        link.identify();
        assert!(!holds(&link.download(None).unwrap(), kind));
    }
}

#[test]
fn a_kind_that_an_org_never_showed_is_none() {
    let mut link = Link::unidentified(spec(), T0_MS);
    switch(&mut link, "UserPackageLicense", true);
    let got = link.download(None).unwrap();
    assert!(holds(&got, "psl:") && !holds(&got, "package:"));
}
