//! How a webhook's request is signed. Pure.
//!
//! The form is that of Standard Webhooks (standardwebhooks.com, specification 1.0), so receivers need no code of ours: the headers
//! `webhook-id`, `webhook-timestamp` (seconds) and `webhook-signature` (`v1,` and the base64 of HMAC-SHA256 over
//! `id.timestamp.body`); the secret is `whsec_` and the base64 of the key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use zeroize::Zeroizing;

/// Bytes of a key: as many as the digest has.
pub const KEY_BYTES: usize = 32;
/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// A key as a person copies it.
#[must_use]
pub fn secret_of(key: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(format!("{PREFIX}{}", STANDARD.encode(key)))
}

/// The value of `webhook-signature`.
#[must_use]
pub fn sign(key: &[u8], id: &str, timestamp_s: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let signed = format!("{id}.{timestamp_s}.{body}");
    format!(
        "v1,{}",
        STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = sign(
            &key,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_part_is_signed() {
        let of = |key: &[u8], id, at, body| sign(key, id, at, body);
        let first = of(&[1; 32], "msg_1", 1, "{}");
        for other in [
            of(&[2; 32], "msg_1", 1, "{}"),
            of(&[1; 32], "msg_2", 1, "{}"),
            of(&[1; 32], "msg_1", 2, "{}"),
            of(&[1; 32], "msg_1", 1, "{ }"),
        ] {
            assert_ne!(first, other);
        }
        assert!(secret_of(&[0; 32]).starts_with("whsec_AAAA"));
    }
}
