//! The README's tables of what the seeds say, and of what other readers get wrong, name tests that exist.

use std::{fs, path::Path};

fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_readme_names_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut code = String::new();
    for folder in [
        "src",
        "tests",
        "practice-org/tests",
        "practice-org/src",
        "../sdk/src",
        "../../tests/it",
    ] {
        sources(&here.join(folder), &mut code);
    }
    let readme = include_str!("../../README.md");
    let tables = ["## What the seeds say", "## What other readers get wrong"].map(|title| {
        let table = readme.split(title).nth(1).unwrap();
        table.split("\n## ").next().unwrap()
    });
    let mut named = 0;
    let rows = tables.iter().flat_map(|table| table.lines());
    for row in rows.filter(|line| line.starts_with("| ")) {
        let proof = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for name in proof.split('`').skip(1).step_by(2) {
            named += 1;
            if name.contains('/') {
                let place = [here.join(name), here.join("../..").join(name)];
                assert!(place.iter().any(|path| path.exists()), "{name}");
            } else {
                assert!(code.contains(&format!("fn {name}(")), "{name}");
            }
        }
    }
    assert!(named > 50, "{named} tests are named");
}
