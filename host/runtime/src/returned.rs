//! What a connector returned, measured before the host believes a byte of it.
//!
//! Invariant: every list, text and opaque blob of the contract has a cap here; a result over a cap is a failure of the
//! call, never a shorter result.

use crate::contract::types::{Attribute, Context, Failure};
use crate::contract::{activity, connection, consumption, reclaim, subscriptions};
use crate::limits;
use crate::log::clean;
use crate::sandbox::Tripped;

/// Bytes of a failure's code; vendors' own codes are shorter.
const CODE_BYTES: usize = 128;

/// A result that can be measured.
pub(crate) trait Measured {
    /// The first thing that is too large.
    fn measure(&self) -> Result<(), Tripped>;
}

fn at_most(limit: &'static str, found: usize, allowed: usize, unit: &str) -> Result<(), Tripped> {
    if found <= allowed {
        return Ok(());
    }
    Err(Tripped {
        limit,
        detail: format!("{found} {unit} returned, {allowed} are allowed"),
    })
}

fn count<T>(limit: &'static str, list: &[T], allowed: usize) -> Result<(), Tripped> {
    at_most(limit, list.len(), allowed, "entries")
}

fn text(text: &str) -> Result<(), Tripped> {
    at_most("text", text.len(), limits::TEXT_BYTES, "bytes of one text")
}

fn texts<'a>(all: impl IntoIterator<Item = &'a str>) -> Result<(), Tripped> {
    all.into_iter().try_for_each(text)
}

fn attributes(all: &[Attribute]) -> Result<(), Tripped> {
    count("attributes", all, limits::RECORD_ATTRIBUTES)?;
    texts(all.iter().flat_map(|a| [a.name.as_str(), a.value.as_str()]))
}

fn cursor(cursor: &[u8]) -> Result<(), Tripped> {
    at_most("cursor", cursor.len(), limits::CURSOR_BYTES, "bytes")
}

fn chains(chains: &[Vec<u8>]) -> Result<(), Tripped> {
    count("chains", chains, limits::CHAINS)?;
    chains.iter().try_for_each(|chain| cursor(chain))
}

impl Measured for connection::Info {
    fn measure(&self) -> Result<(), Tripped> {
        texts([self.id.as_str(), &self.version])
    }
}

impl Measured for connection::Organization {
    fn measure(&self) -> Result<(), Tripped> {
        texts(
            [self.id.as_str(), &self.name]
                .into_iter()
                .chain(self.edition.as_deref())
                .chain(self.time_zone.as_deref()),
        )?;
        at_most("memo", self.memo.len(), limits::MEMO_BYTES, "bytes")
    }
}

impl Measured for Vec<connection::CheckInfo> {
    fn measure(&self) -> Result<(), Tripped> {
        count("checks", self, limits::CHECKS)?;
        texts(
            self.iter()
                .flat_map(|check| [check.id.as_str(), check.title.as_str()]),
        )?;
        self.iter()
            .try_for_each(|check| count("serves", &check.serves, 4))
    }
}

impl Measured for connection::CheckResult {
    fn measure(&self) -> Result<(), Tripped> {
        texts(
            [self.evidence.as_str()]
                .into_iter()
                .chain(self.fix.as_deref()),
        )
    }
}

impl Measured for subscriptions::Outline {
    fn measure(&self) -> Result<(), Tripped> {
        chains(&self.chains)
    }
}

impl Measured for subscriptions::Page {
    fn measure(&self) -> Result<(), Tripped> {
        count("accounts", &self.accounts, limits::PAGE_ACCOUNTS)?;
        count("assignments", &self.assignments, limits::PAGE_ASSIGNMENTS)?;
        count("facts", &self.facts, limits::PAGE_FACTS)?;
        for account in &self.accounts {
            texts(
                [account.id.as_str(), &account.principal]
                    .into_iter()
                    .chain(account.email.as_deref())
                    .chain(account.name.as_deref()),
            )?;
            attributes(&account.attributes)?;
        }
        for assignment in &self.assignments {
            texts(
                [assignment.account.as_str(), &assignment.identifier]
                    .into_iter()
                    .chain(assignment.id.as_deref()),
            )?;
            attributes(&assignment.evidence)?;
        }
        for fact in &self.facts {
            text(&fact.account)?;
            if let subscriptions::Fact::Attribute(attribute) = &fact.fact {
                texts([attribute.name.as_str(), &attribute.value])?;
            }
        }
        self.next.as_deref().map_or(Ok(()), cursor)
    }
}

impl Measured for activity::Outline {
    fn measure(&self) -> Result<(), Tripped> {
        chains(&self.chains)
    }
}

impl Measured for activity::Page {
    fn measure(&self) -> Result<(), Tripped> {
        count("days", &self.days, limits::PAGE_ACTIVITY_DAYS)?;
        texts(
            self.days
                .iter()
                .flat_map(|day| [day.account.as_str(), day.day.as_str(), day.source.as_str()]),
        )?;
        self.next.as_deref().map_or(Ok(()), cursor)
    }
}

impl Measured for consumption::Page {
    fn measure(&self) -> Result<(), Tripped> {
        count("pools", &self.pools, limits::PAGE_POOLS)?;
        for pool in &self.pools {
            texts(
                [pool.identifier.as_str(), &pool.label]
                    .into_iter()
                    .chain(pool.expires.as_deref()),
            )?;
            if let Some((from, to)) = &pool.period {
                texts([from.as_str(), to])?;
            }
            attributes(&pool.attributes)?;
        }
        self.next.as_deref().map_or(Ok(()), cursor)
    }
}

impl Measured for reclaim::Plan {
    fn measure(&self) -> Result<(), Tripped> {
        count("blockers", &self.blockers, limits::PLAN_NOTES)?;
        count("unchecked", &self.unchecked, limits::PLAN_NOTES)?;
        count("frees", &self.frees, limits::PLAN_NOTES)?;
        count("consequences", &self.consequences, limits::PLAN_NOTES)?;
        count("steps", &self.steps, limits::PLAN_STEPS)?;
        for blocker in &self.blockers {
            texts(
                [blocker.code.as_str(), &blocker.message]
                    .into_iter()
                    .chain(blocker.fix.as_deref()),
            )?;
        }
        texts(
            self.unchecked
                .iter()
                .chain(&self.frees)
                .chain(&self.consequences)
                .map(String::as_str),
        )?;
        for step in &self.steps {
            texts(
                [step.origin.as_str(), &step.says]
                    .into_iter()
                    .chain(step.content_type.as_deref()),
            )?;
            at_most("step-path", step.path.len(), limits::PATH_BYTES, "bytes")?;
            at_most(
                "step-body",
                step.body.as_ref().map_or(0, Vec::len),
                limits::STEP_BODY_BYTES,
                "bytes",
            )?;
        }
        if let Some(before) = &self.before {
            text(&before.format)?;
            at_most(
                "before-image",
                before.data.len(),
                limits::BEFORE_IMAGE_BYTES,
                "bytes",
            )?;
        }
        Ok(())
    }
}

impl Measured for Vec<Result<reclaim::Plan, Failure>> {
    fn measure(&self) -> Result<(), Tripped> {
        count("plans", self, limits::TARGETS)?;
        self.iter().flatten().try_for_each(Measured::measure)
    }
}

impl Measured for reclaim::Verdict {
    fn measure(&self) -> Result<(), Tripped> {
        self.detail.as_ref().map_or(Ok(()), |failure| {
            texts([failure.code.as_str(), &failure.message])
        })
    }
}

impl Measured for Vec<reclaim::Observation> {
    fn measure(&self) -> Result<(), Tripped> {
        count("observations", self, limits::TARGETS)?;
        texts(self.iter().map(|observation| observation.detail.as_str()))
    }
}

/// What the host itself puts into a call must fit the contract too.
pub(crate) fn check_context(context: &Context) -> Result<(), Tripped> {
    at_most(
        "settings",
        context.settings.len(),
        limits::JSON_BYTES,
        "bytes",
    )?;
    at_most("memo", context.memo.len(), limits::MEMO_BYTES, "bytes")
}

/// A guest's failure as a person may see it: cut and cleaned, never refused.
pub(crate) fn tidy(mut failure: Failure) -> Failure {
    failure.code = cut(&failure.code, CODE_BYTES);
    failure.message = cut(&failure.message, limits::TEXT_BYTES);
    failure
}

fn cut(text: &str, bytes: usize) -> String {
    let mut out = String::new();
    for c in text.chars().map(clean) {
        if out.len() + c.len_utf8() > bytes {
            break;
        }
        out.push(c);
    }
    out
}
