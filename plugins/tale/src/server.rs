//! One request to the server, and what its answer means for the one who asked.

use hostler_sdk::http::{Response, segment};
use hostler_sdk::{Context, Milliseconds, Problem};
use serde::Serialize;
use serde_json::Value;

use crate::settings::Settings;
use crate::text::{head, one_line};

/// Handle of the API key in the manifest.
const KEY: &str = "api-key";

/// Where the server limits the rate and does not say for how long.
const DEFAULT_RETRY_AFTER: Milliseconds = 30_000;

/// How much of the server's own words is quoted.
const QUOTED_CHARS: usize = 200;

/// The way to the server.
#[derive(Clone, Debug)]
pub struct Server {
    settings: Settings,
}

/// Why a request brought no result.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// Nobody knows whether the server did what it was asked.
    Unanswered(Problem),
    /// The run is over, or not ours: status 409.
    NotOurs(Problem),
    /// It was not done.
    Refused(Problem),
}

impl Trouble {
    /// For the host.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Unanswered(problem) | Self::NotOurs(problem) | Self::Refused(problem) => problem,
        }
    }

    /// Whether the same request may work later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unanswered(_)) || self.pause().is_some()
    }

    /// How long the server wants to be left alone, if that is the trouble.
    pub fn pause(&self) -> Option<Milliseconds> {
        match self {
            Self::Refused(problem) if problem.kind == "rate-limited" => problem.retry_after,
            _ => None,
        }
    }
}

/// A body under the name of the daemon that sends it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed<'a, T> {
    daemon_id: &'a str,
    #[serde(flatten)]
    body: &'a T,
}

impl Server {
    /// The server of these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Sends a request in the name of a daemon. What comes back is the answer's
    /// object; a success without one is `{}`. What is no JSON does not come from Tale.
    pub async fn post(
        &self,
        cx: &Context,
        path: &str,
        daemon_id: &str,
        body: &impl Serialize,
        timeout: Milliseconds,
    ) -> Result<Value, Trouble> {
        let url = format!("{}/api/v1/{path}", self.settings.url);
        let mut request = cx.post(url).credential(KEY).timeout(timeout).json(&Signed { daemon_id, body });
        if let Some(organization) = &self.settings.organization {
            request = request.header("x-organization-slug", organization.as_str());
        }
        match request.send().await {
            Ok(response) => read(path, &response),
            // Only a problem on the way leaves open whether the request arrived.
            Err(problem) if problem.kind == "transient" => Err(Trouble::Unanswered(problem)),
            Err(problem) => Err(Trouble::Refused(problem)),
        }
    }
}

/// The path of something about one run.
pub fn of_run(external_run_id: &str, what: &str) -> String {
    format!("runs/{}/{what}", segment(external_run_id))
}

fn read(path: &str, response: &Response) -> Result<Value, Trouble> {
    let status = response.status();
    let parsed: Result<Value, _> = serde_json::from_slice(response.bytes());
    if (200..300).contains(&status) && parsed.is_err() && !response.bytes().trim_ascii().is_empty() {
        return Err(Trouble::Unanswered(Problem::transient(format!(
            "{path} was answered with something that is no JSON: a proxy or a login page may stand before Tale; it is tried again."
        ))));
    }
    let body = parsed.unwrap_or_default();
    if (200..300).contains(&status) {
        return Ok(if body.is_object() { body } else { Value::Object(serde_json::Map::new()) });
    }
    let said = body.get("error").and_then(Value::as_str).map(one_line).unwrap_or_default();
    let said = if said.is_empty() { "no reason given".to_owned() } else { head(&said, QUOTED_CHARS) };
    let answered = format!("Tale answered {path} with status {status} ({said})");
    Err(match status {
        401 | 403 => Trouble::Refused(Problem::auth(format!(
            "{answered}: generate a new key in Tale at Settings, API, and set it as `api-key` or TALE_DAEMON_API_KEY; its owner must be a member of the organisation."
        ))),
        409 => Trouble::NotOurs(Problem::gone(format!(
            "{answered}: the run ended there before, or was given to another daemon."
        ))),
        429 => Trouble::Refused(
            Problem::rate_limited(format!("{answered}: it is asked again when the time it named is over."))
                .after(response.retry_after().unwrap_or(DEFAULT_RETRY_AFTER)),
        ),
        408 | 425 | 500.. => {
            Trouble::Unanswered(Problem::transient(format!("{answered}; it is tried again.")))
        }
        300..=399 | 404 | 405 => Trouble::Refused(Problem::permanent(format!(
            "{answered}: `url` does not lead to Tale itself; set it to the address in the browser while Tale is open."
        ))),
        _ => Trouble::Refused(Problem::permanent(format!(
            "{answered}: check `organization` and `daemon-id`, and whether plugin and server are up to date."
        ))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_always_one_segment_of_the_path() {
        assert_eq!(of_run("k57e-0_9", "fail"), "runs/k57e-0_9/fail");
        assert_eq!(of_run("../a b", "fail"), "runs/%2E%2E%2Fa%20b/fail");
    }
}
