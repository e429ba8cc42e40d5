//! What never reached a page's handler: a form, an address or a query that the handler's types do not take.
//!
//! The router answers those with a line of plain text. Here it becomes the same page as every other refusal: what, why, what to do.
use axum::body::to_bytes;
use axum::http::{StatusCode, header};
use axum::response::Response;

use crate::kernel::Problem;

/// Bytes of the router's own line that are read.
const LINE_BYTES: usize = 4 * 1024;
/// Characters of it that are repeated to the person.
const WHY_CHARACTERS: usize = 200;

/// The refusal in words, where the answer is the router's own line; any other answer as it was.
///
/// # Errors
/// The answer, when it is a page's own.
pub async fn reworded(response: Response) -> Result<Problem, Response> {
    let status = response.status();
    let is_line = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !status.is_client_error() || !is_line {
        return Err(response);
    }
    let line = to_bytes(response.into_body(), LINE_BYTES)
        .await
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    // serde's own words come last, behind those of the router: `Failed to deserialize form body: days: invalid digit`.
    let why = line.split_once(": ").map_or(line.as_str(), |(_, why)| why);
    let why: String = why.chars().take(WHY_CHARACTERS).collect();
    let problem = if status == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(
            "page.too_large",
            413,
            "what was sent is larger than this page takes",
            "Split the list, or use the CLI",
        )
    } else {
        Problem::new(
            "page.unreadable",
            status.as_u16(),
            format!("the page does not take what was sent: {why}"),
            "Go back, correct what is named here, and send it again; texts are UTF-8, and numbers are digits alone",
        )
    };
    Ok(problem)
}
