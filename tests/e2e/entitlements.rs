//! What people are given beside their records: how tools find it, ask for it and see it.

mod asked;
mod by_hand;
mod departed;
mod fit;
mod groups;
mod killed;
mod kinds;
mod meant;
mod needed;
mod refused;
mod rehired;
mod storm;
mod surface;

use e2e::{Answered, Org, Scene, Tool, World};
use serde_json::Value;

/// Everybody is a User.
const STAFF: &str = r#"
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
"#;

/// An org that has something of every kind.
const ORG: &str = r#"
[org]
features = ["territories"]

[[profiles]]
name = "Dock Sales"
licence = "Salesforce"

[[roles]]
name = "Pilot"
parent = "CEO"

[[permission-set-licences]]
name = "DockConsole"
total = 10
permissions = ["RunReports"]

[[permission-sets]]
name = "Dock_Access"
label = "Dock Access"
licence = "DockConsole"
permissions = ["RunReports"]

[[permission-sets]]
name = "Dock_Reports"

[[permission-sets]]
name = "Dock_More"

[[permission-sets]]
name = "Dock_Most"

[[permission-sets]]
name = "Twin_One"
label = "Twins"

[[permission-sets]]
name = "Twin_Two"
label = "Twins"

[[permission-set-groups]]
name = "Dock_Team"
sets = ["Dock_More"]

[[groups]]
name = "Dock Workers"

[[queues]]
name = "Dock Requests"
objects = ["Case"]

[[packages]]
namespace = "dock"
total = 5

[[territories]]
name = "Harbour"
"#;

/// The target of Users, under another name, in this org.
fn users_of(org: &str, target: &str) -> String {
    let target = STAFF.replace("targets.staff", &format!("targets.{target}"));
    target.replacen("object =", &format!("org = \"{org}\"\nobject ="), 1)
}

/// Everybody has a User in the org `acme` and another one in `beta`.
async fn world_of_two_orgs() -> World {
    let mapping = format!("{}\n{}", users_of("acme", "staff"), users_of("beta", "guests"));
    let scene = Scene { other_orgs: vec!["beta".to_owned()], ..Scene::new(&mapping, ORG) };
    World::of_scene(&scene, |_| ()).await
}

/// What somebody has in the org of a kind, by name, without what comes with another one.
async fn held(org: &Org, username: &str, kind: &str) -> Vec<String> {
    let grants = org.grants_of(username).await;
    match &grants[kind] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::String(name) => vec![name.clone()],
        _ => Vec::new(),
    }
}

/// The element of a type in a list of a User.
fn shown(user: &Value, list: &str, kind: &str) -> Option<Value> {
    user[list].as_array()?.iter().find(|element| element["type"] == kind).cloned()
}

async fn patch(tool: &Tool, path: &str, operations: Value) -> Answered {
    tool.patch(path, operations).await
}
