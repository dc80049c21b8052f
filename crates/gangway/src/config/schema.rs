//! The manual of the configuration, made from the doc comments: a JSON Schema for editors and a page for people.
//!
//! `cargo xtask schema` writes both (`schemas/gangway.schema.json`, `docs/configuration.md`); a test holds them against
//! this module.

use std::fmt::Write;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::ConfigFile;

/// The JSON Schema (draft 2020-12) of the configuration file.
#[must_use]
pub fn json_schema() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<ConfigFile>();
    schema.to_value()
}

/// The tables of the configuration file, with the type that describes each.
const TABLES: &[(&str, &str)] = &[
    ("[server]", "ServerSection"),
    ("[store]", "StoreSection"),
    ("[log]", "LogSection"),
    ("[orgs.<name>]", "OrgSection"),
    ("[customers.<name>]", "CustomerSection"),
    ("[customers.<name>.environments.<name>]", "EnvironmentSection"),
    ("[[customers.<name>.environments.<name>.clients]]", "ClientSection"),
    ("[customers.<name>.environments.<name>.clients.grants]", "GrantsSection"),
    ("[customers.<name>.environments.<name>.clients.oauth]", "OAuthSection"),
    ("[[customers.<name>.environments.<name>.akamai]]", "AkamaiSection"),
    ("[[customers.<name>.environments.<name>.shared-signals]]", "SharedSignalsSection"),
    ("[[customers.<name>.environments.<name>.scim-events]]", "ScimEventsSection"),
    ("[[customers.<name>.environments.<name>.receivers]]", "ReceiverSection"),
    ("[[customers.<name>.environments.<name>.didomi]]", "DidomiSection"),
    ("[[customers.<name>.environments.<name>.didomi.objects]]", "DidomiObjectSection"),
    ("[[customers.<name>.environments.<name>.didomi.objects.mappings]]", "MappingSection"),
];

/// The reference page in Markdown: each table, each key, in the order of the source.
#[must_use]
pub fn reference() -> String {
    let schema = json_schema();
    let mut page = String::from(
        "# Configuration\n\n<!-- Made by `cargo xtask schema` from crates/gangway/src/config; edit the doc comments there. -->\n\n",
    );
    paragraph(&mut page, &schema);
    page.push_str(INTRODUCTION);
    for (heading, definition) in TABLES {
        let table = &schema["$defs"][definition];
        let _ = write!(page, "\n## `{heading}`\n\n");
        paragraph(&mut page, table);
        let required = table["required"].as_array().map_or(&[][..], Vec::as_slice);
        for (key, property) in table["properties"].as_object().into_iter().flatten() {
            let must = required.iter().any(|name| name == key);
            entry(&mut page, &schema, key, property, must);
        }
    }
    page
}

/// What stands above the tables.
const INTRODUCTION: &str = r#"
The shortest that works:

```toml
[server]
listen = "127.0.0.1:8080"

[store]
url = "sqlite:gangway.db"

[orgs.acme-prod]
url = "https://acme.my.salesforce.com"
client-id = "3MVG9..."
client-secret = { env = "ACME_SF_SECRET" }
refresh-token = { file = "/run/secrets/acme-refresh" }

[customers.acme.environments.prod]
username-domain = "acme.example"

[[customers.acme.environments.prod.clients]]
name = "entra"
token-sha256 = ["…"]          # `gangway token new` prints the token and this line
```

`gangway check --config FILE` says what is wrong with a configuration, with file, line and column, and asks the orgs whether
they agree with it. `gangway serve` reads it again on SIGHUP; a wrong one is reported and the old one stays. `[server]`,
`[store]` and `[log]` are read at the start only.
"#;

fn paragraph(page: &mut String, schema: &Value) {
    if let Some(text) = schema["description"].as_str() {
        page.push_str(&text.split('\n').collect::<Vec<_>>().join("\n"));
        page.push('\n');
    }
}

/// One key: what it is, whether it must be there, its default, its words.
fn entry(page: &mut String, root: &Value, key: &str, property: &Value, must: bool) {
    let target = resolve(root, property);
    let _ = write!(page, "\n### `{key}`\n\n");
    let mut facts = vec![type_name(root, property)];
    if must {
        facts.push("must be there".to_owned());
    }
    match &property["default"] {
        Value::Null | Value::Object(_) => {}
        default => facts.push(format!("default `{default}`")),
    }
    let _ = write!(page, "*{}.* ", facts.join("; "));
    page.push_str(property["description"].as_str().unwrap_or_default());
    page.push('\n');
    let words: Vec<(&str, &str)> = target["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|word| Some((word["const"].as_str()?, word["description"].as_str().unwrap_or_default())))
        .collect();
    if !words.is_empty() {
        page.push('\n');
        for (word, meaning) in words {
            let _ = writeln!(page, "- `\"{word}\"`: {meaning}");
        }
    }
}

/// Follows a `$ref`, also through the `anyOf` with `null` of something optional.
fn resolve<'s>(root: &'s Value, schema: &'s Value) -> &'s Value {
    let named = schema["$ref"].as_str().or_else(|| schema["anyOf"][0]["$ref"].as_str());
    match named.and_then(|name| name.strip_prefix('#')).and_then(|pointer| root.pointer(pointer)) {
        Some(target) => target,
        None => schema,
    }
}

fn type_name(root: &Value, property: &Value) -> String {
    let target = resolve(root, property);
    if let Some(words) = target["oneOf"].as_array() {
        return if words.iter().all(|word| word["const"].is_string()) { "word" } else { "secret" }.to_owned();
    }
    let named = match &target["type"] {
        Value::String(name) => name.as_str(),
        Value::Array(names) => names[0].as_str().unwrap_or_default(),
        _ => "",
    };
    match named {
        "array" => {
            let of = type_name(root, &target["items"]);
            format!("list of {}", if of == "table" { "tables".to_owned() } else { format!("{of}s") })
        }
        "integer" => "number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "object" => "table".to_owned(),
        "string" => "text".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    fn committed(path: &str) -> String {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn the_committed_schema_is_the_one_of_this_source() {
        let committed: Value = serde_json::from_str(&committed("schemas/gangway.schema.json")).unwrap();
        assert!(committed == json_schema(), "run `cargo xtask schema`");
    }

    #[test]
    fn the_reference_page_is_the_one_of_this_source() {
        assert!(committed("docs/configuration.md") == reference(), "run `cargo xtask schema`");
    }

    #[test]
    fn the_reference_page_has_every_key_with_its_manual() {
        let page = reference();
        let schema = json_schema();
        for (_, definition) in TABLES {
            for (key, property) in schema["$defs"][definition]["properties"].as_object().unwrap() {
                assert!(page.contains(&format!("### `{key}`\n")), "{definition}.{key} is missing");
                let manual = property["description"].as_str();
                assert!(manual.is_some_and(|text| text.len() > 10), "{definition}.{key} has no manual");
            }
        }
    }
}
