//! The ID token (OpenID Connect Core 1.0 §2), a JSON Web Signature in its compact form (RFC 7515 §7.1): whose signature, for whom,
//! when. Pure; `ring` verifies, as it signs in `credentials/jwt.rs`.
//!
//! Only signatures by a key pair are taken: a token sealed with the shared secret would be as good as whoever reads that secret, and
//! one without a signature as good as anybody.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature as keys;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::faults::SignOnFault;

/// How far the clocks of both servers may be apart, seconds.
const LEEWAY_S: i64 = 60;
/// Most keys of a provider that are looked at.
const MOST_KEYS: usize = 100;

/// The provider's keys. One of a kind that we do not know is passed over.
#[derive(Deserialize)]
pub(super) struct Keys {
    keys: Vec<Value>,
}

/// What a token must say.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a str,
    pub(super) now_s: i64,
}

/// A token's header (RFC 7515 §4.1).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// What must be understood (§4.1.11); we understand no extension.
    crit: Option<Value>,
}

/// A key of a provider (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    used_for: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// How `ring` verifies an algorithm, and which keys it takes: their kind and, but for RSA, their curve.
enum How {
    Rsa(&'static keys::RsaParameters),
    Curve(
        &'static str,
        &'static str,
        &'static dyn keys::VerificationAlgorithm,
    ),
}

/// The algorithms that are taken (RFC 7518 §3.1, RFC 8037 §3.1): each by a key pair.
fn how(algorithm: &str) -> Option<How> {
    Some(match algorithm {
        "RS256" => How::Rsa(&keys::RSA_PKCS1_2048_8192_SHA256),
        "RS384" => How::Rsa(&keys::RSA_PKCS1_2048_8192_SHA384),
        "RS512" => How::Rsa(&keys::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => How::Rsa(&keys::RSA_PSS_2048_8192_SHA256),
        "PS384" => How::Rsa(&keys::RSA_PSS_2048_8192_SHA384),
        "PS512" => How::Rsa(&keys::RSA_PSS_2048_8192_SHA512),
        "ES256" => How::Curve("EC", "P-256", &keys::ECDSA_P256_SHA256_FIXED),
        "ES384" => How::Curve("EC", "P-384", &keys::ECDSA_P384_SHA384_FIXED),
        "EdDSA" => How::Curve("OKP", "Ed25519", &keys::ED25519),
        _ => return None,
    })
}

fn wrong(what: &str) -> SignOnFault {
    SignOnFault::Token(what.to_owned())
}

fn bytes(part: &str) -> Result<Vec<u8>, SignOnFault> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| wrong("it is no signed token"))
}

impl Key {
    /// Whether this key, and no shared secret, made the signature.
    fn made(&self, how: &How, message: &[u8], signed: &[u8]) -> Option<()> {
        let part = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        match how {
            How::Rsa(parameters) => {
                let (n, e) = (part(&self.n)?, part(&self.e)?);
                keys::RsaPublicKeyComponents { n, e }
                    .verify(parameters, message, signed)
                    .ok()
            }
            How::Curve(kind, _, algorithm) => {
                let mut public = part(&self.x)?;
                if *kind == "EC" {
                    // SEC 1 §2.3.3: an uncompressed point.
                    public.insert(0, 4);
                    public.extend(part(&self.y)?);
                }
                keys::UnparsedPublicKey::new(*algorithm, public)
                    .verify(message, signed)
                    .ok()
            }
        }
    }

    fn fits(&self, how: &How, header: &Header) -> bool {
        let kind = match how {
            How::Rsa(_) => self.kty == "RSA",
            How::Curve(kind, curve, _) => self.kty == *kind && self.crv.as_deref() == Some(*curve),
        };
        kind && self.used_for.as_deref().is_none_or(|used| used == "sig")
            && self.alg.as_ref().is_none_or(|alg| *alg == header.alg)
            && (header.kid.is_none() || self.kid == header.kid)
    }
}

/// The claims of a token that holds (OpenID Connect Core 1.0 §3.1.3.7).
///
/// # Errors
/// [`SignOnFault::Token`] with what does not hold; [`SignOnFault::Provider`] for claims of another form.
pub(super) fn verified<T: DeserializeOwned>(
    token: &str,
    keys: &Keys,
    expected: &Expected<'_>,
) -> Result<T, SignOnFault> {
    let claims = signed(token, keys)?;
    let time = |name: &str| claims.get(name).and_then(Value::as_f64);
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds of this age are far below 2^52"
    )]
    let (now, leeway) = (expected.now_s as f64, LEEWAY_S as f64);
    if time("exp").is_none_or(|exp| exp + leeway <= now) {
        return Err(wrong("it is over"));
    }
    if ["iat", "nbf"]
        .iter()
        .any(|name| time(name).is_some_and(|at| at - leeway > now))
    {
        return Err(wrong("it is of a later time than this server's"));
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(wrong("it is from another issuer"));
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(wrong("it belongs to another sign-in"));
    }
    let (is_ours, for_others) = match claims.get("aud") {
        Some(Value::String(one)) => (one == expected.client_id, false),
        Some(Value::Array(all)) => (
            all.iter().any(|one| one == expected.client_id),
            all.len() > 1,
        ),
        _ => (false, false),
    };
    let party = text("azp");
    if !is_ours
        || (for_others && party.is_none())
        || party.is_some_and(|azp| azp != expected.client_id)
    {
        return Err(wrong("it was made for another application"));
    }
    serde_json::from_value(claims)
        .map_err(|error| SignOnFault::Provider(format!("its token cannot be read: {error}")))
}

/// The claims, after one key of the provider was found to have signed them.
fn signed(token: &str, keys: &Keys) -> Result<Value, SignOnFault> {
    let unsigned = || wrong("it is no signed token");
    let (message, signature) = token.rsplit_once('.').ok_or_else(unsigned)?;
    let (header, claims) = message.split_once('.').ok_or_else(unsigned)?;
    let header: Header = serde_json::from_slice(&bytes(header)?).map_err(|_| unsigned())?;
    let how = how(&header.alg)
        .filter(|_| header.crit.is_none())
        .ok_or_else(|| wrong("it is signed in a way that is not taken"))?;
    let all = keys.keys.iter().take(MOST_KEYS);
    let fitting: Vec<Key> = all
        .filter_map(|key| serde_json::from_value(key.clone()).ok())
        .filter(|key: &Key| key.fits(&how, &header))
        .collect();
    let [key] = fitting.as_slice() else {
        return Err(wrong(
            "no one key of the provider is the one it is signed with",
        ));
    };
    key.made(&how, message.as_bytes(), &bytes(signature)?)
        .ok_or_else(|| wrong("its signature is not right"))?;
    serde_json::from_slice(&bytes(claims)?).map_err(|_| unsigned())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    };
    use serde_json::json;

    use super::*;

    const NOW_S: i64 = 1_774_915_200;

    /// A provider that signs with a P-256 key, and what it published.
    struct Signing {
        pair: EcdsaKeyPair,
        keys: Keys,
    }

    impl Signing {
        fn new() -> Self {
            let random = SystemRandom::new();
            let way = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let bytes = EcdsaKeyPair::generate_pkcs8(way, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(way, bytes.as_ref(), &random).unwrap();
            let public = pair.public_key().as_ref();
            let (x, y) = (B64.encode(&public[1..33]), B64.encode(&public[33..]));
            let keys = Keys {
                keys: vec![
                    json!({"kty": "AKP", "kid": "later", "alg": "ML-DSA-44", "pub": "AA"}),
                    json!({"kty": "EC", "crv": "P-256", "kid": "k1", "use": "sig", "x": x, "y": y}),
                ],
            };
            Self { pair, keys }
        }

        fn token(&self, header: &Value, claims: &Value) -> String {
            let part = |value: &Value| B64.encode(value.to_string());
            let message = format!("{}.{}", part(header), part(claims));
            let signed = self
                .pair
                .sign(&SystemRandom::new(), message.as_bytes())
                .unwrap();
            format!("{message}.{}", B64.encode(signed))
        }

        fn read(&self, token: &str) -> Result<Value, SignOnFault> {
            let expected = Expected {
                issuer: "https://id.acme.example",
                client_id: "seatwise",
                nonce: "n1",
                now_s: NOW_S,
            };
            verified(token, &self.keys, &expected)
        }
    }

    fn header() -> Value {
        json!({"alg": "ES256", "kid": "k1"})
    }

    fn claims() -> Value {
        json!({
            "iss": "https://id.acme.example", "aud": "seatwise", "sub": "u1", "nonce": "n1",
            "exp": NOW_S + 300, "iat": NOW_S,
        })
    }

    #[test]
    fn a_token_that_holds_is_read_and_each_that_does_not_says_why() {
        let provider = Signing::new();
        let read = provider
            .read(&provider.token(&header(), &claims()))
            .unwrap();
        assert_eq!(read["sub"], "u1");
        for (name, value, said) in [
            ("iss", json!("https://evil.example"), "another issuer"),
            ("aud", json!("somebody else"), "another application"),
            (
                "aud",
                json!(["seatwise", "somebody else"]),
                "another application",
            ),
            ("azp", json!("somebody else"), "another application"),
            ("nonce", json!("n2"), "another sign-in"),
            ("nonce", Value::Null, "another sign-in"),
            ("exp", json!(NOW_S - 61), "is over"),
            ("exp", Value::Null, "is over"),
            ("aud", Value::Null, "another application"),
            ("iss", Value::Null, "another issuer"),
            ("iat", json!(NOW_S + 61), "later time"),
            ("nbf", json!(NOW_S + 61), "later time"),
        ] {
            let mut claims = claims();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            } else {
                claims[name] = value;
            }
            match provider.read(&provider.token(&header(), &claims)) {
                Err(SignOnFault::Token(why)) => assert!(why.contains(said), "{name}: {why}"),
                other => panic!("{name}: {other:?}"),
            }
        }
        let mut shared = claims();
        shared["aud"] = json!(["seatwise", "somebody else"]);
        shared["azp"] = json!("seatwise");
        assert!(provider.read(&provider.token(&header(), &shared)).is_ok());
    }

    #[test]
    fn another_key_no_signature_and_the_shared_secret_are_refused() {
        let (provider, other) = (Signing::new(), Signing::new());
        let good = provider.token(&header(), &claims());
        let (message, signed) = good.rsplit_once('.').unwrap();
        let changed = message.replace(
            &B64.encode(claims().to_string()),
            &B64.encode(claims().to_string().replace("u1", "u2")),
        );
        let bare = |alg: &str| {
            let header = B64.encode(json!({"alg": alg, "kid": "k1"}).to_string());
            format!("{header}.{}.", B64.encode(claims().to_string()))
        };
        for (token, what) in [
            (other.token(&header(), &claims()), "another key"),
            (format!("{changed}.{signed}"), "changed claims"),
            (bare("none"), "no algorithm"),
            (bare("ES256"), "no signature"),
            (bare("HS256"), "the shared secret"),
            (
                provider.token(&json!({"alg": "RS256", "kid": "k1"}), &claims()),
                "another family",
            ),
            (
                provider.token(&json!({"alg": "ES256", "kid": "k2"}), &claims()),
                "an unknown key",
            ),
            (String::new(), "nothing"),
        ] {
            assert!(
                matches!(provider.read(&token), Err(SignOnFault::Token(_))),
                "{what}"
            );
        }
        let nameless = provider.token(&json!({"alg": "ES256"}), &claims());
        assert!(provider.read(&nameless).is_ok(), "one key could be meant");
    }

    #[test]
    fn ed25519_is_taken() {
        let bytes = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(bytes.as_ref()).unwrap();
        let x = B64.encode(pair.public_key().as_ref());
        let keys = Keys {
            keys: vec![json!({"kty": "OKP", "crv": "Ed25519", "kid": "k1", "x": x})],
        };
        let part = |value: &Value| B64.encode(value.to_string());
        let header = json!({"alg": "EdDSA", "kid": "k1"});
        let message = format!("{}.{}", part(&header), part(&claims()));
        let token = format!(
            "{message}.{}",
            B64.encode(pair.sign(message.as_bytes()).as_ref())
        );
        let expected = Expected {
            issuer: "https://id.acme.example",
            client_id: "seatwise",
            nonce: "n1",
            now_s: NOW_S,
        };
        assert!(verified::<Value>(&token, &keys, &expected).is_ok());
    }
}
