//! Compiles every connector of this repository to a component and pins it by digest.
//!
//! A connector is a folder beside this one with a `connector.toml`. The guests have their own target directory inside
//! `OUT_DIR`, so this never waits for the build that runs it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use sha2::{Digest as _, Sha256};

const TARGET: &str = "wasm32-wasip2";

fn main() {
    let here = PathBuf::from(var("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(var("OUT_DIR"));
    let connectors = here.parent().expect("this crate lives in connectors/");
    let root = connectors
        .parent()
        .expect("connectors/ lives in the repository");
    for watched in [
        "Cargo.lock",
        "wit",
        "connectors/sdk/src",
        "connectors/sdk/Cargo.toml",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(watched).display());
    }
    have_target();

    let mut listing = String::from("&[\n");
    for folder in folders(connectors) {
        for watched in ["src", "Cargo.toml", "connector.toml"] {
            println!("cargo::rerun-if-changed={}", folder.join(watched).display());
        }
        let id = folder
            .file_name()
            .and_then(|n| n.to_str())
            .expect("folder names are ASCII")
            .to_owned();
        let component = build(&folder, &id, &out.join("guests"));
        let bytes = fs::read(&component)
            .unwrap_or_else(|e| fail(&format!("cannot read {}: {e}", component.display())));
        let digest = Sha256::digest(&bytes)
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
        let _ = writeln!(
            listing,
            "    Builtin {{ id: {id:?}, manifest: include_str!({:?}), component: include_bytes!({:?}), digest: {digest:?} }},",
            folder.join("connector.toml"),
            component,
        );
    }
    listing.push(']');
    fs::write(out.join("listing.rs"), listing)
        .unwrap_or_else(|e| fail(&format!("cannot write the listing: {e}")));
}

fn folders(connectors: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(connectors).unwrap_or_else(|e| fail(&format!("cannot list connectors: {e}")));
    let mut folders: Vec<_> = entries
        .filter_map(Result::ok)
        .map(|e| e.path())
        .filter(|p| p.join("connector.toml").is_file())
        .collect();
    folders.sort();
    folders
}

fn build(folder: &Path, id: &str, target_dir: &Path) -> PathBuf {
    let package = format!("seatwise-connector-{id}");
    let mut cargo = Command::new(var("CARGO"));
    cargo
        .args([
            "build",
            "--quiet",
            "--package",
            &package,
            "--target",
            TARGET,
            "--profile",
            "guest",
            "--target-dir",
        ])
        .arg(target_dir)
        .current_dir(folder);
    // The outer build's settings are for another target.
    for (name, _) in env::vars() {
        let ours = name.starts_with("CARGO_")
            && !name.starts_with("CARGO_HOME")
            && !name.starts_with("CARGO_NET");
        if ours
            || [
                "RUSTFLAGS",
                "RUSTC_WRAPPER",
                "RUSTC_WORKSPACE_WRAPPER",
                "CARGO",
                "TARGET",
                "HOST",
                "OPT_LEVEL",
                "DEBUG",
                "PROFILE",
            ]
            .contains(&name.as_str())
        {
            cargo.env_remove(name);
        }
    }
    match cargo.status() {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!(
            "connector `{id}` did not compile ({status}); run: cargo build -p {package} --target {TARGET}"
        )),
        Err(error) => fail(&format!(
            "cargo could not be started for connector `{id}`: {error}"
        )),
    }
    target_dir
        .join(TARGET)
        .join("guest")
        .join(format!("{}.wasm", package.replace('-', "_")))
}

/// Adds the guest target where rustup did not do it by itself (`RUSTUP_AUTO_INSTALL=0`), or names the command.
fn have_target() {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let installed = || {
        let printed = Command::new(&rustc)
            .args(["--print", "target-libdir", "--target", TARGET])
            .output();
        printed.is_ok_and(|o| {
            o.status.success() && Path::new(String::from_utf8_lossy(&o.stdout).trim()).is_dir()
        })
    };
    if installed() {
        return;
    }
    let added = Command::new("rustup")
        .args(["target", "add", TARGET])
        .status()
        .is_ok_and(|s| s.success());
    if !(added && installed()) {
        fail(&format!(
            "connectors are compiled for {TARGET}, which this toolchain lacks; run: rustup target add {TARGET}"
        ));
    }
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| fail(&format!("cargo did not set {name}")))
}

fn fail(why: &str) -> ! {
    println!("cargo::error={why}");
    std::process::exit(1);
}
