//! The words of the commands about messages. Data only.
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Verbs of mail.
#[derive(Debug, Subcommand)]
pub enum MailVerb {
    /// Show how mail leaves
    Show,
    /// Set the mail server
    #[command(
        after_help = "Example:\n  seatwise mail set --host smtp.acme.example --port 587 --security starttls --sender \"Seatwise <seatwise@acme.example>\" \\\n    --username seatwise --password-file mail.txt"
    )]
    Set(MailSet),
    /// Put mail into the pickup directory again
    Remove,
    /// Send yourself a test mail, and print what the server says
    Test,
}

/// `mail set`.
#[derive(Debug, Args)]
pub struct MailSet {
    /// Name or address of the server
    #[arg(long, value_name = "HOST")]
    pub host: String,
    /// Its port
    #[arg(long, default_value_t = 587, value_name = "P")]
    pub port: u16,
    /// starttls, tls, or none (only to this machine)
    #[arg(long, default_value = "starttls")]
    pub security: String,
    /// Whom mail is from
    #[arg(long, value_name = "MAILBOX")]
    pub sender: String,
    /// Who signs in
    #[arg(long)]
    pub username: Option<String>,
    /// File that holds the password; `-` reads standard input. Without it the stored one is kept
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// File with a further trusted root, PEM
    #[arg(long, value_name = "FILE")]
    pub root_file: Option<PathBuf>,
}

/// Verbs of deliveries.
#[derive(Debug, Subcommand)]
pub enum DeliveryVerb {
    /// List messages, newest first
    List {
        /// due, sent, failed or withdrawn
        #[arg(long)]
        state: Option<String>,
        /// Continue after this key, as a list's end names it
        #[arg(long, value_name = "KEY")]
        after: Option<String>,
    },
    /// Show how much waits, and since when
    Backlog,
    /// Try a message again, now
    Retry {
        /// Its id
        id: String,
    },
    /// Withdraw a message that has not been delivered
    Withdraw {
        /// Its id
        id: String,
    },
}

/// Verbs of webhooks.
#[derive(Debug, Subcommand)]
pub enum WebhookVerb {
    /// List webhooks
    List,
    /// Make a webhook; prints its secret, this once
    #[command(
        after_help = "Example:\n  seatwise webhook add --name Tickets --url https://hooks.acme.example/seatwise run_failed token_died"
    )]
    Add {
        /// Unique
        #[arg(long)]
        name: String,
        /// A public https address
        #[arg(long)]
        url: String,
        /// What it is told of, in the words of `notification list`
        #[arg(required = true)]
        causes: Vec<String>,
    },
    /// Show a webhook; its deliveries are on its page
    Show {
        /// Its id
        id: String,
    },
    /// Set what a webhook is told of: exactly these
    Causes {
        /// Its id
        id: String,
        /// In the words of `notification list`
        #[arg(required = true)]
        causes: Vec<String>,
    },
    /// Send a test event, and print what the other side says
    Test {
        /// Its id
        id: String,
    },
    /// Switch a webhook on
    On {
        /// Its id
        id: String,
    },
    /// Switch a webhook off; what waits is withdrawn
    Off {
        /// Its id
        id: String,
    },
    /// Make a new secret; prints it, this once. The old one is worth nothing at once
    Secret {
        /// Its id
        id: String,
    },
    /// Take a webhook away with its secret
    Remove {
        /// Its id
        id: String,
    },
}

/// Verbs of notifications.
#[derive(Debug, Subcommand)]
pub enum NotificationVerb {
    /// List what you are told by mail
    List,
    /// Set what you are told by mail: exactly these
    #[command(after_help = "Example:\n  seatwise notification set run_failed token_died")]
    Set {
        /// Words as `notification list` shows them
        causes: Vec<String>,
    },
}
