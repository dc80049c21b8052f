//! A filter for resources of several types at once (RFC 7644 §3.4.2.1).

use scim_types::{AttrPath, Filter, ResourceType, filter::Operator};

/// What a filter comes to for a resource type that lacks some of its attributes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Narrowed {
    /// It holds for every resource.
    Always,
    /// It holds for none.
    Never,
    /// It depends.
    If(Filter),
}

/// Reads a filter that was written with another resource type in mind. "For filtered attributes that are not part of a
/// particular resource type, the service provider SHALL treat the attribute as if there is no attribute value."
pub(super) fn narrow(filter: Filter, to: &ResourceType) -> Narrowed {
    match filter {
        Filter::And(parts) => join(parts, to, Filter::And, &Narrowed::Never, &Narrowed::Always),
        Filter::Or(parts) => join(parts, to, Filter::Or, &Narrowed::Always, &Narrowed::Never),
        Filter::Not(inner) => match narrow(*inner, to) {
            Narrowed::Always => Narrowed::Never,
            Narrowed::Never => Narrowed::Always,
            Narrowed::If(inner) => Narrowed::If(Filter::Not(Box::new(inner))),
        },
        Filter::Compare { path, op, value } => match own(&path, to) {
            Some(path) => Narrowed::If(Filter::Compare { path, op, value }),
            None if op == Operator::Ne => Narrowed::Always,
            None => Narrowed::Never,
        },
        Filter::Present { path } => {
            own(&path, to).map_or(Narrowed::Never, |path| Narrowed::If(Filter::Present { path }))
        }
        // A name that both types have leads to attributes of the same form in both.
        Filter::ValuePath { path, filter } => match (own(&path, to), narrow(*filter, to)) {
            (Some(path), Narrowed::If(filter)) => {
                Narrowed::If(Filter::ValuePath { path, filter: Box::new(filter) })
            }
            (Some(path), Narrowed::Always) => Narrowed::If(Filter::Present { path }),
            (None, _) | (_, Narrowed::Never) => Narrowed::Never,
        },
    }
}

/// The attribute of the same name.
fn own(path: &AttrPath, of: &ResourceType) -> Option<AttrPath> {
    of.resolve(path.as_str()).ok()
}

/// Joins parts of which one that `decides` settles all, and one that is `idle` does not matter.
fn join(
    parts: Vec<Filter>,
    to: &ResourceType,
    joined: fn(Vec<Filter>) -> Filter,
    decides: &Narrowed,
    idle: &Narrowed,
) -> Narrowed {
    let mut left = Vec::new();
    for part in parts {
        match narrow(part, to) {
            settled if settled == *decides => return settled,
            Narrowed::If(part) => left.push(part),
            _ => {}
        }
    }
    match left.len() {
        0 => idle.clone(),
        1 => left.pop().map_or(Narrowed::Never, Narrowed::If),
        _ => Narrowed::If(joined(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::resource_type;
    use model::ResourceKind;

    fn for_groups(text: &str) -> String {
        let filter = Filter::parse(text, resource_type(ResourceKind::User)).unwrap();
        match narrow(filter, resource_type(ResourceKind::Group)) {
            Narrowed::Always => "always".into(),
            Narrowed::Never => "never".into(),
            Narrowed::If(filter) => filter.to_string(),
        }
    }

    #[test]
    fn what_a_group_does_not_have_is_absent() {
        for (user, group) in [
            ("userName eq \"x\"", "never"),
            ("userName pr", "never"),
            ("userName ne \"x\"", "always"),
            ("not (userName pr)", "always"),
            ("not (userName ne \"x\")", "never"),
            ("displayName eq \"x\"", "displayName eq \"x\""),
            ("userName eq \"x\" or displayName eq \"x\"", "displayName eq \"x\""),
            ("userName eq \"x\" and displayName eq \"x\"", "never"),
            ("not (userName pr) and displayName pr and externalId pr", "displayName pr and externalId pr"),
            ("not (userName pr) or displayName pr", "always"),
            ("not (userName pr or displayName pr)", "not (displayName pr)"),
            ("emails[type eq \"work\"]", "never"),
            ("emails[type eq \"work\"] or id eq \"x\"", "id eq \"x\""),
            ("title eq \"x\" or title eq \"y\"", "never"),
        ] {
            assert_eq!(for_groups(user), group, "{user}");
        }
    }
}
