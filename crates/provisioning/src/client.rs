//! What provisioning is told of a client: what it may ask for, and what it means by a list.

use std::{fmt, str::FromStr};

use salesforce_types::{Entitlement, EntitlementKind, UnknownKind};
use translation::Glob;

/// What a client may ask for, and what it means by what it sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientPolicy {
    /// Which entitlements it may give and take.
    pub may_grant: GrantList,
    /// What it means by a `replace` of a whole list.
    pub lists: ListRule,
    /// Whether elements of `entitlements` and `roles` that are nothing in Salesforce are kept as they are: application roles of
    /// the identity tool's own. Otherwise they are refused.
    pub keep_unknown: bool,
}

/// What a client means by a `replace` of a User's whole `entitlements` or `roles` with one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListRule {
    /// The list is the list (RFC 7644 §3.5.2.3).
    #[default]
    Exact,
    /// It cannot say it otherwise, and means "this too".
    Add,
}

/// Which entitlements a client may give and take: what nothing in `deny` matches and, where `allow` has something, something
/// in there does. What is far-reaching has to be allowed by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantList {
    /// Nothing but these; empty: all.
    pub allow: Vec<GrantPattern>,
    /// None of these, whatever is allowed.
    pub deny: Vec<GrantPattern>,
}

impl GrantList {
    /// Whether the client may give and take it.
    #[must_use]
    pub fn allows(&self, entitlement: &Entitlement) -> bool {
        let matched = |patterns: &[GrantPattern]| patterns.iter().any(|pattern| pattern.matches(entitlement));
        if matched(&self.deny) {
            return false;
        }
        if entitlement.far_reaching {
            return self.allow.iter().any(|pattern| pattern.is_name() && pattern.matches(entitlement));
        }
        self.allow.is_empty() || matched(&self.allow)
    }
}

/// Entitlements of a kind by their API name, label or id: `permission-set:Sales_*`, `profile:System Administrator`. The kind
/// may be `*` for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantPattern {
    /// None: any.
    kind: Option<EntitlementKind>,
    name: Glob,
}

impl GrantPattern {
    /// Whether the entitlement is one of these.
    #[must_use]
    pub fn matches(&self, entitlement: &Entitlement) -> bool {
        let names = [&entitlement.name, &entitlement.label, &entitlement.of.id];
        self.kind.is_none_or(|kind| kind == entitlement.of.kind)
            && names.into_iter().any(|name| self.name.matches(name))
    }

    /// Whether it names one rather than describing many.
    fn is_name(&self) -> bool {
        self.kind.is_some() && self.name.stars() == 0
    }
}

/// Why a text is no [`GrantPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGrantPattern {
    /// There is no colon in it.
    #[error(
        "`{0}` does not say of what kind it is: write it like `permission-set:{0}`, or `*:{0}` for any kind"
    )]
    NoKind(String),
    /// There is nothing behind the colon.
    #[error("`{0}` names nothing: write `{0}*` for all of them")]
    NoName(String),
    /// What stands before the colon is no kind.
    #[error(transparent)]
    Kind(#[from] UnknownKind),
}

impl FromStr for GrantPattern {
    type Err = BadGrantPattern;

    fn from_str(text: &str) -> Result<Self, BadGrantPattern> {
        let (kind, name) =
            text.split_once(':').ok_or_else(|| BadGrantPattern::NoKind(text.trim().to_owned()))?;
        let (kind, name) = (kind.trim(), name.trim());
        if name.is_empty() {
            return Err(BadGrantPattern::NoName(text.trim().to_owned()));
        }
        let kind = if kind == "*" { None } else { Some(kind.parse()?) };
        Ok(Self { kind, name: Glob::new(name) })
    }
}

impl fmt::Display for GrantPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.map_or("*", EntitlementKind::as_str), self.name)
    }
}

#[cfg(test)]
mod tests {
    use salesforce_types::EntitlementRef;

    use super::*;

    fn entitlement(kind: EntitlementKind, id: &str, name: &str, label: &str) -> Entitlement {
        Entitlement {
            of: EntitlementRef { kind, id: id.to_owned() },
            name: name.to_owned(),
            label: label.to_owned(),
            description: None,
            license: None,
            seats: None,
            contains: Vec::new(),
            far_reaching: false,
            user_type: None,
        }
    }

    fn sales() -> Entitlement {
        entitlement(EntitlementKind::PermissionSet, "0PS5f000000abcAAAQ", "Sales_Ops", "Sales operations")
    }

    fn administrator() -> Entitlement {
        let name = "System Administrator";
        let profile = entitlement(EntitlementKind::Profile, "00e5f000000abcAAAQ", name, name);
        Entitlement { far_reaching: true, ..profile }
    }

    fn list(allow: &[&str], deny: &[&str]) -> GrantList {
        let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        GrantList { allow: read(allow), deny: read(deny) }
    }

    #[test]
    fn a_pattern_matches_by_kind_and_by_api_name_label_or_id() {
        for (pattern, matches) in [
            ("permission-set:Sales_Ops", true),
            ("PermissionSet: sales_*", true),
            ("permission-set:Sales operations", true),
            ("permission-set:0PS5f000000abcAAAQ", true),
            ("permission-set:*", true),
            ("*:*ops*", true),
            ("permission-set:Sales", false),
            ("permission-set-group:*", false),
            ("*:Service*", false),
        ] {
            let pattern: GrantPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(&sales()), matches, "{pattern}");
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }

    #[test]
    fn what_is_no_pattern_says_how_to_write_one() {
        let why = |text: &str| text.parse::<GrantPattern>().unwrap_err().to_string();
        assert!(why("Sales_Ops").contains("`permission-set:Sales_Ops`"));
        assert!(why("profile:").contains("`profile:*`"));
        assert!(why("permissionset-group:x").contains("permission-set-group"));
    }

    #[test]
    fn nothing_is_denied_without_a_list_but_what_is_far_reaching() {
        assert!(list(&[], &[]).allows(&sales()));
        assert!(!list(&[], &[]).allows(&administrator()));
        assert!(!list(&["*:*", "profile:System*"], &[]).allows(&administrator()), "it has to be named");
        assert!(list(&["profile:System Administrator"], &[]).allows(&administrator()));
        assert!(list(&["profile:00e5f000000abcAAAQ"], &[]).allows(&administrator()));
    }

    #[test]
    fn what_is_denied_stays_denied_and_what_is_not_allowed_is_too() {
        assert!(!list(&["permission-set:Sales_Ops"], &["*:Sales*"]).allows(&sales()));
        assert!(!list(&["profile:*"], &[]).allows(&sales()));
        assert!(list(&["profile:*", "*:Sales*"], &["role:*"]).allows(&sales()));
        let named = list(&["profile:System Administrator"], &["profile:System Administrator"]);
        assert!(!named.allows(&administrator()));
    }
}
