//! The fields of each task: what is asked, why, where to find it, what stands in it now, and what was typed into it.
use std::collections::BTreeMap;

use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::GrantOffer;
use serde::Serialize;

use super::playbook_scope::{limits, prices, schedule, settings};
use crate::identity::service::PrincipalView;
use crate::kernel::Problem;
use crate::profiles::PlaybookView;
use crate::profiles::playbook::Task;

/// What a form sent, by field.
pub type Typed = BTreeMap<String, String>;

/// A choice of a field.
#[derive(Clone, Debug, Serialize)]
pub struct Choice {
    /// Sent.
    pub id: String,
    /// Read.
    pub name: String,
    /// In the field now.
    pub is_chosen: bool,
}

/// One field with its guide.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Field {
    /// Sent, and the id on the page.
    pub name: String,
    /// Above it.
    pub label: String,
    /// `text`, `password`, `select` or `area`.
    pub kind: &'static str,
    /// In it now; never of a password.
    pub value: String,
    /// May be left empty.
    pub is_optional: bool,
    /// Why it is needed.
    pub why: String,
    /// Where to find it at the vendor.
    pub find: Option<String>,
    /// What one looks like.
    pub example: Option<String>,
    /// Forms that are taken.
    pub accepts: Option<String>,
    /// For `select`.
    pub choices: Vec<Choice>,
    /// What is wrong with what was typed.
    pub wrong: Option<String>,
    /// What somebody else saved meanwhile.
    pub theirs: Option<String>,
    /// What is stored of a secret, or where a value comes from.
    pub stands: Option<String>,
}

impl Field {
    pub(super) fn text(name: &str, label: &str, value: String, why: &str) -> Self {
        Self {
            name: name.to_owned(),
            label: label.to_owned(),
            kind: "text",
            value,
            why: why.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn choice(
        name: &str,
        label: &str,
        value: &str,
        why: &str,
        choices: impl Iterator<Item = (String, String)>,
    ) -> Self {
        Self {
            kind: "select",
            choices: choices
                .map(|(id, name)| Choice {
                    is_chosen: id == value,
                    id,
                    name,
                })
                .collect(),
            ..Self::text(name, label, value.to_owned(), why)
        }
    }

    /// The vendor's words at this field, where its connector has any.
    fn guided(mut self, manifest: &Manifest) -> Self {
        if let Some(guide) = manifest.playbook.fields.get(&self.name) {
            if let Some(label) = &guide.label {
                self.label.clone_from(label);
            }
            self.why.clone_from(&guide.why);
            self.find = Some(guide.find.clone());
            self.example.clone_from(&guide.example);
            self.accepts.clone_from(&guide.accepts);
        }
        self
    }

    pub(super) fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }
}

/// The fields of a task with what is stored in them.
#[must_use]
pub fn stored(
    task: &Task,
    view: &PlaybookView,
    manifest: &Manifest,
    people: &[PrincipalView],
    me: &str,
) -> Vec<Field> {
    match task {
        Task::Profile => profile(view, manifest, people, me),
        Task::SignIn => sign_in(view, manifest),
        Task::Settings(page) => settings(view, manifest, *page),
        Task::Prices => prices(view, manifest),
        Task::Limits => limits(view),
        Task::Schedule => schedule(view),
        Task::Prepare(_) | Task::Checks | Task::Review | Task::FirstSync => Vec::new(),
    }
}

fn profile(
    view: &PlaybookView,
    manifest: &Manifest,
    people: &[PrincipalView],
    me: &str,
) -> Vec<Field> {
    let mut fields = Vec::new();
    let kinds = &manifest.playbook.environments;
    if !kinds.is_empty() {
        let chosen = view
            .answers
            .environment
            .clone()
            .unwrap_or_else(|| kinds[0].id.clone());
        let says: Vec<String> = kinds
            .iter()
            .map(|kind| format!("{}: {}", kind.title, kind.says))
            .collect();
        fields.push(Field {
            accepts: Some(says.join(" ")),
            ..Field::choice(
                "environment",
                "Kind of org",
                &chosen,
                "It stands in every heading from here on, and the checks hold it against what the org says of itself.",
                kinds.iter().map(|kind| (kind.id.clone(), kind.title.clone())),
            )
        });
    }
    let name = if view.is_named {
        view.profile.name.clone()
    } else {
        String::new()
    };
    fields.push(Field {
        example: Some("CRM Europe".to_owned()),
        accepts: Some("Letters, digits, underscores and blanks, beginning with a letter or digit; no two profiles share a name.".to_owned()),
        ..Field::text(
            "name",
            "Name",
            name,
            "Runs, positions and mails name the connection by it.",
        )
    });
    let owner = view.answers.owner.as_deref().unwrap_or(me);
    fields.push(Field::choice(
        "owner",
        "Owner",
        owner,
        "Who is asked when the connection needs a person.",
        people
            .iter()
            .filter(|person| person.is_active && person.email.is_some())
            .map(|person| (person.id.to_string(), person.name.clone())),
    ));
    fields
}

/// The grants that a form alone can answer; the others are on the page of the connection.
#[must_use]
pub fn typed_grants(manifest: &Manifest) -> Vec<&GrantOffer> {
    let answered = |offer: &&GrantOffer| !offer.id.needs_consent() && !offer.wants("private_key");
    manifest.credential.grants.iter().filter(answered).collect()
}

/// The fields of the task *Sign in*; a hand-over link shows the same with nothing in them.
#[must_use]
pub fn sign_in_blank(manifest: &Manifest) -> Vec<Field> {
    let mut fields = Vec::new();
    let grants = typed_grants(manifest);
    if grants.len() > 1 {
        let all = grants.iter().map(|grant| {
            (
                grant.id.as_str().to_owned(),
                format!("{}, scopes {}", grant.title, grant.scopes.join(" ")),
            )
        });
        fields.push(
            Field::choice(
                "grant",
                "How it signs in",
                grants[0].id.as_str(),
                "It decides which fields below are needed.",
                all,
            )
            .guided(manifest),
        );
    }
    fields.push(
        Field::text(
            "login_url",
            "Login address",
            String::new(),
            "Where tokens are asked for.",
        )
        .guided(manifest),
    );
    fields.push(
        Field::text(
            "client_id",
            "Client id",
            String::new(),
            "It names the app that you registered.",
        )
        .guided(manifest),
    );
    for (name, label) in [
        ("client_secret", "Client secret"),
        ("refresh_token", "Refresh token"),
    ] {
        let asking: Vec<&str> = grants
            .iter()
            .filter(|grant| grant.fields.iter().any(|field| field == name))
            .map(|grant| grant.title.as_str())
            .collect();
        if asking.is_empty() {
            continue;
        }
        let mut field = Field {
            kind: "password",
            ..Field::text(
                name,
                label,
                String::new(),
                "Sealed at rest and never shown again.",
            )
            .guided(manifest)
        };
        if asking.len() < grants.len() {
            field.is_optional = true;
            field.why = format!("Only for {}. {}", asking.join(", "), field.why);
        }
        fields.push(field);
    }
    fields
}

fn sign_in(view: &PlaybookView, manifest: &Manifest) -> Vec<Field> {
    let mut fields = sign_in_blank(manifest);
    let kind = view
        .answers
        .environment
        .as_deref()
        .and_then(|kind| manifest.playbook.environment(kind));
    let credential = view.profile.credential.as_ref();
    for field in &mut fields {
        match field.name.as_str() {
            "grant" => {
                if let Some(credential) = credential {
                    choose(field, &credential.grant);
                }
            }
            "login_url" => {
                view.profile
                    .login_url
                    .trim_end_matches('/')
                    .clone_into(&mut field.value);
                if let Some(kind) = kind {
                    field.example = Some(kind.example.clone());
                }
            }
            "client_id" => {
                field.value = credential.map_or_else(String::new, |c| c.client_id.clone());
            }
            "client_secret" => {
                if let Some(credential) = credential {
                    let ends = credential
                        .client_secret_ends_in
                        .as_ref()
                        .map_or_else(String::new, |ends| format!(", ends in {ends}"));
                    field.stands = Some(format!(
                        "Stored{ends}. Leave it empty to keep it; type a new one to replace it."
                    ));
                    field.is_optional = true;
                }
            }
            _ => {}
        }
    }
    fields
}

fn choose(field: &mut Field, value: &str) {
    value.clone_into(&mut field.value);
    for choice in &mut field.choices {
        choice.is_chosen = choice.id == value;
    }
}

/// Puts what was typed over what is stored; with `theirs`, what is stored is shown beside it where it differs. Secrets are left out.
pub fn overlay(fields: &mut [Field], typed: &Typed, problem: &Problem) {
    let is_stale = problem.code == "playbook.stale";
    for field in fields {
        if problem.fix.field.as_deref() == Some(field.name.as_str()) {
            field.wrong = Some(format!(
                "{}. {}",
                super::words::sentence(&problem.message),
                problem.fix.text
            ));
        }
        if field.kind == "password" {
            continue;
        }
        let Some(text) = typed.get(&field.name) else {
            continue;
        };
        if is_stale && *text != field.value {
            field.theirs = Some(match field.choices.iter().find(|c| c.is_chosen) {
                Some(choice) => choice.name.clone(),
                None => field.value.clone(),
            });
        }
        if field.choices.is_empty() {
            field.value.clone_from(text);
        } else {
            choose(field, text);
        }
    }
}
