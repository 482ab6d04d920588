//! How the pull request of a run stood when it was last looked at, kept beside the run
//! for people. Nothing is decided by it.

use std::path::PathBuf;

use hostler_engine::follow_up::{CheckState, Seen, Standing as State, Watched};
use hostler_engine::task::RunId;
use hostler_engine::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::home::Home;

/// How a pull request stood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The run that landed there last.
    pub run: RunId,
    /// Of the pull request.
    pub number: u32,
    /// Whether it was open.
    pub state: State,
    /// Checks that failed.
    pub failed: usize,
    /// Checks that had not ended.
    pub pending: usize,
    /// Checks that passed.
    pub passed: usize,
    /// How often the task went on because of it.
    pub continuations: u32,
    /// When it was looked at.
    pub looked: Timestamp,
}

impl Standing {
    /// As a look shows it.
    pub fn of(watched: &Watched, seen: &Seen, now: Timestamp) -> Self {
        Self {
            run: watched.run.run.clone(),
            number: watched.number,
            state: seen.standing,
            failed: seen.count(CheckState::Failed),
            pending: seen.count(CheckState::Pending),
            passed: seen.count(CheckState::Passed),
            continuations: watched.continuations,
            looked: now,
        }
    }

    /// Keeps it beside the run; a run can be shown without it.
    pub fn keep(&self, home: &Home) {
        let path = file(home, &self.run);
        let kept = serde_json::to_vec(self)
            .map_err(std::io::Error::from)
            .and_then(|text| crate::files::replace(&path, &text));
        if let Err(error) = kept {
            tracing::warn!(
                "how pull request #{} stands is not kept in {}: {error}",
                self.number,
                path.display()
            );
        }
    }

    /// What was kept beside a run, if anything can be read there.
    pub fn read(home: &Home, run: &RunId) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(file(home, run)).ok()?).ok()
    }

    /// In words: `pull request #7 is open; checks: 1 failed, 2 passed`.
    pub fn words(&self) -> String {
        let state = match self.state {
            State::Open => "open",
            State::Merged => "merged",
            State::Closed => "closed",
        };
        let counts = [(self.failed, "failed"), (self.pending, "under way"), (self.passed, "passed")];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, how)| format!("{count} {how}"))
            .collect();
        let checks =
            if counts.is_empty() { String::new() } else { format!("; checks: {}", counts.join(", ")) };
        let went_on = match self.continuations {
            0 => String::new(),
            1 => "; the task went on once because of it".to_owned(),
            times => format!("; the task went on {times} times because of it"),
        };
        format!("pull request #{} is {state}{checks}{went_on}", self.number)
    }
}

fn file(home: &Home, run: &RunId) -> PathBuf {
    home.run(run).join("pull-request.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_like_a_person_would_tell_it() {
        let standing = Standing {
            run: RunId("r".to_owned()),
            number: 7,
            state: State::Open,
            failed: 1,
            pending: 0,
            passed: 2,
            continuations: 0,
            looked: Timestamp(0),
        };
        assert_eq!(standing.words(), "pull request #7 is open; checks: 1 failed, 2 passed");
        let merged = Standing { state: State::Merged, failed: 0, passed: 0, continuations: 1, ..standing };
        assert_eq!(merged.words(), "pull request #7 is merged; the task went on once because of it");
    }
}
