//! What an agent gets to see of the host's environment, and where secrets end up.

mod canaries;
mod keyring;
mod network_canaries;

use std::path::Path;

use hostler_tests::PATIENCE;
use hostler_tests::scripted_agent::{Replacement, Script, Step, imitations, transcript};

use crate::stage::Stage;
use crate::tale::scene::Scene;

/// Credentials of trackers, clouds and tools, as they stand in people's shells.
const FOREIGN: [(&str, &str); 8] = [
    ("GITHUB_TOKEN", "secret-of-github-4711"),
    ("TRAKKAR_TOKEN", "secret-of-trakkar-4711"),
    ("AWS_ACCESS_KEY_ID", "secret-of-aws-key-4711"),
    ("AWS_SECRET_ACCESS_KEY", "secret-of-aws-4711"),
    ("SSH_AUTH_SOCK", "/tmp/secret-of-ssh-4711"),
    ("DATABASE_URL", "postgres://secret-of-database-4711"),
    ("OPENAI_API_KEY", "secret-of-openai-4711"),
    ("LD_PRELOAD", ""),
];

const OWN: (&str, &str) = ("ANTHROPIC_API_KEY", "sk-granted-0815-0815");

fn stage(script: &Script) -> (Stage, hostler_tests::scripted_agent::Installed) {
    let (mut stage, agent) = Stage::with_claude(script);
    for (name, value) in FOREIGN {
        stage = stage.variable(name, value);
    }
    (stage.variable(OWN.0, OWN.1), agent)
}

/// Every file below a folder that contains a text.
pub fn files_with(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files_with(&path, text));
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn an_agent_sees_what_was_granted_by_name_and_nothing_else() {
    let (stage, agent) = stage(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    let env = agent.wait_for_start(1).env;
    for (name, value) in FOREIGN {
        assert!(!env.contains_key(name), "{name} reached the agent");
        assert!(
            value.is_empty() || !env.values().any(|seen| seen.contains(value)),
            "{name} came by another name"
        );
    }
    assert_eq!(env.get(OWN.0).map(String::as_str), Some(OWN.1));
    let common = ["PATH", "HOME", "TERM", "LC_ALL", "TZ", "LANG", "USER", "LOGNAME", "SHELL", "TMPDIR"];
    let expected = |name: &str| {
        common.contains(&name)
            || name == OWN.0
            || name.starts_with("CLAUDE_CODE_")
            || name.starts_with("HOSTLER_")
    };
    let others: Vec<_> = env.keys().filter(|name| !expected(name)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn another_providers_key_is_not_this_agents() {
    let (stage, _) = stage(&imitations::does_its_task());
    stage.allow("codex");
    let codex = stage.sandbox.install_agent("codex", &imitations::waits_for_the_end_of_its_input());
    stage.task("hello", "Write hello.txt\n");
    assert_eq!(stage.run_once(&["--provider", "codex"]).code, Some(0));
    let env = codex.wait_for_start(1).env;
    assert_eq!(env.get("OPENAI_API_KEY").map(String::as_str), Some("secret-of-openai-4711"));
    assert!(!env.contains_key(OWN.0));
}

#[test]
fn the_version_question_sees_no_more_than_the_agent() {
    let (stage, agent) = stage(&imitations::does_its_task());
    std::fs::remove_file(&agent.program).unwrap();
    let told = stage.sandbox.folder().join("told");
    let program = format!("#!/bin/sh\nenv >> '{}'\necho '2.1.0 (Claude Code)'\n", told.display());
    std::fs::write(&agent.program, program).unwrap();
    std::fs::set_permissions(&agent.program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(stage.run_once(&[]).code, Some(0), "no task, nothing to do");
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("PATH="), "it was asked");
    assert!(!told.contains("secret-of"), "{told}");
}

#[test]
fn no_secret_is_written_to_the_disk_by_the_host() {
    let (stage, _) = stage(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    assert_eq!(stage.run_once(&["-vv"]).code, Some(0));
    for secret in ["secret-of-", OWN.1] {
        let found = files_with(&stage.sandbox.folder().join("state"), secret);
        assert!(found.is_empty(), "{secret}: {found:?}");
        let found = files_with(stage.repository.path(), secret);
        assert!(found.is_empty(), "{secret}: {found:?}");
    }
}

#[test]
fn a_key_that_the_agent_prints_does_not_reach_the_report() {
    let mut told = Step::transcript(transcript("claude-success"));
    if let Step::Transcript { replace, .. } = &mut told {
        replace.push(Replacement { from: "All done".to_owned(), to: format!("My key is {}", OWN.1) });
    }
    let (stage, _) = stage(&Script::always([told]));
    stage.task("hello", "Write hello.txt\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    let report = stage.task_file("hello").text;
    assert!(report.contains(&format!("My key is {}", "*".repeat(OWN.1.len()))), "{report}");
    assert!(!report.contains(OWN.1), "{report}");
}

#[test]
fn a_key_that_a_variable_gives_instead_of_the_one_that_is_kept_is_told_once_at_the_start() {
    let scene = Scene::playing(&imitations::does_its_task());
    let host = scene.start();
    host.wait_for_stdout("tale", PATIENCE);
    scene.wait_for(&scene.run, "completed", &host);
    assert!(!host.stdout().contains("comes from"), "{}", host.stdout());
    scene.drain(host);
    let key = scene.server.key().to_owned();
    let scene = Scene { stage: scene.stage.variable("TALE_DAEMON_API_KEY", &key), ..scene };
    let host = scene.start();
    host.wait_for_stdout("tale.api-key comes from TALE_DAEMON_API_KEY, instead of ", PATIENCE);
    let said = host.stdout() + &host.stderr();
    assert!(said.matches("comes from").count() == 1 && !said.contains(&key), "{said}");
    scene.drain(host);
}
