//! A connector as the host calls it: one function per export, one store and one instance per call.
//!
//! Invariants: the deadline is set before the instance is made, because start functions run then; whatever happens, the
//! store is dropped with the call; a panic of a library costs the call, not the process; what is returned was measured.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use wasmtime::Trap;
use wasmtime::component::ResourceTableError;
use wasmtime_wasi::I32Exit;

use crate::call::{Call, CallError};
use crate::contract::http::Response;
use crate::contract::reclaim::{BeforeImage, Observation, Plan, Step, Target, Verdict};
use crate::contract::types::{Context, Failure};
use crate::contract::{activity, connection, consumption, subscriptions};
use crate::engine::{Compiled, Runtime};
use crate::limits;
use crate::manifest::{self, Manifest};
use crate::returned::{Measured, check_context, tidy};
use crate::sandbox::{self, State, Tripped};

/// A compiled connector with its manifest. Cheap to clone.
#[derive(Clone)]
pub struct Component {
    runtime: Runtime,
    compiled: Compiled,
    manifest: Arc<Manifest>,
}

/// Runs one export in a fresh instance and says what stopped it, if anything did. A macro, because the future of an
/// export borrows both the store and the arguments, which no closure type can say.
macro_rules! run {
    ($self:ident, $call:ident, |$store:ident, $it:ident| $export:expr) => {{
        let mut store = sandbox::store(&$self.runtime, $call);
        let work = async {
            let outcome: wasmtime::Result<_> = async {
                let instance = $self.compiled.pre.instantiate_async(&mut store).await?;
                let ($store, $it) = (&mut store, &instance);
                $export.await
            }
            .await;
            store.data().log().close();
            outcome.map_err(|error| stopped(&error, store.data(), &$self.manifest.connector))
        };
        guarded($call, work).await
    }};
}

impl Component {
    pub(crate) fn new(runtime: Runtime, compiled: Compiled, manifest: Arc<Manifest>) -> Self {
        Self {
            runtime,
            compiled,
            manifest,
        }
    }

    /// SHA-256 of the component's bytes, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.compiled.digest
    }

    /// The manifest that it was loaded with.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest, shared.
    pub fn manifest_arc(&self) -> Arc<Manifest> {
        self.manifest.clone()
    }

    /// Makes an instance and drops it; for measuring, and for checking that a component starts at all.
    ///
    /// # Errors
    /// [`CallError`] other than `Failed`.
    pub async fn instantiate(&self, call: &Call) -> Result<(), CallError> {
        run!(self, call, |_store, _it| async { Ok(()) })
    }

    /// Id and version of the connector; must equal the manifest's.
    ///
    /// # Errors
    /// [`CallError`] other than `Failed`.
    pub async fn describe(&self, call: &Call) -> Result<connection::Info, CallError> {
        measured(run!(self, call, |store, it| it
            .seatwise_connector_connection()
            .call_describe(store)))
    }

    /// Which org this is.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn identify(
        &self,
        call: &Call,
        context: &Context,
    ) -> Result<connection::Organization, CallError> {
        check_context(context).map_err(limit)?;
        answered(run!(self, call, |store, it| it
            .seatwise_connector_connection()
            .call_identify(store, context)))
    }

    /// The checks that there are.
    ///
    /// # Errors
    /// [`CallError`] other than `Failed`.
    pub async fn checks(
        &self,
        call: &Call,
        context: &Context,
    ) -> Result<Vec<connection::CheckInfo>, CallError> {
        check_context(context).map_err(limit)?;
        measured(run!(self, call, |store, it| it
            .seatwise_connector_connection()
            .call_checks(store, context)))
    }

    /// Runs one check.
    ///
    /// # Errors
    /// [`CallError`]; `Failed` means that the check could not run.
    pub async fn check(
        &self,
        call: &Call,
        context: &Context,
        id: &str,
    ) -> Result<connection::CheckResult, CallError> {
        check_context(context).map_err(limit)?;
        answered(run!(self, call, |store, it| it
            .seatwise_connector_connection()
            .call_check(store, context, id)))
    }

    /// The chains of a download of accounts; `since` for changes only.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn begin_subscriptions(
        &self,
        call: &Call,
        context: &Context,
        since: Option<i64>,
    ) -> Result<subscriptions::Outline, CallError> {
        check_context(context).map_err(limit)?;
        answered(run!(self, call, |store, it| it
            .seatwise_connector_subscriptions()
            .call_begin(store, context, since)))
    }

    /// One page of a chain.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn download_subscriptions(
        &self,
        call: &Call,
        context: &Context,
        cursor: &[u8],
    ) -> Result<subscriptions::Page, CallError> {
        check_context(context).map_err(limit)?;
        let cursor = cursor.to_vec();
        answered(run!(self, call, |store, it| it
            .seatwise_connector_subscriptions()
            .call_download_subscriptions(store, context, &cursor)))
    }

    /// Fresh facts about at most 200 accounts.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn lookup_accounts(
        &self,
        call: &Call,
        context: &Context,
        ids: &[String],
    ) -> Result<subscriptions::Page, CallError> {
        check_context(context).map_err(limit)?;
        at_most_targets("ids", ids.len(), limits::LOOKUP_IDS)?;
        answered(run!(self, call, |store, it| it
            .seatwise_connector_subscriptions()
            .call_lookup_accounts(store, context, ids)))
    }

    /// The chains of a download of activity since a time.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn begin_activity(
        &self,
        call: &Call,
        context: &Context,
        since: i64,
    ) -> Result<activity::Outline, CallError> {
        check_context(context).map_err(limit)?;
        answered(run!(self, call, |store, it| it
            .seatwise_connector_activity()
            .call_begin(store, context, since)))
    }

    /// One page of activity.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn pull_user_activity(
        &self,
        call: &Call,
        context: &Context,
        cursor: &[u8],
    ) -> Result<activity::Page, CallError> {
        check_context(context).map_err(limit)?;
        let cursor = cursor.to_vec();
        answered(run!(self, call, |store, it| it
            .seatwise_connector_activity()
            .call_pull_user_activity(store, context, &cursor)))
    }

    /// One page of what the vendor counts; `None` for the first.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn download_consumption(
        &self,
        call: &Call,
        context: &Context,
        resume: Option<&[u8]>,
    ) -> Result<consumption::Page, CallError> {
        check_context(context).map_err(limit)?;
        let resume = resume.map(<[u8]>::to_vec);
        answered(run!(self, call, |store, it| it
            .seatwise_connector_consumption()
            .call_download_consumption(store, context, resume.as_ref())))
    }

    /// The literal requests that would take these seats back; one result per target, in order.
    ///
    /// # Errors
    /// [`CallError`]; `Limit` with `plans` where the count differs from the targets'.
    pub async fn plan_reclaim(
        &self,
        call: &Call,
        context: &Context,
        targets: &[Target],
    ) -> Result<Vec<Result<Plan, Failure>>, CallError> {
        check_context(context).map_err(limit)?;
        at_most_targets("targets", targets.len(), limits::TARGETS)?;
        let plans = answered(run!(self, call, |store, it| it
            .seatwise_connector_reclaim()
            .call_plan_reclaim(store, context, targets)))?;
        same_count("plans", plans.len(), targets.len())?;
        Ok(plans.into_iter().map(|plan| plan.map_err(tidy)).collect())
    }

    /// The literal requests that would put one back.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn plan_restore(
        &self,
        call: &Call,
        context: &Context,
        target: &Target,
        before: &BeforeImage,
    ) -> Result<Plan, CallError> {
        check_context(context).map_err(limit)?;
        answered(run!(self, call, |store, it| it
            .seatwise_connector_reclaim()
            .call_plan_restore(store, context, target, before)))
    }

    /// What the vendor's answer to a step means.
    ///
    /// # Errors
    /// [`CallError`] other than `Failed`.
    pub async fn judge(
        &self,
        call: &Call,
        context: &Context,
        step: &Step,
        response: &Response,
    ) -> Result<Verdict, CallError> {
        check_context(context).map_err(limit)?;
        let mut verdict = measured(run!(self, call, |store, it| it
            .seatwise_connector_reclaim()
            .call_judge(store, context, step, response)))?;
        verdict.detail = verdict.detail.map(tidy);
        Ok(verdict)
    }

    /// What is true at the vendor now; one observation per target, in order.
    ///
    /// # Errors
    /// [`CallError`]; `Limit` with `observations` where the count differs from the targets'.
    pub async fn observe(
        &self,
        call: &Call,
        context: &Context,
        targets: &[Target],
    ) -> Result<Vec<Observation>, CallError> {
        check_context(context).map_err(limit)?;
        at_most_targets("targets", targets.len(), limits::TARGETS)?;
        let observations = answered(run!(self, call, |store, it| it
            .seatwise_connector_reclaim()
            .call_observe(store, context, targets)))?;
        same_count("observations", observations.len(), targets.len())?;
        Ok(observations)
    }
}

/// Wall clock and panics around a call. When the time is over the future is dropped, and with it the guest's stack.
async fn guarded<T>(
    call: &Call,
    work: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    let work = AssertUnwindSafe(work).catch_unwind();
    match tokio::time::timeout(call.limits.wall, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(CallError::Host {
            detail: "the runtime panicked; the call was given up".to_owned(),
        }),
        Err(_) => Err(CallError::Timeout {
            after_ms: call.limits.wall.as_millis() as u64,
        }),
    }
}

/// The result of an export, measured.
fn measured<T: Measured>(outcome: Result<T, CallError>) -> Result<T, CallError> {
    let value = outcome?;
    value.measure().map_err(limit)?;
    Ok(value)
}

/// The result of an export that may answer with a failure of its own.
fn answered<T: Measured>(outcome: Result<Result<T, Failure>, CallError>) -> Result<T, CallError> {
    measured(outcome?.map_err(|failure| CallError::Failed(tidy(failure))))
}

/// A caller's mistake, not the guest's.
fn at_most_targets(what: &str, found: usize, allowed: usize) -> Result<(), CallError> {
    if found <= allowed {
        return Ok(());
    }
    Err(CallError::Host {
        detail: format!("{found} {what} in one call, {allowed} are allowed"),
    })
}

fn same_count(limit: &'static str, found: usize, wanted: usize) -> Result<(), CallError> {
    if found == wanted {
        return Ok(());
    }
    Err(CallError::Limit {
        limit,
        detail: format!("{found} returned for {wanted} targets"),
    })
}

fn limit(tripped: Tripped) -> CallError {
    CallError::Limit {
        limit: tripped.limit,
        detail: tripped.detail,
    }
}

/// What an error of the engine means: a limit that was hit before it, or else a crash.
fn stopped(error: &wasmtime::Error, state: &State, who: &manifest::Connector) -> CallError {
    if let Some(tripped) = state.tripped() {
        return limit(tripped.clone());
    }
    if let Some(Trap::StackOverflow) = error.downcast_ref::<Trap>() {
        return CallError::Limit {
            limit: "stack",
            detail: format!("more than {} bytes of stack", limits::WASM_STACK_BYTES),
        };
    }
    let crashed = |detail: String| CallError::Trap {
        detail: format!("{} {}: {detail}", who.id, who.version),
    };
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return crashed(format!("it called exit({})", exit.0));
    }
    if let Some(limit) = engine_limit(error) {
        return CallError::Limit {
            limit,
            detail: cause(error),
        };
    }
    match state.log().last_words() {
        Some(words) => crashed(format!("{}; its last words: {words}", cause(error))),
        None => crashed(cause(error)),
    }
}

/// A limit that the engine enforces by itself. It has types for few of these; the texts are pinned by tests.
pub(crate) fn engine_limit(error: &wasmtime::Error) -> Option<&'static str> {
    if let Some(ResourceTableError::Full) = error.downcast_ref::<ResourceTableError>() {
        return Some("resources");
    }
    let text = format!("{error:#}");
    let known = [
        ("fuel allocated for hostcalls", "crossing"),
        ("resource limit exceeded", "instances"),
        ("exceeds memory limits", "memory"),
        ("exceeds table limits", "tables"),
        ("handle limit exceeded", "handles"),
        ("requested len", "random"),
    ];
    known
        .into_iter()
        .find(|(needle, _)| text.contains(needle))
        .map(|(_, limit)| limit)
}

/// The innermost cause, without the guest's stack.
fn cause(error: &wasmtime::Error) -> String {
    error.root_cause().to_string()
}
