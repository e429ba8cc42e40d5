//! Ids: newtypes over text, time-ordered, with a prefix a person can recognise.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::chance::Chance;

/// Makes the text of a new id: prefix, then a version 7 UUID (RFC 9562) without dashes.
#[must_use]
pub fn mint(prefix: &str, now_ms: i64, chance: &dyn Chance) -> String {
    let mut random = [0u8; 10];
    chance.fill(&mut random);
    let millis = u64::try_from(now_ms).unwrap_or(0);
    let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    format!("{prefix}_{}", uuid.simple())
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// What its text begins with.
            pub const PREFIX: &'static str = $prefix;

            /// A new id at this moment.
            #[must_use]
            pub fn mint(now_ms: i64, chance: &dyn Chance) -> Self {
                Self(mint($prefix, now_ms, chance))
            }

            /// The stored text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

ids! {
    /// A person, service or the system itself.
    PrincipalId = "prin";
    /// Part of the company that sees its own records.
    BusinessUnitId = "bu";
    /// A browser session.
    SessionId = "sess";
    /// A one-time sign-in link.
    SigninLinkId = "link";
    /// A personal API token.
    ApiTokenId = "tok";
    /// A connection and credential alias.
    AliasId = "alias";
    /// An external vault.
    VaultId = "vault";
    /// An organization: one vendor org.
    OrgId = "org";
    /// An integration profile.
    ProfileId = "prof";
    /// That one source counts instead of another.
    SupersessionId = "sup";
    /// A link by which somebody answers one task of a playbook.
    HandOverId = "hand";
    /// A piece of due work.
    JobId = "job";
    /// A download run.
    RunId = "run";
    /// A content version of product definitions.
    ContentVersionId = "cont";
    /// A software product.
    ProductId = "prod";
    /// A software model.
    ModelId = "model";
    /// A person of the directory.
    PersonId = "pers";
    /// One employment fact of a person.
    EmploymentId = "empl";
    /// A file that was brought in place of a download.
    ImportFileId = "file";
    /// An identity provider that tells of sign-ins.
    IdentitySourceId = "idp";
    /// An application of an identity provider.
    IdentityApplicationId = "iapp";
    /// A user resolution rule.
    ResolutionRuleId = "resr";
    /// A software entitlement.
    EntitlementId = "ent";
    /// Rights reserved for a person.
    AllocationId = "alloc";
    /// A person's sign-in at the vendor's.
    SigninId = "sign";
    /// A reclamation rule.
    RuleId = "rule";
    /// One immutable version of a rule.
    RuleVersionId = "rver";
    /// One decision of one person.
    ApprovalId = "appr";
    /// A standing mandate.
    MandateId = "mand";
    /// An exemption from reclaim.
    ExemptionId = "exem";
    /// A removal candidate.
    CandidateId = "cand";
    /// A batch of candidates put up for approval.
    BatchId = "batch";
    /// One action at the vendor.
    ActionId = "act";
    /// One reconciliation.
    ReconciliationId = "reco";
    /// One savings event.
    SavingsEventId = "save";
    /// A message in the outbox.
    MessageId = "msg";
    /// A webhook.
    WebhookId = "hook";
    /// An audit entry.
    AuditId = "aud";
}
