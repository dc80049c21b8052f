//! Entitlements over SCIM: how many API calls a joiner with everything costs, and how long it waits, alone and in a crowd; and what
//! a Group that stands for a permission set costs with many members at once. Gateway and org are processes of their own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    Failure,
    crowd::shares,
    load::{self, Connection, Measured, Until, request, request_of},
    process::{Process, free_address, leave_the_server_its_core},
    report::Report,
    writes::{Gateway, STORED_TOKEN, TOKEN, api_calls, control, fdatasync, org_token, person, record_id},
};

const MAPPING: &str = r#"
[targets.staff]
object = "User"

[targets.staff.fields]
Username          = 'username(user.userName)'
Email             = { from = 'emails[primary eq true].value' }
FirstName         = 'user.name.givenName'
LastName          = 'user.name.familyName'
Title             = 'user.title'
Alias             = { value = 'alias(user)', on = "create" }
TimeZoneSidKey    = { default = "GMT" }
LocaleSidKey      = { default = "en_US" }
LanguageLocaleKey = { default = "en_US" }
EmailEncodingKey  = { default = "UTF-8" }

[[groups.pushed]]
name = "sf-ps-*"
kind = "permission-set"
entitlement = "{1}"
"#;

// Of the default org, and for every user of the licence Salesforce.
const PROFILE: &str = "Contract Manager";
const ROLE: &str = "Sales Representative";
const SETS: [&str; 3] = ["Sales_Basics", "Report_Export", "Contract_Approver"];
const GROUPS: [&str; 2] = ["EMEA Sales", "Americas Sales"];
/// One that no joiner has.
const SET_OF_MEMBERS: &str = "Service_Agent";

/// What joiners get is in records of these.
const OBJECTS: [&str; 3] = ["User", "PermissionSetAssignment", "GroupMember"];

/// How many join alone.
const LONE: usize = 50;
/// How long a queue may take until it is given up.
const PATIENCE: Duration = Duration::from_mins(15);

/// How many there are of what.
pub struct Sizes {
    /// Who join in a crowd.
    pub joiners: usize,
    /// That send at once.
    pub connections: usize,
    /// Who become members with one PATCH.
    pub members: usize,
}

/// Measures against an org that takes no time, and against one that takes `latency` and `per_record` milliseconds.
pub fn measure(sizes: &Sizes, latency: u64, per_record: u64) -> Result<(), Failure> {
    if sizes.joiners < sizes.members {
        return Err("members are taken from those who joined: there have to be as many joiners".into());
    }
    leave_the_server_its_core()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::new("entitlements");
    runtime.block_on(async {
        for (latency, per_record) in [(0, 0), (latency, per_record)] {
            let bench = Bench::start(latency, per_record).await?;
            let lone = bench.lone(&mut report).await?;
            bench.waiting(&mut report, sizes, &lone).await?;
            bench.queued(&mut report, sizes).await?;
            bench.members(&mut report, sizes.members).await?;
        }
        Ok::<_, Failure>(())
    })?;
    report.write()
}

/// A gateway, its org, and who is next to join.
struct Bench {
    org: Process,
    gateway: Gateway,
    /// Of the org, for the report.
    what: String,
    next: Arc<AtomicUsize>,
    /// How many records of [`OBJECTS`] the org has more with every joiner.
    each: [u64; 3],
}

impl Bench {
    /// With a warm catalogue.
    async fn start(latency: u64, per_record: u64) -> Result<Self, Failure> {
        let address = free_address()?;
        let (listen, milliseconds, more) = (address.to_string(), latency.to_string(), per_record.to_string());
        let arguments = ["org", "--listen", &listen, "--latency", &milliseconds, "--per-record", &more];
        let org = Process::start(address, &arguments)?;
        let gateway = Gateway::start(Some(&org), MAPPING)?;
        let what = format!("{latency} ms + {per_record} ms a record");
        let mut bench = Self { org, gateway, what, next: Arc::default(), each: [0; 3] };
        let before = bench.records().await?;
        bench.join(1, Until::Requests(1), TOKEN, 201).await?;
        bench.expect_everything().await?;
        let after = bench.records().await?;
        bench.each = std::array::from_fn(|at| after[at] - before[at]);
        Ok(bench)
    }

    /// Has people join, each with all that this is about.
    async fn join(
        &self,
        connections: usize,
        until: Until,
        token: &'static str,
        status: u16,
    ) -> Result<Measured, Failure> {
        let next = Arc::clone(&self.next);
        let make = Arc::new(move |_| {
            let joiner = joiner(next.fetch_add(1, Ordering::Relaxed));
            request("POST", "/scim/v2/Users", token, &joiner.to_string())
        });
        load::run(self.gateway.process.address, connections, until, status, make).await
    }

    /// Whether the first one has got it all.
    async fn expect_everything(&self) -> Result<(), Failure> {
        let found = control(&self.org, &format!("users/{}/grants", user_name(0))).await?;
        let has = |list: &str, names: &[&str]| {
            let found = found[list].as_array().map(Vec::as_slice).unwrap_or_default();
            names.iter().all(|name| found.iter().any(|found| found == name))
        };
        let all = found["profile"] == PROFILE
            && found["role"] == ROLE
            && has("permission-sets", &SETS)
            && has("groups", &GROUPS);
        if all { Ok(()) } else { Err(format!("a joiner has not got everything: {found}").into()) }
    }

    /// One after the other, beside the same call that is made without a gateway, and the disk.
    async fn lone(&self, report: &mut Report) -> Result<Measured, Failure> {
        let (sync, _) = fdatasync(self.gateway.directory.path())?;
        let own = self.own().await?;
        report.add(&format!("the org's own answer, {}", self.what), Some(&own), json!({}));
        let calls = api_calls(&self.org).await?;
        let lone = self.join(1, Until::Requests(LONE), TOKEN, 201).await?;
        let calls = api_calls(&self.org).await? - calls;
        let extra = json!({
            "calls_each": calls as f64 / LONE as f64,
            "added_p50_us": lone.p50_us.saturating_sub(own.p50_us),
            "fdatasync_p50_us": sync,
        });
        report.add(&format!("lone joiner, {}", self.what), Some(&lone), extra);
        Ok(lone)
    }

    /// What the org itself takes for the records of a joiner, in one Composite.
    async fn own(&self) -> Result<Measured, Failure> {
        let token = org_token(&self.org).await?;
        let parts = self.parts().await?;
        let make = Arc::new(move |n: u64| {
            let mut parts = parts.clone();
            parts[0]["body"]["Username"] = format!("direct{n}@acme.example").into();
            let body = json!({"allOrNone": true, "compositeRequest": parts}).to_string();
            request_of("application/json", "POST", "/services/data/v66.0/composite", &token, &body)
        });
        // A Composite is 200 whatever becomes of its parts.
        let first = Connection::open(self.org.address).await?.send(&make(u64::MAX)).await?;
        let answer: Value = serde_json::from_slice(&first.1)?;
        let parts = answer["compositeResponse"].as_array().map(Vec::as_slice).unwrap_or_default();
        if parts.is_empty() || parts.iter().any(|part| part["httpStatusCode"] != 201) {
            return Err(format!("the org has not taken a joiner: {answer}").into());
        }
        load::run(self.org.address, 1, Until::Requests(LONE), 200, make).await
    }

    async fn parts(&self) -> Result<Vec<Value>, Failure> {
        let (profile, role) = (self.id("Profile", PROFILE), self.id("UserRole", ROLE));
        let user = json!({
            "LastName": "Direct", "Email": "direct@acme.example", "Alias": "direct", "TimeZoneSidKey": "GMT",
            "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "IsActive": true,
            "ProfileId": profile.await?, "UserRoleId": role.await?,
        });
        let mut parts = vec![part("User", "user", &user)];
        for (n, set) in SETS.iter().enumerate() {
            let set = self.id("PermissionSet", set).await?;
            let body = json!({"AssigneeId": "@{user.id}", "PermissionSetId": set});
            parts.push(part("PermissionSetAssignment", &format!("set{n}"), &body));
        }
        for (n, group) in GROUPS.iter().enumerate() {
            let group = self.id("Group", group).await?;
            let body = json!({"UserOrGroupId": "@{user.id}", "GroupId": group});
            parts.push(part("GroupMember", &format!("group{n}"), &body));
        }
        Ok(parts)
    }

    async fn id(&self, object: &str, name: &str) -> Result<String, Failure> {
        record_id(&self.org, object, name).await
    }

    /// So many at once, each waiting for its answer before the next comes.
    async fn waiting(&self, report: &mut Report, sizes: &Sizes, lone: &Measured) -> Result<(), Failure> {
        let Sizes { joiners, connections, .. } = *sizes;
        let expected = self.records_after(joiners).await?;
        self.forget_calls().await?;
        let measured = self.join(connections, Until::Requests(joiners), TOKEN, 201).await?;
        let mut extra = self.shares(joiners).await?;
        let found = self.records().await?;
        if found != expected {
            return Err(format!("expected {expected:?} of {OBJECTS:?}, found {found:?}").into());
        }
        extra["p99_of_lone"] = json!(measured.p99_us as f64 / lone.p50_us as f64);
        report.add(&format!("{joiners} over {connections} that wait, {}", self.what), Some(&measured), extra);
        Ok(())
    }

    /// All of them are acknowledged as soon as they are stored, and then done.
    async fn queued(&self, report: &mut Report, sizes: &Sizes) -> Result<(), Failure> {
        let Sizes { joiners, connections, .. } = *sizes;
        let expected = self.records_after(joiners).await?;
        self.forget_calls().await?;
        let started = Instant::now();
        let acknowledged = self.join(connections, Until::Requests(joiners), STORED_TOKEN, 202).await?;
        loop {
            let found = self.records().await?;
            if found == expected {
                break;
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("expected {expected:?} of {OBJECTS:?}, found {found:?}").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let mut extra = self.shares(joiners).await?;
        extra["seconds_until_done"] = json!(started.elapsed().as_secs_f64());
        report.add(&format!("{joiners} acknowledged, {}", self.what), Some(&acknowledged), extra);
        Ok(())
    }

    /// They join a Group that stands for a permission set with one PATCH, and leave it with another.
    async fn members(&self, report: &mut Report, count: usize) -> Result<(), Failure> {
        let members = self.some_people(count).await?;
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": format!("sf-ps-{SET_OF_MEMBERS}"),
        });
        let group = self.send("POST", "/scim/v2/Groups", &group, 201).await?;
        let path = format!("/scim/v2/Groups/{}", group["id"].as_str().ok_or("no id")?);
        let changes = [
            ("join", json!({"op": "add", "path": "members", "value": members}), count),
            ("leave", json!({"op": "replace", "path": "members", "value": []}), 0),
        ];
        for (what, operation, holders) in changes {
            let body = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [operation],
            });
            self.forget_calls().await?;
            let started = Instant::now();
            self.send("PATCH", &path, &body, 200).await?;
            let seconds = started.elapsed().as_secs_f64();
            let calls = api_calls(&self.org).await?;
            let found = self.holders().await?;
            if found != holders {
                return Err(format!("expected {holders} who have {SET_OF_MEMBERS}, found {found}").into());
            }
            let what = format!("{count} members {what}, one PATCH, {}", self.what);
            report.add(&what, None, json!({"calls": calls, "seconds": seconds}));
        }
        Ok(())
    }

    /// As elements of `members`.
    async fn some_people(&self, count: usize) -> Result<Vec<Value>, Failure> {
        let mut people = Vec::new();
        while people.len() < count {
            let path = format!("/scim/v2/Users?attributes=id&startIndex={}&count=100", people.len() + 1);
            let page = self.send("GET", &path, &Value::Null, 200).await?;
            let found = page["Resources"].as_array().map(Vec::as_slice).unwrap_or_default();
            if found.is_empty() {
                return Err(format!("expected {count} people, found {}", people.len()).into());
            }
            people.extend(found.iter().map(|user| json!({"value": user["id"]})));
        }
        people.truncate(count);
        Ok(people)
    }

    /// How many have the permission set that the Group stands for.
    async fn holders(&self) -> Result<usize, Failure> {
        let set = self.id("PermissionSet", SET_OF_MEMBERS).await?;
        let path = format!("records/PermissionSetAssignment?PermissionSetId={set}");
        let found = control(&self.org, &path).await?;
        Ok(found["records"].as_array().ok_or("no records")?.len())
    }

    async fn send(&self, method: &str, path: &str, body: &Value, expected: u16) -> Result<Value, Failure> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut connection = Connection::open(self.gateway.process.address).await?;
        let (status, answer) = connection.send(&request(method, path, TOKEN, &body)).await?;
        if status != expected {
            let answer = String::from_utf8_lossy(&answer);
            return Err(format!("{method} {path}: expected {expected}, found {status}: {answer}").into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    /// How many records of [`OBJECTS`] the org has.
    async fn records(&self) -> Result<[u64; 3], Failure> {
        let state = control(&self.org, "state").await?;
        Ok(OBJECTS.map(|object| state["records"][object].as_u64().unwrap_or_default()))
    }

    /// How many it is to have once so many more have got everything.
    async fn records_after(&self, joiners: usize) -> Result<[u64; 3], Failure> {
        let now = self.records().await?;
        Ok(std::array::from_fn(|at| now[at] + self.each[at] * joiners as u64))
    }

    async fn shares(&self, joiners: usize) -> Result<Value, Failure> {
        Ok(shares(&control(&self.org, "calls").await?, joiners))
    }

    async fn forget_calls(&self) -> Result<(), Failure> {
        let url = format!("http://{}/_sim/calls", self.org.address);
        reqwest::Client::new().delete(url).send().await?.error_for_status()?;
        Ok(())
    }
}

fn user_name(n: usize) -> String {
    format!("joiner{n}@acme.example")
}

/// Somebody who asks for everything.
fn joiner(n: usize) -> Value {
    let mut joiner = person(&user_name(n), n);
    let of = |kind: &str, name: &str| json!({"value": name, "type": kind});
    let mut entitlements = vec![of("Profile", PROFILE)];
    entitlements.extend(SETS.map(|name| of("PermissionSet", name)));
    entitlements.extend(GROUPS.map(|name| of("PublicGroup", name)));
    joiner["entitlements"] = entitlements.into();
    joiner["roles"] = json!([{"value": ROLE}]);
    joiner
}

fn part(object: &str, name: &str, body: &Value) -> Value {
    let url = format!("/services/data/v66.0/sobjects/{object}");
    json!({"method": "POST", "url": url, "referenceId": name, "body": body})
}
