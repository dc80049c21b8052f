//! Groups that stand for an entitlement: whoever is a member has it, and nobody else by that.

mod acknowledged;
mod killed;
mod published;
mod pushed;
mod several;
mod storm;

use std::collections::BTreeSet;

use e2e::{Answered, Org, Scene, Tool, tool::person};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

/// What the org of these stories offers beyond a fresh one.
const ORG: &str = r#"
[[permission-sets]]
name = "Sales_Ops"
label = "Sales Operations"

[[permission-sets]]
name = "Service_Desk"

[[permission-sets]]
name = "Auditors"                    # not every licence allows what it gives, which only Salesforce knows
permissions = ["ViewAllData"]

[[permission-sets]]
name = "Console"
licence = "SalesConsoleUser"

[[permission-sets]]
name = "Salesforce_Only"
licence = "Salesforce"

[[groups]]
name = "Dock Workers"
"#;

/// Users whose groups may stand for permission sets; those of the type `Platform` have another licence.
const MAPPING: &str = r#"
[targets.staff]
object = "User"

[targets.staff.fields]
Username          = 'username(user.userName)'
Email             = { from = 'emails[primary eq true].value' }
FirstName         = 'user.name.givenName'
LastName          = 'user.name.familyName'
Alias             = { value = 'alias(user)', on = "create" }
TimeZoneSidKey    = { default = "GMT" }
LocaleSidKey      = { default = "en_US" }
LanguageLocaleKey = { default = "en_US" }
EmailEncodingKey  = { default = "UTF-8" }

[[grants]]
name = "platform"
when = 'user.userType == "Platform"'
profile = "Standard Platform User"

[[groups.pushed]]
name = "sf-ps-*"
kind = "permission-set"
entitlement = "{1}"

[[groups.pushed]]
name = "sf-group-*"
kind = "public-group"
entitlement = "{1}"
"#;

fn scene() -> Scene {
    Scene::new(MAPPING, ORG)
}

/// The same with something more in the mapping.
fn scene_with(more: &str) -> Scene {
    Scene::new(&format!("{MAPPING}\n{more}"), ORG)
}

/// The same, where a change that Salesforce takes in part is undone.
fn scene_that_rolls_back() -> Scene {
    scene_with("[groups]\npartial = \"rollback\"\n")
}

/// Somebody by the name, who becomes a User. Answers the SCIM id.
async fn somebody(tool: &Tool, name: &str) -> String {
    tool.create(&address(name)).await.expect(201).id()
}

/// Somebody whose licence allows less.
async fn somebody_with_less(tool: &Tool, name: &str) -> String {
    let mut person = person(&address(name));
    person["userType"] = "Platform".into();
    tool.post("/Users", &person).await.expect(201).id()
}

fn address(name: &str) -> String {
    format!("{name}@acme.example")
}

/// So many people: their names and ids.
async fn people(tool: &Tool, count: usize) -> Vec<(String, String)> {
    let made = stream::iter(0..count).map(async |n| {
        let name = format!("p{n}");
        let id = somebody(tool, &name).await;
        (name, id)
    });
    made.buffered(64).collect().await
}

async fn group(tool: &Tool, name: &str, members: &[&str]) -> String {
    tool.post("/Groups", &group_body(name, members)).await.expect(201).id()
}

fn group_body(name: &str, members: &[&str]) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": name,
        "members": elements(members),
    })
}

fn elements(members: &[&str]) -> Value {
    members.iter().map(|id| json!({"value": id})).collect()
}

fn add(members: &[&str]) -> Value {
    json!([{"op": "add", "path": "members", "value": elements(members)}])
}

fn remove(member: &str) -> Value {
    json!([{"op": "remove", "path": format!("members[value eq \"{member}\"]")}])
}

async fn join(tool: &Tool, group: &str, members: &[&str]) -> Answered {
    tool.patch(&format!("/Groups/{group}"), add(members)).await
}

async fn leave(tool: &Tool, group: &str, member: &str) -> Answered {
    tool.patch(&format!("/Groups/{group}"), remove(member)).await
}

/// Who is in the group, as SCIM says.
async fn members(tool: &Tool, group: &str) -> BTreeSet<String> {
    let group = tool.get(&format!("/Groups/{group}")).await.expect(200).json();
    let members = group["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

fn set_of(ids: &[&str]) -> BTreeSet<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// The usernames that have the permission set in the org.
async fn holders(org: &Org, set: &str) -> BTreeSet<String> {
    let set = org.one("PermissionSet", "Name", set).await["Id"].as_str().unwrap().to_owned();
    let users = org.records("User").await;
    let rows = org.find("PermissionSetAssignment", "PermissionSetId", &set).await;
    rows.iter()
        .map(|row| {
            let user = users.iter().find(|user| user["Id"] == row["AssigneeId"]).unwrap();
            user["Username"].as_str().unwrap().to_owned()
        })
        .collect()
}

/// What SCIM shows that somebody has, by label.
async fn shown(tool: &Tool, id: &str) -> BTreeSet<String> {
    let user = tool.get(&format!("/Users/{id}")).await.expect(200).json();
    let entitlements = user["entitlements"].as_array().cloned().unwrap_or_default();
    entitlements.iter().filter_map(|one| one["display"].as_str().map(str::to_owned)).collect()
}

async fn api_calls(org: &Org) -> u64 {
    org.calls().await.api
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| address(name)).collect()
}

fn detail(answer: &Answered) -> String {
    answer.json()["detail"].as_str().unwrap_or_default().to_owned()
}
