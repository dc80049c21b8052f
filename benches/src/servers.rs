//! The processes that are measured: the gateway, the simulated org, and the bare handler that the gateway's reads are held
//! against.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use actix_web::{App, HttpResponse, HttpServer, web};
use clap::{Args, Subcommand};

/// One server process.
#[derive(Args)]
pub struct Serve {
    #[command(subcommand)]
    which: Which,
}

#[derive(Subcommand)]
enum Which {
    /// The gateway as shipped.
    Gateway {
        #[arg(long)]
        config: PathBuf,
    },
    /// An actix-web handler that parses and prints the same JSON, and does nothing else.
    Bare {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        body: PathBuf,
    },
    /// The simulated org.
    Org {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        latency: u64,
        #[arg(long, default_value_t = 0)]
        per_record: u64,
        /// What it has beyond a new org.
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// An identity source: this key set, and a profile for every uuid.
    Source {
        #[arg(long)]
        listen: SocketAddr,
        #[arg(long)]
        keys: PathBuf,
    },
}

/// Serves until it is killed.
pub fn serve(serve: Serve) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let served = match serve.which {
        Which::Gateway { config } => return gateway(config),
        Which::Bare { listen, body } => runtime.block_on(bare(listen, body)),
        Which::Org { listen, latency, per_record, file } => {
            let (latency, per_record) = (Duration::from_millis(latency), Duration::from_millis(per_record));
            runtime.block_on(org(listen, latency, per_record, file))
        }
        Which::Source { listen, keys } => runtime.block_on(source(listen, keys)),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn gateway(config: PathBuf) -> ExitCode {
    gangway::commands::run(["gangway".into(), "serve".into(), "--config".into(), config.into_os_string()])
}

async fn bare(listen: SocketAddr, body: PathBuf) -> Result<(), crate::Failure> {
    let body = std::fs::read(body)?;
    HttpServer::new(move || {
        let body = body.clone();
        App::new().default_service(web::to(move || {
            let value: serde_json::Value = serde_json::from_slice(&body).expect("the body is JSON");
            async move {
                HttpResponse::Ok()
                    .content_type("application/scim+json")
                    .body(serde_json::to_vec(&value).expect("JSON can be written"))
            }
        }))
    })
    .keep_alive(Duration::from_secs(75))
    .bind(listen)?
    .run()
    .await?;
    Ok(())
}

/// Each profile is another one whenever it is asked for, so that there is something to write.
async fn source(listen: SocketAddr, keys: PathBuf) -> Result<(), crate::Failure> {
    let keys = std::fs::read_to_string(keys)?;
    let asked = web::Data::new(std::sync::atomic::AtomicU64::new(0));
    let profile = async |form: web::Form<std::collections::HashMap<String, String>>,
                         asked: web::Data<std::sync::atomic::AtomicU64>| {
        let number = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let uuid = form.get("uuid").cloned().unwrap_or_default();
        HttpResponse::Ok().json(serde_json::json!({"stat": "ok", "result": {
            "uuid": uuid, "email": format!("{uuid}@example.net"), "givenName": "Noor", "familyName": format!("Haddad {number}"),
            "emailVerified": "2026-08-04 09:12:44 +0000", "lastUpdated": "2026-08-05 08:00:01.774310 +0000",
        }}))
    };
    HttpServer::new(move || {
        let keys = keys.clone();
        App::new().app_data(asked.clone()).route("/entity", web::post().to(profile)).default_service(web::to(
            move || {
                let keys = keys.clone();
                async move { HttpResponse::Ok().content_type("application/json").body(keys) }
            },
        ))
    })
    .keep_alive(Duration::from_secs(75))
    .bind(listen)?
    .run()
    .await?;
    Ok(())
}

async fn org(
    listen: SocketAddr,
    latency: Duration,
    per_record: Duration,
    org_file: Option<PathBuf>,
) -> Result<(), crate::Failure> {
    let sim = salesforce_sim::Sim::start(salesforce_sim::SimConfig {
        listen,
        client_id: "bench".into(),
        client_secret: "bench".into(),
        refresh_token: "bench".into(),
        latency,
        latency_per_record: per_record,
        org_file,
        ..salesforce_sim::SimConfig::default()
    })
    .await?;
    // A seat for everybody who is created while it is measured.
    if !sim.handle().set_licence_total("Salesforce", 10_000_000) {
        return Err("the simulated org has no licence `Salesforce`".into());
    }
    std::future::pending::<()>().await;
    Ok(())
}
