//! Agents that outlived their host.

use super::*;

fn restarted() -> World {
    let mut world = World::new();
    world.running("a");
    world.tell(Input::Restarted);
    assert_eq!(world.state("a"), "adopting");
    assert!(matches!(world.effects[..], [Effect { action: Action::Adopt { attempt: 1 }, .. }]));
    world
}

#[test]
fn an_agent_that_outlived_the_host_goes_on_in_the_same_attempt() {
    let mut world = restarted();
    world.adopted("a");
    assert_eq!((world.state("a"), world.effects.len()), ("running", 0));
    world.ended("a", success());
    world.collected("a");
    let report = world.report("a");
    assert_eq!((report.state, report.attempts), (ReportState::Succeeded, 1));
}

#[test]
fn an_agent_that_ended_while_no_host_was_there_keeps_its_own_outcome() {
    let mut world = restarted();
    world.ended("a", success());
    world.collected("a");
    assert_eq!(world.report("a").state, ReportState::Succeeded);
}

#[test]
fn a_start_that_was_under_way_is_looked_for_like_a_running_agent() {
    let mut world = World::new();
    world.offer("a");
    world.claimed("a");
    world.planned("a", Wish::default());
    world.prepared("a");
    assert_eq!(world.state("a"), "starting");
    world.tell(Input::Restarted);
    assert!(matches!(world.effects[..], [Effect { action: Action::Adopt { attempt: 1 }, .. }]));
    world.ended("a", Outcome::failed("interrupted", Class::Interrupted, "It was never started."));
    world.collected("a");
    assert_eq!(world.state("a"), "preparing");
    assert_eq!(world.run("a").next_attempt(), 2);
}

#[test]
fn a_second_restart_asks_again_and_the_late_answer_to_the_first_changes_nothing() {
    let mut world = restarted();
    let first = world.at("a");
    world.tell(Input::Restarted);
    assert!(matches!(world.effects[..], [Effect { action: Action::Adopt { attempt: 1 }, .. }]));
    let before = world.engine.clone();
    world.tell(Input::Adopted { at: first, process: "p".to_owned() });
    assert_eq!(world.engine, before);
}

#[test]
fn an_adopted_agent_is_silent_from_its_adoption_on_but_its_time_runs_from_its_start() {
    let mut world = World::new();
    world.running("a");
    world.now = world.now + Millis::minutes(50);
    world.tell(Input::Restarted);
    world.adopted("a");
    let started = world.run("a").attempt_started;
    assert_eq!(world.engine.next_deadline(), Some(started + crate::policy::DEFAULT_TIME));
    world.pass(Millis::minutes(10));
    assert!(matches!(world.effects[0].action, Action::End { why: EndReason::TimedOut, .. }));
}

#[test]
fn usage_and_a_told_finish_are_kept_over_an_adoption() {
    let mut world = World::new();
    world.running("a");
    let usage = |tokens| Usage { input_tokens: tokens, ..Usage::default() };
    world.tell(Input::Heard { run: run_id("a"), attempt: 1, usage: usage(60) });
    world.tell(Input::AgentFinished { run: run_id("a"), attempt: 1 });
    world.tell(Input::Restarted);
    world.adopted("a");
    assert_eq!(world.run("a").spent(), usage(60));
    assert_eq!(world.engine.next_deadline(), Some(world.now + LINGER));
}

#[test]
fn a_wish_to_stop_that_comes_while_adopting_is_obeyed_once_the_agent_is_found() {
    let stops: [fn() -> Input; 2] = [|| Input::StopAsked { run: run_id("a") }, || Input::StopNow];
    for (stop, why) in stops.into_iter().zip([EndReason::Cancelled, EndReason::Stopping]) {
        let mut world = restarted();
        world.tell(stop());
        assert_eq!((world.state("a"), world.effects.len()), ("adopting", 0));
        world.adopted("a");
        assert!(
            matches!(world.effects[..], [Effect { action: Action::End { why: asked, .. }, .. }] if asked == why)
        );
    }
}

#[test]
fn a_lease_that_is_not_confirmed_while_adopting_ends_the_agent_once_it_is_found() {
    let mut world = World::new();
    world.give("a", "a", 1);
    world.planned("a", Wish::default());
    world.prepared("a");
    world.started("a");
    world.tell(Input::Restarted);
    world.pass(Millis::seconds(48));
    assert_eq!(world.state("a"), "adopting");
    world.adopted("a");
    assert!(matches!(world.effects[0].action, Action::End { why: EndReason::LeaseLost, .. }));
}

#[test]
fn an_agent_that_was_being_ended_is_still_ended_after_a_restart() {
    let mut world = World::new();
    world.running("a");
    world.tell(Input::StopAsked { run: run_id("a") });
    world.tell(Input::Restarted);
    assert!(matches!(world.effects[..], [Effect { action: Action::Reap { attempt: 1 }, .. }]));
}

#[test]
fn adopting_takes_a_slot() {
    let mut world = World::with(Policy { slots: 1, ..policy() });
    world.running("a");
    world.tell(Input::Restarted);
    assert_eq!(world.engine.free_slots(), 0);
}

#[test]
fn memory_and_processors_are_bounded_by_the_operator_and_too_much_memory_is_final() {
    let limits = crate::plan::Limits { memory: Some(512 << 20), cpus: Some(2), ..policy().limits };
    let mut world = World::with(Policy { limits, ..policy() });
    world.running("a");
    let plan = world.run("a").plan.as_ref().unwrap();
    assert_eq!((plan.limits.memory, plan.limits.cpus), (Some(512 << 20), Some(2)));
    world.ended("a", failure().over_memory(512 << 20));
    world.collected("a");
    let report = world.report("a");
    assert_eq!((report.reason.as_str(), report.attempts), ("memory", 1));
    assert!(report.message.contains("512 MiB"), "{}", report.message);
}
