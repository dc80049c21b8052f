//! Apps: who may ask for tokens, and by which flows. Salesforce calls them connected apps and external
//! client apps.

use aws_lc_rs::constant_time;
use jsonwebtoken::DecodingKey;
use serde::{Deserialize, Serialize};

use super::{Refused, scope};
use crate::{SimConfig, ids::Id, org::Org};

/// An app, as an org file declares it under `[[apps]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct App {
    /// The consumer key.
    pub(crate) client_id: String,
    /// The consumer secret.
    #[serde(default)]
    pub(crate) client_secret: String,
    /// What `Sforce-Limit-Info` calls the app; without it the consumer key.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The callback URLs; `redirect_uri` must be one of them, to the letter.
    #[serde(default)]
    pub(crate) callbacks: Vec<String>,
    /// The certificate, or the public key, with which its assertions are verified: PEM.
    #[serde(default)]
    pub(crate) certificate: Option<String>,
    /// The username as whom client credentials act.
    #[serde(default)]
    pub(crate) run_as: Option<String>,
    /// The scopes it may ask for.
    #[serde(default = "scope::usual")]
    pub(crate) scopes: Vec<String>,
    /// The flows it may use; without it all.
    #[serde(default)]
    pub(crate) flows: Option<Vec<Flow>>,
    /// "Require Secret" for the web server flow and the refresh token flow.
    #[serde(default)]
    pub(crate) require_secret: bool,
    /// "Require Proof Key for Code Exchange (PKCE)".
    #[serde(default)]
    pub(crate) require_pkce: bool,
    /// "Admin approved users are pre-authorized", with the profiles that are. Without it users approve themselves.
    #[serde(default)]
    pub(crate) approved_profiles: Option<Vec<String>>,
    #[serde(default)]
    refresh_token_rotation: Option<bool>,
    #[serde(default)]
    refresh_token_policy: Option<RefreshPolicy>,
    #[serde(default)]
    refresh_token_seconds: Option<u64>,
}

/// A way to get a token, by its name in `grant_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Flow {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
    JwtBearer,
    Password,
}

impl Flow {
    /// The flow that a `grant_type` names.
    pub(super) fn of(grant_type: &str) -> Option<Self> {
        Some(match grant_type {
            "authorization_code" => Self::AuthorizationCode,
            "refresh_token" => Self::RefreshToken,
            "client_credentials" => Self::ClientCredentials,
            "urn:ietf:params:oauth:grant-type:jwt-bearer" => Self::JwtBearer,
            "password" => Self::Password,
            _ => return None,
        })
    }
}

/// When refresh tokens end, by the names of the Metadata API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RefreshPolicy {
    /// Valid until revoked.
    #[default]
    Infinite,
    /// Immediately expired: the first refresh fails.
    Zero,
    /// So long after the last use.
    Inactivity,
    /// So long after the authorization, however often it is rotated.
    SpecificLifetime,
}

impl RefreshPolicy {
    /// Whether a token has ended that was made and last used at these times.
    pub(super) fn has_ended(self, millis: i64, issued: i64, used: i64, now: i64) -> bool {
        match self {
            Self::Infinite => false,
            Self::Zero => true,
            Self::Inactivity => now - used >= millis,
            Self::SpecificLifetime => now - issued >= millis,
        }
    }
}

impl App {
    /// The app that an org is started with.
    pub(crate) fn configured(config: &SimConfig, run_as: Option<String>) -> Self {
        Self {
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            callbacks: config.callbacks.clone(),
            certificate: config.certificate.clone(),
            run_as,
            scopes: scope::usual(),
            ..Self::default()
        }
    }

    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.client_id)
    }

    pub(super) fn has_secret(&self, secret: &str) -> bool {
        constant_time::verify_slices_are_equal(secret.as_bytes(), self.client_secret.as_bytes()).is_ok()
    }

    pub(super) fn allows(&self, flow: Flow) -> bool {
        self.flows.as_ref().is_none_or(|flows| flows.contains(&flow))
    }

    /// The key of its certificate; `None` if it has none, or it is no PEM of an RSA key.
    pub(crate) fn key(&self) -> Option<DecodingKey> {
        DecodingKey::from_rsa_pem(self.certificate.as_ref()?.as_bytes()).ok()
    }

    pub(super) fn rotates(&self, org: &Org) -> bool {
        self.refresh_token_rotation.unwrap_or(org.switches.refresh_token_rotation)
    }

    /// The policy for its refresh tokens, and the time in milliseconds that belongs to it.
    pub(super) fn refresh_policy(&self, org: &Org) -> (RefreshPolicy, i64) {
        let policy = self.refresh_token_policy.unwrap_or(org.switches.refresh_token_policy);
        let seconds = self.refresh_token_seconds.or(org.switches.refresh_token_seconds).unwrap_or(YEAR);
        (policy, super::millis(seconds))
    }

    /// Whether an administrator lets this user in; `None` if users approve the app themselves.
    pub(super) fn admin_approves(&self, org: &Org, user: Id) -> Option<bool> {
        let profiles = self.approved_profiles.as_ref()?;
        let (users, table) = (org.table_of("User"), org.table_of("Profile"));
        let profile = users.get(user).and_then(|row| row.get(users.object.at("ProfileId")).as_id());
        let name = profile.and_then(|id| table.get(id)?.get(table.object.at("Name")).as_text());
        Some(name.is_some_and(|name| profiles.iter().any(|profile| profile.eq_ignore_ascii_case(name))))
    }
}

/// What newer apps have when they have an end at all.
const YEAR: u64 = 365 * 24 * 3_600;

/// The app with this consumer key.
pub(super) fn find<'a>(org: &'a Org, client_id: &str) -> Result<&'a App, Refused> {
    let app = org.apps.iter().find(|app| app.client_id == client_id);
    app.ok_or(Refused("invalid_client_id", "client identifier invalid"))
}
