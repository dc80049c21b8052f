//! One event: what of it is new is written to Salesforce.
//!
//! An event says something about a few purposes and channels, so each of these has its own order in time: an older event about
//! the newsletter is out of date after a newer one about the newsletter, and not after one about the telephone. What says all of
//! a user (`user.*`) has a version besides.

use std::time::Duration;

use model::{ClientName, Timestamp};
use provisioning::{Caller, Consent, ConsentAnswer, Stance};
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
        let current = match self.current(intake, source, event, &notice, chosen).await {
            Ok(current) if says_something(&current) => current,
            Ok(_) => return Outcome::Ignored("stale"),
            Err(error) => return Outcome::later(error.to_string()),
        };
        let clocks = clocks(event, &notice, &current);
        let consent = Consent {
            key: EventKey {
                tenant: source.tenant.clone(),
                source: source.name.clone(),
                jti: event.jti.clone(),
            },
            event: notice.id.clone().unwrap_or_else(|| event.jti.clone()),
            given: notice.given,
            regulation: notice.regulation.clone(),
            person,
            choices: in_words(&object.mappings, current),
        };
        let client = ClientName::new(source.name.as_str()).expect("a source's name is a name");
        let caller = Caller { tenant: source.tenant.clone(), client };
        match intake.provisioner.write_consent(&caller, &target, &consent).await {
            Ok(answer) => outcome(answer, object, clocks),
            Err(error) => refused(&error),
        }
    }

    /// What counts of a notice, by its kind, its regulation and its status.
    fn usage(&self, notice: &Notice) -> Use {
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

    /// What is no older than what was applied before.
    async fn current(
        &self,
        intake: &Intake,
        source: &Source,
        event: &Event,
        notice: &Notice,
        chosen: Vec<Chosen>,
    ) -> Result<Vec<Chosen>, StoreError> {
        let known = async |part: &str| {
            let subject = part_of(event, part);
            intake.inbox.subject(&source.tenant, &source.name, &subject).await
        };
        if let (Some(user), Some(version)) = (user_part(notice), notice.version)
            && let Some(newest) = known(&user).await?.and_then(|known| known.version)
            && version < newest
        {
            return Ok(Vec::new());
        }
        let mut current = Vec::with_capacity(chosen.len());
        for chosen in chosen {
            let newest = known(&chosen.clock).await?;
            if newest.is_none_or(|newest| newest.happened <= to_the_millisecond(notice.given)) {
                current.push(chosen);
            }
        }
        Ok(current)
    }
}

/// Whether there is a choice among it: a time alone is none.
fn says_something(chosen: &[Chosen]) -> bool {
    chosen.iter().any(|chosen| chosen.stance != Stance::Beside)
}

/// What is known of the parts of the event's subject once it is applied.
fn clocks(event: &Event, notice: &Notice, chosen: &[Chosen]) -> Vec<SubjectClock> {
    let clock = |part: &str, version| SubjectClock {
        subject: part_of(event, part),
        happened: notice.given,
        version,
        deleted: None,
    };
    let parts = chosen.iter().map(|chosen| clock(&chosen.clock, None));
    parts.chain(user_part(notice).map(|user| clock(&user, notice.version))).collect()
}

fn part_of(event: &Event, part: &str) -> String {
    format!("{}#{part}", event.subject)
}

/// Versions are counted for each of Didomi's users, of whom one person may have several in turn.
fn user_part(notice: &Notice) -> Option<String> {
    notice.version.and(notice.user.as_ref()).map(|user| format!("user:{user}"))
}

/// As it comes back from the store.
fn to_the_millisecond(moment: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment)
}

fn outcome(answer: ConsentAnswer, object: &DidomiObject, clocks: Vec<SubjectClock>) -> Outcome {
    let (name, field) = (object.target.object, &object.target.match_field);
    match answer {
        ConsentAnswer::Written { records: 0 } => {
            Outcome::Applied { note: Some("the records said so already".into()), clocks }
        }
        ConsentAnswer::Written { records } => {
            Outcome::Applied { note: Some(format!("{records} records changed")), clocks }
        }
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
