//! Whose events count, and what of them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::akamai::{Story, UUID, mapping, noor, noor_as};

/// A client with keys of its own.
const PARTNER: &str = "partner5exampleexampleexample55e";
/// The gateway's own, or a bulk import's.
const MUTED: &str = "muted3exampleexampleexample33exa";

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a04_a_change_of_what_is_not_mapped_is_not_even_asked_about() {
    let story = Story::begin().await;
    story.person(UUID, &noor()).await;
    let (calls, lookups) = (story.calls().await, story.lookups());
    let unmapped =
        story.updated(UUID).attributes(&["displayName", "primaryAddress.city", "deactivateAccount"]);
    story.sent(&unmapped).await;
    assert_eq!((story.calls().await, story.lookups()), (calls, lookups));
    let listed = story.listed(&unmapped).await;
    assert_eq!((&listed["state"], &listed["reason"]), (&json!("ignored"), &json!("unmapped")));
    assert_eq!(story.count("ignored", "unmapped").await, 1);
    // One of several is enough, and none at all may be any.
    story.sent(&story.updated(UUID).attributes(&["displayName", "givenName"])).await;
    story.sent(&story.akamai.event("entityUpdated", UUID, super::AUDIENCE)).await;
    assert_eq!(story.lookups(), lookups + 2);
}

///
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a21_a_client_overrides_whole_keys_and_paths_that_nobody_has_are_404() {
    let mut mapping = mapping();
    mapping["clients"] = json!({ PARTNER: {"events": ["ADD"]}, MUTED: {"enabled": false} });
    let story = Story::with(&mapping, |_| ()).await;
    let by =
        |token: e2e::sources::akamai::Token, client: &str| token.saying("captureClientId", json!(client));
    story.person(UUID, &noor()).await;
    let mut moved = noor();
    moved["email"] = json!("noor@elsewhere.example");
    story.akamai.profile(UUID, &moved);
    let lookups = story.lookups();
    for (client, reason) in [(PARTNER, "not-subscribed"), (MUTED, "client")] {
        let token = by(story.updated(UUID), client);
        story.sent(&token).await;
        let listed = story.listed(&token).await;
        assert_eq!((&listed["state"], &listed["reason"]), (&json!("ignored"), &json!(reason)));
    }
    assert_eq!(story.lookups(), lookups);
    assert_eq!(story.contact(UUID).await["Email"], "noor.haddad@example.net");

    // What it may say is applied by the mapping of all.
    story.akamai.profile("new-one", &json!({"familyName": "New"}));
    story.sent(&by(story.created("new-one"), PARTNER)).await;
    assert_eq!(story.contact("new-one").await["LastName"], "New");
    // A client that the mapping does not name, and no client at all.
    story.sent(&by(story.updated(UUID), "nobody1exampleexampleexample1")).await;
    assert_eq!(story.contact(UUID).await["Email"], "noor@elsewhere.example");
    moved["email"] = json!("noor@third.example");
    story.akamai.profile(UUID, &moved);
    story.sent(&story.updated(UUID).saying("captureClientId", json!(null))).await;
    assert_eq!(story.contact(UUID).await["Email"], "noor@third.example");

    let url = story.world.url();
    for path in [
        "/events/akamai/acme/test",
        "/events/akamai/other/prod",
        "/events/elsewhere/acme/prod",
        "/events/akamai",
    ] {
        let _ = story.akamai.send(&format!("{url}{path}"), &story.updated(UUID)).await.expect(404);
    }
}

/// the other keys.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a21_a_client_has_fields_an_object_and_an_end_of_its_own() {
    let mut mapping = mapping();
    mapping["on_delete"] = json!("none");
    mapping["clients"] = json!({
        PARTNER: {
            "object": "Lead", "on_delete": "delete",
            "mapping": {"uuid": "Identity_UUID__c", "familyName": "LastName", "displayName": "Company"},
        },
    });
    let story = Story::with(&mapping, |_| ()).await;
    let by_partner = |token: e2e::sources::akamai::Token| token.saying("captureClientId", json!(PARTNER));
    story.akamai.profile(
        "lead",
        &json!({"familyName": "Prospect", "displayName": "Harbour Ltd", "email": "p@example.net"}),
    );
    story.sent(&by_partner(story.created("lead"))).await;
    let lead = story.org.one("Lead", "Identity_UUID__c", "lead").await;
    assert_eq!((&lead["Company"], &lead["Email"]), (&json!("Harbour Ltd"), &json!(null)));
    assert!(story.contacts().await.is_empty());
    // An attribute that only the others map.
    let lookups = story.lookups();
    story.sent(&by_partner(story.updated("lead").attributes(&["email"]))).await;
    assert_eq!(story.lookups(), lookups);
    story.sent(&by_partner(story.deleted("lead"))).await;
    assert!(story.org.records("Lead").await.is_empty());

    story.person(UUID, &noor()).await;
    story.sent(&story.deleted(UUID)).await;
    assert_eq!(story.contacts().await.len(), 1, "the others leave it as it is");
}

/// who is deleted by anybody has no record left of anybody's, each by its own end.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a21_whoever_deletes_somebody_leaves_no_record_of_another_client() {
    let mut mapping = mapping();
    mapping["on_delete"] = json!("delete");
    mapping["clients"] = json!({
        PARTNER: {"object": "Lead", "mapping": {"uuid": "Identity_UUID__c", "familyName": "LastName", "displayName": "Company"}},
    });
    let story = Story::with(&mapping, |_| ()).await;
    for deleted_by in [PARTNER, e2e::sources::akamai::CLIENT] {
        let uuid = format!("both-{deleted_by}");
        story.akamai.profile(&uuid, &noor_as(&uuid));
        story.sent(&story.created(&uuid)).await;
        story
            .sent(
                &story.updated(&uuid).attributes(&["displayName"]).saying("captureClientId", json!(PARTNER)),
            )
            .await;
        let count = async |object: &str| story.org.find(object, "Identity_UUID__c", &uuid).await.len();
        assert_eq!((count("Contact").await, count("Lead").await), (1, 1));
        story.sent(&story.deleted(&uuid).saying("captureClientId", json!(deleted_by))).await;
        assert_eq!((count("Contact").await, count("Lead").await), (0, 0), "deleted by {deleted_by}");
    }
}

/// Leads of a client of its own, whose people are made nobody's when they are gone.
fn leads() -> serde_json::Value {
    json!({
        "object": "Lead", "on_delete": "anonymise",
        "mapping": {
            "uuid": "Identity_UUID__c", "email": "Email", "familyName": "LastName", "displayName": "Company",
        },
    })
}

/// what could not be done at once is done later, as the mapping of the client says that has asked for it.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a21_a_deletion_that_is_blocked_is_tried_again_as_its_own_client_has_it() {
    let mut mapping = mapping();
    mapping["on_delete"] = json!("none");
    let other = "leads6exampleexampleexample666e";
    mapping["clients"] = json!({ PARTNER: {"on_delete": "anonymise"}, other: leads() });
    let story = Story::with(&mapping, |_| ()).await;
    let by =
        |token: e2e::sources::akamai::Token, client: &str| token.saying("captureClientId", json!(client));
    story.person("both", &noor_as("both")).await;
    story.sent(&by(story.updated("both"), other)).await;
    story.blocked("Contact").await;
    story.sent(&by(story.deleted("both"), PARTNER)).await;
    assert!(story.is_known("Contact", "both").await && !story.is_known("Lead", "both").await);
    let owed = story.owed().await;
    assert_eq!(owed.len(), 1, "{owed:#?}");
    assert_eq!((&owed[0]["kind"], &owed[0]["client"]), (&json!("removal"), &json!(PARTNER)));
    story.org.heal().await;
    story.until_nothing_is_owed().await;
    assert!(!story.is_known("Contact", "both").await, "the others would leave it as it is");

    // Where nothing of it was done, it is the event that is tried again.
    story.person("alone", &noor_as("alone")).await;
    story.blocked("Contact").await;
    let token = by(story.deleted("alone"), PARTNER);
    story.sent(&token).await;
    assert_eq!(story.listed(&token).await["state"], "dead");
    story.org.heal().await;
    let (said, _) = super::ask(&story.world.config_file(), &["events", "retry", token.jti()]).await;
    assert_eq!(said["decided"], true);
    let deadline = Instant::now() + Duration::from_mins(1);
    while story.is_known("Contact", "alone").await {
        assert!(Instant::now() < deadline, "{}", story.listed(&token).await);
    }
}

/// also at the record of a client that has not asked for it.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a21_what_is_blocked_at_the_record_of_another_client_is_tried_again() {
    let mut mapping = mapping();
    mapping["on_delete"] = json!("delete");
    mapping["clients"] = json!({ PARTNER: leads() });
    let story = Story::with(&mapping, |_| ()).await;
    story.person("both", &noor_as("both")).await;
    let by_partner =
        story.updated("both").attributes(&["displayName"]).saying("captureClientId", json!(PARTNER));
    story.sent(&by_partner).await;
    story.blocked("Lead").await;
    story.sent(&story.deleted("both")).await;
    assert!(story.contacts().await.is_empty());
    assert_eq!(story.owed().await.len(), 1);
    assert!(story.is_known("Lead", "both").await);
    story.org.heal().await;
    story.until_nothing_is_owed().await;
    assert!(!story.is_known("Lead", "both").await);
}

impl Story {
    /// Salesforce refuses to change these records.
    async fn blocked(&self, object: &str) {
        let fault = json!({"path": format!("/data/v*/sobjects/{object}"), "kind": "status", "status": 400,
            "error_code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Not like this"});
        self.org.fault(fault).await;
    }

    /// Whether a record has the address of this person.
    async fn is_known(&self, object: &str, uuid: &str) -> bool {
        json!(self.org.records(object).await).to_string().contains(&format!("{uuid}@example.net"))
    }

    async fn owed(&self) -> Vec<serde_json::Value> {
        let (said, _) = super::ask(&self.world.config_file(), &["tasks"]).await;
        said["tasks"].as_array().unwrap().clone()
    }

    async fn until_nothing_is_owed(&self) {
        self.world.advance(Duration::from_mins(2));
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let owed = self.owed().await;
            if owed.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "{owed:#?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// whatever the order in which the clients speak of somebody.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a21_the_lead_of_one_client_stays_beside_the_contact_of_another_and_both_go() {
    let mut mapping = mapping();
    mapping["on_delete"] = json!("delete");
    mapping["object"] = json!("Contact");
    mapping["clients"] = json!({
        PARTNER: {"object": "Lead", "mapping": {"uuid": "Identity_UUID__c", "familyName": "LastName", "displayName": "Company"}},
    });
    let story = Story::with(&mapping, |_| ()).await;
    for deleted_by in [PARTNER, e2e::sources::akamai::CLIENT] {
        let uuid = format!("both-{deleted_by}");
        story.akamai.profile(&uuid, &noor_as(&uuid));
        story.sent(&story.created(&uuid).saying("captureClientId", json!(PARTNER))).await;
        story.sent(&story.updated(&uuid)).await;
        let of = async |object: &str| story.org.find(object, "Identity_UUID__c", &uuid).await;
        assert_eq!((of("Contact").await.len(), of("Lead").await.len()), (1, 1));
        assert_eq!(of("Lead").await[0]["IsConverted"], false);
        story.sent(&story.deleted(&uuid).saying("captureClientId", json!(deleted_by))).await;
        assert_eq!((of("Contact").await.len(), of("Lead").await.len()), (0, 0), "deleted by {deleted_by}");
    }
}

/// `scim-delete = "deactivate"`: whom one client deletes is not gone, and stays what he is to another.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a21_who_is_only_deactivated_leaves_no_target_of_another_client() {
    let mut mapping = mapping();
    mapping["on_delete"] = json!("delete");
    mapping["object"] = json!("Contact");
    mapping["clients"] = json!({
        PARTNER: {"object": "Lead", "mapping": {"uuid": "Identity_UUID__c", "familyName": "LastName", "displayName": "Company"}},
    });
    let deactivates = |config: &mut toml::Table| {
        e2e::world::environment(config).insert("scim-delete".to_owned(), "deactivate".into());
    };
    let story = Story::configured(&mapping, |_| (), deactivates).await;
    story.akamai.profile(UUID, &noor_as(UUID));
    story.sent(&story.created(UUID).saying("captureClientId", json!(PARTNER))).await;
    story.sent(&story.updated(UUID)).await;
    story.sent(&story.deleted(UUID)).await;
    for object in ["Lead", "Contact"] {
        assert_eq!(story.org.find(object, "Identity_UUID__c", UUID).await.len(), 1, "{object}");
    }
}

/// Without `ADD` nobody is made, and who is in Salesforce is changed all the same.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a21_without_add_a_record_that_is_there_is_changed_and_none_is_made() {
    let mut mapping = mapping();
    mapping["events"] = json!(["UPDATE"]);
    let story = Story::with(&mapping, |_| ()).await;
    story.akamai.profile(UUID, &noor());
    let unknown = story.updated(UUID);
    story.sent(&unknown).await;
    assert!(story.contacts().await.is_empty());
    assert_eq!(story.listed(&unknown).await["reason"], "not-created");
    // As often as he is changed.
    let again = story.updated(UUID);
    story.sent(&again).await;
    assert_eq!(story.listed(&again).await["reason"], "not-created");

    let by_hand = json!({"LastName": "By hand", "Identity_UUID__c": UUID, "MailingCity": "Zeist"});
    story.org.make("Contact", &by_hand).await;
    let known = story.updated(UUID);
    story.sent(&known).await;
    assert_eq!(story.listed(&known).await["state"], "applied");
    let contact = story.contact(UUID).await;
    assert_eq!((&contact["LastName"], &contact["MailingCity"]), (&json!("Haddad"), &json!("Zeist")));
    assert_eq!(story.contacts().await.len(), 1);
}

/// `defaults` are for all clients, and these may have other objects.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a21_a_default_is_not_used_for_an_object_without_its_field() {
    for object in [Some("Contact"), None] {
        let mut mapping = mapping();
        if let Some(object) = object {
            mapping["object"] = json!(object);
        }
        mapping["defaults"] = json!({"LastName": "(unknown)", "Company": "(private)"});
        mapping["clients"] = json!({ PARTNER: {"object": "Lead"} });
        let story = Story::with(&mapping, |_| ()).await;
        let mut nameless = noor();
        nameless.as_object_mut().unwrap().remove("familyName");
        story.person(UUID, &nameless).await;
        assert_eq!(story.contact(UUID).await["LastName"], "(unknown)");
        story.akamai.profile("lead", &noor_as("lead"));
        story.sent(&story.created("lead").saying("captureClientId", json!(PARTNER))).await;
        let lead = story.org.one("Lead", "Identity_UUID__c", "lead").await;
        assert_eq!(lead["Company"], "(private)");
        let (said, _) = super::ask(&story.world.config_file(), &["check"]).await;
        assert!(said.to_string().contains("Contact has no field `Company`"), "{said}");
    }
}

/// `on_delete: flag`: whoever is back is back.
#[tokio::test(flavor = "multi_thread")]
async fn akamai_a21_the_flag_of_somebody_who_is_back_is_taken_away() {
    let mut mapping = mapping();
    mapping["on_delete"] = json!("flag");
    mapping["flag"] = json!({"Identity_Gone__c": true});
    let story = Story::with(&mapping, |_| ()).await;
    story.person(UUID, &noor()).await;
    story.sent(&story.deleted(UUID).happened(1)).await;
    assert_eq!(story.contact(UUID).await["Identity_Gone__c"], true);
    story.sent(&story.created(UUID).happened(2)).await;
    assert_eq!(story.contact(UUID).await["Identity_Gone__c"], false);
    story.sent(&story.deleted(UUID).happened(3)).await;
    assert_eq!(story.contact(UUID).await["Identity_Gone__c"], true);
}
