//! A reply in the task's chat goes on with the work that is there.

use hostler_tests::scripted_agent::{Pace, Replacement, Script, Step, Stream, transcript};
use standin_trakkar::board::Agent;

use super::scene::{SESSION, Scene, does_its_task, works_on};

/// Leaves a file behind without a commit, and fails.
fn gives_up() -> [Step; 4] {
    [
        Step::write("half.txt", "written by the agent\n"),
        Step::first_lines(3, transcript("claude-success")),
        Step::line("It broke down."),
        Step::exit(3),
    ]
}

/// The arguments that follow each other so.
fn has(argv: &[String], pair: [&str; 2]) -> bool {
    argv.windows(2).any(|words| words == pair) || argv.contains(&format!("{}={}", pair[0], pair[1]))
}

#[test]
fn a_reply_goes_on_in_the_same_folder_on_the_same_branch_and_in_the_same_session() {
    let script = Script::new().attempt(gives_up()).attempt(works_on("hello.txt"));
    let scene = Scene::playing(&script);
    let (task, first) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    let failed = scene.wait_for(&first, "failed", &host);
    assert_eq!(failed.session_ref.as_deref(), Some(SESSION));
    scene.commit_at_the_forge("CHANGES.md", "news\n");
    let second = scene.reply(&task, "Just do X instead.");
    scene.wait_for(&second, "pr_opened", &host);
    scene.wait_for_worktrees(0);
    scene.drain(host);

    let starts = scene.starts();
    assert_eq!((starts.len(), &starts[0].cwd), (2, &starts[1].cwd));
    assert!(has(&starts[1].argv, ["--resume", SESSION]), "{:?}", starts[1].argv);
    let prompt = starts[1].stdin.clone().unwrap();
    for part in ["Just do X instead.", "Earlier work on this task is still here"] {
        assert!(prompt.contains(part), "no {part:?} in {prompt}");
    }
    let [request] = &scene.pull_requests()[..] else { panic!("{:?}", scene.pull_requests()) };
    for file in ["half.txt", "hello.txt"] {
        assert_eq!(scene.at_the_forge(&request.head, file), "written by the agent\n", "the work of both");
    }
    let moved = scene.stage.repository.git(&["merge-base", &request.head, "origin/main"]);
    assert_eq!(moved, scene.stage.repository.revision("main"), "no rebase under the agent's feet");
}

#[test]
fn a_reply_goes_on_in_the_clone_of_the_run_before_and_in_a_worktree_where_that_was_one() {
    for (first_kind, then) in [("clone", "clone"), ("worktree", "clone"), ("clone", "worktree")] {
        let mut steps = gives_up().to_vec();
        steps.insert(1, Step::commit("Half of it"));
        let script = Script::new().attempt(steps).attempt(works_on("hello.txt"));
        let scene = Scene::playing(&script);
        let scene = Scene { stage: scene.stage.variable("HOSTLER_ISOLATION", first_kind), ..scene };
        let (task, first) = scene.delegate("Write hello.txt");
        let host = scene.start(&[]);
        scene.wait_for(&first, "failed", &host);
        scene.drain(host);
        let folder = scene.starts()[0].cwd.clone();
        let scene = Scene { stage: scene.stage.variable("HOSTLER_ISOLATION", then), ..scene };
        assert_eq!(folder.join(".git").is_dir(), first_kind == "clone");
        let second = scene.reply(&task, "Go on.");
        let host = scene.start(&[]);
        scene.wait_for(&second, "pr_opened", &host);
        scene.drain(host);
        assert_eq!(scene.starts()[1].cwd, folder, "{first_kind}, then {then}");
        let [request] = &scene.pull_requests()[..] else { panic!("{:?}", scene.pull_requests()) };
        for file in ["half.txt", "hello.txt"] {
            assert_eq!(scene.at_the_forge(&request.head, file), "written by the agent\n");
        }
    }
}

#[test]
fn a_reply_to_a_run_that_changed_nothing_and_told_no_session_goes_on_in_its_folder() {
    let script = Script::new().attempt([Step::exit(3)]).attempt(does_its_task());
    let scene = Scene::playing(&script);
    let (task, first) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    let failed = scene.wait_for(&first, "failed", &host);
    assert_eq!((failed.session_ref, failed.workspace_kept), (None, true));
    let second = scene.reply(&task, "Try again.");
    scene.wait_for(&second, "pr_opened", &host);
    scene.drain(host);
    let starts = scene.starts();
    assert_eq!((starts.len(), &starts[0].cwd), (2, &starts[1].cwd));
    assert!(!starts[1].argv.iter().any(|word| word.starts_with("--resume")), "{:?}", starts[1].argv);
}

#[test]
fn a_reply_finds_its_work_after_the_host_was_started_anew() {
    let script = Script::new().attempt(gives_up()).attempt(works_on("hello.txt"));
    let scene = Scene::playing(&script);
    let (task, first) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.wait_for(&first, "failed", &host);
    scene.drain(host);
    let second = scene.reply(&task, "Go on.");
    let host = scene.start(&[]);
    scene.wait_for(&second, "pr_opened", &host);
    scene.drain(host);
    let starts = scene.starts();
    assert_eq!((starts.len(), &starts[0].cwd), (2, &starts[1].cwd));
}

#[test]
fn a_folder_that_somebody_deleted_is_made_again_from_its_branch_and_that_is_said() {
    let commits = [
        Step::write("kept.txt", "written by the agent\n"),
        Step::commit("Keep it"),
        Step::first_lines(3, transcript("claude-success")),
        Step::exit(3),
    ];
    let scene = Scene::playing(&Script::new().attempt(commits).attempt(works_on("hello.txt")));
    let (task, first) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.wait_for(&first, "failed", &host);
    let folder = scene.starts()[0].cwd.clone();
    std::fs::remove_dir_all(&folder).unwrap();
    let second = scene.reply(&task, "Go on.");
    scene.wait_for(&second, "pr_opened", &host);
    let said = host.stdout();
    assert!(said.contains("has been made again from the branch"), "{said}");
    scene.drain(host);
    let [request] = &scene.pull_requests()[..] else { panic!("{:?}", scene.pull_requests()) };
    for file in ["kept.txt", "hello.txt"] {
        assert_eq!(scene.at_the_forge(&request.head, file), "written by the agent\n");
    }
}

#[test]
fn where_folder_and_branch_are_gone_the_work_starts_anew_from_the_base_and_that_is_said() {
    let scene = Scene::playing(&Script::new().attempt(gives_up()).attempt(works_on("hello.txt")));
    let (task, first) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.wait_for(&first, "failed", &host);
    let repository = &scene.stage.repository;
    std::fs::remove_dir_all(&scene.starts()[0].cwd).unwrap();
    repository.git(&["worktree", "prune"]);
    repository.git(&["update-ref", "-d", &format!("refs/heads/trakkar/{task}-write-hello-txt")]);
    let second = scene.reply(&task, "Go on.");
    scene.wait_for(&second, "pr_opened", &host);
    scene.drain(host);
    let start = scene.agent.wait_for_start(2);
    assert!(start.stdin.unwrap().contains("is not there any more"));
    assert!(!start.argv.iter().any(|word| word.starts_with("--resume")), "{:?}", start.argv);
    let range = format!("origin/main..{}", scene.pull_requests()[0].head);
    assert_eq!(scene.stage.repository.git(&["rev-list", "--count", &range]), "1", "only the new work");
}

#[test]
fn a_refused_session_begins_anew_in_the_same_folder_and_that_is_shown_in_the_task() {
    let refused =
        [Step::complain(format!("No conversation found with session ID: {SESSION}")), Step::exit(1)];
    let replace = vec![Replacement { from: SESSION.to_owned(), to: "a-new-session".to_owned() }];
    let tells = Step::Transcript {
        file: transcript("claude-success"),
        lines: None,
        pace: Pace::Instant,
        stream: Stream::Stdout,
        replace,
    };
    let anew = [Step::read_stdin(), Step::write("hello.txt", "written by the agent\n"), tells];
    let script = Script::new().attempt(gives_up()).attempt(refused).attempt(anew);
    let scene = Scene::playing(&script);
    let (task, first) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.wait_for(&first, "failed", &host);
    let second = scene.reply(&task, "Go on.");
    let finish = scene.wait_for(&second, "pr_opened", &host);
    scene.drain(host);
    assert_eq!(finish.session_ref.as_deref(), Some("a-new-session"));
    let starts = scene.starts();
    assert_eq!((starts.len(), &starts[0].cwd), (3, &starts[2].cwd));
    assert!(!starts[2].argv.iter().any(|word| word.starts_with("--resume")), "{:?}", starts[2].argv);
    assert!(starts[2].stdin.clone().unwrap().contains("could not be resumed"));
    let events = super::scene::shown(&scene.server.run(&second).unwrap());
    assert!(events.iter().any(|event| event.contains("worked in a new conversation")), "{events:?}");
}

#[test]
fn after_a_failed_verification_a_reply_leads_to_the_pull_request() {
    let agent = Agent { verify_command: Some("test -f fixed.txt".to_owned()), ..Agent::default() };
    let script = Script::new().attempt(does_its_task()).attempt(works_on("fixed.txt"));
    let scene = Scene::with(agent, &script);
    let (task, first) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.wait_for(&first, "verify_failed", &host);
    assert_eq!(scene.pull_requests(), []);
    let second = scene.reply(&task, "Mend the test.");
    scene.wait_for(&second, "pr_opened", &host);
    scene.drain(host);
    let [request] = &scene.pull_requests()[..] else { panic!("{:?}", scene.pull_requests()) };
    for file in ["hello.txt", "fixed.txt"] {
        assert_eq!(scene.at_the_forge(&request.head, file), "written by the agent\n");
    }
}
