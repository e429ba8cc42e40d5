//! The connector against a running practice org: real requests over loopback, the real token, the org's own rights. What is
//! proved here holds end to end but for the sandbox, which the conformance tests add.

#![allow(
    clippy::unwrap_used,
    reason = "a failing unwrap in a test is the test failing"
)]

mod activity;
mod bulk;
mod cases;
mod checks;
mod errors;
mod everybody;
mod hidden;
mod kinds;
mod leaning;
mod link;
mod property;
mod refused;
mod taking_back;
mod whole;
