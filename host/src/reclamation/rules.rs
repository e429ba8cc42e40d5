//! Use cases of rules: proposing, previewing, editing, approval A, switching off.

use std::collections::{BTreeMap, BTreeSet};

use seatwise_runtime::Manifest;
use serde_json::json;

use super::candidate::{Event, State};
use super::life::{self, Note};
use super::model::{Difference, Preview, PreviewRow, RuleState, RuleView, VerdictCount};
use super::rule::{self, Deciding, Edit, FieldError, Wording};
use super::store::candidates;
use super::store::rules::{self as store, NewApproval, NewVersion, RuleRow};
use super::store::verdicts::{self, Asked};
use super::{ReclamationError, authority, evaluate, naming, not_found, planning, reason, telling};
use crate::app::host::Host;
use crate::audit::Entry;
use crate::identity::roles::{Actor, Permission};
use crate::kernel::money::Money;
use crate::kernel::{ApprovalId, Day, OrgId, ProductId, RuleId, RuleVersionId};
use crate::profiles::acting;
use crate::store::Tx;
use crate::store::numbers::{self, Series};

/// Most rows of a preview.
pub const MOST_PREVIEW_ROWS: i64 = 1_000;

/// Proposes a rule for each paid product of a connector that people hold and that never had one. Answers how many.
///
/// # Errors
/// The database's own.
pub async fn propose(
    host: &Host,
    tx: &mut Tx,
    manifest: &Manifest,
) -> Result<usize, ReclamationError> {
    let system = Actor::system();
    let products = store::products_without_rule(tx, &manifest.connector.id).await?;
    let threshold_days = acting::threshold_for(tx, &manifest.connector.id).await?;
    let mut proposed = 0;
    for (product, name) in &products {
        let identifiers = store::identifiers_of(tx, product)
            .await?
            .remove(&manifest.connector.id)
            .unwrap_or_default();
        let mut actions = manifest.actions_for(&identifiers).into_iter();
        // Where nothing takes all of a product back, there is nothing to propose.
        let Some(action) = actions.find(|action| action.frees_seat) else {
            continue;
        };
        let now_ms = host.now_ms();
        let (id, version) = (
            RuleId::mint(now_ms, &*host.chance),
            RuleVersionId::mint(now_ms, &*host.chance),
        );
        let deciding = Deciding {
            threshold_days,
            ..Deciding::generated(&action.id)
        };
        let wording = Wording {
            name: format!("{name}: unused seats"),
            note: String::new(),
        };
        let number = numbers::next(tx, Series::Rule).await?;
        store::insert_rule(tx, &id, &number, product, &wording.name, &version, now_ms).await?;
        let new = NewVersion {
            id: &version,
            rule: &id,
            version_no: 1,
            deciding: &deciding,
            wording: &wording,
            author_id: system.id.as_str(),
            authors: &[system.id.to_string()],
            now_ms,
        };
        store::insert_version(tx, &new).await?;
        let entry = Entry {
            event: "rule.proposed",
            subject_kind: "rule",
            subject_id: id.as_str(),
            detail: json!({ "number": number, "product": name, "digest": deciding.digest() }),
        };
        host.audit(tx, &system, entry).await?;
        telling::rule_waits(host, tx, (&id, &number, &wording.name), &version).await?;
        proposed += 1;
    }
    Ok(proposed)
}

async fn need(tx: &mut Tx, key: &str) -> Result<RuleRow, ReclamationError> {
    store::find(tx, key)
        .await?
        .ok_or_else(|| not_found("rule", key))
}

async fn view(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    row: RuleRow,
) -> Result<RuleView, ReclamationError> {
    let decisions = store::decisions(
        tx,
        "rule_version",
        row.current.id.as_str(),
        &row.current.digest,
    )
    .await?;
    let is_refused = decisions.iter().any(|d| d.decision == "refused");
    let is_waiting = row.state != RuleState::Off
        && !is_refused
        && row
            .in_force
            .as_ref()
            .is_none_or(|version| version.id != row.current.id);
    let changed_fields = row.in_force.as_ref().map_or_else(Vec::new, |old| {
        rule::differences(&old.deciding, &row.current.deciding)
    });
    let changes = row.in_force.as_ref().map_or_else(Vec::new, |old| {
        rule::changes(&old.deciding, &row.current.deciding)
    });
    Ok(RuleView {
        changes,
        may_not_approve: match actor.may_everywhere(Permission::Approve) {
            Ok(()) => authority::objection(host, tx, actor, &row, &row.current).await?,
            Err(denied) => Some(denied.to_string()),
        },
        open_candidates: store::count_open(tx, &row.id).await?,
        sentence: row.current.deciding.sentence(&row.product),
        id: row.id,
        number: row.number,
        name: row.name,
        product_id: row.product_id,
        product: row.product,
        state: row.state,
        in_force_no: row.in_force.as_ref().map(|version| version.version_no),
        is_waiting,
        changed_fields,
        decisions,
        version_id: row.current.id,
        version_no: row.current.version_no,
        digest: row.current.digest,
        deciding: row.current.deciding,
        wording: row.current.wording,
        author: row.current.author,
        created_at: row.created_at,
    })
}

/// All rules, by number.
///
/// # Errors
/// [`ReclamationError::Denied`].
pub async fn list_rules(host: &Host, actor: &Actor) -> Result<Vec<RuleView>, ReclamationError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let mut views = Vec::new();
    for row in store::list(&mut tx).await? {
        views.push(view(host, &mut tx, actor, row).await?);
    }
    Ok(views)
}

/// One rule by id or number.
///
/// # Errors
/// [`ReclamationError::NotFound`], [`ReclamationError::Denied`].
pub async fn get_rule(host: &Host, actor: &Actor, key: &str) -> Result<RuleView, ReclamationError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let row = need(&mut tx, key).await?;
    view(host, &mut tx, actor, row).await
}

/// Who the newest version of a rule would name today, and why the others not. Nothing is written, nobody is asked.
///
/// # Errors
/// [`ReclamationError::NotFound`], [`ReclamationError::Denied`].
pub async fn preview_rule(
    host: &Host,
    actor: &Actor,
    key: &str,
    limit: i64,
) -> Result<Preview, ReclamationError> {
    actor.may(Permission::Read)?;
    let mut tx = host.store.read(&actor.sight).await?;
    let row = need(&mut tx, key).await?;
    let now_ms = host.now_ms();
    let today = Day::of_ms(now_ms);
    let version = &row.current;
    let asked = Asked::new(&row.product_id, &version.deciding, now_ms);
    let counts = verdicts::count(&mut tx, &asked).await?;
    let named = verdicts::named_by_organization(&mut tx, &asked).await?;
    let saving = naming::worth(&mut tx, &row.product_id, &named, today).await?;
    let rows = verdicts::list(&mut tx, &asked, limit.clamp(1, MOST_PREVIEW_ROWS)).await?;
    let mut people = Vec::with_capacity(rows.len());
    let mut prices: BTreeMap<OrgId, Option<Money>> = BTreeMap::new();
    for row_of in rows {
        if !prices.contains_key(&row_of.organization_id) {
            let one = [(row_of.organization_id.clone(), 1)];
            let price = naming::worth(&mut tx, &row.product_id, &one, today).await?;
            prices.insert(row_of.organization_id.clone(), price);
        }
        let price = prices.get(&row_of.organization_id).copied().flatten();
        let inactive_days = row_of
            .baseline_at
            .map(|at| Day::of_ms(at).days_until(today));
        people.push(PreviewRow {
            why: evaluate::because(
                &row_of.verdict,
                inactive_days,
                version.deciding.threshold_days,
            ),
            organization_id: row_of.organization_id,
            organization_name: row_of.organization_name,
            account_id: row_of.account_id,
            principal: row_of.principal,
            name: row_of.name,
            identifier: row_of.identifier,
            is_resolved: row_of.person_id.is_some(),
            activity_at: row_of.activity_at,
            inactive_days,
            verdict: row_of.verdict,
            saving_minor: price.map(|money| money.minor),
            currency: price.map(|money| money.currency.code().to_owned()),
        });
    }
    Ok(Preview {
        rule_number: row.number.clone(),
        version_no: version.version_no,
        digest: version.digest.clone(),
        as_of_day: today.to_string(),
        people_count: named.iter().map(|(_, n)| n).sum(),
        saving_minor: saving.map(|money| money.minor),
        currency: saving.map(|money| money.currency.code().to_owned()),
        rows_count: counts.iter().map(|(_, n)| n).sum(),
        verdicts: counts
            .into_iter()
            .map(|(verdict, count)| VerdictCount {
                says: evaluate::says(&verdict).to_owned(),
                verdict,
                count,
            })
            .collect(),
        people,
    })
}

/// Actions by which the connectors of a product can take all of it back; a rule may name only these.
async fn known_actions(
    host: &Host,
    tx: &mut Tx,
    product: &ProductId,
) -> Result<BTreeSet<String>, ReclamationError> {
    let mut known: Option<BTreeSet<String>> = None;
    for (connector, identifiers) in store::identifiers_of(tx, product).await? {
        // Imported keys have no connector; their seats are left to a person.
        if crate::profiles::imported::is_imported(&connector) {
            continue;
        }
        let manifest = host.connectors.manifest(&connector)?;
        let its: BTreeSet<String> = manifest
            .actions_for(&identifiers)
            .into_iter()
            .map(|action| action.id.clone())
            .collect();
        known = Some(match known {
            None => its,
            Some(both) => both.intersection(&its).cloned().collect(),
        });
    }
    Ok(known.unwrap_or_default())
}

/// The version that follows the newest one; everyone behind the actor becomes one of its authors.
async fn insert_edited(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    row: &RuleRow,
    deciding: &Deciding,
    wording: &Wording,
) -> Result<RuleVersionId, ReclamationError> {
    let now_ms = host.now_ms();
    let id = RuleVersionId::mint(now_ms, &*host.chance);
    let mut authors = row.current.authors.clone();
    authors.extend(actor.people_behind().into_iter().map(|p| p.to_string()));
    authors.sort();
    authors.dedup();
    let new = NewVersion {
        id: &id,
        rule: &row.id,
        version_no: row.current.version_no + 1,
        deciding,
        wording,
        author_id: actor.id.as_str(),
        authors: &authors,
        now_ms,
    };
    store::insert_version(tx, &new).await?;
    Ok(id)
}

/// Changes a rule: a new version, which waits for approval A unless only its wording differs.
///
/// # Errors
/// [`ReclamationError::Field`] naming the field, [`ReclamationError::NotFound`], [`ReclamationError::Denied`].
pub async fn edit_rule(
    host: &Host,
    actor: &Actor,
    key: &str,
    edit: &Edit,
) -> Result<RuleView, ReclamationError> {
    actor.may(Permission::EditRules)?;
    let mut tx = host.store.begin().await?;
    let mut row = need(&mut tx, key).await?;
    let old = row.current.clone();
    let deciding = old.deciding.clone().edited(edit)?;
    let known = known_actions(host, &mut tx, &row.product_id).await?;
    if let Some(action) = deciding.actions.iter().find(|a| !known.contains(*a)) {
        return Err(FieldError {
            field: "actions",
            why: format!(
                "has `{action}`, which the connector does not know; it knows {}",
                known.into_iter().collect::<Vec<_>>().join(", ")
            ),
        }
        .into());
    }
    let wording = old.wording.edited(edit)?;
    if deciding == old.deciding && wording == old.wording {
        return view(host, &mut tx, actor, row).await;
    }
    let decides = deciding.digest() != old.digest;
    let current = if decides {
        insert_edited(host, &mut tx, actor, &row, &deciding, &wording).await?
    } else {
        store::reword(&mut tx, &old.id, &wording).await?;
        old.id.clone()
    };
    row.name.clone_from(&wording.name);
    let state = if row.state == RuleState::Off && decides {
        RuleState::Proposed
    } else {
        row.state
    };
    // The version in force stays in force, with its approvals and candidates, until a deciding change is approved.
    let in_force = row.in_force.as_ref().map(|version| version.id.clone());
    store::save(&mut tx, &row, state, &current, in_force.as_ref()).await?;
    let entry = Entry {
        event: "rule.edited",
        subject_kind: "rule",
        subject_id: row.id.as_str(),
        detail: json!({
            "number": row.number, "fields": rule::differences(&old.deciding, &deciding),
            "from": old.digest, "to": deciding.digest(), "name": wording.name,
        }),
    };
    host.audit(&mut tx, actor, entry).await?;
    if decides {
        telling::rule_waits(host, &mut tx, (&row.id, &row.number, &row.name), &current).await?;
    }
    tx.commit().await?;
    get_rule(host, actor, row.id.as_str()).await
}

/// Refuses what was not seen: the digest must be that of the newest version.
fn must_be_seen(row: &RuleRow, seen: &str) -> Result<(), ReclamationError> {
    if seen == row.current.digest {
        return Ok(());
    }
    let rule = row.in_force.as_ref().map_or_else(
        || vec!["version".to_owned()],
        |old| rule::differences(&old.deciding, &row.current.deciding),
    );
    Err(ReclamationError::Stale {
        what: "rule",
        difference: Difference {
            rule,
            ..Difference::default()
        },
    })
}

/// Approval A: the newest version comes into force, candidates may open. The same approval twice is one.
///
/// # Errors
/// [`ReclamationError::Stale`] when the newest version is not the one that was seen, [`ReclamationError::OwnWork`],
/// [`ReclamationError::WrongState`] when it was refused, [`ReclamationError::Denied`].
pub async fn approve_rule(
    host: &Host,
    actor: &Actor,
    key: &str,
    seen: &str,
) -> Result<RuleView, ReclamationError> {
    // A rule names people of every business unit.
    actor.may_everywhere(Permission::Approve)?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, key).await?;
    must_be_seen(&row, seen)?;
    authority::require(host, &mut tx, actor, &row, &row.current).await?;
    if row
        .in_force
        .as_ref()
        .is_some_and(|v| v.id == row.current.id)
    {
        return view(host, &mut tx, actor, row).await;
    }
    if row.state == RuleState::Off {
        return Err(ReclamationError::WrongState(format!(
            "{} is switched off; change it to propose it again",
            row.number
        )));
    }
    decide(host, &mut tx, actor, &row, true, None).await?;
    let current = row.current.id.clone();
    store::save(&mut tx, &row, RuleState::InForce, &current, Some(&current)).await?;
    close_open(host, &mut tx, actor, &row, "a newer version is in force").await?;
    for (organization, _) in store::seats_by_organization(&mut tx, &row.product_id).await? {
        if row.current.deciding.covers(organization.as_str()) {
            planning::wake(host, &mut tx, &organization).await?;
        }
    }
    tx.commit().await?;
    get_rule(host, actor, row.id.as_str()).await
}

/// Refuses the newest version. Another version that is in force stays so.
///
/// # Errors
/// As [`approve_rule`]; [`ReclamationError::Reason`].
pub async fn refuse_rule(
    host: &Host,
    actor: &Actor,
    key: &str,
    seen: &str,
    why: &str,
) -> Result<RuleView, ReclamationError> {
    // A rule names people of every business unit.
    actor.may_everywhere(Permission::Approve)?;
    let why = reason(why)?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, key).await?;
    must_be_seen(&row, seen)?;
    if row
        .in_force
        .as_ref()
        .is_some_and(|v| v.id == row.current.id)
    {
        return Err(ReclamationError::WrongState(format!(
            "version {} of {} is in force already; switch the rule off instead",
            row.current.version_no, row.number
        )));
    }
    decide(host, &mut tx, actor, &row, false, Some(why)).await?;
    let (state, in_force) = match &row.in_force {
        Some(version) => (RuleState::InForce, Some(version.id.clone())),
        None => (RuleState::Off, None),
    };
    let current = row.current.id.clone();
    store::save(&mut tx, &row, state, &current, in_force.as_ref()).await?;
    tx.commit().await?;
    get_rule(host, actor, row.id.as_str()).await
}

async fn decide(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    row: &RuleRow,
    is_approved: bool,
    why: Option<&str>,
) -> Result<(), ReclamationError> {
    let now_ms = host.now_ms();
    let via = actor.via_word();
    let approval = NewApproval {
        id: &ApprovalId::mint(now_ms, &*host.chance),
        subject_kind: "rule_version",
        subject_id: row.current.id.as_str(),
        digest: &row.current.digest,
        principal_id: actor.id.as_str(),
        via: &via,
        is_approved,
        reason: why,
        seats: None,
        now_ms,
    };
    if !store::insert_approval(tx, &approval).await? {
        return Err(ReclamationError::WrongState(format!(
            "{} has decided about this version of {} before",
            actor.name, row.number
        )));
    }
    let entry = Entry {
        event: if is_approved {
            "rule.approved"
        } else {
            "rule.refused"
        },
        subject_kind: "rule",
        subject_id: row.id.as_str(),
        detail: json!({
            "number": row.number, "version": row.current.version_no, "digest": row.current.digest, "reason": why,
        }),
    };
    host.audit(tx, actor, entry).await?;
    Ok(())
}

/// Switches a rule off: its open candidates are closed, except those with a request under way.
///
/// # Errors
/// [`ReclamationError::Reason`], [`ReclamationError::NotFound`], [`ReclamationError::Denied`].
pub async fn switch_off_rule(
    host: &Host,
    actor: &Actor,
    key: &str,
    why: &str,
) -> Result<RuleView, ReclamationError> {
    actor.may(Permission::EditRules)?;
    let why = reason(why)?;
    let mut tx = host.store.begin().await?;
    let row = need(&mut tx, key).await?;
    let current = row.current.id.clone();
    store::save(&mut tx, &row, RuleState::Off, &current, None).await?;
    close_open(
        host,
        &mut tx,
        actor,
        &row,
        &format!("the rule was switched off: {why}"),
    )
    .await?;
    let entry = Entry {
        event: "rule.switched_off",
        subject_kind: "rule",
        subject_id: row.id.as_str(),
        detail: json!({ "number": row.number, "reason": why }),
    };
    host.audit(&mut tx, actor, entry).await?;
    tx.commit().await?;
    get_rule(host, actor, row.id.as_str()).await
}

/// Closes what older versions of a rule, or a rule that ended, have open. What was taken back stays to be confirmed.
async fn close_open(
    host: &Host,
    tx: &mut Tx,
    actor: &Actor,
    row: &RuleRow,
    why: &str,
) -> Result<(), ReclamationError> {
    let open = candidates::open_of_rule(tx, &row.id).await?;
    let closing = open
        .into_iter()
        .filter(|c| c.state.is_calm() && c.state != State::Reclaimed)
        .collect();
    let note = Note::because("rule_gone", why);
    life::advance_all(host, tx, actor, Event::RuleGone, closing, &note).await?;
    Ok(())
}
