//! `gangway token new`: a bearer token for a client.

use std::fmt::Write;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Subcommand;
use model::Ids;
use serde_json::json;

use super::{Output, output};

/// What a token starts with, so that a leaked one is recognised by secret scanners.
const PREFIX: &str = "gw_";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token. It is shown once; the configuration gets its hash.
    New,
}

/// Makes a token and prints it, once, with the line for the configuration.
pub(super) fn run(command: &Command, output: Output) {
    let Command::New = command;
    let token = new(&Ids::random());
    let hash = sha256_hex(&token);
    match output {
        Output::Json => output::document(&json!({ "token": token, "token-sha256": hash })),
        Output::Table => {
            output::line(&format!("The token, shown this once; give it to the client:\n\n    {token}\n"));
            output::line(&format!(
                "For its [[...clients]] in the configuration:\n\n    token-sha256 = [\"{hash}\"]"
            ));
        }
    }
}

/// A token of 256 random bits.
pub(super) fn new(ids: &Ids) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(ids.token()))
}

/// What the configuration keeps of a token.
pub(super) fn sha256_hex(token: &str) -> String {
    digest(&SHA256, token.as_bytes()).as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_256_bits_and_its_hash_is_what_the_configuration_takes() {
        let token = new(&Ids::random());
        assert_eq!(token.len(), PREFIX.len() + 43);
        assert_ne!(token, new(&Ids::random()));
        // echo -n abc | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex("abc"), abc);
    }
}
