//! One change on its way: which of its steps have an end, and which may go next. Pure.

use salesforce_types::{Fields, RecordId, Refusal, Step, StepOutcome};
use serde_json::Value;
use tokio::sync::oneshot;

use super::freeze;
use crate::{
    CallError, Ticket,
    answer::in_short,
    soap,
    soql::{Field, Object},
    ticket::Asker,
};

/// How a reference to another part of a Composite begins.
pub(crate) const REFERENCE: &str = "@{";

/// The steps of one change, in order.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) ticket: Ticket,
    /// Takes access away. As the ticket said when the change came, so that it stands in the same line for good.
    pub(super) leaver: bool,
    /// Somebody waits for it to land.
    pub(super) is_awaited: bool,
    steps: Vec<Step>,
    progress: Vec<Progress>,
    reply: Option<oneshot::Sender<Vec<StepOutcome>>>,
    /// How often something was tried again, by what went wrong.
    pub(super) tries: Tries,
    /// Why, if a step of the last call met a locked row.
    pub(super) locked: Option<String>,
    /// A collection was refused as a whole, and one of its records may be why: rows from now on.
    pub(super) by_rows: bool,
    /// Changes in one call with it, itself included. Fewer after a call that was refused as a whole.
    pub(super) company: usize,
}

/// Tries that had no effect.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tries {
    pub(super) locked: u32,
    /// Whole calls: no connection, or Salesforce overloaded.
    pub(super) calls: u32,
}

/// How far a step is.
#[derive(Debug)]
enum Progress {
    Waiting,
    UnderWay,
    Ended(StepOutcome),
}

/// What came of a step in one call.
#[derive(Debug)]
pub(super) enum Landing {
    Ended(StepOutcome),
    /// The record that is to be frozen: nothing is written yet.
    Found(RecordId),
    /// `UNABLE_TO_LOCK_ROW`: no effect, and worth another try.
    Locked(Refusal),
    /// The step of the same call that it refers to did not land: no effect.
    Halted,
    /// The collection that it was in was refused as a whole, or does not say all there is to say: no effect.
    WithOthers,
}

/// How steps are put into a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One by one, so that later ones can refer to earlier ones.
    Rows,
    /// In collections with the steps of other changes: nothing can refer to a step of the same call.
    Lanes,
    /// Conversions of leads, with those of other changes.
    Conversions,
}

impl Change {
    /// A change, and where its outcomes are told. Steps that Salesforce could not even parse have ended here.
    pub(super) fn new(steps: Vec<Step>, ticket: &Ticket) -> (Self, oneshot::Receiver<Vec<StepOutcome>>) {
        let (reply, outcomes) = oneshot::channel();
        let progress = steps.iter().map(|step| match checked(step) {
            Ok(()) => Progress::Waiting,
            Err(error) => Progress::Ended(error.into()),
        });
        let change = Self {
            ticket: ticket.clone(),
            leaver: ticket.takes_access_away(),
            is_awaited: ticket.is_awaited(),
            progress: progress.collect(),
            steps,
            reply: Some(reply),
            tries: Tries::default(),
            locked: None,
            by_rows: false,
            company: usize::MAX,
        };
        (change, outcomes)
    }

    pub(super) fn asker(&self) -> &Asker {
        self.ticket.asker()
    }

    pub(super) fn step(&self, at: usize) -> &Step {
        &self.steps[at]
    }

    /// Whether a step may have had an effect, so that there is no way back.
    pub(super) fn is_under_way(&self) -> bool {
        self.progress.iter().any(|progress| match progress {
            Progress::Waiting => false,
            Progress::UnderWay => true,
            Progress::Ended(outcome) => may_have_landed(outcome),
        })
    }

    /// What was begun, or was tried before, ends before more is begun.
    pub(super) fn is_begun(&self) -> bool {
        self.is_under_way() || self.is_suspect() || self.tries.locked + self.tries.calls > 0
    }

    /// A call or a collection was refused as a whole, and it was in it.
    pub(super) fn is_suspect(&self) -> bool {
        self.by_rows || self.company < usize::MAX
    }

    /// The last moment in which somebody may take it back. `false`: it was, and nothing may leave.
    pub(super) fn leave(&self) -> bool {
        !self.is_abandoned() && self.ticket.send()
    }

    /// Nobody waits for it any more, and nothing was sent.
    pub(super) fn is_abandoned(&self) -> bool {
        let unheard = self.reply.as_ref().is_none_or(oneshot::Sender::is_closed);
        !self.is_under_way() && (self.ticket.is_withdrawn() || unheard)
    }

    fn waiting(&self) -> impl Iterator<Item = usize> {
        let waits = |progress: &Progress| matches!(progress, Progress::Waiting);
        self.progress.iter().enumerate().filter(move |(_, progress)| waits(progress)).map(|(at, _)| at)
    }

    /// Whether the next step takes the lock that all changes of groups, roles and territories share.
    pub(super) fn is_about_sharing(&self) -> bool {
        self.waiting().next().is_some_and(|at| takes_sharing_lock(&self.steps[at]))
    }

    pub(super) fn takes_sharing_lock(&self, at: usize) -> bool {
        takes_sharing_lock(&self.steps[at])
    }

    /// Whether the next step cannot be in a Composite: there `@{ref.id}` means a value of an earlier step, and a
    /// person's title that looks like that must stay a title.
    pub(super) fn goes_alone(&self) -> bool {
        self.waiting().next().is_some_and(|at| is_literal(&self.steps[at]))
    }

    /// Whether the next step is the conversion of a lead, which is a call of another kind.
    pub(super) fn converts(&self) -> bool {
        self.waiting().next().is_some_and(|at| is_conversion(&self.steps[at]))
    }

    /// The conversions that were to go with the org's own status, which nobody can tell.
    pub(super) fn end_conversions(&mut self, error: &CallError) {
        for (step, progress) in self.steps.iter().zip(&mut self.progress) {
            if matches!(step, Step::Convert { conversion, .. } if conversion.status.is_none()) {
                *progress = Progress::Ended(error.clone().into());
            }
        }
    }

    /// The steps that may go now, in order; at least one if any waits, the form is theirs, and the sharing lock is not in
    /// the way.
    pub(super) fn sendable(&self, form: Form, sharing: bool) -> Vec<usize> {
        let mut sendable = Vec::new();
        for at in self.waiting() {
            let step = &self.steps[at];
            let is_ready = step.refers().values().all(|earlier| match self.progress.get(*earlier) {
                Some(Progress::Ended(_)) => true,
                Some(Progress::Waiting | Progress::UnderWay) => {
                    form == Form::Rows && sendable.contains(earlier) && self.can_be_referred_to(*earlier)
                }
                None => false,
            });
            let is_of_form = is_conversion(step) == (form == Form::Conversions);
            if !is_ready || !is_of_form || (takes_sharing_lock(step) && !sharing) {
                break;
            }
            if is_literal(step) {
                if sendable.is_empty() {
                    sendable.push(at);
                }
                break;
            }
            sendable.push(at);
            // A collection needs the record's id, and what comes after waits until the person is locked out.
            if form == Form::Lanes && freeze::must_be_found(step) {
                break;
            }
        }
        sendable
    }

    /// Whether the answer to a step names its record, for others of the same call. That to a delete does not, nor that to an
    /// update; but for an update in a collection of its own, unless that has said too little of why it was refused.
    fn can_be_referred_to(&self, at: usize) -> bool {
        match &self.steps[at] {
            Step::Create { .. } | Step::Upsert { .. } => true,
            Step::Update { .. } => !self.by_rows,
            Step::Delete { .. } | Step::Convert { .. } | Step::Freeze { .. } => false,
        }
    }

    /// Whether one of these steps, which go in one call, refers to this one.
    pub(super) fn is_referred_to(&self, at: usize, mut together: impl Iterator<Item = usize>) -> bool {
        together.any(|other| self.steps[other].refers().values().any(|earlier| *earlier == at))
    }

    /// What a step writes, with the ids of the records that it refers to: those that are there already, and for those
    /// that are made in the same call what `reference` says of the step.
    pub(super) fn body(&self, at: usize, reference: impl Fn(usize) -> String) -> Fields {
        let step = &self.steps[at];
        let mut fields = step.fields().clone();
        for (field, earlier) in step.refers() {
            let id = match self.landed(*earlier) {
                Some(id) => id.as_str().to_owned(),
                None => reference(*earlier),
            };
            fields.insert(field.clone(), Value::String(id));
        }
        fields
    }

    fn landed(&self, at: usize) -> Option<&RecordId> {
        match self.progress.get(at) {
            Some(Progress::Ended(StepOutcome::Done { id })) => Some(id),
            _ => None,
        }
    }

    /// Whether a step refers to one that is in the same call.
    pub(super) fn refers_to_this_call(&self, at: usize) -> bool {
        let is_sent = |earlier: &usize| matches!(self.progress.get(*earlier), Some(Progress::UnderWay));
        self.steps[at].refers().values().any(is_sent)
    }

    pub(super) fn send(&mut self, at: usize) {
        self.progress[at] = Progress::UnderWay;
    }

    /// Takes what came of a step. What had no effect waits again.
    pub(super) fn land(&mut self, at: usize, landing: Landing) {
        self.progress[at] = match landing {
            // What it lacks may be what an earlier step was about to bring, such as the licence of a permission set: it waits
            // with the locked one.
            Landing::Ended(StepOutcome::Refused(_)) if self.locked.is_some() => Progress::Waiting,
            Landing::Ended(outcome) => Progress::Ended(outcome),
            Landing::Found(login) => {
                if let Some(update) = freeze::update(&self.steps[at], login) {
                    self.steps[at] = update;
                }
                Progress::Waiting
            }
            Landing::Locked(refusal) => {
                self.locked = Some(in_short(&refusal));
                Progress::Waiting
            }
            // The other one has an end now, or is locked, which is not tried for ever.
            Landing::Halted => Progress::Waiting,
            // In a call of rows that is an update in a collection of its own, to which others refer. By rows it goes as one, so that
            // none lands so twice.
            Landing::WithOthers => {
                self.by_rows = true;
                Progress::Waiting
            }
        };
    }

    /// The steps under way had no effect: they wait again.
    pub(super) fn take_back(&mut self) {
        for progress in &mut self.progress {
            if matches!(progress, Progress::UnderWay) {
                *progress = Progress::Waiting;
            }
        }
        self.rearm();
    }

    /// While nothing has had an effect the caller may withdraw.
    fn rearm(&self) {
        if !self.is_under_way() {
            self.ticket.rearm();
        }
    }

    /// Ends the steps that are under way with one outcome, and so what waits behind them.
    pub(super) fn end_sent(&mut self, outcome: &StepOutcome) {
        for progress in &mut self.progress {
            if matches!(progress, Progress::UnderWay) {
                *progress = Progress::Ended(outcome.clone());
            }
        }
    }

    /// Ends the steps that still wait: they were never sent, or had no effect.
    pub(super) fn end_waiting(&mut self, why: &str, retry_after: Option<std::time::Duration>) {
        for progress in &mut self.progress {
            if matches!(progress, Progress::Waiting) {
                let outcome = StepOutcome::NotSent { why: why.to_owned(), retry_after };
                *progress = Progress::Ended(outcome);
            }
        }
    }

    /// After a call: ends what can no longer be sent. `true` if something waits to be sent.
    pub(super) fn goes_on(&mut self) -> bool {
        for at in 0..self.steps.len() {
            if !matches!(self.progress[at], Progress::Waiting) {
                continue;
            }
            // A step that refers to itself, or to what comes after it, is never ready.
            let dead = self.steps[at].refers().values().any(|earlier| match self.progress.get(*earlier) {
                Some(Progress::Ended(outcome)) => !matches!(outcome, StepOutcome::Done { .. }),
                Some(Progress::Waiting | Progress::UnderWay) => *earlier >= at,
                None => true,
            });
            // What nobody knows the end of is read back first; the rest is decided anew after that.
            let unclear = self.progress[..at]
                .iter()
                .any(|progress| matches!(progress, Progress::Ended(StepOutcome::Unknown { .. })));
            let why = match (dead, unclear) {
                (true, _) => "the record that it refers to was not made",
                (false, true) => "the end of an earlier step is not known",
                (false, false) => continue,
            };
            self.progress[at] =
                Progress::Ended(StepOutcome::NotSent { why: why.to_owned(), retry_after: None });
        }
        self.rearm();
        self.waiting().next().is_some()
    }

    /// Tells the caller what came of every step. If one may have landed, the ticket cannot be taken back for good, whatever
    /// the caller does with it next.
    pub(super) fn answer(mut self) {
        if self.is_under_way() {
            self.ticket.commit();
        }
        let outcomes = self.progress.drain(..).map(|progress| match progress {
            Progress::Ended(outcome) => outcome,
            Progress::Waiting | Progress::UnderWay => {
                StepOutcome::Unknown { why: "the dispatcher lost this step".to_owned() }
            }
        });
        let outcomes = outcomes.collect();
        if let Some(reply) = self.reply.take() {
            // A caller that hung up wants to know nothing.
            let _ = reply.send(outcomes);
        }
    }
}

fn may_have_landed(outcome: &StepOutcome) -> bool {
    matches!(outcome, StepOutcome::Done { .. } | StepOutcome::Unknown { .. })
}

/// Names that stand in a path have to be names. What says which record it is does not stand among the fields, where it
/// would mean another one.
fn checked(step: &Step) -> Result<(), CallError> {
    Object::new(step.object())?;
    if let Step::Convert { conversion, .. } = step {
        let mut texts = conversion.status.iter().chain(&conversion.opportunity);
        if !texts.all(|text| soap::can_hold(text)) {
            let message = "The text holds a character that XML cannot hold.";
            return Err(refused("XML_PARSER_ERROR", message.to_owned()));
        }
    }
    let key = match step {
        Step::Upsert { key, value, .. } => {
            Field::new(key)?;
            if value.is_empty() {
                return Err(refused("MISSING_ARGUMENT", format!("{key} not specified")));
            }
            Some(key.as_str())
        }
        _ => None,
    };
    let says_which = |name: &&String| {
        ["Id", "attributes"].into_iter().chain(key).any(|other| name.eq_ignore_ascii_case(other))
    };
    match step.fields().keys().chain(step.refers().keys()).find(says_which) {
        None => Ok(()),
        Some(name) => Err(refused(
            "INVALID_FIELD",
            format!("The {name} field should not be specified in the sobject data."),
        )),
    }
}

/// As Salesforce would refuse it.
fn refused(code: &str, message: String) -> CallError {
    CallError::Refused(Refusal {
        status: 400,
        code: code.to_owned(),
        message,
        fields: Vec::new(),
        records: Vec::new(),
    })
}

/// Changes of groups, roles and territories make Salesforce compute sharing anew, under one lock of the whole org:
/// two at once end as `UNABLE_TO_LOCK_ROW`.
fn takes_sharing_lock(step: &Step) -> bool {
    const GUARDED: [&str; 6] =
        ["Group", "GroupMember", "UserRole", "Territory2", "UserTerritory2Association", "QueueSobject"];
    let named = |names: &[&str]| names.iter().any(|name| step.object().eq_ignore_ascii_case(name));
    let is_role = |field: &String| field.eq_ignore_ascii_case("UserRoleId");
    let takes_role = step.refers().keys().any(is_role)
        || step.fields().iter().any(|(field, role)| is_role(field) && !created_without(step, role));
    named(&GUARDED) || (named(&["User"]) && takes_role)
}

/// A new user without a role is no change of roles.
fn created_without(step: &Step, role: &Value) -> bool {
    role.is_null() && matches!(step, Step::Create { .. })
}

fn is_conversion(step: &Step) -> bool {
    matches!(step, Step::Convert { .. })
}

fn is_literal(step: &Step) -> bool {
    let key = match step {
        Step::Upsert { value, .. } => value.contains(REFERENCE),
        _ => false,
    };
    key || step.fields().values().any(holds_reference)
}

/// Whether a Composite would put something else in the place of what is in this value.
pub(crate) fn holds_reference(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(REFERENCE),
        Value::Array(values) => values.iter().any(holds_reference),
        Value::Object(values) => values.values().any(holds_reference),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
