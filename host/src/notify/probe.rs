//! Whether mail could leave now: a conversation with the server up to its sign-in, without a message.

use super::delivery::{self, Trouble};
use super::{NotifyError, mail_server, smtp};
use crate::app::host::Host;
use crate::identity::roles::{Actor, Permission};

/// Connects to the mail server and signs in; `None` where mail goes into a folder.
///
/// # Errors
/// [`NotifyError::NotSent`] with the server's words, [`NotifyError::Denied`].
pub async fn probe_mail_server(host: &Host, actor: &Actor) -> Result<Option<String>, NotifyError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.read_everything().await?;
    let server = mail_server::current(host, &mut tx).await?;
    drop(tx);
    let Some(server) = server else {
        return Ok(None);
    };
    match smtp::Session::open(&server, &delivery::own_name(host)).await {
        Ok(session) => {
            session.close().await;
            Ok(Some(format!("{}:{} takes mail", server.host, server.port)))
        }
        Err(
            Trouble::Later(said)
            | Trouble::Lane(said)
            | Trouble::Refused(said)
            | Trouble::Over(said),
        ) => Err(NotifyError::NotSent(said)),
    }
}
