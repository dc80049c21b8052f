use serde::{Deserialize, Serialize};

/// How far a change has come. `Recorded` and `Withdrawn` are its two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeState {
    /// The request is durable; nothing has been decided.
    Accepted,
    /// Request and plan are durable; steps may have reached Salesforce.
    Planned,
    /// What landed is in the directory.
    Recorded,
    /// Nothing landed and nothing is kept.
    Withdrawn,
}

impl ChangeState {
    /// The word in the store and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Planned => "planned",
            Self::Recorded => "recorded",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether somebody still has to finish the change.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Accepted | Self::Planned)
    }
}
