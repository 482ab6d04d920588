//! The place of a Tale daemon, taken: runs of a board come in, and their results go
//! back to it, whatever becomes of the server, the key, the network and the host.

mod agents;
mod lost_leases;
mod operator;
mod outages;
mod passing_time;
mod restarts;
pub mod scene;

use std::collections::BTreeSet;
use std::time::Duration;

use hostler_tests::scripted_agent::{Script, Step, imitations};
use standin_tale::board::{Agent, Author, Cancelled, PermissionMode, TaskStatus};
use standin_tale::{Answered, Endpoint, Fault};

use self::scene::{CLAUDE, KEY, Scene, works_until_let_go};
use crate::secrets::files_with;
use crate::stage::{LONG, assert_one_sentence};

/// How long the first sign of life of a run is held, so that what happens on the board
/// meanwhile is in its answer. The next one is 15 s away.
const HELD: Duration = Duration::from_secs(2);

#[test]
fn a_task_of_the_board_is_done_and_comes_back_in_review_with_all_it_cost() {
    let scene = Scene::playing(&imitations::does_its_task());
    let main = scene.stage.repository.revision("main");
    let host = scene.start();
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);

    assert_eq!(scene.task_status(), TaskStatus::InReview);
    assert_eq!(run.attempts, 1);
    assert_eq!(run.summary.as_deref(), Some("All done: wrote hello.txt."));
    assert_eq!(run.session_ref.as_deref(), Some(CLAUDE.session));
    assert_eq!((run.usage.output_tokens, run.usage.cost_cents), (80, 1));
    assert!(run.usage.input_tokens >= 2400, "{:?}", run.usage);

    let branch = scene.stage.run(KEY)["branch"].as_str().unwrap().to_owned();
    assert!(branch.starts_with("tale/run-"), "{branch}");
    let [comment] = &scene.ends()[..] else { panic!("not one comment: {:?}", scene.ends()) };
    assert_eq!(comment.author, Author::Agent("coder".to_owned()));
    for part in ["All done: wrote hello.txt.", "hello.txt", "1 file changed", &branch] {
        assert!(comment.body.contains(part), "no {part:?} in {}", comment.body);
    }

    assert_eq!(scene.stage.on_branch(KEY, "hello.txt"), "hello");
    assert_eq!(scene.stage.repository.revision("main"), main, "nobody moved main");
    assert_eq!(scene.stage.repository.git(&["status", "--porcelain"]).trim(), "");
    let prompt = scene.agent.wait_for_start(1).stdin.unwrap();
    assert!(prompt.contains("[APP-1] Write hello.txt") && prompt.contains("With a greeting."), "{prompt}");
    let registered = &scene.sent(Endpoint::Register)[0].body;
    assert_eq!(registered["workspaceKeys"], serde_json::json!(["app"]), "{registered}");
    let adapter = &registered["adapters"][0];
    assert_eq!(adapter["adapterType"], "claude_code", "{registered}");
    assert!(adapter["version"].as_str().unwrap().contains("2.1.328"), "{registered}");
    let told: Vec<_> = scene.sent(Endpoint::Events).iter().map(|event| event.body["type"].clone()).collect();
    assert_eq!(told.iter().filter(|kind| **kind == "started").count(), 1, "{told:?}");
}

#[test]
fn the_environment_of_a_boards_agent_reaches_the_agent_and_no_file() {
    let coder = Agent::bound("coder", "claude_code")
        .permission(PermissionMode::AutoEdits)
        .variable("DEPLOY_TOKEN", "hidden-of-deploy-4711");
    let scene = Scene::new(&works_until_let_go(), coder);
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    let started = scene.agent.wait_for_start(1);
    assert_eq!(started.env.get("DEPLOY_TOKEN").map(String::as_str), Some("hidden-of-deploy-4711"));
    assert!(!started.env.values().any(|value| value.contains(scene.server.key())), "the key stays outside");
    let kept = || files_with(&scene.stage.sandbox.state_folder(), "hidden-of-deploy-4711");
    assert_eq!(kept(), [""; 0], "while it runs");
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!(kept(), [""; 0], "afterwards");
}

#[test]
fn a_failed_run_comes_back_once_to_a_clean_worktree_and_then_is_over() {
    let scene = Scene::playing(&Script::always([
        Step::write("left.txt", "left\n"),
        Step::line("It broke down."),
        Step::exit(3),
    ]));
    let host = scene.start();
    let run = scene.wait_for(&scene.run, "failed", &host);
    scene.drain(host);

    assert_eq!((run.attempts, scene.task_status()), (2, TaskStatus::Todo));
    let failures: Vec<_> = scene.sent(Endpoint::Fail).into_iter().map(|request| request.body).collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    for failure in &failures {
        assert_eq!(failure["retryable"], true, "{failure}");
        let error = failure["error"].as_str().unwrap();
        assert!(error.contains('3') && error.contains("It broke down."), "{error}");
    }
    assert_eq!(scene.ends().len(), 1, "only the second failure ends it");
    assert_eq!(scene.server.board(|board| board.events().len()), 1, "workflows hear of it once");

    let starts = scene.agent.starts().unwrap();
    let folders: BTreeSet<_> = starts.iter().map(|start| &start.cwd).collect();
    assert_eq!((starts.len(), folders.len()), (2, 2), "a folder for each: {starts:?}");
    assert!(folders.iter().all(|folder| *folder != scene.stage.repository.path()), "{folders:?}");
    assert!(scene.stage.repository.read("left.txt").is_none(), "nothing is left in the checkout");
    let branches = scene.stage.repository.git(&["branch", "--list", "tale/run-*"]);
    assert_eq!(branches.lines().count(), 2, "a branch for each: {branches}");
}

#[test]
fn a_run_cancelled_on_the_board_ends_its_agent_and_does_not_come_back() {
    let scene = Scene::playing(&Script::always([Step::mark("working"), Step::hang()]));
    scene.server.fault(Fault::slow(HELD).on(Endpoint::Events).once());
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    assert_eq!(scene.server.cancel(&scene.run), Cancelled::Requested);
    scene.wait_for(&scene.run, "failed", &host);
    scene.drain(host);

    let failures = scene.sent(Endpoint::Fail);
    let [failure] = &failures[..] else { panic!("not one failure: {failures:?}") };
    assert_eq!(failure.body["retryable"], false, "{failure:?}");
    assert_eq!(failure.body["error"], "cancelled by server request");
    let starts = scene.agent.starts().unwrap();
    assert_eq!((starts.len(), &starts[0].ended), (1, &None), "it was ended in the middle");
}

/// What the agent is started with where the board allows this much and the machine
/// edits only.
fn arguments_where_the_board_allows(mode: PermissionMode) -> Vec<String> {
    let coder = Agent::bound("coder", "claude_code").permission(mode);
    let scene = Scene::new(&imitations::does_its_task(), coder);
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    scene.agent.wait_for_start(1).argv
}

#[test]
fn the_machine_does_not_allow_more_than_its_ceiling() {
    let argv = arguments_where_the_board_allows(PermissionMode::FullAuto).join(" ");
    assert!(argv.contains("acceptEdits"), "{argv}");
    assert!(!argv.contains("dangerously") && !argv.contains("bypass"), "{argv}");
}

#[test]
fn the_machine_does_not_allow_more_than_the_board() {
    let argv = arguments_where_the_board_allows(PermissionMode::Safe).join(" ");
    for more in ["acceptEdits", "dangerously", "bypass"] {
        assert!(!argv.contains(more), "{argv}");
    }
}

#[test]
fn a_result_whose_acknowledgement_was_lost_is_told_once_more_and_counts_once() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.fault(Fault::lost_reply().on(Endpoint::Complete).once());
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.stage.wait_for_state(KEY, "closed");
    scene.drain(host);
    let told = scene.sent(Endpoint::Complete);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((&told[0].answer, &told[0].body), (&Answered::Cut, &told[1].body));
    assert_eq!(scene.ends().len(), 1);
    assert_eq!(scene.stage.run(KEY)["result"], "succeeded");
}

#[test]
fn a_result_that_did_not_arrive_is_told_again() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.fault(Fault::cut().on(Endpoint::Complete).once());
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!(scene.sent(Endpoint::Complete).len(), 2);
    assert_eq!(scene.ends().len(), 1);
}

#[test]
fn a_result_waits_for_a_server_that_is_away_and_can_be_seen_waiting() {
    let scene = Scene::playing(&works_until_let_go());
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    scene.server.go_down();
    scene.agent.let_go("go").unwrap();
    scene.stage.wait_for_state(KEY, "reporting");
    let shown = scene.stage.sandbox.host(&["show", KEY]).stdout;
    assert!(shown.contains("report"), "{shown}");
    let listed = scene.stage.sandbox.host(&["runs"]).stdout;
    assert!(listed.contains(KEY) && listed.contains("report"), "{listed}");
    scene.server.come_up();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!(scene.ends().len(), 1);
}

/// The host ends with the sentence that tells how to get a new key.
fn assert_ends_for_want_of_a_key(scene: &Scene) {
    let mut host = scene.start();
    let code = host.wait(LONG).code();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    let said = host.stderr();
    for part in ["generate a new key", "TALE_DAEMON_API_KEY"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert_one_sentence(&said);
    assert!(!said.contains(scene.server.key()), "{said}");
    assert_eq!(scene.agent.starts().unwrap().len(), 0);
}

#[test]
fn a_revoked_key_ends_the_host_which_says_how_to_get_a_new_one() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.change(|board, _| board.revoke_key("tale-standin-key"));
    assert_ends_for_want_of_a_key(&scene);
}

#[test]
fn a_key_revoked_while_the_host_asks_for_runs_ends_it_too() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.fault(Fault::unauthorized().on(Endpoint::Claim));
    assert_ends_for_want_of_a_key(&scene);
}

#[test]
fn a_run_for_a_workspace_that_is_not_here_fails_for_good() {
    let coder = Agent::bound("coder", "claude_code").workspace("elsewhere");
    let scene = Scene::new(&imitations::does_its_task(), coder);
    let host = scene.start();
    let run = scene.wait_for(&scene.run, "failed", &host);
    scene.drain(host);
    assert_eq!((run.attempts, scene.agent.starts().unwrap().len()), (1, 0));
    let failure = &scene.sent(Endpoint::Fail)[0].body;
    assert_eq!(failure["retryable"], false, "{failure}");
    assert!(failure["error"].as_str().unwrap().contains("elsewhere"), "{failure}");
}
