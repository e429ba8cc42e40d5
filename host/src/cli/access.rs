//! Commands of who may come in: access, sessions, and the groups of single sign-on.
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{CliError, Client};
use super::output::{self, As, Column};

/// Verbs of access.
#[derive(Debug, Subcommand)]
pub enum AccessVerb {
    /// List who may sign in, with which roles
    List,
    /// Show one person's access with their open sessions
    Show {
        /// Their id, as the list names it
        id: String,
    },
    /// Give somebody exactly these roles by hand; none takes them all
    #[command(after_help = "Example:\n  seatwise access roles prin_0198 sam_user approver")]
    Roles {
        /// Their id
        id: String,
        /// Words as the page Roles names them
        roles: Vec<String>,
    },
    /// Let somebody see exactly these business units; none: the whole company
    #[command(after_help = "Example:\n  seatwise access sees prin_0198 West \"Field Sales\"")]
    Sees {
        /// Their id
        id: String,
        /// Names of business units
        units: Vec<String>,
    },
    /// List business units, and which profile belongs to which
    Units,
    /// Make a business unit
    AddUnit {
        /// Its name
        name: String,
    },
    /// Let a profile belong to a business unit
    #[command(after_help = "Example:\n  seatwise access place PRF0001001 West")]
    Place {
        /// Number of the profile
        profile: String,
        /// Name of the business unit; left out: none, so that only whoever sees everything sees it
        unit: Option<String>,
    },
    /// Take somebody's access away: sessions end, tokens stop working
    Deactivate {
        /// Their id
        id: String,
    },
    /// Give somebody their access back
    Reactivate {
        /// Their id
        id: String,
    },
    /// End one of somebody's sessions
    EndSession {
        /// Their id
        id: String,
        /// The session's id
        session: String,
    },
}

/// Verbs of single sign-on.
#[derive(Debug, Subcommand)]
pub enum SignOnVerb {
    /// Show the identity provider and which group gives which role
    Show,
    /// Switch single sign-on off; it is set up on the page Single sign-on
    Off,
    /// Let a group give a role
    Map {
        /// As the provider's token names it
        group: String,
        /// A word as the page Roles names it
        role: String,
    },
    /// Let a group give a role no more, at once
    Unmap {
        /// As the provider's token names it
        group: String,
        /// The role
        role: String,
    },
}

const PERSON: &[Column] = &[
    ("Id", "/id", As::Text),
    ("Name", "/name", As::Text),
    ("E-mail", "/email", As::Text),
    ("Roles", "/roles", As::Text),
    ("By groups", "/group_roles", As::Text),
    ("Active", "/is_active", As::YesNo),
    ("Sees only", "/business_units", As::Text),
];

const SESSION: &[Column] = &[
    ("Session", "/id", As::Text),
    ("By", "/method", As::Words),
    ("Device", "/device", As::Text),
    ("Address", "/address", As::Text),
    ("Since", "/began_at", As::Time),
    ("Last seen", "/last_seen_at", As::Time),
    ("Ends", "/expires_at", As::Time),
];

fn shown(client: &Client, access: &Value) {
    if client.json {
        return output::one(client, access, &[]);
    }
    output::one(client, &access["principal"], PERSON);
    output::one(
        client,
        access,
        &[
            ("Password set", "/password_set_at", As::Time),
            ("Second factor", "/has_second_factor", As::YesNo),
        ],
    );
    if access["sessions"]
        .as_array()
        .is_some_and(|all| !all.is_empty())
    {
        output::list(client, &access["sessions"], SESSION);
    }
}

fn units(client: &Client, view: &Value) {
    if client.json {
        return output::one(client, view, &[]);
    }
    let columns = &[
        ("Business unit", "/name", As::Text),
        ("Profiles", "/profiles", As::Text),
        ("In the directory", "/people", As::Text),
        ("See it", "/principals", As::Text),
    ];
    output::list(client, &view["units"], columns);
    let columns = &[
        ("Profile", "/number", As::Text),
        ("Name", "/name", As::Text),
        ("Belongs to", "/business_unit", As::Text),
    ];
    output::list(client, &view["profiles"], columns);
}

pub async fn access(client: &Client, verb: AccessVerb) -> Result<(), CliError> {
    let answer = match verb {
        AccessVerb::List => {
            let people = client.get("/access", &[]).await?;
            output::list(client, &people, PERSON);
            return Ok(());
        }
        AccessVerb::Show { id } => client.get(&format!("/access/{id}"), &[]).await?,
        AccessVerb::Roles { id, roles } => {
            let body = json!({ "roles": roles });
            client.post(&format!("/access/{id}/roles"), &body).await?
        }
        AccessVerb::Sees { id, units } => {
            let path = format!("/access/{id}/business-units");
            client
                .post(&path, &json!({ "business_units": units }))
                .await?
        }
        AccessVerb::Units => {
            units(client, &client.get("/business-units", &[]).await?);
            return Ok(());
        }
        AccessVerb::AddUnit { name } => {
            let body = json!({ "name": name });
            units(client, &client.post("/business-units", &body).await?);
            return Ok(());
        }
        AccessVerb::Place { profile, unit } => {
            let path = format!("/profiles/{profile}/business-unit");
            let body = json!({ "business_unit": unit });
            units(client, &client.post(&path, &body).await?);
            return Ok(());
        }
        AccessVerb::Deactivate { id } => {
            let path = format!("/access/{id}/deactivate");
            client.post(&path, &json!({})).await?
        }
        AccessVerb::Reactivate { id } => {
            let path = format!("/access/{id}/reactivate");
            client.post(&path, &json!({})).await?
        }
        AccessVerb::EndSession { id, session } => {
            let path = format!("/access/{id}/sessions/{session}/end");
            client.post(&path, &json!({})).await?
        }
    };
    shown(client, &answer);
    Ok(())
}

pub async fn sign_on(client: &Client, verb: SignOnVerb) -> Result<(), CliError> {
    let answer = match verb {
        SignOnVerb::Show => client.get("/sign-on", &[]).await?,
        SignOnVerb::Off => client.post("/sign-on/off", &json!({})).await?,
        SignOnVerb::Map { group, role } => {
            let body = json!({ "group": group, "role": role });
            client.post("/sign-on/groups", &body).await?
        }
        SignOnVerb::Unmap { group, role } => {
            let body = json!({ "group": group, "role": role });
            client.post("/sign-on/groups/remove", &body).await?
        }
    };
    output::one(
        client,
        &answer,
        &[
            ("On", "/is_on", As::YesNo),
            ("Issuer", "/issuer", As::Text),
            ("Client id", "/client_id", As::Text),
            ("Secret set", "/secret_set_at", As::Time),
            ("Scopes", "/scopes", As::Text),
            ("Group claim", "/group_claim", As::Text),
            ("Callback", "/callback_url", As::Text),
        ],
    );
    let has_groups = answer["groups"]
        .as_array()
        .is_some_and(|all| !all.is_empty());
    if !client.json && has_groups {
        let columns = &[("Group", "/group", As::Text), ("Role", "/role", As::Words)];
        output::list(client, &answer["groups"], columns);
    }
    Ok(())
}
