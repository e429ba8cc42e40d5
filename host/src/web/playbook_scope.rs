//! The fields of the lane *Scope*: settings of the connector, prices, limits and the schedule.
use seatwise_runtime::Manifest;
use seatwise_runtime::manifest::{Property, PropertyType};
use serde_json::Value;

use super::playbook_fields::{Field, Typed};
use crate::aliases::Origin;
use crate::profiles::PlaybookView;
use crate::profiles::playbook::Price;
use crate::profiles::playbook::model::settings_of;
use crate::profiles::playbook::repeat::{CHOICES, Repeat};
use crate::profiles::playbook::service::Pool;

/// Where a value comes from, in words.
fn whence(origin: Origin, parent: Option<&str>) -> String {
    match (origin, parent) {
        (Origin::Own, _) => "Set here.".to_owned(),
        (Origin::Parent, Some(parent)) => format!("Taken over from {parent}."),
        _ => "The default; nobody set it.".to_owned(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Most licences that the task *Prices* asks for; with the currency it has five fields.
const MOST_PRICES: usize = 4;

/// The licences whose price is asked for: paid ones, the largest first.
#[must_use]
pub fn priced(view: &PlaybookView, manifest: &Manifest) -> Vec<Pool> {
    let mut pools: Vec<Pool> = view
        .found
        .iter()
        .flat_map(|found| &found.pools)
        .filter(|pool| {
            manifest
                .product(&pool.identifier)
                .is_some_and(|product| !product.free)
                && pool.owned != Some(0)
        })
        .cloned()
        .collect();
    pools.sort_by_key(|pool| std::cmp::Reverse(pool.owned.unwrap_or(0)));
    pools.truncate(MOST_PRICES);
    pools
}

pub(super) fn settings(view: &PlaybookView, manifest: &Manifest, page: usize) -> Vec<Field> {
    settings_of(manifest, page)
        .into_iter()
        .filter_map(|name| {
            let property = manifest.settings.properties.get(&name)?;
            let holds = view
                .profile
                .settings
                .get(&name)
                .or(property.default.as_ref());
            let mut field = setting(&name, property, holds.map(plain).unwrap_or_default());
            if property.inherited {
                let set = view.effective.settings.get(&name);
                let origin = set.map_or(Origin::Default, |set| set.origin);
                field.stands = Some(whence(origin, view.profile.parent_alias.as_deref()));
            }
            Some(field)
        })
        .collect()
}

fn setting(name: &str, property: &Property, value: String) -> Field {
    let said = property.description.clone().unwrap_or_default();
    let listed: Vec<(String, String)> = if property.kind == PropertyType::Boolean {
        vec![
            ("true".to_owned(), "Yes".to_owned()),
            ("false".to_owned(), "No".to_owned()),
        ]
    } else {
        property
            .choices
            .iter()
            .map(plain)
            .map(|id| (id.clone(), id))
            .collect()
    };
    let is_list = property.kind == PropertyType::Array;
    let mut field = if listed.is_empty() || is_list {
        Field::text(name, &property.title, value, &said)
    } else {
        Field::choice(
            name,
            &property.title,
            &value,
            &said,
            listed.clone().into_iter(),
        )
    };
    if is_list {
        let names: Vec<String> = listed.into_iter().map(|(id, _)| id).collect();
        field.accepts = Some(format!("Several with commas between: {}", names.join(", ")));
    }
    field.example.clone_from(&property.example);
    field.optional()
}

/// A typed setting as the service takes it: JSON where a value is JSON; a text that happens to look like JSON is quoted first.
#[must_use]
pub fn as_setting(property: &Property, typed: &str) -> String {
    match property.kind {
        PropertyType::String => Value::String(typed.to_owned()).to_string(),
        PropertyType::Array => {
            let items = typed
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| Value::String(item.to_owned()));
            Value::Array(items.collect()).to_string()
        }
        PropertyType::Integer | PropertyType::Number | PropertyType::Boolean => {
            typed.trim().to_owned()
        }
    }
}

pub(super) fn prices(view: &PlaybookView, manifest: &Manifest) -> Vec<Field> {
    let pools = priced(view, manifest);
    if pools.is_empty() {
        return Vec::new();
    }
    let parent = view.profile.parent_alias.as_deref();
    let held = view.prices.currency.as_ref();
    let taken = held.filter(|held| held.origin == Origin::Parent);
    let mut fields = vec![Field {
        example: Some("EUR".to_owned()),
        stands: taken.map(|held| format!("{}. {}", held.value, whence(held.origin, parent))),
        is_optional: taken.is_some(),
        ..Field::text(
            "currency",
            "Currency",
            view.answers.currency.clone().unwrap_or_default(),
            "Of all prices of this page.",
        )
    }];
    for (at, pool) in pools.iter().enumerate() {
        let counted = match (pool.owned, pool.used) {
            (Some(owned), Some(used)) => {
                format!("The org owns {owned} and uses {used}. ")
            }
            _ => String::new(),
        };
        let known = view
            .answers
            .prices
            .iter()
            .find(|price| price.identifier == pool.identifier);
        fields.push(
            Field {
                example: Some("1800".to_owned()),
                stands: view
                    .prices
                    .of(&pool.identifier)
                    .filter(|held| held.origin == Origin::Parent)
                    .map(|held| format!("{}. {}", held.price.price, whence(held.origin, parent))),
                ..Field::text(
                    &format!("price.{at}"),
                    &format!("{} ({}), one licence for a year", pool.name, pool.identifier),
                    known.map(|price| price.price.clone()).unwrap_or_default(),
                    &format!("{counted}Savings are counted by it. An entitlement with the contract's price replaces it."),
                )
            }
            .optional(),
        );
    }
    fields
}

/// The typed prices, each with its licence: by its place in the form, or by the vendor's key.
#[must_use]
pub fn typed_prices(view: &PlaybookView, manifest: &Manifest, typed: &Typed) -> Vec<Price> {
    priced(view, manifest)
        .into_iter()
        .enumerate()
        .map(|(at, pool)| {
            let by_place = typed.get(&format!("price.{at}"));
            let by_key = || typed.get(&format!("price.{}", pool.identifier));
            Price {
                price: by_key().or(by_place).cloned().unwrap_or_default(),
                identifier: pool.identifier,
            }
        })
        .collect()
}

pub(super) fn limits(view: &PlaybookView) -> Vec<Field> {
    let parent = view.profile.parent_alias.as_deref();
    let one = |name: &str, label: &str, why: &str, held: &crate::aliases::Valued<i64>| {
        let own = (held.origin == Origin::Own).then(|| held.value.to_string());
        Field {
            stands: Some(format!("{}. {}", held.value, whence(held.origin, parent))),
            example: Some(held.value.to_string()),
            ..Field::text(name, label, own.unwrap_or_default(), why)
        }
        .optional()
    };
    vec![
        one(
            "quota_percent",
            "Pause at this share of the vendor's API limit, percent",
            "So that other software of the org keeps working. Collecting goes on by itself when the vendor's window allows.",
            &view.effective.quota_percent,
        ),
        one(
            "threshold_days",
            "Days without activity before a seat counts as unused",
            "A proposed rule begins with it. Every rule is reviewed and approved before it decides anything.",
            &view.effective.threshold_days,
        ),
        one(
            "tries",
            "Tries of a call that fails for a moment",
            "Between two tries the wait grows, or is as long as the vendor asks. After the last one the run stops and keeps what it has.",
            &view.effective.tries,
        ),
    ]
}

pub(super) fn schedule(view: &PlaybookView) -> Vec<Field> {
    let held = &view.effective.schedule;
    let repeat = Repeat::of(&held.value.cron);
    let parent = view.profile.parent_alias.as_deref();
    let every = if held.origin == Origin::Own {
        repeat.every.as_str()
    } else {
        "inherit"
    };
    let taken = match parent {
        Some(parent) => format!("As {parent}"),
        None => "As by default: every day at 03:00 UTC".to_owned(),
    };
    let choices = std::iter::once(("inherit".to_owned(), taken)).chain(
        CHOICES
            .iter()
            .map(|(id, name)| ((*id).to_owned(), (*name).to_owned())),
    );
    let zone = if held.origin == Origin::Default {
        let told = view
            .found
            .as_ref()
            .and_then(|found| found.time_zone.clone());
        told.unwrap_or_else(|| held.value.zone.clone())
    } else {
        held.value.zone.clone()
    };
    vec![
        Field {
            stands: Some(whence(held.origin, parent)),
            ..Field::choice(
                "every",
                "How often",
                every,
                "Each run costs calls of the vendor's limit and shows what changed since.",
                choices,
            )
        },
        Field {
            example: Some("03:00".to_owned()),
            accepts: Some("Hour and minute; for Other, the five cron fields.".to_owned()),
            ..Field::text("at", "At", repeat.at, "Choose a quiet hour of the org.").optional()
        },
        Field {
            example: Some("Monday".to_owned()),
            accepts: Some(
                "A weekday for every week, a day from 1 to 28 for every month, nothing otherwise."
                    .to_owned(),
            ),
            ..Field::text("on", "On", repeat.on, "The day of the week or month.").optional()
        },
        Field {
            example: Some("Europe/Berlin".to_owned()),
            ..Field::text(
                "zone",
                "Time zone",
                zone,
                "Clock changes are followed. The checks read the org's own zone.",
            )
        },
        Field {
            example: Some("2026-12-24, 2026-12-25".to_owned()),
            ..Field::text(
                "freeze_days",
                "Freeze days",
                held.value.freeze_days.join(", "),
                "Nothing is collected on these days.",
            )
            .optional()
        },
    ]
}
