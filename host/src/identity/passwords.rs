//! Passwords: which are good enough, and how they are kept.
//!
//! Argon2id (RFC 9106) with a salt of 16 random bytes, kept as a PHC string. Hashing runs beside the async threads, two at a time,
//! so that a flood of sign-ins costs time and not memory. Where there is no hash to compare with, one of nobody's is compared, so
//! that an unknown account takes as long as a known one.

use std::sync::LazyLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::IdentityError;
use super::service::invalid;
use crate::app::host::Host;

/// Memory of one hash, KiB. With [`PASSES`] and one lane the first choice of the OWASP Password Storage Cheat Sheet (19 MiB, 2
/// passes, 1 lane).
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// RFC 9106 §3.1 recommends 16 bytes.
const SALT_BYTES: usize = 16;
/// Shortest password in letters. NIST SP 800-63B-4 §3.1.1.2 asks for 15 where a password stands alone.
pub const SHORTEST: usize = 15;
/// Longest one: enough for any phrase, and hashing stays bounded.
pub const LONGEST: usize = 256;
/// Fewer different letters than this are a pattern, not a secret.
const DIFFERENT: usize = 6;

/// Hashes at the same time: memory is bounded by this times [`MEMORY_KIB`].
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// A hash that no password has, made with the same parameters.
static NOBODYS: LazyLock<String> = LazyLock::new(|| {
    argon2()
        .hash_password_with_salt(b"the password of nobody at all", &[7; SALT_BYTES])
        .map(|hash| hash.to_string())
        .unwrap_or_default()
});

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .expect("the parameters stand above and are within the algorithm's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Whether a new password is good enough for this person.
///
/// # Errors
/// [`IdentityError::Invalid`] at the field `password`.
pub(super) fn check(password: &str, name: &str, email: Option<&str>) -> Result<(), IdentityError> {
    let refused = |sentence: String| Err(invalid("password", sentence));
    let letters = password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&letters) {
        return refused(format!(
            "a password has {SHORTEST} to {LONGEST} letters; a sentence of your own is easy to keep in mind"
        ));
    }
    let plain = password.to_lowercase();
    let different: std::collections::BTreeSet<char> = plain.chars().collect();
    if different.len() < DIFFERENT {
        return refused(format!(
            "a password has at least {DIFFERENT} different letters"
        ));
    }
    let local = email.and_then(|email| email.split('@').next());
    let own = [Some(name), email, local, Some("seatwise")];
    for word in own.into_iter().flatten().map(str::to_lowercase) {
        // What is left without the word must still be a secret.
        if word.chars().count() >= 4
            && plain.contains(&word)
            && plain.replace(&word, "").chars().count() < SHORTEST / 2
        {
            return refused(
                "a password is more than your own name, your address or ours".to_owned(),
            );
        }
    }
    Ok(())
}

/// The PHC string of a password.
///
/// # Errors
/// [`IdentityError::Hashing`].
pub(super) async fn hash(
    host: &Host,
    password: Zeroizing<String>,
) -> Result<String, IdentityError> {
    let mut salt = [0u8; SALT_BYTES];
    host.chance.fill(&mut salt);
    let _turn = AT_ONCE.acquire().await;
    tokio::task::spawn_blocking(move || {
        argon2()
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map(|hash| hash.to_string())
    })
    .await
    .map_err(|_| IdentityError::Hashing)?
    .map_err(|_| IdentityError::Hashing)
}

/// Whether the password is the one behind this hash. Without a hash the answer is no, after the same work.
pub(super) async fn matches(stored: Option<String>, password: Zeroizing<String>) -> bool {
    let _turn = AT_ONCE.acquire().await;
    tokio::task::spawn_blocking(move || {
        let is_somebodys = stored.is_some();
        let text = stored.unwrap_or_else(|| NOBODYS.clone());
        let is_right = PasswordHash::new(&text)
            .is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok());
        is_somebodys && is_right
    })
    .await
    .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_varied_and_more_than_a_name() {
        let refused =
            |password: &str| check(password, "Ana Integrator", Some("ana@acme.example")).is_err();
        for weak in [
            "short",
            "aaaaaaaaaaaaaaaaaaaa",
            "ana integrator!!",
            "seatwiseseatwise",
            "ana@acme.example",
            "abababababababababab",
        ] {
            assert!(refused(weak), "{weak}");
        }
        assert!(refused(&"long phrase ".repeat(30)));
        for good in [
            "correct horse battery staple",
            "seatwise holds my third secret",
            "пароль из многих букв",
        ] {
            assert!(!refused(good), "{good}");
        }
    }

    #[tokio::test]
    async fn nobodys_hash_matches_nothing_and_holds_the_same_parameters() {
        assert!(
            NOBODYS.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{}",
            *NOBODYS
        );
        let typed = || Zeroizing::new("the password of nobody at all".to_owned());
        assert!(!matches(None, typed()).await);
        assert!(matches(Some(NOBODYS.clone()), typed()).await);
        assert!(!matches(Some("not a hash".to_owned()), typed()).await);
    }
}
