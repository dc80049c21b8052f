//! The six moves between Lead, Contact and User: one SCIM id, one live record where the rule says one, nothing orphaned.

use std::fmt;

use e2e::{Org, Scene, Tool, World};
use serde_json::Value;

use super::{
    ORG, PROMOTIONS, active_users, calls, linked, open_leads, replace, set_title, someone, text, warned,
};

/// What somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Prospect,
    Customer,
    Partner,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// From what to what: all six.
pub(super) const MOVES: [(Kind, Kind); 6] = [
    (Kind::Prospect, Kind::Customer),
    (Kind::Customer, Kind::Prospect),
    (Kind::Customer, Kind::Partner),
    (Kind::Partner, Kind::Customer),
    (Kind::Prospect, Kind::Partner),
    (Kind::Partner, Kind::Prospect),
];

async fn world() -> World {
    World::of_scene(&Scene::new(PROMOTIONS, ORG), |_| ()).await
}

/// The org has of this person what the rules say, and nothing else that lives.
pub(super) async fn is(tool: &Tool, org: &Org, id: &str, name: &str, kind: Kind) {
    let leads = open_leads(org, name).await;
    let contacts = org.find("Contact", "Email", name).await;
    let users = active_users(org, name).await;
    let wanted = match kind {
        Kind::Prospect => (1, 0, 0),
        Kind::Customer => (0, 1, 0),
        Kind::Partner => (0, 1, 1),
    };
    let found = (leads.len(), contacts.len(), users.len());
    assert_eq!(found, wanted, "{name} as {kind}: {leads:#?} {contacts:#?} {users:#?}");
    for lead in &leads {
        let key = text(lead, "GangwayId__c");
        assert!(key == id || key.starts_with(&format!("{id}-")), "{key} of {id}");
    }
    for contact in &contacts {
        assert_eq!(text(contact, "GangwayId__c"), id);
        let account = org.one("Account", "Id", text(contact, "AccountId")).await;
        assert_eq!(account["Name"], "Engines");
    }
    for user in &users {
        assert_eq!(user["ContactId"], contacts[0]["Id"]);
    }
    assert_eq!(org.records("Account").await.len(), 1, "no account is made beside the one that is there");
    let shown = tool.get(&format!("/Users/{id}")).await.expect(200).json();
    assert_eq!(
        (&shown["userName"], &shown["userType"]),
        (&Value::from(name), &Value::from(kind.to_string()))
    );
}

/// Nobody else has such a record, and no lead that lives belongs to somebody who is none.
pub(super) async fn nobody_else(org: &Org, people: usize) {
    let mut leads = org.records("Lead").await;
    leads.retain(|lead| lead["IsConverted"] == false);
    let contacts = org.records("Contact").await;
    assert!(leads.len() + contacts.len() <= people, "{leads:#?} {contacts:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_the_six_moves_leaves_one_person_as_one_record() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    for (n, (from, to)) in MOVES.into_iter().enumerate() {
        println!("{from} to {to}");
        let name = format!("p{n}@acme.example");
        let id = tool.post("/Users", &someone(&name, &from.to_string())).await.expect(201).id();
        is(&tool, &org, &id, &name, from).await;
        let path = format!("/Users/{id}");
        let _ = tool.patch(&path, replace("userType", to.to_string())).await.expect(200);
        is(&tool, &org, &id, &name, to).await;
        // Nothing is left to do.
        let before = calls(&org).await;
        let shown = tool.get(&path).await.expect(200).json();
        let _ = tool.put(&path, &shown).await.expect(200);
        assert_eq!(calls(&org).await, before, "{from} to {to}: a repeated PUT costs nothing");
        // And what changes later lands where the person is.
        let _ = tool.patch(&path, set_title("Analyst")).await.expect(200);
        for lead in open_leads(&org, &name).await {
            assert_eq!(text(&lead, "Title"), "Analyst");
        }
        for contact in org.find("Contact", "Email", &name).await {
            assert_eq!(text(&contact, "Title"), "Analyst");
        }
        for user in active_users(&org, &name).await {
            assert_eq!(text(&user, "Title"), "Analyst");
        }
        is(&tool, &org, &id, &name, to).await;
    }
    nobody_else(&org, MOVES.len()).await;
}

/// Rules that refuse whatever looks alike, and let nobody overrule them: a person is not in his own way for long.
#[tokio::test(flavor = "multi_thread")]
async fn each_of_the_six_moves_works_where_duplicate_rules_block() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    org.switch(serde_json::json!({"duplicate-rules": "block"})).await;
    for (n, (from, to)) in MOVES.into_iter().enumerate() {
        println!("{from} to {to}");
        let name = format!("p{n}@acme.example");
        let id = tool.post("/Users", &someone(&name, &from.to_string())).await.expect(201).id();
        let path = format!("/Users/{id}");
        for kind in [to, from] {
            let _ = tool.patch(&path, replace("userType", kind.to_string())).await.expect(200);
            is(&tool, &org, &id, &name, kind).await;
        }
    }
}

/// Whoever asks last is right, and there is one person all the time.
#[tokio::test(flavor = "multi_thread")]
async fn moves_that_are_asked_for_at_once_happen_one_after_the_other() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let name = "ada@acme.example";
    let id = tool.post("/Users", &someone(name, "Prospect")).await.expect(201).id();
    let path = format!("/Users/{id}");
    let asked =
        [Kind::Customer, Kind::Partner, Kind::Prospect, Kind::Partner, Kind::Customer, Kind::Prospect];
    let asked = asked.map(|kind| {
        let (tool, path) = (tool.clone(), path.clone());
        async move { tool.patch(&path, replace("userType", kind.to_string())).await }
    });
    for answer in futures::future::join_all(asked).await {
        let _ = answer.expect(200);
    }
    let shown = tool.get(&path).await.expect(200).json();
    let kind = match shown["userType"].as_str() {
        Some("Customer") => Kind::Customer,
        Some("Partner") => Kind::Partner,
        _ => Kind::Prospect,
    };
    is(&tool, &org, &id, name, kind).await;
    nobody_else(&org, 1).await;
}

/// A lead becomes the contact by a real conversion: history stays with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_becomes_a_customer_is_converted_into_the_account_that_is_there() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let id = tool.post("/Users", &someone("ada@acme.example", "Prospect")).await.expect(201).id();
    let lead = open_leads(&org, "ada@acme.example").await.remove(0);
    let _ = tool.patch(&format!("/Users/{id}"), replace("userType", "Customer")).await.expect(200);
    let lead = org.one("Lead", "Id", text(&lead, "Id")).await;
    let contact = org.one("Contact", "Email", "ada@acme.example").await;
    assert_eq!(lead["IsConverted"], true);
    assert_eq!(lead["ConvertedContactId"], contact["Id"]);
    assert_eq!(lead["ConvertedOpportunityId"], Value::Null);
    let account = org.one("Account", "Name", "Engines").await;
    assert_eq!(lead["ConvertedAccountId"], account["Id"]);
    let shown = linked(&tool, &format!("/Users/{id}")).await.to_string();
    assert!(shown.contains(text(&contact, "Id")), "{shown}");
}

/// There and back, and there again: the second lead has a key of its own, and the contact is the same person's.
#[tokio::test(flavor = "multi_thread")]
async fn someone_who_moves_back_and_forth_stays_one_person() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let name = "ada@acme.example";
    let id = tool.post("/Users", &someone(name, "Prospect")).await.expect(201).id();
    let path = format!("/Users/{id}");
    let all = [Kind::Customer, Kind::Prospect, Kind::Customer, Kind::Partner, Kind::Customer, Kind::Partner];
    for to in all {
        println!("to {to}");
        let _ = tool.patch(&path, replace("userType", to.to_string())).await.expect(200);
        is(&tool, &org, &id, name, to).await;
    }
    nobody_else(&org, 1).await;
}

/// The user whom he was is switched off for ever, and his name is still taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_who_became_a_prospect_can_be_a_partner_again() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let name = "ada@acme.example";
    let id = tool.post("/Users", &someone(name, "Partner")).await.expect(201).id();
    for to in [Kind::Prospect, Kind::Partner, Kind::Prospect] {
        println!("to {to}");
        let _ = tool.patch(&format!("/Users/{id}"), replace("userType", to.to_string())).await.expect(200);
        is(&tool, &org, &id, name, to).await;
    }
    nobody_else(&org, 1).await;
}

/// Leaving for good: the user first, then the contact that he was.
#[tokio::test(flavor = "multi_thread")]
async fn a_partner_who_goes_leaves_nothing_that_lives() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    for (name, kind) in [
        ("a@acme.example", Kind::Prospect),
        ("b@acme.example", Kind::Customer),
        ("c@acme.example", Kind::Partner),
    ] {
        let id = tool.post("/Users", &someone(name, &kind.to_string())).await.expect(201).id();
        is(&tool, &org, &id, name, kind).await;
        let _ = tool.delete(&format!("/Users/{id}")).await.expect(204);
        let _ = tool.get(&format!("/Users/{id}")).await.expect(404);
    }
    assert!(org.records("Lead").await.is_empty());
    assert!(org.records("Contact").await.is_empty());
    assert!(active_users(&org, "c@acme.example").await.is_empty());
}

/// Nobody is converted back: whoever is to be nothing in Salesforce leaves, and comes back as what he is then.
#[tokio::test(flavor = "multi_thread")]
async fn someone_for_whom_no_target_holds_has_no_record_and_may_come_back() {
    let world = world().await;
    let (tool, org) = (world.tool(), world.org());
    let name = "ada@acme.example";
    let id = tool.post("/Users", &someone(name, "Prospect")).await.expect(201).id();
    let path = format!("/Users/{id}");
    let _ = tool.patch(&path, replace("userType", "Nobody")).await.expect(200);
    assert!(open_leads(&org, name).await.is_empty());
    let _ = tool.patch(&path, replace("userType", "Customer")).await.expect(200);
    is(&tool, &org, &id, name, Kind::Customer).await;
}

/// A conversion that is not permitted: the contact is made beside the lead, and the answer says so.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_to_convert_the_contact_is_made_beside_the_lead() {
    let beside = PROMOTIONS.replace("account = 'user.organization'", "how = \"beside\"");
    let world = World::of_scene(&Scene::new(&beside, ORG), |_| ()).await;
    let (tool, org) = (world.tool(), world.org());
    let name = "ada@acme.example";
    let id = tool.post("/Users", &someone(name, "Prospect")).await.expect(201).id();
    let answer = tool.patch(&format!("/Users/{id}"), replace("userType", "Customer")).await.expect(200);
    is(&tool, &org, &id, name, Kind::Customer).await;
    let converted = org.records("Lead").await.into_iter().filter(|lead| lead["IsConverted"] == true).count();
    assert_eq!(converted, 0);
    warned(&answer, "");
}
