//! Plugins that do their worst. Each costs its own call, has its failure named,
//! and leaves everybody else alone.

use std::thread;

use hostler_components::job::{ExitStatus, Line, SessionOutput, StreamName};
use hostler_components::{Fault, Limits, Refusal};

use crate::guest::{Guest, size_of};
use crate::guests::{Host, job};

/// What `detect` ends with, if its body is this. Checks that a good plugin works
/// during and after it.
fn fault_of(guest: &Guest) -> Fault {
    let host = Host::new();
    let good = host.load(&Guest::provider());
    let mut session = good.session(job()).unwrap();
    let bad = host.load(guest);
    let fault = thread::scope(|scope| {
        let calling = scope.spawn(|| bad.detect("x").unwrap_err().fault);
        loop {
            session.message("still there").unwrap().unwrap();
            if calling.is_finished() {
                break calling.join().unwrap();
            }
        }
    });
    assert_eq!(good.detect("still well").unwrap().version, "still well");
    assert_eq!(bad.detect("x").unwrap_err().fault, fault, "the next instance fails like the first");
    fault
}

fn detect(body: &str) -> Guest {
    Guest::provider().body("detect", body)
}

#[test]
fn an_endless_loop_is_ended_at_its_time() {
    let fault = fault_of(&detect("(loop $again (br $again)) unreachable"));
    assert_eq!(fault, Fault::TimedOut { limit: Limits::default().launch.time });
}

#[test]
fn endless_recursion_is_a_stack_overflow() {
    let guest = detect("(call $again) (i32.const 1024)").extra("(func $again (call $again) (call $again))");
    assert_eq!(fault_of(&guest), Fault::StackOverflow);
}

#[test]
fn a_memory_bomb_is_named_with_its_limit() {
    let guest = detect(
        "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable",
    );
    let limit = Limits::default().launch.memory;
    assert_eq!(fault_of(&guest), Fault::OutOfMemory { limit, wanted: limit + 65_536 });
}

#[test]
fn a_table_bomb_is_named_with_its_limit() {
    let guest = detect(
        "(loop $again (br_if $again (i32.ne
            (table.grow $bomb (ref.null func) (i32.const 1000)) (i32.const -1)))) unreachable",
    )
    .extra("(table $bomb 0 funcref)");
    assert_eq!(fault_of(&guest), Fault::TableTooLarge { limit: 20_000, wanted: 21_000 });
}

#[test]
fn a_plugin_that_copes_with_a_refused_growth_is_not_blamed() {
    let host = Host::new();
    let plugin = host.load(&detect("(drop (memory.grow (i32.const 60000))) (i32.const 2048)"));
    assert_eq!(plugin.detect("x").unwrap().version, "");
}

#[test]
fn a_crash_is_a_crash() {
    let Fault::Trapped(message) = fault_of(&detect("unreachable")) else { panic!("no trap") };
    assert!(message.contains("unreachable"), "{message}");
}

/// Answers `detect` with a version of this length at this place, after growing
/// the memory to hold it.
fn version_at(place: u32, length: u32, grow_to: u32) -> Guest {
    detect(&format!(
        "(call $ensure (i32.const {grow_to}))
         (i32.store (i32.const 1024) (i32.const {place}))
         (i32.store (i32.const 1028) (i32.const {length}))
         (i32.const 1024)"
    ))
}

#[test]
fn a_claimed_hundred_megabytes_that_are_not_there_are_garbage() {
    let Fault::Garbage(what) = fault_of(&version_at(0, 100_000_000, 0)) else { panic!("no garbage") };
    assert!(what.contains("out of bounds"), "{what}");
}

#[test]
fn a_huge_answer_that_is_there_is_not_taken_in() {
    let fault = fault_of(&version_at(1 << 20, 20 << 20, 24 << 20));
    assert_eq!(fault, Fault::OutputTooLarge { limit: Limits::default().launch.output });
}

#[test]
fn one_and_a_half_million_strings_are_not_taken_in() {
    let guest = detect(
        "(call $ensure (i32.const 20000000))
         (i32.store (i32.const 1032) (i32.const 1048576))
         (i32.store (i32.const 1036) (i32.const 1500000))
         (i32.const 1024)",
    );
    assert!(matches!(fault_of(&guest), Fault::OutputTooLarge { .. }));
}

#[test]
fn text_that_is_no_text_is_garbage() {
    let guest = version_at(4000, 2, 0).extra(r#"(data (i32.const 4000) "\ff\fe")"#);
    let Fault::Garbage(what) = fault_of(&guest) else { panic!("no garbage") };
    assert!(what.contains("utf-8"), "{what}");
}

#[test]
fn an_answer_outside_of_memory_is_garbage() {
    let fault = fault_of(&detect("(i32.const -4)"));
    assert!(matches!(fault, Fault::Garbage(_)), "{fault:?}");
}

#[test]
fn a_case_that_the_contract_does_not_have_is_garbage() {
    let host = Host::new();
    let plugin = host.load(
        &Guest::provider().body("launch", "(i32.store8 (i32.const 1024) (i32.const 7)) (i32.const 1024)"),
    );
    let fault = plugin.launch(job()).unwrap_err().fault;
    assert!(matches!(fault, Fault::Garbage(_)), "{fault:?}");
}

#[test]
fn a_crash_in_the_constructor_costs_that_session_only() {
    let host = Host::new();
    let plugin = host.load(&Guest::provider().body("[constructor]session", "unreachable"));
    let error = plugin.session(job()).err().unwrap();
    assert_eq!(error.call, "session");
    assert!(matches!(error.fault, Fault::Trapped(_)));
    assert_eq!(plugin.detect("1").unwrap().version, "1");
}

#[test]
fn leaked_handles_are_counted() {
    let leak = |count: u32| {
        format!(
            "(local $left i32) (local.set $left (i32.const {count}))
             (loop $again
                 (drop (call $new (i32.const 1)))
                 (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                 (br_if $again (local.get $left)))
             (call $new (i32.const 1))"
        )
    };
    let host = Host::new();
    let session =
        |count| host.load(&Guest::provider().body("[constructor]session", leak(count))).session(job());
    assert!(session(999).is_ok());
    assert_eq!(session(1_000).err().unwrap().fault, Fault::TooManyHandles);
}

#[test]
fn after_a_failure_the_instance_is_gone_and_a_new_one_works() {
    let host = Host::new();
    let plugin = host.load(&Guest::provider().body("[method]session.lines", "unreachable"));
    let mut session = plugin.session(job()).unwrap();
    session.message("fine").unwrap().unwrap();
    let mut outputs = Vec::new();
    let lines = vec![Line { text: "x".to_owned(), cut: false }];
    let first = session.lines(StreamName::Stdout, lines, &mut outputs).unwrap_err();
    assert!(matches!(first.fault, Fault::Trapped(_)));
    assert_eq!(session.message("again").unwrap_err().fault, Fault::Poisoned);
    assert_eq!(session.finish(ExitStatus::default()).unwrap_err().fault, Fault::Poisoned);
    plugin.session(job()).unwrap().message("new").unwrap().unwrap();
}

/// A session that answers any lines with so many outputs of one case.
fn outputs_of(count: u32, case: u32) -> Result<Vec<SessionOutput>, Fault> {
    let stride = size_of("provider", "output");
    let body = format!("(call $records (i32.const {count}) (i32.const {stride}) (i32.const {case}))");
    let host = Host::new();
    let plugin = host.load(&Guest::provider().body("[method]session.lines", body));
    let mut outputs = Vec::new();
    let lines = vec![Line { text: "x".to_owned(), cut: false }];
    let done = plugin.session(job()).unwrap().lines(StreamName::Stdout, lines, &mut outputs);
    done.map(|()| outputs).map_err(|error| error.fault)
}

const LOG: u32 = 3;
const CLOSE_STDIN: u32 = 2;

#[test]
fn a_flood_of_log_lines_is_cut_to_a_hundred_and_counted() {
    let outputs = outputs_of(5_000, LOG).unwrap();
    assert_eq!(outputs.len(), 101);
    let SessionOutput::Log(last) = &outputs[100] else { panic!("no closing line") };
    assert_eq!(last.message, "4900 more log lines of this call were dropped");
}

#[test]
fn a_flood_of_outputs_is_refused() {
    assert_eq!(outputs_of(1_024, CLOSE_STDIN).unwrap().len(), 1_024);
    assert_eq!(outputs_of(1_025, CLOSE_STDIN).unwrap_err(), Fault::TooManyOutputs(1_025));
    assert!(matches!(outputs_of(60_000, CLOSE_STDIN).unwrap_err(), Fault::OutputTooLarge { .. }));
}

#[test]
fn a_plugin_that_fails_before_its_first_call_is_not_loaded() {
    let refusal = |start: &str| {
        let guest = Guest::provider().extra(start);
        Host::new().load_bytes(&guest.build()).unwrap_err().refusal
    };
    let crash = refusal("(func $start unreachable) (start $start)");
    assert!(matches!(&crash, Refusal::Start(error) if matches!(error.fault, Fault::Trapped(_))), "{crash}");
    let spin = refusal("(func $start (loop $again (br $again))) (start $start)");
    assert!(
        matches!(&spin, Refusal::Start(error) if matches!(error.fault, Fault::TimedOut { .. })),
        "{spin}"
    );
}

#[test]
fn spinning_plugins_do_not_stop_each_other_from_ending() {
    let host = Host::new();
    let plugin = host.load(&detect("(loop $again (br $again)) unreachable"));
    thread::scope(|scope| {
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| plugin.detect("x").unwrap_err().fault)).collect();
        for call in calls {
            assert!(matches!(call.join().unwrap(), Fault::TimedOut { .. }));
        }
    });
}
