//! What is accepted of a Didomi source, and the words of what is refused.

use std::fs;

use intake::didomi::{DidomiSettings, Mappings};
use provisioning::OnMultiple;

use super::super::{AcknowledgeEvent, Config, Outline, SourceKind, SourceSettings};

/// A configuration with a Didomi source, whose secret is in a file.
const BASE: &str = r#"
[server]
listen = "127.0.0.1:8080"
[store]
url = "sqlite:gangway.db"
[orgs.acme]
url = "https://acme.my.salesforce.com"
client-id = "3MVG9"
[customers.acme.environments.prod]
[[customers.acme.environments.prod.didomi]]
organization-id = "acme"
client-id = "didomi"
client-secret = { file = "secret" }
[[customers.acme.environments.prod.didomi.objects]]
object = "Contact"
match = { field = "Email" }
mappings = [
    { source = "purpose:newsletter", target = "HasOptedOutOfEmail", transform = "invert" },
    { source = "event:created_at", target = "Consent_Updated__c" },
]
"#;

/// The JSON form of an integration.
const JSON: &str = r#"{ "type": "didomi", "integration": "acme-contacts", "organization_id": "acme",
  "auth": { "mode": "oauth", "client_id": "didomi", "client_secret_ref": "file:secret", "allowed_ips": ["35.159.1.63"] },
  "salesforce_object": "Contact", "upsert_mode": false,
  "match": { "field": "Email", "on_multiple": "skip" },
  "regulations": ["gdpr"], "accept_status": ["confirmed"],
  "mappings": [
    { "source": "purpose:newsletter", "target": "HasOptedOutOfEmail", "transform": "invert" },
    { "source": "channel:phone", "target": "DoNotCall", "transform": "invert" },
    { "source": "preference:newsletter/topics", "target": "Topics__c", "transform": "multipicklist" },
    { "source": "event:created_at", "target": "Consent_Updated__c" } ],
  "upsert_defaults": { "LastName": "(unknown)" } }"#;

/// Reads a configuration beside these files.
fn load(text: &str, files: &[(&str, &str)]) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("secret"), "s3cret\n").unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    Config::parse(text, &directory.path().join("gangway.toml")).map_err(|errors| errors.to_string())
}

fn only(config: &Config) -> (&SourceSettings, &DidomiSettings) {
    let [source] = &config.tenants[0].sources[..] else { panic!("one source") };
    let SourceKind::Didomi(settings) = &source.kind else { panic!("it is Didomi") };
    (source, settings)
}

fn refusal(from: &str, to: &str) -> String {
    assert!(BASE.contains(from), "{from} is not in the text");
    load(&BASE.replacen(from, to, 1), &[]).unwrap_err()
}

#[test]
fn a_source_has_sensible_defaults() {
    let config = load(BASE, &[]).unwrap();
    let (source, settings) = only(&config);
    assert_eq!((source.name.as_str(), source.acknowledge), ("didomi", AcknowledgeEvent::Stored));
    assert_eq!(settings.regulations, ["gdpr"]);
    assert_eq!(settings.accept_status, ["confirmed"]);
    let target = &settings.objects[0].target;
    assert_eq!((target.org.as_str(), target.on_multiple, &target.create), ("acme", OnMultiple::Skip, &None));
}

#[test]
fn what_only_looks_reads_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gangway.toml");
    fs::write(&file, BASE).unwrap();
    assert!(Config::load(&file).unwrap_err().to_string().contains("secret"));
    assert_eq!(Outline::load(&file).unwrap().tenants[0].sources.len(), 1);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_way_out() {
    let client = "client-id = \"didomi\"\nclient-secret = { file = \"secret\" }\n";
    let mapping =
        "{ source = \"purpose:newsletter\", target = \"HasOptedOutOfEmail\", transform = \"invert\" }";
    for (from, to, words) in [
        (client, "", "anybody could say what people have chosen"),
        (client, "client-id = \"didomi\"\n", "belong together"),
        (
            "organization-id = \"acme\"",
            "allowed-ips = [\"here\"]",
            "`here` is neither an IP address nor a network",
        ),
        ("organization-id = \"acme\"", "name = \"A B\"", "A B"),
        ("organization-id = \"acme\"", "regulations = [\"gdpr\", \"cpra\"]", "which one is this of?"),
        ("object = \"Contact\"", "object = \"Account\"", "unknown"),
        ("object = \"Contact\"", "object = \"Contact\"\norg = \"globex\"", "there is no org `globex`"),
        (mapping, "{ source = \"vendor:x\", target = \"A__c\" }", "`vendor:x` is none of purpose:ID"),
        (mapping, "{ source = \"purpose:a\" }", "to which field"),
        (
            mapping,
            "{ source = \"purpose:a\", target = \"A__c\", transform = \"multipicklist\" }",
            "cannot be transformed",
        ),
        (
            mapping,
            "{ source = \"purpose:a\", target = \"consent_updated__c\" }",
            "two choices are written to",
        ),
        (
            mapping,
            "{ source = \"purpose:a\", target = \"A__c\", regulation = \"cpra\" }",
            "do not count here",
        ),
        (
            mapping,
            "{ source = \"purpose:a\", target = \"A__c\", contact-point-type = \"Email\" }",
            "another writer",
        ),
        (
            "object = \"Contact\"",
            "object = \"Contact\"\nwriter = \"contact-point-type-consent\"",
            "`target` and `transform` are for the writer `fields`",
        ),
        (
            "object = \"Contact\"",
            "object = \"Contact\"\nwriter = \"consent-api\"",
            "Salesforce's Consent API is not used",
        ),
    ] {
        let refused = refusal(from, to);
        assert!(refused.contains(words), "{to}: {refused}");
    }
}

#[test]
fn each_row_has_one_choice() {
    let start = BASE.find("mappings = [").unwrap();
    let load = |regulations: &str, mappings: &str| {
        let base = BASE[..start].replacen(
            "organization-id = \"acme\"",
            &format!("organization-id = \"acme\"\nregulations = [{regulations}]"),
            1,
        );
        load(&format!("{base}writer = \"contact-point-type-consent\"\nmappings = [{mappings}]\n"), &[])
    };
    let row = |source: &str, more: &str| {
        format!("{{ source = \"{source}\", contact-point-type = \"Email\"{more} }},")
    };
    let (gdpr, cpra) = (", regulation = \"gdpr\"", ", regulation = \"cpra\"");
    let one = "\"gdpr\"";
    for (rows, words) in [
        ([row("purpose:news", ""), row("channel:news", "")], "written to one row"),
        ([row("purpose:news", ""), row("purpose:NEWS", "")], "written to one row"),
        ([row("purpose:news", ""), row("purpose:news", gdpr)], "written to one row"),
        ([row("purpose:news", ""), row("preference:news/topics", "")], "a preference is neither"),
    ] {
        let refused = load(one, &rows.concat()).unwrap_err();
        assert!(refused.contains(words), "{rows:?}: {refused}");
    }
    load(one, &[row("purpose:news", ""), row("purpose:offers", "")].concat()).unwrap();
    load("\"gdpr\", \"cpra\"", &[row("purpose:news", gdpr), row("purpose:news", cpra)].concat()).unwrap();
}

#[test]
fn an_integration_in_json_loads_as_it_stands() {
    let start = BASE.find("organization-id").unwrap();
    let text = format!("{}mapping = \"didomi.json\"\n", &BASE[..start]);
    let config = load(&text, &[("didomi.json", JSON)]).unwrap();
    let (_, settings) = only(&config);
    assert_eq!(settings.organization.as_deref(), Some("acme"));
    assert!(settings.client.is_some());
    assert_eq!(settings.allowed_ips.len(), 1);
    let Mappings::Fields(fields) = &settings.objects[0].mappings else { panic!("these are fields") };
    assert_eq!(fields.len(), 4);
    assert_eq!(settings.objects[0].target.create, None, "upsert_mode is false");

    let leads =
        JSON.replace("\"Contact\"", "\"Lead\"").replace("\"upsert_mode\": false", "\"upsert_mode\": true");
    let text = format!("{}mapping = [\"a.json\", \"b.json\"]\n", &BASE[..start]);
    let config = load(&text, &[("a.json", JSON), ("b.json", &leads)]).unwrap();
    let (_, settings) = only(&config);
    assert_eq!(settings.objects.len(), 2);
    assert!(settings.objects[1].target.create.as_ref().unwrap().contains_key("LastName"));

    let other = leads.replace("\"gdpr\"", "\"cpra\"");
    let refused = load(&text, &[("a.json", JSON), ("b.json", &other)]).unwrap_err();
    assert!(refused.contains("`regulations` is another one than before"), "{refused}");
    let refused = load(&text, &[("a.json", JSON), ("b.json", JSON)]).unwrap_err();
    assert!(refused.contains("there are two objects Contact"), "{refused}");
    // What the whole source does is not said by one of its objects alone.
    let deleted =
        |text: &str, how: &str| text.replacen('{', &format!("{{\n  \"user_deleted\": \"{how}\","), 1);
    let (clears, keeps) = (deleted(JSON, "clear_mapped"), deleted(&leads, "none"));
    let refused = load(&text, &[("a.json", &clears), ("b.json", &keeps)]).unwrap_err();
    assert!(refused.contains("`user_deleted` is another one than before"), "{refused}");
    let config = load(&text, &[("a.json", &clears), ("b.json", &leads)]).unwrap();
    assert_eq!(only(&config).1.user_deleted, intake::didomi::UserDeleted::ClearMapped);
    let bearer = |text: &str, digit: &str| {
        let hash = digit.repeat(64);
        text.replacen("\"client_id\"", &format!("\"token_sha256\": [\"{hash}\"], \"client_id\""), 1)
    };
    let (one, another) = (bearer(JSON, "a"), bearer(&leads, "b"));
    let refused = load(&text, &[("a.json", &one), ("b.json", &another)]).unwrap_err();
    assert!(refused.contains("`auth.token_sha256` is another one than before"), "{refused}");
    load(&text, &[("a.json", &one), ("b.json", &bearer(&leads, "A"))]).unwrap();
    let secret = JSON.replace("file:secret", "s3cret");
    let refused = load(&text, &[("a.json", &secret), ("b.json", &leads)]).unwrap_err();
    assert!(
        refused.contains("neither `env:NAME` nor `file:path`") && !refused.contains("s3cret"),
        "{refused}"
    );
    assert!(load(&text, &[("a.json", "{")]).unwrap_err().contains("a.json"));
}
