//! The real Codex and the real `OpenCode` through the whole host, in the tightest sandbox
//! they work in, against the stand-in model service.
//!
//! These take longer than other tests: both CLIs unpack themselves on their first start,
//! and `OpenCode` needs seconds for each.

use std::os::unix::fs::symlink;
use std::path::Path;

use hostler_tests::{ModelServer, RealCli, Scenario};
use serde_json::json;

use crate::sandbox::possible;
use crate::stage::Stage;

/// What the model asks for: a commit, and traces where an agent has no business.
fn work() -> Scenario {
    Scenario::bash(
        "printf 'hello\\n' > hello.txt && git add hello.txt && git commit --quiet -m 'Write hello.txt'; \
         sh -c 'touch ~/planted ../../../planted ../../../.git/planted'",
    )
}

/// A machine on which a provider's CLI is this program.
fn stage(provider: &str, program: &Path) -> Option<Stage> {
    let stage = Stage::bare().variable("HOSTLER_SANDBOX", "basic");
    if !possible(&stage, "basic") {
        return None;
    }
    symlink(program, stage.sandbox.bin_folder().join(provider)).unwrap();
    let identity = "[user]\nname = Agent\nemail = agent@example.com\n";
    std::fs::write(stage.sandbox.folder().join("home/.gitconfig"), identity).unwrap();
    stage.allow("folder");
    Some(stage)
}

/// Has the task done; what the agent did is there, and nothing besides.
fn is_done(stage: &Stage, provider: &str) -> serde_json::Value {
    stage.allow(provider);
    stage.task("hello", "Write hello.txt and commit it.\n");
    let output = stage.run_once(&["--provider", provider, "--attempts", "1"]);
    let said = || stage.sandbox.host(&["logs", "hello", "--raw"]).stdout;
    assert_eq!(output.code, Some(0), "{output:?}\n{}", said());
    stage.assert_reported_once("hello", "done");
    let run = stage.run("hello");
    let subject = stage.repository.git(&["log", "-1", "--format=%s", run["branch"].as_str().unwrap()]);
    assert_eq!(subject, "Write hello.txt", "the agent's own commit: {}", said());
    assert_eq!(stage.on_branch("hello", "hello.txt"), "hello");
    assert_eq!((run["files"].as_array().unwrap().len(), &run["files"][0]["path"]), (1, &"hello.txt".into()));
    assert!(run["attempts"][0]["session"].is_string(), "{run}");
    for place in ["home/planted", "repositories/app/planted", "repositories/app/.git/planted"] {
        assert!(!stage.sandbox.folder().join(place).exists(), "{place}: {}", said());
    }
    let shown = stage.sandbox.host(&["show", "hello"]).stdout;
    assert!(shown.contains("basic sandbox"), "{shown}");
    run
}

#[test]
fn the_real_codex_commits_its_work_from_a_sandbox_in_our_sandbox() {
    let Some(codex) = RealCli::Codex.program() else { return };
    let server = ModelServer::start().unwrap();
    let Some(stage) = stage("codex", &codex) else { return };
    let stage = stage.variable("CODEX_API_KEY", "sk-test");
    // Where it looks first. Beside its program it is not seen if that lies in `/tmp`, where
    // this repository may be.
    let bwrap = codex.parent().and_then(Path::parent).unwrap().join("codex-resources/bwrap");
    std::fs::copy(bwrap, stage.sandbox.bin_folder().join("bwrap")).unwrap();
    let settings = format!(
        "model = \"gpt-5.5\"\nmodel_provider = \"stand-in\"\n\
         [model_providers.stand-in]\nname = \"stand-in\"\nbase_url = \"{}/v1\"\n\
         env_key = \"CODEX_API_KEY\"\nwire_api = \"responses\"\n[analytics]\nenabled = false\n",
        server.base_url(&work())
    );
    let home = stage.sandbox.folder().join("home/.codex");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("config.toml"), settings).unwrap();
    let run = is_done(&stage, "codex");
    let usage = json!({ "input_tokens": 2400, "output_tokens": 80, "cached_tokens": 1000, "cost_usd": null });
    assert_eq!(run["usage"], usage);
    let asked = server.requests(&work());
    let turns: Vec<_> = asked.iter().filter(|request| request.path == "/v1/responses").collect();
    assert_eq!(turns.len(), 2);
    assert!(turns.iter().all(|turn| turn.headers["authorization"] == "Bearer sk-test"));
}

#[test]
fn the_real_opencode_commits_its_work_from_a_basic_sandbox() {
    let Some(opencode) = RealCli::OpenCode.program() else { return };
    let server = ModelServer::start().unwrap();
    let Some(stage) = stage("opencode", &opencode) else { return };
    let settings = json!({
        "provider": { "stand-in": {
            "npm": "@ai-sdk/anthropic",
            "options": { "baseURL": format!("{}/v1", server.base_url(&work())), "apiKey": "sk-test" },
            "models": { "m": { "cost": { "input": 1000, "output": 1000, "cache_read": 0, "cache_write": 0 } } }
        } },
        "model": "stand-in/m",
        "small_model": "stand-in/m"
    });
    let stage = stage
        .variable("OPENCODE_CONFIG_CONTENT", &settings.to_string())
        // No look at what models there are in the world.
        .variable("OPENCODE_DISABLE_MODELS_FETCH", "1");
    let run = is_done(&stage, "opencode");
    let usage = json!({ "input_tokens": 4000, "output_tokens": 80, "cached_tokens": 1000, "cost_usd": 2.48 });
    assert_eq!(run["usage"], usage);
    let asked = server.requests(&work());
    assert!(asked.iter().all(|request| request.headers["x-api-key"] == "sk-test"));
}
