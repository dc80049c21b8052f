//! A real server on loopback: what only shows on the wire.

use std::sync::Arc;

use actix_web::{App, HttpServer};
use scim_server::{configure, limits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{ROOT, TOKEN, World};

/// Sends bytes over one connection, tells what comes back until the server closes it.
async fn exchange(world: &World, sent: Vec<u8>) -> String {
    let door = Arc::clone(&world.door);
    let server = HttpServer::new(move || App::new().configure(configure(Arc::clone(&door))))
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
    let address = server.addrs()[0];
    let server = server.run();
    let handle = server.handle();
    let running = tokio::spawn(server);
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    // A server that answers early may stop reading: that is for it to decide.
    let sending = tokio::spawn(async move { writer.write_all(&sent).await.map(|()| writer) });
    let mut text = Vec::new();
    reader.read_to_end(&mut text).await.unwrap();
    let _ = sending.await;
    handle.stop(false).await;
    running.await.unwrap().unwrap();
    String::from_utf8(text).unwrap()
}

fn request(method: &str, path: &str, token: &str, body: usize) -> Vec<u8> {
    let head = format!(
        "{method} {ROOT}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
         Content-Length: {body}\r\n\r\n"
    );
    [head.into_bytes(), vec![b' '; body]].concat()
}

#[actix_web::test]
async fn a_client_that_sends_too_much_reads_the_413() {
    let world = World::start();
    let answer = exchange(&world, request("POST", "/Groups", TOKEN, 3 * limits::BODY)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("\"status\":\"413\""), "{answer}");
}

#[actix_web::test]
async fn a_body_that_nobody_reads_does_no_harm() {
    let world = World::start();
    for (method, path, token, status) in [
        ("POST", "/Groups", "wrong", "401"),
        ("PUT", "/Groups", TOKEN, "405"),
        ("DELETE", "/Groups/nobody", TOKEN, "404"),
        ("GET", "/Groups", TOKEN, "200"),
    ] {
        let answer = exchange(&world, request(method, path, token, limits::BODY)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {answer}");
        assert!(answer.ends_with('}'), "{method} {path}: {answer}");
    }
}

#[actix_web::test]
async fn head_has_no_body() {
    let world = World::start();
    let answer = exchange(&world, request("HEAD", "/Users", TOKEN, 0)).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[actix_web::test]
async fn a_connection_can_be_used_again_after_a_refusal() {
    let world = World::start();
    let keep = |method, path, token, body: usize| {
        let request = String::from_utf8(request(method, path, token, body)).unwrap();
        request.replace("Connection: close\r\n", "").into_bytes()
    };
    let sent = [
        keep("POST", "/Groups", "wrong", 2_000),
        keep("PUT", "/Groups", TOKEN, 2_000),
        keep("DELETE", "/Groups/nobody", TOKEN, 2_000),
        request("GET", "/Users", TOKEN, 0),
    ];
    let answer = exchange(&world, sent.concat()).await;
    let statuses: Vec<_> =
        answer.match_indices("HTTP/1.1 ").map(|(at, name)| &answer[at + name.len()..][..3]).collect();
    assert_eq!(statuses, ["401", "405", "404", "200"], "{answer}");
}
