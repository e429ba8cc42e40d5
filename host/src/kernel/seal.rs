//! Sealing: authenticated encryption of what must not be readable, or movable, in the database.
//!
//! XChaCha20-Poly1305 with a random 24-byte nonce (draft-irtf-cfrg-xchacha-03: safe to draw at random). The associated
//! data names table, row and column, so that a sealed value copied to another place does not open there.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::chance::Chance;
use super::digest::sha256_hex;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// First byte of a sealed value: how it was made.
const FORMAT: u8 = 1;

/// Where a sealed value lives. Two different places never share their text.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Table.
    pub table: &'a str,
    /// Primary key of the row, in one text.
    pub row: &'a str,
    /// Column.
    pub column: &'a str,
}

impl Place<'_> {
    fn associated_data(&self) -> Vec<u8> {
        serde_json::json!(["seatwise", self.table, self.row, self.column])
            .to_string()
            .into_bytes()
    }
}

/// Why a sealed value did not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a sealed value does not open with this key at this place; it was changed, moved, or sealed with another key"
)]
pub struct SealError;

/// Holds one key in memory. Cheap to share behind an `Arc`.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    key_id: String,
}

impl Sealer {
    /// From 32 secret bytes.
    #[must_use]
    pub fn new(key: &Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let key_id =
            sha256_hex([b"seatwise key id ".as_slice(), key.as_slice()].concat())[..16].to_owned();
        Self {
            cipher: XChaCha20Poly1305::new((&**key).into()),
            key_id,
        }
    }

    /// Names the key without telling it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Seals `plain` for `place`.
    ///
    /// # Errors
    /// [`SealError`] only when `plain` is larger than the cipher can take (256 GiB).
    pub fn seal(
        &self,
        place: Place<'_>,
        plain: &[u8],
        chance: &dyn Chance,
    ) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0u8; NONCE_BYTES];
        chance.fill(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: &place.associated_data(),
        };
        let body = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + body.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// [`SealError`] for a changed, moved or foreign value.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (&format, rest) = sealed.split_first().ok_or(SealError)?;
        let (nonce, body) = rest.split_at_checked(NONCE_BYTES).ok_or(SealError)?;
        if format != FORMAT {
            return Err(SealError);
        }
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError)?;
        let payload = Payload {
            msg: body,
            aad: &place.associated_data(),
        };
        self.cipher
            .decrypt(&XNonce::from(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| SealError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::SeededChance;

    const PLACE: Place<'static> = Place {
        table: "credentials",
        row: "alias_1",
        column: "client_secret_sealed",
    };

    #[test]
    fn a_sealed_value_opens_only_where_it_belongs() {
        let sealer = Sealer::new(&Zeroizing::new([7; KEY_BYTES]));
        let sealed = sealer
            .seal(PLACE, b"secret", &SeededChance::new(1))
            .unwrap();
        assert_eq!(sealer.open(PLACE, &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(
            sealer.open(
                Place {
                    row: "alias_2",
                    ..PLACE
                },
                &sealed
            ),
            Err(SealError)
        );
        let other = Sealer::new(&Zeroizing::new([8; KEY_BYTES]));
        assert_eq!(other.open(PLACE, &sealed), Err(SealError));
        assert_ne!(other.key_id(), sealer.key_id());
    }

    #[test]
    fn one_changed_byte_is_noticed() {
        let sealer = Sealer::new(&Zeroizing::new([7; KEY_BYTES]));
        let sealed = sealer
            .seal(PLACE, b"secret", &SeededChance::new(1))
            .unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open(PLACE, &changed), Err(SealError), "byte {at}");
        }
        assert_eq!(sealer.open(PLACE, &[]), Err(SealError));
    }
}
