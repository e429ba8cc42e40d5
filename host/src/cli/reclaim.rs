//! Commands of rules, candidates, batches, actions and the audit trail.
use serde_json::{Map, Value, json};

use super::args::{
    ActionVerb, Answer, AuditVerb, BatchVerb, CandidateVerb, Decision, ExemptionVerb, ReclaimVerb,
    RuleVerb, TokenVerb,
};
use super::client::{CliError, Client};
use super::output::{self, As, Column};

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
        RuleVerb::Preview { number } => {
            let preview = client.get(&format!("/rules/{number}/preview"), &[]).await?;
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
            ("A year", "/saving", As::Money),
        ],
    );
    if let (false, Some(people)) = (client.json, preview.get("people").and_then(Value::as_array)) {
        println!();
        print!(
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
    ("A year", "/saving", As::Money),
    ("Reason", "/reason_text", As::Text),
    ("Due", "/due_at", As::Time),
];

pub async fn candidate(client: &Client, verb: CandidateVerb) -> Result<(), CliError> {
    let post = |number: &str, verb: &str, body: Value| {
        let path = format!("/candidates/{number}/{verb}");
        async move { client.post(&path, &body).await }
    };
    let view = match verb {
        CandidateVerb::List { state } => {
            let query: Vec<(&str, String)> =
                state.map(|word| ("state", word)).into_iter().collect();
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
                println!();
                print!(
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
        println!("\n{}  {}", text("/candidate_number"), text("/principal"));
        for step in item
            .pointer("/plan/steps")
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice)
        {
            let field = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or("");
            println!(
                "  {} {} {}",
                field("method").to_uppercase(),
                field("path"),
                field("body")
            );
        }
        for (heading, pointer) in [
            ("loses", "/plan/consequences"),
            ("not looked at", "/plan/unchecked"),
        ] {
            for line in item
                .pointer(pointer)
                .and_then(Value::as_array)
                .map_or(&[][..], Vec::as_slice)
            {
                println!("  {heading}: {}", line.as_str().unwrap_or(""));
            }
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
            let mut columns = ACTIONS.to_vec();
            columns.extend([
                ("Receipt", "/receipt", As::Text),
                ("Receipt digest", "/receipt_digest", As::Text),
            ]);
            output::one(
                client,
                &client.get(&format!("/actions/{number}"), &[]).await?,
                &columns,
            );
        }
        ActionVerb::Undo { number, reason } => {
            let view = client
                .post(
                    &format!("/actions/{number}/undo"),
                    &json!({ "reason": reason }),
                )
                .await?;
            output::one(client, &view, ACTIONS);
        }
    }
    Ok(())
}

const EXEMPTIONS: &[Column] = &[
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
    }
    Ok(())
}

pub async fn switch(client: &Client, verb: ReclaimVerb) -> Result<(), CliError> {
    let (word, reason, said) = match verb {
        ReclaimVerb::Stop { reason } => ("stop", reason, "every reclaim is stopped"),
        ReclaimVerb::Start { reason } => ("start", reason, "reclaims may go on"),
    };
    client
        .post(&format!("/reclaim/{word}"), &json!({ "reason": reason }))
        .await?;
    eprintln!("{said}");
    Ok(())
}

pub async fn token(client: &Client, verb: TokenVerb) -> Result<(), CliError> {
    match verb {
        TokenVerb::List => {
            let answer = client.get("/tokens", &[]).await?;
            output::list(
                client,
                &answer,
                &[
                    ("Id", "/id", As::Text),
                    ("Name", "/name", As::Text),
                    ("Scopes", "/scopes", As::Text),
                    ("Expires", "/expires_at", As::Time),
                    ("Last used", "/last_used_at", As::Time),
                    ("Revoked", "/revoked_at", As::Time),
                ],
            );
        }
        TokenVerb::Revoke { id } => {
            client
                .post(&format!("/tokens/{id}/revoke"), &json!({}))
                .await?;
            eprintln!("{id} is revoked");
        }
    }
    Ok(())
}

pub async fn audit(client: &Client, verb: AuditVerb) -> Result<(), CliError> {
    match verb {
        AuditVerb::Verify => {
            let found = client.get("/audit/verification", &[]).await?;
            output::one(
                client,
                &found,
                &[
                    ("Intact", "/is_intact", As::Text),
                    ("Entries", "/entries", As::Count),
                    ("Signed heads", "/heads", As::Count),
                    ("Head", "/head", As::Text),
                    ("Broken at", "/broken_at", As::Text),
                ],
            );
            if found.get("is_intact") != Some(&Value::Bool(true)) {
                return Err(CliError::own("the audit trail is not intact"));
            }
        }
        AuditVerb::List { after } => {
            let query: Vec<(&str, String)> = after
                .map(|seq| ("after", seq.to_string()))
                .into_iter()
                .collect();
            output::list(
                client,
                &client.get("/audit", &query).await?,
                &[
                    ("Seq", "/seq", As::Text),
                    ("At", "/at", As::Time),
                    ("Event", "/event", As::Text),
                    ("Subject", "/subject_id", As::Text),
                    ("By", "/actor_id", As::Text),
                    ("Via", "/actor_via", As::Text),
                ],
            );
        }
    }
    Ok(())
}
