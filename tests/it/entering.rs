//! Passwords, second factors and sessions where they are kept, on both databases.

use std::sync::Arc;

use seatwise::app::host::Host;
use seatwise::identity::IdentityError;
use seatwise::identity::roles::{Actor, Role};
use seatwise::identity::service::{self as identity, Device, NewSession, SignedIn};
use seatwise::kernel::clock::SetClock;
use seatwise::kernel::faults::NoFaults;
use seatwise_tests::database::on_both;
use seatwise_tests::world::{self, T0_MS, person};

use crate::canaries::code_of;

const PASSWORD: &str = "seven quiet otters cross";
const EMAIL: &str = "zoe@company.example";

fn device(address: &str) -> Device {
    Device {
        address: address.to_owned(),
        ..Device::default()
    }
}

async fn enter(host: &Host, password: &str, from: &str) -> Result<SignedIn, IdentityError> {
    identity::sign_in_with_password(host, EMAIL, password.to_owned().into(), &device(from)).await
}

fn session(signed_in: SignedIn) -> NewSession {
    match signed_in {
        SignedIn::Session(session) => session,
        SignedIn::CodeNeeded { .. } => panic!("a code is asked for"),
    }
}

fn ticket(signed_in: SignedIn) -> String {
    match signed_in {
        SignedIn::CodeNeeded { ticket } => ticket,
        SignedIn::Session(_) => panic!("no code is asked for"),
    }
}

async fn actor(host: &Host, session: &NewSession) -> Option<Actor> {
    identity::authenticate_session(host, &session.cookie)
        .await
        .ok()
        .map(|session| session.actor)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_second_factors_and_sessions_are_kept_alike_on_both_databases() {
    on_both(|database| async move {
        let clock = Arc::new(SetClock::at(T0_MS));
        let open = async |seed| {
            let store = database.open().await;
            let faults = Arc::new(NoFaults);
            world::host(database.folder(), store, clock.clone(), &[], faults, seed)
        };
        let host = open(1).await;
        identity::ensure_system(&host).await.unwrap();
        let id = person(&host, "Zoe", Role::SamUser).await.id;

        // A link, once; with it a password.
        let link = identity::mint_signin_link(&host, &Actor::system(), &id)
            .await
            .unwrap();
        let first = identity::redeem_signin_link(&host, &link.token, &device("192.0.2.1"))
            .await
            .unwrap();
        let first = session(first);
        let again = identity::redeem_signin_link(&host, &link.token, &device("192.0.2.1")).await;
        assert!(matches!(again, Err(IdentityError::LinkSpent)));
        let zoe = actor(&host, &first).await.unwrap();
        let (none, new) = (String::new().into(), PASSWORD.to_owned().into());
        let second = identity::change_password(&host, &zoe, none, new, &device("192.0.2.1"))
            .await
            .unwrap();
        assert!(
            actor(&host, &first).await.is_none(),
            "a new password ends the sessions of before"
        );
        let zoe = actor(&host, &second).await.unwrap();
        let wrong = enter(&host, "not it at all, no", "192.0.2.2").await;
        assert!(matches!(wrong, Err(IdentityError::NotRecognised)));
        let third = session(enter(&host, PASSWORD, "192.0.2.3").await.unwrap());

        // Sessions are listed, survive a restart, and are ended.
        host.store.close().await;
        let host = open(2).await;
        let view = identity::account(&host, &zoe).await.unwrap();
        assert_eq!(view.sessions.len(), 2);
        assert!(
            view.sessions
                .iter()
                .any(|s| s.address == "192.0.2.3" && !s.is_this)
        );
        assert!(
            actor(&host, &third).await.is_some(),
            "a restart ends no session"
        );
        assert_eq!(identity::end_other_sessions(&host, &zoe).await.unwrap(), 1);
        assert!(actor(&host, &third).await.is_none());
        assert!(actor(&host, &second).await.is_some());

        // The second factor: on from its first code; a code lets one in, also of two at the same time; a recovery code works once.
        let enrolment = identity::begin_second_factor(&host, &zoe).await.unwrap();
        let secret = enrolment.secret.replace(' ', "");
        let wrong = identity::confirm_second_factor(&host, &zoe, "000000").await;
        assert!(matches!(wrong, Err(IdentityError::WrongCode)));
        let pending = identity::pending_second_factor(&host, &zoe).await.unwrap();
        assert_eq!(pending.unwrap().secret, enrolment.secret);
        let code = code_of(&secret, host.now_ms());
        let recovery = identity::confirm_second_factor(&host, &zoe, &code)
            .await
            .unwrap();
        assert_eq!(recovery.len(), 10);
        let replay = ticket(enter(&host, PASSWORD, "192.0.2.4").await.unwrap());
        let used = identity::sign_in_with_code(&host, &replay, &code, &device("192.0.2.4")).await;
        assert!(matches!(used, Err(IdentityError::WrongCode)));
        clock.advance(30_000);
        let code = code_of(&secret, host.now_ms());
        let one = ticket(enter(&host, PASSWORD, "192.0.2.5").await.unwrap());
        let two = ticket(enter(&host, PASSWORD, "192.0.2.6").await.unwrap());
        let (a, b) = (device("192.0.2.5"), device("192.0.2.6"));
        let (won, lost) = tokio::join!(
            identity::sign_in_with_code(&host, &one, &code, &a),
            identity::sign_in_with_code(&host, &two, &code, &b)
        );
        assert_eq!(
            [won, lost].iter().filter(|it| it.is_ok()).count(),
            1,
            "one code lets one in"
        );
        for (from, is_in) in [("192.0.2.11", true), ("192.0.2.12", false)] {
            let by = ticket(enter(&host, PASSWORD, from).await.unwrap());
            let came = identity::sign_in_with_code(&host, &by, &recovery[0], &device(from)).await;
            assert_eq!(came.is_ok(), is_in, "a recovery code works once");
        }

        // Tries are counted where every host sees them, and the right password does not help before the time is over.
        let mut tries = 0;
        let other = open(3).await;
        loop {
            match enter(&host, "guess", "198.51.100.9").await {
                Err(IdentityError::NotRecognised) => tries += 1,
                Err(IdentityError::TooManyTries { .. }) => break,
                _ => panic!("a guess let somebody in"),
            }
            assert!(tries < 100, "guesses are not counted");
        }
        let there = enter(&other, PASSWORD, "198.51.100.9").await;
        assert!(matches!(there, Err(IdentityError::TooManyTries { .. })));
        clock.advance(3_600_000);
        ticket(enter(&other, PASSWORD, "198.51.100.9").await.unwrap());

        // Taken away: the factor, then the access.
        let admin = person(&host, "Ada", Role::Admin).await;
        identity::reset_second_factor(&host, &admin, &id)
            .await
            .unwrap();
        assert!(
            actor(&host, &second).await.is_none(),
            "sessions end with the factor"
        );
        let last = session(enter(&host, PASSWORD, "192.0.2.20").await.unwrap());
        identity::deactivate(&host, &admin, &id).await.unwrap();
        assert!(actor(&host, &last).await.is_none());
        let refused = enter(&host, PASSWORD, "192.0.2.20").await;
        assert!(matches!(refused, Err(IdentityError::NotRecognised)));
    })
    .await;
}
