//! What a call into a connector needs from the host, and how it can fail.
//!
//! Invariants: time comes in as a parameter; HTTP and log are ports, so that tests and the conformance kit can stand in
//! for a vendor; a failure says whether the connector answered (`Failed`) or the host stopped it (everything else).

use std::sync::Arc;

use async_trait::async_trait;

use crate::contract::{http, types};
use crate::limits::Limits;

pub use crate::contract::log::Level as LogLevel;

/// The way a guest's requests leave. [`crate::Egress`] is the real one.
#[async_trait]
pub trait HttpPort: Send + Sync {
    /// Sends one request of a guest.
    ///
    /// # Errors
    /// A failure that the guest sees.
    async fn send(&self, request: http::Request) -> Result<http::Response, types::Failure>;
}

/// Where a guest's log records go. Texts are already stripped of control and direction characters and capped.
pub trait LogSink: Send + Sync {
    /// Takes one record. Must not block.
    fn emit(&self, level: LogLevel, message: &str, fields: &[(String, String)]);
}

/// What one call runs with.
#[derive(Clone)]
pub struct Call {
    /// The way out.
    pub http: Arc<dyn HttpPort>,
    /// Where log records go.
    pub log: Arc<dyn LogSink>,
    /// The only wall clock the guest can see, milliseconds UTC; also give it as `ctx.now`.
    pub now_ms: i64,
    /// Limits of this call.
    pub limits: Limits,
}

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The connector answered with a failure.
    #[error("the connector answered: {}", .0.message)]
    Failed(types::Failure),
    /// The host stopped the connector at a limit.
    #[error("the connector hit the limit \"{limit}\": {detail}")]
    Limit {
        /// Name of the limit, stable: `cpu`, `memory`, `tables`, `stack`, `instances`, `crossing`, `host-calls`,
        /// `http-calls`, `handles`, or the returned thing that was too large (`accounts`, `cursor`, ...).
        limit: &'static str,
        /// What was asked for and what is allowed.
        detail: String,
    },
    /// The call as a whole took too long.
    #[error("the call took longer than {after_ms} ms")]
    Timeout {
        /// The limit, milliseconds.
        after_ms: u64,
    },
    /// The connector crashed (panic, exit, invalid memory access).
    #[error("the connector crashed: {detail}")]
    Trap {
        /// What the sandbox says, with the guest's last words where it had any.
        detail: String,
    },
    /// The host itself failed.
    #[error("the host could not run the connector: {detail}")]
    Host {
        /// For the log; not the guest's doing.
        detail: String,
    },
}

impl CallError {
    /// Stable code. A connector's own failure has the code that it gave.
    pub fn code(&self) -> &str {
        match self {
            Self::Failed(failure) => &failure.code,
            Self::Limit { .. } => "connector.limit",
            Self::Timeout { .. } => "connector.timeout",
            Self::Trap { .. } => "connector.trap",
            Self::Host { .. } => "connector.host",
        }
    }
}
