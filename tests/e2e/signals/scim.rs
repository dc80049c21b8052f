//! SCIM events (RFC 9967) as receiver.

use e2e::{
    Answered, Org, Scene, World,
    sources::transmitter::{Set, Transmitter},
    world::add,
};
use serde_json::{Value, json};
use toml::{Table, Value as Toml};

use super::{ask, count, listed, scene};
use crate::faults::until;

pub(super) const AUDIENCE: &str = "https://gw.example.com/events/scim-events/acme/prod";
pub(super) const PREFIX: &str = "urn:ietf:params:scim:event:";

/// A gateway between a publisher and an org.
pub(super) struct Story {
    pub(super) world: World,
    pub(super) publisher: Transmitter,
    pub(super) org: Org,
}

impl Story {
    pub(super) async fn begin() -> Self {
        Self::with(|_| ()).await
    }

    /// With something changed in the source's configuration.
    pub(super) async fn with(change: impl FnOnce(&mut Table)) -> Self {
        Self::of_scene(&scene(""), change).await
    }

    /// The same in another scene.
    pub(super) async fn of_scene(scene: &Scene, change: impl FnOnce(&mut Table)) -> Self {
        let publisher = Transmitter::start().await;
        let mut section = publisher.scim_section(AUDIENCE);
        section.insert("acknowledge".to_owned(), Toml::from("sync"));
        change(&mut section);
        let world = World::of_scene(scene, |config| {
            let server = config["server"].as_table_mut().unwrap();
            server.insert("metrics-listen".to_owned(), Toml::from("127.0.0.1:0"));
            server.insert("answer-within".to_owned(), Toml::from("1s"));
            add(config, "scim-events", section);
        })
        .await;
        Self { org: world.org(), world, publisher }
    }

    pub(super) fn event(&self, uri: &str, id: &str, said: Value) -> Set {
        let subject = json!({"format": "scim", "uri": format!("/Users/{id}"), "externalId": id});
        self.publisher.event(uri, &subject, said, AUDIENCE)
    }

    /// About a resource with another `externalId` than its id, or without one.
    pub(super) fn about(&self, suffix: &str, id: &str, external_id: Option<&str>, said: Value) -> Set {
        let mut subject = json!({"format": "scim", "uri": format!("/Users/{id}")});
        if let Some(external_id) = external_id {
            subject["externalId"] = json!(external_id);
        }
        self.publisher.event(&format!("{PREFIX}{suffix}"), &subject, said, AUDIENCE)
    }

    pub(super) fn of(&self, suffix: &str, id: &str, said: Value) -> Set {
        self.event(&format!("{PREFIX}{suffix}"), id, said)
    }

    pub(super) async fn push(&self, set: &Set) -> Answered {
        let to = format!("{}/events/scim-events/acme/prod", self.world.url());
        self.publisher.push(&to, set).await
    }

    pub(super) async fn pushed(&self, set: &Set) {
        let _ = self.push(set).await.expect(202);
    }

    pub(super) async fn user(&self, name: &str) -> serde_json::Map<String, Value> {
        self.org.user(&format!("{name}@acme.example")).await
    }

    /// How often a resource was read.
    pub(super) fn fetches(&self, id: &str) -> usize {
        self.publisher.asked(&format!("/scim/v2/Users/{id}")).len()
    }
}

pub(super) fn resource(name: &str, title: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": name, "userName": format!("{name}@acme.example"),
        "name": {"givenName": "Ada", "familyName": name}, "title": title, "active": true,
        "emails": [{"value": format!("{name}@acme.example"), "primary": true}],
    })
}

#[expect(clippy::needless_pass_by_value, reason = "stories are easier to read with values in their place")]
pub(super) fn patch(path: &str, value: Value) -> Value {
    json!({"data": {"Operations": [{"op": "replace", "path": path, "value": value}]}})
}

/// B-9.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b09_every_spelling_of_an_event_is_applied_alike() {
    let story = Story::begin().await;
    let spellings =
        ["urn:ietf:params:event:SCIM:", "urn:ietf:params:SCIM:event:", "urn:ietf:params:scim:event:"];
    for (number, spelling) in spellings.iter().enumerate() {
        let name = format!("n{number}");
        let event = |suffix: &str, said: Value| story.event(&format!("{spelling}{suffix}"), &name, said);
        story.pushed(&event("prov:create:full", json!({"data": resource(&name, "Pilot")}))).await;
        assert_eq!(story.user(&name).await["Title"], "Pilot", "{spelling}");
        story.pushed(&event("prov:patch:full", patch("title", json!("Captain"))).later(1)).await;
        assert_eq!(story.user(&name).await["Title"], "Captain", "{spelling}");
        story.pushed(&event("prov:put:full", json!({"data": resource(&name, "Admiral")})).later(2)).await;
        assert_eq!(story.user(&name).await["Title"], "Admiral", "{spelling}");
        story.pushed(&event("prov:deactivate", json!({})).later(3)).await;
        assert_eq!(story.user(&name).await["IsActive"], false, "{spelling}");
        story.pushed(&event("prov:activate", json!({})).later(4)).await;
        assert_eq!(story.user(&name).await["IsActive"], true, "{spelling}");
        story.pushed(&event("feed:remove", json!({})).later(5)).await;
        assert_eq!(story.user(&name).await["IsActive"], false, "{spelling}");
        story.pushed(&event("prov:delete", json!({})).later(6)).await;
        assert_eq!(story.user(&name).await["IsActive"], false, "{spelling}");
        // What happened before that comes too late.
        let late = event("prov:put:full", json!({"data": resource(&name, "Ghost")})).later(5);
        story.pushed(&late).await;
        assert_eq!(listed(&story.world, late.jti()).await["reason"], "stale-after-delete");
    }
    assert_eq!(
        story.publisher.asked("/scim/v2/Users/n0").len(),
        0,
        "whatever is told in full is not asked about"
    );
}

/// B-10.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b10_what_is_told_in_full_is_not_asked_about_and_a_notice_is_once_and_of_the_publisher_alone() {
    let story = Story::begin().await;
    story.pushed(&story.of("prov:create:full", "full", json!({"data": resource("full", "Pilot")}))).await;
    assert_eq!(story.user("full").await["Title"], "Pilot");
    assert_eq!(story.fetches("full"), 0);

    story.publisher.resource("/Users/notice", &resource("notice", "Pilot"));
    let notice = |id: &str| story.of("prov:create:notice", id, json!({"attributes": ["userName", "title"]}));
    story.pushed(&notice("notice")).await;
    assert_eq!(story.user("notice").await["Title"], "Pilot");
    assert_eq!(story.fetches("notice"), 1);

    // A host that a token names is never asked, not even the right one under another address.
    let elsewhere = Transmitter::start().await;
    elsewhere.resource("/Users/evil", &resource("evil", "Spy"));
    for uri in [
        format!("{}/Users/evil", elsewhere.scim_base()),
        format!("//{}/Users/evil", elsewhere.scim_base().trim_start_matches("http://")),
        "/Users/../../admin".to_owned(),
    ] {
        let subject = json!({"format": "scim", "uri": uri});
        let set = story.publisher.event(
            &format!("{PREFIX}prov:create:notice"),
            &subject,
            json!({"attributes": ["userName"]}),
            AUDIENCE,
        );
        assert_eq!(story.push(&set).await.expect(400).json()["err"], "invalid_request", "{uri}");
    }
    assert!(elsewhere.asked("/scim/v2/Users/evil").is_empty());

    let both = json!({"data": resource("both", "x"), "attributes": ["userName"]});
    for suffix in ["prov:create:full", "prov:create:notice", "prov:put:full", "prov:patch:full"] {
        let answer = story.push(&story.of(suffix, "both", both.clone())).await.expect(400);
        assert_eq!(answer.json()["err"], "invalid_request");
    }
    assert!(story.org.users("both@acme.example").await.is_empty());
}

/// §2.6: what comes out of order, or with a gap, is fetched in its place.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b10_a_change_out_of_order_is_replaced_by_what_is_current() {
    let story = Story::begin().await;
    let version = |set: Value, version: &str| {
        let mut set = set;
        set["version"] = json!(version);
        set
    };
    story
        .pushed(&story.of(
            "prov:create:full",
            "ada",
            version(json!({"data": resource("ada", "One")}), "W/\"1\""),
        ))
        .await;
    story
        .pushed(
            &story.of("prov:patch:full", "ada", version(patch("title", json!("Two")), "W/\"2\"")).later(1),
        )
        .await;
    assert_eq!((story.user("ada").await["Title"].clone(), story.fetches("ada")), (json!("Two"), 0));
    // The third one has not arrived.
    story.publisher.resource("/Users/ada", &resource("ada", "Four"));
    story
        .pushed(
            &story.of("prov:patch:full", "ada", version(patch("title", json!("Wrong")), "W/\"4\"")).later(3),
        )
        .await;
    assert_eq!((story.user("ada").await["Title"].clone(), story.fetches("ada")), (json!("Four"), 1));
    // Now it has, and is older than what is known.
    story
        .pushed(
            &story.of("prov:patch:full", "ada", version(patch("title", json!("Three")), "W/\"3\"")).later(2),
        )
        .await;
    assert_eq!((story.user("ada").await["Title"].clone(), story.fetches("ada")), (json!("Four"), 2));

    // Somebody whom the publisher does not have any more, though it said so a moment ago.
    story.publisher.resource("/Users/ada", &Value::Null);
    story.pushed(&story.of("prov:put:notice", "ada", json!({"attributes": ["title"]})).later(9)).await;
    assert_eq!(story.user("ada").await["IsActive"], false);
    assert_eq!(count(&story.world, "ignored", "gone").await, 0, "something was done");
    let stranger = story.of("prov:put:notice", "nobody", json!({"attributes": ["title"]}));
    story.pushed(&stranger).await;
    assert_eq!(count(&story.world, "ignored", "gone").await, 1);
}

/// §2.6: Groups are no identities. What their events say is left alone, and that is said.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b10_a_group_is_left_alone_and_the_list_of_events_says_so() {
    let story = Story::begin().await;
    let calls = story.org.calls().await.api;
    let group = json!({"format": "scim", "uri": "/Groups/1"});
    let data = json!({"displayName": "Pilots", "members": [{"value": "ada"}]});
    let member = json!({"op": "add", "path": "members", "value": [{"value": "ada"}]});
    let told = [
        ("prov:create:full", json!({"data": data})),
        ("prov:patch:full", json!({"data": {"Operations": [member]}})),
        ("prov:put:notice", json!({"attributes": ["members"]})),
        ("feed:add", json!({})),
        ("prov:delete", json!({})),
    ];
    for (number, (suffix, said)) in (0..).zip(told.clone()) {
        let set = story.publisher.event(&format!("{PREFIX}{suffix}"), &group, said, AUDIENCE).later(number);
        story.pushed(&set).await;
        let listed = listed(&story.world, set.jti()).await;
        assert_eq!((&listed["state"], &listed["reason"]), (&json!("ignored"), &json!("not-a-user")));
    }
    assert_eq!(count(&story.world, "ignored", "not-a-user").await, told.len() as u64);
    assert!(story.publisher.asked("/scim/v2/Groups/1").is_empty(), "nor is it fetched");
    assert_eq!(story.org.calls().await.api, calls);
}

/// §0.3: who is deleted while he is still being made is deleted, whatever his userName.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b09_who_is_deleted_while_he_is_being_made_does_not_stay() {
    let story = Story::begin().await;
    let slow = json!({"method": "POST", "path": "/data/v*/sobjects/User", "kind": "delay", "delay_ms": 3_000, "count": 1});
    story.org.fault(slow).await;
    let made = story.of("prov:create:full", "E10442", json!({"data": resource("ada", "Pilot")}));
    let _ = story.push(&made).await.expect(503);
    let gone = story.of("prov:delete", "E10442", json!({})).later(1);
    let told = story.push(&gone).await.status;
    assert!([202, 503].contains(&told), "{told}");
    until("the end of both", || async {
        let users = story.org.users("ada@acme.example").await;
        let is_out = users.len() == 1 && users[0]["IsActive"] == false;
        story.push(&gone).await.status == 202 && is_out
    })
    .await;
    // The sender still has the first one.
    story.pushed(&made).await;
    assert_eq!(listed(&story.world, made.jti()).await["reason"], "stale-after-delete");
    assert_eq!(story.user("ada").await["IsActive"], false);
}

/// §2.6: `uri` is always there and `externalId` need not be.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b09_a_resource_is_one_person_however_an_event_names_it() {
    let story = Story::begin().await;
    let external = |name: &str, title: &str, external_id: &str| {
        let mut resource = resource(name, title);
        resource["externalId"] = json!(external_id);
        json!({"data": resource})
    };
    let deactivated = async |set: Set, name: &str| {
        story.pushed(&set).await;
        assert_eq!(story.user(name).await["IsActive"], false, "{:?}", listed(&story.world, set.jti()).await);
    };
    // Made with both, changed by the uri alone.
    let made = story.about("prov:create:full", "p1", Some("P1"), external("p1", "Pilot", "P1"));
    story.pushed(&made).await;
    assert_eq!(story.user("p1").await["FederationIdentifier"], "P1");
    story
        .pushed(&story.about("prov:patch:full", "p1", None, patch("title", json!("Captain"))).later(1))
        .await;
    assert_eq!(story.user("p1").await["Title"], "Captain");
    deactivated(story.about("prov:deactivate", "p1", None, json!({})).later(2), "p1").await;
    story.pushed(&story.about("prov:activate", "p1", Some("P1"), json!({})).later(3)).await;
    assert_eq!(story.user("p1").await["IsActive"], true);
    deactivated(story.about("prov:delete", "p1", None, json!({})).later(4), "p1").await;

    // Made by the uri alone: the externalId is the resource's own, or none is known yet.
    story.pushed(&story.about("prov:create:full", "p2", None, external("p2", "Pilot", "P2"))).await;
    assert_eq!(story.user("p2").await["FederationIdentifier"], "P2");
    deactivated(story.about("prov:deactivate", "p2", Some("P2"), json!({})).later(1), "p2").await;
    story
        .pushed(&story.about("prov:create:full", "p3", None, json!({"data": resource("p3", "Pilot")})))
        .await;
    deactivated(story.about("prov:deactivate", "p3", Some("P3"), json!({})).later(1), "p3").await;

    // Another externalId under the same uri is a change of the same person.
    story.pushed(&story.about("prov:create:full", "p4", Some("P4"), external("p4", "Pilot", "P4"))).await;
    let set = story.about("prov:put:full", "p4", Some("P4b"), external("p4", "Captain", "P4b")).later(1);
    story.pushed(&set).await;
    let user = story.user("p4").await;
    assert_eq!((&user["Title"], &user["FederationIdentifier"]), (&json!("Captain"), &json!("P4b")));
    deactivated(story.about("prov:deactivate", "p4", Some("P4b"), json!({})).later(2), "p4").await;

    // Whose id is what somebody else has as externalId is somebody else.
    story.pushed(&story.about("prov:create:full", "p5", Some("p6"), external("p5", "Pilot", "p6"))).await;
    let other = story.about("prov:deactivate", "p6", None, json!({}));
    story.pushed(&other).await;
    assert_eq!(listed(&story.world, other.jti()).await["reason"], "nobody by this id was known");
    let other = story.about("prov:create:full", "p6", None, json!({"data": resource("p6", "Spy")})).later(1);
    story.pushed(&other).await;
    assert_eq!(listed(&story.world, other.jti()).await["state"], "dead");
    assert_eq!(
        (story.user("p5").await["Title"].clone(), story.user("p5").await["IsActive"].clone()),
        (json!("Pilot"), json!(true))
    );

    // The publisher has made somebody anew, and the end of the old one comes late.
    story.pushed(&story.about("prov:create:full", "p7", Some("P7"), external("p7", "Pilot", "P7"))).await;
    story.pushed(&story.about("prov:create:full", "p8", Some("P7"), external("p7", "Captain", "P7"))).await;
    story.pushed(&story.about("prov:delete", "p7", Some("P7"), json!({})).later(1)).await;
    let user = story.user("p7").await;
    assert_eq!((&user["Title"], &user["IsActive"]), (&json!("Captain"), &json!(true)));
}

/// §2.6: what is fetched is the resource that was asked for, or nothing is done.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b10_a_publisher_that_answers_with_another_resource_overwrites_nobody() {
    let story = Story::begin().await;
    story.pushed(&story.of("prov:create:full", "ada", json!({"data": resource("ada", "Pilot")}))).await;
    let mut nameless = resource("ada", "Spy");
    nameless.as_object_mut().unwrap().remove("id");
    for wrong in [resource("other", "Spy"), nameless] {
        story.publisher.resource("/Users/ada", &wrong);
        let set = story.of("prov:put:notice", "ada", json!({"attributes": ["title"]})).later(1);
        story.pushed(&set).await;
        let event = listed(&story.world, set.jti()).await;
        assert_eq!(event["state"], "dead");
        assert!(event["reason"].as_str().unwrap().contains("another resource"), "{event}");
    }
    assert_eq!(story.user("ada").await["Title"], "Pilot");
    assert!(story.org.users("other@acme.example").await.is_empty());
}

/// Each has an outcome, and all of them are found by the token's `jti`.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b09_every_event_of_a_token_is_found_by_its_jti() {
    let story = Story::begin().await;
    story.pushed(&story.of("prov:create:full", "ada", json!({"data": resource("ada", "Pilot")}))).await;
    let mut several = story.of("prov:patch:full", "ada", patch("title", json!("Captain"))).later(1);
    several.claims["events"][format!("{PREFIX}prov:deactivate")] = json!({});
    for _ in 0..2 {
        story.pushed(&several).await;
    }
    let said = ask(&story.world.config_file(), &["events", "list", several.jti()]).await;
    let kinds: Vec<_> = said["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["prov:deactivate", "prov:patch:full"], "the newest first: {said}");
    let user = story.user("ada").await;
    assert_eq!((&user["Title"], &user["IsActive"]), (&json!("Captain"), &json!(false)));
}
