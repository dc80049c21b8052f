//! Accounts that are gone for good.

use e2e::sources::transmitter::Transmitter;
use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use super::{AUDIENCE, Story, ask, said, scene};
use crate::faults::until;

const EVENTS: &str = "https://gw.example.com/events/scim-events/acme/prod";
const KEY: &str = "[[fields]]\nobject = \"Contact\"\nname = \"GangwayId__c\"\nlength = 64\nunique = true\n\
                   case-sensitive = true\nexternal-id = true\n\n";
/// The people of the population are contacts.
const CUSTOMERS: &str = r#"
[targets.customers]
object = "Contact"
allow = ["create", "update", "delete"]
duplicates = "allow"
on-leave = "delete"

[targets.customers.fields]
FirstName = 'user.name.givenName'
LastName  = 'user.name.familyName'
Email     = { from = 'emails[primary eq true].value' }
"#;

/// A gateway with a population of customers, and a transmitter that may speak of so many in an hour.
async fn story(most: i64, action: Option<&str>) -> (Story, Transmitter) {
    let publisher = Transmitter::start().await;
    let transmitter = Transmitter::start().await;
    let scene = scene(KEY).with_file("customers.toml", CUSTOMERS);
    let world = e2e::World::of_scene(&scene, |config| {
        let mut events = publisher.scim_section(EVENTS);
        events.insert("mapping".to_owned(), Toml::from("customers.toml"));
        let mut signals = transmitter.section(AUDIENCE);
        signals.insert("max-freezes-per-hour".to_owned(), Toml::from(most));
        if let Some(action) = action {
            let actions = Table::from_iter([("account-purged".to_owned(), Toml::from(action))]);
            signals.insert("actions".to_owned(), Toml::from(actions));
        }
        for (key, mut section) in [("scim-events", events), ("shared-signals", signals)] {
            section.insert("acknowledge".to_owned(), Toml::from("sync"));
            e2e::world::add(config, key, section);
        }
    })
    .await;
    (Story { org: world.org(), world, transmitter }, publisher)
}

/// Somebody with an address of his own, and another one.
async fn made(story: &Story, publisher: &Transmitter, id: &str, address: &str) {
    let subject = json!({"format": "scim", "uri": format!("/Users/{id}"), "externalId": id});
    let resource = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("{id}@customers.example"),
        "active": true, "name": {"givenName": "Gus", "familyName": id},
        "emails": [{"value": format!("{id}@own.example"), "primary": true}, {"value": address}],
    });
    let said = json!({"data": resource});
    let set = publisher.event("urn:ietf:params:scim:event:prov:create:full", &subject, said, EVENTS);
    let to = format!("{}/events/scim-events/acme/prod", story.world.url());
    let _ = publisher.push(&to, &set).await.expect(202);
    assert_eq!(contacts(story, id).await, 1);
}

fn who(address: &str) -> Value {
    json!({"format": "email", "email": address})
}

async fn contacts(story: &Story, name: &str) -> usize {
    story.org.find("Contact", "LastName", name).await.len()
}

/// §2.5: a Contact goes by the `on-leave` of its target, and counts among those whom the source may lock out.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_who_is_purged_leaves_no_contact_behind() {
    let (story, publisher) = story(1, None).await;
    for (id, address) in [("ann", "ann@mail.example"), ("bob", "bob@mail.example")] {
        made(&story, &publisher, id, address).await;
    }
    // Two who share an address: which one is meant is not guessed.
    for id in ["cas", "dan"] {
        made(&story, &publisher, id, "both@mail.example").await;
    }
    let both = story.risc("account-purged", &who("both@mail.example"));
    story.pushed(&both).await;
    assert_eq!(story.listed(&both).await["reason"], "unresolved-subject");
    assert_eq!((contacts(&story, "cas").await, contacts(&story, "dan").await), (1, 1));

    // A contact is nobody who logs in.
    let disabled = story.risc("account-disabled", &who("ann@mail.example"));
    story.pushed(&disabled).await;
    assert_eq!(story.listed(&disabled).await["reason"], "unresolved-subject");
    assert_eq!(contacts(&story, "ann").await, 1);

    let ann = story.risc("account-purged", &who("ann@mail.example")).later(1);
    story.pushed(&ann).await;
    assert_eq!(story.listed(&ann).await["reason"], "the identity is gone");
    assert_eq!(contacts(&story, "ann").await, 0);
    let trail = said(&story.world.config_file(), &["audit", "export"]).await;
    let entry = trail.lines().find(|entry| entry.contains("\"signal\"")).unwrap_or_else(|| panic!("{trail}"));
    assert!(entry.contains("account-purged") && !entry.contains("ann@"), "{entry}");

    // The next one within the hour needs a person.
    let bob = story.risc("account-purged", &who("bob@mail.example"));
    story.pushed(&bob).await;
    assert_eq!(story.listed(&bob).await["state"], "held");
    assert_eq!(contacts(&story, "bob").await, 1);
    let _ = ask(&story.world.config_file(), &["events", "retry", bob.jti()]).await;
    until("the one that is approved", || async { contacts(&story, "bob").await == 0 }).await;
}

/// §2.5: a Contact that Salesforce does not take now goes by itself, and is nobody who is let in again.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_who_cannot_be_purged_now_leaves_no_lockout_behind() {
    let (story, publisher) = story(1, None).await;
    for id in ["ann", "bob"] {
        made(&story, &publisher, id, &format!("{id}@mail.example")).await;
    }
    for method in ["POST", "DELETE"] {
        story.org.fault(json!({"method": method, "path": "/data", "kind": "status", "status": 503})).await;
    }
    let purged = story.risc("account-purged", &who("ann@mail.example"));
    let _ = story.push(&purged).await;
    let another = story.risc("account-purged", &who("bob@mail.example"));
    let _ = story.push(&another).await;
    assert_eq!(story.listed(&another).await["state"], "held", "it counts all the same");
    let enabled = story.risc("account-enabled", &who("ann@mail.example")).later(1);
    story.pushed(&enabled).await;
    assert_eq!(story.listed(&enabled).await["reason"], "not-frozen-by-a-signal");
    story.org.heal().await;
    until("what is kept is done", || async { contacts(&story, "ann").await == 0 }).await;
    assert_eq!(contacts(&story, "bob").await, 1);
}

/// §2.5: where no more than Users are to be deactivated, a Contact stays.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_who_is_purged_stays_a_contact_where_that_is_configured() {
    let (story, publisher) = story(9, Some("deactivate")).await;
    made(&story, &publisher, "ann", "ann@mail.example").await;
    let ann = story.risc("account-purged", &who("ann@mail.example"));
    story.pushed(&ann).await;
    assert_eq!(story.listed(&ann).await["reason"], "unresolved-subject");
    assert_eq!(contacts(&story, "ann").await, 1);
}
