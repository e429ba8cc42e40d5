//! Roles, permissions and the actor that every write names. Pure.
//!
//! [`Permission::granted_to`] is the one place that says which role may do what: the gate, the services, the page *Roles* and
//! `host/docs/roles.md` all read it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::kernel::{IntoProblem, PrincipalId, Problem};
use crate::store::Sight;

/// What a person is to this installation (`sam-domain.md` §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Makes and runs integration profiles.
    SamIntegrator,
    /// Rules, reconciliation, products, entitlements, exclusions.
    SamAdmin,
    /// Reads everything, answers for people, undoes.
    SamUser,
    /// Approves rules and batches.
    Approver,
    /// Writes connectors and looks at what their runs did.
    ConnectorAuthor,
    /// Reads the audit trail.
    Auditor,
    /// People, roles, connectors, kill switch.
    Admin,
}

impl Role {
    /// All roles, in the order pages list them.
    pub const ALL: [Self; 7] = [
        Self::SamIntegrator,
        Self::SamAdmin,
        Self::SamUser,
        Self::Approver,
        Self::ConnectorAuthor,
        Self::Auditor,
        Self::Admin,
    ];

    /// The stored and spoken word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SamIntegrator => "sam_integrator",
            Self::SamAdmin => "sam_admin",
            Self::SamUser => "sam_user",
            Self::Approver => "approver",
            Self::ConnectorAuthor => "connector_author",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// What somebody in this role is for, one sentence.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::SamIntegrator => "Connects vendor orgs and keeps their downloads running.",
            Self::SamAdmin => "Owns rights, products, prices, rules and exemptions.",
            Self::SamUser => "Works through candidates: answers, releases, closes, undoes.",
            Self::Approver => "Approves rules and batches; never what they made themselves.",
            Self::ConnectorAuthor => "Writes connectors and reads what their runs did.",
            Self::Auditor => "Reads everything, the audit trail included; changes nothing.",
            Self::Admin => "People, roles, sign-in and the stop switch; approves nothing.",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// One thing an actor may do. Each route and service function asks for exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// See profiles, runs, subscriptions, models, rules, candidates, positions.
    Read,
    /// Create, check, publish, pause, schedule and run profiles; set the write mode.
    ManageProfiles,
    /// Accept a held run with a reason.
    AcceptRuns,
    /// Entitlements, prices, products, identifiers, people, reconcile on demand.
    ManageSam,
    /// Edit or switch off rules, add exemptions.
    EditRules,
    /// Approval A and B.
    Approve,
    /// Put a batch together, answer for people, release, close, undo.
    WorkCandidates,
    /// The kill switch.
    StopReclaim,
    /// Read and verify the audit trail.
    ReadAudit,
    /// People, roles, sign-in links, connectors.
    Administer,
    /// Own password, second factor, tokens and sessions. Everybody who is signed in has it, even without a role.
    OwnAccount,
}

impl Permission {
    /// All permissions.
    pub const ALL: [Self; 11] = [
        Self::Read,
        Self::ManageProfiles,
        Self::AcceptRuns,
        Self::ManageSam,
        Self::EditRules,
        Self::Approve,
        Self::WorkCandidates,
        Self::StopReclaim,
        Self::ReadAudit,
        Self::Administer,
        Self::OwnAccount,
    ];

    /// The word used in token scopes and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ManageProfiles => "manage_profiles",
            Self::AcceptRuns => "accept_runs",
            Self::ManageSam => "manage_sam",
            Self::EditRules => "edit_rules",
            Self::Approve => "approve",
            Self::WorkCandidates => "work_candidates",
            Self::StopReclaim => "stop_reclaim",
            Self::ReadAudit => "read_audit",
            Self::Administer => "administer",
            Self::OwnAccount => "own_account",
        }
    }

    /// What it allows, one sentence.
    #[must_use]
    pub fn says(self) -> &'static str {
        match self {
            Self::Read => "See profiles, runs, subscriptions, rules, candidates and positions",
            Self::ManageProfiles => {
                "Create, check, publish, schedule, pause and run profiles; set their write mode"
            }
            Self::AcceptRuns => "Accept a held download with a reason",
            Self::ManageSam => "Entitlements, prices, products, identifiers and the directory",
            Self::EditRules => "Edit and switch off rules, add exemptions",
            Self::Approve => "Approve a rule version and a batch",
            Self::WorkCandidates => "Put batches together, answer for people, release, close, undo",
            Self::StopReclaim => "Stop every reclaim, and let it go on",
            Self::ReadAudit => "Read and verify the audit trail",
            Self::Administer => "People, roles, sign-in links and single sign-on",
            Self::OwnAccount => "Their own password, second factor, sessions and tokens",
        }
    }

    /// Whether its deeds reach further than one business unit, so that whoever sees only some does not hold it: settings of profiles
    /// touch what several share, products and rules are the company's, the audit trail is one chain.
    #[must_use]
    pub fn reaches_the_company(self) -> bool {
        !matches!(
            self,
            Self::Read | Self::WorkCandidates | Self::Approve | Self::OwnAccount
        )
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|permission| permission.as_str() == text)
    }

    /// The roles that carry this permission.
    #[must_use]
    pub fn granted_to(self) -> &'static [Role] {
        use Role::{Admin, Approver, Auditor, SamAdmin, SamIntegrator, SamUser};
        match self {
            Self::Read | Self::OwnAccount => &Role::ALL,
            Self::ManageProfiles | Self::AcceptRuns => &[SamIntegrator, SamAdmin, Admin],
            Self::ManageSam | Self::EditRules => &[SamAdmin, SamIntegrator],
            Self::Approve => &[Approver],
            Self::WorkCandidates => &[SamUser, SamAdmin, SamIntegrator, Approver],
            Self::StopReclaim => &[SamIntegrator, SamAdmin, Approver, Admin],
            Self::ReadAudit => &[Auditor, Admin, SamAdmin, Approver],
            Self::Administer => &[Admin],
        }
    }
}

/// How an actor came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "via")]
pub enum Via {
    /// Signed-in browser session.
    Session {
        /// The session's id.
        session: String,
    },
    /// Personal token, with who minted it and what it may do.
    Token {
        /// The token's id.
        token: String,
        /// The principal that minted it; may differ from whom it acts for.
        minted_by: PrincipalId,
        /// Empty: everything its principal may.
        scopes: BTreeSet<Permission>,
    },
    /// A hand-over link: somebody without an account answers one task for the actor.
    HandOver {
        /// For whom it was made, in the actor's words.
        recipient: String,
    },
    /// The host itself: timers, generated rules.
    System,
}

/// Who acts, with which rights, by which door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actor {
    /// The principal.
    pub id: PrincipalId,
    /// For messages.
    pub name: String,
    /// Roles held at this moment; read anew on each request.
    pub roles: BTreeSet<Role>,
    /// The door.
    pub via: Via,
    /// The business units they see at this moment; read anew on each request.
    pub sight: Sight,
}

/// The actor may not do this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} may not {}{}", .permission.as_str(), if *.reaches_further { " while they see only some business units" } else { "" })]
pub struct Denied {
    /// Who asked.
    pub name: String,
    /// What for.
    pub permission: Permission,
    /// They see only some business units, and this reaches further than any of them.
    pub reaches_further: bool,
}

impl IntoProblem for Denied {
    fn problem(&self) -> Problem {
        let roles: Vec<_> = self
            .permission
            .granted_to()
            .iter()
            .map(|r| r.as_str())
            .collect();
        let roles = roles.join(", ");
        if self.reaches_further {
            return Problem::new(
                "identity.beyond_units",
                403,
                self.to_string(),
                format!(
                    "This reaches further than one business unit: ask someone who sees all of them, with one of these roles: {roles}"
                ),
            );
        }
        Problem::new(
            "identity.denied",
            403,
            self.to_string(),
            format!("Ask someone with one of these roles: {roles}"),
        )
    }
}

impl Actor {
    /// The stored id of the host's own actor.
    pub const SYSTEM_ID: &'static str = "prin_system";

    /// The host itself. It authors generated rules and runs timers; it approves nothing.
    #[must_use]
    pub fn system() -> Self {
        Self {
            id: Self::SYSTEM_ID.into(),
            name: "Seatwise".to_owned(),
            roles: BTreeSet::new(),
            via: Via::System,
            sight: Sight::everything(),
        }
    }

    /// True for the host's own actor.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.via == Via::System
    }

    /// Whether the actor holds this permission, through a role and, for a token, within its scopes. Their own account is everybody's,
    /// so that somebody without a role can still sign out. The system holds all but [`Permission::Approve`].
    ///
    /// # Errors
    /// [`Denied`] with the names to show.
    pub fn may(&self, permission: Permission) -> Result<(), Denied> {
        let by_role = permission == Permission::OwnAccount
            || permission
                .granted_to()
                .iter()
                .any(|role| self.roles.contains(role));
        let allowed = match &self.via {
            Via::System => permission != Permission::Approve,
            Via::Session { .. } => by_role,
            Via::HandOver { .. } => by_role && permission == Permission::ManageProfiles,
            Via::Token { scopes, .. } => {
                by_role && (scopes.is_empty() || scopes.contains(&permission))
            }
        };
        let reaches_further = permission.reaches_the_company() && !self.sight.is_whole();
        if allowed && !reaches_further {
            Ok(())
        } else {
            Err(Denied {
                name: self.name.clone(),
                permission,
                reaches_further: allowed,
            })
        }
    }

    /// The same for a deed that reaches the whole company, whatever its permission: a rule, or the list of everybody it names.
    ///
    /// # Errors
    /// [`Denied`], also for whoever sees only some business units.
    pub fn may_everywhere(&self, permission: Permission) -> Result<(), Denied> {
        self.may(permission)?;
        if self.sight.is_whole() {
            Ok(())
        } else {
            Err(Denied {
                name: self.name.clone(),
                permission,
                reaches_further: true,
            })
        }
    }

    /// Everyone who stands behind this actor: itself, and who minted the token it came with.
    #[must_use]
    pub fn people_behind(&self) -> BTreeSet<PrincipalId> {
        let mut people = BTreeSet::from([self.id.clone()]);
        if let Via::Token { minted_by, .. } = &self.via {
            people.insert(minted_by.clone());
        }
        people
    }

    /// The door in one word, for the audit trail.
    #[must_use]
    pub fn via_word(&self) -> String {
        match &self.via {
            Via::Session { .. } => "page".to_owned(),
            Via::Token { token, .. } => format!("token {token}"),
            Via::HandOver { recipient } => format!("hand-over to {recipient}"),
            Via::System => "system".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_approves_nothing() {
        assert!(Actor::system().may(Permission::Approve).is_err());
        assert!(Actor::system().may(Permission::ManageProfiles).is_ok());
    }

    #[test]
    fn a_token_never_widens_its_principal() {
        let mut actor = Actor {
            id: "prin_a".into(),
            name: "Ana".into(),
            roles: BTreeSet::from([Role::SamIntegrator]),
            via: Via::Token {
                token: "tok_1".into(),
                minted_by: "prin_a".into(),
                scopes: BTreeSet::from([Permission::Approve, Permission::Read]),
            },
            sight: Sight::everything(),
        };
        assert!(actor.may(Permission::Approve).is_err());
        assert!(actor.may(Permission::Read).is_ok());
        assert!(actor.may(Permission::ManageProfiles).is_err());
        actor.roles.insert(Role::Approver);
        assert!(actor.may(Permission::Approve).is_ok());
    }

    #[test]
    fn somebody_without_a_role_has_their_own_account_and_nothing_else() {
        let nobody = Actor {
            id: "prin_a".into(),
            name: "Ana".into(),
            roles: BTreeSet::new(),
            via: Via::Session {
                session: "sess_1".into(),
            },
            sight: Sight::everything(),
        };
        let held: Vec<Permission> = Permission::ALL
            .into_iter()
            .filter(|permission| nobody.may(*permission).is_ok())
            .collect();
        assert_eq!(held, [Permission::OwnAccount]);
    }

    #[test]
    fn no_role_both_prepares_and_approves_and_the_auditor_changes_nothing() {
        for role in Permission::Approve.granted_to() {
            for makes in [
                Permission::ManageProfiles,
                Permission::ManageSam,
                Permission::EditRules,
                Permission::Administer,
            ] {
                assert!(
                    !makes.granted_to().contains(role),
                    "{} approves and may {}",
                    role.as_str(),
                    makes.as_str()
                );
            }
        }
        let held: Vec<Permission> = Permission::ALL
            .into_iter()
            .filter(|permission| permission.granted_to().contains(&Role::Auditor))
            .collect();
        assert_eq!(
            held,
            [
                Permission::Read,
                Permission::ReadAudit,
                Permission::OwnAccount
            ]
        );
    }

    #[test]
    fn every_word_reads_back() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
        for permission in Permission::ALL {
            assert_eq!(Permission::parse(permission.as_str()), Some(permission));
        }
    }
}
