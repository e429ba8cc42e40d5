//! Commands of sources without a connector.
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{CliError, Client};
use super::output::{self, As};

/// Verbs of imports.
#[derive(Debug, Subcommand)]
pub enum ImportVerb {
    /// Make a source: an organization of its own, to which files bring who holds which licence
    Create {
        /// Unique; letters, digits, blanks and underscores
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Who publishes the software
        #[arg(long, value_name = "NAME")]
        publisher: String,
    },
    /// List sources without a connector
    List,
    /// Show one source with its files
    Show {
        /// Such as PRF0001001
        number: String,
    },
    /// Bring a file and show how it will be read; imports nothing
    #[command(
        after_help = "Example:\n  seatwise import file PRF0001003 users.csv\n  seatwise import map PRF0001003 file_01... --column Plan=licence --dates day_month_year\n  seatwise import run PRF0001003 file_01... --leave-out 3"
    )]
    File {
        /// Such as PRF0001001
        number: String,
        /// The file; `-` reads standard input
        file: PathBuf,
        /// utf-8, utf-16le, utf-16be or windows-1252; without it by the file's mark, else UTF-8
        #[arg(long, value_name = "NAME")]
        encoding: Option<String>,
        /// `,`, `;`, `|` or `tab`; without it what the heading line has most of
        #[arg(long, value_name = "CHAR")]
        separator: Option<String>,
    },
    /// Say what the columns of a file are read as, and show what that comes to
    Map {
        /// Such as PRF0001001
        number: String,
        /// Id of the file
        file: String,
        /// HEADING=MEANING, repeated: account, email, name, licence, assigned, created, last_activity, status, kind, attribute, ignore;
        /// with any of these the columns that are not named are not read
        #[arg(long, value_name = "HEADING=MEANING")]
        column: Vec<String>,
        /// iso, day_month_year, month_day_year, unix_seconds or unix_milliseconds
        #[arg(long, value_name = "FORM")]
        dates: Option<String>,
        /// The licence of every line, where no column names it
        #[arg(long, value_name = "NAME")]
        licence: Option<String>,
        /// An empty last activity means never used, not unknown
        #[arg(long, value_name = "YES", num_args = 0..=1, default_missing_value = "true")]
        empty_means_never: Option<bool>,
    },
    /// Import a file as a complete snapshot, as it was shown last: what it does not name ends
    Run {
        /// Such as PRF0001001
        number: String,
        /// Id of the file
        file: String,
        /// Leave out exactly so many lines that cannot be used
        #[arg(long, default_value_t = 0, value_name = "N")]
        leave_out: u64,
    },
    /// Delete a source: everything that its files brought ends; history stays
    Delete {
        /// Such as PRF0001001
        number: String,
    },
}

const SOURCE: &[output::Column] = &[
    ("Number", "/number", As::Text),
    ("Name", "/name", As::Text),
    ("Publisher", "/publisher", As::Text),
    ("State", "/state", As::Words),
    ("Accounts", "/accounts", As::Count),
    ("Active", "/subscriptions", As::Count),
    ("Unused", "/unused", As::Count),
    ("Last import", "/imported_at", As::Time),
];

/// What a preview says, and each line that cannot be used on a line of its own.
fn preview(client: &Client, file: &Value) {
    output::one(
        client,
        file,
        &[
            ("File", "/id", As::Text),
            ("Name", "/name", As::Text),
            ("Encoding", "/encoding", As::Text),
            ("Lines", "/lines", As::Count),
            ("Columns", "/headings", As::Text),
            ("Read as", "/mapping/columns", As::Text),
            ("Dates", "/mapping/dates", As::Words),
            ("Usable", "/judged/good", As::Count),
            ("Accounts", "/judged/accounts", As::Count),
            ("Not usable", "/judged/bad", As::Count),
            ("Missing", "/judged/refused", As::Text),
        ],
    );
    let reasons = file.pointer("/judged/reasons").and_then(Value::as_array);
    if let (false, Some(reasons)) = (client.json, reasons.filter(|reasons| !reasons.is_empty())) {
        out!(
            "{}",
            output::table(
                reasons,
                &[
                    ("Line", "/line", As::Count),
                    ("Column", "/column", As::Text),
                    ("Why it cannot be used", "/reason", As::Text),
                ],
            )
        );
    }
}

fn read_bytes(file: &std::path::Path) -> Result<Vec<u8>, CliError> {
    let read = if file == std::path::Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| CliError::own(format!("cannot read {}: {error}", file.display())))
}

/// Does what an import verb says.
pub async fn import(client: &Client, verb: ImportVerb) -> Result<(), CliError> {
    match verb {
        ImportVerb::Create { name, publisher } => {
            let body = json!({ "name": name, "publisher": publisher });
            let made = client.post("/imports", &body).await?;
            output::one(client, &made, SOURCE);
        }
        ImportVerb::List => {
            let answer = client.get("/imports", &[]).await?;
            output::list(client, &answer, SOURCE);
        }
        ImportVerb::Show { number } => {
            let source = client.get(&format!("/imports/{number}"), &[]).await?;
            output::one(client, &source, SOURCE);
            let files = source.get("files").and_then(Value::as_array);
            if let (false, Some(files)) = (client.json, files) {
                out!(
                    "{}",
                    output::table(
                        files,
                        &[
                            ("File", "/id", As::Text),
                            ("Name", "/name", As::Text),
                            ("Lines", "/lines", As::Count),
                            ("Not usable", "/judged/bad", As::Count),
                            ("Brought", "/created_at", As::Time),
                            ("Text", "/state", As::Words),
                        ],
                    )
                );
            }
        }
        ImportVerb::File {
            number,
            file,
            encoding,
            separator,
        } => {
            let name = file.file_name().map(|name| name.to_string_lossy());
            let body = json!({
                "name": name, "base64": STANDARD.encode(read_bytes(&file)?), "encoding": encoding, "separator": separator,
            });
            let brought = client
                .post(&format!("/imports/{number}/files"), &body)
                .await?;
            preview(client, &brought);
        }
        ImportVerb::Map {
            number,
            file,
            column,
            dates,
            licence,
            empty_means_never,
        } => {
            let mut columns: BTreeMap<&str, &str> = BTreeMap::new();
            for pair in &column {
                let (heading, meaning) = pair.rsplit_once('=').ok_or_else(|| {
                    CliError::own(format!("`{pair}` is not of the form HEADING=MEANING"))
                })?;
                columns.insert(heading, meaning);
            }
            let body = json!({
                "columns": (!columns.is_empty()).then_some(columns), "dates": dates, "licence": licence,
                "empty_means_never": empty_means_never,
            });
            let read = client
                .post(&format!("/imports/{number}/files/{file}/mapping"), &body)
                .await?;
            preview(client, &read);
        }
        ImportVerb::Run {
            number,
            file,
            leave_out,
        } => {
            let path = format!("/imports/{number}/files/{file}");
            let seen = client.get(&path, &[]).await?;
            let body = json!({ "version": seen["version"], "leave_out": leave_out });
            let started = client.post(&format!("{path}/import"), &body).await?;
            output::one(
                client,
                &started,
                &[
                    ("Run", "/run", As::Text),
                    ("Left out", "/left_out", As::Count),
                ],
            );
        }
        ImportVerb::Delete { number } => {
            let ended = client
                .post(&format!("/imports/{number}/delete"), &json!({}))
                .await?;
            output::one(client, &ended, SOURCE);
        }
    }
    Ok(())
}
