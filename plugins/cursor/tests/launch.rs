//! How the plugin starts Cursor.
#![allow(clippy::unwrap_used)]

use hostler_plugin_cursor::Cursor;
use hostler_sdk::Provider;
use hostler_sdk::testing::job;

fn launched(permission: &str, session: Option<&str>) -> (String, Vec<(String, String)>) {
    let mut job = job("-- do it");
    job.permission = permission.into();
    job.session = session.map(str::to_owned);
    let invocation = Cursor::launch(&job).unwrap();
    assert_eq!(invocation.stdin.as_deref(), Some(&b"-- do it"[..]));
    assert!(!invocation.keep_stdin);
    (invocation.command, invocation.slots)
}

#[test]
fn only_full_auto_forces_and_unknown_permissions_count_as_safe() {
    for permission in ["safe", "auto-edits", "boundless"] {
        assert_eq!(launched(permission, None), ("start".into(), vec![]));
    }
    assert_eq!(launched("full-auto", None).0, "start-force");
}

#[test]
fn a_session_is_resumed() {
    let session = vec![("session".to_owned(), "abc".to_owned())];
    assert_eq!(launched("safe", Some("abc")), ("resume".into(), session.clone()));
    assert_eq!(launched("full-auto", Some("abc")), ("resume-force".into(), session));
}

#[test]
fn a_model_is_passed_on() {
    let mut job = job("do it");
    job.model = Some("auto".into());
    assert_eq!(Cursor::launch(&job).unwrap().slots, [("model".to_owned(), "auto".to_owned())]);
}

#[test]
fn the_version_is_what_the_cli_prints() {
    let capabilities = Cursor::detect("2026.02.13-41ac335\n");
    assert_eq!(capabilities.version, "2026.02.13-41ac335");
    assert!(capabilities.names.contains(&"resume".to_owned()));
    assert!(!capabilities.names.contains(&"cost".to_owned()), "it never says what it costs");
}
