//! `gangway audit`: beside a gateway that runs, and on the store that one has left.

use model::{
    ChangeId, ClientName, OrgName, ResourceId, ResourceKind, TargetName, TenantId, Timestamp, Version,
};
use salesforce_types::{
    Ask, AskedBy, Catalogue, Entitlement, EntitlementKind, EntitlementRef, Grant, GrantState, RecordId,
};
use scim_types::Resource;
use serde_json::{Value, json as value};
use store::{
    AuditEntry, Catalogues as _, ChangeOutcome, GrantWrite, Journal as _, MasterKey, Record, ResourceWrite,
    sqlite::SqliteStore,
};

use crate::world::{World, complaint, json};

const SALES: &str = "0PS5f000000abcAGAQ";
const SERVICE: &str = "0PS5f000000abdAGAQ";
const BUNDLE: &str = "0PG5f000000abeAGAQ";

fn tenant() -> TenantId {
    "acme/prod".parse().unwrap()
}

fn org() -> OrgName {
    OrgName::new("acme").unwrap()
}

/// Noon of a day of March 2026.
fn noon(day: i8) -> Timestamp {
    format!("2026-03-{day:02}T12:00:00Z").parse().unwrap()
}

/// What a gateway has left behind: a store with people and what they were given.
struct Past(SqliteStore);

impl Past {
    fn of(world: &World) -> Self {
        Self(SqliteStore::open(world.path("data/gangway.db"), MasterKey::new([7; 32])).unwrap())
    }

    async fn write(
        &self,
        kind: ResourceKind,
        id: &str,
        day: i8,
        write: ResourceWrite,
        grants: Vec<GrantWrite>,
    ) {
        let lines = grants.iter().map(|write| match write {
            GrantWrite::Set(grant) => format!("{} {} {}", grant.state.as_str(), grant.target, grant.of),
            GrantWrite::End { of, why, .. } => format!("ended {of} ({why})"),
        });
        let record = Record {
            change: None,
            tenant: tenant(),
            kind,
            resource: ResourceId::from_text(id),
            write,
            links: Vec::new(),
            memberships: Vec::new(),
            asked: None,
            tasks: None,
            audit: AuditEntry {
                client: ClientName::new("okta").unwrap(),
                action: "patch".to_owned(),
                fields: vec!["staff.Email".to_owned()],
                grants: lines.collect(),
                notes: Vec::new(),
                consents: Vec::new(),
                mapping: None,
            },
            grants,
            outcome: ChangeOutcome {
                result: "updated".to_owned(),
                status: 200,
                reason: None,
                ..ChangeOutcome::default()
            },
            answered: true,
            at: noon(day),
        };
        assert!(matches!(self.0.record(record).await.unwrap(), store::Recorded::Recorded(_)));
    }

    async fn person(&self, id: &str, user_name: &str) {
        let body: Resource = serde_json::from_value(value!({ "userName": user_name })).unwrap();
        self.write(ResourceKind::User, id, 1, ResourceWrite::Create(body), Vec::new()).await;
    }

    async fn group(&self, id: &str, name: &str) {
        let body: Resource = serde_json::from_value(value!({ "displayName": name })).unwrap();
        self.write(ResourceKind::Group, id, 1, ResourceWrite::Create(body), Vec::new()).await;
    }

    async fn grant(&self, id: &str, day: i8, write: GrantWrite) {
        self.write(ResourceKind::User, id, day, ResourceWrite::Keep, vec![write]).await;
    }

    async fn remove(&self, id: &str, day: i8) {
        let write = ResourceWrite::Delete { expected: Version::FIRST };
        self.write(ResourceKind::User, id, day, write, Vec::new()).await;
    }

    /// The org has been asked what it offers.
    async fn catalogue(&self) {
        let one = |kind, id: &str, name: &str, label: &str| Entitlement {
            of: EntitlementRef { kind, id: id.to_owned() },
            name: name.to_owned(),
            label: label.to_owned(),
            description: None,
            license: None,
            seats: None,
            contains: Vec::new(),
            far_reaching: false,
            user_type: None,
        };
        let set = EntitlementKind::PermissionSet;
        let bundle = one(EntitlementKind::PermissionSetGroup, BUNDLE, "Bundle", "Everything");
        let offers = vec![
            one(set, SALES, "Sales_Ops", "Operations"),
            one(set, SERVICE, "Service_Ops", "Operations"),
            Entitlement { contains: vec![RecordId::parse(SALES).unwrap()], ..bundle },
        ];
        self.0.remember_catalogue(&org(), &Catalogue::new(offers, Vec::new()), noon(1)).await.unwrap();
    }
}

fn set(id: &str, state: GrantState, day: i8, by: &[AskedBy]) -> GrantWrite {
    let ask = |by: &AskedBy| Ask {
        by: by.clone(),
        client: ClientName::new("okta").unwrap(),
        change: ChangeId::from_text("change-1"),
        since: noon(day),
    };
    GrantWrite::Set(Grant {
        org: org(),
        target: TargetName::new("users").unwrap(),
        of: EntitlementRef { kind: EntitlementKind::PermissionSet, id: id.to_owned() },
        name: "Sales_Ops".to_owned(),
        state,
        asked: by.iter().map(ask).collect(),
        row: None,
        since: noon(day),
        until: None,
        reason: (state == GrantState::Refused).then(|| "LICENSE_LIMIT_EXCEEDED".to_owned()),
    })
}

/// Until noon of a day.
fn until(write: GrantWrite, day: i8) -> GrantWrite {
    match write {
        GrantWrite::Set(grant) => GrantWrite::Set(Grant { until: Some(noon(day)), ..grant }),
        end @ GrantWrite::End { .. } => end,
    }
}

fn end(id: &str, why: &str) -> GrantWrite {
    let of = EntitlementRef { kind: EntitlementKind::PermissionSet, id: id.to_owned() };
    GrantWrite::End { target: TargetName::new("users").unwrap(), of, why: why.to_owned() }
}

/// Ada was given `Sales_Ops` on the 3rd and lost it on the 5th; Grace has it since the 4th, by hand; Mary was given it on the 2nd
/// and was removed on the 6th.
async fn world() -> World {
    let world = World::start().await;
    let past = Past::of(&world);
    past.catalogue().await;
    for (id, name) in [("id-ada", "ada@acme.example"), ("id-grace", "grace"), ("id-mary", "mary")] {
        past.person(id, name).await;
    }
    past.group("id-crew", "Crew").await;
    let by = [AskedBy::Rule("sales".to_owned()), AskedBy::Group(ResourceId::from_text("id-crew"))];
    past.grant("id-mary", 2, set(SALES, GrantState::Granted, 2, &[AskedBy::Attribute])).await;
    past.grant("id-ada", 2, set(SALES, GrantState::Refused, 2, &by)).await;
    past.grant("id-ada", 3, set(SALES, GrantState::Granted, 3, &by)).await;
    past.grant("id-grace", 4, set(SALES, GrantState::Found, 4, &[])).await;
    past.grant("id-ada", 5, end(SALES, "nobody asks for it any more")).await;
    past.remove("id-mary", 6).await;
    past.0.close().await;
    world
}

/// What a command that has to go well prints as JSON.
fn told(world: &World, arguments: &[&str]) -> Value {
    let output = world.run(&[&["--output", "json", "audit"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", complaint(&output));
    json(&output)
}

/// What one prints for people.
fn shown(world: &World, arguments: &[&str]) -> String {
    let output = world.run(&[&["audit"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", complaint(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// Why a command failed.
fn refused(world: &World, arguments: &[&str]) -> String {
    let output = world.run(&[&["audit"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    complaint(&output)
}

fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in\n{text}");
    }
}

#[tokio::test]
async fn who_has_it_is_told_for_now_and_for_any_moment() {
    let world = world().await;
    let who = |at: &[&str]| {
        let told = told(&world, &[&["who-has", "permission-set:Sales_Ops"], at].concat());
        let holders = told["holders"].as_array().unwrap().iter();
        holders.map(|holder| holder["identity"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(who(&[]), ["id-grace"]);
    assert!(who(&["--at", "2026-03-02"]).is_empty(), "a day is its start");
    assert_eq!(who(&["--at", "2026-03-02T12:00:00Z"]), ["id-mary"]);
    assert_eq!(who(&["--at", "2026-03-05"]), ["id-mary", "id-ada", "id-grace"]);
    assert_eq!(who(&["--at", "2026-03-05T13:00:00+01:00"]), ["id-mary", "id-grace"]);
    assert_eq!(who(&["--at", "2026-03-07", "--org", "acme", "--tenant", "acme/prod"]), ["id-grace"]);
    let table = shown(&world, &["who-has", "permission-set:Sales_Ops", "--at", "2026-03-05"]);
    assert_says(
        &table,
        &[
            "3 holders of permission-set:0PS5f000000abcAGAQ (Sales_Ops) at 2026-03-05T00:00:00Z:",
            "ada@acme.example",
            "the rule sales",
            "membership of the group id-crew (Crew)",
            "2026-03-05T12:00:00Z (ended)",
            "(removed)",
            "nobody: it was given in Salesforce",
            "It is also in permission-set-group:0PG5f000000abeAGAQ",
        ],
    );
    assert_says(
        &shown(&world, &["who-has", "permission-set:Service_Ops"]),
        &["Nobody has permission-set:0PS5f000000abdAGAQ (Service_Ops) now, as far as Gangway knows."],
    );
}

#[tokio::test]
async fn an_entitlement_is_one_or_is_refused_with_the_candidates() {
    let world = world().await;
    for name in
        [SALES, "0PS5f000000abcA", "sales_ops", "PermissionSet:Sales_Ops", "acme:permission-set:Sales_Ops"]
    {
        let told = told(&world, &["who-has", name]);
        assert_eq!(told["entitlement"]["id"], SALES, "{name}");
        assert_eq!(told["entitlement"]["containedIn"][0]["id"], BUNDLE);
    }
    assert_says(
        &refused(&world, &["who-has", "permission-set:operations"]),
        &["`operations` is several", SALES, "(Sales_Ops, in acme)", SERVICE],
    );
    assert_says(
        &refused(&world, &["why", "id-ada", "profile:Sales_Ops"]),
        &["no org offers `Sales_Ops`", "by its kind and id"],
    );
    assert_says(
        &refused(&world, &["who-has", SALES, "--org", "elsewhere"]),
        &["the org elsewhere is not one of these tenants'; there are: acme"],
    );
    // The org may have had it once.
    let gone = told(&world, &["who-has", "permission-set:0PS5f000000abfA"]);
    assert_eq!((&gone["entitlement"]["name"], &gone["holders"]), (&Value::Null, &value!([])));
    let output = world.run(&["audit", "who-has", SALES, "--at", "yesterday"]);
    assert_eq!(output.status.code(), Some(2), "a wrong command line");
    assert_says(&complaint(&output), &["write it as 2026-03-31T18:00:00Z"]);
}

#[tokio::test]
async fn what_is_given_for_a_time_says_so() {
    let world = World::start().await;
    let past = Past::of(&world);
    past.person("id-ada", "ada").await;
    let given = set(SALES, GrantState::Granted, 2, &[AskedBy::Rule("project".to_owned())]);
    past.grant("id-ada", 2, until(given, 9)).await;
    past.0.close().await;
    let entitlement = format!("permission-set:{SALES}");
    for (at, words) in
        [("2026-03-03", "2026-03-09T12:00:00Z (expires)"), ("2026-03-10", "2026-03-09T12:00:00Z (expired)")]
    {
        assert_says(&shown(&world, &["who-has", &entitlement, "--at", at]), &["1 holder of", words]);
    }
}

#[tokio::test]
async fn what_an_org_offers_may_not_have_been_read_yet() {
    let world = World::start().await;
    Past::of(&world).0.close().await;
    assert_says(
        &refused(&world, &["who-has", "Sales_Ops"]),
        &["no org offers `Sales_Ops`", "What acme offers was never read"],
    );
    assert_eq!(told(&world, &["who-has", &format!("permission-set:{SALES}")])["holders"], value!([]));
}

#[tokio::test]
async fn why_tells_every_period_with_who_asked_and_how_it_ended() {
    let world = world().await;
    for whom in ["id-ada", "ADA@acme.example"] {
        let told = told(&world, &["why", whom, "permission-set:Sales_Ops"]);
        assert_eq!((&told["identity"], &told["ownership"]), (&"id-ada".into(), &"managed".into()));
        let periods = told["periods"].as_array().unwrap();
        let states: Vec<&Value> = periods.iter().map(|period| &period["grant"]["state"]).collect();
        assert_eq!(states, ["refused", "granted"]);
        assert_eq!(periods[1]["grant"]["asked"][0]["what"], "sales");
        assert_eq!(
            periods[1]["ended"],
            value!({"at": "2026-03-05T12:00:00Z", "why": "nobody asks for it any more", "client": "okta"})
        );
    }
    assert_says(
        &shown(&world, &["why", "id-ada", "Sales_Ops"]),
        &[
            "permission-set:0PS5f000000abcAGAQ (Sales_Ops) of id-ada of acme/prod:",
            "refused: LICENSE_LIMIT_EXCEEDED",
            "the rule sales, by okta with change change-1, since 2026-03-02T12:00:00Z",
            "it is granted now (okta)",
            "nobody asks for it any more (okta)",
            "It may also come with permission-set-group:0PG5f000000abeAGAQ",
        ],
    );
    assert_says(
        &shown(&world, &["why", "grace", "Sales_Ops"]),
        &["found", "given in Salesforce, not by Gangway", "left alone (ownership `managed`)"],
    );
    // One who is gone is known by the id.
    assert_says(
        &shown(&world, &["why", "id-mary", "Sales_Ops"]),
        &["the identity's entitlements or roles, by okta", "the identity was removed (okta)"],
    );
    assert_says(
        &shown(&world, &["why", "id-grace", "Service_Ops"]),
        &["Gangway knows of no moment at which id-grace of acme/prod had permission-set:0PS5f000000abdAGAQ"],
    );
    assert_says(&refused(&world, &["why", "eve", "Sales_Ops"]), &["there is no identity `eve`"]);
}

#[tokio::test]
async fn the_mapping_says_what_becomes_of_what_was_found() {
    let world = world().await;
    let mapping = r#"[entitlements]
ownership = { permission-set = "authoritative" }
[targets.users]
object = "User"
[targets.users.fields]
Username = 'username(user.userName)'
LastName = 'family_name(user)'
"#;
    world.write("acme.toml", mapping);
    let config = world.config().replace("username-domain", "mapping = \"acme.toml\"\nusername-domain");
    world.write("gangway.toml", &config);
    assert_says(
        &shown(&world, &["why", "grace", "Sales_Ops"]),
        &["taken away where nobody asks for it (ownership `authoritative`)"],
    );
}

#[tokio::test]
async fn the_trail_of_a_running_gateway_is_verified_and_exported() {
    let world = world().await;
    let served = world.serve();
    let before = told(&world, &["verify"])["chains"][0].clone();
    assert_eq!((&before["entries"], &before["finding"]), (&10.into(), &Value::Null));
    assert_eq!(served.create("eve@acme.example").await.status(), 201);
    let head = before["head"].as_str().unwrap();
    let after = told(&world, &["verify", "--head", head])["chains"][0].clone();
    assert_eq!((&after["entries"], &after["notedHeadAt"]), (&11.into(), &10.into()));
    assert_says(&shown(&world, &["verify", "--head", head]), &["whole, through the noted head at entry 10"]);

    let exported = shown(&world, &["export"]);
    let lines: Vec<Value> = exported.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 11);
    assert_eq!((&lines[10]["client"], &lines[10]["hash"]), (&"entra".into(), &after["head"]));
    assert_eq!(lines[9]["hash"], head);
    let some = shown(&world, &["export", "--since", "2026-03-04", "--until", "2026-03-06T12:00:00Z"]);
    let entries: Vec<Value> = some.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let days: Vec<&Value> = entries.iter().map(|entry| &entry["at"]).collect();
    assert_eq!(days, ["2026-03-04T12:00:00Z", "2026-03-05T12:00:00Z"]);

    let csv = shown(&world, &["export", "--format", "csv", "--since", "2026-03-05", "--until", "2026-03-06"]);
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(
        lines[0],
        "tenant,at,resource,version,change,client,action,fields,grants,notes,consents,mapping,hash"
    );
    assert!(
        lines[1].starts_with(
            "acme/prod,2026-03-05T12:00:00Z,id-ada,1,,okta,patch,staff.Email,\
             ended permission-set:0PS5f000000abcAGAQ (nobody asks for it any more),,,"
        ),
        "{csv}"
    );
    assert_eq!(lines[2..], [""]);
    let none = shown(&world, &["export", "--format", "csv", "--since", "2999-01-01"]);
    assert_eq!(none.lines().count(), 1, "the headings are always there");
}

#[tokio::test]
async fn a_trail_that_was_tampered_with_ends_with_another_exit_code() {
    let world = world().await;
    let verify = |more: &[&str]| world.run(&[&["--output", "json", "audit", "verify"], more].concat());
    let elsewhere = "0".repeat(64);
    let output = verify(&["--head", &elsewhere]);
    assert_eq!(output.status.code(), Some(4));
    assert_says(
        json(&output)["chains"][0]["finding"].as_str().unwrap(),
        &["does not lead through the head that was noted"],
    );
    assert_eq!(verify(&["--head", "abc"]).status.code(), Some(2));
    let file = rusqlite::Connection::open(world.path("data/gangway.db")).unwrap();
    file.execute("DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)", []).unwrap();
    let output = verify(&[]);
    assert_eq!(output.status.code(), Some(4));
    assert_says(
        json(&output)["chains"][0]["finding"].as_str().unwrap(),
        &["broken at the end: 10 entries were written, and 9 are there"],
    );
    file.execute("UPDATE audit SET resource = 'id-eve' WHERE number = 3", []).unwrap();
    let output = world.run(&["audit", "verify"]);
    assert_eq!(output.status.code(), Some(4));
    assert_says(
        &String::from_utf8(output.stdout).unwrap(),
        &["broken at entry 3 (id-eve, 2026-03-01T12:00:00Z)"],
    );
}

const RULES: &str = r#"[targets.staff]
object = "User"
[targets.staff.fields]
Username = 'username(user.userName)'
LastName = 'family_name(user)'
FirstName = 'user.name.givenName'
Alias = { value = 'alias(user)', on = "create" }
Email = 'email(user)'
TimeZoneSidKey = { default = "GMT" }
LocaleSidKey = { default = "en_US" }
LanguageLocaleKey = { default = "en_US" }
EmailEncodingKey = { default = "UTF-8" }

[[grants]]
name = "sales"
when = 'user.title == "Seller"'
permission-sets = ["Sales_Basics"]
"#;

#[tokio::test]
async fn what_a_gateway_gives_and_takes_away_is_told_from_its_ledger() {
    let world = World::start().await;
    world.write("acme.toml", RULES);
    let config = world.config().replace("username-domain", "mapping = \"acme.toml\"\nusername-domain");
    world.write("gangway.toml", &config);
    let served = world.serve();
    let body = value!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ada@acme.example",
        "name": { "givenName": "Ada", "familyName": "Lovelace" },
        "emails": [{ "value": "ada@acme.example", "primary": true }],
        "title": "Seller",
        "entitlements": [{ "value": "Report_Export" }],
    });
    let created = served.post("/Users", &body).await;
    assert_eq!(created.status(), 201, "{}", created.text().await.unwrap());
    let created: Value = created.json().await.unwrap();
    let id = created["id"].as_str().unwrap();
    // No secret is needed to look.
    std::fs::remove_file(world.path("client-secret")).unwrap();
    for (set, by) in
        [("Sales_Basics", "the rule sales"), ("Report_Export", "the identity's entitlements or roles")]
    {
        let told = told(&world, &["who-has", &format!("permission-set:{set}")]);
        let holder = &told["holders"][0];
        assert_eq!((&holder["identity"], &holder["userName"]), (&id.into(), &"ada@acme.example".into()));
        assert_eq!(
            (&holder["grant"]["state"], &holder["grant"]["target"]),
            (&"granted".into(), &"staff".into())
        );
        let why = shown(&world, &["why", "ada@acme.example", set]);
        assert_says(&why, &["granted", by, "by entra with change ", "now"]);
    }
    let to_purser = value!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "title", "value": "Purser" }],
    });
    let patched = served.send(reqwest::Method::PATCH, &format!("/Users/{id}"), &to_purser).await;
    assert!(patched.status().is_success(), "{}", patched.text().await.unwrap());
    assert_eq!(told(&world, &["who-has", "Sales_Basics"])["holders"], value!([]));
    let ended = &told(&world, &["why", id, "Sales_Basics"])["periods"][0]["ended"];
    assert_eq!(ended["client"], "entra");
    assert!(ended["change"].is_string() && ended["why"].is_string(), "{ended}");
    let exported = shown(&world, &["export"]);
    let last: Value = serde_json::from_str(exported.lines().last().unwrap()).unwrap();
    assert_eq!(last["change"], ended["change"]);
    assert!(last["grants"][0].as_str().unwrap().starts_with("ended permission-set:0PS"), "{last}");

    let removed = served.send(reqwest::Method::DELETE, &format!("/Users/{id}"), &Value::Null).await;
    assert_eq!(removed.status(), 204);
    assert_eq!(told(&world, &["who-has", "Report_Export"])["holders"], value!([]));
    assert_says(
        &shown(&world, &["why", id, "Report_Export"]),
        &["granted", "the identity was removed (entra, change "],
    );
    assert_eq!(told(&world, &["verify"])["chains"][0]["finding"], Value::Null);
}
