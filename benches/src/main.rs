//! The measured claims, and how to measure them again: `cargo run -p benches --release -- all`.
//!
//! Every server runs as a process of its own on one core and the load generator on another (with two cores or more), so
//! that a server's requests per second are its own. What is compared is measured in one run and given as a ratio: the
//! machine's mood cancels out.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shares and rates of what was counted; nobody counts to 2^52"
)]

mod crowd;
mod entitlements;
mod events;
mod grants;
mod load;
mod mapping;
mod org;
mod planning;
mod process;
mod reads;
mod report;
mod servers;
mod writes;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};

/// Measures what the README claims.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// GET by id, `userName eq` and pages, against a bare actix-web handler.
    Reads {
        /// How many identities the store holds.
        #[arg(long, value_delimiter = ',', default_values_t = [10_000])]
        identities: Vec<usize>,
        /// How long each measurement takes.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Create, PUT without change and PATCH, through a simulated org.
    Writes {
        /// The org's own latency, in milliseconds.
        #[arg(long, value_delimiter = ',', default_values_t = [0, 100])]
        latency: Vec<u64>,
        /// How many connections send at once.
        #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 200])]
        connections: Vec<usize>,
        /// How long each measurement takes.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Joiners with grants through the dispatcher: calls for each, alone, queued and over connections that wait.
    Crowd {
        /// How many join.
        #[arg(long, default_value_t = 10_000)]
        joiners: usize,
        /// How many wait for an answer at once.
        #[arg(long, default_value_t = 200)]
        connections: usize,
        /// The org's own latency, in milliseconds.
        #[arg(long, default_value_t = 200)]
        latency: u64,
        /// How much longer for each record, in milliseconds.
        #[arg(long, default_value_t = 10)]
        per_record: u64,
    },
    /// Joiners with a profile, a role, three permission sets and two public groups over SCIM: alone, over connections that wait,
    /// and acknowledged before they are done. Then a Group that stands for a permission set, with this many members at once.
    Entitlements {
        /// How many join.
        #[arg(long, default_value_t = 10_000)]
        joiners: usize,
        /// How many connections send at once.
        #[arg(long, default_value_t = 200)]
        connections: usize,
        /// How many become members with one PATCH.
        #[arg(long, default_value_t = 1_000)]
        members: usize,
        /// The org's own latency, in milliseconds.
        #[arg(long, default_value_t = 200)]
        latency: u64,
        /// How much longer for each record, in milliseconds.
        #[arg(long, default_value_t = 10)]
        per_record: u64,
    },
    /// Verifying security event tokens on one core, beside the signature alone and as a share of a whole event.
    Events {
        /// How long it is measured in all.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Planning what a joiner is given, with so many entitlements in the org's catalogue.
    Grants {
        /// How many.
        #[arg(long, value_delimiter = ',', default_values_t = [50, 5_000])]
        entitlements: Vec<usize>,
        /// How long it is measured in all.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Translating an identity of forty fields: nanoseconds for each.
    Mapping {
        /// How long it is measured in all.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Planning identities of forty fields that are there already, one and many.
    Planning {
        /// How many.
        #[arg(long, default_value_t = 10_000)]
        identities: usize,
        /// How long one is measured in all.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
    },
    /// Everything, at the sizes of the budgets that take minutes.
    All,
    #[command(hide = true)]
    Serve(servers::Serve),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().what {
        What::Serve(serve) => return servers::serve(serve),
        What::Reads { identities, seconds } => reads::measure(&identities, seconds),
        What::Writes { latency, connections, seconds } => writes::measure(&latency, &connections, seconds),
        What::Crowd { joiners, connections, latency, per_record } => crowd::measure(
            joiners,
            connections,
            Duration::from_millis(latency),
            Duration::from_millis(per_record),
        ),
        What::Entitlements { joiners, connections, members, latency, per_record } => {
            entitlements::measure(&entitlements::Sizes { joiners, connections, members }, latency, per_record)
        }
        What::Events { seconds } => events::measure(seconds),
        What::Grants { entitlements, seconds } => grants::measure(&entitlements, seconds),
        What::Mapping { seconds } => mapping::measure(seconds),
        What::Planning { identities, seconds } => planning::measure(identities, seconds),
        What::All => reads::measure(&[10_000, 100_000, 1_000_000], 5)
            .and_then(|()| writes::measure(&[0, 100], &[1, 16, 200], 5))
            .and_then(|()| crowd::measure(10_000, 200, Duration::from_millis(200), Duration::from_millis(10)))
            .and_then(|()| {
                let sizes = entitlements::Sizes { joiners: 10_000, connections: 200, members: 1_000 };
                entitlements::measure(&sizes, 200, 10)
            })
            .and_then(|()| events::measure(5))
            .and_then(|()| grants::measure(&[50, 5_000], 5))
            .and_then(|()| mapping::measure(5))
            .and_then(|()| planning::measure(10_000, 5)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What can go wrong while measuring; nobody handles it but the reader.
type Failure = Box<dyn std::error::Error + Send + Sync>;
