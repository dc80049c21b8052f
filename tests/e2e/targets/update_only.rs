//! Didomi's shape: one configuration that writes leads *and* contacts, makes none, and says so when there is nobody.

use e2e::{Scene, World, tool::person};
use serde_json::{Value, json};

use super::{ORG, calls, contacts, leads, set_title, someone, text, warned};

const UPDATE_ONLY: &str = "match = [\"Email\"]\nallow = [\"update\"]\nexternal-id = false\n";

async fn world() -> World {
    World::of_scene(&Scene::new(&format!("{}{}", leads(UPDATE_ONLY), contacts(UPDATE_ONLY)), ORG), |_| ())
        .await
}

fn ada() -> Value {
    let mut ada = person("ada@acme.example");
    ada["title"] = json!("Countess");
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_match_nothing_is_written_and_the_answer_says_so() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let made = tool.post("/Users", &ada()).await.expect(201);
    warned(&made, "no-match");
    assert_eq!((org.records("Lead").await.len(), org.records("Contact").await.len()), (0, 0));
    let changed = tool.patch(&format!("/Users/{}", made.id()), set_title("Analyst")).await.expect(200);
    warned(&changed, "no-match");
    assert_eq!((org.records("Lead").await.len(), org.records("Contact").await.len()), (0, 0));
    let _ = tool.delete(&format!("/Users/{}", made.id())).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lead_and_the_contact_of_an_address_are_both_written() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let lead = json!({"LastName": "Lovelace", "Company": "Kept", "Email": "Ada@ACME.example"});
    let lead = org.make("Lead", &lead).await;
    let contact = json!({"LastName": "Lovelace", "Email": "ada@acme.example", "Department": "Kept"});
    let contact = org.make("Contact", &contact).await;
    let path = format!("/Users/{}", tool.post("/Users", &ada()).await.expect(201).id());
    for (object, id) in [("Lead", &lead), ("Contact", &contact)] {
        let record = org.one(object, "Id", id).await;
        assert_eq!(text(&record, "Title"), "Countess", "{object}");
    }
    assert_eq!(text(&org.one("Contact", "Id", &contact).await, "Department"), "Kept");
    let before = calls(&org).await;
    let again = tool.get(&path).await.expect(200).json();
    let _ = tool.put(&path, &again).await.expect(200);
    assert_eq!(calls(&org).await, before, "a PUT of what was read costs nothing");
    assert_eq!((org.records("Lead").await.len(), org.records("Contact").await.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_both_is_written_and_the_other_is_said_to_be_missing() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let contact = org.make("Contact", &json!({"LastName": "Lovelace", "Email": "ada@acme.example"})).await;
    let made = tool.post("/Users", &ada()).await.expect(201);
    warned(&made, "no-match");
    assert_eq!(text(&org.one("Contact", "Id", &contact).await, "Title"), "Countess");
    assert!(org.records("Lead").await.is_empty());
    // She has become a lead meanwhile: the next change finds her.
    let lead = json!({"LastName": "Lovelace", "Company": "E", "Email": "ada@acme.example"});
    let lead = org.make("Lead", &lead).await;
    let _ = tool.patch(&format!("/Users/{}", made.id()), set_title("Analyst")).await.expect(200);
    assert_eq!(text(&org.one("Lead", "Id", &lead).await, "Title"), "Analyst");
    assert_eq!(text(&org.one("Contact", "Id", &contact).await, "Title"), "Analyst");
}

/// A converted lead is nobody's match: it stands for a contact by now.
#[tokio::test(flavor = "multi_thread")]
async fn a_converted_lead_is_not_written() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let lead = json!({"LastName": "Lovelace", "Company": "E", "Email": "ada@acme.example"});
    let lead = org.make("Lead", &lead).await;
    let contact = org.convert(&lead).await;
    let _ = tool.post("/Users", &ada()).await.expect(201);
    assert_eq!(text(&org.one("Contact", "Id", &contact).await, "Title"), "Countess");
    assert_eq!(org.one("Lead", "Id", &lead).await["Title"], Value::Null);
}

/// An address is data, never a condition.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_looks_like_a_condition_matches_nobody() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let contact = org.make("Contact", &json!({"LastName": "Lovelace", "Email": "ada@acme.example"})).await;
    let mut body = person("eve@acme.example");
    body["emails"][0]["value"] = json!("x'+or+email!='y@acme.example");
    body["title"] = json!("Intruder");
    let answer = tool.post("/Users", &body).await;
    assert!([201, 400].contains(&answer.status), "{}", answer.text);
    assert_eq!(org.one("Contact", "Id", &contact).await["Title"], Value::Null);
}

/// Two contacts of one address: nobody is guessed, and nothing is written.
#[tokio::test(flavor = "multi_thread")]
async fn two_matches_are_a_hold_that_names_both() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let one = org.make("Contact", &json!({"LastName": "Lovelace", "Email": "ada@acme.example"})).await;
    let two = org.make("Contact", &json!({"LastName": "King", "Email": "ada@acme.example"})).await;
    let refused = tool.post("/Users", &ada()).await.expect(409).json();
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains(&one) && detail.contains(&two), "{detail}");
    for id in [&one, &two] {
        assert_eq!(org.one("Contact", "Id", id).await["Title"], Value::Null);
    }
}

/// Consent, as a switch of the record: what is given is no opt-out.
#[tokio::test(flavor = "multi_thread")]
async fn an_opt_out_is_written_to_whoever_is_there() {
    let consent = format!("{}HasOptedOutOfEmail = 'user.userType == \"OptedOut\"'\n", contacts(UPDATE_ONLY));
    let org = format!("shown-fields = [\"Contact.HasOptedOutOfEmail\"]\n{ORG}");
    let world = World::of_scene(&Scene::new(&consent, &org), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let contact = org.make("Contact", &json!({"LastName": "ada", "Email": "ada@acme.example"})).await;
    let path = format!(
        "/Users/{}",
        tool.post("/Users", &someone("ada@acme.example", "OptedOut")).await.expect(201).id()
    );
    assert_eq!(org.one("Contact", "Id", &contact).await["HasOptedOutOfEmail"], true);
    let _ = tool.patch(&path, super::replace("userType", "OptedIn")).await.expect(200);
    assert_eq!(org.one("Contact", "Id", &contact).await["HasOptedOutOfEmail"], false);
}
