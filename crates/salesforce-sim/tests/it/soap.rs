//! SOAP: `login()` as simple-salesforce and jsforce call it, and what needs a session.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::world::{Answer, V, World};

const ADMIN: &str = "admin@harbour-lights.example";

/// The envelope that simple-salesforce sends.
fn login(username: &str, password: &str) -> String {
    format!(
        r#"<?xml version="1.0" encoding="utf-8" ?>
        <env:Envelope xmlns:xsd="http://www.w3.org/2001/XMLSchema"
                      xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
                      xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"
                      xmlns:urn="urn:partner.soap.sforce.com">
            <env:Header><urn:CallOptions><urn:client>simple-salesforce</urn:client></urn:CallOptions></env:Header>
            <env:Body>
                <n1:login xmlns:n1="urn:partner.soap.sforce.com">
                    <n1:username>{username}</n1:username><n1:password>{password}</n1:password>
                </n1:login>
            </env:Body>
        </env:Envelope>"#
    )
}

fn with_session(session: &str, operation: &str) -> String {
    format!(
        r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com">
        <soapenv:Header><SessionHeader><sessionId>{session}</sessionId></SessionHeader></soapenv:Header>
        <soapenv:Body>{operation}</soapenv:Body></soapenv:Envelope>"#
    )
}

fn post(world: &World, path: &str, body: String) -> RequestBuilder {
    let url = format!("{}/services/Soap{path}", world.sim.url());
    world
        .http
        .request(Method::POST, url)
        .header("content-type", "text/xml")
        .header("SOAPAction", "\"\"")
        .body(body)
}

async fn call(world: &World, path: &str, body: String) -> Answer {
    world.send(post(world, path, body)).await
}

/// The text of the first element of this name, with its prefix.
fn text<'a>(answer: &'a Answer, name: &str) -> &'a str {
    let found = answer.text.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once("</"));
    found.unwrap_or_else(|| panic!("no {name} in {}", answer.text)).0
}

#[track_caller]
fn assert_fault(answer: &Answer, code: &str, message: &str) {
    assert_eq!(answer.status, 500, "{}", answer.text);
    assert_eq!(text(answer, "sf:exceptionCode"), code);
    assert_eq!(text(answer, "sf:exceptionMessage"), message);
    assert_eq!(text(answer, "faultcode"), format!("sf:{code}"));
    assert_eq!(text(answer, "faultstring"), format!("{code}: {message}"));
}

#[tokio::test]
async fn a_wrong_password_is_the_recorded_fault() {
    let world = World::start().await;
    for (username, password) in [(ADMIN, "nope"), ("nobody@example.com", "simulated-password"), (ADMIN, "")] {
        let answer = call(&world, "/u/59.0", login(username, password)).await;
        let message = "Invalid username, password, security token; or user locked out.";
        assert_fault(&answer, "INVALID_LOGIN", message);
        assert!(answer.text.contains("<sf:LoginFault xsi:type=\"sf:LoginFault\">"));
        assert_eq!(answer.header("content-type"), "text/xml;charset=UTF-8");
    }
}

#[tokio::test]
async fn a_login_gives_a_session_for_the_data_api() {
    let mut world = World::start().await;
    for (path, password) in
        [("/u/66.0", "simulated-password"), ("/c/52.0", "simulated-passwordsimulatedtoken")]
    {
        let answer = call(&world, path, login(&ADMIN.to_uppercase(), password)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        world.token = text(&answer, "sessionId").to_owned();
        let user = text(&answer, "userId").to_owned();
        let short = &world.token[..15];
        assert_eq!(text(&answer, "serverUrl"), format!("{}/services/Soap{path}/{short}", world.sim.url()));
        assert!(text(&answer, "metadataServerUrl").contains("/services/Soap/m/"));
        assert_eq!(text(&answer, "passwordExpired"), "false");
        assert_eq!(text(&answer, "organizationName"), "Harbour Lights Trading");
        let me = world.get(&format!("{V}/sobjects/User/{user}")).await.expect(200);
        assert_eq!(me["Username"], ADMIN);
    }
}

#[tokio::test]
async fn the_security_token_can_be_asked_for() {
    let world = World::from_file("[switches]\nsecurity-token-required = true\nsecurity-token = \"XY\"").await;
    let answer = call(&world, "/u/59.0", login(ADMIN, "simulated-password")).await;
    assert_eq!(text(&answer, "sf:exceptionCode"), "LOGIN_MUST_USE_SECURITY_TOKEN");
    assert_eq!(call(&world, "/u/59.0", login(ADMIN, "simulated-passwordXY")).await.status, 200);
}

#[tokio::test]
async fn users_can_have_a_password_of_their_own() {
    let file = "[[users]]\nusername = \"ada@example.com\"\npassword = \"s3cret&<\"";
    let world = World::from_file(file).await;
    let refused = call(&world, "/u/59.0", login("ada@example.com", "simulated-password")).await;
    assert_eq!(text(&refused, "sf:exceptionCode"), "INVALID_LOGIN");
    assert_eq!(call(&world, "/u/59.0", login("ada@example.com", "s3cret&amp;&lt;")).await.status, 200);
}

#[tokio::test]
async fn a_frozen_user_cannot_log_in() {
    let world = World::from_file("[[users]]\nusername = \"ada@example.com\"\nfrozen = true").await;
    let refused = call(&world, "/u/59.0", login("ada@example.com", "simulated-password")).await;
    assert_eq!(text(&refused, "sf:exceptionCode"), "INVALID_LOGIN");
}

#[tokio::test]
async fn versions_and_operations_that_do_not_exist_are_faults() {
    let world = World::start().await;
    let answer = call(&world, "/u/99.0", login(ADMIN, "simulated-password")).await;
    assert_fault(&answer, "UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL");
    let answer = call(&world, "/u/66.0", with_session(&world.token, "<fly/>")).await;
    assert_fault(&answer, "INVALID_OPERATION", "no operation available for request fly");
    let answer = call(&world, "/u/66.0", "{}".into()).await;
    assert_eq!(text(&answer, "sf:exceptionCode"), "INVALID_OPERATION");
    world.control("/switches", json!({"soap-login-newest": 64})).await;
    let answer = call(&world, "/u/65.0", login(ADMIN, "simulated-password")).await;
    assert_eq!(text(&answer, "sf:exceptionCode"), "UNSUPPORTED_API_VERSION");
    assert_eq!(call(&world, "/u/64.0", login(ADMIN, "simulated-password")).await.status, 200);
}

#[tokio::test]
async fn calls_with_a_session_count_and_say_so() {
    let world = World::start().await;
    let body = with_session("nope", "<getUserInfo/>");
    let answer = call(&world, "/u/66.0", body).await;
    assert_eq!(text(&answer, "sf:exceptionCode"), "INVALID_SESSION_ID");
    world.delete("/_sim/calls").await.expect(200);
    let id = world.token[..15].to_owned();
    let body = with_session(&world.token, "<getUserInfo/>");
    let answer = call(&world, &format!("/u/66.0/{id}"), body).await;
    assert_eq!(text(&answer, "userName"), "integration@harbour-lights.example");
    assert!(answer.text.contains("<LimitInfoHeader><limitInfo><current>1</current><limit>5000000</limit>"));
    let body = with_session(&world.token, "<getServerTimestamp/>");
    let answer = call(&world, "/u/66.0", body).await;
    assert!(text(&answer, "timestamp").ends_with('Z'));
    let calls = world.get("/_sim/calls").await.expect(200);
    assert_eq!(calls["by_request"], json!({"SOAP /getUserInfo": 1, "SOAP /getServerTimestamp": 1}));
}

#[tokio::test]
async fn a_logout_ends_the_session() {
    let world = World::start().await;
    let answer = call(&world, "/u/66.0", with_session(&world.token, "<logout/>")).await;
    assert_eq!(answer.status, 200);
    world.get(&format!("{V}/limits")).await.expect_error(401, "INVALID_SESSION_ID");
}

#[tokio::test]
async fn faults_strike_soap_in_its_own_words() {
    let world = World::start().await;
    let fault = json!({"path": "/Soap/u/66.0/getUserInfo", "kind": "status", "count": 1});
    world.control("/faults", fault).await;
    let answer = call(&world, "/u/66.0", with_session(&world.token, "<getUserInfo/>")).await;
    assert_eq!(text(&answer, "sf:exceptionCode"), "SERVER_UNAVAILABLE");
    world.control("/faults", json!({"path": "/Soap", "kind": "cut-after-commit", "count": 1})).await;
    let cut = post(&world, "/u/66.0", with_session(&world.token, "<getUserInfo/>")).send().await;
    assert!(cut.unwrap_err().is_request());
}

/// §9: lock contention. A lock fault strikes what an operation writes, and is no fault of the whole call.
#[tokio::test]
async fn a_lock_strikes_the_lead_that_is_converted() {
    let world = World::start().await;
    let lead = json!({"LastName": "Lovelace", "Company": "Engines"});
    let lead = world.post(&format!("{V}/sobjects/Lead"), lead).await.expect(201)["id"].clone();
    let convert = format!(
        "<convertLead><leadConverts><convertedStatus>Closed - Converted</convertedStatus><leadId>{}</leadId>\
         </leadConverts></convertLead>",
        lead.as_str().unwrap()
    );
    world.control("/faults", json!({"path": "/Soap", "kind": "lock", "count": 1})).await;
    let locked = call(&world, "/u/66.0", with_session(&world.token, &convert)).await;
    assert_eq!(
        (locked.status, text(&locked, "success"), text(&locked, "statusCode")),
        (200, "false", "UNABLE_TO_LOCK_ROW")
    );
    let done = call(&world, "/u/66.0", with_session(&world.token, &convert)).await;
    assert_eq!(text(&done, "success"), "true");
}

/// As jsforce calls them.
#[tokio::test]
async fn passwords_are_set_and_reset() {
    let world = World::start().await;
    let id = world.create("secret@example.com", json!({})).await;
    let set = |password: &str| {
        let operation =
            format!("<setPassword><userId>{id}</userId><password>{password}</password></setPassword>");
        call(&world, "/u/66.0", with_session(&world.token, &operation))
    };
    assert_eq!(text(&set("short").await, "sf:exceptionCode"), "INVALID_NEW_PASSWORD");
    assert_eq!(set("correct horse 9").await.status, 200);
    assert_eq!(call(&world, "/u/66.0", login("secret@example.com", "correct horse 9")).await.status, 200);

    let reset = format!("<resetPassword><userId>{id}</userId></resetPassword>");
    let made = call(&world, "/u/66.0", with_session(&world.token, &reset)).await;
    let password = text(&made, "password");
    assert_eq!(call(&world, "/u/66.0", login("secret@example.com", "correct horse 9")).await.status, 500);
    assert_eq!(call(&world, "/u/66.0", login("secret@example.com", password)).await.status, 200);
}
