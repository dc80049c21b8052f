//! A law of translation: for any SCIM User and any valid mapping there is no call that Salesforce then refuses for the length
//! of a value, its picklist, a required field, or a field that cannot be written.
//!
//! Users and mappings are made from what the simulated org says of its fields, by proptest's deterministic generator, so
//! that every run tries the same ones.

use e2e::{Answered, Org, Scene, World};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Map, Value, json};

/// Mappings of each world, and people of each mapping.
const MAPPINGS: usize = 16;
const PEOPLE: usize = 12;

/// A field of each kind that a customer adds.
const KINDS: [&str; 14] = [
    "name = \"Started__c\"\ntype = \"date\"",
    "name = \"Seen__c\"\ntype = \"datetime\"",
    "name = \"Count__c\"\ntype = \"int\"\nlength = 8",
    "name = \"Salary__c\"\ntype = \"currency\"\nlength = 18",
    "name = \"Share__c\"\ntype = \"percent\"\nlength = 18",
    "name = \"Agreed__c\"\ntype = \"boolean\"",
    "name = \"Size__c\"\ntype = \"picklist\"\nlength = 255\nrestricted = true\nvalues = [\"Small\", \"Large\"]",
    "name = \"Shade__c\"\ntype = \"picklist\"\nlength = 40\nvalues = [\"Dark\", \"Light\"]",
    "name = \"Topics__c\"\ntype = \"multipicklist\"\nlength = 100\nrestricted = true\nvalues = [\"News\", \"Sport\"]",
    "name = \"Secret__c\"\ntype = \"encryptedstring\"\nlength = 20",
    "name = \"Site__c\"\ntype = \"url\"\nlength = 60",
    "name = \"Notes__c\"\ntype = \"textarea\"\nlength = 100",
    "name = \"Call__c\"\ntype = \"phone\"\nlength = 40",
    "name = \"Other_Email__c\"\ntype = \"email\"\nlength = 80",
];

/// Fields whose rules are about other things than the value: records that must be there, licences, portals, uniqueness.
const ELSEWHERE: [&str; 9] = [
    "CommunityNickname",
    "CurrencyIsoCode",
    "DefaultCurrencyIsoCode",
    "FederationIdentifier",
    "GangwayId__c",
    "Id",
    "IsActive",
    "IsConverted",
    "PortalRole",
];

/// Where values come from; any of them may be given to any field.
const SOURCES: [&str; 20] = [
    "user.title",
    "user.nickName",
    "user.displayName",
    "user.userType",
    "user.locale",
    "user.department",
    "user.organization",
    "user.name.givenName",
    "user.name.familyName",
    "user.title or user.department",
    "user.title ~ user.nickName",
    "user.title|upper",
    "left(user.title, 5)",
    "user.addresses[0].country",
    "user.addresses[0].region",
    "country(user.addresses[0].country)",
    "state(user.addresses[0].region)",
    "phone(user.phoneNumbers[0].value)",
    "user.emails[0].value",
    "not user.title",
];

/// What each object cannot be made without, by rules that always give something.
fn required(object: &str) -> &'static str {
    match object {
        "User" => {
            r#"
            Username = 'username(user.userName)'
            LastName = 'left(family_name(user), 80)'
            Email = { default = "nobody@acme.example" }
            Alias = 'alias(user)'
            TimeZoneSidKey = { value = 'timezone(user.timezone)', default = "GMT" }
            LocaleSidKey = { value = 'locale(user.locale)', default = "en_US" }
            LanguageLocaleKey = { value = 'language(user.preferredLanguage)', default = "en_US" }
            EmailEncodingKey = { default = "UTF-8" }
            "#
        }
        "Lead" => "LastName = 'left(family_name(user), 80)'\nCompany = { default = \"Unknown\" }\n",
        _ => "LastName = 'left(family_name(user), 80)'\n",
    }
}

fn texts() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 62] = [
        "",
        " ",
        "\t",
        "x",
        "Ada",
        "Löwe",
        "Dr. Ada Lovelace, countess",
        "O'Brien \\ \"Q\"",
        "山田太郎",
        "🦄🦄🦄",
        "e\u{301}",
        "\u{1}",
        "\u{feff}",
        "<b>&amp;",
        "{\"a\": 1}",
        "null",
        "true",
        "FALSE",
        "yes",
        "0",
        "1",
        "-1",
        "12",
        "1.5",
        "1e9",
        "1e300",
        "99999999999",
        "1,000",
        "NaN",
        "2026-01-31",
        "2026-01-31T12:00:00Z",
        "2026-02-30",
        "31-01-2026",
        "1769860800",
        "0001-01-01",
        "News",
        "news;SPORT",
        "News;Weather",
        ";;",
        "Small",
        "large",
        "Medium",
        "Dark",
        "NL",
        "nl-BE",
        "en_US.UTF-8",
        "zh-Hant-TW",
        "iw",
        "W. Europe Standard Time",
        "Europe/Amsterdam",
        "Netherlands",
        "USA",
        "Atlantis",
        "CA",
        "US-CA",
        "California",
        "Noord-Holland",
        "ada@acme.example",
        "ada@localhost",
        "a@b@c",
        "0055f000005mc66AAA",
        "tel:+31-20-555-0100",
    ];
    let long = select(vec![9_usize, 21, 41, 81, 121, 129, 256, 401]);
    prop_oneof![
        8 => select(&KNOWN[..]).prop_map(ToOwned::to_owned),
        2 => long.prop_map(|length| "é".repeat(length)),
        1 => "\\PC{0,60}",
        1 => "[ -~]{0,30}",
    ]
}

/// A person as an identity tool may send one.
fn people() -> impl Strategy<Value = Value> {
    const ATTRIBUTES: [&str; 9] = [
        "displayName",
        "title",
        "nickName",
        "userType",
        "locale",
        "preferredLanguage",
        "timezone",
        "department",
        "organization",
    ];
    const PLACES: [(&str, &str); 8] = [
        ("NL", "Noord-Holland"),
        ("US", "CA"),
        ("USA", "California"),
        ("United States", "US-NY"),
        ("Nederland", ""),
        ("IT", "AO"),
        ("", "CA"),
        ("Deutschland", ""),
    ];
    let attributes = prop::collection::vec(prop::option::weighted(0.8, texts()), ATTRIBUTES.len());
    let name = prop::option::weighted(0.9, (prop::option::of(texts()), prop::option::of(texts())));
    let place = prop_oneof![
        5 => select(&PLACES[..]).prop_map(|(country, region)| (country.to_owned(), region.to_owned())),
        1 => (texts(), texts()),
    ];
    let address = prop::option::of((place, texts()));
    (attributes, name, address, prop::option::of(texts()), prop::option::of(texts())).prop_map(
        |(texts, name, address, phone, email)| {
            let mut person = Map::new();
            for (attribute, text) in ATTRIBUTES.iter().zip(texts) {
                person.extend(text.map(|text| ((*attribute).to_owned(), Value::from(text))));
            }
            if let Some((given, family)) = name {
                person.insert("name".into(), json!({"givenName": given, "familyName": family}));
            }
            if let Some(((country, region), street)) = address {
                let address =
                    json!({"type": "work", "country": country, "region": region, "streetAddress": street});
                person.insert("addresses".into(), json!([address]));
            }
            if let Some(phone) = phone {
                person.insert("phoneNumbers".into(), json!([{"type": "work", "value": phone}]));
            }
            if let Some(email) = email {
                person.insert("emails".into(), json!([{"type": "work", "value": email}]));
            }
            Value::Object(person)
        },
    )
}

/// A rule for a field, as it stands behind the `=`: mostly one that an administrator would write for such a field, else any.
fn rules(field: &Value) -> impl Strategy<Value = String> + use<> {
    let on = match (field["createable"] == true, field["updateable"] == true) {
        (true, false) => vec![", on = \"create\""],
        (false, _) => vec![", on = \"update\""],
        _ => vec!["", "", "", ", on = \"create\"", ", on = \"update\"", ", on = \"both\""],
    };
    let sensible = sensible(field);
    let source = (select(&SOURCES[..]), prop::bool::weighted(0.9)).prop_map(move |(source, is_sensible)| {
        if is_sensible { sensible.replace("SOURCE", source) } else { format!("value = '{source}'") }
    });
    (source, select(on), select(vec!["", "", ", clear = false"]))
        .prop_map(|(source, on, clear)| format!("{{ {source}{clear}{on} }}"))
}

/// What suits the kind of the field, whatever `SOURCE` is.
fn sensible(field: &Value) -> String {
    let name = field["name"].as_str().unwrap();
    let values = field["picklistValues"].as_array().unwrap();
    let looked_up = |known: &str, default: &str| {
        format!(
            "value = 'SOURCE', map = {{ Ada = {known}, x = {default}, true = \"\" }}, default = {default}"
        )
    };
    match field["type"].as_str().unwrap() {
        _ if name.ends_with("Country") || name.ends_with("CountryCode") => {
            "from = 'addresses.country'".to_owned()
        }
        _ if name.ends_with("State") || name.ends_with("StateCode") => "from = 'addresses.region'".to_owned(),
        "boolean" => "value = 'not (SOURCE)'".to_owned(),
        "date" | "datetime" => looked_up("1769860800", "\"2026-01-31T12:00:00+01:00\""),
        "int" => looked_up("\"12.0\"", "7"),
        "currency" | "double" | "percent" => looked_up("\"12.3456\"", "7"),
        "email" => looked_up("\"ada@acme.example\"", "\"nobody@acme.example\""),
        "picklist" | "multipicklist" if !values.is_empty() => {
            format!("value = 'SOURCE', default = {}", values[0]["value"])
        }
        _ => format!(
            "value = 'left((SOURCE) ~ \"\", {})'",
            field["length"].as_u64().unwrap().clamp(1, 200) / 2 + 1
        ),
    }
}

/// Mappings of an object that `gangway check` finds nothing wrong with.
fn mappings(object: &'static str, describe: &Value) -> impl Strategy<Value = String> + use<> {
    let is_free = |field: &&Value| {
        let name = field["name"].as_str().unwrap();
        let is_writeable = field["createable"] == true || field["updateable"] == true;
        // What a User may use depends on licences.
        let is_licence = name.starts_with("UserPermissions") || name.starts_with("IsPortal");
        let is_required = required(object).contains(&format!("{name} ="));
        is_writeable
            && field["type"] != "reference"
            && !is_licence
            && !is_required
            && !ELSEWHERE.contains(&name)
    };
    let fields: Vec<Value> = describe["fields"].as_array().unwrap().iter().filter(is_free).cloned().collect();
    let most = fields.len().min(30);
    subsequence(fields, 3..most).prop_flat_map(move |fields| {
        let rules: Vec<_> = fields.iter().map(rules).collect();
        rules.prop_map(move |rules| {
            let lines = fields.iter().zip(rules).map(|(field, rule)| format!("{} = {rule}\n", field["name"].as_str().unwrap()));
            let allow = if object == "User" { "" } else { "duplicates = \"allow\"\n" };
            format!(
                "[targets.{name}]\nobject = \"{object}\"\nmatch = []\n{allow}[targets.{name}.fields]\n{required}\n{lines}",
                name = object.to_lowercase(),
                required = required(object),
                lines = lines.collect::<String>(),
            )
        })
    })
}

/// The same values in every run.
fn generator(seed: u8) -> TestRunner {
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

fn draw<S: Strategy>(runner: &mut TestRunner, strategy: &S) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

fn org_file(object: &str, features: &str) -> String {
    let key =
        "name = \"GangwayId__c\"\nlength = 64\nunique = true\ncase-sensitive = true\nexternal-id = true";
    let fields = KINDS.iter().chain((object != "User").then_some(&key));
    let fields: Vec<String> =
        fields.map(|field| format!("[[fields]]\nobject = \"{object}\"\n{field}\n")).collect();
    format!("[org]\nfeatures = [{features}]\n\n{}", fields.join("\n"))
}

/// Done, or refused by the gateway itself in a way that names the attribute or the field.
#[track_caller]
fn settled(answered: &Answered, done: u16, case: &str) -> bool {
    if answered.status == done {
        return true;
    }
    let words = answered.text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    let codes: Vec<&str> = words.filter(|word| word.contains('_') && word.len() > 5).collect();
    assert!(answered.status == 400 && codes.is_empty(), "{} {}\n{case}", answered.status, answered.text);
    false
}

/// How often the gateway let something through, and how often it refused.
#[derive(Debug, Default)]
struct Tally {
    done: usize,
    refused: usize,
}

async fn law(object: &'static str, features: &str, seed: u8) {
    let runner = &mut generator(seed);
    let start =
        format!("[targets.x]\nobject = \"{object}\"\nmatch = []\n[targets.x.fields]\n{}", required(object));
    let world = World::of_scene(&Scene::new(&start, &org_file(object, features)), |_| ()).await;
    let (org, tool) = (world.org(), world.tool());
    org.set_seats(100_000).await;
    let mappings = mappings(object, &org.describe(object).await);
    let mut tally = Tally::default();
    for round in 0..MAPPINGS {
        let mapping = draw(runner, &mappings);
        world.remap(&mapping).await;
        for number in 0..PEOPLE {
            let mut person = || {
                let mut person = draw(runner, &people());
                person["schemas"] = json!([
                    "urn:ietf:params:scim:schemas:core:2.0:User",
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
                ]);
                person["userName"] = json!(format!("person-{round}-{number}@acme.example"));
                person
            };
            let (first, second) = (person(), person());
            let case = |body: &Value| format!("{body}\n{mapping}");
            let made = tool.post("/Users", &first).await;
            count(&mut tally, settled(&made, 201, &case(&first)));
            if made.status == 201 {
                let path = format!("/Users/{}", made.id());
                let changed = tool.put(&path, &second).await;
                let is_done = settled(&changed, 200, &case(&second));
                count(&mut tally, is_done);
                if is_done {
                    unchanged(&org, tool.put(&path, &second), &case(&second)).await;
                }
            }
        }
    }
    let records = org.records(object).await.len();
    println!("{object}: {tally:?}, {records} records");
    assert!(tally.done >= 20 && tally.refused >= 5, "the law says little about {object}: {tally:?}");
}

fn count(tally: &mut Tally, is_done: bool) {
    if is_done {
        tally.done += 1;
    } else {
        tally.refused += 1;
    }
}

/// The same again costs no call.
async fn unchanged(org: &Org, again: impl Future<Output = Answered>, case: &str) {
    let before = org.calls().await.api;
    let answered = again.await;
    assert_eq!(answered.status, 200, "{}\n{case}", answered.text);
    assert_eq!(org.calls().await.api, before, "a repeat that changes nothing\n{case}");
}

#[tokio::test]
async fn no_call_for_a_user_is_refused_for_its_values() {
    law("User", "", 1).await;
    law("User", "\"state-country-picklists\"", 2).await;
}

#[tokio::test]
async fn no_call_for_a_contact_is_refused_for_its_values() {
    law("Contact", "", 3).await;
    law("Contact", "\"state-country-picklists\"", 4).await;
}

#[tokio::test]
async fn no_call_for_a_lead_is_refused_for_its_values() {
    law("Lead", "", 5).await;
    law("Lead", "\"state-country-picklists\"", 6).await;
}
