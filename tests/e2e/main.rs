//! Stories over real HTTP, against the simulated org and the real store.

mod adoption;
mod crash;
mod examples;
mod lists;
mod promises;
mod robustness;
mod users;
