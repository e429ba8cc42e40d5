//! Every row of salesforce.md §1.9 and §1.10: the org produces it, and the connector's manifest explains it with words of its own.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::json;

use super::ways::{api_answer, called, token_answer};
use super::{ANA, Org, spec, text};

const MANIFEST: &str = include_str!("../../../connector.toml");

/// What of the manifest is asked for here; the host reads the rest.
#[derive(Deserialize)]
struct Manifest {
    errors: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    code: String,
    at: String,
    error: Option<String>,
    text: Option<String>,
    title: String,
    cause: String,
    fix: String,
    field: Option<String>,
}

/// As the host does it: the first rule whose place, code and sentence fit.
fn rule<'m>(rules: &'m [Rule], at: &str, error: &str, says: &str) -> Option<&'m Rule> {
    rules.iter().find(|rule| {
        let fits = |text: &String| regex::Regex::new(text).unwrap().is_match(says);
        rule.at == at
            && rule.error.as_deref().is_none_or(|code| code == error)
            && rule.text.as_ref().is_none_or(fits)
    })
}

/// The rule that explains a row, the field it points at, and what the org answers: status, code, sentence. A row with several
/// answers has them because Salesforce words it in several ways.
type Row = (
    &'static str,
    Option<&'static str>,
    &'static [(u16, &'static str, &'static str)],
);

const TOKEN_ROWS: &[Row] = &[
    (
        "salesforce.authentication_failure",
        None,
        &[
            (400, "invalid_grant", "authentication failure"),
            (
                400,
                "invalid_grant",
                "authentication failure - Invalid Password",
            ),
        ],
    ),
    (
        "salesforce.refresh_token_dead",
        Some("refresh_token"),
        &[(400, "invalid_grant", "expired access/refresh token")],
    ),
    (
        "salesforce.authorization_code",
        None,
        &[
            (400, "invalid_grant", "invalid authorization code"),
            (400, "invalid_grant", "expired authorization code"),
        ],
    ),
    (
        "salesforce.inactive_user",
        None,
        &[(400, "invalid_grant", "inactive user")],
    ),
    (
        "salesforce.ip_restricted",
        None,
        &[
            (400, "invalid_grant", "IP restricted"),
            (400, "invalid_grant", "ip restricted or invalid login hours"),
        ],
    ),
    (
        "salesforce.password_expired",
        None,
        &[(400, "invalid_grant", "password expired")],
    ),
    (
        "salesforce.challenge_required",
        None,
        &[(400, "invalid_grant", "challenge required")],
    ),
    (
        "salesforce.wrong_domain",
        Some("login_url"),
        &[(400, "invalid_grant", "request not supported on this domain")],
    ),
    (
        "salesforce.no_run_as_user",
        Some("client_id"),
        &[(400, "invalid_grant", "no client credentials user enabled")],
    ),
    (
        "salesforce.not_approved",
        None,
        &[(400, "invalid_grant", "user hasn't approved this consumer")],
    ),
    (
        "salesforce.audience",
        Some("login_url"),
        &[(400, "invalid_grant", "Audience validation failed")],
    ),
    (
        "salesforce.verifier_missing",
        None,
        &[(400, "invalid_grant", "missing code verifier")],
    ),
    (
        "salesforce.assertion",
        Some("client_id"),
        &[(400, "invalid_grant", "invalid assertion")],
    ),
    (
        "salesforce.device_code",
        None,
        &[(400, "invalid_grant", "invalid device code")],
    ),
    (
        "salesforce.unknown_client",
        Some("client_id"),
        &[(400, "invalid_client_id", "client identifier invalid")],
    ),
    (
        "salesforce.app_not_installed",
        Some("client_id"),
        &[(400, "invalid_client", "app must be installed into org")],
    ),
    (
        "salesforce.wrong_secret",
        Some("client_secret"),
        &[(400, "invalid_client", "invalid client credentials")],
    ),
    (
        "salesforce.not_admin_approved",
        None,
        &[(
            400,
            "invalid_app_access",
            "user is not admin approved to access this app",
        )],
    ),
    (
        "salesforce.grant_not_enabled",
        None,
        &[
            (400, "unsupported_grant_type", "grant type not supported"),
            (400, "unsupported_grant_type", "unsupported_grant_type"),
        ],
    ),
    (
        "salesforce.code_verifier",
        None,
        &[(400, "invalid_request", "invalid code verifier")],
    ),
    (
        "salesforce.device_denied",
        None,
        &[(400, "invalid_request", "end-user denied authorization")],
    ),
    (
        "salesforce.scope_sent",
        None,
        &[(400, "invalid_request", "scope parameter not supported")],
    ),
    (
        "salesforce.refresh_scope",
        Some("client_id"),
        &[(
            400,
            "invalid_request",
            "refresh_token scope is required and the connected app should be installed and preauthorized",
        )],
    ),
    (
        "salesforce.invalid_request",
        None,
        &[(
            400,
            "invalid_request",
            "missing required parameter: refresh_token",
        )],
    ),
    (
        "salesforce.token_retry",
        None,
        &[(400, "retry_request", "retry your request")],
    ),
    (
        "salesforce.redirect_mismatch",
        Some("callback_url"),
        &[(
            400,
            "redirect_uri_mismatch",
            "redirect_uri must match configuration",
        )],
    ),
    (
        "salesforce.inactive_org",
        None,
        &[(400, "inactive_org", "organization is inactive")],
    ),
    (
        "salesforce.token_rate",
        None,
        &[(400, "rate_limit_exceeded", "rate limit exceeded")],
    ),
    (
        "salesforce.token_server_error",
        None,
        &[(503, "server_error", "service unavailable")],
    ),
    (
        "salesforce.app_blocked",
        None,
        &[(400, "OAUTH_APP_BLOCKED", "this app is blocked by admin")],
    ),
    (
        "salesforce.authorization_pending",
        None,
        &[(
            400,
            "authorization_pending",
            "User has not yet approved the request",
        )],
    ),
    (
        "salesforce.slow_down",
        None,
        &[(400, "slow_down", "Polling too frequently")],
    ),
    (
        "salesforce.login_rate",
        None,
        &[(400, "LOGIN_RATE_EXCEEDED", "login rate exceeded")],
    ),
    // On the way to a token: errors that the callback brings.
    (
        "salesforce.access_denied",
        None,
        &[(302, "access_denied", "end-user denied authorization")],
    ),
    (
        "salesforce.scope_not_allowed",
        None,
        &[(302, "invalid_scope", "the requested scope is not allowed")],
    ),
];

const NOT_FOR_REST: &str = "This session is not valid for use with the REST API";

const API_ROWS: &[Row] = &[
    (
        "salesforce.session_expired",
        None,
        &[(401, "INVALID_SESSION_ID", "Session expired or invalid")],
    ),
    (
        "salesforce.session_not_for_api",
        None,
        &[(401, "INVALID_SESSION_ID", NOT_FOR_REST)],
    ),
    (
        "salesforce.session_agent",
        None,
        &[(
            401,
            "INVALID_SESSION_ID",
            "Connected app is not attached to Agent",
        )],
    ),
    (
        "salesforce.session_blacktab",
        None,
        &[(
            401,
            "INVALID_SESSION_ID",
            "BlackTab users cannot perform API operations",
        )],
    ),
    (
        "salesforce.user_without_api",
        None,
        &[(
            403,
            "FUNCTIONALITY_NOT_ENABLED",
            "This feature is not currently enabled for this user",
        )],
    ),
    (
        "salesforce.org_without_api",
        None,
        &[(
            403,
            "API_DISABLED_FOR_ORG",
            "The REST API is not enabled for this Organization.",
        )],
    ),
    (
        "salesforce.api_switched_off",
        None,
        &[(
            403,
            "API_CURRENTLY_DISABLED",
            "API is currently disabled for this Organization.",
        )],
    ),
    (
        "salesforce.bad_token",
        None,
        &[(403, "Bad_OAuth_Token", "")],
    ),
];

fn checked(at: &str, rows: &[Row]) {
    let manifest: Manifest = toml::from_str(MANIFEST).unwrap();
    let mut owners = BTreeMap::new();
    for (code, field, answers) in rows {
        assert_eq!(owners.insert(*code, ()), None, "{code} stands for two rows");
        for (_, error, says) in *answers {
            let found = rule(&manifest.errors, at, error, says);
            let found = found.unwrap_or_else(|| panic!("nothing explains {error}: {says}"));
            assert_eq!(found.code, *code, "{error}: {says}");
            assert_eq!(found.field.as_deref(), *field, "{code}");
            assert!(found.error.is_some(), "{code} would catch other errors too");
        }
    }
    let own: Vec<_> = manifest
        .errors
        .iter()
        .filter(|rule| owners.contains_key(rule.code.as_str()))
        .collect();
    let distinct = |of: fn(&Rule) -> &str| {
        own.iter()
            .map(|rule| of(rule))
            .collect::<BTreeSet<_>>()
            .len()
    };
    assert_eq!(
        distinct(|rule| &rule.cause),
        own.len(),
        "two rows share a cause"
    );
    assert!(
        own.iter()
            .all(|rule| rule.title.len() > 8 && rule.fix.len() > 20)
    );
}

#[test]
fn each_row_of_the_token_errors_is_explained_by_an_entry_of_its_own() {
    checked("token", TOKEN_ROWS);
}

#[test]
fn each_row_of_the_session_errors_is_explained_by_an_entry_of_its_own() {
    checked("api", API_ROWS);
}

#[tokio::test]
async fn the_org_produces_every_row_of_the_token_errors() {
    for (code, _, expected) in TOKEN_ROWS {
        let mut produced = Vec::new();
        for number in 0..expected.len() {
            produced.push(token_answer(code, number).await);
        }
        let told: Vec<_> = produced
            .iter()
            .map(|(status, body)| {
                (
                    *status,
                    text(body, "error"),
                    text(body, "error_description"),
                )
            })
            .collect();
        assert_eq!(told, *expected, "{code}");
    }
}

#[tokio::test]
async fn the_org_produces_every_row_of_the_session_errors() {
    for (code, _, expected) in API_ROWS {
        assert_eq!(vec![api_answer(code).await], owned(expected), "{code}");
    }
    // The ways into one row.
    let row = owned(API_ROWS[1].2).remove(0);
    for change in [
        json!({"profiles": {"Standard User": {"high_assurance": true}}}),
        json!({"people": {ANA: {"password": "expired_after_login"}}}),
    ] {
        let org = Org::of(spec()).await;
        org.set("login", change);
        assert_eq!(called(&org).await, row);
    }
    let org = Org::with(|app| app.high_assurance = true).await;
    assert_eq!(called(&org).await, row);
}

fn owned(rows: &[(u16, &str, &str)]) -> Vec<(u16, String, String)> {
    let row = |(status, error, says): &(u16, &str, &str)| {
        (*status, (*error).to_owned(), (*says).to_owned())
    };
    rows.iter().map(row).collect()
}
