//! The simulated org over real HTTP. Each test names the line of the fidelity checklist
//! (`salesforce-api.md` §9) or the recorded shape that it proves.

mod composite;
mod control;
mod faults;
mod oauth;
mod rows;
mod soql;
mod transport;
mod users;
mod world;
