//! Connects to what was permitted: straight, where the addresses were checked just
//! before, or through the proxy that the operator has.

use std::fmt::Display;
use std::future::Future;
use std::net::SocketAddr;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use hyper::{Request, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use super::denial::Refusal;
use super::rules::Permit;
use crate::limits::CONNECT_WITHIN;
use crate::network::{Network, is_own};
use hostler_engine::sandbox::Endpoint;

/// A connection, whatever it is made of.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection on which requests in the clear are sent.
pub(super) struct ForRequests {
    pub(super) stream: TcpStream,
    pub(super) end: End,
}

/// Who stands at a connection's other end.
pub(super) enum End {
    /// The server itself.
    Server,
    /// The operator's proxy, with the header by which it knows him, if it asks for one.
    Proxy(Option<HeaderValue>),
}

/// A connection that carries whatever is spoken on it.
pub(super) async fn tunnel(network: &Network, permit: &Permit) -> Result<Box<dyn Stream>, Refusal> {
    match proxy(network, permit, "https")? {
        Some(url) => through(network, url, permit).await,
        None => Ok(Box::new(straight(network, permit).await?)),
    }
}

/// A connection for requests in the clear.
pub(super) async fn for_requests(network: &Network, permit: &Permit) -> Result<ForRequests, Refusal> {
    match proxy(network, permit, "http")? {
        Some(url) => {
            Ok(ForRequests { stream: to_proxy(network, url).await?, end: End::Proxy(authorization(url)) })
        }
        None => Ok(ForRequests { stream: straight(network, permit).await?, end: End::Server }),
    }
}

/// The operator's proxy on the way there. It looks names up by itself, so what they stand
/// for is not checked; an address is reached only where a rule names it.
fn proxy<'n>(network: &'n Network, permit: &Permit, scheme: &str) -> Result<Option<&'n Url>, Refusal> {
    let towards = |proxy: &'n crate::network::Proxy| proxy.towards(&permit.to.origin(scheme));
    let Some(url) = network.proxy.as_ref().and_then(towards) else { return Ok(None) };
    if url.scheme() != "http" {
        let told = "agents cannot be let out through a proxy that is itself reached over https: \
                    set one that is reached over http";
        return Err(Refusal::Failed(told.to_owned()));
    }
    Ok(Some(url))
}

async fn straight(network: &Network, permit: &Permit) -> Result<TcpStream, Refusal> {
    let to = &permit.to;
    let found = match to.address() {
        Some(address) => vec![address],
        None => in_time(network.resolver.resolve(to.host()), to, "look up").await?,
    };
    let addresses: Vec<SocketAddr> = permit
        .dialled(found, is_own)?
        .into_iter()
        .map(|address| SocketAddr::new(address, to.port()))
        .collect();
    in_time(TcpStream::connect(addresses.as_slice()), to, "connect to").await
}

/// The proxy is the operator's, so wherever its name leads is right.
async fn to_proxy(network: &Network, url: &Url) -> Result<TcpStream, Refusal> {
    let port = url.port_or_known_default().unwrap_or_default();
    let endpoint = url.host_str().and_then(|host| Endpoint::new(host, port));
    let endpoint =
        endpoint.ok_or_else(|| Refusal::Failed("the host's proxy has no address: correct it".to_owned()))?;
    let found = match endpoint.address() {
        Some(address) => vec![address],
        None => in_time(network.resolver.resolve(endpoint.host()), &endpoint, "look up the proxy").await?,
    };
    let addresses: Vec<SocketAddr> =
        found.into_iter().map(|address| SocketAddr::new(address, endpoint.port())).collect();
    in_time(TcpStream::connect(addresses.as_slice()), &endpoint, "connect to the proxy").await
}

/// A tunnel through the proxy.
async fn through(network: &Network, url: &Url, permit: &Permit) -> Result<Box<dyn Stream>, Refusal> {
    let to = &permit.to;
    let stream = to_proxy(network, url).await?;
    let mut request = Request::connect(to.to_string()).header(HOST, to.to_string());
    if let Some(authorization) = authorization(url) {
        request = request.header(PROXY_AUTHORIZATION, authorization);
    }
    let broke =
        |error: &dyn Display| Refusal::Failed(format!("the proxy on the way to {to} broke off ({error})"));
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| broke(&error))?;
    let asking = async {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broke(&error))?;
        let mut driving = JoinSet::new();
        driving.spawn(connection.with_upgrades());
        let answer = sender.send_request(request).await.map_err(|error| broke(&error))?;
        if !answer.status().is_success() {
            let status = answer.status().as_u16();
            return Err(Refusal::Failed(format!(
                "the proxy on the way to {to} answered {status}: ask its keeper"
            )));
        }
        hyper::upgrade::on(answer).await.map_err(|error| broke(&error))
    };
    let late =
        |_| Refusal::Failed(format!("the proxy on the way to {to} did not answer within {CONNECT_WITHIN}"));
    let upgraded = timeout(CONNECT_WITHIN.duration(), asking).await.map_err(late)??;
    Ok(Box::new(TokioIo::new(upgraded)))
}

/// The header for the user name and password in the proxy's address.
fn authorization(url: &Url) -> Option<HeaderValue> {
    let anywhere = Uri::from_static("http://a.example/");
    Matcher::builder().all(url.as_str()).build().intercept(&anywhere)?.basic_auth().cloned()
}

async fn in_time<T>(
    work: impl Future<Output = std::io::Result<T>>,
    to: &Endpoint,
    what: &str,
) -> Result<T, Refusal> {
    match timeout(CONNECT_WITHIN.duration(), work).await {
        Ok(done) => {
            done.map_err(|error| Refusal::Failed(format!("the host could not {what} {to} ({error})")))
        }
        Err(_) => Err(Refusal::Failed(format!("the host could not {what} {to} within {CONNECT_WITHIN}"))),
    }
}
