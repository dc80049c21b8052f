//! What stories are told with: a gateway, a simulated org and an identity tool that talks to them over HTTP.
//!
//! [`World`] starts both on loopback with a store of their own; [`Tool`] speaks SCIM; [`Org`] looks into the simulated
//! org from outside, through its control endpoints; [`sources`] are simulated sources of events; [`replay`] plays the sequences of `examples/`. [`Process`] is the
//! same gateway as a process, to be killed.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a story that cannot be told fails its test; that is what its panics are for"
)]

pub mod expect;
pub mod gate;
pub mod org;
pub mod process_world;
pub mod receiver;
pub mod replay;
pub mod scene;
#[path = "../sources/mod.rs"]
pub mod sources;
pub mod tool;
pub mod world;

pub use gate::{Gate, Side};
pub use org::Org;
pub use process_world::Process;
pub use scene::Scene;
pub use tool::{Answered, Tool};
pub use world::World;
