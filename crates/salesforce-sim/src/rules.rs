//! What single objects add to the rules that hold for every record ([`crate::rows`]). One table says
//! whose rules are whose; an object without a line has none of its own.

use crate::{
    cell::{Cell, Row},
    crm, entitlements,
    errors::{Refusal, Refusals},
    ids::Id,
    org::{Actor, Org},
    request::Headers,
    schema::{Field, Object},
    users,
};

/// The object's own rules; [`Plain`] where it has none.
pub(crate) fn of(object: &Object) -> &'static dyn Rules {
    match object.name.as_str() {
        "User" => &users::Users,
        "UserLogin" => &users::Logins,
        "Account" => &crm::Accounts,
        "Contact" => &crm::Contacts,
        "Lead" => &crm::Leads,
        "Opportunity" => &crm::Opportunities,
        "Case" => &crm::Cases,
        "Task" => &crm::Tasks,
        "Individual" => &crm::Individuals,
        "ContactPointTypeConsent" | "DataUsePurpose" => &crm::Owned,
        name => entitlements::rules(name).unwrap_or(&Plain),
    }
}

/// A record on its way into a table.
pub(crate) struct Write<'a> {
    pub(crate) object: &'a Object,
    /// What it was; `None` for a new record.
    pub(crate) before: Option<&'a Row>,
    /// The fields that the body names, by number.
    pub(crate) named: &'a [usize],
    pub(crate) actor: Actor,
    /// What the call's headers ask for: assignment rules, duplicate rules.
    pub(crate) headers: &'a Headers,
}

/// The hooks, in the order in which `rows` calls them. A refusal takes the whole record back, and
/// with it whatever a hook wrote to others.
pub(crate) trait Rules: Sync {
    /// Fills in and rewrites what Salesforce does before it checks.
    fn complete(&self, _org: &mut Org, _row: &mut Row, _write: &Write<'_>) -> Result<(), Refusals> {
        Ok(())
    }

    /// Checks that come before those of references and unique fields.
    fn check_syntax(&self, _org: &Org, _row: &Row, _write: &Write<'_>) -> Result<(), Refusals> {
        Ok(())
    }

    /// The object's own words for a value that another record has; `other` is that record, `None` if nobody
    /// here has it, which a global name may still be refused for.
    fn duplicate(&self, _org: &Org, _field: &Field, _value: &Cell, _other: Option<Id>) -> Option<Refusal> {
        None
    }

    /// Everything else that a record is refused for.
    fn check(&self, _org: &Org, _row: &Row, _write: &Write<'_>) -> Result<(), Refusals> {
        Ok(())
    }

    /// After the record was written: what follows from it for other records.
    fn saved(&self, _org: &mut Org, _row: &Row, _write: &Write<'_>) -> Result<(), Refusals> {
        Ok(())
    }

    /// Why a record cannot be deleted.
    fn check_delete(&self, _org: &Org, _row: &Row, _actor: Actor) -> Result<(), Refusals> {
        Ok(())
    }

    /// After a record was deleted: what follows from it for other records.
    fn deleted(&self, _org: &mut Org, _row: &Row, _actor: Actor) {}
}

/// No rules of its own.
struct Plain;

impl Rules for Plain {}
