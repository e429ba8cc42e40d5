//! The files a page loads, embedded in the binary.
//!
//! Each is served under a name that carries its own digest, so a browser may keep it for good and a new binary never meets
//! an old stylesheet. Nothing here is personal, so these answer without a session; pages never do.
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// One embedded file.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

const ASSETS: &[Asset] = &[
    Asset {
        name: "app.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/app.css"),
    },
    Asset {
        name: "app.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../assets/app.js"),
    },
    Asset {
        name: "icon.svg",
        media_type: "image/svg+xml",
        bytes: include_bytes!("../../assets/icon.svg"),
    },
];

static DIGESTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    ASSETS
        .iter()
        .map(|asset| short_digest(asset.bytes))
        .collect()
});

fn short_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The address of an embedded file, with its digest; an unknown name gives the bare address, which answers 404.
#[must_use]
pub fn url(name: &str) -> String {
    match ASSETS.iter().position(|asset| asset.name == name) {
        Some(at) => format!("/assets/{}/{name}", DIGESTS[at]),
        None => format!("/assets/-/{name}"),
    }
}

/// Serves one embedded file; an outdated digest is 404, so that nothing stale is cached under a new name.
pub async fn serve(Path((digest, name)): Path<(String, String)>) -> Response {
    let found = ASSETS
        .iter()
        .zip(DIGESTS.iter())
        .find(|(asset, known)| asset.name == name && **known == digest);
    let Some((asset, _)) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.media_type),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    (headers, asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Listed {
        asset: Vec<Entry>,
    }

    #[derive(serde::Deserialize)]
    struct Entry {
        file: String,
        licence: String,
    }

    #[test]
    fn every_embedded_file_is_listed_with_its_licence() {
        let listed: Listed =
            toml::from_str(include_str!("../../assets/ASSETS.toml")).expect("the list parses");
        let mut names: Vec<&str> = listed
            .asset
            .iter()
            .map(|entry| entry.file.as_str())
            .collect();
        names.sort_unstable();
        let mut embedded: Vec<&str> = ASSETS.iter().map(|asset| asset.name).collect();
        embedded.sort_unstable();
        assert_eq!(names, embedded);
        assert!(listed.asset.iter().all(|entry| !entry.licence.is_empty()));
    }

    #[test]
    fn an_address_carries_the_digest_of_its_file() {
        assert_eq!(
            url("app.css"),
            format!(
                "/assets/{}/app.css",
                short_digest(include_bytes!("../../assets/app.css"))
            )
        );
    }
}
