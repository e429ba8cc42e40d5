//! Made-up users: user `n` follows from the seed and `n` alone, so a crowd of millions takes no memory and answers the same on
//! every read.
//!
//! Activity is skewed as in real orgs: most people logged in this week, a tail has not for months, some never did, some have left.
//! About one in a thousand carries a hostile name, so that every reader meets one. This module knows no edits and no query.

mod names;
mod rich;

use names::{COMPANIES, DEPARTMENTS, FIRST, HOSTILE, LAST, TITLES};

/// One kind of a random draw about a user; each gives an independent number.
#[derive(Clone, Copy)]
pub(crate) enum Draw {
    First = 1,
    Last,
    Licence,
    Left,
    Login,
    LoginAt,
    Created,
    Department,
    Title,
    Frozen,
    Hostile,
    Support,
    Left2,
    Company,
    Marketing,
    Account,
    Role,
    Machine,
    Place,
    Manager,
    Forecast,
    Double,
    Failed,
    Assignment,
    LoginGap,
    LoginKind,
    LoginFailed,
    Record,
    RecordField,
}

/// The frame that a crowd is drawn in.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) users: u64,
    pub(crate) seed: u64,
    pub(crate) as_of_ms: i64,
    /// Places, roles, managers, doubles and hostile texts in every column.
    pub(crate) is_rich: bool,
    /// Cumulated weights with the profile they end at.
    pub(crate) mix: Vec<(u32, usize)>,
}

const DAY: i64 = 86_400_000;

impl Frame {
    /// An independent 64-bit number about user `n` and the `k`-th of something.
    #[inline]
    pub(crate) fn draw_at(&self, n: u64, of: Draw, k: u64) -> u64 {
        self.draw(n.wrapping_add(k.wrapping_mul(0xA24B_AED4_963E_E407)), of)
    }

    /// An independent 64-bit number about user `n` (splitmix64).
    #[inline]
    pub(crate) fn draw(&self, n: u64, of: Draw) -> u64 {
        let mut z = self.seed
            ^ n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ (of as u64).wrapping_mul(0xD1B5_4A32_D192_ED03);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn profile(&self, n: u64) -> usize {
        let total = self.mix.last().map_or(1, |(end, _)| *end).max(1);
        let at = (self.draw(n, Draw::Licence) % u64::from(total)) as u32;
        self.mix
            .iter()
            .find(|(end, _)| at < *end)
            .map_or(0, |(_, profile)| *profile)
    }

    /// One in eight has left and is inactive.
    pub(crate) fn is_active(&self, n: u64) -> bool {
        !self.draw(n, Draw::Left).is_multiple_of(8)
    }

    pub(crate) fn is_frozen(&self, n: u64) -> bool {
        self.draw(n, Draw::Frozen).is_multiple_of(250)
    }

    pub(crate) fn is_support(&self, n: u64) -> bool {
        self.draw(n, Draw::Support).is_multiple_of(3)
    }

    /// Milliseconds UTC; `None` for about one in twenty-five who never logged in.
    pub(crate) fn last_login_ms(&self, n: u64) -> Option<i64> {
        let kind = self.draw(n, Draw::Login) % 100;
        let spread = self.draw(n, Draw::LoginAt) as i64 & i64::MAX;
        let (from, to) = match kind {
            0..=3 => return None,
            4..=59 => (0, 7),
            60..=74 => (7, 30),
            75..=84 => (30, 60),
            85..=94 => (60, 180),
            _ => (180, 720),
        };
        // Whoever left did so some time ago.
        let gone = if self.is_active(n) {
            0
        } else {
            30 + (self.draw(n, Draw::Left2) % 600) as i64
        };
        let back = (from + gone) * DAY + spread % ((to - from) * DAY);
        Some((self.as_of_ms - back) / 1000 * 1000)
    }

    pub(crate) fn created_ms(&self, n: u64) -> i64 {
        let days = 15 + (self.draw(n, Draw::Created) % 2500) as i64;
        let newest = self.last_login_ms(n).unwrap_or(self.as_of_ms);
        (newest - days * DAY) / 1000 * 1000
    }

    /// What the name of a hostile one is, for one in 997.
    fn hostile(&self, n: u64) -> Option<&'static str> {
        (n % 997 == 7)
            .then(|| HOSTILE[(self.draw(n, Draw::Hostile) % HOSTILE.len() as u64) as usize])
    }

    pub(crate) fn first_name(&self, n: u64) -> &'static str {
        if self.is_machine(n) {
            return "Integration";
        }
        FIRST[(self.draw(n, Draw::First) % FIRST.len() as u64) as usize].0
    }

    pub(crate) fn last_name(&self, n: u64) -> &'static str {
        self.hostile(n)
            .or_else(|| self.rich_last_name(n))
            .unwrap_or(LAST[(self.draw(n, Draw::Last) % LAST.len() as u64) as usize].0)
    }

    /// The address, which about one in two hundred of a rich crowd shares with others.
    pub(crate) fn email(&self, n: u64) -> String {
        self.shared_email(n).unwrap_or_else(|| self.username(n))
    }

    /// `first.last.n@northwind.example.com`, ASCII and lower case.
    pub(crate) fn username(&self, n: u64) -> String {
        let first = FIRST[(self.draw(n, Draw::First) % FIRST.len() as u64) as usize].1;
        let last = LAST[(self.draw(n, Draw::Last) % LAST.len() as u64) as usize].1;
        let mut email = String::with_capacity(56);
        email.push_str(first);
        email.push('.');
        email.push_str(last);
        email.push('.');
        push_number(&mut email, n);
        email.push_str("@northwind.example.com");
        email
    }

    pub(crate) fn department(&self, n: u64) -> &'static str {
        if let Some(hostile) = self.hostile_text(n, "department") {
            return hostile;
        }
        DEPARTMENTS[(self.draw(n, Draw::Department) % DEPARTMENTS.len() as u64) as usize]
    }

    pub(crate) fn title(&self, n: u64) -> &'static str {
        if let Some(hostile) = self.hostile_text(n, "title") {
            return hostile;
        }
        TITLES[(self.draw(n, Draw::Title) % TITLES.len() as u64) as usize]
    }

    pub(crate) fn company(&self, n: u64) -> &'static str {
        if let Some(hostile) = self.hostile_text(n, "company") {
            return hostile;
        }
        COMPANIES[(self.draw(n, Draw::Company) % COMPANIES.len() as u64) as usize]
    }
}

/// Appends a decimal number without the formatting machinery; this is on the path of every row.
pub(crate) fn push_number(out: &mut String, mut n: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            break;
        }
    }
    out.extend(digits[at..].iter().map(|digit| char::from(*digit)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame {
            users: 20_000,
            seed: 7,
            as_of_ms: 1_774_915_200_000,
            is_rich: false,
            mix: vec![(60, 0), (100, 1)],
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_people() {
        let (a, b) = (frame(), frame());
        for n in 0..500 {
            assert_eq!(a.email(n), b.email(n));
            assert_eq!(a.last_login_ms(n), b.last_login_ms(n));
        }
        let other = Frame { seed: 8, ..frame() };
        assert_ne!(
            (0..50).map(|n| a.email(n)).collect::<Vec<_>>(),
            (0..50).map(|n| other.email(n)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn activity_is_skewed_and_never_in_the_future() {
        let frame = frame();
        let logins: Vec<_> = (0..frame.users).map(|n| frame.last_login_ms(n)).collect();
        let never = logins.iter().filter(|login| login.is_none()).count();
        let this_week = logins
            .iter()
            .flatten()
            .filter(|at| frame.as_of_ms - **at <= 7 * DAY)
            .count();
        let idle = logins
            .iter()
            .flatten()
            .filter(|at| frame.as_of_ms - **at >= 60 * DAY)
            .count();
        assert!((600..1000).contains(&never), "{never} never logged in");
        assert!(this_week > 8_000, "{this_week} this week");
        assert!(idle > 3_000, "{idle} idle");
        assert!(logins.iter().flatten().all(|at| *at <= frame.as_of_ms));
        assert!((0..frame.users).all(|n| {
            frame
                .last_login_ms(n)
                .is_none_or(|at| frame.created_ms(n) <= at)
        }));
    }
}
