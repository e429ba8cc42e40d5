//! What a person offers as a credential, and the life of a sign-in at the vendor's. Pure.
//!
//! Invariants: a sign-in is used once; what comes back late, again, to somebody else or in another session is told nothing but
//! that it cannot be used.

use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::{GrantKind, GrantOffer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::kernel::{IntoProblem, Problem};
use crate::vaults::FromVault;

/// What a person types. Fields that the grant does not take are empty.
#[derive(Clone, Default)]
pub struct NewCredential {
    /// A grant of the connector's manifest.
    pub grant_kind: String,
    /// Client id.
    pub client_id: String,
    /// Client secret; empty for an app that wants none.
    pub client_secret: Zeroizing<String>,
    /// For the grant `refresh-token`.
    pub refresh_token: Option<Zeroizing<String>>,
    /// For the grant `jwt-bearer`: whom the token is for.
    pub username: Option<String>,
    /// For the grant `jwt-bearer`: an RSA key, PEM.
    pub private_key: Option<Zeroizing<String>>,
    /// For the grant `authorization-code`: the app forbids a proof key.
    pub without_pkce: bool,
    /// Secret fields that are fetched in a vault each time they are needed, by name.
    pub from_vault: BTreeMap<String, FromVault>,
}

/// Fields that can be fetched in a vault.
pub const VAULT_FIELDS: [&str; 3] = ["client_secret", "refresh_token", "private_key"];

impl NewCredential {
    /// The text of a field by its name in the manifest; empty where it was not typed.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        match name {
            "client_id" => self.client_id.trim(),
            "client_secret" => &self.client_secret,
            "refresh_token" => self.refresh_token.as_ref().map_or("", |text| text.trim()),
            "username" => self.username.as_deref().unwrap_or_default().trim(),
            "private_key" => self.private_key.as_ref().map_or("", |text| text.trim()),
            _ => "",
        }
    }

    /// The manifest's grant that was chosen, once everything it wants is there.
    ///
    /// # Errors
    /// [`OfferFault`] naming the field.
    pub fn judged<'m>(&self, manifest: &'m Manifest) -> Result<&'m GrantOffer, OfferFault> {
        let offer = manifest
            .grant(&self.grant_kind)
            .ok_or_else(|| OfferFault::Grant(self.grant_kind.chars().take(60).collect()))?;
        let empty = offer.fields.iter().find(|field| {
            let is_given =
                !self.field(field).is_empty() || self.from_vault.contains_key(field.as_str());
            offer.wants(field) && !is_given
        });
        let odd = self
            .from_vault
            .keys()
            .find(|field| !VAULT_FIELDS.contains(&field.as_str()) || !offer.takes(field));
        if let Some(field) = odd {
            return Err(OfferFault::NoSecret(field.chars().take(60).collect()));
        }
        let both = self
            .from_vault
            .keys()
            .find(|field| !self.field(field).is_empty());
        if let Some(field) = both {
            return Err(OfferFault::Both(field.clone()));
        }
        match empty {
            Some(field) => Err(OfferFault::Missing(field.clone())),
            None => Ok(offer),
        }
    }
}

/// Why what was typed is no credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferFault {
    /// The connector has no such grant.
    #[error("the connector does not offer the grant `{0}`")]
    Grant(String),
    /// A field of the grant is empty.
    #[error("the field {0} is empty")]
    Missing(String),
    /// Not a secret of this grant.
    #[error("the field `{0}` is no secret of this grant that a vault could hold")]
    NoSecret(String),
    /// Typed, and fetched in a vault.
    #[error("the field {0} is typed and taken from a vault at once")]
    Both(String),
    /// The private key cannot sign.
    #[error("the private key cannot be used: {0}")]
    Key(&'static str),
}

impl IntoProblem for OfferFault {
    fn problem(&self) -> Problem {
        match self {
            Self::Grant(_) => Problem::new(
                "credential.grant",
                422,
                self.to_string(),
                "Choose a grant that the connector's manifest lists",
            )
            .at("grant"),
            Self::Missing(field) => Problem::new(
                "credential.missing",
                422,
                self.to_string(),
                "Fill in this field",
            )
            .at(field),
            Self::NoSecret(field) => Problem::new(
                "credential.vault_field",
                422,
                self.to_string(),
                format!("Take one of {} that the grant has", VAULT_FIELDS.join(", ")),
            )
            .at(field),
            Self::Both(field) => Problem::new(
                "credential.both",
                422,
                self.to_string(),
                "Empty the field, or choose that it is typed here",
            )
            .at(field),
            Self::Key(_) => Problem::new(
                "credential.private_key",
                422,
                self.to_string(),
                "Paste the whole PEM text of an unencrypted RSA key of 2,048 bits or more, from BEGIN to END",
            )
            .at("private_key"),
        }
    }
}

/// Scopes that are needed and not granted.
#[must_use]
pub fn missing_scopes(manifest: &Manifest, kind: GrantKind, granted: &[String]) -> Vec<String> {
    needed_scopes(manifest, kind)
        .into_iter()
        .filter(|scope| !manifest.credential.carries(granted, scope))
        .collect()
}

/// What a token of this grant must carry: the grant's own scopes and those of every process that a profile cannot do without.
#[must_use]
pub fn needed_scopes(manifest: &Manifest, kind: GrantKind) -> Vec<String> {
    let own = manifest
        .grant(kind.as_str())
        .map(|offer| offer.scopes.as_slice())
        .unwrap_or_default();
    let of_processes = manifest
        .processes
        .iter()
        .filter(|process| !process.optional)
        .flat_map(|process| &process.scopes);
    let mut needed: Vec<String> = Vec::new();
    for scope in own.iter().chain(of_processes) {
        if !needed.contains(scope) {
            needed.push(scope.clone());
        }
    }
    needed
}

/// Where a sign-in at the vendor's stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigninState {
    /// The person has not come back.
    Waiting,
    /// What came back is being exchanged; nobody else may.
    Taken,
    /// Connected.
    Done,
    /// Ended without a credential.
    Refused,
}

/// What moves a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigninEvent {
    /// The person came back, or confirmed the code.
    Return,
    /// The credential is stored.
    Adopt,
    /// The vendor, the person or we said no.
    Refuse,
}

impl SigninState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Taken, Self::Done, Self::Refused];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Taken => "taken",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The state after an event.
    ///
    /// # Errors
    /// [`SigninFault::Unusable`] when the event does not fit.
    pub fn after(self, event: SigninEvent) -> Result<Self, SigninFault> {
        match (self, event) {
            (Self::Waiting, SigninEvent::Return) => Ok(Self::Taken),
            (Self::Taken, SigninEvent::Adopt) => Ok(Self::Done),
            (Self::Waiting | Self::Taken, SigninEvent::Refuse) => Ok(Self::Refused),
            _ => Err(SigninFault::Unusable),
        }
    }
}

/// Why a sign-in cannot begin or go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigninFault {
    /// The state is missing, wrong, used, too old, somebody else's or of another session: which one is not told.
    #[error("this sign-in cannot be used")]
    Unusable,
    /// The answer names another issuer than the one that was asked.
    #[error("the answer comes from another login host than the one that was asked")]
    Issuer,
    /// The connection was changed while the person was away.
    #[error("the connection was changed while the sign-in was under way")]
    Changed,
    /// A browser is needed.
    #[error("the grant `{0}` needs a person with a browser")]
    NeedsBrowser(&'static str),
    /// No such sign-in for this person.
    #[error("there is no such sign-in")]
    NotFound,
    /// The vendor's page for the code is not on its login hosts.
    #[error("the vendor names a page for the code that is not on its login hosts")]
    ForeignPage,
    /// Nobody typed the code in time.
    #[error("the code was not confirmed in time")]
    TimedOut,
}

impl IntoProblem for SigninFault {
    fn problem(&self) -> Problem {
        let message = self.to_string();
        match self {
            Self::Unusable => Problem::new(
                "signin.unusable",
                400,
                message,
                "Start the sign-in again from the page of the connection, and finish it within ten minutes in the same browser",
            ),
            Self::Issuer => Problem::new(
                "signin.issuer",
                400,
                message,
                "Start the sign-in again; if it happens again, check the login address of the connection",
            ),
            Self::Changed => Problem::new(
                "signin.changed",
                409,
                message,
                "Start the sign-in again with the connection as it is now",
            ),
            Self::NeedsBrowser(_) => Problem::new(
                "signin.browser",
                422,
                message,
                "Open the page of the connection in a browser and sign in there, or choose another grant",
            )
            .at("grant"),
            Self::NotFound => Problem::new(
                "signin.not_found",
                404,
                message,
                "Open the page of the connection and start a sign-in there",
            ),
            Self::ForeignPage => Problem::new(
                "signin.foreign_page",
                502,
                message,
                "Check the login address of the connection; nothing was stored",
            ),
            Self::TimedOut => Problem::new(
                "signin.timed_out",
                422,
                message,
                "Start again and enter the new code before it expires",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::parse(seatwise_builtin_connectors::all()[0].manifest).unwrap()
    }

    fn typed(grant: GrantKind) -> NewCredential {
        let secret = || Zeroizing::new("secret".to_owned());
        NewCredential {
            grant_kind: grant.as_str().to_owned(),
            client_id: "id".to_owned(),
            client_secret: secret(),
            refresh_token: Some(secret()),
            username: Some("someone@example.com".to_owned()),
            private_key: Some(secret()),
            ..NewCredential::default()
        }
    }

    #[test]
    fn a_field_is_typed_or_fetched_and_only_a_secret_is_fetched() {
        let manifest = manifest();
        let from = FromVault {
            vault: "corp".to_owned(),
            query: "Safe=SaaS;Object=acme".to_owned(),
            property: String::new(),
        };
        let judged = |field: &str, is_typed: bool| {
            let mut new = typed(GrantKind::ClientCredentials);
            if !is_typed {
                new.client_secret = Zeroizing::default();
            }
            new.from_vault = [(field.to_owned(), from.clone())].into();
            new.judged(&manifest).map(|_| ())
        };
        assert_eq!(judged("client_secret", false), Ok(()));
        let both = OfferFault::Both("client_secret".to_owned());
        assert_eq!(judged("client_secret", true), Err(both));
        for odd in ["client_id", "private_key", "nothing"] {
            let refused = OfferFault::NoSecret(odd.to_owned());
            assert_eq!(judged(odd, true), Err(refused), "{odd}");
        }
    }

    #[test]
    fn each_grant_names_the_field_it_misses() {
        let manifest = manifest();
        for offer in &manifest.credential.grants {
            assert!(typed(offer.id).judged(&manifest).is_ok());
            for field in &offer.fields {
                let mut new = typed(offer.id);
                match field.as_str() {
                    "client_id" => new.client_id = "  ".to_owned(),
                    "client_secret" => new.client_secret = Zeroizing::default(),
                    "refresh_token" => new.refresh_token = None,
                    "username" => new.username = Some(" ".to_owned()),
                    _ => new.private_key = Some(Zeroizing::default()),
                }
                let expected = if offer.wants(field) {
                    Err(OfferFault::Missing(field.clone()))
                } else {
                    Ok(offer)
                };
                assert_eq!(new.judged(&manifest), expected, "{field}");
            }
        }
        let unknown = NewCredential {
            grant_kind: "password".to_owned(),
            ..NewCredential::default()
        };
        assert_eq!(
            unknown.judged(&manifest),
            Err(OfferFault::Grant("password".to_owned()))
        );
    }

    #[test]
    fn a_sign_in_is_used_once_and_ends_once() {
        use SigninEvent::{Adopt, Refuse, Return};
        use SigninState::{Done, Refused, Taken, Waiting};
        for (state, event, after) in [
            (Waiting, Return, Some(Taken)),
            (Waiting, Adopt, None),
            (Waiting, Refuse, Some(Refused)),
            (Taken, Return, None),
            (Taken, Adopt, Some(Done)),
            (Taken, Refuse, Some(Refused)),
            (Done, Return, None),
            (Done, Adopt, None),
            (Done, Refuse, None),
            (Refused, Return, None),
            (Refused, Adopt, None),
            (Refused, Refuse, None),
        ] {
            assert_eq!(state.after(event).ok(), after, "{state:?} {event:?}");
        }
        for state in SigninState::ALL {
            assert_eq!(SigninState::parse(state.as_str()), Some(state));
        }
    }

    #[test]
    fn a_scope_that_another_covers_is_not_missing() {
        let manifest = manifest();
        let granted =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let missing =
            |text: &str| missing_scopes(&manifest, GrantKind::AuthorizationCode, &granted(text));
        assert!(missing("api refresh_token").is_empty());
        assert!(missing("full offline_access").is_empty());
        assert_eq!(missing("api"), ["refresh_token"]);
        assert_eq!(missing("id"), ["api", "refresh_token"]);
        let of_client = missing_scopes(&manifest, GrantKind::ClientCredentials, &granted("api"));
        assert!(of_client.is_empty());
    }
}
