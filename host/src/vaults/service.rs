//! Naming vaults, and fetching a field's value where it lies.

use std::collections::BTreeMap;
use std::time::Duration;

use seatwise_runtime::{HostPattern, RootsError, WayOut, read_roots};
use serde::Serialize;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::model::{Fetched, FromVault, Trouble, VaultFault, VaultKind};
use super::store::{self, Row};
use super::{Vault, protocol};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::connectors::ConnectorError;
use crate::identity::roles::{Actor, Denied, Permission};
use crate::kernel::seal::{Place, SealError};
use crate::kernel::{AliasId, IntoProblem, Problem, VaultId};
use crate::store::{StoreError, Tx};

/// How long a vault has for an answer: with a token call it must end within the refresher's lease.
const ANSWER: Duration = Duration::from_secs(10);
/// Vaults of one installation.
const MOST: usize = 20;

/// What an administrator types for a vault.
#[derive(Default)]
pub struct SetVault {
    /// Unique; the one of this name is changed.
    pub name: String,
    /// Word of a [`VaultKind`].
    pub kind: String,
    /// `https://NAME[:PORT][/PATH]`.
    pub address: String,
    /// For CyberArk: the application's id.
    pub app_id: String,
    /// For a key-value engine: where it is mounted; empty is `secret`.
    pub mount: String,
    /// For a key-value engine: the namespace; empty is none.
    pub namespace: String,
    /// For a key-value engine: the token. Empty keeps the stored one while kind, address and authority stay.
    pub token: Zeroizing<String>,
    /// Authority that signed its certificate, PEM; empty for the system's.
    pub roots: String,
}

/// A vault as it is shown: never its token.
#[derive(Clone, Debug, Serialize)]
pub struct VaultView {
    /// Its name.
    pub name: String,
    /// Word of its kind.
    pub kind: String,
    /// Its kind for people.
    pub title: &'static str,
    /// Where it answers.
    pub address: String,
    /// For CyberArk: the application's id.
    pub app_id: String,
    /// For a key-value engine: where it is mounted.
    pub mount: String,
    /// For a key-value engine: the namespace.
    pub namespace: String,
    /// `…4f2a`, of a long enough token.
    pub token_ends_in: Option<String>,
    /// Whether a token is stored.
    pub has_token: bool,
    /// Whether it has an authority of its own.
    pub has_roots: bool,
    /// Fields of credentials that are fetched there.
    pub fields: i64,
    /// Who set it, by name.
    pub set_by: Option<String>,
    /// Milliseconds UTC.
    pub set_at: i64,
}

/// A field of a credential that is fetched in a vault.
#[derive(Clone, Debug, Serialize)]
pub struct FieldView {
    /// `client_secret`, `refresh_token` or `private_key`.
    pub field: String,
    /// Where.
    #[serde(flatten)]
    pub from: FromVault,
    /// Who said so, by name.
    pub set_by: Option<String>,
    /// Milliseconds UTC.
    pub set_at: i64,
}

/// Why a vault cannot be named, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// A field that does not hold.
    #[error("{message}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong, and what to write.
        message: String,
    },
    /// Its authority is none.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// None of this name.
    #[error("there is no vault `{0}`")]
    NotFound(String),
    /// Credentials fetch fields there.
    #[error("{0} fields of credentials are fetched in this vault")]
    InUse(i64),
    /// A stored token does not open, or a new one could not be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The client could not be made.
    #[error(transparent)]
    Connector(#[from] ConnectorError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VaultError {
    fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::Invalid { field, message }
    }
}

impl IntoProblem for VaultError {
    fn problem(&self) -> Problem {
        let message = self.to_string();
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Invalid { field, .. } => Problem::new(
                "vault.invalid",
                422,
                message,
                "Correct this field and save again",
            )
            .at(field),
            Self::Roots(_) => Problem::new(
                "vault.roots",
                422,
                message,
                "Paste the certificate of the authority that signed the vault's, from BEGIN CERTIFICATE to END CERTIFICATE",
            )
            .at("roots"),
            Self::NotFound(_) => Problem::new(
                "vault.missing",
                404,
                message,
                "Load the list of vaults again",
            ),
            Self::InUse(_) => Problem::new(
                "vault.in_use",
                409,
                message,
                "Reconnect the profiles that use it with another vault or a typed secret, then remove it",
            ),
            Self::Seal(_) => Problem::internal(),
            Self::Connector(error) => error.problem(),
            Self::Store(error) => error.problem(),
        }
    }
}

fn place(id: &VaultId) -> Place<'_> {
    Place {
        table: "vaults",
        row: id.as_str(),
        column: "token_sealed",
    }
}

fn view(row: Row) -> VaultView {
    VaultView {
        name: row.name,
        kind: row.kind.as_str().to_owned(),
        title: row.kind.title(),
        address: row.address,
        app_id: row.app_id,
        mount: row.mount,
        namespace: row.namespace,
        has_token: row.token.is_some(),
        token_ends_in: row
            .token_hint
            .filter(|hint| !hint.is_empty())
            .map(|hint| format!("…{hint}")),
        has_roots: row.roots_pem.is_some(),
        fields: row.fields,
        set_by: row.set_by,
        set_at: row.set_at,
    }
}

/// All vaults by name, for whoever connects profiles.
///
/// # Errors
/// [`VaultError::Denied`].
pub async fn list(host: &Host, actor: &Actor) -> Result<Vec<VaultView>, VaultError> {
    actor.may(Permission::ManageProfiles)?;
    let mut tx = host.store.read_everything().await?;
    Ok(store::list(&mut tx).await?.into_iter().map(view).collect())
}

/// Adds a vault, or changes the one of this name. Another kind, address or authority deletes its token.
///
/// # Errors
/// [`VaultError::Invalid`] naming the field.
pub async fn set(host: &Host, actor: &Actor, new: SetVault) -> Result<VaultView, VaultError> {
    actor.may(Permission::Administer)?;
    let judged = Judged::of(host, &new)?;
    let mut tx = host.store.begin().await?;
    let old = store::find(&mut tx, &judged.name).await?;
    if old.is_none() && store::list(&mut tx).await?.len() >= MOST {
        let message = format!("there are {MOST} vaults already; remove one first");
        return Err(VaultError::invalid("name", message));
    }
    let now_ms = host.now_ms();
    let id = old.as_ref().map_or_else(
        || VaultId::mint(now_ms, &*host.chance),
        |row| row.id.clone(),
    );
    let stays = old.as_ref().is_some_and(|old| {
        old.kind == judged.kind && old.address == judged.address && old.roots_pem == judged.roots
    });
    let kept = old.filter(|_| stays);
    let (token, token_hint) = match (judged.kind, new.token.trim()) {
        (VaultKind::CyberarkCcp, _) => (None, None),
        (VaultKind::KvV2, "") => kept.map_or((None, None), |old| (old.token, old.token_hint)),
        (VaultKind::KvV2, text) => {
            let sealed = host
                .sealer
                .seal(place(&id), text.as_bytes(), &*host.chance)?;
            (Some(sealed), Some(hint(text)))
        }
    };
    if judged.kind == VaultKind::KvV2 && token.is_none() {
        return Err(VaultError::invalid(
            "token",
            "a key-value engine wants a token; after a change of address, kind or authority it is asked again",
        ));
    }
    let row = Row {
        id,
        name: judged.name,
        kind: judged.kind,
        address: judged.address,
        app_id: judged.app_id,
        mount: judged.mount,
        namespace: judged.namespace,
        token,
        token_hint,
        roots_pem: judged.roots,
        set_by: Some(actor.name.clone()),
        set_at: now_ms,
        fields: 0,
    };
    let key_id = row.token.is_some().then(|| host.sealer.key_id());
    store::put(&mut tx, &row, key_id.as_deref(), &actor.id).await?;
    let detail = json!({"name": row.name, "kind": row.kind.as_str(), "address": row.address, "app_id": row.app_id, "token": row.token.is_some()});
    record(host, &mut tx, actor, "vault.set", &row.id, detail).await?;
    let name = row.name;
    let stored = store::find(&mut tx, &name).await?;
    tx.commit().await?;
    stored.map(view).ok_or(VaultError::NotFound(name))
}

/// Removes a vault that nothing is fetched from.
///
/// # Errors
/// [`VaultError::InUse`], [`VaultError::NotFound`].
pub async fn remove(host: &Host, actor: &Actor, name: &str) -> Result<(), VaultError> {
    actor.may(Permission::Administer)?;
    let mut tx = host.store.begin().await?;
    let row = store::find(&mut tx, name)
        .await?
        .ok_or_else(|| VaultError::NotFound(name.chars().take(100).collect()))?;
    if row.fields > 0 {
        return Err(VaultError::InUse(row.fields));
    }
    store::delete(&mut tx, &row.id).await?;
    let detail = json!({"name": row.name});
    record(host, &mut tx, actor, "vault.removed", &row.id, detail).await?;
    Ok(tx.commit().await?)
}

/// What was typed, once it holds.
struct Judged {
    name: String,
    kind: VaultKind,
    address: String,
    app_id: String,
    mount: String,
    namespace: String,
    roots: Option<String>,
}

impl Judged {
    fn of(host: &Host, new: &SetVault) -> Result<Self, VaultError> {
        let name = new.name.trim();
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.');
        if name.is_empty() || name.chars().count() > 60 || !name.chars().all(is_plain) {
            return Err(VaultError::invalid(
                "name",
                "a name has 1 to 60 letters, digits, spaces, dots, dashes or underscores",
            ));
        }
        let kind = VaultKind::parse(&new.kind)
            .ok_or_else(|| VaultError::invalid("kind", "the kind is cyberark_ccp or kv_v2"))?;
        let url = Url::parse(new.address.trim()).map_err(|_| {
            VaultError::invalid(
                "address",
                "this is no address; write it as https://vault.example.com",
            )
        })?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(VaultError::invalid(
                "address",
                "an address has no `?` and no `#`",
            ));
        }
        let client = host.connectors.client();
        client.permits(&patterns(&url), &url).map_err(|failure| {
            let message = VaultFault::new(name, Trouble::NotAllowed(failure.message)).problem();
            VaultError::invalid(
                "address",
                format!("{}; {}", message.message, message.fix.text),
            )
        })?;
        let app_id = new.app_id.trim();
        let is_ccp = kind == VaultKind::CyberarkCcp;
        if is_ccp && (app_id.is_empty() || app_id.chars().count() > 128) {
            let message = "CyberArk wants the id under which it knows this application";
            return Err(VaultError::invalid("app_id", message));
        }
        let only = |is_kind: bool, text: &str| {
            if is_kind {
                text.trim().trim_matches('/').to_owned()
            } else {
                String::new()
            }
        };
        let mount = match only(!is_ccp, &new.mount) {
            text if text.is_empty() && !is_ccp => "secret".to_owned(),
            text => text,
        };
        let namespace = only(!is_ccp, &new.namespace);
        let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if !is_word(&mount) || !is_word(&namespace) {
            let message = "mount and namespace have no spaces and only ASCII";
            return Err(VaultError::invalid("mount", message));
        }
        let roots = Some(new.roots.trim()).filter(|pem| !pem.is_empty());
        if let Some(pem) = roots {
            read_roots(pem, Some(host.now_ms()))?;
        }
        Ok(Self {
            name: name.to_owned(),
            kind,
            address: url.to_string(),
            app_id: if is_ccp {
                app_id.to_owned()
            } else {
                String::new()
            },
            mount,
            namespace,
            roots: roots.map(str::to_owned),
        })
    }
}

/// The end of a token by which a person knows it again; nothing of a short one.
fn hint(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() >= 16 {
        letters[letters.len() - 4..].iter().collect()
    } else {
        String::new()
    }
}

fn patterns(url: &Url) -> Vec<HostPattern> {
    let name = url.host_str().unwrap_or_default();
    HostPattern::parse(name).ok().into_iter().collect()
}

async fn record(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    event: &'static str,
    id: &VaultId,
    detail: serde_json::Value,
) -> Result<(), StoreError> {
    let entry = Entry {
        event,
        subject_kind: "vault",
        subject_id: id.as_str(),
        detail,
    };
    host.audit(tx, actor, entry).await
}

/// The fields of an alias that are fetched, by name.
///
/// # Errors
/// The database's own.
pub async fn fields(tx: &mut Tx, alias: &AliasId) -> Result<Vec<FieldView>, StoreError> {
    let all = store::fields(tx, alias).await?;
    Ok(all
        .into_iter()
        .map(|row| FieldView {
            field: row.field,
            from: row.from,
            set_by: row.set_by,
            set_at: row.set_at,
        })
        .collect())
}

/// Stores where the fields of an alias are fetched, in the caller's transaction; what was stored before is gone.
///
/// # Errors
/// [`VaultFault`] in the outcome for a vault that there is not.
pub async fn put_fields(
    tx: &mut Tx,
    actor: &Actor,
    alias: &AliasId,
    all: &BTreeMap<String, FromVault>,
    now_ms: i64,
) -> Result<Result<(), VaultFault>, StoreError> {
    store::forget_fields(tx, alias).await?;
    for (field, from) in all {
        let from = match from.judged() {
            Ok(from) => from,
            Err(fault) => return Ok(Err(fault)),
        };
        let Some(vault) = store::find(tx, &from.vault).await? else {
            return Ok(Err(VaultFault::new(&from.vault, Trouble::Unknown)));
        };
        let by = (&actor.id, now_ms);
        store::put_field(tx, alias, field, &vault.id, &from, by).await?;
    }
    Ok(Ok(()))
}

/// Forgets where the fields of an alias are fetched, in the caller's transaction.
///
/// # Errors
/// The database's own.
pub async fn forget_fields(tx: &mut Tx, alias: &AliasId) -> Result<(), StoreError> {
    store::forget_fields(tx, alias).await
}

/// Fetches one value, now. Nothing is kept of it here.
///
/// # Errors
/// [`VaultFault`] with what went wrong.
pub async fn fetch(host: &Host, from: &FromVault) -> Result<Fetched, VaultFault> {
    let from = from.judged()?;
    let fault = |trouble| VaultFault::new(&from.vault, trouble);
    let found = async {
        let mut tx = host.store.read_everything().await?;
        store::find(&mut tx, &from.vault).await
    };
    let row = found
        .await
        .map_err(|error| {
            tracing::error!(error = %error, "a vault could not be looked up");
            fault(Trouble::Unreachable(
                "the database does not answer".to_owned(),
            ))
        })?
        .ok_or_else(|| fault(Trouble::Unknown))?;
    let token = match &row.token {
        Some(sealed) => {
            let plain = host.sealer.open(place(&row.id), sealed);
            let plain = plain.map_err(|_| fault(Trouble::Token))?;
            let text = std::str::from_utf8(&plain).map_err(|_| fault(Trouble::Token))?;
            Zeroizing::new(text.to_owned())
        }
        None => Zeroizing::default(),
    };
    let vault = Vault {
        address: Url::parse(&row.address).map_err(|_| fault(Trouble::Shape))?,
        app_id: row.app_id,
        mount: row.mount,
        namespace: row.namespace,
    };
    let way = WayOut {
        extra_roots: row.roots_pem.map(String::into_bytes).into_iter().collect(),
        ..WayOut::default()
    };
    let client = host
        .connectors
        .client_through(&way)
        .map_err(|error| fault(Trouble::Unreachable(error.to_string())))?;
    let protocol = protocol(row.kind);
    let request = protocol
        .request(&vault, &token, &from.query)
        .map_err(fault)?;
    let patterns = patterns(&vault.address);
    let sent = tokio::time::timeout(ANSWER, client.send(&patterns, request));
    let answer = match sent.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(failure)) if failure.code.starts_with("egress.") => {
            return Err(fault(Trouble::NotAllowed(failure.message)));
        }
        Ok(Err(failure)) => return Err(fault(Trouble::Unreachable(failure.message))),
        Err(_) => {
            let why = "it did not answer within ten seconds";
            return Err(fault(Trouble::Unreachable(why.to_owned())));
        }
    };
    let status = answer.status();
    let body = Zeroizing::new(answer.into_body());
    protocol.value(status, &body, &from.property).map_err(fault)
}
