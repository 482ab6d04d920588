//! The effects that are not a tracker's requests: starting agents, judging and landing
//! their work, what they see, and where they may go.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use hostler_tests::scripted_agent::{Script, Step, imitations, transcript};
use serde_json::{Value, json};

use super::machine::{Machine, Told};
use super::name_of_inside;
use super::server::Server;
use crate::guest::{Guest, manifest};
use crate::sandbox::possible;
use crate::stage::{LONG, Stage, shell};

/// Does this, then its task.
fn does(text: &str) -> Script {
    Script::always([
        Step::read_stdin(),
        shell(text),
        Step::write("hello.txt", "hello\n"),
        Step::transcript(transcript("claude-success")),
    ])
}

/// Work that is to be pushed and judged, with variables for its agent, and a tracker that
/// was granted none of it.
pub fn wishes_beyond_the_grant() {
    let server = super::quiet(None);
    let machine = Machine::new(&server.url(), &[], &imitations::does_its_task());
    machine.stage.repository.add_origin();
    let offers = json!({ "push": true, "environment": [["WALK_VARIABLE", "x"]] });
    machine.asks(&server.url(), &json!([]), &offers);
    let host = machine.start();
    let start = machine.agent.wait_for_start(1);
    machine.wait_for("asker", "landing", "landing-grant", &host);
    machine.wait_for("asker", "environment", "environment-grant", &host);
    machine.end(host);
    assert!(!start.env.contains_key("WALK_VARIABLE"), "{:?}", start.env);
    assert_eq!(heads(&machine.stage), 1, "only main");

    let machine = Machine::new(&server.url(), &[], &imitations::does_its_task());
    machine.asks(&server.url(), &json!([]), &json!({ "verify": "touch ../judged" }));
    let host = machine.start();
    machine.wait_for("asker", "verify", "verify-grant", &host);
    let run = machine.stage.wait_for_state("one", "closed");
    assert!(run["report"]["message"].as_str().unwrap().contains("its grant does not cover"), "{run}");
    machine.end(host);
    assert!(machine.agent.starts().unwrap().is_empty(), "work that cannot be judged is not begun");
}

/// How many branches the remote has.
fn heads(stage: &Stage) -> usize {
    stage.repository.git(&["ls-remote", "--heads", "origin"]).trim().lines().count()
}

/// A provider whose command line is none of those it was granted.
pub fn another_command_line() {
    // The record of an invocation: `steal`, no slots, no standard input.
    let launch = "(i32.store (i32.const 1028) (i32.const 4000))
        (i32.store (i32.const 1032) (i32.const 5))
        (i32.const 1024)";
    let program =
        "[program]\nname = \"claude\"\nreason = \"to test\"\n[program.commands.start]\nargs = [\"work\"]\n";
    let manifest = manifest(program).replace("id = \"test\"", "id = \"crafty\"");
    let guest = Guest::provider().extra(r#"(data (i32.const 4000) "steal")"#).body("launch", launch);
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    let file = stage.sandbox.folder().join("data/hostler/plugins/crafty.wasm");
    fs::write(file, guest.manifest(Some(&manifest)).build()).unwrap();
    stage.allow("crafty");
    stage.task("hello", "Write hello.txt\n");
    let machine = Machine { stage, agent };
    let host = machine.stage.start(&["--provider", "crafty", "--attempts", "1"]);
    machine.wait_for("crafty", "launch", "command-line", &host);
    machine.end(host);
    assert!(machine.agent.starts().unwrap().iter().all(|start| start.argv.len() < 2), "at most its version");
}

/// The organisation forbids a program while the host runs: the request that brings the
/// task also brings the policy.
pub fn ceiling_of_programs() {
    let policy = Arc::new(OnceLock::<PathBuf>::new());
    let file = Arc::clone(&policy);
    let server = Server::start(
        None,
        Box::new(move |_| fs::write(file.get().unwrap(), "[programs]\nallow = [\"codex\"]\n").unwrap()),
    );
    let machine = Machine::new(&server.url(), &[], &imitations::does_its_task());
    policy.set(machine.stage.sandbox.folder().join("policy.toml")).unwrap();
    let before = machine.agent.starts().unwrap().len();
    machine.asks(&server.url(), &json!([super::http("GET", &format!("{}/api/", server.url()))]), &json!({}));
    let host = machine.start();
    machine.wait_for("claude-code", "launch", "launch-ceiling", &host);
    machine.end(host);
    assert_eq!(machine.agent.starts().unwrap().len(), before);
    // And at the start.
    let refused = machine.stage.sandbox.host(&["run", "--plugin", "asker", "--provider", "claude-code"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(machine.told().contains(&Told::of("claude-code", "start", "ceiling")));
}

/// Work is judged by no command and lands nowhere once the organisation forbids it, or
/// the tracker's leave is gone: all in the middle of the agent's work.
pub fn withdrawn_at_the_end() {
    let policy = "echo '[landing]' > ../../policy.toml; echo 'allow = [\"merge\"]' >> ../../policy.toml";
    let grants = "echo half a fi > ../../config/hostler/grants.toml";
    for (damage, wish, effect, reason) in [
        (policy, "landing: push", "landing", "landing-ceiling"),
        (grants, "landing: push", "landing", "landing-withdrawn"),
        (grants, "verify: touch ../judged", "verify", "verify-withdrawn"),
    ] {
        let server = super::quiet(None);
        let machine = Machine::new(&server.url(), &[], &Script::new());
        let damage = damage.replace("../..", &machine.stage.sandbox.folder().display().to_string());
        machine.stage.sandbox.install_agent("claude", &does(&damage));
        machine.stage.repository.add_origin();
        machine.stage.name_the_operator();
        machine.stage.task("hello", &format!("---\n{wish}\n---\nWrite hello.txt\n"));
        let host = machine.stage.start(&[]);
        machine.wait_for("folder", effect, reason, &host);
        machine.end(host);
        assert_eq!(heads(&machine.stage), 1, "only main: {reason}");
    }
}

/// A provider's grant is taken back while its agent works.
pub fn agent_without_leave() {
    let (stage, agent) = Stage::with_claude(&Script::always([Step::read_stdin(), Step::hang()]));
    let machine = Machine { stage, agent };
    machine.stage.task("hello", "Write hello.txt\n");
    let mut host = machine.stage.start(&[]);
    machine.agent.wait_for_start(1);
    let revoked = machine.stage.sandbox.host(&["plugin", "revoke", "claude-code"]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    assert_eq!(host.wait(LONG).code(), Some(5), "{}", host.stderr());
    machine.stage.wait_until_nothing_lives();
    let withdrawn = machine.stage.sandbox.host(&["audit", "--kind", "withdrawn", "--json"]).stdout;
    assert!(withdrawn.contains("\"claude-code\""), "{withdrawn}");
    assert_eq!(machine.stage.run_once(&[]).code, Some(5));
    assert!(machine.told().contains(&Told::of("claude-code", "start", "grant-missing")));
}

/// What a contained agent asks its way out for; each row is a place and why it is closed.
pub fn ways_out() {
    let open = super::quiet(None);
    let (stage, agent) = Stage::with_claude(&Script::new());
    let machine = Machine { stage: stage.variable("HOSTLER_SANDBOX", "contained"), agent };
    if !possible(&machine.stage, "contained") {
        return;
    }
    let (port, inside) = (open.port, name_of_inside());
    let listed = inside.as_ref().map_or_else(String::new, |name| format!(", \"{name}:*\""));
    let policy = format!("[agents]\nnetwork = [\"127.0.0.1:*\", \"b.invalid:*\"{listed}]\n");
    let machine = Machine { stage: machine.stage.under_policy(&policy), ..machine };
    machine.stage.sandbox.configure(&format!(
        "[agents]\nnetwork = [\"127.0.0.1:{port}\", \"c.invalid:443\"{listed}]\n\
         network-deny = [\"127.0.0.1:9\"]\n"
    ));
    let through =
        |name: String| ("a name that leads inside", format!("CONNECT {name}:{port}"), "egress-address");
    let rows = [
        ("another host", format!("CONNECT b.invalid:{port}"), "egress-unlisted"),
        ("another port", "CONNECT 127.0.0.1:1".to_owned(), "egress-unlisted"),
        ("a rule against it", "CONNECT 127.0.0.1:9".to_owned(), "egress-forbidden"),
        ("the organisation's word", "CONNECT c.invalid:443".to_owned(), "egress-ceiling"),
        ("no such model", "GET /hostler/model/other/v1".to_owned(), "egress-model"),
    ];
    let rows: Vec<_> = rows.into_iter().chain(inside.map(through)).collect();
    let ask = |(_, request, _): &(&str, String, &str)| {
        format!(
            "exec 3<>/dev/tcp/127.0.0.1/3128; printf '{request} HTTP/1.1\\r\\n\\r\\n' >&3; \
             head -c 12 <&3 >> answers.txt; echo >> answers.txt; exec 3>&-"
        )
    };
    let asks: Vec<String> = rows.iter().map(ask).collect();
    let recording = machine.stage.sandbox.bin_folder().join("recording.jsonl");
    fs::copy(transcript("claude-success"), &recording).unwrap();
    let steps = [
        Step::read_stdin(),
        shell(&asks.join("\n")),
        Step::commit("Tell how it was answered"),
        Step::transcript(recording),
    ];
    let log = Some("/tmp/claude.starts.jsonl".into());
    machine.stage.sandbox.install_agent("claude", &Script { log, ..Script::always(steps) });
    machine.stage.task("hello", "Ask for everything\n");
    let output = machine.stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let answers = machine.stage.on_branch("hello", "answers.txt");
    let noted = fs::read_to_string(machine.stage.attempt_folder("hello", 1).join("network.jsonl")).unwrap();
    let denied = |line: &str| serde_json::from_str::<Value>(line).unwrap()["outcome"] == "denied";
    assert_eq!(noted.lines().filter(|line| denied(line)).count(), rows.len(), "{noted}");
    let told = machine.told();
    for ((closed, _, reason), answer) in rows.iter().zip(answers.lines()) {
        assert_eq!(answer, "HTTP/1.1 403", "{closed}");
        assert!(told.contains(&Told::of("the agent of hello", "egress", reason)), "{closed}: {told:?}");
    }
    assert_eq!(answers.lines().count(), rows.len());
    assert!(open.asked().is_empty());
}
