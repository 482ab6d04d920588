//! What a tracker plugin implements.

pub use crate::bindings::tracker::exports::hostler::plugin::tracker::{
    Attempt, Base, Claim, Control, FileChange, FollowUp, Landed, Landing, Lease, Limits, NextAttempt,
    Operation, Output, Progress, ProviderInfo, PullRequest, Report, RunPlan, RunRef, RunStatus, Runner, Task,
    Verdict, Verification, Verify, Workspace,
};
pub use crate::bindings::tracker::hostler::plugin::effects::{Effect, Frame, Payload, Reply, SocketOpen};
pub use crate::connection::{Connection, Export};

use crate::{Config, Context, Milliseconds, Problem, Section};

/// What one poll brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Polled {
    /// Tasks that can be claimed.
    pub offered: Vec<Task>,
    /// Tasks that are ours already, where polling claims.
    pub claimed: Vec<Claim>,
    /// When to poll next; absent to leave it as it is.
    pub pace: Option<Milliseconds>,
}

/// The protocol of one tracker, and what its tasks mean.
///
/// Operations are `async`: they await effects through the [`Context`], and
/// several may be under way at once, which is why they take `&self`. Everything
/// that a simple tracker does not care about has a default.
#[allow(async_fn_in_trait, reason = "plugins are single-threaded: no caller needs a `Send` bound")]
pub trait Tracker: Sized + 'static {
    /// Makes a connection. `saved` is what [`Tracker::save`] last returned.
    fn open(config: Config, saved: Option<Vec<u8>>) -> Result<Self, Problem>;

    /// Says who this host is. By default there is nobody to tell.
    async fn register(&self, cx: &Context, runner: Runner) -> Result<(), Problem> {
        let _ = (cx, runner);
        Ok(())
    }

    /// Looks for at most `limit` tasks.
    async fn poll(&self, cx: &Context, limit: u32) -> Result<Polled, Problem>;

    /// Makes an offered task ours. Claiming again with the same run must succeed.
    /// By default it is ours as offered, without a lease.
    async fn claim(&self, cx: &Context, run: RunRef) -> Result<Claim, Problem> {
        let _ = cx;
        Ok(Claim { task: run.task, lease: None, environment: Vec::new() })
    }

    /// Renews leases and brings control, as pairs of run and word.
    async fn heartbeat(&self, cx: &Context, runs: Vec<RunStatus>) -> Result<Vec<(String, Control)>, Problem> {
        let _ = (cx, runs);
        Ok(Vec::new())
    }

    /// Shows progress. By default it is not shown.
    async fn progress(&self, cx: &Context, run: RunRef, lines: Vec<Progress>) -> Result<(), Problem> {
        let _ = (cx, run, lines);
        Ok(())
    }

    /// The terminal report; repeated until it is accepted, so it must be safe to
    /// repeat.
    async fn report(&self, cx: &Context, run: RunRef, report: Report) -> Result<(), Problem>;

    /// Gives a task back untouched. By default there is nobody to tell.
    async fn release(&self, cx: &Context, run: RunRef) -> Result<(), Problem> {
        let _ = (cx, run);
        Ok(())
    }

    /// Something has come back to the work of a run that is over: have the task go on. May
    /// be asked again under the same number. By default it cannot be done, and a person
    /// is told.
    async fn follow_up(&self, cx: &Context, run: RunRef, word: FollowUp) -> Result<(), Problem> {
        let _ = (cx, run, word);
        Err(Problem::unsupported("This tracker takes no task up again by itself."))
    }

    /// A frame has arrived on a socket.
    async fn receive(&self, cx: &Context, frame: Frame) -> Result<(), Problem> {
        let _ = (cx, frame);
        Ok(())
    }

    /// An operation that this version of the contract does not name.
    async fn other(&self, cx: &Context, name: String, details: String) -> Result<(), Problem> {
        let _ = (cx, details);
        Err(Problem::unsupported(format!("This plugin does not know the operation `{name}`.")))
    }

    /// What the next connection should know; at most 64 KiB, never a secret.
    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// What a run of this task should look like. By default: as the operator says.
    fn plan(config: &Config, task: &Task) -> Result<RunPlan, Problem> {
        let _ = (config, task);
        Ok(RunPlan::default())
    }

    /// The prompt for the next attempt. By default the task, and what became of
    /// the last attempt.
    fn prompt(
        config: &Config,
        task: &Task,
        at: &Workspace,
        history: &[Attempt],
    ) -> Result<Vec<Section>, Problem> {
        let _ = config;
        Ok(task_prompt(task, at, history))
    }

    /// What to do after a failed attempt. By default see [`judge`].
    fn retry(config: &Config, task: &Task, history: &[Attempt]) -> Verdict {
        let _ = (config, task);
        judge(history, ATTEMPTS)
    }
}

/// The task's title and sections, and what became of the last attempt.
pub fn task_prompt(task: &Task, at: &Workspace, history: &[Attempt]) -> Vec<Section> {
    let mut sections = vec![Section { title: task.title.clone(), body: String::new(), trusted: false }];
    sections.extend(task.sections.iter().cloned());
    if let Some(last) = history.last() {
        let work = if at.continued {
            "Its work is still in this workspace; look at it first."
        } else {
            "This workspace is clean; start from the beginning."
        };
        sections.push(Section {
            title: "Earlier attempt".into(),
            body: format!("Attempt {} ended without success. {work}", last.number),
            trusted: true,
        });
        let how = match last.verified.as_ref().filter(|found| !found.passed) {
            Some(found) => {
                let (summary, tail) = (&found.summary, &found.tail);
                format!("Its work was judged by a command. {summary} The end of the output:\n\n{tail}")
            }
            None => last.outcome.message.clone(),
        };
        sections.push(Section { title: "How the earlier attempt ended".into(), body: how, trusted: false });
    }
    sections.push(Section { title: "How to work here".into(), body: manners(&at.branch), trusted: true });
    sections
}

/// What every agent is told about its workspace, whatever the tracker.
fn manners(branch: &str) -> String {
    format!(
        "You work in a git worktree of your own, on the branch `{branch}`. Stay in this folder and on this \
         branch. Commit what you want to keep; do not push, and do not touch other branches. Nobody can answer \
         questions while you work: decide what is reasonable, and say what you decided. End with a short \
         summary of what you did and what is left; it becomes the report. If something blocks you, say \
         exactly what."
    )
}

/// How many attempts a task gets where nobody says otherwise.
const ATTEMPTS: usize = 3;

/// Pause before the second attempt; each later one waits four times as long.
const FIRST_PAUSE: Milliseconds = 2_000;

/// The judgement a tracker gets without its own: transient failures are tried
/// again up to so many attempts in all, with growing pauses, where the last one
/// ended (the host does not offer a refused session again); used-up allowances and refused credentials wait for a
/// person; the rest is final.
pub fn judge(history: &[Attempt], attempts: usize) -> Verdict {
    let Some(last) = history.last() else {
        return Verdict::Finish;
    };
    match last.outcome.class.as_str() {
        "permanent" | "cancelled" | "budget" => Verdict::Finish,
        "auth" | "quota" => Verdict::Park(last.outcome.message.clone()),
        _ if history.len() >= attempts => Verdict::Finish,
        _ => {
            let earlier = u32::try_from(history.len() - 1).unwrap_or(u32::MAX);
            let after = FIRST_PAUSE.saturating_mul(4_u32.saturating_pow(earlier));
            Verdict::Retry(NextAttempt { after, fresh: false })
        }
    }
}

impl Default for RunPlan {
    fn default() -> Self {
        Self {
            repository: None,
            base: Base::Head,
            branch: None,
            provider: None,
            model: None,
            permission: None,
            limits: Limits::default(),
            session: None,
            worktrees: None,
            link: Vec::new(),
            verify: None,
            landing: Landing::Leave,
            keep: false,
            withhold: Vec::new(),
        }
    }
}

#[allow(clippy::derivable_impls, reason = "the type is generated and cannot derive it")]
impl Default for Limits {
    fn default() -> Self {
        Self {
            time: None,
            stall: None,
            tokens: None,
            cost_usd: None,
            attempts: None,
            quota: None,
            untimed: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outcome, Reason};

    fn history(reason: Reason, attempts: u32) -> Vec<Attempt> {
        let attempt = |number| Attempt { number, outcome: Outcome::failed(reason, "why"), verified: None };
        (1..=attempts).map(attempt).collect()
    }

    #[test]
    fn a_transient_failure_is_tried_again_until_the_attempts_are_used_up() {
        let again = |after| Verdict::Retry(NextAttempt { after, fresh: false });
        assert_eq!(judge(&history(Reason::Server, 1), 3), again(2_000));
        assert_eq!(judge(&history(Reason::Server, 2), 3), again(8_000));
        assert_eq!(judge(&history(Reason::Server, 3), 3), Verdict::Finish);
    }

    #[test]
    fn after_a_refused_session_the_work_so_far_stays_where_it_is() {
        let verdict = judge(&history(Reason::SessionRefused, 1), 2);
        assert_eq!(verdict, Verdict::Retry(NextAttempt { after: 2_000, fresh: false }));
    }

    #[test]
    fn the_agent_is_told_what_the_command_that_judged_its_work_found() {
        let task = Task {
            id: "1".into(),
            key: "A-1".into(),
            title: "Fix it".into(),
            sections: Vec::new(),
            priority: 0,
            data: "{}".into(),
        };
        let at = Workspace { branch: "fix".into(), base: "abc".into(), continued: true };
        let verified = Verification {
            passed: false,
            summary: "It failed with exit code 1.".into(),
            tail: "test a ... FAILED".into(),
        };
        let attempt = Attempt { number: 1, outcome: Outcome::succeeded("Done."), verified: Some(verified) };
        let sections = task_prompt(&task, &at, &[attempt]);
        let told = sections.iter().find(|section| section.body.contains("test a ... FAILED"));
        assert!(told.is_some_and(|section| !section.trusted), "a command's output is never an instruction");
    }

    #[test]
    fn a_used_up_allowance_waits_for_a_person_and_a_permanent_failure_is_final() {
        assert_eq!(judge(&history(Reason::Quota, 1), 3), Verdict::Park("why".into()));
        assert_eq!(judge(&history(Reason::Auth, 1), 3), Verdict::Park("why".into()));
        assert_eq!(judge(&history(Reason::ModelNotFound, 1), 3), Verdict::Finish);
        assert_eq!(judge(&[], 3), Verdict::Finish);
    }
}
