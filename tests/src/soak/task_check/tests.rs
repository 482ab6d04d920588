//! A task may only fail for a reason, and only look lost for one.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use standin_tale::board::{Agent, Completion, NewTask, Organization, Rules, RunId, TaskId};
use standin_tale::{Board, Clock, ORGANIZATION, Time};

use super::*;
use crate::scripted_agent::Ended;

const DAEMON: &str = "daemon_1";

/// Numbers of tasks that commit, and that fail once.
const COMMITS: usize = 1;
const FAILS_ONCE: usize = 4;

/// One task, and what became of its claims.
struct Story {
    work: Work,
    board: Board,
    now: Time,
    task: TaskId,
    run: RunId,
    host: Vec<HostRun>,
    starts: Vec<Start>,
    unacknowledged: usize,
}

impl Story {
    fn of(number: usize) -> Self {
        let now = Clock::fake().now();
        let mut board = Board::new(1, Rules::default());
        board.put_organization(Organization::new(ORGANIZATION));
        board.put_project("APP", "App", "An app.");
        board.put_agent(Agent::bound("coder", "claude_code"));
        let task = board.create_task(NewTask::titled("A task"), now);
        let run = board.assign(&task, "coder", now).unwrap();
        let work = Work::of(number, 1);
        Self { work, board, now, task, run, host: Vec::new(), starts: Vec::new(), unacknowledged: 0 }
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now.plus(duration);
        self.board.sweep_until(self.now);
    }

    /// A claim that the host does not hear of.
    fn claim_is_lost(mut self) -> Self {
        self.board.claim(ORGANIZATION, DAEMON, &["claude_code".to_owned()], self.now).unwrap();
        self.pass(standin_tale::limits::SWEEP_AFTER_CLAIM);
        self
    }

    /// A claim, and an agent that ends this way.
    fn agent_ends(&mut self, how: &str, result: &str) {
        self.board.claim(ORGANIZATION, DAEMON, &["claude_code".to_owned()], self.now).unwrap();
        let started_ms = self.now.0;
        self.pass(Duration::from_secs(1));
        self.starts.push(start(started_ms, how, self.now.0));
        self.host.push(host_run(&self.task, self.host.len(), result));
    }

    fn fails(mut self) -> Self {
        self.agent_ends("exit 3", "failed");
        self.board.fail(ORGANIZATION, &self.run, DAEMON, "It broke down.", true, self.now).unwrap();
        self
    }

    fn succeeds(mut self) -> Self {
        self.agent_ends("exit 0", "succeeded");
        let completion = Completion { summary: self.work.summary(), ..Completion::default() };
        self.board.complete(ORGANIZATION, &self.run, DAEMON, completion, self.now).unwrap();
        self
    }

    /// The same with something exchanged.
    fn but(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn wrong(&self) -> Vec<String> {
        let evidence = Evidence {
            work: &self.work,
            task: self.board.task(&self.task).unwrap(),
            run: self.board.run(&self.run).unwrap(),
            host: self.host.iter().collect(),
            starts: self.starts.clone(),
            unacknowledged: self.unacknowledged,
        };
        evidence.wrong()
    }
}

fn start(started_ms: u64, how: &str, at_ms: u64) -> Start {
    Start {
        number: 1,
        attempt: 1,
        pid: 2,
        argv: Vec::new(),
        env: BTreeMap::new(),
        cwd: "/".into(),
        started_ms,
        stdin: None,
        children: Vec::new(),
        ended: Some(Ended { at_ms, how: how.to_owned() }),
    }
}

fn host_run(task: &TaskId, number: usize, result: &str) -> HostRun {
    let run = serde_json::json!({
        "id": number.to_string(), "task_id": task.0, "state": "closed", "result": result, "why": "",
        "attempts": [{}], "branch": null, "base": null, "head": null, "workspace": null, "files": [],
        "closed": true,
    });
    serde_json::from_value(run).unwrap()
}

#[test]
fn tasks_that_end_as_they_should_are_right() {
    let stories = [
        Story::of(COMMITS).succeeds(),
        Story::of(COMMITS).claim_is_lost().succeeds(),
        Story::of(FAILS_ONCE).fails().succeeds(),
    ];
    for story in stories {
        assert_eq!(story.wrong(), [""; 0]);
    }
}

#[test]
fn a_task_may_fail_if_both_of_its_claims_were_lost_or_met_a_failing_agent() {
    assert_eq!(Story::of(FAILS_ONCE).claim_is_lost().fails().wrong(), [""; 0]);
    assert_eq!(Story::of(COMMITS).claim_is_lost().claim_is_lost().wrong(), [""; 0]);
    assert_eq!(Story::of(FAILS_ONCE).fails().claim_is_lost().wrong(), [""; 0]);
}

#[test]
fn a_task_that_is_still_open_is_wrong() {
    assert_eq!(Story::of(COMMITS).wrong().len(), 1);
    assert_eq!(Story::of(FAILS_ONCE).fails().wrong().len(), 1);
}

#[test]
fn a_lease_that_ran_out_although_the_host_knew_of_the_run_is_no_excuse() {
    let story = Story::of(FAILS_ONCE).claim_is_lost().claim_is_lost();
    let task = story.task.clone();
    let known = story.but(|story| story.host.push(host_run(&task, 0, "lost")));
    assert!(
        known.wrong().iter().any(|wrong| wrong.contains("claims, 1 of them lost")),
        "{:?}",
        known.wrong()
    );
}

#[test]
fn a_comment_of_another_task_is_wrong() {
    let wrong = Story::of(COMMITS).succeeds().but(|story| story.work = Work::of(2, 1)).wrong();
    assert!(wrong[0].contains("APP-2 is done."), "{wrong:?}");
}

#[test]
fn a_run_looks_lost_to_the_host_only_if_the_answer_to_its_report_was_lost() {
    let lost = |story: &mut Story| story.host[0].result = Some("lost".to_owned());
    let story = Story::of(FAILS_ONCE).fails().succeeds().but(lost);
    assert_eq!(story.wrong().len(), 1, "{:?}", story.wrong());
    let excused = story.but(|story| story.unacknowledged = 1);
    assert_eq!(excused.wrong(), [""; 0]);
}

#[test]
fn a_host_that_thinks_otherwise_than_the_server_is_wrong() {
    let failed = |story: &mut Story| story.host[0].result = Some("failed".to_owned());
    assert_eq!(Story::of(COMMITS).succeeds().but(failed).wrong().len(), 1);
    let open = |story: &mut Story| story.host[0].closed = false;
    assert_eq!(Story::of(COMMITS).succeeds().but(open).wrong().len(), 1);
    let parked = |story: &mut Story| story.host[0].result = None;
    assert_eq!(Story::of(FAILS_ONCE).fails().succeeds().but(parked).wrong().len(), 1);
}

#[test]
fn agents_that_overlap_end_otherwise_or_work_in_vain_are_wrong() {
    let overlap = |story: &mut Story| story.starts[1].started_ms -= 500;
    assert_eq!(Story::of(FAILS_ONCE).fails().succeeds().but(overlap).wrong().len(), 1);
    let killed = |story: &mut Story| story.starts[0].ended = None;
    assert!(!Story::of(COMMITS).succeeds().but(killed).wrong().is_empty());
    let twice = |story: &mut Story| {
        let later = story.now.0 + 1;
        story.starts.push(start(later, "exit 0", later + 1));
    };
    assert_eq!(Story::of(COMMITS).succeeds().but(twice).wrong().len(), 2);
}
