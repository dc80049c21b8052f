//! Reading `data/objects.tsv`, `data/fields/*.tsv` and `data/picklists/*.tsv`.
//!
//! Tables are read by the names in their first line; a column that is missing has its usual value,
//! so a recorded field table can be dropped in as it is.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::Deserialize;

use super::{Field, Kind, Object, OnDelete, PicklistValue, Schema};
use crate::cell::{Cell, parse_datetime};

const OBJECTS: &str = include_str!("../../data/objects.tsv");
const KEY_PREFIXES: &str = include_str!("../../data/key_prefixes.tsv");
const FIELDS: &[(&str, &str)] = &[
    ("user", include_str!("../../data/fields/user.tsv")),
    ("user_login", include_str!("../../data/fields/user_login.tsv")),
    ("profile", include_str!("../../data/fields/profile.tsv")),
    ("user_license", include_str!("../../data/fields/user_license.tsv")),
    ("user_role", include_str!("../../data/fields/user_role.tsv")),
    ("permission_set", include_str!("../../data/fields/permission_set.tsv")),
    ("permission_set_group", include_str!("../../data/fields/permission_set_group.tsv")),
    ("permission_set_group_component", include_str!("../../data/fields/permission_set_group_component.tsv")),
    ("permission_set_assignment", include_str!("../../data/fields/permission_set_assignment.tsv")),
    ("permission_set_license", include_str!("../../data/fields/permission_set_license.tsv")),
    ("permission_set_license_assign", include_str!("../../data/fields/permission_set_license_assign.tsv")),
    ("group", include_str!("../../data/fields/group.tsv")),
    ("group_member", include_str!("../../data/fields/group_member.tsv")),
    ("queue_sobject", include_str!("../../data/fields/queue_sobject.tsv")),
    ("package_license", include_str!("../../data/fields/package_license.tsv")),
    ("user_package_license", include_str!("../../data/fields/user_package_license.tsv")),
    ("auth_session", include_str!("../../data/fields/auth_session.tsv")),
    ("custom_permission", include_str!("../../data/fields/custom_permission.tsv")),
    ("setup_entity_access", include_str!("../../data/fields/setup_entity_access.tsv")),
    ("territory2_model", include_str!("../../data/fields/territory2_model.tsv")),
    ("territory2_type", include_str!("../../data/fields/territory2_type.tsv")),
    ("territory2", include_str!("../../data/fields/territory2.tsv")),
    ("user_territory2_association", include_str!("../../data/fields/user_territory2_association.tsv")),
    ("organization", include_str!("../../data/fields/organization.tsv")),
    ("name", include_str!("../../data/fields/name.tsv")),
    ("account", include_str!("../../data/fields/account.tsv")),
    ("assignment_rule", include_str!("../../data/fields/assignment_rule.tsv")),
    ("case", include_str!("../../data/fields/case.tsv")),
    ("contact", include_str!("../../data/fields/contact.tsv")),
    ("contact_point_type_consent", include_str!("../../data/fields/contact_point_type_consent.tsv")),
    ("data_use_purpose", include_str!("../../data/fields/data_use_purpose.tsv")),
    ("individual", include_str!("../../data/fields/individual.tsv")),
    ("lead", include_str!("../../data/fields/lead.tsv")),
    ("lead_status", include_str!("../../data/fields/lead_status.tsv")),
    ("opportunity", include_str!("../../data/fields/opportunity.tsv")),
    ("record_type", include_str!("../../data/fields/record_type.tsv")),
    ("task", include_str!("../../data/fields/task.tsv")),
];
const PICKLISTS: &[(&str, &str)] = &[
    ("time_zones", include_str!("../../data/picklists/time_zones.tsv")),
    ("locales", include_str!("../../data/picklists/locales.tsv")),
    ("languages", include_str!("../../data/picklists/languages.tsv")),
    ("email_encodings", include_str!("../../data/picklists/email_encodings.tsv")),
    ("countries", include_str!("../../data/picklists/countries.tsv")),
    ("states", include_str!("../../data/picklists/states.tsv")),
];

/// A field that the org file adds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "the flags of a describe")]
pub(crate) struct CustomField {
    pub(crate) object: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) label: Option<String>,
    #[serde(rename = "type", default = "text")]
    pub(crate) kind: String,
    #[serde(default = "full_length")]
    pub(crate) length: usize,
    #[serde(default)]
    pub(crate) required: bool,
    #[serde(default)]
    pub(crate) unique: bool,
    #[serde(default)]
    pub(crate) case_sensitive: bool,
    #[serde(default)]
    pub(crate) external_id: bool,
    #[serde(default)]
    pub(crate) values: Vec<String>,
    #[serde(default)]
    pub(crate) restricted: bool,
    #[serde(default)]
    pub(crate) reference_to: Vec<String>,
    /// Without its `__r`.
    #[serde(default)]
    pub(crate) child_relationship: Option<String>,
}

fn text() -> String {
    "string".into()
}

fn full_length() -> usize {
    255
}

/// Why the schema of an org cannot be what the org file asks for.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// A custom field, a hidden field or a picklist names something that does not exist.
    #[error("there is no {0}")]
    Unknown(String),
    /// A field type that the simulated org does not have.
    #[error("the field {field} has the unknown type \"{kind}\"")]
    Type {
        /// The field.
        field: String,
        /// What stands for its type.
        kind: String,
    },
    /// Custom fields end in `__c`.
    #[error("the custom field {0} must end in __c")]
    Suffix(String),
}

/// One line of a table, by column name.
struct Line<'a>(HashMap<&'a str, &'a str>);

impl<'a> Line<'a> {
    fn get(&self, column: &str) -> &'a str {
        self.0.get(column).copied().unwrap_or_default()
    }

    fn is(&self, column: &str) -> bool {
        self.get(column) == "Y"
    }
}

fn table(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines
        .filter(|line| !line.is_empty())
        .map(move |line| Line(columns.iter().copied().zip(line.split('\t')).collect()))
}

impl Schema {
    /// The standard objects, with those objects and fields that `features` turn on.
    pub(crate) fn standard(features: &[String]) -> Result<Self, SchemaError> {
        let mut schema = Self {
            objects: Vec::new(),
            by_name: HashMap::new(),
            other_prefixes: KEY_PREFIXES
                .lines()
                .filter_map(|line| line.split_once('\t'))
                .map(|(object, prefix)| (object.to_owned(), prefix.to_owned()))
                .collect(),
        };
        let mut known = HashSet::new();
        for line in table(OBJECTS) {
            let feature = line.get("feature");
            known.insert(feature);
            let object = object(&line, features, &mut known)?;
            if is_on(feature, features) {
                schema.push(object);
            }
        }
        match features.iter().find(|feature| !known.contains(feature.as_str())) {
            Some(feature) => Err(SchemaError::Unknown(format!("feature {feature}"))),
            None => Ok(schema),
        }
    }

    fn push(&mut self, mut object: Object) {
        object.index = self.objects.len();
        self.by_name.insert(object.name.to_ascii_lowercase(), object.index);
        self.objects.push(Arc::new(object));
    }

    fn object_mut(&mut self, name: &str) -> Result<&mut Object, SchemaError> {
        let at = self.by_name.get(&name.to_ascii_lowercase());
        let at = *at.ok_or_else(|| SchemaError::Unknown(format!("object {name}")))?;
        Ok(Arc::make_mut(&mut self.objects[at]))
    }

    fn field_mut(&mut self, path: &str) -> Result<&mut Field, SchemaError> {
        let unknown = || SchemaError::Unknown(format!("field {path}"));
        let (object, field) = path.split_once('.').ok_or_else(unknown)?;
        let object = self.object_mut(object)?;
        let at = *object.by_name.get(&field.to_ascii_lowercase()).ok_or_else(unknown)?;
        Ok(&mut object.fields[at])
    }

    /// Hides or shows a field such as `User.MiddleName`.
    pub(crate) fn set_hidden(&mut self, path: &str, hidden: bool) -> Result<(), SchemaError> {
        self.field_mut(path)?.hidden = hidden;
        Ok(())
    }

    /// Gives a picklist such as `User.LanguageLocaleKey` other values.
    pub(crate) fn set_picklist(&mut self, path: &str, values: &[String]) -> Result<(), SchemaError> {
        let field = self.field_mut(path)?;
        let known = std::mem::take(&mut field.picklist);
        for value in values {
            // Two countries may have a state with the same code.
            let of_value: Vec<&PicklistValue> = known.iter().filter(|known| known.value == *value).collect();
            let new = of_value.is_empty().then(|| PicklistValue::plain(value));
            let entries = of_value.into_iter().map(|known| PicklistValue { default: false, ..known.clone() });
            field.picklist.extend(entries.chain(new));
        }
        Ok(())
    }

    /// Lets a field such as `Lead.Company` be null.
    pub(crate) fn set_nillable(&mut self, path: &str) -> Result<(), SchemaError> {
        self.field_mut(path)?.nillable = true;
        Ok(())
    }

    /// Gives a picklist such as `Lead.Status` another default.
    pub(crate) fn set_default(&mut self, path: &str, value: &str) -> Result<(), SchemaError> {
        let field = self.field_mut(path)?;
        field.default = Cell::text(value);
        for entry in &mut field.picklist {
            entry.default = entry.value == value;
        }
        Ok(())
    }

    /// Adds a custom field.
    pub(crate) fn add_field(&mut self, custom: &CustomField) -> Result<(), SchemaError> {
        if !custom.name.ends_with("__c") {
            return Err(SchemaError::Suffix(custom.name.clone()));
        }
        let kind = Kind::parse(&custom.kind)
            .ok_or_else(|| SchemaError::Type { field: custom.name.clone(), kind: custom.kind.clone() })?;
        let field = Field {
            index: 0,
            name: custom.name.clone(),
            label: custom
                .label
                .clone()
                .unwrap_or_else(|| custom.name.trim_end_matches("__c").replace('_', " ")),
            kind,
            kind_name: custom.kind.clone(),
            length: if kind.is_id() { 18 } else { custom.length },
            nillable: !custom.required && kind != Kind::Boolean,
            createable: true,
            updateable: true,
            defaulted_on_create: kind == Kind::Boolean,
            restricted: custom.restricted,
            id_lookup: custom.external_id,
            external_id: custom.external_id,
            unique: custom.unique,
            case_sensitive: custom.case_sensitive,
            filterable: kind != Kind::TextArea,
            indexed: custom.unique || custom.external_id,
            hidden: false,
            custom: true,
            reference_to: custom.reference_to.clone(),
            relationship: kind.is_id().then(|| custom.name.replace("__c", "__r")),
            child_relationship: custom.child_relationship.as_ref().map(|name| format!("{name}__r")),
            on_delete: OnDelete::Clear,
            compound: None,
            picklist: custom.values.iter().map(|value| PicklistValue::plain(value)).collect(),
            controller: None,
            default: Cell::Null,
        };
        self.object_mut(&custom.object)?.push(field);
        Ok(())
    }
}

impl Object {
    fn push(&mut self, mut field: Field) {
        field.index = self.fields.len();
        self.by_name.insert(field.name.to_ascii_lowercase(), field.index);
        if let Some(relationship) = &field.relationship {
            self.by_relationship.insert(relationship.to_ascii_lowercase(), field.index);
        }
        self.fields.push(field);
    }
}

/// What needs no feature is always on.
fn is_on(feature: &str, features: &[String]) -> bool {
    feature.is_empty() || features.iter().any(|on| on == feature)
}

fn object<'a>(
    line: &Line<'a>,
    features: &[String],
    known: &mut HashSet<&'a str>,
) -> Result<Object, SchemaError> {
    let fields = line.get("fields");
    let text = FIELDS.iter().find(|(name, _)| *name == fields).map(|(_, text)| *text);
    let text = text.ok_or_else(|| SchemaError::Unknown(format!("field table {fields}")))?;
    let mut object = Object {
        index: 0,
        name: line.get("name").into(),
        label: line.get("label").into(),
        label_plural: line.get("labelPlural").into(),
        key_prefix: line.get("keyPrefix").into(),
        createable: line.is("createable"),
        updateable: line.is("updateable"),
        deletable: line.is("deletable"),
        undeletable: line.is("undeletable"),
        queryable: line.is("queryable"),
        replicateable: line.is("replicateable"),
        retrieveable: line.is("retrieveable"),
        searchable: line.is("searchable"),
        triggerable: line.is("triggerable"),
        layoutable: line.is("layoutable"),
        setup: line.is("setup"),
        fields: Vec::new(),
        by_name: HashMap::new(),
        by_relationship: HashMap::new(),
    };
    for line in table(text) {
        let mut field = field(&line)?;
        let feature = line.get("feature");
        known.insert(feature);
        field.hidden |= !is_on(feature, features);
        object.push(field);
    }
    Ok(object)
}

fn field(line: &Line) -> Result<Field, SchemaError> {
    let name = line.get("name");
    let kind_name = line.get("type");
    let kind = Kind::parse(kind_name)
        .ok_or_else(|| SchemaError::Type { field: name.into(), kind: kind_name.into() })?;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(Field {
        index: 0,
        name: name.into(),
        label: some(line.get("label")).unwrap_or_else(|| name.into()),
        kind,
        kind_name: kind_name.into(),
        length: line.get("length").parse().unwrap_or(0),
        nillable: line.is("nillable"),
        createable: line.is("createable"),
        updateable: line.is("updateable"),
        defaulted_on_create: line.is("defaultedOnCreate"),
        restricted: line.is("restrictedPicklist"),
        id_lookup: line.is("idLookup"),
        external_id: false,
        unique: line.is("unique"),
        case_sensitive: line.is("caseSensitive"),
        filterable: line.get("filterable") != "N",
        indexed: line.is("indexed") || line.is("unique") || (line.is("idLookup") && kind != Kind::Id),
        hidden: line.is("hidden"),
        custom: false,
        reference_to: line.get("referenceTo").split('/').filter_map(some).collect(),
        relationship: some(line.get("relationshipName")),
        child_relationship: some(line.get("childRelationshipName")),
        on_delete: OnDelete::parse(line.get("onDelete")),
        compound: some(line.get("compoundFieldName")),
        picklist: picklist(line.get("picklist")),
        controller: name.strip_suffix("StateCode").map(|address| format!("{address}CountryCode")),
        default: default(kind, line.get("default")),
    })
}

fn default(kind: Kind, text: &str) -> Cell {
    match kind {
        _ if text.is_empty() => Cell::Null,
        Kind::Boolean => Cell::Bool(text == "true"),
        Kind::Int => text.parse().map_or(Cell::Null, Cell::Int),
        Kind::Double => text.parse().map_or(Cell::Null, Cell::Double),
        Kind::DateTime => parse_datetime(text).map_or(Cell::Null, Cell::Time),
        _ => Cell::text(text),
    }
}

/// `@name` is a file of lines `value label controlling-value`; otherwise `value=label;value;*default value`.
fn picklist(text: &str) -> Vec<PicklistValue> {
    if let Some(name) = text.strip_prefix('@') {
        let file = PICKLISTS.iter().find(|(file, _)| *file == name).map_or("", |(_, text)| *text);
        return file
            .lines()
            .map(|line| {
                let mut columns = line.split('\t');
                let value = columns.next().unwrap_or_default();
                let entry = picklist_value((value, columns.next().unwrap_or(value)));
                PicklistValue { controlled_by: columns.next().map(ToOwned::to_owned), ..entry }
            })
            .collect();
    }
    let entry =
        |entry: &str| picklist_value(entry.split_once('=').unwrap_or((entry, entry.trim_start_matches('*'))));
    text.split(';').filter(|entry| !entry.is_empty()).map(entry).collect()
}

fn picklist_value((value, label): (&str, &str)) -> PicklistValue {
    PicklistValue {
        value: value.trim_start_matches('*').to_owned(),
        label: label.to_owned(),
        default: value.starts_with('*'),
        controlled_by: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_required_fields_of_a_user_stand_in_the_recorded_order() {
        let schema = Schema::standard(&[]).unwrap();
        let user = schema.object("user").unwrap();
        let required: Vec<_> =
            user.visible_fields().filter(|f| f.required()).map(|f| f.name.as_str()).collect();
        assert_eq!(
            required,
            [
                "Username",
                "LastName",
                "Email",
                "Alias",
                "TimeZoneSidKey",
                "LocaleSidKey",
                "EmailEncodingKey",
                "ProfileId",
                "LanguageLocaleKey"
            ]
        );
    }

    #[test]
    fn names_are_found_in_any_case_and_hidden_fields_are_not() {
        let schema = Schema::standard(&[]).unwrap();
        let user = schema.object("USER").unwrap();
        assert_eq!(user.field("username").unwrap().name, "Username");
        assert_eq!(user.relationship("profile").unwrap().name, "ProfileId");
        assert!(user.field("MiddleName").is_none());
        assert_eq!(user.field("LanguageLocaleKey").unwrap().picklist.len(), 18);
        assert_eq!(schema.prefix_of("Contact"), Some("003"));
    }

    #[test]
    fn the_org_file_can_only_change_what_there_is() {
        let mut schema = Schema::standard(&[]).unwrap();
        schema.set_hidden("User.MiddleName", false).unwrap();
        assert!(schema.object("User").unwrap().field("MiddleName").is_some());
        assert!(matches!(schema.set_hidden("User.Nope", true), Err(SchemaError::Unknown(_))));
        assert!(matches!(schema.set_hidden("Nope", true), Err(SchemaError::Unknown(_))));
    }
}
