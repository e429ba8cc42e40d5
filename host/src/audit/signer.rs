//! The key that signs the heads of the chain; it lives outside the database.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _};

use crate::kernel::digest::sha256_hex;

/// Signs and checks heads (Ed25519, RFC 8032).
pub struct Signer {
    key: SigningKey,
    key_id: String,
}

impl Signer {
    /// From 32 secret bytes.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&secret);
        let key_id = sha256_hex(key.verifying_key().as_bytes())[..16].to_owned();
        Self { key, key_id }
    }

    /// Names the public key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Base64 signature of a head.
    #[must_use]
    pub fn sign(&self, seq: i64, digest: &str) -> String {
        STANDARD.encode(self.key.sign(message(seq, digest).as_bytes()).to_bytes())
    }

    /// Whether a signature is ours.
    #[must_use]
    pub fn verifies(&self, seq: i64, digest: &str, signature: &str) -> bool {
        STANDARD
            .decode(signature)
            .ok()
            .and_then(|bytes| Signature::from_slice(&bytes).ok())
            .is_some_and(|signature| {
                self.key
                    .verifying_key()
                    .verify(message(seq, digest).as_bytes(), &signature)
                    .is_ok()
            })
    }
}

fn message(seq: i64, digest: &str) -> String {
    format!("seatwise audit head {seq} {digest}")
}
