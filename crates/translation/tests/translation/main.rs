//! What the crate promises to those who use it.

mod addresses;
mod catalogue;
mod clearing;
mod default_mapping;
mod directories;
mod documentation;
mod expressions;
mod grants;
mod groups;
mod kinds;
mod laws;
mod mapping_errors;
mod next_identity;
mod org;
mod profiles;
mod references;
mod rules;
mod targets;
