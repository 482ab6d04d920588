//! Agents in a sandbox, as a person gets it: the work is done, and nothing else is.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use hostler_tests::scripted_agent::{Script, Step, transcript};

use standin_trakkar::board as trakkar_board;

use crate::stage::{Stage, shell};
use crate::tale::scene as tale_scene;
use crate::trakkar::scene as trakkar_scene;

/// A script whose starts are noted where an agent in a sandbox may write, too.
fn script(steps: impl IntoIterator<Item = Step>) -> Script {
    Script { log: Some(PathBuf::from("/tmp/claude.starts.jsonl")), ..Script::always(steps) }
}

/// What Claude Code says when all went well, from where an agent in a sandbox reads it,
/// too.
fn says_done(stage: &Stage) -> Step {
    let recording = stage.sandbox.bin_folder().join("recording.jsonl");
    std::fs::copy(transcript("claude-success"), &recording).unwrap();
    Step::transcript(recording)
}

/// Tries everything and commits what became of it, then says that it is done.
fn tries(stage: &Stage, attempts: &str) -> Script {
    let told = format!(
        "try() {{ if bash -c \"$2\" >/dev/null 2>&1; then echo \"$1: done\"; else echo \"$1: refused\"; fi; }}\n\
         {{\n{attempts}\n}} > tried.txt"
    );
    script([Step::read_stdin(), shell(&told), Step::commit("Tell what could be done"), says_done(stage)])
}

/// One line for each thing that an agent has no business with. Nothing here harms even
/// where it works.
fn trespasses(stage: &Stage) -> String {
    let (repository, folder) = (stage.repository.path(), stage.sandbox.folder());
    let records = stage.sandbox.state_folder();
    let home = folder.join("home");
    [
        format!("try main-checkout 'echo x > {}/planted'", repository.display()),
        format!("try git-config 'echo >> {}/.git/config'", repository.display()),
        format!(
            "try git-hooks 'mkdir -p {0}/.git/hooks && touch {0}/.git/hooks/planted'",
            repository.display()
        ),
        format!("try git-objects 'touch {}/.git/objects/planted'", repository.display()),
        format!("try git-refs 'touch {}/.git/refs/heads/planted'", repository.display()),
        format!("try journal 'test -s {}/journal.db'", records.display()),
        format!("try grants 'grep -q claude {}/config/hostler/grants.toml'", folder.display()),
        format!("try ssh 'grep -q secret {}/.ssh/id'", home.display()),
        format!("try home 'touch {}/planted'", home.display()),
        "try own-login 'grep -q login ~/.claude/login && touch ~/.claude/used'".to_owned(),
        "try own-git 'git log -1 && touch inside'".to_owned(),
    ]
    .join("\n")
}

/// Whether this machine can build a sandbox of this tier; says so where it cannot.
pub fn possible(stage: &Stage, tier: &str) -> bool {
    let doctor = stage.sandbox.host(&["doctor", "--plugin", "folder", "--json"]).stdout;
    let checks: Vec<serde_json::Value> = serde_json::from_str(&doctor).unwrap();
    let found = checks.iter().find(|check| check["name"] == "sandbox").unwrap();
    let most = ["contained", "basic", "none"]
        .iter()
        .position(|most| found["finding"].as_str().unwrap().contains(&format!("up to `{most}`")));
    let possible =
        most.is_some() && most <= ["contained", "basic", "none"].iter().position(|wanted| *wanted == tier);
    if !possible {
        eprintln!("skipped: {found}");
    }
    possible
}

/// What an agent of this tier could do, by name. The repository, and what else lies
/// around, is as it was. `None` where no such sandbox can be built.
fn tried(tier: &str) -> Option<(Stage, Vec<String>)> {
    let stage = Stage::allowed().variable("HOSTLER_SANDBOX", tier);
    if !possible(&stage, tier) {
        return None;
    }
    let home = stage.sandbox.folder().join("home");
    for (file, text) in [(".ssh/id", "secret"), (".claude/login", "login")] {
        let path = home.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    stage.sandbox.install_agent("claude", &tries(&stage, &trespasses(&stage)));
    stage.task("hello", "Try everything\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
    let told = stage.on_branch("hello", "tried.txt");
    let done = told.lines().filter_map(|line| line.strip_suffix(": done")).map(str::to_owned).collect();
    Some((stage, done))
}

#[test]
fn without_a_sandbox_an_agent_reaches_all_that_its_user_does() {
    let Some((_stage, done)) = tried("none") else { return };
    assert_eq!(done.len(), 11, "each attempt works where nothing stands against it: {done:?}");
}

#[test]
fn in_a_basic_sandbox_an_agent_does_its_work_and_cannot_harm_the_repository() {
    let Some((stage, done)) = tried("basic") else { return };
    assert_eq!(done, ["own-login", "own-git"]);
    assert!(!stage.repository.path().join("planted").exists());
    assert!(stage.sandbox.folder().join("home/.claude/used").exists(), "its own login is its own");
    let shown = stage.sandbox.host(&["show", "hello"]).stdout;
    assert!(shown.contains("basic sandbox"), "{shown}");
}

#[test]
fn in_a_contained_sandbox_an_agent_does_its_work_and_has_a_home_of_its_own() {
    let Some((stage, done)) = tried("contained") else { return };
    assert_eq!(done, ["home", "own-login", "own-git"], "the home it may write is its own");
    let home = stage.sandbox.folder().join("home");
    assert!(!home.join("planted").exists() && home.join(".claude/used").exists());
    let shown = stage.sandbox.host(&["show", "hello"]).stdout;
    assert!(shown.contains("contained sandbox"), "{shown}");
    assert!(stage.repository.git(&["worktree", "list"]).lines().count() == 1);
}

/// A service on this machine that answers everything with a word, and counts.
fn service() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 1024]);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello");
        }
    });
    port
}

fn asks(port: u16, through: Option<u16>) -> String {
    let to = through.unwrap_or(port);
    format!(
        "exec 3<>/dev/tcp/127.0.0.1/{to} && \
         printf \"GET http://127.0.0.1:{port}/ HTTP/1.1\\\\r\\\\nHost: 127.0.0.1:{port}\\\\r\\\\nConnection: close\\\\r\\\\n\\\\r\\\\n\" >&3 && \
         grep -q hello <&3"
    )
}

#[test]
fn a_contained_agent_reaches_what_is_open_to_it_through_its_host_and_nothing_else() {
    let (open, closed) = (service(), service());
    let stage = Stage::allowed().variable("HOSTLER_SANDBOX", "contained");
    if !possible(&stage, "contained") {
        return;
    }
    stage.sandbox.configure(&format!("[agents]\nnetwork = [\"127.0.0.1:{open}\"]\n"));
    let attempts = [
        format!("try straight '{}'", asks(open, None)),
        format!("try through '{}'", asks(open, Some(3128))),
        format!("try elsewhere '{}'", asks(closed, Some(3128))),
    ];
    stage.sandbox.install_agent("claude", &tries(&stage, &attempts.join("\n")));
    stage.task("hello", "Try everything\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(stage.on_branch("hello", "tried.txt"), "straight: refused\nthrough: done\nelsewhere: refused");
    assert!(output.stdout.contains(&format!("agents may not reach 127.0.0.1:{closed}")), "{output:?}");
    let noted = std::fs::read_to_string(stage.attempt_folder("hello", 1).join("network.jsonl")).unwrap();
    assert_eq!(noted.matches("\"outcome\":\"allowed\"").count(), 1, "{noted}");
    assert_eq!(noted.matches("\"outcome\":\"denied\"").count(), 1, "{noted}");
}

#[test]
fn a_host_that_comes_back_lets_its_contained_agent_out_again() {
    let open = service();
    let stage = Stage::allowed().variable("HOSTLER_SANDBOX", "contained");
    if !possible(&stage, "contained") {
        return;
    }
    stage.sandbox.configure(&format!("[agents]\nnetwork = [\"127.0.0.1:{open}\"]\n"));
    // It asks once for each file `ask-N` that appears beside its work.
    let asking = format!(
        "for n in 1 2; do until [ -e ask-$n ]; do sleep 0.05; done; {} && echo $n >> heard; done",
        asks(open, Some(3128)).replace("\\\\", "\\")
    );
    let steps = [Step::read_stdin(), shell(&asking), says_done(&stage)];
    stage.sandbox.install_agent("claude", &script(steps));
    stage.task("hello", "Ask twice\n");
    let mut host = stage.start_once(&[]);
    let run = stage.wait_for_state("hello", "running");
    let workspace = Path::new(run["workspace"].as_str().unwrap()).to_owned();
    let ask = |number: u32| {
        std::fs::write(workspace.join(format!("ask-{number}")), "").unwrap();
    };
    let heard = |expected: &str| {
        hostler_tests::wait_until(hostler_tests::PATIENCE, "the agent was answered", || {
            let heard = std::fs::read_to_string(workspace.join("heard")).unwrap_or_default();
            if heard == expected { Ok(()) } else { Err(heard) }
        });
    };
    ask(1);
    heard("1\n");
    host.kill_9();
    ask(2);
    let mut host = stage.start_once(&[]);
    heard("1\n2\n");
    assert_eq!(host.wait(hostler_tests::PATIENCE).code(), Some(0));
    stage.assert_reported_once("hello", "done");
}

/// A script for a tracker's scene: its starts are noted in the agent's own part of the
/// home, and its recording lies beside it.
fn in_scene(script: Script) -> Script {
    Script { log: Some(PathBuf::from("../home/.claude/starts.jsonl")), ..script }
}

/// Puts what [`in_scene`] needs in its places.
fn furnish(stage: &Stage) {
    std::fs::create_dir_all(stage.sandbox.folder().join("home/.claude")).unwrap();
    std::fs::copy(transcript("claude-success"), stage.sandbox.bin_folder().join("recording.jsonl")).unwrap();
}

fn writes(file: &str) -> [Step; 4] {
    [
        Step::read_stdin(),
        Step::write(file, "written by the agent\n"),
        Step::commit(format!("Write {file}")),
        Step::transcript("recording.jsonl"),
    ]
}

#[test]
fn a_trakkar_task_is_taken_up_again_verified_and_becomes_a_pull_request_in_a_contained_sandbox() {
    let gives_up = [
        Step::write("half.txt", "written by the agent\n"),
        Step::first_lines(3, "recording.jsonl"),
        Step::exit(3),
    ];
    let script = in_scene(Script::new().attempt(gives_up).attempt(writes("hello.txt")));
    // It judges the work, and the agent wrote it: it gets no further than the agent.
    let verify = "test -e hello.txt && test -e half.txt && ! touch ../../planted";
    let agent = trakkar_board::Agent { verify_command: Some(verify.to_owned()), ..Default::default() };
    let scene = trakkar_scene::Scene::with(agent, &script);
    let stage = scene.stage.variable("HOSTLER_SANDBOX", "contained");
    let scene = trakkar_scene::Scene { stage, ..scene };
    if !possible(&scene.stage, "contained") {
        return;
    }
    furnish(&scene.stage);
    let (task, first) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.wait_for(&first, "failed", &host);
    let second = scene.reply(&task, "Go on.");
    scene.wait_for(&second, "pr_opened", &host);
    scene.wait_for_worktrees(0);
    scene.drain(host);
    let starts = scene.starts();
    assert_eq!((starts.len(), &starts[0].cwd), (2, &starts[1].cwd), "in the same folder");
    let [request] = &scene.pull_requests()[..] else { panic!("{:?}", scene.pull_requests()) };
    for file in ["half.txt", "hello.txt"] {
        assert_eq!(scene.at_the_forge(&request.head, file), "written by the agent\n", "the work of both");
    }
}

#[test]
fn a_tale_run_is_done_and_reported_from_a_contained_sandbox() {
    let scene = tale_scene::Scene::playing(&in_scene(Script::always(writes("hello.txt"))));
    let stage = scene.stage.variable("HOSTLER_SANDBOX", "contained");
    let scene = tale_scene::Scene { stage, ..scene };
    if !possible(&scene.stage, "contained") {
        return;
    }
    furnish(&scene.stage);
    let host = scene.start();
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert!(run.diff_stat.unwrap().contains("hello.txt"));
    assert_eq!(scene.agent.starts().unwrap().len(), 1);
}

#[test]
fn a_sandbox_below_what_the_organisation_asks_for_is_refused_and_never_lowered() {
    let stage = Stage::allowed();
    let policy = stage.sandbox.folder().join("policy.toml");
    std::fs::write(&policy, "[agents]\nminimum-sandbox = \"contained\"\n").unwrap();
    let stage = stage.variable("HOSTLER_POLICY", &policy.to_string_lossy());
    stage.sandbox.install_agent("claude", &script([says_done(&stage)]));
    stage.task("hello", "Do nothing\n");
    let output = stage.run_once(&["--attempts", "1"]);
    assert_eq!(output.code, Some(10), "{output:?}");
    let report = stage.task_file("hello").text;
    assert!(report.contains("the sandbox `none` is less than the `contained`"), "{report}");
    let denied = stage.sandbox.host(&["audit", "--kind", "denied", "--json"]).stdout;
    assert!(denied.contains("\"launch-ceiling\""), "{denied}");
}
