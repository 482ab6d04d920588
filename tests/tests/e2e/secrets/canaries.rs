//! Every secret of one machine is planted where it belongs, an agent says all of them in
//! every way, and the host is killed in the middle: then every place is looked at where a
//! secret could have gone.

use std::path::Path;
use std::process::Command;

use hostler_tests::scripted_agent::{Replacement, Script, Step, Stream, transcript};
use hostler_tests::{HostProcess, PATIENCE, wait_until};
use standin_tale::board::{Agent, PermissionMode};

use crate::stage::LONG;
use crate::tale::scene::{KEY, Scene};

/// In the environment of whoever starts the host, and granted to nobody.
const UNGRANTED: (&str, &str) = ("GITHUB_TOKEN", "canary-ungranted-4711");

/// In the same environment, granted to the agent, and in a file of the repository.
/// Everything in it that some encoding has to escape.
const GRANTED: (&str, &str) = ("ANTHROPIC_API_KEY", "canary/granted\"0815\\+ \u{e4}&=?end");

/// From the tracker, for the agent's environment.
const GIVEN: (&str, &str) = ("DEPLOY_TOKEN", "canary-given-by-the-board-2342");

/// What encodes a value of the environment, as shells do; one spelling a line.
const ENCODE: &str = r#"
encode() {
    for before in '' x xx; do printf '%s%s' "$before" "$1" | base64 | tr -d '\n'; echo; done
    printf %s "$1" | base64 | tr -d '\n' | tr '+/' '-_'; echo
    printf %s "$1" | od -An -v -tx1 | tr -d ' \n'; echo
    printf %s "$1" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F; echo
}
"#;

/// What is the same of a base64 whatever stands around it.
fn core_of_base64(line: &str) -> &str {
    let line = line.trim_end_matches('=');
    &line[4..line.len() - 4]
}

/// A secret as it may stand somewhere, encoded by others than the host.
fn spellings(secret: &str) -> Vec<String> {
    let script = format!("{ENCODE} encode \"$1\"");
    let output = Command::new("sh").args(["-c", &script, "sh", secret]).output().unwrap();
    let encoded = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = encoded.lines().collect();
    assert_eq!(lines.len(), 6, "{encoded}");
    let mut all = vec![secret.to_owned(), in_json(secret), in_json(&in_json(secret)), in_address(secret)];
    all.extend(lines[..4].iter().map(|line| core_of_base64(line).to_owned()));
    all.extend(lines[4..].iter().map(|line| (*line).to_owned()));
    all
}

pub fn in_json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn in_address(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b' ' => "+".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// An event of the CLI with a text, in two writes that cut the secret in it.
pub fn said_in_pieces(secret: &str) -> Step {
    let text = format!("In pieces: {secret}.");
    let event = serde_json::json!({
        "type": "assistant",
        "message": { "role": "assistant", "content": [{ "type": "text", "text": text }] },
    });
    let mut line = event.to_string().into_bytes();
    line.push(b'\n');
    let secret = in_json(secret);
    let at = line.windows(secret.len()).position(|here| here == secret.as_bytes()).unwrap();
    let rest = line.split_off(at + secret.len() / 2);
    Step::Bytes { pieces: vec![line, rest], pause_ms: 30, stream: Stream::Stdout }
}

/// Says everything it knows and can find, in every way; half of it to the next host.
fn tells_everything(scene: &Scene) -> Script {
    let secrets_file = scene.stage.sandbox.folder().join("config/hostler/secrets.toml");
    assert!(std::fs::read_to_string(&secrets_file).unwrap().contains(scene.server.key()), "it is planted");
    let values = format!(r#""${}" "${}" "$(cat app.env)""#, GRANTED.0, GIVEN.0);
    let encode = format!(
        "{ENCODE} for value in {values}; do encode \"$value\"; printf '%s\\n' \"$value\"; done; cat '{}'",
        secrets_file.display()
    );
    let tells = Step::Run { argv: ["sh", "-c", &encode].map(str::to_owned).into() };
    let said = |secret: &str| {
        [said_in_pieces(secret), Step::complain(in_address(secret)), Step::complain(in_json(secret))]
    };
    let mut end = Step::transcript(transcript("claude-success"));
    if let Step::Transcript { replace, .. } = &mut end {
        let told = format!("Told: {}, {}, {}.", GRANTED.1, GIVEN.1, scene.server.key());
        replace.push(Replacement { from: "All done".to_owned(), to: in_json(&told) });
    }
    let mut steps = vec![Step::read_stdin(), tells.clone()];
    steps.extend(said(GRANTED.1).into_iter().chain(said(GIVEN.1)));
    steps.extend([Step::mark("working"), Step::wait_for("go"), tells]);
    steps.extend(said(GIVEN.1).into_iter().chain(said(scene.server.key())));
    steps.extend([Step::write("hello.txt", "hello\n"), Step::commit("Write hello.txt"), end]);
    Script::always(steps)
}

/// The machine, with every secret in its place.
fn planted() -> Scene {
    let coder =
        Agent::bound("coder", "claude_code").permission(PermissionMode::AutoEdits).variable(GIVEN.0, GIVEN.1);
    let mut scene = Scene::new(&Script::new(), coder);
    scene.stage = scene.stage.variable(UNGRANTED.0, UNGRANTED.1).variable(GRANTED.0, GRANTED.1);
    scene.stage.repository.write("app.env", GRANTED.1);
    scene.stage.repository.commit("Somebody committed a key");
    let script = tells_everything(&scene);
    scene.stage.sandbox.install_agent("claude", &script);
    scene
}

/// Looks for secrets.
pub struct Search {
    spellings: Vec<String>,
}

impl Search {
    pub fn of(secrets: &[&str]) -> Self {
        Self { spellings: secrets.iter().flat_map(|secret| spellings(secret)).collect() }
    }

    /// A secret that is there, and what stands before it.
    fn found(&self, bytes: &[u8]) -> Option<(&str, String)> {
        self.spellings.iter().find_map(|spelling| {
            let at = bytes.windows(spelling.len()).position(|here| here == spelling.as_bytes())?;
            Some((
                spelling.as_str(),
                String::from_utf8_lossy(&bytes[at.saturating_sub(200)..at]).into_owned(),
            ))
        })
    }

    pub fn assert_clean(&self, place: &str, bytes: &[u8]) {
        let found = self.found(bytes);
        assert!(found.is_none(), "a secret is in {place}: {found:?}");
    }

    /// Every file below a folder, but for worktrees: what the repository holds is there.
    pub fn assert_clean_folder(&self, folder: &Path) -> usize {
        let mut files = 0;
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() && entry.file_name() != "workspaces" {
                files += self.assert_clean_folder(&path);
            } else if kind.is_file() {
                // One that is gone meanwhile was never to stay.
                self.assert_clean(&path.display().to_string(), &std::fs::read(&path).unwrap_or_default());
                files += 1;
            }
        }
        files
    }
}

/// Everything that a host has written down, says and sends.
fn assert_nothing_is_out(search: &Search, scene: &Scene, host: &HostProcess) {
    let files = search.assert_clean_folder(&scene.stage.sandbox.state_folder());
    assert!(files > 8, "the state is there: {files} files");
    let launched = scene.stage.sandbox.host(&["audit", "--kind", "launch"]).stdout;
    assert!(launched.contains("claude-code"), "the audit log is there: {launched}");
    search.assert_clean("standard output of the host", host.stdout().as_bytes());
    search.assert_clean("standard error of the host", host.stderr().as_bytes());
    for words in [
        &["status", "--json"][..],
        &["runs", "--json"],
        &["show", KEY, "--json"],
        &["show", KEY],
        &["logs", KEY],
        &["logs", KEY, "--raw"],
        &["audit"],
        &["audit", "--json"],
        &["explain", KEY],
        &["replay", KEY],
    ] {
        let answer = scene.stage.sandbox.host(words);
        search.assert_clean(&format!("host {words:?}"), format!("{answer:?}").as_bytes());
        search.assert_clean(&format!("host {words:?}"), answer.stdout.as_bytes());
    }
    for request in scene.server.requests() {
        search.assert_clean("a request", format!("{} {:?}", request.path, request.headers).as_bytes());
        search.assert_clean("a request", request.body.to_string().as_bytes());
    }
    for comment in scene.server.task(&scene.task).unwrap().comments {
        search.assert_clean("a comment on the board", comment.body.as_bytes());
    }
    if let Some(run) = scene.server.run(&scene.run) {
        search.assert_clean("the board's run", run.summary.unwrap_or_default().as_bytes());
    }
}

/// Who may have which secret: the agent what was granted and given, nobody else any.
fn assert_processes_hold_what_they_may(scene: &Scene, host: &HostProcess) {
    let all = Search::of(&[UNGRANTED.1, GRANTED.1, GIVEN.1, scene.server.key()]);
    let others = Search::of(&[UNGRANTED.1, scene.server.key()]);
    let agent = scene.agent.wait_for_start(1);
    assert_eq!(agent.env.get(GRANTED.0).map(String::as_str), Some(GRANTED.1));
    assert_eq!(agent.env.get(GIVEN.0).map(String::as_str), Some(GIVEN.1));
    let mut shims = 0;
    for process in hostler_tests::processes::all() {
        let mine =
            process.pid == agent.pid || process.env.iter().any(|entry| entry.starts_with("HOSTLER_RUN="));
        if !mine || process.zombie {
            continue;
        }
        let is_shim = process.argv.iter().any(|word| word == "shim");
        shims += usize::from(is_shim);
        let environment = process.env.join("\n");
        all.assert_clean("arguments", process.argv.join("\n").as_bytes());
        let search = if is_shim { &all } else { &others };
        search.assert_clean(&format!("the environment of {:?}", process.argv), environment.as_bytes());
    }
    assert!(shims > 0, "the supervisor was looked at");
    let own = hostler_tests::processes::all().into_iter().find(|process| process.pid == host.pid()).unwrap();
    all.assert_clean("the arguments of the host", own.argv.join("\n").as_bytes());
}

#[test]
fn the_search_finds_each_spelling_of_each_canary() {
    for secret in [UNGRANTED.1, GRANTED.1, GIVEN.1] {
        let search = Search::of(&[secret]);
        for spelling in spellings(secret) {
            assert!(search.found(format!("x{spelling}x").as_bytes()).is_some(), "{spelling}");
        }
        assert_eq!(search.found(b"canary"), None);
    }
}

/// Takes half a minute on a busy machine: a host is started twice, everything it says is
/// asked for three times, and the board hears of the end with a sign of life.
#[test]
fn planted_secrets_reach_nobody_they_were_not_granted_to_however_they_are_written() {
    let scene = planted();
    let search = Search::of(&[UNGRANTED.1, GRANTED.1, GIVEN.1, scene.server.key()]);
    let mut host = scene.start_with(&["-vv"]);
    scene.agent.wait_for_mark("working");
    assert_processes_hold_what_they_may(&scene, &host);
    let logs = scene.stage.attempt_folder(KEY, 1);
    wait_until(PATIENCE, "all it said is in the log", || {
        let said = std::fs::read_to_string(logs.join("stdout.log")).unwrap_or_default();
        if said.matches("In pieces: ").count() == 2 { Ok(()) } else { Err(said) }
    });
    assert_nothing_is_out(&search, &scene, &host);

    host.kill_9();
    let mut host = scene.start_with(&["-vv"]);
    scene.stage.wait_for_state(KEY, "running");
    scene.agent.let_go("go").unwrap();
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.stage.wait_for_state(KEY, "closed");
    assert_nothing_is_out(&search, &scene, &host);
    host.terminate();
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
    assert_nothing_is_out(&search, &scene, &host);

    assert_eq!(scene.agent.starts().unwrap().len(), 1, "it was adopted");
    let summary = run.summary.unwrap();
    assert!(summary.starts_with("Told: ***") && summary.ends_with("wrote hello.txt."), "{summary}");
    let said = std::fs::read_to_string(logs.join("stdout.log")).unwrap();
    assert_eq!(said.matches("In pieces: ****").count(), 4, "all was said: {said}");
    let encoded = std::fs::read_to_string(logs.join("stderr.log")).unwrap();
    assert!(encoded.matches("**********").count() > 2 * 3 * 7, "and in every way: {encoded}");
    let replayed = scene.stage.sandbox.host(&["replay", KEY]);
    assert_eq!(replayed.code, Some(0), "what was masked is replayed as it is: {replayed:?}");
}
