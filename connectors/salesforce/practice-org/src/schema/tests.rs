//! What describe says against what can be selected.

use super::*;

#[test]
fn every_line_of_the_tables_is_a_field() {
    for object in Object::ALL {
        let lines = object.tables().iter().flat_map(|table| table.lines());
        for line in lines.filter(|line| !line.is_empty()) {
            let field = Field::parse(line);
            assert!(field.is_some(), "{object:?}: {line}");
            let wanted = line.split_once("-> ").map_or(0, |(_, rest)| {
                rest.split_ascii_whitespace()
                    .next()
                    .map_or(0, |targets| targets.split('|').count())
            });
            assert_eq!(field.unwrap().targets.len(), wanted, "{object:?}: {line}");
        }
    }
}

#[test]
fn prefixes_name_one_object_each() {
    let prefixes: std::collections::BTreeSet<_> =
        Object::ALL.iter().map(|object| object.prefix()).collect();
    assert_eq!(prefixes.len(), Object::ALL.len());
}

#[test]
fn child_relationships_end_in_a_field_of_the_child() {
    for object in Object::ALL {
        for (name, child, field) in object.children() {
            let field = child.any_field(field).unwrap();
            assert!(field.targets.contains(object), "{object:?}.{name}");
        }
    }
}

#[test]
fn used_licenses_is_filterable_until_release_63_only() {
    let field = Object::UserLicense.any_field("UsedLicenses").unwrap();
    assert!(field.is_filterable(63));
    assert!(!field.is_filterable(64));
}
