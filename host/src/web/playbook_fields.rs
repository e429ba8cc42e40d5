//! The fields of each task: what is asked, why, where to find it, what stands in it now, and what was typed into it.
use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::GrantOffer;
use serde::Serialize;

use super::playbook_scope::{limits, prices, schedule, settings};
use super::words;
use crate::credentials::CredentialView;
use crate::identity::service::PrincipalView;
use crate::kernel::Problem;
use crate::profiles::PlaybookView;
use crate::profiles::playbook::Task;

pub use super::typed_form::Typed;

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
        Task::SignIn => sign_in(view, manifest, None),
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

/// The field of the login address, in the vendor's words.
#[must_use]
pub fn login_url(manifest: &Manifest) -> Field {
    Field::text(
        "login_url",
        "Login address",
        String::new(),
        "Where tokens are asked for.",
    )
    .guided(manifest)
}

/// The answers of the task *Sign in* for one grant: the address has its own form field; the others are asked for by the grant's form,
/// and stand here for the guide and the review.
#[must_use]
pub fn sign_in(view: &PlaybookView, manifest: &Manifest, grant: Option<&GrantOffer>) -> Vec<Field> {
    let stored = view.profile.credential.as_ref();
    let chosen = grant
        .or_else(|| stored.and_then(|stored| manifest.grant(&stored.grant)))
        .or(manifest.credential.grants.first());
    let Some(offer) = chosen else {
        return Vec::new();
    };
    let mut address = login_url(manifest);
    let kept = view.profile.login_url.trim_end_matches('/');
    kept.clone_into(&mut address.value);
    let kind = view.answers.environment.as_deref();
    if let Some(kind) = kind.and_then(|kind| manifest.playbook.environment(kind)) {
        address.example = Some(kind.example.clone());
    }
    let how = Field::text(
        "grant",
        "How it signs in",
        offer.title.clone(),
        "It decides which fields are needed.",
    )
    .guided(manifest);
    let mut fields = vec![how, address];
    let of_grant = stored.filter(|stored| stored.grant == offer.id.as_str());
    fields.extend(offer.fields.iter().map(|name| {
        let words = manifest.credential.words(name);
        let label = words.map_or_else(|| words::spoken(name), |words| words.title.clone());
        let why = words.map_or("", |words| words.hint.as_str());
        let mut field = Field::text(name, &label, String::new(), why).guided(manifest);
        match name.as_str() {
            "client_id" => {
                field.value = stored.map_or_else(String::new, |stored| stored.client_id.clone());
            }
            "username" => {
                let known = of_grant.and_then(|stored| stored.username.clone());
                field.value = known.unwrap_or_default();
            }
            secret => {
                field.kind = "password";
                field.stands = stored.and_then(|stored| stands(stored, secret));
            }
        }
        field
    }));
    if let Some(who) = of_grant.and_then(|stored| stored.connected_as.clone()) {
        fields.push(Field::text(
            "connected_as",
            "Signed in as",
            who,
            "Whose token it is, as the vendor says.",
        ));
    }
    fields
}

/// What may be said of a stored secret.
fn stands(stored: &CredentialView, name: &str) -> Option<String> {
    if let Some(view) = stored.from_vault.iter().find(|view| view.field == name) {
        return Some(format!("From the vault {}", view.from.vault));
    }
    match name {
        "client_secret" => match &stored.client_secret_ends_in {
            Some(ends) => Some(format!("Stored, ends in {ends}")),
            None => (stored.grant != "jwt-bearer").then(|| "Stored".to_owned()),
        },
        "private_key" => stored
            .key_fingerprint
            .as_ref()
            .map(|print| format!("Stored, its public half begins with {print}")),
        _ => (stored.grant == "refresh-token").then(|| "Stored".to_owned()),
    }
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
                words::sentence(&problem.message),
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
