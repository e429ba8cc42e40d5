//! Why single sign-on did not bring somebody in, each in its own words.

use crate::kernel::{IntoProblem, Problem};

/// Why a sign-in at the company's identity provider ended without a session, or its settings were not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignOnFault {
    /// Not set up, or switched off.
    #[error("single sign-on is not set up here")]
    Off,
    /// The state is unknown, over, used, or another browser's; or the settings have changed meanwhile.
    #[error("this sign-in was not begun in this browser, took too long, or was used before")]
    Unusable,
    /// Another issuer answered than the one that was asked (RFC 9207).
    #[error("another identity provider answered than the one that was asked")]
    Issuer,
    /// The provider's or the person's no.
    #[error("the identity provider says no: {code}{}", .sentence.as_deref().map(|s| format!(" ({s})")).unwrap_or_default())]
    Refused {
        /// The provider's word.
        code: String,
        /// Its sentence.
        sentence: Option<String>,
    },
    /// No answer.
    #[error("the identity provider cannot be reached: {0}")]
    Unreachable(String),
    /// An answer that is not OpenID Connect, or of another issuer.
    #[error("the identity provider does not answer as one: {0}")]
    Provider(String),
    /// Client id or secret are wrong.
    #[error("the identity provider does not take our client id and secret: {0}")]
    Client(String),
    /// The code is over, used, or another sign-in's.
    #[error("the identity provider does not take its code back")]
    Code,
    /// Signature, issuer, audience, time or nonce do not hold.
    #[error("the token of the identity provider does not hold: {0}")]
    Token(String),
    /// Too many groups for the token; the provider only points to them.
    #[error(
        "the identity provider does not name this person's groups, only where they could be asked for"
    )]
    GroupsElsewhere,
    /// Somebody here has the address, and the provider does not say that it was verified.
    #[error(
        "somebody here has the e-mail address {0} already, and the identity provider does not say that it is verified"
    )]
    EmailTaken(String),
    /// An administrator took the access away.
    #[error("your access was taken away")]
    NoAccess,
}

impl IntoProblem for SignOnFault {
    fn problem(&self) -> Problem {
        let sentence = self.to_string();
        match self {
            Self::Off => Problem::new(
                "sign_on.off",
                404,
                sentence,
                "Sign in with your password, or ask an administrator for a one-time link",
            ),
            Self::Unusable => Problem::new(
                "sign_on.unusable",
                403,
                sentence,
                "Begin again from the sign-in page; it takes at most ten minutes",
            ),
            Self::Issuer => Problem::new(
                "sign_on.issuer",
                403,
                sentence,
                "Begin again; when it happens twice, tell an administrator",
            ),
            Self::Refused { .. } => Problem::new(
                "sign_on.refused",
                403,
                sentence,
                "Ask whoever keeps the identity provider to let you use this application",
            ),
            Self::Unreachable(_) => Problem::new(
                "sign_on.unreachable",
                502,
                sentence,
                "Try again in a minute; an administrator can sign in with a password meanwhile",
            ),
            Self::Provider(_) => Problem::new(
                "sign_on.provider",
                502,
                sentence,
                "An administrator compares the issuer on the page Single sign-on with the provider's own, letter by letter",
            ),
            Self::Client(_) => Problem::new(
                "sign_on.client",
                502,
                sentence,
                "An administrator sets client id and secret anew on the page Single sign-on",
            ),
            Self::Code => Problem::new(
                "sign_on.code",
                403,
                sentence,
                "Begin again from the sign-in page; a code is good once and for a short time",
            ),
            Self::Token(_) => Problem::new(
                "sign_on.token",
                403,
                sentence,
                "Begin again; when it stays, compare the clocks of both servers, the issuer and the client id",
            ),
            Self::GroupsElsewhere => Problem::new(
                "sign_on.groups_elsewhere",
                403,
                sentence,
                "At the provider, let the token name only the groups that are assigned to this application",
            ),
            Self::EmailTaken(_) => Problem::new(
                "sign_on.email_taken",
                403,
                sentence,
                "Let the provider send `email_verified`, or ask an administrator to change the address of the account here",
            ),
            Self::NoAccess => Problem::new(
                "sign_on.no_access",
                403,
                sentence,
                "Ask an administrator to give it back on the page Access",
            ),
        }
    }
}
