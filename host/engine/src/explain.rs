//! Says in plain words what a run is doing, what it waits for, and what comes next.

use serde::{Deserialize, Serialize};

use crate::outcome::{EndReason, Outcome};
use crate::problem::Problem;
use crate::run::{Closing, HeldLease, Run, State};
use crate::time::Timestamp;

/// Why a run is where it is, for a person who wonders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Name of the state, as in listings.
    pub state: String,
    /// When it was entered.
    pub since: Timestamp,
    /// One sentence.
    pub why: String,
    /// Whom or what it waits for; `None` if nothing is awaited.
    pub waits_for: Option<String>,
    /// When the wait is over at the latest, if time ends it.
    pub until: Option<Timestamp>,
    /// One sentence.
    pub next: String,
}

/// The parts of an explanation that depend on the state.
struct Words {
    why: String,
    waits_for: Option<String>,
    next: String,
}

fn words(why: impl Into<String>, waits_for: &str, next: &str) -> Words {
    Words { why: why.into(), waits_for: Some(waits_for.to_owned()), next: next.to_owned() }
}

fn settled(why: impl Into<String>, next: &str) -> Words {
    Words { why: why.into(), waits_for: None, next: next.to_owned() }
}

/// Explains a run as it stands at `now`. Pure: it only reads.
pub fn explain(run: &Run, now: Timestamp) -> Explanation {
    let Words { why, waits_for, next } = match &run.state {
        State::Blocked { by } => words(
            format!("The tracker gave the task out again while run {by} still had it."),
            "that run's agent to be proven dead",
            "The run is planned.",
        ),
        State::Claiming => words(
            "The task was offered, and the host asks to have it.",
            "the tracker's answer",
            "The run is planned, or closed if somebody else has the task.",
        ),
        State::Planning => words(
            "The host asks the tracker's plugin what the run should look like.",
            "the plugin's answer",
            "The workspace is made.",
        ),
        State::Preparing { tries, next_try: Some(_) } => words(
            format!("The workspace could not be made {tries} times, for a reason that may pass."),
            "the next try",
            "The workspace is made.",
        ),
        State::Preparing { .. } => words(
            format!("The workspace of attempt {} is being made.", run.next_attempt()),
            "git",
            "The agent is started.",
        ),
        State::Starting { attempt } => {
            words(format!("Attempt {attempt} is being started."), "the agent's process", "The agent works.")
        }
        State::Adopting { attempt, .. } => words(
            format!("The host was started again and looks for the agent of attempt {attempt}."),
            "word from the agent's supervisor",
            "The agent works on if it lives; otherwise its end is read from its record.",
        ),
        State::Running { attempt, finished: Some(_), .. } => words(
            format!("The agent of attempt {attempt} said that it is finished."),
            "its process to end",
            "What it changed is looked at.",
        ),
        State::Running { attempt, .. } => words(
            format!("The agent works on attempt {attempt}."),
            "the agent",
            "What it changed is looked at.",
        ),
        State::Ending { attempt, why } => words(
            format!("The agent of attempt {attempt} is being ended: {}.", ended_for(*why)),
            "proof that nothing of it lives",
            "What it changed is looked at.",
        ),
        State::Collecting => words(
            "The agent has ended, and the host looks at what it changed.",
            "git",
            "A result is judged and brought where it belongs; for a failure, the next step is decided.",
        ),
        State::Verifying { paused } => verifying(*paused),
        State::Landing { tries, next_try } => landing(*tries, next_try.is_some()),
        State::Advising => words(
            format!("{} The tracker's plugin is asked what to do about it.", failed(run)),
            "the plugin's answer",
            "Another attempt, a report, or a question to a person.",
        ),
        State::Waiting { until } => waiting(run, *until, now),
        State::Reporting { next_try, tries, last_problem, .. } => {
            reporting(*tries, next_try.is_some(), last_problem.as_ref())
        }
        State::Releasing => {
            words("The task is given back untouched.", "the tracker's answer", "The run is closed.")
        }
        State::Parked { reason, report: None } => {
            words(parked(reason), "a person", "`host stop` ends the run and reports it.")
        }
        State::Parked { reason, report: Some(_) } => words(
            parked(reason),
            "a person",
            "The report is sent again when the host is started again; `host stop` gives it up.",
        ),
        State::Closed { how, .. } => settled(closed(how), "Nothing."),
    };
    Explanation {
        state: run.state.name().to_owned(),
        since: run.since,
        why,
        waits_for,
        until: run.deadline(),
        next,
    }
}

fn verifying(paused: bool) -> Words {
    if paused {
        return words(
            "The host was stopped while a command judged the work.",
            "the host to be started again",
            "The work is judged from the beginning.",
        );
    }
    words(
        "The agent is done, and a command judges its work.",
        "the command to end",
        "The work lands if it stands; otherwise the agent hears what is wrong, or the run is reported.",
    )
}

fn landing(tries: u32, pausing: bool) -> Words {
    if pausing {
        return words(
            "The work could not be brought where the plan says.",
            "the pause before the next try",
            &format!("It is tried again (try {}).", tries.saturating_add(1)),
        );
    }
    words(
        format!("The work is brought where the plan says (try {tries})."),
        "git and the remote",
        "The result is reported.",
    )
}

fn reporting(tries: u32, pausing: bool, problem: Option<&Problem>) -> Words {
    if pausing {
        return words(
            format!("The tracker did not take the report{}.", because(problem)),
            "the pause before the next try",
            &format!("The report is sent again (try {}).", tries.saturating_add(1)),
        );
    }
    words(
        format!("The result is being told to the tracker (try {tries})."),
        "the tracker's answer",
        "The run is closed.",
    )
}

fn waiting(run: &Run, until: Timestamp, now: Timestamp) -> Words {
    let next = "The next attempt is prepared.";
    let why = if run.attempts.is_empty() {
        "The run is ready for its first attempt.".to_owned()
    } else {
        format!("{} It is tried again.", failed(run))
    };
    if until > now {
        return words(why, "the pause before the next attempt", next);
    }
    if run.lease.is_some_and(|HeldLease { confirmed, .. }| !confirmed) {
        return words(why, "the tracker to confirm that the task is still ours", next);
    }
    words(why, "a free slot, or for the folder that another run works in", next)
}

/// The last failure, as a sentence.
fn failed(run: &Run) -> String {
    let message = |outcome: &Outcome| {
        let said = outcome.message.trim().trim_end_matches('.');
        if said.is_empty() {
            format!("The last attempt failed ({})", outcome.reason)
        } else {
            said.to_owned()
        }
    };
    let last = run.attempts.last().map(|attempt| message(&attempt.outcome));
    last.unwrap_or_else(|| "The last attempt failed".to_owned()) + "."
}

fn parked(reason: &str) -> String {
    format!("The run waits for a person: {}.", reason.trim_end_matches('.'))
}

fn because(problem: Option<&Problem>) -> String {
    problem.map(|problem| format!(": {}", problem.message.trim_end_matches('.'))).unwrap_or_default()
}

fn closed(how: &Closing) -> String {
    match how {
        Closing::Reported => "The tracker has the report.".to_owned(),
        Closing::Lost(reason) => {
            format!("The task is not ours any more: {}.", reason.trim_end_matches('.'))
        }
        Closing::NotOurs(reason) => {
            format!("The run was closed without a report: {}.", reason.trim_end_matches('.'))
        }
    }
}

const fn ended_for(why: Option<EndReason>) -> &'static str {
    match why {
        None => "its tracker is not there to work for",
        Some(EndReason::Finished) => "it was finished, but its process stayed",
        Some(EndReason::TimedOut) => "its time was up",
        Some(EndReason::Stalled) => "it said nothing for too long",
        Some(EndReason::Cancelled) => "somebody cancelled the run",
        Some(EndReason::LeaseLost) => "the task is not ours any more",
        Some(EndReason::Budget) => "the run's budget is used up",
        Some(EndReason::Stopping) => "the host is stopping",
        Some(EndReason::OverMemory) => "it used more memory than it may",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::outcome::Class;
    use crate::report::ReportState;
    use crate::run::Attempt;
    use crate::task::{RunId, Task};
    use crate::time::Millis;

    const NOW: Timestamp = Timestamp(100_000);

    fn run(state: State) -> Run {
        let task = Task {
            id: "t".to_owned(),
            key: "APP-1".to_owned(),
            title: "Do it".to_owned(),
            sections: vec![],
            priority: 0,
            data: String::new(),
        };
        Run::new(RunId("r".to_owned()), "tracker".to_owned(), task, state, NOW)
    }

    fn failed_once(state: State) -> Run {
        let outcome = Outcome::failed("crashed", Class::Retryable, "The agent crashed.");
        let attempt =
            Attempt { number: 1, started: NOW, ended: NOW, branch: String::new(), outcome, verified: None };
        Run { attempts: vec![attempt], ..run(state) }
    }

    fn held(confirmed: bool) -> Option<HeldLease> {
        let minute = Millis::minutes(1);
        Some(HeldLease { deadline: NOW + minute, ttl: minute, renew_every: minute, confirmed })
    }

    fn report() -> Box<crate::report::Report> {
        let mut run = failed_once(State::Collecting);
        run.stop(NOW, crate::run::Stop { why: EndReason::Cancelled, message: String::new() });
        let stopped = run.advised(NOW, None, &crate::policy::Policy::default()).unwrap();
        let crate::Action::Report { report } = stopped.action else { panic!("{stopped:?}") };
        assert_eq!(report.state, ReportState::Cancelled);
        report
    }

    #[test]
    fn every_state_is_explained_in_whole_sentences() {
        let agent = |finished| State::Running { attempt: 1, process: "p".to_owned(), heard: NOW, finished };
        let reporting =
            |next_try, last_problem| State::Reporting { report: report(), tries: 2, next_try, last_problem };
        let parked = |report| State::Parked { reason: "a question".to_owned(), report };
        let closed = |how| State::Closed { how, report: None };
        let states = [
            State::Blocked { by: RunId("other".to_owned()) },
            State::Claiming,
            State::Planning,
            State::Preparing { tries: 1, next_try: None },
            State::Preparing { tries: 1, next_try: Some(NOW) },
            State::Starting { attempt: 1 },
            State::Adopting { attempt: 1, finished: None },
            agent(None),
            agent(Some(NOW)),
            State::Ending { attempt: 1, why: None },
            State::Ending { attempt: 1, why: Some(EndReason::Stalled) },
            State::Collecting,
            State::Verifying { paused: false },
            State::Verifying { paused: true },
            State::Landing { tries: 1, next_try: None },
            State::Landing { tries: 1, next_try: Some(NOW) },
            State::Advising,
            State::Waiting { until: NOW + Millis(1) },
            State::Waiting { until: NOW },
            reporting(None, None),
            reporting(Some(NOW), Some(Problem::transient("no network."))),
            State::Releasing,
            parked(None),
            parked(Some(report())),
            closed(Closing::Reported),
            closed(Closing::Lost("given to somebody else.".to_owned())),
            closed(Closing::NotOurs("no free slot".to_owned())),
        ];
        for state in states {
            for run in [run(state.clone()), failed_once(state)] {
                let said = explain(&run, NOW);
                for sentence in [&said.why, &said.next] {
                    let whole = sentence.ends_with('.') && !sentence.ends_with("..");
                    assert!(whole && !sentence.contains(".:"), "{sentence}");
                }
                assert_eq!(said.waits_for.is_none(), run.is_closed(), "{said:?}");
                assert_eq!((said.state.as_str(), said.since), (run.state.name(), run.since));
            }
        }
    }

    #[test]
    fn a_wait_names_what_is_missing_now() {
        let waits_for = |until, lease| {
            let run = Run { lease, ..failed_once(State::Waiting { until }) };
            explain(&run, NOW).waits_for.unwrap()
        };
        assert!(waits_for(NOW + Millis(1), held(false)).contains("pause"), "time comes first");
        assert!(waits_for(NOW, held(false)).contains("confirm"));
        assert!(waits_for(NOW, held(true)).contains("slot"));
        assert!(waits_for(NOW, None).contains("slot"));
    }

    #[test]
    fn a_wait_ends_at_the_runs_own_deadline() {
        let until = NOW + Millis::minutes(3);
        assert_eq!(explain(&failed_once(State::Waiting { until }), NOW).until, Some(until));
        assert_eq!(explain(&run(State::Claiming), NOW).until, None);
    }

    #[test]
    fn the_failure_that_led_here_is_told() {
        let said = explain(&failed_once(State::Waiting { until: NOW }), NOW);
        assert_eq!(said.why, "The agent crashed. It is tried again.");
    }
}
