//! Consent in Salesforce: choices that somebody has made, written to the records that stand for him, with evidence.
//!
//! A consent event never makes an identity: it is written to the records whose `match` field has the person's value. What is
//! written is only what differs, and of each value the audit has the old and the new one. The old values are durable before
//! the first call, so that an event which is tried again after a crash still tells them.
//!
//! | file | what it holds |
//! |---|---|
//! | `matching.rs` | which records stand for the person |
//! | `fields.rs` | choices in fields of these records |
//! | `contact_points.rs` | choices as `ContactPointTypeConsent` of their `Individual` |
//! | `writing.rs` | journal, calls, evidence |
//! | `fit.rs` | whether an org has what a target writes |

mod contact_points;
mod fields;
mod fit;
mod matching;
mod writing;

use std::{fmt, sync::Arc, time::Duration};

use model::{OrgName, ResourceId, Timestamp};
use salesforce_client::{Asker, CallError, Org, Purpose, Ticket};
use salesforce_types::Fields;
use serde_json::Value;
use store::EventKey;

pub use self::fit::{ConsentPlaces, problems as consent_problems};
use self::{matching::Matches, writing::Intent};
use crate::{
    Caller, ProvisionError,
    provisioner::{Inner, World},
    signals::not_asked,
};

/// When an org that is parked, or a call of unknown end, is asked again.
const LATER: Duration = Duration::from_mins(1);
const SOON: Duration = Duration::from_secs(5);

/// Where a source's consents are written to.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsentTarget {
    /// In which org.
    pub org: OrgName,
    /// To which records.
    pub object: ConsentObject,
    /// The field that has the person's value.
    pub match_field: String,
    /// What to do where several records have it.
    pub on_multiple: OnMultiple,
    /// Opt-outs are written to all of several records, whatever becomes of the rest.
    pub opt_out_all: bool,
    /// What a record is made with where none matches; absent: none is made.
    pub create: Option<Fields>,
    /// Where only converted leads match: their contacts are meant.
    pub follow_converted: bool,
}

/// Whose records they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentObject {
    /// Contacts.
    Contact,
    /// Leads.
    Lead,
}

impl ConsentObject {
    /// As Salesforce names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contact => "Contact",
            Self::Lead => "Lead",
        }
    }
}

impl fmt::Display for ConsentObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What to do where several records match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMultiple {
    /// Nothing: a person decides.
    #[default]
    Skip,
    /// All of them are meant.
    All,
    /// The one that was made last is meant.
    Newest,
}

/// What somebody has chosen, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Consent {
    /// The event that says it.
    pub key: EventKey,
    /// What the source calls it, for the evidence.
    pub event: String,
    /// When it was chosen, by the source's clock.
    pub given: Timestamp,
    /// Under which regulation.
    pub regulation: String,
    /// What the match field holds for the person.
    pub person: String,
    /// The choices.
    pub choices: Choices,
}

/// Choices, in the form in which they are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Choices {
    /// Fields of the record itself.
    Fields(Vec<FieldChoice>),
    /// Rows of `ContactPointTypeConsent`.
    ContactPoints(Vec<ContactPointChoice>),
}

/// What a choice means for the person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// He agrees, or says how he wants it.
    In,
    /// He refuses.
    Out,
    /// It only goes along with the others: when they were made.
    Beside,
}

/// A choice in a field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChoice {
    /// The field.
    pub field: String,
    /// Its value.
    pub value: Value,
    /// What it means.
    pub stance: Stance,
}

/// A choice about one purpose on one kind of contact point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactPointChoice {
    /// `Name` of its row: one of an individual has it.
    pub name: String,
    /// `Email`, `Phone`, ...
    pub contact_point_type: String,
    /// The `Name` of a `DataUsePurpose`.
    pub data_use_purpose: Option<String>,
    /// What it means.
    pub stance: Stance,
}

/// What came of a consent.
#[derive(Debug)]
pub enum ConsentAnswer {
    /// It is written. So many records were changed; none: all of them said it already.
    Written {
        /// How many.
        records: usize,
    },
    /// No record has the person's value, and none may be made.
    Unmatched,
    /// Several records have it.
    Ambiguous {
        /// How many, or more than that.
        found: usize,
        /// Whether opt-outs among the choices were written to all of them.
        opt_outs_written: bool,
    },
    /// Only converted leads have it.
    Converted,
    /// Some of it is written, or may be, and some is not.
    Partly {
        /// How many records were changed.
        records: usize,
        /// Why the rest is not written. Where that may pass, a repeat writes it.
        problem: Box<ProvisionError>,
    },
}

/// Writes a consent. Doing it twice comes to the same.
pub(crate) async fn write(
    inner: &Arc<Inner>,
    caller: &Caller,
    target: &ConsentTarget,
    consent: &Consent,
) -> Result<ConsentAnswer, ProvisionError> {
    let begun = begun(inner, consent).await?;
    Run::of(inner, &inner.world(), caller, (target, consent), begun)?.run().await
}

/// Of an attempt of this event whose end nobody has heard, and whose choices are out of date since: what of it landed gets its
/// evidence, and the rest is forgotten.
pub(crate) async fn settle(
    inner: &Arc<Inner>,
    caller: &Caller,
    target: &ConsentTarget,
    consent: &Consent,
) -> Result<(), ProvisionError> {
    let Some(begun) = begun(inner, consent).await? else { return Ok(()) };
    Run::of(inner, &inner.world(), caller, (target, consent), Some(begun))?.settle().await
}

/// What an earlier attempt of the event was about to write.
async fn begun(inner: &Inner, consent: &Consent) -> Result<Option<Intent>, ProvisionError> {
    let begun = inner.store.consent_begun(&consent.key).await?;
    Ok(begun.map(|begun| serde_json::from_value::<Intent>(begun).unwrap_or_default()))
}

/// The one spelling of a person, whichever was sent: as Salesforce compares the values of the match field.
pub(crate) async fn person(
    inner: &Inner,
    target: &ConsentTarget,
    person: &str,
) -> Result<String, ProvisionError> {
    let world = inner.world();
    let org = world.orgs.get(&target.org);
    let org = org.ok_or_else(|| misconfigured(format!("the org {} is not configured", target.org)))?;
    let description = org.describe(target.object.as_str()).await.map_err(not_asked)?;
    if let Ok(field) = matching::match_field(&description, target, org) {
        return Ok(matching::canonical(field, person));
    }
    let description = org.describe_within(target.object.as_str(), matching::NOTICED_WITHIN).await;
    let description = description.map_err(not_asked)?;
    Ok(matching::canonical(matching::match_field(&description, target, org)?, person))
}

/// What the org lacks for a target.
pub(crate) async fn fits(
    inner: &Inner,
    target: &ConsentTarget,
    places: &ConsentPlaces,
) -> Result<Vec<String>, ProvisionError> {
    let world = inner.world();
    let org = world.orgs.get(&target.org);
    let org = org.ok_or_else(|| misconfigured(format!("the org {} is not configured", target.org)))?;
    fit::problems(org, target, places).await.map_err(not_asked)
}

/// One consent on its way.
struct Run<'a> {
    inner: &'a Inner,
    caller: &'a Caller,
    org: &'a Org,
    target: &'a ConsentTarget,
    consent: &'a Consent,
    ticket: Ticket,
    /// What an earlier attempt was about to write; from the first write on what this one is.
    begun: Option<Intent>,
    /// What is being made, by its key in the intent, and may still come to be there: the end of the call is not known.
    unclear: Vec<String>,
}

/// Why something could not be written. What may pass counts first: what is missing is then tried again, and refusals are met again.
#[derive(Debug, Default)]
struct Problem(Option<ProvisionError>);

impl Problem {
    fn add(&mut self, error: ProvisionError) {
        if self.0.as_ref().is_none_or(|known| known.is_final_refusal() && !error.is_final_refusal()) {
            self.0 = Some(error);
        }
    }

    fn join(&mut self, other: Self) {
        if let Some(error) = other.0 {
            self.add(error);
        }
    }
}

/// Which of the choices go to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    All,
    OptOuts,
}

impl Which {
    fn takes(self, stance: Stance) -> bool {
        self == Self::All || stance != Stance::In
    }
}

impl<'a> Run<'a> {
    fn of(
        inner: &'a Inner,
        world: &'a World,
        caller: &'a Caller,
        (target, consent): (&'a ConsentTarget, &'a Consent),
        begun: Option<Intent>,
    ) -> Result<Self, ProvisionError> {
        let org = world.orgs.get(&target.org);
        let org = org.ok_or_else(|| misconfigured(format!("the org {} is not configured", target.org)))?;
        let asker = Asker {
            tenant: caller.tenant.clone(),
            client: caller.client.clone(),
            identity: ResourceId::from_text(consent.key.jti.as_str()),
        };
        let ticket = Ticket::new(asker, false);
        Ok(Self { inner, caller, org, target, consent, ticket, begun, unclear: Vec::new() })
    }

    async fn settle(mut self) -> Result<(), ProvisionError> {
        let consent = self.consent;
        let landed = match (self.find().await?, &consent.choices) {
            (Matches::Converted, _) => Vec::new(),
            (Matches::Records(found), Choices::Fields(choices)) => {
                self.landed_in_fields(&found, choices).await?
            }
            (Matches::Records(found), Choices::ContactPoints(choices)) => {
                self.landed_at_contact_points(&found, choices).await?
            }
        };
        // None of them is a call.
        self.commit(landed).await.map(drop)
    }

    async fn run(mut self) -> Result<ConsentAnswer, ProvisionError> {
        let found = match self.find().await? {
            Matches::Converted => {
                self.forget().await?;
                return Ok(ConsentAnswer::Converted);
            }
            Matches::Records(found) => found,
        };
        let count = found.len();
        let opts_out = self.has(Stance::Out);
        let mut left_out = false;
        let mut chosen = Vec::with_capacity(count);
        for (place, record) in found.into_iter().enumerate() {
            let which = match self.target.on_multiple {
                _ if count == 1 => Which::All,
                OnMultiple::All if count <= matching::MOST => Which::All,
                OnMultiple::Newest if place == 0 => Which::All,
                _ if self.target.opt_out_all && opts_out && count <= matching::MOST => Which::OptOuts,
                _ => {
                    left_out |= self.target.on_multiple != OnMultiple::Newest;
                    continue;
                }
            };
            left_out |= which == Which::OptOuts
                && self.has(Stance::In)
                && self.target.on_multiple != OnMultiple::Newest;
            chosen.push((record, which));
        }
        if count == 0 && self.target.create.is_none() {
            self.forget().await?;
            return Ok(ConsentAnswer::Unmatched);
        }
        let consent = self.consent;
        let mut problem = Problem::default();
        let mut reached = false;
        let writes = match &consent.choices {
            Choices::Fields(choices) if count == 0 => self.made(choices, &mut problem).await?,
            Choices::Fields(choices) => self.in_fields(&chosen, choices, &mut problem).await?,
            Choices::ContactPoints(choices) => {
                if count == 0 {
                    let made = self.made(&[], &mut problem).await?;
                    let made = self.commit(made).await?;
                    reached |= made.reached;
                    problem.join(made.problem);
                    let Matches::Records(found) = self.find().await? else {
                        return Ok(ConsentAnswer::Converted);
                    };
                    chosen = found.into_iter().map(|record| (record, Which::All)).collect();
                }
                self.at_contact_points(&chosen, choices, &mut problem).await?
            }
        };
        let committed = self.commit(writes).await?;
        reached |= committed.reached;
        let records = committed.records;
        problem.join(committed.problem);
        match problem.0 {
            Some(problem) if reached => {
                return Ok(ConsentAnswer::Partly { records, problem: Box::new(problem) });
            }
            Some(problem) => return Err(problem),
            None => {}
        }
        if left_out {
            return Ok(ConsentAnswer::Ambiguous { found: count, opt_outs_written: !chosen.is_empty() });
        }
        Ok(ConsentAnswer::Written { records })
    }

    fn has(&self, stance: Stance) -> bool {
        match &self.consent.choices {
            Choices::Fields(choices) => choices.iter().any(|choice| choice.stance == stance),
            Choices::ContactPoints(choices) => choices.iter().any(|choice| choice.stance == stance),
        }
    }

    fn purpose(&self) -> Purpose<'_> {
        Purpose::matching(&self.ticket)
    }

    /// What was to be written was not.
    fn failed(&self, error: CallError) -> ProvisionError {
        match error {
            CallError::Refused(refusal) => self.refused(refusal),
            CallError::NotSent { why, retry_after } => {
                ProvisionError::Busy { why, retry_after: retry_after.unwrap_or(SOON) }
            }
            CallError::Unknown { .. } | CallError::Parked { .. } => {
                ProvisionError::Busy { why: error.to_string(), retry_after: LATER }
            }
        }
    }
}

fn misconfigured(why: impl Into<String>) -> ProvisionError {
    ProvisionError::Misconfigured(why.into())
}

#[cfg(test)]
mod tests {
    use salesforce_types::Refusal;

    use super::*;

    fn refused(code: &str) -> ProvisionError {
        let refusal = Refusal {
            status: 400,
            code: code.to_owned(),
            message: String::new(),
            fields: Vec::new(),
            records: Vec::new(),
        };
        ProvisionError::Refused {
            org: "acme".parse().unwrap(),
            refusal: Box::new(refusal),
            attributes: Vec::new(),
        }
    }

    fn busy() -> ProvisionError {
        ProvisionError::Busy { why: "away".into(), retry_after: SOON }
    }

    #[test]
    fn a_refusal_hides_nothing_that_may_be_written_later() {
        let no = || refused("FIELD_CUSTOM_VALIDATION_EXCEPTION");
        for (first, second, passes) in [
            (no(), busy(), true),
            (busy(), no(), true),
            (no(), refused("REQUEST_LIMIT_EXCEEDED"), true),
            (no(), no(), false),
        ] {
            let mut problem = Problem::default();
            problem.add(first);
            problem.add(second);
            assert_eq!(problem.0.map(|error| !error.is_final_refusal()), Some(passes));
        }
    }
}
