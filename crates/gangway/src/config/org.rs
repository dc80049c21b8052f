//! `[orgs.<name>]`: a Salesforce org and how to get in.

use std::{num::NonZeroUsize, time::Duration};

use model::OrgName;
use salesforce_client::{Flow, OrgConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::secret::Secret;

/// The version of the REST API that Gangway is tested with (Spring '26).
const API_VERSION: &str = "66.0";

/// A Salesforce org and how to get in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OrgSection {
    /// The org's My Domain address, such as `"https://acme.my.salesforce.com"`. `http` only on loopback, where it means a
    /// simulated org.
    pub url: String,
    /// How Gangway gets its access tokens.
    #[serde(default)]
    pub flow: FlowName,
    /// The consumer key of the connected app (or external client app).
    pub client_id: String,
    /// The consumer secret. `client-credentials` needs it; `refresh-token` does where the app says so.
    pub client_secret: Option<Secret>,
    /// For `refresh-token`: the first refresh token, where there is one already; `gangway connect` gets one too. It is read
    /// at the first start only; later ones live encrypted in the store.
    pub refresh_token: Option<Secret>,
    /// For `jwt-bearer`: the `Username` of the Salesforce user that Gangway acts as.
    pub username: Option<String>,
    /// For `jwt-bearer`: the RSA private key, in PEM and without a passphrase, whose certificate the app has.
    pub private_key: Option<Secret>,
    /// For `jwt-bearer`: whom the assertion is for. Without it `"https://test.salesforce.com"` for a sandbox and
    /// `"https://login.salesforce.com"` for all others; the My Domain address is taken too.
    pub audience: Option<String>,
    /// A refresh token that was not used for so long is used, because Salesforce may end idle ones (the app's Refresh Token
    /// Policy). Well below the policy's time; once a day by default.
    #[serde(default = "keep_alive", deserialize_with = "super::duration")]
    #[schemars(with = "String", default = "keep_alive_text")]
    pub keep_alive: Duration,
    /// When the org has fewer API calls left for the day than this, only changes that take access away go out, so that
    /// other integrations keep theirs.
    #[serde(default)]
    pub reserve_calls: u64,
    /// The version of Salesforce's REST API, such as `"66.0"`.
    #[serde(default = "api_version")]
    pub api_version: String,
    /// How long one call may take.
    #[serde(default = "call_timeout", deserialize_with = "super::duration")]
    #[schemars(with = "String", default = "call_timeout_text")]
    pub call_timeout: Duration,
    /// How many calls that write may be under way at once; a crowd shares them. More make each call smaller: answers
    /// come sooner, and cost more API calls. Salesforce allows 25 that take longer than 20 s.
    #[serde(default = "max_in_flight")]
    pub max_in_flight: NonZeroUsize,
}

fn api_version() -> String {
    API_VERSION.to_owned()
}

fn call_timeout() -> Duration {
    Duration::from_mins(1)
}

fn call_timeout_text() -> String {
    "60s".to_owned()
}

fn keep_alive() -> Duration {
    Duration::from_hours(24)
}

fn keep_alive_text() -> String {
    "24h".to_owned()
}

fn max_in_flight() -> NonZeroUsize {
    NonZeroUsize::new(4).expect("the default is not zero")
}

/// How Gangway gets its access tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlowName {
    /// A user has signed in once (`gangway connect`) and let Gangway act for them.
    #[default]
    RefreshToken,
    /// The app itself acts, as the user that the app names.
    ClientCredentials,
    /// The app acts as a user who is pre-authorized for it, and proves itself by a key.
    JwtBearer,
}

impl FlowName {
    /// As the configuration writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RefreshToken => "refresh-token",
            Self::ClientCredentials => "client-credentials",
            Self::JwtBearer => "jwt-bearer",
        }
    }
}

/// `[orgs.<name>]`, checked, its secrets read.
#[derive(Clone, Debug)]
pub struct OrgSettings {
    /// Its name.
    pub name: OrgName,
    /// Its address.
    pub url: Url,
    /// How to get in.
    pub flow: FlowName,
    /// The same, with all that it needs.
    pub login: Flow,
    /// The calls that only changes taking access away may use.
    pub reserve_calls: u64,
    /// `66.0`.
    pub api_version: String,
    /// How long one call may take.
    pub call_timeout: Duration,
    /// How many calls may be under way at once.
    pub max_in_flight: usize,
    /// How long a refresh token may go unused.
    pub keep_alive: Duration,
}

impl OrgSettings {
    /// Whether this is a simulated org: nothing else is reached without TLS.
    #[must_use]
    pub fn simulated(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// What the client is told.
    #[must_use]
    pub fn client_config(&self) -> OrgConfig {
        OrgConfig {
            name: self.name.clone(),
            url: self.url.clone(),
            flow: self.login.clone(),
            api_version: format!("v{}", self.api_version),
            reserve_calls: self.reserve_calls,
            call_timeout: self.call_timeout,
            max_in_flight: self.max_in_flight,
            keep_alive: self.keep_alive,
        }
    }

    /// Whether a client made for `other` would behave the same: a reload then keeps it, with its token and catalogue.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.name == other.name
            && self.url == other.url
            && self.login == other.login
            && self.reserve_calls == other.reserve_calls
            && self.api_version == other.api_version
            && self.call_timeout == other.call_timeout
            && self.max_in_flight == other.max_in_flight
            && self.keep_alive == other.keep_alive
    }
}

/// Whom an assertion is for, where nobody has said: the login host of the kind of org.
pub(super) fn audience(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let sandbox = host == "test.salesforce.com" || host.ends_with(".sandbox.my.salesforce.com");
    if sandbox { "https://test.salesforce.com" } else { "https://login.salesforce.com" }.to_owned()
}
