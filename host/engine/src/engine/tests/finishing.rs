//! What happens to work that an agent has finished.

use super::world::*;
use super::*;
use crate::landing::{Landed, Landing, LandingKind, Verification, Verify};
use crate::plan::Wish;
use crate::policy::{Policy, VerifyRule};
use crate::problem::Problem;
use crate::run::{FIRST_LANDING_PAUSE, LANDING_TRIES, PREPARING_TRIES};

fn world() -> World {
    World::with(Policy { landings: vec![LandingKind::Push], verify: VerifyRule::Allow, ..policy() })
}

fn wish(feed_back: u32) -> Wish {
    let verify = Verify { command: "make test".to_owned(), time: None, feed_back };
    Wish { verify: Some(verify), landing: Landing::Push, ..Wish::default() }
}

fn found(passed: bool) -> Verification {
    let summary = if passed { "It passed." } else { "It failed with exit code 1." };
    Verification { passed, summary: summary.to_owned(), tail: "tail".to_owned() }
}

fn pushed() -> Landed {
    Landed { kind: "pushed".to_owned(), url: None, number: None, head: None, note: String::new() }
}

impl World {
    fn verified(&mut self, name: &str, passed: bool) {
        let at = self.at(name);
        self.tell(Input::Verified { at, found: Ok(found(passed)) });
    }

    fn landed(&mut self, name: &str, landed: Result<Landed, Problem>) {
        let at = self.at(name);
        self.tell(Input::Landed { at, landed });
    }

    /// The agent is done and has committed something.
    fn done_with(&mut self, name: &str, wish: Wish) {
        self.running_as(name, wish);
        self.ended(name, success());
        self.collected(name);
    }
}

#[test]
fn work_is_judged_then_lands_then_is_reported() {
    let mut world = world();
    world.done_with("a", wish(0));
    assert_eq!(world.state("a"), "verifying");
    world.verified("a", true);
    assert_eq!(world.state("a"), "landing");
    world.landed("a", Ok(pushed()));
    let report = world.report("a");
    assert_eq!(report.state, crate::report::ReportState::Succeeded);
    assert_eq!(report.landed, Some(pushed()));
    assert_eq!(report.verified, Some(found(true)));
}

#[test]
fn work_that_does_not_stand_is_not_landed() {
    let mut world = world();
    world.done_with("a", wish(0));
    world.verified("a", false);
    let report = world.report("a");
    assert_eq!((report.state.name(), report.reason.as_str()), ("failed", "verify-failed"));
    assert_eq!(report.message, "It failed with exit code 1.");
    assert_eq!(report.landed, None);
}

#[test]
fn so_many_failed_verifications_go_back_to_the_agent_in_the_same_workspace() {
    let mut world = world();
    world.done_with("a", wish(1));
    world.verified("a", false);
    assert_eq!(world.state("a"), "preparing", "the same workspace is opened again");
    assert!(!world.run("a").fresh);
    world.prepared("a");
    world.started("a");
    world.ended("a", success());
    world.collected("a");
    world.verified("a", false);
    assert_eq!(world.report("a").reason, "verify-failed", "once was allowed, not twice");
}

#[test]
fn a_command_that_could_not_be_run_has_proven_nothing() {
    let mut world = world();
    world.done_with("a", wish(0));
    let at = world.at("a");
    world.tell(Input::Verified { at, found: Err(Problem::permanent("There is no shell.")) });
    assert_eq!(world.report("a").reason, "verify-failed");
}

#[test]
fn without_a_change_there_is_nothing_to_judge_or_land() {
    let mut world = world();
    world.running_as("a", wish(0));
    world.ended("a", success());
    let at = world.at("a");
    world.tell(Input::Collected { at, changes: Ok(crate::report::Changes::default()) });
    assert_eq!(world.report("a").state.name(), "succeeded");
    assert_eq!(world.report("a").landed, None);
}

#[test]
fn work_that_nobody_can_see_is_no_success_whatever_the_agent_says() {
    let mut world = world();
    world.running_as("a", wish(0));
    world.ended("a", success());
    let at = world.at("a");
    world.tell(Input::Collected { at, changes: Err(Problem::permanent("Its commits were refused.")) });
    let report = world.report("a");
    assert_eq!((report.state.name(), report.reason.as_str()), ("failed", "collecting"));
    assert!(report.message.ends_with("Its commits were refused."), "{}", report.message);
}

#[test]
fn a_landing_is_tried_so_often_and_not_once_more() {
    let mut world = world();
    world.done_with("a", wish(0));
    world.verified("a", true);
    for _ in 1..LANDING_TRIES {
        world.landed("a", Err(Problem::transient("the remote is away")));
        assert_eq!(world.state("a"), "landing");
        world.pass(Millis(FIRST_LANDING_PAUSE.0 * 64));
        assert!(world.effects.iter().any(|effect| effect.action == Action::Land));
    }
    world.landed("a", Err(Problem::transient("the remote is away")));
    assert_eq!(world.report("a").reason, "landing");
}

#[test]
fn a_refused_landing_is_not_tried_again_and_the_branch_is_told() {
    let mut world = world();
    world.done_with("a", wish(0));
    world.verified("a", true);
    world.landed("a", Err(Problem::permanent("the remote refuses the branch")));
    let report = world.report("a");
    assert_eq!(report.reason, "landing");
    assert!(report.message.contains("the remote refuses the branch"));
    assert_eq!(report.branch.as_deref(), Some("b-1"));
}

#[test]
fn a_landing_that_nobody_allows_leaves_the_work_and_says_so() {
    let mut world = world();
    let landing = Landing::Merge("main".to_owned());
    world.done_with("a", Wish { landing, ..Wish::default() });
    let landed = world.report("a").landed.clone().unwrap();
    assert_eq!(landed.kind, "branch");
    assert!(landed.note.contains("`merge`"), "{}", landed.note);
}

#[test]
fn a_verify_command_that_nobody_allows_refuses_the_run_instead_of_passing_it() {
    let mut world = World::new();
    world.offer("a");
    world.claimed("a");
    world.planned("a", wish(0));
    let report = world.report("a");
    assert_eq!(report.reason, "refused");
    assert!(report.message.contains("`make test`"), "{}", report.message);
}

#[test]
fn a_cancelled_verification_is_ended_first() {
    let mut world = world();
    world.done_with("a", wish(0));
    world.tell(Input::StopAsked { run: run_id("a") });
    assert!(matches!(world.effects[..], [Effect { action: Action::End { attempt: 1, .. }, .. }]));
    assert_eq!(world.state("a"), "verifying", "until it is proven to be over");
    world.verified("a", false);
    assert_eq!(world.report("a").state.name(), "cancelled");
}

#[test]
fn a_restart_asks_again_for_what_was_under_way() {
    let mut world = world();
    world.done_with("a", wish(0));
    world.tell(Input::Restarted);
    assert!(matches!(world.effects[..], [Effect { action: Action::Verify { .. }, .. }]));
    world.verified("a", true);
    world.landed("a", Err(Problem::transient("away")));
    world.tell(Input::Restarted);
    assert!(matches!(world.effects[..], [Effect { action: Action::Land, .. }]));
}

#[test]
fn a_stopping_host_ends_a_verification_and_asks_again_at_the_next_start() {
    let mut world = world();
    world.done_with("a", wish(0));
    world.tell(Input::StopNow);
    assert!(matches!(world.effects[..], [Effect { action: Action::End { attempt: 1, .. }, .. }]));
    world.verified("a", false);
    assert!(world.engine.is_quiet());
    world.tell(Input::Restarted);
    assert!(matches!(world.effects[..], [Effect { action: Action::Verify { .. }, .. }]));
    world.verified("a", true);
    assert_eq!(world.state("a"), "landing");
}

#[test]
fn a_promise_of_no_timer_holds_unless_the_operator_set_one() {
    let untimed = |policy: Policy| {
        let mut world = World::with(policy);
        let mut wish = Wish::default();
        wish.limits.untimed = true;
        world.running_as("a", wish);
        world.run("a").plan.as_ref().unwrap().limits.time
    };
    assert_eq!(untimed(policy()), None);
    let mut set = policy();
    set.usual.time = false;
    assert_eq!(untimed(set.clone()), set.limits.time);
}

/// Planned, with the workspace on its way.
fn preparing(world: &mut World) {
    world.offer("a");
    world.claimed("a");
    world.planned("a", Wish::default());
}

fn not_prepared(world: &mut World, problem: Problem) {
    let at = world.at("a");
    world.tell(Input::Prepared { at, workspace: Err(problem) });
}

#[test]
fn a_workspace_is_tried_so_often_and_not_once_more() {
    let mut world = world();
    preparing(&mut world);
    for _ in 1..PREPARING_TRIES {
        not_prepared(&mut world, Problem::transient("the remote is away"));
        assert_eq!(world.state("a"), "preparing");
        world.pass(Millis(FIRST_LANDING_PAUSE.0 * 64));
        assert!(world.effects.iter().any(|effect| matches!(effect.action, Action::Prepare { .. })));
    }
    not_prepared(&mut world, Problem::transient("the remote is away"));
    assert_eq!(world.report("a").reason, "workspace");
}

#[test]
fn a_workspace_that_can_never_be_made_is_not_tried_again() {
    let mut world = world();
    preparing(&mut world);
    not_prepared(&mut world, Problem::permanent("there is no such branch"));
    assert_eq!(world.report("a").reason, "workspace");
}

#[test]
fn a_run_that_waits_for_its_workspace_can_be_stopped() {
    let mut world = world();
    preparing(&mut world);
    not_prepared(&mut world, Problem::transient("the remote is away"));
    world.tell(Input::StopAsked { run: run_id("a") });
    assert_eq!(world.report("a").state.name(), "cancelled");
}

#[test]
fn what_a_stopping_host_calls_off_is_asked_for_again_at_the_next_start() {
    let mut world = world();
    preparing(&mut world);
    world.tell(Input::StopNow);
    assert!(!world.engine.is_quiet(), "git is at work");
    not_prepared(&mut world, Problem::permanent("called off"));
    assert!(world.engine.is_quiet());
    assert_eq!(world.engine.next_deadline(), None);
    world.tell(Input::Restarted);
    world.prepared("a");
    world.started("a");
    world.ended("a", success());
    world.collected("a");
    assert_eq!(world.report("a").state.name(), "succeeded");
}

#[test]
fn a_landing_that_a_stopping_host_calls_off_is_no_failed_landing() {
    let mut world = world();
    world.done_with("a", Wish { landing: Landing::Push, ..Wish::default() });
    for _ in 0..2 {
        world.tell(Input::StopNow);
        world.landed("a", Err(Problem::permanent("called off")));
        assert!(world.engine.is_quiet());
        world.tell(Input::Restarted);
        assert!(world.effects.iter().any(|effect| effect.action == Action::Land));
    }
    world.tell(Input::StopNow);
    world.landed("a", Ok(pushed()));
    assert_eq!(world.report("a").state.name(), "succeeded", "it had landed before the host could stop it");
}
