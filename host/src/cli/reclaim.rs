//! Commands of rules, candidates, batches, actions, exemptions and the switch.
use serde_json::{Map, Value, json};

use super::client::{CliError, Client};
use super::output::{self, As, Column};
use super::reclaim_args::{
    ActionVerb, Answer, BatchVerb, CandidateVerb, Decision, ExemptionVerb, ReclaimVerb, RuleVerb,
};

const RULES: &[Column] = &[
    ("Number", "/number", As::Text),
    ("Name", "/name", As::Text),
    ("Product", "/product", As::Text),
    ("State", "/state", As::Words),
    ("Version", "/version_no", As::Count),
    ("Author", "/author", As::Text),
    ("Sentence", "/sentence", As::Text),
];

pub async fn rule(client: &Client, verb: RuleVerb) -> Result<(), CliError> {
    let post = |number: &str, verb: &str, body: Value| {
        let path = format!("/rules/{number}/{verb}");
        async move { client.post(&path, &body).await }
    };
    let view = match verb {
        RuleVerb::List => {
            output::list(client, &client.get("/rules", &[]).await?, RULES);
            return Ok(());
        }
        RuleVerb::Show { number } => {
            let mut columns = RULES.to_vec();
            columns.extend([
                ("Digest", "/digest", As::Text),
                ("Deciding", "/deciding", As::Text),
            ]);
            output::one(
                client,
                &client.get(&format!("/rules/{number}"), &[]).await?,
                &columns,
            );
            return Ok(());
        }
        RuleVerb::Preview { number, limit } => {
            let query = [("limit", limit.to_string())];
            let preview = client
                .get(&format!("/rules/{number}/preview"), &query)
                .await?;
            show_preview(client, &preview);
            return Ok(());
        }
        RuleVerb::Edit { number, set } => post(&number, "edit", edits(&set)?).await?,
        RuleVerb::Approve { number, seen } => {
            post(&number, "approve", json!({ "seen": seen })).await?
        }
        RuleVerb::Refuse {
            number,
            seen,
            reason,
        } => post(&number, "refuse", json!({ "seen": seen, "reason": reason })).await?,
        RuleVerb::Off { number, reason } => {
            post(&number, "off", json!({ "reason": reason })).await?
        }
    };
    output::one(client, &view, RULES);
    Ok(())
}

fn show_preview(client: &Client, preview: &Value) {
    output::one(
        client,
        preview,
        &[
            ("Digest", "/digest", As::Text),
            ("People", "/people_count", As::Count),
            ("A year", "/saving_minor", As::Minor),
        ],
    );
    if let (false, Some(verdicts)) = (
        client.json,
        preview.get("verdicts").and_then(Value::as_array),
    ) {
        outln!();
        let columns = [
            ("Verdict", "/says", As::Text),
            ("Seats", "/count", As::Count),
        ];
        out!("{}", output::table(verdicts, &columns));
    }
    if let (false, Some(people)) = (client.json, preview.get("people").and_then(Value::as_array)) {
        outln!();
        out!(
            "{}",
            output::table(
                people,
                &[
                    ("Org", "/organization_name", As::Text),
                    ("Principal", "/principal", As::Text),
                    ("Inactive days", "/inactive_days", As::Count),
                    ("Verdict", "/verdict", As::Words),
                    ("Why", "/why", As::Text),
                ],
            )
        );
    }
}

/// `threshold_days=90` as a JSON object; a value that is JSON is taken as such, anything else as text.
fn edits(pairs: &[String]) -> Result<Value, CliError> {
    let mut fields = Map::new();
    for pair in pairs {
        let (field, value) = pair
            .split_once('=')
            .ok_or_else(|| CliError::own(format!("`{pair}` is not FIELD=VALUE")))?;
        fields.insert(
            field.to_owned(),
            serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned())),
        );
    }
    Ok(Value::Object(fields))
}

const CANDIDATES: &[Column] = &[
    ("Number", "/number", As::Text),
    ("State", "/state", As::Words),
    ("Principal", "/principal", As::Text),
    ("Product", "/product", As::Text),
    ("Org", "/organization_name", As::Text),
    ("Inactive days", "/inactive_days", As::Count),
    ("A year", "/saving_minor", As::Minor),
    ("Reason", "/reason_text", As::Text),
    ("Due", "/due_at", As::Time),
];

pub async fn candidate(client: &Client, verb: CandidateVerb) -> Result<(), CliError> {
    let post = |number: &str, verb: &str, body: Value| {
        let path = format!("/candidates/{number}/{verb}");
        async move { client.post(&path, &body).await }
    };
    let view = match verb {
        CandidateVerb::Counts => {
            let columns = [
                ("State", "/state", As::Words),
                ("Candidates", "/count", As::Count),
            ];
            output::list(
                client,
                &client.get("/candidates/counts", &[]).await?,
                &columns,
            );
            return Ok(());
        }
        CandidateVerb::List {
            state,
            rule,
            search,
            after,
        } => {
            let query: Vec<(&str, String)> = [
                ("state", state),
                ("rule", rule),
                ("search", search),
                ("after", after),
            ]
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name, value)))
            .collect();
            output::list(
                client,
                &client.get("/candidates", &query).await?,
                CANDIDATES,
            );
            return Ok(());
        }
        CandidateVerb::Show { number } => {
            let view = client.get(&format!("/candidates/{number}"), &[]).await?;
            output::one(client, &view, CANDIDATES);
            if let (false, Some(events)) =
                (client.json, view.get("events").and_then(Value::as_array))
            {
                outln!();
                out!(
                    "{}",
                    output::table(
                        events,
                        &[
                            ("At", "/at", As::Time),
                            ("Event", "/event", As::Words),
                            ("To", "/to_state", As::Words),
                            ("By", "/actor", As::Text),
                            ("Reason", "/reason", As::Text)
                        ],
                    )
                );
            }
            return Ok(());
        }
        CandidateVerb::Answer {
            number,
            answer,
            reason,
        } => {
            let answer = match answer {
                Answer::Keep => "keep",
                Answer::NotNeeded => "not_needed",
            };
            post(
                &number,
                "answer",
                json!({ "answer": answer, "reason": reason }),
            )
            .await?
        }
        CandidateVerb::Decide {
            number,
            decision,
            reason,
        } => {
            let is_granted = matches!(decision, Decision::Grant);
            post(
                &number,
                "decide",
                json!({ "is_granted": is_granted, "reason": reason }),
            )
            .await?
        }
        CandidateVerb::Release { number, reason } => {
            post(&number, "release", json!({ "reason": reason })).await?
        }
        CandidateVerb::Repair { number, reason } => {
            post(&number, "repair", json!({ "reason": reason })).await?
        }
        CandidateVerb::Close { number, reason } => {
            post(&number, "close", json!({ "reason": reason })).await?
        }
    };
    output::one(client, &view, CANDIDATES);
    Ok(())
}

const BATCHES: &[Column] = &[
    ("Number", "/number", As::Text),
    ("Rule", "/rule_number", As::Text),
    ("State", "/state", As::Words),
    ("People", "/people_count", As::Count),
    ("A year", "/saving_minor", As::Minor),
    ("Digest", "/digest", As::Text),
    ("Made by", "/created_by", As::Text),
];

pub async fn batch(client: &Client, verb: BatchVerb) -> Result<(), CliError> {
    match verb {
        BatchVerb::Preview { rule, candidate } => {
            let body = json!({ "rule": rule, "candidates": candidate });
            show_batch(client, &client.post("/batches", &body).await?);
        }
        BatchVerb::List => output::list(client, &client.get("/batches", &[]).await?, BATCHES),
        BatchVerb::Show { number } => show_batch(
            client,
            &client.get(&format!("/batches/{number}"), &[]).await?,
        ),
        BatchVerb::Approve { number, seen } => {
            let view = client
                .post(
                    &format!("/batches/{number}/approve"),
                    &json!({ "seen": seen }),
                )
                .await?;
            output::one(client, &view, BATCHES);
        }
    }
    Ok(())
}

/// Every person with the literal requests: what an approver must have seen.
fn show_batch(client: &Client, batch: &Value) {
    output::one(client, batch, BATCHES);
    if client.json {
        return;
    }
    for item in batch
        .get("items")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice)
    {
        let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
        outln!(
            "\n{}  {}  {}",
            text("/candidate_number"),
            text("/principal"),
            text("/account_id")
        );
        if let Some(plan) = item.get("plan") {
            show_plan(plan, "  ");
        }
    }
}

/// The literal requests, and what an approver must know besides.
fn show_plan(plan: &Value, indent: &str) {
    let list = |name: &str| {
        plan.get(name)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice)
    };
    for step in list("steps") {
        let field = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or("");
        outln!(
            "{indent}{} {} {}",
            field("method"),
            field("path"),
            field("body")
        );
        outln!("{indent}  {}", field("says"));
    }
    for blocker in list("blockers") {
        let message = blocker.get("message").and_then(Value::as_str).unwrap_or("");
        outln!("{indent}in the way: {message}");
    }
    for (heading, name) in [("loses", "consequences"), ("not looked at", "unchecked")] {
        for line in list(name) {
            outln!("{indent}{heading}: {}", line.as_str().unwrap_or(""));
        }
    }
}

const ACTIONS: &[Column] = &[
    ("Number", "/number", As::Text),
    ("Kind", "/kind", As::Words),
    ("Action", "/action", As::Words),
    ("State", "/state", As::Words),
    ("Principal", "/principal", As::Text),
    ("Org", "/organization_name", As::Text),
    ("Ended", "/ended_at", As::Time),
    ("Error", "/error_text", As::Text),
];

pub async fn action(client: &Client, verb: ActionVerb) -> Result<(), CliError> {
    match verb {
        ActionVerb::List => output::list(client, &client.get("/actions", &[]).await?, ACTIONS),
        ActionVerb::Show { number } => {
            let view = client.get(&format!("/actions/{number}"), &[]).await?;
            show_action(client, &view);
        }
        ActionVerb::Undo {
            number,
            reason: None,
            ..
        } => {
            let plan = client.get(&format!("/actions/{number}/undo"), &[]).await?;
            if client.json {
                outln!("{plan:#}");
            } else {
                show_plan(&plan, "");
                eprintln!("Nothing was sent. Give --reason to do it.");
            }
        }
        ActionVerb::Undo {
            number,
            reason: Some(reason),
            follow,
        } => {
            let mut view = client
                .post(
                    &format!("/actions/{number}/undo"),
                    &json!({ "reason": reason }),
                )
                .await?;
            if follow {
                view = super::progress::follow_action(client, &view).await?;
            }
            show_action(client, &view);
        }
    }
    Ok(())
}

fn show_action(client: &Client, view: &Value) {
    let mut columns = ACTIONS.to_vec();
    columns.push(("Receipt digest", "/receipt_digest", As::Text));
    output::one(client, view, &columns);
    if client.json {
        return;
    }
    if let Some(plan) = view.get("plan") {
        show_plan(plan, "");
    }
    let sent = view.get("sent").and_then(Value::as_array);
    if let Some(sent) = sent.filter(|sent| !sent.is_empty()) {
        outln!();
        let columns = [
            ("Attempt", "/attempt", As::Count),
            ("Sent", "/sent_at", As::Time),
            ("Request", "/request/path", As::Text),
            ("Status", "/status", As::Text),
            ("Means", "/judgement", As::Words),
            ("Detail", "/detail", As::Text),
        ];
        out!("{}", output::table(sent, &columns));
    }
}

const EXEMPTIONS: &[Column] = &[
    ("Id", "/id", As::Text),
    ("Principal", "/principal", As::Text),
    ("Kind", "/kind", As::Words),
    ("Reason", "/reason", As::Text),
    ("Until", "/until", As::Time),
    ("By", "/created_by", As::Text),
];

pub async fn exemption(client: &Client, verb: ExemptionVerb) -> Result<(), CliError> {
    match verb {
        ExemptionVerb::Add {
            principal,
            kind,
            reason,
            until,
        } => {
            let body =
                json!({ "principal": principal, "kind": kind, "reason": reason, "until": until });
            output::one(
                client,
                &client.post("/exemptions", &body).await?,
                EXEMPTIONS,
            );
        }
        ExemptionVerb::List => {
            output::list(client, &client.get("/exemptions", &[]).await?, EXEMPTIONS)
        }
        ExemptionVerb::End { id, reason } => {
            let path = format!("/exemptions/{id}/end");
            let view = client.post(&path, &json!({ "reason": reason })).await?;
            output::one(client, &view, EXEMPTIONS);
        }
    }
    Ok(())
}

pub async fn reclaim(client: &Client, verb: ReclaimVerb) -> Result<(), CliError> {
    let view = match verb {
        ReclaimVerb::Stop { reason } => {
            let body = json!({ "reason": reason });
            client.post("/reclaim/stop", &body).await?
        }
        ReclaimVerb::Start { reason } => {
            let body = json!({ "reason": reason });
            client.post("/reclaim/start", &body).await?
        }
        ReclaimVerb::FreezeDays { days, reason } => {
            let body = json!({ "days": days, "reason": reason });
            client.post("/reclaim/freeze-days", &body).await?
        }
        ReclaimVerb::Status => client.get("/reclaim", &[]).await?,
    };
    let columns = [
        ("Stopped", "/is_stopped", As::YesNo),
        ("Why", "/stopped_reason", As::Text),
        ("By", "/stopped_by", As::Text),
        ("Since", "/stopped_at", As::Time),
        ("Freeze days", "/freeze_days", As::Text),
    ];
    output::one(client, &view, &columns);
    Ok(())
}
