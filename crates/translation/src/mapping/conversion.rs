//! How a person's lead becomes the contact of a target.

use indexmap::IndexMap;
use scim_types::Resource;
use serde::{Deserialize, Serialize};

use super::Target;
use crate::expression::Expression;
use crate::note::{FieldRefusal, RefusalKind};

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
    /// gives nothing is as if it were not there.
    ///
    /// # Errors
    ///
    /// An expression that gives no text: the lead would end in the wrong account.
    pub fn conversion(&self, user: &Resource) -> Result<ConversionWish, FieldRefusal> {
        let rules = &self.conversion;
        let account = rules.account.as_ref().map_or(Ok(None), |account| {
            account.text(user).map_err(|why| refusal("AccountId", "account", account, &why))
        })?;
        let opportunity = rules.opportunity.as_ref().map_or(Ok(None), |name| {
            name.text(user).map_err(|why| refusal("OpportunityName", "opportunity", name, &why))
        })?;
        let account = account.map(|name| rules.account_map.get(&name).cloned().unwrap_or(name));
        Ok(ConversionWish { account, opportunity, owner: rules.owner.clone(), status: rules.status.clone() })
    }
}

fn refusal(field: &str, key: &str, expression: &Expression, why: &str) -> FieldRefusal {
    FieldRefusal {
        field: field.to_owned(),
        attribute: expression.attribute().map(ToOwned::to_owned),
        detail: format!("`{key}` of the mapping's conversion: {why}"),
        kind: RefusalKind::Malformed,
    }
}
