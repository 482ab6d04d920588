//! Agents and what binds them to a runtime.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::Board;

/// How much an agent may do without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionMode {
    /// Read, and ask for everything else.
    #[default]
    Safe,
    /// Edit files without asking.
    AutoEdits,
    /// Everything without asking.
    FullAuto,
}

/// Which runtime works for an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// `claude_code`, `codex`, `opencode`.
    pub adapter_type: String,
    /// Only this daemon, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemon_id: Option<String>,
    /// Which of the daemon's workspaces, if given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_key: Option<String>,
    /// The server's half of the double opt-in.
    #[serde(default)]
    pub permission_mode: PermissionMode,
}

/// What an agent may spend in a calendar month (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// Whole cents.
    pub monthly_cents: u64,
    /// Percent from which the prompt warns; 80 if absent.
    #[serde(default)]
    pub warn_pct: Option<u32>,
    /// Percent from which nothing starts; 100 if absent.
    #[serde(default)]
    pub pause_pct: Option<u32>,
}

/// An agent on the board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Agent {
    /// Its organisation; the board's first one if empty.
    #[serde(default)]
    pub organization: String,
    /// Its name in mentions.
    pub slug: String,
    /// A disabled agent gets nothing.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Without one, Tale's own model loop would do the work, and no daemon hears of it.
    #[serde(default)]
    pub runtime: Option<Binding>,
    /// Without one there is no limit.
    #[serde(default)]
    pub budget: Option<Budget>,
    /// How many of its runs may be claimed at once.
    #[serde(default)]
    pub max_concurrent_tasks: Option<usize>,
    /// Handed out with each claim; only the names are ever shown.
    #[serde(default, serialize_with = "names_only")]
    pub env: BTreeMap<String, String>,
}

impl Agent {
    /// An agent bound to an adapter, in safe mode and with no limits.
    pub fn bound(slug: &str, adapter_type: &str) -> Self {
        let runtime = Binding {
            adapter_type: adapter_type.to_owned(),
            daemon_id: None,
            workspace_key: None,
            permission_mode: PermissionMode::Safe,
        };
        Self {
            organization: String::new(),
            slug: slug.to_owned(),
            enabled: true,
            runtime: Some(runtime),
            budget: None,
            max_concurrent_tasks: None,
            env: BTreeMap::new(),
        }
    }

    /// With this permission mode.
    pub fn permission(mut self, mode: PermissionMode) -> Self {
        if let Some(runtime) = &mut self.runtime {
            runtime.permission_mode = mode;
        }
        self
    }

    /// Only for this daemon.
    pub fn pinned_to(mut self, daemon_id: &str) -> Self {
        if let Some(runtime) = &mut self.runtime {
            runtime.daemon_id = Some(daemon_id.to_owned());
        }
        self
    }

    /// In this workspace.
    pub fn workspace(mut self, key: &str) -> Self {
        if let Some(runtime) = &mut self.runtime {
            runtime.workspace_key = Some(key.to_owned());
        }
        self
    }

    /// With a variable for the agent's environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// With a monthly budget in cents, warned and paused at the default percentages.
    pub fn budget(mut self, monthly_cents: u64) -> Self {
        self.budget = Some(Budget { monthly_cents, warn_pct: None, pause_pct: None });
        self
    }

    /// With at most so many runs at once.
    pub fn at_most(mut self, runs: usize) -> Self {
        self.max_concurrent_tasks = Some(runs);
        self
    }

    /// In this organisation instead of the board's first one.
    pub fn in_organization(mut self, slug: &str) -> Self {
        slug.clone_into(&mut self.organization);
        self
    }
}

impl Board {
    /// Adds an agent, or puts it in the place of the one with its slug.
    pub fn put_agent(&mut self, mut agent: Agent) {
        if agent.organization.is_empty() {
            agent.organization = self.first_organization();
        }
        self.agents.retain(|other| (&other.organization, &other.slug) != (&agent.organization, &agent.slug));
        self.agents.push(agent);
    }

    /// An agent by its organisation and slug.
    pub fn agent(&self, organization: &str, slug: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.organization == organization && agent.slug == slug)
    }
}

fn yes() -> bool {
    true
}

/// Values of an environment are secrets as often as not.
fn names_only<S: Serializer>(env: &BTreeMap<String, String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(env.keys())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_values_of_an_environment_are_never_shown() {
        let agent = Agent::bound("coder", "codex").variable("TOKEN", "hidden");
        let shown = serde_json::to_string(&agent).unwrap();
        assert!(shown.contains("TOKEN") && !shown.contains("hidden"), "{shown}");
    }

    #[test]
    fn an_agent_is_created_from_little() {
        let agent: Agent =
            serde_json::from_str(r#"{"slug":"coder","runtime":{"adapterType":"codex"}}"#).unwrap();
        assert_eq!(agent, Agent::bound("coder", "codex"));
    }
}
