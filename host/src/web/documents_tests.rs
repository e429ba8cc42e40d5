//! The generated pages of `host/docs`: compared with what the code says, and written anew by
//! `SEATWISE_WRITE_DOCS=1 cargo test -p seatwise --lib documents_tests`.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::routes::{Face, table};
use crate::identity::roles::{Permission, Role};

fn host_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[track_caller]
fn fresh(name: &str, text: &str) {
    let path = host_folder().join("docs").join(name);
    if std::env::var_os("SEATWISE_WRITE_DOCS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "host/docs/{name} is stale; write it anew with SEATWISE_WRITE_DOCS=1"
    );
}

fn heading(title: &str, about: &str) -> String {
    format!(
        "# {title}\n\nGenerated from the code and tested fresh; do not edit by hand.\n\n{about}\n"
    )
}

#[test]
fn the_api_page_lists_every_address() {
    let mut text = heading(
        "The API",
        "`/api/v1` gives the same services as the pages. Send a personal token as `Authorization: Bearer TOKEN`; make one on the page\n\
         *Tokens*. Bodies are JSON; unknown fields are refused. Lists name their following page in `next`. A failure is\n\
         `application/problem+json` with a stable `code` ([errors](errors.md)), a `fix`, and the `field` it is about. Times are UTC\n\
         milliseconds, days `YYYY-MM-DD`, money minor units with their currency.\n\n\
         The machine-readable form is `/api/v1/openapi.json`. Pages need a session and are listed for completeness: a token opens\n\
         none of them, and a session opens no API.",
    );
    for (face, title) in [
        (Face::Api, "Addresses"),
        (Face::Page, "Pages"),
        (Face::Open, "Open to anybody"),
    ] {
        write!(
            text,
            "\n## {title}\n\n| method | address | needs | what |\n|---|---|---|---|\n"
        )
        .unwrap();
        for route in table().iter().filter(|route| route.face == face) {
            let needs = route.needs.map_or("", Permission::as_str);
            writeln!(
                text,
                "| {} | `{}` | {needs} | {} |",
                route.method, route.path, route.says
            )
            .unwrap();
        }
    }
    fresh("api.md", &text);
}

#[test]
fn the_roles_page_is_the_matrix() {
    let mut text = heading(
        "Roles and permissions",
        "Every address and every service asks for exactly one permission; a person holds those of all their roles, a personal token at\n\
         most those of its person. Being allowed is not enough for an approval: nobody approves what they made\n\
         ([candidates](candidate-states.md)). The same table is the page *Roles*.",
    );
    text.push_str("\n| role | is for |\n|---|---|\n");
    for role in Role::ALL {
        writeln!(text, "| `{}` | {} |", role.as_str(), role.says()).unwrap();
    }
    text.push_str("\n| permission |");
    for role in Role::ALL {
        write!(text, " {} |", role.as_str()).unwrap();
    }
    text.push_str(" allows |\n|---|");
    text.push_str(&"---|".repeat(Role::ALL.len() + 1));
    text.push('\n');
    for permission in Permission::ALL {
        write!(text, "| `{}` |", permission.as_str()).unwrap();
        for role in Role::ALL {
            let held = permission.granted_to().contains(&role);
            text.push_str(if held { " yes |" } else { " |" });
        }
        writeln!(text, " {} |", permission.says()).unwrap();
    }
    fresh("roles.md", &text);
}

/// The top-level arguments of a call, from behind its opening parenthesis.
fn arguments(code: &str) -> Vec<String> {
    let (mut depth, mut is_text, mut is_escaped) = (0, false, false);
    let mut all = vec![String::new()];
    for letter in code.chars() {
        if is_text {
            is_text = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
        } else {
            match letter {
                '"' => is_text = true,
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' if depth == 0 => break,
                ')' | ']' | '}' => depth -= 1,
                ',' if depth == 0 => {
                    all.push(String::new());
                    continue;
                }
                _ => {}
            }
        }
        if let Some(last) = all.last_mut() {
            last.push(letter);
        }
    }
    all.into_iter()
        .map(|argument| argument.trim().to_owned())
        .collect()
}

/// The text of the first string literal of an argument; none for a value made elsewhere.
fn literal(argument: &str) -> Option<&str> {
    let text = argument.strip_prefix("format!(").unwrap_or(argument).trim();
    let text = text.strip_prefix('"')?;
    text.find('"').map(|end| &text[..end])
}

fn problems(folder: &Path, found: &mut BTreeMap<String, (String, String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            problems(&path, found);
            continue;
        }
        if path.extension().is_none_or(|ending| ending != "rs")
            || path.ends_with("documents_tests.rs")
        {
            continue;
        }
        let code = std::fs::read_to_string(&path).unwrap();
        let product = code.split("#[cfg(test)]").next().unwrap_or(&code);
        for (at, call) in product.match_indices("Problem::new(") {
            let arguments = arguments(&product[at + call.len()..]);
            let Some(code) = arguments.first().and_then(|first| literal(first)) else {
                continue;
            };
            let said = |at: usize| {
                arguments
                    .get(at)
                    .and_then(|argument| literal(argument))
                    .unwrap_or("(names the case)")
                    .replace('|', "\\|")
            };
            let status = arguments
                .get(1)
                .filter(|status| status.parse::<u16>().is_ok())
                .cloned()
                .unwrap_or_else(|| "4xx".to_owned());
            found.insert(code.to_owned(), (status, said(2), said(3)));
        }
    }
}

#[test]
fn the_error_page_lists_every_code() {
    let mut found = BTreeMap::new();
    problems(&host_folder().join("src"), &mut found);
    assert!(
        found.len() > 20,
        "the search for codes found only {}",
        found.len()
    );
    let mut text = heading(
        "Errors",
        "Every problem that a page, the API or the command line can show, by its stable code. A vendor's own failures carry the\n\
         codes of its connector's error table instead.",
    );
    text.push_str("\n| code | status | what happened | what to do |\n|---|---|---|---|\n");
    for (code, (status, what, fix)) in &found {
        assert!(
            code.bytes()
                .all(|b| b.is_ascii_lowercase() || matches!(b, b'.' | b'_')),
            "`{code}` is not a code"
        );
        writeln!(text, "| `{code}` | {status} | {what} | {fix} |").unwrap();
    }
    fresh("errors.md", &text);
}

#[test]
fn the_command_line_page_is_the_help() {
    use clap::CommandFactory as _;
    fn walk(command: &mut clap::Command, path: &str, text: &mut String) {
        let path = format!("{path} {}", command.get_name()).trim().to_owned();
        let help = command
            .clone()
            .term_width(100)
            .render_long_help()
            .to_string();
        write!(
            text,
            "\n## {path}\n\n```text\n{}\n```\n",
            help.lines()
                .map(str::trim_end)
                .collect::<Vec<_>>()
                .join("\n")
                .trim_end()
        )
        .unwrap();
        let names: Vec<String> = command
            .get_subcommands()
            .map(|inner| inner.get_name().to_owned())
            .filter(|name| name != "help")
            .collect();
        for name in names {
            if let Some(inner) = command.find_subcommand_mut(&name) {
                walk(inner, &path, text);
            }
        }
    }
    let mut text = heading(
        "The command line",
        "`serve`, `demo` and `practice-org` run here; every other command asks a host over its [API](api.md) with a personal token, from\n\
         `SEATWISE_TOKEN` or the file named by `--token-file` (`SEATWISE_TOKEN_FILE`). Facts go to standard output, talk and progress to\n\
         standard error; `--json` prints the API's JSON as it came.\n\n\
         | exit code | means |\n|---|---|\n| 0 | done |\n| 1 | failed |\n| 2 | wrong usage |\n| 3 | refused: not signed in, or no right to |\n| 4 | conflict: it changed meanwhile, or what you saw is stale |",
    );
    walk(&mut crate::cli::Cli::command(), "", &mut text);
    fresh("cli.md", &text);
}

/// The string literals of a call to the client: `/profiles/{number}/check` and the like.
#[test]
fn every_address_that_the_command_line_asks_exists() {
    let known: Vec<(String, Vec<String>)> = table()
        .iter()
        .filter(|route| route.face == Face::Api)
        .map(|route| {
            (
                route.method.to_string(),
                route.path.split('/').map(str::to_owned).collect(),
            )
        })
        .collect();
    let mut asked = 0;
    for file in [
        "account.rs",
        "collect.rs",
        "key.rs",
        "messages.rs",
        "progress.rs",
        "proxy.rs",
        "vault.rs",
    ] {
        let code = std::fs::read_to_string(host_folder().join("src/cli").join(file)).unwrap();
        for (method, call) in [("GET", ".get("), ("POST", ".post(")] {
            for (at, _) in code.match_indices(call) {
                let first = arguments(&code[at + call.len()..])
                    .into_iter()
                    .next()
                    .unwrap_or_default();
                let Some(path) = literal(first.trim_start_matches('&')) else {
                    continue;
                };
                if !path.starts_with('/') {
                    continue;
                }
                asked += 1;
                let parts: Vec<String> = format!("/api/v1{path}")
                    .split('/')
                    .map(str::to_owned)
                    .collect();
                let fits = |pattern: &[String]| {
                    pattern.len() == parts.len()
                        && pattern
                            .iter()
                            .zip(&parts)
                            .all(|(known, part)| known == part || part.starts_with('{'))
                };
                assert!(
                    known
                        .iter()
                        .any(|(verb, pattern)| verb == method && fits(pattern)),
                    "{file}: {method} {path} is no address"
                );
            }
        }
    }
    assert!(asked > 20, "only {asked} calls were found");
}
