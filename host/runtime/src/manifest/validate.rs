//! What holds a manifest together, beyond its syntax.
//!
//! Invariant: every refusal names the entry, so that an author finds it without reading this file.

use std::collections::BTreeSet;

use super::{
    GrantKind, GrantOffer, Manifest, ManifestError, Method, Operation, Pkce, PropertyType, patterns,
};
use crate::limits;

/// Formats of a text setting that a form can check.
const FORMATS: [&str; 5] = ["uri", "hostname", "email", "date", "date-time"];

/// What a person may be asked for.
const FIELDS: [&str; 5] = [
    "client_id",
    "client_secret",
    "refresh_token",
    "username",
    "private_key",
];
const ONE_SLASH: &str = "must start with exactly one \"/\"";

/// Checks everything that spans more than one value.
pub(super) fn check(manifest: &Manifest) -> Result<(), ManifestError> {
    head(manifest)?;
    origins(manifest)?;
    operations(manifest)?;
    credential(manifest)?;
    unique(
        "[[processes]]",
        manifest.processes.iter().map(|process| process.id.as_str()),
    )?;
    unique(
        "[[actions]]",
        manifest.actions.iter().map(|action| action.id.as_str()),
    )?;
    for action in &manifest.actions {
        require(
            is_name(&action.id),
            || format!("[[actions]] \"{}\"", action.id),
            "id must be [a-z0-9-]{1,64}",
        )?;
        require(
            action
                .identifiers
                .iter()
                .all(|key| !key.is_empty() && !key.trim_end_matches('*').contains('*')),
            || format!("[[actions]] \"{}\"", action.id),
            "an identifier is a key, or the beginning of one and a `*` at its end",
        )?;
    }
    settings(manifest)?;
    products(manifest)?;
    errors(manifest)?;
    playbook(manifest)
}

fn playbook(manifest: &Manifest) -> Result<(), ManifestError> {
    let playbook = &manifest.playbook;
    unique(
        "[[playbook.prepare]]",
        playbook.prepare.iter().map(|step| step.id.as_str()),
    )?;
    for step in &playbook.prepare {
        let at = || format!("[[playbook.prepare]] \"{}\"", step.id);
        require(is_name(&step.id), at, "id must be [a-z0-9-]{1,64}")?;
        require(!step.steps.is_empty(), at, "steps is empty")?;
    }
    for kind in &playbook.environments {
        require(
            matches!(kind.id.as_str(), "production" | "sandbox"),
            || format!("[[playbook.environments]] \"{}\"", kind.id),
            "id must be production or sandbox",
        )?;
    }
    for rewrite in &playbook.rewrites {
        require(
            rewrite.ends_with.starts_with('.') && rewrite.becomes.starts_with('.'),
            || format!("[[playbook.rewrites]] \"{}\"", rewrite.ends_with),
            "ends_with and becomes begin with a dot",
        )?;
    }
    require(
        playbook
            .estimate
            .is_none_or(|e| e.accounts_per_call > 0 && e.accounts_per_minute > 0),
        || "[playbook.estimate]".to_owned(),
        "accounts_per_call and accounts_per_minute must be above 0",
    )
}

fn head(manifest: &Manifest) -> Result<(), ManifestError> {
    let connector = &manifest.connector;
    let at = || "[connector]".to_owned();
    require(
        connector.id.len() >= 3 && is_name(&connector.id),
        at,
        "id must be [a-z0-9-]{3,64}",
    )?;
    let numbers: Vec<_> = connector.version.split('.').collect();
    require(
        numbers.len() == 3
            && numbers
                .iter()
                .all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit())),
        at,
        "version must be three numbers with dots",
    )?;
    require(!connector.name.trim().is_empty(), at, "name is empty")?;
    require(
        connector.abi.starts_with("seatwise:connector@"),
        at,
        "abi must be \"seatwise:connector@VERSION\"",
    )?;
    let most = limits::MEMORY_MAX_BYTES / limits::MIB;
    require(
        (1..=most).contains(&u64::from(manifest.limits.memory_mib)),
        || "[limits]".to_owned(),
        "memory_mib must be between 1 and 256",
    )
}

fn origins(manifest: &Manifest) -> Result<(), ManifestError> {
    unique(
        "[[origins]]",
        manifest.origins.iter().map(|origin| origin.name.as_str()),
    )?;
    for origin in &manifest.origins {
        let at = || format!("[[origins]] \"{}\"", origin.name);
        require(is_name(&origin.name), at, "name must be [a-z0-9-]{1,64}")?;
        require(!origin.hosts.is_empty(), at, "hosts is empty")?;
        require(
            !origin.ports.is_empty() && !origin.ports.contains(&0),
            at,
            "ports must name at least one port, none 0",
        )?;
    }
    Ok(())
}

fn operations(manifest: &Manifest) -> Result<(), ManifestError> {
    let known = |section: &str, operation: &Operation| {
        require(
            manifest.origin(&operation.origin).is_some(),
            || format!("{section} \"{}\"", operation.path.as_str()),
            "origin is not one of [[origins]]",
        )
    };
    for operation in &manifest.read_operations {
        known("[[read_operations]]", operation)?;
        let at = || format!("[[read_operations]] \"{}\"", operation.path.as_str());
        require(
            !matches!(operation.method, Method::Put | Method::Patch),
            at,
            "PUT and PATCH are writes; put them under [[write_operations]]",
        )?;
        require(
            !operation.body || operation.method == Method::Post,
            at,
            "only a POST can have body = true",
        )?;
    }
    for operation in &manifest.write_operations {
        known("[[write_operations]]", operation)?;
        require(
            !matches!(operation.method, Method::Get | Method::Head),
            || format!("[[write_operations]] \"{}\"", operation.path.as_str()),
            "GET and HEAD are reads; put them under [[read_operations]]",
        )?;
    }
    Ok(())
}

fn credential(manifest: &Manifest) -> Result<(), ManifestError> {
    let credential = &manifest.credential;
    let at = || "[credential]".to_owned();
    require(
        !credential.login_hosts.is_empty(),
        at,
        "login_hosts is empty",
    )?;
    require(
        is_path(&credential.token_path),
        at,
        "token_path must start with exactly one \"/\"",
    )?;
    require(
        !credential.grants.is_empty(),
        at,
        "there is no [[credential.grants]]",
    )?;
    unique(
        "[[credential.grants]]",
        credential.grants.iter().map(|grant| grant.id.as_str()),
    )?;
    for words in &credential.fields {
        require(
            FIELDS.contains(&words.id.as_str()),
            || format!("[[credential.fields]] \"{}\"", words.id),
            "is none of the fields of a grant",
        )?;
    }
    if let Some(identity) = &credential.identity {
        let at = || "[credential.identity]".to_owned();
        require(
            manifest.origin(&identity.origin).is_some(),
            at,
            "origin is not one of [[origins]]",
        )?;
        require(is_path(&identity.path), at, ONE_SLASH)?;
    }
    require(
        credential.authorize_path.as_deref().is_none_or(is_path),
        || "[credential] authorize_path".to_owned(),
        ONE_SLASH,
    )?;
    credential
        .grants
        .iter()
        .try_for_each(|grant| offer(manifest, grant))
}

fn offer(manifest: &Manifest, grant: &GrantOffer) -> Result<(), ManifestError> {
    let at = || format!("[[credential.grants]] \"{}\"", grant.id.as_str());
    require(
        grant
            .fields
            .iter()
            .all(|field| FIELDS.contains(&field.as_str())),
        at,
        "fields may be client_id, client_secret, refresh_token, username and private_key",
    )?;
    require(
        grant
            .optional_fields
            .iter()
            .all(|field| field != "client_id" && grant.takes(field)),
        at,
        "optional_fields names a field that the grant does not take, or client_id",
    )?;
    let needs: &[&str] = match grant.id {
        GrantKind::AuthorizationCode | GrantKind::DeviceCode => &["client_id"],
        GrantKind::RefreshToken => &["client_id", "refresh_token"],
        GrantKind::ClientCredentials => &["client_id", "client_secret"],
        GrantKind::JwtBearer => &["client_id", "username", "private_key"],
    };
    require(
        needs.iter().all(|field| grant.wants(field)),
        at,
        "fields lacks one that this grant cannot do without",
    )?;
    let (is_code, is_device, is_jwt) = (
        grant.id == GrantKind::AuthorizationCode,
        grant.id == GrantKind::DeviceCode,
        grant.id == GrantKind::JwtBearer,
    );
    require(
        !is_code || manifest.credential.authorize_path.is_some(),
        at,
        "needs authorize_path in [credential]",
    )?;
    require(
        is_device == grant.device.is_some(),
        at,
        "device is for the grant device-code, which needs it",
    )?;
    require(
        is_jwt != grant.audiences.is_empty(),
        at,
        "audiences are for the grant jwt-bearer, which needs one at least",
    )?;
    require(
        is_code || (grant.prompt.is_none() && grant.pkce == Pkce::Usual),
        at,
        "prompt and pkce are for the grant authorization-code",
    )?;
    require(
        grant
            .device
            .as_ref()
            .is_none_or(|device| is_path(&device.path) && device.lifetime_s > 0),
        at,
        "device wants a path with one \"/\" at its start and a lifetime_s over 0",
    )
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && !path.starts_with("//")
}

fn settings(manifest: &Manifest) -> Result<(), ManifestError> {
    let settings = &manifest.settings;
    for name in &settings.required {
        require(
            settings.properties.contains_key(name),
            || "[settings]".to_owned(),
            "required names a property that does not exist",
        )?;
    }
    for (name, property) in &settings.properties {
        let at = || format!("[settings.properties.{name}]");
        require(
            property
                .format
                .as_deref()
                .is_none_or(|format| FORMATS.contains(&format)),
            at,
            "format must be uri, hostname, email, date or date-time",
        )?;
        if let Some(pattern) = &property.pattern {
            patterns::linear(pattern).map_err(|why| ManifestError::Invalid { at: at(), why })?;
        }
        require(
            property.kind != PropertyType::Array || !property.choices.is_empty(),
            at,
            "an array needs enum, the values its items may have",
        )?;
        let fits = property
            .default
            .as_ref()
            .is_none_or(|value| match property.kind {
                PropertyType::String => value.is_string(),
                PropertyType::Integer => value.is_i64() || value.is_u64(),
                PropertyType::Number => value.is_number(),
                PropertyType::Boolean => value.is_boolean(),
                PropertyType::Array => value
                    .as_array()
                    .is_some_and(|items| items.iter().all(|i| property.choices.contains(i))),
            });
        require(fits, at, "default does not have the property's type")?;
    }
    Ok(())
}

fn products(manifest: &Manifest) -> Result<(), ManifestError> {
    unique(
        "[[products]] identifiers",
        manifest
            .products
            .iter()
            .flat_map(|p| p.identifiers.iter().map(String::as_str)),
    )?;
    for product in &manifest.products {
        let at = || format!("[[products]] \"{}\"", product.name);
        require(!product.identifiers.is_empty(), at, "identifiers is empty")?;
        for key in &product.identifiers {
            let exact = key.strip_suffix('*').unwrap_or(key);
            require(
                !exact.is_empty() && !exact.contains('*'),
                at,
                "an identifier may have one `*`, at its end, after something",
            )?;
        }
    }
    Ok(())
}

fn errors(manifest: &Manifest) -> Result<(), ManifestError> {
    for rule in &manifest.errors {
        let at = || format!("[[errors]] \"{}\"", rule.code);
        if let Some(text) = &rule.text {
            patterns::linear(text).map_err(|why| ManifestError::Invalid { at: at(), why })?;
        }
        require(
            !rule.fix.trim().is_empty(),
            at,
            "fix is empty: a person must know what to do next",
        )?;
    }
    Ok(())
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn unique<'a>(section: &str, names: impl Iterator<Item = &'a str>) -> Result<(), ManifestError> {
    let mut seen = BTreeSet::new();
    for name in names {
        require(
            seen.insert(name),
            || format!("{section} \"{name}\""),
            "occurs twice",
        )?;
    }
    Ok(())
}

fn require(holds: bool, at: impl FnOnce() -> String, why: &str) -> Result<(), ManifestError> {
    if holds {
        Ok(())
    } else {
        Err(ManifestError::Invalid {
            at: at(),
            why: why.to_owned(),
        })
    }
}
