//! The AI agent whose token this host has, as it is set up in Trakkar.

use hostler_sdk::Problem;
use hostler_sdk::tracker::Runner;
use serde_json::Value;

use crate::settings::{Settings, Worker};

/// So many tasks at once where nobody says otherwise.
const DEFAULT_CONCURRENCY: u32 = 6;

/// What is read of it at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// For people.
    pub name: String,
    /// The CLI it is set up for in Trakkar, in the server's words.
    worker: Option<String>,
    /// So many tasks at once, as it is set in Trakkar.
    max_concurrency: Option<u32>,
    /// What branches start from and pull requests are for; the default branch if absent.
    pub base_branch: Option<String>,
}

impl Agent {
    /// Reads the answer to `me`.
    pub fn read(answer: &Value) -> Self {
        let agent = answer.get("agent").unwrap_or(&Value::Null);
        let text = |field: &str| {
            agent.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let concurrency = agent.get("max_concurrency").and_then(Value::as_u64);
        Self {
            name: text("name").unwrap_or_else(|| "the agent".to_owned()),
            worker: text("provider"),
            max_concurrency: concurrency
                .filter(|count| *count > 0)
                .map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            base_branch: text("base_branch"),
        }
    }

    /// So many tasks at once: the operator's word, else the agent's setting, else six.
    pub fn concurrency(&self, settings: &Settings) -> u32 {
        settings.max_concurrency.or(self.max_concurrency).unwrap_or(DEFAULT_CONCURRENCY)
    }

    /// What a person should know before work begins.
    pub fn warnings(&self, settings: &Settings) -> Vec<String> {
        let at_once = self.concurrency(settings);
        let mut warnings = Vec::new();
        if at_once > 1 && !settings.dry_run {
            warnings.push(format!(
                "Up to {at_once} tasks run at once, as far as this host has slots: the plan's monthly credit is used up about {at_once} times as fast, and verify commands need about {at_once} times the processor and memory; `max-concurrency` bounds it."
            ));
        }
        if let Some(worker) = self.worker.as_deref().filter(|worker| *worker != settings.worker.name()) {
            warnings.push(format!(
                "{} is set up for {worker} in Trakkar, but this host works with {}; set `provider` if that is not meant.",
                self.name,
                settings.worker.name()
            ));
        }
        warnings
    }
}

/// The CLI that does the work must be here before any task is taken.
pub fn check_worker(worker: Worker, runner: &Runner) -> Result<(), Problem> {
    if runner.providers.iter().any(|provider| provider.name == worker.provider()) {
        return Ok(());
    }
    let program = match worker {
        Worker::ClaudeCode => "Claude Code (`claude`)",
        Worker::Cursor => "Cursor (`cursor-agent`)",
    };
    Err(Problem::permanent(format!(
        "{program} does the tasks of Trakkar, and this host does not have it; install it and add `--provider {}`, or set `provider` to the other one.",
        worker.provider()
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hostler_sdk::Config;
    use hostler_sdk::tracker::ProviderInfo;
    use serde_json::json;

    use super::*;

    fn settings(json: &str) -> Settings {
        Settings::read(&Config::from_json(json).unwrap()).unwrap()
    }

    fn agent(max: &Value) -> Agent {
        Agent::read(&json!({ "agent": { "name": "Ada", "provider": "claude_code", "max_concurrency": max } }))
    }

    #[test]
    fn the_operators_limit_comes_before_the_agents_and_six_is_the_last_word() {
        let free = settings("{}");
        let bound = settings(r#"{"max-concurrency":2}"#);
        assert_eq!(agent(&json!(4)).concurrency(&bound), 2);
        assert_eq!(agent(&json!(4)).concurrency(&free), 4);
        for nothing in [json!(null), json!(0), json!("x")] {
            assert_eq!(agent(&nothing).concurrency(&free), 6);
        }
    }

    #[test]
    fn several_tasks_at_once_are_warned_of_and_one_is_not() {
        let warned = |max| agent(&max).warnings(&settings("{}"));
        assert_eq!(warned(json!(1)), Vec::<String>::new());
        assert!(warned(json!(2))[0].contains("about 2 times as fast"));
        assert!(warned(json!(null))[0].contains("about 6 times as fast"));
        assert_eq!(agent(&json!(4)).warnings(&settings(r#"{"dry-run":true}"#)), Vec::<String>::new());
    }

    #[test]
    fn another_cli_than_the_agents_is_pointed_out() {
        let warnings = agent(&json!(1)).warnings(&settings(r#"{"provider":"cursor"}"#));
        assert!(warnings[0].contains("set up for claude_code"), "{warnings:?}");
    }

    #[test]
    fn a_missing_cli_is_named_before_anything_is_claimed() {
        let provider =
            ProviderInfo { name: "cursor".into(), version: String::new(), capabilities: Vec::new() };
        let runner = Runner {
            id: "host_1".into(),
            name: String::new(),
            version: String::new(),
            providers: vec![provider],
            repositories: Vec::new(),
            slots: 1,
        };
        assert_eq!(check_worker(Worker::Cursor, &runner), Ok(()));
        let problem = check_worker(Worker::ClaudeCode, &runner).unwrap_err();
        assert_eq!(problem.kind, "permanent");
        assert!(problem.message.contains("`claude`"), "{}", problem.message);
    }
}
