//! Commands of what is connected, downloaded, owned and used.
use serde_json::{Map, Value, json};

use super::args::{
    EntitlementVerb, IdentifierVerb, ModelVerb, PeopleVerb, PositionArgs, ProfileCreate,
    ProfileVerb, RunVerb, SubscriptionList, SubscriptionVerb,
};
use super::client::{CliError, Client, read_text};
use super::output::{self, As, Column};
use super::progress;

const PROFILES: &[Column] = &[
    ("Number", "/number", As::Text),
    ("Name", "/name", As::Text),
    ("Connector", "/connector", As::Text),
    ("State", "/state", As::Words),
    ("Write mode", "/write_mode", As::Words),
    ("Next run", "/next_run_at", As::Time),
    ("Attention", "/attention", As::Text),
];

const NEEDS: &[Column] = &[
    ("Needs attention", "/title", As::Text),
    ("Found", "/says", As::Text),
    ("Fix", "/fix", As::Text),
    ("Meanwhile", "/stops", As::Text),
];

const RUN: &[Column] = &[
    ("Number", "/number", As::Text),
    ("Profile", "/profile_number", As::Text),
    ("Reads", "/process", As::Words),
    ("State", "/state", As::Words),
    ("Stage", "/stage", As::Words),
    ("Accounts", "/accounts", As::Count),
    ("Left out", "/out_of_scope", As::Count),
    ("Activity", "/activity", As::Count),
    ("Pages", "/pages", As::Count),
    ("Started", "/started_at", As::Time),
    ("Ended", "/ended_at", As::Time),
];

pub async fn profile(client: &Client, verb: ProfileVerb) -> Result<(), CliError> {
    match verb {
        ProfileVerb::Create(args) => {
            let made = client.post("/profiles", &new_profile(args)?).await?;
            output::one(client, &made, PROFILES);
        }
        ProfileVerb::List => output::list(client, &client.get("/profiles", &[]).await?, PROFILES),
        ProfileVerb::Show { number } => {
            let shown = client.get(&format!("/profiles/{number}"), &[]).await?;
            show_profile(client, &shown);
        }
        ProfileVerb::Connection { number } => super::connect::show(client, &number).await?,
        ProfileVerb::Connect(args) => super::connect::connect(client, args).await?,
        ProfileVerb::Playbook(verb) => super::playbook::playbook(client, verb).await?,
        ProfileVerb::Check { number } => {
            let checks = client
                .post(&format!("/profiles/{number}/check"), &json!({}))
                .await?;
            output::list(
                client,
                &checks,
                &[
                    ("Verdict", "/verdict", As::Words),
                    ("Check", "/title", As::Text),
                    ("Evidence", "/evidence", As::Text),
                    ("Fix", "/fix", As::Text),
                ],
            );
        }
        ProfileVerb::Publish { number, wait } => {
            start(client, &format!("/profiles/{number}/publish"), wait).await?
        }
        ProfileVerb::Run { number, wait } => {
            start(client, &format!("/profiles/{number}/run"), wait).await?
        }
        ProfileVerb::Pause { number } => changed(client, &number, "pause", json!({})).await?,
        ProfileVerb::Resume { number } => changed(client, &number, "resume", json!({})).await?,
        ProfileVerb::Archive { number } => changed(client, &number, "archive", json!({})).await?,
        ProfileVerb::WriteMode { number, mode } => {
            changed(
                client,
                &number,
                "write-mode",
                json!({ "mode": mode.as_str() }),
            )
            .await?
        }
        ProfileVerb::Schedule { number, cron, zone } => {
            changed(
                client,
                &number,
                "schedule",
                json!({ "cron": cron, "zone": zone }),
            )
            .await?
        }
    }
    Ok(())
}

fn show_profile(client: &Client, shown: &Value) {
    output::one(client, shown, PROFILES);
    let needs = shown.get("needs").and_then(Value::as_array);
    if let (false, Some(needs)) = (client.json, needs.filter(|needs| !needs.is_empty())) {
        outln!();
        out!("{}", output::table(needs, NEEDS));
    }
    if let (false, Some(checks)) = (client.json, shown.get("checks").and_then(Value::as_array)) {
        outln!();
        out!(
            "{}",
            output::table(
                checks,
                &[
                    ("Verdict", "/verdict", As::Words),
                    ("Check", "/title", As::Text),
                    ("Fix", "/fix", As::Text)
                ]
            )
        );
    }
}

fn new_profile(args: ProfileCreate) -> Result<Value, CliError> {
    let mut settings = Map::new();
    for pair in &args.setting {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| CliError::own(format!("`{pair}` is not KEY=VALUE")))?;
        settings.insert(key.to_owned(), Value::String(value.to_owned()));
    }
    let refresh_token = args
        .refresh_token_file
        .as_deref()
        .map(read_text)
        .transpose()?;
    Ok(json!({
        "connector": args.connector,
        "name": args.name,
        "parent": args.parent,
        "login_url": args.login_url,
        "grant": args.grant,
        "client_id": args.client_id,
        "client_secret": read_text(&args.client_secret_file)?.trim_end(),
        "refresh_token": refresh_token.as_deref().map(str::trim_end),
        "settings": settings,
    }))
}

/// Starts a run and, if asked, follows it; a run that failed is a failed command.
async fn start(client: &Client, path: &str, wait: bool) -> Result<(), CliError> {
    let started = client.post(path, &json!({})).await?;
    let number = started
        .get("number")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if wait {
        let last = progress::follow(client, &number).await?;
        output::one(client, &last, RUN);
        return ended_well(&last);
    }
    output::one(client, &started, RUN);
    Ok(())
}

fn ended_well(run: &Value) -> Result<(), CliError> {
    match run.get("state").and_then(Value::as_str) {
        Some("complete") => Ok(()),
        other => {
            let why = run
                .pointer("/problem/message")
                .and_then(Value::as_str)
                .unwrap_or("see `seatwise run show`");
            Err(CliError::own(format!(
                "the run is {}: {why}",
                other.unwrap_or("unknown")
            )))
        }
    }
}

async fn changed(client: &Client, number: &str, verb: &str, body: Value) -> Result<(), CliError> {
    let view = client
        .post(&format!("/profiles/{number}/{verb}"), &body)
        .await?;
    output::one(client, &view, PROFILES);
    Ok(())
}

pub async fn run(client: &Client, verb: RunVerb) -> Result<(), CliError> {
    match verb {
        RunVerb::List { profile } => {
            let query: Vec<(&str, String)> = profile
                .map(|number| ("profile", number))
                .into_iter()
                .collect();
            output::list(client, &client.get("/runs", &query).await?, RUN);
        }
        RunVerb::Show { number, follow } => {
            let view = if follow {
                progress::follow(client, &number).await?
            } else {
                client.get(&format!("/runs/{number}"), &[]).await?
            };
            let mut columns = RUN.to_vec();
            columns.extend([
                ("Why it stopped", "/problem/message", As::Text),
                ("Fix", "/problem/fix", As::Text),
                ("Changes", "/changes", As::Text),
            ]);
            output::one(client, &view, &columns);
        }
        RunVerb::Accept { number, reason } => {
            let view = client
                .post(
                    &format!("/runs/{number}/accept"),
                    &json!({ "reason": reason }),
                )
                .await?;
            output::one(client, &view, RUN);
        }
        RunVerb::Resume { number, follow } => {
            let mut view = client
                .post(&format!("/runs/{number}/resume"), &json!({}))
                .await?;
            if follow {
                view = progress::follow(client, &number).await?;
            }
            output::one(client, &view, RUN);
        }
        RunVerb::Cancel { number } => {
            let view = client
                .post(&format!("/runs/{number}/cancel"), &json!({}))
                .await?;
            output::one(client, &view, RUN);
        }
    }
    Ok(())
}

pub async fn subscription(client: &Client, verb: SubscriptionVerb) -> Result<(), CliError> {
    let args = match verb {
        SubscriptionVerb::List(args) => args,
        SubscriptionVerb::Account {
            organization,
            account,
        } => return show_account(client, &organization, &account).await,
    };
    let SubscriptionList {
        search,
        standing,
        inactive_days,
        attribute,
        after,
        limit,
    } = args;
    let mut query = vec![("limit", limit.to_string())];
    query.extend(search.map(|text| ("search", text)));
    query.extend(standing.map(|word| ("standing", word)));
    query.extend(inactive_days.map(|days| ("inactive_days", days.to_string())));
    if let Some((name, value)) = attribute {
        query.extend([("attribute", name), ("value", value)]);
    }
    query.extend(after.map(|key| ("after", key)));
    let answer = client.get("/subscriptions", &query).await?;
    output::list(
        client,
        &answer,
        &[
            ("Org", "/organization", As::Text),
            ("Principal", "/principal", As::Text),
            ("Identifier", "/identifier", As::Text),
            ("Product", "/product_name", As::Text),
            ("Person", "/person", As::Text),
            ("Last activity", "/activity_at", As::Time),
            ("Inactive days", "/inactive_days", As::Count),
            ("Active", "/is_active", As::YesNo),
            ("Frozen", "/frozen", As::Text),
        ],
    );
    Ok(())
}

async fn show_account(client: &Client, organization: &str, account: &str) -> Result<(), CliError> {
    let shown = client
        .get(&format!("/accounts/{organization}/{account}"), &[])
        .await?;
    output::one(
        client,
        &shown,
        &[
            ("Principal", "/principal", As::Text),
            ("Org", "/organization", As::Text),
            ("Name", "/name", As::Text),
            ("Person", "/person", As::Text),
            ("Kind", "/kind", As::Words),
            ("Active", "/is_active", As::YesNo),
            ("Frozen", "/frozen", As::Text),
            ("Last activity", "/activity_at", As::Time),
            ("History from", "/history_from", As::Time),
        ],
    );
    if client.json {
        return Ok(());
    }
    output::list(
        client,
        &shown["subscriptions"],
        &[
            ("Identifier", "/identifier", As::Text),
            ("Product", "/product_name", As::Text),
            ("Inactive days", "/inactive_days", As::Count),
        ],
    );
    output::list(
        client,
        &shown["months"],
        &[
            ("Month", "/month", As::Text),
            ("Days used", "/days", As::Count),
            ("By a person", "/interactive", As::Count),
            ("By a program", "/api", As::Count),
            ("Otherwise", "/other", As::Count),
            ("Failed", "/failed", As::Count),
        ],
    );
    Ok(())
}

pub async fn model(client: &Client, ModelVerb::List: ModelVerb) -> Result<(), CliError> {
    let answer = client.get("/models", &[]).await?;
    output::list(
        client,
        &answer,
        &[
            ("Number", "/number", As::Text),
            ("Model", "/display_name", As::Text),
            ("Metric", "/metric", As::Words),
            ("Free", "/is_free", As::YesNo),
            ("Identifiers", "/identifiers", As::Text),
            ("Active", "/active", As::Count),
            ("Deactivated", "/inactive", As::Count),
            ("Orgs", "/organizations", As::Count),
        ],
    );
    Ok(())
}

pub async fn identifier(client: &Client, verb: IdentifierVerb) -> Result<(), CliError> {
    match verb {
        IdentifierVerb::List => {
            let answer = client.get("/identifiers", &[]).await?;
            output::list(
                client,
                &answer,
                &[
                    ("Connector", "/connector_id", As::Text),
                    ("Identifier", "/identifier", As::Text),
                    ("Label", "/label", As::Text),
                    ("Subscriptions", "/subscriptions", As::Count),
                    ("First seen", "/first_seen_at", As::Time),
                ],
            );
        }
        IdentifierVerb::Assign {
            connector,
            identifier,
            product,
        } => {
            let body =
                json!({ "connector": connector, "identifier": identifier, "product": product });
            client.post("/identifiers/assign", &body).await?;
            eprintln!("{identifier} is now recognised as {product}");
        }
    }
    Ok(())
}

const ENTITLEMENTS: &[Column] = &[
    ("Number", "/number", As::Text),
    ("Product", "/product_name", As::Text),
    ("Org", "/organization_name", As::Text),
    ("Rights", "/rights", As::Count),
    ("Price", "/unit_price", As::Price),
    ("Per", "/period", As::Words),
    ("From", "/starts_on", As::Text),
    ("To", "/ends_on", As::Text),
    ("Counts", "/is_active", As::YesNo),
    ("Why not", "/why_not", As::Words),
    ("Shared", "/is_shared", As::YesNo),
];

pub async fn entitlement(client: &Client, verb: EntitlementVerb) -> Result<(), CliError> {
    match verb {
        EntitlementVerb::Add(args) => {
            let body = json!({
                "product": args.product,
                "rights": args.rights,
                "unit_price": args.price,
                "currency": args.currency,
                "period": args.period,
                "starts_on": args.from,
                "ends_on": args.to,
                "is_shared": args.shared,
                "organization": args.organization,
                "note": args.note,
            });
            output::one(
                client,
                &client.post("/entitlements", &body).await?,
                ENTITLEMENTS,
            );
        }
        EntitlementVerb::List => output::list(
            client,
            &client.get("/entitlements", &[]).await?,
            ENTITLEMENTS,
        ),
        EntitlementVerb::Retire { number } => {
            let view = client
                .post(&format!("/entitlements/{number}/retire"), &json!({}))
                .await?;
            output::one(client, &view, ENTITLEMENTS);
        }
    }
    Ok(())
}

pub async fn people(client: &Client, verb: PeopleVerb) -> Result<(), CliError> {
    match verb {
        PeopleVerb::Import { file } => {
            let done = client
                .post("/people/import", &json!({ "csv": read_text(&file)? }))
                .await?;
            output::one(
                client,
                &done,
                &[
                    ("Added", "/added", As::Count),
                    ("Changed", "/changed", As::Count),
                    ("Unchanged", "/unchanged", As::Count),
                    ("Matched", "/matched", As::Count),
                    ("Left out", "/refused", As::Text),
                ],
            );
        }
        PeopleVerb::List { unmatched: true } => {
            let answer = client.get("/people/unmatched", &[]).await?;
            output::list(
                client,
                &answer,
                &[
                    ("Org", "/organization", As::Text),
                    ("Principal", "/principal", As::Text),
                    ("E-mail", "/email", As::Text),
                    ("Name", "/name", As::Text),
                ],
            );
        }
        PeopleVerb::List { unmatched: false } => {
            let answer = client.get("/people", &[]).await?;
            output::list(
                client,
                &answer,
                &[
                    ("Name", "/name", As::Text),
                    ("E-mail", "/email", As::Text),
                    ("Status", "/status", As::Words),
                    ("Department", "/department", As::Text),
                    ("Cost centre", "/cost_centre", As::Text),
                ],
            );
        }
    }
    Ok(())
}

pub async fn position(client: &Client, args: &PositionArgs) -> Result<(), CliError> {
    let mut answer = client.get("/position", &[]).await?;
    if client.json {
        output::json(&answer);
        return Ok(());
    }
    if let (true, Some(rows)) = (
        args.contract_only,
        answer.get_mut("positions").and_then(Value::as_array_mut),
    ) {
        rows.retain(|row| row.get("scope").and_then(Value::as_str) == Some("contract"));
    }
    let rows = answer
        .get("positions")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    out!(
        "{}",
        output::table(
            rows,
            &[
                ("Product", "/product", As::Text),
                ("Scope", "/scope_name", As::Text),
                ("Owned", "/owned", As::Count),
                ("Active", "/active", As::Count),
                ("Used", "/used", As::Count),
                ("Available", "/available", As::Count),
                ("Needed", "/needed", As::Count),
                ("Status", "/status", As::Words),
                ("True-up", "/true_up_minor", As::Minor),
                ("Over-licensed", "/over_licensed_minor", As::Minor),
                ("Candidates", "/candidates", As::Count),
                ("Potential", "/potential_minor", As::Minor),
                ("Unused", "/percent_unused_tenths", As::Tenths),
            ],
        )
    );
    for row in rows {
        if let Some(says) = row.pointer("/gap/says").and_then(Value::as_str) {
            let of = |at: &str| row.pointer(at).and_then(Value::as_str).unwrap_or_default();
            out!("{}, {}: {says}", of("/product"), of("/scope_name"));
        }
    }
    Ok(())
}

pub async fn reconcile(client: &Client) -> Result<(), CliError> {
    let view = client.post("/reconciliations", &json!({})).await?;
    output::one(
        client,
        &view,
        &[
            ("Reconciliation", "/number", As::Text),
            ("Changed nothing", "/changed_nothing", As::YesNo),
        ],
    );
    Ok(())
}
