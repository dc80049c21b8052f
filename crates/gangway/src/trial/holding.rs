//! Which targets a person holds, and why.

use std::fmt;

use model::{Ids, OrgName, TargetName};
use planning::{Place, courses};
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
    /// It has no `when`.
    Always,
    /// Its `when` is true.
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
            Self::Always => f.write_str("it has no `when`"),
            Self::When => f.write_str("its `when` is true"),
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
    // Without a configuration there is one org, whatever it is called.
    let only = OrgName::new("org").ok();
    let org = |target: &Target| target.org.clone().or_else(|| default_org.cloned()).or_else(|| only.clone());
    let orgs: Vec<Option<OrgName>> = targets.iter().map(org).collect();
    let places: Vec<Place<'_>> = targets
        .iter()
        .zip(&orgs)
        .filter_map(|(target, org)| Some(Place { target, org: org.as_ref()?, removed: false }))
        .collect();
    let nobody = Ids::random().resource();
    let courses = courses(&nobody, &places, Some(person), &[]);
    let held: Vec<&Target> = courses.all.iter().map(|course| course.place.target).collect();
    let why = |target: &Target| {
        let shadow = courses.shadowed.iter().find(|(name, _)| **name == target.name);
        if let Some((_, by)) = shadow {
            return Why::ShadowedBy((*by).clone());
        }
        let refers = |other: &&&Target| other.own_links().any(|link| *link == target.name);
        let is_held = held.iter().any(|other| other.name == target.name);
        match (is_held, target.applies(person), mapping.when_in_file(&target.name)) {
            (true, true, Some(_)) => Why::When,
            (true, true, None) => Why::Always,
            (true, false, _) => {
                held.iter().find(refers).map_or(Why::WhenNot, |other| Why::LinkedFrom(other.name.clone()))
            }
            (false, ..) => Why::WhenNot,
        }
    };
    let holding = |target: &Target| {
        let is_held = held.iter().any(|other| other.name == target.name);
        (target.name.clone(), Holding { holds: is_held, why: why(target) })
    };
    targets.iter().map(holding).collect()
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
        assert_eq!(why("Staff"), [Why::WhenNot, Why::Always, Why::WhenNot]);
        assert_eq!(why("Customer"), [Why::WhenNot, Why::Always, Why::ShadowedBy(name("people"))]);
        assert_eq!(
            why("Partner"),
            [Why::When, Why::ShadowedBy(name("customers")), Why::LinkedFrom(name("partners"))]
        );
    }
}
