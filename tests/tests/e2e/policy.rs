//! A host under a policy: what it denies is denied whatever the operator allows, each
//! denial names its line, and a policy that cannot be used lets nothing begin.

use hostler_tests::scripted_agent::{Installed, Script, Step, imitations, transcript};
use hostler_tests::{PATIENCE, wait_until};
use serde_json::Value;
use standin_trakkar::Endpoint;

use crate::stage::{LONG, Stage, assert_one_sentence};
use crate::trakkar::scene::{Scene, does_its_task};

fn ready(text: &str) -> (Stage, Installed) {
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    (stage.under_policy(text), agent)
}

/// The host does not begin, and says so in one sentence.
fn refuses(stage: &Stage, more: &[&str], code: i32, says: &[&str]) {
    let output = stage.run_once(more);
    assert_eq!(output.code, Some(code), "{output:?}");
    assert_one_sentence(&output.stderr);
    for part in says {
        assert!(output.stderr.contains(part), "no {part:?} in {}", output.stderr);
    }
}

fn check(stage: &Stage, words: &[&str]) -> (Option<i32>, Value) {
    let output = stage.sandbox.host(&[&["policy", "check", "--json"], words].concat());
    (output.code, serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{output:?}")))
}

fn digest_of(stage: &Stage, plugin: &str) -> String {
    let shown = stage.sandbox.host(&["plugin", "inspect", plugin, "--json"]).stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    shown["inspection"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn a_plugin_is_used_only_if_the_policy_names_it_by_name_bytes_or_publisher() {
    let (stage, agent) = ready("[plugins]\nids = [\"folder\"]\n");
    refuses(&stage, &[], 5, &["claude-code.wasm", "line 2 of ", "policy.toml", "host policy check"]);
    let bytes = |digest: &str| format!("[plugins]\nids = [\"folder\"]\ndigests = [\"{digest}\"]\n");
    stage.write_policy(&bytes(&"0".repeat(64)));
    refuses(&stage, &[], 5, &["claude-code.wasm", "line 3 of ", "policy.toml"]);

    let key = stage.sandbox.folder().join("ada.key").display().to_string();
    let made = stage.sandbox.host(&["plugin", "keys", "generate", &key, "--no-password"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let public = std::fs::read_to_string(format!("{key}.pub")).unwrap();
    let public = public.trim().lines().last().unwrap();
    let publisher = format!("[plugins]\nids = [\"folder\"]\npublishers = [\"{public}\"]\n");
    stage.write_policy(&publisher);
    refuses(&stage, &[], 5, &["claude-code.wasm", "policy.toml"]);
    let signed = stage.sandbox.host(&["plugin", "sign", "claude-code", "--key", &key]);
    assert_eq!(signed.code, Some(0), "{signed:?}");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    stage.assert_reported_once("hello", "done");

    stage.write_policy(&bytes(&digest_of(&stage, "claude-code")));
    stage.task("again", "Write it again\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    assert_eq!(agent.starts().unwrap().len(), 2, "nothing was started while it was refused");
}

#[test]
fn a_policy_can_ask_for_signatures_that_the_operator_does_not_care_about() {
    let (stage, _) = ready("[plugins]\nsignatures = \"require\"\n");
    stage.sandbox.configure("signatures = \"off\"\n");
    refuses(&stage, &[], 4, &["folder.wasm", "not signed"]);
    let told = stage.sandbox.host(&["audit", "--kind", "denied", "--json"]).stdout;
    assert!(told.contains(r#""plugin":"folder","effect":"start","reason":"signature""#), "{told}");
}

#[test]
fn an_origin_is_cut_off_at_the_gate_while_the_host_runs_and_comes_back_with_the_policy() {
    let mut scene = Scene::playing(&Script::always(does_its_task()));
    scene.stage = scene.stage.under_policy("");
    let host = scene.start(&[]);
    scene.wait_for_requests(Endpoint::Claim, 1, &host);
    scene.stage.write_policy("[http]\norigins = [\"https://elsewhere.example\"]\n");
    let denied = || {
        let status = scene.stage.sandbox.host(&["status", "--json"]).stdout;
        let status: Value = serde_json::from_str(&status).map_err(|_| status.clone())?;
        status["denied"]["http-ceiling"].as_u64().ok_or_else(|| status.to_string())
    };
    wait_until(PATIENCE, "a request was refused", denied);
    host.wait_for_stdout("line 2 of ", PATIENCE);
    let (before, counted) = (scene.sent(Endpoint::Claim).len(), denied().unwrap());
    let (_, run) = scene.delegate("Write hello.txt");
    wait_until(PATIENCE, "it is tried again", || match denied().unwrap() {
        more if more > counted => Ok(()),
        same => Err(same.to_string()),
    });
    assert_eq!((scene.sent(Endpoint::Claim).len(), scene.starts().len()), (before, 0));
    scene.stage.write_policy("");
    scene.wait_for(&run, "pr_opened", &host);
    scene.drain(host);
}

#[test]
fn agents_may_do_no_more_than_the_organisation_allows_and_show_says_who_set_it() {
    let (stage, agent) = ready("[agents]\npermission-ceiling = \"safe\"\nenvironment = []\n");
    let stage = stage.variable("ANTHROPIC_API_KEY", "key-of-ann");
    let ran = stage.run_once(&["--permission", "full-auto"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("policy keeps ANTHROPIC_API_KEY from the agents of claude-code"), "{ran:?}");
    assert!(ran.stdout.contains("safe, never more (your organisation's policy)"), "{ran:?}");
    let run = stage.run("hello");
    assert_eq!(
        (run["permission"].as_str(), run["permission_by"].as_str()),
        (Some("safe"), Some("organisation"))
    );
    assert!(stage.sandbox.host(&["show", "hello"]).stdout.contains("safe (set by the organisation)"));
    let start = agent.wait_for_start(1);
    let argv = start.argv.join(" ");
    assert!(!argv.contains("dangerously") && !argv.contains("acceptEdits"), "{argv}");
    assert!(!start.env.contains_key("ANTHROPIC_API_KEY"), "{:?}", start.env);
    assert!(start.env.contains_key("PATH") && start.env.contains_key("HOME"));

    stage.write_policy("[agents]\nenvironment = [\"ANTHROPIC_API_KEY\"]\n");
    stage.task("again", "Write it again\n");
    assert_eq!(stage.run_once(&["--permission", "auto-edits"]).code, Some(0));
    let start = agent.wait_for_start(2);
    assert_eq!(start.env.get("ANTHROPIC_API_KEY").map(String::as_str), Some("key-of-ann"));
    assert!(start.argv.join(" ").contains("acceptEdits"), "{:?}", start.argv);
}

#[test]
fn a_repository_and_a_program_that_the_policy_does_not_name_are_refused() {
    let (stage, agent) = ready("[repositories]\nallow = [\"https://github.com/acme/\"]\n");
    refuses(&stage, &[], 5, &["repositories/app", "line 2 of ", "policy.toml"]);
    stage.write_policy("\n[programs]\nallow = [\"codex\"]\n");
    refuses(&stage, &[], 5, &["bin/claude", "line 3 of ", "policy.toml"]);
    assert_eq!(agent.starts().unwrap().len(), 0);
    let folder = stage.repository.path().canonicalize().unwrap();
    let folder = folder.parent().unwrap().display().to_string();
    stage.write_policy(&format!(
        "[repositories]\nallow = [\"{folder}/\"]\n[programs]\nallow = [\"claude\"]\n"
    ));
    assert_eq!(stage.run_once(&[]).code, Some(0));
    stage.assert_reported_once("hello", "done");
}

#[test]
fn work_lands_no_further_than_the_policy_allows_in_that_moment() {
    let works = [
        Step::read_stdin(),
        Step::write("hello.txt", "done\n"),
        Step::mark("working"),
        Step::wait_for("go"),
        Step::transcript(transcript("claude-success")),
    ];
    let (stage, agent) = Stage::with_claude(&Script::always(works));
    let origin = stage.sandbox.folder().join("origin.git").display().to_string();
    stage.repository.git(&["init", "--quiet", "--bare", &origin]);
    stage.repository.git(&["remote", "add", "origin", &origin]);
    stage.repository.git(&["push", "--quiet", "origin", "main"]);
    stage.name_the_operator();
    let stage = stage.under_policy("");
    stage.task("hello", "---\nlanding: push\n---\nWrite hello.txt\n");
    let mut host = stage.start_once(&[]);
    agent.wait_for_mark("working");
    stage.write_policy("[landing]\nallow = [\"pull-request\"]\n");
    agent.let_go("go").unwrap();
    host.wait(LONG);
    let run = stage.wait_for_state("hello", "closed");
    assert!(run.to_string().contains("line 2 of "), "{run}");
    let branches = || stage.repository.git(&["ls-remote", "--heads", "origin"]);
    assert_eq!(branches().trim().lines().count(), 1, "only main: {}", branches());

    stage.task("later", "---\nlanding: push\n---\nWrite hello.txt\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    let later = stage.run("later");
    assert!(later["landed"]["note"].as_str().unwrap().contains("not allowed here"), "{later}");
    assert_eq!(branches().trim().lines().count(), 1, "only main: {}", branches());
}

#[test]
fn a_plugin_that_is_denied_while_it_is_used_ends_its_host() {
    let (stage, _) = ready("");
    let mut host = stage.start(&[]);
    stage.wait_for_state("hello", "closed");
    stage.write_policy("[plugins]\nids = [\"claude-code\"]\n");
    assert_eq!(host.wait(LONG).code(), Some(5), "{}", host.stderr());
    assert!(host.stderr().contains("line 2 of "), "{}", host.stderr());
}

#[test]
fn a_policy_that_cannot_be_used_lets_no_work_begin_and_is_explained() {
    let (stage, agent) = ready("[agent]\n");
    refuses(&stage, &[], 3, &["line 1 of ", "`agent`", "agents", "nothing is allowed"]);
    let (code, told) = check(&stage, &["--permission", "safe", "folder"]);
    assert_eq!(code, Some(3));
    assert!(told["policies"][0]["problem"].as_str().unwrap().contains("`agent`"), "{told}");
    assert_eq!(told["asked"][0]["standing"], "denied", "{told}");
    assert!(stage.sandbox.host(&["doctor"]).stdout.contains("line 1 of "), "the doctor tells it, too");
    std::fs::remove_file(stage.sandbox.folder().join("policy.toml")).unwrap();
    refuses(&stage, &[], 3, &["policy.toml", "HOSTLER_POLICY"]);
    assert_eq!(agent.starts().unwrap().len(), 0);
}

#[test]
fn a_policy_that_breaks_while_a_host_runs_stops_new_work_until_it_is_mended() {
    let (stage, agent) = ready("");
    let mut host = stage.start(&[]);
    stage.wait_for_state("hello", "closed");
    stage.write_policy("half a fi");
    host.wait_for_stdout("No work is begun", PATIENCE);
    stage.task("later", "Write it again\n");
    wait_until(PATIENCE, "the host looked for work", || {
        let status = stage.sandbox.host(&["status", "--json"]).stdout;
        if status.contains("no work is begun") { Ok(()) } else { Err(status) }
    });
    assert!(stage.try_run("later").is_err(), "nothing was taken");
    stage.write_policy("");
    assert_eq!(stage.wait_for_state("later", "closed")["result"], "succeeded");
    assert_eq!(agent.starts().unwrap().len(), 2);
    host.terminate();
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
}

#[test]
fn a_check_tells_each_right_of_a_plugin_with_what_is_left_of_it() {
    let stage = Stage::bare().under_policy("[programs]\nallow = [\"codex\"]\n[agents]\nenvironment = []\n");
    let standing = |told: &Value, what: &str| {
        let asked = told["asked"].as_array().unwrap().iter();
        let found = asked.clone().find(|one| one["what"].as_str().unwrap().contains(what));
        found.unwrap_or_else(|| panic!("no {what} in {told}"))["standing"].as_str().unwrap().to_owned()
    };
    let (code, told) = check(&stage, &["claude-code"]);
    assert_eq!(code, Some(5));
    assert_eq!(standing(&told, "use the plugin"), "allowed");
    assert_eq!(standing(&told, "start"), "denied");
    assert_eq!(standing(&told, "ANTHROPIC_API_KEY"), "denied");
    let (code, told) = check(&stage, &["folder"]);
    assert_eq!((code, standing(&told, "files").as_str()), (Some(5), "not-granted"));
    stage.allow("folder");
    assert_eq!(check(&stage, &["folder"]).0, Some(0));
    assert_eq!(check(&stage, &["--origin", "https://a.example", "--permission", "full-auto"]).0, Some(0));
    assert_eq!(check(&stage, &["--program", "claude"]).0, Some(5));
    stage.write_policy("[repositories]\nallow = []\n");
    let shown = stage.sandbox.host(&["policy", "check", "--repository", "."]);
    assert!(shown.code == Some(5) && shown.stdout.contains("denied by line 2 of "), "{shown:?}");
}
