//! From the claim to the end, and everything that can come between.

use super::*;

#[test]
fn a_completed_run_leaves_a_comment_with_the_diff_stat_and_parks_the_task_in_review() {
    let mut scene = Scene::new();
    assert_eq!(scene.task().status, TaskStatus::InProgress);
    let work = scene.claim().unwrap();
    assert_eq!((work.kind, work.timeout_ms), (Kind::Initial, 1_800_000));
    let usage = Usage { input_tokens: 10, output_tokens: 5, cost_cents: 3 };
    let diff_stat = Some(" a.rs | 2 +-".to_owned());
    scene.complete(Completion { diff_stat, usage, ..done("Fixed.") }).unwrap();
    let task = scene.task();
    assert_eq!(task.status, TaskStatus::InReview);
    assert_eq!(task.comments[0].body, "Fixed.\n\n```\n a.rs | 2 +-\n```");
    assert_eq!(task.comments[0].author, Author::Agent("coder".to_owned()));
    assert_eq!(scene.board.metrics()[0].status, MetricsStatus::Completed);
    assert_eq!(scene.board.spent_cents(ORG, "coder", scene.now), 3);
    assert_eq!(scene.board.unended(), Vec::<String>::new());
}

#[test]
fn a_run_that_nobody_claims_fails_as_offline_two_minutes_and_five_seconds_later() {
    let mut scene = Scene::new();
    scene.pass(secs(124));
    assert_eq!(scene.status(), "queued");
    scene.pass(secs(1));
    assert_eq!(scene.reason(), Some(FailReason::RuntimeOffline));
    assert_eq!(scene.task().status, TaskStatus::Todo);
    let comment = &scene.task().comments[0].body;
    for part in ["claude_code", "runtime_offline", "returned to To do"] {
        assert!(comment.contains(part), "{comment}");
    }
    assert!(scene.board.metrics().is_empty(), "no attempt was made");
}

#[test]
fn any_heartbeat_of_the_organisation_finds_an_overdue_run() {
    let mut scene = Scene::new();
    scene.now = scene.now.plus(limits::DISPATCH_DEADLINE);
    assert!(scene.claim().is_none(), "the deadline is over");
    scene.board.heartbeat(ORG, "daemon_other", scene.now);
    assert_eq!(scene.reason(), Some(FailReason::RuntimeOffline));
}

#[test]
fn a_lost_lease_gives_the_run_a_second_attempt_and_no_third() {
    let mut scene = Scene::new();
    let first = scene.claim().unwrap();
    scene.pass(limits::SWEEP_AFTER_CLAIM);
    assert_eq!(scene.status(), "queued");
    let second = scene.claim_as("daemon_2").unwrap();
    assert_eq!(second, first, "same id, prompt, kind and session");
    scene.pass(limits::SWEEP_AFTER_CLAIM);
    assert_eq!(scene.reason(), Some(FailReason::LeaseExpired));
    assert_eq!(scene.task().comments.len(), 1, "a retry leaves no comment");
    let statuses: Vec<_> = scene.board.metrics().iter().map(|row| row.status).collect();
    assert_eq!(statuses, [MetricsStatus::TimedOut; 2]);
}

#[test]
fn heartbeats_keep_the_lease_until_the_run_times_out() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    for _ in 0..59 {
        scene.pass(secs(30));
        scene.board.heartbeat(ORG, DAEMON, scene.now);
    }
    assert_eq!(scene.status(), "claimed");
    scene.pass(secs(30));
    scene.board.heartbeat(ORG, DAEMON, scene.now);
    assert_eq!(scene.reason(), Some(FailReason::Timeout), "never retried");
}

#[test]
fn a_restarted_daemon_renews_the_lease_of_a_run_it_forgot() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    scene.now = scene.now.plus(limits::LEASE * 3);
    scene.board.heartbeat(ORG, DAEMON, scene.now);
    assert_eq!(scene.status(), "claimed", "renewed before the sweep looks");
}

#[test]
fn a_retryable_failure_is_queued_again_once() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    scene.fail(true).unwrap();
    assert_eq!(scene.status(), "queued");
    assert_eq!(scene.fail(true), Err(NotAccepted::NotFound), "the claim is cleared");
    scene.claim().unwrap();
    scene.fail(true).unwrap();
    assert_eq!(scene.reason(), Some(FailReason::Error));
    assert!(scene.task().comments[0].body.contains("it broke"));
    let event = &scene.board.events()[0];
    assert_eq!((event.event, event.project_id.as_deref()), ("task.external_run_failed", Some("APP")));
}

#[test]
fn a_failure_that_is_not_retryable_ends_the_run_at_once() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    scene.fail(false).unwrap();
    assert_eq!(scene.reason(), Some(FailReason::Error));
    assert_eq!(scene.fail(false), Err(NotAccepted::NotLive));
    assert_eq!(scene.complete(done("late")), Err(NotAccepted::NotLive));
}

#[test]
fn another_daemon_or_organisation_ends_nothing() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    let (run, now) = (scene.run.clone(), scene.now);
    let foreign = scene.board.complete(ORG, &run, "daemon_2", done("x"), now);
    assert_eq!(foreign, Err(NotAccepted::NotFound));
    let foreign = scene.board.complete("other", &run, DAEMON, done("x"), now);
    assert_eq!(foreign, Err(NotAccepted::NotFound));
    let answer = scene.board.event(ORG, &run, "daemon_2", EventType::Started, now);
    assert_eq!(answer, EventAnswer { ok: false, cancel_requested: true });
    assert_eq!(scene.status(), "claimed");
}

#[test]
fn events_start_the_run_renew_its_lease_and_fill_the_timeline() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    let (run, later) = (scene.run.clone(), scene.now.plus(secs(50)));
    let answer = scene.board.event(ORG, &run, DAEMON, EventType::Started, later);
    assert_eq!(answer, EventAnswer { ok: true, cancel_requested: false });
    assert_eq!(scene.status(), "running");
    let lease = scene.board.run(&run).unwrap().state.hold().unwrap().lease_until;
    assert_eq!(lease, later.plus(limits::LEASE));
    for length in [limits::ACTIVITY, limits::ACTIVITY + 1] {
        let progress = EventType::Progress(Some("x".repeat(length)));
        scene.board.event(ORG, &run, DAEMON, progress, later);
        assert_eq!(scene.task().activity.last().unwrap().text.len(), limits::ACTIVITY);
    }
}

#[test]
fn a_pinned_run_waits_for_its_daemon_and_its_adapter() {
    let agent = Agent::bound("coder", "claude_code").pinned_to("daemon_2").workspace("api");
    let mut scene = Scene::with(agent, Rules::default());
    assert!(scene.claim().is_none());
    let other = scene.board.claim(ORG, "daemon_2", &["codex".to_owned()], scene.now);
    assert!(other.is_none());
    assert_eq!(scene.claim_as("daemon_2").unwrap().workspace_key.as_deref(), Some("api"));
}

#[test]
fn a_claim_hands_out_the_oldest_run_and_looks_at_twenty_five() {
    let mut scene = Scene::new();
    let oldest = scene.run.clone();
    assert_eq!(scene.claim().unwrap().external_run_id, oldest);
    scene.board.put_agent(Agent::bound("other", "codex"));
    for number in 1..=limits::RUNS_PER_CLAIM {
        let task = scene.board.create_task(NewTask::titled("t"), scene.now);
        let agent = if number == limits::RUNS_PER_CLAIM { "coder" } else { "other" };
        scene.board.assign(&task, agent, scene.now).unwrap();
    }
    assert!(scene.claim().is_some(), "number 25 is looked at");
    for agent in ["other", "coder"] {
        let task = scene.board.create_task(NewTask::titled("t"), scene.now);
        scene.board.assign(&task, agent, scene.now).unwrap();
    }
    assert!(scene.claim().is_none(), "number 26 is not");
}

#[test]
fn a_sweep_deals_with_fifty_runs_and_leaves_the_next_for_another() {
    let mut scene = Scene::new();
    for _ in 0..limits::RUNS_PER_SWEEP {
        let task = scene.board.create_task(NewTask::titled("t"), scene.now);
        scene.board.assign(&task, "coder", scene.now).unwrap();
    }
    let later = scene.now.plus(limits::DISPATCH_DEADLINE);
    let open = |board: &Board| board.runs().iter().filter(|run| !run.state.is_over()).count();
    scene.board.sweep(ORG, later);
    assert_eq!(open(&scene.board), 1);
    scene.board.sweep(ORG, later);
    assert_eq!(open(&scene.board), 0);
}

#[test]
fn a_queued_run_is_cancelled_at_once_and_a_running_one_by_its_daemon() {
    let mut scene = Scene::new();
    let (run, now) = (scene.run.clone(), scene.now);
    assert_eq!(scene.board.cancel(&run, now), Cancelled::AtOnce);
    assert_eq!(scene.status(), "cancelled");
    assert_eq!(scene.board.cancel(&run, now), Cancelled::Nothing);

    let mut scene = Scene::new();
    scene.claim().unwrap();
    assert_eq!(scene.board.cancel(&run, now), Cancelled::Requested);
    assert_eq!(scene.board.heartbeat(ORG, DAEMON, now).cancel, std::slice::from_ref(&run));
    assert!(scene.board.event(ORG, &run, DAEMON, EventType::Heartbeat, now).cancel_requested);
    scene.fail(true).unwrap();
    assert_eq!(scene.reason(), Some(FailReason::Error), "as the code does, and not retried");
    assert!(scene.board.heartbeat(ORG, DAEMON, now).cancel.is_empty());
}

#[test]
fn in_the_other_mode_an_acknowledged_cancel_ends_as_cancelled_without_a_comment() {
    let rules = Rules { cancel_ack: CancelAck::Cancelled };
    let mut scene = Scene::with(Agent::bound("coder", "claude_code"), rules);
    scene.claim().unwrap();
    scene.board.cancel(&scene.run.clone(), scene.now);
    scene.fail(false).unwrap();
    assert_eq!((scene.status(), scene.task().comments.len()), ("cancelled", 0));
    assert_eq!(scene.task().status, TaskStatus::Todo);
}

#[test]
fn a_cancelled_run_whose_daemon_is_gone_ends_with_its_lease() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    scene.board.cancel(&scene.run.clone(), scene.now);
    scene.pass(limits::SWEEP_AFTER_CLAIM);
    assert_eq!(scene.status(), "cancelled");
}

#[test]
fn a_capped_agent_gets_its_second_run_only_after_the_first() {
    let mut scene = Scene::with(Agent::bound("coder", "claude_code").at_most(1), Rules::default());
    let second = scene.board.create_task(NewTask::titled("t"), scene.now);
    scene.board.assign(&second, "coder", scene.now).unwrap();
    scene.claim().unwrap();
    assert!(scene.claim().is_none());
    scene.complete(done("x")).unwrap();
    assert_eq!(scene.claim().unwrap().task_id, second);
}

#[test]
fn a_queued_run_of_a_closed_task_is_forgotten_and_the_task_stays_closed() {
    let mut scene = Scene::new();
    let (task, now) = (scene.task.clone(), scene.now);
    scene.board.move_task(&task, TaskStatus::Done, now);
    assert!(scene.claim().is_none());
    scene.pass(limits::SWEEP_AFTER_ENQUEUE);
    assert_eq!((scene.status(), scene.task().status), ("cancelled", TaskStatus::Done));
}

#[test]
fn the_environment_of_the_agent_is_handed_out_with_the_claim() {
    let agent = Agent::bound("coder", "claude_code").variable("MODE", "test");
    let work = Scene::with(agent, Rules::default()).claim().unwrap();
    assert_eq!(work.env["MODE"], "test");
}

#[test]
fn a_run_that_is_kept_alive_but_never_ends_is_found_one_minute_after_its_time() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    let run = scene.run.clone();
    for _ in 0..61 {
        scene.pass(secs(30));
        // An event renews the lease but does not look for overdue runs.
        scene.board.event(ORG, &run, DAEMON, EventType::Heartbeat, scene.now);
    }
    assert_eq!(scene.status(), "claimed");
    scene.pass(secs(30));
    assert_eq!(scene.reason(), Some(FailReason::Timeout));
}

#[test]
fn a_retried_run_that_nobody_claims_fails_as_offline_by_itself() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    scene.pass(secs(50));
    scene.fail(true).unwrap();
    scene.pass(secs(124));
    assert_eq!(scene.status(), "queued", "two new minutes");
    scene.pass(secs(1));
    assert_eq!(scene.reason(), Some(FailReason::RuntimeOffline));
}
