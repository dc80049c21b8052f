//! The load generator: keep-alive HTTP/1.1 over plain TCP, as little work per request as can be.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Failure;

/// What one measurement has found.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Measured {
    /// Requests that were answered.
    pub requests: usize,
    /// Per second.
    pub per_second: f64,
    /// Half of them took no longer, in microseconds.
    pub p50_us: u64,
    /// 99 in a hundred took no longer.
    pub p99_us: u64,
}

/// Makes the n-th request, as it goes over the wire.
pub type Make = Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>;

/// When the last request is sent.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After this time.
    Time(Duration),
    /// After so many.
    Requests(usize),
}

impl From<Duration> for Until {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}

/// Sends requests over `connections`; every answer must have `status`.
pub async fn run(
    address: SocketAddr,
    connections: usize,
    until: impl Into<Until>,
    status: u16,
    make: Make,
) -> Result<Measured, Failure> {
    let (time, last) = match until.into() {
        Until::Time(time) => (Some(time), u64::MAX),
        Until::Requests(requests) => (None, requests as u64),
    };
    let next = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let mut callers = Vec::new();
    for _ in 0..connections {
        let (next, stop, make) = (Arc::clone(&next), Arc::clone(&stop), Arc::clone(&make));
        callers.push(tokio::spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut took = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= last {
                    break;
                }
                let request = make(n);
                let sent = Instant::now();
                let (found, body) = connection.send(&request).await?;
                if found != status {
                    return Err(format!(
                        "expected {status}, found {found}: {}",
                        String::from_utf8_lossy(&body)
                    )
                    .into());
                }
                took.push(sent.elapsed());
            }
            Ok::<_, Failure>(took)
        }));
    }
    if let Some(time) = time {
        tokio::time::sleep(time).await;
        stop.store(true, Ordering::Relaxed);
    }
    let mut all = Vec::new();
    for caller in callers {
        all.extend(caller.await??);
    }
    let elapsed = begun.elapsed();
    all.sort_unstable();
    let at = |share: f64| {
        let index = ((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1));
        all.get(index).map_or(0, |took| u64::try_from(took.as_micros()).unwrap_or(u64::MAX))
    };
    Ok(Measured {
        requests: all.len(),
        per_second: all.len() as f64 / elapsed.as_secs_f64(),
        p50_us: at(0.5),
        p99_us: at(0.99),
    })
}

/// A keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 * 1024) })
    }

    /// Sends a request and reads its answer whole: the status and the body.
    pub async fn send(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.read().await?;
        };
        let text = std::str::from_utf8(&self.buffer[..head])?;
        let status = text.split(' ').nth(1).ok_or("no status")?.parse()?;
        let length: usize = text
            .lines()
            .find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse())
            })
            .transpose()?
            .unwrap_or(0);
        while self.buffer.len() < head + length {
            self.read().await?;
        }
        Ok((status, self.buffer[head..head + length].to_vec()))
    }

    async fn read(&mut self) -> Result<(), Failure> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        Ok(())
    }
}

/// A SCIM request as it goes over the wire.
pub fn request(method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    request_of("application/scim+json", method, path, token, body)
}

/// A request of any content type.
pub fn request_of(content_type: &str, method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Keys in no order, each as likely as any other: a full-period congruence.
pub fn uniform(n: u64, count: usize) -> usize {
    let mixed = (n ^ 0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    usize::try_from((mixed ^ (mixed >> 31)) % count as u64).unwrap_or(0)
}
