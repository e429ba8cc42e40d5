//! Products, identifiers and software models as others see them. Pure.

use serde::Serialize;

use crate::kernel::{ModelId, ProductId};

/// A software product.
#[derive(Clone, Debug, Serialize)]
pub struct ProductView {
    /// Its id.
    pub id: ProductId,
    /// Who publishes it.
    pub publisher: String,
    /// Its name.
    pub name: String,
    /// `seats`, `logins` or `units`.
    pub metric: String,
    /// Costs nothing: no rule, no savings.
    pub is_free: bool,
}

/// A vendor key and what is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct IdentifierView {
    /// Whose key.
    pub connector_id: String,
    /// The key.
    pub identifier: String,
    /// The vendor's label, where it told one.
    pub label: Option<String>,
    /// Its product; `None`: in the queue.
    pub product_id: Option<ProductId>,
    /// The product's name.
    pub product_name: Option<String>,
    /// `content` or who assigned it.
    pub recognised_by: Option<String>,
    /// When it was first seen.
    pub first_seen_at: i64,
    /// Current subscriptions that carry it.
    pub subscriptions: i64,
    /// Organizations that have it.
    pub organizations: i64,
    /// Left out of positions by decision.
    pub is_excluded_from_position: bool,
}

/// A software model with what is in use of it.
#[derive(Clone, Debug, Serialize)]
pub struct ModelView {
    /// Its id.
    pub id: ModelId,
    /// `MOD0001001`.
    pub number: String,
    /// Publisher and product.
    pub display_name: String,
    /// The product.
    pub product_id: ProductId,
    /// `seats`, `logins` or `units`.
    pub metric: String,
    /// Costs nothing.
    pub is_free: bool,
    /// Made by itself.
    pub is_generated: bool,
    /// Counts in results.
    pub is_under_management: bool,
    /// The vendor keys that lead to it.
    pub identifiers: Vec<String>,
    /// Active subscriptions.
    pub active: i64,
    /// Subscriptions of deactivated accounts.
    pub inactive: i64,
    /// Organizations that use it.
    pub organizations: i64,
    /// When it was made.
    pub created_at: i64,
}
