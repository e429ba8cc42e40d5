//! What the templates and the stylesheets promise each other.
use std::collections::BTreeSet;

use crate::web::templates::TEMPLATES;

/// What a vendor or a person wrote turns the text around it when it carries marks of direction, unless it is isolated (E14).
#[test]
fn e14_every_name_of_somebody_is_isolated() {
    let names = [
        "principal",
        "account_name",
        "person",
        "email",
        "candidate.principal",
        "candidate.account_name",
        "candidate.person",
        "action.principal",
        "page.person.name",
    ];
    let mut seen = 0;
    for (template, source) in TEMPLATES {
        for name in names {
            for said in [format!("{{{{{name}}}}}"), format!("{{{{or_dash {name}}}}}")] {
                for (at, _) in source.match_indices(&said) {
                    let before = &source[..at];
                    let in_tag = before.rfind('<') > before.rfind('>');
                    let in_option = before.rfind("<option") > before.rfind("</option");
                    if in_tag {
                        continue;
                    }
                    let is_isolated = before.ends_with("<bdi>")
                        || (in_option
                            && before[before.rfind('<').unwrap()..].contains("dir=\"auto\""));
                    assert!(is_isolated, "{template}: {said} at {at} stands free");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 12, "only {seen} names were found");
}

/// The class names in a stylesheet's selectors.
fn classes_of_sheet(sheet: &str) -> BTreeSet<&str> {
    sheet
        .split('.')
        .skip(1)
        .map(|rest| {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
                .unwrap_or(rest.len());
            &rest[..end]
        })
        .filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
        .collect()
}

/// The class names that a template writes out, without those that a condition puts together.
fn classes_of_template(source: &str) -> BTreeSet<String> {
    source
        .split("class=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .flat_map(|value| {
            let mut plain = String::new();
            for (at, piece) in value.split("{{").enumerate() {
                plain.push_str(if at == 0 {
                    piece
                } else {
                    piece.split_once("}}").map_or("", |(_, after)| after)
                });
                plain.push(' ');
            }
            plain
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn every_class_of_a_template_is_styled() {
    let sheets = [
        include_str!("../../../assets/app.css"),
        include_str!("../../../assets/tabler.css"),
    ];
    let styled: BTreeSet<&str> = sheets.iter().copied().flat_map(classes_of_sheet).collect();
    let mut used = 0;
    for (template, source) in TEMPLATES {
        for class in classes_of_template(source) {
            assert!(
                styled.contains(class.as_str()),
                "{template}: no stylesheet knows `{class}`; /design shows what there is"
            );
            used += 1;
        }
    }
    assert!(used > 200, "only {used} classes were found");
}
