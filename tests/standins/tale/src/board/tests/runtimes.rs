//! What daemons offer, and whether they are there.

use super::*;

fn offer(adapters: &[&str]) -> Registration {
    let adapter =
        |name: &&str| Adapter { adapter_type: (*name).to_owned(), version: None, capabilities: Vec::new() };
    Registration {
        daemon_id: DAEMON.to_owned(),
        name: None,
        adapters: adapters.iter().map(adapter).collect(),
        workspace_keys: (0..=limits::MAX_WORKSPACE_KEYS).map(|number| number.to_string()).collect(),
    }
}

#[test]
fn registering_replaces_what_a_daemon_offered_before() {
    let mut scene = Scene::new();
    let now = scene.now;
    assert!(!scene.board.heartbeat(ORG, DAEMON, now).known);
    assert_eq!(scene.board.register(ORG, offer(&["codex", "claude_code"]), now), 2);
    assert_eq!(scene.board.register(ORG, offer(&["codex"]), now), 1);
    let [row] = scene.board.runtimes() else { panic!("{:?}", scene.board.runtimes()) };
    assert_eq!(row.adapter.adapter_type, "codex");
    assert_eq!(row.workspace_keys.len(), limits::MAX_WORKSPACE_KEYS);
    assert!(scene.board.heartbeat(ORG, DAEMON, now).known);
    scene.board.forget_runtimes();
    assert!(!scene.board.heartbeat(ORG, DAEMON, now).known);
}

#[test]
fn of_many_adapters_the_first_twelve_are_kept() {
    let names: Vec<String> = (0..=limits::MAX_ADAPTERS).map(|number| format!("a{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut scene = Scene::new();
    let now = scene.now;
    assert_eq!(scene.board.register(ORG, offer(&names[..limits::MAX_ADAPTERS]), now), limits::MAX_ADAPTERS);
    assert_eq!(scene.board.register(ORG, offer(&names), now), limits::MAX_ADAPTERS);
}

#[test]
fn a_silent_runtime_degrades_and_goes_offline_and_a_claim_does_not_bring_it_back() {
    let mut scene = Scene::new();
    let seen = scene.now;
    scene.board.register(ORG, offer(&["claude_code"]), seen);
    let at = |board: &Board, after| board.runtimes()[0].status(seen.plus(after));
    let moment = Duration::from_millis(1);
    assert_eq!(at(&scene.board, limits::ACTIVE_WITHIN), RuntimeStatus::Active);
    assert_eq!(at(&scene.board, limits::ACTIVE_WITHIN + moment), RuntimeStatus::Degraded);
    scene.now = seen.plus(limits::DEGRADED_WITHIN);
    scene.claim().unwrap();
    assert_eq!(at(&scene.board, limits::DEGRADED_WITHIN), RuntimeStatus::Degraded);
    assert_eq!(at(&scene.board, limits::DEGRADED_WITHIN + moment), RuntimeStatus::Offline);
}

#[test]
fn a_heartbeat_in_another_organisation_neither_knows_nor_renews_nor_tells_anything() {
    let mut scene = Scene::new();
    let now = scene.now;
    scene.board.register(ORG, offer(&["claude_code"]), now);
    scene.claim().unwrap();
    scene.board.cancel(&scene.run.clone(), now);
    let foreign = scene.board.heartbeat("other", DAEMON, now.plus(limits::LEASE));
    assert_eq!(foreign, Heartbeat { known: false, cancel: Vec::new() });
    let lease = scene.board.run(&scene.run).unwrap().state.hold().unwrap().lease_until;
    assert_eq!(lease, now.plus(limits::LEASE));
}
