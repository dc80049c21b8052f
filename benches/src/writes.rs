//! Writes: what Gangway adds to the org's own latency, and what it saves in API calls.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Failure,
    load::{self, Connection, request, request_of, uniform},
    process::{Process, free_address, leave_the_server_its_core},
    report::Report,
};

/// What the load generator authenticates with.
pub const TOKEN: &str = "bench-token";
/// The same for a client that is answered once its request is in the journal.
pub const STORED_TOKEN: &str = "bench-token-stored";

/// Measures writes at these latencies of the org and over so many connections.
pub fn measure(latencies: &[u64], connections: &[usize], seconds: u64) -> Result<(), Failure> {
    leave_the_server_its_core()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::new("writes");
    let time = Duration::from_secs(seconds);
    for &latency in latencies {
        for &connections in connections {
            runtime.block_on(with(latency, connections, time, &mut report))?;
        }
    }
    report.write()
}

async fn with(latency: u64, connections: usize, time: Duration, report: &mut Report) -> Result<(), Failure> {
    let address = free_address()?;
    let org = Process::start(
        address,
        &["org", "--listen", &address.to_string(), "--latency", &latency.to_string()],
    )?;
    let gateway = Gateway::start(Some(&org), "")?;
    let what = |name: &str| format!("{name}, org {latency} ms, {connections} connections");

    // The disk and the org by themselves, in the same run.
    if connections == 1 {
        let (p50, p99) = fdatasync(gateway.directory.path())?;
        report.add(&what("fdatasync"), None, json!({"p50_us": p50, "p99_us": p99}));
        let token = org_token(&org).await?;
        let profile = record_id(&org, "Profile", "Standard User").await?;
        let direct = Arc::new(move |n| {
            let body = json!({"Username": format!("direct{n}@acme.example"), "LastName": "L", "Email": "d@acme.example",
                "Alias": "a", "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8",
                "LanguageLocaleKey": "en_US", "ProfileId": profile, "IsActive": false});
            let path = "/services/data/v66.0/sobjects/User";
            request_of("application/json", "POST", path, &token, &body.to_string())
        });
        let measured = load::run(org.address, 1, time, 201, direct).await?;
        report.add(&what("the org's own create"), Some(&measured), json!({}));
    }

    let names = Arc::new(AtomicU64::new(0));
    let create = {
        let names = Arc::clone(&names);
        Arc::new(move |_| {
            let n = names.fetch_add(1, Ordering::Relaxed);
            request("POST", "/scim/v2/Users", TOKEN, &person(&format!("w{n}@acme.example"), 0).to_string())
        })
    };
    // The catalogue is warm, and somebody is there to be changed.
    let warm = 200.max(connections);
    let _ = load::run(
        gateway.process.address,
        connections.min(8),
        Duration::from_millis(300),
        201,
        create.clone(),
    )
    .await?;
    let people = Arc::new(people(&gateway, warm).await?);
    let put = {
        let people = Arc::clone(&people);
        Arc::new(move |n| {
            let person = &people[uniform(n, people.len())];
            let path = format!("/scim/v2/Users/{}", person["id"].as_str().unwrap_or_default());
            request("PUT", &path, TOKEN, &person.to_string())
        })
    };
    let patch = Arc::new(move |n: u64| {
        let person = &people[uniform(n, people.len())];
        let path = format!("/scim/v2/Users/{}", person["id"].as_str().unwrap_or_default());
        let body = json!({"Operations": [{"op": "replace", "path": "title", "value": format!("Title {n}")}]});
        request("PATCH", &path, TOKEN, &body.to_string())
    });
    let kinds: [(&str, u16, load::Make); 3] =
        [("create", 201, create), ("PUT without change", 200, put), ("PATCH", 200, patch)];
    for (name, status, make) in kinds {
        let (calls, cpu) = (api_calls(&org).await?, gateway.process.cpu()?);
        let measured = load::run(gateway.process.address, connections, time, status, make).await?;
        let each = measured.requests as f64;
        let calls = (api_calls(&org).await? - calls) as f64 / each;
        let cpu = (gateway.process.cpu()? - cpu) * 1_000.0 / each;
        report.add(
            &what(name),
            Some(&measured),
            json!({"calls_each": calls, "cpu_ms": cpu, "MiB": gateway.process.memory()?}),
        );
    }
    Ok(())
}

/// A gateway process with a store of its own.
pub struct Gateway {
    /// The process.
    pub process: Process,
    /// Where its store and configuration are.
    pub directory: TempDir,
}

impl Gateway {
    /// In front of this org, or of one that is never called because no target's rule (`when`) ever holds. Without a mapping it
    /// has the standard one.
    pub fn start(org: Option<&Process>, mapping: &str) -> Result<Self, Failure> {
        Self::with(org, mapping, "", &[])
    }

    /// With more of a configuration, and the files that it names.
    pub fn with(
        org: Option<&Process>,
        mapping: &str,
        more: &str,
        files: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let listen = free_address()?;
        let org =
            org.map_or_else(|| "http://127.0.0.1:1".to_owned(), |org| format!("http://{}", org.address));
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text);
        write("secret", "bench")?;
        for (name, text) in files {
            write(name, text)?;
        }
        fs::create_dir(directory.path().join("data"))?;
        let mapping = if mapping.is_empty() {
            ""
        } else {
            write("mapping.toml", mapping)?;
            "mapping = \"mapping.toml\""
        };
        let [token, stored] =
            [TOKEN, STORED_TOKEN].map(|token| hex(digest(&SHA256, token.as_bytes()).as_ref()));
        write(
            "gangway.toml",
            &format!(
                r#"
                [server]
                listen = "{listen}"
                requests-per-second = 1000000
                [log]
                filter = "error"
                [store]
                url = "sqlite:data/gangway.db"
                key-file = "gangway.key"
                [orgs.bench]
                url = "{org}"
                flow = "refresh-token"
                client-id = "bench"
                client-secret = {{ file = "secret" }}
                refresh-token = {{ file = "secret" }}
                [customers.acme.environments.prod]
                default = true
                {mapping}
                [[customers.acme.environments.prod.clients]]
                name = "bench"
                token-sha256 = ["{token}"]
                may = "write"
                [[customers.acme.environments.prod.clients]]
                name = "bench-stored"
                token-sha256 = ["{stored}"]
                may = "write"
                acknowledge = "stored"
                {more}
                "#
            ),
        )?;
        let process = Self::serve(listen, &directory)?;
        Ok(Self { process, directory })
    }

    /// Starts it again on the same store.
    pub fn restart(&mut self) -> Result<(), Failure> {
        let listen = self.process.address;
        // The old one has to let go of the store first.
        self.process.stop();
        self.process = Self::serve(listen, &self.directory)?;
        Ok(())
    }

    fn serve(listen: std::net::SocketAddr, directory: &TempDir) -> Result<Process, Failure> {
        let config = directory.path().join("gangway.toml");
        Process::start(listen, &["gateway", "--config", config.to_str().ok_or("the path is no text")?])
    }
}

/// A person of about one kilobyte, with all that tools usually send.
pub fn person(user_name: &str, n: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
        "externalId": user_name,
        "userName": user_name,
        "name": {"formatted": format!("Given{n} Family{n}"), "familyName": format!("Family{n}"), "givenName": format!("Given{n}")},
        "displayName": format!("Given{n} Family{n}"),
        "emails": [{"value": user_name, "type": "work", "primary": true}],
        "phoneNumbers": [{"value": "+31301234567", "type": "work"}, {"value": "+31612345678", "type": "mobile"}],
        "addresses": [{"type": "work", "streetAddress": "Oudegracht 1", "locality": "Utrecht", "postalCode": "3511 AB", "country": "NL"}],
        "title": "Service Manager",
        "preferredLanguage": "nl-NL",
        "locale": "nl-NL",
        "timezone": "Europe/Amsterdam",
        "active": true,
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":
            {"employeeNumber": format!("{n}"), "department": "Service", "organization": "Acme"},
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

async fn people(gateway: &Gateway, count: usize) -> Result<Vec<Value>, Failure> {
    let mut connection = Connection::open(gateway.process.address).await?;
    let mut people = Vec::new();
    for n in 0..count {
        let body = person(&format!("there{n}@acme.example"), n).to_string();
        let (status, body) = connection.send(&request("POST", "/scim/v2/Users", TOKEN, &body)).await?;
        if status != 201 {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
        people.push(serde_json::from_slice(&body)?);
    }
    Ok(people)
}

/// What the disk takes for what a journal write asks of it: half and 99 in a hundred, in microseconds.
pub fn fdatasync(directory: &std::path::Path) -> Result<(u64, u64), Failure> {
    let mut file = File::create(directory.join("fdatasync"))?;
    let mut took = Vec::new();
    for _ in 0..200 {
        file.write_all(&[0; 4096])?;
        let begun = Instant::now();
        file.sync_data()?;
        took.push(u64::try_from(begun.elapsed().as_micros())?);
    }
    took.sort_unstable();
    Ok((took[took.len() / 2], took[took.len() * 99 / 100]))
}

/// What the org's control page of this name says.
pub async fn control(org: &Process, path: &str) -> Result<Value, Failure> {
    Ok(reqwest::get(format!("http://{}/_sim/{path}", org.address)).await?.json().await?)
}

/// How many API calls have arrived.
pub async fn api_calls(org: &Process) -> Result<u64, Failure> {
    control(org, "calls").await?["api_calls"].as_u64().ok_or_else(|| "no api_calls".into())
}

/// The id of the org's record of this `Name`.
pub async fn record_id(org: &Process, object: &str, name: &str) -> Result<String, Failure> {
    let records = control(org, &format!("records/{object}")).await?;
    let all = records["records"].as_array().ok_or("no records")?;
    let found = all.iter().find(|record| record["Name"] == name);
    let id = found.and_then(|record| record["Id"].as_str());
    Ok(id.ok_or_else(|| format!("the simulated org has no {object} `{name}`"))?.to_owned())
}

/// An access token of the org.
pub async fn org_token(org: &Process) -> Result<String, Failure> {
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "bench"),
        ("client_secret", "bench"),
        ("refresh_token", "bench"),
    ];
    let url = format!("http://{}/services/oauth2/token", org.address);
    let answer: Value = reqwest::Client::new().post(url).form(&form).send().await?.json().await?;
    Ok(answer["access_token"].as_str().ok_or("no access token")?.to_owned())
}
