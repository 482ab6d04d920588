//! What a run should look like. Pure: Trakkar's word on one side, ours on the other.

use hostler_sdk::tracker::{
    Attempt, Base, Landing, Limits, NextAttempt, PullRequest, RunPlan, Task, Verdict, Verify, Workspace,
    judge,
};
use hostler_sdk::{Problem, Section};

use crate::assignment::Assignment;
use crate::settings::{Settings, Worker};
use crate::text::one_line;

/// Where worktrees are made, as by Trakkar's own runner.
const WORKTREES: &str = ".trakkar-worktrees";

/// What a verify command needs that git does not bring into a worktree.
const LINKED: &str = "node_modules";

/// With this in its environment, Claude Code is paid for by the API and not by the
/// subscription.
const API_KEY: &str = "ANTHROPIC_API_KEY";

/// Attempts at most: model servers that fail for a moment must not cost the task.
const ATTEMPTS: u32 = 3;

/// The same for the SDK's judgement.
const ATTEMPTS_AS_COUNT: usize = ATTEMPTS as usize;

/// How the CLI says that the session is not there any more.
const SESSION_REFUSED: &str = "session-refused";

/// Failures that pass by themselves. Anything else the user answers with a reply.
const PASSING: [&str; 5] = ["interrupted", "network", "overloaded", "rate-limited", "server"];

/// The plan for a task's run.
pub fn plan(settings: &Settings, task: &Task) -> Result<RunPlan, Problem> {
    let assignment = Assignment::of(task)?;
    let verify = assignment.verify_command.clone();
    Ok(RunPlan {
        repository: None,
        base: if assignment.continues {
            Base::PreviousSession
        } else {
            Base::Remote(assignment.base_branch.clone())
        },
        branch: Some(assignment.branch(task)),
        provider: Some(settings.worker.provider().to_owned()),
        model: None,
        permission: Some("full-auto".to_owned()),
        limits: Limits { attempts: Some(ATTEMPTS), quota: Some(0), untimed: true, ..Limits::default() },
        session: assignment.session_ref.filter(|_| assignment.continues),
        worktrees: Some(WORKTREES.to_owned()),
        link: if verify.is_some() { vec![LINKED.to_owned()] } else { Vec::new() },
        verify: verify.map(|command| Verify { command, time: Some(settings.verify_limit), feed_back: 0 }),
        landing: Landing::PullRequest(PullRequest {
            title: Some(task.title.clone()),
            preface: Some(format!("Trakkar task {}: {}", task.id, task.title)),
            base: assignment.base_branch,
        }),
        keep: true,
        withhold: withheld(settings),
    })
}

/// Without the key Claude Code works on its login, as Trakkar promises.
fn withheld(settings: &Settings) -> Vec<String> {
    match settings.worker {
        Worker::ClaudeCode if !settings.use_api_key => vec![API_KEY.to_owned()],
        Worker::ClaudeCode | Worker::Cursor => Vec::new(),
    }
}

/// The task, and where the agent really is.
pub fn prompt(task: &Task, at: &Workspace, history: &[Attempt]) -> Result<Vec<Section>, Problem> {
    let assignment = Assignment::of(task)?;
    let mut sections = vec![Section { title: task.title.clone(), body: String::new(), trusted: false }];
    sections.extend(task.sections.iter().cloned());
    let parts = [
        place(at),
        state_of_work(at, assignment.continues).to_owned(),
        session(history).to_owned(),
        MANNERS.to_owned(),
        verification(&assignment),
        SUMMARY.to_owned(),
    ];
    let body = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    sections.push(Section { title: "How to work here".to_owned(), body, trusted: true });
    Ok(sections)
}

const MANNERS: &str = "Commit what you want to keep. Do not push and do not open a pull request: that is done \
     for you once you have ended. Do not touch other branches. Nobody can answer questions while you work; decide \
     what is reasonable, and say what you decided.";

const SUMMARY: &str =
    "End with a short summary in plain words, without code: it is shown in the task and in the pull request.";

fn place(at: &Workspace) -> String {
    if at.branch.is_empty() {
        return "You work directly in the folder you were started in; it has no branch of its own. Stay in it."
            .to_owned();
    }
    format!(
        "You work in a git worktree of your own, on the branch `{}`. Stay in this folder and on this branch.",
        at.branch
    )
}

fn state_of_work(at: &Workspace, continues: bool) -> &'static str {
    match (at.continued, continues) {
        (true, _) => "Earlier work on this task is still here; look at it first, and go on from there.",
        (false, true) => {
            "The folder with the earlier work is not there any more, so you begin from a fresh checkout; a branch with a similar name may still hold that work."
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

fn verification(assignment: &Assignment) -> String {
    match &assignment.verify_command {
        Some(command) => format!(
            "When you have ended, `{}` is run in this folder; the work counts only if it passes.",
            one_line(command)
        ),
        None => String::new(),
    }
}

/// A refused session is tried again at once without it, what passes by itself a
/// little later. Used-up credit is told and not waited for: the workspace stays, and
/// a reply goes on.
pub fn retry(history: &[Attempt]) -> Verdict {
    match history.last().map(|last| last.outcome.reason.as_str()) {
        Some(SESSION_REFUSED) if history.len() < ATTEMPTS_AS_COUNT => {
            Verdict::Retry(NextAttempt { after: 0, fresh: false })
        }
        Some(reason) if PASSING.contains(&reason) => judge(history, ATTEMPTS_AS_COUNT),
        _ => Verdict::Finish,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hostler_sdk::{Config, Outcome, Reason};
    use serde_json::{Value, json};

    use super::*;
    use crate::assignment;

    fn settings(json: &str) -> Settings {
        Settings::read(&Config::from_json(json).unwrap()).unwrap()
    }

    fn task(changes: &Value, base_branch: Option<&str>) -> Task {
        let mut payload = json!({
            "id": "t_88", "run_id": "run_501", "kind": "new", "title": "Add CSV export",
            "description": "Please.", "verify_command": "npm test"
        });
        for (name, value) in changes.as_object().unwrap() {
            payload[name] = value.clone();
        }
        assignment::read(&payload, base_branch, None).unwrap()
    }

    fn continuation(session: &Value) -> Value {
        json!({ "kind": "continue", "continuation": { "message": "do X", "session_ref": session } })
    }

    fn failed(reasons: &[Reason]) -> Vec<Attempt> {
        let attempt = |(number, reason): (u32, &Reason)| Attempt {
            number,
            outcome: Outcome::failed(*reason, "why"),
            verified: None,
        };
        (1..).zip(reasons).map(attempt).collect()
    }

    #[test]
    fn a_run_has_a_worktree_of_its_own_on_a_branch_from_the_freshly_fetched_default() {
        let plan = plan(&settings("{}"), &task(&json!({}), None)).unwrap();
        assert_eq!(plan.branch.as_deref(), Some("trakkar/t_88-add-csv-export"));
        assert_eq!(plan.worktrees.as_deref(), Some(".trakkar-worktrees"));
        assert_eq!((plan.base, plan.session), (Base::Remote(None), None));
        assert_eq!(plan.provider.as_deref(), Some("claude-code"));
        assert_eq!(plan.permission.as_deref(), Some("full-auto"));
    }

    #[test]
    fn a_base_branch_set_in_trakkar_is_where_work_starts_and_what_the_pull_request_is_for() {
        let plan = plan(&settings("{}"), &task(&json!({}), Some("develop"))).unwrap();
        assert_eq!(plan.base, Base::Remote(Some("develop".into())));
        assert!(
            matches!(&plan.landing, Landing::PullRequest(request) if request.base.as_deref() == Some("develop"))
        );
    }

    #[test]
    fn work_lands_as_a_pull_request_and_never_as_a_merge() {
        let Landing::PullRequest(request) = plan(&settings("{}"), &task(&json!({}), None)).unwrap().landing
        else {
            panic!("not a pull request");
        };
        assert_eq!((request.title.as_deref(), request.base), (Some("Add CSV export"), None));
        assert!(request.preface.unwrap().contains("t_88"));
    }

    #[test]
    fn the_verify_command_has_its_own_limit_and_node_modules_are_linked_for_it() {
        let planned = plan(&settings(r#"{"timeout":60}"#), &task(&json!({}), None)).unwrap();
        let verify = planned.verify.unwrap();
        assert_eq!((&*verify.command, verify.time, verify.feed_back), ("npm test", Some(60_000), 0));
        assert_eq!(planned.link, ["node_modules"]);
        for nothing in [json!(null), json!(""), json!("  ")] {
            let plan = plan(&settings("{}"), &task(&json!({ "verify_command": nothing }), None)).unwrap();
            assert!(plan.verify.is_none() && plan.link.is_empty());
        }
    }

    #[test]
    fn no_timer_ends_an_agent() {
        let limits = plan(&settings(r#"{"timeout":60}"#), &task(&json!({}), None)).unwrap().limits;
        assert!(limits.untimed);
        assert_eq!((limits.time, limits.stall, limits.tokens, limits.cost_usd), (None, None, None, None));
    }

    #[test]
    fn a_reply_goes_on_in_the_same_workspace_and_session() {
        let plan_of = |changes| plan(&settings("{}"), &task(&changes, Some("develop"))).unwrap();
        let resumed = plan_of(continuation(&json!("s1")));
        assert_eq!((resumed.base, resumed.session.as_deref()), (Base::PreviousSession, Some("s1")));
        let without = plan_of(continuation(&json!(null)));
        assert_eq!((without.base, without.session), (Base::PreviousSession, None));
    }

    #[test]
    fn the_workspace_stays_for_a_reply_even_if_nothing_was_changed() {
        assert!(plan(&settings("{}"), &task(&json!({}), None)).unwrap().keep);
    }

    #[test]
    fn claude_code_does_not_see_an_api_key_unless_the_operator_says_so() {
        let withheld = |json| plan(&settings(json), &task(&json!({}), None)).unwrap().withhold;
        assert_eq!(withheld("{}"), ["ANTHROPIC_API_KEY"]);
        assert_eq!(withheld(r#"{"use-api-key":true}"#), [""; 0]);
        assert_eq!(withheld(r#"{"provider":"cursor"}"#), [""; 0]);
    }

    #[test]
    fn cursor_does_the_work_if_the_operator_says_so() {
        let plan = plan(&settings(r#"{"provider":"cursor"}"#), &task(&json!({}), None)).unwrap();
        assert_eq!(plan.provider.as_deref(), Some("cursor"));
    }

    #[test]
    fn the_agent_is_told_the_task_its_branch_the_verify_command_and_not_to_push() {
        let at = Workspace { branch: "trakkar/t_88-x".into(), base: "a".repeat(40), continued: false };
        let sections = prompt(&task(&json!({}), None), &at, &[]).unwrap();
        assert_eq!((&*sections[0].title, sections[0].trusted), ("Add CSV export", false));
        assert_eq!((&*sections[1].body, sections[1].trusted), ("Please.", false));
        let told = &sections[2];
        assert!(told.trusted);
        for part in ["`trakkar/t_88-x`", "Do not push", "`npm test` is run", "without code"] {
            assert!(told.body.contains(part), "{part} is missing in {}", told.body);
        }
        assert!(!told.body.contains("Earlier work"), "{}", told.body);
    }

    #[test]
    fn the_agent_is_told_whether_earlier_work_is_there() {
        let reply = task(&continuation(&json!("s1")), None);
        let mut at = Workspace { branch: "b".into(), base: String::new(), continued: true };
        let told = |at: &Workspace, history: &[Attempt]| {
            prompt(&reply, at, history).unwrap().last().unwrap().body.clone()
        };
        assert!(told(&at, &[]).contains("Earlier work on this task is still here"));
        assert!(told(&at, &failed(&[Reason::SessionRefused])).contains("could not be resumed"));
        at.continued = false;
        assert!(told(&at, &[]).contains("not there any more"));
        at.branch.clear();
        assert!(told(&at, &[]).contains("no branch of its own"));
    }

    #[test]
    fn a_refused_session_is_tried_again_at_once_without_it() {
        let again = Verdict::Retry(NextAttempt { after: 0, fresh: false });
        assert_eq!(retry(&failed(&[Reason::SessionRefused])), again);
        assert_eq!(retry(&failed(&[Reason::SessionRefused; 3])), Verdict::Finish);
    }

    #[test]
    fn what_passes_by_itself_is_tried_again_and_the_rest_waits_for_a_reply() {
        for reason in [Reason::Network, Reason::Server, Reason::Overloaded, Reason::Interrupted] {
            assert!(matches!(retry(&failed(&[reason])), Verdict::Retry(_)), "{reason:?}");
            assert_eq!(retry(&failed(&[reason; 3])), Verdict::Finish, "{reason:?}");
        }
        for reason in [Reason::ExitCode, Reason::Auth, Reason::NoResult, Reason::PermissionDenied] {
            assert_eq!(retry(&failed(&[reason])), Verdict::Finish, "{reason:?}");
        }
        assert_eq!(retry(&[]), Verdict::Finish);
    }

    #[test]
    fn used_up_credit_ends_the_run_instead_of_waiting_for_a_month() {
        assert_eq!(retry(&failed(&[Reason::Quota])), Verdict::Finish);
        assert_eq!(plan(&settings("{}"), &task(&json!({}), None)).unwrap().limits.quota, Some(0));
    }
}
