//! An org's User object, as its describe shows it.

use salesforce_types::{FieldDescription, Fields, ObjectDescription};
use scim_types::{Registry, Resource};
use serde_json::{Value, json};
use translation::{Action, Context, Mapping, Resolved, Translation};

/// User as in the Object Reference, with the languages of a new org.
pub fn user_object() -> ObjectDescription {
    let rows = include_str!("../data/user.tsv").lines().skip(1);
    ObjectDescription {
        name: "User".to_owned(),
        label: "User".to_owned(),
        key_prefix: Some("005".to_owned()),
        fields: rows.map(|row| field(&row.split('\t').collect::<Vec<_>>())).collect(),
        record_types: Vec::new(),
    }
}

fn field(columns: &[&str]) -> FieldDescription {
    let flag = |at: usize| columns[at] == "Y";
    let values: Vec<Value> = match columns[0] {
        "TimeZoneSidKey" => column(include_str!("../../data/timezone.txt")).map(entry).collect(),
        "LocaleSidKey" => column(include_str!("../../data/locale.txt"))
            .filter(|locale| locale.contains('_'))
            .map(entry)
            .collect(),
        "LanguageLocaleKey" => column(include_str!("../../data/language.txt")).take(18).map(entry).collect(),
        "EmailEncodingKey" => column(include_str!("../../data/email_encoding.txt")).map(entry).collect(),
        _ => Vec::new(),
    };
    serde_json::from_value(json!({
        "name": columns[0], "label": columns[0], "type": columns[1], "length": columns[2].parse::<u32>().unwrap_or(0),
        "nillable": flag(3), "createable": flag(4), "updateable": flag(5), "defaultedOnCreate": flag(6),
        "restrictedPicklist": flag(7), "idLookup": flag(8), "picklistValues": values,
    }))
    .expect("every row describes a field")
}

fn column(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.split('\t').next())
}

fn entry(value: &str) -> Value {
    json!({"value": value, "label": value, "active": true})
}

/// A user as a SCIM client sent it.
pub fn user(body: Value) -> Resource {
    Registry::standard().user().read_body(body).expect("a SCIM user")
}

/// A mapping of one target with these lines below `[targets.t.fields]`.
pub fn fields(lines: &str) -> Mapping {
    let text = format!("[targets.t]\nobject = \"User\"\nmatch = []\n[targets.t.fields]\n{lines}\n");
    Mapping::parse(&text, "test.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

/// A world of one target and one org.
pub struct World {
    pub mapping: Mapping,
    pub object: ObjectDescription,
    pub username_domain: Option<&'static str>,
    pub resolved: Resolved,
}

impl World {
    pub fn with_default_mapping() -> Self {
        let org = model::OrgName::new("acme").expect("a name");
        Self {
            mapping: Mapping::default_for(&org),
            object: user_object(),
            username_domain: Some("acme.example"),
            resolved: Resolved::new(),
        }
    }

    /// Only these fields are mapped, and nothing is required.
    pub fn with_fields(lines: &str) -> Self {
        let mut object = user_object();
        for field in &mut object.fields {
            field.defaulted_on_create = true;
        }
        Self {
            mapping: fields(lines),
            object,
            username_domain: Some("acme.example"),
            resolved: Resolved::new(),
        }
    }

    /// The same with other fields beside those of User: their describes, in JSON.
    pub fn with_more(lines: &str, more: Value) -> Self {
        let mut world = Self::with_fields(lines);
        let more: Vec<FieldDescription> = serde_json::from_value(more).expect("describes of fields");
        world.object.fields.retain(|field| more.iter().all(|other| other.name != field.name));
        world.object.fields.extend(more);
        world
    }

    pub fn create(&self, body: Value) -> Translation {
        self.translate(&user(body), Action::Create, None)
    }

    pub fn update(&self, body: Value, written: &Value) -> Translation {
        let written: Fields = serde_json::from_value(written.clone()).expect("an object");
        self.translate(&user(body), Action::Update, Some(&written))
    }

    pub fn translate(&self, user: &Resource, action: Action, written: Option<&Fields>) -> Translation {
        let context = Context {
            describe: &self.object,
            action,
            username_domain: self.username_domain,
            written,
            resolved: &self.resolved,
            identity: Some("id-1"),
        };
        self.mapping.targets[0].translate(user, &context)
    }
}

/// The translation as JSON, for comparison: null is Clear.
pub fn shown(translation: &Translation) -> Value {
    let fields = translation.fields.iter().map(|(name, desired)| match desired {
        translation::Desired::Set(value) => (name.clone(), value.clone()),
        translation::Desired::Clear => (name.clone(), Value::Null),
    });
    Value::Object(fields.collect())
}

/// The codes of the notes with their fields.
pub fn notes(translation: &Translation) -> Vec<(String, &'static str)> {
    translation.notes.iter().map(|note| (note.field.clone(), note.code.as_str())).collect()
}
