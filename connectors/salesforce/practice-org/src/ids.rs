//! Salesforce record ids: a three-character key prefix, the pod, a number in base 62, and a three-character suffix that carries
//! the case of the fifteen characters before it.
//!
//! Ids of one object sort by their number, in plain byte order, which is what key-set paging (`Id > '…' ORDER BY Id`) relies on.
//! This module knows no records and no state.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SUFFIX: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// The three characters after the key prefix: which Salesforce instance an org lives on. Taken from the org's own id, so that
/// two practice orgs hand out different user ids.
pub(crate) type Pod = [u8; 3];

/// A full, 18-character id. Ordered as Salesforce orders ids of one object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id([u8; 18]);

impl Id {
    /// The id of record number `seq` with this key prefix on this pod.
    pub(crate) fn of(prefix: &[u8; 3], pod: Pod, seq: u64) -> Self {
        let mut id = *b"000000000000000AAA";
        id[..3].copy_from_slice(prefix);
        id[3..6].copy_from_slice(&pod);
        let mut rest = seq;
        for slot in id[6..15].iter_mut().rev() {
            *slot = DIGITS[(rest % 62) as usize];
            rest /= 62;
        }
        let suffix = suffix_of(&id[..15]);
        id[15..].copy_from_slice(&suffix);
        Self(id)
    }

    /// Reads 15 or 18 characters. `None` when a character, the length or the suffix is wrong.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        let mut id = [0u8; 18];
        match bytes.len() {
            15 => {
                id[..15].copy_from_slice(bytes);
                id[15..].copy_from_slice(&suffix_of(bytes));
            }
            18 => {
                if suffix_of(&bytes[..15]) != bytes[15..] {
                    return None;
                }
                id.copy_from_slice(bytes);
            }
            _ => return None,
        }
        Some(Self(id))
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id is made of ASCII letters and digits only")
    }

    /// The record number, when the id is of this pod.
    pub(crate) fn seq(&self, pod: Pod) -> Option<u64> {
        if self.0[3..6] != pod {
            return None;
        }
        Some(self.number())
    }

    /// The number in the last nine of the fifteen characters, whatever the pod.
    fn number(&self) -> u64 {
        self.0[6..15].iter().fold(0u64, |sum, byte| {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'A'..=b'Z' => byte - b'A' + 10,
                _ => byte - b'a' + 36,
            };
            sum * 62 + u64::from(digit)
        })
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// For each of three groups of five, bit *k* is set when character *k* is a capital; the number picks the suffix letter.
fn suffix_of(first15: &[u8]) -> [u8; 3] {
    let mut suffix = [b'A'; 3];
    for (slot, group) in suffix.iter_mut().zip(first15.chunks(5)) {
        let bits = group.iter().enumerate().fold(0usize, |bits, (k, byte)| {
            bits | (usize::from(byte.is_ascii_uppercase()) << k)
        });
        *slot = SUFFIX[bits];
    }
    suffix
}

/// The 18-character form of a 15- or 18-character id, or `None` when it is not an id.
///
/// ```
/// use seatwise_practice_org_salesforce::widen_id;
/// assert_eq!(widen_id("0055g00000AbCdE").as_deref(), Some("0055g00000AbCdEAAV"));
/// assert_eq!(widen_id("0055g00000AbCdEAAA"), None);
/// ```
#[must_use]
pub fn widen_id(id: &str) -> Option<String> {
    Id::parse(id).map(|id| id.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffix_matches_ids_recorded_from_real_orgs() {
        for recorded in [
            "001D000000IqhSLIAZ",
            "00D300000000bscEAA",
            "005A0000000GV0uIAG",
        ] {
            let id = Id::parse(recorded).map(|id| id.as_str().to_owned());
            assert_eq!(widen_id(&recorded[..15]), id.clone());
            assert_eq!(id.as_deref(), Some(recorded));
        }
    }

    #[test]
    fn ids_sort_by_their_number_and_give_it_back() {
        let mut last = None;
        for seq in [
            0,
            1,
            9,
            10,
            35,
            36,
            61,
            62,
            3843,
            3844,
            1_000_000,
            62u64.pow(9) - 1,
        ] {
            let id = Id::of(b"005", *b"5g0", seq);
            assert_eq!(id.seq(*b"5g0"), Some(seq));
            assert_eq!(Id::parse(&id.as_str()[..15]), Some(id));
            assert!(last < Some(id));
            last = Some(id);
        }
    }

    #[test]
    fn an_id_with_a_wrong_suffix_or_length_is_no_id() {
        assert_eq!(Id::parse("001D000000IqhSLIAA"), None);
        assert_eq!(Id::parse("001D000000IqhS"), None);
        assert_eq!(Id::parse("001D000000Iqh'L"), None);
    }
}
