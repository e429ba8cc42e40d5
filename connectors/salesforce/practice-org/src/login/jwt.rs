//! The JWT bearer grant (salesforce.md §1.6): an assertion signed with RS256 and checked with the app's certificate.
//!
//! The signature is checked by `rustls-webpki` over `ring`; this module only takes the assertion apart and compares claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::Value;

use super::Parameters;
use super::refused::{self, Refused};
use crate::api::{Request, State};

/// Skew between the clocks of client and org that Salesforce lets pass.
const SKEW_S: i64 = 3 * 60;
/// The furthest `exp` it takes. Clients in use send up to five minutes (salesforce.md §1.6); three are recommended.
const LONGEST_S: i64 = 5 * 60;

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Value,
    exp: Value,
}

impl Claims {
    /// Seconds; some clients send them as text (simple-salesforce#371).
    fn exp(&self) -> Option<i64> {
        match &self.exp {
            Value::String(text) => text.parse().ok(),
            number => number.as_f64().map(|seconds| seconds as i64),
        }
    }

    fn is_for(&self, host: &str) -> bool {
        let is_host = |audience: &Value| {
            audience
                .as_str()
                .is_some_and(|audience| audience.trim_end_matches('/') == host)
        };
        match &self.aud {
            Value::Array(audiences) => audiences.iter().any(is_host),
            audience => is_host(audience),
        }
    }
}

/// What is signed, the signature, and the claims; `None` when it is no RS256 assertion.
fn take_apart(assertion: &str) -> Option<(&str, Vec<u8>, Claims)> {
    let (signed, signature) = assertion.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let read = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Header = serde_json::from_slice(&read(header)?).ok()?;
    let claims = serde_json::from_slice(&read(claims)?).ok()?;
    (header.alg == "RS256").then_some((signed, read(signature)?, claims))
}

fn is_signed_by(certificate: &str, signed: &str, signature: &[u8]) -> bool {
    let Ok(certificate) = CertificateDer::from_pem_slice(certificate.as_bytes()) else {
        return false;
    };
    webpki::EndEntityCert::try_from(&certificate).is_ok_and(|certificate| {
        certificate
            .verify_signature(
                webpki::ring::RSA_PKCS1_2048_8192_SHA256,
                signed.as_bytes(),
                signature,
            )
            .is_ok()
    })
}

impl State {
    pub(super) fn by_assertion(
        &mut self,
        request: &Request<'_>,
        asked: &Parameters,
    ) -> Result<Value, Refused> {
        let assertion = asked.required("assertion")?;
        let (signed, signature, claims) = take_apart(assertion).ok_or(refused::BAD_ASSERTION)?;
        let app = self.app(&claims.iss)?;
        let audience = if self.org.spec.sandbox {
            "https://test.salesforce.com"
        } else {
            "https://login.salesforce.com"
        };
        let is_ours = claims.is_for(audience)
            || (self.org.spec.shared_login_host && claims.is_for(&self.base_url));
        if !is_ours {
            return Err(refused::AUDIENCE);
        }
        let left =
            claims.exp().ok_or(refused::BAD_ASSERTION)? - self.org.clock.now_ms().div_euclid(1000);
        if !(-SKEW_S..=LONGEST_S + SKEW_S).contains(&left) {
            return Err(refused::EXPIRED_CODE);
        }
        let certificate = app.certificate.as_deref().ok_or(refused::BAD_ASSERTION)?;
        if !is_signed_by(certificate, signed, &signature) {
            return Err(refused::BAD_ASSERTION);
        }
        let is_offline =
            |scope: &&String| matches!(scope.as_str(), "refresh_token" | "offline_access");
        if !app.scopes.iter().any(|scope| is_offline(&scope)) {
            return Err(refused::REFRESH_SCOPE);
        }
        // A user nobody knows has approved nothing.
        let user = self
            .org
            .user_named(&claims.sub)
            .ok_or(refused::NOT_APPROVED)?;
        self.may_log_in(user, &app, request.peer)?;
        if !self.has_approved(user, &app) {
            return Err(refused::NOT_APPROVED);
        }
        let scopes = app.scopes.iter().filter(|scope| !is_offline(scope));
        let scopes: Vec<String> = scopes.cloned().collect();
        self.token_answer(&app, user, &scopes, None, None)
    }
}
