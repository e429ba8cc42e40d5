//! People as others see them. Pure.

use serde::Serialize;

use super::matching::Transform;
use crate::kernel::{OrgId, PersonId, ResolutionRuleId};

/// A person of the directory.
#[derive(Clone, Debug, Serialize)]
pub struct PersonView {
    /// Its id.
    pub id: PersonId,
    /// The directory's own key.
    pub external_id: Option<String>,
    /// Full name.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
    /// Part of the company.
    pub business_unit: Option<String>,
    /// `employed`, `left`, …
    pub status: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// Who pays.
    pub cost_centre: Option<String>,
    /// Works here.
    pub is_active: bool,
    /// Accounts that belong to the person.
    pub accounts: i64,
}

/// An account that holds something and matches nobody.
#[derive(Clone, Debug, Serialize)]
pub struct UnresolvedView {
    /// Where.
    pub organization_id: OrgId,
    /// The org's name.
    pub organization: String,
    /// The vendor's id.
    pub account_id: String,
    /// User principal name.
    pub principal: String,
    /// Mail address at the vendor.
    pub email: Option<String>,
    /// Name at the vendor.
    pub name: Option<String>,
    /// Active subscriptions it holds.
    pub subscriptions: i64,
}

/// A user resolution rule.
#[derive(Clone, Debug, Serialize)]
pub struct ResolutionRuleView {
    /// Its id.
    pub id: ResolutionRuleId,
    /// Its name.
    pub name: String,
    /// What it does.
    #[serde(flatten)]
    pub transform: Transform,
    /// Applied.
    pub is_active: bool,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// People added.
    pub added: i64,
    /// People changed.
    pub changed: i64,
    /// Rows that said what was known.
    pub unchanged: i64,
    /// Rows left out, with line and reason.
    pub refused: Vec<(u64, String)>,
    /// Accounts that belong to someone now and did not before.
    pub matched: i64,
}
