//! A server that answers everything below its `/api/`, and remembers what it was asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Answers until the test is over.
pub struct Server {
    pub port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

/// What happens before a path is answered.
type Before = Box<dyn Fn(&str) + Send + Sync>;

impl Server {
    /// Whoever asks for `moved` is sent to `elsewhere`.
    pub fn start(elsewhere: Option<&str>, before: Before) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (record, elsewhere) = (Arc::clone(&asked), elsewhere.map(str::to_owned));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                answer(client, elsewhere.as_deref(), &before, &record);
            }
        });
        Self { port, asked }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Methods and paths, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Whoever goes away is not answered.
fn answer(mut client: TcpStream, elsewhere: Option<&str>, before: &Before, record: &Mutex<Vec<String>>) {
    let mut beginning = [0; 4096];
    let Ok(read) = client.read(&mut beginning) else { return };
    let text = String::from_utf8_lossy(&beginning[..read]);
    let asked = text.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    before(&asked);
    let moved = elsewhere.filter(|_| asked.ends_with("/moved"));
    record.lock().unwrap().push(asked);
    let head = match moved {
        Some(to) => format!("307 Temporary Redirect\r\nlocation: {to}"),
        None => "200 OK".to_owned(),
    };
    let _ = write!(client, "HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}
