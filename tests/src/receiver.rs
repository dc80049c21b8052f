//! A receiver of events: takes what is pushed to it, and answers as it is told to.

use std::{
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, dev::ServerHandle, http::StatusCode, web};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// What came with one delivery.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// `Authorization`.
    pub authorization: Option<String>,
    /// The compact token.
    pub token: String,
    /// What it was answered.
    pub answered: u16,
}

/// A listener on loopback.
pub struct Receiver {
    /// Where it listens.
    pub url: String,
    state: Arc<Mutex<State>>,
    server: ServerHandle,
}

struct State {
    pushed: Vec<Pushed>,
    answer: (u16, Value),
}

impl Receiver {
    /// One that takes everything.
    ///
    /// # Panics
    ///
    /// When there is no port.
    #[must_use]
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State { pushed: Vec::new(), answer: (202, Value::Null) }));
        let socket = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let url = format!("http://{}/events", socket.local_addr().expect("it has an address"));
        let shared = Arc::clone(&state);
        let server = HttpServer::new(move || {
            App::new().app_data(web::Data::from(Arc::clone(&shared))).route("/events", web::post().to(take))
        })
        .workers(1)
        .disable_signals()
        .listen(socket)
        .expect("it listens")
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, state, server: handle }
    }

    /// Answers so from now on.
    pub fn answers(&self, status: u16, body: Value) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).answer = (status, body);
    }

    /// Everything that came so far.
    #[must_use]
    pub fn pushed(&self) -> Vec<Pushed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).pushed.clone()
    }

    /// The claims of what it has taken, in the order in which it came.
    #[must_use]
    pub fn taken(&self) -> Vec<Value> {
        let taken = self.pushed().into_iter().filter(|pushed| pushed.answered < 300);
        taken.map(|pushed| claims(&pushed.token)).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Nobody waits for its end.
        drop(self.server.stop(false));
    }
}

async fn take(state: web::Data<Mutex<State>>, request: HttpRequest, body: String) -> HttpResponse {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, answer) = state.answer.clone();
    let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let is_token =
        request.headers().get("content-type").is_some_and(|value| value == "application/secevent+jwt");
    assert!(is_token, "{request:?}");
    let authorization = authorization.map(str::to_owned);
    state.pushed.push(Pushed { authorization, token: body, answered: status });
    let status = StatusCode::from_u16(status).expect("a status");
    if answer.is_null() {
        HttpResponse::build(status).finish()
    } else {
        HttpResponse::build(status).json(answer)
    }
}

fn part(token: &str, which: usize) -> Vec<u8> {
    let part = token.split('.').nth(which).unwrap_or_else(|| panic!("no compact token: {token}"));
    URL_SAFE_NO_PAD.decode(part).unwrap_or_else(|error| panic!("{error}: {token}"))
}

/// The claims of a token, unverified.
///
/// # Panics
///
/// When it is none.
#[must_use]
pub fn claims(token: &str) -> Value {
    serde_json::from_slice(&part(token, 1)).unwrap_or_else(|error| panic!("{error}: {token}"))
}

/// Verifies a token by a published key set, from the bytes alone.
///
/// # Panics
///
/// When no key of the set has signed it.
pub fn verify(token: &str, keys: &Value) {
    let header: Value = serde_json::from_slice(&part(token, 0)).expect("a header");
    assert_eq!((&header["alg"], &header["typ"]), (&"RS256".into(), &"secevent+jwt".into()));
    let keys = keys["keys"].as_array().expect("a key set");
    let key =
        keys.iter().find(|key| key["kid"] == header["kid"]).unwrap_or_else(|| panic!("{header}: {keys:?}"));
    let number = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().expect("a number")).expect("base64");
    let (signed, _) = token.rsplit_once('.').expect("three parts");
    let public = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    public
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &part(token, 2))
        .unwrap_or_else(|_| panic!("the key {} has not signed it", header["kid"]));
}
