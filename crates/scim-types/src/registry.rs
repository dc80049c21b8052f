//! Which resource types there are, with their schemas (RFC 7643 §6), and how a name finds its attribute.

use std::slice::Iter;
use std::sync::LazyLock;

use serde_json::Value;

use crate::path::{AttrPath, PathError, most_like, quoted};
use crate::schema::{
    Attribute, AttributeType, ENTERPRISE_USER_URN, ENTITLEMENT_ALIASES, GROUP_URN, Mutability,
    PROFILE_USER_URN, ROLE_ALIASES, Returned, Schema, USER_URN, Uniqueness,
};

/// All schemas and resource types that are served.
#[derive(Debug)]
pub struct Registry {
    schemas: Vec<Schema>,
    resource_types: [ResourceType; 4],
}

/// A kind of resource (RFC 7643 §6).
#[derive(Debug)]
pub struct ResourceType {
    /// Such as `User`; also its id.
    pub name: &'static str,
    /// Where it is served, such as `/Users`.
    pub endpoint: &'static str,
    /// A sentence for people.
    pub description: &'static str,
    /// The attributes of every resource: `schemas`, `id`, `externalId`, `meta`.
    pub common: Vec<Attribute>,
    /// The core schema.
    pub schema: Schema,
    /// What others call the core schema. A resource names them in its `schemas`, and paths may begin with them.
    pub aliases: &'static [&'static str],
    /// What extends it.
    pub extensions: Vec<Extension>,
    /// Common and core attributes, in order.
    roots: Vec<AttrPath>,
    /// The extensions as wholes, in order.
    extension_roots: Vec<AttrPath>,
}

/// A schema that extends a resource type.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The schema.
    pub schema: Schema,
    /// Whether a resource must have it.
    pub required: bool,
}

impl Registry {
    /// The schemas of RFC 7643 with Gangway's own extensions.
    #[must_use]
    pub fn standard() -> &'static Registry {
        static STANDARD: LazyLock<Registry> = LazyLock::new(|| {
            let read =
                |text| -> Schema { serde_json::from_str(text).expect("a test reads every schema file") };
            let common = read(include_str!("../../../schemas/common.json"));
            let user = read(include_str!("../../../schemas/user.json"));
            let group = read(include_str!("../../../schemas/group.json"));
            let enterprise = read(include_str!("../../../schemas/enterprise-user.json"));
            let gangway_user = read(include_str!("../../../schemas/gangway-user.json"));
            let gangway_group = read(include_str!("../../../schemas/gangway-group.json"));
            let entitlement = read(include_str!("../../../schemas/entitlement.json"));
            let role = read(include_str!("../../../schemas/role.json"));
            let resource_types = [
                ResourceType::new("User", "/Users", "A person", &common, user)
                    .extended_by(vec![enterprise, gangway_user])
                    .with_free_form(PROFILE_USER_URN, PROFILE),
                ResourceType::new("Group", "/Groups", "A group of people", &common, group)
                    .extended_by(vec![gangway_group]),
                ResourceType::new("Entitlement", "/Entitlements", ENTITLEMENT, &common, entitlement)
                    .also_called(&ENTITLEMENT_ALIASES),
                ResourceType::new("Role", "/Roles", ROLE, &common, role).also_called(&ROLE_ALIASES),
            ];
            let schemas = resource_types.iter().flat_map(ResourceType::schemas).collect();
            Registry { schemas, resource_types }
        });
        &STANDARD
    }

    /// The User resource type.
    #[must_use]
    pub fn user(&self) -> &ResourceType {
        &self.resource_types[0]
    }

    /// The Group resource type.
    #[must_use]
    pub fn group(&self) -> &ResourceType {
        &self.resource_types[1]
    }

    /// The resource type of what an org offers: profiles, permission sets and so on.
    #[must_use]
    pub fn entitlement(&self) -> &ResourceType {
        &self.resource_types[2]
    }

    /// The resource type of an org's roles.
    #[must_use]
    pub fn role(&self) -> &ResourceType {
        &self.resource_types[3]
    }

    /// The schemas that are served at `/Schemas`.
    #[must_use]
    pub fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    /// The schema with this URN, without regard to case.
    #[must_use]
    pub fn schema(&self, urn: &str) -> Option<&Schema> {
        self.schemas.iter().find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }

    /// The resource types that are served at `/ResourceTypes`.
    #[must_use]
    pub fn resource_types(&self) -> &[ResourceType] {
        &self.resource_types
    }

    /// The resource type with this name, without regard to case.
    #[must_use]
    pub fn resource_type(&self, name: &str) -> Option<&ResourceType> {
        self.resource_types.iter().find(|resource_type| resource_type.name.eq_ignore_ascii_case(name))
    }
}

impl ResourceType {
    fn new(
        name: &'static str,
        endpoint: &'static str,
        description: &'static str,
        common: &Schema,
        schema: Schema,
    ) -> Self {
        let roots = common.attributes.iter().chain(&schema.attributes).map(AttrPath::root).collect();
        Self {
            name,
            endpoint,
            description,
            common: common.attributes.clone(),
            schema,
            aliases: &[],
            extensions: Vec::new(),
            roots,
            extension_roots: Vec::new(),
        }
    }

    fn extended_by(self, extensions: Vec<Schema>) -> Self {
        let extension_roots =
            extensions.iter().map(|extension| AttrPath::extension_root(&as_attribute(extension))).collect();
        let extensions = extensions.into_iter().map(|schema| Extension { schema, required: false }).collect();
        Self { extensions, extension_roots, ..self }
    }

    /// Takes whatever comes under this URN, which is not among the extensions that are served.
    fn with_free_form(mut self, urn: &str, description: &str) -> Self {
        let schema = Schema {
            id: urn.to_owned(),
            name: String::new(),
            description: description.to_owned(),
            attributes: Vec::new(),
        };
        self.extension_roots.push(AttrPath::extension_root(&as_attribute(&schema)));
        self
    }

    fn also_called(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Everything of it that is served at `/Schemas`: the core schema under each of its names, and the extensions.
    fn schemas(&self) -> impl Iterator<Item = Schema> {
        let alias = |urn: &&str| Schema { id: (*urn).to_owned(), ..self.schema.clone() };
        let extensions = self.extensions.iter().map(|extension| extension.schema.clone());
        std::iter::once(self.schema.clone()).chain(self.aliases.iter().map(alias)).chain(extensions)
    }

    /// The common and core attributes, in the order of the schemas.
    #[must_use]
    pub fn roots(&self) -> &[AttrPath] {
        &self.roots
    }

    /// The extensions, each as one complex attribute named by its URN; also the one that is free-form.
    #[must_use]
    pub fn extension_roots(&self) -> &[AttrPath] {
        &self.extension_roots
    }

    /// Finds the attribute that a path names (RFC 7644 §3.10), without regard to case.
    ///
    /// Takes `attr`, `attr.sub`, either after a schema URN and `:` (or, as some clients write it, `.`), the URN of an
    /// extension alone, and the attributes of extensions without their URN (C-34, C-45).
    ///
    /// # Errors
    ///
    /// [`PathError`], which names what was not found and what it may have been.
    pub fn resolve(&self, path: &str) -> Result<AttrPath, PathError> {
        self.find(path).ok_or_else(|| self.explain(path))
    }

    /// As [`resolve`](Self::resolve), where a path that leads nowhere needs no explanation.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<AttrPath> {
        let path = path.trim();
        let Some((schema, rest)) = self.split_urn(path) else {
            let (name, sub) = split_sub(path);
            return self.attribute_named(name).and_then(|attribute| go_on(attribute, sub));
        };
        match schema {
            None => {
                let (name, sub) = split_sub(rest);
                find_name(&self.roots, name).and_then(|attribute| go_on(attribute, sub))
            }
            Some(extension) if rest.is_empty() => Some(extension.clone()),
            Some(extension) => {
                let (name, sub) = split_sub(rest);
                extension.sub(name).and_then(|attribute| go_on(attribute, sub))
            }
        }
    }

    /// Whether the text is the URN of the core schema, in any of its spellings.
    #[must_use]
    pub fn is_core_urn(&self, text: &str) -> bool {
        matches!(self.split_urn(text.trim()), Some((None, "")))
    }

    /// What an attribute counts as while it is absent: `active` is true (C-41).
    #[must_use]
    pub fn default_value(&self, path: &AttrPath) -> Option<&'static Value> {
        static TRUE: Value = Value::Bool(true);
        (path.as_str() == "active").then_some(&TRUE)
    }

    /// An attribute of the resource itself, or else one of an extension without its URN.
    fn attribute_named(&self, name: &str) -> Option<AttrPath> {
        find_name(&self.roots, name)
            .or_else(|| self.extension_roots.iter().find_map(|extension| extension.sub(name)))
    }

    /// The schema whose URN begins the path (None for the core schema), and what follows. The longest wins.
    fn split_urn<'p>(&self, path: &'p str) -> Option<(Option<&AttrPath>, &'p str)> {
        if !path.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) {
            return None;
        }
        let extensions = self.extension_roots.iter().map(|extension| (extension.as_str(), Some(extension)));
        let legacy = LEGACY_URNS.iter().filter_map(|(old, new)| {
            if *new == self.schema.id {
                return Some((*old, None));
            }
            self.extension_roots
                .iter()
                .find(|extension| extension.as_str() == *new)
                .map(|found| (*old, Some(found)))
        });
        std::iter::once((self.schema.id.as_str(), None))
            .chain(self.aliases.iter().map(|alias| (*alias, None)))
            .chain(extensions)
            .chain(legacy)
            .filter_map(|(urn, schema)| Some((urn.len(), schema, after_urn(path, urn)?)))
            .max_by_key(|(length, ..)| *length)
            .map(|(_, schema, rest)| (schema, rest))
    }

    /// Why [`find`](Self::find) found nothing.
    fn explain(&self, path: &str) -> PathError {
        let path = path.trim();
        if path.is_empty() {
            return PathError::Empty;
        }
        let resource_type = self.name.to_owned();
        let (siblings, rest): (Vec<&AttrPath>, &str) = match self.split_urn(path) {
            Some((Some(extension), rest)) => (extension.subs().iter().collect(), rest),
            Some((None, rest)) => (self.roots.iter().collect(), rest),
            None if path.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) => {
                return PathError::UnknownSchema { resource_type, urn: quoted(path) };
            }
            None => {
                let bare = self
                    .extension_roots
                    .iter()
                    .flat_map(|extension| -> Iter<'_, AttrPath> { extension.subs().iter() });
                (self.roots.iter().chain(bare).collect(), path)
            }
        };
        let (name, sub) = split_sub(rest);
        let attribute = siblings.iter().find(|sibling| sibling.name().eq_ignore_ascii_case(name));
        if let Some(Err(error)) = attribute.zip(sub).map(|(attribute, sub)| attribute.sub_or_explain(sub)) {
            return error;
        }
        PathError::UnknownAttribute {
            resource_type,
            name: quoted(if rest.is_empty() { path } else { name }),
            suggestion: most_like(name, siblings.iter().map(|sibling| sibling.name())),
        }
    }
}

const ENTITLEMENT: &str = "Something that a User can be given in Salesforce";
const ROLE: &str = "A role of Salesforce's role hierarchy";
const PROFILE: &str = "What a source of events says of a person, by its own names";

/// What SCIM 1.1 called the schemas; old applications still do (C-33).
const LEGACY_URNS: [(&str, &str); 3] = [
    ("urn:scim:schemas:core:1.0", USER_URN),
    ("urn:scim:schemas:core:1.0", GROUP_URN),
    ("urn:scim:schemas:extension:enterprise:1.0", ENTERPRISE_USER_URN),
];

/// What follows the URN in the path, without the separator.
fn after_urn<'p>(path: &'p str, urn: &str) -> Option<&'p str> {
    let (start, rest) = path.split_at_checked(urn.len())?;
    if !start.eq_ignore_ascii_case(urn) {
        return None;
    }
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix([':', '.']) }
}

/// `attr.sub` in two.
fn split_sub(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(name, sub)| (name, Some(sub)))
}

fn find_name(paths: &[AttrPath], name: &str) -> Option<AttrPath> {
    paths.iter().find(|path| path.name().eq_ignore_ascii_case(name)).cloned()
}

fn go_on(attribute: AttrPath, sub: Option<&str>) -> Option<AttrPath> {
    match sub {
        Some(sub) => attribute.sub(sub),
        None => Some(attribute),
    }
}

/// A whole extension as the complex attribute that it is in the JSON of a resource.
fn as_attribute(extension: &Schema) -> Attribute {
    Attribute {
        name: extension.id.clone(),
        type_: AttributeType::Complex,
        sub_attributes: extension.attributes.clone(),
        multi_valued: false,
        description: extension.description.clone(),
        required: false,
        canonical_values: Vec::new(),
        case_exact: false,
        mutability: if !extension.attributes.is_empty()
            && extension.attributes.iter().all(Attribute::is_read_only)
        {
            Mutability::ReadOnly
        } else {
            Mutability::ReadWrite
        },
        returned: Returned::Default,
        uniqueness: Uniqueness::None,
        reference_types: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(path: &str) -> &'static str {
        Registry::standard().user().resolve(path).unwrap().as_str()
    }

    fn user_error(path: &str) -> String {
        Registry::standard().user().resolve(path).unwrap_err().to_string()
    }

    const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
    const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

    #[test]
    fn c45_paths_are_found_without_regard_to_case_and_with_every_urn_form() {
        assert_eq!(user("userName"), "userName");
        assert_eq!(user("USERNAME"), "userName");
        assert_eq!(user("name.FamilyName"), "name.familyName");
        assert_eq!(user("meta.lastmodified"), "meta.lastModified");
        assert_eq!(user("urn:ietf:params:scim:schemas:core:2.0:User:Emails.Value"), "emails.value");
        assert_eq!(user("URN:IETF:params:scim:schemas:core:2.0:user.name.givenName"), "name.givenName");
        assert_eq!(user(DEPARTMENT), DEPARTMENT);
        assert_eq!(user(&DEPARTMENT.to_uppercase()), DEPARTMENT);
        assert_eq!(user(&DEPARTMENT.replace("User:", "User.")), DEPARTMENT);
        assert_eq!(user(&format!("{MANAGER}.value")), format!("{MANAGER}.value"));
        assert_eq!(user("urn:scim:schemas:extension:enterprise:1.0:department"), DEPARTMENT);
        assert_eq!(user(ENTERPRISE_USER_URN), ENTERPRISE_USER_URN);
    }

    #[test]
    fn an_entitlements_attributes_are_found_under_each_name_of_its_schema() {
        let registry = Registry::standard();
        for resource_type in [registry.entitlement(), registry.role()] {
            for urn in resource_type.aliases.iter().copied().chain([resource_type.schema.id.as_str()]) {
                let path = resource_type.resolve(&format!("{urn}:displayname")).unwrap();
                assert_eq!(path.as_str(), "displayName");
                assert!(resource_type.is_core_urn(urn));
            }
        }
        assert!(registry.user().resolve(ENTITLEMENT_ALIASES[0]).is_err());
    }

    #[test]
    fn c34_enterprise_attributes_are_found_without_their_urn() {
        assert_eq!(user("department"), DEPARTMENT);
        assert_eq!(user("Department"), DEPARTMENT);
        assert_eq!(user("manager.value"), format!("{MANAGER}.value"));
        assert_eq!(user("manager.managerId"), format!("{MANAGER}.value"));
        assert_eq!(user("manager.$ref"), format!("{MANAGER}.$ref"));
    }

    #[test]
    fn a_path_that_leads_nowhere_says_what_it_may_have_been() {
        insta::assert_snapshot!(user_error(""), @"the attribute path is empty");
        insta::assert_snapshot!(user_error("usrName"), @r#"User has no attribute "usrName"; did you mean "userName"?"#);
        insta::assert_snapshot!(user_error("employeNumber"), @r#"User has no attribute "employeNumber"; did you mean "employeeNumber"?"#);
        insta::assert_snapshot!(user_error("shoeSize"), @r#"User has no attribute "shoeSize""#);
        insta::assert_snapshot!(user_error("emails.valu"), @r#""emails" has no sub-attribute "valu"; did you mean "value"?"#);
        insta::assert_snapshot!(user_error("userName.value"), @r#""userName" has no sub-attribute "value""#);
        insta::assert_snapshot!(user_error("urn:acme:2.0:User:badge"), @r#"User has no schema "urn:acme:2.0:User:badge""#);
        insta::assert_snapshot!(user_error("urn:ietf:params:scim:schemas:core:2.0:User"), @r#"User has no attribute "urn:ietf:params:scim:schemas:core:2.0:User""#);
        assert!(user_error(&"ä".repeat(10_000)).len() < 500, "what was sent is not repeated whole");
    }

    #[test]
    fn paths_know_where_they_are() {
        let user = Registry::standard().user();
        let manager = user.resolve("manager.value").unwrap();
        assert_eq!(manager.extension(), Some(ENTERPRISE_USER_URN));
        assert_eq!(manager.top().as_str(), ENTERPRISE_USER_URN);
        assert!(manager.is_sub_attribute() && !manager.parent().unwrap().is_sub_attribute());
        assert_eq!(manager.parts().0, MANAGER);
        assert_eq!(user.resolve("userName").unwrap().extension(), None);
        let resource = serde_json::json!({"emails": [{"value": "a"}, {"type": "home"}, {"value": "b"}]});
        let emails = user.resolve("emails.value").unwrap();
        assert_eq!(emails.values_in(resource.as_object().unwrap()), ["a", "b"]);
    }

    #[test]
    fn schemas_say_what_the_specification_says() {
        let registry = Registry::standard();
        let user_name = registry.schema(USER_URN).and_then(|user| user.attribute("username")).unwrap();
        assert!(user_name.required && !user_name.case_exact && user_name.uniqueness == Uniqueness::Server);
        for id in ["id", "externalId"] {
            assert!(registry.user().resolve(id).unwrap().attribute().case_exact, "{id}");
        }
        let password = registry.user().resolve("password").unwrap().attribute();
        assert_eq!((password.mutability, password.returned), (Mutability::WriteOnly, Returned::Never));
        assert!(registry.user().resolve("groups").unwrap().attribute().is_read_only());
        assert!(registry.group().resolve("members.value").unwrap().attribute().case_exact);
        for extension in registry.user().extension_roots().iter().chain(registry.group().extension_roots()) {
            let says_what_came_of_it =
                extension.as_str().starts_with("urn:gangway:") && !extension.attribute().is_free_form();
            assert_eq!(extension.attribute().is_read_only(), says_what_came_of_it, "{extension}");
        }
    }

    #[test]
    fn every_attribute_is_described_and_well_formed() {
        fn check(attribute: &Attribute) {
            assert!(!attribute.description.is_empty(), "{}", attribute.name);
            assert_eq!(attribute.is_complex(), !attribute.sub_attributes.is_empty(), "{}", attribute.name);
            attribute.sub_attributes.iter().for_each(check);
        }
        for schema in Registry::standard().schemas() {
            schema.attributes.iter().for_each(check);
            let text = serde_json::to_string(schema).unwrap();
            assert_eq!(&serde_json::from_str::<Schema>(&text).unwrap(), schema);
        }
    }
}
