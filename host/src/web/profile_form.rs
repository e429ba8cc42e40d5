//! The form that makes a profile, generated from the connector's manifest: its grants, and its settings by their schema.
use std::collections::BTreeMap;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::Method;
use axum::response::Response;
use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::{Property, PropertyType};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::Error;
use super::chrome::{self, Chrome};
use super::error::told;
use super::gate::Visitor;
use super::routes::Route;
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::Problem;
use crate::profiles::{NewProfile, service};

/// Before a setting's name in the form, so that none can stand for another field.
const SETTING: &str = "setting.";

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page(
            Method::GET,
            "/profiles/new",
            Permission::ManageProfiles,
            "The form for a new profile",
            show,
        ),
        Route::page(
            Method::POST,
            "/profiles",
            Permission::ManageProfiles,
            "Makes a draft profile",
            create,
        ),
    ]
}

#[derive(Serialize)]
pub(super) struct NewProfilePage {
    pub connectors: Vec<Choice>,
    pub connector: String,
    pub connector_name: String,
    pub grants: Vec<GrantChoice>,
    /// Parent aliases that exist for this connector.
    pub parents: Vec<Choice>,
    pub settings: Vec<Field>,
    pub typed: Typed,
}

#[derive(Serialize)]
pub(super) struct Choice {
    pub id: String,
    pub name: String,
    pub is_chosen: bool,
}

#[derive(Serialize)]
pub(super) struct GrantChoice {
    pub id: String,
    pub title: String,
    pub scopes: String,
    pub needs_refresh_token: bool,
    pub is_chosen: bool,
}

/// One setting as a form field.
#[derive(Serialize)]
pub(super) struct Field {
    pub name: String,
    pub title: String,
    pub description: Option<String>,
    pub example: Option<String>,
    pub is_switch: bool,
    pub is_list: bool,
    pub choices: Vec<Choice>,
    pub value: String,
}

/// What was typed and may be shown again: everything but secrets.
#[derive(Clone, Default, Serialize)]
pub(super) struct Typed {
    pub name: String,
    pub login_url: String,
    pub client_id: String,
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn field(name: &str, property: &Property, typed: Option<&String>) -> Field {
    let value = typed
        .cloned()
        .unwrap_or_else(|| property.default.as_ref().map(plain).unwrap_or_default());
    let is_list = property.kind == PropertyType::Array;
    let choices = property.choices.iter().map(plain).map(|id| Choice {
        is_chosen: id == value,
        name: id.clone(),
        id,
    });
    Field {
        name: format!("{SETTING}{name}"),
        title: property.title.clone(),
        description: property.description.clone(),
        example: property.example.clone(),
        is_switch: property.kind == PropertyType::Boolean,
        is_list,
        choices: choices.collect(),
        value,
    }
}

/// The service takes JSON where a value is JSON; a text that happens to look like JSON is quoted first.
fn as_setting(property: &Property, typed: &str) -> String {
    match property.kind {
        PropertyType::String => Value::String(typed.to_owned()).to_string(),
        PropertyType::Array => {
            let items = typed
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Value::String(item.to_owned()));
            Value::Array(items.collect()).to_string()
        }
        PropertyType::Integer | PropertyType::Number | PropertyType::Boolean => {
            typed.trim().to_owned()
        }
    }
}

async fn page(
    host: &Host,
    visitor: &Visitor,
    connector: &str,
    form: &BTreeMap<String, String>,
    problem: Option<Problem>,
) -> Result<Response, Error> {
    let manifest = host.connectors.manifest(connector)?;
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let chosen_grant = text("grant");
    let chosen_parent = text("parent");
    let mut connectors = Vec::new();
    for id in host.connectors.ids() {
        let name = host.connectors.manifest(id)?.connector.name.clone();
        connectors.push(Choice {
            id: id.to_owned(),
            name,
            is_chosen: id == connector,
        });
    }
    let profiles = service::list(host, &visitor.actor).await?;
    let parents = profiles
        .into_iter()
        .filter(|profile| profile.connector == connector && profile.parent_alias.is_none())
        .map(|profile| Choice {
            is_chosen: profile.alias == chosen_parent,
            name: profile.alias.clone(),
            id: profile.alias,
        })
        .collect();
    let grants = manifest
        .credential
        .grants
        .iter()
        .map(|grant| GrantChoice {
            id: grant.id.as_str().to_owned(),
            title: grant.title.clone(),
            scopes: grant.scopes.join(" "),
            needs_refresh_token: grant.fields.iter().any(|field| field == "refresh_token"),
            is_chosen: grant.id.as_str() == chosen_grant,
        })
        .collect();
    let body = NewProfilePage {
        connectors,
        connector: connector.to_owned(),
        connector_name: manifest.connector.name.clone(),
        grants,
        parents,
        settings: fields(&manifest, form),
        typed: Typed {
            name: text("name"),
            login_url: text("login_url"),
            client_id: text("client_id"),
        },
    };
    chrome::page(
        "pages/profile_new",
        &Chrome::of(host, visitor)
            .titled("New profile")
            .troubled(problem),
        &body,
    )
}

fn fields(manifest: &Manifest, form: &BTreeMap<String, String>) -> Vec<Field> {
    let mut properties: Vec<(&String, &Property)> = manifest.settings.properties.iter().collect();
    properties.sort_by_key(|(_, property)| property.order.unwrap_or(i32::MAX));
    properties
        .into_iter()
        .map(|(name, property)| field(name, property, form.get(&format!("{SETTING}{name}"))))
        .collect()
}

#[derive(Deserialize)]
struct Asked {
    connector: Option<String>,
}

async fn show(
    State(host): State<Host>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Error> {
    let first = host.connectors.ids().next().unwrap_or_default().to_owned();
    page(
        &host,
        &visitor,
        &asked.connector.unwrap_or(first),
        &BTreeMap::new(),
        None,
    )
    .await
}

async fn create(
    State(host): State<Host>,
    visitor: Visitor,
    Form(form): Form<BTreeMap<String, String>>,
) -> Result<Response, Error> {
    let text = |name: &str| {
        form.get(name)
            .map(|value| value.trim().to_owned())
            .unwrap_or_default()
    };
    let connector = text("connector");
    let manifest = host.connectors.manifest(&connector)?;
    let settings = manifest
        .settings
        .properties
        .iter()
        .filter_map(|(name, property)| {
            Some((
                name.clone(),
                as_setting(property, form.get(&format!("{SETTING}{name}"))?),
            ))
        })
        .collect();
    let new = NewProfile {
        connector: connector.clone(),
        name: text("name"),
        parent: Some(text("parent")).filter(|parent| !parent.is_empty()),
        login_url: text("login_url"),
        grant: text("grant"),
        client_id: text("client_id"),
        client_secret: Zeroizing::new(text("client_secret")),
        refresh_token: Some(text("refresh_token"))
            .filter(|token| !token.is_empty())
            .map(Zeroizing::new),
        settings,
    };
    match service::create(&host, &visitor.actor, new).await {
        Ok(profile) => Ok(chrome::done(
            &format!("/profiles/{}", profile.number),
            "created",
        )),
        Err(error) => page(&host, &visitor, &connector, &form, Some(told(&error))).await,
    }
}
