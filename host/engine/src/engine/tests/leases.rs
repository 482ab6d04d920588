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

/// A run under fence 1 whose report is on its way.
fn reporting() -> World {
    let mut world = World::new();
    world.give("a", "task", 1);
    world.planned("a", Wish::default());
    world.prepared("a");
    world.started("a");
    world.ended("a", failure());
    world.collected("a");
    world.tell(Input::Advised { at: world.at("a"), verdict: Some(crate::verdict::Verdict::Finish) });
    assert_eq!(world.state("a"), "reporting");
    world
}

#[test]
fn a_task_given_out_again_because_of_a_report_leaves_that_report_to_its_answer() {
    let mut world = reporting();
    world.give("b", "task", 2);
    assert_eq!((world.state("a"), world.state("b")), ("reporting", "planning"), "nothing of it lives");
    world.reported("a", Ok(()));
    let closed = &world.run("a").state;
    assert!(matches!(closed, State::Closed { how: crate::run::Closing::Reported, report: Some(_) }));
    assert_eq!(world.state("b"), "planning");
}

#[test]
fn a_report_that_came_too_late_is_lost_by_its_own_answer() {
    let mut world = reporting();
    world.give("b", "task", 2);
    world.reported("a", Err(Problem::transient("no network")));
    assert_eq!(world.state("a"), "reporting", "nobody knows whether it arrived");
    world.pass(crate::run::FIRST_REPORT_PAUSE);
    assert!(matches!(world.effects[..], [Effect { action: Action::Report { .. }, .. }]));
    world.reported("a", Err(Problem::new(ProblemKind::Gone, "not yours any more")));
    let closed = &world.run("a").state;
    assert!(
        matches!(closed, State::Closed { how: crate::run::Closing::Lost(why), .. } if why == "not yours any more")
    );
    assert_eq!(world.state("b"), "planning");
}

#[test]
fn a_heartbeat_that_overtakes_the_answer_to_a_report_loses_nothing() {
    let mut world = reporting();
    let lost = Input::LeaseLost { run: run_id("a"), fence: Fence(1), reason: "It is over.".to_owned() };
    world.tell(lost);
    world.reported("a", Ok(()));
    assert!(matches!(&world.run("a").state, State::Closed { how: crate::run::Closing::Reported, .. }));
}

#[test]
fn a_third_claim_waits_for_the_agent_of_the_second_and_not_for_the_report_of_the_first() {
    let mut world = reporting();
    world.give("0", "task", 2);
    world.planned("0", Wish::default());
    world.prepared("0");
    world.started("0");
    world.give("c", "task", 3);
    assert_eq!(world.run("c").state, State::Blocked { by: run_id("0") });
    assert_eq!((world.state("a"), world.state("0")), ("reporting", "ending"));
}

#[test]
fn a_tracker_without_fences_that_gives_a_task_again_while_it_is_reported_starts_nothing() {
    let mut world = World::new();
    world.running("a");
    world.ended("a", success());
    world.collected("a");
    world.give("b", "a", 0);
    assert_eq!((world.state("a"), world.engine.runs().count()), ("reporting", 1));
}

#[test]
fn nothing_is_taken_from_a_tracker_that_is_not_configured() {
    let mut world = World::new();
    let offers = vec![Offer { run: run_id("a"), task: task("a") }];
    world.tell(Input::Offered { tracker: "other".to_owned(), offers });
    let claim = Claim { task: task("b"), lease: Some(world::lease(1)), environment: vec![] };
    let (run, sent) = (run_id("b"), world.now);
    world.tell(Input::Given { tracker: "other".to_owned(), run, sent, claim });
    assert_eq!((world.engine.runs().count(), &world.effects[..]), (0, &[][..]));
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
