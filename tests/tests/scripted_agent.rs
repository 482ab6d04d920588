//! The scripted agent does what its script says: every imitation that other
//! tests rely on is shown here to be real.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use hostler_tests::scripted_agent::{
    ChildKind, Installed, Pace, Script, SignalName, Start, Step, Stream, Trick, imitations, install,
    transcript,
};
use hostler_tests::{PATIENCE, ScratchRepository, processes, wait_until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// An installed agent and a folder to run it in, cleaned of processes at the end.
struct Stage {
    folder: TempDir,
    agent: Installed,
}

impl Stage {
    fn new(script: &Script) -> Self {
        Self::named("claude", script)
    }

    fn named(name: &str, script: &Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let agent = install(&folder.path().join("bin"), name, script).unwrap();
        std::fs::create_dir(folder.path().join("work")).unwrap();
        Self { folder, agent }
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn shared(&self, file: &str) -> PathBuf {
        self.agent.shared(file)
    }

    /// As a careful host starts it: an environment with next to nothing in it.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.agent.program);
        command
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .stdin(Stdio::null());
        command
    }

    fn run(&self) -> Output {
        self.command().args(["-p", "--output-format", "stream-json"]).output().unwrap()
    }

    fn start(&self) -> Child {
        self.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    }

    fn only_start(&self) -> Start {
        let mut starts = self.agent.starts().unwrap();
        assert_eq!(starts.len(), 1, "{starts:?}");
        starts.remove(0)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        processes::end_all(|| processes::under(self.folder.path()));
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_transcript_comes_out_as_recorded_with_the_real_folder_in_it() {
    let stage = Stage::new(&Script::always([Step::transcript(transcript("claude-success"))]));
    let output = stage.run();
    let recorded = std::fs::read_to_string(transcript("claude-success")).unwrap();
    let work = stage.work().canonicalize().unwrap();
    assert_eq!(text(&output.stdout), recorded.replace("/home/dev/repo", work.to_str().unwrap()));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_recorded_pace_takes_the_recorded_time() {
    let stage = Stage::new(&Script::always([Step::Text {
        text: "now".to_owned(),
        stream: Stream::Stdout,
        newline: true,
    }]));
    let slow = r#"{"timestamp":1000}
{"timestamp":1400}
"#;
    std::fs::write(stage.shared("slow.jsonl"), slow).unwrap();
    let paced = |pace| {
        let script = Script::always([Step::Transcript {
            file: "slow.jsonl".into(),
            lines: None,
            pace,
            stream: Stream::Stdout,
            replace: vec![],
        }]);
        install(&stage.folder.path().join("bin"), "claude", &script).unwrap();
        let since = std::time::Instant::now();
        assert_eq!(text(&stage.run().stdout), slow);
        since.elapsed().as_millis()
    };
    assert!(paced(Pace::Recorded(1.0)) >= 400);
    assert!(paced(Pace::Recorded(2.0)) >= 200);
    assert!(paced(Pace::DelayMs(100)) >= 100);
}

#[test]
fn the_first_attempt_fails_and_the_second_one_succeeds() {
    let stage = Stage::new(
        &Script::new().attempt([Step::complain("no luck"), Step::exit(1)]).attempt([Step::line("done")]),
    );
    let (first, second) = (stage.run(), stage.run());
    assert_eq!((first.status.code(), text(&first.stderr)), (Some(1), "no luck\n".to_owned()));
    assert_eq!((second.status.code(), text(&second.stdout)), (Some(0), "done\n".to_owned()));
    let starts = stage.agent.starts().unwrap();
    let ends: Vec<_> = starts.iter().map(|s| s.ended.clone().unwrap().how).collect();
    assert_eq!(ends, ["exit 1", "exit 0"]);
}

#[test]
fn a_start_is_recorded_with_arguments_environment_folder_and_input() {
    let stage = Stage::new(&Script::always([Step::read_stdin()]));
    let mut child = stage
        .command()
        .args(["--anything", "goes"])
        .env("LEAK", "value")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("the prompt ü".as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let start = stage.only_start();
    assert_eq!(start.argv[1..], ["--anything", "goes"]);
    assert_eq!(start.env["LEAK"], "value");
    assert_eq!(start.env.len(), 2, "{:?}", start.env);
    assert_eq!(start.cwd, stage.work().canonicalize().unwrap());
    assert_eq!(start.stdin.as_deref(), Some("the prompt ü"));
    assert_eq!(start.pid, child.id().cast_signed());
    assert!(start.ended.unwrap().at_ms >= start.started_ms);
}

#[test]
fn version_is_answered_like_the_real_cli_and_is_no_attempt() {
    let stage = Stage::named("codex", &Script::always([Step::exit(5)]));
    let output = stage.command().arg("--version").output().unwrap();
    assert_eq!(text(&output.stdout), "codex-cli 0.169.0\n");
    assert_eq!(stage.agent.starts().unwrap(), []);
    assert_eq!(stage.run().status.code(), Some(5));
}

#[test]
fn called_by_a_link_it_still_finds_the_script_beside_the_link() {
    let stage = Stage::new(&Script::always([Step::exit(9)]));
    let elsewhere = stage.folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let link = elsewhere.join("codex");
    std::os::unix::fs::symlink(&stage.agent.program, &link).unwrap();
    std::fs::write(
        elsewhere.join("codex.script.toml"),
        "[[attempt]]\nsteps = [{ do = \"exit\", code = 4 }]\n",
    )
    .unwrap();
    let call = |program: &Path| Command::new(program).env_clear().status().unwrap().code();
    assert_eq!(call(&link), Some(4));
    assert_eq!(call(&link.canonicalize().unwrap()), Some(9));
}

#[test]
fn without_a_script_it_says_where_it_looked_and_fails_like_no_cli_does() {
    let stage = Stage::new(&Script::new());
    std::fs::remove_file(stage.shared("claude.script.toml")).unwrap();
    let output = stage.run();
    assert_eq!(output.status.code(), Some(97));
    assert!(text(&output.stderr).contains("claude.script.toml"));
}

#[test]
fn a_letter_split_between_two_writes_arrives_in_two_reads() {
    let stage = Stage::new(&Script::always([
        Step::Bytes { pieces: vec![vec![0xe2, 0x82]], pause_ms: 0, stream: Stream::Stdout },
        Step::wait_for("go"),
        Step::Bytes { pieces: vec![vec![0xac, b'\n']], pause_ms: 0, stream: Stream::Stdout },
    ]));
    let mut child = stage.start();
    let mut stdout = child.stdout.take().unwrap();
    let mut buffer = [0; 16];
    assert_eq!(stdout.read(&mut buffer).unwrap(), 2);
    stage.agent.let_go("go").unwrap();
    assert_eq!(stdout.read(&mut buffer[2..]).unwrap(), 2);
    assert_eq!(&buffer[..4], "€\n".as_bytes());
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_ten_megabyte_line_has_no_end_if_so_wished() {
    const LENGTH: usize = 10 << 20;
    let stage = Stage::new(&Script::always([Step::LongLine { bytes: LENGTH, newline: false }]));
    let stdout = stage.run().stdout;
    assert!(!stdout.contains(&b'\n'));
    let event: serde_json::Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!(event["text"].as_str().unwrap().len(), LENGTH);
}

#[test]
fn it_crashes_in_the_middle_of_a_line_by_the_signal_named() {
    for (name, signal) in [
        (SignalName::Kill, Signal::KILL),
        (SignalName::Segv, Signal::SEGV),
        (SignalName::Abrt, Signal::ABORT),
        (SignalName::Term, Signal::TERM),
    ] {
        let stage = Stage::new(&Script::always([Step::half_line(r#"{"type":"assis"#), Step::die(name)]));
        let output = stage.run();
        assert_eq!(output.status.signal(), Some(signal.as_raw()), "{name:?}");
        assert_eq!(text(&output.stdout), r#"{"type":"assis"#);
    }
}

#[test]
fn it_works_on_files_and_commits_them() {
    let repository = ScratchRepository::new();
    let script = Script::always([
        Step::write("src/new.rs", "fn new() {}\n"),
        Step::Write { path: "README.md".into(), text: "More.\n".to_owned(), append: true },
        Step::commit("Do the task"),
        Step::Delete { path: "src".into() },
        Step::Link { path: "README.md".into(), target: "/etc/hostname".into() },
    ]);
    let stage = Stage::new(&script);
    let output = stage.command().current_dir(repository.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(repository.git(&["log", "-1", "--format=%s"]), "Do the task");
    assert_eq!(repository.git(&["show", "HEAD:src/new.rs"]), "fn new() {}");
    assert_eq!(repository.git(&["show", "HEAD:README.md"]), "# Scratch\nMore.");
    assert_eq!(repository.read("src/new.rs"), None);
    assert!(repository.path().join("README.md").is_symlink());
}

#[test]
fn with_its_input_left_open_it_waits_for_ever_or_as_long_as_its_patience() {
    let patient = Stage::new(&Script::always([Step::mark("up"), Step::read_stdin()]));
    let mut child = patient.start();
    patient.agent.wait_for_mark("up");
    assert_eq!(child.try_wait().unwrap(), None);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());

    let impatient = Stage::new(&Script::always([Step::ReadStdin { patience_ms: Some(50) }]));
    let mut child = impatient.start();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"half").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(impatient.only_start().stdin.as_deref(), Some("half"));
}

#[test]
fn messages_are_read_one_line_at_a_time() {
    let stage = Stage::new(&Script::always([
        Step::ReadLine {},
        Step::line("first"),
        Step::ReadLine {},
        Step::line("second"),
    ]));
    let mut child = stage.start();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut buffer = [0; 64];
    stdin.write_all(b"one\n").unwrap();
    assert_eq!(stdout.read(&mut buffer).unwrap(), "first\n".len());
    stdin.write_all(b"two\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(stage.only_start().stdin.as_deref(), Some("one\ntwo\n"));
}

#[test]
fn it_hangs_after_its_result_and_ignores_sigterm() {
    let stage = Stage::new(&Script::always([
        Step::on_signal(SignalName::Term, [Step::mark("termed")]),
        Step::transcript(transcript("claude-success")),
        Step::mark("result"),
        Step::hang(),
    ]));
    let mut child = stage.start();
    stage.agent.wait_for_mark("result");
    send(&child, Signal::TERM);
    stage.agent.wait_for_mark("termed");
    assert_eq!(child.try_wait().unwrap(), None);
    send(&child, Signal::KILL);
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
    assert_eq!(stage.only_start().ended, None);
}

#[test]
fn it_reacts_to_a_signal_as_the_real_cli_does() {
    let stage = Stage::new(&Script::always([
        Step::on_signal(SignalName::Int, [Step::line("aborted"), Step::exit(0)]),
        Step::on_signal(SignalName::Term, [Step::exit(143)]),
        Step::mark("up"),
        Step::hang(),
    ]));
    for (signal, code, said) in [(Signal::INT, 0, "aborted\n"), (Signal::TERM, 143, "")] {
        let child = stage.start();
        stage.agent.wait_for_mark("up");
        std::fs::remove_file(stage.shared("up")).unwrap();
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(code), said.to_owned()));
    }
}

#[test]
fn a_daemon_keeps_the_output_open_after_the_agent_is_gone() {
    let stage = Stage::new(&Script::always([
        Step::Spawn { kind: ChildKind::Daemon, holds_stdout: true, ignores_term: false },
        Step::line("bye"),
    ]));
    let mut child = stage.start();
    assert!(child.wait().unwrap().success());
    let start = stage.only_start();
    let [(ChildKind::Daemon, daemon)] = start.children[..] else {
        panic!("{start:?}");
    };
    let process = processes::all().into_iter().find(|p| p.pid == daemon).unwrap();
    assert_ne!(process.parent, start.pid);
    let mut stdout = child.stdout.take().unwrap();
    let mut buffer = [0; 16];
    assert_eq!(stdout.read(&mut buffer).unwrap(), "bye\n".len());
    let reader = std::thread::spawn(move || stdout.read(&mut [0; 16]).unwrap());
    assert!(processes::is_alive(daemon));
    assert!(!reader.is_finished());
    processes::kill(daemon);
    assert_eq!(reader.join().unwrap(), 0);
}

#[test]
fn killing_the_process_group_leaves_a_child_in_its_own_session() {
    use std::os::unix::process::CommandExt;
    let stage = Stage::new(&Script::always([
        Step::spawn(ChildKind::Plain),
        Step::spawn(ChildKind::Session),
        Step::mark("up"),
        Step::hang(),
    ]));
    let mut child = stage.command().process_group(0).spawn().unwrap();
    stage.agent.wait_for_mark("up");
    let children = stage.only_start().children;
    let [(ChildKind::Plain, plain), (ChildKind::Session, session)] = children[..] else {
        panic!("{children:?}");
    };
    rustix::process::kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    wait_until(PATIENCE, "the plain child is gone", || {
        if processes::is_alive(plain) { Err("alive") } else { Ok(()) }
    });
    assert!(processes::is_alive(session));
}

#[test]
fn a_child_told_to_ignore_sigterm_outlives_it() {
    let child = |ignores_term| Step::Spawn { kind: ChildKind::Session, holds_stdout: false, ignores_term };
    let stage = Stage::new(&Script::always([child(true), child(false)]));
    assert!(stage.run().status.success());
    let children = stage.only_start().children;
    let [(_, stubborn), (_, meek)] = children[..] else {
        panic!("{children:?}");
    };
    for pid in [stubborn, meek] {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    }
    wait_until(PATIENCE, "the meek child is gone", || {
        if processes::is_alive(meek) { Err("alive") } else { Ok(()) }
    });
    assert!(processes::is_alive(stubborn));
}

#[test]
fn what_a_test_forgets_to_end_goes_away_with_its_folder() {
    let kinds = [ChildKind::Plain, ChildKind::Session, ChildKind::Daemon, ChildKind::Reforker];
    let steps = kinds.map(Step::spawn).into_iter().chain([Step::mark("up"), Step::hang()]);
    let stage = Stage::new(&Script::always(steps));
    let mut child = stage.start();
    stage.agent.wait_for_mark("up");
    let folder = stage.folder.path().canonicalize().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    child.wait().unwrap();
    let mentions = |word: &String| word.contains(folder.to_str().unwrap());
    wait_until(PATIENCE, "nothing of it runs", || {
        let mut left = processes::all();
        left.retain(|process| !process.zombie && process.argv.iter().any(mentions));
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
}

#[test]
fn a_reforker_is_another_process_each_time_one_looks() {
    let stage = Stage::new(&Script::always([Step::spawn(ChildKind::Reforker)]));
    assert!(stage.run().status.success());
    let mut seen = std::collections::BTreeSet::new();
    wait_until(PATIENCE, "five generations", || {
        for process in processes::under(stage.folder.path()) {
            // It ignores this, so the line goes on.
            if let Some(pid) = Pid::from_raw(process.pid) {
                let _ = kill_process(pid, Signal::TERM);
            }
            seen.insert(process.pid);
        }
        if seen.len() >= 5 { Ok(()) } else { Err(seen.len()) }
    });
}

#[test]
fn a_runaway_repeats_until_its_reader_is_gone() {
    let stage = Stage::new(&Script::always([Step::Repeat {
        times: u64::from(u32::MAX),
        steps: vec![Step::line(r#"{"type":"step_finish","reason":"unknown"}"#)],
    }]));
    let mut child = stage.start();
    let mut stdout = child.stdout.take().unwrap();
    let mut buffer = vec![0; 1 << 20];
    stdout.read_exact(&mut buffer).unwrap();
    drop(stdout);
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn every_trick_makes_a_careless_git_run_the_agents_command() {
    for trick in Trick::ALL {
        let repository = ScratchRepository::new();
        let worktree = repository.path().with_extension("worktree");
        repository.add_worktree(&worktree, "task");
        let canary = repository.path().with_extension("canary");
        let script = Script::always([
            Step::write("change", "a change\n"),
            Step::Plant { trick, canary: canary.clone() },
        ]);
        let stage = Stage::new(&script);
        let output = stage.command().current_dir(&worktree).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{trick:?}: {}", text(&output.stderr));
        for sprung in std::fs::read_dir(&canary).unwrap() {
            std::fs::remove_file(sprung.unwrap().path()).unwrap();
        }
        for careless in [&["status"][..], &["add", "--all"], &["commit", "-m", "x"], &["diff"]] {
            // Whether it works does not matter here: the command has run by then.
            let _ = repository.try_git(&worktree, careless);
        }
        let sprung: Vec<String> = std::fs::read_dir(&canary)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        assert!(sprung.iter().any(|file| file.starts_with(trick.name())), "{trick:?}: {sprung:?}");
    }
}

#[test]
fn starts_side_by_side_are_told_apart_by_folder_and_by_argument() {
    let stage = Stage::new(
        &Script::new()
            .count_per_folder()
            .attempt_when("app-1", [Step::exit(11)])
            .attempt_when("app-1", [Step::exit(12)])
            .attempt_when("app-2", [Step::exit(21)]),
    );
    let run = |folder: &str| {
        let folder = stage.work().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        stage.command().current_dir(folder).status().unwrap().code().unwrap()
    };
    let codes = ["app-1", "app-2", "app-1", "app-2"].map(run);
    assert_eq!(codes, [11, 21, 12, 21]);
}

/// What an imitation does when nobody interferes, with its input closed.
fn imitate(script: &Script) -> Output {
    let repository = ScratchRepository::new();
    let stage = Stage::new(script);
    stage.command().current_dir(repository.path()).output().unwrap()
}

#[test]
fn imitations_that_end_do_so_as_the_real_cli_did() {
    let last = |output: &Output| text(&output.stdout).lines().last().unwrap_or("").to_owned();
    for (script, code, result) in [
        (imitations::does_its_task(), 0, r#""is_error":false"#),
        (imitations::babbles(), 0, r#""is_error":false"#),
        (imitations::waits_for_the_end_of_its_input(), 0, "turn.completed"),
        (imitations::has_its_key_refused(), 1, r#""api_error_status":401"#),
        (imitations::is_out_of_quota(), 1, "usage_limit_reached"),
    ] {
        let output = imitate(&script);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(last(&output).contains(result), "{}", last(&output));
    }
    let silent = imitate(&imitations::ends_well_without_a_result());
    assert_eq!(silent.status.code(), Some(0));
    assert!(!text(&silent.stdout).contains(r#""type":"result""#));
    let crashed = imitate(&imitations::crashes());
    assert_eq!(crashed.status.signal(), Some(Signal::SEGV.as_raw()));
    assert!(!text(&crashed.stdout).ends_with('\n'));
}

#[test]
fn imitations_that_hang_have_said_as_much_as_the_real_cli_and_end_by_the_right_signal() {
    let result = r#""type":"result""#;
    for (script, said, signal) in [
        (imitations::hangs_in_the_middle(), false, Signal::TERM),
        (imitations::hangs_after_its_result(), true, Signal::TERM),
        (imitations::hangs_after_its_result_and_ignores_sigterm(), true, Signal::KILL),
        (imitations::ends_well_on_sigterm_without_a_result(), false, Signal::TERM),
    ] {
        let lines = if said { 6 } else { 3 };
        let stage = Stage::new(&script);
        let mut child = stage.start();
        let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut seen = String::new();
        for _ in 0..lines {
            reader.read_line(&mut seen).unwrap();
        }
        assert_eq!(seen.contains(result), said);
        assert_eq!(child.try_wait().unwrap(), None);
        if signal == Signal::KILL {
            send(&child, Signal::TERM);
        }
        send(&child, signal);
        let status = child.wait().unwrap();
        if script == imitations::ends_well_on_sigterm_without_a_result() {
            assert_eq!(status.code(), Some(0));
        } else {
            assert_eq!(status.signal(), Some(signal.as_raw()));
        }
    }
}

#[test]
fn imitations_that_leave_something_behind_are_gone_themselves() {
    for script in [imitations::leaves_a_tool_behind(), imitations::leaves_a_reforker_behind()] {
        let stage = Stage::new(&script);
        let mut child = stage.start();
        assert!(child.wait().unwrap().success());
        assert_eq!(stage.only_start().children.len(), 1);
        wait_until(PATIENCE, "something is seen to be left", || {
            if processes::under(stage.folder.path()).is_empty() { Err("nothing") } else { Ok(()) }
        });
    }
}
