//! How the plugin starts Claude Code.
#![allow(clippy::unwrap_used)]

use hostler_plugin_claude_code::ClaudeCode;
use hostler_sdk::Provider;
use hostler_sdk::testing::job;

fn slots(permission: &str, session: Option<&str>) -> (String, Vec<(String, String)>) {
    let mut job = job("-- do it");
    job.permission = permission.into();
    job.session = session.map(str::to_owned);
    let invocation = ClaudeCode::launch(&job).unwrap();
    assert_eq!(invocation.stdin.as_deref(), Some(&b"-- do it"[..]));
    assert!(!invocation.keep_stdin);
    (invocation.command, invocation.slots)
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

#[test]
fn each_permission_has_its_mode_and_unknown_ones_count_as_safe() {
    assert_eq!(slots("safe", None), ("start".into(), vec![]));
    assert_eq!(slots("boundless", None), ("start".into(), vec![]));
    assert_eq!(slots("auto-edits", None).1, [pair("permission", "acceptEdits")]);
    assert_eq!(slots("full-auto", None).1, [pair("permission", "bypassPermissions")]);
}

#[test]
fn a_session_is_resumed() {
    assert_eq!(slots("safe", Some("abc")), ("resume".into(), vec![pair("session", "abc")]));
}

#[test]
fn the_version_is_what_the_cli_prints() {
    let capabilities = ClaudeCode::detect("2.1.328 (Claude Code)\n");
    assert_eq!(capabilities.version, "2.1.328 (Claude Code)");
    assert!(capabilities.names.contains(&"resume".to_owned()));
}
