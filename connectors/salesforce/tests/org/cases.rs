//! Cases of the reliability list (group A) that a running org shows by itself.

use std::collections::BTreeSet;

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{Connector, subscriptions::Account};
use seatwise_practice_org_salesforce::{
    Faults, OrgSpec, Person, spec::INTEGRATION_LICENCE, worked_example::T0_MS,
};

use crate::{link::Link, whole::crowd};

/// All chains, with something happening after each page.
fn download(link: &Link, mut after: impl FnMut(usize)) -> Vec<Account> {
    let mut accounts = vec![];
    let mut pages = 0;
    let outline = Salesforce::begin_subscriptions(&link.call(), None).unwrap();
    for chain in outline.chains {
        let mut at = Some(chain);
        while let Some(cursor) = at {
            let page = Salesforce::download_subscriptions(&link.call(), &cursor).unwrap();
            accounts.extend(page.accounts);
            pages += 1;
            after(pages);
            at = page.next;
        }
    }
    accounts
}

#[test]
fn a22_records_that_change_during_the_read_are_neither_doubled_nor_lost() {
    let mut spec = crowd(6_500);
    spec.licences[0].total = 100_000;
    let link = Link::to(spec.clone(), T0_MS);
    let profile = link.query("SELECT Id FROM Profile WHERE Name = 'Standard User'");
    let hired = serde_json::json!({
        "Username": "hired@example.com", "LastName": "Hired", "Email": "hired@example.com", "Alias": "hired",
        "TimeZoneSidKey": "UTC", "LocaleSidKey": "en_GB", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US",
        "ProfileId": profile["records"][0]["Id"],
    })
    .to_string();
    let path = |number: u64| {
        format!(
            "/services/data/v62.0/sobjects/User/{}",
            spec.user_id(number)
        )
    };
    let early = 100..140;
    let late = 6_000..6_040;
    let accounts = download(&link, |page| {
        // People on pages that were read and on pages that were not move to the newest stamp; somebody is hired.
        if page == 1 {
            for number in early.clone().chain(late.clone()) {
                link.patch(&path(number), r#"{"Title":"Moved"}"#);
            }
            link.post("/services/data/v62.0/sobjects/User", &hired);
        }
    });
    let ids: BTreeSet<_> = accounts.iter().map(|account| account.id.as_str()).collect();
    assert_eq!(ids.len(), accounts.len(), "nobody twice");
    for number in 1..=6_501 {
        assert!(ids.contains(spec.user_id(number).as_str()), "user {number}");
    }
}

#[test]
fn a31_an_org_of_one_user_without_licences_and_people_without_profile_is_read_whole() {
    let mut spec = OrgSpec::new("00D5g0000000003EAA", "Empty", "empty.my.salesforce.com");
    spec.licences
        .retain(|licence| licence.key == INTEGRATION_LICENCE);
    spec.profiles
        .retain(|profile| profile.licence == INTEGRATION_LICENCE);
    spec.people.push(Person {
        profile: None,
        user_type: Some("AutomatedProcess".to_owned()),
        ..Person::new("", "Automated Process", "autoproc@example.com", "")
    });
    let link = Link::to(spec, T0_MS);
    let got = link.download(None).unwrap();
    assert_eq!((got.accounts.len(), got.expected), (2, Some(2)));
    let held: Vec<_> = got
        .assignments
        .iter()
        .map(|one| one.identifier.as_str())
        .collect();
    assert_eq!(held, [INTEGRATION_LICENCE]);
    let pools = link.pools().unwrap();
    assert_eq!(pools.len(), 1);
    assert_eq!(pools[0].used, Some(1));
}

/// A guest cannot write, so a job is not aborted: one that is given up ends by itself.
#[test]
fn a32_pages_of_a_job_come_in_order_and_one_stuck_aborted_or_failed_is_finished_by_rest() {
    let to = |way: &str, faults: &str| {
        let settings = format!("{{\"read_users_by\":\"{way}\"}}");
        let link = Link::with(crowd(4_000), T0_MS, &settings);
        link.control().set_faults(Faults::parse(faults).unwrap());
        link
    };
    let by = |way: &str, faults: &str| {
        let link = to(way, faults);
        let accounts = link.download(None).unwrap().accounts;
        (accounts, link.control().requests("GET bulk results"))
    };
    let (by_rest, _) = by("rest", "");
    let (by_bulk, pages) = by("bulk", "bulk_page=20");
    assert_eq!(pages, 201);
    assert_eq!(by_bulk, by_rest);
    let (without_last_locator, _) = by("bulk", "bulk_page=500,bulk_no_last_locator=1");
    assert_eq!(without_last_locator, by_rest);

    // Stuck: given up after a time. Failed: at once. Neither has a result that is read.
    for fault in ["bulk_never_ends=1", "bulk_fails=1"] {
        assert_eq!(by("bulk", fault), (by_rest.clone(), 0), "{fault}");
    }
    let mut link = to("bulk", "bulk_never_ends=1");
    let outline = Salesforce::begin_subscriptions(&link.call(), None).unwrap();
    let made = Salesforce::download_subscriptions(&link.call(), &outline.chains[0]).unwrap();
    let listed = link.get_json("/services/data/v62.0/jobs/query");
    let job = listed["records"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/services/data/v62.0/jobs/query/{job}");
    assert_eq!(link.patch_status(&path, "{\"state\":\"Aborted\"}"), 200);
    link.ctx.now += 60_000;
    let mut accounts = vec![];
    let mut at = made.next;
    while let Some(cursor) = at {
        let page = Salesforce::download_subscriptions(&link.call(), &cursor).unwrap();
        accounts.extend(page.accounts);
        at = page.next;
    }
    assert_eq!(accounts, by_rest);
    assert_eq!(link.control().requests("GET bulk results"), 0);
}

#[test]
fn a33_an_org_that_has_retired_the_usual_version_is_read_with_one_that_it_lists() {
    let mut spec = crowd(10);
    spec.versions = (63, 66);
    let link = Link::to(spec, T0_MS);
    assert_eq!(link.download(None).unwrap().accounts.len(), 11);

    let mut spec = crowd(10);
    spec.versions = (65, 66);
    let link = Link::unidentified(spec, T0_MS);
    let refused = Salesforce::identify(&link.call()).unwrap_err();
    assert_eq!(refused.code, "no_supported_api_version");
}
