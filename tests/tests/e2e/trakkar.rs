//! With a Trakkar server and a forge: tasks are delegated, done on this machine, and
//! come back as pull requests.

mod continuations;
mod crashes;
mod endings;
mod follow_up;
mod operator;
mod outages;
mod parallel;
pub mod scene;
mod whole_story;

use hostler_tests::scripted_agent::{Script, Step};
use hostler_tests::{PATIENCE, wait_until};
use serde_json::json;
use standin_trakkar::Endpoint;
use standin_trakkar::board::{Agent, NewTask};

use scene::{SESSION, Scene, does_its_task, shown, works_until_let_go};

#[test]
fn a_delegated_task_comes_back_as_a_pull_request() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    let ahead = scene.commit_at_the_forge("CHANGES.md", "news\n");
    let (task, run) = scene.server.delegate(NewTask {
        description: "With a *greeting*.".to_owned(),
        acceptance: vec!["It greets".to_owned()],
        labels: vec!["export".to_owned()],
        ..NewTask::titled("Write hello.txt")
    });
    let host = scene.start(&[]);
    let finish = scene.wait_for(&run, "pr_opened", &host);
    scene.wait_for_worktrees(0);
    scene.drain(host);

    let branch = format!("trakkar/{task}-write-hello-txt");
    let [request] = &scene.pull_requests()[..] else { panic!("{:?}", scene.pull_requests()) };
    assert_eq!((&*request.head, &*request.base, &*request.title), (&*branch, "main", "Write hello.txt"));
    for part in [&*task, "All done: wrote hello.txt."] {
        assert!(request.body.contains(part), "no {part:?} in {}", request.body);
    }
    assert_eq!(scene.at_the_forge(&branch, "hello.txt"), "written by the agent\n");
    let base = scene.stage.repository.git(&["merge-base", &branch, "origin/main"]);
    assert_eq!(base, ahead, "it starts from what the forge had by then");
    assert_eq!(scene.branches_at_the_forge(), ["main", &branch], "nothing was merged, nothing else pushed");

    let told = scene.server.run(&run).unwrap().pr.unwrap();
    assert_eq!((told.number, &*told.branch, &*told.title), (1, &*branch, "Write hello.txt"));
    assert_eq!(scene.server.task(&task).unwrap().pr_url.as_deref(), Some(told.url.as_str()));
    assert!(told.url.ends_with("/acme/app/pull/1"), "{}", told.url);
    assert!(finish.summary.contains("All done: wrote hello.txt.") && finish.summary.contains(&branch));
    assert_eq!(finish.session_ref.as_deref(), Some(SESSION));
    assert_eq!((finish.workspace_kept, finish.error), (false, None));
    assert_eq!(finish.usage["output_tokens"], 80);
    assert!(finish.usage["cost_usd"].as_f64().is_some_and(|cost| cost > 0.0), "{}", finish.usage);

    assert!(scene.stage.repository.branches().contains(&branch), "the branch stays");
    let exclude = scene.stage.repository.read(".git/info/exclude").unwrap();
    assert_eq!(exclude.matches(".trakkar-worktrees").count(), 1, "{exclude}");
    assert!(scene.stage.repository.read(".gitignore").is_none());
}

#[test]
fn the_agent_hears_everything_people_wrote_and_works_in_a_folder_of_its_own() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    let task = scene.server.create_task(NewTask {
        description: "With a *greeting*.".to_owned(),
        acceptance: vec!["It greets".to_owned()],
        labels: vec!["export".to_owned()],
        ..NewTask::titled("Write hello.txt")
    });
    let run = scene.server.change(|board, now| {
        board.comment(&task, "Mina", "Please soon.", now);
        board.delegate(&task, &board.agents()[0].id.clone(), now).unwrap()
    });
    let host = scene.start(&[]);
    scene.wait_for(&run, "pr_opened", &host);
    scene.drain(host);
    let start = scene.agent.wait_for_start(1);
    let prompt = start.stdin.unwrap();
    for part in ["Write hello.txt", "With a *greeting*.", "It greets", "Mina", "Please soon.", "export"] {
        assert!(prompt.contains(part), "no {part:?} in {prompt}");
    }
    let folder = start.cwd.strip_prefix(scene.stage.repository.path().canonicalize().unwrap()).unwrap();
    assert!(folder.starts_with(".trakkar-worktrees"), "{}", folder.display());
    assert!(start.argv.iter().any(|word| word == "--permission-mode=bypassPermissions"), "{:?}", start.argv);
}

#[test]
fn the_agent_has_neither_the_token_nor_an_api_key_unless_the_operator_says_so() {
    for (more, key) in
        [(&[][..], None), (&["--set", "use-api-key=true"][..], Some("sk-ant-key-of-the-machine"))]
    {
        let mut scene = Scene::playing(&Script::always(does_its_task()));
        scene.stage = scene.stage.variable("ANTHROPIC_API_KEY", "sk-ant-key-of-the-machine");
        let (task, run) = scene.delegate("Write hello.txt");
        let host = scene.start(more);
        scene.wait_for(&run, "pr_opened", &host);
        scene.drain(host);
        let env = scene.agent.wait_for_start(1).env;
        assert_eq!(env.get("ANTHROPIC_API_KEY").map(String::as_str), key);
        assert!(!env.values().any(|value| value.contains(scene.server.token())), "{env:?}");
        let shown = scene.stage.sandbox.host(&["show", &task]).stdout;
        assert_eq!(shown.contains("ANTHROPIC_API_KEY"), key.is_none(), "{shown}");
        let kept = crate::secrets::files_with(&scene.stage.sandbox.state_folder(), scene.server.token());
        assert_eq!(kept, [""; 0]);
    }
}

#[test]
fn progress_is_shown_in_the_task_while_the_agent_works() {
    let scene = Scene::playing(&Script::always(works_until_let_go()));
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.agent.wait_for_mark("working");
    let events = scene.pass_until("progress is shown", || match scene.server.run(&run) {
        Some(run) if run.events.len() >= 3 => Ok(shown(&run)),
        other => Err(format!("{other:?}")),
    });
    assert!(events.iter().any(|event| event == "message: I will write the file."), "{events:?}");
    assert!(events.iter().any(|event| event.starts_with("tool: Write")), "{events:?}");
    assert!(scene.server.run(&run).unwrap().ending().is_none(), "it still works");
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&run, "pr_opened", &host);
    scene.drain(host);
    let done = scene.server.run(&run).unwrap();
    let counted: Vec<u64> = (1..).take(done.seqs.len()).collect();
    assert_eq!(done.seqs, counted);
    assert!(shown(&done).contains(&"message: All done: wrote hello.txt.".to_owned()), "{:?}", shown(&done));
}

#[test]
fn a_verify_command_that_passes_lets_the_work_through_and_has_the_ignored_folders_it_needs() {
    let verify = "test -f hello.txt && test -f node_modules/dep/index.js && echo all is well";
    let agent = Agent { verify_command: Some(verify.to_owned()), ..Agent::default() };
    let scene = Scene::with(agent, &Script::always(does_its_task()));
    let repository = &scene.stage.repository;
    std::fs::write(repository.path().join(".git/info/exclude"), "node_modules\n").unwrap();
    repository.write("node_modules/dep/index.js", "module.exports = 1\n");
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    let finish = scene.wait_for(&run, "pr_opened", &host);
    scene.drain(host);
    assert!(finish.summary.contains("The verify command passed."), "{}", finish.summary);
    let events = shown(&scene.server.run(&run).unwrap());
    assert!(events.iter().any(|event| event.starts_with("verify: ")), "{events:?}");
    let prompt = scene.agent.wait_for_start(1).stdin.unwrap();
    assert!(prompt.contains("all is well"), "the agent knows what will be run: {prompt}");
}

#[test]
fn cursor_does_the_work_with_its_key_where_the_operator_chooses_it() {
    let say = |line: serde_json::Value| Step::line(line.to_string());
    let script = Script::always([
        Step::read_stdin(),
        Step::write("hello.txt", "written by the agent\n"),
        say(
            json!({ "type": "system", "subtype": "init", "cwd": "/repo", "model": "Auto", "session_id": "c6b62c6f" }),
        ),
        say(json!({
            "type": "assistant", "session_id": "c6b62c6f",
            "message": { "role": "assistant", "content": [{ "type": "text", "text": "All done." }] }
        })),
        say(json!({
            "type": "result", "subtype": "success", "is_error": false, "result": "All done.", "session_id": "c6b62c6f",
            "usage": { "inputTokens": 3000, "outputTokens": 80 }
        })),
    ]);
    let agent = Agent { provider: "cursor".to_owned(), ..Agent::default() };
    let mut scene = Scene::of("cursor-agent", "cursor", &script, agent);
    scene.stage = scene.stage.variable("CURSOR_API_KEY", "crsr_key-of-the-machine");
    let (task, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&["--set", "provider=cursor"]);
    let finish = scene.wait_for(&run, "pr_opened", &host);
    scene.drain(host);
    let start = scene.agent.wait_for_start(1);
    assert_eq!(start.env.get("CURSOR_API_KEY").map(String::as_str), Some("crsr_key-of-the-machine"));
    assert!(start.argv.iter().any(|word| word == "--force"), "{:?}", start.argv);
    assert_eq!(finish.session_ref.as_deref(), Some("c6b62c6f"));
    assert_eq!(scene.sent(Endpoint::Claim)[0].body["provider"], "cursor");
    let branch = format!("trakkar/{task}-write-hello-txt");
    assert_eq!(
        scene.at_the_forge(&branch, "hello.txt"),
        "written by the agent\n",
        "uncommitted work lands, too"
    );
}

#[test]
fn a_person_at_the_machine_sees_the_task_and_its_pull_request() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    let (task, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.wait_for(&run, "pr_opened", &host);
    let url = scene.server.task(&task).unwrap().pr_url.unwrap();
    wait_until(PATIENCE, "the pull request is shown", || {
        let shown = scene.stage.sandbox.host(&["show", &task]).stdout;
        if shown.contains(&url) { Ok(()) } else { Err(shown) }
    });
    scene.drain(host);
}
