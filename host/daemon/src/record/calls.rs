//! Every judgement a plugin made about a run, with what it was asked: `calls.jsonl` in
//! the run's folder. With the same build it can be asked again, and must say the same.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hostler_components::job::Job;
use hostler_components::operation::Workplace;
use hostler_components::{CallError, Plugin};
use hostler_engine::problem::Problem;
use hostler_engine::run::Attempt;
use hostler_engine::task::Task;
use hostler_engine::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plugins::store::Build;

/// File of a run's folder.
const FILE: &str = "calls.jsonl";

/// One call, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// When it was answered.
    pub at: Timestamp,
    /// Who was asked.
    pub plugin: Build,
    /// What was asked.
    #[serde(flatten)]
    pub question: Question,
    /// `{"ok": …}`, `{"problem": …}` or `{"failed": "…"}`.
    pub output: Value,
}

/// A question of the contract that needs nothing but its arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "function", content = "input")]
pub enum Question {
    /// What a run of this task should look like.
    Plan {
        /// The plugin's configuration, without secrets.
        config: String,
        /// The task.
        task: Box<Task>,
    },
    /// The prompt of an attempt.
    Prompt {
        /// The plugin's configuration, without secrets.
        config: String,
        /// The task.
        task: Box<Task>,
        /// Where the attempt works.
        at: Workplace,
        /// Those before.
        history: Vec<Attempt>,
    },
    /// What to do after a failed attempt.
    Retry {
        /// The plugin's configuration, without secrets.
        config: String,
        /// The task.
        task: Box<Task>,
        /// All attempts so far.
        history: Vec<Attempt>,
    },
    /// How to start the CLI.
    Launch {
        /// The job.
        job: Box<Job>,
    },
}

impl Question {
    /// The name of the function in the contract.
    pub const fn function(&self) -> &'static str {
        match self {
            Self::Plan { .. } => "plan",
            Self::Prompt { .. } => "prompt",
            Self::Retry { .. } => "retry",
            Self::Launch { .. } => "launch",
        }
    }

    /// Whether a tracker is asked; otherwise a provider is.
    pub const fn is_for_tracker(&self) -> bool {
        !matches!(self, Self::Launch { .. })
    }

    /// Asks a plugin. Blocks.
    pub fn ask(&self, plugin: &Plugin) -> Value {
        match self.clone() {
            Self::Plan { config, task } => answer(&plugin.plan(&config, *task)),
            Self::Prompt { config, task, at, history } => {
                answer(&plugin.prompt(&config, *task, at, &history))
            }
            Self::Retry { config, task, history } => answer(&plugin.retry(&config, *task, &history).map(Ok)),
            Self::Launch { job } => answer(&plugin.launch(*job)),
        }
    }
}

/// An answer as it is recorded.
pub fn answer<T: Serialize>(answer: &Result<Result<T, Problem>, CallError>) -> Value {
    match answer {
        Ok(Ok(value)) => json!({ "ok": readable(json!(value)) }),
        Ok(Err(problem)) => json!({ "problem": problem }),
        Err(error) => json!({ "failed": error.to_string() }),
    }
}

/// Bytes for an agent's input stand as text: a list of numbers could be read by nobody,
/// and a secret would not be found in it.
fn readable(mut value: Value) -> Value {
    if let Some(stdin) = value.get_mut("stdin")
        && let Ok(bytes) = serde_json::from_value::<Vec<u8>>(stdin.clone())
    {
        *stdin = String::from_utf8_lossy(&bytes).into();
    }
    value
}

/// Adds one call, as a line of text that is already made safe.
pub fn append(run_folder: &Path, line: &str) -> io::Result<()> {
    crate::home::make_private(run_folder)?;
    let path = run_folder.join(FILE);
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    // One write, so that lines of two attempts never mix.
    file.write_all(format!("{line}\n").as_bytes())
}

/// The recorded calls of a run, in order. A missing file is an empty one; a line that
/// a killed host wrote in part is left out.
pub fn read(run_folder: &Path) -> io::Result<Vec<Call>> {
    match std::fs::read_to_string(run_folder.join(FILE)) {
        Ok(text) => Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hostler_engine::plan::Permission;

    fn call() -> Call {
        let job = Job {
            prompt: "do it".to_owned(),
            prompt_file: "/p".to_owned(),
            cwd: "/w".to_owned(),
            session: None,
            permission: Permission::Safe,
            model: None,
            attempt: 1,
            config: "{}".to_owned(),
        };
        Call {
            at: Timestamp(1),
            plugin: Build { id: "demo".to_owned(), digest: "ab".to_owned() },
            question: Question::Launch { job: Box::new(job) },
            output: json!({ "ok": { "command": "start" } }),
        }
    }

    #[test]
    fn calls_are_read_as_they_were_written_and_a_torn_line_is_left_out() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        assert_eq!(read(&folder).unwrap(), []);
        let line = serde_json::to_string(&call()).unwrap();
        append(&folder, &line).unwrap();
        append(&folder, &line).unwrap();
        let mut text = std::fs::read(folder.join(FILE)).unwrap();
        text.extend_from_slice(&line.as_bytes()[..40]);
        std::fs::write(folder.join(FILE), text).unwrap();
        assert_eq!(read(&folder).unwrap(), [call(), call()]);
    }

    #[test]
    fn what_an_agent_gets_on_its_input_is_recorded_as_text() {
        let invocation = hostler_components::job::Invocation {
            command: "start".to_owned(),
            slots: Vec::new(),
            stdin: Some(b"do it".to_vec()),
            keep_stdin: false,
        };
        assert_eq!(answer(&Ok(Ok(invocation)))["ok"]["stdin"], "do it");
        assert_eq!(answer(&Ok(Ok(json!({ "stdin": null }))))["ok"]["stdin"], Value::Null);
    }

    #[test]
    fn a_call_is_written_in_the_words_of_the_contract() {
        let line = serde_json::to_value(call()).unwrap();
        assert_eq!(line["function"], "launch");
        assert_eq!(line["input"]["job"]["prompt"], "do it");
        assert_eq!(line["plugin"]["id"], "demo");
    }
}
