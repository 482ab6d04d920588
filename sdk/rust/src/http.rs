//! HTTP requests as values that are built, sent and awaited.

use std::fmt::Write;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use crate::bindings::tracker::hostler::plugin::effects::{HttpRequest, HttpResponse};

use crate::bindings::tracker::exports::hostler::plugin::tracker::{Effect, Reply};
use crate::context::{Context, wrong_reply};
use crate::{Milliseconds, Problem};

/// How much of an error answer is quoted in a message.
const QUOTED_CHARS: usize = 200;

/// An opaque id as one segment of a path, whatever it holds.
pub fn segment(id: &str) -> String {
    let mut text = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// A request under construction. Nothing happens before [`Request::send`].
#[must_use = "a request does nothing before it is sent"]
pub struct Request {
    context: Context,
    wish: HttpRequest,
    unfit: Option<Problem>,
}

impl Request {
    pub(crate) fn new(context: Context, method: &str, url: String) -> Self {
        Self {
            context,
            wish: HttpRequest {
                method: method.to_owned(),
                url,
                headers: Vec::new(),
                body: Vec::new(),
                credential: None,
                timeout: None,
            },
            unfit: None,
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.wish.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Lets the host add the secret with this handle of the manifest.
    pub fn credential(mut self, handle: &str) -> Self {
        self.wish.credential = Some(handle.to_owned());
        self
    }

    /// Ends the request after this long.
    pub fn timeout(mut self, time: Milliseconds) -> Self {
        self.wish.timeout = Some(time);
        self
    }

    /// Sets the body.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.wish.body = bytes.into();
        self
    }

    /// Sets the body to a JSON document. What cannot be written as JSON shows as
    /// a problem when the request is sent.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.wish.body = body,
            Err(error) => {
                self.unfit = Some(Problem::permanent(format!(
                    "The body of {} {} cannot be written as JSON: {error}.",
                    self.wish.method, self.wish.url
                )));
            }
        }
        self.header("content-type", "application/json")
    }

    /// Sends the request and waits for the answer, whatever its status.
    pub async fn send(self) -> Result<Response, Problem> {
        if let Some(problem) = self.unfit {
            return Err(problem);
        }
        let asked = format!("{} {}", self.wish.method, self.wish.url);
        match self.context.effect(Effect::Http(self.wish)).await? {
            Reply::Http(answer) => Ok(Response { asked, answer }),
            _ => Err(wrong_reply(&asked)),
        }
    }
}

/// The answer to a request.
#[derive(Debug)]
pub struct Response {
    asked: String,
    answer: HttpResponse,
}

impl Response {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.answer.status
    }

    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.answer.headers.iter();
        headers.find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    /// The body as it came.
    pub fn bytes(&self) -> &[u8] {
        &self.answer.body
    }

    /// Turns every status outside 200–299 into the problem it stands for.
    pub fn ok(self) -> Result<Self, Problem> {
        let status = self.status();
        if (200..300).contains(&status) {
            return Ok(self);
        }
        let said: String = String::from_utf8_lossy(self.bytes()).chars().take(QUOTED_CHARS).collect();
        let message = format!("{} was answered with status {status}: {}", self.asked, said.trim());
        let problem = match status {
            401 | 403 => Problem::auth(message),
            404 | 410 => Problem::gone(message),
            429 => Problem::rate_limited(message),
            408 | 425 | 500.. => Problem::transient(message),
            _ => Problem::permanent(message),
        };
        Err(match self.retry_after() {
            Some(wait) => problem.after(wait),
            None => problem,
        })
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(self.bytes()).map_err(|error| {
            Problem::permanent(format!(
                "{} was answered with JSON this plugin does not understand: {error}.",
                self.asked
            ))
        })
    }

    /// The `retry-after` header where it is a number of seconds.
    pub fn retry_after(&self) -> Option<Milliseconds> {
        let seconds: u32 = self.header("retry-after")?.trim().parse().ok()?;
        Some(seconds.saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_always_one_segment_of_a_path() {
        assert_eq!(segment("k57e-0_9"), "k57e-0_9");
        assert_eq!(segment("../a b?"), "%2E%2E%2Fa%20b%3F");
    }

    fn answered(retry_after: &str) -> Response {
        let headers = vec![("retry-after".to_owned(), retry_after.to_owned())];
        Response { asked: String::new(), answer: HttpResponse { status: 429, headers, body: Vec::new() } }
    }

    #[test]
    fn the_time_to_wait_is_read_where_it_is_a_number_of_seconds() {
        assert_eq!(answered(" 10 ").retry_after(), Some(10_000));
        assert_eq!(answered("4294967295").retry_after(), Some(Milliseconds::MAX));
        assert_eq!(answered("Wed, 21 Oct 2026 07:28:00 GMT").retry_after(), None);
    }
}
