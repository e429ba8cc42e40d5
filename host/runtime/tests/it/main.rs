//! The sandbox against a guest that attacks it, and the egress guard against a server that counts.
//!
//! Everything runs on loopback; every server stops with its test.

#![allow(
    clippy::unwrap_used,
    reason = "a failing unwrap in a test is the test failing"
)]

mod acts;
mod answers;
mod egress;
mod guest;
mod proxy;
mod reach;
mod sandbox;
mod tls;
mod vendor;
