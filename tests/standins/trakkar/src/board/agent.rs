//! AI agents, as they are added in the settings.

use serde::{Deserialize, Serialize};

use super::Board;

/// An AI agent. Its token is shown once, when it is added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Agent {
    /// `ag_1`, …; given by the board.
    pub id: String,
    /// For people.
    pub name: String,
    /// `claude_code` or `cursor`.
    pub provider: String,
    /// At most so many tasks at once; the runner decides without it.
    pub max_concurrency: Option<u32>,
    /// Judges the work; none without it.
    pub verify_command: Option<String>,
    /// What branches start from; the default branch without it.
    pub base_branch: Option<String>,
    /// A disabled agent is answered 403.
    pub enabled: bool,
    /// Begins with `trk_agent_`.
    #[serde(skip_serializing)]
    pub token: String,
}

impl Default for Agent {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: "Claude on api".to_owned(),
            provider: "claude_code".to_owned(),
            max_concurrency: None,
            verify_command: None,
            base_branch: None,
            enabled: true,
            token: String::new(),
        }
    }
}

impl Board {
    /// Adds an agent. An empty token is made up. Returns id and token.
    pub fn add_agent(&mut self, mut agent: Agent) -> (String, String) {
        agent.id = self.next_id("ag");
        if agent.token.is_empty() {
            agent.token = format!("trk_agent_standin{:08}", self.made);
        }
        let shown = (agent.id.clone(), agent.token.clone());
        self.agents.push(agent);
        shown
    }

    /// Changes an agent's settings; whether there is one.
    pub fn change_agent(&mut self, id: &str, change: impl FnOnce(&mut Agent)) -> bool {
        let agent = self.agents.iter_mut().find(|agent| agent.id == id);
        agent.map(change).is_some()
    }
}
