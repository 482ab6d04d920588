//! Decides whether a request may be sent, and in what form. No I/O.

use hostler_engine::problem::Problem;
use hostler_engine::request::HttpRequest;
use hostler_engine::rights::Origin;
use hostler_engine::time::Millis;
use reqwest::Method;
use reqwest::header::HeaderMap;
use url::Url;

use super::headers;
use crate::denial::{Denial, Refusal, quoted};
use crate::grant::{Credential, HttpGrant};
use crate::limits::{Limits, URL_BYTES};
use crate::network::Mode;

/// Methods that are never sent, whatever is granted: one opens a tunnel, the
/// other asks the server to repeat the credential.
const NEVER: [&str; 2] = ["CONNECT", "TRACE"];

/// A request that a grant covers, ready to be sent but for its credential.
#[derive(Debug)]
pub(crate) struct Admitted<'g> {
    pub(crate) method: Method,
    /// In normal form; exactly what was matched and exactly what is sent.
    pub(crate) url: Url,
    pub(crate) origin: Origin,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) credential: Option<&'g Credential>,
    pub(crate) timeout: Millis,
    /// The right that is missing, where that is only to be observed.
    pub(crate) missing: Option<Denial>,
}

/// Checks a request against the grant. Observing forgives that no right covers where it
/// goes; nothing forgives a credential for elsewhere.
pub(crate) fn admit<'g>(
    request: HttpRequest,
    grant: &'g HttpGrant,
    limits: &Limits,
    mode: Mode,
) -> Result<Admitted<'g>, Refusal> {
    let (url, origin) = address(&request.url)?;
    let method = method(&request.method)?;
    let missing = match (grant.covers(&origin, url.path(), method.as_str()), mode) {
        (Err(denial), Mode::Enforce) => return Err(denial.into()),
        (covered, _) => covered.err(),
    };
    let credential = match &request.credential {
        Some(handle) => Some(grant.credential(handle, &origin)?),
        None => None,
    };
    let headers = headers::admit(&request.headers, grant.credentials())?;
    if request.body.len() > limits.request_body {
        return Err(too_large(&origin, request.body.len(), limits.request_body).into());
    }
    let timeout = limits.timeout(request.timeout);
    Ok(Admitted { method, url, origin, headers, body: request.body, credential, timeout, missing })
}

/// Parses an address once, for matching and for sending.
fn address(text: &str) -> Result<(Url, Origin), Refusal> {
    within_limit(text)?;
    let mut url = Url::parse(text).map_err(|error| malformed(text, &error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Denial::Scheme { scheme: quoted(url.scheme()) }.into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Denial::UserInfo.into());
    }
    if url.fragment().is_some() {
        return Err(malformed(text, "it has a fragment, which is never sent").into());
    }
    let origin = Origin::of_url(&url).map_err(|error| malformed(text, &error.to_string()))?;
    // The origin has lost a trailing dot; what is sent must be what was matched.
    url.set_host(Some(&origin.host)).map_err(|error| malformed(text, &error.to_string()))?;
    // Its normal form may be three times as long.
    within_limit(url.as_str())?;
    Ok((url, origin))
}

fn within_limit(address: &str) -> Result<(), Problem> {
    let length = address.len();
    if length <= URL_BYTES {
        return Ok(());
    }
    let message = format!("the address has {length} bytes, more than the {URL_BYTES} allowed: shorten it");
    Err(Problem::permanent(message))
}

fn method(name: &str) -> Result<Method, Problem> {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    match Method::from_bytes(name.as_bytes()) {
        Ok(method) if plain && !NEVER.contains(&name) => Ok(method),
        _ => Err(Problem::permanent(format!(
            "`{}` is not a method that can be sent: use one like GET or POST, in capitals",
            quoted(name)
        ))),
    }
}

/// The whole address is not repeated: it may hold what belongs to nobody else.
fn malformed(text: &str, reason: &str) -> Problem {
    let shown = text.split(['?', '#', '@']).next().unwrap_or_default();
    Problem::permanent(format!("the address `{}` cannot be used: {reason}", quoted(shown)))
}

fn too_large(origin: &Origin, size: usize, limit: usize) -> Problem {
    Problem::permanent(format!(
        "the request to {origin} has a body of {size} bytes, more than the {limit} allowed: send less at once"
    ))
}

#[cfg(test)]
#[path = "admit_tests.rs"]
mod tests;
