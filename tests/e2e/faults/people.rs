//! Callers that create, change, lock out and delete people without pause, and what must hold in the end.
//!
//! Each person belongs to one caller, who knows what it was promised: an acknowledged change holds, one that was not
//! acknowledged may hold or not, and whatever became of it, Gangway and Salesforce agree.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use e2e::{Answered, Org, Tool, tool::person};
use serde_json::{Map, Value, json};
use tokio::{sync::watch, task::JoinHandle};

use super::replace;

const CALLERS: u64 = 6;
const PEOPLE: u64 = 4;

/// A small random generator (SplitMix64): the same seed tells the same story.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// All that may be true of something, by what was promised.
#[derive(Debug, Default)]
struct May<T>(BTreeSet<T>);

impl<T: Ord> May<T> {
    fn is(&mut self, value: T) {
        self.0 = BTreeSet::from([value]);
    }

    fn may_be(&mut self, value: T) {
        self.0.insert(value);
    }
}

/// What one caller knows of one person.
#[derive(Debug)]
struct Known {
    name: String,
    id: Option<String>,
    exists: May<bool>,
    active: May<bool>,
    title: May<String>,
    family: May<String>,
}

impl Known {
    fn new(name: String) -> Self {
        let mut nobody = Self {
            name,
            id: None,
            exists: May::default(),
            active: May::default(),
            title: May::default(),
            family: May::default(),
        };
        nobody.exists.is(false);
        nobody
    }
}

/// What all callers share.
pub struct Crowd {
    tool: watch::Sender<Tool>,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU32>,
    callers: Vec<JoinHandle<Vec<Known>>>,
}

impl Crowd {
    /// Lets the callers begin.
    pub fn start(seed: u64, tool: Tool) -> Self {
        let (tool, current) = watch::channel(tool);
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU32::new(0));
        let callers = (0..CALLERS)
            .map(|number| {
                let caller = Caller {
                    chance: Chance::new(seed.wrapping_mul(1_000).wrapping_add(number)),
                    tool: current.clone(),
                    acknowledged: Arc::clone(&acknowledged),
                };
                let people = (0..PEOPLE).map(|n| Known::new(format!("c{number}-{n}@acme.example"))).collect();
                tokio::spawn(caller.run(people, Arc::clone(&stop)))
            })
            .collect();
        Self { tool, stop, acknowledged, callers }
    }

    /// How many changes were acknowledged.
    pub fn acknowledged(&self) -> u32 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// The gateway has another address.
    pub fn moved(&self, tool: Tool) {
        self.tool.send_replace(tool);
    }

    /// Ends the callers; answers what they were promised.
    pub async fn stop(self) -> Promises {
        self.stop.store(true, Ordering::Release);
        let mut people = Vec::new();
        for caller in self.callers {
            people.extend(caller.await.unwrap());
        }
        Promises(people)
    }
}

struct Caller {
    chance: Chance,
    tool: watch::Receiver<Tool>,
    acknowledged: Arc<AtomicU32>,
}

impl Caller {
    async fn run(mut self, mut people: Vec<Known>, stop: Arc<AtomicBool>) -> Vec<Known> {
        while !stop.load(Ordering::Acquire) {
            let who = usize::try_from(self.chance.below(PEOPLE)).unwrap();
            let person = &mut people[who];
            match person.id.clone() {
                None => self.create(person).await,
                Some(id) => self.change(person, &format!("/Users/{id}")).await,
            }
        }
        people
    }

    /// Sends; `None` when the connection broke. Then waits for the gateway to be there again.
    async fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Option<Answered> {
        let tool = self.tool.borrow_and_update().clone();
        let headers = [("content-type", "application/scim+json")];
        let body = body.map(|body| body.to_string().into_bytes());
        if let Ok(answer) = tool.send(method, path, &headers, body).await {
            assert!(answer.status < 500 || answer.status == 503, "{method} {path}: {}", answer.text);
            if answer.status < 300 {
                self.acknowledged.fetch_add(1, Ordering::AcqRel);
            }
            return Some(answer);
        }
        // Gone or about to be: the next one has another address.
        let _ = self.tool.changed().await;
        None
    }

    /// Few words: who is called as before is what is easily forgotten.
    fn word(&mut self) -> String {
        ["Pilot", "Mate", "Master"][usize::try_from(self.chance.below(3)).unwrap()].to_owned()
    }

    async fn create(&mut self, person: &mut Known) {
        let (title, family) = (self.word(), self.word());
        let mut body = self::person(&person.name);
        body["title"] = json!(title);
        body["name"]["familyName"] = json!(family);
        match self.send("POST", "/Users", Some(&body)).await {
            Some(answer) if answer.status == 201 => {
                person.id = Some(answer.id());
                person.exists.is(true);
                person.active.is(true);
                person.title.is(title);
                person.family.is(family);
            }
            // An earlier create, whose answer was lost, has made it.
            Some(answer) if answer.status == 409 => {
                assert!(person.exists.0.contains(&true), "{}: {}", person.name, answer.text);
                let filter = e2e::tool::encode(&format!("userName eq \"{}\"", person.name));
                if let Some(found) = self.send("GET", &format!("/Users?filter={filter}"), None).await {
                    person.id = found.json()["Resources"][0]["id"].as_str().map(str::to_owned);
                }
            }
            answer => {
                assert!(answer.is_none_or(|answer| answer.status == 503));
                person.exists.may_be(true);
                person.active.may_be(true);
                person.title.may_be(title);
                person.family.may_be(family);
            }
        }
    }

    async fn change(&mut self, person: &mut Known, path: &str) {
        match self.chance.below(10) {
            0 => {
                let answer = self.send("DELETE", path, None).await;
                match answer.map(|answer| answer.status) {
                    Some(204) => gone(person),
                    other => not_done(person, other, |person| person.exists.may_be(false)),
                }
            }
            1..=4 => {
                let active = self.chance.below(2) == 0;
                let answer = self.patch(path, replace("active", active)).await;
                match answer {
                    Some(200) => person.active.is(active),
                    other => not_done(person, other, |person| person.active.may_be(active)),
                }
            }
            _ => {
                let (title, family) = (self.word(), self.word());
                let mut operations = replace("title", title.as_str());
                operations
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"op": "replace", "path": "name.familyName", "value": family}));
                match self.patch(path, operations).await {
                    Some(200) => {
                        person.title.is(title);
                        person.family.is(family);
                    }
                    other => not_done(person, other, |person| {
                        person.title.may_be(title);
                        person.family.may_be(family);
                    }),
                }
            }
        }
    }

    async fn patch(&mut self, path: &str, operations: Value) -> Option<u16> {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations,
        });
        self.send("PATCH", path, Some(&body)).await.map(|answer| answer.status)
    }
}

/// No success: an earlier delete or a withdrawn create has taken the person away, or nothing is known.
fn not_done(person: &mut Known, status: Option<u16>, may: impl FnOnce(&mut Known)) {
    match status {
        Some(404) => {
            assert!(person.exists.0.contains(&false), "{person:?} is gone");
            gone(person);
        }
        None | Some(503) => may(person),
        Some(other) => panic!("{other} for {person:?}"),
    }
}

fn gone(person: &mut Known) {
    *person = Known::new(std::mem::take(&mut person.name));
}

/// What the callers were promised.
pub struct Promises(Vec<Known>);

impl Promises {
    /// Holds them against Gangway and against the org.
    pub async fn hold(&self, tool: &Tool, org: &Org) {
        let in_scim = everybody(tool).await;
        let in_the_org = ours(org).await;
        for person in &self.0 {
            let scim = in_scim.get(&person.name);
            assert!(person.exists.0.contains(&scim.is_some()), "{person:?}: {scim:?}");
            let Some(scim) = scim else { continue };
            if let Some(id) = &person.id {
                assert_eq!(scim["id"], id.as_str(), "{person:?}");
            }
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            assert!(person.active.0.contains(&scim["active"].as_bool().unwrap()), "{person:?}: {scim}");
            assert!(person.title.0.contains(&text(&scim["title"])), "{person:?}: {scim}");
            assert!(person.family.0.contains(&text(&scim["name"]["familyName"])), "{person:?}: {scim}");
        }
        for (name, scim) in &in_scim {
            let [user] = in_the_org.get(name).map_or(&[][..], Vec::as_slice) else {
                panic!("{name} should be in the org once: {:?}", in_the_org.get(name));
            };
            assert_eq!(user["IsActive"], scim["active"], "{name}");
            assert_eq!(user["Title"], scim["title"], "{name}");
            assert_eq!(user["LastName"], scim["name"]["familyName"], "{name}");
        }
        for (name, users) in &in_the_org {
            assert_eq!(users.len(), 1, "{name} is in the org more than once");
            let left = users[0]["IsActive"] == false;
            assert!(left || in_scim.contains_key(name), "{name} is active and nobody knows it");
        }
    }
}

/// All identities by name.
async fn everybody(tool: &Tool) -> HashMap<String, Value> {
    let list = tool.get("/Users?count=1000").await.expect(200).json();
    let people: Vec<Value> = serde_json::from_value(list["Resources"].clone()).unwrap();
    let count = people.len();
    let people: HashMap<_, _> =
        people.into_iter().map(|user| (user["userName"].as_str().unwrap().to_owned(), user)).collect();
    assert_eq!(people.len(), count, "a name is there twice");
    people
}

/// The org's Users that the callers asked for, by e-mail address: whoever is there twice shows.
async fn ours(org: &Org) -> HashMap<String, Vec<Map<String, Value>>> {
    let mut ours: HashMap<String, Vec<_>> = HashMap::new();
    for user in org.records("User").await {
        let email = user["Email"].as_str().unwrap_or_default().to_owned();
        if email.ends_with("@acme.example") {
            ours.entry(email).or_default().push(user);
        }
    }
    ours
}
