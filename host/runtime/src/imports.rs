//! What a component may import, and what it must export.
//!
//! Invariants: the sandbox links our own `http` and `log` and an inert part of WASI, nothing else: no files, sockets,
//! environment or arguments exist, so nothing needs to be forbidden at run time; a refusal names the interface and what
//! in the author's source usually brings it in.

use wasmtime::component::{Component, HasSelf, Linker, ResourceTable};
use wasmtime::{Engine, Result};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::p2::bindings::{cli, clocks, io, random};
use wasmtime_wasi::random::WasiRandom;

use crate::contract::generated::Connector;
use crate::engine::LoadError;
use crate::limits;
use crate::sandbox::State;

/// The contract of this host, as a manifest names it.
const ABI: &str = "seatwise:connector@0.1.0";

/// Versions of the contract that this host speaks, for people.
const SUPPORTS: &str = "seatwise:connector 0.1";

/// Our own package, with the version's compatible part.
const OURS: &str = "seatwise:connector/";

/// Interfaces of ours that a connector may import.
const OUR_IMPORTS: [&str; 3] = ["http", "log", "types"];

/// Interfaces of ours that a connector must export.
const OUR_EXPORTS: [&str; 5] = [
    "connection",
    "subscriptions",
    "activity",
    "consumption",
    "reclaim",
];

/// The inert part of WASI that the standard libraries of guest languages drag in.
const WASI_IMPORTS: [&str; 18] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
    "wasi:clocks/wall-clock",
    "wasi:clocks/monotonic-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
];

/// Links exactly the lists above.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    Connector::add_to_linker::<State, HasSelf<State>>(l, |state| state)?;
    io::error::add_to_linker::<State, HasIo>(l, |t| t.ctx().table)?;
    io::poll::add_to_linker::<State, HasIo>(l, |t| t.ctx().table)?;
    io::streams::add_to_linker::<State, HasIo>(l, |t| t.ctx().table)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(l, State::clocks)?;
    random::random::add_to_linker::<State, WasiRandom>(l, |t| t.random())?;
    random::insecure::add_to_linker::<State, WasiRandom>(l, |t| t.random())?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(l, |t| t.random())?;
    cli::exit::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::environment::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(l, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(l, State::cli)?;
    Ok(linker)
}

/// Gives the stream interfaces their table.
struct HasIo;

impl wasmtime::component::HasData for HasIo {
    type Data<'a> = &'a mut ResourceTable;
}

/// Whether a manifest was written for a contract that this host speaks.
pub(crate) fn check_abi(abi: &str) -> std::result::Result<(), LoadError> {
    if abi == ABI {
        Ok(())
    } else {
        Err(LoadError::Version {
            built_for: abi.to_owned(),
            supports: SUPPORTS.to_owned(),
        })
    }
}

/// Checks a component's imports, exports and declared needs.
pub(crate) fn check(engine: &Engine, component: &Component) -> std::result::Result<(), LoadError> {
    let kind = component.component_type();
    // Version first: a component of another version has other exports and imports, and that is the better message.
    let exports: Vec<&str> = kind.exports(engine).map(|(name, _)| name).collect();
    for name in kind
        .imports(engine)
        .map(|(name, _)| name)
        .chain(exports.iter().copied())
    {
        check_version(name)?;
    }
    for (name, _) in kind.imports(engine) {
        check_import(name)?;
    }
    for interface in OUR_EXPORTS {
        if !exports.iter().any(|name| is_ours(name, interface)) {
            return Err(LoadError::MissingExport {
                interface: format!("{OURS}{interface}@0.1.0"),
            });
        }
    }
    check_needs(component)
}

fn is_ours(name: &str, interface: &str) -> bool {
    name.strip_prefix(OURS)
        .and_then(|rest| rest.strip_prefix(interface))
        .is_some_and(|version| version.starts_with("@0.1."))
}

fn check_version(name: &str) -> std::result::Result<(), LoadError> {
    let Some((_, version)) = name
        .strip_prefix(OURS)
        .and_then(|rest| rest.split_once('@'))
    else {
        return Ok(());
    };
    if version.starts_with("0.1.") {
        return Ok(());
    }
    Err(LoadError::Version {
        built_for: format!("seatwise:connector {version}"),
        supports: SUPPORTS.to_owned(),
    })
}

fn check_import(name: &str) -> std::result::Result<(), LoadError> {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    let is_allowed = OUR_IMPORTS.iter().any(|ours| is_ours(name, ours))
        || (WASI_IMPORTS.contains(&interface) && version.starts_with("0.2."));
    if is_allowed {
        return Ok(());
    }
    Err(LoadError::Import {
        interface: name.to_owned(),
        cause: likely_cause(interface).to_owned(),
    })
}

/// What in an author's source usually brings an interface in.
fn likely_cause(interface: &str) -> &'static str {
    if interface.starts_with("wasi:filesystem/") {
        "something calls std::fs (or a crate that reads files); connectors have no files, put what must be remembered into the cursor or memo"
    } else if interface.starts_with("wasi:sockets/") {
        "something calls std::net (or a crate that opens connections); use the http import of the contract"
    } else if interface.starts_with("wasi:http/") {
        "something uses a wasi:http client; use the http import of the contract, which adds the credential"
    } else if interface.starts_with("wasi:") && interface.contains("preview1") {
        "the module was not turned into a component with the reactor adapter; build for wasm32-wasip2"
    } else if interface.starts_with("wasi:") {
        "this host links only io, cli, clocks and random of WASI 0.2"
    } else if interface.starts_with(OURS) {
        "the contract has no such import; connectors import http and log"
    } else {
        "the host does not have it; connectors import only seatwise:connector http and log"
    }
}

fn check_needs(component: &Component) -> std::result::Result<(), LoadError> {
    // None: the component imports modules, which the allow-list has refused already.
    let Some(needs) = component.resources_required() else {
        return Ok(());
    };
    let hungry = |what: String, allowed: String| Err(LoadError::TooHungry { what, allowed });
    if needs
        .max_initial_memory_size
        .is_some_and(|bytes| bytes > limits::MEMORY_MAX_BYTES)
    {
        let bytes = needs.max_initial_memory_size.unwrap_or_default();
        return hungry(
            format!("a memory of {bytes} bytes"),
            format!("{} bytes", limits::MEMORY_MAX_BYTES),
        );
    }
    if needs
        .max_initial_table_size
        .is_some_and(|elements| elements > limits::TABLE_ELEMENTS as u64)
    {
        let elements = needs.max_initial_table_size.unwrap_or_default();
        return hungry(
            format!("a table of {elements} elements"),
            format!("{} elements", limits::TABLE_ELEMENTS),
        );
    }
    if needs.num_memories as usize > limits::MEMORIES {
        return hungry(
            format!("{} memories", needs.num_memories),
            limits::MEMORIES.to_string(),
        );
    }
    if needs.num_tables as usize > limits::TABLES {
        return hungry(
            format!("{} tables", needs.num_tables),
            limits::TABLES.to_string(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check_abi, check_import, check_version};

    #[test]
    fn only_the_closed_list_of_imports_passes() {
        for name in [
            "seatwise:connector/http@0.1.0",
            "seatwise:connector/log@0.1.0",
            "seatwise:connector/types@0.1.0",
            "wasi:io/streams@0.2.6",
            "wasi:cli/exit@0.2.0",
            "wasi:random/insecure-seed@0.2.6",
        ] {
            assert!(check_import(name).is_ok(), "{name}");
        }
        for name in [
            "wasi:filesystem/types@0.2.6",
            "wasi:sockets/tcp@0.2.6",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:io/streams@0.3.0",
            "wasi:keyvalue/store@0.2.0",
            "seatwise:connector/reclaim@0.1.0",
            "wasi_snapshot_preview1",
            "acme:x/y@1.0.0",
            "run",
        ] {
            assert!(check_import(name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_import_error_says_what_in_the_source_brings_it_in() {
        let text = check_import("wasi:filesystem/types@0.2.6")
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("wasi:filesystem/types") && text.contains("std::fs"),
            "{text}"
        );
    }

    #[test]
    fn another_version_is_named_on_both_sides() {
        let text = check_version("seatwise:connector/connection@0.3.0")
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("built for seatwise:connector 0.3.0")
                && text.contains("supports seatwise:connector 0.1"),
            "{text}"
        );
        assert!(
            check_abi("seatwise:connector@0.2.0").is_err()
                && check_abi("seatwise:connector@0.1.0").is_ok()
        );
    }
}
