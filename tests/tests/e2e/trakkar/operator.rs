//! What the person sees who runs the machine: before the first task, and instead of it.

use hostler_tests::PATIENCE;
use hostler_tests::scripted_agent::Script;
use standin_trakkar::Endpoint;

use super::scene::{Scene, does_its_task};
use crate::stage::{LONG, assert_one_sentence};

/// The host ends with one sentence, and has asked for no task.
fn assert_does_not_start(scene: &Scene, more: &[&str], parts: &[&str]) {
    scene.delegate("Write hello.txt");
    let mut host = scene.start(more);
    let code = host.wait(LONG).code();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    let said = host.stderr();
    for part in parts {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert_one_sentence(&said);
    assert!(!said.contains(scene.server.token()), "{said}");
    assert_eq!((scene.sent(Endpoint::Claim).len(), scene.starts().len()), (0, 0));
}

#[test]
fn a_refused_token_ends_the_host_at_once_and_says_where_to_get_another() {
    let mut scene = Scene::playing(&Script::always(does_its_task()));
    scene.stage = scene.stage.variable("TRAKKAR_TOKEN", "trk_agent_of_somebody_else");
    assert_does_not_start(&scene, &[], &["status 401", "Settings, AI Agents", "TRAKKAR_TOKEN"]);
}

#[test]
fn without_a_token_the_host_says_which_variable_to_set() {
    let mut scene = Scene::playing(&Script::always(does_its_task()));
    scene.stage = scene.stage.variable("TRAKKAR_TOKEN", "");
    assert_does_not_start(&scene, &[], &["token", "TRAKKAR_TOKEN"]);
}

#[test]
fn outside_a_repository_the_host_does_not_start() {
    let mut scene = Scene::playing(&Script::always(does_its_task()));
    let elsewhere = scene.stage.sandbox.folder().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    scene.stage.sandbox.stand_in(&elsewhere);
    assert_does_not_start(&scene, &[], &["git"]);
}

#[test]
fn without_a_remote_the_host_does_not_start() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    scene.stage.repository.git(&["remote", "remove", "origin"]);
    assert_does_not_start(&scene, &[], &["trakkar", "has no remote `origin`", "git remote add origin"]);
}

#[test]
fn without_the_cli_the_host_does_not_start() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    std::fs::remove_file(scene.stage.sandbox.bin_folder().join("claude")).unwrap();
    assert_does_not_start(&scene, &["--provider", "claude-code"], &["claude"]);
}

#[test]
fn another_cli_than_the_one_that_is_here_is_named() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    assert_does_not_start(&scene, &["--set", "provider=cursor"], &["Cursor", "cursor-agent"]);
}

#[test]
fn a_first_run_without_the_flag_says_once_what_tasks_wish_and_how_to_allow_it() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    let (task, first) = scene.delegate("Write hello.txt");
    let (_, second) = scene.delegate("Write it again");
    let host = scene.start(&["--permission", "auto-edits"]);
    scene.wait_for(&first, "pr_opened", &host);
    scene.wait_for(&second, "pr_opened", &host);
    let said = host.stdout();
    assert_eq!(said.matches("`--permission full-auto`").count(), 1, "{said}");
    scene.drain(host);
    let argv = scene.agent.wait_for_start(1).argv.join(" ");
    assert!(argv.contains("acceptEdits") && !argv.contains("dangerously"), "{argv}");
    let shown = scene.stage.sandbox.host(&["show", &task]).stdout;
    assert!(shown.contains("auto-edits (set by the operator)"), "{shown}");
}

#[test]
fn a_dry_run_says_what_would_be_done_gives_the_task_back_and_starts_no_agent() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    let (task, run) = scene.delegate("Write hello.txt");
    let mut host = scene.start(&["--set", "dry-run=true", "--once"]);
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
    let said = host.stdout();
    assert!(said.contains(&format!("Dry run: {task} “Write hello.txt” would be worked on")), "{said}");
    assert_eq!(scene.server.run(&run).unwrap().status(scene.server.now()), "released");
    assert_eq!((scene.sent(Endpoint::Task).len(), scene.sent(Endpoint::Finish).len()), (1, 0));
    assert_eq!((scene.starts().len(), scene.pull_requests().len(), scene.worktrees().len()), (0, 0, 0));
    assert_eq!(scene.server.status(&task), "waiting", "another runner can have it");
}

#[test]
fn once_does_what_is_there_waits_for_it_and_ends() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    let (_, run) = scene.delegate("Write hello.txt");
    let mut host = scene.start(&["--once"]);
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
    scene.wait_for(&run, "pr_opened", &host);
    scene.assert_all_is_well();
}

#[test]
fn a_disabled_agent_is_asked_for_slowly_until_it_is_enabled() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    scene.server.change_agent(|agent| agent.enabled = false);
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    host.wait_for_stdout("enable the agent", PATIENCE);
    let asked = scene.server.requests().len();
    scene.pass(std::time::Duration::from_secs(50));
    let after: Vec<_> = scene.server.requests().into_iter().skip(asked).collect();
    assert!(after.iter().all(|request| request.endpoint != Some(Endpoint::Claim)), "{after:?}");
    scene.server.change_agent(|agent| agent.enabled = true);
    scene.pass(std::time::Duration::from_secs(15));
    scene.wait_for(&run, "pr_opened", &host);
    scene.drain(host);
}

#[test]
fn the_cost_of_many_tasks_at_once_is_warned_of() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    let host = scene.start(&[]);
    scene.wait_for_requests(Endpoint::Claim, 1, &host);
    let said = host.stderr();
    assert!(said.contains("Up to 6 tasks run at once") && said.contains("6 times as fast"), "{said}");
    scene.drain(host);
}

#[test]
fn help_names_the_flags_and_the_plugin_its_fields() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    let help = scene.stage.sandbox.host(&["run", "--help"]).stdout;
    for flag in ["--once", "--slots", "--permission", "--set"] {
        assert!(help.contains(flag), "no {flag} in {help}");
    }
    let inspected = scene.stage.sandbox.host(&["plugin", "inspect", "trakkar"]).stdout;
    for field in ["token", "api-url", "interval", "provider", "dry-run", "timeout", "use-api-key"] {
        assert!(inspected.contains(field), "no {field} in {inspected}");
    }
}
