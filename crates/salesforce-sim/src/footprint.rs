//! What a call will touch, read from its body before it is carried out: how long it takes, and what it
//! needs for itself meanwhile.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    ids::Id,
    locks::Lock,
    org::Org,
    request::{Request, split_path, split_query},
    sobjects,
};

/// The size of a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Footprint {
    /// Records that it writes, or fetches one by one; rows of a query do not count.
    pub(crate) records: usize,
    /// Of those, the ones that it writes.
    pub(crate) writes: usize,
    /// What it keeps others from until it is over.
    pub(crate) locks: BTreeSet<Lock>,
}

/// Objects whose every write makes Salesforce compute sharing anew.
const SHARING: [&str; 4] = ["GroupMember", "Group", "UserRole", "UserTerritory2Association"];

/// A call, or a part of one.
struct Call<'a> {
    method: &'a str,
    path: &'a [&'a str],
    query: &'a [(String, String)],
    body: Option<&'a Value>,
}

/// Measures a call of the data API.
pub(crate) fn of(org: &Org, request: &Request) -> Footprint {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let mut footprint = Footprint::default();
    footprint.add(
        org,
        &Call { method: &request.method, path: &path, query: &request.query, body: request.body.as_ref() },
    );
    footprint
}

/// The locks that one write needs, by what its body names.
pub(crate) fn locks(org: &Org, object: &str, id: Option<Id>, body: &Map<String, Value>) -> Vec<Lock> {
    let row = id.map(Lock::Row);
    let sharing = is_sharing(org, object, id, body).then_some(Lock::Sharing);
    sharing.into_iter().chain(row).collect()
}

/// Membership of groups, roles and territories, and a user who gets another role.
fn is_sharing(org: &Org, object: &str, id: Option<Id>, body: &Map<String, Value>) -> bool {
    if !object.eq_ignore_ascii_case("User") {
        return SHARING.iter().any(|name| object.eq_ignore_ascii_case(name));
    }
    let sent = body.iter().find(|(name, _)| name.eq_ignore_ascii_case("UserRoleId"));
    let Some((_, sent)) = sent else { return false };
    let role = sent.as_str().and_then(Id::parse);
    let users = org.table_of("User");
    let before = id.and_then(|id| users.get(id)?.get(users.object.at("UserRoleId")).as_id());
    // A reference to another part of the call cannot be read yet: it is some role.
    role != before || (role.is_none() && sent.as_str().is_some_and(|text| !text.is_empty()))
}

impl Footprint {
    fn add(&mut self, org: &Org, call: &Call) {
        let body = call.body;
        let list = |name: &str| body.and_then(|body| body.get(name)?.as_array()).into_iter().flatten();
        match (call.path, call.method) {
            (["composite"], "POST") => list("compositeRequest").for_each(|part| self.part(org, part, "body")),
            (["composite", "graph"], "POST") => {
                for graph in list("graphs") {
                    let parts = graph.get("compositeRequest").and_then(Value::as_array);
                    parts.into_iter().flatten().for_each(|part| self.part(org, part, "body"));
                }
            }
            (["composite", "batch"], "POST") => {
                list("batchRequests").for_each(|part| self.part(org, part, "richInput"));
            }
            (["composite", "tree", object], "POST") => {
                list("records").for_each(|record| self.tree(org, object, record));
            }
            (["composite", "sobjects"], "POST" | "PATCH") => {
                for record in list("records").filter_map(Value::as_object) {
                    let object = record.get("attributes").and_then(|attributes| attributes.get("type"));
                    let object = object.and_then(Value::as_str).unwrap_or_default();
                    self.write(org, object, id_in(record), Some(record));
                }
            }
            (["composite", "sobjects"], "DELETE") => {
                let ids = call.query.iter().find(|(name, _)| name == "ids").map(|(_, ids)| ids.as_str());
                for id in ids.unwrap_or_default().split(',').filter(|id| !id.is_empty()) {
                    let id = Id::parse(id.trim());
                    let object = id.and_then(|id| Some(org.object_of(id)?.name.clone()));
                    self.write(org, &object.unwrap_or_default(), id, None);
                }
            }
            (["composite", "sobjects", object, key], "PATCH") => {
                for record in list("records").filter_map(Value::as_object) {
                    let value = record.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
                    let value = value.and_then(|(_, value)| value.as_str()).unwrap_or_default();
                    self.write(org, object, by_key(org, object, key, value), Some(record));
                }
            }
            (["composite", "sobjects", _], _) => {
                let asked =
                    call.query.iter().find(|(name, _)| name == "ids").map(|(_, ids)| ids.split(',').count());
                self.records += list("ids").count().max(asked.unwrap_or(0));
            }
            (["sobjects", object] | ["sobjects", object, "Id"], "POST") => {
                self.write(org, object, None, body.and_then(Value::as_object));
            }
            (["sobjects", object, id], "PATCH" | "DELETE") => {
                self.write(org, object, Id::parse(id), body.and_then(Value::as_object));
            }
            (["sobjects", object, key, value], "PATCH" | "DELETE") => {
                let id = by_key(org, object, key, value);
                self.write(org, object, id, body.and_then(Value::as_object));
            }
            (["sobjects", _, "describe" | "updated" | "deleted"], _) => {}
            (["sobjects", _, _] | ["sobjects", _, _, _], "GET") => self.records += 1,
            _ => {}
        }
    }

    /// A part of a composite call; `content` is what its kind calls the body.
    fn part(&mut self, org: &Org, part: &Value, content: &str) {
        let text = |name: &str| part.get(name).and_then(Value::as_str).unwrap_or_default();
        let (path, query) = text("url").split_once('?').unwrap_or((text("url"), ""));
        let path = split_path(path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        // In a batch the URL begins with the version.
        let (["services", "data", _, path @ ..] | [_, path @ ..]) = path.as_slice() else { return };
        // A composite call within one is refused, and must not make this endless.
        if matches!(path, ["composite"] | ["composite", "batch" | "graph"]) {
            return;
        }
        let method = text("method").to_ascii_uppercase();
        let call = Call { method: &method, path, query: &split_query(query), body: part.get(content) };
        self.add(org, &call);
    }

    /// A record of a tree with the records below it.
    fn tree(&mut self, org: &Org, object: &str, record: &Value) {
        let Some(record) = record.as_object() else { return };
        self.write(org, object, None, Some(record));
        for children in record.values().filter_map(|value| value.get("records")?.as_array()) {
            for child in children {
                let object = child.get("attributes").and_then(|attributes| attributes.get("type"));
                self.tree(org, object.and_then(Value::as_str).unwrap_or_default(), child);
            }
        }
    }

    fn write(&mut self, org: &Org, object: &str, id: Option<Id>, body: Option<&Map<String, Value>>) {
        self.records += 1;
        self.writes += 1;
        self.locks.extend(locks(org, object, id, body.unwrap_or(&Map::new())));
    }
}

fn id_in(record: &Map<String, Value>) -> Option<Id> {
    let id = record.iter().find(|(name, _)| name.eq_ignore_ascii_case("Id"));
    id.and_then(|(_, id)| id.as_str()).and_then(Id::parse)
}

/// The one record with this key; none where there are several, because none of them is written.
fn by_key(org: &Org, object: &str, key: &str, value: &str) -> Option<Id> {
    let object = org.schema.object(object)?;
    let key = sobjects::key_field(object, key).ok()?;
    if key.index == 0 {
        return Id::parse(value);
    }
    match sobjects::by_key(org, object, key, value).as_slice() {
        [id] => Some(*id),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::org_file::OrgFile;

    const V: &str = "/services/data/v66.0";

    fn measure(org: &Org, method: &str, path: &str, body: &Value) -> Footprint {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = split_path(path);
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let mut footprint = Footprint::default();
        footprint.add(org, &Call { method, path: &path, query: &split_query(query), body: Some(body) });
        footprint
    }

    #[test]
    fn records_inside_every_kind_of_composite_count() {
        let org = OrgFile::read(None).unwrap().build(1, 0).unwrap();
        let users = json!({"records": vec![json!({"attributes": {"type": "User"}}); 200]});
        let collection = |n: usize| {
            let url = format!("{V}/composite/sobjects");
            vec![json!({"method": "POST", "url": url, "referenceId": "a", "body": users}); n]
        };
        let size = |method: &str, path: &str, body: Value| {
            let footprint = measure(&org, method, path, &body);
            (footprint.records, footprint.writes)
        };
        let read = json!({"method": "get", "url": format!("{V}/sobjects/User/005000000000001")});
        let parts = [collection(5), vec![read]].concat();
        assert_eq!(size("POST", "/composite", json!({"compositeRequest": parts})), (1_001, 1_000));
        let graphs = vec![json!({"compositeRequest": collection(1)}); 2];
        assert_eq!(size("POST", "/composite/graph", json!({"graphs": graphs})), (400, 400));
        let batch = json!({"batchRequests": [
            {"method": "PATCH", "url": "v66.0/sobjects/User/005000000000001", "richInput": {"Title": "x"}},
            {"method": "GET", "url": "v66.0/limits"},
        ]});
        assert_eq!(size("POST", "/composite/batch", batch), (1, 1));
        let child = json!({"attributes": {"type": "Contact"}});
        let tree = json!({"records": [{"Name": "x", "Contacts": {"records": [child, child]}}]});
        assert_eq!(size("POST", "/composite/tree/Account", tree), (3, 3));
        assert_eq!(size("DELETE", "/composite/sobjects?ids=a,b,c", json!(null)), (3, 3));
        assert_eq!(size("POST", "/composite/sobjects/User", json!({"ids": ["a", "b"]})), (2, 0));
        assert_eq!(size("GET", "/sobjects/User/describe", json!(null)), (0, 0));
        assert_eq!(size("GET", "/sobjects/User/005", json!(null)), (1, 0));
        let inner = json!({"method": "POST", "url": format!("{V}/composite"), "body": {}});
        assert_eq!(size("POST", "/composite", json!({"compositeRequest": [inner]})), (0, 0));
    }

    #[test]
    fn membership_and_a_changed_role_need_the_sharing_lock() {
        let org = OrgFile::read(None).unwrap().build(1, 0).unwrap();
        let table = org.table_of("User");
        let (user, role) = (org.run_as, table.object.at("UserRoleId"));
        let role = table.get(user).and_then(|row| row.get(role).as_id());
        let same = role.map_or(Value::Null, |role| json!(role.to_string()));
        let path = format!("/sobjects/User/{user}");
        let sharing = |method: &str, path: &str, body: &Value| {
            measure(&org, method, path, body).locks.contains(&Lock::Sharing)
        };
        for (method, path, body, expected) in [
            ("POST", "/sobjects/groupmember", json!({}), true),
            ("DELETE", "/sobjects/GroupMember/011000000000001", json!({}), true),
            ("PATCH", "/sobjects/UserRole/00E000000000001", json!({"Name": "x"}), true),
            ("PATCH", path.as_str(), json!({"Title": "x"}), false),
            ("PATCH", path.as_str(), json!({"userroleid": same}), false),
            ("PATCH", path.as_str(), json!({"UserRoleId": "00E000000000009"}), true),
            ("POST", "/sobjects/User", json!({"UserRoleId": "@{role.id}"}), true),
            ("POST", "/sobjects/User", json!({"UserRoleId": null}), false),
            ("POST", "/sobjects/PermissionSetAssignment", json!({}), false),
        ] {
            assert_eq!(sharing(method, path, &body), expected, "{method} {path} {body}");
        }
    }
}
