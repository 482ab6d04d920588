#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::mpsc as threads;
use std::time::Duration;

use hostler_broker::{Limits as GateLimits, Secrets};
use hostler_components::{Limits, Runtime, Settings};
use hostler_engine::rights::Rights;

use super::*;
use crate::plugins::admission::Admission;
use crate::plugins::store::Build;
use crate::tracker::lease_thread::LeaseThread;
use crate::tracker::lease_thread::tests::{keep_busy, two_threads};

#[path = "../../../../components/tests/plugins/guest.rs"]
mod guest;

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A tracker whose plugin traps whenever it is asked to do something: each operation
/// takes a call into it and a new connection, and is answered with the trap.
async fn trapping(place: &Path, leases: &LeaseThread) -> Tracker {
    let file = place.join("plugin.wasm");
    let built = guest::Guest::tracker().body("[method]connection.begin", "(unreachable)").build();
    std::fs::write(&file, built).unwrap();
    let settings = Settings { cache: place.join("native"), limits: Limits::default() };
    let plugin = Runtime::new(settings).unwrap().load(&file).unwrap();
    let rights = Rights::default();
    let gate = Gate::new(&rights, &BTreeMap::new(), &Secrets::default(), place, GateLimits::default());
    let (grants, unrestricted) = (place.join("grants.toml"), Admission::unrestricted());
    let permit = Permit::new(grants, Build::of(&plugin), Rights::default(), unrestricted);
    let (clock, memory) = (Clock::start(Timestamp(0)), place.join("memory"));
    Tracker::open(plugin, "{}".to_owned(), gate.unwrap(), permit, clock, memory, leases.handle())
        .await
        .unwrap()
}

#[test]
fn a_heartbeat_is_answered_while_every_thread_of_the_host_is_busy() {
    let place = tempfile::tempdir().unwrap();
    let (main, leases) = (two_threads(), LeaseThread::start().unwrap());
    let tracker = main.block_on(trapping(place.path(), &leases));
    keep_busy(&main);
    let (told, answers) = threads::channel();
    leases.handle().spawn(async move {
        for _ in 0..3 {
            told.send(tracker.operate(Operation::Heartbeat(Vec::new())).await.result).unwrap();
        }
    });
    for _ in 0..3 {
        let answer = answers.recv_timeout(PATIENCE).expect("no heartbeat went out");
        assert_eq!(answer.unwrap_err().kind, ProblemKind::Transient);
    }
    main.shutdown_background();
}
