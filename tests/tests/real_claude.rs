//! The real Claude Code CLI against the stand-in model service: what the host
//! believes of this CLI is true of the version the tests name.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hostler_tests::scripted_agent::transcript;
use hostler_tests::{ModelServer, Scenario, ScratchRepository, real_cli};
use serde_json::Value;
use tempfile::TempDir;

/// The CLI, a repository to work in, and a service to talk to.
struct Bench {
    claude: PathBuf,
    home: TempDir,
    repository: ScratchRepository,
    server: ModelServer,
}

impl Bench {
    /// `None`, with the reason printed, where the CLI cannot be had and need not be.
    fn new() -> Option<Self> {
        let claude = match real_cli::claude() {
            Ok(claude) => claude,
            Err(reason) if real_cli::is_required() => panic!("{reason}"),
            Err(reason) => {
                eprintln!("skipped: {reason} (set {}=1 to fail instead)", real_cli::REQUIRED);
                return None;
            }
        };
        Some(Self {
            claude,
            home: tempfile::tempdir().unwrap(),
            repository: ScratchRepository::new(),
            server: ModelServer::start().unwrap(),
        })
    }

    fn folder(&self) -> &Path {
        self.repository.path()
    }

    /// Everything it is told stands here: nothing comes from whoever runs the test,
    /// and what does not go to the loopback interface goes nowhere.
    fn command(&self, scenario: &Scenario) -> Command {
        let mut command = Command::new(&self.claude);
        command
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .env("LANG", "C.UTF-8")
            .env("ANTHROPIC_BASE_URL", self.server.base_url(scenario))
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("CLAUDE_CODE_MAX_RETRIES", "1")
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::null());
        command
    }

    fn ask(&self, scenario: &Scenario, key: (&str, &str)) -> Output {
        self.command(scenario)
            .env(key.0, key.1)
            .args(["-p", "Write hello.txt", "--output-format", "stream-json", "--verbose"])
            .args(["--permission-mode", "acceptEdits"])
            .output()
            .unwrap()
    }
}

const API_KEY: (&str, &str) = ("ANTHROPIC_API_KEY", "sk-test");
const SUBSCRIPTION: (&str, &str) = ("CLAUDE_CODE_OAUTH_TOKEN", "token-test");

fn events(output: &Output) -> Vec<Value> {
    let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn types(events: &[Value]) -> Vec<String> {
    let name = |event: &Value| event["type"].as_str().unwrap().to_owned();
    events.iter().map(name).collect()
}

fn recorded(name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(transcript(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn version_is_the_one_the_tests_are_about() {
    let Some(bench) = Bench::new() else { return };
    let output = bench.command(&Scenario::success()).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(version, format!("{} (Claude Code)\n", real_cli::CLAUDE_VERSION));
}

#[test]
fn a_task_is_done_and_prints_what_the_transcript_recorded() {
    let Some(bench) = Bench::new() else { return };
    let scenario = Scenario::success().folder(bench.folder().to_str().unwrap());
    let output = bench.ask(&scenario, API_KEY);
    let events = events(&output);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(bench.repository.read("hello.txt").unwrap(), "hello from the model server\n");
    let result = events.last().unwrap();
    assert_eq!((&result["type"], &result["is_error"]), (&"result".into(), &false.into()));
    assert_eq!(types(&events), types(&recorded("claude-success")));
    let requests = bench.server.requests(&scenario);
    let turns = requests.iter().filter(|request| request.path == "/v1/messages").count();
    assert!(turns >= 2, "{turns}");
    assert!(requests.iter().all(|request| request.headers["x-api-key"] == "sk-test"));
}

#[test]
fn a_refused_key_ends_in_a_result_that_says_so() {
    let Some(bench) = Bench::new() else { return };
    let output = bench.ask(&Scenario::named("401").unwrap(), API_KEY);
    let events = events(&output);
    let result = events.last().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(result["subtype"], "success");
    assert_eq!((&result["is_error"], &result["api_error_status"]), (&true.into(), &401.into()));
}

#[test]
fn an_exhausted_subscription_ends_with_the_time_it_is_back() {
    let Some(bench) = Bench::new() else { return };
    let output = bench.ask(&Scenario::named("quota").unwrap().reset(3600), SUBSCRIPTION);
    let events = events(&output);
    let limit = events.iter().find(|event| event["type"] == "rate_limit_event").unwrap();
    assert_eq!(limit["rate_limit_info"]["status"], "rejected");
    assert!(limit["rate_limit_info"]["resetsAt"].is_u64(), "{limit}");
    assert_eq!(events.last().unwrap()["api_error"], "usage_limit_reached");
    assert_eq!(types(&events), types(&recorded("claude-oauth-quota")));
}

#[test]
fn a_cut_stream_is_asked_for_again_and_the_task_is_done() {
    let Some(bench) = Bench::new() else { return };
    let folder = bench.folder().to_str().unwrap();
    let scenario = Scenario::named("cut").unwrap().times(1).folder(folder);
    let output = bench.ask(&scenario, API_KEY);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(bench.repository.read("hello.txt").is_some());
}
