//! What the org says when it refuses.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::{ids::Id, org::Org, schema::Object};

/// One error of the data API. Bodies show it with `errorCode`, answers about one record of several
/// with `statusCode`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: Cow<'static, str>,
    pub(crate) message: String,
    /// `None` where the real body has no `fields` at all.
    pub(crate) fields: Option<Vec<String>>,
    /// More members of the error body, behind the others.
    pub(crate) detail: Option<Box<Map<String, Value>>>,
}

/// Several errors about one record; never empty.
pub(crate) type Refusals = Vec<Refusal>;

impl Refusal {
    /// A refused record: 400, with the list of fields, which may be empty.
    pub(crate) fn record(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
        fields: &[&str],
    ) -> Self {
        let fields = fields.iter().map(ToString::to_string).collect();
        Self { status: 400, code: code.into(), message: message.into(), fields: Some(fields), detail: None }
    }

    /// The same with more members in its body.
    pub(crate) fn with_detail(self, detail: Value) -> Self {
        let detail = match detail {
            Value::Object(detail) => Some(Box::new(detail)),
            _ => None,
        };
        Self { detail, ..self }
    }

    /// A refused call: no `fields`.
    pub(crate) fn call(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into(), fields: None, detail: None }
    }

    /// The resource of the path does not exist, or no such record.
    pub(crate) fn not_found() -> Self {
        Self::call(404, "NOT_FOUND", "The requested resource does not exist")
    }

    /// No such record: deleted ones say so as long as they are in the recycle bin.
    pub(crate) fn gone(org: &Org, object: &Object, id: Id, now: i64) -> Self {
        match org.table(object).binned(id, now) {
            Some(_) => Self::deleted(),
            None => Self::not_found(),
        }
    }

    /// The record is in the recycle bin.
    pub(crate) fn deleted() -> Self {
        Self { status: 404, ..Self::record("ENTITY_IS_DELETED", "entity is deleted", &[]) }
    }

    /// The path ends in something that is neither an id nor a known key.
    pub(crate) fn not_accessible(token: &str) -> Self {
        let message = format!("Provided external ID field does not exist or is not accessible: {token}");
        Self::call(404, "NOT_FOUND", message)
    }

    pub(crate) fn malformed_id(text: &str) -> Self {
        Self::record("MALFORMED_ID", format!("malformed id {text}"), &[])
    }

    pub(crate) fn invalid_reference() -> Self {
        Self::record("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[])
    }

    /// The caller may see the record, but not do this with it.
    pub(crate) fn no_access() -> Self {
        Self::record("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", &[])
    }

    /// A value that must be unique in two fields together, where Salesforce does not say which record has it.
    pub(crate) fn duplicate() -> Self {
        let message = "duplicate value found: <unknown> duplicates value on record with id: <unknown>";
        Self::record("DUPLICATE_VALUE", message, &[])
    }

    /// An API name that another record of the object has.
    pub(crate) fn duplicate_name(label: &str, field: &str) -> Self {
        let message = format!("The {label} that you entered is already in use.  Specify a unique name.");
        Self::record("DUPLICATE_DEVELOPER_NAME", message, &[field])
    }

    pub(crate) fn no_such_column(name: &str, object: &str) -> Self {
        Self::call(400, "INVALID_FIELD", format!("No such column '{name}' on sobject of type {object}"))
    }

    pub(crate) fn json(message: impl Into<String>) -> Self {
        Self::call(400, "JSON_PARSER_ERROR", message)
    }

    pub(crate) fn method(method: &str, allowed: &str) -> Self {
        let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        Self::call(405, "METHOD_NOT_ALLOWED", message)
    }

    /// The form in an error body. `NOT_FOUND` has its keys the other way round, as recorded.
    pub(crate) fn to_body(&self) -> Value {
        let mut body = Map::new();
        if self.code == "NOT_FOUND" {
            body.insert("errorCode".into(), json!(self.code));
            body.insert("message".into(), json!(self.message));
        } else {
            body.insert("message".into(), json!(self.message));
            body.insert("errorCode".into(), json!(self.code));
        }
        if let Some(fields) = &self.fields {
            body.insert("fields".into(), json!(fields));
        }
        if let Some(detail) = &self.detail {
            body.extend(detail.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        Value::Object(body)
    }

    /// The form inside an answer about several records, where `fields` is always there.
    pub(crate) fn to_item(&self) -> Value {
        json!({
            "statusCode": self.code,
            "message": self.message,
            "fields": self.fields.clone().unwrap_or_default(),
        })
    }
}
