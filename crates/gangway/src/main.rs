//! Starts Gangway.
fn main() {}
