//! Secrets that people choose: known here only by their Argon2id hash.
//!
//! A check costs tens of milliseconds and 19 MiB, which is the point of it. `HelloID` logs in anew for every action, so
//! what was found right is remembered for some minutes, and few checks run at the same time.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argon2::{
    Argon2, PasswordHasher, PasswordVerifier,
    password_hash::{PasswordHash as Phc, SaltString},
};
use aws_lc_rs::hmac;
use model::{Ids, Timestamp};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinError,
};

/// Checks at the same time: 40 MiB, and two cores at most, whatever is asked.
const AT_ONCE: usize = 2;
/// How long a check waits for its turn. A queue that takes longer would be answered after its callers have gone.
const WAIT: Duration = Duration::from_secs(5);
/// How long a password that was right is known to be. Taking its hash out of the configuration is felt at once all the
/// same: without the hash nothing is asked.
const REMEMBERED: Duration = Duration::from_mins(5);
/// Hashes of one secret at most: the old one and the new one. A failure always costs this many checks.
pub(super) const LIVING: usize = 2;
/// The least that guessing has to cost: KiB times passes, which is OWASP's minimum for each of its parameter sets.
const LEAST_COST: u64 = 35 * 1024;
/// The most that one check may cost: more would be a way to stop the gateway.
const MOST_MEMORY: u32 = 256 * 1024;
const MOST_PASSES: u32 = 16;

/// The Argon2id hash of a password or a client secret, in PHC form: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PasswordHash(Arc<str>);

/// Why a text is no hash that is taken. The text is not repeated: somebody may have written the password itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidPasswordHash {
    /// No Argon2id hash in PHC form.
    Malformed,
    /// Guessing is too cheap.
    Weak,
    /// Checking is too expensive.
    Costly,
}

impl fmt::Display for InvalidPasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "this is not an Argon2id hash: $argon2id$v=19$m=…,t=…,p=…$salt$hash",
            Self::Weak => "this hash is too cheap to guess: memory times passes has to be 35 MiB or more",
            Self::Costly => "this hash is too expensive to check: at most 256 MiB and 16 passes",
        })
    }
}

impl std::error::Error for InvalidPasswordHash {}

impl FromStr for PasswordHash {
    type Err = InvalidPasswordHash;

    fn from_str(text: &str) -> Result<Self, InvalidPasswordHash> {
        let hash = Phc::new(text).map_err(|_| InvalidPasswordHash::Malformed)?;
        let parameters = argon2::Params::try_from(&hash).map_err(|_| InvalidPasswordHash::Malformed)?;
        let is_whole = hash.salt.is_some() && hash.hash.is_some();
        if hash.algorithm != argon2::ARGON2ID_IDENT || hash.version != Some(19) || !is_whole {
            return Err(InvalidPasswordHash::Malformed);
        }
        if u64::from(parameters.m_cost()) * u64::from(parameters.t_cost()) < LEAST_COST {
            return Err(InvalidPasswordHash::Weak);
        }
        if parameters.m_cost() > MOST_MEMORY || parameters.t_cost() > MOST_PASSES {
            return Err(InvalidPasswordHash::Costly);
        }
        Ok(Self(Arc::from(text)))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl PasswordHash {
    /// Hashes a password with a salt of its own.
    ///
    /// # Panics
    ///
    /// Never for passwords shorter than 4 GiB.
    #[must_use]
    pub fn of(password: &str, ids: &Ids) -> Self {
        let salt = SaltString::encode_b64(&ids.token()[..16]).expect("16 bytes are a salt");
        let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
        Self(Arc::from(hash.expect("the default parameters are sound").to_string()))
    }

    /// The PHC form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn matches(&self, password: &str) -> bool {
        // What was parsed once is parsed again.
        Phc::new(&self.0)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    }
}

/// No turn to check a password came in time, or the gateway stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

/// Checks passwords, a few at a time, and remembers for a while which were right.
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    remembered: Mutex<HashMap<[u8; 32], Timestamp>>,
    /// Of this process alone, so that what is remembered cannot be tried elsewhere.
    key: hmac::Key,
}

/// The right to check passwords, which few have at the same time.
pub(super) struct Turn(OwnedSemaphorePermit);

impl Passwords {
    pub fn new(ids: &Ids) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            remembered: Mutex::default(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &ids.token()),
        }
    }

    /// Which of the hashes is the password's, if it was found right not long ago. Costs no Argon2.
    pub fn remembered(
        &self,
        hashes: &[PasswordHash],
        password: &str,
        now: Timestamp,
    ) -> Option<PasswordHash> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = |hash: &&PasswordHash| {
            remembered.get(&self.name(hash, password)).is_some_and(|until| now < *until)
        };
        hashes.iter().find(is_known).cloned()
    }

    /// Waits for a turn.
    pub async fn turn(&self) -> Result<Turn, Busy> {
        match tokio::time::timeout(WAIT, Arc::clone(&self.turns).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Turn(permit)),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }

    /// Which of the hashes is the password's. Where none is, it takes as long as if `decoy` had been asked in their place:
    /// who does not exist is not told from who does by the time it takes.
    pub async fn check(
        &self,
        Turn(permit): Turn,
        hashes: &[PasswordHash],
        decoy: Option<&PasswordHash>,
        password: &str,
        now: Timestamp,
    ) -> Result<(Turn, Option<PasswordHash>), Busy> {
        // Somebody else may have asked the same while this one waited.
        if let Some(hash) = self.remembered(hashes, password, now) {
            return Ok((Turn(permit), Some(hash)));
        }
        let (asked, secret) = (hashes.to_vec(), password.to_owned());
        let decoys: Vec<_> =
            decoy.into_iter().cycle().take(LIVING.saturating_sub(asked.len())).cloned().collect();
        // The turn goes along: when the caller hangs up, the check goes on and still counts.
        let checked = tokio::task::spawn_blocking(move || {
            let found = asked.into_iter().find(|hash| hash.matches(&secret));
            if found.is_none() {
                for decoy in decoys {
                    std::hint::black_box(decoy.matches(&secret));
                }
            }
            (permit, found)
        });
        let (permit, found) = match checked.await.map_err(JoinError::try_into_panic) {
            Ok(done) => done,
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            // The gateway stops.
            Err(Err(_)) => return Err(Busy),
        };
        if let Some(hash) = &found {
            self.remember(hash, password, now);
        }
        Ok((Turn(permit), found))
    }

    fn remember(&self, hash: &PasswordHash, password: &str, now: Timestamp) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        // One entry for each configured hash, because nobody finds a second password for one.
        remembered.retain(|_, until| now < *until);
        remembered.insert(self.name(hash, password), now + REMEMBERED);
    }

    fn name(&self, hash: &PasswordHash, password: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [hash.as_str(), password] {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut name = [0; 32];
        name.copy_from_slice(context.sign().as_ref());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    async fn checked(passwords: &Passwords, hashes: &[PasswordHash], password: &str) -> Option<PasswordHash> {
        let turn = passwords.turn().await.unwrap();
        passwords.check(turn, hashes, None, password, now()).await.unwrap().1
    }

    #[test]
    fn a_hash_is_read_and_never_shown() {
        let hash = PasswordHash::of("Winter!2026", &Ids::seeded(1));
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(hash.as_str().parse(), Ok(hash.clone()));
        assert!(hash.matches("Winter!2026") && !hash.matches("winter!2026") && !hash.matches(""));
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
        assert_ne!(hash, PasswordHash::of("Winter!2026", &Ids::seeded(2)), "each has a salt of its own");
    }

    #[test]
    fn what_is_no_hash_is_too_cheap_or_too_expensive_is_refused() {
        let with = |parameters: &str| {
            format!(
                "$argon2id$v=19${parameters}$c29tZXNhbHRzb21l$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
            )
        };
        for (text, expected) in [
            (with("m=19456,t=2,p=1"), Ok(())),
            (with("m=47104,t=1,p=1"), Ok(())),
            (with("m=7168,t=5,p=1"), Ok(())),
            (with("m=19456,t=1,p=1"), Err(InvalidPasswordHash::Weak)),
            (with("m=8,t=16,p=1"), Err(InvalidPasswordHash::Weak)),
            (with("m=1048576,t=3,p=1"), Err(InvalidPasswordHash::Costly)),
            (with("m=65536,t=100,p=1"), Err(InvalidPasswordHash::Costly)),
            (with("m=19456,t=2,p=1").replace("argon2id", "argon2i"), Err(InvalidPasswordHash::Malformed)),
            (with("m=19456,t=2,p=1").replace("v=19$", "v=16$"), Err(InvalidPasswordHash::Malformed)),
            ("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21l".into(), Err(InvalidPasswordHash::Malformed)),
            ("$2b$12$abcdefghijklmnopqrstuv".into(), Err(InvalidPasswordHash::Malformed)),
            ("Winter!2026".into(), Err(InvalidPasswordHash::Malformed)),
            (String::new(), Err(InvalidPasswordHash::Malformed)),
        ] {
            assert_eq!(text.parse::<PasswordHash>().map(drop), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn either_of_two_passwords_is_right_and_the_answer_says_which() {
        let ids = Ids::seeded(3);
        let passwords = Passwords::new(&ids);
        let hashes = [PasswordHash::of("old", &ids), PasswordHash::of("new", &ids)];
        assert_eq!(checked(&passwords, &hashes, "old").await.as_ref(), Some(&hashes[0]));
        assert_eq!(checked(&passwords, &hashes, "new").await.as_ref(), Some(&hashes[1]));
        assert_eq!(checked(&passwords, &hashes, "other").await, None);
        assert_eq!(checked(&passwords, &[], "old").await, None);
    }

    #[tokio::test]
    async fn a_password_that_was_right_is_remembered_for_some_minutes_for_its_hash_alone() {
        let ids = Ids::seeded(4);
        let passwords = Passwords::new(&ids);
        let hashes = [PasswordHash::of("right", &ids)];
        assert_eq!(passwords.remembered(&hashes, "right", now()), None);
        assert!(checked(&passwords, &hashes, "right").await.is_some());
        assert!(checked(&passwords, &hashes, "wrong").await.is_none());
        let soon = now() + REMEMBERED - Duration::from_secs(1);
        assert!(passwords.remembered(&hashes, "right", soon).is_some());
        assert_eq!(passwords.remembered(&hashes, "right", now() + REMEMBERED), None);
        assert_eq!(passwords.remembered(&hashes, "wrong", soon), None);
        assert_eq!(passwords.remembered(&[PasswordHash::of("right", &ids)], "right", soon), None);
        assert_eq!(passwords.remembered(&[], "right", soon), None);
    }

    #[tokio::test]
    async fn the_decoys_own_password_opens_nothing() {
        let ids = Ids::seeded(5);
        let passwords = Passwords::new(&ids);
        let decoy = PasswordHash::of("known", &ids);
        let turn = passwords.turn().await.unwrap();
        assert_eq!(passwords.check(turn, &[], Some(&decoy), "known", now()).await.unwrap().1, None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_for_a_turn_is_told_so() {
        let passwords = Passwords::new(&Ids::seeded(6));
        let held = (passwords.turn().await.unwrap(), passwords.turn().await.unwrap());
        assert!(matches!(passwords.turn().await, Err(Busy)));
        drop(held);
        assert!(passwords.turn().await.is_ok());
    }
}
