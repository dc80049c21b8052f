//! `gangway sim`: a simulated Salesforce org, alone.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use salesforce_sim::{Sim, SimConfig, SimError, TlsFiles};
use serde_json::json;

use super::{Failure, Output, asked_to_stop, chain, output};
use crate::{config::LogSection, logging};

/// What `sim` is told. The defaults of the secrets are no secrets, and are printed.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8081", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The consumer key of the app that may ask for tokens.
    #[arg(long, default_value = "simulated-client", value_name = "ID")]
    client_id: String,
    /// Its consumer secret.
    #[arg(long, default_value = "simulated-secret", value_name = "SECRET")]
    client_secret: String,
    /// The refresh token it has from the start.
    #[arg(long, default_value = "simulated-refresh-token", value_name = "TOKEN")]
    refresh_token: String,
    /// How long a call takes, such as 200ms.
    #[arg(long, default_value = "0ms", value_parser = duration, value_name = "TIME")]
    latency: Duration,
    /// How much longer for each record, such as 10ms.
    #[arg(long, default_value = "0ms", value_parser = duration, value_name = "TIME")]
    latency_per_record: Duration,
    /// The randomness: the same seed makes the same ids.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// What the org holds: profiles, licences, users, custom fields, switches (docs/simulated-org.md).
    #[arg(long, value_name = "FILE")]
    org_file: Option<PathBuf>,
    /// Speak HTTPS with this certificate (PEM), for programs that speak nothing else.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Allow listening on another address than loopback.
    #[arg(long)]
    allow_remote: bool,
    /// Let control calls (/_sim/...) in from elsewhere than loopback, with this bearer token.
    #[arg(long, value_name = "TOKEN")]
    control_token: Option<String>,
}

/// Runs the org until asked to stop.
pub(super) async fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    logging::start(&LogSection::for_commands()).map_err(Failure::Failed)?;
    let config = SimConfig {
        listen: arguments.listen,
        client_id: arguments.client_id.clone(),
        client_secret: arguments.client_secret.clone(),
        refresh_token: arguments.refresh_token.clone(),
        latency: arguments.latency,
        latency_per_record: arguments.latency_per_record,
        seed: arguments.seed,
        org_file: arguments.org_file,
        control_token: arguments.control_token,
        allow_remote: arguments.allow_remote,
        tls: arguments
            .tls_certificate
            .zip(arguments.tls_key)
            .map(|(certificate, key)| TlsFiles { certificate, key }),
        ..SimConfig::default()
    };
    let sim = start(config, "--listen").await?;
    let control = format!("{}/_sim", sim.url());
    match output {
        Output::Json => output::line(
            &json!({
                "org": sim.url(), "control": control, "clientId": arguments.client_id,
                "clientSecret": arguments.client_secret, "refreshToken": arguments.refresh_token,
            })
            .to_string(),
        ),
        Output::Table => {
            output::line(&format!("A simulated Salesforce org listens at {}", sim.url()));
            output::line(&format!("  client id      {}", arguments.client_id));
            output::line(&format!("  client secret  {}", arguments.client_secret));
            output::line(&format!("  refresh token  {}", arguments.refresh_token));
            output::line(&format!("  control        {control}/records/User, {control}/calls, ..."));
            output::line("Everything in it is gone when it stops: Ctrl-C.");
        }
    }
    asked_to_stop().await;
    sim.stop().await;
    Ok(())
}

/// Starts an org, and says which flag to change where its address cannot be had.
pub(super) async fn start(config: SimConfig, flag: &str) -> Result<Sim, Failure> {
    Sim::start(config).await.map_err(|error| {
        let help = match &error {
            SimError::Listen { .. } => format!("; choose another address with {flag}"),
            SimError::Remote(_) => "; add --allow-remote".to_owned(),
            SimError::OrgFile(_) | SimError::Tls(_) => String::new(),
        };
        Failure::Failed(format!("{}{help}", chain(&error)))
    })
}

/// Reads a time such as `200ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let signed: jiff::SignedDuration = text.parse().map_err(|error: jiff::Error| error.to_string())?;
    Duration::try_from(signed).map_err(|error| error.to_string())
}
