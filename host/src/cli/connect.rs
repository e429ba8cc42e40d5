//! Connecting a profile from the command line, with every grant that needs no browser of this machine.
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::client::{CliError, Client, read_text};
use super::output::{self, As, Column};

/// Between two looks at a sign-in.
const LOOK: Duration = Duration::from_secs(2);

/// `profile connect`.
#[derive(Debug, Args)]
pub struct ProfileConnect {
    /// Such as PRF0001001
    pub number: String,
    /// OAuth grant of the connector, such as client-credentials, jwt-bearer, refresh-token or device-code
    #[arg(long, value_name = "GRANT")]
    pub grant: String,
    /// Client id of the registered app
    #[arg(long, value_name = "ID")]
    pub client_id: String,
    /// File that holds the client secret; `-` reads standard input; without it the stored one of the same client is kept
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// File that holds the refresh token, for that grant
    #[arg(long, value_name = "FILE")]
    pub refresh_token_file: Option<PathBuf>,
    /// User at the vendor, for jwt-bearer
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// File that holds the private key as PEM, for jwt-bearer
    #[arg(long, value_name = "FILE")]
    pub private_key_file: Option<PathBuf>,
    /// Fetch a secret field in a vault each time it is needed, such as `client_secret=Corp:Safe=SaaS;Object=acme#Content`
    #[arg(long, value_name = "FIELD=VAULT:QUERY[#PROPERTY]", value_parser = place)]
    pub from_vault: Vec<(String, Value)>,
}

/// `FIELD=VAULT:QUERY[#PROPERTY]`.
fn place(text: &str) -> Result<(String, Value), String> {
    let wrong = || {
        "write FIELD=VAULT:QUERY or FIELD=VAULT:QUERY#PROPERTY, such as client_secret=Bao:saas/acme#secret".to_owned()
    };
    let (field, rest) = text.split_once('=').ok_or_else(wrong)?;
    let (vault, query) = rest.split_once(':').ok_or_else(wrong)?;
    let (query, property) = query.rsplit_once('#').unwrap_or((query, ""));
    if field.is_empty() || vault.is_empty() || query.is_empty() {
        return Err(wrong());
    }
    let from = json!({ "vault": vault, "query": query, "property": property });
    Ok((field.to_owned(), from))
}

const CONNECTION: &[Column] = &[
    ("Profile", "/profile/number", As::Text),
    ("Grant", "/credential/grant", As::Words),
    ("Health", "/credential/health", As::Words),
    ("Signed in as", "/credential/connected_as", As::Text),
    ("Connected by", "/credential/connected_by", As::Text),
    ("Connected", "/credential/connected_at", As::Time),
    ("Last new token", "/credential/refreshed_at", As::Time),
    ("Generation", "/credential/generation", As::Count),
    ("Scopes granted", "/credential/granted_scopes", As::Text),
    ("Scopes needed", "/needed_scopes", As::Text),
    ("Scopes missing", "/missing_scopes", As::Text),
    ("What to do", "/credential/problem/fix/text", As::Text),
];

/// Shows a connection.
pub async fn show(client: &Client, number: &str) -> Result<(), CliError> {
    let shown = client
        .get(&format!("/profiles/{number}/connection"), &[])
        .await?;
    output::one(client, &shown, CONNECTION);
    Ok(())
}

fn text(file: Option<&Path>) -> Result<Option<String>, CliError> {
    Ok(file
        .map(read_text)
        .transpose()?
        .map(|text| text.trim_end().to_owned()))
}

/// Connects, and follows a sign-in with a device's code to its end.
pub async fn connect(client: &Client, args: ProfileConnect) -> Result<(), CliError> {
    let number = &args.number;
    let body = json!({
        "grant": args.grant,
        "client_id": args.client_id,
        "client_secret": text(args.client_secret_file.as_deref())?,
        "refresh_token": text(args.refresh_token_file.as_deref())?,
        "username": args.username,
        "private_key": text(args.private_key_file.as_deref())?,
        "from_vault": args.from_vault.into_iter().collect::<serde_json::Map<_, _>>(),
    });
    let answer = client
        .post(&format!("/profiles/{number}/connection"), &body)
        .await?;
    if let Some(begun) = answer.get("sign_in").filter(|begun| !begun.is_null()) {
        follow(client, begun).await?;
    }
    show(client, number).await
}

/// Follows a sign-in with a device's code to its end.
pub(super) async fn follow(client: &Client, begun: &Value) -> Result<(), CliError> {
    let word = |view: &Value, name: &str| {
        view.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    // Talk, not a fact: whoever reads the JSON gets the connection.
    eprintln!(
        "Open {} and enter {}",
        word(begun, "goes_to"),
        word(begun, "user_code")
    );
    let id = word(begun, "id");
    loop {
        tokio::time::sleep(LOOK).await;
        let view = client.get(&format!("/sign-ins/{id}"), &[]).await?;
        match word(&view, "state").as_str() {
            "waiting" | "taken" => {}
            "done" => return Ok(()),
            _ => {
                let told = |pointer: &str| {
                    view.pointer(pointer)
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned()
                };
                return Err(CliError::own(format!(
                    "{}\n  fix:  {}",
                    told("/problem/message"),
                    told("/problem/fix/text")
                )));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_vault_is_read_as_it_is_typed() {
        let read = |text: &str| place(text).map(|(field, from)| (field, from.to_string()));
        let (field, from) = place("client_secret=Corp:Safe=SaaS;Object=a:b#UserName").unwrap();
        assert_eq!(field, "client_secret");
        assert_eq!(from["vault"], "Corp");
        assert_eq!(from["query"], "Safe=SaaS;Object=a:b");
        assert_eq!(from["property"], "UserName");
        for wrong in [
            "",
            "client_secret",
            "client_secret=Corp",
            "=Corp:x",
            "a=:x",
            "a=b:",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
