//! The binary as an operator meets it: started, signalled, asked, stopped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod audit;
mod commands;
mod connect;
mod explain;
mod metrics;
mod operations;
mod preview;
mod secrets;
mod serve;
mod world;
