//! A look at the vendor's consent page before a person is sent there: a callback or client that the vendor does not know is told on its
//! own page, from which nobody comes back.

use seatwise_runtime::contract::types::{Failure, FailureKind};
use seatwise_runtime::{GuardedClient, HostPattern};
use url::Url;

use super::token::failure;

/// Longest word or sentence of the vendor that is kept, characters.
const MOST: usize = 300;

/// Whether the page leads on. What it says no to, is told as the token endpoint's refusals are.
///
/// # Errors
/// The vendor's no, or why it cannot be reached. A page that is only slow is left to the person's browser.
pub(super) async fn leads_on(
    client: &GuardedClient,
    patterns: &[HostPattern],
    page: &Url,
) -> Result<(), Failure> {
    let request = http::Request::get(page.as_str())
        .header(http::header::ACCEPT, "text/html")
        .body(Vec::new())
        .map_err(|_| {
            failure(
                FailureKind::InvalidInput,
                "login_url",
                "the login address cannot be used",
            )
        })?;
    match client.send(patterns, request).await {
        Ok(answer) if answer.status().is_client_error() => match said(answer.body()) {
            Some((error, sentence)) => Err(failure(FailureKind::Auth, &error, &sentence)),
            None => Ok(()),
        },
        // A redirect to its sign-in, or the sign-in itself; a page too large for a look is no refusal either.
        Ok(_) => Ok(()),
        Err(failure) if matches!(failure.code.as_str(), "dns" | "connect" | "tls") => Err(failure),
        Err(_) => Ok(()),
    }
}

/// `error=…&error_description=…` in a page's text.
fn said(body: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(body).replace("&amp;", "&");
    let from = text.find("error=")?;
    let form: String = text[from..]
        .chars()
        .take_while(|c| !c.is_whitespace() && !matches!(c, '<' | '"' | '\''))
        .take(2 * MOST)
        .collect();
    let pair = |wanted: &str| {
        url::form_urlencoded::parse(form.as_bytes())
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| {
                let plain = value.chars().filter(|c| !c.is_control());
                plain.take(MOST).collect::<String>()
            })
    };
    Some((pair("error")?, pair("error_description")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_out_of_plain_text_and_out_of_html() {
        let wanted = (
            "redirect_uri_mismatch".to_owned(),
            "redirect_uri must match configuration".to_owned(),
        );
        for page in [
            "error=redirect_uri_mismatch&error_description=redirect_uri%20must%20match%20configuration",
            "<p><code>error=redirect_uri_mismatch&amp;error_description=redirect_uri+must+match+configuration</code></p>",
        ] {
            assert_eq!(said(page.as_bytes()), Some(wanted.clone()), "{page}");
        }
        for page in ["", "error", "<html>no error=here</html>", "error=x"] {
            assert_eq!(said(page.as_bytes()), None, "{page}");
        }
    }
}
