//! Reads: they are answered from the store and never cost an API call.

use std::{fs, sync::Arc, time::Duration};

use serde_json::{Value, json};

use crate::{
    Failure,
    load::{self, Connection, Measured, request, uniform},
    process::{Process, free_address, leave_the_server_its_core},
    report::Report,
    writes::{Gateway, TOKEN, person},
};

const CONNECTIONS: usize = 32;
/// No org is ever called.
const NOBODY: &str = r#"
[targets.nobody]
object = "User"
when = 'false'

[targets.nobody.fields]
LastName = 'user.name.familyName'
"#;

/// Measures reads with so many identities in the store.
pub fn measure(identities: &[usize], seconds: u64) -> Result<(), Failure> {
    leave_the_server_its_core()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::new("reads");
    for &count in identities {
        runtime.block_on(with(count, Duration::from_secs(seconds), &mut report))?;
    }
    report.write()
}

async fn with(count: usize, time: Duration, report: &mut Report) -> Result<(), Failure> {
    let mut gateway = Gateway::start(None, NOBODY)?;
    report.add(
        &format!("start to first connection, empty ({count} to come)"),
        None,
        json!({"ms": ms(gateway.process.start)}),
    );
    let ids = Arc::new(fill(&gateway, count).await?);
    gateway.restart()?;
    report.add(
        &format!("start to first connection, {count} identities"),
        None,
        json!({"ms": ms(gateway.process.start)}),
    );

    let one = ids[0].clone();
    let (_, body) = Connection::open(gateway.process.address)
        .await?
        .send(&request("GET", &format!("/scim/v2/Users/{one}"), TOKEN, ""))
        .await?;
    let file = gateway.directory.path().join("body.json");
    fs::write(&file, &body)?;
    let address = free_address()?;
    let bare = Process::start(
        address,
        &["bare", "--listen", &address.to_string(), "--body", file.to_str().ok_or("the path is no text")?],
    )?;

    // In turns, so that a change in the machine's mood hits both.
    let by_id = {
        let ids = Arc::clone(&ids);
        Arc::new(move |n| {
            request("GET", &format!("/scim/v2/Users/{}", ids[uniform(n, ids.len())]), TOKEN, "")
        })
    };
    let by_name = Arc::new(move |n| {
        let name = format!("p{}%40acme.example", uniform(n, count));
        request("GET", &format!("/scim/v2/Users?filter=userName%20eq%20%22{name}%22"), TOKEN, "")
    });
    let pages = Arc::new(move |n| {
        let start = uniform(n, count.saturating_sub(100).max(1)) + 1;
        request("GET", &format!("/scim/v2/Users?startIndex={start}&count=100"), TOKEN, "")
    });
    let bare_run = timed(&bare, time, by_id.clone()).await?;
    let get = timed(&gateway.process, time, by_id).await?;
    let find = timed(&gateway.process, time, by_name).await?;
    let bare_again = timed(&bare, time, Arc::new(|_| request("GET", "/", TOKEN, ""))).await?;
    let page = timed(&gateway.process, time, pages).await?;
    let best = bare_run.0.per_second.max(bare_again.0.per_second);
    for (what, (measured, cpu)) in [("bare handler", &bare_run), ("bare handler, again", &bare_again)] {
        report.add(&format!("{what}, {count}"), Some(measured), json!({"cpu_ms": cpu}));
    }
    for (what, (measured, cpu)) in
        [("GET /Users/{id}", &get), ("GET userName eq", &find), ("GET page of 100", &page)]
    {
        let ratio = measured.per_second / best;
        report.add(
            &format!("{what}, {count}"),
            Some(measured),
            json!({"cpu_ms": cpu, "ratio_to_bare": ratio}),
        );
    }
    report.add(&format!("memory, {count} identities"), None, json!({"MiB": gateway.process.memory()?}));
    Ok(())
}

/// A measurement with the server's CPU time per request, in milliseconds.
async fn timed(server: &Process, time: Duration, make: load::Make) -> Result<(Measured, f64), Failure> {
    let _ = load::run(server.address, CONNECTIONS, Duration::from_millis(500), 200, make.clone()).await?;
    let before = server.cpu()?;
    let measured = load::run(server.address, CONNECTIONS, time, 200, make).await?;
    let cpu = (server.cpu()? - before) * 1_000.0 / measured.requests as f64;
    Ok((measured, cpu))
}

/// Creates people over SCIM, many at once, so that they share their fsyncs.
async fn fill(gateway: &Gateway, count: usize) -> Result<Vec<String>, Failure> {
    const CALLERS: usize = 200;
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let address = gateway.process.address;
        callers.push(tokio::spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut ids = Vec::new();
            for n in (caller..count).step_by(CALLERS) {
                let body = person(&format!("p{n}@acme.example"), n).to_string();
                let (status, body) =
                    connection.send(&request("POST", "/scim/v2/Users", TOKEN, &body)).await?;
                if status != 201 {
                    return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
                }
                let body: Value = serde_json::from_slice(&body)?;
                ids.push(body["id"].as_str().ok_or("no id")?.to_owned());
            }
            Ok::<_, Failure>(ids)
        }));
    }
    let mut ids = Vec::new();
    for caller in callers {
        ids.extend(caller.await??);
    }
    Ok(ids)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
