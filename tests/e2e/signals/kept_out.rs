//! Who is kept out by several: each lets in for itself alone, and the door opens when the last one does.

use std::time::Duration;

use e2e::{
    sources::transmitter::{RISC, Set, Transmitter},
    world::{TOKEN, add},
};
use serde_json::{Value, json};
use toml::Value as Toml;

use super::{AUDIENCE, NOOR, Story, by_email, is_frozen, org_file, said, scene};
use crate::faults::until;

const ADA: &str = "ada@acme.example";
const SECOND: &str = "https://gw.example.com/events/second/acme/prod";

fn active(is: bool) -> Value {
    json!([{"op": "replace", "path": "active", "value": is}])
}

/// A story with two transmitters, and the second one.
async fn two_sources() -> (Story, Transmitter) {
    let second = Transmitter::start().await;
    let transmitter = Transmitter::start().await;
    let world = e2e::World::of_scene(&scene(&org_file(0)), |config| {
        for (name, transmitter, audience) in
            [("shared-signals", &transmitter, AUDIENCE), ("second", &second, SECOND)]
        {
            let mut section = transmitter.section(audience);
            section.insert("name".to_owned(), Toml::from(name));
            section.insert("acknowledge".to_owned(), Toml::from("sync"));
            add(config, "shared-signals", section);
        }
    })
    .await;
    (Story { org: world.org(), world, transmitter }, second)
}

/// Somebody whom SCIM has made, and his address.
async fn ada(story: &Story) -> (e2e::Tool, String, Value) {
    let tool = story.world.tool_at("/scim/v2", TOKEN);
    let id = tool.create(ADA).await.expect(201).id();
    let email = story.org.user(ADA).await["Email"].clone();
    (tool, format!("/Users/{id}"), json!({"format": "email", "email": email}))
}

/// An administrator takes back a freeze in Salesforce, some time after it.
async fn unfreeze_by_hand(story: &Story, username: &str) {
    story.world.advance(Duration::from_mins(2));
    let user = story.org.user(username).await["Id"].as_str().unwrap().to_owned();
    let login = story.org.one("UserLogin", "UserId", &user).await["Id"].as_str().unwrap().to_owned();
    story.org.change_as_administrator("UserLogin", &login, &json!({"IsFrozen": false})).await;
}

/// B-5: whom two sources have locked out, each in its own name.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_what_one_source_has_locked_another_does_not_open() {
    let (story, second) = two_sources().await;
    let to_second = format!("{}/events/second/acme/prod", story.world.url());
    let of_second = |name: &str, at: i64| {
        second.event(&format!("{RISC}{name}"), &by_email("noor"), json!({}), SECOND).later(at)
    };
    let pushed_second = async |set: &Set| {
        let _ = second.push(&to_second, set).await.expect(202);
    };
    let of_first = |name: &str, at: i64| story.risc(name, &by_email("noor")).later(at);

    story.pushed(&of_first("account-disabled", 0)).await;
    pushed_second(&of_second("account-enabled", 1)).await;
    assert!(story.is_frozen(NOOR).await, "the second source had locked nothing");
    pushed_second(&of_second("account-disabled", 2)).await;
    let enabled = of_first("account-enabled", 3);
    story.pushed(&enabled).await;
    assert!(story.is_frozen(NOOR).await, "the second source keeps her out");
    assert_eq!(story.listed(&enabled).await["reason"], "still frozen: another source keeps him out");
    pushed_second(&of_second("account-enabled", 4)).await;
    assert!(!story.is_frozen(NOOR).await, "nobody keeps her out any more");

    // The other way round, and an administrator who lets her in: then both have to say it anew.
    pushed_second(&of_second("account-disabled", 5)).await;
    story.pushed(&of_first("account-disabled", 6)).await;
    unfreeze_by_hand(&story, NOOR).await;
    pushed_second(&of_second("account-enabled", 7)).await;
    pushed_second(&of_second("account-disabled", 8)).await;
    assert!(story.is_frozen(NOOR).await);
    pushed_second(&of_second("account-enabled", 9)).await;
    assert!(!story.is_frozen(NOOR).await, "what the first one said was taken back by hand");
}

/// B-5: who has left already when the signal comes, and is back before it is taken back.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_who_is_back_stays_out_while_a_signal_keeps_him_out() {
    let story = Story::begin().await;
    let (tool, path, ada) = ada(&story).await;
    // She leaves, Salesforce keeps her active, and then her account is disabled.
    story.org.block(ADA, &["default-case-owner"]).await;
    let _ = tool.patch(&path, active(false)).await.expect(200);
    assert!(story.is_frozen(ADA).await);
    let disabled = story.risc("account-disabled", &ada);
    story.pushed(&disabled).await;
    assert_eq!(story.listed(&disabled).await["reason"], "frozen, 0 sessions ended");

    let back = tool.patch(&path, active(true)).await.expect(200);
    assert_eq!(back.json()["active"], true);
    assert!(story.is_frozen(ADA).await, "the signal keeps her out");
    story.pushed(&story.risc("account-enabled", &ada).later(1)).await;
    assert!(!story.is_frozen(ADA).await, "it does not any more");

    // And she leaves again while she is locked out: then it is her absence that keeps her out.
    story.pushed(&story.risc("account-disabled", &ada).later(2)).await;
    let _ = tool.patch(&path, active(false)).await.expect(200);
    let _ = tool.patch(&path, active(true)).await.expect(200);
    assert!(story.is_frozen(ADA).await);
    let _ = tool.patch(&path, active(false)).await.expect(200);
    story.pushed(&story.risc("account-enabled", &ada).later(3)).await;
    assert!(story.is_frozen(ADA).await, "she has left");
    let _ = tool.patch(&path, active(true)).await.expect(200);
    assert!(!story.is_frozen(ADA).await);
}

/// B-5: whose account is disabled, and is gone then: it is his absence that keeps him out, and he can come back.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_who_was_purged_after_he_was_locked_out_is_let_in_when_he_is_back() {
    let story = Story::begin().await;
    let (tool, path, ada) = ada(&story).await;
    for (number, enabled) in [(0, false), (10, true)] {
        story.pushed(&story.risc("account-disabled", &ada).later(number)).await;
        assert!(story.is_frozen(ADA).await);
        story.pushed(&story.risc("account-purged", &ada).later(number + 1)).await;
        assert_eq!(story.org.user(ADA).await["IsActive"], false);
        assert!(story.is_frozen(ADA).await);
        if enabled {
            story.pushed(&story.risc("account-enabled", &ada).later(number + 2)).await;
            assert!(story.is_frozen(ADA).await, "she has left");
        }
        let _ = tool.patch(&path, active(true)).await.expect(200);
        assert_eq!(story.org.user(ADA).await["IsActive"], true);
        assert!(!story.is_frozen(ADA).await, "{enabled}");
    }
    // Of whom SCIM knows nothing his source alone decides.
    story.pushed(&story.risc("account-disabled", &by_email("noor"))).await;
    story.pushed(&story.risc("account-purged", &by_email("noor")).later(1)).await;
    let noor = story.org.user(NOOR).await;
    assert_eq!(noor["IsActive"], false);
    story.pushed(&story.risc("account-enabled", &by_email("noor")).later(2)).await;
    assert!(!story.is_frozen(NOOR).await);
    assert_eq!(story.org.user(NOOR).await["IsActive"], false, "a signal activates nobody");
}

/// B-5: who has left, and is not in Salesforce any more when the signal comes, is kept out when he is back.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_who_has_left_is_locked_out_for_when_he_is_back() {
    let story = Story::begin().await;
    let (tool, path, ada) = ada(&story).await;
    let named = json!([{"op": "replace", "path": "externalId", "value": "fed-ada"}]);
    let _ = tool.patch(&path, named).await.expect(200);
    let sub = json!({"format": "iss_sub", "iss": story.transmitter.issuer(), "sub": "fed-ada"});
    for (number, disabled_as, enabled_as) in [(0, &ada, &ada), (10, &sub, &ada)] {
        let _ = tool.patch(&path, active(false)).await.expect(200);
        assert_eq!(story.org.user(ADA).await["IsActive"], false);
        let disabled = story.risc("account-disabled", disabled_as).later(number);
        story.pushed(&disabled).await;
        assert_eq!(story.listed(&disabled).await["state"], "applied");
        let _ = tool.patch(&path, active(true)).await.expect(200);
        assert_eq!(story.org.user(ADA).await["IsActive"], true);
        assert!(story.is_frozen(ADA).await, "the signal keeps her out");
        story.pushed(&story.risc("account-enabled", enabled_as).later(number + 1)).await;
        assert!(!story.is_frozen(ADA).await);
    }
    // Nobody has told Gangway of this one.
    let noor = story.org.user(NOOR).await["Id"].as_str().unwrap().to_owned();
    story.org.change_as_administrator("User", &noor, &json!({"IsActive": false})).await;
    let disabled = story.risc("account-disabled", &by_email("noor"));
    story.pushed(&disabled).await;
    assert_eq!(story.listed(&disabled).await["reason"], "unresolved-subject");
}

/// B-5: an administrator ends a lockout in Salesforce, and it is over.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_an_administrator_ends_a_lockout_by_hand() {
    let story = Story::begin().await;
    let (tool, path, ada) = ada(&story).await;
    story.pushed(&story.risc("account-disabled", &ada)).await;
    unfreeze_by_hand(&story, ADA).await;
    story.org.block(ADA, &["default-case-owner"]).await;
    let _ = tool.patch(&path, active(false)).await.expect(200);
    assert!(story.is_frozen(ADA).await, "she has left");
    let _ = tool.patch(&path, active(true)).await.expect(200);
    assert!(!story.is_frozen(ADA).await, "what was ended by hand does not keep her out");
}

/// Nothing can be written in Salesforce.
async fn refuse_writes(story: &Story) {
    for method in ["POST", "PATCH", "DELETE"] {
        story.org.fault(json!({"method": method, "path": "/data", "kind": "status", "status": 503})).await;
    }
}

/// B-5: what its source has given up is not in the way of what lands after it.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_a_freeze_that_came_to_nothing_does_not_end_the_next_one() {
    let story = Story::begin().await;
    refuse_writes(&story).await;
    let first = story.risc("account-disabled", &by_email("noor"));
    let _ = story.push(&first).await.expect(503);
    story.world.advance(Duration::from_hours(9 * 24));
    story.org.heal().await;
    assert!(!story.is_frozen(NOOR).await);
    story.pushed(&story.risc("account-disabled", &by_email("noor")).later(1)).await;
    assert!(story.is_frozen(NOOR).await);
    story.pushed(&story.risc("account-enabled", &by_email("noor")).later(2)).await;
    assert!(!story.is_frozen(NOOR).await, "it is known whose freeze it was");
}

/// B-8: what Salesforce does not take now counts, once, however often it is tried.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b08_who_is_to_be_deactivated_counts_although_salesforce_takes_nothing_now() {
    let story = Story::with(&org_file(0), |_, section| {
        section.insert("max-freezes-per-hour".to_owned(), Toml::from(1));
    })
    .await;
    let (tool, _, ada) = ada(&story).await;
    let _ = tool.create("bob@acme.example").await.expect(201);
    let bob = json!({"format": "email", "email": story.org.user("bob@acme.example").await["Email"]});
    refuse_writes(&story).await;
    let purged = story.risc("account-purged", &ada);
    for _ in 0..2 {
        let _ = story.push(&purged).await.expect(503);
    }
    let another = story.risc("account-purged", &bob);
    let _ = story.push(&another).await;
    assert_eq!(story.listed(&another).await["state"], "held");
    story.org.heal().await;
    let is_applied = || async {
        let _ = story.push(&purged).await;
        story.listed(&purged).await["state"] == "applied"
    };
    until("she is deactivated", is_applied).await;
    assert_eq!(story.org.user(ADA).await["IsActive"], false);
    assert_eq!(story.org.user("bob@acme.example").await["IsActive"], true);
}

/// B-5: where Gangway may not deactivate anybody, nobody is told that it has.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_who_may_not_be_deactivated_is_not_said_to_be() {
    const MAPPING: &str = r#"
[targets.staff]
object = "User"
allow = ["create", "update"]

[targets.staff.fields]
Username          = 'username(user.userName)'
Email             = { from = 'emails[primary eq true].value' }
LastName          = 'user.name.familyName'
Alias             = { value = 'alias(user)', on = "create" }
TimeZoneSidKey    = { default = "GMT" }
LocaleSidKey      = { default = "en_US" }
LanguageLocaleKey = { default = "en_US" }
EmailEncodingKey  = { default = "UTF-8" }

[targets.people]
object = "Contact"
on-leave = "flag"
flag = { Department = "gone" }

[targets.people.fields]
LastName = 'user.name.familyName'
Email    = { from = 'emails[primary eq true].value' }
"#;
    let transmitter = Transmitter::start().await;
    let scene = Transmitter::secrets()
        .iter()
        .fold(e2e::Scene::new(MAPPING, ""), |scene, (name, text)| scene.with_file(name, text));
    let world = e2e::World::of_scene(&scene, |config| {
        let mut section = transmitter.section(AUDIENCE);
        section.insert("acknowledge".to_owned(), Toml::from("sync"));
        add(config, "shared-signals", section);
    })
    .await;
    let story = Story { org: world.org(), world, transmitter };
    let (_, _, ada) = ada(&story).await;
    let purged = story.risc("account-purged", &ada);
    let _ = story.push(&purged).await;
    let listed = story.listed(&purged).await;
    assert_eq!(listed["state"], "dead", "{listed}");
    assert!(listed["reason"].as_str().unwrap().contains("does not allow to disable"), "{listed}");
    assert_eq!(story.org.user(ADA).await["IsActive"], true);
}

/// B-5: somebody whom a signal has frozen gets an identity afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_who_is_adopted_stays_frozen_by_the_signal() {
    let story = Story::begin().await;
    story.pushed(&story.risc("account-disabled", &by_email("noor"))).await;
    let user = story.org.user(NOOR).await["Id"].clone();
    let tool = story.world.tool_at("/scim/v2", TOKEN);
    let mut body = e2e::tool::person(NOOR);
    body["emails"] = json!([{"value": "noor@mail.example", "primary": true}]);
    let made = tool.post("/Users", &body).await.expect(201);
    assert_eq!(story.org.user(NOOR).await["Id"], user, "she is adopted");
    assert!(story.is_frozen(NOOR).await, "SCIM does not take back what a signal has done");
    // Not by a change, nor by leaving and coming back.
    let path = format!("/Users/{}", made.id());
    let _ =
        tool.patch(&path, json!([{"op": "replace", "path": "title", "value": "Pilot"}])).await.expect(200);
    let _ = tool.patch(&path, active(false)).await.expect(200);
    let _ = tool.patch(&path, active(true)).await.expect(200);
    assert_eq!(story.org.user(NOOR).await["IsActive"], true);
    assert!(story.is_frozen(NOOR).await);
    story.pushed(&story.risc("account-enabled", &by_email("noor")).later(1)).await;
    assert!(!story.is_frozen(NOOR).await);
}

/// §2.5: somebody of a population: he is found there, and what his own source says of him counts.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b05_people_of_a_population_are_as_meant_as_those_of_the_tenant() {
    const EVENTS: &str = "https://gw.example.com/events/scim-events/acme/prod";
    const GUS: &str = "gus@partners.example";
    let publisher = Transmitter::start().await;
    let transmitter = Transmitter::start().await;
    let world = e2e::World::of_scene(&scene(&org_file(0)), |config| {
        for (key, mut section) in [
            ("scim-events", publisher.scim_section(EVENTS)),
            ("shared-signals", transmitter.section(AUDIENCE)),
        ] {
            section.insert("acknowledge".to_owned(), Toml::from("sync"));
            add(config, key, section);
        }
    })
    .await;
    let story = Story { org: world.org(), world, transmitter };
    let to = format!("{}/events/scim-events/acme/prod", story.world.url());
    let told = async |suffix: &str, said: Value, at: i64| {
        let subject = json!({"format": "scim", "uri": "/Users/gus", "externalId": "gus"});
        let uri = format!("urn:ietf:params:scim:event:{suffix}");
        let set = publisher.event(&uri, &subject, said, EVENTS).later(at);
        let _ = publisher.push(&to, &set).await.expect(202);
    };
    let gus = json!({"format": "email", "email": GUS});
    let resource = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": GUS, "active": true,
        "name": {"givenName": "Gus", "familyName": "Partner"}, "emails": [{"value": GUS, "primary": true}],
    });
    told("prov:create:full", json!({"data": resource}), 0).await;
    story.pushed(&story.risc("account-disabled", &gus)).await;
    assert!(story.is_frozen(GUS).await);
    let trail = said(&story.world.config_file(), &["audit", "export"]).await;
    let entry = trail.lines().find(|entry| entry.contains("\"signal\"")).unwrap_or_else(|| panic!("{trail}"));
    assert!(entry.contains("acme/prod/scim-events"), "it is in the history of his identity: {entry}");

    // His own source says that he has gone: the signal does not let him in.
    story.org.block(GUS, &["default-case-owner"]).await;
    told("prov:deactivate", json!({}), 1).await;
    story.pushed(&story.risc("account-enabled", &gus).later(1)).await;
    assert!(story.is_frozen(GUS).await, "he has left his population");
    told("prov:activate", json!({}), 2).await;
    assert!(!story.is_frozen(GUS).await);
    // And the other way round.
    told("prov:deactivate", json!({}), 3).await;
    story.pushed(&story.risc("account-disabled", &gus).later(3)).await;
    told("prov:activate", json!({}), 4).await;
    assert!(story.is_frozen(GUS).await);
    story.pushed(&story.risc("account-enabled", &gus).later(5)).await;
    assert!(!is_frozen(&story.org, GUS).await);
    // What purges him deactivates his identity, which a reader of the population sees.
    story.org.block(GUS, &[]).await;
    story.pushed(&story.risc("account-purged", &gus).later(6)).await;
    assert_eq!(story.org.user(GUS).await["IsActive"], false);
    told("prov:activate", json!({}), 7).await;
    assert_eq!(story.org.user(GUS).await["IsActive"], true, "his own source has him back");
    assert!(!story.is_frozen(GUS).await);
}
