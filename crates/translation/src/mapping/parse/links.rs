//! Whether the targets of a mapping refer to each other as they can.

use std::collections::HashSet;

use model::OrgName;

use super::Reader;
use crate::mapping::{Meaning, Rule, Target};
use crate::suggest::nearest;

impl Reader {
    /// `names` are those of all targets in the file, those with mistakes included.
    pub(super) fn links(&mut self, targets: &[Target], names: &[&str]) {
        for (place, target) in targets.iter().enumerate() {
            for rule in &target.rules {
                let Meaning::Identity(name) = &rule.meaning else { continue };
                match targets.iter().position(|other| other.name == *name) {
                    Some(other) => self.link(targets, (place, rule), other),
                    None if names.contains(&name.as_str()) => {}
                    None => {
                        let message = format!("this mapping has no target `{name}`");
                        self.refuse(place_of(rule), message, nearest(name.as_str(), names.iter().copied()));
                    }
                }
            }
        }
    }

    fn link(&mut self, targets: &[Target], (place, rule): (usize, &Rule), other: usize) {
        let (target, linked) = (&targets[place], &targets[other]);
        let name = &linked.name;
        let is_own = rule.own_link().is_some();
        if let Some(message) = other_org(target, linked, None) {
            self.refuse(place_of(rule), message, None);
        } else if is_own && place == other {
            let message = format!(
                "`{name}` is this target itself, and no record refers to itself; say whose record is meant: \
                 `{{ from = 'manager.value', link = \"{name}\" }}`"
            );
            self.refuse(place_of(rule), message, None);
        } else if is_own && place < other && needs(targets, other, place) {
            let message = format!(
                "`{}` and `{name}` refer to each other in a circle, so neither could be made first",
                target.name
            );
            self.refuse(place_of(rule), message, None);
        }
    }
}

/// Why a record of one target cannot refer to a record of another: they are in different orgs.
pub(in crate::mapping) fn other_org(
    target: &Target,
    linked: &Target,
    default: Option<&OrgName>,
) -> Option<String> {
    let (here, there) = (target.org.as_ref().or(default)?, linked.org.as_ref().or(default)?);
    (here != there).then(|| {
        format!(
            "`{}` is in the org `{there}`, and this target in `{here}`; a record refers to records of its own org",
            linked.name
        )
    })
}

pub(in crate::mapping) fn place_of(rule: &Rule) -> std::ops::Range<usize> {
    rule.meaning_place.clone().unwrap_or_else(|| rule.place.clone())
}

/// Whether a target refers to another for the same person, itself or through others.
fn needs(targets: &[Target], from: usize, to: usize) -> bool {
    let mut seen = HashSet::new();
    let mut waiting = vec![from];
    while let Some(at) = waiting.pop() {
        if at == to {
            return true;
        }
        if seen.insert(at) {
            let linked = targets[at].own_links();
            waiting.extend(linked.filter_map(|name| targets.iter().position(|it| it.name == *name)));
        }
    }
    false
}
