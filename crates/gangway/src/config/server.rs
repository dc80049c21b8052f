//! `[server]`: where Gangway listens and how it answers.

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

/// How many requests a second one client may send before it hears 429 (design: the security floor).
pub const REQUESTS_PER_SECOND: u32 = 200;
/// The proxies that are believed unless others are named: those on the same machine.
const TRUSTED_PROXIES: [&str; 2] = ["127.0.0.0/8", "::1"];
/// How long a caller waits for Salesforce at most. Identity tools give up after 30 s or more.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(25);

/// Where Gangway listens and how it answers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerSection {
    /// Address and port to listen on, such as `"127.0.0.1:8080"`. Gangway speaks plain HTTP: everywhere but on loopback
    /// put a proxy in front that ends TLS.
    pub listen: String,
    /// Address and port on which `/metrics` and `/usage` are served, such as `"127.0.0.1:9464"`; absent: nowhere. They
    /// name tenants, orgs and clients and ask for no token, so keep them inside.
    pub metrics_listen: Option<String>,
    /// How callers reach Gangway, such as `"https://scim.acme.example"`: what `meta.location` and `Location` start with.
    /// Without it the request's own `Host` is used.
    pub public_url: Option<String>,
    /// The proxies in front of Gangway, as addresses or networks such as `"10.0.0.0/8"`: whose word in `X-Forwarded-For` on
    /// where a caller is counts, for the limit on failed logins. Callers behind a proxy that is not named here share its
    /// address.
    #[serde(default = "trusted_proxies")]
    pub trusted_proxies: Vec<String>,
    /// How long a caller waits for Salesforce before it hears 503 and the change goes on without it.
    #[serde(default = "answer_within", deserialize_with = "super::duration")]
    #[schemars(with = "String", default = "answer_within_text")]
    pub answer_within: Duration,
    /// How many requests a second one client may send before it hears 429; 0 is no limit.
    #[serde(default = "requests_per_second")]
    pub requests_per_second: u32,
}

fn trusted_proxies() -> Vec<String> {
    TRUSTED_PROXIES.map(str::to_owned).to_vec()
}

fn answer_within() -> Duration {
    ANSWER_WITHIN
}

fn answer_within_text() -> String {
    format!("{}s", ANSWER_WITHIN.as_secs())
}

fn requests_per_second() -> u32 {
    REQUESTS_PER_SECOND
}

/// `[server]`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where to listen. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where to serve metrics. Port 0 takes any free one.
    pub metrics_listen: Option<SocketAddr>,
    /// How callers reach Gangway, without a slash at the end.
    pub public_url: Option<String>,
    /// Whose word on where a caller is counts.
    pub trusted_proxies: Vec<IpNet>,
    /// How long a caller waits for Salesforce.
    pub answer_within: Duration,
    /// How many requests a second one client may send; 0 is no limit.
    pub requests_per_second: u32,
}
