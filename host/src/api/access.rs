//! Who may come in, with which roles, over the API. What would let a leaked token outlive its own end is done on pages alone: making
//! links and setting the identity provider.
use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Method;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Error;
use super::body::{Body, List};
use crate::app::host::Host;
use crate::identity::IdentityError;
use crate::identity::roles::{Actor, Permission, Role};
use crate::identity::service::{
    self, AccessView, GroupRole, PrincipalKind, PrincipalView, SignOnView, UnitsView,
};
use crate::kernel::{PrincipalId, SessionId};
use crate::web::gate::Caller;
use crate::web::routes::Route;

/// The addresses of this file.
pub fn routes() -> Vec<Route> {
    let mut all = vec![
        Route::api(
            Method::GET,
            "/api/v1/access",
            Permission::Administer,
            "Who may sign in, with which roles, by name",
            list,
        ),
        Route::api(
            Method::GET,
            "/api/v1/access/{id}",
            Permission::Administer,
            "One person's access: roles, ways in, open sessions",
            show,
        ),
    ];
    all.push(
        Route::api(
            Method::POST,
            "/api/v1/access/{id}/roles",
            Permission::Administer,
            "Gives somebody exactly these roles by hand; those of their groups stay",
            roles,
        )
        .taking::<Roles>(),
    );
    all.push(
        Route::api(
            Method::POST,
            "/api/v1/access/{id}/business-units",
            Permission::Administer,
            "Lets somebody see exactly these business units; without any, the whole company",
            sees,
        )
        .taking::<Sees>(),
    );
    all.push(Route::api(
        Method::GET,
        "/api/v1/business-units",
        Permission::Administer,
        "Business units by name, and which profile belongs to which",
        units,
    ));
    all.push(
        Route::api(
            Method::POST,
            "/api/v1/business-units",
            Permission::Administer,
            "Makes a business unit",
            create_unit,
        )
        .taking::<NewUnit>(),
    );
    all.push(
        Route::api(
            Method::POST,
            "/api/v1/profiles/{number}/business-unit",
            Permission::Administer,
            "Lets a profile belong to a business unit, or to none",
            place,
        )
        .taking::<Place>(),
    );
    all.push(Route::api(
        Method::POST,
        "/api/v1/access/{id}/deactivate",
        Permission::Administer,
        "Takes somebody's access away: sessions end, tokens stop working",
        deactivate,
    ));
    all.push(Route::api(
        Method::POST,
        "/api/v1/access/{id}/reactivate",
        Permission::Administer,
        "Gives somebody their access back",
        reactivate,
    ));
    all.push(Route::api(
        Method::POST,
        "/api/v1/access/{id}/sessions/{session}/end",
        Permission::Administer,
        "Ends one of somebody's sessions",
        end_session,
    ));
    all.push(Route::api(
        Method::GET,
        "/api/v1/sign-on",
        Permission::Administer,
        "Single sign-on: its provider and which group gives which role",
        sign_on,
    ));
    all.push(Route::api(
        Method::POST,
        "/api/v1/sign-on/off",
        Permission::Administer,
        "Switches single sign-on off",
        off,
    ));
    all.push(
        Route::api(
            Method::POST,
            "/api/v1/sign-on/groups",
            Permission::Administer,
            "Lets a group give a role",
            map,
        )
        .taking::<Pair>(),
    );
    all.push(
        Route::api(
            Method::POST,
            "/api/v1/sign-on/groups/remove",
            Permission::Administer,
            "Lets a group give a role no more, at once",
            unmap,
        )
        .taking::<Pair>(),
    );
    all
}

async fn list(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<List<PrincipalView>>, Error> {
    let mut people = service::list_principals(&host, &actor).await?;
    people.retain(|principal| principal.kind != PrincipalKind::System);
    Ok(List::all(people))
}

async fn access_of(
    host: &Host,
    actor: &Actor,
    id: &PrincipalId,
) -> Result<Json<AccessView>, Error> {
    Ok(Json(service::access_of(host, actor, id).await?))
}

async fn show(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<AccessView>, Error> {
    access_of(&host, &actor, &id.into()).await
}

fn role(word: &str) -> Result<Role, Error> {
    Role::parse(word).ok_or_else(|| {
        IdentityError::Invalid {
            field: "roles",
            sentence: format!("`{word}` is not a role"),
        }
        .into()
    })
}

/// Roles by hand: exactly these.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccessRoles)]
struct Roles {
    /// Words as the page *Roles* names them; empty: none.
    roles: Vec<String>,
}

async fn roles(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Body(body): Body<Roles>,
) -> Result<Json<AccessView>, Error> {
    let id = PrincipalId::from(id);
    let wanted: BTreeSet<Role> = body
        .roles
        .iter()
        .map(|word| role(word))
        .collect::<Result<_, _>>()?;
    service::set_roles(&host, &actor, &id, &wanted).await?;
    access_of(&host, &actor, &id).await
}

/// What somebody sees.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccessBusinessUnits)]
struct Sees {
    /// Names of business units; empty: the whole company.
    business_units: BTreeSet<String>,
}

async fn sees(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
    Body(body): Body<Sees>,
) -> Result<Json<AccessView>, Error> {
    let id = PrincipalId::from(id);
    service::set_sight(&host, &actor, &id, &body.business_units).await?;
    access_of(&host, &actor, &id).await
}

async fn units(State(host): State<Host>, Caller(actor): Caller) -> Result<Json<UnitsView>, Error> {
    Ok(Json(service::list_units(&host, &actor).await?))
}

/// A business unit to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBusinessUnit)]
struct NewUnit {
    /// Its name, which no other has.
    name: String,
}

async fn create_unit(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<NewUnit>,
) -> Result<Json<UnitsView>, Error> {
    service::create_unit(&host, &actor, &body.name).await?;
    Ok(Json(service::list_units(&host, &actor).await?))
}

/// Where a profile belongs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProfileBusinessUnit)]
struct Place {
    /// Name of a business unit; null: none.
    business_unit: Option<String>,
}

async fn place(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(number): Path<String>,
    Body(body): Body<Place>,
) -> Result<Json<UnitsView>, Error> {
    service::place_profile(&host, &actor, &number, body.business_unit.as_deref()).await?;
    Ok(Json(service::list_units(&host, &actor).await?))
}

async fn deactivate(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<AccessView>, Error> {
    let id = PrincipalId::from(id);
    service::deactivate(&host, &actor, &id).await?;
    access_of(&host, &actor, &id).await
}

async fn reactivate(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<AccessView>, Error> {
    let id = PrincipalId::from(id);
    service::reactivate(&host, &actor, &id).await?;
    access_of(&host, &actor, &id).await
}

async fn end_session(
    State(host): State<Host>,
    Caller(actor): Caller,
    Path((id, session)): Path<(String, String)>,
) -> Result<Json<AccessView>, Error> {
    let id = PrincipalId::from(id);
    service::end_session_of(&host, &actor, &id, &SessionId::from(session)).await?;
    access_of(&host, &actor, &id).await
}

async fn sign_on(
    State(host): State<Host>,
    Caller(actor): Caller,
) -> Result<Json<SignOnView>, Error> {
    Ok(Json(service::sign_on(&host, &actor).await?))
}

async fn off(State(host): State<Host>, Caller(actor): Caller) -> Result<Json<SignOnView>, Error> {
    service::switch_sign_on(&host, &actor, false).await?;
    Ok(Json(service::sign_on(&host, &actor).await?))
}

/// A group and a role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GroupRole)]
struct Pair {
    /// As the provider's token names it.
    group: String,
    /// A word as the page *Roles* names it.
    role: String,
}

impl Pair {
    fn read(self) -> Result<GroupRole, Error> {
        Ok(GroupRole {
            role: role(&self.role)?,
            group: self.group,
        })
    }
}

async fn map(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Pair>,
) -> Result<Json<SignOnView>, Error> {
    service::map_group(&host, &actor, &body.read()?).await?;
    Ok(Json(service::sign_on(&host, &actor).await?))
}

async fn unmap(
    State(host): State<Host>,
    Caller(actor): Caller,
    Body(body): Body<Pair>,
) -> Result<Json<SignOnView>, Error> {
    service::unmap_group(&host, &actor, &body.read()?).await?;
    Ok(Json(service::sign_on(&host, &actor).await?))
}
