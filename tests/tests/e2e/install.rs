//! Plugins that are installed, updated, taken back and cut off in the middle.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use hostler_tests::Output;
use hostler_tests::scripted_agent::imitations;

use crate::guest::{Guest, manifest};
use crate::stage::{Stage, assert_one_sentence, plugin};

/// Steps of an installation; from the seventh on the new build counts.
const STEPS: usize = 8;
const NEW_COUNTS_AFTER: usize = 6;

/// A build of the folder plugin: its bytes with a few of its manifest exchanged for as
/// many others.
fn build(stage: &Stage, version: &str, may_merge: bool) -> String {
    let mut bytes = std::fs::read(plugin("folder")).unwrap();
    exchange(&mut bytes, "version = \"0.1.0\"", &format!("version = \"{version}\""));
    if !may_merge {
        exchange(&mut bytes, ", \"merge\"]", "]         ");
    }
    let path = stage.sandbox.folder().join(format!("folder-{version}.wasm"));
    std::fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn exchange(bytes: &mut [u8], from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let found: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
    assert_ne!(found, [0; 0], "no {from:?} in the plugin");
    for at in found {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
}

/// A machine on which the folder plugin is installed and allowed in a version that may
/// not merge.
fn installed() -> Stage {
    let stage = Stage::bare();
    stage.allow("claude-code");
    stage.sandbox.install_agent("claude", &imitations::does_its_task());
    let old = build(&stage, "0.2.0", false);
    works(&stage, &["plugin", "install", &old, "--yes"]);
    stage
}

fn works(stage: &Stage, words: &[&str]) -> Output {
    let output = stage.sandbox.host(words);
    assert_eq!(output.code, Some(0), "{words:?}: {output:?}");
    output
}

fn fails(stage: &Stage, words: &[&str], code: i32, says: &[&str]) {
    assert_refused(&stage.sandbox.host(words), code, says);
}

fn assert_refused(output: &Output, code: i32, says: &[&str]) {
    assert_eq!(output.code, Some(code), "{output:?}");
    assert_one_sentence(&output.stderr);
    for part in says {
        assert!(output.stderr.contains(part), "no {part:?} in {}", output.stderr);
    }
}

/// A plugin as `host plugin list` tells it.
fn listed(stage: &Stage, name: &str) -> serde_json::Value {
    let list: serde_json::Value =
        serde_json::from_str(&works(stage, &["plugin", "list", "--json"]).stdout).unwrap();
    list.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone()
}

fn version(stage: &Stage) -> String {
    let folder = listed(stage, "folder");
    assert_eq!(
        (&folder["problem"], &folder["allowed"]),
        (&serde_json::Value::Null, &"yes".into()),
        "{folder}"
    );
    folder["version"].as_str().unwrap().to_owned()
}

fn plugins(stage: &Stage) -> PathBuf {
    stage.sandbox.folder().join("data/hostler/plugins")
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_plugin_is_admitted_once_and_runs_by_its_name_whatever_becomes_of_the_file() {
    let stage = Stage::bare();
    stage.allow("claude-code");
    stage.sandbox.install_agent("claude", &imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    let file = build(&stage, "0.2.0", true);
    let yes = format!("`host plugin install {file} --yes`");
    fails(&stage, &["plugin", "install", &file], 5, &["nobody is there to be asked", &yes]);
    assert_eq!(listed(&stage, "folder")["version"], "0.1.0", "nothing has changed");

    let said = works(&stage, &["plugin", "install", &file, "--yes"]);
    assert!(said.stderr.contains("It asks to") && said.stdout.contains("0.2.0 is installed and allowed"));
    std::fs::write(&file, "no plugin any more").unwrap();
    assert_eq!(version(&stage), "0.2.0");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    stage.assert_reported_once("hello", "done");
    fails(&stage, &["plugin", "install", &file, "--yes"], 4, &["folder-0.2.0.wasm", "not WebAssembly"]);
    assert_eq!(version(&stage), "0.2.0");
}

#[test]
fn wherever_an_installation_is_cut_off_exactly_the_old_or_the_new_build_is_there() {
    let stage = installed();
    let (old, new) = (build(&stage, "0.2.0", false), build(&stage, "0.3.0", false));
    for step in 0..STEPS {
        works(&stage, &["plugin", "install", &old]);
        assert_eq!(version(&stage), "0.2.0");
        let mut cut = stage.sandbox.command(&["plugin", "install", &new]);
        let ended = cut.env("HOSTLER_TEST_KILL_AFTER", step.to_string()).output().unwrap();
        assert_eq!(ended.status.signal(), Some(9), "step {step}: {ended:?}");
        let counts = if step < NEW_COUNTS_AFTER { "0.2.0" } else { "0.3.0" };
        assert_eq!(version(&stage), counts, "cut off after step {step}");

        works(&stage, &["plugin", "install", &new]);
        assert_eq!(version(&stage), "0.3.0", "again after step {step}");
        let files = names_in(&plugins(&stage));
        assert!(!files.contains(&"staging".to_owned()), "after step {step}: {files:?}");
        let builds = names_in(&plugins(&stage).join("installed"));
        assert_eq!(builds.len(), 2, "the current build and the one before: {builds:?}");
    }
}

#[test]
fn a_build_that_asks_for_no_more_may_do_what_the_one_before_may_without_a_question() {
    let stage = installed();
    stage.task("hello", "Write hello.txt\n");
    let said = works(&stage, &["plugin", "install", &build(&stage, "0.3.0", false)]);
    assert!(said.stdout.contains("asks for no more than 0.2.0 was allowed"), "{said:?}");
    assert_eq!(version(&stage), "0.3.0");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    stage.assert_reported_once("hello", "done");
}

#[test]
fn a_build_that_asks_for_more_waits_and_the_old_one_works_until_somebody_agrees() {
    let stage = installed();
    stage.task("hello", "Write hello.txt\n");
    let grown = build(&stage, "0.3.0", true);
    // A script's --yes is for plugins that are new here.
    for words in [&["plugin", "install", &grown][..], &["plugin", "install", &grown, "--yes"]] {
        let said = stage.sandbox.host(words);
        assert_eq!(said.code, Some(13), "{said:?}");
        assert!(said.stderr.contains("+ have finished work pushed"), "{said:?}");
        assert!(said.stdout.contains("0.3.0, asks for more and waits"), "{said:?}");
    }
    assert_eq!(version(&stage), "0.2.0");
    let ran = stage.run_once(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in ["a newer version of folder, 0.3.0", "0.2.0 keeps running", "host plugin allow folder"] {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran:?}");
    }
    stage.assert_reported_once("hello", "done");

    fails(
        &stage,
        &["plugin", "allow", "folder"],
        5,
        &["nobody is there", "`host plugin allow folder --yes`"],
    );
    works(&stage, &["plugin", "allow", "folder", "--yes"]);
    assert_eq!(version(&stage), "0.3.0");
    stage.task("again", "Write hello.txt\n");
    let ran = stage.run_once(&[]);
    assert!(ran.code == Some(0) && !ran.stdout.contains("newer version"), "{ran:?}");
    stage.assert_reported_once("again", "done");
}

#[test]
fn the_way_back_leads_to_the_build_before_and_removing_takes_everything_away() {
    let stage = installed();
    works(&stage, &["plugin", "install", &build(&stage, "0.3.0", false)]);
    works(&stage, &["plugin", "rollback", "folder"]);
    assert_eq!(version(&stage), "0.2.0");
    works(&stage, &["plugin", "rollback", "folder"]);
    assert_eq!(version(&stage), "0.3.0");
    works(&stage, &["plugin", "remove", "folder"]);
    assert_eq!(names_in(&plugins(&stage).join("installed")), [""; 0]);
    fails(&stage, &["plugin", "rollback", "folder"], 4, &["`folder` is not installed"]);
    fails(&stage, &["plugin", "revoke", "folder"], 5, &["has no grant"]);
}

#[test]
fn an_installed_file_that_was_changed_is_marked_and_refused() {
    let stage = installed();
    let builds = plugins(&stage).join("installed");
    let file = builds.join(&names_in(&builds)[0]);
    let other = std::fs::read(plugin("folder")).unwrap();
    std::fs::write(&file, other).unwrap();
    let problem = listed(&stage, "folder")["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("has changed since it was installed"), "{problem}");
    let run = ["run", "--once", "--plugin", "folder", "--provider", "claude-code"];
    fails(&stage, &run, 4, &["`folder`", "has changed since it was installed", "host plugin install"]);
    let by_path = file.display().to_string();
    fails(&stage, &["plugin", "allow", &by_path, "--yes"], 4, &["has changed since it was installed"]);
    works(&stage, &["plugin", "install", &build(&stage, "0.2.0", false)]);
    assert_eq!(version(&stage), "0.2.0");
    std::fs::remove_file(&file).unwrap();
    fails(&stage, &run, 4, &["its file", "is gone"]);
    let lock = plugins(&stage).join("plugins.lock");
    let text = std::fs::read_to_string(&lock).unwrap();
    std::fs::write(&lock, text.replace("source = ", "colour = \"red\"\nsource = ")).unwrap();
    fails(&stage, &run, 4, &["plugins.lock", "colour"]);
}

/// Runs `host` under limits of a shell.
fn limited(stage: &Stage, limit: &str, words: &[&str]) -> Output {
    let host = stage.sandbox.command(words);
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(format!("{limit}; exec \"$0\" \"$@\"")).arg(host.get_program()).args(words);
    shell.current_dir(stage.sandbox.folder()).env_clear();
    shell.envs(host.get_envs().filter_map(|(name, value)| Some((name, value?))));
    // Nothing is compiled yet, whatever an earlier test did.
    shell.env("XDG_CACHE_HOME", stage.sandbox.folder().join("cache"));
    let output = shell.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Output { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// A plugin with functions that take the compiler long.
fn laborious(stage: &Stage) -> String {
    let step = "(if (local.get 1) (then (local.set 0 (i32.mul (local.get 0) (local.get 1)))))";
    let function = format!("(func (param i32 i32) (result i32) {} (local.get 0))", step.repeat(2_000));
    let path = stage.sandbox.folder().join("laborious.wasm");
    std::fs::write(&path, Guest::tracker().extra(&function.repeat(60)).build()).unwrap();
    path.display().to_string()
}

#[test]
fn a_plugin_that_takes_too_much_to_compile_is_refused_and_nothing_changes() {
    let stage = Stage::bare();
    let file = laborious(&stage);
    let install = ["plugin", "install", &file, "--ask-later"];
    let memory = limited(&stage, "ulimit -d 80000", &install);
    assert_refused(&memory, 4, &["compiling", "laborious.wasm needed more than 78 MiB of memory"]);
    let time = limited(&stage, "ulimit -t 1", &install);
    assert_refused(&time, 4, &["compiling", "laborious.wasm needed more than 1 seconds of processor time"]);
    fails(&stage, &["plugin", "rollback", "test"], 4, &["`test` is not installed"]);
    assert_eq!(names_in(&plugins(&stage)).iter().filter(|name| *name == "plugins.lock").count(), 0);
}

#[test]
fn a_plugin_that_fails_at_its_first_call_is_not_installed() {
    let stage = Stage::bare();
    let file = stage.sandbox.folder().join("broken.wasm").display().to_string();
    let guest = Guest::tracker().body("[static]connection.open", "unreachable");
    std::fs::write(&file, guest.build()).unwrap();
    fails(
        &stage,
        &["plugin", "install", &file, "--ask-later"],
        4,
        &["broken.wasm", "fails at its first call"],
    );
    let guest = Guest::tracker().manifest(Some(&manifest("").replace("contract", "kontract")));
    std::fs::write(&file, guest.build()).unwrap();
    fails(&stage, &["plugin", "install", &file, "--ask-later"], 4, &["broken.wasm", "kontract"]);
}

#[test]
fn a_strict_host_installs_what_is_signed_and_writes_down_by_whom() {
    let stage = Stage::bare();
    stage.sandbox.configure("signatures = \"require\"\n");
    let file = build(&stage, "0.2.0", true);
    fails(&stage, &["plugin", "install", &file, "--yes"], 4, &["folder-0.2.0.wasm is not signed"]);
    let key = stage.sandbox.folder().join("ada.key").display().to_string();
    works(&stage, &["plugin", "keys", "generate", &key, "--no-password"]);
    works(&stage, &["plugin", "keys", "add", "ada", &format!("{key}.pub")]);
    works(&stage, &["plugin", "sign", &file, "--key", &key]);
    works(&stage, &["plugin", "install", &file, "--yes"]);
    assert!(
        works(&stage, &["plugin", "verify", "folder"]).stdout.contains("ada"),
        "its signature came along"
    );
    let lock = std::fs::read_to_string(plugins(&stage).join("plugins.lock")).unwrap();
    assert!(lock.contains("name = \"ada\""), "{lock}");
}

#[test]
fn list_inspect_and_doctor_tell_how_installed_plugins_are() {
    let stage = installed();
    let folder = listed(&stage, "folder");
    assert_eq!(
        (&folder["installed"]["state"], &folder["installed"]["waiting"]),
        (&"current".into(), &().into())
    );
    assert_eq!(listed(&stage, "codex")["installed"]["state"], "not-installed");
    let hidden = listed(&stage, "folder.wasm")["problem"].as_str().unwrap().to_owned();
    assert!(hidden.contains("not used"), "{hidden}");
    stage.sandbox.host(&["plugin", "install", &build(&stage, "0.3.0", true)]);
    assert_eq!(listed(&stage, "folder")["installed"]["waiting"], "0.3.0");
    let shown = works(&stage, &["plugin", "inspect", "folder"]).stdout;
    assert!(shown.contains("not signed") && shown.contains("yes, and 0.3.0 waits for your yes"), "{shown}");

    let doctor = || stage.sandbox.host(&["doctor", "--plugin", "folder", "--provider", "claude-code"]);
    let healthy = doctor();
    assert!(healthy.stdout.contains("1 installed, each as it was"), "{healthy:?}");
    let lock = plugins(&stage).join("plugins.lock");
    let text = std::fs::read_to_string(&lock).unwrap();
    std::fs::write(&lock, text.replace("hostler:plugin@0.1.0", "hostler:plugin@0.0.9")).unwrap();
    let foreign = doctor();
    assert_eq!(foreign.code, Some(1), "{foreign:?}");
    assert!(foreign.stdout.contains("`folder` 0.2.0 was built against hostler:plugin@0.0.9"), "{foreign:?}");
}
