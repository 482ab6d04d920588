//! Reading an agent's output through its provider's session, with the session
//! allowed to fail: the raw output is kept, and a generic outcome takes its place.

use hostler_components::job::{ExitStatus, Job, Line, SessionOutput, StreamName};
use hostler_components::{Plugin, Session};
use hostler_engine::event::Event;
use hostler_engine::outcome::{Class, EndReason, Outcome, Usage};

use crate::failure::Failure;

/// A session and what it said so far. Its methods run the plugin on a thread of
/// their own.
pub struct Reading {
    session: Option<Session>,
    /// Why there is no session any more.
    trouble: Option<String>,
    /// Totals so far.
    pub usage: Usage,
    /// The CLI's session id, if it said one.
    pub conversation: Option<String>,
    /// Whether the CLI said it was finished.
    pub finished: bool,
}

impl Reading {
    /// Starts a session for a job.
    pub async fn start(plugin: std::sync::Arc<Plugin>, job: Job) -> Self {
        let mut reading = Self {
            session: None,
            trouble: None,
            usage: Usage::default(),
            conversation: job.session.clone(),
            finished: false,
        };
        match crate::blocking::run(move || plugin.session(job)).await.and_then(|session| Ok(session?)) {
            Ok(session) => reading.session = Some(session),
            Err(failure) => reading.give_up(&failure.to_string()),
        }
        reading
    }

    fn give_up(&mut self, trouble: &str) {
        tracing::warn!("the agent's output is kept, but no longer understood: {trouble}");
        self.session = None;
        self.trouble = Some(trouble.to_owned());
    }

    /// Takes the next lines; gives what the plugin made of them.
    pub async fn lines(&mut self, source: StreamName, lines: Vec<Line>) -> Vec<SessionOutput> {
        let Some(mut session) = self.session.take() else { return Vec::new() };
        let read = crate::blocking::run(move || {
            let mut outputs = Vec::new();
            let result = session.lines(source, lines, &mut outputs);
            (session, outputs, result)
        });
        match read.await {
            Ok((session, outputs, Ok(()))) => {
                self.session = Some(session);
                self.note(&outputs);
                outputs
            }
            Ok((_, outputs, Err(error))) => {
                self.note(&outputs);
                self.give_up(&error.to_string());
                outputs
            }
            Err(error) => {
                self.give_up(&error.to_string());
                Vec::new()
            }
        }
    }

    /// Text for the running agent.
    pub async fn message(&mut self, text: String) -> Result<Vec<SessionOutput>, String> {
        let Some(mut session) = self.session.take() else { return Err("its plugin has failed".to_owned()) };
        let told = crate::blocking::run(move || {
            let answer = session.message(&text);
            (session, answer)
        });
        match told.await {
            Ok((session, Ok(answer))) => {
                self.session = Some(session);
                answer.map_err(|problem| problem.to_string())
            }
            Ok((_, Err(error))) => {
                self.give_up(&error.to_string());
                Err(error.to_string())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn note(&mut self, outputs: &[SessionOutput]) {
        for output in outputs {
            match output {
                SessionOutput::Event(Event::Usage { usage }) => self.usage = self.usage.at_least(*usage),
                SessionOutput::Event(Event::Finished { .. }) => self.finished = true,
                SessionOutput::Event(Event::Started { session: Some(session), .. }) => {
                    self.conversation = Some(session.clone());
                }
                _ => {}
            }
        }
    }

    /// The outcome, from the plugin if it still can say.
    pub async fn finish(self, exit: ExitStatus) -> Outcome {
        let exit = self.judged(exit);
        self.outcome(exit).await
    }

    async fn outcome(mut self, exit: ExitStatus) -> Outcome {
        let ended = match self.session.take() {
            Some(session) => match crate::blocking::run(move || session.finish(exit)).await {
                Ok(Ok(outcome)) => Ok(outcome),
                Ok(Err(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            },
            None => Err(self.trouble.clone().unwrap_or_default()),
        };
        match ended {
            Ok(outcome) => Outcome {
                usage: self.usage.at_least(outcome.usage),
                session: outcome.session.or(self.conversation),
                ..outcome
            },
            Err(trouble) => self.generic(exit, &trouble),
        }
    }

    /// A CLI that said it was finished is judged by what it said: that the host then
    /// ended its process, for whatever reason that spares a success, is no failure.
    fn judged(&self, exit: ExitStatus) -> ExitStatus {
        match exit.ended_by_host {
            Some(why) if self.finished && why.spares_success() => {
                ExitStatus { ended_by_host: Some(EndReason::Finished), ..exit }
            }
            _ => exit,
        }
    }

    /// What can be said without the plugin: success is never assumed.
    fn generic(self, exit: ExitStatus, trouble: &str) -> Outcome {
        let message = format!(
            "The provider plugin could not read the agent's output ({trouble}). The agent {}; its raw output is in the run's folder.",
            how(exit)
        );
        Outcome {
            usage: self.usage,
            session: self.conversation,
            ..Outcome::failed("plugin", Class::Retryable, message)
        }
    }
}

/// How a process ended, for a sentence.
pub fn how(exit: ExitStatus) -> String {
    match (exit.ended_by_host, exit.code, exit.signal) {
        (Some(EndReason::Finished), ..) => "was finished".to_owned(),
        (Some(why), ..) => format!("was ended by the host ({})", why.name()),
        (None, Some(code), _) => format!("exited with code {code}"),
        (None, None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None, None) => "ended in a way nobody saw".to_owned(),
    }
}

/// Reads recorded output, as after a crash or for `host plugin try`.
pub async fn replay(
    plugin: std::sync::Arc<Plugin>,
    job: Job,
    output: &[(StreamName, Vec<u8>)],
    exit: ExitStatus,
) -> Result<(Vec<SessionOutput>, Outcome), Failure> {
    let mut reading = Reading::start(plugin, job).await;
    let mut outputs = Vec::new();
    for (source, bytes) in output {
        outputs.extend(reading.lines(*source, split(bytes)).await);
    }
    Ok((outputs, reading.finish(exit).await))
}

/// Splits recorded bytes the way a running agent's output is split.
fn split(bytes: &[u8]) -> Vec<Line> {
    let mut splitter = hostler_agents::LineSplitter::default();
    let mut lines = splitter.push(bytes);
    lines.extend(splitter.finish());
    lines.into_iter().map(line).collect()
}

/// A line of the agents room, for the components room.
pub fn line(line: hostler_agents::Line) -> Line {
    Line { text: line.text, cut: line.cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(finished: bool, why: EndReason) -> Option<EndReason> {
        let reading =
            Reading { session: None, trouble: None, usage: Usage::default(), conversation: None, finished };
        reading.judged(ExitStatus { ended_by_host: Some(why), ..ExitStatus::default() }).ended_by_host
    }

    #[test]
    fn an_end_after_the_result_is_no_failure_unless_nobody_wants_the_result() {
        for why in [EndReason::Stopping, EndReason::TimedOut, EndReason::Stalled, EndReason::Budget] {
            assert_eq!(judged(true, why), Some(EndReason::Finished));
            assert_eq!(judged(false, why), Some(why));
        }
        for why in [EndReason::Cancelled, EndReason::LeaseLost] {
            assert_eq!(judged(true, why), Some(why));
        }
    }
}
