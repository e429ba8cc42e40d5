//! Values that Salesforce's own pages do not promise and that have been met all the same.

use seatwise_connector_sdk::{
    FailureKind,
    subscriptions::{Account, AccountKind, LastActivity},
};

use crate::{downloads::first, rows, user};

/// The first of two users, with this in place of what it has.
fn with(over: &str) -> Account {
    let page = first(rows(&[user(1, &[over]), user(2, &[])])).unwrap();
    assert_eq!(page.accounts.len(), 2, "{over}");
    page.accounts.into_iter().next().unwrap()
}

#[test]
fn a26_values_of_another_kind_are_refused_by_place_and_unknown_ones_are_kept() {
    let unknown = with("UserType=\"Martian\"");
    assert_eq!(unknown.kind, AccountKind::Unknown);
    assert!(
        unknown
            .attributes
            .iter()
            .any(|said| said.value == "Martian")
    );
    for null in [
        "UserType=null",
        "Name=null",
        "Email=null",
        "Username=null",
        "CreatedDate=null",
    ] {
        let account = with(null);
        assert!(!account.principal.is_empty(), "{null}");
    }
    // A seat whose state is not told is not called free.
    assert!(with("IsActive=null").active);
    let deep = format!("Surprise={}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(with(&deep), with("Surprise={\"a\":[1,{}]}"));

    for wrong in [
        "IsActive=\"true\"",
        "IsActive=1",
        "Name=5",
        "LastLoginDate=17",
        "LastLoginDate=1e400",
        "Department=1e400",
        "Profile=\"x\"",
    ] {
        let failure = first(rows(&[user(1, &[wrong])])).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Malformed, "{wrong}");
        assert!(
            failure.message.contains(" at byte "),
            "{wrong}: {}",
            failure.message
        );
    }
}

#[test]
fn a29_moments_are_utc_inside_and_what_is_none_is_not_known() {
    let last = |date: &str| with(&format!("LastLoginDate={date:?}")).last_activity;
    let at = 1_774_857_600_000;
    for same in [
        "2026-03-30T08:00:00.000+0000",
        "2026-03-30T10:00:00.000+0200",
        "2026-03-29T22:00:00.000-1000",
        "2026-03-30T08:00:00Z",
    ] {
        assert_eq!(last(same), LastActivity::At(at), "{same}");
    }
    let leap = last("2016-12-31T23:59:60.000+0000");
    assert!(
        matches!(leap, LastActivity::At(ms) if (1_483_228_799_000..=1_483_228_800_000).contains(&ms)),
        "{leap:?}"
    );
    for none in [
        "9999-12-31T23:59:59.000+0000",
        "1969-12-31T23:59:59.000+0000",
        "2026-02-30T00:00:00.000+0000",
        "yesterday",
        "",
    ] {
        assert_eq!(last(none), LastActivity::Unknown, "{none}");
    }
}
