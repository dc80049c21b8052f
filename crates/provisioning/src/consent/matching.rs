//! Which records stand for the person.

use salesforce_client::soql::{Condition, Literal, NotAName, Order, Query};
use salesforce_types::{FieldType, RecordId};
use serde_json::{Map, Value};

use super::{Choices, ConsentObject, OnMultiple, Run, misconfigured};
use crate::ProvisionError;

/// More records than this for one person are a mistake.
pub(super) const MOST: usize = 200;

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
        let Some(is_the_person) = self.condition().await? else { return Ok(Matches::Records(Vec::new())) };
        let limit = match self.target.on_multiple {
            OnMultiple::Newest if !self.target.opt_out_all => 1,
            OnMultiple::Skip if !self.target.opt_out_all => 2,
            _ => MOST + 1,
        };
        let query =
            self.query(object, is_the_person, limit).map_err(|error| misconfigured(error.to_string()))?;
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
    async fn condition(&self) -> Result<Option<Condition>, ProvisionError> {
        let (object, field) = (self.target.object, &self.target.match_field);
        let description = self.org.describe(object.as_str()).await.map_err(|error| self.failed(error))?;
        let Some(described) = description.field(field) else {
            return Err(misconfigured(format!(
                "{object} of the org {} has no field {field} that the integration user may see: correct `match`, or give \
                 the permission set access to it",
                self.org.name()
            )));
        };
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
        literal.map(|literal| Condition::eq(field, literal)).transpose().map_err(named)
    }

    fn query(&self, object: ConsentObject, condition: Condition, limit: usize) -> Result<Query, NotAName> {
        let mut select = self.fields_to_read();
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

    fn fields_to_read(&self) -> Vec<&str> {
        let mut fields = vec!["Id"];
        match &self.consent.choices {
            Choices::Fields(choices) => fields.extend(choices.iter().map(|choice| choice.field.as_str())),
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
        let mut contacts = Vec::with_capacity(ids.len());
        for id in ids {
            let object = ConsentObject::Contact;
            let read = self.org.read(object.as_str(), &id, &self.fields_to_read(), self.purpose()).await;
            if let Some(row) = read.map_err(|error| self.failed(error))? {
                contacts.push(Match { object, id, row });
            }
        }
        // A contact that was deleted since stands for nobody either.
        Ok(if contacts.is_empty() { Matches::Converted } else { Matches::Records(contacts) })
    }
}

pub(super) fn id_in(row: &Map<String, Value>, field: &str) -> Option<RecordId> {
    RecordId::parse(row.get(field)?.as_str()?).ok()
}
