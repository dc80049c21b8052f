//! The binary as an operator meets it: started, signalled, asked, stopped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod commands;
mod metrics;
mod serve;
mod world;
