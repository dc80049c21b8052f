//! `/services/oauth2/token`: access tokens for connectors that can only log in as they do to Salesforce.
//!
//! | file | what it holds |
//! |---|---|
//! | `token.rs` | the endpoint: grants, answers and errors |
//! | `parameters.rs` | what a request says, in its body, its query and its `Authorization` header |
//! | `password.rs` | secrets that people choose, checked against Argon2id |
//! | `access_token.rs` | the tokens: made, and recognised again |
//!
//! A client's OAuth credentials and its tokens of `gangway token new` are two ways to be the same client.

use std::time::Duration;

mod access_token;
mod parameters;
mod password;
mod token;

pub use password::{InvalidPasswordHash, PasswordHash};

pub(crate) use access_token::{AccessToken, Credentials, Signer};
pub(crate) use token::{Desk, Endpoint};

/// The credentials with which a client gets access tokens.
#[derive(Clone, Debug)]
pub struct OAuth {
    /// The `client_id`: public, unique within the tenant.
    pub client_id: String,
    /// The `client_secret`, or two of them while one replaces the other. None: a `client_secret` is not looked at, and
    /// the grant `client_credentials` is not possible.
    pub secrets: Vec<PasswordHash>,
    /// Who may log in with the grant `password`.
    pub users: Vec<OAuthUser>,
    /// How long an access token is good for.
    pub token_life: Duration,
}

/// A user name with its password.
#[derive(Clone, Debug)]
pub struct OAuthUser {
    /// Compared without regard to case, as Salesforce does.
    pub username: String,
    /// The password, or two of them while one replaces the other.
    pub passwords: Vec<PasswordHash>,
}

impl OAuth {
    /// The user of this name.
    pub(crate) fn user(&self, username: &str) -> Option<&OAuthUser> {
        let folded = username.to_lowercase();
        self.users.iter().find(|user| user.username.to_lowercase() == folded)
    }
}
