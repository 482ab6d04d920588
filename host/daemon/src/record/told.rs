//! What happened to a run, in plain words: the inputs of its history as lines for
//! people. Pure.

use hostler_engine::Input;
use hostler_engine::follow_up::{CheckState, Seen, Standing};
use hostler_engine::outcome::Outcome;
use hostler_engine::problem::Problem;
use hostler_engine::task::RunId;
use hostler_engine::verdict::Verdict;

/// One line on what an input meant for a run; `None` if it says nothing about it that a
/// person would miss.
pub fn told(input: &Input, run: &RunId) -> Option<String> {
    Some(match input {
        Input::Offered { tracker, offers } => {
            offers.iter().find(|offer| offer.run == *run)?;
            format!("{tracker} offered the task")
        }
        Input::Given { tracker, .. } => format!("{tracker} gave the task"),
        Input::ClaimAnswered { answer: Ok(_), .. } => "the task is ours".to_owned(),
        Input::ClaimAnswered { answer: Err(problem), .. } => because("the task was not given", problem),
        Input::Planned { wish: Ok(_), .. } => "the plugin said how to work on it".to_owned(),
        Input::Planned { wish: Err(problem), .. } => {
            because("the plugin did not say how to work on it", problem)
        }
        Input::Prepared { workspace: Ok(workspace), .. } if workspace.branch.is_empty() => {
            format!("the folder {} was free", workspace.path)
        }
        Input::Prepared { workspace: Ok(workspace), .. } => {
            format!("the worktree stood, on branch {}", workspace.branch)
        }
        Input::Prepared { workspace: Err(problem), .. } => because("the worktree was not made", problem),
        Input::Started { .. } => "the agent was started".to_owned(),
        Input::Adopted { .. } => "the agent was found alive after a restart, and taken up again".to_owned(),
        Input::AgentFinished { .. } => "the agent said it was finished".to_owned(),
        Input::AttemptEnded { attempt, outcome, .. } => ended(*attempt, outcome),
        Input::Collected { changes: Ok(changes), .. } => changed(changes.files.len(), changes.commits),
        Input::Collected { changes: Err(problem), .. } => because("what changed is not known", problem),
        Input::Verified { found: Ok(found), .. } if found.passed => "the work passed its check".to_owned(),
        Input::Verified { found: Ok(found), .. } => {
            format!("the work did not pass its check: {}", found.summary)
        }
        Input::Verified { found: Err(problem), .. } => because("the work could not be checked", problem),
        Input::Landed { landed: Ok(landed), .. } => match &landed.url {
            Some(url) => format!("the work landed ({}): {url}", landed.kind),
            None => format!("the work landed ({})", landed.kind),
        },
        Input::Landed { landed: Err(problem), .. } => because("the work did not land", problem),
        Input::Advised { verdict, .. } => advised(verdict.as_ref()),
        Input::Reported { answer: Ok(()), .. } => "the tracker took the report".to_owned(),
        Input::Reported { answer: Err(problem), .. } => {
            because("the tracker did not take the report", problem)
        }
        Input::Released { answer: Ok(()), .. } => "the task was given back".to_owned(),
        Input::Released { answer: Err(problem), .. } => because("giving the task back failed", problem),
        Input::PullRequestSeen { seen, .. } => return came_back(seen),
        Input::FollowUpAnswered { answer: Ok(()), .. } => {
            "the tracker was told that something came back".to_owned()
        }
        Input::FollowUpAnswered { answer: Err(problem), .. } => {
            because("the tracker did not take the task up again", problem)
        }
        Input::CancelAsked { reason, .. } => format!("the tracker asked to end it: {reason}"),
        Input::LeaseLost { reason, .. } => format!("the task is not ours any more: {reason}"),
        Input::StopAsked { .. } => "somebody on this machine stopped it".to_owned(),
        Input::Restarted => "the host was started again".to_owned(),
        Input::Drain => "the host was asked to stop when its agents are done".to_owned(),
        Input::StopNow => "the host was asked to stop at once".to_owned(),
        Input::Configured { .. }
        | Input::Heard { .. }
        | Input::Renewed { .. }
        | Input::Tidied { .. }
        | Input::Tick => return None,
        Input::Woke { slept } => format!("the machine had slept for {slept}"),
    })
}

/// What came back from the pull request; `None` if nothing did.
fn came_back(seen: &Seen) -> Option<String> {
    match seen.standing {
        Standing::Merged => return Some("the pull request was merged".to_owned()),
        Standing::Closed => return Some("the pull request was closed".to_owned()),
        Standing::Open => {}
    }
    let counts = [(seen.count(CheckState::Failed), "failed check"), (seen.remarks.len(), "comment")];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, noun)| match count {
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    });
    let counts: Vec<String> = counts.collect();
    (!counts.is_empty()).then(|| format!("{} came back from the pull request", counts.join(" and ")))
}

fn because(what: &str, problem: &Problem) -> String {
    format!("{what}: {problem}")
}

fn ended(attempt: u32, outcome: &Outcome) -> String {
    if outcome.succeeded() {
        format!("attempt {attempt} ended: the agent did what it was asked")
    } else {
        format!("attempt {attempt} ended ({}): {}", outcome.reason, outcome.message)
    }
}

fn changed(files: usize, commits: u32) -> String {
    let count = |number: u64, noun: &str| match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    };
    match (files, commits) {
        (0, 0) => "nothing was changed".to_owned(),
        _ => format!("{} changed, {}", count(files as u64, "file"), count(commits.into(), "commit")),
    }
}

fn advised(verdict: Option<&Verdict>) -> String {
    match verdict {
        Some(Verdict::Retry { after, fresh: false }) => {
            format!("the plugin advised to try again after {after}")
        }
        Some(Verdict::Retry { after, fresh: true }) => {
            format!("the plugin advised to begin anew after {after}")
        }
        Some(Verdict::Finish) => "the plugin advised to give up".to_owned(),
        Some(Verdict::Park(reason)) => format!("the plugin advised to wait for you: {reason}"),
        None => "the plugin gave no advice".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_engine::outcome::Class;
    use hostler_engine::step::Step;
    use hostler_engine::time::Millis;

    fn said(input: &Input) -> Option<String> {
        told(input, &RunId("r".to_owned()))
    }

    #[test]
    fn what_matters_reads_like_a_person_would_tell_it() {
        let at = Step { run: RunId("r".to_owned()), number: 3 };
        let run = at.run.clone();
        let outcome = Outcome::failed("exit", Class::Retryable, "The agent exited with code 1.");
        assert_eq!(
            said(&Input::AttemptEnded { run, attempt: 1, outcome }).as_deref(),
            Some("attempt 1 ended (exit): The agent exited with code 1.")
        );
        let answer = Err(Problem::transient("the server is busy"));
        let line = said(&Input::Reported { at: at.clone(), answer }).unwrap_or_default();
        assert!(line.starts_with("the tracker did not take the report: "), "{line}");
        let verdict = Some(Verdict::Retry { after: Millis::seconds(5), fresh: false });
        assert_eq!(
            said(&Input::Advised { at, verdict }).as_deref(),
            Some("the plugin advised to try again after 5s")
        );
        assert_eq!(changed(0, 0), "nothing was changed");
        assert_eq!(changed(1, 2), "1 file changed, 2 commits");
    }

    #[test]
    fn what_nobody_would_miss_is_left_out() {
        assert_eq!(said(&Input::Tick), None);
        let offers = Vec::new();
        assert_eq!(
            said(&Input::Offered { tracker: "folder".to_owned(), offers }),
            None,
            "another run's offer"
        );
    }
}
