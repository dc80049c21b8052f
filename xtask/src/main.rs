//! The project's own commands: test and friends.
fn main() {}
