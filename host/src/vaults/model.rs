//! The words of a vault, what a field says of it, and what can go wrong. Pure.

use seatwise_runtime::contract::types::{Failure, FailureKind};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::connectors::explain;
use crate::kernel::{IntoProblem, Problem};

/// Longest query, characters.
const MOST_QUERY: usize = 1_000;
/// Longest name of a property, characters.
const MOST_PROPERTY: usize = 100;

/// What a vault gave; wiped when it is dropped.
pub type Fetched = Zeroizing<String>;

/// A kind of vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultKind {
    /// CyberArk's Central Credential Provider: its web service, by query.
    CyberarkCcp,
    /// Version 2 of the key-value engine over HTTP, as HashiCorp Vault and OpenBao have it.
    KvV2,
}

impl VaultKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::CyberarkCcp, Self::KvV2];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CyberarkCcp => "cyberark_ccp",
            Self::KvV2 => "kv_v2",
        }
    }

    /// For people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::CyberarkCcp => "CyberArk Central Credential Provider",
            Self::KvV2 => "HashiCorp Vault or OpenBao (key-value, version 2)",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Where a field of a credential is fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromVault {
    /// Name of the vault.
    pub vault: String,
    /// What to ask for: `Safe=…;Object=…`, or a path.
    pub query: String,
    /// Which property of what is found; empty for the usual one.
    pub property: String,
}

impl FromVault {
    /// Tidied, or what is wrong with it.
    ///
    /// # Errors
    /// [`VaultFault`] with [`Trouble::Query`].
    pub fn judged(&self) -> Result<Self, VaultFault> {
        let tidy = |text: &str| text.trim().to_owned();
        let new = Self {
            vault: tidy(&self.vault),
            query: tidy(&self.query),
            property: tidy(&self.property),
        };
        let wrong = |why| Err(VaultFault::new(&new.vault, Trouble::Query(why)));
        if new.query.is_empty() {
            return wrong("it is empty");
        }
        if new.query.chars().count() > MOST_QUERY || new.property.chars().count() > MOST_PROPERTY {
            return wrong("it is too long");
        }
        if new
            .query
            .chars()
            .chain(new.property.chars())
            .any(char::is_control)
        {
            return wrong("it has a control character");
        }
        Ok(new)
    }
}

/// What went wrong between here and a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is none of this name.
    #[error("there is no such vault here")]
    Unknown,
    /// The query is none that this kind can ask.
    #[error("the query cannot be asked: {0}")]
    Query(&'static str),
    /// The egress guard lets nothing there.
    #[error("this host may not reach it: {0}")]
    NotAllowed(String),
    /// No answer came.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// It does not know this application or token.
    #[error("it does not let this application or token in")]
    Denied,
    /// Nothing matches the query.
    #[error("it has nothing that matches the query")]
    NotFound,
    /// What matched was deleted.
    #[error("what the query names was deleted there")]
    Deleted,
    /// More than one thing matches.
    #[error("more than one thing matches the query")]
    Ambiguous,
    /// What matched has no such property.
    #[error("what the query names has no property `{0}` with a text in it")]
    NoProperty(String),
    /// What matched has several properties, and none was chosen.
    #[error("what the query names has several properties, and none is chosen")]
    WhichProperty,
    /// It is being changed there just now.
    #[error("what the query names is being changed there just now")]
    Changing,
    /// It is sealed, on standby, or has lost its own store.
    #[error("it is sealed or cannot reach its own store")]
    Sealed,
    /// It wants fewer questions.
    #[error("it wants fewer questions at a time")]
    Busy,
    /// Its own token does not open any more.
    #[error("its stored token cannot be used")]
    Token,
    /// The answer is not one of its kind.
    #[error("its answer is not one of this kind of vault")]
    Shape,
}

/// A vault's failure, with the name of the vault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vault {vault} did not give the value: {trouble}")]
pub struct VaultFault {
    /// Its name.
    pub vault: String,
    /// What went wrong.
    pub trouble: Trouble,
}

impl VaultFault {
    /// Of this vault. A name that nobody gave is cut.
    #[must_use]
    pub fn new(vault: &str, trouble: Trouble) -> Self {
        let vault = vault
            .chars()
            .filter(|c| !c.is_control())
            .take(100)
            .collect();
        Self { vault, trouble }
    }

    /// Code and kind of failure.
    fn told(&self) -> (&'static str, FailureKind) {
        use FailureKind::{InvalidInput, Malformed, Transient};
        match self.trouble {
            Trouble::Unknown => ("vault.unknown", InvalidInput),
            Trouble::Query(_) => ("vault.query", InvalidInput),
            Trouble::NotAllowed(_) => ("vault.not_allowed", InvalidInput),
            Trouble::Unreachable(_) => ("vault.unreachable", Transient),
            Trouble::Denied => ("vault.denied", InvalidInput),
            Trouble::NotFound => ("vault.not_found", InvalidInput),
            Trouble::Deleted => ("vault.deleted", InvalidInput),
            Trouble::Ambiguous => ("vault.ambiguous", InvalidInput),
            Trouble::NoProperty(_) | Trouble::WhichProperty => ("vault.property", InvalidInput),
            Trouble::Changing => ("vault.changing", Transient),
            Trouble::Sealed => ("vault.sealed", Transient),
            Trouble::Busy => ("vault.busy", Transient),
            Trouble::Token => ("vault.token", InvalidInput),
            Trouble::Shape => ("vault.shape", Malformed),
        }
    }

    /// Whether waiting helps.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.told().1 == FailureKind::Transient
    }

    /// The same for a token call that needed the value. Never of the kind that says that the vendor refused the credential.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let (code, kind) = self.told();
        Failure {
            kind,
            code: code.to_owned(),
            message: self.to_string(),
            retry_after_ms: None,
        }
    }
}

impl IntoProblem for VaultFault {
    fn problem(&self) -> Problem {
        let (code, kind) = self.told();
        let status = match kind {
            FailureKind::Transient => 503,
            FailureKind::Malformed => 502,
            _ => 422,
        };
        let fix = explain::vault(code).unwrap_or_default();
        Problem::new(code, status, self.to_string(), fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for kind in VaultKind::ALL {
            assert_eq!(VaultKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_query_is_tidied_and_a_useless_one_refused() {
        let query = |text: &str| FromVault {
            vault: " corp ".to_owned(),
            query: text.to_owned(),
            property: " Content ".to_owned(),
        };
        let tidy = query(" Safe=SaaS;Object=acme ").judged().unwrap();
        assert_eq!(
            (
                tidy.vault.as_str(),
                tidy.query.as_str(),
                tidy.property.as_str()
            ),
            ("corp", "Safe=SaaS;Object=acme", "Content")
        );
        for wrong in ["", "  ", "a\u{7}b", &"x".repeat(1_001)] {
            let refused = query(wrong).judged().unwrap_err();
            assert_eq!(refused.problem().code, "vault.query", "{wrong:?}");
        }
    }

    #[test]
    fn every_failure_says_what_to_do_and_none_that_the_vendor_refused_the_credential() {
        for trouble in [
            Trouble::Unknown,
            Trouble::Query("x"),
            Trouble::NotAllowed("x".to_owned()),
            Trouble::Unreachable("x".to_owned()),
            Trouble::Denied,
            Trouble::NotFound,
            Trouble::Deleted,
            Trouble::Ambiguous,
            Trouble::NoProperty("x".to_owned()),
            Trouble::WhichProperty,
            Trouble::Changing,
            Trouble::Sealed,
            Trouble::Busy,
            Trouble::Token,
            Trouble::Shape,
        ] {
            let fault = VaultFault::new("corp", trouble);
            let problem = fault.problem();
            assert!(problem.fix.text.len() > 20, "{fault}");
            assert!(problem.message.contains("vault corp"), "{fault}");
            assert_ne!(fault.failure().kind, FailureKind::Auth, "{fault}");
            assert_eq!(fault.failure().code, problem.code);
        }
    }
}
