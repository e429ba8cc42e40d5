//! Who may act: principals, roles, sign-in, sessions, personal tokens.
//!
//! Invariants: only hashes of links, cookies, tokens, passwords and recovery codes are stored; a link works once; rights are read
//! anew on each request; a new password, a new role or a lost second factor ends the sessions of its person; a token never acts for
//! more than its principal and keeps the name of who minted it; a token mints nothing.

pub mod access;
pub mod account;
mod passwords;
pub mod roles;
pub mod second_factor;
pub mod service;
mod sessions;
pub mod sign_in;
pub mod sign_on;
mod store;
mod tokens;
pub mod units;

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
    #[error(
        "a token cannot make another token or a sign-in link, nor change how its person signs in"
    )]
    TokenCannotMint,
    /// Address and password do not belong together, or to nobody.
    #[error("this address and this password do not belong together")]
    NotRecognised,
    /// The code is wrong, over, or was used.
    #[error("this code is not right, or was used before")]
    WrongCode,
    /// The old password is wrong.
    #[error("this is not your present password")]
    WrongPassword,
    /// Too many tries of one account or from one address.
    #[error("there were too many tries; the next is taken in {minutes} min")]
    TooManyTries {
        /// Until the window ends.
        minutes: i64,
    },
    /// There is a second factor already.
    #[error("you have a second factor already")]
    FactorExists,
    /// Single sign-on brought nobody in, or its settings were not taken.
    #[error(transparent)]
    SignOn(#[from] sign_on::SignOnFault),
    /// Nobody would be left who can give roles.
    #[error("nobody else is an administrator")]
    LastAdmin,
    /// A password or a second factor could not be worked on.
    #[error("a password or second factor could not be worked on")]
    Hashing,
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
            Self::SignOn(fault) => fault.problem(),
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
                "Sign in through the browser and do it there",
            ),
            Self::NotRecognised => Problem::new(
                "identity.not_recognised",
                403,
                sentence,
                "Type both again, or ask an administrator for a one-time link and set a new password",
            )
            .at("password"),
            Self::WrongCode => Problem::new(
                "identity.wrong_code",
                422,
                sentence,
                "Wait for the next code of your app and type it, or use one of your recovery codes",
            )
            .at("code"),
            Self::WrongPassword => Problem::new(
                "identity.wrong_password",
                422,
                sentence,
                "Type it again, or sign in by a one-time link and set a new one without it",
            )
            .at("old"),
            Self::TooManyTries { .. } => Problem::new(
                "identity.too_many_tries",
                429,
                sentence,
                "Wait, or ask an administrator for a one-time link",
            ),
            Self::FactorExists => Problem::new(
                "identity.factor_exists",
                409,
                sentence,
                "Switch it off first to set up another",
            ),
            Self::LastAdmin => Problem::new(
                "identity.last_admin",
                409,
                sentence,
                "Give somebody else the role of administrator first",
            ),
            Self::Hashing => Problem::internal(),
        }
    }
}
