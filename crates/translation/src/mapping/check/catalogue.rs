//! A mapping against what an org offers: whether there is what its rules name, and whether it goes together.

use std::ops::Range;

use model::OrgName;
use salesforce_types::{Audience, Catalogue, Entitlement, EntitlementKind, NotOne, mismatch};

use super::super::{GrantRule, Mapping, MappingError, Severity, Target};
use crate::suggest::nearest;

pub(in crate::mapping) fn check(
    mapping: &Mapping,
    org: &OrgName,
    catalogue: &Catalogue,
    is_here: impl Fn(&Target) -> bool,
) -> Vec<MappingError> {
    let users = mapping.targets.iter().filter(|target| target.object == "User" && is_here(target)).collect();
    let elsewhere = mapping.targets.iter().any(|target| !is_here(target));
    let mut checker = Checker { mapping, org, catalogue, users, elsewhere, errors: Vec::new() };
    checker.rules();
    checker.least_privileged();
    checker.published();
    checker.pushed();
    let mut errors = checker.errors;
    errors.sort_by_key(|error| (error.span.start, error.severity == Severity::Warning));
    errors.dedup();
    errors
}

struct Checker<'m> {
    mapping: &'m Mapping,
    org: &'m OrgName,
    catalogue: &'m Catalogue,
    /// The targets of Users in this org.
    users: Vec<&'m Target>,
    /// Whether the mapping has targets in other orgs, which may have what this one lacks.
    elsewhere: bool,
    errors: Vec<MappingError>,
}

/// A rule's profile.
#[derive(Clone, Copy)]
struct Given<'m> {
    profile: &'m Entitlement,
    rule: &'m GrantRule,
}

impl<'m> Checker<'m> {
    fn refuse(&mut self, place: &Range<usize>, message: impl Into<String>, suggestion: Option<String>) {
        self.errors.push(self.mapping.text.error(place.clone(), message.into(), suggestion));
    }

    fn warn(&mut self, place: &Range<usize>, message: impl Into<String>) {
        let mut warning = self.mapping.text.error(place.clone(), message.into(), None);
        warning.severity = Severity::Warning;
        self.errors.push(warning);
    }

    /// The one that is called so; otherwise it is said what is wrong. What only may be in this org is missed with a warning.
    fn named(
        &mut self,
        kind: EntitlementKind,
        name: &str,
        place: &Range<usize>,
        must: bool,
    ) -> Option<&'m Entitlement> {
        let catalogue = self.catalogue;
        match catalogue.named(&[kind], name) {
            Ok(found) => return Some(found),
            Err(NotOne::Ambiguous(candidates)) => {
                let ids: Vec<&str> = candidates.iter().map(|one| one.id.as_str()).collect();
                let message = format!(
                    "several {kind}s of the org {} are called `{name}`: write the API name or the id of one of {}",
                    self.org,
                    ids.join(", ")
                );
                self.refuse(place, message, None);
            }
            Err(NotOne::Unknown) => {
                let known = catalogue.entitlements().iter().filter(|one| one.of.kind == kind);
                let suggestion = nearest(name, known.flat_map(|one| [one.name.as_str(), one.label.as_str()]));
                let message = format!(
                    "the org {} has no {kind} `{name}`, or the integration user may not see it",
                    self.org
                );
                if must { self.refuse(place, message, suggestion) } else { self.warn(place, message) }
            }
        }
        None
    }

    /// The targets in this org that a rule is about.
    fn targets_of(&self, rule: &GrantRule) -> Vec<&'m Target> {
        self.users.iter().copied().filter(|target| rule.is_for(&target.name)).collect()
    }

    fn rules(&mut self) {
        let mapping = self.mapping;
        for rule in &mapping.grants {
            let targets = self.targets_of(rule);
            if targets.is_empty() {
                continue;
            }
            let mut found = Vec::new();
            for ((kind, name), place) in rule.asks.iter().zip(&rule.place.asks) {
                found.extend(self.named(*kind, name, place, true).map(|one| (one, place)));
            }
            let own = found.iter().find(|(one, _)| one.of.kind == EntitlementKind::Profile);
            let own = own.map(|(profile, _)| Given { profile, rule });
            for (one, place) in &found {
                self.far_reaching(one, place);
                for target in &targets {
                    self.audience(one, target, place);
                    if let Some(given) = own.or_else(|| self.usual_profile(target)) {
                        self.goes_with(one, &given, rule, place);
                    }
                }
            }
        }
    }

    /// The profile that everybody of a target gets whom no other rule gives one.
    fn usual_profile(&self, target: &Target) -> Option<Given<'m>> {
        let rules = self.mapping.grants.iter();
        let always = rules.filter(|rule| rule.is_unconditional() && rule.is_for(&target.name));
        let profiles = always.filter_map(|rule| {
            let (kind, name) = rule.asks.iter().find(|(kind, _)| *kind == EntitlementKind::Profile)?;
            Some(Given { profile: self.catalogue.named(&[*kind], name).ok()?, rule })
        });
        profiles.min_by_key(|given| given.rule.rank)
    }

    fn far_reaching(&mut self, one: &Entitlement, place: &Range<usize>) {
        if one.far_reaching {
            let message = format!(
                "the {} `{}` gives Modify All Data or Manage Users to everybody for whom this holds",
                one.of.kind, one.label
            );
            self.warn(place, message);
        }
    }

    /// Whether the Users of a target can have a profile or a role.
    fn audience(&mut self, one: &Entitlement, target: &Target, place: &Range<usize>) {
        if let Some(message) = target.misplaces(one) {
            self.refuse(place, message, None);
        }
    }

    /// Whether something can be had with a profile: licence against licence.
    fn goes_with(&mut self, one: &Entitlement, given: &Given<'_>, rule: &GrantRule, place: &Range<usize>) {
        let Some(why) = mismatch(self.catalogue, given.profile, one) else { return };
        let message = format!("with the profile `{}` this cannot be given: {why}", given.profile.label);
        if given.rule.name == rule.name {
            self.refuse(place, message, None);
        } else {
            self.warn(place, format!("{message} (rule `{}`)", given.rule.name));
        }
    }

    fn least_privileged(&mut self) {
        let policy = &self.mapping.entitlements;
        for (license, profile) in &policy.least_privileged {
            let Some((license_place, profile_place)) = policy.places.get(license) else { continue };
            let licenses = self.catalogue.licenses();
            let Some(known) = licenses.iter().find(|known| known.is_called(license)) else {
                let names = licenses.iter().flat_map(|known| [known.name.as_str(), known.key.as_str()]);
                let suggestion = nearest(license, names);
                let message = format!("the org {} has no user licence `{license}`", self.org);
                if self.elsewhere {
                    self.warn(license_place, message);
                } else {
                    self.refuse(license_place, message, suggestion);
                }
                continue;
            };
            let Some(found) = self.named(EntitlementKind::Profile, profile, profile_place, true) else {
                continue;
            };
            if found.license.as_ref().is_some_and(|id| *id != known.id) {
                let other = found.license.as_ref().and_then(|id| self.catalogue.license(id));
                let message = format!(
                    "the profile `{}` has the licence {}, not {}; a User keeps his",
                    found.label,
                    other.map_or("another", |other| &other.name),
                    known.name
                );
                self.refuse(profile_place, message, None);
            }
            if found.audience() == Some(Audience::System) {
                let message = format!("nobody can be given the profile `{}`", found.label);
                self.refuse(profile_place, message, None);
            }
            self.far_reaching(found, profile_place);
        }
    }

    fn published(&mut self) {
        for publish in &self.mapping.groups.publish {
            if publish.org.as_ref().is_some_and(|org| org != self.org) {
                continue;
            }
            let offered: Vec<&Entitlement> = self
                .catalogue
                .entitlements()
                .iter()
                .filter(|one| publish.kinds.contains(&one.of.kind))
                .collect();
            let kinds: Vec<&str> = publish.kinds.iter().map(|kind| kind.as_str()).collect();
            let kinds = kinds.join(" or ");
            // The last place is that of the whole entry.
            let (header, names) = publish.places.split_last().expect("the entry has a place");
            if offered.is_empty() {
                self.warn(header, format!("the org {} has no {kinds}, so this publishes nothing", self.org));
                continue;
            }
            for (glob, place) in publish.names.iter().zip(names) {
                if !offered.iter().any(|one| glob.matches(&one.name) || glob.matches(&one.label)) {
                    self.warn(place, format!("no {kinds} of the org {} is called `{glob}`", self.org));
                }
            }
        }
    }

    /// What a group's name decides is not known here.
    fn pushed(&mut self) {
        for pushed in &self.mapping.groups.pushed {
            let Some(name) = pushed.entitlement.constant() else { continue };
            let is_ours = pushed.org.as_ref().map(|org| org == self.org);
            if is_ours != Some(false) {
                self.named(pushed.kind, name, &pushed.place, is_ours == Some(true) || !self.elsewhere);
            }
        }
    }
}
