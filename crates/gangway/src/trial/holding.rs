//! Which targets a person holds, and why.

use std::fmt;

use model::{OrgName, TargetName};
use scim_types::Resource;
use serde::Serialize;
use translation::{Mapping, Target};

/// Whether a person holds a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Holding {
    /// Whether.
    pub(crate) holds: bool,
    /// Why, or why not.
    #[serde(flatten)]
    pub(crate) why: Why,
}

/// Why a person holds a target or does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", content = "target", rename_all = "kebab-case")]
pub(crate) enum Why {
    /// Its `when` is true, or it has none.
    When,
    /// This target, which is held, refers to it.
    LinkedFrom(TargetName),
    /// Its `when` is not true.
    WhenNot,
    /// This target comes before it, and a person has one record of an object in an org.
    ShadowedBy(TargetName),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::When => f.write_str("its `when` is true, or it has none"),
            Self::LinkedFrom(target) => write!(f, "the target {target} refers to it"),
            Self::WhenNot => f.write_str("its `when` is not true"),
            Self::ShadowedBy(target) => {
                write!(f, "the target {target} has the record of this object already (target-shadowed)")
            }
        }
    }
}

/// Of each target of a mapping, in its order. `default_org` is the org of those that name none.
pub(crate) fn holdings(
    mapping: &Mapping,
    person: &Resource,
    default_org: Option<&OrgName>,
) -> Vec<(TargetName, Holding)> {
    let targets = &mapping.targets;
    let mut held: Vec<Option<Why>> =
        targets.iter().map(|target| target.applies(person).then_some(Why::When)).collect();
    // What is referred to refers to others in turn; mappings without cycles come to an end.
    while let Some((at, from)) = next_link(targets, &held) {
        held[at] = Some(Why::LinkedFrom(from));
    }
    let linked = |name: &TargetName| {
        let mut holders = targets.iter().zip(&held).filter(|(_, why)| why.is_some());
        holders.any(|(target, _)| target.own_links().any(|link| link == name))
    };
    // One that others refer to has the record, whatever stands before it in the file.
    let mut in_turn: Vec<usize> = (0..targets.len()).filter(|at| held[*at].is_some()).collect();
    in_turn.sort_by_key(|at| (!linked(&targets[*at].name), *at));
    let mut winners: Vec<&Target> = Vec::new();
    let mut shadowed: Vec<(usize, TargetName)> = Vec::new();
    for at in in_turn {
        let target = &targets[at];
        let org = |target: &Target| target.org.as_ref().or(default_org).cloned();
        let same = |other: &&&Target| org(other) == org(target) && other.object == target.object;
        match winners.iter().find(same) {
            Some(winner) => shadowed.push((at, winner.name.clone())),
            None => winners.push(target),
        }
    }
    for (at, by) in shadowed {
        held[at] = Some(Why::ShadowedBy(by));
    }
    let holding = |why: Option<Why>| {
        let why = why.unwrap_or(Why::WhenNot);
        Holding { holds: matches!(why, Why::When | Why::LinkedFrom(_)), why }
    };
    targets.iter().zip(held).map(|(target, why)| (target.name.clone(), holding(why))).collect()
}

/// A target that nobody holds yet and a held one refers to.
fn next_link(targets: &[Target], held: &[Option<Why>]) -> Option<(usize, TargetName)> {
    targets.iter().zip(held).filter(|(_, why)| why.is_some()).find_map(|(target, _)| {
        let missing = |link: &TargetName| {
            targets.iter().position(|other| other.name == *link).filter(|at| held[*at].is_none())
        };
        target.own_links().find_map(missing).map(|at| (at, target.name.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Person;

    const MAPPING: &str = r#"
[targets.partners]
object = "User"
when = 'user.userType == "Partner"'
[targets.partners.fields]
Username = 'user.userName'
ContactId = { link = "customers" }

[targets.people]
object = "Contact"
[targets.people.fields]
LastName = 'user.name.familyName'

[targets.customers]
object = "Contact"
when = 'user.userType == "Customer"'
[targets.customers.fields]
LastName = 'user.name.familyName'
"#;

    fn why(user_type: &str) -> Vec<Why> {
        let mapping = Mapping::parse(MAPPING, "acme.toml").unwrap();
        let person = format!(r#"{{"userName": "ada", "userType": "{user_type}"}}"#);
        let person = Person::parse(&person).unwrap().resource;
        holdings(&mapping, &person, None).into_iter().map(|(_, holding)| holding.why).collect()
    }

    #[test]
    fn a_target_is_held_by_its_rule_or_by_a_link_and_one_record_of_an_object_is_enough() {
        let name = |name: &str| TargetName::new(name).unwrap();
        assert_eq!(why("Staff"), [Why::WhenNot, Why::When, Why::WhenNot]);
        assert_eq!(why("Customer"), [Why::WhenNot, Why::When, Why::ShadowedBy(name("people"))]);
        assert_eq!(
            why("Partner"),
            [Why::When, Why::ShadowedBy(name("customers")), Why::LinkedFrom(name("partners"))]
        );
    }
}
