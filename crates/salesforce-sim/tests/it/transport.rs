//! §9 "Transport": headers, envelopes, limits, describe.

use reqwest::Method;
use salesforce_sim::{Sim, SimConfig, SimError, TlsError, TlsFiles};
use serde_json::{Value, json};

use crate::world::{V, World, refresh_form};

/// The keys of §4 of the recorded shapes.
const ENTRY_KEYS: &str = "activateable associateEntityType associateParentEntity createable custom customSetting deepCloneable deletable deprecatedAndHidden feedEnabled hasSubtypes isInterface isSubtype keyPrefix label labelPlural layoutable mergeable mruEnabled name queryable replicateable retrieveable searchable triggerable undeletable updateable urls";
const DESCRIBE_KEYS: &str = "actionOverrides activateable associateEntityType associateParentEntity childRelationships compactLayoutable createable custom customSetting deepCloneable defaultImplementation deletable deprecatedAndHidden extendedBy extendsInterfaces feedEnabled fields hasSubtypes implementedBy implementsInterfaces isInterface isSubtype keyPrefix label labelPlural layoutable listviewable lookupLayoutable mergeable mruEnabled name namedLayoutInfos networkScopeFieldName queryable recordTypeInfos replicateable retrieveable searchLayoutable searchable sobjectDescribeOption supportedScopes triggerable undeletable updateable urls";
const FIELD_KEYS: &str = "aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula cascadeDelete caseSensitive compoundFieldName controllerName createable custom defaultValue defaultValueFormula defaultedOnCreate dependentPicklist deprecatedAndHidden digits displayLocationInDecimal encrypted externalId extraTypeInfo filterable filteredLookupInfo formulaTreatNullNumberAsZero groupable highScaleNumber htmlFormatted idLookup inlineHelpText label length mask maskType name nameField namePointing nillable permissionable picklistValues polymorphicForeignKey precision queryByDistance referenceTargetField referenceTo relationshipName relationshipOrder restrictedDelete restrictedPicklist scale searchPrefilterable soapType sortable type unique updateable writeRequiresMasterRead";

#[track_caller]
fn assert_keys(object: &Value, keys: &str) {
    let found: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(found.join(" "), keys);
}

#[tokio::test]
async fn versions_need_no_token_and_are_oldest_first() {
    let world = World::start().await;
    let url = format!("{}/services/data/", world.sim.url());
    let list = world.send(world.http.get(url)).await.expect(200);
    assert_eq!(list[0]["version"], "52.0");
    let newest = list.as_array().unwrap().last().unwrap().clone();
    assert_eq!(newest, json!({"label": "Spring '26", "url": "/services/data/v66.0", "version": "66.0"}));
}

/// §0.3: 410 for a retired version, 404 for one to come.
#[tokio::test]
async fn versions_that_are_not_served_say_why() {
    let world = World::start().await;
    world.get("/services/data/v20.0/limits").await.expect_error(410, "UNSUPPORTED_API_VERSION");
    world.get("/services/data/v99.0/limits").await.expect_error(404, "NOT_FOUND");
}

/// §1 of the recorded shapes.
#[tokio::test]
async fn answers_have_the_recorded_headers() {
    let world = World::start().await;
    let answer = world.get(&format!("{V}/limits")).await;
    for (name, value) in [
        ("content-type", "application/json;charset=UTF-8"),
        ("cache-control", "no-cache,must-revalidate,max-age=0,no-store,private"),
        ("vary", "Accept-Encoding"),
        ("x-content-type-options", "nosniff"),
        ("x-robots-tag", "none"),
        ("server", "sfdcedge"),
    ] {
        assert_eq!(answer.header(name), value);
    }
    assert_eq!(answer.header("x-request-id").len(), 32);
    assert_eq!(answer.header("x-request-id"), answer.header("x-sfdc-request-id"));
}

/// §9: `Sforce-Limit-Info` counting, on 4xx too; 403 when the day is used up; no Retry-After.
#[tokio::test]
async fn the_daily_limit_is_counted_and_enforced() {
    let world = World::from_file("[switches]\ndaily-api-requests = 3").await;
    let missing = format!("{V}/sobjects/Nope");
    assert_eq!(world.get(&missing).await.header("sforce-limit-info"), "api-usage=1/3");
    assert_eq!(world.get(&missing).await.header("sforce-limit-info"), "api-usage=2/3");
    let limits = world.get(&format!("{V}/limits")).await.expect(200);
    assert_eq!(limits["DailyApiRequests"], json!({"Max": 3, "Remaining": 0}));
    let answer = world.get(&missing).await;
    assert_eq!(
        answer.expect_error(403, "REQUEST_LIMIT_EXCEEDED")["message"],
        "TotalRequests Limit exceeded."
    );
    assert_eq!(answer.header("retry-after"), "");
}

/// §2.7: the allowance is that of a rolling 24 hours.
#[tokio::test]
async fn what_was_used_a_day_ago_can_be_used_again() {
    let mut world = World::from_file("[switches]\ndaily-api-requests = 2").await;
    let missing = format!("{V}/sobjects/Nope");
    world.get(&missing).await.expect(404);
    for (hours, status, used) in [(12, 404, 2), (11, 403, 2), (1, 404, 2), (11, 403, 2), (1, 404, 2)] {
        world.control("/clock", json!({"advance_seconds": hours * 3_600})).await;
        world.refresh().await;
        let answer = world.get(&missing).await;
        assert_eq!(answer.header("sforce-limit-info"), format!("api-usage={used}/2"));
        answer.expect(status);
    }
}

/// §2.2: `per-app-api-usage`; §2.7: `DailyApiRequests` nests per app.
#[tokio::test]
async fn apps_can_be_counted_each_by_itself() {
    let world = World::from_file("[switches]\nper-app-api-usage = 250").await;
    let answer = world.get(&format!("{V}/limits")).await;
    let usage = "api-usage=1/5000000; per-app-api-usage=1/250(appName=simulated-client)";
    assert_eq!(answer.header("sforce-limit-info"), usage);
    let app = json!({"Max": 250, "Remaining": 249});
    assert_eq!(answer.json()["DailyApiRequests"]["simulated-client"], app);
}

/// §9: array error envelope, both key orders.
#[tokio::test]
async fn not_found_has_its_keys_the_other_way_round() {
    let world = World::start().await;
    let missing = world.get(&format!("{V}/sobjects/Nope/005000000000001")).await;
    let expected = r#"[{"errorCode":"NOT_FOUND","message":"The requested resource does not exist"}]"#;
    assert_eq!((missing.status, missing.text.as_str()), (404, expected));
    let malformed = world.query_answer("invalid").await;
    let expected = r#"[{"message":"unexpected token: 'invalid'","errorCode":"MALFORMED_QUERY"}]"#;
    assert_eq!((malformed.status, malformed.text.as_str()), (400, expected));
}

/// §9: 414/431 at 16,384 bytes.
#[tokio::test]
async fn long_uris_and_headers_are_refused() {
    let world = World::start().await;
    let room = 16_384 - format!("{V}/query?q=").len();
    let at_limit = world.get(&format!("{V}/query?q={}", "a".repeat(room))).await;
    assert_eq!(at_limit.status, 431, "the headers come on top");
    let over = world.get(&format!("{V}/query?q={}", "a".repeat(room + 1))).await;
    over.expect_error(414, "URI_TOO_LONG");
    world.get(&format!("{V}/query?q={}", "a".repeat(15_000))).await.expect_error(400, "MALFORMED_QUERY");
}

/// §9: 405, 415, 404 for unknown resources.
#[tokio::test]
async fn wrong_methods_types_and_resources() {
    let world = World::start().await;
    let put = world.send(world.request(Method::PUT, &format!("{V}/sobjects/User/x")).json(&json!({}))).await;
    let message = "HTTP Method 'PUT' not allowed. Allowed are HEAD,GET,PATCH,DELETE";
    assert_eq!(put.expect_error(405, "METHOD_NOT_ALLOWED")["message"], message);
    let text = world.request(Method::POST, &format!("{V}/sobjects/User")).header("content-type", "text/xml");
    world.send(text.body("<a/>")).await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    world.get(&format!("{V}/nope")).await.expect_error(404, "NOT_FOUND");
    world.post(&format!("{V}/query"), json!({})).await.expect_error(405, "METHOD_NOT_ALLOWED");
    // Also without a body.
    let bare = world.request(Method::POST, &format!("{V}/query?q=SELECT+Id+FROM+User"));
    world.send(bare).await.expect_error(405, "METHOD_NOT_ALLOWED");
}

#[tokio::test]
async fn bad_json_says_where() {
    let world = World::start().await;
    let send = |body: &'static str| {
        let request = world.request(Method::POST, &format!("{V}/sobjects/User"));
        world.send(request.header("content-type", "application/json").body(body))
    };
    for (body, message) in [
        (
            "{\"a\" j}",
            "Unexpected character ('j' (code 106)): was expecting a colon to separate field name and value at \
             [line:1, column:6]",
        ),
        (
            "{\"a\": 1\n \"b\": 2}",
            "Unexpected character ('\"' (code 34)): was expecting comma to separate OBJECT entries at \
             [line:2, column:2]",
        ),
        (
            "{\"a\": 1,}",
            "Unexpected character ('}' (code 125)): was expecting double-quote to start field name at \
             [line:1, column:9]",
        ),
        ("{\"a\": 1", "Unexpected end-of-input: expected close marker for OBJECT at [line:1, column:7]"),
    ] {
        assert_eq!(send(body).await.expect_error(400, "JSON_PARSER_ERROR")["message"], message);
    }
    let empty = send("").await.expect_error(400, "JSON_PARSER_ERROR");
    assert_eq!(empty["message"], "The HTTP entity body is required, but this request has no entity body.");
    send("[1]").await.expect_error(400, "JSON_PARSER_ERROR");
    let deep = world.request(Method::POST, &format!("{V}/sobjects/User")).body("[".repeat(100_000));
    world.send(deep.header("content-type", "application/json")).await.expect_error(400, "JSON_PARSER_ERROR");
}

/// §9: gzip response; pretty-printed bodies.
#[tokio::test]
async fn bodies_can_be_compressed_and_pretty() {
    let world = World::start().await;
    let plain = world.get(&format!("{V}/sobjects/User/describe")).await;
    let request = world.request(Method::GET, &format!("{V}/sobjects/User/describe"));
    let gzip = reqwest::Client::builder().no_gzip().build().unwrap();
    let (_, request) = request.header("accept-encoding", "gzip").build_split();
    let response = gzip.execute(request.unwrap()).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert!(response.bytes().await.unwrap().len() * 5 < plain.text.len());
    let pretty = world.request(Method::GET, &format!("{V}/limits")).header("X-PrettyPrint", "1");
    assert!(world.send(pretty).await.text.starts_with("{\n  \""));
}

/// §9: pretty-printed bodies, in the recorded form.
#[tokio::test]
async fn pretty_is_what_salesforce_calls_so() {
    let world = World::start().await;
    let request = world.request(Method::DELETE, &format!("{V}/sobjects/Nope/x")).header("X-PrettyPrint", "1");
    let expected = "[ {\n  \"errorCode\" : \"NOT_FOUND\",\n  \"message\" : \"The requested resource does not exist\"\n} ]";
    assert_eq!(world.send(request).await.text, expected);
}

/// A gzip member whose one block is stored as it is (RFC 1951 §3.2.4, RFC 1952).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let crc = bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    });
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    out.extend(length.to_le_bytes().into_iter().chain((!length).to_le_bytes()).chain(bytes.iter().copied()));
    out.extend((!crc).to_le_bytes().into_iter().chain(u32::from(length).to_le_bytes()));
    out
}

/// §9: gzip request.
#[tokio::test]
async fn a_compressed_body_is_read() {
    let world = World::start().await;
    let body = serde_json::to_vec(&json!({"ids": ["005000000000001AAA"], "fields": ["Id"]})).unwrap();
    let request = world.request(Method::POST, &format!("{V}/composite/sobjects/User"));
    let gzipped = gzip(&body);
    let request = request.header("content-encoding", "gzip").header("content-type", "application/json");
    let rows = world.send(request.body(gzipped)).await.expect(200);
    assert_eq!(rows, json!([null]));
}

#[tokio::test]
async fn resources_are_listed_by_name() {
    let world = World::start().await;
    let body = world.get(&format!("{V}/")).await.expect(200);
    assert_eq!(body["sobjects"], "/services/data/v66.0/sobjects");
    assert!(body["identity"].as_str().unwrap().contains("/id/00D"));
}

/// §4 of the recorded shapes: the flags that matter to provisioning.
#[tokio::test]
async fn the_global_describe_has_the_recorded_flags() {
    let world = World::start().await;
    let body = world.get(&format!("{V}/sobjects")).await.expect(200);
    assert_eq!((&body["encoding"], &body["maxBatchSize"]), (&json!("UTF-8"), &json!(200)));
    let flags = |name: &str| {
        let object = body["sobjects"].as_array().unwrap().iter().find(|o| o["name"] == name).unwrap().clone();
        assert_keys(&object, ENTRY_KEYS);
        ["createable", "updateable", "deletable", "replicateable", "triggerable"].map(|f| object[f] == true)
    };
    assert_eq!(flags("User"), [true, true, false, true, true]);
    assert_eq!(flags("UserLogin"), [false, true, false, false, false]);
    assert_eq!(flags("Profile"), [false, true, true, true, false]);
    assert_eq!(flags("UserLicense"), [false, false, false, false, false]);
    assert_eq!(flags("UserRole"), [true, true, true, true, false]);
    assert_eq!(flags("Organization"), [false, true, false, true, false]);
}

/// §2.6: every recorded key on every field; `byteLength` is three times `length`.
#[tokio::test]
async fn a_describe_has_every_recorded_key() {
    let world = World::start().await;
    let body = world.get(&format!("{V}/sobjects/user/describe")).await.expect(200);
    assert_keys(&body, DESCRIBE_KEYS);
    let fields = body["fields"].as_array().unwrap();
    for field in fields {
        assert_keys(field, FIELD_KEYS);
    }
    let field = |name: &str| fields.iter().find(|f| f["name"] == name).unwrap();
    assert_eq!((&field("Email")["length"], &field("Email")["byteLength"]), (&json!(128), &json!(384)));
    assert_eq!(field("TimeZoneSidKey")["picklistValues"].as_array().unwrap().len(), 424);
    assert_eq!(field("LocaleSidKey")["restrictedPicklist"], true);
    assert_eq!(field("MobilePhone")["label"], "Cell");
    assert_eq!(field("ProfileId")["referenceTo"], json!(["Profile"]));
    assert_eq!(field("DelegatedApproverId")["relationshipName"], Value::Null);
    assert_eq!(field("Username")["idLookup"], true);
    // Off unless the feature is on: absent, as if it did not exist.
    assert!(fields.iter().all(|field| field["name"] != "MiddleName"));
}

/// §2.6: `If-Modified-Since` and `If-None-Match` answer 304 without a body.
#[tokio::test]
async fn a_describe_that_did_not_change_is_304() {
    let world = World::start().await;
    let path = format!("{V}/sobjects/User/describe");
    let first = world.get(&path).await;
    for (name, value) in [
        ("if-none-match", first.header("etag")),
        ("if-modified-since", first.header("last-modified")),
        ("if-none-match", "*, \"x\""),
    ] {
        let again = world.send(world.request(Method::GET, &path).header(name, value)).await;
        let expected = if value.contains('*') { 200 } else { 304 };
        assert_eq!((again.status, again.text.is_empty()), (expected, expected == 304), "{name}: {value}");
    }
    assert!(first.header("etag").len() == 10 && first.header("last-modified").ends_with(" GMT"));
    let old = world.request(Method::GET, &path).header("if-modified-since", "Thu, 05 Mar 2020 16:10:00 GMT");
    assert_eq!(world.send(old).await.status, 200);
}

#[tokio::test]
async fn record_counts_leave_out_empty_objects() {
    let world = World::start().await;
    let body = world.get(&format!("{V}/limits/recordCount?sObjects=User,Nope")).await.expect(200);
    assert_eq!(body, json!({"sObjects": [{"count": 2, "name": "User"}]}));
}

/// §9: both key orders.
#[tokio::test]
async fn errors_can_have_either_key_first() {
    let world = World::start().await;
    let first = async |path: &str| {
        let error = world.get(path).await.json();
        error[0].as_object().unwrap().keys().next().unwrap().clone()
    };
    let (missing, malformed) = (format!("{V}/nope"), format!("{V}/query?q=x"));
    for (order, expected) in [("message-first", "message"), ("code-first", "errorCode")] {
        world.control("/switches", json!({"error-key-order": order})).await;
        assert_eq!((first(&missing).await.as_str(), first(&malformed).await.as_str()), (expected, expected));
    }
    world.control("/switches", json!({"error-key-order": "mixed"})).await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..64 {
        seen.insert(first(&missing).await);
    }
    assert_eq!(seen.len(), 2);
}

/// §9: 204 with truly empty body.
#[tokio::test]
async fn a_204_is_truly_empty() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let world = World::start().await;
    let id = world.create("a@example.com", json!({})).await;
    let body = "{\"Title\": \"x\"}";
    let head = format!(
        "PATCH {V}/sobjects/User/{id} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
         Content-Type: application/json; charset=UTF-8\r\nContent-Length: {}\r\n\r\n{body}",
        world.token,
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(world.sim.addr).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let answer = answer.to_lowercase();
    assert!(answer.starts_with("http/1.1 204 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    for header in ["\ncontent-type:", "\ntransfer-encoding:"] {
        assert!(!answer.contains(header), "{answer}");
    }
    assert!(answer.contains("content-security-policy: upgrade-insecure-requests"), "{answer}");
}

/// Clients join URLs carelessly, and some name the format.
#[tokio::test]
async fn doubled_slashes_and_extensions_do_no_harm() {
    let world = World::start().await;
    for path in [format!("/{V}/limits"), format!("{V}/limits.json"), format!("{V}/limits/")] {
        world.get(&path).await.expect(200);
    }
    let id = world.create("a@example.json", json!({})).await;
    let path = format!("{V}/sobjects/User/Username/a@example.json");
    assert_eq!(world.get(&path).await.expect(200)["Id"], id);
    world.get(&format!("{V}/sobjects/User/{id}.json?fields=Id")).await.expect(200);
}

/// §2.3: what the edge says is no JSON.
#[tokio::test]
async fn the_edge_answers_420_and_502_with_a_page() {
    let world = World::start().await;
    for status in [420, 502] {
        world.control("/faults", json!({"kind": "status", "status": status, "count": 1})).await;
        let page = world.get(&format!("{V}/limits")).await;
        assert_eq!((page.status, page.header("content-type")), (status, "text/html;charset=UTF-8"));
    }
}

/// Programs that speak nothing but https need nothing in between.
#[tokio::test]
async fn an_org_with_a_certificate_speaks_https() {
    let keys = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/keys");
    let files = |key: &str| TlsFiles { certificate: keys.join("app.crt"), key: keys.join(key) };
    let start = |key: &str| Sim::start(SimConfig { tls: Some(files(key)), ..SimConfig::default() });
    assert!(matches!(start("none.key").await, Err(SimError::Tls(TlsError::Read { .. }))));
    assert!(matches!(start("other.key").await, Err(SimError::Tls(TlsError::Use(_)))));

    let sim = start("app.key").await.unwrap();
    assert!(sim.url().starts_with("https://"), "{}", sim.url());
    let http = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    let url = format!("{}/services/oauth2/token", sim.url());
    let answer = http.post(url).form(&refresh_form("simulated-refresh-token")).send().await.unwrap();
    let token: Value = answer.json().await.unwrap();
    assert_eq!(token["instance_url"], sim.url());
}
