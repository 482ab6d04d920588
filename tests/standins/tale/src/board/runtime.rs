//! Runtimes: which CLIs which daemon offers, and whether it is there.

use serde::Serialize;

use super::{Board, RunId};
use crate::limits;
use crate::time::Time;

/// A CLI that a daemon offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Adapter {
    /// `claude_code`, `codex`, `opencode`.
    pub adapter_type: String,
    /// As the CLI prints it.
    pub version: Option<String>,
    /// Names of what it says it can do.
    pub capabilities: Vec<String>,
}

/// A daemon's word on itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// `daemon_` and a UUID.
    pub daemon_id: String,
    /// For people.
    pub name: Option<String>,
    /// What it offers; at least one.
    pub adapters: Vec<Adapter>,
    /// Keys of its workspaces, never paths.
    pub workspace_keys: Vec<String>,
}

/// One adapter of one daemon in one organisation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Runtime {
    /// Slug of its organisation.
    pub organization: String,
    /// Whose it is.
    pub daemon_id: String,
    /// For people.
    pub name: Option<String>,
    /// What it is.
    #[serde(flatten)]
    pub adapter: Adapter,
    /// Keys of the daemon's workspaces.
    pub workspace_keys: Vec<String>,
    /// The last registration or heartbeat.
    pub last_seen: Time,
}

/// Whether a runtime is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeStatus {
    /// Seen just now.
    Active,
    /// Missed a heartbeat or two.
    Degraded,
    /// Gone.
    Offline,
}

impl Runtime {
    /// Whether it is there at a moment.
    pub fn status(&self, now: Time) -> RuntimeStatus {
        match now.since(self.last_seen) {
            silence if silence <= limits::ACTIVE_WITHIN => RuntimeStatus::Active,
            silence if silence <= limits::DEGRADED_WITHIN => RuntimeStatus::Degraded,
            _ => RuntimeStatus::Offline,
        }
    }
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heartbeat {
    /// Whether the daemon is registered.
    pub known: bool,
    /// Its runs that a person wants ended.
    pub cancel: Vec<RunId>,
}

impl Board {
    /// Writes down what a daemon offers, in place of what it offered before, and
    /// counts as a heartbeat. Returns how many adapters it has now.
    pub fn register(&mut self, organization: &str, registration: Registration, now: Time) -> usize {
        let Registration { daemon_id, name, adapters, mut workspace_keys } = registration;
        workspace_keys.truncate(limits::MAX_WORKSPACE_KEYS);
        self.runtimes.retain(|row| !(row.organization == organization && row.daemon_id == daemon_id));
        let mut registered: Vec<Adapter> = Vec::new();
        for adapter in adapters.into_iter().take(limits::MAX_ADAPTERS) {
            registered.retain(|earlier| earlier.adapter_type != adapter.adapter_type);
            registered.push(adapter);
        }
        let count = registered.len();
        self.runtimes.extend(registered.into_iter().map(|adapter| Runtime {
            organization: organization.to_owned(),
            daemon_id: daemon_id.clone(),
            name: name.clone(),
            adapter,
            workspace_keys: workspace_keys.clone(),
            last_seen: now,
        }));
        self.sign_of_life(organization, &daemon_id, now);
        count
    }

    /// A daemon says that it is there. Renews all its leases, whether it works on
    /// the runs or not, and looks for overdue runs of the whole organisation.
    pub fn heartbeat(&mut self, organization: &str, daemon_id: &str, now: Time) -> Heartbeat {
        let known = self.sign_of_life(organization, daemon_id, now);
        self.sweep(organization, now);
        let held = self.runs.iter().filter(|run| run.organization == organization);
        let cancel = held
            .filter(|run| {
                run.state.hold().is_some_and(|hold| hold.daemon_id == daemon_id && hold.cancel_requested)
            })
            .map(|run| run.id.clone())
            .collect();
        Heartbeat { known, cancel }
    }

    /// Refreshes liveness and leases; whether the daemon is registered.
    fn sign_of_life(&mut self, organization: &str, daemon_id: &str, now: Time) -> bool {
        for run in self.runs.iter_mut().filter(|run| run.organization == organization) {
            if let Some(hold) = run.state.hold_mut().filter(|hold| hold.daemon_id == daemon_id) {
                hold.lease_until = now.plus(limits::LEASE);
            }
        }
        let mut known = false;
        for row in &mut self.runtimes {
            if row.organization == organization && row.daemon_id == daemon_id {
                row.last_seen = now;
                known = true;
            }
        }
        known
    }

    /// Loses all registrations, as a server does that kept them in memory only.
    pub fn forget_runtimes(&mut self) {
        self.runtimes.clear();
    }
}
