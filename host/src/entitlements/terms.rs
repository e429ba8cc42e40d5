//! What a right costs, for how long, and where it holds. Pure.

use serde::{Deserialize, Serialize};

use crate::kernel::money::{MoneyError, UnitPrice};
use crate::kernel::{Day, OrgId};

/// For how long a unit price is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// A month.
    Month,
    /// A quarter.
    Quarter,
    /// A year.
    Year,
    /// The whole term, once.
    Entire,
}

impl Period {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
            Self::Entire => "entire",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Month, Self::Quarter, Self::Year, Self::Entire]
            .into_iter()
            .find(|period| period.as_str() == text)
    }

    /// Periods in a year. A price for the whole term counts as it stands.
    #[must_use]
    pub fn per_year(self) -> i64 {
        match self {
            Self::Month => 12,
            Self::Quarter => 4,
            Self::Year | Self::Entire => 1,
        }
    }
}

/// An entitlement that is active on the day.
#[derive(Clone, Debug)]
pub struct Right {
    /// Bound to this organization; `None`: to none.
    pub organization: Option<OrgId>,
    /// One contract for every organization.
    pub is_shared: bool,
    /// `None`: unlimited.
    pub rights: Option<i64>,
    /// For one right and period.
    pub price: UnitPrice,
    /// Of the price.
    pub period: Period,
    /// Last day.
    pub ends_on: Day,
}

/// Average price of one right for a year (for logins and units: for a period), weighted by rights; a right without limit
/// weighs as one, and where all are of no rights, each does. `None` without a price or across currencies.
///
/// # Errors
/// [`MoneyError::TooLarge`].
pub fn average_price(rights: &[&Right], is_metered: bool) -> Result<Option<UnitPrice>, MoneyError> {
    let Some(first) = rights.first() else {
        return Ok(None);
    };
    let currency = first.price.currency;
    if rights.iter().any(|right| right.price.currency != currency) {
        return Ok(None);
    }
    let (mut total, mut weights) = (0_i128, 0_i128);
    let is_empty = rights
        .iter()
        .all(|right| right.rights.is_some_and(|rights| rights <= 0));
    for right in rights {
        let weight = if is_empty {
            1
        } else {
            i128::from(right.rights.unwrap_or(1).max(0))
        };
        let per = if is_metered {
            1
        } else {
            right.period.per_year()
        };
        total += weight * i128::from(right.price.micros) * i128::from(per);
        weights += weight;
    }
    let (whole, rest) = (total / weights, total % weights);
    let up = match (rest * 2).cmp(&weights) {
        std::cmp::Ordering::Greater => 1,
        std::cmp::Ordering::Equal => whole % 2,
        std::cmp::Ordering::Less => 0,
    };
    let micros = i64::try_from(whole + up).map_err(|_| MoneyError::TooLarge)?;
    Ok(Some(UnitPrice { micros, currency }))
}
