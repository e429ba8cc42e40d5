//! The built-in connector, in the real sandbox and through the real egress guard, against its practice org.
//!
//! No host and no database: what is proven here is the connector and the runtime alone.

#![allow(
    clippy::unwrap_used,
    reason = "a failing unwrap in a test is the test failing"
)]

mod link;
mod reading;
mod reclaiming;
