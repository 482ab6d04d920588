//! Whether one task ended as it should. Pure.
//!
//! A task of the board has one run, which the server hands out at most twice. An
//! attempt that ends badly is either one whose agent failed, or one that the host
//! never heard of, because the answer to its claim was lost. Whatever else makes a
//! task fail is wrong.

use standin_tale::board::{FailReason, Run, RunState, Task};

use super::history::HostRun;
use super::work::Work;
use crate::scripted_agent::Start;

/// How often the server hands a run out.
const ATTEMPTS: usize = standin_tale::limits::MAX_ATTEMPTS as usize;

/// All that is known of a task.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// What it was about.
    pub work: &'a Work,
    /// Its comments.
    pub task: &'a Task,
    /// Its run, as the server has it.
    pub run: &'a Run,
    /// The host's runs of it, oldest first.
    pub host: Vec<&'a HostRun>,
    /// Starts of its agent, oldest first.
    pub starts: Vec<Start>,
    /// Reports of it that counted, and perhaps without the host knowing: their answer
    /// was lost, or they arrived twice and the second answer says that the run is over,
    /// or they told a failure, after which the server may hand the run out again before
    /// the host has read the answer. Such a run may look to the host as if it were lost.
    pub unacknowledged: usize,
}

impl Evidence<'_> {
    /// Claims of it that the host never heard of.
    pub fn lost_claims(&self) -> usize {
        (self.run.attempts as usize).saturating_sub(self.host.len())
    }

    /// What is wrong with it, in words; empty if nothing is.
    pub fn wrong(&self) -> Vec<String> {
        let mut wrong = self.wrong_at_the_server();
        wrong.extend(self.wrong_at_the_host());
        wrong.extend(self.wrong_with_the_agent());
        let about = |what| format!("{} ({}): {what}", self.work.key(), self.work.kind);
        wrong.into_iter().map(about).collect()
    }

    fn wrong_at_the_server(&self) -> Vec<String> {
        let told: Vec<_> =
            self.task.comments.iter().filter(|comment| comment.run.as_ref() == Some(&self.run.id)).collect();
        let failed = self.failed_starts();
        let excused = failed + self.lost_claims() == ATTEMPTS;
        match &self.run.state {
            RunState::Completed { .. } => {
                let summary = self.work.summary();
                let named = told.len() == 1 && told[0].body.contains(&summary);
                broken([(!named, format!("not one comment with `{summary}`: {told:?}"))])
            }
            RunState::Failed { reason: FailReason::Error | FailReason::LeaseExpired, .. } if excused => {
                broken([(told.len() != 1, format!("not one comment: {told:?}"))])
            }
            state => vec![format!(
                "it is {state:?} after {} claims, {} of them lost, and {failed} failed starts",
                self.run.attempts,
                self.lost_claims()
            )],
        }
    }

    fn wrong_at_the_host(&self) -> Vec<String> {
        let count =
            |result: &str| self.host.iter().filter(|run| run.result.as_deref() == Some(result)).count();
        let (succeeded, failed, lost) = (count("succeeded"), count("failed"), count("lost"));
        let completed = usize::from(matches!(self.run.state, RunState::Completed { .. }));
        let told: Vec<_> = self.host.iter().map(|run| (&run.id, &run.state, &run.result, &run.why)).collect();
        broken([
            (
                self.host.len() > self.run.attempts as usize,
                format!(
                    "the host has more runs of it than the server's {} claims: {told:?}",
                    self.run.attempts
                ),
            ),
            (self.host.iter().any(|run| !run.closed), format!("the host has an open run of it: {told:?}")),
            (
                succeeded > completed || succeeded + lost < completed || lost > self.unacknowledged,
                format!("host and server do not agree: {told:?} against {:?}", self.run.state),
            ),
            (
                succeeded + failed + lost != self.host.len(),
                format!("the host ended runs of it in another way: {told:?}"),
            ),
        ])
    }

    fn wrong_with_the_agent(&self) -> Vec<String> {
        let attempts: usize = self.host.iter().map(|run| run.attempts.len()).sum();
        let succeeded = self.starts.iter().filter(|start| ended(start) == "exit 0").count();
        let completed = usize::from(matches!(self.run.state, RunState::Completed { .. }));
        let overlap = self
            .starts
            .windows(2)
            .any(|pair| pair[0].ended.as_ref().is_none_or(|ended| ended.at_ms > pair[1].started_ms));
        let starts: Vec<_> = self.starts.iter().map(|start| (start.started_ms, &start.ended)).collect();
        broken([
            (
                attempts != self.starts.len(),
                format!(
                    "the host tells of {attempts} attempts, but its agent was started so often: {starts:?}"
                ),
            ),
            (
                succeeded != completed || succeeded + self.failed_starts() != self.starts.len(),
                format!("its agent did not end as its script says, or worked in vain: {starts:?}"),
            ),
            (overlap, format!("two of its agents lived at once: {starts:?}")),
        ])
    }

    fn failed_starts(&self) -> usize {
        self.starts.iter().filter(|start| ended(start) == "exit 3").count()
    }
}

fn ended(start: &Start) -> &str {
    start.ended.as_ref().map(|ended| ended.how.as_str()).unwrap_or_default()
}

fn broken<const N: usize>(rules: [(bool, String); N]) -> Vec<String> {
    rules.into_iter().filter(|(broken, _)| *broken).map(|(_, what)| what).collect()
}

#[cfg(test)]
mod tests;
