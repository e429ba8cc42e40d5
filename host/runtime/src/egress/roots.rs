//! Trusted roots as a person uploads them: PEM texts, judged before anything is asked under their word.
//!
//! Invariants: a bundle with a private key in it is refused whole and repeated nowhere; only certificates of authorities
//! are taken; an expired one is refused by name.
//!
//! Read with `yasna` (its keepers' own users, such as rcgen, are here already); whether a certificate can be relied on is rustls's word.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest as _, Sha256};
use yasna::models::ObjectIdentifier;
use yasna::tags::TAG_UTCTIME;
use yasna::{ASN1Result, BERReader, Tag, parse_der};

/// Object identifiers of RFC 5280: basic constraints, and the parts of a name that a person reads.
const BASIC_CONSTRAINTS: [u64; 4] = [2, 5, 29, 19];
const NAME_PARTS: [([u64; 4], &str); 3] = [
    ([2, 5, 4, 3], "CN"),
    ([2, 5, 4, 11], "OU"),
    ([2, 5, 4, 10], "O"),
];

/// Bytes of a bundle; the whole list of the web's authorities has 230 KB.
pub const BUNDLE_BYTES: usize = 512 * 1024;

/// Certificates of a bundle.
pub const BUNDLE_CERTIFICATES: usize = 300;

/// One trusted root of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRoot {
    /// Its name, as the certificate says it; control characters left out.
    pub subject: String,
    /// Milliseconds UTC from which it is valid.
    pub not_before_ms: i64,
    /// Milliseconds UTC after which it is not.
    pub not_after_ms: i64,
    /// SHA-256 of the certificate, hexadecimal.
    pub fingerprint: String,
}

/// Why a bundle is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// Nothing between `BEGIN CERTIFICATE` and `END CERTIFICATE`.
    #[error("the text holds no certificate in PEM form")]
    Empty,
    /// Too many or too long.
    #[error("the bundle is larger than {BUNDLE_CERTIFICATES} certificates or {BUNDLE_BYTES} bytes")]
    TooLarge,
    /// A private key stands in the text.
    #[error("the text holds a private key, which belongs on no other machine than its own")]
    PrivateKey,
    /// One does not parse.
    #[error("certificate {index} cannot be read: {why}")]
    Unreadable {
        /// Its place, from 1.
        index: usize,
        /// What the parser says.
        why: String,
    },
    /// One is not an authority's.
    #[error("certificate {index}, {subject}, is a server's own and not an authority's")]
    NotAnAuthority {
        /// Its place, from 1.
        index: usize,
        /// Its name.
        subject: String,
    },
    /// One has ended.
    #[error("certificate {index}, {subject}, has expired")]
    Expired {
        /// Its place, from 1.
        index: usize,
        /// Its name.
        subject: String,
    },
}

/// Reads a bundle and judges each certificate. `now_ms` is the moment of judging; `None` only reads, for what was
/// judged before.
///
/// # Errors
/// [`RootsError`], with the first certificate that is not taken.
pub fn read_roots(pem: &str, now_ms: Option<i64>) -> Result<Vec<TrustedRoot>, RootsError> {
    if pem.len() > BUNDLE_BYTES {
        return Err(RootsError::TooLarge);
    }
    if pem.contains("PRIVATE KEY-----") {
        return Err(RootsError::PrivateKey);
    }
    let mut roots = Vec::new();
    for (at, der) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
        let index = at + 1;
        if index > BUNDLE_CERTIFICATES {
            return Err(RootsError::TooLarge);
        }
        let unreadable = |why: String| RootsError::Unreadable { index, why };
        let der = der.map_err(|error| unreadable(error.to_string()))?;
        // The library that will rely on it has the first word.
        rustls::RootCertStore::empty()
            .add(der.clone())
            .map_err(|error| unreadable(error.to_string()))?;
        let Read {
            subject,
            not_before_ms,
            not_after_ms,
            is_authority,
        } = parse_der(&der, certificate).map_err(|error| unreadable(error.to_string()))?;
        if !is_authority {
            return Err(RootsError::NotAnAuthority { index, subject });
        }
        if now_ms.is_some_and(|now| not_after_ms <= now) {
            return Err(RootsError::Expired { index, subject });
        }
        roots.push(TrustedRoot {
            subject,
            not_before_ms,
            not_after_ms,
            fingerprint: Sha256::digest(&der)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        });
    }
    if roots.is_empty() {
        return Err(RootsError::Empty);
    }
    Ok(roots)
}

/// What is read of a certificate.
struct Read {
    subject: String,
    not_before_ms: i64,
    not_after_ms: i64,
    is_authority: bool,
}

/// RFC 5280 §4.1: the certificate, its signature passed over (a root vouches for itself).
fn certificate(reader: BERReader<'_, '_>) -> ASN1Result<Read> {
    reader.read_sequence(|fields| {
        let read = fields.next().read_sequence(|fields| {
            let _version =
                fields.read_optional(|r| r.read_tagged(Tag::context(0), |r| r.read_i64()))?;
            let _serial = fields.next().read_der()?;
            let _algorithm = fields.next().read_der()?;
            let _issuer = fields.next().read_der()?;
            let (not_before_ms, not_after_ms) = fields
                .next()
                .read_sequence(|times| Ok((moment(times.next())?, moment(times.next())?)))?;
            let subject = name(fields.next())?;
            let _key = fields.next().read_der()?;
            let mut is_authority = false;
            while let Some(rest) = fields.read_optional(|r| r.read_tagged_der())? {
                if rest.tag() == Tag::context(3) {
                    is_authority = parse_der(rest.value(), authority)?;
                }
            }
            Ok(Read {
                subject,
                not_before_ms,
                not_after_ms,
                is_authority,
            })
        })?;
        let _algorithm = fields.next().read_der()?;
        let _signature = fields.next().read_der()?;
        Ok(read)
    })
}

/// Milliseconds UTC.
fn moment(reader: BERReader<'_, '_>) -> ASN1Result<i64> {
    let seconds = if reader.lookahead_tag()? == TAG_UTCTIME {
        reader.read_utctime()?.datetime().unix_timestamp()
    } else {
        reader.read_generalized_time()?.datetime().unix_timestamp()
    };
    Ok(seconds.saturating_mul(1_000))
}

/// A certificate's name for a person, of bounded length.
fn name(reader: BERReader<'_, '_>) -> ASN1Result<String> {
    let mut parts = Vec::new();
    reader.read_sequence_of(|set| {
        set.read_set_of(|part| {
            part.read_sequence(|pair| {
                let kind = pair.next().read_oid()?;
                let value = pair.next().read_tagged_der()?;
                let known = NAME_PARTS.iter().find(|(id, _)| is(&kind, id));
                if let Some((_, letter)) = known {
                    let text = String::from_utf8_lossy(value.value()).into_owned();
                    parts.push(format!("{letter}={text}"));
                }
                Ok(())
            })
        })
    })?;
    let shown: String = parts
        .join(", ")
        .chars()
        .filter(|letter| !letter.is_control())
        .take(200)
        .collect();
    Ok(if shown.is_empty() {
        "without a name".to_owned()
    } else {
        shown
    })
}

/// Whether the extensions say that it may vouch for others (RFC 5280 §4.2.1.9).
fn authority(reader: BERReader<'_, '_>) -> ASN1Result<bool> {
    let mut is_authority = false;
    reader.read_sequence_of(|extension| {
        extension.read_sequence(|fields| {
            let kind = fields.next().read_oid()?;
            let _critical = fields.read_optional(|r| r.read_bool())?;
            let value = fields.next().read_bytes()?;
            if is(&kind, &BASIC_CONSTRAINTS) {
                is_authority = parse_der(&value, |constraints| {
                    constraints.read_sequence(|fields| {
                        let may = fields.read_optional(|r| r.read_bool())?;
                        let _depth = fields.read_optional(|r| r.read_i64())?;
                        Ok(may.unwrap_or(false))
                    })
                })?;
            }
            Ok(())
        })
    })?;
    Ok(is_authority)
}

fn is(kind: &ObjectIdentifier, known: &[u64]) -> bool {
    kind.components().as_slice() == known
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};

    use super::{RootsError, read_roots};

    const NOW_MS: i64 = 1_774_915_200_000;

    fn certificate(name: &str, is_ca: bool, ends: (i32, u8, u8)) -> (String, KeyPair) {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(ends.0, ends.1, ends.2);
        let key = KeyPair::generate().unwrap();
        (params.self_signed(&key).unwrap().pem(), key)
    }

    #[test]
    fn a_bundle_is_read_with_names_and_ends() {
        let (one, _) = certificate("Corporate Root", true, (2030, 1, 2));
        let (two, _) = certificate("Second Root", true, (2031, 1, 2));
        let roots = read_roots(&format!("# our roots\n{one}{two}"), Some(NOW_MS)).unwrap();
        assert_eq!(roots.len(), 2);
        assert!(roots[0].subject.contains("Corporate Root"), "{roots:?}");
        assert_eq!(roots[0].not_after_ms, 1_893_542_400_000);
        assert_eq!(roots[0].fingerprint.len(), 64);
    }

    #[test]
    fn what_is_no_authority_is_refused_by_name() {
        let (leaf, key) = certificate("Some Server", false, (2030, 1, 1));
        let (old, _) = certificate("Old Root", true, (2024, 1, 1));
        assert!(matches!(
            read_roots(&leaf, Some(NOW_MS)),
            Err(RootsError::NotAnAuthority { index: 1, subject }) if subject.contains("Some Server")
        ));
        assert!(matches!(
            read_roots(&old, Some(NOW_MS)),
            Err(RootsError::Expired { subject, .. }) if subject.contains("Old Root")
        ));
        assert!(read_roots(&old, None).is_ok());
        let with_key = format!("{old}{}", key.serialize_pem());
        assert_eq!(read_roots(&with_key, None), Err(RootsError::PrivateKey));
        assert_eq!(read_roots("hello", None), Err(RootsError::Empty));
        assert!(matches!(
            read_roots(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                None
            ),
            Err(RootsError::Unreadable { index: 1, .. })
        ));
        assert_eq!(
            read_roots(&"x".repeat(super::BUNDLE_BYTES + 1), None),
            Err(RootsError::TooLarge)
        );
    }
}
