//! One call's world: what a guest holds, what it may still use, and what stopped it.
//!
//! Invariants: one state per call, dropped with its store; every budget only falls; the first limit that was hit is
//! remembered, because the guest dies of something else (an allocator that gives up, a trap) right after.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, Result, Store, UpdateDeadline};
use wasmtime_wasi::clocks::HostWallClock;
use wasmtime_wasi::random::WasiRandomCtx;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::call::{Call, HttpPort};
use crate::contract::{http, log, types};
use crate::engine::Runtime;
use crate::limits::{self, Limits};
use crate::log::{LogGate, Pipe};

/// A limit that was hit.
#[derive(Clone, Debug)]
pub(crate) struct Tripped {
    pub(crate) limit: &'static str,
    pub(crate) detail: String,
}

/// What a guest's store holds.
pub(crate) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    http: Arc<dyn HttpPort>,
    log: LogGate,
    budget: Budget,
}

/// What may still be used, and the first limit that was hit.
struct Budget {
    memory_left: u64,
    table_elements_left: usize,
    host_calls_left: u32,
    http_calls_left: u32,
    ticks_left: u64,
    allowed: Limits,
    tripped: Option<Tripped>,
}

impl Budget {
    fn trip(&mut self, limit: &'static str, detail: String) -> wasmtime::Error {
        let text = format!("limit {limit}: {detail}");
        self.tripped.get_or_insert(Tripped { limit, detail });
        wasmtime::Error::msg(text)
    }

    fn host_call(&mut self) -> Result<()> {
        match self.host_calls_left.checked_sub(1) {
            Some(left) => {
                self.host_calls_left = left;
                Ok(())
            }
            None => {
                let allowed = self.allowed.host_calls;
                Err(self.trip(
                    "host-calls",
                    format!("more than {allowed} calls of the host"),
                ))
            }
        }
    }

    fn http_call(&mut self) -> Result<()> {
        match self.http_calls_left.checked_sub(1) {
            Some(left) => {
                self.http_calls_left = left;
                Ok(())
            }
            None => {
                let allowed = self.allowed.http_calls;
                Err(self.trip(
                    "http-calls",
                    format!("more than {allowed} requests in one call"),
                ))
            }
        }
    }
}

impl ResourceLimiter for Budget {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        match self.memory_left.checked_sub(more) {
            Some(left) => {
                self.memory_left = left;
                Ok(true)
            }
            None => {
                let allowed = self.allowed.memory_bytes;
                self.trip(
                    "memory",
                    format!("{more} more bytes asked for, {allowed} are allowed in all"),
                );
                Ok(false)
            }
        }
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let more = desired.saturating_sub(current);
        match self.table_elements_left.checked_sub(more) {
            Some(left) => {
                self.table_elements_left = left;
                Ok(true)
            }
            None => {
                let allowed = self.allowed.table_elements;
                self.trip(
                    "tables",
                    format!("{more} more table elements asked for, {allowed} are allowed in all"),
                );
                Ok(false)
            }
        }
    }

    fn instances(&self) -> usize {
        limits::INSTANCES
    }

    fn tables(&self) -> usize {
        limits::TABLES
    }

    fn memories(&self) -> usize {
        limits::MEMORIES
    }
}

/// A store with every limit set, before any code of the guest runs.
pub(crate) fn store(runtime: &Runtime, call: &Call) -> Store<State> {
    let allowed = call.limits.clone();
    let log = LogGate::new(call.log.clone(), allowed.log_records, allowed.log_bytes);
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits::RESOURCES);
    let wasi = WasiCtx::builder()
        .stdout(Pipe::new(log.clone(), "stdout"))
        .stderr(Pipe::new(log.clone(), "stderr"))
        .wall_clock(HostClock(call.now_ms))
        .max_random_size(limits::RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .build();
    let budget = Budget {
        memory_left: allowed.memory_bytes,
        table_elements_left: allowed.table_elements,
        host_calls_left: allowed.host_calls,
        http_calls_left: allowed.http_calls,
        ticks_left: (allowed.cpu.as_millis() as u64)
            .div_ceil(limits::TICK_MS)
            .max(1),
        allowed,
        tripped: None,
    };
    let crossing_bytes = budget.allowed.crossing_bytes;
    let mut store = Store::new(
        runtime.engine(),
        State {
            wasi,
            table,
            http: call.http.clone(),
            log,
            budget,
        },
    );
    store.limiter(|state| &mut state.budget);
    store.set_hostcall_fuel(crossing_bytes);
    store.set_max_component_handles(limits::COMPONENT_HANDLES);
    // One tick at a time: only ticks that pass while the guest runs are counted, not those of a slow vendor.
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let budget = &mut context.data_mut().budget;
        match budget.ticks_left.checked_sub(1) {
            Some(left) => {
                budget.ticks_left = left;
                Ok(UpdateDeadline::Yield(1))
            }
            None => {
                let ms = budget.allowed.cpu.as_millis();
                Err(budget.trip("cpu", format!("more than {ms} ms of computing")))
            }
        }
    });
    store
}

impl State {
    /// The first limit that was hit, if any.
    pub(crate) fn tripped(&self) -> Option<&Tripped> {
        self.budget.tripped.as_ref()
    }

    /// The guest's log, to be closed after the call.
    pub(crate) fn log(&self) -> &LogGate {
        &self.log
    }

    /// The guest's randomness.
    pub(crate) fn random(&mut self) -> &mut WasiRandomCtx {
        self.wasi.random()
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// The wall clock of the sandbox: the host's time of the call, standing still.
struct HostClock(i64);

impl HostWallClock for HostClock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0).unwrap_or_default())
    }
}

impl types::Host for State {}

impl http::Host for State {
    async fn send(
        &mut self,
        request: http::Request,
    ) -> Result<std::result::Result<http::Response, types::Failure>> {
        self.budget.host_call()?;
        self.budget.http_call()?;
        Ok(self.http.clone().send(request).await)
    }
}

impl log::Host for State {
    async fn emit(
        &mut self,
        level: log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> Result<()> {
        self.budget.host_call()?;
        self.log.emit(level, &message, &fields);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    //! Attacks that no guest language can express, as WAT, against the very store and linker of production.

    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use wasmtime::component::Component;
    use wasmtime::{Instance, Module, Store};

    use super::{State, store};
    use crate::call::{Call, HttpPort, LogLevel, LogSink};
    use crate::component::engine_limit;
    use crate::contract::http::{Request, Response};
    use crate::contract::types::Failure;
    use crate::engine::{Runtime, RuntimeOptions};
    use crate::imports;
    use crate::limits::Limits;

    struct Nothing;

    #[async_trait]
    impl HttpPort for Nothing {
        async fn send(&self, _: Request) -> Result<Response, Failure> {
            std::future::pending().await
        }
    }

    impl LogSink for Nothing {
        fn emit(&self, _: LogLevel, _: &str, _: &[(String, String)]) {}
    }

    fn new_store(limits: Limits) -> (Runtime, Store<State>) {
        let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
        let call = Call {
            http: Arc::new(Nothing),
            log: Arc::new(Nothing),
            now_ms: 0,
            limits,
        };
        let store = store(&runtime, &call);
        (runtime, store)
    }

    async fn instance(store: &mut Store<State>, wat: &str) -> wasmtime::Result<Instance> {
        let module = Module::new(store.engine(), wat::parse_str(wat).unwrap())?;
        Instance::new_async(store, &module, &[]).await
    }

    /// Runs the export `go` of a component.
    async fn go(store: &mut Store<State>, wat: &str) -> wasmtime::Result<()> {
        let engine = store.engine().clone();
        let component = Component::new(&engine, wat::parse_str(wat).unwrap())?;
        let linker = imports::linker(&engine)?;
        let instance = linker.instantiate_async(&mut *store, &component).await?;
        let go = instance.get_typed_func::<(), ()>(&mut *store, "go")?;
        go.call_async(store, ()).await
    }

    #[tokio::test]
    async fn memories_are_summed_over_all_instances() {
        let (_runtime, mut store) = new_store(Limits::default());
        let forty_mib = "(module (memory 640))";
        instance(&mut store, forty_mib).await.unwrap();
        assert!(instance(&mut store, forty_mib).await.is_err());
        assert_eq!(store.data().tripped().unwrap().limit, "memory");
    }

    #[tokio::test]
    async fn d2_tables_are_summed_and_growth_ends_at_the_limit() {
        let (_runtime, mut store) = new_store(Limits::default());
        let wat = r#"(module
            (table $a 1 funcref) (table $b 1 funcref)
            (func (export "a") (param i32) (result i32) (table.grow $a (ref.null func) (local.get 0)))
            (func (export "b") (param i32) (result i32) (table.grow $b (ref.null func) (local.get 0))))"#;
        let tables = instance(&mut store, wat).await.unwrap();
        let mut grown = Vec::new();
        for name in ["a", "b"] {
            let grow = tables.get_typed_func::<i32, i32>(&mut store, name).unwrap();
            grown.push(grow.call_async(&mut store, 60_000).await.unwrap());
        }
        assert_eq!(grown, [1, -1]);
        assert_eq!(store.data().tripped().unwrap().limit, "tables");
    }

    #[tokio::test]
    async fn too_many_instances_end_at_the_limit() {
        let (_runtime, mut store) = new_store(Limits::default());
        for _ in 0..crate::limits::INSTANCES {
            instance(&mut store, "(module)").await.unwrap();
        }
        let error = instance(&mut store, "(module)").await.unwrap_err();
        assert_eq!(engine_limit(&error), Some("instances"));
    }

    #[tokio::test]
    async fn d1_a_start_function_that_loops_ends_too() {
        let (_runtime, mut store) = new_store(Limits {
            cpu: Duration::from_millis(100),
            ..Limits::default()
        });
        assert!(
            instance(&mut store, "(module (func $s (loop (br 0))) (start $s))")
                .await
                .is_err()
        );
        assert_eq!(store.data().tripped().unwrap().limit, "cpu");
    }

    #[tokio::test]
    async fn randomness_is_given_in_small_pieces_only() {
        let wat = r#"(component
            (import "wasi:random/random@0.2.6" (instance $r
                (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
            (core module $m (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
            (core instance $mi (instantiate $m))
            (core func $get (canon lower (func $r "get-random-bytes")
                (memory (core memory $mi "memory")) (realloc (core func $mi "realloc"))))
            (core module $n (import "h" "get" (func $get (param i64 i32)))
                (func (export "go") (call $get (i64.const 1048576) (i32.const 0))))
            (core instance $ni (instantiate $n (with "h" (instance (export "get" (func $get))))))
            (func (export "go") (canon lift (core func $ni "go"))))"#;
        let (_runtime, mut store) = new_store(Limits::default());
        let error = go(&mut store, wat).await.unwrap_err();
        assert_eq!(engine_limit(&error), Some("random"), "{error:#}");
    }

    #[tokio::test]
    async fn resources_of_the_host_end_at_their_limit() {
        let wat = r#"(component
            (import "wasi:io/poll@0.2.6" (instance $poll (export "pollable" (type (sub resource)))))
            (alias export $poll "pollable" (type $pollable))
            (import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock
                (alias outer 1 $pollable (type $p0))
                (export "pollable" (type $p (eq $p0)))
                (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
            (core func $subscribe (canon lower (func $clock "subscribe-duration")))
            (core module $n (import "h" "subscribe" (func $subscribe (param i64) (result i32)))
                (func (export "go") (loop (drop (call $subscribe (i64.const 1))) (br 0))))
            (core instance $ni (instantiate $n (with "h" (instance (export "subscribe" (func $subscribe))))))
            (func (export "go") (canon lift (core func $ni "go"))))"#;
        let (_runtime, mut store) = new_store(Limits::default());
        let error = go(&mut store, wat).await.unwrap_err();
        assert_eq!(engine_limit(&error), Some("resources"), "{error:#}");
    }

    #[tokio::test]
    async fn handles_of_the_guest_end_at_their_limit() {
        let wat = r#"(component
            (type $r (resource (rep i32)))
            (core func $new (canon resource.new $r))
            (core module $n (import "h" "new" (func $new (param i32) (result i32)))
                (func (export "go") (loop (drop (call $new (i32.const 1))) (br 0))))
            (core instance $ni (instantiate $n (with "h" (instance (export "new" (func $new))))))
            (func (export "go") (canon lift (core func $ni "go"))))"#;
        let (_runtime, mut store) = new_store(Limits::default());
        let error = go(&mut store, wat).await.unwrap_err();
        assert_eq!(engine_limit(&error), Some("handles"), "{error:#}");
    }
}
