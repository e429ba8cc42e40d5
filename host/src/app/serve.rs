//! `seatwise serve`: pages, API and workers until a signal ends them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use zeroize::Zeroizing;

use super::host::Host;
use super::start::{self, Start, StartError};
use super::worker;
use crate::audit;
use crate::cli::ServeArgs;
use crate::identity::roles::{Actor, Role};
use crate::identity::service::{
    self as identity, NewPrincipal, NewToken, PrincipalKind, PrincipalView,
};
use crate::kernel::PrincipalId;
use crate::kernel::clock::SystemClock;
use crate::kernel::faults::NoFaults;
use crate::notify::mail_server::{MailServer, of_url};

/// How often the newest head of the audit trail is signed and exported.
const SIGN_EVERY: Duration = Duration::from_secs(60);
/// Life of the tokens written into the data folder, days.
const TOKEN_DAYS: i64 = 30;

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// [`StartError`], each with what to do.
pub async fn serve(args: ServeArgs) -> Result<(), StartError> {
    let listener = listen(args.listen).await?;
    let own = listener.local_addr().map_err(|source| StartError::Listen {
        address: args.listen,
        source,
    })?;
    let public_url = args
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{own}"));
    let host = start::open(Start {
        data: &args.data,
        database: args.database.as_deref(),
        public_url: public_url.clone(),
        allow: &args.allow_target,
        mail: mail_server(&args).await?,
        outbound: &args.outbound_address,
        clock: Arc::new(SystemClock),
        faults: Arc::new(NoFaults),
    })
    .await?;
    let system = Actor::system();
    if identity::list_principals(&host, &system)
        .await?
        .iter()
        .all(|principal| principal.id.as_str() == Actor::SYSTEM_ID)
    {
        person(
            &host,
            "Administrator",
            "admin@localhost",
            &[Role::Admin, Role::SamAdmin],
        )
        .await?;
    }
    println!("Seatwise serves {public_url}");
    let newcomers = without_a_password(&host).await?;
    introduce(&host, newcomers).await?;
    run(host, listener).await
}

/// The mail server that the operator names, with the password from its file.
async fn mail_server(args: &ServeArgs) -> Result<Option<MailServer>, StartError> {
    let Some(url) = &args.mail_url else {
        return Ok(None);
    };
    let password = match &args.mail_password_file {
        None => None,
        Some(path) => {
            let text =
                tokio::fs::read_to_string(path)
                    .await
                    .map_err(|source| StartError::File {
                        path: path.clone(),
                        source,
                    })?;
            let text = Zeroizing::new(text);
            Some(Zeroizing::new(
                text.trim_end_matches(['\r', '\n']).to_owned(),
            ))
        }
    };
    Ok(Some(of_url(url, &args.mail_sender, password)?))
}

/// Listens, or says why not.
pub(super) async fn listen(address: std::net::SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

/// A person with these roles.
pub(super) async fn person(
    host: &Host,
    name: &str,
    email: &str,
    roles: &[Role],
) -> Result<PrincipalId, StartError> {
    let new = NewPrincipal {
        kind: PrincipalKind::Person,
        name: name.to_owned(),
        email: Some(email.to_owned()),
        roles: roles.iter().copied().collect::<BTreeSet<_>>(),
    };
    Ok(identity::create_principal(host, &Actor::system(), new).await?)
}

/// Administrators who have no other way in yet. Everybody else is invited on the page *Access*; a link for somebody with a password
/// would lie in the log of each start.
async fn without_a_password(host: &Host) -> Result<Vec<PrincipalView>, StartError> {
    let system = Actor::system();
    let mut found = Vec::new();
    for principal in identity::list_principals(host, &system).await? {
        if !principal.is_active || !principal.roles.contains(&Role::Admin) {
            continue;
        }
        let access = identity::access_of(host, &system, &principal.id).await?;
        if access.password_set_at.is_none() {
            found.push(principal);
        }
    }
    Ok(found)
}

/// Prints a one-time sign-in link for each of these, and writes each a personal token for the command line.
pub(super) async fn introduce(host: &Host, whom: Vec<PrincipalView>) -> Result<(), StartError> {
    let system = Actor::system();
    let folder = host.options.data_dir.join("tokens");
    tokio::fs::create_dir_all(&folder)
        .await
        .map_err(|source| StartError::File {
            path: folder.clone(),
            source,
        })?;
    for principal in whom {
        if principal.id.as_str() == Actor::SYSTEM_ID {
            continue;
        }
        let link = identity::mint_signin_link(host, &system, &principal.id).await?;
        let new = NewToken {
            name: "command line".to_owned(),
            principal: Some(principal.id.clone()),
            scopes: BTreeSet::new(),
            days: TOKEN_DAYS,
        };
        let token = identity::mint_token(host, &system, new).await?;
        let file = folder.join(format!(
            "{}.token",
            principal
                .name
                .to_lowercase()
                .replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        ));
        start::write_private(&file, &token.secret).await?;
        println!("  {} signs in once at {}", principal.name, link.url);
        println!(
            "  {} on the command line: --token-file {}",
            principal.name,
            file.display()
        );
    }
    Ok(())
}

/// Pages, API, workers and the signing of the trail, until a signal.
pub(super) async fn run(host: Host, listener: TcpListener) -> Result<(), StartError> {
    let address = listener.local_addr().map_err(|source| StartError::Listen {
        address: std::net::SocketAddr::from(([0, 0, 0, 0], 0)),
        source,
    })?;
    let mut tx = host.store.begin().await?;
    crate::reconciliation::service::ensure_daily(&host, &mut tx).await?;
    tx.commit().await?;
    let mut tasks = worker::start(&host);
    tasks.spawn(sign_heads(host.clone()));
    let served = crate::web::serve(host.clone(), listener);
    tokio::select! {
        result = served => result.map_err(|source| StartError::Listen { address, source })?,
        () = signal() => {}
    }
    eprintln!("stopping; work under way is taken up again at the next start");
    worker::stop(&host, tasks).await;
    if let Err(error) = audit::sign_head(&host.store, host.now_ms(), &host.signer).await {
        tracing::error!(%error, "the audit trail's head could not be signed");
    }
    host.store.close().await;
    Ok(())
}

async fn sign_heads(host: Host) {
    loop {
        tokio::select! {
            () = host.stop.asked() => return,
            () = tokio::time::sleep(SIGN_EVERY) => {}
        }
        match audit::sign_head(&host.store, host.now_ms(), &host.signer).await {
            Ok(Some((seq, digest, signature))) => export(&host, seq, &digest, &signature).await,
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the audit trail's head could not be signed"),
        }
    }
}

/// Appends a signed head to a file beside the database, so that a replaced database is noticed.
async fn export(host: &Host, seq: i64, digest: &str, signature: &str) {
    use tokio::io::AsyncWriteExt as _;
    let line = serde_json::json!({"seq": seq, "digest": digest, "key_id": host.signer.key_id(), "signature": signature});
    let path = host.options.data_dir.join("audit-heads.jsonl");
    let written = async {
        let mut file = tokio::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .await?;
        file.write_all(format!("{line}\n").as_bytes()).await?;
        file.sync_all().await
    };
    if let Err(error) = written.await {
        tracing::error!(%error, path = %path.display(), "a signed head could not be exported");
    }
}

/// Waits for SIGINT or SIGTERM.
pub async fn signal() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminated) => {
                tokio::select! {
                    _ = interrupted => {}
                    _ = terminated.recv() => {}
                }
                return;
            }
            Err(error) => tracing::warn!(%error, "SIGTERM cannot be listened for"),
        }
    }
    // Without a handler there is nothing to wait for; the process then ends by the signal itself.
    if interrupted.await.is_err() {
        std::future::pending::<()>().await;
    }
}
