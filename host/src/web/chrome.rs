//! What stands around every page: who is signed in, where one is, what the operator has opened.
use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Serialize;

use super::gate::Visitor;
use super::routes::Face;
use super::{Error, assets, templates, words};
use crate::app::host::Host;
use crate::identity::roles::Permission;
use crate::kernel::Problem;

/// The `done` of a page's address, as [`done`] puts it there.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Done {
    done: Option<String>,
}

impl Done {
    /// The same from a query that has more in it.
    pub(super) fn of(done: Option<String>) -> Self {
        Self { done }
    }
}

/// The frame's own context, `page` in every template.
#[derive(Clone, Debug, Serialize)]
pub struct Chrome {
    /// In the browser's title and, as a rule, the first heading.
    pub title: String,
    /// The signed-in person; none outside.
    pub person: Option<Me>,
    /// The token each form of this page carries; empty outside.
    pub csrf: String,
    /// Private targets the operator allowed, `host:port`.
    pub targets: Vec<String>,
    /// Why every reclaim is stopped, while it is.
    pub stopped: Option<String>,
    /// What was just done, from a closed list.
    pub done: Option<&'static str>,
    /// What went wrong with what was just tried.
    pub problem: Option<Problem>,
    /// The host's clock, for "3 h ago".
    pub now_ms: i64,
    /// The menu, with the present place marked.
    pub menu: Vec<Group>,
    /// Stylesheets, script, icon.
    pub links: assets::Links,
}

/// The signed-in person in the page's head.
#[derive(Clone, Debug, Serialize)]
pub struct Me {
    /// Their name.
    pub name: String,
    /// Their roles in words.
    pub roles: Vec<String>,
    /// The business units that they see; none: the whole company.
    pub sees: Vec<String>,
    /// What they may do, so that a page offers no button it would refuse.
    pub may: May,
}

/// One question per permission that decides about buttons.
#[derive(Clone, Debug, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one independent permission each; a set of them is what a template asks"
)]
pub struct May {
    manage_profiles: bool,
    accept_runs: bool,
    manage_sam: bool,
    edit_rules: bool,
    approve: bool,
    work_candidates: bool,
    /// Lists take in candidates of every business unit.
    list_candidates: bool,
    stop_reclaim: bool,
    read_audit: bool,
}

/// A headed part of the menu.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    name: &'static str,
    items: Vec<Item>,
}

/// One menu entry.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    name: &'static str,
    href: &'static str,
    icon: &'static str,
    is_here: bool,
}

/// Groups of name, address and icon, in the order of the work: see, connect, know, take back, account for it. A test holds every
/// entry against the route table and the sprite.
pub(super) const MENU: &[(&str, &[Entry])] = &[
    (
        "",
        &[
            ("Overview", "/", "home"),
            ("Position", "/position", "scale"),
        ],
    ),
    (
        "Connect",
        &[
            ("Connectors", "/connect", "layout-grid"),
            ("Profiles", "/profiles", "plug"),
            ("Sources", "/sources", "database"),
            ("Aliases", "/aliases", "key"),
            ("Runs", "/runs", "refresh"),
        ],
    ),
    (
        "Licences",
        &[
            ("Subscriptions", "/subscriptions", "id"),
            ("Software models", "/models", "packages"),
            ("Entitlements", "/entitlements", "file-text"),
            ("People", "/people", "users"),
        ],
    ),
    (
        "Reclaim",
        &[
            ("Rules", "/rules", "adjustments"),
            ("Candidates", "/candidates", "user-minus"),
            ("Batches", "/batches", "list-check"),
            ("Actions", "/actions", "history"),
            ("Exemptions", "/exemptions", "user-check"),
            ("Stop switch", "/reclaim", "hand-stop"),
        ],
    ),
    (
        "Administration",
        &[
            ("My account", "/account", "id"),
            ("Access", "/access", "user-check"),
            ("Audit", "/audit", "shield-check"),
            ("Roles", "/roles", "user-shield"),
            ("Tokens", "/tokens", "key"),
            ("Notifications", "/notifications", "bell"),
            ("Mail", "/mail", "mail"),
            ("Deliveries", "/deliveries", "archive"),
            ("Webhooks", "/webhooks", "webhook"),
            ("Vaults", "/vaults", "shield-lock"),
            ("Doctor", "/doctor", "circle-check"),
            ("Components", "/design", "palette"),
        ],
    ),
];

/// A menu entry: its name, its address, its icon.
pub(super) type Entry = (&'static str, &'static str, &'static str);

/// What was done, said after the redirect. Closed, so that an address cannot put words on our pages.
const DONE: &[(&str, &str)] = &[
    ("checked", "The checks have run."),
    (
        "checking",
        "Saved. The checks run now, one by one; you may leave and come back.",
    ),
    ("task-saved", "Saved."),
    (
        "deleted",
        "The draft is deleted, with its alias and its secret.",
    ),
    (
        "published",
        "The profile is published and its first run is queued.",
    ),
    ("collecting", "A run is queued."),
    (
        "connected",
        "The connection works: its org, its scopes and whose token it is were checked, and it is stored.",
    ),
    (
        "paused",
        "The profile is paused. Nothing is downloaded and nobody is acted on until it is resumed.",
    ),
    ("resumed", "The profile is resumed."),
    ("write-mode", "The write mode is changed."),
    ("scheduled", "The schedule is changed."),
    ("archived", "The profile is ended. Its history stays."),
    (
        "created",
        "The profile is created as a draft. Run its checks, then publish it.",
    ),
    (
        "accepted",
        "The download is accepted; its differences are applied.",
    ),
    (
        "run-resumed",
        "The run goes on at the page where it stopped.",
    ),
    (
        "run-cancelled",
        "The run is stopped. Nothing of it was applied.",
    ),
    (
        "assigned",
        "The identifier is recognised, for every org that uses it.",
    ),
    (
        "rule-approved",
        "Your approval of this rule version is recorded.",
    ),
    (
        "rule-refused",
        "This rule version is refused. It stays as it is until someone edits it.",
    ),
    (
        "rule-edited",
        "A new version is proposed. It decides nothing before it is approved.",
    ),
    (
        "rule-off",
        "The rule is off. Its open candidates are closed.",
    ),
    (
        "batch-made",
        "The batch is put together. Nothing happens before it is approved.",
    ),
    ("batch-approved", "Your approval of this batch is recorded."),
    ("answered", "The answer is recorded."),
    ("released", "The candidate goes on from where it was held."),
    (
        "repaired",
        "The candidate is ready again. It takes another approval.",
    ),
    ("decided", "The decision is recorded."),
    ("closed", "The candidate is closed."),
    ("undo", "The undo is queued."),
    ("reconciled", "The position is reconciled again."),
    (
        "reconciled-same",
        "Nothing has changed since the last reconciliation of today.",
    ),
    (
        "matched",
        "The account belongs to that person now, and no later matching undoes it.",
    ),
    (
        "resolution",
        "The rule is added and applied to every account without a person.",
    ),
    ("entitlement", "The entitlement is added."),
    (
        "superseded",
        "The source is superseded; nothing that it brought counts any more.",
    ),
    (
        "taken-back",
        "The source counts again, with the very rows that it had.",
    ),
    ("retired", "The entitlement is retired."),
    (
        "reinstated",
        "The entitlement counts again, within its dates.",
    ),
    ("exempted", "The exemption is in force."),
    ("exemption-ended", "The exemption has ended."),
    ("freeze-days", "The freeze days are set."),
    ("revoked", "The token is revoked."),
    (
        "mail-server",
        "The mail server is set. Send yourself a test before you rely on it.",
    ),
    (
        "mail-folder",
        "Mail is put into the pickup directory again. The password is deleted.",
    ),
    (
        "message-retried",
        "The message is tried again at once; its state shows what became of it.",
    ),
    (
        "message-withdrawn",
        "The message is withdrawn and will not be sent.",
    ),
    ("chosen", "What you are told is set."),
    ("webhook-changed", "The webhook is changed."),
    (
        "webhook-removed",
        "The webhook is removed, and its secret with it.",
    ),
    (
        "proxy",
        "The proxy is set. Where it changed, the stored secrets are deleted: reconnect.",
    ),
    (
        "roots",
        "The trusted authorities are set, and the stored secrets are deleted: reconnect.",
    ),
    ("hosts", "The further hosts are set."),
    (
        "vault-set",
        "The vault is set. The form of a connection offers it beside each secret.",
    ),
    (
        "vault-removed",
        "The vault is removed, and its token with it.",
    ),
    (
        "password-set",
        "The password is set. Every other session has ended.",
    ),
    ("session-ended", "The session has ended."),
    ("others-ended", "Every other session has ended."),
    (
        "factor-off",
        "The second factor is off. Signing in asks for your password alone.",
    ),
    (
        "roles-set",
        "The roles are set. Open sessions of that person have ended.",
    ),
    (
        "sign-on-set",
        "The provider's document was read. Single sign-on is set up and on.",
    ),
    ("sign-on-on", "Single sign-on is on."),
    ("sign-on-off", "Single sign-on is off."),
    (
        "group-mapped",
        "The group gives the role, also to whoever came with it last time.",
    ),
    (
        "group-unmapped",
        "The group gives the role no more, from this moment.",
    ),
    (
        "sight-set",
        "What they see is changed. Their open sessions have ended.",
    ),
    ("unit-made", "The business unit is made."),
    (
        "profile-placed",
        "The profile belongs there now, with its organization, runs and candidates.",
    ),
    (
        "deactivated",
        "The access is taken away: sessions have ended, tokens stop working.",
    ),
    (
        "reactivated",
        "The access is given back, with the roles of before.",
    ),
    (
        "factor-reset",
        "The second factor is taken away. Sessions of that person have ended.",
    ),
    (
        "stopped",
        "Everything is stopped. Nothing is sent to any vendor until someone lets it go on.",
    ),
    ("provider-made", "The identity provider is named."),
    (
        "sign-ins-brought",
        "The sign-ins are taken. Say below which organization each application stands for.",
    ),
    (
        "application-mapped",
        "The sign-ins of this application are matched to accounts.",
    ),
    (
        "counting",
        "The setting is changed; rules and candidates follow it now.",
    ),
    ("source-made", "The source is made. Bring its first file."),
    (
        "source-deleted",
        "The source is deleted: everything that its files brought has ended.",
    ),
    ("mapped", "The file is read this way now. Look at it again."),
    (
        "importing",
        "The import is queued; what the file does not name ends when it is complete.",
    ),
    ("started", "Reclaims may go on, under all other conditions."),
];

impl Chrome {
    /// The frame of a page that anybody may see.
    #[must_use]
    pub fn outside(host: &Host) -> Self {
        Self {
            title: "Seatwise".to_owned(),
            person: None,
            csrf: String::new(),
            targets: targets(host),
            stopped: None,
            done: None,
            problem: None,
            now_ms: host.now_ms(),
            menu: Vec::new(),
            links: assets::links(),
        }
    }

    /// The frame of a signed-in person's page.
    #[must_use]
    pub fn of(host: &Host, visitor: &Visitor) -> Self {
        let may = |permission| visitor.actor.may(permission).is_ok();
        let person = Me {
            name: visitor.actor.name.clone(),
            roles: visitor
                .actor
                .roles
                .iter()
                .map(|role| words::spoken(role.as_str()))
                .collect(),
            sees: visitor
                .actor
                .sight
                .names()
                .into_iter()
                .map(str::to_owned)
                .collect(),
            may: May {
                manage_profiles: may(Permission::ManageProfiles),
                accept_runs: may(Permission::AcceptRuns),
                manage_sam: may(Permission::ManageSam),
                edit_rules: may(Permission::EditRules),
                approve: may(Permission::Approve),
                work_candidates: may(Permission::WorkCandidates),
                list_candidates: visitor
                    .actor
                    .may_everywhere(Permission::WorkCandidates)
                    .is_ok(),
                stop_reclaim: may(Permission::StopReclaim),
                read_audit: may(Permission::ReadAudit),
            },
        };
        Self {
            person: Some(person),
            csrf: visitor.csrf.clone(),
            stopped: visitor.stopped.clone(),
            menu: menu(visitor),
            ..Self::outside(host)
        }
    }

    /// The same under this title.
    #[must_use]
    pub fn titled(mut self, title: &str) -> Self {
        self.title = title.to_owned();
        self.with_error_in_title()
    }

    /// The same, saying what was just done.
    #[must_use]
    pub fn done(mut self, done: &Done) -> Self {
        self.done = done
            .done
            .as_deref()
            .and_then(|key| DONE.iter().find(|(known, _)| *known == key))
            .map(|(_, said)| *said);
        self
    }

    /// The same, saying what went wrong.
    #[must_use]
    pub fn troubled(mut self, problem: Option<Problem>) -> Self {
        if problem.is_some() {
            self.problem = problem;
        }
        self.with_error_in_title()
    }

    /// A screen reader reads the title first, so it tells a failure first.
    fn with_error_in_title(mut self) -> Self {
        if self.problem.is_some() && !self.title.starts_with("Error: ") {
            self.title.insert_str(0, "Error: ");
        }
        self
    }
}

fn targets(host: &Host) -> Vec<String> {
    let targets = host.connectors.allow_targets().iter();
    targets
        .map(|(name, port)| format!("{name}:{port}"))
        .collect()
}

/// What each place of the menu asks for, as the route table says.
static NEEDS: LazyLock<BTreeMap<&str, Permission>> = LazyLock::new(|| {
    super::routes::table()
        .into_iter()
        .filter(|route| route.face == Face::Page && route.method == Method::GET)
        .filter_map(|route| Some((route.path, route.needs?)))
        .collect()
});

/// The places that this visitor may go to; a group without one is left out.
fn menu(visitor: &Visitor) -> Vec<Group> {
    let path = &visitor.path;
    MENU.iter()
        .map(|(name, items)| Group {
            name,
            items: items
                .iter()
                .filter(|(_, href, _)| {
                    NEEDS
                        .get(href)
                        .is_some_and(|needs| visitor.actor.may(*needs).is_ok())
                })
                .map(|&(name, href, icon)| Item {
                    name,
                    href,
                    icon,
                    is_here: path == href || (href != "/" && path.starts_with(&format!("{href}/"))),
                })
                .collect(),
        })
        .filter(|group| !group.items.is_empty())
        .collect()
}

/// A page's whole context: the frame under `page`, the rest beside it.
#[derive(Serialize)]
struct Framed<'a, T> {
    page: &'a Chrome,
    #[serde(flatten)]
    body: &'a T,
}

/// Renders a page; its status is its problem's, else 200.
///
/// # Errors
/// A fault in the template.
pub fn page(template: &str, frame: &Chrome, body: &impl Serialize) -> Result<Response, Error> {
    let html = templates::render(template, &Framed { page: frame, body })?;
    let status = frame
        .problem
        .as_ref()
        .and_then(|problem| StatusCode::from_u16(problem.status).ok())
        .unwrap_or(StatusCode::OK);
    Ok((
        status,
        [(header::CONTENT_TYPE, "text/html; charset=utf-8")],
        html,
    )
        .into_response())
}

/// After a successful POST: back to a page, which says what was done.
#[must_use]
pub fn done(path: &str, key: &str) -> Response {
    debug_assert!(
        DONE.iter().any(|(known, _)| *known == key),
        "unknown notice {key}"
    );
    Redirect::to(&format!("{path}?done={key}")).into_response()
}
