//! Money: minor units with their currency; unit prices with six decimals.
//!
//! Rounded half-even, once, at the end; never added across currencies.

use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Three letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimals of the minor unit: 2 for USD, 0 for JPY.
    #[must_use]
    pub fn decimals(self) -> u32 {
        self.0.exponent().map_or(2, u32::from)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        iso_currency::Currency::from_code(code)
            .map(Self)
            .ok_or_else(|| MoneyError::Currency(code.chars().take(10).collect()))
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// Why an amount cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three letters of ISO 4217.
    #[error("`{0}` is not an ISO 4217 currency code")]
    Currency(String),
    /// Not a price with at most six decimals.
    #[error("`{0}` is not an amount with at most six decimals")]
    Amount(String),
    /// Two currencies met without a dated rate.
    #[error("{0} and {1} cannot be added without a dated exchange rate")]
    Mixed(Currency, Currency),
    /// Larger than can be held.
    #[error("the amount is larger than can be held")]
    TooLarge,
}

/// An amount in minor units of its currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    /// Cents for USD, yen for JPY.
    pub minor: i64,
    /// ISO 4217.
    pub currency: Currency,
}

impl Money {
    /// Nothing, in this currency.
    #[must_use]
    pub fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Sum within one currency.
    ///
    /// # Errors
    /// [`MoneyError::Mixed`] across currencies, [`MoneyError::TooLarge`] beyond 64 bits.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::Mixed(self.currency, other.currency));
        }
        let minor = self
            .minor
            .checked_add(other.minor)
            .ok_or(MoneyError::TooLarge)?;
        Ok(Self { minor, ..self })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = Decimal::new(self.minor, self.currency.decimals()).to_string();
        let (sign, digits) = amount
            .strip_prefix('-')
            .map_or(("", amount.as_str()), |d| ("-", d));
        let (whole, fraction) = digits
            .split_once('.')
            .map_or((digits, None), |(w, f)| (w, Some(f)));
        let mut grouped = String::new();
        for (i, c) in whole.chars().enumerate() {
            if i > 0 && (whole.len() - i).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(c);
        }
        match fraction {
            Some(fraction) => write!(f, "{sign}{grouped}.{fraction} {}", self.currency),
            None => write!(f, "{sign}{grouped} {}", self.currency),
        }
    }
}

/// A price for one right and period: micro-units (six decimals) of the major unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitPrice {
    /// 1,800 dollars are 1_800_000_000.
    pub micros: i64,
    /// ISO 4217.
    pub currency: Currency,
}

impl UnitPrice {
    /// Reads `1800`, `1800.50`, `0.000001`; refuses signs, exponents and more than six decimals.
    ///
    /// # Errors
    /// [`MoneyError::Amount`] for anything else.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let wrong = || MoneyError::Amount(text.chars().take(40).collect());
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let amount = Decimal::from_str_exact(text)
            .ok()
            .filter(|_| plain)
            .ok_or_else(wrong)?;
        if amount.normalize().scale() > 6 {
            return Err(wrong());
        }
        let micros = amount
            .checked_mul(Decimal::from(1_000_000))
            .ok_or(MoneyError::TooLarge)?;
        let micros = i64::try_from(micros.normalize().mantissa())
            .ok()
            .filter(|_| micros.normalize().scale() == 0);
        micros
            .map(|micros| Self { micros, currency })
            .ok_or(MoneyError::TooLarge)
    }

    /// `count` rights at this price, times `numerator / denominator` of the period, rounded half-even once.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] when the amount cannot be held; also for a zero denominator.
    pub fn times(self, count: i64, numerator: i64, denominator: i64) -> Result<Money, MoneyError> {
        let amount = Decimal::from_i128_with_scale(i128::from(self.micros), 6)
            .checked_mul(Decimal::from(count))
            .and_then(|a| a.checked_mul(Decimal::from(numerator)))
            .and_then(|a| a.checked_div(Decimal::from(denominator)))
            .ok_or(MoneyError::TooLarge)?;
        let rounded = amount.round_dp_with_strategy(
            self.currency.decimals(),
            RoundingStrategy::MidpointNearestEven,
        );
        let minor = rounded
            .checked_mul(Decimal::from(10i64.pow(self.currency.decimals())))
            .and_then(|m| i64::try_from(m.trunc().mantissa() / 10i128.pow(m.trunc().scale())).ok())
            .ok_or(MoneyError::TooLarge)?;
        Ok(Money {
            minor,
            currency: self.currency,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usd() -> Currency {
        "USD".parse().unwrap()
    }

    #[test]
    fn three_seats_for_ninety_one_days_cost_1346_30() {
        let price = UnitPrice::parse("1800", usd()).unwrap();
        assert_eq!(price.times(3, 91, 365).unwrap().to_string(), "1,346.30 USD");
    }

    #[test]
    fn halves_round_to_even() {
        let price = UnitPrice::parse("0.005", usd()).unwrap();
        assert_eq!(price.times(1, 1, 1).unwrap().minor, 0);
        assert_eq!(price.times(3, 1, 1).unwrap().minor, 2);
    }

    #[test]
    fn yen_has_no_minor_unit() {
        let yen = "JPY".parse().unwrap();
        assert_eq!(
            UnitPrice::parse("1234567", yen)
                .unwrap()
                .times(1, 1, 1)
                .unwrap()
                .to_string(),
            "1,234,567 JPY"
        );
    }

    #[test]
    fn currencies_do_not_mix() {
        let eur: Currency = "EUR".parse().unwrap();
        assert!(matches!(
            Money::zero(usd()).plus(Money::zero(eur)),
            Err(MoneyError::Mixed(..))
        ));
    }

    #[test]
    fn prices_are_plain_decimals() {
        for wrong in ["-1", "1e3", "1.0000001", "", "1,800", "٣"] {
            assert!(UnitPrice::parse(wrong, usd()).is_err(), "{wrong}");
        }
        assert_eq!(UnitPrice::parse("0.000001", usd()).unwrap().micros, 1);
    }
}
