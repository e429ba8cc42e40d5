//! What a profile can set: a flat profile of JSON Schema that a form can show and a validator can check.
//!
//! Invariant: one flat object, no references, no alternatives; a secret is never a setting.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Settings of a profile: a flat profile of JSON Schema, draft 2020-12, `additionalProperties: false`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Name to property, in the order of their names.
    #[serde(default)]
    pub properties: BTreeMap<String, Property>,
    /// Names that must be given.
    #[serde(default)]
    pub required: Vec<String>,
}

/// Types of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PropertyType {
    /// Text.
    String,
    /// Whole number.
    Integer,
    /// Number.
    Number,
    /// Yes or no.
    Boolean,
    /// List of texts, each out of `enum`.
    Array,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: PropertyType,
    /// Label of the field.
    pub title: String,
    /// Help beside the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Value when nothing is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// Allowed values; for an array, of its items.
    #[serde(rename = "enum", default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<serde_json::Value>,
    /// `uri`, `hostname`, `email`, `date` or `date-time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Linear-time regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Smallest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Largest number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// Most characters of a text.
    #[serde(rename = "maxLength", default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Place in the form; lower first.
    #[serde(rename = "x-order", default, skip_serializing_if = "Option::is_none")]
    pub order: Option<i32>,
    /// An example for the field's placeholder.
    #[serde(rename = "x-example", default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// Taken over by further orgs of the same vendor unless they set it themselves.
    #[serde(rename = "x-inherited", default, skip_serializing_if = "is_not")]
    pub inherited: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_not(flag: &bool) -> bool {
    !*flag
}

impl Settings {
    /// The schema as JSON, for a validator.
    pub fn json_schema(&self) -> serde_json::Value {
        let properties: serde_json::Map<String, serde_json::Value> = self
            .properties
            .iter()
            .map(|(name, property)| (name.clone(), property.json_schema()))
            .collect();
        serde_json::json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": self.required,
            "properties": properties,
        })
    }

    /// The object of all defaults, for a profile that sets nothing.
    pub fn defaults(&self) -> serde_json::Map<String, serde_json::Value> {
        self.properties
            .iter()
            .filter_map(|(name, property)| {
                property.default.clone().map(|value| (name.clone(), value))
            })
            .collect()
    }
}

impl Property {
    fn json_schema(&self) -> serde_json::Value {
        let mut schema = serde_json::to_value(self).unwrap_or_else(|_| serde_json::json!({}));
        if self.kind == PropertyType::Array
            && let Some(object) = schema.as_object_mut()
        {
            let choices = object
                .remove("enum")
                .unwrap_or_else(|| serde_json::json!([]));
            object.insert(
                "items".to_owned(),
                serde_json::json!({ "type": "string", "enum": choices }),
            );
            object.insert("uniqueItems".to_owned(), serde_json::Value::Bool(true));
        }
        schema
    }
}
