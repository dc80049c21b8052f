//! Record ids in place of SCIM ids, on the Salesforce address alone.
//!
//! A connector made for Salesforce's own SCIM API has stored 15- or 18-character record ids of the Users and Groups it
//! knows. There they go on naming the same ones: in paths, in filters and in references. Answers carry the SCIM id.

use std::{borrow::Cow, collections::HashMap};

use scim_types::{Filter, filter::Literal};
use serde_json::Value;
use store::StoreError;

use crate::call::Call;

impl Call<'_> {
    /// The SCIM id that an id of a path stands for.
    pub async fn scim_id<'t>(&self, id: &'t str) -> Result<Cow<'t, str>, StoreError> {
        if self.salesforce && may_be_record_id(id) {
            let linked = self.door.provisioner.id_of_record(&self.caller.tenant, id).await?;
            return Ok(linked.map_or(Cow::Borrowed(id), |id| Cow::Owned(id.to_string())));
        }
        Ok(Cow::Borrowed(id))
    }

    /// A body whose `id` and references (`members`, `manager`) are SCIM ids.
    pub async fn body_with_scim_ids(&self, mut body: Value) -> Result<Value, StoreError> {
        if self.salesforce {
            let mut sent = Vec::new();
            each_id(&mut body, &mut |id| sent.push(id.to_owned()));
            let known = self.known(sent).await?;
            each_id(&mut body, &mut |id| replace(&known, id));
        }
        Ok(body)
    }

    /// A filter that compares with SCIM ids.
    pub async fn filter_with_scim_ids(&self, mut filter: Filter) -> Result<Filter, StoreError> {
        if self.salesforce {
            let mut sent = Vec::new();
            each_compared_id(&mut filter, &mut |id| sent.push(id.to_owned()));
            let known = self.known(sent).await?;
            each_compared_id(&mut filter, &mut |id| replace(&known, id));
        }
        Ok(filter)
    }

    /// Those of the texts that are ids of linked records, with the SCIM ids.
    async fn known(&self, sent: Vec<String>) -> Result<HashMap<String, String>, StoreError> {
        let mut known = HashMap::new();
        for id in sent {
            if may_be_record_id(&id)
                && !known.contains_key(&id)
                && let Some(linked) = self.door.provisioner.id_of_record(&self.caller.tenant, &id).await?
            {
                known.insert(id, linked.to_string());
            }
        }
        Ok(known)
    }
}

fn replace(known: &HashMap<String, String>, id: &mut String) {
    if let Some(linked) = known.get(id) {
        id.clone_from(linked);
    }
}

/// Whether the text has the form of a record id; the SCIM ids that Gangway makes never do.
fn may_be_record_id(text: &str) -> bool {
    matches!(text.len(), 15 | 18) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether an attribute, a PATCH path or a key of a pathless PATCH value refers to resources.
fn is_reference(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with("members")
        || name.starts_with("groups")
        || name.ends_with("manager")
        || name.ends_with("manager.value")
}

/// Shows each text in a body that is the id of a resource: its own, and those that it refers to.
fn each_id(body: &mut Value, visit: &mut dyn FnMut(&mut String)) {
    each_reference(body, false, visit);
    let members = body.as_object_mut().into_iter().flatten();
    for (_, own) in members.filter(|(name, _)| name.eq_ignore_ascii_case("id")) {
        if let Value::String(id) = own {
            visit(id);
        }
    }
}

/// Shows each text in a body that is the id of another resource, in every form that PATCH knows. `inside` says that the
/// value is that of a reference.
fn each_reference(value: &mut Value, inside: bool, visit: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(id) if inside => visit(id),
        Value::Array(elements) => {
            for element in elements {
                each_reference(element, inside, visit);
            }
        }
        Value::Object(members) => {
            let is = |name: &str, other| name.eq_ignore_ascii_case(other);
            let path = members.iter().find(|(name, _)| is(name, "path")).and_then(|(_, path)| path.as_str());
            let operation = path.is_some_and(is_reference);
            for (name, member) in members {
                match member {
                    Value::String(path) if operation && is(name, "path") => each_quoted(path, visit),
                    Value::String(id) if inside && (is(name, "value") || is(name, "managerId")) => visit(id),
                    Value::String(_) if inside => {}
                    member if operation && is(name, "value") => each_reference(member, true, visit),
                    member => each_reference(member, inside || is_reference(name), visit),
                }
            }
        }
        _ => {}
    }
}

/// Shows each quoted text of a PATCH path, such as `members[value eq "..."]`.
fn each_quoted(path: &mut String, visit: &mut dyn FnMut(&mut String)) {
    let parts = path.split('"').enumerate().map(|(place, part)| {
        let mut part = part.to_owned();
        if place % 2 == 1 {
            visit(&mut part);
        }
        part
    });
    *path = parts.collect::<Vec<_>>().join("\"");
}

/// Shows each text that a filter compares with an id: the resource's own, or that of one it refers to.
fn each_compared_id(filter: &mut Filter, visit: &mut dyn FnMut(&mut String)) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            for part in parts {
                each_compared_id(part, visit);
            }
        }
        Filter::Not(inner) | Filter::ValuePath { filter: inner, .. } => each_compared_id(inner, visit),
        Filter::Compare { path, value: Literal::Text(text), .. }
            if path == "id" || is_reference(path.as_str()) =>
        {
            visit(text);
        }
        Filter::Compare { .. } | Filter::Present { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::resource_type;
    use model::ResourceKind;
    use serde_json::json;

    fn replaced(mut body: Value) -> Value {
        each_reference(&mut body, false, &mut |id| *id = format!("<{id}>"));
        body
    }

    #[test]
    fn references_are_found_in_every_form_of_body() {
        for (body, expected) in [
            (
                json!({"displayName": "a", "members": [{"value": "a", "display": "a", "$ref": "a"}]}),
                json!({"displayName": "a", "members": [{"value": "<a>", "display": "a", "$ref": "a"}]}),
            ),
            (
                json!({"userName": "a", "urn:x:User": {"manager": {"value": "a", "displayName": "a"}}}),
                json!({"userName": "a", "urn:x:User": {"manager": {"value": "<a>", "displayName": "a"}}}),
            ),
            (json!({"urn:x:User": {"manager": "a"}}), json!({"urn:x:User": {"manager": "<a>"}})),
            (
                json!({"Operations": [{"op": "add", "path": "members", "value": [{"value": "a"}, "b"]}]}),
                json!({"Operations": [{"op": "add", "path": "members", "value": [{"value": "<a>"}, "<b>"]}]}),
            ),
            (
                json!({"Operations": [{"op": "add", "path": "members", "value": {"members": [{"value": "a"}]}}]}),
                json!({"Operations": [{"op": "add", "path": "members", "value": {"members": [{"value": "<a>"}]}}]}),
            ),
            (
                json!({"Operations": [{"op": "remove", "path": "members[value eq \"a\" or value eq \"b\"]"}]}),
                json!({"Operations": [{"op": "remove", "path": "members[value eq \"<a>\" or value eq \"<b>\"]"}]}),
            ),
            (
                json!({"Operations": [{"op": "replace", "value": {"displayName": "a", "members": [{"value": "a"}]}}]}),
                json!({"Operations": [{"op": "replace", "value": {"displayName": "a", "members": [{"value": "<a>"}]}}]}),
            ),
            (
                json!({"Operations": [{"op": "replace", "path": "urn:x:User:manager", "value": "a"}]}),
                json!({"Operations": [{"op": "replace", "path": "urn:x:User:manager", "value": "<a>"}]}),
            ),
            (
                json!({"Operations": [{"op": "replace", "path": "displayName", "value": "a"}]}),
                json!({"Operations": [{"op": "replace", "path": "displayName", "value": "a"}]}),
            ),
        ] {
            assert_eq!(replaced(body), expected);
        }
    }

    #[test]
    fn compared_ids_are_found_in_a_filter() {
        let text = "id eq \"a\" and (members.value eq \"b\" or not (members[value eq \"c\"])) and displayName eq \"d\"";
        let mut filter = Filter::parse(text, resource_type(ResourceKind::Group)).unwrap();
        let mut found = Vec::new();
        each_compared_id(&mut filter, &mut |id| found.push(std::mem::replace(id, "x".into())));
        assert_eq!(found, ["a", "b", "c"]);
        assert!(filter.to_string().contains("id eq \"x\""), "{filter}");
    }

    #[test]
    fn only_15_or_18_letters_and_digits_may_be_a_record_id() {
        assert!(may_be_record_id("005xx000001Svog") && may_be_record_id("005xx000001SvogAAC"));
        for text in ["", "0", "005xx000001Svo-", "005xx000001SvogA", "2819c223-7f76-453a-919d-413861904646"] {
            assert!(!may_be_record_id(text), "{text}");
        }
    }
}
