//! Gangway: a self-hosted SCIM 2.0 gateway in front of Salesforce.
//!
//! This crate is the binary as a library: the configuration ([`config`]), the wiring ([`start`]), the commands
//! ([`commands`]). What a gateway does stands in the crates below it; this one only puts them together.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = gangway::Config::load("gangway.toml".as_ref())?;
//! let gateway = gangway::start(config).await?;
//! println!("SCIM at {}", gateway.scim_url());
//! gateway.stop().await;
//! # Ok(())
//! # }
//! ```

pub mod commands;
pub mod config;
mod health;
mod key;
mod logging;
mod metrics;
mod operations;
mod sources;
mod tenants;
mod trial;
mod vault;
mod wire;

/// A fifth of the time of a write went into glibc's allocator: many small texts, made on one thread and freed on another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use config::{Config, ConfigErrors};
pub use key::KeyError;
pub use wire::{CONNECTIONS, Gateway, HEADER_READ, NeedsRestart, StartError, start, start_with};
