//! How the plugin starts Codex.
#![allow(clippy::unwrap_used)]

use hostler_plugin_codex::Codex;
use hostler_sdk::Provider;
use hostler_sdk::testing::job;

#[test]
fn each_permission_has_its_sandbox_and_unknown_ones_count_as_safe() {
    for (permission, sandbox) in [
        ("safe", "read-only"),
        ("auto-edits", "workspace-write"),
        ("full-auto", "danger-full-access"),
        ("boundless", "read-only"),
    ] {
        let mut job = job("do it");
        job.permission = permission.into();
        let invocation = Codex::launch(&job).unwrap();
        assert_eq!(invocation.command, "start");
        assert_eq!(invocation.slots, [("sandbox".to_owned(), sandbox.to_owned())]);
        assert_eq!(invocation.stdin.as_deref(), Some(&b"do it"[..]));
    }
}

#[test]
fn a_session_is_resumed_with_its_model() {
    let mut job = job("go on");
    job.session = Some("abc".into());
    job.model = Some("gpt-5.5".into());
    let invocation = Codex::launch(&job).unwrap();
    assert_eq!(invocation.command, "resume");
    let names: Vec<&str> = invocation.slots.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["session", "sandbox", "model"]);
}
