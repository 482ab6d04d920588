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
    connected(place, leases, guest::Guest::tracker().body("[method]connection.begin", "(unreachable)")).await
}

/// A tracker whose plugin asks for one request in its first operation, and ends that with
/// the problem it is answered.
async fn asking(place: &Path, leases: &LeaseThread) -> Tracker {
    let ask = format!(
        "(call $records (i32.const 1) (i32.const {}) (i32.const 0))",
        guest::size_of("tracker", "output")
    );
    // `done` of operation 0, with the parts of the problem where they came.
    let done = format!(
        "(i32.store8 (i32.const {at}) (i32.const 5)) (i32.store offset=4 (i32.const {at}) (i32.const 0))
         (i32.store8 offset=8 (i32.const {at}) (local.get 2))
         (i32.store offset=12 (i32.const {at}) (local.get 3)) (i32.store offset=16 (i32.const {at}) (local.get 4))
         (i32.store offset=20 (i32.const {at}) (local.get 5)) (i32.store offset=24 (i32.const {at}) (local.get 6))
         (i32.store8 offset=28 (i32.const {at}) (i32.const 0))
         (i32.store (i32.const 1024) (i32.const {at})) (i32.store (i32.const 1028) (i32.const 1))
         (i32.const 1024)",
        at = guest::ANSWER
    );
    let guest = guest::Guest::tracker();
    let guest = guest.body("[method]connection.begin", ask).body("[method]connection.resume", done);
    connected(place, leases, guest).await
}

/// A tracker that nobody has granted anything.
async fn connected(place: &Path, leases: &LeaseThread, guest: guest::Guest) -> Tracker {
    let file = place.join("plugin.wasm");
    std::fs::write(&file, guest.build()).unwrap();
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

#[test]
fn what_is_refused_because_the_leave_is_gone_is_denied_to_the_plugin_counted_and_final_for_nobody() {
    let place = tempfile::tempdir().unwrap();
    let (main, leases) = (two_threads(), LeaseThread::start().unwrap());
    let tracker = main.block_on(asking(place.path(), &leases));
    let answered = main.block_on(tracker.operate(Operation::Heartbeat(Vec::new())));
    let problem = answered.result.unwrap_err();
    assert!(problem.message.contains("its grant was taken back"), "{problem}");
    assert_eq!(problem.kind, ProblemKind::Transient, "it may be given again, and then the report goes out");
    let counted = &tracker.denials().by_reason["http-withdrawn"];
    assert_eq!((counted.times, counted.last.as_str()), (1, problem.message.as_str()));
}
