//! Lead conversion: a lead becomes an account, a contact and, unless told otherwise, an opportunity.
//!
//! Values go where `data/lead_conversion.tsv` and the org file's `lead-mapping` say. A record that is
//! there already only gets what it lacks.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    cell::{Cell, Row},
    crm::{lead, person_accounts},
    errors::{Refusal, Refusals},
    ids::Id,
    locks,
    org::{Actor, Org},
    request::Headers,
    rows,
    schema::Object,
    values::Source,
};

/// Field of Lead, object, its field: what a fresh org maps.
const MAPPING: &str = include_str!("../../data/lead_conversion.tsv");

/// Leads that one call converts.
pub(crate) const MAX_LEADS: usize = 100;

/// What a caller asks for: `LeadConvert` of the WSDL.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the flags of the WSDL")]
pub(crate) struct LeadConvert {
    pub(crate) lead_id: String,
    pub(crate) converted_status: Option<String>,
    /// An account to merge into; without it a new one is made.
    pub(crate) account_id: Option<String>,
    pub(crate) account_record: Map<String, Value>,
    /// A contact of that account to merge into.
    pub(crate) contact_id: Option<String>,
    pub(crate) contact_record: Map<String, Value>,
    /// An opportunity to link in place of a new one.
    pub(crate) opportunity_id: Option<String>,
    pub(crate) opportunity_name: Option<String>,
    pub(crate) opportunity_record: Map<String, Value>,
    pub(crate) do_not_create_opportunity: bool,
    /// The lead's source wins over that of the contact merged into.
    pub(crate) overwrite_lead_source: bool,
    /// Who owns what is made; without it the lead's owner.
    pub(crate) owner_id: Option<String>,
    /// The org sends no mail.
    pub(crate) send_notification_email: bool,
    pub(crate) bypass_account_dedupe_check: bool,
    pub(crate) bypass_contact_dedupe_check: bool,
}

/// What became of a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Converted {
    pub(crate) lead: Id,
    pub(crate) account: Id,
    pub(crate) contact: Id,
    pub(crate) opportunity: Option<Id>,
}

/// Converts one lead. A refusal leaves half-made records behind: the caller rolls back.
pub(crate) fn convert(
    org: &mut Org,
    wanted: &LeadConvert,
    headers: &Headers,
    actor: Actor,
) -> Result<Converted, Refusals> {
    let leads = object(org, "Lead")?;
    let id = record(org, "Lead", &wanted.lead_id, "leadId")?;
    let Some(row) = org.table(&leads).get(id).map(Arc::clone) else {
        return Err(vec![Refusal::invalid_reference()]);
    };
    locks::check(org, &leads, Some(id), &Map::new())?;
    if row.get(leads.at("IsConverted")).as_bool() {
        return Err(vec![lead::converted_lead()]);
    }
    let status = check_status(org, wanted)?;
    check_opportunity(wanted)?;
    let conversion = Conversion { wanted, headers, actor, owner: owner(org, wanted, &leads, &row)?, row };
    org.crm.converting = Some(id);
    let made = conversion.make(org);
    org.crm.converting = None;
    let (account, contact, opportunity) = made?;
    let converted = Converted { lead: id, account, contact, opportunity };
    conversion.close(org, &leads, &status, converted);
    Ok(converted)
}

/// One conversion on its way.
struct Conversion<'a> {
    wanted: &'a LeadConvert,
    headers: &'a Headers,
    actor: Actor,
    owner: Id,
    row: Arc<Row>,
}

impl Conversion<'_> {
    /// The order is that of Salesforce's own change events: account, contact, opportunity, lead.
    fn make(&self, org: &mut Org) -> Result<(Id, Id, Option<Id>), Refusals> {
        let account = self.account(org)?;
        let contact = self.contact(org, account)?;
        let opportunity = self.opportunity(org, account, contact)?;
        Ok((account, contact, opportunity))
    }

    fn account(&self, org: &mut Org) -> Result<Id, Refusals> {
        let mut fed = self.fed(org, "Account");
        if !fed.contains_key("Name") {
            // Without a company the lead is a person.
            for (name, value) in self.fed(org, "Contact") {
                if let Some(name) = person_accounts::account_field(&name) {
                    fed.insert(name.to_owned(), value);
                }
            }
        }
        let body = over(fed, &self.wanted.account_record);
        match &self.wanted.account_id {
            Some(id) => {
                let id = record(org, "Account", id, "accountId")?;
                self.fill(org, "Account", id, body, &[])?;
                Ok(id)
            }
            None => self.create(org, "Account", &body, self.wanted.bypass_account_dedupe_check),
        }
    }

    fn contact(&self, org: &mut Org, account: Id) -> Result<Id, Refusals> {
        if let Some(person) = person_accounts::contact_of(org, account) {
            return Ok(person);
        }
        let body = over(self.fed(org, "Contact"), &self.wanted.contact_record);
        let Some(id) = &self.wanted.contact_id else {
            let body = over(body, &Map::from_iter([("AccountId".to_owned(), json!(account.to_string()))]));
            return self.create(org, "Contact", &body, self.wanted.bypass_contact_dedupe_check);
        };
        if self.wanted.account_id.is_none() {
            let message = "accountId: a contact to merge into needs the account that it belongs to";
            return Err(vec![Refusal::record("REQUIRED_FIELD_MISSING", message, &["accountId"])]);
        }
        let id = record(org, "Contact", id, "contactId")?;
        let contacts = object(org, "Contact")?;
        let of = org.table(&contacts).get(id).and_then(|row| row.get(contacts.at("AccountId")).as_id());
        if of != Some(account) {
            let message = "contactId: the contact does not belong to the account";
            return Err(vec![Refusal::record("INVALID_CROSS_REFERENCE_KEY", message, &["contactId"])]);
        }
        let overwritten: &[&str] = if self.wanted.overwrite_lead_source { &["LeadSource"] } else { &[] };
        self.fill(org, "Contact", id, body, overwritten)?;
        Ok(id)
    }

    fn opportunity(&self, org: &mut Org, account: Id, contact: Id) -> Result<Option<Id>, Refusals> {
        if self.wanted.do_not_create_opportunity {
            return Ok(None);
        }
        if let Some(id) = &self.wanted.opportunity_id {
            return record(org, "Opportunity", id, "opportunityId").map(Some);
        }
        let opportunities = object(org, "Opportunity")?;
        let leads = object(org, "Lead")?;
        let name_of = |field: &str| self.row.get(leads.at(field)).as_text();
        let company = name_of("Company").or_else(|| name_of("Name")).unwrap_or_default();
        let name = self.wanted.opportunity_name.as_deref().unwrap_or(company);
        let stages = opportunities.field("StageName").map(|field| field.picklist.as_slice());
        let stage = stages.and_then(<[_]>::first).map_or("Prospecting", |stage| stage.value.as_str());
        let own = json!({
            // A company may be longer than an opportunity's name.
            "Name": name.chars().take(120).collect::<String>(),
            "StageName": stage,
            "CloseDate": end_of_quarter(today(self.actor.now)).to_string(),
        });
        let links = json!({"AccountId": account.to_string(), "ContactId": contact.to_string()});
        let mut body = self.fed(org, "Opportunity");
        for (part, wins) in [(&own, false), (&Value::from(self.wanted.opportunity_record.clone()), true)] {
            for (name, value) in part.as_object().into_iter().flatten() {
                if wins || !body.contains_key(name) {
                    body.insert(name.clone(), value.clone());
                }
            }
        }
        let body = over(body, links.as_object().unwrap_or(&Map::new()));
        self.create(org, "Opportunity", &body, false).map(Some)
    }

    /// The lead's values for the fields of `target`, as a body.
    fn fed(&self, org: &Org, target: &str) -> Map<String, Value> {
        let (Some(leads), Some(target)) = (org.schema.object("Lead"), org.schema.object(target)) else {
            return Map::new();
        };
        let standard = MAPPING.lines().filter_map(|line| {
            let mut columns = line.split('\t');
            Some((columns.next()?, columns.next()?, columns.next()?))
        });
        let own = org
            .crm
            .lead_mapping
            .iter()
            .map(|(from, object, to)| (from.as_str(), object.as_str(), to.as_str()));
        let mut body = Map::new();
        for (from, object, to) in standard.chain(own) {
            let (Some(from), Some(to)) = (leads.field(from), target.field(to)) else { continue };
            let value = self.row.get(from.index);
            if object == target.name && !value.is_null() {
                body.insert(to.name.clone(), value.to_json());
            }
        }
        body
    }

    fn create(
        &self,
        org: &mut Org,
        name: &str,
        body: &Map<String, Value>,
        bypass_duplicate_rules: bool,
    ) -> Result<Id, Refusals> {
        let object = object(org, name)?;
        let owner = Map::from_iter([("OwnerId".to_owned(), json!(self.owner.to_string()))]);
        let mut headers = self.headers.clone();
        // Assignment rules are for the lead, which has its owner already.
        headers.auto_assign = Some("FALSE".into());
        if bypass_duplicate_rules {
            headers.duplicate_rules = Some("allowSave=true".into());
        }
        rows::create(org, &object, &over(owner, body), Source(""), &headers, self.actor)
    }

    /// Gives a record what it lacks, and what is to be `overwritten`.
    fn fill(
        &self,
        org: &mut Org,
        name: &str,
        id: Id,
        mut body: Map<String, Value>,
        overwritten: &[&str],
    ) -> Result<(), Refusals> {
        let object = object(org, name)?;
        let Some(row) = org.table(&object).get(id).map(Arc::clone) else {
            return Err(vec![Refusal::invalid_reference()]);
        };
        body.retain(|name, _| {
            overwritten.contains(&name.as_str())
                || object.field(name).is_some_and(|field| row.get(field.index).is_null())
        });
        if body.is_empty() {
            return Ok(());
        }
        rows::update(org, &object, id, &body, Source(""), self.headers, self.actor)
    }

    /// The lead is converted: read-only from now on.
    fn close(&self, org: &mut Org, leads: &Object, status: &str, converted: Converted) {
        let mut row = Row::clone(&self.row);
        for (name, cell) in [
            ("Status", Cell::text(status)),
            ("IsConverted", Cell::Bool(true)),
            ("IsUnreadByOwner", Cell::Bool(false)),
            ("ConvertedDate", Cell::Date(today(self.actor.now))),
            ("ConvertedAccountId", Cell::Id(converted.account)),
            ("ConvertedContactId", Cell::Id(converted.contact)),
            ("ConvertedOpportunityId", converted.opportunity.map_or(Cell::Null, Cell::Id)),
        ] {
            row.set(leads.at(name), cell);
        }
        rows::stamp_update(org, leads, &mut row, self.actor);
        org.replace(leads, row);
    }
}

fn check_status(org: &Org, wanted: &LeadConvert) -> Result<String, Refusals> {
    let statuses = org.table_of("LeadStatus");
    let (name, converted) = (statuses.object.at("ApiName"), statuses.object.at("IsConverted"));
    let status = wanted.converted_status.as_deref().unwrap_or_default();
    let fits = |row: &Row| {
        let is_it = row.get(name).as_text().is_some_and(|name| name.eq_ignore_ascii_case(status));
        is_it && row.get(converted).as_bool()
    };
    let found = statuses.iter().find(|(_, row)| fits(row)).and_then(|(_, row)| row.get(name).as_text());
    found.map(ToOwned::to_owned).ok_or_else(|| {
        let shown = wanted.converted_status.as_deref().unwrap_or("null");
        let message = format!("invalid convertedStatus: {shown}");
        vec![Refusal::record("INVALID_STATUS", message, &["Status"])]
    })
}

fn check_opportunity(wanted: &LeadConvert) -> Result<(), Refusals> {
    let named = wanted.opportunity_name.is_some() || wanted.opportunity_id.is_some();
    if !(wanted.do_not_create_opportunity && named) {
        return Ok(());
    }
    let message = "One or more leads couldn't be converted. If doNotCreateOpportunity is true, opportunityName \
        and opportunityId must be null.";
    Err(vec![Refusal::record("INVALID_FIELD", message, &["Id"])])
}

/// A queue cannot own an account: the caller has to name a user.
fn owner(org: &Org, wanted: &LeadConvert, leads: &Object, lead: &Row) -> Result<Id, Refusals> {
    let owner = match &wanted.owner_id {
        Some(id) => Id::parse(id),
        None => lead.get(leads.at("OwnerId")).as_id(),
    };
    let is_user = |id: &Id| org.table_of("User").get(*id).is_some();
    owner.filter(is_user).ok_or_else(|| {
        let message = "Converted objects can only be owned by users.  If the lead is not owned by a user, you \
            must specify a user for the Owner field.";
        vec![Refusal::record("INVALID_CROSS_REFERENCE_KEY", message, &["OwnerId"])]
    })
}

fn object(org: &Org, name: &str) -> Result<Arc<Object>, Refusals> {
    let unknown =
        || vec![Refusal::call(400, "INVALID_TYPE", format!("sObject type '{name}' is not supported."))];
    org.schema.object(name).cloned().ok_or_else(unknown)
}

/// The record of `object` that an argument names.
fn record(org: &Org, name: &str, text: &str, argument: &str) -> Result<Id, Refusals> {
    let object = object(org, name)?;
    let id = Id::parse(text).filter(|id| id.prefix() == object.key_prefix).ok_or_else(|| {
        let message = format!("{argument}: id value of incorrect type: {text}");
        vec![Refusal::record("MALFORMED_ID", message, &[argument])]
    })?;
    match org.table(&object).get(id) {
        Some(_) => Ok(id),
        None => Err(vec![Refusal::record(
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid cross reference id",
            &[argument],
        )]),
    }
}

/// `top` laid over `body`.
fn over(mut body: Map<String, Value>, top: &Map<String, Value>) -> Map<String, Value> {
    for (name, value) in top {
        body.insert(name.clone(), value.clone());
    }
    body
}

fn today(now: i64) -> Date {
    Timestamp::from_millisecond(now).unwrap_or_default().to_zoned(TimeZone::UTC).date()
}

/// When the opportunity is expected to close: the last day of the quarter.
fn end_of_quarter(day: Date) -> Date {
    let month = (day.month() - 1) / 3 * 3 + 3;
    Date::new(day.year(), month, 1).unwrap_or(day).last_of_month()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn opportunities_close_with_the_quarter() {
        for (day, end) in [
            (date(2026, 1, 1), date(2026, 3, 31)),
            (date(2026, 6, 30), date(2026, 6, 30)),
            (date(2026, 11, 21), date(2026, 12, 31)),
        ] {
            assert_eq!(end_of_quarter(day), end);
        }
    }
}
