//! What a failure means for a person: the connector's error table first, then the kind of failure. Pure.

use seatwise_runtime::contract::types::{Failure, FailureKind};
use seatwise_runtime::manifest::{ErrorPlace, ErrorRule};
use seatwise_runtime::{CallError, Manifest};
use serde_json::json;

use crate::kernel::Problem;

/// A failure as a problem with cause and fix. The vendor's own code and sentence are kept in the detail.
#[must_use]
pub fn failure(manifest: &Manifest, at: ErrorPlace, failure: &Failure) -> Problem {
    let detail = json!({"vendor_code": failure.code, "vendor_message": failure.message});
    if let Some(rule) = rule(manifest, at, failure) {
        let problem = Problem::new(
            &rule.code,
            status(failure.kind),
            format!("{}: {}", rule.title, rule.cause),
            rule.fix.clone(),
        )
        .with(detail);
        return match &rule.field {
            Some(field) => problem.at(field),
            None => problem,
        };
    }
    if let Some((code, field, fix)) = on_the_way(&failure.code) {
        let problem = Problem::new(code, status(failure.kind), failure.message.clone(), fix);
        return problem.at(field).with(detail);
    }
    if let Some(fix) = vault(&failure.code) {
        let message = failure.message.clone();
        return Problem::new(&failure.code, status(failure.kind), message, fix).with(detail);
    }
    let (code, fix) = by_kind(failure.kind);
    Problem::new(code, status(failure.kind), failure.message.clone(), fix).with(detail)
}

/// A failed token call as a problem: the connector's word for what the token endpoint said, or for why no answer came.
#[must_use]
pub fn token(manifest: &Manifest, answered: &Failure) -> Problem {
    let at = match place(answered) {
        ErrorPlace::Network => ErrorPlace::Network,
        ErrorPlace::Token | ErrorPlace::Api => ErrorPlace::Token,
    };
    failure(manifest, at, answered)
}

/// A failed call as a problem: the connector's own failure, or the limit that stopped it.
#[must_use]
pub fn call(manifest: &Manifest, error: &CallError) -> Problem {
    let connector = &manifest.connector;
    match error {
        CallError::Failed(answered) => failure(manifest, place(answered), answered),
        CallError::Timeout { .. } => Problem::new(
            "connector.timeout",
            504,
            error.to_string(),
            "Try again; if it stays, the vendor is too slow for this page size",
        )
        .with(json!({"connector": connector.id})),
        CallError::Limit { .. } | CallError::Trap { .. } => Problem::new(
            error_code(error),
            502,
            error.to_string(),
            format!(
                "This is a fault of the connector {} {}; give this text to its author",
                connector.id, connector.version
            ),
        ),
        CallError::Host { .. } => Problem::internal(),
    }
}

fn error_code(error: &CallError) -> &'static str {
    match error {
        CallError::Limit { .. } => "connector.limit",
        _ => "connector.trap",
    }
}

/// The connector's word for it. A call of the API may fail because no token could be had for it; the guest hands such a failure
/// on unchanged, so what the table does not know of the API is looked up among the answers to token calls.
fn rule<'m>(manifest: &'m Manifest, at: ErrorPlace, failure: &Failure) -> Option<&'m ErrorRule> {
    let known = |at| manifest.error(at, &failure.code, &failure.message);
    known(at).or_else(|| {
        (at == ErrorPlace::Api)
            .then(|| known(ErrorPlace::Token))
            .flatten()
    })
}

/// Where a failure of a call was met: the egress guard's own codes mean that no answer came.
fn place(failure: &Failure) -> ErrorPlace {
    match failure.code.as_str() {
        "dns" | "connect" | "tls" | "timeout" | "cut_body" | "not_http" | "bad_encoding"
        | "too_large" | "proxy_unreachable" | "proxy_login" | "proxy_refused" | "proxy_tls" => {
            ErrorPlace::Network
        }
        _ => ErrorPlace::Api,
    }
}

/// What stands between this host and the vendor, and whose matter it is: code, field, fix.
fn on_the_way(code: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match code {
        "proxy_unreachable" => (
            "proxy.unreachable",
            "address",
            "Check the proxy's address and port under Proxy and certificates, and that this host may reach it",
        ),
        "proxy_login" => (
            "proxy.login_refused",
            "password",
            "Enter the proxy's user name and password under Proxy and certificates; its administrator has them",
        ),
        "proxy_refused" => (
            "proxy.refused",
            "address",
            "Ask the proxy's administrator to allow CONNECT to this host and port; it is tried again by itself",
        ),
        "proxy_tls" => (
            "proxy.tls",
            "pem",
            "Add the authority that signed the proxy's certificate under Proxy and certificates, or write its address with http://",
        ),
        "egress.proxy_address" => (
            "proxy.private",
            "address",
            "A proxy on this very machine has to be named by the operator: start the host with --allow-target HOST:PORT",
        ),
        "tls" => (
            "vendor.tls",
            "pem",
            "If a proxy of your company opens secure connections, add its authority under Proxy and certificates; otherwise the address is not the vendor's",
        ),
        _ => return None,
    })
}

/// What a person does when a vault did not give the value that a token call needed; none for a code that is no vault's.
#[must_use]
pub fn vault(code: &str) -> Option<&'static str> {
    Some(match code {
        "vault.unknown" => {
            "Choose a vault of the list; an administrator adds one on the page Vaults"
        }
        "vault.query" => {
            "Write Safe=…;Object=… for CyberArk, or the path of the secret without the mount for a key-value engine"
        }
        "vault.not_allowed" => {
            "A vault in a private network, over http or at another port than 443 has to be named by the operator: start the host with --allow-target HOST:PORT"
        }
        "vault.unreachable" => {
            "Check the vault's address and authority on the page Vaults, and that this host may reach it; it is tried again by itself"
        }
        "vault.denied" => {
            "Ask the vault's administrator to let this host's application id or token read what the query names"
        }
        "vault.not_found" => {
            "Correct the query, or ask the vault's administrator whether this application may see what it names"
        }
        "vault.deleted" => "Restore the secret in the vault, or name another one",
        "vault.ambiguous" => {
            "Make the query narrower, with Safe, Folder and Object, until it names one thing"
        }
        "vault.property" => {
            "Enter the name of the property that holds the value, as the vault spells it"
        }
        "vault.changing" => "Nothing to do: it is tried again by itself when the change is through",
        "vault.sealed" => {
            "Ask the vault's administrator to unseal it or to look at its store; it is tried again by itself"
        }
        "vault.busy" => {
            "Nothing to do: it is tried again by itself; raise the vault's rate limit if it stays"
        }
        "vault.token" => "An administrator enters the vault's token again on the page Vaults",
        "vault.shape" => {
            "Check that the vault's address and kind belong together on the page Vaults"
        }
        _ => return None,
    })
}

fn status(kind: FailureKind) -> u16 {
    match kind {
        FailureKind::Auth
        | FailureKind::Permission
        | FailureKind::InvalidInput
        | FailureKind::NotFound
        | FailureKind::Unsupported => 422,
        FailureKind::Conflict | FailureKind::Refused => 409,
        FailureKind::Quota | FailureKind::RateLimited | FailureKind::Transient => 503,
        FailureKind::Malformed | FailureKind::Internal => 502,
    }
}

fn by_kind(kind: FailureKind) -> (&'static str, &'static str) {
    match kind {
        FailureKind::Auth => (
            "vendor.auth",
            "Reconnect the profile: check the client id and secret, or sign in again",
        ),
        FailureKind::Permission => (
            "vendor.permission",
            "Ask the vendor's administrator to grant this right to the connecting user",
        ),
        FailureKind::NotFound => (
            "vendor.not_found",
            "Check that the record still exists at the vendor",
        ),
        FailureKind::InvalidInput => ("vendor.invalid_input", "Correct the profile's settings"),
        FailureKind::Conflict => ("vendor.conflict", "Run it again with fresh facts"),
        FailureKind::Quota => (
            "vendor.quota",
            "Nothing to do: it goes on by itself when the vendor's window allows",
        ),
        FailureKind::RateLimited => (
            "vendor.rate_limited",
            "Nothing to do: it goes on by itself, more slowly",
        ),
        FailureKind::Transient => (
            "vendor.unavailable",
            "Nothing to do: it is tried again by itself; look at the vendor's status page if it stays",
        ),
        FailureKind::Refused => (
            "vendor.refused",
            "The vendor's own rule said no; settle it there, then try again",
        ),
        FailureKind::Unsupported => (
            "vendor.unsupported",
            "The org has no such feature, or the request is outside the connector's manifest",
        ),
        FailureKind::Malformed => (
            "vendor.malformed",
            "The vendor's answer could not be read; try again, and report it if it stays",
        ),
        FailureKind::Internal => (
            "connector.internal",
            "This is a fault of the connector; give this text to its author",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::parse(seatwise_builtin_connectors::all()[0].manifest).unwrap()
    }

    #[test]
    fn every_kind_of_failure_says_what_to_do() {
        use FailureKind::{
            Auth, Conflict, Internal, InvalidInput, Malformed, NotFound, Permission, Quota,
            RateLimited, Refused, Transient, Unsupported,
        };
        for kind in [
            Auth,
            Permission,
            NotFound,
            InvalidInput,
            Conflict,
            Quota,
            RateLimited,
            Transient,
            Refused,
            Unsupported,
            Malformed,
            Internal,
        ] {
            let unknown = Failure {
                kind,
                code: "NO_SUCH_CODE".to_owned(),
                message: "what the vendor said".to_owned(),
                retry_after_ms: None,
            };
            let problem = failure(&manifest(), ErrorPlace::Api, &unknown);
            assert!(problem.fix.text.len() > 20, "{kind:?}");
            assert_eq!(problem.detail["vendor_code"], "NO_SUCH_CODE");
        }
    }

    #[test]
    fn what_fails_on_the_way_says_whose_matter_it_is() {
        for (code, told, field) in [
            ("proxy_unreachable", "proxy.unreachable", "address"),
            ("proxy_login", "proxy.login_refused", "password"),
            ("proxy_refused", "proxy.refused", "address"),
            ("proxy_tls", "proxy.tls", "pem"),
            ("egress.proxy_address", "proxy.private", "address"),
        ] {
            let failed = Failure {
                kind: FailureKind::InvalidInput,
                code: code.to_owned(),
                message: "what happened".to_owned(),
                retry_after_ms: None,
            };
            let problem = failure(&manifest(), place(&failed), &failed);
            assert_eq!(
                (problem.code.as_str(), problem.fix.field.as_deref()),
                (told, Some(field))
            );
        }
    }

    #[test]
    fn the_connectors_own_table_comes_first() {
        let wrong = Failure {
            kind: FailureKind::Auth,
            code: "invalid_client".to_owned(),
            message: "invalid client credentials".to_owned(),
            retry_after_ms: None,
        };
        // At the token endpoint, and when a call of the API failed for want of a token.
        for at in [ErrorPlace::Token, ErrorPlace::Api] {
            let problem = failure(&manifest(), at, &wrong);
            assert_eq!(problem.fix.field.as_deref(), Some("client_secret"));
        }
    }
}
