//! One request to the server, and what its answer means for the one who asked.

use hostler_sdk::http::{Response, segment};
use hostler_sdk::{Context, Milliseconds, Problem};
use serde::Serialize;
use serde_json::Value;

use crate::pace::DISABLED;
use crate::text::{head, one_line};

/// Handle of the token in the manifest.
const TOKEN: &str = "token";

/// Longest wait for an answer.
pub const PATIENCE: Milliseconds = 30_000;

/// Where the server limits the rate and does not say for how long.
const DEFAULT_RETRY_AFTER: Milliseconds = 30_000;

/// How much of the server's own words is quoted.
const QUOTED_CHARS: usize = 200;

/// The way to the server.
#[derive(Clone, Debug)]
pub struct Server {
    url: String,
}

/// Why a request brought no result.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// Nobody knows whether the server did what it was asked; asking again may help.
    Unanswered(Problem),
    /// The run was finished before: 409 `already_finished`.
    AlreadyFinished(Problem),
    /// The task or the run is not there, or not ours: 404, 410 and other 409s.
    NotOurs(Problem),
    /// The agent is disabled in Trakkar: 403.
    Disabled(Problem),
    /// It was not done.
    Refused(Problem),
}

impl Trouble {
    /// For the host.
    pub fn into_problem(self) -> Problem {
        match self {
            Self::Unanswered(problem)
            | Self::AlreadyFinished(problem)
            | Self::NotOurs(problem)
            | Self::Disabled(problem)
            | Self::Refused(problem) => problem,
        }
    }

    /// Whether the same request may work later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unanswered(_) | Self::Disabled(_) => true,
            Self::Refused(problem) => matches!(problem.kind.as_str(), "rate-limited" | "auth" | "transient"),
            Self::AlreadyFinished(_) | Self::NotOurs(_) => false,
        }
    }

    /// Whether the server refuses the token.
    pub fn is_about_token(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.kind == "auth")
    }

    /// How long the server wants to be left alone, if that is the trouble.
    pub fn pause(&self) -> Option<Milliseconds> {
        match self {
            Self::Refused(problem) if problem.kind == "rate-limited" => problem.retry_after,
            Self::Disabled(problem) => problem.retry_after,
            _ => None,
        }
    }
}

impl Server {
    /// The server at this address.
    pub fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// Asks for something.
    pub async fn get(
        &self,
        cx: &Context,
        runner: &str,
        path: &str,
        timeout: Milliseconds,
    ) -> Result<Value, Trouble> {
        self.send(cx.get(self.address(path)).timeout(timeout), runner, path).await
    }

    /// Tells something.
    pub async fn post(
        &self,
        cx: &Context,
        runner: &str,
        path: &str,
        body: &impl Serialize,
        timeout: Milliseconds,
    ) -> Result<Value, Trouble> {
        self.send(cx.post(self.address(path)).timeout(timeout).json(body), runner, path).await
    }

    fn address(&self, path: &str) -> String {
        format!("{}/v1/agent/{path}", self.url)
    }

    /// What comes back is the answer's object.
    async fn send(
        &self,
        request: hostler_sdk::http::Request,
        runner: &str,
        path: &str,
    ) -> Result<Value, Trouble> {
        read(path, &deliver(request, runner).await?)
    }

    /// Has a task go on from an earlier run. Trakkar does not promise this call: where it
    /// is not known the problem is `unsupported`.
    pub async fn continue_task(
        &self,
        cx: &Context,
        runner: &str,
        task_id: &str,
        wish: &impl Serialize,
    ) -> Result<(), Trouble> {
        let path = of_task(task_id, "/continue");
        let request = cx.post(self.address(&path)).timeout(PATIENCE).json(wish);
        let response = deliver(request, runner).await?;
        match response.status() {
            404 | 405 => Err(Trouble::Refused(Problem::unsupported(format!(
                "Trakkar answered {path} with status {}: it takes no task up again by itself, or has none \
                 like that.",
                response.status()
            )))),
            // Somebody replied first: a run of the task is open already.
            409 => Ok(()),
            _ => read(&path, &response).map(|_| ()),
        }
    }
}

async fn deliver(request: hostler_sdk::http::Request, runner: &str) -> Result<Response, Trouble> {
    match request.credential(TOKEN).header("x-runner-id", runner).send().await {
        Ok(response) => Ok(response),
        // Only a problem on the way leaves open whether the request arrived.
        Err(problem) if problem.kind == "transient" => Err(Trouble::Unanswered(problem)),
        Err(problem) => Err(Trouble::Refused(problem)),
    }
}

/// The path of something about one run.
pub fn of_run(run_id: &str, what: &str) -> String {
    format!("runs/{}/{what}", segment(run_id))
}

/// The path of a task, and of what is below it.
pub fn of_task(task_id: &str, below: &str) -> String {
    format!("tasks/{}{below}", segment(task_id))
}

fn read(path: &str, response: &Response) -> Result<Value, Trouble> {
    let status = response.status();
    let body: Value = serde_json::from_slice(response.bytes()).unwrap_or_default();
    if (200..300).contains(&status) {
        // A proxy or a login page answers with success, too, and the server has heard nothing.
        return if body.is_object() { Ok(body) } else { Err(Trouble::Unanswered(no_answer(path))) };
    }
    let error = |field: &str| body.pointer(&format!("/error/{field}")).and_then(Value::as_str);
    let code = error("code").unwrap_or_default();
    let said = one_line(error("message").filter(|said| !said.is_empty()).unwrap_or(code));
    let said = if said.is_empty() { "no reason given".to_owned() } else { head(&said, QUOTED_CHARS) };
    let answered = format!("Trakkar answered {path} with status {status} ({said})");
    Err(match (status, code) {
        (401, _) => Trouble::Refused(Problem::auth(format!(
            "{answered}: add an agent in Trakkar at Settings, AI Agents, and set its token, which is shown once, as `token` or TRAKKAR_TOKEN."
        ))),
        (403, _) => Trouble::Disabled(
            Problem::transient(format!(
                "{answered}: enable the agent in Trakkar at Settings, AI Agents; it is asked again every minute."
            ))
            .after(DISABLED),
        ),
        (409, "already_finished") => {
            Trouble::AlreadyFinished(Problem::gone(format!("{answered}: the run ended there before.")))
        }
        (404 | 409 | 410, _) => Trouble::NotOurs(Problem::gone(format!(
            "{answered}: the task was removed or taken back in Trakkar, or another runner has it."
        ))),
        (429, _) => Trouble::Refused(
            Problem::rate_limited(format!("{answered}: it is asked again when the time it named is over."))
                .after(response.retry_after().unwrap_or(DEFAULT_RETRY_AFTER)),
        ),
        (408 | 425 | 500.., _) => {
            Trouble::Unanswered(Problem::transient(format!("{answered}; it is tried again.")))
        }
        (300..=399 | 405, _) => Trouble::Refused(Problem::permanent(format!(
            "{answered}: `api-url` does not lead to Trakkar itself; leave it out, or set it to the address of the API."
        ))),
        _ => Trouble::Refused(Problem::permanent(format!(
            "{answered}: check whether plugin and server are up to date."
        ))),
    })
}

fn no_answer(path: &str) -> Problem {
    Problem::transient(format!(
        "Something answered {path} that is not Trakkar: check `api-url` and whether a proxy or a login page is in between; it is tried again."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_always_one_segment_of_the_path() {
        assert_eq!(of_run("run_501", "finish"), "runs/run_501/finish");
        assert_eq!(of_task("../a b", ""), "tasks/%2E%2E%2Fa%20b");
    }
}
