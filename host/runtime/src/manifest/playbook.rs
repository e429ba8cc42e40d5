//! What the guided set-up says about a vendor: work outside, words at the fields, what will not work, how long it takes.
//!
//! Invariant: text and figures only. The host decides which tasks there are and what a state means; nothing here runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The vendor's part of the guided set-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Work at the vendor before a credential exists, in order.
    #[serde(default)]
    pub prepare: Vec<Preparation>,
    /// Kinds of org that a person chooses between.
    #[serde(default)]
    pub environments: Vec<EnvironmentKind>,
    /// Words at a field, by the field's name: those of the credential and of the settings.
    #[serde(default)]
    pub fields: BTreeMap<String, FieldGuide>,
    /// Editions and licences that cannot be connected.
    #[serde(default)]
    pub will_not_work: Vec<Hindrance>,
    /// Addresses that people paste, and what is meant.
    #[serde(default)]
    pub rewrites: Vec<Rewrite>,
    /// How long a first download takes.
    #[serde(default)]
    pub estimate: Option<Estimate>,
}

/// One piece of work at the vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// `[a-z0-9-]{1,64}`.
    pub id: String,
    /// The task's name, in the imperative.
    pub title: String,
    /// Why, in one or two sentences.
    pub about: String,
    /// What to click, in order, in the vendor's own words.
    pub steps: Vec<String>,
    /// What the page shows besides, to be copied or read.
    #[serde(default)]
    pub shows: Vec<Shown>,
    /// Ids of the connector's checks that prove it was done.
    #[serde(default)]
    pub proven_by: Vec<String>,
}

/// What a preparation shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shown {
    /// The host's callback URL.
    CallbackUrl,
    /// The scopes that the grants ask for.
    Scopes,
    /// Addresses that the host's requests come from.
    OutboundAddresses,
    /// The rights of each process.
    Rights,
}

/// A kind of org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentKind {
    /// `production` or `sandbox`, as the contract's `environment` has it.
    pub id: String,
    /// As the vendor calls it.
    pub title: String,
    /// What choosing it means.
    pub says: String,
    /// A login address of this kind.
    pub example: String,
}

/// Words at one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldGuide {
    /// Label, where the vendor calls it otherwise than the host.
    #[serde(default)]
    pub label: Option<String>,
    /// What it is needed for.
    pub why: String,
    /// Where the vendor shows it, by its own menu path.
    pub find: String,
    /// What one looks like.
    #[serde(default)]
    pub example: Option<String>,
    /// Forms that are taken.
    #[serde(default)]
    pub accepts: Option<String>,
}

/// Something that cannot be connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hindrance {
    /// The edition or licence.
    pub what: String,
    /// Why not, and what would.
    pub why: String,
}

/// A host that people paste by mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// End of the host as pasted, beginning with a dot.
    pub ends_with: String,
    /// End of the host that is meant, beginning with a dot.
    pub becomes: String,
    /// What to tell the person.
    pub why: String,
}

/// Figures of a first download.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Accounts that one call brings.
    pub accounts_per_call: u32,
    /// Calls that every download makes besides.
    pub fixed_calls: u32,
    /// Accounts that arrive in a minute.
    pub accounts_per_minute: u32,
}

impl Playbook {
    /// The kind of org of that name.
    pub fn environment(&self, id: &str) -> Option<&EnvironmentKind> {
        self.environments.iter().find(|kind| kind.id == id)
    }

    /// The preparation of that name.
    pub fn preparation(&self, id: &str) -> Option<&Preparation> {
        self.prepare.iter().find(|step| step.id == id)
    }
}
