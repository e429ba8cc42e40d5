//! What users have consented to: one grant per consent, its refresh token, and every token that was its refresh token before.
//!
//! Pure: moments and token texts come in as arguments. Invariants: at most [`MOST`] live grants per user and app; a token that was
//! rotated away stays known, so that its use is noticed.

use std::collections::HashMap;

use crate::spec::RefreshPolicy;

/// Live grants of one user for one app; one more drops the oldest (salesforce.md §1.4).
pub(crate) const MOST: usize = 5;

/// A consent.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    /// Row of the user.
    pub(crate) user: u64,
    pub(crate) scopes: Vec<String>,
    pub(crate) given_ms: i64,
    pub(crate) is_revoked: bool,
    /// The living refresh token, where the scopes include one.
    token: Option<String>,
    used_ms: i64,
}

/// What a refresh token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// The living token of this grant.
    Good(usize),
    /// It was rotated away: somebody else may have it.
    Reused(usize),
    /// Unknown, expired or revoked.
    Dead,
}

/// All grants since the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    list: Vec<Grant>,
    /// Every refresh token there ever was, to its grant.
    tokens: HashMap<String, usize>,
}

impl Grants {
    /// Records a consent. Gives its number, and the number of the grant it pushed out.
    pub(crate) fn give(
        &mut self,
        client_id: &str,
        user: u64,
        scopes: Vec<String>,
        token: Option<String>,
        now_ms: i64,
    ) -> (usize, Option<usize>) {
        let number = self.list.len();
        if let Some(token) = &token {
            self.tokens.insert(token.clone(), number);
        }
        let live: Vec<usize> = self.live(client_id, user).collect();
        let dropped = (live.len() >= MOST).then(|| live[0]);
        if let Some(dropped) = dropped {
            self.revoke(dropped);
        }
        self.list.push(Grant {
            client_id: client_id.to_owned(),
            user,
            scopes,
            given_ms: now_ms,
            is_revoked: false,
            token,
            used_ms: now_ms,
        });
        (number, dropped)
    }

    /// Live grants of a user for an app, oldest first.
    pub(crate) fn live(&self, client_id: &str, user: u64) -> impl Iterator<Item = usize> {
        self.list
            .iter()
            .enumerate()
            .filter(move |(_, grant)| {
                !grant.is_revoked && grant.user == user && grant.client_id == client_id
            })
            .map(|(number, _)| number)
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Grant> {
        self.list.get(number)
    }

    /// What a token is worth to this app under its policy at this moment.
    pub(crate) fn worth(
        &self,
        token: &str,
        client_id: &str,
        policy: RefreshPolicy,
        now_ms: i64,
    ) -> Worth {
        let Some((number, grant)) = self
            .tokens
            .get(token)
            .and_then(|number| Some((*number, self.list.get(*number)?)))
        else {
            return Worth::Dead;
        };
        if grant.is_revoked || grant.client_id != client_id {
            return Worth::Dead;
        }
        if grant.token.as_deref() != Some(token) {
            return Worth::Reused(number);
        }
        let is_over = match policy {
            RefreshPolicy::UntilRevoked => false,
            RefreshPolicy::Immediately => true,
            RefreshPolicy::Idle(ms) => now_ms - grant.used_ms >= ms,
            RefreshPolicy::Fixed(ms) => now_ms - grant.given_ms >= ms,
        };
        if is_over {
            Worth::Dead
        } else {
            Worth::Good(number)
        }
    }

    /// The grant a refresh token belongs or belonged to.
    pub(crate) fn of_token(&self, token: &str) -> Option<usize> {
        self.tokens.get(token).copied()
    }

    /// A refresh happened; with rotation the fresh token takes the place of the old one.
    pub(crate) fn used(&mut self, number: usize, fresh: Option<&str>, now_ms: i64) {
        let Some(grant) = self.list.get_mut(number) else {
            return;
        };
        grant.used_ms = now_ms;
        if let Some(fresh) = fresh {
            grant.token = Some(fresh.to_owned());
            self.tokens.insert(fresh.to_owned(), number);
        }
    }

    pub(crate) fn revoke(&mut self, number: usize) {
        if let Some(grant) = self.list.get_mut(number) {
            grant.is_revoked = true;
        }
    }

    pub(crate) fn revoke_all(&mut self) {
        self.list
            .iter_mut()
            .for_each(|grant| grant.is_revoked = true);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn worth(grants: &Grants, token: &str, policy: RefreshPolicy, now: i64) -> Worth {
        grants.worth(token, "app", policy, now)
    }

    #[test]
    fn the_sixth_consent_drops_the_oldest_of_the_same_user_and_app_only() {
        let mut grants = Grants::default();
        let mut give = |app: &str, user, token: &str| {
            grants.give(app, user, Vec::new(), Some(token.to_owned()), 0)
        };
        let _other_app = give("other", 1, "o");
        let _other_user = give("app", 2, "u");
        for n in 0..5 {
            assert_eq!(give("app", 1, &format!("t{n}")).1, None);
        }
        assert_eq!(give("app", 1, "t5").1, Some(2));
        let always = RefreshPolicy::UntilRevoked;
        assert_eq!(worth(&grants, "t0", always, 0), Worth::Dead);
        assert_eq!(worth(&grants, "t1", always, 0), Worth::Good(3));
        assert_eq!(worth(&grants, "u", always, 0), Worth::Good(1));
    }

    #[test]
    fn a_token_that_was_rotated_away_is_noticed_until_its_grant_is_revoked() {
        let mut grants = Grants::default();
        let (number, _) = grants.give("app", 1, Vec::new(), Some("old".to_owned()), 0);
        grants.used(number, Some("new"), 5);
        let always = RefreshPolicy::UntilRevoked;
        assert_eq!(worth(&grants, "old", always, 6), Worth::Reused(number));
        assert_eq!(worth(&grants, "new", always, 6), Worth::Good(number));
        assert_eq!(grants.worth("new", "other", always, 6), Worth::Dead);
        grants.revoke(number);
        assert_eq!(worth(&grants, "old", always, 6), Worth::Dead);
        assert_eq!(worth(&grants, "new", always, 6), Worth::Dead);
    }

    #[test]
    fn each_refresh_policy_ends_a_token_when_it_says() {
        let mut grants = Grants::default();
        let (number, _) = grants.give("app", 1, Vec::new(), Some("t".to_owned()), 0);
        grants.used(number, None, 60);
        for (policy, now, good) in [
            (RefreshPolicy::UntilRevoked, i64::MAX, true),
            (RefreshPolicy::Immediately, 60, false),
            (RefreshPolicy::Idle(50), 109, true),
            (RefreshPolicy::Idle(50), 110, false),
            (RefreshPolicy::Fixed(100), 99, true),
            (RefreshPolicy::Fixed(100), 100, false),
        ] {
            assert_eq!(
                worth(&grants, "t", policy, now) == Worth::Good(number),
                good,
                "{policy:?} at {now}"
            );
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Give(u64),
        /// Refreshes with the n-th token that was ever handed out, rotating.
        Refresh(usize),
        Revoke(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (1u64..3).prop_map(Step::Give),
            (0usize..40).prop_map(Step::Refresh),
            (0usize..40).prop_map(Step::Revoke),
        ];
        proptest::collection::vec(step, 1..60)
    }

    proptest! {
        /// After any history a user has at most five live grants, each with one good token, and every other token is dead or gives
        /// its use away.
        #[test]
        fn a_live_grant_has_one_good_token_and_a_user_has_five_grants_at_most(steps in steps()) {
            let mut grants = Grants::default();
            let mut handed = Vec::new();
            let policy = RefreshPolicy::UntilRevoked;
            for step in steps {
                match step {
                    Step::Give(user) => {
                        let token = format!("t{}", handed.len());
                        grants.give("app", user, Vec::new(), Some(token.clone()), 0);
                        handed.push(token);
                    }
                    Step::Refresh(n) => match handed.get(n).map(|token| worth(&grants, token, policy, 0)) {
                        Some(Worth::Good(number)) => {
                            let fresh = format!("t{}", handed.len());
                            grants.used(number, Some(&fresh), 0);
                            prop_assert_eq!(worth(&grants, &handed[n], policy, 0), Worth::Reused(number));
                            handed.push(fresh);
                        }
                        Some(Worth::Reused(number)) => {
                            grants.revoke(number);
                            prop_assert_eq!(worth(&grants, &handed[n], policy, 0), Worth::Dead);
                        }
                        Some(Worth::Dead) | None => {}
                    },
                    Step::Revoke(n) => {
                        if let Some(number) = handed.get(n).and_then(|token| grants.of_token(token)) {
                            grants.revoke(number);
                        }
                    }
                }
                for user in 1..3 {
                    let live: Vec<_> = grants.live("app", user).collect();
                    prop_assert!(live.len() <= MOST);
                    for number in live {
                        let good = handed.iter().filter(|token| worth(&grants, token, policy, 0) == Worth::Good(number));
                        prop_assert_eq!(good.count(), 1);
                    }
                }
            }
        }
    }
}
