//! Adding, listing and retiring rights; what a right costs.

use serde_json::json;

use super::model::{EntitlementView, SourceOfRights};
use super::store::{self, NewRow};
use super::terms::{Period, Right, average_price};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::catalog::service as catalog;
use crate::identity::roles::{Actor, Denied, Permission};
use crate::jobs::{JobKind, NewJob};
use crate::kernel::money::{MoneyError, UnitPrice};
use crate::kernel::{
    AllocationId, Day, EntitlementId, IntoProblem, OrgId, PersonId, Problem, ProductId,
};
use crate::store::numbers::{self, Series};
use crate::store::{StoreError, Tx};

/// Why rights were not changed or shown.
#[derive(Debug, thiserror::Error)]
pub enum EntitlementError {
    /// No right to.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The product.
    #[error(transparent)]
    Catalog(#[from] catalog::CatalogError),
    /// No such entitlement.
    #[error("there is no entitlement {0}")]
    NotFound(String),
    /// No such account.
    #[error("there is no account {0} in this organization")]
    NoAccount(String),
    /// No such organization or person.
    #[error("the organization or person does not exist")]
    Dangling,
    /// Amount or currency.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// The term ends before it starts.
    #[error("the term ends on {ends_on}, before it starts on {starts_on}")]
    Dates {
        /// First day.
        starts_on: Day,
        /// Last day.
        ends_on: Day,
    },
    /// A count below zero.
    #[error("{0} rights cannot be owned")]
    Rights(i64),
    /// Shared by contract and bound to one organization at once.
    #[error("rights are either shared by contract or bound to one organization")]
    SharedAndBound,
    /// Retired already.
    #[error("the entitlement is retired already")]
    Retired,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IntoProblem for EntitlementError {
    fn problem(&self) -> Problem {
        let text = self.to_string();
        match self {
            Self::Denied(denied) => denied.problem(),
            Self::Catalog(catalog) => catalog.problem(),
            Self::Store(store) => store.problem(),
            Self::NotFound(_) => Problem::new(
                "entitlement.not_found",
                404,
                text,
                "List the entitlements and use one of their numbers",
            ),
            Self::NoAccount(_) => Problem::new(
                "account.not_found",
                404,
                text,
                "Search the subscriptions and open the account from there",
            ),
            Self::Dangling => Problem::new(
                "entitlement.dangling",
                422,
                text,
                "Choose one that is listed",
            ),
            Self::Money(_) => Problem::new(
                "entitlement.money",
                422,
                text,
                "Give an amount such as 1800 or 0.035 and a currency such as USD",
            )
            .at("unit_price"),
            Self::Dates { .. } => Problem::new(
                "entitlement.dates",
                422,
                text,
                "Give the first and the last day as YYYY-MM-DD",
            )
            .at("ends_on"),
            Self::Rights(_) => Problem::new(
                "entitlement.rights",
                422,
                text,
                "Give a whole number from 0, or leave it out for unlimited",
            )
            .at("rights"),
            Self::SharedAndBound => Problem::new(
                "entitlement.shared_and_bound",
                422,
                text,
                "Leave out the organization, or do not share",
            )
            .at("organization"),
            Self::Retired => Problem::new(
                "entitlement.retired",
                409,
                text,
                "Reinstate it, or add a new one",
            ),
        }
    }
}

/// How long an entered price holds: until somebody enters the contract, with room for years.
const PRICE_DAYS: i64 = 3_650;

/// Rights to add.
#[derive(Clone, Debug)]
pub struct NewEntitlement {
    /// Product by id or name.
    pub product: String,
    /// Bound to this organization.
    pub organization: Option<OrgId>,
    /// One contract for every organization. Neither shared nor bound: a price only, the vendor enforces seats per org.
    pub is_shared: bool,
    /// `None`: unlimited.
    pub rights: Option<i64>,
    /// Such as `1800` or `0.035`.
    pub unit_price: String,
    /// Three letters.
    pub currency: String,
    /// Of the price.
    pub period: Period,
    /// First day.
    pub starts_on: Day,
    /// Last day.
    pub ends_on: Day,
    /// Where it comes from.
    pub source: SourceOfRights,
    /// Anything else.
    pub note: Option<String>,
}

/// Adds rights; positions follow by themselves.
///
/// # Errors
/// [`EntitlementError`] names the field.
pub async fn add_entitlement(
    host: &Host,
    actor: &Actor,
    new: NewEntitlement,
) -> Result<EntitlementView, EntitlementError> {
    actor.may(Permission::ManageSam)?;
    let currency = new.currency.trim().to_uppercase().parse()?;
    let price = UnitPrice::parse(new.unit_price.trim(), currency)?;
    if new.ends_on < new.starts_on {
        return Err(EntitlementError::Dates {
            starts_on: new.starts_on,
            ends_on: new.ends_on,
        });
    }
    if let Some(rights) = new.rights.filter(|rights| *rights < 0) {
        return Err(EntitlementError::Rights(rights));
    }
    if new.is_shared && new.organization.is_some() {
        return Err(EntitlementError::SharedAndBound);
    }
    let mut tx = host.store.begin().await?;
    let product = catalog::get_product(&mut tx, &new.product).await?;
    let now_ms = host.now_ms();
    let id = EntitlementId::mint(now_ms, &*host.chance);
    let number = numbers::next(&mut tx, Series::Entitlement).await?;
    let row = NewRow {
        id: &id,
        number: &number,
        product: &product.id,
        organization: new.organization.as_ref(),
        is_shared: new.is_shared,
        rights: new.rights,
        price,
        period: new.period,
        starts_on: new.starts_on,
        ends_on: new.ends_on,
        source: new.source.as_str(),
        source_rank: new.source.rank(),
        note: new.note.as_deref(),
        by: actor.id.as_str(),
        now_ms,
    };
    store::insert(&mut tx, &row).await.map_err(dangling)?;
    let view = get_in(&mut tx, host, &number).await?;
    changed(host, &mut tx, actor, "entitlement.added", &view).await?;
    tx.commit().await?;
    Ok(view)
}

/// A foreign key that leads nowhere is the caller's mistake.
fn dangling(error: StoreError) -> EntitlementError {
    match error {
        StoreError::Constraint {
            is_unique: false, ..
        } => EntitlementError::Dangling,
        other => other.into(),
    }
}

async fn get_in(tx: &mut Tx, host: &Host, key: &str) -> Result<EntitlementView, EntitlementError> {
    store::find(tx, Day::of_ms(host.now_ms()), key)
        .await?
        .ok_or_else(|| EntitlementError::NotFound(key.to_owned()))
}

/// Audit, and a reconciliation soon.
async fn changed(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    event: &str,
    view: &EntitlementView,
) -> Result<(), StoreError> {
    let entry = Entry {
        event,
        subject_kind: "entitlement",
        subject_id: view.id.as_str(),
        detail: json!({
            "number": view.number, "product": view.product_id, "rights": view.rights, "unit_price": view.unit_price,
            "period": view.period, "starts_on": view.starts_on, "ends_on": view.ends_on, "state": view.state,
            "organization": view.organization_id, "is_shared": view.is_shared,
        }),
    };
    host.audit(tx, actor, entry).await?;
    host.wake(
        tx,
        &NewJob {
            kind: JobKind::Reconcile,
            organization: None,
            key: "reconcile:entitlements".to_owned(),
            subject: "entitlements".to_owned(),
            due_at: host.now_ms(),
            payload: json!({}),
        },
    )
    .await
}

/// Retires rights: they count no more from now on, and stay visible.
///
/// # Errors
/// [`EntitlementError::NotFound`], [`EntitlementError::Retired`], [`EntitlementError::Denied`].
pub async fn retire_entitlement(
    host: &Host,
    actor: &Actor,
    key: &str,
) -> Result<EntitlementView, EntitlementError> {
    set_state(host, actor, key, "retired", "entitlement.retired").await
}

/// Takes a retirement back.
///
/// # Errors
/// As [`retire_entitlement`].
pub async fn reinstate_entitlement(
    host: &Host,
    actor: &Actor,
    key: &str,
) -> Result<EntitlementView, EntitlementError> {
    set_state(host, actor, key, "in_use", "entitlement.reinstated").await
}

async fn set_state(
    host: &Host,
    actor: &Actor,
    key: &str,
    state: &str,
    event: &str,
) -> Result<EntitlementView, EntitlementError> {
    actor.may(Permission::ManageSam)?;
    let mut tx = host.store.begin().await?;
    let before = get_in(&mut tx, host, key).await?;
    if before.state == state {
        return Err(EntitlementError::Retired);
    }
    let by = actor.id.as_str();
    if !store::set_state(
        &mut tx,
        &before.id,
        state,
        by,
        before.version,
        host.now_ms(),
    )
    .await?
    {
        return Err(StoreError::Conflict.into());
    }
    let view = get_in(&mut tx, host, key).await?;
    changed(host, &mut tx, actor, event, &view).await?;
    tx.commit().await?;
    Ok(view)
}

/// All rights, or those of one product, with why a row does not count today.
///
/// # Errors
/// [`EntitlementError::Denied`].
pub async fn list_entitlements(
    host: &Host,
    actor: &Actor,
    product: Option<&ProductId>,
) -> Result<Vec<EntitlementView>, EntitlementError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    Ok(store::list(&mut tx, Day::of_ms(host.now_ms()), product).await?)
}

/// Reserves rights of an entitlement for a person.
///
/// # Errors
/// [`EntitlementError::Rights`], [`EntitlementError::Dangling`], [`EntitlementError::NotFound`].
pub async fn allocate(
    host: &Host,
    actor: &Actor,
    key: &str,
    person: &PersonId,
    rights: i64,
) -> Result<AllocationId, EntitlementError> {
    actor.may(Permission::ManageSam)?;
    if rights < 1 {
        return Err(EntitlementError::Rights(rights));
    }
    let mut tx = host.store.begin().await?;
    let view = get_in(&mut tx, host, key).await?;
    let now_ms = host.now_ms();
    let id = AllocationId::mint(now_ms, &*host.chance);
    let by = actor.id.as_str();
    store::insert_allocation(
        &mut tx,
        id.as_str(),
        &view.id,
        person.as_str(),
        rights,
        by,
        now_ms,
    )
    .await
    .map_err(dangling)?;
    changed(host, &mut tx, actor, "entitlement.allocated", &view).await?;
    tx.commit().await?;
    Ok(id)
}

/// Rights that count on a day, in the caller's transaction; of all products or of one.
///
/// # Errors
/// The database's own.
pub async fn active_rights(
    tx: &mut Tx,
    day: Day,
    product: Option<&ProductId>,
) -> Result<Vec<(ProductId, Right)>, StoreError> {
    store::active_rights(tx, day, product).await
}

/// Per product, on a day: rights reserved for people, and how many of them are in use.
///
/// # Errors
/// The database's own.
pub async fn allocations(tx: &mut Tx, day: Day) -> Result<Vec<(ProductId, i64, i64)>, StoreError> {
    store::allocations(tx, day).await
}

/// A price that was entered with a connection, for one seat and a year.
#[derive(Clone, Debug)]
pub struct EnteredPrice<'a> {
    /// Of this product.
    pub product: &'a ProductId,
    /// Where the product is held.
    pub organization: &'a OrgId,
    /// Such as `1800`.
    pub price: &'a str,
    /// Three letters.
    pub currency: &'a str,
    /// Principal who entered it.
    pub by: &'a str,
    /// Where it was entered, for the record's note.
    pub note: &'a str,
}

/// Keeps an entered price as an estimate without rights, where nobody has said yet what a seat costs; any better source replaces
/// it. Answers whether it was kept.
///
/// # Errors
/// [`EntitlementError::Money`] for a price that is none.
pub async fn keep_price(
    host: &Host,
    tx: &mut Tx,
    entered: &EnteredPrice<'_>,
) -> Result<bool, EntitlementError> {
    let now_ms = host.now_ms();
    let today = Day::of_ms(now_ms);
    if seat_price(tx, entered.product, entered.organization, today)
        .await?
        .is_some()
    {
        return Ok(false);
    }
    let price = UnitPrice::parse(entered.price.trim(), entered.currency.parse()?)?;
    let id = EntitlementId::mint(now_ms, &*host.chance);
    let number = numbers::next(tx, Series::Entitlement).await?;
    let source = SourceOfRights::Estimate;
    let row = NewRow {
        id: &id,
        number: &number,
        product: entered.product,
        organization: None,
        is_shared: false,
        rights: None,
        price,
        period: Period::Year,
        starts_on: today,
        ends_on: today.plus_days(PRICE_DAYS),
        source: source.as_str(),
        source_rank: source.rank(),
        note: Some(entered.note),
        by: entered.by,
        now_ms,
    };
    store::insert(tx, &row).await.map_err(dangling)?;
    let view = get_in(tx, host, &number).await?;
    changed(
        host,
        tx,
        &Actor::system(),
        "entitlement.price_entered",
        &view,
    )
    .await?;
    Ok(true)
}

/// What one seat of a product costs for a year in an organization on a day: the contract's price where it is shared, else
/// the organization's own, else a price without rights. `None` where nobody said, or in several currencies.
///
/// # Errors
/// The database's own; [`EntitlementError::Money`] for a price beyond bounds.
pub async fn seat_price(
    tx: &mut Tx,
    product: &ProductId,
    organization: &OrgId,
    day: Day,
) -> Result<Option<UnitPrice>, EntitlementError> {
    let rights = store::active_rights(tx, day, Some(product)).await?;
    let pick = |of: &dyn Fn(&Right) -> bool| -> Vec<&Right> {
        rights.iter().map(|(_, r)| r).filter(|r| of(r)).collect()
    };
    for group in [
        pick(&|r| r.is_shared),
        pick(&|r| r.organization.as_ref() == Some(organization)),
        pick(&|r| !r.is_shared && r.organization.is_none()),
    ] {
        if !group.is_empty() {
            return Ok(average_price(&group, false)?);
        }
    }
    Ok(None)
}

/// Everyone who added or changed rights of a product: whoever set a price may not approve by it.
///
/// # Errors
/// The database's own.
pub async fn people_behind_prices(
    tx: &mut Tx,
    product: &ProductId,
    day: Day,
) -> Result<Vec<String>, StoreError> {
    let mut people: Vec<String> = store::list(tx, day, Some(product))
        .await?
        .into_iter()
        .flat_map(|e| [e.created_by, e.changed_by])
        .collect();
    people.sort();
    people.dedup();
    Ok(people)
}
