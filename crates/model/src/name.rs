use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a name is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be a name: use 1 to 63 lower-case letters, digits, `-` or `_`, starting with a letter or digit"
)]
pub struct InvalidName(pub(crate) String);

pub(crate) fn check(text: &str) -> Result<(), InvalidName> {
    let fits = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && text.as_bytes()[0].is_ascii_alphanumeric();
    if fits { Ok(()) } else { Err(InvalidName(text.to_owned())) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks a name.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The configuration's name of a Salesforce org (`[orgs.acme-prod]`).
    OrgName
);
name!(
    /// The mapping's name of a target (`[targets.staff]`).
    TargetName
);
name!(
    /// The configuration's name of a client: who calls.
    ClientName
);
name!(
    /// The configuration's name of an event source: who sends. It stands in the URL of its door.
    SourceName
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_once_at_the_edge() {
        assert_eq!(OrgName::new("acme-prod").unwrap().as_str(), "acme-prod");
        for bad in ["", "Acme", "-a", "a b", "a/b", "ä", &"x".repeat(64)] {
            assert!(OrgName::new(bad).is_err(), "{bad} should be refused");
        }
    }
}
