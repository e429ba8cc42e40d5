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
    widen(id).map(Cow::into_owned).ok_or_else(|| {
        failure::invalid_input(
            "not_an_id",
            "A Salesforce id has 15 or 18 letters and digits",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_says_which_characters_are_upper_case() {
        // The vendor's own example.
        assert_eq!(widen("001A0000006Vm9r").unwrap(), "001A0000006Vm9rIAC");
        assert_eq!(widen("001000000000000").unwrap(), "001000000000000AAA");
        assert_eq!(widen("00D000000000001").unwrap(), "00D000000000001EAA");
        assert_eq!(widen("aBcDe00000ABCDE").unwrap(), "aBcDe00000ABCDEKA5");
    }

    #[test]
    fn both_forms_of_one_id_are_one_identity() {
        let short = "0055e000001AbCd";
        let wide = widen(short).unwrap().into_owned();
        assert_eq!(widen(&wide).unwrap(), wide);
        assert!(wide.starts_with(short));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "005",
            "005000000000001AA",
            "00500000000000'AAA",
            "005000000000001AAA0",
            "00500000000000\u{e9}",
        ] {
            assert_eq!(widen(text), None, "{text}");
        }
        assert_eq!(given("' OR Name != '").unwrap_err().code, "not_an_id");
    }
}
