//! `[customers.<name>.environments.<name>.clients.oauth]`: what a client gets access tokens with.

use std::time::Duration;

use schemars::JsonSchema;
use scim_server::{OAuth, OAuthUser, PasswordHash};
use serde::Deserialize;

use super::{
    check::{Checker, TOKENS_PER_CLIENT, below},
    document::Place,
};

/// How long an access token of the token endpoint is good for, as Salesforce's sessions are by default.
const TOKEN_LIFE: Duration = Duration::from_hours(2);
/// Who steals an access token has it for so long at most.
const LONGEST_TOKEN_LIFE: Duration = Duration::from_hours(24);

/// What a client gets access tokens with: what a connector sends to Salesforce's own token endpoint.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OAuthSection {
    /// The `client_id` that the connector sends: any text; no two clients of an environment have the same.
    pub client_id: String,
    /// Argon2id hash of the `client_secret`; `gangway token password` makes one. Two may live at the same time. Without
    /// one a secret is not looked at, and the grant `client_credentials` is not possible.
    #[serde(default, deserialize_with = "super::secret::hashes")]
    pub client_secret_argon2: Vec<String>,
    /// Who may log in with the grant `password`: tables with `username` and `password-argon2`, a list of one or two hashes
    /// as `gangway token password` makes them.
    #[serde(default)]
    pub users: Vec<OAuthUserSection>,
    /// How long an access token is good for: at most a day. Without state: what ends tokens earlier is to take the
    /// client, its secret or the user's password out of the configuration.
    #[serde(default = "token_life", deserialize_with = "super::duration")]
    #[schemars(with = "String", default = "token_life_text")]
    pub token_life: Duration,
}

/// Who may log in with the grant `password`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OAuthUserSection {
    /// The `username` that the connector sends, in any case.
    pub username: String,
    /// Argon2id hash of the password; two may live at the same time.
    #[serde(deserialize_with = "super::secret::hashes")]
    pub password_argon2: Vec<String>,
}

fn token_life() -> Duration {
    TOKEN_LIFE
}

fn token_life_text() -> String {
    format!("{}h", TOKEN_LIFE.as_secs() / 3_600)
}

impl Checker<'_, '_> {
    /// Checks what a client gets access tokens with.
    pub(super) fn oauth(&mut self, at: &Place, section: &OAuthSection) -> Option<OAuth> {
        if section.client_id.trim().is_empty() {
            let help = "any text that the connector sends as its client id";
            self.refuse(&below(at, "client-id"), "the client id is empty", help);
        }
        if section.client_secret_argon2.is_empty() && section.users.is_empty() {
            let help =
                "add client-secret-argon2 for the grant client_credentials, users for the grant password";
            self.refuse(at, "nobody can log in: there is neither a secret nor a user", help);
        }
        if section.token_life.is_zero() || section.token_life > LONGEST_TOKEN_LIFE {
            let help = "the default is 2h";
            self.refuse(
                &below(at, "token-life"),
                "an access token lives for a day at most, and not for no time",
                help,
            );
        }
        let secrets =
            self.password_hashes(&below(at, "client-secret-argon2"), &section.client_secret_argon2, 0);
        let mut users: Vec<OAuthUser> = Vec::with_capacity(section.users.len());
        for (index, user) in section.users.iter().enumerate() {
            let mut at = below(at, "users");
            at.push(index.into());
            let is_same = |other: &OAuthUser| other.username.to_lowercase() == user.username.to_lowercase();
            if user.username.trim().is_empty() {
                self.refuse(&below(&at, "username"), "the username is empty", "");
            } else if users.iter().any(is_same) {
                let help = "one user may have two passwords while one replaces the other";
                self.refuse(&below(&at, "username"), "two users have the same username", help);
            }
            let passwords = self.password_hashes(&below(&at, "password-argon2"), &user.password_argon2, 1)?;
            users.push(OAuthUser { username: user.username.clone(), passwords });
        }
        let (client_id, token_life) = (section.client_id.clone(), section.token_life);
        Some(OAuth { client_id, secrets: secrets?, users, token_life })
    }

    /// The hashes of one secret: `least` to two of them.
    fn password_hashes(
        &mut self,
        place: &Place,
        texts: &[String],
        least: usize,
    ) -> Option<Vec<PasswordHash>> {
        const HELP: &str = "`gangway token password` prints the line that belongs here";
        if texts.len() < least || texts.len() > TOKENS_PER_CLIENT {
            let message = format!(
                "a secret has one hash, or two while one replaces the other; here are {}",
                texts.len()
            );
            self.refuse(place, &message, HELP);
        }
        let mut hashes = Vec::with_capacity(texts.len());
        for (index, text) in texts.iter().enumerate() {
            let mut at = place.clone();
            at.push(index.into());
            hashes.push(self.keep(&at, text.parse::<PasswordHash>(), HELP)?);
        }
        Some(hashes)
    }
}
