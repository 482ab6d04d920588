//! Which headers a plugin may set, and which of a server's it gets to see.

use hostler_engine::problem::Problem;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::scrub::Scrubber;
use crate::denial::{Denial, Refusal, quoted};
use crate::grant::Credential;
use crate::limits::{HEADER_BYTES, HEADERS};

/// Headers that frame the message or the connection: two opinions on them are
/// how one request is smuggled inside another.
const FRAMING: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers by which servers are asked to treat the request as another one than
/// the grant was checked for.
const OVERRIDING: [&str; 5] =
    ["x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url"];

/// Headers a server sends that no plugin gets.
const WITHHELD: [&str; 2] = ["set-cookie", "set-cookie2"];

/// The headers of a request, if the plugin may set them all.
pub(super) fn admit(headers: &[(String, String)], credentials: &[Credential]) -> Result<HeaderMap, Refusal> {
    check_size(headers)?;
    let mut admitted = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let name = HeaderName::try_from(name)
            .map_err(|_| Problem::permanent(format!("`{}` is not a header name", quoted(name))))?;
        if let Some(reason) = forbidden(&name, credentials) {
            return Err(Denial::Header { header: quoted(name.as_str()), reason }.into());
        }
        let value = HeaderValue::try_from(value).map_err(|_| {
            Problem::permanent(format!("the value of the header `{name}` holds a control character"))
        })?;
        admitted.append(name, value);
    }
    Ok(admitted)
}

fn check_size(headers: &[(String, String)]) -> Result<(), Problem> {
    if headers.len() > HEADERS {
        let count = headers.len();
        return Err(Problem::permanent(format!(
            "the request has {count} headers, more than the {HEADERS} allowed: send fewer"
        )));
    }
    let size: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > HEADER_BYTES {
        return Err(Problem::permanent(format!(
            "the request's headers have {size} bytes, more than the {HEADER_BYTES} allowed: send less in them"
        )));
    }
    Ok(())
}

fn forbidden(name: &HeaderName, credentials: &[Credential]) -> Option<&'static str> {
    let text = name.as_str();
    if credentials.iter().any(|credential| credential.header == *name) {
        Some("the host sets it, to a credential: name the credential in the request instead")
    } else if FRAMING.contains(&text) || text.starts_with("proxy-") {
        Some("the host writes what belongs to the connection")
    } else if OVERRIDING.contains(&text) {
        Some("it would turn the request into another than the one that was checked")
    } else if text == "cookie" {
        Some("cookies are not carried")
    } else if text == "accept-encoding" {
        Some("answers are fetched uncompressed, so that secrets can be removed from them")
    } else {
        None
    }
}

/// The headers of a response as the plugin gets them.
pub(super) fn hand_over(headers: &HeaderMap, scrubber: &Scrubber) -> Vec<(String, String)> {
    let visible = headers.iter().filter(|(name, _)| !WITHHELD.contains(&name.as_str()));
    visible
        .map(|(name, value)| {
            let value = scrubber.scrub(value.as_bytes().to_vec());
            (name.as_str().to_owned(), String::from_utf8_lossy(&value).into_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn set(name: &str) -> Result<HeaderMap, Refusal> {
        admit(&[(name.to_owned(), "x".to_owned())], &[])
    }

    #[test]
    fn what_frames_or_overrides_a_request_may_not_be_set_in_any_case() {
        let names = FRAMING.iter().chain(&OVERRIDING).chain(&["cookie", "accept-encoding", "proxy-anything"]);
        for name in names {
            for name in [(*name).to_owned(), name.to_uppercase()] {
                assert!(matches!(set(&name), Err(Refusal::Denied(Denial::Header { .. }))), "{name}");
            }
        }
        assert!(set("X-Api-Version").is_ok());
        assert!(set("authorization").is_ok(), "where no granted secret goes into it");
    }

    #[test]
    fn a_header_that_would_split_the_request_is_malformed() {
        for (name, value) in [("x\r\nhost", "evil"), ("x", "1\r\nhost: evil"), ("x", "1\0"), ("", "x")] {
            let refusal = admit(&[(name.to_owned(), value.to_owned())], &[]).unwrap_err();
            assert!(matches!(refusal, Refusal::Problem(_)), "{name:?} {value:?}");
        }
    }

    #[test]
    fn headers_are_capped_in_number_and_in_bytes() {
        let many = |count: usize| vec![("a".to_owned(), "b".to_owned()); count];
        assert_eq!(admit(&many(HEADERS), &[]).unwrap().len(), HEADERS);
        assert!(admit(&many(HEADERS + 1), &[]).is_err());
        let long = |bytes: usize| [("a".to_owned(), "b".repeat(bytes - 1))];
        assert!(admit(&long(HEADER_BYTES), &[]).is_ok());
        assert!(admit(&long(HEADER_BYTES + 1), &[]).is_err());
    }
}
