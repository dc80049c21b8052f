//! The page of this machine that Salesforce sends the browser back to.

use std::{io, net::Ipv4Addr, net::Ipv6Addr, time::Duration};

use salesforce_client::ConnectError;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use url::Url;

/// A browser sends its request at once; whoever does not is no browser.
const READ: Duration = Duration::from_secs(5);
/// A request with a code in it has about 1 KiB, cookies of other programs on localhost some more.
const HEAD: usize = 32 << 10;

/// The listener. Only this machine reaches it.
pub(super) struct Callback {
    v4: TcpListener,
    /// `localhost` is `::1` first in most browsers. Not every machine has it.
    v6: Option<TcpListener>,
    url: Url,
}

/// A browser that waits for its page.
pub(super) struct Visit {
    stream: TcpStream,
    /// Path and query of its request.
    pub(super) target: String,
}

impl Callback {
    /// Listens on a port of this machine.
    pub(super) async fn listen(port: u16) -> io::Result<Self> {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let port = v4.local_addr()?.port();
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
        // Salesforce allows http for the name `localhost` alone.
        let url = Url::parse(&format!("http://localhost:{port}/callback")).map_err(io::Error::other)?;
        Ok(Self { v4, v6, url })
    }

    /// Where Salesforce has to send the browser.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// The next browser that asks for the callback page. Others, which want an icon say, are turned away.
    pub(super) async fn visit(&self) -> io::Result<Visit> {
        loop {
            let v6 = async {
                match &self.v6 {
                    Some(listener) => listener.accept().await,
                    None => std::future::pending().await,
                }
            };
            let (mut stream, _) = tokio::select! {
                accepted = self.v4.accept() => accepted?,
                accepted = v6 => accepted?,
            };
            let Ok(Ok(Some(target))) = tokio::time::timeout(READ, target(&mut stream)).await else {
                continue;
            };
            if target.split('?').next() == Some(self.url.path()) {
                return Ok(Visit { stream, target });
            }
            page(&mut stream, "404 Not Found", "There is nothing here.").await;
        }
    }
}

impl Visit {
    /// Shows the browser how it ended.
    pub(super) async fn answer(mut self, code: Result<(), &ConnectError>) {
        match code {
            Ok(()) => {
                page(
                    &mut self.stream,
                    "200 OK",
                    "Signed in. The rest is in the terminal; this page can be closed.",
                )
                .await;
            }
            // The words of an error may come from whoever made the address up.
            Err(_) => {
                page(&mut self.stream, "400 Bad Request", "This did not work. The terminal says why.").await;
            }
        }
    }
}

/// The path and query of a GET request.
async fn target(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let count = stream.read(&mut piece).await?;
        if count == 0 || head.len() + count > HEAD {
            return Ok(None);
        }
        head.extend_from_slice(&piece[..count]);
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split(' ');
    Ok(match (words.next(), words.next()) {
        (Some("GET"), Some(target)) => Some(target.to_owned()),
        _ => None,
    })
}

async fn page(stream: &mut TcpStream, status: &str, text: &str) {
    let body = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Gangway</title><p>{text}</p></html>"
    );
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: \
         no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // A browser that has gone away needs no page.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
