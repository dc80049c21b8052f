//! A small scripted org: a socket, a function from requests to answers, and a record of what happened.

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use model::{ClientName, Clock, OrgName, ResourceId, Timestamp};
use salesforce_client::{Asker, Flow, Org, OrgConfig, Saved, Ticket, TokenVault, VaultError, retry::Pace};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
};

/// A ticket of somebody.
pub fn a_ticket(takes_access_away: bool) -> Ticket {
    ticket_of("acme/prod", "hr", "1", takes_access_away)
}

/// A ticket of a tenant's client for an identity.
pub fn ticket_of(tenant: &str, client: &str, identity: &str, takes_access_away: bool) -> Ticket {
    let asker = Asker {
        tenant: tenant.parse().unwrap(),
        client: ClientName::new(client).unwrap(),
        identity: ResourceId::from_text(identity),
    };
    Ticket::new(asker, takes_access_away)
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Such as `POST /services/data/v66.0/sobjects/User`, without the query.
    pub line: String,
    pub query: String,
    /// All headers, lower-case.
    pub head: String,
    pub body: String,
    /// How many requests with this line came before.
    pub earlier: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What the script does with a request.
pub enum Reply {
    Answer {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// Read the request, then close the connection.
    Cut,
    /// Read the request, and never answer.
    Silence,
    /// Answer when the gate opens.
    Later(Gate, Box<Reply>),
}

pub fn answer(status: u16, body: &Value) -> Reply {
    Reply::Answer {
        status,
        headers: vec![("content-type", "application/json;charset=UTF-8".to_owned())],
        body: body.to_string(),
    }
}

pub fn empty(status: u16) -> Reply {
    Reply::Answer { status, headers: Vec::new(), body: String::new() }
}

pub fn html(status: u16) -> Reply {
    Reply::Answer {
        status,
        headers: vec![("content-type", "text/html".to_owned())],
        body: "<html><body>Down for Maintenance</body></html>".to_owned(),
    }
}

pub fn error(status: u16, code: &str, message: &str) -> Reply {
    answer(status, &json!([{ "message": message, "errorCode": code }]))
}

impl Reply {
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }

    pub fn after(self, gate: &Gate) -> Self {
        Self::Later(gate.clone(), Box::new(self))
    }
}

/// Something that answers wait at until the test opens it.
#[derive(Clone)]
pub struct Gate(Arc<Semaphore>);

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }
}

impl Gate {
    pub fn open(&self) {
        self.0.close();
    }

    async fn wait(&self) {
        let _ = self.0.acquire().await;
    }
}

/// No state that a test waits for takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What happened, in order, told by the server and the vault alike.
#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Vec<String>>>, Arc<Notify>);

impl Record {
    pub fn add(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
        self.1.notify_waiters();
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until it has happened; a test that waits in vain fails.
    pub async fn wait_for(&self, what: &str) {
        let happened = async {
            loop {
                let changed = self.1.notified();
                if self.count(what) > 0 {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, happened).await.unwrap();
    }

    pub fn count(&self, what: &str) -> usize {
        self.all().iter().filter(|entry| *entry == what).count()
    }
}

pub struct Server {
    pub url: String,
    pub record: Record,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers each request as the script says. The script is told its own address.
    pub async fn start(script: impl Fn(&Seen, &str) -> Reply + Send + Sync + 'static) -> Self {
        Self::recording(Record::default(), script).await
    }

    pub async fn recording(
        record: Record,
        script: impl Fn(&Seen, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let server = Self { url: url.clone(), record: record.clone(), seen: Arc::clone(&seen) };
        let script = Arc::new(script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, record, seen, url) =
                    (Arc::clone(&script), record.clone(), Arc::clone(&seen), url.clone());
                tokio::spawn(async move {
                    let Some((mut stream, mut request)) = read(stream).await else { return };
                    request.earlier = record.count(&request.line);
                    record.add(request.line.clone());
                    seen.lock().unwrap().push(request.clone());
                    let mut reply = script(&request, &url);
                    while let Reply::Later(gate, then) = reply {
                        gate.wait().await;
                        reply = *then;
                    }
                    match reply {
                        Reply::Later(..) | Reply::Cut => drop(stream),
                        Reply::Silence => std::future::pending().await,
                        Reply::Answer { status, headers, body } => {
                            let mut text = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\n");
                            if status != 204 && status != 304 {
                                write!(text, "content-length: {}\r\n", body.len()).unwrap();
                            }
                            for (name, value) in headers {
                                write!(text, "{name}: {value}\r\n").unwrap();
                            }
                            write!(text, "\r\n{body}").unwrap();
                            let _ = stream.write_all(text.as_bytes()).await;
                        }
                    }
                });
            }
        });
        server
    }

    pub fn seen(&self, line: &str) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|seen| seen.line == line).cloned().collect()
    }

    pub fn count(&self, line: &str) -> usize {
        self.seen(line).len()
    }
}

async fn read(mut stream: TcpStream) -> Option<(TcpStream, Seen)> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut piece).await {
            Ok(count @ 1..) => bytes.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let (first, headers) = head.split_once("\r\n").unwrap();
    let headers = headers.lines().fold(String::new(), |mut all, line| {
        let (name, value) = line.split_once(": ").unwrap();
        writeln!(all, "{}: {value}", name.to_lowercase()).unwrap();
        all
    });
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length.unwrap_or(0) {
        match stream.read(&mut piece).await {
            Ok(count @ 1..) => body.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    }
    let mut words = first.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let seen = Seen {
        line: format!("{method} {path}"),
        query: query.to_owned(),
        head: headers,
        body: String::from_utf8(body).unwrap(),
        earlier: 0,
    };
    Some((stream, seen))
}

/// A vault in memory that tells the record what it does and can be out of order. Clones of its `Arc` are what several
/// processes share.
pub struct Vault {
    kept: Mutex<Option<(u64, String)>>,
    turn: Mutex<Option<(String, Timestamp)>>,
    pub record: Record,
    /// How many of the next writes of another refresh token fail.
    pub broken: AtomicUsize,
}

impl Vault {
    /// A vault with nothing in it but a refresh token.
    pub fn with(token: Option<&str>, record: Record) -> Arc<Self> {
        let kept = Mutex::new(token.map(|token| (1, token.to_owned())));
        Arc::new(Self { kept, turn: Mutex::default(), record, broken: AtomicUsize::new(0) })
    }

    /// The refresh token in it.
    pub fn token(&self) -> Option<String> {
        self.kept.lock().unwrap().as_ref().and_then(|(_, grant)| refresh_token(grant))
    }

    /// Everything in it.
    pub fn grant(&self) -> Value {
        let kept = self.kept.lock().unwrap();
        kept.as_ref().map_or(Value::Null, |(_, grant)| serde_json::from_str(grant).unwrap_or_default())
    }

    /// Puts a bare refresh token there, as if somebody had connected the org.
    pub fn put(&self, token: &str) {
        let mut kept = self.kept.lock().unwrap();
        let version = kept.as_ref().map_or(0, |(version, _)| *version);
        *kept = Some((version + 1, token.to_owned()));
    }

    /// A process has the turn.
    pub fn give_turn(&self, holder: &str, until: Timestamp) {
        *self.turn.lock().unwrap() = Some((holder.to_owned(), until));
    }

    pub fn is_free(&self) -> bool {
        self.turn.lock().unwrap().is_none()
    }
}

fn refresh_token(grant: &str) -> Option<String> {
    match serde_json::from_str::<Value>(grant) {
        Ok(grant) => Some(grant["refresh"]["token"].as_str()?.to_owned()),
        Err(_) => Some(grant.to_owned()),
    }
}

#[async_trait]
impl TokenVault for Vault {
    async fn load(&self, _: &OrgName) -> Result<Option<Saved>, VaultError> {
        let kept = self.kept.lock().unwrap().clone();
        Ok(kept.map(|(version, grant)| Saved { version, grant: grant.into() }))
    }

    async fn replace(
        &self,
        _: &OrgName,
        known: u64,
        grant: &SecretString,
    ) -> Result<Option<u64>, VaultError> {
        let mut kept = self.kept.lock().unwrap();
        let before = kept.as_ref().and_then(|(_, grant)| refresh_token(grant));
        let token = refresh_token(grant.expose_secret());
        let changes = token != before;
        let fails = |left: usize| left.checked_sub(1);
        if changes && self.broken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fails).is_ok() {
            return Err(VaultError("the disk is full".to_owned()));
        }
        if kept.as_ref().map_or(0, |(version, _)| *version) != known {
            return Ok(None);
        }
        if changes {
            self.record.add(format!("save {}", token.unwrap_or_default()));
        }
        *kept = Some((known + 1, grant.expose_secret().to_owned()));
        Ok(Some(known + 1))
    }

    async fn take_turn(
        &self,
        _: &OrgName,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, VaultError> {
        let mut turn = self.turn.lock().unwrap();
        if turn.as_ref().is_some_and(|(other, until)| other != holder && *until > now) {
            return Ok(false);
        }
        *turn = Some((holder.to_owned(), until));
        Ok(true)
    }

    async fn end_turn(&self, _: &OrgName, holder: &str) -> Result<(), VaultError> {
        self.turn.lock().unwrap().take_if(|(of, _)| of == holder);
        Ok(())
    }
}

pub const TOKEN: &str = "POST /services/oauth2/token";
pub const USERS: &str = "POST /services/data/v66.0/sobjects/User";
pub const COMPOSITE: &str = "POST /services/data/v66.0/composite";
pub const SOAP: &str = "POST /services/Soap/u/66.0";
pub const QUERY: &str = "GET /services/data/v66.0/query";
pub const DESCRIBE: &str = "GET /services/data/v66.0/sobjects/User/describe";

/// A token answer without rotation.
pub fn token(url: &str, access_token: &str) -> Reply {
    answer(
        200,
        &json!({
            "access_token": access_token,
            "instance_url": url,
            "id": "https://login.salesforce.com/id/00D5f000005mc66EAA/0055f000005mc66AAA",
            "token_type": "Bearer",
            "issued_at": "1767225600000",
        }),
    )
}

pub fn config(url: &str) -> OrgConfig {
    OrgConfig {
        name: "acme".parse().unwrap(),
        url: url.parse().unwrap(),
        flow: Flow::ClientCredentials { client_id: "key".into(), client_secret: "secret".into() },
        api_version: "v66.0".to_owned(),
        reserve_calls: 0,
        call_timeout: Duration::from_secs(20),
        max_in_flight: 20,
        keep_alive: Duration::from_hours(24),
    }
}

pub fn with_refresh_token(url: &str, token: Option<&str>) -> OrgConfig {
    let refresh_token = token.map(SecretString::from);
    let flow = Flow::RefreshToken { client_id: "key".into(), client_secret: None, refresh_token };
    OrgConfig { flow, ..config(url) }
}

pub fn clock() -> Clock {
    Clock::manual("2026-01-01T00:00:00Z".parse().unwrap())
}

/// An org with client credentials and no pauses between tries.
pub fn org(config: OrgConfig) -> Org {
    org_with(config, Vault::with(None, Record::default()), clock())
}

pub fn org_with(config: OrgConfig, vault: Arc<dyn TokenVault>, clock: Clock) -> Org {
    Org::with_pace(config, vault, clock, Pace::without_pauses())
}
