//! One conversation with a mail server (RFC 5321) by lettre: connect, TLS, sign in, send.
//!
//! Invariants: without TLS nothing goes further than this machine; what the server refuses before the message itself (greeting, TLS,
//! sign-in) is the fault of the settings and never of the message; every step has a deadline; no sentence carries the password.

use std::time::Duration;

use lettre::Message as Mail;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, TlsParameters, TlsVersion,
};
use lettre::transport::smtp::extension::ClientId;

use super::delivery::Trouble;
use super::mail_server::{MailServer, Security};
use super::message::one_line;

/// Connecting, with the greeting, TLS and the sign-in.
const OPEN_WITHIN: Duration = Duration::from_secs(30);
/// One message. RFC 5321 §4.5.3.2.6 allows a server ten minutes for the end of the data; nobody who answers at all takes two.
const SEND_WITHIN: Duration = Duration::from_secs(120);
/// Characters of a server's own words.
const ANSWER_CHARS: usize = 300;

/// An open, signed-in conversation.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
}

impl Session {
    /// Connects and signs in. `me` is how this host greets.
    ///
    /// # Errors
    /// [`Trouble::Lane`]: no message would get through now.
    pub(super) async fn open(server: &MailServer, me: &str) -> Result<Self, Trouble> {
        match tokio::time::timeout(OPEN_WITHIN, Self::opened(server, me)).await {
            Ok(opened) => opened,
            Err(_) => Err(Trouble::Lane(format!(
                "{}:{} did not answer within {} seconds",
                server.host,
                server.port,
                OPEN_WITHIN.as_secs()
            ))),
        }
    }

    async fn opened(server: &MailServer, me: &str) -> Result<Self, Trouble> {
        let stopped = |doing: &str, error: &Error| {
            Trouble::Lane(format!(
                "{doing} {}:{} failed: {}",
                server.host,
                server.port,
                told(error, server)
            ))
        };
        let hello = if me.contains('.') && me.parse::<std::net::IpAddr>().is_err() {
            ClientId::Domain(me.to_owned())
        } else {
            ClientId::default()
        };
        let tls = match server.security {
            Security::None => None,
            Security::StartTls | Security::Tls => {
                Some(tls(server).map_err(|error| stopped("preparing TLS with", &error))?)
            }
        };
        let wrapped = tls.clone().filter(|_| server.security == Security::Tls);
        let address = (server.host.as_str(), server.port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, Some(OPEN_WITHIN), &hello, wrapped, None)
                .await
                .map_err(|error| stopped("connecting to", &error))?;
        if server.security == Security::StartTls
            && let Some(tls) = tls
        {
            if !connection.can_starttls() {
                return Err(Trouble::Lane(format!(
                    "{}:{} does not offer STARTTLS, so nothing was sent",
                    server.host, server.port
                )));
            }
            connection
                .starttls(tls, &hello)
                .await
                .map_err(|error| stopped("STARTTLS with", &error))?;
        }
        if let (Some(username), Some(password)) = (&server.username, &server.password) {
            let credentials = Credentials::new(username.clone(), password.to_string());
            connection
                .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
                .await
                .map_err(|error| stopped("signing in to", &error))?;
        }
        Ok(Self { connection })
    }

    /// Sends one mail; answers the server's own words.
    ///
    /// # Errors
    /// [`Trouble::Refused`] when the server refuses it for good (5xx), [`Trouble::Later`] when it asks to try again (4xx),
    /// [`Trouble::Lane`] when the conversation broke: it may have arrived.
    pub(super) async fn send(
        &mut self,
        server: &MailServer,
        mail: &Mail,
    ) -> Result<String, Trouble> {
        let (envelope, bytes) = (mail.envelope().clone(), mail.formatted());
        let sent = tokio::time::timeout(SEND_WITHIN, self.connection.send(&envelope, &bytes)).await;
        match sent {
            Ok(Ok(answer)) => {
                let lines = answer.message().collect::<Vec<_>>().join(" ");
                Ok(one_line(
                    &format!("{} {lines}", answer.code()),
                    ANSWER_CHARS,
                ))
            }
            Ok(Err(error)) => {
                let said = told(&error, server);
                Err(if error.is_permanent() || error.is_client() {
                    Trouble::Refused(said)
                } else if error.is_transient() {
                    Trouble::Later(said)
                } else {
                    Trouble::Lane(said)
                })
            }
            Err(_) => Err(Trouble::Lane(format!(
                "{}:{} did not take the message within {} seconds; it may have arrived",
                server.host,
                server.port,
                SEND_WITHIN.as_secs()
            ))),
        }
    }

    /// Whether another message may be sent.
    pub(super) fn is_usable(&self) -> bool {
        !self.connection.has_broken()
    }

    /// Says goodbye; what the server says to that changes nothing.
    pub(super) async fn close(mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.connection.quit()).await;
    }
}

/// TLS 1.2 at least, the system's roots and, where given, the server's own.
fn tls(server: &MailServer) -> Result<TlsParameters, Error> {
    let mut builder =
        TlsParameters::builder(server.host.clone()).set_min_tls_version(TlsVersion::Tlsv12);
    if let Some(pem) = &server.root_pem {
        builder = builder.add_root_certificate(Certificate::from_pem(pem.as_bytes())?);
    }
    builder.build_rustls()
}

/// An error with its causes, in one line, without the password.
fn told(error: &Error, server: &MailServer) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    if let Some(password) = &server.password
        && !password.is_empty()
    {
        text = text.replace(password.as_str(), "…");
    }
    one_line(&text, ANSWER_CHARS)
}
