//! How a person's lead becomes the contact of a target.

use indexmap::IndexMap;
use scim_types::Resource;
use serde::{Deserialize, Serialize};

use super::Target;
use crate::expression::Expression;

/// `[targets.x.conversion]` of a Contact.
#[derive(Clone, Debug, Default)]
pub struct ConversionRules {
    /// Whether the lead is converted at all.
    pub how: Conversions,
    /// The lead's status afterwards; absent: the org's first one that means converted.
    pub status: Option<String>,
    pub(super) account: Option<Expression>,
    pub(super) account_map: IndexMap<String, String>,
    /// What to do when no account has the name.
    pub account_missing: AccountMissing,
    pub(super) opportunity: Option<Expression>,
    /// The id of the User that owns what is made; absent: the lead's owner.
    pub owner: Option<String>,
}

/// What becomes of the lead when the contact is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Conversions {
    /// It is converted into the contact.
    #[default]
    Convert,
    /// It stays, and the contact is made beside it: the integration user may not convert.
    Beside,
}

/// What to do when no account has the name that the mapping asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountMissing {
    /// It is made.
    #[default]
    Create,
    /// The change is refused.
    Refuse,
}

/// What the mapping says about the conversion of one person's lead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversionWish {
    /// The account, by its id or its name; absent: Salesforce makes one from the lead's company.
    pub account: Option<String>,
    /// The name of an opportunity; absent: none is made.
    pub opportunity: Option<String>,
    /// The id of the owner of what is made; absent: the lead's owner.
    pub owner: Option<String>,
    /// The lead's status afterwards; absent: the org's first one that means converted.
    pub status: Option<String>,
}

impl Target {
    /// What the mapping says about the conversion of this person's lead into the target's contact. An expression that
    /// gives no text, or cannot be evaluated, is as if it were not there.
    #[must_use]
    pub fn conversion(&self, user: &Resource) -> ConversionWish {
        let rules = &self.conversion;
        let text = |expression: &Option<Expression>| expression.as_ref().and_then(|it| it.text(user));
        let account = text(&rules.account).map(|name| match rules.account_map.get(&name) {
            Some(known) => known.clone(),
            None => name,
        });
        ConversionWish {
            account,
            opportunity: text(&rules.opportunity),
            owner: rules.owner.clone(),
            status: rules.status.clone(),
        }
    }
}
