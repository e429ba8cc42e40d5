//! Integration tests: the host's services, the real component and practice orgs in this process, on both databases, each test on a
//! database and a day of its own.

#![allow(
    clippy::unwrap_used,
    reason = "a failing unwrap in a test is the test failing"
)]

mod approvals;
mod canaries;
mod crash;
mod entering;
mod grants;
mod history;
mod imported;
mod keys;
mod licences;
mod mail;
mod playbook;
mod playbook_points;
mod preflight;
mod property;
mod proxy;
mod reclaim;
mod reclaim_crash;
mod refusals;
mod runs;
mod salesforce_manifest;
mod scripted;
mod sharing;
mod sign_ins;
mod sources;
mod stalls;
mod store;
mod subscriptions;
mod sync;
mod told;
mod units;
mod vaults;
mod verdicts;
mod webhooks;
mod worked_example;
