//! A mapping of Next Identity, as it stands, in front of an org with the fields that it names.

use e2e::{Scene, World, tool::person};
use serde_json::{Value, json};

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

const PROFILE: &str = "urn:gangway:params:scim:schemas:extension:profile:2.0:User";

/// An org without any field of Gangway's own.
fn org_file() -> String {
    let field = |name: &str, more: &str| {
        format!("[[fields]]\nobject = \"Contact\"\nname = \"{name}\"\nlabel = \"{name}\"\n{more}\n")
    };
    let key = "length = 64\nunique = true\ncase-sensitive = true\nexternal-id = true\n";
    let instants = ["Identity_Created__c", "Last_Login__c", "Identity_Updated__c"];
    let instants: String = instants.iter().map(|name| field(name, "type = \"datetime\"")).collect();
    let switch = field("Email_Verified__c", "type = \"boolean\"");
    format!("{}{switch}{instants}", field("Identity_UUID__c", key))
}

async fn world() -> World {
    World::of_scene(&Scene::new(MAPPING, &org_file()), |_| ()).await
}

/// A person with this uuid.
fn known_as(uuid: &str, name: &str) -> Value {
    let mut person = person(&format!("{name}@acme.example"));
    person["externalId"] = json!(uuid);
    person["emails"] = json!([{"value": format!("{name}@acme.example"), "primary": true}]);
    person
}

/// The contact of somebody whom the org knows by the identity's uuid is taken over, another's is made, each in one call, and
/// what only a profile says is left alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_of_next_identity_writes_contacts() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let before = json!({
        "LastName": "Lovelace", "Email": "old@acme.example", "Identity_UUID__c": "3c2b1a09", "Email_Verified__c": true,
        "Last_Login__c": "2026-08-01T00:00:00Z",
    });
    let known = org.make("Contact", &before).await;
    let mut ada = known_as("3c2b1a09", "ada");
    ada["name"] = json!({"givenName": "Ada", "familyName": "King"});
    let _ = tool.post("/Users", &ada).await.expect(201);

    let adopted = org.one("Contact", "Identity_UUID__c", "3c2b1a09").await;
    assert_eq!(adopted["Id"], known.as_str());
    assert_eq!((&adopted["FirstName"], &adopted["LastName"]), (&json!("Ada"), &json!("King")));
    assert_eq!(adopted["Email"], json!("ada@acme.example"));
    assert!(adopted.get("GangwayId__c").is_none());
    assert_eq!(adopted["Last_Login__c"], "2026-08-01T00:00:00.000+0000", "only a profile says it");
    assert_eq!(adopted["Email_Verified__c"], true);

    let calls = org.calls().await.api;
    let _ = tool.post("/Users", &known_as("9f8e7d6c", "grace")).await.expect(201);
    assert_eq!(org.calls().await.api - calls, 1, "an upsert by the uuid, and nobody has to look first");
    let made = org.one("Contact", "Identity_UUID__c", "9f8e7d6c").await;
    assert_eq!((&made["Email"], &made["Last_Login__c"]), (&json!("grace@acme.example"), &Value::Null));
    assert_eq!(org.records("Contact").await.len(), 2);
    assert!(org.users("ada@acme.example").await.is_empty(), "nobody becomes a User");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_profile_says_by_its_own_names_arrives_in_the_types_of_its_fields() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let mut noor = known_as("3c2b1a09", "noor");
    noor[PROFILE] = json!({
        "created": "2026-08-04 09:11:02.118204 +0000", "emailVerified": "2026-08-04 09:12:44 +0000",
        "lastLogin": "2026-08-05 07:59:58 +0000", "lastUpdated": "2026-08-05T08:00:01.774310Z",
    });
    let id = tool.post("/Users", &noor).await.expect(201).id();
    let made = org.one("Contact", "Identity_UUID__c", "3c2b1a09").await;
    assert_eq!(made["Identity_Created__c"], "2026-08-04T09:11:02.118+0000");
    assert_eq!(made["Identity_Updated__c"], "2026-08-05T08:00:01.774+0000");
    assert_eq!(made["Last_Login__c"], "2026-08-05T07:59:58.000+0000");
    assert_eq!(made["Email_Verified__c"], true);

    noor[PROFILE] =
        json!({"created": "2026-08-04 09:11:02.118204 +0000", "emailVerified": null, "lastLogin": null});
    noor["emails"] = json!([{"value": "haddad@acme.example", "primary": true}]);
    let user = tool.put(&format!("/Users/{id}"), &noor).await.expect(200).json();
    assert_eq!(user[PROFILE], json!({"created": "2026-08-04 09:11:02.118204 +0000"}));
    let changed = org.one("Contact", "Identity_UUID__c", "3c2b1a09").await;
    assert_eq!((&changed["Id"], &changed["Email"]), (&made["Id"], &json!("haddad@acme.example")));
    assert_eq!((&changed["Last_Login__c"], &changed["Email_Verified__c"]), (&Value::Null, &json!(false)));
    let calls = org.calls().await.api;
    let _ = tool.put(&format!("/Users/{id}"), &noor).await.expect(200);
    assert_eq!(org.calls().await.api, calls, "the same again costs no call");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_into_the_record_of_another_with_the_same_uuid() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let nobody = tool.post("/Users", &person("nobody@acme.example")).await.expect(400);
    assert!(nobody.json()["detail"].as_str().unwrap().contains("`externalId`"), "{}", nobody.text);
    let mut blank = known_as(" ", "blank");
    blank["externalId"] = json!("");
    let _ = tool.post("/Users", &blank).await.expect(400);

    let first = tool.post("/Users", &known_as("3c2b1a09", "ada")).await.expect(201).id();
    let calls = org.calls().await.api;
    let second = tool.post("/Users", &known_as("3c2b1a09", "eve")).await.expect(409);
    assert_eq!(second.json()["scimType"], "uniqueness");
    assert_eq!(org.calls().await.api, calls, "nothing was sent");
    assert_eq!(org.one("Contact", "Identity_UUID__c", "3c2b1a09").await["Email"], "ada@acme.example");
    let _ = tool.get(&format!("/Users/{first}")).await.expect(200);

    // The first of those who come at once has it.
    let crowd: Vec<_> = (0..8).map(|n| known_as("77aa", &format!("crowd{n}"))).collect();
    let answers = futures::future::join_all(crowd.iter().map(|person| tool.post("/Users", person))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    // Upper and lower case are two people.
    let _ = tool.post("/Users", &known_as("77AA", "other")).await.expect(201);
    assert_eq!(org.records("Contact").await.len(), 3);
}
