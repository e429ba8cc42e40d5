//! What an identifier stands for: a user licence, a permission-set licence, a package seat or a feature of the user.

use crate::model::FEATURES;

/// An identifier, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held<'a> {
    /// `LicenseDefinitionKey` of a user licence, which may contain anything.
    UserLicence(&'a str),
    /// `psl:` and the `DeveloperName` of a permission-set licence.
    SetLicence(&'a str),
    /// `package:` and the `NamespacePrefix` of a package licence.
    Package(&'a str),
    /// `feature:` and one of [`FEATURES`].
    Feature(&'static str),
    /// `feature:` and a name that is none.
    UnknownFeature(&'a str),
}

impl<'a> Held<'a> {
    /// Takes an identifier apart; every text is one.
    pub fn of(identifier: &'a str) -> Self {
        if let Some(name) = identifier.strip_prefix("psl:") {
            Self::SetLicence(name)
        } else if let Some(namespace) = identifier.strip_prefix("package:") {
            Self::Package(namespace)
        } else if let Some(name) = identifier.strip_prefix("feature:") {
            FEATURES
                .into_iter()
                .find(|known| *known == name)
                .map_or(Self::UnknownFeature(name), Self::Feature)
        } else {
            Self::UserLicence(identifier)
        }
    }

    /// What it is, for a person.
    pub fn says(self) -> String {
        match self {
            Self::UserLicence(key) => format!("the user licence {key}"),
            Self::SetLicence(name) => format!("the permission-set licence {name}"),
            Self::Package(namespace) => format!("a seat of the package {namespace}"),
            Self::Feature(name) => format!("the feature {name}"),
            Self::UnknownFeature(name) => format!("the unknown feature {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_known_by_its_prefix_and_only_listed_features_are_features() {
        assert_eq!(Held::of("SFDC"), Held::UserLicence("SFDC"));
        assert_eq!(
            Held::of("psl:SalesUserPsl"),
            Held::SetLicence("SalesUserPsl")
        );
        assert_eq!(Held::of("package:SBQQ"), Held::Package("SBQQ"));
        assert_eq!(
            Held::of("feature:SupportUser"),
            Held::Feature("SupportUser")
        );
        assert_eq!(
            Held::of("feature:ManageUsers\":true,\"x"),
            Held::UnknownFeature("ManageUsers\":true,\"x")
        );
    }
}
