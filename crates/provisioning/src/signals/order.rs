//! Which signal counts: by when what it tells has happened, whatever it calls the person.
//!
//! What locks somebody out is out of date when he was let in later, and the other way round. Two that lock him out are not each
//! other's: one that comes late still does what the newer one has not.

use jiff::SignedDuration;
use model::{OrgName, Timestamp};
use salesforce_types::RecordId;
use store::{StoreError, SubjectClock};

use super::{SignalAction, Work};
use crate::turns::Turn;

/// How far a source's clock may be ahead of ours. Nothing counts as newer than that.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// What was told of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// He is to be kept out.
    Out,
    /// He may come in.
    In,
    /// He was to be frozen, and was deactivated because he could not be.
    Deactivated,
}

impl Told {
    fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Deactivated => "deactivated",
        }
    }

    fn opposite(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out | Self::Deactivated => Self::In,
        }
    }
}

/// What a User is called here.
pub(super) fn named(org: &OrgName, user: &RecordId) -> String {
    format!("{org}/{user}")
}

impl Work<'_> {
    /// What the signal tells; none: it turns no lock.
    pub(super) fn tells(&self) -> Option<Told> {
        match self.signal.action {
            SignalAction::EndSessions => None,
            SignalAction::Freeze | SignalAction::Deactivate | SignalAction::Purge => Some(Told::Out),
            SignalAction::Unfreeze => Some(Told::In),
        }
    }

    /// The signals of a source about a User, one after the other: those under other names as well.
    pub(super) async fn signal_turn(&self, of: &str) -> Turn {
        let (tenant, source) = (&self.signal.tenant, &self.signal.source);
        self.inner.turns.enter(format!("signals {tenant}/{source}/{of}")).await
    }

    /// Whether the source has told the opposite since.
    pub(super) async fn is_out_of_date(&self, of: &str) -> Result<bool, StoreError> {
        let Some(tells) = self.tells() else { return Ok(false) };
        Ok(self.told(tells.opposite(), of).await?.is_some_and(|told| told > self.signal.happened))
    }

    /// Whether the source has told the same before, of the same moment or a later one: it is no new incident.
    pub(super) async fn is_repeated(&self, of: &str) -> Result<bool, StoreError> {
        let Some(tells) = self.tells() else { return Ok(false) };
        Ok(self.told(tells, of).await?.is_some_and(|told| told >= self.happened()))
    }

    /// When this was told last.
    pub(super) async fn told(&self, told: Told, of: &str) -> Result<Option<Timestamp>, StoreError> {
        let (tenant, source) = (&self.signal.tenant, &self.signal.source);
        let known = self.inner.store.subject(tenant, source, &clock(told, of)).await?;
        Ok(known.map(|known| known.happened))
    }

    /// It is done: what is older and says the opposite is out of date.
    pub(super) async fn remember(&self, told: Told, of: &str) -> Result<(), StoreError> {
        let clock = SubjectClock {
            subject: clock(told, of),
            happened: self.happened(),
            version: None,
            deleted: None,
        };
        let (tenant, source) = (&self.signal.tenant, &self.signal.source);
        self.inner.store.advance_subjects(tenant, source, vec![clock]).await
    }

    fn happened(&self) -> Timestamp {
        self.signal.happened.min(self.inner.clock.now() + SKEW)
    }
}

fn clock(told: Told, of: &str) -> String {
    format!("signals {} {of}", told.as_str())
}
