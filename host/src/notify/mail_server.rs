//! The mail server of this installation: set by its operator at the start, or by an administrator on a page; and a test of it.
//!
//! Invariants: the password is sealed, never shown again, and deleted when it would be sent elsewhere; without TLS only a server on this
//! machine is allowed.

use serde::Serialize;
use serde_json::json;
use url::{Host as UrlHost, Url};
use zeroize::Zeroizing;

use super::delivery::{self, Trouble};
use super::message::{Channel, Message, mailbox};
use super::store::settings::{self as store, SERVER, ServerRow};
use super::{NotifyError, smtp};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::identity::service as identity;
use crate::kernel::MessageId;
use crate::kernel::seal::Place;
use crate::store::Tx;

/// Longest root certificate that is kept.
const PEM_CHARS: usize = 20_000;

/// How the conversation is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Begins plain and must change to TLS (RFC 3207); usual on port 587.
    StartTls,
    /// TLS from the first byte (RFC 8314); usual on port 465.
    Tls,
    /// None; only to this machine.
    None,
}

impl Security {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::StartTls, Self::Tls, Self::None];

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == text)
    }
}

/// A mail server with everything that is needed to send.
#[derive(Clone)]
pub struct MailServer {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the conversation is protected.
    pub security: Security,
    /// Whom mail is from.
    pub sender: String,
    /// Who signs in; nobody does without.
    pub username: Option<String>,
    /// With what.
    pub password: Option<Zeroizing<String>>,
    /// A further trusted root, PEM.
    pub root_pem: Option<String>,
}

impl std::fmt::Debug for MailServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "MailServer({}:{} {})",
            self.host,
            self.port,
            self.security.as_str()
        )
    }
}

/// What is entered.
#[derive(Debug, Default)]
pub struct NewMailServer {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `starttls`, `tls` or `none`.
    pub security: String,
    /// Whom mail is from.
    pub sender: String,
    /// Who signs in; empty: nobody.
    pub username: String,
    /// With what; empty keeps the one that is stored, unless it would be sent elsewhere.
    pub password: Zeroizing<String>,
    /// A further trusted root, PEM; empty: none.
    pub root_pem: String,
}

/// What is shown.
#[derive(Clone, Debug, Serialize)]
pub struct MailServerView {
    /// `server`, or `folder`: mail is put into the pickup directory.
    pub way: &'static str,
    /// Set by the operator at the start, and not to be changed here.
    pub is_operators: bool,
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `starttls`, `tls` or `none`.
    pub security: &'static str,
    /// Whom mail is from.
    pub sender: String,
    /// Who signs in.
    pub username: Option<String>,
    /// Whether a password is stored.
    pub has_password: bool,
    /// A further trusted root, PEM.
    pub root_pem: Option<String>,
    /// Who set it.
    pub set_by: Option<String>,
    /// When, UTC milliseconds.
    pub set_at: Option<i64>,
}

fn place() -> Place<'static> {
    Place {
        table: "mail_servers",
        row: SERVER,
        column: "password_sealed",
    }
}

fn is_this_machine(host: &str) -> bool {
    match UrlHost::parse(host) {
        Ok(UrlHost::Domain(name)) => name == "localhost",
        Ok(UrlHost::Ipv4(address)) => address.is_loopback(),
        Ok(UrlHost::Ipv6(address)) => address.is_loopback(),
        Err(_) => host == "::1",
    }
}

/// What must hold of any mail server.
fn checked(server: MailServer) -> Result<MailServer, NotifyError> {
    let is_name = UrlHost::parse(&server.host).is_ok() || server.host == "::1";
    if server.host.is_empty() || server.host.len() > 253 || !is_name {
        return Err(NotifyError::invalid(
            "host",
            "a mail server is named by its host name or address alone, such as smtp.acme.example",
        ));
    }
    if server.port == 0 {
        return Err(NotifyError::invalid(
            "port",
            "a port is a number from 1 to 65535",
        ));
    }
    if server.security == Security::None && !is_this_machine(&server.host) {
        return Err(NotifyError::invalid(
            "security",
            "without TLS mail and password could be read on the way; only a server on this machine may be without it",
        ));
    }
    mailbox(&server.sender).map_err(|error| NotifyError::invalid("sender", error.to_string()))?;
    if let Some(pem) = &server.root_pem
        && (pem.len() > PEM_CHARS
            || lettre::transport::smtp::client::Certificate::from_pem(pem.as_bytes()).is_err()
            || !pem.contains("BEGIN CERTIFICATE"))
    {
        return Err(NotifyError::invalid(
            "root_pem",
            "this is not a certificate in PEM form",
        ));
    }
    if server.username.is_some() != server.password.is_some() {
        return Err(NotifyError::invalid(
            if server.username.is_some() {
                "password"
            } else {
                "username"
            },
            "a user name and a password go together",
        ));
    }
    Ok(server)
}

/// The mail server that an operator names: `smtp://` with STARTTLS, `smtps://` with TLS, `smtp+plain://` without, to this machine alone.
///
/// # Errors
/// [`NotifyError::Invalid`] naming the part.
pub fn of_url(
    url: &str,
    sender: &str,
    password: Option<Zeroizing<String>>,
) -> Result<MailServer, NotifyError> {
    let form = || {
        NotifyError::invalid(
            "host",
            "a mail server is named as smtp://user@smtp.acme.example:587, smtps://… or smtp+plain://localhost:25; its password stands in a file",
        )
    };
    let url = Url::parse(url).map_err(|_| form())?;
    let (security, usual) = match url.scheme() {
        "smtp" => (Security::StartTls, 587),
        "smtps" => (Security::Tls, 465),
        "smtp+plain" => (Security::None, 25),
        _ => return Err(form()),
    };
    if url.password().is_some() || !matches!(url.path(), "" | "/") || url.query().is_some() {
        return Err(form());
    }
    let host = url.host_str().ok_or_else(form)?;
    checked(MailServer {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(usual),
        security,
        sender: sender.to_owned(),
        username: Some(url.username().to_owned()).filter(|name| !name.is_empty()),
        password,
        root_pem: None,
    })
}

/// The mail server to send by; `None`: the pickup directory.
pub(super) async fn current(host: &Host, tx: &mut Tx) -> Result<Option<MailServer>, NotifyError> {
    if let Some(server) = &host.options.mail {
        return Ok(Some(server.clone()));
    }
    let Some(row) = store::find_server(tx).await? else {
        return Ok(None);
    };
    let password = row
        .password_sealed
        .as_deref()
        .map(|sealed| host.sealer.open(place(), sealed))
        .transpose()?
        .map(|plain| Zeroizing::new(String::from_utf8_lossy(&plain).into_owned()));
    Ok(Some(MailServer {
        host: row.host,
        port: u16::try_from(row.port).unwrap_or(0),
        security: Security::parse(&row.security).unwrap_or(Security::Tls),
        sender: row.sender,
        username: row.username,
        password,
        root_pem: row.root_pem,
    }))
}

fn view(server: &MailServer, is_operators: bool, set: Option<(String, i64)>) -> MailServerView {
    MailServerView {
        way: "server",
        is_operators,
        host: server.host.clone(),
        port: server.port,
        security: server.security.as_str(),
        sender: server.sender.clone(),
        username: server.username.clone(),
        has_password: server.password.is_some(),
        root_pem: server.root_pem.clone(),
        set_by: set.as_ref().map(|(by, _)| by.clone()),
        set_at: set.map(|(_, at)| at),
    }
}

/// How mail leaves.
///
/// # Errors
/// [`NotifyError::Denied`].
pub async fn get_mail_server(host: &Host, actor: &Actor) -> Result<MailServerView, NotifyError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.read_everything().await?;
    if let Some(server) = &host.options.mail {
        return Ok(view(server, true, None));
    }
    let (Some(server), Some(row)) = (
        current(host, &mut tx).await?,
        store::find_server(&mut tx).await?,
    ) else {
        return Ok(MailServerView {
            way: "folder",
            is_operators: false,
            host: String::new(),
            port: 587,
            security: Security::StartTls.as_str(),
            sender: String::new(),
            username: None,
            has_password: false,
            root_pem: None,
            set_by: None,
            set_at: None,
        });
    };
    let by = identity::name_of(&mut tx, &row.set_by.as_str().into()).await;
    let by = by.ok().flatten().unwrap_or(row.set_by);
    Ok(view(&server, false, Some((by, row.set_at))))
}

/// Sets the mail server. A stored password is kept only while host, port, protection, root and user name stay as they are.
///
/// # Errors
/// [`NotifyError::Operators`], [`NotifyError::Invalid`] naming the field, [`NotifyError::Denied`].
pub async fn set_mail_server(
    host: &Host,
    actor: &Actor,
    new: NewMailServer,
) -> Result<MailServerView, NotifyError> {
    actor.may(Permission::Administer)?;
    if host.options.mail.is_some() {
        return Err(NotifyError::Operators);
    }
    let mut tx = host.store.begin().await?;
    let security = Security::parse(&new.security)
        .ok_or_else(|| NotifyError::invalid("security", "choose starttls, tls or none"))?;
    let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let (username, root_pem) = (some(&new.username), some(&new.root_pem));
    let address = new.host.trim().to_lowercase();
    let before = current(host, &mut tx).await?;
    let goes_elsewhere = before.as_ref().is_some_and(|old| {
        old.host != address
            || old.port != new.port
            || old.security != security
            || old.username != username
            || old.root_pem != root_pem
    });
    let kept = before
        .and_then(|old| old.password)
        .filter(|_| username.is_some());
    let password = if !new.password.is_empty() {
        Some(new.password)
    } else if kept.is_some() && goes_elsewhere {
        return Err(NotifyError::invalid(
            "password",
            "the stored password was for another server or user; enter it again so that it goes where you mean it to",
        ));
    } else {
        kept
    };
    let server = checked(MailServer {
        host: address,
        port: new.port,
        security,
        sender: new.sender.trim().to_owned(),
        username,
        password,
        root_pem,
    })?;
    let sealed = server
        .password
        .as_ref()
        .map(|password| {
            host.sealer
                .seal(place(), password.as_bytes(), &*host.chance)
        })
        .transpose()?;
    let row = ServerRow {
        host: server.host.clone(),
        port: i64::from(server.port),
        security: server.security.as_str().to_owned(),
        sender: server.sender.clone(),
        username: server.username.clone(),
        password_sealed: sealed,
        root_pem: server.root_pem.clone(),
        set_by: actor.id.to_string(),
        set_at: host.now_ms(),
    };
    store::put_server(&mut tx, &row, &host.sealer.key_id()).await?;
    let detail = json!({ "host": server.host, "port": server.port, "security": security.as_str(), "sender": server.sender, "username": server.username });
    record(host, &mut tx, actor, "mail_server.set", detail).await?;
    // What waits for a working server goes at once.
    host.wake(
        &mut tx,
        &super::service::job(super::service::MAIL, host.now_ms()),
    )
    .await?;
    tx.commit().await?;
    get_mail_server(host, actor).await
}

/// Back to the pickup directory; the password is deleted.
///
/// # Errors
/// [`NotifyError::NotFound`] when none is set, [`NotifyError::Operators`], [`NotifyError::Denied`].
pub async fn remove_mail_server(host: &Host, actor: &Actor) -> Result<(), NotifyError> {
    actor.may(Permission::Administer)?;
    if host.options.mail.is_some() {
        return Err(NotifyError::Operators);
    }
    let mut tx = host.store.begin().await?;
    if !store::remove_server(&mut tx).await? {
        return Err(NotifyError::NotFound("mail server"));
    }
    record(host, &mut tx, actor, "mail_server.removed", json!({})).await?;
    Ok(tx.commit().await?)
}

/// Sends a mail to whoever asks, now, and answers what the server said.
///
/// # Errors
/// [`NotifyError::NoAddress`], [`NotifyError::NotSent`] with the server's words, [`NotifyError::Denied`].
pub async fn test_mail_server(host: &Host, actor: &Actor) -> Result<String, NotifyError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    let me = identity::people(&mut tx).await?;
    let recipient = me
        .into_iter()
        .find(|person| person.id == actor.id)
        .and_then(|person| person.email)
        .ok_or(NotifyError::NoAddress)?;
    let server = current(host, &mut tx).await?;
    let now_ms = host.now_ms();
    record(
        host,
        &mut tx,
        actor,
        "mail_server.tested",
        json!({ "to": recipient }),
    )
    .await?;
    tx.commit().await?;
    let message = Message {
        id: MessageId::mint(now_ms, &*host.chance),
        kind: "test".to_owned(),
        channel: Channel::Mail,
        target: actor.id.to_string(),
        recipient,
        subject: "Seatwise can send mail".to_owned(),
        body: format!(
            "This is the test that {} asked for. Mail from {} arrives here.\n",
            actor.name, host.options.public_url
        ),
        html: None,
        subject_kind: "principal".to_owned(),
        subject_id: actor.id.to_string(),
        attempts: 1,
        created_at: now_ms,
    };
    let sent = match &server {
        None => delivery::into_folder(host, &message).await,
        Some(server) => send_once(host, server, &message).await,
    };
    sent.map_err(|trouble| match trouble {
        Trouble::Later(said)
        | Trouble::Lane(said)
        | Trouble::Refused(said)
        | Trouble::Over(said) => NotifyError::NotSent(said),
    })
}

async fn send_once(host: &Host, server: &MailServer, message: &Message) -> Result<String, Trouble> {
    let mail = message
        .mail(&server.sender, host.now_ms())
        .map_err(|error| Trouble::Refused(error.to_string()))?;
    let mut session = smtp::Session::open(server, &delivery::own_name(host)).await?;
    let answer = session.send(server, &mail).await?;
    session.close().await;
    Ok(answer)
}

async fn record(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    event: &str,
    detail: serde_json::Value,
) -> Result<(), NotifyError> {
    let entry = Entry {
        event,
        subject_kind: "mail_server",
        subject_id: SERVER,
        detail,
    };
    Ok(host.audit(tx, actor, entry).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<MailServer, NotifyError> {
        let password = url.contains('@').then(|| Zeroizing::new("pw".to_owned()));
        of_url(url, "Seatwise <seatwise@acme.example>", password)
    }

    #[test]
    fn an_operators_address_says_host_port_and_protection() {
        let server = of("smtp://mailer@smtp.acme.example").unwrap();
        assert_eq!(
            (server.host.as_str(), server.port, server.security),
            ("smtp.acme.example", 587, Security::StartTls)
        );
        assert_eq!(server.username.as_deref(), Some("mailer"));
        let server = of("smtps://smtp.acme.example:2465").unwrap();
        assert_eq!((server.port, server.security), (2465, Security::Tls));
        assert!(!format!("{server:?}").contains("pw"));
    }

    #[test]
    fn without_tls_mail_goes_to_this_machine_alone() {
        for here in [
            "smtp+plain://localhost",
            "smtp+plain://127.0.0.1:2525",
            "smtp+plain://[::1]:2525",
        ] {
            assert!(of(here).is_ok(), "{here}");
        }
        for there in [
            "smtp+plain://smtp.acme.example",
            "smtp+plain://10.0.0.1",
            "smtp+plain://localhost.evil.example",
        ] {
            assert!(
                matches!(
                    of(there),
                    Err(NotifyError::Invalid {
                        field: "security",
                        ..
                    })
                ),
                "{there}"
            );
        }
    }

    #[test]
    fn an_address_with_a_password_or_a_path_is_refused() {
        for wrong in [
            "smtp://a:secret@smtp.acme.example",
            "smtp://smtp.acme.example/x",
            "http://smtp.acme.example",
            "smtp.acme.example",
            "",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
