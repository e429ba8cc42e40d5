//! Every grant, from the page of a connection to a run: what connects, what is refused, and that a refusal leaves nothing behind.

mod cases;
mod errors;
mod pages;
mod refresher;
mod task;
mod ways;

use std::sync::Arc;

use seatwise::credentials::NewCredential;
use seatwise::credentials::signin::{Callback, SigninView};
use seatwise::identity::roles::Actor;
use seatwise::kernel::faults::NoFaults;
use seatwise::kernel::{IntoProblem as _, Problem};
use seatwise::profiles::ProfileError;
use seatwise::profiles::signin::{self, Connected, ConnectionView};
use seatwise_practice_org_salesforce::{OrgSpec, Running, worked_example};
use seatwise_tests::database::Database;
use seatwise_tests::world::World;
use serde_json::{Value, json};
use url::Url;

const CALLBACK: &str = "http://127.0.0.1/connect/callback";
const KEY: &str =
    include_str!("../../../connectors/salesforce/practice-org/tests/fixtures/jwt.pem");
const CERTIFICATE: &str =
    include_str!("../../../connectors/salesforce/practice-org/tests/fixtures/jwt.crt");

/// The org of the worked example, with an app that takes every grant.
fn spec() -> OrgSpec {
    let mut spec = worked_example::org1(worked_example::T0_MS);
    let app = &mut spec.apps[0];
    app.redirect_uris = vec![CALLBACK.to_owned()];
    app.device = true;
    app.rotation = true;
    app.certificate = Some(CERTIFICATE.to_owned());
    app.approved_by = app.run_as.iter().cloned().collect();
    spec
}

fn run_as() -> String {
    spec().apps.remove(0).run_as.expect("the app has a user")
}

/// A credential of the app's own client with this grant; the key is the one whose certificate the app has.
fn credential(grant: &str) -> NewCredential {
    let app = spec().apps.remove(0);
    let is_jwt = grant == "jwt-bearer";
    NewCredential {
        grant_kind: grant.to_owned(),
        client_id: app.client_id,
        client_secret: app.client_secret.into(),
        username: is_jwt.then(run_as),
        private_key: is_jwt.then(|| KEY.to_owned().into()),
        ..NewCredential::default()
    }
}

async fn draft(database: &Database, spec: OrgSpec) -> World {
    World::unpublished(database, spec, Arc::new(NoFaults), "client-credentials").await
}

async fn connection(world: &World) -> ConnectionView {
    signin::connection(&world.host, &world.ana, &world.profile)
        .await
        .unwrap()
}

async fn connect(world: &World, new: NewCredential) -> Result<Connected, ProfileError> {
    signin::connect(&world.host, &world.ana, &world.profile, new).await
}

/// What a person is told when this credential is offered.
async fn refused(world: &World, new: NewCredential) -> Problem {
    match connect(world, new).await {
        Ok(outcome) => panic!("it was taken: {outcome:?}"),
        Err(error) => error.problem(),
    }
}

async fn begin_as(world: &World, who: &Actor, new: NewCredential) -> SigninView {
    match signin::connect(&world.host, who, &world.profile, new).await {
        Ok(Connected::SignIn { id }) => signin::find(&world.host, who, id.as_str()).await.unwrap(),
        other => panic!("no sign-in began: {other:?}"),
    }
}

async fn begin(world: &World, new: NewCredential) -> SigninView {
    begin_as(world, &world.ana, new).await
}

/// What a person does at the vendor's consent page, and what the browser then brings back.
fn consent(org: &Running, page: &str, allow: bool) -> Callback {
    let asked = json!({"url": page, "username": run_as(), "allow": allow});
    let (status, went) = org.control().call("POST", "consent", &asked);
    assert_eq!(status, 200, "{went}");
    let location = went["location"].as_str().expect("the page leads back");
    let location = Url::parse(location).unwrap();
    assert!(location.as_str().starts_with(CALLBACK), "{location}");
    let pair = |wanted: &str| {
        location
            .query_pairs()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    Callback {
        code: pair("code"),
        state: pair("state"),
        error: pair("error"),
        error_description: pair("error_description"),
        iss: pair("iss"),
    }
}

fn page(view: &SigninView) -> &str {
    view.goes_to.as_deref().expect("it leads to the vendor")
}

/// The browser comes back; how the sign-in then stands.
async fn come_back(world: &World, callback: &Callback) -> SigninView {
    let id = signin::returned(&world.host, &world.ana, callback)
        .await
        .unwrap();
    signin::find(&world.host, &world.ana, id.as_str())
        .await
        .unwrap()
}

/// A whole sign-in with a code.
async fn sign_in(world: &World, new: NewCredential) -> SigninView {
    let begun = begin(world, new).await;
    come_back(world, &consent(&world.org, page(&begun), true)).await
}

async fn problem_of(world: &World, callback: &Callback) -> Problem {
    match signin::returned(&world.host, &world.ana, callback).await {
        Ok(id) => panic!("it was taken: {id}"),
        Err(error) => error.problem(),
    }
}

fn app(world: &World, fields: &Value) {
    let path = format!("apps/{}", spec().apps[0].client_id);
    let (status, said) = world.org.control().call("POST", &path, fields);
    assert_eq!(status, 200, "{said}");
}

fn token_calls(world: &World) -> u64 {
    world.org.control().requests("POST token")
}
