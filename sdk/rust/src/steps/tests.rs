#![allow(clippy::unwrap_used)]

use std::future::{pending, poll_fn};

use super::*;

fn end(shared: &Shared, id: u32, result: Result<(), Problem>) {
    shared.emit(Output::Done((id, result)));
}

fn wake(shared: &Rc<Shared>, time: u32) -> EffectCall {
    EffectCall::new(Rc::clone(shared), Effect::Wake(time))
}

/// The calls asked for, as number and time.
fn wakes(outputs: &[Output]) -> Vec<(CallId, u32)> {
    let wake = |output: &Output| match output {
        Output::Effect((id, Effect::Wake(time))) => Some((*id, *time)),
        _ => None,
    };
    outputs.iter().filter_map(wake).collect()
}

#[test]
fn a_future_is_parked_between_its_effects_and_ends_once() {
    let mut steps = Steps::default();
    let shared = steps.shared();
    let outputs = steps.start(7, end, 10.0, async move {
        wake(&shared, 1).await?;
        assert!((shared.now() - 20.0).abs() < f64::EPSILON);
        wake(&shared, 2).await?;
        Ok(())
    });
    let first = wakes(&outputs);
    assert_eq!(first, [(1, 1)]);
    let outputs = steps.resume(1, Ok(Reply::Done), 20.0);
    assert_eq!(wakes(&outputs), [(2, 2)]);
    let outputs = steps.resume(2, Ok(Reply::Done), 30.0);
    assert_eq!(outputs, [Output::Done((7, Ok(())))]);
    assert!(steps.parked.is_empty());
}

#[test]
fn several_operations_are_answered_in_any_order() {
    let mut steps = Steps::default();
    for id in [1, 2] {
        let shared = steps.shared();
        let outputs = steps.start(id, end, 0.0, async move { wake(&shared, id).await.map(|_| ()) });
        assert_eq!(wakes(&outputs), [(id, id)]);
    }
    assert_eq!(steps.resume(2, Ok(Reply::Done), 0.0), [Output::Done((2, Ok(())))]);
    assert_eq!(steps.resume(1, Ok(Reply::Done), 0.0), [Output::Done((1, Ok(())))]);
}

#[test]
fn a_failed_effect_is_the_result_of_its_await() {
    let mut steps = Steps::default();
    let shared = steps.shared();
    steps.start(1, end, 0.0, async move { wake(&shared, 1).await.map(|_| ()) });
    let denied = Problem::new("denied", "no grant");
    let outputs = steps.resume(1, Err(denied.clone()), 0.0);
    assert_eq!(outputs, [Output::Done((1, Err(denied)))]);
}

#[test]
fn a_reply_nobody_waits_for_is_logged_and_ignored() {
    let mut steps = Steps::default();
    let outputs = steps.resume(99, Ok(Reply::Done), 0.0);
    assert!(
        matches!(&outputs[..], [Output::Log(line)] if line.level == "warn" && line.message.contains("99"))
    );
}

#[test]
fn a_reply_to_a_dropped_call_is_swallowed() {
    let mut steps = Steps::default();
    let shared = steps.shared();
    steps.start(1, end, 0.0, async move {
        let mut dropped = Box::pin(wake(&shared, 1));
        poll_fn(|cx| Poll::Ready(dropped.as_mut().poll(cx).is_pending())).await;
        drop(dropped);
        wake(&shared, 2).await.map(|_| ())
    });
    assert_eq!(steps.resume(1, Ok(Reply::Done), 0.0), []);
    assert_eq!(steps.resume(2, Ok(Reply::Done), 0.0), [Output::Done((1, Ok(())))]);
    assert!(steps.shared.calls.borrow().is_empty());
}

#[test]
fn a_future_that_waits_for_nothing_of_ours_ends_with_a_problem() {
    let mut steps = Steps::default();
    let outputs = steps.start(1, end, 0.0, pending());
    assert!(matches!(&outputs[..], [Output::Done((1, Err(problem)))] if problem.kind == "permanent"));
}
