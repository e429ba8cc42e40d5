//! Rules: the sentence, the fields, whom it would name, and approval A.
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::Method;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::Error;
use super::chrome::{self, Chrome, Done};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::Problem;
use crate::reclamation::ReclamationError;
use crate::reclamation::model::{Preview, RuleState, RuleView};
use crate::reclamation::rule::{Edit, Silence};
use crate::reclamation::rules as service;

/// Rows of the preview on a page.
const ROWS: i64 = 200;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/rules",
            Permission::Read,
            "Reclamation rules",
            list,
        ),
        Route::page(
            Method::GET,
            "/rules/{number}",
            Permission::Read,
            "One rule: whom it would name, and why",
            show,
        ),
        Route::page(
            Method::POST,
            "/rules/{number}/approve",
            Permission::Approve,
            "Approves the version that was seen",
            approve,
        ),
        Route::page(
            Method::POST,
            "/rules/{number}/refuse",
            Permission::Approve,
            "Refuses the version that was seen",
            refuse,
        ),
        Route::page(
            Method::POST,
            "/rules/{number}/edit",
            Permission::EditRules,
            "Changes fields; a new version is proposed",
            edit,
        ),
        Route::page(
            Method::POST,
            "/rules/{number}/off",
            Permission::EditRules,
            "Switches a rule off",
            off,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct RulesPage {
    pub rules: Vec<RuleView>,
}

async fn list(
    State(host): State<Host>,
    visitor: Visitor,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let rules = service::list_rules(&host, &visitor.actor).await?;
    let frame = Chrome::of(&host, &visitor).done(&done).titled("Rules");
    chrome::page("pages/rules", &frame, &RulesPage { rules })
}

#[derive(Serialize)]
pub(super) struct RulePage {
    pub rule: RuleView,
    pub preview: Preview,
    pub is_off: bool,
    pub is_in_force: bool,
    /// Whether fewer rows are shown than there are.
    pub is_cut: bool,
    /// Principal names, one a line.
    pub exclusions: String,
    pub typed_reason: String,
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    frame: Chrome,
    typed_reason: String,
) -> Result<Response, Error> {
    let rule = service::get_rule(host, &visitor.actor, number).await?;
    let preview = service::preview_rule(host, &visitor.actor, number, ROWS).await?;
    let title = format!("{} - {}", rule.number, rule.name);
    let exclusions: Vec<&str> = rule
        .deciding
        .exclusions
        .iter()
        .map(String::as_str)
        .collect();
    chrome::page(
        "pages/rule",
        &frame.titled(&title),
        &RulePage {
            exclusions: exclusions.join("\n"),
            is_off: rule.state == RuleState::Off,
            is_in_force: rule.in_force_no.is_some(),
            is_cut: preview.rows_count > ROWS,
            rule,
            preview,
            typed_reason,
        },
    )
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, Error> {
    let frame = Chrome::of(&host, &visitor).done(&done);
    page(&host, &visitor, &number, frame, String::new()).await
}

/// Back to the rule: with what was done, or with what went wrong.
async fn back(
    host: &Host,
    visitor: &Visitor,
    number: &str,
    done: Result<RuleView, Problem>,
    key: &str,
    typed_reason: String,
) -> Result<Response, Error> {
    match done {
        Ok(_) => Ok(chrome::done(&format!("/rules/{number}"), key)),
        Err(problem) if problem.status == 404 => Err(problem.into()),
        Err(problem) => {
            let frame = Chrome::of(host, visitor).troubled(Some(problem));
            page(host, visitor, number, frame, typed_reason).await
        }
    }
}

fn tell(error: &ReclamationError) -> Problem {
    told(error)
}

#[derive(Deserialize)]
struct Decided {
    #[serde(default)]
    seen: String,
    #[serde(default)]
    reason: String,
}

async fn approve(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Decided>,
) -> Result<Response, Error> {
    let done = service::approve_rule(&host, &visitor.actor, &number, &form.seen).await;
    let done = done.map_err(|error| tell(&error));
    back(
        &host,
        &visitor,
        &number,
        done,
        "rule-approved",
        String::new(),
    )
    .await
}

async fn refuse(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Decided>,
) -> Result<Response, Error> {
    let (seen, why) = (&form.seen, &form.reason);
    let done = service::refuse_rule(&host, &visitor.actor, &number, seen, why).await;
    let done = done.map_err(|error| tell(&error));
    back(&host, &visitor, &number, done, "rule-refused", form.reason).await
}

async fn off(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Decided>,
) -> Result<Response, Error> {
    let done = service::switch_off_rule(&host, &visitor.actor, &number, &form.reason).await;
    let done = done.map_err(|error| tell(&error));
    back(&host, &visitor, &number, done, "rule-off", form.reason).await
}

/// The fields of the form; the rest of a rule is changed over the API and the command line.
#[derive(Deserialize)]
struct Changed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    threshold_days: String,
    #[serde(default)]
    days: String,
    /// `on` when ticked.
    #[serde(default)]
    notice: String,
    #[serde(default)]
    silence: String,
    #[serde(default)]
    exclusions: String,
    #[serde(default)]
    note: String,
}

fn number(text: &str, field: &str) -> Result<Option<i64>, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        Problem::new(
            "page.malformed_field",
            422,
            format!(
                "`{}` is not a whole number",
                text.chars().take(40).collect::<String>()
            ),
            "Write a whole number of days",
        )
        .at(field)
    })
}

fn read(form: &Changed) -> Result<Edit, Problem> {
    Ok(Edit {
        threshold_days: number(&form.threshold_days, "threshold_days")?,
        days: number(&form.days, "days")?,
        notice: Some(form.notice == "on"),
        silence: match form.silence.as_str() {
            "hold" => Some(Silence::Hold),
            "reclaim" => Some(Silence::Reclaim),
            _ => None,
        },
        exclusions: Some(form.exclusions.lines().map(str::to_owned).collect()),
        name: Some(form.name.trim().to_owned()),
        note: Some(form.note.trim().to_owned()),
        ..Edit::default()
    })
}

async fn edit(
    State(host): State<Host>,
    visitor: Visitor,
    Path(number): Path<String>,
    Form(form): Form<Changed>,
) -> Result<Response, Error> {
    let done = match read(&form) {
        Ok(edit) => service::edit_rule(&host, &visitor.actor, &number, &edit)
            .await
            .map_err(|error| tell(&error)),
        Err(problem) => Err(problem),
    };
    back(&host, &visitor, &number, done, "rule-edited", String::new()).await
}
