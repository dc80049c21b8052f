//! SCIM events (RFC 9967): what a publisher may say of somebody, and what holds where it cannot be asked.

use e2e::sources::{http::Reply, transmitter::Set};
use serde_json::{Value, json};
use toml::Value as Toml;

use super::{
    ask, listed, scene,
    scim::{Story, patch, resource},
};
use crate::faults::until;

const STAFF: &str = r#"
[targets.staff]
object = "User"
match = ["Username"]

[targets.staff.fields]
Username          = 'username(user.userName)'
Email             = { from = 'emails[primary eq true].value' }
LastName          = 'user.name.familyName'
Alias             = { value = 'alias(user)', on = "create" }
TimeZoneSidKey    = { default = "GMT" }
LocaleSidKey      = { default = "en_US" }
LanguageLocaleKey = { default = "en_US" }
EmailEncodingKey  = { default = "UTF-8" }
ManagerId         = { from = 'manager.value', link = "staff" }
"#;

/// What is listed of an event.
async fn end(story: &Story, set: &Set) -> (String, String) {
    let event = listed(&story.world, set.jti()).await;
    let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
    (text("state"), text("reason"))
}

/// The second in which the story begins. What happens when is counted from there, however long it takes to tell.
fn beginning(story: &Story) -> i64 {
    story.of("misc:nothing", "nobody", json!({})).claims["iat"].as_i64().unwrap()
}

/// It happened then.
fn at(second: i64, set: Set) -> Set {
    set.with("toe", json!(second))
}

async fn without_api() -> Story {
    Story::with(|section| drop(section.remove("publisher"))).await
}

fn with_version(mut said: Value, version: i64) -> Value {
    said["version"] = json!(format!("W/\"{version}\""));
    said
}

fn notice() -> Value {
    json!({"attributes": ["title"]})
}

/// Who has what in Salesforce is decided by Gangway's own Groups and rules: a publisher makes nobody an administrator.
#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_gives_and_takes_no_entitlement() {
    let story = Story::begin().await;
    let administrator = story.org.profile("System Administrator").await;
    let asks = json!([{"value": "System Administrator", "type": "Profile"}, {"value": "building-7"}]);
    let mut made = resource("ada", "Pilot");
    made["entitlements"] = asks.clone();
    made["roles"] = json!([{"value": "CEO"}]);
    story.pushed(&story.of("prov:create:full", "ada", json!({"data": made}))).await;
    assert_eq!(story.user("ada").await["Title"], "Pilot");
    let profile = story.user("ada").await["ProfileId"].clone();
    assert_ne!(profile, administrator);
    for (number, operation) in (1..).zip([
        json!({"op": "add", "path": "entitlements", "value": asks}),
        json!({"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:Entitlements", "value": asks}),
        json!({"op": "replace", "value": {"ENTITLEMENTS": asks, "title": "Captain"}}),
        json!({"op": "replace", "path": "groups", "value": []}),
        json!({"op": "replace", "path": "meta.lastModified", "value": "2026-01-01T00:00:00Z"}),
        json!({"op": "remove", "path": "roles"}),
    ]) {
        let set = story.of("prov:patch:full", "ada", json!({"data": {"Operations": [operation]}}));
        story.pushed(&set.clone().later(number)).await;
        assert_eq!(end(&story, &set).await.0, "applied", "{operation}");
        assert_eq!(story.user("ada").await["ProfileId"], profile, "{operation}");
    }
    assert_eq!(story.user("ada").await["Title"], "Captain");
    // Nor by what is read of it.
    made["id"] = json!("bob");
    made["userName"] = json!("bob@acme.example");
    story.publisher.resource("/Users/bob", &made);
    story.pushed(&story.of("prov:create:notice", "bob", notice())).await;
    assert_ne!(story.user("bob").await["ProfileId"], administrator);
}

/// `manager.value` is the publisher's id.
#[tokio::test(flavor = "multi_thread")]
async fn a_manager_is_whom_the_publisher_calls_so() {
    let story = Story::of_scene(&scene("").with_file("staff.toml", STAFF), |section| {
        section.insert("mapping".to_owned(), Toml::from("staff.toml"));
    })
    .await;
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    story.pushed(&story.of("prov:create:full", "noor", json!({"data": resource("noor", "Head")}))).await;
    story.pushed(&story.of("prov:create:full", "omar", json!({"data": resource("omar", "Head")}))).await;
    let mut made = resource("ada", "Pilot");
    made[urn] = json!({"manager": {"value": "noor", "$ref": "https://idm.example.com/scim/v2/Users/noor"}});
    story.pushed(&story.of("prov:create:full", "ada", json!({"data": made}))).await;
    assert_eq!(story.user("ada").await["ManagerId"], story.user("noor").await["Id"]);
    let change = patch(&format!("{urn}:manager"), json!({"value": "omar"}));
    story.pushed(&story.of("prov:patch:full", "ada", change).later(1)).await;
    assert_eq!(story.user("ada").await["ManagerId"], story.user("omar").await["Id"]);
}

/// Nobody is deleted because something in between answers 404.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_publisher_itself_says_that_somebody_is_gone() {
    let story = Story::begin().await;
    let began = beginning(&story);
    story.pushed(&story.of("prov:create:full", "ada", json!({"data": resource("ada", "Pilot")}))).await;
    let html = vec![("content-type".to_owned(), "text/html".to_owned())];
    for fault in [Reply::Answer(404, html, "<html>no route</html>".to_owned()), Reply::status(410, "{}")] {
        story.publisher.scim_fault(Some(fault));
        let set = story.of("prov:put:notice", "ada", notice()).later(1);
        let _ = story.push(&set).await.expect(503);
        assert_eq!(story.user("ada").await["IsActive"], true);
    }
    story.publisher.scim_fault(None);
    let set = story.of("prov:put:notice", "ada", notice()).later(1);
    story.pushed(&set).await;
    let (state, reason) = end(&story, &set).await;
    assert!(state == "applied" && reason.contains("does not have it"), "{state}: {reason}");
    assert_eq!(story.user("ada").await["IsActive"], false);
    // What happened before that comes too late.
    let late = at(began, story.of("prov:put:full", "ada", json!({"data": resource("ada", "Ghost")})));
    story.pushed(&late).await;
    assert_eq!(end(&story, &late).await.1, "stale-after-delete");
}

/// §2.6: the version that was fetched is known from then on.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_what_was_fetched_is_not_applied_over_it() {
    let story = Story::begin().await;
    let data = json!({"data": resource("ada", "One")});
    story.pushed(&story.of("prov:create:full", "ada", with_version(data, 1))).await;
    let mut current = resource("ada", "Seven");
    current["meta"] = json!({"version": "W/\"7\""});
    story.publisher.resource("/Users/ada", &current);
    let five = with_version(patch("title", json!("Five")), 5);
    story.pushed(&story.of("prov:patch:full", "ada", five).later(1)).await;
    assert_eq!((story.user("ada").await["Title"].clone(), story.fetches("ada")), (json!("Seven"), 1));
    let six = with_version(patch("title", json!("Six")), 6);
    story.pushed(&story.of("prov:patch:full", "ada", six).later(2)).await;
    assert_eq!((story.user("ada").await["Title"].clone(), story.fetches("ada")), (json!("Seven"), 2));
    let eight = with_version(patch("title", json!("Eight")), 8);
    story.pushed(&story.of("prov:patch:full", "ada", eight).later(3)).await;
    assert_eq!((story.user("ada").await["Title"].clone(), story.fetches("ada")), (json!("Eight"), 2));
}

/// §2.6: where nobody can be asked, a gap cannot be closed: many a version is that of an event which does not say so.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_publisher_a_gap_stops_nothing_and_what_is_late_waits_for_a_person() {
    let story = without_api().await;
    let data = json!({"data": resource("ada", "One")});
    story.pushed(&story.of("prov:create:full", "ada", with_version(data, 1))).await;
    // The second and the third one.
    story.pushed(&story.of("prov:deactivate", "ada", json!({})).later(2)).await;
    story.pushed(&story.of("prov:activate", "ada", json!({})).later(3)).await;
    let fourth = with_version(patch("title", json!("Four")), 4);
    let fourth = story.of("prov:patch:full", "ada", fourth).later(4);
    story.pushed(&fourth).await;
    let (state, reason) = end(&story, &fourth).await;
    assert!(state == "applied" && reason.contains("has not been heard of"), "{state}: {reason}");
    let user = story.user("ada").await;
    assert_eq!((&user["Title"], &user["IsActive"]), (&json!("Four"), &json!(true)));

    let late = [
        with_version(patch("title", json!("Three")), 3),
        with_version(json!({"data": resource("ada", "Three")}), 3),
    ];
    for (kind, said) in ["prov:patch:full", "prov:put:full"].into_iter().zip(late) {
        let set = story.of(kind, "ada", said).later(9);
        story.pushed(&set).await;
        let (state, reason) = end(&story, &set).await;
        assert!(state == "dead" && reason.contains("by hand"), "{state}: {reason}");
        // However often it is tried.
        let _ = ask(&story.world.config_file(), &["events", "retry", set.jti()]).await;
        until("the same end", || async { end(&story, &set).await.0 == "dead" }).await;
    }
    assert_eq!(story.user("ada").await["Title"], "Four");
    // A notice says nothing that could be applied.
    let late = story.of("prov:put:notice", "ada", notice()).later(3);
    story.pushed(&late).await;
    assert_eq!(end(&story, &late).await, ("ignored".to_owned(), "no-publisher".to_owned()));
}

/// §0.3: whether somebody is active is a matter of its own.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_publisher_a_leaver_leaves_whatever_else_was_told_since() {
    let story = without_api().await;
    let began = beginning(&story);
    story
        .pushed(&at(began, story.of("prov:create:full", "ada", json!({"data": resource("ada", "One")}))))
        .await;
    story.pushed(&at(began + 9, story.of("prov:patch:full", "ada", patch("title", json!("Two"))))).await;
    story.pushed(&at(began + 8, story.of("prov:deactivate", "ada", json!({})))).await;
    let user = story.user("ada").await;
    assert_eq!((&user["Title"], &user["IsActive"]), (&json!("Two"), &json!(false)));
    // What was said of that before comes too late.
    let late = at(began + 7, story.of("prov:activate", "ada", json!({})));
    story.pushed(&late).await;
    assert_eq!(end(&story, &late).await, ("ignored".to_owned(), "stale".to_owned()));
    let late = at(began + 7, story.of("prov:patch:full", "ada", patch("active", json!(true))));
    story.pushed(&late).await;
    assert_eq!(end(&story, &late).await.0, "dead");
    assert_eq!(story.user("ada").await["IsActive"], false);
    story.pushed(&at(began + 10, story.of("prov:activate", "ada", json!({})))).await;
    assert_eq!(story.user("ada").await["IsActive"], true);
}

/// Who has left the feed is not deleted by that; and may be, or be in it again, in the same second.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_the_feed_is_not_deleted_yet() {
    let story = Story::begin().await;
    let began = beginning(&story);
    for (name, next, is_back) in
        [("ada", "prov:delete", false), ("bob", "prov:activate", true), ("cleo", "feed:add", true)]
    {
        story.publisher.resource(&format!("/Users/{name}"), &resource(name, "Pilot"));
        story
            .pushed(&at(began, story.of("prov:create:full", name, json!({"data": resource(name, "Pilot")}))))
            .await;
        story.pushed(&at(began + 5, story.of("feed:remove", name, json!({})))).await;
        assert_eq!(story.user(name).await["IsActive"], false);
        // What carries values does not bring him back.
        let late = at(began + 5, story.of("prov:put:full", name, json!({"data": resource(name, "Ghost")})));
        story.pushed(&late).await;
        assert_eq!(end(&story, &late).await.1, "stale-after-leaving");
        let set = at(began + 5, story.of(next, name, json!({})));
        story.pushed(&set).await;
        assert_eq!(end(&story, &set).await.0, "applied", "{next}");
        assert_eq!(story.user(name).await["IsActive"], is_back, "{next}");
    }
    // Nobody knows her any more.
    let again = at(began + 6, story.of("prov:deactivate", "ada", json!({})));
    story.pushed(&again).await;
    assert_eq!(end(&story, &again).await.1, "nobody by this id was known");
}

/// §0.3 and B-11: what is fetched about one person is applied in the order in which it was given, and others go on.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b11_what_is_polled_about_one_person_is_applied_in_its_order() {
    for acknowledge in ["sync", "stored"] {
        let polled = |section: &mut toml::Table| {
            let jwks = section["jwks-uri"].as_str().unwrap().to_owned();
            let url = jwks.replace("/jwks", "/poll");
            section.remove("authorization");
            section.remove("publisher");
            section.insert("delivery".to_owned(), Toml::from("poll"));
            section.insert("poll-url".to_owned(), Toml::from(url));
            section.insert("acknowledge".to_owned(), Toml::from(acknowledge));
        };
        let story = Story::with(polled).await;
        // All of it happens within one second, and is there at once.
        story.publisher.poll_fault(Some(Reply::status(503, "{}")));
        let names: Vec<String> = (0..8).map(|number| format!("n{number}")).collect();
        for name in &names {
            story.publisher.queue(&story.of(
                "prov:create:full",
                name,
                json!({"data": resource(name, "One")}),
            ));
        }
        for name in &names {
            for title in ["Two", "Three"] {
                story.publisher.queue(&story.of("prov:patch:full", name, patch("title", json!(title))));
            }
            story.publisher.queue(&story.of("prov:deactivate", name, json!({})));
        }
        story.publisher.poll_fault(None);
        until("the end of the queue", || async { story.publisher.waiting() == 0 }).await;
        for name in &names {
            until("the last of each", || async {
                let users = story.org.users(&format!("{name}@acme.example")).await;
                users.len() == 1 && users[0]["Title"] == "Three" && users[0]["IsActive"] == false
            })
            .await;
        }
    }
}

/// `gangway events send-test`.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_can_try_whether_scim_events_arrive() {
    let story = Story::begin().await;
    let calls = story.org.calls().await.api;
    let to = format!("{}/events/scim-events/acme/prod", story.world.url());
    let said = ask(&story.world.config_file(), &["events", "send-test", "scim-events", "--url", &to]).await;
    assert_eq!(said["status"], 202, "{said}");
    let event = listed(&story.world, said["jti"].as_str().unwrap()).await;
    assert_eq!((&event["state"], &event["reason"]), (&json!("ignored"), &json!("event-type")));
    assert_eq!(story.org.calls().await.api, calls);
}
