//! Who may act: principals, roles, sign-in links, sessions, personal tokens.
//!
//! Invariants: only hashes of links, cookies and tokens are stored; a link works once; rights are read anew on each
//! request; a token never acts for more than its principal and keeps the name of who minted it; a token mints nothing.

pub mod roles;
pub mod service;
mod sessions;
mod store;
mod tokens;

use crate::identity::roles::Denied;
use crate::kernel::{IntoProblem, Problem};
use crate::store::StoreError;

/// Why an identity use case was refused.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such principal, link, session or token.
    #[error("there is no {0} of that name")]
    NotFound(&'static str),
    /// The e-mail address belongs to somebody else.
    #[error("somebody else has the e-mail address {0}")]
    EmailTaken(String),
    /// A field does not hold.
    #[error("{sentence}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        sentence: String,
    },
    /// The link is unknown, over or used.
    #[error("this sign-in link is no longer good")]
    LinkSpent,
    /// No valid cookie or token.
    #[error("you are not signed in")]
    NotSignedIn,
    /// A token tried to mint a token or a link.
    #[error("a token cannot mint another token or a sign-in link")]
    TokenCannotMint,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for IdentityError {
    fn problem(&self) -> Problem {
        let sentence = self.to_string();
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Store(store) => store.problem(),
            Self::NotFound(what) => Problem::new(
                "identity.not_found",
                404,
                sentence,
                format!("List what there is and pick the {what} from it"),
            ),
            Self::EmailTaken(_) => Problem::new(
                "identity.email_taken",
                409,
                sentence,
                "Use that person's account, or another address",
            )
            .at("email"),
            Self::Invalid { field, .. } => Problem::new(
                "identity.invalid",
                422,
                sentence,
                "Change the field and send it again",
            )
            .at(field),
            Self::LinkSpent => Problem::new(
                "identity.link_spent",
                403,
                sentence,
                "A link works once and only for a few minutes; ask an administrator for a new one",
            ),
            Self::NotSignedIn => Problem::new(
                "identity.not_signed_in",
                401,
                sentence,
                "Open a sign-in link, or send a personal token as `Authorization: Bearer …`",
            ),
            Self::TokenCannotMint => Problem::new(
                "identity.token_cannot_mint",
                403,
                sentence,
                "Sign in through the browser and mint it there",
            ),
        }
    }
}
