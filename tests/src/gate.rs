//! A gate in front of an org: every call goes through, until the one at which a story stops the world.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

const BUFFER: usize = 64 * 1024;

/// On which side of a call the world stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The org has not heard of it.
    Before,
    /// The org has done it, and nobody hears its answer.
    After,
}

/// A gate, open until told otherwise.
pub struct Gate {
    addr: SocketAddr,
    keeper: Arc<Keeper>,
    listener: JoinHandle<()>,
}

impl Gate {
    /// A gate in front of `org`.
    pub async fn start(org: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let addr = listener.local_addr().expect("it listens");
        let keeper = Arc::new(Keeper { next: Mutex::default(), holds: watch::Sender::new(false) });
        let listener = tokio::spawn(accept(listener, org, Arc::clone(&keeper)));
        Self { addr, keeper, listener }
    }

    /// Where to call.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The `nth` call from now on, the first being 1, is held on this side.
    pub fn hold(&self, nth: u32, side: Side) {
        self.keeper.holds.send_replace(false);
        self.keeper.set(Some((nth, side)));
    }

    /// Ends when the call is held.
    pub async fn held(&self) {
        let mut holds = self.keeper.holds.subscribe();
        // The sender lives as long as the gate.
        let _ = holds.wait_for(|holds| *holds).await;
    }

    /// Everything goes through again. What is held is never heard of again.
    pub fn open(&self) {
        self.keeper.set(None);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Counts calls down to the one that is held.
struct Keeper {
    next: Mutex<Option<(u32, Side)>>,
    holds: watch::Sender<bool>,
}

impl Keeper {
    fn set(&self, next: Option<(u32, Side)>) {
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// A call has come: the side on which it is held, if it is the one.
    fn call(&self) -> Option<Side> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, side) = next.take()?;
        if left == 1 {
            return Some(side);
        }
        *next = Some((left - 1, side));
        None
    }
}

async fn accept(listener: TcpListener, org: SocketAddr, keeper: Arc<Keeper>) {
    while let Ok((caller, _)) = listener.accept().await {
        let keeper = Arc::clone(&keeper);
        tokio::spawn(async move {
            let Ok(org) = TcpStream::connect(org).await else { return };
            let (from_caller, to_caller) = caller.into_split();
            let (from_org, to_org) = org.into_split();
            let line = Arc::new(Line::default());
            let answers = tokio::spawn(answers(from_org, to_caller, Arc::clone(&line), Arc::clone(&keeper)));
            calls(from_caller, to_org, &line, &keeper).await;
            // The org answers what it was asked, whether or not anybody listens.
            let _ = answers.await;
        });
    }
}

/// One connection: calls follow each other on it, each after the answer to the one before.
#[derive(Default)]
struct Line {
    /// A call is on its way: more bytes belong to it.
    calling: AtomicBool,
    /// Its answer is for nobody.
    mute: AtomicBool,
}

async fn calls(mut caller: OwnedReadHalf, mut org: OwnedWriteHalf, line: &Line, keeper: &Keeper) {
    let mut bytes = vec![0; BUFFER];
    while let Ok(read @ 1..) = caller.read(&mut bytes).await {
        if !line.calling.swap(true, Ordering::AcqRel) {
            match keeper.call() {
                Some(Side::Before) => {
                    keeper.holds.send_replace(true);
                    // Until the caller is gone.
                    while let Ok(1..) = caller.read(&mut bytes).await {}
                    return;
                }
                Some(Side::After) => line.mute.store(true, Ordering::Release),
                None => {}
            }
        }
        if org.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

async fn answers(mut org: OwnedReadHalf, mut caller: OwnedWriteHalf, line: Arc<Line>, keeper: Arc<Keeper>) {
    let mut bytes = vec![0; BUFFER];
    while let Ok(read @ 1..) = org.read(&mut bytes).await {
        if line.mute.load(Ordering::Acquire) {
            keeper.holds.send_replace(true);
            continue;
        }
        line.calling.store(false, Ordering::Release);
        if caller.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
