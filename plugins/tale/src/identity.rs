//! Who this host is, in Tale's words.

use hostler_sdk::Problem;
use hostler_sdk::tracker::{ProviderInfo, Runner};
use serde::Serialize;

use crate::text::head;

/// Our names of the CLIs that Tale knows, and Tale's.
const ADAPTERS: [(&str, &str); 3] =
    [("claude-code", "claude_code"), ("codex", "codex"), ("opencode", "opencode")];

/// Longest version of a CLI that is sent.
const VERSION_CHARS: usize = 64;

/// The server keeps so many keys of workspaces.
const WORKSPACE_KEYS: usize = 50;

/// The provider plugin for an adapter. An adapter that came later keeps its name, so
/// that the host can say what is missing.
pub fn provider_of(adapter: &str) -> &str {
    ADAPTERS.iter().find(|(_, theirs)| *theirs == adapter).map_or(adapter, |(ours, _)| ours)
}

/// What is said at registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Stable over restarts. Stands on every request, so it is not part of the body.
    #[serde(skip)]
    pub daemon_id: String,
    name: String,
    adapters: Vec<Adapter>,
    /// Never paths.
    workspace_keys: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Adapter {
    #[serde(rename = "adapterType")]
    kind: &'static str,
    version: String,
    capabilities: Capabilities,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "the server's own list of flags")]
struct Capabilities {
    json_output: bool,
    session_resume: bool,
    cost_reporting: bool,
    mcp: bool,
}

impl Identity {
    /// This host as a daemon: under the configured id, or under one made from its own.
    pub fn of(runner: &Runner, daemon_id: Option<&str>) -> Result<Self, Problem> {
        let adapters: Vec<Adapter> = runner.providers.iter().filter_map(adapter).collect();
        if adapters.is_empty() {
            return Err(Problem::permanent(
                "Tale hands out runs for Claude Code, Codex and OpenCode only, and this host has none of them; add one with `--provider claude-code`, `codex` or `opencode`.",
            ));
        }
        Ok(Self {
            daemon_id: daemon_id.map_or_else(|| derived_id(&runner.id), str::to_owned),
            name: runner.name.clone(),
            adapters,
            workspace_keys: runner.repositories.iter().take(WORKSPACE_KEYS).cloned().collect(),
        })
    }

    /// What this host can be given runs for.
    pub fn adapter_types(&self) -> Vec<&'static str> {
        self.adapters.iter().map(|adapter| adapter.kind).collect()
    }
}

fn adapter(provider: &ProviderInfo) -> Option<Adapter> {
    let (_, kind) = ADAPTERS.into_iter().find(|(ours, _)| *ours == provider.name)?;
    let can = |name: &str| provider.capabilities.iter().any(|capability| capability == name);
    let version = provider.version.lines().next().unwrap_or_default().trim();
    Some(Adapter {
        kind,
        version: head(version, VERSION_CHARS),
        capabilities: Capabilities {
            json_output: can("json-output"),
            session_resume: can("resume"),
            cost_reporting: can("cost"),
            mcp: can("mcp"),
        },
    })
}

/// The host's id already is a UUID that lasts; Tale wants another word before it.
fn derived_id(host: &str) -> String {
    format!("daemon_{}", host.strip_prefix("host_").unwrap_or(host))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn runner(providers: &[&str], repositories: usize) -> Runner {
        let provider = |name: &&str| ProviderInfo {
            name: (*name).to_owned(),
            version: "v".repeat(64) + "\nmore",
            capabilities: vec!["json-output".into(), "cost".into(), "input-while-running".into()],
        };
        Runner {
            id: "host_4b1e0000-0000-4000-8000-000000000000".into(),
            name: "ada".into(),
            version: "0.1.0".into(),
            providers: providers.iter().map(provider).collect(),
            repositories: (0..repositories).map(|number| format!("repo-{number}")).collect(),
            slots: 2,
        }
    }

    #[test]
    fn only_clis_that_tale_knows_are_advertised_with_version_and_capabilities() {
        let identity = Identity::of(&runner(&["claude-code", "command", "opencode"], 1), None).unwrap();
        assert_eq!(identity.adapter_types(), ["claude_code", "opencode"]);
        let json = serde_json::to_value(&identity).unwrap();
        assert_eq!(json["adapters"][0]["version"], "v".repeat(64));
        let can = &json["adapters"][0]["capabilities"];
        let expected = serde_json::json!({
            "jsonOutput": true, "sessionResume": false, "costReporting": true, "mcp": false
        });
        assert_eq!(*can, expected);
    }

    #[test]
    fn the_daemon_id_is_made_from_the_hosts_id_or_taken_over() {
        let runner = runner(&["codex"], 0);
        let id = |configured| Identity::of(&runner, configured).unwrap().daemon_id;
        assert_eq!(id(None), "daemon_4b1e0000-0000-4000-8000-000000000000");
        assert_eq!(id(Some("daemon_old")), "daemon_old");
    }

    #[test]
    fn a_host_without_a_cli_that_tale_knows_cannot_register() {
        let problem = Identity::of(&runner(&["command"], 1), None).unwrap_err();
        assert_eq!(problem.kind, "permanent");
        assert!(problem.message.contains("--provider"), "{}", problem.message);
    }

    #[test]
    fn fifty_workspace_keys_are_sent_and_the_fifty_first_is_not() {
        let keys = |count| Identity::of(&runner(&["codex"], count), None).unwrap().workspace_keys.len();
        assert_eq!((keys(50), keys(51)), (50, 50));
    }

    #[test]
    fn a_version_at_the_limit_is_whole_and_a_longer_one_is_cut() {
        assert_eq!(head(&"v".repeat(64), VERSION_CHARS), "v".repeat(64));
        assert_eq!(head(&"v".repeat(65), VERSION_CHARS), "v".repeat(63) + "…");
    }

    #[test]
    fn adapters_are_our_providers_and_an_unknown_one_keeps_its_name() {
        assert_eq!(provider_of("claude_code"), "claude-code");
        assert_eq!(provider_of("gemini"), "gemini");
    }
}
