//! Which endpoint a request is for.

use serde::{Deserialize, Serialize};

/// The calls a runner makes, below `/v1/agent/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `GET me`
    Me,
    /// `POST tasks/claim`
    Claim,
    /// `GET tasks/{id}`
    Task,
    /// `POST tasks/{id}/continue`: ours, not in Trakkar's documentation
    Continue,
    /// `POST runs/{id}/progress`
    Progress,
    /// `GET runs/{id}/control`
    Control,
    /// `POST runs/{id}/pr`
    Pr,
    /// `POST runs/{id}/finish`
    Finish,
    /// `POST runs/{id}/release`
    Release,
    /// `POST heartbeat`
    Heartbeat,
}

/// Where a request leads: the endpoint, and the id in its path if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    pub(crate) id: String,
}

impl Route {
    /// Reads a method and a path without its query; `None` for what no runner calls.
    pub(crate) fn of(method: &str, path: &str) -> Option<Self> {
        let path = path.strip_prefix("/v1/agent/")?;
        let (endpoint, id) = match (method, path.split('/').collect::<Vec<_>>().as_slice()) {
            ("GET", ["me"]) => (Endpoint::Me, ""),
            ("POST", ["tasks", "claim"]) => (Endpoint::Claim, ""),
            ("GET", ["tasks", id]) => (Endpoint::Task, *id),
            ("POST", ["tasks", id, "continue"]) => (Endpoint::Continue, *id),
            ("POST", ["heartbeat"]) => (Endpoint::Heartbeat, ""),
            ("POST", ["runs", id, "progress"]) => (Endpoint::Progress, *id),
            ("GET", ["runs", id, "control"]) => (Endpoint::Control, *id),
            ("POST", ["runs", id, "pr"]) => (Endpoint::Pr, *id),
            ("POST", ["runs", id, "finish"]) => (Endpoint::Finish, *id),
            ("POST", ["runs", id, "release"]) => (Endpoint::Release, *id),
            _ => return None,
        };
        Some(Self { endpoint, id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(method: &str, path: &str) -> Option<(Endpoint, String)> {
        Route::of(method, path).map(|route| (route.endpoint, route.id))
    }

    #[test]
    fn paths_lead_to_their_endpoints_and_other_methods_nowhere() {
        assert_eq!(route("GET", "/v1/agent/me"), Some((Endpoint::Me, String::new())));
        assert_eq!(route("POST", "/v1/agent/tasks/claim"), Some((Endpoint::Claim, String::new())));
        assert_eq!(route("GET", "/v1/agent/tasks/t_1"), Some((Endpoint::Task, "t_1".into())));
        assert_eq!(route("POST", "/v1/agent/runs/r/finish"), Some((Endpoint::Finish, "r".into())));
        for (method, path) in [
            ("POST", "/v1/agent/me"),
            ("GET", "/v1/agent/tasks/t_1/continue"),
            ("GET", "/v1/agent/runs/r/finish"),
            ("GET", "/me"),
            ("POST", "/v1/agent/runs/r"),
        ] {
            assert_eq!(route(method, path), None, "{method} {path}");
        }
    }
}
