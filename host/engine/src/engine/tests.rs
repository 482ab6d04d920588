#![allow(clippy::unwrap_used)]

use super::*;
use crate::input::Offer;
use crate::outcome::{Class, Outcome, Usage};
use crate::plan::{Base, LimitsWish, Permission, PermissionSource, Wish};
use crate::policy::{LINGER, MAX_INTERRUPTIONS};
use crate::problem::{Problem, ProblemKind};
use crate::report::ReportState;
use crate::run::Workspace;
use crate::task::{Claim, Task};
use crate::verdict::MIN_PAUSE;

mod adoption;
mod finishing;
mod follow_up;
mod leases;
mod world;

use world::{World, failure, policy, run_id, success, task};

#[test]
fn a_task_walks_from_offer_to_report_and_is_closed_once_the_tracker_has_it() {
    let mut world = World::new();
    world.running("a");
    world.ended("a", Outcome { summary: "Done.".to_owned(), ..success() });
    world.collected("a");
    assert_eq!(world.report("a").state, ReportState::Succeeded);
    assert_eq!(world.report("a").summary, "Done.");
    world.reported("a", Ok(()));
    assert_eq!(world.state("a"), "closed");
    assert!(matches!(world.effects[..], [Effect { action: Action::Tidy, .. }]));
    assert!(world.engine.is_done());
    world.tell(Input::Tidied { run: run_id("a") });
    assert_eq!(world.engine.runs().count(), 0);
}

#[test]
fn no_more_runs_are_taken_than_there_are_slots_and_the_most_urgent_come_first() {
    let mut world = World::with(Policy { slots: 2, ..policy() });
    let offer = |name: &str, priority| Offer { run: run_id(name), task: Task { priority, ..task(name) } };
    let offers = vec![offer("low", -1), offer("high", 5), offer("normal", 0)];
    world.tell(Input::Offered { tracker: "t".to_owned(), offers });
    assert_eq!(world.engine.runs().count(), 2);
    assert_eq!((world.state("high"), world.state("normal")), ("claiming", "claiming"));
    assert_eq!(world.engine.free_slots(), 0);
}

#[test]
fn a_task_that_is_offered_again_while_it_runs_starts_nothing() {
    let mut world = World::new();
    world.running("a");
    let offers = vec![Offer { run: run_id("b"), task: task("a") }];
    world.tell(Input::Offered { tracker: "t".to_owned(), offers });
    assert_eq!(world.effects, []);
    assert_eq!(world.engine.runs().count(), 1);
}

#[test]
fn a_claim_somebody_else_won_just_closes() {
    let mut world = World::new();
    world.offer("a");
    let (at, sent) = (world.at("a"), world.now);
    let answer = Err(Problem::new(ProblemKind::Gone, "taken"));
    world.tell(Input::ClaimAnswered { at, sent, answer, environment: vec![] });
    assert!(
        matches!(&world.run("a").state, State::Closed { how: crate::run::Closing::NotOurs(why), .. } if why == "taken")
    );
}

#[test]
fn the_minimum_of_wish_and_policy_holds() {
    let mut world = World::new();
    let wish = Wish {
        permission: Some(Permission::FullAuto),
        limits: LimitsWish { attempts: Some(9), time: Some(Millis(5)), ..LimitsWish::default() },
        ..Wish::default()
    };
    world.running_as("a", wish);
    let plan = world.run("a").plan.as_ref().unwrap();
    assert_eq!((plan.permission, plan.permission_by), (Permission::AutoEdits, PermissionSource::Operator));
    assert_eq!((plan.limits.attempts, plan.limits.time), (2, Some(Millis(5))));
    assert_eq!(plan.limits.stall, Some(crate::policy::DEFAULT_STALL));
}

#[test]
fn a_task_for_an_unknown_repository_is_reported_with_what_is_known() {
    let mut world = World::new();
    world.offer("a");
    world.claimed("a");
    world.planned("a", Wish { repository: Some("other".to_owned()), ..Wish::default() });
    let report = world.report("a");
    assert_eq!((report.state, report.reason.as_str()), (ReportState::Failed, "refused"));
    assert!(report.message.contains("`other`") && report.message.contains("main"), "{}", report.message);
}

#[test]
fn a_failure_is_tried_again_in_the_same_workspace_with_its_session() {
    let mut world = World::new();
    world.running("a");
    world.ended("a", Outcome { session: Some("s1".to_owned()), ..failure() });
    world.collected("a");
    world.advised("a", false);
    assert_eq!(world.state("a"), "waiting");
    world.pass(MIN_PAUSE);
    world.prepared("a");
    assert_eq!(world.run("a").workspace.as_ref().unwrap().number, 1);
    assert!(matches!(
        &world.effects[..],
        [Effect { action: Action::Start { attempt: 2, session: Some(session) }, .. }] if session == "s1"
    ));
}

#[test]
fn a_fresh_retry_gets_a_clean_workspace_the_same_start_and_no_session() {
    let mut world = World::new();
    world.running("a");
    world.ended("a", Outcome { session: Some("s1".to_owned()), ..failure() });
    world.collected("a");
    world.advised("a", true);
    world.pass(MIN_PAUSE);
    let Action::Prepare { order } = &world.effects[0].action else { panic!("{:?}", world.effects) };
    assert_eq!((order.number, order.start.as_deref()), (2, Some("base")));
    assert!(order.branch.ends_with("-2") && order.folder.ends_with("-2"));
    world.prepared("a");
    assert!(matches!(&world.effects[0].action, Action::Start { attempt: 2, session: None }));
}

#[test]
fn a_refused_session_is_not_tried_twice() {
    let mut world = World::new();
    world.running("a");
    let refused = Outcome::failed("session-refused", Class::Retryable, "No such session.");
    world.ended("a", Outcome { session: Some("s1".to_owned()), ..refused });
    world.collected("a");
    world.advised("a", false);
    world.pass(MIN_PAUSE);
    world.prepared("a");
    assert!(matches!(&world.effects[0].action, Action::Start { session: None, .. }));
}

#[test]
fn attempts_are_bounded_whatever_the_plugin_advises() {
    let mut world = World::new();
    world.running("a");
    world.ended("a", failure());
    world.collected("a");
    world.advised("a", false);
    world.pass(MIN_PAUSE);
    world.prepared("a");
    world.started("a");
    world.ended("a", failure());
    world.collected("a");
    let report = world.report("a");
    assert_eq!((report.state, report.attempts, report.retryable), (ReportState::Failed, 2, true));
}

#[test]
fn an_interruption_uses_up_no_attempt_but_is_bounded_too() {
    let mut world = World::new();
    world.running("a");
    for _ in 0..=MAX_INTERRUPTIONS {
        assert_eq!(world.state("a"), "running");
        world.tell(Input::Restarted);
        assert!(matches!(world.effects[0].action, Action::Adopt { .. }));
        world.ended("a", Outcome::failed("interrupted", Class::Interrupted, "The host died."));
        world.collected("a");
        if world.state("a") == "preparing" {
            world.prepared("a");
            world.started("a");
        }
    }
    assert_eq!(world.report("a").reason, "interrupted");
}

#[test]
fn permanent_auth_and_budget_failures_are_reported_at_once() {
    for class in [Class::Permanent, Class::Auth, Class::Budget] {
        let mut world = World::new();
        world.running("a");
        world.ended("a", Outcome::failed("x", class, "No."));
        world.collected("a");
        assert_eq!(world.state("a"), "reporting", "{class:?}");
    }
}

#[test]
fn a_quota_is_waited_for_until_it_is_renewed_but_not_for_ever() {
    let mut world = World::new();
    world.running("a");
    let reset = world.now + Millis::minutes(30);
    let quota = Outcome { resets_at: Some(reset), ..Outcome::failed("quota", Class::Quota, "Used up.") };
    world.ended("a", quota.clone());
    world.collected("a");
    assert!(matches!(world.run("a").state, State::Waiting { until } if until > reset));
    world.pass(Millis::minutes(31));
    world.prepared("a");
    world.started("a");
    let far = Outcome { resets_at: Some(world.now + Millis::minutes(60 * 24)), ..quota };
    world.ended("a", far);
    world.collected("a");
    assert_eq!(world.report("a").reason, "quota");
}

#[test]
fn a_tracker_that_does_not_want_a_quota_waited_for_hears_of_it_at_once() {
    for (wish, reported) in [(Some(Millis(0)), true), (Some(Millis::minutes(30)), false), (None, false)] {
        let mut world = World::new();
        let limits = LimitsWish { quota: wish, ..LimitsWish::default() };
        world.running_as("a", Wish { limits, ..Wish::default() });
        let resets_at = Some(world.now + Millis::minutes(20));
        world.ended("a", Outcome { resets_at, ..Outcome::failed("quota", Class::Quota, "Used up.") });
        world.collected("a");
        assert_eq!(world.state("a") == "reporting", reported, "{wish:?}");
    }
}

#[test]
fn the_time_limit_ends_the_agent_and_the_reason_is_kept() {
    let mut world = World::new();
    world.running("a");
    world.pass(crate::policy::DEFAULT_STALL);
    assert!(matches!(world.effects[0].action, Action::End { why: EndReason::Stalled, .. }));
    world.ended("a", failure());
    assert_eq!(world.run("a").attempts[0].outcome.reason, "stalled");
}

#[test]
fn an_agent_that_is_heard_of_is_not_stalled_but_still_has_a_time_limit() {
    let mut world = World::new();
    world.running("a");
    for _ in 0..6 {
        assert_eq!(world.state("a"), "running");
        world.now = world.now + Millis::minutes(10);
        world.tell(Input::Heard { run: run_id("a"), attempt: 1, usage: Usage::default() });
    }
    world.tell(Input::Tick);
    assert!(matches!(world.effects[0].action, Action::End { why: EndReason::TimedOut, .. }));
}

#[test]
fn a_process_that_lingers_after_it_finished_is_ended_and_its_success_stands() {
    let mut world = World::new();
    world.running("a");
    world.tell(Input::AgentFinished { run: run_id("a"), attempt: 1 });
    assert_eq!(world.engine.next_deadline(), Some(world.now + LINGER));
    world.pass(LINGER);
    assert!(matches!(world.effects[0].action, Action::End { why: EndReason::Finished, .. }));
    world.ended("a", success());
    world.collected("a");
    assert_eq!(world.report("a").state, ReportState::Succeeded);
}

#[test]
fn a_token_limit_counts_all_attempts_and_ends_the_agent() {
    let mut world = World::new();
    let limits = LimitsWish { tokens: Some(100), ..LimitsWish::default() };
    world.running_as("a", Wish { limits, ..Wish::default() });
    let usage = |tokens| Usage { input_tokens: tokens, ..Usage::default() };
    world.tell(Input::Heard { run: run_id("a"), attempt: 1, usage: usage(60) });
    world.ended("a", failure());
    world.collected("a");
    world.advised("a", false);
    world.pass(MIN_PAUSE);
    world.prepared("a");
    world.started("a");
    world.tell(Input::Heard { run: run_id("a"), attempt: 2, usage: usage(40) });
    assert_eq!(world.state("a"), "running");
    world.tell(Input::Heard { run: run_id("a"), attempt: 2, usage: usage(41) });
    assert!(matches!(world.effects[0].action, Action::End { why: EndReason::Budget, .. }));
}

#[test]
fn a_cancelled_run_ends_its_agent_first_and_reports_afterwards() {
    let mut world = World::new();
    world.running("a");
    world.tell(Input::StopAsked { run: run_id("a") });
    assert!(matches!(world.effects[0].action, Action::End { why: EndReason::Cancelled, .. }));
    world.ended("a", success());
    world.collected("a");
    assert_eq!(world.report("a").state, ReportState::Cancelled);
}

#[test]
fn a_wish_to_stop_that_comes_while_an_answer_is_under_way_is_kept() {
    let mut world = World::new();
    world.offer("a");
    world.claimed("a");
    world.planned("a", Wish::default());
    let preparing = world.effects.clone();
    world.tell(Input::StopAsked { run: run_id("a") });
    assert_eq!(world.state("a"), "preparing");
    world.effects = preparing;
    world.prepared("a");
    assert_eq!(world.report("a").state, ReportState::Cancelled);
}

#[test]
fn a_report_is_repeated_with_growing_pauses_until_it_is_accepted() {
    let mut world = World::new();
    world.running("a");
    world.ended("a", success());
    world.collected("a");
    let mut last = Millis(0);
    for _ in 0..12 {
        world.reported("a", Err(Problem::transient("no network")));
        assert_eq!(world.state("a"), "reporting");
        let pause = world.engine.next_deadline().unwrap().since(world.now);
        assert!(pause >= last && pause <= crate::run::MAX_REPORT_PAUSE);
        last = pause;
        world.pass(pause);
        assert!(matches!(world.effects[..], [Effect { action: Action::Report { .. }, .. }]));
    }
    assert_eq!(last, crate::run::MAX_REPORT_PAUSE);
    world.reported("a", Ok(()));
    assert_eq!(world.state("a"), "closed");
}

#[test]
fn a_report_that_is_refused_for_good_is_parked_where_it_can_be_seen_and_tried_after_a_restart() {
    let mut world = World::new();
    world.running("a");
    world.ended("a", success());
    world.collected("a");
    world.reported("a", Err(Problem::new(ProblemKind::Auth, "key expired")));
    assert!(
        matches!(&world.run("a").state, State::Parked { reason, report: Some(_) } if reason.contains("key expired"))
    );
    world.tell(Input::Restarted);
    assert!(matches!(world.effects[..], [Effect { action: Action::Report { .. }, .. }]));
}

#[test]
fn an_answer_to_an_older_step_changes_nothing() {
    let mut world = World::new();
    world.offer("a");
    let (at, sent) = (world.at("a"), world.now);
    world.tell(Input::ClaimAnswered { at: at.clone(), sent, answer: Ok(None), environment: vec![] });
    let before = world.engine.clone();
    world.tell(Input::ClaimAnswered {
        at,
        sent,
        answer: Err(Problem::permanent("late")),
        environment: vec![],
    });
    assert_eq!((world.engine.clone(), world.effects.len()), (before, 0));
}

#[test]
fn draining_takes_nothing_new_and_is_quiet_once_agents_are_done() {
    let mut world = World::new();
    world.running("a");
    world.tell(Input::Drain);
    world.offer("b");
    assert_eq!(world.engine.runs().count(), 1);
    assert!(!world.engine.is_quiet());
    world.ended("a", success());
    world.collected("a");
    assert!(!world.engine.is_quiet());
    world.reported("a", Err(Problem::transient("no network")));
    assert!(world.engine.is_quiet(), "a report that waits stays in the outbox");
}

#[test]
fn stopping_now_ends_the_agent_and_the_run_goes_on_at_the_next_start() {
    let mut world = World::new();
    world.running("a");
    world.tell(Input::StopNow);
    assert!(matches!(world.effects[0].action, Action::End { why: EndReason::Stopping, .. }));
    world.ended("a", failure());
    world.collected("a");
    assert_eq!(world.state("a"), "waiting");
    assert!(world.engine.is_quiet());
    world.tell(Input::Restarted);
    assert!(matches!(world.effects[..], [Effect { action: Action::Prepare { .. }, .. }]));
}

#[test]
fn a_run_waiting_for_its_retry_has_the_slot_before_new_work() {
    let mut world = World::with(Policy { slots: 1, ..policy() });
    world.running("a");
    world.ended("a", failure());
    world.collected("a");
    world.advised("a", false);
    world.offer("b");
    assert_eq!(world.state("b"), "claiming", "the slot is free while `a` waits");
    world.pass(MIN_PAUSE);
    assert_eq!(world.state("a"), "waiting", "no slot");
    let (at, sent) = (world.at("b"), world.now);
    world.tell(Input::ClaimAnswered {
        at,
        sent,
        answer: Err(Problem::new(ProblemKind::Gone, "x")),
        environment: vec![],
    });
    assert_eq!(world.state("a"), "preparing");
}

#[test]
fn runs_of_a_tracker_that_is_not_there_sleep_but_their_agents_are_ended() {
    let mut world = World::with(Policy { slots: 1, ..policy() });
    world.running("a");
    world.tell(Input::Configured { policy: policy(), trackers: vec!["other".to_owned()] });
    world.tell(Input::Restarted);
    assert!(matches!(world.effects[..], [Effect { action: Action::Reap { .. }, .. }]));
    world.ended("a", Outcome::failed("interrupted", Class::Interrupted, "died"));
    world.collected("a");
    assert_eq!((world.state("a"), world.engine.free_slots()), ("waiting", policy().slots));
    assert!(world.engine.is_done() && world.engine.is_quiet());
    world.tell(Input::Configured { policy: policy(), trackers: vec!["t".to_owned()] });
    assert_eq!(world.state("a"), "preparing");
}

#[test]
fn a_plain_folder_takes_one_run_at_a_time() {
    let shared = Policy { shared: vec!["main".to_owned()], slots: 3, ..policy() };
    let mut world = World::with(shared);
    world.running("a");
    world.offer("b");
    world.claimed("b");
    world.planned("b", Wish::default());
    assert_eq!((world.state("a"), world.state("b")), ("running", "waiting"));
    assert!(world.engine.next_deadline() > Some(world.now), "nothing is due until the folder is free");
    world.ended("a", success());
    world.collected("a");
    assert_eq!(world.state("b"), "preparing");
}

/// From offer to the first answer about the workspace of a revision.
fn revision(continued: bool) -> World {
    let mut world = World::new();
    world.offer("a");
    world.claimed("a");
    let session = Some("s0".to_owned());
    world.planned("a", Wish { base: Base::PreviousSession, session, ..Wish::default() });
    let Action::Prepare { order } = &world.effects[0].action else { panic!("{:?}", world.effects) };
    assert_eq!(order.session.as_deref(), Some("s0"));
    let workspace = Workspace {
        path: "/w/old".to_owned(),
        branch: "old".to_owned(),
        base: "base".to_owned(),
        number: 1,
        continued,
        record: String::new(),
    };
    let at = world.at("a");
    world.tell(Input::Prepared { at, workspace: Ok(workspace) });
    world
}

#[test]
fn a_revision_goes_on_in_the_workspace_of_its_session() {
    let world = revision(true);
    assert!(
        matches!(&world.effects[0].action, Action::Start { session: Some(session), .. } if session == "s0")
    );
    assert!(world.run("a").workspace.as_ref().unwrap().holds_work_at(1));
}

#[test]
fn a_session_whose_workspace_is_gone_is_not_resumed() {
    let world = revision(false);
    assert!(matches!(&world.effects[0].action, Action::Start { session: None, .. }));
}

#[test]
fn without_a_session_the_workspace_of_the_last_run_is_gone_on_with() {
    for (base, last) in [(Base::PreviousSession, true), (Base::Head, false)] {
        let mut world = World::new();
        world.offer("a");
        world.claimed("a");
        world.planned("a", Wish { base, ..Wish::default() });
        let Action::Prepare { order } = &world.effects[0].action else { panic!("{:?}", world.effects) };
        assert_eq!((order.last, &order.session), (last, &None));
    }
}

#[test]
fn a_task_that_cannot_be_claimed_is_left_alone_for_longer_and_longer() {
    let mut world = World::new();
    let mut last = Millis(0);
    for number in 0..12 {
        let asked = world.now;
        let name = format!("run-{number}");
        loop {
            let offers = vec![Offer { run: run_id(&name), task: task("t1") }];
            world.tell(Input::Offered { tracker: "t".to_owned(), offers });
            if !world.effects.is_empty() {
                break;
            }
            world.now = world.now + Millis::seconds(1);
        }
        let pause = world.now.since(asked);
        assert!(pause >= last && pause <= MAX_REFUSAL_PAUSE, "{pause:?} after {last:?}");
        last = pause;
        let (at, sent) = (world.at(&name), world.now);
        let answer = Err(Problem::transient("read-only"));
        world.tell(Input::ClaimAnswered { at, sent, answer, environment: vec![] });
    }
    assert_eq!(last, MAX_REFUSAL_PAUSE);
    world.offer("another");
    assert_eq!(world.state("another"), "claiming", "other tasks are not affected");
}

#[test]
fn refusals_are_remembered_for_exactly_the_stated_number_of_tasks() {
    let mut engine = Engine::default();
    for number in 0..=REMEMBERED_REFUSALS {
        engine.remember_refusal(Timestamp(0), "t".to_owned(), number.to_string());
    }
    assert_eq!(engine.refusals.len(), REMEMBERED_REFUSALS);
    assert!(!engine.was_refused(Timestamp(1), "t", "0") && engine.was_refused(Timestamp(1), "t", "1"));
}
