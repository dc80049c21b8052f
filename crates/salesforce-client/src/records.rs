//! Single records, read (REST API Developer Guide, "sObject Rows"). Writing is the dispatcher's.

use salesforce_types::{RecordId, Refusal};
use serde_json::{Map, Value};

use crate::{
    CallError, Org,
    org::Purpose,
    soql::{Field, Object},
    transport::Request,
};

impl Org {
    /// Reads fields of a record; without any field, all that the integration user may see. `None` if there is no
    /// such record, or it is hidden or deleted.
    pub async fn read(
        &self,
        object: &str,
        id: &RecordId,
        fields: &[&str],
        purpose: Purpose<'_>,
    ) -> Result<Option<Map<String, Value>>, CallError> {
        let object = Object::new(object)?;
        let fields: Vec<Field> = fields.iter().map(|name| Field::new(name)).collect::<Result<_, _>>()?;
        let mut path = self.path(&format!("/sobjects/{}/{id}", object.as_str()));
        if !fields.is_empty() {
            let names: Vec<&str> = fields.iter().map(Field::as_str).collect();
            path = format!("{path}?fields={}", names.join(","));
        }
        match self.fetch(&Request::get(purpose, object.as_str(), path), purpose).await {
            Ok(answer) => serde_json::from_slice::<Map<String, Value>>(&answer.body)
                .map(|mut record| {
                    record.shift_remove("attributes");
                    Some(record)
                })
                .map_err(|_| CallError::not_sent("the answer to a read is no record")),
            Err(CallError::Refused(Refusal { code, .. }))
                if code == "NOT_FOUND" || code == "ENTITY_IS_DELETED" =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
