//! The measured claims, and how to measure them again.
fn main() {}
