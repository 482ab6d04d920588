//! What stands in the log. A program of its own: the log belongs to the process.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::HeaderMap;
use hostler_broker::{Gate, Limits, Secret, Secrets};
use hostler_engine::request::{HttpRequest, PluginEffect};
use hostler_engine::rights::{HttpRight, Rights, SecretRight};
use tokio::net::TcpListener;

const SECRET: &str = "s3cret-value";

/// Everything that is logged, at the finest level, by any crate.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server that repeats the credential it gets.
async fn echo() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(async |headers: HeaderMap| {
        let value = headers["authorization"].to_str().unwrap().to_owned();
        ([("x-echo", value.clone())], value)
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    origin
}

fn gate(origin: &str) -> Gate {
    let http = HttpRight {
        origin: Some(origin.to_owned()),
        origin_from: None,
        methods: vec!["POST".to_owned()],
        path: "/".to_owned(),
        addresses: Vec::new(),
        reason: String::new(),
    };
    let secret = SecretRight {
        handle: "token".to_owned(),
        from: "token".to_owned(),
        header: "authorization".to_owned(),
        form: "Bearer {}".to_owned(),
        origin: Some(origin.to_owned()),
        origin_from: None,
        reason: String::new(),
    };
    let rights = Rights { http: vec![http], secret: vec![secret], ..Rights::default() };
    let secrets = Secrets::from_iter([("token", Secret::new(SECRET))]);
    Gate::new(&rights, &BTreeMap::new(), &secrets, Path::new("/"), Limits::default()).unwrap()
}

#[tokio::test]
async fn no_secret_body_header_value_or_query_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    let level = tracing::Level::TRACE;
    tracing_subscriber::fmt().with_max_level(level).with_writer(move || writer.clone()).init();
    let origin = echo().await;
    let gate = gate(&origin);
    let request = HttpRequest {
        method: "POST".to_owned(),
        url: format!("{origin}/tasks?query-text"),
        headers: vec![("x-plain".to_owned(), "header-value".to_owned())],
        body: b"body-text".to_vec(),
        credential: Some("token".to_owned()),
        timeout: None,
    };
    gate.carry_out(PluginEffect::Http(request.clone())).await.unwrap();
    let elsewhere = HttpRequest { url: "http://elsewhere.example/tasks?query-text".to_owned(), ..request };
    gate.carry_out(PluginEffect::Http(elsewhere)).await.unwrap_err();

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<&str> = text.lines().filter(|line| line.contains("hostler_broker")).collect();
    assert!(ours.iter().any(|line| line.contains("request sent") && line.contains("/tasks")), "{text}");
    assert!(ours.iter().any(|line| line.contains("effect refused")), "{text}");
    assert!(!text.contains(SECRET), "by any crate");
    for word in ["header-value", "body-text", "query-text"] {
        assert!(!ours.iter().any(|line| line.contains(word)), "{word} in {ours:#?}");
    }
}
