//! The people of `gangway demo`, and how an identity tool would send them: by SCIM over HTTP.

use reqwest::{Client, Method, StatusCode, header};
use serde_json::{Value, json};

/// The URN of Gangway's own extension, where answers show what was adapted on the way to Salesforce.
const EXTENSION: &str = "urn:gangway:params:scim:schemas:extension:2.0:User";
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// One person as the demo sends them.
struct Person {
    user_name: &'static str,
    given: &'static str,
    family: &'static str,
    email: &'static str,
    locale: &'static str,
    time_zone: &'static str,
    title: &'static str,
    department: &'static str,
    /// Leaves again at once.
    leaves: bool,
}

/// Names in four scripts, user names that are e-mail addresses and some that are not, time zones as IANA and as Windows call them,
/// one that nobody knows, and somebody who leaves.
const PEOPLE: [Person; 8] = [
    Person {
        user_name: "ada.lovelace@acme.example",
        given: "Ada",
        family: "Lovelace",
        email: "ada.lovelace@acme.example",
        locale: "en-GB",
        time_zone: "Europe/London",
        title: "Navigator",
        department: "Bridge",
        leaves: false,
    },
    Person {
        user_name: "npapadopoulos",
        given: "Νίκος",
        family: "Παπαδόπουλος",
        email: "nikos.papadopoulos@acme.example",
        locale: "el-GR",
        time_zone: "GTB Standard Time",
        title: "Boatswain",
        department: "Deck",
        leaves: false,
    },
    Person {
        user_name: "olga.ivanova@acme.example",
        given: "Ольга",
        family: "Иванова",
        email: "olga.ivanova@acme.example",
        locale: "ru-RU",
        time_zone: "Russian Standard Time",
        title: "Chief Engineer",
        department: "Engine Room",
        leaves: false,
    },
    Person {
        user_name: "yamada.taro",
        given: "太郎",
        family: "山田",
        email: "taro.yamada@acme.example",
        locale: "ja-JP",
        time_zone: "Tokyo Standard Time",
        title: "Second Mate",
        department: "Bridge",
        leaves: false,
    },
    Person {
        user_name: "wang.xiaoming@acme.example",
        given: "小明",
        family: "王",
        email: "wang.xiaoming@acme.example",
        locale: "zh-CN",
        time_zone: "Asia/Shanghai",
        title: "Purser",
        department: "Office",
        leaves: false,
    },
    Person {
        user_name: "jan-willem.van.der.meer@acme.example",
        given: "Jan-Willem",
        family: "van der Meer",
        email: "jan-willem.van.der.meer@acme.example",
        locale: "nl-NL",
        time_zone: "W. Europe Standard Time",
        title: "Captain",
        department: "Bridge",
        leaves: false,
    },
    Person {
        user_name: "jose.angstrom@acme.example",
        given: "José",
        family: "Ångström",
        email: "jose.angstrom@acme.example",
        locale: "sv-SE",
        time_zone: "Middle of the Atlantic",
        title: "Cook",
        department: "Galley",
        leaves: false,
    },
    Person {
        user_name: "max.mustermann@acme.example",
        given: "Max",
        family: "Mustermann",
        email: "max.mustermann@acme.example",
        locale: "de-DE",
        time_zone: "Europe/Berlin",
        title: "Deckhand",
        department: "Deck",
        leaves: true,
    },
];

/// The group of the demo.
pub(super) const CREW: &str = "Bridge Crew";

impl Person {
    fn body(&self) -> Value {
        json!({
            "schemas": [USER, ENTERPRISE],
            "externalId": self.user_name,
            "userName": self.user_name,
            "name": { "givenName": self.given, "familyName": self.family },
            "displayName": format!("{} {}", self.given, self.family),
            "emails": [{ "value": self.email, "type": "work", "primary": true }],
            "active": true,
            "locale": self.locale,
            "preferredLanguage": self.locale,
            "timezone": self.time_zone,
            "title": self.title,
            ENTERPRISE: { "department": self.department, "employeeNumber": "0042" },
        })
    }
}

/// Somebody who has arrived, and what became of them.
#[derive(Debug, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Arrival {
    pub(super) person: String,
    pub(super) scim_id: String,
    #[serde(skip)]
    external_id: String,
    pub(super) salesforce_id: String,
    pub(super) username: String,
    pub(super) alias: String,
    pub(super) active: bool,
    /// What was adapted on the way.
    pub(super) adapted: Vec<String>,
}

/// An identity tool with one token.
pub(super) struct Tool {
    http: Client,
    base: String,
    token: String,
}

impl Tool {
    /// A tool that calls this SCIM base.
    pub(super) fn new(base: String, token: String) -> Result<Self, String> {
        // No proxy: everything the demo talks to is on this machine.
        let http = Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        Ok(Self { http, base, token })
    }

    /// Brings everyone on board, one after the other, forms the group, and sees the leaver ashore.
    ///
    /// `records` is the address of the org's Users, to show what arrived there.
    pub(super) async fn bring_everyone(&self, records: &str) -> Result<Vec<Arrival>, String> {
        let mut arrivals = Vec::with_capacity(PEOPLE.len());
        let mut crew = Vec::new();
        for person in &PEOPLE {
            // Asked for by name, because answers need not show an extension of ours to tools that do not know it.
            let path = format!("/Users?attributes=id,{EXTENSION}");
            let created = self.send(Method::POST, &path, &person.body(), StatusCode::CREATED).await?;
            let id = text(&created["id"]);
            if person.department == "Bridge" {
                crew.push(json!({ "value": id }));
            }
            if person.leaves {
                let leave = json!({
                    "schemas": [PATCH],
                    "Operations": [{ "op": "replace", "path": "active", "value": false }],
                });
                self.send(Method::PATCH, &format!("/Users/{id}"), &leave, StatusCode::OK).await?;
            }
            arrivals.push(arrival(person, id, &created));
        }
        let group = json!({ "schemas": [GROUP], "displayName": CREW, "members": crew });
        self.send(Method::POST, "/Groups", &group, StatusCode::CREATED).await?;
        self.look_in_the_org(records, &mut arrivals).await?;
        Ok(arrivals)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        expected: StatusCode,
    ) -> Result<Value, String> {
        let url = format!("{}{path}", self.base);
        let answer = self
            .http
            .request(method.clone(), &url)
            .bearer_auth(&self.token)
            .header(header::CONTENT_TYPE, "application/scim+json")
            .body(body.to_string())
            .send()
            .await
            .map_err(|error| format!("{method} {url}: {error}"))?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(|error| format!("{method} {url}: {error}"))?;
        if status == expected {
            Ok(body)
        } else {
            Err(format!("{method} {url}: {status}: {}", body["detail"]))
        }
    }

    /// Reads usernames and aliases where they arrived.
    async fn look_in_the_org(&self, records: &str, arrivals: &mut [Arrival]) -> Result<(), String> {
        let fail = |error: reqwest::Error| format!("GET {records}: {error}");
        let answer: Value = self.http.get(records).send().await.map_err(fail)?.json().await.map_err(fail)?;
        let users = answer["records"].as_array().map_or(&[][..], Vec::as_slice);
        for arrival in arrivals {
            // The default mapping puts externalId there.
            let user = users.iter().find(|user| user["FederationIdentifier"] == arrival.external_id.as_str());
            let user = user.ok_or_else(|| format!("{} has not arrived in the org", arrival.scim_id))?;
            arrival.salesforce_id = text(&user["Id"]);
            arrival.username = text(&user["Username"]);
            arrival.alias = text(&user["Alias"]);
            arrival.active = user["IsActive"] == true;
        }
        Ok(())
    }
}

fn arrival(person: &Person, id: String, created: &Value) -> Arrival {
    let extension = &created[EXTENSION];
    let adapted = extension["warnings"].as_array().into_iter().flatten();
    Arrival {
        person: format!("{} {}", person.given, person.family),
        scim_id: id,
        external_id: person.user_name.to_owned(),
        // Everybody gets an alias, and it is shown.
        adapted: adapted
            .filter(|warning| warning["code"] != "alias-made")
            .map(|warning| text(&warning["detail"]))
            .collect(),
        ..Arrival::default()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
