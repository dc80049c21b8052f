//! `gangway audit verify`: whether the trail is as it was written.

use clap::Args;
use model::TenantId;
use serde_json::{Value, json};
use store::{Audit, Broken, Chain};

use super::{super::output, Failure, Output, Whose};

#[derive(Debug, Args)]
pub(in crate::commands) struct Arguments {
    /// A head that was noted earlier: the chain has to lead through it. Of one tenant.
    #[arg(long, value_name = "HASH", value_parser = hash)]
    head: Option<String>,
    #[command(flatten)]
    whose: Whose,
}

/// SHA-256 in hexadecimal digits.
fn hash(text: &str) -> Result<String, String> {
    let text = text.trim().to_lowercase();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text)
    } else {
        Err("a head is 64 hexadecimal digits, as `gangway audit verify` prints them".to_owned())
    }
}

/// Looks at every entry.
///
/// # Errors
///
/// [`Failure::Findings`] where something is not as it was written, or the noted head is not there.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let books = arguments.whose.open()?;
    let noted = arguments.head.as_deref();
    if noted.is_some() && books.tenants.len() != 1 {
        let why = "a head is that of one tenant's chain: say which with --tenant";
        return Err(Failure::Failed(why.to_owned()));
    }
    let mut chains = Vec::new();
    for tenant in &books.tenants {
        chains.push((tenant, books.store.verify(tenant, noted).await?));
    }
    match output {
        Output::Json => {
            let chains: Vec<Value> =
                chains.iter().map(|(tenant, chain)| document(tenant, chain, noted)).collect();
            output::document(&json!({ "chains": chains }));
        }
        Output::Table => output::table(
            ["tenant", "entries", "head", "result"],
            chains.iter().map(|(tenant, chain)| {
                let result = findings(chain, noted).unwrap_or_else(|| fine(chain));
                [tenant.to_string(), chain.entries.to_string(), chain.head.clone(), result]
            }),
        ),
    }
    if chains.iter().any(|(_, chain)| findings(chain, noted).is_some()) {
        return Err(Failure::Findings);
    }
    Ok(())
}

fn document(tenant: &TenantId, chain: &Chain, noted: Option<&str>) -> Value {
    json!({
        "tenant": tenant,
        "entries": chain.entries,
        "head": chain.head,
        "unchained": chain.unchained,
        "notedHeadAt": chain.noted,
        "finding": findings(chain, noted),
    })
}

/// What is wrong, if something is.
fn findings(chain: &Chain, noted: Option<&str>) -> Option<String> {
    match &chain.broken {
        Some(Broken::Entry { place, at, resource }) => {
            let at = at.map_or_else(|| "no time".to_owned(), |at| at.to_string());
            Some(format!(
                "broken at entry {place} ({resource}, {at}): it, or the one before it, was altered, moved or removed"
            ))
        }
        Some(Broken::End { written, found }) => {
            Some(format!("broken at the end: {written} entries were written, and {found} are there"))
        }
        None if noted.is_some() && chain.noted.is_none() => Some(
            "whole in itself, but it does not lead through the head that was noted: it was written anew, or cut off"
                .to_owned(),
        ),
        None => None,
    }
}

fn fine(chain: &Chain) -> String {
    let noted = chain.noted.map(|place| format!(", through the noted head at entry {place}"));
    let unchained = match chain.unchained {
        0 => String::new(),
        some => format!("; {some} more of an earlier version are taken in when the gateway starts next"),
    };
    format!("whole{}{unchained}", noted.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_64_hexadecimal_digits() {
        let head = "0123456789ABCDEF".repeat(4);
        assert_eq!(hash(&format!(" {head}")), Ok(head.to_lowercase()));
        for wrong in ["", "abc", &"g".repeat(64), &"a".repeat(65)] {
            assert!(hash(wrong).is_err(), "{wrong}");
        }
    }
}
