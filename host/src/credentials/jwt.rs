//! The assertion of the JWT bearer grant (RFC 7523), signed with RS256 by `ring`.
//!
//! Invariants: only unencrypted RSA keys of 2,048 bits or more; the key leaves this module as a signature only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;

use super::model::OfferFault;
use crate::kernel::digest::sha256_hex;

/// Seconds an assertion is good. Vendors take up to five minutes, and clocks differ.
const GOOD_S: i64 = 180;
/// Shortest key, in bytes of its modulus.
const SHORTEST: usize = 256;
/// Letters of the fingerprint that is shown.
const FINGERPRINT: usize = 16;

fn pair(pem: &str) -> Result<RsaKeyPair, OfferFault> {
    if pem.contains("ENCRYPTED") {
        return Err(OfferFault::Key("it is encrypted"));
    }
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes())
        .map_err(|_| OfferFault::Key("it is no PEM text of a private key"))?;
    let pair = match &der {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        _ => return Err(OfferFault::Key("it is no RSA key")),
    }
    .map_err(|_| OfferFault::Key("it is no RSA key of 2,048 bits or more"))?;
    if pair.public().modulus_len() < SHORTEST {
        return Err(OfferFault::Key("it has less than 2,048 bits"));
    }
    Ok(pair)
}

/// Names a key without telling it: the beginning of its public half's SHA-256.
///
/// # Errors
/// [`OfferFault::Key`] for a text that is no usable key.
pub(super) fn fingerprint(pem: &str) -> Result<String, OfferFault> {
    let mut text = sha256_hex(pair(pem)?.public_key().as_ref());
    text.truncate(FINGERPRINT);
    Ok(text)
}

/// An assertion that `client_id` asks for a token of `username`, made at `now_ms`.
///
/// # Errors
/// [`OfferFault::Key`] for a text that is no usable key.
pub(super) fn assertion(
    pem: &str,
    client_id: &str,
    username: &str,
    audience: &str,
    now_ms: i64,
) -> Result<String, OfferFault> {
    let pair = pair(pem)?;
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let expires_s = now_ms.div_euclid(1_000) + GOOD_S;
    let claims = json!({"iss": client_id, "sub": username, "aud": audience, "exp": expires_s});
    let signed = format!(
        "{}.{}",
        part(&json!({"alg": "RS256", "typ": "JWT"})),
        part(&claims)
    );
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .map_err(|_| OfferFault::Key("it does not sign"))?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_rsa_key_is_refused_with_its_reason() {
        for (pem, why) in [
            ("", "no PEM"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                "no PEM",
            ),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
                "encrypted",
            ),
            (
                "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
                "no RSA",
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "2,048",
            ),
        ] {
            let refused = fingerprint(pem).unwrap_err().to_string();
            assert!(refused.contains(why), "{pem}: {refused}");
        }
    }
}
