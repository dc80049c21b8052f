//! Holds the architecture against what `cargo metadata` says: who may use whom, which licences come in, and that there is
//! one HTTP client and one TLS provider.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Who may use whom. What is not listed may not.
///
/// `gangway` may use all; `tests` and `benches` only what they drive and the words to say it in; `xtask` nothing.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("model", &[]),
    ("scim-types", &[]),
    ("salesforce-types", &["model"]),
    ("translation", &["model", "scim-types", "salesforce-types"]),
    ("planning", &["model", "scim-types", "salesforce-types", "translation"]),
    ("salesforce-client", &["model", "salesforce-types"]),
    ("salesforce-sim", &["model"]),
    ("store", &["model", "scim-types", "salesforce-types"]),
    (
        "provisioning",
        &["model", "scim-types", "salesforce-types", "translation", "planning", "salesforce-client", "store"],
    ),
    ("scim-server", &["model", "scim-types", "provisioning", "store"]),
    ("intake", &["model", "scim-types", "provisioning", "store"]),
    (
        "gangway",
        &[
            "model",
            "scim-types",
            "salesforce-types",
            "translation",
            "planning",
            "salesforce-client",
            "salesforce-sim",
            "store",
            "provisioning",
            "scim-server",
            "intake",
        ],
    ),
    ("e2e", &["gangway", "salesforce-sim", "scim-types", "model"]),
    (
        "benches",
        &[
            "gangway",
            "intake",
            "planning",
            "salesforce-client",
            "salesforce-sim",
            "salesforce-types",
            "scim-types",
            "model",
            "translation",
        ],
    ),
    ("xtask", &[]),
];

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let locked = ["--locked".to_owned(), "--offline".to_owned()];
    MetadataCommand::new().manifest_path(manifest).other_options(locked).exec().unwrap()
}

/// Every package that is built on some platform, tests included, as (name, version, licence). From `cargo tree`, because
/// `cargo metadata` also shows optional dependencies that nothing switches on.
fn tree() -> Vec<(String, String, String)> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--workspace",
            "--target",
            "all",
            "--edges",
            "normal,build,dev",
            "--locked",
            "--offline",
        ])
        .args(["--prefix", "none", "--no-dedupe", "--format", "{p};{l}"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: BTreeSet<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    lines
        .into_iter()
        .map(|line| {
            let (package, licence) = line.split_once(';').unwrap();
            let mut words = package.split(' ');
            let (name, version) = (words.next().unwrap(), words.next().unwrap());
            (name.to_owned(), version.to_owned(), licence.to_owned())
        })
        .collect()
}

/// What a crate may use, and what that may use in turn.
fn closure<'t>(table: &BTreeMap<&'t str, &'t [&'t str]>, name: &str) -> BTreeSet<&'t str> {
    let mut found = BTreeSet::new();
    let mut waiting: Vec<&str> = table[name].to_vec();
    while let Some(next) = waiting.pop() {
        if found.insert(next) {
            waiting.extend(table[next]);
        }
    }
    found
}

#[test]
fn nobody_uses_a_crate_that_the_table_does_not_allow() {
    let metadata = metadata();
    let members = metadata.workspace_packages();
    let ours: BTreeSet<&str> = members.iter().map(|package| package.name.as_str()).collect();
    let table: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    assert_eq!(ours, table.keys().copied().collect(), "the table and the workspace have the same crates");
    for package in members {
        let allowed: BTreeSet<&str> = table[package.name.as_str()].iter().copied().collect();
        // Tests have to build what the crate is handed, so they may also name what comes along with it.
        let mut allowed_in_tests = closure(&table, package.name.as_str());
        if package.name == "salesforce-client" {
            // Never in its code, where a type shared with the simulated org would confirm a wrong belief of either.
            allowed_in_tests.insert("salesforce-sim");
        }
        for dependency in
            package.dependencies.iter().filter(|dependency| ours.contains(dependency.name.as_str()))
        {
            let name = dependency.name.as_str();
            let development = dependency.kind == DependencyKind::Development;
            let allowed = if development { &allowed_in_tests } else { &allowed };
            assert!(allowed.contains(name), "{} may not use {name}", package.name);
        }
    }
}

#[test]
fn the_crates_without_io_have_no_way_to_do_any() {
    const IO: [&str; 9] =
        ["tokio", "reqwest", "actix-web", "rusqlite", "hyper", "mio", "socket2", "async-std", "rustls"];
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let name = |id: &PackageId| metadata[id].name.to_string();
    for pure in ["model", "scim-types", "salesforce-types", "translation", "planning"] {
        let package = metadata.workspace_packages().into_iter().find(|package| package.name == pure).unwrap();
        let mut waiting = vec![&package.id];
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            let node = resolve.nodes.iter().find(|node| node.id == *id).unwrap();
            for dependency in &node.deps {
                let normal = dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal);
                if normal && seen.insert(&dependency.pkg) {
                    waiting.push(&dependency.pkg);
                }
            }
        }
        let found: Vec<String> =
            seen.into_iter().map(name).filter(|name| IO.contains(&name.as_str())).collect();
        assert!(found.is_empty(), "{pure} reaches {found:?}");
    }
}

/// Whether a licence expression can be met without a term that names a (L/A)GPL.
fn is_free_of_gpl(expression: &str) -> bool {
    // SPDX as it is used in the tree: `A OR B`, `A AND (B OR C)`, and `A/B` from before SPDX. Every AND has to hold, and
    // of every OR one part; the parentheses hold nothing deeper.
    let alternatives = |text: &str| text.replace(['(', ')'], "").replace('/', " OR ");
    expression.split(" AND ").all(|part| alternatives(part).split(" OR ").any(|term| !term.contains("GPL")))
}

#[test]
fn a_licence_is_read_right() {
    for good in
        ["MIT", "MIT/Apache-2.0", "Apache-2.0 OR LGPL-2.1-or-later", "(MIT OR GPL-2.0-only) AND Unicode-3.0"]
    {
        assert!(is_free_of_gpl(good), "{good}");
    }
    for bad in ["GPL-3.0-or-later", "AGPL-3.0-only", "MIT AND GPL-2.0-only", "LGPL-3.0-only"] {
        assert!(!is_free_of_gpl(bad), "{bad}");
    }
}

#[test]
fn no_gpl_comes_in() {
    for (name, version, licence) in tree() {
        assert!(!licence.is_empty(), "{name} {version} names no licence");
        assert!(is_free_of_gpl(&licence), "{name} {version} is under {licence}");
    }
}

#[test]
fn there_is_one_http_client_and_one_tls_provider() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, version, _) in tree() {
        versions.entry(name).or_default().insert(version);
    }
    for one in ["reqwest", "rustls", "aws-lc-rs", "libsqlite3-sys", "tokio"] {
        assert_eq!(
            versions.get(one).map(BTreeSet::len),
            Some(1),
            "one version of {one}: {:?}",
            versions.get(one)
        );
    }
    for none in ["ring", "openssl", "openssl-sys", "native-tls", "actix-governor", "evalexpr", "sqlx", "rsa"]
    {
        assert!(!versions.contains_key(none), "{none} is in the tree");
    }
}
