//! Reads one attempt's output through its provider plugin.

use hostler_engine::outcome::Outcome;
use hostler_engine::problem::Problem;
use wasmtime::component::ResourceAny;

use crate::bindings::provider as wit;
use crate::call_error::CallError;
use crate::convert;
use crate::job::{ExitStatus, Job, Line, SessionOutput, StreamName};
use crate::limits::{BATCH_BYTES, BATCH_LINES};
use crate::plugin::{Answer, check_input};
use crate::sandbox::Sandbox;

/// One attempt's reader. After a [`CallError`] every later call fails as well:
/// make a new session, or do without.
pub struct Session {
    sandbox: Sandbox,
    resource: ResourceAny,
}

impl Session {
    pub(crate) fn start(mut sandbox: Sandbox, job: Job) -> Result<Self, CallError> {
        let resource = sandbox.call("session", |live| {
            check_input(job.prompt.len())?;
            let job = wit::Job::from(job);
            live.enter(|store, plugin| Ok(plugin.provider()?.session().call_constructor(store, &job)))
        })?;
        Ok(Self { sandbox, resource })
    }

    /// Hands over the next lines of one stream, in as many calls as their number
    /// and length need.
    ///
    /// On an error, `outputs` still holds what the calls before it answered.
    pub fn lines(
        &mut self,
        source: StreamName,
        lines: Vec<Line>,
        outputs: &mut Vec<SessionOutput>,
    ) -> Result<(), CallError> {
        for batch in batches(lines) {
            let found = self.call_lines(source, batch)?;
            outputs.extend(found);
        }
        Ok(())
    }

    fn call_lines(&mut self, source: StreamName, batch: Vec<Line>) -> Result<Vec<SessionOutput>, CallError> {
        let resource = self.resource;
        self.sandbox.call("session.lines", |live| {
            let batch: Vec<wit::Line> = batch.into_iter().map(Into::into).collect();
            let found = live.enter(|store, plugin| {
                Ok(plugin.provider()?.session().call_lines(store, resource, source.into(), &batch))
            })?;
            convert::session_outputs(found)
        })
    }

    /// Text for the running agent. The plugin may say that it takes none.
    pub fn message(&mut self, text: &str) -> Answer<Vec<SessionOutput>> {
        let resource = self.resource;
        self.sandbox.call("session.message", |live| {
            check_input(text.len())?;
            let found = live.enter(|store, plugin| {
                Ok(plugin.provider()?.session().call_message(store, resource, text))
            })?;
            match found {
                Ok(found) => convert::session_outputs(found).map(Ok),
                Err(problem) => Ok(Err::<_, Problem>(convert::problem(&problem))),
            }
        })
    }

    /// The process has ended and all its lines were handed over.
    pub fn finish(mut self, exit: ExitStatus) -> Result<Outcome, CallError> {
        let resource = self.resource;
        self.sandbox.call("session.finish", |live| {
            let exit = exit.into();
            let found = live.enter(|store, plugin| {
                Ok(plugin.provider()?.session().call_finish(store, resource, &exit))
            })?;
            Ok(convert::outcome(found))
        })
    }
}

/// Splits lines so that no call gets more than [`BATCH_LINES`] lines or
/// [`BATCH_BYTES`] bytes, except for a single line that is longer.
fn batches(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let mut batches = Vec::new();
    let mut batch: Vec<Line> = Vec::new();
    let mut bytes = 0;
    for line in lines {
        let full = batch.len() == BATCH_LINES || bytes + line.text.len() > BATCH_BYTES;
        if full && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += line.text.len();
        batch.push(line);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(lengths: &[usize]) -> Vec<usize> {
        let lines = lengths.iter().map(|length| Line { text: "a".repeat(*length), cut: false });
        batches(lines.collect()).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_batch_has_at_most_256_lines() {
        assert_eq!(sizes(&[1; BATCH_LINES]), [256]);
        assert_eq!(sizes(&[1; BATCH_LINES + 1]), [256, 1]);
        assert_eq!(sizes(&[]), [0; 0]);
    }

    #[test]
    fn a_batch_has_at_most_256_kib_and_a_longer_line_goes_alone() {
        assert_eq!(sizes(&[BATCH_BYTES / 2, BATCH_BYTES / 2]), [2]);
        assert_eq!(sizes(&[BATCH_BYTES / 2, BATCH_BYTES / 2 + 1]), [1, 1]);
        assert_eq!(sizes(&[10, BATCH_BYTES * 3, 10]), [1, 1, 1]);
    }
}
