//! What is believed, what is not, and how often a source is asked for its keys.

mod key_sets;
mod keys;
mod laws;
mod signatures;
mod source;
mod tokens;
