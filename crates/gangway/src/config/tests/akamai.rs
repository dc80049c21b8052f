//! `[[…akamai]]`.

use super::*;

const MAPPING: &str = r#"{"type": "salesforce", "mapping": {"uuid": "Uuid__c", "familyName": "LastName"}}"#;

/// The least that is said of one.
const LEAST: &str = r#"
[[customers.acme.environments.prod.akamai]]
issuers = ["https://v1.api.us.janrain.com/1/webhooks"]
jwks-uri = "https://v1.api.us.janrain.com/1/login/jwk"
audience = "https://gw.example.com/events/akamai/acme/prod"
capture-domain = "acme.us.janraincapture.com"
application-id = "app8"
client-id = "reader9"
client-secret = { file = "secret" }
mapping = "people.json"
"#;

fn with(mapping: &str, section: &str) -> Result<Config, ConfigErrors> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("people.json", mapping), ("secret", "hunter2")] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    Config::parse(&format!("{SHORTEST}{section}"), &directory.path().join("gangway.toml"))
}

fn refused(from: &str, to: &str) -> String {
    assert!(LEAST.contains(from), "{from} is not in the text");
    with(MAPPING, &LEAST.replacen(from, to, 1)).unwrap_err().to_string()
}

fn settings(config: &Config) -> &AkamaiSettings {
    let [source] = &config.tenants[0].sources[..] else { panic!("one source") };
    let SourceKind::Akamai(settings) = &source.kind else { panic!("{source:?}") };
    settings
}

#[test]
fn its_people_are_a_tenant_of_their_own_with_its_mapping() {
    let config = with(MAPPING, LEAST).unwrap_or_else(|error| panic!("{error}"));
    let source = &config.tenants[0].sources[0];
    assert_eq!((source.name.as_str(), source.acknowledge), ("akamai", AcknowledgeEvent::Sync));
    let akamai = settings(&config);
    assert_eq!(akamai.capture.as_str(), "https://acme.us.janraincapture.com/");
    assert_eq!((akamai.entity_type.as_str(), akamai.concurrency), ("user", 8));
    assert_eq!(akamai.max_age, Duration::from_hours(240));
    assert!(!format!("{config:?}").contains("hunter2"));
    let [home, people] = &config.tenants[..] else { panic!("{:?}", config.tenants) };
    assert_eq!(people.id, akamai.population);
    assert_eq!(people.id.to_string(), "acme/prod/akamai");
    assert_eq!(people.mapping.targets[0].object, "Contact");
    assert!(home.mapping.targets.iter().all(|target| target.object == "User"));
    assert!(people.sources.is_empty() && !people.default);
}

#[test]
fn its_audience_is_its_address_where_nothing_else_is_said() {
    let without = LEAST.replace("audience = \"https://gw.example.com/events/akamai/acme/prod\"\n", "");
    let words = with(MAPPING, &without).unwrap_err().to_string();
    assert!(words.contains("nobody knows for whom") && words.contains("/events/akamai/acme/prod"), "{words}");
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("people.json", MAPPING), ("secret", "hunter2")] {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let listen = "listen = \"127.0.0.1:8080\"";
    let text = SHORTEST.replace(listen, &format!("{listen}\npublic-url = \"https://gw.example.com/\""));
    let named = without.replace("issuers", "name = \"people\"\nissuers");
    let config = Config::parse(&format!("{text}{named}"), &directory.path().join("gangway.toml")).unwrap();
    assert_eq!(settings(&config).audience, "https://gw.example.com/events/people/acme/prod");
}

#[test]
fn what_is_wrong_with_it_is_said_at_its_place() {
    for (from, to, words) in [
        ("[\"https://v1.api.us.janrain.com/1/webhooks\"]", "[]", "nobody's events"),
        ("https://v1.api.us.janrain.com/1/login/jwk", "http://v1.api.us.janrain.com/1", "cannot be trusted"),
        ("acme.us.janraincapture.com", "http://acme.us.janraincapture.com", "is not a capture domain"),
        ("acme.us.janraincapture.com", "acme.us.janraincapture.com/entity", "is not a capture domain"),
        ("app8", " ", "it is empty"),
        ("people.json", "none.json", "cannot be read"),
        ("\"secret\"", "\"none\"", "cannot be read"),
        ("mapping =", "population = \"No Name\"\nmapping =", "cannot be a name"),
        ("issuers", "name = \"No Name\"\nissuers", "cannot be a name"),
        ("mapping =", "max-age = \"0s\"\nmapping =", "too old"),
        ("mapping =", "acknowledge = \"journal\"\nmapping =", "journal"),
    ] {
        let said = refused(from, to);
        assert!(said.contains(words), "{to}: {said}");
        assert!(said.starts_with("gangway.toml") || said.contains("gangway.toml:"), "{said}");
    }
    let twice = with(MAPPING, &format!("{LEAST}{LEAST}")).unwrap_err().to_string();
    assert!(twice.contains("two event sources have the name `akamai`"), "{twice}");
}

#[test]
fn clients_of_its_mapping_are_named_as_it_names_them() {
    let of = |client: &str| {
        MAPPING.replace("\"mapping\"", &format!("\"clients\": {{\"{client}\": {{}}}}, \"mapping\""))
    };
    assert!(with(&of("client7exampleexampleexample77ex"), LEAST).is_ok());
    let words = with(&of("Some Client"), LEAST).unwrap_err().to_string();
    assert!(words.contains("Some Client"), "{words}");
}

#[test]
fn commands_that_only_look_need_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("people.json"), MAPPING).unwrap();
    let file = directory.path().join("gangway.toml");
    let without = LEAST.replace("audience = \"https://gw.example.com/events/akamai/acme/prod\"\n", "");
    fs::write(&file, format!("{SHORTEST}{without}")).unwrap();
    let outline = Outline::load(&file).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(outline.tenants.len(), 2);
}
