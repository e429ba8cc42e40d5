//! What the test layers share: a PostgreSQL of their own, hosts that stand on a fixed day, practice orgs in this process.
//!
//! Nothing here is linked into the product.

pub mod browser;
pub mod company;
pub mod database;
pub mod deed;
pub mod faults;
pub mod postgres;
pub mod receiver;
pub mod smtp;
pub mod squid;
pub mod vault;
pub mod world;
