//! Refresh tokens that rotate, and processes that are killed while they do.

use std::{
    net::TcpListener,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use e2e::Process;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::redirect::Policy;
use salesforce_sim::SimConfig;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gangway-under-test");

/// How often tokens are rotated under fire: `GANGWAY_ROTATIONS=1000` for the whole story.
fn rotations() -> u64 {
    std::env::var("GANGWAY_ROTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(25)
}

/// What is random; `GANGWAY_SEED` runs a failure again.
fn seed() -> u64 {
    std::env::var("GANGWAY_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7)
}

/// A gateway in front of an org that rotates refresh tokens, and the port of the app's callback.
async fn start() -> (Process, u16) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let callbacks = vec![format!("http://localhost:{port}/callback")];
    let sim = SimConfig { latency: Duration::from_millis(5), callbacks, ..SimConfig::default() };
    let process = Process::start(Path::new(PROGRAM), sim).await;
    process.org().switch(json!({ "refresh-token-rotation": true })).await;
    (process, port)
}

/// A change that needs a login.
fn join(process: &Process, name: String) -> tokio::task::JoinHandle<Option<u16>> {
    let tool = process.tool();
    tokio::spawn(async move {
        let body = e2e::tool::person(&name).to_string().into_bytes();
        let headers = [("content-type", "application/scim+json")];
        // The connection breaks when the gateway is killed.
        tool.send("POST", "/Users", &headers, Some(body)).await.ok().map(|answer| answer.status)
    })
}

/// What `gangway check` says is wrong with the org.
async fn problem(process: &Process) -> Option<String> {
    let check = Command::new(PROGRAM)
        .args(["--output", "json", "check", "--config"])
        .arg(process.config_file())
        .env("NO_COLOR", "1")
        .output()
        .await
        .unwrap();
    let findings: serde_json::Value = serde_json::from_slice(&check.stdout).unwrap();
    let findings = findings["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["verdict"] == "problem").map(ToString::to_string)
}

/// Gets a new token as a person would: `gangway connect`, a browser, and the address pasted. The port is the app's, so
/// whoever else has it for a moment is waited for.
async fn connect(process: &Process, port: u16) {
    // What it goes on to say has to be heard, or it ends.
    let (mut connect, _says, address) = loop {
        match asked(process, port).await {
            Ok(asked) => break asked,
            Err(said) => assert!(said.contains(&port.to_string()), "{said}"),
        }
    };
    let mut form: Vec<(String, String)> = address.query_pairs().into_owned().collect();
    form.push(("user".into(), "admin@harbour-lights.example".into()));
    form.push(("approve".into(), "1".into()));
    let mut page = address.clone();
    page.set_query(None);
    let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
    let answer = http.post(page).form(&form).send().await.unwrap();
    let location = answer.headers()["location"].to_str().unwrap();
    connect.stdin.take().unwrap().write_all(format!("{location}\n").as_bytes()).await.unwrap();
    let output = connect.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The command, and the address that it asks a person to open; or what it says instead.
async fn asked(
    process: &Process,
    port: u16,
) -> Result<(Child, Lines<BufReader<ChildStderr>>, url::Url), String> {
    let mut connect = Command::new(PROGRAM)
        .args(["connect", "acme", "--no-browser", "--port", &port.to_string(), "--config"])
        .arg(process.config_file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(connect.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        let address = line.trim().parse::<url::Url>().ok().filter(|url| url.path().ends_with("/authorize"));
        if let Some(address) = address {
            return Ok((connect, lines, address));
        }
        said.push_str(&line);
    }
    Err(said)
}

/// When the gateway is killed.
#[derive(Debug)]
enum Kill {
    /// Somewhere around the refresh.
    Anywhere(Duration),
    /// So soon after the token endpoint was called.
    Called(Duration),
    /// When the change has been answered: its token must be on the disk.
    Answered,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_grant_is_lost_that_salesforce_still_honours() {
    let mut random = StdRng::seed_from_u64(seed());
    let (mut process, port) = start().await;
    let org = process.org();
    assert_eq!(join(&process, "first@acme.example".into()).await.unwrap(), Some(201));
    let (mut lost, started) = (0, Instant::now());
    for round in 0..rotations() {
        org.expire_tokens().await;
        let calls = org.calls().await.token;
        let kill = match random.random_range(0..3) {
            0 => Kill::Anywhere(Duration::from_micros(random.random_range(0..60_000))),
            1 => Kill::Called(Duration::from_micros(random.random_range(0..20_000))),
            _ => Kill::Answered,
        };
        let joining = join(&process, format!("r{round}@acme.example"));
        match &kill {
            Kill::Anywhere(after) => tokio::time::sleep(*after).await,
            Kill::Called(after) => {
                while org.calls().await.token == calls && !joining.is_finished() {
                    tokio::task::yield_now().await;
                }
                tokio::time::sleep(*after).await;
            }
            Kill::Answered => {
                while !joining.is_finished() {
                    tokio::task::yield_now().await;
                }
            }
        }
        process.kill().await;
        let answered = joining.await.unwrap();
        process.restart().await;
        let status = join(&process, format!("r{round}-again@acme.example")).await.unwrap();
        let said = if status == Some(201) { None } else { problem(&process).await };
        let context =
            format!("seed {}, round {round}, {kill:?}, answered {answered:?}, {status:?}, {said:?}", seed());
        match said {
            None => assert_eq!(status, Some(201), "{context}"),
            Some(said) => {
                // Salesforce had rotated, and the process died before it could write the answer down. Nothing else is a
                // reason to lose a grant, and nobody has heard that the change had succeeded.
                assert!(said.contains("between Salesforce's answer and Gangway's disk"), "{context}");
                assert!(answered.is_none() && !matches!(kill, Kill::Answered), "{context}");
                lost += 1;
                connect(&process, port).await;
                let again = join(&process, format!("r{round}-connected@acme.example")).await.unwrap();
                assert_eq!(again, Some(201), "{context}");
            }
        }
    }
    println!("{} kills, {lost} in the gap that nobody can close, {:?}", rotations(), started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_and_commands_beside_it_refresh_once_each_time() {
    let (process, _) = start().await;
    let org = process.org();
    assert_eq!(join(&process, "first@acme.example".into()).await.unwrap(), Some(201));
    for round in 0..4 {
        org.expire_tokens().await;
        let calls = org.calls().await.token;
        let joining: Vec<_> = (0..20).map(|n| join(&process, format!("r{round}-{n}@acme.example"))).collect();
        let checks = futures::future::join_all((0..2).map(|_| problem(&process))).await;
        assert_eq!(checks, [None, None]);
        for joining in joining {
            assert_eq!(joining.await.unwrap(), Some(201));
        }
        assert_eq!(org.calls().await.token, calls + 1, "round {round}");
    }
}
