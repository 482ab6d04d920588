//! Which headers go on to the next server. Pure.

use hyper::HeaderMap;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};

/// Headers about one connection, not about the request (RFC 9110, 7.6.1).
const CONNECTION_ONLY: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Leaves of a request's headers what the next server is to see. The host's and the
/// length's are left out, too: they are set anew from what was checked and what is sent.
pub(super) fn of_request(headers: &mut HeaderMap) {
    without_connection(headers);
    headers.remove(HOST);
    headers.remove(CONTENT_LENGTH);
}

/// The same for an answer, whose length stays where it is the only measure of its end.
pub(super) fn of_answer(headers: &mut HeaderMap) {
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    without_connection(headers);
}

fn without_connection(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&CONNECTION_ONLY) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn what_is_about_one_connection_goes_no_further() {
        let mut request = headers(&[
            ("accept", "a"),
            ("connection", "keep-alive, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("keep-alive", "5"),
            ("proxy-authorization", "Basic x"),
            ("transfer-encoding", "chunked"),
            ("content-length", "5"),
            ("host", "a.example"),
            ("upgrade", "websocket"),
        ]);
        of_request(&mut request);
        assert_eq!(request, headers(&[("accept", "a")]));
    }

    #[test]
    fn an_answer_keeps_its_length_unless_its_pieces_tell_it() {
        let mut answer = headers(&[("content-length", "5"), ("connection", "close")]);
        of_answer(&mut answer);
        assert_eq!(answer, headers(&[("content-length", "5")]));
        let mut both = headers(&[("content-length", "5"), ("transfer-encoding", "chunked")]);
        of_answer(&mut both);
        assert!(both.is_empty());
    }
}
