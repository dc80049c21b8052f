//! What an event of Akamai says: who has changed and how, and of what has changed only the names.

use provisioning::EventKind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Event, Order, Refusal, set::Claims};

/// The names of events, as they stand in `events`.
const EVENTS: [(&str, Kind); 3] =
    [("entityCreated", Kind::Created), ("entityUpdated", Kind::Updated), ("entityDeleted", Kind::Deleted)];
/// What `POST …/subscriptions/{id}/test` sends.
const TEST: &str = "test";
/// What `globalSub` begins with.
const SCHEME: &str = "capture-v1://";
/// Names of attributes that are kept with an event. Who has changed more has changed something that is mapped.
const MOST_ATTRIBUTES: usize = 200;

/// What an event says beyond whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "kebab-case")]
pub(super) enum Notice {
    /// The subscription was tried.
    Test,
    /// It is in no list of its source any more. Nobody sends that: it was found out.
    Missing,
    /// Something has happened to an entity.
    Entity(Change),
}

/// What has happened to an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    /// What.
    pub(super) kind: Kind,
    /// Of which type it is.
    pub(super) entity_type: String,
    /// Whose doing it was; a change of the system's own is nobody's.
    pub(super) client: Option<String>,
    /// Which attributes have changed; none are named where all may have.
    pub(super) attributes: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Created,
    Updated,
    Deleted,
}

impl From<Kind> for EventKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Created => Self::Created,
            Kind::Updated => Self::Updated,
            Kind::Deleted => Self::Deleted,
        }
    }
}

/// The events of a token that is verified, in their order. `application` is the one that this environment is for.
pub(super) fn read(claims: &Claims, application: &str) -> Result<Vec<Event>, Refusal> {
    let mut events = Vec::new();
    for (name, said) in &claims.events {
        let event = match EVENTS.iter().find(|(known, _)| known == name) {
            Some((_, kind)) => Some(entity(claims, *kind, &Said { name, said }, application)?),
            None if name == TEST => Some(test(claims)),
            // Beside one that is known there may be others, for other receivers.
            None => None,
        };
        events.extend(event);
    }
    if events.is_empty() {
        let known = EVENTS.map(|(name, _)| name).join(", ");
        return Err(Refusal::InvalidRequest(format!("`events` has none of {known}")));
    }
    // One delivery has one `jti`, and each event its own.
    for (place, event) in events.iter_mut().enumerate().skip(1) {
        let part = format!("{}#{}", event.jti, place + 1);
        event.delivery = Some(std::mem::replace(&mut event.jti, part));
    }
    Ok(events)
}

fn test(claims: &Claims) -> Event {
    Event {
        jti: claims.jti.clone(),
        same_as: None,
        delivery: None,
        subject: TEST.to_owned(),
        kind: TEST.to_owned(),
        happened: claims.toe.unwrap_or(claims.iat),
        version: None,
        order: Order::Alone,
        body: json!(Notice::Test),
    }
}

fn entity(claims: &Claims, kind: Kind, said: &Said<'_>, application: &str) -> Result<Event, Refusal> {
    let subject = said.text("sub")?;
    let global = said.text("globalSub")?;
    let of = said.text("captureApplicationId")?;
    let parts: Vec<&str> = global.strip_prefix(SCHEME).unwrap_or_default().split('/').collect();
    let [_, of_global, _, last] = parts[..] else {
        let shape = "capture-v1://{domain}/{application}/{entity type}/{uuid}";
        return Err(said.wrong(&format!("`globalSub` is not {shape}")));
    };
    if of != application || of_global != application {
        let why = "the event is of another application: this address is for one environment";
        return Err(Refusal::AccessDenied(why.to_owned()));
    }
    if last != subject {
        return Err(said.wrong("`sub` is not the last part of `globalSub`"));
    }
    let change = Change {
        kind,
        entity_type: said.text("entityType")?.to_owned(),
        client: said.optional("captureClientId")?.map(ToOwned::to_owned),
        attributes: said.attributes()?,
    };
    // A delivery that is asked for anew by hand may have another `jti`; the event in it is the same.
    let id = said.optional("id")?;
    Ok(Event {
        jti: claims.jti.clone(),
        same_as: id.map(|id| format!("{} {} {id}", claims.iss, said.name)),
        delivery: None,
        subject: subject.to_owned(),
        kind: said.name.to_owned(),
        happened: claims.toe.unwrap_or(claims.iat),
        version: None,
        order: if kind == Kind::Deleted { Order::Delete } else { Order::Notice },
        body: json!(Notice::Entity(change)),
    })
}

/// What stands under the name of an event.
struct Said<'c> {
    name: &'c str,
    said: &'c Value,
}

impl Said<'_> {
    fn text(&self, member: &str) -> Result<&str, Refusal> {
        let text = self.optional(member)?.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| self.wrong(&format!("`{member}` is missing")))
    }

    fn optional(&self, member: &str) -> Result<Option<&str>, Refusal> {
        match self.said.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(&format!("`{member}` is no text"))),
        }
    }

    /// The names of what has changed. Where they are too many to keep, none: it may be anything.
    fn attributes(&self) -> Result<Vec<String>, Refusal> {
        let wrong = || self.wrong("`attributes` is no list of names");
        let named = match self.said.get("attributes") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(named)) if named.len() > MOST_ATTRIBUTES => return Ok(Vec::new()),
            Some(Value::Array(named)) => named,
            Some(_) => return Err(wrong()),
        };
        named.iter().map(|name| name.as_str().map(ToOwned::to_owned).ok_or_else(wrong)).collect()
    }

    fn wrong(&self, why: &str) -> Refusal {
        Refusal::InvalidRequest(format!("{}: {why}", self.name))
    }
}

/// A notice as if the source had sent it: something about this entity is new.
pub(super) fn as_if_updated(entity_type: &str) -> Value {
    let entity_type = entity_type.to_owned();
    json!(Notice::Entity(Change { kind: Kind::Updated, entity_type, client: None, attributes: Vec::new() }))
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    const UUID: &str = "3c2b1a09-8f7e-4d6c-9b5a-4f3e2d1c0b9a";

    fn said() -> Value {
        json!({
            "id": "0e4c1a77", "attributes": ["email", "primaryAddress.city"], "captureApplicationId": "app8",
            "captureClientId": "client7", "entityType": "user", "sub": UUID,
            "globalSub": format!("capture-v1://us.janraincapture.com/app8/user/{UUID}"),
        })
    }

    fn claims(events: Value) -> Claims {
        let Value::Object(events) = events else { panic!("events are an object") };
        Claims {
            iss: "https://issuer".to_owned(),
            aud: vec![],
            iat: Timestamp::from_second(200).unwrap(),
            toe: Timestamp::from_second(198).ok(),
            jti: "7a1f".to_owned(),
            txn: None,
            sub: None,
            sub_id: None,
            exp: None,
            events,
        }
    }

    fn with(member: &str, value: Value) -> Claims {
        let mut said = said();
        said[member] = value;
        claims(json!({ "entityUpdated": said }))
    }

    #[test]
    fn an_event_says_who_what_when_and_by_whom() {
        let events = read(&claims(json!({ "entityUpdated": said() })), "app8").unwrap();
        let [event] = &events[..] else { panic!("{events:?}") };
        assert_eq!((event.subject.as_str(), event.jti.as_str()), (UUID, "7a1f"));
        assert_eq!(event.same_as.as_deref(), Some("https://issuer entityUpdated 0e4c1a77"));
        assert_eq!(
            event.happened,
            Timestamp::from_second(198).unwrap(),
            "when it happened, not when it was sent"
        );
        let notice: Notice = serde_json::from_value(event.body.clone()).unwrap();
        let expected = Change {
            kind: Kind::Updated,
            entity_type: "user".to_owned(),
            client: Some("client7".to_owned()),
            attributes: vec!["email".to_owned(), "primaryAddress.city".to_owned()],
        };
        assert_eq!(notice, Notice::Entity(expected));
    }

    #[test]
    fn an_event_of_another_application_is_denied() {
        let elsewhere = json!(format!("capture-v1://us.janraincapture.com/other/user/{UUID}"));
        for claims in [with("captureApplicationId", json!("other")), with("globalSub", elsewhere)] {
            assert!(matches!(read(&claims, "app8"), Err(Refusal::AccessDenied(_))));
        }
    }

    #[test]
    fn an_event_that_is_malformed_is_refused() {
        for (member, value) in [
            ("sub", json!("somebody else")),
            ("sub", json!(7)),
            ("sub", json!("")),
            ("sub", Value::Null),
            ("globalSub", json!("https://elsewhere/app8/user/x")),
            ("globalSub", json!(format!("capture-v1://us/app8/{UUID}"))),
            ("captureApplicationId", Value::Null),
            ("entityType", Value::Null),
            ("attributes", json!("email")),
            ("attributes", json!([1])),
            ("captureClientId", json!({})),
        ] {
            let refused = read(&with(member, value.clone()), "app8");
            assert!(matches!(refused, Err(Refusal::InvalidRequest(_))), "{member} {value}: {refused:?}");
        }
        assert!(matches!(
            read(&claims(json!({"entityRenamed": {}})), "app8"),
            Err(Refusal::InvalidRequest(_))
        ));
    }

    #[test]
    fn several_events_of_one_token_have_names_of_their_own() {
        let both = json!({ "entityCreated": said(), "entityUpdated": said(), "entityRenamed": {} });
        let events = read(&claims(both), "app8").unwrap();
        let names: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.jti.as_str())).collect();
        assert_eq!(names, [("entityCreated", "7a1f"), ("entityUpdated", "7a1f#2")]);
    }

    #[test]
    fn a_test_is_about_nobody() {
        let events = read(&claims(json!({"test": {"id": "x"}})), "app8").unwrap();
        assert_eq!((events[0].kind.as_str(), events[0].order), ("test", Order::Alone));
    }
}
