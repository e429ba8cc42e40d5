//! Secure connections: only to who the system's roots or the profile's own root vouch for, at TLS 1.2 or newer.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use seatwise_runtime::contract::types::FailureKind;
use seatwise_runtime::{Acted, AllowTargets, EgressError, GuardedClient, HttpPort};

use crate::egress::{get, way};
use crate::vendor::{Vendor, ok};

/// An authority, as PEM, and a server that it vouches for under the given name.
async fn server(name: &str) -> (Vec<u8>, Vendor) {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&key, &authority)
        .unwrap();
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
    let vendor = Vendor::start_tls(
        |_, _| ok("{}"),
        tokio_rustls::TlsAcceptor::from(Arc::new(config)),
    )
    .await;
    (authority.pem().into_bytes(), vendor)
}

fn named(vendor: &Vendor) -> AllowTargets {
    [("127.0.0.1".to_owned(), vendor.port)]
        .into_iter()
        .collect()
}

#[tokio::test]
async fn an_unknown_authority_is_refused_and_the_profiles_own_root_is_trusted() {
    let (root, vendor) = server("127.0.0.1").await;
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
    let (root, vendor) = server("other.example.com").await;
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
