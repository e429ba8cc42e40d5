//! `connector.toml`: everything the host knows about one vendor.
//!
//! What it is for: the host code knows no connector's name. Origins, read operations, the planned writes, the OAuth
//! dialect, processes, actions, settings, product definitions and the error table with its fixes are data, and stand here.
//!
//! Invariants: a [`Manifest`] that exists is valid. Host and path patterns are compiled while parsing, every reference
//! between sections is checked, unknown keys are refused. Nothing here touches the network or a clock.

mod grants;
mod patterns;
pub mod playbook;
mod settings;
#[cfg(test)]
mod tests;
mod validate;

use serde::{Deserialize, Serialize};

pub use grants::{
    Audience, ClientAuth, Credential, CredentialKind, DeviceDialect, FieldWords, GrantKind,
    GrantOffer, IdentityAddress, Pkce,
};
pub use patterns::{HostPattern, PathPattern};
pub use playbook::Playbook;
pub use settings::{Property, PropertyType, Settings};

use crate::limits;

/// A parsed and checked `connector.toml`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Who this connector is.
    pub connector: Connector,
    /// What it asks of the host, within the host's maxima.
    #[serde(default)]
    pub limits: RequestedLimits,
    /// The places its requests may go to.
    pub origins: Vec<Origin>,
    /// The only requests a guest can make.
    pub read_operations: Vec<Operation>,
    /// What a planned step may be. Empty for a connector that never reclaims.
    #[serde(default)]
    pub write_operations: Vec<Operation>,
    /// How the host gets a token.
    pub credential: Credential,
    /// The processes it serves.
    pub processes: Vec<Process>,
    /// What a reclaim can do.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// What a profile can set.
    #[serde(default)]
    pub settings: Settings,
    /// Products that its identifiers stand for.
    #[serde(default)]
    pub products: Vec<Product>,
    /// What a vendor's error means for a person. The first match wins.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// What the guided set-up says about this vendor.
    #[serde(default)]
    pub playbook: Playbook,
}

/// The head of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// `[a-z0-9-]{3,64}`; never changes.
    pub id: String,
    /// For people.
    pub name: String,
    /// Three numbers with dots.
    pub version: String,
    /// Who publishes it.
    pub publisher: String,
    /// The contract it was built for, e.g. `seatwise:connector@0.1.0`.
    pub abi: String,
    /// One sentence.
    pub summary: String,
}

/// What a connector asks for. The host's maxima bound it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestedLimits {
    /// MiB of linear memory per call; default 64, at most 256.
    #[serde(default = "default_memory_mib")]
    pub memory_mib: u32,
}

impl Default for RequestedLimits {
    fn default() -> Self {
        Self {
            memory_mib: default_memory_mib(),
        }
    }
}

fn default_memory_mib() -> u32 {
    (limits::MEMORY_BYTES / limits::MIB) as u32
}

fn default_ports() -> Vec<u16> {
    vec![443]
}

fn yes() -> bool {
    true
}

/// A place that requests may go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The name a guest uses, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// What it is, for the person who consents.
    #[serde(default)]
    pub about: String,
    /// Hosts it may be. Always https.
    pub hosts: Vec<HostPattern>,
    /// Ports it may have; 443 if not given.
    #[serde(default = "default_ports")]
    pub ports: Vec<u16>,
    /// Where the base URL comes from.
    pub base: BaseSource,
}

/// Where an origin's base URL comes from. In TOML `"grant:FIELD"` or `"login"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BaseSource {
    /// A field of each token answer.
    Grant(String),
    /// The profile's login URL.
    Login,
}

impl TryFrom<String> for BaseSource {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "login" => Ok(Self::Login),
            Some(("grant", field)) if !field.is_empty() => Ok(Self::Grant(field.to_owned())),
            _ => Err(format!(
                "base \"{text}\" is neither \"login\" nor \"grant:FIELD\""
            )),
        }
    }
}

impl From<BaseSource> for String {
    fn from(source: BaseSource) -> Self {
        match source {
            BaseSource::Grant(field) => format!("grant:{field}"),
            BaseSource::Login => "login".to_owned(),
        }
    }
}

/// HTTP methods that a manifest may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    Get,
    /// Reads the head.
    Head,
    /// May be a read where the vendor models a query so; a write otherwise.
    Post,
    /// A write.
    Put,
    /// A write.
    Patch,
    /// A write; as a read operation only to give up a server-side cursor.
    Delete,
}

impl Method {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One kind of request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Name of the origin.
    pub origin: String,
    /// Exact method.
    pub method: Method,
    /// Matches the whole normalised path, without the query.
    pub path: PathPattern,
    /// What it does, for the person who consents.
    pub says: String,
    /// Whether a body may be sent. Only looked at for read operations, where it is off unless written: an endpoint that
    /// takes writes in a body is not a read operation.
    #[serde(default)]
    pub body: bool,
}

/// The four processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessId {
    /// Accounts and what they hold.
    Subscriptions,
    /// Who signed in when.
    Activity,
    /// What the vendor counts.
    Consumption,
    /// Taking seats back.
    Reclaim,
}

impl ProcessId {
    /// The word used in manifests, tables and pages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subscriptions => "subscriptions",
            Self::Activity => "activity",
            Self::Consumption => "consumption",
            Self::Reclaim => "reclaim",
        }
    }
}

/// A process a connector serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Which.
    pub id: ProcessId,
    /// For people.
    pub title: String,
    /// Whether a profile can do without it.
    #[serde(default)]
    pub optional: bool,
    /// OAuth scopes it needs.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Rights the connecting user needs at the vendor.
    #[serde(default)]
    pub rights: Vec<Right>,
}

/// A right at the vendor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// As the vendor calls it.
    pub name: String,
    /// Why it is needed.
    pub why: String,
}

/// How bad an action is when it was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Danger {
    /// Undo puts everything back.
    Reversible,
    /// Something is lost for good.
    Destructive,
}

/// What a reclaim can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// `[a-z0-9-]{1,64}`; the word in `target.action`.
    pub id: String,
    /// For people.
    pub title: String,
    /// How bad a mistake is.
    pub danger: Danger,
    /// Whether it frees the seat.
    #[serde(default = "yes")]
    pub frees_seat: bool,
    /// Exact keys, or keys that end in one `*`, of what it takes back. None: everything that no other action names.
    #[serde(default)]
    pub identifiers: Vec<String>,
    /// What happens to the person.
    pub says: String,
}

/// What a product's seats are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Named people.
    #[default]
    Seats,
    /// Logins per period.
    Logins,
    /// Anything else that is counted.
    Units,
}

/// A product that identifiers stand for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// For people.
    pub name: String,
    /// Who sells it.
    pub publisher: String,
    /// Exact keys, or keys that end in one `*`.
    pub identifiers: Vec<String>,
    /// Free products get no rule and no savings.
    #[serde(default)]
    pub free: bool,
    /// What is counted.
    #[serde(default)]
    pub metric: Metric,
}

impl Product {
    /// Whether the identifier is one of this product's; matching is by bytes.
    pub fn has(&self, identifier: &str) -> bool {
        self.identifiers
            .iter()
            .any(|key| matches_key(key, identifier))
    }
}

/// Whether an identifier is this key, or begins with it where it ends in `*`; matching is by bytes.
fn matches_key(key: &str, identifier: &str) -> bool {
    match key.strip_suffix('*') {
        Some(prefix) => identifier.starts_with(prefix),
        None => key == identifier,
    }
}

/// Where an error was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorPlace {
    /// The token endpoint.
    Token,
    /// Any other request.
    Api,
    /// No answer.
    Network,
}

/// What a vendor's error means for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// Stable code of ours.
    pub code: String,
    /// Where it was met.
    pub at: ErrorPlace,
    /// The vendor's own code, exact.
    #[serde(default)]
    pub error: Option<String>,
    /// Linear regular expression over the vendor's sentence.
    #[serde(default)]
    pub text: Option<String>,
    /// What happened, in a few words.
    pub title: String,
    /// Why.
    pub cause: String,
    /// What to do, and who can.
    pub fix: String,
    /// The field to show it at.
    #[serde(default)]
    pub field: Option<String>,
}

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Not TOML, an unknown or missing key, a pattern that does not compile. The text has line and column.
    #[error("connector.toml does not parse: {0}")]
    Syntax(String),
    /// Parses, but does not hold together.
    #[error("connector.toml, {at}: {why}")]
    Invalid {
        /// The section and entry.
        at: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ManifestError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax(_) => "manifest.syntax",
            Self::Invalid { .. } => "manifest.invalid",
        }
    }
}

impl Manifest {
    /// Parses and checks a manifest.
    ///
    /// # Errors
    /// [`ManifestError::Syntax`] with line and column, or [`ManifestError::Invalid`] naming the entry.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self =
            toml::from_str(text).map_err(|e| ManifestError::Syntax(e.to_string()))?;
        validate::check(&manifest)?;
        Ok(manifest)
    }

    /// The origin of that name.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.origins.iter().find(|origin| origin.name == name)
    }

    /// The process, if the connector serves it.
    pub fn process(&self, id: ProcessId) -> Option<&Process> {
        self.processes.iter().find(|process| process.id == id)
    }

    /// The action of that name.
    pub fn action(&self, id: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.id == id)
    }

    /// Actions that take back each of these identifiers, in the manifest's order.
    pub fn actions_for(&self, identifiers: &[String]) -> Vec<&Action> {
        let names = |action: &Action, identifier: &str| {
            action
                .identifiers
                .iter()
                .any(|key| matches_key(key, identifier))
        };
        let takes_back = |action: &Action, identifier: &str| {
            if action.identifiers.is_empty() {
                !self.actions.iter().any(|other| names(other, identifier))
            } else {
                names(action, identifier)
            }
        };
        self.actions
            .iter()
            .filter(|action| identifiers.iter().all(|it| takes_back(action, it)))
            .collect()
    }

    /// The grant of that name.
    pub fn grant(&self, id: &str) -> Option<&GrantOffer> {
        self.credential
            .grants
            .iter()
            .find(|grant| grant.id.as_str() == id)
    }

    /// The product an identifier stands for: an exact key before the longest prefix.
    pub fn product(&self, identifier: &str) -> Option<&Product> {
        self.products
            .iter()
            .flat_map(|product| product.identifiers.iter().map(move |key| (key, product)))
            .filter(|(key, _)| matches_key(key, identifier))
            .max_by_key(|(key, _)| (!key.ends_with('*'), key.len()))
            .map(|(_, product)| product)
    }

    /// What a vendor's error means: the first rule for that place whose code and sentence fit.
    pub fn error(&self, at: ErrorPlace, error: &str, sentence: &str) -> Option<&ErrorRule> {
        self.errors.iter().find(|rule| {
            rule.at == at
                && rule.error.as_deref().is_none_or(|code| code == error)
                && rule
                    .text
                    .as_deref()
                    .is_none_or(|text| patterns::linear(text).is_ok_and(|re| re.is_match(sentence)))
        })
    }
}
