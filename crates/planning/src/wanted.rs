//! What an identity is to have in an org: what its attributes, its groups and the rules ask for, once each.

use model::{ResourceId, Timestamp};
use salesforce_types::{AskedBy, Catalogue, Entitlement, EntitlementKind, EntitlementRef, NotOne};
use translation::Ruled;

/// All that asks for something in one org.
#[derive(Clone, Copy, Debug)]
pub struct Asks<'a> {
    /// The identity's `entitlements` and `roles`, in the order in which they stand.
    pub attributes: &'a [EntitlementRef],
    /// The groups that stand for something, in the order in which it joined them.
    pub groups: &'a [(ResourceId, EntitlementRef)],
    /// What the rules ask for.
    pub rules: &'a [Ruled],
}

/// One entitlement that an identity is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What.
    pub of: EntitlementRef,
    /// What the org calls it.
    pub name: String,
    /// Who asks; nobody is named twice.
    pub asked: Vec<AskedBy>,
    /// When the last of them stops asking.
    pub until: Option<Timestamp>,
}

/// An ask that comes to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// The org has none of that name.
    Unknown {
        /// Who asks.
        by: AskedBy,
        /// For what.
        kind: EntitlementKind,
        /// By its name or id.
        name: String,
    },
    /// Several in the org are called so.
    Ambiguous {
        /// Who asks.
        by: AskedBy,
        /// For what.
        kind: EntitlementKind,
        /// By its name.
        name: String,
        /// These.
        candidates: Vec<EntitlementRef>,
    },
    /// There can be only one, and another comes first.
    Outranked {
        /// Who asks.
        by: AskedBy,
        /// For what.
        of: EntitlementRef,
        /// What comes first.
        instead: EntitlementRef,
        /// Whether they have the same rank, so that only their order has decided.
        tie: bool,
    },
}

/// An ask with its place: the attribute first, then groups, then rules by rank.
struct Placed<'a> {
    entitlement: &'a Entitlement,
    by: AskedBy,
    until: Option<Timestamp>,
    rank: (u8, i64),
}

/// Puts the asks together: what is asked for by several is there once, and of what can be only one (profile, role) the first
/// wins. What the catalogue does not have is unmet; nothing is guessed.
#[must_use]
pub fn wanted(asks: &Asks<'_>, catalogue: &Catalogue) -> (Vec<Wanted>, Vec<Unmet>) {
    let mut unmet = Vec::new();
    let mut placed = placed(asks, catalogue, &mut unmet);
    placed.sort_by_key(|ask| ask.rank);
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut firsts: Vec<(EntitlementKind, (u8, i64))> = Vec::new();
    for ask in placed {
        let of = &ask.entitlement.of;
        if let Some(known) = wanted.iter_mut().find(|known| known.of == *of) {
            known.until = later(known.until, ask.until);
            if !known.asked.contains(&ask.by) {
                known.asked.push(ask.by);
            }
            continue;
        }
        if of.kind.is_single() {
            let first = firsts.iter().find(|(kind, _)| *kind == of.kind);
            if let Some((_, rank)) = first {
                let instead =
                    wanted.iter().find(|known| known.of.kind == of.kind).map(|known| known.of.clone());
                let (instead, tie) = (instead.unwrap_or_else(|| of.clone()), *rank == ask.rank);
                unmet.push(Unmet::Outranked { by: ask.by, of: of.clone(), instead, tie });
                continue;
            }
            firsts.push((of.kind, ask.rank));
        }
        let (of, name) = (of.clone(), ask.entitlement.label.clone());
        wanted.push(Wanted { of, name, asked: vec![ask.by], until: ask.until });
    }
    wanted.sort_by(|a, b| a.of.cmp(&b.of));
    for one in &mut wanted {
        one.asked.sort();
    }
    (wanted, unmet)
}

/// Adds the permission set licences that what is wanted needs: a licence is given before its set, and whoever asks for the set
/// asks for it. What does not `come` needs none.
pub fn with_licenses(
    wanted: &mut Vec<Wanted>,
    catalogue: &Catalogue,
    comes: impl Fn(&EntitlementRef) -> bool,
) {
    let sets: Vec<Wanted> = wanted.iter().filter(|one| comes(&one.of)).cloned().collect();
    for set in sets {
        for of in salesforce_types::licenses_needed(catalogue, &set.of) {
            if let Some(known) = wanted.iter_mut().find(|known| known.of == of) {
                known.until = later(known.until, set.until);
                let new: Vec<AskedBy> =
                    set.asked.iter().filter(|by| !known.asked.contains(by)).cloned().collect();
                known.asked.extend(new);
                known.asked.sort();
            } else {
                let name = catalogue.get(&of).map_or_else(|| of.id.clone(), |one| one.label.clone());
                wanted.push(Wanted { of, name, asked: set.asked.clone(), until: set.until });
            }
        }
    }
    wanted.sort_by(|a, b| a.of.cmp(&b.of));
}

/// When the last of two stops asking.
fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.and_then(|one| other.map(|other| one.max(other)))
}

fn placed<'a>(asks: &Asks<'_>, catalogue: &'a Catalogue, unmet: &mut Vec<Unmet>) -> Vec<Placed<'a>> {
    let mut placed = Vec::new();
    let named = asks.attributes.iter().map(|of| (AskedBy::Attribute, of, 0));
    let named = named.chain(asks.groups.iter().map(|(id, of)| (AskedBy::Group(id.clone()), of, 1)));
    for (by, of, rank) in named {
        match catalogue.get(of) {
            Some(entitlement) => placed.push(Placed { entitlement, by, until: None, rank: (rank, 0) }),
            None => unmet.push(Unmet::Unknown { by, kind: of.kind, name: of.id.clone() }),
        }
    }
    for ruled in asks.rules {
        let by = AskedBy::Rule(ruled.rule.clone());
        let (kind, name) = (ruled.kind, ruled.name.clone());
        match catalogue.named(&[kind], &name) {
            Ok(entitlement) => {
                placed.push(Placed { entitlement, by, until: ruled.until, rank: (2, ruled.rank) });
            }
            Err(NotOne::Unknown) => unmet.push(Unmet::Unknown { by, kind, name }),
            Err(NotOne::Ambiguous(candidates)) => unmet.push(Unmet::Ambiguous { by, kind, name, candidates }),
        }
    }
    placed
}
