//! A delivery as a [`Notice`]. Its body is `{ "type", "parameters", "regulation"? }`, nested or flattened: then keys of all
//! levels are joined by `__`, and `new_entity` is called `entity`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::part::Part;

/// What joins the keys of a flattened delivery.
const JOINT: &str = "__";
/// The most levels of a flattened key. Didomi's own have ten.
const LEVELS: usize = 24;
/// The regulation of a delivery that names none.
pub(super) const GDPR: &str = "gdpr";
/// How far Didomi's clock may be ahead of ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);
/// The status of an event whose person has not confirmed it yet.
pub(super) const PENDING: &str = "pending_approval";

/// What a delivery says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Notice {
    /// `event.created`, `user.updated`, ...
    pub kind: String,
    /// What Didomi calls the event.
    pub id: Option<String>,
    /// Whose event it is.
    pub organization: Option<String>,
    /// In lower case.
    pub regulation: String,
    /// Another one, which the same delivery names as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_regulation: Option<String>,
    /// Of an event.
    pub status: Option<String>,
    /// When it was chosen; when it arrived, where it does not say so.
    pub given: Timestamp,
    /// Whether it says so.
    pub timed: bool,
    /// Of a user.
    pub version: Option<i64>,
    /// What Didomi calls the user.
    pub user: Option<String>,
    /// What the customer calls the user.
    pub person: Option<String>,
    /// What was chosen. Nothing is here about which no choice was made.
    pub choices: BTreeMap<Part, Answer>,
}

impl Default for Notice {
    fn default() -> Self {
        Self {
            kind: String::new(),
            id: None,
            organization: None,
            regulation: GDPR.to_owned(),
            other_regulation: None,
            status: None,
            given: Timestamp::UNIX_EPOCH,
            timed: true,
            version: None,
            user: None,
            person: None,
            choices: BTreeMap::new(),
        }
    }
}

/// What was chosen about a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Answer {
    /// Yes or no.
    Enabled(bool),
    /// Ids of values, separated by commas.
    Values(String),
}

impl Notice {
    /// Reads a delivery that arrived at `now`, which stands for the time of a user that has none.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without what it says of anybody.
    pub(super) fn read(body: &[u8], now: Timestamp) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|_| "the body is no JSON")?;
        let Value::Object(mut body) = body else { return Err("the body is no JSON object".into()) };
        if is_flat(&body) || body.get("parameters").and_then(Value::as_object).is_some_and(is_flat) {
            body = nest(body)?;
        }
        let kind = text(&body, "type").ok_or("`type` is missing")?;
        let empty = Map::new();
        let parameters = body.get("parameters").and_then(Value::as_object).unwrap_or(&body);
        let source = object(parameters, "source").unwrap_or(&empty);
        let is_known = kind.starts_with("event.") || kind.starts_with("user.");
        let entity = object(parameters, "new_entity").or_else(|| object(parameters, "entity"));
        let entity = match entity {
            Some(entity) => entity,
            None if is_known => return Err("`parameters` has neither `entity` nor `new_entity`".into()),
            None => &empty,
        };
        let mut regulations = [&body, parameters, entity]
            .into_iter()
            .filter_map(|said| text(said, "regulation"))
            .map(|regulation| regulation.to_lowercase());
        let regulation = regulations.next().unwrap_or_else(|| GDPR.to_owned());
        let other_regulation = regulations.find(|other| *other != regulation);
        let of_user = kind.starts_with("user.");
        let user = object(entity, "user").unwrap_or(&empty);
        let given = match kind.as_str() {
            // Nobody says when it was deleted: what came before it counts no more.
            "user.deleted" => Some(now),
            _ if of_user => moment(source, "created_at")?
                .or(moment(entity, "updated_at")?)
                .or(if kind == "user.created" { moment(entity, "created_at")? } else { None }),
            _ if is_known => Some(moment(entity, "created_at")?.ok_or("the event has no `created_at`")?),
            _ => None,
        };
        let id = if of_user { None } else { text(entity, "id") };
        if is_known && !of_user && id.is_none() {
            return Err("the event has no `id`".into());
        }
        Ok(Self {
            organization: text(entity, "organization_id"),
            regulation,
            other_regulation,
            status: if of_user { None } else { text(entity, "status") },
            given: not_in_the_future(given.unwrap_or(now), now),
            timed: given.is_some(),
            version: if of_user { entity.get("version").and_then(whole) } else { None },
            user: if of_user { text(entity, "id") } else { text(user, "id") },
            person: text(user, "organization_user_id").or_else(|| text(entity, "organization_user_id")),
            choices: match object(entity, "consents") {
                Some(consents) => choices(consents)?,
                None => BTreeMap::new(),
            },
            id,
            kind,
        })
    }

    /// What the event is called here: what Didomi calls it. A pending event and its later states are told apart, users by
    /// their versions; what has no name is known by the digest of its delivery.
    pub(super) fn name(&self, accepted: &[String], digest: &str) -> String {
        match (self.kind.as_str(), &self.id) {
            ("event.created", Some(id)) => match &self.status {
                Some(status) if status == PENDING || !accepted.contains(status) => format!("{id}/{status}"),
                _ => id.clone(),
            },
            ("event.deleted", Some(id)) => format!("{id}/deleted"),
            (_, Some(id)) => format!("{id}/{digest}"),
            (kind, None) => match (&self.user, self.version) {
                (Some(user), Some(version)) => format!("{kind}/{}/{user}/{version}", self.regulation),
                _ => format!("{kind}/{digest}"),
            },
        }
    }
}

fn object<'v>(within: &'v Map<String, Value>, key: &str) -> Option<&'v Map<String, Value>> {
    within.get(key)?.as_object()
}

/// A text, or a number that stands for one: an `organization_user_id` may be anything.
fn text(within: &Map<String, Value>, key: &str) -> Option<String> {
    let text = match within.get(key)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// Nobody has chosen in the future: what says so was chosen when it arrived at the latest, and what is chosen after that is newer.
fn not_in_the_future(given: Timestamp, now: Timestamp) -> Timestamp {
    if given > now + SKEW { now } else { given }
}

fn moment(within: &Map<String, Value>, key: &str) -> Result<Option<Timestamp>, String> {
    let Some(text) = text(within, key) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| format!("`{key}` is no time with a zone"))
}

fn choices(consents: &Map<String, Value>) -> Result<BTreeMap<Part, Answer>, String> {
    let mut choices = BTreeMap::new();
    for purpose in list(consents, "purposes")? {
        let id = text(purpose, "id").ok_or("a purpose has no `id`")?;
        if let Some(enabled) = enabled(purpose)? {
            choices.insert(Part::Purpose(id.clone()), enabled);
        }
        // As old events have it.
        for channel in list(purpose, "channels")? {
            let channel_id = text(channel, "id").ok_or("a channel has no `id`")?;
            if let Some(enabled) = enabled(channel)? {
                choices.insert(Part::Channel(format!("{id}/{channel_id}")), enabled);
            }
        }
        for preference in list(purpose, "preferences")? {
            let preference_id = text(preference, "id").ok_or("a preference has no `id`")?;
            let answer = values(preference).map_or_else(|| enabled(preference), |values| Ok(Some(values)))?;
            if let Some(answer) = answer {
                choices.insert(Part::preference(&id, &preference_id), answer);
            }
        }
        for (preference, value) in object(purpose, "values").into_iter().flatten() {
            if let Some(answer) = value.as_object().and_then(values) {
                choices.insert(Part::preference(&id, preference), answer);
            }
        }
    }
    for channel in list(consents, "channels")? {
        let id = text(channel, "id").ok_or("a channel has no `id`")?;
        if let Some(enabled) = enabled(channel)? {
            choices.insert(Part::Channel(id), enabled);
        }
    }
    Ok(choices)
}

/// The objects of a list that may be missing.
fn list<'v>(within: &'v Map<String, Value>, key: &str) -> Result<Vec<&'v Map<String, Value>>, String> {
    match within.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_object().ok_or_else(|| format!("`{key}` has something that is no object")))
            .collect(),
        Some(_) => Err(format!("`{key}` is no list")),
    }
}

/// What `enabled` says; null: no choice was made.
fn enabled(of: &Map<String, Value>) -> Result<Option<Answer>, String> {
    match of.get("enabled") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(enabled)) => Ok(Some(Answer::Enabled(*enabled))),
        Some(_) => Err("`enabled` is neither true nor false nor null".into()),
    }
}

fn values(of: &Map<String, Value>) -> Option<Answer> {
    match of.get("value")? {
        Value::String(values) => Some(Answer::Values(values.clone())),
        Value::Bool(enabled) => Some(Answer::Enabled(*enabled)),
        Value::Number(number) => Some(Answer::Values(number.to_string())),
        Value::Array(values) => {
            let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
            Some(Answer::Values(values.join(",")))
        }
        _ => None,
    }
}

fn is_flat(object: &Map<String, Value>) -> bool {
    object.keys().any(|key| key.contains(JOINT))
}

/// The levels of a flattened object.
fn nest(flat: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut nested = Map::new();
    for (key, value) in flat {
        let value = match value {
            Value::Object(inner) => Value::Object(nest(inner)?),
            value => value,
        };
        let path: Vec<&str> = key.split(JOINT).collect();
        if path.len() > LEVELS {
            return Err(format!("a key has more than {LEVELS} levels"));
        }
        put(&mut nested, &path, value)?;
    }
    Ok(nested.into_iter().map(|(key, value)| (key, listed(value))).collect())
}

fn put(into: &mut Map<String, Value>, path: &[&str], value: Value) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else { return Ok(()) };
    if rest.is_empty() {
        into.insert((*key).to_owned(), value);
        return Ok(());
    }
    let below = into.entry(*key).or_insert_with(|| Value::Object(Map::new()));
    match below {
        Value::Object(below) => put(below, rest, value),
        // `a` and `a__b` beside each other.
        _ => Err(format!("`{key}` is a value and an object at once")),
    }
}

/// An object whose keys count from 0 is a list.
fn listed(value: Value) -> Value {
    let Value::Object(object) = value else { return value };
    let counts = !object.is_empty() && (0..object.len()).all(|place| object.contains_key(&place.to_string()));
    let mut inner: Map<String, Value> = object.into_iter().map(|(key, value)| (key, listed(value))).collect();
    if counts {
        let items = (0..inner.len()).filter_map(|place| inner.remove(&place.to_string()));
        return Value::Array(items.collect::<Vec<_>>());
    }
    Value::Object(inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-08-06T00:00:00Z".parse().unwrap()
    }

    fn read(body: &Value) -> Result<Notice, String> {
        Notice::read(body.to_string().as_bytes(), now())
    }

    fn entity() -> Value {
        json!({
            "id": "evt-01J9", "organization_id": "acme", "created_at": "2026-08-05T08:00:01.000Z",
            "status": "confirmed", "regulation": "gdpr",
            "user": { "id": "dd-77a1", "organization_user_id": "noor.haddad@example.net", "country": "NL" },
            "consents": {
                "purposes": [
                    { "id": "newsletter", "enabled": true,
                      "values": { "frequency": { "value": "weekly" }, "topics": { "value": "tech,events" } } },
                    { "id": "profiling", "enabled": false },
                    { "id": "partners", "enabled": null } ],
                "channels": [ { "id": "email", "enabled": true }, { "id": "phone", "enabled": false } ],
                "vendors": { "enabled": [], "disabled": [] }, "tcfcs": null }
        })
    }

    fn created() -> Value {
        json!({ "type": "event.created", "regulation": "gdpr", "parameters": { "entity": entity() } })
    }

    fn flatten(value: &Value, lists_too: bool) -> Map<String, Value> {
        fn walk(at: &str, value: &Value, lists_too: bool, out: &mut Map<String, Value>) {
            let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}{JOINT}{key}") };
            match value {
                Value::Object(object) if !object.is_empty() => {
                    object.iter().for_each(|(key, value)| walk(&below(key), value, lists_too, out));
                }
                Value::Array(items) if lists_too && !items.is_empty() => {
                    let each = items.iter().enumerate();
                    each.for_each(|(place, value)| walk(&below(&place.to_string()), value, lists_too, out));
                }
                value => drop(out.insert(at.to_owned(), value.clone())),
            }
        }
        let mut out = Map::new();
        walk("", value, lists_too, &mut out);
        out
    }

    #[test]
    fn a_delivery_says_who_chose_what_and_when() {
        let notice = read(&created()).unwrap();
        assert_eq!(notice.id.as_deref(), Some("evt-01J9"));
        assert_eq!(notice.person.as_deref(), Some("noor.haddad@example.net"));
        assert_eq!(notice.given, "2026-08-05T08:00:01Z".parse().unwrap());
        let choices: Vec<(String, Answer)> =
            notice.choices.into_iter().map(|(part, answer)| (part.to_string(), answer)).collect();
        let values = |text: &str| Answer::Values(text.to_owned());
        assert_eq!(
            choices,
            [
                ("purpose:newsletter".to_owned(), Answer::Enabled(true)),
                ("purpose:profiling".to_owned(), Answer::Enabled(false)),
                ("channel:email".to_owned(), Answer::Enabled(true)),
                ("channel:phone".to_owned(), Answer::Enabled(false)),
                ("preference:newsletter/frequency".to_owned(), values("weekly")),
                ("preference:newsletter/topics".to_owned(), values("tech,events")),
            ],
            "no choice was made about partners"
        );
    }

    #[test]
    fn a_flattened_delivery_says_the_same() {
        let nested = read(&created()).unwrap();
        for lists_too in [false, true] {
            let entity = Value::Object(flatten(&json!({ "entity": entity() }), lists_too));
            let below =
                json!({ "type": "event.created", "regulation": "gdpr", "parameters": entity.clone() });
            assert_eq!(read(&below).unwrap(), nested);
            let mut beside = json!({ "type": "event.created", "regulation": "gdpr" });
            beside.as_object_mut().unwrap().extend(entity.as_object().unwrap().clone());
            assert_eq!(read(&beside).unwrap(), nested);
            let whole = Value::Object(flatten(&created(), lists_too));
            assert_eq!(read(&whole).unwrap(), nested);
        }
    }

    #[test]
    fn a_user_has_a_version_and_the_time_of_the_event_behind_it() {
        let mut user = entity();
        user["version"] = json!(7);
        user["id"] = json!("dd-77a1");
        user["organization_user_id"] = json!("noor.haddad@example.net");
        user.as_object_mut().unwrap().remove("user");
        let mut body = json!({
            "type": "user.updated",
            "parameters": { "source": { "id": "evt-9", "created_at": "2026-08-05T09:00:00Z" }, "old_entity": {}, "new_entity": user }
        });
        let notice = read(&body).unwrap();
        assert_eq!((notice.version, notice.user.as_deref()), (Some(7), Some("dd-77a1")));
        assert_eq!(notice.given, "2026-08-05T09:00:00Z".parse().unwrap());
        assert_eq!(notice.name(&[], "d"), "user.updated/gdpr/dd-77a1/7");
        body["parameters"]["source"] = json!(null);
        let untimed = read(&body).unwrap();
        assert_eq!(untimed.given, now(), "its own `created_at` is the user's, not the choice's");
        assert!(notice.timed && !untimed.timed);
    }

    #[test]
    fn a_pending_event_and_its_confirmation_are_two() {
        let accepted = ["confirmed".to_owned()];
        let confirmed = read(&created()).unwrap();
        assert_eq!(confirmed.name(&accepted, "d"), "evt-01J9");
        let pending = Notice { status: Some(PENDING.into()), ..confirmed.clone() };
        assert_eq!(pending.name(&accepted, "d"), "evt-01J9/pending_approval");
        let updated = Notice { kind: "event.updated".into(), ..confirmed };
        assert_eq!(updated.name(&accepted, "d"), "evt-01J9/d");
    }

    #[test]
    fn what_is_malformed_is_said() {
        let broken = |change: &dyn Fn(&mut Value)| {
            let mut body = created();
            change(&mut body);
            read(&body).unwrap_err()
        };
        assert!(Notice::read(b"{", now()).unwrap_err().contains("JSON"));
        assert!(Notice::read(b"[]", now()).unwrap_err().contains("object"));
        assert!(broken(&|body| body["type"] = json!(null)).contains("type"));
        assert!(broken(&|body| body["parameters"] = json!({})).contains("entity"));
        let entity = |name: &'static str, value: Value| {
            broken(&move |body| body["parameters"]["entity"][name] = value.clone())
        };
        assert!(entity("id", json!(null)).contains("`id`"));
        assert!(entity("created_at", json!("yesterday")).contains("created_at"));
        assert!(entity("consents", json!({"purposes": {"a": 1}})).contains("no list"));
        assert!(entity("consents", json!({"purposes": [{"id": "a", "enabled": "yes"}]})).contains("enabled"));
        let deep = format!("{{\"type\": \"event.created\", \"{}\": 1}}", vec!["a"; 5000].join(JOINT));
        assert!(Notice::read(deep.as_bytes(), now()).unwrap_err().contains("levels"));
    }

    #[test]
    fn old_events_have_channels_and_preferences_below_their_purpose() {
        let mut body = created();
        body["parameters"]["entity"]["consents"] = json!({ "purposes": [ { "id": "news", "enabled": null,
            "channels": [ { "id": "sms", "enabled": false } ],
            "preferences": [ { "id": "topics", "value": "a,b" }, { "id": "weekly", "enabled": true } ] } ] });
        let parts: Vec<String> = read(&body).unwrap().choices.keys().map(ToString::to_string).collect();
        assert_eq!(parts, ["channel:news/sms", "preference:news/topics", "preference:news/weekly"]);
    }

    proptest! {
        #[test]
        fn no_delivery_breaks_the_reader(body in r#"\{("[a-z_]{0,6}(__[a-z0-9]{0,3}){0,4}": ?(1|null|"x"|\{\}|\[\])(, ?)?){0,5}\}"#) {
            let _ = Notice::read(body.as_bytes(), now());
        }
    }
}
