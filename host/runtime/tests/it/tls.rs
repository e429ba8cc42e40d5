//! Secure connections: only to who the system's roots or the profile's own root vouch for, at TLS 1.2 or newer.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use seatwise_runtime::contract::types::FailureKind;
use seatwise_runtime::{Acted, AllowTargets, EgressError, GuardedClient, HttpPort};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::egress::{get, way};
use crate::vendor::{Vendor, ok};

/// An authority, as PEM, and a server that it vouches for under the given names.
pub async fn server(names: &[&str]) -> (Vec<u8>, Vendor) {
    let (root, acceptor) = acceptor(names, false);
    (root, Vendor::start_tls(|_, _| ok("{}"), acceptor).await)
}

/// The authority and the server's side of the handshake, with a certificate that may have ended.
pub fn acceptor(names: &[&str], has_expired: bool) -> (Vec<u8>, tokio_rustls::TlsAcceptor) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    if has_expired {
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
    }
    let certificate = params.signed_by(&key, &authority).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(
        vec![certificate.der().clone()],
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
    )
    .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    (authority.pem().into_bytes(), acceptor)
}

fn named(vendor: &Vendor) -> AllowTargets {
    [("127.0.0.1".to_owned(), vendor.port)]
        .into_iter()
        .collect()
}

#[tokio::test]
async fn an_unknown_authority_is_refused_and_the_profiles_own_root_is_trusted() {
    let (root, vendor) = server(&["127.0.0.1"]).await;
    let base = format!("https://127.0.0.1:{}", vendor.port);
    let strange = way(&base, named(&vendor), vec![])
        .egress
        .send(get("/data/1"))
        .await
        .unwrap_err();
    assert_eq!(
        (strange.code.as_str(), strange.kind),
        ("tls", FailureKind::InvalidInput),
        "{strange:?}"
    );
    assert_eq!(vendor.seen().len(), 0);
    let response = way(&base, named(&vendor), vec![root])
        .egress
        .send(get("/data/1"))
        .await
        .unwrap();
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_and_a_write_counts_as_not_sent() {
    let (root, vendor) = server(&["other.example.com"]).await;
    let base = format!("https://127.0.0.1:{}", vendor.port);
    let way = way(&base, named(&vendor), vec![root]);
    assert_eq!(
        way.egress.send(get("/data/1")).await.unwrap_err().code,
        "tls"
    );
    let step = seatwise_runtime::contract::reclaim::Step {
        method: seatwise_runtime::contract::reclaim::WriteMethod::Patch,
        origin: "api".into(),
        path: "/records/1".into(),
        content_type: None,
        body: None,
        says: String::new(),
    };
    assert!(
        matches!(way.egress.act(&step).await, Acted::NotSent(failure) if failure.code == "tls")
    );
    assert_eq!(vendor.seen().len(), 0);
}

#[test]
fn a_root_that_is_no_certificate_is_named() {
    for wrong in [
        b"hello".to_vec(),
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
    ] {
        assert!(matches!(
            GuardedClient::new(AllowTargets::none(), &[wrong]),
            Err(EgressError::Root { index: 0, .. })
        ));
    }
}

/// What a read of this server fails with, under this root.
async fn refused(port: u16, roots: Vec<Vec<u8>>) -> seatwise_runtime::contract::types::Failure {
    let allow = [("127.0.0.1".to_owned(), port)].into_iter().collect();
    way(&format!("https://127.0.0.1:{port}"), allow, roots)
        .egress
        .send(get("/data/1"))
        .await
        .unwrap_err()
}

#[tokio::test]
async fn e10_self_signed_wrong_host_and_expired_certificates_are_refused() {
    let (_, self_signed) = server(&["127.0.0.1"]).await;
    let (elsewhere, wrong_host) = server(&["other.example.com"]).await;
    let (ended, acceptor) = acceptor(&["127.0.0.1"], true);
    let expired = Vendor::start_tls(|_, _| ok("{}"), acceptor).await;
    for (vendor, roots) in [
        (&self_signed, vec![]),
        (&wrong_host, vec![elsewhere]),
        (&expired, vec![ended]),
    ] {
        let failure = refused(vendor.port, roots).await;
        assert_eq!(failure.code, "tls", "{failure:?}");
        assert_eq!(vendor.seen().len(), 0);
    }
}

/// A server of TLS 1.1: it reads the client's hello and answers with version 3.2, as RFC 4346 has it.
#[tokio::test]
async fn e10_tls_1_1_is_refused_and_not_even_offered() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut hello).await.unwrap();
        // ServerHello: version, 32 random bytes, no session, an RSA suite, no compression.
        let mut body = vec![3, 2];
        body.extend([7; 32]);
        body.extend([0, 0xc0, 0x13, 0]);
        let mut answer = vec![22, 3, 2, 0, u8::try_from(body.len() + 4).unwrap(), 2, 0, 0];
        answer.push(u8::try_from(body.len()).unwrap());
        answer.extend(body);
        stream.write_all(&answer).await.unwrap();
        // Whatever the client says to that: not a request.
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        (hello, rest)
    });
    let failure = refused(port, vec![]).await;
    assert_eq!(failure.code, "tls", "{failure:?}");
    let (hello, rest) = serving.await.unwrap();
    // supported_versions (RFC 8446 §4.2.1) offers 1.3 and 1.2 and nothing older.
    assert!(hello.windows(9).any(|w| w == [0, 43, 0, 5, 4, 3, 4, 3, 3]));
    assert!(
        rest.first().is_none_or(|kind| *kind == 21),
        "an alert or nothing follows"
    );
}

#[test]
fn e10_no_option_to_ignore_a_certificate_exists() {
    fn walk(folder: &std::path::Path, read: &mut usize) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, read);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                *read += 1;
                for word in [
                    "accept_invalid",
                    "dangerous()",
                    "danger_accept",
                    "ServerCertVerifier",
                ] {
                    assert!(!text.contains(word), "{} names {word}", path.display());
                }
            }
        }
    }
    let mut read = 0;
    let runtime = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "../src"] {
        walk(&runtime.join(folder), &mut read);
    }
    assert!(read > 100, "only {read} files were read");
}
