//! A source to verify: its keys, its tokens, and the address where it publishes the keys.

use std::sync::{
    Arc, LazyLock, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use model::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

use crate::set::{Claims, Expect, KeySet, Rejected, SigningKey, verify};

pub const ISSUER: &str = "https://source.example/webhooks";
pub const AUDIENCE: &str = "https://gw.example.com/events/akamai/acme/prod";
/// The `iat` of [`claims`].
pub const IAT: i64 = 1_785_916_800;

/// A private key of the source, in the form of the product and in that of the library, which also signs what is wrong.
pub struct Pair {
    pub ours: SigningKey,
    pub theirs: EncodingKey,
}

/// Two keys, because making one takes long.
pub static ONE: LazyLock<Pair> = LazyLock::new(|| pair("one"));
pub static TWO: LazyLock<Pair> = LazyLock::new(|| pair("two"));

fn pair(kid: &str) -> Pair {
    let pem = SigningKey::generate().unwrap();
    let theirs = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).unwrap();
    Pair { ours: SigningKey::from_pem(kid, &pem).unwrap(), theirs }
}

pub fn now() -> Timestamp {
    Timestamp::from_second(IAT).unwrap()
}

pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": [AUDIENCE], "iat": IAT, "toe": IAT - 2, "jti": "7a1f6a50",
        "events": { "entityUpdated": { "id": "0e4c1a77", "attributes": ["email"] } },
    })
}

/// The claims with some of them replaced, or left out where there is `null`.
pub fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

pub fn expect() -> Expect {
    Expect { issuers: vec![ISSUER.to_owned()], audiences: vec![AUDIENCE.to_owned()], ..Expect::default() }
}

pub fn jwks(keys: &[&Pair]) -> Value {
    json!({ "keys": keys.iter().map(|pair| pair.ours.jwk()).collect::<Vec<_>>() })
}

pub fn fixed(jwks: &Value) -> KeySet {
    KeySet::fixed(jwks.to_string().as_bytes()).unwrap()
}

pub fn header() -> Value {
    json!({ "alg": "RS256", "typ": "secevent+jwt", "kid": "one" })
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of these very texts, well signed whatever they say.
pub fn signed_by(key: &EncodingKey, algorithm: Algorithm, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", base64(header), base64(payload));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

pub fn signed(header: &Value, payload: &str) -> String {
    signed_by(&ONE.theirs, Algorithm::RS256, &header.to_string(), payload)
}

pub fn token(claims: &Value) -> String {
    signed(&header(), &claims.to_string())
}

/// Verifies against the first key, at the time of issue.
pub async fn check(token: &str) -> Result<Claims, Rejected> {
    verify(&fixed(&jwks(&[&ONE])), token, &expect(), now()).await
}

/// Where the source publishes its keys.
pub struct Address {
    pub url: String,
    script: Arc<Script>,
    task: JoinHandle<()>,
}

struct Script {
    answer: Mutex<Answer>,
    requests: AtomicUsize,
    /// Each answer takes one; there are more than enough until [`Address::hold`].
    gate: Semaphore,
}

#[derive(Clone)]
pub enum Answer {
    /// The status line's end, further headers, the body.
    Says(&'static str, String, Vec<u8>),
    /// Takes the request and never answers.
    Hangs,
    /// Closes the connection.
    Cuts,
}

impl Answer {
    pub fn json(value: &Value) -> Self {
        Self::Says("200 OK", String::new(), value.to_string().into_bytes())
    }

    pub fn redirect(to: &str) -> Self {
        Self::Says("302 Found", format!("Location: {to}\r\n"), Vec::new())
    }
}

impl Address {
    pub async fn saying(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwk", listener.local_addr().unwrap());
        let script = Arc::new(Script {
            answer: Mutex::new(answer),
            requests: AtomicUsize::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS / 2),
        });
        let task = tokio::spawn(serve(listener, Arc::clone(&script)));
        Self { url, script, task }
    }

    pub async fn publishing(keys: &[&Pair]) -> Self {
        Self::saying(Answer::json(&jwks(keys))).await
    }

    pub fn says(&self, answer: Answer) {
        *self.script.answer.lock().unwrap() = answer;
    }

    pub fn requests(&self) -> usize {
        self.script.requests.load(Ordering::SeqCst)
    }

    pub fn hold(&self) {
        self.script.gate.forget_permits(usize::MAX);
    }

    pub fn let_pass(&self, answers: usize) {
        self.script.gate.add_permits(answers);
    }

    pub fn release(&self) {
        self.let_pass(1_000);
    }

    /// Waits for so many requests.
    pub async fn asked(&self, times: usize) {
        while self.requests() < times {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, script: Arc<Script>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(answer(stream, Arc::clone(&script)));
    }
}

async fn answer(mut stream: TcpStream, script: Arc<Script>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    script.requests.fetch_add(1, Ordering::SeqCst);
    script.gate.acquire().await.unwrap().forget();
    let answer = script.answer.lock().unwrap().clone();
    match answer {
        Answer::Cuts => {}
        Answer::Hangs => std::future::pending().await,
        Answer::Says(status, headers, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
            );
            // Who has read enough hangs up; that is for the test to see at the other end.
            if stream.write_all(head.as_bytes()).await.is_ok() {
                let _ = stream.write_all(&body).await;
            }
        }
    }
}
