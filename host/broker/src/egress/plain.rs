//! A request in the clear, sent on to the one host it names.

use std::fmt::Display;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::{Request, StatusCode, Uri, Version};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::body::{Answer, Counted, Direction};
use super::denial::Refusal;
use super::dial::{self, End, ForRequests};
use super::headers;
use super::limits::EgressLimits;
use super::passage::Underway;
use super::rules::Permit;
use crate::network::Network;
use hostler_engine::sandbox::Endpoint;

/// Sends it on a connection of its own, and gives the answer as it begins.
pub(super) async fn send(
    network: &Network,
    limits: &EgressLimits,
    permit: &Permit,
    request: Request<Incoming>,
    passage: &Arc<Underway>,
) -> Result<Answer, Refusal> {
    let to = &permit.to;
    let broke = |error: &dyn Display| {
        Refusal::Failed(format!("the connection to {to} broke before it answered ({error})"))
    };
    let ForRequests { stream, end } = dial::for_requests(network, permit).await?;
    passage.allowed(&permit.by);
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(limits.buffer())
        .max_headers(limits.headers)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broke(&error))?;
    let mut driving = JoinSet::new();
    driving.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection of an agent's request broke off");
        }
    });
    let request = onward(request, to, end, passage).map_err(|error| broke(&error))?;
    let answer = sender.send_request(request).await.map_err(|error| broke(&error))?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Refusal::Failed(format!("{to} changed the protocol, which nobody asked it for")));
    }
    let (mut parts, body) = answer.into_parts();
    headers::of_answer(&mut parts.headers);
    let body = Counted::driven(body, Direction::Down, Arc::clone(passage), driving);
    Ok(Answer::from_parts(parts, body.map_err(Into::into).boxed_unsync()))
}

/// The request as the next server gets it: one host, the checked one, and a length that
/// is the body's.
fn onward(
    request: Request<Incoming>,
    to: &Endpoint,
    end: End,
    passage: &Arc<Underway>,
) -> Result<Request<Counted<Incoming>>, hyper::http::Error> {
    let (mut parts, body) = request.into_parts();
    headers::of_request(&mut parts.headers);
    let host = if to.port() == 80 { to.host().to_owned() } else { to.to_string() };
    let path = path(&parts.uri);
    parts.uri = match &end {
        End::Server => path.parse()?,
        End::Proxy(_) => {
            Uri::builder().scheme("http").authority(host.as_str()).path_and_query(path).build()?
        }
    };
    parts.headers.insert(HOST, host.parse()?);
    if let End::Proxy(Some(authorization)) = end {
        parts.headers.insert(PROXY_AUTHORIZATION, authorization);
    }
    parts.version = Version::HTTP_11;
    Ok(Request::from_parts(parts, Counted::new(body, Direction::Up, Arc::clone(passage))))
}

/// The path and query that the next server gets: where an address has no path, the root.
pub(super) fn path(uri: &Uri) -> String {
    let written = uri.path_and_query().map_or("", |written| written.as_str());
    let rooted = written.starts_with('/') || written == "*";
    if rooted { written.to_owned() } else { format!("/{written}") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_request_for_an_address_without_a_path_goes_to_the_root() {
        for (address, expected) in
            [("http://a.example", "/"), ("http://a.example?x=/y", "/?x=/y"), ("http://a.example/x?y", "/x?y")]
        {
            let path = path(&address.parse().unwrap());
            assert_eq!(path, expected);
            assert!(path.parse::<Uri>().is_ok(), "{path} can be sent");
        }
        assert!("?x=/y".parse::<Uri>().is_err(), "what stands there is none by itself");
    }
}
