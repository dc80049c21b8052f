//! What holds for every input.

use std::sync::LazyLock;

use proptest::prelude::*;
use salesforce_types::{FieldType, Fields};
use scim_types::Resource;
use serde_json::{Map, Value, json};
use translation::{Action, Desired, Mapping};

use crate::org::World;
use crate::{addresses, kinds};

/// The default mapping, one with every kind of rule, and one with every kind of field and the lists of an org's addresses.
static WORLDS: LazyLock<[World; 3]> = LazyLock::new(|| {
    let mut more = kinds::fields();
    more.as_array_mut().expect("a list").extend(addresses::lists().as_array().expect("a list").clone());
    [
        World::with_default_mapping(),
        World::with_fields(
            r#"
            Username = 'username(user.userName)|lower'
            Title = '(user.title ~ user.nickName)|trim'
            Department = { from = 'emails[type eq "work" or not (type pr)].value', clear = false }
            Division = { value = 'user.userType', map = { a = "A" }, default = "none" }
            Alias = 'alias(user.title)'
            TimeZoneSidKey = 'timezone(user.timezone or user.locale)'
            LanguageLocaleKey = { value = '(language(user.locale))', default = "en_US" }
            Email = 'email(user.emails[0].value)'
            ForecastEnabled = 'user.title'
            Latitude = 'user.title'
            ProfileId = { value = 'user.title', on = "create" }
            Phone = 'phone(user.phoneNumbers[0].value)[:40]'
            "#,
        ),
        World::with_more(
            r#"
            Started__c = 'user.title'
            Seen__c = { value = 'user.nickName', clear = false }
            Opens__c = 'user.title'
            Count__c = 'user.title'
            Total__c = { value = 'user.nickName', default = 7 }
            Salary__c = 'user.title'
            Share__c = 'user.nickName'
            Agreed__c = 'user.userType'
            Size__c = { value = 'user.title', default = "Large" }
            Shade__c = 'user.nickName'
            Topics__c = { value = 'user.emails|join(";", attribute="value")', default = "News" }
            Tags__c = 'user.title'
            Buddy__c = 'user.title'
            Secret__c = 'user.userType'
            State = 'user.addresses[0].region'
            Country = { value = 'user.addresses[0].country', clear = false }
            CountryCode = { value = 'country(user.title)', on = "update" }
            StateCode = 'state(user.nickName)'
            "#,
            more,
        ),
    ]
});

fn text() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "",
        " ",
        "nl-NL",
        "he",
        "zh-Hant",
        "en;q=0.1,nl",
        "W. Europe Standard Time",
        "(UTC+01:00) Amsterdam, Berlin",
        "UTC",
        "+05:45",
        "+01:00",
        "Etc/GMT-14",
        "ada@acme.example",
        "jdoe",
        "true",
        "1.5",
        "00e30000000hkeL",
        "a@b@c",
        "@",
        "山田",
        "\u{301}",
        "\u{0}",
    ]);
    prop_oneof![known.prop_map(ToOwned::to_owned), ".{0,24}", "\\PC{0,120}", "[a-zA-Z_@.:+() -]{0,20}"]
}

/// Any JSON, where a canonical resource would have text: the store may be older than the schema.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,5}", inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

fn element() -> impl Strategy<Value = Value> {
    (text(), prop::option::of(text()), prop::option::of(any::<bool>()))
        .prop_map(|(value, kind, primary)| json!({"value": value, "type": kind, "primary": primary}))
}

fn user() -> impl Strategy<Value = Resource> {
    const NAMES: [&str; 9] = [
        "userName",
        "externalId",
        "displayName",
        "title",
        "nickName",
        "userType",
        "locale",
        "preferredLanguage",
        "timezone",
    ];
    let texts = prop::collection::vec(
        prop::option::of(prop_oneof![4 => text().prop_map(Value::from), 1 => value()]),
        NAMES.len(),
    );
    let name = prop::option::of((text(), text(), text()));
    let emails = prop::collection::vec(prop_oneof![4 => element(), 1 => value()], 0..3);
    (texts, name, emails, prop::collection::vec(element(), 0..3), value()).prop_map(
        |(texts, name, emails, phones, odd)| {
            let mut map = Map::new();
            for (key, value) in NAMES.iter().zip(texts) {
                map.extend(value.map(|value| ((*key).to_owned(), value)));
            }
            if let Some((given, family, formatted)) = name {
                let name = json!({"givenName": given, "familyName": family, "formatted": formatted});
                map.insert("name".to_owned(), name);
            }
            map.insert("emails".to_owned(), Value::from(emails));
            let address =
                json!({"country": odd, "region": phones.first().map(|phone| phone["value"].clone())});
            map.insert("addresses".to_owned(), if odd.is_array() { odd } else { json!([address]) });
            map.insert("phoneNumbers".to_owned(), Value::from(phones));
            Resource::from_map(map)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// No input panics, every value fits its field, and the same input gives the same output.
    #[test]
    fn every_translation_fits(user in user(), create in any::<bool>(), domain in any::<bool>()) {
        let action = if create { Action::Create } else { Action::Update };
        for world in WORLDS.iter() {
            let context = translation::Context {
                describe: &world.object,
                action,
                username_domain: domain.then_some("acme.example"),
                written: None,
                resolved: &world.resolved,
                identity: None,
            };
            let target = &world.mapping.targets[0];
            let translation = target.translate(&user, &context);
            for (name, desired) in &translation.fields {
                let field = world.object.field(name).unwrap();
                match desired {
                    Desired::Clear => prop_assert!(field.nillable, "{name} cannot be cleared"),
                    Desired::Set(Value::String(text)) => {
                        prop_assert!(!text.trim().is_empty(), "{name} is blank");
                        let most = if field.length == 0 { 255 } else { field.length as usize };
                        prop_assert!(text.chars().count() <= most, "{name} is too long: {text}");
                        if field.restricted_picklist {
                            let separator = if field.field_type == FieldType::MultiPicklist { ";" } else { "\0" };
                            for value in text.split(separator) {
                                prop_assert_eq!(field.picklist_value(value), Some(value));
                            }
                        }
                    }
                    Desired::Set(value) => prop_assert!(value.is_boolean() || value.is_number(), "{name}: {value}"),
                }
                prop_assert!(translation.refusals.iter().all(|refusal| refusal.field != *name));
            }
            prop_assert_eq!(target.translate(&user, &context), translation);
        }
    }

    /// What was written is what is desired afterwards: a second change finds nothing to do and nothing to say of clearing.
    #[test]
    fn what_was_written_is_still_desired(user in user()) {
        for world in WORLDS.iter() {
            let mut written = Fields::new();
            let mut last = world.translate(&user, Action::Update, Some(&written));
            // The second time defaults and made values are Gangway's own.
            for round in 0..3 {
                written.extend(last.fields.iter().map(|(name, desired)| match desired {
                    Desired::Set(value) => (name.clone(), value.clone()),
                    Desired::Clear => (name.clone(), Value::Null),
                }));
                let next = world.translate(&user, Action::Update, Some(&written));
                if round > 0 {
                    for (name, desired) in &next.fields {
                        let known = written.get(name).unwrap_or(&Value::Null);
                        match desired {
                            Desired::Set(value) => prop_assert_eq!(known, value, "{}", name),
                            Desired::Clear => prop_assert_eq!(known, &Value::Null, "{}", name),
                        }
                    }
                }
                last = next;
            }
        }
    }

    /// No text panics the parser, and every error points into the text.
    #[test]
    fn any_text_is_a_mapping_or_explained(text in "\\PC{0,200}") {
        check_errors(&text)?;
    }

    #[test]
    fn any_json_is_a_mapping_or_explained(
        text in "(\\{|\\}|\\[|:|,| |\"(type|salesforce|mapping|object|Lead|defaults|uuid|LastName|é)\"|true|null|1|\\\\){0,30}",
        cut in 0usize..200,
    ) {
        check_errors(&format!("{{{text}"))?;
        let sample = r#"{"type": "salesforce", "instance": "é", "mapping": {"familyName": "LastName", "created": "A__c"}}"#;
        let cut = sample.floor_char_boundary(cut);
        check_errors(&format!("{}{text}", &sample[..cut]))?;
        check_errors(&sample.replacen("\"LastName\"", &text, 1))?;
    }

    #[test]
    fn any_expression_is_one_or_explained(expression in "(user|\\.|[a-zA-Z]{1,6}|[|()\\[\\]\"*~,=+-]|[0-9]| |é){0,12}") {
        let text = format!("[targets.t]\nobject = \"User\"\nwhen = '''{expression}'''\n[targets.t.fields]\nTitle = {{ from = '''{expression}''' }}\n");
        check_errors(&text)?;
    }
}

fn check_errors(text: &str) -> Result<(), TestCaseError> {
    if let Err(errors) = Mapping::parse(text, "any.toml") {
        prop_assert!(!errors.as_slice().is_empty());
        for error in errors {
            prop_assert!(text.get(error.span.clone()).is_some(), "{:?} of {text:?}", error.span);
            prop_assert!(error.line >= 1 && error.column >= 1);
            prop_assert!(!error.to_string().is_empty());
        }
    }
    Ok(())
}
