//! The client's side of a simulated org, without a gateway around it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use model::{Clock, OrgName, Timestamp};
use salesforce_client::{Flow, Org, OrgConfig, Saved, TokenVault, VaultError};
use salesforce_sim::Sim;
use secrecy::SecretString;

use crate::Failure;

/// A connection to a simulated org, with so many calls at once.
pub fn connect(sim: &Sim, max_in_flight: usize) -> Result<Org, Failure> {
    let config = OrgConfig {
        name: OrgName::new("bench")?,
        url: sim.url().parse()?,
        flow: Flow::RefreshToken {
            client_id: "simulated-client".into(),
            client_secret: Some("simulated-secret".into()),
            refresh_token: Some("simulated-refresh-token".into()),
        },
        api_version: "v66.0".into(),
        reserve_calls: 0,
        call_timeout: Duration::from_mins(1),
        max_in_flight,
        keep_alive: Duration::from_hours(24),
    };
    Ok(Org::new(config, Arc::new(Forgetful), Clock::system()))
}

/// The refresh token is in the configuration, and is never rotated here.
struct Forgetful;

#[async_trait]
impl TokenVault for Forgetful {
    async fn load(&self, _: &OrgName) -> Result<Option<Saved>, VaultError> {
        Ok(None)
    }

    async fn replace(&self, _: &OrgName, known: u64, _: &SecretString) -> Result<Option<u64>, VaultError> {
        Ok(Some(known + 1))
    }

    async fn take_turn(&self, _: &OrgName, _: &str, _: Timestamp, _: Timestamp) -> Result<bool, VaultError> {
        Ok(true)
    }

    async fn end_turn(&self, _: &OrgName, _: &str) -> Result<(), VaultError> {
        Ok(())
    }
}
