//! Salesforce ids: 15 characters where case matters, or 18 with a suffix that makes them safe where it does not. Compared
//! only after widening to 18.

use std::borrow::Cow;

use seatwise_connector_sdk::{Failure, failure};

/// The 18-character form; `None` for what is no id. An 18-character id keeps its suffix as the vendor gave it.
///
/// For each group of five, bit *k* is set where character *k* is an upper-case letter; the number indexes the alphabet.
pub fn widen(id: &str) -> Option<Cow<'_, str>> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        18 => Some(Cow::Borrowed(id)),
        15 => {
            let mut wide = id.to_owned();
            for group in id.as_bytes().chunks(5) {
                let bits = group
                    .iter()
                    .enumerate()
                    .filter(|(_, byte)| byte.is_ascii_uppercase())
                    .fold(0, |bits, (place, _)| bits | 1 << place);
                wide.push(char::from(ALPHABET[bits]));
            }
            Some(Cow::Owned(wide))
        }
        _ => None,
    }
}

/// Widens an id that the host gave.
///
/// # Errors
/// `invalid-input`, code `not_an_id`.
pub fn given(id: &str) -> Result<String, Failure> {
    widen(id)
        .map(Cow::into_owned)
        .ok_or_else(|| failure::invalid_input("not_an_id", "A Salesforce id has 15 or 18 letters and digits"))
}
