//! Judging finished work by a command of the plan: started like an agent, with the
//! same proof at its end that nothing of it lives.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_agents::{Agent, Exit, Launch, Output, Stdin};
use hostler_engine::Input;
use hostler_engine::landing::{Verification, Verify};
use hostler_engine::outcome::EndReason;
use hostler_engine::policy::DEFAULT_VERIFY_TIME;
use hostler_engine::problem::Problem;
use hostler_engine::run::Run;
use hostler_engine::step::Step;
use hostler_engine::time::Millis;
use hostler_journal::audit::Event;
use tokio::sync::mpsc;

use crate::attempt::sandboxed::around_verify;
use crate::attempt::under_way::AttemptHandle;
use crate::attempt::{limits, tell_exchanged};
use crate::record::audited::fingerprint;
use crate::refusal::{Lack, Refusal};
use crate::rooms::Rooms;
use crate::sandbox::{Ready, clear, let_out};

/// The end of the output that is kept: what the contract allows a report to carry.
const TAIL_BYTES: usize = 4 * 1024;

/// What people call it.
const WHO: &str = "the verify command";

/// Below the attempt's folder; numbered, because each start has a folder of its own.
const FOLDER: &str = "verify";

/// Carries `Action::Verify` out.
pub async fn verify(rooms: Arc<Rooms>, run: Run, at: Step, verify: Verify) {
    let number = u32::try_from(run.attempts.len()).unwrap_or(u32::MAX);
    let found = judged(&rooms, &run, number, &verify).await;
    rooms.attempts.remove(&run.id, number);
    rooms.tell(Input::Verified { at, found }).await;
}

async fn judged(
    rooms: &Arc<Rooms>,
    run: &Run,
    number: u32,
    verify: &Verify,
) -> Result<Verification, Problem> {
    let workspace =
        run.workspace.as_ref().ok_or_else(|| Problem::permanent("There is no workspace to judge."))?;
    // The command is the tracker's, and its leave may have been taken back since the plan.
    rooms.tracker.permit().check().map_err(|why| {
        rooms.refused(rooms.tracker.name(), Refusal::Verify(Lack::Leave));
        Problem::transient(format!("The verify command was not started: {why}."))
    })?;
    let folder = free_folder(rooms, run, number).await?;
    let Ready { sandbox, environment, rules } =
        around_verify(rooms, run, &folder, rooms.plain_environment.clone()).map_err(not_started)?;
    let limit = verify.time.unwrap_or(DEFAULT_VERIFY_TIME);
    let launch = Launch {
        run: run.id.0.clone(),
        attempt: number,
        program: "sh".into(),
        args: vec!["-c".into(), verify.command.clone().into()],
        env: environment,
        cwd: PathBuf::from(&workspace.path),
        folder: folder.clone(),
        stdin: Stdin::Closed,
        limits: run.plan.as_ref().map(limits).unwrap_or_default(),
        containment: rooms.containment,
        sandbox,
        secrets: rooms.secrets_of(&run.id),
    };
    let (id, command) = (run.id.0.clone(), fingerprint(&verify.command));
    let about = Event::Verify { run: id.clone(), command: command.clone() };
    let audited = rooms.audit.before(about).await;
    audited.map_err(|error| Problem::transient(format!("The verify command was not started: {error}.")))?;
    let agent = match rooms.agents.start(launch).await {
        Ok(agent) => agent,
        Err(error) => {
            clear(&folder).await;
            return Err(not_started(error));
        }
    };
    let way_out = match rules {
        Some(rules) => let_out(rooms, &agent, rules, run, &folder, WHO).await,
        None => None,
    };
    let (found, exit) = listen(rooms, run, number, agent, limit).await;
    drop(way_out);
    tell_exchanged(rooms, run, exit.as_ref(), WHO);
    clear(&folder).await;
    let exit = exit.as_ref().and_then(Exit::code);
    rooms.audit.note(Event::Verified { run: id, command, passed: found.passed, exit }).await;
    Ok(found)
}

fn not_started(why: impl std::fmt::Display) -> Problem {
    Problem::permanent(format!("The verify command could not be started: {why}."))
}

/// A folder that no start has used yet; whatever still runs of earlier ones is ended
/// first, with proof.
async fn free_folder(rooms: &Rooms, run: &Run, attempt: u32) -> Result<PathBuf, Problem> {
    let place = rooms.home.attempt(&run.id, attempt);
    for number in 1_u32.. {
        let folder = place.join(format!("{FOLDER}-{number}"));
        if !folder.exists() {
            return Ok(folder);
        }
        ended_for_sure(rooms, run, attempt, &folder).await?;
        clear(&folder).await;
    }
    Err(Problem::permanent("There is no folder left to run the verify command in."))
}

async fn ended_for_sure(rooms: &Rooms, run: &Run, attempt: u32, folder: &Path) -> Result<(), Problem> {
    let reaped = rooms.agents.reap(folder, &run.id.0, attempt).await;
    let reaped = reaped.map_err(|error| Problem::transient(error.to_string()))?;
    if reaped.tree.is_empty() {
        return Ok(());
    }
    Err(Problem::permanent(
        "An earlier start of the verify command cannot be ended; end its processes by hand.",
    ))
}

/// The judgement, and how the command ended, if that is known.
async fn listen(
    rooms: &Rooms,
    run: &Run,
    attempt: u32,
    mut agent: Agent,
    limit: Millis,
) -> (Verification, Option<Exit>) {
    let handle = agent.handle();
    let (messages, _nobody_speaks_to_it) = mpsc::channel(1);
    rooms.attempts.insert(run.id.clone(), attempt, AttemptHandle::new(handle.clone(), messages));
    handle.keep(None, Some(limit.duration())).await;
    let deadline = rooms.clock.now() + limit;
    let mut tail = Tail::default();
    let mut timed_out = false;
    let exit = loop {
        tokio::select! {
            output = agent.next() => match output {
                Some(Output::Lines { lines, .. }) => {
                    for line in lines {
                        tail.push(line.text);
                    }
                }
                Some(Output::Warning(warning)) => tracing::warn!("verify: {warning}"),
                Some(Output::Exited(exit)) => break Some(exit),
                None => break None,
            },
            () = rooms.clock.sleep_until(deadline), if !timed_out => {
                timed_out = true;
                handle.end(EndReason::TimedOut, hostler_agents::DEFAULT_GRACE).await;
            }
        }
    };
    (judgement(exit.as_ref(), timed_out, limit, tail.text()), exit)
}

fn judgement(exit: Option<&Exit>, timed_out: bool, limit: Millis, tail: String) -> Verification {
    let passed = !timed_out && exit.and_then(Exit::code) == Some(0);
    let summary = match (timed_out, exit.and_then(Exit::code), exit.and_then(Exit::signal)) {
        (true, ..) => format!("The verify command was ended after {limit}, its limit."),
        (_, Some(0), _) => "The verify command passed.".to_owned(),
        (_, Some(code), _) => format!("The verify command failed with exit code {code}."),
        (_, None, Some(signal)) => format!("The verify command was ended by signal {signal}."),
        (_, None, None) => "How the verify command ended is not known.".to_owned(),
    };
    Verification { passed, summary, tail }
}

/// The last lines of an output, up to a size.
#[derive(Default)]
struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    fn push(&mut self, mut line: String) {
        if line.len() > TAIL_BYTES {
            let start = line.ceil_char_boundary(line.len() - TAIL_BYTES);
            line = line.split_off(start);
        }
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.bytes > TAIL_BYTES + 1 {
            let Some(first) = self.lines.pop_front() else { return };
            self.bytes -= first.len() + 1;
        }
    }

    fn text(self) -> String {
        Vec::from(self.lines).join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_keeps_the_last_whole_lines_within_its_size() {
        let mut tail = Tail::default();
        (0..1000).for_each(|number| tail.push(format!("line {number}")));
        let text = tail.text();
        assert!(text.len() <= TAIL_BYTES, "{}", text.len());
        assert!(text.starts_with("line ") && text.ends_with("line 999"));
    }

    #[test]
    fn a_line_of_the_size_is_whole_and_of_a_longer_one_the_end_is_kept() {
        for (length, kept) in [(TAIL_BYTES, TAIL_BYTES), (TAIL_BYTES + 1, TAIL_BYTES)] {
            let mut tail = Tail::default();
            tail.push("x".repeat(length));
            assert_eq!(tail.text().len(), kept);
        }
    }

    #[test]
    fn only_exit_code_zero_in_time_passes() {
        let limit = Millis::minutes(30);
        assert!(!judgement(None, false, limit, String::new()).passed);
        assert!(judgement(None, true, limit, String::new()).summary.contains("ended after"));
    }
}
