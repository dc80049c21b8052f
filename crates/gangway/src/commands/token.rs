//! `gangway token`: a bearer token for a client, or the hash of a password for the token endpoint.

use std::{
    fmt::Write,
    io::{self, IsTerminal},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Subcommand;
use model::Ids;
use scim_server::PasswordHash;
use serde_json::json;

use super::{Failure, Output, output};

/// What a token starts with, so that a leaked one is recognised by secret scanners.
const PREFIX: &str = "gw_";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token. It is shown once; the configuration gets its hash.
    New,
    /// Make a password or client secret for the token endpoint. It is shown once; the configuration gets its hash.
    Password {
        /// Hash the first line of the standard input in place of a new password: one that a connector has already.
        #[arg(long)]
        stdin: bool,
    },
}

/// Prints what the configuration keeps, and the secret itself, once, where it was made here.
pub(super) fn run(command: &Command, output: Output) -> Result<(), Failure> {
    match command {
        Command::New => make_token(output),
        Command::Password { stdin: false } => make_password(output),
        Command::Password { stdin: true } => hash_password(&read_password()?, output),
    }
    Ok(())
}

fn make_password(output: Output) {
    let ids = Ids::random();
    // Letters, digits, `-` and `_`: connectors put it into a URL as it is.
    let password = URL_SAFE_NO_PAD.encode(ids.token());
    let hash = PasswordHash::of(&password, &ids);
    match output {
        Output::Json => output::document(&json!({ "password": password, "argon2": hash.as_str() })),
        Output::Table => {
            output::line(&format!(
                "The password, shown this once; give it to the connector:\n\n    {password}\n"
            ));
            show_hash(&hash);
        }
    }
}

fn hash_password(password: &str, output: Output) {
    let hash = PasswordHash::of(password, &Ids::random());
    match output {
        Output::Json => output::document(&json!({ "argon2": hash.as_str() })),
        Output::Table => show_hash(&hash),
    }
}

fn show_hash(hash: &PasswordHash) {
    let hash = hash.as_str();
    output::line(&format!(
        "For its [[...clients]] in the configuration, as the password of a user or as the client's secret:\n\n    \
         password-argon2 = [\"{hash}\"]\n    client-secret-argon2 = [\"{hash}\"]"
    ));
}

/// The first line without its end. Spaces stay: they may be part of a password.
fn read_password() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        eprintln!("The password, then Enter:");
    }
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .map_err(|error| Failure::Failed(format!("the standard input cannot be read: {error}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::Failed("the standard input holds no password".to_owned()));
    }
    Ok(password.to_owned())
}

fn make_token(output: Output) {
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
