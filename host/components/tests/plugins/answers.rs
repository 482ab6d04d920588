//! What well-behaved plugins answer, and that limits are where they should be.

use std::thread;

use hostler_components::job::{ExitStatus, Line, SessionOutput, StreamName};
use hostler_components::limits::{CONNECTION_STEPS, OUTPUT_BYTES, SAVED_BYTES};
use hostler_components::operation::{CallId, Frame, Operation, OperationId, Payload, Workplace};
use hostler_components::{Fault, Kind};
use hostler_engine::event::Event;
use hostler_engine::outcome::OutcomeState;
use hostler_engine::plan::Wish;
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::{HttpResponse, PluginReply};
use hostler_engine::task::Task;
use hostler_engine::time::{Millis, Timestamp};
use hostler_engine::verdict::Verdict;

use crate::guest::{Guest, size_of};
use crate::guests::{Host, job};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn line(text: &str) -> Line {
    Line { text: text.to_owned(), cut: false }
}

fn task() -> Task {
    Task {
        id: "1".to_owned(),
        key: "APP-1".to_owned(),
        title: "Fix it".to_owned(),
        sections: Vec::new(),
        priority: 0,
        data: "{}".to_owned(),
    }
}

/// Answers `lines` with one text event that holds the first line.
fn echo_first_line() -> String {
    "(i32.store8 (i32.const 1048576) (i32.const 0))
     (i32.store8 (i32.const 1048584) (i32.const 1))
     (i32.store (i32.const 1048592) (i32.load (local.get $lines)))
     (i32.store (i32.const 1048596) (i32.load offset=4 (local.get $lines)))
     (i32.store (i32.const 1024) (i32.const 1048576))
     (i32.store (i32.const 1028) (i32.const 1))
     (i32.const 1024)"
        .to_owned()
}

#[test]
fn a_loaded_provider_says_who_it_is_and_answers() {
    let host = Host::new();
    let guest = Guest::provider();
    let plugin = host.load(&guest);
    assert_eq!(plugin.id(), "test");
    assert_eq!(plugin.kinds(), [Kind::Provider]);
    assert_eq!(plugin.digest(), hostler_components::Digest::of(&guest.build()));
    assert_eq!(plugin.detect(" 1.2.3\n").unwrap().version, "1.2.3");
    let invocation = plugin.launch(job()).unwrap().unwrap();
    assert_eq!((invocation.command.as_str(), invocation.keep_stdin), ("", false));
}

#[test]
fn a_session_reads_lines_and_says_how_it_ended() {
    let host = Host::new();
    let plugin = host.load(&Guest::provider().body("[method]session.lines", echo_first_line()));
    let mut session = plugin.session(job()).unwrap();
    let mut outputs = Vec::new();
    session.lines(StreamName::Stdout, vec![line("Grüße \u{1b}[2J")], &mut outputs).unwrap();
    let text = "Grüße \\u{1b}[2J".to_owned();
    assert_eq!(outputs, [SessionOutput::Event(Event::Text { text })]);
    assert_eq!(session.message("go on").unwrap(), Ok(Vec::new()));
    let outcome = session.finish(ExitStatus { code: Some(0), ..ExitStatus::default() }).unwrap();
    assert_eq!(outcome.state, OutcomeState::Failed);
}

#[test]
fn many_lines_are_handed_over_in_several_calls() {
    let host = Host::new();
    let plugin = host.load(&Guest::provider().body("[method]session.lines", echo_first_line()));
    let mut session = plugin.session(job()).unwrap();
    let mut outputs = Vec::new();
    let lines = (0..600).map(|number| line(&number.to_string())).collect();
    session.lines(StreamName::Stderr, lines, &mut outputs).unwrap();
    let texts: Vec<_> = outputs
        .iter()
        .map(|output| match output {
            SessionOutput::Event(Event::Text { text }) => text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, ["0", "256", "512"]);
}

#[test]
fn a_tracker_plans_prompts_and_advises() {
    let host = Host::new();
    let plugin = host.load(&Guest::tracker());
    assert_eq!(plugin.kinds(), [Kind::Tracker]);
    assert_eq!(plugin.plan("{}", task()).unwrap().unwrap(), Wish::default());
    let at = Workplace { branch: "b".to_owned(), base: "0".to_owned(), continued: false };
    assert_eq!(plugin.prompt("{}", task(), at, &[]).unwrap().unwrap(), []);
    let retry = Verdict::Retry { after: Millis(0), fresh: false };
    assert_eq!(plugin.retry("{}", task(), &[]).unwrap(), retry);
}

#[test]
fn a_connection_goes_through_its_steps() {
    let host = Host::new();
    let plugin = host.load(&Guest::tracker());
    let mut connection = plugin.connect("{}", Some(b"saved")).unwrap().unwrap();
    assert_eq!(connection.begin(OperationId(1), Operation::Poll(2), NOW).unwrap(), []);
    let response = HttpResponse { status: 200, headers: Vec::new(), body: b"{}".to_vec() };
    assert_eq!(connection.resume(CallId(1), Ok(PluginReply::Http(response)), NOW).unwrap(), []);
    let problem = Problem::new(ProblemKind::Denied, "No.");
    assert_eq!(connection.resume(CallId(2), Err(problem), NOW).unwrap(), []);
    let frame = Frame { socket: "s".to_owned(), payload: Payload::Text("hello".to_owned()) };
    assert_eq!(connection.receive(frame, NOW).unwrap(), []);
    assert_eq!(connection.save().unwrap(), b"");
}

#[test]
fn a_plugin_may_refuse_its_configuration() {
    let refuse = "(i32.store8 (i32.const 1024) (i32.const 1))
                  (i32.store (i32.const 1028) (local.get $config))
                  (i32.store (i32.const 1032) (local.get $length))
                  (i32.const 1024)";
    let host = Host::new();
    let plugin = host.load(&Guest::tracker().body("[static]connection.open", refuse));
    let problem = plugin.connect("auth", None).unwrap().err().unwrap();
    assert_eq!(problem.kind, ProblemKind::Auth);
}

#[test]
fn a_connection_wears_out_after_ten_thousand_steps() {
    let host = Host::new();
    let plugin = host.load(&Guest::tracker());
    let mut connection = plugin.connect("{}", None).unwrap().unwrap();
    for step in 0..CONNECTION_STEPS {
        assert!(!connection.worn_out(), "after {step} steps");
        connection.resume(CallId(step), Ok(PluginReply::Done), NOW).unwrap();
    }
    assert!(connection.worn_out());
    connection.resume(CallId(0), Ok(PluginReply::Done), NOW).unwrap();
}

#[test]
fn an_answer_may_fill_the_limit_and_not_pass_it() {
    let host = Host::new();
    let plugin = host.load(&Guest::provider().body("launch", launch_with_stdin("i32.load offset=4")));
    let launch = |length: usize| {
        let prompt = "a".repeat(length);
        plugin.launch(hostler_components::job::Job { prompt, ..job() })
    };
    assert_eq!(launch(OUTPUT_BYTES).unwrap().unwrap().stdin.unwrap().len(), OUTPUT_BYTES);
    let error = launch(OUTPUT_BYTES + 1).unwrap_err();
    assert_eq!(error.fault, Fault::OutputTooLarge { limit: OUTPUT_BYTES });
}

/// Answers `launch` with the prompt as standard input.
fn launch_with_stdin(length: &str) -> String {
    // result: 4 bytes; invocation: command 8, slots 8, stdin (tag, pointer, length) 12.
    format!(
        "(i32.store8 (i32.const 1044) (i32.const 1))
         (i32.store (i32.const 1048) (i32.load (local.get $job)))
         (i32.store (i32.const 1052) ({length} (local.get $job)))
         (i32.const 1024)"
    )
}

#[test]
fn a_connection_may_save_64_kib_and_not_one_byte_more() {
    let host = Host::new();
    let saved = |length: usize| {
        let body = format!(
            "(i32.store (i32.const 1024) (i32.const 1048576))
             (i32.store (i32.const 1028) (i32.const {length})) (i32.const 1024)"
        );
        let plugin = host.load(&Guest::tracker().body("[method]connection.save", body));
        let mut connection = plugin.connect("{}", None).unwrap().unwrap();
        connection.save()
    };
    assert_eq!(saved(SAVED_BYTES).unwrap().len(), SAVED_BYTES);
    assert_eq!(saved(SAVED_BYTES + 1).unwrap_err().fault, Fault::SavedTooLarge(65_537));
}

#[test]
fn a_step_may_ask_for_64_effects_and_not_for_one_more() {
    let host = Host::new();
    let stride = size_of("tracker", "output");
    let effects = |count: usize| {
        let body = format!("(call $records (i32.const {count}) (i32.const {stride}) (i32.const 0))");
        let plugin = host.load(&Guest::tracker().body("[method]connection.begin", body));
        let mut connection = plugin.connect("{}", None).unwrap().unwrap();
        connection.begin(OperationId(1), Operation::Poll(1), NOW)
    };
    assert_eq!(effects(64).unwrap().len(), 64);
    assert_eq!(effects(65).unwrap_err().fault, Fault::TooManyEffects(65));
}

#[test]
fn more_instances_than_the_pool_holds_are_made_on_demand() {
    let host = Host::new();
    let plugin = host.load(&Guest::provider());
    let mut sessions: Vec<_> = (0..150).map(|_| plugin.session(job()).unwrap()).collect();
    for session in &mut sessions {
        session.message("hello").unwrap().unwrap();
    }
}

#[test]
fn a_session_may_move_between_threads() {
    let host = Host::new();
    let plugin = host.load(&Guest::provider());
    let mut session = plugin.session(job()).unwrap();
    for _ in 0..3 {
        let moved = thread::spawn(move || session.message("hello").map(|_| session));
        session = moved.join().unwrap().unwrap();
    }
}

#[test]
fn one_plugin_serves_many_threads_at_once() {
    let host = Host::new();
    let plugin = host.load(&Guest::provider());
    thread::scope(|scope| {
        for number in 0..8 {
            let plugin = &plugin;
            scope.spawn(move || {
                for round in 0..50 {
                    let text = format!("{number}.{round}");
                    assert_eq!(plugin.detect(&text).unwrap().version, text);
                }
            });
        }
    });
}

#[test]
fn a_call_to_an_interface_the_plugin_lacks_is_an_error_with_a_name() {
    let host = Host::new();
    let plugin = host.load(&Guest::provider());
    let error = plugin.plan("{}", task()).unwrap_err();
    assert_eq!(error.fault, Fault::NotExported("tracker"));
    assert_eq!(error.to_string(), "test: `plan` was not called: the plugin exports no tracker");
}
