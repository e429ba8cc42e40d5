//! The API as the command line sees it: one request, one JSON answer or one problem.
use std::io::Read as _;
use std::path::Path;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::args::Connection;

/// Why a command was not done.
#[derive(Debug)]
pub enum CliError {
    /// The host said no, and why.
    Refused {
        /// Its status.
        status: u16,
        /// Its problem.
        problem: Told,
    },
    /// Anything on this side: no token, no host, no file.
    Own {
        /// What happened.
        what: String,
        /// What to do.
        fix: Option<String>,
    },
}

/// A problem as the API tells it.
#[derive(Debug, Deserialize)]
pub struct Told {
    title: String,
    code: String,
    fix: String,
    #[serde(default)]
    data: Value,
}

impl CliError {
    /// A failure of this side, in its own words.
    pub fn own(error: impl std::fmt::Display) -> Self {
        Self::Own {
            what: error.to_string(),
            fix: None,
        }
    }

    fn with_fix(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::Own {
            what: what.into(),
            fix: Some(fix.into()),
        }
    }

    /// See the module `cli`.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused {
                status: 401 | 403, ..
            } => 3,
            Self::Refused { status: 409, .. } => 4,
            Self::Refused { .. } | Self::Own { .. } => 1,
        }
    }
}

impl std::fmt::Display for CliError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused { problem, .. } => {
                write!(
                    f,
                    "error: {}\n  code: {}\n  fix:  {}",
                    problem.title, problem.code, problem.fix
                )?;
                if !problem.data.is_null() {
                    let data =
                        serde_json::to_string_pretty(&problem.data).map_err(|_| std::fmt::Error)?;
                    write!(f, "\n  more: {}", data.replace('\n', "\n        "))?;
                }
                Ok(())
            }
            Self::Own { what, fix } => {
                write!(f, "error: {what}")?;
                fix.as_ref()
                    .map_or(Ok(()), |fix| write!(f, "\n  fix:  {fix}"))
            }
        }
    }
}

/// A host, reached with somebody's token.
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
    /// Print JSON, not tables.
    pub json: bool,
}

impl Client {
    /// Finds the token and makes ready; sends nothing yet.
    ///
    /// # Errors
    /// No token, or a file that cannot be read.
    pub fn new(connection: &Connection) -> Result<Self, CliError> {
        let token = match (&connection.token, &connection.token_file) {
            (Some(token), _) => token.clone(),
            (None, Some(file)) => read_text(file)?,
            (None, None) => {
                return Err(CliError::with_fix(
                    "this command needs a personal token",
                    "Set SEATWISE_TOKEN, or name a file by --token-file; `serve` and `demo` print the ones they write",
                ));
            }
        };
        // Somebody else in this process may have chosen the same provider first; either choice is ring.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(CliError::own)?;
        let base = format!("{}/api/v1", connection.server.trim_end_matches('/'));
        Ok(Self {
            http,
            base,
            token: token.trim().to_owned(),
            json: connection.json,
        })
    }

    /// Reads.
    ///
    /// # Errors
    /// The host's problem, or ours in reaching it.
    pub async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, CliError> {
        let request = self
            .http
            .request(Method::GET, format!("{}{path}", self.base))
            .query(query);
        self.send(request).await
    }

    /// Does.
    ///
    /// # Errors
    /// The host's problem, or ours in reaching it.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        let request = self
            .http
            .request(Method::POST, format!("{}{path}", self.base))
            .json(body);
        self.send(request).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value, CliError> {
        let response = request
            .bearer_auth(&self.token)
            .send()
            .await
            .map_err(|error| {
                CliError::with_fix(
                    format!("cannot reach {}: {error}", self.base),
                    "Start it by `seatwise serve`, or name another by --server",
                )
            })?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(CliError::own)?;
        if status.is_success() {
            if status == StatusCode::NO_CONTENT || bytes.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_slice(&bytes)
                .map_err(|error| CliError::own(format!("the answer is not JSON: {error}")));
        }
        match serde_json::from_slice::<Told>(&bytes) {
            Ok(problem) => Err(CliError::Refused {
                status: status.as_u16(),
                problem,
            }),
            Err(_) => Err(CliError::with_fix(
                format!("the host answered {status} without a problem"),
                "Is --server the address of a Seatwise host?",
            )),
        }
    }
}

/// The text of a file, or of standard input for `-`.
///
/// # Errors
/// The operating system's own, with the file's name.
pub fn read_text(file: &Path) -> Result<String, CliError> {
    let read = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| {
        let fix = match error.kind() {
            std::io::ErrorKind::NotFound => "Check the path; a token's file is named by `seatwise serve` and `seatwise demo` when they start",
            std::io::ErrorKind::PermissionDenied => "Run the command as the user who owns the file, or give yourself the right to read it",
            std::io::ErrorKind::InvalidData => "The file is not UTF-8 text; save it as UTF-8",
            _ => "Check the path and its rights",
        };
        CliError::with_fix(format!("cannot read {}: {error}", file.display()), fix)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> CliError {
        let problem = Told {
            title: "no".into(),
            code: "x".into(),
            fix: "y".into(),
            data: Value::Null,
        };
        CliError::Refused { status, problem }
    }

    #[test]
    fn exit_codes_are_as_documented() {
        assert_eq!(refused(403).exit_code(), 3);
        assert_eq!(refused(401).exit_code(), 3);
        assert_eq!(refused(409).exit_code(), 4);
        assert_eq!(refused(422).exit_code(), 1);
        assert_eq!(CliError::own("x").exit_code(), 1);
    }
}
