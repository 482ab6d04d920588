//! What went wrong between the host and a server, in one sentence.
//!
//! All of it may pass: only an answer can prove that asking again is pointless.

use std::error::Error;
use std::io;

use hostler_engine::problem::Problem;
use hostler_engine::rights::Origin;
use hostler_engine::time::Millis;

/// The problem behind a client's error. Addresses and headers are not repeated.
pub(crate) fn problem(error: &reqwest::Error, origin: &Origin) -> Problem {
    let detail = innermost(error);
    let message = if error.is_connect() && error.is_timeout() {
        format!("could not connect to {origin} in time: check that it is up and reachable")
    } else if error.is_connect() && is_tls(error) {
        format!(
            "could not agree on TLS with {origin} ({detail}): check that it speaks https and its certificate"
        )
    } else if error.is_connect() {
        format!("could not connect to {origin} ({detail}): check that it is up and reachable")
    } else {
        format!("the connection to {origin} broke before the answer was complete ({detail})")
    };
    Problem::transient(message)
}

/// No complete answer within the time allowed.
pub(crate) fn too_slow(origin: &Origin, allowed: Millis) -> Problem {
    let allowed = if allowed.0 < 1000 { format!("{}ms", allowed.0) } else { allowed.to_string() };
    Problem::transient(format!("{origin} did not answer within {allowed}"))
}

/// The cause at the bottom of a chain of errors.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

/// The TLS layer reports what it cannot accept as invalid data.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref()).any(is_invalid_data)
}

/// Whether this error, or the one it wraps, says so: a wrapped one is no cause.
fn is_invalid_data(error: &io::Error) -> bool {
    let wrapped = error.get_ref().and_then(|inner| inner.downcast_ref::<io::Error>());
    error.kind() == io::ErrorKind::InvalidData || wrapped.is_some_and(is_invalid_data)
}

/// An error and all that led to it, outermost first.
pub(crate) fn causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&cause| cause.source())
}
