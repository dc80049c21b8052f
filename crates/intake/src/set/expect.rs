use std::time::Duration;

use jiff::SignedDuration;
use model::Timestamp;

use super::{Algorithm, Claims, Reason, Rejected};

/// How far ahead the source's clock may be by default.
pub const SKEW: Duration = Duration::from_mins(5);

/// How old a token may be by default: 25 hours in which a source tries again by itself, 7 days until somebody sends it again
/// by hand, and 25 hours more.
pub const MAX_AGE: Duration = Duration::from_hours(10 * 24);

/// What one source is expected to send.
///
/// The default allows what RFC 8417 and nearly every source agree on, from nobody and for nobody: `issuers` and `audiences`
/// have to be said.
#[derive(Clone, Debug, PartialEq)]
pub struct Expect {
    /// Which `iss` are this source, letter for letter.
    pub issuers: Vec<String>,
    /// Which `aud` are this address; one of the token's has to be among them. A slash at the end makes no difference.
    pub audiences: Vec<String>,
    /// What it may be signed with.
    pub algorithms: Vec<Algorithm>,
    /// Which `typ` it may have, without `application/` and in any case. It is what keeps an ID token, signed with the same
    /// key for the same audience, from passing as an event.
    pub types: Vec<String>,
    /// How far `iat` may be in the future.
    pub clock_skew: Duration,
    /// How far `iat` may be in the past.
    pub max_age: Duration,
    /// Whether `sub` may stand beside the events. Shared Signals forbid it, so that no access token passes as an event.
    pub allow_sub: bool,
    /// Whether `exp` may be there, and is then held. Shared Signals forbid it.
    pub allow_exp: bool,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            issuers: Vec::new(),
            audiences: Vec::new(),
            algorithms: vec![Algorithm::Rs256],
            types: vec!["secevent+jwt".to_owned()],
            clock_skew: SKEW,
            max_age: MAX_AGE,
            allow_sub: true,
            allow_exp: true,
        }
    }
}

impl Expect {
    pub(super) fn kind(&self, kind: Option<&str>) -> Result<(), Rejected> {
        let kind = kind.unwrap_or_default().to_ascii_lowercase();
        let kind = kind.strip_prefix("application/").unwrap_or(&kind);
        if self.types.iter().any(|expected| expected.eq_ignore_ascii_case(kind)) {
            return Ok(());
        }
        let expected = self.types.join(" or ");
        Err(Rejected::new(
            Reason::Kind,
            format!("this is no token of the expected kind: `typ` has to be {expected}"),
        ))
    }

    pub(super) fn algorithm(&self, name: &str) -> Result<Algorithm, Rejected> {
        let allowed = || {
            let names: Vec<_> = self.algorithms.iter().map(|algorithm| algorithm.name()).collect();
            let description = format!("the token's `alg` is not allowed here: {} is", names.join(" or "));
            Rejected::new(Reason::Algorithm, description)
        };
        let algorithm = name.parse().ok().filter(|algorithm| self.algorithms.contains(algorithm));
        algorithm.ok_or_else(allowed)
    }

    /// In the order in which a source is told: who, for whom, when, what.
    pub(super) fn claims(&self, claims: &Claims, now: Timestamp) -> Result<(), Rejected> {
        if !self.issuers.contains(&claims.iss) {
            return Err(Rejected::new(
                Reason::Issuer,
                "the token's `iss` is not one that this address accepts",
            ));
        }
        let ours = |audience: &String| {
            self.audiences.iter().any(|own| without_slash(own) == without_slash(audience))
        };
        if !claims.aud.iter().any(ours) {
            return Err(Rejected::new(Reason::Audience, "the token's `aud` does not name this address"));
        }
        self.time(claims, now)?;
        if claims.sub.is_some() && !self.allow_sub {
            return Err(Rejected::new(
                Reason::Claims,
                "`sub` must not stand beside the events: use `sub_id`",
            ));
        }
        if claims.exp.is_some() && !self.allow_exp {
            return Err(Rejected::new(Reason::Claims, "`exp` must not be in an event"));
        }
        Ok(())
    }

    fn time(&self, claims: &Claims, now: Timestamp) -> Result<(), Rejected> {
        let too_late = |description: &'static str| Err(Rejected::new(Reason::Time, description));
        let age = now.duration_since(claims.iat);
        if age > signed(self.max_age) {
            return too_late("the token is too old: its `iat` is longer ago than this address accepts");
        }
        if -age > signed(self.clock_skew) {
            return too_late(
                "the token comes from the future: its `iat` is later than now; compare the clocks",
            );
        }
        if claims.exp.is_some_and(|exp| exp <= now) {
            return too_late("the token has expired: its `exp` has passed");
        }
        Ok(())
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn without_slash(url: &str) -> &str {
    url.strip_suffix('/').unwrap_or(url)
}
