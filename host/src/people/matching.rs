//! How an account's name becomes a mail address to look up. Pure.

use serde::{Deserialize, Serialize};

/// What a user resolution rule does with a user principal name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "transform")]
pub enum Transform {
    /// `hal@acme.com` is looked up as external id `hal`.
    RemoveDomain,
    /// `hal@acme.com.uat` is looked up as `hal@acme.com`.
    ReplaceDomain {
        /// Without `@`.
        from: String,
        /// Without `@`.
        to: String,
    },
}

/// Why a rule is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a mail domain")]
pub struct NotADomain(pub String);

/// The longest name that the domain system knows (RFC 1035 §2.3.4, in its written form).
const DOMAIN_BYTES: usize = 253;

impl Transform {
    /// The stored word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::RemoveDomain => "remove_domain",
            Self::ReplaceDomain { .. } => "replace_domain",
        }
    }

    /// Both domains, folded.
    #[must_use]
    pub fn domains(&self) -> (Option<String>, Option<String>) {
        match self {
            Self::RemoveDomain => (None, None),
            Self::ReplaceDomain { from, to } => (Some(fold(from)), Some(fold(to))),
        }
    }

    /// Refuses what can match nothing.
    ///
    /// # Errors
    /// [`NotADomain`].
    pub fn check(&self) -> Result<(), NotADomain> {
        if let Self::ReplaceDomain { from, to } = self {
            for domain in [from, to] {
                let is_plain = domain
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
                if domain.is_empty() || domain.len() > DOMAIN_BYTES || !is_plain {
                    return Err(NotADomain(domain.clone()));
                }
            }
        }
        Ok(())
    }
}

/// Case and surrounding blanks do not make another address.
#[must_use]
pub fn fold(address: &str) -> String {
    address.trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_blanks_make_no_other_address() {
        assert_eq!(fold(" Hal@Acme.COM "), "hal@acme.com");
    }

    #[test]
    fn a_rule_names_two_domains() {
        let rule = |from: &str, to: &str| Transform::ReplaceDomain {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        assert_eq!(rule("acme.com.uat", "acme.com").check(), Ok(()));
        for wrong in ["", "@acme.com", "a b", "acme.com%"] {
            assert_eq!(
                rule("acme.com", wrong).check(),
                Err(NotADomain(wrong.to_owned()))
            );
        }
        assert_eq!(Transform::RemoveDomain.check(), Ok(()));
    }
}
