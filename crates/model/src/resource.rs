use std::fmt;

use serde::{Deserialize, Serialize};

/// The two kinds of SCIM resource that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ResourceKind {
    /// A SCIM User: an identity.
    User,
    /// A SCIM Group.
    Group,
}

impl ResourceKind {
    /// The name of the resource type (RFC 7643 §6).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// The endpoint under the SCIM base, such as `Users`.
    #[must_use]
    pub fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The version of a resource: 1 when it is made, one more with each recorded change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version(pub u64);

impl Version {
    /// The version of a new resource.
    pub const FIRST: Self = Self(1);

    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// `meta.version` and the `ETag` header: weak, as RFC 7644 §3.14 shows it.
    #[must_use]
    pub fn etag(self) -> String {
        format!("W/\"{}\"", self.0)
    }

    /// Whether a tag from `If-Match` or `If-None-Match` names this version. Weak comparison
    /// (RFC 9110 §8.8.3.2); a tag without quotes is taken too, as Salesforce writes its own so.
    #[must_use]
    pub fn matches(self, tag: &str) -> bool {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
        tag == "*" || tag.parse() == Ok(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        let version = Version(3);
        assert_eq!(version.etag(), "W/\"3\"");
        for tag in ["W/\"3\"", "\"3\"", "3", "*"] {
            assert!(version.matches(tag), "{tag}");
        }
        for tag in ["W/\"4\"", "", "W/\"three\"", "\"33\""] {
            assert!(!version.matches(tag), "{tag}");
        }
    }
}
