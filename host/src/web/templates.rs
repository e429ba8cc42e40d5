//! Handlebars, strict: a field that a template names and a context lacks is an error, never an empty place.
//!
//! Templates are embedded; their list is checked against the folder by a test. Values are escaped by default; the helpers
//! that write markup (`when`, `day`, `chip`, `icon`, `bar`) escape what they were given. Knows no domain but the words of its states.
use std::sync::LazyLock;

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, JsonTruthy as _, Output, RenderContext,
    RenderError, RenderErrorReason, Renderable as _, ScopedJson, html_escape,
};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;

use super::{assets, chart, words};

/// A template could not be rendered: a fault of ours, never of the visitor.
#[derive(Debug, thiserror::Error)]
#[error("page `{template}` could not be rendered")]
pub struct TemplateError {
    /// The template's name.
    pub template: String,
    /// What handlebars says.
    #[source]
    pub source: Box<RenderError>,
}

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        /// Every template by name, as embedded.
        pub const TEMPLATES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../templates/", $name, ".hbs")))),*
        ];
    };
}

templates![
    "layout",
    "outside",
    "pages/access",
    "pages/access_person",
    "pages/access_units",
    "pages/account",
    "pages/action",
    "pages/actions",
    "pages/aliases",
    "pages/audit",
    "pages/batch",
    "pages/batches",
    "pages/candidate",
    "pages/candidates",
    "pages/connection",
    "pages/connection_signin",
    "pages/connect",
    "pages/controls",
    "pages/deliveries",
    "pages/design",
    "pages/doctor",
    "pages/end",
    "pages/entitlements",
    "pages/error",
    "pages/exemptions",
    "pages/mail",
    "pages/mail_preview",
    "pages/hand_over",
    "pages/identity_sources",
    "pages/identity_strangers",
    "pages/import",
    "pages/import_file",
    "pages/imports",
    "pages/models",
    "pages/my_account",
    "pages/notifications",
    "pages/overview",
    "pages/people",
    "pages/playbook",
    "pages/position",
    "pages/profile",
    "pages/profile_sign_ins",
    "pages/profiles",
    "pages/proxy",
    "pages/roles",
    "pages/rule",
    "pages/rules",
    "pages/run",
    "pages/runs",
    "pages/sign_in",
    "pages/sign_in_code",
    "pages/sign_on",
    "pages/sources",
    "pages/subscriptions",
    "pages/supersede",
    "pages/tokens",
    "pages/vaults",
    "pages/webhook",
    "pages/webhooks",
    "partials/brand",
    "partials/checks_live",
    "partials/csrf",
    "partials/empty",
    "partials/field",
    "partials/guide",
    "partials/head",
    "partials/lanes",
    "partials/legend",
    "partials/needs",
    "partials/grant_authorization_code",
    "partials/grant_client_credentials",
    "partials/grant_device_code",
    "partials/grant_field",
    "partials/grant_form",
    "partials/grant_jwt_bearer",
    "partials/grant_refresh_token",
    "partials/pager",
    "partials/plan",
    "partials/position_rows",
    "partials/prepare",
    "partials/problem",
    "partials/proxy",
    "partials/run_live",
    "partials/targets",
    "partials/signin_state",
];

static REGISTRY: LazyLock<Handlebars<'static>> = LazyLock::new(|| {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    for (name, text) in TEMPLATES {
        registry
            .register_template_string(name, text)
            .expect("embedded templates parse; a test holds it");
    }
    registry.register_helper("if", Box::new(Condition { positive: true }));
    registry.register_helper("unless", Box::new(Condition { positive: false }));
    registry.register_helper("when", Box::new(When));
    registry.register_helper("chip", Box::new(Chip));
    registry.register_helper("day", Box::new(DayOf));
    registry.register_helper("icon", Box::new(Icon));
    registry.register_helper("bar", Box::new(Bar));
    registry.register_helper("ago", Box::new(Text(ago)));
    registry.register_helper("count", Box::new(Text(count)));
    registry.register_helper("money", Box::new(Text(money)));
    registry.register_helper("price", Box::new(Text(price)));
    registry.register_helper("tenths", Box::new(Text(tenths)));
    registry.register_helper("words", Box::new(Text(in_words)));
    registry.register_helper("phrase", Box::new(Text(phrase)));
    registry.register_helper("plural", Box::new(Text(plural)));
    registry.register_helper("took", Box::new(Text(took)));
    registry.register_helper("pretty", Box::new(Text(pretty)));
    registry.register_helper("short", Box::new(Text(short)));
    registry.register_helper("or_dash", Box::new(Text(or_dash)));
    registry.register_helper("sentence", Box::new(Text(sentence)));
    registry.register_helper("has", Box::new(Has));
    registry
});

/// Renders one embedded template with its context.
///
/// # Errors
/// [`TemplateError`] when the template names something the context lacks.
pub fn render(name: &str, context: &impl Serialize) -> Result<String, TemplateError> {
    REGISTRY
        .render(name, context)
        .map_err(|source| TemplateError {
            template: name.to_owned(),
            source: Box::new(source),
        })
}

/// `if` and `unless` that refuse a missing field; the stock ones take it for false even in strict mode.
struct Condition {
    positive: bool,
}

impl HelperDef for Condition {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        r: &'reg Handlebars<'reg>,
        ctx: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let param = h
            .param(0)
            .ok_or(RenderErrorReason::ParamNotFoundForIndex("if", 0))?;
        if param.is_value_missing() {
            return Err(RenderError::strict_error(param.relative_path()));
        }
        let branch = if param.value().is_truthy(false) == self.positive {
            h.template()
        } else {
            h.inverse()
        };
        match branch {
            Some(template) => template.render(r, ctx, rc, out),
            None => Ok(()),
        }
    }
}

/// A helper that gives plain text, escaped by the engine.
struct Text(fn(&[&Value]) -> String);

impl HelperDef for Text {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        for param in h.params() {
            if param.is_value_missing() {
                return Err(RenderError::strict_error(param.relative_path()));
            }
        }
        let values: Vec<&Value> = h
            .params()
            .iter()
            .map(handlebars::PathAndJson::value)
            .collect();
        Ok(ScopedJson::Derived(Value::String((self.0)(&values))))
    }
}

/// `{{when ms}}`: the moment in UTC to the minute, machine-readable beside it; `{{when ms "never"}}` names the absent one.
struct When;

impl HelperDef for When {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let param = h
            .param(0)
            .ok_or(RenderErrorReason::ParamNotFoundForIndex("when", 0))?;
        if param.is_value_missing() {
            return Err(RenderError::strict_error(param.relative_path()));
        }
        let absent = h.param(1).and_then(|p| p.value().as_str()).unwrap_or("–");
        match param
            .value()
            .as_i64()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        {
            Some(at) => {
                let exact = at.strftime("%Y-%m-%dT%H:%M:%SZ");
                let full = at.strftime("%A, %-d %B %Y, %H:%M:%S UTC");
                let plain = at.strftime("%Y-%m-%d %H:%M");
                out.write(&format!(
                    "<time datetime=\"{exact}\" title=\"{full}\">{plain} UTC</time>"
                ))?;
            }
            None => out.write(&html_escape(absent))?,
        }
        Ok(())
    }
}

/// `{{day ms}}` or `{{day "2026-03-31"}}`: a day, its weekday and month in full beside it; a dash for none.
struct DayOf;

impl HelperDef for DayOf {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let param = h
            .param(0)
            .ok_or(RenderErrorReason::ParamNotFoundForIndex("day", 0))?;
        if param.is_value_missing() {
            return Err(RenderError::strict_error(param.relative_path()));
        }
        let date = match param.value() {
            Value::String(text) => text.parse::<Date>().map_err(|_| text.clone()),
            value => value
                .as_i64()
                .and_then(|ms| Timestamp::from_millisecond(ms).ok())
                .map(|at| at.to_zoned(TimeZone::UTC).date())
                .ok_or_else(|| "–".to_owned()),
        };
        match date {
            Ok(date) => out.write(&format!(
                "<time datetime=\"{date}\" title=\"{}\">{date}</time>",
                date.strftime("%A, %-d %B %Y")
            ))?,
            Err(text) => out.write(&html_escape(&text))?,
        }
        Ok(())
    }
}

/// `{{icon "plug"}}`: one picture of the sprite, beside words that say the same; it tells a reader nothing of its own.
struct Icon;

impl HelperDef for Icon {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let param = h
            .param(0)
            .ok_or(RenderErrorReason::ParamNotFoundForIndex("icon", 0))?;
        if param.is_value_missing() {
            return Err(RenderError::strict_error(param.relative_path()));
        }
        let name = param.value().as_str().unwrap_or_default();
        let href = assets::icon(name)
            .ok_or_else(|| RenderErrorReason::Other(format!("the sprite has no icon `{name}`")))?;
        out.write(&format!(
            "<svg class=\"i\" aria-hidden=\"true\" focusable=\"false\"><use href=\"{href}\"></use></svg>"
        ))?;
        Ok(())
    }
}

/// `{{bar whole "used" 12 "idle" 3}}`: parts of a whole as one bar, for a cell that names the same numbers in words.
struct Bar;

impl HelperDef for Bar {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let mut given = h.params().iter();
        for param in h.params() {
            if param.is_value_missing() {
                return Err(RenderError::strict_error(param.relative_path()));
            }
        }
        let whole = given.next().and_then(|p| p.value().as_i64()).unwrap_or(0);
        let mut parts = Vec::new();
        while let (Some(kind), Some(size)) = (given.next(), given.next()) {
            let kind = kind.value().as_str().and_then(chart::Kind::parse);
            let kind =
                kind.ok_or_else(|| RenderErrorReason::Other("no such part of a bar".to_owned()))?;
            parts.push((kind, size.value().as_i64().unwrap_or(0)));
        }
        out.write(&chart::bar(whole, &parts))?;
        Ok(())
    }
}

/// `{{chip state}}`: a state in words, coloured by how much it wants a person; the words carry the meaning alone.
struct Chip;

impl HelperDef for Chip {
    fn call<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let param = h
            .param(0)
            .ok_or(RenderErrorReason::ParamNotFoundForIndex("chip", 0))?;
        if param.is_value_missing() {
            return Err(RenderError::strict_error(param.relative_path()));
        }
        let state = param.value().as_str().unwrap_or("unknown");
        let tone = words::tone(state);
        out.write(&format!(
            "<span class=\"chip {tone}\">{}</span>",
            html_escape(&words::spoken(state))
        ))?;
        Ok(())
    }
}

/// `{{#if (has record "field")}}`: for the few fields that a view leaves out when they are empty.
struct Has;

impl HelperDef for Has {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        h: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let record = h
            .param(0)
            .ok_or(RenderErrorReason::ParamNotFoundForIndex("has", 0))?;
        let field = h
            .param(1)
            .and_then(|p| p.value().as_str())
            .ok_or(RenderErrorReason::ParamNotFoundForIndex("has", 1))?;
        let present = record
            .value()
            .get(field)
            .is_some_and(|value| !value.is_null());
        Ok(ScopedJson::Derived(Value::Bool(present)))
    }
}

fn ago(values: &[&Value]) -> String {
    let (Some(then), Some(now)) = (
        values.first().and_then(|v| v.as_i64()),
        values.get(1).and_then(|v| v.as_i64()),
    ) else {
        return "never".to_owned();
    };
    words::distance(now - then)
}

fn count(values: &[&Value]) -> String {
    let absent = values.get(1).and_then(|v| v.as_str()).unwrap_or("unknown");
    values
        .first()
        .and_then(|v| v.as_i64())
        .map_or_else(|| absent.to_owned(), words::grouped)
}

/// An amount: the pair of our own [`Money`](crate::kernel::money::Money), or minor units and a currency code.
fn money(values: &[&Value]) -> String {
    let (amount, code) = pair(values, "minor");
    match (amount, code.and_then(|code| code.parse().ok())) {
        (Some(minor), Some(currency)) => {
            crate::kernel::money::Money { minor, currency }.to_string()
        }
        _ => "unknown".to_owned(),
    }
}

/// A unit price: the pair of our own [`UnitPrice`](crate::kernel::money::UnitPrice), or micro-units and a currency code.
fn price(values: &[&Value]) -> String {
    match pair(values, "micros") {
        (Some(micros), Some(code)) => format!("{} {code}", words::micros(micros)),
        _ => "unknown".to_owned(),
    }
}

fn pair<'a>(values: &[&'a Value], unit: &str) -> (Option<i64>, Option<&'a str>) {
    match values {
        [Value::Object(fields), ..] => (
            fields.get(unit).and_then(Value::as_i64),
            fields.get("currency").and_then(Value::as_str),
        ),
        [amount, code, ..] => (amount.as_i64(), code.as_str()),
        _ => (None, None),
    }
}

fn tenths(values: &[&Value]) -> String {
    values.first().and_then(|v| v.as_i64()).map_or_else(
        || "unknown".to_owned(),
        |n| format!("{}.{}", n / 10, n % 10),
    )
}

fn in_words(values: &[&Value]) -> String {
    values
        .first()
        .and_then(|v| v.as_str())
        .map_or_else(|| "–".to_owned(), words::spoken)
}

/// One of our words in the middle of a sentence.
fn phrase(values: &[&Value]) -> String {
    values
        .first()
        .and_then(|v| v.as_str())
        .map_or_else(String::new, |word| word.replace('_', " "))
}

fn plural(values: &[&Value]) -> String {
    let n = values.first().and_then(|v| v.as_i64()).unwrap_or(0);
    let word = |at: usize| values.get(at).and_then(|v| v.as_str()).unwrap_or("");
    format!(
        "{} {}",
        words::grouped(n),
        if n == 1 { word(1) } else { word(2) }
    )
}

fn took(values: &[&Value]) -> String {
    match values.first().and_then(|v| v.as_i64()) {
        Some(ms) if ms < 1_000 => format!("{ms} ms"),
        Some(ms) => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        None => "–".to_owned(),
    }
}

fn pretty(values: &[&Value]) -> String {
    match values.first() {
        // A request body or a stored detail is JSON text as often as not; anything else is shown as it is.
        Some(Value::String(text)) => serde_json::from_str::<Value>(text)
            .ok()
            .and_then(|value| serde_json::to_string_pretty(&value).ok())
            .unwrap_or_else(|| text.clone()),
        Some(value) => serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()),
        None => String::new(),
    }
}

fn short(values: &[&Value]) -> String {
    values
        .first()
        .and_then(|v| v.as_str())
        .map_or_else(|| "–".to_owned(), |text| text.chars().take(12).collect())
}

fn sentence(values: &[&Value]) -> String {
    values
        .first()
        .and_then(|v| v.as_str())
        .map_or_else(String::new, words::sentence)
}

fn or_dash(values: &[&Value]) -> String {
    match values.first() {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
