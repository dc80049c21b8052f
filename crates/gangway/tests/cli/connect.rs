//! `gangway connect` against a simulated org, with a test for a browser.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::{Child, ChildStdin, Output, Stdio},
};

use reqwest::redirect::Policy;
use salesforce_sim::SimConfig;

use crate::world::{World, complaint, gangway, json, until};

const ADMIN: &str = "admin@harbour-lights.example";

/// A world whose configuration has no refresh token, and whose app knows the callback on this port.
async fn world() -> (World, u16) {
    // Free a moment ago; the command says so if it is not any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let callbacks = vec![format!("http://localhost:{port}/callback")];
    let world = World::with(SimConfig { callbacks, ..SimConfig::default() }).await;
    let config = world.config().replace("refresh-token = { file = \"refresh-token\" }\n", "");
    world.write("gangway.toml", &config);
    (world, port)
}

/// `gangway connect` under way, and the address that it wants opened.
struct Connecting {
    process: Child,
    stdin: Option<ChildStdin>,
    address: url::Url,
    said: std::thread::JoinHandle<String>,
}

impl Connecting {
    fn start(world: &World, port: u16) -> Self {
        let mut process = gangway(&["--output", "json", "connect", "acme", "--no-browser", "--port"])
            .arg(port.to_string())
            .arg("--config")
            .arg(world.path("gangway.toml"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let address = lines
            .by_ref()
            .inspect(|line| {
                said.push_str(line);
                said.push('\n');
            })
            .find_map(|line| {
                line.trim().parse().ok().filter(|url: &url::Url| url.path().ends_with("/authorize"))
            });
        let address = address.unwrap_or_else(|| panic!("no address to open: {said}"));
        // What it says later is read as it comes, so that it never waits for a reader.
        let said = std::thread::spawn(move || lines.fold(said, |said, line| said + &line + "\n"));
        let stdin = process.stdin.take();
        Self { process, stdin, address, said }
    }

    /// Signs in as a browser would; answers the address that Salesforce sends it to.
    async fn sign_in(&self, changes: &[(&str, &str)]) -> String {
        let mut form: HashMap<String, String> = self.address.query_pairs().into_owned().collect();
        form.insert("user".to_owned(), ADMIN.to_owned());
        form.insert("approve".to_owned(), "1".to_owned());
        form.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let mut page = self.address.clone();
        page.set_query(None);
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let answer = http.post(page).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 302, "{:?}", answer.text().await);
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    fn paste(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn end(mut self) -> Output {
        self.stdin.take();
        let mut output = self.process.wait_with_output().unwrap();
        output.stderr = self.said.join().unwrap().into_bytes();
        output
    }
}

async fn visit(address: &str) -> (u16, String) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = http.get(address).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_browser_brings_the_first_token_and_it_is_said_whose_it_is() {
    let (world, port) = world().await;
    let connecting = Connecting::start(&world, port);
    let address = connecting.sign_in(&[]).await;
    // Others may call the port meanwhile.
    assert_eq!(visit(&format!("http://localhost:{port}/favicon.ico")).await.0, 404);
    let forged = format!("http://localhost:{port}/callback?code=aPrxForged&state=forged");
    assert_eq!(visit(&forged).await.0, 400);
    let (status, page) = visit(&address).await;
    assert_eq!(status, 200);
    assert!(page.contains("Signed in"), "{page}");

    let output = connecting.end();
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let answer = json(&output);
    assert_eq!((&answer["org"], &answer["username"]), (&"acme".into(), &ADMIN.into()));
    assert!(answer["organizationId"].as_str().unwrap().starts_with("00D"), "{answer}");
    let code = address.split("code=").nth(1).unwrap().split('&').next().unwrap();
    assert!(!complaint(&output).contains(code), "the code is not repeated");

    let check = world.run(&["check", "--output", "json"]);
    assert_eq!(check.status.code(), Some(0), "{}", json(&check));
    assert_eq!(world.org.handle().token_calls(), 1, "its access token is shared, too");
}

#[tokio::test]
async fn from_another_machine_the_address_is_pasted() {
    let (world, port) = world().await;
    let mut connecting = Connecting::start(&world, port);
    let address = connecting.sign_in(&[]).await;
    connecting.paste("");
    connecting.paste("what do you want");
    connecting.paste(&address);
    let output = connecting.end();
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert!(complaint(&output).contains("neither the address"), "{}", complaint(&output));
}

#[tokio::test]
async fn who_says_no_is_told_what_to_do() {
    let (world, port) = world().await;
    let connecting = Connecting::start(&world, port);
    let address = connecting.sign_in(&[("deny", "1")]).await;
    assert_eq!(visit(&address).await.0, 400);
    let output = connecting.end();
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("allow the access"), "{}", complaint(&output));
}

#[tokio::test]
async fn an_org_that_is_not_there_or_needs_no_browser_is_said_so() {
    let (world, _) = world().await;
    let output = world.run(&["connect", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("there are: acme"), "{}", complaint(&output));
    let config = world
        .config()
        .replace("refresh-token = { file = \"refresh-token\" }", "flow = \"client-credentials\"");
    world.write("gangway.toml", &config);
    let output = world.run(&["connect", "acme", "--port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("needs no browser"), "{}", complaint(&output));
}

#[tokio::test]
async fn a_running_gateway_whose_org_is_parked_takes_the_new_token_at_once() {
    let (world, port) = world().await;
    let served = world.serve();
    assert_eq!(served.create("ada@acme.example").await.status(), 503);
    assert_eq!(served.readiness().await["checks"]["orgs"], "parked");
    let connecting = Connecting::start(&world, port);
    let address = connecting.sign_in(&[]).await;
    assert_eq!(visit(&address).await.0, 200);
    let output = connecting.end();
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert_eq!(json(&output)["gatewayRunning"], true);
    until("the org works again", async || served.readiness().await["checks"]["orgs"] == "ok").await;
    assert_eq!(served.create("ada@acme.example").await.status(), 201);
}
