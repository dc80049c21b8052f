//! What the vault keeps of an org's tokens: one value, replaced as a whole.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use url::Url;

use crate::VaultError;

/// How long a session may live without being used (Salesforce Help, "Modify Session Security Settings"): 15 minutes at least,
/// 24 hours at most.
pub(super) const SHORTEST_SESSION: Duration = Duration::from_mins(15);
pub(super) const LONGEST_SESSION: Duration = Duration::from_hours(24);

/// A token that cannot be printed. Only the vault, which encrypts, is given it as text.
#[derive(Clone)]
pub(super) struct Token(SecretString);

impl Token {
    pub(super) fn new(text: &str) -> Self {
        Self(SecretString::from(text))
    }

    pub(super) fn secret(&self) -> &SecretString {
        &self.0
    }

    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // An error of serde would quote what it did not like.
        let text = String::deserialize(deserializer).map_err(|_| D::Error::custom("a token is no text"))?;
        Ok(Self(SecretString::from(text)))
    }
}

/// All tokens of an org.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Grant {
    /// The refresh token in force, where the flow has one.
    pub(super) refresh: Option<Refresh>,
    /// A refresh that was begun and whose end nobody has written down.
    pub(super) begun: Option<Begun>,
    /// The newest access token, shared by all processes: none of them has to refresh for itself.
    pub(super) access: Option<Access>,
}

/// A refresh token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Refresh {
    pub(super) token: Token,
    /// The one that it replaced, until it has worked.
    pub(super) previous: Option<Token>,
    /// When it was got, or last used: the org's idle window runs from then.
    pub(super) used: Option<Timestamp>,
    /// The configured token that all this came from. Rotated away, it is never used again.
    pub(super) spent: Option<Token>,
}

impl Refresh {
    /// One that nothing is known of.
    pub(super) fn bare(token: &SecretString) -> Self {
        Self { token: Token(token.clone()), previous: None, used: None, spent: None }
    }
}

/// A refresh under way. Written before the request leaves, so that a process that finds it knows that the token
/// may be used up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) with: Token,
    pub(super) at: Timestamp,
}

/// An access token, with what came with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Access {
    pub(super) token: Token,
    pub(super) instance: Url,
    pub(super) identity: Option<String>,
    pub(super) issued: Timestamp,
    /// A digest of the credentials it was got with. Other credentials may be another user's.
    pub(super) credentials: String,
}

impl Grant {
    /// Reads what the vault kept: this, or a bare refresh token.
    pub(super) fn read(kept: &SecretString) -> Result<Self, VaultError> {
        let text = kept.expose_secret();
        if text.starts_with('{') {
            // The parser's words may quote a token.
            return serde_json::from_str(text)
                .map_err(|_| VaultError("it holds something that is no grant".to_owned()));
        }
        Ok(Self { refresh: Some(Refresh::bare(kept)), ..Self::default() })
    }

    /// For the vault.
    pub(super) fn write(&self) -> Result<SecretString, VaultError> {
        let text = serde_json::to_string(self)
            .map_err(|_| VaultError("the grant cannot be written as JSON".to_owned()))?;
        Ok(SecretString::from(text))
    }

    /// The refresh token in force.
    pub(super) fn token(&self) -> Option<&Token> {
        self.refresh.as_ref().map(|refresh| &refresh.token)
    }

    /// The refresh token to try next: the one in force; the one before it, if the new one never worked; one that the
    /// configuration has and that was not rotated away. None of them is tried twice.
    pub(super) fn candidate(&self, configured: Option<&SecretString>, tried: &[Token]) -> Option<Token> {
        let refresh = self.refresh.as_ref();
        let current = refresh.map(|refresh| refresh.token.clone());
        let previous = refresh.and_then(|refresh| refresh.previous.clone());
        let spent = refresh.and_then(|refresh| refresh.spent.as_ref());
        let configured = configured.cloned().map(Token).filter(|token| spent != Some(token));
        [current, previous, configured].into_iter().flatten().find(|token| !tried.contains(token))
    }

    /// An earlier refresh with this token was begun, and nobody has written down how it ended.
    pub(super) fn is_in_doubt(&self, token: &Token) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.with == *token)
    }

    /// The grant after a refresh.
    pub(super) fn refreshed(
        &self,
        used: &Token,
        rotated: Option<Token>,
        configured: Option<&SecretString>,
        access: Option<Access>,
        now: Timestamp,
    ) -> Self {
        let before = self.refresh.as_ref();
        let spent = before.and_then(|refresh| refresh.spent.clone());
        let refresh = match rotated.filter(|token| token != used) {
            Some(token) => Refresh {
                token,
                previous: Some(used.clone()),
                used: Some(now),
                spent: configured.cloned().map(Token).filter(|token| token == used).or(spent),
            },
            // A token that has just worked needs no predecessor.
            None => Refresh { token: used.clone(), previous: None, used: Some(now), spent },
        };
        Self { refresh: Some(refresh), begun: None, access }
    }

    /// The access token, if it is one of these credentials and not older than this.
    pub(super) fn access(&self, credentials: &str, age: Duration, now: Timestamp) -> Option<&Access> {
        let access = self.access.as_ref().filter(|access| access.credentials == credentials)?;
        let ends = access.issued.saturating_add(age).unwrap_or(Timestamp::MAX);
        (ends > now).then_some(access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn access(issued: i64) -> Access {
        Access {
            token: Token::new("00D!access"),
            instance: "https://acme.my.salesforce.com".parse().unwrap(),
            identity: None,
            issued: at(issued),
            credentials: "mine".to_owned(),
        }
    }

    fn candidates(grant: &Grant, configured: Option<&str>) -> Vec<String> {
        let configured = configured.map(SecretString::from);
        let mut tried = Vec::new();
        while let Some(token) = grant.candidate(configured.as_ref(), &tried) {
            tried.push(token);
        }
        tried.iter().map(|token| token.expose().to_owned()).collect()
    }

    #[test]
    fn a_grant_is_read_back_and_a_bare_token_is_one() {
        let first = Grant::read(&SecretString::from("5Aep861")).unwrap();
        assert_eq!(first, Grant { refresh: Some(Refresh::bare(&"5Aep861".into())), ..Grant::default() });
        let begun = Begun { with: Token::new("5Aep861"), at: at(1) };
        let grant = Grant { begun: Some(begun), access: Some(access(2)), ..first };
        assert_eq!(Grant::read(&grant.write().unwrap()).unwrap(), grant);
    }

    #[test]
    fn neither_an_error_nor_debug_output_shows_a_token() {
        for text in [r#"{"refresh": "5Aep861"}"#, r#"{"refresh": {"token": ["5Aep861"]}}"#, "{5Aep861"] {
            let error = Grant::read(&SecretString::from(text)).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("5Aep861"), "{error}");
        }
        let grant = Grant::read(&"5Aep861".into()).unwrap();
        let grant = grant.refreshed(
            &Token::new("5Aep861"),
            Some(Token::new("5Aep862")),
            None,
            Some(access(1)),
            at(1),
        );
        let printed = format!("{grant:?}");
        assert!(!printed.contains("5Aep") && !printed.contains("00D!"), "{printed}");
    }

    #[test]
    fn the_token_before_is_kept_until_the_new_one_has_worked() {
        let first = Token::new("first");
        let grant =
            Grant::default().refreshed(&first, Some(Token::new("second")), None, Some(access(1)), at(1));
        assert_eq!(candidates(&grant, None), ["second", "first"]);
        let same = grant.refreshed(&Token::new("second"), None, None, Some(access(2)), at(2));
        assert_eq!(candidates(&same, None), ["second"]);
        let third =
            grant.refreshed(&Token::new("second"), Some(Token::new("third")), None, Some(access(2)), at(2));
        assert_eq!(candidates(&third, None), ["third", "second"]);
    }

    #[test]
    fn a_configured_token_that_was_rotated_away_is_not_used_again() {
        let configured = SecretString::from("first");
        let first = Token::new("first");
        let second = Grant::default().refreshed(
            &first,
            Some(Token::new("second")),
            Some(&configured),
            Some(access(1)),
            at(1),
        );
        let third = second.refreshed(
            &Token::new("second"),
            Some(Token::new("third")),
            Some(&configured),
            Some(access(2)),
            at(2),
        );
        assert_eq!(candidates(&third, Some("first")), ["third", "second"]);
        assert_eq!(candidates(&third, Some("new")), ["third", "second", "new"]);
    }

    #[test]
    fn an_access_token_of_other_credentials_or_too_old_is_no_use() {
        let grant = Grant { access: Some(access(100)), ..Grant::default() };
        assert!(grant.access("mine", LONGEST_SESSION, at(100)).is_some());
        assert!(grant.access("other", LONGEST_SESSION, at(100)).is_none());
        assert!(grant.access("mine", LONGEST_SESSION, at(100 + 24 * 3600)).is_none());
    }
}
