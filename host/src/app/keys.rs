//! The master keys: where they come from, and how another takes over while everything runs.
//!
//! They lie outside the database: in the environment (`SEATWISE_MASTER_KEY`), as a systemd credential (`seatwise-master-key`), or in
//! the file `keys/master.key` of the data folder. One key per line in hexadecimal; the first seals, the others only open. The key
//! that signs the audit trail lies in `keys/audit.key`.
//!
//! Invariants: a host does not start without the keys that its database needs, and never makes a new one in their place; a new key is
//! on disk before it seals; an old one is taken away only when no value needs it; a rotation that was cut off is taken up by the next.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::host::Host;
use super::start::{StartError, write_private};
use crate::audit::signer::Signer;
use crate::audit::{self, Entry};
use crate::identity::roles::{Actor, Denied, Permission};
use crate::kernel::chance::Chance;
use crate::kernel::digest::hex;
use crate::kernel::seal::{KEY_BYTES, MasterKey, Place, Sealer, key_id, key_of};
use crate::kernel::{IntoProblem, Problem};
use crate::store::sealed::{self, COLUMNS, Column};
use crate::store::{Store, StoreError};

/// Values wrapped anew in one transaction.
const BATCH: i64 = 200;
/// The environment's word for the keys.
const VARIABLE: &str = "SEATWISE_MASTER_KEY";
/// The name of the systemd credential.
const CREDENTIAL: &str = "seatwise-master-key";

/// How a key that does not come from our own file is changed: no host ever meets a value whose key it does not have.
const ROUNDS: &str = "Put the new key second where the keys come from and restart each host in turn; put it first and restart each \
    again; then rotate, which wraps every value with it";

/// Where the keys came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The environment.
    Environment,
    /// A file that systemd or another keeper provides.
    Provided(PathBuf),
    /// Our own file, which we may write.
    Own(PathBuf),
}

impl Source {
    /// Where this process finds its keys. `get` reads the environment.
    #[must_use]
    pub fn find(folder: &Path, get: impl Fn(&str) -> Option<String>) -> Self {
        if get(VARIABLE).is_some() {
            return Self::Environment;
        }
        match get("CREDENTIALS_DIRECTORY").map(|dir| Path::new(&dir).join(CREDENTIAL)) {
            Some(path) if path.exists() => Self::Provided(path),
            _ => Self::Own(own_file(folder)),
        }
    }
}

fn own_file(folder: &Path) -> PathBuf {
    folder.join("keys").join("master.key")
}

/// Current key first; never empty.
type Keys = Vec<MasterKey>;

/// Reads keys, one per line.
fn parse(text: &str) -> Option<Keys> {
    let keys: Option<Keys> = text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            if line.len() != KEY_BYTES * 2 || !line.is_ascii() {
                return None;
            }
            let mut key = Zeroizing::new([0u8; KEY_BYTES]);
            for (slot, pair) in key.iter_mut().zip(line.as_bytes().chunks(2)) {
                *slot = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
            }
            Some(key)
        })
        .collect();
    keys.filter(|keys| !keys.is_empty())
}

async fn write(path: &Path, keys: &[MasterKey]) -> Result<(), StartError> {
    let mut text = Zeroizing::new(String::new());
    for key in keys {
        text.push_str(&Zeroizing::new(hex(&**key)));
        text.push('\n');
    }
    // Written beside and moved: a crash leaves the old file or the new one, never a half.
    let beside = path.with_extension("key.new");
    write_private(&beside, &text).await?;
    tokio::fs::rename(&beside, path)
        .await
        .map_err(|source| StartError::File {
            path: path.to_owned(),
            source,
        })
}

/// The sealer of this installation. The first start makes a key; no later one does.
///
/// # Errors
/// [`StartError::Key`], [`StartError::KeyMissing`], [`StartError::KeyWrong`].
pub async fn open(
    source: &Source,
    store: &Store,
    chance: &dyn Chance,
    get: impl Fn(&str) -> Option<String>,
) -> Result<Sealer, StartError> {
    let (shown, text) = match source {
        Source::Environment => (PathBuf::from(VARIABLE), get(VARIABLE).map(Zeroizing::new)),
        Source::Provided(path) | Source::Own(path) => (path.clone(), read(path).await?),
    };
    let needed = needed(store).await?;
    let keys = match (text, source) {
        (Some(text), _) => parse(&text).ok_or_else(|| StartError::Key(shown.clone()))?,
        (None, Source::Own(path)) if needed.is_empty() => make(path, chance).await?,
        (None, _) => return Err(StartError::KeyMissing(shown)),
    };
    let sealer = Sealer::with_retired(&keys[0], &keys[1..]);
    let known = sealer.key_ids();
    match needed.into_iter().find(|id| !known.contains(id)) {
        Some(id) => Err(StartError::KeyWrong { id, path: shown }),
        None => Ok(sealer),
    }
}

/// What signs the audit trail of this installation. The first start makes its key; none does once a head is signed.
///
/// # Errors
/// [`StartError::Key`], [`StartError::TrailKeyMissing`], [`StartError::TrailKeyWrong`].
pub async fn of_trail(
    folder: &Path,
    store: &Store,
    chance: &dyn Chance,
) -> Result<Signer, StartError> {
    let path = folder.join("audit.key");
    let signed_with = audit::newest_key(store).await?;
    let keys = match read(&path).await? {
        Some(text) => parse(&text).ok_or_else(|| StartError::Key(path.clone()))?,
        None if signed_with.is_none() => make(&path, chance).await?,
        None => return Err(StartError::TrailKeyMissing(path)),
    };
    let signer = Signer::new(*keys[0]);
    match signed_with {
        Some(id) if id != signer.key_id() => Err(StartError::TrailKeyWrong { id, path }),
        _ => Ok(signer),
    }
}

async fn read(path: &Path) -> Result<Option<Zeroizing<String>>, StartError> {
    match tokio::fs::read_to_string(path).await {
        Ok(text) => Ok(Some(Zeroizing::new(text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StartError::File {
            path: path.to_owned(),
            source,
        }),
    }
}

async fn make(path: &Path, chance: &dyn Chance) -> Result<Keys, StartError> {
    let mut key = Zeroizing::new([0u8; KEY_BYTES]);
    chance.fill(&mut *key);
    let keys = vec![key];
    write(path, &keys).await?;
    Ok(keys)
}

/// Ids of the keys that the first values of each column need: enough to notice a lost or foreign key.
async fn needed(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut tx = store.read_everything().await?;
    let mut ids = Vec::new();
    for column in COLUMNS {
        for (_, value) in sealed::page(&mut tx, column, "", 1).await? {
            ids.extend(key_of(&value));
        }
    }
    Ok(ids)
}

/// Why the keys could not be looked at or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The keys are not ours to write.
    #[error(
        "the master keys come from the environment or from a provided file, which this host cannot change"
    )]
    Provided,
    /// The file could not be read or written.
    #[error("the key file cannot be used")]
    File(#[source] StartError),
    /// Other hosts could work on this database.
    #[error(
        "this database can serve several hosts, and the others would not know a key that this one makes"
    )]
    ManyHosts,
    /// Values still need an old key.
    #[error("{0} sealed values still need an old key")]
    Needed(u64),
    /// Values that no known key opens.
    #[error("{0} sealed values open with no key of this host")]
    Unreadable(u64),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for KeyError {
    fn problem(&self) -> Problem {
        let message = self.to_string();
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Provided => Problem::new("key.provided", 409, message, ROUNDS),
            Self::ManyHosts => Problem::new(
                "key.many_hosts",
                409,
                message,
                format!(
                    "If this is the only host, say so: `seatwise key rotate --only-host`. Otherwise: {ROUNDS}"
                ),
            ),
            Self::File(_) => Problem::new(
                "key.file",
                500,
                message,
                "Check the rights and the space of the folder keys in the data folder; nothing was lost",
            ),
            Self::Needed(_) => Problem::new(
                "key.needed",
                409,
                message,
                "Rotate once more, which takes up what is left, then retire again",
            ),
            Self::Unreadable(_) => Problem::new(
                "key.unreadable",
                409,
                message,
                "Restore the key file from your backup; `seatwise key verify` names the values",
            ),
            Self::Store(error) => error.problem(),
        }
    }
}

/// One master key as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct KeyView {
    /// Names it without telling it.
    pub id: String,
    /// Seals; the others only open.
    pub is_current: bool,
    /// This host has it.
    pub is_known: bool,
    /// Values under it, all columns together.
    pub values: u64,
}

/// What a look at every sealed value found.
#[derive(Clone, Debug, Serialize)]
pub struct KeysVerified {
    /// Values that were opened.
    pub opened: u64,
    /// `table.column row` of those that did not open: changed, moved, or under a lost key. At most a hundred are named.
    pub broken: Vec<String>,
    /// How many did not open.
    pub broken_count: u64,
}

/// What a rotation did.
#[derive(Clone, Debug, Serialize)]
pub struct Rotated {
    /// Id of the current key.
    pub current: String,
    /// Whether it is new, or an earlier rotation was taken up.
    pub is_new: bool,
    /// Values wrapped anew.
    pub rewrapped: u64,
    /// Ids of old keys that can be retired now.
    pub retired: Vec<String>,
}

/// Every key that is known or needed, with how many values are under it.
///
/// # Errors
/// [`KeyError::Denied`].
pub async fn list(host: &Host, actor: &Actor) -> Result<Vec<KeyView>, KeyError> {
    actor.may(Permission::Administer)?;
    let counts = counts(host).await?;
    let known = host.sealer.key_ids();
    let mut all: Vec<String> = known.clone();
    all.extend(counts.keys().filter(|id| !known.contains(id)).cloned());
    Ok(all
        .into_iter()
        .enumerate()
        .map(|(at, id)| KeyView {
            is_current: at == 0,
            is_known: known.contains(&id),
            values: counts.get(&id).copied().unwrap_or(0),
            id,
        })
        .collect())
}

/// Opens every sealed value and says which do not.
///
/// # Errors
/// [`KeyError::Denied`].
pub async fn verify(host: &Host, actor: &Actor) -> Result<KeysVerified, KeyError> {
    actor.may(Permission::Administer)?;
    let mut found = KeysVerified {
        opened: 0,
        broken: Vec::new(),
        broken_count: 0,
    };
    let mut walk = Walk::default();
    while let Some((column, page)) = walk.next(host).await? {
        for (row, value) in &page {
            if host.sealer.open(place(column, row), value).is_ok() {
                found.opened += 1;
                continue;
            }
            found.broken_count += 1;
            if found.broken.len() < 100 {
                let name = format!("{}.{} {row}", column.table, column.column);
                found.broken.push(name);
            }
        }
    }
    Ok(found)
}

/// Makes a new master key and wraps every value with it, in small transactions while everything runs. A rotation that was cut off is
/// taken up instead. The old key still opens until [`retire`].
///
/// `is_only_host` says that no other host works on this database, where it could.
///
/// # Errors
/// [`KeyError::Provided`] where a new key would have to come from elsewhere, [`KeyError::ManyHosts`].
pub async fn rotate(host: &Host, actor: &Actor, is_only_host: bool) -> Result<Rotated, KeyError> {
    actor.may(Permission::Administer)?;
    let before = counts(host).await?;
    let current = host.sealer.key_id();
    let others = host.sealer.key_ids().split_off(1);
    let is_left = others.iter().any(|id| before.contains_key(id));
    if !is_left {
        let source = Source::find(&host.options.data_dir, |name| std::env::var(name).ok());
        if !matches!(source, Source::Own(_)) {
            return Err(KeyError::Provided);
        }
        if !is_only_host && !host.store.is_alone() {
            return Err(KeyError::ManyHosts);
        }
        let path = own_file(&host.options.data_dir);
        let mut keys = own_keys(host, &path).await?;
        let mut new = Zeroizing::new([0u8; KEY_BYTES]);
        host.chance.fill(&mut *new);
        keys.insert(0, new);
        write(&path, &keys).await.map_err(KeyError::File)?;
        host.sealer.replace(&keys[0], &keys[1..]);
        note(host, actor, "key.made", json!({"before": current})).await?;
    }
    let mut rewrapped = 0;
    let mut walk = Walk::default();
    while let Some((column, page)) = walk.next(host).await? {
        for (row, value) in &page {
            let again = host.sealer.rewrap(place(column, row), value, &*host.chance);
            let Ok(Some(again)) = again else { continue };
            let mut tx = host.store.begin().await?;
            // Zero rows: somebody stored another value meanwhile, under the new key.
            if sealed::swap(&mut tx, column, row, value, &again).await? {
                rewrapped += 1;
            }
            tx.commit().await?;
        }
    }
    let retired = host.sealer.key_ids().split_off(1);
    note(host, actor, "key.rotated", json!({"rewrapped": rewrapped})).await?;
    Ok(Rotated {
        current: host.sealer.key_id(),
        is_new: !is_left,
        rewrapped,
        retired,
    })
}

/// Takes the old keys away, once no value needs them. From then on they open nothing here.
///
/// # Errors
/// [`KeyError::Needed`], [`KeyError::Unreadable`], [`KeyError::Provided`].
pub async fn retire(host: &Host, actor: &Actor) -> Result<Vec<KeyView>, KeyError> {
    actor.may(Permission::Administer)?;
    let known = host.sealer.key_ids();
    let counts = counts(host).await?;
    let under = |is: &dyn Fn(&String) -> bool| -> u64 {
        let all = counts.iter().filter(|(id, _)| is(id));
        all.map(|(_, values)| *values).sum()
    };
    match under(&|id| !known.contains(id)) {
        0 => {}
        values => return Err(KeyError::Unreadable(values)),
    }
    match under(&|id| known[1..].contains(id)) {
        0 => {}
        values => return Err(KeyError::Needed(values)),
    }
    let path = own_file(&host.options.data_dir);
    let keys = own_keys(host, &path).await?;
    write(&path, &keys[..1]).await.map_err(KeyError::File)?;
    host.sealer.replace(&keys[0], &[]);
    note(host, actor, "key.retired", json!({"keys": known[1..]})).await?;
    list(host, actor).await
}

/// The keys of our own file, which must be the ones in use.
async fn own_keys(host: &Host, path: &Path) -> Result<Keys, KeyError> {
    let text = match tokio::fs::read_to_string(path).await {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(KeyError::Provided);
        }
        Err(source) => {
            let path = path.to_owned();
            return Err(KeyError::File(StartError::File { path, source }));
        }
    };
    let keys = parse(&text).ok_or_else(|| KeyError::File(StartError::Key(path.to_owned())))?;
    let ids: Vec<String> = keys.iter().map(key_id).collect();
    if ids == host.sealer.key_ids() {
        Ok(keys)
    } else {
        Err(KeyError::Provided)
    }
}

fn place<'a>(column: &'a Column, row: &'a str) -> Place<'a> {
    Place {
        table: column.table,
        row,
        column: column.column,
    }
}

/// How many values are under each key.
async fn counts(host: &Host) -> Result<BTreeMap<String, u64>, KeyError> {
    let mut counts = BTreeMap::new();
    let mut walk = Walk::default();
    while let Some((_, page)) = walk.next(host).await? {
        for (_, value) in &page {
            let id = key_of(value).unwrap_or_else(|| "unreadable".to_owned());
            *counts.entry(id).or_default() += 1;
        }
    }
    Ok(counts)
}

/// A walk over every sealed value, a page at a time; no transaction is open between two pages.
#[derive(Default)]
struct Walk {
    column: usize,
    after: String,
}

impl Walk {
    async fn next(
        &mut self,
        host: &Host,
    ) -> Result<Option<(&'static Column, Vec<(String, Vec<u8>)>)>, StoreError> {
        while let Some(column) = COLUMNS.get(self.column) {
            let mut tx = host.store.read_everything().await?;
            let page = sealed::page(&mut tx, column, &self.after, BATCH).await?;
            if let Some((row, _)) = page.last() {
                self.after.clone_from(row);
                return Ok(Some((column, page)));
            }
            self.column += 1;
            self.after.clear();
        }
        Ok(None)
    }
}

async fn note(
    host: &Host,
    actor: &Actor,
    event: &'static str,
    detail: serde_json::Value,
) -> Result<(), KeyError> {
    let mut tx = host.store.begin().await?;
    let id = host.sealer.key_id();
    let entry = Entry {
        event,
        subject_kind: "key",
        subject_id: &id,
        detail,
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    Ok(())
}
