//! What the person sees who runs the machine, and the one who looks at the board.

use std::os::unix::fs::PermissionsExt;

use hostler_tests::scripted_agent::{Script, SignalName, Step, imitations, transcript};
use hostler_tests::{PATIENCE, wait_until};
use serde_json::Value;
use standin_tale::board::{Cancelled, TaskStatus};
use standin_tale::{Endpoint, Fault};

use super::scene::{KEY, STEP, Scene, works_until_let_go};

#[test]
fn status_tells_of_the_server_the_cli_the_workspace_and_what_runs() {
    let scene = Scene::playing(&works_until_let_go());
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    scene.wait_for(&scene.run, "running", &host);
    let output = scene.stage.sandbox.host(&["status", "--json"]);
    let status: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!((&status["running"], &status["tracker"]), (&true.into(), &"tale".into()), "{status}");
    assert_eq!(status["repositories"], serde_json::json!(["app"]), "{status}");
    assert_eq!(status["providers"][0]["name"], "claude-code", "{status}");
    assert_eq!(
        (&status["runs"][0]["task_key"], &status["runs"][0]["state"]),
        (&KEY.into(), &"running".into())
    );
    assert!(status["tracker_heard"].is_number() && status["tracker_problem"].is_null(), "{status}");
    let daemon =
        scene.sent(Endpoint::Claim)[0].body["daemonId"].as_str().unwrap().replace("daemon_", "host_");
    assert_eq!(status["host_id"], daemon, "the name the board knows it by");
    let shown = scene.stage.sandbox.host(&["status"]).stdout;
    assert!(shown.contains(KEY) && shown.contains("claude"), "{shown}");
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
}

#[test]
fn status_tells_that_the_server_does_not_answer_and_when_it_does_again() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.cancel(&scene.run);
    let host = scene.start();
    scene.wait_for_answers(Endpoint::Claim, 1);
    let problem = || {
        let output = scene.stage.sandbox.host(&["status", "--json"]);
        let status: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
        status["tracker_problem"].clone()
    };
    scene.server.fault(Fault::server_error().on(Endpoint::Claim).once());
    scene.pass(STEP, Endpoint::Claim);
    wait_until(PATIENCE, "the problem is told", || match problem() {
        Value::String(_) => Ok(()),
        other => Err(other),
    });
    scene.pass(STEP, Endpoint::Claim);
    wait_until(PATIENCE, "the problem is gone", || match problem() {
        Value::Null => Ok(()),
        other => Err(other),
    });
    scene.drain(host);
}

#[test]
fn no_file_with_the_key_can_be_read_by_others() {
    let scene = Scene::playing(&imitations::does_its_task());
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    let folder = scene.stage.sandbox.folder();
    let holding = ["config", "state", "data", "home"].map(|part| folder.join(part));
    let files: Vec<_> = holding
        .iter()
        .flat_map(|part| {
            crate::secrets::files_with(part, scene.server.key()).into_iter().map(|file| part.join(file))
        })
        .collect();
    assert!(!files.is_empty(), "the key is kept somewhere");
    for file in files {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}

#[test]
fn a_queued_run_that_is_cancelled_on_the_board_is_never_started() {
    let scene = Scene::playing(&imitations::does_its_task());
    assert_eq!(scene.server.cancel(&scene.run), Cancelled::AtOnce);
    let host = scene.start();
    scene.wait_for_answers(Endpoint::Claim, 1);
    scene.pass(STEP, Endpoint::Claim);
    scene.drain(host);
    assert_eq!((scene.agent.starts().unwrap().len(), scene.task_status()), (0, TaskStatus::Todo));
}

/// Takes the ten seconds that an agent gets to end.
#[test]
fn a_cancelled_agent_that_does_not_listen_is_killed_with_all_it_started() {
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
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    scene.wait_for(&scene.run, "running", &host);
    assert_eq!(scene.server.cancel(&scene.run), Cancelled::Requested);
    scene.pass(STEP, Endpoint::Events);
    scene.wait_for(&scene.run, "failed", &host);
    scene.drain(host);
    assert_eq!(scene.sent(Endpoint::Fail)[0].body["error"], "cancelled by server request");
}

#[test]
fn the_newest_line_of_the_agent_is_in_the_timeline_of_the_task() {
    let scene = Scene::playing(&Script::always([
        Step::first_lines(3, transcript("claude-success")),
        Step::mark("working"),
        Step::wait_for("go"),
        Step::transcript(transcript("claude-success")),
    ]));
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    wait_until(PATIENCE, "a line is shown", || {
        let activity = scene.server.task(&scene.task).unwrap().activity;
        let told = activity.iter().any(|entry| entry.kind == "run_progress");
        if told { Ok(()) } else { Err(format!("{activity:?}")) }
    });
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
}

#[test]
fn a_folder_without_git_is_worked_in_where_the_operator_says_so() {
    let scene = Scene::playing(&Script::always([
        Step::read_stdin(),
        Step::write("hello.txt", "hello\n"),
        Step::transcript(transcript("claude-success")),
    ]));
    let folder = scene.stage.sandbox.folder().join("plain/app");
    std::fs::create_dir_all(&folder).unwrap();
    let repository = format!("app={}", folder.display());
    let host = scene.start_with(&["--in-place", "--repo", &repository]);
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!(std::fs::read_to_string(folder.join("hello.txt")).unwrap(), "hello\n");
    let start = scene.agent.wait_for_start(1);
    assert_eq!(start.cwd, folder.canonicalize().unwrap());
    assert!(start.stdin.unwrap().contains("it has no branch of its own"));
}

#[test]
fn nothing_is_pushed() {
    let scene = Scene::playing(&imitations::does_its_task());
    let (remote, repository) = (scene.stage.sandbox.folder().join("remote.git"), &scene.stage.repository);
    let remote = remote.to_str().unwrap();
    repository.git(&["init", "--quiet", "--bare", remote]);
    repository.git(&["remote", "add", "origin", remote]);
    repository.git(&["push", "--quiet", "origin", "main"]);
    let before = repository.git(&["ls-remote", "origin"]);
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!(repository.git(&["ls-remote", "origin"]), before);
}
