//! What becomes a run, what does not, and who may claim it.

use super::*;

#[test]
fn a_task_has_one_live_run() {
    let mut scene = Scene::new();
    let (task, now) = (scene.task.clone(), scene.now);
    assert_eq!(scene.board.assign(&task, "coder", now), Err(Refusal::AlreadyDispatched));
    scene.claim().unwrap();
    assert_eq!(scene.board.assign(&task, "coder", now), Err(Refusal::AlreadyDispatched));
    scene.complete(done("x")).unwrap();
    assert!(scene.board.assign(&task, "coder", now).is_ok());
}

#[test]
fn a_revision_resumes_the_session_of_the_last_completed_run() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    scene.complete(Completion { session_ref: Some("s-1".to_owned()), ..done("x") }).unwrap();
    let (task, now) = (scene.task.clone(), scene.now);
    scene.board.request_revision(&task, "ada", "Smaller, please.", now).unwrap();
    let work = scene.claim().unwrap();
    assert_eq!((work.kind, work.resume_session_ref.as_deref()), (Kind::Revision, Some("s-1")));
    assert!(work.prompt.contains("user:ada: Smaller, please."), "{}", work.prompt);
}

#[test]
fn a_mention_dispatches_the_agent_it_names() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    scene.complete(done("x")).unwrap();
    let (task, now) = (scene.task.clone(), scene.now);
    assert_eq!(scene.board.comment(&task, "ada", "mail ada@example.org", now), None);
    let mention = scene.board.comment(&task, "ada", "and you, @coder?", now);
    assert!(matches!(mention, Some(Ok(_))), "{mention:?}");
}

#[test]
fn a_spent_budget_stops_claims_and_dispatches_and_a_nearly_spent_one_warns() {
    let mut scene = Scene::with(Agent::bound("coder", "claude_code").budget(100), Rules::default());
    let (task, now) = (scene.task.clone(), scene.now);
    for (cost_cents, warned) in [(79, false), (1, false), (19, true)] {
        let work = scene.claim().unwrap();
        assert_eq!(work.prompt.contains("Budget warning"), warned, "before {cost_cents}");
        let usage = Usage { cost_cents, ..Usage::default() };
        scene.complete(Completion { usage, ..done("x") }).unwrap();
        scene.run = scene.board.assign(&task, "coder", now).unwrap();
    }
    scene.claim().unwrap();
    let usage = Usage { cost_cents: 1, ..Usage::default() };
    scene.complete(Completion { usage, ..done("x") }).unwrap();
    assert_eq!(scene.board.assign(&task, "coder", now), Err(Refusal::BudgetPaused));
    let february = now.plus(secs(31 * 24 * 60 * 60));
    assert!(scene.board.assign(&task, "coder", february).is_ok());
}

#[test]
fn the_breaker_opens_after_ten_dispatches_within_the_hour() {
    let mut scene = Scene::new();
    let (task, now) = (scene.task.clone(), scene.now);
    scene.board.cancel(&scene.run.clone(), now);
    for _ in 1..limits::DISPATCHES_PER_HOUR {
        let run = scene.board.assign(&task, "coder", now).unwrap();
        scene.board.cancel(&run, now);
    }
    assert_eq!(scene.board.assign(&task, "coder", now), Err(Refusal::BreakerOpen));
    assert!(scene.board.assign(&task, "coder", now.plus(limits::BREAKER_WINDOW)).is_ok());
}

#[test]
fn what_may_not_be_dispatched_is_refused_by_name() {
    let mut scene = Scene::new();
    let (task, now) = (scene.task.clone(), scene.now);
    scene.board.cancel(&scene.run.clone(), now);
    assert_eq!(scene.board.assign(&task, "nobody", now), Err(Refusal::NoAgent));
    scene.board.put_agent(Agent { runtime: None, ..Agent::bound("inner", "") });
    assert_eq!(scene.board.assign(&task, "inner", now), Err(Refusal::NotBound));
    scene.board.put_agent(Agent { enabled: false, ..Agent::bound("off", "codex") });
    assert_eq!(scene.board.assign(&task, "off", now), Err(Refusal::AgentDisabled));
    scene.board.put_organization(Organization { automation: false, ..Organization::new(ORG) });
    assert_eq!(scene.board.assign(&task, "coder", now), Err(Refusal::AutomationOff));
    scene.board.move_task(&task, TaskStatus::Done, now);
    assert_eq!(scene.board.assign(&task, "coder", now), Err(Refusal::TaskClosed));
    scene.board.delete_task(&task);
    assert_eq!(scene.board.assign(&task, "coder", now), Err(Refusal::NoTask));
}

#[test]
fn a_revision_by_another_agent_or_adapter_resumes_nothing() {
    let mut scene = Scene::new();
    scene.claim().unwrap();
    scene.complete(Completion { session_ref: Some("s-1".to_owned()), ..done("x") }).unwrap();
    let (task, now) = (scene.task.clone(), scene.now);
    scene.board.put_agent(Agent::bound("coder", "codex"));
    let other_adapter = scene.board.request_revision(&task, "ada", "w", now).unwrap();
    assert_eq!(scene.board.run(&other_adapter).unwrap().resume_session_ref, None);
    scene.board.cancel(&other_adapter, now);
    scene.board.put_agent(Agent::bound("other", "claude_code"));
    let run = scene.board.assign(&task, "other", now).unwrap();
    scene.board.cancel(&run, now);
    let other_agent = scene.board.request_revision(&task, "ada", "w", now).unwrap();
    assert_eq!(scene.board.run(&other_agent).unwrap().resume_session_ref, None);
}

#[test]
fn a_capped_organisation_and_a_disabled_agent_get_no_run() {
    let mut scene = Scene::new();
    let second = scene.board.create_task(NewTask::titled("t"), scene.now);
    scene.board.assign(&second, "coder", scene.now).unwrap();
    scene.board.put_organization(Organization { max_concurrent_runs: Some(1), ..Organization::new(ORG) });
    scene.claim().unwrap();
    assert!(scene.claim().is_none(), "one is held");
    scene.complete(done("x")).unwrap();
    scene.board.put_agent(Agent { enabled: false, ..Agent::bound("coder", "claude_code") });
    assert!(scene.claim().is_none(), "disabled after the dispatch");
    scene.board.put_agent(Agent::bound("coder", "claude_code"));
    assert!(scene.claim().is_some());
}
