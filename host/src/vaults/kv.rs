//! Version 2 of the key-value engine over HTTP, as HashiCorp Vault and OpenBao have it: `GET /v1/MOUNT/data/PATH`.
//!
//! Source: the public API documents of either, *KV secrets engine, version 2: read secret version*, and *HTTP status codes*: 400 invalid
//! request, 403 no right, 404 nothing or deleted (then with metadata), 429 on standby or too many, 472/473 standby, 503 sealed.

use std::collections::HashMap;

use http::{Request, StatusCode, header};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::model::Trouble;
use super::{Protocol, Vault, below};

/// See the module.
pub(super) struct KvV2;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Option<Version<'a>>,
}

#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow)]
    data: Option<HashMap<&'a str, &'a RawValue>>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    deletion_time: String,
    #[serde(default)]
    destroyed: bool,
}

impl Protocol for KvV2 {
    fn request(
        &self,
        vault: &Vault,
        token: &str,
        query: &str,
    ) -> Result<Request<Vec<u8>>, Trouble> {
        let path = query.trim_matches('/');
        let is_step = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
        if path.split('/').any(is_step) {
            return Err(Trouble::Query(
                "it is no path of a secret, such as saas/acme",
            ));
        }
        let mount = vault.mount.split('/').filter(|part| !part.is_empty());
        let segments = ["v1"]
            .into_iter()
            .chain(mount)
            .chain(["data"])
            .chain(path.split('/'));
        let url = below(vault, segments)?;
        let mut request = Request::get(url.as_str())
            .header(header::ACCEPT, "application/json")
            .header("X-Vault-Request", "true")
            .header("X-Vault-Token", token);
        if !vault.namespace.is_empty() {
            request = request.header("X-Vault-Namespace", &vault.namespace);
        }
        request.body(Vec::new()).map_err(|_| Trouble::Token)
    }

    fn value(
        &self,
        status: StatusCode,
        body: &[u8],
        property: &str,
    ) -> Result<Zeroizing<String>, Trouble> {
        match status.as_u16() {
            200 | 404 => {}
            400 => return Err(Trouble::Query("the vault does not understand it")),
            401 | 403 => return Err(Trouble::Denied),
            429 => return Err(Trouble::Busy),
            472 | 473 | 500..=599 => return Err(Trouble::Sealed),
            _ => return Err(Trouble::Shape),
        }
        let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| Trouble::Shape)?;
        let version = match (status, answer.data) {
            (_, Some(version)) => version,
            (StatusCode::NOT_FOUND, None) => return Err(Trouble::NotFound),
            (_, None) => return Err(Trouble::Shape),
        };
        let is_gone = version
            .metadata
            .is_some_and(|is| is.destroyed || !is.deletion_time.is_empty());
        let secret = match version.data {
            Some(secret) => secret,
            None if is_gone => return Err(Trouble::Deleted),
            None => return Err(Trouble::NotFound),
        };
        let name = match property {
            "" if secret.len() == 1 => secret.keys().copied().next().unwrap_or_default(),
            "" => return Err(Trouble::WhichProperty),
            chosen => chosen,
        };
        secret
            .get(name)
            .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
            .map(Zeroizing::new)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Trouble::NoProperty(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        Vault {
            address: "https://vault.corp.example:8200/prefix/".parse().unwrap(),
            app_id: String::new(),
            mount: "teams/kv".to_owned(),
            namespace: "saas".to_owned(),
        }
    }

    #[test]
    fn the_path_stays_below_the_mount_and_the_token_in_its_header() {
        let asked = KvV2
            .request(&vault(), "hvs.token", "/crm/acme org/")
            .unwrap();
        assert_eq!(
            asked.uri().to_string(),
            "https://vault.corp.example:8200/prefix/v1/teams/kv/data/crm/acme%20org"
        );
        assert_eq!(asked.headers()["X-Vault-Token"], "hvs.token");
        assert_eq!(asked.headers()["X-Vault-Namespace"], "saas");
        let escaped = KvV2.request(&vault(), "t", "a?version=1#x").unwrap();
        assert!(
            escaped
                .uri()
                .to_string()
                .ends_with("/data/a%3Fversion=1%23x")
        );
        for wrong in ["", "/", "../sys/raw", "a/./b", "a//b", "a/.."] {
            let refused = KvV2.request(&vault(), "t", wrong);
            assert!(matches!(refused, Err(Trouble::Query(_))), "{wrong}");
        }
        let broken = KvV2.request(&vault(), "to\nken", "a");
        assert!(matches!(broken, Err(Trouble::Token)));
    }

    #[test]
    fn the_only_property_is_taken_and_several_want_a_choice() {
        let one = br#"{"request_id":"x","data":{"data":{"secret":"s3cret"},"metadata":{"version":3,"deletion_time":"","destroyed":false}}}"#;
        let value = |body: &[u8], property| KvV2.value(StatusCode::OK, body, property);
        assert_eq!(value(one, "").unwrap().as_str(), "s3cret");
        assert_eq!(
            value(one, "other"),
            Err(Trouble::NoProperty("other".to_owned()))
        );
        let two = br#"{"data":{"data":{"secret":"a\/b","id":7},"metadata":{}}}"#;
        assert_eq!(value(two, ""), Err(Trouble::WhichProperty));
        assert_eq!(value(two, "secret").unwrap().as_str(), "a/b");
        assert_eq!(value(two, "id"), Err(Trouble::NoProperty("id".to_owned())));
    }

    #[test]
    fn each_documented_status_has_its_own_name() {
        let gone = r#"{"data":{"data":null,"metadata":{"deletion_time":"2026-01-01T00:00:00Z","destroyed":false}}}"#;
        for (status, body, trouble) in [
            (404, r#"{"errors":[]}"#, Trouble::NotFound),
            (404, gone, Trouble::Deleted),
            (403, r#"{"errors":["permission denied"]}"#, Trouble::Denied),
            (
                400,
                "{}",
                Trouble::Query("the vault does not understand it"),
            ),
            (429, "{}", Trouble::Busy),
            (473, "{}", Trouble::Sealed),
            (503, r#"{"errors":["Vault is sealed"]}"#, Trouble::Sealed),
            (200, "{}", Trouble::Shape),
            (200, "<html>", Trouble::Shape),
            (307, "", Trouble::Shape),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                KvV2.value(status, body.as_bytes(), ""),
                Err(trouble),
                "{body}"
            );
        }
    }
}
