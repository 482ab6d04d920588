//! Leases, fences, and tasks that are given out again.

use super::*;

#[test]
fn a_lease_that_is_not_renewed_ends_the_agent_before_anything_else() {
    let mut world = World::new();
    world.give("a", "a", 1);
    world.planned("a", Wish::default());
    world.prepared("a");
    world.started("a");
    let sent = world.now;
    world.tell(Input::Renewed { run: run_id("a"), fence: Fence(1), sent, ttl: Millis::seconds(60) });
    world.pass(Millis::seconds(47));
    assert_eq!(world.state("a"), "running");
    world.pass(Millis::seconds(1));
    assert!(matches!(world.effects[0].action, Action::End { why: EndReason::LeaseLost, .. }));
    assert_eq!(world.state("a"), "ending");
    world.ended("a", failure());
    world.collected("a");
    assert!(matches!(&world.run("a").state, State::Closed { how: crate::run::Closing::Lost(_), .. }));
}

#[test]
fn a_word_under_a_stale_fence_changes_nothing() {
    let mut world = World::new();
    world.give("a", "a", 7);
    let before = world.engine.clone();
    let run = run_id("a");
    let (reason, sent, ttl) = (String::new(), world.now, Millis::minutes(9));
    world.tell(Input::LeaseLost { run: run.clone(), fence: Fence(6), reason: reason.clone() });
    world.tell(Input::CancelAsked { run: run.clone(), fence: Fence(6), reason });
    world.tell(Input::Renewed { run, fence: Fence(6), sent, ttl });
    world.give("b", "a", 6);
    world.give("c", "a", 7);
    assert_eq!(world.engine, before);
}

#[test]
fn a_task_given_out_again_waits_until_the_old_agent_is_proven_dead() {
    let mut world = World::new();
    world.give("a", "task", 1);
    world.planned("a", Wish::default());
    world.prepared("a");
    world.started("a");
    world.give("b", "task", 2);
    assert!(matches!(world.effects[..], [Effect { action: Action::End { .. }, .. }]));
    assert_eq!((world.state("a"), world.state("b")), ("ending", "blocked"));
    world.ended("a", failure());
    assert_eq!(world.state("b"), "blocked");
    world.collected("a");
    assert_eq!((world.state("a"), world.state("b")), ("closed", "planning"));
}

#[test]
fn a_task_given_without_a_free_slot_is_given_back() {
    let mut world = World::with(Policy { slots: 1, ..policy() });
    world.running("a");
    world.give("b", "b", 1);
    assert!(matches!(world.effects[..], [Effect { action: Action::Release, .. }]));
    let at = world.at("b");
    world.tell(Input::Released { at, answer: Ok(()) });
    assert_eq!(world.state("b"), "closed");
}

#[test]
fn after_a_restart_a_held_lease_must_be_confirmed_before_anything_starts() {
    let mut world = World::new();
    world.give("a", "a", 1);
    world.planned("a", Wish::default());
    world.prepared("a");
    world.started("a");
    world.tell(Input::Restarted);
    world.ended("a", Outcome::failed("interrupted", Class::Interrupted, "died"));
    world.collected("a");
    assert_eq!(world.state("a"), "waiting");
    let sent = world.now;
    world.tell(Input::Renewed { run: run_id("a"), fence: Fence(1), sent, ttl: Millis::seconds(60) });
    assert_eq!(world.state("a"), "preparing");
}

#[test]
fn an_agent_whose_workspace_was_being_made_at_a_restart_waits_for_the_lease_as_well() {
    let mut world = World::new();
    world.give("a", "a", 1);
    world.planned("a", Wish::default());
    world.tell(Input::Restarted);
    world.prepared("a");
    assert_eq!((world.state("a"), world.effects.len()), ("waiting", 0));
    let sent = world.now;
    world.tell(Input::Renewed { run: run_id("a"), fence: Fence(1), sent, ttl: Millis::seconds(60) });
    world.prepared("a");
    assert!(matches!(world.effects[..], [Effect { action: Action::Start { attempt: 1, .. }, .. }]));
}

#[test]
fn a_lease_that_ran_out_while_the_machine_slept_starts_no_agent() {
    let mut world = World::new();
    world.give("a", "a", 1);
    world.planned("a", Wish::default());
    world.now = world.run("a").lease.unwrap().deadline;
    world.prepared("a");
    assert!(matches!(&world.run("a").state, State::Closed { how: crate::run::Closing::Lost(_), .. }));
}

#[test]
fn a_wish_to_end_a_run_that_comes_while_the_host_is_stopping_is_kept() {
    let mut world = World::new();
    world.running("a");
    world.tell(Input::StopNow);
    world.tell(Input::StopAsked { run: run_id("a") });
    world.ended("a", failure());
    world.collected("a");
    assert_eq!(world.report("a").state, ReportState::Cancelled);
}

#[test]
fn fences_are_remembered_for_exactly_the_stated_number_of_tasks() {
    let mut engine = Engine::default();
    for number in 0..=REMEMBERED_FENCES {
        engine.remember_fence("t".to_owned(), number.to_string(), Fence(5));
    }
    assert_eq!(engine.fences.len(), REMEMBERED_FENCES);
    assert_eq!(engine.known_fence("t", "0"), Fence(0), "the oldest made room");
    assert_eq!(engine.known_fence("t", "1"), Fence(5));
}

#[test]
fn the_time_a_machine_slept_is_no_silence_of_the_agent() {
    let mut world = World::new();
    world.running("a");
    let stall = world.run("a").plan.as_ref().unwrap().limits.stall.unwrap();
    world.now = world.now + stall;
    world.tell(Input::Woke { slept: stall });
    world.tell(Input::Tick);
    assert_eq!(world.state("a"), "running", "it slept, too");
    world.pass(stall);
    assert_eq!(world.state("a"), "ending", "now it is its own silence");
}
