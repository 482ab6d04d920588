//! What keeps a host from starting: one sentence that says what is wrong and what
//! to do, and the exit code of the manual.

use hostler_tests::scripted_agent::imitations;

use crate::stage::{Stage, assert_one_sentence, plugin};

/// A machine that lacks something, and how `host run` must answer.
struct Case {
    name: &'static str,
    /// Prepares the machine; returns what is added to the command line.
    prepare: fn(&Stage) -> Vec<String>,
    code: i32,
    /// What the sentence must contain: the culprit and the remedy.
    says: &'static [&'static str],
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// Allows the usual plugins and installs the CLI, then adds words.
fn ready(stage: &Stage, more: &[&str]) -> Vec<String> {
    stage.allow("folder");
    stage.allow("claude-code");
    stage.sandbox.install_agent("claude", &imitations::does_its_task());
    words(more)
}

/// Writes a file into the sandbox and gives its path.
fn file(stage: &Stage, name: &str, bytes: &[u8]) -> String {
    let path = stage.sandbox.folder().join(name);
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

/// A folder in the sandbox, as a repository to work on.
fn elsewhere(stage: &Stage, git: &[&str]) -> Vec<String> {
    let folder = stage.sandbox.folder().join("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    if !git.is_empty() {
        assert!(stage.repository.try_git(&folder, git).status.success());
    }
    ready(stage, &["--repo", &folder.display().to_string()])
}

const CASES: &[Case] = &[
    Case {
        name: "an unknown flag",
        prepare: |stage| ready(stage, &["--provder", "codex"]),
        code: 2,
        says: &["--provder", "--provider", "host run --help"],
    },
    Case {
        name: "a setting nobody knows",
        prepare: |stage| {
            let words = ready(stage, &[]);
            stage.sandbox.configure("slotz = 3\n");
            words
        },
        code: 3,
        says: &["config.toml", "slotz", "slots"],
    },
    Case {
        name: "a configuration that is no TOML",
        prepare: |stage| {
            let words = ready(stage, &[]);
            stage.sandbox.configure("slots = \n");
            words
        },
        code: 3,
        says: &["config.toml", "line 1"],
    },
    Case {
        name: "a configuration that cannot be read",
        prepare: |stage| {
            let words = ready(stage, &[]);
            // Even root cannot read a folder as a file.
            std::fs::create_dir_all(stage.sandbox.config_file()).unwrap();
            words
        },
        code: 3,
        says: &["config.toml"],
    },
    Case {
        name: "no command for the command provider",
        prepare: |stage| {
            stage.allow("command");
            ready(stage, &["--provider", "command"])
        },
        code: 3,
        says: &["command", "--command"],
    },
    Case {
        name: "a plugin that is not there",
        prepare: |stage| ready(stage, &["--plugin", "folderr"]),
        code: 4,
        says: &["folderr", "folder"],
    },
    Case {
        name: "a plugin file that is no component",
        prepare: |stage| {
            let path = file(stage, "bad.wasm", b"this is no component");
            ready(stage, &["--plugin", &path])
        },
        code: 4,
        says: &["bad.wasm"],
    },
    Case {
        name: "half a plugin file",
        prepare: |stage| {
            let whole = std::fs::read(plugin("folder")).unwrap();
            let path = file(stage, "half.wasm", &whole[..whole.len() / 2]);
            ready(stage, &["--plugin", &path])
        },
        code: 4,
        says: &["half.wasm"],
    },
    Case {
        name: "a plugin for another contract",
        prepare: |stage| {
            let guest =
                crate::guest::Guest::tracker().contract("hostler:plugin@0.1.0", "hostler:plugin@7.0.0");
            let path = file(stage, "newer.wasm", &guest.build());
            ready(stage, &["--plugin", &path])
        },
        code: 4,
        says: &["newer.wasm", "7.0.0", "0.1.0"],
    },
    Case {
        name: "a provider in the place of the tracker",
        prepare: |stage| {
            stage.allow("codex");
            ready(stage, &["--plugin", "codex"])
        },
        code: 4,
        says: &["codex.wasm", "tracker", "--plugin"],
    },
    Case {
        name: "a missing grant",
        prepare: |stage| {
            stage.sandbox.install_agent("claude", &imitations::does_its_task());
            Vec::new()
        },
        code: 5,
        says: &["host plugin allow", "folder", "claude-code"],
    },
    Case {
        name: "a folder that is no repository",
        prepare: |stage| elsewhere(stage, &[]),
        code: 6,
        says: &["elsewhere", "not inside a git repository", "git init"],
    },
    Case {
        name: "a bare repository",
        prepare: |stage| elsewhere(stage, &["init", "--quiet", "--bare"]),
        code: 6,
        says: &["elsewhere", "bare", "checkout"],
    },
    Case {
        name: "a repository without a commit",
        prepare: |stage| elsewhere(stage, &["init", "--quiet"]),
        code: 6,
        says: &["elsewhere", "no commit", "git commit"],
    },
    Case {
        name: "a CLI that is not there",
        prepare: |stage| {
            stage.allow("codex");
            ready(stage, &["--provider", "codex"])
        },
        code: 7,
        says: &["codex"],
    },
];

#[test]
fn whatever_keeps_a_host_from_starting_is_one_sentence_and_its_exit_code() {
    for case in CASES {
        let stage = Stage::bare();
        stage.task("hello", "Write hello.txt\n");
        let more = (case.prepare)(&stage);
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let output = stage.run_once(&more);
        assert_eq!(output.code, Some(case.code), "{}: {output:?}", case.name);
        assert_one_sentence(&output.stderr);
        for part in case.says {
            assert!(output.stderr.contains(part), "{}: no {part:?} in {}", case.name, output.stderr);
        }
        assert_eq!(
            stage.task_file("hello").text,
            "Write hello.txt\n",
            "{}: the task is untouched",
            case.name
        );
    }
}

#[test]
fn a_second_host_on_one_state_folder_is_told_who_runs_there() {
    let (stage, agent) = Stage::with_claude(&imitations::hangs_in_the_middle());
    stage.task("hello", "Hang\n");
    let first = stage.start(&[]);
    agent.wait_for_start(1);
    let second = stage.run_once(&[]);
    assert_eq!(second.code, Some(8), "{second:?}");
    assert_one_sentence(&second.stderr);
    assert!(second.stderr.contains(&format!("process {}", first.pid())), "{}", second.stderr);
    assert_eq!(agent.starts().unwrap().len(), 1);
}

#[test]
fn a_run_that_does_not_exist_and_a_host_that_does_not_run_are_absent() {
    let stage = Stage::allowed();
    for words in [&["show", "nothing"][..], &["logs", "nothing"], &["stop", "nothing"], &["status"]] {
        let output = stage.sandbox.host(words);
        assert_eq!(output.code, Some(11), "{words:?}: {output:?}");
        assert_one_sentence(&output.stderr);
    }
}

#[test]
fn every_exit_code_of_these_tests_stands_in_the_manual() {
    let manual = Stage::bare().sandbox.host(&["help", "exit-codes"]).stdout;
    for case in CASES {
        let line = format!("  {:>2}  ", case.code);
        assert!(manual.contains(&line), "{} is not in {manual}", case.code);
    }
}
