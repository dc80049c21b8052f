//! A mapping of Next Identity, as it stands, in front of an org with the fields that it names.

use e2e::{Scene, World, tool::person};
use serde_json::json;

const MAPPING: &str = r#"{
  "type": "salesforce",
  "instance": "acme",
  "mapping": {
    "uuid": "Identity_UUID__c",
    "email": "Email",
    "givenName": "FirstName",
    "familyName": "LastName",
    "created": "Identity_Created__c",
    "emailVerified": "Email_Verified__c",
    "lastLogin": "Last_Login__c",
    "lastUpdated": "Identity_Updated__c"
  }
}"#;

fn org_file() -> String {
    let field = |name: &str, more: &str| {
        format!(
            "[[fields]]\nobject = \"Contact\"\nname = \"{name}\"\nlabel = \"{name}\"\nlength = 64\n{more}\n"
        )
    };
    let key = "unique = true\ncase-sensitive = true\nexternal-id = true\n";
    let of_events = ["Identity_Created__c", "Email_Verified__c", "Last_Login__c", "Identity_Updated__c"];
    let of_events: String = of_events.iter().map(|name| field(name, "")).collect();
    format!("{}{}{of_events}", field("GangwayId__c", key), field("Identity_UUID__c", key))
}

/// The contact of somebody whom the org knows by the identity's uuid is taken over, another's is made, and what only events
/// carry is left alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_of_next_identity_writes_contacts() {
    let world = World::of_scene(&Scene::new(MAPPING, &org_file()), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let before = json!({
        "LastName": "Lovelace", "Email": "old@acme.example", "Identity_UUID__c": "3c2b1a09", "Last_Login__c": "yesterday",
    });
    let known = org.make("Contact", &before).await;
    let mut ada = person("ada@acme.example");
    ada["externalId"] = json!("3c2b1a09");
    ada["name"] = json!({"givenName": "Ada", "familyName": "King"});
    ada["emails"] = json!([{"value": "ada@acme.example", "primary": true}]);
    let id = tool.post("/Users", &ada).await.expect(201).id();

    let adopted = org.one("Contact", "Identity_UUID__c", "3c2b1a09").await;
    assert_eq!(adopted["Id"], known.as_str());
    assert_eq!((&adopted["FirstName"], &adopted["LastName"]), (&json!("Ada"), &json!("King")));
    assert_eq!((&adopted["Email"], &adopted["GangwayId__c"]), (&json!("ada@acme.example"), &json!(id)));
    assert_eq!(adopted["Last_Login__c"], "yesterday", "only events say it");

    let mut grace = person("grace@acme.example");
    grace["externalId"] = json!("9f8e7d6c");
    grace["emails"] = json!([{"value": "grace@acme.example", "primary": true}]);
    let _ = tool.post("/Users", &grace).await.expect(201);
    let made = org.one("Contact", "Identity_UUID__c", "9f8e7d6c").await;
    assert_eq!(made["Email"], "grace@acme.example");
    assert_eq!(made["Last_Login__c"], json!(null));
    assert_eq!(org.records("Contact").await.len(), 2);
    assert!(org.users("ada@acme.example").await.is_empty(), "nobody becomes a User");
}
