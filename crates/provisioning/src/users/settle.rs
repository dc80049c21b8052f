//! When a change ends without another round.
//!
//! Deciding after acting gives the empty plan. Where that can be told from the steps themselves nobody decides it a second
//! time: that would be a third of what a write costs. Whatever is not plain takes the ordinary way.

use planning::{Aim, Course, Origin, Steps};
use salesforce_types::Step;
use translation::Translation;

use super::{Progress, UserChange, act::Stage, round::Round};
use crate::wish::Wish;

/// Whether nothing is left to decide for a target once its step is done: there is no other step, nothing is awaited or left
/// out, and the record stays where it is.
pub(super) fn is_last(course: &Course<'_>, translation: Option<&Translation>, steps: &Steps) -> bool {
    let [planned] = steps.plan.steps.as_slice() else { return false };
    let target = course.place.target;
    let is_end = match (&course.aim, &planned.step) {
        (Aim::Leave(_), Step::Update { .. } | Step::Delete { .. }) => true,
        (Aim::Hold(Origin::Linked(link)), Step::Update { .. }) => link.target == target.name,
        // What is written into a record that is there already comes next.
        (Aim::Hold(Origin::Unknown(_)), Step::Create { .. } | Step::Upsert { .. }) => {
            // What follows from a record that is made by its external id comes when its id is known.
            let follows = target.object == "User" && matches!(planned.step, Step::Upsert { .. });
            !follows && !target.has_rules_for_updates()
        }
        _ => false,
    };
    let is_whole =
        |translation: &Translation| translation.awaited.is_empty() && translation.refusals.is_empty();
    is_end && !steps.left_out && !steps.more && translation.is_none_or(is_whole)
}

impl UserChange {
    /// Whether another round would find nothing to do, now that every step of the stage is done: each record of the identity
    /// had its last one.
    pub(super) fn is_settled(&self, round: &Round<'_>, stage: &Stage, progress: &Progress) -> bool {
        !matches!(self.wish, Wish::Keep)
            && progress.failed.is_empty()
            && stage.waits.is_empty()
            && stage.chosen.len() == round.courses.len()
            && stage.chosen.iter().all(|chosen| chosen.is_last)
    }

    /// The round that was left out, decided after all: every test of a debug build is a test of the law.
    #[cfg(debug_assertions)]
    pub(super) async fn assert_settled(&self, round: &Round<'_>, stage: &Stage, progress: &mut Progress) {
        let wanted = round.turnover.wanted.as_ref();
        // Records of others may have changed meanwhile.
        let refers = |user| round.bounds.iter().any(|bound| !bound.target.references(user).is_empty());
        if wanted.is_some_and(refers) {
            return;
        }
        let links = progress.links(&round.turnover.links);
        let (landed, ledger) = (progress.landed.clone(), progress.ledger.clone());
        let decided = self.stage(round.bounds, round.turnover, &links, progress).await;
        // The org may be away by now.
        let failed = std::mem::take(&mut progress.failed);
        let (Ok((again, _)), true) = (decided, failed.is_empty()) else { return };
        assert!(again.chosen.is_empty(), "deciding after acting gave {:?}", again.chosen);
        assert!(again.followers.is_empty(), "deciding after acting gave {:?}", again.followers);
        assert_eq!(progress.ledger, ledger, "deciding after acting has learnt of grants");
        assert!(again.adopted.is_empty() && again.waits.is_empty() && again.awaited.is_empty(), "{again:?}");
        assert_eq!(progress.landed, landed, "deciding after acting has learnt something");
        let is_told = |note: &(model::TargetName, translation::Note)| {
            // What a default has filled in a new record is kept from then on.
            note.1.code == translation::NoteCode::ValueKept
                || progress.said.contains(note)
                || stage.notes.contains(note)
        };
        assert!(again.notes.iter().all(is_told), "{:?} is not told", again.notes);
    }
}
