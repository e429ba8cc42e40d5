//! The words of the command line. Data only; what they do is beside.
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::access::{AccessVerb, SignOnVerb};
use super::account::{AuditVerb, TokenVerb};
use super::key::KeyVerb;
pub use super::local_args::{DemoArgs, PracticeOrgArgs};
use super::messages_args::{DeliveryVerb, MailVerb, NotificationVerb, WebhookVerb};
use super::proxy::ProxyVerb;
use super::reclaim_args::{
    ActionVerb, BatchVerb, CandidateVerb, ExemptionVerb, ReclaimVerb, RuleVerb,
};
use super::vault::VaultVerb;

/// Finds SaaS seats that nobody uses and takes them back safely.
#[derive(Debug, Parser)]
#[command(
    name = "seatwise",
    version,
    propagate_version = true,
    after_help = "Examples:\n  seatwise demo                          the main job on two local practice orgs, then the web UI\n  seatwise position                      rights owned against rights used\n  seatwise rule preview RUL0001001       who a rule would name, and why\n\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 refused, 4 conflict or stale."
)]
pub struct Cli {
    /// How to reach a host.
    #[command(flatten)]
    pub connection: Connection,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How commands reach a host.
#[derive(Clone, Debug, Args)]
pub struct Connection {
    /// Address of the host
    #[arg(
        long,
        global = true,
        env = "SEATWISE_SERVER",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL"
    )]
    pub server: String,
    /// Personal token; better by environment or file than here, where other users of this machine may read it
    #[arg(
        long,
        global = true,
        env = "SEATWISE_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        hide = true
    )]
    pub token: Option<String>,
    /// File that holds a personal token; `serve` and `demo` name the ones they write
    #[arg(long, global = true, env = "SEATWISE_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Print the API's JSON instead of a table
    #[arg(long, global = true)]
    pub json: bool,
}

/// All nouns.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the pages, the API and the work behind them
    Serve(ServeArgs),
    /// Do the main job on two local practice orgs, then serve the web UI
    Demo(DemoArgs),
    /// Run a local practice org of a connector's vendor
    #[command(
        after_help = "Example:\n  seatwise practice-org CONNECTOR --port 9443 --users 5000 --seed 7"
    )]
    PracticeOrg(PracticeOrgArgs),
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "a doc comment here would become the help of every command"
    )]
    Remote(Remote),
}

/// Commands that ask a host over its API.
#[derive(Debug, Subcommand)]
pub enum Remote {
    /// Integration profiles: connect vendor orgs
    #[command(subcommand)]
    Profile(ProfileVerb),
    /// How a profile's requests leave: proxy, trusted authorities, further hosts
    #[command(subcommand)]
    Proxy(ProxyVerb),
    /// Runs: downloads of a profile
    #[command(subcommand)]
    Run(RunVerb),
    /// Sources: where rows come from, and one counting instead of another
    #[command(subcommand)]
    Source(super::sources::SourceVerb),
    /// Subscriptions: who holds which seat
    #[command(subcommand)]
    Subscription(SubscriptionVerb),
    /// Software models, made from recognised products
    #[command(subcommand)]
    Model(ModelVerb),
    /// Subscription identifiers and the queue of unrecognised ones
    #[command(subcommand)]
    Identifier(IdentifierVerb),
    /// Entitlements: rights owned and what they cost
    #[command(subcommand)]
    Entitlement(EntitlementVerb),
    /// Sources without a connector: who holds which licence, from a CSV file
    #[command(subcommand)]
    Import(super::import::ImportVerb),
    /// Identity providers: sign-ins as a further source of use
    #[command(subcommand)]
    IdentitySource(super::sign_ins::IdentitySourceVerb),
    /// People of the directory
    #[command(subcommand)]
    People(PeopleVerb),
    /// Rights owned against rights used, from the last reconciliation
    Position(PositionArgs),
    /// Reconcile now
    Reconcile,
    /// Reclamation rules
    #[command(subcommand)]
    Rule(RuleVerb),
    /// Removal candidates
    #[command(subcommand)]
    Candidate(CandidateVerb),
    /// Batches of candidates put up for approval
    #[command(subcommand)]
    Batch(BatchVerb),
    /// Actions at vendors, with their literal requests and receipts
    #[command(subcommand)]
    Action(ActionVerb),
    /// Exemptions: who is never named by a rule
    #[command(subcommand)]
    Exemption(ExemptionVerb),
    /// The switch that stops every reclaim, and freeze days
    #[command(subcommand)]
    Reclaim(ReclaimVerb),
    /// Look at database, key, disk, clock, connectors, mail, webhooks and each profile's rights, each with what to do; fails when a line does
    Doctor,
    /// The audit trail
    #[command(subcommand)]
    Audit(AuditVerb),
    /// Master keys that seal every secret; administrators only
    #[command(subcommand)]
    Key(KeyVerb),
    /// Personal tokens; they are made on the page Tokens, by a signed-in person only
    #[command(subcommand)]
    Token(TokenVerb),
    /// Who may sign in, with which roles; people are invited on the page Access
    #[command(subcommand)]
    Access(AccessVerb),
    /// Single sign-on and the roles its groups give
    #[command(subcommand)]
    SignOn(SignOnVerb),
    /// The mail server: how mail leaves
    #[command(subcommand)]
    Mail(MailVerb),
    /// Messages and what became of them
    #[command(subcommand)]
    Delivery(DeliveryVerb),
    /// What you are told by mail
    #[command(subcommand)]
    Notification(NotificationVerb),
    /// External vaults that fields of credentials are fetched from
    #[command(subcommand)]
    Vault(VaultVerb),
    /// Webhooks: where events are sent to
    #[command(subcommand)]
    Webhook(WebhookVerb),
}

/// `serve`.
#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Folder of the embedded database, the keys and the outbox
    #[arg(
        long,
        env = "SEATWISE_DATA",
        default_value = "seatwise-data",
        value_name = "DIR"
    )]
    pub data: PathBuf,
    /// Database; without it, an SQLite file in the data folder
    #[arg(
        long,
        env = "SEATWISE_DATABASE",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database: Option<String>,
    /// Where to listen
    #[arg(
        long,
        env = "SEATWISE_LISTEN",
        default_value = "127.0.0.1:8080",
        value_name = "ADDR"
    )]
    pub listen: SocketAddr,
    /// Where people reach this host, behind a proxy that ends TLS; sign-in links and callback URLs begin with it
    #[arg(long, env = "SEATWISE_PUBLIC_URL", value_name = "URL", value_parser = public_url)]
    pub public_url: Option<String>,
    /// A private or loopback target that connectors may reach, exactly as written; shown on every page
    #[arg(long, value_name = "HOST:PORT")]
    pub allow_target: Vec<String>,
    /// Mail server: smtp://USER@HOST:587 (STARTTLS), smtps://USER@HOST:465 (TLS), smtp+plain://localhost:25; without it, the page Mail decides
    #[arg(long, env = "SEATWISE_MAIL_URL", value_name = "URL")]
    pub mail_url: Option<String>,
    /// Whom mail is from
    #[arg(
        long,
        env = "SEATWISE_MAIL_SENDER",
        default_value = "Seatwise <seatwise@localhost>",
        value_name = "MAILBOX"
    )]
    pub mail_sender: String,
    /// File that holds the password of the mail server's user
    #[arg(long, env = "SEATWISE_MAIL_PASSWORD_FILE", value_name = "FILE")]
    pub mail_password_file: Option<PathBuf>,
    /// An address that requests of this host come from, as a vendor sees it; shown where an allow-list at the vendor wants it
    #[arg(
        long,
        env = "SEATWISE_OUTBOUND_ADDRESS",
        value_delimiter = ',',
        value_name = "ADDR"
    )]
    pub outbound_address: Vec<String>,
}

/// An address like `https://seatwise.example.com`: nothing behind the host, because links are made by adding to it.
fn public_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty();
    if is_plain {
        Ok(url.origin().ascii_serialization())
    } else {
        Err("an address has a scheme, a host and perhaps a port, nothing else".to_owned())
    }
}

/// Verbs of profiles.
#[derive(Debug, Subcommand)]
pub enum ProfileVerb {
    /// Make a draft profile, with its alias and credential
    #[command(
        after_help = "Example:\n  seatwise profile create --connector CONNECTOR --name \"CRM Europe\" --login-url https://acme.my.vendor.example \\\n    --grant client-credentials --client-id 3MVG9... --client-secret-file secret.txt"
    )]
    Create(ProfileCreate),
    /// List profiles
    List,
    /// Show one profile: state, attention, checks, token, next run
    Show {
        /// Such as PRF0001001
        number: String,
    },
    /// Show the connection: token, scopes, whose it is, what to do about a dead one
    Connection {
        /// Such as PRF0001001
        number: String,
    },
    /// Connect, or connect anew; refused for a credential of another org
    #[command(
        after_help = "Examples:\n  seatwise profile connect PRF0001001 --grant jwt-bearer --client-id 3MVG9... --username seatwise@acme.example --private-key-file key.pem\n  seatwise profile connect PRF0001001 --grant device-code --client-id 3MVG9...        prints a code and waits for its confirmation"
    )]
    Connect(super::connect::ProfileConnect),
    /// Answer the tasks of the playbook, from nothing to publishing
    #[command(subcommand)]
    Playbook(super::playbook::PlaybookVerb),
    /// Run the named checks, each with its fix
    Check {
        /// Such as PRF0001001
        number: String,
    },
    /// Publish: refuses while a mandatory check fails, then starts the first run
    Publish {
        /// Such as PRF0001001
        number: String,
        /// Follow the first run to its end
        #[arg(long)]
        wait: bool,
    },
    /// Collect now
    Run {
        /// Such as PRF0001001
        number: String,
        /// Follow the run to its end
        #[arg(long)]
        wait: bool,
    },
    /// Pause: nothing is downloaded, nobody is acted on
    Pause {
        /// Such as PRF0001001
        number: String,
    },
    /// Resume a paused profile
    Resume {
        /// Such as PRF0001001
        number: String,
    },
    /// End a profile; its history stays, and it cannot be opened again
    Archive {
        /// Such as PRF0001001
        number: String,
    },
    /// Set what may be written to the vendor; going live is refused while the reclaim check fails
    WriteMode {
        /// Such as PRF0001001
        number: String,
        /// The mode
        mode: WriteMode,
    },
    /// Set when it collects by itself
    #[command(
        after_help = "Example:\n  seatwise profile schedule PRF0001001 --cron \"0 3 * * *\" --zone Europe/Berlin"
    )]
    Schedule {
        /// Such as PRF0001001
        number: String,
        /// Five cron fields
        #[arg(long, value_name = "CRON")]
        cron: String,
        /// IANA time zone
        #[arg(long, value_name = "ZONE")]
        zone: String,
    },
}

/// What may be written to the vendor.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum WriteMode {
    /// No candidate acts
    Off,
    /// Everything but the sending
    DryRun,
    /// Approved seats are taken back
    Live,
}

impl WriteMode {
    /// The API's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::DryRun => "dry_run",
            Self::Live => "live",
        }
    }
}

/// `profile create`.
#[derive(Debug, Args)]
pub struct ProfileCreate {
    /// Connector, such as the ids that `profile list` shows
    #[arg(long, value_name = "ID")]
    pub connector: String,
    /// Name of the profile
    #[arg(long)]
    pub name: String,
    /// Parent alias, for a further org of the same vendor
    #[arg(long, value_name = "ALIAS")]
    pub parent: Option<String>,
    /// The org's login address
    #[arg(long, value_name = "URL")]
    pub login_url: String,
    /// OAuth grant: client-credentials or refresh-token
    #[arg(long, value_name = "GRANT")]
    pub grant: String,
    /// Client id of the registered app
    #[arg(long, value_name = "ID")]
    pub client_id: String,
    /// File that holds the client secret; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: PathBuf,
    /// File that holds the refresh token, for that grant
    #[arg(long, value_name = "FILE")]
    pub refresh_token_file: Option<PathBuf>,
    /// A setting of the connector; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub setting: Vec<String>,
}

/// Verbs of runs.
#[derive(Debug, Subcommand)]
pub enum RunVerb {
    /// List runs, newest first
    List {
        /// Only those of this profile
        #[arg(long, value_name = "NUMBER")]
        profile: Option<String>,
    },
    /// Show one run: stage, counts, why it stopped
    Show {
        /// Such as RUN0000042
        number: String,
        /// Follow it to its end
        #[arg(long)]
        follow: bool,
    },
    /// Accept a held download, so that its differences are applied
    Accept {
        /// Such as RUN0000042
        number: String,
        /// Why it is right
        #[arg(long)]
        reason: String,
    },
    /// Continue a failed run at the page where it stopped
    Resume {
        /// Such as RUN0000042
        number: String,
        /// Follow it to its end
        #[arg(long)]
        follow: bool,
    },
    /// Stop a run; nothing of it is applied
    Cancel {
        /// Such as RUN0000042
        number: String,
    },
}

/// Verbs of subscriptions.
#[derive(Debug, Subcommand)]
pub enum SubscriptionVerb {
    /// List subscriptions with their inactive days and why or why not
    List(SubscriptionList),
    /// Show one account: what it holds and when it was used
    Account {
        /// Id of the organization, as `subscription list --json` names it
        organization: String,
        /// The vendor's id of the account
        account: String,
    },
}

/// `subscription list`.
#[derive(Debug, Args)]
pub struct SubscriptionList {
    /// Part of a name or address
    #[arg(long)]
    pub search: Option<String>,
    /// active, inactive, unresolved, unrecognised, unknown or frozen
    #[arg(long)]
    pub standing: Option<String>,
    /// Unused for at least so many whole days
    #[arg(long, value_name = "DAYS")]
    pub inactive_days: Option<i64>,
    /// What the vendor tells of the account, such as department=Sales; licence=LABEL asks for the licence's label
    #[arg(long = "where", value_name = "NAME=VALUE", value_parser = parts)]
    pub attribute: Option<(String, String)>,
    /// Continue after this key, as a list's end names it
    #[arg(long, value_name = "KEY")]
    pub after: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100)]
    pub limit: u32,
}

/// `NAME=VALUE` of the command line.
fn parts(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, value)| !name.trim().is_empty() && !value.trim().is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write NAME=VALUE, such as department=Sales".to_owned())
}

/// Verbs of models.
#[derive(Debug, Subcommand)]
pub enum ModelVerb {
    /// List software models
    List,
}

/// Verbs of identifiers.
#[derive(Debug, Subcommand)]
pub enum IdentifierVerb {
    /// List the identifiers that no product claims yet
    List,
    /// Say which product an identifier is, for every org
    Assign {
        /// The connector that downloaded it
        #[arg(long, value_name = "ID")]
        connector: String,
        /// The vendor's key, exactly
        identifier: String,
        /// Name of the product
        #[arg(long)]
        product: String,
    },
}

/// Verbs of entitlements.
#[derive(Debug, Subcommand)]
pub enum EntitlementVerb {
    /// Add rights owned
    #[command(
        after_help = "Example:\n  seatwise entitlement add --product \"Sales Cloud\" --rights 10 --price 1800 --currency USD --period year \\\n    --from 2026-01-01 --to 2026-12-31 --shared"
    )]
    Add(EntitlementAdd),
    /// List entitlements
    List,
    /// Retire an entitlement; it stays on record
    Retire {
        /// Its number
        number: String,
    },
}

/// `entitlement add`.
#[derive(Debug, Args)]
pub struct EntitlementAdd {
    /// Product
    #[arg(long)]
    pub product: String,
    /// How many; without it, unlimited
    #[arg(long)]
    pub rights: Option<i64>,
    /// Price of one right for one period, at most six decimals
    #[arg(long)]
    pub price: String,
    /// ISO 4217
    #[arg(long)]
    pub currency: String,
    /// month, quarter, year or entire
    #[arg(long, default_value = "year")]
    pub period: String,
    /// First day, YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    pub from: String,
    /// Last day, YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    pub to: String,
    /// The contract shares these rights across all orgs
    #[arg(long, conflicts_with = "organization")]
    pub shared: bool,
    /// Only for this organization
    #[arg(long, value_name = "ID")]
    pub organization: Option<String>,
    /// Anything to remember
    #[arg(long)]
    pub note: Option<String>,
}

/// Verbs of people.
#[derive(Debug, Subcommand)]
pub enum PeopleVerb {
    /// Import people from CSV: name, email, external_id, business_unit, department, cost_centre, status
    Import {
        /// The file; `-` reads standard input
        file: PathBuf,
    },
    /// List people, or accounts without a person
    List {
        /// Accounts that match nobody
        #[arg(long)]
        unmatched: bool,
    },
}

/// `position`.
#[derive(Debug, Args)]
pub struct PositionArgs {
    /// Leave the rows of single orgs out
    #[arg(long)]
    pub contract_only: bool,
}
