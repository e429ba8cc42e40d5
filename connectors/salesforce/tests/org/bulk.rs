//! All users by a Bulk job, against the same download by REST.

use seatwise_practice_org_salesforce::{Faults, OrgSpec, Person, worked_example::T0_MS};

use crate::{
    link::{Downloaded, Link},
    whole::crowd,
};

fn by(way: &str, users: u64, faults: &str) -> (Link, Downloaded) {
    let settings = format!("{{\"read_users_by\":\"{way}\"}}");
    let link = Link::with(crowd(users), T0_MS, &settings);
    link.control().set_faults(Faults::parse(faults).unwrap());
    let got = link.download(None).unwrap();
    (link, got)
}

#[test]
fn bulk_and_rest_bring_the_same_accounts_and_assignments() {
    let (link_by_rest, rest) = by("rest", 7_000, "");
    let (link, bulk) = by("bulk", 7_000, "");
    assert_eq!(rest.accounts, bulk.accounts);
    assert_eq!(rest.assignments, bulk.assignments);
    assert_eq!(rest.facts, bulk.facts);
    assert!(bulk.waits > 0, "the job was not waited for");
    let pages_of = |link: &Link| {
        link.control().requests("GET query") + link.control().requests("GET queryMore")
    };
    assert_eq!(
        pages_of(&link_by_rest) - pages_of(&link),
        7_001_u64.div_ceil(2_000),
        "no page of users was read by REST"
    );
}

#[test]
fn a_job_that_fails_or_never_ends_is_finished_by_rest() {
    let (_, rest) = by("rest", 3_000, "");
    for fault in ["bulk_fails=1", "bulk_never_ends=1"] {
        let (_, bulk) = by("bulk", 3_000, fault);
        assert_eq!(bulk.accounts, rest.accounts, "{fault}");
    }
}

#[test]
fn auto_reads_a_small_org_by_rest() {
    let (_, got) = by("auto", 3_000, "");
    assert_eq!((got.accounts.len(), got.waits), (3_001, 0));
}

/// Other readers take these for nothing, and so lose what a person is called.
#[test]
fn words_that_look_like_nothing_stay_words_either_way() {
    let words = [
        "N/A", "NA", "null", "NULL", "None", "nan", "NaN", "-", "#N/A", "true", "0", "1e5",
    ];
    let mut spec = OrgSpec::new("00D5g0000000005EAA", "Words", "words.my.salesforce.com");
    for (number, word) in words.iter().enumerate() {
        let username = format!("u{number}@example.com");
        spec.people.push(Person {
            department: (*word).to_owned(),
            ..Person::new("", word, &username, "Standard User")
        });
    }
    for way in ["rest", "bulk"] {
        let settings = format!("{{\"read_users_by\":\"{way}\"}}");
        let got = Link::with(spec.clone(), T0_MS, &settings)
            .download(None)
            .unwrap();
        let read: Vec<(&str, &str)> = got.accounts[1..]
            .iter()
            .map(|account| {
                let said = account.attributes.iter().find(|it| it.name == "department");
                (
                    account.name.as_deref().unwrap(),
                    said.unwrap().value.as_str(),
                )
            })
            .collect();
        assert_eq!(read, words.map(|word| (word, word)), "{way}");
    }
}
