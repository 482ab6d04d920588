//! What a tracker gives: tasks, claims and leases.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// The host's id of a run. Unique for ever; ids that came later sort later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl RunId {
    /// The short form for branch and folder names: the last eight characters,
    /// which are random where the id is a version 7 UUID.
    pub fn short(&self) -> &str {
        let start = self.0.len().saturating_sub(8);
        self.0.get(start..).unwrap_or(&self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A part of a task's text or of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Heading, one line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// `false` for text from outside: it is fenced in the prompt.
    pub trusted: bool,
}

/// A unit of work, as the tracker sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The tracker's own id; opaque.
    pub id: String,
    /// Short and human: `APP-12`, `fix-login`.
    pub key: String,
    /// One line.
    pub title: String,
    /// The text, in order.
    pub sections: Vec<Section>,
    /// Higher comes first; 0 is normal.
    pub priority: i32,
    /// JSON that belongs to the plugin; opaque here.
    pub data: String,
}

/// The fencing token of a lease: grows with every new holder of the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

/// The time-bounded right to work on a task, as the tracker grants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Valid for this long from when the claim was *sent*.
    pub ttl: Millis,
    /// Renew this often.
    pub renew_every: Millis,
    /// Grows with every new holder.
    pub fence: Fence,
}

/// A task that is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The task.
    pub task: Task,
    /// Absent where the tracker does not take tasks back.
    pub lease: Option<Lease>,
    /// Names of the environment variables that came with it. Their values are
    /// never recorded.
    #[serde(default)]
    pub environment: Vec<String>,
}

/// Names a claimed task towards a tracker plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRef {
    /// Stable over restarts.
    pub run: RunId,
    /// As it was claimed.
    pub task: Task,
    /// Zero without a lease.
    pub fence: Fence,
}

/// What the tracker wants of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Control {
    /// End it; the reason for people.
    Cancel(String),
    /// Text for the agent.
    Message(String),
    /// The task is not ours any more.
    LeaseLost(String),
    /// Renewed for this long from when the heartbeat was sent.
    Renewed(Millis),
}

/// Who this host is, for `register`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    /// `host_` and a UUID; stable.
    pub id: String,
    /// For people.
    pub name: String,
    /// Version of Hostler.
    pub version: String,
    /// Coding CLIs found here.
    pub providers: Vec<ProviderInfo>,
    /// Keys of the repositories, never paths.
    pub repositories: Vec<String>,
    /// Runs at once.
    pub slots: u32,
}

/// A coding CLI found on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderInfo {
    /// The provider plugin's id.
    pub name: String,
    /// As the CLI prints it.
    pub version: String,
    /// Names from the contract: `json-output`, `resume`, `cost`, `mcp`, `input-while-running`.
    pub capabilities: Vec<String>,
}

/// Makes a name safe for folders and branches: lower-case letters, digits and
/// single dashes, at most `max` characters, never empty.
pub fn slug(text: &str, max: usize) -> String {
    let mut slug = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= max {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "task".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_safe_short_and_never_empty() {
        assert_eq!(slug("APP-12: Fix the login!", 40), "app-12-fix-the-login");
        assert_eq!(slug("../../etc/passwd", 40), "etc-passwd");
        assert_eq!(slug("日本語", 40), "task");
        assert_eq!(slug("abcdef", 5), "abcde");
        assert_eq!(slug("abcde", 5), "abcde");
        assert_eq!(slug("abcd-f", 5), "abcd");
    }
}
