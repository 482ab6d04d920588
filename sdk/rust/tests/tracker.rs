//! A tracker over a fake host: defaults, several effects at once, frames.
#![allow(clippy::unwrap_used)]

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use hostler_sdk::testing::{FakeHost, MemoryFiles};
use hostler_sdk::tracker::{
    Control, Effect, Frame, Operation, Output, Payload, Polled, Reply, Report, RunRef, Task,
};
use hostler_sdk::{Config, Context, Problem, Tracker};

/// Sleeps twice at once when polled, and hears cancellations on its socket.
struct Dozer;

impl Tracker for Dozer {
    fn open(_: Config, _: Option<Vec<u8>>) -> Result<Self, Problem> {
        Ok(Self)
    }

    async fn poll(&self, cx: &Context, _: u32) -> Result<Polled, Problem> {
        let (mut first, mut second) = (pin!(cx.sleep(1)), pin!(cx.sleep(2)));
        let (mut one, mut two) = (None, None);
        poll_fn(|task| {
            for (slot, result) in [(&mut one, first.as_mut()), (&mut two, second.as_mut())] {
                if slot.is_none()
                    && let Poll::Ready(ended) = result.poll(task)
                {
                    *slot = Some(ended);
                }
            }
            if one.is_some() && two.is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        Ok(Polled { pace: Some(3), ..Polled::default() })
    }

    async fn report(&self, _: &Context, _: RunRef, _: Report) -> Result<(), Problem> {
        Ok(())
    }

    async fn receive(&self, cx: &Context, frame: Frame) -> Result<(), Problem> {
        match frame.payload {
            Payload::Text(run) => cx.control(&run, Control::Cancel("said so".into())),
            _ => return Err(Problem::permanent("only text is understood")),
        }
        Ok(())
    }
}

fn host() -> FakeHost<Dozer, impl FnMut(&Effect) -> Result<Reply, Problem>> {
    FakeHost::open(&serde_json::json!({}), |_: &Effect| Ok(Reply::Done)).unwrap()
}

fn run() -> RunRef {
    let task = Task {
        id: "1".into(),
        key: "1".into(),
        title: "One".into(),
        sections: vec![],
        priority: 0,
        data: "null".into(),
    };
    RunRef { run: "run_1".into(), task, fence: 0.0 }
}

#[test]
fn one_operation_may_wait_for_several_effects_in_any_order() {
    let host = host();
    let connection = host.connection();
    let outputs = connection.begin(1, Operation::Poll(1), 0.0);
    assert_eq!(outputs, [Output::Effect((1, Effect::Wake(1))), Output::Effect((2, Effect::Wake(2)))]);
    assert_eq!(connection.resume(2, Ok(Reply::Done), 1.0), []);
    let last = connection.resume(1, Ok(Reply::Done), 2.0);
    assert_eq!(last, [Output::Pace(3), Output::Done((1, Ok(())))]);
}

#[test]
fn by_default_an_offered_task_is_ours_without_a_lease() {
    let done = host().run(Operation::Claim(run()));
    assert_eq!(done.result, Some(Ok(())));
    assert_eq!((&*done.claimed[0].task.title, &done.claimed[0].lease), ("One", &None));
}

#[test]
fn an_unknown_operation_is_unsupported() {
    let done = host().run(Operation::Other(("dance".into(), "{}".into())));
    assert_eq!(done.result.unwrap().unwrap_err().kind, "unsupported");
}

#[test]
fn a_frame_may_bring_control_and_its_failure_goes_to_the_log() {
    let frame = |payload| Frame { socket: "s".into(), payload };
    let heard = host().receive(frame(Payload::Text("run_1".into())));
    assert_eq!(heard.controls, [("run_1".to_owned(), Control::Cancel("said so".into()))]);
    let failed = host().receive(frame(Payload::Opened));
    assert!(failed.logs[0].message.contains("only text"), "{failed:?}");
    assert_eq!(failed.result, None);
}

#[test]
fn a_configuration_that_is_no_table_opens_nothing() {
    let answer = |_: &Effect| Ok(Reply::Done);
    assert!(FakeHost::<Dozer, _>::open(&serde_json::json!([]), answer).is_err());
}

#[test]
fn a_file_in_memory_is_only_replaced_as_it_was_read() {
    use hostler_sdk::files::{FilePath, FileReply, FileRequest, FileWrite};
    let mut files = MemoryFiles::new([("a", "old")]);
    let at = FilePath { directory: "d".into(), path: "a".into() };
    let read = files.answer(&Effect::File(FileRequest::Read(at.clone()))).unwrap();
    let Reply::File(FileReply::Content(content)) = read else { panic!("{read:?}") };
    files.set("a", "newer");
    let write = |expect| {
        Effect::File(FileRequest::Write(FileWrite { at: at.clone(), content: b"mine".into(), expect }))
    };
    assert!(files.answer(&write(Some(content.tag))).unwrap_err().is_gone());
    assert!(files.answer(&write(None)).unwrap_err().is_gone());
    assert_eq!(files.text("a"), "newer");
}
