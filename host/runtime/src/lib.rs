//! Runs connectors: sandbox, limits and the egress guard.
