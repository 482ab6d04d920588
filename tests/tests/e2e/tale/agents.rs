//! Every CLI that Tale knows, and conversations that go on.

use hostler_tests::scripted_agent::{Pace, Replacement, Script, Start, Step, Stream, imitations, transcript};
use standin_tale::Endpoint;

use super::scene::{CLAUDE, Cli, KEY, Scene};

const CODEX: Cli =
    Cli { program: "codex", adapter: "codex", session: "01a1f7db-191a-79e1-8a8b-c8080c2f4471" };
const OPENCODE: Cli =
    Cli { program: "opencode", adapter: "opencode", session: "ses_e0824c013ffeJH41qUa6r1K8fp" };

/// Greets as it is told, in a session of this name.
fn greets(cli: Cli, session: &str, greeting: &str) -> Vec<Step> {
    vec![
        Step::read_stdin(),
        Step::write("hello.txt", format!("{greeting}\n")),
        Step::commit(format!("Greet: {greeting}")),
        success(cli, session),
    ]
}

/// What the CLI really printed at a success, in a session of this name.
fn success(cli: Cli, session: &str) -> Step {
    Step::Transcript {
        file: transcript(&format!("{}-success", cli.program)),
        lines: None,
        pace: Pace::Instant,
        stream: Stream::Stdout,
        replace: vec![Replacement { from: cli.session.to_owned(), to: session.to_owned() }],
    }
}

/// The first run of a task and its revision, each with a host of its own; the starts
/// of the first and what the revision's agent does.
fn revised(cli: Cli, revision: &Script) -> (Scene, Vec<Start>) {
    let scene = Scene::of(cli, &Script::always(greets(cli, cli.session, "hello")));
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    let run = scene.server.request_revision(&scene.task, "Greet in French.").unwrap();
    scene.stage.sandbox.install_agent(cli.program, revision);
    let host = scene.start();
    scene.wait_for(&run, "completed", &host);
    scene.drain(host);
    assert_eq!(scene.ends().len(), 2, "one for each run");
    assert_eq!(scene.stage.on_branch(KEY, "hello.txt"), "bonjour");
    let starts = scene.agent.starts().unwrap();
    (scene, starts)
}

/// The revision goes on in the session and the worktree of the first run.
fn assert_resumed(cli: Cli, resuming: &[&str]) {
    let (_, starts) = revised(cli, &Script::always(greets(cli, cli.session, "bonjour")));
    let [first, second] = &starts[..] else { panic!("not two starts: {starts:?}") };
    assert!(!first.argv.iter().any(|word| word.contains(cli.session)), "{:?}", first.argv);
    for word in resuming {
        assert!(second.argv.iter().any(|said| said == word), "no {word} in {:?}", second.argv);
    }
    assert_eq!(first.cwd, second.cwd);
    assert!(second.stdin.as_ref().unwrap().contains("Greet in French."));
}

#[test]
fn a_revision_goes_on_in_the_session_and_the_worktree_of_the_first_run() {
    assert_resumed(CLAUDE, &[&format!("--resume={}", CLAUDE.session)]);
}

#[test]
fn codex_does_a_task_of_the_board_and_its_revision_in_the_same_session() {
    assert_resumed(CODEX, &["exec", "resume", CODEX.session]);
}

#[test]
fn opencode_does_a_task_of_the_board_and_its_revision_in_the_same_session() {
    assert_resumed(OPENCODE, &[&format!("--session={}", OPENCODE.session)]);
}

/// The CLI refuses the session; once, and without it, it does the revision.
fn assert_done_without_a_refused_session(cli: Cli, refusal: &[Step]) {
    let script = Script::new().attempt([]).attempt(refusal.iter().cloned()).attempt(greets(
        cli,
        "a-new-session",
        "bonjour",
    ));
    let (scene, starts) = revised(cli, &script);
    let [_, refused, third] = &starts[..] else { panic!("not three starts: {starts:?}") };
    assert_eq!(refused.cwd, third.cwd);
    let resumes =
        |start: &Start| start.argv.iter().any(|word| word.contains("resume") || word.contains("--session"));
    assert!(resumes(refused) && !resumes(third), "{starts:?}");
    assert!(third.stdin.as_ref().unwrap().contains("could not be resumed"), "{third:?}");
    let told = &scene.sent(Endpoint::Complete)[1].body;
    assert!(told["summary"].as_str().unwrap().contains("could not be resumed"), "{told}");
    assert_eq!(told["sessionRef"], "a-new-session", "the next revision goes on in the new one");
    assert_eq!(scene.sent(Endpoint::Fail).len(), 0);
}

#[test]
fn a_session_that_claude_refuses_is_tried_once_more_without_it_and_the_report_says_so() {
    let refusal = [Step::complain("No conversation found with session ID: 7f9c"), Step::exit(1)];
    assert_done_without_a_refused_session(CLAUDE, &refusal);
}

#[test]
fn a_session_that_codex_refuses_is_tried_once_more_without_it_and_the_report_says_so() {
    let refusal =
        [Step::complain("Error: thread/resume: no rollout found for thread id 01a1f7db"), Step::exit(1)];
    assert_done_without_a_refused_session(CODEX, &refusal);
}

#[test]
fn a_session_that_opencode_refuses_is_tried_once_more_without_it_and_the_report_says_so() {
    let refusal = [Step::complain("Error: Session not found: ses_e0824c013"), Step::exit(1)];
    assert_done_without_a_refused_session(OPENCODE, &refusal);
}

#[test]
fn a_cli_that_is_not_there_gets_no_runs_and_the_others_are_advertised() {
    let scene = Scene::of(CODEX, &imitations::waits_for_the_end_of_its_input());
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    let registered = &scene.sent(Endpoint::Register)[0].body;
    let adapters: Vec<_> =
        registered["adapters"].as_array().unwrap().iter().map(|one| &one["adapterType"]).collect();
    assert_eq!(adapters, ["codex"], "{registered}");
}
