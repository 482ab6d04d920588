//! Reads a server's answer within the limits and makes it fit for a plugin.

use hostler_engine::problem::Problem;
use hostler_engine::request::HttpResponse;
use hostler_engine::rights::Origin;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, HeaderMap};

use super::failure;
use super::headers;
use super::scrub::Scrubber;
use crate::limits::{HEADER_BYTES, HEADERS, Limits};

/// Reads all of an answer, whatever its status.
pub(super) async fn read(
    response: Response,
    origin: &Origin,
    scrubber: &Scrubber,
    limits: &Limits,
) -> Result<HttpResponse, Problem> {
    check_headers(response.headers(), origin)?;
    let status = response.status().as_u16();
    let headers = headers::hand_over(response.headers(), scrubber);
    let body = scrubber.scrub(body(response, origin, limits.response_body).await?);
    if body.len() > limits.response_body {
        return Err(too_large(origin, limits.response_body));
    }
    Ok(HttpResponse { status, headers, body })
}

fn check_headers(headers: &HeaderMap, origin: &Origin) -> Result<(), Problem> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > HEADERS || size > HEADER_BYTES {
        let count = headers.len();
        return Err(Problem::permanent(format!(
            "{origin} answered with {count} headers of {size} bytes, \
             more than the {HEADERS} headers of {HEADER_BYTES} bytes allowed"
        )));
    }
    // Nothing can be removed from what cannot be read.
    let encoded = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(Problem::permanent(format!(
            "{origin} sent a compressed answer though none was asked for: switch compression off there"
        )));
    }
    Ok(())
}

async fn body(mut response: Response, origin: &Origin, limit: usize) -> Result<Vec<u8>, Problem> {
    let announced = response.content_length().unwrap_or(0);
    if usize::try_from(announced).unwrap_or(usize::MAX) > limit {
        return Err(too_large(origin, limit));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure::problem(&error, origin))? {
        if body.len() + chunk.len() > limit {
            return Err(too_large(origin, limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn too_large(origin: &Origin, limit: usize) -> Problem {
    Problem::permanent(format!(
        "the answer of {origin} is larger than the {limit} bytes allowed: ask for fewer or smaller items"
    ))
}
