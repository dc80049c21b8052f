//! A stored resource as JSON: the stored text with `id`, `meta` and the rest around it.
//!
//! The text is kept in the form in which it is sent, so the usual answer copies it without reading it. Only an answer
//! that shows a part, or has something to add, is taken apart.

use model::{ResourceKind, Timestamp};
use provisioning::Warning;
use scim_types::{Error, Projection, ResourceType, schema};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::StoredResource;

use crate::{addresses, call::resource_type};

/// How the resources of one answer are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    base: &'a str,
    resource_type: &'static ResourceType,
    extension: &'static str,
    projection: &'a Projection,
}

/// What is to be said of a resource beyond what is stored with it: the content of our own extension.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    /// What was adapted on the way, or did not land.
    pub warnings: &'a [Warning],
    /// The Salesforce records it is linked to.
    pub records: &'a [Value],
}

impl Said<'_> {
    /// Nothing.
    pub const NOTHING: Self = Said { warnings: &[], records: &[] };
}

impl<'a> View<'a> {
    /// Resources of a kind, under the SCIM root `base`.
    pub fn new(base: &'a str, kind: ResourceKind, projection: &'a Projection) -> Self {
        let extension = match kind {
            ResourceKind::User => schema::GANGWAY_USER_URN,
            ResourceKind::Group => schema::GANGWAY_GROUP_URN,
        };
        Self { base, resource_type: resource_type(kind), extension, projection }
    }

    /// One resource as JSON text.
    pub fn text(&self, resource: &StoredResource, said: Said<'_>) -> Result<Vec<u8>, Error> {
        let mut out = Vec::with_capacity(resource.body.len() + 512);
        self.write(&mut out, resource, said)?;
        Ok(out)
    }

    /// Appends one resource as JSON text.
    ///
    /// # Errors
    ///
    /// 500 when the stored text is not JSON, which only a damaged store has.
    pub fn write(&self, out: &mut Vec<u8>, resource: &StoredResource, said: Said<'_>) -> Result<(), Error> {
        // Warnings and records are shown on request only, and a request names attributes. So is what a Group stands for, which is
        // stored with it.
        let says_more = resource.kind == ResourceKind::Group && resource.body.contains(self.extension);
        if self.projection.is_whole() && !resource.pending && !says_more {
            self.splice(out, resource);
            return Ok(());
        }
        let full = self.full(resource, said).ok_or_else(|| {
            tracing::error!(resource.id = %resource.id, "a stored resource is not JSON");
            Error::new(500, "the stored resource cannot be read: the operator finds it in the log")
        })?;
        json_text(out, &self.projection.apply(self.resource_type, full));
        Ok(())
    }

    /// The stored text with the server's attributes in between.
    fn splice(&self, out: &mut Vec<u8>, resource: &StoredResource) {
        // `schemas` first, for people who read it; no URN has a bracket.
        let stored = resource.body.trim();
        let stored = stored.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        let (schemas, rest) = match stored.find(']') {
            Some(end) if stored.starts_with("\"schemas\":[") => stored.split_at(end + 1),
            _ => ("", stored),
        };
        out.push(b'{');
        if !schemas.is_empty() {
            out.extend(schemas.as_bytes());
            out.push(b',');
        }
        out.extend(b"\"id\":");
        json_text(out, resource.id.as_str());
        if !rest.is_empty() && !rest.starts_with(',') {
            out.push(b',');
        }
        match resource.kind {
            ResourceKind::User => addresses::copy(out, rest, self.base),
            ResourceKind::Group => out.extend(rest.as_bytes()),
        }
        if let Some((name, references)) = self.references(resource) {
            out.extend(b",\"");
            out.extend(name.as_bytes());
            out.extend(b"\":");
            json_text(out, &references);
        }
        out.extend(b",\"meta\":");
        json_text(out, &self.meta(resource));
        out.push(b'}');
    }

    /// The whole resource, taken apart.
    fn full(&self, resource: &StoredResource, said: Said<'_>) -> Option<Map<String, Value>> {
        let Value::Object(mut full) = serde_json::from_str(&resource.body).ok()? else { return None };
        full.insert("id".into(), resource.id.as_str().into());
        if let Some((name, references)) = self.references(resource) {
            full.insert(name.into(), json!(references));
        }
        if resource.kind == ResourceKind::User {
            addresses::put_into(&mut full, self.base);
        }
        let shows = |attribute: &str| {
            self.projection.names(self.resource_type, &format!("{}:{attribute}", self.extension))
        };
        let mut extension = match full.shift_remove(self.extension) {
            Some(Value::Object(stored)) => stored,
            _ => Map::new(),
        };
        extension.retain(|attribute, _| shows(attribute));
        if !said.warnings.is_empty() && shows("warnings") {
            extension.insert("warnings".into(), json!(said.warnings));
        }
        if !said.records.is_empty() && shows("salesforce") {
            extension.insert("salesforce".into(), json!(said.records));
        }
        if resource.pending && shows("pending") {
            extension.insert("pending".into(), true.into());
        }
        if let Some(Value::Array(schemas)) = full.get_mut("schemas") {
            schemas.retain(|urn| urn != self.extension);
            schemas.extend((!extension.is_empty()).then(|| self.extension.into()));
        }
        if !extension.is_empty() {
            full.insert(self.extension.into(), extension.into());
        }
        full.insert("meta".into(), json!(self.meta(resource)));
        Some(full)
    }

    fn meta(&self, resource: &StoredResource) -> Meta {
        Meta {
            resource_type: resource.kind.as_str(),
            created: instant(resource.created),
            last_modified: instant(resource.modified),
            location: self.location(resource.kind, resource.id.as_str()),
            version: resource.version.etag(),
        }
    }

    /// The groups of a User, if it is in any; the members of a Group, even if it has none (C-28, C-29).
    fn references<'r>(&self, resource: &'r StoredResource) -> Option<(&'static str, Vec<Reference<'r>>)> {
        let groups = resource.groups.iter().map(|group| Reference {
            value: group.id.as_str(),
            location: self.location(ResourceKind::Group, group.id.as_str()),
            display: Some(&group.display),
            type_: "direct",
        });
        let members = resource.members.iter().map(|member| Reference {
            value: member.id.as_str(),
            location: self.location(member.kind, member.id.as_str()),
            display: member.display.as_deref(),
            type_: member.kind.as_str(),
        });
        match resource.kind {
            ResourceKind::User if resource.groups.is_empty() => None,
            ResourceKind::User => Some(("groups", groups.collect())),
            ResourceKind::Group => Some(("members", members.collect())),
        }
    }

    fn location(&self, kind: ResourceKind, id: &str) -> String {
        format!("{}/{}/{id}", self.base, kind.endpoint())
    }
}

/// `meta` (RFC 7643 §3.1).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    resource_type: &'static str,
    created: String,
    last_modified: String,
    location: String,
    version: String,
}

/// An element of `groups` or `members`.
#[derive(Serialize)]
struct Reference<'r> {
    value: &'r str,
    #[serde(rename = "$ref")]
    location: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'r str>,
    #[serde(rename = "type")]
    type_: &'static str,
}

/// To the millisecond, as it is stored.
fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}

fn json_text<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("the value has text keys and is written to memory");
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ResourceId, Version};
    use store::{GroupRef, Member};

    const BASE: &str = "https://scim.example.com/scim/v2";

    fn stored(kind: ResourceKind, body: &str) -> StoredResource {
        StoredResource {
            kind,
            id: ResourceId::from_text("r-1"),
            version: Version(3),
            created: "2026-01-01T00:00:00Z".parse().unwrap(),
            modified: "2026-02-03T04:05:06.789Z".parse().unwrap(),
            pending: false,
            body: body.into(),
            asked: None,
            stands_for: None,
            groups: vec![],
            members: vec![],
        }
    }

    fn ada() -> StoredResource {
        let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada","name":{"familyName":"L\u00f6we"}}"#;
        StoredResource {
            groups: vec![GroupRef {
                id: ResourceId::from_text("g-1"),
                display: "\"Crew\"".into(),
                stands_for: None,
            }],
            ..stored(ResourceKind::User, body)
        }
    }

    fn crew() -> StoredResource {
        let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Crew"}"#;
        let member = |id, kind, display: Option<&str>| Member {
            id: ResourceId::from_text(id),
            kind,
            display: display.map(str::to_owned),
            display_as_sent: false,
        };
        StoredResource {
            members: vec![
                member("u-1", ResourceKind::User, Some("ada")),
                member("g-2", ResourceKind::Group, None),
            ],
            ..stored(ResourceKind::Group, body)
        }
    }

    fn shown(resource: &StoredResource, attributes: Option<&str>, excluded: Option<&str>) -> Value {
        warned(resource, attributes, excluded, &[])
    }

    fn warned(
        resource: &StoredResource,
        attributes: Option<&str>,
        excluded: Option<&str>,
        warnings: &[Warning],
    ) -> Value {
        let projection = Projection::parse(resource_type(resource.kind), attributes, excluded).unwrap();
        let text = View::new(BASE, resource.kind, &projection)
            .text(resource, Said { warnings, records: &[] })
            .unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn a_whole_user_is_its_stored_text_with_what_the_server_knows() {
        let projection = Projection::parse(resource_type(ResourceKind::User), None, None).unwrap();
        let text = View::new(BASE, ResourceKind::User, &projection).text(&ada(), Said::NOTHING).unwrap();
        insta::assert_snapshot!(String::from_utf8(text).unwrap(), @r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"r-1","userName":"ada","name":{"familyName":"L\u00f6we"},"groups":[{"value":"g-1","$ref":"https://scim.example.com/scim/v2/Groups/g-1","display":"\"Crew\"","type":"direct"}],"meta":{"resourceType":"User","created":"2026-01-01T00:00:00.000Z","lastModified":"2026-02-03T04:05:06.789Z","location":"https://scim.example.com/scim/v2/Users/r-1","version":"W/\"3\""}}"#);
    }

    #[test]
    fn c28_a_group_shows_its_members_even_when_it_has_none() {
        let members = &shown(&crew(), None, None)["members"];
        assert_eq!(
            members[0],
            json!({"value": "u-1", "$ref": format!("{BASE}/Users/u-1"), "display": "ada", "type": "User"})
        );
        assert_eq!(
            members[1],
            json!({"value": "g-2", "$ref": format!("{BASE}/Groups/g-2"), "type": "Group"})
        );
        let empty = StoredResource { members: vec![], ..crew() };
        assert_eq!(shown(&empty, None, None)["members"], json!([]));
    }

    #[test]
    fn c29_a_user_shows_its_groups() {
        assert_eq!(shown(&ada(), None, None)["groups"][0]["value"], "g-1");
    }

    #[test]
    fn what_a_user_has_been_given_has_its_address_however_it_is_shown() {
        let body = r#"{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada","entitlements":[{"value":"00e1","display":"Standard User","type":"Profile"}]}"#;
        let given = stored(ResourceKind::User, body);
        let address = json!(format!("{BASE}/Entitlements/00e1"));
        assert_eq!(shown(&given, None, None)["entitlements"][0]["$ref"], address);
        assert_eq!(
            shown(&given, Some("entitlements.$ref"), None)["entitlements"],
            json!([{"$ref": address}])
        );
    }

    #[test]
    fn what_a_group_stands_for_is_shown_to_those_who_ask() {
        let urn = schema::GANGWAY_GROUP_URN;
        let stands_for = json!({"org": "staff", "kind": "permission-set", "id": "0PS5f000000abcAAAQ"});
        let refused = json!([{"value": "u-9", "code": "LICENSE_LIMIT_EXCEEDED", "detail": "no seat"}]);
        let body = json!({
            "schemas": [schema::GROUP_URN, urn],
            "displayName": "Crew",
            urn: {"standsFor": stands_for, "published": true, "refused": refused},
        });
        let group = StoredResource { body: body.to_string(), ..crew() };
        for (attributes, excluded) in
            [(None, None), (Some("displayName,members"), None), (None, Some("members"))]
        {
            let untold = shown(&group, attributes, excluded);
            assert_eq!((untold.get(urn), &untold["schemas"]), (None, &json!([schema::GROUP_URN])));
            assert_eq!(untold["displayName"], "Crew");
        }
        let told = shown(&group, Some(urn), None);
        assert_eq!(told[urn], json!({"standsFor": stands_for, "published": true, "refused": refused}));
        assert_eq!(told["schemas"], json!([schema::GROUP_URN, urn]));
        let pending = StoredResource { pending: true, ..group };
        assert_eq!(shown(&pending, None, None)[urn], json!({"pending": true}));
    }

    #[test]
    fn both_ways_of_composing_show_the_same() {
        for resource in
            [ada(), crew(), stored(ResourceKind::User, "{}"), stored(ResourceKind::User, r#"{"title":"x]"}"#)]
        {
            let spliced = shown(&resource, None, None);
            let composed = shown(&resource, None, Some("nothing"));
            let projected = Projection::parse(resource_type(resource.kind), None, Some("title.x")).unwrap();
            let view = View::new(BASE, resource.kind, &projected);
            assert_eq!(spliced, composed);
            assert_eq!(spliced, Value::Object(view.full(&resource, Said::NOTHING).unwrap()));
        }
    }

    #[test]
    fn c25_a_part_has_the_id_whatever_is_asked() {
        let part = shown(&ada(), Some("userName"), None);
        assert_eq!((&part["id"], &part["userName"]), (&"r-1".into(), &"ada".into()));
        assert!(part.get("meta").is_none() && part.get("groups").is_none() && part.get("name").is_none());
        let part = shown(&crew(), None, Some("members"));
        assert!(part.get("members").is_none() && part["meta"]["version"] == "W/\"3\"");
        assert_eq!(shown(&ada(), None, Some("id,schemas"))["id"], "r-1");
    }

    #[test]
    fn the_extension_is_there_when_it_is_asked_for_and_has_something_to_say() {
        let warning = Warning {
            code: "timezone-defaulted".into(),
            attribute: Some("timezone".into()),
            detail: "unknown".into(),
        };
        let asked = Some("userName,urn:gangway:params:scim:schemas:extension:2.0:User");
        let untold = warned(&ada(), None, None, std::slice::from_ref(&warning));
        assert!(
            untold.get(schema::GANGWAY_USER_URN).is_none(),
            "strict clients refuse what they did not ask for"
        );
        let told = warned(&ada(), asked, None, &[warning]);
        assert_eq!(told["schemas"][1], schema::GANGWAY_USER_URN);
        assert_eq!(
            told[schema::GANGWAY_USER_URN],
            json!({"warnings": [{"code": "timezone-defaulted", "attribute": "timezone", "detail": "unknown"}]})
        );
        let pending = StoredResource { pending: true, ..crew() };
        assert_eq!(shown(&pending, None, None)[schema::GANGWAY_GROUP_URN], json!({"pending": true}));
        assert!(shown(&pending, Some("displayName"), None).get(schema::GANGWAY_GROUP_URN).is_none());
        assert!(shown(&ada(), None, None).get(schema::GANGWAY_USER_URN).is_none());
    }

    #[test]
    fn a_damaged_text_is_an_error_and_no_panic() {
        let projection =
            Projection::parse(resource_type(ResourceKind::User), Some("userName"), None).unwrap();
        for body in ["", "[]", "{", "null"] {
            let resource = stored(ResourceKind::User, body);
            let error =
                View::new(BASE, ResourceKind::User, &projection).text(&resource, Said::NOTHING).unwrap_err();
            assert_eq!(error.status, 500);
        }
    }
}
