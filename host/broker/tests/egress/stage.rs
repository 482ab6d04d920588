//! A way out, an agent that speaks to it byte by byte, and servers behind it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostler_broker::Network;
use hostler_broker::egress::{Allowed, Egress, EgressLimits, EgressRules, Open, Passage, Passed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Time after which a test that waits has failed.
const DEADLINE: Duration = Duration::from_secs(8);

/// What a test waits for, or its failure.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(DEADLINE, what).await.expect("it did not happen in time")
}

/// A way out and what it told.
pub struct Stage {
    pub address: SocketAddr,
    told: Arc<Mutex<Vec<Passage>>>,
    open: Option<Open>,
}

impl Stage {
    pub fn new(rules: EgressRules) -> Self {
        Self::on(&Network::default(), rules, EgressLimits::default())
    }

    pub fn on(network: &Network, rules: EgressRules, limits: EgressLimits) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told: Arc<Mutex<Vec<Passage>>> = Arc::default();
        let tell = Arc::clone(&told);
        let egress = Egress::new(network, limits).unwrap();
        let open = egress
            .serve(listener, Arc::new(rules), move |passage| tell.lock().unwrap().push(passage))
            .unwrap();
        Self { address, told, open: Some(open) }
    }

    pub async fn connect(&self) -> Agent {
        Agent(TcpStream::connect(self.address).await.unwrap())
    }

    /// One request on a connection of its own, and all that is answered.
    pub async fn ask(&self, request: &str) -> String {
        let mut agent = self.connect().await;
        agent.say(&request.replacen("\r\n", "\r\nConnection: close\r\n", 1)).await;
        agent.rest().await
    }

    /// What was told so far, when it is so many passages.
    pub async fn told(&self, count: usize) -> Vec<Passage> {
        soon(async {
            loop {
                let told = self.told.lock().unwrap().clone();
                if told.len() >= count {
                    return told;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await
    }

    /// The reason of the only passage, which was denied.
    pub async fn denied(&self) -> &'static str {
        let [passage] = self.told(1).await.try_into().unwrap();
        match passage.outcome {
            Passed::Denied { reason, .. } => reason,
            other => panic!("not denied: {other:?}"),
        }
    }

    /// The host goes away.
    pub fn close(&mut self) {
        self.open = None;
    }
}

/// The agent's end of a connection.
pub struct Agent(pub TcpStream);

impl Agent {
    pub async fn say(&mut self, text: &str) {
        soon(self.0.write_all(text.as_bytes())).await.unwrap();
    }

    /// Exactly so many bytes.
    pub async fn hear(&mut self, bytes: usize) -> String {
        let mut heard = vec![0; bytes];
        soon(self.0.read_exact(&mut heard)).await.unwrap();
        String::from_utf8(heard).unwrap()
    }

    /// Everything up to this text, and with it.
    pub async fn until(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        while !heard.ends_with(end.as_bytes()) {
            heard.push(soon(self.0.read_u8()).await.unwrap());
        }
        String::from_utf8(heard).unwrap()
    }

    /// Everything until the connection ends, however it ends.
    pub async fn rest(&mut self) -> String {
        let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = soon(self.0.read(&mut piece)).await {
            heard.extend_from_slice(&piece[..read]);
        }
        String::from_utf8(heard).unwrap()
    }
}

/// Rules that allow exactly this.
pub fn allow(to: &[String], addresses: &[&str]) -> EgressRules {
    let addresses: Vec<_> = addresses.iter().map(|block| block.parse().unwrap()).collect();
    let allowed = |to: &String| Allowed { to: to.parse().unwrap(), addresses: addresses.clone() };
    EgressRules { allow: to.iter().map(allowed).collect(), ..EgressRules::default() }
}

/// A server that hands each connection to the test.
pub struct Server(TcpListener);

impl Server {
    pub async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// The server at this host.
    pub fn at(&self, host: &str) -> String {
        format!("{host}:{}", self.port())
    }

    pub async fn accept(&self) -> Agent {
        Agent(soon(self.0.accept()).await.unwrap().0)
    }

    /// Reads a request's head and answers it.
    pub async fn answer(&self, answer: &str) -> (String, Agent) {
        let mut connection = self.accept().await;
        let head = connection.until("\r\n\r\n").await;
        connection.say(answer).await;
        (head, connection)
    }

    /// Whether nobody has connected.
    pub async fn untouched(&self) -> bool {
        timeout(Duration::ZERO, self.0.accept()).await.is_err()
    }
}
