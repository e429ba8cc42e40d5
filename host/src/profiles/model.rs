//! An integration profile's words and rules. Pure.

use serde::{Deserialize, Serialize};

use crate::kernel::{IntoProblem, Problem};

/// Where a profile stands. *Needs attention* is a set of reasons beside it, not a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileState {
    /// Being set up; nothing runs by itself.
    Draft,
    /// Runs by its schedule.
    Published,
    /// Published, and stopped by a person.
    Paused,
    /// Ended; its history stays.
    Archived,
}

impl ProfileState {
    /// Published or paused: its org is connected by it.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Published | Self::Paused)
    }

    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Paused => "paused",
            Self::Archived => "archived",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Draft, Self::Published, Self::Paused, Self::Archived]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// The state after an event.
    ///
    /// # Errors
    /// [`ProfileFault::State`] when the event does not fit.
    pub fn after(self, event: ProfileEvent) -> Result<Self, ProfileFault> {
        use ProfileEvent::{Archive, Pause, Publish, Resume};
        match (self, event) {
            (Self::Draft, Publish) | (Self::Paused, Resume) => Ok(Self::Published),
            (Self::Published, Pause) => Ok(Self::Paused),
            (Self::Draft | Self::Published | Self::Paused, Archive) => Ok(Self::Archived),
            _ => Err(ProfileFault::State { state: self, event }),
        }
    }
}

/// What moves a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileEvent {
    /// Checked and set to run.
    Publish,
    /// Stopped by a person.
    Pause,
    /// Set to run again.
    Resume,
    /// Ended.
    Archive,
}

/// Whether seats may really be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// No candidate acts.
    Off,
    /// Everything but the sending. Default.
    DryRun,
    /// Approved requests are sent.
    Live,
}

impl WriteMode {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::DryRun => "dry_run",
            Self::Live => "live",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Off, Self::DryRun, Self::Live]
            .into_iter()
            .find(|mode| mode.as_str() == text)
    }
}

/// What cannot be, in a profile as it was typed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileFault {
    /// The name breaks the rule.
    #[error("`{0}` cannot be a profile's name")]
    Name(String),
    /// Not an https address of a host.
    #[error("`{0}` is not an https address of a login host")]
    LoginUrl(String),
    /// A settings key that the connector does not have, or a value it cannot take.
    #[error("{0}")]
    Setting(String),
    /// The event does not fit the state.
    #[error("a {} profile cannot be {}", .state.as_str(), word(*.event))]
    State {
        /// Where it stands.
        state: ProfileState,
        /// What was asked.
        event: ProfileEvent,
    },
}

fn word(event: ProfileEvent) -> &'static str {
    match event {
        ProfileEvent::Publish => "published",
        ProfileEvent::Pause => "paused",
        ProfileEvent::Resume => "resumed",
        ProfileEvent::Archive => "archived",
    }
}

impl IntoProblem for ProfileFault {
    fn problem(&self) -> Problem {
        let message = self.to_string();
        match self {
            Self::Name(_) => Problem::new(
                "profile.name",
                422,
                message,
                "Use letters, digits, underscores and spaces, beginning with a letter or digit, at most 80 characters",
            )
            .at("name"),
            Self::LoginUrl(_) => Problem::new(
                "profile.login_url",
                422,
                message,
                "Enter the address as the vendor shows it, such as https://acme.my.example.com, without a path",
            )
            .at("login_url"),
            Self::Setting(_) => Problem::new("profile.setting", 422, message, "Correct this setting; the connector's manifest lists what it takes").at("settings"),
            Self::State { .. } => Problem::new("profile.state", 409, message, "Load the profile again and look at its state"),
        }
    }
}

/// Longest name, characters.
const MAX_NAME: usize = 80;

/// Checks a name by the rule of `sam-domain.md` §6: letters, digits, underscores, spaces; first a letter or digit.
///
/// # Errors
/// [`ProfileFault::Name`].
pub fn name(text: &str) -> Result<String, ProfileFault> {
    let fits = text.len() <= MAX_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ' ')
        && !text.ends_with(' ');
    if fits {
        Ok(text.to_owned())
    } else {
        Err(ProfileFault::Name(
            text.chars()
                .filter(|c| !c.is_control())
                .take(MAX_NAME)
                .collect(),
        ))
    }
}

/// Tidies a login address: spaces, trailing slash, path and query go. Plain http passes here and is decided by the egress guard,
/// which allows it only for targets that the operator named.
///
/// # Errors
/// [`ProfileFault::LoginUrl`].
pub fn login_url(text: &str) -> Result<url::Url, ProfileFault> {
    let wrong =
        || ProfileFault::LoginUrl(text.chars().filter(|c| !c.is_control()).take(200).collect());
    let trimmed = text.trim();
    let full = if trimmed.contains("://") {
        trimmed.to_owned()
    } else {
        format!("https://{trimmed}")
    };
    let mut url = url::Url::parse(&full).map_err(|_| wrong())?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none() || has_user {
        return Err(wrong());
    }
    url.set_path("/");
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_obey_the_rule() {
        for (text, fits) in [
            ("SFDC Org1", true),
            ("_org", false),
            (" org", false),
            ("1 org", true),
            ("org-1", false),
            ("", false),
            ("org ", false),
        ] {
            assert_eq!(name(text).is_ok(), fits, "{text:?}");
        }
        assert!(name(&"a".repeat(50_000)).is_err());
    }

    #[test]
    fn a_pasted_login_page_is_tidied() {
        for text in [
            "https://acme.my.example.com",
            " https://acme.my.example.com/login?x=1#y ",
            "acme.my.example.com/",
        ] {
            assert_eq!(
                login_url(text).unwrap().as_str(),
                "https://acme.my.example.com/",
                "{text}"
            );
        }
        for wrong in [
            "",
            "https://",
            "file:///etc/passwd",
            "https://user:pw@acme.example.com",
            "javascript:alert(1)",
        ] {
            assert!(login_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_published_profile_pauses_and_only_a_paused_one_resumes() {
        use ProfileEvent::{Archive, Pause, Publish, Resume};
        for state in [
            ProfileState::Draft,
            ProfileState::Published,
            ProfileState::Paused,
            ProfileState::Archived,
        ] {
            assert_eq!(state.after(Pause).is_ok(), state == ProfileState::Published);
            assert_eq!(state.after(Resume).is_ok(), state == ProfileState::Paused);
            assert_eq!(state.after(Publish).is_ok(), state == ProfileState::Draft);
            assert_eq!(
                state.after(Archive).is_ok(),
                state != ProfileState::Archived
            );
        }
    }

    #[test]
    fn words_read_back() {
        for mode in [WriteMode::Off, WriteMode::DryRun, WriteMode::Live] {
            assert_eq!(WriteMode::parse(mode.as_str()), Some(mode));
        }
    }
}
