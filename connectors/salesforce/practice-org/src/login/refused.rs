//! Every refusal of the login side: status, `error`, `error_description`.
//!
//! One row each, so that a test or the fault `token_error` can name it. Sources: salesforce.md §1.9 and the issues named beside a row;
//! wordings marked "ours" are not recorded anywhere.

use std::borrow::Cow;

use serde_json::json;

use crate::api::Answer;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// What the fault `token_error` calls it.
    pub(crate) name: &'static str,
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) says: Cow<'static, str>,
}

const fn row(name: &'static str, error: &'static str, says: &'static str) -> Refused {
    Refused {
        name,
        status: 400,
        error,
        says: Cow::Borrowed(says),
    }
}

pub(crate) const AUTHENTICATION_FAILURE: Refused = row(
    "authentication_failure",
    "invalid_grant",
    "authentication failure",
);
pub(crate) const INVALID_PASSWORD: Refused = row(
    "invalid_password",
    "invalid_grant",
    "authentication failure - Invalid Password",
);
pub(crate) const DEAD_TOKEN: Refused = row(
    "dead_token",
    "invalid_grant",
    "expired access/refresh token",
);
pub(crate) const INVALID_CODE: Refused = row(
    "invalid_code",
    "invalid_grant",
    "invalid authorization code",
);
/// Also a code used twice (omniphx/forrest#169), and a JWT whose `exp` is out of bounds (simple-salesforce#371, #491).
pub(crate) const EXPIRED_CODE: Refused = row(
    "expired_code",
    "invalid_grant",
    "expired authorization code",
);
/// Code per salesforce.md §1.3; the wording is ours.
pub(crate) const MISSING_VERIFIER: Refused =
    row("missing_verifier", "invalid_grant", "missing code verifier");
/// frankkessler/salesforce-laravel-oauth2-rest#68.
pub(crate) const BAD_ASSERTION: Refused =
    row("bad_assertion", "invalid_grant", "invalid assertion");
pub(crate) const INACTIVE_USER: Refused = row("inactive_user", "invalid_grant", "inactive user");
pub(crate) const IP_RESTRICTED: Refused = row("ip_restricted", "invalid_grant", "IP restricted");
pub(crate) const IP_OR_HOURS: Refused = row(
    "ip_or_hours",
    "invalid_grant",
    "ip restricted or invalid login hours",
);
pub(crate) const PASSWORD_EXPIRED: Refused =
    row("password_expired", "invalid_grant", "password expired");
pub(crate) const CHALLENGE_REQUIRED: Refused =
    row("challenge_required", "invalid_grant", "challenge required");
pub(crate) const WRONG_DOMAIN: Refused = row(
    "wrong_domain",
    "invalid_grant",
    "request not supported on this domain",
);
pub(crate) const NO_RUN_AS: Refused = row(
    "no_run_as",
    "invalid_grant",
    "no client credentials user enabled",
);
pub(crate) const NOT_APPROVED: Refused = row(
    "not_approved",
    "invalid_grant",
    "user hasn't approved this consumer",
);
pub(crate) const AUDIENCE: Refused = row("audience", "invalid_grant", "Audience validation failed");
pub(crate) const UNKNOWN_CLIENT: Refused = row(
    "unknown_client",
    "invalid_client_id",
    "client identifier invalid",
);
pub(crate) const WRONG_SECRET: Refused = row(
    "wrong_secret",
    "invalid_client",
    "invalid client credentials",
);
pub(crate) const NOT_INSTALLED: Refused = row(
    "not_installed",
    "invalid_client",
    "app must be installed into org",
);
pub(crate) const NOT_ADMIN_APPROVED: Refused = row(
    "not_admin_approved",
    "invalid_app_access",
    "user is not admin approved to access this app",
);
pub(crate) const UNKNOWN_GRANT: Refused = row(
    "unknown_grant",
    "unsupported_grant_type",
    "grant type not supported",
);
pub(crate) const GRANT_OFF: Refused = row(
    "grant_off",
    "unsupported_grant_type",
    "unsupported_grant_type",
);
pub(crate) const MISSING_PARAMETER: Refused = row(
    "missing_parameter",
    "invalid_request",
    "missing required parameter",
);
/// Code per salesforce.md §1.3; the wording is ours.
pub(crate) const BAD_VERIFIER: Refused =
    row("bad_verifier", "invalid_request", "invalid code verifier");
pub(crate) const CHALLENGE_MISSING: Refused = row(
    "challenge_missing",
    "invalid_request",
    "missing required code challenge",
);
/// The wording is ours.
pub(crate) const CHALLENGE_FORBIDDEN: Refused = row(
    "challenge_forbidden",
    "invalid_request",
    "code challenge is not supported",
);
/// golang/oauth2#165, danny-avila/LibreChat#13412.
pub(crate) const SCOPE_NOT_SUPPORTED: Refused = row(
    "scope_not_supported",
    "invalid_request",
    "scope parameter not supported",
);
/// A JWT for an app without the scope `refresh_token` (leandrob/node-salesforce-jwt#3).
pub(crate) const REFRESH_SCOPE: Refused = row(
    "refresh_scope",
    "invalid_request",
    "refresh_token scope is required and the connected app should be installed and preauthorized",
);
pub(crate) const MUST_POST: Refused = row("must_post", "invalid_request", "must use HTTP POST");
/// A person pressed Deny in the device flow: `invalid_request`, as the FlexNet page prints it (seed 2); the wording is ours.
pub(crate) const DEVICE_DENIED: Refused = row(
    "device_denied",
    "invalid_request",
    "end-user denied authorization",
);
/// A device code nobody knows, or that is too old; the wording is ours.
pub(crate) const DEVICE_UNKNOWN: Refused =
    row("device_unknown", "invalid_grant", "invalid device code");
pub(crate) const RETRY: Refused = row("retry", "retry_request", "retry your request");
pub(crate) const REDIRECT_MISMATCH: Refused = row(
    "redirect_mismatch",
    "redirect_uri_mismatch",
    "redirect_uri must match configuration",
);
pub(crate) const INACTIVE_ORG: Refused =
    row("inactive_org", "inactive_org", "organization is inactive");
pub(crate) const RATE_LIMIT: Refused =
    row("rate_limit", "rate_limit_exceeded", "rate limit exceeded");
pub(crate) const LOGIN_RATE: Refused =
    row("login_rate", "LOGIN_RATE_EXCEEDED", "login rate exceeded");
pub(crate) const SERVER_ERROR: Refused = Refused {
    name: "server_error",
    status: 503,
    error: "server_error",
    says: Cow::Borrowed("service unavailable"),
};
pub(crate) const APP_BLOCKED: Refused = row(
    "app_blocked",
    "OAUTH_APP_BLOCKED",
    "this app is blocked by admin",
);
pub(crate) const PENDING: Refused = row(
    "pending",
    "authorization_pending",
    "User has not yet approved the request",
);
pub(crate) const SLOW_DOWN: Refused = row("slow_down", "slow_down", "Polling too frequently");
pub(crate) const ACCESS_DENIED: Refused = row(
    "access_denied",
    "access_denied",
    "end-user denied authorization",
);
pub(crate) const INVALID_SCOPE: Refused = row(
    "invalid_scope",
    "invalid_scope",
    "the requested scope is not allowed",
);
/// Of the authorize page with `immediate=true`: somebody would have to press a button.
pub(crate) const IMMEDIATE: Refused = row(
    "immediate_unsuccessful",
    "immediate_unsuccessful",
    "Immediate unsuccessful",
);
pub(crate) const UNSUPPORTED_RESPONSE: Refused = row(
    "unsupported_response_type",
    "unsupported_response_type",
    "response type not supported",
);
/// Of the revoke endpoint: a token nobody knows.
pub(crate) const UNSUPPORTED_TOKEN: Refused = row(
    "unsupported_token_type",
    "unsupported_token_type",
    "this token type is not supported",
);

/// All of them.
pub(crate) const ALL: [&Refused; 45] = [
    &AUTHENTICATION_FAILURE,
    &INVALID_PASSWORD,
    &DEAD_TOKEN,
    &INVALID_CODE,
    &EXPIRED_CODE,
    &MISSING_VERIFIER,
    &BAD_ASSERTION,
    &INACTIVE_USER,
    &IP_RESTRICTED,
    &IP_OR_HOURS,
    &PASSWORD_EXPIRED,
    &CHALLENGE_REQUIRED,
    &WRONG_DOMAIN,
    &NO_RUN_AS,
    &NOT_APPROVED,
    &AUDIENCE,
    &UNKNOWN_CLIENT,
    &WRONG_SECRET,
    &NOT_INSTALLED,
    &NOT_ADMIN_APPROVED,
    &UNKNOWN_GRANT,
    &GRANT_OFF,
    &MISSING_PARAMETER,
    &BAD_VERIFIER,
    &CHALLENGE_MISSING,
    &CHALLENGE_FORBIDDEN,
    &SCOPE_NOT_SUPPORTED,
    &MUST_POST,
    &DEVICE_DENIED,
    &DEVICE_UNKNOWN,
    &RETRY,
    &REDIRECT_MISMATCH,
    &INACTIVE_ORG,
    &RATE_LIMIT,
    &LOGIN_RATE,
    &SERVER_ERROR,
    &APP_BLOCKED,
    &PENDING,
    &SLOW_DOWN,
    &ACCESS_DENIED,
    &INVALID_SCOPE,
    &IMMEDIATE,
    &UNSUPPORTED_RESPONSE,
    &UNSUPPORTED_TOKEN,
    &REFRESH_SCOPE,
];

impl Refused {
    /// [`MISSING_PARAMETER`] with its name.
    pub(crate) fn missing(parameter: &str) -> Self {
        Self {
            says: Cow::Owned(format!("missing required parameter: {parameter}")),
            ..MISSING_PARAMETER
        }
    }

    /// The row of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|row| row.name == name).cloned()
    }

    /// As the token endpoint writes it.
    pub(crate) fn answer(&self) -> Answer {
        let body = json!({"error": self.error, "error_description": self.says});
        Answer::json(self.status, &body).with("Cache-Control", "no-store")
    }

    /// As it stands in a redirect or an error page: `error=…&error_description=…`.
    pub(crate) fn form(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("error", self.error)
            .append_pair("error_description", &self.says)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ALL.len());
        assert_eq!(Refused::named("retry"), Some(RETRY));
    }
}
