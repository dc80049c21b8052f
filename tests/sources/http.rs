//! A small HTTP server on loopback, for sources that are asked something.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Asked {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of a form.
    #[must_use]
    pub fn form(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.body.as_bytes());
        pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An answer, with further headers.
    Answer(u16, Vec<(String, String)>, String),
    /// The connection is cut.
    Cut,
    /// No answer comes while the caller waits.
    Silence,
    /// The other answer, after so long.
    Late(Duration, Box<Reply>),
}

impl Reply {
    /// JSON with 200.
    #[must_use]
    pub fn json(body: &Value) -> Self {
        Self::status(200, &body.to_string())
    }

    /// A status with a body.
    #[must_use]
    pub fn status(status: u16, body: &str) -> Self {
        Self::Answer(status, vec![("content-type".into(), "application/json".into())], body.to_owned())
    }

    /// The same with one more header.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        match self {
            Self::Answer(status, mut headers, body) => {
                headers.push((name.to_owned(), value.to_owned()));
                Self::Answer(status, headers, body)
            }
            other => other,
        }
    }
}

/// A server that answers as it is told, until it is dropped.
pub struct Server {
    addr: SocketAddr,
    listener: JoinHandle<()>,
    crowd: Arc<Crowd>,
}

/// How many are being answered.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Server {
    /// Starts one.
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let addr = socket.local_addr().expect("it listens");
        let answer = Arc::new(answer);
        let crowd = Arc::new(Crowd::default());
        let counted = Arc::clone(&crowd);
        let listener = tokio::spawn(async move {
            while let Ok((caller, _)) = socket.accept().await {
                let (answer, crowd) = (Arc::clone(&answer), Arc::clone(&counted));
                tokio::spawn(async move {
                    // Who hangs up is not answered.
                    serve(caller, &*answer, &crowd).await;
                });
            }
        });
        Self { addr, listener, crowd }
    }

    /// How many were answered at once at most.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.crowd.most.load(Ordering::SeqCst)
    }

    /// Where it is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// One request for each connection.
async fn serve(caller: TcpStream, answer: &(impl Fn(&Asked) -> Reply + ?Sized), crowd: &Crowd) -> Option<()> {
    let mut caller = BufReader::new(caller);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(caller.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut asked = Asked { method, path, headers, body: String::new() };
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    caller.read_exact(&mut body).await.ok()?;
    asked.body = String::from_utf8(body).ok()?;
    crowd.enter();
    let mut reply = answer(&asked);
    while let Reply::Late(after, other) = reply {
        tokio::time::sleep(after).await;
        reply = *other;
    }
    // Before anybody hears of it: who has the answer may ask again at once.
    crowd.leave();
    match reply {
        Reply::Late(..) | Reply::Cut => {}
        Reply::Silence => {
            // Until the caller is gone.
            while let Ok(1..) = caller.read(&mut [0; 64]).await {}
        }
        Reply::Answer(status, headers, body) => {
            let mut text =
                format!("HTTP/1.1 {status} said\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                text.extend([name.as_str(), ": ", &value, "\r\n"]);
            }
            text.push_str("\r\n");
            text.push_str(&body);
            caller.write_all(text.as_bytes()).await.ok()?;
            caller.shutdown().await.ok()?;
        }
    }
    Some(())
}
