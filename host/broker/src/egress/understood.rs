//! What the way out understands of bytes that an agent sends, without anything going
//! out: for tests that send anything.

use std::convert::Infallible;
use std::io;
use std::sync::{Mutex, PoisonError};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::runtime::Builder;

use super::asked::{self, Asked};
use super::connection::reader;
use super::headers;
use super::limits::EgressLimits;
use super::plain;
use hostler_engine::sandbox::Endpoint;

/// One request as it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Understood {
    /// A connection.
    Tunnel(Endpoint),
    /// A request in the clear.
    Plain {
        /// Where it goes.
        to: Endpoint,
        /// The path and query that are sent on.
        path: String,
        /// The headers that are sent on.
        headers: Vec<(String, Vec<u8>)>,
    },
    /// A request to a model, by the route's name and the path behind it.
    Model(String, String),
    /// One that is refused, and why.
    Refused(String),
}

/// The requests in these bytes, up to where they cannot be read. `port` is where the
/// agent finds its proxy.
pub fn understood(bytes: &[u8], port: u16) -> io::Result<Vec<Understood>> {
    let heard = Mutex::new(Vec::new());
    let service = service_fn(|request: Request<Incoming>| {
        let (parts, body) = request.into_parts();
        let one = match asked::read(&parts, port) {
            Ok(Asked::Tunnel(to)) => Understood::Tunnel(to),
            Ok(Asked::Plain(to)) => {
                let mut onward = parts.headers;
                headers::of_request(&mut onward);
                let onward = onward.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
                let path = plain::path(&parts.uri);
                Understood::Plain { to, path, headers: onward.collect() }
            }
            Ok(Asked::Model { name, path }) => Understood::Model(name, path),
            Err(denial) => Understood::Refused(denial.to_string()),
        };
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(one);
        async {
            // Requests that follow stand behind it.
            let _ = body.collect().await;
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let stream = TokioIo::new(tokio::io::join(bytes, tokio::io::sink()));
    let served = reader(&EgressLimits::default()).serve_connection(stream, service);
    // What breaks a connection off is no request.
    let _ = Builder::new_current_thread().enable_time().build()?.block_on(served);
    Ok(heard.into_inner().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn requests_are_understood_one_after_the_other() {
        let bytes =
            b"POST http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\nX-A: 1\r\n\r\nhi\
            GET http://me@a.example/ HTTP/1.1\r\n\r\nCONNECT b.example:443 HTTP/1.1\r\n\r\n";
        let [plain, refused, tunnel] = &understood(bytes, 3128).unwrap()[..] else { panic!("not three") };
        let to = Endpoint::new("a.example", 80).unwrap();
        let headers = vec![("x-a".to_owned(), b"1".to_vec())];
        assert_eq!(*plain, Understood::Plain { to, path: "/x?y".to_owned(), headers });
        assert!(matches!(refused, Understood::Refused(why) if why.contains("user name")));
        assert_eq!(*tunnel, Understood::Tunnel(Endpoint::new("b.example", 443).unwrap()));
    }
}
