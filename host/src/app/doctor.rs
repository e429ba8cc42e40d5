//! `seatwise doctor`: what an operator looks at first, each with what to do, from the database to each profile's rights at the vendor.
//!
//! Invariants: it looks and changes nothing but verdicts of checks, which it keeps like every other run of them; no line carries a
//! secret; a line that cannot be judged says so and is no *pass*.

use std::time::Duration;

use serde::Serialize;

use super::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Denied, Permission};
use crate::kernel::IntoProblem as _;
use crate::kernel::clock::MINUTE_MS;
use crate::kernel::seal::Place;
use crate::notify::{self, NotifyError, desk, webhooks};
use crate::profiles::service as profiles;

/// Free space on the data folder's disk below which it is said, bytes.
const SPACE_WARNS: u64 = 1 << 30;
/// Free space below which downloads will fail, bytes.
const SPACE_FAILS: u64 = 100 << 20;
/// The host's clock may differ so much from the database's.
const CLOCK_WARNS_MS: i64 = 2_000;
/// Beyond this leases and signatures are wrong.
const CLOCK_FAILS_MS: i64 = 30_000;
/// Due work that nobody took for so long.
const WORK_LATE_MS: i64 = 5 * MINUTE_MS;
/// One vendor's checks may take so long.
const CHECKS_WITHIN: Duration = Duration::from_secs(60);

/// Whether something is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// In order.
    Pass,
    /// Works, and should be looked at; or could not be judged.
    Warn,
    /// Does not work.
    Fail,
}

/// One line.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// Such as `database`.
    pub area: &'static str,
    /// Of what: empty, or the name of a connector, webhook or profile.
    pub of: String,
    /// Whether it is in order.
    pub verdict: Verdict,
    /// What was found.
    pub says: String,
    /// What to do.
    pub fix: Option<String>,
}

impl Finding {
    fn new(area: &'static str, verdict: Verdict, says: impl Into<String>) -> Self {
        Self {
            area,
            of: String::new(),
            verdict,
            says: says.into(),
            fix: None,
        }
    }

    fn pass(area: &'static str, says: impl Into<String>) -> Self {
        Self::new(area, Verdict::Pass, says)
    }

    fn warn(area: &'static str, says: impl Into<String>, fix: &str) -> Self {
        Self {
            fix: Some(fix.to_owned()),
            ..Self::new(area, Verdict::Warn, says)
        }
    }

    fn fail(area: &'static str, says: impl Into<String>, fix: &str) -> Self {
        Self {
            fix: Some(fix.to_owned()),
            ..Self::new(area, Verdict::Fail, says)
        }
    }

    fn of(self, of: impl Into<String>) -> Self {
        Self {
            of: of.into(),
            ..self
        }
    }
}

/// Looks at everything.
///
/// # Errors
/// [`Denied`] without the right to administer.
pub async fn examine(host: &Host, actor: &Actor) -> Result<Vec<Finding>, Denied> {
    actor.may(Permission::Administer)?;
    if let Err(error) = asked(host, actor).await {
        tracing::warn!(%error, "that the doctor was asked could not be written down");
    }
    let mut found = database(host).await;
    if found
        .iter()
        .any(|line| line.area == "database" && line.verdict == Verdict::Fail)
    {
        // Nothing else can be known without it.
        return Ok(found);
    }
    found.push(key(host));
    found.push(disk(host).await);
    found.extend(connectors(host).await);
    found.push(egress(host));
    found.push(work(host).await);
    found.extend(mail(host, actor).await);
    found.extend(hooks(host, actor).await);
    found.extend(all_profiles(host).await);
    Ok(found)
}

/// That somebody asked: each vendor is asked by it, too.
async fn asked(host: &Host, actor: &Actor) -> Result<(), crate::store::StoreError> {
    let mut tx = host.store.begin().await?;
    let entry = Entry {
        event: "doctor.asked",
        subject_kind: "host",
        subject_id: "host",
        detail: serde_json::Value::Null,
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await
}

async fn database(host: &Host) -> Vec<Finding> {
    let failed = |error: crate::store::StoreError| {
        let problem = error.problem();
        Finding::fail("database", error.to_string(), &problem.fix.text)
    };
    let mut found = Vec::new();
    // A transaction that is dropped writes nothing, and proves that one could.
    match host.store.begin().await {
        Ok(_) => found.push(Finding::pass(
            "database",
            format!("{:?} takes writes", host.store.dialect()),
        )),
        Err(error) => return vec![failed(error)],
    }
    match host.store.migrations().await {
        Ok((known, applied)) if known == applied => {
            found.push(Finding::pass(
                "migrations",
                format!("all {known} are applied"),
            ));
        }
        Ok((known, applied)) => found.push(Finding::fail(
            "migrations",
            format!("the database has {applied}, this program {known}"),
            "Start the newest version on every host; each applies what is missing",
        )),
        Err(error) => found.push(failed(error)),
    }
    match host.store.now_ms().await {
        Ok(theirs) => found.push(clock(host.now_ms() - theirs)),
        Err(error) => found.push(failed(error)),
    }
    found
}

fn clock(apart_ms: i64) -> Finding {
    let says = format!("{apart_ms} ms from the database's");
    let fix = "Let the hosts and the database follow one time server";
    match apart_ms.abs() {
        n if n >= CLOCK_FAILS_MS => Finding::fail("clock", says, fix),
        n if n >= CLOCK_WARNS_MS => Finding::warn("clock", says, fix),
        _ => Finding::pass("clock", says),
    }
}

fn key(host: &Host) -> Finding {
    let place = Place {
        table: "doctor",
        row: "1",
        column: "probe",
    };
    let opened = host
        .sealer
        .seal(place, b"probe", &*host.chance)
        .and_then(|sealed| host.sealer.open(place, &sealed));
    match opened {
        Ok(plain) if plain.as_slice() == b"probe" => {
            Finding::pass("key", "seals and opens; the audit key is loaded")
        }
        _ => Finding::fail(
            "key",
            "the master key does not open what it has sealed",
            "Put the key file back from your backup and start again",
        ),
    }
}

async fn disk(host: &Host) -> Finding {
    let folder = &host.options.data_dir;
    let probe = folder.join(".doctor");
    let written = async {
        tokio::fs::write(&probe, b"probe").await?;
        tokio::fs::remove_file(&probe).await
    };
    if let Err(error) = written.await {
        return Finding::fail(
            "disk",
            format!("the data folder takes no file: {error}"),
            "Give the user of this process the right to write there, or make room",
        );
    }
    match free_bytes(folder) {
        Some(free) => space(free),
        None => Finding::warn(
            "disk",
            "the free space could not be read",
            "Look at it with the system's own tools",
        ),
    }
}

fn space(free: u64) -> Finding {
    let says = format!("{} MiB are free", free >> 20);
    let fix = "Make room on the disk of the data folder";
    match free {
        n if n < SPACE_FAILS => Finding::fail("disk", says, fix),
        n if n < SPACE_WARNS => Finding::warn("disk", says, fix),
        _ => Finding::pass("disk", says),
    }
}

#[cfg(unix)]
fn free_bytes(folder: &std::path::Path) -> Option<u64> {
    let known = rustix::fs::statvfs(folder).ok()?;
    Some(known.f_bavail.saturating_mul(known.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_folder: &std::path::Path) -> Option<u64> {
    None
}

async fn connectors(host: &Host) -> Vec<Finding> {
    let ids: Vec<String> = host.connectors.ids().map(str::to_owned).collect();
    let mut found = Vec::new();
    for id in ids {
        let line = match host.connectors.component(&id).await {
            Ok(component) => Finding::pass(
                "connectors",
                format!("version {}", component.manifest().connector.version),
            ),
            Err(error) => {
                let fix = error.problem().fix.text;
                Finding::fail("connectors", error.to_string(), &fix)
            }
        };
        found.push(line.of(id));
    }
    found
}

fn egress(host: &Host) -> Finding {
    let allowed = host.connectors.allow_targets();
    if allowed.is_empty() {
        Finding::pass("egress", "only public addresses, by TLS")
    } else {
        Finding::warn(
            "egress",
            "private or loopback targets are allowed",
            "Leave --allow-target out, unless a practice org or an inner service is meant",
        )
    }
}

/// The outbox and due work: whether somebody works at all.
async fn work(host: &Host) -> Finding {
    match crate::jobs::next_due(&host.store).await {
        Ok(Some(due)) if host.now_ms() - due > WORK_LATE_MS => Finding::fail(
            "work",
            format!(
                "work has been due for {} minutes",
                (host.now_ms() - due) / MINUTE_MS
            ),
            "Start a host that works on this database, and look at its log",
        ),
        Ok(_) => Finding::pass("work", "what is due is taken"),
        Err(error) => Finding::fail("work", error.to_string(), &error.problem().fix.text),
    }
}

async fn mail(host: &Host, actor: &Actor) -> Vec<Finding> {
    let refused = |error: NotifyError| {
        let fix = error.problem().fix.text;
        Finding::fail("mail", error.to_string(), &fix)
    };
    let mut found = vec![match notify::probe_mail_server(host, actor).await {
        Ok(Some(said)) => Finding::pass("mail", said),
        Ok(None) => Finding::warn(
            "mail",
            "no mail server is set: mail is written into a folder",
            "Set one on the page Mail, or with --mail-url",
        ),
        Err(error) => refused(error),
    }];
    match desk::get_backlog(host, actor).await {
        Ok(backlog) if backlog.is_late => found.push(Finding::warn(
            "outbox",
            format!("{} messages wait, some for long", backlog.due),
            "Look at the page Deliveries",
        )),
        Ok(backlog) if backlog.failed > 0 => found.push(Finding::warn(
            "outbox",
            format!("{} messages were given up", backlog.failed),
            "Look at the page Deliveries; each can be tried again",
        )),
        Ok(backlog) => found.push(Finding::pass(
            "outbox",
            format!("{} messages wait", backlog.due),
        )),
        Err(error) => found.push(refused(error)),
    }
    found
}

async fn hooks(host: &Host, actor: &Actor) -> Vec<Finding> {
    let hooks = match webhooks::list_webhooks(host, actor).await {
        Ok(hooks) => hooks,
        Err(error) => {
            let fix = error.problem().fix.text;
            return vec![Finding::fail("webhooks", error.to_string(), &fix)];
        }
    };
    if hooks.is_empty() {
        return vec![Finding::pass("webhooks", "none is set")];
    }
    hooks
        .into_iter()
        .map(|hook| {
            let line = if hook.state == "off" {
                let why = hook.off_reason.unwrap_or_else(|| "by a person".to_owned());
                let fix = "Repair the receiver, test the webhook, and switch it on again";
                Finding::warn("webhooks", format!("it is off: {why}"), fix)
            } else if hook.failing_since.is_some() {
                let fix = "Look at its deliveries and repair the receiver";
                Finding::fail("webhooks", "nothing gets through now", fix)
            } else {
                Finding::pass("webhooks", "takes what is sent")
            };
            line.of(hook.name)
        })
        .collect()
}

/// The checks of each profile that works, made now.
async fn all_profiles(host: &Host) -> Vec<Finding> {
    let system = Actor::system();
    let profiles = match profiles::list(host, &system).await {
        Ok(profiles) => profiles,
        Err(error) => {
            let fix = error.problem().fix.text;
            return vec![Finding::fail("profiles", error.to_string(), &fix)];
        }
    };
    let mut found = Vec::new();
    for profile in profiles {
        if !matches!(profile.state, "published" | "paused") {
            continue;
        }
        let of = format!("{} {}", profile.number, profile.name);
        let checked = tokio::time::timeout(
            CHECKS_WITHIN,
            profiles::check(host, &system, &profile.number),
        )
        .await;
        let checks = match checked {
            Ok(Ok(checks)) => checks,
            Ok(Err(error)) => {
                let fix = error.problem().fix.text;
                found.push(Finding::fail("profiles", error.to_string(), &fix).of(of));
                continue;
            }
            Err(_) => {
                let says = format!(
                    "the checks took longer than {} seconds",
                    CHECKS_WITHIN.as_secs()
                );
                let fix = "Look at the network towards the vendor, then try again";
                found.push(Finding::fail("profiles", says, fix).of(of));
                continue;
            }
        };
        let passed = checks
            .iter()
            .filter(|check| check.verdict == "pass")
            .count();
        let says = format!("{passed} of {} checks pass", checks.len());
        found.push(Finding::pass("profiles", says).of(&of));
        for check in checks {
            let says = format!("{}: {}", check.title, check.evidence);
            let fix = check.fix.unwrap_or_default();
            match (check.verdict.as_str(), check.is_mandatory) {
                ("fail", true) => found.push(Finding::fail("profiles", says, &fix).of(&of)),
                ("fail", false) | ("warn", _) => {
                    found.push(Finding::warn("profiles", says, &fix).of(&of));
                }
                _ => {}
            }
        }
    }
    if found.is_empty() {
        found.push(Finding::pass("profiles", "none is published yet"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_and_a_disk_are_judged_by_their_bounds() {
        for (apart, verdict) in [
            (0, Verdict::Pass),
            (-1_999, Verdict::Pass),
            (2_000, Verdict::Warn),
            (-30_000, Verdict::Fail),
        ] {
            assert_eq!(clock(apart).verdict, verdict, "{apart}");
        }
        for (free, verdict) in [
            (SPACE_WARNS, Verdict::Pass),
            (SPACE_WARNS - 1, Verdict::Warn),
            (SPACE_FAILS - 1, Verdict::Fail),
        ] {
            let line = space(free);
            assert_eq!(line.verdict, verdict, "{free}");
            assert_eq!(line.fix.is_none(), verdict == Verdict::Pass);
        }
    }
}
