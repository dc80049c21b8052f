//! How a lead becomes a contact: its account, its opportunity, its owner, and what people do to it by hand meanwhile.

use e2e::{Org, Scene, Tool, World};
use serde_json::{Value, json};

use super::{ENTERPRISE, ORG, PROMOTIONS, open_leads, replace, set_title, someone, text};

const ADA: &str = "ada@acme.example";

/// Promotions whose contacts say nothing of their account: the conversion alone does.
fn promotions(conversion: &str) -> String {
    PROMOTIONS
        .replace("account = 'user.organization'", conversion)
        .replace("Account   = { by = \"Code__c\", value = 'user.organization' }\n", "")
}

async fn told(mapping: &str) -> World {
    World::of_scene(&Scene::new(mapping, ORG), |_| ()).await
}

async fn prospect(tool: &Tool, company: &str) -> String {
    let mut body = someone(ADA, "Prospect");
    body[ENTERPRISE]["organization"] = json!(company);
    format!("/Users/{}", tool.post("/Users", &body).await.expect(201).id())
}

async fn ada(org: &Org) -> serde_json::Map<String, Value> {
    org.one("Contact", "Email", ADA).await
}

async fn account_of(org: &Org) -> String {
    let contact = ada(org).await;
    text(&org.one("Account", "Id", text(&contact, "AccountId")).await, "Name").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_found_by_its_name_or_by_a_table_or_made() {
    let by_name = "account = 'user.organization'\n";
    for (conversion, company, expected, accounts) in [
        (by_name.to_owned(), "Engines", "Engines", 1),
        (by_name.to_owned(), "Looms", "Looms", 2),
        (format!("{by_name}account-missing = \"create\"\n"), "Looms", "Looms", 2),
        (format!("{by_name}account-map = {{ \"ACME BV\" = \"Engines\" }}\n"), "ACME BV", "Engines", 1),
        // Salesforce makes one from the lead's company.
        (String::new(), "Looms", "Looms", 2),
    ] {
        let world = told(&promotions(&conversion)).await;
        let (tool, org) = (world.tool(), world.org());
        let path = prospect(&tool, company).await;
        let _ = tool.patch(&path, replace("userType", "Customer")).await.expect(200);
        assert_eq!(account_of(&org).await, expected, "{conversion}");
        assert_eq!(org.records("Account").await.len(), accounts, "{conversion}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_must_be_there_and_is_not_stops_the_move_before_a_call() {
    let world = told(&promotions("account = 'user.organization'\naccount-missing = \"refuse\"\n")).await;
    let (tool, org) = (world.tool(), world.org());
    let path = prospect(&tool, "Looms").await;
    let refused = tool.patch(&path, replace("userType", "Customer")).await;
    assert!((400..500).contains(&refused.status), "{}", refused.text);
    assert!(refused.text.contains("Looms") || refused.text.contains("account"), "{}", refused.text);
    assert_eq!(open_leads(&org, ADA).await.len(), 1, "she is still a lead");
    assert!(org.records("Contact").await.is_empty());
    // Somebody makes the account, and the move is through.
    let _ = org.make("Account", &json!({"Name": "Looms"})).await;
    let _ = tool.patch(&path, replace("userType", "Customer")).await.expect(200);
    assert_eq!(account_of(&org).await, "Looms");
    assert!(open_leads(&org, ADA).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opportunity_is_made_only_where_it_is_asked_for() {
    for (more, opportunities) in [("", 0), ("opportunity = 'user.organization ~ \" - new\"'\n", 1)] {
        let world = told(&promotions(&format!("account = 'user.organization'\n{more}"))).await;
        let (tool, org) = (world.tool(), world.org());
        let path = prospect(&tool, "Engines").await;
        let _ = tool.patch(&path, replace("userType", "Customer")).await.expect(200);
        let made = org.records("Opportunity").await;
        assert_eq!(made.len(), opportunities);
        for opportunity in made {
            assert_eq!(text(&opportunity, "Name"), "Engines - new");
        }
    }
}

/// A queue owns the lead; no queue can own a contact.
#[tokio::test(flavor = "multi_thread")]
async fn a_lead_of_a_queue_is_converted_too() {
    let mapping = PROMOTIONS.replace("Company   =", "OwnerId = { queue = \"Inbound Leads\" }\nCompany   =");
    let world = told(&mapping).await;
    let (tool, org) = (world.tool(), world.org());
    let path = prospect(&tool, "Engines").await;
    let queue = org.one("Group", "Name", "Inbound Leads").await;
    assert_eq!(open_leads(&org, ADA).await[0]["OwnerId"], queue["Id"]);
    let _ = tool.patch(&path, replace("userType", "Customer")).await.expect(200);
    let contact = ada(&org).await;
    assert!(text(&contact, "OwnerId").starts_with("005"), "{contact:?}");
    assert!(open_leads(&org, ADA).await.is_empty());
}

/// A salesperson is quicker: the contact is the one that he made.
#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_was_converted_by_hand_before_it_is_to_be_converted_is_followed() {
    let world = told(PROMOTIONS).await;
    let (tool, org) = (world.tool(), world.org());
    for kind in ["Customer", "Partner"] {
        let name = format!("{}@acme.example", kind.to_lowercase());
        let id = tool.post("/Users", &someone(&name, "Prospect")).await.expect(201).id();
        let lead = text(&open_leads(&org, &name).await[0], "Id").to_owned();
        let contact = org.convert(&lead).await;
        let _ = tool.patch(&format!("/Users/{id}"), replace("userType", kind)).await.expect(200);
        let known = org.one("Contact", "Email", &name).await;
        assert_eq!((text(&known, "Id"), text(&known, "GangwayId__c")), (contact.as_str(), id.as_str()));
        assert_eq!(org.users(&name).await.len(), usize::from(kind == "Partner"));
    }
}

/// The contact that a lead became was deleted by hand: the person is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_whose_converted_contact_was_deleted_has_a_record_again() {
    let world = told(PROMOTIONS).await;
    let (tool, org) = (world.tool(), world.org());
    let path = prospect(&tool, "Engines").await;
    let _ = tool.patch(&path, replace("userType", "Customer")).await.expect(200);
    let first = text(&ada(&org).await, "Id").to_owned();
    org.delete("Contact", &first).await;
    let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
    let second = ada(&org).await;
    assert_ne!(text(&second, "Id"), first);
    assert_eq!(text(&second, "Title"), "Countess");
}

/// Two records of one person were merged by hand: the one that is left is hers.
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_that_was_merged_into_another_is_found_again() {
    let world = told(PROMOTIONS).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.post("/Users", &someone(ADA, "Customer")).await.expect(201).id());
    let ours = text(&ada(&org).await, "Id").to_owned();
    let master = org.make("Contact", &json!({"LastName": "Byron", "Email": ADA, "Department": "Kept"})).await;
    org.merge(&master, &ours).await;
    let _ = tool.patch(&path, set_title("Countess")).await.expect(200);
    let left = ada(&org).await;
    assert_eq!((text(&left, "Id"), text(&left, "Title")), (master.as_str(), "Countess"));
    assert_eq!((text(&left, "LastName"), text(&left, "Department")), ("ada", "Kept"));
}

/// A lead was deleted by hand before the person is promoted: the contact is made all the same.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_whose_lead_was_deleted_by_hand_becomes_a_customer_nevertheless() {
    let world = told(PROMOTIONS).await;
    let (tool, org) = (world.tool(), world.org());
    let path = prospect(&tool, "Engines").await;
    org.delete("Lead", text(&open_leads(&org, ADA).await[0], "Id")).await;
    let _ = tool.patch(&path, replace("userType", "Customer")).await.expect(200);
    assert_eq!(account_of(&org).await, "Engines");
}

/// The person's groups and id are those of the directory, whatever he is in Salesforce.
#[tokio::test(flavor = "multi_thread")]
async fn groups_stay_through_all_moves() {
    let world = told(PROMOTIONS).await;
    let tool = world.tool();
    let path = prospect(&tool, "Engines").await;
    let id = path.trim_start_matches("/Users/");
    let group = json!({"displayName": "Engine", "members": [{"value": id}]});
    let group = tool.post("/Groups", &group).await.expect(201).id();
    for kind in ["Customer", "Partner", "Prospect", "Partner", "Customer"] {
        let _ = tool.patch(&path, replace("userType", kind)).await.expect(200);
        let shown = tool.get(&path).await.expect(200).json();
        assert_eq!(shown["groups"][0]["value"], group.as_str(), "{kind}");
    }
}

/// Somebody who may not work is locked out; the contact that he is stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_who_is_disabled_is_still_a_contact_and_can_come_back() {
    let world = told(PROMOTIONS).await;
    let (tool, org) = (world.tool(), world.org());
    let path = format!("/Users/{}", tool.post("/Users", &someone(ADA, "Partner")).await.expect(201).id());
    let user = text(&org.user(ADA).await, "Id").to_owned();
    for active in [false, true] {
        let _ = tool.patch(&path, replace("active", active)).await.expect(200);
        let now = org.one("User", "Id", &user).await;
        assert_eq!(now["IsActive"], active);
        assert_eq!(now["ContactId"], ada(&org).await["Id"]);
    }
}

/// Many at once: each of them converted once, and calls shared.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_prospects_becomes_customers_in_shared_calls() {
    const PEOPLE: usize = 60;
    let world = told(PROMOTIONS).await;
    let (tool, org) = (world.tool(), world.org());
    let names: Vec<String> = (0..PEOPLE).map(|n| format!("p{n}@acme.example")).collect();
    let bodies: Vec<Value> = names.iter().map(|name| someone(name, "Prospect")).collect();
    let made = futures::future::join_all(bodies.iter().map(|body| tool.post("/Users", body))).await;
    let paths: Vec<String> =
        made.into_iter().map(|made| format!("/Users/{}", made.expect(201).id())).collect();
    let before = super::calls(&org).await;
    let moves = paths.iter().map(|path| tool.patch(path, replace("userType", "Customer")));
    for moved in futures::future::join_all(moves).await {
        let _ = moved.expect(200);
    }
    let spent = super::calls(&org).await - before;
    // Alone it is one to find the account, one to convert, one to write what is not carried over.
    assert!(spent < 2 * u64::try_from(PEOPLE).unwrap(), "{spent} calls for {PEOPLE} conversions");
    assert_eq!(org.records("Contact").await.len(), PEOPLE);
    assert_eq!(org.records("Account").await.len(), 1);
    for name in &names {
        assert!(open_leads(&org, name).await.is_empty(), "{name}");
    }
}
