//! Takes a message to where it goes: a mail server, the pickup directory, or a webhook. Writes nothing into the database.

use std::path::PathBuf;

use super::NotifyError;
use super::mail_server::{self, MailServer};
use super::message::{Channel, Message, SENDER};
use super::smtp::Session;
use super::webhooks;
use crate::app::host::Host;

/// Why a message did not get through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// This message may get through later.
    Later(String),
    /// Nothing gets through on this way at the moment.
    Lane(String),
    /// This message will never get through.
    Refused(String),
    /// Nothing will ever get through on this way again.
    Over(String),
}

/// Delivers one message after another; keeps the conversation with the mail server between them.
pub struct Deliverer {
    host: Host,
    session: Option<(MailServer, Session)>,
}

impl Deliverer {
    /// One that has not begun.
    #[must_use]
    pub fn new(host: &Host) -> Self {
        Self {
            host: host.clone(),
            session: None,
        }
    }

    /// Delivers a message that [`super::service::begin`] has begun; answers the other side's words. Never called inside a transaction.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn deliver(&mut self, message: &Message) -> Result<String, Trouble> {
        self.step("mail.send")?;
        let answer = match message.channel {
            Channel::Mail => self.mail(message).await,
            Channel::Webhook => webhooks::deliver(&self.host, message).await,
        }?;
        self.step("mail.answer")?;
        Ok(answer)
    }

    fn step(&self, point: &'static str) -> Result<(), Trouble> {
        let stepped = self.host.faults.step(point);
        stepped.map_err(|injected| Trouble::Lane(injected.to_string()))
    }

    async fn mail(&mut self, message: &Message) -> Result<String, Trouble> {
        let (server, session) = match self.session.take() {
            Some((server, session)) if session.is_usable() => (server, session),
            _ => {
                let Some(server) = self.server().await? else {
                    return into_folder(&self.host, message).await;
                };
                let session = Session::open(&server, &own_name(&self.host)).await?;
                (server, session)
            }
        };
        let (server, session) = self.session.insert((server, session));
        let mail = message
            .mail(&server.sender, self.host.now_ms())
            .map_err(|error| Trouble::Refused(error.to_string()))?;
        let sent = session.send(server, &mail).await;
        if sent.is_err() {
            // After a refusal the conversation is closed; the next message begins another.
            self.session = None;
        }
        sent
    }

    async fn server(&self) -> Result<Option<MailServer>, Trouble> {
        let read = async {
            let mut tx = self.host.store.read_everything().await?;
            mail_server::current(&self.host, &mut tx).await
        };
        read.await
            .map_err(|error: NotifyError| Trouble::Lane(error.to_string()))
    }

    /// Ends the conversation.
    pub async fn close(self) {
        if let Some((_, session)) = self.session {
            session.close().await;
        }
    }
}

/// The name by which this host greets a mail server: that of its own address.
pub(super) fn own_name(host: &Host) -> String {
    url::Url::parse(&host.options.public_url)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Puts the mail into the pickup directory. Delivered again, it is the same file.
pub(super) async fn into_folder(host: &Host, message: &Message) -> Result<String, Trouble> {
    let folder = host.options.data_dir.join("outbox");
    let failed = |path: PathBuf| {
        move |error: std::io::Error| {
            Trouble::Lane(format!("{} cannot be written: {error}", path.display()))
        }
    };
    tokio::fs::create_dir_all(&folder)
        .await
        .map_err(failed(folder.clone()))?;
    let mail = message
        .mail(SENDER, host.now_ms())
        .map_err(|error| Trouble::Refused(error.to_string()))?
        .formatted();
    // Complete under its own name or not there at all: a mail server may look at any moment.
    let (part, whole) = (
        folder.join(format!("{}.part", message.id)),
        folder.join(format!("{}.eml", message.id)),
    );
    tokio::fs::write(&part, &mail)
        .await
        .map_err(failed(part.clone()))?;
    tokio::fs::rename(&part, &whole)
        .await
        .map_err(failed(whole.clone()))?;
    Ok("put into the pickup directory".to_owned())
}
