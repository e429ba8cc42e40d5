//! Sealing: authenticated encryption of what must not be readable, or movable, in the database.
//!
//! An envelope: each value has a data key of its own, and only that key is wrapped with a master key, whose id stands in front. So
//! a new master key re-wraps 32 bytes per value and touches no secret. Both layers are XChaCha20-Poly1305 with a random 24-byte nonce
//! (draft-irtf-cfrg-xchacha-03: safe to draw at random), and both have table, row and column as associated data, so that a sealed
//! value copied to another place does not open there. An older value of the same place opens: a rollback of the whole database is
//! not noticed here, but by the audit trail.

use std::sync::{Arc, PoisonError, RwLock};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::chance::Chance;
use super::digest::{hex, sha256_hex};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const ID_BYTES: usize = 8;
/// First byte of a sealed value: how it was made. 1 was a value directly under the master key.
const FORMAT: u8 = 2;
/// The wrapped data key: nonce, key, tag.
const WRAPPED_BYTES: usize = NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/// A master key as it is kept outside the database.
pub type MasterKey = Zeroizing<[u8; KEY_BYTES]>;

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
    fn associated_data(&self, layer: &str) -> Vec<u8> {
        serde_json::json!(["seatwise", layer, self.table, self.row, self.column])
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

/// One master key in memory.
struct Key {
    cipher: XChaCha20Poly1305,
    id: [u8; ID_BYTES],
}

impl Key {
    fn new(key: &MasterKey) -> Self {
        let digest = sha256_hex([b"seatwise key id ".as_slice(), key.as_slice()].concat());
        let mut id = [0; ID_BYTES];
        for (slot, pair) in id.iter_mut().zip(digest.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(pair).unwrap_or_default();
            *slot = u8::from_str_radix(digits, 16).unwrap_or_default();
        }
        Self {
            cipher: XChaCha20Poly1305::new((&**key).into()),
            id,
        }
    }
}

/// The id of a master key, which names it without telling it.
#[must_use]
pub fn key_id(key: &MasterKey) -> String {
    hex(&Key::new(key).id)
}

/// The id of the master key that a sealed value needs; none for what is no sealed value.
#[must_use]
pub fn key_of(sealed: &[u8]) -> Option<String> {
    Parts::of(sealed).ok().map(|parts| hex(parts.id))
}

/// A sealed value taken apart.
struct Parts<'a> {
    id: &'a [u8],
    wrapped: &'a [u8],
    nonce: [u8; NONCE_BYTES],
    body: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Result<Self, SealError> {
        let (&format, rest) = sealed.split_first().ok_or(SealError)?;
        let (id, rest) = rest.split_at_checked(ID_BYTES).ok_or(SealError)?;
        let (wrapped, rest) = rest.split_at_checked(WRAPPED_BYTES).ok_or(SealError)?;
        let (nonce, body) = rest.split_at_checked(NONCE_BYTES).ok_or(SealError)?;
        if format != FORMAT {
            return Err(SealError);
        }
        let nonce = nonce.try_into().map_err(|_| SealError)?;
        Ok(Self {
            id,
            wrapped,
            nonce,
            body,
        })
    }
}

/// Holds the master keys in memory: the current one seals, the retired ones only open. Cheap to share behind an `Arc`.
pub struct Sealer {
    /// Never empty; the first is the current one.
    keys: RwLock<Arc<Vec<Key>>>,
}

impl Sealer {
    /// From 32 secret bytes.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        Self::with_retired(key, &[])
    }

    /// From the current key and those that still open what they sealed.
    #[must_use]
    pub fn with_retired(current: &MasterKey, retired: &[MasterKey]) -> Self {
        Self {
            keys: RwLock::new(Arc::new(ring(current, retired))),
        }
    }

    /// Takes other keys from now on.
    pub fn replace(&self, current: &MasterKey, retired: &[MasterKey]) {
        let new = Arc::new(ring(current, retired));
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    fn keys(&self) -> Arc<Vec<Key>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Names the current key without telling it.
    #[must_use]
    pub fn key_id(&self) -> String {
        hex(&self.keys()[0].id)
    }

    /// The ids of all keys, the current one first.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.keys().iter().map(|key| hex(&key.id)).collect()
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
        let mut data_key = Zeroizing::new([0u8; KEY_BYTES]);
        chance.fill(&mut *data_key);
        let mut sealed = self.wrap(place, &data_key, chance)?;
        let cipher = XChaCha20Poly1305::new((&*data_key).into());
        let nonce = draw(chance);
        let payload = Payload {
            msg: plain,
            aad: &place.associated_data("value"),
        };
        let body = cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError)?;
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what was sealed for `place`.
    ///
    /// # Errors
    /// [`SealError`] for a changed, moved or foreign value.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let parts = Parts::of(sealed)?;
        let data_key = self.unwrap(place, &parts)?;
        let payload = Payload {
            msg: parts.body,
            aad: &place.associated_data("value"),
        };
        XChaCha20Poly1305::new((&*data_key).into())
            .decrypt(&XNonce::from(parts.nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| SealError)
    }

    /// The same value with its data key under the current master key; none where it is so already. The secret itself is not opened.
    ///
    /// # Errors
    /// [`SealError`] for a changed, moved or foreign value.
    pub fn rewrap(
        &self,
        place: Place<'_>,
        sealed: &[u8],
        chance: &dyn Chance,
    ) -> Result<Option<Vec<u8>>, SealError> {
        let parts = Parts::of(sealed)?;
        if parts.id == self.keys()[0].id {
            return Ok(None);
        }
        let data_key = self.unwrap(place, &parts)?;
        let mut again = self.wrap(place, &data_key, chance)?;
        again.extend_from_slice(&parts.nonce);
        again.extend_from_slice(parts.body);
        Ok(Some(again))
    }

    /// Format, key id and the wrapped data key.
    fn wrap(
        &self,
        place: Place<'_>,
        data_key: &[u8; KEY_BYTES],
        chance: &dyn Chance,
    ) -> Result<Vec<u8>, SealError> {
        let keys = self.keys();
        let nonce = draw(chance);
        let payload = Payload {
            msg: data_key,
            aad: &place.associated_data("key"),
        };
        let wrapped = keys[0]
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError)?;
        let mut head = vec![FORMAT];
        head.extend_from_slice(&keys[0].id);
        head.extend_from_slice(&nonce);
        head.extend_from_slice(&wrapped);
        Ok(head)
    }

    fn unwrap(&self, place: Place<'_>, parts: &Parts<'_>) -> Result<MasterKey, SealError> {
        let keys = self.keys();
        let key = keys.iter().find(|key| key.id == parts.id);
        let (nonce, wrapped) = parts.wrapped.split_at(NONCE_BYTES);
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError)?;
        let payload = Payload {
            msg: wrapped,
            aad: &place.associated_data("key"),
        };
        let plain = key
            .ok_or(SealError)?
            .cipher
            .decrypt(&XNonce::from(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| SealError)?;
        let mut data_key = Zeroizing::new([0u8; KEY_BYTES]);
        if plain.len() != KEY_BYTES {
            return Err(SealError);
        }
        data_key.copy_from_slice(&plain);
        Ok(data_key)
    }
}

fn ring(current: &MasterKey, retired: &[MasterKey]) -> Vec<Key> {
    std::iter::once(current)
        .chain(retired)
        .map(Key::new)
        .collect()
}

fn draw(chance: &dyn Chance) -> [u8; NONCE_BYTES] {
    let mut nonce = [0u8; NONCE_BYTES];
    chance.fill(&mut nonce);
    nonce
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

    fn key(byte: u8) -> MasterKey {
        Zeroizing::new([byte; KEY_BYTES])
    }

    #[test]
    fn a_sealed_value_opens_only_where_it_belongs() {
        let sealer = Sealer::new(&key(7));
        let sealed = sealer
            .seal(PLACE, b"secret", &SeededChance::new(1))
            .unwrap();
        assert_eq!(sealer.open(PLACE, &sealed).unwrap().as_slice(), b"secret");
        for moved in [
            Place {
                row: "alias_2",
                ..PLACE
            },
            Place {
                column: "refresh_token_sealed",
                ..PLACE
            },
            Place {
                table: "connections",
                ..PLACE
            },
        ] {
            assert_eq!(sealer.open(moved, &sealed), Err(SealError), "{moved:?}");
            let other = Sealer::with_retired(&key(8), &[key(7)]);
            let again = other.rewrap(moved, &sealed, &SeededChance::new(2));
            assert_eq!(again, Err(SealError), "{moved:?}");
        }
        let other = Sealer::new(&key(8));
        assert_eq!(other.open(PLACE, &sealed), Err(SealError));
        assert_ne!(other.key_id(), sealer.key_id());
        assert_eq!(key_of(&sealed), Some(sealer.key_id()));
        assert_eq!(key_of(b"not sealed"), None);
    }

    #[test]
    fn one_changed_byte_is_noticed() {
        let sealer = Sealer::new(&key(7));
        let sealed = sealer
            .seal(PLACE, b"secret", &SeededChance::new(1))
            .unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealer.open(PLACE, &changed), Err(SealError), "byte {at}");
            assert_eq!(
                sealer.open(PLACE, &sealed[..at]),
                Err(SealError),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn a_new_key_takes_over_without_touching_the_secret_and_the_old_one_is_needed_no_more() {
        let chance = SeededChance::new(1);
        let sealer = Sealer::new(&key(7));
        let sealed = sealer.seal(PLACE, b"secret", &chance).unwrap();
        sealer.replace(&key(8), &[key(7)]);
        assert_eq!(sealer.key_ids().len(), 2);
        assert_eq!(sealer.open(PLACE, &sealed).unwrap().as_slice(), b"secret");
        let again = sealer.rewrap(PLACE, &sealed, &chance).unwrap().unwrap();
        assert_eq!(key_of(&again), Some(key_id(&key(8))));
        assert_eq!(sealer.rewrap(PLACE, &again, &chance), Ok(None));
        // The body is the same bytes: only the data key was wrapped anew.
        let body = 1 + ID_BYTES + WRAPPED_BYTES;
        assert_eq!(sealed[body..], again[body..]);
        sealer.replace(&key(8), &[]);
        assert_eq!(sealer.open(PLACE, &again).unwrap().as_slice(), b"secret");
        assert_eq!(sealer.open(PLACE, &sealed), Err(SealError));
    }
}
