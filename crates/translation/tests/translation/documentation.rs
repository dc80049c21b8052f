//! The examples in `docs/mapping.md` are mappings that load.

use translation::{Mapping, NoteCode};

const PAGE: &str = include_str!("../../../../docs/mapping.md");

#[test]
fn every_example_loads() {
    let examples: Vec<&str> =
        PAGE.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 3);
    for example in examples {
        let text = if example.contains("[targets.") {
            example.to_owned()
        } else {
            format!("[targets.example]\nobject = \"User\"\nmatch = []\n[targets.example.fields]\n{example}")
        };
        if let Err(errors) = Mapping::parse(&text, "mapping.md") {
            panic!("{errors}");
        }
    }
}

#[test]
fn every_note_is_explained() {
    let all: Vec<NoteCode> = serde_json::from_str(
        r#"["alias-made", "email-from-user-name", "encoding-adapted", "encoding-defaulted", "language-adapted",
            "language-defaulted", "last-name-made", "locale-adapted", "locale-defaulted", "timezone-adapted",
            "timezone-defaulted", "username-domain-added", "value-defaulted", "value-kept"]"#,
    )
    .unwrap();
    for code in all {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert!(PAGE.contains(&format!("`{code}`")), "{code} is not explained");
    }
}
