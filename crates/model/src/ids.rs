use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes an id as it was stored or sent; nothing in it has a meaning.
            #[must_use]
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// The SCIM `id` of a resource: opaque, unguessable, the same for life.
    ResourceId
);
id!(
    /// The id of one accepted request.
    ChangeId
);
id!(
    /// The id of something only a person can decide.
    HoldId
);
id!(
    /// The id of something owed later.
    TaskId
);

/// Makes identifiers, and everything else that must not be guessed.
#[derive(Clone, Debug)]
pub struct Ids(Arc<Mutex<StdRng>>);

impl Ids {
    /// Seeded from the operating system.
    #[must_use]
    pub fn random() -> Self {
        Self(Arc::new(Mutex::new(StdRng::from_rng(&mut rand::rng()))))
    }

    /// The same ids in the same order for the same seed: for tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// An id for a new resource.
    #[must_use]
    pub fn resource(&self) -> ResourceId {
        ResourceId(self.uuid())
    }

    /// An id for a new change.
    #[must_use]
    pub fn change(&self) -> ChangeId {
        ChangeId(self.uuid())
    }

    /// An id for a new hold.
    #[must_use]
    pub fn hold(&self) -> HoldId {
        HoldId(self.uuid())
    }

    /// An id for a new task.
    #[must_use]
    pub fn task(&self) -> TaskId {
        TaskId(self.uuid())
    }

    /// 256 random bits, for a bearer token.
    #[must_use]
    pub fn token(&self) -> [u8; 32] {
        self.random_bytes()
    }

    /// A number from 0.0 to 1.0, for jitter.
    #[must_use]
    pub fn jitter(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }

    fn uuid(&self) -> String {
        uuid::Builder::from_random_bytes(self.random_bytes()).into_uuid().to_string()
    }

    fn random_bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_chance_does_not() {
        assert_eq!(Ids::seeded(7).resource(), Ids::seeded(7).resource());
        assert_ne!(Ids::random().resource(), Ids::random().resource());
        let ids = Ids::seeded(7);
        assert_ne!(ids.change(), ids.change());
        assert_eq!(ids.resource().as_str().len(), 36);
    }
}
