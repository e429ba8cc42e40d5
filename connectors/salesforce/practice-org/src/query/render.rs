//! Writes records as the REST API does: fields in the order of the query, parents nested, children as answers of their own.

use std::io::Write as _;

use super::aggregate::Group;
use super::bind::{Column, Names, Step, object_of, read_field, refused};
use super::filter::{Binder, Cond};
use super::{Key, keys};
use crate::error::ApiError;
use crate::org::Org;
use crate::schema::{Field, Object};
use crate::soql::{Item, Query};
use crate::value::{Value, write_string};

/// What stands at one place of a record.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Field(&'static Field),
    Parent(Step, Vec<Node>),
    Children(Box<Children>),
}

/// A bound sub-query.
#[derive(Debug, Clone)]
pub(super) struct Children {
    name: &'static str,
    object: Object,
    /// The field of the child that points to the parent.
    back: &'static str,
    filter: Option<Cond>,
    order: Vec<Key>,
    limit: usize,
    nodes: Vec<Node>,
}

/// Puts paths through one parent together.
pub(super) fn nodes(columns: &[Column]) -> Vec<Node> {
    let mut nodes = Vec::new();
    for column in columns {
        add(&mut nodes, &column.steps, column.field);
    }
    nodes
}

fn add(nodes: &mut Vec<Node>, steps: &[Step], field: &'static Field) {
    let Some((step, rest)) = steps.split_first() else {
        nodes.push(Node::Field(field));
        return;
    };
    let known = nodes.iter_mut().find_map(|node| match node {
        Node::Parent(known, inner) if known.name == step.name => Some(inner),
        _ => None,
    });
    match known {
        Some(inner) => add(inner, rest, field),
        None => {
            let mut inner = Vec::new();
            add(&mut inner, rest, field);
            nodes.push(Node::Parent(*step, inner));
        }
    }
}

/// Binds the sub-queries of a query and puts them after its plain columns.
pub(super) fn add_children(
    org: &Org,
    names: &Names<'_>,
    query: &Query,
    nodes: &mut Vec<Node>,
) -> Result<(), ApiError> {
    for item in &query.select {
        let Item::Children(inner) = item else {
            continue;
        };
        let listed = names
            .object
            .children()
            .iter()
            .find(|(name, ..)| name.eq_ignore_ascii_case(&inner.from));
        let Some((name, object, back)) = listed else {
            return Err(refused(
                "INVALID_TYPE",
                format!(
                    "\nDidn't understand relationship '{}' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name.",
                    inner.from
                ),
            ));
        };
        object_of(&names.seen, object.name())?;
        let names = Names {
            seen: names.seen,
            object: *object,
            alias: inner.alias.as_deref(),
        };
        let filter = match &inner.filter {
            Some(filter) => Some(Binder::new(org, &names).bind(filter)?),
            None => None,
        };
        nodes.push(Node::Children(Box::new(Children {
            name,
            object: *object,
            back,
            filter,
            order: keys(&names, &inner.order)?,
            limit: inner.limit.unwrap_or(usize::MAX),
            nodes: self::nodes(&names.columns(inner)?),
        })));
    }
    Ok(())
}

pub(super) fn record(
    org: &Org,
    object: Object,
    row: u64,
    nodes: &[Node],
    version: &str,
    out: &mut Vec<u8>,
) {
    // Writing to memory does not fail.
    let _ = write!(
        out,
        "{{\"attributes\":{{\"type\":\"{0}\",\"url\":\"/services/data/{version}/sobjects/{0}/{1}\"}}",
        object.name(),
        org.id(object, row).as_str()
    );
    for node in nodes {
        out.push(b',');
        match node {
            Node::Field(field) => {
                key(out, field.name);
                read_field(org, object, row, field).write_json(out);
            }
            Node::Parent(step, inner) => {
                key(out, step.name);
                match org.parent(object, row, step.reference) {
                    Some((parent, row)) => record(org, parent, row, inner, version, out),
                    None => out.extend_from_slice(b"null"),
                }
            }
            Node::Children(children) => {
                key(out, children.name);
                children.write(org, object, row, version, out);
            }
        }
    }
    out.push(b'}');
}

impl Children {
    /// Null where there are none, as the vendor answers.
    fn write(&self, org: &Org, parent: Object, row: u64, version: &str, out: &mut Vec<u8>) {
        let id = org.id(parent, row);
        let candidates = (parent == Object::User)
            .then(|| org.rows_of_user(self.object, self.back, row))
            .flatten()
            .unwrap_or_else(|| (1..=org.rows(self.object)).collect());
        let is_child = |row: &u64| {
            org.is_visible(self.object, *row)
                && org.value(self.object, *row, self.back).id() == Some(id)
                && self
                    .filter
                    .as_ref()
                    .is_none_or(|filter| filter.holds(org, self.object, *row))
        };
        let mut rows: Vec<u64> = candidates.into_iter().filter(is_child).collect();
        rows.sort_by(|a, b| {
            let read = |key: &Key, row: u64| key.column.read(org, self.object, row).into_owned();
            self.order
                .iter()
                .map(|key| key.order(&read(key, *a), &read(key, *b)))
                .find(|ordering| ordering.is_ne())
                .unwrap_or_else(|| a.cmp(b))
        });
        rows.truncate(self.limit);
        if rows.is_empty() {
            out.extend_from_slice(b"null");
            return;
        }
        let _ = write!(
            out,
            "{{\"totalSize\":{},\"done\":true,\"records\":[",
            rows.len()
        );
        for (at, row) in rows.into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            record(org, self.object, row, &self.nodes, version, out);
        }
        out.extend_from_slice(b"]}");
    }
}

/// Groups, without an address.
pub(super) fn groups(groups: &[Group], out: &mut Vec<u8>) {
    for (at, group) in groups.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"attributes\":{\"type\":\"AggregateResult\"}");
        for (name, value) in group {
            out.push(b',');
            write_string(name, out);
            out.push(b':');
            Value::write_json(value, out);
        }
        out.push(b'}');
    }
}

fn key(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}
