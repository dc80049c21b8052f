//! Akamai Identity Cloud: events say who has changed, and the profile is asked for (Webhooks v3).
//!
//! | file | what it holds |
//! |---|---|
//! | `akamai/notice.rs` | what an event says, and what is wrong with one that says something else |
//! | `akamai/entities.rs` | profiles, by the calls `/entity` and `/entity.find` |
//! | `akamai/catch_up.rs` | everything that is new since a time |
//! | `akamai/clients.rs` | by whose rules it is applied |
//! | `akamai/missing.rs` | who is gone without an event |

mod catch_up;
mod clients;
mod entities;
mod missing;
mod notice;

use async_trait::async_trait;
use model::TenantId;
use provisioning::{EventKind, Profiles, ProvisionError};
use serde_json::{Value, json};

use clients::Told;
pub use entities::{Entities, EntitiesSettings};
use entities::{Found, LookupError};
use notice::{Change, Notice};

use crate::{
    CatchUp, CaughtUp, Delivery, Event, Intake, Kind, Outcome, Population, Refusal, Rehearsal, Source,
    refused, rehearsal,
    set::{self, Expect, KeySet},
};

/// Alarm: the source does not take the client that it is asked with.
const CREDENTIALS: &str = "source-credentials";

/// What is configured of Akamai Identity Cloud.
#[derive(Debug)]
pub struct Akamai {
    /// What its tokens look like.
    pub expect: Expect,
    /// Who has signed them.
    pub keys: KeySet,
    /// `captureApplicationId` of this environment.
    pub application: String,
    /// The entity type whose profiles are people. Events about others are left alone.
    pub entity_type: String,
    /// Where its people are.
    pub population: TenantId,
    /// Where profiles are asked for.
    pub entities: Entities,
    /// Whether a delivery may also call itself any other signed token (`application/jwt`).
    pub accept_jwt: bool,
}

#[async_trait]
impl Kind for Akamai {
    fn alarms(&self) -> Vec<&'static str> {
        vec![CREDENTIALS]
    }

    fn media_types(&self) -> &[&str] {
        if self.accept_jwt {
            &["application/secevent+jwt", "application/jwt"]
        } else {
            &["application/secevent+jwt"]
        }
    }

    fn population(&self) -> Option<&TenantId> {
        Some(&self.population)
    }

    async fn read(&self, _: &Intake, _: &Source, delivery: &Delivery<'_>) -> Result<Vec<Event>, Refusal> {
        let token = std::str::from_utf8(delivery.body)
            .map_err(|_| Refusal::InvalidRequest("the body is no token: it is not even text".to_owned()))?;
        let claims = set::verify(&self.keys, token, &self.expect, delivery.now).await?;
        notice::read(&claims, &self.application)
    }

    async fn apply(&self, intake: &Intake, source: &Source, event: &Event, _approved: bool) -> Outcome {
        match serde_json::from_value::<Notice>(event.body.clone()) {
            Ok(Notice::Test) => Outcome::Ignored("test"),
            Ok(Notice::Missing) => missing::apply(self, intake, source, &event.subject).await,
            Ok(Notice::Entity(change)) => self.change(intake, source, event, &change).await,
            Err(error) => Outcome::Dead(format!("the event cannot be read: {error}")),
        }
    }

    async fn is_gone(&self, intake: &Intake, source: &Source, event: &Event) -> Result<bool, Outcome> {
        match self.entities.profile(&self.entity_type, &event.subject, &["uuid".to_owned()]).await {
            Ok(found) => Ok(matches!(found, Found::Nobody)),
            Err(error) => Err(cannot_ask(intake, source, error)),
        }
    }

    async fn rehearse(&self, intake: &Intake, _: &Source) -> Result<Rehearsal, String> {
        let events = json!({ "test": { "id": intake.ids.change().to_string() } });
        rehearsal::token(intake, (&self.keys, &self.expect), None, None, events).await
    }

    async fn catch_up(&self, intake: &Intake, source: &Source, asked: &CatchUp) -> Result<CaughtUp, String> {
        catch_up::run(self, intake, source, asked).await
    }
}

impl Akamai {
    /// Does what a change of an entity asks for, and remembers whose doing it was.
    async fn change(&self, intake: &Intake, source: &Source, event: &Event, change: &Change) -> Outcome {
        if change.entity_type != self.entity_type {
            return Outcome::Ignored("entity-type");
        }
        let client = change.client.as_deref();
        let rules =
            self.rules(intake, source, client).and_then(|own| Ok((own, self.rules(intake, source, None)?)));
        let (own, of_all) = match rules {
            Ok(rules) => rules,
            Err(error) => return refused(&error),
        };
        let outcome = self.apply_change(intake, source, &event.subject, change, &own).await;
        let told = Told { intake, source, of_all: &of_all, uuid: &event.subject };
        told.remember(client, event, outcome).await
    }

    /// Does what a change asks for by these rules.
    async fn apply_change(
        &self,
        intake: &Intake,
        source: &Source,
        uuid: &str,
        change: &Change,
        rules: &Profiles,
    ) -> Outcome {
        let kind = change.kind.into();
        if !rules.enabled() {
            return Outcome::Ignored("client");
        }
        if !rules.applies(kind) {
            return Outcome::Ignored("not-subscribed");
        }
        match kind {
            EventKind::Deleted => {
                let gone = population(intake, rules).delete(uuid).await;
                // Remembered either way: what happened to it before comes too late.
                gone.unwrap_or_else(|| Outcome::noted("nobody by this uuid was known"))
            }
            EventKind::Updated if !rules.uses_any(change.attributes.iter().map(String::as_str)) => {
                Outcome::Ignored("unmapped")
            }
            EventKind::Created | EventKind::Updated => self.fetch(intake, source, rules, uuid).await,
        }
    }

    /// The mapping for what a client has caused.
    fn rules(
        &self,
        intake: &Intake,
        source: &Source,
        client: Option<&str>,
    ) -> Result<Profiles, ProvisionError> {
        intake.provisioner.profiles(&self.population, &source.client(), client)
    }

    /// Asks for a profile and does what it says.
    async fn fetch(&self, intake: &Intake, source: &Source, rules: &Profiles, uuid: &str) -> Outcome {
        match self.current(intake, source, rules, uuid).await {
            Ok(user) => {
                let may_create = rules.applies(EventKind::Created);
                population(intake, rules).put_for_sure(uuid, user, may_create).await
            }
            Err(outcome) => outcome,
        }
    }

    /// What a person is now, as a SCIM User.
    ///
    /// # Errors
    ///
    /// What comes of it where there is no such profile any more, or none can be had.
    async fn current(
        &self,
        intake: &Intake,
        source: &Source,
        rules: &Profiles,
        uuid: &str,
    ) -> Result<Value, Outcome> {
        match self.entities.profile(&self.entity_type, uuid, &rules.attributes()).await {
            Ok(Found::Profile(profile)) => {
                rules.user(&profile).map_err(|error| Outcome::Dead(error.to_string()))
            }
            Ok(Found::Nobody) => Err(gone(intake, rules, uuid).await),
            Err(error) => Err(cannot_ask(intake, source, error)),
        }
    }
}

fn population<'i>(intake: &'i Intake, rules: &Profiles) -> Population<'i> {
    Population::of(intake, rules.caller().clone())
}

/// Its source does not have it any more, as if it had said so.
async fn gone(intake: &Intake, rules: &Profiles, uuid: &str) -> Outcome {
    if !rules.applies(EventKind::Deleted) {
        // No tombstone: the deletion itself may count, if it was somebody else's doing.
        return Outcome::Ignored("gone");
    }
    match population(intake, rules).delete(uuid).await {
        None => Outcome::Gone("its source has no such profile, and nobody by this uuid was known".to_owned()),
        Some(Outcome::Applied { .. }) => {
            Outcome::Gone("its source has no such profile: what it had is gone as well".to_owned())
        }
        Some(other) => other,
    }
}

/// What it means to an event that its profile cannot be had.
fn cannot_ask(intake: &Intake, source: &Source, error: LookupError) -> Outcome {
    match error {
        LookupError::Unavailable { why, retry_after } => Outcome::Later { why, retry_after },
        LookupError::Credentials { why, retry_after } => {
            // The event is still good, and nothing works until a person has looked.
            intake.count(source, "alarm", CREDENTIALS);
            tracing::error!(tenant = %source.tenant, source = %source.name, why, "profiles cannot be read");
            Outcome::Later { why, retry_after }
        }
        LookupError::Argument { why } | LookupError::Refused { why } => Outcome::Dead(why),
    }
}
