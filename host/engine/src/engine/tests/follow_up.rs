//! Tasks that go on because of what came back from their pull request.

use super::world::*;
use super::*;
use crate::follow_up::{Check, CheckState, FollowUp, QUIET, Seen, Standing};
use crate::landing::{Landed, Landing, LandingKind, PullRequest};
use crate::plan::Wish;
use crate::policy::Policy;

fn world() -> World {
    World::with(Policy {
        landings: vec![LandingKind::PullRequest],
        follow_up: FollowUp::All,
        slots: 100,
        ..policy()
    })
}

fn in_pull_request(number: u32, head: &str) -> Landed {
    Landed {
        kind: "pull-request".to_owned(),
        url: Some(format!("https://forge.example/pull/{number}")),
        number: Some(number),
        head: Some(head.to_owned()),
        note: String::new(),
    }
}

fn failed(id: &str, head: &str) -> Seen {
    let text = |text: &str| text.to_owned();
    let check = Check {
        id: text(id),
        name: text("build"),
        state: CheckState::Failed,
        conclusion: text("failure"),
        summary: text("error"),
        link: text(""),
    };
    Seen { standing: Standing::Open, head: text(head), checks: vec![check], remarks: vec![] }
}

impl World {
    /// A run opens a pull request and is reported.
    fn opens(&mut self, name: &str, number: u32, head: &str) {
        self.running_as(
            name,
            Wish { landing: Landing::PullRequest(PullRequest::default()), ..Wish::default() },
        );
        self.ends_in(name, number, head);
    }

    fn ends_in(&mut self, name: &str, number: u32, head: &str) {
        self.ended(name, success());
        self.collected(name);
        let at = self.at(name);
        self.tell(Input::Landed { at, landed: Ok(in_pull_request(number, head)) });
        self.reported(name, Ok(()));
    }

    fn sees(&mut self, name: &str, seen: Seen) {
        self.tell(Input::PullRequestSeen { run: run_id(name), seen });
    }

    /// A check has failed, and it was quiet since.
    fn hears_of(&mut self, name: &str, seen: &Seen) {
        self.sees(name, seen.clone());
        self.now = self.now + QUIET;
        self.sees(name, seen.clone());
    }

    /// What trackers are told now, as numbers of words.
    fn words(&self) -> Vec<u32> {
        let words = self.effects.iter().filter_map(|effect| match &effect.action {
            Action::FollowUp { told, .. } => Some(told.number),
            _ => None,
        });
        words.collect()
    }

    fn taken(&mut self, name: &str, number: u32) {
        let at = Step { run: run_id(name), number };
        self.tell(Input::FollowUpAnswered { at, answer: Ok(()) });
    }

    /// The tracker gives the task out again, and an agent starts.
    fn goes_on(&mut self, name: &str, task_id: &str) {
        self.give(name, task_id, 9);
        self.planned(name, Wish { landing: Landing::PullRequest(PullRequest::default()), ..Wish::default() });
        self.prepared(name);
        self.started(name);
    }
}

#[test]
fn a_failed_check_has_the_tracker_told_and_the_next_agent_given_what_came_back() {
    let mut world = world();
    world.opens("a", 7, "h1");
    assert_eq!(world.engine.pull_requests().count(), 1);
    world.hears_of("a", &failed("c1", "h1"));
    assert_eq!(world.words(), [1]);
    world.taken("a", 1);
    world.goes_on("b", "a");
    let brought = &world.run("b").brought;
    assert_eq!((brought.number, brought.checks.len()), (7, 1));
    assert_eq!(world.engine.pull_requests().count(), 0, "nobody looks while the agent works");
    world.ends_in("b", 7, "h2");
    world.hears_of("b", &Seen { checks: vec![], ..failed("", "h2") });
    assert_eq!(world.words(), [0; 0], "all is well");
    assert_eq!(world.engine.pull_requests().next().map(|watched| watched.continuations), Some(1));
}

#[test]
fn a_reply_that_comes_first_gets_what_came_back_and_the_tracker_is_not_told() {
    let mut world = world();
    world.opens("a", 7, "h1");
    world.sees("a", failed("c1", "h1"));
    world.goes_on("b", "a");
    assert_eq!(world.run("b").brought.checks.len(), 1);
    world.hears_of("a", &failed("c1", "h1"));
    assert_eq!(world.words(), [0; 0]);
}

#[test]
fn a_host_that_ends_while_it_tells_tells_it_again_under_the_same_number() {
    let mut world = world();
    world.opens("a", 7, "h1");
    world.hears_of("a", &failed("c1", "h1"));
    assert_eq!(world.words(), [1]);
    world.tell(Input::Restarted);
    assert_eq!(world.words(), [1]);
    world.taken("a", 1);
    world.tell(Input::Restarted);
    assert_eq!(world.words(), [0; 0]);
}

#[test]
fn a_run_that_changed_nothing_leaves_the_pull_request_watched() {
    let mut world = world();
    world.opens("a", 7, "h1");
    world.hears_of("a", &failed("c1", "h1"));
    world.taken("a", 1);
    world.goes_on("b", "a");
    world.ended("b", success());
    let at = world.at("b");
    world.tell(Input::Collected { at, changes: Ok(crate::report::Changes::default()) });
    world.reported("b", Ok(()));
    let next = world.engine.pull_requests().next().unwrap();
    assert_eq!((next.run.run.clone(), next.number), (run_id("b"), 7));
    world.hears_of("b", &failed("c1", "h1"));
    assert_eq!(world.words(), [0; 0], "the same check again is nothing new");
    world.hears_of("b", &failed("c2", "h1"));
    assert_eq!(world.words(), [2]);
}

#[test]
fn nothing_is_told_while_the_host_stops_and_what_was_seen_waits() {
    let mut world = world();
    world.opens("a", 7, "h1");
    world.tell(Input::Drain);
    world.hears_of("a", &failed("c1", "h1"));
    assert_eq!(world.words(), [0; 0]);
    world.tell(Input::Restarted);
    world.sees("a", failed("c1", "h1"));
    assert_eq!(world.words(), [1]);
}

#[test]
fn fifty_pull_requests_are_watched_and_one_more_lets_the_oldest_go() {
    let mut world = world();
    for count in 0..=MAX_WATCHED {
        world.opens(&format!("run-{count:03}"), 1, "h");
        let first = world.engine.pull_requests().next().unwrap().run.run.clone();
        let oldest = if count < MAX_WATCHED { "run-000" } else { "run-001" };
        assert_eq!(first, run_id(oldest), "{count}");
    }
    assert_eq!(world.engine.pull_requests().count(), MAX_WATCHED);
}

#[test]
fn what_is_watched_survives_a_snapshot() {
    let mut world = world();
    world.opens("a", 7, "h1");
    world.sees("a", failed("c1", "h1"));
    let text = serde_json::to_string(&world.engine).unwrap();
    assert_eq!(serde_json::from_str::<Engine>(&text).unwrap(), world.engine);
}
