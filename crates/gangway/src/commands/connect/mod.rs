//! `gangway connect`: the first refresh token of an org, by a browser.
//!
//! Salesforce sends the browser back to a port of this machine. Where the browser is on another one, the page that it is sent to
//! is not there: its address is then pasted here. Both are waited for.

mod callback;

use std::{
    io::{self, BufRead, IsTerminal},
    process::{Command, Stdio},
    time::Duration,
};

use clap::Args;
use model::{Clock, OrgName};
use salesforce_client::{Authorization, CallError, ConnectError, Org, OrgIdentity};
use secrecy::SecretString;
use serde_json::json;
use tokio::sync::mpsc;

use self::callback::Callback;
use super::{ConfigFile, Failure, Output, asked_to_stop, chain, output};
use crate::{
    config::{Config, LogSection},
    logging, vault,
};

/// How long a person may take: after so long Salesforce takes no code any more.
const PATIENCE: Duration = Duration::from_mins(15);

/// What `connect` is told.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The org, as `[orgs.<name>]` names it.
    org: OrgName,
    /// The port of this machine that the browser is sent back to; 0 takes a free one. The app's settings must list
    /// `http://localhost:<port>/callback`.
    #[arg(long, default_value_t = 8765)]
    port: u16,
    /// Open no browser: print the address, for this machine or another one, and take what the browser shows at the end.
    #[arg(long)]
    no_browser: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// Signs in, keeps the refresh token, and says who signed in.
pub(super) async fn run(arguments: &Arguments, output: Output) -> Result<(), Failure> {
    let config = Config::load(&arguments.config.path)?;
    logging::start(&LogSection::for_commands()).map_err(Failure::Failed)?;
    let Some(settings) = config.orgs.iter().find(|org| org.name == arguments.org) else {
        let known: Vec<_> = config.orgs.iter().map(|org| org.name.as_str()).collect();
        let why = format!("there is no org `{}` (there are: {})", arguments.org, known.join(", "));
        return Err(Failure::Failed(why));
    };
    let (vault, running) = vault::open(&config.store).map_err(|error| Failure::Failed(chain(&error)))?;
    let callback = Callback::listen(arguments.port).await.map_err(|error| {
        let why = format!("cannot listen on port {}: {error}; name another one with --port", arguments.port);
        Failure::Failed(why)
    })?;
    let client = settings.client_config();
    let authorization = Authorization::begin(client.clone(), callback.url().clone())?;
    show(&authorization, &callback, arguments.no_browser);

    let clock = Clock::system();
    let code = tokio::select! {
        code = bring(&authorization, &callback, lines()) => code?,
        () = asked_to_stop() => return Err(Failure::Failed("interrupted; nothing was changed".to_owned())),
        () = tokio::time::sleep(PATIENCE) => {
            return Err(Failure::Failed("nobody has signed in; nothing was changed".to_owned()));
        }
    };
    authorization.finish(code, &vault, &clock).await?;
    let org = Org::new(client, vault, clock);
    let identity = org.identity().await;
    org.close().await;
    report(&arguments.org, identity, running, output)
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::Failed(chain(&error))
    }
}

/// Says what to do, on standard error: standard output is for the answer.
fn show(authorization: &Authorization, callback: &Callback, no_browser: bool) {
    let url = authorization.url();
    eprintln!("Sign in as the user that Gangway acts as. The app's settings must list this callback URL:");
    eprintln!("\n    {}\n", callback.url());
    if !no_browser && open_browser(url.as_str()) {
        eprintln!("The browser opens; if it does not, open this address:");
    } else {
        eprintln!("Open this address in a browser:");
    }
    eprintln!("\n    {url}\n");
    eprintln!(
        "If the browser is on another machine, it ends on a page that cannot be shown: paste its address here."
    );
}

/// Opens the address as the desktop does. False where there is nothing that would.
fn open_browser(url: &str) -> bool {
    let chosen = std::env::var_os("BROWSER").filter(|browser| !browser.is_empty());
    let usual = ["xdg-open", "open", "wslview"].map(Into::into);
    chosen.into_iter().chain(usual).any(|browser| {
        let quiet = || Stdio::null();
        Command::new(browser).arg(url).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().is_ok()
    })
}

/// What a person types, line by line. Nothing, where there is nobody.
fn lines() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(1);
    // A thread of its own: reading cannot be given up, and must not keep the command from ending.
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Waits for the code: from the browser or from the keyboard.
async fn bring(
    authorization: &Authorization,
    callback: &Callback,
    mut lines: mpsc::Receiver<String>,
) -> Result<SecretString, Failure> {
    let mut typing = true;
    loop {
        let (brought, visit) = tokio::select! {
            visit = callback.visit() => match visit {
                Ok(visit) => (visit.target.clone(), Some(visit)),
                // One connection that broke says nothing about the next.
                Err(_) => continue,
            },
            line = lines.recv(), if typing => match line {
                Some(line) if line.trim().is_empty() => continue,
                Some(line) => (line, None),
                None => {
                    typing = false;
                    continue;
                }
            },
        };
        let code = authorization.code(&brought);
        if let Some(visit) = visit {
            visit.answer(code.as_ref().map(drop)).await;
        }
        match code {
            Ok(code) => return Ok(code),
            Err(refused @ ConnectError::Refused { .. }) => return Err(refused.into()),
            // Anybody can call the port, and anything can be pasted: the right one may still come.
            Err(error) => {
                if io::stderr().is_terminal() || typing {
                    eprintln!("{error}");
                }
            }
        }
    }
}

/// Prints who signed in.
fn report(
    org: &OrgName,
    identity: Result<OrgIdentity, CallError>,
    running: bool,
    output: Output,
) -> Result<(), Failure> {
    let identity = identity.map_err(|error| {
        Failure::Failed(format!(
            "the refresh token is kept, but the org could not be asked: {}",
            chain(&error)
        ))
    })?;
    match output {
        Output::Json => output::document(&json!({
            "org": org,
            "organizationId": identity.org_id,
            "userId": identity.user_id,
            "username": identity.username,
            "gatewayRunning": running,
        })),
        Output::Table => {
            let user = identity.username.as_deref().unwrap_or("a user whose name the app may not read");
            output::line(&format!(
                "Connected `{org}`: Salesforce org {}, as {user} ({}).",
                identity.org_id, identity.user_id
            ));
            if running {
                output::line("The running gateway takes it up within seconds.");
            }
        }
    }
    Ok(())
}
