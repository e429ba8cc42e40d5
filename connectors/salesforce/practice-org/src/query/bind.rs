//! Ties the names of a query to the schema: paths to columns, with Salesforce's sentences for what is not there or not visible.

use crate::error::ApiError;
use crate::org::Org;
use crate::schema::{Field, Kind, Object, Property, Seen};
use crate::soql::{Item, Operand, Path, Query, Wildcard};
use crate::value::Value;

/// Most steps from child to parent.
const MAX_STEPS: usize = 5;

/// A path whose parts are known to exist.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) steps: Vec<Step>,
    pub(super) field: &'static Field,
}

/// One way to a parent: the relationship's name and the field behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) reference: &'static Field,
}

impl Column {
    /// The path as the schema spells it.
    pub(super) fn name(&self) -> String {
        let steps = self.steps.iter().map(|step| step.name);
        steps.chain([self.field.name]).collect::<Vec<_>>().join(".")
    }

    /// The value for a row of the object that the path was bound to.
    pub(super) fn read<'a>(&self, org: &'a Org, object: Object, row: u64) -> Value<'a> {
        let (mut object, mut row) = (object, row);
        for step in &self.steps {
            match org.parent(object, row, step.reference) {
                Some(next) => (object, row) = next,
                None => return Value::Null,
            }
        }
        read_field(org, object, row, self.field)
    }
}

/// A field of a row that may be of another object than the one the path was bound to: a queue stands where a user was expected.
pub(super) fn read_field<'a>(
    org: &'a Org,
    object: Object,
    row: u64,
    field: &'static Field,
) -> Value<'a> {
    match object.any_field(field.name) {
        Some(_) => org.value(object, row, field.name),
        // Of an owner: `User`, or else what kind of group it is.
        None if field.name == "Type" => Value::Text(object.name().into()),
        None => Value::Null,
    }
}

/// Names of one query on the schema of one caller.
pub(super) struct Names<'a> {
    pub(super) seen: Seen,
    pub(super) object: Object,
    pub(super) alias: Option<&'a str>,
}

pub(super) fn refused(code: &'static str, message: impl Into<String>) -> ApiError {
    ApiError::new(400, code, message)
}

pub(super) fn malformed(message: impl Into<String>) -> ApiError {
    refused("MALFORMED_QUERY", message)
}

/// The object of a `FROM`, as far as the caller sees it.
pub(super) fn object_of(seen: &Seen, from: &str) -> Result<Object, ApiError> {
    Object::parse(from)
        .filter(|object| object.is_seen(seen))
        .ok_or_else(|| {
            refused(
                "INVALID_TYPE",
                format!(
                    "\nFROM {from}\n     ^\nERROR at Row:1:Column:6\nsObject type '{from}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names."
                ),
            )
        })
}

impl Names<'_> {
    pub(super) fn column(&self, path: &Path) -> Result<Column, ApiError> {
        let mut path = path.as_slice();
        let is_alias = |first: &String| {
            self.alias
                .is_some_and(|alias| alias.eq_ignore_ascii_case(first))
                || first.eq_ignore_ascii_case(self.object.name())
        };
        if let [first, rest @ ..] = path
            && !rest.is_empty()
            && is_alias(first)
        {
            path = rest;
        }
        let Some((name, through)) = path.split_last() else {
            return Err(malformed("unexpected token: ''"));
        };
        if through.len() > MAX_STEPS {
            return Err(malformed(format!(
                "SELECT {}\nsoql relationships may be at most {MAX_STEPS} levels deep",
                path.join(".")
            )));
        }
        let mut objects = vec![self.object];
        let mut steps = Vec::new();
        for step in through {
            let found = objects.iter().find_map(|object| {
                let field = object.parent(&self.seen, step)?;
                let targets: Vec<Object> = field
                    .targets
                    .iter()
                    .copied()
                    // What cannot be seen cannot be reached through another object either.
                    .filter(|target| target.is_seen(&self.seen))
                    .collect();
                (!targets.is_empty()).then_some((field, targets))
            });
            let Some((field, targets)) = found else {
                return Err(refused(
                    "INVALID_FIELD",
                    format!(
                        "\nDidn't understand relationship '{step}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."
                    ),
                ));
            };
            steps.push(Step {
                name: field.relationship.unwrap_or_default(),
                reference: field,
            });
            objects = targets;
        }
        objects
            .iter()
            .find_map(|object| object.field(&self.seen, name))
            .map(|field| Column { steps, field })
            .ok_or_else(|| no_column(name, objects[0]))
    }

    /// A column with a property that its clause needs.
    pub(super) fn column_for(&self, path: &Path, property: Property) -> Result<Column, ApiError> {
        let column = self.column(path)?;
        let field = column.field;
        let (may, verb) = match property {
            Property::Filter => (field.is_filterable(self.seen.version), "filtered"),
            Property::Group => (field.may(property), "grouped"),
            _ => (field.may(property), "sorted"),
        };
        if may {
            return Ok(column);
        }
        Err(refused(
            "INVALID_FIELD",
            format!("\nfield '{}' can not be {verb} in a query call", field.name),
        ))
    }

    /// The plain columns of a query, `FIELDS(…)` written out; a field may be selected once only.
    pub(super) fn columns(&self, query: &Query) -> Result<Vec<Column>, ApiError> {
        let mut columns = Vec::new();
        for item in &query.select {
            match item {
                Item::Children(_) => {}
                Item::Fields(Wildcard::Standard) => columns.extend(self.all_columns()),
                Item::Fields(wildcard) => {
                    if query.limit.is_none_or(|limit| limit > 200) {
                        return Err(malformed(
                            "The SOQL FIELDS function must have a LIMIT of at most 200",
                        ));
                    }
                    // This org has no custom fields.
                    if *wildcard == Wildcard::All {
                        columns.extend(self.all_columns());
                    }
                }
                Item::Value {
                    operand: Operand::Path(path),
                    alias: None,
                } => columns.push(self.column(path)?),
                Item::Value {
                    operand: Operand::Path(_),
                    alias: Some(alias),
                } => {
                    return Err(malformed(format!(
                        "only aggregate expressions use field aliasing: {alias}"
                    )));
                }
                Item::Value { operand, .. } => {
                    return Err(malformed(format!(
                        "a date function needs GROUP BY: {operand}"
                    )));
                }
            }
        }
        let mut names: Vec<String> = columns.iter().map(Column::name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(malformed(format!("duplicate field selected: {}", twice[0])));
        }
        Ok(columns)
    }

    fn all_columns(&self) -> impl Iterator<Item = Column> {
        self.object.fields(&self.seen).map(|field| Column {
            steps: Vec::new(),
            field,
        })
    }
}

/// Salesforce's sentence for a column that is not there or not visible.
pub(crate) fn no_column(field: &str, object: Object) -> ApiError {
    let name = object.name();
    refused(
        "INVALID_FIELD",
        format!(
            "\nSELECT {field} FROM {name}\n       ^\nERROR at Row:1:Column:8\nNo such column '{field}' on entity '{name}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
        ),
    )
}

/// The refusal for a literal of the wrong kind.
pub(super) fn wrong_kind(field: &Field) -> ApiError {
    let (kind, quotes) = match field.kind {
        Kind::Boolean => ("boolean", "should not"),
        Kind::Int => ("int", "should not"),
        Kind::Double => ("double", "should not"),
        Kind::Moment => ("dateTime", "should not"),
        Kind::Day => ("date", "should not"),
        Kind::Id | Kind::Reference => ("ID", "should"),
        Kind::Text | Kind::Picklist => ("string", "should"),
    };
    refused(
        "INVALID_FIELD",
        format!(
            "\nvalue of filter criterion for field '{}' must be of type {kind} and {quotes} be enclosed in quotes",
            field.name
        ),
    )
}
