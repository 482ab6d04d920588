//! The script file: what the agent does at each start.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::step::Step;

/// Everything one installed agent may be asked to do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Script {
    /// Where starts are recorded, if not beside the script. Relative to the script's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
    /// How starts are numbered.
    #[serde(default)]
    pub counting: Counting,
    /// Fixed replies to questions about the program itself, such as `--version`.
    #[serde(default, rename = "answer", skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// What the first, second, … start does; the last one repeats.
    #[serde(default, rename = "attempt", skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

/// Which earlier starts count when the number of this one is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// Every start of this installed agent.
    #[default]
    Everywhere,
    /// Only starts in the same folder: runs that work side by side count apart.
    PerFolder,
}

/// A reply that needs no attempt: it is recorded but not counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answer {
    /// The exact arguments that are answered, without the program's name.
    pub args: Vec<String>,
    /// Printed on standard output as it stands.
    #[serde(default)]
    pub stdout: String,
    /// Printed on standard error as it stands.
    #[serde(default)]
    pub stderr: String,
    /// The exit code.
    #[serde(default)]
    pub exit: u8,
}

/// What one start does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Attempt {
    /// Plays only where this text stands in the folder's path or in an argument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Played in order; after the last one the agent exits with 0.
    pub steps: Vec<Step>,
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file could not be read.
    #[error("cannot read the script {}: {source}", path.display())]
    Unreadable {
        /// The script.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file says something this program does not know.
    #[error("the script {} is not understood: {source}", path.display())]
    NotUnderstood {
        /// The script.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// No attempt is meant for this start.
    #[error("the script has no [[attempt]] for start {number}: add one, or drop its `when`")]
    NoAttempt {
        /// Number of the start.
        number: usize,
    },
}

impl Script {
    /// A script that answers `--version` and can do nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A script whose every start does the same.
    pub fn always(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::new().attempt(steps)
    }

    /// Adds what the next start does.
    pub fn attempt(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.attempts.push(Attempt { when: None, steps: steps.into_iter().collect() });
        self
    }

    /// Adds what the next start does whose folder or arguments contain `text`.
    pub fn attempt_when(mut self, text: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        self.attempts.push(Attempt { when: Some(text.to_owned()), steps: steps.into_iter().collect() });
        self
    }

    /// Adds a fixed reply to exactly these arguments.
    pub fn answer(mut self, args: &[&str], stdout: &str, exit: u8) -> Self {
        self.answers.push(Answer {
            args: args.iter().map(ToString::to_string).collect(),
            stdout: stdout.to_owned(),
            stderr: String::new(),
            exit,
        });
        self
    }

    /// Numbers the starts of each folder apart.
    pub fn count_per_folder(mut self) -> Self {
        self.counting = Counting::PerFolder;
        self
    }

    /// Reads a script file.
    pub fn load(path: &Path) -> Result<Self, ScriptError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScriptError::Unreadable { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|source| ScriptError::NotUnderstood { path: path.to_owned(), source: Box::new(source) })
    }

    /// The steps of start `number` (counted from 1) in a folder, with arguments.
    pub fn steps_for(&self, number: usize, folder: &str, args: &[String]) -> Result<&[Step], ScriptError> {
        let meant = |attempt: &&Attempt| {
            attempt.when.as_ref().is_none_or(|text| {
                folder.contains(text.as_str()) || args.iter().any(|arg| arg.contains(text.as_str()))
            })
        };
        self.attempts
            .iter()
            .filter(meant)
            .take(number)
            .last()
            .map(|attempt| attempt.steps.as_slice())
            .ok_or(ScriptError::NoAttempt { number })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn exits(codes: [u8; 2]) -> Script {
        Script::new().attempt([Step::exit(codes[0])]).attempt([Step::exit(codes[1])])
    }

    #[test]
    fn the_second_start_plays_the_second_attempt_and_the_last_one_repeats() {
        let script = exits([1, 0]);
        assert_eq!(script.steps_for(1, "/w", &[]).unwrap(), [Step::exit(1)]);
        assert_eq!(script.steps_for(2, "/w", &[]).unwrap(), [Step::exit(0)]);
        assert_eq!(script.steps_for(9, "/w", &[]).unwrap(), [Step::exit(0)]);
    }

    #[test]
    fn an_attempt_with_when_plays_only_in_its_folder_or_for_its_argument() {
        let script = Script::new().attempt_when("app-7", [Step::exit(7)]);
        assert!(script.steps_for(1, "/w/app-7", &[]).is_ok());
        assert!(script.steps_for(1, "/w", &["fix app-7".to_owned()]).is_ok());
        assert!(matches!(script.steps_for(1, "/w/app-8", &[]), Err(ScriptError::NoAttempt { number: 1 })));
    }

    #[test]
    fn a_misspelt_field_is_an_error_that_names_it() {
        let error = toml::from_str::<Script>("[[attempt]]\nstep = []").unwrap_err();
        assert!(error.to_string().contains("`step`"), "{error}");
        let error =
            toml::from_str::<Script>("[[attempt]]\nsteps = [{ do = \"exit\", coed = 1 }]").unwrap_err();
        assert!(error.to_string().contains("coed"), "{error}");
    }
}
