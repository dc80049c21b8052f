//! Which records stand for the person.

use std::sync::Arc;

use salesforce_client::{
    Org,
    soql::{Condition, Literal, NotAName, Order, Query},
};
use salesforce_types::{FieldDescription, FieldType, ObjectDescription, RecordId};
use serde_json::{Map, Value};

use super::{Choices, ConsentObject, ConsentTarget, OnMultiple, Run, misconfigured};
use crate::ProvisionError;

/// More records than this for one person are a mistake. An opt-out goes to thousands, page after page.
pub(super) const MOST: usize = 10_000;

/// A record, with what is in the fields that are about to be written.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) object: ConsentObject,
    pub(super) id: RecordId,
    pub(super) row: Map<String, Value>,
}

/// What was found.
pub(super) enum Matches {
    Records(Vec<Match>),
    /// Only leads that stand for nobody any more.
    Converted,
}

impl Run<'_> {
    /// The records that have the person's value, the newest first; converted leads are followed where that is wanted. One
    /// more than [`MOST`] is told where all count, and two otherwise: several are as good as two.
    pub(super) async fn find(&self) -> Result<Matches, ProvisionError> {
        let object = self.target.object;
        let description = self.describe(object).await?;
        let Some(is_the_person) = self.condition(&description)? else {
            return Ok(Matches::Records(Vec::new()));
        };
        let limit = match self.target.on_multiple {
            OnMultiple::Newest if !self.target.opt_out_all => 1,
            OnMultiple::Skip if !self.target.opt_out_all => 2,
            _ => MOST + 1,
        };
        let query = self.query(object, &description, is_the_person, limit);
        let query = query.map_err(|error| misconfigured(error.to_string()))?;
        let rows = self.org.query(&query, self.purpose()).await.map_err(|error| self.failed(error))?;
        let is_converted =
            |row: &Map<String, Value>| row.get("IsConverted").and_then(Value::as_bool).unwrap_or_default();
        let (converted, standing): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_converted);
        if standing.is_empty() && !converted.is_empty() {
            return self.contacts_of(&converted).await;
        }
        let matched = |row: Map<String, Value>| Some(Match { object, id: id_in(&row, "Id")?, row });
        Ok(Matches::Records(standing.into_iter().filter_map(matched).collect()))
    }

    /// `None`: no record can have this value.
    fn condition(&self, description: &ObjectDescription) -> Result<Option<Condition>, ProvisionError> {
        let described = match_field(description, self.target, self.org)?;
        let person = self.consent.person.as_str();
        let literal = match described.field_type {
            // Salesforce refuses to compare with what has not the form of an id, or is no number.
            FieldType::Id | FieldType::Reference => RecordId::parse(person).ok().map(|id| Literal::from(&id)),
            FieldType::Int | FieldType::Long | FieldType::Double => {
                person.parse::<i64>().ok().map(Literal::from)
            }
            _ => Some(Literal::from(person)),
        };
        let named = |error: NotAName| misconfigured(error.to_string());
        literal.map(|literal| Condition::eq(&self.target.match_field, literal)).transpose().map_err(named)
    }

    pub(super) async fn describe(
        &self,
        object: ConsentObject,
    ) -> Result<Arc<ObjectDescription>, ProvisionError> {
        self.org.describe(object.as_str()).await.map_err(|error| self.failed(error))
    }

    fn query(
        &self,
        object: ConsentObject,
        description: &ObjectDescription,
        condition: Condition,
        limit: usize,
    ) -> Result<Query, NotAName> {
        let mut select = self.fields_to_read(description);
        let mut query = match object {
            ConsentObject::Contact => Query::select(object.as_str(), &select)?,
            ConsentObject::Lead => {
                select.extend(["IsConverted", "ConvertedContactId"]);
                Query::select(object.as_str(), &select)?.order_by("IsConverted", Order::Ascending)?
            }
        };
        query = query.where_(condition);
        query = query.order_by("CreatedDate", Order::Descending)?.order_by("Id", Order::Ascending)?;
        Ok(query.limit(u32::try_from(limit).unwrap_or(u32::MAX)))
    }

    /// Those that are there: what is missing is said when it is to be written, and keeps nothing else from that.
    fn fields_to_read(&self, description: &ObjectDescription) -> Vec<&str> {
        let mut fields = vec!["Id"];
        match &self.consent.choices {
            Choices::Fields(choices) => fields.extend(
                choices
                    .iter()
                    .map(|choice| choice.field.as_str())
                    .filter(|field| description.field(field).is_some()),
            ),
            Choices::ContactPoints(_) => fields.extend(["IndividualId", "FirstName", "LastName"]),
        }
        fields
    }

    /// The contacts that leads were converted into, each once.
    async fn contacts_of(&self, leads: &[Map<String, Value>]) -> Result<Matches, ProvisionError> {
        if !self.target.follow_converted {
            return Ok(Matches::Converted);
        }
        let mut ids: Vec<RecordId> =
            leads.iter().filter_map(|lead| id_in(lead, "ConvertedContactId")).collect();
        let mut seen = std::collections::HashSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        let object = ConsentObject::Contact;
        let description = self.describe(object).await?;
        let fields = self.fields_to_read(&description);
        let mut contacts = Vec::with_capacity(ids.len());
        for id in ids {
            let read = self.org.read(object.as_str(), &id, &fields, self.purpose()).await;
            if let Some(row) = read.map_err(|error| self.failed(error))? {
                contacts.push(Match { object, id, row });
            }
        }
        // A contact that was deleted since stands for nobody either.
        Ok(if contacts.is_empty() { Matches::Converted } else { Matches::Records(contacts) })
    }
}

/// The field that has the person's value.
pub(super) fn match_field<'d>(
    description: &'d ObjectDescription,
    target: &ConsentTarget,
    org: &Org,
) -> Result<&'d FieldDescription, ProvisionError> {
    let (object, field) = (target.object, &target.match_field);
    description.field(field).ok_or_else(|| {
        misconfigured(format!(
            "{object} of the org {} has no field {field} that the integration user may see: correct `match`, or give the \
             permission set access to it",
            org.name()
        ))
    })
}

/// The one spelling of a value: Salesforce compares texts without regard to case, but in fields that say otherwise; ids have a short
/// form and a long one.
pub(super) fn canonical(field: &FieldDescription, person: &str) -> String {
    let person = person.trim();
    match field.field_type {
        FieldType::Id | FieldType::Reference => {
            RecordId::parse(person).map_or_else(|_| person.to_owned(), |id| id.to_string())
        }
        FieldType::Int | FieldType::Long | FieldType::Double => {
            person.parse::<i64>().map_or_else(|_| person.to_owned(), |number| number.to_string())
        }
        _ if field.case_sensitive => person.to_owned(),
        _ => person.to_lowercase(),
    }
}

pub(super) fn id_in(row: &Map<String, Value>, field: &str) -> Option<RecordId> {
    RecordId::parse(row.get(field)?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_spellings_of_one_person_are_one_where_salesforce_takes_them_for_one() {
        let field = |kind: &str, exact: bool| -> FieldDescription {
            serde_json::from_value(json!({"name": "Field__c", "type": kind, "caseSensitive": exact})).unwrap()
        };
        let id = "003000000000AbC";
        let long = RecordId::parse(id).unwrap().to_string();
        for (kind, exact, one, other, same) in [
            ("email", false, "Noor@Example.net", "noor@example.net", true),
            ("string", false, "ÄB-1", "äb-1", true),
            ("string", true, "AbC", "abc", false),
            ("id", false, id, long.as_str(), true),
            ("id", false, id, "003000000000abc", false),
            ("reference", false, id, long.as_str(), true),
            ("double", false, "0042", "42", true),
            ("string", false, "0042", "42", false),
        ] {
            let field = field(kind, exact);
            assert_eq!(canonical(&field, one) == canonical(&field, other), same, "{kind} {one} {other}");
        }
    }
}
