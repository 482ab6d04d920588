//! What a run should look like. Pure: the server's word on one side, ours on the other.

use hostler_sdk::tracker::{Attempt, Base, Limits, NextAttempt, RunPlan, Task, Verdict, Workspace};
use hostler_sdk::{Milliseconds, Problem, Section};

use crate::assignment::Assignment;
use crate::identity::provider_of;

/// The server ends a run after its time-out; the agent is ended so much earlier, so
/// that there is time to report.
const BEFORE_TIMEOUT: f64 = 60_000.0;

/// However short the server's time-out: an agent gets at least so much.
const SHORTEST: f64 = 60_000.0;

/// Where the server's time-out makes no sense: half an hour, as it usually is.
const USUAL_TIMEOUT: f64 = 30.0 * 60_000.0;

/// Retries after failures are the server's business. The second attempt is for a
/// session that was refused, without it.
const ATTEMPTS: u32 = 2;

/// How the CLI says that the session is not there any more.
const SESSION_REFUSED: &str = "session-refused";

/// The plan for a task's run.
pub fn plan(task: &Task) -> Result<RunPlan, Problem> {
    let assignment = Assignment::of(task)?;
    if task.sections.iter().all(|section| section.body.trim().is_empty()) {
        return Err(Problem::permanent(
            "Tale handed out a run without a prompt; assign the task there again.",
        ));
    }
    let session = assignment.resumed();
    Ok(RunPlan {
        repository: assignment.workspace_key.clone(),
        base: if session.is_some() { Base::PreviousSession } else { Base::Head },
        branch: Some(format!("tale/run-{}", assignment.short_id())),
        provider: Some(provider_of(&assignment.adapter_type).to_owned()),
        model: None,
        permission: Some(permission(&assignment.permission_mode).to_owned()),
        limits: Limits {
            time: Some(time_limit(assignment.timeout_ms)),
            attempts: Some(ATTEMPTS),
            ..Limits::default()
        },
        session,
        ..RunPlan::default()
    })
}

fn permission(mode: &str) -> &'static str {
    match mode {
        "auto_edits" => "auto-edits",
        "full_auto" => "full-auto",
        _ => "safe",
    }
}

fn time_limit(timeout: Option<f64>) -> Milliseconds {
    let sane = timeout.filter(|timeout| timeout.is_finite() && *timeout > 0.0);
    let limit = (sane.unwrap_or(USUAL_TIMEOUT) - BEFORE_TIMEOUT).max(SHORTEST);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is positive, and `as` saturates, which is what is wanted"
    )]
    let limit = limit as Milliseconds;
    limit
}

/// The server's prompt, and where the agent really is.
pub fn prompt(task: &Task, at: &Workspace, history: &[Attempt]) -> Result<Vec<Section>, Problem> {
    let is_revision = Assignment::of(task)?.is_revision();
    let mut sections = task.sections.clone();
    let body = [place(at), state_of_work(at, is_revision), session(history), MANNERS]
        .into_iter()
        .map(str::to_owned)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    let body = body.replace("{branch}", &at.branch);
    sections.push(Section { title: "Your workspace".to_owned(), body, trusted: true });
    Ok(sections)
}

const MANNERS: &str = "Commit what you want to keep. Do not push, and do not touch other branches. Nobody can \
     answer questions while you work.";

fn place(at: &Workspace) -> &'static str {
    if at.branch.is_empty() {
        return "You work directly in the folder you were started in; it has no branch of its own. Stay in it.";
    }
    "You work in a git worktree of your own, with the branch `{branch}` checked out. Where the text above names \
     another branch, stay on `{branch}` all the same: it is the one that is reported. Stay in this folder."
}

fn state_of_work(at: &Workspace, is_revision: bool) -> &'static str {
    match (at.continued, is_revision) {
        (true, _) => "Earlier work on this task is still here; look at it first, and go on from there.",
        (false, true) => {
            "The earlier result is not checked out here; if it is not merged, it is on a branch of its own."
        }
        (false, false) => "",
    }
}

fn session(history: &[Attempt]) -> &'static str {
    match history.last() {
        Some(last) if last.outcome.reason == SESSION_REFUSED => {
            "Your earlier conversation could not be resumed, so you begin without it."
        }
        _ => "",
    }
}

/// Only a refused session is tried again here, without it and at once.
pub fn retry(history: &[Attempt]) -> Verdict {
    match history.last() {
        Some(last) if last.outcome.reason == SESSION_REFUSED => {
            Verdict::Retry(NextAttempt { after: 0, fresh: false })
        }
        _ => Verdict::Finish,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hostler_sdk::{Outcome, Reason};
    use serde_json::{Value, json};

    use super::*;
    use crate::assignment::Work;

    fn task(changes: &Value) -> Task {
        let mut run = json!({
            "externalRunId": "k57e0d2m9q4x8t1w6y3z5a7b", "taskId": "t1", "agentSlug": "coder",
            "adapterType": "claude_code", "permissionMode": "safe", "kind": "initial",
            "prompt": "Fix it on tale/app-12.", "timeoutMs": 1_800_000
        });
        for (name, value) in changes.as_object().unwrap() {
            run[name] = value.clone();
        }
        Work::read(&run, "daemon_1").unwrap().task
    }

    fn failed(reason: Reason) -> Vec<Attempt> {
        vec![Attempt { number: 1, outcome: Outcome::failed(reason, "why"), verified: None }]
    }

    #[test]
    fn a_plan_follows_the_run() {
        let plan = plan(&task(&json!({ "workspaceKey": "api" }))).unwrap();
        assert_eq!(plan.repository.as_deref(), Some("api"));
        assert_eq!(plan.branch.as_deref(), Some("tale/run-1w6y3z5a7b"));
        assert_eq!(plan.provider.as_deref(), Some("claude-code"));
        assert_eq!((plan.base, plan.session), (Base::Head, None));
        assert_eq!((plan.limits.time, plan.limits.attempts), (Some(1_740_000), Some(2)));
    }

    #[test]
    fn every_permission_mode_has_its_own_name_here_and_an_unknown_one_is_safe() {
        for (mode, ours) in
            [("safe", "safe"), ("auto_edits", "auto-edits"), ("full_auto", "full-auto"), ("root", "safe")]
        {
            let plan = plan(&task(&json!({ "permissionMode": mode }))).unwrap();
            assert_eq!(plan.permission.as_deref(), Some(ours));
        }
    }

    #[test]
    fn a_revision_goes_on_in_the_session_and_workspace_of_the_earlier_run() {
        let plan_of = |changes| plan(&task(&changes)).unwrap();
        let revised = plan_of(json!({ "kind": "revision", "resumeSessionRef": "s1" }));
        assert_eq!((revised.base, revised.session.as_deref()), (Base::PreviousSession, Some("s1")));
        let without = plan_of(json!({ "kind": "revision" }));
        assert_eq!((without.base, without.session), (Base::Head, None));
        let initial = plan_of(json!({ "resumeSessionRef": "s1" }));
        assert_eq!((initial.base, initial.session), (Base::Head, None));
    }

    #[test]
    fn the_agent_is_ended_a_minute_before_the_server_ends_the_run() {
        for (timeout, limit) in [
            (Some(1_800_000.0), 1_740_000),
            (Some(120_000.0), 60_000),
            (Some(120_001.0), 60_001),
            (Some(1.0), 60_000),
            (None, 1_740_000),
            (Some(0.0), 1_740_000),
            (Some(f64::INFINITY), 1_740_000),
            (Some(1e300), Milliseconds::MAX),
        ] {
            assert_eq!(time_limit(timeout), limit, "{timeout:?}");
        }
    }

    #[test]
    fn a_run_without_a_prompt_cannot_be_planned() {
        assert!(plan(&task(&json!({ "prompt": " " }))).unwrap_err().message.contains("without a prompt"));
    }

    #[test]
    fn the_agent_gets_the_servers_prompt_as_it_is_and_the_truth_about_its_branch() {
        let at = Workspace { branch: "tale/run-1w6y3z5a7b".into(), base: "a".repeat(40), continued: false };
        let sections = prompt(&task(&json!({})), &at, &[]).unwrap();
        assert_eq!((&*sections[0].title, &*sections[0].body), ("", "Fix it on tale/app-12."));
        assert!(sections.iter().all(|section| section.trusted));
        let text = &sections[1].body;
        assert!(text.contains("`tale/run-1w6y3z5a7b`") && text.contains("another branch"), "{text}");
        assert!(text.contains("Do not push") && !text.contains("Earlier work"), "{text}");
    }

    #[test]
    fn the_agent_is_told_whether_earlier_work_is_there() {
        let revision = task(&json!({ "kind": "revision", "resumeSessionRef": "s1" }));
        let mut at = Workspace { branch: "b".into(), base: String::new(), continued: true };
        let told =
            |at: &Workspace, history: &[Attempt]| prompt(&revision, at, history).unwrap()[1].body.clone();
        assert!(told(&at, &[]).contains("Earlier work on this task is still here"));
        assert!(told(&at, &failed(Reason::SessionRefused)).contains("could not be resumed"));
        at.continued = false;
        assert!(told(&at, &[]).contains("not checked out here"));
        at.branch.clear();
        assert!(told(&at, &[]).contains("no branch of its own"));
    }

    #[test]
    fn only_a_refused_session_is_tried_again_here() {
        let again = Verdict::Retry(NextAttempt { after: 0, fresh: false });
        assert_eq!(retry(&failed(Reason::SessionRefused)), again);
        for reason in [Reason::ExitCode, Reason::Server, Reason::Network, Reason::Interrupted] {
            assert_eq!(retry(&failed(reason)), Verdict::Finish, "{reason:?}");
        }
        assert_eq!(retry(&[]), Verdict::Finish);
    }
}
