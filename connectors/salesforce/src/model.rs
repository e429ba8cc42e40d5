//! Shapes of Salesforce's answers. Every field but `Id` is optional, whatever describe says about it.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// Most bytes of a text handed to the host. The longest field that is read has 512 characters; the host refuses a whole
/// page for one text over 4 KiB, so a single absurd value is cut instead.
const TEXT_BYTES: usize = 2048;

/// A string that borrows from the body unless it has an escape. (`Option<Cow<str>>` alone would always copy.)
///
/// Half a surrogate pair, which JSON can write and Unicode has no character for, is read as U+FFFD: one such name must not refuse the
/// page of everybody else. Any other fault is one of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As bytes, the parser takes halves of pairs for what they are: three bytes that are no UTF-8.
        deserializer.deserialize_bytes(TextVisitor).map(Self)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text))
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(E::custom)
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        String::from_utf8(whole_characters(bytes))
            .map(Cow::Owned)
            .map_err(E::custom)
    }
}

/// The bytes with U+FFFD in place of each half of a surrogate pair.
fn whole_characters(bytes: &[u8]) -> Vec<u8> {
    let mut whole = bytes.to_vec();
    for at in 0..whole.len().saturating_sub(2) {
        if whole[at] == 0xed && whole[at + 1] >= 0xa0 {
            whole[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    whole
}

impl Text<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text for the host: copied only if it was borrowed, cut at [`TEXT_BYTES`], and without NUL, which no database
    /// keeps.
    pub fn into_string(self) -> String {
        let mut text = self.0.into_owned();
        if text.len() > TEXT_BYTES {
            let end = (0..=TEXT_BYTES)
                .rev()
                .find(|at| text.is_char_boundary(*at))
                .unwrap_or(0);
            text.truncate(end);
        }
        if text.contains('\0') {
            text.retain(|c| c != '\0');
        }
        text
    }
}

/// One page of a query.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: Deserialize<'de>")]
pub struct QueryPage<'a, T> {
    /// Rows of the whole result, not of the page.
    pub total_size: u64,
    /// Whether this is the last page.
    pub done: bool,
    /// Path of the next page.
    #[serde(borrow, default)]
    pub next_records_url: Option<Text<'a>>,
    /// The rows.
    pub records: Vec<T>,
}

/// A row of `User` in a download.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserRow<'a> {
    /// 15 or 18 characters.
    #[serde(borrow)]
    pub id: Text<'a>,
    /// In the form of an e-mail address, unique over all orgs.
    #[serde(borrow, default)]
    pub username: Option<Text<'a>>,
    /// First and last name.
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    /// Not unique.
    #[serde(borrow, default)]
    pub email: Option<Text<'a>>,
    /// The licence switch.
    #[serde(default)]
    pub is_active: Option<bool>,
    /// Open list.
    #[serde(borrow, default)]
    pub user_type: Option<Text<'a>>,
    /// Outer `None`: no such column. Inner `None`: never logged in.
    #[serde(borrow, default, deserialize_with = "present")]
    pub last_login_date: Option<Option<Text<'a>>>,
    /// When the user was made.
    #[serde(borrow, default)]
    pub created_date: Option<Text<'a>>,
    /// Null for system users.
    #[serde(borrow, default)]
    pub profile: Option<ProfileRow<'a>>,
    /// Evidence for matching.
    #[serde(borrow, default)]
    pub department: Option<Text<'a>>,
    /// Not `DefaultDivision`.
    #[serde(borrow, default)]
    pub division: Option<Text<'a>>,
    /// Evidence for matching.
    #[serde(borrow, default)]
    pub company_name: Option<Text<'a>>,
    /// Evidence for matching.
    #[serde(borrow, default)]
    pub employee_number: Option<Text<'a>>,
    /// The key single sign-on uses.
    #[serde(borrow, default)]
    pub federation_identifier: Option<Text<'a>>,
    /// Job title.
    #[serde(borrow, default)]
    pub title: Option<Text<'a>>,
    /// Of the user's own address.
    #[serde(borrow, default)]
    pub city: Option<Text<'a>>,
    /// Of the user's own address.
    #[serde(borrow, default)]
    pub country: Option<Text<'a>>,
    /// Access to sales forecasts.
    #[serde(default)]
    pub forecast_enabled: Option<bool>,
    /// Set for people of other companies; the column exists only with portals or communities.
    #[serde(borrow, default)]
    pub contact_id: Option<Text<'a>>,
    /// See `contact_id`.
    #[serde(borrow, default)]
    pub account_id: Option<Text<'a>>,
    /// Feature licences, one column each (salesforce.md §3.7).
    #[serde(default, rename = "UserPermissionsAvantgoUser")]
    avantgo: Option<bool>,
    #[serde(default, rename = "UserPermissionsChatterAnswersUser")]
    chatter_answers: Option<bool>,
    #[serde(default, rename = "UserPermissionsInteractionUser")]
    interaction: Option<bool>,
    #[serde(default, rename = "UserPermissionsJigsawProspectingUser")]
    jigsaw: Option<bool>,
    #[serde(default, rename = "UserPermissionsKnowledgeUser")]
    knowledge: Option<bool>,
    #[serde(default, rename = "UserPermissionsLiveAgentUser")]
    live_agent: Option<bool>,
    #[serde(default, rename = "UserPermissionsMarketingUser")]
    marketing: Option<bool>,
    #[serde(default, rename = "UserPermissionsMobileUser")]
    mobile: Option<bool>,
    #[serde(default, rename = "UserPermissionsOfflineUser")]
    offline: Option<bool>,
    #[serde(default, rename = "UserPermissionsSFContentUser")]
    content: Option<bool>,
    #[serde(default, rename = "UserPermissionsSiteforceContributorUser")]
    site_contributor: Option<bool>,
    #[serde(default, rename = "UserPermissionsSiteforcePublisherUser")]
    site_publisher: Option<bool>,
    #[serde(default, rename = "UserPermissionsSupportUser")]
    support: Option<bool>,
    #[serde(default, rename = "UserPermissionsWirelessUser")]
    wireless: Option<bool>,
    #[serde(default, rename = "UserPermissionsWorkDotComUserFeature")]
    work_dot_com: Option<bool>,
}

/// Feature licences on the user, in the vendor's words of `ActiveFeatureLicenseMetric` (salesforce.md §3.7).
pub const FEATURES: [&str; 15] = [
    "AvantgoUser",
    "ChatterAnswersUser",
    "InteractionUser",
    "JigsawProspectingUser",
    "KnowledgeUser",
    "LiveAgentUser",
    "MarketingUser",
    "MobileUser",
    "OfflineUser",
    "SFContentUser",
    "SiteforceContributorUser",
    "SiteforcePublisherUser",
    "SupportUser",
    "WirelessUser",
    "WorkDotComUserFeature",
];

impl UserRow<'_> {
    /// The feature licences the user holds, in the order of [`FEATURES`].
    pub fn features(&self) -> Vec<&'static str> {
        let set = [
            self.avantgo,
            self.chatter_answers,
            self.interaction,
            self.jigsaw,
            self.knowledge,
            self.live_agent,
            self.marketing,
            self.mobile,
            self.offline,
            self.content,
            self.site_contributor,
            self.site_publisher,
            self.support,
            self.wireless,
            self.work_dot_com,
        ];
        FEATURES
            .into_iter()
            .zip(set)
            .filter(|(_, set)| *set == Some(true))
            .map(|(feature, _)| feature)
            .collect()
    }
}

/// A user's profile, nested.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProfileRow<'a> {
    /// As shown in Setup, in the org's language.
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    /// A profile belongs to exactly one.
    #[serde(borrow, default)]
    pub user_license: Option<LicenceRow<'a>>,
}

/// A profile's user licence, nested.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LicenceRow<'a> {
    /// The stable key.
    #[serde(borrow, default)]
    pub license_definition_key: Option<Text<'a>>,
    /// Display name; may occur twice in an org.
    #[serde(borrow, default)]
    pub name: Option<Text<'a>>,
    /// The label people see.
    #[serde(borrow, default)]
    pub master_label: Option<Text<'a>>,
    /// `Active` or `Disabled`.
    #[serde(borrow, default)]
    pub status: Option<Text<'a>>,
}

/// Tells a null from a missing field: called only where the field is present.
fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// A row of `UserLogin`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UserLoginRow {
    /// The row's own id, which a freeze is sent to.
    pub id: String,
    /// The user.
    #[serde(default)]
    pub user_id: Option<String>,
    /// Whether the login is blocked; the seat stays used.
    #[serde(default)]
    pub is_frozen: Option<bool>,
}

/// What describe says of an object.
#[derive(Debug, Deserialize)]
pub struct Describe<'a> {
    /// Its fields, as far as the running user may see them.
    #[serde(borrow)]
    pub fields: Vec<FieldRow<'a>>,
}

/// One field of a describe.
#[derive(Debug, Deserialize)]
pub struct FieldRow<'a> {
    /// API name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Whether it may stand in a WHERE.
    #[serde(default)]
    pub filterable: Option<bool>,
    /// Whether it may stand in a GROUP BY.
    #[serde(default)]
    pub groupable: Option<bool>,
}
