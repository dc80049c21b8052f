//! Which entitlements the rules give a person.

use std::fmt;

use salesforce_types::{Catalogue, EntitlementRef, NotOne};
use serde::Serialize;
use translation::{Note, RuleInFile, Ruled, Target};

use super::Attempt;

/// An entitlement that a rule gives.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TriedGrant {
    /// What, by which rule and until when.
    #[serde(flatten)]
    pub(crate) ruled: Ruled,
    /// The rule in the mapping.
    pub(crate) place: Option<RuleInFile>,
    /// What the org has of it, where one was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) offered: Option<Offered>,
}

/// What an org has under the name that a rule says.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Offered {
    /// This, called so by people.
    One {
        /// Which one.
        #[serde(flatten)]
        of: EntitlementRef,
        /// As people see it.
        label: String,
    },
    /// Nothing.
    Nothing,
    /// Several.
    Several(Vec<EntitlementRef>),
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One { of, label } => write!(f, "{label} ({})", of.id),
            Self::Nothing => f.write_str("NOT THERE"),
            Self::Several(of) => {
                let ids: Vec<&str> = of.iter().map(|of| of.id.as_str()).collect();
                write!(f, "AMBIGUOUS: {}", ids.join(", "))
            }
        }
    }
}

impl TriedGrant {
    /// Looks it up in what an org offers.
    pub(crate) fn look_up(&mut self, catalogue: &Catalogue) {
        self.offered = Some(match catalogue.named(&[self.ruled.kind], &self.ruled.name) {
            Ok(one) => Offered::One { of: one.of.clone(), label: one.label.clone() },
            Err(NotOne::Unknown) => Offered::Nothing,
            Err(NotOne::Ambiguous(several)) => Offered::Several(several),
        });
    }

    /// Whether the org that was asked has it once.
    pub(crate) fn can_be_given(&self) -> bool {
        !matches!(self.offered, Some(Offered::Nothing | Offered::Several(_)))
    }
}

/// What the rules give the User of a target, and what there is to say about it.
pub(super) fn grants(attempt: &Attempt<'_>, target: &Target) -> (Vec<TriedGrant>, Vec<Note>) {
    if target.object != "User" {
        return (Vec::new(), Vec::new());
    }
    let (ruled, notes) = attempt.mapping.ruled(&attempt.person.resource, attempt.now);
    let here = ruled.into_iter().filter(|one| one.target.as_ref().is_none_or(|name| *name == target.name));
    let tried = here.map(|ruled| TriedGrant {
        place: attempt.mapping.grant_in_file(&ruled.rule),
        ruled,
        offered: None,
    });
    (tried.collect(), notes)
}
