//! What a manifest must hold, one refusal each; and what can be asked of a good one.

use super::{ErrorPlace, GrantKind, Manifest, ManifestError, Method, Pkce, ProcessId};

const GOOD: &str = r#"
[connector]
id = "acme-crm"
name = "Acme CRM"
version = "1.2.3"
publisher = "Acme"
abi = "seatwise:connector@0.1.0"
summary = "Reads Acme."

[limits]
memory_mib = 96

[[origins]]
name = "instance"
about = "the org's own host"
hosts = ["*.my.acme.example"]
base = "grant:instance_url"

[[read_operations]]
origin = "instance"
method = "GET"
path = "/query"
says = "read"

[[write_operations]]
origin = "instance"
method = "PATCH"
path = "/users/[0-9]+"
says = "change a user"

[credential]
kind = "oauth2"
login_hosts = ["login.acme.example"]
token_path = "/token"

[[credential.grants]]
id = "client-credentials"
title = "Client credentials"
fields = ["client_id", "client_secret"]

[[processes]]
id = "subscriptions"
title = "Download subscriptions"
rights = [{ name = "API", why = "to read" }]

[[actions]]
id = "deactivate"
title = "Deactivate"
danger = "destructive"
says = "The person can't sign in."

[settings.properties.kinds]
type = "array"
title = "Kinds"
enum = ["a", "b"]
default = ["a"]

[[products]]
name = "Cloud"
publisher = "Acme"
identifiers = ["CLOUD", "CL*"]

[[products]]
name = "Cloud Light"
publisher = "Acme"
identifiers = ["CLL*"]
free = true

[[errors]]
code = "acme.wrong_secret"
at = "token"
error = "invalid_client"
title = "Wrong secret"
cause = "Acme does not know this secret."
fix = "Enter it again."
field = "client_secret"

[[errors]]
code = "acme.locked"
at = "api"
text = "(?i)locked"
title = "Locked"
cause = "The org is locked."
fix = "Wait."
"#;

fn refused(from: &str, to: &str) -> String {
    assert!(
        GOOD.contains(from),
        "the test's text stands in the manifest: {from}"
    );
    Manifest::parse(&GOOD.replacen(from, to, 1))
        .expect_err(to)
        .to_string()
}

#[test]
fn a_good_manifest_answers_what_the_host_asks() {
    let manifest = Manifest::parse(GOOD).unwrap();
    assert_eq!(manifest.origin("instance").unwrap().ports, [443]);
    assert_eq!(manifest.limits.memory_mib, 96);
    assert!(
        manifest.process(ProcessId::Subscriptions).is_some()
            && manifest.process(ProcessId::Reclaim).is_none()
    );
    assert_eq!(manifest.read_operations[0].method, Method::Get);
    assert!(manifest.action("deactivate").unwrap().frees_seat);
    assert_eq!(manifest.credential.default_lifetime_s, 900);
}

#[test]
fn the_most_exact_identifier_names_the_product() {
    let manifest = Manifest::parse(GOOD).unwrap();
    let name = |identifier| {
        manifest
            .product(identifier)
            .map(|product| product.name.as_str())
    };
    assert_eq!(name("CLOUD"), Some("Cloud"));
    assert_eq!(name("CLX"), Some("Cloud"));
    assert_eq!(name("CLL1"), Some("Cloud Light"));
    assert_eq!(name("cloud"), None);
}

#[test]
fn the_first_error_rule_that_fits_gives_the_fix() {
    let manifest = Manifest::parse(GOOD).unwrap();
    let code = |at, error, text| {
        manifest
            .error(at, error, text)
            .map(|rule| rule.code.as_str())
    };
    assert_eq!(
        code(ErrorPlace::Token, "invalid_client", ""),
        Some("acme.wrong_secret")
    );
    assert_eq!(code(ErrorPlace::Api, "invalid_client", ""), None);
    assert_eq!(
        code(ErrorPlace::Api, "X", "org is LOCKED now"),
        Some("acme.locked")
    );
}

#[test]
fn settings_become_a_schema_without_room_for_anything_else() {
    let manifest = Manifest::parse(GOOD).unwrap();
    let schema = manifest.settings.json_schema();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(
        schema["properties"]["kinds"]["items"]["enum"],
        serde_json::json!(["a", "b"])
    );
    assert_eq!(
        serde_json::Value::Object(manifest.settings.defaults()),
        serde_json::json!({ "kinds": ["a"] })
    );
}

#[test]
fn what_does_not_hold_together_is_refused_by_name() {
    for (from, to, says) in [
        ("name = \"Acme CRM\"", "nmae = \"Acme CRM\"", "nmae"),
        ("id = \"acme-crm\"", "id = \"Acme CRM\"", "[a-z0-9-]{3,64}"),
        ("version = \"1.2.3\"", "version = \"1.2\"", "three numbers"),
        (
            "abi = \"seatwise:connector@0.1.0\"",
            "abi = \"other@1\"",
            "abi",
        ),
        ("memory_mib = 96", "memory_mib = 4096", "between 1 and 256"),
        (
            "hosts = [\"*.my.acme.example\"]",
            "hosts = [\"*.com\"]",
            "two labels",
        ),
        (
            "hosts = [\"*.my.acme.example\"]",
            "hosts = [\"127.0.0.1\"]",
            "IP address",
        ),
        (
            "hosts = [\"*.my.acme.example\"]",
            "hosts = []",
            "hosts is empty",
        ),
        (
            "base = \"grant:instance_url\"",
            "base = \"https://evil.example\"",
            "neither",
        ),
        ("method = \"GET\"", "method = \"PATCH\"", "writes"),
        (
            "method = \"GET\"",
            "method = \"GET\"\nbody = true",
            "only a POST",
        ),
        ("method = \"PATCH\"", "method = \"GET\"", "reads"),
        ("path = \"/query\"", "path = \"/query)|(.*\"", "/query)|(.*"),
        ("path = \"/query\"", "path = \"query\"", "does not start"),
        (
            "origin = \"instance\"",
            "origin = \"elsewhere\"",
            "not one of [[origins]]",
        ),
        (
            "token_path = \"/token\"",
            "token_path = \"//evil/token\"",
            "exactly one",
        ),
        (
            "id = \"subscriptions\"",
            "id = \"everything\"",
            "everything",
        ),
        ("danger = \"destructive\"", "danger = \"none\"", "none"),
        ("default = [\"a\"]", "default = [\"c\"]", "default"),
        (
            "identifiers = [\"CLL*\"]",
            "identifiers = [\"CL*\"]",
            "occurs twice",
        ),
        (
            "identifiers = [\"CLL*\"]",
            "identifiers = [\"*\"]",
            "after something",
        ),
        ("text = \"(?i)locked\"", "text = \"(\"", "[[errors]]"),
        ("fix = \"Wait.\"", "fix = \"\"", "what to do next"),
    ] {
        let text = refused(from, to);
        assert!(text.contains(says), "{to}: {text}");
    }
}

#[test]
fn a_refusal_has_a_stable_code() {
    assert_eq!(Manifest::parse("[").unwrap_err().code(), "manifest.syntax");
    let invalid = Manifest::parse(&GOOD.replace("1.2.3", "1")).unwrap_err();
    assert!(matches!(invalid, ManifestError::Invalid { .. }));
    assert_eq!(invalid.code(), "manifest.invalid");
}

#[test]
fn an_action_that_names_identifiers_takes_back_only_those_and_the_others_take_the_rest() {
    let text = GOOD.replace(
        "[[actions]]\nid = \"deactivate\"",
        "[[actions]]\nid = \"remove\"\ntitle = \"Remove\"\ndanger = \"reversible\"\nidentifiers = [\"psl:*\"]\nsays = \"x\"\n\n[[actions]]\nid = \"deactivate\"",
    );
    let manifest = Manifest::parse(&text).unwrap();
    let of = |identifiers: &[&str]| {
        let identifiers: Vec<String> = identifiers.iter().map(|&it| it.to_owned()).collect();
        let found = manifest.actions_for(&identifiers);
        found
            .into_iter()
            .map(|it| it.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&["psl:Sales"]), ["remove"]);
    assert_eq!(of(&["SFDC"]), ["deactivate"]);
    assert_eq!(of(&["SFDC", "psl:Sales"]), Vec::<String>::new());
    let wrong = text.replace("psl:*", "*psl");
    assert!(
        Manifest::parse(&wrong)
            .unwrap_err()
            .to_string()
            .contains("remove")
    );
}

const EVERY_GRANT: &str = r#"
authorize_path = "/authorize"
scope_covers = { all = ["read", "write"] }

[[credential.grants]]
id = "authorization-code"
title = "Code"
scopes = ["read"]
fields = ["client_id", "client_secret"]
optional_fields = ["client_secret"]
prompt = "login"

[[credential.grants]]
id = "jwt-bearer"
title = "JWT"
fields = ["client_id", "username", "private_key"]
audiences = [
    { value = "https://login.acme.example", title = "Production", hosts = ["login.acme.example"] },
    { value = "https://test.acme.example", title = "Test", hosts = ["*.test.acme.example"] },
]

[[credential.grants]]
id = "device-code"
title = "Device"
fields = ["client_id"]
device = { path = "/device", grant_type = "urn:ietf:params:oauth:grant-type:device_code", code_field = "device_code", lifetime_s = 600 }
"#;

fn every_grant() -> String {
    GOOD.replacen(
        "token_path = \"/token\"\n",
        &format!("token_path = \"/token\"\n{EVERY_GRANT}"),
        1,
    )
}

#[test]
fn every_grant_of_a_manifest_is_known_by_its_word() {
    let manifest = Manifest::parse(&every_grant()).unwrap();
    for kind in GrantKind::ALL {
        assert_eq!(GrantKind::parse(kind.as_str()), Some(kind));
        let offered = manifest.grant(kind.as_str()).map(|grant| grant.id);
        let expected = (kind != GrantKind::RefreshToken).then_some(kind);
        assert_eq!(offered, expected);
    }
    let code = manifest.grant("authorization-code").unwrap();
    assert!(code.takes("client_secret") && !code.wants("client_secret"));
    assert_eq!(code.pkce, Pkce::Usual);
    let jwt = manifest.grant("jwt-bearer").unwrap();
    for (login, audience) in [
        ("https://login.acme.example/", "https://login.acme.example"),
        (
            "https://dev.test.acme.example/",
            "https://test.acme.example",
        ),
        (
            "https://elsewhere.acme.example/",
            "https://login.acme.example",
        ),
    ] {
        assert_eq!(jwt.audience(&login.parse().unwrap()), Some(audience));
    }
}

#[test]
fn a_scope_that_stands_for_others_carries_them() {
    let credential = Manifest::parse(&every_grant()).unwrap().credential;
    let granted = ["all".to_owned()];
    assert!(credential.carries(&granted, "read") && credential.carries(&granted, "all"));
    assert!(!credential.carries(&granted, "delete"));
    assert!(!credential.carries(&[], "read"));
}

#[test]
fn a_grant_that_does_not_hold_together_is_refused_by_name() {
    for (from, to, says) in [
        ("id = \"device-code\"", "id = \"magic\"", "magic"),
        ("authorize_path = \"/authorize\"", "", "authorize_path"),
        ("\"username\", ", "", "cannot do without"),
        (
            "prompt = \"login\"",
            "device = { path = \"/x\", grant_type = \"d\", code_field = \"c\", lifetime_s = 1 }",
            "device is for",
        ),
        (
            "optional_fields = [\"client_secret\"]",
            "optional_fields = [\"client_id\"]",
            "optional_fields",
        ),
        ("path = \"/device\"", "path = \"//device\"", "at its start"),
        (
            "fields = [\"client_id\"]\n",
            "fields = [\"client_id\", \"password\"]\n",
            "fields may be",
        ),
    ] {
        let text = every_grant();
        assert!(text.contains(from), "{from}");
        let refused = Manifest::parse(&text.replacen(from, to, 1)).expect_err(to);
        assert!(refused.to_string().contains(says), "{refused}");
    }
}
