//! Recognising identifiers, making models, and the queue of what was not recognised.

use seatwise_runtime::manifest::{Manifest, Metric};
use serde_json::json;

use super::model::{IdentifierView, ModelView, ProductView};
use super::recognise::{display_name, patterns};
use super::store::{self, NewProduct};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Denied, Permission};
use crate::kernel::digest::sha256_hex;
use crate::kernel::written::{self, Unfit};
use crate::kernel::{ContentVersionId, IntoProblem, ModelId, Problem, ProductId};
use crate::store::numbers::{self, Series};
use crate::store::{StoreError, Tx};

/// Why the catalog was not changed or shown.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// No such product.
    #[error("there is no product {0}")]
    NoProduct(String),
    /// No such identifier.
    #[error("there is no identifier {0}")]
    NoIdentifier(String),
    /// A name is missing.
    #[error("the {0} of the product {1}")]
    Name(&'static str, Unfit),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for CatalogError {
    fn problem(&self) -> Problem {
        let text = self.to_string();
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Store(store) => store.problem(),
            Self::NoProduct(_) => Problem::new(
                "catalog.no_product",
                404,
                text,
                "List the models or products and use one of their names",
            )
            .at("product"),
            Self::NoIdentifier(_) => Problem::new(
                "catalog.no_identifier",
                404,
                text,
                "List the unrecognised identifiers and use one of them",
            )
            .at("identifier"),
            Self::Name(..) => Problem::new(
                "catalog.no_name",
                422,
                text,
                "Fill in publisher and product",
            )
            .at("name"),
        }
    }
}

/// The stored word of a metric.
#[must_use]
pub fn metric_word(metric: Metric) -> &'static str {
    match metric {
        Metric::Seats => "seats",
        Metric::Logins => "logins",
        Metric::Units => "units",
    }
}

/// What one pass of recognition found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recognised {
    /// Keys seen for the first time.
    pub new_identifiers: u64,
    /// Keys that got a product.
    pub recognised: u64,
    /// Models made.
    pub models: u64,
}

/// Brings products to the manifest's definitions, recognises the connector's identifiers and makes the models that are
/// missing. Running it again changes nothing.
///
/// # Errors
/// The database's own.
pub async fn recognise(
    host: &Host,
    tx: &mut Tx,
    manifest: &Manifest,
) -> Result<Recognised, CatalogError> {
    let connector = &manifest.connector.id;
    let now_ms = host.now_ms();
    let definitions: Vec<_> = manifest
        .products
        .iter()
        .map(|p| {
            json!([
                p.publisher,
                p.name,
                metric_word(p.metric),
                p.free,
                p.identifiers
            ])
        })
        .collect();
    let digest = sha256_hex(json!(definitions).to_string());
    let content = store::put_content_version(
        tx,
        &ContentVersionId::mint(now_ms, &*host.chance),
        connector,
        &manifest.connector.version,
        &digest,
        now_ms,
    )
    .await?;
    let new_identifiers = store::collect_identifiers(tx, connector, now_ms).await?;
    let mut products: Vec<ProductId> = Vec::with_capacity(manifest.products.len());
    for product in &manifest.products {
        let id = ProductId::mint(now_ms, &*host.chance);
        products.push(
            store::put_product(
                tx,
                &NewProduct {
                    id: &id,
                    publisher: &product.publisher,
                    name: &product.name,
                    metric: metric_word(product.metric),
                    is_free: product.free,
                    content: Some(&content),
                    now_ms,
                },
            )
            .await?,
        );
    }
    let mut recognised = 0;
    for pattern in patterns(&manifest.products) {
        recognised +=
            store::recognise(tx, connector, pattern, &products[pattern.product], now_ms).await?;
    }
    Ok(Recognised {
        new_identifiers,
        recognised,
        models: make_models(host, tx).await?,
    })
}

/// Gives every new key of an imported source a product of its publisher under the same name, and makes the models that are missing. A
/// product that exists by that name is taken as it is; a key that a person gave to another product stays there.
///
/// # Errors
/// The database's own.
pub async fn adopt(
    host: &Host,
    tx: &mut Tx,
    connector: &str,
    publisher: &str,
) -> Result<Recognised, CatalogError> {
    let now_ms = host.now_ms();
    let new_identifiers = store::collect_identifiers(tx, connector, now_ms).await?;
    let mut recognised = 0;
    for key in store::waiting_of(tx, connector).await? {
        let fresh = ProductId::mint(now_ms, &*host.chance);
        let product = store::keep_product(tx, &fresh, publisher, &key, now_ms).await?;
        store::assign(tx, connector, &key, &product, "import", now_ms).await?;
        recognised += 1;
    }
    Ok(Recognised {
        new_identifiers,
        recognised,
        models: make_models(host, tx).await?,
    })
}

async fn make_models(host: &Host, tx: &mut Tx) -> Result<u64, CatalogError> {
    let missing = store::products_without_model(tx).await?;
    for product in &missing {
        let now_ms = host.now_ms();
        let number = numbers::next(tx, Series::Model).await?;
        let id = ModelId::mint(now_ms, &*host.chance);
        let name = display_name(&product.publisher, &product.name);
        store::insert_model(tx, &id, &number, &product.id, &name, now_ms).await?;
    }
    Ok(missing.len() as u64)
}

/// A product by id or name, in the caller's transaction.
///
/// # Errors
/// [`CatalogError::NoProduct`].
pub async fn get_product(tx: &mut Tx, key: &str) -> Result<ProductView, CatalogError> {
    store::find_product(tx, key)
        .await?
        .ok_or_else(|| CatalogError::NoProduct(key.to_owned()))
}

/// The product that a vendor's key stands for, once it is recognised.
///
/// # Errors
/// The database's own.
pub async fn product_of(
    tx: &mut Tx,
    connector: &str,
    identifier: &str,
) -> Result<Option<ProductId>, StoreError> {
    let known = store::find_identifier(tx, connector, identifier).await?;
    Ok(known.and_then(|known| known.product_id))
}

/// All products.
///
/// # Errors
/// [`CatalogError::Denied`].
pub async fn list_products(host: &Host, actor: &Actor) -> Result<Vec<ProductView>, CatalogError> {
    actor.may(Permission::Read)?;
    Ok(store::list_products(&mut host.store.read(&actor.sight).await?).await?)
}

/// All software models with what is in use.
///
/// # Errors
/// [`CatalogError::Denied`].
pub async fn list_models(host: &Host, actor: &Actor) -> Result<Vec<ModelView>, CatalogError> {
    actor.may(Permission::Read)?;
    Ok(store::list_models(&mut host.store.read(&actor.sight).await?).await?)
}

/// One model by number or id.
///
/// # Errors
/// [`CatalogError::NoProduct`] when there is none; [`CatalogError::Denied`].
pub async fn get_model(host: &Host, actor: &Actor, key: &str) -> Result<ModelView, CatalogError> {
    let models = list_models(host, actor).await?;
    models
        .into_iter()
        .find(|m| m.number == key || m.id.as_str() == key)
        .ok_or_else(|| CatalogError::NoProduct(key.to_owned()))
}

/// Vendor keys: all, or those that wait for a product.
///
/// # Errors
/// [`CatalogError::Denied`].
pub async fn list_identifiers(
    host: &Host,
    actor: &Actor,
    only_unrecognised: bool,
) -> Result<Vec<IdentifierView>, CatalogError> {
    actor.may(Permission::Read)?;
    Ok(
        store::list_identifiers(&mut host.store.read(&actor.sight).await?, only_unrecognised)
            .await?,
    )
}

/// What an identifier is given to.
#[derive(Clone, Debug)]
pub enum AssignTo {
    /// A product that exists, by id or name.
    Product(String),
    /// A new product with seats as its metric.
    New {
        /// Who publishes it.
        publisher: String,
        /// Its name.
        name: String,
        /// Costs nothing.
        is_free: bool,
    },
}

/// Says which product a vendor key belongs to: settles all of its subscriptions at once and makes the model.
///
/// # Errors
/// [`CatalogError::NoIdentifier`], [`CatalogError::NoProduct`], [`CatalogError::Name`], [`CatalogError::Denied`].
pub async fn assign_identifier(
    host: &Host,
    actor: &Actor,
    connector_id: &str,
    identifier: &str,
    to: AssignTo,
) -> Result<IdentifierView, CatalogError> {
    actor.may(Permission::ManageSam)?;
    let mut tx = host.store.begin().await?;
    let before = store::find_identifier(&mut tx, connector_id, identifier)
        .await?
        .ok_or_else(|| CatalogError::NoIdentifier(identifier.to_owned()))?;
    let now_ms = host.now_ms();
    let product = match to {
        AssignTo::Product(key) => get_product(&mut tx, &key).await?.id,
        AssignTo::New {
            publisher,
            name,
            is_free,
        } => {
            let publisher = written::name(&publisher)
                .map_err(|unfit| CatalogError::Name("publisher", unfit))?;
            let name = written::name(&name).map_err(|unfit| CatalogError::Name("name", unfit))?;
            let id = ProductId::mint(now_ms, &*host.chance);
            store::put_product(
                &mut tx,
                &NewProduct {
                    id: &id,
                    publisher,
                    name,
                    metric: "seats",
                    is_free,
                    content: None,
                    now_ms,
                },
            )
            .await?
        }
    };
    store::assign(
        &mut tx,
        connector_id,
        identifier,
        &product,
        actor.id.as_str(),
        now_ms,
    )
    .await?;
    make_models(host, &mut tx).await?;
    let entry = Entry {
        event: "identifier.assigned",
        subject_kind: "identifier",
        subject_id: identifier,
        detail: json!({ "connector": connector_id, "product": product, "was": before.product_id }),
    };
    host.audit(&mut tx, actor, entry).await?;
    let after = store::find_identifier(&mut tx, connector_id, identifier)
        .await?
        .ok_or_else(|| CatalogError::NoIdentifier(identifier.to_owned()))?;
    tx.commit().await?;
    Ok(after)
}

/// Leaves a vendor key out of positions, or takes it back in. It protects nobody from reclaim: that is an exemption.
///
/// # Errors
/// [`CatalogError::NoIdentifier`], [`CatalogError::Denied`].
pub async fn exclude_from_position(
    host: &Host,
    actor: &Actor,
    connector_id: &str,
    identifier: &str,
    is_excluded: bool,
) -> Result<(), CatalogError> {
    actor.may(Permission::ManageSam)?;
    let mut tx = host.store.begin().await?;
    store::find_identifier(&mut tx, connector_id, identifier)
        .await?
        .ok_or_else(|| CatalogError::NoIdentifier(identifier.to_owned()))?;
    store::set_excluded(&mut tx, connector_id, identifier, is_excluded).await?;
    let entry = Entry {
        event: "identifier.excluded",
        subject_kind: "identifier",
        subject_id: identifier,
        detail: json!({ "connector": connector_id, "is_excluded": is_excluded }),
    };
    host.audit(&mut tx, actor, entry).await?;
    Ok(tx.commit().await?)
}
