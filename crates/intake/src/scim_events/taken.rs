//! What is taken of a publisher's resources and changes: what it says of the person. What is decided here is left out: which
//! entitlements somebody has, Groups, ids.

use scim_types::{Op, Patch, Registry};
use serde_json::{Map, Value, json};

use super::Happening;

/// Attributes of a publisher's resource that say nothing here. Who has what in Salesforce is decided by Gangway's own Groups and
/// rules, and by clients that may.
const LEFT_OUT: [&str; 5] = ["id", "meta", "groups", "entitlements", "roles"];
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:user:";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
pub(super) const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// What has happened, without what is left out. A change is in its canonical form then; one that cannot be read stays as it is, and
/// is refused with what is wrong with it.
pub(super) fn happening(happening: Happening) -> Happening {
    match happening {
        Happening::Put(mut resource) => {
            leave_out(&mut resource);
            Happening::Put(resource)
        }
        Happening::Patch(change) => Happening::Patch(patch(change)),
        other => other,
    }
}

/// Takes what is left out out of a whole resource.
pub(super) fn leave_out(resource: &mut Map<String, Value>) {
    resource.retain(|name, _| !is_left_out(name));
}

fn patch(change: Map<String, Value>) -> Map<String, Value> {
    let Ok(read) = Patch::parse(Registry::standard().user(), Value::Object(change.clone())) else {
        return change;
    };
    let taken = read.operations.into_iter().filter(|operation| !is_left_out(&operation.path));
    let operation = |operation: scim_types::Operation| {
        let mut said = json!({ "op": operation.op, "path": operation.path });
        // `null` unassigns; a `remove` without a value takes all.
        if operation.op != Op::Remove || !operation.value.is_null() {
            said["value"] = operation.value;
        }
        said
    };
    let operations: Vec<Value> = taken.map(operation).collect();
    Map::from_iter([
        ("schemas".to_owned(), json!([PATCH_OP])),
        ("Operations".to_owned(), Value::Array(operations)),
    ])
}

/// Whether a name or a path leads to something that is left out.
fn is_left_out(path: &str) -> bool {
    let path = path.trim().to_ascii_lowercase();
    let path = path.strip_prefix(CORE).unwrap_or(&path);
    let root = path.split(['.', '[']).next().unwrap_or_default().trim();
    LEFT_OUT.contains(&root)
}

/// Whether a whole resource says if somebody is active.
pub(super) fn says_active(resource: &Map<String, Value>) -> bool {
    resource.keys().any(|name| is_active(name))
}

/// Whether a change in its canonical form says so.
pub(super) fn changes_active(change: &Map<String, Value>) -> bool {
    operations(change).any(|operation| operation.get("path").and_then(Value::as_str).is_some_and(is_active))
}

/// Whether nothing is left of a change.
pub(super) fn is_nothing(change: &Map<String, Value>) -> bool {
    change.get("Operations").and_then(Value::as_array).is_some_and(Vec::is_empty)
}

fn operations(change: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    change.get("Operations").and_then(Value::as_array).into_iter().flatten()
}

fn is_active(path: &str) -> bool {
    path.eq_ignore_ascii_case("active")
}

/// Where a whole resource names the person's manager.
pub(super) fn manager_of(resource: &mut Map<String, Value>) -> Option<&mut Value> {
    let enterprise = member(resource, ENTERPRISE)?.as_object_mut()?;
    member(enterprise, "manager")
}

/// Where a change in its canonical form names managers.
pub(super) fn managers_in(change: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    let operations = change.get_mut("Operations").and_then(Value::as_array_mut).into_iter().flatten();
    operations.filter_map(|operation| {
        let path = operation.get("path")?.as_str()?;
        let rest = path.get(..ENTERPRISE.len()).filter(|urn| urn.eq_ignore_ascii_case(ENTERPRISE));
        let name = rest.and_then(|_| path.get(ENTERPRISE.len()..))?.to_ascii_lowercase();
        if matches!(name.as_str(), ":manager" | ":manager.value") { operation.get_mut("value") } else { None }
    })
}

/// The id that a manager has where he is named so; his address there means nothing here.
pub(super) fn id_of(manager: &mut Value) -> Option<&mut Value> {
    if manager.is_string() {
        return Some(manager);
    }
    let parts = manager.as_object_mut()?;
    parts.retain(|name, _| !name.eq_ignore_ascii_case("$ref"));
    member(parts, "value").filter(|id| id.is_string())
}

fn member<'m>(members: &'m mut Map<String, Value>, name: &str) -> Option<&'m mut Value> {
    members.iter_mut().find(|(sent, _)| sent.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_decided_here_is_left_out_of_a_resource_however_it_is_written() {
        let mut resource = map(&json!({
            "userName": "noor", "Entitlements": [{"value": "System Administrator"}], "roles": ["CEO"], "ID": "1",
            "urn:ietf:params:scim:schemas:core:2.0:User:entitlements": [{"value": "x"}], "meta": {}, "groups": [],
        }));
        leave_out(&mut resource);
        assert_eq!(Value::Object(resource), json!({"userName": "noor"}));
    }

    #[test]
    fn what_is_decided_here_is_left_out_of_a_change_however_it_is_written() {
        let administrator = json!([{"value": "System Administrator"}]);
        let left = |operations: Value| {
            let change = map(&json!({"operations": operations}));
            patch(change)["Operations"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["path"].clone())
                .collect::<Vec<_>>()
        };
        let none: Vec<Value> = Vec::new();
        for path in [
            "entitlements",
            "ENTITLEMENTS",
            "urn:ietf:params:scim:schemas:core:2.0:User:entitlements",
            "entitlements[value eq \"x\"].value",
            "roles",
            "groups",
            "meta.version",
        ] {
            assert_eq!(left(json!([{"OP": "Add", "Path": path, "value": administrator}])), none, "{path}");
        }
        let inside =
            json!({"title": "Pilot", "Entitlements": administrator, "groups": [], "roles": administrator});
        assert_eq!(left(json!([{"op": "replace", "value": inside}])), [json!("title")]);
        let whole =
            json!([{"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User", "value": inside}]);
        assert_eq!(left(whole), [json!("title")]);
        assert!(is_nothing(&patch(map(&json!({"Operations": [{"op": "remove", "path": "groups"}]})))));
        let unreadable = map(&json!({"Operations": "x"}));
        assert_eq!(patch(unreadable.clone()), unreadable);
    }

    #[test]
    fn a_canonical_change_is_still_the_same_change() {
        let change = map(&json!({"Operations": [
            {"op": "Replace", "value": {"title": "Pilot", "active": "False", "name": {"givenName": "Noor"}}},
            {"op": "add", "path": "emails[type eq \"work\"].value", "value": "noor@acme.example"},
            {"op": "remove", "path": "nickName"},
            {"op": "replace", "path": "displayName", "value": null},
        ]}));
        let read = |change: Map<String, Value>| {
            Patch::parse(Registry::standard().user(), Value::Object(change)).unwrap()
        };
        let canonical = patch(change.clone());
        assert_eq!(read(canonical.clone()), read(change));
        assert!(changes_active(&canonical));
    }

    #[test]
    fn managers_are_found_wherever_they_are_named() {
        let named = |change: Value| {
            let mut change = patch(map(&change));
            let ids = managers_in(&mut change).filter_map(id_of).map(|id| id.clone());
            ids.collect::<Vec<_>>()
        };
        let at = |path: &str, value: Value| json!({"Operations": [{"op": "replace", "path": path, "value": value}]});
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        assert_eq!(named(at(&format!("{urn}:manager"), json!({"value": "8d1f", "$ref": "x"}))), ["8d1f"]);
        assert_eq!(named(at(&format!("{urn}:manager"), json!("8d1f"))), ["8d1f"]);
        assert_eq!(named(at(&format!("{urn}:manager.value"), json!("8d1f"))), ["8d1f"]);
        assert_eq!(named(at(urn, json!({"manager": {"value": "8d1f"}}))), ["8d1f"]);
        let inside = json!({"Operations": [{"op": "add", "value": {urn: {"manager": {"value": "8d1f"}}}}]});
        assert_eq!(named(inside), ["8d1f"]);
        assert!(named(at("title", json!("8d1f"))).is_empty());
        let mut whole =
            map(&json!({urn: {"manager": {"value": "8d1f", "$ref": "https://idm.example/Users/8d1f"}}}));
        assert_eq!(manager_of(&mut whole).and_then(id_of), Some(&mut json!("8d1f")));
        assert_eq!(whole[urn]["manager"], json!({"value": "8d1f"}));
    }
}
