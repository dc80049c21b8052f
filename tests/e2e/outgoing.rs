//! Events out: what Gangway changed is told to receivers (RFC 8935, RFC 8936, RFC 9967).

use std::time::Duration;

use e2e::{
    Tool, World,
    receiver::{Receiver, claims, verify},
    world::{environment, sha256},
};
use serde_json::{Value, json};
use toml::Table;

const PREFIX: &str = "urn:ietf:params:scim:event:";
const STREAM_UPDATED: &str = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated";

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn receivers(config: &mut Table, text: &str) {
    let section: Table = toml::from_str(text).unwrap();
    environment(config).extend(section);
}

async fn with_push(receiver: &Receiver, more: &str) -> World {
    World::with(|config| {
        let text = format!("[[receivers]]\nname = \"idm\"\nurl = \"{}\"\n{more}", receiver.url);
        receivers(config, &text);
    })
    .await
}

async fn with_poll() -> World {
    World::with(|config| {
        let hash = sha256("poll-token");
        receivers(config, &format!("[[receivers]]\nname = \"idm\"\ntoken-sha256 = [\"{hash}\"]\n"));
    })
    .await
}

/// The one event of a token: its name behind the prefix, and its payload.
fn event(claims: &Value) -> (String, Value) {
    let events = claims["events"].as_object().unwrap();
    let [(uri, payload)] = events.iter().collect::<Vec<_>>()[..] else { panic!("{claims}") };
    let name = uri.strip_prefix(PREFIX).unwrap_or_else(|| panic!("{uri} is spelt differently"));
    (name.to_owned(), payload.clone())
}

fn names(taken: &[Value]) -> Vec<String> {
    taken.iter().map(|claims| event(claims).0).collect()
}

async fn taken(receiver: &Receiver, count: usize) -> Vec<Value> {
    until("the events", async || Some(receiver.taken()).filter(|taken| taken.len() >= count)).await
}

fn user(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name,
        "name": {"familyName": "Lovelace"}, "emails": [{"value": name, "primary": true}],
    })
}

async fn key_set(world: &World) -> Value {
    let url = format!("{}/events/out/acme/prod", world.url());
    Tool::new(&url, "").get("/jwks.json").await.expect(200).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_changed_and_taken_away_is_told_in_order_and_signed() {
    let receiver = Receiver::start();
    let world = with_push(&receiver, "").await;
    let tool = world.tool();
    let ada = tool.create("ada@acme.example").await.expect(201).id();
    let path = format!("/Users/{ada}");
    let titled = json!([{"op": "replace", "path": "title", "value": "Countess"}]);
    let _ = tool.patch(&path, titled.clone()).await.expect(200);
    // What changes nothing is not told.
    let _ = tool.patch(&path, titled).await.expect(200);
    let _ = tool.delete(&path).await.expect(204);
    let events = taken(&receiver, 3).await;
    assert_eq!(names(&events), ["prov:create:notice", "prov:put:notice", "prov:delete"]);
    let keys = key_set(&world).await;
    for pushed in receiver.pushed() {
        verify(&pushed.token, &keys);
    }
    let put = &events[1];
    assert_eq!(put["sub_id"]["format"], "scim");
    assert_eq!(put["sub_id"]["uri"], path);
    assert_eq!((put.get("sub"), put.get("exp")), (None, None));
    let attributes = event(put).1["attributes"].clone();
    assert!(attributes.as_array().unwrap().contains(&json!("title")), "{put}");
    assert_eq!(event(put).1.get("data"), None);
    assert_eq!(event(&events[2]).1, json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_may_have_the_whole_resource_and_only_what_it_wants() {
    let receiver = Receiver::start();
    let more = "content = \"full\"\nevents = [\"create\"]\naudience = \"idm\"\nissuer = \"https://scim.acme.example\"";
    let world = with_push(&receiver, more).await;
    let ada = world.tool().create("ada@acme.example").await.expect(201).id();
    taken(&receiver, 1).await;
    let _ = world.tool().delete(&format!("/Users/{ada}")).await.expect(204);
    let _ = world.tool().create("bob@acme.example").await.expect(201);
    let events = taken(&receiver, 2).await;
    assert_eq!(names(&events), ["prov:create:full", "prov:create:full"]);
    let data = &event(&events[1]).1["data"];
    assert_eq!(data["userName"], "bob@acme.example");
    assert_eq!(events[1]["aud"], json!(["idm"]));
    assert_eq!(events[1]["iss"], "https://scim.acme.example");
    let config = world.tool().get("/ServiceProviderConfig").await.expect(200).json();
    let told = json!({"asyncRequest": "none", "eventUris": [format!("{PREFIX}prov:create:full")]});
    assert_eq!(config["securityEvents"], told);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_receivers_nothing_is_promised() {
    let world = World::start().await;
    let config = world.tool().get("/ServiceProviderConfig").await.expect(200).json();
    assert_eq!(config.get("securityEvents"), None);
    let out = Tool::new(&format!("{}/events/out/acme/prod", world.url()), "");
    let _ = out.get("/jwks.json").await.expect(404);
    let _ = out.post("/idm", &json!({})).await.expect(404);
}

/// The receiver is down for a while: it gets everything later, in order, also over a restart.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b12_a_receiver_that_was_down_gets_everything_later_in_order() {
    let receiver = Receiver::start();
    let mut world = with_push(&receiver, "").await;
    receiver.answers(503, Value::Null);
    let tool = world.tool();
    let mut ada = user("ada@acme.example");
    ada["externalId"] = json!("E-ada");
    let ada = tool.post("/Users", &ada).await.expect(201).id();
    let path = format!("/Users/{ada}");
    until("a first attempt", async || (!receiver.pushed().is_empty()).then_some(())).await;
    let _ =
        tool.patch(&path, json!([{"op": "replace", "path": "title", "value": "Countess"}])).await.expect(200);
    let _ = tool.delete(&path).await.expect(204);
    world.advance(Duration::from_mins(10));
    world.restart().await;
    receiver.answers(202, Value::Null);
    world.advance(Duration::from_mins(10));
    let events = taken(&receiver, 3).await;
    assert_eq!(names(&events), ["prov:create:notice", "prov:put:notice", "prov:delete"]);
    for told in &events {
        assert_eq!(told["sub_id"]["externalId"], "E-ada", "also of one who is gone: {told}");
    }
    let named = |told: &Value| event(told).1["attributes"].as_array().unwrap().contains(&json!("title"));
    assert_eq!((named(&events[0]), named(&events[1])), (false, true), "each as it was then");
    // The jti of what was sent before is the same, so that a receiver knows it.
    let jtis: Vec<Value> =
        receiver.pushed().iter().map(|pushed| claims(&pushed.token)["jti"].clone()).collect();
    assert!(jtis.windows(2).all(|pair| pair[0].as_str() <= pair[1].as_str()), "{jtis:?}");
}

/// A receiver that has been away for 7 days hears that nothing is sent to it any more, once it can hear.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b12_a_receiver_that_is_given_up_is_told_so_and_gets_everything_after_the_next_start() {
    let receiver = Receiver::start();
    let mut world = with_push(&receiver, "").await;
    receiver.answers(503, Value::Null);
    let ada = world.tool().create("ada@acme.example").await.expect(201).id();
    // By the second attempt it is known since when the receiver is away.
    until("a second attempt", async || {
        world.advance(Duration::from_mins(1));
        (receiver.pushed().len() > 1).then_some(())
    })
    .await;
    world.advance(Duration::from_hours(8 * 24));
    // The attempt by which it is given up, and the first to tell so.
    let of_all = |receiver: &Receiver| -> Vec<Value> {
        receiver.pushed().iter().map(|pushed| claims(&pushed.token)).collect()
    };
    let is_paused = |claims: &Value| claims["events"].get(STREAM_UPDATED).is_some();
    until("it is given up", async || of_all(&receiver).iter().any(is_paused).then_some(())).await;
    receiver.answers(202, Value::Null);
    world.advance(Duration::from_hours(7));
    let told = taken(&receiver, 1).await;
    assert_eq!(told[0]["events"][STREAM_UPDATED]["status"], "paused");
    assert_eq!(told[0]["sub_id"], json!({"format": "opaque", "id": "acme/prod/idm"}));
    verify(&receiver.pushed().last().unwrap().token, &key_set(&world).await);
    let jtis: Vec<Value> = of_all(&receiver)
        .iter()
        .filter(|claims| is_paused(claims))
        .map(|claims| claims["jti"].clone())
        .collect();
    assert!(jtis.len() > 1 && jtis.iter().all(|jti| *jti == jtis[0]), "it is one event: {jtis:?}");
    world.restart().await;
    let events = taken(&receiver, 2).await;
    assert_eq!(events[1]["sub_id"]["uri"], format!("/Users/{ada}"));
    assert_eq!(event(&events[1]).0, "prov:create:notice");
}

/// What a receiver refuses for good is not sent for ever, and stands in its status.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b12_a_refusal_for_good_is_counted_and_the_next_follows() {
    let receiver = Receiver::start();
    let world = with_push(&receiver, "").await;
    receiver.answers(400, json!({"err": "invalid_audience", "description": "not me"}));
    let _ = world.tool().create("ada@acme.example").await.expect(201);
    until("the refusal", async || (!receiver.pushed().is_empty()).then_some(())).await;
    receiver.answers(202, Value::Null);
    let bob = world.tool().create("bob@acme.example").await.expect(201).id();
    let events = taken(&receiver, 1).await;
    assert_eq!(events[0]["sub_id"]["uri"], format!("/Users/{bob}"));
    let sent: Vec<Value> =
        receiver.pushed().iter().map(|pushed| claims(&pushed.token)["jti"].clone()).collect();
    assert_eq!(sent.len(), 2, "once each: {sent:?}");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["--output", "json", "events", "receivers", "--config"])
        .arg(world.config_file())
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let status = &said["receivers"][0];
    assert_eq!((&status["name"], &status["refused"]), (&json!("idm"), &json!(1)));
    assert_eq!(status["refusal"], "invalid_audience");
}

/// After a rotation the old key is still in the set.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b12_a_key_is_published_before_it_signs_and_after() {
    let receiver = Receiver::start();
    let world = with_push(&receiver, "").await;
    let tool = world.tool();
    let _ = tool.create("first@acme.example").await.expect(201);
    taken(&receiver, 1).await;
    let kid = |token: &str| {
        let header = token.split('.').next().unwrap();
        let header =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].clone()
    };
    let first = kid(&receiver.pushed()[0].token);
    assert_eq!(key_set(&world).await["keys"].as_array().unwrap().len(), 1);
    // Shortly before its end the next one is published, and does not sign yet.
    world.advance(Duration::from_hours(89 * 24 + 1));
    assert_eq!(key_set(&world).await["keys"].as_array().unwrap().len(), 2);
    let _ = tool.create("second@acme.example").await.expect(201);
    taken(&receiver, 2).await;
    assert_eq!(kid(&receiver.pushed()[1].token), first);
    world.advance(Duration::from_hours(48));
    let _ = tool.create("third@acme.example").await.expect(201);
    taken(&receiver, 3).await;
    let third = receiver.pushed()[2].token.clone();
    assert_ne!(kid(&third), first);
    let keys = key_set(&world).await;
    verify(&third, &keys);
    verify(&receiver.pushed()[0].token, &keys);
    world.advance(Duration::from_hours(8 * 24));
    assert_eq!(key_set(&world).await["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_polls_gets_what_it_has_not_acknowledged() {
    let world = with_poll().await;
    let url = format!("{}/events/out/acme/prod", world.url());
    let stranger = Tool::new(&url, "another-token");
    let _ = stranger.post("/idm", &json!({"returnImmediately": true})).await.expect(401);
    let idm = Tool::new(&url, "poll-token");
    let poll = async |body: Value| idm.post("/idm", &body).await.expect(200).json();
    for name in ["ada", "bob", "cleo"] {
        let _ = world.tool().create(&format!("{name}@acme.example")).await.expect(201);
    }
    let first = poll(json!({"maxEvents": 2, "returnImmediately": true})).await;
    let sets = first["sets"].as_object().unwrap().clone();
    assert_eq!((sets.len(), &first["moreAvailable"]), (2, &json!(true)));
    let keys = key_set(&world).await;
    for (jti, token) in &sets {
        verify(token.as_str().unwrap(), &keys);
        assert_eq!(claims(token.as_str().unwrap())["jti"], json!(jti));
    }
    let only_acknowledges = poll(json!({"maxEvents": 0})).await;
    assert_eq!(only_acknowledges, json!({"sets": {}, "moreAvailable": true}));
    let again = poll(json!({"maxEvents": 2, "returnImmediately": true})).await;
    assert_eq!(
        again["sets"].as_object().unwrap().keys().collect::<Vec<_>>(),
        sets.keys().collect::<Vec<_>>()
    );
    let [one, two] = sets.keys().collect::<Vec<_>>()[..] else { panic!("{sets:?}") };
    let errors = json!({two: {"err": "invalid_key", "description": "unknown"}});
    let rest = poll(json!({"ack": [one], "setErrs": errors, "returnImmediately": true})).await;
    assert_eq!((rest["sets"].as_object().unwrap().len(), &rest["moreAvailable"]), (1, &json!(false)));
    let last: Vec<&String> = rest["sets"].as_object().unwrap().keys().collect();
    let nothing = poll(json!({"ack": last, "maxEvents": 0})).await;
    assert_eq!(nothing, json!({"sets": {}, "moreAvailable": false}));
    // It waits for what comes.
    let waiting = tokio::spawn({
        let idm = idm.clone();
        async move { idm.post("/idm", &json!({})).await.expect(200).json() }
    });
    let _ = world.tool().create("dora@acme.example").await.expect(201);
    assert_eq!(waiting.await.unwrap()["sets"].as_object().unwrap().len(), 1);
}

/// Every event tells what was then, under the same name, however late and however often it is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_polls_late_hears_of_each_change_as_it_was() {
    let world = World::with(|config| {
        let (hash, other) = (sha256("poll-token"), sha256("other-token"));
        let text = format!(
            "[[receivers]]\nname = \"idm\"\ntoken-sha256 = [\"{hash}\"]\ncontent = \"full\"\n\
             [[receivers]]\nname = \"leavers\"\ntoken-sha256 = [\"{other}\"]\nevents = [\"delete\"]\n"
        );
        receivers(config, &text);
    })
    .await;
    let url = format!("{}/events/out/acme/prod", world.url());
    let (idm, leavers) = (Tool::new(&url, "poll-token"), Tool::new(&url, "other-token"));
    let tool = world.tool();
    let ada = tool.create("ada@acme.example").await.expect(201).id();
    let path = format!("/Users/{ada}");
    for title in ["One", "Two"] {
        let titled = json!([{"op": "replace", "path": "title", "value": title}]);
        let _ = tool.patch(&path, titled).await.expect(200);
    }
    let told = async || {
        let sets =
            idm.post("/idm", &json!({"returnImmediately": true})).await.expect(200).json()["sets"].clone();
        let sets = sets.as_object().unwrap().values().map(|token| claims(token.as_str().unwrap()));
        let mut told: Vec<Value> = sets.collect();
        told.sort_by_key(|claims| claims["jti"].as_str().unwrap().to_owned());
        told
    };
    let before = told().await;
    let titles: Vec<Value> = before.iter().map(|claims| event(claims).1["data"]["title"].clone()).collect();
    assert_eq!(titles, [Value::Null, json!("One"), json!("Two")]);
    let versions: Vec<Value> = before.iter().map(|claims| event(claims).1["version"].clone()).collect();
    assert_eq!(versions, [json!("W/\"1\""), json!("W/\"2\""), json!("W/\"3\"")]);
    for claims in &before {
        let said = event(claims).1;
        assert_eq!(said["data"]["meta"]["version"], said["version"]);
    }
    let _ = tool.delete(&path).await.expect(204);
    let after = told().await;
    assert_eq!(after[..3], before[..], "the same name has the same content");
    assert_eq!(names(&after)[3], "prov:delete");
    // What a receiver does not want fills no answer.
    let wanted = json!({"maxEvents": 2, "returnImmediately": true});
    let leavers = leavers.post("/leavers", &wanted).await.expect(200).json();
    assert_eq!((leavers["sets"].as_object().unwrap().len(), &leavers["moreAvailable"]), (1, &json!(false)));
}

/// `Prefer: respond-async`: 202 without a body, and one event with the name that was given.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b13_the_end_of_an_asynchronous_request_is_told_under_its_txn() {
    let receiver = Receiver::start();
    let world = with_push(&receiver, "events = [\"asyncresp\"]").await;
    let tool = world.tool();
    let config = tool.get("/ServiceProviderConfig").await.expect(200).json();
    let told = json!({"asyncRequest": "request", "eventUris": [format!("{PREFIX}misc:asyncresp")]});
    assert_eq!(config["securityEvents"], told);
    let ada = tool.create("ada@acme.example").await.expect(201).id();
    let path = format!("/Users/{ada}");
    let headers = [("prefer", "respond-async"), ("content-type", "application/scim+json")];
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "ada@acme.example",
        "name": {"familyName": "Lovelace"}, "title": "Countess",
        "emails": [{"value": "ada@acme.example", "primary": true}],
    });
    let accepted = tool.send("PUT", &path, &headers, Some(body.to_string().into_bytes())).await.unwrap();
    let accepted = accepted.expect(202);
    assert_eq!(accepted.text, "");
    assert_eq!(accepted.header("preference-applied"), Some("respond-async"));
    let txn = accepted.header("set-txn").unwrap().to_owned();
    assert!(accepted.header("location").unwrap().ends_with(&path));
    let events = taken(&receiver, 1).await;
    assert_eq!(events[0]["txn"], json!(txn));
    let (name, operation) = event(&events[0]);
    assert_eq!(name, "misc:asyncresp");
    assert_eq!((&operation["method"], &operation["status"]), (&json!("PUT"), &json!("200")));
    assert_eq!(operation["location"], json!(path));
    // One that fails is told as well.
    let mut wrong = body;
    wrong["title"] = json!("x".repeat(200));
    let accepted = tool.send("PUT", &path, &headers, Some(wrong.to_string().into_bytes())).await.unwrap();
    let txn = accepted.expect(202).header("set-txn").unwrap().to_owned();
    let events = taken(&receiver, 2).await;
    assert_eq!(events[1]["txn"], json!(txn));
    let operation = event(&events[1]).1;
    assert_eq!(operation["status"], "400");
    let detail = operation["response"]["detail"].as_str().unwrap();
    assert!(detail.starts_with("Salesforce would refuse this: "), "in full: {detail}");
    assert_eq!(events.len(), 2, "one each: {events:?}");
}

/// A bulk request of three: three events, counted from 0, also for what fails at once.
#[tokio::test(flavor = "multi_thread")]
async fn ssf_b13_each_operation_of_a_bulk_request_is_told() {
    let receiver = Receiver::start();
    let world = with_push(&receiver, "events = [\"asyncresp\"]").await;
    let tool = world.tool();
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {"method": "POST", "path": "/Users", "bulkId": "a", "data": user("ada@acme.example")},
            {"method": "PATCH", "path": "/Users/nobody", "data": {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "replace", "path": "title", "value": "x"}],
            }},
            {"method": "POST", "path": "/Users", "bulkId": "c", "data": user("cleo@acme.example")},
        ],
    });
    let headers = [("prefer", "respond-async"), ("content-type", "application/scim+json")];
    let accepted = tool.send("POST", "/Bulk", &headers, Some(body.to_string().into_bytes())).await.unwrap();
    let accepted = accepted.expect(202);
    assert_eq!(accepted.text, "");
    let txn = accepted.header("set-txn").unwrap().to_owned();
    let mut events = taken(&receiver, 3).await;
    events.sort_by_key(|claims| claims["txn"].as_str().unwrap().to_owned());
    let told: Vec<(String, String)> = events
        .iter()
        .map(|claims| {
            (
                claims["txn"].as_str().unwrap().to_owned(),
                event(claims).1["status"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [(0, "201"), (1, "404"), (2, "201")]
        .map(|(place, status)| (format!("{txn}:{place}"), status.to_owned()));
    assert_eq!(told, expected);
    assert_eq!(event(&events[0]).1["bulkId"], "a");
}

/// RFC 7644 §3.7: no more is done than may be, though its caller would rather not wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_request_that_ends_with_its_first_error_is_not_asynchronous() {
    let receiver = Receiver::start();
    let world = with_push(&receiver, "events = [\"asyncresp\"]").await;
    let make = |name: &str, title: String| {
        let mut user = user(&format!("{name}@acme.example"));
        user["title"] = json!(title);
        json!({"method": "POST", "path": "/Users", "bulkId": name, "data": user})
    };
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "failOnErrors": 1,
        "Operations": [make("ada", "Pilot".into()), make("bob", "x".repeat(200)), make("cleo", "Pilot".into())],
    });
    let headers = [("prefer", "respond-async"), ("content-type", "application/scim+json")];
    let body = Some(body.to_string().into_bytes());
    let answer = world.tool().send("POST", "/Bulk", &headers, body).await.unwrap().expect(200);
    assert_eq!((answer.header("preference-applied"), answer.header("set-txn")), (None, None));
    let results = answer.json()["Operations"].as_array().unwrap().clone();
    let statuses: Vec<_> = results.iter().map(|result| result["status"].clone()).collect();
    assert_eq!(statuses, ["201", "400"], "{results:?}");
    assert!(world.org().users("cleo@acme.example").await.is_empty());
}
