//! Compares what `tests/features.toml` and `tests/cases.toml` claim with the tests that ran and passed.
//!
//! `check-features REPORT [LAYER...]`: REPORT is the folder where `tests/run` left the names of the passed tests; the layers are
//! those that were left out, whose rows can't be judged and are counted as comments; so are rows of layers that run only when asked
//! for, where they have not run. Prints TAP, one line for each claim; a row
//! that is `later` claims nothing and is not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;

use serde::Deserialize;

/// Rows of the feature list and proposals that go beyond it.
const FEATURES: u32 = 130;
const PROPOSALS: u32 = 22;

/// The cases of the reliability list that must have a test of their own; others may.
const CASES: &[&str] = &[
    "A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A12", "A13", "A14", "A15",
    "A16", "A17", "A18", "A19", "A20", "A21", "A22", "A23", "A24", "A25", "A26", "A27", "A28",
    "A29", "A30", "A31", "A32", "A33", "B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B11",
    "B13", "B14", "B15", "C1", "C5", "C10", "C11", "D1", "D2", "D3", "D4", "E1", "E2", "E3", "E4",
    "E5", "E6", "E7", "E8", "E9", "E10", "E11", "E12", "E14", "E15", "E16", "E17", "E18", "E19",
    "E20", "E21", "E22", "E23", "E24", "E25", "E26", "E30",
];

/// The reliability list as a whole: the letter of each part and how many cases it has.
const PARTS: [(char, u32); 5] = [('A', 33), ('B', 16), ('C', 16), ('D', 10), ('E', 30)];

/// Layers that a whole run leaves out.
const ASKED: &[&str] = &["bench", "ways"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    feature: Vec<Row>,
    proposal: Vec<Row>,
}

/// One row: what it is, which stage of the roadmap owns it, how far it is, where a person meets it, which test proves it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: u32,
    title: String,
    stage: u8,
    state: State,
    #[serde(default, rename = "where")]
    place: String,
    #[serde(default)]
    test: String,
}

#[derive(Deserialize, PartialEq, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Works as the row says; proved by the test.
    Done,
    /// Works in part, as `where` says; a test, if named, must have passed too.
    Partial,
    /// Not there.
    Later,
}

fn is_a_case(id: &str) -> bool {
    PARTS.into_iter().any(|(part, cases)| {
        id.strip_prefix(part)
            .and_then(|number| number.parse().ok())
            .is_some_and(|number| (1..=cases).contains(&number))
    })
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let Some(report) = words.next() else {
        eprintln!("usage: check-features REPORT [LEFT OUT LAYER...]");
        return ExitCode::from(2);
    };
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut judge = Judge {
        passed: read_report(Path::new(&report)),
        left_out: words.chain(not_asked(Path::new(&report))).collect(),
        claims: 0,
        wrong: 0,
    };

    match read::<Claims>(&tests.join("features.toml")) {
        Err(error) => judge.say(false, &format!("features.toml can be read ({error})")),
        Ok(claims) => {
            judge.rows("feature", FEATURES, &claims.feature);
            judge.rows("proposal", PROPOSALS, &claims.proposal);
        }
    }
    match read::<BTreeMap<String, String>>(&tests.join("cases.toml")) {
        Err(error) => judge.say(false, &format!("cases.toml can be read ({error})")),
        Ok(cases) => judge.cases(&cases),
    }
    println!("1..{}", judge.claims);
    ExitCode::from(u8::from(judge.wrong > 0))
}

struct Judge {
    passed: BTreeSet<String>,
    left_out: Vec<String>,
    claims: u32,
    wrong: u32,
}

impl Judge {
    fn say(&mut self, holds: bool, claim: &str) {
        self.claims += 1;
        self.wrong += u32::from(!holds);
        println!(
            "{} {} - {claim}",
            if holds { "ok" } else { "not ok" },
            self.claims
        );
    }

    fn rows(&mut self, kind: &str, count: u32, rows: &[Row]) {
        let ids: Vec<u32> = rows.iter().map(|row| row.id).collect();
        self.say(
            ids == (1..=count).collect::<Vec<_>>(),
            &format!("{kind} rows 1 to {count} are all there, in order"),
        );
        for row in rows {
            let name = format!("{kind} {} ({})", row.id, row.title);
            if row.title.is_empty() || !(1..=7).contains(&row.stage) {
                self.say(
                    false,
                    &format!("{name} has a title and a stage from 1 to 7"),
                );
            }
            if row.state != State::Later && row.place.is_empty() {
                self.say(false, &format!("{name} says where a person meets it"));
            }
            match row.state {
                State::Later if row.test.is_empty() => {}
                State::Later => self.say(false, &format!("{name} is later and claims no test")),
                State::Partial if row.test.is_empty() => {}
                State::Done if row.test.is_empty() => {
                    self.say(false, &format!("{name} is done and names its test"))
                }
                State::Done | State::Partial => self.proved(&name, &row.test),
            }
        }
        let count = |state| rows.iter().filter(|row| row.state == state).count();
        println!(
            "# {kind} rows: {} done, {} partial, {} later",
            count(State::Done),
            count(State::Partial),
            count(State::Later)
        );
    }

    fn cases(&mut self, cases: &BTreeMap<String, String>) {
        for id in CASES.iter().filter(|id| !cases.contains_key(**id)) {
            self.say(false, &format!("case {id} has a test"));
        }
        for (id, test) in cases {
            if !is_a_case(id) {
                self.say(false, &format!("case {id} is one of the list"));
            }
            let function = test.rsplit("::").next().unwrap_or(test);
            let is_named = function
                .split('_')
                .take_while(|part| is_marker(part))
                .any(|part| part.eq_ignore_ascii_case(id));
            if !is_named {
                self.say(
                    false,
                    &format!("case {id} has a test of that name, not {test}"),
                );
            }
            self.proved(&format!("case {id}"), test);
        }
    }

    fn proved(&mut self, name: &str, test: &str) {
        let layer = layer_of(test);
        if self.left_out.iter().any(|left_out| left_out == layer) {
            println!("# {name}: {test} belongs to {layer}, which was left out");
        } else {
            self.say(
                self.passed.contains(test),
                &format!("{name}: {test} ran and passed"),
            );
        }
    }
}

/// `b13`: what a test's name begins with, once for each case that it proves.
fn is_marker(part: &str) -> bool {
    part.strip_prefix(['a', 'b', 'c', 'd', 'e'])
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// The layer of `tests/run` that runs a test, by the binary in front of its name.
fn layer_of(test: &str) -> &str {
    match test.split("::").next() {
        Some("architecture") => "lint",
        Some("hostile") => "runtime",
        Some(layer @ ("it" | "kill" | "clients" | "e2e" | "demo" | "bench" | "ways" | "lint")) => {
            layer
        }
        _ => "unit",
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    toml::from_str(&text).map_err(|error| error.to_string().replace('\n', " "))
}

/// The layers that run only when asked for and have left no report.
fn not_asked(folder: &Path) -> Vec<String> {
    let has_run = |layer: &str| folder.join(layer).with_extension("txt").exists();
    ASKED
        .iter()
        .filter(|layer| !has_run(layer))
        .map(|layer| (*layer).to_owned())
        .collect()
}

fn read_report(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "txt")
        })
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}
