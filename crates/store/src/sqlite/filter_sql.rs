//! Which index serves a filter.
//!
//! A probe finds by one index every resource that can match, and maybe some that do not: the filter itself is
//! evaluated on what was found ([`scim_types::Filter::matches`]), so there is one meaning of a filter, not
//! two. Only where index and filter say the same for certain is that left out.

use std::sync::LazyLock;

use model::ResourceKind;
use rusqlite::types::Value;
use scim_types::{
    AttrPath, Filter,
    filter::{Literal, Operator},
    fold,
    schema::ENTERPRISE_USER_URN,
};

use super::rows::signed;

/// The attributes of a kind whose comparison an index serves, for the error that names them.
pub fn indexed(kind: ResourceKind) -> &'static [&'static str] {
    match kind {
        ResourceKind::User => &[
            "id",
            "userName",
            "externalId",
            "displayName",
            "emails.value",
            "employeeNumber",
            "groups.value",
            "active",
            "meta.lastModified",
        ],
        ResourceKind::Group => &["id", "externalId", "displayName", "members.value", "meta.lastModified"],
    }
}

/// The indexes, by how few resources a value of theirs usually has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Index {
    Id,
    UserName,
    ExternalId,
    EmployeeNumber,
    Email,
    DisplayName,
    /// Groups by member.
    Member,
    /// Users by group.
    Group,
    ModifiedAt,
    ModifiedAfter,
    ModifiedFrom,
    ModifiedBefore,
    ModifiedUntil,
    Active,
}

impl Index {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 14] = [
        Self::Id,
        Self::UserName,
        Self::ExternalId,
        Self::EmployeeNumber,
        Self::Email,
        Self::DisplayName,
        Self::Member,
        Self::Group,
        Self::ModifiedAt,
        Self::ModifiedAfter,
        Self::ModifiedFrom,
        Self::ModifiedBefore,
        Self::ModifiedUntil,
        Self::Active,
    ];

    /// Whether a value of it often has one resource or very few.
    pub fn is_narrow(self) -> bool {
        self <= Self::Group
    }

    /// What follows `SELECT ...`: `r` is `resources`, `?1` the tenant, `?2` the kind, `?3` the value. Without
    /// pending ones. The index is named, so that a statement whose index is gone fails in a test and is not
    /// merely slow.
    pub fn source(self) -> &'static str {
        match self {
            Self::Id => {
                "FROM resources r INDEXED BY resources_by_id
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.id = ?3 AND r.seq IS NOT NULL"
            }
            Self::UserName => {
                "FROM resources r INDEXED BY resources_by_user_name
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.user_name_key = ?3 AND r.seq IS NOT NULL"
            }
            Self::ExternalId => {
                "FROM resources r INDEXED BY resources_by_external_id
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.external_id = ?3 AND r.seq IS NOT NULL"
            }
            Self::EmployeeNumber => {
                "FROM resources r INDEXED BY resources_by_employee_number
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.employee_number_key = ?3 AND r.seq IS NOT NULL"
            }
            Self::Email => {
                "FROM resource_emails e INDEXED BY resource_emails_by_email
                 CROSS JOIN resources r ON r.key = e.resource
                 WHERE e.tenant = ?1 AND r.kind = ?2 AND e.email_key = ?3 AND r.seq IS NOT NULL"
            }
            Self::DisplayName => {
                "FROM resources r INDEXED BY resources_by_display_name
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.display_name_key = ?3 AND r.seq IS NOT NULL"
            }
            Self::Member => {
                "FROM resources x INDEXED BY resources_by_id
                 CROSS JOIN members m INDEXED BY members_by_member ON m.member_key = x.key
                 CROSS JOIN resources r ON r.key = m.group_key
                 WHERE x.tenant = ?1 AND x.kind IN (1, 2) AND x.id = ?3 AND r.kind = ?2 AND r.seq IS NOT NULL"
            }
            Self::Group => {
                "FROM resources x INDEXED BY resources_by_id
                 CROSS JOIN members m ON m.group_key = x.key
                 CROSS JOIN resources r ON r.key = m.member_key
                 WHERE x.tenant = ?1 AND x.kind = 2 AND x.id = ?3 AND r.kind = ?2 AND r.seq IS NOT NULL"
            }
            Self::ModifiedAt => {
                "FROM resources r INDEXED BY resources_by_modified
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.modified_ms = ?3 AND r.seq IS NOT NULL"
            }
            Self::ModifiedAfter => {
                "FROM resources r INDEXED BY resources_by_modified
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.modified_ms > ?3 AND r.seq IS NOT NULL"
            }
            Self::ModifiedFrom => {
                "FROM resources r INDEXED BY resources_by_modified
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.modified_ms >= ?3 AND r.seq IS NOT NULL"
            }
            Self::ModifiedBefore => {
                "FROM resources r INDEXED BY resources_by_modified
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.modified_ms < ?3 AND r.seq IS NOT NULL"
            }
            Self::ModifiedUntil => {
                "FROM resources r INDEXED BY resources_by_modified
                 WHERE r.tenant = ?1 AND r.kind = ?2 AND r.modified_ms <= ?3 AND r.seq IS NOT NULL"
            }
            // Only Users have a value here, so the kind need not be looked up (`?2 = ?2` uses the parameter
            // up).
            Self::Active => {
                "FROM resources r INDEXED BY resources_by_active
                 WHERE r.tenant = ?1 AND ?2 = ?2 AND r.active = ?3 AND r.seq IS NOT NULL"
            }
        }
    }
}

/// One value in one index.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    pub index: Index,
    pub value: Value,
}

/// How to find what matches.
#[derive(Debug)]
pub enum Plan<'f> {
    /// No filter: everything.
    All,
    /// What the probe finds, all of it.
    Exactly(Probe),
    /// Of what the probes find, what matches.
    Among(Vec<Probe>, &'f Filter),
    /// Of everything, what matches.
    Scan(&'f Filter),
}

impl<'f> Plan<'f> {
    /// The best plan for a filter.
    pub fn of(filter: Option<&'f Filter>) -> Self {
        let Some(filter) = filter else { return Self::All };
        if let Some((probe, true)) = compare(filter) {
            return Self::Exactly(probe);
        }
        match probes(filter) {
            Some(probes) => Self::Among(probes, filter),
            None => Self::Scan(filter),
        }
    }
}

/// The folded `userName` that is all a filter asks for.
pub fn user_name(filter: &Filter) -> Option<String> {
    match filter.as_text_equality() {
        Some((path, name)) if path.as_str() == "userName" => Some(fold(name)),
        _ => None,
    }
}

/// Probes that together find everything that can match. `None` where no index helps.
///
/// As deep as the filter, which is at most [`scim_types::filter::MAX_DEPTH`].
fn probes(filter: &Filter) -> Option<Vec<Probe>> {
    match filter {
        // One of them is enough: the one whose widest index is the narrowest.
        Filter::And(parts) => parts
            .iter()
            .filter_map(probes)
            .min_by_key(|probes| (probes.iter().map(|probe| probe.index).max(), probes.len())),
        Filter::Or(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(probes(part)?);
            }
            Some(all)
        }
        Filter::Compare { .. } => compare(filter).map(|(probe, _)| vec![probe]),
        // The paths inside are full ones, such as `emails.value`.
        Filter::ValuePath { filter, .. } => probes(filter),
        Filter::Not(_) | Filter::Present { .. } => None,
    }
}

/// The probe for one comparison, and whether it finds exactly what matches.
fn compare(filter: &Filter) -> Option<(Probe, bool)> {
    let Filter::Compare { path, op, value } = filter else { return None };
    let (index, value, exact) = match (path.as_str(), op, value) {
        (_, Operator::Eq, Literal::Text(text)) => {
            let (index, exact) = text_index(path)?;
            let value = if path.attribute().case_exact && exact { text.clone() } else { fold(text) };
            // An empty text is no value (RFC 7643 §2.5), so nothing equals it.
            (index, Value::Text(value), exact && !text.is_empty())
        }
        ("active", Operator::Eq, Literal::Boolean(active)) => {
            (Index::Active, Value::Integer(i64::from(*active)), true)
        }
        ("meta.lastModified", op, Literal::Instant { at, .. }) => {
            // Stored to the millisecond: between two of them, "from" begins with the next and "until" ends
            // with the last.
            let nanos = at.as_nanosecond();
            let last = i64::try_from(nanos.div_euclid(1_000_000)).ok()?;
            let next = i64::try_from(nanos.div_euclid(1_000_000)).ok()?
                + i64::from(nanos.rem_euclid(1_000_000) != 0);
            let (index, ms) = match op {
                Operator::Eq if last == next => (Index::ModifiedAt, last),
                Operator::Gt => (Index::ModifiedAfter, last),
                Operator::Ge => (Index::ModifiedFrom, next),
                Operator::Lt => (Index::ModifiedBefore, next),
                Operator::Le => (Index::ModifiedUntil, last),
                _ => return None,
            };
            (index, Value::Integer(ms), true)
        }
        _ => return None,
    };
    Some((Probe { index, value }, exact))
}

/// The index of a text attribute, and whether its keys are equal exactly when the values are.
fn text_index(path: &AttrPath) -> Option<(Index, bool)> {
    /// The number's canonical path.
    static EMPLOYEE_NUMBER: LazyLock<String> =
        LazyLock::new(|| format!("{ENTERPRISE_USER_URN}:employeeNumber"));
    // Folded keys are wider than equality where `caseExact` is true.
    let folded = !path.attribute().case_exact;
    Some(match path.as_str() {
        "id" => (Index::Id, true),
        "members.value" => (Index::Member, true),
        "groups.value" => (Index::Group, true),
        "userName" => (Index::UserName, folded),
        // Kept as it is, so it serves as long as the schema says `caseExact`.
        "externalId" if !folded => (Index::ExternalId, true),
        "displayName" => (Index::DisplayName, folded),
        "emails.value" => (Index::Email, folded),
        text if text == *EMPLOYEE_NUMBER => (Index::EmployeeNumber, folded),
        _ => return None,
    })
}

/// The column that has an attribute's order, if one has.
pub fn sort_column(path: &AttrPath) -> Option<&'static str> {
    match path.as_str() {
        "id" => Some("r.id"),
        "userName" => Some("r.user_name_key"),
        "displayName" => Some("r.display_name_key"),
        "meta.created" => Some("r.created_ms"),
        "meta.lastModified" => Some("r.modified_ms"),
        _ => None,
    }
}

/// A page's limits as `SQLite` takes them.
pub fn limit(count: u64) -> Value {
    Value::Integer(signed(count))
}

#[cfg(test)]
mod tests {
    use scim_types::Registry;

    use super::*;

    fn plan(kind: ResourceKind, filter: &str) -> String {
        let registry = Registry::standard();
        let resource_type = match kind {
            ResourceKind::User => registry.user(),
            ResourceKind::Group => registry.group(),
        };
        let filter = Filter::parse(filter, resource_type).unwrap();
        match Plan::of(Some(&filter)) {
            Plan::All => "all".to_owned(),
            Plan::Exactly(probe) => format!("exactly {:?}", probe.index),
            Plan::Among(probes, _) => {
                let indexes: Vec<String> = probes.iter().map(|probe| format!("{:?}", probe.index)).collect();
                format!("among {}", indexes.join(" "))
            }
            Plan::Scan(_) => "scan".to_owned(),
        }
    }

    #[test]
    fn c18_frequent_filters_have_an_index() {
        for (filter, expected) in [
            (r#"userName eq "a""#, "exactly UserName"),
            (r#"USERNAME Eq "a""#, "exactly UserName"),
            (r#"id eq "a""#, "exactly Id"),
            (r#"externalId eq "a""#, "exactly ExternalId"),
            (r#"displayName eq "a""#, "exactly DisplayName"),
            (r#"emails eq "a""#, "exactly Email"),
            (r#"emails.value eq "a""#, "exactly Email"),
            (r#"emails[type eq "work"].value eq "a""#, "among Email"),
            (r#"emails[type eq "work" and value eq "a"]"#, "among Email"),
            (r#"employeeNumber eq "7""#, "exactly EmployeeNumber"),
            (
                r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber eq "7""#,
                "exactly EmployeeNumber",
            ),
            ("active eq true", "exactly Active"),
            (r#"groups.value eq "g""#, "exactly Group"),
            (r#"meta.lastModified gt "2026-01-01T00:00:00Z""#, "exactly ModifiedAfter"),
            (r#"meta.lastModified eq "2026-01-01T00:00:00.0001Z""#, "scan"),
            (r#"userName eq "a" and active eq true"#, "among UserName"),
            (r#"active eq true and (title pr or userName eq "a")"#, "among Active"),
            (r#"userName eq "a" or emails.value eq "a""#, "among UserName Email"),
            (r#"userName eq "a" or title eq "a""#, "scan"),
            (r#"not (userName eq "a")"#, "scan"),
            (r#"userName sw "a""#, "scan"),
            (r#"userName ne "a""#, "scan"),
            (r#"userName eq """#, "among UserName"),
        ] {
            assert_eq!(plan(ResourceKind::User, filter), expected, "{filter}");
        }
        for (filter, expected) in [
            (r#"displayName eq "a""#, "exactly DisplayName"),
            (r#"members eq "u""#, "exactly Member"),
            (r#"members[value eq "u"]"#, "among Member"),
            (r#"displayName eq "a" and members.value eq "u""#, "among DisplayName"),
        ] {
            assert_eq!(plan(ResourceKind::Group, filter), expected, "{filter}");
        }
    }
}
