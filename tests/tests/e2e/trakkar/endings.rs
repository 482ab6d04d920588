//! Every way in which a run ends without a pull request: it is said why, and the
//! workspace stays.

use std::time::{Duration, Instant};

use hostler_tests::scripted_agent::{Script, SignalName, Step, imitations, transcript};
use hostler_tests::{PATIENCE, wait_until};
use standin_forge::{Fault as ForgeFault, Harm, Part};
use standin_trakkar::Endpoint;
use standin_trakkar::board::Agent;

use super::scene::{Scene, does_its_task, is_stuck, shown};

/// Trakkar promises that Stop is obeyed within this time.
const STOP_WITHIN: Duration = Duration::from_secs(5);

#[test]
fn a_stop_in_trakkar_ends_the_agent_within_five_seconds_and_keeps_its_work() {
    let scene = Scene::playing(&Script::always(is_stuck()));
    let (task, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.agent.wait_for_mark("working");
    let agent = scene.agent.wait_for_start(1);
    // From here on the host knows that the agent runs.
    scene.stage.wait_for_state(&task, "running");
    let (stopped, pressed) = (scene.server.now(), Instant::now());
    scene.server.stop(&task).unwrap();
    scene.pass(STOP_WITHIN);
    wait_until(PATIENCE, "the agent is gone", || {
        let lives = scene.stage.sandbox.processes().iter().any(|process| process.pid == agent.pid);
        if lives { Err(format!("{:?} after Stop", pressed.elapsed())) } else { Ok(()) }
    });
    assert!(scene.server.now().since(stopped) <= STOP_WITHIN);
    let finish = scene.wait_for(&run, "stopped", &host);
    scene.drain(host);
    assert_eq!((finish.workspace_kept, finish.error), (true, None));
    assert_eq!(scene.worktrees().len(), 1);
    assert_eq!(scene.stage.in_worktree(&task, "half.txt"), "written by the agent\n");
    assert_eq!(scene.pull_requests(), []);
    assert_eq!(scene.branches_at_the_forge(), ["main"]);
}

#[test]
fn an_agent_that_does_not_listen_is_killed_with_all_it_started() {
    let scene = Scene::playing(&Script::always([
        Step::on_signal(SignalName::Term, []),
        Step::Spawn {
            kind: hostler_tests::scripted_agent::ChildKind::Daemon,
            holds_stdout: true,
            ignores_term: true,
        },
        Step::mark("working"),
        Step::hang(),
    ]));
    let (task, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.agent.wait_for_mark("working");
    scene.stage.wait_for_state(&task, "running");
    scene.server.stop(&task).unwrap();
    scene.pass(STOP_WITHIN);
    // An agent gets ten seconds to end.
    scene.wait_for(&run, "stopped", &host);
    scene.drain(host);
}

#[test]
fn a_failed_agent_is_told_of_and_its_work_is_kept() {
    let scene = Scene::playing(&Script::always([
        Step::write("left.txt", "written by the agent\n"),
        Step::line("It broke down."),
        Step::exit(3),
    ]));
    let (task, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    let finish = scene.wait_for(&run, "failed", &host);
    scene.drain(host);
    let error = finish.error.unwrap();
    assert!(error.contains('3'), "{error}");
    assert!(finish.workspace_kept);
    assert_eq!(scene.stage.in_worktree(&task, "left.txt"), "written by the agent\n");
    assert_eq!((scene.starts().len(), scene.pull_requests().len()), (1, 0));
}

#[test]
fn an_agent_that_changes_nothing_opens_no_pull_request_and_leaves_its_workspace() {
    let scene = Scene::playing(&Script::always([Step::transcript(transcript("claude-success"))]));
    let (_, run) = scene.delegate("Answer a question");
    let host = scene.start(&[]);
    let finish = scene.wait_for(&run, "no_changes", &host);
    scene.drain(host);
    assert_eq!((finish.workspace_kept, finish.error), (true, None));
    assert_eq!((scene.worktrees().len(), scene.pull_requests().len()), (1, 0));
}

#[test]
fn work_that_does_not_pass_the_verify_command_is_not_pushed_and_the_task_shows_why() {
    let verify = "echo one test failed; exit 7";
    let agent = Agent { verify_command: Some(verify.to_owned()), ..Agent::default() };
    let scene = Scene::with(agent, &Script::always(does_its_task()));
    let (task, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    let finish = scene.wait_for(&run, "verify_failed", &host);
    scene.drain(host);
    assert!(finish.workspace_kept);
    assert!(finish.error.unwrap().contains("exit code 7"));
    let events = shown(&scene.server.run(&run).unwrap());
    assert!(
        events.iter().any(|event| event.starts_with("verify: ") && event.contains("one test failed")),
        "{events:?}"
    );
    assert_eq!((scene.pull_requests().len(), scene.branches_at_the_forge().len()), (0, 1));
    assert_eq!(scene.stage.in_worktree(&task, "hello.txt"), "written by the agent\n");
}

#[test]
fn a_verify_command_that_takes_too_long_is_ended_with_all_it_started() {
    let agent = Agent { verify_command: Some("sleep 300 & sleep 300".to_owned()), ..Agent::default() };
    let scene = Scene::with(agent, &Script::always(does_its_task()));
    let (task, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&["--set", "timeout=60"]);
    scene.stage.wait_for_state(&task, "verifying");
    let finish = scene.pass_until("the limit is over", || {
        scene.server.run(&run).unwrap().ending().cloned().ok_or_else(|| host.stdout())
    });
    assert_eq!(finish.outcome, "verify_failed");
    assert!(finish.error.unwrap().contains("its limit"));
    scene.drain(host);
}

#[test]
fn used_up_credit_is_a_reason_of_its_own_with_the_time_it_is_renewed() {
    let scene = Scene::playing(&imitations::is_out_of_quota());
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    let finish = scene.wait_for(&run, "failed", &host);
    scene.drain(host);
    let error = finish.error.unwrap();
    assert!(error.starts_with("quota_exhausted: "), "{error}");
    assert!(error.contains("resets 8:43am (UTC)"), "{error}");
    assert!(finish.workspace_kept);
    assert_eq!(scene.starts().len(), 1, "nobody waits for it: {:?}", scene.starts());
}

#[test]
fn without_gh_the_task_gets_a_link_to_open_the_pull_request_by_hand() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    scene.forge.sign_in_gh(false);
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    let finish = scene.wait_for(&run, "failed", &host);
    scene.drain(host);
    assert!(finish.error.as_ref().unwrap().starts_with("pr_not_opened: "), "{finish:?}");
    assert!(finish.workspace_kept);
    assert_eq!(scene.branches_at_the_forge().len(), 2, "the work is pushed");
    let events = shown(&scene.server.run(&run).unwrap());
    assert!(events.iter().any(|event| event.contains("/compare/main...")), "{events:?}");
}

#[test]
fn a_push_that_does_not_work_is_tried_again_and_there_is_one_pull_request() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    scene.forge.inject(ForgeFault { part: Part::Push, harm: Harm::Status(503), times: 1 });
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.wait_for(&run, "pr_opened", &host);
    scene.drain(host);
    assert_eq!((scene.pull_requests().len(), scene.sent(Endpoint::Finish).len()), (1, 1));
}

#[test]
fn a_base_that_cannot_be_fetched_fails_the_run_without_an_agent() {
    let agent = Agent { base_branch: Some("no-such-branch".to_owned()), ..Agent::default() };
    let scene = Scene::with(agent, &Script::always(does_its_task()));
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    let finish = scene.wait_for(&run, "failed", &host);
    scene.drain(host);
    assert!(finish.error.unwrap().contains("no-such-branch"));
    assert_eq!((scene.starts().len(), scene.pull_requests().len()), (0, 0));
}
