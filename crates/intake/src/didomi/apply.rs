//! One event: what of it is new is written to Salesforce.
//!
//! An event says something about a few purposes and channels, so each of these has its own order in time: an older event about
//! the newsletter is out of date after a newer one about the newsletter, and not after one about the telephone. What says all of
//! a user (`user.*`) has a version besides.

use std::time::Duration;

use model::Timestamp;
use provisioning::{Caller, Consent, ConsentAnswer, ConsentTarget, Stance};
use serde::{Deserialize, Serialize};
use store::{EventKey, StoreError, SubjectClock};

use super::{
    Didomi, DidomiObject, UserDeleted,
    choose::{Chosen, in_words},
    payload::{Notice, PENDING},
};
use crate::{Event, Intake, Outcome, Source, refused};

/// When an org that could not be asked is asked again.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(30);

/// What an event has in its body.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Told {
    /// For the records of which object it is.
    object: String,
    notice: Notice,
}

/// What is to be made of an event.
enum Use {
    /// All of it counts.
    Whole,
    /// Only its opt-outs do: the person has not confirmed it yet.
    OptOuts,
    /// It asks for nothing.
    Nothing(Outcome),
}

impl Didomi {
    pub(super) async fn apply_told(
        &self,
        intake: &Intake,
        source: &Source,
        event: &Event,
        told: Told,
    ) -> Outcome {
        let Told { object, mut notice } = told;
        let is_it = |known: &&DidomiObject| known.target.object.as_str() == object;
        let Some(object) = self.settings.objects.iter().find(is_it) else {
            return Outcome::Ignored("unmapped");
        };
        let pending = match self.usage(&notice) {
            Use::Nothing(outcome) => return outcome,
            Use::Whole => false,
            Use::OptOuts => true,
        };
        let Some(person) = notice.person.clone() else { return Outcome::Ignored("no-user-id") };
        let mut target = object.target.clone();
        if notice.kind == "user.deleted" {
            notice.choices = object.mappings.clear().collect();
            // Nobody is made because he is gone.
            target.create = None;
        }
        let chosen = object.mappings.choose(&notice, pending);
        if !says_something(&chosen) {
            return Outcome::Ignored(if pending { "pending" } else { "no-choice" });
        }
        let one_spelling = match intake.provisioner.consent_person(&target, &person).await {
            Ok(one_spelling) => one_spelling,
            Err(error) => return refused(&error),
        };
        // Events of several objects and regulations may come to the same records.
        let turn = intake.turn(source, &format!("person {}", folded(&person)));
        let _turn = turn.lock().await;
        let clocks = Clocks { intake, source, target: &target, notice: &notice, person: &one_spelling };
        let current = match clocks.current(chosen.clone()).await {
            Ok(current) => current,
            Err(error) => return Outcome::later(error.to_string()),
        };
        let caller = Caller { tenant: source.tenant.clone(), client: source.client() };
        let consent = |chosen: Vec<Chosen>| Consent {
            key: EventKey {
                tenant: source.tenant.clone(),
                source: source.name.clone(),
                jti: event.jti.clone(),
            },
            event: notice.id.clone().unwrap_or_else(|| event.jti.clone()),
            given: notice.given,
            regulation: notice.regulation.clone(),
            choices: in_words(&object.mappings, chosen, &one_spelling),
            person: person.clone(),
        };
        if !says_something(&current.chosen) {
            // An attempt of before may have written it all the same.
            if let Err(error) = intake.provisioner.settle_consent(&caller, &target, &consent(chosen)).await {
                return refused(&error);
            }
            return if current.undecided { undecided() } else { Outcome::Ignored("stale") };
        }
        let advanced = clocks.after(&current);
        let written = intake.provisioner.write_consent(&caller, &target, &consent(current.chosen)).await;
        let is_partly = matches!(written, Ok(ConsentAnswer::Partly { .. }));
        let outcome = match written {
            Ok(_) if current.undecided => undecided(),
            Ok(answer) => outcome(answer, object),
            Err(error) => refused(&error),
        };
        match outcome {
            Outcome::Applied { note, .. } => Outcome::Applied { note, clocks: advanced },
            // Nothing was written, and it is tried again.
            Outcome::Later { .. } if !is_partly => outcome,
            // It is the newest choice all the same: an older one must not take its place.
            outcome => match intake.inbox.advance_subjects(&source.tenant, &source.name, advanced).await {
                Ok(()) => outcome,
                Err(error) => Outcome::later(error.to_string()),
            },
        }
    }

    /// What counts of a notice, by its kind, its regulation and its status.
    fn usage(&self, notice: &Notice) -> Use {
        if notice.other_regulation.is_some() {
            return Use::Nothing(Outcome::Dead(
                "it names two regulations: under which of them was chosen nobody can tell. Look the user up in Didomi, correct \
                 the record, and dismiss this"
                    .into(),
            ));
        }
        if !self.settings.regulations.contains(&notice.regulation) {
            return Use::Nothing(Outcome::Ignored("regulation"));
        }
        match notice.kind.as_str() {
            "event.created" | "event.updated" => match &notice.status {
                None => Use::Whole,
                // Whatever is accepted beside it: what is not confirmed gives nothing.
                Some(status) if status == PENDING => Use::OptOuts,
                Some(status) if self.settings.accept_status.contains(status) => Use::Whole,
                Some(_) => Use::Nothing(Outcome::Ignored("status")),
            },
            "user.created" | "user.updated" => Use::Whole,
            "user.deleted" => match self.settings.user_deleted {
                UserDeleted::Nothing => Use::Nothing(Outcome::Ignored("user-deleted")),
                UserDeleted::ClearMapped => Use::Whole,
            },
            "event.deleted" => Use::Nothing(Outcome::Dead(
                "Didomi has deleted the event, and does not say what holds instead: look the user up in Didomi, correct \
                 the record, and dismiss this"
                    .into(),
            )),
            _ => Use::Nothing(Outcome::Ignored("type")),
        }
    }
}

/// What is known of a person's choices, in time.
struct Clocks<'c> {
    intake: &'c Intake,
    source: &'c Source,
    target: &'c ConsentTarget,
    notice: &'c Notice,
    /// In the one spelling.
    person: &'c str,
}

/// What counts of an event.
struct Current {
    chosen: Vec<Chosen>,
    /// Of an event without a time: what is known of its user is as new as this.
    since: Timestamp,
    /// An opt-out is not among it, of which nobody can tell whether it is older than what was chosen since.
    undecided: bool,
}

impl Clocks<'_> {
    /// What is no older than what was applied before.
    ///
    /// An event without a time (`user.*` alone) is only known to be newer than its user's earlier versions: what was chosen after
    /// these, in an event that has a time, stands.
    async fn current(&self, chosen: Vec<Chosen>) -> Result<Current, StoreError> {
        let mut current = Current { chosen: Vec::new(), since: Timestamp::UNIX_EPOCH, undecided: false };
        if let (Some(user), Some(version)) = (user_part(self.notice), self.notice.version)
            && let Some(newest) = self.known(&user).await?
        {
            if newest.version.is_some_and(|newest| version < newest) {
                return Ok(current);
            }
            current.since = newest.happened;
        }
        let happened = if self.notice.timed { self.notice.given } else { current.since };
        for chosen in chosen {
            let newest = self.known(&chosen.clock).await?;
            if newest.is_none_or(|newest| newest.happened <= to_the_millisecond(happened)) {
                current.chosen.push(chosen);
            } else {
                current.undecided |= !self.notice.timed && chosen.stance == Stance::Out;
            }
        }
        Ok(current)
    }

    /// What is known once these are the newest choices.
    fn after(&self, current: &Current) -> Vec<SubjectClock> {
        let happened = if self.notice.timed { self.notice.given } else { current.since };
        let clock =
            |part: &str, version| SubjectClock { subject: self.part(part), happened, version, deleted: None };
        let parts = current.chosen.iter().map(|chosen| clock(&chosen.clock, None));
        parts.chain(user_part(self.notice).map(|user| clock(&user, self.notice.version))).collect()
    }

    async fn known(&self, part: &str) -> Result<Option<SubjectClock>, StoreError> {
        self.intake.inbox.subject(&self.source.tenant, &self.source.name, &self.part(part)).await
    }

    fn part(&self, part: &str) -> String {
        format!("{}/{}/{}#{part}", self.target.object, self.notice.regulation, self.person)
    }
}

/// Whether there is a choice among it: a time alone is none.
fn says_something(chosen: &[Chosen]) -> bool {
    chosen.iter().any(|chosen| chosen.stance != Stance::Beside)
}

/// Versions are counted for each of Didomi's users, of whom one person may have several in turn.
fn user_part(notice: &Notice) -> Option<String> {
    notice.version.and(notice.user.as_ref()).map(|user| format!("user:{user}"))
}

/// A person in a form in which all spellings are alike, and some people too: for turns, which any two may share.
pub(super) fn folded(person: &str) -> String {
    // The last three of a record id only say which of the others are capitals.
    let is_long_id = person.len() == 18 && person.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (if is_long_id { &person[..15] } else { person }).trim().to_lowercase()
}

/// As it comes back from the store.
fn to_the_millisecond(moment: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment)
}

fn undecided() -> Outcome {
    Outcome::Dead(
        "it opts somebody out and does not say when: whether what was chosen since is older nobody can tell. Look the user up \
         in Didomi, correct the record, and dismiss this"
            .into(),
    )
}

fn outcome(answer: ConsentAnswer, object: &DidomiObject) -> Outcome {
    let (name, field) = (object.target.object, &object.target.match_field);
    match answer {
        ConsentAnswer::Written { records: 0 } => Outcome::noted("the records said so already"),
        ConsentAnswer::Written { records } => Outcome::noted(format!("{records} records changed")),
        ConsentAnswer::Partly { records, problem } => match refused(&problem) {
            Outcome::Dead(why) => {
                Outcome::Dead(format!("{why}. What Salesforce took of it is written, to {records} records"))
            }
            outcome => outcome,
        },
        ConsentAnswer::Unmatched => Outcome::Ignored("unmatched"),
        ConsentAnswer::Ambiguous { found, opt_outs_written } => {
            let written = if opt_outs_written {
                "opt-outs were written to all of them, the rest to none"
            } else {
                "nothing was written"
            };
            Outcome::Dead(format!(
                "{found} or more records of {name} have this {field}: {written}. Merge them, or say otherwise in `on-multiple`"
            ))
        }
        ConsentAnswer::Converted => Outcome::Dead(format!(
            "the {name} was converted: nothing can be written to it any more. `follow-converted = true` writes to its contact"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_person_have_one_turn() {
        assert_eq!(folded("Noor@Example.net"), folded("noor@example.NET"));
        assert_eq!(folded("003000000000AbC"), folded("003000000000AbCEAA"));
        assert_eq!(folded("ÄB"), folded("äb"));
        assert_ne!(folded("noor@example.net"), folded("noor@example.com"));
    }
}
