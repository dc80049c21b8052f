//! `[[grants]]`: which entitlements people get by rule.

use std::ops::Range;

use jiff::Timestamp;
use model::TargetName;
use salesforce_types::EntitlementKind;
use scim_types::{Resource, fold_eq};
use serde::{Deserialize, Serialize};

use super::Mapping;
use crate::expression::{Expression, UserValue};
use crate::note::{Note, NoteCode};
use crate::translate::moment;

/// Who gets what: identities for which `when` holds have these entitlements.
#[derive(Clone, Debug)]
pub struct GrantRule {
    /// What the mapping calls it; `grant 1` where it does not.
    pub name: String,
    /// The target whose Users are meant; absent: every target of Users.
    pub target: Option<TargetName>,
    /// What is asked for: the kind, and the name or id.
    pub asks: Vec<(EntitlementKind, String)>,
    /// Of several rules that ask for a profile or a role the one with the lowest rank wins.
    pub rank: i64,
    pub(super) when: Option<Expression>,
    pub(super) until: Option<Until>,
    pub(super) place: RulePlace,
}

/// When what a rule asks for ends.
#[derive(Clone, Debug)]
pub(crate) enum Until {
    /// Then, for everybody.
    At(Timestamp),
    /// When this says; for good where it gives nothing.
    Expression(Expression),
}

/// Where a rule stands in its file.
#[derive(Clone, Debug, Default)]
pub(crate) struct RulePlace {
    /// The first line of the rule.
    pub header: Range<usize>,
    /// Of each ask.
    pub asks: Vec<Range<usize>>,
}

/// Something that a rule asks for, for one person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ruled {
    /// The rule.
    pub rule: String,
    /// The target whose User gets it; absent: every target of Users. A profile and a role always name it.
    pub target: Option<TargetName>,
    /// What it is.
    pub kind: EntitlementKind,
    /// Its name or id, as the rule has it.
    pub name: String,
    /// The rule's rank.
    pub rank: i64,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
}

impl GrantRule {
    /// Whether the rule is for everybody and for good.
    #[must_use]
    pub fn is_unconditional(&self) -> bool {
        self.when.is_none() && self.until.is_none()
    }

    /// Whether it is about the Users of this target.
    #[must_use]
    pub fn is_for(&self, target: &TargetName) -> bool {
        self.target.as_ref().is_none_or(|own| own == target)
    }

    /// Whether `when` or `until` looks at memberships.
    pub(super) fn looks_at_groups(&self) -> bool {
        let until = match &self.until {
            Some(Until::Expression(until)) => until.looks_at_groups(),
            Some(Until::At(_)) | None => false,
        };
        until || self.when.as_ref().is_some_and(Expression::looks_at_groups)
    }

    /// When it ends for a person.
    ///
    /// # Errors
    ///
    /// Why that cannot be told.
    fn ends(&self, user: &Resource, value: &UserValue) -> Result<Option<Timestamp>, String> {
        let until = match &self.until {
            None => return Ok(None),
            Some(Until::At(at)) => return Ok(Some(*at)),
            Some(Until::Expression(until)) => until,
        };
        let Some(text) = until.text_among(user, value)? else { return Ok(None) };
        let at = moment(&text);
        at.map(Some).ok_or_else(|| format!("`{text}` is no date and no time such as 2026-01-31T12:00:00Z"))
    }
}

impl Mapping {
    /// What the rules ask for: what can be many in the order of the file, then profiles and roles. `user` has its `groups` (`value`, `display`) where
    /// [`Mapping::looks_at_groups`]. What has ended at `now` is left out, and so is, with a note, what ends nobody knows when.
    ///
    /// Of the profiles and roles that the rules give a target, the one of the lowest rank alone is among them; of equal ranks
    /// the first in the file, with a note where they name different ones.
    #[must_use]
    pub fn ruled(&self, user: &Resource, now: Timestamp) -> (Vec<Ruled>, Vec<Note>) {
        let mut notes = Vec::new();
        let mut asked: Vec<Ruled> = Vec::new();
        let value = UserValue::default();
        for rule in self
            .grants
            .iter()
            .filter(|rule| rule.when.as_ref().is_none_or(|when| when.holds_among(user, &value)))
        {
            match rule.ends(user, &value) {
                Ok(Some(until)) if until <= now => {}
                Ok(until) => asked.extend(rule.asks.iter().map(|(kind, name)| Ruled {
                    rule: rule.name.clone(),
                    target: rule.target.clone(),
                    kind: *kind,
                    name: name.clone(),
                    rank: rule.rank,
                    until,
                })),
                Err(why) => notes.push(Note {
                    code: NoteCode::UntilUnknown,
                    field: "until".to_owned(),
                    attribute: rule.until_attribute(),
                    detail: format!(
                        "the rule {} gives nothing, because nobody knows until when: {why}",
                        rule.name
                    ),
                }),
            }
        }
        let mut ruled: Vec<Ruled> = asked.iter().filter(|ask| !ask.kind.is_single()).cloned().collect();
        for target in self.targets.iter().filter(|target| target.object == "User") {
            for kind in [EntitlementKind::Profile, EntitlementKind::Role] {
                let about = |ask: &&Ruled| {
                    ask.kind == kind && ask.target.as_ref().is_none_or(|own| *own == target.name)
                };
                // `min_by_key` takes the first of equals.
                let Some(won) = asked.iter().filter(about).min_by_key(|ask| ask.rank) else { continue };
                let mut others = asked.iter().filter(about).filter(|ask| ask.rank == won.rank);
                let other = others.find(|ask| !fold_eq(&ask.name, &won.name));
                // Two targets may have the same rules.
                notes.extend(other.map(|other| tied(won, other)).filter(|note| !notes.contains(note)));
                ruled.push(Ruled { target: Some(target.name.clone()), ..won.clone() });
            }
        }
        (ruled, notes)
    }

    /// Whether a rule or a target's `when` looks at memberships.
    #[must_use]
    pub fn looks_at_groups(&self) -> bool {
        let whens = self.targets.iter().filter_map(|target| target.when.as_ref());
        self.grants.iter().any(GrantRule::looks_at_groups)
            || whens.into_iter().any(Expression::looks_at_groups)
    }
}

impl GrantRule {
    fn until_attribute(&self) -> Option<String> {
        match &self.until {
            Some(Until::Expression(until)) => until.attribute().map(ToOwned::to_owned),
            Some(Until::At(_)) | None => None,
        }
    }
}

fn tied(won: &Ruled, other: &Ruled) -> Note {
    let kind = won.kind;
    Note {
        code: NoteCode::RankTied,
        field: kind.to_string(),
        attribute: None,
        detail: format!(
            "the rules {} and {} both have rank {} and ask for the {kind}s `{}` and `{}`; the first is taken",
            won.rule, other.rule, won.rank, won.name, other.name
        ),
    }
}
