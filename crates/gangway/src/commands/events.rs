//! `gangway events`: what came of events, and what only a person can decide about them.

use std::path::Path;

use clap::{Args, Subcommand};
use jiff::{Span, SpanRelativeTo, Timestamp};
use model::{Clock, SourceName, TenantId};
use serde_json::json;
use store::{EventFilter, EventKey, EventState, Inbox, Outbox, StoredEvent, sqlite::SqliteStore};

use super::{ConfigFile, Failure, Output, output, resync::unexpected};
use crate::{
    config::Config,
    operations::{Reach, Reply, Request},
};

/// How many events are listed where nothing else is said.
const LISTED: u32 = 100;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List events, the newest first, also while a gateway runs.
    List(List),
    /// Apply a dead or held event once more, or one that waits at once. Also while a gateway runs.
    Retry(Retry),
    /// Say that nothing is to be done for a dead or held event, or for one that waits. Also while a gateway runs.
    Dismiss(Dismiss),
    /// Ask a source for everything that is new since a time and for who is gone, and apply it. Also while a gateway runs.
    CatchUp(CatchUp),
    /// How it stands with those who hear of changes. Also while a gateway runs.
    Receivers(Receivers),
    /// Send an event that changes nothing the way a source's events come, to try whether they arrive. A gateway has to run.
    SendTest(SendTest),
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    config: ConfigFile,
    /// Only this event, or all that came in the delivery of this name.
    jti: Option<String>,
    /// Only those of this tenant, written as customer/environment.
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Only those of this source.
    #[arg(long)]
    source: Option<SourceName>,
    /// Only those in this state: in-flight, refused, stored, applied, ignored, held, dead or dismissed. May be repeated.
    #[arg(long = "state", value_parser = state)]
    states: Vec<EventState>,
    /// At most so many.
    #[arg(long, default_value_t = LISTED)]
    limit: u32,
}

#[derive(Debug, Args)]
pub(super) struct Retry {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
pub(super) struct Dismiss {
    #[command(flatten)]
    which: Which,
    /// Why; it is kept with the event.
    #[arg(long, value_parser = reason)]
    reason: String,
}

/// Which event.
#[derive(Debug, Args)]
struct Which {
    /// What its source calls it, as in `gangway events list`.
    jti: String,
    #[command(flatten)]
    config: ConfigFile,
    /// Its tenant, where several sources know the name.
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Its source, where several sources know the name.
    #[arg(long)]
    source: Option<SourceName>,
}

#[derive(Debug, Args)]
pub(super) struct Receivers {
    #[command(flatten)]
    config: ConfigFile,
    /// Only those of this tenant, written as customer/environment.
    #[arg(long)]
    tenant: Option<TenantId>,
}

#[derive(Debug, Args)]
pub(super) struct SendTest {
    /// The event source.
    source: SourceName,
    #[command(flatten)]
    config: ConfigFile,
    /// Where to send it. Without it: the source's address below `public-url`, or where the gateway listens.
    #[arg(long)]
    url: Option<String>,
    /// The source's tenant, where several have one of this name.
    #[arg(long)]
    tenant: Option<TenantId>,
}

#[derive(Debug, Args)]
pub(super) struct CatchUp {
    /// The event source.
    source: SourceName,
    #[command(flatten)]
    config: ConfigFile,
    /// Since when: a time such as 2026-08-05T08:00:00Z, or a duration such as 26h or 3d.
    #[arg(long, value_parser = since)]
    since: Timestamp,
    /// How many people may be taken away because the source does not have them any more. Without it: fewer than 10, and fewer than
    /// 10 % where there are 20 or more; beyond that nobody is, because it may be an accident.
    #[arg(long)]
    max_deletions: Option<u64>,
    /// Only count; nothing is applied.
    #[arg(long)]
    dry_run: bool,
    /// The source's tenant, where several have one of this name.
    #[arg(long)]
    tenant: Option<TenantId>,
}

pub(super) async fn run(command: &Command, output: Output) -> Result<(), Failure> {
    match command {
        Command::List(arguments) => list(arguments, output).await,
        Command::Retry(Retry { which }) => {
            let event = which.find().await?;
            decide(&which.config.path, &Request::RetryEvent { event }, output).await
        }
        Command::Dismiss(Dismiss { which, reason }) => {
            let event = which.find().await?;
            let request = Request::DismissEvent { event, reason: reason.clone() };
            decide(&which.config.path, &request, output).await
        }
        Command::CatchUp(arguments) => catch_up(arguments, output).await,
        Command::Receivers(arguments) => receivers(arguments, output).await,
        Command::SendTest(arguments) => send_test(arguments, output).await,
    }
}

async fn list(arguments: &List, output: Output) -> Result<(), Failure> {
    let config = &arguments.config.path;
    let (tenant, source) = meant(config, arguments.tenant.as_ref(), arguments.source.as_ref())?;
    let filter = EventFilter {
        tenant,
        source,
        states: arguments.states.clone(),
        jti: arguments.jti.clone(),
        limit: arguments.limit,
    };
    let events = look(config)?.events(&filter).await?;
    if events.is_empty() {
        // Of what was configured once there may be events.
        exist(config, filter.tenant.as_ref(), filter.source.as_ref())?;
    }
    match output {
        Output::Json => output::document(&json!({ "events": events })),
        Output::Table if events.is_empty() => output::line("There are no such events."),
        Output::Table => output::table(
            ["event", "tenant", "source", "what", "happened", "state", "why", "tries", "next try"],
            events.iter().map(row),
        ),
    }
    Ok(())
}

fn row(event: &StoredEvent) -> [String; 9] {
    [
        event.key.jti.clone(),
        event.key.tenant.to_string(),
        event.key.source.to_string(),
        event.kind.clone(),
        event.happened.to_string(),
        event.state.as_str().to_owned(),
        event.reason.clone().unwrap_or_default(),
        event.attempts.to_string(),
        event.due.map(|due| due.to_string()).unwrap_or_default(),
    ]
}

impl Which {
    /// The one event that is meant.
    async fn find(&self) -> Result<EventKey, Failure> {
        let (tenant, source) = meant(&self.config.path, self.tenant.as_ref(), self.source.as_ref())?;
        let filter = EventFilter {
            tenant,
            source,
            jti: Some(self.jti.clone()),
            limit: LISTED,
            ..EventFilter::default()
        };
        let mut events = look(&self.config.path)?.events(&filter).await?;
        // Its own name counts before that of the delivery it was a part of.
        if events.iter().any(|event| event.key.jti == self.jti) {
            events.retain(|event| event.key.jti == self.jti);
        }
        match (events.pop(), events.pop()) {
            (Some(event), None) => Ok(event.key),
            (Some(one), Some(other)) if one.key.jti != other.key.jti => Err(Failure::Failed(format!(
                "several events came as {}: name one of them, such as {} or {}",
                self.jti, one.key.jti, other.key.jti
            ))),
            (None, _) => Err(Failure::Failed(format!("there is no event {}", self.jti))),
            (Some(one), Some(other)) => Err(Failure::Failed(format!(
                "several sources have an event {}: say --source and --tenant, such as {} of {} and {} of {}",
                self.jti, one.key.source, one.key.tenant, other.key.source, other.key.tenant
            ))),
        }
    }
}

async fn decide(config: &Path, request: &Request, output: Output) -> Result<(), Failure> {
    match ask(config, request).await? {
        Reply::Decided => {}
        _ => return Err(unexpected()),
    }
    match (output, request) {
        (Output::Json, _) => output::document(&json!({ "decided": true })),
        (Output::Table, Request::RetryEvent { .. }) => {
            output::line("It is applied by the running gateway; `gangway events list` shows how it ends.");
        }
        (Output::Table, _) => output::line("Dismissed."),
    }
    Ok(())
}

async fn catch_up(arguments: &CatchUp, output: Output) -> Result<(), Failure> {
    let config = &arguments.config.path;
    let tenant = tenant_of(config, &arguments.source, arguments.tenant.as_ref())?;
    let asked = intake::CatchUp {
        since: arguments.since,
        max_deletions: arguments.max_deletions,
        dry_run: arguments.dry_run,
    };
    let request = Request::CatchUp { tenant, source: arguments.source.clone(), asked };
    let Reply::CaughtUp(caught_up) = ask(config, &request).await? else { return Err(unexpected()) };
    match output {
        Output::Json => output::document(&json!(caught_up)),
        Output::Table => say_caught_up(arguments, &caught_up),
    }
    let is_held = caught_up.left.is_some() && caught_up.missing > 0;
    if caught_up.failed > 0 || caught_up.later > 0 || is_held { Err(Failure::Findings) } else { Ok(()) }
}

fn say_caught_up(arguments: &CatchUp, caught_up: &intake::CaughtUp) {
    let intake::CaughtUp { seen, applied, corrected, failed, missing, removed, .. } = caught_up;
    let since = arguments.since;
    if arguments.dry_run {
        output::line(&format!(
            "{seen} people are new since {since}; {missing} are gone. Nothing was changed."
        ));
    } else {
        output::line(&format!(
            "{seen} people are new since {since}: {applied} are as they should be, {corrected} of them had been changed in \
             Salesforce by hand. {missing} are gone: {removed} were taken away. \
             {failed} failed."
        ));
    }
    if caught_up.later > 0 {
        output::line(&format!(
            "{} could not be written now. Run it again: what is as it should be costs nothing.",
            caught_up.later
        ));
    }
    if let Some(left) = &caught_up.left {
        output::line(&format!("{left}."));
    }
    if (arguments.dry_run || caught_up.left.is_some()) && !caught_up.examples.is_empty() {
        output::line(&format!("Some of them: {}.", caught_up.examples.join(", ")));
    }
}

async fn receivers(arguments: &Receivers, output: Output) -> Result<(), Failure> {
    let receivers = look(&arguments.config.path)?.receivers(arguments.tenant.as_ref()).await?;
    if receivers.is_empty() {
        exist(&arguments.config.path, arguments.tenant.as_ref(), None)?;
    }
    match output {
        Output::Json => output::document(&json!({ "receivers": receivers })),
        Output::Table if receivers.is_empty() => output::line("Nobody hears of changes."),
        Output::Table => output::table(
            ["receiver", "tenant", "waiting", "refused", "why", "away since", "tries", "next try"],
            receivers.iter().map(|receiver| {
                let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
                [
                    receiver.name.to_string(),
                    receiver.tenant.to_string(),
                    receiver.waiting.to_string(),
                    receiver.refused.to_string(),
                    receiver.reason.clone().or_else(|| receiver.refusal.clone()).unwrap_or_default(),
                    time(receiver.failing_since),
                    receiver.attempts.to_string(),
                    time(receiver.due),
                ]
            }),
        ),
    }
    Ok(())
}

/// Sends what the running gateway has made, from here, so that it comes by the way of the source.
async fn send_test(arguments: &SendTest, output: Output) -> Result<(), Failure> {
    let config = &arguments.config.path;
    let tenant = tenant_of(config, &arguments.source, arguments.tenant.as_ref())?;
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => address(config, &tenant, &arguments.source)?,
    };
    let request = Request::Rehearse { tenant, source: arguments.source.clone() };
    let Reply::Rehearsal(rehearsal) = ask(config, &request).await? else { return Err(unexpected()) };
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(std::time::Duration::from_secs(15))
        .build();
    let client = client.map_err(|error| Failure::Failed(error.to_string()))?;
    let mut delivery =
        client.post(&url).header("content-type", &rehearsal.media_type).body(rehearsal.body.clone());
    if let Some(authorization) = &rehearsal.authorization {
        delivery = delivery.header("authorization", authorization);
    }
    let answer = delivery.send().await;
    let answer = answer
        .map_err(|error| Failure::Failed(format!("{url} cannot be reached: {}", super::chain(&error))))?;
    let status = answer.status();
    let said = answer.text().await.unwrap_or_default();
    match output {
        Output::Json => output::document(&json!({
            "url": url, "status": status.as_u16(), "jti": rehearsal.jti, "answer": said,
        })),
        Output::Table if status.as_u16() == 202 => output::line(&format!(
            "{url} took the event {} (202): events arrive here. Nothing was changed.",
            rehearsal.jti
        )),
        Output::Table => output::line(&format!("{url} answered {status}: {said}{}", advice(status.as_u16()))),
    }
    if status.as_u16() == 202 { Ok(()) } else { Err(Failure::Findings) }
}

/// What stands between a source and the gateway, by what it answers.
fn advice(status: u16) -> &'static str {
    match status {
        300..=399 => {
            "\nSomething redirects: sources take that for a final failure. Serve the address itself."
        }
        401 | 403 => {
            "\nSomething in front of the gateway wants credentials, or takes the gateway's own away. Or the source has `allowed-ips`, and \
             this machine is none of them: send it from one."
        }
        404 => "\nThat is not this gateway's address, or something in front of it changes the path.",
        _ => "",
    }
}

/// Where a source sends to.
fn address(config: &Path, tenant: &TenantId, source: &SourceName) -> Result<String, Failure> {
    let server = Config::load(config)?.server;
    let base =
        server.public_url.unwrap_or_else(|| format!("http://{}", crate::wire::reachable(server.listen)));
    Ok(format!("{base}/events/{source}/{tenant}"))
}

/// The tenant that has this source.
fn tenant_of(config: &Path, source: &SourceName, named: Option<&TenantId>) -> Result<TenantId, Failure> {
    let outline = crate::config::Outline::load(config)?;
    let has_it = |tenant: &&crate::config::TenantSettings| {
        named.is_none_or(|named| named.home() == tenant.id)
            && tenant.sources.iter().any(|other| other.name == *source)
    };
    let mut found = outline.tenants.iter().filter(has_it).map(|tenant| tenant.id.clone());
    match (found.next(), found.next()) {
        (Some(tenant), None) => Ok(tenant),
        (None, _) => Err(Failure::Failed(format!("no event source is called {source}"))),
        (Some(one), Some(other)) => Err(Failure::Failed(format!(
            "several tenants have a source {source}: say --tenant {one}, or --tenant {other}"
        ))),
    }
}

/// Where the events are that are asked for. The people of a population come by the events of its environment.
fn meant(
    config: &Path,
    tenant: Option<&TenantId>,
    source: Option<&SourceName>,
) -> Result<(Option<TenantId>, Option<SourceName>), Failure> {
    let Some(people) = tenant.filter(|tenant| tenant.population().is_some()) else {
        return Ok((tenant.cloned(), source.cloned()));
    };
    let home = people.home();
    let outline = crate::config::Outline::load(config)?;
    let of_home =
        outline.tenants.iter().filter(|tenant| tenant.id == home).flat_map(|tenant| &tenant.sources);
    let theirs = of_home.filter(|its| its.kind.population() == Some(people)).map(|its| &its.name);
    let theirs: Vec<&SourceName> =
        theirs.filter(|name| source.is_none_or(|source| source == *name)).collect();
    match theirs.as_slice() {
        [only] => Ok((Some(home), Some((*only).clone()))),
        [] => Err(Failure::Failed(format!("no event source has the people of {people}"))),
        [one, other, ..] => Err(Failure::Failed(format!(
            "several event sources have the people of {people}: say --source {one}, or --source {other}"
        ))),
    }
}

/// What is named is configured: otherwise it is mistyped, and not without events.
fn exist(config: &Path, tenant: Option<&TenantId>, source: Option<&SourceName>) -> Result<(), Failure> {
    if tenant.is_none() && source.is_none() {
        return Ok(());
    }
    let outline = crate::config::Outline::load(config)?;
    let mut tenants = outline.tenants.iter().filter(|known| tenant.is_none_or(|tenant| known.id == *tenant));
    match (tenants.clone().next(), tenant, source) {
        (None, Some(tenant), _) => Err(Failure::Failed(format!("no tenant is called {tenant}"))),
        (_, _, Some(source))
            if !tenants.any(|tenant| tenant.sources.iter().any(|its| its.name == *source)) =>
        {
            Err(Failure::Failed(format!("no event source is called {source}")))
        }
        _ => Ok(()),
    }
}

async fn ask(config: &Path, request: &Request) -> Result<Reply, Failure> {
    let reach = Reach::open(config).await?;
    let answer = reach.ask(request).await;
    reach.close().await;
    Ok(answer?)
}

fn look(config: &Path) -> Result<SqliteStore, Failure> {
    let settings = Config::store(config)?;
    Ok(SqliteStore::open_read_only(&settings.database)?)
}

fn state(text: &str) -> Result<EventState, String> {
    let found = EventState::ALL.into_iter().find(|state| state.as_str() == text);
    found.ok_or_else(|| {
        format!("there is no such state; there are {}", EventState::ALL.map(EventState::as_str).join(", "))
    })
}

fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("say why".to_owned()) } else { Ok(text.to_owned()) }
}

/// A time, or how long ago it was.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let ago: Span =
        text.parse().map_err(|_| "write a time such as 2026-08-05T08:00:00Z, or a duration such as 26h")?;
    let ago = ago.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|error| error.to_string())?;
    Clock::system().now().checked_sub(ago).map_err(|error| error.to_string())
}
