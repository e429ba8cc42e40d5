//! What a rich crowd has beyond a plain one. Each answer is empty, or as in a plain crowd, where the frame is not rich.

use super::names::{HOSTILE, MACHINES, PLACES, RICH_LAST};
use super::{Draw, FIRST, Frame, LAST, push_number};
use crate::value::{Value, owned, text};

impl Frame {
    /// One in a hundred is the account of a program.
    pub(crate) fn is_machine(&self, n: u64) -> bool {
        self.is_rich && self.draw(n, Draw::Machine).is_multiple_of(100)
    }

    pub(crate) fn is_forecasting(&self, n: u64) -> bool {
        self.is_rich && self.draw(n, Draw::Forecast).is_multiple_of(5)
    }

    pub(crate) fn failed_logins(&self, n: u64) -> i64 {
        let drawn = self.draw(n, Draw::Failed);
        if self.is_rich && drawn.is_multiple_of(40) {
            1 + (drawn >> 32) as i64 % 9
        } else {
            0
        }
    }

    /// The made-up user who leads: everybody's number is higher than the manager's, so no circle closes.
    pub(crate) fn manager(&self, n: u64) -> Option<u64> {
        (self.is_rich && n > 8 && !self.draw(n, Draw::Manager).is_multiple_of(10)).then_some(n / 8)
    }

    pub(super) fn rich_last_name(&self, n: u64) -> Option<&'static str> {
        if self.is_machine(n) {
            return Some(MACHINES[(self.draw(n, Draw::Last) % MACHINES.len() as u64) as usize]);
        }
        let at = self.draw(n, Draw::Double) >> 16;
        (self.is_rich && n % 23 == 5).then(|| RICH_LAST[(at % RICH_LAST.len() as u64) as usize])
    }

    /// An address without the number, which whoever has the same names shares.
    pub(super) fn shared_email(&self, n: u64) -> Option<String> {
        if !self.is_rich || !self.draw(n, Draw::Double).is_multiple_of(200) {
            return None;
        }
        let first = FIRST[(self.draw(n, Draw::First) % 4) as usize].1;
        let last = LAST[(self.draw(n, Draw::Last) % 4) as usize].1;
        Some([first, ".", last, "@northwind.example.com"].concat())
    }

    /// For one in 997 of a rich crowd, a hostile text in this column.
    pub(super) fn hostile_text(&self, n: u64, column: &str) -> Option<&'static str> {
        let salt = column.len() as u64 * 31;
        (self.is_rich && (n + salt) % 997 == 11)
            .then(|| HOSTILE[(self.draw(n + salt, Draw::Hostile) % HOSTILE.len() as u64) as usize])
    }

    /// Columns that a plain crowd leaves null.
    pub(crate) fn rich_value(&self, n: u64, field: &str) -> Value<'_> {
        if !self.is_rich {
            return Value::Null;
        }
        let place = PLACES[(self.draw(n, Draw::Place) % PLACES.len() as u64) as usize];
        match field {
            "City" => text(self.hostile_text(n, field).unwrap_or(place.0)),
            "State" => text(place.1),
            "Country" => text(place.2),
            "Division" => text(self.department(n)),
            "EmployeeNumber" if !self.is_machine(n) => {
                let mut number = String::from("E");
                push_number(&mut number, 100_000 + n);
                owned(number)
            }
            "FederationIdentifier" if !self.is_machine(n) => owned(self.username(n)),
            _ => Value::Null,
        }
    }
}
