//! Which endpoint a request is for.

use serde::{Deserialize, Serialize};

/// The six calls a daemon makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// `POST /api/v1/runtimes/register`
    Register,
    /// `POST /api/v1/runtimes/heartbeat`
    Heartbeat,
    /// `POST /api/v1/runs/claim`
    Claim,
    /// `POST /api/v1/runs/{id}/events`
    Events,
    /// `POST /api/v1/runs/{id}/complete`
    Complete,
    /// `POST /api/v1/runs/{id}/fail`
    Fail,
}

/// Where a request leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `OPTIONS`, of anything.
    Preflight,
    /// Register, heartbeat or claim.
    Plain(Endpoint),
    /// Events, complete or fail, with the run as it stands in the path.
    OfRun(Endpoint, String),
    /// Below a run, but nothing the server knows.
    UnknownOfRun,
    /// Nothing the server knows.
    Unknown,
}

impl Route {
    /// Reads a method and a path without its query.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        if method == "OPTIONS" {
            return Self::Preflight;
        }
        let Some(path) = path.strip_prefix("/api/v1/").filter(|_| method == "POST") else {
            return Self::Unknown;
        };
        match path.split('/').collect::<Vec<_>>()[..] {
            ["runtimes", "register"] => Self::Plain(Endpoint::Register),
            ["runtimes", "heartbeat"] => Self::Plain(Endpoint::Heartbeat),
            ["runs", "claim"] => Self::Plain(Endpoint::Claim),
            ["runs", id, "events"] => Self::OfRun(Endpoint::Events, id.to_owned()),
            ["runs", id, "complete"] => Self::OfRun(Endpoint::Complete, id.to_owned()),
            ["runs", id, "fail"] => Self::OfRun(Endpoint::Fail, id.to_owned()),
            ["runs", ..] => Self::UnknownOfRun,
            _ => Self::Unknown,
        }
    }

    /// The endpoint, if it is one.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::Plain(endpoint) | Self::OfRun(endpoint, _) => Some(*endpoint),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_endpoints_and_other_methods_nowhere() {
        assert_eq!(Route::of("POST", "/api/v1/runs/claim"), Route::Plain(Endpoint::Claim));
        assert_eq!(Route::of("POST", "/api/v1/runs/k1/fail"), Route::OfRun(Endpoint::Fail, "k1".to_owned()));
        assert_eq!(Route::of("POST", "/api/v1/runs/k1/pause"), Route::UnknownOfRun);
        assert_eq!(Route::of("GET", "/api/v1/runs/claim"), Route::Unknown);
        assert_eq!(Route::of("POST", "/api/v1/tasks"), Route::Unknown);
        assert_eq!(Route::of("OPTIONS", "/anything"), Route::Preflight);
    }
}
