//! SCIM events (RFC 9967): a SCIM service provider says what changes there, in full or as a notice.
//!
//! | file | what it holds |
//! |---|---|
//! | `scim_events/happening.rs` | what an event says, in every spelling of its URI |
//! | `scim_events/taken.rs` | what is taken of that, and what is decided here and left out |
//! | `scim_events/order.rs` | what is out of date |
//! | `scim_events/publisher.rs` | the service provider's resources, read at its configured address |
//!
//! A resource is one identity, by whatever an event names it: by its `uri` alone, or by `uri` and `externalId`.
//!
//! Events may come in any order. One that is older than what is known already is not applied as it stands: what is current is
//! fetched in its place. So a change that carries a part of a resource never undoes a later one, and none is lost. Where the
//! service provider cannot be asked, a person has to compare.

mod happening;
mod order;
mod publisher;
mod taken;

use std::sync::Arc;

use async_trait::async_trait;
use model::{ResourceId, ResourceKind, TenantId, Timestamp};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use store::{StoreError, SubjectClock};
use url::Url;

use self::{
    happening::{Happening, Who},
    order::{Known, Standing},
    publisher::{FetchError, Publisher},
    taken::PATCH_OP,
};
use crate::{
    Delivery, Event, Intake, Kind, Order, Outcome, Population, Refusal, Rehearsal, Remote, Source, incoming,
    poll::{self, ReadToken},
    rehearsal,
    set::{Claims, Expect, KeySet},
};

/// The schema of what is put.
const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// An event that means nothing to anybody.
const REHEARSAL: &str = "urn:ietf:params:scim:event:misc:rehearsal";

/// Of a change that comes too late.
const LATE: &str = "it is older than what is known, and without `publisher` nobody can be asked what holds now: compare the identity \
                    with the sender's by hand, correct it there, and dismiss this";
/// Of a change that follows a gap which nobody can close.
const GAP: &str = "applied, though a `version` before it has not been heard of";
/// Of a change that says nothing of the person.
const NOTHING: &str = "it changes nothing that is taken from a publisher";
/// Of somebody whom the publisher does not have.
const GONE: &str = "the publisher does not have it any more";

/// What a publisher of SCIM events consists of.
pub struct ScimEventsParts {
    /// Who has signed its tokens.
    pub keys: KeySet,
    /// What they look like.
    pub expect: Expect,
    /// `Authorization` of pushes.
    pub authorization: Option<SecretString>,
    /// Where events are polled; none: they are pushed.
    pub poll_url: Option<Url>,
    /// The base of its SCIM API.
    pub publisher: Option<Url>,
    /// As whom it is asked.
    pub remote: Remote,
    /// Where its people are.
    pub population: TenantId,
    /// What becomes of somebody who has left the feed.
    pub out_of_scope: OutOfScope,
}

/// What becomes of somebody who has left the feed. Never is he deleted for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutOfScope {
    /// The identity is not active any more.
    #[default]
    Deactivate,
    /// It stays as it is.
    Keep,
}

/// A publisher of SCIM events.
pub struct ScimEvents {
    parts: ScimEventsParts,
    publisher: Option<Publisher>,
}

/// What is kept of an event.
#[derive(Debug, Serialize, Deserialize)]
struct Body {
    who: Who,
    happening: Happening,
}

impl std::fmt::Debug for ScimEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScimEvents").field("population", &self.parts.population).finish_non_exhaustive()
    }
}

impl ScimEvents {
    /// Nothing is asked of it yet.
    #[must_use]
    pub fn new(parts: ScimEventsParts) -> Self {
        let base = parts.publisher.clone();
        let publisher = base.map(|base| Publisher { base, remote: parts.remote.clone() });
        Self { parts, publisher }
    }
}

#[async_trait]
impl Kind for ScimEvents {
    fn media_types(&self) -> &[&str] {
        &incoming::MEDIA_TYPES
    }

    fn population(&self) -> Option<&TenantId> {
        Some(&self.parts.population)
    }

    async fn read(
        &self,
        intake: &Intake,
        _: &Source,
        delivery: &Delivery<'_>,
    ) -> Result<Vec<Event>, Refusal> {
        if self.parts.poll_url.is_some() {
            return Err(Refusal::AccessDenied("the events of this source are polled".to_owned()));
        }
        incoming::authenticate(self.parts.authorization.as_ref(), delivery)?;
        self.read_token(intake, incoming::text(delivery)?).await
    }

    async fn apply(&self, intake: &Intake, source: &Source, event: &Event, _approved: bool) -> Outcome {
        let Ok(Body { who, happening }) = serde_json::from_value(event.body.clone()) else {
            return Outcome::Dead("it was stored by another version of Gangway".to_owned());
        };
        if !who.is_user {
            return Outcome::Ignored("not-a-user");
        }
        let happening = taken::happening(happening);
        let whose = (&source.tenant, &source.name);
        let known = match Known::of(&*intake.inbox, whose, &event.subject).await {
            Ok(known) => known,
            Err(error) => return Outcome::later(error.to_string()),
        };
        let doing = Doing {
            events: self,
            event,
            who: &who,
            intake,
            source,
            population: Population::new(intake, source, &self.parts.population),
        };
        let done = match known.standing(event, &happening) {
            Standing::Over(why) => Ok(Outcome::Ignored(why)),
            Standing::Late => doing.late(&happening).await,
            Standing::Gap if self.publisher.is_some() => doing.fetch_in_place_of("gap").await,
            Standing::Gap => doing.carry_out(happening).await.map(|done| with_note(done, GAP)),
            Standing::Current => doing.carry_out(happening).await,
        };
        done.unwrap_or_else(|error| Outcome::later(error.to_string()))
    }

    async fn is_gone(&self, _: &Intake, _: &Source, event: &Event) -> Result<bool, Outcome> {
        let Ok(Body { who, .. }) = serde_json::from_value(event.body.clone()) else { return Ok(true) };
        match &self.publisher {
            // An id is nobody else's later.
            None => Ok(true),
            Some(publisher) => match publisher.user(&who.id).await {
                Ok(found) => Ok(found.is_none()),
                Err(FetchError::Later(why)) => Err(Outcome::later(why)),
                Err(FetchError::Unreadable(why)) => Err(Outcome::Dead(why)),
            },
        }
    }

    async fn rehearse(&self, intake: &Intake, _: &Source) -> Result<Rehearsal, String> {
        if self.parts.poll_url.is_some() {
            return Err("the events of this source are polled: nothing is sent to it".to_owned());
        }
        let signed = (&self.parts.keys, &self.parts.expect);
        let subject = json!({ "format": "scim", "uri": "/Users/rehearsal" });
        let events = json!({ REHEARSAL: {} });
        rehearsal::token(intake, signed, self.parts.authorization.as_ref(), Some(subject), events).await
    }

    async fn run(&self, intake: &Arc<Intake>, source: &Arc<Source>) {
        if let Some(url) = &self.parts.poll_url {
            poll::run(&self.parts.remote, url, self, intake, source).await;
        }
    }
}

#[async_trait]
impl ReadToken for ScimEvents {
    async fn read_token(&self, intake: &Intake, token: &str) -> Result<Vec<Event>, Refusal> {
        let now = intake.clock.now();
        let claims = incoming::verify(&self.parts.keys, token, &self.parts.expect, now).await?;
        self.events(&claims)
    }
}

impl ScimEvents {
    /// The events of a token. Several are of one change of one resource, and each has its own name behind the token's.
    fn events(&self, claims: &Claims) -> Result<Vec<Event>, Refusal> {
        let base = self.parts.publisher.as_ref();
        let who = Who::read(claims.sub_id.as_ref(), base).map_err(Refusal::InvalidRequest)?;
        let several = claims.events.len() > 1;
        let event = |(number, (uri, said)): (usize, (&String, &Value))| {
            let happening = Happening::read(uri, said).map_err(Refusal::InvalidRequest)?;
            let version = happening::version(said);
            let order = match happening {
                Happening::Delete => Order::Delete,
                Happening::Other => Order::Alone,
                // What is older than something else is seen to when it is applied.
                _ => Order::Notice,
            };
            let body = Body { who: who.clone(), happening };
            Ok(Event {
                jti: if several { format!("{}#{number}", claims.jti) } else { claims.jti.clone() },
                same_as: None,
                delivery: several.then(|| claims.jti.clone()),
                subject: who.id.clone(),
                kind: happening::kind(uri),
                happened: claims.toe.unwrap_or(claims.iat),
                version,
                order,
                body: serde_json::to_value(body)
                    .map_err(|_| Refusal::InvalidRequest("the event cannot be kept".to_owned()))?,
            })
        };
        claims.events.iter().enumerate().map(event).collect()
    }
}

/// One event being carried out.
struct Doing<'d> {
    events: &'d ScimEvents,
    event: &'d Event,
    who: &'d Who,
    intake: &'d Intake,
    source: &'d Source,
    population: Population<'d>,
}

/// Whom an event means. A resource is known by its `uri`, and by its `externalId` where no `uri` is known of it yet.
enum Meant {
    Nobody,
    This(ResourceId),
    /// Somebody who is known by another `uri`.
    Another {
        id: ResourceId,
        /// Whether it is his `externalId` that was named. Otherwise that is what `uri` calls this one.
        by_external_id: bool,
    },
}

impl Doing<'_> {
    async fn carry_out(&self, happening: Happening) -> Result<Outcome, StoreError> {
        let clocks = happening.clocks(self.event, &self.who.id);
        let done = match happening {
            Happening::Put(resource) => self.put(resource).await?,
            Happening::Changed | Happening::Joined => self.fetch_in_place_of("no-publisher").await?,
            Happening::Patch(patch) => self.patch(patch).await?,
            Happening::Delete => {
                self.delete().await?.unwrap_or_else(|| Outcome::noted("nobody by this id was known"))
            }
            Happening::Activate => self.activate(true).await?,
            Happening::Deactivate => self.activate(false).await?,
            Happening::Left => match self.events.parts.out_of_scope {
                OutOfScope::Deactivate => self.activate(false).await?,
                OutOfScope::Keep => Outcome::Ignored("out-of-scope"),
            },
            Happening::Asynchronous => Outcome::Ignored("no-such-request"),
            Happening::Other => Outcome::Ignored("event-type"),
        };
        Ok(with_clocks(done, clocks))
    }

    /// What is older than what is known already is replaced by what is current. Where nobody can be asked for that, what has changed
    /// must not get lost, and a person has to compare; but whether somebody is active was said anew.
    async fn late(&self, happening: &Happening) -> Result<Outcome, StoreError> {
        let changes = matches!(happening, Happening::Put(_) | Happening::Patch(_));
        if changes && self.events.publisher.is_none() {
            return Ok(Outcome::Dead(LATE.to_owned()));
        }
        self.fetch_in_place_of("stale").await
    }

    /// Whom the event means; `external_id` is what it says of that.
    async fn meant(&self, external_id: Option<&str>) -> Result<Meant, StoreError> {
        let (names, people, publisher) =
            (&self.intake.names, &self.events.parts.population, &self.source.name);
        if let Some(id) = names.identity_called(people, publisher, &self.who.id).await? {
            return Ok(Meant::This(id));
        }
        let by_external_id = match external_id {
            Some(external_id) => self.population.find(external_id).await?,
            None => None,
        };
        let found = match by_external_id {
            Some(id) => Some((id, true)),
            // One that has no `externalId` of its own has this in its place.
            None => self.population.find(&self.who.id).await?.map(|id| (id, false)),
        };
        let Some((id, by_external_id)) = found else { return Ok(Meant::Nobody) };
        Ok(match names.called(people, publisher, &id).await? {
            None => Meant::This(id),
            Some(_) => Meant::Another { id, by_external_id },
        })
    }

    /// The identity that is changed by an event that does not make one.
    async fn known(&self) -> Result<Option<ResourceId>, StoreError> {
        match self.meant(self.who.external_id.as_deref()).await? {
            Meant::This(id) => Ok(Some(id)),
            Meant::Nobody | Meant::Another { .. } => Ok(None),
        }
    }

    /// Remembers by which `uri` an identity is known, once that is certain.
    async fn known_from_now_on(&self, id: &ResourceId, outcome: Outcome) -> Result<Outcome, StoreError> {
        if matches!(outcome, Outcome::Applied { .. }) {
            let parts = &self.events.parts;
            self.intake.names.call(&parts.population, &self.source.name, &self.who.id, id).await?;
        }
        Ok(outcome)
    }

    /// The identity is this from now on.
    async fn put(&self, mut resource: Map<String, Value>) -> Result<Outcome, StoreError> {
        self.name_manager(taken::manager_of(&mut resource)).await?;
        resource.entry("schemas").or_insert_with(|| json!([USER]));
        let said = external_id(&resource).or_else(|| self.who.external_id.clone());
        let known = match self.meant(said.as_deref()).await? {
            // In the second case the publisher has made him anew.
            Meant::This(id) | Meant::Another { id, by_external_id: true } => Some(id),
            Meant::Another { .. } if said.is_none() => {
                let why = "it has no `externalId`, and its id is the `externalId` of another one";
                return Ok(Outcome::Dead(why.to_owned()));
            }
            Meant::Another { .. } | Meant::Nobody => None,
        };
        let key = match (said, &known) {
            (Some(said), _) => said,
            (None, Some(id)) => self.external_id_of(id).await?.unwrap_or_else(|| self.who.id.clone()),
            (None, None) => self.who.id.clone(),
        };
        resource.insert("externalId".to_owned(), Value::from(key.as_str()));
        let resource = Value::Object(resource);
        if let Some(id) = known {
            let done = self.population.replace(id.clone(), resource).await;
            return self.known_from_now_on(&id, done).await;
        }
        let done = self.population.put(&key, resource, true).await;
        match self.population.find(&key).await? {
            Some(id) => self.known_from_now_on(&id, done).await,
            None => Ok(done),
        }
    }

    /// What an identity has as its `externalId` now.
    async fn external_id_of(&self, id: &ResourceId) -> Result<Option<String>, StoreError> {
        let people = &self.events.parts.population;
        let stored = self.intake.directory.get(people, ResourceKind::User, id.as_str()).await?;
        Ok(stored.map(|stored| stored.attributes()).transpose()?.and_then(|stored| external_id(&stored)))
    }

    async fn patch(&self, mut patch: Map<String, Value>) -> Result<Outcome, StoreError> {
        if taken::is_nothing(&patch) {
            return Ok(Outcome::noted(NOTHING));
        }
        for manager in taken::managers_in(&mut patch) {
            self.name_manager(Some(manager)).await?;
        }
        patch.entry("schemas").or_insert_with(|| json!([PATCH_OP]));
        match self.known().await? {
            Some(id) => {
                let done = self.population.patch(id.clone(), Value::Object(patch)).await;
                self.known_from_now_on(&id, done).await
            }
            // A change of somebody whose beginning was not heard.
            None => self.fetch_in_place_of("unknown-subject").await,
        }
    }

    /// A manager is named by what the publisher calls him, and is known here by another id.
    async fn name_manager(&self, manager: Option<&mut Value>) -> Result<(), StoreError> {
        let Some(named) = manager.and_then(taken::id_of) else { return Ok(()) };
        let (people, publisher) = (&self.events.parts.population, &self.source.name);
        let called = named.as_str().unwrap_or_default();
        if let Some(id) = self.intake.names.identity_called(people, publisher, called).await? {
            *named = Value::from(id.as_str());
        }
        Ok(())
    }

    async fn activate(&self, active: bool) -> Result<Outcome, StoreError> {
        match self.known().await? {
            Some(id) => {
                let set = json!({"op": "replace", "path": "active", "value": active});
                let patch = json!({"schemas": [PATCH_OP], "Operations": [set]});
                let done = self.population.patch(id.clone(), patch).await;
                self.known_from_now_on(&id, done).await
            }
            None if active => self.fetch_in_place_of("unknown-subject").await,
            None => Ok(Outcome::noted("nobody by this id was known")),
        }
    }

    /// `None`: nobody knows it here.
    async fn delete(&self) -> Result<Option<Outcome>, StoreError> {
        match self.known().await? {
            Some(id) => Ok(self.population.remove(id).await),
            None => Ok(None),
        }
    }

    /// Writes what the publisher has now. Where it cannot be asked the event is left alone, for this reason.
    async fn fetch_in_place_of(&self, reason: &'static str) -> Result<Outcome, StoreError> {
        let Some(publisher) = &self.events.publisher else { return Ok(Outcome::Ignored(reason)) };
        match publisher.user(&self.who.id).await {
            Ok(Some(resource)) => self.put_fetched(resource).await,
            Ok(None) => self.gone().await,
            Err(FetchError::Later(why)) => Ok(Outcome::later(why)),
            Err(FetchError::Unreadable(why)) => Ok(Outcome::Dead(why)),
        }
    }

    /// The identity is what was fetched, whose version is the newest that is known.
    async fn put_fetched(&self, mut resource: Map<String, Value>) -> Result<Outcome, StoreError> {
        let version = happening::version(&json!({ "data": resource }));
        taken::leave_out(&mut resource);
        let mut clocks = vec![self.clock(version, None)];
        if taken::says_active(&resource) {
            clocks.push(order::active_since(self.event, &self.who.id));
        }
        Ok(with_clocks(self.put(resource).await?, clocks))
    }

    /// The publisher does not have it any more: what happened before now is out of date.
    async fn gone(&self) -> Result<Outcome, StoreError> {
        Ok(match self.delete().await? {
            None => Outcome::Gone(GONE.to_owned()),
            Some(done) => {
                let now = self.intake.clock.now().max(self.event.happened);
                with_note(with_clocks(done, vec![self.clock(None, Some(now))]), GONE)
            }
        })
    }

    /// What is known of the person from now on.
    fn clock(&self, version: Option<i64>, deleted: Option<Timestamp>) -> SubjectClock {
        let subject = self.event.subject.clone();
        SubjectClock { subject, happened: self.event.happened, version, deleted }
    }
}

/// The same, and this is known if it is done.
fn with_clocks(mut outcome: Outcome, more: Vec<SubjectClock>) -> Outcome {
    if let Outcome::Applied { clocks, .. } = &mut outcome {
        clocks.extend(more);
    }
    outcome
}

/// The same with one more note if it is done.
fn with_note(mut outcome: Outcome, more: &str) -> Outcome {
    if let Outcome::Applied { note, .. } = &mut outcome {
        *note = Some(note.take().map_or_else(|| more.to_owned(), |note| format!("{more}; {note}")));
    }
    outcome
}

/// What a resource has as its `externalId`, where it has one.
fn external_id(resource: &Map<String, Value>) -> Option<String> {
    resource.get("externalId").and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}
