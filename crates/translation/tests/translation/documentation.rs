//! The examples in `docs/` are mappings that load, and say what is true.

use serde_json::Value;
use translation::{Mapping, NoteCode};

use crate::org::{World, shown};

const PAGE: &str = include_str!("../../../../docs/mapping.md");
const ENTITLEMENTS: &str = include_str!("../../../../docs/entitlements.md");
const LEADS_AND_CONTACTS: &str = include_str!("../../../../docs/leads-and-contacts.md");

/// The mappings, and parts of them, that a page shows.
fn examples(page: &str) -> Vec<&str> {
    let examples = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    examples.filter(|example| !example.contains("[[test]]")).collect()
}

#[test]
fn every_example_loads() {
    let examples: Vec<&str> =
        [PAGE, LEADS_AND_CONTACTS, ENTITLEMENTS].into_iter().flat_map(examples).collect();
    assert!(examples.len() >= 6);
    for example in examples {
        let target = "[targets.example]\nobject = \"User\"\nmatch = []\n[targets.example.fields]\n";
        let text = if example.contains("[targets.") {
            example.to_owned()
        } else if example.starts_with('[') {
            format!("{target}Title = 'user.title'\n{example}")
        } else {
            format!("{target}{example}")
        };
        if let Err(errors) = Mapping::parse(&text, "mapping.md") {
            panic!("{errors}");
        }
    }
}

/// The guide explains what `examples/` runs.
#[test]
fn the_guide_to_leads_and_contacts_shows_the_mapping_of_the_example() {
    let mapping = include_str!("../../../../examples/leads-and-contacts/mapping.toml");
    let (_comment, mapping) = mapping.split_once("\n\n").unwrap();
    assert_eq!(examples(LEADS_AND_CONTACTS)[0], mapping);
}

/// What a mapping asks for by itself is what `deploy/` brings.
#[test]
fn the_external_id_is_the_field_that_is_deployed() {
    let mapping = include_str!("../../../../examples/leads-and-contacts/mapping.toml");
    let mapping = Mapping::parse(mapping, "mapping.toml").unwrap();
    let mut compared = 0;
    for target in &mapping.targets {
        let metadata = match target.object.as_str() {
            "Contact" => include_str!(
                "../../../../deploy/salesforce/leads-and-contacts/objects/Contact/fields/GangwayId__c.field-meta.xml"
            ),
            "Lead" => include_str!(
                "../../../../deploy/salesforce/leads-and-contacts/objects/Lead/fields/GangwayId__c.field-meta.xml"
            ),
            _ => continue,
        };
        let field = target.external_id.as_deref().unwrap();
        assert!(metadata.contains(&format!("<fullName>{field}</fullName>")), "{field}");
        compared += 1;
    }
    assert_eq!(compared, 2);
}

#[test]
fn every_note_is_explained() {
    let all: Vec<NoteCode> = serde_json::from_str(
        r#"["alias-made", "boolean-cleared", "country-adapted", "email-from-user-name", "encoding-adapted",
            "encoding-defaulted", "language-adapted", "language-defaulted", "last-name-made", "locale-adapted",
            "locale-defaulted", "manager-cycle", "record-awaited", "state-adapted", "state-left-out", "timezone-adapted", "timezone-defaulted", "utc-assumed",
            "grant-kept", "grant-unmet", "rank-tied", "until-unknown", "username-domain-added", "value-defaulted", "value-kept", "value-rounded"]"#,
    )
    .unwrap();
    for code in all {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert!(PAGE.contains(&format!("`{code}`")), "{code} is not explained");
    }
}

/// Each row of the tables that translate from other tools: what it is there, what it is here, and what that gives for the
/// person above them.
#[test]
fn every_translation_from_another_tool_gives_what_it_says() {
    let (_, section) = PAGE.split_once("## Expressions of other tools").unwrap();
    let person = section.split_once("```json").unwrap().1.split_once("```").unwrap().0;
    let person: Value = serde_json::from_str(person).unwrap();
    let mut tables = 0;
    let mut rows = 0;
    for line in section.lines().filter(|line| line.starts_with('|')) {
        let line = line.replace("\\|", "\u{0}");
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
        let [_, here, gives] = cells.as_slice() else { continue };
        tables += usize::from(here == "here");
        let Some(here) = code(here) else { continue };
        let rule = if here.starts_with('{') { here.to_owned() } else { format!("'''{here}'''") };
        let translation = World::with_fields(&format!("Title = {rule}")).create(person.clone());
        assert_eq!(translation.refusals, [], "{here}");
        let expected = if gives == "nothing" { Value::Null } else { Value::from(code(gives).unwrap()) };
        assert_eq!(shown(&translation)["Title"], expected, "{here}");
        rows += 1;
    }
    assert_eq!(tables, 3, "Entra ID, Okta, PingOne");
    assert!(rows > 50, "{rows} rows");
}

fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}
