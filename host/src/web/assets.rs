//! The files a page loads, embedded in the binary.
//!
//! Each is served under a name that carries its own digest, so a browser may keep it for good and a new binary never meets
//! an old stylesheet; compressed once per process, not once per request. Nothing here is personal, so these answer without a
//! session; pages never do, and pages are not compressed: they carry secrets beside what a visitor typed.
use std::collections::BTreeSet;
use std::io::Write as _;
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

macro_rules! asset {
    ($name:literal, $media_type:literal) => {
        Asset {
            name: $name,
            media_type: $media_type,
            bytes: include_bytes!(concat!("../../assets/", $name)),
        }
    };
}

const ASSETS: &[Asset] = &[
    asset!("app.css", "text/css; charset=utf-8"),
    asset!("app.js", "text/javascript; charset=utf-8"),
    asset!("icon.svg", "image/svg+xml"),
    asset!("icons.svg", "image/svg+xml"),
    asset!("tabler.css", "text/css; charset=utf-8"),
];

/// The addresses that a page's frame names.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Links {
    /// Stylesheets, in the order of the cascade.
    styles: [String; 2],
    /// Script.
    script: String,
    /// Icon of the browser's tab.
    icon: String,
}

/// The addresses for a page's head.
#[must_use]
pub fn links() -> Links {
    Links {
        styles: [url("tabler.css"), url("app.css")],
        script: url("app.js"),
        icon: url("icon.svg"),
    }
}

/// The address of one icon of the sprite; none for a name that is not in it.
#[must_use]
pub fn icon(name: &str) -> Option<String> {
    has_icon(name).then(|| format!("{}#{name}", url("icons.svg")))
}

/// True when the sprite has this icon.
#[must_use]
pub fn has_icon(name: &str) -> bool {
    static NAMES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
        include_str!("../../assets/icons.svg")
            .split("<symbol id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect()
    });
    NAMES.contains(name)
}

static COMPRESSED: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| ASSETS.iter().map(|asset| compressed(asset.bytes)).collect());

/// The same bytes as gzip.
fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing into memory does not fail")
}

/// True when the browser says that it reads gzip (RFC 9110 §12.5.3).
fn takes_gzip(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value.split(',').any(|coding| {
                let mut parts = coding.split(';').map(str::trim);
                let is_gzip = parts
                    .next()
                    .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
                let is_refused = parts.any(|weight| {
                    weight
                        .strip_prefix("q=")
                        .and_then(|q| q.parse::<f32>().ok())
                        == Some(0.0)
                });
                is_gzip && !is_refused
            })
        })
}

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
pub async fn serve(Path((digest, name)): Path<(String, String)>, asked: HeaderMap) -> Response {
    let found = ASSETS
        .iter()
        .zip(DIGESTS.iter())
        .position(|(asset, known)| asset.name == name && *known == digest);
    let Some(at) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(ASSETS[at].media_type),
    );
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    headers.insert(
        header::VARY,
        HeaderValue::from_name(header::ACCEPT_ENCODING),
    );
    if takes_gzip(&asked) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return (headers, COMPRESSED[at].as_slice()).into_response();
    }
    (headers, ASSETS[at].bytes).into_response()
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
        origin: String,
        licence: String,
        version: Option<String>,
        sha256: Option<String>,
    }

    #[test]
    fn every_embedded_file_is_listed_and_what_is_not_our_own_with_version_and_digest() {
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
        for entry in &listed.asset {
            assert!(!entry.licence.is_empty(), "{}", entry.file);
            if entry.origin == "own" {
                continue;
            }
            assert!(entry.version.is_some(), "{}", entry.file);
            let asset = ASSETS.iter().find(|asset| asset.name == entry.file);
            let digest: String = Sha256::digest(asset.expect("it is embedded").bytes)
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(entry.sha256.as_deref(), Some(&*digest), "{}", entry.file);
        }
    }

    #[test]
    fn styles_script_and_icons_come_to_less_than_thirty_kilobytes_on_the_wire() {
        let wire: usize = COMPRESSED.iter().map(Vec::len).sum();
        assert!(wire < 30_000, "{wire} bytes");
    }

    #[tokio::test]
    async fn a_file_goes_compressed_to_whoever_takes_it_and_means_the_same() {
        use std::io::Read as _;
        let ask = |coding: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(coding) = coding {
                headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(coding));
            }
            serve(
                Path((short_digest(ASSETS[0].bytes), "app.css".to_owned())),
                headers,
            )
        };
        for coding in [None, Some("br"), Some("gzip;q=0")] {
            let plain = ask(coding).await;
            assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        }
        let answer = ask(Some("br, GZIP;q=0.5")).await;
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], "gzip");
        assert_eq!(answer.headers()[header::VARY], "accept-encoding");
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20)
            .await
            .expect("a body");
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&*body)
            .read_to_end(&mut text)
            .expect("gzip");
        assert_eq!(text, ASSETS[0].bytes);
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
