//! `[groups]`: which SCIM Groups stand for an entitlement.

use std::collections::HashMap;
use std::ops::Range;

use model::OrgName;
use salesforce_types::{Catalogue, Entitlement, EntitlementKind, EntitlementRef, NotOne, StandsFor};
use scim_types::fold;
use serde::{Deserialize, Serialize};

use crate::glob::Glob;

/// Which SCIM Groups stand for an entitlement, so that their members have it.
#[derive(Clone, Debug, Default)]
pub struct GroupPolicy {
    /// Groups that Gangway makes from the catalogue.
    pub publish: Vec<Publish>,
    /// Groups that the caller makes; of several that match the first counts.
    pub pushed: Vec<Pushed>,
    /// What becomes of a change of members that Salesforce takes in part.
    pub partial: Partial,
}

/// What becomes of a change of members that Salesforce takes in part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Partial {
    /// Who was taken in stays.
    #[default]
    Keep,
    /// It is undone.
    Rollback,
}

/// Entitlements that are shown as SCIM Groups.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Of these kinds.
    pub kinds: Vec<EntitlementKind>,
    /// Whose API name or label is one of these; none: all.
    pub names: Vec<Glob>,
    /// Of this org; absent: of every one.
    pub org: Option<OrgName>,
    pub(super) display: Template,
    /// Of each of `names`, and behind them of the whole entry.
    pub(super) places: Vec<Range<usize>>,
}

/// SCIM Groups of a caller that stand for an entitlement.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// Those with such a name.
    pub name: Glob,
    /// The kind of the entitlement.
    pub kind: EntitlementKind,
    /// Its org; absent: the one that has it.
    pub org: Option<OrgName>,
    pub(super) entitlement: Template,
    pub(super) place: Range<usize>,
}

/// A text with names in braces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// Why a group that a rule matches stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedError {
    /// The kind that the rule says.
    pub kind: EntitlementKind,
    /// The name that the rule makes of the group's.
    pub name: String,
    /// What there are of it; empty: none.
    pub candidates: Vec<StandsFor>,
}

impl std::fmt::Display for PushedError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, name, candidates } = self;
        if candidates.is_empty() {
            return write!(f, "no org has a {kind} `{name}`");
        }
        let candidates: Vec<String> =
            candidates.iter().map(|one| format!("{} in the org {}", one.of.id, one.org)).collect();
        write!(f, "several {kind}s are called `{name}`: {}", candidates.join(", "))
    }
}

impl std::error::Error for PushedError {}

impl Template {
    /// Reads `{name}`s; `is_known` says which there are.
    ///
    /// # Errors
    ///
    /// What is wrong, as a sentence, and at which bytes of the text.
    pub(super) fn parse(text: &str, is_known: impl Fn(&str) -> bool) -> Result<Self, (Range<usize>, String)> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some(open) = text[at..].find('{').map(|open| at + open) {
            let Some(close) = text[open..].find('}').map(|close| open + close) else {
                return Err((open..text.len(), "this `{` has no `}`".to_owned()));
            };
            let name = &text[open + 1..close];
            if !is_known(name) {
                return Err((open..close + 1, format!("`{{{name}}}` stands for nothing here")));
            }
            pieces.extend((at < open).then(|| Piece::Text(text[at..open].to_owned())));
            pieces.push(Piece::Name(name.to_owned()));
            at = close + 1;
        }
        pieces.extend((at < text.len()).then(|| Piece::Text(text[at..].to_owned())));
        Ok(Self(pieces))
    }

    /// The text, if no name is in it.
    pub(super) fn constant(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Name(name) => value(name),
        };
        self.0.iter().map(piece).collect::<String>().trim().to_owned()
    }
}

impl Publish {
    /// What a group's name may be made of.
    pub(super) const NAMES: [&str; 4] = ["label", "name", "kind", "org"];

    /// Whether an entitlement of an org is one of them.
    #[must_use]
    pub fn takes(&self, org: &OrgName, entitlement: &Entitlement) -> bool {
        let is_called = |glob: &Glob| glob.matches(&entitlement.name) || glob.matches(&entitlement.label);
        self.org.as_ref().is_none_or(|own| own == org)
            && self.kinds.contains(&entitlement.of.kind)
            && (self.names.is_empty() || self.names.iter().any(is_called))
    }

    fn name_of(&self, entitlement: &Entitlement, org: &OrgName) -> String {
        self.display.fill(|name| match name {
            "name" => entitlement.name.clone(),
            "kind" => entitlement.of.kind.to_string(),
            "org" => org.to_string(),
            _ => entitlement.label.clone(),
        })
    }
}

impl Pushed {
    /// What the rule calls the entitlement of a group; nothing where the rule is not about it.
    fn entitlement_of(&self, display_name: &str) -> Option<String> {
        let stars = self.name.captures(display_name)?;
        Some(self.entitlement.fill(|name| match name.parse::<usize>() {
            Ok(star) => stars.get(star.wrapping_sub(1)).cloned().unwrap_or_default(),
            Err(_) => display_name.to_owned(),
        }))
    }
}

impl GroupPolicy {
    /// Whether any Group is made from the catalogue.
    #[must_use]
    pub fn publishes(&self) -> bool {
        !self.publish.is_empty()
    }

    /// The Groups of an org's catalogue, by `displayName`, in the order of the catalogue. The names differ, also in case: of
    /// entitlements that would be called alike each has its kind behind it, where that is not enough its API name, then its
    /// id.
    #[must_use]
    pub fn published(&self, org: &OrgName, catalogue: &Catalogue) -> Vec<(String, EntitlementRef)> {
        let mut groups: Vec<(String, usize, &Entitlement)> = Vec::new();
        for entitlement in catalogue.entitlements() {
            if let Some(publish) = self.publish.iter().find(|publish| publish.takes(org, entitlement)) {
                groups.push((publish.name_of(entitlement, org), 0, entitlement));
            }
        }
        // Each round a name that is there twice gets longer; ids differ, so there is an end.
        for _ in 0..LONGEST_SUFFIX {
            let mut seen: HashMap<String, usize> = HashMap::new();
            for (name, suffix, entitlement) in &groups {
                *seen.entry(fold(&distinct(name, *suffix, entitlement))).or_default() += 1;
            }
            for (name, suffix, entitlement) in &mut groups {
                if seen.get(&fold(&distinct(name, *suffix, entitlement))).is_some_and(|times| *times > 1) {
                    *suffix = (*suffix + 1).min(LONGEST_SUFFIX);
                }
            }
        }
        let named = |(name, suffix, one): &(String, usize, &Entitlement)| {
            (distinct(name, *suffix, one), one.of.clone())
        };
        groups.iter().map(named).collect()
    }

    /// What a Group of this name that a caller makes stands for, by the first rule that matches; nothing: it is a plain one.
    ///
    /// # Errors
    ///
    /// A rule matches, and no org has what it says, or there are several.
    pub fn stands_for(
        &self,
        display_name: &str,
        orgs: &[(&OrgName, &Catalogue)],
    ) -> Result<Option<StandsFor>, PushedError> {
        let mut rules = self.pushed.iter();
        let matched = rules.find_map(|rule| Some((rule, rule.entitlement_of(display_name)?)));
        let Some((rule, name)) = matched else { return Ok(None) };
        let kind = rule.kind;
        let mut candidates = Vec::new();
        for (org, catalogue) in orgs.iter().filter(|(org, _)| rule.org.as_ref().is_none_or(|own| own == *org))
        {
            let stands_for = |of: EntitlementRef| StandsFor { org: (*org).clone(), of };
            match catalogue.named(&[kind], &name) {
                Ok(found) => candidates.push(stands_for(found.of.clone())),
                Err(NotOne::Unknown) => {}
                Err(NotOne::Ambiguous(several)) => candidates.extend(several.into_iter().map(stands_for)),
            }
        }
        match candidates.as_slice() {
            [one] => Ok(Some(one.clone())),
            _ => Err(PushedError { kind, name, candidates }),
        }
    }
}

/// The longest of the things that tell entitlements of one name apart.
const LONGEST_SUFFIX: usize = 3;

fn distinct(name: &str, suffix: usize, entitlement: &Entitlement) -> String {
    let kind = entitlement.of.kind;
    match suffix {
        0 => name.to_owned(),
        1 => format!("{name} ({kind})"),
        2 => format!("{name} ({kind} {})", entitlement.name),
        _ => format!("{name} ({kind} {})", entitlement.of.id),
    }
}
