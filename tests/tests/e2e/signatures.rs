//! Who signed a plugin, what another build asks for, and what happens when its grant is
//! taken back while it is used.

use std::path::PathBuf;

use hostler_tests::PATIENCE;
use hostler_tests::scripted_agent::{Script, Step, imitations, transcript};

use crate::guest::{Guest, manifest};
use crate::stage::{LONG, Stage, assert_one_sentence};

/// Runs a command that must work, and gives its standard output.
fn works(stage: &Stage, words: &[&str]) -> String {
    let output = stage.sandbox.host(words);
    assert_eq!(output.code, Some(0), "{words:?}: {output:?}");
    output.stdout
}

/// Runs a command that must end with a code and one sentence.
fn fails(stage: &Stage, words: &[&str], code: i32, says: &[&str]) {
    let output = stage.sandbox.host(words);
    assert_eq!(output.code, Some(code), "{words:?}: {output:?}");
    assert_one_sentence(&output.stderr);
    for part in says {
        assert!(output.stderr.contains(part), "no {part:?} in {}", output.stderr);
    }
}

/// A key without a password whose signatures count, as the name of its file.
fn key(stage: &Stage, name: &str) -> String {
    let file = stage.sandbox.folder().join(format!("{name}.key")).display().to_string();
    works(stage, &["plugin", "keys", "generate", &file, "--no-password"]);
    works(stage, &["plugin", "keys", "add", name, &format!("{file}.pub")]);
    file
}

fn signature_of(stage: &Stage, plugin: &str) -> PathBuf {
    stage.sandbox.folder().join(format!("data/hostler/plugins/{plugin}.wasm.minisig"))
}

#[test]
fn a_strict_host_runs_what_is_signed_and_nothing_else() {
    let stage = Stage::bare();
    stage.sandbox.install_agent("claude", &imitations::does_its_task());
    stage.sandbox.configure("signatures = \"require\"\n");
    stage.task("hello", "Write hello.txt\n");
    let allow = ["plugin", "allow", "folder", "--yes"];
    fails(&stage, &allow, 4, &["folder.wasm", "not signed", "folder.wasm.minisig", "require"]);

    let ada = key(&stage, "ada");
    for plugin in ["folder", "claude-code"] {
        works(&stage, &["plugin", "sign", plugin, "--key", &ada]);
        assert!(works(&stage, &["plugin", "verify", plugin]).contains("ada"));
        stage.allow(plugin);
    }
    let ran = stage.run_once(&[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    stage.assert_reported_once("hello", "done");

    // The grants are there still; each of these is stopped by the signature alone.
    let run = ["run", "--once", "--plugin", "folder", "--provider", "claude-code"];
    std::fs::copy(signature_of(&stage, "claude-code"), signature_of(&stage, "folder")).unwrap();
    fails(&stage, &run, 4, &["folder.wasm", "not what ada signed"]);
    fails(&stage, &["plugin", "verify", "folder"], 4, &["not what ada signed"]);
    std::fs::remove_file(signature_of(&stage, "folder")).unwrap();
    fails(&stage, &run, 4, &["folder.wasm", "not signed"]);
    works(&stage, &["plugin", "sign", "folder", "--key", &ada]);
    works(&stage, &["plugin", "keys", "remove", "ada"]);
    fails(&stage, &run, 4, &["you do not know", "host plugin keys add"]);
}

#[test]
fn a_host_that_only_warns_says_so_and_works_and_one_that_is_told_nonsense_is_strict() {
    let (stage, _) = Stage::with_claude(&imitations::does_its_task());
    stage.task("first", "Write hello.txt\n");
    let ran = stage.run_once(&[]);
    assert!(ran.code == Some(0) && !ran.stdout.contains("signed"), "nobody's key is known: {ran:?}");

    key(&stage, "ada");
    stage.task("hello", "Write hello.txt\n");
    let ran = stage.run_once(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("folder.wasm is not signed"), "{ran:?}");
    stage.assert_reported_once("hello", "done");

    stage.sandbox.configure("signatures = \"off\"\n");
    stage.task("quiet", "Write hello.txt\n");
    let ran = stage.run_once(&[]);
    assert!(ran.code == Some(0) && !ran.stdout.contains("signed"), "{ran:?}");

    stage.sandbox.configure("signatures = \"Off\"\n");
    let run = ["run", "--once", "--plugin", "folder", "--provider", "claude-code"];
    fails(&stage, &run, 4, &["not signed", "require"]);
}

#[test]
fn keys_that_others_could_have_changed_count_for_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::bare();
    let ada = key(&stage, "ada");
    works(&stage, &["plugin", "sign", "folder", "--key", &ada]);
    let keys = stage.sandbox.config_file().with_file_name("keys.toml");
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o664)).unwrap();
    fails(&stage, &["plugin", "verify", "folder"], 3, &["keys.toml", "chmod 600"]);
    std::fs::set_permissions(&ada, std::fs::Permissions::from_mode(0o640)).unwrap();
    fails(&stage, &["plugin", "sign", "folder", "--key", &ada], 1, &["others can read it", "chmod 600"]);
    fails(&stage, &["plugin", "keys", "generate", &ada, "--no-password"], 1, &["no key is ever replaced"]);
}

/// Writes a tracker plugin with these rights, and gives its file.
fn build(stage: &Stage, name: &str, rights: &str) -> String {
    let path = stage.sandbox.folder().join(format!("{name}.wasm"));
    std::fs::write(&path, Guest::tracker().manifest(Some(&manifest(rights))).build()).unwrap();
    path.display().to_string()
}

#[test]
fn a_build_that_asks_for_more_is_told_apart_by_the_exit_code() {
    let stage = Stage::bare();
    let right =
        "[[http]]\norigin = \"https://a.example\"\nmethods = [\"GET\"]\npath = \"/\"\nreason = \"to ask\"\n";
    let (less, more) = (build(&stage, "less", ""), build(&stage, "more", right));
    let grown = stage.sandbox.host(&["plugin", "diff", &less, &more]);
    assert_eq!((grown.code, grown.stderr.as_str()), (Some(13), ""));
    assert!(grown.stdout.contains("+ send GET requests to https://a.example/"), "{}", grown.stdout);
    assert!(works(&stage, &["plugin", "diff", &more, &less]).contains("asks for less"));
    assert!(works(&stage, &["plugin", "diff", &less, &less]).contains("asks for the same"));
    let json = stage.sandbox.host(&["plugin", "diff", &less, &more, "--json"]);
    let told: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.code, &told["grows"]), (Some(13), &true.into()));
    assert_eq!(told["difference"]["gained"][0], "send GET requests to https://a.example/");
}

/// Works, tells the test, and goes on for ever.
fn works_for_ever() -> Script {
    Script::always([
        Step::write("work.txt", "work\n"),
        Step::commit("Work"),
        Step::mark("working"),
        Step::hang(),
    ])
}

#[test]
fn a_tracker_whose_grant_is_taken_back_says_nothing_more_and_its_host_ends() {
    let (stage, agent) = Stage::with_claude(&works_for_ever());
    stage.task("hello", "Work\n");
    let mut host = stage.start(&[]);
    agent.wait_for_mark("working");
    stage.wait_for_state("hello", "running");
    let before = stage.task_file("hello").text;
    assert!(works(&stage, &["plugin", "revoke", "folder"]).contains("may not be used any more"));
    assert_eq!(host.wait(LONG).code(), Some(5), "{}", host.stderr());
    assert!(host.stderr().contains("its grant was taken back"), "{}", host.stderr());
    stage.wait_until_nothing_lives();
    assert_eq!(stage.task_file("hello").text, before, "nothing was written for the plugin");
    assert_eq!(stage.run("hello")["closed"].as_bool(), Some(false), "the work is not given up");
    let run = ["run", "--once", "--plugin", "folder", "--provider", "claude-code"];
    fails(&stage, &run, 5, &["host plugin allow"]);

    stage.allow("folder");
    stage.sandbox.install_agent("claude", &imitations::does_its_task());
    assert_eq!(stage.run_once(&[]).code, Some(0));
    stage.assert_reported_once("hello", "done");
}

#[test]
fn the_runs_of_a_provider_whose_grant_is_taken_back_end_and_the_others_go_on() {
    let stage = Stage::allowed();
    stage.allow("codex");
    let claude = stage.sandbox.install_agent("claude", &works_for_ever());
    let finishes = Script::always([
        Step::write("other.txt", "other\n"),
        Step::commit("Other"),
        Step::mark("working"),
        Step::wait_for("go"),
        Step::transcript(transcript("codex-success")),
    ]);
    let codex = stage.sandbox.install_agent("codex", &finishes);
    stage.task("gone", "---\nprovider: claude-code\n---\n\nWork\n");
    stage.task("stays", "---\nprovider: codex\n---\n\nWork\n");
    let host = stage.start(&["--provider", "claude-code", "--provider", "codex"]);
    claude.wait_for_mark("working");
    codex.wait_for_mark("working");
    works(&stage, &["plugin", "revoke", "claude-code"]);
    host.wait_for_stdout("its grant was taken back", PATIENCE);
    let gone = stage.wait_for_state("gone", "closed");
    assert_eq!(gone["result"], "cancelled");
    codex.let_go("go").unwrap();
    assert_eq!(stage.wait_for_state("stays", "closed")["result"], "succeeded");
    stage.task("later", "---\nprovider: claude-code\n---\n\nWork\n");
    let later = stage.wait_for_state("later", "closed");
    assert_eq!(later["result"], "failed", "{later}");
    assert_eq!(claude.starts().unwrap().len(), 1, "nothing is started for it any more");
}

#[test]
fn one_build_loses_its_grant_by_file_and_what_has_none_is_said() {
    let stage = Stage::allowed();
    let file = stage.sandbox.folder().join("data/hostler/plugins/folder.wasm").display().to_string();
    works(&stage, &["plugin", "revoke", &file]);
    fails(&stage, &["plugin", "revoke", &file], 5, &["has no grant", "claude-code"]);
    fails(&stage, &["plugin", "revoke", "nobody"], 5, &["has no grant", "claude-code"]);
}
