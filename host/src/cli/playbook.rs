//! The playbook from the command line: the same tasks as its pages, through the same API.
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::client::{CliError, Client, read_text};
use super::connect::follow;
use super::output::{self, As, Column};

/// Verbs of a playbook.
#[derive(Debug, Subcommand)]
pub enum PlaybookVerb {
    /// Begin: a draft with nothing in it, with the answers of another org, or with another profile's connection
    #[command(
        after_help = "Examples:\n  seatwise profile playbook start --connector CONNECTOR\n  seatwise profile playbook start --connector CONNECTOR --from PRF0001001   a further org, with its answers\n  seatwise profile playbook start --connector CONNECTOR --with PRF0001001   its successor, with its connection and secret"
    )]
    Start(PlaybookStart),
    /// List the tasks with their state
    Tasks {
        /// Such as PRF0001001
        number: String,
    },
    /// Show what a task asks for, and what stands in it
    Ask {
        /// Such as PRF0001001
        number: String,
        /// The task, such as sign-in
        task: String,
    },
    /// Answer a task; what is not named stays as it is
    #[command(
        after_help = "Examples:\n  seatwise profile playbook answer PRF0001002 profile name=\"CRM Asia\" environment=production\n  seatwise profile playbook answer PRF0001002 sign-in grant=client-credentials login_url=https://acme.my.vendor.example client_id=3MVG9... --file client_secret=secret.txt\n  seatwise profile playbook answer PRF0001002 limits quota_percent=50\n  seatwise profile check PRF0001002 && seatwise profile publish PRF0001002 --wait"
    )]
    Answer(PlaybookAnswer),
    /// Say of a task that it is done, not needed, or to do again
    Mark {
        /// Such as PRF0001001
        number: String,
        /// The task, such as prepare-app
        task: String,
        /// What it is
        state: Mark,
    },
}

/// `profile playbook start`.
#[derive(Debug, Args)]
pub struct PlaybookStart {
    /// Connector, such as the ids that `profile list` shows
    #[arg(long, value_name = "ID")]
    pub connector: String,
    /// Profile whose answers are copied; never its address or secret
    #[arg(long, value_name = "NUMBER", conflicts_with = "with")]
    pub from: Option<String>,
    /// Profile whose alias is used as well, with its connection and secret
    #[arg(long, value_name = "NUMBER")]
    pub with: Option<String>,
}

/// `profile playbook answer`.
#[derive(Debug, Args)]
pub struct PlaybookAnswer {
    /// Such as PRF0001001
    pub number: String,
    /// The task, such as sign-in
    pub task: String,
    /// An answer; may be repeated
    #[arg(value_name = "NAME=VALUE", value_parser = pair)]
    pub answers: Vec<(String, String)>,
    /// An answer that a file holds, such as a secret or a key; `-` reads standard input; may be repeated
    #[arg(long, value_name = "NAME=FILE", value_parser = pair)]
    pub file: Vec<(String, String)>,
}

/// What is said of a task.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Mark {
    /// Work at the vendor is done
    Done,
    /// It does not apply, or the defaults hold
    NotNeeded,
    /// It is to do again
    ToDo,
}

/// `NAME=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE, such as quota_percent=50".to_owned()),
    }
}

const TASKS: &[Column] = &[
    ("Lane", "/lane", As::Text),
    ("Task", "/id", As::Text),
    ("Title", "/title", As::Text),
    ("State", "/state", As::Words),
    ("Saved by", "/saved_by", As::Text),
    ("Saved", "/saved_at", As::Time),
    ("Note", "/note", As::Text),
];

const ASKED: &[Column] = &[
    ("Answer", "/name", As::Text),
    ("Asks for", "/label", As::Text),
    ("Holds", "/value", As::Text),
    ("Stored", "/stands", As::Text),
    ("Why", "/why", As::Text),
];

const SAVED: &[Column] = &[
    ("Profile", "/number", As::Text),
    ("Task", "/task", As::Text),
    ("Outcome", "/outcome", As::Words),
    ("Next task", "/next", As::Text),
];

/// Does it.
pub async fn playbook(client: &Client, verb: PlaybookVerb) -> Result<(), CliError> {
    match verb {
        PlaybookVerb::Start(args) => {
            let body = json!({"connector": args.connector, "from": args.from, "with": args.with});
            let begun = client.post("/playbooks", &body).await?;
            output::one(client, &begun, &[("Profile", "/number", As::Text)]);
        }
        PlaybookVerb::Tasks { number } => {
            let view = client
                .get(&format!("/profiles/{number}/playbook"), &[])
                .await?;
            output::list(client, &tasks(&view), TASKS);
        }
        PlaybookVerb::Ask { number, task } => {
            let asked = client
                .get(&format!("/profiles/{number}/playbook/{task}"), &[])
                .await?;
            output::list(client, &asked, ASKED);
        }
        PlaybookVerb::Answer(args) => {
            let mut answers: Map<String, Value> = args
                .answers
                .into_iter()
                .map(|(name, value)| (name, Value::String(value)))
                .collect();
            for (name, file) in args.file {
                let path = PathBuf::from(file);
                let text = read_text(Path::new(&path))?;
                answers.insert(name, Value::String(text.trim_end().to_owned()));
            }
            let path = format!("/profiles/{}/playbook/{}", args.number, args.task);
            let saved = client.post(&path, &json!({ "answers": answers })).await?;
            if let Some(begun) = saved.get("sign_in").filter(|begun| !begun.is_null()) {
                follow(client, begun).await?;
            }
            output::one(client, &saved, SAVED);
        }
        PlaybookVerb::Mark {
            number,
            task,
            state,
        } => {
            let state = match state {
                Mark::Done => "done",
                Mark::NotNeeded => "not_needed",
                Mark::ToDo => "to_do",
            };
            let path = format!("/profiles/{number}/playbook/{task}/mark");
            let saved = client.post(&path, &json!({ "state": state })).await?;
            output::one(client, &saved, SAVED);
        }
    }
    Ok(())
}

/// The tasks of all lanes, one after the other, each with its lane.
fn tasks(view: &Value) -> Value {
    let lanes = view.pointer("/lanes").and_then(Value::as_array);
    let mut items = Vec::new();
    for lane in lanes.into_iter().flatten() {
        let title = lane.get("title").cloned().unwrap_or_default();
        let of_lane = lane.get("tasks").and_then(Value::as_array);
        for task in of_lane.into_iter().flatten() {
            let mut task = task.clone();
            if let Some(fields) = task.as_object_mut() {
                fields.insert("lane".to_owned(), title.clone());
            }
            items.push(task);
        }
    }
    json!({ "items": items })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tasks_of_all_lanes_stand_one_after_the_other() {
        let view = json!({"lanes": [
            {"title": "Profile", "tasks": [{"id": "profile", "state": "done"}]},
            {"title": "Connect", "tasks": [{"id": "sign-in", "state": "to_do"}, {"id": "checks"}]},
        ]});
        let flat = tasks(&view);
        let said: Vec<String> = flat["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| format!("{} {}", task["lane"], task["id"]))
            .collect();
        assert_eq!(
            said,
            [
                "\"Profile\" \"profile\"",
                "\"Connect\" \"sign-in\"",
                "\"Connect\" \"checks\""
            ]
        );
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert!(pair("=b").is_err() && pair("a").is_err());
    }
}
