//! The audit log: what it holds after a run, and that nobody changes it unnoticed.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hostler_tests::host_clock;
use hostler_tests::scripted_agent::{Script, Step, imitations, transcript};
use hostler_tests::{Output, PATIENCE, wait_until};
use serde_json::Value;

use crate::stage::{LONG, Stage};

/// The exit code of a log that is not what was written.
const TAMPERED: Option<i32> = Some(15);

fn file(stage: &Stage) -> PathBuf {
    stage.sandbox.state_folder().join("audit/000001.jsonl")
}

fn entries(stage: &Stage, more: &[&str]) -> Vec<Value> {
    let listed = stage.sandbox.host(&[&["audit", "--json"], more].concat());
    assert_eq!(listed.code, Some(0), "{listed:?}");
    listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect()
}

fn verify(stage: &Stage, more: &[&str]) -> Output {
    stage.sandbox.host(&[&["audit", "verify"], more].concat())
}

fn assert_whole(stage: &Stage) {
    let verified = verify(stage, &[]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

/// A machine whose task was worked on, judged and pushed.
fn landed() -> Stage {
    let work = [
        Step::read_stdin(),
        Step::write("hello.txt", "done\n"),
        Step::transcript(transcript("claude-success")),
    ];
    let (stage, _) = Stage::with_claude(&Script::always(work.to_vec()));
    stage.name_the_operator();
    stage.repository.add_origin();
    stage
        .task("hello", "---\nverify: test -f hello.txt\nlanding: push\n---\nWrite hello.txt, quietly-4711\n");
    let ran = stage.run_once(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    stage
}

#[test]
fn a_run_that_lands_leaves_every_step_in_order_and_no_word_of_its_prompt() {
    let stage = landed();
    let all = entries(&stage, &[]);
    assert_eq!(
        kinds(&all),
        [
            "grant",
            "grant",
            "host-started",
            "admitted",
            "admitted",
            "launch",
            "verify",
            "verified",
            "landing",
            "landed",
            "reported",
            "host-stopped"
        ]
    );
    let numbers: Vec<u64> = all.iter().map(|entry| entry["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    let run = stage.run("hello");
    let launch = &all[5];
    assert_eq!((&launch["run"], &launch["attempt"]), (&run["id"], &1.into()));
    assert_eq!((&launch["permission"], &launch["permission_by"]), (&"auto-edits".into(), &"operator".into()));
    assert_eq!(all[0]["by"]["how"], "--yes");
    assert_eq!(all[7]["exit"], 0);
    assert_eq!((&all[8]["landing"], &all[8]["branch"]), (&"push".into(), &run["branch"]));
    assert_eq!(all[9]["head"], run["landed"]["head"]);
    assert!(!fs::read_to_string(file(&stage)).unwrap().contains("quietly-4711"), "nothing of the prompt");
    assert_eq!(kinds(&entries(&stage, &["--run", "hello", "--kind", "launch"])), ["launch"]);
    assert_whole(&stage);
    let shown = stage.sandbox.host(&["audit"]).stdout;
    assert!(shown.contains("claude-code") && shown.contains("host-stopped"), "{shown}");
}

#[test]
fn one_changed_byte_is_found_with_the_number_of_its_entry() {
    let stage = landed();
    let content = fs::read_to_string(file(&stage)).unwrap();
    let mut lines: Vec<String> = content.lines().map(str::to_owned).collect();
    lines[5] = lines[5].replace("\"auto-edits\"", "\"full-auto1\"");
    fs::write(file(&stage), lines.join("\n") + "\n").unwrap();
    let found = verify(&stage, &[]);
    assert_eq!(found.code, TAMPERED, "{found:?}");
    assert!(found.stderr.contains("entry 6 was changed") && found.stderr.contains("line 6 of"), "{found:?}");
}

#[test]
fn a_tail_that_was_cut_off_is_found_by_the_heads_in_three_places() {
    let stage = landed();
    let head = stage.sandbox.host(&["audit", "head"]).stdout;
    let content = fs::read_to_string(file(&stage)).unwrap();
    let kept: String = content.split_inclusive('\n').take(8).collect();
    fs::write(file(&stage), kept).unwrap();
    let found = verify(&stage, &[]);
    assert_eq!(found.code, TAMPERED, "{found:?}");
    assert!(found.stderr.contains("entries 9…12 are missing at the end"), "{found:?}");
    // The journal was told of the landing before it heard that it had happened.
    fs::remove_file(file(&stage).with_file_name("head")).unwrap();
    let found = verify(&stage, &[]);
    assert_eq!(found.code, TAMPERED, "{found:?}");
    assert!(found.stderr.contains("missing at the end"), "{found:?}");
    fs::remove_file(stage.sandbox.state_folder().join("journal.db")).unwrap();
    assert_whole(&stage);
    let found = verify(&stage, &["--head", head.trim()]);
    assert_eq!(found.code, TAMPERED, "{found:?}");
    assert!(found.stderr.contains("entries 9…12"), "{found:?}");
}

#[test]
fn a_refused_effect_and_a_grant_that_was_taken_back_are_in_it() {
    let stage = Stage::with_claude(&imitations::does_its_task()).0;
    // The plugin asks for every file that it finds; by such a name it may ask for none.
    fs::write(stage.repository.path().join("tasks/not\\a-name.md"), "# Not a task\n").unwrap();
    let mut host = stage.start(&[]);
    let denied = wait_until(PATIENCE, "an effect is refused", || {
        let denied = entries(&stage, &["--kind", "denied"]);
        if denied.is_empty() { Err(host.stderr()) } else { Ok(denied) }
    });
    host.kill_9();
    let told = ["plugin", "effect", "reason"].map(|field| denied[0][field].as_str().unwrap());
    assert_eq!((told, &denied[0]["times"]), (["folder", "files", "file-path"], &1.into()));
    let revoked = stage.sandbox.host(&["plugin", "revoke", "folder"]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    assert_eq!(entries(&stage, &["--kind", "revoke"])[0]["plugin"], "folder");
    assert_whole(&stage);
}

#[test]
fn a_host_that_is_killed_between_its_entries_leaves_a_log_that_goes_on_whole() {
    let (stage, agent) = Stage::with_claude(&Script::always(vec![
        Step::read_stdin(),
        Step::wait_for("go"),
        Step::transcript(transcript("claude-success")),
    ]));
    stage.task("hello", "Write hello.txt\n");
    let mut host = stage.start_once(&[]);
    stage.wait_for_state("hello", "running");
    host.kill_9();
    // As if the kill had met it in the middle of a line.
    let whole = fs::read_to_string(file(&stage)).unwrap();
    fs::write(file(&stage), format!("{whole}{}", &whole[..40])).unwrap();
    agent.let_go("go").unwrap();
    let mut next = stage.start_once(&[]);
    assert!(next.wait(LONG).success(), "{}", next.stderr());
    assert_whole(&stage);
    let all = entries(&stage, &[]);
    let told = kinds(&all);
    assert_eq!(told.iter().filter(|kind| **kind == "launch").count(), 1, "it was taken up again: {told:?}");
    assert_eq!(told.iter().filter(|kind| **kind == "healed").count(), 1, "{told:?}");
    assert_eq!(told.last(), Some(&"host-stopped"));
}

#[test]
fn without_the_audit_log_nothing_is_allowed_and_no_host_starts() {
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    let folder = stage.sandbox.state_folder().join("audit");
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    for words in [&["plugin", "allow", "command", "--yes"][..], &["run", "--plugin", "folder", "--once"]] {
        let refused = stage.sandbox.host(words);
        assert_eq!(refused.code, Some(9), "{refused:?}");
        assert!(refused.stderr.contains("the audit log"), "{refused:?}");
    }
    assert!(agent.starts().unwrap().is_empty());
    fs::remove_file(&folder).unwrap();
    assert_eq!(stage.run_once(&[]).code, Some(0));
}

#[test]
fn an_agent_that_cannot_be_accounted_for_starts_once_it_can() {
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    let stage = stage.variable(host_clock::TEST_CLOCK, "1");
    let host = stage.start(&[]);
    wait_until(PATIENCE, "the host works", || {
        let kinds = entries(&stage, &["--kind", "admitted"]).len();
        if kinds == 2 { Ok(()) } else { Err(host.stderr()) }
    });
    let (folder, aside) = (stage.sandbox.state_folder().join("audit"), stage.sandbox.folder().join("aside"));
    fs::rename(&folder, &aside).unwrap();
    fs::write(&folder, "in the way").unwrap();
    stage.task("hello", "Write hello.txt\n");
    wait_until(PATIENCE, "the launch is refused", || {
        let said = host.stdout() + &host.stderr();
        if said.contains("the audit log") { Ok(()) } else { Err(said) }
    });
    assert!(agent.starts().unwrap().is_empty());
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    // It is tried again after a while.
    host_clock::advance(&stage.sandbox, Duration::from_mins(10)).unwrap();
    stage.wait_for_state("hello", "closed");
    assert!(!agent.starts().unwrap().is_empty());
    assert_whole(&stage);
}
