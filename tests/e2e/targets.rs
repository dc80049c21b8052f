//! One identity followed through Lead, Contact and User: several targets of one tenant, in one or several orgs.

mod addresses;
mod conversions;
mod leads_and_contacts;
mod managers;
mod moves;
pub(crate) mod moves_killed;
mod several;
mod storm;
mod update_only;

use std::path::Path;

use e2e::{Answered, Org, Tool, tool::person};
use serde_json::{Map, Value, json};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GANGWAY: &str = "urn:gangway:params:scim:schemas:extension:2.0:User";

/// What `deploy/` adds to an org, an account, and a field by which accounts are known elsewhere.
pub(crate) const ORG: &str = r#"
[[fields]]
object = "Contact"
name = "GangwayId__c"
length = 64
unique = true
case-sensitive = true
external-id = true

[[fields]]
object = "Lead"
name = "GangwayId__c"
length = 64
unique = true
case-sensitive = true
external-id = true

[[fields]]
object = "Account"
name = "Code__c"
length = 40
unique = true
external-id = true

[[records]]
object = "Account"
fields = { Name = "Engines", Code__c = "Engines" }
"#;

/// The rules of a lead, with room for more keys of the target.
fn leads(keys: &str) -> String {
    format!(
        "[targets.leads]\nobject = \"Lead\"\n{keys}\n
        [targets.leads.fields]\n{NAMES}
        Company = {{ value = 'user.organization', default = \"Unknown\" }}\n"
    )
}

/// The rules of a contact.
fn contacts(keys: &str) -> String {
    format!("[targets.customers]\nobject = \"Contact\"\n{keys}\n\n[targets.customers.fields]\n{NAMES}\n")
}

const NAMES: &str = r#"
FirstName = 'user.name.givenName'
LastName  = 'user.name.familyName'
Email     = { from = 'emails[primary eq true].value' }
Title     = 'user.title'
Phone     = { from = 'phoneNumbers[type eq "work"].value' }
"#;

/// Prospects are leads, customers contacts, and partners users who are contacts.
const PROMOTIONS: &str = r#"
[targets.leads]
object = "Lead"
when = 'user.userType == "Prospect"'
match = ["Email"]
allow = ["create", "update", "delete"]
on-leave = "delete"

[targets.leads.fields]
FirstName = 'user.name.givenName'
LastName  = 'user.name.familyName'
Email     = { from = 'emails[primary eq true].value' }
Title     = 'user.title'
Company   = { value = 'user.organization', default = "Unknown" }

[targets.customers]
object = "Contact"
when = 'user.userType == "Customer"'
match = ["Email"]
allow = ["create", "update", "delete"]
on-leave = "delete"

[targets.customers.conversion]
account = 'user.organization'

[targets.customers.fields]
FirstName = 'user.name.givenName'
LastName  = 'user.name.familyName'
Email     = { from = 'emails[primary eq true].value' }
Title     = 'user.title'
Account   = { by = "Code__c", value = 'user.organization' }

[targets.partners]
object = "User"
when = 'user.userType == "Partner"'

[targets.partners.fields]
Username          = 'username(user.userName)'
Email             = { from = 'emails[primary eq true].value' }
FirstName         = 'user.name.givenName'
LastName          = 'user.name.familyName'
Alias             = { value = 'alias(user)', on = "create" }
Title             = 'user.title'
TimeZoneSidKey    = { default = "GMT" }
LocaleSidKey      = { default = "en_US" }
LanguageLocaleKey = { default = "en_US" }
EmailEncodingKey  = { default = "UTF-8" }
ProfileId         = { default = "<profile:Customer Community User>", on = "create" }
ContactId         = { link = "customers" }
"#;

/// Somebody of the account Engines. The family name follows from the name, so that nobody is anybody's duplicate.
fn someone(user_name: &str, user_type: &str) -> Value {
    let mut body = person(user_name);
    body["userType"] = json!(user_type);
    body[ENTERPRISE] = json!({"organization": "Engines"});
    body
}

fn replace(path: &str, value: impl Into<Value>) -> Value {
    json!([{ "op": "replace", "path": path, "value": value.into() }])
}

fn set_title(title: &str) -> Value {
    replace("title", title)
}

/// The codes of an answer's warnings.
#[track_caller]
fn warned(answer: &Answered, code: &str) {
    let codes = answer.header("x-gangway-warnings").unwrap_or_default();
    assert!(
        codes.split(',').any(|own| own.trim().starts_with(code)),
        "no {code} in {codes:?}: {}",
        answer.text
    );
}

fn text<'r>(record: &'r Map<String, Value>, field: &str) -> &'r str {
    record[field].as_str().unwrap_or_else(|| panic!("{field} is {}", record[field]))
}

/// The leads of this address that are leads still.
async fn open_leads(org: &Org, email: &str) -> Vec<Map<String, Value>> {
    let mut leads = org.find("Lead", "Email", email).await;
    leads.retain(|lead| lead["IsConverted"] == false);
    leads
}

/// Who can log in with this name.
async fn active_users(org: &Org, name: &str) -> Vec<Map<String, Value>> {
    let mut users = org.users(name).await;
    users.retain(|user| user["IsActive"] == true);
    users
}

/// How many API calls there have been.
async fn calls(org: &Org) -> u64 {
    org.calls().await.api
}

/// The records that a read of an identity names, on request.
async fn linked(tool: &Tool, path: &str) -> Value {
    let shown = tool.get(&format!("{path}?attributes=userName,{GANGWAY}")).await.expect(200).json();
    shown[GANGWAY]["salesforce"].clone()
}

/// What a command of the operator's prints, beside the running gateway.
async fn command(config: &Path, arguments: &[&str]) -> (bool, String) {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_gangway-under-test"))
        .args(["--output", "json"])
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
