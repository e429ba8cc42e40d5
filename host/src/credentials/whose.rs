//! Whose token this is: one question to the vendor, so that the page can name who consented.
//!
//! Not knowing the name costs nothing but the name: which org it is, is asked by the connector.

use std::collections::BTreeMap;

use http::header;
use seatwise_runtime::{GuardedClient, Manifest};
use serde_json::{Map, Value};
use url::Url;

/// Longest name that is kept, characters.
const MOST: usize = 200;

/// The name of the connecting user, where the vendor says it.
pub(super) async fn ask(
    client: &GuardedClient,
    manifest: &Manifest,
    bases: &BTreeMap<String, Url>,
    access_token: &str,
) -> Option<String> {
    let identity = manifest.credential.identity.as_ref()?;
    let origin = manifest.origin(&identity.origin)?;
    let address = bases.get(&identity.origin)?.join(&identity.path).ok()?;
    let request = http::Request::get(address.as_str())
        .header(header::AUTHORIZATION, format!("Bearer {access_token}"))
        .header(header::ACCEPT, "application/json")
        .body(Vec::new())
        .ok()?;
    match client.send(&origin.hosts, request).await {
        Ok(answer) if answer.status().is_success() => named(answer.body(), &identity.name),
        Ok(answer) => {
            tracing::info!(status = %answer.status(), "the vendor does not say whose token it is");
            None
        }
        Err(failure) => {
            tracing::info!(code = %failure.code, "the vendor could not be asked whose token it is");
            None
        }
    }
}

fn named(body: &[u8], field: &str) -> Option<String> {
    let claims: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let name: String = claims
        .get(field)?
        .as_str()?
        .chars()
        .filter(|c| !c.is_control())
        .take(MOST)
        .collect();
    Some(name).filter(|name| !name.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_short_and_without_control_characters() {
        let long = format!("{{\"name\": \"a\\u0007b{}\"}}", "x".repeat(5_000));
        assert_eq!(named(long.as_bytes(), "name").unwrap().len(), MOST);
        assert!(named(long.as_bytes(), "name").unwrap().starts_with("abx"));
        for none in ["{}", "[]", "", "{\"name\": 7}", "{\"name\": \" \"}"] {
            assert_eq!(named(none.as_bytes(), "name"), None, "{none}");
        }
    }
}
