//! What an entry says, and how it is chained. Pure.

use serde_json::Value;

use crate::kernel::digest::sha256_hex;

/// One thing that was decided or done.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// Dotted: `rule.approved`.
    pub event: &'a str,
    /// `rule_version`, `batch`, `profile`, …
    pub subject_kind: &'a str,
    /// Its id.
    pub subject_id: &'a str,
    /// Old and new values, reasons, digests; never a secret.
    pub detail: Value,
}

/// The fields that the digest covers, in this order.
pub(super) struct Link<'a> {
    pub seq: i64,
    pub id: &'a str,
    pub at: i64,
    pub actor_id: &'a str,
    pub actor_via: &'a str,
    pub event: &'a str,
    pub subject_kind: &'a str,
    pub subject_id: &'a str,
    pub detail: &'a str,
}

impl Link<'_> {
    /// Digest over the previous digest and a JSON array of all fields: no two different entries have the same text.
    pub(super) fn digest(&self, previous: &str) -> String {
        let fields = serde_json::json!([
            previous,
            self.seq,
            self.id,
            self.at,
            self.actor_id,
            self.actor_via,
            self.event,
            self.subject_kind,
            self.subject_id,
            self.detail
        ]);
        sha256_hex(fields.to_string())
    }
}

/// What the first entry follows.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";
