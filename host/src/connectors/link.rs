//! A link to one connected org: the component in its sandbox, the egress guard, the credential, the effect points.
//!
//! A link lives as long as one piece of work (a run, a check, one reclaim) and never shares connections with another.

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use seatwise_runtime::contract::types::{Context, Failure, FailureKind};
use seatwise_runtime::contract::{
    activity, connection, consumption, http as wire, reclaim, subscriptions,
};
use seatwise_runtime::manifest::ErrorPlace;
use seatwise_runtime::{
    Acted, Call, CallError, Component, Egress, EgressObserver, EgressOptions, GrantPort, HttpPort,
    Limits, LogLevel, LogSink, Refusal, WayOut,
};

use super::{ConnectorError, explain};
use crate::app::host::Host;
use crate::kernel::Clock;
use crate::kernel::Problem;
use crate::kernel::faults::Faults;

/// What a link is made of besides the host.
pub struct Wanted {
    /// The connector.
    pub connector: String,
    /// The profile's settings, JSON without secrets.
    pub settings: String,
    /// Scopes that the token carries.
    pub granted_scopes: Vec<String>,
    /// What the connector asked to remember about the org; empty before the first `identify`.
    pub memo: Vec<u8>,
    /// The credential.
    pub grants: Arc<dyn GrantPort>,
    /// How its requests leave.
    pub way: WayOut,
    /// For logs: the profile's number.
    pub label: String,
}

/// A link to one org.
#[derive(Clone)]
pub struct OrgLink {
    component: Component,
    call: Call,
    ctx: Context,
    egress: Arc<Egress>,
    faults: Arc<dyn Faults>,
    clock: Arc<dyn Clock>,
}

/// Opens a link. Nothing is sent yet.
///
/// # Errors
/// [`ConnectorError`] when the connector cannot be used.
pub async fn open(host: &Host, wanted: Wanted) -> Result<OrgLink, ConnectorError> {
    let component = host.connectors.component(&wanted.connector).await?;
    let watch = Arc::new(Watch {
        connector: wanted.connector.clone(),
        label: wanted.label,
    });
    let egress = Arc::new(Egress::new(EgressOptions {
        manifest: component.manifest_arc(),
        grants: wanted.grants,
        observer: Arc::clone(&watch) as Arc<dyn EgressObserver>,
        allow: host.connectors.options.allow.clone(),
        way: host.connectors.with_own_roots(wanted.way),
    })?);
    let faults = Arc::clone(&host.faults);
    let port = Tapped {
        inner: Arc::clone(&egress),
        faults: Arc::clone(&faults),
    };
    let now_ms = host.now_ms();
    let limits = Limits::for_manifest(component.manifest());
    let call = Call {
        http: Arc::new(port),
        log: watch,
        now_ms,
        limits,
    };
    let ctx = Context {
        now: now_ms,
        settings: wanted.settings,
        granted_scopes: wanted.granted_scopes,
        memo: wanted.memo,
    };
    Ok(OrgLink {
        component,
        call,
        ctx,
        egress,
        faults,
        clock: Arc::clone(&host.clock),
    })
}

/// One forwarding method per function of the contract, each passing the effect point `guest.call`.
macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`CallError`]; see [`OrgLink::explain`].
        pub async fn $name(&self $(, $arg: $type)*) -> Result<$out, CallError> {
            self.step("guest.call")?;
            let (call, ctx) = self.now();
            self.component.$name(&call, &ctx $(, $arg)*).await
        }
    )*};
}

impl OrgLink {
    calls! {
        /// Which org this is.
        identify() -> connection::Organization;
        /// The connector's named checks.
        checks() -> Vec<connection::CheckInfo>;
        /// Runs one check as the real work would do it.
        check(id: &str) -> connection::CheckResult;
        /// The chains of a download.
        begin_subscriptions(since: Option<i64>) -> subscriptions::Outline;
        /// One page of a chain.
        download_subscriptions(cursor: &[u8]) -> subscriptions::Page;
        /// Fresh facts about at most 200 accounts.
        lookup_accounts(ids: &[String]) -> subscriptions::Page;
        /// The chains of activity since a time.
        begin_activity(since: i64) -> activity::Outline;
        /// One page of a chain of activity.
        pull_user_activity(cursor: &[u8]) -> activity::Page;
        /// One page of pools.
        download_consumption(resume: Option<&[u8]>) -> consumption::Page;
        /// The literal requests that would take seats back.
        plan_reclaim(targets: &[reclaim::Target]) -> Vec<Result<reclaim::Plan, Failure>>;
        /// The literal requests that would put one back.
        plan_restore(target: &reclaim::Target, before: &reclaim::BeforeImage) -> reclaim::Plan;
        /// What an answer means.
        judge(step: &reclaim::Step, response: &wire::Response) -> reclaim::Verdict;
        /// What is true at the vendor now.
        observe(targets: &[reclaim::Target]) -> Vec<reclaim::Observation>;
    }

    /// Sends the very bytes of an approved step, once. The only way a write leaves the host.
    pub async fn act(&self, step: &reclaim::Step) -> Acted {
        if self.faults.step("http.send").is_err() {
            return Acted::NotSent(injected("http.send"));
        }
        let acted = self.egress.act(step).await;
        if self.faults.step("http.answer").is_err() {
            return Acted::Unknown(injected("http.answer"));
        }
        acted
    }

    /// The same org with what `identify` asked to remember.
    #[must_use]
    pub fn remembering(mut self, memo: Vec<u8>) -> Self {
        self.ctx.memo = memo;
        self
    }

    /// Digest of the component.
    #[must_use]
    pub fn digest(&self) -> &str {
        self.component.digest()
    }

    /// The component's manifest.
    #[must_use]
    pub fn manifest(&self) -> &seatwise_runtime::Manifest {
        self.component.manifest()
    }

    /// A failed call, for a person.
    #[must_use]
    pub fn explain(&self, error: &CallError) -> Problem {
        explain::call(self.component.manifest(), error)
    }

    /// A vendor's failure, for a person.
    #[must_use]
    pub fn explain_failure(&self, failure: &Failure) -> Problem {
        explain::failure(self.component.manifest(), ErrorPlace::Api, failure)
    }

    /// What every call gets, at this moment: a link lives as long as a run, and a connector that waits for the vendor reads the time.
    fn now(&self) -> (Call, Context) {
        let now = self.clock.now_ms();
        let call = Call {
            now_ms: now,
            ..self.call.clone()
        };
        let ctx = Context {
            now,
            ..self.ctx.clone()
        };
        (call, ctx)
    }

    fn step(&self, point: &'static str) -> Result<(), CallError> {
        self.faults.step(point).map_err(|fault| CallError::Host {
            detail: fault.to_string(),
        })
    }
}

fn injected(point: &str) -> Failure {
    Failure {
        kind: FailureKind::Transient,
        code: "connect".to_owned(),
        message: format!("injected fault at {point}"),
        retry_after_ms: None,
    }
}

/// The guest's way out, with the effect points before and after.
struct Tapped {
    inner: Arc<Egress>,
    faults: Arc<dyn Faults>,
}

#[async_trait]
impl HttpPort for Tapped {
    async fn send(&self, request: wire::Request) -> Result<wire::Response, Failure> {
        self.faults
            .step("http.send")
            .map_err(|_| injected("http.send"))?;
        let answer = self.inner.send(request).await;
        self.faults
            .step("http.answer")
            .map_err(|_| injected("http.answer"))?;
        answer
    }
}

/// Writes what the guest and the guard say into the log, with the connector and profile it is about.
struct Watch {
    connector: String,
    label: String,
}

impl EgressObserver for Watch {
    fn answered(&self, origin: &str, status: u16, _headers: &HeaderMap) {
        tracing::debug!(connector.id = %self.connector, profile.number = %self.label, origin, status, "vendor answered");
    }

    fn refused(&self, reason: Refusal, detail: &str) {
        tracing::warn!(connector.id = %self.connector, profile.number = %self.label, reason = ?reason, detail, "request refused before it left");
    }
}

impl LogSink for Watch {
    fn emit(&self, level: LogLevel, message: &str, fields: &[(String, String)]) {
        let (id, label) = (&self.connector, &self.label);
        match level {
            LogLevel::Error | LogLevel::Warn => {
                tracing::warn!(connector.id = %id, profile.number = %label, ?fields, "{message}")
            }
            LogLevel::Info => {
                tracing::info!(connector.id = %id, profile.number = %label, ?fields, "{message}")
            }
            LogLevel::Debug => {
                tracing::debug!(connector.id = %id, profile.number = %label, ?fields, "{message}")
            }
        }
    }
}
