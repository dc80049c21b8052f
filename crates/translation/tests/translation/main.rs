//! What the crate promises to those who use it.

mod default_mapping;
mod documentation;
mod expressions;
mod laws;
mod mapping_errors;
mod org;
mod rules;
