//! The direction rules between modules, read from the sources: who may name which library, what a file may not hold.
//!
//! The table of directions stands in the README under *Architecture* and is the input of [`directions_of_the_readme_hold`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A file past this length wants splitting by subject.
const MOST_LINES: usize = 600;

struct Source {
    /// Relative to the repository, with forward slashes.
    path: String,
    text: String,
    /// Without comments, strings kept.
    code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests crate lies in the repository")
        .to_owned()
}

/// Every file below `folder` with one of the endings, build output and installed packages apart.
fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | "node_modules" | ".venv" | ".git") {
                    walk(&path, endings, found);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), endings, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source file is UTF-8");
            let relative = path
                .strip_prefix(root())
                .expect("found below the root")
                .to_string_lossy()
                .replace('\\', "/");
            Source {
                path: relative,
                code: without_comments(&text),
                text,
            }
        })
        .collect()
}

fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| {
            let cut = line
                .find("//")
                .filter(|at| *at == 0 || !line[..*at].ends_with(':'))
                .unwrap_or(line.len());
            &line[..cut]
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Product code of a file: what stands before its first `#[cfg(test)]`.
fn product_part(code: &str) -> &str {
    code.find("#[cfg(test)]").map_or(code, |at| &code[..at])
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("_tests.rs")
}

/// Does the code name the crate, module or item as a path or import (not as a part of a longer word)?
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && !after.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

#[track_caller]
fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

/// Path below host/src.
fn host_path(source: &Source) -> &str {
    source
        .path
        .strip_prefix("host/src/")
        .unwrap_or(&source.path)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

const PURE: &[&str] = &[
    "model.rs",
    "rule.rs",
    "evaluate.rs",
    "candidate.rs",
    "position.rs",
    "guard.rs",
    "quota.rs",
    "roles.rs",
    "matching.rs",
    "plan.rs",
    "message.rs",
    "chart.rs",
];

#[test]
fn only_store_files_name_sqlx() {
    let found = sources("host/src", &[".rs"])
        .iter()
        .filter(|s| !is_test_file(&s.path) && names(product_part(&s.code), "sqlx"))
        .map(host_path)
        .filter(|path| {
            let in_store =
                path.starts_with("store/") || path.split('/').any(|part| part == "store");
            !(in_store || *path == "store.rs" || file_name(path) == "store.rs")
        })
        .map(str::to_owned)
        .collect();
    none("only store.rs files and store/ may name sqlx", found);
}

#[test]
fn only_the_faces_name_axum() {
    let found = sources("host/src", &[".rs"])
        .iter()
        .filter(|s| names(&s.code, "axum"))
        .map(host_path)
        .filter(|path| {
            !(path.starts_with("web/")
                || path.starts_with("api/")
                || matches!(file_name(path), "pages.rs" | "api.rs" | "web.rs")
                || path.split('/').any(|part| part == "pages"))
        })
        .map(str::to_owned)
        .collect();
    none("only web/, api/, pages.rs and api.rs may name axum", found);
}

#[test]
fn only_the_runtime_names_wasmtime() {
    let mut all = sources("host/src", &[".rs"]);
    all.extend(sources("connectors", &[".rs"]));
    all.extend(
        sources("tests", &[".rs"])
            .into_iter()
            .filter(|s| !s.path.starts_with("tests/hostile/")),
    );
    let me = "tests/architecture/main.rs";
    let found = all
        .iter()
        .filter(|s| s.path != me && (names(&s.code, "wasmtime") || names(&s.code, "wasmtime_wasi")))
        .map(|s| s.path.clone())
        .collect();
    none("only host/runtime may name wasmtime", found);
}

#[test]
fn pure_files_know_no_io_no_clock_and_no_chance() {
    let forbidden = [
        "tokio",
        "sqlx",
        "axum",
        "reqwest",
        "hyper",
        "std::fs",
        "std::net",
        "std::env",
        "std::process",
        "SystemTime",
        "Instant",
        "Utc::now",
        "Zoned::now",
        "Timestamp::now",
        "rand::rng",
        "rand::random",
        "async fn",
    ];
    let mut found = Vec::new();
    for source in sources("host/src", &[".rs"]) {
        let path = host_path(&source);
        let kernel = path.starts_with("kernel/")
            && !matches!(file_name(path), "clock.rs" | "chance.rs" | "faults.rs");
        let face = path.starts_with("web/") || path.starts_with("api/");
        if face || !(kernel || PURE.contains(&file_name(path))) {
            continue;
        }
        for word in forbidden {
            if names(product_part(&source.code), word) {
                found.push(format!("{path} names {word}"));
            }
        }
    }
    none(
        "pure files import std, serde, kernel and other pure files only",
        found,
    );
}

#[test]
fn time_and_chance_come_in_as_parameters() {
    let forbidden = [
        "SystemTime::now",
        "Utc::now",
        "Zoned::now",
        "Timestamp::now",
        "rand::rng",
        "rand::random",
    ];
    let mut found = Vec::new();
    for source in sources("host/src", &[".rs"]) {
        let path = host_path(&source);
        if path.starts_with("kernel/")
            || path.starts_with("app/")
            || path == "app.rs"
            || path == "main.rs"
        {
            continue;
        }
        for word in forbidden {
            if names(product_part(&source.code), word) {
                found.push(format!("{path} names {word}"));
            }
        }
    }
    none(
        "the clock and chance are read in kernel, app and main only",
        found,
    );
}

#[test]
fn host_code_knows_no_connector() {
    let mut ids = BTreeSet::new();
    for manifest in sources("connectors", &["connector.toml"]) {
        let table: toml::Table = manifest.text.parse().expect("a manifest is TOML");
        let id = table["connector"]["id"]
            .as_str()
            .expect("a manifest has an id")
            .to_lowercase();
        ids.insert(id);
    }
    assert!(!ids.is_empty(), "no connector.toml found");
    let mut found = Vec::new();
    for source in sources("host", &[".rs", ".hbs", ".css", ".js"]) {
        if is_test_file(&source.path) || source.path.starts_with("host/docs/") {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            if let Some(id) = ids
                .iter()
                .find(|id| line.to_lowercase().contains(id.as_str()))
            {
                found.push(format!("{}:{} names {id}", source.path, number + 1));
            }
        }
    }
    none("a vendor's name belongs into its connector's folder", found);
}

#[test]
fn no_source_file_is_too_long() {
    let mut found = Vec::new();
    for folder in ["host", "connectors", "tests"] {
        for source in sources(folder, &[".rs", ".hbs", ".mjs", ".py"]) {
            let lines = source.text.lines().count();
            if lines > MOST_LINES {
                found.push(format!("{}: {lines} lines", source.path));
            }
        }
    }
    none("a file past 600 lines wants splitting by subject", found);
}

#[test]
fn nothing_is_left_unfinished_or_ignored() {
    // Written in two halves, so that this file does not hold what it looks for.
    let marks = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
        concat!("#[ign", "ore"),
        concat!("not imple", "mented"),
        concat!("{{", "{"),
    ];
    let mut found = Vec::new();
    for folder in ["host", "connectors", "tests", "wit"] {
        for source in sources(folder, &[".rs", ".hbs", ".mjs", ".js", ".py", ".wit"]) {
            if source.path.contains("/assets/vendor/") || source.path.ends_with(".min.js") {
                continue;
            }
            for (number, line) in source.text.lines().enumerate() {
                for mark in marks {
                    // Triple braces matter in templates only: there they would print unescaped text.
                    let counts = mark != concat!("{{", "{") || source.path.ends_with(".hbs");
                    if counts && line.contains(mark) {
                        found.push(format!("{}:{}: {mark}", source.path, number + 1));
                    }
                }
            }
        }
    }
    none("unfinished or ignored", found);
}

#[test]
fn product_code_does_not_unwrap() {
    let mut found = Vec::new();
    for folder in ["host", "connectors"] {
        for source in sources(folder, &[".rs"]) {
            if is_test_file(&source.path) || source.path.ends_with("/build.rs") {
                continue;
            }
            for (number, line) in product_part(&source.code).lines().enumerate() {
                if line.contains(".unwrap()") {
                    found.push(format!("{}:{}", source.path, number + 1));
                }
            }
        }
    }
    none("an unwrap without a stated invariant", found);
}

#[test]
fn every_module_says_what_it_is_for() {
    let mut found = Vec::new();
    for folder in ["host", "connectors", "tests"] {
        for source in sources(folder, &[".rs"]) {
            if !source.text.trim_start().starts_with("//!") {
                found.push(source.path.clone());
            }
        }
    }
    none("a file without `//!` at its head", found);
}

/// Reads the README's table `| module | may use |` and checks every `crate::MODULE` in host/src against it.
#[test]
fn directions_of_the_readme_hold() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md is there");
    let mut allowed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut inside = false;
    for line in readme.lines() {
        if line.starts_with("| module | may use |") {
            inside = true;
            continue;
        }
        if inside && !line.starts_with('|') {
            break;
        }
        if !inside || line.starts_with("|-") || line.starts_with("| -") {
            continue;
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let words = |cell: &str| -> BTreeSet<String> {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        for module in words(cells[1]) {
            allowed.insert(module, words(cells[2]));
        }
    }
    assert!(
        allowed.len() > 10,
        "the README's table of directions is missing"
    );

    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for source in sources("host/src", &[".rs"]) {
        let path = host_path(&source);
        let module = path
            .split('/')
            .next()
            .unwrap_or(path)
            .trim_end_matches(".rs")
            .to_owned();
        if matches!(module.as_str(), "lib" | "main") || is_test_file(&source.path) {
            continue;
        }
        seen.insert(module.clone());
        let Some(may) = allowed.get(&module) else {
            found.push(format!("{module} is not in the README's table"));
            continue;
        };
        if may.contains("all") {
            continue;
        }
        for used in crate_modules(product_part(&source.code)) {
            if used != module
                && !matches!(used.as_str(), "kernel" | "app::host")
                && !may.contains(&used)
            {
                found.push(format!(
                    "{path} uses {used}; the README allows {module} only {may:?}"
                ));
            }
        }
    }
    for module in allowed.keys().filter(|module| !seen.contains(*module)) {
        found.push(format!(
            "the README's table names {module}, which does not exist"
        ));
    }
    none("forbidden arrows", found);
}

/// First segments after `crate::`, in paths and in `use crate::{a::…, b::…}` lists; `app::host` is kept apart from the rest of `app`.
fn crate_modules(code: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    for (at, found) in code.match_indices("crate::") {
        if code[..at].ends_with("pub(") || code[..at].ends_with("$") {
            continue;
        }
        let rest = &code[at + found.len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        modules.insert(word(item.trim()));
                        item.clear();
                        continue;
                    }
                    _ => {}
                }
                item.push(c);
            }
            modules.insert(word(item.trim()));
        } else {
            modules.insert(word(rest));
        }
    }
    modules.retain(|module| {
        !module.is_empty() && module.chars().next().is_some_and(char::is_lowercase)
    });
    modules
}
