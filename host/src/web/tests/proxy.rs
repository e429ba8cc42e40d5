//! The page *Proxy and certificates*: fields disabled while off, what was typed kept, no password shown.
use super::*;
use crate::profiles::{NewProfile, service as profiles};

const PASSWORD: &str = "canary-of-the-proxy-7a51";

async fn draft(world: &World) -> String {
    let new = NewProfile {
        connector: "salesforce".into(),
        name: "CRM Europe".into(),
        parent: None,
        login_url: "https://acme.my.salesforce.com".into(),
        grant: "client-credentials".into(),
        client_id: "id".into(),
        client_secret: "a secret of some length".to_owned().into(),
        refresh_token: None,
        settings: Vec::new(),
    };
    let made = profiles::create(&world.host, &Actor::system(), new).await;
    format!("/profiles/{}", made.unwrap().number)
}

async fn post(
    world: &World,
    who: &Somebody,
    path: &str,
    fields: &[(&str, &str)],
) -> (StatusCode, String) {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("csrf", &who.csrf).extend_pairs(fields);
    let request = World::form(path, who).body(Body::from(form.finish()));
    let response = world.send(request.unwrap()).await;
    (response.status(), text(response).await)
}

#[tokio::test]
async fn the_fields_of_a_proxy_are_disabled_while_it_is_off_and_its_password_is_never_shown() {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::SamIntegrator]).await;
    let profile = draft(&world).await;
    let page = format!("{profile}/proxy");
    let shown = text(world.get(&page, Some(&ana)).await).await;
    assert!(shown.contains("<fieldset disabled>"), "{shown}");
    assert!(shown.contains("requests leave directly"));
    assert!(shown.contains("*.my.salesforce.com"));
    let chosen = text(world.get(&format!("{page}?use=own"), Some(&ana)).await).await;
    assert!(chosen.contains("<fieldset><legend>"), "{chosen}");

    let wrong = [
        ("use", "own"),
        ("address", "proxy.example.com"),
        ("user", "seat\"wise"),
        ("password", PASSWORD),
    ];
    let (status, again) = post(&world, &ana, &page, &wrong).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.contains("value=\"proxy.example.com\"") && again.contains("seat&quot;wise"));
    assert!(
        again.contains("has no port") && !again.contains(PASSWORD),
        "{again}"
    );

    let right = [
        ("use", "own"),
        ("address", "10.1.2.3:3128"),
        ("user", "seatwise"),
        ("password", PASSWORD),
    ];
    assert_eq!(
        post(&world, &ana, &page, &right).await.0,
        StatusCode::SEE_OTHER
    );
    let shown = text(world.get(&page, Some(&ana)).await).await;
    assert!(
        shown.contains("http://10.1.2.3:3128") && shown.contains("ends in …7a51"),
        "{shown}"
    );
    assert!(shown.contains("by ana") && !shown.contains(PASSWORD));
    let deleted = text(world.get(&profile, Some(&ana)).await).await;
    assert!(
        !deleted.contains("Client id"),
        "the secret was deleted with the change"
    );
    let (status, _) = post(&world, &ana, &page, &[("use", "direct")]).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_private_key_that_was_pasted_is_refused_and_not_written_back() {
    let world = world().await;
    let ana = world.somebody("ana", &[Role::SamIntegrator]).await;
    let page = format!("{}/roots", draft(&world).await);
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA\n-----END PRIVATE KEY-----";
    let (status, shown) = post(&world, &ana, &page, &[("pem", key)]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        shown.contains("holds a private key") && !shown.contains("MC4CAQAw"),
        "{shown}"
    );
    let (status, shown) = post(&world, &ana, &page, &[("pem", "<b>nothing</b>")]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(shown.contains("&lt;b&gt;nothing"), "{shown}");
    let hosts = page.replace("/roots", "/hosts");
    assert_eq!(
        post(&world, &ana, &hosts, &[("hosts", "a.example.com")])
            .await
            .0,
        StatusCode::FORBIDDEN
    );
}
