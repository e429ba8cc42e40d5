//! Accounts, contacts, opportunities, cases, leads and tasks: what people own, and who edited it last.
//!
//! Each user who works with records has a fixed number of places in each object, about half of them filled; accounts written out come
//! before, and every portal user has one contact.

use super::{Org, Value};
use crate::clock::DAY_MS;
use crate::crowd::Draw;
use crate::schema::Object;
use crate::value::{owned, text};

const STAGES: [&str; 5] = [
    "Prospecting",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
];

impl Org {
    /// An independent number about a place and one aspect of it.
    fn record_draw(&self, object: Object, row: u64, aspect: u64) -> u64 {
        self.frame
            .draw_at(row, Draw::RecordField, (object as u64) * 64 + aspect)
    }

    pub(super) fn has_record(&self, object: Object, row: u64) -> bool {
        if object == Object::Contact {
            return row >= 1 && row <= self.base_users() && self.account_of(row).is_some();
        }
        if object == Object::Account && row >= 1 && row <= self.before_places(object) {
            return true;
        }
        self.place_of(object, row).is_some_and(|(user, place)| {
            self.is_crm_person(user)
                && self
                    .frame
                    .draw_at(user, Draw::Record, (object as u64) * 64 + place)
                    .is_multiple_of(2)
        })
    }

    /// Whether the row is done with: closed, converted or completed.
    fn is_closed(&self, object: Object, row: u64) -> bool {
        match object {
            Object::Opportunity => self.stage(row) >= 3,
            Object::Lead => self.record_draw(object, row, 1).is_multiple_of(4),
            _ => self.record_draw(object, row, 1).is_multiple_of(2),
        }
    }

    fn stage(&self, row: u64) -> usize {
        (self.record_draw(Object::Opportunity, row, 1) % STAGES.len() as u64) as usize
    }

    fn owner(&self, object: Object, row: u64) -> Value<'_> {
        if object == Object::Contact {
            return self.account_of(row).map_or(Value::Null, |account| {
                self.value(Object::Account, account, "OwnerId")
            });
        }
        if let Some(account) = self.written_account(object, row) {
            return self.reference_to(&account.owner);
        }
        // Some cases and leads wait in a queue.
        let queue = self
            .spec
            .groups
            .iter()
            .position(|group| group.queue_for.iter().any(|of| of == object.name()));
        if let Some(queue) = queue
            && self.record_draw(object, row, 2).is_multiple_of(10)
        {
            return self.reference(Object::Group, queue as u64 + 1);
        }
        self.place_of(object, row)
            .map_or(Value::Null, |(user, _)| self.reference(Object::User, user))
    }

    fn written_account(&self, object: Object, row: u64) -> Option<&crate::spec::Account> {
        if object != Object::Account {
            return None;
        }
        self.spec
            .accounts
            .get(usize::try_from(row.checked_sub(1)?).ok()?)
    }

    fn record_created_ms(&self, object: Object, row: u64) -> i64 {
        let days = (self.record_draw(object, row, 3) % 400).cast_signed();
        (self.frame.as_of_ms - days * DAY_MS).max(self.spec.created_ms)
    }

    /// The last edit: not after the owner's last login, so that edits are evidence of work.
    fn record_modified_ms(&self, object: Object, row: u64) -> i64 {
        let created = self.record_created_ms(object, row);
        let worked = self
            .place_of(object, row)
            .and_then(|(user, _)| self.first_last_login_ms(user));
        let back = (self.record_draw(object, row, 4) % 45).cast_signed() * DAY_MS;
        worked.map_or(created, |at| created.max(at - back))
    }

    pub(super) fn record_value(&self, object: Object, row: u64, field: &str) -> Value<'_> {
        match field {
            "OwnerId" => return self.owner(object, row),
            "IsDeleted" | "IsConverted" if field == "IsDeleted" || object != Object::Lead => {
                return Value::Bool(false);
            }
            "CreatedDate" => return Value::Moment(self.record_created_ms(object, row)),
            "LastModifiedDate" | "SystemModstamp" => {
                return Value::Moment(self.record_modified_ms(object, row));
            }
            "CreatedById" | "LastModifiedById" => {
                let by_other = self.record_draw(object, row, 5).is_multiple_of(8);
                let place = self.place_of(object, row).filter(|_| !by_other);
                return place.map_or_else(
                    || self.founder(),
                    |(user, _)| self.reference(Object::User, user),
                );
            }
            "AccountId" if object == Object::Contact => {
                return self.account_of(row).map_or(Value::Null, |account| {
                    self.reference(Object::Account, account)
                });
            }
            "AccountId" => {
                let accounts = self.spec.accounts.len() as u64;
                if accounts == 0 {
                    return Value::Null;
                }
                let account = self.record_draw(object, row, 6) % accounts + 1;
                return self.reference(Object::Account, account);
            }
            "IsClosed" | "IsConverted" => return Value::Bool(self.is_closed(object, row)),
            "Priority" => return text(["High", "Medium", "Low"][(row % 3) as usize]),
            _ => {}
        }
        match object {
            Object::Account => self.account_value(row, field),
            Object::Contact => match field {
                "LastName" | "FirstName" | "Name" | "Email" => self.user_field(row, field),
                _ => Value::Null,
            },
            Object::Opportunity => match field {
                "Name" => owned(format!("Opportunity {row}")),
                "StageName" => text(STAGES[self.stage(row)]),
                "IsWon" => Value::Bool(self.stage(row) == 3),
                "Amount" => Value::Double((self.record_draw(object, row, 7) % 250_000) as f64),
                "CloseDate" => {
                    let days = (self.record_draw(object, row, 8) % 180).cast_signed();
                    Value::Day(self.record_created_ms(object, row).div_euclid(DAY_MS) + days)
                }
                _ => Value::Null,
            },
            Object::Case => match field {
                "CaseNumber" => owned(format!("{row:08}")),
                "Subject" => owned(format!("Question {row}")),
                "Status" if self.is_closed(object, row) => text("Closed"),
                "Status" => text("Working"),
                "Origin" => text(["Email", "Phone", "Web"][(row % 3) as usize]),
                _ => Value::Null,
            },
            Object::Lead => match field {
                "LastName" | "Name" => owned(format!("Lead {row}")),
                "Company" => owned(format!("Prospect {}", row % 97)),
                "Status" if self.is_closed(object, row) => text("Closed - Converted"),
                "Status" => text("Open - Not Contacted"),
                _ => Value::Null,
            },
            _ => match field {
                "Subject" => text(["Call", "Email", "Send Letter"][(row % 3) as usize]),
                "Status" if self.is_closed(object, row) => text("Completed"),
                "Status" => text("Not Started"),
                "ActivityDate" => {
                    Value::Day(self.record_created_ms(object, row).div_euclid(DAY_MS) + 14)
                }
                _ => Value::Null,
            },
        }
    }

    fn account_value(&self, row: u64, field: &str) -> Value<'_> {
        let written = self.written_account(Object::Account, row);
        match (field, written) {
            ("Name", Some(account)) => text(&account.name),
            ("Name", None) => owned(format!("Account {row}")),
            ("IsPartner", account) => Value::Bool(account.is_some_and(|a| a.is_partner)),
            ("IsCustomerPortal", account) => Value::Bool(account.is_some_and(|a| a.is_customer)),
            ("Type", None) => text("Prospect"),
            ("Industry", _) => text(["Energy", "Retail", "Banking"][(row % 3) as usize]),
            _ => Value::Null,
        }
    }

    fn user_field(&self, user: u64, field: &str) -> Value<'_> {
        let field = match field {
            "LastName" => "LastName",
            "FirstName" => "FirstName",
            "Email" => "Email",
            _ => "Name",
        };
        self.value(Object::User, user, field)
    }

    /// Whether a user owns an account that active portal users belong to; only accounts written out have portal users.
    pub(super) fn owns_portal_account(&self, owner: u64) -> bool {
        let owned: Vec<u64> = (1..=self.spec.accounts.len() as u64)
            .filter(|account| {
                self.value(Object::Account, *account, "OwnerId").id() == Some(self.user_id(owner))
            })
            .collect();
        !owned.is_empty()
            && (1..=self.users()).any(|user| {
                self.account_of(user)
                    .is_some_and(|account| owned.contains(&account))
                    && self.is_active(user)
            })
    }
}
