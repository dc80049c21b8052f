//! `gangway schema`: the manual of the configuration, for editors and for the documentation.

use clap::Args;

use super::output;
use crate::config::schema;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The reference page instead.
    #[arg(long)]
    markdown: bool,
}

/// Prints it.
pub(super) fn run(arguments: &Arguments) {
    if arguments.markdown {
        output::line(schema::reference().trim_end());
    } else {
        output::document(&schema::json_schema());
    }
}
