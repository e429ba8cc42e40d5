//! Proof Key for Code Exchange as Salesforce does it (salesforce.md §1.3): S256 only. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::refused::{self, Refused};
use crate::spec::Pkce;

/// What the authorize page keeps of a request's challenge.
pub(crate) fn challenge(
    rule: Pkce,
    challenge: Option<&str>,
    method: Option<&str>,
) -> Result<Option<String>, Refused> {
    let Some(challenge) = challenge else {
        return match rule {
            Pkce::Required => Err(refused::CHALLENGE_MISSING),
            Pkce::Optional | Pkce::Forbidden => Ok(None),
        };
    };
    if rule == Pkce::Forbidden {
        return Err(refused::CHALLENGE_FORBIDDEN);
    }
    let is_digest = URL_SAFE_NO_PAD
        .decode(challenge)
        .is_ok_and(|digest| digest.len() == 32);
    if !is_digest || !matches!(method, None | Some("S256")) {
        return Err(Refused {
            says: "invalid code challenge".into(),
            ..refused::BAD_VERIFIER
        });
    }
    Ok(Some(challenge.to_owned()))
}

/// Whether the token request may have the code. A verifier nobody asked for is ignored.
pub(crate) fn verify(challenge: Option<&str>, verifier: Option<&str>) -> Result<(), Refused> {
    let Some(challenge) = challenge else {
        return Ok(());
    };
    let verifier = verifier
        .filter(|text| !text.is_empty())
        .ok_or(refused::MISSING_VERIFIER)?;
    // jsforce sends 171 characters, over the RFC's 128, and Salesforce takes them.
    let holds = verifier.len() >= 43
        && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == challenge;
    holds.then_some(()).ok_or(refused::BAD_VERIFIER)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_example_of_the_rfc_holds() {
        let kept = challenge(Pkce::Required, Some(CHALLENGE), Some("S256"));
        assert_eq!(kept.as_ref().unwrap().as_deref(), Some(CHALLENGE));
        assert_eq!(verify(Some(CHALLENGE), Some(VERIFIER)), Ok(()));
    }

    #[test]
    fn the_overlong_verifier_of_jsforce_is_taken() {
        let verifier = "v".repeat(171);
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        assert_eq!(verify(Some(&digest), Some(&verifier)), Ok(()));
        let short = "v".repeat(42);
        let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(short.as_bytes()));
        assert_eq!(
            verify(Some(&digest), Some(&short)),
            Err(refused::BAD_VERIFIER)
        );
    }

    #[test]
    fn a_wrong_verifier_and_a_missing_one_are_refused_differently() {
        let wrong = verify(Some(CHALLENGE), Some(&VERIFIER.replace('d', "e")));
        assert_eq!(wrong.unwrap_err().error, "invalid_request");
        for missing in [None, Some("")] {
            let refused = verify(Some(CHALLENGE), missing).unwrap_err();
            assert_eq!(refused.error, "invalid_grant");
        }
        assert_eq!(verify(None, Some(VERIFIER)), Ok(()));
    }

    #[test]
    fn apps_demand_allow_or_forbid_a_challenge() {
        let asked = |rule, given| challenge(rule, given, Some("S256")).map_err(|no| no.says);
        assert_eq!(
            asked(Pkce::Required, None).unwrap_err(),
            "missing required code challenge"
        );
        assert!(asked(Pkce::Forbidden, Some(CHALLENGE)).is_err());
        assert_eq!(asked(Pkce::Optional, None), Ok(None));
        assert!(challenge(Pkce::Optional, Some(CHALLENGE), Some("plain")).is_err());
        assert!(challenge(Pkce::Optional, Some("short"), Some("S256")).is_err());
    }
}
