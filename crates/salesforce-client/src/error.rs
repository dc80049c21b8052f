use std::time::Duration;

use salesforce_types::{Refusal, StepOutcome, errors};

/// Why a call to an org brought no answer that can be used.
///
/// Its text holds no personal data: what Salesforce said in its own words is in the [`Refusal`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallError {
    /// It had no effect, certainly: it never left, or Salesforce could not take it now. A repeat is safe.
    #[error("{why}")]
    NotSent {
        /// For the log and the caller.
        why: String,
        /// How long to wait before asking again, where known.
        retry_after: Option<Duration>,
    },
    /// A write may have landed or not. Read back before anything is repeated. Reads never end so.
    #[error("it is not known whether Salesforce did it: {why}")]
    Unknown {
        /// For the log and the journal.
        why: String,
    },
    /// Salesforce said no, and will say it again.
    #[error("Salesforce refused it: {}", .0.code)]
    Refused(Refusal),
    /// Nothing goes to this org until a person has done something.
    #[error("the org is parked: {why}; {advice}")]
    Parked {
        /// What is wrong.
        why: String,
        /// What to do about it.
        advice: String,
    },
}

impl CallError {
    /// Whether the same call may succeed later without anyone changing anything, and may be repeated
    /// without asking first what became of it.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::NotSent { .. } => true,
            Self::Unknown { .. } | Self::Parked { .. } => false,
            Self::Refused(refusal) => matches!(
                errors::rule(&refusal.code, &refusal.message).retry,
                errors::Retry::Backoff | errors::Retry::BackoffLong
            ),
        }
    }

    pub(crate) fn not_sent(why: impl Into<String>) -> Self {
        Self::NotSent { why: why.into(), retry_after: None }
    }
}

/// A call for one step, told as the step's outcome.
impl From<CallError> for StepOutcome {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotSent { why, retry_after } => Self::NotSent { why, retry_after },
            CallError::Unknown { why } => Self::Unknown { why },
            CallError::Refused(refusal) => Self::Refused(refusal),
            CallError::Parked { .. } => {
                Self::NotSent { why: error.to_string(), retry_after: Some(crate::token::PARKED_FOR) }
            }
        }
    }
}
