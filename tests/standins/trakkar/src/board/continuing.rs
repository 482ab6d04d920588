//! A runner has a task go on: not in Trakkar's documentation, but what Hostler wishes for.

use super::{Board, Continuation, NotDone};

impl Board {
    /// Makes a run that continues `previous`, as if somebody had replied with `message`.
    /// The same key gives the same run.
    pub fn go_on(
        &mut self,
        agent: &str,
        task: &str,
        previous: &str,
        message: &str,
        key: &str,
    ) -> Result<String, NotDone> {
        if let Some(run) = self.continued.get(key) {
            return Ok(run.clone());
        }
        self.task(task).ok_or(NotDone::NotFound)?;
        let earlier = self.runs_of(task).find(|run| run.id == previous && run.agent == agent);
        let earlier = earlier.ok_or(NotDone::NotFound)?;
        let session_ref = earlier.ending().and_then(|ending| ending.session_ref.clone());
        if self.runs_of(task).any(super::Run::is_open) {
            return Err(NotDone::RunOpen);
        }
        let (message, previous_run_id) = (message.to_owned(), previous.to_owned());
        let continuation = Continuation { message, previous_run_id, session_ref };
        let run = self.enqueue(task, agent, Some(continuation));
        self.continued.insert(key.to_owned(), run.clone());
        Ok(run)
    }
}
