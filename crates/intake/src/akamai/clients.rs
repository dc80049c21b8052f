//! By whose rules a person is seen to. An event says by which client of the source something was done and a profile does not, so it is
//! remembered of everybody by whom an event of his was applied last. Nothing is, where no client has rules of its own.

use provisioning::{Profiles, ProvisionError};
use store::{StoreError, SubjectClock};

use super::Akamai;
use crate::{Event, Intake, Order, Outcome, Source};

/// What is known of a person by the clients that have told of him.
pub(super) struct Told<'t> {
    pub(super) intake: &'t Intake,
    pub(super) source: &'t Source,
    /// The rules of all clients that have none of their own.
    pub(super) of_all: &'t Profiles,
    pub(super) uuid: &'t str,
}

impl Told<'_> {
    /// Remembers by which client an event was, once it is known what came of that. Who does not count, or was refused, is remembered only
    /// of somebody whom nobody else has told of: his events change nothing of the others' people.
    pub(super) async fn remember(&self, client: Option<&str>, event: &Event, outcome: Outcome) -> Outcome {
        if self.of_all.clients().next().is_none() {
            return outcome;
        }
        let known = match self.known().await {
            Ok(known) => known,
            Err(error) => return Outcome::later(error.to_string()),
        };
        match outcome {
            Outcome::Applied { note, mut clocks } if event.order == Order::Delete => {
                // Forgotten with the deletion.
                let gone = |(_, clock): (_, SubjectClock)| SubjectClock {
                    deleted: Some(event.happened.max(clock.happened)),
                    ..clock
                };
                clocks.extend(known.into_iter().map(gone));
                Outcome::Applied { note, clocks }
            }
            Outcome::Applied { note, mut clocks } => {
                clocks.push(self.clock(client, event));
                Outcome::Applied { note, clocks }
            }
            Outcome::Ignored(_) | Outcome::Dead(_) | Outcome::Held(_)
                if known.is_empty() && event.order != Order::Delete =>
            {
                let (tenant, name) = (&self.source.tenant, &self.source.name);
                let clocks = vec![self.clock(client, event)];
                match self.intake.inbox.advance_subjects(tenant, name, clocks).await {
                    Ok(()) => outcome,
                    Err(error) => Outcome::later(error.to_string()),
                }
            }
            outcome => outcome,
        }
    }

    /// The client by whom an event about the person was applied last, if it has rules of its own.
    async fn newest(&self) -> Result<Option<&str>, StoreError> {
        let known = self.known().await?;
        Ok(known.into_iter().max_by_key(|(_, clock)| clock.happened).and_then(|(client, _)| client))
    }

    /// When whom was heard last about the person: each client with rules of its own, and all others as one.
    async fn known(&self) -> Result<Vec<(Option<&str>, SubjectClock)>, StoreError> {
        let mut known = Vec::new();
        for client in std::iter::once(None).chain(self.of_all.clients().map(Some)) {
            let part = self.part(client);
            let clock = self.intake.inbox.subject(&self.source.tenant, &self.source.name, &part).await?;
            known.extend(clock.map(|clock| (client, clock)));
        }
        Ok(known)
    }

    fn clock(&self, client: Option<&str>, event: &Event) -> SubjectClock {
        let own = client.filter(|client| self.of_all.clients().any(|own| own == *client));
        SubjectClock { subject: self.part(own), happened: event.happened, version: None, deleted: None }
    }

    fn part(&self, client: Option<&str>) -> String {
        // No name of a client has a blank.
        format!("{} by {}", self.uuid, client.unwrap_or("any other"))
    }
}

/// The rules of all clients.
pub(super) struct Rules {
    /// Of those that have none of their own.
    of_all: Profiles,
    own: Vec<(String, Profiles)>,
}

impl Rules {
    pub(super) fn of(akamai: &Akamai, intake: &Intake, source: &Source) -> Result<Self, ProvisionError> {
        let of_all = akamai.rules(intake, source, None)?;
        let own = of_all
            .clients()
            .map(|client| Ok((client.to_owned(), akamai.rules(intake, source, Some(client))?)));
        Ok(Self { own: own.collect::<Result<_, ProvisionError>>()?, of_all })
    }

    /// Those of clients that have none of their own.
    pub(super) fn of_all(&self) -> &Profiles {
        &self.of_all
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Profiles> {
        std::iter::once(&self.of_all).chain(self.own.iter().map(|(_, own)| own))
    }

    /// Those by which a person is seen to when nobody says whose doing it is.
    pub(super) async fn of_person(
        &self,
        intake: &Intake,
        source: &Source,
        uuid: &str,
    ) -> Result<&Profiles, StoreError> {
        if self.own.is_empty() {
            return Ok(&self.of_all);
        }
        let told = Told { intake, source, of_all: &self.of_all, uuid };
        let newest = told.newest().await?;
        let own = self.own.iter().find(|(client, _)| Some(client.as_str()) == newest);
        Ok(own.map_or(&self.of_all, |(_, own)| own))
    }
}
