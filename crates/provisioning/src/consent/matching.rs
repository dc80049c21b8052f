//! Which records stand for the person.

use std::{sync::Arc, time::Duration};

use salesforce_client::{
    CallError, Org,
    soql::{Condition, Literal, NotAName, Order, Query},
};
use salesforce_types::{FieldDescription, FieldType, ObjectDescription, RecordId};
use serde_json::{Map, Value};

use super::{Choices, ConsentObject, ConsentTarget, OnMultiple, Run, misconfigured};
use crate::{ProvisionError, signals::not_asked};

/// More records than this for one person are a mistake. An opt-out goes to thousands, page after page.
pub(super) const MOST: usize = 10_000;
/// How old a description may be that lacks a field: an administrator may be about to show it.
pub(super) const NOTICED_WITHIN: Duration = Duration::from_mins(1);

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
        let rows = match self.rows_by(&description).await? {
            Ok(rows) => rows,
            Err(error) => {
                let description = self.describe_after(object, &description, error).await?;
                self.rows_by(&description).await?.map_err(not_asked)?
            }
        };
        let is_converted =
            |row: &Map<String, Value>| row.get("IsConverted").and_then(Value::as_bool).unwrap_or_default();
        let (converted, standing): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_converted);
        if standing.is_empty() && !converted.is_empty() {
            return self.contacts_of(&converted).await;
        }
        let matched = |row: Map<String, Value>| Some(Match { object, id: id_in(&row, "Id")?, row });
        Ok(Matches::Records(standing.into_iter().filter_map(matched).collect()))
    }

    /// The records as they are selected by a description: what Salesforce says of that.
    async fn rows_by(
        &self,
        description: &ObjectDescription,
    ) -> Result<Result<Vec<Map<String, Value>>, CallError>, ProvisionError> {
        let Some(is_the_person) = self.condition(description)? else { return Ok(Ok(Vec::new())) };
        let limit = match self.target.on_multiple {
            OnMultiple::Newest if !self.target.opt_out_all => 1,
            OnMultiple::Skip if !self.target.opt_out_all => 2,
            _ => MOST + 1,
        };
        let query = self.query(self.target.object, description, is_the_person, limit);
        let query = query.map_err(|error| misconfigured(error.to_string()))?;
        Ok(self.org.query(&query, self.purpose()).await)
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

    /// What the org says of an object; no long-kept word where a field is missing, so that it is noticed when it is shown.
    pub(super) async fn describe(
        &self,
        object: ConsentObject,
    ) -> Result<Arc<ObjectDescription>, ProvisionError> {
        let description = self.org.describe(object.as_str()).await.map_err(not_asked)?;
        if self.lacks_nothing(object, &description) {
            return Ok(description);
        }
        let anew = self.org.describe_within(object.as_str(), NOTICED_WITHIN).await;
        anew.map_err(not_asked)
    }

    fn lacks_nothing(&self, object: ConsentObject, description: &ObjectDescription) -> bool {
        let is_there = |field: &str| description.field(field).is_some();
        let choices = match &self.consent.choices {
            Choices::Fields(choices) => choices.as_slice(),
            Choices::ContactPoints(_) => &[],
        };
        let finds = object != self.target.object || is_there(&self.target.match_field);
        finds && choices.iter().all(|choice| is_there(&choice.field))
    }

    /// What the org says now of an object, of which a read by what it said before was refused so.
    ///
    /// # Errors
    ///
    /// Another description would be refused as well.
    async fn describe_after(
        &self,
        object: ConsentObject,
        wrong: &Arc<ObjectDescription>,
        error: CallError,
    ) -> Result<Arc<ObjectDescription>, ProvisionError> {
        match error {
            CallError::Refused(refusal) if refusal.code == "INVALID_FIELD" => {
                let anew = self.org.describe_instead_of(object.as_str(), wrong).await;
                anew.map_err(not_asked)
            }
            error => Err(not_asked(error)),
        }
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
        let mut description = self.describe(object).await?;
        let mut contacts = Vec::with_capacity(ids.len());
        for id in ids {
            let read = async |description: &ObjectDescription| {
                self.org.read(object.as_str(), &id, &self.fields_to_read(description), self.purpose()).await
            };
            let row = match read(&description).await {
                Ok(row) => row,
                Err(error) => {
                    description = self.describe_after(object, &description, error).await?;
                    read(&description).await.map_err(not_asked)?
                }
            };
            contacts.extend(row.map(|row| Match { object, id: id.clone(), row }));
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
